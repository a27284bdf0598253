//! The headers of every page (standards.md G6, decisions.md section 5), and that no page
//! needs anything that its policy forbids.

use http::{Method, StatusCode};

use crate::support::{Answer, TestServer};

/// What every page may load and where its forms may lead.
fn policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action {form_action}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

#[track_caller]
fn check(what: &str, page: &Answer, form_action: &str, referrer: &str) {
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert_eq!(
        page.header("content-security-policy"),
        Some(policy(form_action).as_str()),
        "{what}"
    );
    assert_eq!(page.header("referrer-policy"), Some(referrer), "{what}");
    assert_eq!(page.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"), "{what}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert!(page.headers.contains_key("x-request-id"), "{what}");
    // G7.
    assert!(!page.headers.contains_key("access-control-allow-origin"), "{what}");
    let html = page.text();
    for (index, _) in html.match_indices("<script") {
        assert!(
            html[index..].starts_with("<script src=\"/"),
            "{what}: a script of another place or inline"
        );
    }
    for inline in [
        " style=\"",
        "<style",
        " onclick",
        " onload",
        " onsubmit",
        "javascript:",
        "src=\"http",
        "<iframe",
        "<base",
    ] {
        assert!(!html.contains(inline), "{what}: {inline}");
    }
    for (index, _) in html.match_indices("<link ") {
        let tag = html[index..].split('>').next().unwrap();
        assert!(tag.contains("href=\"/"), "{what}: {tag}");
    }
    // G8: a form token on every form.
    let forms = html.matches("<form").count();
    assert_eq!(html.matches("name=\"form_token\"").count(), forms, "{what}");
    assert_eq!(html.matches("method=\"post\"").count(), forms, "{what}");
}

#[test]
fn every_page_has_the_headers_of_pages() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let program = server.client().public_installed().create();
    let setup = TestServer::new();
    let setup_path = setup.setup_path().unwrap();
    check("set-up", &setup.get(&setup_path), "'self'", "same-origin");
    check("dead set-up link", &setup.get("/p/setup/x"), "'none'", "no-referrer");

    let browser = server.browser();
    check("start page", browser.get("/").page(), "'self'", "same-origin");
    check("login", browser.get("/p/login").page(), "'self'", "same-origin");
    check(
        "refused login",
        browser.try_login("alice", "wrong").page(),
        "'self'",
        "same-origin",
    );
    let login = browser.authorize(&client, &client.params("openid"));
    check("login for an app", login.page(), "'self' https:", "same-origin");
    check("consent", browser.login(&alice).page(), "'self' https:", "same-origin");
    check(
        "start page, signed in",
        browser.get("/").page(),
        "'self'",
        "same-origin",
    );
    program.code(&browser, "openid");
    let confirm = browser.authorize(&program, &program.params("openid"));
    check(
        "continue",
        confirm.page(),
        "'self' http://127.0.0.1:18411 http://localhost:* http://127.0.0.1:* https:",
        "same-origin",
    );
    check("logout", browser.get("/v2/web/logout").page(), "'self'", "same-origin");
    check(
        "logged out",
        browser.submit(&browser.form()).page(),
        "'self'",
        "no-referrer",
    );
    check(
        "code",
        &server.get("/v2/web/auth-code?code=abc"),
        "'self'",
        "no-referrer",
    );
    check(
        "no code",
        &server.get("/v2/web/auth-code?error=access_denied"),
        "'self'",
        "no-referrer",
    );
    for (what, path, status) in [
        (
            "unknown client",
            "/v2/oauth2/authorize?client_id=x",
            StatusCode::BAD_REQUEST,
        ),
        ("expired request", "/p/authorize?request=x", StatusCode::BAD_REQUEST),
        ("expired consent", "/p/consent?request=x", StatusCode::BAD_REQUEST),
    ] {
        let page = server.get(path);
        assert_eq!(page.status, status, "{what}");
        check(what, &page, "'none'", "no-referrer");
    }
    let unknown_scope = browser.authorize(&client, &client.params("urn:no:such:scope"));
    check("unknown scope", unknown_scope.page(), "'none'", "no-referrer");
    let stale = server.post_form("/p/login", &crate::support::Auth::None, &[("username", "alice")]);
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    check("stale form", &stale, "'none'", "no-referrer");
    check(
        "wrong method",
        &server.request(Method::PUT, "/p/login").send(),
        "'none'",
        "no-referrer",
    );
}

/// Else Chromium stops the redirect after the last form, or the one with which the app sends
/// the browser on from there to another origin of its own.
#[test]
fn forms_may_lead_where_the_request_comes_from_and_on() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    for (redirect_uri, target) in [
        ("https://app.example/callback?x=1", "https:"),
        ("https://app.example:8443/cb", "https:"),
        (
            "http://localhost:18411",
            "http://localhost:18411 http://localhost:* http://127.0.0.1:* https:",
        ),
        (
            "http://[::1]:18411",
            "http://[::1]:18411 http://localhost:* http://127.0.0.1:* https:",
        ),
        ("org.example.app:/cb", "org.example.app:"),
    ] {
        let client = server.client().public_installed().redirect_uri(redirect_uri).create();
        let params = client.params("openid");
        let signed_out = server.browser();
        for outcome in [
            signed_out.authorize(&client, &params),
            browser.authorize(&client, &params),
        ] {
            let csp = outcome.page().header("content-security-policy").unwrap().to_owned();
            assert!(
                csp.contains(&format!("form-action 'self' {target}; ")),
                "{redirect_uri}: {csp}"
            );
        }
    }
}

/// G2: a form that was posted is not posted on, and nobody learns from where it was sent.
#[test]
fn redirects_are_303_and_tell_nobody_where_they_come_from() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid"));
    let mut form = browser.form().set("username", "alice").set("password", &alice.password);
    let mut last = None;
    for _ in 0..4 {
        let answer = browser.send(Method::POST, &form.action, Some(&form.fields));
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let next = browser.send(Method::GET, answer.location(), None);
        assert_eq!(next.status, StatusCode::SEE_OTHER);
        assert_eq!(next.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(next.header("cache-control"), Some("no-store"));
        if next.location().starts_with("https://app.example/callback?code=") {
            last = Some(next);
            break;
        }
        browser.get(next.location());
        form = browser.form().set("decision", "allow");
    }
    assert!(last.is_some(), "login, consent, answer");
}

/// G7: pages and the authorization endpoint answer no other origin.
#[test]
fn no_other_origin_may_read_a_page() {
    let server = TestServer::new();
    for path in [
        "/",
        "/p/login",
        "/v2/oauth2/authorize",
        "/p/authorize",
        "/v2/web/logout",
        "/v2/web/auth-code",
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = server
                .request(method, path)
                .header("origin", "https://other.example")
                .send();
            assert!(
                !answer
                    .headers
                    .keys()
                    .any(|name| name.as_str().starts_with("access-control-")),
                "{path}"
            );
        }
    }
}

#[test]
fn files_of_pages_are_typed_and_cached_by_their_name() {
    let server = TestServer::new();
    let page = server.get("/").text();
    let mut files = 0;
    for (index, _) in page.match_indices("=\"/static/") {
        let path = page[index + 2..].split('"').next().unwrap();
        let file = server.get(path).ok();
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(file.header("cache-control").unwrap().contains("immutable"), "{path}");
        assert!(file.header("content-type").is_some(), "{path}");
        files += 1;
    }
    assert_eq!(files, 3);
    for path in [
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/none.css",
        "/static/",
    ] {
        assert_eq!(server.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
}
