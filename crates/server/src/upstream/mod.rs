//! Outgoing calls: the only code that asks other machines. It knows nothing of tokens.

pub mod dns;
pub mod fetch;
pub mod smtp;
