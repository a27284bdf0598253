//! Permissions: asked for, listed, withdrawn.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;

use super::{AccountView, CarriedField, ClientView, FormErrors, Href, Layout, Link, Moment};
use crate::texts::Language;

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

/// Asks before everything is withdrawn that any app was allowed.
#[derive(Template)]
#[template(path = "pages/consents_revoke_all.html")]
pub struct RevokeAllPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub carried: Vec<CarriedField>,
    /// By name; empty if nothing is allowed any more.
    pub apps: Vec<AppLosses>,
    /// Whether any of it allows going on while the person is away.
    pub while_away: bool,
    /// Leaves everything as it is.
    pub keep: Href,
    pub errors: FormErrors,
}

/// What one app loses, and the services beneath it where they work for it.
#[derive(Clone, Debug)]
pub struct AppLosses {
    pub client: ClientView,
    pub losses: Vec<Loss>,
}
