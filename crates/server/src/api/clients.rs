//! Clients, wire.md 2.5: instances of templates register here without any authentication,
//! and a client reads and deletes its own record with its secret.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::ClientId;
use portolan_types::api::{self, ClientLinks, IncludedCredential, TemplateInstanceAnswer};
use serde::{Deserialize, Serialize};

use super::{Caller, Presented};
use crate::app::{App, Ctx};
use crate::domain::client;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::no_store;
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::scopes;

#[derive(Deserialize)]
pub struct CreateClient {
    client: NewInstance,
}

#[derive(Deserialize)]
struct NewInstance {
    template_id: Option<String>,
    name: Option<String>,
}

#[derive(Serialize)]
struct ClientAnswer {
    client: api::Client,
}

/// `POST /v2/api/clients`: registers an instance of a template for nobody in particular.
pub async fn create_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    body: Result<Json<CreateClient>>,
) -> Result<Response> {
    if headers.contains_key(http::header::AUTHORIZATION) {
        return Err(Error::forbidden(
            "clients of projects are registered on the server: portolan client create",
        ));
    }
    let Json(CreateClient { client: new }) = body?;
    let template = new
        .template_id
        .ok_or_else(|| Error::unauthorized("Call must be authenticated"))?;
    app.limits.template_registration(ctx.address)?;
    let template: ClientId = template
        .parse()
        .map_err(|_| Error::invalid_parameters("template_id: must be the id of a client"))?;
    let name = new.name.ok_or_else(|| Error::invalid_parameters("name: is missing"))?;
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
            let credential = api::Credential {
                id: credential.id,
                client: credential.client_id,
                name: credential.name,
                created: credential.created_at,
                secret: Some(secret),
            };
            let client = document(tx, &instance)?;
            Ok::<_, Error>(TemplateInstanceAnswer {
                client,
                included: IncludedCredential {
                    client_credential: credential,
                },
            })
        })
        .await?;
    Ok((StatusCode::CREATED, no_store(), axum::Json(answer)).into_response())
}

/// The document of wire.md 1.6 with every field.
pub fn document(tx: &mut ReadTx, client: &Client) -> Result<api::Client> {
    let mut scopes = scopes::list_ids_by_client(tx, client.id)?;
    for id in client.requested_scopes() {
        scopes.extend(id.parse().ok().filter(|id| !scopes.contains(id)));
    }
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
    })
}

/// `GET /v2/api/clients/{client_id}`: the client itself, by its secret.
pub async fn get_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    let answer = with_own_record(&app, &ctx, &headers, &query?.0, &id, |tx, client| document(tx, &client)).await?;
    Ok((no_store(), axum::Json(ClientAnswer { client: answer })).into_response())
}

/// `DELETE /v2/api/clients/{client_id}`: the client itself; the CLI removes its own instance so.
pub async fn delete_client(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    let unit_ctx = ctx.clone();
    let answer = with_own_record(&app, &ctx, &headers, &query?.0, &id, move |tx, client| {
        let answer = document(tx, &client)?;
        client::delete(tx, client.id)?;
        let event = Event {
            action: "client.delete",
            actor: Actor::Client(client.id),
            resource_kind: "client",
            resource_id: client.id.to_string(),
            detail: serde_json::json!({ "name": client.name }),
        };
        audit::insert(tx, &unit_ctx, &event)?;
        Ok(answer)
    })
    .await?;
    Ok((no_store(), axum::Json(ClientAnswer { client: answer })).into_response())
}

async fn with_own_record(
    app: &App,
    ctx: &Ctx,
    headers: &HeaderMap,
    query: &crate::http::extract::Params,
    id: &str,
    work: impl Fn(&mut portolan_db::WriteTx, Client) -> Result<api::Client> + Send + 'static,
) -> Result<api::Client> {
    let presented = Presented::read(headers, query)?;
    let counted = match &presented {
        Presented::Client(client) => Some(client.id),
        Presented::Bearer(_) => None,
    };
    let id: ClientId = id.parse().map_err(|_| Error::not_found("client"))?;
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let result = app
        .db
        .write(move |tx| match presented.authenticate(tx, now, &resource_server)? {
            Caller::Client(client) if client.id == id => work(tx, *client),
            // A service account's token acts for the client that it is.
            Caller::Token(token) if token.identity_id == id.identity() && token.client_id == id => {
                let client = clients::get(tx, id)?;
                work(tx, client)
            }
            _ => Err(Error::forbidden("a client can only see and change its own record here")),
        })
        .await;
    match counted {
        Some(client_id) => count_failure(app, ctx, client_id, result),
        None => result,
    }
}

fn count_failure<T>(app: &App, ctx: &Ctx, client_id: ClientId, result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && error.kind() == crate::Kind::InvalidClient
    {
        app.limits
            .failed_client_authentication(ctx.address, &client_id.to_string())?;
    }
    result
}
