//! A TCP proxy between the adapter and PostgreSQL that loses connections at a chosen moment.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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
                let cut = Arc::clone(&shared);
                thread::spawn(move || forward_questions(client, server, &cut));
                thread::spawn(move || forward(answers_from, answers_to));
            }
        });
        Proxy { url, cut }
    }

    pub fn cut_next_commit(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

fn forward_questions(mut client: TcpStream, mut server: TcpStream, cut: &AtomicU8) {
    let mut buffer = [0; 65536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let commits = buffer[..length].windows(7).any(|window| window == b"COMMIT\0");
        let when = if commits { cut.swap(Cut::Never as u8, Ordering::SeqCst) } else { Cut::Never as u8 };
        if when == Cut::Before as u8 {
            break;
        }
        if when == Cut::After as u8 {
            // The answers stop first, then the server is let finish its work.
            client.shutdown(Shutdown::Both).unwrap();
            server.write_all(&buffer[..length]).unwrap();
            thread::sleep(std::time::Duration::from_millis(200));
            break;
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
