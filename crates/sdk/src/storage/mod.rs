//! Tokens that outlive the program: in memory, in a JSON file, or in an SQLite file. The files
//! are those of the Python SDK (version 4), namespaces included: either SDK reads and renews
//! what the other one wrote.

mod json;
mod paths;
#[cfg(feature = "sqlite")]
mod sqlite;
mod validation;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_types::Secret;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::response::TokenResponse;

pub use json::JsonTokenStorage;
pub use paths::default_path;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteTokenStorage;
pub use validation::{
    ConsentSource, HasRefreshTokensValidator, NotExpiredValidator, ScopeRequirements, ScopeRequirementsValidator,
    TokenValidationContext, TokenValidationError, TokenValidator, UnchangingIdentityValidator, ValidatingTokenStorage,
};

/// The namespace where nobody names one.
pub const DEFAULT_NAMESPACE: &str = "DEFAULT";

/// The tokens of one resource server, as they are stored.
///
/// ```
/// use portolan_sdk::storage::TokenData;
///
/// let data: TokenData = serde_json::from_str(
///     r#"{"resource_server": "auth.globus.org", "scope": "openid", "access_token": "Ag", "expires_at_seconds": 7}"#,
/// )?;
/// assert_eq!(data.refresh_token, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenData {
    /// The service that they are for.
    pub resource_server: String,
    /// Who logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// What they allow: names separated by spaces.
    pub scope: String,
    /// The access token.
    pub access_token: Secret,
    /// What renews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// When the access token ends, in seconds since 1970.
    pub expires_at_seconds: i64,
    /// Usually `Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
}

/// Keeps tokens.
///
/// ```
/// use portolan_sdk::storage::{MemoryTokenStorage, TokenStorage};
///
/// let storage = MemoryTokenStorage::new();
/// assert_eq!(storage.get("auth.globus.org")?, None);
/// assert!(!storage.remove("auth.globus.org")?);
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
pub trait TokenStorage: Send + Sync {
    /// Stores these, and leaves those of other resource servers as they are.
    fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()>;

    /// All tokens by resource server.
    fn all(&self) -> Result<BTreeMap<String, TokenData>>;

    /// Those of one resource server.
    fn get(&self, resource_server: &str) -> Result<Option<TokenData>> {
        Ok(self.all()?.remove(resource_server))
    }

    /// Removes those of one resource server; whether there were any.
    fn remove(&self, resource_server: &str) -> Result<bool>;

    /// Which tokens of a file that several programs share are meant.
    fn namespace(&self) -> &str {
        DEFAULT_NAMESPACE
    }

    /// Stores what came from a login or a renewal, for this identity.
    ///
    /// ```no_run
    /// # fn keep(response: portolan_sdk::TokenResponse) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::storage::{JsonTokenStorage, TokenStorage};
    ///
    /// let storage = JsonTokenStorage::new("/home/robin/.lab/tokens.json")?;
    /// storage.store_response(&response, None)?;
    /// # Ok(())
    /// # }
    /// ```
    fn store_response(&self, response: &TokenResponse, identity_id: Option<&str>) -> Result<()> {
        self.store(&token_data(response, identity_id))
    }
}

impl<T: TokenStorage + ?Sized> TokenStorage for Arc<T> {
    fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        (**self).store(tokens)
    }

    fn all(&self) -> Result<BTreeMap<String, TokenData>> {
        (**self).all()
    }

    fn get(&self, resource_server: &str) -> Result<Option<TokenData>> {
        (**self).get(resource_server)
    }

    fn remove(&self, resource_server: &str) -> Result<bool> {
        (**self).remove(resource_server)
    }

    fn namespace(&self) -> &str {
        (**self).namespace()
    }
}

/// The tokens of an answer, as they are stored.
pub(crate) fn token_data(response: &TokenResponse, identity_id: Option<&str>) -> BTreeMap<String, TokenData> {
    let stored = response.tokens().map(|token| {
        let data = TokenData {
            resource_server: token.resource_server.clone(),
            identity_id: identity_id.map(str::to_owned),
            scope: token.scope.clone(),
            access_token: token.access_token.clone(),
            refresh_token: token.refresh_token.clone(),
            expires_at_seconds: token.expires_at_seconds,
            token_type: token.token_type.clone(),
        };
        (token.resource_server.clone(), data)
    });
    stored.collect()
}

/// Keeps tokens as long as the program runs.
///
/// ```
/// use portolan_sdk::storage::{MemoryTokenStorage, TokenStorage};
///
/// assert!(MemoryTokenStorage::new().all()?.is_empty());
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryTokenStorage {
    tokens: Mutex<BTreeMap<String, TokenData>>,
}

impl MemoryTokenStorage {
    /// Without tokens.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, run: impl FnOnce(&mut BTreeMap<String, TokenData>) -> T) -> T {
        run(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenStorage for MemoryTokenStorage {
    fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        self.with(|known| known.extend(tokens.clone()));
        Ok(())
    }

    fn all(&self) -> Result<BTreeMap<String, TokenData>> {
        Ok(self.with(|known| known.clone()))
    }

    fn remove(&self, resource_server: &str) -> Result<bool> {
        Ok(self.with(|known| known.remove(resource_server)).is_some())
    }
}
