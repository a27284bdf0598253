//! `/v2/api/clients` for those who administer (templates: `oauth/clients_api.rs`).

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::{MANAGE, text};
use crate::support::{Auth, TestServer, each_engine};

const PATH: &str = "/v2/api/clients";
const LOCAL: &str = "8f1b5a3c-2d46-4e0b-9c57-0a2f6d813e94";

fn at(id: impl std::fmt::Display) -> String {
    format!("{PATH}/{id}")
}

#[test]
fn a_client_is_made_read_changed_and_deleted() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let project = alice.project("P");
        let document = json!({ "client": {
            "name": "Beamline Portal", "project": project, "client_type": "confidential_client",
            "redirect_uris": ["https://portal.example.org/callback"], "visibility": "private",
            "links": { "privacy_policy": "https://e.org/p", "terms_and_conditions": "https://e.org/t" },
            "preselect_idp": LOCAL, "id": "ignored", "grant_types": ["password"], "unheard_of": 1
        } });

        let created = alice.post(PATH, document);
        assert_eq!(created.status, 201, "{}", created.summary());
        let client = created.json()["client"].clone();
        let id = text(&client["id"]);
        assert_eq!(
            client,
            json!({
                "id": id, "name": "Beamline Portal", "project": project, "parent_client": null, "public_client": false,
                "client_type": "confidential_client",
                "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
                "visibility": "private", "redirect_uris": ["https://portal.example.org/callback"],
                "links": { "privacy_policy": "https://e.org/p", "terms_and_conditions": "https://e.org/t" },
                "required_idp": null, "preselect_idp": LOCAL, "scopes": [], "fqdns": [],
                "userinfo_from_effective_identity": true, "prompt_for_named_grant": false
            })
        );
        assert_eq!(alice.get(&at(&id)).ok().json()["client"], client);
        assert_eq!(alice.get(PATH).ok().json(), json!({ "clients": [client] }));
        let identity = alice.get(&format!("/v2/api/identities/{id}")).ok().json()["identity"].clone();
        assert_eq!(identity["username"], format!("{id}@clients.auth.globus.org"));
        assert_eq!(identity["name"], "Beamline Portal");

        let changes = json!({ "client": {
            "name": "Renamed", "links": { "terms_and_conditions": null, "privacy_policy": null },
            "required_idp": LOCAL, "preselect_idp": null, "redirect_uris": [], "visibility": "public",
            "client_type": "public_installed_client", "project": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"
        } });
        let changed = alice.put(&at(&id), changes).ok().json()["client"].clone();
        let mut expected = client.clone();
        expected["name"] = json!("Renamed");
        expected["links"] = json!({ "privacy_policy": null, "terms_and_conditions": null });
        expected["required_idp"] = json!(LOCAL);
        expected["preselect_idp"] = Value::Null;
        expected["redirect_uris"] = json!([]);
        expected["visibility"] = json!("public");
        assert_eq!(changed, expected, "what never changes is left alone");
        let identity = alice.get(&format!("/v2/api/identities/{id}")).ok().json()["identity"].clone();
        assert_eq!(identity["name"], "Renamed");
        let unchanged = alice.put(&at(&id), json!({ "client": {} })).ok().json()["client"].clone();
        assert_eq!(unchanged, changed, "an empty document changes nothing");

        assert_eq!(alice.delete(&at(&id)).ok().json()["client"], changed);
        assert_eq!(alice.get(&at(&id)).refusal(), "404 CLIENT_NOT_FOUND");
        assert_eq!(alice.delete(&at(&id)).refusal(), "404 CLIENT_NOT_FOUND");
        let identity = alice.get(&format!("/v2/api/identities/{id}")).ok().json()["identity"].clone();
        assert_eq!(identity["status"], "closed");
    });
}

#[test]
fn the_type_decides_what_a_client_can_do() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let create = |type_of: Value| {
        let mut client = json!({ "name": "c", "project": project });
        for (member, value) in type_of.as_object().unwrap() {
            client[member] = value.clone();
        }
        alice.post(PATH, json!({ "client": client }))
    };
    let code = ["authorization_code", "refresh_token"];
    let table: [(Value, &str, bool, bool); 9] = [
        (json!({ "public_client": true }), "public_installed_client", true, true),
        (
            json!({ "public_client": false }),
            "hybrid_confidential_client_resource_server",
            false,
            false,
        ),
        (
            json!({ "client_type": "public_installed_client" }),
            "public_installed_client",
            true,
            true,
        ),
        (
            json!({ "client_type": "public_webapp_client" }),
            "public_webapp_client",
            true,
            false,
        ),
        (
            json!({ "client_type": "confidential_client" }),
            "confidential_client",
            false,
            false,
        ),
        (
            json!({ "client_type": "client_identity" }),
            "client_identity",
            false,
            false,
        ),
        (
            json!({ "client_type": "resource_server" }),
            "resource_server",
            false,
            false,
        ),
        (
            json!({ "client_type": "globus_connect_server" }),
            "globus_connect_server",
            false,
            false,
        ),
        (
            json!({ "client_type": "hybrid_confidential_client_resource_server", "public_client": null }),
            "hybrid_confidential_client_resource_server",
            false,
            false,
        ),
    ];
    for (given, client_type, public, named) in table {
        let client = create(given.clone()).ok().json()["client"].clone();
        assert_eq!(client["client_type"], client_type, "{given}");
        assert_eq!(client["public_client"], json!(public), "{given}");
        assert_eq!(client["prompt_for_named_grant"], json!(named), "{given}");
        if public {
            assert_eq!(client["grant_types"], json!(code), "{given}");
        }
    }
    for wrong in [
        json!({}),
        json!({ "public_client": false, "client_type": "confidential_client" }),
        json!({ "client_type": "portal" }),
    ] {
        create(wrong).names("client_type");
    }
    create(json!({ "public_client": "yes" })).names("public_client");
    let chosen =
        json!({ "public_client": true, "prompt_for_named_grant": false, "userinfo_from_effective_identity": false });
    let client = create(chosen).ok().json()["client"].clone();
    assert_eq!(client["prompt_for_named_grant"], json!(false));
    assert_eq!(client["userinfo_from_effective_identity"], json!(false));
}

#[test]
fn what_is_wrong_with_a_client_is_named() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let own = alice.client(&project, "confidential_client");
    let nobody = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";
    let table = [
        ("name", json!("two\nlines")),
        ("name", json!("")),
        ("name", json!(null)),
        ("name", json!("x".repeat(256))),
        ("visibility", json!("secret")),
        ("redirect_uris", json!(["http://portal.example.org/"])),
        ("redirect_uris", json!(["https://a.example/#f"])),
        ("redirect_uris[1]", json!(["https://a.example/", 7])),
        ("links", json!({ "terms_and_conditions": "https://e.org/t" })),
        (
            "links.terms_and_conditions",
            json!({ "terms_and_conditions": "javascript:x", "privacy_policy": "https://e.org" }),
        ),
        ("required_idp", json!(nobody)),
        ("preselect_idp", json!("no uuid")),
    ];
    for (member, value) in table {
        let field = member.split(['.', '[']).next().unwrap();
        let mut created = json!({ "name": "c", "project": project, "public_client": false });
        created[field] = value.clone();
        alice.post(PATH, json!({ "client": created })).names(member);
        alice
            .put(&at(own.id), json!({ "client": { field: value } }))
            .names(member);
    }
    let mut unknown = json!({ "client": { "name": "c", "project": nobody, "public_client": true } });
    alice.post(PATH, unknown.clone()).names("project");
    unknown["client"].as_object_mut().unwrap().remove("project");
    alice.post(PATH, unknown).names("project");
}

#[test]
fn a_client_can_be_public_and_of_one_provider_from_the_beginning() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let document = json!({ "client": {
        "name": "c", "project": alice.project("P"), "public_client": false,
        "visibility": "public", "required_idp": LOCAL
    } });
    let client = alice.post(PATH, document).ok().json()["client"].clone();
    assert_eq!(client["visibility"], "public");
    assert_eq!(client["required_idp"], LOCAL);
    assert_eq!(alice.get(&at(text(&client["id"]))).ok().json()["client"], client);
}

#[test]
fn private_clients_are_for_their_project_and_public_ones_for_everybody() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let client = alice.client(&project, "confidential_client");
    let sister = alice.client(&project, "resource_server");
    let stranger = bob.client(&bob.project("Q"), "resource_server");
    let weak = Auth::Bearer(alice.console.tokens(&alice.browser, "openid").access_token().to_owned());
    let view = "urn:globus:auth:scope:auth.globus.org:view_clients";
    let viewer = Auth::Bearer(alice.console.tokens(&alice.browser, view).access_token().to_owned());
    let get = |auth: &Auth| server.call(auth, Method::GET, &at(client.id), Value::Null);

    for auth in [&alice.auth, &viewer, &client.auth(), &sister.auth()] {
        assert_eq!(get(auth).status, 200, "{auth:?}");
    }
    for auth in [&bob.auth, &stranger.auth(), &weak] {
        assert_eq!(get(auth).refusal(), "403 FORBIDDEN", "{auth:?}");
    }
    assert_eq!(get(&Auth::None).refusal(), "401 UNAUTHORIZED");

    alice
        .put(&at(client.id), json!({ "client": { "visibility": "public" } }))
        .ok();
    for auth in [&bob.auth, &stranger.auth(), &weak] {
        assert_eq!(get(auth).status, 200, "{auth:?}");
    }
    assert_eq!(get(&Auth::None).refusal(), "401 UNAUTHORIZED");
}

#[test]
fn only_admins_change_a_client() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let client = alice.client(&project, "confidential_client");
    let sister = alice.client(&project, "confidential_client");
    alice
        .put(&at(client.id), json!({ "client": { "visibility": "public" } }))
        .ok();
    let of_bob = client.tokens(&bob.browser, MANAGE);
    let of_bob = Auth::Bearer(of_bob.access_token().to_owned());
    let document = json!({ "client": { "name": "Taken over" } });

    for auth in [&bob.auth, &sister.auth(), &of_bob] {
        for (method, document) in [(Method::PUT, document.clone()), (Method::DELETE, Value::Null)] {
            assert_eq!(
                server.call(auth, method, &at(client.id), document).refusal(),
                "403 FORBIDDEN"
            );
        }
    }
    let new = json!({ "client": { "name": "n", "project": project, "public_client": true } });
    for auth in [&bob.auth, &of_bob] {
        assert_eq!(
            server.call(auth, Method::POST, PATH, new.clone()).refusal(),
            "403 FORBIDDEN"
        );
    }
    assert_eq!(client.record().name, "A Client");
}

/// By its secret, and by its own token for `manage_projects` (wire.md 2.5).
#[test]
fn a_client_administers_itself() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let client = alice.client(&alice.project("P"), "hybrid_confidential_client_resource_server");
    let token = Auth::Bearer(client.credentials(MANAGE).access_token().to_owned());
    let weak = Auth::Bearer(client.credentials("openid").access_token().to_owned());
    for (auth, name) in [(&client.auth(), "one"), (&token, "two")] {
        server
            .call(auth, Method::PUT, &at(client.id), json!({ "client": { "name": name } }))
            .ok();
        let listed = server.call(auth, Method::GET, PATH, Value::Null).ok().json();
        assert_eq!(listed["clients"].as_array().unwrap().len(), 1);
        assert_eq!(listed["clients"][0]["name"], name);
    }
    let refused = server.call(
        &weak,
        Method::PUT,
        &at(client.id),
        json!({ "client": { "name": "three" } }),
    );
    assert_eq!(refused.refusal(), "403 FORBIDDEN");
    assert_eq!(
        server
            .call(&client.auth(), Method::DELETE, &at(client.id), Value::Null)
            .status,
        200
    );
}

#[test]
fn a_client_has_children_in_its_project() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let parent = alice.client(&project, "confidential_client");
    let new = |more: Value| {
        let mut client = json!({ "name": "kid", "client_type": "confidential_client" });
        for (member, value) in more.as_object().unwrap() {
            client[member] = value.clone();
        }
        server.call(&parent.auth(), Method::POST, PATH, json!({ "client": client }))
    };

    let child = new(json!({}));
    assert_eq!(child.status, 201);
    let child = child.json()["client"].clone();
    assert_eq!(child["parent_client"], parent.id.to_string());
    assert_eq!(child["project"], project.as_str());
    // Old tooling names the project as well.
    assert_eq!(
        new(json!({ "project": project })).ok().json()["client"]["parent_client"],
        parent.id.to_string()
    );
    let foreign = server.developer("bob").project("Q");
    assert_eq!(new(json!({ "project": foreign })).refusal(), "403 FORBIDDEN");

    // The parent sees them and gives them secrets; a child has no say about its parent.
    let listed = server.call(&parent.auth(), Method::GET, PATH, Value::Null).ok().json();
    assert_eq!(listed["clients"].as_array().unwrap().len(), 3);
    let path = format!("{}/credentials", at(text(&child["id"])));
    let answer = server
        .call(
            &parent.auth(),
            Method::POST,
            &path,
            json!({ "credential": { "name": "n" } }),
        )
        .ok();
    let child_auth = Auth::Basic(text(&child["id"]), text(&answer.json()["credential"]["secret"]));
    let rename = json!({ "client": { "name": "n" } });
    assert_eq!(
        server.call(&child_auth, Method::PUT, &at(parent.id), rename).refusal(),
        "403 FORBIDDEN"
    );

    // They outlive it.
    alice.delete(&at(parent.id)).ok();
    let orphan = alice.get(&at(text(&child["id"]))).ok().json()["client"].clone();
    assert_eq!(orphan["parent_client"], Value::Null);
}

#[test]
fn a_client_without_a_project_has_no_children_and_a_token_makes_none() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let document = json!({ "client": { "name": "kid", "client_type": "confidential_client" } });
    let lone = server.client().create();
    assert_eq!(
        server
            .call(&lone.auth(), Method::POST, PATH, document.clone())
            .refusal(),
        "403 FORBIDDEN"
    );
    let project = alice.project("P");
    let robot = alice.client(&project, "client_identity");
    let token = Auth::Bearer(robot.credentials(MANAGE).access_token().to_owned());
    server
        .call(&token, Method::POST, PATH, document.clone())
        .names("project");
    let mut named = document;
    named["client"]["project"] = json!(project);
    assert_eq!(
        server.call(&token, Method::POST, PATH, named.clone()).refusal(),
        "403 FORBIDDEN"
    );

    // As an admin it makes clients of the project, which are nobody's children.
    let admins = json!({ "project": { "admin_ids": [alice.user.id, robot.id] } });
    alice.put(&format!("/v2/api/projects/{project}"), admins).ok();
    for auth in [&token, &robot.auth()] {
        let made = server.call(auth, Method::POST, PATH, named.clone()).ok().json();
        assert_eq!(made["client"]["parent_client"], Value::Null);
    }
}

/// Not even by an administrator of the server, by mistake.
#[test]
fn this_server_keeps_itself_and_its_scopes() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    server.sql(
        "INSERT INTO administrators (identity_id, added_at) VALUES ($1, 0)",
        params![alice.user.id],
    );
    let auth = alice.get(&format!("{PATH}?fqdn=auth.globus.org")).ok().json()["client"].clone();
    assert_eq!(alice.delete(&at(text(&auth["id"]))).refusal(), "409 CONFLICT");
    for scope in auth["scopes"].as_array().unwrap() {
        assert_eq!(
            alice.delete(&format!("/v2/api/scopes/{}", text(scope))).refusal(),
            "409 CONFLICT"
        );
    }
}

#[test]
fn a_client_is_found_by_its_domain_name() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let find = |fqdn: &str| server.call(&alice.auth, Method::GET, &format!("{PATH}?fqdn={fqdn}"), Value::Null);

    for fqdn in ["groups.api.globus.org", "Groups.API.globus.org."] {
        let answer = find(fqdn).ok().json();
        assert_eq!(answer["client"]["fqdns"], json!(["groups.api.globus.org"]), "{fqdn}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
    assert_eq!(find("nowhere.example.org").refusal(), "404 CLIENT_NOT_FOUND");
}

#[test]
fn scopes_that_old_tooling_sets_are_shown_beside_the_owned_ones() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let client = alice.client(&alice.project("P"), "resource_server");
    let own = text(&alice.scope(&client, "read", json!({}))["id"]);
    let other = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f";

    let set = json!({ "client": { "scopes": [other, own, other] } });
    assert_eq!(
        alice.put(&at(client.id), set).ok().json()["client"]["scopes"],
        json!([own, other])
    );
    let cleared = json!({ "client": { "scopes": [] } });
    assert_eq!(
        alice.put(&at(client.id), cleared).ok().json()["client"]["scopes"],
        json!([own])
    );

    for (count, status) in [(500, 200), (501, 400), (502, 400)] {
        let scopes: Vec<String> = (0..count).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
        let many = json!({ "client": { "scopes": scopes } });
        assert_eq!(alice.put(&at(client.id), many).status, status, "{count}");
    }
}

/// Everything that rests on a client ends with it, at once (wire.md 3.5).
#[test]
fn deleting_a_client_ends_what_rests_on_it() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let project = alice.project("P");
        let service = alice.client(&project, "resource_server");
        let observer = server.resource_server("observer.example.org").scope("read").create();
        let scope = text(&alice.scope(&service, "read", json!({ "advertised": true }))["scope_string"]);
        let app = alice.client(&project, "confidential_client");
        let bob = server.user("bob").create();
        let tokens = app.offline_tokens(&server.browser_of(&bob), &format!("{scope} {}", observer.scope("read")));
        assert!(observer.is_active(tokens.of("observer.example.org").access_token()));

        // The service goes: its tokens end, the others live.
        alice.delete(&at(service.id)).ok();
        assert!(!app.is_valid(tokens.of(&service.id.to_string()).access_token()));
        assert!(!app.is_valid(tokens.of(&service.id.to_string()).refresh_token()));
        assert!(observer.is_active(tokens.of("observer.example.org").access_token()));
        assert_eq!(
            server.count("SELECT count(*) FROM scopes WHERE client_id = $1", params![service.id]),
            0
        );

        // The app goes.
        alice.delete(&at(app.id)).ok();
        assert!(!observer.is_active(tokens.of("observer.example.org").access_token()));
        assert_eq!(
            server.count("SELECT count(*) FROM consents WHERE client_id = $1", params![app.id]),
            0
        );
        assert_eq!(
            server.get_as("/v2/api/clients", &app.auth()).refusal(),
            "401 UNAUTHORIZED"
        );
    });
}

#[test]
fn a_template_with_instances_and_the_last_admin_of_a_project_stay() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let template = server.client().template().in_project(project.parse().unwrap()).create();
    let instance = server.instance_of(template.id, "laptop");
    assert_eq!(alice.delete(&at(template.id)).refusal(), "409 CONFLICT");
    server
        .call(&instance.auth(), Method::DELETE, &at(instance.id), Value::Null)
        .ok();
    assert_eq!(alice.delete(&at(template.id)).status, 200);

    let robot = alice.client(&project, "client_identity");
    alice
        .put(
            &format!("/v2/api/projects/{project}"),
            json!({ "project": { "admin_ids": [robot.id] } }),
        )
        .ok();
    let refused = server.call(&robot.auth(), Method::DELETE, &at(robot.id), Value::Null);
    assert_eq!(refused.refusal(), "400 INVALID_PARAMETERS");
}

/// A device registration may not touch anything but itself, and not even change that.
#[test]
fn an_instance_of_a_template_cannot_change_its_record() {
    let server = TestServer::new();
    let template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let own = at(instance.id);
    let table = [
        (
            Method::PUT,
            own.clone(),
            json!({ "client": { "redirect_uris": ["https://evil.example/"] } }),
        ),
        (Method::GET, format!("{own}/credentials"), Value::Null),
        (
            Method::POST,
            format!("{own}/credentials"),
            json!({ "credential": { "name": "n" } }),
        ),
        (
            Method::POST,
            format!("{own}/fqdns"),
            json!({ "fqdn": "svc.example.org" }),
        ),
        (
            Method::POST,
            format!("{own}/scopes"),
            json!({ "scope": { "name": "n", "description": "d", "scope_suffix": "s" } }),
        ),
        (Method::GET, "/v2/api/projects".into(), Value::Null),
        (Method::GET, "/v2/api/policies".into(), Value::Null),
        (Method::GET, "/v2/api/scopes".into(), Value::Null),
        (Method::GET, "/v2/api/scopes?scope_strings=openid".into(), Value::Null),
        (Method::GET, format!("{PATH}?fqdn=groups.api.globus.org"), Value::Null),
    ];
    for (method, path, document) in table {
        let answer = server.call(&instance.auth(), method.clone(), &path, document);
        assert_eq!(answer.refusal(), "403 FORBIDDEN", "{method} {path}");
    }
    let listed = server
        .call(&instance.auth(), Method::GET, PATH, Value::Null)
        .ok()
        .json();
    assert_eq!(listed["clients"][0]["id"], instance.id.to_string());
}

/// Additional members: a record that has none of them looks as it always did.
#[test]
fn what_a_client_says_about_logout_is_kept_shown_and_taken_back() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let made = alice
            .post(
                PATH,
                json!({ "client": {
                    "name": "Portal", "project": alice.project("P"), "client_type": "confidential_client",
                    "post_logout_redirect_uris": ["https://portal.example.org/bye"]
                } }),
            )
            .json()["client"]
            .clone();
        assert_eq!(
            made["post_logout_redirect_uris"],
            json!(["https://portal.example.org/bye"])
        );
        assert!(made.get("backchannel_logout_uri").is_none());
        let id = text(&made["id"]);

        let told = json!({ "client": {
            "backchannel_logout_uri": "https://portal.example.org/logout", "backchannel_logout_session_required": true
        } });
        let changed = alice.put(&at(&id), told).ok().json()["client"].clone();
        assert_eq!(changed["backchannel_logout_uri"], "https://portal.example.org/logout");
        assert_eq!(changed["backchannel_logout_session_required"], true);
        assert_eq!(changed["post_logout_redirect_uris"], made["post_logout_redirect_uris"]);

        for wrong in [
            json!({ "post_logout_redirect_uris": ["http://portal.example.org/bye"] }),
            json!({ "backchannel_logout_uri": "https://portal.example.org/#x" }),
        ] {
            assert_eq!(alice.put(&at(&id), json!({ "client": wrong })).status, 400, "{wrong}");
        }

        let nothing = json!({ "client": { "post_logout_redirect_uris": [], "backchannel_logout_uri": null } });
        let cleared = alice.put(&at(&id), nothing).ok().json()["client"].clone();
        for member in [
            "post_logout_redirect_uris",
            "backchannel_logout_uri",
            "backchannel_logout_session_required",
        ] {
            assert!(cleared.get(member).is_none(), "{member}");
        }
        assert_eq!(alice.delete(&at(&id)).status, 200);
    });
}
