//! Tokens in an SQLite file, schema 2 of the Python SDK.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::json::printed;
use super::{DEFAULT_NAMESPACE, TokenData, TokenStorage, paths};
use crate::error::{Error, Result, StorageError};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS token_storage (
        namespace VARCHAR NOT NULL,
        resource_server VARCHAR NOT NULL,
        token_data_json VARCHAR NOT NULL,
        PRIMARY KEY (namespace, resource_server)
    );
    CREATE TABLE IF NOT EXISTS sdk_storage_adapter_internal (
        attribute VARCHAR NOT NULL,
        value VARCHAR NOT NULL,
        PRIMARY KEY (attribute)
    );";

/// Keeps tokens in an SQLite file that only its owner may read.
///
/// ```no_run
/// # fn main() -> portolan_sdk::Result<()> {
/// use portolan_sdk::storage::{SqliteTokenStorage, TokenStorage};
///
/// let storage = SqliteTokenStorage::new("/home/robin/.lab/tokens.db")?.in_namespace("robin");
/// println!("{:?} {:?}", storage.namespaces()?, storage.all()?.keys());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteTokenStorage {
    path: PathBuf,
    namespace: String,
    connection: Mutex<Connection>,
}

impl SqliteTokenStorage {
    /// In this file, which is made if need be. For tokens in memory there is
    /// [`MemoryTokenStorage`](super::MemoryTokenStorage).
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if path.as_os_str() == ":memory:" {
            return Err(Error::usage("tokens in memory are what MemoryTokenStorage is for"));
        }
        paths::make_folder(&path)?;
        // SQLite takes over the mode of a file that is there, also for its journal.
        paths::private_file(&path, OpenOptions::new().create(true).append(true))
            .map_err(|error| paths::io_error(&path, error))?;
        let connection = open(&path).map_err(|source| sqlite_error(&path, source))?;
        let storage = Self {
            path,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            connection: Mutex::new(connection),
        };
        storage.check_version()?;
        Ok(storage)
    }

    fn check_version(&self) -> Result<()> {
        let version: Option<String> = self.run(|connection| {
            connection
                .query_row(
                    "SELECT value FROM sdk_storage_adapter_internal WHERE attribute = ?1",
                    ["globus-sdk.database_schema_version"],
                    |row| row.get(0),
                )
                .optional()
        })?;
        match version.as_deref() {
            // Version 1 has the same table, and another one for settings.
            Some("1" | "2") => Ok(()),
            other => Err(StorageError::Format {
                path: self.path.display().to_string(),
                reason: format!("its schema is unknown: {other:?}"),
            }
            .into()),
        }
    }

    /// Tokens of another namespace of the same file.
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The namespaces that have tokens.
    pub fn namespaces(&self) -> Result<Vec<String>> {
        self.run(|connection| {
            let mut statement =
                connection.prepare("SELECT DISTINCT namespace FROM token_storage ORDER BY namespace")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }

    fn run<T>(&self, run: impl FnOnce(&mut MutexGuard<'_, Connection>) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        run(&mut connection).map_err(|source| sqlite_error(&self.path, source))
    }
}

fn sqlite_error(path: &Path, source: rusqlite::Error) -> Error {
    StorageError::Sqlite {
        path: path.display().to_string(),
        source,
    }
    .into()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        for (attribute, value) in [
            (
                "globus-sdk.version",
                concat!("portolan-sdk ", env!("CARGO_PKG_VERSION")),
            ),
            ("globus-sdk.database_schema_version", "2"),
        ] {
            transaction.execute(
                "INSERT INTO sdk_storage_adapter_internal(attribute, value) VALUES (?1, ?2)",
                [attribute, value],
            )?;
        }
    }
    transaction.commit()?;
    Ok(connection)
}

impl TokenStorage for SqliteTokenStorage {
    fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        self.run(|connection| {
            let transaction = connection.transaction()?;
            for (name, data) in tokens {
                let document = serde_json::to_value(data)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                let text = String::from_utf8_lossy(&printed(&document)).into_owned();
                transaction.execute(
                    "REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?1, ?2, ?3)",
                    params![self.namespace, name, text],
                )?;
            }
            transaction.commit()
        })
    }

    fn all(&self) -> Result<BTreeMap<String, TokenData>> {
        let rows: Vec<(String, String)> = self.run(|connection| {
            let mut statement = connection
                .prepare("SELECT resource_server, token_data_json FROM token_storage WHERE namespace = ?1")?;
            statement
                .query_map([&self.namespace], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let read = |(name, text): (String, String)| match serde_json::from_str(&text) {
            Ok(data) => Ok((name, data)),
            Err(error) => Err(StorageError::Format {
                path: self.path.display().to_string(),
                reason: format!("the tokens of {name}: {error}"),
            }
            .into()),
        };
        rows.into_iter().map(read).collect()
    }

    fn remove(&self, resource_server: &str) -> Result<bool> {
        let removed = self.run(|connection| {
            connection.execute(
                "DELETE FROM token_storage WHERE namespace = ?1 AND resource_server = ?2",
                params![self.namespace, resource_server],
            )
        })?;
        Ok(removed > 0)
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }
}
