//! Second factors and passkeys: what proves a person, what does not, and how often
//! somebody may try.

use http::{Method, StatusCode};
use portolan_db::{WriteTx, params};
use portolan_server::domain::identity;
use portolan_server::store::factors;
use serde_json::Value;

use crate::support::{Authenticator, Browser, Key, Mailbox, Outcome, TestServer, TestUser, otp};

const SECURITY: &str = "/p/account/security";
const TOTP: &str = "/p/account/security/totp";
const PASSKEYS: &str = "/p/account/security/passkeys";
const CODES: &str = "/p/account/security/recovery-codes";
const SESSIONS: &str = "/p/account/sessions";
pub const FACTOR: &str = "/p/login/factor";
pub const PASSKEY_LOGIN: &str = "/p/login/passkey";

const REFEDS_MFA: &str = "https://refeds.org/profile/mfa";

pub fn status(outcome: &Outcome) -> StatusCode {
    outcome.page().status
}

pub fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/").page().text().contains("Signed in as")
}

pub fn seconds(server: &TestServer) -> i64 {
    server.now().micros() / 1_000_000
}

/// Sets an authenticator app up and returns its key.
#[track_caller]
pub fn set_up_app(browser: &Browser) -> String {
    browser.get(SECURITY);
    let form = browser.form_with(TOTP, "form_token");
    browser.submit(&form);
    let text = browser.text();
    let (_, rest) = text.split_once("<code class=\"code\">").expect("the key is shown");
    let secret = rest.split_once('<').unwrap().0.to_owned();
    let code = otp(&secret, seconds(browser.server()));
    browser.submit(&browser.form().set("otp", &code));
    assert!(
        browser.text().contains("The authenticator app is set up."),
        "{}",
        browser.text()
    );
    secret
}

/// Registers a passkey on the page for it.
#[track_caller]
pub fn add_passkey(browser: &Browser, authenticator: &mut Authenticator) -> Outcome {
    browser.get(PASSKEYS);
    let credential = authenticator.create(&browser.passkey_options(PASSKEYS));
    register(browser, &credential)
}

#[track_caller]
fn register(browser: &Browser, credential: &Value) -> Outcome {
    let form = browser.form_with(PASSKEYS, "credential");
    browser.submit(&form.set("name", "My key").set("credential", &credential.to_string()))
}

/// New recovery codes.
#[track_caller]
pub fn make_codes(browser: &Browser) -> Vec<String> {
    browser.get(CODES);
    browser.submit(&browser.form());
    let text = browser.text();
    let codes: Vec<String> = text
        .split("<li><code>")
        .skip(1)
        .map(|rest| rest.split_once('<').unwrap().0.to_owned())
        .collect();
    assert_eq!(codes.len(), 10, "{text}");
    codes
}

/// A browser that has given the right password and is asked for the second factor.
#[track_caller]
pub fn at_second_step(server: &TestServer, user: &TestUser) -> Browser {
    // So that the newest sign-in is the last one.
    server.advance_seconds(1);
    let browser = server.browser();
    browser.login(user);
    assert!(browser.path().starts_with(FACTOR), "{}", browser.path());
    browser
}

#[track_caller]
pub fn present(browser: &Browser, field: &str, value: &str) -> Outcome {
    let form = browser.form_with(FACTOR, "login");
    browser.submit(&form.set(field, value))
}

#[track_caller]
pub fn present_passkey(browser: &Browser, authenticator: &Authenticator) -> Outcome {
    let credential = authenticator.get(&browser.passkey_options(FACTOR));
    present(browser, "credential", &credential.to_string())
}

#[track_caller]
pub fn sign_in_with(browser: &Browser, credential: &Value) -> Outcome {
    let form = browser.form_with(PASSKEY_LOGIN, "credential");
    browser.submit(&form.set("credential", &credential.to_string()))
}

#[track_caller]
fn passkey_login(browser: &Browser, authenticator: &Authenticator) -> Outcome {
    browser.server().advance_seconds(1);
    browser.get("/p/login");
    let credential = authenticator.get(&browser.passkey_options(PASSKEY_LOGIN));
    sign_in_with(browser, &credential)
}

/// What the newest sign-in of a person proved.
fn proof(server: &TestServer, user: &TestUser) -> (Option<String>, Vec<String>) {
    let id = user.id;
    let row: (Option<String>, Option<String>) = server.read(move |tx| {
        Ok(tx.fetch_one(
            "SELECT acr, amr FROM browser_authentications WHERE identity_id = $1 ORDER BY authenticated_at DESC LIMIT 1",
            params![id],
        )?)
    });
    (row.0, serde_json::from_str(&row.1.unwrap()).unwrap())
}

fn audited(server: &TestServer, action: &str) -> i64 {
    server.count("SELECT count(*) FROM audit_events WHERE action = $1", params![action])
}

/// What the newest entry of the trail about this action tells.
fn detail(server: &TestServer, action: &'static str) -> Value {
    server.read(move |tx| {
        let (detail,): (String,) = tx.fetch_one(
            "SELECT detail FROM audit_events WHERE action = $1 ORDER BY happened_at DESC LIMIT 1",
            params![action],
        )?;
        Ok(serde_json::from_str(&detail).unwrap())
    })
}

pub fn mails(server: &TestServer, subject: &str) -> i64 {
    server.count("SELECT count(*) FROM outbox WHERE subject = $1", params![subject])
}

/// AD1, H10: only what was really used is named.
#[test]
fn a_password_and_a_code_are_two_factors() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    assert_eq!(proof(&server, &alice), (None, vec!["pwd".to_owned()]));
    let secret = set_up_app(&browser);
    assert_eq!(audited(&server, "totp.create"), 1);
    assert_eq!(mails(&server, "An authenticator app was set up for your account"), 1);
    server.advance_seconds(60);

    let second = at_second_step(&server, &alice);
    assert!(!is_signed_in(&second.clone()), "the password alone signs nobody in");
    let wrong = present(&second, "otp", "000000");
    assert_eq!(status(&wrong), StatusCode::UNAUTHORIZED);
    assert_eq!(detail(&server, "login.refused")["factor"], "otp");
    present(&second, "otp", &otp(&secret, seconds(&server)));

    assert!(is_signed_in(&second));
    let (acr, amr) = proof(&server, &alice);
    assert_eq!(
        (acr.as_deref(), amr.join(" ").as_str()),
        (Some(REFEDS_MFA), "pwd otp mfa")
    );
}

/// AA8: the app counts once it has shown a code; till then nothing changes.
#[test]
fn an_app_that_was_not_confirmed_does_not_count() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    browser.get(SECURITY);
    browser.submit(&browser.form_with(TOTP, "form_token"));
    let refused = browser.submit(&browser.form().set("otp", "123456"));
    assert_eq!(status(&refused), StatusCode::BAD_REQUEST);
    assert!(is_signed_in(&server.browser_of(&alice)), "the password is still enough");

    server.advance_seconds(601);
    server.browser_of(&alice);
    assert_eq!(
        server.count(
            "SELECT count(*) FROM totp_secrets WHERE confirmed_at IS NOT NULL",
            params![]
        ),
        0
    );
}

/// AA8: the seed is not readable in the store.
#[test]
fn the_seed_is_sealed() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    let id = alice.id;
    let stored = server.read(move |tx| Ok(factors::find_totp(tx, id)?.unwrap()));
    assert!(server.app().master_key.has_sealed(&stored.sealed_seed));
    let text = String::from_utf8_lossy(&stored.sealed_seed).into_owned();
    assert!(!text.contains(&secret.replace(' ', "")));
    let place = format!("totp_secrets/sealed_seed/{}", stored.id);
    assert_eq!(
        server.app().master_key.open(&place, &stored.sealed_seed).unwrap().len(),
        20
    );
}

/// AA8: once, in its step and the one before and after it, and never an earlier one again.
#[test]
fn a_code_counts_once_and_in_three_steps() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    server.advance_seconds(300);
    let attempt = |offset: i64| {
        let code = otp(&secret, seconds(&server) + offset);
        let browser = at_second_step(&server, &alice);
        present(&browser, "otp", &code);
        is_signed_in(&browser)
    };
    assert_eq!((attempt(-60), attempt(60)), (false, false), "two steps away");
    assert!(attempt(-30));
    assert!(!attempt(-30), "used");
    assert!(attempt(0));
    assert!(!attempt(0), "used");
    assert!(!attempt(-30), "before one that was used");
    server.advance_seconds(300);
    assert!(attempt(30));
    assert!(!attempt(0), "before one that was used");
}

/// The code of the set-up is used as well.
#[test]
fn the_code_of_the_set_up_does_not_sign_in() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    let browser = at_second_step(&server, &alice);
    present(&browser, "otp", &otp(&secret, seconds(&server)));
    assert!(!is_signed_in(&browser));
}

/// AA8: hashed, each once, and new ones replace the old.
#[test]
fn recovery_codes_count_once_each() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    set_up_app(&browser);
    let codes = make_codes(&browser);
    assert!(!browser.get(CODES).page().text().contains(&codes[0]), "shown once");
    let plain: Vec<Vec<u8>> = server.read(|tx| Ok(tx.fetch_all("SELECT hash FROM recovery_codes", params![])?));
    assert!(plain.iter().all(|hash| hash.len() == 32));
    let attempt = |code: &str| {
        let browser = at_second_step(&server, &alice);
        present(&browser, "recovery_code", code);
        is_signed_in(&browser)
    };
    assert!(attempt(&codes[0]));
    let (acr, amr) = proof(&server, &alice);
    assert_eq!(
        (acr.as_deref(), amr.join(" ").as_str()),
        (Some(REFEDS_MFA), "pwd otp mfa")
    );
    assert_eq!(mails(&server, "A recovery code was used"), 1);
    assert!(!attempt(&codes[0]), "used");
    assert!(attempt(&codes[1].to_uppercase().replace('-', " ")), "as people type it");

    let new = make_codes(&browser);
    assert!(!attempt(&codes[2]), "replaced");
    assert!(attempt(&new[0]));
}

/// AB1, AB3: the positive control for what follows, with each kind of key.
#[test]
fn a_passkey_signs_in_alone_and_after_a_password() {
    for kind in ["ES256", "EdDSA", "RS256"] {
        let server = TestServer::new();
        let alice = server.user("alice").create();
        let browser = server.browser_of(&alice);
        let mut authenticator = match kind {
            "ES256" => Authenticator::new(&server),
            "EdDSA" => Authenticator::with_key(
                &server,
                Key::EdDsa(aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap()),
            ),
            _ => {
                let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
                Authenticator::with_key(&server, Key::Rs256(Box::new(key)))
            }
        };
        authenticator.extensions = true;
        add_passkey(&browser, &mut authenticator);
        assert!(
            browser.text().contains("The passkey was added."),
            "{kind}: {}",
            browser.text()
        );
        assert_eq!(audited(&server, "passkey.create"), 1);
        assert_eq!(mails(&server, "A passkey was added to your account"), 1);

        let alone = server.browser();
        passkey_login(&alone, &authenticator);
        assert!(is_signed_in(&alone), "{kind}");
        let (acr, amr) = proof(&server, &alice);
        assert_eq!(
            (acr.as_deref(), amr.join(" ").as_str()),
            (Some(REFEDS_MFA), "swk user mfa")
        );

        server.advance_seconds(1);
        let second = at_second_step(&server, &alice);
        present_passkey(&second, &authenticator);
        assert!(is_signed_in(&second), "{kind}");
        let (acr, amr) = proof(&server, &alice);
        assert_eq!(
            (acr.as_deref(), amr.join(" ").as_str()),
            (Some(REFEDS_MFA), "pwd swk mfa")
        );
    }
}

/// A key that verifies nobody is a second factor, and no more than that.
#[test]
fn a_key_without_user_verification_is_only_a_second_factor() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut key = Authenticator::new(&server);
    (key.user_verified, key.backup_eligible, key.backed_up) = (false, false, false);
    add_passkey(&server.browser_of(&alice), &mut key);

    let alone = server.browser();
    assert_eq!(status(&passkey_login(&alone, &key)), StatusCode::UNAUTHORIZED);
    assert!(!is_signed_in(&alone));
    let second = at_second_step(&server, &alice);
    let options = second.passkey_options(FACTOR);
    assert_eq!(options["userVerification"], "preferred");
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    assert_eq!(
        options["allowCredentials"][0]["transports"],
        serde_json::json!(["internal", "smart-card"]),
        "words of the specification, and what could be one"
    );
    present_passkey(&second, &key);
    assert!(is_signed_in(&second));
    assert_eq!(proof(&server, &alice).1.join(" "), "pwd hwk mfa");
}

/// AB1: attestation none, discoverable preferred, the three algorithms, a handle that says nothing.
#[test]
fn what_a_browser_is_asked_for() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    browser.get(PASSKEYS);
    let options = browser.passkey_options(PASSKEYS);
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "preferred");
    let algorithms: Vec<i64> = options["pubKeyCredParams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["alg"].as_i64().unwrap())
        .collect();
    assert_eq!(algorithms, [-7, -8, -257]);
    let handle = options["user"]["id"].as_str().unwrap();
    assert_eq!(handle.len(), 43, "32 random bytes");
    let again = {
        browser.get(PASSKEYS);
        browser.passkey_options(PASSKEYS)
    };
    assert_eq!(again["user"]["id"], options["user"]["id"]);
    assert_ne!(again["challenge"], options["challenge"]);

    let anybody = server.browser();
    anybody.get("/p/login");
    let options = anybody.passkey_options(PASSKEY_LOGIN);
    assert_eq!(
        (options["userVerification"].as_str(), options["rpId"].as_str()),
        (Some("required"), Some("auth.example.org"))
    );
    assert_eq!(
        options["allowCredentials"],
        serde_json::json!([]),
        "tells nothing of anybody"
    );
    assert!(anybody.text().contains("autocomplete=\"username webauthn\""));
}

type Lie = (&'static str, fn(&mut Authenticator));

/// AB1 and threats.md 22: each check, at the registration and at the sign-in.
const LIES: &[Lie] = &[
    ("type", |a| {
        (a.create_type, a.get_type) = ("webauthn.get", "webauthn.create")
    }),
    ("type", |a| (a.create_type, a.get_type) = ("payment.get", "payment.get")),
    ("challenge of nobody", |a| a.challenge = Some("A".repeat(75))),
    ("short challenge", |a| a.challenge = Some("AAAA".into())),
    ("no challenge", |a| a.challenge = Some(String::new())),
    ("origin: suffix", |a| a.origin = "https://badauth.example.org".into()),
    ("origin: suffix", |a| {
        a.origin = "https://auth.example.org.evil.example".into()
    }),
    ("origin: subdomain", |a| a.origin = "https://x.auth.example.org".into()),
    ("origin: parent", |a| a.origin = "https://example.org".into()),
    ("origin: port", |a| a.origin = "https://auth.example.org:8443".into()),
    ("origin: port", |a| a.origin = "https://auth.example.org:443".into()),
    ("origin: scheme", |a| a.origin = "http://auth.example.org".into()),
    ("origin: path", |a| a.origin = "https://auth.example.org/".into()),
    ("origin: case", |a| a.origin = "https://AUTH.example.org".into()),
    ("origin: none", |a| a.origin = "null".into()),
    ("origin: app", |a| a.origin = "android:apk-key-hash:abc".into()),
    ("crossOrigin", |a| a.cross_origin = Some(true)),
    ("topOrigin", |a| a.top_origin = Some("https://evil.example".into())),
    ("rp id", |a| a.rp_id = Some("example.org".into())),
    ("rp id", |a| a.rp_id = Some("badauth.example.org".into())),
    ("user presence", |a| a.user_present = false),
    ("backed up and not eligible", |a| {
        (a.backup_eligible, a.backed_up) = (false, true)
    }),
    ("something after the end", |a| a.trailing = vec![0]),
];

#[test]
fn no_lie_registers_a_passkey() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let more: &[Lie] = &[
        ("algorithm that was not offered", |a| a.algorithm = Some(-35)),
        ("algorithm of another key", |a| a.algorithm = Some(-8)),
        ("credential id too long", |a| a.credential_id = vec![1; 1024]),
        ("no credential id", |a| a.credential_id = Vec::new()),
    ];
    for (what, lie) in LIES.iter().chain(more) {
        let mut authenticator = Authenticator::new(&server);
        lie(&mut authenticator);
        let outcome = add_passkey(&browser, &mut authenticator);
        assert_eq!(status(&outcome), StatusCode::BAD_REQUEST, "{what}");
    }
    // What the browser calls the credential is not what the authenticator made.
    browser.get(PASSKEYS);
    let mut credential = Authenticator::new(&server).create(&browser.passkey_options(PASSKEYS));
    let other = Authenticator::new(&server).create(&browser.passkey_options(PASSKEYS));
    credential["id"] = other["id"].clone();
    assert_eq!(
        status(&register(&browser, &credential)),
        StatusCode::BAD_REQUEST,
        "credential id of another"
    );
    assert_eq!(server.count("SELECT count(*) FROM passkeys", params![]), 0);
    add_passkey(&browser, &mut Authenticator::new(&server));
    assert_eq!(
        server.count("SELECT count(*) FROM passkeys", params![]),
        1,
        "the truth does"
    );
}

#[test]
fn no_lie_signs_in() {
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 100_000);
    let alice = server.user("alice").create();
    let home = server.browser_of(&alice);
    let mut authenticator = Authenticator::new(&server);
    add_passkey(&home, &mut authenticator);
    let more: &[Lie] = &[
        ("signature", |a| a.damage_signature = true),
        ("no longer eligible for backup", |a| {
            (a.backup_eligible, a.backed_up) = (false, false)
        }),
        ("another key", |a| a.key = Key::es256()),
        ("unknown credential", |a| a.credential_id = vec![9; 16]),
        ("another user's handle", |a| a.user_handle = Some(vec![9; 32])),
    ];
    let only_first: &[Lie] = &[
        ("user verification", |a| a.user_verified = false),
        ("no user handle", |a| a.user_handle = None),
    ];
    for (what, lie) in LIES.iter().chain(more).chain(only_first) {
        let mut liar = copy(&server, &authenticator);
        lie(&mut liar);
        let browser = server.browser();
        assert_eq!(
            status(&passkey_login(&browser, &liar)),
            StatusCode::UNAUTHORIZED,
            "{what}"
        );
        assert!(!is_signed_in(&browser), "{what}");
        server.advance_seconds(61);
    }
    for (what, lie) in LIES.iter().chain(more) {
        let mut liar = copy(&server, &authenticator);
        lie(&mut liar);
        let browser = at_second_step(&server, &alice);
        assert_eq!(
            status(&present_passkey(&browser, &liar)),
            StatusCode::UNAUTHORIZED,
            "{what}"
        );
        assert!(!is_signed_in(&browser), "{what}");
        server.advance_seconds(61);
    }
    let browser = server.browser();
    passkey_login(&browser, &authenticator);
    assert!(is_signed_in(&browser), "the truth does");
}

/// The same credential, to be made a liar of.
pub fn copy(server: &TestServer, truth: &Authenticator) -> Authenticator {
    let Key::Es256(key) = &truth.key else {
        panic!("tests copy ES256 keys")
    };
    Authenticator {
        credential_id: truth.credential_id.clone(),
        user_handle: truth.user_handle.clone(),
        ..Authenticator::with_key(server, Key::Es256(key.clone()))
    }
}

/// AB1: once, in time, for its purpose, in its browser.
#[test]
fn a_challenge_is_good_once_for_one_purpose_in_one_browser() {
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 100_000);
    let alice = server.user("alice").create();
    let home = server.browser_of(&alice);
    let mut authenticator = Authenticator::new(&server);
    add_passkey(&home, &mut authenticator);

    // Replay: the answer that signed in is good for nothing in a copy of that browser.
    let browser = server.browser();
    browser.get("/p/login");
    let before = browser.clone();
    let credential = authenticator.get(&browser.passkey_options(PASSKEY_LOGIN));
    sign_in_with(&browser, &credential);
    assert!(is_signed_in(&browser));
    assert_eq!(
        status(&sign_in_with(&before, &credential)),
        StatusCode::UNAUTHORIZED,
        "replay"
    );

    // Also one that was refused is used up.
    let browser = server.browser();
    browser.get("/p/login");
    let options = browser.passkey_options(PASSKEY_LOGIN);
    authenticator.damage_signature = true;
    sign_in_with(&browser, &authenticator.get(&options));
    authenticator.damage_signature = false;
    assert_eq!(
        status(&sign_in_with(&browser, &authenticator.get(&options))),
        StatusCode::UNAUTHORIZED
    );

    // Another browser's.
    let (one, other) = (server.browser(), server.browser());
    one.get("/p/login");
    other.get("/p/login");
    let credential = authenticator.get(&one.passkey_options(PASSKEY_LOGIN));
    assert_eq!(status(&sign_in_with(&other, &credential)), StatusCode::UNAUTHORIZED);

    // For another purpose.
    let second = at_second_step(&server, &alice);
    let factor_options = second.passkey_options(FACTOR);
    second.get("/p/login");
    let outcome = sign_in_with(&second, &authenticator.get(&factor_options));
    assert_eq!(status(&outcome), StatusCode::UNAUTHORIZED);

    // Too late.
    let late = server.browser();
    late.get("/p/login");
    let credential = authenticator.get(&late.passkey_options(PASSKEY_LOGIN));
    server.advance_seconds(601);
    assert_eq!(status(&sign_in_with(&late, &credential)), StatusCode::UNAUTHORIZED);
}

/// AB1: one credential belongs to one account.
#[test]
fn a_credential_is_registered_once() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let mut authenticator = Authenticator::new(&server);
    add_passkey(&server.browser_of(&alice), &mut authenticator);
    let bobs = server.browser_of(&bob);
    let outcome = add_passkey(&bobs, &mut authenticator);
    assert_eq!(status(&outcome), StatusCode::BAD_REQUEST);
    assert!(outcome.page().text().contains("registered already"));
    assert_eq!(server.count("SELECT count(*) FROM passkeys", params![]), 1);
}

/// WebAuthn, section 4: a credential id has 1,023 bytes at most.
#[test]
fn a_credential_id_is_as_long_as_the_standard_allows_and_no_longer() {
    let server = TestServer::new();
    for (length, expected) in [(1023, StatusCode::OK), (1024, StatusCode::BAD_REQUEST)] {
        let browser = server.browser_of(&server.user(&format!("alice{length}")).create());
        let mut authenticator = Authenticator::new(&server);
        authenticator.credential_id = vec![7; length];
        assert_eq!(status(&add_passkey(&browser, &mut authenticator)), expected, "{length}");
    }
}

#[test]
fn a_passkey_of_somebody_else_is_no_second_factor() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let (mut alices, mut bobs) = (Authenticator::new(&server), Authenticator::new(&server));
    add_passkey(&server.browser_of(&alice), &mut alices);
    add_passkey(&server.browser_of(&bob), &mut bobs);
    let browser = at_second_step(&server, &alice);
    assert_eq!(status(&present_passkey(&browser, &bobs)), StatusCode::UNAUTHORIZED);
    assert!(!is_signed_in(&browser));
}

/// AB2: a sign to look, no proof.
#[test]
fn a_counter_that_goes_back_is_told_and_not_refused() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut authenticator = Authenticator::new(&server);
    authenticator.sign_count = 10;
    add_passkey(&server.browser_of(&alice), &mut authenticator);
    let login = |authenticator: &Authenticator| {
        let browser = server.browser();
        passkey_login(&browser, authenticator);
        is_signed_in(&browser)
    };
    authenticator.sign_count = 11;
    assert!(login(&authenticator));
    assert_eq!(audited(&server, "passkey.counter_went_back"), 0);
    for count in [11, 5, 0] {
        authenticator.sign_count = count;
        assert!(login(&authenticator));
    }
    assert_eq!(audited(&server, "passkey.counter_went_back"), 3);
    assert_eq!(mails(&server, "A passkey of yours may have been copied"), 3);

    let mut synced = Authenticator::new(&server);
    let bob = server.user("bob").create();
    add_passkey(&server.browser_of(&bob), &mut synced);
    assert!(login(&synced) && login(&synced));
    assert_eq!(
        audited(&server, "passkey.counter_went_back"),
        3,
        "synced ones stay at zero"
    );
}

/// AA5, threats.md 20: a stranger with the password cannot guess on, and the owner gets in.
#[test]
fn guesses_at_a_second_factor_are_bounded_for_the_account() {
    for field in ["otp", "recovery_code"] {
        let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 100_000);
        let alice = server.user("alice").create();
        let home = server.browser_of(&alice);
        let secret = set_up_app(&home);
        make_codes(&home);
        let strangers = at_second_step(&server, &alice);
        for _ in 0..5 {
            assert_eq!(status(&present(&strangers, field, "000001")), StatusCode::UNAUTHORIZED);
        }
        assert_eq!(mails(&server, "Somebody knows your password"), 1);
        let refused = present(&strangers, "otp", &otp(&secret, seconds(&server) + 30));
        assert_eq!(status(&refused), StatusCode::TOO_MANY_REQUESTS, "unseen");
        assert_eq!(refused.page().header("retry-after"), Some("1"));

        // The right password does not give new attempts.
        server.advance_seconds(1);
        let again = at_second_step(&server, &alice);
        assert_eq!(status(&present(&again, field, "000001")), StatusCode::UNAUTHORIZED);
        assert_eq!(status(&present(&again, field, "000001")), StatusCode::TOO_MANY_REQUESTS);

        // In a browser that she used before, she is counted apart.
        let known = home.clone();
        known.get("/v2/web/logout");
        known.submit(&known.form());
        known.login(&alice);
        present(&known, "otp", &otp(&secret, seconds(&server) + 30));
        assert!(is_signed_in(&known), "{field}");
    }
}

/// AA5: many guesses at the same time are as many failures.
#[test]
fn each_guess_counts() {
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 100_000);
    let alice = server.user("alice").create();
    set_up_app(&server.browser_of(&alice));
    let mut refused = 0;
    for _ in 0..20 {
        let browser = server.browser();
        browser.try_login(&alice.username, &alice.password);
        if !browser.path().starts_with(FACTOR) {
            refused += 1;
            continue;
        }
        if status(&present(&browser, "otp", "000001")) == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
        }
    }
    assert_eq!(refused, 15);
}

/// threats.md 20: too many failures everywhere leave known browsers only.
#[test]
fn guesses_at_second_factors_count_everywhere_together() {
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 3);
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let home = server.browser_of(&alice);
    set_up_app(&home);
    set_up_app(&server.browser_of(&bob));
    let (one, other) = (at_second_step(&server, &alice), at_second_step(&server, &bob));
    for _ in 0..2 {
        present(&one, "otp", "000001");
        present(&other, "otp", "000001");
    }
    let outcome = present(&other, "otp", "000001");
    assert_eq!(status(&outcome), StatusCode::TOO_MANY_REQUESTS);
}

/// The step in between belongs to one browser, ends after ten minutes, and is used once.
#[test]
fn the_second_step_belongs_to_the_browser_that_gave_the_password() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    server.advance_seconds(60);
    let code = |offset| otp(&secret, seconds(&server) + offset);

    let browser = at_second_step(&server, &alice);
    let path = browser.path();
    let form = browser.form_with(FACTOR, "login");
    let stranger = server.browser();
    stranger.get("/p/login");
    assert_eq!(status(&stranger.get(&path)), StatusCode::BAD_REQUEST);
    let own_token = stranger.get("/p/login").page().text();
    let own_token = crate::support::forms(&own_token)[0]
        .get("form_token")
        .unwrap()
        .to_owned();
    let theirs = form.clone().set("otp", &code(0)).set("form_token", &own_token);
    assert_eq!(status(&stranger.submit(&theirs)), StatusCode::BAD_REQUEST);
    assert!(!is_signed_in(&stranger));

    let copy = browser.clone();
    browser.submit(&form.clone().set("otp", &code(0)));
    assert!(is_signed_in(&browser));
    assert_eq!(
        status(&copy.submit(&form.set("otp", &code(30)))),
        StatusCode::BAD_REQUEST,
        "used"
    );

    let late = at_second_step(&server, &alice);
    server.advance_seconds(601);
    assert_eq!(status(&present(&late, "otp", &code(0))), StatusCode::BAD_REQUEST);
}

#[test]
fn an_account_that_was_disabled_meanwhile_does_not_come_in() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut passkey = Authenticator::new(&server);
    let browser = server.browser_of(&alice);
    add_passkey(&browser, &mut passkey);
    let second = at_second_step(&server, &alice);
    let id = alice.id;
    let ctx = server.ctx();
    server.write(move |tx| identity::switch_off(tx, &ctx, id));
    assert_eq!(status(&present_passkey(&second, &passkey)), StatusCode::BAD_REQUEST);
    assert_eq!(
        status(&passkey_login(&server.browser(), &passkey)),
        StatusCode::UNAUTHORIZED
    );
}

/// AA7: a password that was changed meanwhile is no first step any more.
#[test]
fn a_new_password_ends_what_began_with_the_old_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    server.advance_seconds(60);
    let second = at_second_step(&server, &alice);
    let (ctx, id) = (server.ctx(), alice.id);
    server.write(move |tx| identity::set_password(tx, &ctx, id, "$argon2id$new"));
    let outcome = present(&second, "otp", &otp(&secret, seconds(&server)));
    assert_eq!(status(&outcome), StatusCode::BAD_REQUEST);
}

/// AA7: a new password by mail does not pass by the second factor.
#[test]
fn a_password_by_mail_does_not_replace_the_second_factor() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let alice = server.user("alice").create();
    let secret = set_up_app(&server.browser_of(&alice));
    server.send_mail();
    mailbox.take();
    let browser = server.browser();
    browser.get("/p/reset");
    browser.submit(&browser.form().set("username", "alice"));
    server.send_mail();
    let link = mailbox.take().remove(0).link();
    browser.get(&link);
    let new = "seven unlikely words of somebody else";
    browser.submit(&browser.form().set("password", new).set("password_again", new));
    assert!(!is_signed_in(&browser));

    server.advance_seconds(60);
    let alice = TestUser {
        password: new.into(),
        ..alice
    };
    let second = at_second_step(&server, &alice);
    present(&second, "otp", &otp(&secret, seconds(&server)));
    assert!(is_signed_in(&second));
}

/// threats.md 16: the cookie changes with the sign-in, not before and not never.
#[test]
fn the_cookie_changes_when_the_second_step_is_done() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mut passkey = Authenticator::new(&server);
    add_passkey(&server.browser_of(&alice), &mut passkey);
    let browser = at_second_step(&server, &alice);
    let before = browser.cookie("__Host-portolan").unwrap();
    present_passkey(&browser, &passkey);
    assert_ne!(browser.cookie("__Host-portolan").unwrap(), before);
    let planted = server.browser();
    planted.set_cookie("__Host-portolan", &before);
    assert!(!is_signed_in(&planted));
}

/// Must show: an app that demands two factors gets them, and says so in the token.
#[test]
fn an_app_that_demands_two_factors_gets_them() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let browser = server.browser_of(&alice);
    let demanding = client.params("openid").set("session_required_mfa", "true");

    // Without a second factor there is a way on, not a dead end.
    browser.authorize(&client, &demanding);
    let refused = browser.try_login(&alice.username, &alice.password);
    assert_eq!(status(&refused), StatusCode::FORBIDDEN);
    assert!(refused.page().text().contains(SECURITY), "{}", refused.page().text());

    let browser = server.browser_of(&alice);
    let secret = set_up_app(&browser);
    server.advance_seconds(60);
    browser.authorize(&client, &demanding);
    assert!(browser.path().starts_with("/p/login"), "{}", browser.path());
    assert!(browser.text().contains("a sign-in with two factors"));
    browser.login(&alice);
    assert!(browser.path().starts_with(FACTOR));
    let mut outcome = present(&browser, "otp", &otp(&secret, seconds(&server)));
    if outcome.is_page() {
        outcome = browser.allow();
    }
    let tokens = client.exchange(&outcome.code());
    let claims = tokens.claims();
    assert_eq!(claims["acr"], REFEDS_MFA);
    assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
}

#[test]
fn a_passkey_satisfies_an_app_that_waits() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let home = server.browser_of(&alice);
    let mut passkey = Authenticator::new(&server);
    add_passkey(&home, &mut passkey);
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid").set("session_required_mfa", "true"));
    let credential = passkey.get(&browser.passkey_options(PASSKEY_LOGIN));
    sign_in_with(&browser, &credential);
    let outcome = browser.allow();
    assert_eq!(client.exchange(&outcome.code()).claims()["acr"], REFEDS_MFA);
}

/// AA7: a change needs a sign-in of the last ten minutes.
#[test]
fn changes_need_a_recent_sign_in_and_lead_back() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    server.advance_seconds(601);
    browser.get(SECURITY);
    let form = browser.form_with(TOTP, "form_token");
    assert!(browser.path().starts_with(SECURITY), "looking is allowed");

    browser.submit(&form);
    assert!(
        browser.path().starts_with("/p/login?next=security"),
        "{}",
        browser.path()
    );
    browser.login(&alice);
    assert_eq!(browser.path(), SECURITY);
    for (path, next) in [
        (PASSKEYS, "security-passkeys"),
        (CODES, "security-recovery-codes"),
        ("/p/account/security/password", "security-password"),
    ] {
        server.advance_seconds(601);
        browser.get(path);
        assert_eq!(browser.path(), format!("/p/login?next={next}"));
        browser.login(&alice);
        assert_eq!(browser.path(), path);
    }
    assert_eq!(server.count("SELECT count(*) FROM totp_secrets", params![]), 0);
}

/// AB2: listed, named, removed; and the last one not by accident.
#[test]
fn factors_are_listed_renamed_and_removed() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let mut passkey = Authenticator::new(&server);
    add_passkey(&browser, &mut passkey);
    let secret = set_up_app(&browser);
    make_codes(&browser);
    let text = browser.get(SECURITY).page().text();
    assert!(text.contains("My key") && text.contains("10 codes are left"));
    let link = text
        .split("href=\"")
        .find(|rest| rest.starts_with("/p/account/security/passkeys/"))
        .unwrap();
    let path = link.split_once('"').unwrap().0.to_owned();

    browser.get(&path);
    browser.submit(&browser.form().set("name", "Laptop <b>"));
    let text = browser.get(SECURITY).page().text();
    assert!(text.contains("Laptop &#60;b&#62;") && !text.contains("My key"));

    browser.get(&format!("{path}/remove"));
    browser.submit(&browser.form());
    assert!(!browser.get(SECURITY).page().text().contains("Laptop"));
    assert_eq!(
        status(&passkey_login(&server.browser(), &passkey)),
        StatusCode::UNAUTHORIZED
    );
    let subject = "A second factor was removed from your account";
    assert_eq!(mails(&server, subject), 1);
    let notice: String = server.read(move |tx| {
        let (body,): (String,) = tx.fetch_one("SELECT body FROM outbox WHERE subject = $1", params![subject])?;
        Ok(body)
    });
    assert!(notice.contains("The passkey “Laptop <b>” of your account"), "{notice}");
    let told = detail(&server, "passkey.delete");
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(told, serde_json::json!({ "passkey": id, "last": false }));

    let removal = format!("{TOTP}/remove");
    let page = browser.get(&removal);
    assert!(page.page().text().contains("This is your last second factor"));
    let form = browser.form();
    for wrong in ["", "not her password"] {
        assert_eq!(
            status(&browser.submit(&form.clone().set("password_now", wrong))),
            StatusCode::BAD_REQUEST
        );
    }
    server.advance_seconds(60);
    assert!(server.count("SELECT count(*) FROM recovery_codes", params![]) == 10);
    browser.submit(&form.set("password_now", &alice.password));
    assert!(browser.text().contains("It was removed."), "{}", browser.text());
    assert_eq!(
        server.count("SELECT count(*) FROM recovery_codes", params![]),
        0,
        "they stand in for nothing"
    );
    assert!(
        is_signed_in(&server.browser_of(&alice)),
        "the password alone is enough again"
    );
    drop(secret);
}

/// A short password is only good beside a second factor.
#[test]
fn the_last_factor_stays_while_the_password_is_short() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let change = |old: &str, new: &str| {
        browser.get("/p/account/security/password");
        let form = browser.form().set("password_now", old).set("password", new);
        browser.submit(&form.set("password_again", new))
    };
    let short = "qv7-tulip";
    assert_eq!(
        status(&change(&alice.password, short)),
        StatusCode::BAD_REQUEST,
        "too short alone"
    );
    set_up_app(&browser);
    assert_eq!(status(&change("wrong", short)), StatusCode::BAD_REQUEST);
    assert_eq!(status(&change(&alice.password, short)), StatusCode::OK);
    assert!(
        browser.text().contains("Your password was changed."),
        "{}",
        browser.text()
    );

    browser.get(&format!("{TOTP}/remove"));
    let refused = browser.submit(&browser.form().set("password_now", short));
    assert_eq!(status(&refused), StatusCode::BAD_REQUEST);
    assert!(refused.page().text().contains("change it first"));
}

/// AA7.
#[test]
fn a_new_password_signs_out_other_browsers_and_ends_tokens() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let (here, there) = (server.browser_of(&alice), server.browser_of(&alice));
    let client = server.client().confidential().create();
    let tokens = client.tokens(&there, "openid email");
    here.get("/p/account/security/password");
    let new = "another very long and unlikely phrase";
    let form = here.form().set("password_now", &alice.password).set("password", new);
    here.submit(&form.set("password_again", new));

    assert!(is_signed_in(&here));
    assert!(!is_signed_in(&there));
    assert!(!client.is_active(tokens.access_token()));
    assert_eq!(mails(&server, "Your password was changed"), 1);
    assert_eq!(audited(&server, "identity.change_password"), 1);
}

/// Tokens may speak for a linked account although this one signed in: they end all the same.
#[test]
fn what_this_account_got_for_linked_ones_elsewhere_ends_with_its_password() {
    let server = TestServer::new();
    let (alice, primary) = (server.user("alice").create(), server.user("primary").create());
    server.link(&primary, &alice);
    let client = server.client().confidential().create();
    for path in [SESSIONS, "/p/account/security/password"] {
        let (here, there) = (server.browser_of(&alice), server.browser_of(&alice));
        let tokens = client.tokens(&there, "openid email");
        assert_eq!(tokens.claims()["sub"], primary.id.to_string());
        here.get(path);
        if path == SESSIONS {
            here.submit(&here.form().set("session", "others"));
        } else {
            let new = "another very long and unlikely phrase";
            let form = here.form().set("password_now", &alice.password).set("password", new);
            here.submit(&form.set("password_again", new));
        }
        assert!(is_signed_in(&here) && !is_signed_in(&there), "{path}");
        assert!(!client.is_active(tokens.access_token()), "{path}");
    }
}

#[test]
fn a_person_signs_out_everywhere_else() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let (here, there) = (server.browser_of(&alice), server.browser_of(&alice));
    let link = format!("href=\"{SESSIONS}\"");
    assert!(here.get(SECURITY).page().text().contains(&link));
    here.get(SESSIONS);
    here.submit(&here.form().set("session", "others"));
    assert!(is_signed_in(&here));
    assert!(!is_signed_in(&there));
    assert_eq!(mails(&server, "You were signed out elsewhere"), 1);
    assert_eq!(audited(&server, "session.end_others"), 1);
}

/// AA7: who came in with the password alone cannot take the new factor away.
#[test]
fn the_first_second_factor_signs_out_other_browsers() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    for (user, with_app) in [(&alice, true), (&bob, false)] {
        let (here, there) = (server.browser_of(user), server.browser_of(user));
        if with_app {
            set_up_app(&here);
        } else {
            add_passkey(&here, &mut Authenticator::new(&server));
        }
        assert!(is_signed_in(&here));
        assert!(!is_signed_in(&there));
    }
}

/// Nobody reaches the passkeys of somebody else.
#[test]
fn passkeys_of_others_are_not_there() {
    let server = TestServer::new();
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    add_passkey(&server.browser_of(&alice), &mut Authenticator::new(&server));
    let id = alice.id;
    let passkey = server.read(move |tx| Ok(factors::list_passkeys(tx, id)?.remove(0)));
    let bobs = server.browser_of(&bob);
    for path in [
        format!("{PASSKEYS}/{}", passkey.id),
        format!("{PASSKEYS}/{}/remove", passkey.id),
    ] {
        assert_eq!(bobs.send(Method::GET, &path, None).status, StatusCode::NOT_FOUND);
        bobs.get(SECURITY);
        let token = bobs.form_with(TOTP, "form_token").get("form_token").unwrap().to_owned();
        let fields = [("form_token".to_owned(), token), ("name".to_owned(), "mine".to_owned())];
        assert_eq!(
            bobs.send(Method::POST, &path, Some(&fields)).status,
            StatusCode::NOT_FOUND
        );
    }
}

/// AB1: browsers know no passkeys under a bare address, so none are offered there.
#[test]
fn under_a_bare_address_there_are_no_passkeys() {
    let server = TestServer::with(|config| config.public_url = "https://192.0.2.1".into());
    let alice = server.user("alice").create();
    let browser = server.browser();
    browser.get("/p/login");
    assert!(!browser.text().contains("data-passkey"));
    browser.login(&alice);
    assert!(
        browser
            .get(SECURITY)
            .page()
            .text()
            .contains("Browsers know no passkeys")
    );
    set_up_app(&browser);
}

/// Whoever was signed in before has shown the factors that are gone, or has stolen the session.
#[test]
fn an_operator_who_takes_all_factors_away_ends_the_sessions() {
    use portolan_server::domain::factors::{self, Removal};
    use portolan_server::store::audit::Actor;
    use portolan_server::store::identities;
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    set_up_app(&browser);
    add_passkey(&browser, &mut Authenticator::new(&server));
    let client = server.client().create();
    let tokens = client.tokens(&browser, "openid");
    assert!(client.is_active(tokens.access_token()));

    let id = alice.id;
    let remove = |removal| {
        let ctx = server.ctx();
        move |tx: &mut WriteTx| {
            let alice = identities::get(tx, id)?;
            factors::remove(tx, &ctx, Actor::Operator, &alice, removal)
        }
    };

    assert!(server.write(remove(Removal::All)), "the app and the passkey");
    assert!(!server.write(remove(Removal::All)), "nothing is left");
    assert!(!server.write(remove(Removal::Totp)));
    assert!(!is_signed_in(&browser));
    assert!(!client.is_active(tokens.access_token()));
    server.browser_of(&alice);
}

/// Whoever gets an account back learns what somebody else may have left in it.
#[test]
fn the_notice_of_a_new_password_names_factors_that_were_added_lately() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let alice = server.user("alice").create();
    let notice = || {
        server.advance_seconds(60);
        let (ctx, id) = (server.ctx(), alice.id);
        server.send_mail();
        mailbox.take();
        server.write(move |tx| identity::set_password(tx, &ctx, id, "a hash"));
        server.send_mail();
        mailbox.take().remove(0).text
    };
    assert!(!notice().contains("added"));
    let (key, id) = (portolan_server::app::new_uuid(), alice.id);
    let now = server.now();
    server.write(move |tx| {
        factors::replace_unconfirmed_totp(tx, key, id, &[1], now)?;
        factors::confirm_totp(tx, key, id, 1, now)
    });

    let text = notice();
    assert!(text.contains("an authenticator app (2026-03-01)"), "{text}");
    assert!(text.contains("remove"), "{text}");

    server.advance_seconds(6 * 86_400);
    assert!(notice().contains("authenticator app"), "six days ago");
    server.advance_seconds(86_400);
    assert!(!notice().contains("authenticator app"), "more than a week ago");
}

/// Somebody who is about to change the password from an open browser does not undo the one that
/// its owner has just set by mail.
#[test]
fn a_password_is_changed_only_if_it_is_still_the_one_that_was_checked() {
    use portolan_server::store::{identities, passwords};
    use portolan_types::BrowserSessionId;
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let id = alice.id;
    let checked = server.read(move |tx| passwords::find(tx, id)).unwrap();
    let ctx = server.ctx();
    server.write(move |tx| identity::set_password(tx, &ctx, id, "set by mail"));

    let change = |verified: &str, hash: &'static str| {
        let (ctx, verified) = (server.ctx(), verified.to_owned());
        server.app().db.write_blocking(move |tx| {
            let alice = identities::get(tx, id)?;
            let (here, idle) = (BrowserSessionId::from_u128(1), std::time::Duration::from_secs(60));
            identity::change_password(tx, &ctx, &alice, &verified, hash, here, idle)
        })
    };

    let refused = change(&checked, "a stranger's").unwrap_err();
    assert_eq!(refused.kind(), portolan_server::error::Kind::Conflict);
    assert_eq!(server.read(move |tx| passwords::find(tx, id)).unwrap(), "set by mail");
    change("set by mail", "the owner's").unwrap();
    assert_eq!(server.read(move |tx| passwords::find(tx, id)).unwrap(), "the owner's");
}
