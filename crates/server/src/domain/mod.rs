//! The rules. No HTTP, no SQL: functions over transactions and plain values.

pub mod address;
pub mod attempts;
pub mod authorization;
pub mod client;
pub mod consent;
pub mod factors;
pub mod id_token;
pub mod identity;
pub mod keys;
pub mod linking;
pub mod logout;
pub mod mail;
pub mod password;
pub mod pkce;
pub mod policy;
pub mod profile;
pub mod project;
pub mod provider;
pub mod scope;
pub mod sealing;
pub mod session;
pub mod token_format;
pub mod tokens;
pub mod totp;
pub mod upstream;
pub mod webauthn;
