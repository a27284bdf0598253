//! Values, rows and the conversions between them and Rust types.
//!
//! Both engines speak the same five kinds of value. A statement gives its parameters
//! with [`params!`](crate::params) and gets rows back, whose columns are taken in the
//! order of the statement.

use std::fmt;

use uuid::Uuid;

use crate::Error;

/// What a column or a parameter holds.
#[derive(Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
    Uuid(Uuid),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Int(_) => "an integer",
            Value::Text(_) => "text",
            Value::Blob(_) => "bytes",
            Value::Uuid(_) => "a UUID",
        }
    }

    fn mismatch(&self, expected: &str) -> Error {
        Error::decode(format!("expected {expected}, found {}", self.kind()))
    }
}

/// Texts and bytes may be secrets or their hashes, so only their length is printed.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => write!(f, "Null"),
            Value::Int(int) => write!(f, "Int({int})"),
            Value::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Value::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
            Value::Uuid(uuid) => write!(f, "Uuid({uuid})"),
        }
    }
}

/// A type that can be a parameter of a statement.
pub trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl IntoValue for i64 {
    fn into_value(self) -> Value {
        Value::Int(self)
    }
}

impl IntoValue for i32 {
    fn into_value(self) -> Value {
        Value::Int(self.into())
    }
}

impl IntoValue for u32 {
    fn into_value(self) -> Value {
        Value::Int(self.into())
    }
}

impl IntoValue for usize {
    fn into_value(self) -> Value {
        Value::Int(i64::try_from(self).expect("no collection holds 2^63 items"))
    }
}

/// Booleans are 0 and 1 in both engines.
impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Int(self.into())
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Text(self)
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl IntoValue for Vec<u8> {
    fn into_value(self) -> Value {
        Value::Blob(self)
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::Blob(self.to_vec())
    }
}

impl<const N: usize> IntoValue for [u8; N] {
    fn into_value(self) -> Value {
        Value::Blob(self.to_vec())
    }
}

impl IntoValue for Uuid {
    fn into_value(self) -> Value {
        Value::Uuid(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: Clone + IntoValue> IntoValue for &T {
    fn into_value(self) -> Value {
        self.clone().into_value()
    }
}

/// The parameters of a statement, `$1` first.
///
/// ```
/// use portolan_db::{params, Value};
/// let name = String::from("ada");
/// assert_eq!(params![7, &name, None::<i64>], [Value::Int(7), Value::Text("ada".into()), Value::Null]);
/// assert!(params![].is_empty());
/// ```
#[macro_export]
macro_rules! params {
    () => { { let none: [$crate::Value; 0] = []; none } };
    ($($value:expr),+ $(,)?) => { [$($crate::IntoValue::into_value($value)),+] };
}

/// A type that a column can be read into.
pub trait FromValue: Sized {
    fn from_value(value: Value) -> Result<Self, Error>;
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, Error> {
        Ok(value)
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Int(int) => Ok(int),
            other => Err(other.mismatch("an integer")),
        }
    }
}

impl FromValue for i32 {
    fn from_value(value: Value) -> Result<Self, Error> {
        i64::from_value(value)?
            .try_into()
            .map_err(|_| Error::decode("the integer does not fit 32 bits"))
    }
}

impl FromValue for u32 {
    fn from_value(value: Value) -> Result<Self, Error> {
        i64::from_value(value)?
            .try_into()
            .map_err(|_| Error::decode("the integer does not fit 32 unsigned bits"))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            other => Err(other.mismatch("0 or 1")),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(other.mismatch("text")),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            // SQLite does not tell them apart.
            Value::Uuid(uuid) => Ok(uuid.into_bytes().to_vec()),
            other => Err(other.mismatch("bytes")),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value) -> Result<Self, Error> {
        let bytes = Vec::from_value(value)?;
        let found = bytes.len();
        bytes
            .try_into()
            .map_err(|_| Error::decode(format!("expected {N} bytes, found {found}")))
    }
}

/// SQLite has no UUID type and keeps the 16 bytes.
impl FromValue for Uuid {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Uuid(uuid) => Ok(uuid),
            Value::Blob(bytes) => Uuid::from_slice(&bytes).map_err(|_| Error::decode("a UUID must have 16 bytes")),
            other => Err(other.mismatch("a UUID")),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row of an answer. It lives inside the database thread only as long as it is read.
pub struct Row<'r> {
    source: Source<'r>,
    next: usize,
}

pub(crate) enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    /// With the number of its columns that are to be read.
    Postgres(&'r tokio_postgres::Row, usize),
}

impl<'r> Row<'r> {
    pub(crate) fn new(source: Source<'r>) -> Row<'r> {
        Row { source, next: 0 }
    }

    /// Reads the whole row, and insists that no column is left over.
    pub(crate) fn read<T: FromRow>(mut self, before: Option<&T>) -> Result<T, Error> {
        let columns = match &self.source {
            Source::Sqlite(row) => row.as_ref().column_count(),
            Source::Postgres(_, width) => *width,
        };
        let value = match before {
            Some(before) => T::from_next_row(&mut self, before)?,
            None => T::from_row(&mut self)?,
        };
        if self.next != columns {
            return Err(Error::decode(format!("{} of {columns} columns were read", self.next)));
        }
        Ok(value)
    }

    /// Leaves out the next columns.
    pub fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    /// Takes the next column in the order of the statement.
    pub fn take<T: FromValue>(&mut self) -> Result<T, Error> {
        let column = self.next;
        self.next += 1;
        let value = match self.source {
            Source::Sqlite(row) => crate::sqlite::column(row, column),
            Source::Postgres(row, _) => crate::postgres::column(row, column),
        };
        value
            .and_then(T::from_value)
            .map_err(|error| error.within(format_args!("column {}", column + 1)))
    }
}

/// A type that a row can be read into.
///
/// ```
/// use portolan_db::{Error, FromRow, Row};
/// struct Person { id: i64, name: String }
/// impl FromRow for Person {
///     fn from_row(row: &mut Row) -> Result<Self, Error> {
///         Ok(Person { id: row.take()?, name: row.take()? })
///     }
/// }
/// ```
pub trait FromRow: Sized {
    fn from_row(row: &mut Row<'_>) -> Result<Self, Error>;

    /// Reads a row of the same answer that comes after `before`. A join repeats what it joins
    /// to; a type may [skip](Row::skip) that.
    fn from_next_row(row: &mut Row<'_>, _before: &Self) -> Result<Self, Error> {
        Self::from_row(row)
    }
}

macro_rules! single_column {
    ($($type:ty),*) => { $(
        impl FromRow for $type {
            fn from_row(row: &mut Row<'_>) -> Result<Self, Error> {
                row.take()
            }
        }
    )* };
}

single_column!(i64, bool, String, Vec<u8>, Uuid, Value);

impl<T: FromValue> FromRow for Option<T> {
    fn from_row(row: &mut Row<'_>) -> Result<Self, Error> {
        row.take()
    }
}

macro_rules! tuple {
    ($($column:ident),*) => {
        impl<$($column: FromValue),*> FromRow for ($($column,)*) {
            fn from_row(row: &mut Row<'_>) -> Result<Self, Error> {
                Ok(($(row.take::<$column>()?,)*))
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);
