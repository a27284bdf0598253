//! Class 3: PKCE that can be left out, stripped, or weakened on the way.
//!
//! authentik CVE-2024-23647, CVE-2023-48228; workers-oauth-provider CVE-2025-4144.

use super::support::{TestServer, VERIFIER, challenge};

#[test]
fn a_public_client_without_a_challenge_gets_no_code() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    for client in [
        server.client().public_installed().create(),
        server.client().public_webapp().create(),
    ] {
        let params = client
            .params("openid")
            .without("code_challenge")
            .without("code_challenge_method");
        assert_eq!(
            browser.authorize(&client, &params).error().as_deref(),
            Some("invalid_request")
        );
        let method_alone = client.params("openid").without("code_challenge");
        assert_eq!(
            browser.authorize(&client, &method_alone).error().as_deref(),
            Some("invalid_request")
        );
    }
}

#[test]
fn only_s256_challenges_are_taken() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server.client().public_installed().create();
    let good = challenge(VERIFIER);
    for (text, method) in [
        (VERIFIER, Some("plain")),
        (VERIFIER, None),
        (good.as_str(), Some("plain")),
        (good.as_str(), None),
        (good.as_str(), Some("s256")),
        (good.as_str(), Some("S512")),
        (good.as_str(), Some("none")),
        ("short", Some("S256")),
        ("not+base64url/at=all+not+base64url/at=all+no", Some("S256")),
    ] {
        let params = client
            .params("openid")
            .set("code_challenge", text)
            .without("code_challenge_method");
        let params = method.map_or(params.clone(), |method| params.set("code_challenge_method", method));
        let outcome = browser.authorize(&client, &params);
        assert_eq!(outcome.error().as_deref(), Some("invalid_request"), "{text} {method:?}");
    }
}

#[test]
fn a_code_needs_the_verifier_of_its_challenge_and_no_other() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server.client().public_installed().create();
    let code = client.code(&browser, "openid");
    let redeem = client.exchange_params(&code);
    let upper = VERIFIER.to_uppercase();
    let longer = format!("{VERIFIER}x");
    let own_challenge = challenge(VERIFIER);
    for verifier in [
        "",
        &own_challenge,
        &upper,
        &longer,
        &VERIFIER[1..],
        "x",
        &"y".repeat(129),
    ] {
        let answer = client.token(&redeem.clone().set("code_verifier", verifier));
        assert_eq!(answer.outcome(), "400 invalid_grant", "{verifier:?}");
    }
    assert_eq!(
        client.token(&redeem.clone().without("code_verifier")).outcome(),
        "400 invalid_grant"
    );
    client.exchange(&code);
}

/// Somebody who strips the challenge from the request on its way is found out: the client
/// sends its verifier all the same (RFC 9700 section 4.8.2).
#[test]
fn a_verifier_without_a_challenge_is_refused() {
    let server = TestServer::new();
    let browser = server.browser_of(&server.user("alice").create());
    let client = server.client().confidential().create();
    let code = client.code(&browser, "openid");
    let with_verifier = client.exchange_params(&code).set("code_verifier", VERIFIER);
    assert_eq!(client.token(&with_verifier).outcome(), "400 invalid_grant");
    client.exchange(&code);

    // A confidential client that chose PKCE is bound by it.
    let params = client
        .params("openid")
        .set("code_challenge", &challenge(VERIFIER))
        .set("code_challenge_method", "S256");
    let code = client.code_with(&browser, &params);
    assert_eq!(client.try_exchange(&code).outcome(), "400 invalid_grant");
    client
        .token(&client.exchange_params(&code).set("code_verifier", VERIFIER))
        .ok();
}
