//! Class 15: State that the browser carries and can change: parameters between two steps,
//! members of a document that were not asked for, flows that are switched off.
//!
//! MITREid CVE-2021-27582; Keycloak CVE-2026-7571.

use serde_json::json;

use super::support::{Auth, Outcome, TestServer};

/// What was asked for stands in the store; the form only answers.
#[test]
fn nothing_added_to_a_form_changes_the_request() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let service = server
        .resource_server("service.example")
        .scope("read")
        .scope("write")
        .create();
    let (client, other) = (
        server.client().create(),
        server.client().redirect_uri("https://other.example/cb").create(),
    );
    let extra = [
        ("scope", service.scope("write").to_owned()),
        ("client_id", other.id.to_string()),
        ("redirect_uri", "https://other.example/cb".to_owned()),
        ("response_type", "token".to_owned()),
        ("state", "another".to_owned()),
        ("code_challenge", "A".repeat(43)),
        ("access_type", "offline".to_owned()),
        ("prompt", "none".to_owned()),
        ("nonce", "another".to_owned()),
        ("identity_id", other.id.to_string()),
        ("scope_optional", "0,0.0,1".to_owned()),
        ("decision", "allow".to_owned()),
        ("page_shown", "1".to_owned()),
        ("authenticated_at", "9999999999".to_owned()),
    ];
    for (name, value) in &extra {
        let browser = server.browser();
        let params = client
            .params(&format!("openid {}", service.scope("read")))
            .set("nonce", "n-1")
            .set("prompt", "consent");
        assert!(browser.authorize(&client, &params).is_page());
        let form = browser
            .form()
            .set("username", &alice.username)
            .set("password", &alice.password);
        let form = if *name == "decision" {
            form
        } else {
            form.set(name, value)
        };
        assert!(
            browser.submit(&form).is_page(),
            "the consent page comes, whatever {name} says"
        );
        let mut form = browser.form().set("decision", "allow").set(name, value);
        if form.action.contains('?') {
            let query = super::encode(&[(name, value)]);
            form.action = format!("{}&{query}", form.action);
        }
        match browser.submit(&form) {
            Outcome::Left(left) => {
                assert_eq!(left.address(), client.redirect_uri, "{name}");
                assert_eq!(left.get("state").as_deref(), Some("the-state"), "{name}");
                let tokens = client.exchange(&left.get("code").expect("a code"));
                let document = tokens.of("service.example");
                assert_eq!(document.0["scope"], service.scope("read"), "{name}");
                assert!(document.0.get("refresh_token").is_none(), "{name}");
                assert_eq!(tokens.claims()["nonce"], "n-1", "{name}");
                assert_eq!(tokens.claims()["sub"], alice.id.to_string(), "{name}");
            }
            // A parameter that is there twice, in address and form, may be refused as such.
            Outcome::Page(page) => assert!(page.status.is_client_error(), "{name}: {}", page.summary()),
        }
    }
}

/// A request waits for the browser that made it, and for nobody who knows its id.
#[test]
fn a_request_id_is_worth_nothing_in_another_browser() {
    let server = TestServer::new();
    let (alice, mallory) = (server.user("alice").create(), server.user("mallory").create());
    let client = server.client().create();
    let victim = server.browser_of(&alice);
    assert!(victim.authorize(&client, &client.params("openid")).is_page());
    let id = victim.form().get("request").unwrap().to_owned();
    let attacker = server.browser_of(&mallory);
    for path in ["/p/authorize", "/p/login", "/p/consent", "/p/continue"] {
        let outcome = attacker.get(&format!("{path}?request={id}"));
        assert_eq!(outcome.page().status, 400, "{path}");
        assert_eq!(
            server.browser().get(&format!("{path}?request={id}")).page().status,
            400,
            "{path}"
        );
    }
    // And a form of the attacker's own cannot name it.
    assert!(attacker.authorize(&client, &client.params("openid")).is_page());
    let form = attacker.form().set("request", &id).set("decision", "allow");
    assert_eq!(attacker.submit(&form).page().status, 400);
    assert!(
        matches!(victim.allow(), Outcome::Left(_)),
        "the victim's request is untouched"
    );
}

#[test]
fn flows_that_are_not_offered_stay_so_at_every_step() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let signed_in = server.browser_of(&alice);
    let client = server.client().create();
    client.code(&signed_in, "openid");
    for response_type in [
        "token",
        "id_token",
        "code token",
        "code id_token",
        "id_token token",
        "code id_token token",
        "none",
    ] {
        for browser in [&signed_in, &server.browser()] {
            let params = client
                .params("openid")
                .set("response_type", response_type)
                .set("nonce", "n");
            let outcome = browser.authorize(&client, &params);
            let left = outcome.left();
            assert_eq!(
                left.get("error").as_deref(),
                Some("unsupported_response_type"),
                "{response_type}"
            );
            assert!(
                !left.location.contains("access_token") && !left.location.contains('#'),
                "{}",
                left.location
            );
        }
    }
    for mode in ["fragment", "form_post", "jwt"] {
        let outcome = signed_in.authorize(&client, &client.params("openid").set("response_mode", mode));
        assert_eq!(outcome.error().as_deref(), Some("invalid_request"), "{mode}");
    }
    for grant in [
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "implicit",
    ] {
        let params = super::support::Params::default()
            .set("grant_type", grant)
            .set("username", &alice.username)
            .set("password", &alice.password)
            .set("scope", "openid");
        assert_eq!(client.token(&params).outcome(), "400 unsupported_grant_type", "{grant}");
    }
}

/// Members of a document that the caller may not decide about.
#[test]
fn a_registration_cannot_give_itself_rights() {
    let server = TestServer::new();
    let template = server.client().template().create();
    let mut sent = json!({
        "template_id": template.id,
        "name": "laptop",
        "id": template.id,
        "project": template.id,
        "is_template": true,
        "grant_types": ["client_credentials", "urn:globus:auth:grant_type:dependent_token"],
        "parent_client": null,
        "enabled": false,
    });
    let answer = server.post_json("/v2/api/clients", &Auth::None, &json!({ "client": sent.clone() }));
    if answer.status == 201 {
        let id: portolan_types::ClientId = answer.json()["client"]["id"].as_str().unwrap().parse().unwrap();
        assert_ne!(id, template.id);
        let record = server.read(move |tx| portolan_server::store::clients::get(tx, id));
        assert!(record.is_instance && !record.is_template && record.project_id.is_none());
        assert_eq!(record.parent_client_id, Some(template.id));
        assert!(!record.grant_types.contains("dependent_token"));
    } else {
        assert_eq!(answer.status, 400, "{}", answer.summary());
    }
    for (member, value) in [
        ("redirect_uris", json!(["https://evil.example/cb"])),
        ("visibility", json!("public")),
        ("client_type", json!("hybrid_confidential_client_resource_server")),
        (
            "links",
            json!({ "terms_and_conditions": "https://evil.example", "privacy_policy": "https://evil.example" }),
        ),
    ] {
        sent = json!({ "template_id": template.id, "name": "laptop" });
        sent[member] = value;
        let answer = server.post_json("/v2/api/clients", &Auth::None, &json!({ "client": sent }));
        assert!(
            !answer.text().contains("evil.example"),
            "{member}: {}",
            answer.summary()
        );
        if answer.status == 201 {
            let id: portolan_types::ClientId = answer.json()["client"]["id"].as_str().unwrap().parse().unwrap();
            let record = server.read(move |tx| portolan_server::store::clients::get(tx, id));
            assert!(
                record.redirect_uris().iter().all(|uri| !uri.contains("evil")),
                "{member}"
            );
            assert_ne!(
                record.client_type, "hybrid_confidential_client_resource_server",
                "{member}"
            );
            assert_ne!(record.visibility, "public", "{member}");
        }
    }
}
