//! A mail server on this machine that keeps what it is given, for tests of what people are
//! told. It speaks as much SMTP as a client needs that hands over a message.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use portolan_server::config::{Config, SignUp};
use portolan_server::jobs::mail::Mailer;

use super::{TestServer, runtime};

/// Listens until the test ends.
#[derive(Clone)]
pub struct Mailbox {
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    /// Answers to the next messages instead of taking them.
    refusals: Arc<Mutex<VecDeque<String>>>,
    /// Is told when a message has come that is never answered.
    hangs: Arc<Mutex<Option<Sender<()>>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of the envelope.
    pub recipient: String,
    pub headers: Vec<(String, String)>,
    /// Decoded, lines end with \n.
    pub text: String,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        first
    }

    pub fn subject(&self) -> &str {
        self.header("subject").unwrap_or_default()
    }

    /// The path of the link in it, without the address of the server.
    #[track_caller]
    pub fn link(&self) -> String {
        let line = self.text.lines().find(|line| line.contains("/p/"));
        let line = line.unwrap_or_else(|| panic!("no link: {}", self.text));
        line[line.find("/p/").unwrap()..].trim().to_owned()
    }
}

impl Mailbox {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailbox = Self {
            address: listener.local_addr().unwrap(),
            messages: Arc::default(),
            refusals: Arc::default(),
            hangs: Arc::default(),
        };
        let shared = mailbox.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        mailbox
    }

    /// The settings of a server that sends its mail here.
    pub fn configure(&self, config: &mut Config) {
        config.smtp_url = Some(format!("smtp://{}?tls=none", self.address));
        config.mail_from = Some("Portolan <portolan@auth.example.org>".into());
        config.sign_up = SignUp::Open;
        config.limits.mail_requests_per_hour = 100_000;
        config.limits.mail_requests_in_all_per_hour = 100_000;
    }

    /// The next message is answered so instead of being taken: `451 later`.
    pub fn refuse(&self, answer: &str) {
        self.refusals.lock().unwrap().push_back(answer.to_owned());
    }

    /// The next message is neither taken nor refused; tells when it has come.
    pub fn hang(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        *self.hangs.lock().unwrap() = Some(sender);
        receiver
    }

    /// What has come since the last look.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }

    fn serve(&self, stream: TcpStream) {
        let mut output = stream.try_clone().unwrap();
        let mut say = move |text: &str| output.write_all(format!("{text}\r\n").as_bytes()).is_ok();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut recipient = String::new();
        say("220 mailbox of the tests");
        while let Some(line) = lines.next() {
            let command = line.to_uppercase();
            let going_on = match command.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" | "HELO" => say("250-mailbox\r\n250 8BITMIME"),
                "RCPT" => {
                    recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    say("250 ok")
                }
                "DATA" => {
                    say("354 go on");
                    let text: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                    if let Some(hang) = self.hangs.lock().unwrap().take() {
                        hang.send(()).unwrap();
                        continue;
                    }
                    let refusal = self.refusals.lock().unwrap().pop_front();
                    match refusal {
                        Some(answer) => say(&answer),
                        None => {
                            self.messages.lock().unwrap().push(parse(&recipient, &text));
                            say("250 taken")
                        }
                    }
                }
                "QUIT" => {
                    say("221 bye");
                    false
                }
                _ => say("250 ok"),
            };
            if !going_on {
                return;
            }
        }
    }
}

fn parse(recipient: &str, lines: &[String]) -> Message {
    let end = lines.iter().position(String::is_empty).unwrap_or(lines.len());
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in &lines[..end] {
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (true, _, Some((_, value))) => value.push_str(line),
            (false, Some((name, value)), _) => headers.push((name.to_owned(), value.trim().to_owned())),
            _ => panic!("not a header: {line}"),
        }
    }
    let quoted = headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("content-transfer-encoding") && value == "quoted-printable");
    let body = lines.get(end + 1..).unwrap_or_default();
    let body: Vec<&str> = body.iter().map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
    let text = body.join("\n");
    Message {
        recipient: recipient.to_owned(),
        headers,
        text: if quoted { unquote(&text) } else { text },
    }
}

/// RFC 2045 section 6.7.
fn unquote(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut parts = text.split('=');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).unwrap()
}

impl TestServer {
    /// A server that sends its mail into this box.
    pub fn with_mail(mailbox: &Mailbox) -> Self {
        Self::with(|config| mailbox.configure(config))
    }

    /// One turn of the job that answers requests and sends mail; how many were handed over.
    #[track_caller]
    pub fn send_mail(&self) -> usize {
        let mailer = Mailer::new(self.app()).unwrap().expect("mail is configured");
        runtime().block_on(mailer.run_once(self.app())).unwrap()
    }
}
