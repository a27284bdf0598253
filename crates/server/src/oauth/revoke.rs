//! Revocation, RFC 7009 and wire.md 2.3.3: 200 for every caller that is a client, whether
//! or not there was such a token.
//!
//! An access token ends alone. A refresh token ends with its family and the access tokens
//! from it; dependents and the consent stay (decisions, section 6). A template may revoke
//! the tokens of its instances by its id alone, because the CLI logs out that way.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::ClientId;
use portolan_types::oauth::Activity;
use portolan_types::openapi::Inactive;

use super::forms::RevocationForm;
use super::grants::{authenticate_client, count_failure};
use crate::app::{App, Ctx};
use crate::domain::token_format::TokenKind;
use crate::domain::tokens;
use crate::error::Result;
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Form;
use crate::http::no_store;
use crate::http::openapi::{FormRefused, RequestRefused};
use crate::store::clients::{self, Client};
use crate::store::{access_tokens, grants, refresh_tokens};

/// `POST /v2/oauth2/token/revoke`
#[utoipa::path(
    post,
    path = "/v2/oauth2/token/revoke",
    tag = "OAuth",
    summary = "Revoke a token",
    request_body(content = Option<RevocationForm>, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = 200,
            description = "The same answer whether or not there was such a token (RFC 7009).",
            body = Inactive
        ),
        RequestRefused, FormRefused,
    ),
    security(("client_secret" = []), ()),
)]
pub async fn revoke(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let Form(form) = form?;
    let presented = PresentedClient::read(&headers, &form)?;
    let client_id = presented.id;
    let token = form.get("token").unwrap_or("");
    let access = tokens::presented(TokenKind::Access, token);
    let refresh = tokens::presented(TokenKind::Refresh, token);
    let now = ctx.now;
    let result = app
        .db
        .write(move |tx| {
            let caller = authenticate_client(tx, &presented)?;
            if let Some(hash) = &access
                && let Some(owner) = access_tokens::find_client(tx, hash)?
                && may_revoke(tx, &caller, owner)?
            {
                access_tokens::revoke(tx, hash, now)?;
            }
            if let Some(hash) = &refresh
                && let Some(token) = refresh_tokens::find(tx, hash)?
                && may_revoke(tx, &caller, token.client_id)?
            {
                grants::end(tx, token.family_id.0, now)?;
            }
            Ok(())
        })
        .await;
    count_failure(&app, &ctx, client_id, result)?;
    Ok((no_store(), axum::Json(Activity { active: false })).into_response())
}

fn may_revoke(tx: &mut ReadTx, caller: &Client, owner: ClientId) -> Result<bool> {
    if owner == caller.id {
        return Ok(true);
    }
    let owner = clients::find(tx, owner)?;
    Ok(caller.is_template && owner.is_some_and(|owner| owner.is_instance && owner.parent_client_id == Some(caller.id)))
}
