//! A person at their own machine, and a server elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Browser, Connection, People, Place, Server, Terminal};

/// A person with a home folder, and nothing else in their surroundings.
pub struct Home {
    pub folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn profiles(&self) -> PathBuf {
        self.path(".config/portolan/profiles.json")
    }

    pub fn tokens(&self, profile: &str) -> PathBuf {
        self.path(&format!(".local/share/portolan/tokens/{profile}.json"))
    }

    pub fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        let path = std::env::var_os("PATH").unwrap();
        command.env_clear().env("PATH", path).env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).args(line).stdin(Stdio::null());
        command
    }

    pub fn run(&self, line: &[&str]) -> Answer {
        Answer::of(self.command(line))
    }

    /// Must succeed.
    pub fn json(&self, line: &[&str]) -> Value {
        self.run(&[line, &["--format", "json"]].concat()).json()
    }

    pub fn terminal(&self, line: &[&str]) -> Terminal {
        Terminal::run(self.command(line))
    }
}

pub struct Answer {
    pub status: i32,
    pub output: String,
    pub errors: String,
}

impl Answer {
    pub fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Self {
            status: status.code().unwrap(),
            output: String::from_utf8(stdout).unwrap(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }

    pub fn text(self) -> String {
        assert_eq!(self.status, 0, "{}", self.errors);
        self.output
    }

    pub fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Must fail so, and say this.
    #[track_caller]
    pub fn fails(self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{}{}", self.output, self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word:?} is not in {}", self.errors);
        }
    }
}

pub struct Land {
    pub place: Place,
    pub people: People,
    _server: Server,
}

pub fn on_each(work: impl Fn(&Land)) {
    for place in [Some(Place::on_sqlite()), Place::on_postgres()].into_iter().flatten() {
        let server = place.start();
        work(&Land {
            people: place.populate(),
            place,
            _server: server,
        });
    }
}

impl Land {
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.place.port)
    }

    pub fn connection(&self) -> Connection {
        Connection::open(self.place.port).unwrap()
    }

    /// Alice follows a link in her browser, to where it leaves the server.
    pub fn follow(&self, link: &str, to: &str) -> String {
        let path = link.strip_prefix(&self.url()).unwrap();
        let (mut browser, mut connection) = (Browser::new(), self.connection());
        let answer = browser.send(&mut connection, path, None);
        browser.come_back(&mut connection, answer, to)
    }

    pub fn code(&self, link: &str) -> String {
        let came_back = self.follow(link, &format!("{}/v2/web/auth-code", self.url()));
        parameter(&came_back, "code")
    }

    /// A login in a terminal; returns all that was shown.
    pub fn log_in(&self, home: &Home, more: &[&str]) -> String {
        let url = self.url();
        let mut terminal = home.terminal(&[&["login", "--server", &url, "--no-browser"], more].concat());
        let link = link(terminal.wait_for("Paste the code that it shows: "));
        terminal.type_line(&self.code(&link));
        let (status, shown) = terminal.end();
        assert_eq!(status, 0, "{shown}");
        shown
    }

    pub fn is_active(&self, token: &str) -> bool {
        self.connection().is_active(&self.people, token)
    }
}

pub fn link(shown: &str) -> String {
    let mut lines = shown.lines().map(str::trim);
    lines.find(|line| line.starts_with("http")).unwrap().to_owned()
}

pub fn parameter(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
