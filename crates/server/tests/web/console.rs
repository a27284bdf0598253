//! The operator console: for administrators alone, changes only after a fresh sign-in, and
//! each change the same as that of the command, under the administrator's name.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::domain::keys::SigningAlgorithm;
use portolan_server::domain::provider::{Wanted, create};
use portolan_server::domain::trail;
use portolan_server::store::audit::{self, Actor, Entry, Event};
use portolan_types::IdentityProviderId;

use crate::support::{Auth, Browser, Form, Mailbox, Outcome, Params, TestServer, TestUser, otp};

const CONSOLE: &str = "/p/console";

fn status(outcome: &Outcome) -> StatusCode {
    outcome.page().status
}

/// A server with Ada, who administers it, and her browser.
fn ada(server: &TestServer) -> (TestUser, Browser) {
    let ada = server.user("ada").administrator().create();
    let browser = server.browser_of(&ada);
    (ada, browser)
}

/// Opens a page that asks, and agrees.
#[track_caller]
fn agree(browser: &Browser, path: &str) -> Outcome {
    let outcome = browser.get(path);
    assert_eq!(status(&outcome), StatusCode::OK, "{path}: {}", browser.text());
    browser.submit(&browser.form())
}

/// Whether a token is good for what its `openid` scope allows.
fn speaks(server: &TestServer, token: &str) -> bool {
    let answer = server.get_as("/v2/oauth2/userinfo", &Auth::Bearer(token.to_owned()));
    answer.status == StatusCode::OK
}

/// How often this was done by somebody.
fn done(server: &TestServer, action: &str, by: &TestUser) -> i64 {
    server.count(
        "SELECT count(*) FROM audit_events WHERE action = $1 AND actor_kind = 'identity' AND actor_id = $2",
        params![action, by.id],
    )
}

#[test]
fn nobody_but_administrators_finds_the_console() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let bobs = server.browser_of(&bob);
    let provider = portolan_server::store::identity_providers::LOCAL;
    let client = server.client().create();
    for path in [
        "".to_owned(),
        "/people".into(),
        format!("/people/{}", bob.id),
        format!("/people/{}/disable", ada.id),
        "/providers".into(),
        "/providers/new".into(),
        format!("/providers/{provider}"),
        "/clients".into(),
        format!("/clients/{}", client.id),
        format!("/clients/{}/delete", client.id),
        "/audit".into(),
        "/keys".into(),
        "/keys/rotate".into(),
        "/server".into(),
    ] {
        let path = format!("{CONSOLE}{path}");
        let answer = server.browser().send(Method::GET, &path, None);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("/p/login?next=console"), "{path}");
        assert_eq!(status(&bobs.get(&path)), StatusCode::NOT_FOUND, "{path}");
        assert!(!bobs.text().contains("Operator console"), "{path}");
        let outcome = browser.get(&path);
        assert_eq!(status(&outcome), StatusCode::OK, "{path}: {}", browser.text());
    }
}

#[test]
fn the_bar_of_areas_leads_to_the_console_for_administrators_alone() {
    const WAY: &str = "<li><a href=\"/p/console\">";
    let server = TestServer::new();
    let (_ada, browser) = ada(&server);
    let bobs = server.browser_of(&server.user("bob").create());
    for path in [
        "/",
        "/v2/web/consents",
        "/v2/web/identities",
        "/p/account/security",
        "/p/account/sessions",
        "/p/developers",
    ] {
        assert!(browser.get(path).page().text().contains(WAY), "{path}");
        let others = bobs.get(path).page().text();
        assert!(others.contains("class=\"areas\"") && !others.contains(WAY), "{path}");
    }
    assert!(!server.browser().get("/").page().text().contains("class=\"areas\""));
}

#[test]
fn an_administrator_is_one_with_whichever_linked_account_they_came_in() {
    let server = TestServer::new();
    let (ada, _) = ada(&server);
    let other = server.user("ada-elsewhere").create();
    server.link(&ada, &other);

    // With the other account alone nobody administers.
    let browser = server.browser_of(&other);
    assert_eq!(status(&browser.get(CONSOLE)), StatusCode::NOT_FOUND);
}

#[test]
fn looking_needs_a_sign_in_and_changing_a_fresh_one() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let page = format!("{CONSOLE}/people/{}", bob.id);
    let disable = format!("{page}/disable");
    browser.get(&disable);
    let form = browser.form();

    server.advance_seconds(601);
    assert_eq!(status(&browser.get(&page)), StatusCode::OK, "looking is free");
    let outcome = browser.submit(&form);
    assert_eq!(outcome.title(), "Sign in");
    assert_eq!(done(&server, "identity.disable", &ada), 0);

    browser.login(&ada);
    assert_eq!(browser.path(), page, "back to the person");
    agree(&browser, &disable);
    assert_eq!(done(&server, "identity.disable", &ada), 1);

    // A page that asks leads to the login before it is filled in.
    server.advance_seconds(601);
    assert_eq!(browser.get(&format!("{page}/enable")).title(), "Sign in");
    browser.login(&ada);
    assert_eq!(browser.path(), format!("{page}/enable"));
}

#[test]
fn whoever_has_a_second_factor_uses_it_before_a_change() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    browser.get("/p/account/security");
    let begin = browser.form_with("/p/account/security/totp", "form_token");
    browser.submit(&begin);
    let text = browser.text();
    let (_, rest) = text.split_once("<code class=\"code\">").unwrap();
    let secret = rest.split_once('<').unwrap().0.to_owned();
    let now = || server.now().micros() / 1_000_000;
    browser.submit(&browser.form().set("otp", &otp(&secret, now())));

    // This browser is still signed in with the password alone, a moment ago.
    let rotate = format!("{CONSOLE}/keys/rotate");
    assert_eq!(browser.get(&rotate).title(), "Sign in");
    server.advance_seconds(30);
    browser.login(&ada);
    assert!(browser.path().starts_with("/p/login/factor"), "{}", browser.path());
    browser.submit(&browser.form().set("otp", &otp(&secret, now())));
    assert_eq!(browser.path(), rotate);
    assert_eq!(browser.title(), "Make new signing keys?");
}

#[test]
fn a_form_of_another_browser_changes_nothing() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    browser.get(&format!("{CONSOLE}/people/{}/disable", bob.id));
    let form = browser.form();
    let strangers = server.browser();
    strangers.get("/p/login");
    let token = strangers.form().get("form_token").unwrap().to_owned();
    for forged in [
        form.clone().set("form_token", &token),
        form.clone().set("form_token", ""),
    ] {
        assert_eq!(status(&browser.submit(&forged)), StatusCode::FORBIDDEN);
    }
    assert_eq!(done(&server, "identity.disable", &ada), 0);
}

#[test]
fn people_are_found_by_the_beginning_of_what_they_are_called() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    server.user("bob").named("Robert Hooke").create();
    server.user("robert").named("Bob Dylan").create();
    let found = |query: &str| {
        browser.get(&format!("{CONSOLE}/people{query}"));
        let text = browser.text();
        ["ada@portolan.local", "bob@portolan.local", "robert@portolan.local"]
            .map(|name| text.contains(&format!(">{name}</a>")))
    };
    assert_eq!(found(""), [true, true, true]);
    assert_eq!(found("?q=BOB"), [false, true, true], "by username and by name");
    assert_eq!(found("?q=bob&by=username"), [false, true, false]);
    assert_eq!(found("?q=robert+h"), [false, true, false]);
    assert_eq!(found("?q=ada%40example"), [true, false, false], "by e-mail address");
    assert_eq!(found("?q=%25"), [false, false, false]);
    assert!(browser.text().contains("Nobody was found."));
}

#[test]
fn a_long_list_of_people_is_read_page_by_page() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    for number in 0..60 {
        server.user(&format!("p{number:02}")).named("Person").create();
    }
    let mut path = format!("{CONSOLE}/people?q=p&by=username");
    let mut seen = Vec::new();
    for _ in 0..3 {
        browser.get(&path);
        let text = browser.text();
        seen.extend(
            text.split("@portolan.local</a>")
                .filter_map(|part| part.rsplit('>').next())
                .map(str::to_owned),
        );
        match text.split_once("after=") {
            Some((before, after)) => {
                let start = before.rfind("href=\"").unwrap() + 6;
                let end = after.find('"').unwrap();
                path = crate::support::unescape(&format!("{}after={}", &before[start..], &after[..end]));
            }
            None => break,
        }
    }
    let people: Vec<&String> = seen
        .iter()
        .filter(|name| name.starts_with('p') && name.len() == 3)
        .collect();
    assert_eq!(people.len(), 60);
    assert_eq!((people[0].as_str(), people[59].as_str()), ("p00", "p59"));

    browser.get(&format!("{CONSOLE}/people?q=p"));
    assert!(browser.text().contains("There are more than fit on one page."));
}

#[test]
fn an_account_is_switched_off_and_on() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let bobs = server.browser_of(&bob);
    let app = server.client().create();
    let tokens = app.tokens(&bobs, "openid");
    let page = format!("{CONSOLE}/people/{}", bob.id);

    agree(&browser, &format!("{page}/disable"));
    assert_eq!(browser.path(), format!("{page}?notice=disable"));
    assert!(browser.text().contains("The account is switched off."));
    assert!(!app.is_active(tokens.access_token()));
    assert!(!bobs.get("/").page().text().contains("Signed in as"));
    assert_eq!(done(&server, "identity.disable", &ada), 1);

    agree(&browser, &format!("{page}/enable"));
    assert_eq!(done(&server, "identity.enable", &ada), 1);
    assert!(!app.is_active(tokens.access_token()), "what ended stays ended");
    server.browser_of(&bob);

    // Nobody locks themselves out.
    let own = format!("{CONSOLE}/people/{}/disable", ada.id);
    let outcome = agree(&browser, &own);
    assert_eq!(status(&outcome), StatusCode::CONFLICT);
    assert!(browser.text().contains("another administrator can switch it off"));
    assert!(
        !browser
            .get(&format!("{CONSOLE}/people/{}", ada.id))
            .page()
            .text()
            .contains("Switch the account off")
    );
}

#[test]
fn sessions_are_ended_one_by_one_or_all_at_once() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let (laptop, phone) = (server.browser_of(&bob), server.browser_of(&bob));
    let page = format!("{CONSOLE}/people/{}", bob.id);
    let is_in = |browser: &Browser| browser.get("/").page().text().contains("Signed in as");

    browser.get(&page);
    let text = browser.text();
    let ids: Vec<&str> = text
        .split("name=\"session\" value=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert_eq!(ids.len(), 2);
    let form = browser.form_with(&format!("{page}/end-session"), "form_token");
    browser.submit(&form.set("session", ids[0]));
    assert!(browser.text().contains("It has ended"));
    assert_ne!(is_in(&laptop), is_in(&phone), "one of them");
    assert_eq!(done(&server, "session.end", &ada), 1);

    server.browser_of(&bob);
    agree(&browser, &format!("{page}/end-sessions"));
    assert!(!is_in(&laptop) && !is_in(&phone));
    assert_eq!(done(&server, "session.end", &ada), 3);
    assert!(browser.text().contains("Nowhere."));
}

#[test]
fn a_link_for_a_new_password_goes_to_the_person_alone() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let send = format!("{CONSOLE}/people/{}/send-reset", bob.id);
    agree(&browser, &send);
    assert!(browser.text().contains("The link is on its way."));
    server.send_mail();
    let message = mailbox.take().pop().expect("a message came");
    assert!(
        message.text.contains("An administrator asked for a new password"),
        "{}",
        message.text
    );
    let link = message.link();
    assert!(!browser.text().contains(link.rsplit('/').next().unwrap()));
    assert_eq!(server.browser().get(&link).title(), "Choose a new password");
    assert_eq!(done(&server, "password_reset.ask", &ada), 1);

    // Nobody is flooded.
    for _ in 0..4 {
        agree(&browser, &send);
    }
    assert_eq!(status(&agree(&browser, &send)), StatusCode::CONFLICT);
    assert!(browser.text().contains("five links"));

    // Without mail it is not offered, and does not work.
    let silent = TestServer::new();
    let (_, browser) = self::ada(&silent);
    let bob = silent.user("bob").create();
    browser.get(&format!("{CONSOLE}/people/{}", bob.id));
    assert!(!browser.text().contains("send-reset"));
    assert_eq!(
        status(&agree(&browser, &format!("{CONSOLE}/people/{}/send-reset", bob.id))),
        StatusCode::CONFLICT
    );
}

#[test]
fn second_factors_are_removed_for_a_person_who_lost_them() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let bobs = server.browser_of(&bob);
    bobs.get("/p/account/security");
    let begin = bobs.form_with("/p/account/security/totp", "form_token");
    bobs.submit(&begin);
    let text = bobs.text();
    let secret = text
        .split_once("<code class=\"code\">")
        .unwrap()
        .1
        .split_once('<')
        .unwrap()
        .0
        .to_owned();
    bobs.submit(&bobs.form().set("otp", &otp(&secret, server.now().micros() / 1_000_000)));

    let page = format!("{CONSOLE}/people/{}", bob.id);
    browser.get(&page);
    assert!(browser.text().contains("Authenticator app"));
    agree(&browser, &format!("{page}/remove-factors"));
    assert!(
        browser
            .text()
            .contains("None: the password alone protects this account.")
    );
    assert_eq!(done(&server, "factors.delete", &ada), 1);
}

fn university(server: &TestServer) -> IdentityProviderId {
    let id = IdentityProviderId(portolan_server::app::new_uuid());
    let mut wanted = Wanted::of_preset(id, "generic", None).unwrap();
    wanted.provider.name = "Example University".into();
    wanted.provider.short_name = "example".into();
    wanted.domains = vec!["example.edu".into()];
    wanted.issuer = "https://login.example.edu".into();
    wanted.configuration.client_id = "portolan".into();
    let ctx = server.ctx();
    server.write(move |tx| create(tx, &ctx, Actor::Operator, "portolan.local", &wanted));
    id
}

#[test]
fn a_provider_is_added_by_its_preset_and_changed() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    browser.get(&format!("{CONSOLE}/providers"));
    assert!(browser.text().contains("/p/console/providers/new?preset=orcid"));
    browser.get(&format!("{CONSOLE}/providers/new?preset=orcid"));
    let form = browser.form();
    assert_eq!(form.get("issuer"), Some("https://orcid.org"));
    assert_eq!(form.get("domains"), Some("orcid.org"));
    browser.submit(
        &form
            .set("client_id", "APP-1")
            .set("client_secret", "a secret of theirs"),
    );
    assert!(
        browser.text().contains("The identity provider was added."),
        "{}",
        browser.text()
    );
    assert!(browser.text().contains("https://auth.example.org/p/callback/"));
    assert!(!browser.text().contains("a secret of theirs"));
    assert_eq!(done(&server, "identity_provider.create", &ada), 1);

    let path = browser.path().split('?').next().unwrap().to_owned();
    browser.get(&format!("{path}/edit"));
    assert!(!browser.text().contains("a secret of theirs"));
    let form = browser.form();
    assert_eq!(form.get("client_id"), Some("APP-1"));
    assert_eq!(form.get("client_secret"), Some(""));
    browser.submit(&form.clone().set("name", "ORCID iD").set("trust_mfa", "yes"));
    assert_eq!(browser.title(), "ORCID iD");
    let kept = "SELECT count(*) FROM identity_providers WHERE short_name = 'orcid' AND sealed_secret IS NOT NULL";
    assert_eq!(server.count(kept, params![]), 1, "an empty field keeps the secret");

    browser.get(&format!("{path}/edit"));
    assert!(browser.text().contains("checked"));
    let form = browser.form().set("remove_secret", "yes");
    browser.submit(&form);
    assert_eq!(server.count(kept, params![]), 0);
    assert_eq!(done(&server, "identity_provider.update", &ada), 2);
}

#[test]
fn a_refused_provider_says_what_is_wrong_at_its_field_and_keeps_what_was_typed() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    university(&server);
    let path = format!("{CONSOLE}/providers/new?preset=generic");
    browser.get(&path);
    let good = browser
        .form()
        .set("name", "Laboratory")
        .set("short_name", "lab")
        .set("domains", "lab.example.org")
        .set("issuer", "https://login.lab.example.org")
        .set("client_id", "portolan");
    for (field, value) in [
        ("short_name", "Two Words"),
        ("short_name", "example"),
        ("domains", "example.edu"),
        ("domains", "no domain"),
        ("issuer", "http://127.0.0.1/"),
        ("issuer", ""),
        ("client_id", ""),
        ("scopes", "email"),
        ("client_authentication", "by_magic"),
        ("algorithms", "none"),
        ("username_claims", ""),
        ("parameters", "no equals sign"),
        ("parameters", "state=mine"),
        ("name", ""),
    ] {
        let outcome = browser.submit(&good.clone().set(field, value));
        assert_eq!(status(&outcome), StatusCode::BAD_REQUEST, "{field}={value}");
        let text = browser.text();
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{field}={value}: {text}"
        );
        assert!(field == "name" || browser.form().get("name") == Some("Laboratory"));
    }
    browser.submit(&good);
    assert!(
        browser.text().contains("The identity provider was added."),
        "{}",
        browser.text()
    );
}

#[test]
fn microsoft_needs_a_tenant() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    browser.get(&format!("{CONSOLE}/providers/new?preset=microsoft"));
    let form = browser
        .form()
        .set("name", "University")
        .set("short_name", "uni")
        .set("domains", "example.edu")
        .set("client_id", "portolan");
    assert_eq!(status(&browser.submit(&form)), StatusCode::BAD_REQUEST);
    assert!(browser.text().contains("id=\"tenant-error\""));
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    browser.submit(&browser.form().set("tenant", tenant));
    let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    assert!(browser.text().contains(&issuer), "{}", browser.text());
    let pinned = "SELECT count(*) FROM identity_providers WHERE short_name = 'uni' AND configuration LIKE '%\"tid\"%'";
    assert_eq!(server.count(pinned, params![]), 1);
}

#[test]
fn a_provider_is_switched_off_on_and_deleted() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let id = university(&server);
    let page = format!("{CONSOLE}/providers/{id}");
    agree(&browser, &format!("{page}/disable"));
    assert_eq!(done(&server, "identity_provider.disable", &ada), 1);
    browser.get(&format!("{CONSOLE}/providers?state=disabled"));
    assert!(browser.text().contains("Example University"));
    browser.get(&format!("{CONSOLE}/providers?state=enabled&q=exa"));
    assert!(!browser.text().contains("Example University"));
    agree(&browser, &format!("{page}/enable"));
    browser.get(&format!("{CONSOLE}/providers?q=UNIV"));
    assert!(browser.text().contains("Example University"));
    agree(&browser, &format!("{page}/delete"));
    assert_eq!(browser.path(), format!("{CONSOLE}/providers"));
    assert_eq!(status(&browser.get(&page)), StatusCode::NOT_FOUND);
    assert_eq!(done(&server, "identity_provider.delete", &ada), 1);

    // What is built in stays.
    let local = portolan_server::store::identity_providers::LOCAL;
    let outcome = agree(&browser, &format!("{CONSOLE}/providers/{local}/disable"));
    assert_eq!(status(&outcome), StatusCode::CONFLICT);
    assert!(browser.text().contains("is built in"));
    assert_eq!(
        status(&browser.get(&format!("{CONSOLE}/providers/{local}/edit"))),
        StatusCode::CONFLICT
    );
}

#[test]
fn failed_sign_ins_through_a_provider_are_told() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let id = university(&server);
    let ctx = server.ctx();
    server.write(move |tx| {
        portolan_server::domain::upstream::record_refusal(
            tx,
            &ctx,
            id,
            portolan_server::upstream::fault::FOREIGN_DOMAIN,
        )
    });
    browser.get(&format!("{CONSOLE}/providers/{id}"));
    assert!(
        browser
            .text()
            .contains(portolan_server::upstream::fault::FOREIGN_DOMAIN.code)
    );
}

#[test]
fn a_client_that_is_switched_off_loses_its_tokens_and_its_sign_ins_for_good() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    let bobs = server.browser_of(&bob);
    let project = server.project("Beamline");
    let app = server.client().named("Portal").in_project(project).create();
    let tokens = app.offline_tokens(&bobs, "openid");
    assert!(speaks(&server, tokens.access_token()));
    let own = app.credentials("openid");
    let other = server.client().create();
    let others = other.tokens(&bobs, "openid");
    browser.get(&format!("{CONSOLE}/clients?q=port"));
    assert!(browser.text().contains(&format!("{CONSOLE}/clients/{}", app.id)));
    let page = format!("{CONSOLE}/clients/{}", app.id);
    browser.get(&page);
    assert!(browser.text().contains("Beamline"));

    agree(&browser, &format!("{page}/disable"));
    assert!(browser.text().contains("It is switched off."));
    assert!(!speaks(&server, tokens.access_token()));
    assert!(other.is_active(others.access_token()), "no other client loses anything");
    assert_eq!(app.try_refresh(tokens.refresh_token()).outcome(), "401 invalid_client");
    assert!(
        bobs.authorize(&app, &app.params("openid")).is_page(),
        "nobody is sent there"
    );
    assert_eq!(done(&server, "client.disable", &ada), 1);

    agree(&browser, &format!("{page}/enable"));
    assert_eq!(done(&server, "client.enable", &ada), 1);
    assert!(!app.is_active(tokens.access_token()), "what ended stays ended");
    assert!(!app.is_active(own.access_token()));
    assert_eq!(app.try_refresh(tokens.refresh_token()).outcome(), "400 invalid_grant");
    let again = app.tokens(&bobs, "openid");
    assert!(app.is_active(again.access_token()), "a new sign-in is a new session");

    agree(&browser, &format!("{page}/delete"));
    assert_eq!(status(&browser.get(&page)), StatusCode::NOT_FOUND);
    assert_eq!(done(&server, "client.delete", &ada), 1);
}

/// What a service got in exchange for the token of an app belongs to
/// the session of the app, which goes on. What the app holds for the service is the app's.
#[test]
fn a_service_that_is_switched_on_again_has_none_of_the_tokens_that_it_had() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let data = server.resource_server("data.example").scope("read").create();
    let portal = server
        .resource_server("portal.example")
        .scope("all")
        .depends_offline_on(data.scope("read"))
        .create();
    let app = server.client().create();
    let bobs = server.browser_of(&server.user("bob").create());
    let tokens = app.offline_tokens(&bobs, portal.scope("all"));
    let exchange = || {
        let params = Params::default()
            .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
            .set("token", tokens.access_token())
            .set("access_type", "offline");
        portal.token(&params).ok().json()[0].clone()
    };
    let dependent = exchange();
    let access = dependent["access_token"].as_str().unwrap();
    let refresh = dependent["refresh_token"].as_str().unwrap();
    assert!(data.is_active(access));

    let page = format!("{CONSOLE}/clients/{}", portal.id);
    agree(&browser, &format!("{page}/disable"));
    assert!(!data.is_active(access));
    server.advance_seconds(1);
    agree(&browser, &format!("{page}/enable"));

    assert!(!data.is_active(access), "what ended stays ended");
    assert_eq!(portal.try_refresh(refresh).outcome(), "400 invalid_grant");
    assert!(portal.is_active(tokens.access_token()), "the app has done nothing");
    let again = exchange();
    assert!(data.is_active(again["access_token"].as_str().unwrap()));
}

#[test]
fn a_template_takes_its_instances_along_and_the_server_stays_itself() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let template = server.client().template().create();
    let laptop = server.instance_of(template.id, "laptop");
    let bobs = server.browser_of(&server.user("bob").create());
    let tokens = laptop.tokens(&bobs, "openid");
    assert!(speaks(&server, tokens.access_token()));
    browser.get(&format!("{CONSOLE}/clients/{}/disable", template.id));
    assert!(browser.text().contains("everything that devices registered from it"));
    browser.submit(&browser.form());
    assert!(!speaks(&server, tokens.access_token()));
    assert_eq!(laptop.try_credentials("openid").outcome(), "401 invalid_client");

    let auth = portolan_server::store::clients::AUTH;
    let outcome = agree(&browser, &format!("{CONSOLE}/clients/{auth}/disable"));
    assert_eq!(status(&outcome), StatusCode::CONFLICT);
}

#[test]
fn the_trail_is_searched_by_who_what_and_when() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let bob = server.user("bob").create();
    agree(&browser, &format!("{CONSOLE}/people/{}/disable", bob.id));
    server.advance_seconds(1);
    agree(&browser, &format!("{CONSOLE}/people/{}/enable", bob.id));
    let shown = |query: &str| -> Vec<String> {
        let outcome = browser.get(&format!("{CONSOLE}/audit?{query}"));
        assert_eq!(status(&outcome), StatusCode::OK, "{query}");
        let text = browser.text();
        text.split("<p class=\"scope-name\">")
            .skip(1)
            .map(|rest| rest.split_once('<').unwrap().0.to_owned())
            .collect()
    };
    assert_eq!(
        shown("actor=ada&action=identity"),
        ["identity.enable", "identity.disable"]
    );
    let by_ada = format!("href=\"{CONSOLE}/people/{}\">{}</a>", ada.id, ada.username);
    assert!(browser.text().contains(&by_ada), "{}", browser.text());
    assert_eq!(
        shown(&format!("kind=identity&id={}&action=identity.disable", bob.id)),
        ["identity.disable"]
    );
    assert_eq!(
        shown(&format!("actor={}", ada.id)).len(),
        3,
        "two changes and a sign-in"
    );
    assert!(shown("actor=operator").is_empty());
    assert!(browser.text().contains("Nothing in the trail matches."));
    assert_eq!(shown("action=identity&since=2026-03-01&until=2026-03-01").len(), 2);
    assert!(shown("action=identity&until=2026-02-28").is_empty());
    assert!(shown("action=identity&since=2026-03-01T12:00:02Z").is_empty());
    // By the system: nothing is left behind that it would tidy up.
    assert!(shown("actor=system&action=identity").is_empty());
    assert_eq!(
        shown("action=identity&since=2026-03-01T12:00:01Z"),
        ["identity.enable"],
        "the moment itself counts"
    );

    for (query, field) in [
        ("since=3.2.2026", "since"),
        ("until=x", "until"),
        ("actor=nobody-there", "actor"),
    ] {
        let outcome = browser.get(&format!("{CONSOLE}/audit?{query}"));
        assert_eq!(status(&outcome), StatusCode::BAD_REQUEST, "{query}");
        assert!(browser.text().contains(&format!("id=\"{field}-error\"")), "{query}");
    }
}

#[test]
fn a_long_trail_goes_on_on_the_next_page() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let bob = server.user("bob").create();
    for _ in 0..60 {
        server.browser_of(&bob);
    }
    let query = format!("{CONSOLE}/audit?actor={}&action=login", bob.id);
    browser.get(&query);
    let text = browser.text();
    assert_eq!(text.matches("<p class=\"scope-name\">").count(), 50);
    let (before, after) = text.split_once("before=").unwrap();
    let start = before.rfind("href=\"").unwrap() + 6;
    let next = format!("{}before={}", &before[start..], after.split_once('"').unwrap().0);
    browser.get(&crate::support::unescape(&next));
    assert_eq!(browser.text().matches("<p class=\"scope-name\">").count(), 10);
    assert!(!browser.text().contains("Earlier entries"));
}

/// What somebody did to themselves is one entry, beside what they did and what was done to them.
#[test]
fn the_recent_entries_of_a_person_are_each_there_once() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let bob = server.user("bob").create();
    server.browser_of(&bob);
    let app = server.client().create();
    app.tokens(&server.browser_of(&bob), "openid");
    agree(&browser, &format!("{CONSOLE}/people/{}/disable", bob.id));
    let entries = server.read(move |tx| trail::recent(tx, "identity", bob.id.0, 100));
    let of = |by_bob: bool, to_bob: bool| {
        let is = |entry: &&Entry| {
            let (by, to) = (
                entry.actor_id == Some(bob.id.0),
                entry.resource_id == bob.id.to_string(),
            );
            (by, to) == (by_bob, to_bob)
        };
        entries.iter().filter(is).count()
    };
    assert!(
        of(true, false) > 0 && of(false, true) > 0 && of(true, true) > 0,
        "{entries:?}"
    );
    let mut ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), entries.len(), "{entries:?}");

    // A page that is not full was the last one, though no further one may be read.
    let all = server.read(|tx| trail::search(tx, &trail::Filter::default(), trail::place_before(None), 100, 1));
    assert_eq!(
        (all.rest, all.entries.len() > entries.len()),
        (trail::Rest::Nothing, true)
    );
}

/// The trail is read page by page. What is rare in it stands behind many pages of other things.
#[test]
fn what_is_rare_is_found_behind_a_page_of_other_entries() {
    let server = TestServer::new();
    let bob = server.user("bob").create();
    server.browser_of(&bob);
    server.advance_seconds(1);
    let ctx = server.ctx();
    server.write(move |tx| {
        for number in 0..trail::PAGE {
            let event = Event {
                action: "key.rotate",
                actor: Actor::System,
                resource_kind: "server",
                resource_id: number.to_string(),
                detail: serde_json::json!({}),
            };
            audit::insert(tx, &ctx, &event)?;
        }
        Ok::<_, portolan_server::error::Error>(())
    });
    let search = |pages| {
        let filter = trail::Filter {
            action: Some("login".into()),
            ..trail::Filter::default()
        };
        let found = server.read(move |tx| trail::search(tx, &filter, trail::place_before(None), 10, pages));
        (found.entries.len(), found.rest)
    };
    assert!(matches!(search(1), (0, trail::Rest::Unread(_))), "{:?}", search(1));
    assert_eq!(search(2), (1, trail::Rest::Nothing));
}

#[test]
fn keys_are_rotated_here_at_once() {
    let server = TestServer::new();
    let (ada, browser) = ada(&server);
    let kid = || {
        server
            .app()
            .keys()
            .signer(SigningAlgorithm::Es256, server.now())
            .unwrap()
            .kid()
            .to_owned()
    };
    let before = kid();
    let old = server.read(portolan_server::store::keys::list)[0].id.to_string();
    browser.get(&format!("{CONSOLE}/keys"));
    assert!(browser.text().contains(&old));

    let rotate = |schedule: &str| {
        browser.get(&format!("{CONSOLE}/keys/rotate"));
        browser.submit(&browser.form().set("schedule", schedule));
    };
    rotate("published");
    assert!(browser.text().contains("New keys were made."));
    assert!(browser.text().contains("waits for its turn"));
    assert_eq!(kid(), before, "they wait");
    assert_eq!(done(&server, "signing_key.rotate", &ada), 2, "one of each kind");
    rotate("published");
    assert!(browser.text().contains("New keys are published already"));
    rotate("compromised");
    assert_ne!(kid(), before);
    browser.get(&format!("{CONSOLE}/keys"));
    assert!(!browser.text().contains(&old), "it is gone");

    browser.get(&format!("{CONSOLE}/keys/rotate"));
    let form: Form = browser.form().set("schedule", "whenever");
    assert_eq!(status(&browser.submit(&form)), StatusCode::BAD_REQUEST);
}

#[test]
fn the_server_tells_its_state() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    browser.get(&format!("{CONSOLE}/server"));
    let text = browser.text();
    for shown in [
        "Sqlite",
        "https://auth.example.org",
        "signing keys",
        "backups",
        "data folder",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

/// Threat 17.
#[test]
fn hostile_names_stay_words_in_the_console() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    let hostile = "<script>alert(1)</script>\"'&";
    let mallory = server.user("mallory").named(hostile).create();
    let client = server.client().named(hostile).create();
    for path in [
        "/people?q=mallory".to_owned(),
        format!("/people/{}", mallory.id),
        "/clients?q=%3Cscript".into(),
        format!("/clients/{}", client.id),
        format!("/clients/{}/delete", client.id),
        "/audit".into(),
        "/audit?actor=%3Cscript%3Ealert(1)%3C%2Fscript%3E".into(),
        "/people?q=%22%3E%3Cscript%3E".into(),
    ] {
        browser.get(&format!("{CONSOLE}{path}"));
        let text = browser.text();
        assert!(!text.contains("<script>alert"), "{path}");
        assert!(!text.contains("\"><script>"), "{path}");
    }
}

#[test]
fn the_console_speaks_german() {
    let server = TestServer::new();
    let (_, browser) = ada(&server);
    browser.set_cookie("__Host-portolan-language", "de");
    assert_eq!(browser.get(CONSOLE).title(), "Betriebskonsole");
}
