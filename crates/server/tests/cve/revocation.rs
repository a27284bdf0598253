//! Class 7: Revocation that some place does not honour.
//!
//! authentik CVE-2025-29928, CVE-2025-64521; Keycloak CVE-2026-8922; Casdoor CVE-2026-9097.

use portolan_server::domain::{client, identity, token_format};
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
}

const MANAGE: &str = "urn:globus:auth:scope:auth.globus.org:manage_consents";

impl World {
    fn new(server: &TestServer) -> Self {
        let number = server.count("SELECT count(*) FROM clients", []);
        let alice = server.user(&format!("alice{number}")).create();
        let browser: Browser = server.browser_of(&alice);
        let app = server.client().create();
        let downstream = server
            .resource_server(&format!("downstream{number}.example"))
            .scope("all")
            .create();
        let name = format!("service{number}.example");
        let service = server
            .resource_server(&name)
            .scope("read")
            .depends_on(downstream.scope("all"))
            .create();
        let scope = format!("openid {MANAGE} {}", service.scope("read"));
        let code = app.code_with(&browser, &app.params(&scope).set("access_type", "offline"));
        let tokens = app.exchange(&code);
        Self {
            server: server.clone(),
            alice,
            code,
            auth_token: tokens.of("auth.globus.org").access_token().to_owned(),
            service_token: tokens.of(&name).access_token().to_owned(),
            refresh_token: tokens.of(&name).refresh_token().to_owned(),
            app,
            service,
        }
    }

    /// The places where the token of the service is still good.
    fn service_token_is_good_at(&self) -> Vec<&'static str> {
        let mut places = Vec::new();
        if self.service.is_active(&self.service_token) {
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
        let grant = Params::default()
            .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
            .set("token", &self.service_token);
        if self.service.token(&grant).status == 200 {
            places.push("dependent token grant");
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

/// What is still good afterwards.
#[derive(Clone, Copy, PartialEq)]
struct Left {
    service_token: bool,
    refresh_token: bool,
    auth_token: bool,
}

const NOTHING: Left = Left {
    service_token: false,
    refresh_token: false,
    auth_token: false,
};

type Act = fn(&World);

fn acts() -> Vec<(&'static str, Act, Left)> {
    let all = Left {
        service_token: true,
        refresh_token: true,
        auth_token: true,
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
            Left {
                auth_token: true,
                ..NOTHING
            },
        ),
        (
            "consent withdrawn",
            |w| {
                let path = format!(
                    "/v2/api/identities/{}/consents/{}",
                    w.alice.id,
                    w.consent_for_the_service()
                );
                let request = w.server.request(http::Method::DELETE, &path);
                request.authorization(&Auth::Bearer(w.auth_token.clone())).send().ok();
            },
            Left {
                auth_token: true,
                ..NOTHING
            },
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
                w.server.write(move |tx| identity::set_enabled(tx, id, false));
            },
            NOTHING,
        ),
        (
            "person disabled and enabled again",
            |w| {
                let id = w.alice.id;
                w.server.write(move |tx| identity::set_enabled(tx, id, false));
                w.server.write(move |tx| identity::set_enabled(tx, id, true));
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
            NOTHING,
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
            let places = [
                (
                    "token of the service",
                    world.service_token_is_good_at(),
                    left.service_token,
                    4,
                ),
                ("token of Auth", world.auth_token_is_good_at(), left.auth_token, 6),
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
    server.write(move |tx| identity::set_enabled(tx, id, false));
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
