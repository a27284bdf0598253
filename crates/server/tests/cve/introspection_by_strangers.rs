//! Class 9: Introspection that tells strangers about a token.
//!
//! Gitea CVE-2026-58425; Oathkeeper CVE-2021-32701.

use super::support::TestServer;

#[test]
fn a_token_is_inactive_for_whoever_it_is_not_for() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let service = server.resource_server("service.example").scope("read").create();
    let other_service = server.resource_server("other.example").scope("read").create();
    let app = server.client().create();
    let tokens = app.offline_tokens(
        &browser,
        &format!("openid {} {}", service.scope("read"), other_service.scope("read")),
    );
    let token = tokens.of("service.example").access_token().to_owned();
    let template = server.client().template().create();
    let strangers = [
        other_service.client.clone(),
        server.client().create(),
        server.client().hybrid().create(),
        server.instance_of(template.id, "laptop"),
    ];
    // First those who may, so that an answer that was kept would be found.
    assert_eq!(service.introspect(&token)["active"], true);
    for stranger in &strangers {
        for include in ["", "identity_set,identities_set,identity_set_detail,session_info"] {
            let mut form = vec![("token", token.as_str())];
            form.extend((!include.is_empty()).then_some(("include", include)));
            let answer = stranger.post("/v2/oauth2/token/introspect", &form).ok();
            assert_eq!(answer.text(), r#"{"active":false}"#);
        }
        assert!(!stranger.is_valid(&token));
        assert!(!stranger.is_valid(tokens.of("service.example").refresh_token()));
    }
    // The same words as for a token that never was.
    let unknown = server
        .client()
        .create()
        .post("/v2/oauth2/token/introspect", &[("token", "AgPAnever")]);
    assert_eq!(unknown.text(), r#"{"active":false}"#);
    // A public client proves nothing, so it may not ask at all.
    let public = server.client().public_installed().create();
    assert_eq!(
        public.post("/v2/oauth2/token/introspect", &[("token", &token)]).status,
        401
    );
}

#[test]
fn a_refresh_token_is_nobodys_access_token() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let service = server.resource_server("service.example").scope("read").create();
    let app = server.client().create();
    let tokens = app.offline_tokens(&browser, service.scope("read"));
    for client in [&app, &service.client] {
        let answer = client
            .post("/v2/oauth2/token/introspect", &[("token", tokens.refresh_token())])
            .ok();
        assert_eq!(answer.text(), r#"{"active":false}"#);
    }
}

/// No cache of another caller's answer: each sees the token as it is for them, each time.
#[test]
fn the_answer_follows_the_caller_and_the_moment() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let service = server.resource_server("service.example").scope("read").create();
    let app = server.client().create();
    let tokens = app.tokens(&browser, service.scope("read"));
    assert!(service.introspect(tokens.access_token()).get("email").is_some());
    let seen_by_app = app.introspect(tokens.access_token());
    assert_eq!(seen_by_app["active"], true);
    assert!(
        seen_by_app.get("email").is_none_or(|email| email.is_null()),
        "the app did not ask for it: {seen_by_app}"
    );
    app.revoke(tokens.access_token());
    assert!(!service.is_active(tokens.access_token()));
}
