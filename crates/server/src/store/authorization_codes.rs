//! Authorization codes. Only hashes are stored; a code works once.

use portolan_db::{Error as DbError, FromRow, Query, Row, WriteTx, params};
use portolan_types::id::IssuanceId;
use portolan_types::{AppSessionId, ClientId, ConsentId, IdentityId, Timestamp, TokenHash};

use crate::error::Result;

#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    pub hash: TokenHash,
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub issuance_id: IssuanceId,
    pub app_session_id: AppSessionId,
    pub redirect_uri: String,
    pub code_challenge: Option<String>,
    /// Requested top-level names in their order.
    pub scope: String,
    granted: String,
    pub offline: bool,
    pub nonce: Option<String>,
    pub state: Option<String>,
    pub auth_time: Timestamp,
    /// `max_age` was asked for; kept for the ID token (OpenID Connect Core 3.1.2.1).
    pub auth_time_requested: bool,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    /// The account is as it was when the code was issued: tokens for it would be active.
    pub person_stands: bool,
}

impl FromRow for AuthorizationCode {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            hash: row.take()?,
            client_id: row.take()?,
            identity_id: row.take()?,
            identity_generation: row.take()?,
            issuance_id: row.take()?,
            app_session_id: row.take()?,
            redirect_uri: row.take()?,
            code_challenge: row.take()?,
            scope: row.take()?,
            granted: row.take()?,
            offline: row.take()?,
            nonce: row.take()?,
            state: row.take()?,
            auth_time: row.take()?,
            auth_time_requested: row.take()?,
            issued_at: row.take()?,
            expires_at: row.take()?,
            consumed_at: row.take()?,
            person_stands: row.take()?,
        })
    }
}

/// What the person allowed: pairs of consent and requested spelling.
pub fn encode_granted(granted: &[(ConsentId, String)]) -> String {
    serde_json::json!(granted).to_string()
}

impl AuthorizationCode {
    pub fn granted(&self) -> Vec<(ConsentId, String)> {
        serde_json::from_str(&self.granted).unwrap_or_default()
    }
}

/// What is known when a code is issued; `granted` as in [`encode_granted`].
pub struct NewCode<'a> {
    pub hash: TokenHash,
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub issuance_id: IssuanceId,
    pub app_session_id: AppSessionId,
    pub redirect_uri: &'a str,
    pub code_challenge: Option<&'a str>,
    pub scope: &'a str,
    pub granted: &'a [(ConsentId, String)],
    pub offline: bool,
    pub nonce: Option<&'a str>,
    pub state: Option<&'a str>,
    pub auth_time: Timestamp,
    pub auth_time_requested: bool,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

pub fn insert(tx: &mut WriteTx, code: &NewCode<'_>) -> Result<()> {
    tx.insert(
        "INSERT INTO authorization_codes (hash, client_id, identity_id, identity_generation, issuance_id, app_session_id,
                                          redirect_uri, code_challenge, scope, granted, offline, nonce, state,
                                          auth_time, auth_time_requested, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        params![
            code.hash,
            code.client_id,
            code.identity_id,
            code.identity_generation,
            code.issuance_id,
            code.app_session_id,
            code.redirect_uri,
            code.code_challenge,
            code.scope,
            encode_granted(code.granted),
            code.offline,
            code.nonce,
            code.state,
            code.auth_time,
            code.auth_time_requested,
            code.issued_at,
            code.expires_at
        ],
    )?;
    Ok(())
}

/// The code, live, used or expired: the caller looks.
pub fn by_hash(hash: &TokenHash) -> Query<AuthorizationCode> {
    Query::new(
        "SELECT hash, client_id, identity_id, identity_generation, issuance_id, app_session_id, redirect_uri,
                code_challenge, scope, granted, offline, nonce, state, auth_time, auth_time_requested, issued_at,
                expires_at, consumed_at,
                CASE WHEN EXISTS (SELECT 1
                                    FROM identities i
                                    JOIN identity_providers p ON p.id = i.identity_provider_id AND p.enabled = 1
                                   WHERE i.id = a.identity_id AND i.generation = a.identity_generation
                                     AND i.enabled = 1 AND i.status <> 'closed')
                      AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = a.app_session_id)
                     THEN 1 ELSE 0 END
           FROM authorization_codes a WHERE hash = $1",
        params![*hash],
    )
}

/// Marks a live code as used: true for exactly one caller.
pub fn consume(tx: &mut WriteTx, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    let consumed = tx.execute(
        "UPDATE authorization_codes SET consumed_at = $2 WHERE hash = $1 AND consumed_at IS NULL AND expires_at > $2",
        params![*hash, now],
    )?;
    Ok(consumed == 1)
}
