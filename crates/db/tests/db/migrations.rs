//! Migrations: order, checksums, locks and compatibility, on each engine.

use std::thread;

use portolan_db::{ErrorKind, MigrateMode, Migration, Value, db_test, params};

use crate::kind;

const ONE: Migration = Migration {
    version: 1,
    name: "people",
    sql: "-- UUID in a comment; and a semicolon
          CREATE TABLE people (id UUID PRIMARY KEY, name TEXT NOT NULL DEFAULT 'BIGINT; -- TEXT', \"UUID\" BIGINT);
          INSERT INTO people (id) VALUES ('00000000-0000-0000-0000-000000000001');",
    sqlite: Some(
        "CREATE TABLE people (id BLOB PRIMARY KEY, name TEXT NOT NULL DEFAULT 'BIGINT; -- TEXT', \"UUID\" INTEGER) STRICT;
         INSERT INTO people (id) VALUES (x'00000000000000000000000000000001');",
    ),
};
const TWO: Migration = Migration {
    version: 2,
    name: "letters",
    sql:
        "CREATE TABLE letters (letter TEXT PRIMARY KEY, bytes BYTEA, note TEXT DEFAULT 'UUID; TEXT' CHECK (note <> ''));
          ALTER TABLE letters ADD COLUMN sender TEXT;
          INSERT INTO letters (letter) VALUES ('b'), ('A'), ('a'), ('B'), ('ä');",
    sqlite: None,
};
const BREAKING: Migration = Migration {
    version: 3,
    name: "breaking",
    sql: "-- oldest_compatible: 3\nALTER TABLE letters DROP COLUMN sender;",
    sqlite: None,
};

db_test!(each_is_applied_once_and_in_order, &[], |db| {
    let first = db.migrate(&[ONE], MigrateMode::Auto).unwrap();
    let second = db.migrate(&[ONE, TWO], MigrateMode::Auto).unwrap();
    let third = db.migrate(&[ONE, TWO], MigrateMode::Auto).unwrap();

    assert_eq!(
        (first.applied, second.applied, third.applied),
        (vec![1], vec![2], vec![])
    );
    assert_eq!(third.version, 2);
    let name: String = db
        .read_blocking(|tx| tx.fetch_one("SELECT name FROM people", params![]))
        .unwrap();
    assert_eq!(name, "BIGINT; -- TEXT");
});

db_test!(both_engines_sort_texts_by_bytes, &[ONE, TWO], |db| {
    let sorted = db.read_blocking(|tx| tx.fetch_all::<String>("SELECT letter FROM letters ORDER BY letter", params![]));
    assert_eq!(sorted.unwrap(), ["A", "B", "a", "b", "ä"]);
    let quoted: String = db
        .read_blocking(|tx| tx.fetch_one("SELECT min(note) FROM letters", params![]))
        .unwrap();
    assert_eq!(quoted, "UUID; TEXT", "what is quoted stays as it is");
    let wrong = db.write_blocking(|tx| {
        tx.execute(
            "INSERT INTO letters (letter, bytes) VALUES ('x', $1)",
            params![Value::Text("text".into())],
        )
    });
    assert!(wrong.is_err(), "column types are enforced");
});

db_test!(checking_refuses_what_is_pending, &[], |db| {
    let error = db.migrate(&[ONE], MigrateMode::Check).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongSchema);
    assert!(error.to_string().contains("--migrate auto"), "{error}");

    db.migrate(&[ONE], MigrateMode::Auto).unwrap();
    assert_eq!(db.migrate(&[ONE], MigrateMode::Check).unwrap().version, 1);
    assert_eq!(
        kind(db.migrate(&[ONE, TWO], MigrateMode::Check)),
        ErrorKind::WrongSchema
    );
});

db_test!(edited_and_forgotten_ones_are_refused, &[ONE, TWO], |db| {
    let edited = Migration {
        sql: "CREATE TABLE other (id BIGINT PRIMARY KEY)",
        ..TWO
    };
    let error = db.migrate(&[ONE, edited], MigrateMode::Auto).unwrap_err();
    assert!(error.to_string().contains("edited"), "{error}");

    let late = Migration {
        version: 0,
        name: "late",
        ..BREAKING
    };
    let error = db.migrate(&[late, ONE, TWO], MigrateMode::Auto).unwrap_err();
    assert!(error.to_string().contains("never applied"), "{error}");
    assert_eq!(kind(db.migrate(&[TWO, ONE], MigrateMode::Auto)), ErrorKind::Internal);
});

db_test!(an_older_program_starts_as_long_as_it_is_compatible, &[ONE, TWO], |db| {
    let older = db.migrate(&[ONE], MigrateMode::Auto).unwrap();
    assert_eq!((older.applied, older.version), (vec![], 2));

    db.migrate(&[ONE, TWO, BREAKING], MigrateMode::Auto).unwrap();
    for mode in [MigrateMode::Auto, MigrateMode::Check] {
        let error = db.migrate(&[ONE, TWO], mode).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongSchema);
        assert!(error.to_string().contains("newer program"), "{error}");
    }
});

db_test!(a_failing_one_leaves_nothing, &[ONE], |db| {
    let failing = Migration {
        sql: "CREATE TABLE half (id BIGINT PRIMARY KEY); CREATE NONSENSE",
        ..TWO
    };
    let error = db.migrate(&[ONE, failing], MigrateMode::Auto).unwrap_err();
    assert!(
        error.to_string().contains("migration 2 (letters), statement 2"),
        "{error}"
    );

    assert!(
        db.read_blocking(|tx| tx.fetch_all::<i64>("SELECT id FROM half", params![]))
            .is_err()
    );
    assert_eq!(db.migrate(&[ONE, TWO], MigrateMode::Auto).unwrap().applied, [2]);
});

db_test!(two_starters_do_not_collide, &[], |db| {
    let other = db.open_again(|_| {}).unwrap();
    let applied: Vec<_> = thread::scope(|scope| {
        let start = |db| {
            scope.spawn(move || {
                portolan_db::Db::migrate(db, &[ONE, TWO], MigrateMode::Auto)
                    .unwrap()
                    .applied
            })
        };
        [start(&other), start(db)]
            .map(|thread| thread.join().unwrap())
            .into_iter()
            .flatten()
            .collect()
    });
    assert_eq!(applied, [1, 2]);
});
