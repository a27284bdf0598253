//! A whole server for tests, in process: the real router on a throw-away store, with a
//! clock that stands still until a test moves it and passwords that hash quickly.
//!
//! ```text
//! let server = TestServer::new();
//! let alice = server.user("alice").create();
//! let client = server.client().confidential().create();
//! let browser = server.browser();
//! browser.login(&alice);
//! let tokens = client.exchange(&client.code(&browser, "openid email"));
//! assert!(client.is_active(tokens.access_token()));
//! ```
//!
//! `TestServer::with(|config| ..)` changes the configuration, `each_engine(|server| ..)`
//! runs a test on SQLite and, when `PORTOLAN_TEST_POSTGRES_URL` is set, on PostgreSQL.
//! Requests go through the router without a socket; the runtime is inside, so tests are
//! plain functions. A [`Browser`] keeps cookies, fills in forms and follows redirects
//! until they leave the server. What has no helper is asked for with [`TestServer::request`]
//! or written into the store with [`TestServer::sql`].
#![allow(dead_code, reason = "each test program uses its part of the harness")]
#![allow(unused_imports, reason = "each test program uses its part of the harness")]
#![allow(clippy::unwrap_used, reason = "a harness that fails has said what is wrong")]

mod authenticator;
mod browser;
mod builders;
mod dns;
mod http;
mod idp;
mod mail;
mod page;
mod receiver;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portolan_db::testing::TestDb;
use portolan_db::{Db, Engine, ReadTx, Value, WriteTx};
use portolan_server::app::{App, Clock, Ctx, new_uuid};
use portolan_server::config::Config;
use portolan_server::domain::keys::{KeyKind, StoredKey};
use portolan_server::domain::password::{Cost, Hasher, Settings};
use portolan_server::domain::sealing::MasterKey;
use portolan_server::jobs;
use portolan_server::router::router;
use portolan_server::start;
use portolan_server::store::{MIGRATIONS, keys};
use portolan_types::Timestamp;
use tokio::runtime::Runtime;

pub use self::authenticator::{Authenticator, Key, otp, passkey_options};
pub use self::browser::{Browser, Form, Outcome, Redirected, forms, unescape};
pub use self::builders::{
    ClientBuilder, Params, REDIRECT_URI, ResourceServerBuilder, TestClient, TestResourceServer, TestUser, Tokens,
    UserBuilder, VERIFIER, challenge,
};
pub use self::dns::Zone;
pub use self::http::{Answer, Auth, Request, encode};
pub use self::idp::{FakeProvider, Script, Signer};
pub use self::mail::{Mailbox, Message};
pub use self::page::{assert_says, main_form, words};
pub use self::receiver::{Post, Receiver};

/// The public address of test servers.
pub const ISSUER: &str = "https://auth.example.org";
/// When the clock of a test server stands at first: 2026-03-01, noon.
pub const START: Timestamp = Timestamp::from_seconds(1_772_366_400);

/// A server of its own. Clones are the same server.
#[derive(Clone)]
pub struct TestServer(Arc<Inner>);

struct Inner {
    router: axum::Router,
    app: App,
    // Dropped last: the last of its servers removes the store.
    store: Arc<TestDb>,
}

impl TestServer {
    /// On SQLite with the configuration of [`test_config`].
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// On SQLite, with another configuration.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(TestDb::sqlite(MIGRATIONS), change)
    }

    /// On this engine; none if it is PostgreSQL and no server of it is named.
    pub fn on(engine: Engine, change: impl FnOnce(&mut Config)) -> Option<Self> {
        match engine {
            Engine::Sqlite => Some(Self::with(change)),
            Engine::Postgres => TestDb::postgres(MIGRATIONS).map(|store| Self::start(store, change)),
        }
    }

    /// With passwords that cost more than tests usually pay, for those about that cost.
    pub fn with_hashing(hashing: Settings, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(TestDb::sqlite(MIGRATIONS), hashing, change)
    }

    fn start(store: TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let cheap = Settings {
            cost: Cost {
                memory_kib: 8,
                iterations: 1,
                lanes: 1,
            },
            ..Settings::default()
        };
        Self::start_with(store, cheap, change)
    }

    fn start_with(store: TestDb, hashing: Settings, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = test_config();
        change(&mut config);
        config.validate().expect("the configuration of a test is valid");
        let (master_key, signing_keys) = spare_keys();
        store
            .write_blocking(move |tx| signing_keys.iter().try_for_each(|key| keys::insert(tx, key)))
            .expect("keys can be inserted");
        let db = portolan_db::Db::clone(&store);
        let hasher = Hasher::new(&hashing);
        Self::assemble(config, db, Clock::fixed(START), master_key, hasher, Arc::new(store))
    }

    fn assemble(
        config: Config,
        db: Db,
        clock: Clock,
        master_key: MasterKey,
        hasher: Hasher,
        store: Arc<TestDb>,
    ) -> Self {
        let app = start::assemble(config, db, clock, master_key, hasher).expect("the server starts");
        let router = router(app.clone());
        Self(Arc::new(Inner { router, app, store }))
    }

    /// Another server on the same store with the same clock, as several nodes share a
    /// PostgreSQL database.
    pub fn second_node(&self) -> Self {
        let db = self.0.store.open_again(|_| {}).expect("the store opens again");
        let (master_key, _) = spare_keys();
        let (clock, hasher) = (self.0.app.clock.clone(), self.0.app.hasher.clone());
        Self::assemble(
            self.config().clone(),
            db,
            clock,
            master_key,
            hasher,
            self.0.store.clone(),
        )
    }

    pub fn app(&self) -> &App {
        &self.0.app
    }

    pub fn config(&self) -> &Config {
        &self.0.app.config
    }

    /// A handle on the router, for tests that send their own requests.
    pub fn router(&self) -> axum::Router {
        self.0.router.clone()
    }

    /// The store, for tests that open it again.
    pub fn store(&self) -> &TestDb {
        &self.0.store
    }

    pub fn engine(&self) -> Engine {
        self.0.app.db.engine()
    }

    pub fn now(&self) -> Timestamp {
        self.0.app.clock.now()
    }

    pub fn advance(&self, by: Duration) {
        self.0.app.clock.advance(by);
    }

    pub fn advance_seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    pub fn issuer(&self) -> String {
        self.config().issuer()
    }

    /// Where a code is shown for copy and paste.
    pub fn display_page(&self) -> String {
        format!("{}/v2/web/auth-code", self.config().public_url())
    }

    /// A context as a job has it.
    pub fn ctx(&self) -> Ctx {
        self.0.app.background()
    }

    /// A unit of work on the store, as the server would do it.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut WriteTx) -> portolan_server::Result<T> + Send + 'static,
    ) -> T {
        self.0.app.db.write_blocking(work).expect("the unit succeeds")
    }

    pub fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut ReadTx) -> portolan_server::Result<T> + Send + 'static,
    ) -> T {
        self.0.app.db.read_blocking(work).expect("the unit succeeds")
    }

    /// One statement, for states that no surface of the server leads to yet. Returns the number of rows.
    pub fn sql(&self, statement: &str, params: impl AsRef<[Value]>) -> u64 {
        let (statement, params) = (statement.to_owned(), params.as_ref().to_vec());
        self.write(move |tx| Ok(tx.execute(&statement, &params)?))
    }

    /// The number that a `SELECT count(*) ..` gives.
    pub fn count(&self, statement: &str, params: impl AsRef<[Value]>) -> i64 {
        let (statement, params) = (statement.to_owned(), params.as_ref().to_vec());
        self.read(move |tx| Ok(tx.fetch_one::<(i64,)>(&statement, &params)?.0))
    }

    /// Reads the signing keys again, as the job does every half minute.
    pub fn reload_keys(&self) {
        let reloaded = runtime().block_on(async { jobs::keys::Reload::default().run_once(self.app()).await });
        reloaded.expect("the keys can be read again");
    }

    /// A fresh link to make the first administrator, without the address before it.
    pub fn setup_path(&self) -> Option<String> {
        let link = start::setup_link(&self.0.app.db, self.config(), self.now()).expect("the link can be stored");
        link.map(|link| link[self.config().public_url().len()..].to_owned())
    }
}

/// Runs a test on every engine there is.
pub fn each_engine(test: impl Fn(&TestServer)) {
    each_engine_with(|_| {}, test);
}

/// The same with another configuration.
pub fn each_engine_with(change: impl Fn(&mut Config), test: impl Fn(&TestServer)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Some(server) = TestServer::on(engine, &change) {
            test(&server);
        }
    }
}

/// The usual configuration under a public address of its own.
pub fn test_config() -> Config {
    let mut config = Config {
        public_url: ISSUER.into(),
        ..Config::default()
    };
    // Limits have tests of their own; elsewhere they would only count the tests.
    config.limits.logins_per_minute = 100_000;
    config.limits.failed_client_authentications_per_minute = 100_000;
    config.limits.template_registrations_per_hour = 100_000;
    config.limits.mail_requests_per_hour = 100_000;
    config.limits.mail_requests_in_all_per_hour = 100_000;
    config
}

/// One runtime for all tests of a process.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("a runtime can be made")
    })
}

/// Signing keys that were made once for all servers of the process: an RSA key takes long.
fn spare_keys() -> (MasterKey, Vec<StoredKey>) {
    static KEYS: OnceLock<Vec<StoredKey>> = OnceLock::new();
    let master_key = || MasterKey::from_bytes(&[7; 32]);
    let keys = KEYS.get_or_init(|| {
        let generate = |kind| jobs::keys::generate(&master_key(), kind, START).expect("a key can be generated");
        KeyKind::ALL.into_iter().map(generate).collect()
    });
    (master_key(), keys.clone())
}
