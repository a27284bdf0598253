//! One file for each command or group of commands.

pub mod audit;
pub mod backup;
pub mod client;
pub mod config;
pub mod consent;
pub mod doctor;
pub mod idp;
pub mod keys;
pub mod policy;
pub mod project;
pub mod scope;
pub mod serve;
pub mod session;
pub mod settings;
pub mod tour;
pub mod user;
