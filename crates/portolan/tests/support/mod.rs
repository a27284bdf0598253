//! What the tests with real servers share: places for servers, a line to them, and load
//! with a log that judges them.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(unused_imports, reason = "each test program uses its part")]

mod http;
mod load;
mod place;
mod proxy;
mod terminal;

use std::time::Duration;

pub use self::http::{Answer, Browser, Connection, encode};
pub use self::load::{
    FAMILIES_EACH, Family, Line, Log, REFRESHERS, Token, Verdict, judge_continuation, judge_families, judge_tokens,
    load, verdict,
};
pub use self::place::{People, Place, Server, free_port};
pub use self::proxy::Proxy;
pub use self::terminal::Terminal;

pub const PASSWORD: &str = "seven quiet lanterns drift north";
/// Far more than anything here takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The server itself as a resource; the catalogue fixes its id.
pub const AUTH_RESOURCE_SERVER: &str = "e686dd20-3a53-45a0-8d6f-071162d9ef76";
/// The pair of RFC 7636, appendix B. Nobody attacks these tests.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
