//! A client for Globus Auth, and for Portolan, which
//! speaks the same protocol on machines of your own.
//!
//! # Which part is for you
//!
//! | You write | Begin with |
//! |---|---|
//! | a program that a person runs | [`UserApp`]: it logs in when it must and keeps the tokens |
//! | a service account | [`ClientApp`] |
//! | a web app that people log in to | [`ConfidentialAppAuthClient::start_flow`] and [`Flow::complete`] |
//! | a service that is given tokens | [`resource_server`] |
//! | anything that looks people up | [`AuthClient`] and [`IdentityMap`] |
//! | a script without async | the feature `blocking` and its module of that name |
//!
//! # From nothing to a name
//!
//! ```no_run
//! # async fn run() -> portolan_sdk::Result<()> {
//! use portolan_sdk::{AppConfig, UserApp};
//!
//! let app = UserApp::new("tour", "95fdeba8-fac2-42bd-a357-e068d82ff78e", AppConfig::new()?)?;
//! let client = app.auth_client("")?;
//! let person = client.userinfo().await?;
//! println!("Hello, {}", person.name.as_deref().unwrap_or("stranger"));
//! # Ok(())
//! # }
//! ```
//!
//! # Where Auth is
//!
//! Without more it is Globus itself, `https://auth.globus.org/`. The environment variable
//! `GLOBUS_SDK_SERVICE_URL_AUTH` or [`ClientOptions::base_url`] names another one:
//!
//! ```
//! # fn main() -> portolan_sdk::Result<()> {
//! use portolan_sdk::{AuthClient, ClientOptions, NullAuthorizer};
//!
//! let options = ClientOptions::new()?.base_url("http://localhost:8080");
//! let client = AuthClient::with_options(NullAuthorizer, options)?;
//! assert_eq!(client.base_url(), "http://localhost:8080/");
//! # Ok(())
//! # }
//! ```
//!
//! The other variables are `GLOBUS_SDK_ENVIRONMENT`, `GLOBUS_SDK_HTTP_TIMEOUT` and
//! `GLOBUS_SDK_VERIFY_SSL`, with the meaning that they have for the Python SDK; see
//! [`EnvironmentVariables`].
//!
//! # What happens when something fails
//!
//! A request is sent again after failures that may pass, five times at most, with pauses that
//! grow ([`RetryPolicy`]). A token that ends is renewed before it does, and once after a 401;
//! callers at the same time share the renewal ([`RefreshTokenAuthorizer`]). Every failure is an
//! [`Error`]; what the service said is an [`AuthApiError`], and [`Error::gare`] tells what the
//! person must do so that the call succeeds. [`AppConfig::auto_redrive_gares`] lets the app ask
//! for it by itself.
//!
//! # Coming from the Python SDK
//!
//! [`parity`] has a table of every class, method and property with its place here.

#![warn(missing_docs)]

mod app;
mod auth;
mod authorizer;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client_info;
mod clock;
mod config;
mod consents;
mod error;
mod flow;
pub mod gare;
mod id_token;
mod identity_map;
pub mod resource_server;
mod response;
#[doc = include_str!("parity.md")]
pub mod parity {}
pub mod scopes;
pub mod storage;
mod transport;

pub use app::{
    AppAuthorizer, AppConfig, ClientApp, CommandLineLogin, GlobusApp, LocalServerLogin, Login, LoginClient, LoginFlow,
    OnInvalidTokens, StorageKind, Terminal, UserApp,
};
pub use auth::{
    AuthClient, AuthLoginClient, ClientOptions, ClientRequest, ClientSelector, ConfidentialAppAuthClient, Consents,
    DependentScope, DependentTokenRequest, IdentityLookup, IdentityProviderLookup, Introspection, IntrospectionRequest,
    Jwks, NativeAppAuthClient, NewClient, NewScope, OpenIdConfiguration, PolicyEvaluation, PolicyRequest,
    ProjectRequest, ScopeLookup, ScopeRequest, Session, SessionAuthentication,
};
pub use authorizer::{
    AccessTokenAuthorizer, Authorizer, BasicAuthorizer, ClientCredentialsAuthorizer, NullAuthorizer,
    RefreshTokenAuthorizer,
};
pub use client_info::ClientInfo;
pub use clock::{BoxFuture, Clock, Random, SystemClock, SystemRandom};
pub use config::{Environment, EnvironmentVariables, VerifyTls};
pub use consents::{ConsentForest, ConsentTree, MissingParent};
pub use error::{
    AuthApiError, Error, ErrorInfo, ErrorSubdocument, NetworkError, NetworkErrorKind, ParameterInfo, Result,
    StorageError,
};
pub use flow::{Flow, FlowError, FlowOptions};
pub use gare::{AuthorizationParameters, Gare};
pub use id_token::{IdTokenClaims, IdTokenDecoder, IdTokenError};
pub use identity_map::{IdentityCache, IdentityMap, IdentitySource};
pub use portolan_types::{
    ClientId, ConsentId, CredentialId, IdentityId, IdentityProviderId, PolicyId, ProjectId, ScopeId, Secret, Timestamp,
};
pub use response::{ByScopes, GrantKind, Response, Token, TokenResponse};
pub use scopes::Scope;
pub use transport::{Body, Request, RetryPolicy, Streamed, TransportConfig};

/// The documents of the interface, as `portolan-types` has them for the server too.
pub mod documents {
    pub use portolan_types::api::{
        Client, ClientLinks, ClientType, Consent, ConsentStatus, Credential, Group, IdentitiesAnswer, Identity,
        IdentityProvider, IdentityStatus, IdentityType, IncludedIdentityProviders, Policy, Project, ProjectAdmins,
        Scope, Visibility,
    };
    pub use portolan_types::oauth::{Activity, LinkedIdentity, UserInfo};
}
