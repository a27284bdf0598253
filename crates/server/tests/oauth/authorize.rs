//! `GET` and `POST /v2/oauth2/authorize`.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::store::consents;
use portolan_server::store::identity_providers::{self, IdentityProvider, LOCAL};
use portolan_types::IdentityProviderId;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Answer, Auth, Browser, Outcome, Params, TestClient, TestServer, VERIFIER, challenge};

const PATH: &str = "/v2/oauth2/authorize";
const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

struct Scene {
    server: TestServer,
    client: TestClient,
    browser: Browser,
}

/// A confidential client, and a browser in which alice is signed in and has allowed `openid`.
fn scene() -> Scene {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    Scene {
        server,
        client,
        browser,
    }
}

impl Scene {
    fn ask(&self, params: &Params) -> Outcome {
        self.browser.get(&url(params))
    }
}

fn url(params: &Params) -> String {
    format!("{PATH}?{}", crate::support::encode(&params.pairs()))
}

#[track_caller]
fn assert_error_page(answer: &Answer, about: &str) {
    assert!(answer.status.is_client_error(), "{about}: {}", answer.status);
    assert!(answer.header("location").is_none(), "{about}");
    assert!(
        answer.header("content-type").unwrap().starts_with("text/html"),
        "{about}"
    );
}

/// A1. Asked by form or by address, the answer is the same.
#[test]
fn a_form_leads_where_the_same_query_leads() {
    let Scene { client, browser, .. } = &scene();
    for params in [
        client.params("openid"),
        client.params("openid").set("prompt", "none").set("max_age", "1"),
        client.params("openid").set("response_type", "token"),
        client.params("openid").set("redirect_uri", "https://evil.example"),
        client.params("openid").set("state", "a b+c%&\"é"),
    ] {
        let by_query = browser.get(&url(&params));
        let fields: Vec<(String, String)> = params.0.clone();
        let posted = browser.send(Method::POST, PATH, Some(&fields));
        assert_eq!(posted.status, StatusCode::SEE_OTHER);
        let by_form = browser.get(posted.location());

        match (&by_query, &by_form) {
            (Outcome::Left(query), Outcome::Left(form)) => {
                assert_eq!(query.address(), form.address());
                let names = |left: &crate::support::Redirected| {
                    let mut answer = left.query();
                    answer
                        .iter_mut()
                        .filter(|(name, _)| name == "code")
                        .for_each(|(_, code)| code.clear());
                    answer
                };
                assert_eq!(names(query), names(form));
            }
            (Outcome::Page(query), Outcome::Page(form)) => assert_eq!(query.status, form.status),
            other => panic!("{other:?}"),
        }
    }
}

/// A1: a form from another site comes without our cookie and must still find the session.
#[test]
fn a_posted_request_becomes_a_get_that_brings_the_cookie() {
    let Scene {
        server,
        client,
        browser,
    } = &scene();

    let params = client.params("openid");
    let posted = server.post_form(PATH, &Auth::None, &params.pairs());

    assert_eq!(posted.status, StatusCode::SEE_OTHER);
    assert!(posted.header("set-cookie").is_none());
    assert!(!browser.get(posted.location()).code().is_empty());
}

/// A2.
#[test]
fn unknown_parameters_are_ignored_and_empty_ones_absent() {
    let scene = scene();
    let base = scene.client.params("openid");
    let with = |extra: &[(&str, &str)]| {
        let params = extra
            .iter()
            .fold(base.clone(), |params, (name, value)| params.set(name, value));
        scene.ask(&params)
    };
    assert!(
        !with(&[("foo", "bar"), ("client_name", "x"), ("viewlocale", "en")])
            .code()
            .is_empty()
    );
    let empty = [
        "prompt",
        "max_age",
        "nonce",
        "request",
        "request_uri",
        "registration",
        "code_challenge",
        "code_challenge_method",
        "id_token_hint",
        "response_mode",
        "access_type",
        "session_required_identities",
        "session_required_policies",
        "session_required_mfa",
        "session_required_single_domain",
    ];
    for name in empty {
        assert!(!with(&[(name, "")]).code().is_empty(), "{name}");
    }
    assert_eq!(with(&[("state", "")]).state(), None);
    // The order of parameters and of scopes has no effect.
    scene.client.code(&scene.browser, "openid email");
    let mut turned = scene.client.params("email openid");
    turned.0.reverse();
    assert!(!scene.ask(&turned).code().is_empty());
}

/// A3: refused as a whole, whichever it is.
#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let scene = scene();
    let params = scene.client.params("openid");
    for (name, value) in params.0.clone() {
        for second in [value.as_str(), "other"] {
            let page = scene.ask(&params.clone().twice(&name, second));
            assert_error_page(page.page(), &name);
        }
    }
    let page = scene.ask(&params.clone().twice("foo", "1").twice("foo", "1"));
    assert_error_page(page.page(), "unknown parameter");
    let posted = scene
        .server
        .post_form(PATH, &Auth::None, &params.twice("scope", "openid").pairs());
    assert_error_page(&posted, "by form");
}

/// A4, F2: nothing leads to an address that is not registered.
#[test]
fn a_bad_client_or_redirect_uri_ends_on_a_page_that_leads_nowhere() {
    let scene = scene();
    let registered = scene.client.redirect_uri.clone();
    let good = scene.client.params("openid");
    let disabled = scene.server.client().confidential().create();
    scene
        .server
        .sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![disabled.id]);
    let uris = [
        String::new(),
        "https://evil.example".into(),
        "https://evil.example/callback".into(),
        format!("{registered}/"),
        format!("{registered}?x=1"),
        format!("{registered}#fragment"),
        format!("{registered}/../other"),
        format!("{registered}%2F"),
        format!("{registered}\n"),
        format!(" {registered}"),
        registered.replace("https", "http"),
        registered.replace("https", "HTTPS"),
        registered.replace("app.example", "APP.example"),
        registered.replace("app.example", "app.example."),
        registered.replace("app.example", "app.example:443"),
        registered.replace("app.example", "user@app.example"),
        registered.replace("app.example", "app.example@evil.example"),
        registered.replace("app.example", "app.example.evil.example"),
        registered.replace("app.example", "evil.example\\@app.example"),
        registered.replace("callback", "%63allback"),
        registered.replace("/callback", "//callback"),
        "javascript:alert(1)".into(),
        "data:text/html,x".into(),
        "//evil.example/callback".into(),
        "/callback".into(),
        format!("{registered}/{}", "x".repeat(3000)),
    ];
    for uri in uris {
        for broken in [
            Params::default(),
            Params::default().set("prompt", "none"),
            Params::default().set("scope", "x"),
        ] {
            let mut params = good.clone().set("redirect_uri", &uri);
            for (name, value) in &broken.0 {
                params = params.set(name, value);
            }
            let outcome = scene.ask(&params);
            let page = outcome.page();
            assert_error_page(page, &uri);
            let html = page.text();
            for attribute in ["href=\"", "src=\"", "action=\"", "content=\"0;"] {
                for found in html.split(attribute).skip(1) {
                    assert!(
                        !found.starts_with("https://evil") && !found.starts_with("javascript:"),
                        "{uri}"
                    );
                }
            }
            assert!(!html.contains("<script>") && !html.contains("http-equiv"), "{uri}");
        }
    }
    for id in [
        "",
        "x",
        "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
        &disabled.id.to_string(),
    ] {
        assert_error_page(scene.ask(&good.clone().set("client_id", id)).page(), id);
    }
    assert_error_page(scene.ask(&good.clone().without("client_id")).page(), "no client");
}

/// H4: also when only one is registered.
#[test]
fn the_redirect_uri_is_required_although_one_is_registered() {
    let scene = scene();
    let params = scene.client.params("openid").without("redirect_uri");
    assert_error_page(scene.ask(&params).page(), "no redirect_uri");
}

/// F1: the two loopback addresses match with any port, everything else exactly.
#[test]
fn registered_loopback_addresses_match_with_any_port() {
    let server = TestServer::new();
    let browser = server.browser();
    let web = server
        .client()
        .confidential()
        .redirect_uri("http://127.0.0.1/cb")
        .redirect_uri("http://[::1]:4000/cb")
        .redirect_uri("http://localhost:5000/cb")
        .redirect_uri("https://app.example/cb?tenant=1")
        .create();
    let installed = server
        .client()
        .public_installed()
        .redirect_uri("org.example.app:/cb")
        .create();
    let table = [
        (&web, "http://127.0.0.1/cb", true),
        (&web, "http://127.0.0.1:1/cb", true),
        (&web, "http://127.0.0.1:65535/cb", true),
        (&web, "http://[::1]:9999/cb", true),
        (&web, "http://[::1]/cb", false),
        (&web, "http://127.0.0.1:9999/other", false),
        (&web, "http://127.0.0.1:9999/cb?x=1", false),
        (&web, "https://127.0.0.1:9999/cb", false),
        (&web, "http://localhost:5000/cb", true),
        (&web, "http://localhost:5001/cb", false),
        (&web, "http://127.0.0.2:9999/cb", false),
        (&web, "https://app.example/cb?tenant=1", true),
        (&web, "https://app.example/cb?tenant=2", false),
        (&web, "https://app.example/cb", false),
        (&web, "https://app.example:8443/cb?tenant=1", false),
        (&installed, "org.example.app:/cb", true),
        (&installed, "org.example.app:/cb2", false),
        (&installed, "http://localhost:18411", true),
        (&installed, "http://127.0.0.1:1024/", true),
        (&installed, "http://127.0.0.1:1023/", false),
        (&installed, "http://127.0.0.1/", false),
        (&installed, "http://127.0.0.1:8000/?x", false),
        (&installed, "http://10.0.0.1:8000/", false),
    ];
    for (client, uri, allowed) in table {
        let outcome = browser.authorize(
            client,
            &client.params("openid").set("redirect_uri", uri).set("prompt", "none"),
        );
        assert_eq!(!outcome.is_page(), allowed, "{uri}");
    }
}

/// A5, F4, H11: every other error goes to the client, with `iss` and the exact state.
#[test]
fn every_other_error_goes_to_the_redirect_uri() {
    let scene = scene();
    let public = scene.server.client().public_installed().create();
    let table: &[(&TestClient, &str, &str, &str)] = &[
        (&scene.client, "response_type", "", "invalid_request"),
        (&scene.client, "response_type", "token", "unsupported_response_type"),
        (&scene.client, "response_type", "id_token", "unsupported_response_type"),
        (
            &scene.client,
            "response_type",
            "code id_token",
            "unsupported_response_type",
        ),
        (&scene.client, "response_type", "CODE", "unsupported_response_type"),
        (&scene.client, "response_mode", "fragment", "invalid_request"),
        (&scene.client, "response_mode", "form_post", "invalid_request"),
        (&scene.client, "scope", "", "invalid_request"),
        (&scene.client, "scope", "openid[", "invalid_scope"),
        (&scene.client, "scope", "openid]", "invalid_scope"),
        (&scene.client, "scope", "offline_access", "invalid_scope"),
        (&scene.client, "prompt", "none login", "invalid_request"),
        (&scene.client, "prompt", "nonsense", "invalid_request"),
        (&scene.client, "max_age", "-1", "invalid_request"),
        (&scene.client, "max_age", "x", "invalid_request"),
        (&scene.client, "access_type", "sometimes", "invalid_request"),
        (
            &scene.client,
            "request",
            "eyJhbGciOiJub25lIn0.e30.",
            "request_not_supported",
        ),
        (
            &scene.client,
            "request_uri",
            "https://app.example/r",
            "request_uri_not_supported",
        ),
        (&scene.client, "registration", "{}", "registration_not_supported"),
        (&scene.client, "id_token_hint", "x", "invalid_request"),
        (&scene.client, "code_challenge_method", "S256", "invalid_request"),
        (&scene.client, "session_required_mfa", "perhaps", "invalid_request"),
        (&scene.client, "session_required_identities", "x", "invalid_request"),
        (&scene.client, "session_required_policies", "x", "invalid_request"),
        (&public, "code_challenge", "", "invalid_request"),
    ];
    for (client, name, value, error) in table {
        let state = "the state & \"more\"+%41";
        let outcome = scene.ask(&client.params("openid").set("state", state).set(name, value));
        let left = outcome.left();
        assert_eq!(left.address(), client.redirect_uri, "{name}={value}");
        assert_eq!(left.get("error").as_deref(), Some(*error), "{name}={value}");
        assert_eq!(left.get("iss"), Some(scene.server.issuer()), "{name}={value}");
        assert_eq!(left.get("state").as_deref(), Some(state), "{name}={value}");
        assert!(left.get("error_description").is_some(), "{name}={value}");
        assert_eq!(left.get("code"), None);
        assert_eq!(left.status, StatusCode::SEE_OTHER, "G2");
    }
}

/// A5: the person says no, on whichever page.
#[test]
fn a_refusal_is_access_denied_and_repeats_the_state() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let browser = server.browser();

    browser.authorize(&client, &client.params("openid"));
    assert!(browser.path().starts_with("/p/login?"));
    let on_login = browser.deny();
    browser.login(&alice);
    browser.authorize(&client, &client.params("openid"));
    assert!(browser.path().starts_with("/p/consent?"));
    let on_consent = browser.deny();

    for outcome in [on_login, on_consent] {
        assert_eq!(outcome.error().as_deref(), Some("access_denied"));
        assert_eq!(outcome.state().as_deref(), Some("the-state"));
        assert_eq!(outcome.iss(), Some(server.issuer()));
        assert_eq!(outcome.left().address(), client.redirect_uri);
    }
}

/// A6, F4: the answer is code, state and iss; a query that was registered stays.
#[test]
fn the_answer_keeps_the_query_that_was_registered() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let uri = "https://app.example/cb?tenant=1&x=%20y";
    let client = server.client().confidential().redirect_uri(uri).create();
    let browser = server.browser_of(&alice);

    let left = browser.authorize_and_allow(&client, &client.params("openid"));

    assert!(left.location.starts_with(&format!("{uri}&code=")), "{}", left.location);
    let names: Vec<String> = left.query().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["tenant", "x", "code", "state", "iss"]);
    assert_eq!(left.get("iss"), Some(server.issuer()));
    client.exchange(&left.get("code").unwrap());
}

/// A6.
#[test]
fn the_state_comes_back_byte_for_byte() {
    let scene = scene();
    let check = |state: &str| {
        for params in [
            scene.client.params("openid"),
            scene.client.params("openid").set("prompt", "none login"),
        ] {
            let outcome = scene.ask(&params.set("state", state));
            assert_eq!(outcome.state().as_deref(), Some(state));
        }
        let mut signed_out = scene.server.browser();
        let silent = scene.client.params("openid").set("prompt", "none").set("state", state);
        assert_eq!(signed_out.get(&url(&silent)).state().as_deref(), Some(state));
        signed_out = scene.server.browser();
        signed_out.get(&url(&scene.client.params("openid").set("state", state)));
        assert_eq!(signed_out.deny().state().as_deref(), Some(state), "through a page");
    };
    for state in [
        "x".repeat(2048),
        "+%&=\"'<>#?;/\\ ".repeat(100),
        "äöü日本語🦀".repeat(50),
        " ".into(),
    ] {
        check(&state);
    }
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(state in "[^\0]{1,200}")| check(&state));
}

/// D1, D2.
#[test]
fn only_a_well_formed_s256_challenge_is_taken() {
    let scene = scene();
    let good = challenge(VERIFIER);
    let table = [
        (good.as_str(), Some("S256"), true),
        (&good, Some("SHA256"), true),
        (&good, Some("plain"), false),
        (&good, None, false),
        (&good, Some("s256"), false),
        (VERIFIER, Some("plain"), false),
        (VERIFIER, None, false),
        (&good[..42], Some("S256"), false),
        (&format!("{good}a"), Some("S256"), false),
        (&format!("{}=", &good[..42]), Some("S256"), false),
        (&format!("{}+", &good[..42]), Some("S256"), false),
        (&format!("{}~", &good[..42]), Some("S256"), false),
    ];
    for (value, method, taken) in table {
        let mut params = scene.client.params("openid").set("code_challenge", value);
        if let Some(method) = method {
            params = params.set("code_challenge_method", method);
        }
        let left = scene.ask(&params);
        let expected = (!taken).then(|| "invalid_request".to_owned());
        assert_eq!(left.error(), expected, "{value} {method:?}");
    }
}

/// D3.
#[test]
fn public_clients_must_use_pkce_and_others_may() {
    let scene = scene();
    let installed = scene.server.client().public_installed().create();
    let webapp = scene.server.client().public_webapp().create();
    let template = scene.server.client().template().create();
    let instance = scene.server.instance_of(template.id, "laptop");
    let without = |client: &TestClient| {
        let params = client
            .params("openid")
            .without("code_challenge")
            .without("code_challenge_method");
        let outcome = scene.ask(&params.set("prompt", "none"));
        outcome.error().unwrap_or_default()
    };
    assert_eq!(without(&installed), "invalid_request");
    assert_eq!(without(&webapp), "invalid_request");
    assert_eq!(without(&scene.client), "");
    // The CLI registers an instance and sends no challenge (wire.md 2.1.1).
    assert_eq!(without(&instance), "consent_required");
}

/// H5: no page ever.
#[test]
fn prompt_none_shows_no_page() {
    let scene = scene();
    let Scene {
        server,
        client,
        browser,
    } = &scene;
    let native = server.client().public_installed().create();
    native.code(browser, "openid");
    let table: [(Browser, &TestClient, Params, &str); 9] = [
        (server.browser(), client, client.params("openid"), "login_required"),
        (browser.clone(), client, client.params("openid"), ""),
        (
            browser.clone(),
            client,
            client.params("openid email"),
            "consent_required",
        ),
        (
            browser.clone(),
            client,
            client.params("openid").set("access_type", "offline"),
            "consent_required",
        ),
        (
            browser.clone(),
            client,
            client.params("openid").set("max_age", "0"),
            "login_required",
        ),
        (browser.clone(), client, client.params("no-such-scope"), "invalid_scope"),
        (
            browser.clone(),
            client,
            client.params("openid").set("session_required_mfa", "true"),
            "login_required",
        ),
        (
            browser.clone(),
            client,
            client
                .params("openid")
                .set("session_required_single_domain", "elsewhere.org"),
            "login_required",
        ),
        (
            browser.clone(),
            &native,
            native.params("openid"),
            "interaction_required",
        ),
    ];
    for (browser, client, params, error) in table {
        let outcome = browser.authorize(client, &params.clone().set("prompt", "none"));
        assert_eq!(outcome.error().unwrap_or_default(), error, "{params:?}");
        assert_eq!(outcome.left().get("code").is_none(), !error.is_empty());
        assert_eq!(outcome.iss(), Some(server.issuer()));
    }
    // An idle session is no session.
    server.advance_seconds(12 * 3600);
    let outcome = browser.authorize(client, &client.params("openid").set("prompt", "none"));
    assert_eq!(outcome.error().as_deref(), Some("login_required"));
}

/// H6, H7.
#[test]
fn prompt_login_authenticates_again_and_auth_time_moves() {
    let scene = scene();
    let alice_password = "the long password of alice";
    let first = scene.client.tokens(&scene.browser, "openid").claims()["auth_time"].clone();
    for prompt in ["login", "select_account"] {
        scene.server.advance_seconds(1000);
        let outcome = scene.ask(&scene.client.params("openid").set("prompt", prompt));
        assert!(scene.browser.path().starts_with("/p/login?"), "{prompt}: {outcome:?}");
        let code = scene.browser.try_login("alice", alice_password).code();
        let auth_time = scene.client.exchange(&code).claims()["auth_time"].clone();
        assert_eq!(auth_time, json!(scene.server.now().seconds()), "{prompt}");
        assert_ne!(auth_time, first);
    }
}

/// H6.
#[test]
fn prompt_consent_asks_again() {
    let scene = scene();
    let outcome = scene.ask(&scene.client.params("openid").set("prompt", "consent"));
    assert!(outcome.is_page() && scene.browser.path().starts_with("/p/consent?"));
    assert!(!scene.browser.allow().code().is_empty());
    assert!(!scene.ask(&scene.client.params("openid")).is_page(), "only that once");
    let both = scene.ask(&scene.client.params("openid").set("prompt", "login consent"));
    assert!(both.is_page() && scene.browser.path().starts_with("/p/login?"));
    scene.browser.try_login("alice", "the long password of alice");
    assert!(scene.browser.path().starts_with("/p/consent?"));
    assert!(!scene.browser.allow().code().is_empty());
}

/// H7.
#[test]
fn max_age_is_obeyed_and_0_behaves_as_login() {
    let scene = scene();
    let ask = |max_age: &str| scene.ask(&scene.client.params("openid").set("max_age", max_age));
    scene.server.advance_seconds(100);
    assert!(!ask("100").is_page());
    assert!(ask("99").is_page());
    assert!(scene.browser.path().starts_with("/p/login?"));
    let code = scene.browser.try_login("alice", "the long password of alice").code();
    assert_eq!(
        scene.client.exchange(&code).claims()["auth_time"],
        json!(scene.server.now().seconds())
    );
    assert!(ask("0").is_page());
    assert!(
        !scene
            .browser
            .try_login("alice", "the long password of alice")
            .code()
            .is_empty()
    );
    let sso = scene.client.exchange(&ask("3600").code()).claims();
    assert_eq!(
        sso["auth_time"],
        json!(scene.server.now().seconds()),
        "single sign-on does not move it"
    );
}

/// H8.
#[test]
fn an_id_token_hint_names_whom_the_client_means() {
    let scene = scene();
    let Scene {
        server,
        client,
        browser,
    } = &scene;
    let hint = client.tokens(browser, "openid").id_token().to_owned();
    let bob = server.user("bob").create();
    let other = server.client().confidential().create();
    let of_other_client = other.tokens(browser, "openid").id_token().to_owned();
    let silent = |browser: &Browser, hint: &str| {
        let params = client.params("openid").set("prompt", "none").set("id_token_hint", hint);
        browser.authorize(client, &params).error().unwrap_or_default()
    };
    let bobs = server.browser_of(&bob);
    client.code(&bobs, "openid");

    assert_eq!(silent(browser, &hint), "");
    assert_eq!(silent(&bobs, &hint), "login_required");
    let (signed, signature) = hint.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    assert_eq!(silent(browser, &format!("{signed}.{flipped}")), "invalid_request");
    assert_eq!(silent(browser, &of_other_client), "invalid_request");
    assert_eq!(
        silent(browser, client.credentials("openid").access_token()),
        "invalid_request"
    );
    // Expired long ago is good enough.
    server.advance_seconds(20 * 86_400);
    let home = browser.try_login("alice", "the long password of alice");
    assert_eq!(home.page().status, StatusCode::OK, "{}", home.page().summary());
    assert_eq!(silent(browser, &hint), "");
}

/// H8 with pages: another account is signed in, so the right one is asked for, once.
#[test]
fn a_hint_at_another_account_asks_for_that_account() {
    let scene = scene();
    let hint = scene.client.tokens(&scene.browser, "openid").id_token().to_owned();
    let bob = scene.server.user("bob").create();
    let browser = scene.server.browser_of(&bob);
    let params = scene.client.params("openid").set("id_token_hint", &hint);

    assert!(browser.authorize(&scene.client, &params).is_page());
    assert!(browser.path().starts_with("/p/login?"));
    let wrong = browser.try_login("bob", &bob.password);
    assert_eq!(wrong.page().status, StatusCode::FORBIDDEN);
    browser.authorize(&scene.client, &params);
    assert!(
        !browser
            .try_login("alice", "the long password of alice")
            .code()
            .is_empty()
    );
}

/// H9, H15.
#[test]
fn hints_never_cause_an_error() {
    let scene = scene();
    for (name, value) in [
        ("login_hint", "somebody@example.org"),
        ("ui_locales", "de fr"),
        ("claims_locales", "de"),
        ("display", "popup"),
        ("display", "nonsense"),
        ("acr_values", "urn:x urn:y"),
        ("claims", "{\"id_token\":{\"email\":{\"essential\":true}}}"),
        ("claims", "not json"),
        ("session_message", "Please"),
        ("prefill_named_grant", "my laptop"),
    ] {
        let outcome = scene.ask(&scene.client.params("openid").set(name, value));
        assert!(!outcome.code().is_empty(), "{name}={value}");
    }
    let browser = scene.server.browser();
    let params = scene.client.params("openid").set("login_hint", "alice@portolan.local");
    browser.authorize(&scene.client, &params);
    assert_eq!(browser.form().get("username"), Some("alice@portolan.local"));
}

/// H13 as decisions section 8 settle it: a page as Globus shows it, and a redirect when
/// no page may be shown.
#[test]
fn unknown_scopes_end_on_a_page_that_names_them() {
    let scene = scene();
    let params = scene.client.params("openid no-such-scope urn:x:<b>");

    let outcome = scene.ask(&params);

    assert_eq!(outcome.page().status, StatusCode::BAD_REQUEST);
    assert_eq!(outcome.title(), "Unknown scope(s)");
    let html = outcome.page().text();
    assert!(html.contains("UNKNOWN_SCOPE_ERROR"));
    assert!(html.contains("Occurred at time") && html.contains("Error ID"));
    assert!(!html.contains("<b>"), "what was asked for is escaped");
    let text = crate::support::unescape(&html);
    let expected = format!(
        "lient_id={} requested unknown scopes: ['no-such-scope', 'urn:x:<b>']",
        scene.client.id
    );
    assert!(text.contains(&expected), "{text}");
    let silent = scene.ask(&params.set("prompt", "none"));
    assert_eq!(silent.error().as_deref(), Some("invalid_scope"));
}

/// wire.md 2.1.2: a scope that the client may not see is unknown to it.
#[test]
fn a_hidden_scope_of_another_project_is_unknown() {
    let scene = scene();
    let project = scene.server.project("The laboratory");
    let data = scene
        .server
        .resource_server("d")
        .in_project(project)
        .scope("inner")
        .unadvertised()
        .create();
    let inside = scene.server.client().in_project(project).create();

    let outside = scene.ask(&scene.client.params(data.scope("inner")));
    assert_eq!(outside.title(), "Unknown scope(s)");
    inside.code(&scene.browser, data.scope("inner"));
}

/// wire.md 2.1.1: spaces or commas, encoded either way.
#[test]
fn scopes_are_separated_by_spaces_or_commas() {
    let scene = scene();
    scene.client.code(&scene.browser, "openid email profile");
    for scope in [
        "openid,email,profile",
        "openid, email profile",
        "openid%20email+profile",
        " openid  email,,profile ",
    ] {
        let base = scene.client.params("x").without("scope");
        let encoded = if scope.contains('%') {
            scope.to_owned()
        } else {
            scope.replace(' ', "+").replace(',', "%2C")
        };
        let outcome = scene.browser.get(&format!("{}&scope={encoded}", url(&base)));
        let tokens = scene.client.exchange(&outcome.code());
        let mut scopes: Vec<&str> = tokens.0["scope"].as_str().unwrap().split(' ').collect();
        scopes.sort_unstable();
        assert_eq!(scopes, ["email", "openid", "profile"], "{scope}");
    }
}

/// wire.md 2.1.1: both ways to ask for refresh tokens; neither shows in the scope.
#[test]
fn offline_access_can_be_asked_for_in_two_ways() {
    let scene = scene();
    let with = [
        scene.client.params("openid").set("access_type", "offline"),
        scene.client.params("openid offline_access"),
        scene
            .client
            .params("offline_access openid")
            .set("access_type", "online"),
    ];
    for params in with {
        let tokens = scene.client.exchange(&scene.client.code_with(&scene.browser, &params));
        assert!(!tokens.refresh_token().is_empty());
        assert_eq!(tokens.0["scope"], "openid");
    }
    let online = scene.client.params("openid").set("access_type", "online");
    let tokens = scene.client.exchange(&scene.client.code_with(&scene.browser, &online));
    assert!(tokens.0.get("refresh_token").is_none());
}

/// wire.md 1.11: static and requested dependencies become one consent tree.
#[test]
fn what_was_allowed_is_a_tree_of_consents() {
    let scene = scene();
    let server = &scene.server;
    let deep = server.resource_server("deep").scope("x").create();
    let inner = server
        .resource_server("inner")
        .scope("read")
        .depends_on(deep.scope("x"))
        .create();
    let outer = server
        .resource_server("outer")
        .scope("all")
        .depends_on(inner.scope("read"))
        .depends_optionally_on(TRANSFER)
        .create();
    let email = "email";

    scene
        .client
        .code(&scene.browser, &format!("{}[*{email}]", outer.scope("all")));

    let (alice, client) = (
        server.read(|tx| portolan_server::store::identities::find_by_username(tx, "alice@portolan.local")),
        scene.client.id,
    );
    let alice = alice.unwrap().id;
    let tree = server.read(move |tx| consents::list_trees(tx, alice, client));
    let root = tree.iter().find(|c| c.scope_id == outer.scope_id("all")).unwrap();
    let below = |parent: &consents::Consent| {
        tree.iter()
            .filter(|c| c.parent_id == Some(parent.id))
            .collect::<Vec<_>>()
    };
    assert_eq!(below(root).len(), 3);
    assert!(
        below(root)
            .iter()
            .all(|consent| consent.client_id == outer.id && consent.is_approved())
    );
    let required = tree.iter().find(|c| c.scope_id == inner.scope_id("read")).unwrap();
    assert!(!required.atomically_revocable);
    assert_eq!(
        below(root)
            .iter()
            .filter(|consent| consent.atomically_revocable)
            .count(),
        2
    );
    let [leaf] = below(required)[..] else {
        panic!("one scope further down")
    };
    assert_eq!((leaf.scope_id, leaf.client_id), (deep.scope_id("x"), inner.id));
    // All of it is there: nobody is asked again, until something new comes along.
    assert!(!scene.ask(&scene.client.params(outer.scope("all"))).is_page());
    let wider = scene.ask(&scene.client.params(&format!("{}[openid]", outer.scope("all"))));
    assert!(wider.is_page());
}

/// wire.md 2.1.2 step 5: one login may help, then it ends on a page.
#[test]
fn a_session_requirement_is_met_or_ends_on_a_page() {
    let scene = scene();
    let bob = scene.server.user("bob").create();
    let alice = scene.client.tokens(&scene.browser, "openid").claims()["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let unmet: [(&str, String); 5] = [
        ("session_required_identities", bob.id.to_string()),
        ("session_required_single_domain", "elsewhere.org,other.org".into()),
        ("session_required_policies", bob.id.to_string()),
        ("session_required_mfa", "True".into()),
        ("session_required_mfa", "1".into()),
    ];
    for (name, value) in unmet {
        let outcome = scene.ask(&scene.client.params("openid").set(name, &value));
        assert!(
            outcome.is_page() && scene.browser.path().starts_with("/p/login?"),
            "{name}"
        );
        let still = scene.browser.try_login("alice", "the long password of alice");
        assert_eq!(still.page().status, StatusCode::FORBIDDEN, "{name}");
    }
    let met: [(&str, String); 6] = [
        ("session_required_identities", alice.clone()),
        (
            "session_required_identities",
            format!("urn:globus:auth:identity:{alice}"),
        ),
        ("session_required_identities", alice.to_uppercase()),
        ("session_required_single_domain", "elsewhere.org,portolan.local".into()),
        ("session_required_mfa", "False".into()),
        ("session_required_mfa", "0".into()),
    ];
    for (name, value) in met {
        let outcome = scene.ask(&scene.client.params("openid").set(name, &value));
        assert!(!outcome.code().is_empty(), "{name}={value}");
    }
}

/// The right person on the login page satisfies the requirement.
#[test]
fn signing_in_as_the_required_identity_meets_the_requirement() {
    let scene = scene();
    let bob = scene.server.user("bob").create();
    scene.client.code(&scene.server.browser_of(&bob), "openid");
    let params = scene
        .client
        .params("openid")
        .set("session_required_identities", &bob.id.to_string());

    assert!(scene.ask(&params).is_page());
    let tokens = scene.client.exchange(&scene.browser.login(&bob).code());

    assert_eq!(tokens.claims()["sub"], bob.id.to_string());
}

/// wire.md 2.1.2 step 6.
#[test]
fn a_scope_can_be_for_people_of_certain_domains_only() {
    let scene = scene();
    let data = scene
        .server
        .resource_server("data")
        .scope("theirs")
        .for_domains(&["elsewhere.org"])
        .scope("ours")
        .for_domains(&["elsewhere.org", "portolan.local"])
        .create();
    let refused = scene.ask(&scene.client.params(data.scope("theirs")));
    assert_eq!(refused.page().status, StatusCode::FORBIDDEN);
    scene.client.code(&scene.browser, data.scope("ours"));
}

/// wire.md 3.10.
#[test]
fn a_long_request_is_taken() {
    let scene = scene();
    let params = scene
        .client
        .params("openid")
        .set("foo", &"x".repeat(15_000))
        .set("state", &"s".repeat(1_000));
    assert_eq!(scene.ask(&params).state().map(|state| state.len()), Some(1_000));
    let too_long = scene.ask(&scene.client.params("openid").set("nonce", &"n".repeat(5_000)));
    assert_eq!(too_long.error().as_deref(), Some("invalid_request"));
}

/// G2 and the headers of an answer: it must not be stored, and tells no other site the code.
#[test]
fn an_answer_is_a_303_that_nobody_stores() {
    let scene = scene();
    let answer = scene
        .browser
        .send(Method::GET, &url(&scene.client.params("openid")), None);
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

/// A7: a code is for the session and identity it was asked in, also when two people share
/// a client.
#[test]
fn each_person_gets_tokens_of_their_own() {
    let scene = scene();
    let bob = scene.server.user("bob").create();
    let bobs = scene.server.browser_of(&bob);
    let code_of_alice = scene.client.code(&scene.browser, "openid");
    let code_of_bob = scene.client.code(&bobs, "openid");
    let sub = |code: &str| scene.client.exchange(code).claims()["sub"].as_str().unwrap().to_owned();
    let (b, a) = (sub(&code_of_bob), sub(&code_of_alice));
    assert_eq!(b, bob.id.to_string());
    assert_ne!(a, b);
}

/// A client that was disabled while the person was on a page gets nothing.
#[test]
fn a_client_that_is_disabled_meanwhile_gets_no_code() {
    let scene = scene();
    scene.ask(&scene.client.params("openid email"));
    let form = scene.browser.form().set("decision", "allow");
    scene
        .server
        .sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![scene.client.id]);
    let outcome = scene.browser.submit(&form);
    assert_error_page(outcome.page(), "disabled");
}

/// Anonymous preflights and other methods on the endpoint are no requests.
#[test]
fn other_methods_are_refused() {
    let scene = scene();
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = scene.server.request(method.clone(), PATH).send();
        assert_eq!(answer.status, 405, "{method}");
    }
}

/// A browser keeps the cookie of a session that ended; signing in with it once was an
/// error of the server, because the new session took the old one's name.
#[test]
fn a_browser_whose_session_has_ended_can_sign_in_again() {
    type End = fn(&TestServer, &Browser);
    let ends: [(&str, End); 3] = [
        ("idle", |server, _| server.advance_seconds(12 * 3600)),
        ("too old", |server, browser| {
            for _ in 0..(7 * 24) {
                server.advance_seconds(3600);
                browser.get("/");
            }
        }),
        ("ended", |server, _| {
            server.sql("UPDATE browser_sessions SET ended_at = 1", params![]);
        }),
    ];
    for (what, end) in ends {
        let scene = scene();
        let old = scene.browser.cookies().clone();
        end(&scene.server, &scene.browser);

        let home = scene.browser.try_login("alice", "the long password of alice");

        assert_eq!(home.page().status, StatusCode::OK, "{what}: {}", home.page().summary());
        assert!(!scene.ask(&scene.client.params("openid")).code().is_empty(), "{what}");
        assert_ne!(*scene.browser.cookies(), old, "{what}: the cookie has changed");
    }
}

/// A client that wants identities of one provider gets the one of the set that has it, and
/// nobody gets in who has none (wire.md 1.3).
#[test]
fn a_client_of_one_provider_sees_the_identity_of_that_provider() {
    let server = TestServer::new();
    let elsewhere = IdentityProviderId::from_u128(7);
    let now = server.now();
    server.write(move |tx| {
        let record = IdentityProvider {
            id: elsewhere,
            name: "Elsewhere".into(),
            short_name: "elsewhere".into(),
            kind: "oidc".into(),
            alternative_names: "[]".into(),
            enabled: true,
        };
        identity_providers::upsert(tx, &record, &["elsewhere.example"], now)
    });
    let (alice, linked) = (server.user("alice").create(), server.user("linked").create());
    server.sql(
        "UPDATE identities SET identity_provider_id = $1, set_id = (SELECT set_id FROM identities WHERE id = $2) WHERE id = $3",
        params![elsewhere, alice.id, linked.id],
    );
    let client = server.client().create();
    let require = |provider: IdentityProviderId| {
        server.sql(
            "UPDATE clients SET required_idp = $1 WHERE id = $2",
            params![provider, client.id],
        )
    };
    let browser = server.browser_of(&alice);
    for (provider, expected) in [(LOCAL, alice.id), (elsewhere, linked.id)] {
        require(provider);
        let tokens = client.tokens(&browser, "openid");
        assert_eq!(tokens.claims()["sub"], expected.to_string(), "{provider}");
    }

    let bob = server.user("bob").create();
    let browser = server.browser_of(&bob);
    let text = browser.get(&url(&client.params("openid"))).page().text();
    assert!(browser.path().starts_with("/p/link?request="), "{}", browser.path());
    assert!(text.contains("Elsewhere"), "{text}");
}
