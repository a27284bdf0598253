//! Class 8: Delegation that reaches further than the person allowed or the service declared.
//!
//! Casdoor CVE-2026-9094; authentik CVE-2024-52287.

use std::collections::{BTreeMap, BTreeSet};

use portolan_server::store::scopes::{self, Dependency};
use proptest::prelude::*;
use serde_json::Value;

use super::support::{Params, TestResourceServer, TestServer};

fn dependent_grant(service: &TestResourceServer, token: &str) -> Vec<Value> {
    let params = Params::default()
        .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
        .set("token", token);
    service
        .token(&params)
        .ok()
        .json()
        .as_array()
        .expect("a list of documents")
        .clone()
}

fn names(document: &Value) -> BTreeSet<String> {
    document["scope"]
        .as_str()
        .unwrap()
        .split(' ')
        .map(str::to_owned)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Any graph of services, with cycles and whatever depth: what a service gets for a
    /// token lies within what its scope declares, and each path within its parent's.
    #[test]
    fn a_service_gets_what_its_scope_declares_and_nothing_else(
        edges in prop::collection::btree_set((0_usize..5, 0_usize..5), 0..9),
    ) {
        let server = TestServer::new();
        let browser = server.browser_of(&server.user("alice").create());
        let services: Vec<TestResourceServer> = (0..5)
            .map(|number| server.resource_server(&format!("service{number}.example")).scope("all").create())
            .collect();
        let mut declared: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges.iter().copied().filter(|(from, to)| from != to) {
            let dependency = Dependency {
                scope_id: services[from].scope_id("all"),
                dependent_scope_id: services[to].scope_id("all"),
                optional: false,
                requires_refresh_token: false,
            };
            server.write(move |tx| scopes::insert_dependency(tx, &dependency));
            declared.entry(from).or_default().insert(services[to].scope("all").to_owned());
        }
        let app = server.client().create();
        let tokens = app.tokens(&browser, services[0].scope("all"));

        let mut waiting = vec![(vec![0_usize], tokens.access_token().to_owned())];
        let mut exchanges = 0;
        while let Some((path, token)) = waiting.pop() {
            let at = *path.last().unwrap();
            // Whoever is not the audience gets nothing for it.
            for (other, service) in services.iter().enumerate().filter(|(other, _)| *other != at) {
                let params = Params::default()
                    .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
                    .set("token", &token);
                let answer = service.token(&params);
                prop_assert_eq!(answer.status.as_u16(), 400, "{} with a token of {}", other, at);
            }
            let documents = dependent_grant(&services[at], &token);
            exchanges += 1;
            prop_assert!(exchanges < 500);
            let allowed = declared.get(&at).cloned().unwrap_or_default();
            for document in &documents {
                let granted = names(document);
                prop_assert!(granted.is_subset(&allowed), "{:?} of {:?}", granted, allowed);
                let next = services.iter().position(|service| document["resource_server"] == service.name.as_str()).unwrap();
                // A name on the path is not expanded again, so every walk ends.
                prop_assert!(!path.contains(&next), "{:?} then {}", path, next);
                let mut path = path.clone();
                path.push(next);
                waiting.push((path, document["access_token"].as_str().unwrap().to_owned()));
            }
            // What was approved below this path is all there: nothing is lost either.
            let expected: BTreeSet<String> = allowed
                .iter()
                .filter(|name| !path.iter().any(|passed| services[*passed].scope("all") == name.as_str()))
                .cloned()
                .collect();
            let got: BTreeSet<String> = documents.iter().flat_map(names).collect();
            prop_assert_eq!(got, expected, "at {:?}", path);
        }
    }
}

#[test]
fn a_service_cannot_ask_for_more_than_was_approved() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let far = server.resource_server("far.example").scope("all").create();
    let near = server
        .resource_server("near.example")
        .scope("all")
        .depends_on(far.scope("all"))
        .create();
    let other = server.resource_server("other.example").scope("all").create();
    let service = server
        .resource_server("service.example")
        .scope("all")
        .depends_on(near.scope("all"))
        .scope("more")
        .create();
    let app = server.client().create();
    let token = app.tokens(&browser, service.scope("all"));
    for wanted in [
        other.scope("all"),
        service.scope("more"),
        service.scope("all"),
        // Two steps away: only the service between may have it.
        far.scope("all"),
        "openid",
        "urn:globus:auth:scope:auth.globus.org:manage_consents",
    ] {
        let params = Params::default()
            .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
            .set("token", token.access_token())
            .set("scope", wanted);
        let answer = service.token(&params);
        assert!(answer.status.is_client_error(), "{wanted}: {}", answer.summary());
    }
    // A refresh does not grow either.
    let tokens = app.offline_tokens(&browser, service.scope("all"));
    let wider = app
        .refresh_params(tokens.refresh_token())
        .set("scope", &format!("{} {}", service.scope("all"), service.scope("more")));
    let answer = app.token(&wider);
    assert!(answer.status.is_client_error(), "{}", answer.summary());
    assert_eq!(
        names(&app.refresh(tokens.refresh_token()).0),
        BTreeSet::from([service.scope("all").to_owned()])
    );
}

/// Nor does a client that acts as itself inherit what a person gave it.
#[test]
fn a_clients_own_token_is_not_the_persons() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let service = server.resource_server("service.example").scope("all").create();
    let app = server.client().create();
    app.tokens(&browser, service.scope("all"));
    let own = app.credentials(service.scope("all"));
    assert_eq!(service.introspect(own.access_token())["sub"], app.id.to_string());
    let foreign = server
        .client()
        .create()
        .tokens(&browser, &format!("openid {}", service.scope("all")));
    assert_eq!(
        service.introspect(foreign.of("service.example").access_token())["sub"],
        alice.id.to_string()
    );
}

/// As deep as delegation may go: each service sees its own step and no other, to the last,
/// also when the last one needs the first again. One step more is refused before anybody
/// is asked.
#[test]
fn a_chain_of_ten_services_is_walked_link_by_link_and_an_eleventh_is_refused() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let mut chain: Vec<TestResourceServer> = Vec::new();
    for number in (0..11).rev() {
        let mut builder = server.resource_server(&format!("service{number}.example")).scope("all");
        if let Some(next) = chain.first() {
            builder = builder.depends_on(next.scope("all"));
        }
        chain.insert(0, builder.create());
    }
    let back = Dependency {
        scope_id: chain[10].scope_id("all"),
        dependent_scope_id: chain[1].scope_id("all"),
        optional: false,
        requires_refresh_token: false,
    };
    server.write(move |tx| scopes::insert_dependency(tx, &back));
    let app = server.client().create();

    let too_deep = browser.authorize(&app, &app.params(chain[0].scope("all")));
    assert_eq!(too_deep.error().as_deref(), Some("invalid_scope"));

    let mut token = app.tokens(&browser, chain[1].scope("all")).access_token().to_owned();
    for (at, next) in (1..10).map(|at| (at, at + 1)) {
        for (other, service) in chain.iter().enumerate().filter(|(other, _)| *other != at) {
            let params = Params::default()
                .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
                .set("token", &token);
            assert_eq!(service.token(&params).status, 400, "{other} with a token of {at}");
        }
        let documents = dependent_grant(&chain[at], &token);
        assert_eq!(documents.len(), 1, "{at} sees one step");
        assert_eq!(
            names(&documents[0]),
            BTreeSet::from([chain[next].scope("all").to_owned()])
        );
        token = documents[0]["access_token"].as_str().unwrap().to_owned();
    }
    // The last one names a scope of its own path: nothing new comes of it.
    assert_eq!(dependent_grant(&chain[10], &token), Vec::<Value>::new());
}
