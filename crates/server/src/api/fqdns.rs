//! Domain names of clients, wire.md 1.9 and 2.5.8.

use axum::extract::Path;
use axum::response::Response;
use portolan_types::ClientId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::clients::{ClientAnswer, document};
use super::{Call, created};
use crate::domain::client::registration::{Fqdn, add_fqdn, check_fqdn, check_fqdn_proof, parse_fqdn};
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::openapi::{BadFqdn, CallRefused, Conflict, Forbidden, NotFound, TooLarge};
use crate::upstream::dns;

/// Tools write the name in three places: alone, nested under itself, or in the client.
#[derive(Deserialize)]
pub struct FqdnBody(serde_json::Value);

/// A domain name to register, as it should be written. The older forms nest it.
#[derive(ToSchema)]
#[schema(example = json!({ "fqdn": "svc.example.org" }))]
pub struct NewFqdn {
    #[expect(dead_code, reason = "described, not filled")]
    #[schema(
        min_length = 3,
        max_length = 253,
        pattern = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
    )]
    fqdn: String,
}

impl FqdnBody {
    fn name(&self) -> Result<String> {
        let FqdnBody(body) = self;
        let places = [&body["fqdn"], &body["fqdn"]["fqdn"], &body["client"]["fqdn"]];
        let name = places.into_iter().find_map(serde_json::Value::as_str);
        parse_fqdn(name.ok_or_else(|| Error::invalid_parameters("fqdn: is missing"))?)
    }
}

/// `POST /v2/api/clients/{client_id}/fqdns`: the DNS is asked between two units of work, so
/// that nobody waits for it but the caller.
#[utoipa::path(
    post,
    path = "/v2/api/clients/{client_id}/fqdns",
    tag = "Clients",
    summary = "Register a domain name for a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    request_body = NewFqdn,
    responses(
        (
            status = 201,
            description = "The client with the name. It has proven to control it by a DNS TXT record that holds the client id.",
            body = ClientAnswer
        ),
        CallRefused, BadFqdn, Forbidden, NotFound, Conflict, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_fqdn(call: Call, Path(id): Path<String>, Json(body): Json<FqdnBody>) -> Result<Response> {
    let name = body.name();
    let parse = |id: &str| -> Result<ClientId> { id.parse().map_err(|_| Error::not_found("client")) };
    let (id, fqdn, known) = call
        .read(move |tx, known| {
            let manager = known.manager(tx)?;
            let id = parse(&id)?;
            let fqdn = name.as_ref().map_err(Error::repeat)?.clone();
            let registered = check_fqdn(tx, &known.ctx, &manager, id, &fqdn)?;
            Ok((id, fqdn, registered))
        })
        .await?;
    if known == Fqdn::New {
        prove(&call, id, &fqdn).await?;
    }
    let prefix = call.app.config.scope_url_prefix.clone();
    let client = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let client = add_fqdn(tx, &known.ctx, &manager, &prefix, id, &fqdn)?;
            document(tx, &client)
        })
        .await?;
    Ok(created(ClientAnswer { client }))
}

async fn prove(call: &Call, id: ClientId, fqdn: &str) -> Result<()> {
    let found = dns::find_texts(call.app.config.dns_resolver, fqdn).await;
    check_fqdn_proof(&found, fqdn, id)
}
