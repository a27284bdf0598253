//! "Continue as …": programs on a person's machine get no code without a page, because
//! anybody can pose as them (decisions.md section 3, standards.md F3).

use http::StatusCode;
use portolan_db::params;

use crate::support::{Outcome, TestServer};

/// The built-in template of the command line.
const CLI_TEMPLATE: u128 = 0x95fdeba8_fac2_42bd_a357_e068d82ff78e;

fn asks_to_continue(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Page(page) if page.text().contains("value=\"allow\">Continue as alice@portolan.local"))
}

/// F3.
#[test]
fn a_program_that_was_approved_before_is_confirmed_by_one_page() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().named("My Program").create();
    let browser = server.browser_of(&alice);
    let params = client.params("openid");
    let first = browser.authorize(&client, &params);
    assert!(first.page().text().contains("asks for your permission"));
    assert!(
        browser.allow().left().get("code").is_some(),
        "the consent page was a page: no second one"
    );

    let second = browser.authorize(&client, &params);

    assert!(asks_to_continue(&second), "{}", second.page().summary());
    let page = second.page().text();
    assert!(page.contains("Continue to <strong>My Program</strong>?"));
    assert!(page.contains("Afterwards you return to <strong>http://127.0.0.1:18411</strong>"));
    let left = browser.allow();
    assert_eq!(left.left().address(), "http://127.0.0.1:18411");
    assert!(left.left().get("code").is_some());
    assert!(asks_to_continue(&browser.authorize(&client, &params)), "each time");
}

#[test]
fn a_login_for_the_request_is_a_page_too() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    client.code(&server.browser_of(&alice), "openid");
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid"));
    assert!(browser.login(&alice).left().get("code").is_some());
}

#[test]
fn who_is_confirmed_depends_on_the_client_and_on_where_the_code_goes() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let installed = || server.client().public_installed();
    let template = portolan_types::ClientId::from_u128(CLI_TEMPLATE);
    let display = server.display_page();
    let instance = server.instance_of(template, "laptop");
    let table = [
        ("loopback", installed().create(), "http://127.0.0.1:18411", true),
        (
            "loopback by name",
            installed().create(),
            "http://localhost:18411/",
            true,
        ),
        ("IPv6 loopback", installed().create(), "http://[::1]:18411", true),
        (
            "private scheme",
            installed().redirect_uri("org.example.app:/cb").create(),
            "org.example.app:/cb",
            true,
        ),
        ("instance on loopback", instance.clone(), "http://localhost:18411", true),
        (
            "web app on loopback",
            server
                .client()
                .public_webapp()
                .redirect_uri("http://localhost:3000/cb")
                .create(),
            "http://localhost:3000/cb",
            true,
        ),
        ("display page", installed().create(), display.as_str(), false),
        ("instance with display page", instance, display.as_str(), false),
        (
            "program with https",
            installed().redirect_uri("https://app.example/cb").create(),
            "https://app.example/cb",
            false,
        ),
        (
            "web app",
            server.client().public_webapp().create(),
            "https://app.example/callback",
            false,
        ),
        (
            "confidential",
            server.client().create(),
            "https://app.example/callback",
            false,
        ),
        (
            "confidential on loopback",
            server.client().redirect_uri("http://127.0.0.1:9000/cb").create(),
            "http://127.0.0.1:9000/cb",
            false,
        ),
    ];
    for (what, client, redirect_uri, confirmed) in table {
        let params = client.params("openid").set("redirect_uri", redirect_uri);
        let left = browser.authorize_and_allow(&client, &params);
        assert!(left.get("code").is_some(), "{what}: {}", left.location);
        let second = browser.authorize(&client, &params);
        assert_eq!(asks_to_continue(&second), confirmed, "{what}");
        assert_ne!(second.is_page(), !confirmed, "{what}");
    }
}

/// There the person carries the code over, so nobody can pose as the program.
#[test]
fn the_display_page_of_a_server_without_https_is_no_program() {
    let server = TestServer::with(|config| config.public_url = "http://localhost:8765".into());
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let browser = server.browser_of(&alice);
    let params = client.params("openid").set("redirect_uri", &server.display_page());
    browser.authorize_and_allow(&client, &params);
    assert!(browser.authorize(&client, &params).left().get("code").is_some());
    assert!(asks_to_continue(&browser.authorize(&client, &client.params("openid"))));
}

#[test]
fn the_switch_takes_the_page_away() {
    let server = TestServer::with(|config| config.confirm_native_sso = false);
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    assert!(
        browser
            .authorize(&client, &client.params("openid"))
            .left()
            .get("code")
            .is_some()
    );
}

#[test]
fn no_is_told_to_the_program_and_the_consent_stays() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let browser = server.browser_of(&alice);
    let tokens = client.offline_tokens(&browser, "openid");
    browser.authorize(&client, &client.params("openid"));

    let outcome = browser.deny();

    assert_eq!(outcome.error().as_deref(), Some("access_denied"));
    assert_eq!(outcome.state().as_deref(), Some("the-state"));
    assert!(client.is_valid(tokens.access_token()));
}

/// The short page never stands in for the long one.
#[test]
fn continuing_gives_no_consent() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let browser = server.browser_of(&alice);
    browser.authorize(&client, &client.params("openid"));
    let form = browser.form().set("decision", "allow");
    let forged = crate::support::Form {
        action: "/p/continue".into(),
        ..form
    };

    let outcome = browser.submit(&forged);

    assert!(outcome.page().text().contains("asks for your permission"));
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
}

/// G8.
#[test]
fn the_form_needs_the_token_of_its_own_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    browser.authorize(&client, &client.params("openid"));
    let form = browser.form().set("decision", "allow");
    let strangers = server.browser();
    strangers.get("/p/login");
    let foreign = strangers.form().get("form_token").unwrap().to_owned();
    let own = form.get("form_token").unwrap().to_owned();

    for forged in [
        form.clone().set("form_token", &foreign),
        form.clone().without("form_token", &own),
    ] {
        assert_eq!(browser.submit(&forged).page().status, StatusCode::FORBIDDEN);
    }
    assert!(browser.submit(&form).left().get("code").is_some());
}
