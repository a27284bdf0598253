//! The developer interface through the router, one file per resource (wire.md 2.5, 2.6,
//! 2.7). The names are statements about the server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "api/audit.rs"]
mod audit;
#[path = "api/clients.rs"]
mod clients;
#[path = "api/consents.rs"]
mod consents;
#[path = "api/credentials.rs"]
mod credentials;
#[path = "api/developer.rs"]
mod developer;
#[path = "api/fqdns.rs"]
mod fqdns;
#[path = "api/identities.rs"]
mod identities;
#[path = "api/identity_providers.rs"]
mod identity_providers;
#[path = "api/policies.rs"]
mod policies;
#[path = "api/projects.rs"]
mod projects;
#[path = "api/scopes.rs"]
mod scopes;
#[path = "api/session_gate.rs"]
mod session_gate;
