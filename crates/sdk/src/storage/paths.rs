//! Where an app keeps its tokens, and files that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::clock::{Random as _, SystemRandom};
use crate::config::Environment;
use crate::error::{Error, Result, StorageError};

/// Where the Python SDK keeps the tokens of an app, without the ending:
/// `~/.globus/app/<client id>/<name>/tokens`.
///
/// ```
/// use portolan_sdk::Environment;
/// use portolan_sdk::storage::default_path;
///
/// let path = default_path("5e0c", "My Portal 2.0", Environment::Production)?;
/// assert!(path.ends_with("5e0c/my-portal-2-0/tokens"));
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
pub fn default_path(client_id: &str, app_name: &str, environment: Environment) -> Result<PathBuf> {
    let file = match environment {
        Environment::Production => "tokens".to_owned(),
        other => format!("{other}-tokens"),
    };
    let base = base_folder()?;
    Ok(base.join(client_id).join(slug(app_name)?).join(file))
}

fn base_folder() -> Result<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || folder("HOME").or_else(|| folder("USERPROFILE"));
    let base = if cfg!(windows) {
        let local = folder("LOCALAPPDATA").or_else(|| folder("APPDATA"));
        local
            .or_else(|| home().map(|home| home.join("AppData").join("Local")))
            .map(|data| data.join("globus").join("app"))
    } else {
        home().map(|home| home.join(".globus").join("app"))
    };
    base.ok_or_else(|| Error::usage("there is no home folder to keep tokens in: set HOME, or name a file"))
}

/// The name of an app as the name of a folder.
fn slug(app_name: &str) -> Result<String> {
    let replaced = app_name.chars().map(|character| match character {
        '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*' => '+',
        '.' | ' ' => '-',
        other => other,
    });
    let name: String = replaced.filter(|character| is_printable(*character)).collect();
    let name = name.to_lowercase();
    let numbered = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.chars().count() == 1 && rest.chars().all(char::is_numeric))
    };
    if ["con", "prn", "aux", "nul"].contains(&name.as_str()) || numbered("com") || numbered("lpt") {
        return Err(Error::usage(format!(
            "the name of the app is reserved for devices: {name:?}"
        )));
    }
    if name.is_empty() {
        return Err(Error::usage("the name of the app has no character that can be printed"));
    }
    Ok(name)
}

/// What Python prints: no control, no separator but the space, nothing invisible or private.
fn is_printable(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..
    );
    !character.is_control() && !character.is_whitespace() && !invisible
}

pub(super) fn io_error(path: &Path, source: io::Error) -> Error {
    StorageError::Io {
        path: path.display().to_string(),
        source,
    }
    .into()
}

/// Makes the folder of a file.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            std::fs::create_dir_all(folder).map_err(|error| io_error(folder, error))
        }
        _ => Ok(()),
    }
}

/// Makes a file that only its owner may read, unless it is there.
pub(super) fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Only one process at a time changes the file: what one reads and writes back must not
/// undo what another one wrote. Ends when the guard goes.
pub(super) fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = private_file(&beside, OpenOptions::new().create(true).write(true).truncate(false));
    let file = file.map_err(|error| io_error(&beside, error))?;
    file.lock().map_err(|error| io_error(&beside, error))?;
    Ok(file)
}

/// Puts a whole new file in the place of the old one, so that nobody ever reads half of it,
/// also after a crash.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    // A link stays a link: what it points to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut random = [0; 8];
    SystemRandom.fill(&mut random);
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{:016x}.new", u64::from_le_bytes(random)));
    let fresh = PathBuf::from(name);
    let written = (|| {
        let mut file = private_file(&fresh, OpenOptions::new().create_new(true).write(true))?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &target)
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&fresh);
        io_error(path, error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of the Python SDK.
    #[test]
    fn names_become_folders() {
        for (name, folder) in [
            ("My App", "my-app"),
            ("a.b/c\\d", "a-b+c+d"),
            ("<>:\"|?*", "+++++++"),
            ("tab\there\u{200b}", "tabhere"),
            ("Größe", "größe"),
            ("com", "com"),
            ("com10", "com10"),
            ("icon", "icon"),
        ] {
            assert_eq!(slug(name).ok().as_deref(), Some(folder), "{name}");
        }
        for name in ["", "\n", "CON", "lpt1", "Nul"] {
            assert!(slug(name).is_err(), "{name}");
        }
    }
}
