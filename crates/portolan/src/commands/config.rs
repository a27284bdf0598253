//! `portolan config`.

use anyhow::Result;
use clap::Subcommand;

use crate::output;

#[derive(Subcommand)]
pub enum Config {
    /// Print a sample file with every setting, its meaning and its default
    #[command(after_help = "Example:\n  portolan config sample > portolan.toml")]
    Sample,
}

impl Config {
    pub fn run(self) -> Result<()> {
        match self {
            Config::Sample => output::line(&portolan_server::Config::sample()),
        }
    }
}
