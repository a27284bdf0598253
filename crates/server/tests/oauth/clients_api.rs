//! `/v2/api/clients`: what anybody may register, and what such a client may do
//! (wire.md 2.5.4, decisions section 6).

use http::Method;
use http::header::CONTENT_TYPE;
use portolan_db::params;
use portolan_types::ClientId;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, TestClient, TestServer, each_engine};

const PATH: &str = "/v2/api/clients";
/// The CLI's own template, built in.
const CLI: &str = "95fdeba8-fac2-42bd-a357-e068d82ff78e";

fn register(server: &TestServer, template: &str, name: &str) -> Answer {
    let body = json!({ "client": { "template_id": template, "name": name } });
    server.post_json(PATH, &Auth::None, &body)
}

fn cli(server: &TestServer) -> TestClient {
    server.instance_of(CLI.parse().unwrap(), "Globus CLI")
}

/// Every field, under the names that the CLI reads.
#[test]
fn an_instance_of_the_cli_template_is_registered_by_nobody_in_particular() {
    each_engine(|server| {
        let answer = register(server, CLI, "Globus CLI");

        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let document = answer.json();
        let client = &document["client"];
        let credential = &document["included"]["client_credential"];
        assert_eq!(credential["client"], client["id"]);
        assert_eq!(credential["name"], "Auto-created at client creation");
        assert_eq!(credential["secret"].as_str().unwrap().len(), 44);
        assert!(credential["created"].as_str().unwrap().ends_with("+00:00"));
        let mut expected = json!({
            "id": client["id"],
            "name": "Globus CLI",
            "client_type": "confidential_client",
            "public_client": false,
            "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
            "parent_client": CLI,
            "project": null,
            "visibility": "private",
            "redirect_uris": [],
            "scopes": [],
            "fqdns": [],
            "required_idp": null,
            "preselect_idp": null,
            "links": { "privacy_policy": null, "terms_and_conditions": null },
            "userinfo_from_effective_identity": true,
            "prompt_for_named_grant": false,
        });
        assert_eq!(
            client.as_object().unwrap().len(),
            expected.as_object_mut().unwrap().len()
        );
        assert_eq!(*client, expected);
    });
}

#[test]
fn bad_registrations_are_refused() {
    let server = TestServer::new();
    let ordinary = server.client().public_installed().create();
    let disabled = server.client().template().create();
    server.sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![disabled.id]);
    let long = "x".repeat(256);
    let table = [
        ("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "laptop", 404),
        (&disabled.id.to_string(), "laptop", 404),
        (&ordinary.id.to_string(), "laptop", 403),
        ("no-uuid", "laptop", 400),
        (CLI, "", 400),
        (CLI, "  ", 400),
        (CLI, "two\nlines", 400),
        (CLI, "a\u{7}bell", 400),
        (CLI, long.as_str(), 400),
    ];
    for (template, name, status) in table {
        let answer = register(&server, template, name);
        assert_eq!(answer.status, status, "{template} {name:?}");
        assert!(answer.json()["errors"][0]["code"].is_string());
    }
    for (body, status) in [
        ("{}", 400),
        ("not json", 400),
        ("[]", 400),
        ("{\"client\":{\"name\":\"x\"}}", 401),
        (
            "{\"client\":{\"name\":\"a\\u0000b\",\"template_id\":\"95fdeba8-fac2-42bd-a357-e068d82ff78e\"}}",
            400,
        ),
    ] {
        let request = server
            .request(Method::POST, PATH)
            .header(CONTENT_TYPE, "application/json");
        assert_eq!(request.body(body).send().status, status, "{body}");
    }
    assert_eq!(
        server.count("SELECT count(*) FROM clients WHERE is_instance = 1", params![]),
        0
    );
}

/// Decisions section 6: the grant is reported, as the recorded service does, and refused.
#[test]
fn an_instance_may_not_act_as_itself() {
    let server = TestServer::new();
    let instance = cli(&server);
    assert_eq!(instance.try_credentials("openid").outcome(), "400 unauthorized_client");
}

#[test]
fn an_instance_may_not_look_up_identities_or_create_children() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let instance = cli(&server);
    for path in [
        "/v2/api/identities?usernames=alice@portolan.local".to_owned(),
        format!("/v2/api/identities?ids={}", alice.id),
        format!("/v2/api/identities/{}", alice.id),
    ] {
        assert_eq!(server.get_as(&path, &instance.auth()).status, 403, "{path}");
    }
    for body in [
        json!({ "client": { "name": "child", "client_type": "confidential_client" } }),
        json!({ "client": { "name": "child", "template_id": CLI } }),
    ] {
        assert_eq!(server.post_json(PATH, &instance.auth(), &body).status, 403);
    }
}

/// Its Basic serves its own record, token, introspect, validate and revoke.
#[test]
fn an_instance_reads_and_deletes_its_own_record_and_no_other() {
    let server = TestServer::new();
    let (instance, other) = (cli(&server), cli(&server));
    let at = |id: ClientId| format!("{PATH}/{id}");

    let own = server.get_as(&at(instance.id), &instance.auth()).ok().json();
    assert_eq!(own["client"]["id"], instance.id.to_string());
    assert!(!own.to_string().contains(&instance.secret.clone().unwrap()));
    for foreign in [
        other.id,
        CLI.parse().unwrap(),
        "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".parse().unwrap(),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = server
                .request(method, &at(foreign))
                .authorization(&instance.auth())
                .send();
            assert_eq!(answer.status, 403, "{foreign}");
        }
    }
    let deleted = server
        .request(Method::DELETE, &at(instance.id))
        .authorization(&instance.auth())
        .send();
    assert_eq!(deleted.ok().json()["client"], own["client"]);
    assert_eq!(server.get_as(&at(instance.id), &instance.auth()).status, 401);
    assert_eq!(server.get_as(&at(other.id), &other.auth()).status, 200);
}

/// Decisions section 8: what rested on it ends, and its identity is closed for good.
#[test]
fn a_deleted_client_takes_its_tokens_along_and_leaves_a_closed_identity() {
    each_engine(|server| {
        let alice = server.user("alice").create();
        let data = server.resource_server("data.example.org").scope("read").create();
        let instance = cli(server);
        let tokens = instance.offline_tokens(&server.browser_of(&alice), data.scope("read"));
        assert!(data.is_active(tokens.access_token()));

        let path = format!("{PATH}/{}", instance.id);
        server
            .request(Method::DELETE, &path)
            .authorization(&instance.auth())
            .send()
            .ok();

        assert!(!data.is_active(tokens.access_token()));
        assert_eq!(
            instance.try_refresh(tokens.refresh_token()).outcome(),
            "401 invalid_client"
        );
        let closed = server.count(
            "SELECT count(*) FROM identities WHERE id = $1 AND status = 'closed'",
            params![instance.id],
        );
        assert_eq!(closed, 1);
    });
}

/// Whoever registered it or logged in with it, the record needs its secret.
#[test]
fn a_record_needs_the_secret_of_its_client() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let instance = cli(&server);
    let service = server.client().confidential().create();
    let of_alice = instance.tokens(&server.browser_of(&alice), "openid profile");
    let path = format!("{PATH}/{}", instance.id);
    let id = instance.id.to_string();
    for (auth, status) in [
        (Auth::None, 401),
        (Auth::Basic(id.clone(), "wrong".into()), 401),
        (Auth::Bearer("x".into()), 401),
        (Auth::Bearer(of_alice.access_token().to_owned()), 403),
        (service.auth(), 403),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = server.request(method.clone(), &path).authorization(&auth).send();
            assert_eq!(answer.status, status, "{method} {auth:?}");
        }
    }
    // In the form or the query it is not even looked at.
    let by_query = format!("{path}?client_id={id}&client_secret=x");
    assert_eq!(server.get(&by_query).status, 401);
    // A service account's own token stands for it.
    let token = service.credentials("openid").access_token().to_owned();
    let own = format!("{PATH}/{}", service.id);
    assert_eq!(server.get_as(&own, &Auth::Bearer(token)).status, 200);
}

/// Decisions section 6: limited per address.
#[test]
fn registrations_are_limited_per_address() {
    let server = TestServer::with(|config| config.limits.template_registrations_per_hour = 2);
    let from = |address: &str| {
        let body = json!({ "client": { "template_id": CLI, "name": "laptop" } });
        let request = server
            .request(Method::POST, PATH)
            .header(CONTENT_TYPE, "application/json");
        request.body(body.to_string()).from(address.parse().unwrap()).send()
    };
    assert_eq!(from("192.0.2.1").status, 201);
    assert_eq!(from("192.0.2.1").status, 201);
    let limited = from("192.0.2.1");
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some());
    assert_eq!(limited.json()["errors"][0]["code"], "TOO_MANY_REQUESTS");
    assert_eq!(from("192.0.2.2").status, 201);
    // An IPv6 address counts with its network.
    assert_eq!(from("2001:db8::1").status, 201);
    assert_eq!(from("2001:db8::2").status, 201);
    assert_eq!(from("2001:db8::3").status, 429);
    assert_eq!(from("2001:db8:1::3").status, 201);
}

/// Decisions section 6: at most 10,000 that nobody has logged in with.
#[test]
fn unused_instances_are_bounded_and_used_ones_do_not_count() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let used = cli(&server);
    used.code(&browser, "openid");
    let unused = cli(&server);
    let columns = "name, project_id, parent_client_id, client_type, is_template, is_instance, device_name,
                   grant_types, visibility, redirect_uris, terms_and_conditions, privacy_policy, required_idp,
                   preselect_idp, requested_scopes, userinfo_from_effective_identity, prompt_for_named_grant,
                   id_token_algorithm, resource_server, enabled, created_at, first_used_at";
    server.sql(
        &format!(
            "INSERT INTO clients (id, {columns})
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9998)
             SELECT randomblob(16), {columns} FROM numbers, clients WHERE clients.id = $1"
        ),
        params![unused.id],
    );

    assert_eq!(register(&server, CLI, "the last").status, 201);
    let refused = register(&server, CLI, "one too many");

    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    unused.code(&browser, "openid");
    assert_eq!(register(&server, CLI, "place again").status, 201);
}

/// The person sees the template's name; the given one only as what the device calls itself.
#[test]
fn consent_shows_the_template_and_what_the_device_calls_itself() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let instance = server.instance_of(CLI.parse().unwrap(), "Your <bank>");
    let browser = server.browser_of(&alice);
    let outcome = browser.authorize(&instance, &instance.params("openid"));
    assert_eq!(outcome.title(), "Globus CLI asks for your permission");
    let html = outcome.page().text();
    assert!(crate::support::unescape(&html).contains("Your <bank>"));
    assert!(!html.contains("<bank>"));
}

/// wire.md 3.1: unknown paths and methods are JSON too, but not for a person who follows a
/// wrong link.
#[test]
fn unknown_paths_and_methods_have_json_answers() {
    let server = TestServer::new();
    let missing = server.get("/v2/api/nothing");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["errors"][0]["code"], "NOT_FOUND");
    let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    let followed = server.request(Method::GET, "/consents").header("accept", accept).send();
    assert_eq!(followed.status, 404);
    assert_eq!(followed.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(followed.text().contains("Page not found"), "{}", followed.text());
    let bad_id = server.client().confidential().create();
    assert_eq!(server.get_as(&format!("{PATH}/x"), &bad_id.auth()).status, 404);
    let method = server.request(Method::PATCH, PATH).send();
    assert_eq!(method.status, 405);
    assert!(method.header("allow").is_some());
    let document: Value = method.json();
    assert_eq!(document["errors"][0]["status"], "405");
}
