//! `POST /v2/oauth2/token/validate`: the CLI asks it before nearly every command.

use portolan_db::params;

use crate::support::{Auth, TestServer};

const PATH: &str = "/v2/oauth2/token/validate";

#[test]
fn a_client_learns_whether_its_own_tokens_are_active() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let template = server.client().template().create();
    for client in [
        server.client().confidential().create(),
        server.client().public_installed().create(),
        server.instance_of(template.id, "laptop"),
    ] {
        let tokens = client.offline_tokens(&browser, "openid");
        assert!(client.is_valid(tokens.access_token()));
        assert!(client.is_valid(tokens.refresh_token()));
        for unknown in ["never-issued", "AgPR", tokens.id_token()] {
            assert!(!client.is_valid(unknown), "{unknown}");
        }
        client.revoke(tokens.access_token());
        assert!(!client.is_valid(tokens.access_token()));
        assert!(client.is_valid(tokens.refresh_token()));
        client.revoke(tokens.refresh_token());
        assert!(!client.is_valid(tokens.refresh_token()));
    }
}

#[test]
fn a_token_of_another_client_is_not_active() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let stranger = server.client().public_installed().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), data.scope("read"));
    for other in [&stranger, &*data] {
        assert!(!other.is_valid(tokens.access_token()));
        assert!(!other.is_valid(tokens.refresh_token()));
    }
}

/// Asking is not using: six months without a refresh end it all the same.
#[test]
fn asking_does_not_count_as_use() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), "openid");
    server.advance_seconds(181 * 86_400);
    assert!(client.is_valid(tokens.refresh_token()));
    server.advance_seconds(86_400);
    assert!(!client.is_valid(tokens.refresh_token()));
    assert_eq!(
        client.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );
}

#[test]
fn a_replaced_refresh_token_is_not_active_and_its_successor_is() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), "openid");
    let next = client.refresh(tokens.refresh_token());
    assert!(!client.is_valid(tokens.refresh_token()));
    assert!(client.is_valid(next.refresh_token()));
}

#[test]
fn a_refresh_token_without_its_consent_is_not_active() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), "openid");
    server.sql("DELETE FROM consents WHERE client_id = $1", params![client.id]);
    assert!(!client.is_valid(tokens.refresh_token()));
    assert!(!client.is_valid(tokens.access_token()));
}

#[test]
fn the_answer_is_the_one_word_and_not_stored() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let answer = client
        .post(PATH, &[("token", client.credentials("openid").access_token())])
        .ok();
    assert_eq!(answer.text(), r#"{"active":true}"#);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(client.post(PATH, &[]).outcome(), "400 invalid_request");
    let skipped = server.post_form(PATH, &Auth::Id(client.id.to_string()), &[("token", "x")]);
    assert_eq!(skipped.outcome(), "401 invalid_client");
}
