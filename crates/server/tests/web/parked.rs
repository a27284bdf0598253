//! Requests that wait while the person is on a page (decisions.md section 3, standards.md G9).

use http::{Method, StatusCode};
use portolan_db::params;

use crate::support::{Browser, Outcome, TestClient, TestServer};

/// Opens the request in a new tab and returns its id; the page stays open there.
fn park(browser: &Browser, client: &TestClient, state: &str) -> String {
    browser.authorize(client, &client.params("openid").set("state", state));
    browser.form().get("request").expect("a page of a request").to_owned()
}

fn resume(browser: &Browser, request: &str) -> Outcome {
    browser.get(&format!("/p/authorize?request={request}"))
}

fn is_gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Page(page) if page.status == StatusCode::BAD_REQUEST
        && page.text().contains("has expired or was finished already"))
}

/// G9.
#[test]
fn two_tabs_do_not_mix() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let one = server
        .client()
        .named("One")
        .redirect_uri("https://one.example/cb")
        .create();
    let two = server
        .client()
        .named("Two")
        .redirect_uri("https://two.example/cb")
        .create();
    let browser = server.browser();
    let first = park(&browser, &one, "of-one");
    let form_of_first = browser.form();
    let second = park(&browser, &two, "of-two");
    let form_of_second = browser.form();

    // Signed in in the first tab; the form in the second one is from before.
    browser.submit(&form_of_first.set("username", "alice").set("password", &alice.password));
    assert!(browser.text().contains("<strong>One</strong> asks"));
    let consent_one = browser.form();
    let stale = browser.submit(&form_of_second.set("username", "alice").set("password", &alice.password));
    assert_eq!(stale.page().status, StatusCode::FORBIDDEN);

    // The second tab goes on with its own request, then the first one.
    assert!(
        resume(&browser, &second)
            .page()
            .text()
            .contains("<strong>Two</strong> asks")
    );
    let of_two = browser.allow();
    let of_one = browser.submit(&consent_one.set("decision", "allow"));

    for (outcome, address, state, client) in [
        (&of_one, "https://one.example/cb", "of-one", &one),
        (&of_two, "https://two.example/cb", "of-two", &two),
    ] {
        assert_eq!(outcome.left().address(), address);
        assert_eq!(outcome.state().as_deref(), Some(state));
        client.exchange(&outcome.code());
    }
    assert!(
        is_gone(&resume(&browser, &first)) && is_gone(&resume(&browser, &second)),
        "each is answered once"
    );
}

#[test]
fn a_request_belongs_to_the_browser_that_made_it() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let mallory = server.user("mallory").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let request = park(&browser, &client, "x");
    let strangers = [server.browser(), server.browser_of(&mallory), server.browser_of(&alice)];
    for (index, stranger) in strangers.iter().enumerate() {
        for page in ["/p/authorize", "/p/login", "/p/consent", "/p/continue"] {
            let outcome = stranger.get(&format!("{page}?request={request}"));
            assert!(is_gone(&outcome), "{index} {page}: {}", outcome.page().summary());
        }
    }
    assert!(browser.allow().left().get("code").is_some());
}

/// Threats.md 15: the login of one browser does not count for the request of another.
#[test]
fn a_login_form_with_a_foreign_request_is_refused() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let victim = server.browser();
    let request = park(&victim, &client, "x");
    let other = server.browser();
    other.get("/p/login");
    let form = other
        .form()
        .set("request", &request)
        .set("username", "alice")
        .set("password", &alice.password);
    assert!(is_gone(&other.submit(&form)));
    assert_eq!(victim.get(&format!("/p/consent?request={request}")).title(), "Sign in");
    // Nor can it be answered with a no.
    assert!(is_gone(&other.submit(&form.set("decision", "deny"))));
    assert_eq!(resume(&victim, &request).title(), "Sign in");
}

#[test]
fn a_request_waits_an_hour() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let request = park(&browser, &client, "x");
    assert!(
        browser.text().contains("Please finish within 60 minutes"),
        "{}",
        browser.text()
    );
    let form = browser.form().set("decision", "allow");
    server.advance_seconds(3599);
    assert!(!is_gone(&resume(&browser, &request)));
    server.advance_seconds(1);
    assert!(is_gone(&resume(&browser, &request)));
    assert!(is_gone(&browser.submit(&form)));
    assert_eq!(server.count("SELECT count(*) FROM consents", params![]), 0);
}

#[test]
fn at_most_twenty_wait_in_a_browser_and_the_oldest_give_way() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let other = server.browser_of(&alice);
    let elsewhere = park(&other, &client, "elsewhere");
    let requests: Vec<String> = (0..21)
        .map(|number| {
            server.advance_seconds(1);
            park(&browser, &client, &number.to_string())
        })
        .collect();
    let waiting = "SELECT count(*) FROM authorization_requests";
    assert_eq!(server.count(waiting, params![]), 21);
    assert!(is_gone(&resume(&browser, &requests[0])));
    for request in &requests[1..] {
        assert!(!is_gone(&resume(&browser, request)));
    }
    assert!(
        !is_gone(&resume(&other, &elsewhere)),
        "other browsers are not concerned"
    );
}

/// A full table turns people away and does not grow.
#[test]
fn at_most_a_hundred_thousand_wait_in_all() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    client.code(&browser, "openid");
    park(&server.browser(), &client, "x");
    server.sql(
        "INSERT INTO authorization_requests (id, browser_session_id, client_id, parameters, parked_at, page_shown, expires_at)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 99999)
         SELECT CAST(printf('%016d', n) AS BLOB), browser_session_id, client_id, parameters, parked_at, 0, expires_at
           FROM authorization_requests, numbers",
        params![],
    );
    let path = format!("/v2/oauth2/authorize?{}", query(&client));

    let full = server.get(&path);

    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(full.header("retry-after"), Some("30"));
    // Who has to see no page needs no place.
    assert!(
        browser
            .authorize(&client, &client.params("openid"))
            .left()
            .get("code")
            .is_some()
    );
    let waiting = "SELECT count(*) FROM authorization_requests";
    assert_eq!(server.count(waiting, params![]), 100_000);
}

fn query(client: &TestClient) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(client.params("openid").pairs())
        .finish()
}

/// wire.md 2.1: a form works like a link. It has to come back as one, because the browser
/// sends no cookie along with a form from another site.
#[test]
fn a_posted_request_is_parked_like_any_other() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let params = client.params("openid").set("state", "a b&c=ü");
    let fields: Vec<(String, String)> = params.0.clone();
    let answer = browser.send(Method::POST, "/v2/oauth2/authorize", Some(&fields));
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    browser.get(answer.location());
    let outcome = browser.allow();
    assert_eq!(outcome.state().as_deref(), Some("a b&c=ü"));
}

/// threats.md 15: nothing but the id goes through the browser, so nothing can be changed.
#[test]
fn what_was_asked_for_cannot_be_changed_on_the_way() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    park(&browser, &client, "x");
    let form = browser.form();
    let names: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["form_token", "request"]);
    let changed = form
        .set("decision", "allow")
        .set("scope", "openid email")
        .set("redirect_uri", "https://evil.example/")
        .set("client_id", "other")
        .set("state", "y");

    let outcome = browser.submit(&changed);

    assert_eq!(outcome.left().address(), client.redirect_uri);
    assert_eq!(outcome.state().as_deref(), Some("x"));
    assert_eq!(client.exchange(&outcome.code()).0["scope"], "openid");
}

#[test]
fn a_client_that_is_disabled_while_the_person_decides_gets_nothing() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    park(&browser, &client, "x");
    server.sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![client.id]);
    assert!(is_gone(&browser.allow()));
}

/// The id is not what protects a request, but nobody shall find one by counting.
#[test]
fn nonsense_for_a_request_is_told_as_expired() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    for request in ["x", "", "00000000-0000-4000-8000-000000000000"] {
        assert!(is_gone(&resume(&browser, request)), "{request}");
    }
}
