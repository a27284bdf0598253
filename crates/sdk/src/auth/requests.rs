//! What the calls of the developer interface take: look-ups, and the documents that create
//! or change something. A document names only what it sets; what it does not name stays as it
//! is, and what it clears becomes `null`.

use std::fmt::Display;

use portolan_types::api::{
    Change, ClientChanges, ClientType, DependentScope as WireDependentScope, LinkChanges, PolicyChanges,
    ProjectChanges, ScopeChanges, Visibility,
};
use portolan_types::{ClientId, IdentityId, IdentityProviderId, PolicyId, ProjectId, ScopeId};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

fn joined(values: impl IntoIterator<Item = impl Display>) -> String {
    let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    texts.join(",")
}

fn strings(values: impl IntoIterator<Item = impl Display>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn document(changes: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(changes) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    }
}

/// Which identities are looked up: by id or by username, never both.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::IdentityLookup;
///
/// let people = client
///     .get_identities(IdentityLookup::usernames(["rdoe@example.edu"]).provision(true).include_identity_provider())
///     .await?;
/// for person in &people.identities {
///     println!("{} {}", person.id, person.username);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct IdentityLookup {
    pairs: Vec<(String, String)>,
    by_username: bool,
}

impl IdentityLookup {
    /// By id.
    pub fn ids(ids: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![("ids".to_owned(), joined(ids))],
            by_username: false,
        }
    }

    /// By username.
    pub fn usernames(usernames: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![
                ("usernames".to_owned(), joined(usernames)),
                ("provision".to_owned(), "false".to_owned()),
            ],
            by_username: true,
        }
    }

    /// Whether unknown usernames are made identities, so that they can be given permissions.
    /// Only with usernames.
    pub fn provision(mut self, provision: bool) -> Self {
        if self.by_username {
            self.pairs.retain(|(name, _)| name != "provision");
            self.pairs.push(("provision".to_owned(), provision.to_string()));
        }
        self
    }

    /// Adds the identity providers to the answer.
    pub fn include_identity_provider(self) -> Self {
        self.param("include", "identity_provider")
    }

    /// Adds any other parameter.
    ///
    /// ```
    /// use portolan_sdk::IdentityLookup;
    ///
    /// let lookup = IdentityLookup::usernames(["rdoe@example.edu"]).param("include", "identity_provider");
    /// # let _ = lookup;
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.pairs.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Which identity providers are looked up.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::IdentityProviderLookup;
///
/// for provider in client.get_identity_providers(IdentityProviderLookup::domains(["globusid.org"])).await? {
///     println!("{}", provider.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct IdentityProviderLookup {
    pairs: Vec<(String, String)>,
}

impl IdentityProviderLookup {
    /// By the domains of their usernames.
    pub fn domains(domains: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![("domains".to_owned(), joined(domains))],
        }
    }

    /// By id.
    pub fn ids(ids: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![("ids".to_owned(), joined(ids))],
        }
    }

    /// Adds any other parameter.
    ///
    /// ```
    /// use portolan_sdk::IdentityProviderLookup;
    ///
    /// let lookup = IdentityProviderLookup::domains(["example.edu"]).param("per_page", 10);
    /// # let _ = lookup;
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.pairs.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Which scopes are looked up.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::ScopeLookup;
///
/// let scopes = client.get_scopes(ScopeLookup::scope_strings(["openid", "email"])).await?;
/// println!("{} of them", scopes.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScopeLookup {
    pairs: Vec<(String, String)>,
}

impl ScopeLookup {
    /// Those of the projects that the caller administers.
    pub fn all() -> Self {
        Self::default()
    }

    /// By id.
    pub fn ids(ids: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![("ids".to_owned(), joined(ids))],
        }
    }

    /// By scope string.
    pub fn scope_strings(texts: impl IntoIterator<Item = impl Display>) -> Self {
        Self {
            pairs: vec![("scope_strings".to_owned(), joined(texts))],
        }
    }

    /// Adds any other parameter.
    ///
    /// ```
    /// use portolan_sdk::ScopeLookup;
    ///
    /// let lookup = ScopeLookup::all().param("per_page", 10);
    /// # let _ = lookup;
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.pairs.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Which client is meant.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::ClientSelector;
///
/// let service = client.get_client(ClientSelector::Fqdn("beamline.example.org".to_owned())).await?;
/// println!("{}", service.name);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSelector {
    /// The one with this id.
    Id(ClientId),
    /// The one that has proven to own this domain name.
    Fqdn(String),
}

impl From<ClientId> for ClientSelector {
    fn from(id: ClientId) -> Self {
        Self::Id(id)
    }
}

/// Creates or changes a project.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient, me: portolan_sdk::IdentityId) -> portolan_sdk::Result<()> {
/// use portolan_sdk::ProjectRequest;
///
/// let project = client.create_project(ProjectRequest::new("Beamlines", "b@example.org").admin_ids([me])).await?;
/// client.update_project(project.id, ProjectRequest::changes().display_name("Beamlines 1 to 4")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProjectRequest {
    changes: ProjectChanges,
}

impl ProjectRequest {
    /// What a new project must have.
    pub fn new(display_name: impl Into<String>, contact_email: impl Into<String>) -> Self {
        Self::changes().display_name(display_name).contact_email(contact_email)
    }

    /// Changes nothing yet.
    pub fn changes() -> Self {
        Self::default()
    }

    /// Its name.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.changes.display_name = Change::Set(name.into());
        self
    }

    /// Where to write to.
    pub fn contact_email(mut self, address: impl Into<String>) -> Self {
        self.changes.contact_email = Change::Set(address.into());
        self
    }

    /// The admins, instead of those before.
    pub fn admin_ids(mut self, ids: impl IntoIterator<Item = IdentityId>) -> Self {
        self.changes.admin_ids = Change::Set(strings(ids));
        self
    }

    /// The groups whose members are admins, instead of those before.
    ///
    /// ```
    /// use portolan_sdk::ProjectRequest;
    ///
    /// let group = "3d1b0c52-6ff2-11e8-9cba-0242ac110002".parse().expect("a uuid");
    /// let request = ProjectRequest::new("Beamlines", "b@example.org").admin_group_ids([group]);
    /// # let _ = request;
    /// ```
    pub fn admin_group_ids(mut self, ids: impl IntoIterator<Item = uuid::Uuid>) -> Self {
        self.changes.admin_group_ids = Change::Set(strings(ids));
        self
    }

    pub(crate) fn document(&self) -> Map<String, Value> {
        document(&self.changes)
    }
}

/// Creates or changes a client.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient, project: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
/// use portolan_sdk::ClientRequest;
/// use portolan_sdk::documents::{ClientType, Visibility};
///
/// let request = ClientRequest::new("Data portal", ClientType::Confidential)
///     .project(project)
///     .visibility(Visibility::Public)
///     .redirect_uris(["https://portal.example.org/callback"])
///     .links("https://portal.example.org/terms", "https://portal.example.org/privacy");
/// let portal = client.create_client(request).await?;
/// println!("{}", portal.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientRequest {
    changes: ClientChanges,
    extra: Map<String, Value>,
}

impl ClientRequest {
    /// A new client of this type.
    pub fn new(name: impl Into<String>, client_type: ClientType) -> Self {
        let mut request = Self::changes().name(name);
        request.changes.client_type = Change::Set(client_type);
        request
    }

    /// A new client that says only whether it keeps no secret.
    ///
    /// ```
    /// use portolan_sdk::ClientRequest;
    ///
    /// let request = ClientRequest::with_public_client("Terminal", true);
    /// # let _ = request;
    /// ```
    pub fn with_public_client(name: impl Into<String>, public_client: bool) -> Self {
        let mut request = Self::changes().name(name);
        request.changes.public_client = Change::Set(public_client);
        request
    }

    /// Changes nothing yet.
    pub fn changes() -> Self {
        Self::default()
    }

    /// Its name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.changes.name = Change::Set(name.into());
        self
    }

    /// The project that it belongs to. A child client belongs to that of its parent.
    pub fn project(mut self, project: ProjectId) -> Self {
        self.changes.project = Change::Set(project);
        self
    }

    /// Who may read its record.
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.changes.visibility = Change::Set(visibility);
        self
    }

    /// Where people may be sent back to, instead of those before.
    pub fn redirect_uris(mut self, uris: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.changes.redirect_uris = Change::Set(uris.into_iter().map(Into::into).collect());
        self
    }

    /// Terms and privacy policy, shown on the consent page: both or neither.
    pub fn links(mut self, terms_and_conditions: impl Into<String>, privacy_policy: impl Into<String>) -> Self {
        self.changes.links = Change::Set(LinkChanges {
            terms_and_conditions: Change::Set(terms_and_conditions.into()),
            privacy_policy: Change::Set(privacy_policy.into()),
        });
        self
    }

    /// Takes both links away.
    pub fn without_links(mut self) -> Self {
        self.changes.links = Change::Set(LinkChanges {
            terms_and_conditions: Change::Clear,
            privacy_policy: Change::Clear,
        });
        self
    }

    /// Where people must have an account; `None` lifts it.
    ///
    /// ```
    /// use portolan_sdk::ClientRequest;
    ///
    /// let request = ClientRequest::changes().required_idp(None);
    /// # let _ = request;
    /// ```
    pub fn required_idp(mut self, provider: Option<IdentityProviderId>) -> Self {
        self.changes.required_idp = provider.map_or(Change::Clear, Change::Set);
        self
    }

    /// What the login page offers first; `None` lifts it.
    ///
    /// ```
    /// use portolan_sdk::ClientRequest;
    ///
    /// let campus = "41143743-f3c8-4d60-bbdb-eeecaba85bd9".parse().expect("a uuid");
    /// let request = ClientRequest::changes().preselect_idp(Some(campus));
    /// # let _ = request;
    /// ```
    pub fn preselect_idp(mut self, provider: Option<IdentityProviderId>) -> Self {
        self.changes.preselect_idp = provider.map_or(Change::Clear, Change::Set);
        self
    }

    /// Any other member.
    ///
    /// ```
    /// use portolan_sdk::ClientRequest;
    ///
    /// let request = ClientRequest::changes().additional_field("userinfo_from_effective_identity", false);
    /// # let _ = request;
    /// ```
    pub fn additional_field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    pub(crate) fn has_project(&self) -> bool {
        self.changes.project.value().is_some()
    }

    pub(crate) fn document(&self) -> Map<String, Value> {
        let mut document = document(&self.changes);
        document.extend(self.extra.clone());
        document
    }
}

/// Creates or changes a scope.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient, owner: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
/// use portolan_sdk::{DependentScope, ScopeRequest};
///
/// let groups = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f".parse().expect("a uuid");
/// let request = ScopeRequest::new("Run actions", "All operations of the beamline", "action_all")
///     .dependent_scopes([DependentScope::new(groups).requires_refresh_token(true)])
///     .allows_refresh_token(true)
///     .advertised(false);
/// println!("{}", client.create_scope(owner, request).await?.scope.scope_string);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScopeRequest {
    changes: ScopeChanges,
}

impl ScopeRequest {
    /// What a new scope must have. The suffix is the last part of its scope string.
    pub fn new(name: impl Into<String>, description: impl Into<String>, scope_suffix: impl Into<String>) -> Self {
        Self::changes()
            .name(name)
            .description(description)
            .scope_suffix(scope_suffix)
    }

    /// Changes nothing yet.
    pub fn changes() -> Self {
        Self::default()
    }

    /// Its name on the consent page.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.changes.name = Change::Set(name.into());
        self
    }

    /// What it allows, in words for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.changes.description = Change::Set(description.into());
        self
    }

    /// The last part of its scope string: lower-case letters, digits and underscores.
    ///
    /// ```
    /// use portolan_sdk::ScopeRequest;
    ///
    /// let request = ScopeRequest::changes().scope_suffix("action_all");
    /// # let _ = request;
    /// ```
    pub fn scope_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.changes.scope_suffix = Change::Set(suffix.into());
        self
    }

    /// The domains of which the person must have an identity, instead of those before.
    ///
    /// ```
    /// use portolan_sdk::ScopeRequest;
    ///
    /// let request = ScopeRequest::changes().required_domains(["example.edu"]);
    /// # let _ = request;
    /// ```
    pub fn required_domains(mut self, domains: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.changes.required_domains = Change::Set(domains.into_iter().map(Into::into).collect());
        self
    }

    /// What the service needs of others, instead of what it needed before.
    pub fn dependent_scopes(mut self, scopes: impl IntoIterator<Item = DependentScope>) -> Self {
        let scopes = scopes.into_iter().map(|scope| scope.0);
        self.changes.dependent_scopes = Change::Set(scopes.collect());
        self
    }

    /// Whether everybody sees it, however visible the client is.
    pub fn advertised(mut self, advertised: bool) -> Self {
        self.changes.advertised = Change::Set(advertised);
        self
    }

    /// Whether refresh tokens may be issued for it.
    pub fn allows_refresh_token(mut self, allows: bool) -> Self {
        self.changes.allows_refresh_token = Change::Set(allows);
        self
    }

    pub(crate) fn document(&self) -> Map<String, Value> {
        document(&self.changes)
    }
}

/// A scope that a service needs of another one.
///
/// ```
/// use portolan_sdk::DependentScope;
///
/// let groups = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f".parse()?;
/// let dependent = DependentScope::new(groups).optional(true);
/// assert_eq!(dependent.scope(), groups);
/// assert!(dependent.is_optional() && !dependent.needs_refresh_token());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DependentScope(WireDependentScope);

impl DependentScope {
    /// Required, without a refresh token.
    pub fn new(scope: ScopeId) -> Self {
        Self(WireDependentScope {
            scope,
            optional: false,
            requires_refresh_token: false,
        })
    }

    /// Whether the person may decline it alone.
    pub fn optional(mut self, optional: bool) -> Self {
        self.0.optional = optional;
        self
    }

    /// Whether the service will need a refresh token.
    pub fn requires_refresh_token(mut self, requires: bool) -> Self {
        self.0.requires_refresh_token = requires;
        self
    }

    /// The scope.
    pub fn scope(self) -> ScopeId {
        self.0.scope
    }

    /// Whether the person may decline it alone.
    pub fn is_optional(self) -> bool {
        self.0.optional
    }

    /// Whether the service will need a refresh token.
    pub fn needs_refresh_token(self) -> bool {
        self.0.requires_refresh_token
    }
}

/// Creates or changes an authentication policy.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient, project: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
/// use portolan_sdk::PolicyRequest;
///
/// let request = PolicyRequest::new(project, "Campus only", "Campus identities, recent login")
///     .high_assurance(true)
///     .authentication_assurance_timeout(1800)
///     .domain_constraints_include(Some(["example.edu"]));
/// let policy = client.create_policy(request).await?;
/// client.update_policy(policy.id, PolicyRequest::changes().domain_constraints_include(None::<[&str; 0]>)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PolicyRequest {
    changes: PolicyChanges,
}

impl PolicyRequest {
    /// What a new policy must have.
    pub fn new(project: ProjectId, display_name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::changes()
            .project_id(project)
            .display_name(display_name)
            .description(description)
    }

    /// Changes nothing yet.
    pub fn changes() -> Self {
        Self::default()
    }

    /// The project that it belongs to.
    ///
    /// ```
    /// use portolan_sdk::PolicyRequest;
    ///
    /// let project = "7c3d5a5e-0b0a-4a8e-9a3f-1f2e3d4c5b6a".parse().expect("a uuid");
    /// let request = PolicyRequest::changes().project_id(project);
    /// # let _ = request;
    /// ```
    pub fn project_id(mut self, project: ProjectId) -> Self {
        self.changes.project_id = Change::Set(project);
        self
    }

    /// Its name.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.changes.display_name = Change::Set(name.into());
        self
    }

    /// What it demands, in words for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.changes.description = Change::Set(description.into());
        self
    }

    /// Whether the session counts instead of the identities; never changes afterwards.
    pub fn high_assurance(mut self, high_assurance: bool) -> Self {
        self.changes.high_assurance = Change::Set(high_assurance);
        self
    }

    /// How many seconds ago the login may be.
    pub fn authentication_assurance_timeout(mut self, seconds: i64) -> Self {
        self.changes.authentication_assurance_timeout = Change::Set(seconds);
        self
    }

    /// Whether a second factor is demanded; only with high assurance.
    ///
    /// ```
    /// use portolan_sdk::PolicyRequest;
    ///
    /// let request = PolicyRequest::changes().required_mfa(true);
    /// # let _ = request;
    /// ```
    pub fn required_mfa(mut self, required: bool) -> Self {
        self.changes.required_mfa = Change::Set(required);
        self
    }

    /// The domains of which an identity must be; `None` lifts the restriction.
    pub fn domain_constraints_include(mut self, domains: Option<impl IntoIterator<Item = impl Into<String>>>) -> Self {
        self.changes.domain_constraints_include = constraint(domains);
        self
    }

    /// The domains whose identities do not count; `None` lifts the restriction.
    ///
    /// ```
    /// use portolan_sdk::PolicyRequest;
    ///
    /// let request = PolicyRequest::changes().domain_constraints_exclude(Some(["guests.example.edu"]));
    /// # let _ = request;
    /// ```
    pub fn domain_constraints_exclude(mut self, domains: Option<impl IntoIterator<Item = impl Into<String>>>) -> Self {
        self.changes.domain_constraints_exclude = constraint(domains);
        self
    }

    pub(crate) fn document(&self) -> Map<String, Value> {
        document(&self.changes)
    }
}

fn constraint(domains: Option<impl IntoIterator<Item = impl Into<String>>>) -> Change<Vec<String>> {
    domains.map_or(Change::Clear, |domains| {
        Change::Set(domains.into_iter().map(Into::into).collect())
    })
}

/// The id of a policy, as a path.
pub(crate) fn policy_path(id: PolicyId) -> String {
    format!("v2/api/policies/{id}")
}

/// A child client belongs to the project of its parent.
pub(crate) fn check_child(request: &ClientRequest) -> Result<()> {
    if request.has_project() {
        return Err(Error::usage("a child client belongs to the project of its parent"));
    }
    Ok(())
}
