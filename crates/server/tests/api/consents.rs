//! `GET` and `DELETE` under `/v2/api/identities/{id}/consents` (wire.md 2.8, decisions section 6).

use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Answer, Auth, TestClient, TestResourceServer, TestServer, TestUser, each_engine};

const AUTH: &str = "urn:globus:auth:scope:auth.globus.org:";

struct Harbour {
    server: TestServer,
    alice: TestUser,
    app: TestClient,
    data: TestResourceServer,
    portal: TestResourceServer,
}

impl Harbour {
    fn new(server: &TestServer) -> Self {
        let data = server.resource_server("data.example").scope("read").create();
        let portal = server
            .resource_server("portal.example")
            .scope("all")
            .depends_optionally_on(data.scope("read"))
            .create();
        Self {
            server: server.clone(),
            alice: server.user("alice").create(),
            app: server.client().create(),
            data,
            portal,
        }
    }

    /// A bearer token of Alice for Auth itself, after she allowed the app these scopes too.
    fn token(&self, app: &TestClient, scopes: &str) -> (Auth, String) {
        let browser = self.server.browser_of(&self.alice);
        let tokens = app.tokens(&browser, &format!("openid {scopes} {}", self.portal.scope("all")));
        let auth = Auth::Bearer(tokens.of("auth.globus.org").access_token().to_owned());
        (auth, tokens.of("portal.example").access_token().to_owned())
    }

    fn list(&self, auth: &Auth, query: &str) -> Answer {
        let path = format!("/v2/api/identities/{}/consents{query}", self.alice.id);
        self.server.call(auth, Method::GET, &path, Value::Null)
    }

    fn revoke(&self, auth: &Auth, consent: &Value) -> Answer {
        let path = format!("/v2/api/identities/{}/consents/{consent}", self.alice.id);
        self.server.call(auth, Method::DELETE, &path, Value::Null)
    }
}

/// The id of the consent for a scope.
fn id_of<'a>(answer: &'a Value, scope: &str) -> &'a Value {
    let consents = answer["consents"].as_array().expect("a list");
    &consents
        .iter()
        .find(|consent| consent["scope_name"] == scope)
        .expect(scope)["id"]
}

#[test]
fn an_app_sees_its_own_trees_and_all_needs_a_scope() {
    let harbour = Harbour::new(&TestServer::new());
    let (auth, _) = harbour.token(&harbour.app, "");
    let other = harbour.server.client().create();
    let (seer, _) = harbour.token(&other, &format!("{AUTH}view_consents"));

    let own = harbour.list(&auth, "?all=False").ok().json();
    assert_eq!(
        own["consents"].as_array().map(Vec::len),
        Some(3),
        "openid, all, and read beneath it"
    );
    let root = id_of(&own, harbour.portal.scope("all"));
    let child = own["consents"]
        .as_array()
        .unwrap()
        .iter()
        .find(|consent| consent["scope_name"] == harbour.data.scope("read"));
    let child = child.expect("the branch");
    assert_eq!(child["dependency_path"], serde_json::json!([root, child["id"]]));
    assert_eq!(child["client"], harbour.portal.id.to_string());
    assert_eq!(child["atomically_revocable"], true);
    assert!(child["last_used"].as_str().unwrap().ends_with("+00:00"));

    assert_eq!(harbour.list(&auth, "?all=True").status, StatusCode::FORBIDDEN);
    let all = harbour.list(&seer, "?all=True").ok().json();
    assert_eq!(all["consents"].as_array().map(Vec::len), Some(7));
}

#[test]
fn a_person_takes_a_consent_back_by_a_program_and_it_ends_at_once() {
    each_engine(|server| {
        let harbour = Harbour::new(server);
        let (viewer, _) = harbour.token(&harbour.app, "");
        let (manager, portal_token) = harbour.token(&harbour.app, &format!("{AUTH}manage_consents"));
        let listed = harbour.list(&viewer, "").ok().json();
        let (root, branch) = (
            id_of(&listed, harbour.portal.scope("all")),
            id_of(&listed, harbour.data.scope("read")),
        );
        assert_eq!(
            harbour.revoke(&viewer, root).status,
            StatusCode::FORBIDDEN,
            "not without manage_consents"
        );

        assert_eq!(harbour.revoke(&manager, branch).ok().json()["consent"]["id"], *branch);
        assert!(
            harbour.portal.is_active(&portal_token),
            "a branch that was optional falls alone"
        );
        harbour.revoke(&manager, root).ok();

        assert!(!harbour.portal.is_active(&portal_token));
        assert_eq!(harbour.revoke(&manager, root).status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn somebody_elses_consents_are_neither_shown_nor_taken() {
    let harbour = Harbour::new(&TestServer::new());
    let (auth, portal_token) = harbour.token(&harbour.app, "");
    let listed = harbour.list(&auth, "").ok().json();
    let mallory = harbour.server.user("mallory").create();
    let scopes = format!("openid {AUTH}manage_consents {AUTH}view_consents");
    let tokens = harbour.app.tokens(&harbour.server.browser_of(&mallory), &scopes);
    let stranger = Auth::Bearer(tokens.access_token().to_owned());

    assert_eq!(harbour.list(&stranger, "?all=true").status, StatusCode::FORBIDDEN);
    let root = id_of(&listed, harbour.portal.scope("all"));
    assert_eq!(harbour.revoke(&stranger, root).status, StatusCode::FORBIDDEN);
    let path = format!("/v2/api/identities/{}/consents/{root}", mallory.id);
    assert_eq!(
        harbour
            .server
            .call(&stranger, Method::DELETE, &path, Value::Null)
            .status,
        StatusCode::NOT_FOUND
    );
    assert!(harbour.portal.is_active(&portal_token));
}
