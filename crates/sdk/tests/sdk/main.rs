//! The crate against a server of the tests, which answers as they tell it to.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;
mod transport;
