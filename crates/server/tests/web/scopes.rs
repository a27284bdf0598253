//! Scopes in the developer area: what an app that is a service lets others ask for. The
//! rules are those of the JSON interface; here it is shown that the pages obey them, keep
//! what was typed, and tell nothing to strangers.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::store::clients::Client;
use portolan_server::store::scopes::{self, Dependency, Scope};
use portolan_server::store::{clients, consents, projects};
use portolan_types::{ProjectId, ScopeId};

use crate::support::{
    Answer, Browser, Form, TestResourceServer, TestServer, TestUser, assert_says, each_engine, main_form, words,
};

/// Alice administers a project with a service; there is another service that is nobody's.
struct Desk {
    server: TestServer,
    alice: TestUser,
    browser: Browser,
    project: ProjectId,
    service: TestResourceServer,
    data: TestResourceServer,
}

impl Desk {
    fn new(server: &TestServer) -> Self {
        let data = server
            .resource_server("data.example")
            .scope("read")
            .scope("write")
            .without_refresh_tokens()
            .scope("secret")
            .unadvertised()
            .create();
        let alice = server.user("alice").create();
        let project = server.project("Beamline");
        let admin = alice.id;
        server.write(move |tx| projects::insert_admin(tx, project, admin));
        Self {
            server: server.clone(),
            browser: server.browser_of(&alice),
            alice,
            project,
            service: server.resource_server("beamline.example").in_project(project).create(),
            data,
        }
    }

    fn list(&self) -> String {
        format!("/p/developers/apps/{}/scopes", self.service.id)
    }

    fn new_page(&self) -> String {
        format!("{}/new", self.list())
    }

    /// The form of a new scope with what it has to have.
    fn filled(&self) -> Form {
        let page = self.browser.get(&self.new_page());
        assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
        main_form(&page.page().text())
            .set("suffix", "action_all")
            .set("name", "Run beamline actions")
            .set("description", "Everything that\r\nthe provider does.")
    }

    fn post(&self, form: &Form) -> Answer {
        self.browser.send(Method::POST, &form.action, Some(&form.fields))
    }

    /// The page that comes back, and its form.
    fn again(&self, form: &Form) -> (String, Form) {
        let answer = self.post(form);
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.summary());
        let html = answer.text();
        let form = main_form(&html);
        (html, form)
    }

    fn save(&self, form: &Form) -> Answer {
        self.post(&form.clone().set("do", "save"))
    }

    #[track_caller]
    fn saved(&self, form: &Form, notice: &str) {
        let answer = self.save(form);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", words(&answer.text()));
        assert_eq!(answer.location(), format!("{}?notice={notice}", self.list()));
    }

    fn find(&self, suffix: &str) -> Option<Scope> {
        let (client, suffix) = (self.service.id, suffix.to_owned());
        let found = self.server.read(move |tx| scopes::list_by_clients(tx, [client]));
        found
            .into_iter()
            .find(|scope| scope.suffix.as_deref() == Some(suffix.as_str()))
    }

    fn dependencies(&self, scope: ScopeId) -> Vec<Dependency> {
        self.server.read(move |tx| scopes::list_dependencies(tx, [scope]))
    }

    fn make(&self, suffix: &str) -> Scope {
        self.saved(&self.filled().set("suffix", suffix), "made");
        self.find(suffix).expect("it was made")
    }

    fn page_of(&self, scope: &Scope) -> String {
        format!("{}/{}", self.list(), scope.id)
    }

    fn form_of(&self, scope: &Scope) -> Form {
        main_form(&self.browser.get(&self.page_of(scope)).page().text())
    }
}

/// The step of the action-provider guide: a scope that needs one of another service.
#[test]
fn a_scope_is_made_with_what_it_needs_and_people_are_asked_for_both() {
    each_engine(|server| {
        let desk = Desk::new(server);
        let empty = words(&desk.browser.get(&desk.list()).page().text());
        assert_says(&empty, "Scopes of The service beamline.example");
        assert_says(&empty, "This app has no scope so far.");

        // Enter in the field of the search looks, and keeps what was typed.
        let (html, form) = desk.again(&desk.filled().set("search", "DATA.exam read").set("do", "enter"));
        assert_says(&words(&html), "One scope fits. Scope read at The service data.example");
        assert_eq!(form.get("name"), Some("Run beamline actions"));
        assert_eq!(form.get("description"), Some("Everything that\nthe provider does."));
        assert_says(
            &words(&html),
            &format!("https://auth.globus.org/scopes/{}/action_all", desk.service.id),
        );
        let read = desk.data.scope_id("read");
        let add = ("add".to_owned(), read.to_string());
        assert!(form.buttons.contains(&add), "{:?}", form.buttons);
        let (html, form) = desk.again(&form.set("add", &read.to_string()));
        assert_says(&words(&html), "Needs a refresh token");
        assert_eq!(form.get("dependency"), Some(read.to_string().as_str()));
        assert!(desk.find("action_all").is_none(), "nothing is kept before it is saved");
        let form = form.set("dependency_refresh", &read.to_string());
        desk.saved(&form.set("advertised", "1"), "made");

        let scope = desk.find("action_all").expect("it was made");
        assert_eq!(scope.name, "Run beamline actions");
        assert_eq!(scope.description, "Everything that\nthe provider does.");
        assert!(scope.advertised && scope.allows_refresh_token);
        let [needed] = desk.dependencies(scope.id)[..] else {
            panic!("one dependency")
        };
        assert_eq!(
            (
                needed.dependent_scope_id,
                needed.optional,
                needed.requires_refresh_token
            ),
            (read, false, true)
        );
        let list = words(&desk.browser.get(&format!("{}?notice=made", desk.list())).page().text());
        for expected in [
            "The scope has been made.",
            "Run beamline actions advertised",
            "Needs one scope of another service",
            &scope.scope_string,
        ] {
            assert_says(&list, expected);
        }

        let bob = server.user("bob").create();
        let browser = server.browser_of(&bob);
        let app = server.client().named("Portal").create();
        browser.authorize(&app, &app.params(&scope.scope_string));
        let asked = words(&browser.text());
        assert_says(&asked, "Run beamline actions");
        assert_says(&asked, "Scope read");
        let recorded = server.count(
            "SELECT count(*) FROM audit_events WHERE action = 'scope.create' AND actor_id = $1",
            params![desk.alice.id],
        );
        assert_eq!(recorded, 1);
    });
}

#[test]
fn a_scope_is_changed_and_keeps_its_id() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");

    let form = desk.form_of(&scope);
    assert_eq!(form.get("suffix"), Some("action_all"));
    assert_eq!(form.get("refresh"), Some("1"));
    assert_eq!(form.get("advertised"), None);
    let form = form
        .set("suffix", "run")
        .set("name", "Run")
        .set("description", &format!("{}end", "é".repeat(200)))
        .set("required_domains", "example.edu\r\n *.example.org ")
        .without("refresh", "1");
    desk.saved(&form, "changed");

    let changed = desk.find("run").expect("under its new suffix");
    assert_eq!(changed.id, scope.id);
    assert!(!changed.allows_refresh_token);
    assert_eq!(changed.required_domains(), ["example.edu", "*.example.org"]);
    assert!(desk.find("action_all").is_none());
    let list = words(&desk.browser.get(&desk.list()).page().text());
    assert_says(&list, "Run no refresh tokens");
    assert_says(&list, "Only for people with an account at example.edu, *.example.org");
    assert_says(&list, &format!(" {}… ", "é".repeat(200)));
    assert_eq!(
        desk.form_of(&changed).get("required_domains"),
        Some("example.edu\n*.example.org")
    );
}

#[test]
fn what_is_wrong_is_said_at_its_field_and_nothing_that_was_typed_is_lost() {
    let desk = Desk::new(&TestServer::new());
    desk.make("taken");
    let long = "s".repeat(500);
    let table = [
        (
            "suffix",
            "Action-All",
            "suffix",
            "lower-case letters, digits and underscores only",
        ),
        ("suffix", "", "suffix", "lower-case letters"),
        (
            "suffix",
            "taken",
            "suffix",
            "There is a scope with this suffix already.",
        ),
        ("suffix", &long, "suffix", "longer than 512 bytes"),
        ("name", "", "name", "Give a name of 1 to 255 characters"),
        ("name", "two\nlines", "name", "Give a name of 1 to 255 characters"),
        (
            "description",
            " ",
            "description",
            "Give a description of 1 to 4000 characters",
        ),
        (
            "required_domains",
            "example.edu\nnot a@domain",
            "required_domains",
            "\"a@domain\" is no domain",
        ),
    ];
    for (field, value, at, expected) in table {
        let form = desk.filled().set("search", "read").set(field, value);
        let answer = desk.save(&form);
        assert_eq!(answer.status, StatusCode::OK, "{field} {value}");
        let html = answer.text();
        assert_says(&words(&html), expected);
        assert_says(&html, &format!("id=\"{at}-error\""));
        assert_says(&html, "<title>Error: ");
        let again = main_form(&html);
        for (name, typed) in &form.fields {
            if name != "form_token" && name != "do" {
                let typed = typed.replace("\r\n", "\n");
                let typed = if name == "suffix" { typed.trim() } else { &typed };
                assert_eq!(again.get(name).unwrap_or(""), typed, "{field}: {name}");
            }
        }
    }
    let client = desk.service.id;
    let made = desk.server.read(move |tx| scopes::list_by_clients(tx, [client]));
    assert_eq!(made.len(), 1);
}

#[test]
fn a_search_finds_by_name_string_id_and_service_what_the_app_may_see() {
    let desk = Desk::new(&TestServer::new());
    desk.make("action_all");
    let (service, data) = (desk.service.id, desk.data.id);
    desk.server.sql(
        "INSERT INTO client_fqdns (fqdn, client_id, added_at) VALUES ('data.lab.example', $1, 0)",
        params![data],
    );
    // A service of the same project, with a scope that is only for it.
    let sibling = desk
        .server
        .resource_server("sibling.example")
        .in_project(desk.project)
        .scope("private")
        .unadvertised()
        .create();
    // One of another project of hers: hidden from the app, not from who acts for it.
    let (elsewhere, alice) = (desk.server.project("Elsewhere"), desk.alice.id);
    desk.server
        .write(move |tx| projects::insert_admin(tx, elsewhere, alice));
    let other = desk
        .server
        .resource_server("other.example")
        .in_project(elsewhere)
        .scope("private")
        .unadvertised()
        .create();
    let found = |text: &str| -> Vec<String> {
        let (_, form) = desk.again(&desk.filled().set("search", text).set("do", "search"));
        let added = form.buttons.iter().filter(|(name, _)| name == "add");
        added.map(|(_, id)| id.clone()).collect()
    };
    let id = |scope: &str| desk.data.scope_id(scope).to_string();

    assert_eq!(found("scope READ"), [id("read")]);
    assert_eq!(found(desk.data.scope("write")), [id("write")]);
    assert_eq!(found(&id("write")), [id("write")]);
    for text in ["Data.Lab.Example.", "the service data.example", &data.to_string()] {
        let ids = found(text);
        assert!(
            ids.contains(&id("read")) && ids.contains(&id("write")),
            "{text}: {ids:?}"
        );
        // Private ones are for apps of their project.
        assert!(!ids.contains(&id("secret")), "{text}");
    }
    assert!(found(desk.data.scope("secret")).is_empty());
    assert_eq!(found("sibling private"), [sibling.scope_id("private").to_string()]);
    assert_eq!(found(other.scope("private")), [other.scope_id("private").to_string()]);
    assert!(found(&service.to_string()).is_empty(), "its own are not offered");
    assert!(found("nothing fits this").is_empty());
    assert!(found("  ").is_empty());
    // Built-in services are there too.
    assert!(!found("groups.api.globus.org").is_empty());
}

#[test]
fn chosen_scopes_are_kept_through_every_step_and_can_be_removed() {
    let desk = Desk::new(&TestServer::new());
    let (read, write) = (desk.data.scope_id("read"), desk.data.scope_id("write"));
    let (_, form) = desk.again(&desk.filled().set("add", &read.to_string()));
    let form = form.set("dependency_optional", &read.to_string());
    let (html, form) = desk.again(&form.set("add", &write.to_string()));
    assert_eq!(form.fields.iter().filter(|(name, _)| name == "dependency").count(), 2);
    assert_eq!(form.get("dependency_optional"), Some(read.to_string().as_str()));
    assert_says(
        &words(&html),
        "This scope gives no refresh tokens, so ticking this has no effect.",
    );

    // Twice the same is once.
    let (_, form) = desk.again(&form.set("add", &write.to_string()));
    assert_eq!(form.fields.iter().filter(|(name, _)| name == "dependency").count(), 2);
    let (_, form) = desk.again(&form.set("remove", &write.to_string()));
    desk.saved(&form, "made");

    let scope = desk.find("action_all").unwrap();
    let [kept] = desk.dependencies(scope.id)[..] else {
        panic!("one is left")
    };
    assert_eq!((kept.dependent_scope_id, kept.optional), (read, true));
    // The last one goes as well.
    let form = desk.form_of(&scope);
    assert_eq!(form.get("dependency_optional"), Some(read.to_string().as_str()));
    let (html, form) = desk.again(&form.set("remove", &read.to_string()));
    assert_says(&words(&html), "Nothing chosen.");
    desk.saved(&form, "changed");
    assert!(desk.dependencies(scope.id).is_empty());
}

#[test]
fn circles_and_unknown_scopes_are_refused_in_words() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let read = desk.data.scope_id("read");
    let back = scope.id;
    desk.server.write(move |tx| {
        scopes::insert_dependency(
            tx,
            &Dependency {
                scope_id: read,
                dependent_scope_id: back,
                optional: false,
                requires_refresh_token: false,
            },
        )
    });
    let refused = |form: &Form| {
        let answer = desk.save(form);
        assert_eq!(answer.status, StatusCode::OK);
        assert_says(&answer.text(), "id=\"search-error\"");
        words(&answer.text())
    };
    let (_, form) = desk.again(&desk.form_of(&scope).set("add", &read.to_string()));
    assert_says(
        &refused(&form),
        &format!(
            "That would be a circle: this scope would need itself, by way of {}.",
            desk.data.scope("read")
        ),
    );
    let itself = desk.form_of(&scope).set("dependency", &scope.id.to_string());
    assert_says(
        &refused(&itself),
        "That would be a circle: this scope would need itself.",
    );
    for unknown in [ScopeId::from_u128(7), desk.data.scope_id("secret")] {
        let form = desk.form_of(&scope).set("dependency", &unknown.to_string());
        let text = refused(&form);
        assert_says(&text, "One of the chosen scopes is not there any more");
        assert!(!text.contains("Scope secret"), "its name is nobody's business");
    }
    assert!(desk.dependencies(scope.id).is_empty());
}

/// A scope that was chosen while everybody could see it, and then was hidden.
#[test]
fn a_dependency_that_cannot_be_seen_any_more_stays_unless_it_is_removed() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let (from, secret) = (scope.id, desk.data.scope_id("secret"));
    desk.server.write(move |tx| {
        scopes::insert_dependency(
            tx,
            &Dependency {
                scope_id: from,
                dependent_scope_id: secret,
                optional: true,
                requires_refresh_token: false,
            },
        )
    });
    let page = desk.browser.get(&desk.page_of(&scope)).page().text();
    assert_says(&page, &secret.to_string());
    assert!(!page.contains("Scope secret"));

    desk.saved(&desk.form_of(&scope).set("name", "Another name"), "changed");
    assert_eq!(desk.dependencies(scope.id).len(), 1);

    let (_, form) = desk.again(&desk.form_of(&scope).set("remove", &secret.to_string()));
    desk.saved(&form, "changed");
    assert!(desk.dependencies(scope.id).is_empty());
}

#[test]
fn deleting_says_beforehand_who_loses_what_and_ends_it_at_once() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let delete = format!("{}/delete", desk.page_of(&scope));
    let nobody = words(&desk.browser.get(&delete).page().text());
    assert_says(&nobody, "Nobody has allowed it so far.");
    assert_says(&nobody, "No other scope needs it.");
    desk.saved(&desk.form_of(&scope).set("advertised", "1"), "changed");
    let app = desk.server.client().create();
    let tokens: Vec<_> = ["bob", "carol"]
        .iter()
        .map(|name| {
            let person = desk.server.user(name).create();
            app.tokens(&desk.server.browser_of(&person), &scope.scope_string)
        })
        .collect();
    let (read, needed) = (desk.data.scope_id("read"), scope.id);
    desk.server.write(move |tx| {
        scopes::insert_dependency(
            tx,
            &Dependency {
                scope_id: read,
                dependent_scope_id: needed,
                optional: true,
                requires_refresh_token: false,
            },
        )
    });

    let asked = words(&desk.browser.get(&delete).page().text());

    for expected in [
        "Delete this scope? Run beamline actions of The service beamline.example",
        "2 people have allowed it. That ends at once",
        "One scope of another service needs it and will go without it.",
        "This cannot be undone.",
    ] {
        assert_says(&asked, expected);
    }
    assert!(desk.service.is_active(tokens[0].access_token()));
    let form = main_form(&desk.browser.text());
    let answer = desk.post(&form);
    assert_eq!(answer.location(), format!("{}?notice=deleted", desk.list()));
    assert!(desk.find("action_all").is_none());
    for tokens in &tokens {
        assert!(!desk.service.is_active(tokens.access_token()));
    }
    let gone = scope.id;
    assert_eq!(desk.server.read(move |tx| consents::count_people(tx, gone)), 0);
    assert_eq!(desk.post(&form).status, StatusCode::NOT_FOUND, "it works once");
}

/// threats.md 24: not even that there is such an app.
#[test]
fn somebody_elses_scopes_are_not_there() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let bob = desk.server.user("bob").create();
    let stranger = desk.server.browser_of(&bob);
    stranger.get("/v2/web/logout");
    let own_token = stranger.form().get("form_token").unwrap().to_owned();
    let delete = format!("{}/delete", desk.page_of(&scope));
    for path in [desk.list(), desk.new_page(), desk.page_of(&scope), delete.clone()] {
        let page = stranger.send(Method::GET, &path, None);
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!page.text().contains("beamline"), "{path}");
        if path != desk.list() {
            desk.browser.get(&path);
            let form = main_form(&desk.browser.text())
                .set("form_token", &own_token)
                .set("do", "save");
            let answer = stranger.send(Method::POST, &path, Some(&form.fields));
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            let nobody = desk.server.browser().send(Method::POST, &path, Some(&form.fields));
            assert_eq!(nobody.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    // The scope of another service is not there among one's own.
    for id in [
        desk.data.scope_id("read").to_string(),
        "x".into(),
        ScopeId::from_u128(7).to_string(),
    ] {
        for end in ["", "/delete"] {
            let page = desk
                .browser
                .send(Method::GET, &format!("{}/{id}{end}", desk.list()), None);
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{id}");
        }
    }
    assert!(desk.find("action_all").is_some());
}

/// threats.md 16.
#[test]
fn a_forged_form_changes_nothing() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let bob = desk.server.user("bob").create();
    let others = desk.server.browser_of(&bob);
    others.get("/v2/web/logout");
    let foreign = others.form().get("form_token").unwrap().to_owned();
    let delete = format!("{}/delete", desk.page_of(&scope));
    for path in [desk.new_page(), desk.page_of(&scope), delete] {
        desk.browser.get(&path);
        let form = main_form(&desk.browser.text());
        for token in ["", "forged", foreign.as_str()] {
            let answer = desk.post(&form.clone().set("form_token", token));
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token}");
        }
    }
    assert_eq!(desk.find("action_all").map(|found| found.name), Some(scope.name));
}

/// wire.md 3.7: looking is for every admin, changing for one who signed in lately.
#[test]
fn changes_need_a_sign_in_of_the_last_half_hour() {
    let desk = Desk::new(&TestServer::new());
    let scope = desk.make("action_all");
    let form = desk.form_of(&scope).set("name", "Changed");
    desk.server.advance_seconds(1801);

    assert_eq!(
        desk.browser.send(Method::GET, &desk.list(), None).status,
        StatusCode::OK
    );
    for path in [desk.new_page(), desk.page_of(&scope)] {
        let answer = desk.browser.send(Method::GET, &path, None);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_says(answer.location(), "/p/login?next=administer");
    }
    let answer = desk.save(&form);
    assert_says(answer.location(), "/p/login?next=administer");
    assert_eq!(
        desk.find("action_all").map(|found| found.name),
        Some(scope.name.clone())
    );

    desk.browser.get(&desk.page_of(&scope));
    desk.browser.login(&desk.alice);
    assert_eq!(desk.browser.path(), desk.page_of(&scope), "back where it was wanted");
    desk.saved(&main_form(&desk.browser.text()).set("name", "Changed"), "changed");
}

/// threats.md 17.
#[test]
fn hostile_names_stay_words() {
    let desk = Desk::new(&TestServer::new());
    let name = "<script>alert(1)</script>\"'&";
    desk.server.sql(
        "UPDATE clients SET name = $1 WHERE id IN ($2, $3)",
        params![name, desk.service.id, desk.data.id],
    );
    desk.server
        .sql("UPDATE scopes SET name = $1, description = $1", params![name]);
    let read = desk.data.scope_id("read").to_string();
    let form = desk
        .filled()
        .set("name", name)
        .set("description", name)
        .set("search", name)
        .set("add", &read);
    let (html, form) = desk.again(&form);
    assert!(!html.contains("<script>alert"), "{html}");
    assert_eq!(form.get("name"), Some(name));
    assert_eq!(form.get("description"), Some(name));
    assert_eq!(form.get("search"), Some(name));
    desk.saved(&form, "made");
    let scope = desk.find("action_all").unwrap();
    for path in [
        desk.list(),
        desk.page_of(&scope),
        format!("{}/delete", desk.page_of(&scope)),
    ] {
        let html = desk.browser.get(&path).page().text();
        assert!(!html.contains("<script>alert"), "{path}");
        assert_says(&words(&html), name);
    }
}

#[test]
fn of_many_scopes_the_list_shows_some_and_finds_the_others() {
    let server = TestServer::new();
    let desk = Desk::new(&server);
    let mut many = server.resource_server("many.example").in_project(desk.project);
    for number in 0..200 {
        many = many.scope(&format!("s{number:03}"));
    }
    let many = many.create();
    let list = format!("/p/developers/apps/{}/scopes", many.id);

    let page = desk.browser.get(&list).page().text();

    assert_says(&words(&page), "50 of 200 scopes are shown.");
    assert_eq!(page.matches("/delete\"").count(), 50);
    assert!(page.len() < 100_000, "{}", page.len());
    let found = words(&desk.browser.get(&format!("{list}?find=SCOPE+s17")).page().text());
    assert_says(&found, "10 of 200 scopes are shown.");
    assert_says(&found, "Scope s175");
    let none = words(&desk.browser.get(&format!("{list}?find=nothing")).page().text());
    assert_says(&none, "No scope fits");
    assert_says(&none, "Show all scopes");
}

/// Forms have at most a hundred parameters; boxes that are ticked count once together.
#[test]
fn a_hundred_dependencies_fit_into_the_form_and_no_more_are_allowed() {
    let server = TestServer::new();
    let desk = Desk::new(&server);
    let mut many = server.resource_server("many.example");
    for number in 0..101 {
        many = many.scope(&format!("s{number}"));
    }
    let many = many.create();
    let ids: Vec<String> = (0..101).map(|n| many.scope_id(&format!("s{n}")).to_string()).collect();
    let with = |count: usize| {
        let mut form = desk.filled();
        for id in &ids[..count] {
            for name in ["dependency", "dependency_optional", "dependency_refresh"] {
                form.fields.push((name.to_owned(), id.clone()));
            }
        }
        form
    };
    let answer = desk.save(&with(101));
    assert_eq!(answer.status, StatusCode::OK);
    assert_says(&words(&answer.text()), "The chosen scopes do not fit: at most 100.");
    desk.saved(&with(100), "made");
    assert_eq!(desk.dependencies(desk.find("action_all").unwrap().id).len(), 100);
}

#[test]
fn a_built_in_scope_keeps_its_name_for_programs() {
    let server = TestServer::new();
    let admin = server.user("admin").administrator().create();
    let browser = server.browser_of(&admin);
    let auth: Client = server.read(|tx| clients::get(tx, clients::AUTH));
    let list = format!("/p/developers/apps/{}/scopes", auth.id);
    let html = browser.get(&list).page().text();
    assert_says(&words(&html), "openid");
    let found = server.read(move |tx| scopes::list_by_clients(tx, [clients::AUTH]));
    let openid = found.iter().find(|scope| scope.scope_string == "openid").unwrap();

    let form = main_form(&browser.get(&format!("{list}/{}", openid.id)).page().text());
    assert_eq!(form.get("suffix"), None);
    let form = form.set("do", "save").set("name", "Know you");
    let answer = browser.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", words(&answer.text()));

    let delete = main_form(&browser.get(&format!("{list}/{}/delete", openid.id)).page().text());
    let answer = browser.send(Method::POST, &delete.action, Some(&delete.fields));
    assert_eq!(answer.status, StatusCode::OK);
    assert_says(&words(&answer.text()), "This server needs its own scopes");
}
