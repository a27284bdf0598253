//! Class 14: Headers that anybody can send, taken for the truth about the server or the caller.
//!
//! ZITADEL CVE-2025-64101; oauth2-proxy CVE-2026-40575; authentik CVE-2026-25748.

use http::Method;

use super::support::{Answer, Auth, Request, TestServer};

const FORGED: &[(&str, &str)] = &[
    ("host", "evil.example"),
    ("host", "auth.example.org.evil.example"),
    ("host", "auth.example.org:1234@evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-port", "1234"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-server", "evil.example"),
    ("x-forwarded-uri", "/evil"),
    ("x-original-url", "/healthz"),
    ("x-rewrite-url", "/healthz"),
    ("x-original-host", "evil.example"),
    ("x-host", "evil.example"),
    ("forwarded", "for=127.0.0.1;host=evil.example;proto=http"),
    ("x-http-method-override", "DELETE"),
    ("x-forwarded-user", "alice"),
    ("x-remote-user", "alice"),
    ("remote-user", "alice"),
    ("x-forwarded-email", "alice@example.org"),
    ("x-auth-request-user", "alice"),
    ("x-user-id", "alice"),
    ("x-client-cert", "CN=alice"),
];

#[test]
fn forged_headers_change_no_answer() {
    let server = TestServer::new();
    server.setup_path().unwrap();
    let client = server.client().create();
    let query = super::encode(&client.params("openid").pairs());
    let calls: Vec<(Method, String)> = vec![
        (Method::GET, "/.well-known/openid-configuration".into()),
        (Method::GET, "/jwk.json".into()),
        (Method::GET, format!("/v2/oauth2/authorize?{query}")),
        (Method::GET, "/p/login".into()),
        (Method::GET, "/".into()),
        (Method::GET, "/v2/web/auth-code?code=x".into()),
        (Method::GET, "/v2/oauth2/userinfo".into()),
        (Method::GET, "/v2/api/identities?usernames=alice@portolan.local".into()),
        (Method::GET, "/v2/oauth2/authorize?client_id=x".into()),
        (Method::POST, format!("/v2/oauth2/authorize?{query}")),
    ];
    for (method, path) in &calls {
        let honest = essence(&server.request(method.clone(), path).send());
        for (name, value) in FORGED {
            let answer = server.request(method.clone(), path).header(*name, value).send();
            let text = format!("{:?}{}", answer.headers, String::from_utf8_lossy(&answer.body));
            assert!(!text.contains("evil"), "{path} with {name}: {text}");
            assert_eq!(essence(&answer), honest, "{path} with {name}: {value}");
        }
    }
}

/// Status, where it leads and how the cookie is set, without what differs each time.
fn essence(answer: &Answer) -> (u16, Option<String>, Option<String>) {
    let location = answer
        .header("location")
        .map(|location| location.split('?').next().unwrap().to_owned());
    let cookie = answer.header("set-cookie").map(|cookie| {
        let (name, rest) = cookie.split_once('=').unwrap();
        let (_, attributes) = rest.split_once(';').unwrap();
        format!("{name}={attributes}")
    });
    (answer.status.as_u16(), location, cookie)
}

/// Ids and links come from the configuration, so tokens do as well.
#[test]
fn the_issuer_of_a_token_is_the_configured_one() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server.client().create();
    let code = client.code(&browser, "openid");
    let mut request = client.token_request(&client.exchange_params(&code));
    for (name, value) in FORGED {
        request = request.header(*name, value);
    }
    let tokens = super::support::Tokens(request.send().ok().json());
    assert_eq!(tokens.claims()["iss"], server.issuer());
}

/// An address that the caller makes up does not give fresh attempts.
#[test]
fn limits_count_the_peer_and_not_what_it_says() {
    let attempts = |server: &TestServer| {
        let client = server.client().create();
        let guess = Auth::Basic(client.id.to_string(), "guessed".into());
        let mut statuses = Vec::new();
        for number in 0..20 {
            let address = format!("198.51.100.{number}");
            let request: Request = server.request(Method::POST, "/v2/oauth2/token");
            let answer = request
                .header("x-forwarded-for", &address)
                .header("x-real-ip", &address)
                .header("forwarded", &format!("for={address}"))
                .header("cf-connecting-ip", &address)
                .header("true-client-ip", &address)
                .auth(&guess, &[("grant_type", "client_credentials"), ("scope", "openid")])
                .send();
            statuses.push(answer.status.as_u16());
        }
        statuses
    };
    let strict = TestServer::with(|config| config.limits.failed_client_authentications_per_minute = 5);
    let statuses = attempts(&strict);
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses[5..].iter().all(|status| *status == 429), "{statuses:?}");
    // Behind a proxy that the operator named, each of them is another caller.
    let behind_proxy = TestServer::with(|config| {
        config.limits.failed_client_authentications_per_minute = 5;
        config.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()];
    });
    assert_eq!(attempts(&behind_proxy), [401; 20]);
}

/// Paths are compared as they come: no second reading finds another route.
#[test]
fn a_path_in_disguise_leads_nowhere() {
    let server = TestServer::new();
    for path in [
        "/v2/oauth2/../../healthz",
        "/v2/oauth2/%2e%2e/%2e%2e/healthz",
        "/v2/oauth2/..;/healthz",
        "//healthz",
        "/healthz/",
        "/HEALTHZ",
        "/%68ealthz",
        "/healthz;x=1",
        "/healthz%00",
        "/static/../../Cargo.toml",
        "/static/%2e%2e/%2e%2e/Cargo.toml",
        "/static/..%2f..%2fCargo.toml",
        "/static//etc/passwd",
        "/v2/web/consents/../../../healthz",
    ] {
        let answer = server.get(path);
        assert!(answer.status.is_client_error(), "{path}: {}", answer.summary());
    }
}
