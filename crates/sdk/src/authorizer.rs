//! How a request says who makes it. An [`Authorizer`] gives the header of each request, and
//! is asked what to do when the service does not accept it.
//!
//! Two of them renew their token: a minute before it ends, and once when a service answers
//! 401. Callers that come while a renewal runs wait for it and share its outcome, whether it
//! succeeds or fails, so that one refresh token is never used twice at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_types::Secret;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use crate::auth::{AuthLoginClient, ConfidentialAppAuthClient};
use crate::clock::BoxFuture;
use crate::error::{Error, Result};
use crate::response::TokenResponse;
use crate::scopes::{self, ScopeList};

/// A token is renewed so many seconds before it ends.
const RENEW_BEFORE_SECONDS: i64 = 60;

/// Says who makes a request.
///
/// ```
/// use portolan_sdk::{Authorizer, BoxFuture, Result};
/// use reqwest::header::HeaderValue;
///
/// /// Somebody that the service knows by a key.
/// #[derive(Debug)]
/// struct Key;
///
/// impl Authorizer for Key {
///     fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
///         Box::pin(async { Ok(Some(HeaderValue::from_static("Key 7"))) })
///     }
/// }
/// ```
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// The value of the `Authorization` header; `None` sends none.
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>>;

    /// A service answered 401 to a request with the header `rejected`. Whether asking for
    /// the header again may help.
    fn renew_after<'a>(&'a self, rejected: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        let _ = rejected;
        Box::pin(async { false })
    }
}

/// A header value that logs do not show.
fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::usage("a token or secret contains what a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn bearer(token: &Secret) -> Result<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

/// Nobody: no header is sent.
///
/// ```
/// # fn main() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AuthClient, NullAuthorizer};
///
/// let client = AuthClient::new(NullAuthorizer)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NullAuthorizer;

impl Authorizer for NullAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async { Ok(None) })
    }
}

/// Name and password, or a client's id and secret, as they are: Globus does not expect
/// them percent-encoded (wire.md 3.3).
///
/// ```
/// use portolan_sdk::{Authorizer, BasicAuthorizer};
///
/// # async fn run() -> portolan_sdk::Result<()> {
/// let authorizer = BasicAuthorizer::new("id", "se+cret=");
/// assert_eq!(authorizer.authorization().await?.unwrap(), "Basic aWQ6c2UrY3JldD0=");
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct BasicAuthorizer {
    name: String,
    password: Secret,
}

impl BasicAuthorizer {
    /// Authorizes with these.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: Secret::new(password),
        }
    }

    pub(crate) fn of(name: String, password: Secret) -> Self {
        Self { name, password }
    }
}

impl Authorizer for BasicAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async {
            let pair = STANDARD.encode(format!("{}:{}", self.name, self.password.expose()));
            sensitive(&format!("Basic {pair}")).map(Some)
        })
    }
}

/// An access token that somebody else takes care of.
///
/// ```
/// # fn main() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AccessTokenAuthorizer, AuthClient};
///
/// let client = AuthClient::new(AccessTokenAuthorizer::new("Ag8mQ"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AccessTokenAuthorizer {
    token: Secret,
}

impl AccessTokenAuthorizer {
    /// Authorizes with this token until it ends.
    pub fn new(token: impl Into<String>) -> Self {
        Self {
            token: Secret::new(token),
        }
    }

    pub(crate) fn of(token: Secret) -> Self {
        Self { token }
    }
}

impl Authorizer for AccessTokenAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async { bearer(&self.token).map(Some) })
    }
}

/// Is told of each renewal, to store what came.
pub(crate) type OnRefresh = Arc<dyn Fn(TokenResponse) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// What both renewing authorizers have in common.
struct Renewing {
    state: Mutex<State>,
    /// How many renewals have ended; tells a caller whether one ended while it waited.
    ended: AtomicU64,
    on_refresh: Option<OnRefresh>,
}

struct State {
    access_token: Option<Secret>,
    /// Unknown after a 401.
    expires_at: Option<i64>,
    refresh_token: Option<Secret>,
    failed: Option<(u64, Error)>,
}

impl Renewing {
    fn new(access_token: Option<(Secret, i64)>, refresh_token: Option<Secret>) -> Self {
        let (access_token, expires_at) = access_token.unzip();
        Self {
            state: Mutex::new(State {
                access_token,
                expires_at,
                refresh_token,
                failed: None,
            }),
            ended: AtomicU64::new(0),
            on_refresh: None,
        }
    }

    /// The token, renewed by `fetch` where needed.
    async fn token<F>(&self, now: i64, fetch: impl FnOnce(Option<Secret>) -> F) -> Result<Secret>
    where
        F: Future<Output = Result<TokenResponse>>,
    {
        let seen = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let (Some(token), Some(expires_at)) = (&state.access_token, state.expires_at)
            && now <= expires_at - RENEW_BEFORE_SECONDS
        {
            return Ok(token.clone());
        }
        // Whoever waited for a renewal that failed does not try the same at once.
        if let Some((ended, error)) = &state.failed
            && *ended > seen
        {
            return Err(error.clone());
        }
        let renewed = self.renew(&mut state, fetch).await;
        let ended = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        state.failed = renewed.as_ref().err().map(|error| (ended, error.clone()));
        renewed
    }

    async fn renew<F>(&self, state: &mut State, fetch: impl FnOnce(Option<Secret>) -> F) -> Result<Secret>
    where
        F: Future<Output = Result<TokenResponse>>,
    {
        let response = fetch(state.refresh_token.clone()).await?;
        let token = response.single()?.clone();
        state.access_token = Some(token.access_token.clone());
        state.expires_at = Some(token.expires_at_seconds);
        // An answer without one leaves the old one as it is (RFC 6749 section 6).
        if token.refresh_token.is_some() {
            state.refresh_token = token.refresh_token;
        }
        if let Some(on_refresh) = &self.on_refresh {
            on_refresh(response).await?;
        }
        Ok(token.access_token)
    }

    /// Forgets when the token ends, unless another caller has renewed it meanwhile.
    async fn forget(&self, rejected: Option<&HeaderValue>) -> bool {
        let mut state = self.state.lock().await;
        let current = state.access_token.as_ref().and_then(|token| bearer(token).ok());
        if current.as_ref() == rejected {
            state.expires_at = None;
        }
        true
    }
}

/// Renews its access token with a refresh token.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AuthClient, NativeAppAuthClient, RefreshTokenAuthorizer};
///
/// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
/// let authorizer = RefreshTokenAuthorizer::new("Ag2yX", &app).on_refresh(|response| async move {
///     for token in response.tokens() {
///         println!("store the token for {}", token.resource_server);
///     }
///     Ok(())
/// });
/// let client = AuthClient::new(authorizer)?;
/// println!("{}", client.userinfo().await?.sub);
/// # Ok(())
/// # }
/// ```
pub struct RefreshTokenAuthorizer {
    client: AuthLoginClient,
    renewing: Renewing,
}

impl RefreshTokenAuthorizer {
    /// Fetches the first access token when it is needed.
    pub fn new(refresh_token: impl Into<String>, client: impl Into<AuthLoginClient>) -> Self {
        Self::of(Secret::new(refresh_token), client.into(), None)
    }

    /// Begins with an access token that ends at `expires_at` (seconds since 1970).
    ///
    /// ```no_run
    /// # fn run() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::{NativeAppAuthClient, RefreshTokenAuthorizer};
    ///
    /// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
    /// let authorizer = RefreshTokenAuthorizer::new("Ag2yX", &app).with_access_token("Ag8mQ", 1_790_172_800);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_access_token(self, access_token: impl Into<String>, expires_at: i64) -> Self {
        let known = (Secret::new(access_token), expires_at);
        let refresh_token = self.renewing.state.into_inner().refresh_token;
        Self {
            client: self.client,
            renewing: Renewing {
                on_refresh: self.renewing.on_refresh,
                ..Renewing::new(Some(known), refresh_token)
            },
        }
    }

    pub(crate) fn of(refresh_token: Secret, client: AuthLoginClient, known: Option<(Secret, i64)>) -> Self {
        Self {
            client,
            renewing: Renewing::new(known, Some(refresh_token)),
        }
    }

    /// Is told of each renewal. Its failure is the failure of the request that needed the
    /// token; the new token is kept for the next one.
    pub fn on_refresh<F>(mut self, callback: impl Fn(TokenResponse) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.renewing.on_refresh = Some(Arc::new(move |response| Box::pin(callback(response))));
        self
    }

    /// The refresh token that the next renewal will use.
    pub async fn refresh_token(&self) -> Option<Secret> {
        self.renewing.state.lock().await.refresh_token.clone()
    }

    /// Renews the token now if it is about to end, and returns it.
    ///
    /// ```no_run
    /// # async fn run(authorizer: portolan_sdk::RefreshTokenAuthorizer) -> portolan_sdk::Result<()> {
    /// let header = format!("Bearer {}", authorizer.ensure_valid_token().await?.expose());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure_valid_token(&self) -> Result<Secret> {
        let now = self.client.now();
        let fetch = async |refresh_token: Option<Secret>| {
            let refresh_token = refresh_token.ok_or_else(|| Error::usage("there is no refresh token to renew with"))?;
            self.client.refresh_token(refresh_token.expose()).await
        };
        self.renewing.token(now, fetch).await
    }
}

impl fmt::Debug for RefreshTokenAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokenAuthorizer")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Authorizer for RefreshTokenAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async { bearer(&self.ensure_valid_token().await?).map(Some) })
    }

    fn renew_after<'a>(&'a self, rejected: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        Box::pin(self.renewing.forget(rejected))
    }
}

/// Fetches its access tokens with the credentials of a client: a service account.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{AuthClient, ClientCredentialsAuthorizer, ConfidentialAppAuthClient};
///
/// let app = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
/// let authorizer = ClientCredentialsAuthorizer::new(&app, "openid profile")?;
/// println!("{}", AuthClient::new(authorizer)?.userinfo().await?.sub);
/// # Ok(())
/// # }
/// ```
pub struct ClientCredentialsAuthorizer {
    client: ConfidentialAppAuthClient,
    scopes: String,
    renewing: Renewing,
}

impl ClientCredentialsAuthorizer {
    /// Asks for these scopes, which must belong to one resource server.
    pub fn new(client: &ConfidentialAppAuthClient, scopes: impl ScopeList) -> Result<Self> {
        Self::of(client.clone(), scopes::join(scopes)?, None)
    }

    pub(crate) fn of(client: ConfidentialAppAuthClient, scopes: String, known: Option<(Secret, i64)>) -> Result<Self> {
        Ok(Self {
            client,
            scopes,
            renewing: Renewing::new(known, None),
        })
    }

    /// Begins with an access token that ends at `expires_at` (seconds since 1970).
    pub fn with_access_token(self, access_token: impl Into<String>, expires_at: i64) -> Self {
        let known = (Secret::new(access_token), expires_at);
        Self {
            renewing: Renewing {
                on_refresh: self.renewing.on_refresh,
                ..Renewing::new(Some(known), None)
            },
            ..self
        }
    }

    /// Is told of each renewal, as with [`RefreshTokenAuthorizer::on_refresh`].
    pub fn on_refresh<F>(mut self, callback: impl Fn(TokenResponse) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.renewing.on_refresh = Some(Arc::new(move |response| Box::pin(callback(response))));
        self
    }

    /// Renews the token now if it is about to end, and returns it.
    ///
    /// ```no_run
    /// # async fn run(authorizer: portolan_sdk::ClientCredentialsAuthorizer) -> portolan_sdk::Result<()> {
    /// let header = format!("Bearer {}", authorizer.ensure_valid_token().await?.expose());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure_valid_token(&self) -> Result<Secret> {
        let now = self.client.now();
        let fetch = async |_| self.client.client_credentials_tokens(self.scopes.as_str()).await;
        self.renewing.token(now, fetch).await
    }
}

impl fmt::Debug for ClientCredentialsAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentialsAuthorizer")
            .field("client", &self.client)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl Authorizer for ClientCredentialsAuthorizer {
    fn authorization(&self) -> BoxFuture<'_, Result<Option<HeaderValue>>> {
        Box::pin(async { bearer(&self.ensure_valid_token().await?).map(Some) })
    }

    fn renew_after<'a>(&'a self, rejected: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        Box::pin(self.renewing.forget(rejected))
    }
}
