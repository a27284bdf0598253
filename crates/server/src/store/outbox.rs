//! Mail that waits to be sent. It is queued in the transaction of what it tells of, so that
//! neither happens without the other.

use portolan_db::{WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::error::Result;

/// A message of plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
}

/// Queues a message; it is due at once.
pub fn insert(tx: &mut WriteTx, message: &Message, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO outbox (id, recipient, subject, body, created_at, attempts, next_attempt_at, claimed_until)
         VALUES ($1, $2, $3, $4, $5, 0, $5, 0)",
        params![
            message.id,
            message.recipient.clone(),
            message.subject.clone(),
            message.body.clone(),
            now
        ],
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::MIGRATIONS;

    db_test!(a_message_is_queued_once, MIGRATIONS, |db| {
        let message = Message {
            id: Uuid::from_u128(1),
            recipient: "a@x.org".into(),
            subject: "s".into(),
            body: "b".into(),
        };
        let copy = message.clone();
        db.write_blocking(move |tx| insert(tx, &copy, Timestamp::from_seconds(1)))
            .unwrap();
        assert!(
            db.write_blocking(move |tx| insert(tx, &message, Timestamp::from_seconds(2)))
                .is_err()
        );
    });
}
