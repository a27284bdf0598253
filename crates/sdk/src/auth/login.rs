//! The clients that log people in and get tokens: with a secret, and without one.

use std::ops::Deref;
use std::sync::Arc;

use portolan_types::api::{Client, Credential, IdentitiesAnswer};
use portolan_types::oauth::Activity;
use portolan_types::{ClientId, PolicyId, Secret};
use serde_json::{Value, json};

use super::client::{get_identities, get_jwk, get_openid_configuration};
use super::documents::{Introspection, Jwks, NewClient, OpenIdConfiguration};
use super::options::ClientOptions;
use super::requests::{ClientRequest, IdentityLookup, check_child};
use crate::authorizer::{Authorizer, BasicAuthorizer, NullAuthorizer};
use crate::error::{Error, Result};
use crate::flow::{Flow, FlowOptions};
use crate::response::{GrantKind, Response, TokenResponse, Unread};
use crate::scopes::{self, ScopeList};
use crate::transport::{Request, Service, Streamed, TransportConfig};

/// What the clients with and without a secret have in common. It is made from either of
/// them, and both dereference to it.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AuthLoginClient, NativeAppAuthClient};
///
/// async fn renew(client: &AuthLoginClient, refresh_token: &str) -> portolan_sdk::Result<i64> {
///     let response = client.refresh_token(refresh_token).await?;
///     Ok(response.tokens().next().map_or(0, |token| token.expires_at_seconds))
/// }
///
/// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
/// renew(&app, "Ag2yX").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AuthLoginClient {
    pub(crate) service: Service,
    client_id: String,
    has_secret: bool,
}

impl AuthLoginClient {
    fn new(
        client_id: String,
        authorizer: Arc<dyn Authorizer>,
        has_secret: bool,
        options: ClientOptions,
    ) -> Result<Self> {
        if client_id.is_empty() {
            return Err(Error::usage("a client needs an id"));
        }
        Ok(Self {
            service: options.service(authorizer)?,
            client_id,
            has_secret,
        })
    }

    /// The id of the client.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether it proves who it is.
    ///
    /// ```
    /// use portolan_sdk::{ConfidentialAppAuthClient, NativeAppAuthClient};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// assert!(!NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?.has_secret());
    /// assert!(ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?.has_secret());
    /// # Ok(())
    /// # }
    /// ```
    pub fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// Where Auth is, with a slash at the end.
    pub fn base_url(&self) -> &str {
        self.service.base_url.as_str()
    }

    pub(crate) fn now(&self) -> i64 {
        self.service.transport.now()
    }

    /// Sends any request.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.service.send(request).await
    }

    /// Sends a request and leaves the body to the caller, piece by piece.
    pub async fn stream(&self, request: Request) -> Result<Streamed> {
        self.service.stream(request).await
    }

    /// What the service says about itself.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// println!("{:?}", app.get_openid_configuration().await?.token_endpoint);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_openid_configuration(&self) -> Result<Response<OpenIdConfiguration>> {
        get_openid_configuration(&self.service).await
    }

    /// The keys of the service.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// println!("{} keys", app.get_jwk().await?.keys.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_jwk(&self) -> Result<Response<Jwks>> {
        get_jwk(&self.service).await
    }

    /// The fields of a form, with the id of the client where it has no secret.
    fn form(&self, fields: &[(&str, &str)]) -> Request {
        let own = [("client_id", self.client_id.as_str())];
        let own: &[(&str, &str)] = if self.has_secret { &[] } else { &own };
        let fields = own.iter().chain(fields);
        Request::post("").form(fields.map(|(name, value)| (*name, *value)))
    }

    async fn post<'a>(&self, path: &str, fields: &[(&'a str, &'a str)]) -> Result<Response<Unread>> {
        let form = self.form(fields);
        self.service.fetch(form.at(path)).await
    }

    pub(crate) async fn grant(&self, kind: GrantKind, fields: &[(&str, &str)]) -> Result<TokenResponse> {
        let response = self.post("v2/oauth2/token", fields).await?.into_value();
        TokenResponse::read(kind, response, self.now())
    }

    /// Fetches tokens with any form: for what has no method of its own.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// let response = app.token(&[("grant_type", "client_credentials"), ("scope", "openid")]).await?;
    /// println!("{} tokens", response.tokens().count());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn token(&self, form: &[(&str, &str)]) -> Result<TokenResponse> {
        let response = self.post("v2/oauth2/token", form).await?.into_value();
        let kind = match &*response {
            Value::Array(_) => GrantKind::DependentToken,
            _ => GrantKind::Other,
        };
        TokenResponse::read(kind, response, self.now())
    }

    /// Renews tokens. Public clients may get another refresh token than the one they sent,
    /// which is the one to keep.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// for token in app.refresh_token("Ag2yX").await?.tokens() {
    ///     println!("{} until {}", token.resource_server, token.expires_at_seconds);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh_token(&self, refresh_token: &str) -> Result<TokenResponse> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.grant(GrantKind::RefreshToken, &fields).await
    }

    /// Ends a token. Unknown ones are ended already.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// app.revoke_token("Ag2yX").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_token(&self, token: &str) -> Result<Response<Activity>> {
        let response = self.post("v2/oauth2/token/revoke", &[("token", token)]).await?;
        response.into_document()
    }

    /// Whether an access or refresh token of this client is active.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// if !app.validate_token("Ag2yX").await?.active {
    ///     println!("log in again");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn validate_token(&self, token: &str) -> Result<Response<Activity>> {
        let response = self.post("v2/oauth2/token/validate", &[("token", token)]).await?;
        response.into_document()
    }

    fn tune(&self, change: impl FnOnce(&mut TransportConfig)) -> Self {
        let mut client = self.clone();
        client.service.transport = self.service.transport.tuned(change);
        client
    }

    async fn create(&self, request: Request, document: Value) -> Result<Response<NewClient>> {
        let response = self.send(request.json(json!({"client": document}))).await?;
        response.try_map(|document| {
            let client: Client = match document.get("client") {
                Some(client) => serde_json::from_value(client.clone()).map_err(|error| error.to_string())?,
                None => return Err("it has no client".to_owned()),
            };
            let included = document.pointer("/included/client_credential").cloned();
            let credential: Option<Credential> = match included {
                Some(credential) => serde_json::from_value(credential).map_err(|error| error.to_string())?,
                None => None,
            };
            Ok(NewClient { client, credential })
        })
    }
}

impl From<&AuthLoginClient> for AuthLoginClient {
    fn from(client: &AuthLoginClient) -> Self {
        client.clone()
    }
}

/// An app that cannot keep a secret: on a laptop, in a terminal, on a phone.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{FlowOptions, NativeAppAuthClient};
///
/// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
/// let flow = app.start_flow(FlowOptions::new("openid profile email")?.refresh_tokens(true))?;
/// println!("Go to {} and log in. Then enter the code:", flow.authorize_url());
/// let mut code = String::new();
/// std::io::stdin().read_line(&mut code).expect("a line");
/// let response = flow.exchange_code(code.trim()).await?;
/// println!("{:?}", response.by_resource_server().keys());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NativeAppAuthClient(AuthLoginClient);

impl NativeAppAuthClient {
    /// Asks the Auth that the environment variables name, by default Globus itself.
    pub fn new(client_id: impl Into<String>) -> Result<Self> {
        Self::with_options(client_id, ClientOptions::new()?)
    }

    /// Asks as the options say.
    pub fn with_options(client_id: impl Into<String>, options: ClientOptions) -> Result<Self> {
        let client = AuthLoginClient::new(client_id.into(), Arc::new(NullAuthorizer), false, options)?;
        Ok(Self(client))
    }

    /// The same client with other settings for sending, for some calls.
    #[must_use]
    pub fn tuned(&self, change: impl FnOnce(&mut TransportConfig)) -> Self {
        Self(self.0.tune(change))
    }

    /// Begins a login. Without a redirect URI the person is shown a code to copy.
    ///
    /// ```no_run
    /// # fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::FlowOptions;
    ///
    /// let flow = app.start_flow(FlowOptions::new("openid")?.prefill_named_grant("Robin's laptop"))?;
    /// println!("{}", flow.authorize_url());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_flow(&self, options: FlowOptions) -> Result<Flow> {
        let display_page = format!("{}v2/web/auth-code", self.base_url());
        Flow::new(self.0.clone(), options.or_redirect_uri(display_page).with_pkce())
    }

    /// Registers this installation as a client of its own, with a secret of its own. Only
    /// clients that are templates allow it.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// let template = "95fdeba8-fac2-42bd-a357-e068d82ff78e".parse().expect("a uuid");
    /// let made = app.create_native_app_instance(template, "Robin's laptop").await?;
    /// println!("{}", made.client.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_native_app_instance(&self, template: ClientId, name: &str) -> Result<Response<NewClient>> {
        let request = Request::post("v2/api/clients").without_authorization();
        self.create(request, json!({"template_id": template, "name": name}))
            .await
    }
}

impl Deref for NativeAppAuthClient {
    type Target = AuthLoginClient;

    fn deref(&self) -> &AuthLoginClient {
        &self.0
    }
}

impl From<NativeAppAuthClient> for AuthLoginClient {
    fn from(client: NativeAppAuthClient) -> Self {
        client.0
    }
}

impl From<&NativeAppAuthClient> for AuthLoginClient {
    fn from(client: &NativeAppAuthClient) -> Self {
        client.0.clone()
    }
}

/// An app on a server, a service account or a service: it keeps a secret.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::ConfidentialAppAuthClient;
/// use portolan_sdk::scopes::TransferScopes;
///
/// let app = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
/// let response = app.client_credentials_tokens(TransferScopes::ALL).await?;
/// let token = &response.by_resource_server()[TransferScopes::RESOURCE_SERVER];
/// println!("until {}", token.expires_at_seconds);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConfidentialAppAuthClient(AuthLoginClient);

impl ConfidentialAppAuthClient {
    /// Asks the Auth that the environment variables name, by default Globus itself.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Result<Self> {
        Self::with_options(client_id, client_secret, ClientOptions::new()?)
    }

    /// Asks as the options say.
    pub fn with_options(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        options: ClientOptions,
    ) -> Result<Self> {
        let client_id = client_id.into();
        let authorizer = BasicAuthorizer::of(client_id.clone(), Secret::new(client_secret));
        let client = AuthLoginClient::new(client_id, Arc::new(authorizer), true, options)?;
        Ok(Self(client))
    }

    /// The same client with other settings for sending, for some calls.
    #[must_use]
    pub fn tuned(&self, change: impl FnOnce(&mut TransportConfig)) -> Self {
        Self(self.0.tune(change))
    }

    /// Tokens with which the client acts as itself.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// let response = app.client_credentials_tokens(["openid", "profile"]).await?;
    /// println!("{:?}", response.by_resource_server().keys());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn client_credentials_tokens(&self, scopes: impl ScopeList) -> Result<TokenResponse> {
        let scope = scopes::join(scopes)?;
        let fields = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
        self.grant(GrantKind::ClientCredentials, &fields).await
    }

    /// Begins a login that ends at `redirect_uri`, which must be registered.
    ///
    /// ```no_run
    /// # fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::FlowOptions;
    ///
    /// let flow = app.start_flow("https://portal.example.org/callback", FlowOptions::new("openid email")?)?;
    /// println!("send the browser to {} and keep the flow until it comes back", flow.authorize_url());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_flow(&self, redirect_uri: impl Into<String>, options: FlowOptions) -> Result<Flow> {
        Flow::new(self.0.clone(), options.redirect_uri(redirect_uri))
    }

    /// Tokens for the services that this one needs, for the person whose token it was given.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::DependentTokenRequest;
    ///
    /// let response = app.dependent_tokens(DependentTokenRequest::new("Ag8mQ").refresh_tokens(true)).await?;
    /// if let Some(groups) = response.by_resource_server().get("groups.api.globus.org") {
    ///     println!("{}", groups.scope);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dependent_tokens(&self, request: DependentTokenRequest) -> Result<TokenResponse> {
        let mut fields = vec![
            ("grant_type", "urn:globus:auth:grant_type:dependent_token"),
            ("token", request.token.expose()),
        ];
        if request.refresh_tokens {
            fields.push(("access_type", "offline"));
        }
        if let Some(scope) = &request.scope {
            fields.push(("scope", scope));
        }
        fields.extend(
            request
                .params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        self.grant(GrantKind::DependentToken, &fields).await
    }

    /// What a token is worth to this client.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// println!("{}", app.introspect("Ag8mQ").await?.active);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn introspect(&self, request: impl Into<IntrospectionRequest>) -> Result<Response<Introspection>> {
        let request = request.into();
        let include = request.include.join(",");
        let mut fields = vec![("token", request.token.expose())];
        if !include.is_empty() {
            fields.push(("include", &include));
        }
        fields.extend(
            request
                .params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let response = self.post("v2/oauth2/token/introspect", &fields).await?;
        response.into_document()
    }

    /// Looks identities up as the client itself.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::IdentityLookup;
    ///
    /// let answer = app.get_identities(IdentityLookup::usernames(["rdoe@example.edu"])).await?;
    /// println!("{} people", answer.identities.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_identities(&self, lookup: IdentityLookup) -> Result<Response<IdentitiesAnswer>> {
        get_identities(&self.service, lookup).await
    }

    /// Makes a client that belongs to this one.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::ClientRequest;
    /// use portolan_sdk::documents::ClientType;
    ///
    /// let child = app.create_child_client(ClientRequest::new("Detector", ClientType::ClientIdentity)).await?;
    /// println!("{}", child.client.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_child_client(&self, client: ClientRequest) -> Result<Response<NewClient>> {
        check_child(&client)?;
        self.create(Request::post("v2/api/clients"), Value::Object(client.document()))
            .await
    }
}

impl Deref for ConfidentialAppAuthClient {
    type Target = AuthLoginClient;

    fn deref(&self) -> &AuthLoginClient {
        &self.0
    }
}

impl From<ConfidentialAppAuthClient> for AuthLoginClient {
    fn from(client: ConfidentialAppAuthClient) -> Self {
        client.0
    }
}

impl From<&ConfidentialAppAuthClient> for AuthLoginClient {
    fn from(client: &ConfidentialAppAuthClient) -> Self {
        client.0.clone()
    }
}

/// Asks for the tokens that a service needs of others.
///
/// ```
/// use portolan_sdk::DependentTokenRequest;
/// use portolan_sdk::scopes::GroupsScopes;
///
/// let request = DependentTokenRequest::new("Ag8mQ")
///     .scopes([GroupsScopes::VIEW_MY_GROUPS_AND_MEMBERSHIPS])?
///     .refresh_tokens(true);
/// # let _ = request;
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DependentTokenRequest {
    token: Secret,
    refresh_tokens: bool,
    scope: Option<String>,
    params: Vec<(String, String)>,
}

impl DependentTokenRequest {
    /// For whoever this token belongs to; everything that can be had.
    pub fn new(token: impl Into<String>) -> Self {
        Self::of(Secret::new(token))
    }

    pub(crate) fn of(token: Secret) -> Self {
        Self {
            token,
            refresh_tokens: false,
            scope: None,
            params: Vec::new(),
        }
    }

    /// Only these scopes.
    pub fn scopes(mut self, scopes: impl ScopeList) -> Result<Self> {
        self.scope = Some(scopes::join(scopes)?);
        Ok(self)
    }

    /// Whether to ask for refresh tokens too, for work that goes on later.
    pub fn refresh_tokens(mut self, wanted: bool) -> Self {
        self.refresh_tokens = wanted;
        self
    }

    /// Adds any other field.
    ///
    /// ```
    /// use portolan_sdk::DependentTokenRequest;
    ///
    /// let request = DependentTokenRequest::new("Ag8mQ").param("access_type", "offline");
    /// # let _ = request;
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.params.push((name.into(), value.to_string()));
        self
    }
}

/// Asks what a token is worth.
///
/// ```
/// use portolan_sdk::IntrospectionRequest;
///
/// let policy = "aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70".parse()?;
/// let request = IntrospectionRequest::new("Ag8mQ")
///     .include_identity_set()
///     .include_session_info()
///     .authentication_policies([policy]);
/// # let _ = request;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct IntrospectionRequest {
    token: Secret,
    include: Vec<&'static str>,
    params: Vec<(String, String)>,
}

impl IntrospectionRequest {
    /// About this token.
    pub fn new(token: impl Into<String>) -> Self {
        Self {
            token: Secret::new(token),
            include: Vec::new(),
            params: Vec::new(),
        }
    }

    /// Adds the ids of all identities of the person.
    pub fn include_identity_set(mut self) -> Self {
        self.include.push("identity_set");
        self
    }

    /// Adds all identities of the person with their names.
    ///
    /// ```
    /// use portolan_sdk::IntrospectionRequest;
    ///
    /// let request = IntrospectionRequest::new("Ag8mQ").include_identity_set_detail();
    /// # let _ = request;
    /// ```
    pub fn include_identity_set_detail(mut self) -> Self {
        self.include.push("identity_set_detail");
        self
    }

    /// Adds who logged in when.
    pub fn include_session_info(mut self) -> Self {
        self.include.push("session_info");
        self
    }

    /// Adds whether these policies are met.
    pub fn authentication_policies(self, policies: impl IntoIterator<Item = PolicyId>) -> Self {
        let ids: Vec<String> = policies.into_iter().map(|id| id.to_string()).collect();
        self.param("authentication_policies", ids.join(","))
    }

    /// Adds any other field.
    ///
    /// ```
    /// use portolan_sdk::IntrospectionRequest;
    ///
    /// let request = IntrospectionRequest::new("Ag8mQ").param("include", "session_info");
    /// # let _ = request;
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.params.push((name.into(), value.to_string()));
        self
    }
}

impl From<&str> for IntrospectionRequest {
    fn from(token: &str) -> Self {
        Self::new(token)
    }
}
