//! What an app demands of the session (`session_required_*`, `max_age`, `acr`), from the
//! request to the tokens: wire.md 1.14 and 2.1.2 step 5, RFC 9470.

use http::StatusCode;
use portolan_db::params;
use serde_json::{Value, json};

use crate::support::{Browser, Params, TestClient, TestServer, TestUser};

const MFA: &str = "https://refeds.org/profile/mfa";

/// A person with three linked accounts, and an app she has allowed to know who she is.
struct Scene {
    server: TestServer,
    client: TestClient,
    alice: TestUser,
    /// Under a domain of its own.
    work: TestUser,
    lab: TestUser,
    browser: Browser,
}

/// Makes these accounts one person's; the first is the primary one.
fn link(server: &TestServer, primary: &TestUser, others: &[&TestUser]) {
    for other in others {
        server.sql(
            "UPDATE identities SET set_id = (SELECT set_id FROM identities WHERE id = $1) WHERE id = $2",
            params![primary.id, other.id],
        );
    }
}

fn at_domain(server: &TestServer, mut user: TestUser, domain: &str) -> TestUser {
    let name = user.username.split('@').next().unwrap();
    user.username = format!("{name}@{domain}");
    server.sql(
        "UPDATE identities SET username = $2 WHERE id = $1",
        params![user.id, user.username.clone()],
    );
    user
}

fn scene() -> Scene {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let work = at_domain(&server, server.user("work").create(), "work.example");
    let lab = at_domain(&server, server.user("lab").create(), "lab.example.edu");
    link(&server, &alice, &[&work, &lab]);
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    Scene {
        server,
        client,
        alice,
        work,
        lab,
        browser,
    }
}

impl Scene {
    fn params(&self, name: &str, value: &str) -> Params {
        self.client.params("openid").set(name, value)
    }

    /// Asks, and is on the login page.
    #[track_caller]
    fn ask(&self, params: &Params) -> String {
        let outcome = self.browser.authorize(&self.client, params);
        assert_eq!(outcome.title(), "Sign in", "{params:?}");
        outcome.page().text()
    }

    fn identities(&self, users: &[&TestUser]) -> Params {
        let ids: Vec<String> = users.iter().map(|user| user.id.to_string()).collect();
        self.params("session_required_identities", &ids.join(","))
    }

    /// Who is in the session of a fresh token, and since when.
    #[track_caller]
    fn session(&self, code: &str) -> Vec<(String, i64)> {
        let tokens = self.client.exchange(code);
        let seen = self.client.introspect_with(tokens.access_token(), "session_info");
        let authentications = seen["session_info"]["authentications"].as_object().unwrap();
        let mut session: Vec<(String, i64)> = authentications
            .iter()
            .map(|(id, authentication)| (id.clone(), authentication["auth_time"].as_i64().unwrap()))
            .collect();
        session.sort();
        session
    }

    fn expected(&self, users: &[(&TestUser, i64)]) -> Vec<(String, i64)> {
        let mut expected: Vec<_> = users.iter().map(|(user, at)| (user.id.to_string(), *at)).collect();
        expected.sort();
        expected
    }

    /// As if the login had been with two factors.
    fn strengthen(&self, user: &TestUser) {
        self.server.sql(
            "UPDATE browser_authentications SET amr = '[\"pwd\",\"otp\",\"mfa\"]', acr = $2 WHERE identity_id = $1",
            params![user.id, MFA],
        );
    }
}

/// wire.md 4.3.5: `globus session update` with several identities.
#[test]
fn each_demanded_identity_is_asked_for_until_all_are_there() {
    let scene = scene();
    let login = scene.server.now().seconds();
    scene.server.advance_seconds(100);
    let params = scene.identities(&[&scene.work, &scene.lab]);

    let page = scene.ask(&params);
    assert!(page.contains("the account work@work.example") && page.contains("the account lab@lab.example.edu"));
    assert_eq!(scene.browser.form().get("username"), Some("work@work.example"));
    let next = scene.browser.login(&scene.work);
    assert_eq!(next.title(), "Sign in");
    assert!(
        !next.page().text().contains("the account work@work.example"),
        "that is done"
    );
    assert_eq!(scene.browser.form().get("username"), Some("lab@lab.example.edu"));
    let code = scene.browser.login(&scene.lab).code();

    let now = login + 100;
    assert_eq!(
        scene.session(&code),
        scene.expected(&[(&scene.alice, login), (&scene.work, now), (&scene.lab, now)]),
        "exactly the demanded ones and the one that was there"
    );
    let again = scene.browser.authorize(&scene.client, &params);
    assert!(!again.code().is_empty(), "they stay in the session");
}

/// `globus session update --all` sends `prompt=login` along: every one anew.
#[test]
fn prompt_login_renews_each_demanded_identity() {
    let scene = scene();
    for user in [&scene.work, &scene.lab] {
        scene.ask(&scene.identities(&[user]));
        scene.browser.login(user).code();
    }
    scene.server.advance_seconds(100);
    let all = scene
        .identities(&[&scene.alice, &scene.work, &scene.lab])
        .set("prompt", "login");

    scene.ask(&all);
    for user in [&scene.lab, &scene.alice] {
        assert_eq!(scene.browser.login(user).title(), "Sign in", "{}", user.username);
    }
    let code = scene.browser.login(&scene.work).code();

    let now = scene.server.now().seconds();
    assert_eq!(
        scene.session(&code),
        scene.expected(&[(&scene.alice, now), (&scene.work, now), (&scene.lab, now)])
    );
}

/// wire.md 2.1.2 step 5: nobody is asked without end.
#[test]
fn an_account_that_was_not_asked_for_ends_on_a_page() {
    let scene = scene();
    scene.ask(&scene.identities(&[&scene.work, &scene.lab]));
    let wrong = scene.browser.login(&scene.work);
    assert_eq!(wrong.title(), "Sign in");
    let twice = scene.browser.try_login(&scene.work.username, &scene.work.password);
    assert_eq!(twice.page().status, StatusCode::FORBIDDEN);
    assert!(twice.page().text().contains("with a particular identity"));
}

#[test]
fn accounts_of_two_people_are_not_put_into_one_session() {
    let scene = scene();
    let bob = scene.server.user("bob").create();
    let params = scene.identities(&[&scene.alice, &bob]);

    scene.ask(&params);
    let outcome = scene.browser.try_login(&scene.alice.username, &scene.alice.password);
    assert_eq!(outcome.page().status, StatusCode::FORBIDDEN);
    assert!(outcome.page().text().contains("not linked with each other"));

    let elsewhere = scene.server.browser();
    elsewhere.authorize(&scene.client, &params);
    let outcome = elsewhere.try_login(&bob.username, &bob.password);
    assert_eq!(outcome.page().status, StatusCode::FORBIDDEN);
}

/// wire.md 2.1.2 step 5; threats.md 16: giving up loses nothing.
#[test]
fn giving_up_is_access_denied_and_keeps_what_was_there() {
    let scene = scene();
    let params = scene.identities(&[&scene.work, &scene.lab]);
    scene.ask(&params);
    scene.browser.login(&scene.work);
    assert_eq!(scene.browser.deny().error().as_deref(), Some("access_denied"));

    let code = scene.client.code(&scene.browser, "openid");
    let now = scene.server.now().seconds();
    assert_eq!(
        scene.session(&code),
        scene.expected(&[(&scene.alice, now), (&scene.work, now)])
    );
}

#[test]
fn a_domain_is_met_by_one_login_from_it() {
    let scene = scene();
    for domains in ["lab.example.edu", "LAB.example.edu,other.org", "*.edu"] {
        let scene = self::scene();
        let params = scene.params("session_required_single_domain", domains);
        assert!(scene.ask(&params).contains("an account at"));
        scene.browser.login(&scene.lab).code();
        assert!(!scene.browser.authorize(&scene.client, &params).is_page(), "{domains}");
    }
    let params = scene.params("session_required_single_domain", "lab.example.edu");
    scene.ask(&params);
    let other = scene.browser.try_login(&scene.work.username, &scene.work.password);
    assert_eq!(other.page().status, StatusCode::FORBIDDEN);

    // With prompt=login one from before is not enough.
    scene.ask(&params);
    scene.browser.login(&scene.lab).code();
    scene.server.advance_seconds(10);
    let again = params.set("prompt", "login");
    scene.ask(&again);
    let other = scene.browser.try_login(&scene.work.username, &scene.work.password);
    assert_eq!(other.page().status, StatusCode::FORBIDDEN);
    scene.ask(&again);
    scene.browser.login(&scene.lab).code();
}

#[test]
fn two_factors_are_met_by_a_login_that_had_two() {
    let scene = scene();
    let params = scene.params("session_required_mfa", "True");
    assert!(scene.ask(&params).contains("a sign-in with two factors"));
    let weak = scene.browser.try_login(&scene.alice.username, &scene.alice.password);
    assert_eq!(weak.page().status, StatusCode::FORBIDDEN);
    scene.strengthen(&scene.alice);
    assert!(!scene.browser.authorize(&scene.client, &params).code().is_empty());
}

/// All demands hold, and the page names those that are open.
#[test]
fn all_demands_hold_at_once() {
    let scene = scene();
    scene.strengthen(&scene.alice);
    let params = scene
        .identities(&[&scene.work])
        .set("session_required_single_domain", "lab.example.edu")
        .set("session_required_mfa", "true");
    let page = scene.ask(&params);
    assert!(page.contains("the account work@work.example") && page.contains("an account at lab.example.edu"));
    assert!(!page.contains("two factors"), "that is met");
    assert_eq!(scene.browser.login(&scene.lab).title(), "Sign in");
    scene.browser.login(&scene.work).code();
}

/// The username behind an id is told to its owner alone.
#[test]
fn an_id_is_not_turned_into_a_name_for_strangers() {
    let scene = scene();
    let params = scene.identities(&[&scene.alice]);
    let stranger = scene.server.browser();
    let bobs = scene.server.browser_of(&scene.server.user("bob").create());
    for browser in [&stranger, &bobs] {
        let page = browser.authorize(&scene.client, &params).page().text();
        assert!(
            page.contains("a particular account") && !page.contains("alice@"),
            "{page}"
        );
        assert_eq!(browser.form().get("username"), Some(""));
    }
    // A browser that she used knows her.
    scene.browser.get("/v2/web/logout");
    scene.browser.submit(&scene.browser.form());
    let page = scene.ask(&params);
    assert!(page.contains("What is needed") && page.contains("the account alice@portolan.local"));
    assert_eq!(scene.browser.form().get("username"), Some("alice@portolan.local"));
}

fn claims_of(scene: &Scene, code: &str) -> (Value, Value) {
    let tokens = scene.client.exchange(code);
    (tokens.claims(), scene.client.introspect(tokens.access_token()))
}

/// H10, W1: ID token and introspection tell of the same login, the newest of the person.
#[test]
fn auth_time_and_acr_tell_of_the_last_login_of_the_person() {
    let scene = scene();
    let first = scene.server.now().seconds();
    let (claims, seen) = claims_of(&scene, &scene.client.code(&scene.browser, "openid"));
    for document in [&claims, &seen] {
        assert_eq!(document["auth_time"], first);
        assert!(document.get("acr").is_none(), "a password has no name for its kind");
    }
    scene.server.advance_seconds(50);
    scene.ask(&scene.identities(&[&scene.work]).set("max_age", "0"));
    let code = scene.browser.login(&scene.work).code();
    let (claims, seen) = claims_of(&scene, &code);
    assert_eq!(
        claims["sub"],
        scene.alice.id.to_string(),
        "the tokens are of the primary identity"
    );
    assert_eq!(
        claims["auth_time"],
        first + 50,
        "although the person came as another one"
    );
    assert_eq!(seen["auth_time"], first + 50);

    scene.strengthen(&scene.work);
    let (claims, seen) = claims_of(&scene, &scene.client.code(&scene.browser, "openid"));
    for document in [&claims, &seen] {
        assert_eq!(document["acr"], MFA);
    }
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    // A login after it that was weaker is told as what it was.
    scene.server.advance_seconds(1);
    scene.ask(&scene.params("prompt", "login"));
    let (claims, seen) = claims_of(&scene, &scene.browser.login(&scene.alice).code());
    for document in [&claims, &seen] {
        assert_eq!(document["auth_time"], first + 51);
        assert!(document.get("acr").is_none());
    }
    assert_eq!(claims["amr"], json!(["pwd"]));
}

/// A token without a person has neither.
#[test]
fn introspection_of_a_service_account_has_no_auth_time() {
    let server = TestServer::new();
    let robot = server.client().create();
    let seen = robot.introspect(robot.credentials("openid").access_token());
    assert!(seen.get("auth_time").is_none() && seen.get("acr").is_none(), "{seen}");
}

/// H9, W1: `acr_values` asks for a stronger login once, and is never an error.
#[test]
fn acr_values_ask_once_and_then_tell_the_truth() {
    let scene = scene();
    let wish = scene.params("acr_values", &format!("urn:unknown {MFA}"));
    assert!(scene.ask(&wish).contains("a sign-in with two factors"));
    let (claims, _) = claims_of(&scene, &scene.browser.login(&scene.alice).code());
    assert!(claims.get("acr").is_none());
    let silent = scene
        .browser
        .authorize(&scene.client, &wish.clone().set("prompt", "none"));
    assert!(!silent.code().is_empty());

    scene.strengthen(&scene.alice);
    let met = scene.browser.authorize(&scene.client, &wish);
    assert_eq!(claims_of(&scene, &met.code()).0["acr"], MFA);
}

/// H10: an essential `acr` that cannot be met is an error, not a weaker success.
#[test]
fn an_essential_acr_is_met_or_an_error() {
    let scene = scene();
    let claims = |acr: Value| {
        let document = json!({ "id_token": { "acr": acr, "email": null }, "userinfo": {} });
        scene.params("claims", &document.to_string())
    };
    let essential = claims(json!({ "essential": true, "values": ["urn:other", MFA] }));
    let silent = scene
        .browser
        .authorize(&scene.client, &essential.clone().set("prompt", "none"));
    assert_eq!(silent.error().as_deref(), Some("login_required"));
    scene.ask(&essential);
    let refused = scene.browser.login(&scene.alice);
    assert_eq!(refused.error().as_deref(), Some("unmet_authentication_requirements"));
    assert_eq!(refused.state().as_deref(), Some("the-state"));

    scene.strengthen(&scene.alice);
    let met = scene.browser.authorize(&scene.client, &essential);
    assert_eq!(claims_of(&scene, &met.code()).0["acr"], MFA);
    // One of a single value, which nobody can have.
    let single = claims(json!({ "essential": true, "value": "urn:other" }));
    assert!(scene.browser.authorize(&scene.client, &single).is_page());

    // A voluntary one, and one of no certain values, are no demand.
    for harmless in [
        json!({ "values": ["urn:x"] }),
        json!({ "essential": true }),
        json!(null),
    ] {
        let outcome = scene.browser.authorize(&scene.client, &claims(harmless));
        assert!(!outcome.code().is_empty());
    }
}

/// wire.md 1.13, 2.6.3: a high-assurance policy with a time-out of half an hour demands,
/// accepts, expires and demands again: at the authorization endpoint and in introspection.
#[test]
fn a_high_assurance_policy_demands_accepts_expires_and_demands_again() {
    let scene = scene();
    let project = scene.server.project("The laboratory");
    let id = portolan_types::PolicyId(portolan_server::app::new_uuid());
    let now = scene.server.now();
    scene.server.write(move |tx| {
        let policy = portolan_server::store::policies::Policy {
            id,
            project_id: project,
            display_name: "Recent campus login".into(),
            description: "Of a test.".into(),
            high_assurance: true,
            authentication_assurance_timeout: Some(1800),
            required_mfa: false,
            domain_constraints_include: Some(vec!["*.example.edu".into()]),
            domain_constraints_exclude: None,
            unlisted: false,
            only_identities: None,
        };
        portolan_server::store::policies::insert(tx, &policy, now)
    });
    let params = scene.params("session_required_policies", &id.to_string());
    let evaluation = |token: &str| {
        let fields = [("token", token), ("authentication_policies", &id.to_string())];
        let seen = scene.client.post("/v2/oauth2/token/introspect", &fields).ok().json();
        seen["policy_evaluations"][id.to_string()]["evaluation"]
            .as_bool()
            .unwrap()
    };
    let before = scene.client.tokens(&scene.browser, "openid");
    assert!(!evaluation(before.access_token()));

    // It demands,
    let page = scene.ask(&params);
    assert!(page.contains("an account at *.example.edu") && page.contains("a sign-in within the last 30 minutes"));
    let silent = params.clone().set("prompt", "none");
    let refused = scene.browser.authorize(&scene.client, &silent);
    assert_eq!(refused.error().as_deref(), Some("login_required"));
    // accepts,
    scene.ask(&params);
    let tokens = scene.client.exchange(&scene.browser.login(&scene.lab).code());
    assert!(evaluation(tokens.access_token()));
    assert!(evaluation(before.access_token()), "tokens of the same session see it");
    scene.server.advance_seconds(1800);
    assert!(evaluation(tokens.access_token()));
    assert!(!scene.browser.authorize(&scene.client, &silent).code().is_empty());
    // expires,
    scene.server.advance_seconds(1);
    assert!(!evaluation(tokens.access_token()));
    assert_eq!(
        scene.browser.authorize(&scene.client, &silent).error().as_deref(),
        Some("login_required")
    );
    // and demands again.
    scene.ask(&params);
    let again = scene.client.exchange(&scene.browser.login(&scene.lab).code());
    assert!(evaluation(again.access_token()) && evaluation(tokens.access_token()));
    // A login from elsewhere does not do.
    scene.server.advance_seconds(1801);
    scene.ask(&params);
    let other = scene.browser.try_login(&scene.work.username, &scene.work.password);
    assert_eq!(other.page().status, StatusCode::FORBIDDEN);
}

/// H5 in every situation that would need a page.
#[test]
fn prompt_none_is_silent_about_every_demand() {
    let scene = scene();
    let hint_of_bob = {
        let bob = scene.server.user("bob").create();
        scene
            .client
            .tokens(&scene.server.browser_of(&bob), "openid")
            .id_token()
            .to_owned()
    };
    scene.server.advance_seconds(100);
    let unknown_policy = scene.alice.id.to_string();
    let work = scene.work.id.to_string();
    let essential = json!({ "id_token": { "acr": { "essential": true, "values": [MFA] } } }).to_string();
    let table: [(&str, &str, &str); 14] = [
        ("max_age", "99", "login_required"),
        ("max_age", "0", "login_required"),
        ("max_age", "100", ""),
        ("session_required_identities", &work, "login_required"),
        ("session_required_identities", &scene.alice.id.to_string(), ""),
        ("session_required_single_domain", "work.example", "login_required"),
        ("session_required_policies", &unknown_policy, "login_required"),
        ("session_required_mfa", "1", "login_required"),
        ("session_required_mfa", "false", ""),
        ("id_token_hint", &hint_of_bob, "login_required"),
        ("claims", &essential, "login_required"),
        ("acr_values", MFA, ""),
        ("scope", "openid email", "consent_required"),
        ("prompt", "none login", "invalid_request"),
    ];
    for (name, value, error) in table {
        let params = scene.client.params("openid").set("prompt", "none").set(name, value);
        let outcome = scene.browser.authorize(&scene.client, &params);
        assert_eq!(outcome.error().unwrap_or_default(), error, "{name}={value}");
        assert_eq!(outcome.state().as_deref(), Some("the-state"), "{name}={value}");
    }
    let parked = scene
        .server
        .count("SELECT count(*) FROM authorization_requests", params![]);
    assert_eq!(parked, 0, "nothing waits for a page");
}

/// H7: neither single sign-on nor a refresh is a login.
#[test]
fn auth_time_does_not_move_on_single_sign_on_and_refresh() {
    let scene = scene();
    let login = scene.server.now().seconds();
    let params = scene.client.params("openid").set("access_type", "offline");
    let tokens = scene.client.exchange(&scene.client.code_with(&scene.browser, &params));
    for _ in 0..3 {
        scene.server.advance_seconds(600);
        let refreshed = scene.client.refresh(tokens.refresh_token());
        let (claims, seen) = claims_of(&scene, &scene.client.code(&scene.browser, "openid"));
        let seen_by_refresh = scene.client.introspect(refreshed.access_token());
        for document in [&claims, &seen, &seen_by_refresh] {
            assert_eq!(document["auth_time"], login);
        }
    }
}

/// H9: what is for the eyes of people changes nothing but the language that pages speak.
#[test]
fn display_and_locales_change_words_alone() {
    let scene = scene();
    for (name, values) in [
        ("display", ["page", "touch", "wap"]),
        ("ui_locales", ["de-CH fr", "xx", "not a locale"]),
        ("claims_locales", ["de", "ja-Kana-JP", "-"]),
    ] {
        for value in values {
            let shown = scene.client.params("openid").set(name, value);
            assert!(
                !scene.browser.authorize(&scene.client, &shown).code().is_empty(),
                "{name}={value}"
            );
            let page = scene.server.browser().authorize(&scene.client, &shown).page().text();
            let language = if value == "de-CH fr" { "de" } else { "en" };
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{name}={value}");
        }
    }
}
