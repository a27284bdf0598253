//! Credentials of clients, wire.md 2.5.7. A secret is in one answer and never again.

use axum::extract::Path;
use axum::response::Response;
use portolan_types::api::{self, CredentialChanges};
use portolan_types::{ClientId, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Call, created, ok};
use crate::domain::client::registration;
use crate::domain::project::required;
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::openapi::{CallRefused, Forbidden, NotFound, TooLarge, request_body};
use crate::store::clients::{self, Credential};

#[derive(Deserialize)]
pub struct CredentialBody {
    credential: CredentialChanges,
}

request_body! {
    /// Makes a credential.
    NewCredential { "credential": CredentialChanges }
    required: ["name"],
    optional: [],
    nullable: [],
    example: { "name": "deploy" }
}

#[derive(Serialize, ToSchema)]
struct CredentialAnswer {
    credential: api::Credential,
}

#[derive(Serialize, ToSchema)]
struct CredentialsAnswer {
    credentials: Vec<api::Credential>,
}

/// `GET /v2/api/clients/{client_id}/credentials`
#[utoipa::path(
    get,
    path = "/v2/api/clients/{client_id}/credentials",
    tag = "Clients",
    summary = "List the credentials of a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    responses(
        (status = 200, description = "The credentials without their secrets.", body = CredentialsAnswer),
        CallRefused, Forbidden, NotFound,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn list_credentials(call: Call, Path(id): Path<String>) -> Result<Response> {
    let found = call
        .read(move |tx, known| {
            let manager = known.manager(tx)?;
            let client = clients::get(tx, parse(&id)?)?;
            if !manager.administers_client(tx, &client)? {
                return Err(Error::forbidden("you do not administer this client"));
            }
            clients::list_credentials(tx, client.id)
        })
        .await?;
    let credentials = found.into_iter().map(|found| document(found, None)).collect();
    Ok(ok(CredentialsAnswer { credentials }))
}

/// `POST /v2/api/clients/{client_id}/credentials`
#[utoipa::path(
    post,
    path = "/v2/api/clients/{client_id}/credentials",
    tag = "Clients",
    summary = "Make a secret for a client",
    params(("client_id" = portolan_types::ClientId, Path)),
    request_body = NewCredential,
    responses(
        (
            status = 201,
            description = "The credential with its secret, which is shown this once.",
            body = CredentialAnswer
        ),
        CallRefused, Forbidden, NotFound, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_credential(
    call: Call,
    Path(id): Path<String>,
    Json(body): Json<CredentialBody>,
) -> Result<Response> {
    let (credential, secret) = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            let name = required("name", &body.credential.name)?;
            registration::add_credential(tx, &known.ctx, &manager, parse(&id)?, name)
        })
        .await?;
    let credential = document(credential, Some(secret));
    Ok(created(CredentialAnswer { credential }))
}

/// `DELETE /v2/api/clients/{client_id}/credentials/{credential_id}`
#[utoipa::path(
    delete,
    path = "/v2/api/clients/{client_id}/credentials/{credential_id}",
    tag = "Clients",
    summary = "Delete a credential",
    params(("client_id" = portolan_types::ClientId, Path), ("credential_id" = portolan_types::CredentialId, Path)),
    responses(
        (
            status = 200,
            description = "The credential as it was. Tokens that it got live on.",
            body = CredentialAnswer
        ),
        CallRefused, Forbidden, NotFound,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn delete_credential(call: Call, Path((id, credential_id)): Path<(String, String)>) -> Result<Response> {
    let deleted = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            // A client that does not exist is what is missing first.
            let client = clients::get(tx, parse(&id)?)?;
            let credential_id = credential_id.parse().map_err(|_| Error::not_found("credential"))?;
            registration::remove_credential(tx, &known.ctx, &manager, client.id, credential_id)
        })
        .await?;
    let credential = document(deleted, None);
    Ok(ok(CredentialAnswer { credential }))
}

fn parse(id: &str) -> Result<ClientId> {
    id.parse().map_err(|_| Error::not_found("client"))
}

/// The document of wire.md 1.8.
pub fn document(credential: Credential, secret: Option<Secret>) -> api::Credential {
    api::Credential {
        id: credential.id,
        client: credential.client_id,
        name: credential.name,
        created: credential.created_at,
        secret,
    }
}
