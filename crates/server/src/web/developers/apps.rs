//! Apps, which the code calls clients: what there is to know about one, and deleting it. The
//! form that registers or changes one is in `app_form`.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{IdentityId, IdentityProviderId};
use uuid::Uuid;

use super::projects::show_removal;
use super::{Developer, Page, Stop, Visit, go_on, inside, recipes};
use crate::app::{App, Ctx};
use crate::domain::client::registration;
use crate::domain::client::registration::Notice;
use crate::domain::{logout, trail};
use crate::error::Result;
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::audit::Entry;
use crate::store::client_logout::ClientLogout;
use crate::store::clients::{self, Client, Credential};
use crate::store::identity_providers::{self, CLIENTS_DOMAIN, IdentityProvider};
use crate::store::projects::Project;
use crate::store::{consents, identities, scopes};
use crate::web::pages::developers::{AppKind, AppNotice, AppPage, EventRow, Removal, RemovalPage, SecretRow};
use crate::web::pages::{FormErrors, Href, Moment};
use crate::web::render;

/// The most entries of the audit trail that a page shows.
const EVENTS: usize = 10;
pub(super) fn place(client: &Client, more: &str) -> String {
    format!("apps/{}{more}", client.id)
}

/// `GET /p/developers/apps/{client_id}`
pub async fn app_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("apps/{id}"));
    let (developer, found) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app(tx, &id)?;
            Found::of(tx, client, project)
        })
        .await?;
    let client = &found.client;
    let name_of = |id: Option<IdentityProviderId>| {
        let found = found.providers.iter().find(|provider| Some(provider.id) == id);
        found.map(|provider| provider.name.clone())
    };
    let page = AppPage {
        layout: visit.layout(&client.name, &developer),
        trail: visit.trail_in_project(&found.project),
        id: client.id.to_string(),
        name: client.name.clone(),
        kind: AppKind::of(client),
        is_enabled: client.enabled,
        is_public: client.visibility == "public",
        redirect_uris: client.redirect_uris(),
        post_logout_redirect_uris: found.logout.post_logout_redirect_uris.clone(),
        backchannel_logout_uri: found.logout.backchannel_logout_uri.clone(),
        terms: client.terms_and_conditions.as_deref().and_then(Href::web),
        privacy: client.privacy_policy.as_deref().and_then(Href::web),
        required_idp: name_of(client.required_idp),
        preselect_idp: name_of(client.preselect_idp),
        prompt_for_named_grant: client.prompt_for_named_grant,
        userinfo_from_effective_identity: client.userinfo_from_effective_identity,
        resource_server: client.resource_server.clone(),
        created: Moment::day(client.created_at),
        secrets: (!client.is_public()).then(|| found.secret_rows()),
        own_identity: (!client.is_public()).then(|| format!("{}@{CLIENTS_DOMAIN}", client.id)),
        make_admin: inside(&format!("projects/{}/admins?who={}", found.project.id, client.id)),
        recipes: recipes::of(client, &visit.app.config.public_url()),
        events: found.event_rows(&visit.ctx),
        notice: match params.get("notice") {
            Some("created") => Some(AppNotice::Created),
            Some("changed") => Some(AppNotice::Changed),
            Some("secret-deleted") => Some(AppNotice::SecretDeleted),
            Some("secret-made") => Some(AppNotice::SecretMade),
            _ => None,
        },
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// What the page of an app shows.
struct Found {
    client: Client,
    project: Project,
    providers: Vec<IdentityProvider>,
    logout: ClientLogout,
    secrets: Vec<Credential>,
    events: Vec<Entry>,
    /// Usernames of those who did it.
    actors: Vec<(Uuid, String)>,
}

impl Found {
    fn of(tx: &mut ReadTx, client: Client, project: Project) -> Result<Self> {
        let named: Vec<IdentityProviderId> = client.required_idp.into_iter().chain(client.preselect_idp).collect();
        let events = trail::recent(tx, "client", client.id.0, EVENTS)?;
        let actors: Vec<IdentityId> = events
            .iter()
            .filter(|event| event.actor_kind == "identity")
            .filter_map(|event| event.actor_id.map(IdentityId))
            .collect();
        Ok(Self {
            providers: identity_providers::list_by_ids(tx, &named)?,
            logout: logout::registered(tx, client.id)?,
            secrets: clients::list_credentials(tx, client.id)?,
            actors: identities::list_by_ids(tx, &actors)?
                .into_iter()
                .map(|identity| (identity.id.0, identity.username))
                .collect(),
            events,
            client,
            project,
        })
    }

    fn secret_rows(&self) -> Vec<SecretRow> {
        let row = |secret: &Credential| SecretRow {
            id: secret.id.to_string(),
            name: secret.name.clone(),
            created: Moment::minute(secret.created_at),
            remove: inside(&place(&self.client, &format!("/secrets/{}/delete", secret.id))),
        };
        self.secrets.iter().map(row).collect()
    }

    fn event_rows(&self, ctx: &Ctx) -> Vec<EventRow> {
        let row = |event: &Entry| EventRow {
            at: Moment::minute(event.happened_at),
            what: describe(ctx, &event.action).map_or_else(|| event.action.clone(), str::to_owned),
            who: self.who(ctx, event),
        };
        self.events.iter().map(row).collect()
    }

    /// Who allowed the app something is not for its developers: the app may not know it.
    fn who(&self, ctx: &Ctx, event: &Entry) -> Option<String> {
        if event.action == "consent.approve" {
            return None;
        }
        let username = |id: Uuid| {
            let found = self.actors.iter().find(|(known, _)| *known == id);
            found.map(|(_, username)| username.clone())
        };
        match event.actor_kind.as_str() {
            "identity" => event.actor_id.and_then(username),
            "client" => Some(ctx.text("developers-actor-app").to_owned()),
            "operator" => Some(ctx.text("developers-actor-operator").to_owned()),
            _ => None,
        }
    }
}

/// An action of the audit trail in words, if there are some.
fn describe<'a>(ctx: &'a Ctx, action: &str) -> Option<&'a str> {
    Some(match action {
        "client.create" => ctx.text("developers-event-create"),
        "client.update" => ctx.text("developers-event-update"),
        "client.create_credential" => ctx.text("developers-event-secret"),
        "client.delete_credential" => ctx.text("developers-event-secret-deleted"),
        "client.add_fqdn" => ctx.text("developers-event-fqdn"),
        "consent.approve" => ctx.text("developers-event-allowed"),
        "logout.give_up" => ctx.text("developers-event-logout"),
        _ => return None,
    })
}

/// An app that is about to be changed, with its project.
pub(super) async fn find_to_change(visit: &Visit, id: String) -> Result<(Developer, (Client, Project)), Stop> {
    let ctx = visit.ctx.clone();
    visit
        .read(move |tx, developer| developer.app_to_change(tx, &ctx, &id))
        .await
}

/// `GET /p/developers/apps/{client_id}/delete`
pub async fn app_removal_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, Path(id): Path<String>) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("apps/{id}/delete"));
    ask_removal(&visit, id, FormErrors::none()).await
}

async fn ask_removal(visit: &Visit, id: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (client, project, resting, scopes)) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app_to_change(tx, &ctx, &id)?;
            let resting = consents::count_resting_on(tx, client.id)?;
            let scopes = scopes::list_ids_by_client(tx, client.id)?.len();
            Ok((client, project, resting, scopes))
        })
        .await?;
    show_removal(&RemovalPage {
        layout: visit.layout(visit.ctx.text("developers-delete-app"), &developer),
        trail: visit.trail_in_app(&project, &client),
        action: inside(&place(&client, "/delete")),
        form_token: visit.form_token(),
        removal: Removal::App {
            name: client.name.clone(),
            consents: resting.consents,
            people: resting.people,
            scopes,
            of_others: resting.of_others,
        },
        keep: inside(&place(&client, "")),
        errors,
    })
}

/// `POST /p/developers/apps/{client_id}/delete`
pub async fn delete_app(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, format!("apps/{id}/delete"))?;
    let (ctx, named) = (visit.ctx.clone(), id.clone());
    let notice = match visit.count_notice() {
        Ok(()) => Notice::Send,
        Err(_) => Notice::LeaveOut,
    };
    let deleted = visit
        .change(move |tx, developer| {
            let (client, project) = developer.app_to_change(tx, &ctx, &named)?;
            registration::delete(tx, &ctx, &developer.manager, client.id, notice)?;
            Ok(project)
        })
        .await?;
    match deleted {
        Ok(project) => Ok(go_on(&format!("projects/{}?notice=app-deleted", project.id))),
        Err(refused) => ask_removal(&visit, id, FormErrors::refusal(visit.ctx.language, &refused)).await,
    }
}
