//! Each change leaves an entry that says who did it, and none holds a secret.

use http::Method;
use portolan_server::store::audit::{self, Entry};
use portolan_types::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::developer::text;
use crate::support::TestServer;

fn entries(server: &TestServer) -> Vec<Entry> {
    let all = |tx: &mut portolan_db::ReadTx| {
        audit::list_before(tx, (Timestamp::from_seconds(4_000_000_000), Uuid::max()), 500)
    };
    server.read(all)
}

#[test]
fn every_change_is_recorded_with_its_actor() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    alice
        .put(
            &format!("/v2/api/projects/{project}"),
            json!({ "project": { "display_name": "Q" } }),
        )
        .ok();
    let client = alice.client(&project, "resource_server");
    let path = format!("/v2/api/clients/{}", client.id);
    server
        .call(&client.auth(), Method::PUT, &path, json!({ "client": { "name": "n" } }))
        .ok();
    let credentials = format!("{path}/credentials");
    let credential = text(&alice.get(&credentials).json()["credentials"][0]["id"]);
    let scope = text(&alice.scope(&client, "read", json!({}))["id"]);
    alice
        .put(&format!("/v2/api/scopes/{scope}"), json!({ "scope": { "name": "n" } }))
        .ok();
    alice.delete(&format!("/v2/api/scopes/{scope}")).ok();
    alice.delete(&format!("{credentials}/{credential}")).ok();
    let policy = json!({ "policy": { "project_id": project, "display_name": "p", "description": "d" } });
    let policy = text(&alice.post("/v2/api/policies", policy).ok().json()["policy"]["id"]);
    alice
        .put(
            &format!("/v2/api/policies/{policy}"),
            json!({ "policy": { "display_name": "q" } }),
        )
        .ok();
    alice.delete(&format!("/v2/api/policies/{policy}")).ok();
    alice.delete(&path).ok();
    alice.delete(&format!("/v2/api/projects/{project}")).ok();

    let entries = entries(&server);
    let find = |action: &str, resource: &str| {
        let found: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.action == action && entry.resource_id == resource)
            .collect();
        assert_eq!(found.len(), 1, "{action} {resource}");
        found[0]
    };
    let client_id = client.id.to_string();
    for (action, resource) in [
        ("project.create", &project),
        ("project.update", &project),
        ("project.delete", &project),
        ("client.create", &client_id),
        ("client.create_credential", &client_id),
        ("client.delete_credential", &client_id),
        ("client.delete", &client_id),
        ("scope.create", &scope),
        ("scope.update", &scope),
        ("scope.delete", &scope),
        ("policy.create", &policy),
        ("policy.update", &policy),
        ("policy.delete", &policy),
    ] {
        let entry = find(action, resource);
        assert_eq!(
            (entry.actor_kind.as_str(), entry.actor_id),
            ("identity", Some(alice.user.id.0)),
            "{action}"
        );
        assert_eq!(entry.address.as_deref(), Some("192.0.2.1"));
        assert!(entry.request_id.is_some());
    }
    let by_itself = find("client.update", &client_id);
    assert_eq!(
        (by_itself.actor_kind.as_str(), by_itself.actor_id),
        ("client", Some(client.id.0))
    );
    let secret = client.secret.clone().unwrap();
    assert!(entries.iter().all(|entry| !entry.detail.contains(&secret)));
}

#[test]
fn what_was_refused_is_not_recorded_as_done() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let client = alice.client(&project, "resource_server");
    let before = entries(&server).len();

    bob.delete(&format!("/v2/api/clients/{}", client.id));
    alice.delete(&format!("/v2/api/projects/{project}"));
    alice.put(
        &format!("/v2/api/projects/{project}"),
        json!({ "project": { "admin_ids": [] } }),
    );
    alice.post(
        &format!("/v2/api/clients/{}/scopes", client.id),
        json!({ "scope": { "name": "n" } }),
    );
    server
        .call(&bob.auth, Method::GET, "/v2/api/projects", Value::Null)
        .ok();

    assert_eq!(entries(&server).len(), before);
}
