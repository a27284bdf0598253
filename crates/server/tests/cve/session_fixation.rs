//! Class 16: Sessions that an attacker chose, cookies that leak, forms from other sites, frames.
//!
//! Keycloak CVE-2026-7507, CVE-2024-7341, CVE-2023-6787. Forms without a genuine token are
//! the matter of `coverage.rs`, which goes through all of them.

use http::Method;

use super::support::{Outcome, TestServer};

fn cookie_name(server: &TestServer) -> String {
    portolan_server::http::browser::cookie_name(server.config())
}

#[test]
fn a_planted_cookie_does_not_become_the_victims_session() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let name = cookie_name(&server);
    // The attacker begins, and plants the cookie in the victim's browser.
    let attacker = server.browser();
    assert!(attacker.authorize(&client, &client.params("openid")).is_page());
    let planted = attacker.cookie(&name).expect("a session was begun");
    let victim = server.browser();
    victim.set_cookie(&name, &planted);
    victim.get(&attacker.path());
    let form = victim
        .form()
        .set("username", &alice.username)
        .set("password", &alice.password);
    assert!(victim.submit(&form).is_page());
    let fresh = victim.cookie(&name).unwrap();
    assert_ne!(fresh, planted);
    assert!(victim.path().starts_with("/p/consent"));
    // The attacker's copy is worth nothing: neither the person nor the request.
    assert_eq!(attacker.get(&victim.path()).page().status, 400);
    let silent = client.params("openid").set("prompt", "none");
    assert_eq!(
        attacker.authorize(&client, &silent).error().as_deref(),
        Some("login_required")
    );
    assert!(matches!(victim.allow(), Outcome::Left(_)));
}

#[test]
fn each_login_changes_the_cookie_and_ends_the_old_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let name = cookie_name(&server);
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    let first = browser.cookie(&name).unwrap();
    assert!(
        browser
            .authorize(&client, &client.params("openid").set("prompt", "login"))
            .is_page()
    );
    let form = browser
        .form()
        .set("username", &alice.username)
        .set("password", &alice.password);
    browser.submit(&form);
    let second = browser.cookie(&name).unwrap();
    assert_ne!(first, second);
    let stolen = server.browser();
    stolen.set_cookie(&name, &first);
    let silent = client.params("openid").set("prompt", "none");
    assert_eq!(
        stolen.authorize(&client, &silent).error().as_deref(),
        Some("login_required")
    );
    assert!(browser.authorize(&client, &silent).error().is_none());
}

/// Whoever breaks off a new login stays who they were (not the one whose name was typed).
#[test]
fn a_cancelled_login_changes_nobody() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    assert!(
        browser
            .authorize(&client, &client.params("openid").set("prompt", "login"))
            .is_page()
    );
    let wrong = browser
        .form()
        .set("username", &bob.username)
        .set("password", "a wrong guess at a password");
    assert_eq!(browser.submit(&wrong).page().status, 401);
    let cancelled = browser.submit(&browser.form().set("decision", "deny"));
    assert_eq!(cancelled.error().as_deref(), Some("access_denied"));
    let silent = client.params("openid").set("prompt", "none");
    let code = browser.authorize(&client, &silent).code();
    assert_eq!(client.exchange(&code).claims()["sub"], alice.id.to_string());
}

#[test]
fn the_cookie_stays_with_the_browser_and_this_site() {
    let server = TestServer::new();
    let client = server.client().create();
    let answer = server.get(&format!(
        "/v2/oauth2/authorize?{}",
        super::encode(&client.params("openid").pairs())
    ));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/;"] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    assert!(!cookie.contains("Domain="), "{cookie}");
    // A second cookie of the name was planted by somebody: neither counts.
    let browser = server.browser_of(&server.user("alice").create());
    let name = cookie_name(&server);
    let own = browser.cookie(&name).unwrap();
    let planted = "A".repeat(43);
    for cookies in [
        format!("{name}={planted}; {name}={own}"),
        format!("{name}={own}; {name}={planted}"),
    ] {
        let answer = server
            .request(Method::GET, "/v2/web/consents")
            .header("cookie", &cookies)
            .send();
        assert!(answer.status.is_redirection(), "{}", answer.summary());
    }
    let answer = server
        .request(Method::GET, "/v2/web/consents")
        .header("cookie", &format!("{name}={own}"))
        .send();
    assert_eq!(answer.status, 200);
}

/// Neither in a frame nor with scripts of others.
#[test]
fn no_page_can_be_framed() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let setup = server.setup_path().unwrap();
    let browser = server.browser();
    let mut pages = Vec::new();
    for path in [
        "/",
        "/p/login",
        &setup,
        "/v2/web/auth-code?code=x",
        "/v2/web/logout",
        "/p/consent",
        "/nowhere/at/all",
        "/v2/oauth2/authorize",
    ] {
        pages.push((path.to_owned(), server.get(path)));
    }
    assert!(browser.authorize(&client, &client.params("openid")).is_page());
    pages.push(("the login of a request".into(), browser.login(&alice).page().clone()));
    pages.push(("permissions".into(), browser.get("/v2/web/consents").page().clone()));
    for (path, answer) in &pages {
        let html = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        if !html {
            continue;
        }
        let policy = answer
            .header("content-security-policy")
            .unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(!answer.text().contains("<script>"), "{path}: a script in the page");
    }
    assert!(pages.len() >= 10);
}
