//! Clients of every project: found by name or id, looked at, switched off and on, deleted.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::ClientId;

use super::{Administrator, Events, Visit, Wants, go_on, inside, next_page, refused, typed};
use crate::app::{App, Ctx};
use crate::domain::client::registration as rules;
use crate::domain::trail;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::audit;
use crate::store::clients::{self, AUTH, Client};
use crate::store::{projects, scopes};
use crate::web::developers::{Page, Stop};
use crate::web::pages::console::{
    ClientAction, ClientNotice, ClientPage, ClientRow, ClientsPage, ConfirmPage, PersonState,
};
use crate::web::pages::{FormErrors, Href, Link, Moment};
use crate::web::render;

const PER_PAGE: usize = 25;
const RECENT: usize = 15;
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
        kind: client.client_type.clone(),
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
        let end = trail::place_before(None);
        let mut entries = audit::list_by_resource_before(tx, "client", &client.id.to_string(), end, RECENT as i64)?;
        for entry in audit::list_by_actor_before(tx, client.id.0, end, RECENT as i64)? {
            if !entries.iter().any(|known| known.id == entry.id) {
                entries.push(entry);
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.happened_at, entry.id)));
        entries.truncate(RECENT);
        Ok(Self {
            project,
            parent,
            children: clients::count_children(tx, client.id)?,
            scopes: scopes::list_ids_by_client(tx, client.id)?.len(),
            secrets: clients::list_credentials(tx, client.id)?.len(),
            people: clients::count_people(tx, client.id, MOST)?,
            fqdns: clients::list_fqdns(tx, client.id)?,
            events: Events::of(tx, entries)?,
            client,
        })
    }
}

const ACTIONS: [(&str, ClientAction); 3] = [
    ("disable", ClientAction::Disable),
    ("enable", ClientAction::Enable),
    ("delete", ClientAction::Delete),
];

fn actions(client: &Client) -> Vec<(ClientAction, Href)> {
    let is = |action| match action {
        ClientAction::Disable => client.enabled,
        ClientAction::Enable => !client.enabled,
        ClientAction::Delete => true,
    };
    ACTIONS
        .into_iter()
        .filter(|(_, action)| client.id != AUTH && is(*action))
        .map(|(name, action)| (action, inside(&format!("clients/{}/{name}", client.id))))
        .collect()
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
        visibility: client.visibility.clone(),
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

fn action(name: &str) -> Result<ClientAction, Stop> {
    let found = ACTIONS.into_iter().find(|(known, _)| *known == name);
    Ok(found.ok_or_else(|| Error::not_found(""))?.1)
}

fn confirmation(
    visit: &Visit,
    administrator: &Administrator,
    client: &Client,
    action: ClientAction,
    errors: FormErrors,
) -> ConfirmPage {
    let ctx = &visit.ctx;
    let (name, title, text, button) = match action {
        ClientAction::Disable => (
            "disable",
            ctx.say("console-disable-client-title").arg("name", &client.name),
            ctx.text("console-disable-client-text"),
            ctx.text("console-disable"),
        ),
        ClientAction::Enable => (
            "enable",
            ctx.say("console-enable-client-title").arg("name", &client.name),
            ctx.text("console-enable-client-text"),
            ctx.text("console-enable"),
        ),
        ClientAction::Delete => (
            "delete",
            ctx.say("console-delete-client-title").arg("name", &client.name),
            ctx.text("console-delete-client-text"),
            ctx.text("console-delete"),
        ),
    };
    let title = title.to_string();
    let mut text = vec![text.to_owned()];
    if client.is_template && action != ClientAction::Delete {
        text.push(ctx.text("console-template-client-text").to_owned());
    }
    ConfirmPage {
        layout: visit.layout(&title, administrator),
        form_token: visit.form_token(),
        action: inside(&format!("clients/{}/{name}", client.id)),
        text,
        button: button.to_owned(),
        is_dangerous: action != ClientAction::Enable,
        keep: inside(&format!("clients/{}", client.id)),
        errors,
    }
}

/// `GET /p/console/clients/{client_id}/{action}`
pub async fn client_action_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Page {
    let action = action(&name)?;
    let visit = Visit::new(app, ctx, &headers, format!("clients/{id}/{name}"));
    let (administrator, client) = visit.read(Wants::Prepare, move |tx, _| find(tx, &id)).await?;
    let page = confirmation(&visit, &administrator, &client, action, FormErrors::none());
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/console/clients/{client_id}/{action}`
pub async fn act_on_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let back = format!("clients/{id}");
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, &back)?;
    let action = action(&name)?;
    let (unit_ctx, wanted) = (visit.ctx.clone(), id.clone());
    let done = visit
        .change(move |tx, administrator| {
            let id = find(tx, &wanted)?.id;
            let manager = administrator.manager();
            match action {
                ClientAction::Disable => rules::set_enabled(tx, &unit_ctx, &manager, id, false).map(|_| ()),
                ClientAction::Enable => rules::set_enabled(tx, &unit_ctx, &manager, id, true).map(|_| ()),
                ClientAction::Delete => rules::delete(tx, &unit_ctx, &manager, id, rules::Notice::Send).map(|_| ()),
            }
        })
        .await?;
    let Err(refusal) = done else {
        return Ok(match action {
            ClientAction::Delete => go_on("clients"),
            _ => go_on(&format!("{back}?notice={name}")),
        });
    };
    let (administrator, client) = visit.read(Wants::Prepare, move |tx, _| find(tx, &id)).await?;
    let errors = FormErrors::whole(refusal.detail().to_owned());
    refused(&confirmation(&visit, &administrator, &client, action, errors))
}
