//! The crate against a server of the tests, which answers as they tell it to.

#![expect(clippy::unwrap_used, reason = "tests")]

mod app;
mod auth;
#[cfg(feature = "blocking")]
mod blocking;
mod flow;
mod id_token;
mod identity_map;
mod parity;
mod resource_server;
mod storage;
mod support;
mod transport;
