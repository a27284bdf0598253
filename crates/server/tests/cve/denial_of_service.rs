//! Class 19: Input that stops the process or keeps it busy: panics, deep nesting, huge values.
//!
//! Rauthy 0.36.2 (reachable panics); Kanidm 1.10 and 1.11 (unbounded depth, password length).

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use portolan_server::http::{context, render};
use portolan_types::ScopeRequest;
use tower::ServiceExt as _;

use super::routes;
use super::support::{Answer, Auth, TestServer, runtime};

/// Far above what any of them takes, far below what a person waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answered in time, as a mistake of the caller or as if it were nothing.
#[track_caller]
fn assert_survived(answer: &Answer, begun: Instant, case: &str) {
    assert!(answer.status.as_u16() < 500, "{case}: {}", answer.summary());
    assert!(begun.elapsed() < PATIENCE, "{case}: {:?}", begun.elapsed());
}

#[test]
fn a_panic_in_a_handler_is_an_answer() {
    async fn broken() -> &'static str {
        panic!("the secret of the handler")
    }
    let server = TestServer::new();
    let app = server.app();
    let surfaces: [Router; 4] = [
        Router::new()
            .route("/broken", get(broken))
            .layer(render::render_oauth(app)),
        Router::new()
            .route("/broken", get(broken))
            .layer(render::render_api(app)),
        Router::new()
            .route("/broken", get(broken))
            .layer(render::render_web(app)),
        Router::new().route("/broken", get(broken)),
    ];
    for surface in surfaces {
        let router = surface.layer(context::layer(app));
        for _ in 0..3 {
            let request = http::Request::get("/broken").body(axum::body::Body::empty()).unwrap();
            let response = runtime().block_on(router.clone().oneshot(request)).unwrap();
            assert_eq!(response.status(), 500);
            assert!(response.headers().contains_key("x-request-id"));
            let body = runtime()
                .block_on(axum::body::to_bytes(response.into_body(), 100_000))
                .unwrap();
            assert!(
                !String::from_utf8_lossy(&body).contains("the secret"),
                "the words of a panic are for the log"
            );
        }
    }
    // In a unit of work on the store too: the threads of the store go on.
    let panicked = server
        .app()
        .db
        .write_blocking(|_| -> portolan_server::Result<()> { panic!("in a unit") });
    assert!(panicked.is_err());
    assert_eq!(server.get("/readyz").status, 200);
    server.user("alice").create();
}

/// Texts that break readers: nested, long, cut off, of strange characters.
fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "[", "]", "{", "(", "a[", "a[b ", "*", "a[*", "\\", "%", "\"", "'", ",", ".", "&", "=", "-", "\u{202e}",
        "\u{feff}", "é", "🦀", "\r\n", "\t",
    ]
    .iter()
    .flat_map(|unit| [1, 100, 5_000].map(|count| unit.repeat(count)))
    .collect();
    texts.extend([
        format!("{}a{}", "a[".repeat(2_000), "]".repeat(2_000)),
        "a ".repeat(5_000),
        "a[b c[d e[f]]] ".repeat(500),
        "9".repeat(5_000),
        "-1".into(),
        "1e309".into(),
        "9223372036854775808".into(),
        "18446744073709551616".into(),
        "0x7fffffff".into(),
        "NaN".into(),
        "true".into(),
        "null".into(),
        "\u{0}".into(),
        "a\u{0}b".into(),
        "../".repeat(1_000),
        "AgPA".into(),
        format!("AgPA{}", "A".repeat(49)),
        format!("AgPR{}", "é".repeat(25)),
        format!("AgPC{}", "z".repeat(5_000)),
        ".".repeat(5_000),
        "e30.e30.e30".into(),
        format!("{}.{}.{}", "A".repeat(1000), "A".repeat(1000), "A".repeat(1000)),
        "https://[::1".into(),
        "https://:".into(),
        "http://127.0.0.1:".to_owned() + &"9".repeat(1000),
        "::".into(),
        "@".repeat(1_000),
        "00000000-0000-0000-0000-000000000000".into(),
        "00000000-0000-0000-0000-00000000000é".into(),
        "00000000-0000-0000-0000-000000000000,".repeat(400),
    ]);
    texts
}

#[test]
fn hostile_parameters_are_answered() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().create();
    let tokens = client.tokens(&browser, "openid");
    let bearer = Auth::Bearer(tokens.access_token().to_owned());
    let authorize = [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "prompt",
        "max_age",
        "code_challenge",
        "code_challenge_method",
        "login_hint",
        "id_token_hint",
        "access_type",
        "session_required_identities",
        "session_required_single_domain",
        "session_required_policies",
        "session_required_mfa",
        "session_message",
        "prefill_named_grant",
        "response_mode",
        "request",
        "unknown",
    ];
    for text in hostile_texts() {
        let case: String = text.chars().take(30).collect();
        let begun = Instant::now();
        for name in authorize {
            let answer = super::authorize(&server, &client.params("openid").set(name, &text).pairs());
            assert_survived(&answer, begun, &format!("{name}={case}"));
        }
        for name in [
            "grant_type",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "scope",
            "client_id",
            "client_secret",
            "token",
            "include_consented_scopes",
            "access_type",
        ] {
            for params in [
                client.exchange_params("x"),
                client.refresh_params("x"),
                super::support::Params::default().set("grant_type", "client_credentials"),
            ] {
                assert_survived(
                    &client.token(&params.set(name, &text)),
                    begun,
                    &format!("{name}={case}"),
                );
            }
        }
        for path in ["introspect", "validate", "revoke"] {
            let answer = client.post(
                &format!("/v2/oauth2/token/{path}"),
                &[("token", &text), ("include", &text), ("authentication_policies", &text)],
            );
            assert_survived(&answer, begun, &format!("{path} {case}"));
        }
        let encoded = super::encode(&[("v", &text)]).replacen("v=", "", 1);
        for path in [
            "/v2/api/identities?ids=",
            "/v2/api/identities?usernames=",
            "/v2/api/identities?include=",
            "/v2/api/scopes?ids=",
            "/v2/api/scopes?scope_strings=",
            "/v2/api/clients?fqdn=",
            "/v2/api/identity_providers?domains=",
            "/v2/web/auth-code?code=",
            "/v2/web/logout?client_id=",
            "/v2/web/logout?id_token_hint=",
            "/p/login?request=",
        ] {
            let answer = server.get_as(&format!("{path}{encoded}"), &bearer);
            assert_survived(&answer, begun, &format!("{path}{case}"));
        }
        for path in [
            "/v2/api/clients/",
            "/v2/api/identities/",
            "/v2/api/projects/",
            "/v2/api/policies/",
            "/v2/api/scopes/",
            "/p/setup/",
            "/static/",
            "/v2/web/consents/",
            "/",
        ] {
            let segment = encoded.replace('+', "%20");
            assert_survived(
                &server.get_as(&format!("{path}{segment}"), &bearer),
                begun,
                &format!("{path}{case}"),
            );
        }
    }
    assert!(client.is_active(tokens.access_token()));
}

#[test]
fn hostile_headers_are_answered() {
    let server = TestServer::new();
    let client = server.client().create();
    let visible = hostile_texts()
        .into_iter()
        .filter(|text| http::HeaderValue::from_str(text).is_ok());
    for text in visible.chain([
        "Basic".into(),
        "Basic ".into(),
        "Basic =".into(),
        "Basic ????".into(),
        "Bearer".into(),
        "Bearer ".into(),
        "Basic Og==".into(),
        "Basic //////8=".into(),
    ]) {
        let begun = Instant::now();
        let case: String = text.chars().take(30).collect();
        for (name, value) in [
            ("authorization", text.clone()),
            ("authorization", format!("Basic {text}")),
            ("authorization", format!("Bearer {text}")),
            ("cookie", text.clone()),
            ("cookie", format!("__Host-portolan={text}")),
            ("cookie", format!("__Host-portolan-device={text}")),
            ("cookie", format!("{text}=x; ").repeat(20)),
            ("content-type", text.clone()),
            ("x-forwarded-for", text.clone()),
            ("forwarded", text.clone()),
            ("origin", text.clone()),
            ("sec-fetch-site", text.clone()),
            ("accept", text.clone()),
            ("accept-language", text.clone()),
            ("if-none-match", text.clone()),
            ("range", text.clone()),
        ] {
            if http::HeaderValue::from_str(&value).is_err() {
                continue;
            }
            for (method, path) in [
                (Method::GET, "/p/login"),
                (Method::GET, "/v2/oauth2/userinfo"),
                (Method::POST, "/v2/oauth2/token"),
                (Method::GET, "/v2/api/projects"),
                (Method::POST, "/p/login"),
            ] {
                let request = server
                    .request(method, path)
                    .header(name, &value)
                    .body("grant_type=client_credentials");
                assert_survived(&request.send(), begun, &format!("{path} {name}: {case}"));
            }
        }
    }
    client.credentials("openid");
}

#[test]
fn hostile_bodies_are_answered() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let manage = "openid urn:globus:auth:scope:auth.globus.org:manage_projects";
    let token = client
        .tokens(&server.browser_of(&alice), manage)
        .access_token()
        .to_owned();
    let deep = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    let mut bodies: Vec<Vec<u8>> = vec![
        deep("[", "]", 20_000).into(),
        deep("{\"client\":", "}", 5_000).into(),
        "[".repeat(50_000).into(),
        format!("{{\"client\":{}}}", deep("[", "]", 10_000)).into(),
        format!("{{\"client\":{{\"name\":\"{}\"}}}}", "a".repeat(60_000)).into(),
        format!("{{\"client\":{{{}\"name\":\"a\"}}}}", "\"x\":1,".repeat(5_000)).into(),
        b"{\"client\":{\"name\":1e999999}}".to_vec(),
        b"{\"client\":{\"name\":\"\\u0000\"}}".to_vec(),
        b"{\"client\":{\"name\":\"\\ud800\"}}".to_vec(),
        b"{\"project\":{\"display_name\":\"a\",\"display_name\":\"b\"}}".to_vec(),
        b"{\"policy\":{\"authentication_assurance_timeout\":99999999999999999999}}".to_vec(),
        b"{\"policy\":{\"authentication_assurance_timeout\":-9223372036854775808}}".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"%".to_vec(),
        b"%ff=%ff".to_vec(),
        b"a=%".to_vec(),
        b"&&&&====".to_vec(),
        "a=b&".repeat(10_000).into(),
        (0..5_000)
            .map(|number| format!("p{number}=x&"))
            .collect::<String>()
            .into(),
        b"grant_type=client_credentials&scope=%00".to_vec(),
        vec![0; 50_000],
    ];
    bodies.push(vec![b'a'; server.config().limits.body_bytes + 1]);
    let auth = [Auth::None, client.auth(), Auth::Bearer(token.clone())];
    for body in &bodies {
        let begun = Instant::now();
        let case = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        for path in [
            "/v2/oauth2/token",
            "/v2/oauth2/token/introspect",
            "/v2/oauth2/userinfo",
            "/v2/oauth2/authorize",
            "/v2/api/clients",
            "/v2/api/projects",
            "/v2/api/policies",
            "/p/login",
            "/p/consent",
            "/v2/web/logout",
        ] {
            for kind in [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "text/plain",
            ] {
                for auth in &auth {
                    let request = server
                        .request(Method::POST, path)
                        .header(CONTENT_TYPE, kind)
                        .body(body.clone());
                    let answer = request.authorization(auth).send();
                    assert_survived(&answer, begun, &format!("{path} {kind}: {case}"));
                    assert!(
                        answer.status != 200 || !answer.text().contains("access_token\":"),
                        "{path}: {case}"
                    );
                }
            }
        }
    }
    let huge = vec![b'a'; server.config().limits.body_bytes + 1];
    let answer = server
        .request(Method::POST, "/v2/oauth2/token")
        .authorization(&client.auth())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(huge)
        .send();
    assert_eq!(answer.status, 413);
    assert!(client.is_active(client.credentials("openid").access_token()));
}

/// Every document of the interface, with every member in turn made into what it is not: by
/// the caller whose call it is, so that the rules behind the parser are reached as well.
#[test]
fn hostile_members_of_every_document_are_answered() {
    let hostile: Vec<serde_json::Value> = [
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "1.5",
        "18446744073709551616",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\n\"",
        "\"\u{202e}\"",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "[1]",
        "[\"\"]",
        "{\"a\":{\"b\":[]}}",
    ]
    .iter()
    .filter_map(|text| serde_json::from_str(text).ok())
    .chain([
        serde_json::Value::from("a".repeat(60_000)),
        serde_json::Value::from("é".repeat(300)),
        serde_json::Value::from(vec!["x"; 5_000]),
        serde_json::Value::from(vec!["00000000-0000-0000-0000-000000000000"; 600]),
        // Deeper than any document of ours, not deeper than readers go.
        (0..100).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner])),
    ])
    .collect();
    let mut documents = 0;
    for (route, call) in routes::calls() {
        let routes::Call::Program(make) = call else { continue };
        let world = routes::World::new();
        let mut call = make(&world);
        let routes::Body::Json(good) = &call.body else { continue };
        documents += 1;
        let method = route.split(' ').next().unwrap().parse().unwrap();
        let mut bodies = Vec::new();
        for value in &hostile {
            bodies.push(value.clone());
            for (outer, inner) in good.as_object().unwrap() {
                let mut changed = good.clone();
                changed[outer] = value.clone();
                bodies.push(changed);
                for member in inner.as_object().into_iter().flatten().map(|(member, _)| member) {
                    let mut changed = good.clone();
                    changed[outer][member] = value.clone();
                    bodies.push(changed);
                }
            }
        }
        // Members that the good call does not send but the server reads.
        for member in MEMBERS {
            for value in &hostile {
                for (outer, inner) in good.as_object().unwrap() {
                    if inner.is_object() {
                        let mut changed = good.clone();
                        changed[outer][*member] = value.clone();
                        bodies.push(changed);
                    }
                }
            }
        }
        let begun = Instant::now();
        for body in bodies {
            let case: String = body.to_string().chars().take(80).collect();
            call.body = routes::Body::Json(body);
            let answer = routes::send(&world, &method, &call, &call.right, None);
            assert!(answer.status.as_u16() < 500, "{route} {case}: {}", answer.summary());
        }
        assert!(begun.elapsed() < PATIENCE * 6, "{route}: {:?}", begun.elapsed());
        assert_eq!(world.server.get("/readyz").status, 200);
    }
    assert!(documents >= 10, "{documents} documents");
}

/// What the documents of wire.md 1.5 to 1.13 and their old spellings can hold.
const MEMBERS: &[&str] = &[
    "redirect_uris",
    "links",
    "required_idp",
    "preselect_idp",
    "visibility",
    "client_type",
    "public_client",
    "prompt_for_named_grant",
    "userinfo_from_effective_identity",
    "scopes",
    "template_id",
    "project",
    "admin_ids",
    "admin_group_ids",
    "contact_email",
    "advertised",
    "allows_refresh_token",
    "allow_refresh_tokens",
    "required_domains",
    "dependent_scopes",
    "scope_suffix",
    "high_assurance",
    "authentication_assurance_timeout",
    "required_mfa",
    "domain_constraints_include",
    "domain_constraints_exclude",
    "project_id",
];

/// A password is bounded before it is hashed.
#[test]
fn a_huge_password_costs_nothing() {
    let server = TestServer::new();
    server.user("alice").create();
    for length in [1_025, 16_385, 60_000] {
        for unit in ["a", "é"] {
            let begun = Instant::now();
            let password = unit.repeat(length / unit.len());
            let browser = server.browser();
            let outcome = browser.try_login("alice", &password);
            assert_survived(outcome.page(), begun, unit);
            assert!(outcome.page().status.is_client_error());
        }
    }
}

/// The grammar with brackets is the one parser of ours that could recurse.
#[test]
fn the_scope_grammar_is_bounded() {
    for depth in [10, 1_000, 100_000, 1_000_000] {
        let begun = Instant::now();
        let nested = format!("{}a{}", "a[".repeat(depth), "]".repeat(depth));
        let _ = ScopeRequest::parse(&nested);
        let _ = ScopeRequest::parse(&"a[".repeat(depth));
        let _ = ScopeRequest::parse(&"a ".repeat(depth));
        let _ = ScopeRequest::parse(&"]".repeat(depth));
        assert!(begun.elapsed() < PATIENCE, "{depth}: {:?}", begun.elapsed());
    }
    assert!(ScopeRequest::parse(&format!("{}a{}", "a[".repeat(1_000), "]".repeat(1_000))).is_err());
}

/// A name that is written as a bearer token is not sent to the store at all.
#[test]
fn what_cannot_be_a_token_is_not_looked_up() {
    let server = TestServer::new();
    let before = server.app().db.stats();
    for token in ["x", "AgPA", "AgPRaaaa", "Bearer", "e30.e30.e30"] {
        let request = server.request(Method::GET, "/v2/oauth2/userinfo");
        assert_eq!(
            request.header(AUTHORIZATION, &format!("Bearer {token}")).send().status,
            401
        );
    }
    let after = server.app().db.stats();
    assert_eq!((before.units, before.finds), (after.units, after.finds));
}
