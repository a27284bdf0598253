//! Real servers of the built program, on a store in a temporary folder or on PostgreSQL.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use portolan_db::testing::TestDb;
use serde_json::Value;
use tempfile::TempDir;

use super::{AUTH_RESOURCE_SERVER, PASSWORD, PATIENCE};

/// A store with its folder, and the address that its servers listen at one after the other.
pub struct Place {
    pub folder: TempDir,
    /// Of PostgreSQL; without one it is a SQLite file in the folder.
    pub database: Option<TestDb>,
    pub port: u16,
}

pub struct Server {
    pub process: Child,
    pub port: u16,
}

impl Server {
    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Place {
    pub fn on_sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: None,
            port: free_port(),
        }
    }

    /// `None` when no PostgreSQL is named.
    pub fn on_postgres() -> Option<Self> {
        let place = Self {
            database: Some(TestDb::postgres(&[])?),
            ..Self::on_sqlite()
        };
        let key = place.master_key();
        place.run(&["keys", "master-key", key.to_str().unwrap()], "");
        Some(place)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn master_key(&self) -> PathBuf {
        match self.database {
            Some(_) => self.folder.path().join("master.key"),
            None => self.data().join("master.key"),
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&program(), &self.data(), arguments)
    }

    fn command_of(&self, program: &OsStr, data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        // Settings of the surroundings must not reach the tests.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTOLAN_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).arg("--data-dir").arg(data);
        if let Some(database) = &self.database {
            command.arg("--database").arg(database.url());
            command.arg("--master-key-file").arg(self.master_key());
        }
        command
    }

    pub fn start(&self) -> Server {
        self.start_at(self.port, &program(), &[])
    }

    /// Another server on the same store, behind the address of the place.
    pub fn start_node(&self) -> Server {
        self.start_node_of(&program())
    }

    /// The same of another program.
    pub fn start_node_of(&self, program: &OsStr) -> Server {
        let public_url = format!("http://localhost:{}", self.port);
        self.start_at(free_port(), program, &["--public-url", &public_url])
    }

    fn start_at(&self, port: u16, program: &OsStr, more: &[&str]) -> Server {
        let listen = format!("127.0.0.1:{port}");
        let serve = [&["serve", "--listen", &listen, "--log-level", "error"], more].concat();
        // On PostgreSQL each server has a folder of its own, as on a machine of its own.
        let data = match self.database {
            Some(_) => self.folder.path().join(format!("data-{port}")),
            None => self.data(),
        };
        let mut command = self.command_of(program, &data, &serve);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let server = Server { process, port };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("the server becomes ready");
            if line.starts_with("portolan ready at ") {
                return server;
            }
        }
    }

    /// Runs a command that must succeed and returns what it printed.
    pub fn run(&self, arguments: &[&str], input: &str) -> Value {
        let mut command = self.command(arguments);
        command.args(["--format", "json"]);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// A person, an app of each kind, and the right to introspect.
    pub fn populate(&self) -> People {
        let add = [
            "user",
            "add",
            "alice",
            "--name",
            "Alice",
            "--email",
            "alice@example.org",
        ];
        self.run(&[&add[..], &["--admin", "--password-stdin"]].concat(), PASSWORD);
        let client = |kind: &str| {
            let made = self.run(&["client", "create", "--name", kind, "--type", kind], "");
            made["client"]["id"].as_str().unwrap().to_owned()
        };
        let secret = |id: &str| {
            let made = self.run(&["client", "secret", "create", id, "--name", "test"], "");
            made["credential"]["secret"].as_str().unwrap().to_owned()
        };
        let service = client("client_identity");
        People {
            service_secret: secret(&service),
            service,
            program: client("public_installed_client"),
            checker_secret: secret(AUTH_RESOURCE_SERVER),
        }
    }
}

/// The program of this build, or the one that is named.
fn program() -> OsString {
    std::env::var_os("PORTOLAN_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_portolan").into())
}

/// Every server of a place listens at the same port: the name of the browser's cookie has it.
/// It is none of those that the system gives to outgoing connections, such as the other tests
/// open by the hundred: one of them could get it before the server does.
pub fn free_port() -> u16 {
    const PORTS: Range<u32> = 15_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = process::id() * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (PORTS.start + number % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub struct People {
    /// Acts as itself.
    pub service: String,
    pub service_secret: String,
    /// A public client: its refresh tokens rotate.
    pub program: String,
    pub checker_secret: String,
}
