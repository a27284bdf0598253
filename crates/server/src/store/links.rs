//! One-time links. Only the hash of the link's secret is stored.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityId, Timestamp, TokenHash};

use crate::error::Result;

pub const FIRST_ADMINISTRATOR: &str = "first_administrator";
pub const PASSWORD_RESET: &str = "password_reset";
pub const ADDRESS: &str = "address";
pub const SIGN_UP: &str = "sign_up";

/// What a link was sent for: whose account it concerns, and which address it went to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub identity_id: Option<IdentityId>,
    pub address: String,
}

impl FromRow for Sent {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            identity_id: row.take()?,
            address: row.take()?,
        })
    }
}

pub fn insert(tx: &mut WriteTx, hash: &TokenHash, purpose: &str, now: Timestamp, expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO one_time_links (hash, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        params![*hash, purpose, now, expires_at],
    )?;
    Ok(())
}

pub fn is_live(tx: &mut ReadTx, hash: &TokenHash, purpose: &str, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM one_time_links WHERE hash = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3",
        params![*hash, purpose, now],
    )?;
    Ok(row.is_some())
}

/// Single use: true for exactly one caller.
pub fn consume(tx: &mut WriteTx, hash: &TokenHash, purpose: &str, now: Timestamp) -> Result<bool> {
    let consumed = tx.execute(
        "UPDATE one_time_links SET consumed_at = $3
          WHERE hash = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3",
        params![*hash, purpose, now],
    )?;
    Ok(consumed == 1)
}

/// Earlier links of a purpose end when a new one is made.
pub fn delete_by_purpose(tx: &mut WriteTx, purpose: &str) -> Result<()> {
    tx.execute("DELETE FROM one_time_links WHERE purpose = $1", params![purpose])?;
    Ok(())
}

/// A link that goes to an address.
pub fn insert_sent(
    tx: &mut WriteTx,
    hash: &TokenHash,
    purpose: &str,
    sent: &Sent,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO one_time_links (hash, purpose, identity_id, address, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![*hash, purpose, sent.identity_id, sent.address.clone(), now, expires_at],
    )?;
    Ok(())
}

/// What a live link was sent for.
pub fn find_sent(tx: &mut ReadTx, hash: &TokenHash, purpose: &str, now: Timestamp) -> Result<Option<Sent>> {
    Ok(tx.fetch_optional(
        "SELECT identity_id, address FROM one_time_links
          WHERE hash = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3 AND address IS NOT NULL",
        params![*hash, purpose, now],
    )?)
}

/// Whether a link that was sent for this identity and purpose still works.
pub fn has_live(tx: &mut ReadTx, identity_id: IdentityId, purpose: &str, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM one_time_links
          WHERE identity_id = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3 LIMIT 1",
        params![identity_id, purpose, now],
    )?;
    Ok(row.is_some())
}

/// Links of an identity for this purpose end: one of them was used, or what they are about
/// has changed.
pub fn delete_of(tx: &mut WriteTx, identity_id: IdentityId, purpose: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM one_time_links WHERE identity_id = $1 AND purpose = $2",
        params![identity_id, purpose],
    )?;
    Ok(())
}

/// How many links were made for a purpose since then, whatever became of them.
pub fn count_since(tx: &mut ReadTx, purpose: &str, since: Timestamp) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM one_time_links WHERE purpose = $1 AND created_at > $2",
        params![purpose, since],
    )?)
}
