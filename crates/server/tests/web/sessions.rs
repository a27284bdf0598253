//! Browser sessions: their cookie, when they end, and who is in them (decisions.md
//! section 5, standards.md AC1, G8, H6, H7).

use std::time::Duration;

use http::Method;
use portolan_db::params;
use portolan_server::domain::identity;
use portolan_types::Secret;

use crate::support::{Browser, TestClient, TestServer, TestUser};

const COOKIE: &str = "__Host-portolan";
const HOUR: u64 = 3600;

fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/").page().text().contains("Signed in as")
}

/// The `Set-Cookie` header of the session that a first visit gets.
fn first_cookie(server: &TestServer) -> String {
    server.get("/p/login").ok().header("set-cookie").unwrap().to_owned()
}

/// AC1.
#[test]
fn the_cookie_of_https_is_bound_to_the_host_and_kept_from_scripts() {
    let cookie = first_cookie(&TestServer::new());
    let (value, attributes) = cookie
        .strip_prefix("__Host-portolan=")
        .unwrap()
        .split_once("; ")
        .unwrap();
    assert_eq!(value.len(), 43, "256 bits");
    assert_eq!(attributes, "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure");
}

/// Cookies ignore ports, and `__Host-` needs https (decisions.md section 5).
#[test]
fn the_cookie_of_http_is_named_after_the_port() {
    let server = TestServer::with(|config| config.public_url = "http://localhost:8765".into());
    let cookie = first_cookie(&server);
    let (_, attributes) = cookie.strip_prefix("portolan-8765=").unwrap().split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax");

    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    assert!(is_signed_in(&browser));
    let names: Vec<String> = browser.cookies().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["portolan-8765", "portolan-8765-device"]);
}

/// G8, threats.md 16: a cookie that somebody planted before the login is worth nothing after it.
#[test]
fn the_cookie_changes_at_each_authentication() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid"));
    let planted = browser.cookie(COOKIE).unwrap();

    browser.login(&alice);

    let first = browser.cookie(COOKIE).unwrap();
    assert_ne!(first, planted);
    let thief = server.browser();
    thief.set_cookie(COOKIE, &planted);
    assert!(!is_signed_in(&thief));

    // Again on a step up, in the same session.
    browser.authorize(&client, &client.params("openid").set("prompt", "login"));
    browser.login(&alice);
    assert_ne!(browser.cookie(COOKIE), Some(first.clone()));
    thief.set_cookie(COOKIE, &first);
    assert!(!is_signed_in(&thief));
    assert!(is_signed_in(&browser));
    assert_eq!(
        server.count("SELECT count(*) FROM browser_authentications", params![]),
        1
    );
}

/// A request does not hand out cookies to those who need none.
#[test]
fn a_value_that_the_server_never_made_becomes_no_session() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let chosen = "A".repeat(43);
    let browser = server.browser();
    browser.set_cookie(COOKIE, &chosen);
    browser.authorize(&client, &client.params("openid"));
    assert_ne!(
        browser.cookie(COOKIE),
        Some(chosen.clone()),
        "a parked request is not bound to a chosen value"
    );
    browser.login(&alice);
    let thief = server.browser();
    thief.set_cookie(COOKIE, &chosen);
    assert!(!is_signed_in(&thief));
}

#[test]
fn the_store_holds_no_cookie() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let cookie = server.browser_of(&alice).cookie(COOKIE).unwrap();
    let as_it_is = params![cookie.clone().into_bytes()];
    assert_eq!(
        server.count("SELECT count(*) FROM browser_sessions WHERE cookie_hash = $1", as_it_is),
        0
    );
    let hash = portolan_server::domain::token_format::hash(&cookie);
    assert_eq!(
        server.count(
            "SELECT count(*) FROM browser_sessions WHERE cookie_hash = $1",
            params![hash]
        ),
        1
    );
}

fn silently(browser: &Browser, client: &TestClient) -> Result<String, String> {
    let outcome = browser.authorize(client, &client.params("openid").set("prompt", "none"));
    let left = outcome.left();
    left.get("code").ok_or_else(|| left.get("error").unwrap())
}

/// AC1: idle end.
#[test]
fn a_session_that_is_not_used_for_twelve_hours_has_ended() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    server.advance_seconds(12 * HOUR - 1);
    assert!(is_signed_in(&browser));
    server.advance_seconds(1);
    assert!(!is_signed_in(&browser));
    assert_eq!(silently(&browser, &client), Err("login_required".into()));
    assert_eq!(browser.authorize(&client, &client.params("openid")).title(), "Sign in");
}

/// Going to an app counts as use, also when no page is shown.
#[test]
fn logins_to_apps_keep_a_session_alive() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    for _ in 0..5 {
        server.advance_seconds(11 * HOUR);
        assert!(silently(&browser, &client).is_ok());
    }
}

/// AC1: absolute end.
#[test]
fn a_session_ends_seven_days_after_the_login_however_much_it_is_used() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    for _ in 0..7 * 24 - 1 {
        server.advance_seconds(HOUR);
        assert!(silently(&browser, &client).is_ok());
    }
    server.advance_seconds(HOUR);
    assert_eq!(silently(&browser, &client), Err("login_required".into()));
    assert!(!is_signed_in(&browser));
}

#[test]
fn both_ends_are_configurable() {
    let server = TestServer::with(|config| {
        config.session_idle_lifetime_seconds = 600;
        config.session_absolute_lifetime_seconds = 1000;
    });
    assert!(first_cookie(&server).contains("Max-Age=1000;"));
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    server.advance_seconds(599);
    assert!(silently(&browser, &client).is_ok());
    server.advance_seconds(401);
    assert!(silently(&browser, &client).is_err());
}

/// AC1: disabling an account ends all.
#[test]
fn a_disabled_person_loses_the_session_and_cannot_sign_in() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let tokens = client.offline_tokens(&browser, "openid");
    let id = alice.id;
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, id));

    assert!(!is_signed_in(&browser));
    assert_eq!(silently(&browser, &client), Err("login_required".into()));
    assert!(!client.is_active(tokens.access_token()));
    assert_eq!(
        client.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );
    browser.try_login(&alice.username, &alice.password);
    assert!(!is_signed_in(&browser));

    server.write(move |tx| identity::switch_on(tx, id));
    assert!(!is_signed_in(&browser), "a session that has ended does not come back");
    let browser = server.browser_of(&alice);
    assert!(is_signed_in(&browser));
}

#[test]
fn enabling_somebody_who_is_enabled_signs_nobody_out() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    server.write(move |tx| identity::switch_on(tx, alice.id));
    assert!(is_signed_in(&browser));
}

/// A person who is disabled while a page is open decides nothing any more.
#[test]
fn a_person_disabled_on_the_consent_page_gives_no_consent() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    browser.authorize(&client, &client.params("openid"));
    let id = alice.id;
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, id));

    let outcome = browser.allow();

    assert_eq!(outcome.title(), "Sign in");
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
}

#[test]
fn a_new_password_signs_out_everywhere_and_ends_tokens() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let bob = server.user("bob").create();
    let client = server.client().create();
    let (one, two) = (server.browser_of(&alice), server.browser_of(&alice));
    let of_bob = server.browser_of(&bob);
    let tokens = client.offline_tokens(&one, "openid");
    let tokens_of_bob = client.tokens(&of_bob, "openid");
    let (id, ctx) = (alice.id, server.ctx());
    let hash = crate::support::runtime()
        .block_on(server.app().hasher.hash(Secret::new("another long password of hers")))
        .unwrap();
    server.write(move |tx| identity::set_password(tx, &ctx, id, &hash));

    assert!(!is_signed_in(&one) && !is_signed_in(&two));
    assert!(!client.is_active(tokens.access_token()));
    assert_eq!(
        client.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );
    one.try_login("alice", &alice.password);
    assert!(!is_signed_in(&one), "the old password is gone");
    one.try_login("alice", "another long password of hers");
    assert!(is_signed_in(&one));
    assert!(
        is_signed_in(&of_bob) && client.is_active(tokens_of_bob.access_token()),
        "others are not concerned"
    );
}

fn session_of(client: &TestClient, token: &str) -> (String, Vec<String>) {
    let document = client.introspect_with(token, "session_info");
    let info = &document["session_info"];
    let identities = info["authentications"]
        .as_object()
        .expect("a map")
        .keys()
        .cloned()
        .collect();
    (info["session_id"].as_str().expect("an id").to_owned(), identities)
}

/// decisions.md section 5: one session per browser and client, with a stable id.
#[test]
fn a_session_of_an_app_is_one_of_a_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let (client, other) = (server.client().create(), server.client().create());
    let (here, there) = (server.browser_of(&alice), server.browser_of(&alice));
    let session =
        |client: &TestClient, browser: &Browser| session_of(client, client.tokens(browser, "openid").access_token());
    let first = session(&client, &here);
    assert_eq!(first.1, [alice.id.to_string()]);
    assert_eq!(session(&client, &here), first, "again");
    assert_ne!(session(&client, &there).0, first.0, "in another browser");
    assert_ne!(session(&other, &here).0, first.0, "for another app");
    here.authorize(&client, &client.params("openid").set("prompt", "login"));
    here.login(&alice);
    assert_eq!(session(&client, &here).0, first.0, "after a step up");
    here.get("/v2/web/logout");
    here.submit(&here.form());
    here.login(&alice);
    assert_ne!(session(&client, &here).0, first.0, "after a logout");
}

fn switch_to(browser: &Browser, client: &TestClient, user: &TestUser) {
    browser.authorize(client, &client.params("openid").set("prompt", "login"));
    browser.login(user);
}

/// One browser, one person: what Alice proved is not proof of Bob.
#[test]
fn another_person_in_the_same_browser_inherits_nothing() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let bob = server.user("bob").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let of_alice = client.tokens(&browser, "openid");
    let session_of_alice = session_of(&client, of_alice.access_token());

    switch_to(&browser, &client, &bob);
    let of_bob = client.tokens(&browser, "openid");

    assert_eq!(client.introspect(of_bob.access_token())["sub"], bob.id.to_string());
    let session_of_bob = session_of(&client, of_bob.access_token());
    assert_eq!(session_of_bob.1, [bob.id.to_string()]);
    assert_ne!(
        session_of_bob.0, session_of_alice.0,
        "the session of another person is another one"
    );
    assert_eq!(
        session_of(&client, of_alice.access_token()),
        session_of_alice,
        "hers stays as it was"
    );
    let required = client
        .params("openid")
        .set("session_required_identities", &alice.id.to_string());
    let outcome = browser.authorize(&client, &required.set("prompt", "none"));
    assert_eq!(outcome.error().as_deref(), Some("login_required"));
}

/// threats.md 16: going back from the login page of a step up leaves the person signed in.
#[test]
fn cancelling_a_new_login_keeps_the_old_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    browser.authorize(&client, &client.params("openid").set("prompt", "login"));
    assert_eq!(browser.deny().error().as_deref(), Some("access_denied"));
    assert!(is_signed_in(&browser));
}

fn auth_time(client: &TestClient, browser: &Browser, name: &str, value: &str) -> i64 {
    let code = client.code_with(browser, &client.params("openid").set(name, value));
    client.exchange(&code).claims()["auth_time"].as_i64().expect("a time")
}

/// H6, H7.
#[test]
fn auth_time_is_when_the_person_signed_in_and_moves_only_then() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let login = server.now().seconds();
    client.code(&browser, "openid");
    server.advance_seconds(300);
    assert_eq!(
        auth_time(&client, &browser, "max_age", "300"),
        login,
        "single sign-on does not move it"
    );

    server.advance(Duration::from_secs(1));
    let asked = browser.authorize(&client, &client.params("openid").set("max_age", "300"));
    assert_eq!(asked.title(), "Sign in", "too long ago");
    let code = browser.login(&alice).code();
    let tokens = client.exchange(&code);
    assert_eq!(tokens.claims()["auth_time"], login + 301);

    server.advance_seconds(50);
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("prompt", "select_account")] {
        let asked = browser.authorize(&client, &client.params("openid").set(name, value));
        assert_eq!(asked.title(), "Sign in", "{name}={value}");
        let code = browser.login(&alice).code();
        assert_eq!(
            client.exchange(&code).claims()["auth_time"],
            server.now().seconds(),
            "{name}={value}"
        );
        server.advance_seconds(1);
    }
}

/// The start page and the pages of requests know the same session.
#[test]
fn a_signed_in_person_is_not_asked_on_a_bare_login_page() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let answer = browser.send(Method::GET, "/p/login", None);
    assert_eq!(answer.location(), "/");
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// A browser that says what it is, in which this person is signed in.
fn firefox_of(server: &TestServer, user: &TestUser, client: &TestClient) -> Browser {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(client.params("openid").0)
        .finish();
    let answer = server
        .request(Method::GET, &format!("/v2/oauth2/authorize?{query}"))
        .header("user-agent", FIREFOX)
        .from("192.0.2.9".parse().unwrap())
        .send();
    let cookie = answer.header("set-cookie").unwrap();
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    let browser = server.browser();
    browser.set_cookie(COOKIE, value);
    browser.get(answer.location());
    browser.login(user);
    browser
}

/// AC1: a person sees where they are signed in, in words they understand.
#[test]
fn a_person_sees_where_they_are_signed_in() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let portal = server.client().named("Portal").create();
    let other = server.client().named("Other App").create();
    let here = firefox_of(&server, &alice, &portal);
    here.allow();
    server.advance_seconds(60);
    let there = server.browser_of(&alice);
    other.code(&there, "openid");
    portal.code(&server.browser_of(&bob), "openid");

    let page = here.get("/p/account/sessions").page().text();

    let places: Vec<&str> = page.split("<section").skip(1).collect();
    assert_eq!(places.len(), 2, "{page}");
    assert!(places[0].contains("Firefox on Linux (this browser)") && places[0].contains("192.0.2.9"));
    assert!(places[0].contains("Portal") && !places[0].contains("Other App"));
    assert!(places[1].contains("Other App") && !places[1].contains("(this browser)"));
    assert!(places[1].contains("alice@portolan.local") && !page.contains("bob@"));
    assert!(here.get("/").page().text().contains("/p/account/sessions"));
}

fn end(browser: &Browser, which: &str) -> crate::support::Outcome {
    browser.get("/p/account/sessions");
    browser.submit(&browser.form().set("session", which))
}

/// The id of the session of this browser, as its own page shows it.
fn id_here(browser: &Browser) -> String {
    let page = browser.get("/p/account/sessions").page().text();
    let section = page.split("<section").nth(1).unwrap();
    assert!(section.contains("(this browser)"));
    let (_, rest) = section.split_once("name=\"session\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// AC1, decisions.md section 5: what apps got there ends as well; elsewhere nothing does.
#[test]
fn ending_a_session_ends_the_tokens_that_came_from_it() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let client = server.client().create();
    let (here, lost) = (server.browser_of(&alice), server.browser_of(&alice));
    let of_bob = server.browser_of(&bob);
    let kept = client.offline_tokens(&here, "openid");
    let gone = client.offline_tokens(&lost, "openid");
    let refreshed = client.refresh(gone.refresh_token());
    let pending = client.code(&lost, "openid");
    let bobs = client.tokens(&of_bob, "openid");
    let lost_id = id_here(&lost);

    // Not Bob's to end.
    end(&of_bob, &lost_id);
    assert!(client.is_active(gone.access_token()) && is_signed_in(&lost));

    let outcome = end(&here, &lost_id);

    assert!(outcome.page().text().contains("Nobody is signed in there any more"));
    assert!(!is_signed_in(&lost) && is_signed_in(&here));
    for token in [gone.access_token(), refreshed.access_token()] {
        assert!(!client.is_active(token));
    }
    assert_eq!(client.try_refresh(gone.refresh_token()).outcome(), "400 invalid_grant");
    assert_eq!(client.try_exchange(&pending).outcome(), "400 invalid_grant");
    assert!(client.is_active(kept.access_token()) && client.is_active(bobs.access_token()));
    client.refresh(kept.refresh_token());
    // The consent stays: signing in again is enough.
    lost.login(&alice);
    assert!(!lost.authorize(&client, &client.params("openid")).is_page());
    let trail = server.count(
        "SELECT count(*) FROM audit_events WHERE action = 'session.end'",
        params![],
    );
    assert_eq!(trail, 1);
}

#[test]
fn all_other_sessions_end_at_once_and_this_one_like_a_logout() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browsers: Vec<Browser> = (0..3).map(|_| server.browser_of(&alice)).collect();
    let tokens: Vec<_> = browsers
        .iter()
        .map(|browser| client.tokens(browser, "openid"))
        .collect();

    end(&browsers[0], "others");

    let signed_in: Vec<bool> = browsers.iter().map(is_signed_in).collect();
    assert_eq!(signed_in, [true, false, false]);
    let active: Vec<bool> = tokens
        .iter()
        .map(|token| client.is_active(token.access_token()))
        .collect();
    assert_eq!(active, [true, false, false]);
    assert!(
        !browsers[0]
            .get("/p/account/sessions")
            .page()
            .text()
            .contains("End all but this one")
    );

    let before = browsers[0].cookie(COOKIE);
    let outcome = end(&browsers[0], &id_here(&browsers[0]));
    assert_eq!(outcome.title(), "Sign in");
    assert_ne!(browsers[0].cookie(COOKIE), before);
    assert!(!client.is_active(tokens[0].access_token()));
    let after = browsers[0].login(&alice);
    assert_eq!(after.title(), "Where you are signed in", "back to the page");
}

/// A logout leaves tokens alive, so the place stays in the list until they are ended.
#[test]
fn what_a_logout_left_behind_can_be_ended() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().named("Portal").create();
    let left = server.browser_of(&alice);
    let tokens = client.offline_tokens(&left, "openid");
    let id = id_here(&left);
    left.get("/v2/web/logout");
    left.submit(&left.form());
    assert!(client.is_active(tokens.access_token()));
    // Long after the row of the browser was removed.
    server.advance_seconds(30 * 24 * HOUR);
    server.sql("DELETE FROM browser_sessions", params![]);
    let here = server.browser_of(&alice);
    let page = here.get("/p/account/sessions").page().text();
    assert!(page.contains("no longer signed in, but apps may go on") && page.contains("Portal"));

    end(&here, &id);

    assert_eq!(
        client.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );
    assert!(!here.get("/p/account/sessions").page().text().contains("apps may go on"));
}

/// A browser in which a sign-in was forgotten goes on to be known, and nobody is signed in there.
#[test]
fn where_a_sign_in_was_forgotten_nobody_is_signed_in() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().named("Portal").create();
    let there = server.browser_of(&alice);
    client.offline_tokens(&there, "openid");
    server.sql(
        "DELETE FROM browser_authentications WHERE identity_id = $1",
        params![alice.id],
    );
    let page = server.browser_of(&alice).get("/p/account/sessions").page().text();
    assert!(page.contains("no longer signed in, but apps may go on"), "{page}");
}

/// What a browser says of itself is kept short and printable.
#[test]
fn the_name_of_a_browser_is_cleaned() {
    let server = TestServer::new();
    let client = server.client().create();
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(client.params("openid").0)
        .finish();
    for (sent, kept) in [
        ("x".repeat(5000), Some(256)),
        ("tab\tin it".to_owned(), Some("tabin it".len())),
        ("".to_owned(), None),
    ] {
        server.sql("DELETE FROM browser_sessions", params![]);
        server
            .request(Method::GET, &format!("/v2/oauth2/authorize?{query}"))
            .header("user-agent", &sent)
            .send();
        let length = kept.map_or(0, |length| i64::try_from(length).unwrap());
        let sql = "SELECT cast(coalesce(sum(length(user_agent)), 0) AS BIGINT) FROM browser_sessions";
        assert_eq!(server.count(sql, params![]), length, "{sent:.20}");
        assert_eq!(server.count("SELECT count(*) FROM browser_sessions", params![]), 1);
    }
}
