//! What people see: one struct for each page, filled by a handler and rendered by
//! the template of the same name.
//!
//! The structs hold plain values; a decision that is more than "show or hide" is
//! made by whoever fills them. Their words come from the layout (`web/texts.rs`).
//! Askama escapes every value. Nothing is marked as safe in a template: the only
//! types whose output is inserted as markup are [`ScopeNode`] and [`ConsentNode`],
//! because they are themselves rendered by an escaping template, and
//! [`Markup`](super::texts::Markup), which escapes what it puts together.
//! Links that come from clients pass through [`Href`], which knows no `javascript:`.

use std::fmt;
use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use portolan_types::Timestamp;
use url::Url;

use crate::error::Error;
use crate::texts::Language;
use crate::web::assets;

#[path = "account_pages.rs"]
pub mod account;
#[path = "mail_pages.rs"]
pub mod mail;
#[path = "policy_pages.rs"]
pub mod policies;
#[path = "resource_pages.rs"]
pub mod resource;

#[path = "console_pages.rs"]
pub mod console;
#[path = "developer_pages.rs"]
pub mod developers;

#[path = "skin_pages.rs"]
pub mod skin;

/// What every page shows around its content.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub language: Language,
    /// Name of the page in the browser's tab; error and message pages also show it as heading.
    pub title: String,
    pub request_id: String,
    /// E-mail address, web address or any other words of the operator.
    pub operator_contact: Option<String>,
    /// Username of the person who is signed in in this browser.
    pub signed_in_as: Option<String>,
    /// Whether the way to the console is shown.
    pub administers: bool,
    /// How the app looks that the page belongs to.
    pub skin: Option<skin::SkinView>,
    /// Whether the page leads back to itself in another language.
    pub offers_languages: bool,
}

impl Layout {
    fn asset(&self, name: &str) -> String {
        assets::asset_url(name)
    }

    fn other_languages(&self) -> Vec<Language> {
        let others = Language::ALL.into_iter().filter(|other| *other != self.language);
        others.filter(|_| self.offers_languages).collect()
    }

    /// The contact as a link, if it is an address; other words stay words.
    fn contact_link(&self) -> Option<Href> {
        let contact = self.operator_contact.as_deref()?;
        Href::web(contact).or_else(|| Href::mail(contact))
    }
}

/// An address that is safe to put into a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Href(String);

impl Href {
    /// An address on the web given by somebody else: `http` or `https` with a host.
    pub fn web(text: &str) -> Option<Href> {
        let url = Url::parse(text).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        is_web.then(|| Href(url.into()))
    }

    /// A path on this server. Anything else, such as `//host`, becomes the start page.
    pub fn path(path: impl Into<String>) -> Href {
        let path = path.into();
        // Browsers read a backslash as a slash, so `/\host` would leave this server too.
        let stays_here = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
        let printable = !path.contains(|c: char| c.is_control());
        Href(if stays_here && printable { path } else { "/".to_owned() })
    }

    fn mail(text: &str) -> Option<Href> {
        let (local, domain) = text.split_once('@')?;
        let plain = |part: &str, extra: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        (plain(local, "._+-") && plain(domain, ".-")).then(|| Href(format!("mailto:{text}")))
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A link that the page shows as a button or in a list.
#[derive(Clone, Debug)]
pub struct Link {
    pub text: String,
    pub href: Href,
}

/// A client as pages show it.
#[derive(Clone, Debug)]
pub struct ClientView {
    /// The client's name; for an instance of a template the template's name.
    pub name: String,
    /// The name that an instance gave itself when it registered without anybody's approval.
    pub registered_as: Option<String>,
    pub terms: Option<Href>,
    pub privacy: Option<Href>,
}

impl ClientView {
    /// Links that are not web addresses are left out.
    pub fn new(name: impl Into<String>, terms: Option<&str>, privacy: Option<&str>) -> ClientView {
        ClientView {
            name: name.into(),
            registered_as: None,
            terms: terms.and_then(Href::web),
            privacy: privacy.and_then(Href::web),
        }
    }

    pub fn registered_as(mut self, name: impl Into<String>) -> ClientView {
        self.registered_as = Some(name.into());
        self
    }

    fn has_links(&self) -> bool {
        self.terms.is_some() || self.privacy.is_some()
    }
}

/// An identity as pages show it.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub username: String,
    pub name: Option<String>,
    /// Display name of the identity provider.
    pub provider: Option<String>,
}

impl AccountView {
    fn initial(&self) -> String {
        let shown = self
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.username);
        shown
            .chars()
            .find(|c| c.is_alphanumeric())
            .map_or_else(|| "?".to_owned(), |c| c.to_uppercase().to_string())
    }
}

/// What was wrong with a form that came back, each with the field it concerns.
#[derive(Clone, Debug, Default)]
pub struct FormErrors(Vec<FieldError>);

#[derive(Clone, Debug)]
pub struct FieldError {
    /// Name of the input, or none if the refusal concerns no single one.
    pub field: Option<&'static str>,
    pub text: String,
    /// Whether the text is in English and the page is not.
    pub is_foreign: bool,
}

impl FormErrors {
    pub fn none() -> FormErrors {
        FormErrors::default()
    }

    /// A refusal of the form as a whole.
    pub fn whole(text: impl Into<String>) -> FormErrors {
        FormErrors(vec![FieldError {
            field: None,
            text: text.into(),
            is_foreign: false,
        }])
    }

    /// What the rules refused: in the language of the page, where they say it in words for
    /// people.
    pub fn refusal(language: Language, error: &Error) -> FormErrors {
        let (text, is_foreign) = match error.words() {
            Some(words) => (language.words(words), false),
            None => (error.detail().to_owned(), language != Language::En),
        };
        FormErrors(vec![FieldError {
            field: None,
            text,
            is_foreign,
        }])
    }

    /// A sentence of the rules for which there are no words in other languages.
    pub fn foreign(field: &'static str, language: Language, text: String) -> FormErrors {
        FormErrors(vec![FieldError {
            field: Some(field),
            text,
            is_foreign: language != Language::En,
        }])
    }

    pub fn field(field: &'static str, text: impl Into<String>) -> FormErrors {
        FormErrors::none().and(field, text)
    }

    pub fn and(mut self, field: &'static str, text: impl Into<String>) -> FormErrors {
        self.0.push(FieldError {
            field: Some(field),
            text: text.into(),
            is_foreign: false,
        });
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn all(&self) -> &[FieldError] {
        &self.0
    }

    /// Every refusal of a field, where one may be wrong in several ways.
    fn all_on(&self, field: &str) -> Vec<&str> {
        let errors = self.0.iter().filter(|error| error.field == Some(field));
        errors.map(|error| error.text.as_str()).collect()
    }

    fn on(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|error| error.field == Some(field))
            .map(|error| error.text.as_str())
    }
}

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

/// How a person signs in, and the way to change it.
#[derive(Template)]
#[template(path = "pages/security.html")]
pub struct SecurityPage {
    pub layout: Layout,
    pub form_token: String,
    pub username: String,
    /// What has just been done.
    pub notice: Option<String>,
    /// Since when there is an authenticator app.
    pub totp: Option<Moment>,
    pub passkeys: Vec<PasskeyRow>,
    /// Whether browsers know passkeys under this address.
    pub passkeys_possible: bool,
    pub recovery_codes: i64,
}

impl SecurityPage {
    fn has_second_factor(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }
}

/// A passkey in the list.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    pub name: String,
    pub added: Moment,
    pub last_used: Option<Moment>,
    /// Whether it can sign in without a password.
    pub alone: bool,
    /// Whether it may be on several devices.
    pub synced: bool,
    pub change: Href,
    pub remove: Href,
}

/// Posts `password_now`, `password` and `password_again`.
#[derive(Template)]
#[template(path = "pages/security_password.html")]
pub struct PasswordPage {
    pub layout: Layout,
    pub form_token: String,
    pub username: String,
    pub password_min_length: usize,
    pub errors: FormErrors,
}

impl PasswordPage {
    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

fn password_hint(layout: &Layout, minimum: usize) -> String {
    layout.say("password-hint").arg("minimum", minimum).to_string()
}

/// Sets an authenticator app up. Posts `otp`.
#[derive(Template)]
#[template(path = "pages/security_totp.html")]
pub struct TotpPage {
    pub layout: Layout,
    pub form_token: String,
    /// In groups.
    pub secret: String,
    pub uri: String,
    /// The QR code: a path of an SVG picture, and the length of a side.
    pub qr_path: String,
    pub qr_side: usize,
    pub errors: FormErrors,
}

/// Adds a passkey. Posts `name` and `credential`, which the script fills in.
#[derive(Template)]
#[template(path = "pages/security_passkey_new.html")]
pub struct NewPasskeyPage {
    pub layout: Layout,
    pub form_token: String,
    /// For the browser, as JSON.
    pub options: String,
    pub name: String,
    pub errors: FormErrors,
}

/// Renames a passkey. Posts `name`.
#[derive(Template)]
#[template(path = "pages/security_passkey.html")]
pub struct PasskeyPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    pub remove: Href,
    pub name: String,
    pub errors: FormErrors,
}

/// Asks before a factor is removed. Posts `password_now` if `last`.
#[derive(Template)]
#[template(path = "pages/security_remove.html")]
pub struct FactorRemovalPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    /// The name of the passkey; the authenticator app has none.
    pub passkey: Option<String>,
    /// Whether it is the last second factor.
    pub last: bool,
    pub errors: FormErrors,
}

/// Offers new recovery codes, or shows them.
#[derive(Template)]
#[template(path = "pages/security_recovery_codes.html")]
pub struct RecoveryCodesPage {
    pub layout: Layout,
    pub form_token: String,
    /// How many are left.
    pub left: i64,
    /// New ones; none before they are made.
    pub codes: Vec<String>,
}

/// Asks for a consent. Posts `decision` (`allow`, `deny`, and `switch` if
/// `can_switch_account`), `label` if it was shown, and `scope_optional` once for
/// each optional scope that stays ticked.
#[derive(Template)]
#[template(path = "pages/consent.html")]
pub struct ConsentPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub request: Option<String>,
    pub client: ClientView,
    pub account: AccountView,
    pub scopes: Vec<ScopeNode>,
    pub duration: AccessDuration,
    /// The name of the consent, prefilled; none if the client does not ask for one.
    pub label: Option<String>,
    /// Where the answer goes, in words or as an origin.
    pub destination: Option<String>,
    /// Where permissions can be seen and withdrawn.
    pub consents_page: Option<Href>,
    pub can_switch_account: bool,
    pub errors: FormErrors,
    pub time_limit: Option<Duration>,
}

impl ConsentPage {
    fn has_optional(&self) -> bool {
        self.scopes.iter().any(ScopeNode::has_optional)
    }

    /// What developers know the permissions by, each once, in the order of the page.
    fn scope_strings(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        self.scopes.iter().for_each(|scope| scope.collect_strings(&mut seen));
        seen
    }
}

/// How long access lasts that a consent allows.
#[derive(Clone, Debug)]
pub enum AccessDuration {
    /// Without refresh tokens: the lifetime of an access token.
    WhilePresent { lifetime: Duration },
    /// With refresh tokens: they end when unused for so long.
    WhileAway { idle_end: Option<Duration> },
}

/// A scope on the consent page with the scopes its resource server needs beneath it.
#[derive(Clone, Debug, Template)]
#[template(path = "components/scope_node.html")]
pub struct ScopeNode {
    pub language: Language,
    /// Names this place in the tree; the value that the form posts. Letters, digits, `.`, `-`, `_`.
    pub path_id: String,
    pub name: String,
    pub description: String,
    pub scope_string: String,
    /// Display name of the resource server.
    pub resource: String,
    /// Whether it can be declined alone.
    pub optional: bool,
    /// Whether the box of an optional scope starts ticked.
    pub checked: bool,
    pub children: Vec<ScopeNode>,
}

impl ScopeNode {
    fn has_optional(&self) -> bool {
        self.optional || self.children.iter().any(ScopeNode::has_optional)
    }

    fn collect_strings<'a>(&'a self, seen: &mut Vec<&'a str>) {
        if !seen.contains(&self.scope_string.as_str()) {
            seen.push(&self.scope_string);
        }
        self.children.iter().for_each(|child| child.collect_strings(seen));
    }
}

// A node prints the markup of its template, in which every value is escaped already.
impl HtmlSafe for ScopeNode {}

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

/// A hidden field that brings a parameter through a form.
#[derive(Clone, Debug)]
pub struct CarriedField {
    pub name: &'static str,
    pub value: String,
}

#[derive(Template)]
#[template(path = "pages/logged_out.html")]
pub struct LoggedOutPage {
    pub layout: Layout,
    pub client_name: Option<String>,
    /// `redirect_uri` and `redirect_name`, if the origin belongs to the client.
    pub continue_to: Option<Link>,
}

/// The apps that a person has allowed to act in their name.
#[derive(Template)]
#[template(path = "pages/consents.html")]
pub struct ConsentsPage {
    pub layout: Layout,
    pub apps: Vec<AppConsents>,
    /// Where everything can be withdrawn at once, if there is more than one app.
    pub withdraw_all: Option<Href>,
    /// Comes from a withdrawal that has just been done.
    pub withdrawn: bool,
    /// To the app that sent the person here.
    pub back: Option<Link>,
}

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

/// What one app may do.
#[derive(Clone, Debug)]
pub struct AppConsents {
    pub client: ClientView,
    /// Usernames; more than one if linked accounts allowed it.
    pub allowed_by: Vec<String>,
    /// The names that the person gave.
    pub labels: Vec<String>,
    pub last_used: Option<Moment>,
    /// Whether any of it allows the app to go on while the person is away.
    pub while_away: bool,
    pub consents: Vec<ConsentNode>,
    /// Where all of it can be withdrawn at once, if it is more than one permission.
    pub withdraw_all: Option<Href>,
}

/// A consent with those beneath it, which the resource server of this one may use.
#[derive(Clone, Debug, Template)]
#[template(path = "components/consent_node.html")]
pub struct ConsentNode {
    pub language: Language,
    pub name: String,
    pub description: String,
    /// Display name of the resource server.
    pub resource: String,
    /// The app, and the account if several allowed it: tells apart links that would read alike.
    pub app: String,
    /// Username; none where the page says it for the whole app.
    pub allowed_by: Option<String>,
    pub since: Moment,
    pub last_used: Option<Moment>,
    pub while_away: bool,
    pub withdraw: Option<Withdraw>,
    pub children: Vec<ConsentNode>,
}

/// Where a consent can be withdrawn.
#[derive(Clone, Debug)]
pub enum Withdraw {
    Tree(Href),
    /// Without the rest of its tree.
    Branch(Href),
}

// A node prints the markup of its template, in which every value is escaped already.
impl HtmlSafe for ConsentNode {}

/// Asks before consents are withdrawn, and says what will stop working.
#[derive(Template)]
#[template(path = "pages/consents_revoke.html")]
pub struct RevocationPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub carried: Vec<CarriedField>,
    pub client: ClientView,
    pub extent: RevocationExtent,
    /// Usernames of those who allowed what ends.
    pub allowed_by: Vec<String>,
    pub last_used: Option<Moment>,
    /// Whether any of it allows going on while the person is away.
    pub while_away: bool,
    /// Who loses what: the app first, then the services beneath it.
    pub losses: Vec<Loss>,
    /// Names of the app's permissions that stay.
    pub kept: Vec<String>,
    /// Leaves everything as it is.
    pub keep: Href,
    pub errors: FormErrors,
}

/// How much ends. Names are those of scopes.
#[derive(Clone, Debug)]
pub enum RevocationExtent {
    /// All that the app was allowed.
    App,
    /// A permission of the app with all beneath it.
    Tree { name: String },
    /// A part that can be withdrawn alone, with all beneath it.
    Branch { name: String },
    /// A part that cannot: its whole tree ends.
    WholeTree { name: String, root: String },
}

/// What an app or service can do no longer.
#[derive(Clone, Debug)]
pub struct Loss {
    pub who: String,
    /// Whether it is the app itself; others lose it only where they work for the app.
    pub is_app: bool,
    pub scopes: Vec<LostScope>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostScope {
    pub name: String,
    pub description: String,
    /// Display name of the resource server.
    pub resource: String,
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

/// A moment as pages show it, in UTC: the server does not know the reader's time zone.
/// A template writes it with `layout.time(moment)`.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Timestamp,
    to_the_minute: bool,
}

impl Moment {
    /// "3 February 2026"
    pub fn day(at: Timestamp) -> Moment {
        Moment {
            at,
            to_the_minute: false,
        }
    }

    /// "3 February 2026, 09:15 UTC"
    pub fn minute(at: Timestamp) -> Moment {
        Moment {
            at,
            to_the_minute: true,
        }
    }

    /// For the `datetime` attribute.
    pub fn machine(&self) -> String {
        self.at.to_string()
    }

    pub fn words(&self, language: Language) -> String {
        if self.to_the_minute {
            language.moment(self.at)
        } else {
            language.date(self.at)
        }
    }
}

/// A refusal that cannot or must not be sent to the app. The heading is the layout's title.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    pub layout: Layout,
    pub text: String,
    /// Whether the text is in English and the page is not.
    pub text_is_foreign: bool,
    /// What the person can do next, a sentence each.
    pub advice: Vec<String>,
    pub link: Option<Link>,
    pub occurred_at: String,
    /// 32 hexadecimal digits: the request id without dashes.
    pub error_id: String,
    pub error_code: String,
}

/// Makes the first administrator. Posts `setup_token` and the five fields.
#[derive(Template)]
#[template(path = "pages/setup.html")]
pub struct SetupPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// The secret of the one-time link.
    pub setup_token: String,
    pub username: String,
    pub name: String,
    pub email: String,
    pub errors: FormErrors,
    /// What follows the `@` in usernames of local accounts.
    pub local_domain: String,
    pub password_min_length: usize,
}

impl SetupPage {
    fn username_hint(&self) -> String {
        self.layout
            .say("account-username-hint")
            .arg("domain", &self.local_domain)
            .to_string()
    }

    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

#[derive(Template)]
#[template(path = "pages/setup_done.html")]
pub struct SetupDonePage {
    pub layout: Layout,
    pub username: String,
    /// The public URL without a slash at its end.
    pub public_url: String,
}

/// A notice with at most one way onward. The heading is the layout's title.
#[derive(Template)]
#[template(path = "pages/message.html")]
pub struct MessagePage {
    pub layout: Layout,
    /// Paragraphs.
    pub text: Vec<String>,
    pub link: Option<Link>,
}

/// The start page at `/`.
#[derive(Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    pub layout: Layout,
    pub issuer: String,
    pub state: HomeState,
}

#[derive(Clone, Debug)]
pub enum HomeState {
    NotSetUp,
    SignedOut { sign_in: Option<Href> },
    SignedIn { links: Vec<Link>, sign_out: Href },
}

#[cfg(test)]
#[path = "pages_tests.rs"]
pub(crate) mod tests;
