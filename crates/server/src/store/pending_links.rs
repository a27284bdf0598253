//! Links of identities that wait for their second proof or for the last word of the person.
//! Bound to the browser session that began them; one for each.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{BrowserSessionId, IdentityId, Timestamp};
use uuid::Uuid;

use super::sessions::Authentication;
use crate::error::Result;

#[derive(Clone, Debug)]
pub struct PendingLink {
    pub id: Uuid,
    /// Who was signed in when it began.
    pub identity_id: IdentityId,
    /// The authorization request that waits for it.
    pub request_id: Option<Uuid>,
    /// The way back to the app that sent the person, as a query.
    pub came_from: String,
    pub expires_at: Timestamp,
}

impl FromRow for PendingLink {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            identity_id: row.take()?,
            request_id: row.take()?,
            came_from: row.take()?,
            expires_at: row.take()?,
        })
    }
}

/// Begins a link; an earlier one of the browser gives way.
pub fn insert(tx: &mut WriteTx, link: &PendingLink, browser: BrowserSessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM pending_links WHERE browser_session_id = $1",
        params![browser],
    )?;
    tx.execute(
        "INSERT INTO pending_links (id, browser_session_id, identity_id, request_id, came_from, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            link.id,
            browser,
            link.identity_id,
            link.request_id,
            &link.came_from,
            link.expires_at
        ],
    )?;
    Ok(())
}

/// Of this browser only: the id from elsewhere is worth nothing.
pub fn find(tx: &mut ReadTx, id: Uuid, browser: BrowserSessionId, now: Timestamp) -> Result<Option<PendingLink>> {
    Ok(tx.fetch_optional(
        "SELECT id, identity_id, request_id, came_from, expires_at
           FROM pending_links WHERE id = $1 AND browser_session_id = $2 AND expires_at > $3",
        params![id, browser, now],
    )?)
}

/// What was proven for it, if that has happened.
pub fn find_proven(tx: &mut ReadTx, id: Uuid) -> Result<Option<Authentication>> {
    Ok(tx.fetch_optional(
        "SELECT p.other_id, i.identity_provider_id, p.proven_at, p.acr, p.amr, p.undated
           FROM pending_links p JOIN identities i ON i.id = p.other_id
          WHERE p.id = $1 AND p.proven_at IS NOT NULL",
        params![id],
    )?)
}

/// Keeps the second proof; a later one takes its place. False if the link does not wait any more.
pub fn prove(
    tx: &mut WriteTx,
    id: Uuid,
    browser: BrowserSessionId,
    proven: &Authentication,
    now: Timestamp,
) -> Result<bool> {
    let proven = tx.execute(
        "UPDATE pending_links SET other_id = $3, proven_at = $4, acr = $5, amr = $6, undated = $7
          WHERE id = $1 AND browser_session_id = $2 AND expires_at > $8",
        params![
            id,
            browser,
            proven.identity_id,
            proven.authenticated_at,
            proven.acr.clone(),
            proven.amr().map(|amr| serde_json::json!(amr).to_string()),
            proven.undated,
            now
        ],
    )?;
    Ok(proven == 1)
}

/// Nothing that this identity began or proved is finished any more.
pub fn delete_of(tx: &mut WriteTx, identity_id: IdentityId) -> Result<()> {
    tx.execute("DELETE FROM pending_links WHERE identity_id = $1", params![identity_id])?;
    tx.execute("DELETE FROM pending_links WHERE other_id = $1", params![identity_id])?;
    Ok(())
}

/// Single use: true for the one caller who finishes or gives up the link.
pub fn consume(tx: &mut WriteTx, id: Uuid, browser: BrowserSessionId) -> Result<bool> {
    let consumed = tx.execute(
        "DELETE FROM pending_links WHERE id = $1 AND browser_session_id = $2",
        params![id, browser],
    )?;
    Ok(consumed == 1)
}
