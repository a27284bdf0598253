//! Consents of a person, wire.md 2.8, and their revocation (decisions, section 6).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::api;
use portolan_types::{ConsentId, IdentityId};
use serde::Serialize;

use super::{Caller, Presented};
use crate::app::{App, Ctx};
use crate::domain::consent;
use crate::error::{Error, Result};
use crate::http::extract::Query;
use crate::http::no_store;
use crate::store::access_tokens::ActiveToken;
use crate::store::audit::{self, Actor, Event};
use crate::store::consents::{self, Consent};
use crate::store::{identities, scopes};

#[derive(Serialize)]
struct ConsentsAnswer {
    consents: Vec<api::Consent>,
}

#[derive(Serialize)]
struct ConsentAnswer {
    consent: api::Consent,
}

/// `GET /v2/api/identities/{identity_id}/consents`: those of the calling app with all below
/// them, or with `all` every consent of the person.
pub async fn list_consents(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    let Query(params) = query?;
    let presented = Presented::read(&headers, &params)?;
    let all = params.flag("all");
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let answer = app
        .db
        .read(move |tx| {
            let Caller::Token(token) = presented.authenticate(tx, now, &resource_server)? else {
                return Err(Error::forbidden("consents are shown to a token of the person"));
            };
            let all = all
                .as_ref()
                .map_err(|error| Error::new(error.kind(), error.detail().to_owned()))?
                .unwrap_or(false);
            let id = own_identity(tx, &token, &id)?;
            if all {
                require_scope(&token, &resource_server, "view_consents")?;
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
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// `DELETE /v2/api/identities/{identity_id}/consents/{consent_id}`: takes it back, with
/// effect at the next look at any token that rests on it.
pub async fn revoke_consent(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path((id, consent_id)): Path<(String, String)>,
) -> Result<Response> {
    let presented = Presented::read(&headers, &query?.0)?;
    let resource_server = app.config.resource_server_name.clone();
    let answer = app
        .db
        .write(move |tx| {
            let Caller::Token(token) = presented.authenticate(tx, ctx.now, &resource_server)? else {
                return Err(Error::forbidden("consents are revoked with a token of the person"));
            };
            let id = own_identity(tx, &token, &id)?;
            require_scope(&token, &resource_server, "manage_consents")?;
            let consent_id: ConsentId = consent_id.parse().map_err(|_| Error::not_found("consent"))?;
            let named = consents::find(tx, consent_id)?.filter(|consent| consent.identity_id == id);
            let document = documents(tx, named.into_iter().collect())?.pop().ok_or_else(|| Error::not_found("consent"))?;
            let revoked = consent::revoke(tx, &[id], consent_id)?;
            let event = Event {
                action: "consent.revoke",
                actor: Actor::Identity(token.identity_id),
                resource_kind: "consent",
                resource_id: consent_id.to_string(),
                detail: serde_json::json!({ "scope": document.scope_name, "client": document.client, "cut": revoked.cut }),
            };
            audit::insert(tx, &ctx, &event)?;
            Ok(ConsentAnswer { consent: document })
        })
        .await?;
    Ok((no_store(), axum::Json(answer)).into_response())
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

fn require_scope(token: &ActiveToken, resource_server: &str, name: &str) -> Result<()> {
    let scope = format!("urn:globus:auth:scope:{resource_server}:{name}");
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
