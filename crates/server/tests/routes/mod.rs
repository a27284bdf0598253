//! Every route with a call that its right caller would make, and the world that the calls
//! need. The programs that ask what others get for the same calls share it: a route of
//! `router.rs` without an entry here fails them, because the routes are read from its source.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a harness that fails has said what is wrong")]

mod console;

use std::collections::BTreeSet;
use std::path::Path;

use http::Method;
use http::header::CONTENT_TYPE;
use portolan_server::domain::client;
use portolan_types::{ClientId, ConsentId};

use crate::support::{
    Answer, Auth, Authenticator, Browser, Form, Mailbox, Outcome, TestClient, TestResourceServer, TestServer, TestUser,
    otp,
};

const SECURITY: &str = "/p/account/security";

/// Everything that a call may need. Each route starts from a fresh one.
pub struct World {
    pub server: TestServer,
    /// Where its mail goes.
    pub mailbox: Mailbox,
    pub alice: TestUser,
    pub bob: TestUser,
    /// Signed in as Alice, and as Bob.
    pub browser: Browser,
    pub others_browser: Browser,
    pub app: TestClient,
    pub other_app: TestClient,
    pub native: TestClient,
    pub service: TestResourceServer,
    /// Of Alice for the app: a token of Auth itself with every scope it has for people.
    pub auth_token: String,
    pub refresh_token: String,
    pub service_token: String,
    /// Of Bob for the other app, likewise.
    pub others_token: String,
    pub others_consent: ConsentId,
    /// Alice's project, with one of each.
    pub project: String,
    pub owned: String,
    pub credential: String,
    pub scope: String,
    pub policy: String,
    /// Service accounts: one that Alice made in her project, and one that is an admin of it.
    pub robot: TestClient,
    pub admin_robot: TestClient,
}

pub const PROJECT_NAME: &str = "Project of Alice";
pub const CLIENT_NAME: &str = "Client of Alice";
pub const SCOPE_NAME: &str = "Scope of Alice";
pub const POLICY_NAME: &str = "Policy of Alice";

pub const AUTH_SCOPES: &str = "openid email profile urn:globus:auth:scope:auth.globus.org:view_identity_set \
                           urn:globus:auth:scope:auth.globus.org:view_consents \
                           urn:globus:auth:scope:auth.globus.org:manage_consents \
                           urn:globus:auth:scope:auth.globus.org:manage_projects";

impl World {
    pub fn new() -> Self {
        let mailbox = Mailbox::open();
        let server = TestServer::with_mail(&mailbox);
        let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
        let (browser, others_browser) = (server.browser_of(&alice), server.browser_of(&bob));
        let app = server.client().named("The App").create();
        let other_app = server.client().named("The Other App").create();
        let native = server.client().public_installed().create();
        let admin_robot = server.client().of_type(client::CLIENT_IDENTITY).create();
        let service = server.resource_server("service.example").scope("read").create();
        let tokens = app.offline_tokens(&browser, &format!("{AUTH_SCOPES} {}", service.scope("read")));
        let others = other_app.tokens(&others_browser, AUTH_SCOPES);
        let bobs_consent = server.read(move |tx| {
            let consents = portolan_server::store::consents::list_by_identity(tx, bob.id)?;
            Ok(consents.first().expect("Bob consented").id)
        });
        let auth_token = tokens.of("auth.globus.org").access_token().to_owned();
        let make = |path: &str, noun: &str, body: serde_json::Value| -> String {
            let document = serde_json::json!({ noun: body });
            let answer = server
                .post_json(path, &Auth::Bearer(auth_token.clone()), &document)
                .ok();
            answer.json()[noun]["id"]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {}", answer.summary()))
                .to_owned()
        };
        let project = make(
            "/v2/api/projects",
            "project",
            serde_json::json!({ "display_name": PROJECT_NAME, "contact_email": "p@example.org", "admin_ids": [alice.id, admin_robot.id] }),
        );
        let owned = make(
            "/v2/api/clients",
            "client",
            serde_json::json!({ "name": CLIENT_NAME, "project": project, "public_client": false }),
        );
        let credential = make(
            &format!("/v2/api/clients/{owned}/credentials"),
            "credential",
            serde_json::json!({ "name": "first" }),
        );
        let scope = make(
            &format!("/v2/api/clients/{owned}/scopes"),
            "scope",
            serde_json::json!({
                "name": SCOPE_NAME, "description": "Of a test.", "scope_suffix": "own", "advertised": false
            }),
        );
        let policy = make(
            "/v2/api/policies",
            "policy",
            serde_json::json!({
                "project_id": project, "display_name": POLICY_NAME, "description": "Of a test.", "high_assurance": false
            }),
        );
        let robot = server
            .client()
            .of_type(client::CLIENT_IDENTITY)
            .in_project(project.parse().unwrap())
            .create();
        let sql = "INSERT INTO client_fqdns (fqdn, client_id, added_at) VALUES ('owned.example', $1, 0)";
        let owner: ClientId = owned.parse().unwrap();
        server.sql(sql, portolan_db::params![owner]);
        Self {
            auth_token,
            refresh_token: tokens.of("service.example").refresh_token().to_owned(),
            service_token: tokens.of("service.example").access_token().to_owned(),
            others_token: others.of("auth.globus.org").access_token().to_owned(),
            others_consent: bobs_consent,
            project,
            owned,
            credential,
            scope,
            policy,
            robot,
            admin_robot,
            server,
            mailbox,
            alice,
            bob,
            browser,
            others_browser,
            app,
            other_app,
            native,
            service,
        }
    }

    /// A call of Alice's with a JSON body.
    fn managing(&self, path: &str, noun: &str, body: serde_json::Value) -> ProgramCall {
        ProgramCall {
            path: path.to_owned(),
            body: Body::Json(serde_json::json!({ noun: body })),
            right: Auth::Bearer(self.auth_token.clone()),
        }
    }

    fn consent(&self) -> ConsentId {
        let id = self.alice.id;
        self.server.read(move |tx| {
            let consents = portolan_server::store::consents::list_by_identity(tx, id)?;
            Ok(consents.first().expect("Alice consented").id)
        })
    }

    /// What nobody here may learn about Alice without being allowed to.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![
            "alice@example.org".to_owned(),
            PROJECT_NAME.to_owned(),
            CLIENT_NAME.to_owned(),
            SCOPE_NAME.to_owned(),
            POLICY_NAME.to_owned(),
            self.auth_token.clone(),
            self.refresh_token.clone(),
            self.service_token.clone(),
        ];
        secrets.extend(self.app.secret.clone());
        secrets
    }
}

/// A call of a program: what the right caller would send, so that it is refused for the
/// caller and for nothing else.
pub struct ProgramCall {
    pub path: String,
    pub body: Body,
    pub right: Auth,
}

pub enum Body {
    None,
    Form(Vec<(&'static str, String)>),
    Json(serde_json::Value),
}

/// A page or the form on it.
pub struct PageCall {
    pub path: String,
    /// What Alice's browser would send; none: it opens the page.
    pub form: Option<Form>,
}

pub enum Call {
    Program(fn(&World) -> ProgramCall),
    Page(fn(&World) -> PageCall),
}

pub fn calls() -> Vec<(&'static str, Call)> {
    let mut calls = calls_of_everybody();
    calls.extend(console::calls());
    calls
}

fn calls_of_everybody() -> Vec<(&'static str, Call)> {
    use Call::{Page, Program};
    vec![
        (
            "POST /v2/oauth2/token",
            Program(|w| {
                program(
                    "/v2/oauth2/token",
                    w.app.auth(),
                    &[("grant_type", "refresh_token"), ("refresh_token", &w.refresh_token)],
                )
            }),
        ),
        (
            "POST /v2/oauth2/token/introspect",
            Program(|w| {
                program(
                    "/v2/oauth2/token/introspect",
                    w.service.auth(),
                    &[("token", &w.service_token)],
                )
            }),
        ),
        (
            "POST /v2/oauth2/token/validate",
            Program(|w| {
                program(
                    "/v2/oauth2/token/validate",
                    w.app.auth(),
                    &[("token", &w.service_token)],
                )
            }),
        ),
        (
            "POST /v2/oauth2/token/revoke",
            Program(|w| program("/v2/oauth2/token/revoke", w.app.auth(), &[("token", &w.service_token)])),
        ),
        ("GET /v2/oauth2/userinfo", Program(|w| bearer("/v2/oauth2/userinfo", w))),
        (
            "POST /v2/oauth2/userinfo",
            Program(|w| program("/v2/oauth2/userinfo", Auth::Bearer(w.auth_token.clone()), &[])),
        ),
        (
            "GET /.well-known/openid-configuration",
            Program(|_| open("/.well-known/openid-configuration")),
        ),
        (
            "GET /.well-known/oauth-authorization-server",
            Program(|_| open("/.well-known/oauth-authorization-server")),
        ),
        ("GET /jwk.json", Program(|_| open("/jwk.json"))),
        ("GET /v2/openapi.json", Program(|_| open("/v2/openapi.json"))),
        (
            "POST /v2/api/clients",
            Program(|w| {
                let template = w.server.client().template().create();
                ProgramCall {
                    path: "/v2/api/clients".into(),
                    body: Body::Json(serde_json::json!({ "client": { "template_id": template.id, "name": "laptop" } })),
                    right: Auth::None,
                }
            }),
        ),
        ("GET /v2/api/clients/{client_id}", Program(own_record)),
        ("DELETE /v2/api/clients/{client_id}", Program(own_record)),
        ("GET /v2/api/clients", Program(|w| bearer("/v2/api/clients", w))),
        (
            "GET /v2/api/clients#by-name",
            Program(|w| bearer("/v2/api/clients?fqdn=owned.example", w)),
        ),
        (
            "POST /v2/api/clients#of-a-project",
            Program(|w| {
                w.managing(
                    "/v2/api/clients",
                    "client",
                    serde_json::json!({ "name": "another", "project": w.project, "public_client": false }),
                )
            }),
        ),
        (
            "GET /v2/api/clients/{client_id}#of-a-project",
            Program(|w| bearer(&format!("/v2/api/clients/{}", w.owned), w)),
        ),
        (
            "PUT /v2/api/clients/{client_id}",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/clients/{}", w.owned),
                    "client",
                    serde_json::json!({ "name": "renamed" }),
                )
            }),
        ),
        (
            "DELETE /v2/api/clients/{client_id}#of-a-project",
            Program(|w| bearer(&format!("/v2/api/clients/{}", w.owned), w)),
        ),
        (
            "GET /v2/api/clients/{client_id}/credentials",
            Program(|w| bearer(&format!("/v2/api/clients/{}/credentials", w.owned), w)),
        ),
        (
            "POST /v2/api/clients/{client_id}/credentials",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/clients/{}/credentials", w.owned),
                    "credential",
                    serde_json::json!({ "name": "second" }),
                )
            }),
        ),
        (
            "DELETE /v2/api/clients/{client_id}/credentials/{credential_id}",
            Program(|w| bearer(&format!("/v2/api/clients/{}/credentials/{}", w.owned, w.credential), w)),
        ),
        (
            "POST /v2/api/clients/{client_id}/fqdns",
            Program(|w| ProgramCall {
                body: Body::Json(serde_json::json!({ "fqdn": "owned.example" })),
                ..bearer(&format!("/v2/api/clients/{}/fqdns", w.owned), w)
            }),
        ),
        (
            "POST /v2/api/clients/{client_id}/scopes",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/clients/{}/scopes", w.owned),
                    "scope",
                    serde_json::json!({ "name": "n", "description": "d", "scope_suffix": "another" }),
                )
            }),
        ),
        (
            "GET /v2/api/clients/{client_id}/scopes/{scope_id}",
            Program(|w| bearer(&format!("/v2/api/clients/{}/scopes/{}", w.owned, w.scope), w)),
        ),
        ("GET /v2/api/projects", Program(|w| bearer("/v2/api/projects", w))),
        (
            "POST /v2/api/projects",
            Program(|w| {
                w.managing(
                    "/v2/api/projects",
                    "project",
                    serde_json::json!({ "display_name": "new", "contact_email": "n@example.org", "admin_ids": [w.alice.id] }),
                )
            }),
        ),
        (
            "GET /v2/api/projects/{project_id}",
            Program(|w| bearer(&format!("/v2/api/projects/{}", w.project), w)),
        ),
        (
            "PUT /v2/api/projects/{project_id}",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/projects/{}", w.project),
                    "project",
                    serde_json::json!({ "display_name": "renamed" }),
                )
            }),
        ),
        (
            "DELETE /v2/api/projects/{project_id}",
            Program(|w| {
                let mut call = bearer("", w);
                let token = Auth::Bearer(w.auth_token.clone());
                let empty = serde_json::json!({ "project": { "display_name": "empty", "contact_email": "p@example.org", "admin_ids": [w.alice.id, w.admin_robot.id] } });
                let made = w.server.post_json("/v2/api/projects", &token, &empty).ok().json();
                call.path = format!("/v2/api/projects/{}", made["project"]["id"].as_str().unwrap());
                call
            }),
        ),
        ("GET /v2/api/policies", Program(|w| bearer("/v2/api/policies", w))),
        (
            "POST /v2/api/policies",
            Program(|w| {
                w.managing("/v2/api/policies", "policy",
            serde_json::json!({ "project_id": w.project, "display_name": "n", "description": "d", "high_assurance": false }))
            }),
        ),
        (
            "GET /v2/api/policies/{policy_id}",
            Program(|w| bearer(&format!("/v2/api/policies/{}", w.policy), w)),
        ),
        (
            "PUT /v2/api/policies/{policy_id}",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/policies/{}", w.policy),
                    "policy",
                    serde_json::json!({ "display_name": "renamed" }),
                )
            }),
        ),
        (
            "DELETE /v2/api/policies/{policy_id}",
            Program(|w| bearer(&format!("/v2/api/policies/{}", w.policy), w)),
        ),
        (
            "GET /v2/api/scopes",
            Program(|w| bearer(&format!("/v2/api/scopes?ids={}", w.scope), w)),
        ),
        (
            "GET /v2/api/scopes/{scope_id}",
            Program(|w| bearer(&format!("/v2/api/scopes/{}", w.scope), w)),
        ),
        (
            "PUT /v2/api/scopes/{scope_id}",
            Program(|w| {
                w.managing(
                    &format!("/v2/api/scopes/{}", w.scope),
                    "scope",
                    serde_json::json!({ "name": "renamed" }),
                )
            }),
        ),
        (
            "DELETE /v2/api/scopes/{scope_id}",
            Program(|w| bearer(&format!("/v2/api/scopes/{}", w.scope), w)),
        ),
        (
            "GET /v2/api/identity_providers",
            Program(|w| bearer("/v2/api/identity_providers?domains=portolan.local", w)),
        ),
        (
            "GET /v2/api/identities",
            Program(|w| bearer("/v2/api/identities?usernames=alice@portolan.local", w)),
        ),
        (
            "GET /v2/api/identities/{identity_id}",
            Program(|w| bearer(&format!("/v2/api/identities/{}", w.alice.id), w)),
        ),
        (
            "GET /v2/api/identities/{identity_id}/consents",
            Program(|w| bearer(&format!("/v2/api/identities/{}/consents", w.alice.id), w)),
        ),
        (
            "DELETE /v2/api/identities/{identity_id}/consents/{consent_id}",
            Program(|w| {
                bearer(
                    &format!("/v2/api/identities/{}/consents/{}", w.alice.id, w.consent()),
                    w,
                )
            }),
        ),
        ("GET /healthz", Program(|_| open("/healthz"))),
        ("GET /readyz", Program(|_| open("/readyz"))),
        ("GET /", Page(|_| page("/"))),
        ("GET /v2/oauth2/authorize", Page(|w| page(&authorize_path(w)))),
        (
            "POST /v2/oauth2/authorize",
            Page(|w| {
                let fields = w.app.params("openid").0;
                PageCall {
                    path: "/v2/oauth2/authorize".into(),
                    form: Some(Form {
                        action: "/v2/oauth2/authorize".into(),
                        fields,
                        buttons: vec![],
                    }),
                }
            }),
        ),
        (
            "GET /p/authorize",
            Page(|w| page(&w.waiting_at("/p/consent").path.replace("/p/consent", "/p/authorize"))),
        ),
        ("GET /p/login", Page(|w| page(&w.waiting_at("/p/login").path))),
        (
            "POST /p/login",
            Page(|w| {
                let call = w.waiting_at("/p/login");
                let form = call
                    .form
                    .unwrap()
                    .set("username", &w.alice.username)
                    .set("password", &w.alice.password);
                PageCall {
                    path: form.action.clone(),
                    form: Some(form),
                }
            }),
        ),
        ("GET /p/login/factor", Page(|w| page(&w.at_second_step().path))),
        (
            "POST /p/login/factor",
            Page(|w| {
                let call = w.at_second_step();
                let form = call.form.unwrap();
                PageCall {
                    path: form.action.clone(),
                    form: Some(form),
                }
            }),
        ),
        (
            "POST /p/login/passkey",
            Page(|w| {
                let passkey = w.passkey();
                w.waiting_at("/p/login");
                let credential = passkey.get(&w.browser.passkey_options("/p/login/passkey"));
                let form = w.browser.form_with("/p/login/passkey", "credential");
                w.form_of(form.set("credential", &credential.to_string()))
            }),
        ),
        ("GET /p/account/security", Page(|_| page(SECURITY))),
        (
            "GET /p/account/security/password",
            Page(|_| page("/p/account/security/password")),
        ),
        (
            "POST /p/account/security/password",
            Page(|w| {
                let call = w.form_on("/p/account/security/password");
                let new = "seven unlikely words of a new password";
                let form = call.form.unwrap().set("password_now", &w.alice.password);
                w.form_of(form.set("password", new).set("password_again", new))
            }),
        ),
        (
            "GET /p/account/security/totp",
            Page(|w| {
                w.begun_app();
                page("/p/account/security/totp")
            }),
        ),
        (
            "POST /p/account/security/totp",
            Page(|w| {
                w.browser.get(SECURITY);
                w.form_of(w.browser.form_with("/p/account/security/totp", "form_token"))
            }),
        ),
        (
            "POST /p/account/security/totp/confirm",
            Page(|w| {
                let (form, _) = w.begun_app();
                w.form_of(form)
            }),
        ),
        (
            "GET /p/account/security/totp/remove",
            Page(|w| {
                w.app_set_up();
                page("/p/account/security/totp/remove")
            }),
        ),
        (
            "POST /p/account/security/totp/remove",
            Page(|w| {
                w.app_set_up();
                let call = w.form_on("/p/account/security/totp/remove");
                w.form_of(call.form.unwrap().set("password_now", &w.alice.password))
            }),
        ),
        (
            "GET /p/account/security/passkeys",
            Page(|_| page("/p/account/security/passkeys")),
        ),
        (
            "POST /p/account/security/passkeys",
            Page(|w| {
                let form = w.new_passkey(&mut Authenticator::new(&w.server));
                w.form_of(form)
            }),
        ),
        (
            "GET /p/account/security/passkeys/{passkey_id}",
            Page(|w| page(&w.passkey_path())),
        ),
        (
            "POST /p/account/security/passkeys/{passkey_id}",
            Page(|w| w.form_on(&w.passkey_path())),
        ),
        (
            "GET /p/account/security/passkeys/{passkey_id}/remove",
            Page(|w| page(&format!("{}/remove", w.passkey_path()))),
        ),
        (
            "POST /p/account/security/passkeys/{passkey_id}/remove",
            Page(|w| {
                let call = w.form_on(&format!("{}/remove", w.passkey_path()));
                w.form_of(call.form.unwrap().set("password_now", &w.alice.password))
            }),
        ),
        (
            "GET /p/account/security/recovery-codes",
            Page(|_| page("/p/account/security/recovery-codes")),
        ),
        (
            "POST /p/account/security/recovery-codes",
            Page(|w| {
                w.app_set_up();
                w.form_on("/p/account/security/recovery-codes")
            }),
        ),
        (
            "GET /p/login/with/{provider_id}",
            // Not for the request that waits: it wants a new sign-in, which this provider cannot prove.
            Page(|w| page(&format!("/p/login/with/{}", w.provider()))),
        ),
        (
            "GET /p/callback/{provider_id}",
            Page(|w| page(&format!("/p/callback/{}?state=unknown&code=stolen", w.provider()))),
        ),
        ("GET /p/consent", Page(|w| page(&w.waiting_at("/p/consent").path))),
        ("POST /p/consent", Page(|w| w.deciding_at("/p/consent"))),
        ("GET /p/continue", Page(|w| page(&w.waiting_at("/p/continue").path))),
        ("POST /p/continue", Page(|w| w.deciding_at("/p/continue"))),
        ("GET /p/setup/{token}", Page(|w| page(&w.server.setup_path().unwrap()))),
        (
            "POST /p/setup/{token}",
            Page(|w| {
                let path = w.server.setup_path().unwrap();
                w.browser.get(&path);
                let form = w.browser.form();
                let password = "seven unlikely words of a setup page";
                let form = form
                    .set("username", "root")
                    .set("name", "Root")
                    .set("email", "root@example.org");
                PageCall {
                    path,
                    form: Some(form.set("password", password).set("password_again", password)),
                }
            }),
        ),
        ("GET /p/language/{language}", Page(|_| page("/p/language/de"))),
        ("GET /p/reset", Page(|_| page("/p/reset"))),
        (
            "POST /p/reset",
            Page(|w| w.filled_in("/p/reset", &[("username", "nobody")])),
        ),
        (
            "GET /p/reset/{token}",
            Page(|w| page(&w.mailed("/p/reset", &[("username", "alice")]))),
        ),
        (
            "POST /p/reset/{token}",
            Page(|w| {
                let link = w.mailed("/p/reset", &[("username", "alice")]);
                w.filled_in(&link, &[("password", NEW_PASSWORD), ("password_again", NEW_PASSWORD)])
            }),
        ),
        ("GET /p/sign-up", Page(|_| page("/p/sign-up"))),
        (
            "POST /p/sign-up",
            Page(|w| w.filled_in("/p/sign-up", &[("email", "new@example.net")])),
        ),
        (
            "GET /p/sign-up/{token}",
            Page(|w| page(&w.mailed("/p/sign-up", &[("email", "new@example.net")]))),
        ),
        (
            "POST /p/sign-up/{token}",
            Page(|w| {
                let link = w.mailed("/p/sign-up", &[("email", "new@example.net")]);
                let fields = [
                    ("username", "newcomer"),
                    ("name", "New"),
                    ("password", NEW_PASSWORD),
                    ("password_again", NEW_PASSWORD),
                ];
                w.filled_in(&link, &fields)
            }),
        ),
        ("GET /p/address", Page(|_| page("/p/address"))),
        (
            "POST /p/address",
            Page(|w| w.filled_in("/p/address", &[("email", "new@example.net")])),
        ),
        (
            "GET /p/address/{token}",
            Page(|w| page(&w.mailed("/p/address", &[("email", "new@example.net")]))),
        ),
        (
            "POST /p/address/{token}",
            Page(|w| {
                let link = w.mailed("/p/address", &[("email", "new@example.net")]);
                w.filled_in(&link, &[])
            }),
        ),
        ("GET /v2/web/auth-code", Page(|_| page("/v2/web/auth-code?code=abc"))),
        ("GET /v2/web/logout", Page(|_| page("/v2/web/logout"))),
        ("POST /v2/web/logout", Page(|w| w.form_on("/v2/web/logout"))),
        ("GET /v2/web/logout/", Page(|_| page("/v2/web/logout/"))),
        (
            "POST /v2/web/logout/",
            Page(|w| PageCall {
                path: "/v2/web/logout/".into(),
                ..w.form_on("/v2/web/logout/")
            }),
        ),
        ("GET /v2/web/consents", Page(|_| page("/v2/web/consents"))),
        ("GET /v2/web/consents/", Page(|_| page("/v2/web/consents/"))),
        (
            "GET /v2/web/consents/{consent_id}",
            Page(|w| page(&format!("/v2/web/consents/{}", w.consent()))),
        ),
        (
            "POST /v2/web/consents/{consent_id}",
            Page(|w| w.form_on(&format!("/v2/web/consents/{}", w.consent()))),
        ),
        ("GET /p/account/sessions", Page(|_| page("/p/account/sessions"))),
        (
            "POST /p/account/sessions",
            Page(|w| {
                let call = w.form_on("/p/account/sessions");
                PageCall {
                    form: call.form.map(|form| form.set("session", "others")),
                    ..call
                }
            }),
        ),
        ("GET /v2/web/identities", Page(|_| page("/v2/web/identities"))),
        ("GET /v2/web/identities/", Page(|_| page("/v2/web/identities/"))),
        (
            "GET /v2/web/identities/{identity_id}/unlink",
            Page(|w| page(&format!("/v2/web/identities/{}/unlink", w.linked().id))),
        ),
        (
            "POST /v2/web/identities/{identity_id}/unlink",
            Page(|w| w.form_on(&format!("/v2/web/identities/{}/unlink", w.linked().id))),
        ),
        (
            "GET /v2/web/identities/{identity_id}/primary",
            Page(|w| page(&format!("/v2/web/identities/{}/primary", w.linked().id))),
        ),
        (
            "POST /v2/web/identities/{identity_id}/primary",
            Page(|w| w.form_on(&format!("/v2/web/identities/{}/primary", w.linked().id))),
        ),
        ("GET /p/link", Page(|_| page("/p/link"))),
        ("POST /p/link", Page(|w| w.form_on("/p/link"))),
        (
            "GET /p/link/confirm",
            Page(|w| {
                w.proving();
                page(&w.browser.path())
            }),
        ),
        (
            "POST /p/link/confirm",
            Page(|w| {
                w.proving();
                let form = w.browser.form().set("decision", "link");
                PageCall {
                    path: form.action.clone(),
                    form: Some(form),
                }
            }),
        ),
        ("GET /p/developers", Page(|_| page("/p/developers"))),
        (
            "GET /p/developers/projects/new",
            Page(|_| page("/p/developers/projects/new")),
        ),
        (
            "POST /p/developers/projects/new",
            Page(|w| w.filled_in("/p/developers/projects/new", &[("display_name", "Another")])),
        ),
        (
            "GET /p/developers/projects/{project_id}",
            Page(|w| page(&w.project_path(""))),
        ),
        (
            "GET /p/developers/projects/{project_id}/edit",
            Page(|w| page(&w.project_path("/edit"))),
        ),
        (
            "POST /p/developers/projects/{project_id}/edit",
            Page(|w| w.filled_in(&w.project_path("/edit"), &[("display_name", "Renamed")])),
        ),
        (
            "GET /p/developers/projects/{project_id}/delete",
            Page(|w| page(&format!("{}/delete", w.empty_project()))),
        ),
        (
            "POST /p/developers/projects/{project_id}/delete",
            Page(|w| w.form_on(&format!("{}/delete", w.empty_project()))),
        ),
        (
            "GET /p/developers/projects/{project_id}/admins",
            Page(|w| page(&w.project_path("/admins"))),
        ),
        (
            "POST /p/developers/projects/{project_id}/admins",
            Page(|w| {
                let another = w.server.user("carol").create();
                w.filled_in(&w.project_path("/admins"), &[("who", &another.username)])
            }),
        ),
        (
            "GET /p/developers/projects/{project_id}/admins/{identity_id}",
            Page(|w| page(&w.project_path(&format!("/admins/{}", w.admin_robot.id)))),
        ),
        (
            "POST /p/developers/projects/{project_id}/admins/{identity_id}",
            Page(|w| w.form_on(&w.project_path(&format!("/admins/{}", w.admin_robot.id)))),
        ),
        (
            "GET /p/developers/projects/{project_id}/apps/new",
            Page(|w| page(&w.project_path("/apps/new"))),
        ),
        (
            "POST /p/developers/projects/{project_id}/apps/new",
            Page(|w| {
                let fields = [("name", "Another"), ("client_type", "client_identity")];
                w.filled_in(&w.project_path("/apps/new"), &fields)
            }),
        ),
        ("GET /p/developers/apps/{client_id}", Page(|w| page(&w.app_path("")))),
        (
            "GET /p/developers/apps/{client_id}/edit",
            Page(|w| page(&w.app_path("/edit"))),
        ),
        (
            "POST /p/developers/apps/{client_id}/edit",
            Page(|w| w.filled_in(&w.app_path("/edit"), &[("name", "Renamed")])),
        ),
        (
            "GET /p/developers/apps/{client_id}/delete",
            Page(|w| page(&w.app_path("/delete"))),
        ),
        (
            "POST /p/developers/apps/{client_id}/delete",
            Page(|w| w.form_on(&w.app_path("/delete"))),
        ),
        (
            "GET /p/developers/apps/{client_id}/secrets",
            Page(|w| page(&w.app_path("/secrets"))),
        ),
        (
            "POST /p/developers/apps/{client_id}/secrets",
            Page(|w| w.filled_in(&w.app_path("/secrets"), &[("name", "second")])),
        ),
        (
            "GET /p/developers/apps/{client_id}/secrets/{credential_id}/delete",
            Page(|w| page(&w.app_path(&format!("/secrets/{}/delete", w.credential)))),
        ),
        (
            "POST /p/developers/apps/{client_id}/secrets/{credential_id}/delete",
            Page(|w| w.form_on(&w.app_path(&format!("/secrets/{}/delete", w.credential)))),
        ),
        (
            "GET /p/developers/apps/{client_id}/scopes",
            Page(|w| page(&w.app_path("/scopes"))),
        ),
        (
            "GET /p/developers/apps/{client_id}/scopes/new",
            Page(|w| page(&w.app_path("/scopes/new"))),
        ),
        (
            "POST /p/developers/apps/{client_id}/scopes/new",
            Page(|w| {
                let typed = [
                    ("suffix", "new"),
                    ("name", "New"),
                    ("description", "New"),
                    ("do", "save"),
                ];
                w.filled_in(&w.app_path("/scopes/new"), &typed)
            }),
        ),
        (
            "GET /p/developers/apps/{client_id}/scopes/{scope_id}",
            Page(|w| page(&w.app_path(&format!("/scopes/{}", w.scope)))),
        ),
        (
            "POST /p/developers/apps/{client_id}/scopes/{scope_id}",
            Page(|w| w.filled_in(&w.app_path(&format!("/scopes/{}", w.scope)), &[("do", "save")])),
        ),
        (
            "GET /p/developers/apps/{client_id}/scopes/{scope_id}/delete",
            Page(|w| page(&w.app_path(&format!("/scopes/{}/delete", w.scope)))),
        ),
        (
            "POST /p/developers/apps/{client_id}/scopes/{scope_id}/delete",
            Page(|w| w.form_on(&w.app_path(&format!("/scopes/{}/delete", w.scope)))),
        ),
        (
            "GET /p/developers/apps/{client_id}/domains",
            Page(|w| page(&w.app_path("/domains"))),
        ),
        (
            "POST /p/developers/apps/{client_id}/domains",
            Page(|w| w.filled_in(&w.app_path("/domains"), &[("fqdn", "owned.example")])),
        ),
        (
            "GET /p/developers/projects/{project_id}/policies",
            Page(|w| page(&w.project_path("/policies"))),
        ),
        (
            "GET /p/developers/projects/{project_id}/policies/new",
            Page(|w| page(&w.project_path("/policies/new"))),
        ),
        (
            "POST /p/developers/projects/{project_id}/policies/new",
            Page(|w| {
                let typed = [("name", "New"), ("description", "New")];
                w.filled_in(&w.project_path("/policies/new"), &typed)
            }),
        ),
        (
            "GET /p/developers/projects/{project_id}/policies/{policy_id}",
            Page(|w| page(&w.project_path(&format!("/policies/{}", w.policy)))),
        ),
        (
            "POST /p/developers/projects/{project_id}/policies/{policy_id}",
            Page(|w| w.form_on(&w.project_path(&format!("/policies/{}", w.policy)))),
        ),
        (
            "GET /p/developers/projects/{project_id}/policies/{policy_id}/delete",
            Page(|w| page(&w.project_path(&format!("/policies/{}/delete", w.policy)))),
        ),
        (
            "POST /p/developers/projects/{project_id}/policies/{policy_id}/delete",
            Page(|w| w.form_on(&w.project_path(&format!("/policies/{}/delete", w.policy)))),
        ),
        (
            "GET /p/developers/projects/{project_id}/policies/{policy_id}/try",
            Page(|w| page(&w.project_path(&format!("/policies/{}/try", w.policy)))),
        ),
        ("GET /static/{*path}", Page(|w| page(&w.stylesheet()))),
        ("GET /favicon.ico", Page(|_| page("/favicon.ico"))),
    ]
}

pub fn program(path: &str, right: Auth, form: &[(&'static str, &str)]) -> ProgramCall {
    let form = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    ProgramCall {
        path: path.to_owned(),
        body: Body::Form(form),
        right,
    }
}

pub fn bearer(path: &str, world: &World) -> ProgramCall {
    ProgramCall {
        path: path.to_owned(),
        body: Body::None,
        right: Auth::Bearer(world.auth_token.clone()),
    }
}

pub fn open(path: &str) -> ProgramCall {
    ProgramCall {
        path: path.to_owned(),
        body: Body::None,
        right: Auth::None,
    }
}

pub fn own_record(world: &World) -> ProgramCall {
    ProgramCall {
        path: format!("/v2/api/clients/{}", world.app.id),
        body: Body::None,
        right: world.app.auth(),
    }
}

pub fn page(path: &str) -> PageCall {
    PageCall {
        path: path.to_owned(),
        form: None,
    }
}

pub fn authorize_path(world: &World) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(world.app.params("openid").0)
        .finish();
    format!("/v2/oauth2/authorize?{query}")
}

const NEW_PASSWORD: &str = "seven unlikely words of a form";

impl World {
    /// A page of Alice's project, or of the app in it.
    fn project_path(&self, more: &str) -> String {
        format!("/p/developers/projects/{}{more}", self.project)
    }

    fn app_path(&self, more: &str) -> String {
        format!("/p/developers/apps/{}{more}", self.owned)
    }

    /// The page of another project of hers, which holds nothing.
    fn empty_project(&self) -> String {
        let document = serde_json::json!({ "project": {
            "display_name": "Empty", "contact_email": "p@example.org", "admin_ids": [self.alice.id]
        } });
        let answer = self
            .server
            .post_json("/v2/api/projects", &Auth::Bearer(self.auth_token.clone()), &document)
            .ok();
        let id = answer.json()["project"]["id"].as_str().unwrap().to_owned();
        format!("/p/developers/projects/{id}")
    }

    /// The form of a page of Alice's browser, filled in.
    fn filled_in(&self, path: &str, fields: &[(&str, &str)]) -> PageCall {
        self.browser.get(path);
        let form = fields
            .iter()
            .fold(self.browser.form(), |form, (name, value)| form.set(name, value));
        PageCall {
            path: path.to_owned(),
            form: Some(form),
        }
    }

    /// Sends that form and returns the link in the message that comes of it.
    fn mailed(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let call = self.filled_in(path, fields);
        self.browser.submit(&call.form.expect("the page has a form"));
        self.server.send_mail();
        self.mailbox.take().pop().expect("a message came").link()
    }

    /// A parked request of Alice's browser that waits at this page.
    fn waiting_at(&self, wanted: &str) -> PageCall {
        let params = match wanted {
            "/p/login" => self.app.params("openid").set("prompt", "login"),
            "/p/consent" => self.app.params("openid").set("prompt", "consent"),
            _ => {
                // Once with the consent page; from then on the shorter one is left.
                let params = self.native.params("openid");
                self.browser.authorize_and_allow(&self.native, &params);
                let outcome = self.browser.authorize(&self.native, &params);
                assert!(outcome.is_page());
                return self.shown(wanted);
            }
        };
        let outcome = self.browser.authorize(&self.app, &params);
        assert!(outcome.is_page());
        self.shown(wanted)
    }

    fn shown(&self, wanted: &str) -> PageCall {
        let path = self.browser.path();
        assert!(path.starts_with(wanted), "{path} and not {wanted}");
        PageCall {
            path,
            form: Some(self.browser.form()),
        }
    }

    fn deciding_at(&self, wanted: &str) -> PageCall {
        let form = self.waiting_at(wanted).form.unwrap().set("decision", "allow");
        PageCall {
            path: form.action.clone(),
            form: Some(form),
        }
    }

    fn form_of(&self, form: Form) -> PageCall {
        PageCall {
            path: form.action.clone(),
            form: Some(form),
        }
    }

    /// The form that confirms an app of Alice with its code, and the key of the app.
    fn begun_app(&self) -> (Form, String) {
        self.browser.get(SECURITY);
        let begin = self.browser.form_with("/p/account/security/totp", "form_token");
        self.browser.submit(&begin);
        let text = self.browser.text();
        let (_, rest) = text.split_once("<code class=\"code\">").unwrap();
        let secret = rest.split_once('<').unwrap().0.to_owned();
        let code = otp(&secret, self.server.now().micros() / 1_000_000);
        (self.browser.form().set("otp", &code), secret)
    }

    fn app_set_up(&self) -> String {
        let (form, secret) = self.begun_app();
        self.browser.submit(&form);
        secret
    }

    /// Alice has given her password, and the form holds the right code.
    fn at_second_step(&self) -> PageCall {
        let secret = self.app_set_up();
        self.server.advance_seconds(30);
        let form = self.waiting_at("/p/login").form.unwrap();
        let form = form
            .set("username", &self.alice.username)
            .set("password", &self.alice.password);
        self.browser.submit(&form);
        let call = self.shown("/p/login/factor");
        let code = otp(&secret, self.server.now().micros() / 1_000_000);
        PageCall {
            form: call.form.map(|form| form.set("otp", &code)),
            ..call
        }
    }

    fn new_passkey(&self, authenticator: &mut Authenticator) -> Form {
        let path = "/p/account/security/passkeys";
        self.browser.get(path);
        let credential = authenticator.create(&self.browser.passkey_options(path));
        let form = self.browser.form_with(path, "credential").set("name", "Key");
        form.set("credential", &credential.to_string())
    }

    /// A passkey that Alice has registered.
    fn passkey(&self) -> Authenticator {
        let mut authenticator = Authenticator::new(&self.server);
        let form = self.new_passkey(&mut authenticator);
        self.browser.submit(&form);
        authenticator
    }

    fn passkey_path(&self) -> String {
        let alice = self.alice.id;
        let list = move |tx: &mut portolan_db::ReadTx| portolan_server::store::factors::list_passkeys(tx, alice);
        if self.server.read(list).is_empty() {
            self.passkey();
        }
        format!("/p/account/security/passkeys/{}", self.server.read(list)[0].id)
    }

    fn form_on(&self, path: &str) -> PageCall {
        let Outcome::Page(_) = self.browser.get(path) else {
            panic!("{path} is no page")
        };
        let form = self.browser.form();
        PageCall {
            path: form.action.clone(),
            form: Some(form),
        }
    }

    /// Another account of Alice, linked with the one she is signed in with.
    fn linked(&self) -> TestUser {
        let other = self.server.user("alice-elsewhere").create();
        self.server.link(&self.alice, &other);
        other
    }

    /// Alice's browser, before it agrees to a link.
    fn proving(&self) {
        let other = self.server.user("alice-elsewhere").create();
        self.browser.get("/p/link");
        self.browser.submit(&self.browser.form());
        self.browser.login(&other);
        let path = self.browser.path();
        assert!(path.starts_with("/p/link/confirm"), "{path}");
    }

    fn stylesheet(&self) -> String {
        self.browser.get("/");
        let text = self.browser.text();
        let start = text.find("/static/").unwrap();
        text[start..].split('"').next().unwrap().to_owned()
    }
}

pub fn send(world: &World, method: &Method, call: &ProgramCall, auth: &Auth, cookies: Option<&Browser>) -> Answer {
    let mut request = world.server.request(method.clone(), &call.path);
    if let Some(browser) = cookies {
        let cookies: Vec<String> = browser
            .cookies()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        request = request.header("cookie", &cookies.join("; "));
    }
    match &call.body {
        Body::None => request.auth(auth, &[]),
        Body::Form(fields) => {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            request.auth(auth, &fields)
        }
        Body::Json(document) => request
            .header(CONTENT_TYPE, "application/json")
            .body(document.to_string())
            .authorization(auth),
    }
    .send()
}

/// `METHOD PATH` of every route, read from the source.
fn routes() -> BTreeSet<String> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/router.rs")).unwrap();
    let mut routes = BTreeSet::new();
    for rest in source.split(".route(").skip(1) {
        let mut depth = 1;
        let end = rest.find(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let call = &rest[..end.expect("brackets are closed")];
        let path = call.split('"').nth(1).expect("the path is a literal");
        let handlers = call.rsplit('"').next().unwrap();
        let mut methods = 0;
        for method in ["get", "post", "put", "patch", "delete", "any", "head", "options"] {
            let called = |text: &str| text.starts_with('(');
            let found = handlers.match_indices(method).any(|(at, word)| {
                !handlers[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                    && called(&handlers[at + word.len()..])
            });
            if found {
                methods += 1;
                routes.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert!(methods > 0, "no method is recognised: {call}");
    }
    assert!(routes.len() > 30, "only {} routes were found", routes.len());
    routes
}

/// Whether these are the routes of the server, each at least once. What follows a `#` tells
/// apart several calls of one route.
#[track_caller]
pub fn assert_complete<'a>(listed: impl IntoIterator<Item = &'a str>) {
    let plain = |route: &str| route.split('#').next().unwrap().to_owned();
    let listed: BTreeSet<String> = listed.into_iter().map(plain).collect();
    let routes = routes();
    let missing: Vec<_> = routes.difference(&listed).collect();
    assert!(missing.is_empty(), "nothing is said about {missing:#?}");
    let gone: Vec<_> = listed.difference(&routes).collect();
    assert!(gone.is_empty(), "no such route any more: {gone:#?}");
}

impl World {
    /// A provider whose addresses are set, so that nobody is asked on the way there.
    fn provider(&self) -> portolan_types::IdentityProviderId {
        use portolan_server::domain::provider::{Wanted, create};
        use portolan_server::store::audit::Actor;
        use portolan_server::store::identity_providers::IdentityProvider;

        let preset = portolan_server::upstream::provider::preset("github").unwrap();
        let id = portolan_types::IdentityProviderId(portolan_server::app::new_uuid());
        let mut configuration = preset.configuration;
        configuration.client_id = "portolan".into();
        let wanted = Wanted {
            provider: IdentityProvider {
                id,
                name: preset.title.into(),
                short_name: preset.short_name.into(),
                kind: preset.kind.into(),
                alternative_names: "[]".into(),
                enabled: true,
            },
            domains: vec!["github.com".into()],
            issuer: preset.issuer.unwrap().into(),
            configuration,
            sealed_secret: None,
        };
        let ctx = self.server.ctx();
        self.server
            .write(move |tx| create(tx, &ctx, Actor::Operator, "portolan.local", &wanted));
        id
    }
}
