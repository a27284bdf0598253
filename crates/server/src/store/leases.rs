//! Leases of background jobs: of several nodes one does the work. A node that dies holds
//! its lease only until it runs out, so jobs must bear being done twice.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::error::Result;

/// Takes or extends a lease; true if it is ours now. One statement, so two nodes never both win.
pub fn take(tx: &mut WriteTx, name: &str, holder: Uuid, now: Timestamp, leased_until: Timestamp) -> Result<bool> {
    let taken: Option<(String,)> = tx.fetch_optional(
        "INSERT INTO leases (name, holder, leased_until) VALUES ($1, $2, $4)
             ON CONFLICT (name) DO UPDATE SET holder = $2, leased_until = $4
                WHERE leases.holder = $2 OR leases.leased_until <= $3
         RETURNING name",
        params![name, holder, now, leased_until],
    )?;
    Ok(taken.is_some())
}

/// A lease as the table holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: Uuid,
    pub leased_until: Timestamp,
}

impl FromRow for Lease {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            name: row.take()?,
            holder: row.take()?,
            leased_until: row.take()?,
        })
    }
}

/// Those that were taken, whether or not they have run out.
pub fn list(tx: &mut ReadTx) -> Result<Vec<Lease>> {
    Ok(tx.fetch_all("SELECT name, holder, leased_until FROM leases ORDER BY name", params![])?)
}

/// Lets another node take the lease at once.
pub fn release(tx: &mut WriteTx, name: &str, holder: Uuid) -> Result<()> {
    tx.execute(
        "DELETE FROM leases WHERE name = $1 AND holder = $2",
        params![name, holder],
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::MIGRATIONS;

    db_test!(one_holder_at_a_time, MIGRATIONS, |db| {
        let take = |holder: u128, now: i64| {
            let (now, until) = (Timestamp::from_seconds(now), Timestamp::from_seconds(now + 10));
            db.write_blocking(move |tx| take(tx, "cleanup", Uuid::from_u128(holder), now, until))
                .unwrap()
        };
        assert!(take(1, 100));
        assert!(!take(2, 109), "the lease is held");
        assert!(take(1, 105), "the holder extends it");
        assert!(!take(2, 114));
        assert!(take(2, 115), "it has run out");
        assert!(!take(1, 116));

        let known = db.read_blocking(list).unwrap();
        let held: Vec<(&str, Uuid)> = known.iter().map(|lease| (lease.name.as_str(), lease.holder)).collect();
        assert_eq!(held, [("cleanup", Uuid::from_u128(2))]);
        assert_eq!(known[0].leased_until, Timestamp::from_seconds(125));

        db.write_blocking(|tx| release(tx, "cleanup", Uuid::from_u128(1)))
            .unwrap();
        assert!(!take(1, 117), "only the holder releases it");
        db.write_blocking(|tx| release(tx, "cleanup", Uuid::from_u128(2)))
            .unwrap();
        assert!(take(1, 118));
    });
}
