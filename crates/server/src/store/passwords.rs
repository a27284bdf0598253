//! Passwords of local accounts, as argon2id hashes, and the counters of failed attempts.

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx, params};
use portolan_types::{IdentityId, Timestamp};

use crate::error::Result;

pub fn find(tx: &mut ReadTx, identity_id: IdentityId) -> Result<Option<String>> {
    let row: Option<(String,)> = tx.fetch_optional(
        "SELECT hash FROM passwords WHERE identity_id = $1",
        params![identity_id],
    )?;
    Ok(row.map(|(hash,)| hash))
}

pub fn upsert(tx: &mut WriteTx, identity_id: IdentityId, hash: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO passwords (identity_id, hash, changed_at) VALUES ($1, $2, $3)
             ON CONFLICT (identity_id) DO UPDATE SET hash = $2, changed_at = $3",
        params![identity_id, hash, now],
    )?;
    Ok(())
}

/// Another password in place of this one; false if it is no longer that.
pub fn replace(tx: &mut WriteTx, identity_id: IdentityId, old: &str, hash: &str, now: Timestamp) -> Result<bool> {
    let replaced = tx.execute(
        "UPDATE passwords SET hash = $3, changed_at = $4 WHERE identity_id = $1 AND hash = $2",
        params![identity_id, old, hash, now],
    )?;
    Ok(replaced == 1)
}

/// A stronger hash of the same password: the time of change stays. Nothing happens if the
/// password was changed meanwhile.
pub fn update_hash(tx: &mut WriteTx, identity_id: IdentityId, old: &str, hash: &str) -> Result<()> {
    tx.execute(
        "UPDATE passwords SET hash = $3 WHERE identity_id = $1 AND hash = $2",
        params![identity_id, old, hash],
    )?;
    Ok(())
}

/// Until when attempts under this name are refused unseen, and how many have failed.
pub fn find_failures(tx: &mut ReadTx, name: &str) -> Result<Option<(i64, Timestamp)>> {
    Ok(tx.fetch_optional(
        "SELECT failures, blocked_until FROM failure_counters WHERE name = $1",
        params![name],
    )?)
}

/// Counts one failed attempt and returns the number so far.
pub fn count_failure(tx: &mut WriteTx, name: &str, now: Timestamp) -> Result<i64> {
    Ok(tx.fetch_one(
        "INSERT INTO failure_counters (name, failures, blocked_until, last_failed_at) VALUES ($1, 1, 0, $2)
             ON CONFLICT (name) DO UPDATE SET failures = failure_counters.failures + 1, last_failed_at = $2
         RETURNING failures",
        params![name, now],
    )?)
}

pub fn block(tx: &mut WriteTx, name: &str, now: Timestamp, delay: Duration) -> Result<()> {
    tx.execute(
        "UPDATE failure_counters SET blocked_until = $2 WHERE name = $1",
        params![name, now + delay],
    )?;
    Ok(())
}

pub fn clear_failures(tx: &mut WriteTx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM failure_counters WHERE name = $1", params![name])?;
    Ok(())
}
