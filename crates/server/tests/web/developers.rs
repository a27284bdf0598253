//! The developer area: what a person does there with projects, apps and secrets, with the
//! rules of the JSON interface (wire.md 2.5, 2.6; decisions.md section 6).

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::provider::words;
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_server::store::{audit, clients, projects};
use portolan_types::{ClientId, IdentityProviderId, ProjectId, Timestamp};
use uuid::Uuid;

use crate::support::{Answer, Auth, Browser, Form, TestServer, TestUser, forms};

const AREA: &str = "/p/developers";
const SCRIPT: &str = "<script>alert(1)</script>";
/// Right to left, with a mark that would turn what follows around.
const TURNED: &str = "מצפן \u{202e}הים";

/// Alice in her browser, and Bob in his.
struct Portal {
    server: TestServer,
    alice: TestUser,
    bob: TestUser,
    browser: Browser,
    others: Browser,
}

impl Portal {
    fn new() -> Self {
        let server = TestServer::new();
        let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
        Self {
            browser: server.browser_of(&alice),
            others: server.browser_of(&bob),
            server,
            alice,
            bob,
        }
    }

    /// Fills in the form of a page that posts to the page itself, and sends it.
    #[track_caller]
    fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        send(&self.browser, path, fields)
    }

    fn project(&self, name: &str) -> String {
        let answer = self.send(&format!("{AREA}/projects/new"), &[("display_name", name)]);
        let (path, _) = answer.location().split_once('?').unwrap();
        path.to_owned()
    }

    /// An app in this project; returns the path of its page.
    #[track_caller]
    fn app(&self, project: &str, client_type: &str) -> String {
        let fields = [("name", "Sextant"), ("client_type", client_type)];
        let answer = self.send(&format!("{project}/apps/new"), &fields);
        let (path, _) = answer.location().split_once('?').unwrap();
        path.to_owned()
    }

    fn client(&self, page: &str) -> clients::Client {
        let id: ClientId = page.rsplit('/').next().unwrap().parse().unwrap();
        self.server.read(move |tx| clients::get(tx, id))
    }

    fn text(&self, path: &str) -> String {
        text(&self.browser, path)
    }
}

#[track_caller]
fn send(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let form = form(browser, path);
    let form = fields.iter().fold(form, |form, (name, value)| form.set(name, value));
    browser.send(Method::POST, path, Some(&form.fields))
}

#[track_caller]
fn form(browser: &Browser, path: &str) -> Form {
    let page = text(browser, path);
    let form = forms(&page).into_iter().find(|form| form.action == path);
    form.unwrap_or_else(|| panic!("{path} has no form: {page}"))
}

#[track_caller]
fn text(browser: &Browser, path: &str) -> String {
    browser.get(path).page().text()
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// What the page says is wrong with a field, all of it.
fn refusal(page: &str, field: &str) -> String {
    let Some((_, rest)) = page.split_once(&format!("id=\"{field}-error\"")) else {
        return String::new();
    };
    let end = ["<input", "<textarea"].iter().filter_map(|tag| rest.find(tag)).min();
    rest[..end.unwrap_or(rest.len())].to_owned()
}

fn audited(server: &TestServer, action: &'static str) -> Vec<Option<Uuid>> {
    let end = (Timestamp::from_seconds(i64::from(u32::MAX)), Uuid::max());
    let entries = server.read(move |tx| audit::list_before(tx, end, 100));
    entries
        .into_iter()
        .filter(|entry| entry.action == action)
        .map(|entry| entry.actor_id)
        .collect()
}

fn token(server: &TestServer, app: &str, secret: &str) -> Answer {
    server
        .request(Method::POST, "/v2/oauth2/token")
        .form(&[("grant_type", "client_credentials"), ("scope", "openid")])
        .authorization(&Auth::Basic(id_of(app).to_owned(), secret.to_owned()))
        .send()
}

#[test]
fn whoever_has_no_project_is_told_how_to_begin() {
    let portal = Portal::new();

    let page = portal.text(AREA);

    assert!(page.contains("You have no project yet."), "{page}");
    assert!(page.contains("href=\"/p/developers/projects/new\""), "{page}");
}

#[test]
fn signing_in_leads_back_to_the_page() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let fresh = portal.server.browser();

    fresh.get(&project);
    assert!(
        fresh.path().starts_with("/p/login?next=developers&page=projects"),
        "{}",
        fresh.path()
    );
    fresh.login(&portal.alice);

    assert_eq!(fresh.path(), project);
    assert_eq!(fresh.title(), "Beamline 7");
}

#[test]
fn a_project_is_made_changed_and_deleted() {
    let portal = Portal::new();

    let project = portal.project("Beamline 7");
    let page = portal.text(&format!("{project}?notice=created"));
    assert!(page.contains("The project is made"), "{page}");
    assert!(page.contains("alice@example.org"), "the contact was prefilled: {page}");
    assert!(
        portal.text(AREA).contains(&format!("href=\"{project}\"")),
        "it is in the list"
    );

    let fields = [("display_name", "Beamline 8"), ("contact_email", "eight@example.org")];
    let changed = portal.send(&format!("{project}/edit"), &fields);
    assert_eq!(changed.location(), format!("{project}?notice=changed"));
    let page = portal.text(&project);
    assert!(
        page.contains("Beamline 8") && page.contains("eight@example.org"),
        "{page}"
    );

    let deleted = portal.send(&format!("{project}/delete"), &[]);
    assert_eq!(deleted.location(), "/p/developers?notice=deleted");
    assert_eq!(portal.browser.get(&project).page().status, StatusCode::NOT_FOUND);
    for action in ["project.create", "project.update", "project.delete"] {
        assert_eq!(audited(&portal.server, action), [Some(portal.alice.id.0)], "{action}");
    }
}

#[test]
fn what_is_wrong_with_a_project_stands_at_its_field_and_the_rest_is_kept() {
    let portal = Portal::new();
    let long = "x".repeat(256);

    let answer = portal.send(
        &format!("{AREA}/projects/new"),
        &[("display_name", &long), ("contact_email", "nobody")],
    );

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let page = answer.text();
    assert!(refusal(&page, "display_name").contains("1 to 255 characters"), "{page}");
    assert!(refusal(&page, "contact_email").contains("an e-mail address"), "{page}");
    assert!(page.contains("value=\"nobody\"") && page.contains(&long), "{page}");
    assert!(page.contains("<title>Error: "), "{page}");
    assert!(audited(&portal.server, "project.create").is_empty());

    let project = portal.project("Beamline 7");
    let answer = portal.send(&format!("{project}/edit"), &[("contact_email", "a b@c")]);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(refusal(&answer.text(), "contact_email").contains("an e-mail address"));
}

#[test]
fn a_full_project_cannot_be_deleted_and_says_what_it_holds() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let delete = format!("{project}/delete");
    let form = form(&portal.browser, &delete);
    portal.app(&project, "client_identity");

    assert!(portal.text(&delete).contains("<li>one app</li>"));
    let refused = portal.browser.send(Method::POST, &delete, Some(&form.fields));

    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(audited(&portal.server, "project.delete").is_empty());
}

#[test]
fn admins_are_added_and_removed_as_equals() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let robot = portal.server.client().of_type("client_identity").create();
    assert_eq!(portal.others.get(&project).page().status, StatusCode::NOT_FOUND);

    for who in [" Bob ", &robot.id.to_string()] {
        let added = portal.send(&format!("{project}/admins"), &[("who", who)]);
        assert_eq!(added.location(), format!("{project}?notice=admin-added"), "{who}");
    }
    let page = text(&portal.others, &project);
    assert!(page.contains("bob@portolan.local"), "{page}");
    assert!(
        page.contains(&format!("{}@clients.auth.globus.org", robot.id)),
        "{page}"
    );

    // Bob removes the one who added him.
    let removal = format!("{project}/admins/{}", portal.alice.id);
    assert!(text(&portal.others, &removal).contains("alice@portolan.local"));
    let removed = send(&portal.others, &removal, &[]);
    assert_eq!(removed.location(), format!("{project}?notice=admin-removed"));
    assert_eq!(portal.browser.get(&project).page().status, StatusCode::NOT_FOUND);
}

#[test]
fn who_leaves_is_told_before_and_comes_out_at_the_list() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    portal.send(&format!("{project}/admins"), &[("who", "bob")]);
    let removal = format!("{project}/admins/{}", portal.alice.id);

    let page = portal.text(&removal);
    assert!(page.contains("This is you"), "{page}");
    let left = portal.send(&removal, &[]);

    assert_eq!(left.location(), "/p/developers?notice=left");
}

#[test]
fn the_last_admin_who_can_sign_in_stays() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    portal.send(&format!("{project}/admins"), &[("who", "bob")]);
    let removal = format!("{project}/admins/{}", portal.alice.id);
    let form = form(&portal.browser, &removal);
    portal.server.sql(
        "UPDATE identities SET enabled = 0 WHERE id = $1",
        params![portal.bob.id],
    );

    let page = portal.text(&removal);
    assert!(page.contains("is the last admin") && forms(&page).is_empty(), "{page}");
    let refused = portal.browser.send(Method::POST, &removal, Some(&form.fields));

    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("at least one enabled identity"));
    assert_eq!(portal.browser.get(&project).page().status, StatusCode::OK);
}

#[test]
fn whoever_cannot_be_an_admin_is_told_apart() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let carol = portal.server.user("carol").create();
    portal
        .server
        .sql("UPDATE identities SET enabled = 0 WHERE id = $1", params![carol.id]);

    for (who, expected) in [
        ("nobody", "There is no account of this name"),
        (&new_uuid().to_string(), "There is no account of this name"),
        ("carol", "switched off"),
        ("alice@portolan.local", "already"),
        (SCRIPT, "There is no account of this name"),
    ] {
        let answer = portal.send(&format!("{project}/admins"), &[("who", who)]);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{who}");
        let page = answer.text();
        assert!(refusal(&page, "who").contains(expected), "{who}: {page}");
        assert!(!page.contains(SCRIPT), "{page}");
    }
}

#[test]
fn a_person_with_several_accounts_says_which_administers_and_signs_in_with_that_one() {
    let portal = Portal::new();
    let other = portal.server.user("alice-at-work").create();
    portal.server.link(&portal.alice, &other);
    let path = format!("{AREA}/projects/new");

    let form = form(&portal.browser, &path).set("display_name", "Work");
    assert_eq!(
        form.get("ids"),
        Some(portal.alice.id.to_string().as_str()),
        "the one here"
    );
    let none = form.clone().without("ids", &portal.alice.id.to_string());
    let answer = portal.browser.send(Method::POST, &path, Some(&none.fields));
    assert!(
        answer.text().contains("Choose at least one account"),
        "{}",
        answer.text()
    );
    // Another person's account does not count.
    let others = form.clone().set("ids", &portal.bob.id.to_string());
    let answer = portal.browser.send(Method::POST, &path, Some(&others.fields));
    assert!(
        answer.text().contains("Choose at least one account"),
        "{}",
        answer.text()
    );

    let form = form.set("ids", &other.id.to_string());
    let made = portal.browser.send(Method::POST, &path, Some(&form.fields));
    let project = made.location().split_once('?').unwrap().0.to_owned();
    let id: ProjectId = id_of(&project).parse().unwrap();
    assert_eq!(portal.server.read(move |tx| projects::list_admins(tx, id)), [other.id]);

    // She sees it, since it is hers; to change it she signs in with the account that may.
    assert_eq!(portal.browser.get(&project).title(), "Work");
    portal.browser.get(&format!("{project}/edit"));
    assert_eq!(portal.browser.title(), "Sign in");
    assert_eq!(
        portal.browser.form().get("username"),
        Some("alice-at-work@portolan.local")
    );
    portal.browser.login(&portal.alice);
    assert_eq!(portal.browser.title(), "Sign in", "the wrong account does not help");
    portal.browser.login(&other);
    assert_eq!(portal.browser.path(), format!("{project}/edit"));
}

#[test]
fn a_change_needs_a_recent_sign_in_and_looking_does_not() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "confidential_client");
    let edit = format!("{project}/edit");
    let form = form(&portal.browser, &edit).set("display_name", "Later");
    portal.server.advance_seconds(1801);

    for path in [AREA, &project, &app] {
        assert_eq!(portal.browser.get(path).page().status, StatusCode::OK);
        assert_eq!(portal.browser.path(), path);
    }
    let answer = portal.browser.send(Method::POST, &edit, Some(&form.fields));
    assert!(
        answer.location().starts_with("/p/login?next=administer"),
        "{}",
        answer.location()
    );
    assert!(portal.text(&project).contains("Beamline 7"), "nothing has changed");
    for path in [&edit, &format!("{app}/secrets"), &format!("{app}/delete")] {
        portal.browser.get(path);
        assert_eq!(portal.browser.title(), "Sign in", "{path}");
    }
    portal.browser.login(&portal.alice);
    assert_eq!(portal.browser.path(), format!("{app}/delete"));
    assert_eq!(portal.send(&edit, &[]).location(), format!("{project}?notice=changed"));
}

#[test]
fn the_gate_can_be_switched_off() {
    let server = TestServer::with(|config| config.session_gate = false);
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let made = send(
        &browser,
        "/p/developers/projects/new",
        &[("display_name", "Beamline 7")],
    );
    let project = made.location().split_once('?').unwrap().0.to_owned();
    server.advance_seconds(7200);

    let changed = send(&browser, &format!("{project}/edit"), &[]);

    assert_eq!(changed.location(), format!("{project}?notice=changed"));
}

/// Nothing tells a stranger whether there is such a project or app.
#[test]
fn what_somebody_does_not_administer_is_as_if_it_were_not_there() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "confidential_client");
    let secret = portal.send(&format!("{app}/secrets"), &[("name", "first")]);
    assert_eq!(secret.status, StatusCode::OK);
    let client = portal.client(&app).id;
    let credential = portal.server.read(move |tx| clients::list_credentials(tx, client))[0].id;
    portal.others.get("/v2/web/logout");
    let own_token = portal.others.form().get("form_token").unwrap().to_owned();
    let fields = vec![
        ("form_token".to_owned(), own_token),
        ("display_name".to_owned(), "Taken".to_owned()),
        ("contact_email".to_owned(), "t@example.org".to_owned()),
        ("name".to_owned(), "Taken".to_owned()),
        ("client_type".to_owned(), "client_identity".to_owned()),
        ("who".to_owned(), "bob".to_owned()),
    ];
    let removal = format!("/admins/{}", portal.alice.id);
    let secret_removal = format!("/secrets/{credential}/delete");
    let pages = [
        (&project, "", Method::GET),
        (&project, "/edit", Method::GET),
        (&project, "/edit", Method::POST),
        (&project, "/delete", Method::GET),
        (&project, "/delete", Method::POST),
        (&project, "/admins", Method::GET),
        (&project, "/admins", Method::POST),
        (&project, &removal, Method::GET),
        (&project, &removal, Method::POST),
        (&project, "/apps/new", Method::GET),
        (&project, "/apps/new", Method::POST),
        (&app, "", Method::GET),
        (&app, "/edit", Method::GET),
        (&app, "/edit", Method::POST),
        (&app, "/delete", Method::GET),
        (&app, "/delete", Method::POST),
        (&app, "/secrets", Method::GET),
        (&app, "/secrets", Method::POST),
        (&app, &secret_removal, Method::GET),
        (&app, &secret_removal, Method::POST),
    ];
    for (base, more, method) in pages {
        let absent = base.replace(id_of(base), &new_uuid().to_string());
        let answers = [base.as_str(), &absent, "/p/developers/apps/nonsense"].map(|base| {
            let path = format!("{base}{more}");
            let fields = (method == Method::POST).then_some(fields.as_slice());
            let answer = portal.others.send(method.clone(), &path, fields);
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            // The pages differ in the number of the request alone.
            let number = answer.headers["x-request-id"].to_str().unwrap().to_owned();
            answer.text().replace(&number, "")
        });
        assert_eq!(answers[0], answers[1], "{method} {base}{more}");
        assert!(!answers[0].contains("Beamline") && !answers[0].contains("Sextant"));
    }
    assert_eq!(portal.client(&app).name, "Sextant");
}

#[test]
fn a_form_of_another_site_changes_nothing() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let edit = format!("{project}/edit");
    let form = form(&portal.browser, &edit).set("display_name", "Taken");
    let token = form.get("form_token").unwrap().to_owned();
    for forged in [
        form.clone().without("form_token", &token),
        form.clone().set("form_token", &"A".repeat(token.len())),
    ] {
        let answer = portal.browser.send(Method::POST, &edit, Some(&forged.fields));
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(portal.text(&project).contains("Beamline 7"));
}

#[test]
fn names_that_would_be_markup_stay_names_on_every_page() {
    let portal = Portal::new();
    let long = "long ".repeat(51);
    for name in [SCRIPT, long.trim(), TURNED, "\"><img src=x onerror=alert(1)>"] {
        let project = portal.project(name);
        let fields = [("name", name), ("client_type", "confidential_client")];
        let made = portal.send(&format!("{project}/apps/new"), &fields);
        let app = made.location().split_once('?').unwrap().0.to_owned();
        let secret = portal.send(&format!("{app}/secrets"), &[("name", name)]).text();
        assert!(!secret.contains(SCRIPT) && !secret.contains("<img"), "{secret}");
        let client = portal.client(&app);
        assert_eq!(client.name, name);
        let id = client.id;
        let credential = portal.server.read(move |tx| clients::list_credentials(tx, id))[0].id;
        for path in [
            AREA.to_owned(),
            project.clone(),
            format!("{project}/edit"),
            format!("{project}/delete"),
            format!("{project}/admins"),
            format!("{project}/admins/{}", portal.alice.id),
            format!("{project}/apps/new"),
            app.clone(),
            format!("{app}/edit"),
            format!("{app}/delete"),
            format!("{app}/secrets"),
            format!("{app}/secrets/{credential}/delete"),
        ] {
            let answer = portal.browser.send(Method::GET, &path, None);
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let page = answer.text();
            assert!(!page.contains("<script>") && !page.contains("<img"), "{path}: {page}");
        }
        // What might turn the text around it stands in an element of its own.
        assert!(portal.text(AREA).contains("<bdi>"), "names are kept apart");
    }
}

#[test]
fn an_app_of_every_type_is_registered_and_can_be_tried() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let form_page = portal.text(&format!("{project}/apps/new"));
    for (client_type, has_secret) in [
        ("public_installed_client", false),
        ("public_webapp_client", false),
        ("confidential_client", true),
        ("client_identity", true),
        ("resource_server", true),
        ("globus_connect_server", true),
        ("hybrid_confidential_client_resource_server", true),
    ] {
        assert!(form_page.contains(&format!("value=\"{client_type}\"")), "{client_type}");
        let app = portal.app(&project, client_type);
        let client = portal.client(&app);
        assert_eq!(client.client_type, client_type);
        assert_eq!(client.project_id.unwrap().to_string(), id_of(&project));
        assert_eq!(client.prompt_for_named_grant, client_type == "public_installed_client");

        let page = portal.text(&format!("{app}?notice=created"));
        assert!(page.contains("The app is registered"), "{page}");
        assert_eq!(page.contains(&format!("{app}/secrets")), has_secret, "{client_type}");
        let (_, commands) = page.split_once("id=\"try\"").unwrap();
        assert!(
            commands.contains(id_of(&app)) && commands.contains("https://auth.example.org/v2/oauth2"),
            "{commands}"
        );
        let is_account = client_type == "client_identity";
        assert_eq!(page.contains("The account it acts as"), is_account, "{client_type}");
        assert_eq!(
            page.contains(&format!("{}@clients.auth.globus.org", id_of(&app))),
            has_secret
        );
    }
    assert_eq!(audited(&portal.server, "client.create").len(), 7);
}

#[test]
fn a_service_account_becomes_an_admin_by_two_clicks() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "client_identity");
    let link = format!("{project}/admins?who={}", id_of(&app));
    assert!(portal.text(&app).contains(&link));

    portal.browser.get(&link);
    let form = portal.browser.form();
    assert_eq!(form.get("who"), Some(id_of(&app)));
    portal.browser.submit(&form);

    assert!(
        portal.browser.text().contains("service account"),
        "{}",
        portal.browser.text()
    );
}

#[test]
fn every_setting_of_an_app_comes_back_as_it_was_typed() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let fields = [
        ("name", "Sextant"),
        ("client_type", "confidential_client"),
        (
            "redirect_uris",
            " https://a.example/cb?x=1&y=2 \r\n\r\nhttp://127.0.0.1/cb\r\n",
        ),
        ("terms_and_conditions", "https://a.example/terms"),
        ("privacy_policy", "https://a.example/privacy"),
        ("visibility", "public"),
        ("preselect_idp", "portolan.local"),
        ("prompt_for_named_grant", "yes"),
        ("post_logout_redirect_uris", "https://a.example/bye"),
        ("backchannel_logout_uri", "https://a.example/logout"),
        ("backchannel_logout_session_required", "yes"),
    ];
    let made = portal.send(&format!("{project}/apps/new"), &fields);
    let app = made.location().split_once('?').unwrap().0.to_owned();
    let client = portal.client(&app);
    assert_eq!(
        client.redirect_uris(),
        ["https://a.example/cb?x=1&y=2", "http://127.0.0.1/cb"]
    );
    assert_eq!(client.visibility, "public");
    assert_eq!(client.preselect_idp, Some(identity_providers::LOCAL));
    assert!(client.prompt_for_named_grant && client.userinfo_from_effective_identity);

    // The form as it comes changes nothing.
    let before = (format!("{client:?}"), portal.text(&app));
    let changed = portal.send(&format!("{app}/edit"), &[]);
    assert_eq!(changed.location(), format!("{app}?notice=changed"));
    assert_eq!(format!("{:?}", portal.client(&app)), before.0);
    let logout = |page: &str| page.contains("https://a.example/bye") && page.contains("https://a.example/logout");
    assert!(logout(&before.1) && logout(&portal.text(&app)));

    // What is emptied goes.
    let empty = [
        ("redirect_uris", ""),
        ("terms_and_conditions", ""),
        ("privacy_policy", ""),
        ("preselect_idp", ""),
        ("post_logout_redirect_uris", ""),
        ("backchannel_logout_uri", ""),
        ("visibility", "private"),
    ];
    portal.send(&format!("{app}/edit"), &empty);
    let client = portal.client(&app);
    assert!(client.redirect_uris().is_empty() && client.preselect_idp.is_none());
    assert_eq!(
        (client.terms_and_conditions.as_deref(), client.visibility.as_str()),
        (None, "private")
    );
    assert!(!portal.text(&app).contains("a.example"));
}

#[test]
fn what_is_wrong_with_an_app_names_the_field_and_the_line() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let fields = [
        (
            "redirect_uris",
            "https://a.example/cb\nhttp://a.example/cb\n\nhttps://*.example/",
        ),
        ("terms_and_conditions", "nowhere"),
        ("post_logout_redirect_uris", "https://a.example/#x"),
        ("backchannel_logout_uri", "http://a.example/"),
        ("required_idp", "no such place"),
    ];
    let answer = portal.send(&format!("{project}/apps/new"), &fields);

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let page = answer.text();
    let faults = refusal(&page, "redirect_uris");
    assert!(
        faults.contains("Line 2, http://a.example/cb: It has to begin with https://"),
        "{faults}"
    );
    assert!(
        faults.contains("Line 4, https://*.example/: Wildcards do not work"),
        "{faults}"
    );
    assert!(!faults.contains("Line 1") && !faults.contains("Line 3"), "{faults}");
    for (field, expected) in [
        ("name", "1 to 255 characters"),
        ("terms_and_conditions", "web address"),
        ("privacy_policy", "both addresses or neither"),
        ("post_logout_redirect_uris", "must not contain a #"),
        ("backchannel_logout_uri", "https://"),
        ("required_idp", "no identity provider"),
    ] {
        assert!(refusal(&page, field).contains(expected), "{field}: {page}");
    }
    assert!(page.contains("Choose what kind of app it is."), "{page}");
    assert!(
        page.contains("http://a.example/cb\n\nhttps://*.example/"),
        "it is kept: {page}"
    );
    assert!(audited(&portal.server, "client.create").is_empty());

    let app = portal.app(&project, "confidential_client");
    let answer = portal.send(&format!("{app}/edit"), &[("redirect_uris", "org.example.app:/cb")]);
    assert!(refusal(&answer.text(), "redirect_uris").contains("Line 1"));
}

#[test]
fn an_identity_provider_is_found_by_its_domain_or_by_words_that_fit_it_alone() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "confidential_client");
    for (id, name, domain) in [
        (1, "Universität Zürich", "uzh.example"),
        (2, "Universität Bern", "unibe.example"),
    ] {
        let provider = IdentityProvider {
            id: IdentityProviderId::from_u128(id),
            name: name.to_owned(),
            short_name: domain.to_owned(),
            kind: "oidc".into(),
            alternative_names: "[]".into(),
            enabled: true,
        };
        let now = portal.server.now();
        portal.server.write(move |tx| {
            identity_providers::upsert(tx, &provider, &[domain], now)?;
            identity_providers::replace_words(tx, provider.id, &words(&provider.name))
        });
    }
    let page = portal.text(&format!("{app}/edit"));
    assert!(
        page.contains("<option value=\"uzh.example\">Universität Zürich</option>"),
        "{page}"
    );

    for (typed, expected) in [
        ("UZH.example", 1),
        ("bern", 2),
        ("00000000-0000-0000-0000-000000000001", 1),
    ] {
        portal.send(&format!("{app}/edit"), &[("required_idp", typed)]);
        let required = portal.client(&app).required_idp;
        assert_eq!(required, Some(IdentityProviderId::from_u128(expected)), "{typed}");
    }
    let several = portal.send(&format!("{app}/edit"), &[("required_idp", "universitat")]);
    let said = refusal(&several.text(), "required_idp");
    assert!(
        said.contains("Universität Bern (unibe.example)") && said.contains("uzh.example"),
        "{said}"
    );
    assert!(portal.text(&app).contains("Universität Zürich"), "the last one stays");
}

#[test]
fn a_secret_is_shown_once_works_and_ends() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "client_identity");
    let path = format!("{app}/secrets");
    let form = form(&portal.browser, &path).set("name", "night watch");

    let shown = portal.browser.send(Method::POST, &path, Some(&form.fields));
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert_eq!(shown.headers["referrer-policy"], "no-referrer");
    let page = shown.text();
    let (_, rest) = page.split_once("id=\"secret\" tabindex=\"0\">").unwrap();
    let secret = rest.split_once('<').unwrap().0.replace("&#43;", "+");
    assert_eq!(token(&portal.server, &app, &secret).status, StatusCode::OK);

    // The browser sends it again when the page is loaded again.
    let again = portal.browser.send(Method::POST, &path, Some(&form.fields));
    assert_eq!(again.location(), format!("{app}?notice=secret-made"));
    let client = portal.client(&app).id;
    let list = move |tx: &mut portolan_db::ReadTx| clients::list_credentials(tx, client);
    let credentials = portal.server.read(list);
    assert_eq!(credentials.len(), 1);
    let page = portal.text(&app);
    assert!(page.contains("night watch") && page.contains(&credentials[0].id.to_string()));
    assert!(!page.contains(&secret), "it is nowhere else");

    let delete = format!("{app}/secrets/{}/delete", credentials[0].id);
    assert!(portal.text(&delete).contains("It is the last one"));
    let deleted = portal.send(&delete, &[]);
    assert_eq!(deleted.location(), format!("{app}?notice=secret-deleted"));
    assert_eq!(token(&portal.server, &app, &secret).status, StatusCode::UNAUTHORIZED);
    assert_eq!(portal.browser.get(&delete).page().status, StatusCode::NOT_FOUND);
    assert_eq!(
        audited(&portal.server, "client.create_credential"),
        [Some(portal.alice.id.0)]
    );
}

#[test]
fn a_secret_needs_a_description() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "resource_server");
    for name in ["", "   ", "two\nlines"] {
        let answer = portal.send(&format!("{app}/secrets"), &[("name", name)]);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(refusal(&answer.text(), "name").contains("1 to 255"), "{name:?}");
    }
    assert!(portal.text(&app).contains("has no secret yet"));
}

#[test]
fn a_public_app_has_no_secrets() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "public_installed_client");

    let answer = portal.browser.get(&format!("{app}/secrets")).page().clone();

    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[test]
fn before_an_app_ends_the_page_counts_what_ends_with_it() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let id: ProjectId = id_of(&project).parse().unwrap();
    let client = portal.server.client().named("Sextant").in_project(id).create();
    let app = format!("{AREA}/apps/{}", client.id);
    let tokens = client.tokens(&portal.browser, "openid email");
    client.tokens(&portal.others, "openid");

    let page = portal.text(&format!("{app}/delete"));
    assert!(page.contains("3 permissions that 2 people gave it."), "{page}");
    assert!(client.is_active(tokens.access_token()));
    let deleted = portal.send(&format!("{app}/delete"), &[]);

    assert_eq!(deleted.location(), format!("{project}?notice=app-deleted"));
    assert_eq!(portal.browser.get(&app).page().status, StatusCode::NOT_FOUND);
    let answer = portal
        .server
        .get_as("/v2/oauth2/userinfo", &Auth::Bearer(tokens.access_token().to_owned()));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn the_admin_that_a_project_needs_cannot_be_deleted_as_an_app() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "client_identity");
    portal.send(&format!("{project}/admins"), &[("who", id_of(&app))]);
    let second = portal.project("Automation");
    portal.send(&format!("{second}/admins"), &[("who", id_of(&app))]);
    portal.send(&format!("{second}/admins/{}", portal.alice.id), &[]);

    let refused = portal.send(&format!("{app}/delete"), &[]);

    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.text().contains("would have no admin left"),
        "{}",
        refused.text()
    );
    assert_eq!(portal.client(&app).name, "Sextant");
}

#[test]
fn the_last_events_say_who_changed_the_app_but_not_who_uses_it() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let app = portal.app(&project, "confidential_client");
    portal.send(
        &format!("{app}/edit"),
        &[("redirect_uris", crate::support::REDIRECT_URI)],
    );
    let made = portal.send(&format!("{app}/secrets"), &[("name", "first")]);
    assert_eq!(made.status, StatusCode::OK);
    let ctx = portal.server.ctx();
    let (id, bob) = (id_of(&app).to_owned(), portal.bob.id);
    portal.server.write(move |tx| {
        let event = audit::Event {
            action: "consent.approve",
            actor: audit::Actor::Identity(bob),
            resource_kind: "client",
            resource_id: id.clone(),
            detail: serde_json::json!({}),
        };
        audit::insert(tx, &ctx, &event)
    });

    let page = portal.text(&app);
    let (_, events) = page.split_once("Last events").unwrap();

    assert!(events.contains("Somebody allowed the app something"), "{events}");
    assert!(
        events.contains("A secret was made") && events.contains("The app was registered"),
        "{events}"
    );
    assert!(events.contains("alice@portolan.local"), "{events}");
    assert!(!page.contains("bob@"), "the app may not know who allowed it: {page}");
}

#[test]
fn among_many_apps_one_is_found_by_a_part_of_its_name() {
    let portal = Portal::new();
    let project = portal.project("Beamline 7");
    let id: ProjectId = id_of(&project).parse().unwrap();
    for n in 0..30 {
        portal
            .server
            .client()
            .named(&format!("App {n}"))
            .in_project(id)
            .create();
    }
    assert!(portal.text(&project).contains("30 of 30 apps"));

    let page = portal.text(&format!("{project}?find=aPP+17"));

    assert!(page.contains("1 of 30 apps") && page.contains("App 17"), "{page}");
    assert!(!page.contains("App 18"), "{page}");
    let none = portal.text(&format!("{project}?find=%3Cscript%3Ealert(1)%3C/script%3E"));
    assert!(none.contains("No app fits") && !none.contains(SCRIPT), "{none}");
    assert!(none.contains(&format!("href=\"{project}\">Show all apps")), "{none}");
}
