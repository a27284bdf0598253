//! The document of a project (wire.md 1.5), for the JSON interface and for the command line.

use portolan_db::ReadTx;
use portolan_types::api;
use uuid::Uuid;

use crate::error::Result;
use crate::store::identities::{self, Identity};
use crate::store::projects::{self, Project};

/// `admin` shows an admin as far as the reader may see them.
pub fn document(
    tx: &mut ReadTx,
    project: &Project,
    admin: impl Fn(&Identity) -> Result<api::Identity>,
) -> Result<api::Project> {
    let admin_ids = projects::list_admins(tx, project.id)?;
    let groups = project.admin_group_ids();
    let admins = identities::list_by_ids(tx, &admin_ids)?;
    let unknown = |id: &Uuid| api::Group {
        id: *id,
        name: None,
        description: None,
        organization: None,
    };
    Ok(api::Project {
        id: project.id,
        display_name: project.display_name.clone(),
        project_name: project.display_name.clone(),
        contact_email: project.contact_email.clone(),
        admins: api::ProjectAdmins {
            identities: admins.iter().map(admin).collect::<Result<_>>()?,
            groups: groups.iter().map(unknown).collect(),
        },
        admin_ids: Some(admin_ids).filter(|ids| !ids.is_empty()),
        admin_group_ids: Some(groups).filter(|ids| !ids.is_empty()),
    })
}
