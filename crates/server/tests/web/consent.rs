//! The consent page: what it shows, what is kept of the answer, when it is skipped.

use http::StatusCode;
use portolan_db::params;

use crate::support::{Browser, Outcome, Params, TestClient, TestResourceServer, TestServer};

/// The built-in template of the command line.
const CLI_TEMPLATE: u128 = 0x95fdeba8_fac2_42bd_a357_e068d82ff78e;

fn asks(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Left(left) => {
            assert!(left.get("code").is_some(), "{}", left.location);
            false
        }
        Outcome::Page(page) => {
            assert!(page.text().contains("asks for your permission"), "{}", page.summary());
            true
        }
    }
}

/// A service whose scope `all` needs `read` of another one and may use `write` of it.
pub struct Services {
    pub portal: TestResourceServer,
    pub data: TestResourceServer,
}

pub fn services(server: &TestServer) -> Services {
    let data = server
        .resource_server("data.example")
        .scope("read")
        .scope("write")
        .create();
    let portal = server
        .resource_server("portal.example")
        .scope("all")
        .depends_on(data.scope("read"))
        .depends_optionally_on(data.scope("write"))
        .scope("extra")
        .create();
    Services { portal, data }
}

fn signed_in(server: &TestServer) -> Browser {
    let alice = server.user("alice").create();
    server.browser_of(&alice)
}

#[test]
fn the_page_shows_app_account_scopes_and_what_they_need_as_a_tree() {
    let server = TestServer::new();
    let Services { portal, data } = services(&server);
    let client = server
        .client()
        .named("Beamline")
        .links("https://app.example/terms", "https://app.example/privacy")
        .create();
    let browser = signed_in(&server);

    let scope = format!("openid {}", portal.scope("all"));
    let page = browser.authorize(&client, &client.params(&scope)).page().text();

    assert!(
        page.contains("<strong>Beamline</strong> asks for your permission"),
        "{page}"
    );
    assert!(page.contains("alice@portolan.local"));
    assert!(
        page.contains("href=\"https://app.example/terms\"") && page.contains("href=\"https://app.example/privacy\"")
    );
    for text in [
        "Scope all",
        "What all is for.",
        "Scope read",
        "What read is for.",
        "Scope write",
        "Know who you are",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for scope in ["openid", portal.scope("all"), data.scope("read")] {
        assert!(page.contains(&format!("<code>{scope}</code>")), "{scope}");
    }
    // What a scope needs stands beneath it: inside its list, which is open when they come.
    let all = page.find("Scope all").unwrap();
    let beneath = &page[all..];
    let read = beneath.find("Scope read").unwrap();
    let between = &beneath[..read];
    assert!(between.contains("may also, on your behalf"), "{between}");
    assert_eq!(
        between.matches("<ul").count(),
        between.matches("</ul").count() + 1,
        "one list further in"
    );
    assert!(page.contains("Afterwards you return to <strong>https://app.example</strong>"));
    assert!(page.contains("name=\"scope_optional\"") && !page.contains("name=\"label\""));
}

/// threats.md 17.
#[test]
fn names_that_are_markup_stay_text() {
    let server = TestServer::new();
    let client = server.client().named("<script>alert(1)</script>").create();
    let alice = server.user("alice").named("\"><img src=x onerror=alert(1)>").create();
    let browser = server.browser_of(&alice);
    let params = client
        .params("openid")
        .set("prefill_named_grant", "\"><script>alert(2)</script>");
    let page = browser.authorize(&client, &params).page().text();
    assert!(
        !page.contains("<script>alert") && !page.contains("<img src=x"),
        "{page}"
    );
    assert_eq!(browser.form().get("label"), Some("\"><script>alert(2)</script>"));
}

#[test]
fn what_was_approved_is_not_asked_again() {
    let server = TestServer::new();
    let Services { portal, .. } = services(&server);
    let client = server.client().create();
    let browser = signed_in(&server);
    let both = format!("openid {}", portal.scope("all"));
    assert!(asks(&browser.authorize(&client, &client.params(&both))));
    assert!(browser.allow().left().get("code").is_some());

    assert!(!asks(&browser.authorize(&client, &client.params(&both))));
    assert!(
        !asks(&browser.authorize(&client, &client.params("openid"))),
        "less than was approved"
    );
    let turned = format!("{} openid", portal.scope("all"));
    assert!(
        !asks(&browser.authorize(&client, &client.params(&turned))),
        "in another order"
    );
    let other_client = server.client().create();
    assert!(
        asks(&browser.authorize(&other_client, &other_client.params("openid"))),
        "another app"
    );
    let bob = server.user("bob").create();
    let of_bob = server.browser_of(&bob);
    assert!(
        asks(&of_bob.authorize(&client, &client.params("openid"))),
        "another person"
    );
}

#[test]
fn a_scope_that_is_new_is_asked_for() {
    let server = TestServer::new();
    let Services { portal, .. } = services(&server);
    let client = server.client().create();
    let browser = signed_in(&server);
    client.code(&browser, "openid");

    let more = format!("openid {}", portal.scope("extra"));
    assert!(asks(&browser.authorize(&client, &client.params(&more))));
    browser.allow();
    assert!(!asks(&browser.authorize(&client, &client.params(&more))));
}

/// Below a scope too: the app asks for something beneath it, or the service needs more.
#[test]
fn what_is_new_beneath_a_scope_is_asked_for() {
    let server = TestServer::new();
    let data = server
        .resource_server("data.example")
        .scope("read")
        .scope("other")
        .create();
    let portal = server.resource_server("portal.example").scope("all").create();
    let client = server.client().create();
    let browser = signed_in(&server);
    client.code(&browser, portal.scope("all"));

    let nested = format!("{}[{}]", portal.scope("all"), data.scope("read"));
    assert!(asks(&browser.authorize(&client, &client.params(&nested))));
    browser.allow();
    assert!(!asks(&browser.authorize(&client, &client.params(&nested))));

    // The service declares that it needs one more from now on (decisions, section 8).
    server.sql(
        "INSERT INTO scope_dependencies (scope_id, dependent_scope_id, optional, requires_refresh_token)
         VALUES ($1, $2, 0, 0)",
        params![portal.scope_id("all"), data.scope_id("other")],
    );
    assert!(asks(&browser.authorize(&client, &client.params(portal.scope("all")))));
}

#[test]
fn access_while_away_is_asked_for_anew_where_there_is_any() {
    let server = TestServer::new();
    let service = server
        .resource_server("data.example")
        .scope("read")
        .scope("now")
        .without_refresh_tokens()
        .create();
    let client = server.client().create();
    let browser = signed_in(&server);
    let (read, now) = (
        client.params(service.scope("read")),
        client.params(service.scope("now")),
    );
    let first = browser.authorize(&client, &read);
    assert!(first.page().text().contains("it cannot go on while you are away"));
    browser.allow();
    browser.authorize_and_allow(&client, &now);

    let offline = browser.authorize(&client, &read.clone().set("access_type", "offline"));

    assert!(asks(&offline));
    assert!(offline.page().text().contains("Also while you are away"));
    browser.allow();
    assert!(!asks(
        &browser.authorize(&client, &read.clone().set("access_type", "offline"))
    ));
    assert!(!asks(&browser.authorize(&client, &read)), "less than was approved");
    let offline_now = now.set("access_type", "offline");
    assert!(
        !asks(&browser.authorize(&client, &offline_now)),
        "the scope gives no refresh tokens anyway"
    );
}

fn consent_status(server: &TestServer, suffix: &str, status: &str) -> i64 {
    server.count(
        "SELECT count(*) FROM consents JOIN scopes ON scopes.id = consents.scope_id
          WHERE scopes.suffix = $1 AND consents.status = $2",
        params![suffix, status],
    )
}

#[test]
fn an_optional_branch_that_is_unticked_is_declined_and_not_asked_again() {
    let server = TestServer::new();
    let Services { portal, .. } = services(&server);
    let client = server.client().create();
    let browser = signed_in(&server);
    let params = client.params(portal.scope("all"));
    browser.authorize(&client, &params);
    let form = browser.form();
    let place = form.get("scope_optional").expect("one box, ticked at first").to_owned();

    let outcome = browser.submit(&form.without("scope_optional", &place).set("decision", "allow"));

    assert!(outcome.left().get("code").is_some());
    assert_eq!(consent_status(&server, "write", "denied"), 1);
    assert_eq!(
        (
            consent_status(&server, "all", "approved"),
            consent_status(&server, "read", "approved")
        ),
        (1, 1)
    );
    assert!(!asks(&browser.authorize(&client, &params)));

    // Asked on purpose the person may think better of it.
    assert!(asks(
        &browser.authorize(&client, &params.clone().set("prompt", "consent"))
    ));
    browser.allow();
    assert_eq!(consent_status(&server, "write", "approved"), 1);
    assert_eq!(consent_status(&server, "write", "denied"), 0);
}

/// threats.md 15: only what the page offers as optional can be left out.
#[test]
fn a_forged_form_cannot_leave_out_what_is_required() {
    let server = TestServer::new();
    let Services { portal, .. } = services(&server);
    let client = server.client().create();
    let browser = signed_in(&server);
    browser.authorize(&client, &client.params(portal.scope("all")));
    let form = browser
        .form()
        .set("scope_optional", "7.7")
        .set("scope", "urn:everything");
    browser.submit(&form.set("decision", "allow"));
    assert_eq!(consent_status(&server, "read", "approved"), 1);
    assert_eq!(consent_status(&server, "write", "denied"), 1);
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 3);
}

#[test]
fn several_optional_branches_are_ticked_each_for_itself() {
    let server = TestServer::new();
    let data = server
        .resource_server("data.example")
        .scope("a")
        .scope("b")
        .scope("c")
        .create();
    let portal = server.resource_server("portal.example").scope("all").create();
    let client = server.client().create();
    let browser = signed_in(&server);
    let nested = format!(
        "{}[*{} *{} *{}]",
        portal.scope("all"),
        data.scope("a"),
        data.scope("b"),
        data.scope("c")
    );
    browser.authorize(&client, &client.params(&nested));
    let form = browser.form();
    let boxes: Vec<String> = form
        .fields
        .iter()
        .filter(|(name, _)| name == "scope_optional")
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(boxes.len(), 3);

    browser.submit(&form.without("scope_optional", &boxes[1]).set("decision", "allow"));

    let denied = ["a", "b", "c"].map(|suffix| consent_status(&server, suffix, "denied"));
    assert_eq!(denied, [0, 1, 0]);
    assert!(!asks(&browser.authorize(&client, &client.params(&nested))));
}

#[test]
fn no_is_told_to_the_app_and_nothing_is_kept() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    let params = client.params("openid email");
    browser.authorize(&client, &params);

    let outcome = browser.deny();

    assert_eq!(outcome.error().as_deref(), Some("access_denied"));
    assert_eq!(outcome.state().as_deref(), Some("the-state"));
    assert_eq!(outcome.iss(), Some(server.issuer()));
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
    assert!(asks(&browser.authorize(&client, &params)));
}

#[test]
fn a_form_without_a_decision_decides_nothing() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    browser.authorize(&client, &client.params("openid"));
    for form in [browser.form(), browser.form().set("decision", "perhaps")] {
        let outcome = browser.submit(&form);
        assert!(outcome.page().text().contains("Choose whether to allow access."));
    }
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
}

fn label(server: &TestServer, client: &TestClient) -> Option<String> {
    let id = client.id;
    server.read(move |tx| {
        let statement = "SELECT label FROM consents WHERE client_id = $1 AND parent_id IS NULL";
        Ok(tx.fetch_one::<(Option<String>,)>(statement, params![id])?.0)
    })
}

#[test]
fn the_last_name_of_a_permission_that_is_not_empty_stays() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    let approve = |prefill: &str, typed: &str| {
        let params = client
            .params("openid")
            .set("prompt", "consent")
            .set("prefill_named_grant", prefill);
        browser.authorize(&client, &params);
        assert_eq!(browser.form().get("label"), Some(prefill));
        browser.submit(&browser.form().set("label", typed).set("decision", "allow"));
        label(&server, &client)
    };
    assert_eq!(approve("my laptop", "my laptop").as_deref(), Some("my laptop"));
    assert_eq!(approve("another", "what I typed").as_deref(), Some("what I typed"));
    assert_eq!(approve("another", "   ").as_deref(), Some("what I typed"));
    assert_eq!(
        approve("x", &format!("line\r\nbreak {}", "y".repeat(200))).map(|label| label.chars().count()),
        Some(100)
    );
}

#[test]
fn approval_raises_the_permission_and_keeps_its_id() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    let id = |server: &TestServer| {
        server.read(|tx| Ok(tx.fetch_one::<(i64, i64)>("SELECT id, allows_refresh FROM consents", params![])?))
    };
    client.code(&browser, "openid");
    let before = id(&server);
    client.code_with(&browser, &client.params("openid").set("access_type", "offline"));
    let offline = id(&server);
    client.code_with(&browser, &client.params("openid").set("prompt", "consent"));

    assert_eq!(before.1, 0);
    assert_eq!(offline, (before.0, 1));
    assert_eq!(id(&server), offline, "it only rises by approval");
}

/// H6.
#[test]
fn prompt_consent_asks_although_all_is_approved() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    client.code(&browser, "openid");
    let params = client.params("openid").set("prompt", "consent");
    assert!(asks(&browser.authorize(&client, &params)));
    assert!(browser.allow().left().get("code").is_some());
    assert!(asks(&browser.authorize(&client, &params)), "each time");
}

/// G8.
#[test]
fn a_consent_form_needs_the_token_of_its_own_browser() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = signed_in(&server);
    browser.authorize(&client, &client.params("openid"));
    let form = browser.form().set("decision", "allow");
    let mallory = server.user("mallory").create();
    let strangers = server.browser_of(&mallory);
    strangers.authorize(&client, &client.params("openid"));
    let foreign = strangers.form().get("form_token").unwrap().to_owned();

    assert_eq!(
        browser.submit(&form.clone().set("form_token", &foreign)).page().status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(server.browser().submit(&form).page().status, StatusCode::FORBIDDEN);
    // The right token of the wrong browser: the request is not hers.
    let hers = strangers.submit(&form.clone().set("form_token", &foreign));
    assert_eq!(hers.page().status, StatusCode::BAD_REQUEST);
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);

    assert!(browser.submit(&form).left().get("code").is_some());
}

/// What is approved is what was shown.
#[test]
fn a_tree_that_changed_meanwhile_is_shown_again() {
    let server = TestServer::new();
    let data = server.resource_server("data.example").scope("read").create();
    let portal = server.resource_server("portal.example").scope("all").create();
    let client = server.client().create();
    let browser = signed_in(&server);
    browser.authorize(&client, &client.params(portal.scope("all")));
    server.sql(
        "INSERT INTO scope_dependencies (scope_id, dependent_scope_id, optional, requires_refresh_token)
         VALUES ($1, $2, 0, 0)",
        params![portal.scope_id("all"), data.scope_id("read")],
    );

    let again = browser.allow();

    let page = again.page().text();
    assert!(page.contains("has changed") && page.contains("Scope read"), "{page}");
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
    assert!(browser.allow().left().get("code").is_some());
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 2);
}

/// decisions.md section 6: anybody can register an instance under any name.
#[test]
fn an_instance_appears_under_the_name_of_its_template() {
    let server = TestServer::new();
    let instance = server.instance_of(portolan_types::ClientId::from_u128(CLI_TEMPLATE), "Your <Bank>");
    let browser = signed_in(&server);

    let page = browser.authorize(&instance, &instance.params("openid")).page().text();

    assert!(
        page.contains("<strong>Globus CLI</strong> asks for your permission"),
        "{page}"
    );
    assert!(
        page.contains("registered from a device as <q>Your &#60;Bank&#62;</q>"),
        "{page}"
    );
    assert!(!page.contains("<strong>Your"));
}

#[test]
fn nobody_signed_in_sees_no_consent_page() {
    let server = TestServer::new();
    let client = server.client().create();
    let browser = server.browser();
    browser.authorize(&client, &client.params("openid"));
    let request = browser.form().get("request").unwrap().to_owned();
    for page in ["/p/consent", "/p/continue"] {
        let outcome = browser.get(&format!("{page}?request={request}"));
        assert_eq!(outcome.title(), "Sign in", "{page}");
    }
}

/// H5, as far as pages could show: none is.
#[test]
fn prompt_none_shows_no_page() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let program = server.client().public_installed().create();
    let silent = |browser: &Browser, params: Params| browser.authorize(&client, &params.set("prompt", "none"));
    let nobody = server.browser();
    assert_eq!(
        silent(&nobody, client.params("openid")).error().as_deref(),
        Some("login_required")
    );
    assert!(nobody.cookies().is_empty(), "not even a cookie");
    let browser = server.browser_of(&alice);
    assert_eq!(
        silent(&browser, client.params("openid")).error().as_deref(),
        Some("consent_required")
    );
    client.code(&browser, "openid");
    assert!(silent(&browser, client.params("openid")).left().get("code").is_some());
    server.advance_seconds(10);
    let too_old = client.params("openid").set("max_age", "9");
    assert_eq!(silent(&browser, too_old).error().as_deref(), Some("login_required"));
    let policy = client
        .params("openid")
        .set("session_required_single_domain", "else.example");
    assert_eq!(silent(&browser, policy).error().as_deref(), Some("login_required"));
    program.code(&browser, "openid");
    let silent_program = browser.authorize(&program, &program.params("openid").set("prompt", "none"));
    assert_eq!(silent_program.error().as_deref(), Some("interaction_required"));
    for prompt in ["none login", "none consent", "consent none"] {
        let outcome = browser.authorize(&client, &client.params("openid").set("prompt", prompt));
        assert_eq!(outcome.error().as_deref(), Some("invalid_request"), "{prompt}");
        assert_eq!(outcome.state().as_deref(), Some("the-state"));
    }
}
