//! SQLite by rusqlite.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ToSql, params_from_iter, types::ToSqlOutput};

use crate::{INSERT_TOKEN, INSERT_TOKEN_CONSENT, Result, Store, Value, issued_token, seed::Random};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::from(rusqlite::types::Null),
            Value::Int(number) => ToSqlOutput::from(*number),
            Value::Text(text) => ToSqlOutput::from(text.as_str()),
            Value::Hash(bytes) => ToSqlOutput::from(bytes.as_slice()),
            Value::Id(bytes) => ToSqlOutput::from(bytes.as_slice()),
        })
    }
}

/// Fills a file in one transaction. Indexes are dropped first and made again at the end,
/// which sorts once instead of searching a place for every row.
pub struct Filler {
    connection: Connection,
    indexes: Vec<String>,
}

impl Filler {
    pub fn open(path: &Path) -> Result<Filler> {
        let connection = Connection::open(path)?;
        // Without a write-ahead log for the time being: a failed filling is thrown away.
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
             PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE;",
        )?;
        let mut statement =
            connection.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")?;
        let found: Vec<(String, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        drop(statement);
        for (name, _) in &found {
            connection.execute_batch(&format!("DROP INDEX \"{name}\""))?;
        }
        Ok(Filler {
            connection,
            indexes: found.into_iter().map(|(_, sql)| sql).collect(),
        })
    }
}

impl Store for Filler {
    fn find_id(&mut self, sql: &str) -> Result<[u8; 16]> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    fn load(&mut self, table: &str, columns: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<()> {
        let places = vec!["?"; columns.split(',').count()].join(", ");
        let mut statement = self
            .connection
            .prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({places})"))?;
        for row in rows {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        for sql in &self.indexes {
            self.connection.execute_batch(sql)?;
        }
        self.connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL;")?;
        Ok(())
    }
}

/// One connection, as SQLite has one writer, with so many tokens in a commit.
pub fn raw(path: &Path, group: usize, span: Duration) -> Result<(usize, Duration)> {
    let connection = Connection::open(path)?;
    // As the server's writer has them: the ceiling is the driver's, not that of other settings.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    let mut token = connection.prepare(INSERT_TOKEN)?;
    let mut consent = connection.prepare(INSERT_TOKEN_CONSENT)?;
    let mut random = Random::new(std::process::id().into());
    let started = Instant::now();
    let mut units = 0;
    while started.elapsed() < span {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            let (token_row, consent_row) = issued_token(&mut random, 1_790_000_000_000_000);
            token.execute(params_from_iter(token_row))?;
            consent.execute(params_from_iter(consent_row))?;
        }
        connection.execute_batch("COMMIT")?;
        units += group;
    }
    Ok((units, started.elapsed()))
}
