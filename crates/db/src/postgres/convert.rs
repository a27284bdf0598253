//! Values, rows and errors as PostgreSQL knows them.

use bytes::BytesMut;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::{Error, ErrorKind, Value};

pub(super) fn references<T: ToSql + Sync>(params: &[T]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Integers, texts and bytes go into whatever column type holds them, so that the server may infer the types.
impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(int), &Type::INT8) => int.to_sql(ty, out),
            (Value::Int(int), &Type::INT4) => i32::try_from(*int)?.to_sql(ty, out),
            (Value::Int(int), &Type::INT2) => i16::try_from(*int)?.to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::UNKNOWN) => text.to_sql(ty, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (Value::Blob(bytes), &Type::UUID) if bytes.len() == 16 => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            (Value::Uuid(uuid), &Type::UUID | &Type::BYTEA) => {
                out.extend_from_slice(uuid.as_bytes());
                Ok(IsNull::No)
            }
            (value, ty) => Err(format!("{value:?} does not fit a parameter of type {ty}: use cast($1 AS ..)").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Value, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(ty, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Value::Text(String::from_sql(ty, raw)?)
            }
            Type::BYTEA => Value::Blob(raw.to_vec()),
            Type::UUID => Value::Uuid(uuid::Uuid::from_slice(raw)?),
            // `SELECT pg_advisory_xact_lock(..)`.
            Type::VOID => Value::Null,
            _ => return Err(format!("columns of type {ty} are not read: use cast(.. AS BIGINT) or AS TEXT").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Value, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(crate) fn column(row: &tokio_postgres::Row, index: usize) -> Result<Value, Error> {
    if index >= row.len() {
        return Err(Error::decode("the statement has no such column"));
    }
    row.try_get(index).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::decode(reason)
    })
}

/// Whether the server itself said that the statement, and with it the transaction, failed.
pub(super) fn is_reported(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        let ends_connection = matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        !ends_connection
            && !db.code().code().starts_with("08")
            && *db.code() != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    })
}

pub(super) fn lost() -> Error {
    Error::unavailable("PostgreSQL cannot be reached at the moment: check that it runs; it is tried again by itself")
}

/// The detail of a server's error holds the values that collided, so only its message is passed on.
pub(super) fn explain(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let text = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if error.is_closed() || text.contains("communicating") {
            return Error::unavailable(format!("the connection to PostgreSQL was lost ({text})"));
        }
        return Error::internal(text);
    };
    let text = format!("{} ({})", db.message(), db.code().code());
    let code = db.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Error::conflict(text);
    }
    if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE {
        return Error::new(
            ErrorKind::Timeout,
            format!("a statement took longer than the statement time-out: {text}"),
        );
    }
    match &code.code()[..2] {
        "23" => Error::new(
            ErrorKind::Constraint {
                name: db.constraint().map(str::to_owned),
            },
            text,
        ),
        "53" => Error::unavailable(format!("PostgreSQL is short of disk, memory or connections: {text}")),
        "08" | "57" | "58" => Error::unavailable(format!("PostgreSQL ended the work: {text}")),
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Error::internal(format!(
            "{text}: a read cannot write, and a standby server cannot either"
        )),
        _ => Error::internal(text),
    }
}
