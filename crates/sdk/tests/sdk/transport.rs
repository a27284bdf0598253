//! Retries, renewals and limits against a server with faults (wire.md 5.7, 5.8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Answer, Bytes, CLIENT, NOW, Server, token};
use portolan_sdk::{
    AccessTokenAuthorizer, AuthClient, Authorizer as _, BasicAuthorizer, ClientCredentialsAuthorizer, Environment,
    Error, NetworkErrorKind, NullAuthorizer, RefreshTokenAuthorizer, Request, RetryPolicy, TransportConfig,
};
use serde_json::json;

const PATH: &str = "/x";

fn client(server: &Server) -> AuthClient {
    AuthClient::with_options(AccessTokenAuthorizer::new("Ag"), server.options()).unwrap()
}

fn status(result: portolan_sdk::Result<portolan_sdk::Response>) -> u16 {
    match result {
        Ok(response) => response.status(),
        Err(Error::Api(error)) => error.status(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn transient_failures_are_tried_six_times_with_doubling_pauses() {
    for code in [429, 500, 502, 503, 504] {
        let server = Server::start().await;
        server.answers(PATH, [Answer::error(code)]);

        let result = client(&server).send(Request::post("x")).await;

        assert_eq!(status(result), code);
        assert_eq!(server.requests(PATH).len(), 6, "{code}");
        assert_eq!(server.clock.pauses(), [250, 500, 1000, 2000, 4000], "{code}");
    }
}

#[tokio::test]
async fn the_first_success_ends_it() {
    let server = Server::start().await;
    server.answers(
        PATH,
        [Answer::error(500), Answer::error(503), Answer::ok(json!({"a": 1}))],
    );

    let answer = client(&server).send(Request::get("x")).await.unwrap();

    assert_eq!(answer["a"], 1);
    assert_eq!(server.requests(PATH).len(), 3);
}

#[tokio::test]
async fn pauses_are_spread_and_capped() {
    let server = Server::start().await;
    server.answers(PATH, [Answer::error(500)]);
    let spread = client(&server).tuned(|config| {
        config.random = Arc::new(Bytes(0xff));
        config.retry.max_retries = 7;
    });

    let _ = spread.send(Request::get("x")).await;

    // The largest random number makes three quarters of the base, the smallest one quarter.
    assert_eq!(server.clock.pauses(), [750, 1500, 3000, 5999, 10_000, 10_000, 10_000]);
}

#[tokio::test]
async fn retry_after_is_obeyed_up_to_the_cap() {
    for (code, value, expected) in [
        (429, "1", 1000),
        (503, "7", 7000),
        (503, "3600", 10_000),
        (429, "0", 250),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 250),
        (500, "7", 250),
    ] {
        let server = Server::start().await;
        let refused = Answer::error(code).header("retry-after", value);
        server.answers(PATH, [refused, Answer::ok(json!({}))]);

        client(&server).send(Request::get("x")).await.unwrap();

        assert_eq!(server.clock.pauses(), [expected], "{code} {value}");
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_said_once() {
    for code in [400, 401, 403, 404, 405, 409, 410, 422] {
        let server = Server::start().await;
        server.answers(PATH, [Answer::error(code).header("retry-after", "1")]);

        let result = client(&server).send(Request::get("x")).await;

        assert_eq!(status(result), code);
        assert_eq!(server.requests(PATH).len(), 1, "{code}");
        assert!(server.clock.pauses().is_empty());
    }
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    let server = Server::start().await;
    server.answers(PATH, [Answer::HangUp, Answer::Half, Answer::ok(json!({"a": 1}))]);

    let answer = client(&server).send(Request::get("x")).await.unwrap();

    assert_eq!(answer["a"], 1);
    assert_eq!(server.requests(PATH).len(), 3);

    let server = Server::start().await;
    server.answers(PATH, [Answer::Half]);
    let error = client(&server).send(Request::get("x")).await.unwrap_err();
    assert!(matches!(error, Error::Network(error) if error.kind() == NetworkErrorKind::Other && !error.is_timeout()));
    assert_eq!(server.requests(PATH).len(), 6);
}

#[tokio::test]
async fn failures_of_the_network_have_kinds() {
    let server = Server::start().await;
    server.answers(PATH, [Answer::Silence]);
    let hasty = client(&server).tuned(|config| {
        config.timeout = Some(Duration::from_millis(50));
        config.retry.max_retries = 1;
    });
    let error = hasty.send(Request::get("x")).await.unwrap_err();
    assert!(matches!(error, Error::Network(error) if error.kind() == NetworkErrorKind::Timeout && error.is_timeout()));
    assert_eq!(server.requests(PATH).len(), 2);

    let nobody = server.options().base_url("http://127.0.0.1:1");
    let error = AuthClient::with_options(NullAuthorizer, nobody).unwrap();
    let error = error.send(Request::get("x")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Network(error) if error.kind() == NetworkErrorKind::Connection),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "no connection to GET http://127.0.0.1:1/x");
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let server = Server::start().await;
    server.answers(PATH, [Answer::error(503)]);
    let never = client(&server).tuned(|config| config.retry = RetryPolicy::never());

    let _ = never.send(Request::get("x")).await;
    assert_eq!(server.requests(PATH).len(), 1);

    server.answers("/y", [Answer::HangUp]);
    let answers_only = client(&server).tuned(|config| config.retry.network_failures = false);
    assert!(answers_only.send(Request::get("y")).await.is_err());
    assert_eq!(server.requests("/y").len(), 1);
}

#[tokio::test]
async fn requests_say_who_makes_them() {
    let server = Server::start().await;
    server.answer(PATH, json!({}));
    let info = portolan_sdk::ClientInfo::new().product("tour", "1").unwrap();
    let config = TransportConfig {
        client_info: info,
        ..server.transport()
    };
    let options = server.options().app_name("tour").transport(config);
    let client = AuthClient::with_options(AccessTokenAuthorizer::new("Ag"), options).unwrap();

    client.send(Request::get("x").query("a", "1 2")).await.unwrap();

    let request = server.last();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(request.headers["user-agent"], format!("portolan-sdk/{version}/tour"));
    assert_eq!(
        request.headers["x-globus-client-info"],
        format!("product=portolan-sdk,version={version};product=tour,version=1")
    );
    assert_eq!(request.headers["accept"], "application/json");
    assert_eq!(request.authorization(), Some("Bearer Ag"));
    assert_eq!(request.query, [("a".to_owned(), "1 2".to_owned())]);
}

#[tokio::test]
async fn bodies_have_their_type() {
    let server = Server::start().await;
    server.answer(PATH, json!({}));
    let client = client(&server);
    for (request, content_type, body) in [
        (
            Request::post("x").json(json!({"a": 1})),
            Some("application/json"),
            r#"{"a":1}"#,
        ),
        (
            Request::put("x").form([("a", "1 2"), ("b", "+")]),
            Some("application/x-www-form-urlencoded"),
            "a=1+2&b=%2B",
        ),
        (Request::patch("x").text("ä"), Some("text/plain; charset=utf-8"), "ä"),
        (Request::delete("x"), None, ""),
    ] {
        client.send(request).await.unwrap();
        let last = server.last();
        assert_eq!(last.headers.get("content-type").map(String::as_str), content_type);
        assert_eq!(last.body, body);
    }
}

#[tokio::test]
async fn authorizers_send_their_header() {
    let server = Server::start().await;
    server.answer(PATH, json!({}));
    let client = client(&server);
    client.send(Request::get("x").without_authorization()).await.unwrap();
    assert_eq!(server.last().authorization(), None);
    client
        .with_authorizer(NullAuthorizer)
        .send(Request::get("x"))
        .await
        .unwrap();
    assert_eq!(server.last().authorization(), None);
    let basic = client.with_authorizer(BasicAuthorizer::new("ü", "p+="));
    basic.send(Request::get("x")).await.unwrap();
    assert_eq!(server.last().authorization(), Some("Basic w7w6cCs9"));

    let broken = client.with_authorizer(AccessTokenAuthorizer::new("a\nb"));
    let before = server.count();
    assert!(matches!(broken.send(Request::get("x")).await, Err(Error::Usage(_))));
    assert_eq!(server.count(), before);
    let value = BasicAuthorizer::new("a", "b").authorization().await.unwrap().unwrap();
    assert!(value.is_sensitive());
}

#[tokio::test]
async fn tokens_go_to_their_own_service_only() {
    let own = Server::start().await;
    let other = Server::start().await;
    other.answer(PATH, json!({"a": 1}));
    let client = client(&own);

    client.send(Request::get(format!("{}x", other.url))).await.unwrap();
    assert_eq!(other.last().authorization(), None);

    own.answers(
        "/there",
        [Answer::error(302).header("location", &format!("{}x", other.url))],
    );
    assert_eq!(status(client.send(Request::get("there")).await), 302);
    let followed = client.send(Request::get("there").follow_redirects()).await.unwrap();
    assert_eq!(followed["a"], 1);
    assert_eq!(other.last().authorization(), None);

    own.answer("/here", json!({}));
    own.answers("/there", [Answer::error(302).header("location", "/here")]);
    client.send(Request::get("there").follow_redirects()).await.unwrap();
    assert_eq!(own.last().authorization(), Some("Bearer Ag"));
    client.send(Request::get(format!("{}here", own.url))).await.unwrap();
    assert_eq!(own.last().authorization(), Some("Bearer Ag"));
}

#[tokio::test]
async fn large_answers_are_not_read() {
    let server = Server::start().await;
    server.answer(PATH, json!({"text": "x".repeat(1000)}));
    let small = client(&server).tuned(|config| config.max_response_bytes = 500);

    let error = small.send(Request::get("x")).await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    assert_eq!(server.requests(PATH).len(), 1);

    let mut streamed = small.stream(Request::get("x")).await.unwrap();
    let mut length = 0;
    while let Some(piece) = streamed.chunk().await.unwrap() {
        length += piece.len();
    }
    assert_eq!((streamed.status(), length), (200, 1011));
    assert_eq!(streamed.headers()["content-type"], "application/json");
    server.answers("/no", [Answer::error(404)]);
    assert!(matches!(small.stream(Request::get("no")).await, Err(Error::Api(_))));
}

#[tokio::test]
async fn answers_show_all_of_http() {
    let server = Server::start().await;
    let html = Answer::Status(
        200,
        vec![
            ("content-type", "text/html".to_owned()),
            ("x-request-id", "7".to_owned()),
        ],
        "<p>".to_owned(),
    );
    server.answers(PATH, [html]);

    let answer = client(&server).send(Request::get("x")).await.unwrap();

    assert!(answer.is_null() && answer.json().is_none() && answer.get_member("a").is_none());
    assert_eq!((answer.status(), answer.reason()), (200, Some("OK")));
    assert_eq!((answer.text().as_ref(), answer.bytes()), ("<p>", b"<p>".as_slice()));
    assert_eq!(
        (answer.content_type(), answer.header("X-REQUEST-ID")),
        (Some("text/html"), Some("7"))
    );
    assert_eq!(answer.headers().len(), 3);
}

fn refreshing(server: &Server) -> RefreshTokenAuthorizer {
    RefreshTokenAuthorizer::new("Rt", server.native())
}

/// `/x` takes only the newest token; each renewal makes another one.
fn accepts_only_the_newest(server: &Server) -> Arc<AtomicUsize> {
    let renewals = Arc::new(AtomicUsize::new(0));
    let counter = renewals.clone();
    server.handle(move |incoming| match incoming.path.as_str() {
        "/v2/oauth2/token" => {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            Some(Answer::ok(token("auth.globus.org", "openid", &format!("T{number}"))))
        }
        "/x" => {
            let newest = format!("Bearer T{}", counter.load(Ordering::SeqCst));
            let good = incoming.authorization() == Some(&newest);
            Some(if good {
                Answer::ok(json!({}))
            } else {
                Answer::error(401)
            })
        }
        _ => None,
    });
    renewals
}

#[tokio::test]
async fn a_renewing_authorizer_fetches_and_keeps_its_token() {
    let server = Server::start().await;
    let renewals = accepts_only_the_newest(&server);
    let client = AuthClient::with_options(refreshing(&server), server.options()).unwrap();

    for _ in 0..3 {
        client.send(Request::get("x")).await.unwrap();
    }

    assert_eq!(renewals.load(Ordering::SeqCst), 1);
    let request = &server.requests("/v2/oauth2/token")[0];
    assert_eq!(request.field("grant_type").unwrap(), "refresh_token");
    assert_eq!(request.field("refresh_token").unwrap(), "Rt");
    assert_eq!(request.field("client_id").unwrap(), CLIENT);

    server.clock.advance(172_800 - 60);
    client.send(Request::get("x")).await.unwrap();
    assert_eq!(
        renewals.load(Ordering::SeqCst),
        1,
        "a minute before the end it is still good"
    );
    server.clock.advance(1);
    client.send(Request::get("x")).await.unwrap();
    assert_eq!(renewals.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_401_renews_once_and_the_second_one_is_final() {
    let server = Server::start().await;
    let renewals = accepts_only_the_newest(&server);
    let authorizer = refreshing(&server).with_access_token("old", NOW + 3600);
    let client = AuthClient::with_options(authorizer, server.options()).unwrap();

    client.send(Request::get("x")).await.unwrap();
    assert_eq!(renewals.load(Ordering::SeqCst), 1);
    assert_eq!(server.requests(PATH).len(), 2);
    assert!(server.clock.pauses().is_empty());

    server.answers("/never", [Answer::error(401)]);
    assert_eq!(status(client.send(Request::get("never")).await), 401);
    assert_eq!(server.requests("/never").len(), 2);
    assert_eq!(renewals.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn callers_at_once_share_one_renewal() {
    let server = Server::start().await;
    let renewals = accepts_only_the_newest(&server);
    for expires_at in [NOW + 3600, NOW] {
        let authorizer = refreshing(&server).with_access_token("old", expires_at);
        let client = AuthClient::with_options(authorizer, server.options()).unwrap();
        let before = renewals.load(Ordering::SeqCst);

        let callers: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.send(Request::get("x")).await.map(|answer| answer.status()) })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap(), 200);
        }

        assert_eq!(renewals.load(Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn callers_at_once_share_a_renewal_that_fails() {
    let server = Server::start().await;
    server.answers(
        "/v2/oauth2/token",
        [Answer::json(400, json!({"error": "invalid_grant"}))],
    );
    let client = AuthClient::with_options(refreshing(&server), server.options()).unwrap();

    let callers: Vec<_> = (0..20).map(|_| client.send(Request::get("x"))).collect();
    let mut running: Vec<_> = callers.into_iter().map(Box::pin).collect();
    let mut results = Vec::new();
    // Each is polled before any of them ends, so that all wait for the same renewal.
    std::future::poll_fn(|context| {
        running.retain_mut(|caller| match caller.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                results.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;

    assert_eq!(server.requests("/v2/oauth2/token").len(), 1);
    assert_eq!(server.requests(PATH).len(), 0);
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.api().unwrap().oauth_error(), Some("invalid_grant"));
    }
    // The next one tries again.
    assert!(client.send(Request::get("x")).await.is_err());
    assert_eq!(server.requests("/v2/oauth2/token").len(), 2);
}

#[tokio::test]
async fn a_rotated_refresh_token_is_adopted_and_told() {
    let server = Server::start().await;
    let mut rotated = token("auth.globus.org", "openid", "T1");
    rotated["refresh_token"] = json!("Rt2");
    server.answers(
        "/v2/oauth2/token",
        [
            Answer::ok(rotated),
            Answer::ok(token("auth.globus.org", "openid", "T2")),
        ],
    );
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    let authorizer = refreshing(&server).on_refresh(move |response| {
        let counter = counter.clone();
        async move {
            assert_eq!(response.tokens().count(), 1);
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });

    assert_eq!(authorizer.ensure_valid_token().await.unwrap().expose(), "T1");
    assert_eq!(authorizer.refresh_token().await.unwrap().expose(), "Rt2");
    server.clock.advance(172_800);
    assert_eq!(authorizer.ensure_valid_token().await.unwrap().expose(), "T2");

    assert_eq!(server.last().field("refresh_token").unwrap(), "Rt2");
    assert_eq!(
        authorizer.refresh_token().await.unwrap().expose(),
        "Rt2",
        "an answer without one keeps it"
    );
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_renewal_for_two_resource_servers_is_refused() {
    let server = Server::start().await;
    let mut two = token("auth.globus.org", "openid", "T1");
    two["other_tokens"] = json!([token("groups.api.globus.org", "g", "T2")]);
    server.answer("/v2/oauth2/token", two);

    let error = refreshing(&server).ensure_valid_token().await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
}

#[tokio::test]
async fn client_credentials_are_fetched_with_the_secret() {
    let server = Server::start().await;
    let renewals = accepts_only_the_newest(&server);
    let authorizer = ClientCredentialsAuthorizer::new(&server.confidential(), ["openid", "email"]).unwrap();
    let client = AuthClient::with_options(authorizer, server.options()).unwrap();

    client.send(Request::get("x")).await.unwrap();

    let request = &server.requests("/v2/oauth2/token")[0];
    assert_eq!(request.field("grant_type").unwrap(), "client_credentials");
    assert_eq!(request.field("scope").unwrap(), "openid email");
    assert_eq!(request.field("client_id"), None);
    assert!(request.authorization().unwrap().starts_with("Basic "));
    let known = ClientCredentialsAuthorizer::new(&server.confidential(), "openid").unwrap();
    let known = known.with_access_token("T9", NOW + 3600);
    assert_eq!(known.ensure_valid_token().await.unwrap().expose(), "T9");
    assert_eq!(renewals.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn addresses_come_from_options_variables_and_environments() {
    let url = |options: portolan_sdk::ClientOptions| {
        AuthClient::with_options(NullAuthorizer, options)
            .unwrap()
            .base_url()
            .to_owned()
    };
    let variables = portolan_sdk::EnvironmentVariables {
        auth_url: Some("http://localhost:8080/auth".to_owned()),
        ..portolan_sdk::EnvironmentVariables::default()
    };
    let options = portolan_sdk::ClientOptions::from_variables(variables);
    assert_eq!(url(options.clone()), "http://localhost:8080/auth/");
    assert_eq!(url(options.base_url("https://a.org")), "https://a.org/");
    let plain = portolan_sdk::ClientOptions::from_variables(portolan_sdk::EnvironmentVariables::default());
    assert_eq!(url(plain.clone()), "https://auth.globus.org/");
    assert_eq!(
        url(plain.clone().environment(Environment::Preview)),
        "https://auth.preview.globus.org/"
    );
    assert!(AuthClient::with_options(NullAuthorizer, plain.base_url("ftp://a.org")).is_err());
}
