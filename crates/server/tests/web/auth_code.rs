//! The page that shows a code for copy and paste (wire.md 2.1.5).

use crate::support::TestServer;

fn encode(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

#[test]
fn the_code_is_shown_with_a_warning_and_redeems() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server
        .client()
        .public_installed()
        .redirect_uri(&server.display_page())
        .create();
    let browser = server.browser_of(&alice);
    let left = browser.authorize_and_allow(&client, &client.params("openid"));
    assert_eq!(left.address(), server.display_page());

    // The person may use another browser for it: nothing of the session is needed.
    let page = server
        .get(left.location.strip_prefix(&server.config().public_url()).unwrap())
        .ok();

    let text = page.text();
    let (_, rest) = text
        .split_once("id=\"code\" tabindex=\"0\">")
        .expect("a place for the code");
    let shown = rest.split('<').next().unwrap();
    assert_eq!(Some(shown), left.get("code").as_deref());
    assert!(
        page.text()
            .contains("Give this code only to the program that you started yourself")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("set-cookie"), None);
    client.exchange(shown);
}

/// decisions.md section 3: a person needs longer than a program.
#[test]
fn a_shown_code_lives_ten_minutes_and_any_other_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let display = server
        .client()
        .public_installed()
        .redirect_uri(&server.display_page())
        .create();
    let loopback = server.client().public_installed().create();
    let web = server.client().create();
    for (client, lifetime) in [(&display, 600), (&loopback, 60), (&web, 60)] {
        let (early, late) = (client.code(&browser, "openid"), client.code(&browser, "openid"));
        server.advance_seconds(lifetime - 1);
        assert_eq!(client.try_exchange(&early).outcome(), "200", "{}", client.redirect_uri);
        server.advance_seconds(1);
        assert_eq!(
            client.try_exchange(&late).outcome(),
            "400 invalid_grant",
            "{}",
            client.redirect_uri
        );
    }
}

#[test]
fn an_error_is_shown_as_a_quotation() {
    let server = TestServer::new();
    let query = encode(&[
        ("error", "access_denied"),
        ("error_description", "<script>alert(1)</script> call +1 555 now"),
    ]);
    let page = server.get(&format!("/v2/web/auth-code?{query}")).ok().text();
    assert!(page.contains("You were not signed in"));
    assert!(
        page.contains("<q class=\"quoted\">&#60;script&#62;alert(1)&#60;/script&#62; call +1 555 now</q>"),
        "{page}"
    );
    assert!(page.contains("<code>access_denied</code>"));
}

#[test]
fn whatever_stands_in_the_address_stays_text() {
    let server = TestServer::new();
    let query = encode(&[("code", "\"><script>alert(1)</script>"), ("state", "<b>")]);
    let page = server.get(&format!("/v2/web/auth-code?{query}")).ok().text();
    assert!(!page.contains("<script>alert") && !page.contains("<b>"), "{page}");
    // With an error beside it a code is not a code.
    let page = server.get("/v2/web/auth-code?code=abc&error=x").ok().text();
    assert!(!page.contains("id=\"code\""));
    let page = server.get("/v2/web/auth-code").ok().text();
    assert!(page.contains("There is no code here"));
}
