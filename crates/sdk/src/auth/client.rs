//! `AuthClient`: everything that is asked with a token.

use std::ops::Deref;
use std::sync::Arc;

use portolan_types::api::{Client, Consent, Credential, IdentitiesAnswer, IdentityProvider, Policy, Project, Scope};
use portolan_types::oauth::UserInfo;
use portolan_types::{ClientId, ConsentId, CredentialId, IdentityId, PolicyId, ProjectId, ScopeId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use super::documents::{Jwks, NewScope, OpenIdConfiguration};
use super::options::ClientOptions;
use super::requests::{
    ClientRequest, ClientSelector, IdentityLookup, IdentityProviderLookup, PolicyRequest, ProjectRequest, ScopeLookup,
    ScopeRequest, policy_path,
};
use crate::authorizer::{Authorizer, NullAuthorizer};
use crate::consents::{ConsentForest, MissingParent};
use crate::error::{Error, Result};
use crate::response::Response;
use crate::transport::{Request, Service, Streamed, TransportConfig};

/// Asks Auth for people, projects, clients, scopes, policies and consents. Clones share
/// their connections.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AccessTokenAuthorizer, AuthClient};
///
/// let client = AuthClient::new(AccessTokenAuthorizer::new("Ag8mQ"))?;
/// let person = client.userinfo().await?;
/// println!("{} {:?}", person.sub, person.preferred_username);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AuthClient {
    pub(crate) service: Service,
}

impl AuthClient {
    /// The name under which tokens for Auth are found, wherever it runs.
    pub const RESOURCE_SERVER: &'static str = "auth.globus.org";
    /// What an app asks for that looks people up.
    pub const DEFAULT_SCOPES: [&'static str; 3] = ["openid", "profile", "email"];

    /// Asks the Auth that the environment variables name, by default Globus itself.
    pub fn new(authorizer: impl Authorizer + 'static) -> Result<Self> {
        Self::with_options(authorizer, ClientOptions::new()?)
    }

    /// Asks as the options say.
    ///
    /// ```
    /// use portolan_sdk::{AccessTokenAuthorizer, AuthClient, ClientOptions};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let options = ClientOptions::new()?.base_url("http://localhost:8080");
    /// let client = AuthClient::with_options(AccessTokenAuthorizer::new("Ag8mQ"), options)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_options(authorizer: impl Authorizer + 'static, options: ClientOptions) -> Result<Self> {
        Ok(Self {
            service: options.service(Arc::new(authorizer))?,
        })
    }

    /// Asks without saying who asks: discovery and keys need no more.
    ///
    /// ```no_run
    /// # async fn run() -> portolan_sdk::Result<()> {
    /// println!("{}", portolan_sdk::AuthClient::anonymous()?.get_openid_configuration().await?.issuer);
    /// # Ok(())
    /// # }
    /// ```
    pub fn anonymous() -> Result<Self> {
        Self::new(NullAuthorizer)
    }

    /// The same client with another authorizer.
    ///
    /// ```
    /// use portolan_sdk::{AccessTokenAuthorizer, AuthClient};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let robin = AuthClient::anonymous()?.with_authorizer(AccessTokenAuthorizer::new("Ag8mQ"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_authorizer(&self, authorizer: impl Authorizer + 'static) -> Self {
        let mut client = self.clone();
        client.service.authorizer = Arc::new(authorizer);
        client
    }

    /// The same client with other settings for sending, for some calls.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use std::time::Duration;
    /// use portolan_sdk::RetryPolicy;
    ///
    /// let hasty = client.tuned(|config| {
    ///     config.timeout = Some(Duration::from_secs(1));
    ///     config.retry = RetryPolicy::never();
    /// });
    /// hasty.userinfo().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tuned(&self, change: impl FnOnce(&mut TransportConfig)) -> Self {
        let mut client = self.clone();
        client.service.transport = self.service.transport.tuned(change);
        client
    }

    /// Where Auth is, with a slash at the end.
    pub fn base_url(&self) -> &str {
        self.service.base_url.as_str()
    }

    /// Sends any request.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::Request;
    ///
    /// let answer = client.send(Request::get("p/whoami").query("include", "identity_provider")).await?;
    /// println!("{}", answer["identities"][0]["username"]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.service.send(request).await
    }

    /// Sends a request and leaves the body to the caller, piece by piece. It is not sent again.
    pub async fn stream(&self, request: Request) -> Result<Streamed> {
        self.service.stream(request).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str, member: &str) -> Result<Response<Vec<T>>> {
        self.send(Request::get(path)).await?.into_member(member)
    }

    async fn get<T: DeserializeOwned>(&self, path: String, member: &str) -> Result<Response<T>> {
        self.send(Request::get(path)).await?.into_member(member)
    }

    async fn write<T: DeserializeOwned>(
        &self,
        request: Request,
        member: &str,
        document: Map<String, Value>,
    ) -> Result<Response<T>> {
        let body = Value::Object(Map::from_iter([(member.to_owned(), Value::Object(document))]));
        self.send(request.json(body)).await?.into_member(member)
    }

    async fn delete<T: DeserializeOwned>(&self, path: String, member: &str) -> Result<Response<T>> {
        self.send(Request::delete(path)).await?.into_member(member)
    }

    /// What the service says about itself.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_openid_configuration().await?.issuer);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_openid_configuration(&self) -> Result<Response<OpenIdConfiguration>> {
        get_openid_configuration(&self.service).await
    }

    /// The keys of the service, found through its configuration.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_jwk().await?.keys.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_jwk(&self) -> Result<Response<Jwks>> {
        get_jwk(&self.service).await
    }

    /// Who the token belongs to.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// let person = client.userinfo().await?;
    /// for identity in person.identity_set.iter().flatten() {
    ///     println!("{}", identity.username);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn userinfo(&self) -> Result<Response<UserInfo>> {
        self.service
            .fetch(Request::get("v2/oauth2/userinfo"))
            .await?
            .into_document()
    }

    /// Looks identities up; unknown ones are left out.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::IdentityLookup;
    ///
    /// let ids = ["9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"];
    /// for person in &client.get_identities(IdentityLookup::ids(ids)).await?.identities {
    ///     println!("{}", person.username);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_identities(&self, lookup: IdentityLookup) -> Result<Response<IdentitiesAnswer>> {
        get_identities(&self.service, lookup).await
    }

    /// Looks identity providers up; unknown ones are left out.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::IdentityProviderLookup;
    ///
    /// let providers = client.get_identity_providers(IdentityProviderLookup::domains(["example.edu"])).await?;
    /// println!("{} of them", providers.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_identity_providers(
        &self,
        lookup: IdentityProviderLookup,
    ) -> Result<Response<Vec<IdentityProvider>>> {
        let request = Request::get("v2/api/identity_providers").queries(lookup.into_pairs());
        self.send(request).await?.into_member("identity_providers")
    }

    /// One project.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_project(id).await?.display_name);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_project(&self, id: ProjectId) -> Result<Response<Project>> {
        self.get(format!("v2/api/projects/{id}"), "project").await
    }

    /// The projects that the person administers.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// for project in client.get_projects().await? {
    ///     println!("{}", project.display_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_projects(&self) -> Result<Response<Vec<Project>>> {
        self.list("v2/api/projects", "projects").await
    }

    /// Makes a project.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ProjectRequest;
    ///
    /// let me = client.userinfo().await?.sub.into();
    /// client.create_project(ProjectRequest::new("Beamlines", "b@example.org").admin_ids([me])).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_project(&self, project: ProjectRequest) -> Result<Response<Project>> {
        self.write(Request::post("v2/api/projects"), "project", project.document())
            .await
    }

    /// Changes a project.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ProjectRequest;
    ///
    /// client.update_project(id, ProjectRequest::changes().contact_email("new@example.org")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_project(&self, id: ProjectId, changes: ProjectRequest) -> Result<Response<Project>> {
        let request = Request::put(format!("v2/api/projects/{id}"));
        self.write(request, "project", changes.document()).await
    }

    /// Deletes a project, which must be empty.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
    /// client.delete_project(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_project(&self, id: ProjectId) -> Result<Response<Project>> {
        self.delete(format!("v2/api/projects/{id}"), "project").await
    }

    /// One policy.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::PolicyId) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_policy(id).await?.description);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_policy(&self, id: PolicyId) -> Result<Response<Policy>> {
        self.get(policy_path(id), "policy").await
    }

    /// The policies of the projects that the person administers.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// println!("{} policies", client.get_policies().await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_policies(&self) -> Result<Response<Vec<Policy>>> {
        self.list("v2/api/policies", "policies").await
    }

    /// Makes a policy.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::PolicyRequest;
    ///
    /// client.create_policy(PolicyRequest::new(id, "Campus", "Campus only")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_policy(&self, policy: PolicyRequest) -> Result<Response<Policy>> {
        self.write(Request::post("v2/api/policies"), "policy", policy.document())
            .await
    }

    /// Changes a policy.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::PolicyId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::PolicyRequest;
    ///
    /// client.update_policy(id, PolicyRequest::changes().display_name("Campus and friends")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_policy(&self, id: PolicyId, changes: PolicyRequest) -> Result<Response<Policy>> {
        self.write(Request::put(policy_path(id)), "policy", changes.document())
            .await
    }

    /// Deletes a policy.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::PolicyId) -> portolan_sdk::Result<()> {
    /// client.delete_policy(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_policy(&self, id: PolicyId) -> Result<Response<Policy>> {
        self.delete(policy_path(id), "policy").await
    }

    /// One client, by id or by domain name.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_client(id).await?.name);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_client(&self, selector: impl Into<ClientSelector>) -> Result<Response<Client>> {
        let request = match selector.into() {
            ClientSelector::Id(id) => Request::get(format!("v2/api/clients/{id}")),
            ClientSelector::Fqdn(name) => Request::get("v2/api/clients").query("fqdn", name),
        };
        self.send(request).await?.into_member("client")
    }

    /// The clients of the projects that the person administers.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// println!("{} clients", client.get_clients().await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_clients(&self) -> Result<Response<Vec<Client>>> {
        self.list("v2/api/clients", "clients").await
    }

    /// Makes a client in a project.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ProjectId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ClientRequest;
    /// use portolan_sdk::documents::ClientType;
    ///
    /// client.create_client(ClientRequest::new("Night job", ClientType::ClientIdentity).project(id)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_client(&self, client: ClientRequest) -> Result<Response<Client>> {
        if !client.has_project() {
            return Err(Error::usage("a client needs a project"));
        }
        self.write(Request::post("v2/api/clients"), "client", client.document())
            .await
    }

    /// Changes a client.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ClientRequest;
    ///
    /// client.update_client(id, ClientRequest::changes().name("Portal 2").without_links()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_client(&self, id: ClientId, changes: ClientRequest) -> Result<Response<Client>> {
        let request = Request::put(format!("v2/api/clients/{id}"));
        self.write(request, "client", changes.document()).await
    }

    /// Deletes a client, with its consents, tokens and scopes.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// client.delete_client(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_client(&self, id: ClientId) -> Result<Response<Client>> {
        self.delete(format!("v2/api/clients/{id}"), "client").await
    }

    /// The credentials of a client, without their secrets.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// for credential in client.get_client_credentials(id).await? {
    ///     println!("{} {}", credential.name, credential.created);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_client_credentials(&self, client: ClientId) -> Result<Response<Vec<Credential>>> {
        let path = format!("v2/api/clients/{client}/credentials");
        self.list(&path, "credentials").await
    }

    /// Makes a credential. Its secret is in this answer and in no other.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// let credential = client.create_client_credential(id, "deployment").await?;
    /// let secret = credential.secret.as_ref().map(|secret| secret.expose().to_owned());
    /// # let _ = secret;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_client_credential(&self, client: ClientId, name: &str) -> Result<Response<Credential>> {
        let request = Request::post(format!("v2/api/clients/{client}/credentials"));
        let document = json!({"credential": {"name": name}});
        self.send(request.json(document)).await?.into_member("credential")
    }

    /// Deletes a credential.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// let credentials = client.get_client_credentials(id).await?;
    /// client.delete_client_credential(id, credentials[0].id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_client_credential(
        &self,
        client: ClientId,
        credential: CredentialId,
    ) -> Result<Response<Credential>> {
        let path = format!("v2/api/clients/{client}/credentials/{credential}");
        self.delete(path, "credential").await
    }

    /// One scope.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ScopeId) -> portolan_sdk::Result<()> {
    /// println!("{}", client.get_scope(id).await?.scope_string);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_scope(&self, id: ScopeId) -> Result<Response<Scope>> {
        self.get(format!("v2/api/scopes/{id}"), "scope").await
    }

    /// Looks scopes up; unknown ones are left out.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ScopeLookup;
    ///
    /// println!("{} scopes of our own", client.get_scopes(ScopeLookup::all()).await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_scopes(&self, lookup: ScopeLookup) -> Result<Response<Vec<Scope>>> {
        let request = Request::get("v2/api/scopes").queries(lookup.into_pairs());
        self.send(request).await?.into_member("scopes")
    }

    /// Makes a scope of a client.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ScopeRequest;
    ///
    /// let made = client.create_scope(id, ScopeRequest::new("Read", "Reads data", "read")).await?;
    /// println!("{}", made.scope.scope_string);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_scope(&self, client: ClientId, scope: ScopeRequest) -> Result<Response<NewScope>> {
        let request = Request::post(format!("v2/api/clients/{client}/scopes"));
        let document = Value::Object(scope.document());
        let response = self.send(request.json(json!({"scope": document}))).await?;
        response.try_map(new_scope)
    }

    /// Changes a scope.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ScopeId) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ScopeRequest;
    ///
    /// client.update_scope(id, ScopeRequest::changes().advertised(true)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_scope(&self, id: ScopeId, changes: ScopeRequest) -> Result<Response<Scope>> {
        let request = Request::put(format!("v2/api/scopes/{id}"));
        self.write(request, "scope", changes.document()).await
    }

    /// Deletes a scope, with its consents.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ScopeId) -> portolan_sdk::Result<()> {
    /// client.delete_scope(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_scope(&self, id: ScopeId) -> Result<Response<Scope>> {
        self.delete(format!("v2/api/scopes/{id}"), "scope").await
    }

    /// What a person consented to for the app whose token this is, or with `all` for every
    /// app. Without an identity it is the person whose token this is.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// let consents = client.get_consents(None, true).await?;
    /// for tree in consents.to_forest()?.trees() {
    ///     println!("{tree}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_consents(&self, identity: impl Into<Option<IdentityId>>, all: bool) -> Result<Response<Consents>> {
        let identity = match identity.into() {
            Some(identity) => identity,
            None => self.userinfo().await?.sub.into(),
        };
        let path = format!("v2/api/identities/{identity}/consents");
        let response = self.send(Request::get(path).query("all", all)).await?;
        response.try_map(|document| {
            let listed = document.get("consents").cloned().unwrap_or_default();
            let consents = serde_json::from_value(listed).map_err(|error| error.to_string())?;
            Ok(Consents(consents))
        })
    }

    /// Takes a consent of a person back; what rests on it ends at once. An optional branch
    /// goes alone, anything else takes its whole tree with it. Portolan has this, for a token
    /// with the scope `urn:globus:auth:scope:auth.globus.org:manage_consents`; Globus does not.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// for consent in client.get_consents(None, true).await?.iter() {
    ///     if consent.dependency_path.len() == 1 {
    ///         client.revoke_consent(consent.effective_identity, consent.id).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_consent(&self, identity: IdentityId, consent: ConsentId) -> Result<Response<Consent>> {
        self.delete(format!("v2/api/identities/{identity}/consents/{consent}"), "consent")
            .await
    }
}

/// The consents of an answer.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// let consents = client.get_consents(None, false).await?;
/// for consent in consents.iter() {
///     println!("{}", consent.scope_name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Consents(Vec<Consent>);

impl Consents {
    /// The trees that they are. A list in which a parent is missing cannot be read.
    pub fn to_forest(&self) -> Result<ConsentForest> {
        ConsentForest::new(self.0.clone()).map_err(|missing: MissingParent| Error::Decode {
            call: "GET consents".to_owned(),
            reason: missing.to_string(),
        })
    }
}

impl Deref for Consents {
    type Target = [Consent];

    fn deref(&self) -> &[Consent] {
        &self.0
    }
}

/// The record stands under `scope`, a list of spellings under `scopes`, or both.
fn new_scope(document: &Value) -> Result<NewScope, String> {
    let read = |value: &Value| serde_json::from_value::<Scope>(value.clone()).map_err(|error| error.to_string());
    let listed = document.get("scopes").and_then(Value::as_array);
    let scopes: Vec<Scope> = listed.into_iter().flatten().map(read).collect::<Result<_, _>>()?;
    let scope = match (document.get("scope"), scopes.first()) {
        (Some(scope), _) => read(scope)?,
        (None, Some(first)) => first.clone(),
        (None, None) => return Err("it has no scope".to_owned()),
    };
    let scopes = if scopes.is_empty() { vec![scope.clone()] } else { scopes };
    Ok(NewScope { scope, scopes })
}

pub(crate) async fn get_openid_configuration(service: &Service) -> Result<Response<OpenIdConfiguration>> {
    let request = Request::get(".well-known/openid-configuration").without_authorization();
    service.fetch(request).await?.into_document()
}

pub(crate) async fn get_jwk(service: &Service) -> Result<Response<Jwks>> {
    let configuration = get_openid_configuration(service).await?;
    get_jwk_at(service, &configuration.jwks_uri).await
}

pub(crate) async fn get_jwk_at(service: &Service, uri: &str) -> Result<Response<Jwks>> {
    // A relative address would be taken for a path of the interface.
    Url::parse(uri).map_err(|_| Error::usage(format!("the address of the keys cannot be read: {uri:?}")))?;
    service
        .fetch(Request::get(uri).without_authorization())
        .await?
        .into_document()
}

pub(crate) async fn get_identities(service: &Service, lookup: IdentityLookup) -> Result<Response<IdentitiesAnswer>> {
    let request = Request::get("v2/api/identities").queries(lookup.into_pairs());
    service.fetch(request).await?.into_document()
}
