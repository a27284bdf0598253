//! `POST /v2/oauth2/token` with `grant_type=client_credentials`.

use portolan_db::params;
use portolan_server::store::scopes::{self, Dependency};
use serde_json::json;

use crate::support::{Auth, Params, TestClient, TestResourceServer, TestServer, each_engine};

const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

/// A18: never a refresh token; wire.md 2.2.4: no state, a session without authentications.
#[test]
fn a_client_acts_as_itself_without_refresh_token_and_session() {
    each_engine(|server| {
        let client = server.client().confidential().create();

        let tokens = client.credentials(&format!("openid {TRANSFER}"));

        assert_eq!(tokens.0["resource_server"], "auth.globus.org");
        let transfer = tokens.of("transfer.api.globus.org");
        for document in [&tokens, &transfer] {
            assert!(document.0.get("refresh_token").is_none());
            assert!(document.0.get("state").is_none());
            assert_eq!(document.0["expires_in"], 172_800);
            let token = client.introspect_with(document.access_token(), "session_info,identity_set");
            assert_eq!(token["sub"], client.id.to_string());
            assert_eq!(token["client_id"], client.id.to_string());
            assert_eq!(token["username"], format!("{}@clients.auth.globus.org", client.id));
            assert_eq!(
                token["session_info"],
                json!({ "session_id": null, "authentications": {} })
            );
        }
    });
}

/// A18 once more: asking for it does not help.
#[test]
fn asking_for_offline_access_gives_no_refresh_token() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let params = Params::default()
        .set("grant_type", "client_credentials")
        .set("scope", "openid offline_access")
        .set("access_type", "offline");

    let answer = client.token(&params).ok().json();

    assert!(answer.get("refresh_token").is_none());
    assert_eq!(answer["scope"], "openid");
}

/// A20: a client's `sub` is its own id, of an identity of the clients' provider.
#[test]
fn a_client_cannot_be_taken_for_a_person() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let alice = server.user("alice").create();
    let own = client.credentials("openid profile");
    let person = client.tokens(&server.browser_of(&alice), "openid profile");

    assert_eq!(own.claims()["sub"], client.id.to_string());
    assert_eq!(
        own.claims()["identity_provider"],
        "3a74877b-e2a3-44b1-8958-ede1031b1827"
    );
    assert_ne!(person.claims()["sub"], own.claims()["sub"]);
    assert_ne!(person.claims()["identity_provider"], own.claims()["identity_provider"]);
    // The domain of clients belongs to them: nobody gets a username in it.
    let taken = server.app().config.local_domain.clone();
    assert_ne!(taken, "clients.auth.globus.org");
    let refused = portolan_server::domain::identity::local_username("x@clients.auth.globus.org", &taken);
    assert!(refused.is_err());
}

/// wire.md 2.2.4: an ID token when `openid` was requested, about the client itself.
#[test]
fn openid_gives_an_id_token_about_the_client() {
    let server = TestServer::new();
    let client = server.client().confidential().create();

    let with = client.credentials("openid profile");
    let without = client.credentials(TRANSFER);

    let claims = with.claims();
    assert_eq!(claims["aud"], client.id.to_string());
    assert_eq!(
        claims["preferred_username"],
        format!("{}@clients.auth.globus.org", client.id)
    );
    assert!(claims.get("auth_time").is_none(), "nobody has authenticated");
    assert!(without.0.get("id_token").is_none());
}

/// Clients repeat scopes; each counts once.
#[test]
fn duplicated_scopes_are_one() {
    let server = TestServer::new();
    let client = server.client().confidential().create();

    let tokens = client.credentials(&format!("openid {TRANSFER} openid {TRANSFER}"));

    assert_eq!(tokens.0["scope"], "openid");
    assert_eq!(tokens.0["other_tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn the_scope_parameter_is_required_and_checked() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let table = [
        ("", "400 invalid_request"),
        ("no-such-scope", "400 invalid_scope"),
        ("openid[", "400 invalid_scope"),
        ("offline_access", "400 invalid_scope"),
        ("OPENID", "400 invalid_scope"),
    ];
    for (scope, expected) in table {
        assert_eq!(client.try_credentials(scope).outcome(), expected, "{scope:?}");
    }
    let unknown = client.try_credentials("openid no-such-scope").json();
    assert_eq!(unknown["errors"][0]["code"], "UNKNOWN_SCOPE_ERROR");
}

/// wire.md 1.10: a scope that is not for everybody is unknown to other projects.
#[test]
fn a_hidden_scope_is_unknown_outside_its_project() {
    let server = TestServer::new();
    let project = server.project("The laboratory");
    let data = server
        .resource_server("data.example.org")
        .in_project(project)
        .scope("inner")
        .unadvertised()
        .create();
    let inside = server.client().confidential().in_project(project).create();
    let outside = server.client().confidential().create();

    inside.credentials(data.scope("inner"));
    let hidden = outside.try_credentials(data.scope("inner"));
    let unknown = outside.try_credentials("https://auth.globus.org/scopes/x/y");

    assert_eq!(hidden.outcome(), "400 invalid_scope");
    assert_eq!(hidden.json()["errors"][0]["code"], unknown.json()["errors"][0]["code"]);
}

/// Each of the four ways in which a scope is seen, alone.
#[test]
fn who_sees_a_scope_that_is_not_advertised() {
    let server = TestServer::new();
    let (project, another) = (server.project("The laboratory"), server.project("Another one"));
    let of_project = server
        .resource_server("data.example.org")
        .in_project(project)
        .scope("inner")
        .unadvertised()
        .create();
    let of_nobody = server
        .resource_server("lone.example.org")
        .hybrid()
        .scope("inner")
        .unadvertised()
        .create();
    let inside = server.client().in_project(project).create();
    let elsewhere = server.client().in_project(another).create();
    let outside = server.client().create();
    let sees = |client: &TestClient, service: &TestResourceServer| {
        client.try_credentials(service.scope("inner")).status == http::StatusCode::OK
    };

    for (client, first, second) in [
        (&inside, true, false),
        (&elsewhere, false, false),
        (&outside, false, false),
        (&of_nobody.client, false, true),
    ] {
        let seen = (sees(client, &of_project), sees(client, &of_nobody));
        assert_eq!(seen, (first, second), "{}", client.record().name);
    }
    server.sql(
        "UPDATE clients SET visibility = 'public' WHERE id = $1",
        params![of_project.id],
    );
    assert!(sees(&outside, &of_project), "its service is public");
}

/// A16, A17.
#[test]
fn only_clients_with_a_secret_and_the_grant_may_act_as_themselves() {
    let server = TestServer::new();
    let public = server.client().public_installed().create();
    let webapp = server.client().public_webapp().create();
    let template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let service = server.client().of_type("client_identity").create();
    let confidential = server.client().confidential().create();

    assert_eq!(public.try_credentials("openid").outcome(), "400 unauthorized_client");
    assert_eq!(webapp.try_credentials("openid").outcome(), "400 unauthorized_client");
    assert_eq!(instance.try_credentials("openid").outcome(), "400 unauthorized_client");
    service.credentials("openid");
    let params = [("grant_type", "client_credentials"), ("scope", "openid")];
    let by_id = server.post_form("/v2/oauth2/token", &Auth::Id(confidential.id.to_string()), &params);
    assert_eq!(by_id.outcome(), "401 invalid_client");
}

/// The consents are made once; the hot path only inserts (decisions, section 8).
#[test]
fn automatic_consents_are_made_once_and_can_be_revoked() {
    each_engine(|server| {
        let client = server.client().confidential().create();
        let consents = |server: &TestServer| {
            server.count(
                "SELECT count(*) FROM consents WHERE client_id = $1 AND auto_approved = 1",
                params![client.id],
            )
        };
        let request = Params::default()
            .set("grant_type", "client_credentials")
            .set("scope", TRANSFER);

        let answers = server.at_once((0..16).map(|_| client.token_request(&request)).collect());

        assert!(
            answers.iter().all(|answer| answer.status == 200),
            "on {:?}",
            server.engine()
        );
        assert_eq!(consents(server), 1);
        let token = answers[0].json()["access_token"].as_str().unwrap().to_owned();
        assert!(client.is_active(&token));
        server.sql("DELETE FROM consents WHERE client_id = $1", params![client.id]);
        assert!(!client.is_active(&token), "it rested on that consent");
        client.credentials(TRANSFER);
        assert_eq!(consents(server), 1);
    });
}

#[test]
fn a_deleted_secret_ends_authentication_but_not_tokens() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let owner = server.resource_server("data.example.org").scope("read").create();
    let tokens = client.credentials(owner.scope("read"));

    server.sql(
        "DELETE FROM client_credentials WHERE client_id = $1",
        params![client.id],
    );

    assert_eq!(client.try_credentials("openid").outcome(), "401 invalid_client");
    assert!(owner.is_active(tokens.access_token()));
}

/// The consents are there already: one look-up, and one unit that inserts.
#[test]
fn a_repeated_call_is_one_look_up_and_one_unit() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let one = server.resource_server("one.example").scope("read").create();
    let two = server.resource_server("two.example").scope("read").create();
    let scope = format!("{} {}", one.scope("read"), two.scope("read"));
    client.credentials(&scope);

    let before = server.app().db.stats();
    let tokens = client.credentials(&scope);
    let after = server.app().db.stats();

    assert_eq!((after.finds - before.finds, after.units - before.units), (1, 1));
    assert_eq!(tokens.of("one.example").0["scope"], one.scope("read"));
    assert_eq!(tokens.of("two.example").0["scope"], two.scope("read"));
}

#[test]
fn a_dependency_declared_later_is_approved_at_the_next_call() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let back = server.resource_server("back.example").scope("read").create();
    let front = server.resource_server("front.example").scope("all").create();
    let consents = || {
        server.count(
            "SELECT count(*) FROM consents WHERE identity_id = $1",
            params![client.id.identity()],
        )
    };
    client.credentials(front.scope("all"));
    assert_eq!(consents(), 1);

    let dependency = Dependency {
        scope_id: front.scope_id("all"),
        dependent_scope_id: back.scope_id("read"),
        optional: false,
        requires_refresh_token: false,
    };
    server.write(move |tx| scopes::insert_dependency(tx, &dependency));
    client.credentials(front.scope("all"));

    assert_eq!(consents(), 2);
}

/// What was approved before does not show a scope that is hidden today.
#[test]
fn a_scope_that_was_hidden_meanwhile_is_unknown() {
    let server = TestServer::new();
    let data = server.resource_server("data.example").scope("read").create();
    let client = server.client().confidential().create();
    client.credentials(data.scope("read"));

    server.sql(
        "UPDATE scopes SET advertised = 0 WHERE id = $1",
        params![data.scope_id("read")],
    );

    assert_eq!(
        client.try_credentials(data.scope("read")).outcome(),
        "400 invalid_scope"
    );
}

/// Registration refuses a circle, but two owners can close one from both sides at once.
#[test]
fn scopes_that_need_each_other_are_expanded_once() {
    let server = TestServer::new();
    let one = server.resource_server("one.example").scope("read").create();
    let two = server
        .resource_server("two.example")
        .scope("read")
        .depends_on(one.scope("read"))
        .create();
    let back = Dependency {
        scope_id: one.scope_id("read"),
        dependent_scope_id: two.scope_id("read"),
        optional: false,
        requires_refresh_token: false,
    };
    server.write(move |tx| scopes::insert_dependency(tx, &back));
    let client = server.client().confidential().create();

    for service in [&one, &two] {
        assert_eq!(
            client.credentials(service.scope("read")).0["scope"],
            service.scope("read")
        );
    }
}

#[test]
fn a_request_expands_to_500_scopes_at_most() {
    let server = TestServer::new();
    let mut leaves = server.resource_server("leaves.example").scope("one-more");
    for n in 0..249 {
        leaves = leaves.scope(&format!("s{n}"));
    }
    let leaves = leaves.create();
    let mut branches = server.resource_server("branches.example").scope("b0");
    for n in 0..249 {
        branches = branches.depends_on(leaves.scope(&format!("s{n}")));
    }
    for n in 1..250 {
        branches = branches.scope(&format!("b{n}"));
    }
    let branches = branches.create();
    let mut top = server.resource_server("top.example").scope("all");
    for n in 0..250 {
        top = top.depends_on(branches.scope(&format!("b{n}")));
    }
    let top = top.create();
    let client = server.client().confidential().create();

    // One, 250 below it, and 249 below the first of those.
    client.credentials(top.scope("all"));
    let more = format!("{} {}", top.scope("all"), leaves.scope("one-more"));
    assert_eq!(client.try_credentials(&more).outcome(), "400 invalid_scope");
}
