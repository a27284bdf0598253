//! Clients of every project: found by name or id, looked at, switched off and on, deleted.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::ClientId;

use super::action::{self, Action, Question};
use super::{Administrator, Events, Visit, Wants, inside, next_page, typed};
use crate::app::{App, Ctx};
use crate::domain::client::registration as rules;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::clients::{self, AUTH, Client};
use crate::store::{projects, scopes};
use crate::web::pages::console::{ClientAction, ClientNotice, ClientPage, ClientRow, ClientsPage, PersonState};
use crate::web::pages::developers::AppKind;
use crate::web::pages::{Href, Link, Moment};
use crate::web::render;
use crate::web::visit::Page;

const PER_PAGE: usize = 25;
/// Nobody needs to know how many more there are.
const MOST: i64 = 1001;

/// `GET /p/console/clients`
pub async fn clients_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "clients");
    let search = typed(&params, "q");
    let after = (
        typed(&params, "after"),
        params
            .get("id")
            .and_then(|id| id.parse().ok())
            .unwrap_or(ClientId::from_u128(0)),
    );
    let text = search.clone();
    let (administrator, mut found) = visit
        .read(Wants::Look, move |tx, _| {
            if let Ok(id) = text.parse() {
                return Ok(clients::find(tx, id)?.into_iter().collect());
            }
            clients::search(tx, &text, (&after.0, after.1), PER_PAGE as i64 + 1)
        })
        .await?;
    let has_more = found.len() > PER_PAGE;
    found.truncate(PER_PAGE);
    let last = found.last().filter(|_| has_more);
    let page = ClientsPage {
        layout: visit.layout(visit.ctx.text("console-clients-title"), &administrator),
        next: last.map(|last| {
            let id = last.id.to_string();
            next_page("clients", &[("q", &search), ("after", &last.name), ("id", &id)])
        }),
        rows: found.iter().map(row).collect(),
        search,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

fn row(client: &Client) -> ClientRow {
    ClientRow {
        name: client.name.clone(),
        kind: AppKind::of(client),
        id: client.id.to_string(),
        state: match client.enabled {
            true => PersonState::Live,
            false => PersonState::Disabled,
        },
        href: inside(&format!("clients/{}", client.id)),
    }
}

fn find(tx: &mut ReadTx, id: &str) -> Result<Client> {
    let missing = || Error::not_found("client");
    let id: ClientId = id.parse().map_err(|_| missing())?;
    clients::find(tx, id)?.ok_or_else(missing)
}

/// What the page of a client tells beside its record.
struct Whole {
    client: Client,
    project: Option<String>,
    parent: Option<Client>,
    children: i64,
    scopes: usize,
    secrets: usize,
    people: i64,
    fqdns: Vec<String>,
    events: Events,
}

impl Whole {
    fn of(tx: &mut ReadTx, id: &str) -> Result<Self> {
        let client = find(tx, id)?;
        let project = match client.project_id {
            Some(id) => projects::find(tx, id)?.map(|project| project.display_name),
            None => None,
        };
        let parent = match client.parent_client_id {
            Some(id) => clients::find(tx, id)?,
            None => None,
        };
        Ok(Self {
            project,
            parent,
            children: clients::count_children(tx, client.id)?,
            scopes: scopes::list_ids_by_client(tx, client.id)?.len(),
            secrets: clients::list_credentials(tx, client.id)?.len(),
            people: clients::count_people(tx, client.id, MOST)?,
            fqdns: clients::list_fqdns(tx, client.id)?,
            events: Events::recent(tx, "client", client.id.0)?,
            client,
        })
    }
}

fn actions(client: &Client) -> Vec<(ClientAction, Href)> {
    let is = |action| match action {
        ClientAction::Disable => client.enabled,
        ClientAction::Enable => !client.enabled,
        ClientAction::Delete => true,
    };
    action::offer(&client.id.to_string(), |action| client.id != AUTH && is(action))
}

/// `GET /p/console/clients/{client_id}`
pub async fn client_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("clients/{id}"));
    let (administrator, whole) = visit.read(Wants::Look, move |tx, _| Whole::of(tx, &id)).await?;
    let client = &whole.client;
    let page = ClientPage {
        layout: visit.layout(&client.name, &administrator),
        notice: match params.get("notice") {
            Some("disable") => Some(ClientNotice::Disabled),
            Some("enable") => Some(ClientNotice::Enabled),
            _ => None,
        },
        row: row(client),
        project: whole.project,
        parent: whole.parent.map(|parent| Link {
            text: parent.name,
            href: inside(&format!("clients/{}", parent.id)),
        }),
        is_template: client.is_template,
        is_instance: client.is_instance,
        is_public: client.is_public(),
        is_visible: client.visibility == "public",
        redirect_uris: client.redirect_uris(),
        fqdns: whole.fqdns,
        created: Moment::day(client.created_at),
        children: whole.children,
        scopes: whole.scopes,
        secrets: whole.secrets,
        people: whole.people.min(MOST - 1),
        more_people: whole.people >= MOST,
        actions: actions(client),
        trail: next_page("audit", &[("kind", "client"), ("id", &client.id.to_string())]),
        events: visit.events(whole.events),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

impl Action for ClientAction {
    type Thing = Client;

    const AREA: &'static str = "clients";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("disable", ClientAction::Disable),
        ("enable", ClientAction::Enable),
        ("delete", ClientAction::Delete),
    ];
    const LAST: Option<Self> = Some(ClientAction::Delete);

    fn find(tx: &mut ReadTx, id: &str) -> Result<Client> {
        find(tx, id)
    }

    fn question(self, ctx: &Ctx, client: &Client) -> Question {
        let (title, text, button) = match self {
            ClientAction::Disable => (
                ctx.say("console-disable-client-title"),
                ctx.text("console-disable-client-text"),
                ctx.text("console-disable"),
            ),
            ClientAction::Enable => (
                ctx.say("console-enable-client-title"),
                ctx.text("console-enable-client-text"),
                ctx.text("console-enable"),
            ),
            ClientAction::Delete => (
                ctx.say("console-delete-client-title"),
                ctx.text("console-delete-client-text"),
                ctx.text("console-delete"),
            ),
        };
        let mut text = vec![text.to_owned()];
        if client.is_template && self != ClientAction::Delete {
            text.push(ctx.text("console-template-client-text").to_owned());
        }
        Question {
            title: title.arg("name", &client.name).to_string(),
            text,
            button,
            is_dangerous: self.is_dangerous(),
        }
    }

    fn run(self, tx: &mut WriteTx, _: &App, ctx: &Ctx, administrator: &Administrator, client: &Client) -> Result<()> {
        let (manager, id) = (administrator.manager(), client.id);
        match self {
            ClientAction::Disable => rules::set_enabled(tx, ctx, &manager, id, false).map(|_| ()),
            ClientAction::Enable => rules::set_enabled(tx, ctx, &manager, id, true).map(|_| ()),
            ClientAction::Delete => rules::delete(tx, ctx, &manager, id, rules::Notice::Send).map(|_| ()),
        }
    }
}

/// `GET /p/console/clients/{client_id}/{action}`
pub async fn client_action_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Page {
    action::ask::<ClientAction>(app, ctx, &headers, &id, &name).await
}

/// `POST /p/console/clients/{client_id}/{action}`
pub async fn act_on_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, format!("clients/{id}"))?;
    action::act::<ClientAction>(&visit, &id, &name).await
}
