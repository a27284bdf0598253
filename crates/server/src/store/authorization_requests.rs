//! Parked authorization requests: validated parameters that wait while the person logs in
//! or decides. Bound to the browser session that made them.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{BrowserSessionId, ClientId, IdentityId, Timestamp};
use uuid::Uuid;

use crate::error::Result;

/// The most that may wait in one browser; the oldest give way.
pub const PER_BROWSER: i64 = 20;
/// The most that may wait in all.
pub const IN_ALL: i64 = 100_000;

#[derive(Clone, Debug)]
pub struct Parked {
    pub id: Uuid,
    pub client_id: ClientId,
    /// JSON of `domain::authorization::AuthorizationRequest`.
    pub parameters: String,
    pub parked_at: Timestamp,
    /// The login that this request asked for has happened.
    pub authenticated_at: Option<Timestamp>,
    /// The person has seen a page of this request.
    pub page_shown: bool,
    /// `allow` or `deny` from the consent page, `continue` from the shorter one.
    pub decision: Option<String>,
    /// Who logged in for this request, in this order.
    pub logins: Vec<IdentityId>,
}

impl FromRow for Parked {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            client_id: row.take()?,
            parameters: row.take()?,
            parked_at: row.take()?,
            authenticated_at: row.take()?,
            page_shown: row.take()?,
            decision: row.take()?,
            logins: logins(row.take()?),
        })
    }
}

/// Ids separated by spaces; written by [`mark_authenticated`].
fn logins(text: Option<String>) -> Vec<IdentityId> {
    let text = text.unwrap_or_default();
    text.split(' ').filter_map(|id| id.parse().ok()).collect()
}

/// Of this browser only: a request id from elsewhere is worth nothing.
pub fn find(tx: &mut ReadTx, id: Uuid, browser: BrowserSessionId, now: Timestamp) -> Result<Option<Parked>> {
    Ok(tx.fetch_optional(
        "SELECT id, client_id, parameters, parked_at, authenticated_at, page_shown, decision, logged_in
           FROM authorization_requests WHERE id = $1 AND browser_session_id = $2 AND expires_at > $3",
        params![id, browser, now],
    )?)
}

/// Parks a request; false if too many wait already.
pub fn insert(tx: &mut WriteTx, parked: &Parked, browser: BrowserSessionId, expires_at: Timestamp) -> Result<bool> {
    let (waiting,): (i64,) = tx.fetch_one(
        "SELECT count(*) FROM (SELECT 1 FROM authorization_requests LIMIT 100000) AS waiting",
        params![],
    )?;
    if waiting >= IN_ALL {
        return Ok(false);
    }
    tx.execute(
        "DELETE FROM authorization_requests
          WHERE browser_session_id = $1
            AND id NOT IN (SELECT id FROM authorization_requests WHERE browser_session_id = $1
                            ORDER BY parked_at DESC, id LIMIT $2)",
        params![browser, PER_BROWSER - 1],
    )?;
    tx.execute(
        "INSERT INTO authorization_requests (id, browser_session_id, client_id, parameters, parked_at,
                                             authenticated_at, page_shown, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            parked.id,
            browser,
            parked.client_id,
            &parked.parameters,
            parked.parked_at,
            parked.authenticated_at,
            parked.page_shown,
            expires_at
        ],
    )?;
    Ok(true)
}

/// Somebody logged in for the request.
pub fn mark_authenticated(tx: &mut WriteTx, id: Uuid, identity: IdentityId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE authorization_requests
            SET authenticated_at = $2, page_shown = 1, logged_in = coalesce(logged_in || ' ', '') || $3
          WHERE id = $1",
        params![id, now, identity.to_string()],
    )?;
    Ok(())
}

/// The person's answer to a page of the request.
pub fn decide(tx: &mut WriteTx, id: Uuid, decision: &str) -> Result<()> {
    tx.execute(
        "UPDATE authorization_requests SET decision = $2, page_shown = 1 WHERE id = $1",
        params![id, decision],
    )?;
    Ok(())
}

/// The requests of a browser go on in another session of it.
pub fn move_all(tx: &mut WriteTx, from: BrowserSessionId, to: BrowserSessionId) -> Result<()> {
    tx.execute(
        "UPDATE authorization_requests SET browser_session_id = $2 WHERE browser_session_id = $1",
        params![from, to],
    )?;
    Ok(())
}

/// Single use: true for the one caller who answers the request.
pub fn consume(tx: &mut WriteTx, id: Uuid) -> Result<bool> {
    Ok(tx.execute("DELETE FROM authorization_requests WHERE id = $1", params![id])? == 1)
}
