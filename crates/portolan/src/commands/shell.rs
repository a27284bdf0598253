//! `portolan completions`, `portolan man`: what shells and `man` know about the commands.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::options::Options;
use crate::output;

/// Print what makes a shell complete these commands.
#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan completions bash > ~/.local/share/bash-completion/completions/portolan
  portolan completions zsh > ~/.zfunc/_portolan      (with fpath+=~/.zfunc before compinit)
  portolan completions fish > ~/.config/fish/completions/portolan.fish")]
pub struct Completions {
    shell: Shell,
}

/// Write the manual pages, one for each command.
#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan man --dir ~/.local/share/man/man1
  man portolan-login")]
pub struct Man {
    /// The folder; it is made if need be
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Completions {
    pub fn run(self, mut command: Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "portolan", &mut script);
        match std::io::stdout().lock().write_all(&script) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Man {
    pub fn run(self, options: &Options, command: Command) -> Result<()> {
        let name = || self.dir.display().to_string();
        std::fs::create_dir_all(&self.dir).with_context(name)?;
        clap_mangen::generate_to(command, &self.dir).with_context(name)?;
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(&self.dir).with_context(name)? {
            let page = entry.with_context(name)?.file_name().to_string_lossy().into_owned();
            if page.starts_with("portolan") && page.ends_with(".1") {
                pages.push(page);
            }
        }
        pages.sort();
        output::print(
            options.format,
            &serde_json::json!({ "dir": self.dir, "pages": pages }),
            || {
                format!(
                    "Wrote {} to {}.",
                    output::count(pages.len(), "page"),
                    self.dir.display()
                )
            },
        )
    }
}
