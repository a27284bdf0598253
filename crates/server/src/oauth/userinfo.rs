//! Userinfo, OpenID Connect Core 5.3 and wire.md 2.4.1.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_types::TokenHash;
use portolan_types::oauth::UserInfo;

use super::forms::UserinfoForm;
use crate::app::{App, Ctx};
use crate::domain::profile;
use crate::error::Result;
use crate::http::bearer;
use crate::http::extract::{Form, Query};
use crate::http::no_store;
use crate::http::openapi::{BadRequest, Forbidden, ReadRefused, TooLarge};
use crate::store::addresses;

/// `GET /v2/oauth2/userinfo`
#[utoipa::path(
    get,
    path = "/v2/oauth2/userinfo",
    tag = "OpenID Connect",
    summary = "Read about the person of a token",
    responses(
        (
            status = 200,
            description = "Claims about the person, as far as the scopes of the token open them.",
            body = UserInfo
        ),
        BadRequest, ReadRefused, Forbidden,
    ),
    security(("token" = ["openid"])),
)]
pub async fn userinfo(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Result<Response> {
    let hash = bearer::read(&headers, &query?.0, None)?;
    describe(app, ctx, hash).await
}

/// `POST /v2/oauth2/userinfo`: the same, and the token may stand in the form.
#[utoipa::path(
    post,
    path = "/v2/oauth2/userinfo",
    tag = "OpenID Connect",
    summary = "Read about the person of a token",
    request_body(content = Option<UserinfoForm>, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = 200,
            description = "Claims about the person, as far as the scopes of the token open them.",
            body = UserInfo
        ),
        BadRequest, ReadRefused, Forbidden, TooLarge,
    ),
    security(("token" = ["openid"]), ()),
)]
pub async fn userinfo_by_form(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Result<Response> {
    let hash = bearer::read(&headers, &query?.0, Some(&form?.0))?;
    describe(app, ctx, hash).await
}

async fn describe(app: App, ctx: Ctx, hash: TokenHash) -> Result<Response> {
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let document: UserInfo = app
        .db
        .read(move |tx| {
            let token = bearer::authenticate(tx, &hash, now, &resource_server, "openid")?;
            let mut document = profile::describe(tx, token.identity_id, token.app_session_id)?.userinfo(token.profile);
            if document.email.is_some() {
                document.email_verified = Some(addresses::is_verified(tx, token.identity_id)?);
            }
            Ok::<_, crate::Error>(document)
        })
        .await?;
    Ok((no_store(), axum::Json(document)).into_response())
}
