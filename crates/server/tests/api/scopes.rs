//! `/v2/api/scopes` and the scopes below `/v2/api/clients`

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::{Developer, GROUPS, MANAGE, text};
use crate::support::{Answer, Auth, TestServer, each_engine};

const PATH: &str = "/v2/api/scopes";
const PREFIX: &str = "https://auth.globus.org/scopes";

fn at(scope: &Value) -> String {
    format!("{PATH}/{}", text(&scope["id"]))
}

fn of_client(id: impl std::fmt::Display) -> String {
    format!("/v2/api/clients/{id}/scopes")
}

fn dependency(scope: &Value, optional: bool) -> Value {
    json!({ "scope": scope["id"], "optional": optional, "requires_refresh_token": false })
}

#[test]
fn a_scope_is_made_read_changed_and_deleted() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let service = alice.client(&alice.project("P"), "resource_server");
        let document = json!({ "scope": {
            "name": "Run actions", "description": "All operations.\nEvery one.", "scope_suffix": "action_all",
            "advertised": true, "allow_refresh_tokens": false, "required_domains": ["Example.EDU", "*.lab.example.org"],
            "dependent_scopes": [{ "scope": GROUPS, "optional": false, "requires_refresh_token": true }]
        } });

        let created = alice.post(&of_client(service.id), document);
        assert_eq!(created.status, 201);
        let answer = created.json();
        let scope = answer["scope"].clone();
        assert_eq!(
            scope,
            json!({
                "id": scope["id"], "client": service.id, "scope_string": format!("{PREFIX}/{}/action_all", service.id),
                "name": "Run actions", "description": "All operations.\nEvery one.", "advertised": true,
                "allows_refresh_token": false, "required_domains": ["example.edu", "*.lab.example.org"],
                "dependent_scopes": [{ "scope": GROUPS, "optional": false, "requires_refresh_token": true }]
            })
        );
        assert_eq!(answer, json!({ "scopes": [scope], "scope": scope }));
        for path in [at(&scope), format!("{}/{}", of_client(service.id), text(&scope["id"]))] {
            assert_eq!(alice.get(&path).ok().json(), json!({ "scope": scope }));
        }
        assert_eq!(alice.get(PATH).ok().json(), json!({ "scopes": [scope] }));
        let client = alice.get(&format!("/v2/api/clients/{}", service.id)).ok().json();
        assert_eq!(client["client"]["scopes"], json!([scope["id"]]));

        let changes = json!({ "scope": {
            "name": "Renamed", "scope_suffix": "all", "allows_refresh_tokens": true, "required_domains": null,
            "dependent_scopes": []
        } });
        let changed = alice.put(&at(&scope), changes).ok().json()["scope"].clone();
        let mut expected = scope.clone();
        expected["name"] = json!("Renamed");
        expected["scope_string"] = json!(format!("{PREFIX}/{}/all", service.id));
        expected["allows_refresh_token"] = json!(true);
        expected["required_domains"] = json!([]);
        expected["dependent_scopes"] = json!([]);
        assert_eq!(changed, expected);
        assert_eq!(
            alice.put(&at(&scope), json!({ "scope": {} })).ok().json()["scope"],
            expected
        );
        // The old suffix is free again.
        alice.scope(&service, "action_all", json!({}));

        assert_eq!(alice.delete(&at(&scope)).ok().json()["scope"], expected);
        assert_eq!(alice.get(&at(&scope)).refusal(), "404 SCOPE_NOT_FOUND");
        assert_eq!(alice.delete(&at(&scope)).refusal(), "404 SCOPE_NOT_FOUND");
    });
}

#[test]
fn what_is_not_named_has_its_default() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let scope = alice.scope(&service, "plain", json!({}));
    assert_eq!(
        (&scope["advertised"], &scope["allows_refresh_token"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&scope["required_domains"], &scope["dependent_scopes"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn what_is_wrong_with_a_scope_is_named() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let existing = alice.scope(&service, "existing", json!({}));
    let table = [
        ("name", json!("")),
        ("name", json!(null)),
        ("name", json!("two\nlines")),
        ("description", json!("")),
        ("description", json!(null)),
        ("description", json!("x".repeat(4001))),
        ("scope_suffix", json!("")),
        ("scope_suffix", json!(null)),
        ("scope_suffix", json!("Upper")),
        ("scope_suffix", json!("a-b")),
        ("scope_suffix", json!("a/b")),
        ("scope_suffix", json!("ä")),
        ("scope_suffix", json!("x".repeat(450))),
        ("advertised", json!("yes")),
        ("required_domains", json!(["no domain"])),
        ("dependent_scopes", json!(["x"])),
        (
            "dependent_scopes",
            json!([{ "scope": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f" }]),
        ),
        (
            "dependent_scopes",
            json!([{ "scope": GROUPS }, { "scope": GROUPS, "optional": true }]),
        ),
    ];
    for (member, value) in table {
        let mut scope = json!({ "name": "n", "description": "d", "scope_suffix": "new" });
        scope[member] = value.clone();
        let created = alice.post(&of_client(service.id), json!({ "scope": scope }));
        let changed = alice.put(&at(&existing), json!({ "scope": { member: value } }));
        for answer in [created, changed] {
            assert_eq!(answer.refusal(), "400 INVALID_PARAMETERS", "{member} {value}");
            assert!(answer.detail().starts_with(member), "{}", answer.detail());
        }
    }
    for (count, words) in [(100, "there is no scope"), (101, "at most 100"), (102, "at most 100")] {
        let unknown = |n| json!({ "scope": uuid::Uuid::from_u128(n) });
        let many: Vec<Value> = (0..count).map(unknown).collect();
        let refused = alice.put(&at(&existing), json!({ "scope": { "dependent_scopes": many } }));
        refused.names("dependent_scopes");
        assert!(refused.detail().contains(words), "{count}: {}", refused.detail());
    }
    let taken = json!({ "scope": { "name": "n", "description": "d", "scope_suffix": "existing" } });
    assert_eq!(alice.post(&of_client(service.id), taken).refusal(), "409 CONFLICT");
    let other = alice.scope(&service, "other", json!({}));
    let taken = json!({ "scope": { "scope_suffix": "existing" } });
    assert_eq!(alice.put(&at(&other), taken).refusal(), "409 CONFLICT");
    assert_eq!(alice.get(PATH).json()["scopes"].as_array().unwrap().len(), 2);
}

#[test]
fn advertised_scopes_are_for_everybody_others_as_visible_as_their_client() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let service = alice.client(&project, "resource_server");
    let sister = alice.client(&project, "resource_server");
    let hidden = alice.scope(&service, "hidden", json!({}));
    let open = alice.scope(&service, "open", json!({ "advertised": true }));
    let stranger = server.client().create();
    let weak = Auth::Bearer(bob.console.tokens(&bob.browser, "openid").access_token().to_owned());
    let sees = |auth: &Auth, scope: &Value| {
        let id = text(&scope["id"]);
        let one = server.call(auth, Method::GET, &at(scope), Value::Null);
        let by_id = server
            .call(auth, Method::GET, &format!("{PATH}?ids={id}"), Value::Null)
            .ok()
            .json();
        let by_string = format!("{PATH}?scope_strings={}", text(&scope["scope_string"]));
        let by_string = server.call(auth, Method::GET, &by_string, Value::Null).ok().json();
        assert_eq!(by_id, by_string);
        let seen = by_id["scopes"].as_array().unwrap().len() == 1;
        assert_eq!(one.status, if seen { 200 } else { 404 });
        seen
    };

    for auth in [&alice.auth, &service.auth(), &sister.auth()] {
        assert!(sees(auth, &hidden) && sees(auth, &open), "{auth:?}");
    }
    for auth in [&bob.auth, &weak, &stranger.auth()] {
        assert!(!sees(auth, &hidden) && sees(auth, &open), "{auth:?}");
    }
    alice
        .put(
            &format!("/v2/api/clients/{}", service.id),
            json!({ "client": { "visibility": "public" } }),
        )
        .ok();
    assert!(sees(&weak, &hidden));
    assert_eq!(
        server.call(&Auth::None, Method::GET, &at(&open), Value::Null).refusal(),
        "401 UNAUTHORIZED"
    );
}

/// The look-up of the guides, with a secret and with a login that manages nothing.
#[test]
fn a_scope_is_looked_up_by_its_string() {
    let server = TestServer::new();
    let bob = server.developer("bob");
    let weak = Auth::Bearer(bob.console.tokens(&bob.browser, "openid").access_token().to_owned());
    let groups = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships";
    let transfer = "urn%3Aglobus%3Aauth%3Ascope%3Atransfer.api.globus.org%3Aall";
    for auth in [&bob.console.auth(), &weak] {
        let path = format!("{PATH}?scope_strings={groups},{transfer},unknown");
        let found = server.call(auth, Method::GET, &path, Value::Null).ok().json();
        let ids: Vec<&Value> = found["scopes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scope| &scope["id"])
            .collect();
        assert_eq!(ids, [&json!(GROUPS), &json!("89ecabba-4acf-4e2e-a98d-ce592ccc2818")]);
    }
    for (query, status) in [
        (format!("ids={GROUPS}&scope_strings=openid"), 400),
        ("ids=x".into(), 400),
        (format!("ids={}", vec![GROUPS; 501].join(",")), 400),
        (format!("ids={GROUPS}&ids={}", GROUPS.to_uppercase()), 200),
    ] {
        let answer = server.call(&weak, Method::GET, &format!("{PATH}?{query}"), Value::Null);
        assert_eq!(answer.status, status, "{query:.80}");
    }
    assert_eq!(
        server.call(&weak, Method::GET, PATH, Value::Null).refusal(),
        "403 FORBIDDEN",
        "own ones need more"
    );
}

#[test]
fn without_a_filter_a_client_sees_its_own_scopes_and_a_person_those_of_their_projects() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let (first, second) = (
        alice.client(&project, "resource_server"),
        alice.client(&project, "resource_server"),
    );
    alice.scope(&first, "one", json!({}));
    alice.scope(&second, "two", json!({ "advertised": true }));
    let names = |auth: &Auth| -> Vec<String> {
        let answer = server.call(auth, Method::GET, PATH, Value::Null).ok().json();
        let mut names: Vec<String> = answer["scopes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scope| text(&scope["name"]))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&alice.auth), ["Scope one", "Scope two"]);
    assert_eq!(names(&first.auth()), ["Scope one"]);
    let token = Auth::Bearer(second.credentials(MANAGE).access_token().to_owned());
    assert_eq!(names(&token), ["Scope two"]);
    assert!(names(&bob.auth).is_empty());
}

#[test]
fn only_the_owner_and_admins_change_scopes() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let service = alice.client(&project, "resource_server");
    let sister = alice.client(&project, "resource_server");
    let scope = alice.scope(&service, "read", json!({ "advertised": true }));
    let new = json!({ "scope": { "name": "n", "description": "d", "scope_suffix": "new" } });
    let change = json!({ "scope": { "name": "n" } });
    let calls = |auth: &Auth| {
        [
            server.call(auth, Method::POST, &of_client(service.id), new.clone()),
            server.call(auth, Method::PUT, &at(&scope), change.clone()),
            server.call(auth, Method::DELETE, &at(&scope), Value::Null),
        ]
    };
    for auth in [&bob.auth, &sister.auth()] {
        for answer in calls(auth) {
            assert_eq!(answer.refusal(), "403 FORBIDDEN");
        }
    }
    for answer in calls(&Auth::None) {
        assert_eq!(answer.refusal(), "401 UNAUTHORIZED");
    }
    for auth in [
        &service.auth(),
        &Auth::Bearer(service.credentials(MANAGE).access_token().to_owned()),
    ] {
        assert_eq!(server.call(auth, Method::PUT, &at(&scope), change.clone()).status, 200);
    }
    let statuses = calls(&service.auth()).map(|answer| answer.status.as_u16());
    assert_eq!(statuses, [201, 200, 200]);
}

#[test]
fn a_dependency_has_to_be_visible_to_the_owner_or_to_who_acts_for_it() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let service = alice.client(&project, "resource_server");
    let sister = alice.client(&project, "resource_server");
    let strangers = bob.client(&bob.project("Q"), "resource_server");
    let own = alice.scope(&service, "own", json!({}));
    let of_sister = alice.scope(&sister, "sisters", json!({}));
    let hidden = bob.scope(&strangers, "hidden", json!({}));
    let open = bob.scope(&strangers, "open", json!({ "advertised": true }));
    let elsewhere = alice.client(&alice.project("R"), "resource_server");
    let of_elsewhere = alice.scope(&elsewhere, "elsewhere", json!({}));

    let depends_on = |scope: &Value| json!({ "scope": { "dependent_scopes": [dependency(scope, true)] } });
    assert_eq!(alice.put(&at(&own), depends_on(&of_sister)).status, 200);
    assert_eq!(alice.put(&at(&own), depends_on(&of_elsewhere)).status, 200);
    assert_eq!(alice.put(&at(&own), depends_on(&open)).status, 200);
    alice.put(&at(&own), depends_on(&hidden)).names("dependent_scopes");
    let kept = alice.get(&at(&own)).ok().json()["scope"]["dependent_scopes"].clone();
    assert_eq!(
        kept,
        json!([dependency(&open, true)]),
        "what was refused changed nothing"
    );
}

/// Writes the dependencies of a scope.
fn depend(admin: &Developer, from: &Value, to: &[Value]) -> Answer {
    let dependencies: Vec<Value> = to.iter().map(|scope| dependency(scope, true)).collect();
    admin.put(&at(from), json!({ "scope": { "dependent_scopes": dependencies } }))
}

#[test]
fn a_circle_and_too_deep_a_tree_are_refused() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let chain: Vec<Value> = (0..11)
        .map(|n| alice.scope(&service, &format!("s{n}"), json!({})))
        .collect();
    let depend = |from: usize, to: usize| depend(&alice, &chain[from], &chain[to..=to]);
    depend(0, 0).names("dependent_scopes");
    // From the lowest up: s9 needs s10, s8 needs s9 ..
    for n in (1..10).rev() {
        assert_eq!(depend(n, n + 1).status, 200, "{n}");
    }
    for circle in [1, 9] {
        let refused = depend(10, circle);
        refused.names("dependent_scopes");
        assert!(refused.detail().contains("lead back"), "{}", refused.detail());
    }
    let too_deep = depend(0, 1);
    too_deep.names("dependent_scopes");
    assert!(too_deep.detail().contains("deeper than 10"), "{}", too_deep.detail());
    assert_eq!(depend(0, 2).status, 200, "ten levels are enough");
}

#[test]
fn too_wide_a_tree_is_refused() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    // Each of four needs all four of the level below: 4 + 16 + 64 + 256 + 1024 nodes.
    let mut below: Vec<Value> = Vec::new();
    for level in 0..4 {
        let dependencies: Vec<Value> = below.iter().map(|scope| dependency(scope, true)).collect();
        let make = |side: &str| {
            alice.scope(
                &service,
                &format!("{side}{level}"),
                json!({ "dependent_scopes": dependencies }),
            )
        };
        below = ["a", "b", "c", "d"].map(make).to_vec();
    }
    let top = alice.scope(
        &service,
        "top",
        json!({ "dependent_scopes": [dependency(&below[0], true)] }),
    );
    assert_eq!(depend(&alice, &top, &below[..4]).status, 200, "340 below the top");
    let wider = alice.scope(&service, "wider", json!({}));
    let twice = [below.as_slice(), &[top]].concat();

    let refused = depend(&alice, &wider, &twice);

    refused.names("dependent_scopes");
    assert!(refused.detail().contains("more than 500"), "{}", refused.detail());
}

/// The scope's consents go, and what rests on nothing else; the rest of a token stays.
#[test]
fn deleting_a_scope_ends_its_consents_and_tokens() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let service = alice.client(&alice.project("P"), "resource_server");
        let gone = alice.scope(&service, "gone", json!({ "advertised": true }));
        let stays = alice.scope(&service, "stays", json!({ "advertised": true }));
        let browser = server.browser_of(&server.user("bob").create());
        let [gone_name, stays_name] = [&gone, &stays].map(|scope| text(&scope["scope_string"]));
        let alone = alice.console.offline_tokens(&browser, &gone_name);
        let both = alice
            .console
            .offline_tokens(&browser, &format!("{gone_name} {stays_name}"));
        assert!(service.is_active(alone.access_token()) && service.is_active(both.access_token()));

        alice.delete(&at(&gone)).ok();

        assert!(!service.is_active(alone.access_token()));
        assert_eq!(
            alice.console.try_refresh(alone.refresh_token()).outcome(),
            "400 invalid_grant"
        );
        assert_eq!(service.introspect(both.access_token())["scope"], stays_name.as_str());
        assert_eq!(
            alice.console.refresh(both.refresh_token()).0["scope"],
            stays_name.as_str()
        );
        let scope: portolan_types::ScopeId = text(&gone["id"]).parse().unwrap();
        assert_eq!(
            server.count("SELECT count(*) FROM consents WHERE scope_id = $1", params![scope]),
            0
        );
        // The same suffix later is another scope: nothing comes back.
        let again = alice.scope(&service, "gone", json!({ "advertised": true }));
        assert_ne!(again["id"], gone["id"]);
        assert!(!service.is_active(alone.access_token()));
        assert_eq!(service.introspect(both.access_token())["scope"], stays_name.as_str());
    });
}

#[test]
fn a_scope_is_below_its_own_client_only() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let (first, second) = (
        alice.client(&project, "resource_server"),
        alice.client(&project, "resource_server"),
    );
    let scope = alice.scope(&first, "read", json!({}));
    let below = |id: String| alice.get(&format!("{}/{}", of_client(id), text(&scope["id"])));
    assert_eq!(below(first.id.to_string()).status, 200);
    assert_eq!(below(second.id.to_string()).refusal(), "404 SCOPE_NOT_FOUND");
    assert_eq!(
        below("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".into()).refusal(),
        "404 CLIENT_NOT_FOUND"
    );
}

/// Built-in scopes keep their names; their texts are the catalogue's.
#[test]
fn a_built_in_name_is_not_changed() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    server.sql(
        "INSERT INTO administrators (identity_id, added_at) VALUES ($1, 0)",
        params![alice.user.id],
    );
    let path = format!("{PATH}/{GROUPS}");
    alice
        .put(&path, json!({ "scope": { "scope_suffix": "mine" } }))
        .names("scope_suffix");
    assert_eq!(
        alice
            .put(&path, json!({ "scope": { "allows_refresh_token": false } }))
            .status,
        200
    );
}

/// A dependency that needs a refresh token of a scope that gives none does not ask for ever.
#[test]
fn a_dependency_without_refresh_tokens_is_approved_once() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let below = alice.scope(
        &alice.client(&project, "resource_server"),
        "below",
        json!({ "allows_refresh_token": false }),
    );
    let needs = json!({ "scope": below["id"], "requires_refresh_token": true });
    let top = alice.client(&project, "resource_server");
    let top = alice.scope(&top, "top", json!({ "advertised": true, "dependent_scopes": [needs] }));
    let browser = server.browser_of(&server.user("bob").create());
    let scope = text(&top["scope_string"]);
    alice.console.offline_tokens(&browser, &scope);

    let params = alice.console.params(&scope).set("access_type", "offline");
    assert!(!browser.authorize(&alice.console, &params).is_page());
}
