use std::collections::HashSet;
use std::sync::OnceLock;

use super::der::der_element;
use super::*;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub fn master() -> MasterKey {
    MasterKey::from_bytes(&[7; 32])
}

/// Making RSA keys takes long without optimisation, so all tests share two of each kind.
fn pool() -> &'static [StoredKey] {
    static POOL: OnceLock<Vec<StoredKey>> = OnceLock::new();
    POOL.get_or_init(|| {
        let kinds = [KeyKind::Rsa, KeyKind::Rsa, KeyKind::Ec, KeyKind::Ec];
        (1..)
            .zip(kinds)
            .map(|(id, kind)| {
                let new = NewKey {
                    kind,
                    publish_at: at(0),
                    sign_from: at(0),
                };
                generate(&master(), Uuid::from_u128(id), &new, at(0)).unwrap()
            })
            .collect()
    })
}

pub fn rsa(index: usize, publish_at: i64, sign_from: i64, retire_at: Option<i64>) -> StoredKey {
    timed(&pool()[index], publish_at, sign_from, retire_at)
}

pub fn ec(index: usize, publish_at: i64, sign_from: i64, retire_at: Option<i64>) -> StoredKey {
    timed(&pool()[2 + index], publish_at, sign_from, retire_at)
}

fn timed(key: &StoredKey, publish_at: i64, sign_from: i64, retire_at: Option<i64>) -> StoredKey {
    let retire_at = retire_at.map(at);
    StoredKey {
        publish_at: at(publish_at),
        sign_from: at(sign_from),
        retire_at,
        ..key.clone()
    }
}

pub fn key_set(keys: &[StoredKey]) -> KeySet {
    KeySet::load(&master(), keys).unwrap()
}

/// Each entry as `algorithm/first characters of the public part`.
fn order(keys: &KeySet, now: i64, default: SigningAlgorithm) -> Vec<String> {
    let jwks = keys.jwks(at(now), default);
    let entries = jwks["keys"].as_array().unwrap().iter();
    entries
        .map(|jwk| {
            let public = jwk.get("n").or(jwk.get("x")).unwrap().as_str().unwrap();
            let index = pool().iter().position(|key| key.public_first == public).unwrap();
            format!("{} {index}", jwk["alg"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn an_element_says_how_long_it_is_in_one_of_two_forms() {
    let element = |length: &[u8], content: usize| [&[0x30], length, &vec![7; content]].concat();
    let table: [(&[u8], usize, Option<usize>); 9] = [
        (&[0x00], 2, Some(0)),
        (&[0x7f], 0x7f, Some(0x7f)),
        (&[0x7f], 0x7e, None),
        // The form that ends with a mark is not for keys.
        (&[0x80], 200, None),
        (&[0x81, 0x80], 0x81, Some(0x80)),
        (&[0x82, 0x01, 0x02], 300, Some(0x102)),
        (&[0x82, 0x01, 0x02], 0x101, None),
        (&[0x83, 0x00, 0x00, 0x01], 10, None),
        (&[0x81], 0, None),
    ];
    for (length, content, expected) in table {
        let der = element(length, content);
        let found = der_element(0x30, &der).map(|(content, _)| content.len());
        assert_eq!(found, expected, "{length:x?}");
        assert_eq!(der_element(0x02, &der), None);
    }
}

#[test]
fn a_jws_longer_than_any_of_ours_is_not_even_decoded() {
    let keys = key_set(&[ec(0, 0, 0, None)]);
    let sign = |typ: &str, filler: usize| {
        let claims = serde_json::json!({ "filler": "x".repeat(filler) });
        keys.sign_jws(SigningAlgorithm::Es256, at(1), typ, &claims).unwrap()
    };
    // Base64 grows by one or two characters, so the type in the header makes up the rest.
    let (typ, longest) = (1..6)
        .map(|length| "t".repeat(length))
        .find_map(|typ| {
            let filler = (12_000..12_300).find(|filler| sign(&typ, *filler).len() == JWS_LIMIT)?;
            Some((typ, filler))
        })
        .unwrap();
    assert!(keys.verify_jws(&sign(&typ, longest), &typ).is_ok());
    let longer = keys.verify_jws(&sign(&typ, longest + 2), &typ);
    assert!(matches!(longer, Err(JwsError::Malformed)));
    assert_eq!(JWS_LIMIT, 16_384);
}

#[test]
fn the_key_list_begins_with_what_signs_now() {
    use SigningAlgorithm::*;
    let keys = key_set(&[rsa(0, 0, 0, None), ec(0, 0, 0, None)]);
    assert_eq!(order(&keys, 5, Rs256), ["RS256 0", "RS512 0", "ES256 2"]);
    assert_eq!(order(&keys, 5, Rs512), ["RS512 0", "RS256 0", "ES256 2"]);
    assert_eq!(order(&keys, 5, Es256), ["ES256 2", "RS256 0", "RS512 0"]);
}

#[test]
fn a_rotation_shows_the_next_key_second_and_the_old_one_last() {
    use SigningAlgorithm::*;
    // The store has no order.
    let keys = key_set(&[
        ec(1, 100, 200, None),
        rsa(0, 0, 0, Some(300)),
        ec(0, 0, 0, Some(300)),
        rsa(1, 100, 200, None),
    ]);
    assert_eq!(order(&keys, 99, Rs256), ["RS256 0", "RS512 0", "ES256 2"]);
    let during = ["RS256 0", "RS512 0", "RS256 1", "RS512 1", "ES256 2", "ES256 3"];
    assert_eq!(order(&keys, 100, Rs256), during);
    assert_eq!(order(&keys, 199, Rs256), during);
    let after = ["RS256 1", "RS512 1", "ES256 3", "RS256 0", "RS512 0", "ES256 2"];
    let at_200 = order(&keys, 200, Rs256);
    assert_eq!(at_200[..3], after[..3]);
    assert_eq!(
        at_200.iter().collect::<HashSet<_>>(),
        after.map(String::from).iter().collect()
    );
    assert_eq!(order(&keys, 299, Rs256), at_200);
    assert_eq!(order(&keys, 300, Rs256), ["RS256 1", "RS512 1", "ES256 3"]);
}

#[test]
fn the_first_entry_verifies_what_is_signed_at_that_time() {
    let keys = key_set(&[rsa(0, 0, 0, Some(300)), rsa(1, 100, 200, None)]);
    for now in [0, 99, 100, 199, 200, 299, 300, 1000] {
        for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Rs512] {
            let token = keys.sign_jws(algorithm, at(now), "JWT", &json!({"iat": now})).unwrap();
            let first = &keys.jwks(at(now), algorithm)["keys"][0];
            assert!(verifies(first, &token), "{} at {now}", algorithm.name());
            let header: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap()).unwrap()).unwrap();
            assert_eq!(
                header,
                json!({"typ": "JWT", "alg": algorithm.name(), "kid": first["kid"]})
            );
        }
    }
}

/// Checks a JWS with nothing but its entry in the key list, as a client does.
fn verifies(jwk: &Value, token: &str) -> bool {
    let part = |name: &str| BASE64URL.decode(jwk[name].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL.decode(signature).unwrap();
    let alg = jwk["alg"].as_str().unwrap();
    if alg == "ES256" {
        assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("EC"), &json!("P-256")));
        let point = [vec![4], part("x"), part("y")].concat();
        return UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &signature)
            .is_ok();
    }
    let algorithm = match alg {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        other => panic!("{other}"),
    };
    let components = aws_lc_rs::rsa::PublicKeyComponents {
        n: part("n"),
        e: part("e"),
    };
    components.verify(algorithm, signed.as_bytes(), &signature).is_ok()
}

#[test]
fn each_algorithm_verifies_with_its_entry_and_no_other() {
    let keys = key_set(&[rsa(0, 0, 0, None), ec(0, 0, 0, None)]);
    let jwks = keys.jwks(at(0), SigningAlgorithm::Rs256);
    for algorithm in SigningAlgorithm::ALL {
        let token = keys.sign_jws(algorithm, at(0), "JWT", &json!({"sub": "x"})).unwrap();
        for jwk in jwks["keys"].as_array().unwrap() {
            let same = jwk["alg"] == algorithm.name();
            assert_eq!(verifies(jwk, &token), same, "{} with {}", algorithm.name(), jwk["alg"]);
        }
        assert_eq!(keys.verify_jws(&token, "JWT").unwrap(), br#"{"sub":"x"}"#);
    }
}

#[test]
fn the_key_list_has_no_private_members_and_distinct_ids() {
    let keys = key_set(&[
        rsa(0, 0, 0, Some(300)),
        rsa(1, 100, 200, None),
        ec(0, 0, 0, Some(300)),
        ec(1, 100, 200, None),
    ]);
    let jwks = keys.jwks(at(250), SigningAlgorithm::Rs256);
    let mut kids = HashSet::new();
    for jwk in jwks["keys"].as_array().unwrap() {
        let members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        match jwk["kty"].as_str().unwrap() {
            "RSA" => assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]),
            "EC" => assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]),
            other => panic!("{other}"),
        }
        if jwk["kty"] == "RSA" {
            assert_eq!(
                BASE64URL.decode(jwk["n"].as_str().unwrap()).unwrap().len(),
                256,
                "2048 bits, no leading zero"
            );
            assert_eq!(jwk["e"], "AQAB");
        }
        assert!(kids.insert(jwk["kid"].as_str().unwrap().to_owned()));
    }
    assert_eq!(kids.len(), 6);
}

#[test]
fn the_key_id_is_the_thumbprint_of_the_rfc_and_the_algorithm() {
    // The key of RFC 7638 section 3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let pair = Arc::new(Pair::Ec(
        EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    ));
    let signer = Signer::new(SigningAlgorithm::Rs512, &(n.to_owned(), "AQAB".to_owned()), pair);
    assert_eq!(signer.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs-rs512");
}

#[test]
fn nothing_signs_before_its_time_or_after_its_end() {
    let keys = key_set(&[rsa(0, 0, 10, Some(20))]);
    let signs = |now| keys.signer(SigningAlgorithm::Rs256, at(now)).is_ok();
    assert_eq!([9, 10, 19, 20].map(signs), [false, true, true, false]);
    assert!(matches!(
        keys.signer(SigningAlgorithm::Es256, at(10)),
        Err(SignError::NoKey(SigningAlgorithm::Es256))
    ));
}

#[test]
fn tampered_tokens_are_refused() {
    let keys = key_set(&[rsa(0, 0, 0, None), ec(0, 0, 0, None)]);
    let token = keys
        .sign_jws(SigningAlgorithm::Rs256, at(0), "JWT", &json!({"sub": "a"}))
        .unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let kid = keys.signer(SigningAlgorithm::Rs256, at(0)).unwrap().kid();
    let ec_kid = keys.signer(SigningAlgorithm::Es256, at(0)).unwrap().kid();
    let encode = |value: Value| BASE64URL.encode(value.to_string());
    let with_header = |value: Value| format!("{}.{payload}.{signature}", encode(value));
    let cases = [
        (
            format!("{header}.{}.{signature}", encode(json!({"sub": "b"}))),
            JwsError::BadSignature,
        ),
        (format!("{header}.{payload}."), JwsError::BadSignature),
        (format!("{header}.{payload}"), JwsError::Malformed),
        (format!("{token}."), JwsError::Malformed),
        (format!("{token}=="), JwsError::Malformed),
        (format!("{token}.{signature}"), JwsError::Malformed),
        (String::new(), JwsError::Malformed),
        ("..".to_owned(), JwsError::Malformed),
        (
            with_header(json!({"typ": "JWT", "alg": "none", "kid": kid})),
            JwsError::WrongAlgorithm,
        ),
        (
            with_header(json!({"typ": "JWT", "alg": "HS256", "kid": kid})),
            JwsError::WrongAlgorithm,
        ),
        (
            with_header(json!({"typ": "JWT", "alg": "RS512", "kid": kid})),
            JwsError::WrongAlgorithm,
        ),
        (
            with_header(json!({"typ": "JWT", "alg": "ES256", "kid": ec_kid})),
            JwsError::BadSignature,
        ),
        (
            with_header(json!({"typ": "JWT", "alg": "RS256", "kid": "other"})),
            JwsError::UnknownKey,
        ),
        (with_header(json!({"typ": "JWT", "alg": "RS256"})), JwsError::UnknownKey),
        (with_header(json!({"typ": "JWT", "alg": "none"})), JwsError::UnknownKey),
        (
            with_header(json!({"typ": "logout+jwt", "alg": "RS256", "kid": kid})),
            JwsError::WrongType,
        ),
        (with_header(json!({"alg": "RS256", "kid": kid})), JwsError::WrongType),
        (
            with_header(json!({"typ": "JWT", "alg": "RS256", "kid": kid, "crit": ["exp"]})),
            JwsError::Malformed,
        ),
        (
            with_header(json!({"typ": "JWT", "alg": "RS256", "kid": kid, "b64": false})),
            JwsError::BadSignature,
        ),
        (format!("{}{token}", "A".repeat(JWS_LIMIT)), JwsError::Malformed),
    ];
    for (token, expected) in cases {
        assert_eq!(keys.verify_jws(&token, "JWT").unwrap_err(), expected, "{token}");
    }
    let other = key_set(&[rsa(1, 0, 0, None)]);
    assert_eq!(other.verify_jws(&token, "JWT").unwrap_err(), JwsError::UnknownKey);
}

#[test]
fn a_key_list_is_not_loaded_from_a_changed_store() {
    let load = |key: StoredKey| KeySet::load(&master(), &[key]).map(|_| ()).unwrap_err().to_string();
    let mut moved = rsa(0, 0, 0, None);
    moved.id = Uuid::from_u128(9);
    assert!(load(moved).contains("sealed for another place"));

    let mut republished = rsa(0, 0, 0, None);
    republished.public_first = rsa(1, 0, 0, None).public_first;
    assert!(load(republished).contains("does not belong"));

    let mut relabelled = ec(0, 0, 0, None);
    relabelled.kind = KeyKind::Rsa;
    assert!(load(relabelled).contains("not a valid RSA key"));

    let other = MasterKey::from_bytes(&[8; 32]);
    let error = KeySet::load(&other, &[rsa(0, 0, 0, None)]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("another master key"), "{error}");
}

#[test]
fn der_of_another_shape_is_refused() {
    let good = rsa_public_parts(&[0x30, 0x07, 0x02, 0x02, 0x00, 0x81, 0x02, 0x01, 0x03])
        .map(|(n, e)| (n.to_vec(), e.to_vec()));
    assert_eq!(good, Some((vec![0x81], vec![0x03])));
    for der in [
        &[][..],
        &[0x30],
        &[0x30, 0x00],
        &[0x31, 0x07, 0x02, 0x02, 0x00, 0x81, 0x02, 0x01, 0x03],
        &[0x30, 0x08, 0x02, 0x02, 0x00, 0x81, 0x02, 0x01, 0x03],
        &[0x30, 0x07, 0x02, 0x02, 0x00, 0x81, 0x02, 0x01, 0x03, 0x00],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02],
    ] {
        assert_eq!(rsa_public_parts(der), None, "{der:02x?}");
    }
}

#[test]
fn names_are_read_back() {
    for algorithm in SigningAlgorithm::ALL {
        assert_eq!(SigningAlgorithm::parse(algorithm.name()), Some(algorithm));
    }
    for name in ["none", "HS256", "rs256", "PS256", ""] {
        assert_eq!(SigningAlgorithm::parse(name), None, "{name}");
    }
    for kind in KeyKind::ALL {
        assert_eq!(KeyKind::parse(kind.name()), Some(kind));
    }
}
