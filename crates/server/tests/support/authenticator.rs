//! An authenticator in software: makes credentials and signs, truthfully or with one lie.
//! It writes its documents by itself, so that nothing of what is tested checks itself.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::browser::{forms, unescape};
use super::{Browser, Form, TestServer};

pub enum Key {
    /// In PKCS #8, so that it can be copied.
    Es256(Vec<u8>),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl Key {
    pub fn es256() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        Key::Es256(document.expect("a key can be made").as_ref().to_vec())
    }
}

fn es256(pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).expect("a key")
}

/// One credential in its authenticator. Each field can be made to lie.
pub struct Authenticator {
    pub key: Key,
    pub credential_id: Vec<u8>,
    pub user_handle: Option<Vec<u8>>,
    pub origin: String,
    pub cross_origin: Option<bool>,
    pub top_origin: Option<String>,
    pub rp_id: Option<String>,
    pub create_type: &'static str,
    pub get_type: &'static str,
    /// Instead of the one that was asked for.
    pub challenge: Option<String>,
    pub user_present: bool,
    pub user_verified: bool,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub sign_count: u32,
    /// What the COSE key says, if not the truth.
    pub algorithm: Option<i64>,
    pub damage_signature: bool,
    /// Bytes after the authenticator data.
    pub trailing: Vec<u8>,
    pub extensions: bool,
    pub discoverable: bool,
}

impl Authenticator {
    /// ES256, verifies its user, lives on several devices.
    pub fn new(server: &TestServer) -> Self {
        Self::with_key(server, Key::es256())
    }

    pub fn with_key(server: &TestServer, key: Key) -> Self {
        Self {
            key,
            credential_id: portolan_server::app::random_bytes::<16>().to_vec(),
            user_handle: None,
            origin: server.config().public_url(),
            cross_origin: Some(false),
            top_origin: None,
            rp_id: None,
            create_type: "webauthn.create",
            get_type: "webauthn.get",
            challenge: None,
            user_present: true,
            user_verified: true,
            backup_eligible: true,
            backed_up: true,
            sign_count: 0,
            algorithm: None,
            damage_signature: false,
            trailing: Vec::new(),
            extensions: false,
            discoverable: true,
        }
    }

    fn client_data(&self, ceremony: &str, options: &Value) -> Vec<u8> {
        let challenge = match &self.challenge {
            Some(challenge) => challenge.clone(),
            None => options["challenge"].as_str().expect("a challenge").to_owned(),
        };
        let mut data = json!({ "type": ceremony, "challenge": challenge, "origin": self.origin });
        if let Some(cross_origin) = self.cross_origin {
            data["crossOrigin"] = json!(cross_origin);
        }
        if let Some(top_origin) = &self.top_origin {
            data["topOrigin"] = json!(top_origin);
        }
        data["new_fields_may_come"] = json!("and are ignored");
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, rp_id: &str, attested: Option<Vec<u8>>) -> Vec<u8> {
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        let flags = [
            (self.user_present, 0),
            (self.user_verified, 2),
            (self.backup_eligible, 3),
            (self.backed_up, 4),
            (attested.is_some(), 6),
            (self.extensions, 7),
        ];
        data.push(
            flags
                .iter()
                .filter(|(set, _)| *set)
                .fold(0, |byte, (_, bit)| byte | 1 << bit),
        );
        data.extend_from_slice(&self.sign_count.to_be_bytes());
        data.extend(attested.unwrap_or_default());
        if self.extensions {
            // {"credProtect": 2, "unknown": h'00'}
            data.extend_from_slice(&[0xa2]);
            data.extend(text("credProtect"));
            data.push(2);
            data.extend(text("unknown"));
            data.extend_from_slice(&[0x41, 0]);
        }
        data.extend_from_slice(&self.trailing);
        data
    }

    /// The COSE key.
    pub fn public_key(&self) -> Vec<u8> {
        let algorithm = |truth: i64| int(self.algorithm.unwrap_or(truth));
        let mut cose = Vec::new();
        match &self.key {
            Key::Es256(key) => {
                let key = es256(key);
                let point = key.public_key().as_ref();
                cose.extend([0xa5, 0x01, 0x02, 0x03]);
                cose.extend(algorithm(-7));
                cose.extend([0x20, 0x01, 0x21]);
                cose.extend(bytes(&point[1..33]));
                cose.push(0x22);
                cose.extend(bytes(&point[33..]));
            }
            Key::EdDsa(key) => {
                cose.extend([0xa4, 0x01, 0x01, 0x03]);
                cose.extend(algorithm(-8));
                cose.extend([0x20, 0x06, 0x21]);
                cose.extend(bytes(key.public_key().as_ref()));
            }
            Key::Rs256(key) => {
                // SEQUENCE { INTEGER modulus, INTEGER exponent } of a key of 2048 bits.
                let der = key.public_key().as_ref();
                let (modulus, exponent) = (&der[9..265], &der[267..]);
                assert_eq!(exponent, [1, 0, 1]);
                cose.extend([0xa4, 0x01, 0x03, 0x03]);
                cose.extend(algorithm(-257));
                cose.push(0x20);
                cose.extend(bytes(modulus));
                cose.push(0x21);
                cose.extend(bytes(exponent));
            }
        }
        cose
    }

    /// Makes a credential as the page asks, and remembers whose it is.
    pub fn create(&mut self, options: &Value) -> Value {
        let handle = options["user"]["id"].as_str().expect("a user handle");
        self.user_handle = Some(URL_SAFE_NO_PAD.decode(handle).expect("base64url"));
        let mut attested = vec![0; 16];
        attested.extend_from_slice(&u16::try_from(self.credential_id.len()).expect("short").to_be_bytes());
        attested.extend_from_slice(&self.credential_id);
        attested.extend(self.public_key());
        let data = self.authenticator_data(options["rp"]["id"].as_str().expect("an rp"), Some(attested));
        let mut object = vec![0xa3];
        object.extend(text("fmt"));
        object.extend(text("none"));
        object.extend(text("attStmt"));
        object.push(0xa0);
        object.extend(text("authData"));
        object.extend(bytes(&data));
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data(self.create_type, options)),
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "transports": ["internal", "smart-card", "<b>"],
            },
            "clientExtensionResults": { "credProps": { "rk": self.discoverable } },
        })
    }

    pub fn get(&self, options: &Value) -> Value {
        let client_data = self.client_data(self.get_type, options);
        let data = self.authenticator_data(options["rpId"].as_str().expect("an rp"), None);
        let mut message = data.clone();
        message.extend_from_slice(digest(&SHA256, &client_data).as_ref());
        let mut signature = self.sign(&message);
        if self.damage_signature {
            *signature.last_mut().expect("a signature") ^= 1;
        }
        let mut response = json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
        });
        if let Some(handle) = &self.user_handle {
            response["userHandle"] = json!(URL_SAFE_NO_PAD.encode(handle));
        }
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.credential_id),
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Es256(key) => es256(key)
                .sign(&SystemRandom::new(), message)
                .expect("it signs")
                .as_ref()
                .to_vec(),
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("it signs");
                signature
            }
        }
    }
}

fn head(major: u8, length: usize) -> Vec<u8> {
    match length {
        0..24 => vec![major << 5 | length as u8],
        24..256 => vec![major << 5 | 24, length as u8],
        _ => vec![major << 5 | 25, (length >> 8) as u8, length as u8],
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}

fn int(number: i64) -> Vec<u8> {
    if number < 0 {
        head(1, usize::try_from(-1 - number).expect("small"))
    } else {
        head(0, usize::try_from(number).expect("small"))
    }
}

/// The options that the script of a page would read, from the form with this action.
#[track_caller]
pub fn passkey_options(page: &str, action: &str) -> Value {
    let form = page
        .split("<form ")
        .skip(1)
        .find(|form| form.contains(&format!("action=\"{action}\"")) && form.contains(" data-options=\""))
        .unwrap_or_else(|| panic!("no form for passkeys at {action}: {page}"));
    let (_, rest) = form.split_once(" data-options=\"").expect("options");
    let (options, _) = rest.split_once('"').expect("a quoted attribute");
    serde_json::from_str(&unescape(options)).expect("options are JSON")
}

impl Browser {
    /// The form of the page with this action and this field.
    #[track_caller]
    pub fn form_with(&self, action: &str, field: &str) -> Form {
        let text = self.text();
        forms(&text)
            .into_iter()
            .find(|form| form.action == action && form.get(field).is_some())
            .unwrap_or_else(|| panic!("no form {action} with {field}: {text}"))
    }

    /// The options for passkeys on the page it shows.
    #[track_caller]
    pub fn passkey_options(&self, action: &str) -> Value {
        passkey_options(&self.text(), action)
    }
}

/// The code that an app shows, by RFC 6238; written here once more.
pub fn otp(secret: &str, at_seconds: i64) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bits = 0_u64;
    let mut count = 0;
    let mut seed = Vec::new();
    for letter in secret.bytes().filter(u8::is_ascii_alphanumeric) {
        let value = letters.iter().position(|known| *known == letter).expect("base32");
        bits = bits << 5 | value as u64;
        count += 5;
        if count >= 8 {
            count -= 8;
            seed.push((bits >> count) as u8);
        }
    }
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &seed);
    let mac = aws_lc_rs::hmac::sign(&key, &(at_seconds / 30).to_be_bytes());
    let mac = mac.as_ref();
    let offset = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[offset..offset + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
