//! Class 21: Answers and times that tell who exists.
//!
//! Kanidm 1.10 (secrets that were not compared in constant time).
//!
//! Times are not measured here: on a machine that does other things a few microseconds
//! drown, and a test that fails at random teaches everybody to ignore it. What takes the
//! time is counted instead. A log-in costs a password hash, tens of milliseconds, and a
//! few units of work on the store; both must be the same for those who exist and those
//! who do not. Secrets are compared by their hashes in a type whose comparison takes
//! constant time (`TokenHash`, `Secret`), and there is no other way to compare them.

use std::task::{Context, Waker};

use http::Method;
use portolan_server::domain::identity;
use portolan_server::domain::password::{Cost, Settings};
use portolan_types::Secret;

use super::support::{Answer, Auth, TestServer, runtime};

fn login(server: &TestServer, username: &str) -> Answer {
    let browser = server.browser();
    browser.get("/p/login");
    let form = browser
        .form()
        .set("username", username)
        .set("password", "a wrong guess at a password");
    browser.send(Method::POST, "/p/login", Some(&form.fields))
}

/// People of every kind that cannot log in with this password, and nobody.
fn accounts(server: &TestServer) -> Vec<&'static str> {
    server.user("known").create();
    let disabled = server.user("disabled").create().id;
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, disabled));
    let passwordless = server.user("passwordless").create().id;
    server.sql(
        "DELETE FROM passwords WHERE identity_id = $1",
        portolan_db::params![passwordless],
    );
    let closed = server.user("closed").create().id;
    server.write(move |tx| portolan_server::store::identities::close(tx, closed));
    vec![
        "known",
        "disabled",
        "passwordless",
        "closed",
        "unknown",
        "unknown@elsewhere.example",
        "<impossible>",
        "",
    ]
}

/// What differs each time: ids, tokens, the name that was typed.
fn essence(answer: &Answer, username: &str) -> (u16, String) {
    let mut text = answer.text();
    for (start, end) in [
        ("name=\"form_token\" value=\"", "\""),
        ("<code>", "</code>"),
        ("name=\"username\"", ">"),
        ("data-options=\"", "\""),
    ] {
        while let Some(at) = text.find(start) {
            let length = text[at + start.len()..].find(end).unwrap();
            text.replace_range(at..at + start.len() + length, "");
        }
    }
    (
        answer.status.as_u16(),
        text.replace(username, if username.is_empty() { "" } else { "NAME" }),
    )
}

#[test]
fn a_refused_login_says_nothing_about_the_account() {
    let server = TestServer::new();
    let accounts = accounts(&server);
    let reference = essence(&login(&server, "known"), "known");
    assert_eq!(reference.0, 401);
    for username in accounts.iter().filter(|username| !username.starts_with('<')) {
        let answer = essence(&login(&server, username), username);
        assert_eq!(answer.0, 401, "{username}");
        let words = |text: &str| {
            text.split("role=\"alert\"")
                .nth(1)
                .map(|rest| rest.chars().take(200).collect::<String>())
        };
        assert_eq!(words(&answer.1), words(&reference.1), "{username}");
    }
}

#[test]
fn a_refused_login_takes_the_same_units_of_work() {
    let server = TestServer::new();
    let accounts = accounts(&server);
    let mut counts = Vec::new();
    for username in &accounts {
        let before = server.app().db.stats();
        assert_eq!(login(&server, username).status, 401, "{username}");
        let after = server.app().db.stats();
        counts.push((after.units - before.units, after.finds - before.finds));
    }
    assert!(
        counts.iter().all(|count| *count == counts[0]),
        "{accounts:?} {counts:?}"
    );
}

/// With the one place for hashing taken, whoever needs a hash is turned away, and whoever
/// does not is answered: so all of them need one.
#[test]
fn a_refused_login_takes_a_hash_whoever_it_names() {
    let slow = Settings {
        cost: Cost {
            memory_kib: 128 * 1024,
            iterations: 4,
            lanes: 1,
        },
        parallel: 1,
        waiting: 0,
    };
    let server = TestServer::with_hashing(slow, |_| {});
    for username in accounts(&server) {
        // Polled once, it has taken the place; the hash then costs far more than one request.
        let hasher = server.app().hasher.clone();
        let mut holder = Box::pin(async move { hasher.hash(Secret::new("holds the place")).await });
        {
            let _inside = runtime().enter();
            let begun = holder.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(begun.is_pending());
        }
        let browser = server.browser();
        browser.get("/p/login");
        let form = browser
            .form()
            .set("username", username)
            .set("password", "a wrong guess at a password");
        let answer = browser.send(Method::POST, "/p/login", Some(&form.fields));
        assert_eq!(
            answer.status, 503,
            "{username:?} was answered without a hash: {}",
            answer.status
        );
        runtime().block_on(holder).unwrap();
    }
}

#[test]
fn a_refused_client_is_unknown_or_wrong_and_nobody_can_tell() {
    let server = TestServer::new();
    let client = server.client().create();
    let disabled = server.client().create();
    server.sql(
        "UPDATE clients SET enabled = 0 WHERE id = $1",
        portolan_db::params![disabled.id],
    );
    let unknown = portolan_types::ClientId(portolan_server::app::new_uuid()).to_string();
    let public = server.client().public_installed().create();
    let cases = [
        (client.id.to_string(), "guessed".to_owned()),
        (unknown.clone(), "guessed".to_owned()),
        (disabled.id.to_string(), disabled.secret.clone().unwrap()),
        (unknown, client.secret.clone().unwrap()),
        (public.id.to_string(), "guessed".to_owned()),
    ];
    let mut answers = Vec::new();
    for (id, secret) in &cases {
        for path in [
            "/v2/oauth2/token",
            "/v2/oauth2/token/introspect",
            "/v2/oauth2/token/validate",
            "/v2/oauth2/token/revoke",
        ] {
            let form = [
                ("grant_type", "client_credentials"),
                ("scope", "openid"),
                ("token", "x"),
            ];
            let before = server.app().db.stats();
            let answer = server.post_form(path, &Auth::Basic(id.clone(), secret.clone()), &form);
            let after = server.app().db.stats();
            let mut document = answer.json();
            document["errors"][0]["id"] = serde_json::Value::Null;
            let challenge = answer.header("www-authenticate").map(str::to_owned);
            answers.push((
                answer.status.as_u16(),
                document.to_string(),
                challenge,
                after.units + after.finds - before.units - before.finds,
            ));
        }
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

/// At the authorization endpoint as well, before a person is asked.
#[test]
fn tokens_that_never_were_look_like_those_of_others() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let (client, other) = (server.client().create(), server.client().create());
    let tokens = client.offline_tokens(&browser, "openid");
    let code = client.code(&browser, "openid");
    let redeem = |code: &str| other.token(&other.exchange_params(code)).outcome();
    assert_eq!(redeem(&code), redeem("AgPCnever"));
    let refresh = |token: &str| other.try_refresh(token).outcome();
    assert_eq!(refresh(tokens.refresh_token()), refresh("AgPRnever"));
    let introspect = |token: &str| other.post("/v2/oauth2/token/introspect", &[("token", token)]).text();
    assert_eq!(introspect(tokens.access_token()), introspect("AgPAnever"));
    let revoke = |token: &str| other.post("/v2/oauth2/token/revoke", &[("token", token)]).text();
    assert_eq!(revoke(tokens.refresh_token()), revoke("AgPRnever"));
    client.exchange(&code);
}
