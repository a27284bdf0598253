//! The clients of Auth. An [`AuthClient`] asks with a token; a [`NativeAppAuthClient`] and a
//! [`ConfidentialAppAuthClient`] log people in, and get tokens.

mod client;
mod documents;
mod login;
mod options;
mod requests;

pub(crate) use client::get_jwk_at;
pub use client::{AuthClient, Consents};
pub use documents::{
    Introspection, Jwks, NewClient, NewScope, OpenIdConfiguration, PolicyEvaluation, Session, SessionAuthentication,
};
pub use login::{
    AuthLoginClient, ConfidentialAppAuthClient, DependentTokenRequest, IntrospectionRequest, NativeAppAuthClient,
};
pub use options::ClientOptions;
pub use requests::{
    ClientRequest, ClientSelector, DependentScope, IdentityLookup, IdentityProviderLookup, PolicyRequest,
    ProjectRequest, ScopeLookup, ScopeRequest,
};
