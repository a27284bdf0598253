//! Logout: ends the browser session and nothing else, and only if the person wants it.

use http::{Method, StatusCode};

use crate::support::{Answer, Browser, TestServer};

const COOKIE: &str = "__Host-portolan";

fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/").page().text().contains("Signed in as")
}

/// A GET of the logout page as it comes from there, by `Sec-Fetch-Site`.
fn logout(browser: &Browser, query: &str, came_from: Option<&str>) -> Answer {
    let cookie = browser.cookie(COOKIE).unwrap_or_default();
    let path = format!("/v2/web/logout{query}");
    let mut request = browser
        .server()
        .request(Method::GET, &path)
        .header("cookie", &format!("{COOKIE}={cookie}"));
    if let Some(came_from) = came_from {
        request = request.header("sec-fetch-site", came_from);
    }
    request.send()
}

/// decisions.md section 5: a link or a picture on another site logs nobody out.
#[test]
fn only_the_persons_own_step_ends_the_session_without_asking() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for (came_from, ends) in [
        (Some("none"), true),
        (Some("same-origin"), true),
        (Some("same-site"), false),
        (Some("cross-site"), false),
        (None, false),
    ] {
        let browser = server.browser_of(&alice);
        let page = logout(&browser, "", came_from).ok();
        assert_eq!(page.text().contains("Logged out"), ends, "{came_from:?}");
        assert_eq!(page.text().contains("Log out?"), !ends, "{came_from:?}");
        assert_eq!(page.headers.contains_key("set-cookie"), ends, "{came_from:?}");
        assert_eq!(is_signed_in(&browser), !ends, "{came_from:?}");
    }
}

#[test]
fn the_page_that_asks_keeps_what_came_along_and_ends_the_session() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server
        .client()
        .named("Portal")
        .redirect_uri("https://portal.example/cb")
        .create();
    for path in ["/v2/web/logout", "/v2/web/logout/"] {
        let browser = server.browser_of(&alice);
        let query = format!(
            "client_id={}&redirect_uri=https://portal.example/bye&redirect_name=Home",
            client.id
        );
        let asked = browser.get(&format!("{path}?{query}"));
        assert!(asked.page().text().contains("asked for by <strong>Portal</strong>"));
        let old = browser.cookie(COOKIE).unwrap();

        let done = browser.submit(&browser.form()).page().text();

        assert!(done.contains("Logged out of <strong>Portal</strong>"), "{done}");
        assert!(
            done.contains("href=\"https://portal.example/bye\" rel=\"noreferrer\">Continue to Home"),
            "{done}"
        );
        assert_eq!(browser.cookie(COOKIE), None, "the browser forgets the cookie");
        browser.set_cookie(COOKIE, &old);
        assert!(!is_signed_in(&browser), "and the server the session");
    }
}

/// G8.
#[test]
fn the_form_needs_the_token_of_its_own_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    browser.get("/v2/web/logout");
    let form = browser.form();
    let strangers = server.browser();
    strangers.get("/p/login");
    let foreign = strangers.form().get("form_token").unwrap().to_owned();
    for forged in [
        form.clone().set("form_token", &foreign),
        form.clone().set("form_token", ""),
    ] {
        assert_eq!(browser.submit(&forged).page().status, StatusCode::FORBIDDEN);
    }
    assert!(is_signed_in(&browser));
}

/// decisions.md section 5: tokens live on.
#[test]
fn tokens_live_on_and_the_next_request_asks_for_a_login() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let tokens = client.offline_tokens(&browser, "openid");
    logout(&browser, "", Some("none"));

    assert!(client.is_active(tokens.access_token()));
    client.refresh(tokens.refresh_token());
    assert_eq!(browser.authorize(&client, &client.params("openid")).title(), "Sign in");
}

#[test]
fn requests_that_wait_in_the_session_end_with_it() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    browser.authorize(&client, &client.params("openid"));
    let request = browser.form().get("request").unwrap().to_owned();
    logout(&browser, "", Some("none"));
    let outcome = browser.get(&format!("/p/authorize?request={request}"));
    assert_eq!(outcome.page().status, StatusCode::BAD_REQUEST);
}

/// The hint proves that the app knows who is signed in; it saves the question.
#[test]
fn a_genuine_id_token_of_the_person_signed_in_logs_out() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let hint = client.tokens(&browser, "openid").id_token().to_owned();
    server.advance_seconds(30 * 86_400);
    let browser = server.browser_of(&alice);

    let page = logout(&browser, &format!("?id_token_hint={hint}"), Some("cross-site"));

    assert!(
        page.text().contains("Logged out"),
        "also when it has expired: {}",
        page.summary()
    );
    assert!(!is_signed_in(&browser));
}

/// Everybody can get a genuine ID token: his own. It must not log out others.
#[test]
fn a_hint_about_somebody_else_or_a_forged_one_only_asks() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mallory = server.user("mallory").create();
    let client = server.client().create();
    let of_mallory = client
        .tokens(&server.browser_of(&mallory), "openid")
        .id_token()
        .to_owned();
    let browser = server.browser_of(&alice);
    let own = client.tokens(&browser, "openid").id_token().to_owned();
    let (signed, signature) = own.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    for (what, hint) in [
        ("of somebody else", of_mallory.as_str()),
        ("forged", &forged),
        ("nonsense", "abc"),
    ] {
        let page = logout(&browser, &format!("?id_token_hint={hint}"), Some("cross-site"));
        assert!(page.text().contains("Log out?"), "{what}");
        assert!(is_signed_in(&browser), "{what}");
    }
}

/// G1: no open redirector.
#[test]
fn the_link_onward_needs_an_origin_that_the_client_registered() {
    let server = TestServer::new();
    let client = server.client().redirect_uri("https://portal.example/cb").create();
    let native = server
        .client()
        .public_installed()
        .redirect_uri("org.example.app:/cb")
        .create();
    let (id, native_id) = (client.id.to_string(), native.id.to_string());
    let link = |client: Option<(&str, &str)>, uri: &str, name: &str| {
        let mut params = vec![("redirect_uri", uri), ("redirect_name", name)];
        params.extend(client);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        let answer = server.get(&format!("/v2/web/logout?{query}")).ok();
        assert_eq!(answer.header("location"), None, "never by itself");
        let page = answer.text();
        assert!(page.contains("Logged out"));
        page.contains("Continue to")
    };
    let named = Some(("client_id", id.as_str()));
    assert!(link(named, "https://portal.example/anywhere?x=1", "Home"));
    assert!(
        link(Some(("client", &id)), "https://portal.example/", "Home"),
        "as older apps spell it"
    );
    for (what, client, uri, name) in [
        ("no client", None, "https://portal.example/", "Home"),
        (
            "unknown client",
            Some(("client_id", "9dd4e9a1-0000-4000-8000-000000000001")),
            "https://portal.example/",
            "Home",
        ),
        (
            "nonsense for a client",
            Some(("client_id", "portal")),
            "https://portal.example/",
            "Home",
        ),
        ("no name", named, "https://portal.example/", ""),
        ("other host", named, "https://evil.example/", "Home"),
        (
            "other host that begins alike",
            named,
            "https://portal.example.evil.example/",
            "Home",
        ),
        ("user info", named, "https://portal.example@evil.example/", "Home"),
        ("other scheme", named, "http://portal.example/", "Home"),
        ("other port", named, "https://portal.example:8443/", "Home"),
        ("script", named, "javascript:alert(1)", "Home"),
        ("no address", named, "//portal.example/", "Home"),
        (
            "private scheme",
            Some(("client_id", native_id.as_str())),
            "org.example.app:/x",
            "Home",
        ),
    ] {
        assert!(!link(client, uri, name), "{what}");
    }
}

#[test]
fn who_is_not_signed_in_is_told_so_at_once() {
    let server = TestServer::new();
    let client = server.client().named("<i>App</i>").create();
    let page = server.get(&format!("/v2/web/logout?client_id={}", client.id)).ok();
    assert!(
        page.text()
            .contains("Logged out of <strong>&#60;i&#62;App&#60;/i&#62;</strong>"),
        "{}",
        page.text()
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
}
