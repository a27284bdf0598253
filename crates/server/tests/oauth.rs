//! The protocol endpoints through the router, one file per route. The names are statements
//! about the server; where one is a point of a standard, the comment above it names the point.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "oauth/authorize.rs"]
mod authorize;
#[path = "oauth/clients_api.rs"]
mod clients_api;
#[path = "oauth/cors.rs"]
mod cors;
#[path = "oauth/discovery.rs"]
mod discovery;
#[path = "oauth/id_token.rs"]
mod id_token;
#[path = "oauth/identities_api.rs"]
mod identities_api;
#[path = "oauth/introspect.rs"]
mod introspect;
#[path = "oauth/jwks.rs"]
mod jwks;
#[path = "oauth/nodes.rs"]
mod nodes;
#[path = "oauth/relying_party.rs"]
mod relying_party;
#[path = "oauth/revoke.rs"]
mod revoke;
#[path = "oauth/session_requirements.rs"]
mod session_requirements;
#[path = "oauth/token_client_credentials.rs"]
mod token_client_credentials;
#[path = "oauth/token_code.rs"]
mod token_code;
#[path = "oauth/token_dependent.rs"]
mod token_dependent;
#[path = "oauth/token_endpoint.rs"]
mod token_endpoint;
#[path = "oauth/token_refresh.rs"]
mod token_refresh;
#[path = "oauth/userinfo.rs"]
mod userinfo;
#[path = "oauth/validate.rs"]
mod validate;
