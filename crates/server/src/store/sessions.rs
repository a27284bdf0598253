//! Browser sessions (one cookie each), their authentications, and the sessions of clients
//! in them, which tokens name.

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, IntoValue, Query, ReadTx, Row, WriteTx, params};
use portolan_types::{AppSessionId, BrowserSessionId, ClientId, IdentityId, IdentityProviderId, Timestamp, TokenHash};

use super::in_list;
use crate::error::Result;

#[derive(Clone, Debug)]
pub struct BrowserSession {
    pub id: BrowserSessionId,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

impl FromRow for BrowserSession {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            last_seen_at: row.take()?,
            expires_at: row.take()?,
        })
    }
}

/// What is kept of a browser: for its person, and for the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Browser {
    pub id: BrowserSessionId,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// When the session began.
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

impl FromRow for Browser {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            last_seen_at: row.take()?,
            expires_at: row.take()?,
            ended_at: row.take()?,
            address: row.take()?,
            user_agent: row.take()?,
        })
    }
}

/// The session of a client in a browser.
#[derive(Clone, Debug, PartialEq)]
pub struct AppSession {
    pub id: AppSessionId,
    pub browser_session_id: BrowserSessionId,
    pub client_id: ClientId,
}

impl FromRow for AppSession {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            browser_session_id: row.take()?,
            client_id: row.take()?,
        })
    }
}

/// That an identity authenticated, when and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentication {
    pub identity_id: IdentityId,
    pub provider_id: IdentityProviderId,
    pub authenticated_at: Timestamp,
    pub acr: Option<String>,
    amr: Option<String>,
    /// The provider did not say when it was: the time is that of its answer.
    pub undated: bool,
}

impl FromRow for Authentication {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            identity_id: row.take()?,
            provider_id: row.take()?,
            authenticated_at: row.take()?,
            acr: row.take()?,
            amr: row.take()?,
            undated: row.take()?,
        })
    }
}

impl Authentication {
    /// From a LEFT JOIN, which may have found none.
    pub(super) fn of_outer_join(row: &mut Row) -> Result<Option<Self>, DbError> {
        let (identity_id, provider_id, authenticated_at) = (row.take()?, row.take()?, row.take()?);
        let (acr, amr, undated) = (row.take()?, row.take()?, row.take()?);
        Ok(match (identity_id, provider_id, authenticated_at, undated) {
            (Some(identity_id), Some(provider_id), Some(authenticated_at), Some(undated)) => Some(Self {
                identity_id,
                provider_id,
                authenticated_at,
                acr,
                amr,
                undated,
            }),
            _ => None,
        })
    }

    pub fn new(identity_id: IdentityId, provider_id: IdentityProviderId, at: Timestamp, amr: &[&str]) -> Self {
        Self {
            identity_id,
            provider_id,
            authenticated_at: at,
            acr: None,
            amr: Some(serde_json::json!(amr).to_string()),
            undated: false,
        }
    }

    /// When it was, if that is known. The time of an answer that does not tell would pass for
    /// that of a recent sign-in.
    pub fn known_at(&self) -> Option<Timestamp> {
        (!self.undated).then_some(self.authenticated_at)
    }

    /// Whether it is known to be at most so old: the one question that every demand for a
    /// recent sign-in comes down to.
    pub fn is_within(&self, limit: Duration, now: Timestamp) -> bool {
        !self.undated && now.since(self.authenticated_at) <= limit
    }

    pub fn with_acr(mut self, acr: Option<String>) -> Self {
        self.acr = acr;
        self
    }

    pub fn amr(&self) -> Option<Vec<String>> {
        self.amr.as_deref().map(super::json_list)
    }

    /// The same, showing neither two factors nor a class of login.
    pub fn without_mfa(mut self) -> Self {
        if let Some(mut methods) = self.amr() {
            methods.retain(|method| method != "mfa");
            self.amr = Some(serde_json::json!(methods).to_string());
        }
        self.acr = None;
        self
    }
}

/// The live session behind a cookie.
pub fn find(tx: &mut ReadTx, cookie: &TokenHash, now: Timestamp, idle: Duration) -> Result<Option<BrowserSession>> {
    Ok(tx.fetch_optional(
        "SELECT id, last_seen_at, expires_at FROM browser_sessions
          WHERE cookie_hash = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3",
        params![*cookie, now, now - idle],
    )?)
}

pub fn insert(
    tx: &mut WriteTx,
    id: BrowserSessionId,
    cookie: &TokenHash,
    now: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
    user_agent: Option<String>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO browser_sessions (id, cookie_hash, created_at, last_seen_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6)",
        params![id, *cookie, now, expires_at, address, user_agent],
    )?;
    Ok(())
}

/// How often the idle clock moves at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// The session was used: its idle time begins anew.
pub fn touch(tx: &mut WriteTx, id: BrowserSessionId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE browser_sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $3",
        params![id, now, now - SEEN_EVERY],
    )?;
    Ok(())
}

/// The same for a session that was just looked up: most often there is nothing to do.
pub fn touch_found(tx: &mut WriteTx, session: &BrowserSession, now: Timestamp) -> Result<()> {
    if session.last_seen_at < now - SEEN_EVERY {
        touch(tx, session.id, now)?;
    }
    Ok(())
}

/// A new cookie for the same session: at each authentication, against fixation.
pub fn rotate(
    tx: &mut WriteTx,
    id: BrowserSessionId,
    cookie: &TokenHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE browser_sessions SET cookie_hash = $2, last_seen_at = $3, expires_at = $4 WHERE id = $1",
        params![id, *cookie, now, expires_at],
    )?;
    Ok(())
}

pub fn end(tx: &mut WriteTx, id: BrowserSessionId, now: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM browser_authentications WHERE browser_session_id = $1",
        params![id],
    )?;
    tx.execute(
        "DELETE FROM authorization_requests WHERE browser_session_id = $1",
        params![id],
    )?;
    tx.execute(
        "UPDATE browser_sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
        params![id, now],
    )?;
    Ok(())
}

/// Signs the identity out everywhere: after its account was disabled or its password reset.
pub fn delete_authentications_of(tx: &mut WriteTx, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "DELETE FROM browser_authentications WHERE identity_id = $1",
        params![identity_id],
    )?;
    Ok(())
}

/// Takes an identity out of the sessions of all clients.
pub fn delete_session_authentications_of(tx: &mut WriteTx, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "DELETE FROM session_authentications WHERE identity_id = $1",
        params![identity_id],
    )?;
    Ok(())
}

/// The sessions of clients in which this identity and no other one has authenticated.
pub fn list_app_sessions_of_alone(tx: &mut ReadTx, identity_id: IdentityId) -> Result<Vec<AppSessionId>> {
    let rows: Vec<(AppSessionId,)> = tx.fetch_all(
        "SELECT a.app_session_id FROM session_authentications a
          WHERE a.identity_id = $1
            AND NOT EXISTS (SELECT 1 FROM session_authentications o
                             WHERE o.app_session_id = a.app_session_id AND o.identity_id <> $1)",
        params![identity_id],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Ends every session of a client and of its instances, in whatever browser, and with it
/// every token that names one. The client gets another session next time.
pub fn end_all_of_client(tx: &mut WriteTx, client_id: ClientId, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO ended_grants (id, ended_at)
         SELECT id, cast($2 AS BIGINT) FROM app_sessions
          WHERE client_id IN (SELECT id FROM clients WHERE id = $1 UNION ALL
                              SELECT id FROM clients WHERE parent_client_id = $1 AND is_instance = 1)
             ON CONFLICT (id) DO NOTHING",
        params![client_id, now],
    )?;
    tx.execute(
        "DELETE FROM app_sessions
          WHERE client_id IN (SELECT id FROM clients WHERE id = $1 UNION ALL
                              SELECT id FROM clients WHERE parent_client_id = $1 AND is_instance = 1)",
        params![client_id],
    )?;
    Ok(())
}

/// Identities of a provider that are or were signed in somewhere.
pub fn list_identities_of_provider(tx: &mut ReadTx, provider: IdentityProviderId) -> Result<Vec<IdentityId>> {
    let rows: Vec<(IdentityId,)> = tx.fetch_all(
        "SELECT identity_id FROM browser_authentications
          WHERE identity_id IN (SELECT id FROM identities WHERE identity_provider_id = $1)
          UNION
         SELECT identity_id FROM session_authentications
          WHERE identity_id IN (SELECT id FROM identities WHERE identity_provider_id = $1)",
        params![provider],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// No token names it any more: the client gets another one next time.
pub fn delete_app_session(tx: &mut WriteTx, id: AppSessionId) -> Result<()> {
    tx.execute("DELETE FROM app_sessions WHERE id = $1", params![id])?;
    Ok(())
}

/// The newest first.
pub fn list_authentications(tx: &mut ReadTx, id: BrowserSessionId) -> Result<Vec<Authentication>> {
    Ok(tx.fetch_all(
        "SELECT identity_id, identity_provider_id, authenticated_at, acr, amr, undated
           FROM browser_authentications WHERE browser_session_id = $1 ORDER BY authenticated_at DESC, identity_id",
        params![id],
    )?)
}

pub fn upsert_authentication(tx: &mut WriteTx, id: BrowserSessionId, authentication: &Authentication) -> Result<()> {
    tx.execute(
        "INSERT INTO browser_authentications (browser_session_id, identity_id, identity_provider_id, authenticated_at,
                                              acr, amr, undated)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (browser_session_id, identity_id)
             DO UPDATE SET authenticated_at = $4, acr = $5, amr = $6, undated = $7",
        params![
            id,
            authentication.identity_id,
            authentication.provider_id,
            authentication.authenticated_at,
            authentication.acr.clone(),
            authentication.amr.clone(),
            authentication.undated
        ],
    )?;
    Ok(())
}

/// Whether somebody outside of the identity set was signed in to the session: still is, or
/// left traces in the sessions of clients that it opened.
pub fn was_used_by_others(tx: &mut ReadTx, id: BrowserSessionId, identity_id: IdentityId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM browser_authentications
          WHERE browser_session_id = $1
            AND identity_id NOT IN (SELECT id FROM identities WHERE set_id = (SELECT set_id FROM identities WHERE id = $2))
          UNION ALL
         SELECT 1 FROM app_sessions
           JOIN session_authentications ON session_authentications.app_session_id = app_sessions.id
          WHERE app_sessions.browser_session_id = $1
            AND session_authentications.identity_id NOT IN (SELECT id FROM identities WHERE set_id = (SELECT set_id FROM identities WHERE id = $2))
          LIMIT 1",
        params![id, identity_id],
    )?;
    Ok(row.is_some())
}

/// The session of a client in a browser; made when it is first needed. `new_id` is used then.
pub fn upsert_app_session(
    tx: &mut WriteTx,
    new_id: AppSessionId,
    browser_session_id: BrowserSessionId,
    client_id: ClientId,
    now: Timestamp,
    token_expires_at: Timestamp,
) -> Result<AppSessionId> {
    let (id,): (AppSessionId,) = tx.fetch_one(
        "INSERT INTO app_sessions (id, browser_session_id, client_id, created_at, token_expires_at)
         VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (browser_session_id, client_id) DO UPDATE SET token_expires_at = $5
         RETURNING id",
        params![new_id, browser_session_id, client_id, now, token_expires_at],
    )?;
    Ok(id)
}

/// Keeps the session for as long as a refreshed token names it.
pub fn extend_app_session(tx: &mut WriteTx, id: AppSessionId, token_expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app_sessions SET token_expires_at = $2 WHERE id = $1 AND token_expires_at < $2",
        params![id, token_expires_at],
    )?;
    Ok(())
}

/// Copies the browser's authentications into the client's session. A row that says the same already is left as it is.
pub fn copy_authentications(tx: &mut WriteTx, id: AppSessionId, authentications: &[Authentication]) -> Result<()> {
    for authentication in authentications {
        tx.defer(
            "INSERT INTO session_authentications AS known (app_session_id, identity_id, identity_provider_id,
                                                           authenticated_at, acr, amr, undated)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (app_session_id, identity_id)
                 DO UPDATE SET authenticated_at = $4, acr = $5, amr = $6, undated = $7
                     WHERE known.authenticated_at <> $4 OR known.acr IS DISTINCT FROM $5
                        OR known.amr IS DISTINCT FROM $6 OR known.undated <> $7",
            params![
                id,
                authentication.identity_id,
                authentication.provider_id,
                authentication.authenticated_at,
                authentication.acr.clone(),
                authentication.amr.clone(),
                authentication.undated
            ],
        )?;
    }
    Ok(())
}

pub fn list_session_authentications(tx: &mut ReadTx, id: AppSessionId) -> Result<Vec<Authentication>> {
    Ok(tx.fetch(&session_authentications(Some(id)))?)
}

/// The same to be asked together with others; without a session there are none.
pub fn session_authentications(id: Option<AppSessionId>) -> Query<Authentication> {
    Query::new(
        "SELECT identity_id, identity_provider_id, authenticated_at, acr, amr, undated
           FROM session_authentications WHERE app_session_id = $1 ORDER BY identity_id",
        params![id],
    )
}

/// The browsers in which one of these identities is signed in.
pub fn list_ids_by_identities(tx: &mut ReadTx, identities: &[IdentityId]) -> Result<Vec<BrowserSessionId>> {
    let mut params = Vec::new();
    let list = in_list(&mut params, identities.iter().map(|id| id.into_value()));
    let rows: Vec<(BrowserSessionId,)> = tx.fetch_all(
        &format!("SELECT DISTINCT browser_session_id FROM browser_authentications WHERE identity_id IN ({list})"),
        &params,
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The sessions of clients that one of these identities opened, as far as they were not
/// ended and tokens may still name them.
pub fn list_app_sessions_by_identities(
    tx: &mut ReadTx,
    now: Timestamp,
    identities: &[IdentityId],
) -> Result<Vec<AppSession>> {
    let mut params = vec![now.into_value()];
    let list = in_list(&mut params, identities.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "SELECT DISTINCT p.id, p.browser_session_id, p.client_id
               FROM session_authentications a
               JOIN app_sessions p ON p.id = a.app_session_id
              WHERE p.token_expires_at > $1 AND a.identity_id IN ({list})
                AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = p.id)"
        ),
        &params,
    )?)
}

/// The last seen first. Sessions that have ended stay for a while.
pub fn list_browsers(tx: &mut ReadTx, ids: &[BrowserSessionId]) -> Result<Vec<Browser>> {
    let mut params = Vec::new();
    let list = in_list(&mut params, ids.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "SELECT id, last_seen_at, expires_at, ended_at, address, user_agent
               FROM browser_sessions WHERE id IN ({list}) ORDER BY last_seen_at DESC, id"
        ),
        &params,
    )?)
}

/// The sessions of clients in a browser, whoever opened them.
pub fn list_app_sessions(tx: &mut ReadTx, id: BrowserSessionId) -> Result<Vec<AppSession>> {
    Ok(tx.fetch_all(
        "SELECT id, browser_session_id, client_id FROM app_sessions WHERE browser_session_id = $1 ORDER BY id",
        params![id],
    )?)
}
