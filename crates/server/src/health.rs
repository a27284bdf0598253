//! What can be wrong with a server and its surroundings, as far as it can be seen from
//! here: for `portolan doctor`, which looks from outside too, and for the operator console.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use portolan_db::{Db, Engine};
use portolan_types::Timestamp;

use crate::config::Config;
use crate::domain::keys::rotation::{State, state};
use crate::domain::keys::{KeyKind, StoredKey};
use crate::store::settings;

const MEBIBYTE: u64 = 1024 * 1024;
/// Less free space than this is a problem.
const SPACE: u64 = 200 * MEBIBYTE;
/// Clients allow about this much between clocks.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// Worth knowing, but nothing is broken.
    Note,
    Problem,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Problem => "problem",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub detail: String,
    /// What to do; only for notes and problems.
    pub remedy: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Report(pub Vec<Finding>);

impl Report {
    pub fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Verdict::Ok, detail.into(), None);
    }

    pub fn note(&mut self, check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Verdict::Note, detail.into(), Some(remedy.into()));
    }

    pub fn problem(&mut self, check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Verdict::Problem, detail.into(), Some(remedy.into()));
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, detail: String, remedy: Option<String>) {
        self.0.push(Finding {
            check,
            verdict,
            detail,
            remedy,
        });
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Who can look into the folder and the store, and how much room there is.
    pub fn folder(&mut self, config: &Config) {
        let path = &config.data_dir;
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.problem(
                    "data folder",
                    format!("{}: {error}", path.display()),
                    "Name the folder of the server with --data-dir, or start the server once.",
                );
                return;
            }
        };
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 == 0 {
            self.ok("data folder", format!("{} (mode {mode:04o})", path.display()));
        } else {
            self.problem(
                "data folder",
                format!("others can look into {} (mode {mode:04o})", path.display()),
                format!("chmod 700 {}", path.display()),
            );
        }
        if let Some(store) = config.sqlite_path()
            && let Ok(metadata) = fs::metadata(&store)
            && metadata.mode() & 0o077 != 0
        {
            self.problem(
                "store file",
                format!(
                    "others can read {} (mode {:04o})",
                    store.display(),
                    metadata.permissions().mode() & 0o777
                ),
                format!("chmod 600 {}", store.display()),
            );
        }
        match rustix::fs::statvfs(path) {
            Ok(space) => {
                let free = space.f_bavail * space.f_frsize;
                let detail = format!("{} MiB free in {}", free / MEBIBYTE, path.display());
                if free < SPACE {
                    self.problem("disk space", detail, "Make room: without it logins and tokens fail.");
                } else {
                    self.ok("disk space", detail);
                }
            }
            Err(error) => self.note("disk space", error.to_string(), "Look yourself: df -h"),
        }
    }

    /// This machine's clock beside that of the database or the file system.
    pub fn clock(&mut self, config: &Config, db: &Db, now: Timestamp, stored: &[StoredKey]) {
        let store = match settings::store_time(db) {
            Ok(time) => time.map(|time| ("the database", time)),
            Err(error) => {
                self.problem("clock", error.to_string(), "Look at the database.");
                return;
            }
        };
        let folder = || Some(("the file system", file_system_time(&config.data_dir).ok()?));
        let Some((name, time)) = store.or_else(folder) else {
            self.note(
                "clock",
                "there was nothing to compare it with: the data folder cannot be written",
                "Run this as the user of the server.",
            );
            return;
        };
        let difference = now.since(time).max(time.since(now));
        // Whoever set the clock back has keys from the future.
        let newest = stored.iter().map(|key| key.created_at).max();
        if difference > CLOCK_TOLERANCE {
            self.problem(
                "clock",
                format!("this machine and {name} differ by {} s", difference.as_secs()),
                "Set both by a time service (NTP): tokens end by the clock.",
            );
        } else if newest.is_some_and(|newest| newest.since(now) > CLOCK_TOLERANCE) {
            self.problem(
                "clock",
                "a signing key was made in the future: this machine's clock has gone back",
                "Set the clock by a time service (NTP).",
            );
        } else {
            self.ok("clock", format!("agrees with {name}"));
        }
    }

    /// For each kind there has to be a key that signs.
    pub fn signing_keys(&mut self, stored: &[StoredKey], now: Timestamp) {
        for kind in KeyKind::ALL {
            let of_kind = |wanted| {
                stored
                    .iter()
                    .find(|key| key.kind == kind && state(stored, key, now) == wanted)
            };
            match (of_kind(State::Signing), of_kind(State::Next)) {
                (None, _) => {
                    let remedy = "portolan keys rotate --now";
                    self.problem("signing keys", format!("no {} key signs", kind.name()), remedy);
                }
                (Some(key), None) if key.retire_at.is_some() => {
                    let detail = format!("the {} key retires and no other follows", kind.name());
                    self.problem("signing keys", detail, "portolan keys rotate");
                }
                (Some(key), _) => {
                    let days = now.since(key.sign_from).as_secs() / 86_400;
                    self.ok(
                        "signing keys",
                        format!("{}: {} signs since {days} days", kind.name(), key.id),
                    );
                }
            }
        }
    }

    /// What works without these settings too, and is missed when it is needed.
    pub fn settings(&mut self, config: &Config, engine: Engine) {
        if config.sends_mail() {
            self.ok("mail", "is sent");
        } else {
            self.note(
                "mail",
                "is not sent: nobody can choose a new password alone, and nobody is told of changes to their account",
                "Set smtp_url and mail_from.",
            );
        }
        if config.insecure_http {
            self.problem(
                "encryption",
                "passwords and tokens cross the network in the clear (insecure_http)",
                "Give the server a certificate, or put a proxy with one in front of it.",
            );
        }
        let remedy = match engine {
            Engine::Sqlite => {
                "portolan backup FILE copies the store while the server runs; let a timer do it each night."
            }
            Engine::Postgres => "Back up the database with its own tools, such as pg_dump.",
        };
        self.note("backups", "the server cannot see whether there are any", remedy);
        if engine == Engine::Postgres {
            self.note(
                "master key",
                "it is in no backup of the database, and without it the keys in the store cannot be read",
                "Keep a copy of the file in a safe place.",
            );
        }
    }
}

/// What time the file system believes it is; on a network it has a clock of its own.
fn file_system_time(folder: &Path) -> std::io::Result<Timestamp> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    fs::File::create_new(&path)?;
    let metadata = fs::metadata(&path);
    fs::remove_file(&path)?;
    let metadata = metadata?;
    Ok(Timestamp::from_micros(
        metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000,
    ))
}
