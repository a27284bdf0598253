//! Logins: what the address says, what may come back, and what must arrive.

use std::collections::BTreeMap;

use portolan_sdk::{AuthorizationParameters, Error, Flow, FlowError, FlowOptions};
use serde_json::json;
use url::Url;

use crate::support::{CLIENT, Server, token};

fn query(address: &str) -> BTreeMap<String, String> {
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}

async fn server() -> Server {
    let server = Server::start().await;
    server.discovery();
    server.answer("/v2/oauth2/token", token("auth.globus.org", "openid email", "A"));
    server
}

fn flow(server: &Server) -> Flow {
    let options = FlowOptions::new("openid email offline_access").unwrap();
    server.confidential().start_flow("https://a.org/cb", options).unwrap()
}

/// What the browser comes back to, with these parameters.
fn back(flow: &Flow, parameters: &[(&str, &str)]) -> String {
    let mut url = Url::parse(flow.redirect_uri()).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    url.into()
}

#[tokio::test]
async fn addresses_say_what_is_asked_for() {
    let server = Server::start().await;
    let options = FlowOptions::new(["openid", "a[*b]"])
        .unwrap()
        .refresh_tokens(true)
        .prefill_named_grant("my laptop");
    let flow = server.native().start_flow(options).unwrap();
    let parameters = AuthorizationParameters {
        session_message: Some("hi there".to_owned()),
        session_required_identities: Some(vec!["i".to_owned()]),
        session_required_policies: Some(vec!["p".to_owned(), "q".to_owned()]),
        session_required_single_domain: Some(vec!["a.org".to_owned(), "b.org".to_owned()]),
        session_required_mfa: Some(true),
        prompt: Some("login".to_owned()),
        ..AuthorizationParameters::default()
    };

    let address = flow.authorize_url_with(&parameters, &[("login_hint", "x")]);

    assert!(address.starts_with(&format!("{}v2/oauth2/authorize?", server.url)));
    let query = query(&address);
    for (name, value) in [
        ("client_id", CLIENT),
        ("redirect_uri", &format!("{}v2/web/auth-code", server.url)),
        ("scope", "openid a[*b]"),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("code_challenge_method", "S256"),
        ("prefill_named_grant", "my laptop"),
        ("session_message", "hi there"),
        ("session_required_identities", "i"),
        ("session_required_policies", "p,q"),
        ("session_required_single_domain", "a.org,b.org"),
        ("session_required_mfa", "true"),
        ("prompt", "login"),
        ("login_hint", "x"),
        ("state", flow.state()),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    assert_eq!(query["code_challenge"].len(), 43);
    assert_eq!(flow.verifier().unwrap().expose().len(), 43);
}

#[tokio::test]
async fn options_of_ones_own_are_used() {
    let server = Server::start().await;
    let options = FlowOptions::new("openid").unwrap().state("_default").without_pkce();
    let confidential = server
        .confidential()
        .start_flow("https://a.org/cb", options.clone())
        .unwrap();
    let confidential = query(&confidential.authorize_url());
    assert_eq!(
        (confidential["state"].as_str(), confidential["access_type"].as_str()),
        ("_default", "online")
    );
    assert!(!confidential.contains_key("code_challenge"));
    let native = server.native();
    let flow = native.start_flow(options.redirect_uri("http://localhost:1")).unwrap();
    assert!(
        query(&flow.authorize_url()).contains_key("code_challenge"),
        "a client without a secret has nothing else"
    );
    let verifier = "a".repeat(64);
    let flow = native
        .start_flow(FlowOptions::new("openid").unwrap().verifier(&verifier))
        .unwrap();
    assert_eq!(flow.verifier().unwrap().expose(), verifier);
    assert!(
        native
            .start_flow(FlowOptions::new("openid").unwrap().verifier("short"))
            .is_err()
    );
}

#[tokio::test]
async fn a_login_ends_with_tokens() {
    let server = server().await;
    let flow = flow(&server);
    let issuer = server.url.trim_end_matches('/');

    let response = flow
        .complete(&back(&flow, &[("code", "C"), ("state", flow.state()), ("iss", issuer)]))
        .await
        .unwrap();

    assert_eq!(response.tokens().count(), 1);
    let request = server.last();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "C"),
        ("redirect_uri", "https://a.org/cb"),
        ("code_verifier", flow.verifier().unwrap().expose()),
    ] {
        assert_eq!(request.field(name).unwrap(), value, "{name}");
    }
    assert!(request.authorization().unwrap().starts_with("Basic "));
    server
        .native()
        .start_flow(FlowOptions::new("openid").unwrap())
        .unwrap()
        .exchange_code("C")
        .await
        .unwrap();
    assert_eq!(server.last().field("client_id").unwrap(), CLIENT);
}

#[tokio::test]
async fn what_comes_back_must_belong_to_this_login_and_this_server() {
    let server = server().await;
    let flow = flow(&server);
    let issuer = server.url.trim_end_matches('/');
    let (state, good) = (("state", flow.state()), ("iss", issuer));
    let code = ("code", "C");
    for (parameters, expected) in [
        (vec![code, good], "state"),
        (vec![code, ("state", "other"), good], "state"),
        (vec![code, state], "came from None"),
        (
            vec![code, state, ("iss", "https://evil.example")],
            "https://evil.example",
        ),
        (vec![state, good], "neither a code nor an error"),
        (vec![code, code, state, good], "twice"),
        (
            vec![
                ("error", "access_denied"),
                ("error_description", "not today"),
                state,
                good,
            ],
            "not today",
        ),
        (vec![("error", "access_denied"), state, good], "access_denied"),
        (vec![("error", "access_denied"), good], "state"),
    ] {
        let error = flow.complete(&back(&flow, &parameters)).await.unwrap_err();
        assert!(matches!(error, Error::Flow(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(server.requests("/v2/oauth2/token").is_empty());
}

#[tokio::test]
async fn servers_that_do_not_name_the_issuer_are_fine_until_they_say_that_they_do() {
    let server = server().await;
    let issuer = server.url.trim_end_matches('/');
    server.answer(
        "/.well-known/openid-configuration",
        json!({"issuer": issuer, "jwks_uri": "https://a.org/k"}),
    );
    let flow = flow(&server);

    flow.complete(&back(&flow, &[("code", "C"), ("state", flow.state())]))
        .await
        .unwrap();
    let other = [("code", "C"), ("state", flow.state()), ("iss", "https://evil.example")];
    assert!(matches!(
        flow.complete(&back(&flow, &other)).await,
        Err(Error::Flow(FlowError::Issuer { .. }))
    ));
}

#[tokio::test]
async fn scopes_that_do_not_arrive_are_named() {
    let server = server().await;
    let options = FlowOptions::new("openid groups[*a] *email").unwrap();
    let flow = server.native().start_flow(options.clone()).unwrap();

    let error = flow.exchange_code("C").await.unwrap_err();
    assert_eq!(error.to_string(), "these scopes did not arrive: groups");
    let Error::Flow(FlowError::MissingScopes { missing, response }) = error else {
        panic!("{error}");
    };
    assert_eq!(
        (missing.as_slice(), response.tokens().count()),
        (["groups".to_owned()].as_slice(), 1)
    );
    let modest = server.native().start_flow(options.allow_fewer_scopes()).unwrap();
    assert!(modest.exchange_code("C").await.is_ok());
}
