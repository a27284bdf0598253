//! Scopes, wire.md 2.5.9 and 2.6.2.

use axum::extract::Path;
use axum::response::Response;
use portolan_db::ReadTx;
use portolan_types::api::{self, CreatedScopeAnswer, DependentScope, ScopeChanges};
use portolan_types::{ClientId, ScopeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Call, Caller, Known, created, ok};
use crate::domain::scope::registration;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Params};
use crate::http::openapi::{CallRefused, Conflict, Forbidden, NotFound, TooLarge, request_body};
use crate::store::clients;
use crate::store::scopes::{self, Scope};

/// The most that one look-up may ask for.
const MAXIMUM: usize = 500;
/// Scopes of tokens that show an admin what is not for everybody.
const VIEW: &[&str] = &["manage_projects", "view_clients_and_scopes"];

#[derive(Deserialize)]
pub struct ScopeBody {
    scope: ScopeChanges,
}

request_body! {
    /// Makes a scope. `allows_refresh_token` is also read as `allow_refresh_tokens` and `allows_refresh_tokens`.
    NewScope { "scope": ScopeChanges }
    required: ["name", "description", "scope_suffix"],
    optional: [],
    nullable: ["advertised", "allows_refresh_token", "required_domains", "dependent_scopes"],
    example: {
        "name": "Run beamline actions",
        "description": "All operations of the beamline action provider",
        "scope_suffix": "action_all"
    }
}

request_body! {
    /// Changes a scope.
    ScopeUpdate { "scope": ScopeChanges }
    required: [],
    optional: ["name", "description", "scope_suffix", "advertised", "allows_refresh_token"],
    nullable: ["required_domains", "dependent_scopes"],
    example: { "advertised": true }
}

#[derive(Serialize, ToSchema)]
struct ScopeAnswer {
    scope: api::Scope,
}

#[derive(Serialize, ToSchema)]
struct ScopesAnswer {
    scopes: Vec<api::Scope>,
}

/// What a look-up names.
enum Wanted {
    /// Nothing: the caller's own.
    Own,
    Ids(Vec<ScopeId>),
    Strings(Vec<String>),
}

impl Wanted {
    fn read(params: &Params) -> Result<Self> {
        let (ids, strings) = (params.list("ids"), params.list("scope_strings"));
        if ids.len().max(strings.len()) > MAXIMUM {
            return Err(Error::invalid_parameters(format!("at most {MAXIMUM} at once")));
        }
        match (ids.as_slice(), strings.as_slice()) {
            ([], []) => Ok(Wanted::Own),
            (ids, []) => ids
                .iter()
                .map(|id| id.parse())
                .collect::<Result<_, _>>()
                .map(Wanted::Ids)
                .map_err(|_| Error::invalid_parameters("ids: must be uuids separated by commas")),
            ([], strings) => Ok(Wanted::Strings(strings.iter().map(|text| (*text).to_owned()).collect())),
            _ => Err(Error::invalid_parameters("give ids or scope_strings, not both")),
        }
    }
}

/// `GET /v2/api/scopes`: by id or by string what the caller may see, the rest left out;
/// without either the caller's own.
#[utoipa::path(
    get,
    path = "/v2/api/scopes",
    tag = "Scopes",
    summary = "Find scopes",
    params(
        (
            "ids" = Option<Vec<ScopeId>>,
            Query,
            description = "By id. Not together with `scope_strings`.",
            nullable = false,
            max_items = 500
        ),
        (
            "scope_strings" = Option<Vec<String>>,
            Query,
            description = "By scope string. Not together with `ids`.",
            nullable = false,
            max_items = 500
        ),
    ),
    responses(
        (
            status = 200,
            description = "What the caller may see of what was asked for; without a parameter its own scopes.",
            body = ScopesAnswer
        ),
        CallRefused, Forbidden,
    ),
    security(
        ("token" = []),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"]),
        ("client_secret" = []),
    ),
)]
pub async fn list_scopes(call: Call) -> Result<Response> {
    let wanted = Wanted::read(&call.params);
    let answer = call
        .read(move |tx, known| {
            let found = match wanted.as_ref().map_err(Error::repeat)? {
                Wanted::Own => list_own(tx, known)?,
                Wanted::Ids(ids) => {
                    let found = scopes::list_by_ids(tx, ids.iter().copied())?;
                    keep_visible(tx, known, found)?
                }
                Wanted::Strings(strings) => {
                    let named = scopes::list_by_strings(tx, strings.iter().map(String::as_str))?;
                    let mut found: Vec<Scope> = Vec::new();
                    for named in named {
                        // Two spellings of one scope are two records, as when it is made.
                        let mut scope = named.scope;
                        scope.scope_string = named.requested;
                        found.push(scope);
                    }
                    found.sort_by(|a, b| a.scope_string.cmp(&b.scope_string));
                    keep_visible(tx, known, found)?
                }
            };
            Ok(ScopesAnswer {
                scopes: documents(tx, found)?,
            })
        })
        .await?;
    Ok(ok(answer))
}

fn list_own(tx: &mut ReadTx, known: &Known) -> Result<Vec<Scope>> {
    let manager = known.manager_by(tx, VIEW)?;
    let mut owners: Vec<ClientId> = manager.client().into_iter().collect();
    if let Caller::Token(_) = &known.caller {
        let projects = manager.list_projects(tx)?;
        let found = clients::list_by_projects(tx, projects.iter().map(|project| project.id))?;
        owners.extend(found.iter().map(|client| client.id));
    }
    scopes::list_by_clients(tx, owners)
}

fn keep_visible(tx: &mut ReadTx, known: &Known, found: Vec<Scope>) -> Result<Vec<Scope>> {
    if let Caller::Client(client) = &known.caller
        && client.is_instance
    {
        return Err(Error::forbidden(
            "a device registration may not look up scopes; use a token of the person",
        ));
    }
    let reader = known.reader(tx, VIEW)?;
    let mut visible = Vec::new();
    for scope in found {
        if reader.may_read_scope(tx, &scope)? {
            visible.push(scope);
        }
    }
    Ok(visible)
}

/// `GET /v2/api/scopes/{scope_id}`: what the caller may not see is not there for it.
#[utoipa::path(
    get,
    path = "/v2/api/scopes/{scope_id}",
    tag = "Scopes",
    summary = "Read a scope",
    params(("scope_id" = portolan_types::ScopeId, Path)),
    responses(
        (status = 200, description = "The scope, if the caller may see it.", body = ScopeAnswer),
        CallRefused, Forbidden, NotFound,
    ),
    security(
        ("token" = []),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"]),
        ("client_secret" = []),
    ),
)]
pub async fn get_scope(call: Call, Path(id): Path<String>) -> Result<Response> {
    let answer = call
        .read(move |tx, known| {
            let found = scopes::find(tx, parse(&id)?)?;
            let visible = keep_visible(tx, known, found.into_iter().collect())?;
            answer(tx, visible.into_iter().next())
        })
        .await?;
    Ok(ok(answer))
}

/// `GET /v2/api/clients/{client_id}/scopes/{scope_id}`
#[utoipa::path(
    get,
    path = "/v2/api/clients/{client_id}/scopes/{scope_id}",
    tag = "Scopes",
    summary = "Read a scope of a client",
    params(("client_id" = portolan_types::ClientId, Path), ("scope_id" = portolan_types::ScopeId, Path)),
    responses((status = 200, description = "The scope.", body = ScopeAnswer), CallRefused, Forbidden, NotFound),
    security(
        ("token" = []),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]),
        ("token" = ["urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"]),
        ("client_secret" = []),
    ),
)]
pub async fn get_scope_of_client(call: Call, Path((client_id, id)): Path<(String, String)>) -> Result<Response> {
    let answer = call
        .read(move |tx, known| {
            let client_id = parse_client(&client_id)?;
            clients::get(tx, client_id)?;
            let found = scopes::find(tx, parse(&id)?)?.filter(|scope| scope.client_id == client_id);
            let visible = keep_visible(tx, known, found.into_iter().collect())?;
            answer(tx, visible.into_iter().next())
        })
        .await?;
    Ok(ok(answer))
}

/// `POST /v2/api/clients/{client_id}/scopes`: answers one record for each spelling.
#[utoipa::path(
    post,
    path = "/v2/api/clients/{client_id}/scopes",
    tag = "Scopes",
    summary = "Make a scope of a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    request_body = NewScope,
    responses(
        (
            status = 201,
            description = "The scope, and one record for each spelling of it.",
            body = CreatedScopeAnswer
        ),
        CallRefused, Forbidden, NotFound, Conflict, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_scope(call: Call, Path(client_id): Path<String>, Json(body): Json<ScopeBody>) -> Result<Response> {
    let prefix = call.app.config.scope_url_prefix.clone();
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let client = clients::get(tx, parse_client(&client_id)?)?;
            let scope = registration::create(tx, &known.ctx, &manager, &prefix, &client, &body.scope)?;
            let spellings = scopes::list_strings(tx, scope.id)?;
            let scope = document(tx, scope)?;
            let records = spellings.into_iter().map(|scope_string| api::Scope {
                scope_string,
                ..scope.clone()
            });
            Ok(CreatedScopeAnswer {
                scopes: records.collect(),
                scope,
            })
        })
        .await?;
    Ok(created(answer))
}

/// `PUT /v2/api/scopes/{scope_id}`
#[utoipa::path(
    put,
    path = "/v2/api/scopes/{scope_id}",
    tag = "Scopes",
    summary = "Change a scope",
    description = "Only what is named changes; lists are replaced.",
    params(("scope_id" = portolan_types::ScopeId, Path)),
    request_body = ScopeUpdate,
    responses(
        (status = 200, description = "The scope as it is now.", body = ScopeAnswer),
        CallRefused, Forbidden, NotFound, Conflict, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn update_scope(call: Call, Path(id): Path<String>, Json(body): Json<ScopeBody>) -> Result<Response> {
    let prefix = call.app.config.scope_url_prefix.clone();
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let scope = registration::update(tx, &known.ctx, &manager, &prefix, parse(&id)?, &body.scope)?;
            answer(tx, Some(scope))
        })
        .await?;
    Ok(ok(answer))
}

/// `DELETE /v2/api/scopes/{scope_id}`
#[utoipa::path(
    delete,
    path = "/v2/api/scopes/{scope_id}",
    tag = "Scopes",
    summary = "Delete a scope",
    params(("scope_id" = portolan_types::ScopeId, Path)),
    responses(
        (status = 200, description = "The scope as it was. Consents to it end.", body = ScopeAnswer),
        CallRefused, Forbidden, NotFound, Conflict,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn delete_scope(call: Call, Path(id): Path<String>) -> Result<Response> {
    let answer = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let id = parse(&id)?;
            let before = scopes::find(tx, id)?;
            let answer = answer(tx, before)?;
            registration::delete(tx, &known.ctx, &manager, id)?;
            Ok(answer)
        })
        .await?;
    Ok(ok(answer))
}

fn parse(id: &str) -> Result<ScopeId> {
    id.parse().map_err(|_| Error::not_found("scope"))
}

fn parse_client(id: &str) -> Result<ClientId> {
    id.parse().map_err(|_| Error::not_found("client"))
}

fn answer(tx: &mut ReadTx, scope: Option<Scope>) -> Result<ScopeAnswer> {
    let scope = scope.ok_or_else(|| Error::not_found("scope"))?;
    Ok(ScopeAnswer {
        scope: document(tx, scope)?,
    })
}

fn document(tx: &mut ReadTx, scope: Scope) -> Result<api::Scope> {
    documents(tx, vec![scope])?
        .pop()
        .ok_or_else(|| Error::internal("a scope has a document"))
}

/// The documents of wire.md 1.10.
pub fn documents(tx: &mut ReadTx, found: Vec<Scope>) -> Result<Vec<api::Scope>> {
    let dependencies = scopes::list_dependencies(tx, found.iter().map(|scope| scope.id))?;
    let documents = found.into_iter().map(|scope| {
        let own = dependencies.iter().filter(|dependency| dependency.scope_id == scope.id);
        let dependent = own.map(|dependency| DependentScope {
            scope: dependency.dependent_scope_id,
            optional: dependency.optional,
            requires_refresh_token: dependency.requires_refresh_token,
        });
        api::Scope {
            id: scope.id,
            client: scope.client_id,
            required_domains: scope.required_domains(),
            dependent_scopes: dependent.collect(),
            scope_string: scope.scope_string,
            name: scope.name,
            description: scope.description,
            advertised: scope.advertised,
            allows_refresh_token: scope.allows_refresh_token,
        }
    });
    Ok(documents.collect())
}
