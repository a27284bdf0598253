//! `GET` and `POST /v2/oauth2/userinfo`, and with it bearer tokens at our own resources.

use http::Method;
use http::header::AUTHORIZATION;
use portolan_db::params;
use serde_json::json;

use crate::support::{Answer, Auth, TestServer, each_engine};

const PATH: &str = "/v2/oauth2/userinfo";

fn ask(server: &TestServer, token: &str) -> Answer {
    server.get_as(PATH, &Auth::Bearer(token.to_owned()))
}

/// H12.
#[test]
fn only_claims_of_granted_scopes_are_told() {
    each_engine(|server| {
        let alice = server.user("alice").create();
        let browser = server.browser_of(&alice);
        let client = server.client().confidential().create();
        let table: [(&str, &[&str]); 4] = [
            ("openid", &["identity_set", "sub"]),
            ("openid email", &["email", "email_verified", "identity_set", "sub"]),
            (
                "openid profile",
                &[
                    "identity_provider",
                    "identity_provider_display_name",
                    "identity_set",
                    "last_authentication",
                    "name",
                    "organization",
                    "preferred_username",
                    "sub",
                ],
            ),
            (
                "openid profile email",
                &[
                    "email",
                    "email_verified",
                    "identity_provider",
                    "identity_provider_display_name",
                    "identity_set",
                    "last_authentication",
                    "name",
                    "organization",
                    "preferred_username",
                    "sub",
                ],
            ),
        ];
        for (scope, names) in table {
            let tokens = client.tokens(&browser, scope);
            let answer = ask(server, tokens.access_token()).ok();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let document = answer.json();
            let mut told: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
            told.sort_unstable();
            assert_eq!(told, names, "{scope}");
            assert_eq!(document["sub"], tokens.claims()["sub"]);
            let linked = &document["identity_set"][0];
            assert_eq!(linked["sub"], alice.id.to_string());
            assert_eq!(linked["username"], "alice@portolan.local");
            assert_eq!(linked.get("email").is_some(), scope.contains("email"), "{scope}");
            assert_eq!(linked.get("name").is_some(), scope.contains("profile"), "{scope}");
        }
    });
}

/// H12: what is not known is left out rather than null or empty.
#[test]
fn unknown_claims_are_left_out() {
    let server = TestServer::new();
    let bob = server.user("bob").without_organization().create();
    let client = server.client().confidential().create();
    let tokens = client.tokens(&server.browser_of(&bob), "openid profile email");
    server.sql(
        "UPDATE identities SET email = NULL, name = NULL WHERE id = $1",
        params![bob.id],
    );

    let document = ask(&server, tokens.access_token()).ok().json();

    for absent in ["organization", "email", "name"] {
        assert!(document.get(absent).is_none(), "{absent}: {document}");
    }
    assert!(document["last_authentication"].is_i64());
}

/// H12: GET and POST, the token in the header or in the form.
#[test]
fn get_and_post_answer_alike() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let tokens = client.tokens(&server.browser_of(&alice), "openid email");
    let token = tokens.access_token();
    let bearer = Auth::Bearer(token.to_owned());

    let by_get = ask(&server, token).ok().json();
    let by_post = server
        .request(Method::POST, PATH)
        .authorization(&bearer)
        .send()
        .ok()
        .json();
    let by_form = server
        .post_form(PATH, &Auth::None, &[("access_token", token)])
        .ok()
        .json();

    assert_eq!(by_get, by_post);
    assert_eq!(by_get, by_form);
}

/// wire.md 2.4.1: a service account is somebody too.
#[test]
fn a_client_sees_itself() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.credentials("openid profile");

    let document = ask(&server, tokens.access_token()).ok().json();

    let id = client.id.to_string();
    assert_eq!(document["sub"], id);
    assert_eq!(document["preferred_username"], format!("{id}@clients.auth.globus.org"));
    assert_eq!(document["identity_set"].as_array().unwrap().len(), 1);
    assert_eq!(document["identity_set"][0]["sub"], id);
}

/// B1.
#[test]
fn the_scheme_is_matched_without_regard_to_case() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.credentials("openid");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let header = format!("{scheme} {}", tokens.access_token());
        let answer = server.request(Method::GET, PATH).header(AUTHORIZATION, &header).send();
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

/// B2.
#[test]
fn refusals_have_the_challenge_of_rfc_6750() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let without_openid = client.credentials("profile");
    let revoked = client.credentials("openid");
    client.revoke(revoked.access_token());

    let none = server.get(PATH);
    assert_eq!(
        (none.status.as_u16(), none.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    for bad in ["x", "AgPA", "", "a b", "AgPA\u{7f}", revoked.access_token()] {
        let request = server.request(Method::GET, PATH);
        let Ok(header) = http::HeaderValue::from_str(&format!("Bearer {bad}")) else {
            continue;
        };
        let answer = request
            .header(AUTHORIZATION, header.to_str().unwrap_or("Bearer x"))
            .send();
        assert_eq!(answer.status, 401, "{bad}");
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer error=\"invalid_token\""),
            "{bad}"
        );
        assert_eq!(answer.json()["errors"][0]["code"], "UNAUTHORIZED");
        assert_eq!(answer.json()["errors"][0]["detail"], "Call must be authenticated");
    }
    let narrow = ask(&server, without_openid.access_token());
    assert_eq!(narrow.status, 403);
    let challenge = narrow.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"openid\""), "{challenge}");
    assert_eq!(narrow.json()["errors"][0]["code"], "FORBIDDEN");
}

/// B3.
#[test]
fn a_token_in_the_query_or_twice_is_refused() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.credentials("openid");
    let token = tokens.access_token();
    let bearer = Auth::Bearer(token.to_owned());

    for auth in [&Auth::None, &bearer] {
        let answer = server.get_as(&format!("{PATH}?access_token={token}"), auth);
        assert_eq!(answer.status, 400, "{auth:?}");
        assert_eq!(answer.json()["errors"][0]["code"], "INVALID_REQUEST");
    }
    let both = server.post_form(PATH, &bearer, &[("access_token", token)]);
    assert_eq!(both.status, 400);
    let two = server
        .request(Method::GET, PATH)
        .authorization(&bearer)
        .authorization(&bearer)
        .send();
    assert_eq!(two.status, 400);
    let in_get = server
        .request(Method::GET, PATH)
        .form(&[("access_token", token)])
        .send();
    assert_eq!(in_get.status, 401, "a GET has no form");
}

/// B4.
#[test]
fn only_an_access_token_of_this_server_is_accepted() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let scope = "openid urn:globus:auth:scope:transfer.api.globus.org:all";
    let tokens = client.offline_tokens(&browser, scope);
    let transfer = tokens.of("transfer.api.globus.org");
    let code = client.code(&browser, "openid");
    let secret = client.secret.clone().unwrap();
    let foreign = TestServer::new();
    let other = foreign.client().confidential().create().credentials("openid");
    let wrong = [
        tokens.refresh_token(),
        tokens.id_token(),
        &code,
        &secret,
        transfer.access_token(),
        other.access_token(),
    ];
    for token in wrong {
        assert_eq!(ask(&server, token).status, 401, "{token}");
    }
    assert_eq!(
        server.get_as(PATH, &client.auth()).status,
        401,
        "Basic is no bearer token"
    );
    assert_eq!(ask(&server, tokens.access_token()).status, 200);
}

/// wire.md 2.2.7: a later login elsewhere does not show here.
#[test]
fn last_authentication_is_of_this_session() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let first_login = server.now().seconds();
    let tokens = client.tokens(&server.browser_of(&alice), "openid profile");
    server.advance_seconds(500);
    server.browser_of(&alice);

    let document = ask(&server, tokens.access_token()).ok().json();

    assert_eq!(document["last_authentication"], json!(first_login));
}
