//! `POST /v2/oauth2/token/revoke`.

use crate::support::{Auth, TestServer, each_engine};

const PATH: &str = "/v2/oauth2/token/revoke";
const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

/// C1: clients log out with whatever they have; the answer is always the same.
#[test]
fn every_identified_caller_gets_200() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let public = server.client().public_installed().create();
    let expired = client.credentials("openid").access_token().to_owned();
    server.advance_seconds(200_000);
    for caller in [&client, &public] {
        for params in [
            vec![("token", "never-issued")],
            vec![("token", "eyJhbGciOiJub25lIn0.e30.")],
            vec![("token", expired.as_str())],
            vec![("token", "")],
            vec![],
            vec![("token", expired.as_str()), ("token_type_hint", "nonsense")],
        ] {
            let answer = caller.post(PATH, &params).ok();
            assert_eq!(answer.text(), r#"{"active":false}"#, "{params:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}

/// C3, A16: who calls has to be somebody.
#[test]
fn a_caller_that_is_nobody_gets_401() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let token = client.credentials("openid").access_token().to_owned();
    for caller in [
        Auth::None,
        Auth::Id(client.id.to_string()),
        Auth::Basic(client.id.to_string(), "wrong".into()),
        Auth::Id(portolan_server::app::new_uuid().to_string()),
    ] {
        let answer = server.post_form(PATH, &caller, &[("token", &token)]);
        assert_eq!(answer.outcome(), "401 invalid_client", "{caller:?}");
    }
    assert!(client.is_active(&token));
}

/// C2.
#[test]
fn a_wrong_hint_still_finds_the_token() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let tokens = client.offline_tokens(&browser, "openid");
        let with_hint = |token: &str| client.post(PATH, &[("token", token), ("token_type_hint", hint)]).ok();
        with_hint(tokens.access_token());
        assert!(!client.is_active(tokens.access_token()), "{hint}");
        assert!(client.is_valid(tokens.refresh_token()), "{hint}");
        with_hint(tokens.refresh_token());
        assert!(!client.is_valid(tokens.refresh_token()), "{hint}");
    }
}

/// C3: 200 for a stranger's token, and no effect.
#[test]
fn only_the_owner_can_revoke() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let stranger = server.client().public_installed().create();
    let template = server.client().template().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), data.scope("read"));

    for caller in [&stranger, &*data, &template] {
        caller.revoke(tokens.access_token());
        caller.revoke(tokens.refresh_token());
    }

    assert!(data.is_active(tokens.access_token()));
    client.refresh(tokens.refresh_token());
}

/// wire.md 3.5: an access token ends alone.
#[test]
fn revoking_an_access_token_ends_it_alone() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), &format!("openid {TRANSFER}"));
    let refreshed = client.refresh(tokens.refresh_token());

    client.revoke(tokens.access_token());

    assert!(!client.is_active(tokens.access_token()));
    assert!(client.is_active(refreshed.access_token()));
    assert!(client.is_active(tokens.of("transfer.api.globus.org").access_token()));
    client.refresh(tokens.refresh_token());
}

/// C4 as decisions section 6 settle it: the family and its access tokens; not the other
/// resource servers' chains and not the consent.
#[test]
fn revoking_a_refresh_token_ends_its_family() {
    each_engine(|server| {
        let alice = server.user("alice").create();
        let browser = server.browser_of(&alice);
        for client in [
            server.client().confidential().create(),
            server.client().public_installed().create(),
        ] {
            let tokens = client.offline_tokens(&browser, &format!("openid {TRANSFER}"));
            let transfer = tokens.of("transfer.api.globus.org");
            let refreshed = client.refresh(tokens.refresh_token());

            client.revoke(refreshed.refresh_token());

            assert!(
                !client.is_active(tokens.access_token()),
                "the first one came with the family"
            );
            assert!(!client.is_active(refreshed.access_token()));
            for token in [tokens.refresh_token(), refreshed.refresh_token()] {
                assert_eq!(client.try_refresh(token).outcome(), "400 invalid_grant");
            }
            assert!(client.is_active(transfer.access_token()));
            client.refresh(transfer.refresh_token());
            // The consent stays: nobody is asked again.
            let again = browser.authorize(&client, &client.params(&format!("openid {TRANSFER}")));
            let asked = again.is_page() && browser.path().starts_with("/p/consent");
            assert!(!asked, "{}", browser.path());
        }
    });
}

/// A predecessor ends the family as its successor would: the client may hold either.
#[test]
fn revoking_a_replaced_refresh_token_ends_the_family() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().public_installed().create();
    let tokens = client.offline_tokens(&server.browser_of(&alice), "openid");
    let next = client.refresh(tokens.refresh_token());

    client.revoke(tokens.refresh_token());

    assert_eq!(client.try_refresh(next.refresh_token()).outcome(), "400 invalid_grant");
    assert!(!client.is_active(next.access_token()));
}

/// wire.md 2.3.3: `globus logout` names the template and no secret.
#[test]
fn a_template_revokes_the_tokens_of_its_instances_by_its_id() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let template = server.client().template().create();
    let other_template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let tokens = instance.offline_tokens(&browser, "openid");

    other_template.revoke(tokens.access_token());
    other_template.revoke(tokens.refresh_token());
    assert!(instance.is_active(tokens.access_token()));

    template.revoke(tokens.access_token());
    template.revoke(tokens.refresh_token());
    assert!(!instance.is_active(tokens.access_token()));
    assert_eq!(
        instance.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );
}

/// The parent of a client that is no instance has no such right.
#[test]
fn an_ordinary_parent_cannot_revoke_for_its_children() {
    let server = TestServer::new();
    let parent = server.client().public_installed().create();
    let child = server.client().confidential().create();
    server.sql(
        "UPDATE clients SET parent_client_id = $1 WHERE id = $2",
        portolan_db::params![parent.id, child.id],
    );
    let token = child.credentials("openid").access_token().to_owned();
    parent.revoke(&token);
    assert!(child.is_active(&token));
}
