//! `GET /jwk.json` and what happens to it when keys change.

use std::time::Duration;

use portolan_server::domain::keys::KeyKind;
use portolan_server::domain::keys::rotation::{PUBLISH_LEAD, Schedule};
use portolan_server::jobs;
use serde_json::{Value, json};

use crate::id_token::verify;
use crate::support::{Auth, TestServer, each_engine};

fn jwks(server: &TestServer) -> Value {
    server.get("/jwk.json").ok().json()
}

fn kids(document: &Value) -> Vec<String> {
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// What `portolan keys rotate` does.
fn rotate(server: &TestServer, kind: KeyKind, schedule: Schedule) {
    let now = server.now();
    let spare = jobs::keys::generate(&server.app().master_key, kind, now).unwrap();
    server.write(move |tx| jobs::keys::rotate(tx, now, schedule, &spare));
    server.reload_keys();
}

/// E4.
#[test]
fn the_list_holds_public_keys_with_unique_names() {
    let server = TestServer::new();
    let answer = server.get("/jwk.json").ok();

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=600"));
    assert!(answer.header("set-cookie").is_none());
    let document = answer.json();
    let keys = document["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        match key["kty"].as_str().unwrap() {
            "RSA" => {
                assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"], "no private members");
                assert!(key["n"].as_str().unwrap().len() >= 342, "2048 bits or more");
            }
            "EC" => assert_eq!(
                members,
                ["alg", "crv", "kid", "kty", "use", "x", "y"],
                "no private members"
            ),
            other => panic!("{other}"),
        }
        assert_eq!(key["use"], "sig");
    }
    let mut names = kids(&document);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3, "each name once");
}

/// Decisions section 4: one RSA key under two names, the default algorithm first; the SDK
/// takes the first one blindly.
#[test]
fn the_first_key_has_the_default_algorithm() {
    for (default, expected) in [
        ("RS256", ["RS256", "RS512", "ES256"]),
        ("RS512", ["RS512", "RS256", "ES256"]),
    ] {
        let server = TestServer::with(|config| config.id_token_algorithm = default.into());
        let document = jwks(&server);
        let algorithms: Vec<&str> = (0..3).map(|i| document["keys"][i]["alg"].as_str().unwrap()).collect();
        assert_eq!(algorithms, expected);
        assert_eq!(document["keys"][0]["n"], document["keys"][1]["n"], "one key");
        assert_ne!(document["keys"][0]["kid"], document["keys"][1]["kid"]);
    }
}

/// wire.md 2.4.2: confidential clients send their header here too.
#[test]
fn credentials_are_ignored() {
    let server = TestServer::new();
    for auth in [Auth::Basic("x".into(), "y".into()), Auth::Bearer("z".into())] {
        assert_eq!(server.get_as("/jwk.json", &auth).status, 200);
        assert_eq!(server.get_as("/.well-known/openid-configuration", &auth).status, 200);
    }
}

/// E5: at every moment of a rotation each valid ID token is signed by a key of the list,
/// also of the list as a client fetched it one cache period ago; and the key that signs
/// stands first.
#[test]
fn no_client_that_caches_the_list_meets_an_unknown_signature() {
    each_engine(|server| {
        let client = server.client().confidential().create();
        let es256 = server.client().confidential().id_token_algorithm("ES256").create();
        let hour = Duration::from_secs(3600);
        let old = kids(&jwks(server))[0].clone();
        let mut cached = jwks(server);
        let mut alive: Vec<(i64, String)> = Vec::new();
        for hours in 0..60 {
            if hours == 2 {
                rotate(server, KeyKind::Rsa, Schedule::Published { lead: PUBLISH_LEAD });
                rotate(server, KeyKind::Ec, Schedule::Published { lead: PUBLISH_LEAD });
                let listed = kids(&jwks(server));
                assert_eq!(listed[0], old, "published second until it signs");
                assert_eq!(listed.len(), 6);
            }
            for client in [&client, &es256] {
                let tokens = client.credentials("openid");
                let token = tokens.id_token().to_owned();
                assert!(verify(&token, &cached).is_some(), "hour {hours}: a list of an hour ago");
                alive.push((tokens.claims()["exp"].as_i64().unwrap(), token));
            }
            let current = jwks(server);
            let newest = alive[alive.len() - 2].1.clone();
            assert_eq!(verify(&newest, &current), Some(0), "hour {hours}: what signs is first");
            alive.retain(|(end, _)| *end > server.now().seconds());
            for (_, token) in &alive {
                assert!(verify(token, &current).is_some(), "hour {hours}: an unexpired token");
            }
            cached = current;
            server.advance(hour);
            server.reload_keys();
        }
        let last = jwks(server);
        assert!(!kids(&last).contains(&old), "retired");
        assert_eq!(kids(&last).len(), 3);
    });
}

/// The same when access tokens are short: ID tokens still say how long they live.
#[test]
fn a_key_stays_listed_while_a_token_it_signed_is_valid() {
    let server = TestServer::with(|config| config.access_token_lifetime_seconds = 600);
    let client = server.client().confidential().create();
    let tokens = client.credentials("openid");
    let end = tokens.claims()["exp"].as_i64().unwrap();

    rotate(&server, KeyKind::Rsa, Schedule::Now);
    while server.now().seconds() + 600 < end {
        server.advance_seconds(600);
        server.reload_keys();
        assert!(
            verify(tokens.id_token(), &jwks(&server)).is_some(),
            "{} s before its end",
            end - server.now().seconds()
        );
    }
}

/// A key in the wrong hands is out of the list at once.
#[test]
fn a_compromised_key_is_removed_at_once() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let token = client.credentials("openid").id_token().to_owned();

    rotate(&server, KeyKind::Rsa, Schedule::Compromised);

    assert_eq!(verify(&token, &jwks(&server)), None);
    let fresh = client.credentials("openid");
    assert_eq!(verify(fresh.id_token(), &jwks(&server)), Some(0));
}

/// E6.
#[test]
fn keys_and_metadata_answer_while_the_store_is_down() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    portolan_db::Db::clone(server.store()).close();

    assert_eq!(jwks(&server)["keys"].as_array().unwrap().len(), 3);
    assert_eq!(
        server.get("/.well-known/openid-configuration").ok().json()["issuer"],
        json!(server.issuer())
    );
    assert_eq!(server.get("/.well-known/oauth-authorization-server").status, 200);
    let refused = client.try_credentials("openid");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
}
