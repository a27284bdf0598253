#![warn(missing_docs)]

mod auth;
mod authorizer;
mod client_info;
mod clock;
mod config;
mod consents;
mod error;
mod flow;
pub mod gare;
mod id_token;
mod identity_map;
mod response;
pub mod scopes;
mod storage;
mod transport;

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
