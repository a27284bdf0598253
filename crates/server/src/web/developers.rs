//! The developer area: projects, apps, secrets and what else the JSON interface offers for
//! them, in a browser. Every rule is that of `domain`, which both surfaces call.
//!
//! What a person does not administer is not there: its page says the same as that of a thing
//! that never was. Whoever wants to change something in a project must have signed in
//! recently with an account that administers it (decisions, section 6); the pages lead to the
//! login for that, and back.

pub mod admins;
pub mod app_form;
pub mod appearance;
pub mod apps;
pub mod projects;
pub(super) mod recipes;
pub mod secrets;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, ClientId, IdentityId, ProjectId};

use super::destination::{DEVELOPERS, Destination, Inside};
use super::pages::developers::{ProjectRow, ProjectsNotice, ProjectsPage, Trail};
use super::pages::{Href, Link};
use super::visit::{self, Page, Stop, Visitor};
use super::{SignedIn, find_session, render};
use crate::app::{App, Ctx};
use crate::domain::project::{Gate, Manager};
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, PagePolicy};
use crate::http::extract::Query;
use crate::store::clients::{self, Client};
use crate::store::identities::{self, Identity};
use crate::store::projects::{self as project_store, Project};
use crate::store::sessions;

/// A person in the developer area.
pub struct Developer {
    pub session: BrowserSessionId,
    pub person: SignedIn,
    /// All identities of the person that are live, the primary first.
    pub set: Vec<Identity>,
    pub manager: Manager,
}

impl Developer {
    pub fn is_self(&self, id: IdentityId) -> bool {
        self.set.iter().any(|identity| identity.id == id)
    }

    /// A project of this person. Any other is not there.
    pub fn project(&self, tx: &mut ReadTx, id: &str) -> Result<Project> {
        let missing = || Error::not_found("project");
        let id: ProjectId = id.parse().map_err(|_| missing())?;
        let project = project_store::find(tx, id)?.ok_or_else(missing)?;
        if self.manager.administers(tx, project.id)? {
            Ok(project)
        } else {
            Err(missing())
        }
    }

    /// A project in which something is about to be changed.
    pub fn project_to_change(&self, tx: &mut ReadTx, ctx: &Ctx, id: &str) -> Result<Project> {
        let project = self.project(tx, id)?;
        self.pass_gate(tx, ctx, &project)?;
        Ok(project)
    }

    /// An app of one of the person's projects, with the project. Any other is not there.
    pub fn app(&self, tx: &mut ReadTx, id: &str) -> Result<(Client, Project)> {
        let missing = || Error::not_found("app");
        let id: ClientId = id.parse().map_err(|_| missing())?;
        let client = clients::find(tx, id)?.ok_or_else(missing)?;
        let project = client.project_id.ok_or_else(missing)?;
        if !self.manager.administers(tx, project)? {
            return Err(missing());
        }
        Ok((client, project_store::get(tx, project)?))
    }

    /// An app that is about to be changed.
    pub fn app_to_change(&self, tx: &mut ReadTx, ctx: &Ctx, id: &str) -> Result<(Client, Project)> {
        let (client, project) = self.app(tx, id)?;
        self.pass_gate(tx, ctx, &project)?;
        Ok((client, project))
    }

    /// The gate, with a hint which of the person's accounts opens it.
    fn pass_gate(&self, tx: &mut ReadTx, ctx: &Ctx, project: &Project) -> Result<()> {
        let Err(closed) = self.manager.authorize_project(tx, ctx.now, project) else {
            return Ok(());
        };
        let Some(mut parameters) = closed.authorization_parameters().cloned() else {
            return Err(closed);
        };
        let admins = project_store::list_admins(tx, project.id)?;
        let mine = self.set.iter().find(|identity| admins.contains(&identity.id));
        parameters.session_required_identities = mine.map(|identity| vec![identity.id.to_string()]);
        Err(closed.requiring(parameters))
    }
}

/// A page or a form of the area.
pub type Visit = visit::Visit<Developer>;

impl Visitor for Developer {
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &Cookie) -> Result<Option<Self>> {
        let Some((session, Some(person))) = find_session(tx, app, ctx, &cookie.hash)? else {
            return Ok(None);
        };
        let mut set = identities::list_set(tx, person.identity.set_id)?;
        set.retain(Identity::is_live);
        let here = sessions::list_authentications(tx, session)?;
        let manager = Manager::of_person(tx, &person.identity, here, Gate::of(&app.config))?;
        Ok(Some(Self {
            session,
            person,
            set,
            manager,
        }))
    }

    fn session(&self) -> BrowserSessionId {
        self.session
    }

    fn person(&self) -> &SignedIn {
        &self.person
    }

    /// Each project has a gate of its own.
    fn may_change(&self) -> bool {
        true
    }

    fn way_back(here: Inside) -> Destination {
        Destination::Developers(here)
    }

    fn is_refusal(error: &Error) -> bool {
        is_refusal(error)
    }

    /// Whom the gate of a project refuses signs in with an account that opens it.
    fn stop(here: &Inside, error: Error) -> Stop {
        let Some(parameters) = error.authorization_parameters() else {
            return Stop::Error(error);
        };
        let named = parameters.session_required_identities.as_deref().unwrap_or(&[]);
        let identity = named.first().and_then(|id| id.parse().ok());
        Stop::SignIn(Destination::Administer(here.clone(), identity))
    }
}

impl Visit {
    /// The person with what this finds for them.
    pub async fn read<T, F>(&self, find: F) -> Result<(Developer, T), Stop>
    where
        T: Send + 'static,
        F: Fn(&mut ReadTx, &Developer) -> Result<T> + Send + 'static,
    {
        self.find(|_| true, find).await
    }

    /// Counts a change that makes the server write to the contact of a project, whom a person
    /// can choose as they like.
    pub fn count_notice(&self) -> Result<()> {
        self.app.limits.notice(self.ctx.address)
    }

    /// Of a page right beneath the list of projects.
    pub fn trail(&self) -> Trail {
        Trail {
            above: vec![Link {
                text: self.ctx.text("developers-projects").to_owned(),
                href: Href::path(DEVELOPERS),
            }],
        }
    }

    /// Of a page that belongs to a project.
    pub fn trail_in_project(&self, project: &Project) -> Trail {
        let mut trail = self.trail();
        trail.above.push(Link {
            text: project.display_name.clone(),
            href: inside(&format!("projects/{}", project.id)),
        });
        trail
    }

    /// Of a page that belongs to an app.
    pub fn trail_in_app(&self, project: &Project, client: &Client) -> Trail {
        let mut trail = self.trail_in_project(project);
        trail.above.push(Link {
            text: client.name.clone(),
            href: inside(&format!("apps/{}", client.id)),
        });
        trail
    }
}

/// Whether an error is about what was typed, and not about who typed it.
pub fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::InvalidParameters | Kind::InvalidScope | Kind::Conflict | Kind::FqdnVerificationFailed
    )
}

/// After a change: on to the page at this path beneath the area.
pub fn go_on(path: &str) -> Response {
    Redirect::to(&address(path)).into_response()
}

/// The page at this path beneath the area.
pub fn inside(path: &str) -> Href {
    Href::path(address(path))
}

fn address(path: &str) -> String {
    if path.is_empty() || path.starts_with('?') {
        return format!("{DEVELOPERS}{path}");
    }
    format!("{DEVELOPERS}/{path}")
}

/// `GET /p/developers`
pub async fn developers_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "");
    let (developer, rows) = visit
        .read(|tx, developer| {
            let projects = developer.manager.list_projects(tx)?;
            let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
            let counts = project_store::count_clients_by_projects(tx, &ids)?;
            let row = |project: Project| ProjectRow {
                href: inside(&format!("projects/{}", project.id)),
                apps: counts
                    .iter()
                    .find(|(id, _)| *id == project.id)
                    .map_or(0, |(_, count)| *count),
                name: project.display_name,
                contact_email: project.contact_email,
            };
            Ok(projects.into_iter().map(row).collect())
        })
        .await?;
    let page = ProjectsPage {
        layout: visit.layout(visit.ctx.text("developers-projects-title"), &developer),
        projects: rows,
        notice: match params.get("notice") {
            Some("deleted") => Some(ProjectsNotice::Deleted),
            Some("left") => Some(ProjectsNotice::Left),
            _ => None,
        },
    };
    Ok(render(&page, &PagePolicy::default())?)
}
