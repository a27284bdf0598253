//! Logout tokens that wait to be delivered to clients, and which sessions they are about.

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{AppSessionId, BrowserSessionId, ClientId, IdentityId, Timestamp};
use uuid::Uuid;

use crate::error::Result;

/// The session of a client that wants to be told when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    pub app_session_id: AppSessionId,
    pub client_id: ClientId,
}

impl FromRow for Listener {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            app_session_id: row.take()?,
            client_id: row.take()?,
        })
    }
}

/// Those in a browser session.
pub fn list_listeners(tx: &mut ReadTx, session: BrowserSessionId) -> Result<Vec<Listener>> {
    Ok(tx.fetch_all(
        "SELECT a.id, a.client_id FROM app_sessions a JOIN client_logout l ON l.client_id = a.client_id
          WHERE a.browser_session_id = $1 AND l.backchannel_logout_uri IS NOT NULL
          ORDER BY a.id",
        params![session],
    )?)
}

/// The browsers in which an identity is signed in.
pub fn list_browsers(tx: &mut ReadTx, identity: IdentityId) -> Result<Vec<BrowserSessionId>> {
    let rows: Vec<(BrowserSessionId,)> = tx.fetch_all(
        "SELECT browser_session_id FROM browser_authentications WHERE identity_id = $1 ORDER BY browser_session_id",
        params![identity],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A logout token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The `jti`, the same at each attempt.
    pub id: Uuid,
    pub client_id: ClientId,
    pub subject: Option<IdentityId>,
    pub app_session_id: AppSessionId,
}

pub fn insert(tx: &mut WriteTx, delivery: &Delivery, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO logout_deliveries (id, client_id, subject, app_session_id, created_at, attempts, next_attempt_at, claimed_until)
         VALUES ($1, $2, $3, $4, $5, 0, $5, 0)",
        params![
            delivery.id,
            delivery.client_id,
            delivery.subject,
            delivery.app_session_id,
            now
        ],
    )?;
    Ok(())
}

/// A delivery that this node may try now.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub delivery: Delivery,
    /// This one included.
    pub attempts: i64,
}

impl FromRow for Claimed {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            delivery: Delivery {
                id: row.take()?,
                client_id: row.take()?,
                subject: row.take()?,
                app_session_id: row.take()?,
            },
            attempts: row.take()?,
        })
    }
}

/// Whether anything is due.
pub fn is_due(tx: &mut ReadTx, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM logout_deliveries WHERE next_attempt_at <= $1 AND claimed_until <= $1 LIMIT 1",
        params![now],
    )?;
    Ok(row.is_some())
}

/// Takes what is due for one node, until `until`.
pub fn claim(tx: &mut WriteTx, now: Timestamp, until: Timestamp, limit: i64) -> Result<Vec<Claimed>> {
    Ok(tx.fetch_all(
        "UPDATE logout_deliveries SET claimed_until = $2, attempts = attempts + 1
          WHERE claimed_until <= $1
            AND id IN (SELECT id FROM logout_deliveries
                        WHERE next_attempt_at <= $1 AND claimed_until <= $1
                        ORDER BY next_attempt_at LIMIT $3)
      RETURNING id, client_id, subject, app_session_id, attempts",
        params![now, until, limit],
    )?)
}

/// Delivered or given up.
pub fn delete(tx: &mut WriteTx, id: Uuid) -> Result<()> {
    tx.execute("DELETE FROM logout_deliveries WHERE id = $1", params![id])?;
    Ok(())
}

/// Tries a delivery again later. What else waits for the same client waits as long: a server
/// that does not answer must not hold up the others.
pub fn postpone(tx: &mut WriteTx, delivery: &Delivery, now: Timestamp, delay: Duration) -> Result<()> {
    tx.execute(
        "UPDATE logout_deliveries SET next_attempt_at = $2, claimed_until = 0 WHERE id = $1",
        params![delivery.id, now + delay],
    )?;
    tx.execute(
        "UPDATE logout_deliveries SET next_attempt_at = $2
          WHERE client_id = $1 AND next_attempt_at < $2 AND claimed_until <= $3",
        params![delivery.client_id, now + delay, now],
    )?;
    Ok(())
}
