//! The dependent token grant (wire.md 2.2.5): tokens flow down a chain of services, each
//! sees its own branch, and what the person takes back ends at once.

use http::StatusCode;
use portolan_server::store::consents;
use serde_json::Value;

use crate::support::{Answer, Browser, Params, TestClient, TestResourceServer, TestServer, TestUser, each_engine};

const GRANT: &str = "urn:globus:auth:grant_type:dependent_token";

/// front `all` → middle `use` → back `read`; `use` may also have back `write`, if the person likes.
struct Chain {
    server: TestServer,
    alice: TestUser,
    browser: Browser,
    app: TestClient,
    front: TestResourceServer,
    middle: TestResourceServer,
    back: TestResourceServer,
}

impl Chain {
    fn new(server: &TestServer) -> Self {
        let back = server
            .resource_server("back.example")
            .scope("read")
            .scope("write")
            .create();
        let middle = server
            .resource_server("middle.example")
            .scope("use")
            .depends_offline_on(back.scope("read"))
            .depends_optionally_on(back.scope("write"))
            .create();
        let front = server
            .resource_server("front.example")
            .scope("all")
            .depends_on(middle.scope("use"))
            .create();
        let alice = server.user("alice").create();
        Self {
            server: server.clone(),
            browser: server.browser_of(&alice),
            alice,
            app: server.client().create(),
            front,
            middle,
            back,
        }
    }

    /// The token that the app sends to the front service.
    fn token(&self) -> String {
        self.app
            .offline_tokens(&self.browser, self.front.scope("all"))
            .access_token()
            .to_owned()
    }

    /// Front exchanges the app's token; gives the token for the middle service.
    fn for_middle(&self, token: &str) -> String {
        access_token(&exchange(&self.front, token, &[]).ok().json(), "middle.example")
    }
}

fn exchange(service: &TestResourceServer, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut params = Params::default().set("grant_type", GRANT).set("token", token);
    for (name, value) in more {
        params = params.set(name, value);
    }
    service.token(&params)
}

fn access_token(answer: &Value, resource_server: &str) -> String {
    let documents = answer.as_array().expect("a bare list");
    let found = documents
        .iter()
        .find(|document| document["resource_server"] == resource_server);
    found.expect(resource_server)["access_token"]
        .as_str()
        .expect("text")
        .to_owned()
}

#[test]
fn tokens_flow_down_a_chain_and_each_link_sees_its_own_branch() {
    each_engine(|server| {
        let chain = Chain::new(server);
        let token = chain.token();

        let first = exchange(&chain.front, &token, &[]).ok().json();
        assert_eq!(
            first.as_array().map(Vec::len),
            Some(1),
            "nothing of what lies further down"
        );
        assert_eq!(first[0]["scope"], chain.middle.scope("use"));
        assert_eq!(first[0]["token_type"], "Bearer");
        let middle = access_token(&first, "middle.example");
        let second = exchange(&chain.middle, &middle, &[]).ok().json();
        assert_eq!(
            second.as_array().map(Vec::len),
            Some(1),
            "one document per resource server"
        );
        let scopes: Vec<&str> = second[0]["scope"].as_str().unwrap().split(' ').collect();
        assert_eq!(scopes.len(), 2);
        assert!(scopes.contains(&chain.back.scope("read")) && scopes.contains(&chain.back.scope("write")));

        let seen = chain.back.introspect(&access_token(&second, "back.example"));
        assert_eq!(seen["active"], true);
        assert_eq!(seen["sub"], chain.alice.id.to_string(), "the person stays");
        assert_eq!(
            seen["client_id"],
            chain.middle.id.to_string(),
            "it was issued to the middle service"
        );
        assert_eq!(
            exchange(&chain.back, &access_token(&second, "back.example"), &[])
                .ok()
                .json(),
            serde_json::json!([])
        );
    });
}

#[test]
fn refresh_tokens_come_only_offline_and_where_the_scope_needs_one() {
    let chain = Chain::new(&TestServer::new());
    let middle = chain.for_middle(&chain.token());

    let online = exchange(&chain.middle, &middle, &[("scope", chain.back.scope("read"))])
        .ok()
        .json();
    assert!(online[0].get("refresh_token").is_none());
    let offline = [("access_type", "offline"), ("scope", chain.back.scope("read"))];
    let offline = exchange(&chain.middle, &middle, &offline).ok().json();
    let refreshed = chain
        .middle
        .refresh(offline[0]["refresh_token"].as_str().expect("`read` needs one"));
    assert!(chain.back.is_active(refreshed.access_token()));
    let other = [("access_type", "offline"), ("scope", chain.back.scope("write"))];
    let other = exchange(&chain.middle, &middle, &other).ok().json();
    assert!(other[0].get("refresh_token").is_none(), "`write` does not");
}

#[test]
fn only_the_resource_server_of_an_active_token_can_exchange_it() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();
    let refuse = |service: &TestResourceServer, token: &str| {
        let answer = exchange(service, token, &[]);
        assert_eq!(
            (answer.status, answer.json()["error"].clone()),
            (StatusCode::BAD_REQUEST, "invalid_grant".into())
        );
    };

    refuse(&chain.middle, &token);
    refuse(&chain.back, &token);
    refuse(&chain.front, "AgPAnonsense");
    let refresh = chain.app.offline_tokens(&chain.browser, chain.front.scope("all"));
    refuse(&chain.front, refresh.refresh_token());
    chain.app.revoke(&token);
    refuse(&chain.front, &token);
    let answer = chain
        .app
        .token(&Params::default().set("grant_type", GRANT).set("token", &token));
    assert_eq!(
        answer.json()["error"],
        "unauthorized_client",
        "an app without scopes of its own has nothing to exchange"
    );
}

#[test]
fn a_scope_that_was_not_approved_on_this_path_needs_the_person() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();

    // Alice approved `read` below the middle service, not below the front one.
    let answer = exchange(&chain.front, &token, &[("scope", chain.back.scope("read"))]);

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let document = answer.json();
    assert_eq!(document["error"], "dependent_consent_required");
    assert_eq!(document["errors"][0]["code"], "DEPENDENT_CONSENT_REQUIRED");
    assert_eq!(
        document["errors"][0]["unapproved_scopes"],
        serde_json::json!([chain.back.scope("read")])
    );
    let unknown = exchange(&chain.front, &token, &[("scope", "urn:no:such:scope")]);
    assert_eq!(
        (unknown.status, unknown.json()["error"].clone()),
        (StatusCode::BAD_REQUEST, "invalid_scope".into())
    );
}

#[test]
fn a_branch_that_is_taken_back_ends_what_came_through_it_and_nothing_else() {
    each_engine(|server| {
        let chain = Chain::new(server);
        let token = chain.token();
        let middle = chain.for_middle(&token);
        let read = access_token(
            &exchange(&chain.middle, &middle, &[("scope", chain.back.scope("read"))])
                .ok()
                .json(),
            "back.example",
        );
        let write = access_token(
            &exchange(&chain.middle, &middle, &[("scope", chain.back.scope("write"))])
                .ok()
                .json(),
            "back.example",
        );
        let (alice, app, scope) = (chain.alice.id, chain.app.id, chain.back.scope_id("write"));
        let consent = chain.server.read(move |tx| {
            let trees = consents::list_trees(tx, alice, app)?;
            Ok(trees
                .into_iter()
                .find(|consent| consent.scope_id == scope)
                .expect("approved")
                .id)
        });

        let revoked = chain
            .server
            .write(move |tx| portolan_server::domain::consent::revoke(tx, &[alice], consent));

        assert_eq!(revoked.cut, consent, "an optional branch falls alone");
        assert!(!chain.back.is_active(&write));
        assert!(chain.back.is_active(&read) && chain.middle.is_active(&middle) && chain.front.is_active(&token));
        let again = exchange(&chain.middle, &middle, &[]).ok().json();
        assert_eq!(
            again[0]["scope"],
            chain.back.scope("read"),
            "what is left can still be had"
        );
    });
}

#[test]
fn a_required_consent_takes_its_whole_tree() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();
    let middle = chain.for_middle(&token);
    let (alice, app, scope) = (chain.alice.id, chain.app.id, chain.middle.scope_id("use"));
    let consent = chain.server.read(move |tx| {
        let trees = consents::list_trees(tx, alice, app)?;
        Ok(trees
            .into_iter()
            .find(|consent| consent.scope_id == scope)
            .expect("approved")
            .id)
    });

    let revoked = chain
        .server
        .write(move |tx| portolan_server::domain::consent::revoke(tx, &[alice], consent));

    assert_ne!(revoked.cut, consent);
    assert!(!chain.front.is_active(&token) && !chain.middle.is_active(&middle));
}

#[test]
fn a_dependency_declared_later_is_asked_for_at_the_next_login() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();
    let (from, to) = (chain.front.scope_id("all"), chain.back.scope_id("write"));
    chain.server.write(move |tx| {
        let dependency = portolan_server::store::scopes::Dependency {
            scope_id: from,
            dependent_scope_id: to,
            optional: false,
            requires_refresh_token: false,
        };
        portolan_server::store::scopes::insert_dependency(tx, &dependency)
    });

    let before = exchange(&chain.front, &token, &[]);
    assert_eq!(before.json()["error"], "dependent_consent_required");
    let renewed = chain.token();

    let after = exchange(&chain.front, &renewed, &[]).ok().json();
    assert_eq!(after.as_array().map(Vec::len), Some(2));
}

/// The token is for it as well, but by a path of its own.
#[test]
fn a_dependency_declared_later_is_missing_although_another_scope_of_the_token_is_it() {
    let server = TestServer::new();
    let front = server
        .resource_server("front.example")
        .scope("one")
        .scope("two")
        .create();
    let browser = server.browser_of(&server.user("alice").create());
    let app = server.client().create();
    let token = app.tokens(&browser, &format!("{} {}", front.scope("one"), front.scope("two")));
    let (from, to) = (front.scope_id("one"), front.scope_id("two"));
    server.write(move |tx| {
        let dependency = portolan_server::store::scopes::Dependency {
            scope_id: from,
            dependent_scope_id: to,
            optional: false,
            requires_refresh_token: false,
        };
        portolan_server::store::scopes::insert_dependency(tx, &dependency)
    });

    let answer = exchange(&front, token.access_token(), &[]);

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let missing = &answer.json()["errors"][0]["unapproved_scopes"];
    assert_eq!(*missing, serde_json::json!([front.scope("two")]));
}

/// Two scopes of one service need the same scope further down: two consents, one name.
#[test]
fn a_scope_below_two_consents_is_named_once_and_rests_on_both() {
    let server = TestServer::new();
    let back = server.resource_server("back.example").scope("read").create();
    let front = server
        .resource_server("front.example")
        .scope("one")
        .depends_optionally_on(back.scope("read"))
        .scope("two")
        .depends_optionally_on(back.scope("read"))
        .create();
    let alice = server.user("alice").create();
    let app = server.client().create();
    let scope = format!("{} {}", front.scope("one"), front.scope("two"));
    let token = app.tokens(&server.browser_of(&alice), &scope);

    let dependents = [&[][..], &[("scope", back.scope("read"))][..]].map(|more| {
        let answer = exchange(&front, token.access_token(), more).ok().json();
        assert_eq!(answer[0]["scope"], back.scope("read"));
        let dependent = access_token(&answer, "back.example");
        assert_eq!(back.introspect(&dependent)["scope"], back.scope("read"));
        dependent
    });
    let (person, client, scope) = (alice.id, app.id, back.scope_id("read"));
    server.write(move |tx| {
        let trees = consents::list_trees(tx, person, client)?;
        let below = trees.iter().filter(|consent| consent.scope_id == scope);
        let last = below.max_by_key(|consent| consent.id.0).expect("approved");
        portolan_server::domain::consent::revoke(tx, &[person], last.id).map(drop)
    });

    for dependent in dependents {
        assert!(!back.is_active(&dependent), "one of its two consents is gone");
    }
    let rest = exchange(&front, token.access_token(), &[]).ok().json();
    assert_eq!(rest[0]["scope"], back.scope("read"), "the other one is left");
}

/// Blanks and `offline_access` name nothing, so nothing is narrowed.
#[test]
fn only_names_of_scopes_narrow() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();
    let middle = chain.middle.scope("use");
    for scope in [
        "offline_access".to_owned(),
        " offline_access  ".to_owned(),
        format!("  {middle} offline_access"),
    ] {
        let answer = exchange(&chain.front, &token, &[("scope", &scope)]).ok().json();
        assert_eq!(answer[0]["scope"], middle, "{scope:?}");
    }
}

#[test]
fn a_hundred_names_are_the_most() {
    let chain = Chain::new(&TestServer::new());
    let token = chain.token();
    for (count, words) in [
        (100, "unknown scope"),
        (101, "more than 100 scopes"),
        (102, "more than 100 scopes"),
    ] {
        let names = vec!["urn:no:such:scope"; count].join(" ");
        let answer = exchange(&chain.front, &token, &[("scope", &names)]);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            answer.json().to_string().contains(words),
            "{count}: {}",
            answer.summary()
        );
    }
}

/// What lies below a scope is for the service that owns it, not for the app.
#[test]
fn scopes_allowed_before_do_not_include_what_lies_below_them() {
    let chain = Chain::new(&TestServer::new());
    chain.token();
    let code = chain.app.code(&chain.browser, "openid");

    let params = chain.app.exchange_params(&code).set("include_consented_scopes", "true");
    let answer = chain.app.token(&params).ok().json();

    assert_eq!(answer["scope"], "openid");
    let others = answer["other_tokens"].as_array().expect("a list");
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["scope"], chain.front.scope("all"));
}

#[test]
fn each_name_counts_once() {
    let chain = Chain::new(&TestServer::new());
    let middle = chain.for_middle(&chain.token());
    let (read, write) = (chain.back.scope("read"), chain.back.scope("write"));
    for names in [
        format!("{read} {write}"),
        format!("{write} {read}"),
        format!("{read} {write} {read} {write}"),
    ] {
        let answer = exchange(&chain.middle, &middle, &[("scope", &names)]).ok().json();
        assert_eq!(answer.as_array().map(Vec::len), Some(1));
        let mut scopes: Vec<&str> = answer[0]["scope"].as_str().unwrap().split(' ').collect();
        scopes.sort_unstable();
        assert_eq!(scopes, [read, write], "{names}");
    }
}
