//! The guard of a service: who may come in, and how long an answer is kept.

use std::time::Duration;

use portolan_sdk::resource_server::{LONGEST_CACHE, Refusal, ResourceServer};
use serde_json::{Value, json};

use crate::support::{Answer, NOW, PERSON, Server, token};

const PATH: &str = "/v2/oauth2/token/introspect";

fn active(scope: &str) -> Value {
    json!({"active": true, "scope": scope, "sub": PERSON, "username": "rdoe@example.edu", "exp": NOW + 3600})
}

async fn server() -> Server {
    let server = Server::start().await;
    server.answer(PATH, active("a b"));
    server
}

#[tokio::test]
async fn only_active_tokens_with_the_scope_come_in() {
    let server = server().await;
    let guard = ResourceServer::new(server.confidential()).require_scope("a");
    let caller = guard.authenticate(Some("bearer T")).await.unwrap();
    assert_eq!(
        (caller.username(), caller.has_scope("b")),
        (Some("rdoe@example.edu"), true)
    );
    assert_eq!(caller.identities(), [caller.identity().unwrap()]);
    assert!(matches!(caller.require_scope("c"), Err(Refusal::MissingScopes(_))));
    assert_eq!(server.last().field("token").unwrap(), "T");

    let before = server.count();
    for (header, status) in [
        (None, 401),
        (Some("Basic eDp5"), 401),
        (Some("T"), 400),
        (Some("Bearer "), 400),
        (Some("Bearer a b"), 400),
        (Some("Bearer ä"), 400),
    ] {
        let refusal = guard.authenticate(header).await.unwrap_err();
        assert_eq!(refusal.status(), status, "{header:?}");
        assert!(refusal.www_authenticate().unwrap().starts_with("Bearer"));
    }
    assert_eq!(server.count(), before, "what is no token is not asked about");

    server.answer(PATH, json!({"active": false, "scope": "a"}));
    let refusal = guard.check("T").await.unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.document()["code"].as_str()),
        (401, Some("AuthenticationFailed"))
    );
    server.answer(PATH, active("b aa"));
    let refusal = guard.check("T").await.unwrap_err();
    assert_eq!(
        refusal.document()["authorization_parameters"]["required_scopes"],
        json!(["a"])
    );
    assert!(
        portolan_sdk::gare::is_gare(refusal.document()),
        "the SDKs know what to ask the person for"
    );
    server.answers(PATH, [Answer::error(401)]);
    let refusal = guard.check("T").await.unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.www_authenticate()),
        (503, None),
        "a service with a wrong secret lets nobody in"
    );
}

#[tokio::test]
async fn answers_are_not_kept_unless_that_is_wanted() {
    let server = server().await;
    let guard = ResourceServer::new(server.confidential());
    for _ in 0..3 {
        guard.check("T").await.unwrap();
    }
    assert_eq!(server.requests(PATH).len(), 3);
    let zero = ResourceServer::new(server.confidential()).cache(Duration::ZERO);
    zero.check("T").await.unwrap();
    zero.check("T").await.unwrap();
    assert_eq!(server.requests(PATH).len(), 5);
}

#[tokio::test]
async fn answers_are_kept_half_a_minute_at_most() {
    let server = server().await;
    let guard = ResourceServer::new(server.confidential()).cache(Duration::from_secs(3600));
    assert_eq!(LONGEST_CACHE, Duration::from_secs(30));
    guard.check("T").await.unwrap();
    server.answer(PATH, json!({"active": false}));
    server.clock.advance(29);
    guard.check("T").await.unwrap();
    assert_eq!(server.requests(PATH).len(), 1);
    server.clock.advance(1);
    assert!(matches!(guard.check("T").await, Err(Refusal::Inactive)));

    server.answer(PATH, active("a"));
    guard.check("T").await.unwrap();
    assert_eq!(server.requests(PATH).len(), 3, "that a token is not active is not kept");
    let strict = guard.clone().require_scope("z");
    assert!(matches!(strict.check("T").await, Err(Refusal::MissingScopes(_))));
    assert_eq!(server.requests(PATH).len(), 3, "what is kept is judged anew");
}

#[tokio::test]
async fn answers_are_not_kept_beyond_the_end_of_the_token() {
    let server = server().await;
    let mut ending = active("a");
    ending["exp"] = json!(NOW + 5);
    server.answer(PATH, ending);
    let guard = ResourceServer::new(server.confidential()).cache(Duration::from_secs(20));
    guard.check("T").await.unwrap();
    server.clock.advance(5);
    server.answer(PATH, json!({"active": false}));
    assert!(guard.check("T").await.is_err());
}

#[tokio::test]
async fn callers_get_their_identities_and_dependent_tokens() {
    let server = server().await;
    let mut document = active("a");
    document["identity_set"] = json!([PERSON, "00000000-0000-0000-0000-000000000001"]);
    server.answer(PATH, document);
    server.answer("/v2/oauth2/token", json!([token("groups.api.globus.org", "g", "G")]));
    let guard = ResourceServer::new(server.confidential())
        .include_identity_set()
        .include_session_info();

    let caller = guard.check("T").await.unwrap();
    assert_eq!(server.last().field("include").unwrap(), "identity_set,session_info");
    assert_eq!(caller.identities().len(), 2);
    assert!(caller.introspection().active);
    let tokens = caller.dependent_tokens().await.unwrap();
    assert_eq!(tokens.tokens().count(), 1);
    assert_eq!(server.last().field("token").unwrap(), "T");
    caller
        .dependent_tokens_with(|request| request.scopes("g"))
        .await
        .unwrap();
    assert_eq!(server.last().field("scope").unwrap(), "g");
    assert!(!format!("{caller:?}").contains("\"T\""));
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn a_layer_protects_the_routes_of_axum() {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::{Extension, Router, routing::get};
    use portolan_sdk::resource_server::Caller;
    use tower::ServiceExt as _;

    async fn data(Extension(caller): Extension<Caller>) -> String {
        format!("Hello, {}", caller.username().unwrap())
    }

    let server = server().await;
    let guard = ResourceServer::new(server.confidential()).require_scope("a");
    let app = Router::new().route("/data", get(data)).layer(guard.layer());
    let ask = async |headers: &[&str]| {
        let mut request = Request::get("/data");
        for value in headers {
            request = request.header("authorization", *value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts, String::from_utf8(bytes.to_vec()).unwrap())
    };

    let (parts, body) = ask(&["Bearer T"]).await;
    assert_eq!(
        (parts.status, body.as_str()),
        (StatusCode::OK, "Hello, rdoe@example.edu")
    );
    let (parts, body) = ask(&[]).await;
    assert_eq!(
        (parts.status, &parts.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    assert_eq!(parts.headers["content-type"], "application/json");
    assert!(body.contains("AuthenticationFailed"));
    assert_eq!(ask(&["Bearer T", "Bearer T"]).await.0.status, StatusCode::BAD_REQUEST);
    server.answer(PATH, active("b"));
    assert_eq!(ask(&["Bearer T"]).await.0.status, StatusCode::FORBIDDEN);
    server.answers(PATH, [Answer::error(500)]);
    let (parts, _) = ask(&["Bearer T"]).await;
    assert_eq!(
        (parts.status, &parts.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
}
