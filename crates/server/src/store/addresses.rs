//! Which e-mail address the owner of an identity has proven to read.

use portolan_db::{ReadTx, WriteTx, params};
use portolan_types::{IdentityId, Timestamp};

use crate::error::Result;

/// The address counts for as long as it is the one of the identity.
pub fn verify(tx: &mut WriteTx, id: IdentityId, address: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO verified_addresses (identity_id, address, verified_at) VALUES ($1, $2, $3)
             ON CONFLICT (identity_id) DO UPDATE SET address = $2, verified_at = $3",
        params![id, address, now],
    )?;
    Ok(())
}

/// Whether the present address of the identity is proven.
pub fn is_verified(tx: &mut ReadTx, id: IdentityId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM verified_addresses v JOIN identities i ON i.id = v.identity_id
          WHERE v.identity_id = $1 AND i.email = v.address",
        params![id],
    )?;
    Ok(row.is_some())
}
