//! Class 17 and 18: Words that a page or a statement takes for its own.
//!
//! Kanidm 1.10 (display names); authentik CVE-2024-21637; Hydra GHSA-r9w3-57w2-gch2; Keto
//! CVE-2026-33505 (a default secret that everybody knew).

use http::Method;
use serde_json::json;

use super::support::{Auth, TestServer};

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}${7*7}&lt;javascript:alert(3)";

/// Nothing of it may stand in a page as markup.
#[track_caller]
fn assert_harmless(html: &str, place: &str) {
    for markup in [
        "<script>alert",
        "<img src=x",
        "{{49",
        "href=\"javascript:",
        "onerror=alert(2)>",
    ] {
        assert!(!html.contains(markup), "{place}: {markup} in {html}");
    }
    assert!(
        !html.contains("49") || !html.contains("7*7") || html.contains("{{7*7}}"),
        "{place}: a template was run"
    );
}

#[test]
fn hostile_names_stay_words_on_every_page() {
    let server = TestServer::new();
    let alice = server.user("alice").named(HOSTILE).create();
    let service = server.resource_server("service.example").scope("read").create();
    let id = service.scope_id("read");
    server.sql(
        "UPDATE scopes SET name = $2, description = $2 WHERE id = $1",
        portolan_db::params![id, HOSTILE],
    );
    server.sql(
        "UPDATE clients SET name = $2 WHERE id = $1",
        portolan_db::params![service.id, HOSTILE],
    );
    for client in [
        server.client().named(HOSTILE).create(),
        server.client().named(HOSTILE).public_installed().create(),
    ] {
        let browser = server.browser();
        let params = client
            .params(&format!("openid profile {}", service.scope("read")))
            .set("login_hint", HOSTILE)
            .set("session_message", HOSTILE)
            .set("prefill_named_grant", HOSTILE)
            .set("prompt", "consent");
        let mut pages = vec![("login", browser.authorize(&client, &params).page().text())];
        let wrong = browser.form().set("username", HOSTILE).set("password", HOSTILE);
        pages.push(("refused login", browser.submit(&wrong).page().text()));
        pages.push(("consent", browser.login(&alice).page().text()));
        assert!(
            pages[2].1.contains("&#60;script&#62;") || pages[2].1.contains("&lt;script&gt;"),
            "the name is shown: {}",
            pages[2].1
        );
        browser.allow();
        if client.is_public() {
            pages.push((
                "continue",
                browser
                    .authorize(&client, &params.clone().without("prompt"))
                    .page()
                    .text(),
            ));
        }
        pages.push(("permissions", browser.get("/v2/web/consents").page().text()));
        pages.push(("home", browser.get("/").page().text()));
        pages.push((
            "logout",
            browser
                .get(&format!("/v2/web/logout?client_id={}", client.id))
                .page()
                .text(),
        ));
        for (place, html) in &pages {
            assert_harmless(html, place);
        }
    }
}

#[test]
fn hostile_parameters_stay_words_on_error_pages() {
    let server = TestServer::new();
    let client = server.client().create();
    let hostile = super::encode(&[("v", HOSTILE)]).replacen("v=", "", 1);
    let names = [
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "prompt",
        "response_type",
        "error",
        "error_description",
        "error_hint",
        "code",
        "redirect_name",
        "id_token_hint",
    ];
    for name in names {
        for path in [
            "/v2/oauth2/authorize",
            "/v2/web/auth-code",
            "/v2/web/logout",
            "/p/login",
            "/p/authorize",
            "/p/consent",
        ] {
            let answer = server.get(&format!("{path}?{name}={hostile}"));
            assert_harmless(&answer.text(), &format!("{path} {name}"));
            assert!(answer.status.as_u16() < 500, "{path} {name}: {}", answer.summary());
        }
        let params = client.params("openid").set(name, HOSTILE);
        let answer = super::authorize(&server, &params.pairs());
        assert_harmless(&answer.text(), name);
        if let Some(location) = answer.header("location") {
            assert!(
                !location.contains('<') && !location.contains('"') && !location.contains(' '),
                "{name}: {location}"
            );
        }
    }
    for path in [
        format!("/{hostile}"),
        format!("/p/setup/{hostile}"),
        format!("/static/{hostile}"),
        format!("/v2/web/consents/{hostile}"),
    ] {
        assert_harmless(&server.get(&path).text(), &path);
    }
}

const SQL: &[&str] = &[
    "' OR '1'='1",
    "'; DROP TABLE clients; --",
    "\" OR \"\"=\"",
    "x' UNION SELECT hash FROM passwords --",
    "1); DELETE FROM identities; --",
    "%",
    "_",
    "\\",
    "$1",
    "?1",
    ":name",
    "alice@portolan.local' --",
    "admin'/*",
    "'||(SELECT hash FROM passwords)||'",
];

#[test]
fn hostile_values_stay_values_in_every_statement() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().create();
    let tokens = client.offline_tokens(&browser, "openid profile");
    let bearer = Auth::Bearer(tokens.access_token().to_owned());
    let rows = |table: &str| server.count(&format!("SELECT count(*) FROM {table}"), []);
    let before = ["clients", "identities", "passwords", "access_tokens"].map(rows);
    for sql in SQL {
        let encoded = super::encode(&[("v", sql)]).replacen("v=", "", 1);
        let mut answers = Vec::new();
        for name in [
            "client_id",
            "redirect_uri",
            "scope",
            "session_required_identities",
            "session_required_policies",
            "session_required_single_domain",
        ] {
            answers.push((
                name,
                super::authorize(&server, &client.params("openid").set(name, sql).pairs()),
            ));
        }
        for name in [
            "code",
            "refresh_token",
            "scope",
            "grant_type",
            "client_id",
            "redirect_uri",
        ] {
            answers.push((name, client.token(&client.exchange_params("x").set(name, sql))));
            answers.push((name, client.token(&client.refresh_params(sql))));
            answers.push((name, client.try_credentials(sql)));
        }
        for path in ["introspect", "validate", "revoke"] {
            answers.push((
                path,
                client.post(&format!("/v2/oauth2/token/{path}"), &[("token", sql), ("include", sql)]),
            ));
        }
        for path in [
            format!("/v2/api/identities?usernames={encoded}"),
            format!("/v2/api/identities?usernames=x@{encoded}"),
            format!("/v2/api/identities?ids={encoded}"),
            format!("/v2/api/identities/{encoded}"),
            format!("/v2/api/identities/{}/consents/{encoded}", alice.id),
            format!("/v2/api/clients/{encoded}"),
            format!("/v2/api/scopes?scope_strings={encoded}"),
            format!("/v2/api/identity_providers?domains={encoded}"),
        ] {
            let answer = server.get_as(&path, &bearer);
            if answer.status == 200 {
                assert!(!answer.text().contains("alice"), "{path}: {}", answer.summary());
            }
            answers.push(("path", answer));
        }
        answers.push((
            "json",
            server.post_json(
                "/v2/api/clients",
                &Auth::None,
                &json!({ "client": { "template_id": sql, "name": sql } }),
            ),
        ));
        answers.push(("login", server.browser().try_login(sql, sql).page().clone()));
        for (name, answer) in &answers {
            assert!(answer.status.as_u16() < 500, "{name} {sql}: {}", answer.summary());
            assert!(!answer.text().contains("argon2"), "{name} {sql}");
        }
    }
    assert_eq!(
        ["clients", "identities", "passwords", "access_tokens"].map(rows),
        before
    );
    assert!(client.is_active(tokens.access_token()));
}

/// Lists have no pages, so there is no marker to forge; filters that are no ids, names or
/// booleans are refused and not passed on or read as "everything".
#[test]
fn forged_filters_are_refused_and_markers_do_nothing() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().create();
    let scopes = "openid urn:globus:auth:scope:auth.globus.org:manage_projects \
                  urn:globus:auth:scope:auth.globus.org:view_consents";
    let token = Auth::Bearer(client.tokens(&browser, scopes).access_token().to_owned());
    let garbled = [
        "x",
        "*",
        "%25",
        "1",
        "-1",
        "null",
        "true%00",
        "1%20or%201=1",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-00000000000g",
        "00000000-0000-0000-0000-000000000000,x",
        "e30",
        "eyJpZCI6MX0",
        "%7B%22id%22%3A1%7D",
        "..%2f..",
        "%F0%9F%A6%80",
    ];
    let consents = format!("/v2/api/identities/{}/consents", alice.id);
    for value in garbled {
        for filter in [
            "/v2/api/identities?ids=".to_owned(),
            "/v2/api/identities?usernames=".to_owned(),
            "/v2/api/identities?usernames=alice@portolan.local&provision=".to_owned(),
            "/v2/api/scopes?ids=".to_owned(),
            "/v2/api/identity_providers?ids=".to_owned(),
            format!("{consents}?all="),
        ] {
            // `1` is a boolean.
            if value == "1" && (filter.ends_with("provision=") || filter.ends_with("all=")) {
                continue;
            }
            let answer = server.get_as(&format!("{filter}{value}"), &token);
            assert_eq!(answer.status, 400, "{filter}{value}: {}", answer.summary());
        }
        // Names of things that do not exist find nothing, one or many.
        for path in [
            "/v2/api/clients",
            "/v2/api/identities",
            "/v2/api/scopes",
            "/v2/api/policies",
            "/v2/api/projects",
        ] {
            let answer = server.get_as(&format!("{path}/{value}"), &token);
            assert!(
                matches!(answer.status.as_u16(), 400 | 404),
                "{path}/{value}: {}",
                answer.summary()
            );
        }
        let found = server.get_as(&format!("/v2/api/clients?fqdn={value}"), &token);
        assert!(matches!(found.status.as_u16(), 400 | 404), "{}", found.summary());
        for filter in ["/v2/api/scopes?scope_strings=", "/v2/api/identity_providers?domains="] {
            let answer = server.get_as(&format!("{filter}{value}"), &token);
            let empty = matches!(answer.status.as_u16(), 400) || answer.text().ends_with(":[]}");
            assert!(empty, "{filter}{value}: {}", answer.summary());
        }
        // One of two contradicting filters never wins.
        for both in [
            format!("/v2/api/identities?ids={}&usernames={value}", alice.id),
            format!("/v2/api/scopes?ids={}&scope_strings={value}", alice.id),
            format!("/v2/api/identity_providers?ids={}&domains={value}", alice.id),
        ] {
            assert_eq!(server.get_as(&both, &token).status, 400, "{both}");
        }
    }
    // A marker of other services is an unknown parameter here: it changes no answer.
    for list in ["/v2/api/projects".to_owned(), "/v2/api/clients".to_owned(), consents] {
        let plain = server.get_as(&list, &token).ok().json();
        for name in [
            "marker",
            "page",
            "page_token",
            "next_token",
            "cursor",
            "offset",
            "limit",
            "per_page",
            "filter",
            "sort",
            "order_by",
        ] {
            for value in garbled {
                let answer = server.get_as(&format!("{list}?{name}={value}"), &token);
                assert!(
                    answer.status == 400 || answer.json() == plain,
                    "{list}?{name}={value}: {}",
                    answer.summary()
                );
            }
        }
    }
}

/// Two servers from nothing have nothing in common that opens anything.
#[test]
fn no_key_or_password_is_built_in() {
    let (first, second) = (TestServer::new(), TestServer::new());
    let links = [first.setup_path().unwrap(), second.setup_path().unwrap()];
    assert_ne!(links[0], links[1]);
    let name = portolan_server::http::browser::cookie_name(first.config());
    let token = |server: &TestServer| {
        let browser = server.browser();
        browser.set_cookie(&name, &"A".repeat(43));
        let page = browser.send(Method::GET, "/p/login", None).text();
        page.split("name=\"form_token\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(token(&first), token(&first));
    assert_ne!(token(&first), token(&second), "the same cookie, keys of their own");
    for (username, password) in [
        ("admin", "admin"),
        ("admin", "password"),
        ("root", "root"),
        ("administrator", ""),
        ("portolan", "portolan"),
    ] {
        assert_eq!(
            first.browser().try_login(username, password).page().status,
            401,
            "{username}"
        );
    }
    // Nobody knows a secret of a built-in client.
    assert_eq!(first.count("SELECT count(*) FROM client_credentials", []), 0);
    assert_eq!(first.count("SELECT count(*) FROM passwords", []), 0);
}
