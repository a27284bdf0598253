//! The one error of the crate: a kind to decide by, a sentence to read, a source to log.

use std::fmt;
use std::sync::Arc;

/// Why a statement or a transaction failed. Cheap to clone: one failed commit answers many callers.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: Arc<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// The engine rolled the work back because of a concurrent one: it may run again.
    pub(crate) conflict: bool,
}

/// What a caller can decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The queue is full, the store is locked, or too many units collide: try again in a moment.
    Busy,
    /// A statement took longer than the statement time-out. Its unit was rolled back.
    Timeout,
    /// The store cannot be reached or cannot be used. Nothing was changed.
    Unavailable,
    /// The commit was sent, and nobody knows whether it took effect.
    OutcomeUnknown,
    /// A constraint refused the change. The name is the one PostgreSQL gives by default
    /// (`clients_pkey`, `clients_name_key`), on SQLite too; foreign keys have none there.
    Constraint { name: Option<String> },
    /// `fetch_one` found no row. The unit may go on.
    NotFound,
    /// A value is not of the type it is read into.
    Decode,
    /// The schema is too old, too new, or its migrations were edited.
    WrongSchema,
    /// A mistake in a statement, a panic in a unit, or damage in the store.
    Internal,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl AsRef<str>) -> Error {
        Error {
            kind,
            message: message.as_ref().into(),
            source: None,
            conflict: false,
        }
    }

    pub(crate) fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn internal(message: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Internal, message)
    }

    pub(crate) fn unavailable(message: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Unavailable, message)
    }

    pub(crate) fn wrong_schema(message: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::WrongSchema, message)
    }

    pub(crate) fn conflict(message: impl AsRef<str>) -> Error {
        Error {
            conflict: true,
            ..Error::new(ErrorKind::Busy, message)
        }
    }

    pub(crate) fn outcome_unknown(cause: &Error) -> Error {
        let message = format!("it is not known whether the change was saved: {cause}");
        Error {
            kind: ErrorKind::OutcomeUnknown,
            message: message.into(),
            ..cause.clone()
        }
    }

    /// A stored value that its Rust type refuses, for `FromValue` and `FromRow` of other crates.
    pub fn decode(what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Decode, what.into())
    }

    /// Says where: in front of the sentence.
    pub(crate) fn within(self, place: impl fmt::Display) -> Error {
        Error {
            message: format!("{place}: {}", self.message).into(),
            ..self
        }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind.clone()
    }

    /// The name of the constraint that refused the change.
    pub fn constraint(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Constraint { name } => name.as_deref(),
            _ => None,
        }
    }

    /// Whether the unit cannot go on after this error.
    pub(crate) fn poisons(&self) -> bool {
        self.kind != ErrorKind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
