//! Class 7: Revocation that some place does not honour.
//!
//! authentik CVE-2025-29928, CVE-2025-64521; Keycloak CVE-2026-8922; Casdoor CVE-2026-9097.

use portolan_server::domain::project::Manager;
use portolan_server::domain::scope::registration;
use portolan_server::domain::{client, identity, linking, token_format};
use portolan_server::store::audit::Actor;
use portolan_server::store::{access_tokens, consents, grants};
use portolan_types::Secret;

use super::support::{
    Auth, Browser, Params, TestClient, TestResourceServer, TestServer, TestUser, each_engine, runtime,
};

struct World {
    server: TestServer,
    alice: TestUser,
    app: TestClient,
    service: TestResourceServer,
    code: String,
    /// For Auth itself, and for the service with a refresh token.
    auth_token: String,
    service_token: String,
    refresh_token: String,
    /// What the service has got for its token before anything was revoked: for the service
    /// that it needs, with a refresh token, and for the one that the person could leave out.
    needed: Dependent,
    optional: Dependent,
}

struct Dependent {
    service: TestResourceServer,
    token: String,
    refresh_token: Option<String>,
}

const MANAGE: &str = "urn:globus:auth:scope:auth.globus.org:manage_consents";
const PROJECTS: &str = "urn:globus:auth:scope:auth.globus.org:manage_projects";

impl World {
    fn new(server: &TestServer) -> Self {
        let number = server.count("SELECT count(*) FROM identities", []);
        let alice = server.user(&format!("alice{number}")).create();
        let browser: Browser = server.browser_of(&alice);
        let app = server.client().create();
        let downstream = |name: &str| {
            let name = format!("{name}{number}.example");
            server.resource_server(&name).scope("all").create()
        };
        let (needed, optional) = (downstream("needed"), downstream("optional"));
        let name = format!("service{number}.example");
        let service = server
            .resource_server(&name)
            .scope("read")
            .depends_offline_on(needed.scope("all"))
            .depends_optionally_on(optional.scope("all"))
            .create();
        let scope = format!("openid {MANAGE} {PROJECTS} {}", service.scope("read"));
        let code = app.code_with(&browser, &app.params(&scope).set("access_type", "offline"));
        let tokens = app.exchange(&code);
        let service_token = tokens.of(&name).access_token().to_owned();
        let documents = service
            .token(&dependent_grant(&service_token).set("access_type", "offline"))
            .ok()
            .json();
        let dependent = |service: TestResourceServer| {
            let documents = documents.as_array().expect("a list of documents");
            let document = documents
                .iter()
                .find(|document| document["resource_server"] == service.name.as_str())
                .expect("the service has a token for it");
            Dependent {
                token: document["access_token"].as_str().unwrap().to_owned(),
                refresh_token: document["refresh_token"].as_str().map(str::to_owned),
                service,
            }
        };
        let (needed, optional) = (dependent(needed), dependent(optional));
        assert!(needed.refresh_token.is_some() && optional.refresh_token.is_none());
        Self {
            server: server.clone(),
            alice,
            code,
            auth_token: tokens.of("auth.globus.org").access_token().to_owned(),
            service_token,
            refresh_token: tokens.of(&name).refresh_token().to_owned(),
            app,
            service,
            needed,
            optional,
        }
    }

    /// The places where the token of the service is still good.
    fn service_token_is_good_at(&self) -> Vec<&'static str> {
        let mut places = Vec::new();
        // A service that was deleted is not answered at all.
        let introspected = self
            .service
            .post("/v2/oauth2/token/introspect", &[("token", &self.service_token)]);
        if introspected.text().contains("\"active\":true") {
            places.push("introspection by the service");
        }
        let active = |path: &str, token: &str| {
            self.app
                .post(path, &[("token", token)])
                .text()
                .contains("\"active\":true")
        };
        if active("/v2/oauth2/token/introspect", &self.service_token) {
            places.push("introspection by the app");
        }
        if active("/v2/oauth2/token/validate", &self.service_token) {
            places.push("validation");
        }
        if self.service.token(&dependent_grant(&self.service_token)).status == 200 {
            places.push("dependent token grant");
        }
        places
    }

    /// The places where a token is still good that the service got for its own.
    fn dependent_is_good_at(&self, dependent: &Dependent) -> Vec<&'static str> {
        let mut places = Vec::new();
        let introspected = dependent
            .service
            .post("/v2/oauth2/token/introspect", &[("token", &dependent.token)]);
        if introspected.text().contains("\"active\":true") {
            places.push("introspection by the next service");
        }
        let active = |path: &str, token: &str| {
            let answer = self.service.post(path, &[("token", token)]);
            answer.text().contains("\"active\":true")
        };
        if active("/v2/oauth2/token/introspect", &dependent.token) {
            places.push("introspection by the service");
        }
        if active("/v2/oauth2/token/validate", &dependent.token) {
            places.push("validation");
        }
        if dependent.service.token(&dependent_grant(&dependent.token)).status == 200 {
            places.push("dependent token grant");
        }
        if let Some(refresh_token) = &dependent.refresh_token {
            if active("/v2/oauth2/token/validate", refresh_token) {
                places.push("validation of the refresh token");
            }
            if self.service.try_refresh(refresh_token).status == 200 {
                places.push("refresh");
            }
        }
        places
    }

    /// The places where the refresh token is still good. Asked last: asking uses it.
    fn refresh_token_is_good_at(&self) -> Vec<&'static str> {
        let mut places = Vec::new();
        let validated = self
            .app
            .post("/v2/oauth2/token/validate", &[("token", &self.refresh_token)]);
        if validated.text().contains("\"active\":true") {
            places.push("validation");
        }
        if self.app.try_refresh(&self.refresh_token).status == 200 {
            places.push("refresh");
        }
        places
    }

    fn auth_token_is_good_at(&self) -> Vec<&'static str> {
        let mut places = Vec::new();
        let bearer = Auth::Bearer(self.auth_token.clone());
        if self.server.get_as("/v2/oauth2/userinfo", &bearer).status == 200 {
            places.push("userinfo");
        }
        let form = self.server.post_form(
            "/v2/oauth2/userinfo",
            &Auth::None,
            &[("access_token", &self.auth_token)],
        );
        if form.status == 200 {
            places.push("userinfo by form");
        }
        for path in [
            format!("/v2/api/identities/{}", self.alice.id),
            format!("/v2/api/identities?ids={}", self.alice.id),
            format!("/v2/api/identities/{}/consents", self.alice.id),
            "/v2/api/projects".into(),
            "/v2/api/clients".into(),
            "/v2/api/scopes".into(),
            "/v2/api/policies".into(),
            "/v2/api/identity_providers?domains=portolan.local".into(),
        ] {
            if self.server.get_as(&path, &bearer).status == 200 {
                places.push("the interface");
            }
        }
        if self
            .app
            .post("/v2/oauth2/token/validate", &[("token", &self.auth_token)])
            .text()
            .contains("\"active\":true")
        {
            places.push("validation");
        }
        places
    }

    /// The person takes it back, with a token of theirs.
    fn withdraw(&self, id: portolan_types::ConsentId) {
        let path = format!("/v2/api/identities/{}/consents/{id}", self.alice.id);
        let request = self.server.request(http::Method::DELETE, &path);
        request
            .authorization(&Auth::Bearer(self.auth_token.clone()))
            .send()
            .ok();
    }

    fn consent_below(&self, dependent: &Dependent) -> portolan_types::ConsentId {
        let (identity, app, scope) = (self.alice.id, self.app.id, dependent.service.scope_id("all"));
        let trees = self.server.read(move |tx| consents::list_trees(tx, identity, app));
        trees.iter().find(|consent| consent.scope_id == scope).unwrap().id
    }

    fn consent_for_the_service(&self) -> portolan_types::ConsentId {
        let (identity, app, scope) = (self.alice.id, self.app.id, self.service.scope_id("read"));
        let trees = self.server.read(move |tx| consents::list_trees(tx, identity, app));
        trees
            .iter()
            .find(|consent| consent.scope_id == scope && consent.parent_id.is_none())
            .unwrap()
            .id
    }
}

fn dependent_grant(token: &str) -> Params {
    Params::default()
        .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
        .set("token", token)
}

/// What is still good afterwards.
#[derive(Clone, Copy, PartialEq)]
struct Left {
    service_token: bool,
    refresh_token: bool,
    auth_token: bool,
    needed: bool,
    optional: bool,
}

const NOTHING: Left = Left {
    service_token: false,
    refresh_token: false,
    auth_token: false,
    needed: false,
    optional: false,
};

type Act = fn(&World);

fn acts() -> Vec<(&'static str, Act, Left)> {
    let all = Left {
        service_token: true,
        refresh_token: true,
        auth_token: true,
        needed: true,
        optional: true,
    };
    let auth_alone = Left {
        auth_token: true,
        ..NOTHING
    };
    vec![
        ("nothing", |_| {}, all),
        (
            "access token revoked",
            |w| w.app.revoke(&w.service_token),
            Left {
                service_token: false,
                ..all
            },
        ),
        (
            "another access token revoked",
            |w| w.app.revoke(&w.auth_token),
            Left {
                auth_token: false,
                ..all
            },
        ),
        (
            "refresh token revoked",
            |w| w.app.revoke(&w.refresh_token),
            // What runs downstream goes on (wire.md 3.5).
            Left {
                service_token: false,
                refresh_token: false,
                ..all
            },
        ),
        (
            "dependent token revoked",
            |w| w.service.revoke(&w.optional.token),
            Left { optional: false, ..all },
        ),
        (
            "consent withdrawn",
            |w| w.withdraw(w.consent_for_the_service()),
            auth_alone,
        ),
        (
            "optional branch withdrawn",
            |w| w.withdraw(w.consent_below(&w.optional)),
            Left { optional: false, ..all },
        ),
        (
            "needed branch withdrawn",
            |w| w.withdraw(w.consent_below(&w.needed)),
            auth_alone,
        ),
        (
            "scope deleted",
            |w| {
                let (id, ctx) = (w.service.scope_id("read"), w.server.ctx());
                let work = move |tx: &mut portolan_db::WriteTx| {
                    registration::delete(tx, &ctx, &Manager::operator(), id).map(drop)
                };
                w.server.write(work);
            },
            auth_alone,
        ),
        (
            "service deleted",
            |w| {
                let id = w.service.id;
                w.server.write(move |tx| client::delete(tx, id).map(drop));
            },
            auth_alone,
        ),
        (
            "next service deleted",
            |w| {
                let id = w.needed.service.id;
                w.server.write(move |tx| client::delete(tx, id).map(drop));
            },
            Left { needed: false, ..all },
        ),
        (
            "identity unlinked",
            |w| {
                let (id, name) = (w.alice.id, format!("primary-of-{}", w.app.id));
                let primary = w.server.user(&name).create().id;
                let join = "UPDATE identities SET set_id = (SELECT set_id FROM identities WHERE id = $2) WHERE id = $1";
                let own = portolan_types::IdentitySetId(portolan_server::app::new_uuid());
                assert_eq!(w.server.sql(join, portolan_db::params![id, primary]), 1);
                let ctx = w.server.ctx();
                w.server
                    .write(move |tx| linking::unlink(tx, &ctx, Actor::Operator, id, own));
            },
            NOTHING,
        ),
        (
            "code replayed",
            |w| assert_eq!(w.app.try_exchange(&w.code).status, 400),
            NOTHING,
        ),
        (
            "person disabled",
            |w| {
                let id = w.alice.id;
                let ctx = w.server.ctx();
                w.server.write(move |tx| identity::switch_off(tx, &ctx, id));
            },
            NOTHING,
        ),
        (
            "person disabled and enabled again",
            |w| {
                let id = w.alice.id;
                let ctx = w.server.ctx();
                w.server.write(move |tx| identity::switch_off(tx, &ctx, id));
                w.server.write(move |tx| identity::switch_on(tx, id));
            },
            NOTHING,
        ),
        (
            "password changed",
            |w| {
                let (id, ctx) = (w.alice.id, w.server.ctx());
                let hash = runtime()
                    .block_on(w.server.app().hasher.hash(Secret::new("another long password")))
                    .unwrap();
                w.server.write(move |tx| identity::set_password(tx, &ctx, id, &hash));
            },
            NOTHING,
        ),
        (
            "client deleted",
            |w| {
                let id = w.app.id;
                w.server.write(move |tx| client::delete(tx, id).map(drop));
            },
            NOTHING,
        ),
        (
            "client disabled",
            |w| {
                let id = w.app.id;
                assert_eq!(
                    w.server
                        .sql("UPDATE clients SET enabled = 0 WHERE id = $1", portolan_db::params![id]),
                    1
                );
            },
            // What the services got before is theirs: its client is the service, and the
            // person's consent stands. Deleting the client ends that too.
            Left {
                needed: true,
                optional: true,
                ..NOTHING
            },
        ),
        (
            "identity provider disabled",
            |w| {
                let sql = "UPDATE identity_providers SET enabled = 0 \
                           WHERE id = (SELECT identity_provider_id FROM identities WHERE id = $1)";
                assert_eq!(w.server.sql(sql, portolan_db::params![w.alice.id]), 1);
            },
            NOTHING,
        ),
        (
            "issuance ended",
            |w| {
                let (hash, now) = (token_format::hash(&w.auth_token), w.server.now());
                w.server.write(move |tx| {
                    let issuance = access_tokens::find_active(tx, &hash, now)?.unwrap().issuance_id;
                    grants::end(tx, issuance.0, now)
                });
            },
            NOTHING,
        ),
        (
            "session of the app ended",
            |w| {
                let (hash, now) = (token_format::hash(&w.auth_token), w.server.now());
                w.server.write(move |tx| {
                    let session = access_tokens::find_active(tx, &hash, now)?
                        .unwrap()
                        .app_session_id
                        .unwrap();
                    grants::end(tx, session.0, now)
                });
            },
            NOTHING,
        ),
    ]
}

/// At the next request, at every place, on both engines.
#[test]
fn what_is_revoked_is_refused_everywhere_at_once() {
    each_engine(|server| {
        for (name, act, left) in acts() {
            let world = World::new(server);
            act(&world);
            // Refresh tokens are asked last: asking uses them.
            let places = [
                (
                    "dependent token that is needed",
                    world.dependent_is_good_at(&world.needed),
                    left.needed,
                    6,
                ),
                (
                    "dependent token that is optional",
                    world.dependent_is_good_at(&world.optional),
                    left.optional,
                    4,
                ),
                (
                    "token of the service",
                    world.service_token_is_good_at(),
                    left.service_token,
                    4,
                ),
                ("token of Auth", world.auth_token_is_good_at(), left.auth_token, 11),
                ("refresh token", world.refresh_token_is_good_at(), left.refresh_token, 2),
            ];
            for (what, places, good, all) in places {
                if good {
                    assert_eq!(places.len(), all, "after {name} the {what} is good only at {places:?}");
                } else {
                    assert!(places.is_empty(), "after {name} the {what} is good at {places:?}");
                }
            }
            if name == "identity provider disabled" {
                server.sql("UPDATE identity_providers SET enabled = 1", []);
            }
        }
    });
}

/// A disabled person keeps no browser session, and cannot log in.
#[test]
fn a_disabled_person_is_out_of_every_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let (first, second) = (server.browser_of(&alice), server.browser_of(&alice));
    let client = server.client().create();
    client.code(&first, "openid");
    let id = alice.id;
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, id));
    for browser in [&first, &second] {
        let params = client.params("openid").set("prompt", "none");
        assert_eq!(
            browser.authorize(&client, &params).error().as_deref(),
            Some("login_required")
        );
    }
    let refused = server.browser().try_login("alice", &alice.password);
    assert_eq!(refused.page().status, 401);
}
