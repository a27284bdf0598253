//! Authentication policies (wire.md 1.13), and the unlisted one that each project has for
//! its session gate (wire.md 3.7).

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityId, PolicyId, ProjectId, Timestamp};

use crate::error::{Error, Result};

#[derive(Clone, Debug)]
pub struct Policy {
    pub id: PolicyId,
    pub project_id: ProjectId,
    pub display_name: String,
    pub description: String,
    pub high_assurance: bool,
    /// Seconds.
    pub authentication_assurance_timeout: Option<i64>,
    pub required_mfa: bool,
    pub domain_constraints_include: Option<Vec<String>>,
    pub domain_constraints_exclude: Option<Vec<String>>,
    /// Generated for the session gate of its project.
    pub unlisted: bool,
    /// Only these identities count; of the project's admins for an unlisted policy.
    pub only_identities: Option<Vec<IdentityId>>,
}

impl FromRow for Policy {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let list = |row: &mut Row| {
            row.take::<Option<String>>()
                .map(|text| text.map(|text| super::json_list(&text)))
        };
        Ok(Self {
            id: row.take()?,
            project_id: row.take()?,
            display_name: row.take()?,
            description: row.take()?,
            high_assurance: row.take()?,
            authentication_assurance_timeout: row.take()?,
            required_mfa: row.take()?,
            domain_constraints_include: list(row)?,
            domain_constraints_exclude: list(row)?,
            unlisted: row.take()?,
            only_identities: None,
        })
    }
}

const SELECT: &str = "SELECT id, project_id, display_name, description, high_assurance,
       authentication_assurance_timeout, required_mfa, domain_constraints_include, domain_constraints_exclude, unlisted
  FROM policies";

/// How recent the authentication of a project's admin must be.
pub const ADMIN_SESSION_SECONDS: i64 = 1800;

/// Several at once, ready to be evaluated; the unknown are left out.
pub fn list_by_ids(tx: &mut ReadTx, ids: &[PolicyId]) -> Result<Vec<Policy>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    let mut found: Vec<Policy> = tx.fetch_all(&format!("{SELECT} WHERE id IN ({list})"), values)?;
    for policy in found.iter_mut().filter(|policy| policy.unlisted) {
        policy.only_identities = Some(super::projects::list_admins(tx, policy.project_id)?);
    }
    Ok(found)
}

/// A listed policy.
pub fn find(tx: &mut ReadTx, id: PolicyId) -> Result<Option<Policy>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE id = $1 AND unlisted = 0"), params![id])?)
}

pub fn get(tx: &mut ReadTx, id: PolicyId) -> Result<Policy> {
    find(tx, id)?.ok_or_else(|| Error::not_found("policy"))
}

/// Every listed policy, by name. For operators.
pub fn list(tx: &mut ReadTx) -> Result<Vec<Policy>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE unlisted = 0 ORDER BY display_name, id"),
        params![],
    )?)
}

/// The listed policies of these projects, by name.
pub fn list_by_projects(tx: &mut ReadTx, projects: impl IntoIterator<Item = ProjectId>) -> Result<Vec<Policy>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, projects.into_iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE project_id IN ({list}) AND unlisted = 0 ORDER BY display_name, id"),
        values,
    )?)
}

fn json(list: &Option<Vec<String>>) -> Option<String> {
    list.as_ref().map(|list| serde_json::json!(list).to_string())
}

pub fn insert(tx: &mut WriteTx, policy: &Policy, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO policies (id, project_id, display_name, description, high_assurance,
                               authentication_assurance_timeout, required_mfa, domain_constraints_include,
                               domain_constraints_exclude, unlisted, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            policy.id,
            policy.project_id,
            &policy.display_name,
            &policy.description,
            policy.high_assurance,
            policy.authentication_assurance_timeout,
            policy.required_mfa,
            json(&policy.domain_constraints_include),
            json(&policy.domain_constraints_exclude),
            policy.unlisted,
            now
        ],
    )?;
    Ok(())
}

/// The policy of a project's session gate: an admin of the project signed in lately. Who
/// the admins are is looked up when it is evaluated.
pub fn insert_admin_policy(tx: &mut WriteTx, id: PolicyId, project_id: ProjectId, now: Timestamp) -> Result<()> {
    let policy = Policy {
        id,
        project_id,
        display_name: "Project administrators".into(),
        description: "An administrator of the project who signed in within the last 30 minutes".into(),
        high_assurance: true,
        authentication_assurance_timeout: Some(ADMIN_SESSION_SECONDS),
        required_mfa: false,
        domain_constraints_include: None,
        domain_constraints_exclude: None,
        unlisted: true,
        only_identities: None,
    };
    insert(tx, &policy, now)
}

/// Everything but the id and `high_assurance`, which never changes.
pub fn update(tx: &mut WriteTx, policy: &Policy) -> Result<()> {
    tx.execute(
        "UPDATE policies
            SET project_id = $2, display_name = $3, description = $4, authentication_assurance_timeout = $5,
                required_mfa = $6, domain_constraints_include = $7, domain_constraints_exclude = $8
          WHERE id = $1",
        params![
            policy.id,
            policy.project_id,
            &policy.display_name,
            &policy.description,
            policy.authentication_assurance_timeout,
            policy.required_mfa,
            json(&policy.domain_constraints_include),
            json(&policy.domain_constraints_exclude)
        ],
    )?;
    Ok(())
}

pub fn delete(tx: &mut WriteTx, id: PolicyId) -> Result<()> {
    tx.execute("DELETE FROM policies WHERE id = $1", params![id])?;
    Ok(())
}
