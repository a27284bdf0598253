//! Forms that are answered by mail only. Whoever filled one in learns nothing from the
//! answer, so nothing is looked up before it is given: a job does that (standards.md AA6).

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::error::Result;

pub const PASSWORD_RESET: &str = "password_reset";
pub const SIGN_UP: &str = "sign_up";

#[derive(Clone, Debug)]
pub struct MailRequest {
    pub id: Uuid,
    pub kind: String,
    pub typed: String,
    pub address: Option<String>,
    /// Tag of the language in which the form was filled in.
    pub language: String,
    pub created_at: Timestamp,
}

impl FromRow for MailRequest {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            kind: row.take()?,
            typed: row.take()?,
            address: row.take()?,
            language: row.take()?,
            created_at: row.take()?,
        })
    }
}

pub fn insert(tx: &mut WriteTx, request: &MailRequest) -> Result<()> {
    tx.execute(
        "INSERT INTO mail_requests (id, kind, typed, address, language, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            request.id,
            request.kind.clone(),
            request.typed.clone(),
            request.address.clone(),
            request.language.clone(),
            request.created_at
        ],
    )?;
    Ok(())
}

/// The oldest first, from after this place in that order.
pub fn list_after(tx: &mut ReadTx, after: (Timestamp, Uuid), limit: i64) -> Result<Vec<MailRequest>> {
    Ok(tx.fetch_all(
        "SELECT id, kind, typed, address, language, created_at FROM mail_requests
          WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3",
        params![after.0, after.1, limit],
    )?)
}

/// Single use: true for the one node that answers it.
pub fn take(tx: &mut WriteTx, id: Uuid) -> Result<bool> {
    Ok(tx.execute("DELETE FROM mail_requests WHERE id = $1", params![id])? == 1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::MIGRATIONS;

    db_test!(a_request_is_answered_once, MIGRATIONS, |db| {
        for number in [2, 1] {
            let request = MailRequest {
                id: Uuid::from_u128(number),
                kind: SIGN_UP.into(),
                typed: "a@x.org".into(),
                address: None,
                language: "de".into(),
                created_at: Timestamp::from_seconds(number as i64),
            };
            db.write_blocking(move |tx| insert(tx, &request)).unwrap();
        }
        let waiting = |after| {
            let listed = db.read_blocking(move |tx| list_after(tx, after, 10)).unwrap();
            listed.iter().map(|request| request.id.as_u128()).collect::<Vec<_>>()
        };
        let listed = db.read_blocking(|tx| list_after(tx, (Timestamp::from_seconds(0), Uuid::nil()), 1));
        assert_eq!(listed.unwrap()[0].language, "de");
        let start = (Timestamp::from_seconds(0), Uuid::nil());
        assert_eq!(waiting(start), [1, 2]);
        assert_eq!(waiting((Timestamp::from_seconds(1), Uuid::from_u128(1))), [2]);

        let id = Uuid::from_u128(1);
        assert!(db.write_blocking(move |tx| take(tx, id)).unwrap());
        assert!(!db.write_blocking(move |tx| take(tx, id)).unwrap());
    });
}
