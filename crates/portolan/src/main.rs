//! The one binary: `portolan serve` runs the server; the other commands work beside it on the
//! same store, or over the network as whoever is logged in.

mod commands;
mod exit;
mod explain;
mod find;
mod look_up;
mod options;
mod output;
mod place;
mod profiles;
mod typed;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use exit::Exit;
use options::Options;

// Built without huge pages (feature `no_thp`), of which an idle server would touch a small part each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted Globus Auth, and what people and developers do with one.
///
/// `portolan serve` starts a server: no other step and no configuration is needed. `portolan
/// login` logs in to one; it needs no account on its machine. Commands for operators work on
/// the folder (--data-dir) or database (--database) of a server, while it runs or not.
///
/// Commands that exist on both sides work on the store if one is named, on the server that
/// --profile or --server names, or else where you are logged in.
#[derive(Parser)]
#[command(name = "portolan", version, max_term_width = 100, after_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
For people and developers:
  portolan login --server https://auth.example.org
  portolan whoami
  portolan consent tree
  portolan token get | sed 's/^/Authorization: Bearer /' |
      curl -H @- https://auth.example.org/v2/oauth2/userinfo
  portolan api GET /v2/api/projects
  portolan logout

For operators:
  portolan serve
  portolan tour
  portolan user add alice --name 'Alice Liddell' --email alice@example.org
  portolan project create --name Beamline --contact beamline@example.org --admin alice
  portolan client create --name Portal --type confidential_client --project Beamline
  portolan scope create --client Portal --suffix run --name 'Run jobs' --description 'Start and stop jobs'
  portolan apply -f beamline.toml --dry-run
  portolan audit --since 1d
  portolan backup /backups/portolan.db
  portolan doctor

Programs that nobody watches act as a service account: set PORTOLAN_CLIENT_ID and
PORTOLAN_CLIENT_SECRET, and name the server. Settings of a server can also be given in a file
(--config) or as variables such as PORTOLAN_DATA_DIR; `portolan config sample` shows them all.

Exit status:
  0  done
  1  it did not work; standard error says why
  2  the command line, a variable or the configuration must be corrected
  3  nobody is logged in, or the login has ended: portolan login
  4  the server wants a fresh login, a second factor or a consent: standard error has the command,
     where there is one
  5  the server gave no answer
  6  apply --dry-run: something would change";

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(commands::serve::Serve),
    /// See the whole idea played, on a throw-away store
    Tour(commands::tour::Tour),
    /// Log in to a server
    Login(commands::login::Login),
    /// Log out, here and at the server
    Logout(commands::login::Logout),
    /// Say who is logged in
    Whoami(commands::whoami::Whoami),
    /// Look people and service accounts up, by username or id
    Identities(commands::whoami::Identities),
    /// Tokens for scripts, and what services do with theirs
    #[command(subcommand)]
    Token(commands::token::Token),
    /// Call the interface of the server with your login
    Api(commands::api::Api),
    /// The servers that you use
    #[command(subcommand)]
    Profile(commands::profile::Profile),
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
    Apply(commands::apply::Apply),
    /// What people allowed, and taking it back
    #[command(subcommand, alias = "consents")]
    Consent(commands::consent::Consent),
    /// Your login, and where others are signed in
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
    /// Print what makes a shell complete these commands
    Completions(commands::shell::Completions),
    /// Write the manual pages
    Man(commands::shell::Man),
}

fn main() -> ExitCode {
    // One cryptographic provider for everything that speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let CommandLine { options, command } = CommandLine::parse();
    match command.run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            Exit::of(&error).into()
        }
    }
}

impl Command {
    fn run(self, options: &Options) -> anyhow::Result<()> {
        if self.is_for_operators() {
            options.refuse_server()?;
        }
        match self {
            Command::Serve(command) => command.run(options),
            Command::Tour(command) => command.run(options),
            Command::Login(command) => command.run(options),
            Command::Logout(command) => command.run(options),
            Command::Whoami(command) => command.run(options),
            Command::Identities(command) => command.run(options),
            Command::Token(command) => command.run(options),
            Command::Api(command) => command.run(options),
            Command::Profile(command) => command.run(options),
            Command::User(command) => command.run(options),
            Command::Project(command) => command.run(options),
            Command::Client(command) => command.run(options),
            Command::Scope(command) => command.run(options),
            Command::Policy(command) => command.run(options),
            Command::Apply(command) => command.run(options),
            Command::Consent(command) => command.run(options),
            Command::Session(command) => command.run(options),
            Command::Idp(command) => command.run(options),
            Command::Audit(command) => command.run(options),
            Command::Keys(command) => command.run(options),
            Command::Settings(command) => command.run(options),
            Command::Backup(command) => command.run(options),
            Command::Restore(command) => command.run(options),
            Command::Doctor(command) => command.run(options),
            Command::Config(command) => command.run(),
            Command::Completions(command) => command.run(CommandLine::command()),
            Command::Man(command) => command.run(options, CommandLine::command()),
        }
    }

    /// Commands that there is no way to run over the network.
    fn is_for_operators(&self) -> bool {
        matches!(
            self,
            Command::Serve(_)
                | Command::Tour(_)
                | Command::User(_)
                | Command::Apply(_)
                | Command::Idp(_)
                | Command::Audit(_)
                | Command::Keys(_)
                | Command::Settings(_)
                | Command::Backup(_)
                | Command::Restore(_)
                | Command::Doctor(_)
                | Command::Config(_)
        )
    }
}
