//! Throw-away stores: each test gets its own, on every engine.
//!
//! PostgreSQL is tested when `PORTOLAN_TEST_POSTGRES_URL` names a database whose user may
//! create others. A template with the migrations applied is made once, and copied for each
//! test: that takes a fraction of the time that the statements would.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{Db, Durability, Error, MigrateMode, Migration, Options};

/// Names the server and the maintenance database for tests on PostgreSQL.
pub const POSTGRES_URL: &str = "PORTOLAN_TEST_POSTGRES_URL";

/// A migrated store of its own that disappears when dropped.
pub struct TestDb {
    db: Option<Db>,
    options: Options,
    place: Place,
}

enum Place {
    /// Removes itself.
    Folder(#[expect(dead_code, reason = "held for its Drop")] TempDir),
    Database {
        admin_url: String,
        name: String,
    },
}

impl TestDb {
    pub fn sqlite(migrations: &[Migration]) -> TestDb {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let options = Options {
            durability: Durability::Off,
            connections: 2,
            ..Options::new(url)
        };
        let db = Db::open(options.clone()).expect("a new SQLite store opens");
        db.migrate(migrations, MigrateMode::Auto)
            .expect("the migrations apply on SQLite");
        TestDb {
            db: Some(db),
            options,
            place: Place::Folder(folder),
        }
    }

    /// `None`, and a line on standard error, when no server is named.
    pub fn postgres(migrations: &[Migration]) -> Option<TestDb> {
        let Ok(admin_url) = std::env::var(POSTGRES_URL) else {
            eprintln!("{POSTGRES_URL} is not set: PostgreSQL not tested");
            return None;
        };
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portolan_test_{}_{count}", std::process::id());
        let template = make_template(&admin_url, migrations);
        let copy = [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        ];
        administer(&admin_url, &copy).expect("the template can be copied");
        let options = options_for(&admin_url, &name);
        let db = Db::open(options.clone()).expect("the copied database opens");
        Some(TestDb {
            db: Some(db),
            options,
            place: Place::Database { admin_url, name },
        })
    }

    /// Another opening of the same store, for tests with several processes' worth of connections.
    pub fn open_again(&self, change: impl FnOnce(&mut Options)) -> Result<Db, Error> {
        let mut options = self.options.clone();
        change(&mut options);
        Db::open(options)
    }

    /// The URL of this store.
    pub fn url(&self) -> &str {
        &self.options.url
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db.as_ref().expect("the store is only taken on drop")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        drop(self.db.take());
        if let Place::Database { admin_url, name } = &self.place {
            // A failure leaves an unused database behind and must not hide why the test failed.
            let _ = administer(admin_url, &[format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]);
        }
    }
}

/// Runs a test on every engine there is.
pub fn each_engine(migrations: &[Migration], test: impl Fn(&TestDb)) {
    test(&TestDb::sqlite(migrations));
    if let Some(db) = TestDb::postgres(migrations) {
        test(&db);
    }
}

/// A test that runs on SQLite always and on PostgreSQL when a server is named.
///
/// ```text
/// use portolan_db::{db_test, params};
///
/// db_test!(one_is_one, &[], |db| {
///     let one = db.read_blocking(|tx| tx.fetch_one::<i64>("SELECT 1", params![]));
///     assert_eq!(one.unwrap(), 1);
/// });
/// ```
#[macro_export]
macro_rules! db_test {
    ($(#[$meta:meta])* $name:ident, $migrations:expr, |$db:ident| $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "the body may need nothing from outside")]
            use super::*;

            fn run($db: &$crate::testing::TestDb) $body

            $(#[$meta])*
            #[test]
            fn sqlite() {
                run(&$crate::testing::TestDb::sqlite($migrations));
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                if let Some(db) = $crate::testing::TestDb::postgres($migrations) {
                    run(&db);
                }
            }
        }
    };
}

fn options_for(admin_url: &str, database: &str) -> Options {
    Options {
        durability: Durability::Off,
        connections: 2,
        ..Options::new(with_database(admin_url, database))
    }
}

/// The same server, another database.
fn with_database(url: &str, database: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let server = base.find("://").map_or(0, |scheme| scheme + 3);
    let server = base[server..].find('/').map_or(base, |slash| &base[..server + slash]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{server}/{database}{query}")
}

/// Makes the migrated template if it is not there, and gives its name.
///
/// Test processes start together: the first one in holds an advisory lock until the
/// template is complete. It is complete when it has its final name.
fn make_template(admin_url: &str, migrations: &[Migration]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for migration in migrations {
        context.update(format!("{migration:?}").as_bytes());
    }
    let hash: String = context.finish().as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let template = format!("portolan_template_{hash}");
    let unfinished = format!("{template}_unfinished");
    with_client(admin_url, async |client| {
        let known = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if client.query_opt(&known, &[]).await?.is_some() {
            return Ok(());
        }
        client.batch_execute("SELECT pg_advisory_lock(7309453218002)").await?;
        if client.query_opt(&known, &[]).await?.is_none() {
            client
                .batch_execute(&format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"))
                .await?;
            client.batch_execute(&format!("CREATE DATABASE {unfinished}")).await?;
            let options = options_for(admin_url, &unfinished);
            let migrations = migrations.to_vec();
            // `Db` blocks, which a thread inside of a runtime must not.
            let migrated = std::thread::spawn(move || {
                let db = Db::open(options)?;
                db.migrate(&migrations, MigrateMode::Auto)
            });
            migrated
                .join()
                .expect("migrating does not panic")
                .expect("the migrations apply on PostgreSQL");
            client
                .batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {template}"))
                .await?;
        }
        client.batch_execute("SELECT pg_advisory_unlock(7309453218002)").await
    })
    .expect("the template database can be made");
    template
}

fn administer(url: &str, statements: &[String]) -> Result<(), tokio_postgres::Error> {
    with_client(url, async |client| {
        for statement in statements {
            client.batch_execute(statement).await?;
        }
        Ok(())
    })
}

/// A short connection outside of any `Db`: databases cannot be created in a transaction.
fn with_client<T>(
    url: &str,
    work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
) -> Result<T, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        work(&client).await
    })
}
