//! What Portolan's server, SDK and command line must agree on: ids, the scope
//! grammar, and the documents on the wire. No input or output, nothing asynchronous.

pub mod api;
pub mod error;
#[cfg(any(test, feature = "openapi"))]
mod examples;
pub mod id;
pub mod oauth;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod scope;
pub mod secret;
pub mod time;

pub use id::{
    AppSessionId, BrowserSessionId, ClientId, ConsentId, CredentialId, FamilyId, IdentityId, IdentityProviderId,
    IdentitySetId, IssuanceId, PolicyId, ProjectId, ScopeId,
};
pub use scope::{RequestedScope, ScopeRequest};
pub use secret::{Secret, TokenHash};
pub use time::Timestamp;
