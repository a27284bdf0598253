//! Stored tokens are looked at when they go in and when they come out: whether they are still
//! the same person's, allow what the app needs, and have not ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_types::IdentityId;

use super::{TokenData, TokenStorage, token_data};
use crate::auth::AuthClient;
use crate::clock::{BoxFuture, Clock};
use crate::consents::ConsentForest;
use crate::error::{Error, Result};
use crate::id_token::IdTokenDecoder;
use crate::response::{GrantKind, TokenResponse};
use crate::scopes::Scope;

/// What an app needs, by resource server.
///
/// ```
/// use portolan_sdk::Scope;
/// use portolan_sdk::storage::ScopeRequirements;
///
/// let needs = ScopeRequirements::from([("auth.globus.org".to_owned(), vec![Scope::new("openid")?])]);
/// assert_eq!(needs.len(), 1);
/// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
/// ```
pub type ScopeRequirements = BTreeMap<String, Vec<Scope>>;

/// Why stored tokens do not do. A login mends all of these but the third.
///
/// ```
/// use portolan_sdk::storage::TokenValidationError;
///
/// let error = TokenValidationError::MissingToken { resource_server: "groups.api.globus.org".to_owned() };
/// assert_eq!(error.to_string(), "there is no token for groups.api.globus.org");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenValidationError {
    /// There is none, or none that renews it.
    #[error("there is no token for {resource_server}")]
    MissingToken {
        /// For whom.
        resource_server: String,
    },
    /// It is not known whose tokens these are.
    #[error("it is not known whose tokens these are: the login must ask for openid")]
    MissingIdentity,
    /// They are somebody else's than those before.
    #[error("the tokens belong to {new}, those before to {stored}: log out first")]
    IdentityMismatch {
        /// Who was logged in.
        stored: String,
        /// Who is now.
        new: String,
    },
    /// The access token has ended.
    #[error("the token for {resource_server} has ended")]
    Expired {
        /// For whom.
        resource_server: String,
        /// When, in seconds since 1970.
        expired_at_seconds: i64,
    },
    /// They do not allow all that is needed.
    #[error("the tokens for {resource_server} do not allow all that is needed")]
    UnmetScopeRequirements {
        /// For whom.
        resource_server: String,
        /// All that is needed.
        requirements: ScopeRequirements,
    },
}

/// Whose tokens are looked at.
///
/// ```
/// let context = portolan_sdk::storage::TokenValidationContext::default();
/// assert_eq!(context.prior_identity_id, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenValidationContext {
    /// Who was known before.
    pub prior_identity_id: Option<String>,
    /// Whom these tokens belong to.
    pub token_data_identity_id: Option<String>,
}

/// Looks at tokens. An error keeps them from being stored, or from being used.
///
/// ```
/// use std::collections::BTreeMap;
/// use portolan_sdk::{BoxFuture, Result};
/// use portolan_sdk::storage::{TokenData, TokenValidationContext, TokenValidator};
///
/// /// Says what goes in.
/// struct Narrator;
///
/// impl TokenValidator for Narrator {
///     fn before_store<'a>(
///         &'a self,
///         tokens: &'a BTreeMap<String, TokenData>,
///         _context: &'a TokenValidationContext,
///     ) -> BoxFuture<'a, Result<()>> {
///         Box::pin(async move {
///             println!("{} tokens", tokens.len());
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait TokenValidator: Send + Sync {
    /// Before tokens are stored.
    fn before_store<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (tokens, context);
        Box::pin(async { Ok(()) })
    }

    /// After tokens were read.
    fn after_retrieve<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (tokens, context);
        Box::pin(async { Ok(()) })
    }
}

/// Demands a refresh token of what is read.
///
/// ```
/// # use std::sync::Arc;
/// use portolan_sdk::storage::{HasRefreshTokensValidator, MemoryTokenStorage, ValidatingTokenStorage};
///
/// let storage = ValidatingTokenStorage::new(Arc::new(MemoryTokenStorage::new()))?
///     .validator(HasRefreshTokensValidator);
/// # let _ = storage;
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HasRefreshTokensValidator;

impl TokenValidator for HasRefreshTokensValidator {
    fn after_retrieve<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        _context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            match tokens.values().find(|data| data.refresh_token.is_none()) {
                None => Ok(()),
                Some(data) => Err(TokenValidationError::MissingToken {
                    resource_server: data.resource_server.clone(),
                }
                .into()),
            }
        })
    }
}

/// Demands that what is read has not ended.
///
/// ```
/// # use std::sync::Arc;
/// use portolan_sdk::SystemClock;
/// use portolan_sdk::storage::NotExpiredValidator;
///
/// let validator = NotExpiredValidator::new(Arc::new(SystemClock));
/// # let _ = validator;
/// ```
#[derive(Clone)]
pub struct NotExpiredValidator {
    clock: Arc<dyn Clock>,
}

impl NotExpiredValidator {
    /// By this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl TokenValidator for NotExpiredValidator {
    fn after_retrieve<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        _context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            let now = self.clock.now().seconds();
            match tokens.values().find(|data| data.expires_at_seconds < now) {
                None => Ok(()),
                Some(data) => Err(TokenValidationError::Expired {
                    resource_server: data.resource_server.clone(),
                    expired_at_seconds: data.expires_at_seconds,
                }
                .into()),
            }
        })
    }
}

/// Demands that what is stored is known to be somebody's, and the same person's as before.
///
/// ```
/// # use std::sync::Arc;
/// use portolan_sdk::storage::{MemoryTokenStorage, UnchangingIdentityValidator, ValidatingTokenStorage};
///
/// let storage = ValidatingTokenStorage::new(Arc::new(MemoryTokenStorage::new()))?
///     .validator(UnchangingIdentityValidator);
/// # let _ = storage;
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UnchangingIdentityValidator;

impl TokenValidator for UnchangingIdentityValidator {
    fn before_store<'a>(
        &'a self,
        _tokens: &'a BTreeMap<String, TokenData>,
        context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            let new = context.token_data_identity_id.as_ref();
            let new = new.ok_or(TokenValidationError::MissingIdentity)?;
            match &context.prior_identity_id {
                Some(stored) if stored != new => Err(TokenValidationError::IdentityMismatch {
                    stored: stored.clone(),
                    new: new.clone(),
                }
                .into()),
                _ => Ok(()),
            }
        })
    }
}

/// Where the consents of a person can be seen.
///
/// ```
/// use portolan_sdk::storage::ConsentSource;
/// use portolan_sdk::{BoxFuture, ConsentForest, IdentityId, Result};
///
/// /// Nobody ever consented to anything.
/// struct Nothing;
///
/// impl ConsentSource for Nothing {
///     fn consents(&self, _identity: IdentityId) -> BoxFuture<'_, Result<ConsentForest>> {
///         Box::pin(async { Ok(ConsentForest::new(Vec::new()).expect("no parent is missing")) })
///     }
/// }
/// ```
pub trait ConsentSource: Send + Sync {
    /// The consents of this person for this app.
    fn consents(&self, identity: IdentityId) -> BoxFuture<'_, Result<ConsentForest>>;
}

impl ConsentSource for AuthClient {
    fn consents(&self, identity: IdentityId) -> BoxFuture<'_, Result<ConsentForest>> {
        Box::pin(async move { self.get_consents(identity, false).await?.to_forest() })
    }
}

/// Demands that the tokens allow what the app needs. What those scopes depend on is compared
/// with the person's consents when tokens are read.
///
/// ```no_run
/// # fn run(client: portolan_sdk::AuthClient) -> Result<(), portolan_sdk::scopes::ScopeError> {
/// use std::sync::{Arc, Mutex};
/// use portolan_sdk::Scope;
/// use portolan_sdk::storage::{ScopeRequirements, ScopeRequirementsValidator};
///
/// let needs = ScopeRequirements::from([("auth.globus.org".to_owned(), vec![Scope::new("openid")?])]);
/// let validator = ScopeRequirementsValidator::new(Arc::new(Mutex::new(needs)), client);
/// # let _ = validator;
/// # Ok(())
/// # }
/// ```
pub struct ScopeRequirementsValidator {
    requirements: Arc<Mutex<ScopeRequirements>>,
    source: Box<dyn ConsentSource>,
    /// What was seen last; a person rarely takes a consent back.
    seen: Mutex<Option<ConsentForest>>,
}

impl ScopeRequirementsValidator {
    /// What is needed may grow later.
    pub fn new(requirements: Arc<Mutex<ScopeRequirements>>, source: impl ConsentSource + 'static) -> Self {
        Self {
            requirements,
            source: Box::new(source),
            seen: Mutex::new(None),
        }
    }

    fn needed(&self) -> ScopeRequirements {
        let requirements = self.requirements.lock();
        requirements.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The error for this resource server.
    fn unmet(&self, data: &TokenData) -> Error {
        TokenValidationError::UnmetScopeRequirements {
            resource_server: data.resource_server.clone(),
            requirements: self.needed(),
        }
        .into()
    }

    fn check_names(&self, data: &TokenData) -> Result<Vec<Scope>> {
        let needed = self.needed().remove(&data.resource_server).unwrap_or_default();
        let names: BTreeSet<&str> = data.scope.split_whitespace().collect();
        if needed.iter().all(|scope| names.contains(scope.name())) {
            return Ok(needed);
        }
        Err(self.unmet(data))
    }

    async fn check_dependencies(&self, data: &TokenData, needed: Vec<Scope>, identity: Option<&str>) -> Result<()> {
        if needed.iter().all(|scope| scope.dependencies().is_empty()) {
            return Ok(());
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(forest) = seen
            && forest.meets_scope_requirements(needed.as_slice())?
        {
            return Ok(());
        }
        let Some(identity) = identity.and_then(|id| id.parse().ok()) else {
            return Ok(());
        };
        let forest = self.source.consents(identity).await?;
        let met = forest.meets_scope_requirements(needed.as_slice())?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(forest);
        if met { Ok(()) } else { Err(self.unmet(data)) }
    }
}

impl TokenValidator for ScopeRequirementsValidator {
    fn before_store<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        _context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            for data in tokens.values() {
                self.check_names(data)?;
            }
            Ok(())
        })
    }

    fn after_retrieve<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, TokenData>,
        context: &'a TokenValidationContext,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            let identity = context
                .token_data_identity_id
                .as_ref()
                .or(context.prior_identity_id.as_ref());
            for data in tokens.values() {
                let needed = self.check_names(data)?;
                self.check_dependencies(data, needed, identity.map(String::as_str))
                    .await?;
            }
            Ok(())
        })
    }
}

/// A storage with validators around it.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use std::sync::Arc;
/// use portolan_sdk::storage::{JsonTokenStorage, UnchangingIdentityValidator, ValidatingTokenStorage};
///
/// let file = JsonTokenStorage::new("/home/robin/.lab/tokens.json")?;
/// let storage = ValidatingTokenStorage::new(Arc::new(file))?.validator(UnchangingIdentityValidator);
/// println!("{}", storage.get("auth.globus.org").await?.scope);
/// # Ok(())
/// # }
/// ```
pub struct ValidatingTokenStorage {
    storage: Arc<dyn TokenStorage>,
    validators: Vec<Box<dyn TokenValidator>>,
    identity_id: Mutex<Option<String>>,
}

impl fmt::Debug for ValidatingTokenStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatingTokenStorage").finish_non_exhaustive()
    }
}

impl ValidatingTokenStorage {
    /// Around this storage, which is asked whose tokens it has.
    pub fn new(storage: Arc<dyn TokenStorage>) -> Result<Self> {
        let identity_id = identity_of(&storage.all()?)?;
        Ok(Self {
            storage,
            validators: Vec::new(),
            identity_id: Mutex::new(identity_id),
        })
    }

    /// With one more validator, asked after the others.
    pub fn validator(mut self, validator: impl TokenValidator + 'static) -> Self {
        self.validators.push(Box::new(validator));
        self
    }

    /// The storage without validators.
    pub fn inner(&self) -> &Arc<dyn TokenStorage> {
        &self.storage
    }

    /// Whose tokens these are.
    ///
    /// ```no_run
    /// # fn show(app: portolan_sdk::UserApp) {
    /// println!("logged in: {:?}", app.token_storage().identity_id());
    /// # }
    /// ```
    pub fn identity_id(&self) -> Option<String> {
        self.identity_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_identity(&self, identity_id: Option<String>) {
        *self.identity_id.lock().unwrap_or_else(PoisonError::into_inner) = identity_id;
    }

    fn context(&self, tokens: &BTreeMap<String, TokenData>) -> Result<TokenValidationContext> {
        Ok(TokenValidationContext {
            prior_identity_id: self.identity_id(),
            token_data_identity_id: identity_of(tokens)?,
        })
    }

    /// Stores tokens if no validator objects.
    pub async fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        let context = self.context(tokens)?;
        for validator in &self.validators {
            validator.before_store(tokens, &context).await?;
        }
        self.storage.store(tokens)?;
        if context.prior_identity_id.is_none() {
            self.set_identity(context.token_data_identity_id);
        }
        Ok(())
    }

    /// Stores what came from a login or a renewal. Whose it is stands in the ID token; a
    /// renewal has none and belongs to whom the login belonged.
    pub async fn store_response(&self, response: &TokenResponse, decoder: &IdTokenDecoder) -> Result<()> {
        let identity = match (response.kind(), response.id_token()) {
            (GrantKind::RefreshToken, _) => self.identity_id(),
            (GrantKind::DependentToken, _) | (_, None) => None,
            (_, Some(_)) => Some(response.decode_id_token(decoder).await?.sub.to_string()),
        };
        self.store(&token_data(response, identity.as_deref())).await
    }

    /// The tokens of one resource server. None at all is an error.
    pub async fn get(&self, resource_server: &str) -> Result<TokenData> {
        let data = self.storage.get(resource_server)?;
        let data = data.ok_or_else(|| TokenValidationError::MissingToken {
            resource_server: resource_server.to_owned(),
        })?;
        let tokens = BTreeMap::from([(data.resource_server.clone(), data.clone())]);
        self.check_retrieved(&tokens).await?;
        Ok(data)
    }

    /// All tokens.
    pub async fn all(&self) -> Result<BTreeMap<String, TokenData>> {
        let tokens = self.storage.all()?;
        self.check_retrieved(&tokens).await?;
        Ok(tokens)
    }

    async fn check_retrieved(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        let context = self.context(tokens)?;
        for validator in &self.validators {
            validator.after_retrieve(tokens, &context).await?;
        }
        if context.prior_identity_id.is_none() {
            self.set_identity(context.token_data_identity_id);
        }
        Ok(())
    }

    /// Removes the tokens of one resource server. With the last ones it is forgotten whose
    /// they were.
    pub fn remove(&self, resource_server: &str) -> Result<bool> {
        let removed = self.storage.remove(resource_server)?;
        if self.storage.all()?.is_empty() {
            self.set_identity(None);
        }
        Ok(removed)
    }
}

fn identity_of(tokens: &BTreeMap<String, TokenData>) -> Result<Option<String>> {
    let ids: BTreeSet<&String> = tokens.values().filter_map(|data| data.identity_id.as_ref()).collect();
    if ids.len() > 1 {
        return Err(Error::usage(format!(
            "the stored tokens belong to several people: {ids:?}"
        )));
    }
    Ok(ids.first().map(|id| (*id).clone()))
}
