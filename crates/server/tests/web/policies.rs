//! Authentication policies in the developer area, and the trial that says who would pass and
//! tells nothing about anybody else.

use http::{Method, StatusCode};
use portolan_server::store::policies::{self, Policy};
use portolan_server::store::projects;
use portolan_types::{PolicyId, ProjectId};

use crate::support::{Answer, Browser, Form, TestServer, TestUser, assert_says, each_engine, main_form, words};

struct Desk {
    server: TestServer,
    alice: TestUser,
    browser: Browser,
    project: ProjectId,
}

impl Desk {
    fn new(server: &TestServer) -> Self {
        let alice = server.user("alice").create();
        let desk = Self {
            server: server.clone(),
            browser: server.browser_of(&alice),
            project: server.project("Beamline"),
            alice,
        };
        desk.administer(desk.project);
        desk
    }

    fn administer(&self, project: ProjectId) {
        let admin = self.alice.id;
        self.server.write(move |tx| projects::insert_admin(tx, project, admin));
    }

    fn list(&self) -> String {
        format!("/p/developers/projects/{}/policies", self.project)
    }

    fn form_at(&self, path: &str) -> Form {
        let page = self.browser.get(path);
        assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
        main_form(&page.page().text())
    }

    fn filled(&self) -> Form {
        self.form_at(&format!("{}/new", self.list()))
            .set("name", "Campus only")
            .set("description", "Protected data")
    }

    fn post(&self, form: &Form) -> Answer {
        self.browser.send(Method::POST, &form.action, Some(&form.fields))
    }

    #[track_caller]
    fn saved(&self, form: &Form, notice: &str) {
        let answer = self.post(form);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", words(&answer.text()));
        assert_eq!(answer.location(), format!("{}?notice={notice}", self.list()));
    }

    fn all(&self) -> Vec<Policy> {
        let project = self.project;
        self.server.read(move |tx| policies::list_by_projects(tx, [project]))
    }

    #[track_caller]
    fn only(&self) -> Policy {
        let [policy] = &self.all()[..] else {
            panic!("one policy: {:?}", self.all())
        };
        policy.clone()
    }

    fn make(&self, form: &Form) -> Policy {
        self.saved(form, "made");
        self.only()
    }

    fn page_of(&self, policy: &Policy) -> String {
        format!("{}/{}", self.list(), policy.id)
    }

    fn trial(&self, policy: &Policy, who: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("who", who)
            .finish();
        let page = self.browser.get(&format!("{}/try?{query}", self.page_of(policy)));
        assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
        words(&page.page().text())
    }
}

#[test]
fn a_policy_is_made_changed_and_deleted() {
    each_engine(|server| {
        let desk = Desk::new(server);
        assert_says(
            &words(&desk.browser.get(&desk.list()).page().text()),
            "This project has no policy so far.",
        );
        let form = desk
            .filled()
            .set("high_assurance", "1")
            .set("timeout", "30")
            .set("timeout_unit", "minutes")
            .set("two_factors", "1")
            .set("include", "Example.EDU\r\n*.lab.example.org, *.lab.example.org")
            .set("exclude", "guests.example.edu");
        let made = desk.make(&form);
        assert_eq!(
            (
                made.high_assurance,
                made.authentication_assurance_timeout,
                made.required_mfa
            ),
            (true, Some(1800), true)
        );
        let listed = |list: &[&str]| Some(list.iter().map(|domain| (*domain).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            made.domain_constraints_include,
            listed(&["example.edu", "*.lab.example.org"])
        );
        assert_eq!(made.domain_constraints_exclude, listed(&["guests.example.edu"]));

        let list = words(&desk.browser.get(&format!("{}?notice=made", desk.list())).page().text());
        for expected in [
            "The policy has been made.",
            "Campus only Protected data An account at example.edu, *.lab.example.org.",
            "Accounts at guests.example.edu do not count.",
            "High assurance: the person must have signed in with such an account.",
            "Signed in no longer than 30 minutes ago. Signed in with two factors.",
            &format!("session_required_policies={}", made.id),
        ] {
            assert_says(&list, expected);
        }

        let form = desk.form_at(&desk.page_of(&made));
        assert_eq!(
            (form.get("timeout"), form.get("timeout_unit")),
            (Some("30"), Some("minutes"))
        );
        assert_eq!(form.get("include"), Some("example.edu\n*.lab.example.org"));
        assert_eq!(form.get("high_assurance"), None, "it never changes");
        let form = form
            .set("name", "Everybody lately")
            .set("timeout", "1")
            .set("timeout_unit", "days")
            .without("two_factors", "1")
            .set("include", "")
            .set("exclude", " \r\n ");
        desk.saved(&form, "changed");
        let changed = desk.only();
        assert_eq!(changed.id, made.id);
        assert_eq!(changed.display_name, "Everybody lately");
        assert_eq!(changed.authentication_assurance_timeout, Some(86_400));
        assert!(changed.high_assurance && !changed.required_mfa);
        assert_eq!(changed.domain_constraints_include, None);
        assert_eq!(changed.domain_constraints_exclude, None);
        desk.saved(&desk.form_at(&desk.page_of(&made)).set("timeout", ""), "changed");
        assert_eq!(desk.only().authentication_assurance_timeout, None);

        let delete = format!("{}/delete", desk.page_of(&made));
        let form = desk.form_at(&delete);
        assert_says(&words(&desk.browser.text()), "Delete this policy? Everybody lately");
        desk.saved(&form, "deleted");
        assert!(desk.all().is_empty());
        assert_eq!(desk.post(&form).status, StatusCode::NOT_FOUND, "it works once");
    });
}

#[test]
fn what_is_wrong_is_said_at_its_field_and_nothing_that_was_typed_is_lost() {
    let desk = Desk::new(&TestServer::new());
    let table = [
        ("name", "", "name", "Give a name of 1 to 255 characters"),
        (
            "description",
            "",
            "description",
            "Give a description of 1 to 4000 characters",
        ),
        (
            "timeout",
            "soon",
            "timeout",
            "Give a whole number that makes no more than 366 days",
        ),
        ("timeout", "0", "timeout", "Give a whole number"),
        ("timeout", "-5", "timeout", "Give a whole number"),
        ("timeout", "9000000000000000000", "timeout", "Give a whole number"),
        ("timeout", "600000", "timeout", "Give a whole number"),
        ("two_factors", "1", "two_factors", "only together with high assurance"),
        ("include", "example.edu a@b.org", "include", "\"a@b.org\" is no domain"),
        ("exclude", "*", "exclude", "\"*\" is no domain"),
    ];
    for (field, value, at, expected) in table {
        let form = desk.filled().set("exclude", "x.org").set(field, value);
        let answer = desk.post(&form);
        assert_eq!(answer.status, StatusCode::OK, "{field} {value}");
        let html = answer.text();
        assert_says(&words(&html), expected);
        assert_says(&html, &format!("id=\"{at}-error\""));
        let again = main_form(&html);
        for (name, typed) in form.fields.iter().filter(|(name, _)| name != "form_token") {
            assert_eq!(again.get(name).unwrap_or(""), typed, "{field}: {name}");
        }
    }
    assert!(desk.all().is_empty());
}

#[test]
fn a_policy_moves_to_another_project_of_the_same_person_and_to_no_other() {
    let desk = Desk::new(&TestServer::new());
    let policy = desk.make(&desk.filled());
    assert_eq!(
        desk.form_at(&desk.page_of(&policy)).get("project"),
        None,
        "there is no choice"
    );
    let second = desk.server.project("Second");
    desk.administer(second);
    let foreign = desk.server.project("Foreign");

    let form = desk.form_at(&desk.page_of(&policy));
    assert_eq!(form.get("project"), Some(desk.project.to_string().as_str()));
    let answer = desk.post(&form.clone().set("project", &foreign.to_string()));
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.only().id, policy.id);
    let answer = desk.post(&form.set("project", &second.to_string()));
    assert_eq!(
        answer.location(),
        format!("/p/developers/projects/{second}/policies?notice=changed")
    );
    assert!(desk.all().is_empty());
    let moved = desk.server.read(move |tx| policies::list_by_projects(tx, [second]));
    assert_eq!(moved[0].id, policy.id);
}

#[test]
fn the_trial_says_for_oneself_what_is_met_and_what_is_not() {
    let desk = Desk::new(&TestServer::new());
    let form = desk
        .filled()
        .set("include", "portolan.local")
        .set("high_assurance", "1")
        .set("timeout", "10")
        .set("timeout_unit", "minutes");
    let policy = desk.make(&form);

    for who in ["", "alice", "ALICE@portolan.local"] {
        let text = desk.trial(&policy, who);
        for expected in [
            "You would pass",
            "alice@portolan.local meets everything",
            "Met: its domain counts",
            "Met: signed in in this browser on 1 March 2026",
            "Met: no longer than 10 minutes ago",
        ] {
            assert_says(&text, expected);
        }
    }
    // Time goes by.
    desk.server.advance_seconds(601);
    let text = desk.trial(&policy, "");
    assert_says(&text, "You would not pass");
    assert_says(&text, "Not met: longer than 10 minutes ago; sign in again with it");

    // A second factor, which a password alone is not.
    desk.browser.get("/p/login?next=administer");
    desk.browser.login(&desk.alice);
    desk.saved(&desk.form_at(&desk.page_of(&policy)).set("two_factors", "1"), "changed");
    let text = desk.trial(&policy, "");
    assert_says(&text, "You would not pass");
    assert_says(&text, "Met: no longer than 10 minutes ago");
    assert_says(&text, "Not met: with one factor only; sign in with two");
    let form = desk
        .form_at(&desk.page_of(&policy))
        .without("two_factors", "1")
        .set("include", "")
        .set("exclude", "*.local portolan.local");
    desk.saved(&form, "changed");
    assert_says(
        &desk.trial(&policy, ""),
        "Not met: its domain is one of those that do not count",
    );
}

#[test]
fn the_trial_looks_at_all_linked_accounts_of_whoever_tries() {
    let desk = Desk::new(&TestServer::new());
    let work = desk.server.user("work").create();
    desk.server.sql(
        "UPDATE identities SET username = 'work@lab.edu' WHERE id = $1",
        portolan_db::params![work.id],
    );
    desk.server.link(&desk.alice, &work);
    let loose = desk.make(&desk.filled().set("include", "lab.edu"));

    let text = desk.trial(&loose, "");
    assert_says(&text, "You would pass");
    assert_says(
        &text,
        "alice@portolan.local Not met: its domain is not among those that count",
    );
    assert_says(&text, "work@lab.edu meets everything Met: its domain counts");
    // By either name it is the same person.
    assert_says(&desk.trial(&loose, "work@lab.edu"), "You would pass");

    let strict = desk.filled().set("include", "lab.edu").set("high_assurance", "1");
    desk.saved(&strict, "made");
    let strict = desk.all().into_iter().find(|policy| policy.high_assurance).unwrap();
    let text = desk.trial(&strict, "");
    assert_says(&text, "You would not pass");
    assert_says(
        &text,
        "work@lab.edu Met: its domain counts Not met: not signed in with it in this browser",
    );
}

/// A policy made for the purpose could otherwise ask which accounts somebody has linked, and
/// whether they are signed in.
#[test]
fn the_trial_tells_nothing_about_anybody_else() {
    let desk = Desk::new(&TestServer::new());
    let bob = desk.server.user("bob").create();
    let clinic = desk.server.user("clinic").create();
    desk.server.sql(
        "UPDATE identities SET username = 'bob@clinic.org' WHERE id = $1",
        portolan_db::params![clinic.id],
    );
    desk.server.link(&bob, &clinic);
    desk.server.browser_of(&bob);
    let probe = desk.make(&desk.filled().set("include", "clinic.org"));
    let strict = desk.filled().set("high_assurance", "1").set("timeout", "30");
    desk.saved(&strict, "made");
    let strict = desk.all().into_iter().find(|policy| policy.high_assurance).unwrap();

    for policy in [&probe, &strict] {
        // Somebody who is there, and somebody who is not.
        let known = desk.trial(policy, "bob@portolan.local");
        let unknown = desk.trial(policy, "eve@portolan.local");
        assert_eq!(known.replace("bob@", "eve@"), unknown);
    }
    assert_says(&desk.trial(&probe, "bob"), "An account with this name would not pass");
    assert_says(
        &desk.trial(&probe, "bob@clinic.org"),
        "An account with this name would pass Somebody",
    );
    let text = desk.trial(&strict, "bob");
    for expected in [
        "An account with this name would pass if its sign-in meets the rest",
        "bob@portolan.local Met: accounts at any domain count Depends: signed in with it Depends: Signed in no longer than \
         30 minutes ago.",
    ] {
        assert_says(&text, expected);
    }
}

/// threats.md 16 and 24.
#[test]
fn strangers_and_forged_forms_get_nowhere() {
    let desk = Desk::new(&TestServer::new());
    let policy = desk.make(&desk.filled());
    let bob = desk.server.user("bob").create();
    let stranger = desk.server.browser_of(&bob);
    stranger.get("/v2/web/logout");
    let foreign = stranger.form().get("form_token").unwrap().to_owned();
    let page = desk.page_of(&policy);
    let (new, delete, trial) = (
        format!("{}/new", desk.list()),
        format!("{page}/delete"),
        format!("{page}/try?who=alice"),
    );
    for path in [&desk.list(), &new, &page, &delete, &trial] {
        let answer = stranger.send(Method::GET, path, None);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text().contains("Campus"), "{path}");
        let nobody = desk.server.browser().send(Method::GET, path, None);
        assert_says(nobody.location(), "/p/login?next=developers");
    }
    for path in [&new, &page, &delete] {
        let form = desk.form_at(path).set("name", "Mine").set("description", "Mine");
        for token in ["", "forged", foreign.as_str()] {
            let answer = desk.post(&form.clone().set("form_token", token));
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token}");
        }
        let theirs = form.set("form_token", &foreign);
        let answer = stranger.send(Method::POST, path, Some(&theirs.fields));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(desk.only().display_name, "Campus only");

    // A policy of another project of one's own, and the one of the gate, are not there either.
    let second = desk.server.project("Second");
    desk.administer(second);
    let gate = desk
        .server
        .read(move |tx| projects::get(tx, second))
        .admin_policy_id
        .expect("it has one");
    for id in [policy.id, gate, PolicyId::from_u128(7)] {
        for end in ["", "/delete", "/try"] {
            let path = format!("/p/developers/projects/{second}/policies/{id}{end}");
            assert_eq!(
                desk.browser.send(Method::GET, &path, None).status,
                StatusCode::NOT_FOUND
            );
        }
    }
    // wire.md 3.7: changes need a sign-in of the last half hour, looking does not.
    let form = desk.form_at(&page).set("name", "Late");
    desk.server.advance_seconds(1801);
    assert_says(desk.post(&form).location(), "/p/login?next=administer");
    assert_says(
        desk.browser.send(Method::GET, &page, None).location(),
        "/p/login?next=administer",
    );
    assert_eq!(desk.browser.send(Method::GET, &trial, None).status, StatusCode::OK);
    assert_eq!(desk.only().display_name, "Campus only");
}

/// threats.md 17.
#[test]
fn hostile_names_stay_words() {
    let desk = Desk::new(&TestServer::new());
    let name = "<script>alert(1)</script>\"'&";
    let policy = desk.make(&desk.filled().set("name", name).set("description", name));
    desk.server.sql(
        "UPDATE projects SET display_name = $1 WHERE id = $2",
        portolan_db::params![name, desk.project],
    );
    let page = desk.page_of(&policy);
    let trial = format!("{page}/try?who=%3Cscript%3Ealert(1)%3C/script%3E@x.org");
    for path in [desk.list(), page.clone(), format!("{page}/delete"), trial] {
        let html = desk.browser.get(&path).page().text();
        assert!(!html.contains("<script>alert"), "{path}");
        assert_says(&words(&html), "<script>alert(1)</script>");
    }
}
