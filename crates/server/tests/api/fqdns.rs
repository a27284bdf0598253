//! `POST /v2/api/clients/{client_id}/fqdns`, against a DNS server on this machine.

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::{GROUPS, text};
use crate::support::{Auth, TestServer, Zone};

fn start() -> (Zone, TestServer) {
    let zone = Zone::start();
    let address = zone.address;
    (
        zone,
        TestServer::with(move |config| config.dns_resolver = Some(address)),
    )
}

#[test]
fn a_proven_name_spells_every_scope_once_more_and_names_the_resource_server() {
    let (zone, server) = start();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let before = alice.scope(&service, "read", json!({ "advertised": true }));
    let path = format!("/v2/api/clients/{}/fqdns", service.id);
    zone.set(
        "svc.example.org",
        &format!("\"{}\"", service.id.to_string().to_uppercase()),
    );

    let answer = server.call(
        &service.auth(),
        Method::POST,
        &path,
        json!({ "fqdn": "Svc.Example.org." }),
    );

    assert_eq!(answer.status, 201, "{}", answer.summary());
    assert_eq!(answer.json()["client"]["fqdns"], json!(["svc.example.org"]));
    let found = alice.get("/v2/api/clients?fqdn=svc.EXAMPLE.org").ok().json();
    assert_eq!(found["client"]["id"], service.id.to_string());

    // Both spellings name the one scope, and each token answer repeats what was asked for.
    let by_name = "https://auth.globus.org/scopes/svc.example.org/read";
    let looked_up = alice
        .get(&format!("/v2/api/scopes?scope_strings={by_name}"))
        .ok()
        .json();
    assert_eq!(looked_up["scopes"][0]["id"], before["id"]);
    assert_eq!(looked_up["scopes"][0]["scope_string"], by_name);
    let bob = server.user("bob").create();
    let tokens = alice.console.tokens(&server.browser_of(&bob), by_name);
    assert_eq!(tokens.0["resource_server"], "svc.example.org");
    assert_eq!(tokens.0["scope"], by_name);
    let introspected = service.introspect(tokens.access_token());
    assert_eq!(introspected["active"], json!(true));
    let scopes = text(&introspected["scope"]);
    assert!(
        scopes.split(' ').any(|scope| scope == before["scope_string"]),
        "{scopes}"
    );

    // A new scope is answered in both spellings, the one with the id first.
    let document = json!({ "scope": {
        "name": "n", "description": "d", "scope_suffix": "write",
        "dependent_scopes": [{ "scope": GROUPS, "optional": false, "requires_refresh_token": true }]
    } });
    let created = alice
        .post(&format!("/v2/api/clients/{}/scopes", service.id), document)
        .ok()
        .json();
    let strings: Vec<String> = created["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scope| text(&scope["scope_string"]))
        .collect();
    let prefix = "https://auth.globus.org/scopes";
    assert_eq!(
        strings,
        [
            format!("{prefix}/{}/write", service.id),
            format!("{prefix}/svc.example.org/write")
        ]
    );
    assert_eq!(created["scope"], created["scopes"][0]);
    assert_eq!(created["scopes"][0]["id"], created["scopes"][1]["id"]);

    server.advance_seconds(1);
    // A second name is another spelling; the resource server keeps its name.
    zone.set("other.example.org", &service.id.to_string());
    let nested = json!({ "client": { "fqdn": "other.example.org" } });
    let answer = alice.post(&path, nested).ok().json();
    assert_eq!(
        answer["client"]["fqdns"],
        json!(["svc.example.org", "other.example.org"])
    );
    assert_eq!(service.record().resource_server.as_deref(), Some("svc.example.org"));
    let again = alice
        .post(&path, json!({ "fqdn": { "fqdn": "other.example.org" } }))
        .ok()
        .json();
    assert_eq!(again, answer, "again is no error and changes nothing");
    // Another suffix changes every spelling.
    let scope = format!("/v2/api/scopes/{}", text(&before["id"]));
    alice.put(&scope, json!({ "scope": { "scope_suffix": "look" } })).ok();
    let old = alice
        .get(&format!("/v2/api/scopes?scope_strings={by_name}"))
        .ok()
        .json();
    assert_eq!(old, json!({ "scopes": [] }));
    let new = alice
        .get(&format!("/v2/api/scopes?scope_strings={prefix}/other.example.org/look"))
        .ok()
        .json();
    assert_eq!(new["scopes"][0]["id"], before["id"]);
}

#[test]
fn an_unproven_name_is_refused_and_says_why() {
    let (zone, server) = start();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let path = format!("/v2/api/clients/{}/fqdns", service.id);
    zone.set("wrong.example.org", "v=spf1 -all");
    zone.set("longer.example.org", &format!("{}0", service.id));
    for (fqdn, why) in [
        ("wrong.example.org", "say something else"),
        ("longer.example.org", "say something else"),
        ("missing.example.org", "no TXT record"),
        ("broken.example.org", "no answer"),
    ] {
        let refused = server.call(&service.auth(), Method::POST, &path, json!({ "fqdn": fqdn }));
        assert_eq!(refused.refusal(), "400 FQDN_VERIFICATION_FAILED", "{fqdn}");
        let detail = refused.detail();
        assert!(
            detail.contains(why) && detail.contains(&service.id.to_string()),
            "{detail}"
        );
    }
    for fqdn in ["localhost", "*.example.org", "192.0.2.1", "a b.example.org", ""] {
        alice.post(&path, json!({ "fqdn": fqdn })).names("fqdn");
    }
    alice.post(&path, json!({})).names("fqdn");
    assert_eq!(
        server.count(
            "SELECT count(*) FROM client_fqdns WHERE client_id = $1",
            params![service.id]
        ),
        0
    );
    // The proof is looked for anew each time.
    zone.set("missing.example.org", &service.id.to_string());
    assert_eq!(alice.post(&path, json!({ "fqdn": "missing.example.org" })).status, 201);
}

#[test]
fn a_name_belongs_to_one_client() {
    let (zone, server) = start();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let first = alice.client(&alice.project("P"), "resource_server");
    let second = bob.client(&bob.project("Q"), "resource_server");
    let path = |id| format!("/v2/api/clients/{id}/fqdns");
    zone.set("svc.example.org", &first.id.to_string());
    let document = json!({ "fqdn": "svc.example.org" });
    for (auth, refusal) in [
        (&Auth::None, "401 UNAUTHORIZED"),
        (&bob.auth, "403 FORBIDDEN"),
        (&second.auth(), "403 FORBIDDEN"),
    ] {
        assert_eq!(
            server
                .call(auth, Method::POST, &path(first.id), document.clone())
                .refusal(),
            refusal
        );
    }
    alice.post(&path(first.id), document.clone()).ok();

    // Not even with the proof, nor the name of a well-known service or of this server itself.
    zone.set("svc.example.org", &second.id.to_string());
    assert_eq!(bob.post(&path(second.id), document).refusal(), "409 CONFLICT");
    let named = server.resource_server("named.example.org").scope("read").create();
    assert_eq!(named.name, "named.example.org");
    for fqdn in ["groups.api.globus.org", "auth.globus.org", "named.example.org"] {
        zone.set(fqdn, &second.id.to_string());
        assert_eq!(
            bob.post(&path(second.id), json!({ "fqdn": fqdn })).refusal(),
            "409 CONFLICT",
            "{fqdn}"
        );
    }
    assert_eq!(
        server
            .call(&bob.auth, Method::POST, &path(first.id), Value::Null)
            .refusal(),
        "400 INVALID_PARAMETERS"
    );
}
