//! What was acknowledged stays: `kill -9` under load, and backups under load.
//!
//! A client issues, refreshes and revokes against the real server and notes what it got an
//! answer for. After the server was killed and started again on the same store, that log
//! is the judge: no acknowledged token may be lost, no acknowledged revocation undone, no
//! family of refresh tokens forked. Whatever had no answer yet may have happened or not.
//!
//! `PORTOLAN_CRASH_ROUNDS` (5) is how often each engine is killed, `PORTOLAN_CRASH_SECONDS`
//! (1) how long the load runs before. `PORTOLAN_TEST_POSTGRES_URL` adds PostgreSQL, and
//! `PORTOLAN_BIN` names another server program than the one built for tests.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use portolan_db::testing::TestDb;
use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded;

const PASSWORD: &str = "seven quiet lanterns drift north";
/// Far more than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server itself as a resource; the catalogue fixes its id.
const AUTH_RESOURCE_SERVER: &str = "e686dd20-3a53-45a0-8d6f-071162d9ef76";
/// The pair of RFC 7636, appendix B. Nobody attacks this test.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const ISSUERS: usize = 4;
const REFRESHERS: usize = 4;

// ---- The server ----

/// A store with its folder, and the address that its servers listen at one after the other.
struct Place {
    folder: TempDir,
    /// Of PostgreSQL; without one it is a SQLite file in the folder.
    database: Option<TestDb>,
    port: u16,
}

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    /// SIGKILL: no handler runs, nothing is flushed.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Place {
    fn on_sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: None,
            port: free_port(),
        }
    }

    /// `None` when no PostgreSQL is named.
    fn on_postgres() -> Option<Self> {
        let place = Self {
            database: Some(TestDb::postgres(&[])?),
            ..Self::on_sqlite()
        };
        let key = place.master_key();
        place.run(&["keys", "master-key", key.to_str().unwrap()], "");
        Some(place)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn master_key(&self) -> PathBuf {
        match self.database {
            Some(_) => self.folder.path().join("master.key"),
            None => self.data().join("master.key"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = std::env::var_os("PORTOLAN_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_portolan").into());
        let mut command = Command::new(program);
        // Settings of the surroundings must not reach the tests.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTOLAN_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).arg("--data-dir").arg(self.data());
        if let Some(database) = &self.database {
            command.arg("--database").arg(database.url());
            command.arg("--master-key-file").arg(self.master_key());
        }
        command
    }

    fn start(&self) -> Server {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = self.command(&["serve", "--listen", &listen, "--log-level", "error"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let server = Server {
            process,
            port: self.port,
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("the server becomes ready");
            if line.starts_with("portolan ready at ") {
                return server;
            }
        }
    }

    /// Runs a command that must succeed and returns what it printed.
    fn run(&self, arguments: &[&str], input: &str) -> Value {
        let mut command = self.command(arguments);
        command.args(["--format", "json"]);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// A person, an app of each kind, and the right to introspect.
    fn populate(&self) -> People {
        let add = [
            "user",
            "add",
            "alice",
            "--name",
            "Alice",
            "--email",
            "alice@example.org",
        ];
        self.run(&[&add[..], &["--admin", "--password-stdin"]].concat(), PASSWORD);
        let client = |kind: &str| {
            let made = self.run(&["client", "create", "--name", kind, "--type", kind], "");
            made["client"]["id"].as_str().unwrap().to_owned()
        };
        let secret = |id: &str| {
            let made = self.run(&["client", "secret", "create", id, "--name", "test"], "");
            made["credential"]["secret"].as_str().unwrap().to_owned()
        };
        let service = client("client_identity");
        People {
            service_secret: secret(&service),
            service,
            program: client("public_installed_client"),
            checker_secret: secret(AUTH_RESOURCE_SERVER),
        }
    }
}

/// Every server of a place listens at the same port: the name of the browser's cookie has it.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct People {
    /// Acts as itself.
    service: String,
    service_secret: String,
    /// A public client: its refresh tokens rotate.
    program: String,
    checker_secret: String,
}

// ---- HTTP ----

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn text(&self, member: &str) -> String {
        let document = self.json();
        let text = document[member].as_str();
        text.unwrap_or_else(|| panic!("no {member} in {document}")).to_owned()
    }
}

/// One connection, used again and again. An error means that no answer came.
struct Connection {
    stream: BufReader<TcpStream>,
    port: u16,
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            port,
        })
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)], headers: &str) -> io::Result<Answer> {
        let body = encode(form);
        let length = body.len();
        let more = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{headers}");
        self.send("POST", path, &more, &body)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let port = self.port;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            headers,
            body: String::new(),
        };
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        let mut bytes = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut bytes)?;
        answer.body = String::from_utf8(bytes).map_err(io::Error::other)?;
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        // Half a line is what a killed server leaves.
        let whole = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(whole.to_owned())
    }

    fn refresh(&mut self, people: &People, token: &str) -> io::Result<Answer> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &people.program),
            ("refresh_token", token),
        ];
        self.post("/v2/oauth2/token", &form, "")
    }

    /// The form as a revocation wants it, by the client that the token was issued to.
    fn revoke(&mut self, client: &[(&str, &str)], token: &str) -> io::Result<Answer> {
        self.post("/v2/oauth2/token/revoke", &[client, &[("token", token)]].concat(), "")
    }

    fn is_active(&mut self, people: &People, token: &str) -> bool {
        let form = [
            ("client_id", AUTH_RESOURCE_SERVER),
            ("client_secret", &people.checker_secret),
            ("token", token),
        ];
        let answer = self.post("/v2/oauth2/token/introspect", &form, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }
}

fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// As much of a browser as it takes to sign in and to allow.
struct Browser {
    cookies: HashMap<String, String>,
    logins: u32,
}

impl Browser {
    fn new() -> Self {
        Self {
            cookies: HashMap::new(),
            logins: 0,
        }
    }

    fn send(&mut self, connection: &mut Connection, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let headers = format!("Cookie: {}\r\n", pairs.join("; "));
        let answer = match form {
            Some(form) => connection.post(path, form, &headers),
            None => connection.send("GET", path, &headers, ""),
        };
        let answer = answer.unwrap();
        for (name, value) in &answer.headers {
            if let ("set-cookie", Some((name, rest))) = (name.as_str(), value.split_once('=')) {
                let value = rest.split(';').next().unwrap_or("");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// A new family of refresh tokens. Only the first one needs pages: the session and the
    /// consent are kept.
    fn family(&mut self, connection: &mut Connection, people: &People) -> Family {
        let display_page = format!("http://localhost:{}/v2/web/auth-code", connection.port);
        let query = encode(&[
            ("client_id", &people.program),
            ("redirect_uri", &display_page),
            ("response_type", "code"),
            ("scope", "openid"),
            ("access_type", "offline"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let mut answer = self.send(connection, &format!("/v2/oauth2/authorize?{query}"), None);
        let code = loop {
            match answer.header("location").map(str::to_owned) {
                Some(location) if location.starts_with(&display_page) => {
                    let url = url::Url::parse(&location).unwrap();
                    break url
                        .query_pairs()
                        .find(|(name, _)| name == "code")
                        .unwrap()
                        .1
                        .into_owned();
                }
                Some(location) => answer = self.send(connection, &location, None),
                None => {
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    answer = self.fill_in(connection, &answer.body);
                }
            }
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &people.program),
            ("redirect_uri", &display_page),
            ("code_verifier", VERIFIER),
            ("code", &code),
        ];
        let answer = connection.post("/v2/oauth2/token", &form, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        Family {
            chain: vec![answer.text("refresh_token")],
            access: vec![Token::acknowledged(answer.text("access_token"))],
            revocation: None,
        }
    }

    /// Signs in where a page asks for a password, and allows whatever else is asked.
    fn fill_in(&mut self, connection: &mut Connection, page: &str) -> Answer {
        let form = page.split_once("<form").expect("a page with a form").1;
        let action = attribute(form, "action");
        let mut fields: Vec<(&str, &str)> = form
            .split("<input type=\"hidden\"")
            .skip(1)
            .map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect();
        if form.contains("name=\"password\"") {
            self.logins += 1;
            fields.extend([("username", "alice"), ("password", PASSWORD)]);
        } else {
            fields.push(("decision", "allow"));
        }
        self.send(connection, action, Some(&fields))
    }
}

/// The value of the next attribute of that name. Ids and tokens have nothing to unescape.
fn attribute<'a>(html: &'a str, name: &str) -> &'a str {
    let after = html
        .split_once(&format!("{name}=\""))
        .expect("the attribute is there")
        .1;
    after.split_once('"').expect("the attribute ends").0
}

// ---- The load and its log ----

/// That something was asked to be revoked.
struct Revocation {
    sent_at: Instant,
    acknowledged_at: Option<Instant>,
}

/// An access token that an answer of the server contained.
struct Token {
    text: String,
    acknowledged_at: Instant,
    revocation: Option<Revocation>,
}

/// What the log says about something at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Active,
    Inactive,
    /// A request about it had no answer yet.
    InDoubt,
}

fn verdict(revocation: Option<&Revocation>, at: Instant) -> Verdict {
    match revocation {
        None => Verdict::Active,
        Some(revocation)
            if revocation
                .acknowledged_at
                .is_some_and(|acknowledged| acknowledged <= at) =>
        {
            Verdict::Inactive
        }
        Some(revocation) if revocation.sent_at > at => Verdict::Active,
        Some(_) => Verdict::InDoubt,
    }
}

impl Token {
    fn acknowledged(text: String) -> Self {
        Self {
            text,
            acknowledged_at: Instant::now(),
            revocation: None,
        }
    }
}

/// The refresh tokens that came one out of the other, and the access tokens with them.
struct Family {
    chain: Vec<String>,
    access: Vec<Token>,
    revocation: Option<Revocation>,
}

impl Family {
    fn newest(&self) -> &str {
        self.chain.last().expect("a family begins with a token")
    }

    fn revoke(&mut self, connection: &mut Connection, people: &People) -> io::Result<()> {
        let newest = self.newest().to_owned();
        let client = [("client_id", people.program.as_str())];
        revoke(connection, &client, &newest, &mut self.revocation)
    }

    fn refresh(&mut self, connection: &mut Connection, people: &People) -> io::Result<()> {
        let answer = connection.refresh(people, self.newest())?;
        // Refused for now, or the outcome is not known: the same token can be presented again.
        if answer.status == 503 {
            return Ok(());
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.access.push(Token::acknowledged(answer.text("access_token")));
        let successor = answer.text("refresh_token");
        if successor != self.newest() {
            self.chain.push(successor);
        }
        Ok(())
    }
}

fn revoke(
    connection: &mut Connection,
    client: &[(&str, &str)],
    token: &str,
    revocation: &mut Option<Revocation>,
) -> io::Result<()> {
    let entry = revocation.insert(Revocation {
        sent_at: Instant::now(),
        acknowledged_at: None,
    });
    let answer = connection.revoke(client, token)?;
    assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
    if answer.status == 200 {
        entry.acknowledged_at = Some(Instant::now());
    }
    Ok(())
}

/// What the client was told.
#[derive(Default)]
struct Log {
    tokens: Vec<Token>,
    families: Vec<Family>,
}

/// Issues tokens and revokes every third, until told to stop or nobody answers.
fn issue(port: u16, people: &People, stop: &AtomicBool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let client = [
        ("client_id", people.service.as_str()),
        ("client_secret", people.service_secret.as_str()),
    ];
    let more = [("grant_type", "client_credentials"), ("scope", "openid")];
    let form = [&client[..], &more[..]].concat();
    let mut work = || -> io::Result<()> {
        let mut connection = Connection::open(port)?;
        while !stop.load(Ordering::Relaxed) {
            let answer = connection.post("/v2/oauth2/token", &form, "")?;
            assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
            if answer.status == 200 {
                tokens.push(Token::acknowledged(answer.text("access_token")));
            }
            let third = tokens.len() % 3 == 0;
            if let (Some(token), true) = (tokens.last_mut(), third)
                && token.revocation.is_none()
            {
                let text = token.text.clone();
                revoke(&mut connection, &client, &text, &mut token.revocation)?;
            }
        }
        Ok(())
    };
    // An error is the server's death.
    let _ = work();
    tokens
}

/// Refreshes families in turn. Every seventh access token is revoked alone, and the first
/// family as a whole after its fifth refresh.
fn refresh(port: u16, people: &People, families: &mut [Family], stop: &AtomicBool) {
    let client = [("client_id", people.program.as_str())];
    let mut work = || -> io::Result<()> {
        let mut connection = Connection::open(port)?;
        while !stop.load(Ordering::Relaxed) {
            for (index, family) in families.iter_mut().enumerate() {
                if family.revocation.is_some() {
                    continue;
                }
                family.refresh(&mut connection, people)?;
                let refreshed = family.access.len();
                if let (Some(token), true) = (family.access.last_mut(), refreshed % 7 == 0)
                    && token.revocation.is_none()
                {
                    let text = token.text.clone();
                    revoke(&mut connection, &client, &text, &mut token.revocation)?;
                }
                if index == 0 && refreshed > 5 {
                    family.revoke(&mut connection, people)?;
                }
            }
        }
        Ok(())
    };
    let _ = work();
}

/// Runs the load on families made before, while `meanwhile` runs, and returns the log.
fn load(port: u16, people: &People, mut families: Vec<Family>, meanwhile: impl FnOnce()) -> Log {
    let stop = AtomicBool::new(false);
    let mut tokens = Vec::new();
    thread::scope(|scope| {
        let issuers: Vec<_> = (0..ISSUERS)
            .map(|_| scope.spawn(|| issue(port, people, &stop)))
            .collect();
        for families in families.chunks_mut(FAMILIES_EACH) {
            scope.spawn(|| refresh(port, people, families, &stop));
        }
        meanwhile();
        stop.store(true, Ordering::Relaxed);
        for issuer in issuers {
            tokens.extend(issuer.join().unwrap());
        }
    });
    Log { tokens, families }
}

/// One that is revoked, one whose old token is replayed, one that goes on.
const FAMILIES_EACH: usize = 3;

// ---- The judgement ----

/// Compares access tokens with the server: what the log is sure of must be so.
fn judge_tokens(port: u16, people: &People, tokens: &[&Token], at: Instant) {
    let known: Vec<&&Token> = tokens.iter().filter(|token| token.acknowledged_at <= at).collect();
    let share = known.len().div_ceil(4).max(1);
    thread::scope(|scope| {
        for part in known.chunks(share) {
            scope.spawn(move || {
                let mut connection = Connection::open(port).unwrap();
                for token in part {
                    let active = connection.is_active(people, &token.text);
                    match verdict(token.revocation.as_ref(), at) {
                        Verdict::Active => assert!(active, "an acknowledged token is lost"),
                        Verdict::Inactive => assert!(!active, "an acknowledged revocation is undone"),
                        Verdict::InDoubt => {}
                    }
                }
            });
        }
    });
}

fn assert_dead(connection: &mut Connection, people: &People, family: &Family, why: &str) {
    let answer = connection.refresh(people, family.newest()).unwrap();
    let error = answer.text("error");
    assert_eq!(
        (answer.status, error.as_str()),
        (400, "invalid_grant"),
        "{why}: its refresh token"
    );
    for token in &family.access {
        assert!(!connection.is_active(people, &token.text), "{why}: its access tokens");
    }
}

fn judge_families(port: u16, people: &People, families: &[Family]) {
    let mut connection = Connection::open(port).unwrap();
    let now = Instant::now();
    for (index, family) in families.iter().enumerate() {
        match verdict(family.revocation.as_ref(), now) {
            Verdict::Inactive => {
                assert_dead(&mut connection, people, family, "a revoked family");
                continue;
            }
            // It may have ended or not, but as a whole.
            Verdict::InDoubt => {
                let gone = connection.refresh(people, family.newest()).unwrap().status != 200;
                let tokens = family.access.iter().filter(|token| token.revocation.is_none());
                let mut left = tokens.map(|token| connection.is_active(people, &token.text));
                assert!(left.all(|active| active != gone), "half a revocation");
                continue;
            }
            Verdict::Active => {}
        }
        let tokens: Vec<&Token> = family.access.iter().collect();
        judge_tokens(port, people, &tokens, now);
        if index % FAMILIES_EACH == 1 {
            judge_replay(&mut connection, people, family);
        } else {
            judge_continuation(&mut connection, people, family);
        }
    }
}

/// A token whose successor was used before the crash is a copy, also after it.
fn judge_replay(connection: &mut Connection, people: &People, family: &Family) {
    let old = family.chain.len().checked_sub(3).expect("the load got that far");
    let answer = connection.refresh(people, &family.chain[old]).unwrap();
    let error = answer.text("error");
    assert_eq!(
        (answer.status, error.as_str()),
        (400, "invalid_grant"),
        "a replayed refresh token"
    );
    assert_dead(connection, people, family, "a family with a replayed token");
}

/// The newest token that was acknowledged still works. Its successor may have been made
/// before the crash without an answer; whoever asks again gets that one and no second.
fn judge_continuation(connection: &mut Connection, people: &People, family: &Family) {
    let mut successors = (0..2).map(|_| {
        let answer = connection.refresh(people, family.newest()).unwrap();
        assert_eq!(
            answer.status, 200,
            "an acknowledged refresh token is lost: {}",
            answer.body
        );
        (answer.text("refresh_token"), answer.text("access_token"))
    });
    let (first, second) = (successors.next().unwrap(), successors.next().unwrap());
    assert_eq!(first.0, second.0, "the family is forked");
    for token in [&first.1, &second.1] {
        assert!(connection.is_active(people, token));
    }
    let next = connection.refresh(people, &first.0).unwrap();
    assert_eq!(next.status, 200, "{}", next.body);
    let replayed = connection.refresh(people, family.newest()).unwrap();
    assert_eq!(replayed.status, 400, "its successor was used");
    let last = connection.refresh(people, &next.text("refresh_token")).unwrap();
    assert_eq!(last.status, 400, "the family ended with the replay");
}

// ---- The tests ----

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().expect("the variable holds a number"))
}

/// Kills, starts again and judges, round after round on one store.
fn survive(place: &Place, engine: &str) {
    let seconds = Duration::from_secs(number("PORTOLAN_CRASH_SECONDS", 1));
    let mut server = place.start();
    let people = place.populate();
    let mut browser = Browser::new();
    let mut earlier: Vec<Token> = Vec::new();
    for round in 1..=number("PORTOLAN_CRASH_ROUNDS", 5) {
        let mut connection = Connection::open(server.port).unwrap();
        let families = (0..REFRESHERS * FAMILIES_EACH)
            .map(|_| browser.family(&mut connection, &people))
            .collect();
        assert_eq!(browser.logins, 1, "the person stays signed in");
        let moment = seconds + Duration::from_micros(RandomState::new().hash_one(round) % 400_000);

        let log = load(server.port, &people, families, || {
            thread::sleep(moment);
            server.process.kill().unwrap();
        });
        server.process.wait().unwrap();
        server = place.start();

        let refreshes: usize = log.families.iter().map(|family| family.access.len() - 1).sum();
        let revoked = log.tokens.iter().filter(|token| token.revocation.is_some()).count();
        eprintln!(
            "{engine}, round {round}: killed after {moment:?}, {} tokens, {revoked} of them revoked, {refreshes} refreshes",
            log.tokens.len()
        );
        assert!(
            log.tokens.len() > 10 && revoked > 3 && refreshes > 10,
            "hardly any load"
        );
        let now = Instant::now();
        judge_tokens(server.port, &people, &log.tokens.iter().collect::<Vec<_>>(), now);
        judge_families(server.port, &people, &log.families);
        // Of the rounds before, a sample: a store that forgets does not forget one alone.
        judge_tokens(
            server.port,
            &people,
            &earlier.iter().step_by(17).collect::<Vec<_>>(),
            now,
        );
        earlier.extend(log.tokens);
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_sqlite() {
    survive(&Place::on_sqlite(), "SQLite");
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_postgresql() {
    if let Some(place) = Place::on_postgres() {
        survive(&place, "PostgreSQL");
    }
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began() {
    let place = Place::on_sqlite();
    let server = place.start();
    let people = place.populate();
    let mut browser = Browser::new();
    let mut connection = Connection::open(server.port).unwrap();
    let mut family = || browser.family(&mut connection, &people);
    // These rest during the backup, so the log is sure of them.
    let (quiet, mut ended) = (family(), family());
    let families = (0..REFRESHERS * FAMILIES_EACH).map(|_| family()).collect();
    ended.revoke(&mut connection, &people).unwrap();
    let file = place.folder.path().join("saved.db");
    let mut began_at = None;

    let log = load(server.port, &people, families, || {
        thread::sleep(Duration::from_secs(1));
        began_at = Some(Instant::now());
        place.run(&["backup", file.to_str().unwrap()], "");
        // What comes after the backup must not be in the restored server's way.
        thread::sleep(Duration::from_millis(300));
    });
    drop(server);
    let restored = Place::on_sqlite();
    fs::create_dir(restored.data()).unwrap();
    fs::copy(place.master_key(), restored.master_key()).unwrap();
    restored.run(&["restore", file.to_str().unwrap()], "");
    let server = restored.start();

    let began_at = began_at.unwrap();
    let before = log
        .tokens
        .iter()
        .filter(|token| token.acknowledged_at <= began_at)
        .count();
    assert!(
        before > 10 && before < log.tokens.len(),
        "the load ran before and after the backup began"
    );
    // Tokens that were revoked while the backup was made may be found in either state.
    let settled = |token: &&Token| {
        token.revocation.as_ref().is_none_or(|revocation| {
            revocation
                .acknowledged_at
                .is_some_and(|acknowledged_at| acknowledged_at <= began_at)
        })
    };
    let tokens: Vec<&Token> = log.tokens.iter().filter(settled).collect();
    judge_tokens(server.port, &people, &tokens, began_at);
    let mut connection = Connection::open(server.port).unwrap();
    let was_ended = |family: &&Family| verdict(family.revocation.as_ref(), began_at) == Verdict::Inactive;
    let revoked: Vec<&Family> = log.families.iter().filter(was_ended).chain([&ended]).collect();
    assert!(revoked.len() > 1, "families were revoked under load");
    for family in revoked {
        let answer = connection.refresh(&people, &family.chain[0]).unwrap();
        assert_eq!(answer.status, 400, "a revoked family lives again");
        for token in &family.access {
            assert!(
                !connection.is_active(&people, &token.text),
                "a revoked family lives again"
            );
        }
    }
    assert!(connection.is_active(&people, &quiet.access[0].text));
    judge_continuation(&mut connection, &people, &quiet);
}
