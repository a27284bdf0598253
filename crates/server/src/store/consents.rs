//! Consents: rows of a tree. A root is an identity's permission for a client and a scope;
//! a child is what the owner of its parent's scope may obtain further down (wire.md 1.12).

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, ConsentId, IdentityId, ScopeId, Timestamp};

use crate::error::Result;

#[derive(Clone, Debug)]
pub struct Consent {
    pub id: ConsentId,
    pub parent_id: Option<ConsentId>,
    pub root_id: ConsentId,
    path: String,
    pub identity_id: IdentityId,
    /// The client that may use the consent.
    pub client_id: ClientId,
    pub scope_id: ScopeId,
    pub status: String,
    pub allows_refresh: bool,
    pub auto_approved: bool,
    pub atomically_revocable: bool,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl FromRow for Consent {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            parent_id: row.take()?,
            root_id: row.take()?,
            path: row.take()?,
            identity_id: row.take()?,
            client_id: row.take()?,
            scope_id: row.take()?,
            status: row.take()?,
            allows_refresh: row.take()?,
            auto_approved: row.take()?,
            atomically_revocable: row.take()?,
            label: row.take()?,
            created_at: row.take()?,
            updated_at: row.take()?,
            last_used_at: row.take()?,
        })
    }
}

impl Consent {
    pub fn is_approved(&self) -> bool {
        self.status == "approved"
    }

    /// Ids from the root to this consent.
    pub fn path(&self) -> Vec<ConsentId> {
        self.path.split(',').filter_map(|id| id.parse().ok()).collect()
    }

    /// A new consent below `parent`, or a root. Approved; callers set the rest.
    pub fn new(
        id: ConsentId,
        parent: Option<&Consent>,
        identity_id: IdentityId,
        client_id: ClientId,
        scope_id: ScopeId,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            parent_id: parent.map(|parent| parent.id),
            root_id: parent.map_or(id, |parent| parent.root_id),
            path: parent.map_or_else(|| id.to_string(), |parent| format!("{},{id}", parent.path)),
            identity_id,
            client_id,
            scope_id,
            status: "approved".into(),
            allows_refresh: false,
            auto_approved: false,
            atomically_revocable: false,
            label: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
        }
    }
}

const COLUMNS: &str = "id, parent_id, root_id, path, identity_id, client_id, scope_id, status, allows_refresh,
       auto_approved, atomically_revocable, label, created_at, updated_at, last_used_at";

/// The trees of one person for one client, roots and all below them.
pub fn list_trees(tx: &mut ReadTx, identity_id: IdentityId, client_id: ClientId) -> Result<Vec<Consent>> {
    Ok(tx.fetch_all(
        &format!(
            "SELECT {COLUMNS} FROM consents
              WHERE root_id IN (SELECT id FROM consents WHERE identity_id = $1 AND client_id = $2 AND parent_id IS NULL)
              ORDER BY root_id, id"
        ),
        params![identity_id, client_id],
    )?)
}

/// Every consent of a person.
pub fn list_by_identity(tx: &mut ReadTx, identity_id: IdentityId) -> Result<Vec<Consent>> {
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM consents WHERE identity_id = $1 ORDER BY root_id, id"),
        params![identity_id],
    )?)
}

/// A root and all below it.
pub fn list_tree(tx: &mut ReadTx, root_id: ConsentId) -> Result<Vec<Consent>> {
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM consents WHERE root_id = $1 ORDER BY id"),
        params![root_id],
    )?)
}

/// The approved roots of a person for a client, of these scopes: what a grant rests on.
pub fn list_approved_roots(
    tx: &mut ReadTx,
    identity_id: IdentityId,
    client_id: ClientId,
    scopes: &[ScopeId],
) -> Result<Vec<Consent>> {
    let mut values = vec![identity_id.into_value(), client_id.into_value()];
    let list = super::in_list(&mut values, scopes.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "SELECT {COLUMNS} FROM consents
              WHERE identity_id = $1 AND client_id = $2 AND parent_id IS NULL AND status = 'approved'
                AND scope_id IN ({list})"
        ),
        values,
    )?)
}

pub fn find(tx: &mut ReadTx, id: ConsentId) -> Result<Option<Consent>> {
    Ok(tx.fetch_optional(&format!("SELECT {COLUMNS} FROM consents WHERE id = $1"), params![id])?)
}

/// Which of these are still approved, with their scopes.
pub fn list_approved(tx: &mut ReadTx, ids: &[ConsentId]) -> Result<Vec<Consent>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM consents WHERE id IN ({list}) AND status = 'approved'"),
        values,
    )?)
}

pub fn insert(tx: &mut WriteTx, consent: &Consent) -> Result<()> {
    tx.execute(
        &format!(
            "INSERT INTO consents ({COLUMNS})
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        ),
        params![
            consent.id,
            consent.parent_id,
            consent.root_id,
            &consent.path,
            consent.identity_id,
            consent.client_id,
            consent.scope_id,
            &consent.status,
            consent.allows_refresh,
            consent.auto_approved,
            consent.atomically_revocable,
            consent.label.clone(),
            consent.created_at,
            consent.updated_at,
            consent.last_used_at
        ],
    )?;
    Ok(())
}

/// Approval again: the row and its id stay, `allows_refresh` only rises.
pub fn update(tx: &mut WriteTx, consent: &Consent) -> Result<()> {
    tx.execute(
        "UPDATE consents SET status = $2, allows_refresh = $3, atomically_revocable = $4, label = $5, updated_at = $6
          WHERE id = $1",
        params![
            consent.id,
            &consent.status,
            consent.allows_refresh,
            consent.atomically_revocable,
            consent.label.clone(),
            consent.updated_at
        ],
    )?;
    Ok(())
}

/// Notes the use of a consent, at most once a minute.
pub fn mark_used(tx: &mut WriteTx, id: ConsentId, now: Timestamp) -> Result<()> {
    tx.defer(
        "UPDATE consents SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
        params![id, now, now - Duration::from_secs(60)],
    )?;
    Ok(())
}

/// Deletes a consent and, by cascade, all below it; their ids are never used again.
pub fn delete(tx: &mut WriteTx, id: ConsentId) -> Result<()> {
    tx.execute("DELETE FROM consents WHERE id = $1", params![id])?;
    Ok(())
}

/// The approved children of these consents, by id.
pub fn list_children(tx: &mut ReadTx, parents: &[ConsentId]) -> Result<Vec<Consent>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, parents.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM consents WHERE parent_id IN ({list}) AND status = 'approved' ORDER BY id"),
        values,
    )?)
}

/// The approved children of these consents with the time of their last change, by id.
pub fn list_children_stamps(tx: &mut ReadTx, parents: &[ConsentId]) -> Result<Vec<(ConsentId, Timestamp)>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, parents.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!("SELECT id, updated_at FROM consents WHERE parent_id IN ({list}) AND status = 'approved' ORDER BY id"),
        values,
    )?)
}

/// The scopes on the paths from the roots to these consents.
pub fn list_path_scopes(tx: &mut ReadTx, consents: &[Consent]) -> Result<Vec<ScopeId>> {
    let mut values = Vec::new();
    let list = super::in_list(
        &mut values,
        consents.iter().flat_map(Consent::path).map(IntoValue::into_value),
    );
    let rows: Vec<(ScopeId,)> = tx.fetch_all(
        &format!("SELECT DISTINCT scope_id FROM consents WHERE id IN ({list})"),
        values,
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
