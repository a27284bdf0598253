//! What a person changes in a project wants a fresh login of one of its admins (wire.md 3.7).

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::{Developer, MANAGE, text};
use crate::support::{Answer, Auth, TestServer};

const MESSAGE: &str = "To access this project you must have an identity with admin privileges in session \
                       within the last 30 minutes.";

#[track_caller]
fn assert_gated(answer: &Answer) -> String {
    assert_eq!(answer.refusal(), "403 FORBIDDEN", "{}", answer.summary());
    assert_eq!(answer.detail(), MESSAGE);
    assert_eq!(
        answer.header("www-authenticate"),
        Some(format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"{MESSAGE}\", max_age=\"1800\""
        ))
        .as_deref()
    );
    let document = answer.json();
    let parameters = &document["authorization_parameters"];
    assert_eq!(parameters["session_message"], MESSAGE);
    assert_eq!(parameters.as_object().unwrap().len(), 2, "{parameters}");
    let policies = parameters["session_required_policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    text(&policies[0])
}

/// Every call that changes something in the project, with what it needs.
fn writes(alice: &Developer, project: &str) -> Vec<(Method, String, Value)> {
    let client = alice.client(project, "confidential_client");
    let scope = text(&alice.scope(&client, "read", json!({}))["id"]);
    let policy = json!({ "policy": { "project_id": project, "display_name": "p", "description": "d" } });
    let policy_id = text(&alice.post("/v2/api/policies", policy.clone()).ok().json()["policy"]["id"]);
    let credentials = format!("/v2/api/clients/{}/credentials", client.id);
    let credential = text(&alice.get(&credentials).json()["credentials"][0]["id"]);
    let of_client = format!("/v2/api/clients/{}", client.id);
    let new_client = json!({ "client": { "name": "n", "project": project, "public_client": true } });
    let new_scope = json!({ "scope": { "name": "n", "description": "d", "scope_suffix": "other" } });
    vec![
        (
            Method::PUT,
            format!("/v2/api/projects/{project}"),
            json!({ "project": { "display_name": "n" } }),
        ),
        (Method::DELETE, format!("/v2/api/projects/{project}"), Value::Null),
        (Method::POST, "/v2/api/clients".into(), new_client),
        (Method::PUT, of_client.clone(), json!({ "client": { "name": "n" } })),
        (
            Method::POST,
            credentials.clone(),
            json!({ "credential": { "name": "n" } }),
        ),
        (Method::DELETE, format!("{credentials}/{credential}"), Value::Null),
        (
            Method::POST,
            format!("{of_client}/fqdns"),
            json!({ "fqdn": "svc.example.org" }),
        ),
        (Method::POST, format!("{of_client}/scopes"), new_scope),
        (
            Method::PUT,
            format!("/v2/api/scopes/{scope}"),
            json!({ "scope": { "name": "n" } }),
        ),
        (Method::DELETE, format!("/v2/api/scopes/{scope}"), Value::Null),
        (Method::POST, "/v2/api/policies".into(), policy),
        (
            Method::PUT,
            format!("/v2/api/policies/{policy_id}"),
            json!({ "policy": { "display_name": "n" } }),
        ),
        (Method::DELETE, format!("/v2/api/policies/{policy_id}"), Value::Null),
        (Method::DELETE, of_client, Value::Null),
    ]
}

#[test]
fn every_change_wants_a_login_within_half_an_hour() {
    let server = TestServer::new();
    let mut alice = server.developer("alice");
    let project = alice.project("P");
    let writes = writes(&alice, &project);
    server.advance_seconds(1801);

    for (method, path, document) in &writes {
        assert_gated(&server.call(&alice.auth, method.clone(), path, document.clone()));
    }

    alice.sign_in_again();
    let (method, path, document) = &writes[0];
    assert_eq!(
        server.call(&alice.auth, method.clone(), path, document.clone()).status,
        200
    );
}

#[test]
fn reading_and_a_new_project_are_not_gated() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let client = alice.client(&project, "confidential_client");
    server.advance_seconds(86_400);

    for path in [
        "/v2/api/projects".to_owned(),
        format!("/v2/api/projects/{project}"),
        "/v2/api/clients".into(),
        format!("/v2/api/clients/{}", client.id),
        format!("/v2/api/clients/{}/credentials", client.id),
        "/v2/api/scopes".into(),
        "/v2/api/policies".into(),
    ] {
        assert_eq!(alice.get(&path).status, 200, "{path}");
    }
    alice.project("Another");
}

#[test]
fn half_an_hour_is_the_limit() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let change = || {
        alice.put(
            &format!("/v2/api/projects/{project}"),
            json!({ "project": { "display_name": "n" } }),
        )
    };
    server.advance_seconds(1800);
    assert_eq!(change().status, 200);
    server.advance_seconds(1);
    assert_gated(&change());
}

/// The person has to be there as the identity that is an admin, not as one linked to it.
#[test]
fn the_login_has_to_be_that_of_an_admin() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = bob.project("P");
    server.sql(
        "UPDATE identities SET set_id = (SELECT set_id FROM identities WHERE id = $1) WHERE id = $2",
        params![alice.user.id, bob.user.id],
    );
    assert_eq!(alice.get(&format!("/v2/api/projects/{project}")).status, 200);

    let change = json!({ "project": { "display_name": "n" } });
    assert_gated(&alice.put(&format!("/v2/api/projects/{project}"), change));
}

#[test]
fn the_authorize_endpoint_takes_the_policy_that_the_gate_names() {
    let server = TestServer::new();
    let (mut alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    server.advance_seconds(3600);
    let change = json!({ "project": { "display_name": "n" } });
    let policy = assert_gated(&alice.put(&format!("/v2/api/projects/{project}"), change.clone()));
    let params = |developer: &Developer| {
        let params = developer.console.params(&format!("openid {MANAGE}"));
        params.set("session_required_policies", &policy)
    };

    // Somebody who is no admin does not get there by signing in again.
    bob.browser.authorize(&bob.console, &params(&bob));
    let outcome = bob.browser.try_login(&bob.user.username, &bob.user.password);
    assert_eq!(outcome.page().status, 403);

    alice.browser.authorize(&alice.console, &params(&alice));
    let code = alice.browser.login(&alice.user).code();
    alice.auth = Auth::Bearer(alice.console.exchange(&code).access_token().to_owned());
    assert_eq!(alice.put(&format!("/v2/api/projects/{project}"), change).status, 200);
    // The policy is nobody's to look at or change.
    assert_eq!(alice.get("/v2/api/policies").json(), json!({ "policies": [] }));
    for method in [Method::GET, Method::DELETE] {
        let answer = server.call(&alice.auth, method, &format!("/v2/api/policies/{policy}"), Value::Null);
        assert_eq!(answer.refusal(), "404 POLICY_NOT_FOUND");
    }
}

/// W1, RFC 9470: a client that knows nothing of Globus steps up with the words of the standard.
#[test]
fn a_client_of_the_step_up_standard_gets_through_the_gate() {
    let server = TestServer::new();
    let mut alice = server.developer("alice");
    let project = alice.project("P");
    server.advance_seconds(1801);
    let change = json!({ "project": { "display_name": "n" } });
    let refused = alice.put(&format!("/v2/api/projects/{project}"), change.clone());
    assert_gated(&refused);
    let challenge = refused.header("www-authenticate").unwrap();
    let (_, max_age) = challenge.split_once("max_age=\"").unwrap();
    let max_age = max_age.trim_end_matches('"');

    let params = alice
        .console
        .params(&format!("openid {MANAGE}"))
        .set("max_age", max_age);
    assert_eq!(alice.browser.authorize(&alice.console, &params).title(), "Sign in");
    let tokens = alice.console.exchange(&alice.browser.login(&alice.user).code());
    let seen = alice.console.introspect(tokens.access_token());
    assert_eq!(seen["auth_time"], server.now().seconds());
    alice.auth = Auth::Bearer(tokens.access_token().to_owned());
    alice.put(&format!("/v2/api/projects/{project}"), change).ok();

    // Other refusals demand no login.
    let bob = server.developer("bob");
    let stranger = bob.put(
        &format!("/v2/api/projects/{project}"),
        json!({ "project": { "display_name": "n" } }),
    );
    assert_eq!(stranger.refusal(), "403 FORBIDDEN");
    assert!(stranger.header("www-authenticate").is_none());
}

/// decisions.md section 6: half an hour, again and again.
#[test]
fn the_gate_demands_accepts_expires_and_demands_again() {
    let server = TestServer::new();
    let mut alice = server.developer("alice");
    let project = alice.project("P");
    let change = |alice: &Developer| {
        alice.put(
            &format!("/v2/api/projects/{project}"),
            json!({ "project": { "display_name": "n" } }),
        )
    };
    for _ in 0..2 {
        change(&alice).ok();
        server.advance_seconds(1800);
        change(&alice).ok();
        server.advance_seconds(1);
        let policy = assert_gated(&change(&alice));
        let params = alice.console.params(&format!("openid {MANAGE}"));
        let params = params.set("session_required_policies", &policy);
        let page = alice.browser.authorize(&alice.console, &params).page().text();
        assert!(page.contains("an account that administers the project"), "{page}");
        let code = alice.browser.login(&alice.user).code();
        alice.auth = Auth::Bearer(alice.console.exchange(&code).access_token().to_owned());
    }
    change(&alice).ok();
}

#[test]
fn clients_are_not_gated_and_the_gate_can_be_switched_off() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let robot = alice.client(&project, "client_identity");
    let admins = json!({ "project": { "admin_ids": [alice.user.id, robot.id] } });
    alice.put(&format!("/v2/api/projects/{project}"), admins).ok();
    let token = Auth::Bearer(robot.credentials(MANAGE).access_token().to_owned());
    server.advance_seconds(86_400);
    for auth in [&robot.auth(), &token] {
        let change = json!({ "project": { "display_name": "n" } });
        server
            .call(auth, Method::PUT, &format!("/v2/api/projects/{project}"), change)
            .ok();
    }

    let open = TestServer::with(|config| config.session_gate = false);
    let alice = open.developer("alice");
    let project = alice.project("P");
    open.advance_seconds(86_400);
    let change = json!({ "project": { "display_name": "n" } });
    assert_eq!(alice.put(&format!("/v2/api/projects/{project}"), change).status, 200);
}
