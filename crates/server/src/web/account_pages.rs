//! The account of a person: where they are signed in, and which accounts belong to them.

use std::time::Duration;

use askama::Template;

use super::{AccountView, CarriedField, ClientView, Href, Layout, Link, Moment};
use crate::texts::Language;

/// The browsers in which a person is signed in. Posts `session`: an id, or `others`.
#[derive(Template)]
#[template(path = "pages/sessions.html")]
pub struct SessionsPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub places: Vec<PlaceView>,
    /// Whether there are others than this one.
    pub has_others: bool,
    /// Comes from an end that has just been made.
    pub ended: bool,
}

/// One browser.
#[derive(Clone, Debug)]
pub struct PlaceView {
    pub id: String,
    /// The one that shows the page.
    pub here: bool,
    /// Or else only apps go on.
    pub signed_in: bool,
    /// "Firefox on Linux"
    pub browser: String,
    pub address: Option<String>,
    pub last_seen: Option<Moment>,
    pub logins: Vec<SignIn>,
    /// Names of the apps that the person went to from there.
    pub apps: Vec<String>,
}

impl PlaceView {
    fn name(&self, language: &Language) -> String {
        if self.here {
            language.say("sessions-here").arg("browser", &self.browser).to_string()
        } else {
            self.browser.clone()
        }
    }
}

/// With which account somebody signed in, and when.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub username: String,
    pub at: Moment,
}

/// The accounts of a person, and which of them apps know.
#[derive(Template)]
#[template(path = "pages/identities.html")]
pub struct IdentitiesPage {
    pub layout: Layout,
    /// The primary first.
    pub identities: Vec<IdentityRow>,
    pub notice: Option<IdentitiesNotice>,
    pub link_another: Href,
    /// To the app that sent the person here.
    pub back: Option<Link>,
}

#[derive(Clone, Debug)]
pub struct IdentityRow {
    pub account: AccountView,
    pub email: Option<String>,
    pub organization: Option<String>,
    pub is_primary: bool,
    /// Whether the person can sign in with it.
    pub is_usable: bool,
    /// Whether the person has signed in with it in this browser.
    pub is_here: bool,
    pub last_authentication: Option<Moment>,
    pub make_primary: Option<Href>,
    pub unlink: Option<Href>,
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitiesNotice {
    Linked,
    Unlinked,
    PrimaryChanged,
}

/// Asks before an account is unlinked or becomes the primary, and says what will be different.
#[derive(Template)]
#[template(path = "pages/identity_change.html")]
pub struct IdentityChangePage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub carried: Vec<CarriedField>,
    pub account: AccountView,
    pub change: IdentityChange,
    /// Leaves everything as it is.
    pub keep: Href,
}

#[derive(Clone, Debug)]
pub enum IdentityChange {
    Unlink {
        /// Usernames of those that stay together.
        rest: Vec<String>,
        /// Whether the browser is signed out by it.
        signs_out: bool,
    },
    MakePrimary {
        /// Username of the present primary.
        former: String,
    },
}

impl IdentityChange {
    pub fn title(&self, language: Language) -> &'static str {
        match self {
            IdentityChange::Unlink { .. } => language.text("identities-ask-unlink"),
            IdentityChange::MakePrimary { .. } => language.text("identities-ask-primary"),
        }
    }

    /// The last part of its address.
    pub fn path(&self) -> &'static str {
        match self {
            IdentityChange::Unlink { .. } => "unlink",
            IdentityChange::MakePrimary { .. } => "primary",
        }
    }
}

/// Where linking begins. Posts `decision`: `begin`, and for a waiting request `switch` to sign
/// in with another account instead, or `deny`.
#[derive(Template)]
#[template(path = "pages/link.html")]
pub struct LinkPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// The authorization request that waits for the link.
    pub request: Option<String>,
    pub carried: Vec<CarriedField>,
    pub client: Option<ClientView>,
    /// The provider that the client requires.
    pub provider: Option<String>,
    pub account: AccountView,
    /// The list of accounts.
    pub list: Href,
    /// To the app that sent the person here.
    pub back: Option<Link>,
    pub time_limit: Option<Duration>,
}

/// Both accounts, before they are linked. Posts `decision`: `link` or `cancel`.
#[derive(Template)]
#[template(path = "pages/link_confirm.html")]
pub struct LinkConfirmPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub carried: Vec<CarriedField>,
    /// Who is signed in.
    pub mine: AccountView,
    /// Who was proven to be the same person.
    pub other: AccountView,
    /// Usernames of accounts that are linked with `mine` already.
    pub others: Vec<String>,
}
