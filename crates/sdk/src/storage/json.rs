//! Tokens in a JSON file, format 2.0 of the Python SDK; files of format 1.0 are read and
//! become 2.0 when something is stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::{DEFAULT_NAMESPACE, TokenData, TokenStorage, paths};
use crate::error::{Error, Result, StorageError};

const FORMAT: &str = "2.0";
const WRITER: &str = concat!("portolan-sdk ", env!("CARGO_PKG_VERSION"));

/// Keeps tokens in a JSON file that only its owner may read. Each change replaces the whole
/// file at once, under a lock beside it.
///
/// ```no_run
/// # fn main() -> portolan_sdk::Result<()> {
/// use portolan_sdk::storage::{JsonTokenStorage, TokenStorage};
///
/// let storage = JsonTokenStorage::new("/home/robin/.lab/tokens.json")?.in_namespace("robin");
/// for (resource_server, data) in storage.all()? {
///     println!("{resource_server} until {}", data.expires_at_seconds);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JsonTokenStorage {
    path: PathBuf,
    namespace: String,
}

impl JsonTokenStorage {
    /// In this file. Its folder is made if need be, the file with the first token.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        paths::make_folder(&path)?;
        Ok(Self {
            path,
            namespace: DEFAULT_NAMESPACE.to_owned(),
        })
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

    fn wrong(&self, reason: impl Into<String>) -> Error {
        StorageError::Format {
            path: self.path.display().to_string(),
            reason: reason.into(),
        }
        .into()
    }

    /// The namespaces of the file.
    fn load(&self) -> Result<Map<String, Value>> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(paths::io_error(&self.path, error)),
        };
        let document: Value =
            serde_json::from_slice(&text).map_err(|error| self.wrong(format!("it is no JSON: {error}")))?;
        match document.get("format_version").and_then(Value::as_str) {
            Some(FORMAT) => match document.get("data") {
                Some(Value::Object(data)) => Ok(data.clone()),
                _ => Err(self.wrong("it has no data")),
            },
            Some("1.0") => match document.get("by_rs") {
                Some(tokens) => Ok(Map::from_iter([(DEFAULT_NAMESPACE.to_owned(), tokens.clone())])),
                None => Err(self.wrong("it has no by_rs")),
            },
            other => Err(self.wrong(format!("its format is unknown: {other:?}"))),
        }
    }

    /// Changes the tokens of the namespace.
    fn change<T>(&self, change: impl FnOnce(&mut Map<String, Value>) -> T) -> Result<T> {
        let _lock = paths::lock(&self.path)?;
        let mut data = self.load()?;
        let tokens = data.entry(self.namespace.as_str()).or_insert_with(|| json!({}));
        let Value::Object(tokens) = tokens else {
            return Err(self.wrong(format!("the namespace {} is no object", self.namespace)));
        };
        let result = change(tokens);
        let document = json!({"data": data, "format_version": FORMAT, "globus-sdk.version": WRITER});
        paths::replace(&self.path, &printed(&document))?;
        Ok(result)
    }
}

impl TokenStorage for JsonTokenStorage {
    fn store(&self, tokens: &BTreeMap<String, TokenData>) -> Result<()> {
        let written: Result<Map<String, Value>, _> = tokens
            .iter()
            .map(|(name, data)| Ok((name.clone(), serde_json::to_value(data)?)))
            .collect();
        let written = written.map_err(|error: serde_json::Error| self.wrong(error.to_string()))?;
        self.change(|tokens| tokens.extend(written))
    }

    fn all(&self) -> Result<BTreeMap<String, TokenData>> {
        let mut data = self.load()?;
        let tokens = data.remove(&self.namespace).unwrap_or_else(|| json!({}));
        serde_json::from_value(tokens).map_err(|error| self.wrong(error.to_string()))
    }

    fn remove(&self, resource_server: &str) -> Result<bool> {
        self.change(|tokens| tokens.remove(resource_server).is_some())
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// As Python prints it: a space after each comma and colon.
pub(super) fn printed(document: &Value) -> Vec<u8> {
    struct Spaced;

    impl serde_json::ser::Formatter for Spaced {
        fn begin_array_value<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
            writer.write_all(b": ")
        }
    }

    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
    document
        .serialize(&mut serializer)
        .expect("a JSON value can be written to memory");
    text
}
