//! The pages of the operator console. A module inside of `pages`, so that their templates see
//! what all pages share.

use askama::Template;

use super::developers::{AppKind, Recipe};
use super::{FormErrors, Href, Layout, Link, Moment};
use crate::domain::keys::rotation::State;
use crate::health::{Finding, Verdict};

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    Start,
    People,
    Providers,
    Clients,
    Audit,
    Keys,
    Server,
}

#[derive(Template)]
#[template(path = "pages/console.html")]
pub struct ConsolePage {
    pub layout: Layout,
    pub area: Area,
}

/// Asks before something is done. The heading is the layout's title.
#[derive(Template)]
#[template(path = "pages/console_confirm.html")]
pub struct ConfirmPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    /// Paragraphs: what will be different.
    pub text: Vec<String>,
    pub button: String,
    pub is_dangerous: bool,
    /// Leaves everything as it is.
    pub keep: Href,
    pub errors: FormErrors,
}

/// An entry of the audit trail.
#[derive(Clone, Debug)]
pub struct EventRow {
    pub at: Moment,
    pub action: String,
    pub actor: String,
    pub actor_href: Option<Href>,
    pub kind: String,
    pub id: String,
    pub href: Option<Href>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// Names and values.
    pub details: Vec<(String, String)>,
}

/// People that a search has found, or all of them. Looks for `q`.
#[derive(Template)]
#[template(path = "pages/console_people.html")]
pub struct PeoplePage {
    pub layout: Layout,
    pub search: String,
    pub rows: Vec<PersonRow>,
    /// Where there are more than are shown, if it was looked for in several ways.
    pub narrow: Vec<Link>,
    pub next: Option<Href>,
}

#[derive(Clone, Debug)]
pub struct PersonRow {
    pub username: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// Display name of the identity provider.
    pub provider: String,
    pub state: PersonState,
    pub is_administrator: bool,
    pub href: Href,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonState {
    Live,
    Disabled,
    /// Signing in through the provider is switched off.
    ProviderDisabled,
    /// Prepared, but nobody has ever signed in with it.
    Unused,
    Closed,
}

/// All about a person. Posts `session` to end one.
#[derive(Template)]
#[template(path = "pages/console_person.html")]
pub struct PersonPage {
    pub layout: Layout,
    pub form_token: String,
    pub notice: Option<PersonNotice>,
    pub id: String,
    /// Whether it is an account of this server, with a password and factors here.
    pub is_local: bool,
    /// The one that the page is about, and those linked with it.
    pub identities: Vec<PersonFacts>,
    pub factors: Vec<FactorRow>,
    pub recovery_codes: i64,
    pub sessions: Vec<SessionRow>,
    pub end_session: Href,
    pub events: Vec<EventRow>,
    /// All of the trail about the person.
    pub trail: Href,
    pub actions: Vec<(PersonAction, Href)>,
}

#[derive(Clone, Debug)]
pub struct PersonFacts {
    pub row: PersonRow,
    pub id: String,
    pub organization: Option<String>,
    /// Whether it is the one that the page is about.
    pub is_shown: bool,
    pub is_primary: bool,
    pub created: Moment,
    pub last_authentication: Option<Moment>,
}

#[derive(Clone, Debug)]
pub struct FactorRow {
    /// The name of a passkey; none: the authenticator app.
    pub passkey: Option<String>,
    pub since: Moment,
    pub last_used: Option<Moment>,
}

#[derive(Clone, Debug)]
pub struct SessionRow {
    pub id: String,
    /// "Firefox on Linux"
    pub browser: String,
    pub address: Option<String>,
    pub last_seen: Option<Moment>,
    /// Or else only apps go on.
    pub signed_in: bool,
    pub apps: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonAction {
    Disable,
    Enable,
    EndSessions,
    SendReset,
    RemoveFactors,
}

impl PersonAction {
    pub fn is_dangerous(self) -> bool {
        matches!(self, PersonAction::Disable | PersonAction::RemoveFactors)
    }
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonNotice {
    Disabled,
    Enabled,
    SignedOut,
    LinkSent,
    FactorsRemoved,
}

/// Identity providers. Looks for `q` and `state`.
#[derive(Template)]
#[template(path = "pages/console_providers.html")]
pub struct ProvidersPage {
    pub layout: Layout,
    pub search: String,
    /// `enabled`, `disabled` or empty.
    pub state: String,
    pub rows: Vec<ProviderRow>,
    pub more: bool,
    /// Where one is added, for each preset.
    pub presets: Vec<Link>,
}

#[derive(Clone, Debug)]
pub struct ProviderRow {
    pub name: String,
    pub short_name: String,
    /// How people sign in through it, in words.
    pub kind: String,
    pub domains: String,
    pub enabled: bool,
    /// Or else it is built in, and stays as it is.
    pub is_own: bool,
    pub href: Href,
}

#[derive(Template)]
#[template(path = "pages/console_provider.html")]
pub struct ProviderPage {
    pub layout: Layout,
    pub notice: Option<ProviderNotice>,
    pub row: ProviderRow,
    pub id: String,
    pub also_named: String,
    /// How people sign in through it; none for those that are built in.
    pub fields: Option<ProviderFields>,
    /// What the provider has to know of this server.
    pub redirect_uri: String,
    pub edit: Href,
    pub actions: Vec<(ProviderAction, Href)>,
    pub failures: Vec<FailureRow>,
    pub trail: Href,
}

#[derive(Clone, Debug)]
pub struct FailureRow {
    pub at: Moment,
    pub reason: String,
    pub address: Option<String>,
    pub request_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderAction {
    Disable,
    Enable,
    Delete,
}

impl ProviderAction {
    pub fn is_dangerous(self) -> bool {
        self != ProviderAction::Enable
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderNotice {
    Added,
    Changed,
    Enabled,
    Disabled,
}

/// What can be said of a provider, as it stands in a form. Lists are separated by commas,
/// scopes by spaces; pairs stand on a line each.
#[derive(Clone, Debug)]
pub struct ProviderFields {
    pub preset: String,
    pub name: String,
    pub short_name: String,
    pub alternative_names: String,
    pub domains: String,
    /// OpenID Connect, or else plain OAuth 2.0.
    pub is_oidc: bool,
    /// Asked for in place of the issuer, for Microsoft.
    pub tenant: Option<String>,
    pub issuer: String,
    pub client_id: String,
    pub has_secret: bool,
    pub client_authentication: String,
    pub scopes: String,
    pub algorithms: String,
    pub username_claims: String,
    pub name_claims: String,
    pub email_claims: String,
    pub organization_claims: String,
    pub required_claims: String,
    pub parameters: String,
    pub trust_mfa: bool,
}

/// Adds a provider or changes one. Posts the names of [`ProviderFields`], `client_secret` if
/// there is a new one, and `remove_secret`.
#[derive(Template)]
#[template(path = "pages/console_provider_form.html")]
pub struct ProviderFormPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    pub is_new: bool,
    pub fields: ProviderFields,
    pub cancel: Href,
    pub errors: FormErrors,
}

impl ProviderFormPage {
    /// Whether something is wrong with what is folded away.
    fn is_open(&self) -> bool {
        let folded = [
            "client_authentication",
            "scopes",
            "algorithms",
            "username_claims",
            "required_claims",
            "parameters",
        ];
        folded.iter().any(|field| self.errors.on(field).is_some())
    }
}

/// Clients that a search has found, or all of them. Looks for `q`.
#[derive(Template)]
#[template(path = "pages/console_clients.html")]
pub struct ClientsPage {
    pub layout: Layout,
    pub search: String,
    pub rows: Vec<ClientRow>,
    pub next: Option<Href>,
}

#[derive(Clone, Debug)]
pub struct ClientRow {
    pub name: String,
    pub kind: AppKind,
    pub id: String,
    pub state: PersonState,
    pub href: Href,
}

#[derive(Template)]
#[template(path = "pages/console_client.html")]
pub struct ClientPage {
    pub layout: Layout,
    pub notice: Option<ClientNotice>,
    pub row: ClientRow,
    pub project: Option<String>,
    pub parent: Option<Link>,
    pub is_template: bool,
    pub is_instance: bool,
    pub is_public: bool,
    /// Whether others than the project may look it up.
    pub is_visible: bool,
    pub redirect_uris: Vec<String>,
    pub fqdns: Vec<String>,
    pub created: Moment,
    pub children: i64,
    pub scopes: usize,
    pub secrets: usize,
    /// Who allowed it something.
    pub people: i64,
    /// There are more than were counted.
    pub more_people: bool,
    pub actions: Vec<(ClientAction, Href)>,
    pub events: Vec<EventRow>,
    pub trail: Href,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAction {
    Disable,
    Enable,
    Delete,
}

impl ClientAction {
    pub fn is_dangerous(self) -> bool {
        self != ClientAction::Enable
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientNotice {
    Enabled,
    Disabled,
}

/// The audit trail. Looks for the names of [`AuditFields`].
#[derive(Template)]
#[template(path = "pages/console_audit.html")]
pub struct AuditPage {
    pub layout: Layout,
    pub fields: AuditFields,
    pub events: Vec<EventRow>,
    pub rest: AuditRest,
    pub errors: FormErrors,
}

#[derive(Clone, Debug, Default)]
pub struct AuditFields {
    pub actor: String,
    pub action: String,
    pub kind: String,
    pub id: String,
    pub since: String,
    pub until: String,
}

/// What is behind the entries of a page.
#[derive(Clone, Debug)]
pub enum AuditRest {
    Nothing,
    More(Href),
    /// So much was read that it goes on with the next page.
    Unread(Href),
}

#[derive(Template)]
#[template(path = "pages/console_keys.html")]
pub struct KeysPage {
    pub layout: Layout,
    pub notice: Option<KeysNotice>,
    pub keys: Vec<KeyRow>,
    /// After so many days keys are rotated without being asked.
    pub rotation_days: Option<u64>,
    pub rotate: Href,
}

#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: String,
    pub kind: String,
    pub state: State,
    pub signs_from: Moment,
    pub retires: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysNotice {
    Rotated,
    /// New ones are published already.
    Waiting,
}

/// Asks when new keys are to sign. Posts `schedule`: `published`, `now` or `compromised`.
#[derive(Template)]
#[template(path = "pages/console_rotate.html")]
pub struct RotationPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    pub keep: Href,
}

#[derive(Template)]
#[template(path = "pages/console_server.html")]
pub struct ServerPage {
    pub layout: Layout,
    pub facts: ServerFacts,
    pub leases: Vec<LeaseRow>,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug)]
pub struct ServerFacts {
    pub version: &'static str,
    pub engine: String,
    pub schema: i64,
    pub oldest_compatible: i64,
    /// In words.
    pub size: String,
    pub issuer: String,
    /// Units of work that wait for the store on this node.
    pub queued: usize,
    /// Turned away since the start because too many waited.
    pub refused: u64,
    pub retries: u64,
    pub mail_waiting: i64,
}

/// A job that one of the nodes does.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    pub name: String,
    /// The node, by the id it gave itself at its start.
    pub holder: String,
    pub until: Moment,
    pub is_held: bool,
}

/// The first of the first steps: under which address people reach the server.
#[derive(Template)]
#[template(path = "pages/first_address.html")]
pub struct AddressStepPage {
    pub layout: Layout,
    /// What the browser uses, if it says so.
    pub seen: Option<String>,
    pub configured: String,
    /// Whether the two are the same.
    pub agrees: bool,
    /// Without encryption.
    pub is_plain: bool,
    pub next: Href,
}

/// The second: a project and an app. Posts `display_name`, `contact_email` and `name`.
#[derive(Template)]
#[template(path = "pages/first_app.html")]
pub struct AppStepPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    pub display_name: String,
    pub contact_email: String,
    pub name: String,
    pub skip: Href,
    pub errors: FormErrors,
}

/// The third: commands that get a token.
#[derive(Template)]
#[template(path = "pages/first_token.html")]
pub struct TokenStepPage {
    pub layout: Layout,
    pub name: String,
    pub recipes: Vec<Recipe>,
    pub app: Href,
    pub console: Href,
}
