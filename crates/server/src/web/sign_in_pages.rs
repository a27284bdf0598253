//! Signing in and out: the login, its second step, the answers of programs on a device.

use std::time::Duration;

use askama::Template;

use super::{AccountView, CarriedField, ClientView, FormErrors, Href, Layout, Link};

/// Asks for username and password. Posts `username`, `password` and, from "Cancel", `decision=deny`.
#[derive(Template)]
#[template(path = "pages/login.html")]
pub struct LoginPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// The parked authorization request, if one waits for this login.
    pub request: Option<String>,
    pub client: Option<ClientView>,
    /// From `login_hint`, or what was typed before the refusal.
    pub username: String,
    pub reason: LoginReason,
    /// From the request; anybody can write one, so the page does not present it as the app's words.
    pub session_message: Option<String>,
    pub errors: FormErrors,
    /// For who cannot sign in: a new password, an account.
    pub ways: Vec<Link>,
    /// Where to go afterwards if no request waits.
    pub carried: Vec<CarriedField>,
    /// Options for passkeys as JSON; none where browsers know no passkeys.
    pub passkey: Option<String>,
    /// Other identity providers.
    pub choice: ProviderChoice,
    /// Whether "Cancel" leads back to the app.
    pub can_cancel: bool,
    /// How long the parked request still waits.
    pub time_limit: Option<Duration>,
}

/// Other identity providers to sign in through.
#[derive(Clone, Debug, Default)]
pub struct ProviderChoice {
    /// What the app or the browser's memory proposes.
    pub suggested: Vec<ProviderLink>,
    /// All others, or what a search has found.
    pub others: Vec<ProviderLink>,
    /// If there are too many to show them all.
    pub search: Option<ProviderSearch>,
}

impl ProviderChoice {
    fn is_empty(&self) -> bool {
        self.suggested.is_empty() && self.others.is_empty() && self.search.is_none()
    }
}

#[derive(Clone, Debug)]
pub struct ProviderLink {
    pub name: String,
    /// Of its usernames; tells apart providers of one name.
    pub domains: String,
    pub href: Href,
}

/// Asks again for the page with `idp_search` in its address. It changes nothing, so it
/// carries no token.
#[derive(Clone, Debug)]
pub struct ProviderSearch {
    pub text: String,
    /// More were found than are shown.
    pub more: bool,
    pub carried: Vec<CarriedField>,
}

/// Why a person sees the login page.
#[derive(Clone, Debug)]
pub enum LoginReason {
    NotSignedIn,
    /// Nobody is signed in, and not everybody will do: fragments as those below.
    Demanded(Vec<String>),
    /// `prompt=login`
    AskedAgain,
    /// `max_age`
    TooLongAgo,
    /// What the session lacks, each as a sentence fragment: "an account at example.edu".
    StepUp(Vec<String>),
    /// It is the second proof of a link: nobody is signed in by it.
    Linking {
        /// Who is and stays signed in.
        username: String,
        /// The provider that the waiting app requires.
        provider: Option<String>,
    },
}

impl LoginPage {
    fn client_name(&self) -> &str {
        let client = self.client.as_ref().map(|client| client.name.as_str());
        client.unwrap_or(self.layout.text("login-this-service"))
    }
}

/// The second step of a sign-in. Posts `login` and one of `otp`, `recovery_code` and
/// `credential`.
#[derive(Template)]
#[template(path = "pages/login_factor.html")]
pub struct LoginFactorPage {
    pub layout: Layout,
    pub form_token: String,
    pub request: Option<String>,
    /// Names the sign-in that waits.
    pub login: String,
    pub client: Option<ClientView>,
    pub username: String,
    /// Whether there is an authenticator app.
    pub otp: bool,
    /// Options for the passkeys of the account as JSON, if it has any.
    pub passkey: Option<String>,
    /// Whether recovery codes are left.
    pub recovery: bool,
    pub start_again: Href,
    pub carried: Vec<CarriedField>,
    pub errors: FormErrors,
}

/// Asks a person with a session and all consents whether a program on the device may use them.
/// Posts `decision` (`allow`, `deny`, and `switch` if `can_switch_account`).
#[derive(Template)]
#[template(path = "pages/continue_as.html")]
pub struct ContinueAsPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub request: Option<String>,
    pub client: ClientView,
    pub account: AccountView,
    pub destination: Option<String>,
    pub can_switch_account: bool,
    pub time_limit: Option<Duration>,
}

/// Shows an authorization code for copy and paste.
#[derive(Template)]
#[template(path = "pages/auth_code.html")]
pub struct AuthCodePage {
    pub layout: Layout,
    pub outcome: AuthCodeOutcome,
}

#[derive(Clone, Debug)]
pub enum AuthCodeOutcome {
    Code(String),
    Refused {
        error: String,
        description: Option<String>,
    },
    /// The address carried neither a code nor an error.
    Nothing,
}

/// Asks before a session ends that another site may have tried to end.
#[derive(Template)]
#[template(path = "pages/logout.html")]
pub struct LogoutPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub client_name: Option<String>,
    /// Parameters of the request that the answer still needs.
    pub carried: Vec<CarriedField>,
}

#[derive(Template)]
#[template(path = "pages/logged_out.html")]
pub struct LoggedOutPage {
    pub layout: Layout,
    pub client_name: Option<String>,
    /// `redirect_uri` and `redirect_name`, if the origin belongs to the client.
    pub continue_to: Option<Link>,
}
