//! Clients and their credentials. Only hashes of secrets are stored.

use portolan_db::{Error as DbError, FromRow, IntoValue, Query, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, CredentialId, IdentityProviderId, ProjectId, ScopeId, Timestamp, TokenHash};

use crate::error::{Error, Result};

/// This server as a resource: the built-in client that owns `openid` and its kin.
pub const AUTH: ClientId = ClientId::from_u128(0xe686_dd20_3a53_45a0_8d6f_0711_62d9_ef76);

/// A client as the table holds it (wire.md 1.6).
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    pub project_id: Option<ProjectId>,
    pub parent_client_id: Option<ClientId>,
    pub client_type: String,
    pub is_template: bool,
    pub is_instance: bool,
    /// What an instance of a template called itself.
    pub device_name: Option<String>,
    /// Space separated.
    pub grant_types: String,
    pub visibility: String,
    redirect_uris: String,
    pub terms_and_conditions: Option<String>,
    pub privacy_policy: Option<String>,
    pub required_idp: Option<IdentityProviderId>,
    pub preselect_idp: Option<IdentityProviderId>,
    requested_scopes: String,
    pub userinfo_from_effective_identity: bool,
    pub prompt_for_named_grant: bool,
    pub id_token_algorithm: Option<String>,
    pub resource_server: Option<String>,
    pub enabled: bool,
    pub created_at: Timestamp,
    pub first_used_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT id, name, project_id, parent_client_id, client_type, is_template, is_instance,
       device_name, grant_types, visibility, redirect_uris, terms_and_conditions, privacy_policy,
       required_idp, preselect_idp, requested_scopes, userinfo_from_effective_identity,
       prompt_for_named_grant, id_token_algorithm, resource_server, enabled, created_at, first_used_at
  FROM clients";

impl FromRow for Client {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            name: row.take()?,
            project_id: row.take()?,
            parent_client_id: row.take()?,
            client_type: row.take()?,
            is_template: row.take()?,
            is_instance: row.take()?,
            device_name: row.take()?,
            grant_types: row.take()?,
            visibility: row.take()?,
            redirect_uris: row.take()?,
            terms_and_conditions: row.take()?,
            privacy_policy: row.take()?,
            required_idp: row.take()?,
            preselect_idp: row.take()?,
            requested_scopes: row.take()?,
            userinfo_from_effective_identity: row.take()?,
            prompt_for_named_grant: row.take()?,
            id_token_algorithm: row.take()?,
            resource_server: row.take()?,
            enabled: row.take()?,
            created_at: row.take()?,
            first_used_at: row.take()?,
        })
    }
}

impl Client {
    /// An enabled client with nothing but an id, a name and a type; callers set the rest.
    pub fn new(id: ClientId, name: impl Into<String>, client_type: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id,
            name: name.into(),
            project_id: None,
            parent_client_id: None,
            client_type: client_type.into(),
            is_template: false,
            is_instance: false,
            device_name: None,
            grant_types: String::new(),
            visibility: "private".into(),
            redirect_uris: "[]".into(),
            terms_and_conditions: None,
            privacy_policy: None,
            required_idp: None,
            preselect_idp: None,
            requested_scopes: "[]".into(),
            userinfo_from_effective_identity: true,
            prompt_for_named_grant: false,
            id_token_algorithm: None,
            resource_server: None,
            enabled: true,
            created_at,
            first_used_at: None,
        }
    }

    pub fn is_public(&self) -> bool {
        is_public(&self.client_type)
    }

    pub fn redirect_uris(&self) -> Vec<String> {
        super::json_list(&self.redirect_uris)
    }

    pub fn set_redirect_uris(&mut self, uris: &[String]) {
        self.redirect_uris = serde_json::json!(uris).to_string();
    }

    pub fn requested_scopes(&self) -> Vec<String> {
        super::json_list(&self.requested_scopes)
    }

    /// Scope ids, as old tooling sets them; nothing enforces them.
    pub fn set_requested_scopes(&mut self, ids: &[ScopeId]) {
        let ids: Vec<String> = ids.iter().map(ScopeId::to_string).collect();
        self.requested_scopes = serde_json::json!(ids).to_string();
    }

    /// The name that stands for this client as a resource server in token answers.
    pub fn resource_server_name(&self) -> String {
        self.resource_server.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// Whether clients of this type have no secret.
fn is_public(client_type: &str) -> bool {
    client_type.starts_with("public_")
}

pub fn find(tx: &mut ReadTx, id: ClientId) -> Result<Option<Client>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE id = $1"), params![id])?)
}

/// The client with the hashes its secrets are compared with: every call of a client begins
/// with it. A row for each secret.
pub fn with_secrets(id: ClientId) -> Query<WithSecret> {
    Query::new(
        "SELECT c.id, c.name, c.project_id, c.parent_client_id, c.client_type, c.is_template, c.is_instance,
                c.device_name, c.grant_types, c.visibility, c.redirect_uris, c.terms_and_conditions,
                c.privacy_policy, c.required_idp, c.preselect_idp, c.requested_scopes,
                c.userinfo_from_effective_identity, c.prompt_for_named_grant, c.id_token_algorithm,
                c.resource_server, c.enabled, c.created_at, c.first_used_at, i.generation, k.hash
           FROM clients c
           LEFT JOIN client_credentials k ON k.client_id = c.id
           LEFT JOIN identities i ON i.id = c.id AND i.enabled = 1 AND i.status <> 'closed'
                                 AND EXISTS (SELECT 1 FROM identity_providers p
                                              WHERE p.id = i.identity_provider_id AND p.enabled = 1)
          WHERE c.id = $1",
        params![id],
    )
}

/// The same for a caller of which nothing else is needed: introspection begins with it.
pub fn hashes(id: ClientId) -> Query<WithHash> {
    Query::new(
        "SELECT c.client_type, c.enabled, k.hash
           FROM clients c LEFT JOIN client_credentials k ON k.client_id = c.id WHERE c.id = $1",
        params![id],
    )
}

/// A row of [`hashes`].
pub struct WithHash {
    client_type: String,
    pub enabled: bool,
    pub hash: Option<TokenHash>,
}

impl WithHash {
    pub fn is_public(&self) -> bool {
        is_public(&self.client_type)
    }
}

impl FromRow for WithHash {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            client_type: row.take()?,
            enabled: row.take()?,
            hash: row.take()?,
        })
    }
}

/// A row of [`with_secrets`].
pub struct WithSecret(Client, Option<i64>, Option<TokenHash>);

impl FromRow for WithSecret {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self(Client::from_row(row)?, row.take()?, row.take()?))
    }
}

/// A client and what proves that somebody is it.
#[derive(Clone, Debug)]
pub struct Provable {
    pub client: Client,
    /// The generation of its own identity; none if it has none or that is disabled.
    pub generation: Option<i64>,
    pub hashes: Vec<TokenHash>,
}

impl Provable {
    pub fn from_rows(rows: Vec<WithSecret>) -> Option<Self> {
        let mut rows = rows.into_iter();
        let WithSecret(client, generation, hash) = rows.next()?;
        let hashes = hash.into_iter().chain(rows.filter_map(|WithSecret(_, _, hash)| hash));
        Some(Self {
            hashes: hashes.collect(),
            client,
            generation,
        })
    }
}

pub fn get(tx: &mut ReadTx, id: ClientId) -> Result<Client> {
    find(tx, id)?.ok_or_else(|| Error::not_found("client"))
}

/// Several at once, in no particular order; the unknown are left out.
pub fn list_by_ids(tx: &mut ReadTx, ids: impl IntoIterator<Item = ClientId>) -> Result<Vec<Client>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(&format!("{SELECT} WHERE id IN ({list})"), values)?)
}

/// Every client, by name. For operators.
pub fn list(tx: &mut ReadTx) -> Result<Vec<Client>> {
    Ok(tx.fetch_all(&format!("{SELECT} ORDER BY name, id"), params![])?)
}

/// The clients of this name, for operators. What devices call themselves does not count.
pub fn list_by_name(tx: &mut ReadTx, name: &str) -> Result<Vec<Client>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE name = $1 AND is_instance = 0 ORDER BY id"),
        params![name],
    )?)
}

/// Clients whose name begins so, by name, behind the one whose name and id are `after`. What
/// devices registered does not count. Case counts only beyond ASCII.
pub fn search(tx: &mut ReadTx, prefix: &str, after: (&str, ClientId), limit: i64) -> Result<Vec<Client>> {
    Ok(tx.fetch_all(
        &format!(
            "{SELECT} WHERE lower(name) >= lower(cast($1 AS TEXT)) AND lower(name) < lower(cast($2 AS TEXT))
                        AND is_instance = 0 AND (lower(name), id) > (lower(cast($3 AS TEXT)), $4)
                      ORDER BY lower(name), id LIMIT $5"
        ),
        params![prefix, super::end_of(prefix), after.0, after.1, limit],
    )?)
}

/// Switches a client off or on, together with the instances that devices made of it. Their
/// tokens of before end with it.
pub fn set_enabled(tx: &mut WriteTx, id: ClientId, enabled: bool, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE clients SET enabled = $2, switched_at = $3 WHERE id = $1",
        params![id, enabled, now],
    )?;
    tx.execute(
        "UPDATE clients SET enabled = $2, switched_at = $3 WHERE parent_client_id = $1 AND is_instance = 1",
        params![id, enabled, now],
    )?;
    Ok(())
}

/// How many people allowed a client something, up to `most`.
pub fn count_people(tx: &mut ReadTx, id: ClientId, most: i64) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM (SELECT DISTINCT identity_id FROM consents WHERE client_id = $1 LIMIT $2) AS people",
        params![id, most],
    )?)
}

pub fn insert(tx: &mut WriteTx, client: &Client) -> Result<()> {
    tx.execute(
        "INSERT INTO clients (id, name, project_id, parent_client_id, client_type, is_template, is_instance,
                              device_name, grant_types, visibility, redirect_uris, terms_and_conditions,
                              privacy_policy, required_idp, preselect_idp, requested_scopes,
                              userinfo_from_effective_identity, prompt_for_named_grant, id_token_algorithm,
                              resource_server, enabled, created_at, first_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        params![
            client.id,
            &client.name,
            client.project_id,
            client.parent_client_id,
            &client.client_type,
            client.is_template,
            client.is_instance,
            client.device_name.clone(),
            &client.grant_types,
            &client.visibility,
            &client.redirect_uris,
            client.terms_and_conditions.clone(),
            client.privacy_policy.clone(),
            client.required_idp,
            client.preselect_idp,
            &client.requested_scopes,
            client.userinfo_from_effective_identity,
            client.prompt_for_named_grant,
            client.id_token_algorithm.clone(),
            client.resource_server.clone(),
            client.enabled,
            client.created_at,
            client.first_used_at,
        ],
    )?;
    Ok(())
}

/// The clients of these projects, by name.
pub fn list_by_projects(tx: &mut ReadTx, projects: impl IntoIterator<Item = ProjectId>) -> Result<Vec<Client>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, projects.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE project_id IN ({list}) ORDER BY name, id"),
        values,
    )?)
}

/// The children of a client, or the instances of a template, by name.
pub fn list_children(tx: &mut ReadTx, parent: ClientId) -> Result<Vec<Client>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE parent_client_id = $1 ORDER BY name, id"),
        params![parent],
    )?)
}

/// Writes what a client's owner may change.
pub fn update(tx: &mut WriteTx, client: &Client) -> Result<()> {
    tx.execute(
        "UPDATE clients
            SET name = $2, visibility = $3, redirect_uris = $4, terms_and_conditions = $5, privacy_policy = $6,
                required_idp = $7, preselect_idp = $8, requested_scopes = $9, resource_server = $10, enabled = $11
          WHERE id = $1",
        params![
            client.id,
            &client.name,
            &client.visibility,
            &client.redirect_uris,
            client.terms_and_conditions.clone(),
            client.privacy_policy.clone(),
            client.required_idp,
            client.preselect_idp,
            &client.requested_scopes,
            client.resource_server.clone(),
            client.enabled,
        ],
    )?;
    Ok(())
}

/// Deletes the client with everything that hangs on it: credentials, scopes, consents,
/// codes and so every token. Children stay, without a parent.
pub fn delete(tx: &mut WriteTx, id: ClientId) -> Result<()> {
    tx.execute(
        "UPDATE clients SET parent_client_id = NULL WHERE parent_client_id = $1",
        params![id],
    )?;
    tx.execute("DELETE FROM clients WHERE id = $1", params![id])?;
    Ok(())
}

/// How many instances a template has.
pub fn count_children(tx: &mut ReadTx, id: ClientId) -> Result<i64> {
    Ok(tx.fetch_one("SELECT count(*) FROM clients WHERE parent_client_id = $1", params![id])?)
}

/// Instances that nobody has logged in with yet; bounded because anybody may register one.
pub fn count_unused_instances(tx: &mut ReadTx) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM clients WHERE is_instance = 1 AND first_used_at IS NULL",
        params![],
    )?)
}

/// Notes the first use of an instance, so that cleanup keeps it.
pub fn mark_used(tx: &mut WriteTx, id: ClientId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE clients SET first_used_at = $2 WHERE id = $1 AND first_used_at IS NULL",
        params![id, now],
    )?;
    Ok(())
}

/// A client credential without its secret (wire.md 1.8).
#[derive(Clone, Debug)]
pub struct Credential {
    pub id: CredentialId,
    pub client_id: ClientId,
    pub name: String,
    pub created_at: Timestamp,
}

impl FromRow for Credential {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            client_id: row.take()?,
            name: row.take()?,
            created_at: row.take()?,
        })
    }
}

pub fn insert_credential(tx: &mut WriteTx, credential: &Credential, hash: &TokenHash) -> Result<()> {
    tx.execute(
        "INSERT INTO client_credentials (id, client_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        params![
            credential.id,
            credential.client_id,
            &credential.name,
            *hash,
            credential.created_at
        ],
    )?;
    Ok(())
}

pub fn list_credentials(tx: &mut ReadTx, client_id: ClientId) -> Result<Vec<Credential>> {
    Ok(tx.fetch_all(
        "SELECT id, client_id, name, created_at FROM client_credentials WHERE client_id = $1 ORDER BY created_at, id",
        params![client_id],
    )?)
}

/// Ends new authentications with this credential; tokens it got live on (wire.md 1.8).
pub fn delete_credential(tx: &mut WriteTx, client_id: ClientId, id: CredentialId) -> Result<Option<Credential>> {
    Ok(tx.fetch_optional(
        "DELETE FROM client_credentials WHERE id = $1 AND client_id = $2 RETURNING id, client_id, name, created_at",
        params![id, client_id],
    )?)
}

/// The verified domain names of a client, the oldest first.
pub fn list_fqdns(tx: &mut ReadTx, client_id: ClientId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = tx.fetch_all(
        "SELECT fqdn FROM client_fqdns WHERE client_id = $1 ORDER BY added_at, fqdn",
        params![client_id],
    )?;
    Ok(rows.into_iter().map(|(fqdn,)| fqdn).collect())
}

/// The client that registered a domain name, given in lower case.
pub fn find_by_fqdn(tx: &mut ReadTx, fqdn: &str) -> Result<Option<Client>> {
    Ok(tx.fetch_optional(
        &format!("{SELECT} WHERE id = (SELECT client_id FROM client_fqdns WHERE fqdn = $1)"),
        params![fqdn],
    )?)
}

/// Whether another client goes by this name in token answers.
pub fn is_resource_server_name_taken(tx: &mut ReadTx, name: &str, besides: ClientId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional(
        "SELECT 1 FROM clients WHERE resource_server = $1 AND id <> $2 LIMIT 1",
        params![name, besides],
    )?;
    Ok(row.is_some())
}

/// False if the name is registered already.
pub fn insert_fqdn(tx: &mut WriteTx, client_id: ClientId, fqdn: &str, now: Timestamp) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO client_fqdns (fqdn, client_id, added_at) VALUES ($1, $2, $3) ON CONFLICT (fqdn) DO NOTHING",
        params![fqdn, client_id, now],
    )?;
    Ok(inserted == 1)
}
