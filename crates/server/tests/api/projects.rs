//! `/v2/api/projects`

use http::Method;
use portolan_db::params;
use portolan_server::domain::project::{self, Manager};
use serde_json::{Value, json};

use crate::developer::{MANAGE, text};
use crate::support::{Auth, TestServer, each_engine};

const PATH: &str = "/v2/api/projects";

fn at(id: &str) -> String {
    format!("{PATH}/{id}")
}

#[test]
fn a_project_is_made_read_changed_and_deleted() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let group = "b2f6d6b0-0000-4000-8000-000000000002";
        let document = json!({ "project": {
            "display_name": "Beamline", "contact_email": "beam@example.org",
            "admin_ids": [alice.user.id], "admin_group_ids": [group]
        } });

        let created = alice.post(PATH, document);
        assert_eq!(created.status, 201);
        let project = created.json()["project"].clone();
        let id = text(&project["id"]);
        let admin = alice.get(&format!("/v2/api/identities/{}", alice.user.id)).json()["identity"].clone();
        assert_eq!(admin["email"], "alice@example.org");
        assert_eq!(
            project,
            json!({
                "id": id, "display_name": "Beamline", "project_name": "Beamline", "contact_email": "beam@example.org",
                "admin_ids": [alice.user.id], "admin_group_ids": [group],
                "admins": { "identities": [admin], "groups": [{ "id": group }] }
            })
        );
        assert_eq!(alice.get(&at(&id)).ok().json()["project"], project);
        assert_eq!(alice.get(PATH).ok().json(), json!({ "projects": [project] }));

        let changes = json!({ "project": { "display_name": "Beamline 7", "admin_group_ids": null } });
        let changed = alice.put(&at(&id), changes).ok().json()["project"].clone();
        assert_eq!(
            (&changed["display_name"], &changed["project_name"]),
            (&json!("Beamline 7"), &json!("Beamline 7"))
        );
        assert_eq!(changed["contact_email"], "beam@example.org", "what is not named stays");
        assert_eq!(changed["admin_group_ids"], Value::Null);
        assert_eq!(changed["admin_ids"], json!([alice.user.id]));

        let deleted = alice.delete(&at(&id));
        assert_eq!(deleted.status, 200);
        assert_eq!(deleted.json()["project"], changed);
        assert_eq!(alice.get(&at(&id)).refusal(), "404 PROJECT_NOT_FOUND");
        assert_eq!(alice.get(PATH).json(), json!({ "projects": [] }));
    });
}

#[test]
fn what_is_wrong_with_a_project_is_named() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let good = json!({ "display_name": "P", "contact_email": "p@example.org", "admin_ids": [alice.user.id] });
    let table = [
        ("display_name", json!(null)),
        ("display_name", json!("")),
        ("display_name", json!("two\nlines")),
        ("display_name", json!("x".repeat(256))),
        ("display_name", json!(7)),
        ("contact_email", json!(null)),
        ("contact_email", json!("nobody")),
        ("admin_ids", json!("not a list")),
        ("admin_ids", json!(["5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"])),
    ];
    for (member, value) in table {
        let mut document = good.clone();
        document[member] = value;
        alice.post(PATH, json!({ "project": document })).names(member);
    }
    for envelope in [json!({}), json!({ "project": [] }), json!({ "client": {} }), json!([])] {
        assert_eq!(alice.post(PATH, envelope).refusal(), "400 INVALID_PARAMETERS");
    }
    assert_eq!(
        server.count("SELECT count(*) FROM projects WHERE display_name = 'P'", params![]),
        0
    );
}

/// The two texts that clients know (wire.md 2.6.1).
#[test]
fn admins_are_refused_in_the_words_of_the_service() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let post = |admins: Value| {
        let mut project = json!({ "display_name": "P", "contact_email": "p@example.org" });
        if !admins.is_null() {
            project["admin_ids"] = admins;
        }
        alice.post(PATH, json!({ "project": project }))
    };

    for none in [Value::Null, json!([])] {
        let refused = post(none);
        assert_eq!(refused.refusal(), "400 INVALID_PARAMETERS");
        assert_eq!(
            refused.detail(),
            "Either admin_ids or admin_group_ids has to be defined"
        );
    }
    let refused = post(json!([alice.user.id, "bob"]));
    let id = alice.user.id;
    assert_eq!(
        refused.detail(),
        format!("Invalid value for 'admin_ids' parameter: ['{id}', 'bob']. 'admin_ids' must be a list of UUIDs")
    );
    let group = json!({ "project": {
        "display_name": "P", "contact_email": "p@example.org", "admin_group_ids": ["b2f6d6b0-0000-4000-8000-000000000002"]
    } });
    alice.post(PATH, group).names("admin_ids");
}

#[test]
fn whoever_makes_a_project_is_no_admin_unless_named() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let document = json!({ "project": {
        "display_name": "Bob's", "contact_email": "p@example.org", "admin_ids": [bob.user.id]
    } });

    let id = text(&alice.post(PATH, document).ok().json()["project"]["id"]);

    assert_eq!(alice.get(&at(&id)).refusal(), "403 FORBIDDEN");
    assert_eq!(alice.get(PATH).json(), json!({ "projects": [] }));
    assert_eq!(bob.get(&at(&id)).status, 200);
}

#[test]
fn admins_are_equal_and_others_have_no_say() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let id = alice.project("Shared");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let document = if method == Method::PUT {
            json!({ "project": { "display_name": "x" } })
        } else {
            Value::Null
        };
        assert_eq!(
            server
                .call(&bob.auth, method.clone(), &at(&id), document.clone())
                .refusal(),
            "403 FORBIDDEN"
        );
        assert_eq!(
            server.call(&Auth::None, method, &at(&id), document).refusal(),
            "401 UNAUTHORIZED"
        );
    }

    let both = json!({ "project": { "admin_ids": [alice.user.id, bob.user.id] } });
    alice.put(&at(&id), both).ok();
    let bob_alone = json!({ "project": { "admin_ids": [bob.user.id] } });
    bob.put(&at(&id), bob_alone).ok();

    assert_eq!(alice.get(&at(&id)).refusal(), "403 FORBIDDEN", "the list replaces");
}

#[test]
fn a_linked_identity_administers_too() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let id = bob.project("Linked");
    assert_eq!(alice.get(&at(&id)).refusal(), "403 FORBIDDEN");

    server.sql(
        "UPDATE identities SET set_id = (SELECT set_id FROM identities WHERE id = $1) WHERE id = $2",
        params![alice.user.id, bob.user.id],
    );

    assert_eq!(alice.get(&at(&id)).status, 200);
    assert_eq!(alice.get(PATH).json()["projects"][0]["id"], id.as_str());
}

#[test]
fn a_project_keeps_an_admin_who_is_enabled() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let gone = server.user("gone").create();
    server.sql("UPDATE identities SET enabled = 0 WHERE id = $1", params![gone.id]);
    let id = alice.project("P");

    for (admins, member) in [
        (json!([gone.id]), Some("admin_ids")),
        (json!([]), None),
        (json!(null), None),
    ] {
        let refused = alice.put(&at(&id), json!({ "project": { "admin_ids": admins } }));
        assert_eq!(refused.refusal(), "400 INVALID_PARAMETERS");
        if let Some(member) = member {
            refused.names(member);
        }
    }
    assert_eq!(
        alice.get(&at(&id)).json()["project"]["admin_ids"],
        json!([alice.user.id])
    );
}

/// The terminal of the server: nobody has to be signed in, and nothing is out of reach.
#[test]
fn the_operator_names_other_admins() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let id = alice.project("P");
    let (alice_id, bob_id) = (alice.user.id, bob.user.id);
    let project: portolan_types::ProjectId = id.parse().unwrap();
    let ctx = server.ctx();
    let admins = || alice.get(&at(&id)).json()["project"]["admin_ids"].clone();

    let added = server.write({
        let ctx = ctx.clone();
        move |tx| project::add_admin(tx, &ctx, &Manager::operator(), project, bob_id)
    });
    assert_eq!(added.id, project);
    let both = admins();
    for admin in [alice_id, bob_id] {
        assert!(both.as_array().unwrap().contains(&json!(admin)), "{both}");
    }
    let all = server.read(|tx| Manager::operator().list_projects(tx));
    assert!(all.iter().any(|listed| listed.id == project));

    server.write(move |tx| project::remove_admin(tx, &ctx, &Manager::operator(), project, bob_id));
    assert_eq!(admins(), json!([alice_id]));
    assert_eq!(bob.get(&at(&id)).refusal(), "403 FORBIDDEN");
}

#[test]
fn a_project_that_holds_something_is_not_deleted() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let id = alice.project("Full");
    let client = alice.client(&id, "confidential_client");
    assert_eq!(alice.delete(&at(&id)).refusal(), "409 CONFLICT");
    alice.delete(&format!("/v2/api/clients/{}", client.id)).ok();
    let policy = json!({ "policy": { "project_id": id, "display_name": "p", "description": "d" } });
    let policy = text(&alice.post("/v2/api/policies", policy).ok().json()["policy"]["id"]);
    assert_eq!(alice.delete(&at(&id)).refusal(), "409 CONFLICT");
    alice.delete(&format!("/v2/api/policies/{policy}")).ok();

    assert_eq!(alice.delete(&at(&id)).status, 200);

    let left = "SELECT count(*) FROM policies WHERE project_id = $1";
    let id: portolan_types::ProjectId = id.parse().unwrap();
    assert_eq!(
        server.count(left, params![id]),
        0,
        "the policy of its gate goes with it"
    );
}

#[test]
fn projects_need_the_scope_to_manage_them() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let id = alice.project("P");
    let weak = Auth::Bearer(alice.console.tokens(&alice.browser, "openid").access_token().to_owned());

    for path in [PATH, &at(&id)] {
        let refused = server.call(&weak, Method::GET, path, Value::Null);
        assert_eq!(refused.refusal(), "403 FORBIDDEN");
        assert!(refused.detail().contains(MANAGE), "{}", refused.detail());
    }
    let other = server.resource_server("data.example.org").scope("read").create();
    let foreign = alice.console.tokens(&alice.browser, other.scope("read"));
    let foreign = Auth::Bearer(foreign.access_token().to_owned());
    assert_eq!(
        server.call(&foreign, Method::GET, PATH, Value::Null).refusal(),
        "401 UNAUTHORIZED"
    );
}

/// A client identity is an admin like any other, by its token and by its secret.
#[test]
fn a_service_account_can_be_an_admin() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let id = alice.project("P");
    let robot = alice.client(&id, "client_identity");
    let token = Auth::Bearer(robot.credentials(MANAGE).access_token().to_owned());
    for auth in [&token, &robot.auth()] {
        let path = at(&id);
        assert_eq!(
            server.call(auth, Method::GET, &path, Value::Null).refusal(),
            "403 FORBIDDEN",
            "not by being in it"
        );
    }

    let admins = json!({ "project": { "admin_ids": [alice.user.id, robot.id] } });
    let answer = alice.put(&at(&id), admins).ok().json();
    let username = format!("{}@clients.auth.globus.org", robot.id);
    let shown = answer["project"]["admins"]["identities"].as_array().unwrap().iter();
    assert_eq!(
        shown
            .filter(|identity| identity["username"] == username.as_str())
            .count(),
        1
    );

    for (auth, name) in [(&token, "By token"), (&robot.auth(), "By secret")] {
        let changes = json!({ "project": { "display_name": name } });
        server.call(auth, Method::PUT, &at(&id), changes).ok();
        assert_eq!(
            server.call(auth, Method::GET, PATH, Value::Null).json()["projects"][0]["display_name"],
            name
        );
    }
}

/// The server's administrators stand in for admins of the built-in project.
#[test]
fn the_built_in_project_is_administered_by_the_servers_administrators() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let built_in = at(&portolan_server::store::projects::BUILT_IN.to_string());
    assert_eq!(alice.get(&built_in).refusal(), "403 FORBIDDEN");

    server.sql(
        "INSERT INTO administrators (identity_id, added_at) VALUES ($1, 0)",
        params![alice.user.id],
    );

    let project = alice.get(&built_in).ok().json()["project"].clone();
    assert_eq!(project["display_name"], "Built-in");
    assert_eq!(project["admin_ids"], json!([alice.user.id]));
    assert_eq!(alice.get(PATH).json()["projects"], json!([project]));
    let groups = "31d4e1ae-6f5b-4c2a-8a3e-000000000000";
    alice
        .put(
            &built_in,
            json!({ "project": { "admin_ids": [alice.user.id, groups] } }),
        )
        .names("admin_ids");
    assert_eq!(alice.delete(&built_in).refusal(), "409 CONFLICT");
    // A laboratory runs its own Groups: the well-known service gets a secret.
    let services = alice.get("/v2/api/clients").ok().json();
    let groups = services["clients"].as_array().unwrap().iter();
    let groups = groups
        .clone()
        .find(|client| client["fqdns"] == json!(["groups.api.globus.org"]))
        .unwrap();
    let path = format!("/v2/api/clients/{}/credentials", text(&groups["id"]));
    assert_eq!(
        alice.post(&path, json!({ "credential": { "name": "ours" } })).status,
        201
    );
}

/// Anybody can make a project and name any address as its contact: what makes the server write
/// there counts like a form that asks for mail.
#[test]
fn one_address_causes_so_many_notices_to_contacts_in_an_hour() {
    let server = TestServer::with(|config| config.limits.mail_requests_per_hour = 2);
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let id = alice.project("Beamline");
    let both = json!([alice.user.id, bob.user.id]);
    let notices = || server.count("SELECT count(*) FROM outbox", params![]);

    let admins = |ids: Value| alice.put(&at(&id), json!({ "project": { "admin_ids": ids } }));
    assert_eq!(admins(both.clone()).status, 200);
    assert_eq!(notices(), 1);
    for document in [
        json!({ "admin_ids": both, "contact_email": "project@example.org" }),
        json!({ "display_name": "Beamline 7" }),
    ] {
        let answer = alice.put(&at(&id), json!({ "project": document }));
        assert_eq!(answer.status, 200, "what tells nobody counts for nothing");
    }
    let victim = |name: &str| json!({ "project": { "contact_email": format!("{name}@example.org") } });
    assert_eq!(alice.put(&at(&id), victim("first")).status, 200);
    assert_eq!(notices(), 2);

    let refused = alice.put(&at(&id), victim("second"));
    assert_eq!(refused.refusal(), "429 TOO_MANY_REQUESTS");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(admins(json!([alice.user.id])).refusal(), "429 TOO_MANY_REQUESTS");
    assert_eq!(
        alice.get(&at(&id)).json()["project"]["contact_email"],
        "first@example.org"
    );
    assert_eq!(notices(), 2);
}

/// Deleting goes on, since programs that tidy up must not be held up by mail; only nobody is told.
#[test]
fn apps_are_deleted_also_when_no_more_notices_are_sent() {
    let server = TestServer::with(|config| config.limits.mail_requests_per_hour = 1);
    let alice = server.developer("alice");
    let project = alice.project("Beamline");
    for told in [1, 1] {
        let client = alice.client(&project, "confidential_client");
        assert_eq!(alice.delete(&format!("/v2/api/clients/{}", client.id)).status, 200);
        assert_eq!(server.count("SELECT count(*) FROM outbox", params![]), told);
    }
}
