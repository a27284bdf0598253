//! Projects: the owner groups of clients and policies, and who administers them (wire.md 1.5).

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityId, PolicyId, ProjectId, Timestamp};
use uuid::Uuid;

use crate::app::new_uuid;
use crate::error::{Error, Result};

/// The project of the built-in resource servers. It has no list of admins: the server's
/// administrators are its admins (decisions, section 8).
pub const BUILT_IN: ProjectId = ProjectId::from_u128(0x12b3_b264_f07c_4fa9_9941_2c7b_e4c2_ec5d);

#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    pub display_name: String,
    pub contact_email: String,
    admin_group_ids: String,
    /// The generated policy of the session gate.
    pub admin_policy_id: Option<PolicyId>,
    pub created_at: Timestamp,
}

const SELECT: &str =
    "SELECT id, display_name, contact_email, admin_group_ids, admin_policy_id, created_at FROM projects";

impl FromRow for Project {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            display_name: row.take()?,
            contact_email: row.take()?,
            admin_group_ids: row.take()?,
            admin_policy_id: row.take()?,
            created_at: row.take()?,
        })
    }
}

impl Project {
    /// Stored and echoed; without a Groups service they give no rights.
    pub fn admin_group_ids(&self) -> Vec<Uuid> {
        super::json_list(&self.admin_group_ids)
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect()
    }

    pub fn set_admin_group_ids(&mut self, ids: &[Uuid]) {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        self.admin_group_ids = serde_json::json!(ids).to_string();
    }
}

/// Inserts a project without admins, and the unlisted policy of its session gate. One that
/// exists stays as it is.
pub fn insert(tx: &mut WriteTx, id: ProjectId, display_name: &str, contact_email: &str, now: Timestamp) -> Result<()> {
    let inserted = tx.execute(
        "INSERT INTO projects (id, display_name, contact_email, admin_group_ids, created_at)
         VALUES ($1, $2, $3, '[]', $4)
             ON CONFLICT (id) DO NOTHING",
        params![id, display_name, contact_email, now],
    )?;
    if inserted == 0 {
        return Ok(());
    }
    let policy_id = PolicyId(new_uuid());
    super::policies::insert_admin_policy(tx, policy_id, id, now)?;
    tx.execute(
        "UPDATE projects SET admin_policy_id = $2 WHERE id = $1",
        params![id, policy_id],
    )?;
    Ok(())
}

pub fn find(tx: &mut ReadTx, id: ProjectId) -> Result<Option<Project>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE id = $1"), params![id])?)
}

pub fn get(tx: &mut ReadTx, id: ProjectId) -> Result<Project> {
    find(tx, id)?.ok_or_else(|| Error::not_found("project"))
}

pub fn find_by_name(tx: &mut ReadTx, display_name: &str) -> Result<Option<ProjectId>> {
    let row: Option<(ProjectId,)> = tx.fetch_optional(
        "SELECT id FROM projects WHERE display_name = $1 ORDER BY created_at, id LIMIT 1",
        params![display_name],
    )?;
    Ok(row.map(|(id,)| id))
}

pub fn exists(tx: &mut ReadTx, id: ProjectId) -> Result<bool> {
    let row: Option<(i64,)> = tx.fetch_optional("SELECT 1 FROM projects WHERE id = $1", params![id])?;
    Ok(row.is_some())
}

/// Every project, by name. For operators.
pub fn list(tx: &mut ReadTx) -> Result<Vec<Project>> {
    Ok(tx.fetch_all(&format!("{SELECT} ORDER BY display_name, id"), params![])?)
}

/// The projects that one of these identities administers, by name.
pub fn list_by_admins(tx: &mut ReadTx, identities: &[IdentityId]) -> Result<Vec<Project>> {
    let mut values = vec![BUILT_IN.into_value()];
    let list = super::in_list(&mut values, identities.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "{SELECT}
              WHERE id IN (SELECT project_id FROM project_admins WHERE identity_id IN ({list})
                            UNION ALL
                           SELECT id FROM projects
                            WHERE id = $1 AND EXISTS (SELECT 1 FROM administrators WHERE identity_id IN ({list})))
              ORDER BY display_name, id"
        ),
        values,
    )?)
}

/// Who administers a project: live or not, in no particular order of rank.
pub fn list_admins(tx: &mut ReadTx, id: ProjectId) -> Result<Vec<IdentityId>> {
    let rows: Vec<(IdentityId,)> = if id == BUILT_IN {
        tx.fetch_all(
            "SELECT identity_id FROM administrators ORDER BY added_at, identity_id",
            params![],
        )?
    } else {
        tx.fetch_all(
            "SELECT identity_id FROM project_admins WHERE project_id = $1 ORDER BY identity_id",
            params![id],
        )?
    };
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub fn insert_admin(tx: &mut WriteTx, id: ProjectId, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "INSERT INTO project_admins (project_id, identity_id) VALUES ($1, $2)
             ON CONFLICT (project_id, identity_id) DO NOTHING",
        params![id, identity_id],
    )?;
    Ok(())
}

pub fn replace_admins(tx: &mut WriteTx, id: ProjectId, identities: &[IdentityId]) -> Result<()> {
    tx.execute("DELETE FROM project_admins WHERE project_id = $1", params![id])?;
    for identity_id in identities {
        insert_admin(tx, id, *identity_id)?;
    }
    Ok(())
}

pub fn update(tx: &mut WriteTx, project: &Project) -> Result<()> {
    tx.execute(
        "UPDATE projects SET display_name = $2, contact_email = $3, admin_group_ids = $4 WHERE id = $1",
        params![
            project.id,
            &project.display_name,
            &project.contact_email,
            &project.admin_group_ids
        ],
    )?;
    Ok(())
}

/// How many clients and listed policies a project holds.
pub fn count_contents(tx: &mut ReadTx, id: ProjectId) -> Result<(i64, i64)> {
    Ok(tx.fetch_one(
        "SELECT (SELECT count(*) FROM clients WHERE project_id = $1),
                (SELECT count(*) FROM policies WHERE project_id = $1 AND unlisted = 0)",
        params![id],
    )?)
}

/// How many clients each of these projects holds; those without any are left out.
pub fn count_clients_by_projects(tx: &mut ReadTx, projects: &[ProjectId]) -> Result<Vec<(ProjectId, i64)>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, projects.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!("SELECT project_id, count(*) FROM clients WHERE project_id IN ({list}) GROUP BY project_id"),
        values,
    )?)
}

/// Deletes an empty project with its admins and the policy of its gate.
pub fn delete(tx: &mut WriteTx, id: ProjectId) -> Result<()> {
    tx.execute("DELETE FROM projects WHERE id = $1", params![id])?;
    Ok(())
}
