//! `GET /v2/api/identities` with `provision=true` (wire.md 1.2, 2.7.1; decisions section 6).

use http::Method;
use portolan_db::params;
use portolan_server::domain::identity::{self, NewLocalIdentity};
use serde_json::{Value, json};

use crate::developer::text;
use crate::support::{Answer, Auth, TestServer, each_engine};

fn look_up(server: &TestServer, auth: &Auth, usernames: &str, provision: &str) -> Answer {
    let path = format!("/v2/api/identities?usernames={usernames}&provision={provision}");
    server.call(auth, Method::GET, &path, Value::Null)
}

#[test]
fn unknown_usernames_become_known_when_their_domain_is() {
    each_engine(|server| {
        let alice = server.developer("alice");
        let names = "New@GlobusID.org,new@globusid.org,bob@portolan.local,who@nowhere.example,alice@portolan.local";
        assert_eq!(
            look_up(server, &alice.auth, names, "false").ok().json()["identities"]
                .as_array()
                .unwrap()
                .len(),
            1
        );

        let found = look_up(server, &alice.auth, names, "true").ok().json()["identities"].clone();

        let usernames: Vec<&str> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["username"].as_str().unwrap())
            .collect();
        assert_eq!(
            usernames,
            ["alice@portolan.local", "bob@portolan.local", "new@globusid.org"]
        );
        let made = &found[2];
        assert_eq!(
            *made,
            json!({
                "id": made["id"], "username": "new@globusid.org", "status": "unused", "identity_type": "login",
                "identity_provider": "41143743-f3c8-4d60-bbdb-eeecaba85bd9",
                "name": null, "organization": null, "email": null
            })
        );
        // Once made, it is the same for everybody.
        let again = look_up(server, &alice.console.auth(), "new@globusid.org", "false")
            .ok()
            .json();
        assert_eq!(again["identities"][0]["id"], made["id"]);
    });
}

#[test]
fn names_that_nobody_can_have_are_passed_over() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let client = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f@clients.auth.globus.org";
    for name in [
        "%40globusid.org",
        "a%20b@globusid.org",
        "a%2Fb@portolan.local",
        client,
        "x@sub.globusid.org",
    ] {
        let answer = look_up(&server, &alice.auth, name, "true");
        assert_eq!(answer.ok().json(), json!({ "identities": [] }), "{name}");
    }
    assert_eq!(
        look_up(&server, &alice.auth, "no-at-sign", "true").refusal(),
        "400 INVALID_PARAMETERS"
    );
    server.sql(
        "UPDATE identity_providers SET enabled = 0 WHERE short_name = $1",
        params!["globusid"],
    );
    assert_eq!(
        look_up(&server, &alice.auth, "x@globusid.org", "true").ok().json(),
        json!({ "identities": [] })
    );
}

#[test]
fn only_people_and_clients_of_projects_make_identities() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let member = alice.client(&alice.project("P"), "client_identity");
    let lone = server.client().create();
    let instance = server.instance_of(server.client().template().create().id, "laptop");
    let weak = Auth::Bearer(alice.console.tokens(&alice.browser, "openid").access_token().to_owned());
    let by_token =
        |client: &crate::support::TestClient| Auth::Bearer(client.credentials("openid").access_token().to_owned());
    for (number, auth) in [weak, member.auth(), by_token(&member)].iter().enumerate() {
        let name = format!("new{number}@globusid.org");
        assert_eq!(
            look_up(&server, auth, &name, "true").ok().json()["identities"][0]["status"],
            "unused"
        );
    }
    for (auth, refusal) in [
        (lone.auth(), "403 FORBIDDEN"),
        (by_token(&lone), "403 FORBIDDEN"),
        (instance.auth(), "403 FORBIDDEN"),
        (Auth::None, "401 UNAUTHORIZED"),
    ] {
        assert_eq!(look_up(&server, &auth, "more@globusid.org", "true").refusal(), refusal);
    }
    assert_eq!(
        server.count(
            "SELECT count(*) FROM identities WHERE username = $1",
            params!["more@globusid.org"]
        ),
        0
    );
}

#[test]
fn a_caller_makes_a_hundred_identities_in_an_hour() {
    let server = TestServer::new();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let names = |range: std::ops::Range<u32>| {
        range
            .map(|n| format!("p{n}@globusid.org"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let made = || server.count("SELECT count(*) FROM identities WHERE status = 'unused'", params![]);
    look_up(&server, &alice.auth, &names(0..60), "true").ok();
    assert_eq!(made(), 60);

    let refused = look_up(&server, &alice.auth, &names(0..101), "true");
    assert_eq!(refused.refusal(), "429 TOO_MANY_REQUESTS");
    assert_eq!(refused.header("retry-after"), Some("3600"));
    assert_eq!(made(), 60, "all or nothing");
    look_up(&server, &alice.auth, &names(0..100), "true").ok();
    assert_eq!(
        look_up(&server, &alice.auth, &names(0..100), "true").ok().json()["identities"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
    assert_eq!(
        look_up(&server, &alice.auth, &names(100..101), "true").refusal(),
        "429 TOO_MANY_REQUESTS"
    );
    look_up(&server, &bob.auth, &names(100..101), "true").ok();

    server.advance_seconds(3601);
    look_up(&server, &alice.auth, &names(101..102), "true").ok();
}

/// What was given to the name before its owner came is theirs (decisions section 6).
#[test]
fn a_local_account_takes_over_the_identity_that_waits_under_its_name() {
    let server = TestServer::new();
    let alice = server.developer("alice");
    let waiting = look_up(&server, &alice.auth, "carol@portolan.local", "true")
        .ok()
        .json()["identities"][0]
        .clone();
    let project = json!({ "project": {
        "display_name": "For Carol", "contact_email": "p@example.org", "admin_ids": [alice.user.id, waiting["id"]]
    } });
    let project = text(&alice.post("/v2/api/projects", project).ok().json()["project"]["id"]);

    let carol = server.developer("carol");

    assert_eq!(carol.user.id.to_string(), text(&waiting["id"]));
    assert_eq!(
        carol.get("/v2/api/projects").json()["projects"][0]["id"],
        project.as_str()
    );
    let (ctx, domain) = (server.ctx(), server.config().local_domain.clone());
    let again = server.app().db.write_blocking(move |tx| {
        let new = NewLocalIdentity {
            username: "carol".into(),
            name: "Another".into(),
            email: "c@example.org".into(),
            organization: None,
            password_hash: None,
            administrator: false,
        };
        identity::create_local(tx, &ctx, &domain, &new)
    });
    assert_eq!(again.unwrap_err().kind(), portolan_server::Kind::Conflict, "only once");
}
