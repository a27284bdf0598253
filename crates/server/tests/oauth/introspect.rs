//! `POST /v2/oauth2/token/introspect`.

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::support::{Auth, TestServer, each_engine};

const PATH: &str = "/v2/oauth2/token/introspect";
const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

/// C7.
#[test]
fn the_resource_server_sees_what_the_token_is() {
    each_engine(|server| {
        let alice = server.user("alice").create();
        let data = server
            .resource_server("data.example.org")
            .scope("read")
            .scope("write")
            .create();
        let client = server.client().confidential().create();
        let scopes = format!("{} {}", data.scope("read"), data.scope("write"));
        let token = client.tokens(&server.browser_of(&alice), &scopes);

        let seen = data.introspect(token.access_token());

        let mut scope: Vec<&str> = seen["scope"].as_str().unwrap().split(' ').collect();
        scope.sort_unstable();
        assert_eq!(scope, [data.scope("read"), data.scope("write")]);
        assert_eq!(seen["active"], true);
        assert_eq!(seen["token_type"], "Bearer");
        assert_eq!(seen["client_id"], client.id.to_string());
        assert_eq!(seen["sub"], alice.id.to_string());
        assert_eq!(seen["iss"], server.issuer());
        assert_eq!(seen["username"], "alice@portolan.local");
        assert_eq!(seen["name"], "alice of the tests");
        assert_eq!(seen["email"], "alice@example.org");
        assert_eq!(
            seen["aud"],
            json!(["data.example.org", data.id.to_string(), client.id.to_string()])
        );
        let now = server.now().seconds();
        assert_eq!(
            (&seen["iat"], &seen["nbf"], &seen["exp"]),
            (&json!(now), &json!(now), &json!(now + 172_800))
        );
        assert_eq!(seen["dependent_tokens_cache_id"].as_str().unwrap().len(), 64);
        for absent in [
            "identity_set",
            "identities_set",
            "identity_set_detail",
            "session_info",
            "policy_evaluations",
        ] {
            assert!(seen.get(absent).is_none(), "{absent}");
        }
    });
}

/// C5, C8 and A13.
#[test]
fn only_an_authenticated_client_may_ask() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let public = server.client().public_installed().create();
    let token = client.credentials("openid").access_token().to_owned();
    let callers = [
        Auth::None,
        Auth::Id(client.id.to_string()),
        public.auth(),
        Auth::Basic(client.id.to_string(), "wrong".into()),
        Auth::Bearer(token.clone()),
    ];
    for caller in callers {
        let answer = server.post_form(PATH, &caller, &[("token", &token)]);
        assert_eq!(answer.outcome(), "401 invalid_client", "{caller:?}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    let answer = client.post(PATH, &[("token", &token)]).ok();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(client.post(PATH, &[]).outcome(), "400 invalid_request");
}

/// C6: whatever the reason, the same two words, and the same for a token of somebody else.
#[test]
fn an_inactive_token_looks_the_same_for_every_reason() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let stranger = server.client().confidential().create();
    let gone = server.client().confidential().create();
    let fresh = |scope: &str| client.tokens(&browser, scope).access_token().to_owned();

    let revoked = fresh("openid");
    client.revoke(&revoked);
    let foreign = fresh("openid");
    let offline = client.offline_tokens(&browser, "openid");
    let without_consent = fresh(TRANSFER);
    server.sql(
        "DELETE FROM consents WHERE scope_id = (SELECT scope_id FROM scope_strings WHERE scope_string = $1)",
        params![TRANSFER],
    );
    let of_deleted_client = gone.credentials("openid").access_token().to_owned();
    let id = gone.id;
    server.write(move |tx| portolan_server::domain::client::delete(tx, id));

    let look = |caller: &crate::support::TestClient, token: &str| {
        let answer = caller.post(PATH, &[("token", token), ("include", "session_info,identity_set")]);
        (answer.status.as_u16(), answer.text())
    };
    let expected = (200, r#"{"active":false}"#.to_owned());
    for token in [
        "never-issued",
        "AgPA",
        offline.refresh_token(),
        offline.id_token(),
        &revoked,
        &without_consent,
        &of_deleted_client,
    ] {
        assert_eq!(look(&client, token), expected, "{token}");
    }
    assert_eq!(look(&stranger, &foreign), expected);
    assert_eq!(look(&client, &foreign).0, 200);
    assert_ne!(look(&client, &foreign).1, expected.1);
    server.advance_seconds(172_800);
    assert_eq!(look(&client, &foreign), expected, "expired");
    let last = client
        .tokens(&server.browser_of(&alice), "openid")
        .access_token()
        .to_owned();
    server.sql("UPDATE identities SET enabled = 0 WHERE id = $1", params![alice.id]);
    assert_eq!(look(&client, &last), expected, "disabled person");
}

#[test]
fn a_token_expires_exactly_when_it_says() {
    let server = TestServer::with(|config| config.access_token_lifetime_seconds = 600);
    let client = server.client().confidential().create();
    let tokens = client.credentials("openid");
    assert_eq!(tokens.0["expires_in"], 600);

    server.advance_seconds(599);
    assert!(client.is_active(tokens.access_token()));
    server.advance_seconds(1);
    assert!(!client.is_active(tokens.access_token()));
}

/// Decisions section 6: whoever only asked for the token sees what the person showed it.
#[test]
fn a_client_that_does_not_own_the_service_sees_what_the_scopes_opened() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let table = [
        (TRANSFER.to_owned(), "", Value::Null, Value::Null, false),
        ("openid".into(), "", Value::Null, Value::Null, true),
        (
            format!("{TRANSFER} profile"),
            "transfer.api.globus.org",
            json!("alice of the tests"),
            Value::Null,
            false,
        ),
        (
            format!("{TRANSFER} email openid"),
            "transfer.api.globus.org",
            Value::Null,
            json!("alice@example.org"),
            true,
        ),
    ];
    for (scope, of, name, email, shows_set) in table {
        let mut tokens = client.tokens(&browser, &scope);
        if !of.is_empty() {
            tokens = tokens.of(of);
        }
        let seen = client.introspect_with(
            tokens.access_token(),
            "identity_set,identities_set,identity_set_detail,session_info",
        );
        assert_eq!(seen["active"], true);
        assert_eq!((&seen["name"], &seen["email"]), (&name, &email), "{scope}");
        assert_eq!(seen.get("identity_set").is_some(), shows_set, "{scope}");
        assert_eq!(seen.get("identities_set").is_some(), shows_set, "{scope}");
        assert_eq!(seen.get("identity_set_detail").is_some(), shows_set, "{scope}");
        assert!(seen["session_info"].is_object(), "{scope}");
    }
}

/// wire.md 2.3.1: names in `include`, in the form or in the query.
#[test]
fn what_is_included_has_the_shape_that_consumers_read() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let signed_in_at = server.now().seconds();
    let browser = server.browser_of(&alice);
    server.advance_seconds(100);
    let tokens = client.tokens(&browser, data.scope("read"));
    let again = client.tokens(&browser, data.scope("read"));
    let local = portolan_server::store::identity_providers::LOCAL.to_string();
    let sub = alice.id.to_string();

    let all = "identity_set,identities_set,identity_set_detail,session_info,unknown";
    let seen = data.introspect_with(tokens.access_token(), all);

    assert_eq!(seen["identity_set"], json!([sub]));
    assert_eq!(seen["identities_set"], json!([sub]));
    let detail = &seen["identity_set_detail"][0];
    assert_eq!((&detail["sub"], &detail["id"]), (&json!(sub), &json!(sub)));
    assert_eq!(detail["username"], "alice@portolan.local");
    assert_eq!(detail["identity_provider"], local);
    assert_eq!(detail["last_authentication"], signed_in_at);
    let session = &seen["session_info"];
    assert_eq!(
        session["authentications"][&sub],
        json!({ "idp": local, "auth_time": signed_in_at, "acr": null, "amr": ["pwd"], "custom_claims": {} })
    );
    // One session per browser and client, whose id stays.
    let second = data.introspect_with(again.access_token(), "session_info");
    assert_eq!(second["session_info"]["session_id"], session["session_id"]);
    assert!(session["session_id"].is_string());
    let by_query = data.post(
        &format!("{PATH}?include=session_info"),
        &[("token", tokens.access_token())],
    );
    assert_eq!(by_query.ok().json()["session_info"], *session);
}

/// wire.md 2.3.1: one entry for each policy asked; consumers compare the count.
#[test]
fn policies_are_evaluated_one_by_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let project = server.project("The laboratory");
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let tokens = client.tokens(&server.browser_of(&alice), data.scope("read"));
    let (open, closed, unknown) = (uuid(1), uuid(2), uuid(3));
    for (id, domain) in [(open, "portolan.local"), (closed, "elsewhere.org")] {
        server.sql(
            "INSERT INTO policies (id, project_id, display_name, description, high_assurance, required_mfa,
                                   domain_constraints_include, unlisted, created_at)
             VALUES ($1, $2, 'p', '', 0, 0, $3, 0, 0)",
            params![id, project, format!("[\"{domain}\"]")],
        );
    }

    let ids = format!("{open},{closed},{unknown}");
    let params = [
        ("token", tokens.access_token()),
        ("authentication_policies", ids.as_str()),
    ];
    let seen = data.post(PATH, &params).ok().json();

    assert_eq!(
        seen["policy_evaluations"],
        json!({
            open.to_string(): { "evaluation": true },
            closed.to_string(): { "evaluation": false },
            unknown.to_string(): { "evaluation": false },
        })
    );
    let bad = [("token", tokens.access_token()), ("authentication_policies", "x")];
    assert_eq!(data.post(PATH, &bad).outcome(), "400 invalid_request");
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0001_0000_0000_4000_8000_0000_0000_0000 + n)
}

/// A scope under a second spelling is listed under both (decisions, section 8).
#[test]
fn a_requested_spelling_is_listed_beside_the_canonical_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let spelling = "https://auth.globus.org/scopes/data.example.org/read";
    server.sql(
        "INSERT INTO scope_strings (scope_string, scope_id) VALUES ($1, $2)",
        params![spelling, data.scope_id("read")],
    );

    let tokens = client.tokens(&server.browser_of(&alice), spelling);

    assert_eq!(tokens.0["scope"], spelling);
    let seen = data.introspect(tokens.access_token());
    let mut scope: Vec<&str> = seen["scope"].as_str().unwrap().split(' ').collect();
    scope.sort_unstable();
    let mut expected = vec![spelling, data.scope("read")];
    expected.sort_unstable();
    assert_eq!(scope, expected);
}

/// C4, decisions section 1: each cause ends what stands on it, at the next look.
#[test]
fn the_end_of_a_cause_shows_at_once() {
    each_engine(|server| {
        let alice = server.user("alice").create();
        let data = server.resource_server("data.example.org").scope("read").create();
        let client = server.client().confidential().create();
        let browser = server.browser_of(&alice);
        let tokens = client.offline_tokens(&browser, data.scope("read"));
        let (a, b) = (tokens.access_token(), client.refresh(tokens.refresh_token()));
        assert!(data.is_active(a) && data.is_active(b.access_token()));
        let toggles = [
            (
                "clients",
                "UPDATE clients SET enabled = $1 WHERE id = $2",
                params![0, client.id],
            ),
            (
                "identities",
                "UPDATE identities SET enabled = $1 WHERE id = $2",
                params![0, alice.id],
            ),
        ];
        for (what, statement, off) in toggles {
            server.sql(statement, &off);
            assert!(!data.is_active(a), "{what}");
            let on = params![1, if what == "clients" { client.id.0 } else { alice.id.0 }];
            server.sql(statement, &on);
            assert!(data.is_active(a), "{what}");
        }
        server.sql("UPDATE identity_providers SET enabled = 0", params![]);
        assert!(!data.is_active(a));
        server.sql("UPDATE identity_providers SET enabled = 1", params![]);
        assert!(data.is_active(a));
        server.sql(
            "UPDATE identities SET generation = generation + 1 WHERE id = $1",
            params![alice.id],
        );
        assert!(!data.is_active(a) && !data.is_active(b.access_token()));
    });
}

/// E2: the two methods that discovery lists.
#[test]
fn both_authentication_methods_work() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let token = client.credentials("openid").access_token().to_owned();
    let by_form = Auth::Body(client.id.to_string(), client.secret.clone().unwrap());
    let answer = server
        .request(Method::POST, PATH)
        .auth(&by_form, &[("token", &token)])
        .send();
    assert_eq!(answer.ok().json()["active"], true);
    let hinted = client.post(PATH, &[("token", &token), ("token_type_hint", "refresh_token")]);
    assert_eq!(hinted.ok().json()["active"], true);
}
