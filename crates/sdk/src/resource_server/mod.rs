//! For the authors of services: who calls, whether they may, and tokens to call further.
//!
//! A [`ResourceServer`] asks Auth about each token that comes in. The answer holds at that
//! moment: whoever takes a consent back is heard with the next request. A service that is
//! asked a lot may keep answers for some seconds, half a minute at most, and then hears of it
//! that much later.
//!
//! With the feature `tower` a layer protects routes of axum and other tower services:
//!
//! ```no_run
//! # #[cfg(feature = "tower")]
//! # fn app() -> portolan_sdk::Result<axum::Router> {
//! use axum::{Extension, Router, routing::get};
//! use portolan_sdk::ConfidentialAppAuthClient;
//! use portolan_sdk::resource_server::{Caller, ResourceServer};
//!
//! async fn data(Extension(caller): Extension<Caller>) -> String {
//!     format!("Hello, {}", caller.username().unwrap_or("stranger"))
//! }
//!
//! let client = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
//! let server = ResourceServer::new(client).require_scope("https://auth.globus.org/scopes/5e0c/action_all");
//! let app = Router::new().route("/data", get(data)).layer(server.layer());
//! # Ok(app)
//! # }
//! ```

#[cfg(feature = "tower")]
mod layer;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portolan_types::{IdentityId, Secret};
use serde_json::{Value, json};

use crate::auth::{ConfidentialAppAuthClient, DependentTokenRequest, Introspection, IntrospectionRequest};
use crate::error::{Error, Result};
use crate::response::TokenResponse;

#[cfg(feature = "tower")]
pub use layer::{Protect, ProtectLayer};

/// The longest time that an answer about a token is kept.
pub const LONGEST_CACHE: Duration = Duration::from_secs(30);
/// The most answers that are kept.
const MOST_CACHED: usize = 10_000;

/// Looks at the tokens of callers.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::resource_server::{Refusal, ResourceServer};
///
/// let server = ResourceServer::new(client)
///     .require_scope("https://auth.globus.org/scopes/5e0c/action_all")
///     .include_identity_set();
/// match server.authenticate(Some("Bearer Ag8mQ")).await {
///     Ok(caller) => println!("{:?} may come in", caller.username()),
///     Err(refusal) => println!("{} {}", refusal.status(), refusal.document()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ResourceServer {
    client: ConfidentialAppAuthClient,
    scopes: Vec<String>,
    include: Vec<Include>,
    cache: Option<Arc<Cache>>,
}

#[derive(Clone, Copy)]
enum Include {
    IdentitySet,
    SessionInfo,
}

struct Cache {
    lifetime: Duration,
    /// By the digest of the token: a dump of the memory shows no tokens.
    entries: Mutex<HashMap<[u8; 32], Kept>>,
}

/// Until when an answer is kept, and the answer.
type Kept = (i64, Arc<Introspection>);

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("client", &self.client)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl ResourceServer {
    /// For the service that is this client. Until a scope is required, any active token that
    /// Auth shows to this client will do.
    pub fn new(client: ConfidentialAppAuthClient) -> Self {
        Self {
            client,
            scopes: Vec::new(),
            include: Vec::new(),
            cache: None,
        }
    }

    /// Demands this scope of every token, besides those demanded before.
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Asks for all identities of the caller.
    pub fn include_identity_set(mut self) -> Self {
        self.include.push(Include::IdentitySet);
        self
    }

    /// Asks who logged in when.
    pub fn include_session_info(mut self) -> Self {
        self.include.push(Include::SessionInfo);
        self
    }

    /// Keeps answers about active tokens for so long, 30 seconds at most. Withdrawn consents
    /// are noticed that much later.
    ///
    /// ```
    /// # fn run(client: portolan_sdk::ConfidentialAppAuthClient) {
    /// use std::time::Duration;
    /// use portolan_sdk::resource_server::ResourceServer;
    ///
    /// let server = ResourceServer::new(client).cache(Duration::from_secs(10));
    /// # }
    /// ```
    pub fn cache(mut self, lifetime: Duration) -> Self {
        let lifetime = lifetime.min(LONGEST_CACHE);
        self.cache = (!lifetime.is_zero()).then(|| {
            Arc::new(Cache {
                lifetime,
                entries: Mutex::default(),
            })
        });
        self
    }

    /// Who calls, by the value of the `Authorization` header.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        let value = authorization.ok_or(Refusal::NoToken)?;
        let (scheme, token) = value.trim().split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::NoToken);
        }
        self.check(token.trim()).await
    }

    /// Who calls, by the token itself.
    ///
    /// ```no_run
    /// # async fn run(server: portolan_sdk::resource_server::ResourceServer) {
    /// if let Ok(caller) = server.check("Ag8mQ").await {
    ///     println!("{:?}", caller.introspection().scope);
    /// }
    /// # }
    /// ```
    pub async fn check(&self, token: &str) -> Result<Caller, Refusal> {
        // What RFC 6750 section 2.1 calls b64token; anything else is not worth a request.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(allowed) {
            return Err(Refusal::Malformed);
        }
        let introspection = self.introspect(token).await?;
        if !introspection.active {
            return Err(Refusal::Inactive);
        }
        let caller = Caller {
            token: Secret::new(token),
            introspection,
            client: self.client.clone(),
        };
        caller.require_scopes(&self.scopes)?;
        Ok(caller)
    }

    async fn introspect(&self, token: &str) -> Result<Arc<Introspection>, Refusal> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let key: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let now = self.client.now();
        if let Some(cache) = &self.cache
            && let Some(known) = cache.get(&key, now)
        {
            return Ok(known);
        }
        let mut request = IntrospectionRequest::new(token);
        for include in &self.include {
            request = match include {
                Include::IdentitySet => request.include_identity_set(),
                Include::SessionInfo => request.include_session_info(),
            };
        }
        let answer = self.client.introspect(request).await;
        let answer = Arc::new(
            answer
                .map_err(|error| Refusal::Unavailable(Box::new(error)))?
                .into_inner(),
        );
        if let Some(cache) = &self.cache {
            cache.put(key, now, &answer);
        }
        Ok(answer)
    }

    /// The layer that protects routes.
    #[cfg(feature = "tower")]
    pub fn layer(&self) -> ProtectLayer {
        ProtectLayer::new(self.clone())
    }
}

impl Cache {
    fn get(&self, key: &[u8; 32], now: i64) -> Option<Arc<Introspection>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, known) = entries.get(key)?;
        (now < *until).then(|| known.clone())
    }

    /// Keeps what is active, not beyond its end. Strangers cannot fill the memory: what they
    /// make up is not active.
    fn put(&self, key: [u8; 32], now: i64, answer: &Arc<Introspection>) {
        if !answer.active {
            return;
        }
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(0);
        let until = (now + lifetime).min(answer.exp.unwrap_or(i64::MAX));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST_CACHED {
            entries.retain(|_, (until, _)| now < *until);
        }
        if entries.len() < MOST_CACHED {
            entries.insert(key, (until, answer.clone()));
        }
    }
}

/// Who calls. Handlers find it among the extensions of the request.
///
/// ```no_run
/// # async fn run(caller: portolan_sdk::resource_server::Caller) -> portolan_sdk::Result<()> {
/// use portolan_sdk::scopes::GroupsScopes;
///
/// println!("{:?} {:?}", caller.username(), caller.identities());
/// let tokens = caller.dependent_tokens().await?;
/// if let Some(groups) = tokens.by_resource_server().get(GroupsScopes::RESOURCE_SERVER) {
///     println!("call Groups with {}", groups.scope);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    token: Secret,
    introspection: Arc<Introspection>,
    client: ConfidentialAppAuthClient,
}

impl Caller {
    /// All that Auth said about the token.
    pub fn introspection(&self) -> &Introspection {
        &self.introspection
    }

    /// Whose token it is.
    pub fn identity(&self) -> Option<IdentityId> {
        self.introspection.sub
    }

    /// Their name at their provider.
    pub fn username(&self) -> Option<&str> {
        self.introspection.username.as_deref()
    }

    /// All identities of the caller that are known: the set, if it was asked for.
    pub fn identities(&self) -> Vec<IdentityId> {
        match &self.introspection.identity_set {
            Some(set) => set.clone(),
            None => self.introspection.sub.into_iter().collect(),
        }
    }

    /// Whether the token has this scope.
    pub fn has_scope(&self, name: &str) -> bool {
        self.introspection.has_scope(name)
    }

    /// Demands a scope that only some routes need.
    ///
    /// ```no_run
    /// # fn run(caller: portolan_sdk::resource_server::Caller) -> Result<(), portolan_sdk::resource_server::Refusal> {
    /// caller.require_scope("https://auth.globus.org/scopes/5e0c/delete")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn require_scope(&self, name: &str) -> Result<(), Refusal> {
        self.require_scopes(&[name.to_owned()])
    }

    fn require_scopes(&self, names: &[String]) -> Result<(), Refusal> {
        if names.iter().all(|name| self.has_scope(name)) {
            return Ok(());
        }
        Err(Refusal::MissingScopes(names.to_vec()))
    }

    /// Tokens for the services that this one needs, for this caller.
    pub async fn dependent_tokens(&self) -> Result<TokenResponse> {
        self.dependent_tokens_with(Ok).await
    }

    /// The same for some scopes, or with refresh tokens.
    ///
    /// ```no_run
    /// # async fn run(caller: portolan_sdk::resource_server::Caller) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::scopes::GroupsScopes;
    ///
    /// let tokens = caller
    ///     .dependent_tokens_with(|request| request.scopes(GroupsScopes::VIEW_MY_GROUPS_AND_MEMBERSHIPS))
    ///     .await?;
    /// # let _ = tokens;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dependent_tokens_with(
        &self,
        change: impl FnOnce(DependentTokenRequest) -> Result<DependentTokenRequest>,
    ) -> Result<TokenResponse> {
        let request = change(DependentTokenRequest::of(self.token.clone()))?;
        self.client.dependent_tokens(request).await
    }
}

/// Why a caller may not come in.
///
/// ```
/// use portolan_sdk::resource_server::Refusal;
///
/// let refusal = Refusal::MissingScopes(vec!["https://auth.globus.org/scopes/5e0c/action_all".to_owned()]);
/// assert_eq!(refusal.status(), 403);
/// assert_eq!(refusal.document()["code"], "ConsentRequired");
/// assert!(refusal.www_authenticate().unwrap().contains("insufficient_scope"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no bearer token.
    #[error("this needs a bearer token")]
    NoToken,
    /// The header cannot be read.
    #[error("the Authorization header cannot be read")]
    Malformed,
    /// The token has ended, was revoked, or is not for this service.
    #[error("the token is not active for this service")]
    Inactive,
    /// The token does not allow this.
    #[error("this needs the scopes {}", .0.join(" "))]
    MissingScopes(Vec<String>),
    /// Auth cannot be asked.
    #[error("the token cannot be checked at the moment")]
    Unavailable(#[source] Box<Error>),
}

impl Refusal {
    /// The HTTP status for it.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoToken | Self::Inactive => 401,
            Self::Malformed => 400,
            Self::MissingScopes(_) => 403,
            Self::Unavailable(_) => 503,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3).
    pub fn www_authenticate(&self) -> Option<String> {
        match self {
            Self::NoToken => Some("Bearer".to_owned()),
            Self::Malformed => Some("Bearer error=\"invalid_request\"".to_owned()),
            Self::Inactive => Some("Bearer error=\"invalid_token\"".to_owned()),
            Self::MissingScopes(scopes) => {
                let scope = scopes.join(" ");
                Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            Self::Unavailable(_) => None,
        }
    }

    /// The body for it. Missing scopes are told so that the SDKs can ask the person for them.
    pub fn document(&self) -> Value {
        let message = self.to_string();
        match self {
            Self::MissingScopes(scopes) => json!({
                "code": "ConsentRequired",
                "message": message,
                "authorization_parameters": {"required_scopes": scopes},
            }),
            Self::NoToken | Self::Inactive => json!({"code": "AuthenticationFailed", "message": message}),
            Self::Malformed => json!({"code": "BadRequest", "message": message}),
            Self::Unavailable(_) => json!({"code": "ServiceUnavailable", "message": message}),
        }
    }
}
