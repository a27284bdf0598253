//! Class 12: Signed tokens whose header chooses the algorithm or the key.
//!
//! Keycloak CVE-2026-11800; jsonwebtoken CVE-2022-23539, -23540, -23541. We read back one
//! kind of signed token, our own ID token as a hint; the key decides, the header does not.

use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::{digest, hmac, rand, rsa, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::support::{Browser, TestClient, TestServer, Tokens};

struct World {
    server: TestServer,
    browser: Browser,
    client: TestClient,
    tokens: Tokens,
}

impl World {
    fn new() -> Self {
        let server = TestServer::new();
        let browser = server.browser_of(&server.user("alice").create());
        let client = server.client().create();
        let tokens = client.tokens(&browser, "openid");
        Self {
            server,
            browser,
            client,
            tokens,
        }
    }

    /// The first key of the JWKS.
    fn jwk(&self) -> Value {
        self.server.get("/jwk.json").json()["keys"][0].clone()
    }

    /// Whether the hint is believed at the authorization endpoint.
    fn is_believed(&self, hint: &str) -> bool {
        let params = self
            .client
            .params("openid")
            .set("id_token_hint", hint)
            .set("prompt", "none");
        let outcome = self.browser.clone().authorize(&self.client, &params);
        match outcome.error() {
            None => true,
            Some(error) => {
                assert_eq!(error, "invalid_request", "{}", outcome.left().location);
                false
            }
        }
    }

    /// Whether the hint signs the person out without asking, as a link on a foreign site could.
    fn signs_out(&self, hint: &str) -> bool {
        let browser = self.browser.clone();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("id_token_hint", hint)
            .finish();
        browser.get(&format!("/v2/web/logout?{query}"));
        let params = self.client.params("openid").set("prompt", "none");
        let signed_out = browser.authorize(&self.client, &params).error().is_some();
        if signed_out {
            panic!("the hint signed the person out: {hint}");
        }
        signed_out
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn parts(token: &str) -> (Value, Value, String) {
    let mut parts = token.split('.');
    let mut decode = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    let (header, claims) = (decode(), decode());
    (header, claims, parts.next().unwrap().to_owned())
}

/// The form in which public keys are usually published, in DER.
fn subject_public_key_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = contents.len();
        let mut bytes = vec![tag];
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => bytes.push(short),
            _ => bytes.extend([0x82, (length >> 8) as u8, (length & 0xff) as u8]),
        }
        bytes.extend_from_slice(contents);
        bytes
    }
    // A leading zero, or the number would be negative.
    let positive = |number: &[u8]| element(0x02, &[&[0][..], number].concat());
    let key = element(0x30, &[positive(modulus), element(0x02, exponent)].concat());
    let rsa_encryption = [
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let algorithm = element(0x30, &rsa_encryption);
    element(0x30, &[algorithm, element(0x03, &[&[0][..], &key].concat())].concat())
}

#[test]
fn a_forged_hint_is_never_believed() {
    let world = World::new();
    let (header, claims, signature) = parts(world.tokens.id_token());
    let jwk = world.jwk();
    let kid = header["kid"].as_str().unwrap();
    let mut forged: Vec<(String, String)> = Vec::new();

    // No signature at all.
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for kid in [json!(kid), Value::Null] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": kid });
            forged.push((
                format!("alg {alg:?} without a signature"),
                format!("{}.{}.", part(&header), part(&claims)),
            ));
            forged.push((
                format!("alg {alg:?} with the old one"),
                format!("{}.{}.{signature}", part(&header), part(&claims)),
            ));
        }
    }
    forged.push((
        "the signature left out".into(),
        world.tokens.id_token().rsplit_once('.').unwrap().0.to_owned() + ".",
    ));
    forged.push((
        "two parts".into(),
        world.tokens.id_token().rsplit_once('.').unwrap().0.to_owned(),
    ));

    // HMAC with what everybody can read as its key.
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let exponent = URL_SAFE_NO_PAD.decode(jwk["e"].as_str().unwrap()).unwrap();
    let der = subject_public_key_info(&modulus, &exponent);
    let base64 = STANDARD.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    let secrets: [(&str, Vec<u8>); 7] = [
        ("the modulus", modulus.clone()),
        ("the modulus as text", jwk["n"].as_str().unwrap().into()),
        ("DER", der),
        ("PEM", pem.clone().into()),
        ("PEM without its last line break", pem.trim_end().into()),
        ("the JWK", jwk.to_string().into()),
        ("the client secret", world.client.secret.clone().unwrap().into()),
    ];
    for (name, secret) in &secrets {
        for (alg, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": kid });
            let signed = format!("{}.{}", part(&header), part(&claims));
            let mac = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
            forged.push((
                format!("{alg} with {name}"),
                format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)),
            ));
        }
    }

    // A key of the attacker, offered in every way a header knows.
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    // A header of nine bytes stands before the 2048 bits of the modulus.
    let own_n = URL_SAFE_NO_PAD.encode(&pair.public_key().as_ref()[9..9 + 256]);
    let own_jwk = json!({ "kty": "RSA", "n": own_n, "e": "AQAB", "kid": kid, "alg": "RS256", "use": "sig" });
    let sign = |header: &Value, claims: &Value| {
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &signature::RSA_PKCS1_SHA256,
            &rand::SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, own_jwk.to_string().as_bytes()));
    for (name, extra) in [
        ("nothing", json!({})),
        ("jwk", json!({ "jwk": own_jwk })),
        ("jku", json!({ "jku": "https://evil.example/jwk.json" })),
        (
            "jku with our path",
            json!({ "jku": format!("{}/jwk.json@evil.example", world.server.issuer()) }),
        ),
        ("x5u", json!({ "x5u": "https://evil.example/cert.pem" })),
        ("x5c", json!({ "x5c": [base64] })),
        ("another kid", json!({ "kid": thumbprint })),
        (
            "kid that leaves a folder",
            json!({ "kid": "../../../../../../dev/null" }),
        ),
        ("kid with a null byte", json!({ "kid": "\u{0}" })),
        ("kid that is SQL", json!({ "kid": "x' UNION SELECT 'k' --" })),
        ("kid that is a list", json!({ "kid": [kid] })),
        ("kid that is empty", json!({ "kid": "" })),
        ("no kid", json!({ "kid": null })),
        ("crit", json!({ "crit": ["exp"] })),
        ("an algorithm of the other entry", json!({ "alg": "RS512" })),
        ("PSS", json!({ "alg": "PS256" })),
        ("an elliptic curve", json!({ "alg": "ES256" })),
    ] {
        let mut header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
        header
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        forged.push((format!("a foreign key with {name}"), sign(&header, &claims)));
        // The same headers over our own signature: it does not cover them.
        forged.push((
            format!("our signature under {name}"),
            format!("{}.{}.{signature}", part(&header), part(&claims)),
        ));
    }
    forged.retain(|(name, _)| name != "our signature under nothing");

    // Our signature under other claims.
    for (name, value) in [
        ("sub", json!(world.client.id)),
        ("aud", json!("someone")),
        ("exp", json!(9_999_999_999_u64)),
        ("iss", json!("https://evil.example")),
    ] {
        let mut changed = claims.clone();
        changed[name] = value;
        forged.push((
            format!("another {name}"),
            format!("{}.{}.{signature}", part(&header), part(&changed)),
        ));
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(&signature).unwrap();
    bytes[0] ^= 1;
    forged.push((
        "a changed signature".into(),
        format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode(bytes)),
    ));
    forged.push(("four parts".into(), format!("{}.x", world.tokens.id_token())));
    forged.push(("padding".into(), format!("{}=", world.tokens.id_token())));
    forged.push(("an access token".into(), world.tokens.access_token().to_owned()));

    assert!(forged.len() > 60, "{}", forged.len());
    for (name, token) in &forged {
        assert!(!world.is_believed(token), "{name}: {token}");
        assert!(!world.signs_out(token), "{name}");
    }
    assert!(world.is_believed(world.tokens.id_token()), "the genuine one is");
}

/// A genuine token, for another app, or of another server.
#[test]
fn a_genuine_token_for_somebody_else_is_no_hint() {
    let world = World::new();
    let other_client = world.server.client().create().tokens(&world.browser, "openid");
    assert!(!world.is_believed(other_client.id_token()));
    let elsewhere = World::new();
    assert!(!world.is_believed(elsewhere.tokens.id_token()));
    // The keys of tests are shared, so only the issuer tells these two apart.
    let other_issuer = TestServer::with(|config| config.public_url = "https://other.example".into());
    let browser = other_issuer.browser_of(&other_issuer.user("alice").create());
    let token = other_issuer.client().create().tokens(&browser, "openid");
    assert!(!world.is_believed(token.id_token()));
}

/// Assertions of clients would be a second kind of token to confuse: they are not taken.
#[test]
fn client_assertions_are_not_taken() {
    let world = World::new();
    let (header, mut claims, _) = parts(world.tokens.id_token());
    claims["sub"] = json!(world.client.id);
    for assertion in [
        format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims)),
        format!("{}.{}.AAAA", part(&header), part(&claims)),
        world.tokens.id_token().to_owned(),
    ] {
        let params = super::support::Params::default()
            .set("grant_type", "client_credentials")
            .set("scope", "openid")
            .set("client_id", &world.client.id.to_string())
            .set(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .set("client_assertion", &assertion);
        let answer = world
            .server
            .post_form("/v2/oauth2/token", &super::support::Auth::None, &params.pairs());
        assert!(answer.status == 400 || answer.status == 401, "{}", answer.summary());
        let bearer = params
            .set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .set("assertion", &assertion);
        assert_eq!(
            world.client.token(&bearer.without("client_id")).outcome(),
            "400 unsupported_grant_type"
        );
    }
}
