//! How the program ends, so that scripts can tell what to do next. The table stands in
//! `--help` and in docs/guides/command-line.md.

use std::fmt;
use std::process::ExitCode;

use portolan_server::config::ConfigError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did not work; the message says why.
    Failed = 1,
    /// What was written must be corrected: the command line, a variable or the configuration.
    Usage = 2,
    /// Nobody is logged in, or the login has ended: `portolan login`.
    LoginNeeded = 3,
    /// Somebody is logged in, but the server wants more: the message has the command.
    MoreNeeded = 4,
    /// The server gave no answer.
    Unreachable = 5,
    /// A dry run: something would change.
    WouldChange = 6,
}

/// An error that decides how the program ends.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl Exit {
    pub fn because(self, text: impl Into<String>) -> anyhow::Error {
        let text = text.into();
        Failure { exit: self, text }.into()
    }

    pub fn of(error: &anyhow::Error) -> Self {
        let decided = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>().map(|failure| failure.exit));
        match decided {
            Some(exit) => exit,
            None if error.chain().any(|cause| cause.is::<ConfigError>()) => Self::Usage,
            None => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
