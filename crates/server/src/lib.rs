//! The Portolan authorization server. Modules in reading order: what is configured and
//! shared, the routes, the three surfaces (protocol, JSON interface, pages), the rules
//! they call, the tables, and the work in the background.
//!
//! Imports go `router → oauth | api | web → domain → store → portolan_db`, never back.

pub mod api;
pub mod app;
pub mod catalogue;
pub mod config;
pub mod domain;
pub mod error;
pub mod health;
pub mod http;
pub mod jobs;
pub mod metrics;
mod notify;
pub mod oauth;
pub mod openapi;
pub mod router;
pub mod serve;
pub mod start;
pub mod store;
pub mod texts;
pub mod upstream;
pub mod web;

pub use app::{App, Ctx};
pub use config::Config;
pub use error::{Error, Kind, Result};
