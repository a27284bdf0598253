//! Scopes, their spellings, and their static dependencies.

use portolan_db::{Error as DbError, FromRow, IntoValue, Query, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, ConsentId, IdentityId, ProjectId, ScopeId, Timestamp, TokenHash};

use crate::error::{Error, Result};

/// A scope as the table holds it, with what is needed of the client that owns it (wire.md 1.10).
#[derive(Clone, Debug)]
pub struct Scope {
    pub id: ScopeId,
    /// The client that owns the scope: the resource server.
    pub client_id: ClientId,
    pub scope_string: String,
    pub name: String,
    pub description: String,
    pub advertised: bool,
    pub allows_refresh_token: bool,
    required_domains: String,
    /// The last segment of the scope string; none for built-in scopes with names of their own.
    pub suffix: Option<String>,
    pub owner_name: String,
    pub owner_visibility: String,
    pub owner_project: Option<ProjectId>,
    /// The name of the resource server in token answers.
    pub resource_server: String,
}

impl FromRow for Scope {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            client_id: row.take()?,
            scope_string: row.take()?,
            name: row.take()?,
            description: row.take()?,
            advertised: row.take()?,
            allows_refresh_token: row.take()?,
            required_domains: row.take()?,
            suffix: row.take()?,
            owner_name: row.take()?,
            owner_visibility: row.take()?,
            owner_project: row.take()?,
            resource_server: {
                let named: Option<String> = row.take()?;
                let owner: ClientId = row.take()?;
                named.unwrap_or_else(|| owner.to_string())
            },
        })
    }
}

impl Scope {
    pub fn required_domains(&self) -> Vec<String> {
        super::json_list(&self.required_domains)
    }

    /// A scope of nobody in particular, for tests of rules.
    #[cfg(test)]
    pub(crate) fn sample(id: ScopeId, scope_string: &str) -> Self {
        Self {
            id,
            client_id: ClientId::from_u128(1),
            scope_string: scope_string.to_owned(),
            name: "Scope".into(),
            description: "What it is for.".into(),
            advertised: true,
            allows_refresh_token: true,
            required_domains: "[]".into(),
            suffix: None,
            owner_name: "Service".into(),
            owner_visibility: "public".into(),
            owner_project: None,
            resource_server: "service.example".into(),
        }
    }

    pub fn set_required_domains(&mut self, domains: &[String]) {
        self.required_domains = serde_json::json!(domains).to_string();
    }
}

/// A scope under the spelling that was asked for.
#[derive(Clone, Debug)]
pub struct NamedScope {
    pub requested: String,
    pub scope: Scope,
}

impl FromRow for NamedScope {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            requested: row.take()?,
            scope: Scope::from_row(row)?,
        })
    }
}

const COLUMNS: &str = "s.id, s.client_id, s.scope_string, s.name, s.description, s.advertised,
       s.allows_refresh_token, s.required_domains, s.suffix, c.name, c.visibility, c.project_id, c.resource_server, c.id";

/// The scopes behind these spellings, in no particular order; the unknown are left out.
pub fn list_by_strings<'a>(tx: &mut ReadTx, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<NamedScope>> {
    Ok(tx.fetch(&by_strings(names))?)
}

/// The same to be asked together with others.
pub fn by_strings<'a>(names: impl IntoIterator<Item = &'a str>) -> Query<NamedScope> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, names.into_iter().map(IntoValue::into_value));
    Query::new(
        format!(
            "SELECT n.scope_string, {COLUMNS}
               FROM scope_strings n JOIN scopes s ON s.id = n.scope_id JOIN clients c ON c.id = s.client_id
              WHERE n.scope_string IN ({list}) AND c.enabled = 1"
        ),
        values,
    )
}

/// The scopes that a token's consents are about, as they stand today.
pub fn of_token(hash: &TokenHash) -> Query<Scope> {
    Query::new(
        format!(
            "SELECT {COLUMNS}
               FROM token_consents k
               JOIN consents r ON r.id = k.consent_id
               JOIN scopes s ON s.id = r.scope_id
               JOIN clients c ON c.id = s.client_id
              WHERE k.token_hash = $1"
        ),
        params![*hash],
    )
}

/// A scope under the spelling that was asked for, with what an identity has approved of it.
#[derive(Clone, Debug)]
pub struct WithRoot {
    pub named: NamedScope,
    /// The approved root of the identity for the client.
    pub root: Option<ConsentId>,
    /// Whether the scope declares any dependency.
    pub has_dependencies: bool,
}

impl FromRow for WithRoot {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            named: NamedScope::from_row(row)?,
            root: row.take()?,
            has_dependencies: row.take()?,
        })
    }
}

/// The scopes behind these spellings, each with the approved root of this identity for
/// this client.
pub fn by_strings_with_root<'a>(
    identity_id: IdentityId,
    client_id: ClientId,
    names: impl IntoIterator<Item = &'a str>,
) -> Query<WithRoot> {
    let mut values = vec![identity_id.into_value(), client_id.into_value()];
    let list = super::in_list(&mut values, names.into_iter().map(IntoValue::into_value));
    Query::new(
        format!(
            "SELECT n.scope_string, {COLUMNS}, r.id,
                    EXISTS (SELECT 1 FROM scope_dependencies d WHERE d.scope_id = s.id)
               FROM scope_strings n JOIN scopes s ON s.id = n.scope_id JOIN clients c ON c.id = s.client_id
               LEFT JOIN consents r ON r.identity_id = $1 AND r.client_id = $2 AND r.scope_id = s.id
                                   AND r.parent_id IS NULL AND r.status = 'approved'
              WHERE n.scope_string IN ({list}) AND c.enabled = 1"
        ),
        values,
    )
}

pub fn list_by_ids(tx: &mut ReadTx, ids: impl IntoIterator<Item = ScopeId>) -> Result<Vec<Scope>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM scopes s JOIN clients c ON c.id = s.client_id WHERE s.id IN ({list})"),
        values,
    )?)
}

pub fn find(tx: &mut ReadTx, id: ScopeId) -> Result<Option<Scope>> {
    Ok(list_by_ids(tx, [id])?.pop())
}

pub fn get(tx: &mut ReadTx, id: ScopeId) -> Result<Scope> {
    find(tx, id)?.ok_or_else(|| Error::not_found("scope"))
}

/// Every scope, by its string. For operators.
pub fn list(tx: &mut ReadTx) -> Result<Vec<Scope>> {
    Ok(tx.fetch_all(
        &format!("SELECT {COLUMNS} FROM scopes s JOIN clients c ON c.id = s.client_id ORDER BY s.scope_string"),
        params![],
    )?)
}

/// The scopes of these clients, by their strings.
pub fn list_by_clients(tx: &mut ReadTx, clients: impl IntoIterator<Item = ClientId>) -> Result<Vec<Scope>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, clients.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!(
            "SELECT {COLUMNS} FROM scopes s JOIN clients c ON c.id = s.client_id
              WHERE s.client_id IN ({list}) ORDER BY s.scope_string"
        ),
        values,
    )?)
}

/// The scopes that every client may see, by name: advertised ones, and those of public
/// clients.
pub fn list_public(tx: &mut ReadTx, limit: i64) -> Result<Vec<Scope>> {
    Ok(tx.fetch_all(
        &format!(
            "SELECT {COLUMNS} FROM scopes s JOIN clients c ON c.id = s.client_id
              WHERE c.enabled = 1 AND (s.advertised = 1 OR c.visibility = 'public')
              ORDER BY s.name, s.id LIMIT $1"
        ),
        params![limit],
    )?)
}

/// How many other scopes need this one.
pub fn count_dependents(tx: &mut ReadTx, id: ScopeId) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM scope_dependencies WHERE dependent_scope_id = $1",
        params![id],
    )?)
}

/// Every spelling of a scope: the canonical one first, then by domain name.
pub fn list_strings(tx: &mut ReadTx, id: ScopeId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = tx.fetch_all(
        "SELECT scope_string FROM scope_strings WHERE scope_id = $1
          ORDER BY CASE WHEN fqdn IS NULL THEN 0 ELSE 1 END, fqdn",
        params![id],
    )?;
    Ok(rows.into_iter().map(|(string,)| string).collect())
}

/// Every spelling of all scopes of a client, in the same order.
pub fn list_strings_by_client(tx: &mut ReadTx, client_id: ClientId) -> Result<Vec<(ScopeId, String)>> {
    Ok(tx.fetch_all(
        "SELECT n.scope_id, n.scope_string FROM scopes s JOIN scope_strings n ON n.scope_id = s.id
          WHERE s.client_id = $1
          ORDER BY n.scope_id, CASE WHEN n.fqdn IS NULL THEN 0 ELSE 1 END, n.fqdn",
        params![client_id],
    )?)
}

/// Adds a spelling; false if a scope goes by it already.
pub fn insert_string(tx: &mut WriteTx, id: ScopeId, scope_string: &str, fqdn: Option<&str>) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO scope_strings (scope_string, scope_id, fqdn) VALUES ($1, $2, $3)
             ON CONFLICT (scope_string) DO NOTHING",
        params![scope_string, id, fqdn],
    )?;
    Ok(inserted == 1)
}

/// Takes every spelling away, before others are given.
pub fn delete_strings(tx: &mut WriteTx, id: ScopeId) -> Result<()> {
    tx.execute("DELETE FROM scope_strings WHERE scope_id = $1", params![id])?;
    Ok(())
}

pub fn update(tx: &mut WriteTx, scope: &Scope) -> Result<()> {
    tx.execute(
        "UPDATE scopes
            SET scope_string = $2, suffix = $3, name = $4, description = $5, advertised = $6,
                allows_refresh_token = $7, required_domains = $8
          WHERE id = $1",
        params![
            scope.id,
            &scope.scope_string,
            scope.suffix.clone(),
            &scope.name,
            &scope.description,
            scope.advertised,
            scope.allows_refresh_token,
            &scope.required_domains
        ],
    )?;
    Ok(())
}

/// Deletes a scope with its spellings, dependencies and consents, and all consents below
/// those. A token that also rests on other scopes keeps these; one that rests on nothing
/// else is dead.
///
/// A token that keeps others has to lose the row of this scope now, not when the cleanup
/// comes by: a row without a consent ends its token. Such tokens are looked for in the whole
/// table (0.24 s for a million rows on SQLite), because an index for it would be paid for by
/// every token that is issued. But a token is of one resource server, so there is nothing to
/// look for where its owner has no other scope, or nobody has consented to this one.
pub fn delete(tx: &mut WriteTx, id: ScopeId) -> Result<()> {
    let (shared,): (bool,) = tx.fetch_one(
        "SELECT EXISTS (SELECT 1 FROM consents WHERE scope_id = $1)
            AND EXISTS (SELECT 1 FROM scopes s JOIN scopes o ON o.client_id = s.client_id
                         WHERE s.id = $1 AND o.id <> s.id)",
        params![id],
    )?;
    if shared {
        tx.execute(
            "DELETE FROM token_consents WHERE consent_id IN (SELECT id FROM consents WHERE scope_id = $1)",
            params![id],
        )?;
    }
    tx.execute("DELETE FROM scopes WHERE id = $1", params![id])?;
    Ok(())
}

pub fn delete_dependencies(tx: &mut WriteTx, id: ScopeId) -> Result<()> {
    tx.execute("DELETE FROM scope_dependencies WHERE scope_id = $1", params![id])?;
    Ok(())
}

/// The ids of the scopes a client owns.
pub fn list_ids_by_client(tx: &mut ReadTx, client_id: ClientId) -> Result<Vec<ScopeId>> {
    let rows: Vec<(ScopeId,)> = tx.fetch_all(
        "SELECT id FROM scopes WHERE client_id = $1 ORDER BY scope_string",
        params![client_id],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// One static dependency: the owner of `scope_id` needs `dependent_scope_id` downstream.
#[derive(Clone, Copy, Debug)]
pub struct Dependency {
    pub scope_id: ScopeId,
    pub dependent_scope_id: ScopeId,
    pub optional: bool,
    pub requires_refresh_token: bool,
}

impl FromRow for Dependency {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            scope_id: row.take()?,
            dependent_scope_id: row.take()?,
            optional: row.take()?,
            requires_refresh_token: row.take()?,
        })
    }
}

/// The static dependencies of these scopes.
pub fn list_dependencies(tx: &mut ReadTx, ids: impl IntoIterator<Item = ScopeId>) -> Result<Vec<Dependency>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!(
            "SELECT scope_id, dependent_scope_id, optional, requires_refresh_token
               FROM scope_dependencies WHERE scope_id IN ({list}) ORDER BY scope_id, dependent_scope_id"
        ),
        values,
    )?)
}

/// What a new scope brings.
pub struct NewScope<'a> {
    pub id: ScopeId,
    pub client_id: ClientId,
    pub scope_string: &'a str,
    pub suffix: Option<&'a str>,
    pub name: &'a str,
    pub description: &'a str,
    pub advertised: bool,
    pub allows_refresh_token: bool,
    pub required_domains: &'a [String],
}

/// Inserts a scope with its canonical spelling, or brings name and description of a
/// built-in one up to date.
pub fn upsert(tx: &mut WriteTx, scope: &NewScope<'_>, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO scopes (id, client_id, scope_string, suffix, name, description, advertised,
                             allows_refresh_token, required_domains, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (id) DO UPDATE SET name = $5, description = $6",
        params![
            scope.id,
            scope.client_id,
            scope.scope_string,
            scope.suffix,
            scope.name,
            scope.description,
            scope.advertised,
            scope.allows_refresh_token,
            serde_json::json!(scope.required_domains).to_string(),
            now
        ],
    )?;
    tx.execute(
        "INSERT INTO scope_strings (scope_string, scope_id) VALUES ($1, $2) ON CONFLICT (scope_string) DO NOTHING",
        params![scope.scope_string, scope.id],
    )?;
    Ok(())
}

pub fn insert_dependency(tx: &mut WriteTx, dependency: &Dependency) -> Result<()> {
    tx.execute(
        "INSERT INTO scope_dependencies (scope_id, dependent_scope_id, optional, requires_refresh_token)
         VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope_id, dependent_scope_id) DO UPDATE SET optional = $3, requires_refresh_token = $4",
        params![
            dependency.scope_id,
            dependency.dependent_scope_id,
            dependency.optional,
            dependency.requires_refresh_token
        ],
    )?;
    Ok(())
}
