//! What the documents of browsers and authenticators may look like; whole ceremonies are
//! in `tests/web/factors.rs`.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn rp() -> RelyingParty {
    RelyingParty::new("https://auth.example.org").unwrap()
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[1; 32])
}

const BROWSER: TokenHash = TokenHash([1; 32]);
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn a_challenge_is_bound_to_purpose_browser_and_time() {
    let alice = IdentityId::from_u128(1);
    let made = challenge(&key(), Purpose::SignIn, &BROWSER, [7; 16], NOW);
    let bytes = decode(&made).unwrap();
    let check = |purpose, browser: &TokenHash, at| check_challenge(&key(), purpose, browser, &bytes, at);
    assert!(check(Purpose::SignIn, &BROWSER, NOW).is_ok());
    assert!(check(Purpose::SignIn, &BROWSER, NOW + Duration::from_secs(599)).is_ok());
    let refused = [
        check(Purpose::SignIn, &BROWSER, NOW + CHALLENGE_LIFETIME),
        check(Purpose::SignIn, &BROWSER, NOW - Duration::from_secs(1)),
        check(Purpose::SignIn, &TokenHash([2; 32]), NOW),
        check(Purpose::SecondFactor(alice), &BROWSER, NOW),
        check(Purpose::Register(alice), &BROWSER, NOW),
    ];
    assert!(refused.iter().all(|refused| *refused == Err(Refusal::Challenge)));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let checked = check_challenge(&key(), Purpose::SignIn, &BROWSER, &changed, NOW);
        assert_eq!(checked, Err(Refusal::Challenge), "byte {at}");
    }
    for length in 0..bytes.len() {
        let checked = check_challenge(&key(), Purpose::SignIn, &BROWSER, &bytes[..length], NOW);
        assert_eq!(checked, Err(Refusal::Challenge), "{length} bytes");
    }
    let other_key = hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]);
    assert!(check_challenge(&other_key, Purpose::SignIn, &BROWSER, &bytes, NOW).is_err());
}

#[test]
fn client_data_is_read_as_browsers_write_it() {
    let check = |json: &str| check_client_data(&rp(), Ceremony::Get, json.as_bytes());
    let data = |more: &str| {
        format!(r#"{{"type":"webauthn.get","challenge":"AAEC","origin":"https://auth.example.org"{more}}}"#)
    };
    for more in [
        "",
        r#","crossOrigin":false"#,
        r#","crossOrigin":null"#,
        r#","tokenBinding":{"status":"supported"}"#,
    ] {
        assert_eq!(check(&data(more)), Ok(vec![0, 1, 2]), "{more}");
    }
    assert_eq!(check(&data(r#","crossOrigin":true"#)), Err(Refusal::CrossOrigin));
    assert_eq!(
        check(&data(r#","topOrigin":"https://auth.example.org""#)),
        Err(Refusal::CrossOrigin)
    );
    for broken in [
        "",
        "{}",
        "[]",
        "{\"type\":1}",
        &data(r#","origin":"https://evil.example""#),
    ] {
        assert!(matches!(check(broken), Err(Refusal::Malformed(_))), "{broken}");
    }
    assert_eq!(check(&data("").replace("AAEC", "A=")), Err(Refusal::Challenge));
    let create = check_client_data(&rp(), Ceremony::Create, data("").as_bytes());
    assert_eq!(create, Err(Refusal::Type));
}

#[test]
fn only_keys_of_the_offered_kinds_are_read() {
    let ec = |algorithm: u8, curve: u8, x: &[u8]| {
        let mut cose = vec![
            0xa5,
            1,
            2,
            3,
            algorithm,
            0x20,
            curve,
            0x21,
            0x58,
            u8::try_from(x.len()).unwrap(),
        ];
        cose.extend_from_slice(x);
        cose.extend_from_slice(&[0x22, 0x58, 32]);
        cose.extend_from_slice(&[3; 32]);
        cose
    };
    let refusal = |cose: &[u8]| Key::read(cose).err();
    assert_eq!(refusal(&ec(0x26, 1, &[2; 32])), Some(Refusal::Key), "not on the curve");
    assert_eq!(refusal(&ec(0x26, 2, &[2; 32])), Some(Refusal::Key), "another curve");
    assert_eq!(
        refusal(&ec(0x26, 1, &[2; 31])),
        Some(Refusal::Key),
        "a short coordinate"
    );
    assert_eq!(
        refusal(&ec(0x27, 1, &[2; 32])),
        Some(Refusal::Key),
        "an algorithm of another kind"
    );
    assert_eq!(refusal(&ec(0x38, 1, &[2; 32])), Some(Refusal::Malformed("CBOR")));
    assert_eq!(refusal(&[0xa1, 1, 2]), Some(Refusal::Algorithm));
    assert_eq!(refusal(&[0x80]), Some(Refusal::Key));
    let rsa = |bits: usize| {
        let mut cose = vec![0xa4, 1, 3, 3, 0x39, 1, 0, 0x20];
        match u8::try_from(bits / 8) {
            Ok(short) => cose.extend_from_slice(&[0x58, short]),
            Err(_) => cose.extend_from_slice(&[0x59, u8::try_from(bits / 8 / 256).unwrap(), 0]),
        }
        cose.extend(std::iter::repeat_n(0xff, bits / 8));
        cose.extend_from_slice(&[0x21, 0x43, 1, 0, 1]);
        cose
    };
    assert_eq!(refusal(&rsa(1024)), Some(Refusal::Key), "too short");
    assert_eq!(refusal(&rsa(2048)), None);
}

#[test]
fn cut_off_documents_are_refused() {
    let mut data = sha256(b"auth.example.org").to_vec();
    data.push(UP | UV);
    data.extend_from_slice(&[0, 0, 0, 1]);
    assert!(AuthenticatorData::read(&data).is_ok());
    for length in 0..data.len() {
        assert!(AuthenticatorData::read(&data[..length]).is_err(), "{length}");
    }
    for flags in [AT, ED] {
        let mut promised = data.clone();
        promised[32] |= flags;
        assert!(AuthenticatorData::read(&promised).is_err(), "something was announced");
    }
    let mut longer = data.clone();
    longer.push(0);
    assert!(AuthenticatorData::read(&longer).is_err());
}

#[test]
fn long_documents_are_refused_before_they_are_read() {
    let refusal = |length: usize| {
        let padded = format!("{{{}", " ".repeat(length - 1));
        parse::<Assertion>(&padded).err()
    };
    assert_eq!(refusal(65_536), Some(Refusal::Malformed("credential")));
    assert_eq!(refusal(65_537), Some(Refusal::Malformed("too long")));
    assert_eq!(decode(&"A".repeat(32_768)).map(|bytes| bytes.len()), Ok(24_576));
    assert_eq!(decode(&"A".repeat(32_770)), Err(Refusal::Malformed("too long")));
    assert_eq!(decode(&"A".repeat(32_769)), Err(Refusal::Malformed("too long")));
}
