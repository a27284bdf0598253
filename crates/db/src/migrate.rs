//! Migrations: one text for both engines, applied in order, under a lock, and never edited.
//!
//! The text uses PostgreSQL's type words. For SQLite `UUID`, `BYTEA` and `BIGINT` become
//! `BLOB`, `BLOB` and `INTEGER`, and every table is `STRICT, WITHOUT ROWID`: all tables
//! have a primary key, so a look-up by it is one search instead of two. One whose key is a
//! `BIGINT` is the rowid itself: its rows are all in the leaves, and the search is shorter.
//! For PostgreSQL `TEXT` columns get `COLLATE "C"`, so both engines sort and compare bytes.
//!
//! A release that can no longer work with what older ones wrote says so with a line
//! `-- oldest_compatible: N` in its migration: programs older than N then refuse to start.

use aws_lc_rs::digest;

use crate::{Db, Engine, Error, WriteTx, params};

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
    /// Used as it is in place of `sql` on SQLite, where one text for both is impossible.
    pub sqlite: Option<&'static str>,
}

/// Whether pending migrations are applied or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateMode {
    Auto,
    Check,
}

/// What [`Db::migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrateReport {
    pub applied: Vec<i64>,
    /// The version of the store afterwards; a newer program may have raised it above our own.
    pub version: i64,
}

/// Two starters on PostgreSQL meet at this lock. On SQLite there is one writer anyway.
const ADVISORY_LOCK: &str = "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7309453218001)";

const OWN_TABLES: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version BIGINT PRIMARY KEY,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS schema_meta (
        id BIGINT PRIMARY KEY CHECK (id = 1),
        version BIGINT NOT NULL,
        oldest_compatible BIGINT NOT NULL
    );";

pub(crate) fn run(db: &Db, migrations: &[Migration], mode: MigrateMode) -> Result<MigrateReport, Error> {
    if !migrations.is_sorted_by(|one, next| one.version < next.version) {
        return Err(Error::internal(
            "migrations must be listed in ascending order of their versions",
        ));
    }
    let engine = db.engine();
    let migrations = migrations.to_vec();
    match mode {
        MigrateMode::Auto => db.migrate_blocking(move |tx| apply(tx, engine, &migrations)),
        MigrateMode::Check => db.read_blocking(move |tx| {
            let state = State::read(tx, engine)?;
            match state.pending(&migrations)?.first() {
                None => Ok(MigrateReport { applied: Vec::new(), version: state.version }),
                Some(migration) => Err(Error::wrong_schema(format!(
                    "the store needs migration {} ({}): stop other servers if they are older, then start with --migrate auto",
                    migration.version, migration.name
                ))),
            }
        }),
    }
}

fn apply(tx: &mut WriteTx, engine: Engine, migrations: &[Migration]) -> Result<MigrateReport, Error> {
    if engine == Engine::Postgres {
        tx.batch(ADVISORY_LOCK)?;
    }
    let mut state = State::read(tx, engine)?;
    let mut applied = Vec::new();
    for migration in state.pending(migrations)? {
        if !state.exists {
            tx.batch(&translate(OWN_TABLES, engine).join(";"))?;
            state.exists = true;
        }
        for (index, statement) in migration.statements(engine).iter().enumerate() {
            tx.batch(statement).map_err(|error| {
                let (version, name) = (migration.version, migration.name);
                Error::wrong_schema(format!(
                    "migration {version} ({name}), statement {}: {error}",
                    index + 1
                ))
            })?;
        }
        tx.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            params![migration.version, migration.name, migration.checksum()],
        )?;
        state.version = migration.version;
        state.oldest_compatible = migration.oldest_compatible().unwrap_or(state.oldest_compatible);
        tx.execute(
            "INSERT INTO schema_meta (id, version, oldest_compatible) VALUES (1, $1, $2)
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, oldest_compatible = excluded.oldest_compatible",
            params![state.version, state.oldest_compatible],
        )?;
        applied.push(migration.version);
    }
    Ok(MigrateReport {
        applied,
        version: state.version,
    })
}

/// What the store says about itself.
struct State {
    exists: bool,
    version: i64,
    oldest_compatible: i64,
    applied: Vec<(i64, String)>,
}

impl State {
    fn read(tx: &mut crate::ReadTx, engine: Engine) -> Result<State, Error> {
        let question = match engine {
            Engine::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_meta'",
            Engine::Postgres => "SELECT CASE WHEN to_regclass('schema_meta') IS NULL THEN 0 ELSE 1 END",
        };
        let exists: i64 = tx.fetch_one(question, params![])?;
        let mut state = State {
            exists: exists > 0,
            version: 0,
            oldest_compatible: 0,
            applied: Vec::new(),
        };
        if state.exists {
            (state.version, state.oldest_compatible) = tx.fetch_one(
                "SELECT version, oldest_compatible FROM schema_meta WHERE id = 1",
                params![],
            )?;
            state.applied = tx.fetch_all(
                "SELECT version, checksum FROM schema_migrations ORDER BY version",
                params![],
            )?;
        }
        Ok(state)
    }

    /// What is still to be applied, after a check that the store descends from these migrations.
    fn pending<'m>(&self, migrations: &'m [Migration]) -> Result<Vec<&'m Migration>, Error> {
        let own = migrations.last().map_or(0, |migration| migration.version);
        if self.oldest_compatible > own {
            return Err(Error::wrong_schema(format!(
                "the store was changed by a newer program (version {}, compatible from {} on) and this one is at {own}: \
                 start the newer program, or restore a backup from before",
                self.version, self.oldest_compatible
            )));
        }
        let mut pending = Vec::new();
        for migration in migrations {
            let version = migration.version;
            match self.applied.iter().find(|(applied, _)| *applied == version) {
                Some((_, checksum)) if *checksum != migration.checksum() => {
                    return Err(Error::wrong_schema(format!(
                        "migration {version} ({}) was edited after it had been applied: use the program that \
                         applied it, and put the change into a new migration",
                        migration.name
                    )));
                }
                Some(_) => {}
                None if version < self.version => {
                    return Err(Error::wrong_schema(format!(
                        "migration {version} ({}) was never applied although the store is at version {}: \
                         migrations are only added at the end",
                        migration.name, self.version
                    )));
                }
                None => pending.push(migration),
            }
        }
        Ok(pending)
    }
}

impl Migration {
    fn checksum(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.sql.as_bytes());
        context.update(&[0]);
        context.update(self.sqlite.unwrap_or_default().as_bytes());
        context
            .finish()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn oldest_compatible(&self) -> Option<i64> {
        self.sql
            .lines()
            .find_map(|line| line.strip_prefix("-- oldest_compatible:")?.trim().parse().ok())
    }

    fn statements(&self, engine: Engine) -> Vec<String> {
        match (engine, self.sqlite) {
            // Its own text may hold triggers, whose bodies only SQLite itself can split.
            (Engine::Sqlite, Some(text)) => vec![text.to_owned()],
            _ => translate(self.sql, engine),
        }
    }
}

/// A piece of SQL as far as the translation must tell pieces apart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'s> {
    Word(&'s str),
    /// A string or a quoted name: never looked into.
    Quoted(&'s str),
    Comment,
    Semicolon,
    Other(&'s str),
}

fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            // A doubled quote inside reads as two quoted pieces, which come out unchanged.
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        tokens.push(match first {
            '\'' | '"' => Token::Quoted(piece),
            '-' | '/' if length > 1 => Token::Comment,
            ';' => Token::Semicolon,
            c if is_word(c) => Token::Word(piece),
            _ => Token::Other(piece),
        });
        rest = after;
    }
    tokens
}

/// The statements of a migration in the words of an engine, without comments.
fn translate(sql: &str, engine: Engine) -> Vec<String> {
    tokens(sql)
        .split(|token| *token == Token::Semicolon)
        .map(|statement| translate_statement(statement, engine))
        .filter(|statement| !statement.is_empty())
        .collect()
}

fn translate_statement(statement: &[Token<'_>], engine: Engine) -> String {
    let words: Vec<&str> = statement
        .iter()
        .filter_map(|token| {
            if let Token::Word(word) = token {
                Some(*word)
            } else {
                None
            }
        })
        .collect();
    let creates_table = matches!(words[..], ["CREATE", "TABLE", ..]);
    let names_columns = creates_table || matches!(words[..], ["ALTER", "TABLE", ..]);
    let mut out = String::new();
    let mut previous = "";
    for token in statement {
        match *token {
            Token::Word(word) => {
                out.push_str(match (engine, word) {
                    (Engine::Sqlite, "UUID" | "BYTEA") => "BLOB",
                    (Engine::Sqlite, "BIGINT") => "INTEGER",
                    // Not in `cast(.. AS TEXT)`.
                    (Engine::Postgres, "TEXT") if names_columns && previous != "AS" => "TEXT COLLATE \"C\"",
                    _ => word,
                });
                previous = word;
            }
            Token::Quoted(piece) | Token::Other(piece) => out.push_str(piece),
            Token::Comment | Token::Semicolon => out.push(' '),
        }
    }
    let out = out.trim();
    match engine {
        Engine::Sqlite if creates_table && has_integer_key(out) => format!("{out} STRICT"),
        Engine::Sqlite if creates_table => format!("{out} STRICT, WITHOUT ROWID"),
        _ => out.to_owned(),
    }
}

/// Whether the primary key is a single column of integers.
fn has_integer_key(table: &str) -> bool {
    ["INTEGER PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY"]
        .iter()
        .any(|key| table.contains(key))
}
