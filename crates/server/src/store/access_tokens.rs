//! Access tokens. Only hashes are stored; [`find_active`] alone says what an active token is.

use portolan_db::{Error as DbError, FromRow, Query, ReadTx, Row, WriteTx, params};
use portolan_types::id::{FamilyId, IssuanceId};
use portolan_types::scope::add_flat;
use portolan_types::{
    AppSessionId, ClientId, ConsentId, IdentityId, IdentityProviderId, IdentitySetId, Timestamp, TokenHash,
};

use super::sessions::Authentication;
use crate::error::Result;

/// What an issuance granted of the identity scopes; a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile(pub i64);

impl Profile {
    pub const OPENID: Profile = Profile(1);
    pub const PROFILE: Profile = Profile(2);
    pub const EMAIL: Profile = Profile(4);
    pub const IDENTITY_SET: Profile = Profile(8);

    pub fn has(self, other: Profile) -> bool {
        self.0 & other.0 != 0
    }

    pub fn with(self, other: Profile) -> Profile {
        Profile(self.0 | other.0)
    }
}

/// A row to be inserted.
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    pub hash: TokenHash,
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub resource_server_id: ClientId,
    pub resource_server: String,
    pub issuance_id: IssuanceId,
    pub family_id: Option<FamilyId>,
    pub app_session_id: Option<AppSessionId>,
    pub profile: Profile,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An active token with what introspection needs of its identity.
#[derive(Clone, Debug)]
pub struct ActiveToken {
    pub hash: TokenHash,
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub resource_server_id: ClientId,
    pub resource_server: String,
    pub issuance_id: IssuanceId,
    pub family_id: Option<FamilyId>,
    pub app_session_id: Option<AppSessionId>,
    pub profile: Profile,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub set_id: IdentitySetId,
    pub provider_id: IdentityProviderId,
    pub username: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub parent_client_id: Option<ClientId>,
    pub scopes: Vec<TokenScope>,
}

/// A consent that a token rests on.
#[derive(Clone, Debug)]
pub struct TokenScope {
    pub consent_id: ConsentId,
    /// The spelling that was asked for.
    pub requested: String,
    /// The canonical spelling today.
    pub canonical: String,
    pub allows_refresh: bool,
    pub last_used_at: Option<Timestamp>,
}

impl ActiveToken {
    /// Whether the token carries this scope, under either spelling.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.requested == name || scope.canonical == name)
    }

    /// The flat scope string: requested spellings, and canonical ones where they differ.
    pub fn scope_string(&self) -> String {
        let mut text = String::new();
        for scope in &self.scopes {
            add_flat(&mut text, &scope.requested);
            if scope.canonical != scope.requested {
                add_flat(&mut text, &scope.canonical);
            }
        }
        text
    }
}

/// A row of [`active`]: the token, once for each consent it rests on.
pub struct ActiveRow {
    /// In the first row only: the others repeat it.
    token: Option<ActiveToken>,
    scope: ScopeRow,
}

/// How many columns tell of the token itself.
const TOKEN_COLUMNS: usize = 18;

impl FromRow for ActiveRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            token: Some(ActiveToken {
                hash: row.take()?,
                client_id: row.take()?,
                identity_id: row.take()?,
                identity_generation: row.take()?,
                resource_server_id: row.take()?,
                resource_server: row.take()?,
                issuance_id: row.take()?,
                family_id: row.take()?,
                app_session_id: row.take()?,
                profile: Profile(row.take()?),
                issued_at: row.take()?,
                expires_at: row.take()?,
                set_id: row.take()?,
                provider_id: row.take()?,
                username: row.take()?,
                name: row.take()?,
                email: row.take()?,
                parent_client_id: row.take()?,
                scopes: Vec::new(),
            }),
            scope: ScopeRow::from_row(row)?,
        })
    }

    fn from_next_row(row: &mut Row, _before: &Self) -> Result<Self, DbError> {
        row.skip(TOKEN_COLUMNS);
        Ok(Self {
            token: None,
            scope: ScopeRow::from_row(row)?,
        })
    }
}

/// A row of [`scopes`].
pub struct ScopeRow {
    consent_id: ConsentId,
    requested: String,
    canonical: Option<String>,
    allows_refresh: Option<bool>,
    last_used_at: Option<Timestamp>,
}

impl FromRow for ScopeRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            consent_id: row.take()?,
            requested: row.take()?,
            canonical: row.take()?,
            allows_refresh: row.take()?,
            last_used_at: row.take()?,
        })
    }
}

/// The consents a token rests on; `None` unless there is at least one and every one of
/// them is approved. A deleted consent, scope or client leaves no row to find.
pub fn live_scopes(tx: &mut ReadTx, hash: &TokenHash) -> Result<Option<Vec<TokenScope>>> {
    Ok(TokenScope::from_rows(tx.fetch(&scopes(hash))?))
}

/// The question of [`live_scopes`], to be asked together with others.
pub fn scopes(hash: &TokenHash) -> Query<ScopeRow> {
    Query::new(
        "SELECT k.consent_id, k.scope_string, s.scope_string, c.allows_refresh, c.last_used_at
           FROM token_consents k
           LEFT JOIN consents c ON c.id = k.consent_id AND c.status = 'approved'
           LEFT JOIN scopes s ON s.id = c.scope_id
          WHERE k.token_hash = $1
          ORDER BY k.consent_id",
        params![*hash],
    )
}

impl TokenScope {
    /// The answer to [`scopes`]; `None` unless there is at least one, and all are approved.
    pub fn from_rows(rows: Vec<ScopeRow>) -> Option<Vec<Self>> {
        if rows.is_empty() { None } else { approved(rows) }
    }
}

/// `None` unless every consent is approved.
fn approved(rows: impl IntoIterator<Item = ScopeRow>) -> Option<Vec<TokenScope>> {
    let scopes = rows.into_iter().map(|row| {
        Some(TokenScope {
            consent_id: row.consent_id,
            requested: row.requested,
            canonical: row.canonical?,
            allows_refresh: row.allows_refresh?,
            last_used_at: row.last_used_at,
        })
    });
    scopes.collect()
}

/// The one answer to "is this token active?" (decisions, section 1): unexpired, not
/// revoked, nothing it belongs to ended, client, identity and provider enabled, identity
/// generation unchanged, and every consent it rests on approved.
pub fn find_active(tx: &mut ReadTx, hash: &TokenHash, now: Timestamp) -> Result<Option<ActiveToken>> {
    Ok(ActiveToken::from_rows(tx.fetch(&active(hash, now))?))
}

const COLUMNS: &str = "t.hash, t.client_id, t.identity_id, t.identity_generation, t.resource_server_id,
                       t.resource_server, t.issuance_id, t.family_id, t.app_session_id, t.profile, t.issued_at,
                       t.expires_at, i.set_id, i.identity_provider_id, i.username, i.name, i.email,
                       c.parent_client_id, k.consent_id, k.scope_string, s.scope_string, r.allows_refresh,
                       r.last_used_at";
const TABLES: &str = "access_tokens t
           JOIN clients c ON c.id = t.client_id AND c.enabled = 1 AND c.switched_at <= t.issued_at
           JOIN identities i ON i.id = t.identity_id AND i.generation = t.identity_generation
                            AND i.enabled = 1 AND i.status <> 'closed'
           JOIN identity_providers p ON p.id = i.identity_provider_id AND p.enabled = 1
           JOIN token_consents k ON k.token_hash = t.hash
           LEFT JOIN consents r ON r.id = k.consent_id AND r.status = 'approved'
           LEFT JOIN scopes s ON s.id = r.scope_id";
const IS_ACTIVE: &str = "t.hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.issuance_id)
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.family_id)
            AND NOT EXISTS (SELECT 1 FROM ended_grants e WHERE e.id = t.app_session_id)";

/// The question of [`find_active`], to be asked together with others. One statement, so
/// that all of it is true at one moment.
pub fn active(hash: &TokenHash, now: Timestamp) -> Query<ActiveRow> {
    Query::new(
        format!("SELECT {COLUMNS} FROM {TABLES} WHERE {IS_ACTIVE} ORDER BY k.consent_id"),
        params![*hash, now],
    )
}

/// The same with all that an introspection tells. To ask on its own for what hangs on a
/// token would mean to look for the token again.
pub fn active_in_full(hash: &TokenHash, now: Timestamp) -> Query<FullRow> {
    Query::new(
        format!(
            "SELECT {COLUMNS}, b.id, b.updated_at,
                    a.identity_id, a.identity_provider_id, a.authenticated_at, a.acr, a.amr, a.undated
               FROM {TABLES}
               LEFT JOIN consents b ON b.parent_id = r.id AND b.status = 'approved'
               LEFT JOIN session_authentications a ON a.app_session_id = t.app_session_id
              WHERE {IS_ACTIVE} ORDER BY k.consent_id"
        ),
        params![*hash, now],
    )
}

/// A row of [`active_in_full`]: that of [`active`], once for each approved consent below and
/// each authentication of the session.
pub struct FullRow {
    row: ActiveRow,
    below: Option<ConsentId>,
    updated_at: Option<Timestamp>,
    authentication: Option<Authentication>,
}

impl FullRow {
    fn with(active: ActiveRow, row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            row: active,
            below: row.take()?,
            updated_at: row.take()?,
            authentication: Authentication::of_outer_join(row)?,
        })
    }
}

impl FromRow for FullRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let active = ActiveRow::from_row(row)?;
        Self::with(active, row)
    }

    fn from_next_row(row: &mut Row, before: &Self) -> Result<Self, DbError> {
        let active = ActiveRow::from_next_row(row, &before.row)?;
        Self::with(active, row)
    }
}

/// An active token with what hangs on it.
pub struct FullToken {
    pub token: ActiveToken,
    /// The approved consents right below those that it rests on, by id, with their last change.
    pub below: Vec<(ConsentId, Timestamp)>,
    /// Those of its session, by identity.
    pub authentications: Vec<Authentication>,
}

impl FullToken {
    /// The answer to [`active_in_full`]; `None` as in [`ActiveToken::from_rows`].
    pub fn from_rows(rows: Vec<FullRow>) -> Option<Self> {
        let mut below = Vec::new();
        let mut authentications: Vec<Authentication> = Vec::new();
        let mut active: Vec<ActiveRow> = Vec::with_capacity(rows.len());
        for row in rows {
            below.extend(row.below.zip(row.updated_at));
            if let Some(found) = row.authentication
                && authentications
                    .iter()
                    .all(|known| known.identity_id != found.identity_id)
            {
                authentications.push(found);
            }
            if active
                .last()
                .is_none_or(|last| last.scope.consent_id != row.row.scope.consent_id)
            {
                active.push(row.row);
            }
        }
        below.sort_unstable();
        below.dedup();
        authentications.sort_by_key(|authentication| authentication.identity_id);
        Some(Self {
            token: ActiveToken::from_rows(active)?,
            below,
            authentications,
        })
    }
}

impl ActiveToken {
    /// The answer to [`active`]: no row, or a consent that is not approved, is no token.
    pub fn from_rows(rows: Vec<ActiveRow>) -> Option<Self> {
        let mut rows = rows.into_iter();
        let ActiveRow { token, scope } = rows.next()?;
        let mut token = token?;
        token.scopes = approved(std::iter::once(scope).chain(rows.map(|row| row.scope)))?;
        Some(token)
    }
}

pub fn insert(tx: &mut WriteTx, token: &NewAccessToken) -> Result<()> {
    tx.insert(
        "INSERT INTO access_tokens (hash, client_id, identity_id, identity_generation, resource_server_id,
                                    resource_server, issuance_id, family_id, app_session_id, profile, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            token.hash,
            token.client_id,
            token.identity_id,
            token.identity_generation,
            token.resource_server_id,
            &token.resource_server,
            token.issuance_id,
            token.family_id,
            token.app_session_id,
            token.profile.0,
            token.issued_at,
            token.expires_at
        ],
    )?;
    Ok(())
}

/// Binds a new token, access or refresh, to the consents it rests on. Of several spellings of
/// one consent the first is kept.
pub fn insert_consents(tx: &mut WriteTx, hash: &TokenHash, consents: &[(ConsentId, String)]) -> Result<()> {
    for (place, (consent_id, scope_string)) in consents.iter().enumerate() {
        // Not left to ON CONFLICT, which makes PostgreSQL look and insert in two steps.
        if consents[..place].iter().any(|(known, _)| known == consent_id) {
            continue;
        }
        tx.insert(
            "INSERT INTO token_consents (token_hash, consent_id, scope_string) VALUES ($1, $2, $3)",
            params![*hash, *consent_id, scope_string],
        )?;
    }
    Ok(())
}

/// The client a token was issued to, active or not.
pub fn find_client(tx: &mut ReadTx, hash: &TokenHash) -> Result<Option<ClientId>> {
    let row: Option<(ClientId,)> =
        tx.fetch_optional("SELECT client_id FROM access_tokens WHERE hash = $1", params![*hash])?;
    Ok(row.map(|(id,)| id))
}

/// Ends this token only.
pub fn revoke(tx: &mut WriteTx, hash: &TokenHash, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE access_tokens SET revoked_at = $2 WHERE hash = $1 AND revoked_at IS NULL",
        params![*hash, now],
    )?;
    Ok(())
}

/// Binds a token to the consents that another rests on: a successor to its predecessor's.
pub fn copy_consents(tx: &mut WriteTx, from: &TokenHash, to: &TokenHash) -> Result<()> {
    tx.defer(
        "INSERT INTO token_consents (token_hash, consent_id, scope_string)
         SELECT $2, consent_id, scope_string FROM token_consents WHERE token_hash = $1
             ON CONFLICT (token_hash, consent_id) DO NOTHING",
        params![*from, *to],
    )?;
    Ok(())
}
