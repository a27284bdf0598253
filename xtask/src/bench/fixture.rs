//! Stores that are ready to be measured: filled once, on SQLite kept for the next run.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    browser::Browser,
    servers::{PUBLIC_HOST, PUBLIC_URL, Server},
    workloads::{self, Branch, Credentials, Endpoints, FAN_OUT, REDIRECT_URI, Tokens},
};
use crate::{
    postgres::Cluster,
    process::{capture, describe},
    setup,
};

/// So many people sign in and go through the code flow.
pub const SIGNED_IN: usize = 64;
const PASSWORD: &str = "harbour 7 lantern mosaic 42 quay";

/// The only settings that are not the defaults: a name that stays while ports change, and
/// one machine that plays all the people who log in.
fn configuration() -> String {
    format!("public_url = \"{PUBLIC_URL}\"\nlog_level = \"warn\"\n\n[limits]\nlogins_per_minute = 100000\n")
}

/// The programs that the benchmark runs.
#[derive(Debug)]
pub struct Programs {
    pub portolan: PathBuf,
    pub bare: PathBuf,
    pub store: PathBuf,
    /// What the SDK costs its caller.
    pub introspections: PathBuf,
}

/// What was registered in a store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Owns the scopes, introspects.
    pub service: Credentials,
    pub app: Credentials,
    pub app_es256: Credentials,
    /// A service that people's apps call.
    pub front: Credentials,
    /// The services that it calls in turn.
    pub back: [Credentials; FAN_OUT],
}

impl Registered {
    /// The services in front and behind, as the filling program takes them.
    fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.front)
            .chain(&self.back)
            .map(|service| &*service.id)
    }
}

#[derive(Clone, Debug)]
pub struct Store {
    /// Holds the data folder, the configuration, the token lists and what was registered.
    folder: PathBuf,
    /// The URL on PostgreSQL.
    database: Option<String>,
    /// The first process of the cluster.
    postgres: Option<u32>,
    pub tokens: u64,
    pub registered: Registered,
}

impl Store {
    /// A filled SQLite store. It is found by a hash of everything that makes it, so a
    /// changed schema or another filling makes a new one.
    pub fn sqlite(programs: &Programs, state: &Path, tokens: u64, fresh: bool) -> Result<Store> {
        let folder = state.join(format!("sqlite-{tokens}-{:016x}", recipe()?));
        let known = folder.join("registered.json");
        if fresh || !known.exists() {
            remove_folders(state, &format!("sqlite-{tokens}-"))?;
            fs::create_dir_all(&folder)?;
            Store::fill(programs, &folder, None, None, tokens)?;
        }
        let registered = serde_json::from_str(&fs::read_to_string(&known)?)?;
        Ok(Store {
            folder,
            database: None,
            postgres: None,
            tokens,
            registered,
        })
    }

    /// A filled database of the cluster; it goes with the cluster.
    pub fn postgres(programs: &Programs, state: &Path, tokens: u64, cluster: &Cluster) -> Result<Store> {
        let folder = state.join(format!("postgres-{tokens}"));
        remove_folders(state, &format!("postgres-{tokens}"))?;
        fs::create_dir_all(&folder)?;
        let database = cluster.create_database(&format!("bench_{tokens}"))?;
        let postgres = Some(cluster.process_id());
        let registered = Store::fill(programs, &folder, Some(&database), postgres, tokens)?;
        Ok(Store {
            folder,
            database: Some(database),
            postgres,
            tokens,
            registered,
        })
    }

    fn fill(
        programs: &Programs,
        folder: &Path,
        database: Option<&str>,
        postgres: Option<u32>,
        tokens: u64,
    ) -> Result<Registered> {
        let started = Instant::now();
        fs::write(folder.join("portolan.toml"), configuration())?;
        let operator = Operator {
            programs,
            folder,
            database,
        };
        operator.prepare()?;
        // The first start makes schema, keys and catalogue.
        drop(operator.start(postgres)?);
        let registered = operator.register()?;
        let url = database.map_or_else(
            || format!("sqlite:{}", data(folder).join("portolan.db").display()),
            str::to_owned,
        );
        let mut seed = Command::new(&programs.store);
        seed.args([
            "seed",
            &url,
            &tokens.to_string(),
            &registered.service.id,
            &registered.app.id,
        ])
        .arg(folder)
        .args(registered.chain());
        capture(&mut seed)?;
        // Last, because it says that the store is complete.
        fs::write(
            folder.join("registered.json"),
            serde_json::to_string_pretty(&registered)?,
        )?;
        let engine = if database.is_some() { "postgres" } else { "sqlite" };
        eprintln!(
            "filled {engine} with {tokens} tokens in {:.0} s",
            started.elapsed().as_secs_f64()
        );
        Ok(registered)
    }

    /// The same store again, to be written to. On PostgreSQL it is the store itself.
    pub fn working_copy(&self, state: &Path) -> Result<Store> {
        if self.database.is_some() {
            return Ok(self.clone());
        }
        let folder = state.join("sqlite-copy");
        remove_folders(state, "sqlite-copy")?;
        capture(Command::new("cp").arg("-a").arg(&self.folder).arg(&folder))?;
        // What was copied is on disk before anything is timed.
        capture(&mut Command::new("sync"))?;
        Ok(Store { folder, ..self.clone() })
    }

    pub fn start(&self, programs: &Programs) -> Result<Server> {
        Operator {
            programs,
            folder: &self.folder,
            database: self.database.as_deref(),
        }
        .start(self.postgres)
    }

    pub fn url(&self) -> String {
        let file = || format!("sqlite:{}", data(&self.folder).join("portolan.db").display());
        self.database.clone().unwrap_or_else(file)
    }

    pub fn access_tokens(&self) -> Result<Tokens> {
        Tokens::read(&self.folder.join("tokens.txt"))
    }

    pub fn refresh_tokens(&self) -> Result<Tokens> {
        Tokens::read(&self.folder.join("refresh_tokens.txt"))
    }

    /// What people's apps sent to the service in front.
    pub fn presented_tokens(&self) -> Result<Tokens> {
        Tokens::read(&self.folder.join("presented_tokens.txt"))
    }

    /// The file of [`Store::access_tokens`].
    pub fn access_token_file(&self) -> PathBuf {
        self.folder.join("tokens.txt")
    }

    /// Adds branches of consents to be revoked: so many, with so many tokens below each.
    /// They are not part of the filling, because a store of ten thousand tokens would have
    /// a million; and each can be revoked once. The server must be stopped.
    pub fn add_branches(&self, programs: &Programs, kinds: &[(usize, u64)]) -> Result<Vec<Branch>> {
        let started = Instant::now();
        let mut fill = Command::new(&programs.store);
        fill.args(["branches", &self.url(), &self.registered.app.id])
            .arg(&self.folder)
            .args(self.registered.chain())
            .args(kinds.iter().map(|(count, tokens)| format!("{count}x{tokens}")));
        capture(&mut fill)?;
        let branches = Branch::read(&self.folder.join("branches.txt"))?;
        eprintln!(
            "added {} consents with {} tokens in {:.0} s",
            branches.len(),
            branches.iter().map(|branch| branch.tokens).sum::<u64>(),
            started.elapsed().as_secs_f64()
        );
        Ok(branches)
    }

    /// Adds identity providers. Not part of the filling either: the figures of before were
    /// measured without. The server must be stopped.
    pub fn add_providers(&self, programs: &Programs, count: u64) -> Result<()> {
        capture(Command::new(&programs.store).args(["providers", &self.url(), &count.to_string()]))?;
        Ok(())
    }

    /// The scope that client_credentials asks for.
    pub fn scope(&self) -> String {
        format!(
            "https://auth.globus.org/scopes/{}/data_read",
            self.registered.service.id
        )
    }

    /// Signs everybody in and consents to both apps; returns their cookies.
    pub fn sign_in(&self, server: &Server) -> Result<Vec<String>> {
        let endpoints = endpoints();
        let mut sessions = Vec::new();
        for number in 0..SIGNED_IN {
            let mut browser = Browser::new(server.address, PUBLIC_HOST);
            let name = username(number);
            let fields = [("username", &*name), ("password", PASSWORD), ("decision", "allow")];
            for app in [&self.registered.app, &self.registered.app_es256] {
                let target = workloads::authorize_target(&endpoints, &app.id);
                let reached = browser.authorize(&target, REDIRECT_URI, &fields)?;
                if !reached.contains("code=") {
                    bail!("logging in ended at {reached}");
                }
            }
            sessions.push(browser.cookie_header());
        }
        Ok(sessions)
    }
}

pub fn endpoints() -> Endpoints {
    Endpoints {
        host: PUBLIC_HOST.to_owned(),
        authorize: "/v2/oauth2/authorize",
        token: "/v2/oauth2/token",
        introspect: "/v2/oauth2/token/introspect",
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn username(number: usize) -> String {
    format!("bench{number:02}")
}

fn remove_folders(state: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(state)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A hash of the files that decide what a filled store looks like.
fn recipe() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    // How the migrations become tables of SQLite.
    fs::read(setup::root().join("crates/db/src/migrate.rs"))?.hash(&mut hasher);
    for folder in ["crates/server/migrations", "xtask/examples/store", "xtask/src/bench"] {
        let mut files: Vec<PathBuf> = fs::read_dir(setup::root().join(folder))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.retain(|file| !folder.ends_with("bench") || file.ends_with("fixture.rs"));
        files.sort();
        for file in files {
            fs::read(&file)
                .with_context(|| file.display().to_string())?
                .hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// What an operator does with the program at the terminal.
struct Operator<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    database: Option<&'a str>,
}

impl Operator<'_> {
    fn start(&self, postgres: Option<u32>) -> Result<Server> {
        Server::portolan(self.command(&["serve", "--listen", "127.0.0.1:0"]), postgres)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.portolan);
        command.args(arguments).arg("--data-dir").arg(data(self.folder));
        command.arg("--config").arg(self.folder.join("portolan.toml"));
        if let Some(database) = self.database {
            command.args(["--database", database]);
        }
        // Settings of the person's own server are not ours.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTOLAN_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// On PostgreSQL the operator gives every node the same master key.
    fn prepare(&self) -> Result<()> {
        if self.database.is_some() {
            fs::create_dir_all(data(self.folder))?;
            let file = data(self.folder).join("master.key");
            capture(
                Command::new(&self.programs.portolan)
                    .args(["keys", "master-key"])
                    .arg(file),
            )?;
        }
        Ok(())
    }

    fn register(&self) -> Result<Registered> {
        for number in 0..SIGNED_IN {
            let name = username(number);
            let email = format!("{name}@bench.example");
            let arguments = [
                "user",
                "add",
                &*name,
                "--name",
                "Robin Example",
                "--email",
                &*email,
                "--password-stdin",
            ];
            self.json(&arguments, PASSWORD)?;
        }
        let app = [
            "--type",
            "confidential_client",
            "--redirect-uri",
            REDIRECT_URI,
            "--id-token-algorithm",
        ];
        let service = ["--type", "resource_server"];
        let mut back = Vec::new();
        let mut needs = Vec::new();
        for number in 1..=FAN_OUT {
            let called = self.client(&format!("Bench service behind {number}"), &service)?;
            needs.push(self.scope(&called, &[])?);
            back.push(called);
        }
        let front = self.client("Bench service in front", &service)?;
        self.scope(&front, &needs)?;
        Ok(Registered {
            front,
            back: back.try_into().expect("as many as the fan-out"),
            service: self.client("Bench service", &service)?,
            app: self.client("Bench app", &[&app[..], &["RS256"]].concat())?,
            app_es256: self.client("Bench app ES256", &[&app[..], &["ES256"]].concat())?,
        })
    }

    fn client(&self, name: &str, arguments: &[&str]) -> Result<Credentials> {
        let created = self.json(&[&["client", "create", "--name", name], arguments].concat(), "")?;
        let id = created["client"]["id"]
            .as_str()
            .context("no id in the answer of client create")?;
        let created = self.json(&["client", "secret", "create", id, "--name", "bench"], "")?;
        let secret = created["credential"]["secret"]
            .as_str()
            .context("no secret in the answer")?;
        Ok(Credentials {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Gives a service a scope that needs these scopes of others; returns its id.
    fn scope(&self, service: &Credentials, needs: &[String]) -> Result<String> {
        let mut arguments = vec!["scope", "create", "--client", &service.id, "--suffix", "data_read"];
        arguments.extend(["--name", "Bench scope", "--description", "A scope that is measured"]);
        for scope in needs {
            arguments.extend(["--depends-on", scope]);
        }
        let created = self.json(&arguments, "")?;
        let id = created["scope"]["id"].as_str();
        Ok(id.context("no id in the answer of scope create")?.to_owned())
    }

    fn json(&self, arguments: &[&str], input: &str) -> Result<Value> {
        let mut command = self.command(arguments);
        command
            .args(["--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let shown = describe(&command);
        let mut child = command.spawn().with_context(|| format!("cannot run `{shown}`"))?;
        let mut stdin = child.stdin.take().context("a pipe was asked for")?;
        writeln!(stdin, "{input}")?;
        drop(stdin);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("`{shown}`: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("the answer of `{shown}`"))
    }
}
