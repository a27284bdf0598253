//! Signing in through other identity providers: who somebody is, what the login proves,
//! and how the well-known providers answer.

use http::StatusCode;
use portolan_db::params;
use portolan_server::domain::policy::REFEDS_MFA;
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::policies::{self, Policy};
use portolan_server::store::{identity_providers, sessions};
use portolan_server::upstream::fault;
use portolan_server::upstream::provider::{Claims, Endpoints, OAUTH2, preset};
use portolan_types::{BrowserSessionId, IdentityProviderId, PolicyId};
use serde_json::{Value, json};

use super::provider_faults::{assert_refused, is_signed_in, server};
use crate::support::{Browser, FakeProvider, Outcome, TestServer, TestUser, Tokens};

fn identity(server: &TestServer, username: &str) -> Option<Identity> {
    let username = username.to_owned();
    server.read(move |tx| identities::find_by_username(tx, &username))
}

/// An identity for whoever signs in under this name first.
fn prepare(server: &TestServer, username: &str) -> Identity {
    let (ctx, usernames) = (server.ctx(), [username.to_owned()]);
    server.write(move |tx| {
        let actor = portolan_server::store::audit::Actor::Operator;
        portolan_server::domain::identity::provision(tx, &ctx, actor, "portolan.local", &usernames)
    });
    identity(server, username).unwrap()
}

fn set(provider: &FakeProvider, claim: &str, value: Value) {
    provider.script(|script| script.claims[claim] = value);
}

/// As another person: both documents name them.
fn be(provider: &FakeProvider, subject: &str) {
    provider.script(|script| {
        script.claims["sub"] = json!(subject);
        script.userinfo["sub"] = json!(subject);
    });
}

/// The link to a provider on the login page that the browser shows.
#[track_caller]
fn link(browser: &Browser, id: IdentityProviderId) -> String {
    let text = browser.text();
    let start = text
        .find(&format!("/p/login/with/{id}"))
        .unwrap_or_else(|| panic!("no link: {text}"));
    crate::support::unescape(text[start..].split('"').next().unwrap())
}

fn audited(server: &TestServer, action: &str) -> i64 {
    server.count(
        "SELECT count(*) FROM audit_events WHERE action = $1",
        params![action.to_owned()],
    )
}

/// What the newest login of the identity proved.
fn proved(server: &TestServer, username: &str) -> sessions::Authentication {
    let id = identity(server, username).unwrap().id;
    server.read(move |tx| {
        let (session,): (BrowserSessionId,) = tx.fetch_one(
            "SELECT browser_session_id FROM browser_authentications WHERE identity_id = $1
              ORDER BY authenticated_at DESC LIMIT 1",
            params![id],
        )?;
        Ok(sessions::list_authentications(tx, session)?.remove(0))
    })
}

/// J5.
#[test]
fn the_first_login_makes_an_identity_and_later_ones_find_it_by_its_subject() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example", "alumni.uni.example"]);

    provider.login(&server.browser(), id);

    let alice = identity(&server, "alice@uni.example").unwrap();
    assert_eq!(alice.status, "used");
    assert_eq!(alice.subject.as_deref(), Some("subject-of-alice"));
    assert_eq!(alice.name.as_deref(), Some("Alice at the provider"));
    assert_eq!(alice.email.as_deref(), Some("alice@mail.example"));
    assert_eq!(alice.provider_id, id);

    // Another name and address, the same person.
    set(&provider, "preferred_username", json!("Alice.Smith@alumni.uni.example"));
    provider.script(|script| script.userinfo["email"] = json!("smith@mail.example"));
    provider.login(&server.browser(), id);
    let renamed = identity(&server, "alice.smith@alumni.uni.example").unwrap();
    assert_eq!(renamed.id, alice.id);
    assert_eq!(renamed.email.as_deref(), Some("smith@mail.example"));
    assert!(identity(&server, "alice@uni.example").is_none());
    assert_eq!(
        (audited(&server, "identity.create"), audited(&server, "identity.rename")),
        (1, 1)
    );
    assert_eq!(audited(&server, "login.succeeded"), 2);
}

/// Threat 10: Casdoor CVE-2026-9092, ZITADEL CVE-2026-27946, Grafana CVE-2023-3128.
#[test]
fn an_address_never_links_accounts_whether_it_is_verified_or_not() {
    let server = server();
    let local = server.user("alice").create();
    let (first, second) = (FakeProvider::start(&server), FakeProvider::start(&server));
    let one = first.register(&server, "one", &["one.example"]);
    let two = second.register(&server, "two", &["two.example"]);
    for verified in [json!(true), json!(false), json!(null)] {
        for (provider, id, username) in [(&first, one, "alice@one.example"), (&second, two, "alice@two.example")] {
            provider.script(|script| {
                script.userinfo["email"] = json!("alice@example.org");
                script.userinfo["email_verified"] = verified.clone();
            });
            let browser = server.browser();
            provider.login(&browser, id);
            assert!(browser.get("/").page().text().contains(username));
        }
    }
    let sets: Vec<_> = ["alice@portolan.local", "alice@one.example", "alice@two.example"]
        .into_iter()
        .map(|username| identity(&server, username).unwrap().set_id)
        .collect();
    assert!(sets[0] != sets[1] && sets[0] != sets[2] && sets[1] != sets[2]);
    assert_eq!(identity(&server, "alice@portolan.local").unwrap().id, local.id);
}

/// Decisions, section 6: an identity that was prepared is claimed once.
/// J5: the second proof of a link is made at the provider, which the app requires.
#[test]
fn an_account_of_a_provider_is_linked_by_signing_in_there() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let other = FakeProvider::start(&server).register(&server, "other", &["other.example"]);
    let alice = server.user("alice").create();
    let client = server.client().create();
    server.sql(
        "UPDATE clients SET required_idp = $2 WHERE id = $1",
        params![client.id, id],
    );
    let browser = server.browser_of(&alice);
    let page = browser.authorize(&client, &client.params("openid profile"));
    assert_eq!(page.title(), "Link another account");
    browser.submit(&browser.form());
    assert!(
        !browser.text().contains(&format!("/p/login/with/{other}")),
        "only what the app requires"
    );
    let left = browser.get(&link(&browser, id)).left().clone();
    assert_eq!(left.get("max_age").as_deref(), Some("600"), "a recent sign-in there");

    let outcome = provider.come_back(&browser, &left, &provider.authorize(&left));

    assert_eq!(outcome.title(), "Link these accounts?");
    let text = outcome.page().text();
    assert!(text.contains("alice@uni.example") && text.contains("Signed in as</span> <strong>alice@portolan.local"));
    let theirs = identity(&server, "alice@uni.example").unwrap();
    let (mine, own_set) = (alice.id, theirs.set_id);
    assert_ne!(
        server.read(move |tx| identities::get(tx, mine)).set_id,
        own_set,
        "not yet"
    );
    browser.submit(&browser.form().set("decision", "link"));
    let claims = client.exchange(&browser.allow().code()).claims();
    assert_eq!(claims["sub"], json!(theirs.id));
    assert_eq!(claims["identity_set"].as_array().unwrap().len(), 2);
}

#[test]
fn a_prepared_identity_is_claimed_by_the_first_login_under_its_name() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let prepared = prepare(&server, "alice@uni.example");
    assert_eq!(prepared.status, "unused");

    provider.login(&server.browser(), id);

    let claimed = identity(&server, "alice@uni.example").unwrap();
    assert_eq!((claimed.id, claimed.status.as_str()), (prepared.id, "used"));
    assert_eq!(claimed.subject.as_deref(), Some("subject-of-alice"));
    assert_eq!(
        (audited(&server, "identity.claim"), audited(&server, "identity.create")),
        (1, 0)
    );
}

/// Decisions, section 6: the same username with a new subject is another person.
#[test]
fn a_username_that_was_given_to_another_person_closes_the_old_identity() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let browser = server.browser();
    provider.login(&browser, id);
    let client = server.client().create();
    let tokens = client.tokens(&browser, "openid");
    assert!(client.is_active(tokens.access_token()));
    let old = identity(&server, "alice@uni.example").unwrap();

    be(&provider, "subject-of-another-alice");
    let others = server.browser();
    provider.login(&others, id);

    let new = identity(&server, "alice@uni.example").unwrap();
    assert!(new.id != old.id && new.set_id != old.set_id);
    let old = server.read(move |tx| identities::get(tx, old.id));
    assert_eq!(old.status, "closed");
    assert_eq!(audited(&server, "identity.close"), 1);
    assert!(
        !client.is_active(tokens.access_token()),
        "what the old one had is not the new one's"
    );
    assert!(!is_signed_in(&browser) && is_signed_in(&others));
    // The old subject comes back under another name: somebody new, too.
    be(&provider, "subject-of-alice");
    set(&provider, "preferred_username", json!("alice2"));
    provider.login(&server.browser(), id);
    let third = identity(&server, "alice2@uni.example").unwrap();
    assert!(third.id != old.id && third.id != new.id);
}

/// What was prepared is for whoever comes first under that name, and a name of another
/// provider is not to be had at all.
#[test]
fn whoever_is_known_does_not_take_a_prepared_name_or_that_of_another_provider() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    provider.login(&server.browser(), id);
    let alice = identity(&server, "alice@uni.example").unwrap();
    let prepared = prepare(&server, "bob@uni.example");

    set(&provider, "preferred_username", json!("bob"));
    let browser = server.browser();
    provider.login(&browser, id);

    assert!(is_signed_in(&browser));
    assert_eq!(identity(&server, "bob@uni.example").unwrap().id, prepared.id);
    assert_eq!(
        identity(&server, "alice@uni.example").unwrap().id,
        alice.id,
        "the old name stays"
    );
    assert_eq!(
        audited(&server, "identity.close") + audited(&server, "identity.rename"),
        0
    );

    server.sql(
        "UPDATE identities SET identity_provider_id = $1 WHERE id = $2",
        params![identity_providers::LOCAL, prepared.id],
    );
    let refused = server.browser();
    provider.login(&refused, id);
    assert!(!is_signed_in(&refused), "{}", refused.text());
    assert_eq!(identity(&server, "bob@uni.example").unwrap().id, prepared.id);
}

#[test]
fn a_username_that_moves_to_somebody_known_closes_whoever_had_it() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    provider.login(&server.browser(), id);
    let alice = identity(&server, "alice@uni.example").unwrap();
    be(&provider, "subject-of-bob");
    set(&provider, "preferred_username", json!("bob"));
    provider.login(&server.browser(), id);
    let bob = identity(&server, "bob@uni.example").unwrap();

    set(&provider, "preferred_username", json!("alice"));
    provider.login(&server.browser(), id);

    assert_eq!(identity(&server, "alice@uni.example").unwrap().id, bob.id);
    assert_eq!(server.read(move |tx| identities::get(tx, alice.id)).status, "closed");
}

#[test]
fn what_stands_in_the_way_of_a_login_is_told() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let refused = |short_name: &str, fault, prepare: &dyn Fn(IdentityProviderId)| {
        let id = provider.register_with(&server, short_name, &[&format!("{short_name}.example")], "oidc", |c| {
            if short_name == "mail" {
                c.claims.username = vec!["email".into()];
            }
            if short_name == "hub" {
                c.required_claims.insert("idp".into(), "https://idp.hub.example".into());
            }
        });
        prepare(id);
        let browser = server.browser();
        let outcome = provider.login(&browser, id);
        assert_refused(&server, &browser, id, &outcome, fault, short_name);
    };
    provider.script(|s| {
        s.userinfo["email"] = json!("alice@mail.example");
        s.userinfo["email_verified"] = json!(false);
        s.userinfo["idp"] = json!("https://another.example");
    });
    refused("mail", fault::EMAIL_UNVERIFIED, &|_| {});
    refused("hub", fault::REQUIRED_CLAIM, &|_| {});
    refused("disabled", fault::ACCOUNT_DISABLED, &|id| {
        provider.login(&server.browser(), id);
        server.sql(
            "UPDATE identities SET enabled = 0 WHERE identity_provider_id = $1",
            params![id],
        );
    });
    // The domain belonged to another provider when its people came.
    refused("moved", fault::USERNAME_TAKEN, &|id| {
        server.sql(
            "UPDATE identities SET username = 'alice@moved.example' WHERE username = $1",
            params!["alice@disabled.example"],
        );
        assert!(identity(&server, "alice@moved.example").unwrap().provider_id != id);
    });
    refused("broken", fault::NOT_CONFIGURED, &|id| {
        server.sql(
            "UPDATE identity_providers SET configuration = 'no JSON' WHERE id = $1",
            params![id],
        );
    });
    let unknown = server
        .browser()
        .get("/p/login/with/00000000-0000-4000-8000-000000000000");
    assert_eq!(unknown.page().status, StatusCode::NOT_FOUND);
    let local = portolan_server::store::identity_providers::LOCAL;
    let local = server.browser().get(&format!("/p/login/with/{local}"));
    assert_eq!(local.page().status, StatusCode::NOT_FOUND);
}

/// A link of another site leads to the login page, not out to a provider.
#[test]
fn other_sites_cannot_begin_a_login() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let path = format!("/p/login/with/{id}");
    for site in ["cross-site", "same-site"] {
        let answer = server
            .request(http::Method::GET, &path)
            .header("sec-fetch-site", site)
            .send();
        assert_eq!(answer.location(), "/p/login", "{site}");
    }
    for site in ["same-origin", "none"] {
        let answer = server
            .request(http::Method::GET, &path)
            .header("sec-fetch-site", site)
            .send();
        assert!(answer.location().starts_with(&provider.url), "{site}");
    }
}

/// Browsers that do not say where a request comes from (old ones, and all of them over plain
/// http) say which page it was.
#[test]
fn without_fetch_metadata_the_page_before_decides() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let path = format!("/p/login/with/{id}");
    let own = "https://auth.example.org";
    for (headers, goes) in [
        (vec![], false),
        (vec![("referer", "https://evil.example/")], false),
        (
            vec![("referer", "https://auth.example.org.evil.example/p/login")],
            false,
        ),
        (vec![("referer", "no address")], false),
        (vec![("origin", "null")], false),
        (vec![("origin", "https://evil.example"), ("referer", own)], false),
        (vec![("referer", "https://auth.example.org/p/login?request=1")], true),
        (vec![("origin", own)], true),
    ] {
        let mut request = server.request(http::Method::GET, &path);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let answer = request.send();
        assert_eq!(answer.location().starts_with(&provider.url), goes, "{headers:?}");
        assert!(goes || answer.location() == "/p/login", "{headers:?}");
    }
}

/// H7: a sign-in of which nobody knows when it was is not a recent one.
#[test]
fn a_provider_that_does_not_say_when_is_not_taken_for_fresh() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    provider.script(|s| s.without = vec!["auth_time"]);
    let client = server.client().create();
    for (name, value) in [("max_age", "300"), ("max_age", "0"), ("prompt", "login")] {
        let browser = server.browser();
        browser.authorize(&client, &client.params("openid").set(name, value));
        let outcome = provider.login_by(&browser, &link(&browser, id));
        let text = outcome.page().text();
        assert!(
            text.contains("<code>auth_time_missing</code>"),
            "{name}={value}: {text}"
        );
        assert!(text.contains("Choose how to sign in"), "{text}");
        assert!(!is_signed_in(&browser), "{name}={value}");
    }
    assert_eq!(audited(&server, "login.refused"), 3);

    // Where nobody asked, it signs in; later it counts for none of the same demands.
    let browser = server.browser();
    provider.login(&browser, id);
    assert!(is_signed_in(&browser));
    let outcome = browser.authorize(&client, &client.params("openid").set("max_age", "300"));
    assert_eq!(outcome.title(), "Sign in");
    let outcome = browser.get("/p/link");
    assert_eq!(outcome.title(), "Sign in", "no change to an account");
}

/// H7, W1: what nobody knows is not told as the time of the answer: a service that demands a
/// recent sign-in would take it for one.
#[test]
fn a_time_that_a_provider_does_not_tell_is_told_to_nobody() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let client = server.client().create();
    let told = |tokens: &Tokens| {
        let introspected = client.introspect_with(tokens.access_token(), "session_info");
        let session = introspected["session_info"]["authentications"]
            .as_object()
            .unwrap()
            .clone();
        let (_, login) = session.into_iter().next().unwrap();
        (
            tokens.claims().get("auth_time").cloned(),
            introspected.get("auth_time").cloned(),
            login["auth_time"].clone(),
        )
    };
    let at = json!(server.now().seconds() - 60);
    set(&provider, "auth_time", at.clone());
    let browser = server.browser();
    provider.login(&browser, id);
    let tokens = client.tokens(&browser, "openid");
    assert_eq!(told(&tokens), (Some(at.clone()), Some(at.clone()), at));

    provider.script(|s| s.without = vec!["auth_time"]);
    let browser = server.browser();
    provider.login(&browser, id);
    let tokens = client.tokens(&browser, "openid");
    assert_eq!(told(&tokens), (None, None, json!(0)), "a number, and long ago");
}

/// H10: a page of ours that wants a second factor asks a trusted provider for it, as it does
/// for an app.
#[test]
fn a_second_factor_that_our_own_page_wants_is_asked_of_a_trusted_provider() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register_with(&server, "uni", &["uni.example"], "oidc", |c| c.trust_mfa = true);
    let untrusted = provider.register(&server, "lab", &["lab.example"]);
    let alice = server.user("alice").create();
    let browser = server.browser();
    provider.login(&browser, id);
    let there = TestUser {
        id: identity(&server, "alice@uni.example").unwrap().id,
        username: "alice@uni.example".into(),
        password: String::new(),
    };
    let asked = |id: IdentityProviderId| {
        let outcome = browser.get(&format!("/p/login/with/{id}?next=begin-link"));
        outcome.left().clone()
    };
    assert_eq!(asked(id).get("acr_values"), None, "nobody has a second factor");

    super::factors::set_up_app(&server.browser_of(&alice));
    server.link(&alice, &there);
    let page = browser.get("/p/link").page().text();
    assert!(page.contains("a sign-in with two factors"), "{page}");
    let left = asked(id);
    assert_eq!(left.get("acr_values").as_deref(), Some(REFEDS_MFA));
    assert_eq!(asked(untrusted).get("acr_values"), None, "its word would not count");

    set(&provider, "acr", json!(REFEDS_MFA));
    provider.come_back(&browser, &left, &provider.authorize(&left));
    assert_eq!(browser.title(), "Link another account");
}

/// The fake provider as one of plain OAuth 2.0, with an account named octocat.
fn hub(server: &TestServer, provider: &FakeProvider) -> IdentityProviderId {
    let endpoints = Endpoints {
        authorization: format!("{}/authorize", provider.url),
        token: format!("{}/token", provider.url),
        user: format!("{}/user", provider.url),
        emails: None,
    };
    let id = provider.register_with(server, "hub", &["hub.example"], OAUTH2, |c| {
        c.endpoints = Some(endpoints.clone());
        c.claims.subject = "id".into();
        c.claims.username = vec!["login".into()];
    });
    provider.script(|s| {
        s.document = Value::Null;
        s.userinfo = json!({ "login": "octocat", "id": 583231 });
    });
    id
}

/// Its owner comes from there just now; that is enough for the second account of a link. What
/// it joins is the set of whoever has shown before who they are.
#[test]
fn an_account_of_plain_oauth_is_linked_by_signing_in_there() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = hub(&server, &provider);
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    assert_eq!(browser.get("/p/link").title(), "Link another account");
    browser.submit(&browser.form());

    let outcome = provider.login_by(&browser, &link(&browser, id));

    assert_eq!(outcome.title(), "Link these accounts?");
    browser.submit(&browser.form().set("decision", "link"));
    let alice_id = alice.id;
    let set = server.read(move |tx| Ok(tx.fetch(&identities::set_of(alice_id))?));
    assert_eq!(set.len(), 2);
    let undated = "SELECT count(*) FROM browser_authentications WHERE undated = 1";
    assert_eq!(server.count(undated, params![]), 1, "nobody knows when it was");
}

/// H6, H7: plain OAuth 2.0 has no word for any of it. GitHub signs in whoever is signed in there.
#[test]
fn plain_oauth_never_meets_a_demand_for_a_recent_sign_in() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = hub(&server, &provider);
    let client = server.client().create();
    for (name, value) in [("max_age", "300"), ("max_age", "0"), ("prompt", "login")] {
        let browser = server.browser();
        browser.authorize(&client, &client.params("openid").set(name, value));
        let outcome = browser.get(&link(&browser, id));
        let text = outcome.page().text();
        assert!(
            text.contains("<code>no_recent_sign_in</code>"),
            "{name}={value}: {text}"
        );
        assert!(text.contains("Choose how to sign in"), "{text}");
    }
    let browser = server.browser();
    let outcome = browser.get(&format!("/p/login/with/{id}?next=begin-link"));
    assert!(outcome.page().text().contains("<code>no_recent_sign_in</code>"));

    provider.login(&browser, id);
    assert!(is_signed_in(&browser));
    let outcome = browser.authorize(&client, &client.params("openid").set("max_age", "300"));
    assert_eq!(outcome.title(), "Sign in");
    let outcome = browser.get("/p/link");
    assert_eq!(outcome.title(), "Sign in", "no change to an account");
    let policy = recent_policy(&server);
    let params = client
        .params("openid")
        .set("session_required_policies", &policy.to_string());
    assert_eq!(browser.authorize(&client, &params).title(), "Sign in");
    // Without such a demand it is as good as any.
    assert!(
        browser
            .authorize(&client, &client.params("openid"))
            .page()
            .status
            .is_success()
    );
    assert!(browser.path().starts_with("/p/consent"));
}

/// Signed in within half an hour.
fn recent_policy(server: &TestServer) -> PolicyId {
    let policy = Policy {
        id: PolicyId(portolan_server::app::new_uuid()),
        project_id: server.project("P"),
        display_name: "Recent".into(),
        description: "Signed in within half an hour.".into(),
        high_assurance: true,
        authentication_assurance_timeout: Some(1800),
        required_mfa: false,
        domain_constraints_include: None,
        domain_constraints_exclude: None,
        unlisted: false,
        only_identities: None,
    };
    let (id, now) = (policy.id, server.now());
    server.write(move |tx| policies::insert(tx, &policy, now));
    id
}

/// Decisions, section 6: pages that change an account ask for a new sign-in, not only for one
/// that is not old.
#[test]
fn pages_that_change_an_account_ask_the_provider_for_a_new_sign_in() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    for next in [
        "begin-link",
        "security",
        "address",
        "unlink&identity=00000000-0000-0000-0000-000000000007",
    ] {
        let left = server
            .browser()
            .get(&format!("/p/login/with/{id}?next={next}"))
            .left()
            .clone();
        assert_eq!(left.get("prompt").as_deref(), Some("login"), "{next}");
        assert_eq!(left.get("max_age").as_deref(), Some("600"), "{next}");
    }
    let left = server
        .browser()
        .get(&format!("/p/login/with/{id}?next=sessions"))
        .left()
        .clone();
    assert_eq!((left.get("prompt"), left.get("max_age")), (None, None));
}

#[test]
fn what_is_sent_to_the_provider_is_what_the_standard_says_and_nothing_is_stored_in_the_clear() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register_with(&server, "uni", &["uni.example"], "oidc", |c| {
        c.parameters.insert("idphint".into(), "https://idp.uni.example".into());
    });
    let left = server.browser().get(&format!("/p/login/with/{id}")).left().clone();
    assert_eq!(left.address(), format!("{}/authorize", provider.url));
    let get = |name: &str| left.get(name).unwrap();
    assert_eq!(get("response_type"), "code");
    assert_eq!(get("client_id"), "portolan-at-the-provider");
    assert_eq!(get("redirect_uri"), format!("https://auth.example.org/p/callback/{id}"));
    assert_eq!(get("scope"), "openid email profile");
    assert_eq!(get("code_challenge_method"), "S256");
    assert_eq!(get("idphint"), "https://idp.uni.example");
    assert_eq!(
        (get("state").len(), get("nonce").len(), get("code_challenge").len()),
        (43, 43, 43)
    );
    assert!(left.get("prompt").is_none() && left.get("max_age").is_none() && left.get("login_hint").is_none());
    let stored = server.read(|tx| {
        let row: (Vec<u8>, String) = tx.fetch_one("SELECT state_hash, destination FROM upstream_logins", params![])?;
        Ok(format!("{row:?}"))
    });
    for secret in [get("state"), get("nonce"), get("code_challenge")] {
        assert!(!stored.contains(&secret));
    }
    let second = server.browser().get(&format!("/p/login/with/{id}")).left().clone();
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(second.get(name), left.get(name), "{name}");
    }
}

/// H7: the time is that of the authentication, also when it happened elsewhere.
#[test]
fn an_app_gets_its_code_and_the_time_of_the_authentication_at_the_provider() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let client = server.client().create();
    let then = server.now().seconds() - 1000;
    set(&provider, "auth_time", json!(then));
    set(&provider, "amr", json!(["pwd", "hwk"]));
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid").set("max_age", "3600"));
    let outcome = provider.login_by(&browser, &link(&browser, id));
    assert!(outcome.is_page());
    let code = browser.allow().code();

    let claims = client.exchange(&code).claims();

    assert_eq!(claims["auth_time"], then);
    assert_eq!(
        claims["sub"],
        identity(&server, "alice@uni.example").unwrap().id.to_string()
    );
    assert_eq!(claims["amr"], json!(["pwd", "hwk"]));
}

/// H6, H7: what the app asks for is asked of the provider.
#[test]
fn a_new_login_is_asked_of_the_provider_and_an_old_one_is_not_taken_for_it() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "uni", &["uni.example"]);
    let client = server.client().create();
    let out = |browser: &Browser, name: &str, value: &str| {
        browser.authorize(&client, &client.params("openid").set(name, value));
        browser.get(&link(browser, id)).left().clone()
    };
    let table = [
        ("prompt", "login", (Some("login"), Some("0"), None)),
        ("prompt", "select_account", (Some("select_account"), None, None)),
        ("max_age", "0", (Some("login"), Some("0"), None)),
        ("max_age", "300", (None, Some("300"), None)),
        (
            "login_hint",
            "alice@uni.example",
            (None, None, Some("alice@uni.example")),
        ),
        (
            "login_hint",
            "alice@UNI.example",
            (None, None, Some("alice@UNI.example")),
        ),
        ("login_hint", "alice", (None, None, Some("alice"))),
        // Not their business.
        ("login_hint", "alice@elsewhere.example", (None, None, None)),
    ];
    for (name, value, (prompt, max_age, hint)) in table {
        let left = out(&server.browser(), name, value);
        let found = (left.get("prompt"), left.get("max_age"), left.get("login_hint"));
        let expected = (
            prompt.map(str::to_owned),
            max_age.map(str::to_owned),
            hint.map(str::to_owned),
        );
        assert_eq!(found, expected, "{name}={value}");
    }

    // The person was signed in at the provider an hour ago, and it does not ask again.
    for (name, value, age, good) in [
        ("prompt", "login", 3600, false),
        ("max_age", "0", 3600, false),
        ("max_age", "300", 400, false),
        ("max_age", "300", 200, true),
        ("prompt", "login", 0, true),
    ] {
        let (browser, now) = (server.browser(), server.now().seconds());
        let left = out(&browser, name, value);
        set(&provider, "auth_time", json!(now - age));
        let outcome = provider.come_back(&browser, &left, &provider.authorize(&left));
        assert_eq!(
            outcome.page().text().contains(fault::NOT_FRESH.code),
            !good,
            "{name}={value} after {age}: {}",
            outcome.page().summary()
        );
        assert_eq!(is_signed_in(&browser), good, "{name}={value} after {age}");
    }
}

#[test]
fn what_a_policy_demands_is_asked_of_the_provider() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let id = provider.register_with(&server, "uni", &["uni.example"], "oidc", |c| c.trust_mfa = true);
    let client = server.client().create();
    let policy = Policy {
        id: PolicyId(portolan_server::app::new_uuid()),
        project_id: server.project("P"),
        display_name: "Fresh".into(),
        description: "Signed in within half an hour, with two factors.".into(),
        high_assurance: true,
        authentication_assurance_timeout: Some(1800),
        required_mfa: true,
        domain_constraints_include: None,
        domain_constraints_exclude: None,
        unlisted: false,
        only_identities: None,
    };
    let (policy_id, now) = (policy.id, server.now());
    server.write(move |tx| policies::insert(tx, &policy, now));
    let browser = server.browser();
    let params = client
        .params("openid")
        .set("session_required_policies", &policy_id.to_string());
    browser.authorize(&client, &params);
    let left = browser.get(&link(&browser, id)).left().clone();
    assert_eq!(left.get("max_age").as_deref(), Some("1800"));
    assert_eq!(left.get("acr_values").as_deref(), Some(REFEDS_MFA));

    // An old session there is not taken; a recent one with two factors is.
    set(&provider, "amr", json!(["pwd", "mfa"]));
    set(&provider, "auth_time", json!(server.now().seconds() - 3600));
    let outcome = provider.come_back(&browser, &left, &provider.authorize(&left));
    assert_refused(&server, &browser, id, &outcome, fault::NOT_FRESH, "an hour ago");
    set(&provider, "auth_time", json!(server.now().seconds() - 60));
    browser.authorize(&client, &params);
    let outcome = provider.login_by(&browser, &link(&browser, id));
    assert!(browser.path().starts_with("/p/consent"), "{}", outcome.page().summary());
}

/// H10: REFEDS MFA in and out, and only where the operator believes it.
#[test]
fn two_factors_at_a_provider_count_where_the_operator_says_so() {
    let server = server();
    let client = server.client().create();
    for (trust_mfa, name) in [(true, "trusted"), (false, "untrusted")] {
        for (form, acr, amr) in [
            ("class", json!(REFEDS_MFA), json!(null)),
            ("methods", json!(null), json!(["pwd", "otp", "mfa"])),
            ("text", json!(null), json!("mfa")),
        ] {
            let provider = FakeProvider::start(&server);
            let domain = format!("{name}-{form}.example");
            let id = provider.register_with(&server, &format!("{name}-{form}"), &[&domain], "oidc", |c| {
                c.trust_mfa = trust_mfa;
            });
            set(&provider, "acr", acr);
            set(&provider, "amr", amr);
            let browser = server.browser();
            browser.authorize(&client, &client.params("openid").set("session_required_mfa", "true"));
            let left = browser.get(&link(&browser, id)).left().clone();
            assert_eq!(left.get("acr_values").is_some(), trust_mfa, "{domain}");

            let outcome = provider.come_back(&browser, &left, &provider.authorize(&left));

            let authentication = proved(&server, &format!("alice@{domain}"));
            let shows = portolan_server::domain::policy::shows_mfa(&authentication);
            assert_eq!(shows, trust_mfa, "{domain}");
            let asks_consent = outcome.page().status == StatusCode::OK && browser.path().starts_with("/p/consent");
            assert_eq!(asks_consent, trust_mfa, "{domain}: {}", outcome.page().summary());
        }
    }
}

/// ORCID tells `amr` as a text, and the iD as subject; the username is made of it.
#[test]
fn the_preset_of_orcid_reads_what_orcid_sends() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let recorded = preset("orcid").unwrap();
    let id = provider.register_with(&server, "orcid", recorded.domains, recorded.kind, |c| {
        *c = recorded.configuration.clone();
        c.client_id = "portolan-at-the-provider".into();
        c.trust_mfa = true;
    });
    provider.script(|s| {
        s.document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        s.document["claims_supported"] = json!(["family_name", "given_name", "name", "auth_time", "iss", "sub"]);
        s.document["response_types_supported"] = json!(["code", "id_token", "id_token token"]);
        s.document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
        s.header = json!({});
        s.claims = json!({
            "sub": "0000-0002-1825-0097", "at_hash": "5TaEyUSRyXxJ9fXKpPUsYg", "auth_time": s.now - 5,
            "given_name": "Josiah", "family_name": "Carberry", "amr": "mfa", "jti": "1d4a", "aud": "portolan-at-the-provider"
        });
        s.without = vec!["at_hash"];
        s.tokens = json!({ "token_type": "bearer", "refresh_token": "r", "expires_in": 631138518, "scope": "openid",
                           "name": "Josiah Carberry", "orcid": "0000-0002-1825-0097" });
        s.userinfo = json!({ "id": "https://orcid.org/0000-0002-1825-0097", "sub": "0000-0002-1825-0097", "name": null,
                             "family_name": "Carberry", "given_name": "Josiah" });
    });

    let outcome = provider.login(&server.browser(), id);

    assert!(outcome.page().status.is_success(), "{}", outcome.page().summary());
    let josiah = identity(&server, "0000-0002-1825-0097@orcid.org").unwrap();
    assert_eq!(josiah.name.as_deref(), Some("Josiah Carberry"));
    let authentication = proved(&server, "0000-0002-1825-0097@orcid.org");
    assert_eq!(authentication.amr().unwrap(), ["mfa"]);
    assert_eq!(authentication.authenticated_at.seconds(), server.now().seconds() - 5);
}

/// GitHub has no ID token: its interface says who the token is of, by a number.
#[test]
fn the_preset_of_github_reads_what_github_sends() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let recorded = preset("github").unwrap();
    let endpoints = Endpoints {
        authorization: format!("{}/login/oauth/authorize", provider.url),
        token: format!("{}/token", provider.url),
        user: format!("{}/user", provider.url),
        emails: Some(format!("{}/user/emails", provider.url)),
    };
    let id = provider.register_with(&server, "github", recorded.domains, recorded.kind, |c| {
        *c = recorded.configuration.clone();
        c.client_id = "portolan-at-the-provider".into();
        c.endpoints = Some(endpoints.clone());
    });
    provider.script(|s| {
        s.document = Value::Null;
        s.tokens = json!({ "access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "token_type": "bearer",
                           "scope": "read:user,user:email" });
        s.userinfo = json!({ "login": "Octocat", "id": 583231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "name": "The Octocat",
                             "company": "@github", "email": "public@elsewhere.example", "two_factor_authentication": true });
        s.emails = json!([
            { "email": "old@github.example", "primary": false, "verified": true, "visibility": null },
            { "email": "octocat@github.example", "primary": true, "verified": true, "visibility": "private" },
        ]);
    });
    let browser = server.browser();
    let left = browser.get(&format!("/p/login/with/{id}")).left().clone();
    assert_eq!(left.get("scope").unwrap(), "read:user user:email");
    assert!(left.get("nonce").is_none());

    let outcome = provider.come_back(&browser, &left, &provider.authorize(&left));

    assert!(outcome.page().status.is_success(), "{}", outcome.page().summary());
    let octocat = identity(&server, "octocat@github.com").unwrap();
    assert_eq!(octocat.subject.as_deref(), Some("583231"));
    assert_eq!(octocat.email.as_deref(), Some("octocat@github.example"));
    assert_eq!(
        (octocat.name.as_deref(), octocat.organization.as_deref()),
        (Some("The Octocat"), Some("@github"))
    );
    assert_eq!(provider.visits("/openid-configuration"), 0);

    // A name at GitHub can be given up and taken by somebody else; the number cannot.
    provider.script(|s| s.userinfo["id"] = json!(999));
    provider.login(&server.browser(), id);
    assert_ne!(identity(&server, "octocat@github.com").unwrap().id, octocat.id);

    // What it says when a code is wrong comes with a success.
    provider.script(|s| s.tokens = json!({ "access_token": null, "error": "bad_verification_code" }));
    let browser = server.browser();
    let outcome = provider.login(&browser, id);
    assert_refused(&server, &browser, id, &outcome, fault::TOKEN_REFUSED, "a wrong code");
    // An address that is not verified is not kept; nobody without a number is anybody.
    provider.script(|s| {
        s.tokens = json!({});
        s.userinfo["id"] = json!(1000);
        s.userinfo["login"] = json!("mallory");
        s.emails = json!([{ "email": "octocat@github.example", "primary": true, "verified": false }]);
    });
    provider.login(&server.browser(), id);
    assert_eq!(identity(&server, "mallory@github.com").unwrap().email, None);
    provider.script(|s| s.userinfo["id"] = json!(null));
    let browser = server.browser();
    let outcome = provider.login(&browser, id);
    assert_refused(
        &server,
        &browser,
        id,
        &outcome,
        fault::ID_TOKEN_SUBJECT,
        "without a number",
    );
}

/// Each tenant of Microsoft is an issuer; the document for everybody names none.
#[test]
fn the_preset_of_microsoft_wants_the_issuer_of_one_tenant() {
    let server = server();
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let provider = FakeProvider::at(&server, &format!("/{tenant}/v2.0"));
    let recorded = preset("microsoft").unwrap();
    let register = |short_name: &str, domain: &str| {
        provider.register_with(&server, short_name, &[domain], recorded.kind, |c| {
            *c = recorded.configuration.clone();
            c.client_id = "portolan-at-the-provider".into();
            c.required_claims.insert("tid".into(), tenant.into());
        })
    };
    let id = register("contoso", "contoso.example");
    provider.script(|s| {
        s.document["token_endpoint_auth_methods_supported"] =
            json!(["client_secret_post", "private_key_jwt", "client_secret_basic"]);
        s.document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
        s.document["cloud_instance_name"] = json!("microsoftonline.com");
        s.claims = json!({
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "preferred_username": "Alice@Contoso.example", "name": "Alice", "tid": tenant, "ver": "2.0", "uti": "x",
            "rh": "0.AAAA"
        });
        s.userinfo = json!({ "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "name": "Alice",
                             "email": "alice@contoso.example", "picture": "https://graph.microsoft.com/v1.0/me/photo/$value" });
    });
    let outcome = provider.login(&server.browser(), id);
    assert!(outcome.page().status.is_success(), "{}", outcome.page().summary());
    assert_eq!(
        identity(&server, "alice@contoso.example").unwrap().email.as_deref(),
        Some("alice@contoso.example")
    );

    // Somebody of another tenant, with a token that is genuine there.
    set(&provider, "tid", json!("another-tenant"));
    let browser = server.browser();
    let outcome = provider.login(&browser, id);
    assert_refused(&server, &browser, id, &outcome, fault::REQUIRED_CLAIM, "another tenant");

    // `common`: its document names a pattern as issuer.
    let common = FakeProvider::at(&server, "/common/v2.0");
    common.script(|s| s.document["issuer"] = json!("https://login.microsoftonline.com/{tenantid}/v2.0"));
    let everybody = common.register(&server, "everybody", &["everybody.example"]);
    let browser = server.browser();
    let outcome = common.login(&browser, everybody);
    assert_refused(&server, &browser, everybody, &outcome, fault::DOCUMENT_ISSUER, "common");
}

/// CILogon, Google and Keycloak: which claim is the username.
#[test]
fn the_other_presets_take_the_username_where_their_provider_puts_it() {
    let server = server();
    type Row = (
        &'static str,
        &'static [&'static str],
        Value,
        &'static str,
        Option<&'static str>,
    );
    let table: [Row; 3] = [
        (
            "cilogon",
            &["uni.example"],
            json!({ "eppn": "alice@uni.example", "idp_name": "University of Example", "acr": "https://refeds.org/profile/sfa",
                    "idp": "https://idp.uni.example/shibboleth", "email": "alice@uni.example", "auth_time": 1_772_366_000 }),
            "alice@uni.example",
            Some("University of Example"),
        ),
        (
            "google",
            &["gmail.com", "lab.example"],
            json!({ "email": "Alice@lab.example", "email_verified": true, "hd": "lab.example", "azp": "portolan-at-the-provider" }),
            "alice@lab.example",
            Some("lab.example"),
        ),
        (
            "keycloak",
            &["kc.example"],
            json!({ "preferred_username": "alice", "session_state": "x", "acr": "1", "azp": "portolan-at-the-provider" }),
            "alice@kc.example",
            None,
        ),
    ];
    for (name, domains, claims, username, organization) in table {
        let provider = FakeProvider::start(&server);
        let recorded = preset(name).unwrap();
        let id = provider.register_with(&server, name, domains, recorded.kind, |c| {
            *c = recorded.configuration.clone();
            c.client_id = "portolan-at-the-provider".into();
        });
        provider.script(|s| {
            s.claims = claims;
            s.claims["sub"] = json!("subject-of-alice");
        });
        let outcome = provider.login(&server.browser(), id);
        assert!(
            outcome.page().status.is_success(),
            "{name}: {}",
            outcome.page().summary()
        );
        let alice = identity(&server, username).unwrap();
        assert_eq!(alice.organization.as_deref(), organization, "{name}");
    }
}

/// Plain OAuth 2.0 that is not set up: told, not guessed.
#[test]
fn plain_oauth_without_addresses_is_refused_when_it_is_registered() {
    let server = server();
    let provider = FakeProvider::start(&server);
    let registered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        provider.register_with(&server, "x", &["x.example"], OAUTH2, |c| c.claims = Claims::default())
    }));
    assert!(registered.is_err());
}

/// The choice is remembered in this browser, and the way back works after an error.
#[test]
fn the_last_provider_is_offered_first_the_next_time() {
    let server = server();
    let provider = FakeProvider::start(&server);
    for number in 0..30 {
        provider.register(&server, &format!("p{number:02}"), &[&format!("p{number:02}.example")]);
    }
    let id = provider.register(&server, "zuletzt", &["zuletzt.example"]);
    let browser = server.browser();
    let is_offered = |browser: &Browser| {
        browser.get("/p/login");
        browser.text().contains(&format!("/p/login/with/{id}\""))
    };
    assert!(!is_offered(&browser));
    provider.login(&browser, id);
    browser.set_cookie("__Host-portolan", "another browser session would be empty now, see?");
    let Outcome::Page(_) = browser.get("/p/login") else {
        panic!("the login page")
    };
    assert!(is_offered(&browser));
    browser.set_cookie("__Host-portolan-idp", "no id");
    assert!(!is_offered(&browser));
}
