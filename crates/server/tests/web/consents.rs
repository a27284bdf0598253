//! The page where people see and take back what they allowed (wire.md 1.12, 2.9): what
//! ends is said beforehand, ends at once, and is nobody else's to end.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::store::consents;
use portolan_types::{ConsentId, ScopeId};
use serde_json::Value;

use super::consent::{Services, services};
use crate::support::{
    Browser, Form, Outcome, Params, TestClient, TestResourceServer, TestServer, TestUser, Tokens, assert_says,
    each_engine, words,
};

const LIST: &str = "/v2/web/consents";
const DEPENDENT: &str = "urn:globus:auth:grant_type:dependent_token";

/// `all` of the portal needs `read` of the data service and may use `write` of it.
struct Harbour {
    server: TestServer,
    alice: TestUser,
    browser: Browser,
    client: TestClient,
    portal: TestResourceServer,
    data: TestResourceServer,
}

impl Harbour {
    fn new(server: &TestServer) -> Self {
        let Services { portal, data } = services(server);
        let alice = server.user("alice").create();
        Self {
            server: server.clone(),
            browser: server.browser_of(&alice),
            alice,
            client: server.client().named("Beamline").create(),
            portal,
            data,
        }
    }

    /// Alice allows the app everything; with refresh tokens.
    fn allow(&self) -> Tokens {
        self.allow_client(&self.client)
    }

    fn allow_client(&self, client: &TestClient) -> Tokens {
        let scope = format!("openid {} {}", self.portal.scope("all"), self.portal.scope("extra"));
        client.offline_tokens(&self.browser, &scope)
    }

    /// The token that the portal gets for the data service in exchange.
    fn dependent(&self, token: &str, scope: &str) -> String {
        let params = Params::default()
            .set("grant_type", DEPENDENT)
            .set("token", token)
            .set("scope", self.data.scope(scope));
        let answer = self.portal.token(&params).ok().json();
        answer[0]["access_token"]
            .as_str()
            .expect("a token for the data service")
            .to_owned()
    }

    /// Where Alice's consent for a scope of this client's trees is withdrawn.
    fn page_of(&self, client: &TestClient, scope: ScopeId) -> String {
        format!("{LIST}/{}", self.find(client, scope).expect("Alice allowed it"))
    }

    fn find(&self, client: &TestClient, scope: ScopeId) -> Option<ConsentId> {
        let (alice, client) = (self.alice.id, client.id);
        let trees = self.server.read(move |tx| consents::list_trees(tx, alice, client));
        trees
            .iter()
            .find(|consent| consent.scope_id == scope)
            .map(|consent| consent.id)
    }

    fn ask(&self, path: &str) -> String {
        let page = self.browser.get(path);
        assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
        words(&page.page().text())
    }

    /// Looks at what would end, and agrees. The words are those of the page that asked.
    fn withdraw(&self, path: &str) -> String {
        let asked = self.ask(path);
        let answer = self.post(&self.browser.form());
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.summary());
        assert_eq!(answer.location(), "/v2/web/consents?notice=withdrawn");
        asked
    }

    fn post(&self, form: &Form) -> crate::support::Answer {
        self.browser.send(Method::POST, &form.action, Some(&form.fields))
    }
}

/// What a person reads: the main part without markup.
#[track_caller]
fn assert_silent(text: &str, unexpected: &str) {
    assert!(!text.contains(unexpected), "{unexpected:?} is in {text:?}");
}

fn field<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().unwrap_or_default()
}

/// standards.md AC2.
#[test]
fn the_list_shows_each_app_with_its_tree_and_what_can_end_alone() {
    let harbour = Harbour::new(&TestServer::new());
    let program = harbour
        .server
        .client()
        .public_installed()
        .named("Chart Program")
        .create();
    let params = program.params("openid").set("prefill_named_grant", "my laptop");
    program.exchange(&program.code_with(&harbour.browser, &params));
    harbour.server.advance_seconds(86_400);
    // The session of yesterday has ended.
    harbour.browser.get("/p/login");
    harbour.browser.login(&harbour.alice);
    let tokens = harbour.allow();
    harbour.server.advance_seconds(3_600);
    let token = tokens.of("portal.example");
    harbour.dependent(token.access_token(), "read");

    let html = harbour.browser.get(LIST).page().text();
    let text = words(&html);

    let (beamline, chart) = text
        .split_once("Chart Program")
        .expect("apps stand in the order of their names");
    for expected in [
        "Beamline",
        "Allowed by alice@portolan.local",
        "it may go on with what is marked below",
        "Scope all also while you are away What all is for. at The service portal.example",
        "Since 2 March 2026",
        "To do this, The service portal.example may also, on your behalf:",
        "Scope read What read is for. at The service data.example",
        "last used 2 March 2026, 13:00 UTC",
        "Withdraw only this… Scope write at The service data.example, Beamline",
        "Withdraw… Scope all, Beamline",
        "Withdraw everything… that Beamline may do",
    ] {
        assert_says(beamline, expected);
    }
    // What the portal cannot do without is no choice of its own.
    assert_silent(beamline, "Withdraw only this… Scope read");
    for expected in ["Your name for it my laptop", "Since 1 March 2026", "it cannot go on"] {
        assert_says(chart, expected);
    }
    assert_silent(chart, "that Chart Program may do");
    assert_says(chart, "Withdraw everything from all apps…");
    // What the portal cannot do without says so.
    assert_says(beamline, "Cannot be withdrawn alone.");

    let links = html.matches("href=\"/v2/web/consents/").count();
    // Three roots, the branch, everything; the one of the program; and all of both.
    assert_eq!(links, 7, "{html}");
}

#[test]
fn the_list_is_empty_for_somebody_who_allowed_nothing() {
    let harbour = Harbour::new(&TestServer::new());
    harbour.allow();
    let bob = harbour.server.user("bob").create();

    let page = harbour.server.browser_of(&bob).get(LIST).page().text();

    assert_says(&words(&page), "No app may act for you");
    assert_silent(&page, "Beamline");
}

#[test]
fn what_the_person_declined_is_not_shown_as_allowed() {
    let harbour = Harbour::new(&TestServer::new());
    harbour
        .browser
        .authorize(&harbour.client, &harbour.client.params(harbour.portal.scope("all")));
    let form = harbour.browser.form();
    let ticked = form.get("scope_optional").expect("the branch starts ticked").to_owned();
    harbour
        .browser
        .submit(&form.without("scope_optional", &ticked).set("decision", "allow"));

    let text = harbour.ask(LIST);

    assert_says(&text, "Scope read");
    assert_silent(&text, "Scope write");
}

/// standards.md AC2; threats.md 7: the next look at any token that rests on it says no.
#[test]
fn a_withdrawn_permission_ends_at_once_with_everything_beneath_it() {
    each_engine(|server| {
        let harbour = Harbour::new(server);
        let tokens = harbour.allow();
        let other_app = server.client().named("Other App").create();
        let others = harbour.allow_client(&other_app).of("portal.example");
        let portal = tokens.of("portal.example");
        let auth = tokens.of("auth.globus.org");
        let read = harbour.dependent(portal.access_token(), "read");
        let write = harbour.dependent(portal.access_token(), "write");
        let others_read = harbour.dependent(others.access_token(), "read");
        assert!(harbour.data.is_active(&read) && harbour.data.is_active(&write));

        let asked = harbour.withdraw(&harbour.page_of(&harbour.client, harbour.portal.scope_id("all")));

        for expected in [
            "Withdraw this permission? given to Beamline",
            "Beamline can no longer, in your name: Scope all at The service portal.example",
            "The service portal.example a service beneath can no longer, when it works for Beamline in your name: \
             Scope read at The service data.example What read is for. Scope write at The service data.example",
            "Work that goes on while you are away fails from then on",
            "Beamline keeps: Know who you are Scope extra",
        ] {
            assert_says(&asked, expected);
        }
        assert!(!harbour.portal.is_active(portal.access_token()));
        assert!(!harbour.data.is_active(&read) && !harbour.data.is_active(&write));
        let refresh = harbour.client.try_refresh(portal.refresh_token());
        assert_eq!(refresh.outcome(), "400 invalid_grant");
        let again = Params::default()
            .set("grant_type", DEPENDENT)
            .set("token", portal.access_token());
        assert_eq!(harbour.portal.token(&again).outcome(), "400 invalid_grant");
        // What rests on other permissions lives on.
        assert!(harbour.client.is_active(auth.access_token()));
        assert!(harbour.portal.is_active(others.access_token()));
        assert!(harbour.data.is_active(&others_read));

        let list = harbour.ask("/v2/web/consents?notice=withdrawn");
        assert_says(&list, "What you have withdrawn has ended");
        let (beamline, _) = list.split_once("Other App").expect("the other app is still there");
        assert_silent(beamline, "Scope all");
        assert_says(beamline, "Scope extra");
    });
}

#[test]
fn a_branch_that_can_end_alone_leaves_the_rest_of_its_tree() {
    each_engine(|server| {
        let harbour = Harbour::new(server);
        let portal = harbour.allow().of("portal.example");
        let read = harbour.dependent(portal.access_token(), "read");
        let write = harbour.dependent(portal.access_token(), "write");

        let asked = harbour.withdraw(&harbour.page_of(&harbour.client, harbour.data.scope_id("write")));

        for expected in [
            "Withdraw this part? given to Beamline",
            "Only Scope write ends, with everything beneath it.",
            "The service portal.example a service beneath can no longer",
            "Beamline keeps: Know who you are Scope all Scope extra",
        ] {
            assert_says(&asked, expected);
        }
        assert_silent(&asked, "Scope read");
        assert!(!harbour.data.is_active(&write));
        assert!(harbour.data.is_active(&read));
        assert!(harbour.portal.is_active(portal.access_token()));
        harbour.client.refresh(portal.refresh_token());
        let list = harbour.ask(LIST);
        assert_silent(&list, "Scope write");
        assert_says(&list, "Scope read");
    });
}

#[test]
fn a_part_that_cannot_end_alone_takes_its_tree_and_the_page_says_so() {
    let harbour = Harbour::new(&TestServer::new());
    let portal = harbour.allow().of("portal.example");
    let read = harbour.dependent(portal.access_token(), "read");

    let asked = harbour.withdraw(&harbour.page_of(&harbour.client, harbour.data.scope_id("read")));

    assert_says(&asked, "The whole permission ends");
    assert_says(
        &asked,
        "Scope read cannot be withdrawn alone: Scope all does not work without it.",
    );
    assert_says(&asked, "Beamline can no longer, in your name: Scope all");
    assert!(!harbour.data.is_active(&read));
    assert!(!harbour.portal.is_active(portal.access_token()));
    assert_eq!(harbour.find(&harbour.client, harbour.portal.scope_id("all")), None);
    assert!(
        harbour
            .find(&harbour.client, harbour.portal.scope_id("extra"))
            .is_some()
    );
}

/// Saying no on the consent page to what was allowed before withdraws it, and a later yes
/// does not bring back what rested on it.
#[test]
fn a_branch_that_is_declined_later_ends_for_good() {
    let harbour = Harbour::new(&TestServer::new());
    let tokens = harbour.allow();
    let token = harbour.dependent(tokens.of("portal.example").access_token(), "write");
    assert!(harbour.data.is_active(&token));
    let params = harbour
        .client
        .params(harbour.portal.scope("all"))
        .set("prompt", "consent");

    harbour.browser.authorize(&harbour.client, &params);
    let form = harbour.browser.form();
    let place = form.get("scope_optional").expect("one box").to_owned();
    harbour
        .browser
        .submit(&form.without("scope_optional", &place).set("decision", "allow"));
    assert!(!harbour.data.is_active(&token), "declined");

    harbour.browser.authorize(&harbour.client, &params);
    harbour.browser.allow();
    assert!(!harbour.data.is_active(&token), "allowed anew");
}

#[test]
fn everything_of_an_app_ends_together_and_no_other_app_loses_anything() {
    let harbour = Harbour::new(&TestServer::new());
    let tokens = harbour.allow();
    let other_app = harbour.server.client().named("Other App").create();
    let others = harbour.allow_client(&other_app);
    let path = format!(
        "{}?extent=app",
        harbour.page_of(&harbour.client, harbour.portal.scope_id("extra"))
    );

    let asked = harbour.withdraw(&path);

    assert_says(&asked, "Everything ends that you have allowed Beamline.");
    assert_silent(&asked, "What stays");
    for name in ["portal.example", "auth.globus.org"] {
        assert!(!harbour.client.is_valid(tokens.of(name).access_token()), "{name}");
        assert!(other_app.is_valid(others.of(name).access_token()), "{name}");
    }
    let list = harbour.ask(LIST);
    assert_silent(&list, "Beamline");
    assert_says(&list, "Other App");
}

#[test]
fn everything_of_all_apps_ends_together_and_nobody_else_loses_anything() {
    each_engine(|server| {
        let harbour = Harbour::new(server);
        let tokens = harbour.allow();
        let read = harbour.dependent(tokens.of("portal.example").access_token(), "read");
        let other_app = server.client().named("Other App").create();
        let others = harbour.allow_client(&other_app);
        let bob = server.user("bob").create();
        let bobs = harbour.client.tokens(&server.browser_of(&bob), "openid");
        let list = harbour.browser.get(LIST).page().text();
        assert_says(&list, "href=\"/v2/web/consents/all\"");

        let asked = harbour.withdraw("/v2/web/consents/all");

        for expected in [
            "Everything ends that you have allowed these 2 apps.",
            "Beamline Beamline can no longer, in your name:",
            "The service portal.example can no longer, when it works for Beamline in your name: Scope read at",
            "Other App Other App can no longer, in your name:",
            "It ends at once",
            "Work that goes on while you are away fails from then on",
        ] {
            assert_says(&asked, expected);
        }
        for name in ["portal.example", "auth.globus.org"] {
            assert!(!harbour.client.is_valid(tokens.of(name).access_token()), "{name}");
            assert!(!other_app.is_valid(others.of(name).access_token()), "{name}");
        }
        assert!(!harbour.data.is_active(&read));
        assert!(harbour.client.is_valid(bobs.access_token()));
        assert_says(&harbour.ask(LIST), "No app may act for you");
        // The person stays signed in, and is told when there is nothing left.
        assert_says(&harbour.ask("/v2/web/consents/all"), "there is nothing to withdraw");
        let recorded = server.read(|tx| {
            let latest = (
                portolan_types::Timestamp::from_seconds(9_000_000_000),
                uuid::Uuid::max(),
            );
            portolan_server::store::audit::list_before(tx, latest, 100)
        });
        let roots = recorded.iter().filter(|entry| entry.action == "consent.revoke").count();
        assert_eq!(roots, 6, "each permission of each app");
    });
}

/// The person agrees to what was shown, also where it is everything.
#[test]
fn an_app_that_was_allowed_meanwhile_is_shown_first() {
    let harbour = Harbour::new(&TestServer::new());
    let tokens = harbour.allow();
    harbour.ask("/v2/web/consents/all");
    let stale = harbour.browser.form();
    harbour.allow_client(&harbour.server.client().named("Newer App").create());

    let answer = harbour.post(&stale);

    assert_eq!(answer.status, StatusCode::OK);
    let text = words(&answer.text());
    assert_says(&text, "What would end has changed. Look at it again");
    assert_says(&text, "Newer App");
    assert!(harbour.client.is_valid(tokens.access_token()));
}

#[test]
fn what_was_withdrawn_is_asked_for_again_and_the_old_tokens_stay_dead() {
    let harbour = Harbour::new(&TestServer::new());
    let old = harbour.allow().of("portal.example");
    harbour.withdraw(&harbour.page_of(&harbour.client, harbour.portal.scope_id("all")));

    let params = harbour.client.params(harbour.portal.scope("all"));
    let outcome = harbour.browser.authorize(&harbour.client, &params);
    assert_says(&words(&outcome.page().text()), "Beamline asks for your permission");
    let new = harbour.client.exchange(&harbour.browser.allow().code());

    assert!(harbour.portal.is_active(new.access_token()));
    assert!(!harbour.portal.is_active(old.access_token()));
}

/// threats.md 24.
#[test]
fn somebody_elses_consent_is_not_there() {
    let harbour = Harbour::new(&TestServer::new());
    let portal = harbour.allow().of("portal.example");
    let bob = harbour.server.user("bob").create();
    let stranger = harbour.server.browser_of(&bob);
    harbour.client.tokens(&stranger, "openid");
    let path = harbour.page_of(&harbour.client, harbour.portal.scope_id("all"));
    harbour.ask(&path);
    let shown = harbour.browser.form();
    let unknown = format!("{LIST}/12345");
    stranger.get(LIST);
    stranger.get(&format!("{LIST}/{}", own_consent(&harbour.server, &bob)));
    let own_token = stranger.form().get("form_token").unwrap().to_owned();

    for path in [path.as_str(), &unknown, "/v2/web/consents/x", "/v2/web/consents/-1"] {
        for query in ["", "?extent=app"] {
            let page = stranger.send(Method::GET, &format!("{path}{query}"), None);
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
            assert_silent(&page.text(), "Beamline");
        }
        let form = shown.clone().set("form_token", &own_token);
        for fields in [form.fields.clone(), form.set("extent", "app").fields] {
            let answer = stranger.send(Method::POST, path, Some(&fields));
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    assert!(harbour.portal.is_active(portal.access_token()));
}

fn own_consent(server: &TestServer, user: &TestUser) -> ConsentId {
    let id = user.id;
    server.read(move |tx| consents::list_by_identity(tx, id))[0].id
}

/// threats.md 16: another site can neither make the form nor send it.
#[test]
fn a_forged_form_withdraws_nothing() {
    let harbour = Harbour::new(&TestServer::new());
    let portal = harbour.allow().of("portal.example");
    harbour.ask(&harbour.page_of(&harbour.client, harbour.portal.scope_id("all")));
    let form = harbour.browser.form();
    let bob = harbour.server.user("bob").create();
    let others = harbour.server.browser_of(&bob);
    others.get("/v2/web/logout");
    let foreign = others.form().get("form_token").unwrap().to_owned();
    let genuine = form.get("form_token").unwrap().to_owned();

    for token in ["", "forged", foreign.as_str()] {
        let answer = harbour.post(&form.clone().set("form_token", token));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(
        harbour.post(&form.clone().without("form_token", &genuine)).status,
        StatusCode::FORBIDDEN
    );
    let nobody = harbour.server.browser();
    let answer = nobody.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(harbour.portal.is_active(portal.access_token()));

    assert_eq!(harbour.post(&form).status, StatusCode::SEE_OTHER);
    assert!(!harbour.portal.is_active(portal.access_token()));
    assert_eq!(harbour.post(&form).status, StatusCode::NOT_FOUND, "it works once");
}

/// The person agrees to what was shown and to nothing else.
#[test]
fn what_changed_meanwhile_is_shown_again_first() {
    let harbour = Harbour::new(&TestServer::new());
    let portal = harbour.allow().of("portal.example");
    let path = harbour.page_of(&harbour.client, harbour.portal.scope_id("all"));
    harbour.ask(&path);
    let stale = harbour.browser.form();
    let branch = harbour.find(&harbour.client, harbour.data.scope_id("write")).unwrap();
    harbour
        .server
        .sql("DELETE FROM consents WHERE id = $1", params![branch]);

    for form in [
        stale.clone(),
        stale.clone().set("shown", ""),
        stale.set("extent", "app"),
    ] {
        let answer = harbour.post(&form);
        assert_eq!(answer.status, StatusCode::OK);
        assert_says(&words(&answer.text()), "What would end has changed. Look at it again");
    }
    assert!(harbour.portal.is_active(portal.access_token()));

    harbour.withdraw(&path);
    assert!(!harbour.portal.is_active(portal.access_token()));
}

#[test]
fn a_withdrawal_is_recorded_with_who_did_it() {
    let harbour = Harbour::new(&TestServer::new());
    harbour.allow();
    let read = harbour.find(&harbour.client, harbour.data.scope_id("read")).unwrap();
    let root = harbour.find(&harbour.client, harbour.portal.scope_id("all")).unwrap();

    harbour.withdraw(&format!("{LIST}/{read}"));

    let latest = (
        portolan_types::Timestamp::from_seconds(9_000_000_000),
        uuid::Uuid::max(),
    );
    let entries = harbour
        .server
        .read(move |tx| portolan_server::store::audit::list_before(tx, latest, 100));
    let recorded: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "consent.revoke")
        .collect();
    let [entry] = recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(
        (entry.actor_kind.as_str(), entry.actor_id, entry.resource_id.as_str()),
        ("identity", Some(harbour.alice.id.0), read.to_string().as_str())
    );
    let detail: Value = serde_json::from_str(&entry.detail).unwrap();
    assert_eq!(field(&detail, "scope"), harbour.data.scope("read"));
    assert_eq!(detail["cut"], serde_json::json!(root));
}

#[test]
fn what_linked_accounts_allowed_is_seen_and_withdrawn_too() {
    let harbour = Harbour::new(&TestServer::new());
    harbour.allow();
    let work = harbour.server.user("work").create();
    let works_tokens = harbour.client.tokens(&harbour.server.browser_of(&work), "openid email");
    harbour.server.sql(
        "UPDATE identities SET set_id = (SELECT set_id FROM identities WHERE id = $1) WHERE id = $2",
        params![harbour.alice.id, work.id],
    );

    let list = harbour.ask(LIST);
    assert_says(&list, "Allowed by alice@portolan.local, work@portolan.local");
    assert_says(&list, "Allowed by work@portolan.local since");
    for person in ["alice", "work"] {
        assert_says(
            &list,
            &format!("Withdraw… Know who you are, Beamline, {person}@portolan.local"),
        );
    }

    let everything = format!("{LIST}/{}?extent=app", own_consent(&harbour.server, &work));
    let asked = harbour.withdraw(&everything);
    assert_says(&asked, "Allowed by alice@portolan.local, work@portolan.local");
    assert!(!harbour.client.is_valid(works_tokens.access_token()));
    assert_says(&harbour.ask(LIST), "No app may act for you");
}

/// threats.md 17.
#[test]
fn hostile_names_stay_words() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().named("<script>alert(1)</script>").create();
    client.tokens(&browser, "openid");
    let consent = own_consent(&server, &alice);

    for path in [LIST.to_owned(), format!("{LIST}/{consent}")] {
        let html = browser.get(&path).page().text();
        assert_silent(&html, "<script>alert");
        assert_says(&words(&html), "<script>alert(1)</script>");
    }
}

#[test]
fn signing_in_comes_first_and_leads_back_to_the_list() {
    let harbour = Harbour::new(&TestServer::new());
    harbour.allow();
    let path = harbour.page_of(&harbour.client, harbour.portal.scope_id("all"));

    for path in [LIST, "/v2/web/consents/", path.as_str()] {
        let browser = harbour.server.browser();
        let answer = browser.send(Method::GET, path, None);
        assert_eq!(answer.location(), "/p/login?next=consents", "{path}");
        let login = browser.get(path).page().clone();
        assert_silent(&login.text(), "Beamline");

        let form = browser.form().set("username", "alice").set("password", "wrong");
        assert_eq!(browser.submit(&form).page().status, StatusCode::UNAUTHORIZED);
        browser.login(&harbour.alice);
        assert_eq!(browser.path(), LIST);
        assert_says(&words(&browser.text()), "Beamline");
        // Who is signed in already is not asked again.
        browser.get("/p/login?next=consents");
        assert_eq!(browser.path(), LIST);
    }
}

/// An open redirect would lend our name to a phishing page.
#[test]
fn no_next_leads_off_this_server() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/v2/web/logout",
        "javascript:alert(1)",
        "consents@evil.example",
        "consents/../../p/setup/x",
        "CONSENTS",
        "consents\r\nLocation: https://evil.example",
    ] {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("next", next)
            .finish();
        let browser = server.browser();
        browser.get(&format!("/p/login?{query}"));
        assert_silent(&browser.text(), "evil.example");
        let form = browser.form().set("username", "alice").set("password", &alice.password);
        for form in [form.clone(), form.set("next", next)] {
            let browser = browser.clone();
            let answer = browser.send(Method::POST, &form.action, Some(&form.fields));
            assert_eq!(
                (answer.status, answer.location()),
                (StatusCode::SEE_OTHER, "/"),
                "{next}"
            );
            let again = browser.send(Method::GET, &format!("/p/login?{query}"), None);
            assert_eq!(again.location(), "/", "{next}");
        }
    }
}

/// wire.md 2.9: the same rule as after a logout.
#[test]
fn the_way_back_is_offered_for_a_registered_origin_alone_and_survives_every_step() {
    let harbour = Harbour::new(&TestServer::new());
    harbour.allow();
    let query = |name: &str, uri: &str| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair(name, &harbour.client.id.to_string())
            .append_pair("redirect_uri", uri)
            .append_pair("redirect_name", "the <b>portal</b>")
            .finish()
    };
    let offered = "href=\"https://app.example/account?a=1&#38;b=2\" rel=\"noreferrer\">Back to the &#60;b&#62;portal";
    for name in ["client_id", "client"] {
        let query = query(name, "https://app.example/account?a=1&b=2");
        let browser = harbour.server.browser();
        browser.get(&format!("{LIST}?{query}"));
        browser.login(&harbour.alice);
        assert_says(&browser.text(), offered);

        // By way of the page that asks, and of both its buttons.
        let list = browser.text();
        let (_, rest) = list.split_once("href=\"/v2/web/consents/").expect("a permission");
        let (rest, _) = rest.split_once('"').unwrap();
        browser.get(&format!("{LIST}/{}", rest.replace("&#38;", "&")));
        let asked = browser.text();
        let (_, keep) = asked
            .split_once("<a class=\"button\" href=\"")
            .expect("a way to keep it");
        let (keep, _) = keep.split_once('"').unwrap();
        let Outcome::Page(kept) = browser.clone().get(&keep.replace("&#38;", "&")) else {
            panic!("{keep}")
        };
        assert_says(&kept.text(), offered);
        browser.submit(&browser.form());
        assert_says(&browser.text(), "What you have withdrawn has ended");
        assert_says(&browser.text(), offered);
    }

    for uri in [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "http://app.example/",
        "https://app.example:444/",
        "javascript:alert(1)",
        "//app.example/",
    ] {
        let page = harbour.browser.get(&format!("{LIST}?{}", query("client_id", uri)));
        assert_silent(&words(&page.page().text()), "Back to");
    }
}

#[test]
fn start_page_and_consent_page_lead_to_the_list() {
    let harbour = Harbour::new(&TestServer::new());

    assert_says(
        &harbour.browser.get("/").page().text(),
        "<a href=\"/v2/web/consents\">Your permissions</a>",
    );
    harbour
        .browser
        .authorize(&harbour.client, &harbour.client.params("openid"));
    assert_says(&harbour.browser.text(), "<a href=\"/v2/web/consents\"");
}

#[test]
fn after_logging_out_nothing_can_be_seen_or_withdrawn() {
    let harbour = Harbour::new(&TestServer::new());
    let portal = harbour.allow().of("portal.example");
    harbour.ask(&harbour.page_of(&harbour.client, harbour.portal.scope_id("all")));
    let form = harbour.browser.form();
    let before = harbour.browser.clone();
    harbour.browser.get("/v2/web/logout");
    harbour.browser.submit(&harbour.browser.form());

    // With the cookie of before, as somebody would who copied it.
    assert_eq!(
        before.send(Method::GET, LIST, None).location(),
        "/p/login?next=consents"
    );
    let answer = before.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!(answer.location(), "/p/login?next=consents");
    assert!(harbour.portal.is_active(portal.access_token()));
}
