//! A private PostgreSQL cluster in a temporary folder.
//!
//! It listens on a free loopback port, belongs to an ordinary user (PostgreSQL refuses
//! to run as root) and is thrown away at the end. The kernel ends the server when we die
//! (`setpriv --pdeathsig`), so even `kill -9` of xtask leaves no server; the folder that
//! then remains is removed by the next start.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, geteuid};

use crate::{
    process::{Folder, Running, capture},
    setup,
};

const PREFIX: &str = "portolan-postgres-";
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running cluster; dropping it stops the server and removes its folder.
///
/// The server also ends when the *thread* that started it ends, so start it from a thread
/// that outlives its use.
#[derive(Debug)]
pub struct Cluster {
    // Fields drop in this order: the server stops before its folder goes.
    server: Running,
    _folder: Folder,
    binaries: PathBuf,
    port: u16,
}

impl Cluster {
    /// Starts a cluster. Without `fsync` it is quick and not crash-safe: for tests that
    /// do not end the machine. With it the cluster is as durable as PostgreSQL's defaults, and
    /// keeps as much in memory as its manual recommends.
    pub fn start(fsync: bool) -> Result<Cluster> {
        let binaries = setup::postgres_binaries()?;
        remove_leftovers();
        let account = Account::find()?;
        let folder = create_folder()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        if let Some(account) = &account {
            std::os::unix::fs::chown(&data, Some(account.user), Some(account.group))?;
        }

        let mut initdb = Command::new(binaries.join("initdb"));
        initdb.arg("--pgdata").arg(&data).args([
            "--username=postgres",
            // Trust is acceptable because nothing but the loopback interface and a socket
            // in a private folder is served, and nothing but test data is inside.
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        capture(as_account(&mut initdb, account.as_ref())).context("cannot create the PostgreSQL cluster")?;

        // Between finding a free port and listening on it somebody else may take it.
        let mut attempt = 1;
        loop {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let log = folder.path().join("server.log");
            let server = spawn(&binaries, &data, &log, account.as_ref(), port, fsync)?;
            match wait_until_ready(&server, &binaries, port) {
                Ok(()) => {
                    return Ok(Cluster {
                        server,
                        _folder: folder,
                        binaries,
                        port,
                    });
                }
                Err(error) => {
                    drop(server);
                    let log = fs::read_to_string(&log).unwrap_or_default();
                    if attempt == 5 || !log.contains("Address already in use") {
                        return Err(error.context(format!("PostgreSQL did not start; it says:\n{log}")));
                    }
                    attempt += 1;
                }
            }
        }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its URL.
    pub fn create_database(&self, name: &str) -> Result<String> {
        self.execute(&format!("CREATE DATABASE {}", quoted(name)?))?;
        Ok(self.url(name))
    }

    /// Drops a database if it is there, ending the connections to it.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        self.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name)?))
    }

    /// The first process of the server; the others are its children.
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// The folder of PostgreSQL's programs (`pg_dump`, `psql`).
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// Waits until the server ends by itself, which it should not.
    pub fn watch(&self) -> Result<()> {
        let a_year = Duration::from_secs(365 * 24 * 3600);
        let status = self.server.wait(a_year)?;
        bail!("PostgreSQL ended ({status})")
    }

    fn execute(&self, sql: &str) -> Result<()> {
        capture(psql(&self.binaries, self.port).args(["-c", sql]))?;
        Ok(())
    }
}

/// The user who owns the cluster when we are root.
struct Account {
    user: u32,
    group: u32,
}

impl Account {
    fn find() -> Result<Option<Account>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            let id = |flag| capture(Command::new("id").args([flag, name]));
            if let (Ok(user), Ok(group)) = (id("-u"), id("-g")) {
                return Ok(Some(Account {
                    user: user.trim().parse()?,
                    group: group.trim().parse()?,
                }));
            }
        }
        bail!("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: useradd postgres")
    }
}

fn as_account<'a>(command: &'a mut Command, account: Option<&Account>) -> &'a mut Command {
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    // The caller's folder may be closed to the other user.
    command.current_dir("/").env("LC_ALL", "C")
}

fn spawn(
    binaries: &Path,
    data: &Path,
    log: &Path,
    account: Option<&Account>,
    port: u16,
    fsync: bool,
) -> Result<Running> {
    let mut command = if setup::find_program("setpriv").is_some() {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "QUIT", "--"])
            .arg(binaries.join("postgres"));
        command
    } else {
        Command::new(binaries.join("postgres"))
    };
    command.arg("-D").arg(data);
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", data.display()),
        "max_connections=300".to_owned(),
        format!("shared_buffers={}kB", shared_buffers_kilobytes(fsync)),
        "max_wal_size=2GB".to_owned(),
        format!("fsync={}", if fsync { "on" } else { "off" }),
        format!("full_page_writes={}", if fsync { "on" } else { "off" }),
    ];
    for setting in &settings {
        command.args(["-c", setting]);
    }
    let log = File::create(log)?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // SIGQUIT is PostgreSQL's immediate shutdown: no checkpoint for data that is thrown away.
    Running::spawn(as_account(&mut command, account), Signal::QUIT)
}

/// A quarter of the machine's memory, as PostgreSQL's manual wants it, where a cluster is to be
/// what somebody runs; it is taken as it is used. Elsewhere the same on every machine.
fn shared_buffers_kilobytes(like_in_production: bool) -> u64 {
    const LITTLE: u64 = 256 * 1024;
    if !like_in_production {
        return LITTLE;
    }
    let system = rustix::system::sysinfo();
    let memory = system.totalram as u64 * u64::from(system.mem_unit);
    (memory / 1024 / 4).max(LITTLE)
}

fn wait_until_ready(server: &Running, binaries: &Path, port: u16) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let answer = capture(psql(binaries, port).args(["-c", "SELECT 1"]));
        // Asked after the answer: a stranger's server on this port does not deceive us.
        if let Some(status) = server.try_wait()? {
            bail!("the server ended at once ({status})");
        }
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn psql(binaries: &Path, port: u16) -> Command {
    let mut command = Command::new(binaries.join("psql"));
    command
        .args(["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"])
        .args([
            "--host=127.0.0.1",
            &format!("--port={port}"),
            "--username=postgres",
            "--dbname=postgres",
        ]);
    command.env("PGSSLMODE", "disable");
    command
}

fn quoted(name: &str) -> Result<String> {
    let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    if name.is_empty() || name.len() > 63 || !name.chars().all(allowed) {
        bail!("{name:?} is no name for a database: lower-case letters, digits and _, at most 63");
    }
    Ok(format!("\"{name}\""))
}

fn create_folder() -> Result<Folder> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
    Folder::create(path.clone()).with_context(|| format!("cannot create {}", path.display()))
}

/// Removes the folders of runs that were killed.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let owner = rest.split('-').next().unwrap_or_default();
        // A dead process that nobody waited for is still listed, but has no program any more.
        let alive = fs::read_link(Path::new("/proc").join(owner).join("exe")).is_ok();
        // The temporary folder is everybody's: only a real folder of our own is touched.
        let ours = entry
            .metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if ours && !alive && !served(&entry.path().join("data")) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a server still works in this data folder.
fn served(data: &Path) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let process = text.lines().next().unwrap_or_default().trim().to_owned();
    fs::read_link(Path::new("/proc").join(process).join("cwd")).is_ok_and(|folder| folder == data)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_carry_sql_are_refused() {
        assert_eq!(quoted("e2e_python_1").unwrap(), "\"e2e_python_1\"");
        for name in ["", "a\"b", "A", "a b", "a;b", &"x".repeat(64)] {
            assert!(quoted(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_cluster_serves_and_leaves_nothing_behind() {
        let cluster = Cluster::start(false).unwrap();
        let folder = cluster._folder.path().to_owned();
        let process = cluster.process_id();

        cluster.create_database("one").unwrap();
        assert!(cluster.create_database("one").is_err(), "the name is taken");
        cluster.drop_database("one").unwrap();
        cluster.create_database("one").unwrap();
        drop(cluster);

        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
}
