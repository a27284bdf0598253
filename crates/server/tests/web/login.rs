//! The login page: what is told, what is counted, what a form must bring along.

use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use portolan_db::{Value, params};
use portolan_server::domain::identity;
use portolan_server::domain::password::{Cost, Hasher, Settings};
use portolan_server::store::passwords;
use portolan_types::Secret;

use crate::support::{Browser, Outcome, TestServer, TestUser, runtime};

fn status(outcome: &Outcome) -> StatusCode {
    outcome.page().status
}

fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/").page().text().contains("Signed in as")
}

/// What differs from page to page although the page says the same.
fn without_chance(server: &TestServer, browser: &Browser, username: &str) -> String {
    let form_token = browser.form().get("form_token").unwrap().to_owned();
    let options = browser.passkey_options("/p/login/passkey");
    let challenge = options["challenge"].as_str().unwrap();
    let text = browser
        .text()
        .replace(&form_token, "TOKEN")
        .replace(challenge, "CHALLENGE");
    let text = text.replace(username, "NAME");
    let (before, rest) = text.split_once("Request <code>").expect("the page names the request");
    assert!(server.config().operator_contact.is_none());
    format!("{before}{}", rest.split_once("</code>").unwrap().1)
}

#[test]
fn a_person_signs_in_with_and_without_the_domain_and_whatever_the_case() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for username in ["alice", "alice@portolan.local", " ALICE@Portolan.local "] {
        let browser = server.browser();
        browser.try_login(username, &alice.password);
        assert!(is_signed_in(&browser), "{username}");
    }
}

/// AA6.
#[test]
fn an_unknown_name_and_a_wrong_password_look_the_same() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let disabled = server.user("mallory").create();
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, disabled.id));
    let page = |username: &str, password: &str| {
        let browser = server.browser();
        let outcome = browser.try_login(username, password);
        let mut headers: Vec<String> = outcome.page().headers.keys().map(ToString::to_string).collect();
        headers.sort();
        assert!(!is_signed_in(&browser));
        // The page that is shown now is the start page; the refused one is in the outcome.
        let browser = server.browser();
        browser.try_login(username, password);
        (status(&outcome), headers, without_chance(&server, &browser, username))
    };

    let wrong = page(&alice.username, "not the password of anybody");

    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    assert!(wrong.2.contains("The username or the password is wrong."));
    assert_eq!(
        page("nobody@portolan.local", "not the password of anybody"),
        wrong,
        "unknown"
    );
    assert_eq!(
        page("who@elsewhere.example", "not the password of anybody"),
        wrong,
        "of another domain"
    );
    assert_eq!(
        page(&disabled.username, &disabled.password),
        wrong,
        "disabled, with the right password"
    );
}

/// AA6: no answer tells either when the password is longer than any can be.
#[test]
fn an_impossible_password_does_not_tell_whether_the_account_exists() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let attempt = |username: &str| {
        let browser = server.browser();
        status(&browser.try_login(username, &"x".repeat(5000)))
    };
    assert_eq!(attempt(&alice.username), attempt("nobody"));
}

/// AA1: nothing is cut off, and the same characters match however they were composed.
#[test]
fn passwords_match_as_a_whole_and_in_any_unicode_form() {
    let server = TestServer::new();
    let long: String = "correct horse ".chars().cycle().take(200).collect();
    let composed = "Brücke über die Spree \u{1F309} №5";
    let decomposed = "Bru\u{308}cke u\u{308}ber die Spree \u{1F309} №5";
    server.user("long").password(&long).create();
    server.user("unicode").password(composed).create();
    let table = [
        ("long", long.as_str(), true),
        ("long", &long[..199], false),
        ("long", &long[..72], false),
        ("long", &long.to_uppercase(), false),
        ("unicode", composed, true),
        ("unicode", decomposed, true),
        ("unicode", "Brucke uber die Spree \u{1F309} №5", false),
    ];
    for (username, password, right) in table {
        let browser = server.browser();
        browser.try_login(username, password);
        assert_eq!(is_signed_in(&browser), right, "{username} {password}");
    }
}

/// AA3.
#[test]
fn password_managers_find_their_fields() {
    let server = TestServer::new();
    let browser = server.browser();
    let page = browser.get("/p/login").page().text();
    assert!(page.contains("autocomplete=\"username webauthn\""));
    assert!(page.contains("type=\"password\" autocomplete=\"current-password\""));
    assert!(page.contains("data-reveal=\"password\""), "the password can be shown");
    assert!(!page.contains("onpaste"));
}

fn stored_hash(server: &TestServer, user: &TestUser) -> String {
    let id = user.id;
    server.read(move |tx| Ok(passwords::find(tx, id)?.expect("the account has a password")))
}

/// AA4: the parameters stand in the hash, and a login raises them.
#[test]
fn a_login_brings_an_old_hash_to_the_costs_of_today() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let old = Hasher::new(&Settings {
        cost: Cost {
            memory_kib: 8,
            iterations: 3,
            lanes: 1,
        },
        ..Settings::default()
    });
    let hash = runtime()
        .block_on(old.hash(Secret::new(alice.password.as_str())))
        .unwrap();
    assert!(hash.starts_with("$argon2id$") && hash.contains("t=3"), "{hash}");
    let id = alice.id;
    let stored = stored_hash(&server, &alice);
    server.write(move |tx| passwords::update_hash(tx, id, &stored, &hash));

    server.browser_of(&alice);

    let today = stored_hash(&server, &alice);
    assert!(today.contains("m=8,t=1,p=1"), "{today}");
    server.browser_of(&alice);
    assert_eq!(stored_hash(&server, &alice), today, "once is enough");
}

/// AA5.
#[test]
fn failures_slow_down_and_time_lets_the_person_in_again() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for _ in 0..5 {
        assert_eq!(
            status(&server.browser().try_login("alice", "wrong")),
            StatusCode::UNAUTHORIZED
        );
    }

    let browser = server.browser();
    let refused = browser.try_login("alice", &alice.password);

    assert_eq!(
        status(&refused),
        StatusCode::TOO_MANY_REQUESTS,
        "unseen, so also with the right password"
    );
    assert_eq!(refused.page().header("retry-after"), Some("1"));
    assert!(refused.page().text().contains("Try again in one second."));
    server.advance_seconds(1);
    browser.login(&alice);
    assert!(is_signed_in(&browser));
    for _ in 0..4 {
        assert_eq!(
            status(&server.browser().try_login("alice", "wrong")),
            StatusCode::UNAUTHORIZED
        );
    }
    assert!(is_signed_in(&server.browser_of(&alice)), "a success wipes the slate");
}

/// AA5: never out for long, whatever a stranger does.
#[test]
fn the_wait_grows_to_a_minute_and_after_a_hundred_failures_to_a_quarter_of_an_hour() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut waits = Vec::new();
    for _ in 0..101 {
        server.advance(Duration::from_secs(900));
        assert_eq!(
            status(&server.browser().try_login("alice", "wrong")),
            StatusCode::UNAUTHORIZED
        );
        let answer = server.browser().try_login("alice", "wrong");
        if let Some(wait) = answer.page().header("retry-after") {
            waits.push(wait.parse::<u64>().unwrap());
        }
        // The probe counts as long as nothing blocks.
        if waits.len() > 97 {
            break;
        }
    }
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(*waits.last().unwrap(), 900);
    assert!(waits.iter().all(|wait| *wait <= 900));

    server.advance_seconds(900);
    let browser = server.browser();
    browser.login(&alice);
    assert!(is_signed_in(&browser));
}

/// AA5, AA6: what does not exist is counted as well, or the wait would tell.
#[test]
fn unknown_accounts_are_slowed_down_like_known_ones() {
    let server = TestServer::new();
    server.user("alice").create();
    let outcomes = |name: &str| -> Vec<StatusCode> {
        (0..7)
            .map(|_| status(&server.browser().try_login(name, "wrong")))
            .collect()
    };
    assert_eq!(outcomes("alice"), outcomes("nobody"));
}

/// AA5, threats.md 20.
#[test]
fn a_stranger_cannot_keep_a_person_out_of_her_own_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let own = server.browser_of(&alice);
    own.get("/v2/web/logout");
    own.submit(&own.form());
    assert!(!is_signed_in(&own));
    for _ in 0..20 {
        server.browser().try_login("alice", "wrong");
    }

    own.login(&alice);

    assert!(is_signed_in(&own));
    let elsewhere = server.browser().try_login("alice", &alice.password);
    assert_eq!(status(&elsewhere), StatusCode::TOO_MANY_REQUESTS, "other browsers wait");
}

/// The mark of a known browser is for one account, and nobody can make it.
#[test]
fn a_mark_of_another_account_or_a_forged_one_does_not_count_apart() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let bob = server.user("bob").create();
    let name = "__Host-portolan-device";
    let mark = server
        .browser_of(&alice)
        .cookie(name)
        .expect("a login marks the browser");
    let of_bob = server.browser_of(&bob).cookie(name).unwrap();
    for _ in 0..6 {
        server.browser().try_login("alice", "wrong");
    }
    let forged = mark.replacen(&mark[40..44], "AAAA", 1);
    let swapped = of_bob.replace(&bob.id.to_string(), &alice.id.to_string());
    for (cookie, expected) in [
        (mark.as_str(), StatusCode::UNAUTHORIZED),
        (&of_bob, StatusCode::TOO_MANY_REQUESTS),
        (&forged, StatusCode::TOO_MANY_REQUESTS),
        (&swapped, StatusCode::TOO_MANY_REQUESTS),
        ("nonsense", StatusCode::TOO_MANY_REQUESTS),
    ] {
        let browser = server.browser();
        browser.set_cookie(name, cookie);
        assert_eq!(status(&browser.try_login("alice", "wrong")), expected, "{cookie}");
    }
}

/// AA5: against spraying one password over many accounts.
#[test]
fn an_address_has_only_so_many_attempts() {
    let server = TestServer::with(|config| config.limits.logins_per_minute = 3);
    let alice = server.user("alice").create();
    for name in ["a", "b", "c"] {
        assert_eq!(
            status(&server.browser().try_login(name, "wrong")),
            StatusCode::UNAUTHORIZED
        );
    }

    let limited = server.browser().try_login("alice", &alice.password);

    assert_eq!(status(&limited), StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.page().header("retry-after").is_some());
    let browser = server.browser();
    browser.get("/p/login");
    let form = browser.form().set("username", "alice").set("password", &alice.password);
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let cookie = browser.cookie("__Host-portolan").unwrap();
    let elsewhere: IpAddr = "198.51.100.7".parse().unwrap();
    let answer = server
        .request(Method::POST, "/p/login")
        .form(&fields)
        .header("cookie", &format!("__Host-portolan={cookie}"))
        .from(elsewhere)
        .send();
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "another address is not concerned");
}

/// G8: login CSRF. A form counts only with the token of a page that this browser got.
#[test]
fn a_login_form_needs_the_token_of_its_own_browser() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser();
    browser.get("/p/login");
    let form = browser.form().set("username", "alice").set("password", &alice.password);
    let strangers = server.browser();
    strangers.get("/p/login");
    let foreign = strangers.form().get("form_token").unwrap().to_owned();
    let own = form.get("form_token").unwrap().to_owned();

    for (what, attempt) in [
        ("a stranger's token", form.clone().set("form_token", &foreign)),
        ("no token", form.clone().without("form_token", &own)),
        ("nonsense", form.clone().set("form_token", "AAAA")),
    ] {
        assert_eq!(status(&browser.submit(&attempt)), StatusCode::FORBIDDEN, "{what}");
        assert!(!is_signed_in(&browser), "{what}");
    }
    let without_cookie = server.browser();
    assert_eq!(
        status(&without_cookie.submit(&form)),
        StatusCode::FORBIDDEN,
        "no cookie"
    );

    browser.submit(&form);
    assert!(is_signed_in(&browser), "the form itself was right");
}

/// Signing in changes the cookie, and with it the token of every form that was open before.
/// Whoever goes on in such a tab gets the form again, for the request of that tab.
#[test]
fn a_form_from_before_the_login_in_another_tab_is_offered_again() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser();
    let ask = |state: &str| {
        let params = client.params("openid").set("state", state).set("prompt", "login");
        browser.authorize(&client, &params);
        let form = browser.form();
        form.set("username", "alice").set("password", &alice.password)
    };
    let (first, second) = (ask("the-first"), ask("the-second"));
    browser.submit(&first);
    let page = browser.submit(&second);

    assert_eq!(status(&page), StatusCode::FORBIDDEN, "it counted for nothing");
    assert!(
        page.page().text().contains("signed in in another tab"),
        "{}",
        page.page().text()
    );
    let again = browser.form();
    assert_eq!(
        again.get("request"),
        second.get("request"),
        "it is for the request of that tab"
    );
    assert_eq!(
        again.get("username"),
        Some(""),
        "nothing of the stale form is taken over"
    );
    browser.submit(&again.set("username", "alice").set("password", &alice.password));
    let outcome = browser.allow();
    assert_eq!(outcome.state().as_deref(), Some("the-second"));

    // Without a request the person has what they came for.
    let other = server.browser();
    other.get("/p/login");
    let form = other.form().set("username", "alice").set("password", "wrong");
    other.login(&alice);
    let outcome = other.submit(&form);
    assert_eq!(status(&outcome), StatusCode::OK);
    assert!(is_signed_in(&other));
}

/// Somebody planted a second cookie of our name: neither counts.
#[test]
fn two_cookies_of_our_name_count_as_none() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let cookie = server.browser_of(&alice).cookie("__Host-portolan").unwrap();
    let page = |cookies: &str| server.request(Method::GET, "/").header("cookie", cookies).send().text();
    assert!(page(&format!("__Host-portolan={cookie}")).contains("Signed in as"));
    assert!(!page(&format!("__Host-portolan={cookie}; __Host-portolan={cookie}")).contains("Signed in as"));
}

#[test]
fn the_page_shows_who_asks_the_hint_and_the_message_and_cancel_answers_the_app() {
    let server = TestServer::new();
    let client = server.client().named("Beam <b>Line</b>").create();
    let browser = server.browser();
    let params = client
        .params("openid")
        .set("login_hint", "carol@portolan.local")
        .set("session_message", "<i>Bring your badge</i>");

    let page = browser.authorize(&client, &params).page().text();

    assert!(
        page.contains("to continue to <strong>Beam &#60;b&#62;Line&#60;/b&#62;</strong>"),
        "{page}"
    );
    assert!(page.contains("value=\"carol@portolan.local\""));
    assert!(page.contains("&#60;i&#62;Bring your badge&#60;/i&#62;"));
    let outcome = browser.deny();
    assert_eq!(outcome.error().as_deref(), Some("access_denied"));
    assert_eq!(outcome.state().as_deref(), Some("the-state"));
    assert_eq!(outcome.iss(), Some(server.issuer()));
}

#[test]
fn a_failed_attempt_keeps_the_request_and_the_username_but_not_the_password() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid"));
    let request = browser.form().get("request").unwrap().to_owned();

    browser.try_login("alice", "a password that is wrong");

    assert_eq!(browser.form().get("request"), Some(request.as_str()));
    assert_eq!(browser.form().get("username"), Some("alice"));
    assert!(!browser.text().contains("a password that is wrong"));
    browser.login(&alice);
    assert!(browser.allow().left().get("code").is_some());
}

#[test]
fn logins_leave_a_trail_without_what_was_typed() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    server.browser().try_login("alice", "a secret typed by mistake");
    server.browser().try_login("a secret typed by mistake", "x");
    server.browser_of(&alice);
    let count = |action: &str| {
        let params = params![action, alice.id.to_string()];
        server.count(
            "SELECT count(*) FROM audit_events WHERE action = $1 AND resource_id = $2",
            params,
        )
    };
    assert_eq!((count("login.refused"), count("login.succeeded")), (1, 1));
    let none: [Value; 0] = [];
    assert_eq!(
        server.count("SELECT count(*) FROM audit_events WHERE action = 'login.refused'", none),
        1,
        "of what does not exist there is no trail"
    );
}

/// The own password is never in an address, and no other site learns the page's address.
#[test]
fn a_login_answers_by_303_to_a_path_of_the_server() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser();
    browser.get("/p/login?next=https%3A%2F%2Fevil.example");
    let form = browser.form().set("username", "alice").set("password", &alice.password);
    let answer = browser.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"));
}

/// H6, H7.
#[test]
fn the_page_says_why_somebody_signed_in_is_asked_again() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let page = |name: &str, value: &str| {
        let outcome = browser.authorize(&client, &client.params("openid").set(name, value));
        assert_eq!(outcome.title(), "Sign in", "{name}={value}");
        outcome.page().text()
    };
    assert!(page("prompt", "login").contains("wants to be sure that it is still you"));
    assert!(page("prompt", "select_account").contains("Signed in as"));
    server.advance_seconds(100);
    assert!(page("max_age", "99").contains("needs a more recent sign-in"));
    assert!(page("max_age", "0").contains("Why am I asked again?"));
    assert!(page("session_required_single_domain", "else.example").contains("an account at else.example"));
    assert!(page("session_required_mfa", "True").contains("a sign-in with two factors"));
}
