//! A TCP proxy between the adapter and PostgreSQL that loses connections at a chosen moment.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

/// When the proxy cuts the connection that sends the next COMMIT.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cut {
    Never,
    /// The server does not get the COMMIT.
    Before,
    /// The server's answer to it is lost.
    After,
    /// Nothing goes through any more, and nobody is told.
    Silence,
}

pub struct Proxy {
    pub url: String,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    /// Stands in front of the server of this URL.
    pub fn before(url: &str) -> Proxy {
        let (credentials, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{credentials}@{}/{database}", listener.local_addr().unwrap());
        let (server, cut) = (server.to_owned(), Arc::new(AtomicU8::new(Cut::Never as u8)));
        let shared = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (answers_from, answers_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (cut, mute) = (Arc::clone(&shared), Arc::new(AtomicBool::new(false)));
                let muted = Arc::clone(&mute);
                thread::spawn(move || forward_questions(client, server, &cut, &mute));
                thread::spawn(move || forward_answers(answers_from, answers_to, &muted));
            }
        });
        Proxy { url, cut }
    }

    pub fn cut_next_commit(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

const COMMIT: &[u8] = b"COMMIT\0";

fn holds_commit(bytes: &[u8]) -> bool {
    bytes.windows(COMMIT.len()).any(|window| window == COMMIT)
}

fn forward_questions(mut client: TcpStream, mut server: TcpStream, cut: &AtomicU8, mute: &AtomicBool) {
    let mut buffer = [0; 65536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let commits = holds_commit(&buffer[..length]);
        let when = if commits {
            cut.swap(Cut::Never as u8, Ordering::SeqCst)
        } else {
            Cut::Never as u8
        };
        if when == Cut::Before as u8 {
            break;
        }
        if when == Cut::Silence as u8 {
            loop {
                thread::park();
            }
        }
        if when == Cut::After as u8 {
            mute.store(true, Ordering::SeqCst);
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Once muted nothing is passed on, and the client is cut off when the server has said that it committed.
fn forward_answers(mut server: TcpStream, mut client: TcpStream, muted: &AtomicBool) {
    let (mut buffer, mut withheld) = ([0; 65536], Vec::new());
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if muted.load(Ordering::SeqCst) {
            withheld.extend_from_slice(&buffer[..length]);
            if holds_commit(&withheld) {
                break;
            }
        } else if client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
