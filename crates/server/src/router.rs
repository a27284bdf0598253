//! Every route of the server. Four groups, each with the layers that fit who calls it:
//! protocol endpoints and the JSON interface answer browsers of any origin and never read
//! a cookie; pages read the cookie and answer no other origin.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};
use http::HeaderValue;
use http::header::STRICT_TRANSPORT_SECURITY;
use tower::util::option_layer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::api::{clients, consents, credentials, fqdns, identities, identity_providers, policies, projects, scopes};
use crate::app::App;
use crate::error::Error;
use crate::http::{context, cors, render};
use crate::oauth::{authorize, discovery, introspect, jwks, revoke, token, userinfo};
use crate::openapi;
use crate::serve::{healthz, readyz};
use crate::web::account_sessions as session_pages;
use crate::web::consents as consent_pages;
use crate::web::console;
use crate::web::developers;
use crate::web::developers::admins as admin_pages;
use crate::web::developers::app_form as app_form_pages;
use crate::web::developers::appearance as appearance_pages;
use crate::web::developers::apps as app_pages;
use crate::web::developers::projects as project_pages;
use crate::web::developers::secrets as secret_pages;
use crate::web::domains as domain_pages;
use crate::web::identities as identity_pages;
use crate::web::policies as policy_pages;
use crate::web::scopes as scope_pages;
use crate::web::{
    address, consent, factor, home, language, linking, login, logout, provider_login, reset, security, setup, sign_up,
    skin,
};

pub fn router(app: App) -> Router {
    let oauth = Router::new()
        .route("/v2/oauth2/token", post(token::token))
        .route("/v2/oauth2/token/introspect", post(introspect::introspect))
        .route("/v2/oauth2/token/validate", post(introspect::validate))
        .route("/v2/oauth2/token/revoke", post(revoke::revoke))
        .method_not_allowed_fallback(method_not_allowed)
        .layer((from_fn(cors::allow_any_origin), render::render_oauth(&app)));

    let api = Router::new()
        .route(
            "/v2/oauth2/userinfo",
            get(userinfo::userinfo).post(userinfo::userinfo_by_form),
        )
        .route("/.well-known/openid-configuration", get(discovery::discovery))
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::authorization_server),
        )
        .route("/jwk.json", get(jwks::jwks))
        .route("/v2/openapi.json", get(openapi::openapi))
        .route(
            "/v2/api/clients",
            get(clients::list_clients).post(clients::create_client),
        )
        .route(
            "/v2/api/clients/{client_id}",
            get(clients::get_client)
                .put(clients::update_client)
                .delete(clients::delete_client),
        )
        .route(
            "/v2/api/clients/{client_id}/credentials",
            get(credentials::list_credentials).post(credentials::create_credential),
        )
        .route(
            "/v2/api/clients/{client_id}/credentials/{credential_id}",
            delete(credentials::delete_credential),
        )
        .route("/v2/api/clients/{client_id}/fqdns", post(fqdns::create_fqdn))
        .route("/v2/api/clients/{client_id}/scopes", post(scopes::create_scope))
        .route(
            "/v2/api/clients/{client_id}/scopes/{scope_id}",
            get(scopes::get_scope_of_client),
        )
        .route(
            "/v2/api/projects",
            get(projects::list_projects).post(projects::create_project),
        )
        .route(
            "/v2/api/projects/{project_id}",
            get(projects::get_project)
                .put(projects::update_project)
                .delete(projects::delete_project),
        )
        .route(
            "/v2/api/policies",
            get(policies::list_policies).post(policies::create_policy),
        )
        .route(
            "/v2/api/policies/{policy_id}",
            get(policies::get_policy)
                .put(policies::update_policy)
                .delete(policies::delete_policy),
        )
        .route("/v2/api/scopes", get(scopes::list_scopes))
        .route(
            "/v2/api/scopes/{scope_id}",
            get(scopes::get_scope)
                .put(scopes::update_scope)
                .delete(scopes::delete_scope),
        )
        .route(
            "/v2/api/identity_providers",
            get(identity_providers::list_identity_providers),
        )
        .route("/v2/api/identities", get(identities::list_identities))
        .route("/v2/api/identities/{identity_id}", get(identities::get_identity))
        .route(
            "/v2/api/identities/{identity_id}/consents",
            get(consents::list_consents),
        )
        .route(
            "/v2/api/identities/{identity_id}/consents/{consent_id}",
            delete(consents::revoke_consent),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .layer((from_fn(cors::allow_any_origin), render::render_api(&app)));

    let upload_limit = DefaultBodyLimit::max(app.config.limits.upload_bytes);
    let web = Router::new()
        .route("/", get(home::home))
        .route(
            "/v2/oauth2/authorize",
            get(authorize::authorize).post(authorize::authorize_by_form),
        )
        .route("/p/authorize", get(authorize::resume))
        .route("/p/language/{language}", get(language::choose_language))
        .route("/p/login", get(login::login_page).post(login::login))
        .route("/p/login/with/{provider_id}", get(provider_login::begin_provider_login))
        .route("/p/callback/{provider_id}", get(provider_login::provider_callback))
        .route("/p/login/factor", get(factor::factor_page).post(factor::present_factor))
        .route("/p/login/passkey", post(factor::login_with_passkey))
        .route("/p/account/security", get(security::security_page))
        .route(
            "/p/account/security/password",
            get(security::password::password_page).post(security::password::change_password),
        )
        .route(
            "/p/account/security/totp",
            get(security::totp::totp_page).post(security::totp::begin_totp),
        )
        .route("/p/account/security/totp/confirm", post(security::totp::confirm_totp))
        .route(
            "/p/account/security/totp/remove",
            get(security::removal::totp_removal_page).post(security::removal::remove_totp),
        )
        .route(
            "/p/account/security/passkeys",
            get(security::passkeys::new_passkey_page).post(security::passkeys::register_passkey),
        )
        .route(
            "/p/account/security/passkeys/{passkey_id}",
            get(security::passkeys::passkey_page).post(security::passkeys::rename_passkey),
        )
        .route(
            "/p/account/security/passkeys/{passkey_id}/remove",
            get(security::removal::passkey_removal_page).post(security::removal::remove_passkey),
        )
        .route(
            "/p/account/security/recovery-codes",
            get(security::recovery_codes::recovery_codes_page).post(security::recovery_codes::make_recovery_codes),
        )
        .route("/p/consent", get(consent::consent_page).post(consent::decide_consent))
        .route(
            "/p/continue",
            get(consent::continue_page).post(consent::decide_continue),
        )
        .route("/p/setup/{token}", get(setup::setup_page).post(setup::setup))
        .route("/p/reset", get(reset::reset_page).post(reset::ask_reset))
        .route("/p/reset/{token}", get(reset::new_password_page).post(reset::reset))
        .route("/p/sign-up", get(sign_up::sign_up_page).post(sign_up::ask_sign_up))
        .route(
            "/p/sign-up/{token}",
            get(sign_up::open_account_page).post(sign_up::open_account),
        )
        .route("/p/address", get(address::address_page).post(address::ask_address))
        .route(
            "/p/address/{token}",
            get(address::confirm_page).post(address::confirm_address),
        )
        .route("/v2/web/auth-code", get(home::auth_code))
        .route("/v2/web/logout", get(logout::logout_page).post(logout::logout))
        .route("/v2/web/logout/", get(logout::logout_page).post(logout::logout))
        .route("/v2/web/consents", get(consent_pages::consents_page))
        .route("/v2/web/consents/", get(consent_pages::consents_page))
        .route(
            "/v2/web/consents/{consent_id}",
            get(consent_pages::revocation_page).post(consent_pages::revoke_by_person),
        )
        .route(
            "/p/account/sessions",
            get(session_pages::sessions_page).post(session_pages::end_sessions),
        )
        .route("/v2/web/identities", get(identity_pages::identities_page))
        .route("/v2/web/identities/", get(identity_pages::identities_page))
        .route(
            "/v2/web/identities/{identity_id}/unlink",
            get(identity_pages::unlink_page).post(identity_pages::unlink_identity),
        )
        .route(
            "/v2/web/identities/{identity_id}/primary",
            get(identity_pages::primary_page).post(identity_pages::make_primary),
        )
        .route("/p/link", get(linking::begin_link_page).post(linking::begin_link))
        .route(
            "/p/link/confirm",
            get(linking::confirm_link_page).post(linking::confirm_link),
        )
        .route("/p/console", get(console::console_page))
        .route("/p/console/people", get(console::people::people_page))
        .route("/p/console/people/{identity_id}", get(console::people::person_page))
        .route(
            "/p/console/people/{identity_id}/{action}",
            get(console::people::person_action_page).post(console::people::act_on_person),
        )
        .route("/p/console/providers", get(console::providers::providers_page))
        .route(
            "/p/console/providers/new",
            get(console::provider_form::new_provider_page).post(console::provider_form::add_provider),
        )
        .route(
            "/p/console/providers/{provider_id}",
            get(console::providers::provider_page),
        )
        .route(
            "/p/console/providers/{provider_id}/edit",
            get(console::provider_form::edit_provider_page).post(console::provider_form::edit_provider),
        )
        .route(
            "/p/console/providers/{provider_id}/{action}",
            get(console::providers::provider_action_page).post(console::providers::act_on_provider),
        )
        .route("/p/console/clients", get(console::clients::clients_page))
        .route("/p/console/clients/{client_id}", get(console::clients::client_page))
        .route(
            "/p/console/clients/{client_id}/{action}",
            get(console::clients::client_action_page).post(console::clients::act_on_client),
        )
        .route("/p/console/audit", get(console::audit::audit_page))
        .route("/p/console/keys", get(console::keys::keys_page))
        .route(
            "/p/console/keys/rotate",
            get(console::keys::rotation_page).post(console::keys::rotate_keys),
        )
        .route("/p/console/setup/address", get(console::first_run::address_step_page))
        .route(
            "/p/console/setup/app",
            get(console::first_run::app_step_page).post(console::first_run::make_first_app),
        )
        .route("/p/console/setup/token", get(console::first_run::token_step_page))
        .route("/p/console/server", get(console::server::server_page))
        .route("/p/developers", get(developers::developers_page))
        .route(
            "/p/developers/projects/new",
            get(project_pages::new_project_page).post(project_pages::make_project),
        )
        .route("/p/developers/projects/{project_id}", get(project_pages::project_page))
        .route(
            "/p/developers/projects/{project_id}/edit",
            get(project_pages::edit_project_page).post(project_pages::edit_project),
        )
        .route(
            "/p/developers/projects/{project_id}/delete",
            get(project_pages::project_removal_page).post(project_pages::delete_project_by_person),
        )
        .route(
            "/p/developers/projects/{project_id}/admins",
            get(admin_pages::new_admin_page).post(admin_pages::add_admin),
        )
        .route(
            "/p/developers/projects/{project_id}/admins/{identity_id}",
            get(admin_pages::admin_removal_page).post(admin_pages::remove_admin),
        )
        .route(
            "/p/developers/projects/{project_id}/apps/new",
            get(app_form_pages::new_app_page).post(app_form_pages::register_app),
        )
        .route("/p/developers/apps/{client_id}", get(app_pages::app_page))
        .route(
            "/p/developers/apps/{client_id}/edit",
            get(app_form_pages::edit_app_page).post(app_form_pages::edit_app),
        )
        .route(
            "/p/developers/apps/{client_id}/delete",
            get(app_pages::app_removal_page).post(app_pages::delete_app),
        )
        .route(
            "/p/developers/apps/{client_id}/secrets",
            get(secret_pages::new_secret_page).post(secret_pages::make_secret),
        )
        .route(
            "/p/developers/apps/{client_id}/secrets/{credential_id}/delete",
            get(secret_pages::secret_removal_page).post(secret_pages::delete_secret),
        )
        .route("/p/developers/apps/{client_id}/scopes", get(scope_pages::scopes_page))
        .route(
            "/p/developers/apps/{client_id}/scopes/new",
            get(scope_pages::new_scope_page).post(scope_pages::make_scope),
        )
        .route(
            "/p/developers/apps/{client_id}/scopes/{scope_id}",
            get(scope_pages::scope_page).post(scope_pages::change_scope),
        )
        .route(
            "/p/developers/apps/{client_id}/scopes/{scope_id}/delete",
            get(scope_pages::scope_deletion_page).post(scope_pages::delete_scope_by_person),
        )
        .route(
            "/p/developers/apps/{client_id}/domains",
            get(domain_pages::domains_page).post(domain_pages::register_domain),
        )
        .route(
            "/p/developers/projects/{project_id}/policies",
            get(policy_pages::policies_page),
        )
        .route(
            "/p/developers/projects/{project_id}/policies/new",
            get(policy_pages::new_policy_page).post(policy_pages::make_policy),
        )
        .route(
            "/p/developers/projects/{project_id}/policies/{policy_id}",
            get(policy_pages::policy_page).post(policy_pages::change_policy),
        )
        .route(
            "/p/developers/projects/{project_id}/policies/{policy_id}/delete",
            get(policy_pages::policy_deletion_page).post(policy_pages::delete_policy_by_person),
        )
        .route(
            "/p/developers/projects/{project_id}/policies/{policy_id}/try",
            get(policy_pages::try_policy),
        )
        .route(
            "/p/developers/apps/{client_id}/appearance",
            get(appearance_pages::app_appearance_page)
                .post(appearance_pages::decide_app_appearance)
                .layer(upload_limit),
        )
        .route(
            "/p/developers/projects/{project_id}/appearance",
            get(appearance_pages::project_appearance_page)
                .post(appearance_pages::decide_project_appearance)
                .layer(upload_limit),
        )
        .route("/p/skin/{file}", get(skin::skin_file))
        .route("/static/{*path}", get(home::asset))
        .route("/favicon.ico", get(home::favicon))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(render::render_web(&app));

    let operations = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));

    let rest = Router::new().fallback(no_such_path).layer(render::render_unknown(&app));

    let body_limit = DefaultBodyLimit::max(app.config.limits.body_bytes);
    let hsts = app.config.cookie_secure().then(|| {
        let a_year = HeaderValue::from_static("max-age=31536000");
        SetResponseHeaderLayer::overriding(STRICT_TRANSPORT_SECURITY, a_year)
    });
    // In one call, the outermost first: what each call of `layer` adds is boxed for each request.
    Router::new()
        .merge(oauth)
        .merge(api)
        .merge(web)
        .merge(operations)
        .fallback_service(rest)
        .layer((context::layer(&app), option_layer(hsts), body_limit))
        .with_state(app)
}

async fn method_not_allowed() -> Error {
    Error::new(crate::Kind::MethodNotAllowed, "this path does not take that method")
}

async fn no_such_path() -> Error {
    Error::not_found("")
}
