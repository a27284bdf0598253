//! What every request shares (`App`), what one request knows about itself (`Ctx`), and
//! the only places that read the clock and draw random numbers.

use std::convert::Infallible;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::HeaderValue;
use http::request::Parts;
use portolan_db::Db;
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::config::Config;
use crate::domain::keys::KeySet;
use crate::domain::password::Hasher;
use crate::domain::sealing::MasterKey;
use crate::http::limits::Limits;
use crate::metrics::Metrics;
use crate::texts::Language;
use crate::upstream::discovery::Discovery;
use crate::upstream::fetch::Fetcher;

/// The state of the server; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub master_key: MasterKey,
    pub server_keys: ServerKeys,
    pub hasher: Hasher,
    pub limits: Limits,
    pub metrics: Metrics,
    pub fetcher: Fetcher,
    /// What other identity providers tell about themselves.
    pub discovery: Discovery,
    keys: RwLock<Arc<KeySet>>,
}

/// Symmetric keys of this server, the same on every node.
#[derive(Clone)]
pub struct ServerKeys {
    /// Derives the successor of a refresh token.
    pub rotation: aws_lc_rs::hmac::Key,
    /// Signs the tokens in forms.
    pub form: aws_lc_rs::hmac::Key,
}

impl App {
    pub fn new(
        config: Config,
        db: Db,
        clock: Clock,
        master_key: MasterKey,
        server_keys: ServerKeys,
        keys: KeySet,
        hasher: Hasher,
    ) -> Self {
        Self(Arc::new(Shared {
            hasher,
            limits: Limits::new(&config),
            metrics: Metrics::new(),
            fetcher: Fetcher::new(&config.outgoing_allow),
            discovery: Discovery::default(),
            config,
            db,
            clock,
            master_key,
            server_keys,
            keys: RwLock::new(Arc::new(keys)),
        }))
    }

    /// The signing keys as they are now.
    pub fn keys(&self) -> Arc<KeySet> {
        self.0
            .keys
            .read()
            .expect("nobody panics while holding the keys")
            .clone()
    }

    /// Replaces the signing keys; called by the job that reloads them.
    pub fn set_keys(&self, keys: KeySet) {
        *self.0.keys.write().expect("nobody panics while holding the keys") = Arc::new(keys);
    }

    /// A context for work that no request asked for: jobs and commands.
    pub fn background(&self) -> Ctx {
        Ctx::at(self.clock.now())
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a request knows about itself. `now` is fixed for the whole request.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub now: Timestamp,
    pub request_id: RequestId,
    /// The client's address; from a forwarding header only behind a trusted proxy.
    pub address: Option<IpAddr>,
    /// What the caller's program calls itself, as it was sent.
    pub user_agent: Option<HeaderValue>,
    /// The language to answer a person in.
    pub language: Language,
    /// Whether the person has chosen it here; then no app overrules it.
    pub language_is_chosen: bool,
    /// Whether the answer can be had again by its address alone: it is that of a GET.
    pub can_be_reloaded: bool,
}

impl Ctx {
    /// For work that no request asked for.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            request_id: RequestId::new(),
            address: None,
            user_agent: None,
            language: Language::En,
            language_is_chosen: false,
            can_be_reloaded: false,
        }
    }

    /// What the caller's program calls itself: printable, and short enough to be kept.
    pub fn user_agent(&self) -> Option<String> {
        let sent = self.user_agent.as_ref()?.to_str().ok()?;
        let printable = sent.chars().filter(|c| matches!(c, ' '..='~'));
        let text: String = printable.take(256).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// Put into every request by `http::context`.
impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Ctx>()
            .expect("the context layer surrounds every route")
            .clone())
    }
}

/// 32 hexadecimal digits, in every answer and error and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        Self(new_uuid())
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

/// The time; tests hold and move it.
#[derive(Clone)]
pub enum Clock {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn fixed(at: Timestamp) -> Self {
        Clock::Fixed(Arc::new(AtomicI64::new(at.micros())))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => system_now(),
            Clock::Fixed(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock forward. The system's clock cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Clock::Fixed(micros) = self {
            let by = i64::try_from(by.as_micros()).expect("tests advance by less than 290,000 years");
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn system_now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the system clock is after 1970");
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).expect("before the year 292,000"))
}

/// Bytes nobody can guess.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the random number generator of the system works");
    bytes
}

/// A random uuid (version 4): tells nothing about when it was made.
pub fn new_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(random_bytes()).into_uuid()
}
