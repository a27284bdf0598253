//! One file for each command or group of commands.

pub mod api;
pub mod apply;
pub mod audit;
pub mod backup;
pub mod client;
pub mod config;
pub mod consent;
pub mod doctor;
pub mod idp;
pub mod keys;
pub mod login;
mod my_consents;
mod my_session;
pub mod policy;
pub mod profile;
pub mod project;
pub mod scope;
pub mod serve;
pub mod session;
pub mod settings;
pub mod shell;
pub mod token;
pub mod tour;
pub mod user;
pub mod whoami;
