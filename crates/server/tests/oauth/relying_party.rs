//! A foreign relying party, the `openidconnect` crate, from discovery alone: it checks
//! metadata, issuer, signature, audience, nonce and `at_hash` by its own code.

use std::io;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenVerifier, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};
use portolan_server::app::system_now;

use crate::support::{Outcome, TestClient, TestServer};

/// Its HTTP client: our router.
fn http_client(server: &TestServer) -> impl Fn(HttpRequest) -> Result<HttpResponse, io::Error> + use<> {
    let server = server.clone();
    move |request| {
        let (parts, body) = request.into_parts();
        let uri = parts.uri.to_string();
        let path = uri.strip_prefix(&server.issuer()).expect("it stays with the issuer");
        let mut ours = server.request(parts.method, path).body(body);
        for (name, value) in &parts.headers {
            ours = ours.header(name.clone(), value.to_str().expect("a header is text"));
        }
        let answer = ours.send();
        let mut response = http::Response::new(answer.body.to_vec());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

fn complete_login(server: &TestServer, party: &TestClient) {
    let http = http_client(server);
    let issuer = IssuerUrl::new(server.issuer()).unwrap();
    let metadata = CoreProviderMetadata::discover(&issuer, &http).expect("discovery");
    let secret = party.secret.clone().map(ClientSecret::new);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(party.id.to_string()), secret)
        .set_redirect_uri(RedirectUrl::new(party.redirect_uri.clone()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scope(Scope::new("email".into()))
        .add_scope(Scope::new("profile".into()))
        .set_pkce_challenge(challenge)
        .url();

    let alice = server.user("alice").create();
    let browser = server.browser();
    browser.get(url.as_str());
    let mut outcome = browser.login(&alice);
    while let Outcome::Page(_) = outcome {
        outcome = browser.allow();
    }
    assert_eq!(outcome.state().as_deref(), Some(state.secret().as_str()));
    assert_eq!(outcome.iss(), Some(server.issuer()));

    let tokens = client
        .exchange_code(AuthorizationCode::new(outcome.code()))
        .expect("the metadata names the endpoint")
        .set_pkce_verifier(verifier)
        .request(&http)
        .expect("tokens");
    let checker: CoreIdTokenVerifier<'_> = client.id_token_verifier();
    let id_token = tokens.id_token().expect("an ID token");
    let claims = id_token.claims(&checker, &nonce).expect("the ID token is good");
    let expected = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&checker).unwrap(),
    );
    assert_eq!(claims.access_token_hash(), Some(&expected.unwrap()));
    assert_eq!(claims.subject().as_str(), alice.id.to_string());
    assert!(claims.auth_time().is_some());
    let wrong = Nonce::new("another".into());
    assert!(id_token.claims(&checker, &wrong).is_err(), "the check can fail");

    let userinfo: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .expect("the metadata names the endpoint")
        .request(&http)
        .expect("userinfo");
    assert_eq!(userinfo.email().map(|email| email.as_str()), Some("alice@example.org"));
    assert_eq!(
        userinfo.preferred_username().map(|name| name.as_str()),
        Some("alice@portolan.local")
    );
}

/// The crate reads the clock of the machine.
fn server_of_today() -> TestServer {
    let server = TestServer::new();
    server.advance(system_now().since(server.now()));
    server
}

#[test]
fn a_confidential_foreign_client_completes_a_login_from_discovery_alone() {
    for algorithm in ["RS256", "RS512", "ES256"] {
        let server = server_of_today();
        let party = server.client().confidential().id_token_algorithm(algorithm).create();
        complete_login(&server, &party);
    }
}

#[test]
fn a_public_foreign_client_completes_a_login_from_discovery_alone() {
    let server = server_of_today();
    let installed = server.client().public_installed().create();
    complete_login(&server, &installed);
    let server = server_of_today();
    let webapp = server.client().public_webapp().create();
    complete_login(&server, &webapp);
}
