//! The first administrator: a link that works once, and passwords that nobody guesses.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::store::links;

use crate::support::{Browser, Form, TestServer, each_engine};

const PASSWORD: &str = "seven quiet lanterns drift north";

fn filled_in(browser: &Browser, username: &str) -> Form {
    browser
        .form()
        .set("username", username)
        .set("name", "Ada Example")
        .set("email", "ada@example.org")
        .set("password", PASSWORD)
        .set("password_again", PASSWORD)
}

fn administrators(server: &TestServer) -> i64 {
    server.count("SELECT count(*) FROM administrators", params![])
}

#[test]
fn the_link_makes_one_administrator_who_can_sign_in() {
    let server = TestServer::new();
    let path = server.setup_path().expect("a link while there is no administrator");
    let browser = server.browser();
    assert!(browser.get("/").page().text().contains("There is no administrator yet"));
    assert_eq!(browser.get(&path).title(), "Set up the first administrator");

    let done = browser.submit(&filled_in(&browser, "Ada"));

    assert_eq!(done.title(), "The administrator is ready");
    assert!(done.page().text().contains("ada@portolan.local"));
    assert_eq!(administrators(&server), 1);
    assert_eq!(server.setup_path(), None, "no further link");
    assert!(
        browser.get("/").page().text().contains("Signed in as"),
        "the set-up goes on"
    );
    let elsewhere = server.browser();
    let page = elsewhere.get("/").page().text();
    assert!(!page.contains("There is no administrator yet") && !page.contains("Signed in as"));
    elsewhere.try_login("ada", PASSWORD);
    assert!(elsewhere.get("/").page().text().contains("Signed in as"));
}

#[test]
fn a_used_an_expired_an_older_and_a_guessed_link_are_dead() {
    let server = TestServer::new();
    let older = server.setup_path().unwrap();
    let path = server.setup_path().unwrap();
    // The link is random, so its last digit may be any.
    let other = if path.ends_with('0') { '1' } else { '0' };
    let guessed = format!("{}{other}", &path[..path.len() - 1]);
    let browser = server.browser();
    for dead in [older.as_str(), &guessed, "/p/setup/x"] {
        let answer = browser.get(dead);
        assert_eq!(answer.page().status, StatusCode::FORBIDDEN, "{dead}");
        assert!(browser.cookies().is_empty());
    }
    browser.get(&path);
    let form = filled_in(&browser, "ada");
    server.advance_seconds(24 * 3600);
    assert_eq!(browser.get(&path).page().status, StatusCode::FORBIDDEN, "after a day");
    assert_eq!(
        browser.submit(&form).page().status,
        StatusCode::FORBIDDEN,
        "after a day"
    );
    assert_eq!(administrators(&server), 0);

    let path = server.setup_path().unwrap();
    browser.get(&path);
    browser.submit(&filled_in(&browser, "ada"));
    assert_eq!(browser.get(&path).page().status, StatusCode::FORBIDDEN, "used");
    assert_eq!(administrators(&server), 1);
}

#[test]
fn a_link_is_dead_once_there_is_an_administrator_by_another_way() {
    let server = TestServer::new();
    let path = server.setup_path().unwrap();
    let browser = server.browser();
    browser.get(&path);
    let form = filled_in(&browser, "ada");
    server.user("root").administrator().create();

    assert_eq!(browser.submit(&form).page().status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(&path).page().status, StatusCode::FORBIDDEN);
    assert_eq!(administrators(&server), 1);
}

#[test]
fn of_several_at_a_time_one_becomes_administrator() {
    each_engine(|server| {
        let path = server.setup_path().unwrap();
        let requests = (0..8).map(|number| {
            let browser = server.browser();
            browser.get(&path);
            let form = filled_in(&browser, &format!("ada{number}"));
            let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let cookie = browser.cookie("__Host-portolan").unwrap();
            server
                .request(Method::POST, &path)
                .form(&fields)
                .header("cookie", &format!("__Host-portolan={cookie}"))
        });

        let mut answers: Vec<u16> = server
            .at_once(requests.collect())
            .iter()
            .map(|a| a.status.as_u16())
            .collect();

        answers.sort_unstable();
        assert_eq!(answers, [200, 403, 403, 403, 403, 403, 403, 403]);
        assert_eq!(administrators(server), 1);
        assert_eq!(server.count("SELECT count(*) FROM passwords", params![]), 1);
    });
}

/// AA1, AA2.
#[test]
fn a_password_that_can_be_guessed_is_refused_with_the_reason() {
    let server = TestServer::new();
    let path = server.setup_path().unwrap();
    let browser = server.browser();
    browser.get(&path);
    let too_long = "long words ".repeat(100);
    for (password, reason) in [
        ("fourteen chars", "15"),
        ("passwordpassword", ""),
        ("qwertyuiopasdfgh", ""),
        ("aaaaaaaaaaaaaaaaaaaa", ""),
        ("ada.lovelace.ada.lovelace", ""),
        ("portolanportolan", ""),
        (too_long.as_str(), "1024"),
    ] {
        let form = filled_in(&browser, "ada.lovelace")
            .set("password", password)
            .set("password_again", password);
        let outcome = browser.submit(&form);
        let page = outcome.page();
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{password}");
        assert!(
            page.text().contains("id=\"password-error\"") && page.text().contains(reason),
            "{password}"
        );
        assert!(
            !page.text().contains(password) || password == "ada.lovelace.ada.lovelace",
            "never sent back"
        );
        assert_eq!(browser.form().get("username"), Some("ada.lovelace"), "the rest is kept");
    }
    let differ = filled_in(&browser, "ada").set("password_again", "seven quiet lanterns drift south");
    assert!(
        browser
            .submit(&differ)
            .page()
            .text()
            .contains("The two passwords differ.")
    );
    assert_eq!(administrators(&server), 0);
}

/// AA1, AA2: length is what counts; no digits, capitals or signs are demanded.
#[test]
fn fifteen_characters_of_any_kind_are_enough_and_a_thousand_not_too_many() {
    let thousand: String = (0..1000)
        .map(|n| char::from(b'a' + (n * n + n / 7) as u8 % 26))
        .collect();
    for password in [
        "xkv mpw qzj ntb",
        "Ωμέγα και άλφα ζ",
        "ключ от старого сада",
        thousand.as_str(),
    ] {
        let server = TestServer::new();
        let browser = server.browser();
        browser.get(&server.setup_path().unwrap());
        let form = filled_in(&browser, "ada")
            .set("password", password)
            .set("password_again", password);
        let outcome = browser.submit(&form);
        assert_eq!(outcome.title(), "The administrator is ready", "{password}");
        let elsewhere = server.browser();
        elsewhere.try_login("ada", password);
        assert!(elsewhere.get("/").page().text().contains("Signed in as"), "{password}");
    }
}

#[test]
fn what_else_is_wrong_is_told_at_its_field() {
    let server = TestServer::new();
    let browser = server.browser();
    browser.get(&server.setup_path().unwrap());
    for (field, value, text) in [
        ("username", "ada lovelace", "Must have 1 to 64 letters"),
        (
            "username",
            "ada@elsewhere.example",
            "Local accounts end in @portolan.local.",
        ),
        ("name", "", "Must have 1 to 255 characters"),
        ("email", "ada", "Must be an address"),
    ] {
        let outcome = browser.submit(&filled_in(&browser, "ada").set(field, value));
        let page = outcome.page();
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{field}");
        let error = page
            .text()
            .split_once(&format!("id=\"{field}-error\""))
            .map(|(_, rest)| rest.to_owned());
        assert!(
            error.is_some_and(|rest| rest[..300.min(rest.len())].contains(text)),
            "{field}={value}"
        );
    }
}

/// AA3.
#[test]
fn password_managers_find_their_fields() {
    let server = TestServer::new();
    let page = server.browser().get(&server.setup_path().unwrap()).page().text();
    assert_eq!(page.matches("autocomplete=\"new-password\"").count(), 2);
    assert!(page.contains("autocomplete=\"username\"") && page.contains("minlength=\"15\""));
}

/// G8.
#[test]
fn the_form_needs_the_token_of_its_own_browser() {
    let server = TestServer::new();
    let path = server.setup_path().unwrap();
    let browser = server.browser();
    browser.get(&path);
    let form = filled_in(&browser, "ada");
    let strangers = server.browser();
    strangers.get(&path);
    let foreign = strangers.form().get("form_token").unwrap().to_owned();
    assert_eq!(
        browser.submit(&form.clone().set("form_token", &foreign)).page().status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(server.browser().submit(&form).page().status, StatusCode::FORBIDDEN);
    assert_eq!(administrators(&server), 0);
}

/// The secret of the link is not in the store.
#[test]
fn the_store_holds_only_the_hash_of_a_link() {
    let server = TestServer::new();
    let path = server.setup_path().unwrap();
    let secret = path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(secret.len(), 64, "256 bits");
    let hash = portolan_server::domain::token_format::hash(&secret);
    let now = server.now();
    assert!(server.read(move |tx| links::is_live(tx, &hash, links::FIRST_ADMINISTRATOR, now)));
    let as_it_is = params![secret.into_bytes()];
    assert_eq!(
        server.count("SELECT count(*) FROM one_time_links WHERE hash = $1", as_it_is),
        0
    );
}
