//! Projects: made, changed, deleted.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_types::api::{Change, ProjectChanges};

use super::admins::Admins;
use super::{Developer, Page, Visit, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::identity::{check_email, check_text};
use crate::domain::project;
use crate::error::Result;
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::store::clients::{self, Client};
use crate::store::identities::Identity;
use crate::store::projects::{self as store, BUILT_IN, Project};
use crate::web::pages::developers::{
    AccountChoice, AppKind, AppList, AppRow, ProjectFormPage, ProjectNotice, ProjectPage, Removal, RemovalPage,
};
use crate::web::pages::{FormErrors, Moment};
use crate::web::render;

/// The most apps that a page lists; a search finds the others.
const SHOWN: usize = 200;
/// From so many on there is a search.
const MANY: usize = 20;

pub(super) fn place(project: &Project, more: &str) -> String {
    format!("projects/{}{more}", project.id)
}

/// `GET /p/developers/projects/{project_id}`
pub async fn project_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("projects/{id}"));
    let (developer, found) = visit
        .read(move |tx, developer| {
            let project = developer.project(tx, &id)?;
            Ok(Found {
                admins: Admins::of(tx, &project)?,
                apps: clients::list_by_projects(tx, [project.id])?,
                policies: store::count_contents(tx, project.id)?.1,
                project,
            })
        })
        .await?;
    let project = &found.project;
    let page = ProjectPage {
        layout: visit.layout(&project.display_name, &developer),
        trail: visit.trail(),
        id: project.id.to_string(),
        name: project.display_name.clone(),
        contact_email: project.contact_email.clone(),
        created: Moment::day(project.created_at),
        is_built_in: project.id == BUILT_IN,
        admins: found.admins.rows(project, &developer),
        groups: project.admin_group_ids().iter().map(ToString::to_string).collect(),
        apps: list_apps(found.apps, params.get("find")),
        policies: found.policies,
        notice: match params.get("notice") {
            Some("created") => Some(ProjectNotice::Created),
            Some("changed") => Some(ProjectNotice::Changed),
            Some("admin-added") => Some(ProjectNotice::AdminAdded),
            Some("admin-removed") => Some(ProjectNotice::AdminRemoved),
            Some("app-deleted") => Some(ProjectNotice::AppDeleted),
            _ => None,
        },
    };
    Ok(render(&page, &PagePolicy::default())?)
}

struct Found {
    project: Project,
    admins: Admins,
    apps: Vec<Client>,
    policies: i64,
}

/// The apps of a project by name, or those whose name or id holds these letters.
fn list_apps(apps: Vec<Client>, find: Option<&str>) -> AppList {
    let total = apps.len();
    let find: String = find.unwrap_or("").trim().chars().take(100).collect();
    let wanted = find.to_lowercase();
    let fits = |client: &Client| {
        client.name.to_lowercase().contains(&wanted) || (!wanted.is_empty() && client.id.to_string() == wanted)
    };
    let mut found: Vec<AppRow> = apps
        .iter()
        .filter(|client| fits(client))
        .map(|client| AppRow {
            id: client.id.to_string(),
            name: client.name.clone(),
            kind: AppKind::of(client),
            href: inside(&format!("apps/{}", client.id)),
        })
        .collect();
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    AppList {
        rows: found,
        total,
        search: (total > MANY).then_some(find),
        more,
    }
}

/// What a person typed about a project.
struct Typed {
    display_name: String,
    contact_email: String,
    /// Which of their accounts are to administer it.
    ids: Vec<String>,
}

impl Typed {
    fn read(form: &Params) -> Self {
        let text = |name| form.get(name).unwrap_or("").to_owned();
        Self {
            display_name: text("display_name"),
            contact_email: text("contact_email"),
            ids: form.list("ids").into_iter().map(str::to_owned).collect(),
        }
    }

    fn of(project: &Project) -> Self {
        Self {
            display_name: project.display_name.clone(),
            contact_email: project.contact_email.clone(),
            ids: Vec::new(),
        }
    }

    fn check(&self, ctx: &Ctx) -> FormErrors {
        let mut errors = FormErrors::none();
        if check_text("display_name", &self.display_name).is_err() {
            errors = errors.and("display_name", ctx.text("developers-error-name"));
        }
        if check_email(&self.contact_email).is_err() {
            errors = errors.and("contact_email", ctx.text("developers-error-email"));
        }
        errors
    }

    fn changes(&self) -> ProjectChanges {
        ProjectChanges {
            display_name: Change::Set(self.display_name.clone()),
            contact_email: Change::Set(self.contact_email.clone()),
            ..ProjectChanges::default()
        }
    }
}

/// `GET /p/developers/projects/new`
pub async fn new_project_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "projects/new");
    let (developer, ()) = visit.read(|_, _| Ok(())).await?;
    let typed = Typed {
        display_name: String::new(),
        contact_email: developer.person.identity.email.clone().unwrap_or_default(),
        ids: vec![developer.person.identity.id.to_string()],
    };
    show_new(&visit, &developer, &typed, FormErrors::none())
}

fn show_new(visit: &Visit, developer: &Developer, typed: &Typed, errors: FormErrors) -> Page {
    let choice = |identity: &Identity| AccountChoice {
        id: identity.id.to_string(),
        username: identity.username.clone(),
        chosen: typed.ids.contains(&identity.id.to_string()),
    };
    let has_choice = developer.set.len() > 1;
    show_form(&ProjectFormPage {
        layout: visit.layout(visit.ctx.text("developers-new-project"), developer),
        trail: visit.trail(),
        action: inside("projects/new"),
        form_token: visit.form_token(),
        exists: false,
        display_name: typed.display_name.clone(),
        contact_email: typed.contact_email.clone(),
        accounts: developer.set.iter().filter(|_| has_choice).map(choice).collect(),
        cancel: inside(""),
        errors,
    })
}

fn show_form(page: &ProjectFormPage) -> Page {
    let mut response = render(page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// `POST /p/developers/projects/new`
pub async fn make_project(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, "projects/new")?;
    let typed = Typed::read(&form);
    let (developer, ()) = visit.read(|_, _| Ok(())).await?;
    // Only of their own: to name others is a step of its own.
    let mut admins: Vec<String> = typed.ids.clone();
    admins.retain(|id| developer.set.iter().any(|identity| identity.id.to_string() == *id));
    if developer.set.len() == 1 {
        admins = vec![developer.person.identity.id.to_string()];
    }
    let mut errors = typed.check(&visit.ctx);
    if admins.is_empty() {
        errors = errors.and("ids", visit.ctx.text("developers-error-no-account"));
    }
    if !errors.is_empty() {
        return show_new(&visit, &developer, &typed, errors);
    }
    let changes = ProjectChanges {
        admin_ids: Change::Set(admins),
        ..typed.changes()
    };
    let ctx = visit.ctx.clone();
    let made = visit
        .change(move |tx, developer| project::create(tx, &ctx, &developer.manager, &changes))
        .await?;
    match made {
        Ok(project) => Ok(go_on(&place(&project, "?notice=created"))),
        Err(refused) => show_new(
            &visit,
            &developer,
            &typed,
            FormErrors::refusal(visit.ctx.language, &refused),
        ),
    }
}

/// `GET /p/developers/projects/{project_id}/edit`
pub async fn edit_project_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, Path(id): Path<String>) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("projects/{id}/edit"));
    let (developer, project) = find_to_change(&visit, id).await?;
    show_edit(&visit, &developer, &project, &Typed::of(&project), FormErrors::none())
}

async fn find_to_change(visit: &Visit, id: String) -> Result<(Developer, Project), super::Stop> {
    let ctx = visit.ctx.clone();
    visit
        .read(move |tx, developer| developer.project_to_change(tx, &ctx, &id))
        .await
}

fn show_edit(visit: &Visit, developer: &Developer, project: &Project, typed: &Typed, errors: FormErrors) -> Page {
    show_form(&ProjectFormPage {
        layout: visit.layout(visit.ctx.text("developers-edit-project"), developer),
        trail: visit.trail_in_project(project),
        action: inside(&place(project, "/edit")),
        form_token: visit.form_token(),
        exists: true,
        display_name: typed.display_name.clone(),
        contact_email: typed.contact_email.clone(),
        accounts: Vec::new(),
        cancel: inside(&place(project, "")),
        errors,
    })
}

/// `POST /p/developers/projects/{project_id}/edit`
pub async fn edit_project(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("projects/{id}/edit"))?;
    let (developer, project) = find_to_change(&visit, id).await?;
    let typed = Typed::read(&form);
    let errors = typed.check(&visit.ctx);
    if !errors.is_empty() {
        return show_edit(&visit, &developer, &project, &typed, errors);
    }
    let (ctx, project_id, changes) = (visit.ctx.clone(), project.id, typed.changes());
    let (_, tells) = visit
        .read(move |tx, developer| project::tells_contact(tx, &ctx, &developer.manager, project_id, &changes))
        .await?;
    if tells && let Err(error) = visit.count_notice() {
        let errors = FormErrors::refusal(visit.ctx.language, &error);
        return show_edit(&visit, &developer, &project, &typed, errors);
    }
    let (ctx, changes) = (visit.ctx.clone(), typed.changes());
    let changed = visit
        .change(move |tx, developer| project::update(tx, &ctx, &developer.manager, project_id, &changes))
        .await?;
    match changed {
        Ok(project) => Ok(go_on(&place(&project, "?notice=changed"))),
        Err(refused) => {
            let errors = FormErrors::refusal(visit.ctx.language, &refused);
            show_edit(&visit, &developer, &project, &typed, errors)
        }
    }
}

/// `GET /p/developers/projects/{project_id}/delete`
pub async fn project_removal_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("projects/{id}/delete"));
    ask_removal(&visit, id, FormErrors::none()).await
}

async fn ask_removal(visit: &Visit, id: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (project, (apps, policies))) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &id)?;
            let contents = store::count_contents(tx, project.id)?;
            Ok((project, contents))
        })
        .await?;
    let name = project.display_name.clone();
    let removal = if apps > 0 || policies > 0 {
        Removal::FullProject { name, apps, policies }
    } else {
        Removal::Project { name }
    };
    let page = RemovalPage {
        layout: visit.layout(visit.ctx.text("developers-delete-project"), &developer),
        trail: visit.trail_in_project(&project),
        action: inside(&place(&project, "/delete")),
        form_token: visit.form_token(),
        removal,
        keep: inside(&place(&project, "")),
        errors,
    };
    show_removal(&page)
}

pub(super) fn show_removal(page: &RemovalPage) -> Page {
    let mut response = render(page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

/// `POST /p/developers/projects/{project_id}/delete`
pub async fn delete_project_by_person(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, format!("projects/{id}/delete"))?;
    let (ctx, named) = (visit.ctx.clone(), id.clone());
    let deleted = visit
        .change(move |tx, developer| {
            let project = developer.project(tx, &named)?;
            project::delete(tx, &ctx, &developer.manager, project.id)
        })
        .await?;
    match deleted {
        Ok(_) => Ok(go_on("?notice=deleted")),
        Err(refused) => ask_removal(&visit, id, FormErrors::refusal(visit.ctx.language, &refused)).await,
    }
}
