//! Who administers a project: shown, added, removed.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{IdentityId, ProjectId};

use super::projects::{place, show_removal};
use super::{Developer, Page, Visit, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::identity::typed_username;
use crate::domain::project;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::CLIENTS;
use crate::store::projects::{self as store, BUILT_IN, Project};
use crate::web::pages::FormErrors;
use crate::web::pages::developers::{AdminRow, NewAdminPage, Removal, RemovalPage};
use crate::web::render;

/// The admins of a project in full.
pub(super) struct Admins(Vec<Identity>);

impl Admins {
    pub(super) fn of(tx: &mut ReadTx, project: &Project) -> Result<Self> {
        let ids = store::list_admins(tx, project.id)?;
        let mut admins = identities::list_by_ids(tx, &ids)?;
        admins.sort_by(|a, b| a.username.cmp(&b.username));
        Ok(Self(admins))
    }

    pub(super) fn contains(&self, id: IdentityId) -> bool {
        self.0.iter().any(|admin| admin.id == id)
    }

    /// Whether the project needs this one: one that is live has to stay.
    pub(super) fn needs(&self, id: IdentityId) -> bool {
        !self.0.iter().any(|admin| admin.id != id && admin.is_live())
    }

    pub(super) fn rows(&self, project: &Project, developer: &Developer) -> Vec<AdminRow> {
        let row = |admin: &Identity| AdminRow {
            username: admin.username.clone(),
            name: admin.name.clone(),
            is_self: developer.is_self(admin.id),
            is_client: admin.provider_id == CLIENTS,
            is_live: admin.is_live(),
            remove: (project.id != BUILT_IN).then(|| inside(&place(project, &format!("/admins/{}", admin.id)))),
        };
        self.0.iter().map(row).collect()
    }
}

/// `GET /p/developers/projects/{project_id}/admins`
pub async fn new_admin_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("projects/{id}/admins"));
    let who = params.get("who").unwrap_or("").to_owned();
    show_new_admin(&visit, id, who, FormErrors::none()).await
}

async fn show_new_admin(visit: &Visit, id: String, who: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (project, admins)) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &id)?;
            let admins = Admins::of(tx, &project)?;
            Ok((project, admins))
        })
        .await?;
    let page = NewAdminPage {
        layout: visit.layout(visit.ctx.text("developers-add-admin"), &developer),
        trail: visit.trail_in_project(&project),
        action: inside(&place(&project, "/admins")),
        form_token: visit.form_token(),
        project: project.display_name.clone(),
        who,
        mine: developer
            .set
            .iter()
            .filter(|identity| !admins.contains(identity.id))
            .map(|identity| identity.username.clone())
            .collect(),
        cancel: inside(&place(&project, "")),
        errors,
    };
    let mut response = render(&page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// Who is meant by what somebody typed: an id, or a username with or without the local domain.
enum Named {
    Somebody(Box<Identity>),
    SwitchedOff,
    Nobody,
}

fn find_named(tx: &mut ReadTx, app: &App, typed: &str) -> Result<Named> {
    let found = match typed.parse::<IdentityId>() {
        Ok(id) => identities::find(tx, id)?,
        Err(_) => identities::find_by_username(tx, &typed_username(typed, &app.config.local_domain))?,
    };
    Ok(match found {
        Some(identity) if identity.is_live() => Named::Somebody(Box::new(identity)),
        Some(identity) if identity.status != "closed" => Named::SwitchedOff,
        _ => Named::Nobody,
    })
}

/// `POST /p/developers/projects/{project_id}/admins`
pub async fn add_admin(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("projects/{id}/admins"))?;
    let who = form.get("who").unwrap_or("").trim().to_owned();
    if let Err(error) = visit.count_notice() {
        let errors = FormErrors::refusal(visit.ctx.language, &error);
        return show_new_admin(&visit, id, who, errors).await;
    }
    let (app, ctx, named, typed) = (visit.app.clone(), visit.ctx.clone(), id.clone(), who.clone());
    let added = visit
        .change(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &named)?;
            let error = match find_named(tx, &app, &typed)? {
                Named::Nobody => ctx.text("developers-error-nobody"),
                Named::SwitchedOff => ctx.text("developers-error-switched-off"),
                Named::Somebody(admin) if store::list_admins(tx, project.id)?.contains(&admin.id) => {
                    ctx.text("developers-error-admin-already")
                }
                Named::Somebody(admin) => {
                    return project::add_admin(tx, &ctx, &developer.manager, project.id, admin.id).map(Ok);
                }
            };
            Ok(Err(FormErrors::field("who", error)))
        })
        .await?;
    let errors = match added {
        Ok(Ok(project)) => return Ok(go_on(&place(&project, "?notice=admin-added"))),
        Ok(Err(errors)) => errors,
        Err(refused) => FormErrors::field("who", refused.detail().to_owned()),
    };
    show_new_admin(&visit, id, who, errors).await
}

/// `GET /p/developers/projects/{project_id}/admins/{identity_id}`
pub async fn admin_removal_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, admin)): Path<(String, String)>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("projects/{id}/admins/{admin}"));
    ask_admin_removal(&visit, id, admin, FormErrors::none()).await
}

/// One of those who administer a project.
fn find_admin(tx: &mut ReadTx, project: ProjectId, id: &str) -> Result<Identity> {
    let missing = || Error::not_found("admin");
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    if !store::list_admins(tx, project)?.contains(&id) {
        return Err(missing());
    }
    identities::find(tx, id)?.ok_or_else(missing)
}

async fn ask_admin_removal(visit: &Visit, id: String, admin: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (project, admin, admins)) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &id)?;
            let admin = find_admin(tx, project.id, &admin)?;
            let admins = Admins::of(tx, &project)?;
            Ok((project, admin, admins))
        })
        .await?;
    let username = admin.username.clone();
    let others_of_self = developer
        .set
        .iter()
        .any(|identity| identity.id != admin.id && admins.contains(identity.id));
    let removal = if admins.needs(admin.id) {
        Removal::LastAdmin {
            username,
            project: project.display_name.clone(),
        }
    } else {
        Removal::Admin {
            username,
            project: project.display_name.clone(),
            ends_for_self: developer.is_self(admin.id) && !others_of_self,
        }
    };
    show_removal(&RemovalPage {
        layout: visit.layout(visit.ctx.text("developers-remove-admin"), &developer),
        trail: visit.trail_in_project(&project),
        action: inside(&place(&project, &format!("/admins/{}", admin.id))),
        form_token: visit.form_token(),
        removal,
        keep: inside(&place(&project, "")),
        errors,
    })
}

/// `POST /p/developers/projects/{project_id}/admins/{identity_id}`
pub async fn remove_admin(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, admin)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, format!("projects/{id}/admins/{admin}"))?;
    if let Err(error) = visit.count_notice() {
        let errors = FormErrors::refusal(visit.ctx.language, &error);
        return ask_admin_removal(&visit, id, admin, errors).await;
    }
    let (ctx, named, who) = (visit.ctx.clone(), id.clone(), admin.clone());
    let removed = visit
        .change(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &named)?;
            let admin = find_admin(tx, project.id, &who)?;
            let project = project::remove_admin(tx, &ctx, &developer.manager, project.id, admin.id)?;
            let stays = developer.manager.administers(tx, project.id)?;
            Ok((project, stays))
        })
        .await?;
    match removed {
        Ok((project, true)) => Ok(go_on(&place(&project, "?notice=admin-removed"))),
        Ok((_, false)) => Ok(go_on("?notice=left")),
        Err(refused) => ask_admin_removal(&visit, id, admin, FormErrors::refusal(visit.ctx.language, &refused)).await,
    }
}
