//! Mail that waits to be sent. It is queued in the transaction of what it tells of, so that
//! neither happens without the other. Finished rows stay a day: limits count them.

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::error::Result;

/// Messages that the server sends by itself to the owner of a local account.
pub const NOTICE: &str = "notice";
/// The same to an address that another identity provider tells.
pub const OUTSIDE: &str = "outside";
/// To an address that was named as the contact of a project.
pub const CONTACT: &str = "contact";
/// Messages with a link that somebody asked for, perhaps not the owner of the address.
/// Whoever did waits for it.
pub const LINK: &str = "link";

/// A message of plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: Uuid,
    pub kind: &'static str,
    /// What a link is for, as `links` names it; empty for notices. Limits count by it.
    pub purpose: &'static str,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// Sealed: whoever reads the table cannot follow it.
    pub sealed_link: Option<Vec<u8>>,
    pub expires_at: Timestamp,
}

/// A message that this node may send now.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub sealed_link: Option<Vec<u8>>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// This attempt included.
    pub attempts: i64,
}

impl FromRow for Claimed {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            recipient: row.take()?,
            subject: row.take()?,
            body: row.take()?,
            sealed_link: row.take()?,
            created_at: row.take()?,
            expires_at: row.take()?,
            attempts: row.take()?,
        })
    }
}

/// Queues a message; it is due at once.
pub fn insert(tx: &mut WriteTx, message: &Message, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO outbox (id, kind, recipient, recipient_key, subject, body, sealed_link, created_at, expires_at,
                             purpose, attempts, next_attempt_at, claimed_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $8, 0)",
        params![
            message.id,
            message.kind,
            message.recipient.clone(),
            message.recipient.to_lowercase(),
            message.subject.clone(),
            message.body.clone(),
            message.sealed_link.clone(),
            now,
            message.expires_at,
            message.purpose
        ],
    )?;
    Ok(())
}

/// How many messages of a kind and purpose were queued for a recipient since then.
pub fn count_since(tx: &mut ReadTx, recipient: &str, kind: &str, purpose: &str, since: Timestamp) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM outbox WHERE recipient_key = $1 AND created_at > $2 AND kind = $3 AND purpose = $4",
        params![recipient.to_lowercase(), since, kind, purpose],
    )?)
}

/// How many messages wait.
pub fn count_waiting(tx: &mut ReadTx) -> Result<i64> {
    Ok(tx.fetch_one("SELECT count(*) FROM outbox WHERE finished_at IS NULL", params![])?)
}

/// Whether anything is due.
pub fn is_due(tx: &mut ReadTx, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM outbox WHERE finished_at IS NULL AND next_attempt_at <= $1 AND claimed_until <= $1 LIMIT 1",
        params![now],
    )?;
    Ok(row.is_some())
}

/// Takes the message that should go next for one node, until `until`: of several nodes each
/// message goes to one. Links go before everything else. None also if another node was quicker.
pub fn claim(tx: &mut WriteTx, now: Timestamp, until: Timestamp) -> Result<Option<Claimed>> {
    let link = tx.fetch_optional(
        "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
          WHERE finished_at IS NULL AND next_attempt_at <= $1 AND claimed_until <= $1
            AND id = (SELECT id FROM outbox
                       WHERE kind = $3 AND finished_at IS NULL AND next_attempt_at <= $1 AND claimed_until <= $1
                       ORDER BY next_attempt_at LIMIT 1)
      RETURNING id, recipient, subject, body, sealed_link, created_at, expires_at, attempts",
        params![now, until, LINK],
    )?;
    if link.is_some() {
        return Ok(link);
    }
    Ok(tx.fetch_optional(
        "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
          WHERE finished_at IS NULL AND next_attempt_at <= $1 AND claimed_until <= $1
            AND id = (SELECT id FROM outbox
                       WHERE finished_at IS NULL AND next_attempt_at <= $1 AND claimed_until <= $1
                       ORDER BY next_attempt_at LIMIT 1)
      RETURNING id, recipient, subject, body, sealed_link, created_at, expires_at, attempts",
        params![now, until],
    )?)
}

/// Handed over or given up: what it said is forgotten.
pub fn finish(tx: &mut WriteTx, id: Uuid, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE outbox SET finished_at = $2, body = '', sealed_link = NULL WHERE id = $1",
        params![id, now],
    )?;
    Ok(())
}

pub fn postpone(tx: &mut WriteTx, id: Uuid, now: Timestamp, delay: Duration) -> Result<()> {
    tx.execute(
        "UPDATE outbox SET next_attempt_at = $2, claimed_until = 0 WHERE id = $1",
        params![id, now + delay],
    )?;
    Ok(())
}

/// The sealed links, for a change of the master key.
pub fn list_sealed(tx: &mut ReadTx) -> Result<Vec<(Uuid, Vec<u8>)>> {
    Ok(tx.fetch_all(
        "SELECT id, sealed_link FROM outbox WHERE finished_at IS NULL AND sealed_link IS NOT NULL",
        params![],
    )?)
}

pub fn update_sealed(tx: &mut WriteTx, id: Uuid, sealed: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE outbox SET sealed_link = $2 WHERE id = $1 AND sealed_link IS NOT NULL",
        params![id, sealed.to_vec()],
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::{Db, db_test};

    use super::*;
    use crate::store::MIGRATIONS;

    const NOW: Timestamp = Timestamp::from_seconds(1000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn message(number: u128) -> Message {
        Message {
            id: Uuid::from_u128(number),
            kind: LINK,
            purpose: "sign_up",
            recipient: "A@x.org".into(),
            subject: "s".into(),
            body: "b {link}".into(),
            sealed_link: Some(vec![1]),
            expires_at: NOW + 10 * MINUTE,
        }
    }

    fn queue(db: &Db, number: u128) {
        db.write_blocking(move |tx| insert(tx, &message(number), NOW)).unwrap();
    }

    db_test!(a_message_is_queued_once, MIGRATIONS, |db| {
        queue(db, 1);
        assert!(
            db.write_blocking(move |tx| insert(tx, &message(1), NOW + MINUTE))
                .is_err()
        );
    });

    db_test!(
        a_message_is_claimed_by_one_node_until_its_time_is_over,
        MIGRATIONS,
        |db| {
            queue(db, 1);
            queue(db, 2);
            let claim_at = |now: Timestamp| db.write_blocking(move |tx| claim(tx, now, now + MINUTE)).unwrap();
            assert!(db.read_blocking(|tx| is_due(tx, NOW)).unwrap());

            let (first, second) = (claim_at(NOW).unwrap(), claim_at(NOW).unwrap());
            assert_ne!(first.id, second.id);
            assert!(claim_at(NOW).is_none());
            assert!(!db.read_blocking(|tx| is_due(tx, NOW)).unwrap());

            let again = [claim_at(NOW + MINUTE).unwrap(), claim_at(NOW + MINUTE).unwrap()];
            assert_eq!(again.map(|message| message.attempts), [2, 2]);
        }
    );

    db_test!(a_link_goes_before_notices_that_have_waited_longer, MIGRATIONS, |db| {
        for number in 1..=20 {
            let notice = Message {
                kind: NOTICE,
                purpose: "",
                sealed_link: None,
                ..message(number)
            };
            db.write_blocking(move |tx| insert(tx, &notice, NOW)).unwrap();
        }
        let later = NOW + MINUTE;
        db.write_blocking(move |tx| insert(tx, &message(100), later)).unwrap();
        let next = |now| {
            db.write_blocking(move |tx| claim(tx, now, now + MINUTE))
                .unwrap()
                .unwrap()
        };

        assert!(next(NOW).id < Uuid::from_u128(100), "the link is not due yet");
        assert_eq!(next(later).id, Uuid::from_u128(100));
        assert!(next(later).id < Uuid::from_u128(100));
    });

    db_test!(
        what_is_finished_is_counted_and_says_nothing_any_more,
        MIGRATIONS,
        |db| {
            queue(db, 1);
            queue(db, 2);
            db.write_blocking(|tx| postpone(tx, Uuid::from_u128(2), NOW, MINUTE))
                .unwrap();
            assert_eq!(db.read_blocking(list_sealed).unwrap().len(), 2);
            db.write_blocking(|tx| finish(tx, Uuid::from_u128(1), NOW)).unwrap();
            db.write_blocking(|tx| update_sealed(tx, Uuid::from_u128(1), &[9]))
                .unwrap();
            db.write_blocking(|tx| update_sealed(tx, Uuid::from_u128(2), &[9]))
                .unwrap();

            assert_eq!(db.read_blocking(list_sealed).unwrap(), [(Uuid::from_u128(2), vec![9])]);
            assert_eq!(db.read_blocking(count_waiting).unwrap(), 1);
            let count = |kind, purpose, since| {
                db.read_blocking(move |tx| count_since(tx, "a@X.org", kind, purpose, since))
                    .unwrap()
            };
            let before = NOW - MINUTE;
            assert_eq!((count(LINK, "sign_up", before), count(LINK, "sign_up", NOW)), (2, 0));
            assert_eq!((count(NOTICE, "", before), count(LINK, "address", before)), (0, 0));
            assert!(!db.read_blocking(|tx| is_due(tx, NOW)).unwrap());
            assert!(db.read_blocking(|tx| is_due(tx, NOW + MINUTE)).unwrap());
        }
    );
}
