//! Domain names in the developer area, against a DNS server on this machine.

use http::{Method, StatusCode};
use portolan_server::store::{clients, projects, scopes};

use crate::support::{Browser, Form, TestResourceServer, TestServer, Zone, assert_says, main_form, words};

struct Desk {
    zone: Zone,
    server: TestServer,
    browser: Browser,
    service: TestResourceServer,
}

impl Desk {
    fn new() -> Self {
        let zone = Zone::start();
        let address = zone.address;
        let server = TestServer::with(move |config| config.dns_resolver = Some(address));
        let alice = server.user("alice").create();
        let project = server.project("Beamline");
        let admin = alice.id;
        server.write(move |tx| projects::insert_admin(tx, project, admin));
        let service = server
            .resource_server("beamline.example")
            .in_project(project)
            .scope("read")
            .create();
        let id = service.id;
        // As it is in the beginning: known by its id.
        server.write(move |tx| {
            let mut client = clients::get(tx, id)?;
            client.resource_server = None;
            clients::update(tx, &client)
        });
        Self {
            zone,
            browser: server.browser_of(&alice),
            server,
            service,
        }
    }

    fn path(&self) -> String {
        format!("/p/developers/apps/{}/domains", self.service.id)
    }

    fn form(&self, fqdn: &str) -> Form {
        let page = self.browser.get(&self.path());
        assert_eq!(page.page().status, StatusCode::OK, "{}", page.page().summary());
        main_form(&page.page().text()).set("fqdn", fqdn)
    }

    /// What the page says to this name; it has to come back.
    #[track_caller]
    fn refused(&self, fqdn: &str) -> String {
        let form = self.form(fqdn);
        let answer = self.browser.send(Method::POST, &form.action, Some(&form.fields));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.summary());
        let html = answer.text();
        assert!(html.contains("id=\"fqdn-error\""), "{html}");
        words(&html)
    }

    fn names(&self) -> Vec<String> {
        let id = self.service.id;
        self.server.read(move |tx| clients::list_fqdns(tx, id))
    }
}

#[test]
fn the_page_says_which_record_to_set_and_registers_the_name_when_it_is_there() {
    let desk = Desk::new();
    let id = desk.service.id.to_string();
    let page = words(&desk.browser.get(&desk.path()).page().text());
    for expected in [
        "No domain name so far.",
        &format!("In token answers this service is called {id} ."),
        &format!("Name service.example.org Type TXT Value {id}"),
        &format!("service.example.org. IN TXT \"{id}\""),
        "The first name also becomes the name of the service",
    ] {
        assert_says(&page, expected);
    }

    let none = desk.refused("Svc.Example.org");
    for expected in [
        "The DNS does not have the record for svc.example.org yet.",
        "There is none. If you have just set it, it may take some minutes",
        &format!("svc.example.org. IN TXT \"{id}\""),
    ] {
        assert_says(&none, expected);
    }
    desk.zone.set("svc.example.org", "v=spf1 <b>-all</b>");
    let other = desk.refused("svc.example.org");
    assert_says(
        &other,
        "None of them is the client ID alone. They say: v=spf1 <b>-all</b>",
    );
    let silent = desk.refused("broken.example.org");
    assert_says(&silent, "gave no answer. That says nothing about your record");
    assert!(desk.names().is_empty());

    desk.zone.set("svc.example.org", &id);
    let form = desk.form("Svc.Example.org.");
    let answer = desk.browser.send(Method::POST, &form.action, Some(&form.fields));
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", words(&answer.text()));
    assert_eq!(answer.location(), format!("{}?added=svc.example.org", desk.path()));
    assert_eq!(desk.names(), ["svc.example.org"]);
    let page = words(&desk.browser.get(answer.location()).page().text());
    for expected in [
        "svc.example.org belongs to this app now.",
        "In token answers this service is called svc.example.org .",
        "svc.example.org name in token answers",
    ] {
        assert_says(&page, expected);
    }
    let client = desk.service.id;
    let spelled = desk.server.read(move |tx| scopes::list_strings_by_client(tx, client));
    assert!(
        spelled
            .iter()
            .any(|(_, string)| string == "https://auth.globus.org/scopes/svc.example.org/read")
    );
    // The list of scopes shows both spellings.
    let list = desk
        .browser
        .get(&format!("/p/developers/apps/{id}/scopes"))
        .page()
        .text();
    assert_says(&list, "https://auth.globus.org/scopes/svc.example.org/read");
    // A notice about a name that is not there is nobody's to make up.
    let page = desk
        .browser
        .get(&format!("{}?added=evil.example.org", desk.path()))
        .page()
        .text();
    assert!(!page.contains("evil.example.org"));
}

#[test]
fn what_is_no_name_and_what_is_anothers_is_refused_without_asking_the_dns() {
    let desk = Desk::new();
    let other = desk.server.resource_server("other.example.org").create();
    let owner = other.id;
    desk.server.write(move |tx| {
        clients::insert_fqdn(
            tx,
            owner,
            "taken.example.org",
            portolan_types::Timestamp::from_seconds(0),
        )?;
        Ok(())
    });
    for bad in [
        "",
        "localhost",
        "*.example.org",
        "127.0.0.1",
        "a b.org",
        "https://x.org",
        "<script>.org",
    ] {
        assert_says(
            &desk.refused(bad),
            "Give a whole domain name such as service.example.org.",
        );
    }
    for taken in ["taken.example.org", "other.example.org"] {
        assert_says(&desk.refused(taken), &format!("{taken} belongs to another app."));
    }
    assert!(desk.zone.take_questions().is_empty());
    assert!(desk.names().is_empty());
}

/// Nobody asks the DNS in our name, or learns what an app is called, who does not administer it.
#[test]
fn strangers_and_forged_forms_get_nowhere() {
    let desk = Desk::new();
    let id = desk.service.id.to_string();
    desk.zone.set("svc.example.org", &id);
    let form = desk.form("svc.example.org");
    let bob = desk.server.user("bob").create();
    let stranger = desk.server.browser_of(&bob);
    stranger.get("/v2/web/logout");
    let foreign = stranger.form().get("form_token").unwrap().to_owned();

    let page = stranger.send(Method::GET, &desk.path(), None);
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let theirs = form.clone().set("form_token", &foreign);
    let answer = stranger.send(Method::POST, &form.action, Some(&theirs.fields));
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    for token in ["", "forged", foreign.as_str()] {
        let forged = form.clone().set("form_token", token);
        let answer = desk.browser.send(Method::POST, &form.action, Some(&forged.fields));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    let nobody = desk.server.browser();
    assert_says(
        nobody.send(Method::GET, &desk.path(), None).location(),
        "/p/login?next=developers",
    );
    desk.server.advance_seconds(1801);
    let late = desk.browser.send(Method::POST, &form.action, Some(&form.fields));
    assert_says(late.location(), "/p/login?next=administer");
    assert!(desk.zone.take_questions().is_empty());
    assert!(desk.names().is_empty());
}
