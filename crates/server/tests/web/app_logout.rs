//! Logout between this server and apps: OpenID Connect RP-Initiated Logout 1.0 and
//! Back-Channel Logout 1.0 (standards.md K1 to K5). What the page does by itself is tested
//! in `logout.rs`.

use http::{Method, StatusCode};
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeySet};
use portolan_db::params;
use portolan_server::domain::{identity, logout as rules};
use portolan_server::jobs;
use portolan_types::api::{Change, ClientChanges};
use serde_json::{Value, json};

use super::identities::{require, server_provider};
use crate::support::{Answer, Browser, Receiver, TestClient, TestServer, TestUser, encode, runtime};

const BYE: &str = "https://app.example/bye?from=portolan";

fn register(client: &TestClient, changes: ClientChanges) {
    let record = client.record();
    client.server.write(move |tx| rules::register(tx, &record, &changes));
}

/// A client that people are sent back to at [`BYE`].
fn returning(server: &TestServer) -> TestClient {
    let client = server.client().named("The App").create();
    register(
        &client,
        ClientChanges {
            post_logout_redirect_uris: Change::Set(vec![BYE.into()]),
            ..ClientChanges::default()
        },
    );
    client
}

/// A request as an app makes it: by a redirect of its own site.
fn logout(browser: &Browser, params: &[(&str, &str)]) -> Answer {
    let cookies: Vec<String> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let answer = browser
        .server()
        .request(Method::GET, &format!("/v2/web/logout?{}", encode(params)))
        .header("cookie", &cookies.join("; "))
        .header("sec-fetch-site", "cross-site")
        .send();
    assert!(
        answer.status == StatusCode::OK || answer.status == StatusCode::SEE_OTHER,
        "{}",
        answer.summary()
    );
    answer
}

fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/v2/web/consents").title() != "Sign in"
}

struct World {
    server: TestServer,
    alice: TestUser,
    client: TestClient,
    browser: Browser,
    hint: String,
}

fn world() -> World {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = returning(&server);
    let browser = server.browser_of(&alice);
    let hint = client.tokens(&browser, "openid").id_token().to_owned();
    World {
        server,
        alice,
        client,
        browser,
        hint,
    }
}

/// K1: with the hint and the registered address the person returns there with the same
/// state, and a following `prompt=none` fails.
#[test]
fn k1_the_person_returns_to_the_registered_address_with_the_same_state() {
    let w = world();
    let answer = logout(
        &w.browser,
        &[
            ("id_token_hint", &w.hint),
            ("post_logout_redirect_uri", BYE),
            ("state", "a b&c"),
            ("client_id", &w.client.id.to_string()),
            ("logout_hint", "alice"),
            ("ui_locales", "de en"),
        ],
    );

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), format!("{BYE}&state=a+b%26c"));
    let outcome = w
        .browser
        .authorize(&w.client, &w.client.params("openid").set("prompt", "none"));
    assert_eq!(outcome.error().as_deref(), Some("login_required"));

    // Once more, now that nobody is signed in; and without state.
    let again = logout(
        &w.browser,
        &[("id_token_hint", &w.hint), ("post_logout_redirect_uri", BYE)],
    );
    assert_eq!(again.location(), BYE);
}

/// K1: a hint is old by nature.
#[test]
fn k1_an_expired_hint_is_as_good() {
    let w = world();
    w.server.advance_seconds(60 * 86_400);
    let browser = w.server.browser_of(&w.alice);
    let answer = logout(
        &browser,
        &[("id_token_hint", &w.hint), ("post_logout_redirect_uri", BYE)],
    );
    assert_eq!(answer.location(), BYE);
    assert!(!is_signed_in(&browser));
}

/// K1: a POST of an app comes without the cookie, so it becomes a GET.
#[test]
fn k1_an_app_may_post_the_same() {
    let w = world();
    let fields = [
        ("id_token_hint", w.hint.as_str()),
        ("post_logout_redirect_uri", BYE),
        ("state", "s"),
        ("evil", "x"),
    ];
    let posted = w
        .server
        .request(Method::POST, "/v2/web/logout")
        .form(&fields)
        .header("sec-fetch-site", "cross-site")
        .send();
    assert_eq!(posted.status, StatusCode::SEE_OTHER);
    let query = encode(&fields[..3]);
    assert_eq!(posted.location(), format!("/v2/web/logout?{query}"));
    assert!(is_signed_in(&w.browser), "not by itself");
}

/// K2: each of these redirects nowhere and asks.
#[test]
fn k2_nobody_is_sent_to_an_address_without_a_genuine_hint_of_the_client_that_registered_it() {
    let w = world();
    let other = w.server.client().named("Other").create();
    let others_hint = other.tokens(&w.browser, "openid").id_token().to_owned();
    let (signed, signature) = w.hint.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let (_, payload) = signed.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let id = w.client.id.to_string();
    let table: &[(&str, &[(&str, &str)])] = &[
        ("no hint", &[("post_logout_redirect_uri", BYE)]),
        (
            "client instead of a hint",
            &[("client_id", &id), ("post_logout_redirect_uri", BYE)],
        ),
        (
            "forged",
            &[("id_token_hint", &forged), ("post_logout_redirect_uri", BYE)],
        ),
        (
            "unsigned",
            &[("id_token_hint", &unsigned), ("post_logout_redirect_uri", BYE)],
        ),
        (
            "of another client",
            &[("id_token_hint", &others_hint), ("post_logout_redirect_uri", BYE)],
        ),
        (
            "of another client than named",
            &[
                ("id_token_hint", &others_hint),
                ("client_id", &id),
                ("post_logout_redirect_uri", BYE),
            ],
        ),
        (
            "unregistered",
            &[
                ("id_token_hint", &w.hint),
                ("post_logout_redirect_uri", "https://evil.example/"),
            ],
        ),
        (
            "altered",
            &[
                ("id_token_hint", &w.hint),
                ("post_logout_redirect_uri", "https://app.example/bye?from=portolan&x=1"),
            ],
        ),
        (
            "a redirect URI of logins",
            &[
                ("id_token_hint", &w.hint),
                ("post_logout_redirect_uri", "https://app.example/callback"),
            ],
        ),
        ("nothing at all", &[]),
    ];
    for (what, params) in table {
        let answer = logout(&w.browser, params);
        assert_eq!(answer.status, StatusCode::OK, "{what}");
        assert!(answer.text().contains("Log out?"), "{what}: {}", answer.text());
        assert!(is_signed_in(&w.browser), "{what}");
        let path = format!("/v2/web/logout?{}", encode(params));
        if params.iter().any(|(name, _)| *name == "post_logout_redirect_uri") {
            // Who says yes is signed out, and still not sent there.
            let copy = w.browser.clone();
            copy.get(&path);
            let page = copy.submit(&copy.form());
            assert!(page.page().text().contains("Logged out"), "{what}");
            assert!(!page.page().text().contains("evil.example"), "{what}");
            w.browser.clear_cookies();
            w.browser.login(&w.alice);
        }
    }
}

/// K2: without parameters the person is asked, then logged out.
#[test]
fn k2_without_parameters_the_person_is_asked_then_logged_out() {
    let w = world();
    let asked = logout(&w.browser, &[]);
    assert!(asked.text().contains("Log out?"));
    let form = crate::support::forms(&asked.text()).remove(0);
    assert!(w.browser.submit(&form).page().text().contains("Logged out"));
    assert!(!is_signed_in(&w.browser));
}

/// K3: somebody else's genuine hint asks; who says yes goes back to that app.
#[test]
fn k3_a_hint_about_somebody_else_asks_first() {
    let w = world();
    let bob = w.server.user("bob").create();
    let browser = w.server.browser_of(&bob);
    let asked = logout(
        &browser,
        &[
            ("id_token_hint", &w.hint),
            ("post_logout_redirect_uri", BYE),
            ("state", "s"),
        ],
    );
    assert!(asked.text().contains("Log out?") && is_signed_in(&browser));
    let csp = asked.header("content-security-policy").unwrap();
    assert!(csp.contains("form-action 'self' https:;"), "{csp}");
    let form = crate::support::forms(&asked.text()).remove(0);
    let left = browser.submit(&form);
    assert_eq!(left.left().location, format!("{BYE}&state=s"));
    assert!(!is_signed_in(&browser));
}

/// K4: the session ends in the store, so on every node.
#[test]
fn k4_the_session_ends_on_every_node_at_once() {
    let w = world();
    let other = w.server.second_node();
    let cookies = w.browser.cookies().clone();
    logout(&w.browser, &[("id_token_hint", &w.hint)]);
    let elsewhere = other.browser();
    for (name, value) in &cookies {
        elsewhere.set_cookie(name, value);
    }
    assert!(!is_signed_in(&elsewhere));
}

/// What a client registers is read and refused like redirect URIs.
#[test]
fn addresses_are_registered_by_the_rules_of_redirect_uris() {
    let server = TestServer::new();
    let client = server.client().create();
    let record = client.record();
    for (uri, back) in [
        ("http://app.example/", false),
        ("javascript:alert(1)", false),
        ("https://app.example/#x", true),
        ("org.example.app:/x", true),
        ("https://user@app.example/", true),
    ] {
        let (record, uri) = (record.clone(), uri.to_owned());
        let refused = server.app().db.write_blocking(move |tx| {
            let changes = if back {
                ClientChanges {
                    backchannel_logout_uri: Change::Set(uri.clone()),
                    ..ClientChanges::default()
                }
            } else {
                ClientChanges {
                    post_logout_redirect_uris: Change::Set(vec![uri.clone()]),
                    ..ClientChanges::default()
                }
            };
            rules::register(tx, &record, &changes)
        });
        let error = refused.unwrap_err();
        assert!(error.detail().contains("logout"), "{error}");
    }
    let of_number = |number: usize| ClientChanges {
        post_logout_redirect_uris: Change::Set((0..number).map(|n| format!("https://app.example/{n}")).collect()),
        ..ClientChanges::default()
    };
    register(&client, of_number(100));
    let refused = server
        .app()
        .db
        .write_blocking(move |tx| rules::register(tx, &record, &of_number(101)));
    assert_eq!(refused.unwrap_err().detail(), "post_logout_redirect_uris: at most 100");
}

fn listening(server: &TestServer, receiver: &Receiver, name: &str) -> TestClient {
    let client = server.client().named(name).create();
    register(
        &client,
        ClientChanges {
            backchannel_logout_uri: Change::Set(receiver.url(&format!("/{name}"))),
            backchannel_logout_session_required: Change::Set(true),
            ..ClientChanges::default()
        },
    );
    client
}

fn deliver(server: &TestServer) -> usize {
    runtime().block_on(jobs::logout::run_once(server.app())).unwrap()
}

fn server() -> TestServer {
    TestServer::with(|config| config.outgoing_allow = vec!["127.0.0.0/8".parse().unwrap()])
}

/// As a relying party does it: with the keys that are published.
fn verify(server: &TestServer, token: &str) -> (Value, Value) {
    let keys: CoreJsonWebKeySet = serde_json::from_value(server.get("/jwk.json").ok().json()).unwrap();
    let mut parts = token.split('.');
    let decode = |part: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()
    };
    let header: Value = serde_json::from_slice(&decode(parts.next().unwrap())).unwrap();
    let claims: Value = serde_json::from_slice(&decode(parts.next().unwrap())).unwrap();
    let signature = decode(parts.next().unwrap());
    let signed = token.rsplit_once('.').unwrap().0;
    let keys: &JsonWebKeySet<_> = &keys;
    let key = keys
        .keys()
        .iter()
        .find(|key| key.key_id().map(|id| id.as_str()) == header["kid"].as_str())
        .unwrap();
    key.verify_signature(
        &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        signed.as_bytes(),
        &signature,
    )
    .unwrap();
    (header, claims)
}

/// K5.
#[test]
fn k5_an_app_is_told_by_a_logout_token_that_names_the_session_of_its_id_token() {
    let (server, receiver) = (server(), Receiver::start());
    let alice = server.user("alice").create();
    let client = listening(&server, &receiver, "app");
    let silent = server.client().create();
    let browser = server.browser_of(&alice);
    let id_token = client.tokens(&browser, "openid").claims();
    silent.tokens(&browser, "openid");
    assert!(id_token["sid"].is_string());

    browser.get("/v2/web/logout");
    browser.submit(&browser.form());

    assert_eq!(receiver.take().len(), 0, "the browser does not wait for it");
    server.advance_seconds(30);
    assert_eq!(deliver(&server), 1);
    let post = receiver.take().remove(0);
    assert_eq!(post.path, "/app");
    assert_eq!(post.fields.len(), 1);
    let (header, claims) = verify(&server, &post.fields[0].1);
    assert_eq!(header["typ"], "logout+jwt");
    let now = server.now().seconds();
    let expected = json!({
        "iss": server.issuer(),
        "aud": client.id,
        "sub": id_token["sub"],
        "sid": id_token["sid"],
        "iat": now,
        "exp": now + 120,
        "jti": claims["jti"],
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    assert_eq!(claims, expected, "and no nonce");
    // It does not pass for an ID token.
    let keys = server.app().keys();
    assert!(keys.verify_jws(&post.fields[0].1, "JWT").is_err());
    assert_eq!(deliver(&server), 0, "once");

    let discovery = server.get("/.well-known/openid-configuration").json();
    assert_eq!(discovery["backchannel_logout_supported"], true);
    assert_eq!(discovery["backchannel_logout_session_supported"], true);
}

/// K5: the token is about whom the ID token was about: the account of the provider that the
/// app requires, whichever linked one the person signed in with.
#[test]
fn k5_the_subject_is_the_effective_identity_of_the_app() {
    let (server, receiver) = (server(), Receiver::start());
    let (alice, other) = (server.user("alice").create(), server.user("alice-at-work").create());
    server.link(&alice, &other);
    let usual = listening(&server, &receiver, "usual");
    let strict = listening(&server, &receiver, "strict");
    let work = server_provider(&server);
    server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![other.id, work],
    );
    require(&server, &strict, work);
    let browser = server.browser_of(&alice);
    let subject = |client: &TestClient| client.tokens(&browser, "openid").claims()["sub"].clone();
    let expected = [("/usual", subject(&usual)), ("/strict", subject(&strict))];
    assert_eq!(expected[0].1, json!(alice.id));
    assert_eq!(expected[1].1, json!(other.id), "not the one that signed in");

    browser.get("/v2/web/logout");
    browser.submit(&browser.form());

    assert_eq!(deliver(&server), 2);
    let posts = receiver.take();
    for (path, subject) in expected {
        let post = posts.iter().find(|post| post.path == path).unwrap();
        let (_, claims) = verify(&server, &post.fields[0].1);
        assert_eq!(claims["sub"], subject, "{path}");
    }
}

/// K5: delivery is repeated with limits; a client that fails does not hold up another.
#[test]
fn k5_delivery_is_repeated_with_growing_delays_and_given_up() {
    let (server, receiver, well) = (server(), Receiver::start(), Receiver::start());
    let alice = server.user("alice").create();
    let failing = listening(&server, &receiver, "app");
    let other = listening(&server, &well, "other");
    let browser = server.browser_of(&alice);
    failing.tokens(&browser, "openid");
    other.tokens(&browser, "openid");
    browser.get("/v2/web/logout");
    browser.submit(&browser.form());
    (0..7).for_each(|_| receiver.answer(503));

    assert_eq!(deliver(&server), 1);
    assert_eq!(well.take().len(), 1);
    let first = receiver.take().remove(0);
    assert_eq!(deliver(&server), 0, "not before its time");
    let mut jtis = vec![verify(&server, &first.fields[0].1).1["jti"].clone()];
    for seconds in [5, 30, 120, 600, 3600, 4 * 3600] {
        server.advance_seconds(seconds);
        deliver(&server);
        let post = receiver.take().remove(0);
        let (_, claims) = verify(&server, &post.fields[0].1);
        assert_eq!(claims["iat"], server.now().seconds(), "each one is fresh");
        jtis.push(claims["jti"].clone());
    }
    jtis.dedup();
    assert_eq!(jtis.len(), 1);
    assert_eq!(server.count("SELECT count(*) FROM logout_deliveries", params![]), 0);
    let given_up = "SELECT count(*) FROM audit_events WHERE action = 'logout.give_up'";
    assert_eq!(server.count(given_up, params![]), 1);
}

/// G12, threats.md 13: by default this machine's own network is not called.
#[test]
fn k5_addresses_inside_the_network_are_not_called_without_leave() {
    let (server, receiver) = (TestServer::new(), Receiver::start());
    let alice = server.user("alice").create();
    let client = listening(&server, &receiver, "app");
    let browser = server.browser_of(&alice);
    client.tokens(&browser, "openid");
    browser.get("/v2/web/logout");
    browser.submit(&browser.form());

    assert_eq!(deliver(&server), 0);
    assert_eq!(receiver.take().len(), 0);
    assert_eq!(
        server.count("SELECT count(*) FROM logout_deliveries", params![]),
        1,
        "it waits"
    );
}

/// K5: whatever ends a session tells its apps, in the same transaction.
#[test]
fn k5_every_end_of_a_session_is_told() {
    let (server, receiver) = (server(), Receiver::start());
    let client = listening(&server, &receiver, "app");
    type End = fn(&TestServer, &TestUser, &Browser);
    let ends: &[(&str, End)] = &[
        ("a hint", |server, _, browser| {
            let client = server.client().create();
            let hint = client.tokens(browser, "openid").id_token().to_owned();
            logout(browser, &[("id_token_hint", &hint)]);
        }),
        ("account switched off", |server, user, _| {
            let (ctx, id) = (server.ctx(), user.id);
            server.write(move |tx| identity::switch_off(tx, &ctx, id));
        }),
        ("another password", |server, user, _| {
            let (ctx, id) = (server.ctx(), user.id);
            server.write(move |tx| identity::set_password(tx, &ctx, id, "$argon2id$"));
        }),
        ("another person takes the browser over", |server, _, browser| {
            let other = server.user("other").create();
            let client = server.client().create();
            browser.authorize(&client, &client.params("openid").set("prompt", "login"));
            browser.login(&other);
        }),
    ];
    for (number, (what, end)) in ends.iter().enumerate() {
        let user = server.user(&format!("person{number}")).create();
        let browser = server.browser_of(&user);
        let claims = client.tokens(&browser, "openid").claims();
        end(&server, &user, &browser);
        assert_eq!(deliver(&server), 1, "{what}");
        let post = receiver.take().remove(0);
        let told = verify(&server, &post.fields[0].1).1;
        assert_eq!((&told["sub"], &told["sid"]), (&claims["sub"], &claims["sid"]), "{what}");
        server.advance_seconds(1);
    }
}
