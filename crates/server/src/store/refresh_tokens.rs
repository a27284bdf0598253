//! Refresh tokens. One family is one chain of one resource server; a successor is derived
//! from its predecessor, so that a lost answer can be repeated (decisions, section 2).

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, Query, ReadTx, Row, WriteTx, params};
use portolan_types::id::{FamilyId, IssuanceId};
use portolan_types::{AppSessionId, ClientId, IdentityId, Timestamp, TokenHash};

use super::access_tokens::Profile;
use crate::error::Result;

#[derive(Clone, Debug)]
pub struct RefreshToken {
    pub hash: TokenHash,
    pub family_id: FamilyId,
    pub generation: i64,
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub resource_server_id: ClientId,
    pub resource_server: String,
    pub issuance_id: IssuanceId,
    pub app_session_id: Option<AppSessionId>,
    pub profile: Profile,
    pub issued_at: Timestamp,
    pub idle_since: Timestamp,
    pub expires_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub successor_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl FromRow for RefreshToken {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            hash: row.take()?,
            family_id: row.take()?,
            generation: row.take()?,
            client_id: row.take()?,
            identity_id: row.take()?,
            identity_generation: row.take()?,
            resource_server_id: row.take()?,
            resource_server: row.take()?,
            issuance_id: row.take()?,
            app_session_id: row.take()?,
            profile: Profile(row.take()?),
            issued_at: row.take()?,
            idle_since: row.take()?,
            expires_at: row.take()?,
            rotated_at: row.take()?,
            successor_used_at: row.take()?,
            revoked_at: row.take()?,
        })
    }
}

/// Whatever its state; the caller looks, or asks [`is_live`].
pub fn find(tx: &mut ReadTx, hash: &TokenHash) -> Result<Option<RefreshToken>> {
    Ok(tx.fetch(&by_hash(hash))?.pop())
}

/// The same to be asked together with others.
pub fn by_hash(hash: &TokenHash) -> Query<RefreshToken> {
    Query::new(
        "SELECT hash, family_id, generation, client_id, identity_id, identity_generation, resource_server_id,
                resource_server, issuance_id, app_session_id, profile, issued_at, idle_since, expires_at,
                rotated_at, successor_used_at, revoked_at
           FROM refresh_tokens WHERE hash = $1",
        params![*hash],
    )
}

/// The twin of `access_tokens::find_active` without the consents: everything a refresh
/// token stands on but them. A rotated token is live here; its own rules decide.
pub fn is_live(tx: &mut ReadTx, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    Ok(!tx.fetch(&live(hash, now))?.is_empty())
}

/// The question of [`is_live`], to be asked together with others: a row if it is.
pub fn live(hash: &TokenHash, now: Timestamp) -> Query<i64> {
    Query::new(
        "SELECT cast(1 AS BIGINT)
           FROM refresh_tokens t
           JOIN clients c ON c.id = t.client_id AND c.enabled = 1 AND c.switched_at <= t.issued_at
           JOIN identities i ON i.id = t.identity_id AND i.generation = t.identity_generation
                            AND i.enabled = 1 AND i.status <> 'closed'
           JOIN identity_providers p ON p.id = i.identity_provider_id AND p.enabled = 1
          WHERE t.hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.issuance_id)
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.family_id)
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.app_session_id)",
        params![*hash, now],
    )
}

/// Inserts a token; a successor that a parallel request inserted already stays as it is.
pub fn insert(tx: &mut WriteTx, token: &RefreshToken) -> Result<()> {
    tx.insert(
        "INSERT INTO refresh_tokens (hash, family_id, generation, client_id, identity_id, identity_generation,
                                     resource_server_id, resource_server, issuance_id, app_session_id, profile,
                                     issued_at, idle_since, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (hash) DO NOTHING",
        params![
            token.hash,
            token.family_id,
            token.generation,
            token.client_id,
            token.identity_id,
            token.identity_generation,
            token.resource_server_id,
            &token.resource_server,
            token.issuance_id,
            token.app_session_id,
            token.profile.0,
            token.issued_at,
            token.idle_since,
            token.expires_at
        ],
    )?;
    Ok(())
}

/// Marks the token as replaced: true for exactly one caller.
pub fn rotate(tx: &mut WriteTx, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    let rotated = tx.execute(
        "UPDATE refresh_tokens SET rotated_at = $2 WHERE hash = $1 AND rotated_at IS NULL AND revoked_at IS NULL",
        params![*hash, now],
    )?;
    Ok(rotated == 1)
}

/// The successor is in use: its predecessor can no longer be repeated.
pub fn mark_successor_used(tx: &mut WriteTx, family_id: FamilyId, generation: i64, now: Timestamp) -> Result<()> {
    tx.defer(
        "UPDATE refresh_tokens SET successor_used_at = $3
          WHERE family_id = $1 AND generation = $2 AND successor_used_at IS NULL",
        params![family_id, generation, now],
    )?;
    Ok(())
}

/// Restarts the idle clock, at most once a day.
pub fn touch(tx: &mut WriteTx, hash: &TokenHash, now: Timestamp, expires_at: Timestamp) -> Result<()> {
    tx.defer(
        "UPDATE refresh_tokens SET idle_since = $2, expires_at = $3 WHERE hash = $1 AND idle_since < $4",
        params![*hash, now, expires_at, now - Duration::from_secs(86_400)],
    )?;
    Ok(())
}

/// How many tokens of a family could still be used; for tests and the console.
pub fn count_unrotated(tx: &mut ReadTx, family_id: FamilyId) -> Result<i64> {
    let (count,): (i64,) = tx.fetch_one(
        "SELECT count(*) FROM refresh_tokens WHERE family_id = $1 AND rotated_at IS NULL AND revoked_at IS NULL",
        params![family_id],
    )?;
    Ok(count)
}
