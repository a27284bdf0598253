//! One-time links. Only the hash of the link's secret is stored.

use portolan_db::{ReadTx, WriteTx, params};
use portolan_types::{Timestamp, TokenHash};

use crate::error::Result;

pub const FIRST_ADMINISTRATOR: &str = "first_administrator";

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
