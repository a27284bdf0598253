//! `/v2/api/identities` (wire.md 2.7).

use portolan_db::params;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, TestServer, TestUser, each_engine};

const PATH: &str = "/v2/api/identities";

struct Scene {
    server: TestServer,
    alice: TestUser,
    bob: TestUser,
    token: Auth,
}

fn scene() -> Scene {
    let server = TestServer::new();
    scene_on(&server)
}

fn scene_on(server: &TestServer) -> Scene {
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let client = server.client().confidential().create();
    let tokens = client.tokens(&server.browser_of(&alice), "openid profile email");
    Scene {
        server: server.clone(),
        alice,
        bob,
        token: Auth::Bearer(tokens.access_token().to_owned()),
    }
}

impl Scene {
    fn get(&self, query: &str) -> Answer {
        self.server.get_as(&format!("{PATH}{query}"), &self.token)
    }
}

fn usernames(document: &Value) -> Vec<String> {
    let identities = document["identities"].as_array().unwrap();
    let mut names: Vec<String> = identities
        .iter()
        .map(|i| i["username"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn people_are_found_by_id_and_by_username() {
    each_engine(|server| {
        let scene = scene_on(server);
        let (a, b) = (scene.alice.id.to_string(), scene.bob.id.to_string());
        let both = ["alice@portolan.local", "bob@portolan.local"];
        for query in [
            format!("?ids={a},{b}"),
            format!("?ids={a}%2C{b}"),
            format!("?ids={},{b}", a.to_uppercase()),
            "?usernames=alice%40portolan.local,bob@portolan.local".into(),
            "?usernames=Alice@Portolan.LOCAL,bob@portolan.local&provision=false".into(),
            format!("?ids={a},{b},5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"),
        ] {
            let answer = scene.get(&query).ok();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(usernames(&answer.json()), both, "{query}");
        }
        let none = scene.get("?usernames=nobody@portolan.local").ok().json();
        assert_eq!(none["identities"], json!([]), "the unknown are left out");
    });
}

#[test]
fn an_identity_has_every_field() {
    let scene = scene();
    let document = scene.get(&format!("/{}", scene.bob.id)).ok().json();
    assert_eq!(
        document["identity"],
        json!({
            "id": scene.bob.id,
            "username": "bob@portolan.local",
            "name": "bob of the tests",
            "organization": "Example University",
            "email": "bob@example.org",
            "status": "used",
            "identity_provider": portolan_server::store::identity_providers::LOCAL,
            "identity_type": "login",
        })
    );
    assert!(document.get("included").is_none());
}

#[test]
fn providers_are_included_when_asked_for() {
    let scene = scene();
    let (a, b) = (scene.alice.id, scene.bob.id);
    for query in [
        format!("?ids={a},{b}&include=identity_provider"),
        format!("/{a}?include=identity_provider"),
    ] {
        let document = scene.get(&query).ok().json();
        let providers = document["included"]["identity_providers"].as_array().unwrap().clone();
        assert_eq!(providers.len(), 1, "{query}");
        assert_eq!(providers[0]["domains"], json!(["portolan.local"]));
        for field in ["id", "name", "short_name", "alternative_names"] {
            assert!(!providers[0][field].is_null(), "{field}");
        }
    }
}

#[test]
fn bad_questions_are_refused() {
    let scene = scene();
    let many = vec![scene.bob.id.to_string(); 501].join(",");
    for query in [
        "".to_owned(),
        "?ids=&usernames=".into(),
        "?ids=x".into(),
        "?usernames=name-without-at".into(),
        format!("?ids={}&usernames=bob@portolan.local", scene.bob.id),
        format!("?ids={many}"),
        "?usernames=a@b&provision=perhaps".into(),
    ] {
        let answer = scene.get(&query);
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["errors"][0]["status"], "400");
    }
    for id in ["x", "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"] {
        let answer = scene.get(&format!("/{id}"));
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["errors"][0]["code"], "IDENTITY_NOT_FOUND");
    }
}

/// wire.md 2.7: bearer with any scope of Auth, or Basic; nobody else.
#[test]
fn the_caller_must_be_somebody() {
    let scene = scene();
    let client = scene.server.client().confidential().create();
    let public = scene.server.client().public_installed().create();
    let transfer = client.credentials("urn:globus:auth:scope:transfer.api.globus.org:all");
    let path = format!("{PATH}?ids={}", scene.bob.id);
    let table = [
        (Auth::None, 401),
        (Auth::Bearer("x".into()), 401),
        (Auth::Bearer(transfer.access_token().to_owned()), 401),
        (Auth::Basic(client.id.to_string(), "wrong".into()), 401),
        (Auth::Basic(public.id.to_string(), "".into()), 401),
        (client.auth(), 200),
        (scene.token.clone(), 200),
        (Auth::Bearer(client.credentials("email").access_token().to_owned()), 200),
    ];
    for (auth, status) in table {
        let answer = scene.server.get_as(&path, &auth);
        assert_eq!(answer.status, status, "{auth:?}");
        if status == 401 {
            assert_eq!(answer.json()["errors"][0]["code"], "UNAUTHORIZED");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    let anonymous = scene.server.get("/v2/api/identities");
    assert_eq!(anonymous.json()["errors"][0]["detail"], "Call must be authenticated");
    let in_query = scene.server.get(&format!("{path}&access_token=x"));
    assert_eq!(in_query.status, 400);
}

/// Decisions section 6: addresses are for people, and for whoever shares the identity set.
#[test]
fn a_machine_sees_no_email_and_no_organization() {
    let scene = scene();
    let client = scene.server.client().confidential().create();
    let token = Auth::Bearer(client.credentials("openid").access_token().to_owned());
    let (bob, own) = (format!("{PATH}/{}", scene.bob.id), format!("{PATH}/{}", client.id));
    for machine in [client.auth(), token] {
        let seen = scene.server.get_as(&bob, &machine).ok().json();
        assert_eq!(
            (&seen["identity"]["email"], &seen["identity"]["organization"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(seen["identity"]["username"], "bob@portolan.local");
        assert_eq!(
            scene.server.get_as(&own, &machine).ok().json()["identity"]["id"],
            client.id.to_string()
        );
    }
    let by_person = scene.get(&format!("/{}", scene.bob.id)).ok().json();
    assert_eq!(by_person["identity"]["email"], "bob@example.org");
}

/// wire.md 2.7.1: a private identity keeps both to itself, a closed one says so.
#[test]
fn private_and_closed_identities_keep_their_address() {
    let scene = scene();
    for status in ["private", "closed"] {
        scene.server.sql(
            "UPDATE identities SET status = $1 WHERE id = $2",
            params![status, scene.bob.id],
        );
        let seen = scene.get(&format!("/{}", scene.bob.id)).ok().json();
        assert_eq!(seen["identity"]["status"], status);
        assert_eq!(
            (&seen["identity"]["email"], &seen["identity"]["organization"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(seen["identity"]["name"], "bob of the tests");
    }
    scene.server.sql(
        "UPDATE identities SET status = 'private' WHERE id = $1",
        params![scene.alice.id],
    );
    let own = scene.get(&format!("/{}", scene.alice.id)).ok().json();
    assert_eq!(own["identity"]["email"], "alice@example.org", "one sees oneself");
}
