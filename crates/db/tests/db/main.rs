//! What every engine promises (`conformance`, `migrations`), and what only one can be asked.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod migrations;
mod postgres;
mod proxy;
mod sqlite;
mod tls;

use portolan_db::{Db, Error, ErrorKind, Migration, WriteTx, params};

/// A table of each column type, and one whose rows are counted.
const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "schema",
    sql: "
        CREATE TABLE kinds (
            id BIGINT PRIMARY KEY,
            text TEXT,
            bytes BYTEA,
            uuid UUID
        );
        CREATE TABLE items (
            id BIGINT PRIMARY KEY,
            name TEXT NOT NULL,
            owner_id BIGINT REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED,
            amount BIGINT NOT NULL DEFAULT 0 CONSTRAINT items_amount_check CHECK (amount >= 0)
        );
        CREATE UNIQUE INDEX items_name_key ON items (name);",
    sqlite: None,
}];

fn insert(tx: &mut WriteTx, id: i64) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO items (id, name) VALUES ($1, $2)",
        params![id, format!("item {id}")],
    )?;
    Ok(())
}

fn count(db: &Db) -> i64 {
    db.read_blocking(|tx| tx.fetch_one::<i64>("SELECT count(*) FROM items", params![]))
        .unwrap()
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.err().expect("an error was expected").kind()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
