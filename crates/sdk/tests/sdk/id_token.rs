//! ID tokens are believed only if their signature, audience and times are right.

use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portolan_sdk::{Error, IdTokenDecoder, IdTokenError};
use serde_json::{Value, json};

use crate::support::{CLIENT, NOW, PERSON, Server};

pub struct Signer {
    key: EncodingKey,
    pub jwk: Value,
}

impl Signer {
    pub fn new(kid: &str) -> Self {
        let rng = aws_lc_rs::rand::SystemRandom::new();
        let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        Self { key, jwk }
    }

    pub fn sign(&self, claims: &Value, kid: Option<&str>) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

pub fn claims(server: &Server) -> Value {
    json!({"sub": PERSON, "iss": server.url.trim_end_matches('/'), "aud": CLIENT, "exp": NOW + 3600, "iat": NOW,
        "preferred_username": "rdoe@example.edu", "more": 1})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn error(result: portolan_sdk::Result<portolan_sdk::IdTokenClaims>) -> IdTokenError {
    match result {
        Err(Error::IdToken(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn good_tokens_are_read() {
    let server = Server::start().await;
    let signer = Signer::new("1");
    server
        .discovery()
        .answer("/jwk.json", json!({"keys": [{"kty": "strange"}, signer.jwk]}));
    let decoder = IdTokenDecoder::new(server.native()).check_issuer();
    let claims = claims(&server);

    for kid in [None, Some("1")] {
        let read = decoder.decode(&signer.sign(&claims, kid)).await.unwrap();
        assert_eq!(read.sub.to_string(), PERSON);
        assert_eq!(read.preferred_username.as_deref(), Some("rdoe@example.edu"));
        assert_eq!(read.extra["more"], 1);
    }
    let several = with(claims.clone(), "aud", json!(["x", CLIENT]));
    assert_eq!(
        decoder.decode(&signer.sign(&several, None)).await.unwrap().aud,
        ["x", CLIENT]
    );
    assert_eq!(server.requests("/jwk.json").len(), 1, "keys are fetched once");
    assert_eq!(decoder.get_jwt_audience(), Some(CLIENT));
}

#[tokio::test]
async fn bad_tokens_are_not() {
    let server = Server::start().await;
    let signer = Signer::new("1");
    server.discovery().answer("/jwk.json", json!({"keys": [signer.jwk]}));
    let decoder = IdTokenDecoder::new(server.native()).check_issuer();
    let good = claims(&server);

    for (claims, expected) in [
        (with(good.clone(), "aud", json!("other")), IdTokenError::Audience),
        (with(good.clone(), "exp", json!(NOW - 301)), IdTokenError::Expired),
        (with(good.clone(), "iat", json!(NOW + 301)), IdTokenError::NotYet),
        (with(good.clone(), "nbf", json!(NOW + 301)), IdTokenError::NotYet),
        (
            with(good.clone(), "iss", json!("https://evil.example")),
            IdTokenError::Issuer("https://evil.example".into()),
        ),
    ] {
        assert_eq!(error(decoder.decode(&signer.sign(&claims, None)).await), expected);
    }
    for name in ["aud", "exp", "sub"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        let refused = error(decoder.decode(&signer.sign(&claims, None)).await);
        assert!(
            matches!(refused, IdTokenError::Malformed(_) | IdTokenError::Audience),
            "{name}: {refused}"
        );
    }
    let forged = Signer::new("1").sign(&good, Some("1"));
    assert_eq!(error(decoder.decode(&forged).await), IdTokenError::Signature);
    assert_eq!(
        error(decoder.decode(&signer.sign(&good, Some("2"))).await),
        IdTokenError::NoKey
    );
    assert!(matches!(error(decoder.decode("x.y").await), IdTokenError::Malformed(_)));
    // A token "signed" with nothing, or with the public key as a password.
    let secret = EncodingKey::from_secret(b"x");
    let symmetric = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good, &secret).unwrap();
    assert_eq!(
        error(decoder.decode(&symmetric).await),
        IdTokenError::Algorithm("HS256".into())
    );
}

#[tokio::test]
async fn leeway_and_checks_can_be_chosen() {
    let server = Server::start().await;
    let signer = Signer::new("1");
    server.discovery().answer("/jwk.json", json!({"keys": [signer.jwk]}));
    let app = server.native();
    let old = signer.sign(&with(claims(&server), "exp", json!(NOW - 299)), None);

    assert!(IdTokenDecoder::new(&app).decode(&old).await.is_ok());
    let strict = IdTokenDecoder::new(&app).leeway(Duration::ZERO);
    assert_eq!(error(strict.decode(&old).await), IdTokenError::Expired);
    assert!(
        IdTokenDecoder::new(&app)
            .leeway(Duration::ZERO)
            .ignore_times()
            .decode(&old)
            .await
            .is_ok()
    );
    let foreign = signer.sign(&with(with(claims(&server), "aud", json!("x")), "iss", json!("y")), None);
    assert!(IdTokenDecoder::new(&app).audience(None).decode(&foreign).await.is_ok());
    assert_eq!(IdTokenDecoder::claims_without_check(&foreign).unwrap()["aud"], "x");
    assert!(IdTokenDecoder::claims_without_check("x").is_err());
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_needed() {
    let server = Server::start().await;
    let (old, new) = (Signer::new("1"), Signer::new("2"));
    server.discovery().answer("/jwk.json", json!({"keys": [old.jwk]}));
    let decoder = IdTokenDecoder::new(server.native());
    decoder.decode(&old.sign(&claims(&server), Some("1"))).await.unwrap();

    server.answer("/jwk.json", json!({"keys": [new.jwk, old.jwk]}));
    decoder.decode(&new.sign(&claims(&server), Some("2"))).await.unwrap();
    decoder.decode(&old.sign(&claims(&server), None)).await.unwrap();
    assert_eq!(server.requests("/jwk.json").len(), 2);

    let stored = IdTokenDecoder::new(server.native());
    stored
        .store_openid_configuration(decoder.get_openid_configuration().await.unwrap())
        .await;
    stored.store_jwk(decoder.get_jwk().await.unwrap()).await;
    let before = server.count();
    stored.decode(&new.sign(&claims(&server), None)).await.unwrap();
    assert_eq!(server.count(), before);
}
