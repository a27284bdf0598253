//! The discovery documents (OpenID Connect Discovery 1.0, RFC 8414). Made from the
//! configuration alone, so they answer while the store is down.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use portolan_types::oauth::Discovery;

use crate::app::App;
use crate::config::Config;
use crate::domain::policy::REFEDS_MFA;

/// `GET /.well-known/openid-configuration`
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "OpenID Connect",
    summary = "Discover the endpoints",
    responses((status = 200, description = "Where everything is and what it can do.", body = Discovery)),
    security(()),
)]
pub async fn discovery(State(app): State<App>) -> Response {
    let cacheable = [(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];
    (cacheable, axum::Json(document(&app.config))).into_response()
}

/// `GET /.well-known/oauth-authorization-server`: where RFC 8414 looks for the same document.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "OpenID Connect",
    summary = "Discover the endpoints (RFC 8414)",
    responses((status = 200, description = "The same document.", body = Discovery)),
    security(()),
)]
pub async fn authorization_server(State(app): State<App>) -> Response {
    discovery(State(app)).await
}

/// Every listed value really works.
pub fn document(config: &Config) -> Discovery {
    let base = config.public_url();
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let mut algorithms = vec![config.id_token_algorithm.clone()];
    for algorithm in ["RS256", "RS512", "ES256"] {
        if algorithm != config.id_token_algorithm {
            algorithms.push(algorithm.to_owned());
        }
    }
    Discovery {
        issuer: config.issuer(),
        authorization_endpoint: format!("{base}/v2/oauth2/authorize"),
        userinfo_endpoint: format!("{base}/v2/oauth2/userinfo"),
        token_endpoint: format!("{base}/v2/oauth2/token"),
        revocation_endpoint: format!("{base}/v2/oauth2/token/revoke"),
        introspection_endpoint: format!("{base}/v2/oauth2/token/introspect"),
        end_session_endpoint: format!("{base}/v2/web/logout"),
        jwks_uri: format!("{base}/jwk.json"),
        response_types_supported: list(&["code"]),
        response_modes_supported: list(&["query"]),
        grant_types_supported: list(&[
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:globus:auth:grant_type:dependent_token",
        ]),
        subject_types_supported: list(&["public"]),
        id_token_signing_alg_values_supported: algorithms,
        scopes_supported: list(&["openid", "email", "profile", "offline_access"]),
        token_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post", "none"]),
        revocation_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post", "none"]),
        introspection_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post"]),
        claims_supported: list(&[
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "sid",
            "nonce",
            "at_hash",
            "acr",
            "amr",
            "name",
            "email",
            "email_verified",
            "preferred_username",
            "organization",
            "identity_provider",
            "identity_provider_display_name",
            "last_authentication",
            "identity_set",
        ]),
        acr_values_supported: list(&[REFEDS_MFA]),
        code_challenge_methods_supported: list(&["S256"]),
        prompt_values_supported: list(&["none", "login", "consent", "select_account"]),
        authorization_response_iss_parameter_supported: true,
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
    }
}
