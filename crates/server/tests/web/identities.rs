//! Linked accounts: linking by two proofs, unlinking, the primary (wire.md 1.3, 2.9;
//! decisions.md section 6; standards.md J5; threats.md 10 and 16).

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::store::audit;
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_types::{IdentityId, IdentityProviderId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::factors::{present, set_up_app};
use crate::support::{Auth, Browser, Form, Outcome, Params, TestClient, TestServer, TestUser, Tokens, otp};

const LIST: &str = "/v2/web/identities";
const COOKIE: &str = "__Host-portolan";
const PROFILE: &str = "openid profile email urn:globus:auth:scope:auth.globus.org:view_identity_set";
const DEPENDENT: &str = "urn:globus:auth:grant_type:dependent_token";

/// Alice has two accounts; her browser is signed in with the first.
struct Home {
    server: TestServer,
    alice: TestUser,
    other: TestUser,
    browser: Browser,
    client: TestClient,
}

impl Home {
    fn new() -> Self {
        let server = TestServer::new();
        let alice = server.user("alice").create();
        Self {
            other: server.user("alice-at-work").create(),
            browser: server.browser_of(&alice),
            client: server.client().named("Beamline").create(),
            alice,
            server,
        }
    }

    fn linked() -> Self {
        let home = Self::new();
        home.server.link(&home.alice, &home.other);
        home
    }

    /// Up to the login page of the second account.
    fn begin(&self) -> Outcome {
        let outcome = self.browser.get("/p/link");
        assert_eq!(outcome.title(), "Link another account");
        self.browser.submit(&self.browser.form())
    }

    /// Up to the page that shows both.
    fn prove(&self) -> Form {
        self.begin();
        self.browser.login(&self.other);
        assert_eq!(self.browser.title(), "Link these accounts?");
        self.browser.form()
    }

    fn usernames(&self) -> Vec<String> {
        names_of(&self.server, &self.alice)
    }

    fn are_linked(&self) -> bool {
        self.usernames().len() > 1
    }

    fn post(&self, form: &Form) -> crate::support::Answer {
        self.browser.send(Method::POST, &form.action, Some(&form.fields))
    }
}

/// The set of a person, the primary first.
fn names_of(server: &TestServer, user: &TestUser) -> Vec<String> {
    let id = user.id;
    let set = server.read(move |tx| Ok(tx.fetch(&portolan_server::store::identities::set_of(id))?));
    set.into_iter().map(|identity| identity.username).collect()
}

fn userinfo(server: &TestServer, token: &str) -> crate::support::Answer {
    server.get_as("/v2/oauth2/userinfo", &Auth::Bearer(token.to_owned()))
}

fn ids(list: &Value, member: &str) -> Vec<String> {
    let elements = list.as_array().expect("a list").iter();
    elements
        .map(|element| element[member].as_str().expect(member).to_owned())
        .collect()
}

fn authentications(client: &TestClient, token: &str) -> Vec<String> {
    let document = client.introspect_with(token, "session_info");
    let info = document["session_info"]["authentications"].as_object();
    let mut who: Vec<String> = info.expect("a map").keys().cloned().collect();
    who.sort();
    who
}

fn sorted(users: &[&TestUser]) -> Vec<String> {
    let mut ids: Vec<String> = users.iter().map(|user| user.id.to_string()).collect();
    ids.sort();
    ids
}

/// What was recorded of this action, the newest first: actor, resource.
fn audited(server: &TestServer, action: &'static str) -> Vec<(Option<Uuid>, String)> {
    let entries =
        server.read(|tx| audit::list_before(tx, (Timestamp::from_seconds(i64::MAX / 2_000_000), Uuid::max()), 100));
    entries
        .into_iter()
        .filter(|entry| entry.action == action)
        .map(|entry| (entry.actor_id, entry.resource_id))
        .collect()
}

fn mails(server: &TestServer, subject: &str, recipient: &str) -> i64 {
    server.count(
        "SELECT count(*) FROM outbox WHERE subject = $1 AND recipient = $2",
        params![subject, recipient],
    )
}

#[test]
fn two_accounts_are_linked_by_signing_in_with_both() {
    let home = Home::new();
    let page = home.begin();
    assert_eq!(page.title(), "Sign in with the other account");
    let text = page.page().text();
    assert!(text.contains("You stay signed in as alice@portolan.local"), "{text}");
    home.browser.login(&home.other);
    let text = home.browser.text();
    assert!(text.contains("alice@portolan.local") && text.contains("alice-at-work@portolan.local"));
    assert!(!home.are_linked(), "nothing happens before the person has agreed");

    home.browser.submit(&home.browser.form().set("decision", "link"));

    assert_eq!(home.browser.path(), "/v2/web/identities?notice=linked");
    assert_eq!(
        home.usernames(),
        ["alice@portolan.local", "alice-at-work@portolan.local"]
    );
    let tokens = home.client.tokens(&home.browser, PROFILE);
    let claims = tokens.claims();
    assert_eq!(claims["sub"], json!(home.alice.id), "apps know the primary");
    assert_eq!(
        ids(&claims["identity_set"], "sub"),
        [home.alice.id.to_string(), home.other.id.to_string()]
    );
    assert_eq!(
        authentications(&home.client, tokens.access_token()),
        sorted(&[&home.alice, &home.other]),
        "both sign-ins are in the session"
    );
    let linked = audited(&home.server, "identity.link");
    assert_eq!(linked, [(Some(home.alice.id.0), home.other.id.to_string())]);
    for address in ["alice@example.org", "alice-at-work@example.org"] {
        assert_eq!(mails(&home.server, "Two accounts were linked", address), 1, "{address}");
    }
}

#[test]
fn the_list_shows_each_account_and_what_can_be_done_with_it() {
    let home = Home::linked();
    let page = home.browser.get(LIST);
    let text = page.page().text();
    assert_eq!(page.title(), "Your accounts");
    for words in [
        "alice@portolan.local",
        "alice-at-work@portolan.local",
        "alice-at-work@example.org",
        "alice of the tests",
        "Example University",
        "1 March 2026, 12:00 UTC",
        "not yet",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(text.matches(">primary<").count(), 1);
    assert!(text.contains(&format!("{LIST}/{}/unlink", home.other.id)));
    assert!(text.contains(&format!("{LIST}/{}/primary", home.other.id)));
    assert!(
        !text.contains(&format!("{LIST}/{}/unlink", home.alice.id)),
        "not the primary"
    );
    // The start page leads here.
    assert!(
        home.browser
            .get("/")
            .page()
            .text()
            .contains("href=\"/v2/web/identities\"")
    );
}

#[test]
fn whoever_is_not_signed_in_signs_in_first_and_comes_back() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let query = format!(
        "?client_id={}&redirect_uri=https%3A%2F%2Fapp.example%2Faccount&redirect_name=the+portal",
        client.id
    );
    for path in [LIST, "/v2/web/identities/", "/p/link"] {
        let browser = server.browser();
        let page = browser.get(&format!("{path}{query}"));
        assert_eq!(page.title(), "Sign in", "{path}");
        browser.login(&alice);
        assert_eq!(browser.path(), format!("{}{query}", path.trim_end_matches('/')));
        let text = browser.text();
        assert!(text.contains("href=\"https://app.example/account\""), "{text}");
        assert!(text.contains("Back to the portal"), "{text}");
    }
}

/// Of the accounts that are signed in in a browser only those count that may still sign in.
#[test]
fn a_linked_account_that_is_switched_off_proves_nothing_beside_a_live_one() {
    use portolan_server::domain::session::Presence;
    let home = Home::new();
    let form = home.prove();
    home.browser.submit(&form.set("decision", "link"));
    let (alice, other) = (home.alice.id, home.other.id);
    let proving = || {
        home.server.read(move |tx| {
            let (session,) = tx.fetch_one(
                "SELECT browser_session_id FROM browser_authentications WHERE identity_id = $1",
                params![alice],
            )?;
            let mut ids: Vec<IdentityId> = Presence::of(tx, session)?
                .authentications
                .iter()
                .map(|authentication| authentication.identity_id)
                .collect();
            ids.sort_by_key(|id| *id != alice);
            Ok(ids)
        })
    };
    assert_eq!(proving(), [alice, other]);
    home.server
        .sql("UPDATE identities SET enabled = 0 WHERE id = $1", params![other]);
    assert_eq!(proving(), [alice]);
}

/// An app sends a person straight to linking, and gets them back. G1: only to an origin that it registered.
#[test]
fn an_app_sends_a_person_to_linking_and_gets_them_back() {
    let home = Home::new();
    for (uri, leads_back) in [
        ("https://app.example/account", true),
        ("https://evil.example/account", false),
        ("javascript:alert(1)", false),
    ] {
        let query = crate::support::encode(&[
            ("client", &home.client.id.to_string()),
            ("redirect_uri", uri),
            ("redirect_name", "the portal"),
        ]);
        home.browser.get(&format!("/p/link?{query}"));
        home.browser.submit(&home.browser.form());
        home.browser.login(&home.other);
        home.browser.submit(&home.browser.form().set("decision", "link"));
        assert!(
            home.browser
                .text()
                .contains("You can sign in with each of these accounts now.")
        );
        let link = format!("<a class=\"button\" href=\"{uri}\" rel=\"noreferrer\">Back to the portal</a>");
        assert_eq!(home.browser.text().contains(&link), leads_back, "{uri}");
        assert_eq!(home.browser.text().contains("the portal"), leads_back, "{uri}");
        home.server.unlink(&home.other);
    }
}

/// decisions.md section 6: both authentications at most ten minutes old.
#[test]
fn linking_needs_both_sign_ins_within_ten_minutes() {
    let home = Home::new();
    home.server.advance_seconds(601);
    let page = home.browser.get("/p/link");
    assert_eq!(page.title(), "Sign in");
    assert!(
        page.page().text().contains("needs a more recent sign-in"),
        "{}",
        page.page().text()
    );
    home.browser.login(&home.alice);
    assert_eq!(home.browser.title(), "Link another account");

    // Ten minutes after it began a link is gone, with the second proof or without.
    home.begin();
    home.server.advance_seconds(600);
    let late = home.browser.get(&home.browser.path());
    assert_eq!(late.page().status, StatusCode::BAD_REQUEST);

    // The first sign-in grows too old while the second one is fresh.
    home.server.advance_seconds(1);
    home.browser.get("/p/login?next=begin-link");
    let again = server_login(&home.browser, &home.alice);
    assert_eq!(again, "Link another account");
    home.server.advance_seconds(300);
    let form = home.prove();
    home.server.advance_seconds(301);
    let answer = home.post(&form.set("decision", "link"));
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.summary());
    assert!(answer.text().contains("within ten minutes"));
    assert!(!home.are_linked());

    // A form that was fetched in time and is sent too late begins nothing either.
    home.browser.get("/p/link");
    home.browser.login(&home.alice);
    let form = home.browser.form();
    home.server.advance_seconds(601);
    let answer = home.post(&form);
    assert!(
        answer.location().starts_with("/p/login?next=begin-link"),
        "{}",
        answer.location()
    );
}

fn server_login(browser: &Browser, user: &TestUser) -> String {
    browser.login(user);
    browser.title()
}

#[test]
fn giving_up_leaves_everything_as_it_was() {
    for late in [false, true] {
        let home = Home::new();
        let before = home.client.tokens(&home.browser, "openid");
        let form = if late {
            home.prove().set("decision", "cancel")
        } else {
            home.begin();
            home.browser.form().set("decision", "deny")
        };
        home.browser.submit(&form);

        assert_eq!(home.browser.path(), LIST);
        assert!(
            home.browser
                .text()
                .contains("Signed in as</span> <strong>alice@portolan.local")
        );
        assert!(!home.are_linked());
        let tokens = home.client.tokens(&home.browser, "openid");
        assert_eq!(tokens.claims()["sub"], json!(home.alice.id));
        assert_eq!(
            authentications(&home.client, tokens.access_token()),
            sorted(&[&home.alice])
        );
        assert!(home.client.is_active(before.access_token()));
        assert_eq!(home.server.count("SELECT count(*) FROM pending_links", params![]), 0);
        assert!(audited(&home.server, "identity.link").is_empty());
        let never = "SELECT count(*) FROM identities WHERE id = $1 AND last_authentication_at IS NULL";
        assert_eq!(home.server.count(never, params![home.other.id]), 1);
        // What was given up cannot be finished from a page that is still open.
        if late {
            let answer = home.post(&form.set("decision", "link"));
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(!home.are_linked());
        }
    }
}

/// G8, threats.md 16: the session is the same person's, under a new cookie.
#[test]
fn the_second_proof_changes_the_cookie_and_nobody() {
    let home = Home::new();
    home.begin();
    let planted = home.browser.cookie(COOKIE).unwrap();
    let device = home.browser.cookie("__Host-portolan-device");
    home.browser.login(&home.other);
    assert_ne!(home.browser.cookie(COOKIE).unwrap(), planted);
    assert_eq!(home.browser.cookie("__Host-portolan-device"), device);
    let thief = home.server.browser();
    thief.set_cookie(COOKIE, &planted);
    assert!(!thief.get("/").page().text().contains("Signed in as"));
    // Until the person agrees, apps learn nothing of the second one.
    let tokens = home.client.tokens(&home.browser, "openid");
    assert_eq!(tokens.claims()["sub"], json!(home.alice.id));
    assert_eq!(
        authentications(&home.client, tokens.access_token()),
        sorted(&[&home.alice])
    );
}

#[test]
fn a_link_that_cannot_be_says_what_to_do() {
    let home = Home::new();
    // The same account twice.
    home.begin();
    let page = home.browser.try_login(&home.alice.username, &home.alice.password);
    assert_eq!(
        (page.page().status, page.title().as_str()),
        (StatusCode::CONFLICT, "These accounts cannot be linked")
    );
    assert!(
        page.page()
            .text()
            .contains("You have signed in with alice@portolan.local")
    );
    let again = href(&page.page().text(), "Sign in with another account");
    assert_eq!(
        home.browser.get(&again).title(),
        "Sign in with the other account",
        "the link still waits"
    );

    // Linked with others already: an identity belongs to one set (wire.md 1.3).
    let friend = home.server.user("friend").create();
    home.server.link(&friend, &home.other);
    let page = home.browser.try_login(&home.other.username, &home.other.password);
    assert_eq!(page.page().status, StatusCode::CONFLICT);
    let text = page.page().text();
    assert!(text.contains("is linked with other accounts already"), "{text}");
    assert!(text.contains("unlink it from the others"), "{text}");
    assert!(!text.contains("friend"), "nobody learns with whom");
    home.server.unlink(&home.other);

    // Linked with this one already.
    home.server.link(&home.alice, &home.other);
    home.begin();
    let page = home.browser.try_login(&home.other.username, &home.other.password);
    assert_eq!(page.page().status, StatusCode::CONFLICT);
    assert!(page.page().text().contains("are linked already"));
    assert_eq!(home.usernames().len(), 2);
}

#[test]
fn an_account_that_was_switched_off_meanwhile_is_not_linked() {
    let home = Home::new();
    let form = home.prove();
    // As a provider that is switched off leaves it, but for what it forgets.
    home.server.sql(
        "UPDATE identities SET enabled = 0 WHERE id = $1",
        params![home.other.id],
    );
    let answer = home.post(&form.set("decision", "link"));
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.summary());
    assert!(answer.text().contains("closed or switched off"));
    assert!(!home.are_linked());
}

fn href(html: &str, text: &str) -> String {
    let (before, _) = html.split_once(&format!(">{text}</a>")).expect(text);
    let (_, tag) = before.rsplit_once("href=\"").unwrap();
    crate::support::unescape(tag.split('"').next().unwrap())
}

/// threats.md 16: a stranger's page can neither begin nor finish a link.
#[test]
fn forged_forms_neither_begin_nor_finish_a_link() {
    let home = Home::new();
    let stranger = home.server.browser_of(&home.server.user("mallory").create());
    stranger.get("/p/link");
    let theirs = stranger.form().get("form_token").unwrap().to_owned();

    home.browser.get("/p/link");
    let form = home.browser.form();
    for token in ["", "AAAA", &theirs] {
        let answer = home.post(&form.clone().set("form_token", token));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(home.server.count("SELECT count(*) FROM pending_links", params![]), 0);

    // The login form of the second account: an attacker may not fill in an account of theirs.
    home.begin();
    let form = home
        .browser
        .form()
        .set("username", "mallory")
        .set("password", "the long password of mallory");
    for token in ["", "AAAA", &theirs] {
        let answer = home.post(&form.clone().set("form_token", token));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(
        home.server.count(
            "SELECT count(*) FROM pending_links WHERE other_id IS NOT NULL",
            params![]
        ),
        0
    );

    home.browser.login(&home.other);
    let form = home.browser.form().set("decision", "link");
    for token in ["", "AAAA", &theirs] {
        let answer = home.post(&form.clone().set("form_token", token));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert!(!home.are_linked());
    // A bare address changes nothing: the page asks.
    home.browser.get(&home.browser.path());
    assert!(!home.are_linked());
}

/// threats.md 16: the id of a pending link is worth nothing in another browser.
#[test]
fn a_link_belongs_to_the_browser_that_began_it() {
    let home = Home::new();
    home.begin();
    let login = home.browser.path();
    let mallory = home.server.user("mallory").create();
    let stranger = home.server.browser_of(&mallory);
    let page = stranger.get(&login);
    assert_eq!(page.page().status, StatusCode::BAD_REQUEST);
    // Also with a form of their own.
    stranger.get("/p/link");
    let own = stranger.form().get("form_token").unwrap().to_owned();
    let form = home.browser.form().set("form_token", &own);
    let form = form.set("username", "mallory").set("password", &mallory.password);
    let answer = stranger.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.summary());

    home.browser.login(&home.other);
    let confirm = home.browser.form().set("decision", "link").set("form_token", &own);
    let answer = stranger.send(Method::POST, &confirm.action, Some(&confirm.fields));
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.summary());
    assert!(!home.are_linked());
    assert_eq!(names_of(&home.server, &mallory), ["mallory@portolan.local"]);
}

#[test]
fn a_confirmation_counts_once_and_for_what_was_shown() {
    let home = Home::new();
    let form = home.prove().set("decision", "link");
    // In another tab somebody else is proven: what was agreed to is not what would happen.
    let third = home.server.user("third").create();
    let login = format!("/p/login?next=link&link={}", form.get("link").unwrap());
    home.browser.get(&login);
    home.browser.login(&third);
    let token = home.browser.form().get("form_token").unwrap().to_owned();
    let stale = form.clone().set("form_token", &token);
    let answer = home.post(&stale);
    assert!(answer.location().starts_with("/p/link/confirm"), "{}", answer.summary());
    assert!(!home.are_linked());

    home.browser.get(answer.location());
    let form = home.browser.form().set("decision", "link");
    assert_eq!(home.post(&form).status, StatusCode::SEE_OTHER);
    assert_eq!(home.usernames(), ["alice@portolan.local", "third@portolan.local"]);
    let again = home.post(&form);
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.summary());
    assert_eq!(audited(&home.server, "identity.link").len(), 1);
}

/// Whoever signs in as another person in between takes the browser over, and no link with it.
#[test]
fn a_sign_in_of_somebody_else_ends_the_link() {
    let home = Home::new();
    let form = home.prove();
    let bob = home.server.user("bob").create();
    home.browser
        .authorize(&home.client, &home.client.params("openid").set("prompt", "login"));
    home.browser.login(&bob);
    home.browser.get("/p/link");
    let token = home.browser.form().get("form_token").unwrap().to_owned();
    let answer = home.post(&form.set("decision", "link").set("form_token", &token));
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!home.are_linked());
    assert_eq!(names_of(&home.server, &bob), ["bob@portolan.local"]);
}

/// J5, threats.md 10: neither an address nor a name links accounts.
#[test]
fn nothing_links_by_email() {
    let server = TestServer::new();
    let (alice, twin) = (server.user("alice").create(), server.user("twin").create());
    server.sql(
        "UPDATE identities SET email = 'alice@example.org', name = 'alice of the tests' WHERE id = $1",
        params![twin.id],
    );
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.tokens(&browser, PROFILE);
    // In the same browser, one after the other: they are two people.
    browser.authorize(&client, &client.params(PROFILE).set("prompt", "login"));
    browser.login(&twin);
    let tokens = client.tokens(&browser, PROFILE);
    assert_eq!(tokens.claims()["sub"], json!(twin.id));
    assert_eq!(authentications(&client, tokens.access_token()), sorted(&[&twin]));
    for user in [&alice, &twin] {
        assert_eq!(names_of(&server, user), std::slice::from_ref(&user.username));
    }
    let list = browser.get(LIST).page().text();
    assert!(list.contains("twin@portolan.local") && !list.contains("alice@portolan.local"));
}

#[test]
fn two_accounts_of_one_provider_may_be_linked_and_a_third_joins() {
    let home = Home::linked();
    let third = home.server.user("third").create();
    home.begin();
    home.browser.login(&third);
    assert!(
        home.browser
            .text()
            .contains("It is linked already with alice-at-work@portolan.local")
    );
    home.browser.submit(&home.browser.form().set("decision", "link"));
    assert_eq!(home.usernames().len(), 3);
    // Any of them signs the same person in.
    for user in [&home.alice, &home.other, &third] {
        let tokens = home.client.tokens(&home.server.browser_of(user), PROFILE);
        assert_eq!(tokens.claims()["sub"], json!(home.alice.id), "{}", user.username);
    }
}

fn change(home: &Home, user: &TestUser, what: &str) -> Form {
    let page = home.browser.get(&format!("{LIST}/{}/{what}", user.id));
    assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
    home.browser.form()
}

#[test]
fn new_logins_use_the_new_primary_and_old_tokens_keep_theirs() {
    let home = Home::linked();
    let old = home.client.offline_tokens(&home.browser, PROFILE);
    let form = change(&home, &home.other, "primary");
    assert!(
        home.browser
            .text()
            .contains("At present that is <strong>alice@portolan.local</strong>")
    );

    home.browser.submit(&form);

    assert_eq!(home.browser.path(), "/v2/web/identities?notice=primary");
    assert_eq!(
        home.usernames(),
        ["alice-at-work@portolan.local", "alice@portolan.local"]
    );
    let introspected = home.client.introspect(old.access_token());
    assert_eq!(introspected["sub"], json!(home.alice.id));
    let refreshed = home.client.refresh(old.refresh_token());
    assert_eq!(
        home.client.introspect(refreshed.access_token())["sub"],
        json!(home.alice.id)
    );
    // Permissions belong to the account that gave them.
    let outcome = home.browser.authorize(&home.client, &home.client.params(PROFILE));
    assert!(outcome.is_page(), "the new primary is asked anew");
    let new = home.client.tokens(&home.browser, PROFILE);
    assert_eq!(new.claims()["sub"], json!(home.other.id));
    assert_eq!(
        audited(&home.server, "identity.set_primary"),
        [(Some(home.alice.id.0), home.other.id.to_string())]
    );
    for address in ["alice@example.org", "alice-at-work@example.org"] {
        assert_eq!(mails(&home.server, "Your primary account has changed", address), 1);
    }
    // Now the first can go.
    home.browser.submit(&change(&home, &home.alice, "unlink"));
    assert_eq!(names_of(&home.server, &home.alice), ["alice@portolan.local"]);
}

/// The provider gave the name of the primary to somebody else, so it is closed; nothing could be signed in to.
#[test]
fn a_closed_primary_is_replaced_by_an_account_that_is_left() {
    let home = Home::linked();
    let id = home.alice.id;
    home.server
        .write(move |tx| portolan_server::store::identities::close(tx, id));
    let browser = home.server.browser_of(&home.other);
    let outcome = browser.authorize(&home.client, &home.client.params("openid"));
    assert_eq!(outcome.page().status, StatusCode::FORBIDDEN);
    assert!(
        outcome
            .page()
            .text()
            .contains("make another one of your accounts the primary")
    );

    let list = browser.get(LIST).page().text();
    assert!(!list.contains(&format!("{}/unlink", home.alice.id)) && !list.contains(">primary<"));
    browser.get(&format!("{LIST}/{}/primary", home.other.id));
    browser.submit(&browser.form());

    let tokens = home.client.tokens(&browser, "openid");
    assert_eq!(tokens.claims()["sub"], json!(home.other.id));
}

#[test]
fn changes_need_a_recent_sign_in_and_come_back_after_it() {
    for what in ["unlink", "primary"] {
        let home = Home::linked();
        let form = change(&home, &home.other, what);
        home.server.advance_seconds(601);
        let answer = home.post(&form);
        assert!(answer.location().starts_with("/p/login?next="), "{}", answer.summary());
        assert!(home.are_linked() && home.usernames()[0] == home.alice.username);

        let path = format!("{LIST}/{}/{what}", home.other.id);
        assert_eq!(home.browser.get(&path).title(), "Sign in");
        home.browser.login(&home.alice);
        assert_eq!(home.browser.path(), path);
    }
}

#[test]
fn changes_need_the_form_of_their_own_browser_and_an_account_of_the_person() {
    for what in ["unlink", "primary"] {
        let home = Home::linked();
        let mallory = home.server.user("mallory").create();
        let stranger = home.server.browser_of(&mallory);
        let form = change(&home, &home.other, what);
        let path = form.action.clone();
        assert_eq!(stranger.get(&path).page().status, StatusCode::NOT_FOUND);
        stranger.get("/p/link");
        let theirs = stranger.form().get("form_token").unwrap().to_owned();
        for token in ["", "AAAA", &theirs] {
            let answer = home.post(&form.clone().set("form_token", token));
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        let own = form.clone().set("form_token", &theirs);
        assert_eq!(
            stranger.send(Method::POST, &path, Some(&own.fields)).status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            home.usernames(),
            ["alice@portolan.local", "alice-at-work@portolan.local"]
        );
        assert_eq!(
            home.browser.get(&format!("{LIST}/nonsense/{what}")).page().status,
            StatusCode::NOT_FOUND
        );
    }
}

#[test]
fn the_primary_is_not_unlinked() {
    let home = Home::linked();
    let form = change(&home, &home.other, "unlink");
    let page = home.browser.get(&format!("{LIST}/{}/unlink", home.alice.id));
    assert_eq!(page.page().status, StatusCode::CONFLICT);
    assert!(page.page().text().contains("Make another account the primary first"));
    let mut form = form;
    form.action = format!("{LIST}/{}/unlink", home.alice.id);
    assert_eq!(home.post(&form).status, StatusCode::CONFLICT);
    assert!(home.are_linked());
}

#[test]
fn unlinking_says_what_will_stop_and_stops_it_at_once() {
    let server = TestServer::new();
    let provider = server_provider(&server);
    let (alice, other) = (server.user("alice").create(), server.user("alice-elsewhere").create());
    server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![other.id, provider],
    );
    server.link(&alice, &other);
    let data = server.resource_server("data.example").scope("read").create();
    let portal = server
        .resource_server("portal.example")
        .scope("all")
        .depends_on(data.scope("read"))
        .create();
    let client = server.client().named("Of elsewhere").create();
    require(&server, &client, provider);
    let plain = server.client().named("Plain").create();
    let scope = format!("{PROFILE} {}", portal.scope("all"));
    let dependent = |token: &str| {
        let params = Params::default()
            .set("grant_type", DEPENDENT)
            .set("token", token)
            .set("scope", data.scope("read"));
        portal.token(&params)
    };

    let browser = server.browser_of(&alice);
    server.advance_seconds(1);
    browser.authorize(&client, &client.params("openid").set("prompt", "login"));
    browser.login(&other);
    // Tokens that speak for the other one, and those of the primary beside it.
    let theirs = client.offline_tokens(&browser, &scope);
    assert_eq!(theirs.claims()["sub"], json!(other.id));
    let both = plain.offline_tokens(&browser, &scope);
    assert_eq!(both.claims()["sub"], json!(alice.id));
    // In a browser where the other one alone has signed in.
    let elsewhere = server.browser_of(&other);
    let by_other = plain.offline_tokens(&elsewhere, &scope);
    assert_eq!(by_other.claims()["sub"], json!(alice.id));
    let by_alice = plain.offline_tokens(&server.browser_of(&alice), &scope);
    let code = plain.code(&elsewhere, PROFILE);
    let downstream = dependent(theirs.of("portal.example").access_token()).ok().json()[0]["access_token"]
        .as_str()
        .unwrap()
        .to_owned();

    let home = Home {
        server: server.clone(),
        alice: alice.clone(),
        other: other.clone(),
        browser,
        client: plain.clone(),
    };
    let form = change(&home, &other, "unlink");
    let text = home.browser.text();
    for words in [
        "ends at once",
        "What will stop working",
        "is signed out, in every browser",
        "alice@portolan.local",
    ] {
        assert!(text.contains(words), "{words}");
    }
    home.browser.submit(&form);
    assert_eq!(home.browser.path(), "/v2/web/identities?notice=unlinked");
    assert!(
        home.browser
            .text()
            .contains("Signed in as</span> <strong>alice@portolan.local")
    );

    for (client, tokens, lives) in [
        (&client, &theirs, false),
        (&plain, &by_other, false),
        (&plain, &both, true),
        (&plain, &by_alice, true),
    ] {
        let auth = tokens.of("auth.globus.org");
        assert_eq!(client.is_active(auth.access_token()), lives);
        assert_eq!(userinfo(&server, auth.access_token()).status.is_success(), lives);
        let lookup = server.get_as(
            "/v2/api/identities?usernames=alice@portolan.local",
            &Auth::Bearer(auth.access_token().to_owned()),
        );
        assert_eq!(lookup.status.is_success(), lives);
        let of_portal = tokens.of("portal.example");
        assert_eq!(portal.is_active(of_portal.access_token()), lives);
        assert_eq!(dependent(of_portal.access_token()).status.is_success(), lives);
        assert_eq!(client.try_refresh(of_portal.refresh_token()).status.is_success(), lives);
    }
    assert!(!data.is_active(&downstream), "and what services got further down");
    assert_eq!(plain.try_exchange(&code).outcome(), "400 invalid_grant");
    // Sets and sessions do not name it any more.
    let token = both.of("auth.globus.org");
    let shown = plain.introspect_with(token.access_token(), "identity_set,identity_set_detail,session_info");
    assert_eq!(shown["identity_set"], json!([alice.id]));
    assert_eq!(ids(&shown["identity_set_detail"], "sub"), [alice.id.to_string()]);
    assert_eq!(authentications(&plain, token.access_token()), sorted(&[&alice]));
    // Whoever is signed in with it alone is signed out.
    assert!(!elsewhere.get("/").page().text().contains("Signed in as"));

    // It signs in as a person of its own, in the same browser and with the same app.
    elsewhere.login(&other);
    let own = plain.tokens(&elsewhere, PROFILE);
    assert_eq!(own.claims()["sub"], json!(other.id));
    assert!(plain.is_active(own.access_token()));
    assert_eq!(names_of(&server, &other), std::slice::from_ref(&other.username));
    assert_eq!(
        audited(&server, "identity.unlink"),
        [(Some(other.id.0), other.id.to_string())]
    );
    assert_eq!(mails(&server, "An account was unlinked", "alice@example.org"), 1);
    assert_eq!(
        mails(&server, "An account was unlinked", "alice-elsewhere@example.org"),
        1
    );
}

/// Whoever knew the password of a linked account, or had it until it was switched off, holds tokens that speak
/// for the primary.
#[test]
fn a_new_password_or_a_disabled_account_ends_what_it_alone_had_signed_in_for() {
    use portolan_server::domain::identity;
    for disable in [false, true] {
        let home = Home::linked();
        let by_other = home
            .client
            .offline_tokens(&home.server.browser_of(&home.other), PROFILE);
        let by_alice = home.client.offline_tokens(&home.browser, PROFILE);
        assert_eq!(by_other.claims()["sub"], by_alice.claims()["sub"]);
        let (id, ctx) = (home.other.id, home.server.ctx());
        home.server.write(move |tx| {
            if disable {
                identity::switch_off(tx, &ctx, id)
            } else {
                identity::set_password(tx, &ctx, id, "a hash")
            }
        });

        assert!(!home.client.is_active(by_other.access_token()));
        assert_eq!(
            home.client.try_refresh(by_other.refresh_token()).outcome(),
            "400 invalid_grant"
        );
        assert!(home.client.is_active(by_alice.access_token()));
        home.client.refresh(by_alice.refresh_token());
        assert!(home.are_linked());
    }
}

/// Pages and the authorization endpoint agree on who is signed in; else they send the browser in circles.
#[test]
fn a_provider_that_is_switched_off_leaves_the_other_account_signed_in() {
    let home = Home::linked();
    let provider = server_provider(&home.server);
    home.server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![home.other.id, provider],
    );
    home.server.advance_seconds(1);
    home.browser
        .authorize(&home.client, &home.client.params("openid").set("prompt", "login"));
    home.browser.login(&home.other);
    home.server.sql(
        "UPDATE identity_providers SET enabled = 0 WHERE id = $1",
        params![provider],
    );

    assert!(
        home.browser
            .get("/")
            .page()
            .text()
            .contains("Signed in as</span> <strong>alice@portolan.local")
    );
    let tokens = home.client.tokens(&home.browser, "openid");
    assert_eq!(tokens.claims()["sub"], json!(home.alice.id));
}

/// Signs in with the password and a code of the app, on the page that the browser shows.
fn sign_in_with_code(home: &Home, user: &TestUser, secret: &str) {
    // A code counts once.
    home.server.advance_seconds(60);
    home.browser.login(user);
    let code = otp(secret, home.server.now().seconds());
    present(&home.browser, "otp", &code);
}

/// AA7: else somebody with one password of a set takes the whole set over.
#[test]
fn in_a_set_with_a_second_factor_linking_and_unlinking_need_one() {
    let home = Home::linked();
    let secret = set_up_app(&home.server.browser_of(&home.other));
    let third = home.server.user("third").create();
    let change = |what: &str| format!("{LIST}/{}/{what}", home.other.id);
    home.browser.get("/");
    home.browser.login(&home.alice);
    for path in ["/p/link".to_owned(), change("unlink"), change("primary")] {
        let page = home.browser.get(&path);
        assert_eq!(page.title(), "Sign in", "{path}");
        assert!(page.page().text().contains("a sign-in with two factors"), "{path}");
        // The password alone does not help, however often it is entered.
        home.browser.login(&home.alice);
        assert_eq!(home.browser.title(), "Sign in", "{path}");
    }
    // Nor does a form that was sent without the page before it.
    let token = home.browser.form().get("form_token").unwrap().to_owned();
    for path in ["/p/link".to_owned(), change("unlink"), change("primary")] {
        let answer = home
            .browser
            .send(Method::POST, &path, Some(&[("form_token".to_owned(), token.clone())]));
        assert!(
            answer.location().starts_with("/p/login?next="),
            "{path}: {}",
            answer.summary()
        );
    }
    assert_eq!(
        home.usernames(),
        ["alice@portolan.local", "alice-at-work@portolan.local"]
    );

    home.browser.get("/p/link");
    sign_in_with_code(&home, &home.other, &secret);
    assert_eq!(home.browser.title(), "Link another account");
    home.browser.submit(&home.browser.form());
    home.browser.login(&third);
    let form = home.browser.form().set("decision", "link");
    // It lasts as long as any fresh sign-in.
    home.server.advance_seconds(601);
    assert_ne!(home.post(&form).status, StatusCode::SEE_OTHER);
    home.browser.get(&change("primary"));
    home.browser.login(&home.alice);
    assert_eq!(home.browser.title(), "Sign in", "the second factor is too long ago");
    sign_in_with_code(&home, &home.other, &secret);
    home.browser.submit(&home.browser.form());
    assert_eq!(home.browser.path(), "/v2/web/identities?notice=primary");
    assert_eq!(home.usernames()[0], "alice-at-work@portolan.local");
}

#[test]
fn whoever_is_alone_and_showed_the_second_factor_may_link() {
    let home = Home::new();
    let secret = set_up_app(&home.browser);
    home.server.advance_seconds(601);
    home.browser.get("/p/link");
    sign_in_with_code(&home, &home.alice, &secret);
    assert_eq!(home.browser.title(), "Link another account");
}

/// The second factor of the set may come while a link waits.
#[test]
fn a_link_is_not_finished_without_the_second_factor_that_the_set_has_got() {
    let home = Home::linked();
    let third = home.server.user("third").create();
    home.begin();
    home.browser.login(&third);
    let form = home.browser.form().set("decision", "link");
    // The same session, which stays signed in with the password alone.
    home.server.sql(
        "INSERT INTO totp_secrets (id, identity_id, sealed_seed, created_at, confirmed_at, last_step)
         VALUES ($1, $2, $3, 0, 1, 0)",
        params![new_uuid(), home.other.id, vec![1_u8]],
    );

    let answer = home.post(&form);

    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.summary());
    assert!(answer.text().contains("two factors"), "{}", answer.text());
    assert_eq!(home.usernames().len(), 2);
}

/// Else a stranger's account with a second factor makes up for the one that the password of
/// somebody else lacks.
#[test]
fn what_was_linked_in_this_session_shows_no_two_factors_until_it_signs_in_again() {
    let home = Home::new();
    let secret = set_up_app(&home.server.browser_of(&home.other));
    home.browser.get("/p/link");
    home.browser.submit(&home.browser.form());
    sign_in_with_code(&home, &home.other, &secret);
    home.browser.submit(&home.browser.form().set("decision", "link"));
    assert!(home.are_linked());

    let params = home.client.params("openid").set("session_required_mfa", "true");
    let outcome = home.browser.authorize(&home.client, &params);
    assert_eq!(outcome.title(), "Sign in");
    sign_in_with_code(&home, &home.other, &secret);
    let claims = home.client.exchange(&home.browser.allow().code()).claims();
    assert!(claims["amr"].as_array().unwrap().contains(&json!("mfa")));
}

/// What its sign-ins alone gave to the accounts that are linked with them ends with a provider.
#[test]
fn a_provider_that_is_switched_off_takes_along_what_its_sign_ins_gave() {
    use portolan_server::domain::provider;
    use portolan_server::store::audit::Actor;
    let home = Home::linked();
    let provider = server_provider(&home.server);
    home.server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![home.other.id, provider],
    );
    let there = home.server.browser_of(&home.other);
    let by_other = home.client.offline_tokens(&there, PROFILE);
    let by_alice = home.client.offline_tokens(&home.browser, PROFILE);
    assert_eq!(by_other.claims()["sub"], by_alice.claims()["sub"]);
    assert!(home.client.is_active(by_other.access_token()));

    let ctx = home.server.ctx();
    home.server.write(move |tx| {
        let provider = identity_providers::find(tx, provider)?.unwrap();
        provider::set_enabled(tx, &ctx, Actor::Operator, &provider, false)
    });

    assert!(!home.client.is_active(by_other.access_token()));
    assert_eq!(
        home.client.try_refresh(by_other.refresh_token()).outcome(),
        "400 invalid_grant"
    );
    assert!(home.client.is_active(by_alice.access_token()));
    // Switched on again, it brings no session back.
    home.server.sql(
        "UPDATE identity_providers SET enabled = 1 WHERE id = $1",
        params![provider],
    );
    assert!(!there.get("/").page().text().contains("Signed in as"));
}

/// A provider whose people sign in with a password here, as tests cannot go elsewhere.
pub fn server_provider(server: &TestServer) -> IdentityProviderId {
    let id = IdentityProviderId(new_uuid());
    let now = server.now();
    server.write(move |tx| {
        let record = IdentityProvider {
            id,
            name: "Elsewhere Institute".into(),
            short_name: "elsewhere".into(),
            kind: "oidc".into(),
            alternative_names: "[]".into(),
            enabled: true,
        };
        identity_providers::upsert(tx, &record, &["elsewhere.example"], now)
    });
    id
}

pub fn require(server: &TestServer, client: &TestClient, provider: IdentityProviderId) {
    server.sql(
        "UPDATE clients SET required_idp = $2 WHERE id = $1",
        params![client.id, provider],
    );
}

/// wire.md 1.3, 2.1.2 step 4.
#[test]
fn an_app_that_requires_a_provider_offers_to_link_an_account_of_it() {
    let home = Home::new();
    let provider = server_provider(&home.server);
    home.server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![home.other.id, provider],
    );
    require(&home.server, &home.client, provider);

    let page = home.browser.authorize(&home.client, &home.client.params(PROFILE));
    assert_eq!(page.title(), "Link another account");
    let text = page.page().text();
    assert!(
        text.contains("Beamline needs an account of <strong>Elsewhere Institute</strong>"),
        "{text}"
    );
    home.browser.submit(&home.browser.form().set("decision", "begin"));
    assert!(
        home.browser
            .text()
            .contains("It has to be an account of Elsewhere Institute.")
    );
    let asked = home.browser.login(&home.other);
    let csp = asked.page().header("content-security-policy").unwrap().to_owned();
    assert!(
        csp.contains("form-action 'self' https:;"),
        "where nothing but the link was missing, the form leads on to the app: {csp}"
    );
    let outcome = home.browser.submit(&home.browser.form().set("decision", "link"));
    assert!(outcome.is_page(), "the request goes on, to the consent page");
    let code = home.browser.allow().code();
    let claims = home.client.exchange(&code).claims();
    assert_eq!(
        claims["sub"],
        json!(home.other.id),
        "the account of that provider is the effective one"
    );
    assert_eq!(claims["identity_provider_display_name"], json!("Elsewhere Institute"));
    assert_eq!(ids(&claims["identity_set"], "sub").len(), 2);

    // From now on without any question, whichever account signs in.
    let tokens = home.client.tokens(&home.server.browser_of(&home.alice), PROFILE);
    assert_eq!(tokens.claims()["sub"], json!(home.other.id));
}

#[test]
fn a_required_provider_can_be_declined_or_met_by_another_sign_in() {
    let home = Home::new();
    let provider = server_provider(&home.server);
    home.server.sql(
        "UPDATE identities SET identity_provider_id = $2 WHERE id = $1",
        params![home.other.id, provider],
    );
    require(&home.server, &home.client, provider);
    let params = home.client.params("openid");

    home.browser.authorize(&home.client, &params);
    let outcome = home.browser.submit(&home.browser.form().set("decision", "deny"));
    assert_eq!(outcome.error().as_deref(), Some("access_denied"));

    // Giving up in the middle leads back to the question.
    home.browser.authorize(&home.client, &params);
    home.browser.submit(&home.browser.form());
    let outcome = home.browser.submit(&home.browser.form().set("decision", "deny"));
    assert_eq!(outcome.title(), "Link another account");

    // An account of that provider may sign in alone.
    home.browser.submit(&home.browser.form().set("decision", "switch"));
    assert_eq!(home.browser.title(), "Sign in");
    home.browser.login(&home.other);
    let code = home.browser.allow().code();
    assert_eq!(home.client.exchange(&code).claims()["sub"], json!(home.other.id));
    assert!(!home.are_linked());

    // Without pages there is nothing to link on.
    let silent = home.server.browser_of(&home.alice);
    let outcome = silent.authorize(&home.client, &params.set("prompt", "none"));
    assert_eq!(outcome.error().as_deref(), Some("interaction_required"));

    // Another account than one of that provider does not help; the app asks again.
    let third = home.server.user("third").create();
    let browser = home.server.browser_of(&home.alice);
    browser.authorize(&home.client, &home.client.params("openid"));
    browser.submit(&browser.form());
    browser.login(&third);
    let outcome = browser.submit(&browser.form().set("decision", "link"));
    assert_eq!(outcome.title(), "Link another account");
}

/// wire.md 1.3: claims describe the effective identity, or the one that signed in.
#[test]
fn claims_describe_whom_the_app_wants_described() {
    let home = Home::linked();
    let by_login = home.server.client().named("By login").create();
    home.server.sql(
        "UPDATE clients SET userinfo_from_effective_identity = 0 WHERE id = $1",
        params![by_login.id],
    );
    let browser = home.server.browser_of(&home.other);
    for (client, described) in [(&home.client, &home.alice), (&by_login, &home.other)] {
        let tokens: Tokens = client.tokens(&browser, PROFILE);
        let userinfo = userinfo(&home.server, tokens.of("auth.globus.org").access_token())
            .ok()
            .json();
        for document in [tokens.claims(), userinfo] {
            assert_eq!(
                document["sub"],
                json!(home.alice.id),
                "the effective identity in any case"
            );
            assert_eq!(document["preferred_username"], json!(described.username));
            let address = format!("{}@example.org", described.username.trim_end_matches("@portolan.local"));
            assert_eq!(document["email"], json!(address));
            assert_eq!(
                ids(&document["identity_set"], "sub"),
                [home.alice.id.to_string(), home.other.id.to_string()]
            );
        }
        let introspected = client.introspect(tokens.access_token());
        assert_eq!(introspected["username"], json!(home.alice.username));
    }
}

/// wire.md 2.2.7, 2.3.1, 2.4.1.
#[test]
fn every_account_of_the_set_is_told_of_with_its_last_sign_in() {
    let home = Home::linked();
    let now = home.server.now().seconds();
    let tokens = home.client.tokens(&home.browser, PROFILE);
    let set = |document: &Value, member: &str| -> Vec<(String, Value)> {
        let elements = document[member]
            .as_array()
            .unwrap_or_else(|| panic!("{document}"))
            .iter();
        elements
            .map(|one| {
                (
                    one["sub"].as_str().unwrap().to_owned(),
                    one["last_authentication"].clone(),
                )
            })
            .collect()
    };
    let expected = |other: Value| {
        vec![
            (home.alice.id.to_string(), json!(now)),
            (home.other.id.to_string(), other),
        ]
    };
    assert_eq!(set(&tokens.claims(), "identity_set"), expected(Value::Null));
    let told = userinfo(&home.server, tokens.access_token()).ok().json();
    assert_eq!(set(&told, "identity_set"), expected(Value::Null));
    let shown = home
        .client
        .introspect_with(tokens.access_token(), "identity_set,identities_set,identity_set_detail");
    let mut listed: Vec<String> = serde_json::from_value(shown["identity_set"].clone()).unwrap();
    listed.sort();
    assert_eq!(listed, sorted(&[&home.alice, &home.other]));
    assert_eq!(shown["identities_set"], shown["identity_set"]);
    assert_eq!(set(&shown, "identity_set_detail"), expected(Value::Null));
    assert_eq!(
        ids(&shown["identity_set_detail"], "id"),
        ids(&shown["identity_set_detail"], "sub")
    );

    // Signed in elsewhere: the last known, since it is not of this session.
    home.server.advance_seconds(60);
    home.server.browser_of(&home.other);
    let shown = home
        .client
        .introspect_with(tokens.access_token(), "identity_set_detail");
    assert_eq!(set(&shown, "identity_set_detail"), expected(json!(now + 60)));
    // The primary too: of this session counts what happened in it.
    home.server.browser_of(&home.alice);
    let shown = home
        .client
        .introspect_with(tokens.access_token(), "identity_set_detail");
    assert_eq!(set(&shown, "identity_set_detail"), expected(json!(now + 60)));
}

/// H7: `max_age` is measured by the newest sign-in, so that is what `auth_time` tells.
#[test]
fn auth_time_is_that_of_the_newest_sign_in_of_the_set() {
    let home = Home::linked();
    home.server.advance_seconds(3600);
    let params = home.client.params("openid").set("max_age", "60");
    let outcome = home.browser.authorize(&home.client, &params);
    assert_eq!(outcome.title(), "Sign in");
    home.browser.login(&home.other);
    let code = home.browser.allow().code();
    let claims = home.client.exchange(&code).claims();
    assert_eq!(claims["sub"], json!(home.alice.id));
    assert_eq!(claims["auth_time"], json!(home.server.now().seconds()));
    assert_eq!(claims["amr"], json!(["pwd"]));
}

#[test]
fn accounts_of_apps_and_closed_ones_are_never_linked() {
    use portolan_server::domain::linking::{self, Refusal};
    use portolan_server::store::audit::Actor;
    let home = Home::new();
    let robot = home
        .server
        .client()
        .of_type(portolan_server::domain::client::CLIENT_IDENTITY)
        .create();
    let (alice, other) = (home.alice.id, home.other.id);
    let link = |mine, other| {
        let ctx = home.server.ctx();
        home.server
            .write(move |tx| linking::link(tx, &ctx, Actor::Operator, mine, other))
    };
    let robot = portolan_types::IdentityId(robot.id.0);
    assert_eq!(link(alice, robot), Err(Refusal::Client));
    assert_eq!(link(robot, alice), Err(Refusal::Client));
    assert_eq!(link(alice, alice), Err(Refusal::Same));
    for (change, undo, refusal) in [
        ("status = 'closed'", "status = 'used'", Refusal::NotLive),
        ("enabled = 0", "enabled = 1", Refusal::NotLive),
        ("status = 'unused'", "status = 'used'", Refusal::Unused),
    ] {
        let set = |what: &str| {
            home.server
                .sql(&format!("UPDATE identities SET {what} WHERE id = $1"), params![other])
        };
        set(change);
        assert_eq!(link(alice, other), Err(refusal), "{change}");
        assert_eq!(link(other, alice), Err(refusal), "{change}");
        set(undo);
    }
    assert_eq!(link(alice, other), Ok(()));
    assert_eq!(link(alice, other), Err(Refusal::Together));
}
