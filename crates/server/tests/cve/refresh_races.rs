//! Class 5 and 6: Refresh tokens that work twice when used at once or after a restart, and
//! those that work for another client.
//!
//! Keycloak CVE-2026-1035, CVE-2026-9802; Rauthy 0.36.1.

use std::collections::BTreeSet;

use portolan_server::store::{grants, refresh_tokens};

use super::support::{Auth, TestServer, Tokens, each_engine_with};
use portolan_server::domain::token_format;

#[test]
fn of_64_refreshes_at_once_one_succeeds() {
    each_engine_with(
        |config| config.refresh_grace_seconds = 0,
        |server| {
            let browser = server.browser_of(&server.user("alice").create());
            let client = server.client().public_installed().create();
            let tokens = client.offline_tokens(&browser, "openid");
            let request = || client.token_request(&client.refresh_params(tokens.refresh_token()));
            let answers = server.at_once((0..64).map(|_| request()).collect());
            let succeeded = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(
                succeeded,
                1,
                "{:?}",
                answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
            );
            for answer in answers.iter().filter(|answer| answer.status != 200) {
                assert_eq!(answer.outcome(), "400 invalid_grant");
            }
        },
    );
}

#[test]
fn within_the_grace_everybody_gets_the_one_successor() {
    each_engine_with(
        |_| {},
        |server| {
            let browser = server.browser_of(&server.user("alice").create());
            let client = server.client().public_installed().create();
            let tokens = client.offline_tokens(&browser, "openid");
            let request = || client.token_request(&client.refresh_params(tokens.refresh_token()));
            let answers = server.at_once((0..16).map(|_| request()).collect());
            let successors: BTreeSet<String> = answers
                .into_iter()
                .map(|answer| Tokens(answer.ok().json()).refresh_token().to_owned())
                .collect();
            assert_eq!(successors.len(), 1, "the family does not fork");
        },
    );
}

/// What was used up is used up for a server that starts on the same store: nothing of it
/// is kept in memory.
#[test]
fn a_restart_forgets_no_use() {
    each_engine_with(
        |_| {},
        |server| {
            let browser = server.browser_of(&server.user("alice").create());
            let client = server.client().public_installed().create();
            let tokens = client.offline_tokens(&browser, "openid");
            let successor = client.refresh(tokens.refresh_token()).refresh_token().to_owned();
            server.advance_seconds(61);

            let db = server.store().open_again(|_| {}).unwrap();
            let (old, new, now) = (
                token_format::hash(tokens.refresh_token()),
                token_format::hash(&successor),
                server.now(),
            );
            let seen = db.read_blocking(move |tx| {
                let old = refresh_tokens::find(tx, &old)?.expect("it is remembered");
                Ok::<_, portolan_server::Error>((
                    old.rotated_at.is_some(),
                    old.family_id,
                    refresh_tokens::is_live(tx, &new, now)?,
                ))
            });
            let (rotated, family, live) = seen.unwrap();
            assert!(rotated && live);

            // Its return ends the family, also for those who look from elsewhere.
            assert_eq!(
                client.try_refresh(tokens.refresh_token()).outcome(),
                "400 invalid_grant"
            );
            assert!(db.read_blocking(move |tx| grants::is_ended(tx, family.0)).unwrap());
            assert_eq!(client.try_refresh(&successor).outcome(), "400 invalid_grant");
        },
    );
}

#[test]
fn a_refresh_token_is_for_the_client_that_got_it() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let service = server
        .resource_server("service.example")
        .hybrid()
        .scope("read")
        .create();
    let template = server.client().template().create();
    let owners = [
        server.client().create(),
        server.client().public_installed().create(),
        server.instance_of(template.id, "laptop"),
    ];
    for owner in &owners {
        let tokens = owner.offline_tokens(&browser, service.scope("read"));
        let strangers = [
            server.client().create(),
            server.client().public_installed().create(),
            server.client().hybrid().create(),
            server.instance_of(template.id, "another laptop"),
            service.client.clone(),
        ];
        for stranger in &strangers {
            let answer = stranger.try_refresh(tokens.refresh_token());
            assert_eq!(answer.outcome(), "400 invalid_grant", "{}", answer.summary());
        }
        let guessed = Auth::Basic(owner.id.to_string(), "guessed".into());
        let answer = server.post_form(
            "/v2/oauth2/token",
            &guessed,
            &owner.refresh_params(tokens.refresh_token()).pairs(),
        );
        assert_eq!(answer.status, 401);
        // No stranger has ended the family.
        owner.refresh(tokens.refresh_token());
    }
}
