//! Load, the log of what the servers acknowledged, and the judgement by that log.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use super::http::Connection;
use super::place::People;

const ISSUERS: usize = 4;
pub const REFRESHERS: usize = 4;

/// That something was asked to be revoked.
pub struct Revocation {
    pub sent_at: Instant,
    pub acknowledged_at: Option<Instant>,
}

/// An access token that an answer of the server contained.
pub struct Token {
    pub text: String,
    pub acknowledged_at: Instant,
    pub revocation: Option<Revocation>,
}

/// What the log says about something at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Active,
    Inactive,
    /// A request about it had no answer yet.
    InDoubt,
}

pub fn verdict(revocation: Option<&Revocation>, at: Instant) -> Verdict {
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
    pub fn acknowledged(text: String) -> Self {
        Self {
            text,
            acknowledged_at: Instant::now(),
            revocation: None,
        }
    }
}

/// The refresh tokens that came one out of the other, and the access tokens with them.
pub struct Family {
    pub chain: Vec<String>,
    pub access: Vec<Token>,
    pub revocation: Option<Revocation>,
}

impl Family {
    pub fn newest(&self) -> &str {
        self.chain.last().expect("a family begins with a token")
    }

    pub fn revoke(&mut self, connection: &mut Connection, people: &People) -> io::Result<()> {
        let newest = self.newest().to_owned();
        let client = [("client_id", people.program.as_str())];
        revoke(connection, &client, &newest, &mut self.revocation)
    }

    pub fn refresh(&mut self, connection: &mut Connection, people: &People) -> io::Result<()> {
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

pub fn revoke(
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
pub struct Log {
    pub tokens: Vec<Token>,
    pub families: Vec<Family>,
}

/// How the load meets its server, or its servers.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    /// Straight to one server: an error is its death.
    Straight(u16),
    /// Through a proxy, which chooses for each request: an error is the death of one of
    /// them, and the next request goes to another.
    Proxied(u16),
}

impl Line {
    pub fn open(self) -> io::Result<Connection> {
        match self {
            Line::Straight(port) => Connection::open(port),
            Line::Proxied(port) => Connection::hopping(port),
        }
    }

    fn repeat(self, stop: &AtomicBool, mut work: impl FnMut(&mut Connection) -> io::Result<()>) {
        let Ok(mut connection) = self.open() else { return };
        while !stop.load(Ordering::Relaxed) {
            if work(&mut connection).is_err() && matches!(self, Line::Straight(_)) {
                return;
            }
        }
    }
}

/// Issues tokens and revokes every third, until told to stop or nobody answers.
fn issue(line: Line, people: &People, stop: &AtomicBool, answers: &Sender<()>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let client = [
        ("client_id", people.service.as_str()),
        ("client_secret", people.service_secret.as_str()),
    ];
    let more = [("grant_type", "client_credentials"), ("scope", "openid")];
    let form = [&client[..], &more[..]].concat();
    line.repeat(stop, |connection| {
        let answer = connection.post("/v2/oauth2/token", &form, "")?;
        assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
        if answer.status == 200 {
            tokens.push(Token::acknowledged(answer.text("access_token")));
            let _ = answers.send(());
        }
        let third = tokens.len() % 3 == 0;
        if let (Some(token), true) = (tokens.last_mut(), third)
            && token.revocation.is_none()
        {
            let text = token.text.clone();
            revoke(connection, &client, &text, &mut token.revocation)?;
        }
        Ok(())
    });
    tokens
}

/// Refreshes families in turn. Every seventh access token is revoked alone, and the first
/// family as a whole after its fifth refresh.
fn refresh(line: Line, people: &People, families: &mut [Family], stop: &AtomicBool, answers: &Sender<()>) {
    let client = [("client_id", people.program.as_str())];
    line.repeat(stop, |connection| {
        for (index, family) in families.iter_mut().enumerate() {
            if family.revocation.is_some() {
                continue;
            }
            family.refresh(connection, people)?;
            let _ = answers.send(());
            let refreshed = family.access.len();
            if let (Some(token), true) = (family.access.last_mut(), refreshed % 7 == 0)
                && token.revocation.is_none()
            {
                let text = token.text.clone();
                revoke(connection, &client, &text, &mut token.revocation)?;
            }
            if index == 0 && refreshed > 5 {
                family.revoke(connection, people)?;
            }
        }
        Ok(())
    });
}

/// Runs the load on families made before, while `meanwhile` runs, and returns the log. What
/// `meanwhile` gets tells of each answer that the load was given.
pub fn load(line: Line, people: &People, mut families: Vec<Family>, meanwhile: impl FnOnce(&Receiver<()>)) -> Log {
    let stop = AtomicBool::new(false);
    let mut tokens = Vec::new();
    let (answers, answered) = mpsc::channel();
    thread::scope(|scope| {
        let issuers: Vec<_> = (0..ISSUERS)
            .map(|_| scope.spawn(|| issue(line, people, &stop, &answers)))
            .collect();
        for families in families.chunks_mut(FAMILIES_EACH) {
            scope.spawn(|| refresh(line, people, families, &stop, &answers));
        }
        meanwhile(&answered);
        stop.store(true, Ordering::Relaxed);
        for issuer in issuers {
            tokens.extend(issuer.join().unwrap());
        }
    });
    Log { tokens, families }
}

/// One that is revoked, one whose old token is replayed, one that goes on.
pub const FAMILIES_EACH: usize = 3;

/// Compares access tokens with the server: what the log is sure of must be so.
pub fn judge_tokens(port: u16, people: &People, tokens: &[&Token], at: Instant) {
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

pub fn assert_dead(connection: &mut Connection, people: &People, family: &Family, why: &str) {
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

pub fn judge_families(port: u16, people: &People, families: &[Family]) {
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
pub fn judge_replay(connection: &mut Connection, people: &People, family: &Family) {
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
pub fn judge_continuation(connection: &mut Connection, people: &People, family: &Family) {
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
