//! Projects: the owner groups of clients and policies (wire.md 1.5).

use portolan_db::{ReadTx, WriteTx, params};
use portolan_types::{IdentityId, ProjectId, Timestamp};

use crate::error::Result;

pub fn insert(tx: &mut WriteTx, id: ProjectId, display_name: &str, contact_email: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO projects (id, display_name, contact_email, admin_group_ids, created_at)
         VALUES ($1, $2, $3, '[]', $4)
             ON CONFLICT (id) DO NOTHING",
        params![id, display_name, contact_email, now],
    )?;
    Ok(())
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

pub fn insert_admin(tx: &mut WriteTx, id: ProjectId, identity_id: IdentityId) -> Result<()> {
    tx.execute(
        "INSERT INTO project_admins (project_id, identity_id) VALUES ($1, $2)
             ON CONFLICT (project_id, identity_id) DO NOTHING",
        params![id, identity_id],
    )?;
    Ok(())
}
