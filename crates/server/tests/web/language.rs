//! In which language pages speak: the person's own choice, else what the app asks for
//! (OpenID Connect Core 3.1.2.1, `ui_locales`), else what the browser asks for.

use http::{Method, StatusCode};

use crate::support::{Answer, TestServer};

#[track_caller]
fn assert_speaks(page: &Answer, tag: &str) {
    let html = page.text();
    assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{}", page.summary());
    assert_eq!(page.header("content-language"), Some(tag));
    assert_eq!(page.header("vary"), Some("Accept-Language"));
    let title = if tag == "de" {
        "<h1>Anmelden</h1>"
    } else {
        "<h1>Sign in</h1>"
    };
    assert!(html.contains(title), "{}", page.summary());
}

#[test]
fn a_page_speaks_what_the_browser_asks_for() {
    let server = TestServer::new();
    for (languages, tag) in [
        (None, "en"),
        (Some("de-CH,de;q=0.9,en;q=0.5"), "de"),
        (Some("fr, en;q=0.1, de;q=0.2"), "de"),
        (Some("fr-FR"), "en"),
        (Some("no language at all;;;q=,"), "en"),
    ] {
        let browser = server.browser();
        if let Some(languages) = languages {
            browser.prefer(languages);
        }
        assert_speaks(browser.get("/p/login").page(), tag);
    }
}

#[test]
fn the_pages_of_a_request_speak_what_its_app_asks_for() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().named("Portal").create();
    let browser = server.browser();
    browser.prefer("en");
    let params = client.params("openid").set("ui_locales", "xx de-CH en");

    assert_speaks(browser.authorize(&client, &params).page(), "de");
    let refused = browser.try_login("alice", "wrong");
    assert!(
        refused
            .page()
            .text()
            .contains("Der Benutzername oder das Passwort ist falsch.")
    );
    browser.login(&alice);
    assert_eq!(browser.title(), "Portal bittet um Ihre Erlaubnis");
    let outcome = browser.allow();
    outcome.code();

    // The wish ends with the request.
    assert!(browser.get("/").page().text().contains("<html lang=\"en\">"));
}

#[test]
fn a_wish_for_unknown_languages_is_no_error_and_changes_nothing() {
    let server = TestServer::new();
    let client = server.client().create();
    for list in ["", "xx-YY fr", "</title>", &"de ".repeat(300)] {
        let browser = server.browser();
        let params = client.params("openid").set("ui_locales", list);
        assert_speaks(browser.authorize(&client, &params).page(), "en");
    }
}

#[test]
fn a_person_chooses_in_the_foot_of_a_page_and_stays_on_it() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = server.browser();
    browser.prefer("en");
    let params = client.params("openid").set("ui_locales", "en");
    let page = browser.authorize(&client, &params);
    assert!(page.page().text().contains("href=\"/p/language/de\""));
    let asked = browser.path();

    let chosen = browser.get("/p/language/de");

    assert_eq!(browser.path(), asked);
    assert_speaks(chosen.page(), "de");
    assert!(chosen.page().text().contains("href=\"/p/language/en\""));
    let name = browser
        .cookies()
        .iter()
        .find(|(_, value)| value == "de")
        .unwrap()
        .0
        .clone();
    assert!(name.ends_with("-language"), "{name}");
    browser.get("/p/language/en");
    assert_speaks(browser.get("/p/login").page(), "en");
}

#[test]
fn the_choice_leads_nowhere_else_and_knows_only_languages() {
    let server = TestServer::new();
    for referer in [
        "https://evil.example/p/login",
        "http://localhost:1/",
        "//evil.example",
        "x",
    ] {
        let answer = server
            .request(Method::GET, "/p/language/de")
            .header("referer", referer)
            .send();
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), "/", "{referer}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    }
    for unknown in ["fr", "de-CH", "DE", "..", "%0d%0aset-cookie:a=b"] {
        let answer = server.get(&format!("/p/language/{unknown}"));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{unknown}");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

/// A page that answers a form cannot be had again by its address.
#[test]
fn an_answer_to_a_form_offers_no_other_language() {
    let server = TestServer::new();
    let browser = server.browser();

    let refused = browser.try_login("alice", "wrong");

    assert!(!refused.page().text().contains("/p/language/"));
}

#[test]
fn an_error_page_speaks_the_language_and_marks_what_is_english() {
    let server = TestServer::new();
    let browser = server.browser();
    browser.prefer("de");

    let unknown = browser.get("/v2/oauth2/authorize?client_id=x").page().text();
    assert!(unknown.contains("<html lang=\"de\">") && unknown.contains("Was Sie tun können"));
    assert!(unknown.contains("<p class=\"quoted\" lang=\"en\">"), "{unknown}");

    let dead = browser.get("/p/reset/x").page().text();
    assert!(dead.contains("Dieser Link wurde schon benutzt oder ist abgelaufen; fordern Sie einen neuen an."));
    assert!(!dead.contains("lang=\"en\">"), "{dead}");

    let nothing = browser.get("/p/language/fr").page().text();
    assert!(
        nothing.contains("<p class=\"quoted\">Das gibt es hier nicht.</p>"),
        "{nothing}"
    );
}

#[test]
fn what_the_rules_refuse_is_told_in_the_language_of_the_form() {
    let server = TestServer::new();
    let browser = server.browser();
    browser.prefer("de");
    let path = server.setup_path().unwrap();
    browser.get(&path);
    let form = browser
        .form()
        .set("username", "root")
        .set("name", "Root")
        .set("email", "no address");

    let weak = form
        .clone()
        .set("password", "password")
        .set("password_again", "password");
    let page = browser.submit(&weak);
    assert!(page.page().text().contains("Benutzen Sie mindestens 15 Zeichen."));

    let password = "seven unlikely words of a setup page";
    let form = form.set("password", password).set("password_again", password);
    let page = browser.submit(&form).page().text();
    assert!(page.contains("Muss eine Adresse sein wie a@example.org."), "{page}");
    assert!(page.contains("id=\"email-error\""), "{page}");
}
