//! Class 2: The same parameter twice: one part of a server reads the first, another the last.
//!
//! Keycloak CVE-2026-9689.

use http::Method;

use super::assert_stays;
use super::support::{Answer, Auth, TestServer};

const MARK: &str = "zzz-marked-value";

/// Refused as such, with nothing of it in the answer.
#[track_caller]
fn assert_refused(answer: &Answer, case: &str) {
    assert_eq!(answer.status, 400, "{case}: {}", answer.summary());
    assert!(answer.header("location").is_none(), "{case}: sent away");
    assert!(
        !answer.text().contains(MARK),
        "{case}: the value is shown: {}",
        answer.text()
    );
}

#[test]
fn the_authorization_endpoint_takes_no_parameter_twice() {
    let server = TestServer::new();
    let client = server.client().create();
    let valid = client.params("openid");
    for name in [
        "redirect_uri",
        "client_id",
        "scope",
        "state",
        "response_type",
        "nonce",
        "prompt",
        "code_challenge",
        "max_age",
    ] {
        let base = super::encode(&valid.clone().or(name, "x").pairs());
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for second in [name.to_owned(), encoded] {
            for query in [format!("{base}&{second}={MARK}"), format!("{second}={MARK}&{base}")] {
                let answer = server.get(&format!("/v2/oauth2/authorize?{query}"));
                assert_stays(&answer, &query);
                assert_refused(&answer, &query);
                let request = server.request(Method::POST, "/v2/oauth2/authorize");
                let answer = request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(query.clone())
                    .send();
                assert_refused(&answer, &query);
            }
        }
    }
}

#[test]
fn the_other_endpoints_take_none_twice_either() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server.client().create();
    let tokens = client.offline_tokens(&browser, "openid");
    let code = client.code(&browser, "openid");
    let redeem = client.exchange_params(&code);
    let post = |path: &str, body: &str| {
        let request = server.request(Method::POST, path).authorization(&client.auth());
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
            .send()
    };
    for name in ["grant_type", "code", "redirect_uri", "client_id", "scope", "state"] {
        let base = super::encode(&redeem.clone().or(name, "x").pairs());
        let twice = format!("{base}&{name}={MARK}");
        assert_refused(&post("/v2/oauth2/token", &twice), &twice);
        let mixed = format!("/v2/oauth2/token?{name}={MARK}");
        assert_refused(&post(&mixed, &base), &mixed);
        let in_query = format!("/v2/oauth2/token?{name}=a&{name}={MARK}");
        assert_refused(
            &post(&in_query, &super::encode(&redeem.clone().without(name).pairs())),
            &in_query,
        );
    }
    for path in ["introspect", "validate", "revoke"] {
        let body = format!("token={}&token={MARK}", tokens.access_token());
        assert_refused(&post(&format!("/v2/oauth2/token/{path}"), &body), path);
    }
    let refresh = format!(
        "grant_type=refresh_token&refresh_token={}&refresh_token={MARK}",
        tokens.refresh_token()
    );
    assert_refused(&post("/v2/oauth2/token", &refresh), "refresh_token");
    // None of that used anything up.
    assert!(client.is_active(tokens.access_token()));
    client.exchange(&code);
    client.refresh(tokens.refresh_token());
}

#[test]
fn credentials_come_once_and_in_one_way() {
    let server = TestServer::new();
    let client = server.client().create();
    let (id, secret) = (client.id.to_string(), client.secret.clone().unwrap());
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "openid"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let both = server.post_form("/v2/oauth2/token", &client.auth(), &form);
    assert_eq!(both.status, 400, "{}", both.summary());
    let two_headers = server
        .request(Method::POST, "/v2/oauth2/token")
        .authorization(&client.auth());
    let answer = two_headers.auth(&client.auth(), &form[..2]).send();
    assert_eq!(answer.status, 400, "{}", answer.summary());
    let other = server.client().create();
    let other_id = other.id.to_string();
    let named = [
        ("grant_type", "client_credentials"),
        ("scope", "openid"),
        ("client_id", other_id.as_str()),
    ];
    let answer = server.post_form("/v2/oauth2/token", &client.auth(), &named);
    assert_eq!(answer.status, 400, "{}", answer.summary());
    let browser = server.browser_of(&server.user("alice").create());
    let tokens = client.tokens(&browser, "openid");
    let bearer = Auth::Bearer(tokens.access_token().to_owned());
    for request in [
        server
            .request(Method::POST, "/v2/oauth2/userinfo")
            .auth(&bearer, &[("access_token", tokens.access_token())]),
        server
            .request(Method::GET, "/v2/oauth2/userinfo")
            .authorization(&bearer)
            .authorization(&bearer),
        server.request(
            Method::GET,
            &format!("/v2/oauth2/userinfo?access_token={}", tokens.access_token()),
        ),
    ] {
        let answer = request.send();
        assert_eq!(answer.status, 400, "{}", answer.summary());
    }
}
