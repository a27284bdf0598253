//! Class 1: Redirect URIs that match although they are others: wildcards, dot segments, user
//! information, case, dots of patterns, encodings, matrix parameters.
//!
//! Keycloak CVE-2023-6291, CVE-2024-1132, CVE-2024-8883; authentik CVE-2024-52289.

use super::support::TestServer;
use super::{assert_stays, authorize};

const REGISTERED: &str = "https://app.example/callback";

const MUTATED: &[&str] = &[
    // Another host, or one that only looks alike.
    "https://evil.example/callback",
    "https://app.example.evil.example/callback",
    "https://evil.example/https://app.example/callback",
    "https://evilapp.example/callback",
    "https://sub.app.example/callback",
    "https://appXexample/callback",
    "https://app.example./callback",
    "https://app.examplee/callback",
    "https://xn--app-example/callback",
    "https://аpp.example/callback",
    "https://app。example/callback",
    "https://[::ffff:app.example]/callback",
    // User information, and what parsers take for it.
    "https://app.example@evil.example/callback",
    "https://app.example%40evil.example/callback",
    "https://app.example:443@evil.example/callback",
    "https://user@app.example/callback",
    "https://user:password@app.example/callback",
    "https://@app.example/callback",
    "https://evil.example\\@app.example/callback",
    "https://evil.example#@app.example/callback",
    "https://evil.example?@app.example/callback",
    "https://app.example\\.evil.example/callback",
    "https:app.example/callback",
    "https:/app.example/callback",
    "https:///app.example/callback",
    "https:\\\\app.example\\callback",
    "//app.example/callback",
    "/callback",
    "callback",
    // Scheme.
    "http://app.example/callback",
    "HTTPS://app.example/callback",
    "javascript://app.example/callback",
    "javascript:alert(1)//https://app.example/callback",
    "data:text/html,https://app.example/callback",
    "file:///app.example/callback",
    "ftp://app.example/callback",
    "app.example:/callback",
    // Port.
    "https://app.example:443/callback",
    "https://app.example:8443/callback",
    "https://app.example:/callback",
    "https://app.example:0443/callback",
    // Case.
    "https://APP.example/callback",
    "https://app.example/Callback",
    "https://app.example/CALLBACK",
    // Path: more, less, sideways.
    "https://app.example",
    "https://app.example/",
    "https://app.example/callback/",
    "https://app.example//callback",
    "https://app.example/callback//",
    "https://app.example/callback/evil",
    "https://app.example/callbackevil",
    "https://app.example/callbac",
    "https://app.example/*",
    "https://app.example/callback*",
    "https://*/callback",
    "https://app.example/./callback",
    "https://app.example/callback/.",
    "https://app.example/callback/..",
    "https://app.example/callback/../evil",
    "https://app.example/evil/../callback",
    "https://app.example/callback/..;/evil",
    "https://app.example/callback;/../evil",
    "https://app.example/callback;evil=1",
    "https://app.example/;/callback",
    "https://app.example/callback\\..\\evil",
    // Encodings, once and twice.
    "https://app.example/%63allback",
    "https://app.example/callback%2f",
    "https://app.example/callback%2f..%2fevil",
    "https://app.example/callback/%2e%2e/evil",
    "https://app.example/callback/%252e%252e/evil",
    "https://app.example/callback%252f..%252fevil",
    "https://app.example/callback%00",
    "https://app.example/callback%0d%0aLocation:%20https://evil.example",
    "https://app.example/callback%09",
    "https://app%2eexample/callback",
    "https%3A%2F%2Fapp.example%2Fcallback",
    // Query and fragment.
    "https://app.example/callback?",
    "https://app.example/callback?evil=1",
    "https://app.example/callback?redirect=https://evil.example",
    "https://app.example/callback#",
    "https://app.example/callback#evil",
    "https://app.example/callback&evil=1",
    // Blanks and control characters around it.
    " https://app.example/callback",
    "https://app.example/callback ",
    "https://app.example/call back",
    "\thttps://app.example/callback",
    "https://app.example/callback\n",
    "https://app.example/callback\r\nSet-Cookie: a=b",
    "https://app.example/callback https://evil.example",
    "https://app.example/callback,https://evil.example",
];

#[test]
fn mutated_uris_are_refused_before_the_login_and_nobody_is_sent_there() {
    let server = TestServer::new();
    let client = server.client().redirect_uri(REGISTERED).create();
    assert!(MUTATED.len() >= 60, "{}", MUTATED.len());
    for uri in MUTATED {
        for prompt in ["", "none", "login"] {
            let params = client.params("openid").set("redirect_uri", uri);
            let params = if prompt.is_empty() {
                params
            } else {
                params.set("prompt", prompt)
            };
            assert_stays(&authorize(&server, &params.pairs()), uri);
        }
    }
    // The registered one goes on to the login.
    let answer = authorize(&server, &client.params("openid").pairs());
    assert!(answer.status.is_redirection(), "{}", answer.summary());
    assert!(answer.location().contains("/p/login"));
}

/// Errors that go to the app must not go anywhere else either.
#[test]
fn errors_are_sent_to_no_mutated_uri() {
    let server = TestServer::new();
    let client = server.client().redirect_uri(REGISTERED).create();
    for uri in MUTATED {
        for (name, value) in [
            ("response_type", "token"),
            ("scope", ""),
            ("request", "x"),
            ("max_age", "x"),
        ] {
            let params = client.params("openid").set("redirect_uri", uri).set(name, value);
            assert_stays(
                &authorize(&server, &params.pairs()),
                &format!("{uri} with {name}={value}"),
            );
        }
    }
}

#[test]
fn a_form_to_the_endpoint_is_no_way_around() {
    let server = TestServer::new();
    let client = server.client().redirect_uri(REGISTERED).create();
    for uri in MUTATED {
        let params = client.params("openid").set("redirect_uri", uri);
        let answer = server.post_form("/v2/oauth2/authorize", &super::support::Auth::None, &params.pairs());
        if answer.status.is_client_error() {
            continue;
        }
        let location = answer.location().to_owned();
        let path = location
            .strip_prefix(&server.config().public_url())
            .unwrap_or(&location);
        assert!(path.starts_with("/v2/oauth2/authorize?"), "{uri}: {location}");
        assert_stays(&server.get(path), uri);
    }
}

/// The port of a loopback address is free, nothing else of it is.
#[test]
fn loopback_addresses_match_with_any_port_and_nothing_else() {
    let server = TestServer::new();
    let client = server.client().redirect_uri("http://127.0.0.1/callback").create();
    let mutated = [
        "http://127.0.0.1:1234/evil",
        "http://127.0.0.1:1234/callback/",
        "http://127.0.0.1:1234/callback?x=1",
        "http://127.0.0.1:1234/callback#x",
        "http://127.0.0.1:1234/Callback",
        "http://127.0.0.1:1234@evil.example/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:0/callback#",
        "http://127.0.0.1:01234/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1:12x4/callback",
        "http://127.0.0.1.evil.example:1234/callback",
        "http://127.0.0.10:1234/callback",
        "http://127.1:1234/callback",
        "http://2130706433:1234/callback",
        "http://0x7f000001:1234/callback",
        "http://0177.0.0.1:1234/callback",
        "http://localhost:1234/callback",
        "http://[::1]:1234/callback",
        "http://[::ffff:127.0.0.1]:1234/callback",
        "http://0.0.0.0:1234/callback",
        "https://127.0.0.1:1234/callback",
    ];
    for uri in mutated {
        let params = client.params("openid").set("redirect_uri", uri);
        assert_stays(&authorize(&server, &params.pairs()), uri);
    }
    let params = client
        .params("openid")
        .set("redirect_uri", "http://127.0.0.1:1234/callback");
    assert!(authorize(&server, &params.pairs()).status.is_redirection());
}

/// What an installed program may use without registering it.
#[test]
fn native_apps_reach_this_machine_alone() {
    let server = TestServer::new();
    let client = server.client().public_installed().create();
    let mutated = [
        "http://localhost/",
        "http://localhost:80/",
        "http://localhost:1023/",
        "http://localhost:8080/path",
        "http://localhost:8080/?x=1",
        "http://localhost:8080//evil.example",
        "http://localhost:8080#x",
        "http://localhost:8080@evil.example",
        "http://localhost:8080.evil.example",
        "http://localhost.evil.example:8080",
        "http://LOCALHOST:8080",
        "http://localhost.:8080",
        "http://user@localhost:8080",
        "https://localhost:8080",
        "http://127.0.0.2:8080",
        "http://192.168.0.1:8080",
        "http://[::]:8080",
        "http://[::1%25lo]:8080",
        "https://auth.example.org/v2/web/auth-code/",
        "https://auth.example.org/v2/web/auth-code?x=1",
        "https://auth.example.org.evil.example/v2/web/auth-code",
        "https://auth.example.org//v2/web/auth-code",
        "http://auth.example.org/v2/web/auth-code",
    ];
    for uri in mutated {
        let params = client.params("openid").set("redirect_uri", uri);
        assert_stays(&authorize(&server, &params.pairs()), uri);
    }
    for uri in ["http://localhost:8080", "http://127.0.0.1:1024/", "http://[::1]:65535"] {
        let params = client.params("openid").set("redirect_uri", uri);
        assert!(authorize(&server, &params.pairs()).status.is_redirection(), "{uri}");
    }
}

#[test]
fn a_code_is_redeemed_with_the_uri_it_was_sent_to() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server
        .client()
        .redirect_uri(REGISTERED)
        .redirect_uri("https://app.example/other")
        .create();
    let code = client.code(&browser, "openid");
    for uri in MUTATED.iter().chain(&["https://app.example/other"]) {
        let answer = client.token(&client.exchange_params(&code).set("redirect_uri", uri));
        assert_eq!(answer.outcome(), "400 invalid_grant", "{uri}");
    }
    client.exchange(&code);
}

/// What cannot be registered cannot be asked for.
#[test]
fn nobody_registers_a_pattern() {
    use portolan_server::domain::client::{CONFIDENTIAL, check_redirect_uri};
    for uri in [
        "https://*.example/callback",
        "https://app.example/*",
        "https://app.example/a/../b",
        "https://app.example/%2e%2e/b",
        "https://user@app.example/",
        "https://app.example/#x",
        "http://app.example/",
        "javascript:alert(1)",
        "/callback",
    ] {
        assert!(check_redirect_uri(CONFIDENTIAL, uri).is_err(), "{uri}");
    }
    assert!(check_redirect_uri(CONFIDENTIAL, REGISTERED).is_ok());
}
