//! Clients, wire.md 2.5: those of projects, children of clients, and instances of templates,
//! which register here without any authentication.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::ClientId;
use portolan_types::api::{self, ClientChanges, ClientLinks, IncludedCredential, TemplateInstanceAnswer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Call, Caller, Known, created, credentials, ok};
use crate::app::{App, Ctx};
use crate::domain::client::registration::Notice;
use crate::domain::client::{self, registration};
use crate::domain::logout;
use crate::domain::project::{Manager, required};
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::no_store;
use crate::http::openapi::{CallRefused, Conflict, Forbidden, NotFound, TooLarge, alternatives, request_body};
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::scopes;

/// Scopes of tokens that show an admin the clients that are not for everybody.
const VIEW: &[&str] = &["manage_projects", "view_clients", "view_clients_and_scopes"];

#[derive(Deserialize)]
pub struct ClientBody {
    client: ClientChanges,
}

#[derive(Serialize, ToSchema)]
pub struct ClientAnswer {
    pub client: api::Client,
}

#[derive(Serialize, ToSchema)]
struct ClientsAnswer {
    clients: Vec<api::Client>,
}

request_body! {
    /// Registers a client of this type, in a project or as a child of the calling client.
    NewClient { "client": ClientChanges }
    required: ["name", "client_type"],
    optional: [],
    nullable: ["project", "visibility", "redirect_uris", "links", "required_idp", "preselect_idp", "userinfo_from_effective_identity", "prompt_for_named_grant"],
    example: {
        "name": "Beamline Portal",
        "project": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "client_type": "confidential_client",
        "redirect_uris": ["https://portal.example.org/callback"]
    }
}

request_body! {
    /// The same, saying only whether it can hold a secret.
    NewPublicOrHybridClient { "client": ClientChanges }
    required: ["name", "public_client"],
    optional: [],
    nullable: ["project", "visibility", "redirect_uris", "links", "required_idp", "preselect_idp", "userinfo_from_effective_identity", "prompt_for_named_grant"],
    example: {
        "name": "Beamline Service",
        "project": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "public_client": false
    }
}

request_body! {
    /// Registers an instance of a template; nobody authenticates.
    NewTemplateInstance { "client": ClientChanges }
    required: ["template_id", "name"],
    optional: [],
    nullable: [],
    example: { "template_id": "95fdeba8-fac2-42bd-a357-e068d82ff78e", "name": "laptop" }
}

request_body! {
    /// Changes a client. With `scopes` it says what it may request.
    ClientUpdate { "client": ClientChanges }
    required: [],
    optional: ["name", "visibility"],
    nullable: ["redirect_uris", "links", "required_idp", "preselect_idp", "scopes"],
    example: { "visibility": "public" }
}

alternatives! {
    /// What registers a client.
    ClientRegistration: NewClient, NewPublicOrHybridClient, NewTemplateInstance
}

alternatives! {
    /// A client that was registered.
    CreatedClient: TemplateInstanceAnswer, ClientAnswer
}

alternatives! {
    /// A list, or the client with a domain name.
    FoundClients: ClientsAnswer, ClientAnswer
}

/// `GET /v2/api/clients`: the clients of the projects that the caller administers; with a
/// secret the client itself and its children; with `fqdn` the one that registered the name.
#[utoipa::path(
    get,
    path = "/v2/api/clients",
    tag = "Clients",
    summary = "List the clients of the caller's projects",
    params(
        (
            "fqdn" = Option<String>,
            Query,
            description = "Find the client that registered this domain name.",
            nullable = false,
            min_length = 1,
            max_length = 253,
            example = "svc.example.org"
        ),
    ),
    responses(
        (
            status = 200,
            description = "The clients of the projects that the caller administers, with a secret the client itself and its children; with `fqdn` the one that registered the name.",
            body = FoundClients
        ),
        CallRefused, Forbidden, NotFound,
    ),
    security(
        ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"]),
        ("client_secret" = []),
    ),
)]
pub async fn list_clients(call: Call) -> Result<Response> {
    if let Some(fqdn) = call.params.get("fqdn") {
        let fqdn = fqdn.trim().trim_end_matches('.').to_ascii_lowercase();
        let client = call
            .read(move |tx, known| {
                refuse_instance(known)?;
                let client = clients::find_by_fqdn(tx, &fqdn)?.ok_or_else(|| Error::not_found("client"))?;
                document_for(tx, known, &client)
            })
            .await?;
        return Ok(ok(ClientAnswer { client }));
    }
    let clients = call
        .read(|tx, known| {
            let found = list_own(tx, known)?;
            found.iter().map(|client| document(tx, client)).collect::<Result<_>>()
        })
        .await?;
    Ok(ok(ClientsAnswer { clients }))
}

fn list_own(tx: &mut ReadTx, known: &Known) -> Result<Vec<Client>> {
    let manager = match &known.caller {
        Caller::Client(client) if client.is_instance => Manager::of_client(client),
        _ => known.manager_by(tx, VIEW)?,
    };
    let mut found = Vec::new();
    if let Some(id) = manager.client() {
        found.push(clients::get(tx, id)?);
        found.extend(clients::list_children(tx, id)?);
    }
    if let Caller::Token(_) = &known.caller {
        let projects = manager.list_projects(tx)?;
        for client in clients::list_by_projects(tx, projects.iter().map(|project| project.id))? {
            if !found.iter().any(|known| known.id == client.id) {
                found.push(client);
            }
        }
    }
    Ok(found)
}

/// `GET /v2/api/clients/{client_id}`
#[utoipa::path(
    get,
    path = "/v2/api/clients/{client_id}",
    tag = "Clients",
    summary = "Read a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    responses(
        (
            status = 200,
            description = "The client. Public ones are shown to everybody who is authenticated.",
            body = ClientAnswer
        ),
        CallRefused, Forbidden, NotFound,
    ),
    security(
        ("token" = []),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"]),
        ("client_secret" = []),
    ),
)]
pub async fn get_client(call: Call, Path(id): Path<String>) -> Result<Response> {
    let client = call
        .read(move |tx, known| {
            let id = parse(&id)?;
            if !is_itself(known, id) {
                refuse_instance(known)?;
            }
            let client = clients::get(tx, id)?;
            document_for(tx, known, &client)
        })
        .await?;
    Ok(ok(ClientAnswer { client }))
}

/// The document, if the caller may see it.
fn document_for(tx: &mut ReadTx, known: &Known, client: &Client) -> Result<api::Client> {
    let reader = known.reader(tx, VIEW)?;
    if !reader.may_read_client(tx, client)? {
        // A token without the scope is told what it lacks, not whose client it is.
        known.manager_by(tx, VIEW)?;
        return Err(Error::forbidden("this client is for the members of its project"));
    }
    document(tx, client)
}

fn is_itself(known: &Known, id: ClientId) -> bool {
    matches!(&known.caller, Caller::Client(caller) if caller.id == id)
}

/// The secret of an instance of a template is good for its own record only (decisions, section 6).
fn refuse_instance(known: &Known) -> Result<()> {
    match &known.caller {
        Caller::Client(client) if client.is_instance => Err(Error::forbidden(
            "a device registration may only see and delete itself; use a token of the person",
        )),
        _ => Ok(()),
    }
}

/// `POST /v2/api/clients`: four callers, one path. Who authenticates makes a client of a
/// project or a child; who does not registers an instance of a template.
#[utoipa::path(
    post,
    path = "/v2/api/clients",
    tag = "Clients",
    summary = "Register a client",
    description = "With a token a client of a project; with a secret a child of that client; without any authentication an instance of a template.",
    request_body = ClientRegistration,
    responses(
        (
            status = 201,
            description = "The new client. With its only secret beside it, if it is an instance of a template.",
            body = CreatedClient
        ),
        CallRefused, Forbidden, NotFound, TooLarge,
    ),
    security((), ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    call: Result<Call>,
    body: Result<Json<ClientBody>>,
) -> Result<Response> {
    if !headers.contains_key(AUTHORIZATION) {
        return register_instance(&app, ctx, body).await;
    }
    let (call, Json(ClientBody { client: changes })) = (call?, body?);
    let client = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let client = registration::create(tx, &known.ctx, &manager, &changes)?;
            document(tx, &client)
        })
        .await?;
    Ok(created(ClientAnswer { client }))
}

async fn register_instance(app: &App, ctx: Ctx, body: Result<Json<ClientBody>>) -> Result<Response> {
    let Json(ClientBody { client: new }) = body?;
    let template = *new
        .template_id
        .value()
        .ok_or_else(|| Error::unauthorized("Call must be authenticated"))?;
    app.limits.template_registration(ctx.address)?;
    let name = required("name", &new.name)?.clone();
    let answer = app
        .db
        .write(move |tx| {
            let (instance, credential, secret) = client::register_instance(tx, &ctx, template, &name)?;
            let event = Event {
                action: "client.register_instance",
                actor: Actor::Client(template),
                resource_kind: "client",
                resource_id: instance.id.to_string(),
                detail: serde_json::json!({ "template": template, "name": instance.name }),
            };
            audit::insert(tx, &ctx, &event)?;
            let client = document(tx, &instance)?;
            let client_credential = credentials::document(credential, Some(secret));
            Ok::<_, Error>(TemplateInstanceAnswer {
                client,
                included: IncludedCredential { client_credential },
            })
        })
        .await?;
    Ok((StatusCode::CREATED, no_store(), axum::Json(answer)).into_response())
}

/// `PUT /v2/api/clients/{client_id}`
#[utoipa::path(
    put,
    path = "/v2/api/clients/{client_id}",
    tag = "Clients",
    summary = "Change a client",
    description = "Only what is named changes; lists are replaced.",
    params(("client_id" = portolan_types::ClientId, Path)),
    request_body = ClientUpdate,
    responses(
        (status = 200, description = "The client as it is now.", body = ClientAnswer),
        CallRefused, Forbidden, NotFound, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn update_client(call: Call, Path(id): Path<String>, Json(body): Json<ClientBody>) -> Result<Response> {
    let client = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let client = registration::update(tx, &known.ctx, &manager, parse(&id)?, &body.client)?;
            document(tx, &client)
        })
        .await?;
    Ok(ok(ClientAnswer { client }))
}

/// `DELETE /v2/api/clients/{client_id}`: also the client itself; the CLI removes its own
/// instance so.
#[utoipa::path(
    delete,
    path = "/v2/api/clients/{client_id}",
    tag = "Clients",
    summary = "Delete a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    responses(
        (status = 200, description = "The client as it was.", body = ClientAnswer),
        CallRefused, Forbidden, NotFound, Conflict,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn delete_client(call: Call, Path(id): Path<String>) -> Result<Response> {
    let notice = match call.mail_request() {
        Ok(()) => Notice::Send,
        Err(_) => Notice::LeaveOut,
    };
    let client = call
        .write(move |tx, known| {
            let id = parse(&id)?;
            let manager = match &known.caller {
                Caller::Client(caller) if caller.id == id => Manager::of_client(caller),
                _ => known.manager(tx)?,
            };
            let client = clients::get(tx, id)?;
            let answer = document(tx, &client)?;
            registration::delete(tx, &known.ctx, &manager, id, notice)?;
            Ok(answer)
        })
        .await?;
    Ok(ok(ClientAnswer { client }))
}

fn parse(id: &str) -> Result<ClientId> {
    id.parse().map_err(|_| Error::not_found("client"))
}

/// The document of wire.md 1.6 with every field.
pub fn document(tx: &mut ReadTx, client: &Client) -> Result<api::Client> {
    let mut scopes = scopes::list_ids_by_client(tx, client.id)?;
    for id in client.requested_scopes() {
        scopes.extend(id.parse().ok().filter(|id| !scopes.contains(id)));
    }
    let logout = logout::registered(tx, client.id)?;
    Ok(api::Client {
        id: client.id,
        name: client.name.clone(),
        project: client.project_id,
        parent_client: client.parent_client_id,
        public_client: client.is_public(),
        client_type: client
            .client_type
            .parse()
            .map_err(|_| Error::internal("a stored client type is unknown"))?,
        grant_types: client.grant_types.split(' ').map(str::to_owned).collect(),
        visibility: client
            .visibility
            .parse()
            .map_err(|_| Error::internal("a stored visibility is unknown"))?,
        redirect_uris: client.redirect_uris(),
        links: ClientLinks {
            privacy_policy: client.privacy_policy.clone(),
            terms_and_conditions: client.terms_and_conditions.clone(),
        },
        required_idp: client.required_idp,
        preselect_idp: client.preselect_idp,
        scopes,
        fqdns: clients::list_fqdns(tx, client.id)?,
        userinfo_from_effective_identity: client.userinfo_from_effective_identity,
        prompt_for_named_grant: client.prompt_for_named_grant,
        post_logout_redirect_uris: logout.post_logout_redirect_uris,
        backchannel_logout_session_required: logout
            .backchannel_logout_uri
            .is_some()
            .then_some(logout.backchannel_logout_session_required),
        backchannel_logout_uri: logout.backchannel_logout_uri,
    })
}
