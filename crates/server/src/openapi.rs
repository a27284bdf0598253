//! The description of the interface, OpenAPI 3.1: every form and JSON endpoint, from the
//! annotations beside the handlers and the schemas of the types. `tests/openapi.rs` holds it
//! against the routes and against real answers.
//!
//! The authorization endpoint is a page and no operation here; where it is stands in the
//! security scheme of tokens.

use std::sync::OnceLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use portolan_types::error::ErrorDocument;
use utoipa::openapi::security::{
    AuthorizationCode, ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
};
use utoipa::openapi::{Components, PathItem, RefOr, ServerBuilder};
use utoipa::{OpenApi, ToSchema};

use crate::api;
use crate::app::App;
use crate::config::Config;
use crate::http::openapi::{header, headers, refusals};
use crate::oauth;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portolan",
        description = "A self-hosted authorization server with the interface of Globus Auth.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        oauth::token::token,
        oauth::introspect::introspect,
        oauth::introspect::validate,
        oauth::revoke::revoke,
        oauth::userinfo::userinfo,
        oauth::userinfo::userinfo_by_form,
        oauth::discovery::discovery,
        oauth::discovery::authorization_server,
        oauth::jwks::jwks,
        openapi,
        api::clients::list_clients,
        api::clients::create_client,
        api::clients::get_client,
        api::clients::update_client,
        api::clients::delete_client,
        api::credentials::list_credentials,
        api::credentials::create_credential,
        api::credentials::delete_credential,
        api::fqdns::create_fqdn,
        api::scopes::create_scope,
        api::scopes::get_scope_of_client,
        api::scopes::list_scopes,
        api::scopes::get_scope,
        api::scopes::update_scope,
        api::scopes::delete_scope,
        api::projects::list_projects,
        api::projects::create_project,
        api::projects::get_project,
        api::projects::update_project,
        api::projects::delete_project,
        api::policies::list_policies,
        api::policies::create_policy,
        api::policies::get_policy,
        api::policies::update_policy,
        api::policies::delete_policy,
        api::identity_providers::list_identity_providers,
        api::identities::list_identities,
        api::identities::get_identity,
        api::consents::list_consents,
        api::consents::revoke_consent,
    ),
    components(schemas(ErrorDocument, api::identities::IncludeProvider)),
    tags(
        (name = "OAuth", description = "Tokens: RFC 6749, 7009, 7636, 7662."),
        (name = "OpenID Connect", description = "Who a person is, where the endpoints are, the keys, this description."),
        (name = "Clients", description = "Apps, services and service accounts."),
        (name = "Scopes", description = "What services can be allowed to do."),
        (name = "Projects", description = "What clients and policies belong to, with its administrators."),
        (name = "Policies", description = "What a session has to be like."),
        (name = "Identities", description = "People and clients by name and id."),
        (name = "Consents", description = "What a person has allowed."),
    )
)]
struct Described;

/// `GET /v2/openapi.json`
#[utoipa::path(
    get,
    path = "/v2/openapi.json",
    tag = "OpenID Connect",
    summary = "Read this description",
    responses((status = 200, description = "This document.", body = Description)),
    security(()),
)]
pub async fn openapi(State(app): State<App>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, document(&app.config)).into_response()
}

/// The members of a description that every reader looks at.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, not filled")]
struct Description {
    #[schema(pattern = r"^3\.1\.[0-9]+$")]
    openapi: String,
    #[schema(value_type = Object)]
    info: (),
    #[schema(value_type = Object)]
    paths: (),
    #[schema(value_type = Object)]
    components: (),
    #[schema(value_type = Vec<Object>)]
    servers: (),
    #[schema(value_type = Vec<Object>)]
    tags: (),
}

/// Stands for the address of the server until a configuration is known.
const SOME_URL: &str = "https://auth.example.org";
const SCOPES: &str = "urn:globus:auth:scope:auth.globus.org:";

/// The text as this server answers it. It is put together once for the whole process, since
/// servers differ in their address and in the name of their own scopes alone.
pub fn document(config: &Config) -> String {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| {
        let mut document = serde_json::json!(describe());
        // The builder does not know this member of a header.
        for header in document["components"]["headers"].as_object_mut().into_iter().flatten() {
            header.1["required"] = true.into();
        }
        document.to_string()
    });
    let scopes = format!("urn:globus:auth:scope:{}:", config.resource_server_name);
    document
        .replace(SOME_URL, &config.public_url())
        .replace(SCOPES, &scopes)
}

fn describe() -> utoipa::openapi::OpenApi {
    let mut document = Described::openapi();
    document.servers = Some(vec![ServerBuilder::new().url(SOME_URL).build()]);
    let components = document.components.get_or_insert_with(Components::new);
    for (name, response) in refusals() {
        components.responses.insert(name.to_owned(), response.into());
    }
    for (name, scheme) in security_schemes() {
        components.security_schemes.insert(name.to_owned(), RefOr::T(scheme));
    }
    for (name, header) in headers() {
        components.headers.insert(name.to_owned(), header.into());
    }
    let answers = components.responses.values_mut();
    let operations = document.paths.paths.values_mut().flat_map(operations);
    let answers = answers.chain(operations.flat_map(|operation| operation.responses.responses.values_mut()));
    for answer in answers {
        if let RefOr::T(answer) = answer {
            answer.headers.insert("X-Request-Id".to_owned(), header("RequestId"));
        }
    }
    document
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    [&mut path.get, &mut path.post, &mut path.put, &mut path.delete]
        .into_iter()
        .flatten()
}

fn security_schemes() -> [(&'static str, SecurityScheme); 2] {
    let basic = Http::builder()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The id of a client and one of its secrets."))
        .build();
    let own = |name: &str| format!("{SCOPES}{name}");
    let scopes = Scopes::from_iter([
        ("openid".to_owned(), "Who somebody is".to_owned()),
        ("profile".to_owned(), "Name, organization and username".to_owned()),
        ("email".to_owned(), "The e-mail address".to_owned()),
        (own("view_identity_set"), "Linked identities".to_owned()),
        (own("manage_projects"), "Projects and what they hold".to_owned()),
        (own("view_clients"), "Clients of one's projects".to_owned()),
        (
            own("view_clients_and_scopes"),
            "Clients and scopes of one's projects".to_owned(),
        ),
        (own("view_consents"), "All consents of the person".to_owned()),
        (own("manage_consents"), "Taking consents back".to_owned()),
    ]);
    let token = format!("{SOME_URL}/v2/oauth2/token");
    let flows = [
        Flow::AuthorizationCode(AuthorizationCode::with_refresh_url(
            format!("{SOME_URL}/v2/oauth2/authorize"),
            token.clone(),
            scopes.clone(),
            token.clone(),
        )),
        Flow::ClientCredentials(ClientCredentials::new(token, scopes)),
    ];
    let description = "An access token for the resource server of this server itself.";
    [
        ("client_secret", SecurityScheme::Http(basic)),
        (
            "token",
            SecurityScheme::OAuth2(OAuth2::with_description(flows, description)),
        ),
    ]
}
