//! A program in a real terminal: a pseudo-terminal with somebody who reads and types.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::PATIENCE;

pub struct Terminal {
    process: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// Input, output and errors are the terminal.
    pub fn run(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || {
            let path = OsStr::from_bytes(name.as_bytes());
            OpenOptions::new().read(true).write(true).open(path).unwrap()
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let process = command.spawn().unwrap();
        // Ours of the other end are in the command; while they are open the screen never ends.
        drop(command);
        let keyboard = File::from(master);
        let mut reading = keyboard.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Linux ends a terminal that nobody holds with an error.
            while let Ok(length @ 1..) = reading.read(&mut bytes) {
                let _ = sender.send(bytes[..length].to_vec());
            }
        });
        Self {
            process,
            keyboard,
            screen,
            shown: String::new(),
        }
    }

    /// Waits until this is on the screen, and returns all that is.
    pub fn wait_for(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} is not shown, but\n{}", self.shown),
            }
        }
        &self.shown
    }

    pub fn type_line(&mut self, text: &str) {
        self.keyboard.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Waits for the end; returns the status and the whole screen.
    pub fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(bytes) = self
            .screen
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        let status = self.process.wait().unwrap();
        (status.code().unwrap_or(-1), std::mem::take(&mut self.shown))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
