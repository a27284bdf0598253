//! Through whom people can sign in, as the login page offers it.

use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::provider::{Wanted, create, update};
use portolan_server::store::audit::Actor;
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_server::upstream::provider::{Configuration, OIDC};
use portolan_types::IdentityProviderId;

use crate::support::{Browser, Form, TestServer};

fn wanted(name: &str, short_name: &str, domains: &[&str]) -> Wanted {
    Wanted {
        provider: IdentityProvider {
            id: IdentityProviderId(new_uuid()),
            name: name.into(),
            short_name: short_name.into(),
            kind: OIDC.into(),
            alternative_names: "[]".into(),
            enabled: true,
        },
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        issuer: format!("https://{short_name}.example"),
        configuration: Configuration {
            client_id: "portolan".into(),
            ..Configuration::default()
        },
        sealed_secret: None,
    }
}

fn add(server: &TestServer, wanted: Wanted) -> IdentityProviderId {
    let (id, ctx) = (wanted.provider.id, server.ctx());
    server.write(move |tx| create(tx, &ctx, Actor::Operator, "portolan.local", &wanted));
    id
}

/// The providers that the page in this browser offers, in its order.
fn offered(browser: &Browser) -> Vec<String> {
    let text = browser.text();
    let links = text.split("<a class=\"button provider\"").skip(1);
    links
        .map(|link| {
            let name = link.split_once("<span>").unwrap().1;
            crate::support::unescape(name.split_once("</span>").unwrap().0)
        })
        .collect()
}

/// The forms of the page but that of passkeys, which shows where script runs.
fn forms(html: &str) -> Vec<Form> {
    let mut forms = crate::support::forms(html);
    forms.retain(|form| form.action != "/p/login/passkey");
    forms
}

fn search(browser: &Browser, text: &str) -> Vec<String> {
    let query = crate::support::encode(&[("idp_search", text)]);
    let page = browser.get(&format!("/p/login?{query}"));
    assert!(page.page().status.is_success());
    offered(browser)
}

#[test]
fn without_other_providers_the_page_is_as_it_was() {
    let server = TestServer::new();
    let browser = server.browser();
    browser.get("/p/login");
    assert_eq!(forms(&browser.text()).len(), 1);
    assert!(!browser.text().contains("another account"));
}

#[test]
fn a_few_providers_are_offered_as_they_are() {
    let server = TestServer::new();
    let id = add(&server, wanted("Université", "uni", &["uni.example"]));
    add(&server, wanted("<b>Bold</b>", "bold", &["bold.example"]));
    let off = add(&server, wanted("Off", "off", &["off.example"]));
    server.sql("UPDATE identity_providers SET enabled = 0 WHERE id = $1", params![off]);
    let browser = server.browser();
    browser.get("/p/login?next=consents&redirect_name=R");
    assert_eq!(offered(&browser), ["<b>Bold</b>", "Université"]);
    assert_eq!(forms(&browser.text()).len(), 1, "nothing to search for");
    // Where the person wanted to go comes along.
    let link = format!("/p/login/with/{id}?next=consents&#38;redirect_name=R");
    assert!(browser.text().contains(&link), "{}", browser.text());
    // A refused password keeps them.
    browser.try_login("nobody", "wrong wrong wrong");
    assert_eq!(offered(&browser).len(), 2);
}

/// Must show 7: many providers, a small page.
#[test]
fn among_ten_thousand_providers_one_is_found_and_the_page_stays_small() {
    let server = TestServer::new();
    let ctx = server.ctx();
    // In one unit of work: a test of the search, not of the registration.
    server.write(move |tx| {
        for number in 0..10_000 {
            let place = ["Springfield", "Shelbyville", "Ogdenville", "Zürich"][number % 4];
            let name = format!("University of {place} {number}");
            let wanted = wanted(
                &name,
                &format!("u{number}"),
                &[&format!("u{number}.{}.edu", place.len())],
            );
            create(tx, &ctx, Actor::Operator, "portolan.local", &wanted)?;
        }
        Ok(())
    });
    let browser = server.browser();
    let size = |path: &str| browser.get(path).page().body.len();
    assert!(size("/p/login") < 100_000);
    assert!(size("/p/login?idp_search=university") < 100_000);
    browser.get("/p/login");
    assert!(offered(&browser).is_empty(), "nobody reads ten thousand names");
    let form = &forms(&browser.text())[1];
    assert_eq!(form.action, "/p/login");
    assert_eq!(form.get("idp_search"), Some(""));

    assert_eq!(search(&browser, "university").len(), 25);
    assert!(browser.text().contains("Write more of the name"));
    assert_eq!(search(&browser, "spring 1236"), ["University of Springfield 1236"]);
    assert_eq!(
        search(&browser, "1236 UNIVERSITY spring"),
        ["University of Springfield 1236"]
    );
    assert_eq!(search(&browser, "zurich 4003"), ["University of Zürich 4003"]);
    assert_eq!(search(&browser, "ZÜRICH 4003"), ["University of Zürich 4003"]);
    assert_eq!(search(&browser, "u1236.11.edu"), ["University of Springfield 1236"]);
    assert_eq!(
        search(&browser, "alice@u1236.11.edu"),
        ["University of Springfield 1236"]
    );
    assert_eq!(search(&browser, "u9999"), ["University of Zürich 9999"]);
    for nothing in [
        "pringfield",
        "%",
        "_",
        "'",
        "\" OR 1=1",
        "nowhere",
        "  ",
        "u1236.13.edu",
    ] {
        assert!(search(&browser, nothing).is_empty(), "{nothing}");
    }
    server.sql(
        "UPDATE identity_providers SET enabled = 0 WHERE short_name = 'u1236'",
        params![],
    );
    assert!(search(&browser, "spring 1236").is_empty(), "switched off");
    search(&browser, "<script>alert(1)</script>");
    assert!(!browser.text().contains("<script>alert"));
}

#[test]
fn a_search_finds_each_provider_once_and_says_whether_there_are_more() {
    let server = TestServer::new();
    for number in 0..30 {
        // Two words that begin alike lead to the same provider.
        let age = if number < 25 { "early" } else { "late" };
        let name = format!("Uni{number:02}a Uni{number:02}b Campus {age}");
        let domain = format!("p{number}.example");
        add(&server, wanted(&name, &format!("p{number}"), &[&domain]));
    }
    let browser = server.browser();
    let finds = |text, count, more| {
        assert_eq!(search(&browser, text).len(), count, "{text}");
        assert_eq!(browser.text().contains("Write more of the name"), more, "{text}");
    };
    finds("uni", 25, true);
    finds("uni0", 10, false);
    finds("uni07", 1, false);
    finds("campus", 25, true);
    finds("early", 25, false);
}

/// What the app knows narrows or orders the choice.
#[test]
fn an_app_and_its_request_decide_who_is_offered() {
    let server = TestServer::new();
    let ids: Vec<IdentityProviderId> = (0..40)
        .map(|number| {
            let name = format!("Provider {number:02}");
            add(
                &server,
                wanted(&name, &format!("p{number}"), &[&format!("p{number}.example")]),
            )
        })
        .collect();
    let offered_to = |client: &crate::support::TestClient, name: &str, value: &str| {
        let browser = server.browser();
        browser.authorize(client, &client.params("openid").set(name, value));
        assert!(browser.path().starts_with("/p/login"), "{}", browser.path());
        (offered(&browser), forms(&browser.text()).len())
    };
    let plain = server.client().create();
    assert_eq!(offered_to(&plain, "state", "s"), (vec![], 2));
    let named = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|number| format!("Provider {number:02}"))
            .collect::<Vec<_>>()
    };
    let table: [(&str, &str, &[usize], usize); 6] = [
        ("login_hint", "alice@p7.example", &[7], 2),
        ("login_hint", "alice@P7.Example", &[7], 2),
        ("login_hint", "alice@nowhere.example", &[], 2),
        ("session_required_single_domain", "p3.example", &[3], 1),
        (
            "session_required_single_domain",
            "p3.example,P4.example,nowhere.example",
            &[3, 4],
            1,
        ),
        ("session_required_single_domain", "*.example", &[], 2),
    ];
    for (name, value, expected, forms) in table {
        assert_eq!(
            offered_to(&plain, name, value),
            (named(expected), forms),
            "{name}={value}"
        );
    }
    let preselected = server.client().create();
    server.sql(
        "UPDATE clients SET preselect_idp = $2 WHERE id = $1",
        params![preselected.id, ids[9]],
    );
    assert_eq!(offered_to(&preselected, "state", "s"), (named(&[9]), 2));
    let required = server.client().create();
    server.sql(
        "UPDATE clients SET required_idp = $2 WHERE id = $1",
        params![required.id, ids[5]],
    );
    assert_eq!(
        offered_to(&required, "login_hint", "alice@p7.example"),
        (named(&[5]), 1)
    );
}

/// What is demanded beside the domain may be proved anywhere.
#[test]
fn the_choice_is_narrowed_by_domain_until_the_domain_is_met() {
    let server = TestServer::new();
    for number in 0..3 {
        let name = format!("Provider {number}");
        add(
            &server,
            wanted(&name, &format!("p{number}"), &[&format!("p{number}.example")]),
        );
    }
    let (alice, client) = (server.user("alice").create(), server.client().create());
    let browser = server.browser_of(&alice);
    let offered_for = |domain: &str| {
        let params = client.params("openid").set("session_required_mfa", "true");
        browser.authorize(&client, &params.set("session_required_single_domain", domain));
        assert!(browser.path().starts_with("/p/login"), "{}", browser.path());
        offered(&browser)
    };
    assert_eq!(offered_for("p1.example"), ["Provider 1"]);
    assert_eq!(
        offered_for("p1.example,portolan.local").len(),
        3,
        "only two factors are missing"
    );
}

#[test]
fn a_domain_belongs_to_one_provider_and_ours_to_none_of_them() {
    let server = TestServer::new();
    add(&server, wanted("First", "first", &["x.example"]));
    let refused = |wanted: Wanted| {
        let ctx = server.ctx();
        let result = server
            .app()
            .db
            .write_blocking(move |tx| create(tx, &ctx, Actor::Operator, "portolan.local", &wanted));
        result.unwrap_err().detail().to_owned()
    };
    assert_eq!(
        refused(wanted("Second", "second", &["y.example", "x.example"])),
        "the domain x.example belongs to First"
    );
    for own in ["portolan.local", "clients.auth.globus.org"] {
        assert!(
            refused(wanted("Own", "own", &[own])).contains("this server's own"),
            "{own}"
        );
    }
    assert!(refused(wanted("Third", "first", &["z.example"])).contains("short name first"));
    assert!(refused(wanted("Nowhere", "nowhere", &[])).contains("name at least one"));
    for bad in ["X.example", "*.example", "example", "a b.example"] {
        assert!(
            refused(wanted("Bad", "bad", &[bad])).contains("write a domain"),
            "{bad}"
        );
    }
    // A placeholder gives way: nobody could sign in through it.
    let globus = add(&server, wanted("Globus ID", "own-globus", &["globusid.org"]));
    let owner = server.read(|tx| identity_providers::find_by_domain(tx, "globusid.org"));
    assert_eq!(owner.unwrap().id, globus);
}

#[test]
fn a_provider_that_is_changed_has_the_domains_that_it_is_given() {
    let server = TestServer::new();
    let mut first = wanted("First", "first", &["gone.example", "kept.example"]);
    let id = add(&server, first.clone());
    let ctx = server.ctx();
    first.domains = vec!["kept.example".into(), "new.example".into()];
    server.write(move |tx| update(tx, &ctx, Actor::Operator, "portolan.local", &first));
    let domains = server.read(move |tx| identity_providers::list_domains(tx, id));
    assert_eq!(domains, ["kept.example", "new.example"]);
    add(&server, wanted("Second", "second", &["gone.example"]));
}

#[test]
fn short_names_and_scopes_are_bounded() {
    let refusal = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted("Example University", "example", &["example.edu"]);
        change(&mut wanted);
        let refused = wanted.check("portolan.local").err();
        refused.map(|error| error.detail().to_owned())
    };
    for (length, is_good) in [(0, false), (1, true), (64, true), (65, false)] {
        let refused = refusal(&|wanted| wanted.provider.short_name = "x".repeat(length));
        assert_eq!(refused.is_none(), is_good, "{length}: {refused:?}");
    }
    assert!(refusal(&|wanted| wanted.provider.short_name = "Example".into()).is_some());
    for (scopes, is_good) in [
        (&[][..], false),
        (&["openid", ""], false),
        (&["openid", "e mail"], false),
        (&["openid", "email"], true),
    ] {
        let refused = refusal(&|wanted| {
            wanted.configuration.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        });
        let said = (!is_good).then_some("scope: name at least one, each without spaces");
        assert_eq!(refused.as_deref(), said, "{scopes:?}");
    }
}
