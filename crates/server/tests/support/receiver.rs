//! A server of an app on this machine that keeps what is posted to it, for tests of what
//! this server tells apps.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Listens until the test ends.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    /// Statuses of the next answers; 200 when there are none.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

#[derive(Clone, Debug)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub fields: Vec<(String, String)>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            posts: Arc::default(),
            answers: Arc::default(),
        };
        let shared = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.serve(stream);
            }
        });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next post is answered with this status.
    pub fn answer(&self, status: u16) {
        self.answers.lock().unwrap().push_back(status);
    }

    /// What has come since the last look.
    pub fn take(&self) -> Vec<Post> {
        std::mem::take(&mut self.posts.lock().unwrap())
    }

    fn serve(&self, stream: TcpStream) {
        let mut output = stream.try_clone().unwrap();
        let mut input = BufReader::new(stream);
        let mut line = String::new();
        input.read_line(&mut line).unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            input.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        input.read_exact(&mut body).unwrap();
        let fields = form_urlencoded::parse(&body).into_owned().collect();
        let status = self.answers.lock().unwrap().pop_front().unwrap_or(200);
        self.posts.lock().unwrap().push(Post { path, headers, fields });
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = output.write_all(answer.as_bytes());
    }
}
