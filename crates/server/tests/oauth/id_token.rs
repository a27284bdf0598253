//! ID tokens as the token endpoint gives them out. Signatures are checked with the
//! published keys, by code that shares nothing with the server's.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::TestServer;

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(text.as_str().expect("a member of a key"))
        .expect("base64url")
}

/// The key that verifies the token, by trying; the index in the list.
pub fn verify(token: &str, jwks: &Value) -> Option<usize> {
    let (signed, signature) = token.rsplit_once('.')?;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next()?).ok()?).ok()?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let keys = jwks["keys"].as_array()?;
    let index = keys.iter().position(|key| key["kid"] == header["kid"])?;
    let key = &keys[index];
    if key["alg"] != header["alg"] {
        return None;
    }
    let good = match header["alg"].as_str()? {
        "RS256" | "RS512" => {
            let (n, e) = (decode(&key["n"]), decode(&key["e"]));
            let algorithm = if header["alg"] == "RS256" {
                &RSA_PKCS1_2048_8192_SHA256
            } else {
                &RSA_PKCS1_2048_8192_SHA512
            };
            RsaPublicKeyComponents { n: &n, e: &e }.verify(algorithm, signed.as_bytes(), &signature)
        }
        "ES256" => {
            let point = [vec![4], decode(&key["x"]), decode(&key["y"])].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature)
        }
        other => panic!("an algorithm of its own: {other}"),
    };
    good.is_ok().then_some(index)
}

fn jwks(server: &TestServer) -> Value {
    server.get("/jwk.json").ok().json()
}

/// H1.
#[test]
fn an_id_token_comes_exactly_when_openid_was_granted() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();

    let without = client.tokens(&browser, "email profile");
    let with = client.tokens(&browser, "openid");

    assert!(without.0.get("id_token").is_none());
    let claims = with.claims();
    let now = server.now().seconds();
    assert_eq!(claims["iss"], server.issuer());
    assert_eq!(claims["aud"], client.id.to_string());
    assert_eq!(claims["sub"], alice.id.to_string());
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["exp"], now + 172_800);
    assert!(claims.get("azp").is_none(), "one audience needs none");
    assert!(claims["sub"].as_str().unwrap().is_ascii());
    let token = client.introspect(with.access_token());
    assert_eq!(token["sub"], claims["sub"]);
}

/// H2.
#[test]
fn a_nonce_is_echoed_unchanged_and_absent_without_one() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    for nonce in ["n", &"n".repeat(64), &"é+% \"".repeat(50)] {
        let code = client.code_with(&browser, &client.params("openid").set("nonce", nonce));
        assert_eq!(client.exchange(&code).claims()["nonce"], nonce);
    }
    assert!(client.tokens(&browser, "openid").claims().get("nonce").is_none());
}

/// H3: RS256 is the default; each client can have its own; all are in the key list.
#[test]
fn each_algorithm_signs_with_a_published_key() {
    for default in ["RS256", "RS512", "ES256"] {
        let server = TestServer::with(|config| config.id_token_algorithm = default.into());
        let keys = jwks(&server);
        let own = server.client().confidential().create();
        let tokens = own.credentials("openid");
        assert_eq!(tokens.id_token_header()["alg"], default);
        if default != "ES256" {
            assert_eq!(
                verify(tokens.id_token(), &keys),
                Some(0),
                "the SDK uses the first key blindly"
            );
        }
        for algorithm in ["RS256", "RS512", "ES256"] {
            let client = server.client().confidential().id_token_algorithm(algorithm).create();
            let tokens = client.credentials("openid");
            let header = tokens.id_token_header();
            assert_eq!(header["alg"], algorithm);
            assert_eq!(header["typ"], "JWT");
            assert!(header["kid"].is_string());
            assert!(verify(tokens.id_token(), &keys).is_some(), "{default} {algorithm}");
            let (signed, _) = tokens.id_token().rsplit_once('.').unwrap();
            assert_eq!(verify(&format!("{signed}.AAAA"), &keys), None, "the check can fail");
        }
    }
}

/// wire.md 2.2.7: the left half of the hash that the signature uses, of the top-level token.
#[test]
fn at_hash_follows_the_algorithm() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let scope = "urn:globus:auth:scope:transfer.api.globus.org:all openid";
    for (algorithm, hash, length) in [
        ("RS256", &digest::SHA256, 22),
        ("RS512", &digest::SHA512, 43),
        ("ES256", &digest::SHA256, 22),
    ] {
        let client = server.client().confidential().id_token_algorithm(algorithm).create();
        let tokens = client.tokens(&browser, scope);
        let digest = digest::digest(hash, tokens.access_token().as_bytes());
        let half = &digest.as_ref()[..digest.as_ref().len() / 2];
        let at_hash = tokens.claims()["at_hash"].as_str().unwrap().to_owned();
        assert_eq!(at_hash, URL_SAFE_NO_PAD.encode(half), "{algorithm}");
        assert_eq!(at_hash.len(), length);
    }
}

/// wire.md 2.2.7: which claims the scopes open.
#[test]
fn claims_follow_the_granted_scopes() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let signed_in_at = server.now().seconds();
    server.advance_seconds(30);

    let bare = client.tokens(&browser, "openid").claims();
    let full = client.tokens(&browser, "openid profile email").claims();

    for absent in [
        "name",
        "email",
        "organization",
        "preferred_username",
        "identity_provider",
    ] {
        assert!(bare.get(absent).is_none(), "{absent}");
        assert!(bare["identity_set"][0].get(absent).is_none(), "{absent}");
    }
    assert_eq!(bare["identity_set"][0]["sub"], alice.id.to_string());
    assert_eq!(bare["identity_set"][0]["username"], "alice@portolan.local");
    assert_eq!(full["name"], "alice of the tests");
    assert_eq!(full["email"], "alice@example.org");
    assert_eq!(full["organization"], "Example University");
    assert_eq!(full["preferred_username"], "alice@portolan.local");
    assert_eq!(full["last_authentication"], signed_in_at);
    assert_eq!(full["identity_set"][0]["email"], "alice@example.org");
    assert!(full["identity_provider_display_name"].is_string());
    assert_eq!(
        full["identity_provider"],
        portolan_server::store::identity_providers::LOCAL.to_string()
    );
}

/// H7, H10: what really happened, when it really happened.
#[test]
fn auth_time_and_amr_tell_the_real_authentication() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let signed_in_at = server.now().seconds();
    let client = server.client().confidential().create();
    let other = server.client().confidential().create();
    for client in [&client, &other, &client] {
        server.advance_seconds(600);
        let claims = client.tokens(&browser, "openid").claims();
        assert_eq!(claims["auth_time"], signed_in_at);
        assert_eq!(claims["amr"], json!(["pwd"]));
        assert!(claims.get("acr").is_none());
    }
}

/// The code waits while the person signs in again elsewhere: the token tells of the login
/// that the code came from.
#[test]
fn auth_time_is_that_of_the_authorization() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let signed_in_at = server.now().seconds();
    let code = client.code(&browser, "openid");
    server.advance_seconds(30);
    browser.get("/v2/oauth2/authorize");
    server.browser_of(&alice);

    assert_eq!(client.exchange(&code).claims()["auth_time"], signed_in_at);
}
