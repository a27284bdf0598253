//! Cross-origin access (wire.md 3.9, standards G7).

use http::Method;
use http::header::ORIGIN;

use crate::support::{Auth, TestServer};

const OPEN: [(&str, &str); 9] = [
    ("POST", "/v2/oauth2/token"),
    ("POST", "/v2/oauth2/token/introspect"),
    ("POST", "/v2/oauth2/token/validate"),
    ("POST", "/v2/oauth2/token/revoke"),
    ("GET", "/v2/oauth2/userinfo"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/jwk.json"),
    ("GET", "/v2/api/identities"),
    ("POST", "/v2/api/clients"),
];

const CLOSED: [&str; 9] = [
    "/",
    "/v2/oauth2/authorize",
    "/p/authorize",
    "/p/login",
    "/p/consent",
    "/v2/web/auth-code",
    "/v2/web/logout",
    "/healthz",
    "/readyz",
];

#[test]
fn protocol_and_api_answer_preflights_of_any_origin() {
    let server = TestServer::new();
    for (method, path) in OPEN {
        let answer = server
            .request(Method::OPTIONS, path)
            .header(ORIGIN, "https://spa.example")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,x-globus-client-info")
            .send();
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let methods = answer.header("access-control-allow-methods").unwrap().to_owned();
        assert!(methods.split(", ").any(|allowed| allowed == method), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        for needed in ["authorization", "content-type", "accept", "x-globus-client-info"] {
            assert!(headers.split(", ").any(|allowed| allowed == needed), "{path} {needed}");
        }
        assert!(answer.header("access-control-max-age").is_some(), "{path}");
        assert!(answer.header("access-control-allow-credentials").is_none(), "{path}");
    }
}

/// Errors too: a browser app must be able to read what went wrong.
#[test]
fn answers_and_errors_are_readable_from_any_origin() {
    let server = TestServer::new();
    for (method, path) in OPEN {
        let method: Method = method.parse().unwrap();
        let answer = server
            .request(method, path)
            .header(ORIGIN, "https://spa.example")
            .send();
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(answer.header("access-control-allow-credentials").is_none(), "{path}");
        let exposed = answer.header("access-control-expose-headers").unwrap().to_lowercase();
        for name in ["www-authenticate", "retry-after", "x-request-id"] {
            assert!(exposed.contains(name), "{path}");
        }
        let wrong = server
            .request(Method::PATCH, path)
            .header(ORIGIN, "https://spa.example")
            .send();
        assert_eq!(
            (wrong.status.as_u16(), wrong.header("access-control-allow-origin")),
            (405, Some("*")),
            "{path}"
        );
    }
    let client = server.client().confidential().create();
    let request = server.request(Method::POST, "/v2/oauth2/token").header(ORIGIN, "null");
    let answer = request
        .auth(
            &client.auth(),
            &[("grant_type", "client_credentials"), ("scope", "openid")],
        )
        .send();
    assert_eq!(
        (answer.status.as_u16(), answer.header("access-control-allow-origin")),
        (200, Some("*"))
    );
}

/// G7: no page, and nothing for operators, answers another origin.
#[test]
fn pages_and_operator_routes_allow_no_other_origin() {
    let server = TestServer::new();
    for path in CLOSED {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = server
                .request(method.clone(), path)
                .header(ORIGIN, "https://spa.example")
                .header("access-control-request-method", "POST")
                .send();
            for name in answer.headers.keys() {
                assert!(!name.as_str().starts_with("access-control-"), "{method} {path} {name}");
            }
        }
    }
}

/// Any origin may call because nothing here acts on a cookie.
#[test]
fn endpoints_that_any_origin_may_call_ignore_the_cookie() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    assert!(!browser.cookies().is_empty());
    for (method, path) in OPEN {
        let method: Method = method.parse().unwrap();
        let form = [("grant_type".to_owned(), "authorization_code".to_owned())];
        let body = (method == Method::POST).then_some(&form[..]);
        let with = browser.send(method.clone(), path, body);
        let without = server.browser().send(method, path, body);
        assert_eq!(with.status, without.status, "{path}");
        assert!(with.header("set-cookie").is_none(), "{path}");
    }
}

/// wire.md 3.1: without an origin there is nothing to allow; HEAD answers like GET.
#[test]
fn a_program_that_is_no_browser_sees_none_of_it() {
    let server = TestServer::new();
    let answer = server.get_as("/jwk.json", &Auth::None);
    assert!(answer.header("access-control-allow-origin").is_none());
    let head = server.request(Method::HEAD, "/jwk.json").send();
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}
