//! One file for each command or group of commands.

pub mod backup;
pub mod client;
pub mod config;
pub mod doctor;
pub mod keys;
pub mod serve;
pub mod settings;
pub mod user;
