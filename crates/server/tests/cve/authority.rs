//! Class 24: Endpoints that can do more than the permission of their caller.
//!
//! authentik CVE-2026-25227; ZITADEL (objects of others by their id). `coverage.rs` calls
//! every route with every kind of caller; here are the kinds of caller that are weak on
//! purpose, and the scopes that a token lacks.

use http::Method;
use serde_json::json;

use super::support::{Auth, TestServer};

/// Anybody can register an instance of a template, so its secret is worth little.
#[test]
fn an_instance_of_a_template_may_do_what_it_was_made_for() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let sibling = server.instance_of(template.id, "another laptop");
    let other = server.client().create();
    assert_eq!(instance.try_credentials("openid").outcome(), "400 unauthorized_client");
    let basic = instance.auth();
    for path in [
        format!("/v2/api/identities?ids={}", alice.id),
        format!("/v2/api/identities/{}", alice.id),
        format!("/v2/api/identities/{}/consents", alice.id),
        format!("/v2/api/clients/{}", sibling.id),
        format!("/v2/api/clients/{}", template.id),
        format!("/v2/api/clients/{}", other.id),
        format!("/v2/api/clients/{}/credentials", sibling.id),
        "/v2/api/projects".into(),
        "/v2/api/policies".into(),
    ] {
        let answer = server.get_as(&path, &basic);
        assert!(
            matches!(answer.status.as_u16(), 401 | 403 | 404),
            "{path}: {}",
            answer.summary()
        );
    }
    for (path, document) in [
        (
            "/v2/api/clients".to_owned(),
            json!({ "client": { "name": "child", "public_client": false } }),
        ),
        (
            "/v2/api/projects".to_owned(),
            json!({ "project": { "display_name": "mine", "contact_email": "a@example.org" } }),
        ),
        (
            format!("/v2/api/clients/{}/credentials", instance.id),
            json!({ "credential": { "name": "second" } }),
        ),
        (
            format!("/v2/api/clients/{}/scopes", instance.id),
            json!({ "scope": { "name": "n", "description": "d", "scope_suffix": "s" } }),
        ),
    ] {
        let answer = server.post_json(&path, &basic, &document);
        assert!(
            matches!(answer.status.as_u16(), 401 | 403 | 404),
            "{path}: {}",
            answer.summary()
        );
    }
    for id in [sibling.id, template.id, other.id] {
        let answer = server
            .request(Method::DELETE, &format!("/v2/api/clients/{id}"))
            .authorization(&basic)
            .send();
        assert_eq!(answer.status, 403, "{}", answer.summary());
    }
    assert_eq!(
        server
            .get_as(&format!("/v2/api/clients/{}", instance.id), &basic)
            .status,
        200
    );
}

/// A token opens what its scopes say, though the person could do more.
#[test]
fn a_token_without_the_scope_is_refused_whoever_it_is_of() {
    let server = TestServer::new();
    let root = server.user("root").administrator().create();
    let browser = server.browser_of(&root);
    let client = server.client().create();
    let service = server.resource_server("service.example").scope("all").create();
    let openid = client.tokens(&browser, "openid").access_token().to_owned();
    let foreign = client.tokens(&browser, service.scope("all")).access_token().to_owned();
    let consent = server.read(move |tx| Ok(portolan_server::store::consents::list_by_identity(tx, root.id)?[0].id));
    for (method, path) in [
        (Method::GET, "/v2/api/projects".to_owned()),
        (Method::GET, "/v2/api/policies".to_owned()),
        (Method::GET, "/v2/api/clients".to_owned()),
        (Method::GET, format!("/v2/api/clients/{}", service.id)),
        (Method::GET, format!("/v2/api/clients/{}/credentials", service.id)),
        (Method::DELETE, format!("/v2/api/clients/{}", service.id)),
        (Method::GET, format!("/v2/api/identities/{}/consents?all=true", root.id)),
        (
            Method::DELETE,
            format!("/v2/api/identities/{}/consents/{consent}", root.id),
        ),
    ] {
        let answer = server
            .request(method.clone(), &path)
            .authorization(&Auth::Bearer(openid.clone()))
            .send();
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.summary());
        let answer = server
            .request(method.clone(), &path)
            .authorization(&Auth::Bearer(foreign.clone()))
            .send();
        assert_eq!(
            answer.status,
            401,
            "a token of another service, {method} {path}: {}",
            answer.summary()
        );
    }
    let answer = server.get_as("/v2/oauth2/userinfo", &Auth::Bearer(foreign));
    assert_eq!(answer.status, 401);
}

/// A service account is nobody but itself.
#[test]
fn a_clients_own_token_reaches_its_own_things() {
    let server = TestServer::new();
    let (client, other) = (server.client().create(), server.client().create());
    let scope = "urn:globus:auth:scope:auth.globus.org:manage_projects";
    let own = Auth::Bearer(client.credentials(scope).access_token().to_owned());
    for method in [Method::GET, Method::DELETE] {
        let answer = server
            .request(method, &format!("/v2/api/clients/{}", other.id))
            .authorization(&own)
            .send();
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{}", answer.summary());
    }
    assert_eq!(other.record().id, other.id);
    let alice = server.user("alice").create();
    let consents = format!("/v2/api/identities/{}/consents", alice.id);
    let answer = server.get_as(&consents, &own);
    assert!(matches!(answer.status.as_u16(), 403 | 404), "{}", answer.summary());
}

/// What is not a route is not there: no console, no test page, no debugging aid.
#[test]
fn there_is_nothing_for_tests_or_debugging() {
    let server = TestServer::new();
    let root = server.user("root").administrator().create();
    let browser = server.browser_of(&root);
    for path in [
        "/admin",
        "/debug",
        "/debug/pprof",
        "/metrics",
        "/.env",
        "/server-status",
        "/actuator",
        "/console",
        "/test",
        "/eval",
        "/api",
        "/graphql",
        "/swagger",
        "/v2/api/admin",
        "/v2/api/test",
        "/.git/config",
    ] {
        assert_eq!(browser.send(Method::GET, path, None).status, 404, "{path}");
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for method in [Method::TRACE, Method::CONNECT] {
        let answer = server.request(method.clone(), "/v2/oauth2/token").send();
        assert!(answer.status.is_client_error(), "{method}: {}", answer.summary());
    }
}
