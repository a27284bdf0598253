//! The protocol endpoints, one file each.

pub mod authorize;
pub mod discovery;
pub mod forms;
pub mod grants;
pub mod introspect;
pub mod jwks;
pub mod revoke;
pub mod token;
pub mod userinfo;
