//! `POST /v2/oauth2/token` with `grant_type=authorization_code`.

use crate::support::TestServer;

#[test]
fn a_code_is_exchanged_for_tokens() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let browser = server.browser_of(&alice);

    let tokens = client.exchange(&client.code(&browser, "openid email"));

    assert!(client.is_active(tokens.access_token()));
}
