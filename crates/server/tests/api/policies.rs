//! `/v2/api/policies`

use http::Method;
use serde_json::{Value, json};

use crate::developer::text;
use crate::support::{Auth, TestServer, each_engine};

const PATH: &str = "/v2/api/policies";

fn at(policy: &Value) -> String {
    format!("{PATH}/{}", text(&policy["id"]))
}

#[test]
fn a_policy_is_made_read_changed_and_deleted() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let project = alice.project("P");
        let document = json!({ "policy": {
            "project_id": project, "display_name": "Campus only", "description": "Only campus identities",
            "high_assurance": true, "authentication_assurance_timeout": 1800, "required_mfa": true,
            "domain_constraints_include": ["Example.edu", "*.lab.example.org"], "domain_constraints_exclude": null
        } });

        let created = alice.post(PATH, document);
        assert_eq!(created.status, 201);
        let policy = created.json()["policy"].clone();
        assert_eq!(
            policy,
            json!({
                "id": policy["id"], "project_id": project, "display_name": "Campus only",
                "description": "Only campus identities", "high_assurance": true,
                "authentication_assurance_timeout": 1800, "required_mfa": true,
                "domain_constraints_include": ["example.edu", "*.lab.example.org"], "domain_constraints_exclude": null
            })
        );
        assert_eq!(alice.get(&at(&policy)).ok().json(), json!({ "policy": policy }));
        assert_eq!(alice.get(PATH).ok().json(), json!({ "policies": [policy] }));

        let elsewhere = alice.project("Q");
        let changes = json!({ "policy": {
            "project_id": elsewhere, "authentication_assurance_timeout": null, "required_mfa": false,
            "domain_constraints_include": null, "domain_constraints_exclude": [], "high_assurance": true
        } });
        let changed = alice.put(&at(&policy), changes).ok().json()["policy"].clone();
        let mut expected = policy.clone();
        expected["project_id"] = json!(elsewhere);
        expected["authentication_assurance_timeout"] = Value::Null;
        expected["required_mfa"] = json!(false);
        expected["domain_constraints_include"] = Value::Null;
        expected["domain_constraints_exclude"] = json!([]);
        assert_eq!(changed, expected);
        assert_eq!(
            alice.put(&at(&policy), json!({ "policy": {} })).ok().json()["policy"],
            expected
        );

        assert_eq!(alice.delete(&at(&policy)).ok().json(), json!({ "policy": expected }));
        assert_eq!(alice.get(&at(&policy)).refusal(), "404 POLICY_NOT_FOUND");
        assert_eq!(alice.get(PATH).ok().json(), json!({ "policies": [] }));
    });
}

#[test]
fn what_is_wrong_with_a_policy_is_named() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let project = alice.project("P");
    let good = json!({ "project_id": project, "display_name": "p", "description": "d" });
    let existing = alice.post(PATH, json!({ "policy": good })).ok().json()["policy"].clone();
    assert_eq!(
        (&existing["high_assurance"], &existing["required_mfa"]),
        (&json!(false), &json!(false))
    );
    let table = [
        ("project_id", json!("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f")),
        ("project_id", json!("x")),
        ("project_id", json!(null)),
        ("display_name", json!("")),
        ("display_name", json!(null)),
        ("description", json!(null)),
        ("required_mfa", json!(true)),
        ("required_mfa", json!("yes")),
        ("authentication_assurance_timeout", json!(0)),
        ("authentication_assurance_timeout", json!(-5)),
        ("authentication_assurance_timeout", json!(1e12)),
        ("domain_constraints_include", json!(["*"])),
        ("domain_constraints_exclude", json!(["a b"])),
        ("domain_constraints_exclude", json!("example.org")),
    ];
    for (member, value) in table {
        let mut policy = good.clone();
        policy[member] = value.clone();
        alice.post(PATH, json!({ "policy": policy })).names(member);
        alice
            .put(&at(&existing), json!({ "policy": { member: value } }))
            .names(member);
    }
    // High assurance is decided once.
    alice
        .put(&at(&existing), json!({ "policy": { "high_assurance": true } }))
        .names("high_assurance");
    assert_eq!(alice.get(PATH).json(), json!({ "policies": [existing] }));
}

#[test]
fn policies_are_for_the_admins_of_their_project() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let project = alice.project("P");
    let robot = alice.client(&project, "client_identity");
    let good = json!({ "project_id": project, "display_name": "p", "description": "d" });
    let policy = alice.post(PATH, json!({ "policy": good })).ok().json()["policy"].clone();
    let change = json!({ "policy": { "display_name": "n" } });
    let calls = |auth: &Auth| {
        [
            server.call(auth, Method::GET, &at(&policy), Value::Null),
            server.call(auth, Method::POST, PATH, json!({ "policy": good })),
            server.call(auth, Method::PUT, &at(&policy), change.clone()),
            server.call(auth, Method::DELETE, &at(&policy), Value::Null),
        ]
    };
    for (auth, refusal) in [
        (&bob.auth, "403 FORBIDDEN"),
        (&robot.auth(), "403 FORBIDDEN"),
        (&Auth::None, "401 UNAUTHORIZED"),
    ] {
        for answer in calls(auth) {
            assert_eq!(answer.refusal(), refusal);
        }
    }
    assert_eq!(bob.get(PATH).json(), json!({ "policies": [] }));
    // Nor is one moved into a project of others.
    let theirs = bob.project("Q");
    let moved = alice.put(&at(&policy), json!({ "policy": { "project_id": theirs } }));
    assert_eq!(moved.refusal(), "403 FORBIDDEN");
}
