//! Secrets of clients, each written once to a file of its own.
//!
//! A file may not be lost and not be there for nothing, whenever the machine stops. So the
//! secret goes into a file beside its place before the transaction commits, and that is
//! given its name afterwards, by a link that overwrites nothing. Whoever runs the command
//! again after it was killed in between finds the one file or none of both; the first is
//! recognised by its secret.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use portolan_server::Error;
use portolan_server::domain::client::registration as rules;
use portolan_server::domain::token_format;
use portolan_server::store::clients::{self, Provable};
use portolan_types::{ClientId, Secret};
use serde_json::{Value, json};

use super::file::SecretFile;
use super::plan::{Action, Field};
use super::source::shown;
use super::work::Work;

/// The files of one run.
#[derive(Clone, Debug, Default)]
pub struct Files {
    new: Vec<(PathBuf, Secret)>,
    /// Those that a run wrote and did not live to name, or to name alone.
    unnamed: Vec<(PathBuf, Secret)>,
}

/// What was written for a transaction that has not committed yet. It may run twice.
pub type Written = Mutex<Vec<PathBuf>>;

impl Work<'_> {
    /// Makes the secret unless the client has one of that name.
    pub fn secret(&mut self, client: ClientId, owner: &str, secret: &SecretFile) -> Result<(), Error> {
        let name = format!("{owner} / {}", secret.head.name);
        let known = clients::list_credentials(self.tx, client)?;
        let in_the_way = secret.path.symlink_metadata().is_ok();
        if known.iter().any(|credential| credential.name == secret.head.name) {
            let unnamed = if !in_the_way || is_one_file(&secret.path, &beside(&secret.path)) {
                self.unnamed(client, &secret.path)?
            } else {
                None
            };
            match unnamed {
                Some(text) => {
                    self.plan.secret_files.push(secret.path.display().to_string());
                    self.files.unnamed.push((secret.path.clone(), text));
                }
                None => self.plan.unchanged += 1,
            }
            return Ok(());
        }
        if let Some(reason) = hindrance(&secret.path, in_the_way) {
            self.findings.push(secret.head.finding("secret_file", reason));
            return Ok(());
        }
        let made = rules::add_credential(self.tx, self.ctx, &self.manager, client, &secret.head.name);
        let Some((credential, text)) = self.judge(&secret.head, made)? else {
            return Ok(());
        };
        let path = secret.path.display().to_string();
        let field = Field {
            name: "secret_file".to_owned(),
            old: Value::Null,
            new: json!(path),
        };
        self.enter(Action::Create, "secret", name, credential.id, vec![field]);
        self.plan.secret_files.push(path);
        self.files.new.push((secret.path.clone(), text));
        Ok(())
    }

    /// The secret of a run that was killed after its commit, before it could name the file.
    fn unnamed(&mut self, client: ClientId, path: &Path) -> Result<Option<Secret>, Error> {
        let Ok(text) = fs::read_to_string(beside(path)) else {
            return Ok(None);
        };
        let text = text.trim_end();
        let hash = token_format::hash(text);
        let rows = self.tx.fetch(&clients::with_secrets(client))?;
        let found = Provable::from_rows(rows).filter(|found| found.hashes.contains(&hash));
        Ok(found.map(|_| Secret::new(text)))
    }
}

/// Why a secret cannot be written there.
fn hindrance(path: &Path, in_the_way: bool) -> Option<String> {
    let shown = shown(&path.display().to_string(), 200);
    if in_the_way {
        return Some(format!(
            "{shown} is there already and is never overwritten, but the client has no secret of this name: move the \
             file away, or name another"
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    (!folder.is_dir()).then(|| {
        format!("{shown}: there is no folder of that name; make it first, readable for its owner only: mkdir -m 700")
    })
}

/// Where the secret waits for its name: in the same folder, or it could not be linked.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.portolan-apply"))
}

/// Whether both names are there and lead to the same file.
fn is_one_file(one: &Path, other: &Path) -> bool {
    match (one.symlink_metadata(), other.symlink_metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Overwrites nothing. A run that was killed between the two steps left both names; the
/// hidden one would bring the file back when somebody has deleted it.
fn give_name(beside: &Path, path: &Path) -> io::Result<()> {
    if !is_one_file(beside, path) {
        fs::hard_link(beside, path)?;
    }
    fs::remove_file(beside)
}

impl Files {
    /// Before the commit.
    pub fn write(&self, written: &Written) -> Result<()> {
        for (path, secret) in &self.new {
            let beside = beside(path);
            written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(beside.clone());
            write(&beside, secret).with_context(|| format!("{}: the secret cannot be written", beside.display()))?;
        }
        Ok(())
    }

    /// After the commit. What cannot have its name stays where it is, and that is said.
    pub fn name(&self) -> Result<()> {
        let mut failed = Vec::new();
        for (path, secret) in self.new.iter().chain(&self.unnamed) {
            let beside = beside(path);
            if !fs::read_to_string(&beside).is_ok_and(|text| text.trim_end() == secret.expose()) {
                failed.push(format!(
                    "the secret for {} is lost, as {} is not as it was written: delete that secret of the client, and \
                     run it again",
                    path.display(),
                    beside.display()
                ));
            } else if let Err(error) = give_name(&beside, path) {
                failed.push(format!(
                    "the secret for {} is in {} ({error}): move it yourself",
                    path.display(),
                    beside.display()
                ));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(anyhow!("all is in the store, but {}", failed.join("; ")))
    }
}

/// Holds the folders of secrets until it is dropped: the hidden file of a secret has the same
/// name in every run, and two runs at once would mix theirs. Taken before the transaction
/// and in one order, so that no two runs wait for one another.
pub fn hold(folders: impl IntoIterator<Item = PathBuf>) -> Vec<File> {
    let mut held = Vec::new();
    for folder in folders {
        // A folder that cannot be opened is told of where it is written to. Some network file
        // systems lock nothing; there, what is written is still checked before it gets its name.
        if let Ok(folder) = File::open(folder)
            && folder.lock().is_ok()
        {
            held.push(folder);
        }
    }
    held
}

/// Nothing was committed.
pub fn discard(written: &Written) {
    for path in written.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_file(path);
    }
}

/// For its owner only, and on the disk when this returns.
fn write(path: &Path, secret: &Secret) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // One of a run that did not come to its commit.
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_written_for_its_owner_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portal.secret");
        let files = Files {
            new: vec![(path.clone(), Secret::new("s3"))],
            unnamed: Vec::new(),
        };
        let written = Written::default();
        // A transaction that runs twice writes twice.
        files.write(&written).unwrap();
        files.write(&written).unwrap();
        assert!(!path.exists());

        files.name().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "s3\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        files.write(&written).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        let error = files.name().unwrap_err().to_string();
        assert!(error.contains(".portal.secret.portolan-apply"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
        assert!(beside(&path).exists());

        // Killed when it had both names.
        fs::remove_file(&path).unwrap();
        fs::hard_link(beside(&path), &path).unwrap();
        files.name().unwrap();
        assert!(path.exists() && !beside(&path).exists());

        // Whatever else lies there is no secret of this client.
        fs::remove_file(&path).unwrap();
        fs::write(beside(&path), "of another client\n").unwrap();
        let error = files.name().unwrap_err().to_string();
        assert!(error.contains("is lost"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn one_run_at_a_time_holds_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = hold([folder.path().to_owned(), folder.path().join("missing")]);
        assert_eq!(held.len(), 1);
        let other = File::open(folder.path()).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        other.try_lock().unwrap();
    }

    #[test]
    fn what_was_not_committed_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            new: vec![(folder.path().join("a"), Secret::new("s3"))],
            unnamed: Vec::new(),
        };
        let written = Written::default();
        files.write(&written).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        discard(&written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
