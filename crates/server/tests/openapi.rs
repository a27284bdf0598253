//! The description at `/v2/openapi.json`: that it names exactly the routes there are, that it
//! is well formed, and that real answers are what it says, no member more and no status
//! that it does not list.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "openapi/document.rs"]
mod document;
mod routes;
#[path = "openapi/schema.rs"]
mod schema;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use document::{Document, Operation};
use http::Method;
use http::header::CONTENT_TYPE;
use routes::{Call, World, calls, send};
use serde_json::{Value, json};
use support::{Answer, Auth, REDIRECT_URI, TestServer};

/// `METHOD PATH handler` of each route of the groups `oauth` and `api`, read from the source.
fn described_routes() -> BTreeSet<String> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/router.rs")).unwrap();
    let start = source.find("let oauth = Router::new()").expect("the group oauth");
    let end = source.find("let web = Router::new()").expect("the group web");
    let mut routes = BTreeSet::new();
    for route in source[start..end].split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("the path is a literal");
        let handlers = route.split(".layer(").next().unwrap();
        let handlers = handlers.split(".method_not_allowed_fallback").next().unwrap();
        for method in ["get", "post", "put", "delete", "patch", "any", "head", "options"] {
            for (at, word) in handlers.match_indices(&format!("{method}(")) {
                if handlers[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let called = &handlers[at + word.len()..];
                let handler = called.split(')').next().unwrap().rsplit("::").next().unwrap();
                routes.insert(format!("{} {path} {handler}", method.to_uppercase()));
            }
        }
    }
    assert!(routes.len() > 30, "only {} routes were found", routes.len());
    routes
}

#[test]
fn every_route_is_an_operation_named_as_its_handler_and_the_reverse() {
    let document = Document::of(&TestServer::new());
    let operations: BTreeSet<String> = document
        .operations()
        .map(|operation| format!("{} {} {}", operation.method, operation.path, operation.id()))
        .collect();

    let routes = described_routes();

    let missing: Vec<_> = routes.difference(&operations).collect();
    assert!(missing.is_empty(), "not described: {missing:#?}");
    let gone: Vec<_> = operations.difference(&routes).collect();
    assert!(gone.is_empty(), "described, but no such route: {gone:#?}");
}

#[test]
fn the_description_is_well_formed() {
    let document = Document::of(&TestServer::new());

    let faults = document.faults();

    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn it_is_openapi_3_1_as_another_reader_understands_it() {
    let document = Document::of(&TestServer::new());
    assert_eq!(document.0["openapi"], "3.1.0");

    let read: utoipa::openapi::OpenApi = serde_json::from_value(document.0.clone()).unwrap();

    assert_eq!(
        read.paths.paths.len(),
        document
            .operations()
            .map(|operation| operation.path)
            .collect::<BTreeSet<_>>()
            .len()
    );
}

#[test]
fn operations_have_names_of_their_own() {
    let document = Document::of(&TestServer::new());
    let mut seen = BTreeSet::new();

    for operation in document.operations() {
        assert!(seen.insert(operation.id()), "{} is there twice", operation.id());
    }
}

/// Nothing is left open: whoever reads the description knows each answer.
#[test]
fn every_answer_is_described_without_wildcards() {
    let document = Document::of(&TestServer::new());

    for operation in document.operations() {
        let name = operation.id();
        let statuses: Vec<u16> = operation
            .responses()
            .keys()
            .map(|status| {
                status
                    .parse()
                    .unwrap_or_else(|_| panic!("{name}: {status} is no status"))
            })
            .collect();
        assert!(
            statuses.iter().any(|status| (200..300).contains(status)),
            "{name} never succeeds"
        );
        assert!(
            !statuses.contains(&500),
            "{name}: a fault of the server is not part of its interface"
        );
        for status in statuses {
            assert!(operation.schema_of(status).is_some(), "{name} {status} has no schema");
        }
    }
}

#[test]
fn examples_are_what_their_schemas_say() {
    let document = Document::of(&TestServer::new());
    let mut wrong = Vec::new();

    let looked_at = document.check_examples(&mut wrong);

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 40, "only {looked_at} examples were found");
}

#[test]
fn the_address_and_the_scopes_are_those_of_this_server() {
    let server = TestServer::with(|config| config.resource_server_name = "auth.lab.example".into());
    let text = server.get("/v2/openapi.json").ok().text();
    let document: Value = serde_json::from_str(&text).unwrap();

    assert_eq!(document["servers"], json!([{ "url": server.config().public_url() }]));
    assert!(text.contains("urn:globus:auth:scope:auth.lab.example:manage_projects"));
    assert!(!text.contains("urn:globus:auth:scope:auth.globus.org:manage"));
}

/// What the description says of this answer.
fn check(document: &Document, operation: &Operation<'_>, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    let at = format!("{} {status}", operation.id());
    let response = operation
        .response(status)
        .ok_or_else(|| format!("{at} is not described: {}", answer.summary()))?;
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let header = document.resolve(header);
        let value = answer
            .header(name)
            .ok_or_else(|| format!("{at} lacks the header {name}"))?;
        let value = if header["schema"]["type"] == "integer" {
            value
                .parse()
                .map(|number: i64| json!(number))
                .map_err(|_| format!("{at}: {name} is no number"))?
        } else {
            json!(value)
        };
        schema::check(&document.0, &header["schema"], &value).map_err(|wrong| format!("{at}: {name}{wrong}"))?;
    }
    assert_eq!(answer.header("content-type"), Some("application/json"), "{at}");
    let schema = operation.schema_of(status).expect("every answer has one");
    schema::check(&document.0, schema, &answer.json()).map_err(|wrong| {
        let text: String = answer.summary().chars().take(500).collect();
        format!("{at}: {wrong} in {text}")
    })
}

/// The calls that have to succeed, and the same calls by those who are refused.
#[test]
fn real_answers_are_what_is_described() {
    let mut wrong = Vec::new();
    let mut succeeded = BTreeSet::new();
    let mut statuses = BTreeSet::new();
    let document = Document::of(&TestServer::new());
    for (route, call) in calls() {
        let Call::Program(make) = call else { continue };
        let (method, path) = route.split('#').next().unwrap().split_once(' ').unwrap();
        let Some(operation) = document.operation(method, path) else {
            continue;
        };
        let world = World::new();
        let call = make(&world);
        let method: Method = method.parse().unwrap();
        let callers = [
            Auth::None,
            Auth::Basic(world.app.id.to_string(), "not the secret".into()),
            Auth::Bearer("AgPA.garbage".into()),
            world.other_app.auth(),
            Auth::Bearer(world.others_token.clone()),
            call.right.clone(),
        ];
        for auth in callers {
            let answer = send(&world, &method, &call, &auth, None);
            wrong.extend(check(&document, &operation, &answer).err());
            statuses.insert(answer.status.as_u16());
            if answer.status.is_success() {
                succeeded.insert(operation.id());
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let never: Vec<String> = document
        .operations()
        .map(|operation| operation.id())
        .filter(|id| !succeeded.contains(id))
        .collect();
    assert!(never.is_empty(), "no success was seen: {never:?}");
    assert!(
        statuses.is_superset(&[200, 201, 400, 401, 403, 404].into()),
        "{statuses:?}"
    );
}

/// Answers that the calls of every route do not reach.
#[test]
fn answers_of_the_flows_are_what_is_described() {
    let world = World::new();
    let document = Document::of(&world.server);
    let mut wrong = Vec::new();
    let mut look = |route: &str, answer: Answer| {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = document.operation(method, path).unwrap();
        wrong.extend(check(&document, &operation, &answer).err());
        answer
    };

    let code = world.app.code(&world.browser, "openid email profile");
    let exchange = world.app.exchange_params(&code);
    let token = "POST /v2/oauth2/token";
    assert_eq!(look(token, world.app.token(&exchange)).status, 200);
    assert_eq!(look(token, world.app.token(&exchange)).error(), "invalid_grant");
    assert_eq!(look(token, world.app.try_credentials("openid")).status, 200);
    assert_eq!(
        look(token, world.app.try_credentials("no-such-scope")).error(),
        "invalid_scope"
    );
    let dependent = [
        ("grant_type", "urn:globus:auth:grant_type:dependent_token"),
        ("token", world.service_token.as_str()),
    ];
    look(
        token,
        world
            .server
            .post_form("/v2/oauth2/token", &world.service.auth(), &dependent),
    );
    let missing = [dependent[0], dependent[1], ("scope", "openid")];
    let refused = look(
        token,
        world
            .server
            .post_form("/v2/oauth2/token", &world.service.auth(), &missing),
    );
    assert_eq!(refused.error(), "dependent_consent_required");

    let everything = "identity_set,identities_set,identity_set_detail,session_info";
    let form = [
        ("token", world.service_token.as_str()),
        ("include", everything),
        ("authentication_policies", world.policy.as_str()),
    ];
    let path = "/v2/oauth2/token/introspect";
    let active = look(
        &format!("POST {path}"),
        world.server.post_form(path, &world.service.auth(), &form),
    );
    assert_eq!(active.json()["active"], true);
    let garbage = [("token", "x")];
    let inactive = look(
        &format!("POST {path}"),
        world.server.post_form(path, &world.service.auth(), &garbage),
    );
    assert_eq!(inactive.json(), json!({ "active": false }));

    let alice = Auth::Bearer(world.auth_token.clone());
    let json = |method: Method, path: &str, document: Value| {
        let request = world.server.request(method, path).authorization(&alice);
        request
            .header(CONTENT_TYPE, "application/json")
            .body(document.to_string())
            .send()
    };
    let new = json!({ "client": {
        "name": "kid", "project": world.project, "client_type": "public_installed_client",
        "redirect_uris": [REDIRECT_URI], "links": { "terms_and_conditions": "https://t", "privacy_policy": "https://p" },
    } });
    assert_eq!(
        look("POST /v2/api/clients", json(Method::POST, "/v2/api/clients", new)).status,
        201
    );
    let project = format!("/v2/api/projects/{}", world.project);
    let full = look(
        "DELETE /v2/api/projects/{project_id}",
        json(Method::DELETE, &project, Value::Null),
    );
    assert_eq!(full.status, 409);
    let groups = json!({ "project": { "admin_group_ids": ["5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"] } });
    look("PUT /v2/api/projects/{project_id}", json(Method::PUT, &project, groups));
    world.server.advance_seconds(1801);
    let gated = look(
        "PUT /v2/api/projects/{project_id}",
        json(Method::PUT, &project, json!({ "project": {} })),
    );
    assert_eq!(gated.status, 403);
    assert!(gated.json()["authorization_parameters"].is_object());

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn limits_and_large_bodies_are_what_is_described() {
    let server = TestServer::with(|config| {
        config.limits.failed_client_authentications_per_minute = 1;
        config.limits.template_registrations_per_hour = 1;
        config.limits.body_bytes = 16_384;
    });
    let document = Document::of(&server);
    let template = server.client().template().create();
    let client = server.client().create();
    let register = json!({ "client": { "template_id": template.id, "name": "laptop" } });
    let wrong_secret = Auth::Basic(client.id.to_string(), "not the secret".into());
    let form = [("token", "x")];
    let mut seen = BTreeSet::new();
    let mut look = |method: &str, path: &str, answer: Answer| {
        let operation = document.operation(method, path).unwrap();
        check(&document, &operation, &answer).unwrap();
        seen.insert(format!("{} {path}", answer.status.as_u16()));
    };

    for _ in 0..2 {
        look(
            "POST",
            "/v2/api/clients",
            server.post_json("/v2/api/clients", &Auth::None, &register),
        );
        look(
            "GET",
            "/v2/api/projects",
            server.get_as("/v2/api/projects", &wrong_secret),
        );
        let validate = "/v2/oauth2/token/validate";
        look("POST", validate, server.post_form(validate, &wrong_secret, &form));
    }
    let long = "x".repeat(20_000);
    look(
        "POST",
        "/v2/oauth2/token",
        server.post_form("/v2/oauth2/token", &client.auth(), &[("token", &long)]),
    );
    let large = json!({ "client": { "name": long } });
    look(
        "POST",
        "/v2/api/clients",
        server.post_json("/v2/api/clients", &client.auth(), &large),
    );

    for expected in [
        "201 /v2/api/clients",
        "429 /v2/api/clients",
        "413 /v2/api/clients",
        "429 /v2/api/projects",
        "429 /v2/oauth2/token/validate",
        "413 /v2/oauth2/token",
    ] {
        assert!(seen.contains(expected), "{expected}: {seen:?}");
    }
}
