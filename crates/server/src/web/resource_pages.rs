//! Pages of the developer portal about an app that is a service: its scopes and its domain
//! names. A module inside of `pages`, so that their templates see what all pages share.

use askama::Template;

use super::developers::Trail;
use super::{FormErrors, Href, Layout};

/// The scopes of an app.
#[derive(Template)]
#[template(path = "pages/scopes.html")]
pub struct ScopesPage {
    pub layout: Layout,
    pub trail: Trail,
    /// The name of the app.
    pub app: String,
    pub scopes: Vec<ScopeRow>,
    /// How many there are.
    pub total: usize,
    /// The text of a search, where there are many.
    pub search: Option<String>,
    /// Where the search asks.
    pub here: Href,
    pub notice: Option<ScopesNotice>,
    pub new_scope: Href,
    pub domains: Href,
}

/// What has just been done. Names are those of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopesNotice {
    Made,
    Changed,
    Deleted,
}

#[derive(Clone, Debug)]
pub struct ScopeRow {
    pub name: String,
    pub description: String,
    /// Every spelling, the canonical one first.
    pub scope_strings: Vec<String>,
    pub advertised: bool,
    pub allows_refresh_token: bool,
    pub required_domains: Vec<String>,
    /// How many scopes of others it needs.
    pub dependencies: usize,
    pub change: Href,
    pub delete: Href,
}

/// Makes a scope or changes one. Posts `suffix`, `name`, `description`, `advertised`,
/// `refresh`, `required_domains`; for each chosen scope `dependency`, and `dependency_optional`
/// and `dependency_refresh` where ticked; `search`; and from its buttons `add` or `remove`
/// with an id, or `do`: `search`, `save`, or `enter` for the key.
#[derive(Template)]
#[template(path = "pages/scope.html")]
pub struct ScopePage {
    pub layout: Layout,
    pub trail: Trail,
    /// The name of the app.
    pub app: String,
    pub action: Href,
    pub form_token: String,
    /// None while it is new.
    pub existing: Option<ExistingScope>,
    /// What stands before the suffix.
    pub prefix: String,
    /// With what was typed as the suffix: all spellings, if it is one.
    pub spellings: Vec<String>,
    pub fields: ScopeFields,
    pub dependencies: Vec<DependencyRow>,
    /// What a search has found.
    pub found: Option<FoundScopes>,
    /// Something was done in the list of dependencies: the page begins there.
    pub at_dependencies: bool,
    /// The list of scopes.
    pub list: Href,
    pub errors: FormErrors,
}

impl ScopePage {
    fn asks_suffix(&self) -> bool {
        self.existing.as_ref().is_none_or(|scope| scope.has_suffix)
    }

    /// A new form begins with its first field.
    fn starts_at_suffix(&self) -> bool {
        self.existing.is_none() && !self.at_dependencies && self.errors.is_empty()
    }
}

#[derive(Clone, Debug)]
pub struct ExistingScope {
    pub name: String,
    /// What the interface knows it by.
    pub id: String,
    /// Built-in ones have names of their own, which stay.
    pub has_suffix: bool,
    pub delete: Href,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct ScopeFields {
    pub suffix: String,
    pub name: String,
    pub description: String,
    pub advertised: bool,
    pub refresh: bool,
    /// One in each line.
    pub required_domains: String,
    pub search: String,
}

/// A scope of another service, as developers know it.
#[derive(Clone, Debug)]
pub struct OtherScope {
    pub id: String,
    pub name: String,
    pub scope_string: String,
    /// Display name of the service.
    pub service: String,
}

/// A scope that was chosen.
#[derive(Clone, Debug)]
pub struct DependencyRow {
    pub scope: OtherScope,
    pub optional: bool,
    pub refresh: bool,
    /// Its owner allows no refresh tokens.
    pub never_refreshes: bool,
}

#[derive(Clone, Debug)]
pub struct FoundScopes {
    pub scopes: Vec<OtherScope>,
    /// More were found than are shown.
    pub more: bool,
    /// Not all names were looked at.
    pub partial: bool,
}

/// Asks before a scope is deleted.
#[derive(Template)]
#[template(path = "pages/scope_delete.html")]
pub struct ScopeDeletionPage {
    pub layout: Layout,
    pub trail: Trail,
    /// The name of the app.
    pub app: String,
    pub action: Href,
    pub form_token: String,
    pub name: String,
    pub scope_string: String,
    /// How many people have allowed it.
    pub people: i64,
    /// How many scopes of others need it.
    pub dependents: i64,
    pub keep: Href,
    pub errors: FormErrors,
}

/// The domain names of an app. Posts `fqdn`.
#[derive(Template)]
#[template(path = "pages/domains.html")]
pub struct DomainsPage {
    pub layout: Layout,
    pub trail: Trail,
    /// The name of the app.
    pub app: String,
    pub action: Href,
    pub form_token: String,
    pub client_id: String,
    /// The oldest first.
    pub domains: Vec<String>,
    /// The name of the service in token answers.
    pub resource_server: String,
    /// What was typed.
    pub fqdn: String,
    /// The name of the record to set: what was typed if it is a name, or else an example.
    pub record_name: String,
    /// What the DNS says about it, if it was asked.
    pub answer: Option<DnsAnswer>,
    /// A name that has just been registered.
    pub added: Option<String>,
    pub errors: FormErrors,
}

/// What the DNS said that was no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// The texts of other records, shortened.
    Others(Vec<String>),
    Nothing,
    Silence,
}
