//! What several parts of one run share, made when the first of them asks for it.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, anyhow};

use crate::{postgres::Cluster, setup};

/// A failure is kept too: what could not be made for one part is not tried again for the next.
type Shared<T> = OnceCell<Result<T, String>>;

#[derive(Debug, Default)]
pub struct Workshop {
    server_binary: Shared<PathBuf>,
    quick_postgres: Shared<Cluster>,
    durable_postgres: Shared<Cluster>,
}

impl Workshop {
    pub fn new() -> Workshop {
        Workshop::default()
    }

    /// The server program, built in release mode.
    pub fn server_binary(&self) -> Result<&Path> {
        made(&self.server_binary, "release build of the server", setup::server_binary).map(PathBuf::as_path)
    }

    /// A cluster that does not wait for the disk.
    pub fn quick_postgres(&self) -> Result<&Cluster> {
        made(&self.quick_postgres, "PostgreSQL", || Cluster::start(false))
    }

    /// A cluster that keeps its promises, for tests that end processes.
    pub fn durable_postgres(&self) -> Result<&Cluster> {
        made(&self.durable_postgres, "PostgreSQL with fsync", || Cluster::start(true))
    }
}

fn made<'a, T>(cell: &'a Shared<T>, what: &str, make: impl FnOnce() -> Result<T>) -> Result<&'a T> {
    let outcome = cell.get_or_init(|| {
        let start = Instant::now();
        let value = make().map_err(|error| format!("{what}: {error:#}"))?;
        println!("-- {what}: ready after {:.1} s", start.elapsed().as_secs_f64());
        Ok(value)
    });
    outcome.as_ref().map_err(|error| anyhow!(error.clone()))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_could_not_be_made_is_not_tried_again() {
        let cell: Shared<u8> = Shared::new();

        let first = made(&cell, "a thing", || bail!("no wood"));
        let second = made(&cell, "a thing", || Ok(1));

        for outcome in [first, second] {
            assert_eq!(
                outcome.map_err(|error| error.to_string()),
                Err("a thing: no wood".to_owned())
            );
        }
    }
}
