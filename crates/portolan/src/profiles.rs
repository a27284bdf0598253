//! Profiles: the servers that somebody uses, by name, and where their tokens lie.
//!
//! The list is one JSON file in the folder for configuration (`~/.config/portolan`), the
//! tokens are one file for each profile in the folder for data (`~/.local/share/portolan`),
//! in the format of the SDKs. Nobody else may read either.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use portolan_sdk::storage::{JsonTokenStorage, TokenStorage as _};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::exit::Exit;

/// One server as one person (wherever a profile is used, so are its client and its tokens).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Without a slash at the end.
    pub server: String,
    pub client_id: String,
    /// Who logged in, as the server called them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiles {
    /// The one that is meant when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// No file: no profiles.
    pub fn load() -> Result<Self> {
        let path = list_path()?;
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} cannot be read as a list", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Edits the list as it is now: a login lasts for minutes, and other commands change it
    /// meanwhile. One at a time, and nothing is written where the edit fails.
    pub fn change<T>(edit: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let path = list_path()?;
        let _lock = lock(&path.with_extension("json.lock")).with_context(|| path.display().to_string())?;
        let mut all = Self::load()?;
        let done = edit(&mut all)?;
        write_private(&path, &serde_json::to_vec_pretty(&all)?).with_context(|| path.display().to_string())?;
        Ok(done)
    }

    /// Remembers a profile, unless its name went to another server meanwhile.
    pub fn remember(&mut self, name: &str, profile: &Profile) -> Result<()> {
        self.refuse_taken(name, profile)?;
        self.profiles.insert(name.to_owned(), profile.clone());
        Ok(())
    }

    pub fn refuse_taken(&self, name: &str, profile: &Profile) -> Result<()> {
        if let Some(other) = self.profiles.get(name).filter(|other| other.server != profile.server) {
            return Err(Exit::Usage.because(format!(
                "the profile {name} is of {}: choose another name with --profile",
                other.server
            )));
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<&Profile> {
        self.profiles.get(name).ok_or_else(|| {
            Exit::LoginNeeded.because(format!(
                "there is no profile {name:?}; portolan profile list shows all, and a new one is made with \
                 portolan login --profile {name} --server URL"
            ))
        })
    }

    /// The one that is meant when none is named.
    pub fn current(&self) -> Option<(&str, &Profile)> {
        let name = self.current.as_deref()?;
        Some((name, self.profiles.get(name)?))
    }

    /// The profile of a server: the current one if it is of it, or else the only one.
    pub fn of_server(&self, server: &str) -> Result<Option<(&str, &Profile)>> {
        if let Some(found) = self.current().filter(|(_, profile)| profile.server == server) {
            return Ok(Some(found));
        }
        let found: Vec<(&str, &Profile)> = self
            .profiles
            .iter()
            .filter(|(_, profile)| profile.server == server)
            .map(|(name, profile)| (name.as_str(), profile))
            .collect();
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            [(name, _), ..] => Err(Exit::Usage.because(format!(
                "several profiles are of {server}: {}; say which one, such as --profile {name}",
                found.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

/// Names become names of files.
pub fn check_name(name: &str) -> Result<()> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(allowed) {
        return Err(Exit::Usage.because(format!(
            "{name:?} cannot be the name of a profile: letters, digits, - _ and . make one, 64 at most"
        )));
    }
    Ok(())
}

/// What a profile is called where nobody says: after its server.
pub fn name_for(server: &Url) -> String {
    let host = server.host_str().unwrap_or("server");
    let name = match server.port() {
        Some(port) => format!("{host}-{port}"),
        None => host.to_owned(),
    };
    // An IPv6 address has brackets and colons, and a name that begins with - is an option.
    name.replace(['[', ':', ']'], "-").trim_start_matches('-').to_owned()
}

/// The address of a server, as people type it.
pub fn server_url(text: &str) -> Result<Url> {
    let wrong = |why: &str| {
        Exit::Usage.because(format!(
            "{text:?} is not the address of a server: {why}; it looks like https://auth.example.org"
        ))
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(wrong("it begins with https://, or http:// on this machine"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has no ?, # or user name"));
    }
    Ok(url)
}

/// As profiles have it.
pub fn without_slash(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether what is sent there can be read on the way.
pub fn is_in_the_clear(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

pub fn token_path(name: &str) -> Result<PathBuf> {
    Ok(folder("XDG_DATA_HOME", ".local/share")?
        .join("tokens")
        .join(format!("{name}.json")))
}

/// The tokens of a profile. Their folder is for their owner alone.
pub fn tokens(name: &str) -> Result<JsonTokenStorage> {
    let path = token_path(name)?;
    if let Some(folder) = path.parent() {
        make_private_folder(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(JsonTokenStorage::new(path)?)
}

/// Whether a login left tokens; whether they still do, only the server knows.
pub fn has_tokens(name: &str) -> Result<bool> {
    let path = token_path(name)?;
    Ok(path.exists() && !JsonTokenStorage::new(path)?.all()?.is_empty())
}

/// The file of the tokens goes; at the server they stay what they are.
pub fn remove_tokens(name: &str) -> Result<()> {
    let path = token_path(name)?;
    for path in [path.with_extension("json.lock"), path] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| path.display().to_string());
            }
            _ => {}
        }
    }
    Ok(())
}

fn list_path() -> Result<PathBuf> {
    Ok(folder("XDG_CONFIG_HOME", ".config")?.join("profiles.json"))
}

/// Ours in a folder of the XDG Base Directory Specification; one that is not absolute is
/// ignored, as it demands.
fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)));
    let base = base.ok_or_else(|| {
        Exit::Usage.because(format!(
            "there is no folder for profiles and tokens: set HOME or {variable}"
        ))
    })?;
    Ok(base.join("portolan"))
}

fn make_private_folder(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Held until the file is dropped.
fn lock(path: &Path) -> std::io::Result<fs::File> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

/// A whole new file in the place of the old one; nobody else can read it, or half of it.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_named_after_their_server() {
        for (server, name) in [
            ("https://auth.example.org", "auth.example.org"),
            ("http://localhost:8080/", "localhost-8080"),
            ("http://[::1]:8080", "1--8080"),
        ] {
            let found = name_for(&server_url(server).unwrap());
            assert_eq!(found, name);
            check_name(&found).unwrap();
        }
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a b", ".hidden", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        check_name("lab_2.test-server").unwrap();
    }

    #[test]
    fn addresses_are_checked_where_they_are_typed() {
        for text in [
            "auth.example.org",
            "localhost:8080",
            "ftp://auth.example.org",
            "https://auth.example.org/?x=1",
            "https://me@auth.example.org",
        ] {
            assert!(server_url(text).is_err(), "{text}");
        }
        assert_eq!(
            without_slash(&server_url("https://Auth.Example.org/").unwrap()),
            "https://auth.example.org"
        );
        for (address, expected) in [
            ("http://127.0.0.1:1", false),
            ("http://localhost", false),
            ("http://[::1]:80", false),
            ("https://auth.example.org", false),
            ("http://auth.example.org", true),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(is_in_the_clear(&server_url(address).unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_server_has_its_current_profile_or_its_only_one() {
        let profile = |server: &str| Profile {
            server: server.into(),
            client_id: "x".into(),
            username: None,
        };
        let mut profiles = Profiles {
            current: Some("b".into()),
            profiles: [("a", "s"), ("b", "s"), ("c", "t")]
                .map(|(name, server)| (name.to_owned(), profile(server)))
                .into(),
        };
        let of = |profiles: &Profiles, server| {
            profiles
                .of_server(server)
                .map(|found| found.map(|(name, _)| name.to_owned()))
        };
        assert_eq!(of(&profiles, "s").unwrap().unwrap(), "b");
        assert_eq!(of(&profiles, "t").unwrap().unwrap(), "c");
        assert_eq!(of(&profiles, "u").unwrap(), None);

        profiles.current = Some("c".into());

        let error = of(&profiles, "s").unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }
}
