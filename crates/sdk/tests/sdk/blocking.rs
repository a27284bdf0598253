//! The same calls without async.

use portolan_sdk::blocking::{AuthClient, ConfidentialAppAuthClient, GlobusApp, IdentityMap, NativeAppAuthClient};
use portolan_sdk::{AccessTokenAuthorizer, AppConfig, ClientApp, FlowOptions, IdentityLookup, StorageKind};
use serde_json::json;

use crate::support::{CLIENT, PERSON, Server, token};

#[test]
fn plain_threads_can_wait_for_everything() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::start());
    server.discovery();
    server.answer("/v2/oauth2/token", token("auth.globus.org", "openid", "A"));
    server.answer("/v2/oauth2/userinfo", json!({"sub": PERSON}));
    server.answer("/v2/api/identities", json!({"identities": []}));
    server.answer("/v2/oauth2/token/introspect", json!({"active": false}));

    let inner = portolan_sdk::AuthClient::with_options(AccessTokenAuthorizer::new("Ag"), server.options()).unwrap();
    let client = AuthClient::of(inner.clone()).unwrap();
    assert_eq!(client.userinfo().unwrap().sub.to_string(), PERSON);
    assert!(
        client
            .get_identities(IdentityLookup::ids([PERSON]))
            .unwrap()
            .identities
            .is_empty()
    );
    assert!(client.wait(async { 7 }) == 7 && client.get_projects().is_err());
    let other = client.clone();
    std::thread::spawn(move || other.userinfo().unwrap()).join().unwrap();

    let app = ConfidentialAppAuthClient::of(server.confidential()).unwrap();
    assert!(!app.introspect("T").unwrap().active);
    assert_eq!(app.client_credentials_tokens("openid").unwrap().tokens().count(), 1);
    let native = NativeAppAuthClient::of(server.native()).unwrap();
    let flow = native.start_flow(FlowOptions::new("openid").unwrap()).unwrap();
    let issuer = server.url.trim_end_matches('/');
    let back = format!("http://x/?code=C&state={}&iss={issuer}", flow.inner().state());
    assert_eq!(flow.complete(&back).unwrap().tokens().count(), 1);
    assert_eq!(
        IdentityMap::of(portolan_sdk::IdentityMap::new(inner))
            .unwrap()
            .get(PERSON)
            .unwrap(),
        None
    );

    let config = AppConfig::with_options(server.options()).token_storage(StorageKind::Memory);
    let app = ClientApp::new("job", CLIENT, "s", config).unwrap();
    let app = GlobusApp::of((*app).clone()).unwrap();
    app.login(None, true).unwrap();
    assert!(!app.login_required().unwrap());
}
