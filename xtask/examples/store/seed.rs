//! What the store is filled with: 10,000 people, 100 clients, and for each token one pair
//! of them with three consents and a session. What delegation needs is in `delegation`.
//!
//! Tokens live for ten years, so that a store can be measured again next month. Five in a
//! hundred are inactive: revoked, expired, or one of their consents is gone.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::SystemTime,
};

use aws_lc_rs::digest;

use crate::{
    Result, Store, Value,
    delegation::{self, Chain},
};

pub const PEOPLE: u64 = 10_000;
const CLIENTS: u64 = 100;
pub const SCOPES: [&str; 3] = ["data_read", "data_write", "jobs_submit"];
pub const YEAR: i64 = 365 * 86_400 * 1_000_000;
pub const HOUR: i64 = 3_600 * 1_000_000;

pub struct Plan<'a> {
    pub tokens: u64,
    /// The client that owns the scopes and introspects.
    pub resource_server: [u8; 16],
    /// The client whose refresh tokens are presented.
    pub app: [u8; 16],
    /// The services of the chain whose tokens are exchanged.
    pub chain: Chain,
    /// Where the lists of tokens go.
    pub folder: &'a Path,
}

/// Repeatable randomness: splitmix64, a bijection of its counter.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A version 4 UUID.
    pub fn id(&mut self) -> [u8; 16] {
        let bits = u128::from(self.number()) << 64 | u128::from(self.number());
        let versioned = bits & !(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        versioned.to_be_bytes()
    }

    pub fn hash(&mut self) -> [u8; 32] {
        let mut hash = [0; 32];
        for chunk in hash.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.number().to_be_bytes());
        }
        hash
    }

    pub fn consent_id(&mut self) -> i64 {
        (self.number() >> 11) as i64
    }
}

// Everything about a thing follows from its kind and number, so tables need not be kept in memory.
pub const IDENTITY: u64 = 1 << 56;
const LINKED_IDENTITY: u64 = 2 << 56;
const IDENTITY_SET: u64 = 3 << 56;
const CLIENT: u64 = 4 << 56;
const SCOPE: u64 = 5 << 56;
const CONSENT: u64 = 6 << 56;
const BROWSER_SESSION: u64 = 7 << 56;
pub const APP_SESSION: u64 = 8 << 56;
pub const ISSUANCE: u64 = 9 << 56;
const FAMILY: u64 = 10 << 56;
const ACCESS_TOKEN: u64 = 11 << 56;
const REFRESH_TOKEN: u64 = 12 << 56;
const APP: u64 = 200;

pub fn id(kind: u64, number: u64) -> [u8; 16] {
    // The counters of two things must not run into each other: each has a start of its own.
    let start = Random::new(kind | number).number();
    Random::new(start).id()
}

/// The ids of one approval follow each other, as the server gives them.
fn consent_id(pair: u64, scope: usize) -> i64 {
    Random::new(CONSENT | pair).consent_id() + scope as i64
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Active,
    Revoked,
    Expired,
    ConsentGone,
}

/// A token's number decides everything: its pair of person and client, and its condition.
struct Token(u64);

impl Token {
    /// Multiplying by a prime scatters the numbers over all pairs, each met once.
    fn pair(&self) -> u64 {
        (self.0 * 611_953 + 17) % (PEOPLE * CLIENTS)
    }

    fn person(&self) -> u64 {
        self.pair() % PEOPLE
    }

    fn client(&self) -> u64 {
        self.pair() / PEOPLE
    }

    fn condition(&self) -> Condition {
        match (self.0 % 20, self.0 / 20 % 3) {
            (0, 0) => Condition::Revoked,
            (0, 1) => Condition::Expired,
            (0, _) => Condition::ConsentGone,
            _ => Condition::Active,
        }
    }

    fn text(&self) -> String {
        text("AgPA", ACCESS_TOKEN | self.0)
    }
}

/// A well-formed token: prefix, 43 characters, checksum. The server looks at the alphabet
/// of the 43 and at the checksum, so they need not encode anything in particular.
pub fn text(prefix: &str, seed: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = Random::new(Random::new(seed).number());
    let mut token = String::from(prefix);
    for _ in 0..43 {
        token.push(ALPHABET[(random.number() % 62) as usize].into());
    }
    let mut checksum = crc32(token.as_bytes());
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(checksum % 62) as usize];
        checksum /= 62;
    }
    token.extend(digits.map(char::from));
    token
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

pub fn sha256(text: &str) -> Result<[u8; 32]> {
    Ok(digest::digest(&digest::SHA256, text.as_bytes()).as_ref().try_into()?)
}

pub fn dashed(id: &[u8; 16]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

pub fn null() -> Value {
    Value::Null
}

pub fn int(value: i64) -> Value {
    Value::Int(value)
}

pub fn words(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

pub fn of(kind: u64, number: u64) -> Value {
    Value::Id(id(kind, number))
}

pub fn run(store: &mut dyn Store, plan: &Plan<'_>) -> Result<()> {
    if plan.tokens > PEOPLE * CLIENTS {
        return Err(format!("there are only {} pairs of a person and a client", PEOPLE * CLIENTS).into());
    }
    let now = now()?;
    let provider = store.find_id("SELECT id FROM identity_providers WHERE kind = 'local'")?;
    let server = plan.resource_server;
    people(store, now, provider)?;
    clients_and_scopes(store, now, server)?;
    tokens(store, now, provider, plan)?;
    families(store, now, provider, plan)?;
    delegation::presented_tokens(store, now, plan)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server that is measured lives in real time"
)]
pub fn now() -> Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros(),
    )?)
}

fn people(store: &mut dyn Store, now: i64, provider: [u8; 16]) -> Result<()> {
    let sets = (0..PEOPLE).map(|person| vec![of(IDENTITY_SET, person), of(IDENTITY, person)]);
    store.load("identity_sets", "id, primary_id", &mut { sets })?;
    let identity = |kind: u64, person: u64| {
        let name = if kind == IDENTITY { "person" } else { "linked" };
        let username = format!("{name}{person:05}@bench.example");
        vec![
            of(kind, person),
            of(IDENTITY_SET, person),
            Value::Id(provider),
            words(format!("bench-{name}-{person}")),
            words(&*username),
            words(format!("Robin Example the {person}th")),
            words(username),
            words("Example University"),
            words("used"),
            words("login"),
            int(1),
            int(0),
            int(now),
            int(now),
        ]
    };
    // Every second person has linked a second identity.
    let linked = (0..PEOPLE).step_by(2).map(|person| identity(LINKED_IDENTITY, person));
    let mut identities = (0..PEOPLE).map(|person| identity(IDENTITY, person)).chain(linked);
    store.load(
        "identities",
        "id, set_id, identity_provider_id, subject, username, name, email, organization, status, identity_type, \
         enabled, generation, created_at, last_authentication_at",
        &mut identities,
    )
}

fn clients_and_scopes(store: &mut dyn Store, now: i64, server: [u8; 16]) -> Result<()> {
    let mut clients = (0..CLIENTS).map(|client| {
        vec![
            of(CLIENT, client),
            words(format!("Bench client {client}")),
            words("confidential_client"),
            int(0),
            int(0),
            words("authorization_code client_credentials refresh_token"),
            words("private"),
            words("[\"https://app.example.org/callback\"]"),
            words("[]"),
            int(1),
            int(0),
            int(1),
            int(now),
        ]
    });
    store.load(
        "clients",
        "id, name, client_type, is_template, is_instance, grant_types, visibility, redirect_uris, requested_scopes, \
         userinfo_from_effective_identity, prompt_for_named_grant, enabled, created_at",
        &mut clients,
    )?;
    let numbered = || SCOPES.iter().zip(0..);
    let scope_string = |suffix: &str| words(format!("https://auth.globus.org/scopes/{}/{suffix}", dashed(&server)));
    let mut scopes = numbered().map(|(suffix, scope)| {
        vec![
            of(SCOPE, scope),
            Value::Id(server),
            scope_string(suffix),
            words(*suffix),
            words(format!("Bench scope {suffix}")),
            words("A scope that is measured"),
            int(1),
            int(1),
            words("[]"),
            int(now),
        ]
    });
    store.load(
        "scopes",
        "id, client_id, scope_string, suffix, name, description, advertised, allows_refresh_token, required_domains, created_at",
        &mut scopes,
    )?;
    let mut strings = numbered().map(|(suffix, scope)| vec![scope_string(suffix), of(SCOPE, scope)]);
    store.load("scope_strings", "scope_string, scope_id", &mut strings)
}

const CONSENT_COLUMNS: &str = "id, root_id, path, identity_id, client_id, scope_id, status, allows_refresh, \
    auto_approved, atomically_revocable, created_at, updated_at";

fn consent(id: i64, person: u64, client: Value, scope: u64, refresh: bool, now: i64) -> Vec<Value> {
    vec![
        int(id),
        int(id),
        words(id.to_string()),
        of(IDENTITY, person),
        client,
        of(SCOPE, scope),
        words("approved"),
        int(refresh.into()),
        int(0),
        int(0),
        int(now),
        int(now),
    ]
}

fn tokens(store: &mut dyn Store, now: i64, provider: [u8; 16], plan: &Plan<'_>) -> Result<()> {
    let all = || (0..plan.tokens).map(Token);
    let prefix = format!("https://auth.globus.org/scopes/{}/", dashed(&plan.resource_server));

    let mut consents = all().flat_map(|token| {
        let kept = if token.condition() == Condition::ConsentGone {
            2
        } else {
            3
        };
        (0..kept).map(move |scope| {
            let client = of(CLIENT, token.client());
            consent(
                consent_id(token.pair(), scope),
                token.person(),
                client,
                scope as u64,
                false,
                now,
            )
        })
    });
    store.load("consents", CONSENT_COLUMNS, &mut consents)?;

    let mut sessions = all().map(|token| {
        vec![
            of(APP_SESSION, token.pair()),
            of(BROWSER_SESSION, token.person()),
            of(CLIENT, token.client()),
            int(now),
            int(now + 10 * YEAR),
        ]
    });
    store.load(
        "app_sessions",
        "id, browser_session_id, client_id, created_at, token_expires_at",
        &mut sessions,
    )?;
    let mut authentications =
        all().map(|token| authentication(id(APP_SESSION, token.pair()), token.person(), provider, now));
    store.load("session_authentications", AUTHENTICATION_COLUMNS, &mut authentications)?;

    let mut file = BufWriter::new(File::create(plan.folder.join("tokens.txt"))?);
    let mut failure = None;
    let mut rows = all().map(|token| {
        let text = token.text();
        let active = token.condition() == Condition::Active;
        if let Err(error) = writeln!(file, "{text} {}", u8::from(active)) {
            failure = Some(error);
        }
        let expired = token.condition() == Condition::Expired;
        let revoked = token.condition() == Condition::Revoked;
        vec![
            Value::Hash(sha256(&text).expect("SHA-256 has 32 bytes")),
            of(CLIENT, token.client()),
            of(IDENTITY, token.person()),
            int(0),
            Value::Id(plan.resource_server),
            words(dashed(&plan.resource_server)),
            of(ISSUANCE, token.0),
            of(FAMILY, token.0),
            of(APP_SESSION, token.pair()),
            int(15),
            int(now - 2 * HOUR),
            int(if expired { now - HOUR } else { now + 10 * YEAR }),
            if revoked { int(now) } else { null() },
        ]
    });
    store.load(
        "access_tokens",
        "hash, client_id, identity_id, identity_generation, resource_server_id, resource_server, issuance_id, \
         family_id, app_session_id, profile, issued_at, expires_at, revoked_at",
        &mut rows,
    )?;
    drop(rows);
    if let Some(error) = failure {
        return Err(error.into());
    }
    file.flush()?;

    let mut rests = all().flat_map(|token| {
        let hash = sha256(&token.text()).expect("SHA-256 has 32 bytes");
        let prefix = &prefix;
        SCOPES.iter().enumerate().map(move |(scope, suffix)| {
            vec![
                Value::Hash(hash),
                int(consent_id(token.pair(), scope)),
                words(format!("{prefix}{suffix}")),
            ]
        })
    });
    store.load("token_consents", "token_hash, consent_id, scope_string", &mut rests)
}

const AUTHENTICATION_COLUMNS: &str = "app_session_id, identity_id, identity_provider_id, authenticated_at, amr";

fn authentication(session: [u8; 16], person: u64, provider: [u8; 16], now: i64) -> Vec<Value> {
    vec![
        Value::Id(session),
        of(IDENTITY, person),
        Value::Id(provider),
        int(now),
        words("[\"pwd\"]"),
    ]
}

/// The pair of a person and the registered app, beyond the pairs of the seeded clients.
pub fn app_pair(person: u64) -> u64 {
    APP * PEOPLE + person
}

/// One refresh token for each person, all of one client.
fn families(store: &mut dyn Store, now: i64, provider: [u8; 16], plan: &Plan<'_>) -> Result<()> {
    let all = || 0..PEOPLE;
    let pair = app_pair;
    let mut consents =
        all().map(|person| consent(consent_id(pair(person), 0), person, Value::Id(plan.app), 0, true, now));
    store.load("consents", CONSENT_COLUMNS, &mut consents)?;
    let mut sessions = all().map(|person| {
        let browser = of(BROWSER_SESSION, person);
        vec![
            of(APP_SESSION, pair(person)),
            browser,
            Value::Id(plan.app),
            int(now),
            int(now + 10 * YEAR),
        ]
    });
    store.load(
        "app_sessions",
        "id, browser_session_id, client_id, created_at, token_expires_at",
        &mut sessions,
    )?;
    let mut authentications = all().map(|person| authentication(id(APP_SESSION, pair(person)), person, provider, now));
    store.load("session_authentications", AUTHENTICATION_COLUMNS, &mut authentications)?;

    let token = |person: u64| text("AgPR", REFRESH_TOKEN | person);
    let mut file = BufWriter::new(File::create(plan.folder.join("refresh_tokens.txt"))?);
    for person in all() {
        writeln!(file, "{}", token(person))?;
    }
    file.flush()?;
    let mut rows = all().map(|person| {
        vec![
            Value::Hash(sha256(&token(person)).expect("SHA-256 has 32 bytes")),
            of(FAMILY, pair(person)),
            int(0),
            Value::Id(plan.app),
            of(IDENTITY, person),
            int(0),
            Value::Id(plan.resource_server),
            words(dashed(&plan.resource_server)),
            of(ISSUANCE, pair(person)),
            of(APP_SESSION, pair(person)),
            int(0),
            int(now),
            int(now),
            int(now + 10 * YEAR),
        ]
    });
    store.load(
        "refresh_tokens",
        "hash, family_id, generation, client_id, identity_id, identity_generation, resource_server_id, resource_server, \
         issuance_id, app_session_id, profile, issued_at, idle_since, expires_at",
        &mut rows,
    )?;
    let prefix = format!(
        "https://auth.globus.org/scopes/{}/{}",
        dashed(&plan.resource_server),
        SCOPES[0]
    );
    let mut rests = all().map(|person| {
        let hash = sha256(&token(person)).expect("SHA-256 has 32 bytes");
        vec![Value::Hash(hash), int(consent_id(pair(person), 0)), words(&*prefix)]
    });
    store.load("token_consents", "token_hash, consent_id, scope_string", &mut rests)
}
