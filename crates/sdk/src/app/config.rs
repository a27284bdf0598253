//! The settings of an app.

use std::fmt;
use std::sync::Arc;

use super::login::{CommandLineLogin, LocalServerLogin, LoginFlow};
use crate::auth::ClientOptions;
use crate::clock::BoxFuture;
use crate::error::Result;
use crate::id_token::IdTokenDecoder;
use crate::storage::{TokenStorage, TokenValidationError};

/// The settings of an app.
///
/// ```
/// use portolan_sdk::{AppConfig, StorageKind};
///
/// # fn main() -> portolan_sdk::Result<()> {
/// let config = AppConfig::new()?
///     .token_storage(StorageKind::Memory)
///     .request_refresh_tokens(true)
///     .auto_redrive_gares(true);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AppConfig {
    pub(crate) login_flow: Arc<dyn LoginFlow>,
    pub(crate) login_redirect_uri: Option<String>,
    pub(crate) token_storage: StorageKind,
    pub(crate) request_refresh_tokens: bool,
    pub(crate) auto_redrive_gares: bool,
    pub(crate) on_invalid_tokens: OnInvalidTokens,
    pub(crate) id_token_decoder: Option<Arc<IdTokenDecoder>>,
    pub(crate) options: ClientOptions,
}

impl fmt::Debug for AppConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppConfig")
            .field("login_redirect_uri", &self.login_redirect_uri)
            .field("token_storage", &self.token_storage)
            .field("request_refresh_tokens", &self.request_refresh_tokens)
            .field("auto_redrive_gares", &self.auto_redrive_gares)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Where an app keeps its tokens. The files are those of the Python SDK.
///
/// ```
/// use portolan_sdk::StorageKind;
///
/// assert!(matches!(StorageKind::default(), StorageKind::Json));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum StorageKind {
    /// A JSON file in `~/.globus/app`.
    #[default]
    Json,
    /// An SQLite file in `~/.globus/app`.
    #[cfg(feature = "sqlite")]
    Sqlite,
    /// Nowhere: they end with the program.
    Memory,
    /// Somewhere else.
    Custom(Arc<dyn TokenStorage>),
}

impl fmt::Debug for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "Json",
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "Sqlite",
            Self::Memory => "Memory",
            Self::Custom(_) => "Custom",
        })
    }
}

type Handler = Arc<dyn Fn(TokenValidationError) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// What an app does when the stored tokens do not do.
///
/// ```
/// use std::sync::Arc;
/// use portolan_sdk::OnInvalidTokens;
///
/// let handler = OnInvalidTokens::Custom(Arc::new(|error| Box::pin(async move { Err(error.into()) })));
/// # let _ = handler;
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum OnInvalidTokens {
    /// Logs in, unless somebody else's tokens are stored.
    #[default]
    LogIn,
    /// Passes the error on.
    Fail,
    /// Asks; after `Ok` the tokens are read once more.
    Custom(Handler),
}

impl AppConfig {
    /// Login in the terminal, tokens in a JSON file, no refresh tokens; Auth is where the
    /// environment variables say.
    pub fn new() -> Result<Self> {
        Ok(Self::with_options(ClientOptions::new()?))
    }

    /// The same with other options.
    pub fn with_options(options: ClientOptions) -> Self {
        Self {
            login_flow: Arc::new(CommandLineLogin::default()),
            login_redirect_uri: None,
            token_storage: StorageKind::default(),
            request_refresh_tokens: false,
            auto_redrive_gares: false,
            on_invalid_tokens: OnInvalidTokens::default(),
            id_token_decoder: None,
            options,
        }
    }

    /// The person opens an address and copies a code.
    ///
    /// ```
    /// use portolan_sdk::AppConfig;
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let config = AppConfig::new()?.command_line_login();
    /// # Ok(())
    /// # }
    /// ```
    pub fn command_line_login(self) -> Self {
        self.login_flow(CommandLineLogin::default())
    }

    /// A browser opens on this machine and comes back by itself.
    pub fn local_server_login(self) -> Self {
        self.login_flow(LocalServerLogin::default())
    }

    /// Any other way to log in.
    pub fn login_flow(mut self, flow: impl LoginFlow + 'static) -> Self {
        self.login_flow = Arc::new(flow);
        self
    }

    /// Where the browser comes back to, for clients with a secret.
    pub fn login_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.login_redirect_uri = Some(uri.into());
        self
    }

    /// Where tokens are kept.
    pub fn token_storage(mut self, kind: StorageKind) -> Self {
        self.token_storage = kind;
        self
    }

    /// Whether a login lasts beyond the end of its access tokens.
    pub fn request_refresh_tokens(mut self, wanted: bool) -> Self {
        self.request_refresh_tokens = wanted;
        self
    }

    /// Whether the app asks the person by itself when a service says what is missing.
    pub fn auto_redrive_gares(mut self, wanted: bool) -> Self {
        self.auto_redrive_gares = wanted;
        self
    }

    /// What happens when the stored tokens do not do.
    ///
    /// ```
    /// use portolan_sdk::{AppConfig, OnInvalidTokens};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let config = AppConfig::new()?.on_invalid_tokens(OnInvalidTokens::Fail);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_invalid_tokens(mut self, what: OnInvalidTokens) -> Self {
        self.on_invalid_tokens = what;
        self
    }

    /// Checks ID tokens in another way.
    ///
    /// ```
    /// use portolan_sdk::{AppConfig, IdTokenDecoder, NativeAppAuthClient};
    ///
    /// # fn main() -> portolan_sdk::Result<()> {
    /// let client = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
    /// let config = AppConfig::new()?.id_token_decoder(IdTokenDecoder::new(&client).check_issuer());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id_token_decoder(mut self, decoder: IdTokenDecoder) -> Self {
        self.id_token_decoder = Some(Arc::new(decoder));
        self
    }
}
