//! A provider that lies in every way we know: each lie is refused with words of its own and
//! an audit record, and nobody is signed in. Threats 11 and 12 (ZITADEL CVE-2026-55669,
//! CVE-2025-46815; Apache Camel CVE-2026-23552; Keycloak CVE-2020-14302, CVE-2026-11800;
//! Hydra CVE-2020-5300).

use std::collections::BTreeSet;

use http::StatusCode;
use portolan_db::params;
use portolan_server::texts::Language;
use portolan_server::upstream::fault::{self, Blame, Fault};
use portolan_types::IdentityProviderId;
use serde_json::json;

use crate::support::{Browser, FakeProvider, Outcome, Script, Signer, TestServer};

pub fn server() -> TestServer {
    TestServer::with(|config| config.outgoing_allow = vec!["127.0.0.0/8".parse().unwrap()])
}

pub fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/").page().text().contains("Signed in as")
}

fn refusals(server: &TestServer, id: IdentityProviderId, reason: &str) -> i64 {
    let detail = json!({ "reason": reason }).to_string();
    server.count(
        "SELECT count(*) FROM audit_events
          WHERE action = 'login.refused' AND resource_kind = 'identity_provider' AND resource_id = $1 AND detail = $2",
        params![id.to_string(), detail],
    )
}

/// The page of a refusal: which provider, what is wrong, what to do, a way back.
#[track_caller]
pub fn assert_refused(
    server: &TestServer,
    browser: &Browser,
    id: IdentityProviderId,
    outcome: &Outcome,
    fault: Fault,
    name: &str,
) {
    let page = outcome.page();
    let text = crate::support::unescape(&page.text());
    assert!(
        text.contains(Language::En.text(fault.text)),
        "{name}: {}",
        page.summary()
    );
    assert!(text.contains(&format!("<code>{}</code>", fault.code)), "{name}");
    assert!(
        outcome.title().starts_with("Signing in through The provider "),
        "{name}"
    );
    assert!(text.contains("Choose how to sign in"), "{name}");
    let status = match fault.blame {
        Blame::Person | Blame::Setup => StatusCode::FORBIDDEN,
        Blame::Outage => StatusCode::SERVICE_UNAVAILABLE,
        Blame::Provider => StatusCode::BAD_GATEWAY,
    };
    assert_eq!(page.status, status, "{name}");
    assert_eq!(refusals(server, id, fault.code), 1, "{name}: the audit trail");
    assert!(!is_signed_in(browser), "{name}");
}

type Lie = (&'static str, Fault, fn(&mut Script));

fn set(script: &mut Script, claim: &str, value: serde_json::Value) {
    script.claims[claim] = value;
}

const LIES: &[Lie] = &[
    // The discovery document.
    ("another issuer", fault::DOCUMENT_ISSUER, |s| {
        s.document["issuer"] = json!("https://evil.example")
    }),
    ("the issuer with a slash", fault::DOCUMENT_ISSUER, |s| {
        s.document["issuer"] = json!(format!("{}/", s.issuer));
    }),
    ("no issuer", fault::DOCUMENT_ISSUER, |s| {
        s.document["issuer"] = json!(null)
    }),
    ("no place to sign in", fault::DOCUMENT_INCOMPLETE, |s| {
        s.document["authorization_endpoint"] = json!(null);
    }),
    ("no token endpoint", fault::DOCUMENT_INCOMPLETE, |s| {
        s.document["token_endpoint"] = json!(null)
    }),
    ("no place of keys", fault::DOCUMENT_INCOMPLETE, |s| {
        s.document["jwks_uri"] = json!(null)
    }),
    ("keys on a machine inside", fault::DOCUMENT_ADDRESS, |s| {
        s.document["jwks_uri"] = json!("https://10.0.0.1/keys");
    }),
    ("tokens from a machine inside", fault::DOCUMENT_ADDRESS, |s| {
        s.document["token_endpoint"] = json!("https://169.254.169.254/latest");
    }),
    ("tokens without https", fault::DOCUMENT_ADDRESS, |s| {
        s.document["token_endpoint"] = json!("http://192.0.43.8/token");
    }),
    ("a script as address", fault::DOCUMENT_ADDRESS, |s| {
        s.document["authorization_endpoint"] = json!("javascript:alert(1)");
    }),
    ("an address that is none", fault::DOCUMENT_MALFORMED, |s| {
        s.document["token_endpoint"] = json!(7)
    }),
    ("no JSON", fault::DOCUMENT_MALFORMED, |s| {
        s.document_answer = Some((200, "<html>".into()))
    }),
    ("a list", fault::DOCUMENT_MALFORMED, |s| {
        s.document_answer = Some((200, "[]".into()))
    }),
    ("a document without end", fault::DOCUMENT_MALFORMED, |s| {
        s.document_answer = Some((200, " ".repeat(70_000)));
    }),
    ("no document", fault::DOCUMENT_REFUSED, |s| {
        s.document_answer = Some((404, String::new()))
    }),
    ("an error", fault::DOCUMENT_REFUSED, |s| {
        s.document_answer = Some((500, String::new()))
    }),
    ("a document elsewhere", fault::DOCUMENT_REFUSED, |s| {
        s.document_answer = Some((302, "https://evil.example/".into()));
    }),
    ("no code flow", fault::DOCUMENT_NO_CODE, |s| {
        s.document["response_types_supported"] = json!(["id_token"]);
    }),
    ("shared secrets only", fault::DOCUMENT_ALGORITHMS, |s| {
        s.document["id_token_signing_alg_values_supported"] = json!(["HS256", "none"]);
    }),
    // The keys.
    ("no keys", fault::ID_TOKEN_KEY, |s| s.keys = json!({ "keys": [] })),
    ("keys for something else", fault::ID_TOKEN_KEY, |s| {
        s.keys["keys"][0]["use"] = json!("enc")
    }),
    ("a key for another algorithm", fault::ID_TOKEN_KEY, |s| {
        s.keys["keys"][0]["alg"] = json!("PS256")
    }),
    ("keys without the list", fault::KEYS_MALFORMED, |s| s.keys = json!({})),
    ("keys that are no JSON", fault::KEYS_MALFORMED, |s| {
        s.keys_answer = Some((200, "keys".into()))
    }),
    ("keys without end", fault::KEYS_MALFORMED, |s| {
        s.keys_answer = Some((200, " ".repeat(70_000)))
    }),
    ("keys refused", fault::KEYS_REFUSED, |s| {
        s.keys_answer = Some((403, String::new()))
    }),
    ("keys elsewhere", fault::KEYS_REFUSED, |s| {
        s.keys_answer = Some((302, "https://evil.example/".into()));
    }),
    // The token endpoint.
    ("the code is refused", fault::TOKEN_REFUSED, |s| {
        s.token_answer = Some((400, json!({ "error": "invalid_grant" }).to_string()));
    }),
    ("an error with a success", fault::TOKEN_REFUSED, |s| {
        s.tokens = json!({ "error": "no" })
    }),
    ("tokens elsewhere", fault::TOKEN_REFUSED, |s| {
        s.token_answer = Some((307, "https://evil.example/".into()));
    }),
    ("we are refused", fault::TOKEN_CLIENT_REFUSED, |s| {
        s.token_answer = Some((401, json!({ "error": "invalid_client" }).to_string()));
    }),
    ("an error of the server", fault::TOKEN_UNREACHABLE, |s| {
        s.token_answer = Some((503, String::new()))
    }),
    ("tokens that are no JSON", fault::TOKEN_MALFORMED, |s| {
        s.token_answer = Some((200, "ok".into()))
    }),
    ("no ID token", fault::NO_ID_TOKEN, |s| {
        s.tokens = json!({ "id_token": null })
    }),
    ("no access token", fault::NO_ACCESS_TOKEN, |s| {
        s.tokens = json!({ "access_token": null })
    }),
    ("another kind of token", fault::TOKEN_TYPE, |s| {
        s.tokens = json!({ "token_type": "mac" })
    }),
    // The signature of the ID token.
    ("not signed", fault::ID_TOKEN_ALGORITHM, |s| s.signer = Signer::None),
    ("signed with the public key as secret", fault::ID_TOKEN_ALGORITHM, |s| {
        s.signer = Signer::Hs256
    }),
    ("an algorithm that was not announced", fault::ID_TOKEN_ALGORITHM, |s| {
        s.signer = Signer::Rs512
    }),
    ("signed by a stranger", fault::ID_TOKEN_SIGNATURE, |s| {
        s.signer = Signer::Stranger
    }),
    ("a stranger's key in the header", fault::ID_TOKEN_SIGNATURE, |s| {
        s.signer = Signer::Stranger;
        s.header["jku"] = json!("https://evil.example/keys");
        s.header["x5u"] = json!("https://evil.example/certificate");
        s.header["jwk"] = s.keys["keys"][1].clone();
    }),
    ("no signature", fault::ID_TOKEN_SIGNATURE, |s| {
        s.signer = Signer::Garbage
    }),
    ("an unknown key", fault::ID_TOKEN_KEY, |s| {
        s.header["kid"] = json!("rsa-2")
    }),
    ("a key of another kind", fault::ID_TOKEN_KEY, |s| {
        s.header["kid"] = json!("ec-1")
    }),
    ("a path as key", fault::ID_TOKEN_KEY, |s| {
        s.header["kid"] = json!("../../dev/null")
    }),
    ("a number as key", fault::ID_TOKEN_MALFORMED, |s| {
        s.header["kid"] = json!(7)
    }),
    ("which key is left open", fault::ID_TOKEN_KEY, |s| {
        let mut second = s.keys["keys"][0].clone();
        second["kid"] = json!("rsa-0");
        s.keys["keys"] = json!([s.keys["keys"][0], second]);
        s.header["kid"] = json!(null);
    }),
    ("an access token", fault::ID_TOKEN_TYPE, |s| {
        s.header["typ"] = json!("at+jwt")
    }),
    ("a logout token", fault::ID_TOKEN_TYPE, |s| {
        s.header["typ"] = json!("logout+jwt")
    }),
    ("demands in the header", fault::ID_TOKEN_CRITICAL, |s| {
        s.header["crit"] = json!(["exp"])
    }),
    ("two parts", fault::ID_TOKEN_MALFORMED, |s| {
        s.id_token = Some(json!("e30.e30"))
    }),
    ("five parts", fault::ID_TOKEN_MALFORMED, |s| {
        s.id_token = Some(json!("e30.e30.e30.e30.e30"))
    }),
    ("a header that is none", fault::ID_TOKEN_MALFORMED, |s| {
        s.id_token = Some(json!("!.e30.e30"))
    }),
    ("an object as ID token", fault::NO_ID_TOKEN, |s| {
        s.id_token = Some(json!({ "sub": "alice" }))
    }),
    // Its claims.
    ("from another issuer", fault::ID_TOKEN_ISSUER, |s| {
        set(s, "iss", json!("https://evil.example"))
    }),
    ("from nobody", fault::ID_TOKEN_ISSUER, |s| s.without.push("iss")),
    ("for another client", fault::ID_TOKEN_AUDIENCE, |s| {
        set(s, "aud", json!("another"))
    }),
    ("for nobody", fault::ID_TOKEN_AUDIENCE, |s| s.without.push("aud")),
    ("for others", fault::ID_TOKEN_AUDIENCE, |s| {
        set(s, "aud", json!(["another", "third"]))
    }),
    ("for us among others", fault::ID_TOKEN_PARTY, |s| {
        set(s, "aud", json!(["portolan-at-the-provider", "another"]));
    }),
    ("made for another", fault::ID_TOKEN_PARTY, |s| {
        set(s, "azp", json!("another"))
    }),
    ("another nonce", fault::ID_TOKEN_NONCE, |s| {
        set(s, "nonce", json!("of another login"))
    }),
    ("no nonce", fault::ID_TOKEN_NONCE, |s| s.without.push("nonce")),
    ("without end", fault::ID_TOKEN_EXPIRY_MISSING, |s| s.without.push("exp")),
    ("expired", fault::ID_TOKEN_EXPIRED, |s| set(s, "exp", json!(s.now - 61))),
    ("an end that is none", fault::ID_TOKEN_MALFORMED, |s| {
        set(s, "exp", json!("tomorrow"))
    }),
    ("without beginning", fault::ID_TOKEN_ISSUED_MISSING, |s| {
        s.without.push("iat")
    }),
    ("from the future", fault::ID_TOKEN_FUTURE, |s| {
        set(s, "iat", json!(s.now + 120))
    }),
    ("from yesterday", fault::ID_TOKEN_OLD, |s| {
        set(s, "iat", json!(s.now - 86_400))
    }),
    ("not valid yet", fault::ID_TOKEN_NOT_YET, |s| {
        set(s, "nbf", json!(s.now + 120))
    }),
    ("about nobody", fault::ID_TOKEN_SUBJECT, |s| s.without.push("sub")),
    ("about an empty name", fault::ID_TOKEN_SUBJECT, |s| {
        set(s, "sub", json!(""))
    }),
    ("about a number", fault::ID_TOKEN_SUBJECT, |s| set(s, "sub", json!(7))),
    ("about a name without end", fault::ID_TOKEN_SUBJECT, |s| {
        set(s, "sub", json!("x".repeat(256)))
    }),
    ("of another access token", fault::ID_TOKEN_ACCESS_HASH, |s| {
        set(s, "at_hash", json!("AAAA"))
    }),
    ("of another code", fault::ID_TOKEN_CODE_HASH, |s| {
        set(s, "c_hash", json!("AAAA"))
    }),
    ("signed in at a word", fault::ID_TOKEN_TIME, |s| {
        set(s, "auth_time", json!("now"))
    }),
    ("signed in tomorrow", fault::ID_TOKEN_TIME, |s| {
        set(s, "auth_time", json!(s.now + 120))
    }),
    // Userinfo.
    ("another person", fault::USERINFO_SUBJECT, |s| {
        s.userinfo["sub"] = json!("subject-of-bob")
    }),
    ("no person", fault::USERINFO_SUBJECT, |s| {
        s.userinfo["sub"] = json!(null)
    }),
    ("not for us", fault::USERINFO_REFUSED, |s| {
        s.userinfo_answer = Some((401, String::new()))
    }),
    ("userinfo fails", fault::USERINFO_UNREACHABLE, |s| {
        s.userinfo_answer = Some((500, String::new()))
    }),
    ("a signed userinfo", fault::USERINFO_MALFORMED, |s| {
        s.userinfo_answer = Some((200, "e30.e30.e30".into()))
    }),
    ("userinfo without end", fault::USERINFO_MALFORMED, |s| {
        s.userinfo_answer = Some((200, " ".repeat(70_000)));
    }),
    // Who it would be here.
    ("no username", fault::NO_USERNAME, |s| {
        s.claims["preferred_username"] = json!(null)
    }),
    ("a username of others", fault::FOREIGN_DOMAIN, |s| {
        set(s, "preferred_username", json!("alice@portolan.local"));
    }),
    ("a username of clients", fault::FOREIGN_DOMAIN, |s| {
        set(s, "preferred_username", json!("alice@clients.auth.globus.org"));
    }),
    ("a username of two", fault::USERNAME_MALFORMED, |s| {
        set(s, "preferred_username", json!("a b"))
    }),
];

/// J1, J2, J3; threats 11 and 12.
#[test]
fn each_lie_of_a_provider_is_refused_with_words_of_its_own_and_remembered() {
    let server = server();
    assert!(LIES.len() >= 60, "{} lies", LIES.len());
    for (number, (name, fault, lie)) in LIES.iter().enumerate() {
        let provider = FakeProvider::start(&server);
        let id = provider.register(&server, &format!("p{number}"), &[&format!("p{number}.example")]);
        provider.script(lie);
        let browser = server.browser();

        let outcome = provider.login(&browser, id);

        assert_refused(&server, &browser, id, &outcome, *fault, name);
    }
    let made = "SELECT count(*) FROM identities WHERE subject = 'subject-of-alice'";
    assert_eq!(server.count(made, params![]), 0, "nobody was made on the way");
}

/// The positive control of the table above: what changes nothing that matters is accepted.
#[test]
fn an_honest_provider_is_believed_in_each_of_its_forms() {
    type Form = (&'static str, fn(&mut Script));
    let forms: &[Form] = &[
        ("as it is", |_| {}),
        ("signed with ES256", |s| s.signer = Signer::Es256),
        ("without a key id where there is one key", |s| {
            s.header["kid"] = json!(null)
        }),
        ("without a type", |s| s.header["typ"] = json!(null)),
        ("for several, made for us", |s| {
            set(s, "aud", json!(["portolan-at-the-provider", "another"]));
            set(s, "azp", json!("portolan-at-the-provider"));
        }),
        ("a minute late", |s| set(s, "exp", json!(s.now - 59))),
        ("a minute early", |s| set(s, "iat", json!(s.now + 59))),
        ("with the hash of its access token", |s| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"an access token");
            use base64::Engine as _;
            let half = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]);
            set(s, "at_hash", json!(half));
        }),
        ("a type of token in capitals", |s| {
            s.tokens = json!({ "token_type": "BEARER" })
        }),
        ("without userinfo", |s| s.document["userinfo_endpoint"] = json!(null)),
        ("among keys of other kinds", |s| {
            let strange = [
                json!({ "kty": "oct", "k": "AAAA", "kid": "rsa-1" }),
                json!({ "kty": "new" }),
                json!(7),
            ];
            let keys = s.keys["keys"].as_array_mut().unwrap();
            keys.extend(strange);
            keys.rotate_left(2);
        }),
        ("with its secret in the form", |s| {
            s.document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        }),
        ("with claims that nobody knows", |s| {
            set(s, "groups", json!([{ "a": 1 }]))
        }),
    ];
    let server = server();
    for (number, (name, form)) in forms.iter().enumerate() {
        let provider = FakeProvider::start(&server);
        let id = provider.register(&server, &format!("p{number}"), &[&format!("p{number}.example")]);
        provider.script(form);
        let browser = server.browser();

        let outcome = provider.login(&browser, id);

        assert!(
            outcome.is_page() && outcome.page().status.is_success(),
            "{name}: {}",
            outcome.page().summary()
        );
        assert!(browser.text().contains(&format!("alice@p{number}.example")), "{name}");
    }
}

/// J4: what comes back counts once, in the browser that went, from the provider it went to.
#[test]
fn an_answer_counts_once_here_and_from_the_provider_that_was_asked() {
    type Change = fn(&mut Vec<(String, String)>);
    fn set(params: &mut Vec<(String, String)>, name: &str, value: Option<&str>) {
        params.retain(|(known, _)| known != name);
        params.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    let table: &[(&str, Fault, Change)] = &[
        ("from another issuer", fault::ISSUER_OF_ANSWER, |params| {
            set(params, "iss", Some("https://evil.example"));
        }),
        ("no code", fault::NO_ANSWER, |params| set(params, "code", None)),
        ("another state", fault::UNKNOWN_STATE, |params| {
            set(params, "state", Some("another"))
        }),
        ("no state", fault::UNKNOWN_STATE, |params| set(params, "state", None)),
        ("another code", fault::TOKEN_REFUSED, |params| {
            set(params, "code", Some("stolen"))
        }),
        ("refused", fault::REFUSED, |params| {
            set(params, "code", None);
            set(params, "error", Some("access_denied"));
        }),
        ("refused by another", fault::ISSUER_OF_ANSWER, |params| {
            set(params, "error", Some("access_denied"));
            set(params, "iss", Some("https://evil.example"));
        }),
        ("an error with a code", fault::REFUSED, |params| {
            set(params, "error", Some("<script>"))
        }),
        ("the provider fails", fault::PROVIDER_ERROR, |params| {
            set(params, "error", Some("server_error"))
        }),
        ("we are not known", fault::TOKEN_CLIENT_REFUSED, |params| {
            set(params, "error", Some("unauthorized_client"));
        }),
    ];
    let server = server();
    for (number, (name, fault, change)) in table.iter().enumerate() {
        let provider = FakeProvider::start(&server);
        let id = provider.register(&server, &format!("p{number}"), &[&format!("p{number}.example")]);
        let browser = server.browser();
        let left = browser.get(&format!("/p/login/with/{id}")).left().clone();
        let mut back = provider.authorize(&left);
        change(&mut back);

        let outcome = provider.come_back(&browser, &left, &back);

        assert_refused(&server, &browser, id, &outcome, *fault, name);
        // Whatever it was, the state is used up or was never ours.
        if *fault != fault::UNKNOWN_STATE {
            let again = provider.come_back(&browser, &left, &provider.authorize(&left));
            assert!(again.page().text().contains("unknown_state"), "{name}");
        }
    }
}

/// RFC 9207: a provider that promises `iss` must send it; one that sends the right one is
/// believed.
#[test]
fn a_promised_issuer_must_come_along() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "p", &["p.example"]);
    provider.script(|s| s.document["authorization_response_iss_parameter_supported"] = json!(true));
    let browser = server.browser();
    let outcome = provider.login(&browser, id);
    assert_refused(
        &server,
        &browser,
        id,
        &outcome,
        fault::ISSUER_OF_ANSWER_MISSING,
        "missing",
    );

    let left = browser.get(&format!("/p/login/with/{id}")).left().clone();
    let mut back = provider.authorize(&left);
    back.push(("iss".into(), provider.issuer()));
    provider.come_back(&browser, &left, &back);
    assert!(is_signed_in(&browser));
}

/// Threat 11: replay, another browser, another provider's callback (mix-up), too late.
#[test]
fn a_state_is_worth_nothing_a_second_time_elsewhere_or_later() {
    let server = server();
    let (honest, evil) = (FakeProvider::start(&server), FakeProvider::start(&server));
    let id = honest.register(&server, "honest", &["honest.example"]);
    let other = evil.register(&server, "evil", &["evil.example"]);
    let begin = |browser: &Browser| browser.get(&format!("/p/login/with/{id}")).left().clone();

    // A stranger with the whole address: no session of theirs knows the state.
    let victim = server.browser();
    let left = begin(&victim);
    let back = honest.authorize(&left);
    let stranger = server.browser();
    let outcome = honest.come_back(&stranger, &left, &back);
    assert_refused(
        &server,
        &stranger,
        id,
        &outcome,
        fault::UNKNOWN_STATE,
        "without a cookie",
    );
    begin(&stranger);
    let outcome = honest.come_back(&stranger, &left, &back);
    assert!(outcome.page().text().contains("unknown_state"), "with another session");
    // The one whom it belongs to was not disturbed.
    honest.come_back(&victim, &left, &back);
    assert!(is_signed_in(&victim));
    let replayed = honest.come_back(&victim, &left, &back);
    assert!(replayed.page().text().contains("unknown_state"), "a second time");

    // Mix-up: the answer to a request to one provider comes to the callback of another.
    let browser = server.browser();
    let left = begin(&browser);
    let back = honest.authorize(&left);
    let query = crate::support::encode(&back.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
    let mixed = browser.get(&format!("/p/callback/{other}?{query}"));
    assert_refused(&server, &browser, other, &mixed, fault::UNKNOWN_STATE, "mix-up");
    assert_eq!(evil.visits("/token"), 0, "the code was not sent to the other provider");
    honest.come_back(&browser, &left, &back);
    assert!(is_signed_in(&browser));

    // Too late.
    let browser = server.browser();
    let left = begin(&browser);
    let back = honest.authorize(&left);
    server.advance_seconds(601);
    let outcome = honest.come_back(&browser, &left, &back);
    assert!(outcome.page().text().contains("unknown_state"), "after ten minutes");
    assert!(!is_signed_in(&browser));
}

/// Threat 11: a provider that is switched off while a person is there.
#[test]
fn a_provider_that_is_switched_off_in_the_middle_signs_nobody_in() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "p", &["p.example"]);
    let browser = server.browser();
    let left = browser.get(&format!("/p/login/with/{id}")).left().clone();
    let back = provider.authorize(&left);
    server.sql("UPDATE identity_providers SET enabled = 0 WHERE id = $1", params![id]);

    let outcome = provider.come_back(&browser, &left, &back);

    assert_refused(&server, &browser, id, &outcome, fault::DISABLED, "disabled");
    assert_eq!(provider.visits("/token"), 0);
    let outcome = browser.get(&format!("/p/login/with/{id}"));
    assert!(outcome.page().text().contains("provider_disabled"));
}

/// Threat 12, J3: keys change without a restart, and forged keys do not make us ask again
/// and again.
#[test]
fn new_keys_are_followed_and_unknown_ones_asked_for_at_most_every_ten_seconds() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "p", &["p.example"]);
    let login = || {
        let browser = server.browser();
        provider.login(&browser, id);
        is_signed_in(&browser)
    };
    assert!(login());
    assert!(login());
    assert_eq!(
        (provider.visits("/keys"), provider.visits("/openid-configuration")),
        (1, 1)
    );

    // Another key under another id, and the old one is gone.
    provider.script(|s| {
        s.keys["keys"].as_array_mut().unwrap().remove(0);
        s.signer = Signer::Es256;
    });
    assert!(login(), "the other key was known already");
    provider.script(|s| {
        s.keys["keys"][0]["kid"] = json!("ec-2");
        s.header["kid"] = json!("ec-2");
    });
    assert!(!login(), "asked a moment ago");
    assert_eq!(provider.visits("/keys"), 1);
    server.advance_seconds(11);
    provider.script(|s| s.now += 11);
    assert!(login(), "the new key was found");
    assert_eq!(provider.visits("/keys"), 2);

    provider.script(|s| s.header["kid"] = json!("forged"));
    for _ in 0..20 {
        assert!(!login());
    }
    assert_eq!(provider.visits("/keys"), 2, "forged keys cost nothing");
    // A key that was withdrawn is no longer good after a quarter of an hour.
    provider.script(|s| s.header["kid"] = json!("ec-2"));
    assert!(login());
    server.advance_seconds(901);
    provider.script(|s| {
        s.now += 901;
        s.keys = json!({ "keys": [] });
    });
    assert!(!login());
}

/// A provider that is away is told so, and others go on.
#[test]
fn an_outage_is_told_and_touches_no_other_provider() {
    let server = server();
    let (away, there) = (FakeProvider::start(&server), FakeProvider::start(&server));
    let id = there.register(&server, "there", &["there.example"]);
    away.script(|s| s.issuer = "http://127.0.0.1:1".into());
    let gone = away.register(&server, "gone", &["gone.example"]);
    let browser = server.browser();

    let outcome = away.login(&browser, gone);

    assert_refused(&server, &browser, gone, &outcome, fault::DOCUMENT_UNREACHABLE, "away");
    there.login(&browser, id);
    assert!(is_signed_in(&browser));
}

/// Every refusal that a person can meet is shown by some test of this file or its
/// neighbours, or stands here with the reason why not.
#[test]
fn every_fault_has_been_provoked() {
    let shown: BTreeSet<&str> = LIES.iter().map(|(_, fault, _)| fault.code).collect();
    let elsewhere: BTreeSet<&str> = [
        fault::UNKNOWN_STATE,
        fault::NO_ANSWER,
        fault::REFUSED,
        fault::PROVIDER_ERROR,
        fault::ISSUER_OF_ANSWER,
        fault::ISSUER_OF_ANSWER_MISSING,
        fault::DISABLED,
        fault::DOCUMENT_UNREACHABLE,
        // `provider_login.rs`.
        fault::NOT_FRESH,
        fault::AUTH_TIME_MISSING,
        fault::NO_RECENT_SIGN_IN,
        fault::NOT_CONFIGURED,
        fault::EMAIL_UNVERIFIED,
        fault::REQUIRED_CLAIM,
        fault::USERNAME_TAKEN,
        fault::ACCOUNT_DISABLED,
        // As with the document: an address at which nobody answers, in a document that is kept.
        fault::KEYS_UNREACHABLE,
    ]
    .iter()
    .map(|fault| fault.code)
    .collect();
    let all: BTreeSet<&str> = fault::ALL.iter().map(|fault| fault.code).collect();
    let covered: BTreeSet<&str> = shown.union(&elsewhere).copied().collect();
    assert_eq!(all.difference(&covered).collect::<Vec<_>>(), Vec::<&&str>::new());
}
