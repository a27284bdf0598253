//! Consents: rows of a tree. A root is an identity's permission for a client and a scope;
//! a child is what the owner of its parent's scope may obtain further down (wire.md 1.12).

use std::time::Duration;

use portolan_db::{Error as DbError, FromRow, IntoValue, Query, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, ConsentId, IdentityId, ScopeId, Timestamp, TokenHash};

use crate::error::Result;
use crate::store::scopes::Scope;

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

/// What people have allowed that would end with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Permissions that people gave it.
    pub consents: i64,
    pub people: i64,
    /// Permissions of other clients for its scopes.
    pub of_others: i64,
}

impl FromRow for Resting {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            consents: row.take()?,
            people: row.take()?,
            of_others: row.take()?,
        })
    }
}

/// Counts them. What a client allowed itself is left out.
pub fn count_resting_on(tx: &mut ReadTx, client_id: ClientId) -> Result<Resting> {
    Ok(tx.fetch_one(
        "SELECT (SELECT count(*) FROM consents
                  WHERE client_id = $1 AND parent_id IS NULL AND status = 'approved' AND auto_approved = 0),
                (SELECT count(DISTINCT identity_id) FROM consents
                  WHERE client_id = $1 AND parent_id IS NULL AND status = 'approved' AND auto_approved = 0),
                (SELECT count(*) FROM consents
                  WHERE client_id <> $1 AND status = 'approved'
                    AND scope_id IN (SELECT id FROM scopes WHERE client_id = $1))",
        params![client_id],
    )?)
}

/// A root and all below it.
pub fn list_tree(tx: &mut ReadTx, root_id: ConsentId) -> Result<Vec<Consent>> {
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM consents WHERE root_id = $1 ORDER BY id"),
        params![root_id],
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

/// How many people have allowed a scope, to an app or beneath another scope.
pub fn count_people(tx: &mut ReadTx, scope_id: ScopeId) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(DISTINCT identity_id) FROM consents WHERE scope_id = $1 AND status = 'approved'",
        params![scope_id],
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

const NOTED_FOR: Duration = Duration::from_secs(60);

/// Whether a use now is to be noted: at most once a minute.
pub fn is_use_noted(last_used_at: Option<Timestamp>, now: Timestamp) -> bool {
    last_used_at.is_some_and(|last| last >= now - NOTED_FOR)
}

/// Notes the use of a consent, unless one was noted within the last minute.
pub fn mark_used(tx: &mut WriteTx, id: ConsentId, now: Timestamp) -> Result<()> {
    tx.defer(
        "UPDATE consents SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
        params![id, now, now - NOTED_FOR],
    )?;
    Ok(())
}

/// Deletes a consent and, by cascade, all below it; their ids are never used again.
pub fn delete(tx: &mut WriteTx, id: ConsentId) -> Result<()> {
    tx.execute("DELETE FROM consents WHERE id = $1", params![id])?;
    Ok(())
}

/// An approved consent with its scope.
pub struct WithScope {
    pub id: ConsentId,
    pub allows_refresh: bool,
    pub last_used_at: Option<Timestamp>,
    pub scope: Scope,
}

impl FromRow for WithScope {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            allows_refresh: row.take()?,
            last_used_at: row.take()?,
            scope: Scope::from_row(row)?,
        })
    }
}

/// The columns of [`WithScope`]: of the consent, its scope, and the owner of that.
const WITH_SCOPE: &str =
    "r.id, r.allows_refresh, r.last_used_at, s.id, s.client_id, s.scope_string, s.name, s.description,
       s.advertised, s.allows_refresh_token, s.required_domains, s.suffix, c.name, c.visibility, c.project_id,
       c.resource_server, c.id";

/// The approved consents right below those that a token rests on, in no particular order.
///
/// The outer joins here and below leave the planner no choice but to begin with the few
/// consents of the token, also while it knows nothing about the sizes of the tables.
pub fn below(hash: &TokenHash) -> Query<WithScope> {
    Query::new(
        format!(
            "SELECT {WITH_SCOPE}
               FROM token_consents k
               LEFT JOIN consents r ON r.parent_id = k.consent_id
               LEFT JOIN scopes s ON s.id = r.scope_id
               LEFT JOIN clients c ON c.id = s.client_id
              WHERE k.token_hash = $1 AND coalesce(r.status, '') = 'approved'"
        ),
        params![*hash],
    )
}

/// Which of these are still approved, with their scopes; in no particular order.
pub fn approved(ids: &[ConsentId]) -> Query<WithScope> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    Query::new(
        format!(
            "SELECT {WITH_SCOPE}
               FROM consents r
               JOIN scopes s ON s.id = r.scope_id
               JOIN clients c ON c.id = s.client_id
              WHERE r.id IN ({list}) AND r.status = 'approved'"
        ),
        values,
    )
}

/// What the scopes of a token's consents declare as required and the person has not
/// approved below them: the consent and the scope.
pub fn missing_below(hash: &TokenHash) -> Query<(ConsentId, ScopeId)> {
    Query::new(
        "SELECT r.id, d.dependent_scope_id
           FROM token_consents k
           JOIN consents r ON r.id = k.consent_id
           JOIN scope_dependencies d ON d.scope_id = r.scope_id AND d.optional = 0
          WHERE k.token_hash = $1
            AND NOT EXISTS (SELECT 1 FROM consents b
                             WHERE b.parent_id = r.id AND b.scope_id = d.dependent_scope_id AND b.status = 'approved')",
        params![*hash],
    )
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
