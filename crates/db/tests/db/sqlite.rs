//! What only SQLite can be asked: other processes, backups, crashes, the file itself.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use portolan_db::testing::TestDb;
use portolan_db::{Db, Durability, Error, ErrorKind, MigrateMode, Options, Query, params};

use crate::conformance::Gate;
use crate::{SCHEMA, count, insert, kind, runtime};

/// Names the file to the same test in a second process.
const CHILD_FILE: &str = "PORTOLAN_DB_TEST_CHILD";

/// Runs one test of this program in a second process.
fn child(test: &str, db: &TestDb) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD_FILE, db.url());
    command
}

#[test]
fn two_processes_write_one_file() {
    if let Ok(url) = std::env::var(CHILD_FILE) {
        let db = Db::open(Options::new(url)).unwrap();
        db.migrate(SCHEMA, MigrateMode::Check).unwrap();
        (1001..=1200).for_each(|id| db.write_blocking(move |tx| insert(tx, id)).unwrap());
        return;
    }
    let db = TestDb::sqlite(SCHEMA);
    let mut other = child("sqlite::two_processes_write_one_file", &db)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (1..=200).for_each(|id| db.write_blocking(move |tx| insert(tx, id)).unwrap());

    assert!(other.wait().unwrap().success());
    assert_eq!(count(&db), 400);
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Ok(url) = std::env::var(CHILD_FILE) {
        let db = Db::open(Options {
            durability: Durability::Full,
            ..Options::new(url)
        })
        .unwrap();
        let runtime = runtime();
        let write_on = |first: i64| {
            let db = db.clone();
            runtime.spawn(async move {
                for id in (first..).step_by(8) {
                    db.write_batched(move |tx| insert(tx, id)).await.unwrap();
                    println!("saved {id}");
                }
            })
        };
        (1..=8).map(write_on).for_each(drop);
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let db = TestDb::sqlite(SCHEMA);
    let mut other = child("sqlite::what_was_acknowledged_survives_kill_9", &db)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut saved: Vec<i64> = Vec::new();
    let parse = |line: String| -> Option<i64> { line.strip_prefix("saved ").and_then(|id| id.parse().ok()) };
    while saved.len() < 200 {
        saved.extend(lines.next().and_then(parse));
    }
    other.kill().unwrap();
    saved.extend(lines.filter_map(parse));
    other.wait().unwrap();

    let ids = db
        .read_blocking(|tx| tx.fetch_all::<i64>("SELECT id FROM items ORDER BY id", params![]))
        .unwrap();
    let lost: Vec<_> = saved.iter().filter(|id| ids.binary_search(id).is_err()).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let check: String = db
        .read_blocking(|tx| tx.fetch_one("PRAGMA integrity_check", params![]))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_writer_waits_for_another_process_and_says_so_in_the_end() {
    let db = TestDb::sqlite(SCHEMA);
    let file = db.url().strip_prefix("sqlite:").unwrap();
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writer = (*db).clone();
    let write = thread::spawn(move || writer.write_blocking(|tx| insert(tx, 1)));
    thread::sleep(Duration::from_millis(100));
    other.execute_batch("COMMIT").unwrap();
    assert!(write.join().unwrap().is_ok());

    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = db.write_blocking(|tx| insert(tx, 2)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.to_string().contains("another process"), "{refused}");
    assert_eq!(count(&db), 1);
}

#[test]
fn a_backup_under_load_is_one_moment() {
    let db = TestDb::sqlite(SCHEMA);
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("backup.db");
    let writer = (*db).clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writing = thread::spawn(move || {
        let mut written = 0;
        while stopped.try_recv().is_err() {
            written += 1;
            writer.write_blocking(move |tx| insert(tx, written)).unwrap();
        }
        written
    });
    while count(&db) < 2000 {
        thread::yield_now();
    }
    let before = count(&db);
    db.backup(&file).unwrap();
    let after = count(&db);
    stop.send(()).unwrap();
    assert!(writing.join().unwrap() >= after);

    let copy = Db::open(Options::new(format!("sqlite:{}", file.display()))).unwrap();
    copy.migrate(SCHEMA, MigrateMode::Check).unwrap();
    let ids = copy
        .read_blocking(|tx| tx.fetch_all::<i64>("SELECT id FROM items ORDER BY id", params![]))
        .unwrap();
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>(), "without gaps");
    assert!(
        (before..=after).contains(&(ids.len() as i64)),
        "{before} <= {} <= {after}",
        ids.len()
    );
    assert_eq!(
        std::fs::read_dir(target.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .contains("partial")
            })
            .count(),
        0
    );
}

#[test]
fn a_full_disk_fails_only_what_does_not_fit() {
    let db = TestDb::sqlite(SCHEMA);
    let limit = |pages: &'static str| {
        db.write_blocking(move |tx| tx.fetch_one::<i64>(pages, params![]))
            .unwrap()
    };
    limit("PRAGMA max_page_count = 40");
    let runtime = runtime();
    let gate = Gate::close(&db, &runtime);
    let units: Vec<_> = (1..=10)
        .map(|id| {
            let db = (*db).clone();
            let name = if id % 4 == 0 {
                "x".repeat(1_000_000)
            } else {
                "short".to_owned()
            };
            runtime.spawn(async move {
                db.write_batched(move |tx| {
                    let sql = "INSERT INTO items (id, name) VALUES ($1, $2)";
                    tx.execute(sql, params![id, format!("{name}{id}")])
                })
                .await
            })
        })
        .collect();
    gate.open_when(&db, 10);

    for (index, unit) in units.into_iter().enumerate() {
        match runtime.block_on(unit).unwrap() {
            Ok(_) => assert_ne!((index + 1) % 4, 0),
            Err(error) => assert!(
                (index + 1) % 4 == 0 && error.to_string().contains("full"),
                "{index}: {error}"
            ),
        }
    }
    assert_eq!(count(&db), 8);
    limit("PRAGMA max_page_count = 4000");
    db.write_blocking(|tx| insert(tx, 11)).unwrap();
}

#[cfg(unix)]
#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let db = TestDb::sqlite(SCHEMA);
    let backup = tempfile::tempdir().unwrap();
    let backup = backup.path().join("copy.db");
    db.backup(&backup).unwrap();
    let file = db.url().strip_prefix("sqlite:").unwrap();
    for path in [file, &format!("{file}-wal"), backup.to_str().unwrap()] {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path}"
        );
    }
}

#[test]
fn files_that_cannot_be_opened_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        Db::open(Options::new(format!("sqlite:{}", path.display())))
            .err()
            .unwrap()
    };
    let missing = open(&folder.path().join("no/such/folder.db"));
    assert_eq!(missing.kind(), ErrorKind::Unavailable);
    assert!(missing.to_string().contains("folder.db"), "{missing}");

    let nonsense = folder.path().join("nonsense.db");
    std::fs::write(&nonsense, "this is no database, however long it may be".repeat(100)).unwrap();
    let error = open(&nonsense);
    assert!(error.to_string().contains("backup"), "{error}");
    assert_eq!(kind(Db::open(Options::new("mysql://x"))), ErrorKind::Unavailable);
}

/// A look-up does not wait for the reader threads, nor fail when the caller's connection is in use.
#[test]
fn look_ups_go_on_while_the_readers_are_busy() {
    let db = TestDb::sqlite(SCHEMA);
    let db = db.open_again(|options| options.connections = 1).unwrap();
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let runtime = runtime();
    let (inside, goes_on) = (mpsc::channel(), mpsc::channel::<()>());
    let goes_on_receiver = Mutex::new(goes_on.1);
    let reader = db.clone();
    let reading = thread::spawn(move || {
        reader.read_blocking(move |_| {
            inside.0.send(()).unwrap();
            goes_on_receiver.lock().unwrap().recv().unwrap();
            Ok::<_, Error>(())
        })
    });
    inside.1.recv().unwrap();

    let names = || Query::<String>::new("SELECT name FROM items", params![]);
    assert_eq!(runtime.block_on(db.find(names())).unwrap(), ["item 1"]);

    goes_on.0.send(()).unwrap();
    reading.join().unwrap().unwrap();
    let many: Vec<_> = (0..500)
        .map(|_| {
            let db = db.clone();
            runtime.spawn(async move { db.find(names()).await })
        })
        .collect();
    for one in many {
        assert_eq!(runtime.block_on(one).unwrap().unwrap(), ["item 1"]);
    }
    assert_eq!(db.stats().finds, 501);
    db.clone().close();
    assert_eq!(kind(runtime.block_on(db.find(names()))), ErrorKind::Unavailable);
}

/// The rows of a table with an integer for a key are in its leaves.
#[test]
fn an_integer_key_is_the_rowid() {
    let db = TestDb::sqlite(SCHEMA);
    let plan = |sql: &'static str| {
        let steps = db.read_blocking(move |tx| tx.fetch_all::<(i64, i64, i64, String)>(sql, params![]));
        steps.unwrap().remove(0).3
    };
    assert_eq!(
        plan("EXPLAIN QUERY PLAN SELECT name FROM items WHERE id = 1"),
        "SEARCH items USING INTEGER PRIMARY KEY (rowid=?)"
    );
}
