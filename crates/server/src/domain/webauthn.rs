//! Passkeys and security keys: what a relying party has to check (WebAuthn Level 3,
//! sections 7.1 and 7.2; standards.md AB1 to AB3). Pure functions over bytes.
//!
//! We ask for no attestation and believe none, so what is left is small: two documents of
//! a fixed form, a key in one of three kinds, a signature. It stands on the one provider
//! of cryptography that everything else here uses.
//!
//! Challenges are not kept: 16 random bytes and the time, authenticated for the purpose
//! and the browser that got them. Once a challenge comes back, it is marked as used.

mod cbor;

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_types::{IdentityId, Timestamp, TokenHash};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use url::Url;

use self::cbor::{Reader, Value};

/// How long a challenge may be answered.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(600);

/// ES256, EdDSA, RS256, in the order in which we like them (AB3).
pub const ALGORITHMS: [i64; 3] = [-7, -8, -257];

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// The longest id that the standard allows.
const MAX_CREDENTIAL_ID: usize = 1023;
/// More than any genuine document has.
const MAX_DOCUMENT: usize = 16 * 1024;

/// Why an answer of an authenticator is refused; for the log and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the answer of the authenticator cannot be read: {0}")]
    Malformed(&'static str),
    #[error("the answer is for another kind of ceremony")]
    Type,
    #[error("the challenge is unknown, was used before, has expired, or is another browser's")]
    Challenge,
    #[error("the answer was made for another origin: {0}")]
    Origin(String),
    #[error("the answer was made in a page inside of a foreign one")]
    CrossOrigin,
    #[error("the answer is for another relying party")]
    RelyingParty,
    #[error("nobody touched the authenticator")]
    UserPresence,
    #[error("the authenticator did not check who is using it")]
    UserVerification,
    #[error("the flags about backups contradict each other or what was said before")]
    Backup,
    #[error("the key is of a kind that was not offered")]
    Algorithm,
    #[error("the key is not a valid one")]
    Key,
    #[error("the credential is registered already")]
    Duplicate,
    #[error("the credential is unknown or of another account")]
    Unknown,
    #[error("the signature is wrong")]
    Signature,
}

/// Who we are to browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host of the public address.
    pub id: String,
    /// The one origin that is accepted, as browsers write it.
    pub origin: String,
}

impl RelyingParty {
    /// None under a bare network address: browsers know no passkeys there.
    pub fn new(public_url: &str) -> Option<Self> {
        let url = Url::parse(public_url).ok()?;
        Some(Self {
            id: url.domain()?.to_owned(),
            origin: url.origin().ascii_serialization(),
        })
    }
}

/// What a challenge is good for. One for a registration cannot sign anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    SecondFactor(IdentityId),
    Register(IdentityId),
}

impl Purpose {
    fn label(self) -> String {
        match self {
            Purpose::SignIn => "sign-in".into(),
            Purpose::SecondFactor(id) => format!("second-factor:{id}"),
            Purpose::Register(id) => format!("register:{id}"),
        }
    }
}

const NONCE: usize = 16;
const ISSUED: usize = 8;
const MAC: usize = 32;

fn challenge_mac(key: &hmac::Key, purpose: Purpose, browser: &TokenHash, head: &[u8]) -> Vec<u8> {
    let mut text = format!("webauthn challenge:{}:", purpose.label()).into_bytes();
    text.extend_from_slice(&browser.0);
    text.extend_from_slice(head);
    hmac::sign(key, &text).as_ref().to_vec()
}

/// A challenge for this browser, in base64url.
pub fn challenge(key: &hmac::Key, purpose: Purpose, browser: &TokenHash, nonce: [u8; NONCE], now: Timestamp) -> String {
    let mut bytes = nonce.to_vec();
    bytes.extend_from_slice(&now.micros().to_be_bytes());
    let mac = challenge_mac(key, purpose, browser, &bytes);
    bytes.extend_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A challenge of ours that came back in time. Whoever accepts it marks it as used.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    pub hash: TokenHash,
    pub expires_at: Timestamp,
}

pub fn check_challenge(
    key: &hmac::Key,
    purpose: Purpose,
    browser: &TokenHash,
    challenge: &[u8],
    now: Timestamp,
) -> Result<Answered, Refusal> {
    if challenge.len() != NONCE + ISSUED + MAC {
        return Err(Refusal::Challenge);
    }
    let (head, mac) = challenge.split_at(NONCE + ISSUED);
    let expected = challenge_mac(key, purpose, browser, head);
    if !bool::from(expected.ct_eq(mac)) {
        return Err(Refusal::Challenge);
    }
    let issued: [u8; ISSUED] = head[NONCE..].try_into().map_err(|_| Refusal::Challenge)?;
    let issued = Timestamp::from_micros(i64::from_be_bytes(issued));
    let expires_at = issued + CHALLENGE_LIFETIME;
    if issued > now || expires_at <= now {
        return Err(Refusal::Challenge);
    }
    Ok(Answered {
        hash: TokenHash(sha256(challenge)),
        expires_at,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    Create,
    Get,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin")]
    cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Checks what the browser says about the ceremony and returns the challenge in it. The
/// origin is compared as a whole: neither port nor subdomain nor suffix (threats.md 22).
pub fn check_client_data(rp: &RelyingParty, ceremony: Ceremony, json: &[u8]) -> Result<Vec<u8>, Refusal> {
    let data: ClientData = serde_json::from_slice(json).map_err(|_| Refusal::Malformed("client data"))?;
    let expected = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    if data.ceremony != expected {
        return Err(Refusal::Type);
    }
    if data.origin != rp.origin {
        return Err(Refusal::Origin(data.origin.chars().take(200).collect()));
    }
    if data.cross_origin == Some(true) || data.top_origin.is_some() {
        return Err(Refusal::CrossOrigin);
    }
    decode(&data.challenge).map_err(|_| Refusal::Challenge)
}

/// The credential as our script sends it: the fields of the standard's JSON form.
#[derive(Clone, Debug, Deserialize)]
pub struct Credential<R> {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub response: R,
    #[serde(rename = "clientExtensionResults", default)]
    pub extensions: Extensions,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Extensions {
    #[serde(rename = "credProps", default)]
    pub properties: Properties,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Properties {
    pub rk: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Attestation {
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    #[serde(rename = "attestationObject")]
    pub object: String,
    #[serde(default)]
    pub transports: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Assertion {
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    #[serde(rename = "authenticatorData")]
    pub authenticator_data: String,
    pub signature: String,
    #[serde(rename = "userHandle", default)]
    pub user_handle: Option<String>,
}

/// Reads what the script sent.
pub fn parse<R: for<'de> Deserialize<'de>>(json: &str) -> Result<Credential<R>, Refusal> {
    if json.len() > 4 * MAX_DOCUMENT {
        return Err(Refusal::Malformed("too long"));
    }
    let credential: Credential<R> = serde_json::from_str(json).map_err(|_| Refusal::Malformed("credential"))?;
    if credential.kind != "public-key" {
        return Err(Refusal::Malformed("another kind of credential"));
    }
    Ok(credential)
}

/// Base64url without padding, as browsers write it.
pub fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    if text.len() > 2 * MAX_DOCUMENT {
        return Err(Refusal::Malformed("too long"));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Refusal::Malformed("base64url"))
}

pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a new credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub credential_id: Vec<u8>,
    /// The COSE key as it came.
    pub public_key: Vec<u8>,
    pub sign_count: u32,
    pub user_verified: bool,
    pub backup_eligible: bool,
    pub backed_up: bool,
}

/// Checks the answer to a registration (section 7.1), but for client data and challenge.
pub fn check_attestation(rp: &RelyingParty, credential_id: &[u8], object: &[u8]) -> Result<Registered, Refusal> {
    let mut reader = Reader::new(object);
    let Value::Map(fields) = reader.value()? else {
        return Err(Refusal::Malformed("attestation object"));
    };
    reader.end()?;
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| *key == Value::Text(name.to_owned()));
        found.map(|(_, value)| value)
    };
    let (Some(Value::Text(_)), Some(Value::Map(_)), Some(Value::Bytes(data))) =
        (field("fmt"), field("attStmt"), field("authData"))
    else {
        return Err(Refusal::Malformed("attestation object"));
    };
    let data = AuthenticatorData::read(data)?;
    data.check(rp)?;
    let (id, public_key) = data.attested.clone().ok_or(Refusal::Malformed("no credential"))?;
    if id.is_empty() || id.len() > MAX_CREDENTIAL_ID || id != credential_id {
        return Err(Refusal::Malformed("credential id"));
    }
    Key::read(&public_key)?;
    Ok(Registered {
        credential_id: id,
        public_key,
        sign_count: data.sign_count,
        user_verified: data.user_verified(),
        backup_eligible: data.backup_eligible(),
        backed_up: data.backed_up(),
    })
}

/// What an authenticator said when it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asserted {
    pub sign_count: u32,
    pub user_verified: bool,
    pub backed_up: bool,
}

/// Checks an assertion (section 7.2), but for client data and challenge.
pub fn check_assertion(
    rp: &RelyingParty,
    public_key: &[u8],
    backup_eligible: bool,
    client_data: &[u8],
    authenticator_data: &[u8],
    signature: &[u8],
) -> Result<Asserted, Refusal> {
    let data = AuthenticatorData::read(authenticator_data)?;
    data.check(rp)?;
    if data.attested.is_some() {
        return Err(Refusal::Malformed("a new credential in an assertion"));
    }
    // Whether a credential may leave its device is settled when it is made.
    if data.backup_eligible() != backup_eligible {
        return Err(Refusal::Backup);
    }
    let mut message = authenticator_data.to_vec();
    message.extend_from_slice(&sha256(client_data));
    Key::read(public_key)?.verify(&message, signature)?;
    Ok(Asserted {
        sign_count: data.sign_count,
        user_verified: data.user_verified(),
        backed_up: data.backed_up(),
    })
}

/// Section 6.1.
struct AuthenticatorData {
    rp_id_hash: [u8; 32],
    flags: u8,
    sign_count: u32,
    /// Id and COSE key of a new credential.
    attested: Option<(Vec<u8>, Vec<u8>)>,
}

const UP: u8 = 1;
const UV: u8 = 1 << 2;
const BE: u8 = 1 << 3;
const BS: u8 = 1 << 4;
const AT: u8 = 1 << 6;
const ED: u8 = 1 << 7;

impl AuthenticatorData {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        const SHORT: Refusal = Refusal::Malformed("authenticator data");
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(SHORT)?;
        let (&flags, rest) = rest.split_first().ok_or(SHORT)?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let mut attested = None;
        if flags & AT != 0 {
            let (_aaguid, after) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let (length, after) = after.split_first_chunk::<2>().ok_or(SHORT)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (id, after) = after.split_at_checked(length).ok_or(SHORT)?;
            let mut reader = Reader::new(after);
            reader.value()?;
            let (key, after) = after.split_at(reader.position());
            attested = Some((id.to_vec(), key.to_vec()));
            rest = after;
        }
        if flags & ED != 0 {
            // Unknown extensions are ignored, but they must be what they claim to be.
            let mut reader = Reader::new(rest);
            let Value::Map(_) = reader.value()? else {
                return Err(SHORT);
            };
            rest = &rest[reader.position()..];
        }
        if !rest.is_empty() {
            return Err(SHORT);
        }
        Ok(Self {
            rp_id_hash: *rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(*sign_count),
            attested,
        })
    }

    fn check(&self, rp: &RelyingParty) -> Result<(), Refusal> {
        if self.rp_id_hash != sha256(rp.id.as_bytes()) {
            return Err(Refusal::RelyingParty);
        }
        if self.flags & UP == 0 {
            return Err(Refusal::UserPresence);
        }
        if self.backed_up() && !self.backup_eligible() {
            return Err(Refusal::Backup);
        }
        Ok(())
    }

    fn user_verified(&self) -> bool {
        self.flags & UV != 0
    }

    fn backup_eligible(&self) -> bool {
        self.flags & BE != 0
    }

    fn backed_up(&self) -> bool {
        self.flags & BS != 0
    }
}

/// A public key of one of the kinds that we offer (RFC 9052, RFC 9053, RFC 8230).
enum Key {
    /// An uncompressed point.
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl Key {
    fn read(cose: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(cose);
        let Value::Map(fields) = reader.value()? else {
            return Err(Refusal::Key);
        };
        reader.end()?;
        let field = |label: i64| {
            let found = fields.iter().find(|(key, _)| *key == Value::Int(label));
            found.map(|(_, value)| value)
        };
        let int = |label| match field(label) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        };
        let bytes = |label| match field(label) {
            Some(Value::Bytes(value)) => Ok(value.clone()),
            _ => Err(Refusal::Key),
        };
        let coordinate = |label| {
            bytes(label).and_then(|value| {
                if value.len() == 32 {
                    Ok(value)
                } else {
                    Err(Refusal::Key)
                }
            })
        };
        let algorithm = int(3).ok_or(Refusal::Algorithm)?;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(Refusal::Algorithm);
        }
        let key = match (algorithm, int(1), int(-1)) {
            (ES256, Some(2), Some(1)) => {
                let mut point = vec![4];
                point.extend_from_slice(&coordinate(-2)?);
                point.extend_from_slice(&coordinate(-3)?);
                Key::Es256(point)
            }
            (EDDSA, Some(1), Some(6)) => Key::EdDsa(coordinate(-2)?),
            (RS256, Some(3), _) => {
                let (n, e) = (bytes(-1)?, bytes(-2)?);
                if !(256..=1024).contains(&n.len()) || n[0] == 0 || e.is_empty() || e.len() > 8 {
                    return Err(Refusal::Key);
                }
                Key::Rs256 { n, e }
            }
            _ => return Err(Refusal::Key),
        };
        key.check()?;
        Ok(key)
    }

    /// Whether the library takes it: a point off the curve should fail when it is
    /// registered, not at the first sign-in.
    fn check(&self) -> Result<(), Refusal> {
        let parsed = match self {
            Key::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).parse().is_ok(),
            Key::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).parse().is_ok(),
            Key::Rs256 { .. } => true,
        };
        if parsed { Ok(()) } else { Err(Refusal::Key) }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let verified = match self {
            Key::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature),
            Key::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Key::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| Refusal::Signature)
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
#[path = "webauthn/tests.rs"]
mod tests;
