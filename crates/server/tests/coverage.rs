//! Every route of the router, called by those who may not: nobody, a caller with somebody
//! else's or no genuine credentials, another person's browser; and every form without a
//! token, with a forged one, and with the token of another browser.
//!
//! The rule is that they are refused. What a route may give them all the same stands in
//! `coverage.txt` with the status and the reason, and an exception that is not needed
//! fails too. A route of `router.rs` without an entry here fails: the routes are read
//! from its source.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use http::Method;
use http::header::CONTENT_TYPE;
use portolan_types::{ClientId, ConsentId};
use support::{Answer, Auth, Browser, Form, Outcome, TestClient, TestResourceServer, TestServer, TestUser};

/// Everything that a call may need. Each route starts from a fresh one.
struct World {
    server: TestServer,
    alice: TestUser,
    /// Signed in as Alice, and as Bob.
    browser: Browser,
    others_browser: Browser,
    app: TestClient,
    other_app: TestClient,
    native: TestClient,
    service: TestResourceServer,
    /// Of Alice for the app: a token of Auth itself with every scope it has for people.
    auth_token: String,
    refresh_token: String,
    service_token: String,
    /// Of Bob for the other app, likewise.
    others_token: String,
    others_consent: ConsentId,
    /// Alice's project, with one of each.
    project: String,
    owned: String,
    credential: String,
    scope: String,
    policy: String,
}

const PROJECT_NAME: &str = "Project of Alice";
const CLIENT_NAME: &str = "Client of Alice";
const SCOPE_NAME: &str = "Scope of Alice";
const POLICY_NAME: &str = "Policy of Alice";

const AUTH_SCOPES: &str = "openid email profile urn:globus:auth:scope:auth.globus.org:view_identity_set \
                           urn:globus:auth:scope:auth.globus.org:view_consents \
                           urn:globus:auth:scope:auth.globus.org:manage_consents \
                           urn:globus:auth:scope:auth.globus.org:manage_projects";

impl World {
    fn new() -> Self {
        let server = TestServer::new();
        let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
        let (browser, others_browser) = (server.browser_of(&alice), server.browser_of(&bob));
        let app = server.client().named("The App").create();
        let other_app = server.client().named("The Other App").create();
        let native = server.client().public_installed().create();
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
            serde_json::json!({ "display_name": PROJECT_NAME, "contact_email": "p@example.org", "admin_ids": [alice.id] }),
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
            server,
            alice,
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
    fn secrets(&self) -> Vec<String> {
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
struct ProgramCall {
    path: String,
    body: Body,
    right: Auth,
}

enum Body {
    None,
    Form(Vec<(&'static str, String)>),
    Json(serde_json::Value),
}

/// A page or the form on it.
struct PageCall {
    path: String,
    /// What Alice's browser would send; none: it opens the page.
    form: Option<Form>,
}

enum Call {
    Program(fn(&World) -> ProgramCall),
    Page(fn(&World) -> PageCall),
}

fn calls() -> Vec<(&'static str, Call)> {
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
                let empty = serde_json::json!({ "project": { "display_name": "empty", "contact_email": "p@example.org", "admin_ids": [w.alice.id] } });
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
        ("GET /static/{*path}", Page(|w| page(&w.stylesheet()))),
        ("GET /favicon.ico", Page(|_| page("/favicon.ico"))),
    ]
}

fn program(path: &str, right: Auth, form: &[(&'static str, &str)]) -> ProgramCall {
    let form = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    ProgramCall {
        path: path.to_owned(),
        body: Body::Form(form),
        right,
    }
}

fn bearer(path: &str, world: &World) -> ProgramCall {
    ProgramCall {
        path: path.to_owned(),
        body: Body::None,
        right: Auth::Bearer(world.auth_token.clone()),
    }
}

fn open(path: &str) -> ProgramCall {
    ProgramCall {
        path: path.to_owned(),
        body: Body::None,
        right: Auth::None,
    }
}

fn own_record(world: &World) -> ProgramCall {
    ProgramCall {
        path: format!("/v2/api/clients/{}", world.app.id),
        body: Body::None,
        right: world.app.auth(),
    }
}

fn page(path: &str) -> PageCall {
    PageCall {
        path: path.to_owned(),
        form: None,
    }
}

fn authorize_path(world: &World) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(world.app.params("openid").0)
        .finish();
    format!("/v2/oauth2/authorize?{query}")
}

impl World {
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

    fn stylesheet(&self) -> String {
        self.browser.get("/");
        let text = self.browser.text();
        let start = text.find("/static/").unwrap();
        text[start..].split('"').next().unwrap().to_owned()
    }
}

/// `coverage.txt`: what callers get although they are not the right ones, by route and check.
struct Exceptions {
    listed: BTreeMap<(String, String), u16>,
    used: BTreeSet<(String, String)>,
}

impl Exceptions {
    fn read() -> Self {
        let mut listed = BTreeMap::new();
        for line in include_str!("coverage.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(words.len() > 4, "method, path, check, status and a reason: {line}");
            let key = (format!("{} {}", words[0], words[1]), words[2].to_owned());
            let status = words[3].parse().expect("a status");
            assert!(listed.insert(key, status).is_none(), "twice: {line}");
        }
        Self {
            listed,
            used: BTreeSet::new(),
        }
    }

    /// The status that is right for this check, if it is not a refusal.
    fn find(&mut self, route: &str, check: &str) -> Option<u16> {
        for check in [check, "*"] {
            let key = (route.to_owned(), check.to_owned());
            if let Some(status) = self.listed.get(&key) {
                self.used.insert(key);
                return Some(*status);
            }
        }
        None
    }

    fn unused(&self) -> Vec<String> {
        let unused = self.listed.keys().filter(|key| !self.used.contains(*key));
        unused
            .map(|(route, check)| format!("{route} {check}: the exception is of no route or check"))
            .collect()
    }
}

/// Looks at one answer to somebody who is not the right caller.
fn judge(
    world: &World,
    exceptions: &mut Exceptions,
    route: &str,
    check: &str,
    answer: &Answer,
    refused: &[u16],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = answer.status.as_u16();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match exceptions.find(route, check) {
        Some(expected) if status != expected => {
            wrong.push(format!("{route} {check}: {status}, the exception says {expected}"))
        }
        Some(expected) if refused.contains(&expected) => {
            wrong.push(format!("{route} {check}: refused, no exception is needed"))
        }
        None if !refused.contains(&status) => wrong.push(format!(
            "{route} {check}: {status} {}",
            text.chars().take(100).collect::<String>().replace('\n', " ")
        )),
        _ => {}
    }
    for secret in world.secrets() {
        let permitted = secret.contains('@') && exceptions.find(route, &format!("{check}/email")).is_some();
        if text.contains(&secret) && !permitted {
            wrong.push(format!("{route} {check}: the answer holds {secret}"));
        }
    }
    if text.contains(r#""active":true"#) || text.contains("access_token\":") {
        wrong.push(format!("{route} {check}: {text}"));
    }
    wrong
}

fn send(world: &World, method: &Method, call: &ProgramCall, auth: &Auth, cookies: Option<&Browser>) -> Answer {
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

fn check_program(route: &str, make: fn(&World) -> ProgramCall, exceptions: &mut Exceptions) -> Vec<String> {
    let world = World::new();
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let call = make(&world);
    let app = world.app.id.to_string();
    let unknown = ClientId(portolan_server::app::new_uuid()).to_string();
    let secret = world.app.secret.clone().unwrap();
    let callers = [
        ("anonymous", Auth::None),
        ("id-alone", Auth::Id(app.clone())),
        ("public-client", world.native.auth()),
        ("wrong-secret", Auth::Basic(app.clone(), "not the secret".into())),
        ("wrong-secret-in-form", Auth::Body(app, "not the secret".into())),
        ("unknown-client", Auth::Basic(unknown, secret)),
        ("other-client", world.other_app.auth()),
        ("garbage-token", Auth::Bearer("AgPA.garbage".into())),
        ("refresh-token", Auth::Bearer(world.refresh_token.clone())),
        ("token-of-another-service", Auth::Bearer(world.service_token.clone())),
        ("other-persons-token", Auth::Bearer(world.others_token.clone())),
    ];
    let mut wrong = Vec::new();
    let refused = [400, 401, 403, 404];
    for (check, auth) in &callers {
        let answer = send(&world, &method, &call, auth, None);
        wrong.extend(judge(&world, exceptions, route, check, &answer, &refused));
    }
    let answer = send(&world, &method, &call, &Auth::None, Some(&world.browser));
    wrong.extend(judge(&world, exceptions, route, "cookie-alone", &answer, &refused));
    // None of them changed anything, and the call itself is a good one.
    let answer = send(&world, &method, &call, &call.right, None);
    if !answer.status.is_success() {
        wrong.push(format!("{route}: the right caller got {}", answer.summary()));
    }
    wrong
}

fn check_page(route: &str, make: fn(&World) -> PageCall, exceptions: &mut Exceptions) -> Vec<String> {
    let world = World::new();
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let call = make(&world);
    let fields = call.form.as_ref().map(|form| form.fields.clone());
    let mut wrong = Vec::new();
    let mut check = |name: &str, browser: &Browser, fields: Option<&[(String, String)]>, refused: &[u16]| {
        let answer = browser.clone().send(method.clone(), &call.path, fields);
        wrong.extend(judge(&world, exceptions, route, name, &answer, refused));
    };
    let not_theirs = [400, 403, 404];
    check("anonymous", &world.server.browser(), fields.as_deref(), &not_theirs);
    check("other-browser", &world.others_browser, fields.as_deref(), &not_theirs);
    if let Some(form) = &call.form {
        // The token is looked at before anything else, so nothing but 403 will do.
        let others_token = {
            world.others_browser.get("/v2/web/logout");
            world.others_browser.form().get("form_token").unwrap().to_owned()
        };
        let forged = "A".repeat(others_token.len());
        let without = Form {
            fields: form
                .fields
                .iter()
                .filter(|(name, _)| name != "form_token")
                .cloned()
                .collect(),
            ..form.clone()
        };
        check("missing-form-token", &world.browser, Some(&without.fields), &[403]);
        for (name, token) in [
            ("forged-form-token", forged.as_str()),
            ("others-form-token", &others_token),
            ("empty-form-token", ""),
        ] {
            let form = form.clone().set("form_token", token);
            check(name, &world.browser, Some(&form.fields), &[403]);
        }
        let theirs = form.clone().set("form_token", &others_token);
        check(
            "other-browser-with-its-token",
            &world.others_browser,
            Some(&theirs.fields),
            &not_theirs,
        );
    }
    let answer = world.browser.send(method.clone(), &call.path, fields.as_deref());
    let good = answer.status.is_success() || answer.status.is_redirection();
    if !good && exceptions.find(route, "right-browser-afterwards") != Some(answer.status.as_u16()) {
        wrong.push(format!("{route}: the right browser got {}", answer.summary()));
    }
    wrong
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

#[test]
fn every_route_is_covered() {
    // What follows a `#` tells apart several calls of one route.
    let plain = |route: &str| route.split('#').next().unwrap().to_owned();
    let covered: BTreeSet<String> = calls().iter().map(|(route, _)| plain(route)).collect();
    let routes = routes();
    let missing: Vec<_> = routes.difference(&covered).collect();
    assert!(missing.is_empty(), "add who must be refused: {missing:#?}");
    let gone: Vec<_> = covered.difference(&routes).collect();
    assert!(gone.is_empty(), "no such route any more: {gone:#?}");
}

#[test]
fn those_who_may_not_are_refused_everywhere() {
    let mut exceptions = Exceptions::read();
    let mut wrong = Vec::new();
    for (route, call) in calls() {
        wrong.extend(match call {
            Call::Program(make) => check_program(route, make, &mut exceptions),
            Call::Page(make) => check_page(route, make, &mut exceptions),
        });
    }
    wrong.extend(exceptions.unused());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nobody reaches into what belongs to another person, with a token that is good for their own.
#[test]
fn a_token_opens_the_own_things_alone() {
    let world = World::new();
    let token = Auth::Bearer(world.auth_token.clone());
    let bobs_consents = format!(
        "/v2/api/identities/{}/consents/{}",
        world.alice.id, world.others_consent
    );
    let answer = world
        .server
        .request(Method::DELETE, &bobs_consents)
        .authorization(&token)
        .send();
    assert_eq!(answer.status, 404, "{}", answer.summary());
    let path = format!("/v2/web/consents/{}", world.others_consent);
    let answer = world.browser.send(Method::GET, &path, None);
    assert_eq!(answer.status, 404, "{}", answer.summary());
    let still_there = world.others_consent;
    let found = world
        .server
        .read(move |tx| portolan_server::store::consents::find(tx, still_there));
    assert!(found.is_some_and(|consent| consent.is_approved()));
}
