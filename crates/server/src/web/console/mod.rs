//! The operator console: people, identity providers, clients, the audit trail, keys and the
//! state of the server, for administrators of the server alone. Whatever can be done here is
//! a command of `portolan` too, and both call the same rules; what is done here is written
//! down under the administrator's name.
//!
//! For everybody else these pages are not there. Looking needs a sign-in; a change needs one
//! of the last ten minutes, with a second factor if the administrator has one: whoever finds
//! a browser open must not be able to do more than look.

mod action;
pub mod audit;
pub mod clients;
pub mod first_run;
pub mod keys;
pub mod people;
pub mod provider_form;
pub mod providers;
pub mod server;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, IdentityId};

use super::destination::{CONSOLE, Destination, Inside};
use super::pages::console::{Area, ConsolePage, EventRow};
use super::pages::{Href, Moment};
use super::visit::{self, Page, Stop, Visitor};
use super::{SignedIn, render};
use crate::app::{App, Ctx};
use crate::domain::policy::shows_mfa;
use crate::domain::project::Manager;
use crate::domain::{factors, session, trail};
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, PagePolicy, session_lifetimes};
use crate::http::extract::Params;
use crate::store::audit::{Actor, Entry};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::LOCAL;
use crate::store::sessions;

/// An administrator of the server in this browser.
pub struct Administrator {
    session: BrowserSessionId,
    pub person: SignedIn,
    /// Whether the sign-in is good enough for a change.
    may_change: bool,
}

impl Administrator {
    pub fn id(&self) -> IdentityId {
        self.person.identity.id
    }

    /// Under whose name a change is written down.
    pub fn actor(&self) -> Actor {
        Actor::Identity(self.id())
    }

    pub fn manager(&self) -> Manager {
        Manager::administrator(self.id())
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    Look,
    /// See a form, which is sent next.
    Prepare,
}

/// A page or a form of the console.
pub type Visit = visit::Visit<Administrator>;

impl Visitor for Administrator {
    /// None if nobody is signed in; whoever is no administrator finds nothing.
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &Cookie) -> Result<Option<Self>> {
        let (idle, _) = session_lifetimes(&app.config);
        let Some(session) = sessions::find(tx, &cookie.hash, ctx.now, idle)? else {
            return Ok(None);
        };
        let mut somebody = false;
        for authentication in sessions::list_authentications(tx, session.id)? {
            let identity = identities::find(tx, authentication.identity_id)?.filter(Identity::is_live);
            let Some(identity) = identity else { continue };
            somebody = true;
            if !identities::is_administrator(tx, identity.id)? {
                continue;
            }
            let has_second = identity.provider_id == LOCAL && factors::has_second_factor(tx, identity.id)?;
            let may_change = session::is_fresh(&authentication, ctx.now) && (!has_second || shows_mfa(&authentication));
            return Ok(Some(Self {
                session: session.id,
                person: SignedIn {
                    identity,
                    authentication,
                    administers: true,
                },
                may_change,
            }));
        }
        if somebody { Err(Error::not_found("")) } else { Ok(None) }
    }

    fn session(&self) -> BrowserSessionId {
        self.session
    }

    fn person(&self) -> &SignedIn {
        &self.person
    }

    fn may_change(&self) -> bool {
        self.may_change
    }

    fn way_back(here: Inside) -> Destination {
        Destination::Console(here)
    }

    fn is_refusal(error: &Error) -> bool {
        matches!(
            error.kind(),
            Kind::InvalidParameters | Kind::Conflict | Kind::TooManyRequests
        )
    }
}

impl Visit {
    /// The administrator with what this finds for them.
    pub async fn read<T, F>(&self, wants: Wants, find: F) -> Result<(Administrator, T), Stop>
    where
        T: Send + 'static,
        F: Fn(&mut ReadTx, &Administrator) -> Result<T> + Send + 'static,
    {
        let admits = match wants {
            Wants::Look => |_: &Administrator| true,
            Wants::Prepare => Administrator::may_change,
        };
        self.find(admits, find).await
    }

    /// Shows entries of the trail. Who did it is a link if there is a page for them.
    pub fn events(&self, found: Events) -> Vec<EventRow> {
        let Events { entries, names } = found;
        let row = |entry: &Entry| EventRow {
            at: Moment::minute(entry.happened_at),
            action: entry.action.clone(),
            actor: match (entry.actor_kind.as_str(), entry.actor_id) {
                ("operator", _) => self.ctx.text("console-actor-operator").to_owned(),
                ("system", _) => self.ctx.text("console-actor-system").to_owned(),
                (_, Some(id)) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
                (kind, None) => kind.to_owned(),
            },
            actor_href: entry
                .actor_id
                .filter(|id| names.contains_key(id))
                .and_then(|id| thing(&entry.actor_kind, &id.to_string())),
            kind: entry.resource_kind.clone(),
            id: entry.resource_id.clone(),
            href: thing(&entry.resource_kind, &entry.resource_id),
            address: entry.address.clone(),
            request_id: entry.request_id.clone(),
            details: trail::details(&entry.detail),
        };
        entries.iter().map(row).collect()
    }
}

/// So many entries of the trail are on the page of a thing.
const RECENT: usize = 15;

/// Entries with the names of those who acted.
pub struct Events {
    pub entries: Vec<Entry>,
    names: std::collections::HashMap<uuid::Uuid, String>,
}

impl Events {
    pub fn of(tx: &mut ReadTx, entries: Vec<Entry>) -> Result<Self> {
        let names = trail::names(tx, &entries)?;
        Ok(Self { entries, names })
    }

    /// What a person or a client did and what was done to them.
    pub fn recent(tx: &mut ReadTx, kind: &str, id: uuid::Uuid) -> Result<Self> {
        let entries = trail::recent(tx, kind, id, RECENT)?;
        Self::of(tx, entries)
    }
}

/// The page of a thing that the trail names.
fn thing(kind: &str, id: &str) -> Option<Href> {
    let id: uuid::Uuid = id.parse().ok()?;
    match kind {
        "identity" => Some(inside(&format!("people/{id}"))),
        "client" => Some(inside(&format!("clients/{id}"))),
        "identity_provider" => Some(inside(&format!("providers/{id}"))),
        _ => None,
    }
}

/// The page at this path beneath the console.
pub fn inside(path: &str) -> Href {
    Href::path(address(path))
}

fn address(path: &str) -> String {
    if path.is_empty() || path.starts_with('?') {
        return format!("{CONSOLE}{path}");
    }
    format!("{CONSOLE}/{path}")
}

/// After a change: on to the page at this path beneath the console.
pub fn go_on(path: &str) -> Response {
    Redirect::to(&address(path)).into_response()
}

/// What is typed into a search: not longer than anything there is.
pub fn typed(params: &Params, name: &str) -> String {
    params.get(name).unwrap_or("").trim().chars().take(255).collect()
}

/// The next page of a list that is continued behind a key.
pub fn next_page(path: &str, fields: &[(&str, &str)]) -> Href {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    inside(&format!("{path}?{}", query.finish()))
}

/// `GET /p/console`
pub async fn console_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "");
    let (administrator, ()) = visit.read(Wants::Look, |_, _| Ok(())).await?;
    let page = ConsolePage {
        layout: visit.layout(visit.ctx.text("console-title"), &administrator),
        area: Area::Start,
    };
    Ok(render(&page, &PagePolicy::default())?)
}
