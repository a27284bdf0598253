//! Consents of a person, wire.md 2.8, and their revocation (decisions, section 6).

use axum::extract::Path;
use axum::response::Response;
use portolan_db::ReadTx;
use portolan_types::api;
use portolan_types::{ConsentId, IdentityId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Call, Caller, Known, ok};
use crate::domain::consent;
use crate::error::{Error, Result};
use crate::http::openapi::{CallRefused, Forbidden, NotFound};
use crate::store::access_tokens::ActiveToken;
use crate::store::audit::{self, Actor, Event};
use crate::store::consents::{self, Consent};
use crate::store::{identities, scopes};

#[derive(Serialize, ToSchema)]
struct ConsentsAnswer {
    consents: Vec<api::Consent>,
}

#[derive(Serialize, ToSchema)]
struct ConsentAnswer {
    consent: api::Consent,
}

/// `GET /v2/api/identities/{identity_id}/consents`: those of the calling app with all below
/// them, or with `all` every consent of the person.
#[utoipa::path(
    get,
    path = "/v2/api/identities/{identity_id}/consents",
    tag = "Consents",
    summary = "List consents of a person",
    params(
        ("identity_id" = portolan_types::IdentityId, Path),
        (
            "all" = Option<bool>,
            Query,
            description = "Every consent of the person; needs the scope view_consents.",
            nullable = false
        ),
    ),
    responses(
        (
            status = 200,
            description = "Those of the calling app with all below them; with `all` every consent.",
            body = ConsentsAnswer
        ),
        CallRefused, Forbidden, NotFound,
    ),
    security(("token" = []), ("token" = ["urn:globus:auth:scope:auth.globus.org:view_consents"])),
)]
pub async fn list_consents(call: Call, Path(id): Path<String>) -> Result<Response> {
    let all = call.params.flag("all");
    let answer = call
        .read(move |tx, known| {
            let Caller::Token(token) = &known.caller else {
                return Err(Error::forbidden("consents are shown to a token of the person"));
            };
            let all = all.as_ref().map_err(Error::repeat)?.unwrap_or(false);
            let id = own_identity(tx, token, &id)?;
            if all {
                require_scope(known, token, "view_consents")?;
            }
            let found = if all {
                consents::list_by_identity(tx, id)?
            } else {
                consents::list_trees(tx, id, token.client_id)?
            };
            Ok(ConsentsAnswer {
                consents: documents(tx, found)?,
            })
        })
        .await?;
    Ok(ok(answer))
}

/// `DELETE /v2/api/identities/{identity_id}/consents/{consent_id}`: takes it back, with
/// effect at the next look at any token that rests on it.
#[utoipa::path(
    delete,
    path = "/v2/api/identities/{identity_id}/consents/{consent_id}",
    tag = "Consents",
    summary = "Take a consent back",
    params(("identity_id" = portolan_types::IdentityId, Path), ("consent_id" = portolan_types::ConsentId, Path)),
    responses(
        (
            status = 200,
            description = "The consent as it was. Every token that rests on it has ended.",
            body = ConsentAnswer
        ),
        CallRefused, Forbidden, NotFound,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_consents"])),
)]
pub async fn revoke_consent(call: Call, Path((id, consent_id)): Path<(String, String)>) -> Result<Response> {
    let answer = call
        .write(move |tx, known| {
            let Caller::Token(token) = &known.caller else {
                return Err(Error::forbidden("consents are revoked with a token of the person"));
            };
            let id = own_identity(tx, token, &id)?;
            require_scope(known, token, "manage_consents")?;
            let consent_id: ConsentId = consent_id.parse().map_err(|_| Error::not_found("consent"))?;
            let named = consents::find(tx, consent_id)?.filter(|consent| consent.identity_id == id);
            let document = documents(tx, named.into_iter().collect())?
                .pop()
                .ok_or_else(|| Error::not_found("consent"))?;
            let revoked = consent::revoke(tx, &[id], consent_id)?;
            let event = Event {
                action: "consent.revoke",
                actor: Actor::Identity(token.identity_id),
                resource_kind: "consent",
                resource_id: consent_id.to_string(),
                detail: serde_json::json!({ "scope": document.scope_name, "client": document.client, "cut": revoked.cut }),
            };
            audit::insert(tx, &known.ctx, &event)?;
            Ok(ConsentAnswer { consent: document })
        })
        .await?;
    Ok(ok(answer))
}

/// The identity of the path, if the token's person is it or is linked to it.
fn own_identity(tx: &mut ReadTx, token: &ActiveToken, id: &str) -> Result<IdentityId> {
    let id: IdentityId = id.parse().map_err(|_| Error::not_found("identity"))?;
    let identity = identities::get(tx, id)?;
    if identity.set_id != token.set_id {
        return Err(Error::forbidden("these are the consents of somebody else"));
    }
    Ok(id)
}

fn require_scope(known: &Known, token: &ActiveToken, name: &str) -> Result<()> {
    let scope = known.scope(name);
    if token.has_scope(&scope) {
        Ok(())
    } else {
        Err(Error::insufficient_scope(scope))
    }
}

/// Approved ones only: a parent of an approved consent is approved, so paths are whole.
pub fn documents(tx: &mut ReadTx, found: Vec<Consent>) -> Result<Vec<api::Consent>> {
    let names = scopes::list_by_ids(tx, found.iter().map(|consent| consent.scope_id))?;
    Ok(found
        .into_iter()
        .filter(Consent::is_approved)
        .filter_map(|consent| {
            let scope = names.iter().find(|scope| scope.id == consent.scope_id)?;
            Some(api::Consent {
                id: consent.id,
                client: consent.client_id,
                scope: consent.scope_id,
                scope_name: scope.scope_string.clone(),
                effective_identity: consent.identity_id,
                dependency_path: consent.path(),
                status: api::ConsentStatus::Approved,
                allows_refresh: consent.allows_refresh,
                auto_approved: consent.auto_approved,
                atomically_revocable: consent.atomically_revocable,
                created: consent.created_at,
                updated: consent.updated_at,
                last_used: consent.last_used_at.unwrap_or(consent.created_at),
            })
        })
        .collect())
}
