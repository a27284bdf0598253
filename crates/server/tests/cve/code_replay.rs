//! Class 4: Codes that work twice, for another client, or after their end; and single-use
//! things that an endpoint takes which they were not made for.
//!
//! Pocket ID CVE-2026-28513; Keycloak CVE-2026-4282.

use http::Method;

use super::support::{Answer, Auth, TestServer, VERIFIER, challenge, each_engine};

/// Every combination of what binds a code: one alone is good.
#[test]
fn exactly_one_cell_of_the_truth_table_succeeds() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let (client, other) = (server.client().create(), server.client().create());
    let mut succeeded = Vec::new();
    for cell in 0..32_u32 {
        let [own_client, in_time, unused, own_uri, own_verifier] = [0, 1, 2, 3, 4].map(|bit| cell >> bit & 1 == 1);
        let params = client
            .params("openid")
            .set("code_challenge", &challenge(VERIFIER))
            .set("code_challenge_method", "S256");
        let code = client.code_with(&browser, &params);
        let redeem = client.exchange_params(&code).set("code_verifier", VERIFIER);
        if !unused {
            client.token(&redeem).ok();
        }
        if !in_time {
            server.advance_seconds(61);
        }
        let redeem = if own_uri {
            redeem
        } else {
            redeem.set("redirect_uri", "https://app.example/other")
        };
        let redeem = if own_verifier {
            redeem
        } else {
            redeem.set("code_verifier", &VERIFIER.to_uppercase())
        };
        let answer = if own_client {
            client.token(&redeem)
        } else {
            other.token(&redeem)
        };
        match answer.status.as_u16() {
            200 => succeeded.push(cell),
            400 => assert_eq!(answer.error(), "invalid_grant", "{cell:05b}"),
            _ => panic!("{cell:05b}: {}", answer.summary()),
        }
    }
    assert_eq!(succeeded, [0b11111]);
}

#[test]
fn whoever_comes_second_ends_what_the_first_got() {
    each_engine(|server| {
        let browser = server.browser_of(&server.user("alice").create());
        let (client, other) = (server.client().create(), server.client().create());
        let params = client.params("openid").set("access_type", "offline");
        let code = client.code_with(&browser, &params);
        let tokens = client.exchange(&code);
        let bystander = client.tokens(&browser, "openid");

        // A stranger with a copy learns nothing and ends nothing.
        assert_eq!(
            other.token(&client.exchange_params(&code)).outcome(),
            "400 invalid_grant"
        );
        let forged = Auth::Basic(client.id.to_string(), "guessed".into());
        let answer = server.post_form("/v2/oauth2/token", &forged, &client.exchange_params(&code).pairs());
        assert_eq!(answer.status, 401);
        assert!(client.is_active(tokens.access_token()));

        assert_eq!(client.try_exchange(&code).outcome(), "400 invalid_grant");
        assert!(!client.is_active(tokens.access_token()));
        assert_eq!(
            client.try_refresh(tokens.refresh_token()).outcome(),
            "400 invalid_grant"
        );
        assert!(
            client.is_active(bystander.access_token()),
            "another login is not concerned"
        );
    });
}

/// Everything that works once or opens something, at every place but its own.
#[test]
fn what_is_made_for_one_place_opens_no_other() {
    let server = TestServer::new();
    let setup_path = server.setup_path().unwrap();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().create();
    let service = server
        .resource_server("service.example")
        .hybrid()
        .scope("read")
        .create();
    let tokens = client.offline_tokens(&browser, &format!("openid {}", service.scope("read")));
    let code = client.code(&browser, "openid");
    let auth_token = tokens.of("auth.globus.org").access_token().to_owned();
    let service_tokens = tokens.of("service.example");
    let id_token = client.tokens(&browser, "openid").id_token().to_owned();
    assert!(
        browser
            .authorize(&client, &client.params("openid").set("prompt", "login"))
            .is_page()
    );
    let (form_token, request) = {
        let form = browser.form();
        (
            form.get("form_token").unwrap().to_owned(),
            form.get("request").unwrap().to_owned(),
        )
    };
    let cookie = browser
        .cookie(&portolan_server::http::browser::cookie_name(server.config()))
        .unwrap();
    let artefacts = [
        // First: many wrong ones block the account for a while.
        ("password", alice.password.clone()),
        ("code", code.clone()),
        ("refresh token", service_tokens.refresh_token().to_owned()),
        ("access token", auth_token.clone()),
        ("service token", service_tokens.access_token().to_owned()),
        ("ID token", id_token),
        ("setup link", setup_path.rsplit('/').next().unwrap().to_owned()),
        ("form token", form_token),
        ("request id", request.clone()),
        ("cookie", cookie),
        ("client secret", client.secret.clone().unwrap()),
    ];
    // Where each may go, and has to work.
    let own_places = [
        ("code", "code"),
        ("refresh token", "refresh_token"),
        ("refresh token", "validate"),
        ("access token", "bearer"),
        ("access token", "bearer in the form"),
        ("access token", "validate"),
        ("access token", "introspect"),
        ("service token", "validate"),
        ("service token", "introspect"),
        ("service token", "dependent token"),
        ("form token", "form token"),
        ("ID token", "id_token_hint"),
        ("request id", "request"),
        ("request id", "login"),
        ("setup link", "setup"),
        ("cookie", "cookie"),
        ("client secret", "client secret"),
        ("client secret", "client secret in the form"),
        ("password", "password"),
    ];
    let id = client.id.to_string();
    let post = |path: &str, auth: &Auth, form: &[(&str, &str)]| server.post_form(path, auth, form);
    for (kind, value) in &artefacts {
        let value = value.as_str();
        let redeem = client.exchange_params(value);
        let cookie_name = portolan_server::http::browser::cookie_name(server.config());
        let with_cookie = |path: &str| {
            server
                .request(Method::GET, path)
                .header("cookie", &format!("{cookie_name}={value}"))
                .send()
        };
        let encoded = super::encode(&[("v", value)]);
        let encoded = encoded.strip_prefix("v=").unwrap();
        let offered: Vec<(&str, Answer)> = vec![
            ("code", client.token(&redeem)),
            ("refresh_token", client.token(&client.refresh_params(value))),
            (
                "dependent token",
                service.token(
                    &super::support::Params::default()
                        .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
                        .set("token", value),
                ),
            ),
            (
                "introspect",
                client.post("/v2/oauth2/token/introspect", &[("token", value)]),
            ),
            (
                "validate",
                client.post("/v2/oauth2/token/validate", &[("token", value)]),
            ),
            (
                "bearer",
                server.get_as("/v2/oauth2/userinfo", &Auth::Bearer(value.replace(' ', "+"))),
            ),
            (
                "bearer in the form",
                post("/v2/oauth2/userinfo", &Auth::None, &[("access_token", value)]),
            ),
            (
                "client secret",
                post(
                    "/v2/oauth2/token",
                    &Auth::Basic(id.clone(), value.into()),
                    &[("grant_type", "client_credentials"), ("scope", "openid")],
                ),
            ),
            (
                "client secret in the form",
                post(
                    "/v2/oauth2/token",
                    &Auth::Body(id.clone(), value.into()),
                    &[("grant_type", "client_credentials"), ("scope", "openid")],
                ),
            ),
            ("setup", server.get(&format!("/p/setup/{encoded}"))),
            (
                "request",
                browser
                    .clone()
                    .send(Method::GET, &format!("/p/authorize?request={encoded}"), None),
            ),
            (
                "login",
                browser
                    .clone()
                    .send(Method::GET, &format!("/p/login?request={encoded}"), None),
            ),
            ("form token", {
                let form = browser
                    .form()
                    .set("form_token", value)
                    .set("username", "nobody")
                    .set("password", "x");
                browser.clone().send(Method::POST, "/p/login", Some(&form.fields))
            }),
            ("password", {
                let fresh = server.browser();
                fresh.get("/p/login");
                let form = fresh.form().set("username", "alice").set("password", value);
                fresh.send(Method::POST, "/p/login", Some(&form.fields))
            }),
            ("cookie", with_cookie(&format!("/p/login?request={request}"))),
            (
                "id_token_hint",
                super::authorize(&server, &client.params("openid").set("id_token_hint", value).pairs()),
            ),
        ];
        for (place, answer) in offered {
            let text = String::from_utf8_lossy(&answer.body);
            if own_places.contains(&(kind, place)) {
                let good = answer.status == 200 && text != r#"{"active":false}"#;
                let goes_on = answer.status.is_redirection() && !answer.location().contains("error=");
                // With a genuine form token the password is looked at, which is wrong here.
                let form = place == "form token" && answer.status == 401;
                assert!(
                    good || goes_on || form,
                    "{kind} in its own place, {place}: {}",
                    answer.summary()
                );
                continue;
            }
            let inactive = answer.status == 200 && text == r#"{"active":false}"#;
            // A refused hint is told to the app that sent it.
            let told = answer.status.is_redirection() && answer.location().contains("error=invalid_request");
            assert!(
                answer.status.is_client_error() || inactive || told,
                "{kind} as {place}: {}",
                answer.summary()
            );
            assert!(!text.contains("access_token\":"), "{kind} as {place}");
        }
    }
}
