//! Apps: they know what they need, log in when it is missing, keep the tokens, and hand out
//! clients that just work. A [`UserApp`] acts for a person, a [`ClientApp`] as itself.

mod config;
mod login;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use reqwest::header::HeaderValue;

use crate::auth::{AuthClient, AuthLoginClient, ConfidentialAppAuthClient, NativeAppAuthClient};
use crate::authorizer::{AccessTokenAuthorizer, Authorizer, ClientCredentialsAuthorizer, RefreshTokenAuthorizer};
use crate::clock::BoxFuture;
use crate::error::{Error, Result};
use crate::gare::{AuthorizationParameters, Gare};
use crate::id_token::IdTokenDecoder;
use crate::response::TokenResponse;
use crate::scopes::{self, AuthScopes, Scope, ScopeList};
use crate::storage::{
    self, HasRefreshTokensValidator, MemoryTokenStorage, NotExpiredValidator, ScopeRequirements,
    ScopeRequirementsValidator, TokenStorage, TokenValidationError, UnchangingIdentityValidator,
    ValidatingTokenStorage,
};
use crate::transport::{Redrive, Service};

pub use config::{AppConfig, OnInvalidTokens, StorageKind};
pub use login::{CommandLineLogin, LocalServerLogin, Login, LoginClient, LoginFlow, Terminal};

/// What both kinds of app have in common; both dereference to it. Clones are the same app.
///
/// ```no_run
/// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
/// use portolan_sdk::GlobusApp;
///
/// async fn ready(app: &GlobusApp) -> portolan_sdk::Result<()> {
///     app.login(None, false).await
/// }
///
/// ready(&app).await?;
/// println!("{:?}", app.scope_requirements());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GlobusApp {
    inner: Arc<Inner>,
}

impl fmt::Debug for GlobusApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Who acts, and how they get tokens.
enum Kind {
    User(Arc<dyn LoginFlow>, LoginClient),
    Client(ConfidentialAppAuthClient),
}

impl Kind {
    fn client(&self) -> &AuthLoginClient {
        match self {
            Self::User(_, client) => client,
            Self::Client(client) => client,
        }
    }
}

/// An authorizer, and the end of its token if nobody renews it.
type Made = (Arc<dyn Authorizer>, Option<i64>);

struct Inner {
    name: String,
    config: AppConfig,
    kind: Kind,
    requirements: Arc<Mutex<ScopeRequirements>>,
    storage: Arc<ValidatingTokenStorage>,
    decoder: Arc<IdTokenDecoder>,
    /// Authorizers that were made, by resource server.
    authorizers: Mutex<BTreeMap<String, Made>>,
    /// One login at a time: a person has one pair of eyes.
    login: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobusApp")
            .field("name", &self.name)
            .field("client_id", &self.kind.client().client_id())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GlobusApp {
    fn new(name: &str, kind: Kind, config: AppConfig, needs: ScopeRequirements) -> Result<Self> {
        let login_client = kind.client().clone();
        let requirements = Arc::new(Mutex::new(needs));
        add(
            &mut lock(&requirements),
            AuthScopes::RESOURCE_SERVER,
            AuthScopes::OPENID,
        )?;
        let raw: Arc<dyn TokenStorage> = match &config.token_storage {
            StorageKind::Custom(storage) => storage.clone(),
            StorageKind::Memory => Arc::new(MemoryTokenStorage::new()),
            StorageKind::Json => {
                let path = storage::default_path(login_client.client_id(), name, config.options.environment)?;
                Arc::new(storage::JsonTokenStorage::new(path.with_extension("json"))?)
            }
            #[cfg(feature = "sqlite")]
            StorageKind::Sqlite => {
                let path = storage::default_path(login_client.client_id(), name, config.options.environment)?;
                Arc::new(storage::SqliteTokenStorage::new(path.with_extension("db"))?)
            }
        };
        let decoder = match &config.id_token_decoder {
            Some(decoder) => decoder.clone(),
            None => Arc::new(IdTokenDecoder::new(&login_client)),
        };
        let mut outcome = Ok(());
        let inner = Arc::new_cyclic(|app: &Weak<Inner>| {
            let consents = AuthClient {
                service: Service {
                    authorizer: Arc::new(AppAuthorizer {
                        app: Handle::Weak(app.clone()),
                        resource_server: AuthClient::RESOURCE_SERVER.to_owned(),
                        handles_invalid_tokens: false,
                    }),
                    redrive: None,
                    ..login_client.service.clone()
                },
            };
            let validating = ValidatingTokenStorage::new(raw.clone()).or_else(|error| {
                outcome = Err(error);
                ValidatingTokenStorage::new(Arc::new(MemoryTokenStorage::new()))
            });
            let validating = validating.expect("a storage without tokens has nothing to object to");
            let validating = match (&kind, config.request_refresh_tokens) {
                (Kind::User(..), true) => validating.validator(HasRefreshTokensValidator),
                (Kind::User(..), false) => {
                    validating.validator(NotExpiredValidator::new(config.options.transport.clock.clone()))
                }
                (Kind::Client(_), _) => validating,
            };
            let validating = validating.validator(ScopeRequirementsValidator::new(requirements.clone(), consents));
            let validating = match kind {
                Kind::User(..) => validating.validator(UnchangingIdentityValidator),
                Kind::Client(_) => validating,
            };
            Inner {
                name: name.to_owned(),
                config,
                kind,
                requirements,
                storage: Arc::new(validating),
                decoder,
                authorizers: Mutex::default(),
                login: tokio::sync::Mutex::new(()),
            }
        });
        outcome?;
        Ok(Self { inner })
    }

    /// The name of the app.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The client that it logs in with.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// println!("{} logs in at {}", app.login_client().client_id(), app.login_client().base_url());
    /// # Ok(())
    /// # }
    /// ```
    pub fn login_client(&self) -> &AuthLoginClient {
        self.inner.kind.client()
    }

    /// What keeps its tokens.
    pub fn token_storage(&self) -> &ValidatingTokenStorage {
        &self.inner.storage
    }

    /// What it needs, by resource server. `openid` is always among it: it says who logged in.
    pub fn scope_requirements(&self) -> ScopeRequirements {
        lock(&self.inner.requirements).clone()
    }

    /// Adds to what it needs. The next use of a token that does not allow it logs in again.
    ///
    /// ```no_run
    /// # fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::scopes::GroupsScopes;
    ///
    /// app.add_scope_requirements(GroupsScopes::RESOURCE_SERVER, GroupsScopes::VIEW_MY_GROUPS_AND_MEMBERSHIPS)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_scope_requirements(&self, resource_server: &str, scopes: impl ScopeList) -> Result<()> {
        add(&mut lock(&self.inner.requirements), resource_server, scopes)?;
        lock(&self.inner.authorizers).remove(resource_server);
        Ok(())
    }

    /// Logs in if that is needed, if `force`, or if `parameters` demand something.
    pub async fn login(&self, parameters: Option<AuthorizationParameters>, force: bool) -> Result<()> {
        if force || parameters.is_some() || self.login_required().await? {
            self.inner.run_login(parameters.unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Whether tokens are missing for anything that the app needs.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// if app.login_required().await? {
    ///     println!("a browser will be needed");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn login_required(&self) -> Result<bool> {
        for resource_server in self.scope_requirements().into_keys() {
            match self.inner.authorizer(&resource_server, false).await {
                Ok(_) => {}
                Err(Error::TokenValidation(_)) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Ends and forgets the tokens for what the app needs, or with `sweep` all that are stored.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// app.logout(false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logout(&self, sweep: bool) -> Result<()> {
        let needed = self.scope_requirements();
        for (resource_server, data) in self.inner.storage.inner().all()? {
            if !sweep && !needed.contains_key(&resource_server) {
                continue;
            }
            let client = self.login_client();
            client.revoke_token(data.access_token.expose()).await?;
            if let Some(refresh_token) = &data.refresh_token {
                client.revoke_token(refresh_token.expose()).await?;
            }
            self.inner.storage.remove(&resource_server)?;
        }
        lock(&self.inner.authorizers).clear();
        Ok(())
    }

    /// The authorizer for a service. If the stored tokens do not do, the app logs in first.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// let authorizer = app.get_authorizer("groups.api.globus.org").await?;
    /// let header = authorizer.authorization().await?.expect("a token");
    /// # let _ = header;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_authorizer(&self, resource_server: &str) -> Result<Arc<dyn Authorizer>> {
        self.inner.authorizer(resource_server, true).await
    }

    /// An authorizer that asks the app anew for each request, and so always has the token of
    /// the latest login.
    ///
    /// ```no_run
    /// # fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::{AuthClient, ClientOptions};
    ///
    /// let options = ClientOptions::new()?.base_url("https://groups.api.globus.org/");
    /// let groups = AuthClient::with_options(app.authorizer("groups.api.globus.org"), options)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorizer(&self, resource_server: impl Into<String>) -> AppAuthorizer {
        AppAuthorizer {
            app: Handle::Strong(self.inner.clone()),
            resource_server: resource_server.into(),
            handles_invalid_tokens: true,
        }
    }

    /// A client for Auth that acts for this app. The app needs `openid profile email` then,
    /// and what else is named.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::UserApp) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::scopes::AuthScopes;
    ///
    /// let client = app.auth_client([AuthScopes::VIEW_CONSENTS])?;
    /// println!("{}", client.userinfo().await?.sub);
    /// # Ok(())
    /// # }
    /// ```
    pub fn auth_client(&self, more: impl ScopeList) -> Result<AuthClient> {
        self.add_scope_requirements(AuthClient::RESOURCE_SERVER, AuthClient::DEFAULT_SCOPES)?;
        self.add_scope_requirements(AuthClient::RESOURCE_SERVER, more)?;
        Ok(self.attach(
            AuthClient {
                service: self.login_client().service.clone(),
            },
            AuthClient::RESOURCE_SERVER,
        ))
    }

    /// Lets a client act for this app towards a service. When the service says what is
    /// missing and the app may ask the person for it, the app logs in and the call is made
    /// once more.
    ///
    /// ```no_run
    /// # fn run(app: portolan_sdk::UserApp, client: portolan_sdk::AuthClient) {
    /// let groups = app.attach(client, "groups.api.globus.org");
    /// # let _ = groups;
    /// # }
    /// ```
    pub fn attach(&self, mut client: AuthClient, resource_server: &str) -> AuthClient {
        let authorizer = self.authorizer(resource_server);
        client.service.redrive = self
            .inner
            .config
            .auto_redrive_gares
            .then(|| Arc::new(authorizer.clone()) as Arc<dyn Redrive>);
        client.service.authorizer = Arc::new(authorizer);
        client
    }
}

fn add(needs: &mut ScopeRequirements, resource_server: &str, scopes: impl ScopeList) -> Result<()> {
    let more = scopes::read(scopes)?;
    let known = needs.entry(resource_server.to_owned()).or_default();
    *known = scopes::merge(known, &more)?;
    Ok(())
}

impl Inner {
    /// The authorizer for a service; a box, because a login asks for one again.
    fn authorizer<'a>(
        &'a self,
        resource_server: &'a str,
        handles_invalid_tokens: bool,
    ) -> BoxFuture<'a, Result<Arc<dyn Authorizer>>> {
        Box::pin(async move {
            match self.known_or_new(resource_server).await {
                Err(Error::TokenValidation(error)) if handles_invalid_tokens => {
                    self.handle(resource_server, error).await?;
                    self.known_or_new(resource_server).await
                }
                other => other,
            }
        })
    }

    async fn handle(&self, resource_server: &str, error: TokenValidationError) -> Result<()> {
        match &self.config.on_invalid_tokens {
            OnInvalidTokens::Fail => Err(error.into()),
            OnInvalidTokens::LogIn if matches!(error, TokenValidationError::IdentityMismatch { .. }) => {
                Err(error.into())
            }
            OnInvalidTokens::LogIn => {
                let _one_at_a_time = self.login.lock().await;
                // Another caller may have logged in while this one waited.
                if self.known_or_new(resource_server).await.is_ok() {
                    return Ok(());
                }
                self.log_in(AuthorizationParameters::default()).await
            }
            OnInvalidTokens::Custom(handler) => handler(error).await,
        }
    }

    async fn known_or_new(&self, resource_server: &str) -> Result<Arc<dyn Authorizer>> {
        let now = self.kind.client().now();
        if let Some((authorizer, ends)) = lock(&self.authorizers).get(resource_server)
            && ends.is_none_or(|ends| ends >= now)
        {
            return Ok(authorizer.clone());
        }
        let (authorizer, ends) = self.new_authorizer(resource_server).await?;
        lock(&self.authorizers).insert(resource_server.to_owned(), (authorizer.clone(), ends));
        Ok(authorizer)
    }

    async fn new_authorizer(&self, resource_server: &str) -> Result<Made> {
        let client = self.kind.client().clone();
        let stored = self.storage.get(resource_server).await;
        if let Kind::Client(client) = &self.kind {
            let known = match stored {
                Ok(data) => Some((data.access_token, data.expires_at_seconds)),
                Err(Error::TokenValidation(TokenValidationError::MissingToken { .. })) => None,
                Err(error) => return Err(error),
            };
            let needed = lock(&self.requirements).get(resource_server).cloned();
            let needed = needed
                .ok_or_else(|| Error::usage(format!("the app has not said what it needs of {resource_server}")))?;
            let authorizer = ClientCredentialsAuthorizer::of(client.clone(), scopes::join(needed)?, known)?;
            return Ok((Arc::new(authorizer.on_refresh(self.keeper())), None));
        }
        let data = stored?;
        match (data.refresh_token, self.config.request_refresh_tokens) {
            (Some(refresh_token), true) => {
                let known = Some((data.access_token, data.expires_at_seconds));
                let authorizer = RefreshTokenAuthorizer::of(refresh_token, client, known).on_refresh(self.keeper());
                Ok((Arc::new(authorizer), None))
            }
            _ => {
                let authorizer = AccessTokenAuthorizer::of(data.access_token);
                Ok((Arc::new(authorizer), Some(data.expires_at_seconds)))
            }
        }
    }

    /// Stores what a renewal brings.
    fn keeper(&self) -> impl Fn(TokenResponse) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static {
        let storage = self.storage.clone();
        let decoder = self.decoder.clone();
        move |response| {
            let (storage, decoder) = (storage.clone(), decoder.clone());
            Box::pin(async move { storage.store_response(&response, &decoder).await })
        }
    }

    async fn run_login(&self, parameters: AuthorizationParameters) -> Result<()> {
        let _one_at_a_time = self.login.lock().await;
        self.log_in(parameters).await
    }

    async fn log_in(&self, parameters: AuthorizationParameters) -> Result<()> {
        let needed: Vec<Scope> = lock(&self.requirements).values().flatten().cloned().collect();
        let asked = scopes::read(parameters.required_scopes.clone().unwrap_or_default())?;
        let scopes = scopes::merge(&needed, &asked)?;
        let response = match &self.kind {
            Kind::Client(client) => client.client_credentials_tokens(scopes).await?,
            Kind::User(flow, client) => {
                let login = Login {
                    client: client.clone(),
                    scopes,
                    parameters,
                    refresh_tokens: self.config.request_refresh_tokens,
                    label: login::label(&self.name),
                    redirect_uri: self.config.login_redirect_uri.clone(),
                };
                flow.run(login).await?
            }
        };
        self.storage.store_response(&response, &self.decoder).await?;
        lock(&self.authorizers).clear();
        Ok(())
    }
}

/// The app, held so that it lives or so that it may end.
#[derive(Clone)]
enum Handle {
    Strong(Arc<Inner>),
    Weak(Weak<Inner>),
}

impl Handle {
    fn get(&self) -> Result<Arc<Inner>> {
        match self {
            Self::Strong(app) => Ok(app.clone()),
            Self::Weak(app) => app.upgrade().ok_or_else(|| Error::usage("the app is gone")),
        }
    }
}

/// Asks an app for the token of each request: see [`GlobusApp::authorizer`].
///
/// ```no_run
/// # fn run(app: portolan_sdk::UserApp) {
/// let authorizer = app.authorizer("groups.api.globus.org");
/// println!("{authorizer:?}");
/// # }
/// ```
#[derive(Clone)]
pub struct AppAuthorizer {
    app: Handle,
    resource_server: String,
    handles_invalid_tokens: bool,
}

impl fmt::Debug for AppAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppAuthorizer")
            .field("resource_server", &self.resource_server)
            .finish_non_exhaustive()
    }
}

impl Authorizer for AppAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async {
            let app = self.app.get()?;
            let authorizer = app
                .authorizer(&self.resource_server, self.handles_invalid_tokens)
                .await?;
            authorizer.authorization().await
        })
    }

    fn renew_after<'a>(&'a self, rejected: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Ok(app) = self.app.get() else {
                return false;
            };
            let known = lock(&app.authorizers).get(&self.resource_server).cloned();
            match known {
                Some((authorizer, _)) => authorizer.renew_after(rejected).await,
                None => false,
            }
        })
    }
}

impl Redrive for AppAuthorizer {
    fn redrive<'a>(&'a self, gare: &'a Gare) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.app.get()?.run_login(gare.authorization_parameters.clone()).await })
    }
}

/// An app that acts for a person: the person logs in once, and again when it is needed.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AppConfig, UserApp};
///
/// let config = AppConfig::new()?.local_server_login().request_refresh_tokens(true);
/// let app = UserApp::new("tour", "95fdeba8-fac2-42bd-a357-e068d82ff78e", config)?;
/// let client = app.auth_client("")?;
/// println!("{}", client.userinfo().await?.sub);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UserApp(GlobusApp);

impl UserApp {
    /// An app without a secret.
    pub fn new(name: &str, client_id: &str, config: AppConfig) -> Result<Self> {
        let options = config.options.clone().app_name(name);
        let client = NativeAppAuthClient::with_options(client_id, options)?;
        Self::with_client(name, client, config)
    }

    /// An app with a secret of its own.
    ///
    /// ```no_run
    /// # fn run() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::{AppConfig, UserApp};
    ///
    /// let config = AppConfig::new()?.login_redirect_uri("https://portal.example.org/show-code");
    /// let app = UserApp::with_secret("portal", "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret", config)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_secret(name: &str, client_id: &str, secret: &str, config: AppConfig) -> Result<Self> {
        let options = config.options.clone().app_name(name);
        let client = ConfidentialAppAuthClient::with_options(client_id, secret, options)?;
        Self::with_client(name, client, config)
    }

    /// An app that logs in with this client.
    ///
    /// ```no_run
    /// use portolan_sdk::{AppConfig, ClientOptions, NativeAppAuthClient, UserApp};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let options = ClientOptions::new()?.base_url("http://localhost:8080");
    /// let client = NativeAppAuthClient::with_options("95fdeba8-fac2-42bd-a357-e068d82ff78e", options.clone())?;
    /// let app = UserApp::with_client("tour", client, AppConfig::with_options(options))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_client(name: &str, client: impl Into<LoginClient>, config: AppConfig) -> Result<Self> {
        let client = client.into();
        config.login_flow.check(&client, config.login_redirect_uri.as_deref())?;
        let kind = Kind::User(config.login_flow.clone(), client);
        GlobusApp::new(name, kind, config, ScopeRequirements::new()).map(Self)
    }
}

impl Deref for UserApp {
    type Target = GlobusApp;

    fn deref(&self) -> &GlobusApp {
        &self.0
    }
}

/// An app that acts as itself: a service account.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AppConfig, ClientApp};
/// use portolan_sdk::scopes::GroupsScopes;
///
/// let app = ClientApp::new("night job", "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret", AppConfig::new()?)?;
/// app.add_scope_requirements(GroupsScopes::RESOURCE_SERVER, GroupsScopes::ALL)?;
/// let header = app.get_authorizer(GroupsScopes::RESOURCE_SERVER).await?.authorization().await?;
/// # let _ = header;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientApp(GlobusApp);

impl ClientApp {
    /// With the id and secret of a client.
    pub fn new(name: &str, client_id: &str, secret: &str, config: AppConfig) -> Result<Self> {
        let options = config.options.clone().app_name(name);
        let client = ConfidentialAppAuthClient::with_options(client_id, secret, options)?;
        Self::with_client(name, client, config)
    }

    /// With a client that is there.
    ///
    /// ```no_run
    /// use portolan_sdk::{AppConfig, ClientApp, ConfidentialAppAuthClient};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let client = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
    /// let app = ClientApp::with_client("nightly", client, AppConfig::new()?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_client(name: &str, client: ConfidentialAppAuthClient, config: AppConfig) -> Result<Self> {
        GlobusApp::new(name, Kind::Client(client), config, ScopeRequirements::new()).map(Self)
    }
}

impl Deref for ClientApp {
    type Target = GlobusApp;

    fn deref(&self) -> &GlobusApp {
        &self.0
    }
}
