//! Class 6: A token that is good for a client or a person it was not given to.
//!
//! Rauthy 0.36.1 (tokens minted for another client during a refresh).

use portolan_server::store::audit::{self, Entry};
use portolan_types::Timestamp;
use uuid::Uuid;

use super::support::{Params, TestClient, TestServer, each_engine};

fn entries(server: &TestServer, action: &'static str) -> Vec<Entry> {
    let end = (Timestamp::from_seconds(4_000_000_000), Uuid::max());
    let all = server.read(move |tx| audit::list_before(tx, end, 1_000));
    all.into_iter().filter(|entry| entry.action == action).collect()
}

/// A refresh token of every kind of client, with the client it belongs to.
fn owners(server: &TestServer) -> Vec<(&'static str, TestClient, String)> {
    let browser = server.browser_of(&server.user("alice").create());
    let downstream = server.resource_server("downstream.example").scope("all").create();
    let service = server
        .resource_server("service.example")
        .scope("read")
        .depends_offline_on(downstream.scope("all"))
        .create();
    let template = server.client().template().create();
    let confidential = server.client().create();
    let mut owners = vec![];
    for (kind, client) in [
        ("confidential", confidential),
        ("public", server.client().public_installed().create()),
        ("dynamic", server.instance_of(template.id, "laptop")),
    ] {
        let tokens = client.offline_tokens(&browser, service.scope("read"));
        owners.push((kind, client.clone(), tokens.refresh_token().to_owned()));
        if kind == "confidential" {
            let grant = Params::default()
                .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
                .set("token", tokens.access_token())
                .set("access_type", "offline");
            let dependent = service.token(&grant).ok().json();
            let token = dependent[0]["refresh_token"]
                .as_str()
                .expect("a dependent refresh token");
            owners.push(("dependent", service.client.clone(), token.to_owned()));
        }
    }
    owners
}

#[test]
fn a_stranger_gets_nothing_for_a_refresh_token_and_leaves_a_trace() {
    each_engine(|server| {
        let owners = owners(server);
        let sibling_template = server.client().template().create();
        let strangers = [
            ("confidential", server.client().create()),
            ("public", server.client().public_installed().create()),
            ("dynamic", server.instance_of(sibling_template.id, "another laptop")),
            (
                "service",
                server
                    .resource_server("other.example")
                    .scope("read")
                    .hybrid()
                    .create()
                    .client,
            ),
        ];
        for (kind, owner, refresh_token) in &owners {
            let others = owners.iter().map(|(kind, client, _)| (*kind, client));
            let callers = strangers.iter().map(|(kind, client)| (*kind, client)).chain(others);
            for (stranger_kind, stranger) in callers.filter(|(_, client)| client.id != owner.id) {
                let case = format!("the token of a {kind} client with a {stranger_kind} one");

                let answer = stranger.try_refresh(refresh_token);

                assert_eq!(answer.outcome(), "400 invalid_grant", "{case}");
                assert!(!answer.text().contains("access_token"), "{case}");
                let trail = entries(server, "refresh_token.refused");
                let about: Vec<&Entry> = trail
                    .iter()
                    .filter(|entry| entry.actor_id == Some(stranger.id.0) && entry.resource_id == owner.id.to_string())
                    .collect();
                assert_eq!(about.len(), 1, "{case}: one entry says who presented whose");
                assert_eq!(about[0].resource_kind, "client", "{case}");
                assert!(about[0].address.is_some() && about[0].request_id.is_some(), "{case}");
                let proven = format!("\"caller_proven\":{}", !stranger.is_public());
                assert!(about[0].detail.contains(&proven), "{case}: {}", about[0].detail);
                assert!(
                    !format!("{:?}", about[0]).contains(refresh_token.as_str()),
                    "no secret in it"
                );
            }
            // The owner has lost nothing by it: no stranger can end a family.
            assert_eq!(owner.try_refresh(refresh_token).status, 200, "{kind}");
        }
    });
}

/// The trail cannot be filled by presenting one stolen token again and again.
#[test]
fn the_trace_of_one_stranger_is_bounded() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let (owner, thief) = (server.client().create(), server.client().create());
    let tokens = owner.offline_tokens(&browser, "openid");
    for _ in 0..150 {
        assert_eq!(thief.try_refresh(tokens.refresh_token()).outcome(), "400 invalid_grant");
    }
    assert_eq!(entries(&server, "refresh_token.refused").len(), 100);
    server.advance_seconds(3_601);
    thief.try_refresh(tokens.refresh_token());
    assert_eq!(entries(&server, "refresh_token.refused").len(), 101);
}
