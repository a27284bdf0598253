//! The token endpoint, RFC 6749 section 3.2: reads the grant type and calls the grant.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_types::oauth::{TokenDocument, TokenResponse};
use serde::Serialize;

use super::forms::TokenForm;
use super::grants::{self, authorization_code, client_credentials, dependent_token, refresh_token};
use crate::app::{App, Ctx};
use crate::domain::client;
use crate::error::{Error, Kind, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::{Form, Params, Query};
use crate::http::no_store;
use crate::http::openapi::{ConsentMissing, FormRefused, GrantRefused};

/// Parameters that old clients send in the query of a code exchange (decisions, section 3).
const QUERY_PARAMETERS: &[&str] = &["grant_type", "code", "redirect_uri", "client_id", "scope", "state"];
/// Never in a query: addresses are logged on the way.
const SECRET_PARAMETERS: &[&str] = &[
    "client_secret",
    "client_assertion",
    "refresh_token",
    "token",
    "code_verifier",
    "password",
    "assertion",
];

/// `POST /v2/oauth2/token`
#[utoipa::path(
    post,
    path = "/v2/oauth2/token",
    tag = "OAuth",
    summary = "Get tokens",
    description = "Clients authenticate by HTTP Basic, or by `client_id` and `client_secret` in the form; public ones by `client_id` alone.",
    params(
        (
            "include_consented_scopes" = Option<bool>,
            Query,
            description = "With an authorization code: also tokens for all that the person has consented to before.",
            nullable = false
        ),
    ),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens: one document, for the dependent grant a list.", body = Answer),
        GrantRefused, ConsentMissing, FormRefused,
    ),
    security(("client_secret" = []), ()),
)]
pub async fn token(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Result<Response> {
    let (Query(query), Form(form)) = (query?, form?);
    if let Some(name) = SECRET_PARAMETERS.iter().find(|name| query.get(name).is_some()) {
        if let Some(code) = query.get("code").or_else(|| form.get("code")) {
            authorization_code::burn(&app, &ctx, code).await?;
        }
        return Err(Error::invalid_request(format!(
            "{name} must never be in the address; send it in the body"
        )));
    }
    let presented = PresentedClient::read(&headers, &merge_client_id(&query, &form));
    let params = merge(
        &app,
        &query,
        form,
        presented.as_ref().is_ok_and(PresentedClient::uses_basic),
    )?;
    let presented = presented?;
    let client_id = presented.id;
    let result = exchange(&app, &ctx, presented, &params).await;
    let answer = grants::count_failure(&app, &ctx, client_id, result)?;
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// The dependent grant answers with a bare list, the others with one document.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TokenAnswer)]
#[serde(untagged)]
enum Answer {
    Document(Box<TokenResponse>),
    List(Vec<TokenDocument>),
}

async fn exchange(app: &App, ctx: &Ctx, presented: PresentedClient, params: &Params) -> Result<Answer> {
    let document = match params.get("grant_type") {
        Some(client::AUTHORIZATION_CODE) => match authorization_code::Request::read(params) {
            Ok(request) => authorization_code::exchange(app, ctx, presented, request).await?,
            Err(error) => return refuse(app, presented, error).await,
        },
        Some(client::REFRESH_TOKEN) => match refresh_token::Request::read(params) {
            Ok(request) => refresh_token::exchange(app, ctx, presented, request).await?,
            Err(error) => return refuse(app, presented, error).await,
        },
        Some(client::CLIENT_CREDENTIALS) => match client_credentials::Request::read(params) {
            Ok(request) => client_credentials::exchange(app, ctx, presented, request).await?,
            Err(error) => return refuse(app, presented, error).await,
        },
        Some(client::DEPENDENT_TOKEN) => match dependent_token::Request::read(params) {
            Ok(request) => {
                return dependent_token::exchange(app, ctx, presented, request)
                    .await
                    .map(Answer::List);
            }
            Err(error) => return refuse(app, presented, error).await,
        },
        Some(_) => {
            let error = Error::new(Kind::UnsupportedGrantType, "this grant type is not offered");
            return refuse(app, presented, error).await;
        }
        None => {
            let error = Error::invalid_request("the parameter grant_type is missing");
            return refuse(app, presented, error).await;
        }
    };
    Ok(Answer::Document(Box::new(document)))
}

/// The client comes first in every answer: what is wrong with a request is told only to a
/// client that is who it says.
async fn refuse(app: &App, presented: PresentedClient, error: Error) -> Result<Answer> {
    app.db
        .read(move |tx| grants::authenticate_client(tx, &presented).map(|_| ()))
        .await?;
    Err(error)
}

/// The form, with a client id from the query where that is allowed at all.
fn merge_client_id(query: &Params, form: &Params) -> Params {
    let mut merged = form.clone();
    if let (Some(id), None) = (query.get("client_id"), form.get("client_id")) {
        merged.push("client_id", id);
    }
    merged
}

/// Adds the few parameters of the query that are read, for the one case in which they are.
fn merge(app: &App, query: &Params, mut form: Params, uses_basic: bool) -> Result<Params> {
    for name in query.names() {
        let known = QUERY_PARAMETERS.contains(&name) || name == "include_consented_scopes";
        if known && form.get(name).is_some() {
            return Err(Error::invalid_request(format!(
                "the parameter {name} is in the address and in the body"
            )));
        }
    }
    if let Some(value) = query.get("include_consented_scopes") {
        form.push("include_consented_scopes", value);
    }
    let Some(found) = QUERY_PARAMETERS.iter().find(|name| query.get(name).is_some()) else {
        return Ok(form);
    };
    let grant_type = form.get("grant_type").or_else(|| query.get("grant_type"));
    let allowed = app.config.token_query_parameters && uses_basic && grant_type == Some(client::AUTHORIZATION_CODE);
    if !allowed {
        return Err(Error::invalid_request(format!(
            "the parameter {found} must be in the body, not in the address"
        )));
    }
    for name in QUERY_PARAMETERS {
        if let Some(value) = query.get(name) {
            form.push(name, value);
        }
    }
    Ok(form)
}
