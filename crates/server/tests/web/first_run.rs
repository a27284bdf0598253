//! First steps: from the set-up link to the commands that get a token.

use http::StatusCode;
use portolan_db::params;

use crate::support::{TestServer, unescape};

#[test]
fn the_set_up_link_leads_on_to_a_token() {
    let server = TestServer::new();
    let path = server.setup_path().unwrap();
    let browser = server.browser();
    browser.get(&path);
    let before = browser.cookie("__Host-portolan").unwrap();
    let password = "seven unlikely words of a setup page";
    let form = browser
        .form()
        .set("username", "ada")
        .set("name", "Ada Lovelace")
        .set("email", "ada@example.org")
        .set("password", password)
        .set("password_again", password);
    browser.submit(&form);
    assert!(
        browser.text().contains("/p/console/setup/address"),
        "{}",
        browser.text()
    );
    assert_ne!(browser.cookie("__Host-portolan").unwrap(), before, "another cookie");
    let logins = "SELECT count(*) FROM browser_authentications";
    assert_eq!(server.count(logins, params![]), 1);

    browser.get("/p/console/setup/address");
    assert_eq!(browser.title(), "Do people reach this server?");
    assert!(browser.text().contains("/p/console/setup/app"));
    browser.get("/p/console/setup/app");
    let form = browser.form();
    assert_eq!(form.get("contact_email"), Some("ada@example.org"));
    browser.submit(&form.set("display_name", "Beamline").set("name", "My tools"));
    assert_eq!(browser.title(), "Get a token");
    let text = unescape(&browser.text());
    let id = browser.path().split_once("app=").unwrap().1.to_owned();
    for shown in [
        &id,
        "https://auth.example.org/v2/oauth2/token",
        "code_verifier",
        "globus_sdk",
        "My tools",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }

    // The commands work: a sign-in through the page that shows the code.
    let client = server.known_client(id.parse().unwrap(), None, &server.display_page());
    let shown = browser.authorize_and_allow(&client, &client.params("openid"));
    let tokens = client.exchange(&shown.get("code").unwrap());
    assert!(!tokens.access_token().is_empty());

    // The project is hers, in the developer area.
    browser.get("/p/developers");
    assert!(browser.text().contains("Beamline"));
}

#[test]
fn the_address_of_the_browser_is_compared_with_the_configured_one() {
    let server = TestServer::new();
    let ada = server.user("ada").administrator().create();
    let browser = server.browser_of(&ada);
    let cookies: Vec<String> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let seen = |referer: &str, forwarded: &str| {
        server
            .request(http::Method::GET, "/p/console/setup/address")
            .header("cookie", &cookies.join("; "))
            .header("host", "10.0.0.7:8080")
            .header("referer", referer)
            .header("x-forwarded-host", forwarded)
            .send()
            .ok()
            .text()
    };
    let same = seen("https://auth.example.org/p/setup/x", "10.0.0.7");
    assert!(same.contains("Both are the same."), "{same}");
    let other = seen("https://login.example.org/p/setup/x", "10.0.0.7");
    for said in [
        "These are not the same",
        "public_url = \"https://login.example.org\"",
        "portolan settings set issuer https://login.example.org",
    ] {
        assert!(other.contains(said), "{said}: {other}");
    }
    let silent = seen("", "no host");
    assert!(silent.contains("Look at the address bar yourself"), "{silent}");
    assert!(!silent.contains("Both are the same."), "{silent}");
    let hostile = seen("https://evil.example/\"><script>alert(1)</script>", "10.0.0.7");
    assert!(!hostile.contains("<script>alert"));
    assert!(hostile.contains("https://evil.example<"), "no more than its origin");
}

#[test]
fn a_first_app_that_is_refused_says_why_and_nothing_is_made() {
    let server = TestServer::new();
    let ada = server.user("ada").administrator().create();
    let browser = server.browser_of(&ada);
    browser.get("/p/console/setup/app");
    let good = browser.form().set("display_name", "Beamline").set("name", "Tools");
    let projects = || server.count("SELECT count(*) FROM projects", params![]);
    let before = projects();
    for (field, value) in [("display_name", ""), ("contact_email", "nobody"), ("name", "")] {
        let outcome = browser.submit(&good.clone().set(field, value));
        assert_eq!(outcome.page().status, StatusCode::BAD_REQUEST, "{field}");
        assert!(
            browser.text().contains(&format!("id=\"{field}-error\"")),
            "{field}: {}",
            browser.text()
        );
    }
    assert_eq!(projects(), before, "no project without its app");
}

#[test]
fn the_steps_are_found_again_and_are_for_administrators_alone() {
    let server = TestServer::new();
    let ada = server.user("ada").administrator().create();
    let browser = server.browser_of(&ada);
    browser.get("/p/console");
    assert!(browser.text().contains("/p/console/setup/address"));
    let bob = server.user("bob").create();
    let bobs = server.browser_of(&bob);
    let app = server.client().create();
    for path in ["address".to_owned(), "app".into(), format!("token?app={}", app.id)] {
        let path = format!("/p/console/setup/{path}");
        assert_eq!(bobs.get(&path).page().status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(server.get(&path).status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(browser.get(&path).page().status, StatusCode::OK, "{path}");
    }
    assert_eq!(
        browser.get("/p/console/setup/token?app=x").page().status,
        StatusCode::NOT_FOUND
    );
}
