//! Edge plumbing between the wire and the handlers; no rules.

pub mod bearer;
pub mod browser;
pub mod client_auth;
pub mod context;
pub mod cors;
pub mod extract;
pub mod limits;
pub mod openapi;
pub mod render;
mod strict_json;
pub mod upload;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderName, HeaderValue};

/// Answers that hold tokens or say whether one is active are kept by nobody (RFC 6749
/// section 5.1); `Pragma` is for old caches.
pub fn no_store() -> [(HeaderName, HeaderValue); 2] {
    [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (PRAGMA, HeaderValue::from_static("no-cache")),
    ]
}
