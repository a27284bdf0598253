//! Class 20: Log-ins that keep every core busy with hashing, and guesses that lock the owner out.
//!
//! CVE-2018-14657; ZITADEL CVE-2025-64102.

use std::net::IpAddr;

use http::Method;
use portolan_server::domain::password::{Cost, Settings};

use super::support::{Answer, Browser, Request, TestServer, TestUser};

/// The login of a browser of its own, not yet sent.
fn login(server: &TestServer, username: &str, password: &str, from: &str) -> Request {
    let browser = server.browser();
    browser.get("/p/login");
    attempt(&browser, username, password, from)
}

fn attempt(browser: &Browser, username: &str, password: &str, from: &str) -> Request {
    let form = browser.form().set("username", username).set("password", password);
    let fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let cookies: Vec<String> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let request = browser.server().request(Method::POST, "/p/login").form(&fields);
    request
        .header("cookie", &cookies.join("; "))
        .from(from.parse::<IpAddr>().unwrap())
}

fn seconds_to_wait(answer: &Answer) -> u64 {
    let value = answer
        .header("retry-after")
        .unwrap_or_else(|| panic!("no Retry-After: {}", answer.summary()));
    value.parse().expect("seconds")
}

#[test]
fn a_flood_fills_the_queue_and_is_turned_away() {
    let slow = Settings {
        cost: Cost {
            memory_kib: 32 * 1024,
            iterations: 4,
            lanes: 1,
        },
        parallel: 1,
        waiting: 2,
    };
    let server = TestServer::with_hashing(slow, |_| {});
    let alice = server.user("alice").create();
    let requests = (0..40).map(|number| {
        login(
            &server,
            &format!("nobody{number}"),
            "a guess",
            &format!("198.51.100.{number}"),
        )
    });
    let answers = server.at_once(requests.collect());
    let hashed = answers.iter().filter(|answer| answer.status == 401).count();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert_eq!(
        hashed + refused.len(),
        40,
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    assert!(
        refused.len() >= 20,
        "one at a time and two that wait: {hashed} were hashed"
    );
    assert!(refused.iter().all(|answer| seconds_to_wait(answer) >= 1));
    // When it is over everybody gets in again, and the rest of the server never waited.
    assert_eq!(
        login(&server, "alice", &alice.password, "203.0.113.1").send().status,
        303
    );
}

#[test]
fn one_address_gets_so_many_attempts_a_minute() {
    let server = TestServer::with(|config| config.limits.logins_per_minute = 5);
    let alice = server.user("alice").create();
    let answers: Vec<Answer> = (0..10)
        .map(|number| login(&server, &format!("nobody{number}"), "a guess", "198.51.100.1").send())
        .collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert_eq!(statuses[5..], [429; 5]);
    assert!(answers[5..].iter().all(|answer| seconds_to_wait(answer) >= 1));
    // Neighbours in the same network of version 6 are one machine; others are not concerned.
    assert_eq!(
        login(&server, "alice", &alice.password, "198.51.100.2").send().status,
        303
    );
}

fn guess_until_blocked(server: &TestServer, alice: &TestUser) -> Answer {
    for number in 0..200 {
        let address = format!("198.51.{}.{}", number / 250, number % 250);
        let answer = login(server, &alice.username, &format!("guess {number}"), &address).send();
        match answer.status.as_u16() {
            401 => {}
            429 => return answer,
            _ => panic!("{}", answer.summary()),
        }
    }
    panic!("nobody was stopped from guessing");
}

#[test]
fn guesses_slow_down_and_the_owner_still_gets_in() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    // She was here before, in this browser; that is what tells her from a stranger.
    let hers = server.browser_of(&alice);
    let blocked = guess_until_blocked(&server, &alice);
    assert!(seconds_to_wait(&blocked) >= 1);
    // From wherever a stranger comes, even the right password does not help now.
    assert_eq!(
        login(&server, "alice", &alice.password, "203.0.113.7").send().status,
        429
    );
    // She signs out and in again.
    let client = server.client().create();
    assert!(
        hers.authorize(&client, &client.params("openid").set("prompt", "login"))
            .is_page()
    );
    assert_eq!(
        attempt(&hers, "alice", &alice.password, "203.0.113.8").send().status,
        303
    );
    // And the strangers' wait ends by itself.
    server.advance_seconds(3_600);
    assert_eq!(
        login(&server, "alice", &alice.password, "203.0.113.9").send().status,
        303
    );
}

#[test]
fn waits_grow_and_cannot_be_run_down_in_parallel() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let blocked = guess_until_blocked(&server, &alice);
        let wait = seconds_to_wait(&blocked);
        waits.push(wait);
        server.advance_seconds(wait);
    }
    assert!(waits.is_sorted() && waits.last() > waits.first(), "{waits:?}");

    // Fifty at once from fifty addresses are fifty failures: from there on it is blocked.
    let bob = server.user("bob").create();
    let guesses = (0..50).map(|number| login(&server, &bob.username, "a guess", &format!("198.51.100.{number}")));
    server.at_once(guesses.collect());
    assert_eq!(
        login(&server, &bob.username, &bob.password, "203.0.113.1")
            .send()
            .status,
        429
    );
}

/// The cookie of a known browser is bound to its account; another account's does not help.
#[test]
fn a_known_browser_is_known_for_one_account() {
    let server = TestServer::new();
    let (alice, mallory) = (server.user("alice").create(), server.user("mallory").create());
    let attackers = server.browser_of(&mallory);
    guess_until_blocked(&server, &alice);
    attackers.get("/v2/web/logout");
    attackers.submit(&attackers.form());
    attackers.get("/p/login");
    assert_eq!(
        attempt(&attackers, "alice", &alice.password, "203.0.113.7")
            .send()
            .status,
        429
    );
}
