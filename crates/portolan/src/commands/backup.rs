//! `portolan backup` and `portolan restore`. A backup holds the whole store but not the
//! master key: whoever steals one cannot sign tokens with it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use portolan_db::Db;
use portolan_server::app::system_now;
use portolan_server::domain::sealing::MasterKey;
use portolan_server::store::settings;
use portolan_server::{Config, serve, start};
use serde_json::json;
use url::Url;

use crate::options::Options;
use crate::output;

/// Save a copy of the store as it is at this moment. The server may run.
///
/// The master key is not in it: keep a copy of that file apart, or the keys in the backup
/// cannot be read.
#[derive(Args)]
#[command(after_help = "Example:\n  portolan backup /backups/portolan-2026-11-22.db")]
pub struct Backup {
    /// Where to write; an existing file is left alone
    file: PathBuf,
}

/// Put a saved copy in the place of the store. The server must be stopped.
///
/// On SQLite the store that was there is kept beside it under another name.
#[derive(Args)]
#[command(after_help = "Example:\n  portolan restore /backups/portolan-2026-11-22.db")]
pub struct Restore {
    /// A file written by portolan backup
    file: PathBuf,
}

impl Backup {
    pub fn run(self, options: &Options) -> Result<()> {
        let config = options.config()?;
        if self.file.exists() {
            bail!("{} exists; choose another name", self.file.display());
        }
        match config.sqlite_path() {
            Some(path) => {
                if !path.exists() {
                    bail!(
                        "there is no store at {}; name its folder with --data-dir",
                        path.display()
                    );
                }
                // Without a look at the schema: before an upgrade an older store is saved too.
                Db::open(config.store_options()?)?.backup(&self.file)?;
            }
            None => {
                let (url, password) = without_password(&config)?;
                let arguments = [
                    "--format=custom".as_ref(),
                    "--file".as_ref(),
                    self.file.as_os_str(),
                    OsStr::new(url.as_str()),
                ];
                run_tool("pg_dump", &arguments, password.as_deref())?;
                fs::set_permissions(&self.file, fs::Permissions::from_mode(0o600))?;
            }
        }
        let size = fs::metadata(&self.file)?.len();
        output::print(options.format, &json!({ "file": self.file, "bytes": size }), || {
            format!(
                "The store is saved in {} ({size} bytes).\nThe master key ({}) is not in it: keep a copy of it apart.",
                self.file.display(),
                config.master_key_path().display()
            )
        })
    }
}

impl Restore {
    pub fn run(self, options: &Options) -> Result<()> {
        let config = options.config()?;
        if !self.file.is_file() {
            bail!("there is no file {}", self.file.display());
        }
        start::create_folder(&config.data_dir)?;
        let _lock = serve::lock_data_folder(&config.data_dir)?;
        let kept = match config.sqlite_path() {
            Some(path) => restore_sqlite(&config, &self.file, &path)?,
            None => {
                let (url, password) = without_password(&config)?;
                let into = format!("--dbname={url}");
                let arguments = [
                    "--clean".as_ref(),
                    "--if-exists".as_ref(),
                    "--no-owner".as_ref(),
                    "--single-transaction".as_ref(),
                    OsStr::new(into.as_str()),
                    self.file.as_os_str(),
                ];
                run_tool("pg_restore", &arguments, password.as_deref())?;
                None
            }
        };
        output::print(options.format, &json!({ "file": self.file, "previous": kept }), || {
            let mut text = format!("The store is as it was when {} was saved.", self.file.display());
            if let Some(kept) = &kept {
                text.push_str(&format!("\nThe store that was there is kept as {}.", kept.display()));
            }
            text.push_str("\nStart the server again: portolan serve");
            text
        })
    }
}

/// Checks a copy beside the store, and only then swaps the two. Returns where the store
/// that was there is kept.
fn restore_sqlite(config: &Config, backup: &Path, store: &Path) -> Result<Option<PathBuf>> {
    let copy = store.with_added_extension("restoring");
    remove_all(&copy)?;
    fs::copy(backup, &copy).with_context(|| format!("copying {} to {}", backup.display(), copy.display()))?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
    if let Err(error) = check(config, &copy) {
        remove_all(&copy)?;
        return Err(error.context(format!("{} is left out: it cannot be restored", backup.display())));
    }
    fs::File::open(&copy)?.sync_all()?;
    let kept = if store.exists() {
        let kept = store.with_added_extension(format!("before-{}", system_now().seconds()));
        // What is still in the log of the old store belongs to it.
        for suffix in ["", "-wal", "-shm"] {
            let (from, to) = (with_suffix(store, suffix), with_suffix(&kept, suffix));
            if from.exists() {
                fs::rename(&from, &to).with_context(|| format!("renaming {}", from.display()))?;
            }
        }
        Some(kept)
    } else {
        None
    };
    fs::rename(&copy, store).with_context(|| format!("renaming {}", copy.display()))?;
    let folder = store
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()?;
    Ok(kept)
}

/// Whether a copy is a whole store of ours, and whether the master key opens it.
fn check(config: &Config, copy: &Path) -> Result<()> {
    let db = Db::open(portolan_db::Options::new(format!("sqlite:{}", copy.display())))?;
    let damage = settings::check_integrity(&db).map_err(output::explain)?;
    if let Some(first) = damage.first() {
        bail!("the file is damaged: {first}");
    }
    let check_value = db
        .read_blocking(|tx| settings::find(tx, settings::MASTER_KEY_CHECK))
        .map_err(|error| output::explain(error).context("the file is not a store of Portolan"))?;
    db.close();
    remove_side_files(copy)?;
    let path = config.master_key_path();
    match (check_value, MasterKey::load(&path)) {
        (Some(check_value), Ok(key)) if !key.matches(&check_value) => output::note(&format!(
            "portolan: the master key in {} is not the one that this backup was sealed with; put the right one there \
             before you start the server",
            path.display()
        )),
        (_, Err(error)) => output::note(&format!("portolan: {error}")),
        _ => {}
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_all(path: &Path) -> Result<()> {
    remove_side_files(path)?;
    remove(path)
}

fn remove_side_files(path: &Path) -> Result<()> {
    remove(&with_suffix(path, "-wal"))?;
    remove(&with_suffix(path, "-shm"))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The address without its password, which would show in the list of processes.
fn without_password(config: &Config) -> Result<(Url, Option<String>)> {
    let mut url = Url::parse(&config.database_url()?).context("database")?;
    // The tools take the password decoded.
    let password = url.password().map(|password| {
        let pairs = format!("password={}", password.replace('+', "%2B"));
        let decoded = Url::parse(&format!("query:?{pairs}")).ok();
        decoded
            .and_then(|query| query.query_pairs().next().map(|(_, value)| value.into_owned()))
            .unwrap_or_else(|| password.to_owned())
    });
    if password.is_some() {
        url.set_password(None)
            .ok()
            .context("database: an address without a host cannot hold a password")?;
    }
    Ok((url, password))
}

fn run_tool(tool: &str, arguments: &[&OsStr], password: Option<&str>) -> Result<()> {
    let mut command = Command::new(tool);
    command.args(arguments);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let printed: Vec<String> = arguments
        .iter()
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("{tool} ended with {status}; what it wrote above tells why"),
        Err(error) => bail!(
            "{tool} cannot be run here ({error}). PostgreSQL's own tools do this: install the package \
             postgresql-client, or run where it is installed\n\n    {tool} {}",
            printed.join(" ")
        ),
    }
}

/// As a shell reads it back.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.,:=@_-+".contains(c);
    if argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}
