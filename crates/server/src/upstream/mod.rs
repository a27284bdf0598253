//! Outgoing calls: the only code that asks other machines, and what it makes of their
//! answers. It knows nothing of our own tokens and tables.

pub mod claims;
pub mod discovery;
pub mod dns;
pub mod fault;
pub mod fetch;
pub mod oidc;
pub mod provider;
pub mod smtp;
