//! What only PostgreSQL can be asked: lost connections, isolation, settings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use portolan_db::testing::TestDb;
use portolan_db::{Db, Error, ErrorKind, Options, Query, WriteTx, params};

use crate::conformance::Gate;
use crate::proxy::{Cut, Proxy};
use crate::{SCHEMA, count, insert, kind, runtime};

#[test]
fn a_commit_whose_answer_is_lost_is_unknown_and_not_repeated() {
    let Some(direct) = TestDb::postgres(SCHEMA) else { return };
    let proxy = Proxy::before(direct.url());
    let db = direct.open_again(|options| options.url.clone_from(&proxy.url)).unwrap();
    let runs = Arc::new(AtomicU64::new(0));
    let write = |id| {
        let runs = Arc::clone(&runs);
        move |tx: &mut WriteTx| {
            runs.fetch_add(1, Ordering::SeqCst);
            insert(tx, id)
        }
    };

    proxy.cut_next_commit(Cut::After);
    assert_eq!(kind(db.write_blocking(write(1))), ErrorKind::OutcomeUnknown);
    proxy.cut_next_commit(Cut::Before);
    assert_eq!(kind(db.write_blocking(write(2))), ErrorKind::OutcomeUnknown);
    proxy.cut_next_commit(Cut::After);
    assert_eq!(
        kind(runtime().block_on(db.write_batched(write(3)))),
        ErrorKind::OutcomeUnknown
    );

    assert_eq!(runs.load(Ordering::SeqCst), 3, "nothing is run again");
    assert_eq!(db.stats().unknown_outcomes, 3);
    let saved = db
        .read_blocking(|tx| tx.fetch_all::<i64>("SELECT id FROM items ORDER BY id", params![]))
        .unwrap();
    assert_eq!(saved, [1, 3], "the first and third had reached the server");
    db.write_blocking(write(4)).unwrap();
}

#[test]
fn a_lost_common_commit_is_unknown_to_every_caller() {
    let Some(direct) = TestDb::postgres(SCHEMA) else { return };
    let proxy = Proxy::before(direct.url());
    let db = direct
        .open_again(|options| (options.url, options.connections) = (proxy.url.clone(), 1))
        .unwrap();
    let runtime = runtime();
    let (inside, entered) = std::sync::mpsc::channel();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let gate = db.clone();
    runtime.spawn(async move {
        let wait = move |_: &mut portolan_db::ReadTx| {
            inside.send(()).unwrap();
            opened.lock().unwrap().recv().unwrap();
            Ok::<_, Error>(())
        };
        gate.read(wait).await
    });
    entered.recv().unwrap();
    let (arm, armed) = std::sync::mpsc::channel::<()>();
    let armed = Arc::new(std::sync::Mutex::new(armed));
    let units: Vec<_> = (1..=10)
        .map(|id| {
            let (db, armed) = (db.clone(), Arc::clone(&armed));
            runtime.spawn(async move {
                db.write_batched(move |tx| {
                    if id == 1 {
                        armed.lock().unwrap().recv().unwrap();
                    }
                    insert(tx, id)
                })
                .await
            })
        })
        .collect();
    while db.stats().queued < 10 {
        thread::yield_now();
    }
    open.send(()).unwrap();
    // The group is taken only after the read has sent its own COMMIT, which is not the one to lose.
    while db.stats().queued > 0 {
        thread::yield_now();
    }
    proxy.cut_next_commit(Cut::After);
    arm.send(()).unwrap();

    let unknown = units.into_iter().map(|unit| runtime.block_on(unit).unwrap());
    let unknown = unknown.filter(|result| matches!(result, Err(error) if error.kind() == ErrorKind::OutcomeUnknown));
    assert_eq!((unknown.count(), count(&direct)), (10, 10));
    assert_eq!(db.stats().retries, 0);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let Some(direct) = TestDb::postgres(SCHEMA) else { return };
    let proxy = Proxy::before(direct.url());
    let change = |options: &mut Options| {
        options.url.clone_from(&proxy.url);
        options.statement_timeout = Duration::from_millis(100);
    };
    let db = direct.open_again(change).unwrap();

    proxy.cut_next_commit(Cut::Silence);
    assert_eq!(kind(db.write_blocking(|tx| insert(tx, 1))), ErrorKind::OutcomeUnknown);
    db.write_blocking(|tx| insert(tx, 2)).unwrap();
}

#[test]
fn a_backend_ended_inside_of_commit_is_unknown() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    admin(
        &db,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION slow();",
    );
    let writer = (*db).clone();
    let write = thread::spawn(move || writer.write_blocking(|tx| insert(tx, 1)));
    let in_commit = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'";
    while admin(&db, in_commit) == 0 {
        thread::yield_now();
    }

    assert_eq!(kind(write.join().unwrap()), ErrorKind::OutcomeUnknown);
    assert_eq!(count(&db), 0);
}

#[test]
fn an_idle_connection_that_was_ended_is_replaced() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    admin(
        &db,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'portolan'",
    );
    thread::sleep(Duration::from_millis(1100));

    for id in 2..=5 {
        db.write_blocking(move |tx| insert(tx, id)).unwrap();
    }
    assert_eq!(count(&db), 5);
    assert!(db.stats().reconnects >= 1);
}

#[test]
fn a_server_that_is_away_is_unavailable_and_comes_back() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    let name = db.url().rsplit_once('/').unwrap().1.to_owned();
    let elsewhere = Admin::connect(&std::env::var(portolan_db::testing::POSTGRES_URL).unwrap());
    elsewhere.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    elsewhere.run(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    ));
    thread::sleep(Duration::from_millis(1100));

    for _ in 0..4 {
        assert_eq!(kind(db.write_blocking(|tx| insert(tx, 1))), ErrorKind::Unavailable);
        assert_eq!(
            kind(runtime().block_on(db.find(Query::<i64>::new("SELECT 1", params![])))),
            ErrorKind::Unavailable
        );
    }
    elsewhere.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    let back = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        db.write_blocking(|tx| insert(tx, 1)).is_ok()
    });
    assert!(back);
    assert_eq!(count(&db), 1);
}

#[test]
fn write_skew_is_run_again() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    db.write_blocking(|tx| {
        insert(tx, 1)?;
        insert(tx, 2)?;
        tx.execute("UPDATE items SET amount = 1", params![])
    })
    .unwrap();
    let barrier = Arc::new(Barrier::new(2));
    // Each may go off duty only if the other stays; both look before either leaves.
    let leave = |id: i64| {
        let (db, barrier, runs) = ((*db).clone(), Arc::clone(&barrier), AtomicU64::new(0));
        thread::spawn(move || {
            db.write_blocking(move |tx| {
                let on_duty: i64 = tx.fetch_one("SELECT cast(sum(amount) AS BIGINT) FROM items", params![])?;
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    barrier.wait();
                }
                if on_duty < 2 {
                    return Ok::<_, Error>(false);
                }
                tx.execute("UPDATE items SET amount = 0 WHERE id = $1", params![id])?;
                Ok(true)
            })
            .unwrap()
        })
    };
    let left = [leave(1), leave(2)].map(|thread| thread.join().unwrap());

    assert_eq!(left.into_iter().filter(|left| *left).count(), 1);
    assert!(db.stats().retries >= 1);
}

#[test]
fn batched_units_that_deadlock_both_succeed() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    db.write_blocking(|tx| insert(tx, 1).and_then(|()| insert(tx, 2)))
        .unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let (inside, entered) = std::sync::mpsc::channel();
    let both = |first: i64, second: i64| {
        let (db, barrier, inside, runs) = ((*db).clone(), Arc::clone(&barrier), inside.clone(), AtomicU64::new(0));
        let unit = thread::spawn(move || {
            runtime().block_on(db.write_batched(move |tx| {
                tx.execute("UPDATE items SET amount = amount + 1 WHERE id = $1", params![first])?;
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    inside.send(()).unwrap();
                    barrier.wait();
                }
                tx.execute("UPDATE items SET amount = amount + 1 WHERE id = $1", params![second])
            }))
        });
        // The next unit must not get into the same group, where nothing can deadlock.
        entered.recv().unwrap();
        unit
    };
    let results = [both(1, 2), both(2, 1)].map(|thread| thread.join().unwrap());

    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let amounts = db
        .read_blocking(|tx| tx.fetch_all::<i64>("SELECT amount FROM items", params![]))
        .unwrap();
    assert_eq!(amounts, [2, 2]);
}

// Who asks about the same shares the rows, and the mistake, with those that asked at the same time and with nobody else.
#[test]
fn callers_that_ask_about_the_same_share_its_rows() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    let db = db.open_again(|options| options.connections = 1).unwrap();
    db.write_blocking(|tx| (1..=3).try_for_each(|id| insert(tx, id)))
        .unwrap();
    let runtime = runtime();
    let ask = |id: i64, divisor: i64| {
        let db = db.clone();
        let sql = "SELECT id, cast(1000000000 * random() AS BIGINT) / $2 FROM items WHERE id >= $1 ORDER BY id";
        let asked = Query::<(i64, i64)>::new(sql, params![id, divisor]);
        runtime.spawn(async move { db.find(asked).await })
    };
    for divisor_of_three in [1, 0] {
        let divisor = |id| if id == 3 { divisor_of_three } else { 1 };
        let gate = Gate::close(&db, &runtime);
        let askers: Vec<_> = (0..24)
            .map(|number| 1 + number % 4)
            .map(|id| (id, ask(id, divisor(id))))
            .collect();
        gate.open_when(&db, 24);

        let mut answers = BTreeMap::new();
        for (id, asker) in askers {
            let found = runtime.block_on(asker).unwrap();
            if divisor(id) == 0 {
                assert!(found.is_err(), "a division by zero");
                continue;
            }
            let found = found.unwrap();
            assert!(found.iter().map(|(found, _)| *found).eq(id..=3));
            assert_eq!(
                *answers.entry(id).or_insert_with(|| found.clone()),
                found,
                "it was asked once"
            );
        }
        assert_ne!(answers[&1][1..], answers[&2][..], "others have answers of their own");
        let later = runtime.block_on(ask(1, 1)).unwrap().unwrap();
        assert_ne!(later, answers[&1], "nothing is kept");
    }
}

#[test]
fn refusals_say_what_to_do_and_no_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = Db::open(Options::new(format!("postgres://someone:hunter2@{closed}/nowhere")))
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains("does it run") && text.contains(&closed.port().to_string()),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    let unchecked = Options::new("postgres://someone@localhost/nowhere?sslmode=require");
    assert!(
        Db::open(unchecked)
            .err()
            .unwrap()
            .to_string()
            .contains("certificate file")
    );

    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    let missing = db.open_again(|options| options.url.push_str("_missing")).err().unwrap();
    assert!(missing.to_string().contains("createdb"), "{missing}");
}

/// A connection beside the adapter.
struct Admin {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Admin {
    fn connect(url: &str) -> Admin {
        let runtime = runtime();
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(url, tokio_postgres::NoTls))
            .unwrap();
        runtime.spawn(connection);
        Admin { runtime, client }
    }

    /// Runs statements and gives the number in the first column of the last row.
    fn run(&self, sql: &str) -> i64 {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        rows.last().unwrap_or(0)
    }
}

fn admin(db: &TestDb, sql: &str) -> i64 {
    Admin::connect(db.url()).run(sql)
}
