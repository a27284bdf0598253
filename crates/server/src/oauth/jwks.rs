//! The public signing keys, RFC 7517 and wire.md 2.4.3. From memory: it answers while the
//! store is down.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use super::forms::JwkSet;
use crate::app::{App, Ctx};
use crate::domain::keys::SigningAlgorithm;
use crate::error::{Error, Result};

/// `GET /jwk.json`
#[utoipa::path(
    get,
    path = "/jwk.json",
    tag = "OpenID Connect",
    summary = "Read the public keys",
    responses(
        (
            status = 200,
            description = "The keys that ID tokens are signed with, the current one first.",
            body = JwkSet
        ),
    ),
    security(()),
)]
pub async fn jwks(State(app): State<App>, ctx: Ctx) -> Result<Response> {
    let default = SigningAlgorithm::parse(&app.config.id_token_algorithm)
        .ok_or_else(|| Error::internal("an unknown ID token algorithm is configured"))?;
    // No longer than a new key is published before it signs.
    let cacheable = [(CACHE_CONTROL, HeaderValue::from_static("public, max-age=600"))];
    Ok((cacheable, axum::Json(app.keys().jwks(ctx.now, default))).into_response())
}
