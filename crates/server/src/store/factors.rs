//! Second factors of local accounts: authenticator apps (TOTP), passkeys, recovery codes;
//! used challenges; and sign-ins that wait for their second step.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityId, Timestamp, TokenHash};
use uuid::Uuid;

use crate::error::Result;

/// An authenticator app. The seed is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpSecret {
    pub id: Uuid,
    pub sealed_seed: Vec<u8>,
    pub created_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
    pub last_step: i64,
    pub last_used_at: Option<Timestamp>,
}

impl FromRow for TotpSecret {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            sealed_seed: row.take()?,
            created_at: row.take()?,
            confirmed_at: row.take()?,
            last_step: row.take()?,
            last_used_at: row.take()?,
        })
    }
}

/// The app that counts.
pub fn find_totp(tx: &mut ReadTx, identity_id: IdentityId) -> Result<Option<TotpSecret>> {
    Ok(tx.fetch_optional(
        "SELECT id, sealed_seed, created_at, confirmed_at, last_step, last_used_at
           FROM totp_secrets WHERE identity_id = $1 AND confirmed_at IS NOT NULL
          ORDER BY confirmed_at DESC, id LIMIT 1",
        params![identity_id],
    )?)
}

/// The one that is being set up.
pub fn find_unconfirmed_totp(
    tx: &mut ReadTx,
    identity_id: IdentityId,
    set_up_after: Timestamp,
) -> Result<Option<TotpSecret>> {
    Ok(tx.fetch_optional(
        "SELECT id, sealed_seed, created_at, confirmed_at, last_step, last_used_at
           FROM totp_secrets WHERE identity_id = $1 AND confirmed_at IS NULL AND created_at > $2
          ORDER BY created_at DESC, id LIMIT 1",
        params![identity_id, set_up_after],
    )?)
}

/// Begins to set up an app; another one that was begun and not confirmed goes.
pub fn replace_unconfirmed_totp(
    tx: &mut WriteTx,
    id: Uuid,
    identity_id: IdentityId,
    sealed_seed: &[u8],
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "DELETE FROM totp_secrets WHERE identity_id = $1 AND confirmed_at IS NULL",
        params![identity_id],
    )?;
    tx.execute(
        "INSERT INTO totp_secrets (id, identity_id, sealed_seed, created_at, last_step) VALUES ($1, $2, $3, $4, 0)",
        params![id, identity_id, sealed_seed, now],
    )?;
    Ok(())
}

/// From now on the app counts, and replaces the one before it. False if it counted already.
pub fn confirm_totp(tx: &mut WriteTx, id: Uuid, identity_id: IdentityId, step: i64, now: Timestamp) -> Result<bool> {
    let confirmed = tx.execute(
        "UPDATE totp_secrets SET confirmed_at = $3, last_step = $4, last_used_at = $3
          WHERE id = $1 AND identity_id = $2 AND confirmed_at IS NULL",
        params![id, identity_id, now, step],
    )?;
    if confirmed == 1 {
        tx.execute(
            "DELETE FROM totp_secrets WHERE identity_id = $1 AND id <> $2",
            params![identity_id, id],
        )?;
    }
    Ok(confirmed == 1)
}

/// Accepts the code of a step, each step once and never one before another that was accepted.
pub fn use_totp_step(tx: &mut WriteTx, id: Uuid, step: i64, now: Timestamp) -> Result<bool> {
    let used: Option<(i64,)> = tx.fetch_optional(
        "UPDATE totp_secrets SET last_step = $2, last_used_at = $3
          WHERE id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL
      RETURNING last_step",
        params![id, step, now],
    )?;
    Ok(used.is_some())
}

pub fn delete_totp(tx: &mut WriteTx, identity_id: IdentityId) -> Result<u64> {
    Ok(tx.execute("DELETE FROM totp_secrets WHERE identity_id = $1", params![identity_id])?)
}

/// Every sealed seed, for `portolan keys rewrap`.
pub fn list_sealed_seeds(tx: &mut ReadTx) -> Result<Vec<(Uuid, Vec<u8>)>> {
    Ok(tx.fetch_all("SELECT id, sealed_seed FROM totp_secrets ORDER BY id", params![])?)
}

pub fn update_sealed_seed(tx: &mut WriteTx, id: Uuid, sealed: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE totp_secrets SET sealed_seed = $2 WHERE id = $1",
        params![id, sealed],
    )?;
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    pub id: Uuid,
    pub credential_id: Vec<u8>,
    pub identity_id: IdentityId,
    pub name: String,
    /// A COSE key as the authenticator gave it.
    pub public_key: Vec<u8>,
    pub sign_count: i64,
    pub discoverable: bool,
    pub user_verifying: bool,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub transports: Vec<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl FromRow for Passkey {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            credential_id: row.take()?,
            identity_id: row.take()?,
            name: row.take()?,
            public_key: row.take()?,
            sign_count: row.take()?,
            discoverable: row.take()?,
            user_verifying: row.take()?,
            backup_eligible: row.take()?,
            backed_up: row.take()?,
            transports: super::json_list(&row.take::<String>()?),
            created_at: row.take()?,
            last_used_at: row.take()?,
        })
    }
}

const SELECT_PASSKEY: &str =
    "SELECT id, credential_id, identity_id, name, public_key, sign_count, discoverable, user_verifying,
       backup_eligible, backed_up, transports, created_at, last_used_at FROM passkeys";

/// False if the credential is known already, of whomever.
pub fn insert_passkey(tx: &mut WriteTx, passkey: &Passkey) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO passkeys (id, credential_id, identity_id, name, public_key, sign_count, discoverable,
                               user_verifying, backup_eligible, backed_up, transports, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT DO NOTHING",
        params![
            passkey.id,
            &passkey.credential_id,
            passkey.identity_id,
            &passkey.name,
            &passkey.public_key,
            passkey.sign_count,
            passkey.discoverable,
            passkey.user_verifying,
            passkey.backup_eligible,
            passkey.backed_up,
            serde_json::json!(passkey.transports).to_string(),
            passkey.created_at,
            passkey.last_used_at,
        ],
    )?;
    Ok(inserted == 1)
}

pub fn find_passkey(tx: &mut ReadTx, credential_id: &[u8]) -> Result<Option<Passkey>> {
    Ok(tx.fetch_optional(
        &format!("{SELECT_PASSKEY} WHERE credential_id = $1"),
        params![credential_id],
    )?)
}

/// In the order in which they were added.
pub fn list_passkeys(tx: &mut ReadTx, identity_id: IdentityId) -> Result<Vec<Passkey>> {
    Ok(tx.fetch_all(
        &format!("{SELECT_PASSKEY} WHERE identity_id = $1 ORDER BY created_at, id"),
        params![identity_id],
    )?)
}

/// What the authenticator said when it was used.
pub fn mark_passkey_used(
    tx: &mut WriteTx,
    id: Uuid,
    sign_count: i64,
    user_verified: bool,
    backed_up: bool,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE passkeys
            SET sign_count = $2, backed_up = $4, last_used_at = $5,
                user_verifying = CASE WHEN user_verifying = 1 THEN user_verifying ELSE $3 END
          WHERE id = $1",
        params![id, sign_count, user_verified, backed_up, now],
    )?;
    Ok(())
}

pub fn rename_passkey(tx: &mut WriteTx, id: Uuid, identity_id: IdentityId, name: &str) -> Result<bool> {
    let renamed = tx.execute(
        "UPDATE passkeys SET name = $3 WHERE id = $1 AND identity_id = $2",
        params![id, identity_id, name],
    )?;
    Ok(renamed == 1)
}

pub fn delete_passkey(tx: &mut WriteTx, id: Uuid, identity_id: IdentityId) -> Result<bool> {
    let deleted = tx.execute(
        "DELETE FROM passkeys WHERE id = $1 AND identity_id = $2",
        params![id, identity_id],
    )?;
    Ok(deleted == 1)
}

pub fn delete_passkeys(tx: &mut WriteTx, identity_id: IdentityId) -> Result<u64> {
    Ok(tx.execute("DELETE FROM passkeys WHERE identity_id = $1", params![identity_id])?)
}

/// How authenticators know the account; `new` is kept if there was none yet.
pub fn get_or_insert_user_handle(tx: &mut WriteTx, identity_id: IdentityId, new: &[u8]) -> Result<Vec<u8>> {
    let (handle,): (Vec<u8>,) = tx.fetch_one(
        "INSERT INTO webauthn_users (identity_id, user_handle) VALUES ($1, $2)
             ON CONFLICT (identity_id) DO UPDATE SET identity_id = webauthn_users.identity_id
         RETURNING user_handle",
        params![identity_id, new],
    )?;
    Ok(handle)
}

pub fn find_by_user_handle(tx: &mut ReadTx, handle: &[u8]) -> Result<Option<IdentityId>> {
    let row: Option<(IdentityId,)> = tx.fetch_optional(
        "SELECT identity_id FROM webauthn_users WHERE user_handle = $1",
        params![handle],
    )?;
    Ok(row.map(|(id,)| id))
}

/// Marks a challenge as used; false if it was used before.
pub fn use_challenge(tx: &mut WriteTx, hash: &TokenHash, expires_at: Timestamp) -> Result<bool> {
    let used: Option<(i64,)> = tx.fetch_optional(
        "INSERT INTO used_challenges (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING expires_at",
        params![*hash, expires_at],
    )?;
    Ok(used.is_some())
}

/// New recovery codes; those from before are good for nothing any more.
pub fn replace_recovery_codes(
    tx: &mut WriteTx,
    identity_id: IdentityId,
    hashes: &[TokenHash],
    now: Timestamp,
) -> Result<()> {
    delete_recovery_codes(tx, identity_id)?;
    for hash in hashes {
        tx.execute(
            "INSERT INTO recovery_codes (hash, identity_id, created_at) VALUES ($1, $2, $3)",
            params![*hash, identity_id, now],
        )?;
    }
    Ok(())
}

/// Each code is good once.
pub fn use_recovery_code(tx: &mut WriteTx, identity_id: IdentityId, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    let used: Option<(Timestamp,)> = tx.fetch_optional(
        "UPDATE recovery_codes SET used_at = $3 WHERE hash = $1 AND identity_id = $2 AND used_at IS NULL
      RETURNING created_at",
        params![*hash, identity_id, now],
    )?;
    Ok(used.is_some())
}

pub fn count_recovery_codes(tx: &mut ReadTx, identity_id: IdentityId) -> Result<i64> {
    let (count,): (i64,) = tx.fetch_one(
        "SELECT count(*) FROM recovery_codes WHERE identity_id = $1 AND used_at IS NULL",
        params![identity_id],
    )?;
    Ok(count)
}

pub fn delete_recovery_codes(tx: &mut WriteTx, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "DELETE FROM recovery_codes WHERE identity_id = $1",
        params![identity_id],
    )?;
    Ok(())
}

/// A sign-in that waits for its second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLogin {
    pub identity_id: IdentityId,
    /// What was proven so far (RFC 8176), and when.
    pub amr: Vec<String>,
    pub created_at: Timestamp,
}

impl FromRow for PendingLogin {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            identity_id: row.take()?,
            amr: super::json_list(&row.take::<String>()?),
            created_at: row.take()?,
        })
    }
}

pub fn insert_pending_login(
    tx: &mut WriteTx,
    hash: &TokenHash,
    cookie: &TokenHash,
    pending: &PendingLogin,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO pending_logins (hash, cookie_hash, identity_id, amr, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            *hash,
            *cookie,
            pending.identity_id,
            serde_json::json!(pending.amr).to_string(),
            pending.created_at,
            expires_at
        ],
    )?;
    Ok(())
}

/// Only for the browser that gave the password.
pub fn find_pending_login(
    tx: &mut ReadTx,
    hash: &TokenHash,
    cookie: &TokenHash,
    now: Timestamp,
) -> Result<Option<PendingLogin>> {
    Ok(tx.fetch_optional(
        "SELECT identity_id, amr, created_at FROM pending_logins
          WHERE hash = $1 AND cookie_hash = $2 AND consumed_at IS NULL AND expires_at > $3",
        params![*hash, *cookie, now],
    )?)
}

/// The sign-in is complete; false if it was before.
pub fn consume_pending_login(tx: &mut WriteTx, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    let consumed: Option<(Timestamp,)> = tx.fetch_optional(
        "UPDATE pending_logins SET consumed_at = $2 WHERE hash = $1 AND consumed_at IS NULL AND expires_at > $2
      RETURNING created_at",
        params![*hash, now],
    )?;
    Ok(consumed.is_some())
}

/// Nobody goes on with a password that was changed meanwhile.
pub fn delete_pending_logins(tx: &mut WriteTx, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "DELETE FROM pending_logins WHERE identity_id = $1",
        params![identity_id],
    )?;
    Ok(())
}
