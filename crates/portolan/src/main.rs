//! The one binary: `portolan serve` runs the server, the other commands work beside it on
//! the same store.

mod commands;
mod find;
mod options;
mod output;
mod typed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portolan_server::config::ConfigError;

use options::Options;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted Globus Auth.
///
/// Start it with `portolan serve`: no other step and no configuration is needed. All other
/// commands work on the folder (--data-dir) or database (--database) of a server, while it
/// runs or not.
#[derive(Parser)]
#[command(name = "portolan", version, max_term_width = 100, after_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  portolan serve
  portolan tour
  portolan user add alice --name 'Alice Liddell' --email alice@example.org
  portolan project create --name Beamline --contact beamline@example.org --admin alice
  portolan client create --name Portal --type confidential_client --project Beamline
  portolan client secret create Portal --name deploy
  portolan scope create --client Portal --suffix run --name 'Run jobs' --description 'Start and stop jobs'
  portolan consent list alice
  portolan audit --since 1d
  portolan backup /backups/portolan.db
  portolan doctor

Settings can also be given in a file (--config) or as variables such as PORTOLAN_DATA_DIR;
`portolan config sample` shows them all.";

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(commands::serve::Serve),
    /// See the whole idea played, on a throw-away store
    Tour(commands::tour::Tour),
    /// Local accounts
    #[command(subcommand)]
    User(commands::user::User),
    /// Projects: who administers which clients and policies
    #[command(subcommand)]
    Project(commands::project::Project),
    /// Clients: apps, services and their secrets
    #[command(subcommand)]
    Client(commands::client::Client),
    /// Scopes: what services offer, and what they need further down
    #[command(subcommand)]
    Scope(commands::scope::Scope),
    /// Policies: what somebody's identities or login must be like
    #[command(subcommand)]
    Policy(commands::policy::Policy),
    /// What people allowed, and taking it back
    #[command(subcommand)]
    Consent(commands::consent::Consent),
    /// Where somebody is signed in, and signing them out
    #[command(subcommand)]
    Session(commands::session::Session),
    /// Where people authenticate
    #[command(subcommand)]
    Idp(commands::idp::Idp),
    /// Who did what, and when
    Audit(commands::audit::Audit),
    /// Signing keys and the master key
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    /// What the store remembers about its server
    #[command(subcommand)]
    Settings(commands::settings::Settings),
    /// Save a copy of the store, while the server runs
    Backup(commands::backup::Backup),
    /// Put a saved copy in the place of the store
    Restore(commands::backup::Restore),
    /// Look for what is wrong, and say what to do
    Doctor(commands::doctor::Doctor),
    /// The configuration file
    #[command(subcommand)]
    Config(commands::config::Config),
}

fn main() -> ExitCode {
    // One cryptographic provider for everything that speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let CommandLine { options, command } = CommandLine::parse();
    let result = match command {
        Command::Serve(command) => command.run(&options),
        Command::Tour(command) => command.run(&options),
        Command::User(command) => command.run(&options),
        Command::Project(command) => command.run(&options),
        Command::Client(command) => command.run(&options),
        Command::Scope(command) => command.run(&options),
        Command::Policy(command) => command.run(&options),
        Command::Consent(command) => command.run(&options),
        Command::Session(command) => command.run(&options),
        Command::Idp(command) => command.run(&options),
        Command::Audit(command) => command.run(&options),
        Command::Keys(command) => command.run(&options),
        Command::Settings(command) => command.run(&options),
        Command::Backup(command) => command.run(&options),
        Command::Restore(command) => command.run(&options),
        Command::Doctor(command) => command.run(&options),
        Command::Config(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            // 2 as for a wrong command line: something that was written must be corrected.
            ExitCode::from(if is_configuration(&error) { 2 } else { 1 })
        }
    }
}

fn is_configuration(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<ConfigError>())
}
