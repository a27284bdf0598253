//! `/v2/api/clients/{client_id}/credentials`

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::text;
use crate::support::{Auth, TestServer, each_engine};

#[test]
fn a_secret_is_shown_once_and_ends_when_it_is_deleted_but_not_its_tokens() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let client = alice.client(&alice.project("P"), "confidential_client");
        let path = format!("/v2/api/clients/{}/credentials", client.id);

        let created = alice.post(&path, json!({ "credential": { "name": "deploy" } }));
        assert_eq!(created.status, 201);
        assert_eq!(created.header("cache-control"), Some("no-store"));
        let credential = created.json()["credential"].clone();
        let secret = text(&credential["secret"]);
        assert_eq!(secret.len(), 44);
        assert_eq!(credential["client"], client.id.to_string());
        assert_eq!(credential["name"], "deploy");
        assert!(text(&credential["created"]).ends_with("+00:00"));
        let listed = alice.get(&path).ok().json()["credentials"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert!(
            listed
                .as_array()
                .unwrap()
                .iter()
                .all(|credential| credential["secret"].is_null())
        );

        let second = server.known_client(client.id, Some(&secret), &client.redirect_uri);
        let tokens = second.credentials("openid");
        let deleted = alice.delete(&format!("{path}/{}", text(&credential["id"]))).ok().json();
        let mut expected = credential.clone();
        expected["secret"] = Value::Null;
        assert_eq!(deleted["credential"], expected);

        assert_eq!(second.try_credentials("openid").outcome(), "401 invalid_client");
        assert!(client.is_valid(tokens.access_token()), "what it got lives on");
        assert_eq!(client.try_credentials("openid").status, 200, "the other secret works");
        let again = alice.delete(&format!("{path}/{}", text(&credential["id"])));
        assert_eq!(again.refusal(), "404 CREDENTIAL_NOT_FOUND");
    });
}

#[test]
fn a_public_client_has_no_secret_and_a_secret_has_a_name() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let public = alice.client(&project, "public_installed_client");
    let answer = alice.post(
        &format!("/v2/api/clients/{}/credentials", public.id),
        json!({ "credential": { "name": "n" } }),
    );
    assert_eq!(answer.refusal(), "400 INVALID_PARAMETERS");

    let client = alice.client(&project, "confidential_client");
    let path = format!("/v2/api/clients/{}/credentials", client.id);
    for name in [json!(null), json!(""), json!("two\nlines"), json!(7)] {
        alice
            .post(&path, json!({ "credential": { "name": name } }))
            .names("name");
    }
    alice.post(&path, json!({ "credential": {} })).names("name");
}

#[test]
fn credentials_are_for_admins_and_the_client_itself() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let client = alice.client(&project, "confidential_client");
    let sister = alice.client(&project, "confidential_client");
    alice
        .put(
            &format!("/v2/api/clients/{}", client.id),
            json!({ "client": { "visibility": "public" } }),
        )
        .ok();
    let path = format!("/v2/api/clients/{}/credentials", client.id);
    let id = text(&alice.get(&path).json()["credentials"][0]["id"]);
    let calls = |auth: &Auth| {
        [
            server.call(auth, Method::GET, &path, Value::Null),
            server.call(auth, Method::POST, &path, json!({ "credential": { "name": "n" } })),
            server.call(auth, Method::DELETE, &format!("{path}/{id}"), Value::Null),
        ]
    };

    for (auth, refusal) in [
        (&bob.auth, "403 FORBIDDEN"),
        (&sister.auth(), "403 FORBIDDEN"),
        (&Auth::None, "401 UNAUTHORIZED"),
    ] {
        for answer in calls(auth) {
            assert_eq!(answer.refusal(), refusal);
        }
    }
    // A credential of another client is not there.
    let of_sister = format!("/v2/api/clients/{}/credentials/{id}", sister.id);
    assert_eq!(
        server
            .call(&alice.auth, Method::DELETE, &of_sister, Value::Null)
            .refusal(),
        "404 CREDENTIAL_NOT_FOUND"
    );
    assert_eq!(
        server.count(
            "SELECT count(*) FROM client_credentials WHERE client_id = $1",
            params![client.id]
        ),
        1
    );
    let [listed, created, deleted] = calls(&client.auth());
    assert_eq!(
        [listed.status, created.status, deleted.status].map(|status| status.as_u16()),
        [200, 201, 200]
    );
}
