//! The protocol endpoints through the router, one file per route. The names are statements
//! about the server; where one is a point of a standard, the comment above it names the point.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "oauth/token_code.rs"]
mod token_code;
