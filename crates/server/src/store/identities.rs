//! Identities and identity sets. Each identity is born into a set of its own.

use portolan_db::{Error as DbError, FromRow, Query, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, IdentityId, IdentityProviderId, IdentitySetId, Timestamp};

use super::identity_providers::CLIENTS;
use crate::error::{Error, Result};

/// An identity as the table holds it, with the name of its provider (wire.md 1.2).
#[derive(Clone, Debug)]
pub struct Identity {
    pub id: IdentityId,
    pub set_id: IdentitySetId,
    pub provider_id: IdentityProviderId,
    pub provider_name: String,
    pub provider_enabled: bool,
    pub subject: Option<String>,
    pub username: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub organization: Option<String>,
    pub status: String,
    pub identity_type: Option<String>,
    pub enabled: bool,
    pub generation: i64,
    pub created_at: Timestamp,
    pub last_authentication_at: Option<Timestamp>,
}

impl FromRow for Identity {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            set_id: row.take()?,
            provider_id: row.take()?,
            provider_name: row.take()?,
            provider_enabled: row.take()?,
            subject: row.take()?,
            username: row.take()?,
            name: row.take()?,
            email: row.take()?,
            organization: row.take()?,
            status: row.take()?,
            identity_type: row.take()?,
            enabled: row.take()?,
            generation: row.take()?,
            created_at: row.take()?,
            last_authentication_at: row.take()?,
        })
    }
}

impl Identity {
    /// May log in and hold tokens.
    pub fn is_live(&self) -> bool {
        self.enabled && self.provider_enabled && self.status != "closed"
    }

    /// The part of the username after the last `@`.
    pub fn domain(&self) -> &str {
        self.username.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

const SELECT: &str = "SELECT i.id, i.set_id, i.identity_provider_id, p.name, p.enabled, i.subject, i.username, i.name,
       i.email, i.organization, i.status, i.identity_type, i.enabled, i.generation, i.created_at, i.last_authentication_at
  FROM identities i JOIN identity_providers p ON p.id = i.identity_provider_id";

pub fn find(tx: &mut ReadTx, id: IdentityId) -> Result<Option<Identity>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE i.id = $1"), params![id])?)
}

pub fn get(tx: &mut ReadTx, id: IdentityId) -> Result<Identity> {
    find(tx, id)?.ok_or_else(|| Error::not_found("identity"))
}

/// By the username in lower case; a closed identity gave its name up.
pub fn find_by_username(tx: &mut ReadTx, username: &str) -> Result<Option<Identity>> {
    Ok(tx.fetch_optional(
        &format!("{SELECT} WHERE i.username = $1 AND i.status <> 'closed'"),
        params![username],
    )?)
}

/// Who a provider's subject is here; a closed identity is nobody any more.
pub fn find_by_subject(tx: &mut ReadTx, provider: IdentityProviderId, subject: &str) -> Result<Option<Identity>> {
    Ok(tx.fetch_optional(
        &format!(
            "{SELECT} WHERE i.identity_provider_id = $1 AND i.subject = $2 AND i.subject IS NOT NULL AND i.status <> 'closed'"
        ),
        params![provider, subject],
    )?)
}

/// Several at once; the unknown are left out.
pub fn list_by_ids(tx: &mut ReadTx, ids: &[IdentityId]) -> Result<Vec<Identity>> {
    let mut values = Vec::new();
    let list = super::in_list(
        &mut values,
        ids.iter().map(|id| portolan_db::IntoValue::into_value(*id)),
    );
    Ok(tx.fetch_all(&format!("{SELECT} WHERE i.id IN ({list}) ORDER BY i.username"), values)?)
}

pub fn list_by_usernames(tx: &mut ReadTx, usernames: &[String]) -> Result<Vec<Identity>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, usernames.iter().map(portolan_db::IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE i.username IN ({list}) AND i.status <> 'closed' ORDER BY i.username"),
        values,
    )?)
}

/// The identities of a set, the primary first.
pub fn list_set(tx: &mut ReadTx, set_id: IdentitySetId) -> Result<Vec<Identity>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE i.set_id = $1 {PRIMARY_FIRST}"),
        params![set_id],
    )?)
}

/// The set that an identity is in, to be asked together with others.
pub fn set_of(id: IdentityId) -> Query<Identity> {
    Query::new(
        format!("{SELECT} WHERE i.set_id = (SELECT set_id FROM identities WHERE id = $1) {PRIMARY_FIRST}"),
        params![id],
    )
}

const PRIMARY_FIRST: &str = "ORDER BY CASE WHEN i.id = (SELECT z.primary_id FROM identity_sets z WHERE z.id = i.set_id)
                                           THEN 0 ELSE 1 END, i.created_at, i.id";

/// Takes an identity out of its set into a new one of its own; false if it is the primary
/// there, which the others need.
pub fn leave_set(tx: &mut WriteTx, id: IdentityId, own_set: IdentitySetId) -> Result<bool> {
    if is_primary(tx, id)? {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO identity_sets (id, primary_id) VALUES ($1, $2)",
        params![own_set, id],
    )?;
    tx.execute("UPDATE identities SET set_id = $2 WHERE id = $1", params![id, own_set])?;
    Ok(true)
}

/// Brings an identity into another set. The set that it leaves goes with the last of its
/// identities.
pub fn join_set(tx: &mut WriteTx, id: IdentityId, set_id: IdentitySetId) -> Result<()> {
    let (left,): (IdentitySetId,) = tx.fetch_one("SELECT set_id FROM identities WHERE id = $1", params![id])?;
    tx.execute("UPDATE identities SET set_id = $2 WHERE id = $1", params![id, set_id])?;
    // Closed ones may have stayed behind.
    let rest: Option<(IdentityId,)> = tx.fetch_optional(
        "SELECT id FROM identities WHERE set_id = $1 ORDER BY created_at, id LIMIT 1",
        params![left],
    )?;
    match rest {
        Some((primary,)) => set_primary(tx, left, primary),
        None => {
            tx.execute("DELETE FROM identity_sets WHERE id = $1", params![left])?;
            Ok(())
        }
    }
}

/// Which identity of a set speaks for it.
pub fn set_primary(tx: &mut WriteTx, set_id: IdentitySetId, primary: IdentityId) -> Result<()> {
    tx.execute(
        "UPDATE identity_sets SET primary_id = $2 WHERE id = $1",
        params![set_id, primary],
    )?;
    Ok(())
}

pub fn is_primary(tx: &mut ReadTx, id: IdentityId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM identities i JOIN identity_sets s ON s.id = i.set_id WHERE i.id = $1 AND s.primary_id = $1",
        params![id],
    )?;
    Ok(row.is_some())
}

/// The ids of a set, the oldest first.
pub fn list_set_ids(tx: &mut ReadTx, set_id: IdentitySetId) -> Result<Vec<IdentityId>> {
    Ok(tx.fetch(&set_ids(set_id))?.into_iter().map(|(id,)| id).collect())
}

/// The same to be asked together with others.
pub fn set_ids(set_id: IdentitySetId) -> Query<(IdentityId,)> {
    Query::new(
        "SELECT id FROM identities WHERE set_id = $1 AND status <> 'closed' ORDER BY created_at, id",
        params![set_id],
    )
}

/// The accounts of one provider, by username.
pub fn list_by_provider(tx: &mut ReadTx, provider: IdentityProviderId) -> Result<Vec<Identity>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE i.identity_provider_id = $1 ORDER BY i.username"),
        params![provider],
    )?)
}

/// Which part of their records people are searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchBy {
    Username,
    Name,
    Email,
}

/// People for whom this part begins like `prefix`, in the order of it, behind the one whose
/// part and id are `after`. Clients are no people. Case counts only beyond ASCII.
pub fn search(
    tx: &mut ReadTx,
    by: SearchBy,
    prefix: &str,
    after: (&str, IdentityId),
    limit: i64,
) -> Result<Vec<Identity>> {
    let statement = match by {
        SearchBy::Username => format!(
            "{SELECT} WHERE i.username >= lower(cast($1 AS TEXT)) AND i.username < lower(cast($2 AS TEXT))
                        AND i.status <> 'closed' AND (i.username, i.id) > (lower(cast($3 AS TEXT)), $4)
                        AND i.identity_provider_id <> $5
                      ORDER BY i.username, i.id LIMIT $6"
        ),
        SearchBy::Name => format!(
            "{SELECT} WHERE lower(i.name) >= lower(cast($1 AS TEXT)) AND lower(i.name) < lower(cast($2 AS TEXT))
                        AND i.name IS NOT NULL AND i.status <> 'closed'
                        AND (lower(i.name), i.id) > (lower(cast($3 AS TEXT)), $4)
                        AND i.identity_provider_id <> $5
                      ORDER BY lower(i.name), i.id LIMIT $6"
        ),
        SearchBy::Email => format!(
            "{SELECT} WHERE lower(i.email) >= lower(cast($1 AS TEXT)) AND lower(i.email) < lower(cast($2 AS TEXT))
                        AND i.email IS NOT NULL AND i.status <> 'closed'
                        AND (lower(i.email), i.id) > (lower(cast($3 AS TEXT)), $4)
                        AND i.identity_provider_id <> $5
                      ORDER BY lower(i.email), i.id LIMIT $6"
        ),
    };
    let values = params![prefix, super::end_of(prefix), after.0, after.1, CLIENTS, limit];
    Ok(tx.fetch_all(&statement, values)?)
}

/// Inserts the identity and its set; false if the username or subject is taken.
pub fn insert(tx: &mut WriteTx, identity: &Identity) -> Result<bool> {
    if find_by_username(tx, &identity.username)?.is_some() {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO identity_sets (id, primary_id) VALUES ($1, $2)",
        params![identity.set_id, identity.id],
    )?;
    let inserted = tx.execute(
        "INSERT INTO identities (id, set_id, identity_provider_id, subject, username, name, email, organization,
                                 status, identity_type, enabled, generation, created_at, last_authentication_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT DO NOTHING",
        params![
            identity.id,
            identity.set_id,
            identity.provider_id,
            identity.subject.clone(),
            &identity.username,
            identity.name.clone(),
            identity.email.clone(),
            identity.organization.clone(),
            &identity.status,
            identity.identity_type.clone(),
            identity.enabled,
            identity.generation,
            identity.created_at,
            identity.last_authentication_at,
        ],
    )?;
    if inserted == 0 {
        tx.execute("DELETE FROM identity_sets WHERE id = $1", params![identity.set_id])?;
    }
    Ok(inserted == 1)
}

/// Somebody has proven to own an identity that was only known by its name so far: the row
/// and its id stay, what was given to it counts. `None` if there is no such identity.
pub fn claim(tx: &mut WriteTx, identity: &Identity) -> Result<Option<IdentityId>> {
    // Said twice about the status: SQLite takes the index of usernames only if it reads the
    // very condition of that index.
    let row: Option<(IdentityId,)> = tx.fetch_optional(
        "UPDATE identities
            SET subject = $3, name = $4, email = $5, organization = $6, status = $7, identity_type = $8
          WHERE username = $1 AND identity_provider_id = $2 AND status = 'unused' AND status <> 'closed'
      RETURNING id",
        params![
            &identity.username,
            identity.provider_id,
            identity.subject.clone(),
            identity.name.clone(),
            identity.email.clone(),
            identity.organization.clone(),
            &identity.status,
            identity.identity_type.clone(),
        ],
    )?;
    Ok(row.map(|(id,)| id))
}

/// The name that look-ups and pages show.
pub fn set_name(tx: &mut WriteTx, id: IdentityId, name: &str) -> Result<()> {
    tx.execute("UPDATE identities SET name = $2 WHERE id = $1", params![id, name])?;
    Ok(())
}

pub fn set_email(tx: &mut WriteTx, id: IdentityId, email: &str) -> Result<()> {
    tx.execute("UPDATE identities SET email = $2 WHERE id = $1", params![id, email])?;
    Ok(())
}

/// The identities of a provider with this e-mail address, in any case of letters.
pub fn list_by_email(tx: &mut ReadTx, provider: IdentityProviderId, email: &str, limit: i64) -> Result<Vec<Identity>> {
    Ok(tx.fetch_all(
        &format!(
            "{SELECT} WHERE lower(i.email) = lower(cast($1 AS TEXT)) AND i.email IS NOT NULL
                        AND i.identity_provider_id = $2 AND i.status <> 'closed'
                      ORDER BY i.username LIMIT $3"
        ),
        params![email, provider, limit],
    )?)
}

/// What its provider says of it today.
pub fn update_profile(
    tx: &mut WriteTx,
    id: IdentityId,
    username: &str,
    name: Option<&str>,
    email: Option<&str>,
    organization: Option<&str>,
) -> Result<()> {
    tx.execute(
        "UPDATE identities SET username = $2, name = $3, email = $4, organization = $5 WHERE id = $1",
        params![
            id,
            username,
            name.map(str::to_owned),
            email.map(str::to_owned),
            organization.map(str::to_owned)
        ],
    )?;
    Ok(())
}

/// The oldest identity of a set that is not closed speaks for it from now on, if the
/// present one is closed.
pub fn replace_closed_primary(tx: &mut WriteTx, set_id: IdentitySetId) -> Result<()> {
    let next: Option<(IdentityId,)> = tx.fetch_optional(
        "SELECT id FROM identities WHERE set_id = $1 AND status <> 'closed' ORDER BY created_at, id LIMIT 1",
        params![set_id],
    )?;
    if let Some((next,)) = next {
        tx.execute(
            "UPDATE identity_sets SET primary_id = $2
              WHERE id = $1 AND primary_id IN (SELECT id FROM identities WHERE set_id = $1 AND status = 'closed')",
            params![set_id, next],
        )?;
    }
    Ok(())
}

/// Switches an account on or off. Switching off raises the generation, so that no token
/// of before comes back to life when the account is switched on again.
pub fn set_enabled(tx: &mut WriteTx, id: IdentityId, enabled: bool) -> Result<()> {
    let raise = i64::from(!enabled);
    tx.execute(
        "UPDATE identities SET enabled = $2, generation = generation + $3 WHERE id = $1",
        params![id, enabled, raise],
    )?;
    Ok(())
}

/// Ends every token of the identity without touching the tokens.
pub fn raise_generation(tx: &mut WriteTx, id: IdentityId) -> Result<()> {
    tx.execute(
        "UPDATE identities SET generation = generation + 1 WHERE id = $1",
        params![id],
    )?;
    Ok(())
}

/// The same for a client's own identity and those of its instances.
pub fn raise_generations_of_client(tx: &mut WriteTx, id: ClientId) -> Result<()> {
    raise_generation(tx, id.identity())?;
    tx.execute(
        "UPDATE identities SET generation = generation + 1
          WHERE id IN (SELECT id FROM clients WHERE parent_client_id = $1 AND is_instance = 1)",
        params![id],
    )?;
    Ok(())
}

/// The identity is no longer valid; its id is never used again.
pub fn close(tx: &mut WriteTx, id: IdentityId) -> Result<()> {
    tx.execute(
        "UPDATE identities SET status = 'closed', generation = generation + 1 WHERE id = $1",
        params![id],
    )?;
    Ok(())
}

pub fn mark_authenticated(tx: &mut WriteTx, id: IdentityId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE identities SET last_authentication_at = $2 WHERE id = $1",
        params![id, now],
    )?;
    Ok(())
}

pub fn is_administrator(tx: &mut ReadTx, id: IdentityId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional("SELECT 1 FROM administrators WHERE identity_id = $1", params![id])?;
    Ok(row.is_some())
}

pub fn has_administrator(tx: &mut ReadTx) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional("SELECT 1 FROM administrators LIMIT 1", params![])?;
    Ok(row.is_some())
}

pub fn insert_administrator(tx: &mut WriteTx, id: IdentityId, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO administrators (identity_id, added_at) VALUES ($1, $2) ON CONFLICT (identity_id) DO NOTHING",
        params![id, now],
    )?;
    Ok(())
}
