//! Userinfo, OpenID Connect Core 5.3 and wire.md 2.4.1.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};

use crate::app::{App, Ctx};
use crate::domain::profile;
use crate::error::Result;
use crate::http::bearer;
use crate::http::extract::{Form, Query};
use crate::http::no_store;

/// `GET` and `POST /v2/oauth2/userinfo`
pub async fn userinfo(
    State(app): State<App>,
    ctx: Ctx,
    method: Method,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Result<Response> {
    let Query(query) = query?;
    let form = if method == Method::POST { Some(form?.0) } else { None };
    let hash = bearer::read(&headers, &query, form.as_ref())?;
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let document = app
        .db
        .read(move |tx| {
            let token = bearer::authenticate(tx, &hash, now, &resource_server, "openid")?;
            Ok::<_, crate::Error>(
                profile::describe(tx, token.identity_id, token.app_session_id)?.userinfo(token.profile),
            )
        })
        .await?;
    Ok((no_store(), axum::Json(document)).into_response())
}
