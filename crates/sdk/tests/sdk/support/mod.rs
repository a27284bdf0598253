//! A server that answers as a test tells it to, faults included, and a clock whose pauses
//! are over at once.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan_sdk::{
    BoxFuture, ClientOptions, Clock, ConfidentialAppAuthClient, EnvironmentVariables, NativeAppAuthClient, Random,
    RetryPolicy, Timestamp, TransportConfig,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const NOW: i64 = 1_790_000_000;
pub const PERSON: &str = "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d";
pub const CLIENT: &str = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";

/// What came in.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Incoming {
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub fn field(&self, name: &str) -> Option<String> {
        self.form()
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What goes out.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16, Vec<(&'static str, String)>, String),
    /// The connection ends without an answer.
    HangUp,
    /// Half of an answer, and then the connection ends.
    Half,
    /// No answer for longer than anybody waits.
    Silence,
}

impl Answer {
    pub fn json(status: u16, document: Value) -> Self {
        Self::Status(
            status,
            vec![("content-type", "application/json".to_owned())],
            document.to_string(),
        )
    }

    pub fn ok(document: Value) -> Self {
        Self::json(200, document)
    }

    pub fn error(status: u16) -> Self {
        Self::json(status, json!({"error": "x"}))
    }

    pub fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Status(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Status(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = Box<dyn Fn(&Incoming) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct Script {
    incoming: Vec<Incoming>,
    answers: HashMap<String, VecDeque<Answer>>,
    handlers: Vec<Handler>,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    script: Arc<Mutex<Script>>,
    pub clock: Arc<TestClock>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        let clock = Arc::new(TestClock {
            now: AtomicI64::new(NOW),
            pauses: Mutex::default(),
        });
        Self { url, script, clock }
    }

    /// Answers at `path`, one after the other; the last one again and again.
    pub fn answers(&self, path: &str, answers: impl IntoIterator<Item = Answer>) -> &Self {
        let mut script = self.script.lock().unwrap();
        script.answers.insert(path.to_owned(), answers.into_iter().collect());
        self
    }

    pub fn answer(&self, path: &str, document: Value) -> &Self {
        self.answers(path, [Answer::ok(document)])
    }

    /// Asked before the answers of the paths.
    pub fn handle(&self, handler: impl Fn(&Incoming) -> Option<Answer> + Send + Sync + 'static) -> &Self {
        self.script.lock().unwrap().handlers.push(Box::new(handler));
        self
    }

    pub fn requests(&self, path: &str) -> Vec<Incoming> {
        let script = self.script.lock().unwrap();
        let at = |incoming: &&Incoming| incoming.path == path;
        script.incoming.iter().filter(at).cloned().collect()
    }

    pub fn last(&self) -> Incoming {
        self.script.lock().unwrap().incoming.last().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.script.lock().unwrap().incoming.len()
    }

    /// Options for this server, with the clock of the test and randomness without chance.
    pub fn options(&self) -> ClientOptions {
        ClientOptions::from_variables(EnvironmentVariables::default())
            .base_url(&self.url)
            .transport(self.transport())
    }

    pub fn transport(&self) -> TransportConfig {
        TransportConfig {
            clock: self.clock.clone(),
            random: Arc::new(Bytes(0)),
            retry: RetryPolicy::default(),
            ..TransportConfig::default()
        }
    }

    pub fn native(&self) -> NativeAppAuthClient {
        NativeAppAuthClient::with_options(CLIENT, self.options()).unwrap()
    }

    pub fn confidential(&self) -> ConfidentialAppAuthClient {
        ConfidentialAppAuthClient::with_options(CLIENT, "se+cret=", self.options()).unwrap()
    }

    pub fn discovery(&self) -> &Self {
        let url = &self.url;
        let issuer = url.trim_end_matches('/');
        self.answer(
            "/.well-known/openid-configuration",
            json!({
                "issuer": issuer, "jwks_uri": format!("{url}jwk.json"), "token_endpoint": format!("{url}v2/oauth2/token"),
                "id_token_signing_alg_values_supported": ["RS256", "ES256"], "scopes_supported": ["openid"],
                "authorization_response_iss_parameter_supported": true,
            }),
        )
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    loop {
        let Some(incoming) = read(&mut stream).await else {
            return;
        };
        let answer = {
            let mut script = script.lock().unwrap();
            script.incoming.push(incoming.clone());
            let handled = script.handlers.iter().find_map(|handler| handler(&incoming));
            handled.unwrap_or_else(|| match script.answers.get_mut(&incoming.path) {
                Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
                Some(answers) => answers.front().unwrap().clone(),
                None => Answer::json(404, json!({"error": "no answer for this path"})),
            })
        };
        match answer {
            Answer::Status(status, headers, body) => {
                let mut text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                text.push_str(&body);
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            Answer::HangUp => return,
            Answer::Half => {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
                    .await;
                return;
            }
            Answer::Silence => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Incoming> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Incoming {
        method,
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body: String::from_utf8(bytes[head + 4..head + 4 + length].to_vec()).unwrap(),
    })
}

/// Stands still but for pauses, which are over at once.
pub struct TestClock {
    now: AtomicI64,
    pauses: Mutex<Vec<Duration>>,
}

impl TestClock {
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The pauses so far, in milliseconds.
    pub fn pauses(&self) -> Vec<u128> {
        self.pauses.lock().unwrap().iter().map(Duration::as_millis).collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.pauses.lock().unwrap().push(duration);
        Box::pin(async {})
    }
}

/// The same byte for ever.
pub struct Bytes(pub u8);

impl Random for Bytes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// A token document for one resource server.
pub fn token(resource_server: &str, scope: &str, access_token: &str) -> Value {
    json!({
        "access_token": access_token, "expires_in": 172_800, "scope": scope, "resource_server": resource_server,
        "token_type": "Bearer", "other_tokens": []
    })
}
