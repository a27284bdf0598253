//! The options that every command takes, and the configuration they lead to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use portolan_db::Db;
use portolan_server::app::{Clock, system_now};
use portolan_server::config::{ConfigError, Sources};
use portolan_server::texts::Language;
use portolan_server::{App, Config, Ctx, start};

const RUNNING: &str = "Over the network, as who you are logged in";
const STORE: &str = "On the store of a server, as its operator";

// Variables are read by hand where it matters whether a variable or a flag named the place.
#[derive(Args)]
pub struct Options {
    /// A server that somebody logged in to: `portolan profile list` [env: PORTOLAN_PROFILE]
    #[arg(long, global = true, value_name = "NAME", help_heading = RUNNING)]
    pub(crate) profile: Option<String>,
    /// The same by its address [env: PORTOLAN_SERVER]
    #[arg(long, global = true, value_name = "URL", help_heading = RUNNING)]
    pub(crate) server: Option<String>,
    /// The folder of the server [default: ./portolan-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = STORE)]
    pub(crate) data_dir: Option<String>,
    /// sqlite:PATH or postgres://USER@HOST/DATABASE [default: a file in the folder]
    #[arg(long, global = true, value_name = "URL", help_heading = STORE)]
    pub(crate) database: Option<String>,
    /// A configuration file (TOML); variables and flags override it [env: PORTOLAN_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = STORE)]
    pub(crate) config: Option<PathBuf>,
    /// The file of the master key [default: master.key in the folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = STORE)]
    pub(crate) master_key_file: Option<String>,
    /// How results are printed
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "PORTOLAN_FORMAT",
        help_heading = "Output"
    )]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    #[value(alias = "table")]
    Text,
    /// For programs
    Json,
}

impl Options {
    pub fn sources(&self) -> Sources {
        let given = [
            ("data_dir", &self.data_dir),
            ("database", &self.database),
            ("master_key_file", &self.master_key_file),
        ];
        Sources {
            file: self
                .config
                .clone()
                .or_else(|| variable("PORTOLAN_CONFIG").map(PathBuf::from)),
            // A variable that is not Unicode cannot be one of ours.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            flags: given
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)))
                .collect(),
        }
    }

    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.sources())
    }

    /// The store alone; enough for commands that need no key.
    pub fn store(&self) -> anyhow::Result<(Config, Db)> {
        let config = self.config()?;
        let db = start::open_store(&config)?;
        Ok((config, db))
    }

    /// The store with its keys.
    pub fn app(&self) -> anyhow::Result<App> {
        Ok(start::open(self.config()?, Clock::System)?)
    }
}

/// A variable; an empty one is as good as none.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The context of a command.
pub fn context() -> Ctx {
    Ctx {
        now: system_now(),
        request_id: portolan_server::app::RequestId::new(),
        address: None,
        user_agent: None,
        language: Language::default(),
        language_is_chosen: false,
        can_be_reloaded: false,
    }
}
