//! The processes that are measured: Portolan, the bare handler, the peer.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::machine::{self, Memory, Threads};
use crate::process::Running;

/// The peer stores its tokens before it is ready.
const START_LIMIT: Duration = Duration::from_secs(180);

/// The address that Portolan believes to have. The store keeps it, so it is the same at
/// every start, while the port that it listens on is a free one.
pub const PUBLIC_URL: &str = "http://localhost:8080";
/// What a client of [`PUBLIC_URL`] sends as `Host`.
pub const PUBLIC_HOST: &str = "localhost:8080";

/// A running server.
#[derive(Debug)]
pub struct Server {
    running: Running,
    pub address: SocketAddr,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
    /// The first process of the PostgreSQL cluster that works for it.
    postgres: Option<u32>,
}

impl Server {
    /// Starts `command` and waits for the line that begins with `marker`. `listening`
    /// finds the address in it or, when the line tells a public name, elsewhere.
    fn start(mut command: Command, marker: &'static str, postgres: Option<u32>) -> Result<Server> {
        let shown = crate::process::describe(&command);
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer);
        let started = Instant::now();
        let running = Running::spawn(&mut command, Signal::TERM)?;
        drop(command);
        let (found, ready) = mpsc::channel();
        thread::spawn(move || {
            // Reads on after the line, so that the server never waits for us.
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if let Some(rest) = line.strip_prefix(marker) {
                    let _ = found.send((Instant::now(), rest.trim().to_owned()));
                }
            }
        });
        let (ready_at, rest) = ready
            .recv_timeout(START_LIMIT)
            .with_context(|| format!("`{shown}` did not start"))?;
        let address = rest.trim_start_matches("http://").parse();
        let address = match address {
            Ok(address) => address,
            Err(_) => listening_on(running.id()).with_context(|| format!("`{shown}` said {rest:?}"))?,
        };
        Ok(Server {
            running,
            address,
            ready_after: ready_at - started,
            postgres,
        })
    }

    /// `command` is `portolan serve` with its flags.
    pub fn portolan(command: Command, postgres: Option<u32>) -> Result<Server> {
        Server::start(command, "portolan ready at ", postgres)
    }

    pub fn bare(binary: &Path, answer_bytes: usize) -> Result<Server> {
        let mut command = Command::new(binary);
        command.arg(answer_bytes.to_string());
        Server::start(command, "ready at ", None)
    }

    pub fn peer(folder: &Path, database: &Path, tokens: &Path, count: usize) -> Result<Server> {
        let mut command = Command::new("node");
        command
            .arg("server.mjs")
            .arg(database)
            .arg(tokens)
            .arg(count.to_string())
            .current_dir(folder);
        // Its warnings on stderr (a newer Node, the log-in pages) are known and of no interest here.
        command.env("NODE_ENV", "production").stderr(Stdio::null());
        Server::start(command, "ready at ", None)
    }

    /// CPU time of everything that serves: this process and its PostgreSQL.
    pub fn cpu(&self) -> Result<Duration> {
        let own = machine::cpu(self.running.id())?;
        Ok(own
            + self
                .postgres
                .map(machine::cpu_with_children)
                .transpose()?
                .unwrap_or_default())
    }

    /// The same to the nanosecond, for a short measurement.
    pub fn threads(&self) -> Result<Threads> {
        let mut threads = Threads::of(self.running.id())?;
        if let Some(postgres) = self.postgres {
            threads.join(Threads::with_children(postgres)?);
        }
        Ok(threads)
    }

    pub fn memory(&self) -> Result<Memory> {
        machine::memory(self.running.id())
    }
}

/// The loopback address that a process listens on, found through its open sockets: the
/// ready line names the public address, which here is not where it listens.
fn listening_on(process: u32) -> Result<SocketAddr> {
    let mut inodes = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{process}/fd"))?.flatten() {
        if let Ok(target) = std::fs::read_link(entry.path())
            && let Some(inode) = target
                .to_str()
                .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'))
        {
            inodes.push(inode.to_owned());
        }
    }
    let sockets = std::fs::read_to_string("/proc/net/tcp")?;
    let port = sockets.lines().find_map(|line| listening_port(line, &inodes));
    Ok(SocketAddr::from((
        [127, 0, 0, 1],
        port.context("the process listens nowhere")?,
    )))
}

/// The port of a line of `/proc/net/tcp`, if it is a listening socket on 127.0.0.1 with one of these inodes.
fn listening_port(line: &str, inodes: &[String]) -> Option<u16> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let port = fields.get(1)?.strip_prefix("0100007F:")?;
    let matches = *fields.get(3)? == LISTEN && inodes.iter().any(|inode| inode == fields[9]);
    if matches {
        u16::from_str_radix(port, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = sockets
            .lines()
            .find(|line| line.contains(&format!("0100007F:{port:04X} 00000000:0000 0A")))
            .unwrap();
        let inode = line.split_whitespace().nth(9).unwrap().to_owned();

        assert_eq!(listening_port(line, std::slice::from_ref(&inode)), Some(port));
        assert_eq!(listening_port(line, &["1".to_owned()]), None);
        assert_eq!(listening_port(&line.replace(" 0A ", " 01 "), &[inode]), None);
    }

    #[test]
    fn the_ready_line_tells_the_address() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo starting; echo ready at 127.0.0.1:4711; exec sleep 100"]);

        let server = Server::start(command, "ready at ", None).unwrap();

        assert_eq!(server.address, "127.0.0.1:4711".parse().unwrap());
        assert!(server.cpu().unwrap() < Duration::from_secs(1));
    }

    #[test]
    fn a_server_that_ends_is_an_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 1"]);

        assert!(
            Server::start(command, "ready at ", None)
                .unwrap_err()
                .to_string()
                .contains("did not start")
        );
    }
}
