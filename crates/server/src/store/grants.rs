//! What was ended as a whole: an issuance, a family of refresh tokens, a client's session.
//! One row ends every token that names it, without touching the tokens.

use portolan_db::{ReadTx, WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::error::Result;

pub fn end(tx: &mut WriteTx, id: Uuid, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO ended_grants (id, ended_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        params![id, now],
    )?;
    Ok(())
}

pub fn is_ended(tx: &mut ReadTx, id: Uuid) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional("SELECT 1 FROM ended_grants WHERE id = $1", params![id])?;
    Ok(row.is_some())
}
