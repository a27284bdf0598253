//! Child processes of the chores.
//!
//! Each child leads a process group of its own, so that ending it also ends what it
//! started. Every running child and every temporary folder is on a list that a thread
//! works through when the person presses Ctrl-C or the machine sends a termination
//! signal: nothing outlives us, however we are ended. (After `kill -9` nobody can tidy;
//! the PostgreSQL cluster looks after itself, see `postgres.rs`.)

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// How long a process may take to stop when asked politely.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Vec<Arc<Process>>> = Mutex::new(Vec::new());
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one thread must not keep another one from tidying up.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all children and removes all temporary folders when a signal ends us.
pub fn handle_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            eprintln!("\nxtask: interrupted, stopping what runs");
            // Newest first: a test ends before the database it uses.
            let running = std::mem::take(&mut *lock(&RUNNING));
            for process in running.iter().rev() {
                process.stop();
            }
            for folder in lock(&FOLDERS).drain(..) {
                let _ = std::fs::remove_dir_all(folder);
            }
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// A temporary folder, removed when dropped and when a signal ends us.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Creates `path`, which must not exist yet.
    pub fn create(path: PathBuf) -> io::Result<Folder> {
        std::fs::create_dir(&path)?;
        lock(&FOLDERS).push(path.clone());
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        lock(&FOLDERS).retain(|path| path != &self.0);
    }
}

#[derive(Debug)]
struct Process {
    child: Mutex<Child>,
    group: Pid,
    stop_signal: Signal,
}

impl Process {
    fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        lock(&self.child).try_wait()
    }

    fn stop(&self) {
        if matches!(self.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.group, self.stop_signal);
            let deadline = Instant::now() + GRACE;
            while matches!(self.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(POLL);
            }
        }
        // The leader is gone or deaf. What it left behind in its group goes with it.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = lock(&self.child).wait();
    }
}

/// A child in a process group of its own, ended with its whole group when dropped.
#[derive(Debug)]
pub struct Running(Arc<Process>);

impl Running {
    /// Starts `command`; `stop_signal` is the polite way to end it.
    pub fn spawn(command: &mut Command, stop_signal: Signal) -> Result<Running> {
        // The list stays locked while the child starts, so a signal finds it listed or not started.
        let mut running = lock(&RUNNING);
        if INTERRUPTED.load(Ordering::SeqCst) {
            bail!("interrupted");
        }
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let group = Pid::from_child(&child);
        let process = Arc::new(Process {
            child: Mutex::new(child),
            group,
            stop_signal,
        });
        running.push(Arc::clone(&process));
        Ok(Running(process))
    }

    pub fn id(&self) -> u32 {
        self.0.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// The exit status if the process has ended.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits until the process ends by itself, at most for `limit`.
    pub fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.try_wait()?;
            while INTERRUPTED.load(Ordering::SeqCst) {
                // The signal thread ends the program; until then nothing is to be reported.
                thread::sleep(POLL);
            }
            if let Some(status) = ended {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                self.stop();
                bail!("ended by xtask: it took longer than {} s", limit.as_secs());
            }
            thread::sleep(POLL);
        }
    }

    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        lock(&RUNNING).retain(|process| !Arc::ptr_eq(process, &self.0));
    }
}

/// Runs a command to its end. What it prints is shown as it comes and added to `log`.
pub fn run(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    run_beside_others(command, "", log, limit)
}

/// As [`run`], where several run at once: each line begins with `label` where it is shown, not
/// in the log.
pub fn run_beside_others(command: &mut Command, label: &str, log: &Path, limit: Duration) -> Result<()> {
    let shown = describe(command);
    println!("{label}$ {shown}");
    let mut log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| log.display().to_string())?;
    writeln!(log, "$ {shown}")?;

    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let child = Running::spawn(command, Signal::TERM)?;
    // The command holds our ends of the pipe; only without them does the reader see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (done, all_read) = mpsc::channel();
    let label = label.to_owned();
    thread::spawn(move || {
        let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(label.as_bytes());
            let _ = stdout.write_all(&line);
            let _ = log.write_all(&line);
            line.clear();
        }
        let _ = done.send(());
    });
    let status = child.wait(limit);
    drop(child);
    // A process that left the group may hold the pipe for ever; it does not hold us.
    let _ = all_read.recv_timeout(Duration::from_secs(5));
    let status = status.with_context(|| format!("`{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` {}", ending(status));
    }
    Ok(())
}

/// Runs a short command silently and returns what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` {}: {}", ending(output.status), complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A `cargo` that sees neither what the outer `cargo run` told us about the crate xtask nor
/// a developer's settings of the server.
pub fn cargo() -> Command {
    let mut command = Command::new("cargo");
    remove_variables(&mut command, &["CARGO_PKG_", "CARGO_MANIFEST_", "PORTOLAN_"]);
    command
}

/// Hides the variables with these prefixes from a command, but for what is set on it later.
pub fn remove_variables(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '*']) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended strangely".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("portolan-xtask-{name}-{}.log", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn output_reaches_the_log_and_failure_is_reported() {
        let path = log("failure");
        let mut command = Command::new("sh");
        command.args(["-c", "echo to stdout; echo to stderr >&2; exit 3"]);

        let error = run_beside_others(&mut command, "sh: ", &path, Duration::from_secs(30)).unwrap_err();

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(error.to_string().contains("exit status 3"), "{error}");
        // Whose it is stands before a line for whoever watches, not where it is read by line.
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"to stdout") && lines.contains(&"to stderr"), "{text}");
    }

    #[test]
    fn a_process_that_takes_too_long_ends_with_what_it_started() {
        let path = log("limit");
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo child $!; wait"]);

        let error = run(&mut command, &path, Duration::from_millis(300)).unwrap_err();

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(format!("{error:#}").contains("took longer"), "{error:#}");
        let child = text.lines().find_map(|line| line.strip_prefix("child ")).unwrap();
        // The orphan was ended too: it is gone, or waits as a zombie for a parent to notice. The
        // system takes a moment between the signal and the end.
        let ended = || match std::fs::read_to_string(format!("/proc/{child}/stat")) {
            Ok(state) => state.contains(") Z ") || state.contains(") X "),
            Err(_) => true,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ended() {
            assert!(Instant::now() < deadline, "it still runs");
            thread::sleep(POLL);
        }
    }
}
