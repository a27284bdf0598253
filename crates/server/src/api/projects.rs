//! Projects, wire.md 2.6.1.

use axum::extract::Path;
use axum::response::Response;
use portolan_db::ReadTx;
use portolan_types::ProjectId;
use portolan_types::api::{self, ProjectChanges};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identities::Reader;
use super::{Call, Known, created, ok};
use crate::domain::project;
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::openapi::{CallRefused, Conflict, Forbidden, NotFound, TooLarge, request_body};
use crate::store::projects::{self, Project};

#[derive(Deserialize)]
pub struct ProjectBody {
    project: ProjectChanges,
}

request_body! {
    /// Makes a project.
    NewProject { "project": ProjectChanges }
    required: ["display_name", "contact_email", "admin_ids"],
    optional: [],
    nullable: ["admin_group_ids"],
    example: {
        "display_name": "Beamline",
        "contact_email": "beamline@example.edu",
        "admin_ids": ["9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"]
    }
}

request_body! {
    /// Changes a project.
    ProjectUpdate { "project": ProjectChanges }
    required: [],
    optional: ["display_name", "contact_email", "admin_ids"],
    nullable: ["admin_group_ids"],
    example: { "display_name": "Beamline 7" }
}

#[derive(Serialize, ToSchema)]
struct ProjectAnswer {
    project: api::Project,
}

#[derive(Serialize, ToSchema)]
struct ProjectsAnswer {
    projects: Vec<api::Project>,
}

/// `GET /v2/api/projects`: those that the caller administers.
#[utoipa::path(
    get,
    path = "/v2/api/projects",
    tag = "Projects",
    summary = "List the projects that the caller administers",
    responses((status = 200, description = "The projects.", body = ProjectsAnswer), CallRefused, Forbidden),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn list_projects(call: Call) -> Result<Response> {
    let answer = call
        .read(|tx, known| {
            let found = known.manager(tx)?.list_projects(tx)?;
            let projects = found
                .iter()
                .map(|project| document(tx, known, project))
                .collect::<Result<_>>()?;
            Ok(ProjectsAnswer { projects })
        })
        .await?;
    Ok(ok(answer))
}

/// `GET /v2/api/projects/{project_id}`
#[utoipa::path(
    get,
    path = "/v2/api/projects/{project_id}",
    tag = "Projects",
    summary = "Read a project",
    params(("project_id" = portolan_types::ProjectId, Path)),
    responses((status = 200, description = "The project.", body = ProjectAnswer), CallRefused, Forbidden, NotFound),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn get_project(call: Call, Path(id): Path<String>) -> Result<Response> {
    let answer = call
        .read(move |tx, known| {
            let manager = known.manager(tx)?;
            let project = projects::get(tx, parse(&id)?)?;
            if !manager.administers(tx, project.id)? {
                return Err(Error::forbidden("you do not administer this project"));
            }
            answer(tx, known, &project)
        })
        .await?;
    Ok(ok(answer))
}

/// `POST /v2/api/projects`: open to every person and client; the gate is for projects that exist.
#[utoipa::path(
    post,
    path = "/v2/api/projects",
    tag = "Projects",
    summary = "Make a project",
    description = "The caller is among its admins only if named.",
    request_body = NewProject,
    responses(
        (status = 201, description = "The new project.", body = ProjectAnswer),
        CallRefused, Forbidden, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_project(call: Call, Json(body): Json<ProjectBody>) -> Result<Response> {
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let project = project::create(tx, &known.ctx, &manager, &body.project)?;
            answer(tx, known, &project)
        })
        .await?;
    Ok(created(answer))
}

/// `PUT /v2/api/projects/{project_id}`
#[utoipa::path(
    put,
    path = "/v2/api/projects/{project_id}",
    tag = "Projects",
    summary = "Change a project",
    description = "Only what is named changes; lists are replaced.",
    params(("project_id" = portolan_types::ProjectId, Path)),
    request_body = ProjectUpdate,
    responses(
        (status = 200, description = "The project as it is now.", body = ProjectAnswer),
        CallRefused, Forbidden, NotFound, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn update_project(call: Call, Path(id): Path<String>, Json(body): Json<ProjectBody>) -> Result<Response> {
    let (asked, changes) = (id.clone(), body.project.clone());
    let tells = call
        .read(move |tx, known| {
            let manager = known.manager(tx)?;
            project::tells_contact(tx, &known.ctx, &manager, parse(&asked)?, &changes)
        })
        .await?;
    if tells {
        call.mail_request()?;
    }
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let project = project::update(tx, &known.ctx, &manager, parse(&id)?, &body.project)?;
            answer(tx, known, &project)
        })
        .await?;
    Ok(ok(answer))
}

/// `DELETE /v2/api/projects/{project_id}`
#[utoipa::path(
    delete,
    path = "/v2/api/projects/{project_id}",
    tag = "Projects",
    summary = "Delete an empty project",
    params(("project_id" = portolan_types::ProjectId, Path)),
    responses(
        (status = 200, description = "The project as it was.", body = ProjectAnswer),
        CallRefused, Forbidden, NotFound, Conflict,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn delete_project(call: Call, Path(id): Path<String>) -> Result<Response> {
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let id = parse(&id)?;
            let before = projects::get(tx, id)?;
            let answer = answer(tx, known, &before)?;
            project::delete(tx, &known.ctx, &manager, id)?;
            Ok(answer)
        })
        .await?;
    Ok(ok(answer))
}

fn parse(id: &str) -> Result<ProjectId> {
    id.parse().map_err(|_| Error::not_found("project"))
}

fn answer(tx: &mut ReadTx, known: &Known, project: &Project) -> Result<ProjectAnswer> {
    Ok(ProjectAnswer {
        project: document(tx, known, project)?,
    })
}

/// The document of wire.md 1.5; the identities of the admins as the caller may see them.
fn document(tx: &mut ReadTx, known: &Known, project: &Project) -> Result<api::Project> {
    let reader = Reader::of(tx, &known.caller)?;
    project::document(tx, project, |admin| reader.document(admin))
}
