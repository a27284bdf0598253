//! The keys that sign ID tokens: how they rest, which one signs, what `/jwk.json` shows.
//!
//! Keys are parsed once and kept (parsing costs more than signing), private parts rest
//! sealed with the master key. One RSA key serves RS256 and RS512 under two key ids, so
//! that a client finds an entry whose `alg` is the one in the header.
//!
//! The order of the key list matters: the Python SDK takes `keys[0]` whatever the
//! header says (wire.md 2.4.3), so the first entry is the one that signs now.

pub mod rotation;

use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use portolan_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use self::rotation::NewKey;
use super::sealing::{MasterKey, OpenError};
use crate::error::Error;

/// Longer than any JWS we make; what is longer is refused before it is decoded.
const JWS_LIMIT: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    Rs256,
    Rs512,
    Es256,
}

impl SigningAlgorithm {
    pub const ALL: [SigningAlgorithm; 3] = [Self::Rs256, Self::Rs512, Self::Es256];

    /// The `alg` of JOSE (RFC 7518 section 3.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub const fn kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::Ec,
        }
    }

    /// The hash of the signature, which is also the one of `at_hash`.
    pub fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Es256 => &digest::SHA256,
            Self::Rs512 => &digest::SHA512,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        }
    }
}

/// RSA with 2048 bits, or the curve P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    Rsa,
    Ec,
}

impl KeyKind {
    pub const ALL: [KeyKind; 2] = [KeyKind::Rsa, KeyKind::Ec];

    /// The `kty` of JOSE, also the word in the store.
    pub const fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa => "RSA",
            KeyKind::Ec => "EC",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A key as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub id: Uuid,
    pub kind: KeyKind,
    /// `n` or `x`, base64url.
    pub public_first: String,
    /// `e` or `y`, base64url.
    pub public_second: String,
    /// PKCS#8, sealed for `place(id)`.
    pub sealed_private: Vec<u8>,
    /// From here on the key is in the key list.
    pub publish_at: Timestamp,
    /// From here on it signs, until a newer one does.
    pub sign_from: Timestamp,
    /// From here on no valid signature of it is left, and it is out of the key list.
    pub retire_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Why the keys in the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("signing key {id}: {reason}")]
    Sealed { id: Uuid, reason: OpenError },
    #[error("signing key {id} is not a valid {} key", kind.name())]
    Invalid { id: Uuid, kind: KeyKind },
    /// Somebody changed the public part in the store.
    #[error("signing key {0}: the public part does not belong to the private one")]
    PublicPartDiffers(Uuid),
}

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("no {} key signs at this time; run: portolan keys rotate", .0.name())]
    NoKey(SigningAlgorithm),
    #[error("the claims cannot be written: {0}")]
    Claims(#[from] serde_json::Error),
    #[error("signing failed")]
    Signature,
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        Error::internal(error)
    }
}

/// Why a JWS is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("not a signed token")]
    Malformed,
    #[error("signed with an unknown key")]
    UnknownKey,
    #[error("the algorithm is not the one of the key")]
    WrongAlgorithm,
    #[error("a token of another type")]
    WrongType,
    #[error("the signature is not valid")]
    BadSignature,
}

/// Where the private part of a key is sealed for.
pub fn place(id: Uuid) -> String {
    format!("signing_keys/sealed_private/{id}")
}

/// Makes a key. An RSA key takes a fraction of a second: not inside a transaction, and
/// not on a thread that serves requests.
pub fn generate(master: &MasterKey, id: Uuid, new: &NewKey, now: Timestamp) -> Result<StoredKey, Error> {
    let pair = match new.kind {
        KeyKind::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
        KeyKind::Ec => EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ec),
    };
    let pair = pair.map_err(|_| Error::internal("a signing key could not be generated"))?;
    let (public_first, public_second) = pair.public_parts().expect("a generated key has the usual public parts");
    Ok(StoredKey {
        id,
        kind: new.kind,
        public_first,
        public_second,
        sealed_private: pair.seal(master, id)?,
        publish_at: new.publish_at,
        sign_from: new.sign_from,
        retire_at: None,
        created_at: now,
    })
}

/// All keys of the store, ready to sign.
pub struct KeySet {
    /// The one that signs first comes first.
    keys: Vec<Key>,
}

struct Key {
    kind: KeyKind,
    publish_at: Timestamp,
    sign_from: Timestamp,
    retire_at: Option<Timestamp>,
    /// One for each algorithm of the kind.
    signers: Vec<Signer>,
}

/// One key with one algorithm.
pub struct Signer {
    algorithm: SigningAlgorithm,
    kid: String,
    jwk: Value,
    pair: Arc<Pair>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Next,
    Signing,
    Retiring,
}

impl KeySet {
    pub fn load(master: &MasterKey, stored: &[StoredKey]) -> Result<Self, LoadError> {
        let mut stored: Vec<&StoredKey> = stored.iter().collect();
        stored.sort_by_key(|key| std::cmp::Reverse((key.sign_from, key.created_at, key.id)));
        let keys = stored
            .into_iter()
            .map(|key| Key::load(master, key))
            .collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// The document of `/jwk.json`. First what signs now with the server's default
    /// algorithm, last what only verifies.
    pub fn jwks(&self, now: Timestamp, default: SigningAlgorithm) -> Value {
        let mut entries = Vec::new();
        for key in self.keys.iter().filter(|key| key.is_published(now)) {
            let state = self.state(key, now);
            for signer in &key.signers {
                let rank = match (state, key.kind) {
                    (State::Signing, _) if signer.algorithm == default => 0,
                    (State::Signing, KeyKind::Rsa) => 1,
                    (State::Next, KeyKind::Rsa) => 2,
                    (State::Signing, KeyKind::Ec) => 3,
                    (State::Next, KeyKind::Ec) => 4,
                    (State::Retiring, _) => 5,
                };
                entries.push((rank, signer));
            }
        }
        entries.sort_by_key(|(rank, _)| *rank);
        json!({ "keys": entries.into_iter().map(|(_, signer)| &signer.jwk).collect::<Vec<_>>() })
    }

    /// The newest key of the algorithm whose time has come.
    pub fn signer(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Result<&Signer, SignError> {
        self.signing(algorithm.kind(), now)
            .and_then(|key| key.signers.iter().find(|signer| signer.algorithm == algorithm))
            .ok_or(SignError::NoKey(algorithm))
    }

    /// A compact JWS (RFC 7515) with this `typ`. Measured: 0.27 ms of CPU with RSA, 8 µs
    /// with ES256; so sign what is answered, not what may be answered.
    pub fn sign_jws(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, SignError> {
        self.signer(algorithm, now)?.sign(typ, claims)
    }

    /// The payload of a JWS that one of our keys signed, whether that key is still
    /// published or not. The type keeps one kind of token from passing for another.
    pub fn verify_jws(&self, token: &str, typ: &str) -> Result<Vec<u8>, JwsError> {
        if token.len() > JWS_LIMIT {
            return Err(JwsError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        if payload.contains('.') {
            return Err(JwsError::Malformed);
        }
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwsError::Malformed)?;
        if header.crit.is_some() {
            // RFC 7515 section 4.1.11: extensions that are not understood; we make none.
            return Err(JwsError::Malformed);
        }
        let kid = header.kid.ok_or(JwsError::UnknownKey)?;
        let signer = self
            .signers()
            .find(|signer| signer.kid == kid)
            .ok_or(JwsError::UnknownKey)?;
        // The key decides the algorithm, not the token.
        if header.alg != signer.algorithm.name() {
            return Err(JwsError::WrongAlgorithm);
        }
        if header.typ.as_deref() != Some(typ) {
            return Err(JwsError::WrongType);
        }
        UnparsedPublicKey::new(signer.algorithm.verification(), signer.pair.public_bytes())
            .verify(signed.as_bytes(), &decode(signature)?)
            .map_err(|_| JwsError::BadSignature)?;
        decode(payload)
    }

    fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.keys.iter().flat_map(|key| &key.signers)
    }

    fn signing(&self, kind: KeyKind, now: Timestamp) -> Option<&Key> {
        self.keys
            .iter()
            .find(|key| key.kind == kind && key.sign_from <= now && !key.is_retired(now))
    }

    fn state(&self, key: &Key, now: Timestamp) -> State {
        if key.sign_from > now {
            return State::Next;
        }
        match self.signing(key.kind, now) {
            Some(signing) if std::ptr::eq(signing, key) => State::Signing,
            _ => State::Retiring,
        }
    }
}

impl Key {
    fn load(master: &MasterKey, stored: &StoredKey) -> Result<Self, LoadError> {
        let id = stored.id;
        let invalid = LoadError::Invalid { id, kind: stored.kind };
        let pkcs8 = master
            .open(&place(id), &stored.sealed_private)
            .map_err(|reason| LoadError::Sealed { id, reason })?;
        let Some(pair) = Pair::parse(stored.kind, &pkcs8) else {
            return Err(invalid);
        };
        let Some(public) = pair.public_parts() else {
            return Err(invalid);
        };
        if (&public.0, &public.1) != (&stored.public_first, &stored.public_second) {
            return Err(LoadError::PublicPartDiffers(id));
        }
        let pair = Arc::new(pair);
        let signers = SigningAlgorithm::ALL
            .into_iter()
            .filter(|algorithm| algorithm.kind() == stored.kind)
            .map(|algorithm| Signer::new(algorithm, &public, pair.clone()))
            .collect();
        Ok(Self {
            kind: stored.kind,
            publish_at: stored.publish_at,
            sign_from: stored.sign_from,
            retire_at: stored.retire_at,
            signers,
        })
    }

    fn is_published(&self, now: Timestamp) -> bool {
        self.publish_at <= now && !self.is_retired(now)
    }

    fn is_retired(&self, now: Timestamp) -> bool {
        self.retire_at.is_some_and(|retire_at| retire_at <= now)
    }
}

impl Signer {
    fn new(algorithm: SigningAlgorithm, public: &(String, String), pair: Arc<Pair>) -> Self {
        let (first, second) = public;
        let alg = algorithm.name();
        // The thumbprint of RFC 7638, made distinct by algorithm: required members alone, in
        // alphabetical order, without spaces.
        let thumbprint = match algorithm.kind() {
            KeyKind::Rsa => format!(r#"{{"e":"{second}","kty":"RSA","n":"{first}"}}"#),
            KeyKind::Ec => format!(r#"{{"crv":"P-256","kty":"EC","x":"{first}","y":"{second}"}}"#),
        };
        let thumbprint = digest::digest(&digest::SHA256, thumbprint.as_bytes());
        let kid = format!("{}-{}", BASE64URL.encode(thumbprint), alg.to_ascii_lowercase());
        let jwk = match algorithm.kind() {
            KeyKind::Rsa => json!({"kty": "RSA", "alg": alg, "use": "sig", "kid": kid, "n": first, "e": second}),
            KeyKind::Ec => {
                json!({"kty": "EC", "crv": "P-256", "alg": alg, "use": "sig", "kid": kid, "x": first, "y": second})
            }
        };
        Self {
            algorithm,
            kid,
            jwk,
            pair,
        }
    }

    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let header = Header {
            typ: Some(typ.to_owned()),
            alg: self.algorithm.name().to_owned(),
            kid: Some(self.kid.clone()),
            crit: None,
        };
        let mut token = BASE64URL.encode(serde_json::to_vec(&header)?);
        token.push('.');
        BASE64URL.encode_string(serde_json::to_vec(claims)?, &mut token);
        let signature = self
            .pair
            .sign(self.algorithm, token.as_bytes())
            .ok_or(SignError::Signature)?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl Pair {
    fn parse(kind: KeyKind, pkcs8: &[u8]) -> Option<Self> {
        match kind {
            KeyKind::Rsa => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa).ok(),
            KeyKind::Ec => EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                .map(Pair::Ec)
                .ok(),
        }
    }

    fn seal(&self, master: &MasterKey, id: Uuid) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::internal("a signing key could not be written as PKCS#8");
        Ok(match self {
            Pair::Rsa(pair) => master.seal(&place(id), pair.as_der().map_err(failed)?.as_ref()),
            Pair::Ec(pair) => master.seal(&place(id), pair.to_pkcs8v1().map_err(failed)?.as_ref()),
        })
    }

    /// `None` if the algorithm is not one of this key, which `Key::load` excludes.
    fn sign(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (self, algorithm) {
            (Pair::Rsa(pair), SigningAlgorithm::Rs256 | SigningAlgorithm::Rs512) => {
                let padding = match algorithm {
                    SigningAlgorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            (Pair::Ec(pair), SigningAlgorithm::Es256) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            _ => None,
        }
    }

    fn public_bytes(&self) -> &[u8] {
        match self {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ec(pair) => pair.public_key().as_ref(),
        }
    }

    /// (n, e) or (x, y), base64url.
    fn public_parts(&self) -> Option<(String, String)> {
        let (first, second) = match self {
            Pair::Rsa(_) => rsa_public_parts(self.public_bytes())?,
            // An uncompressed point: 4, then both coordinates (SEC 1 section 2.3.3).
            Pair::Ec(_) => self.public_bytes().strip_prefix(&[4])?.split_at_checked(32)?,
        };
        Some((BASE64URL.encode(first), BASE64URL.encode(second)))
    }
}

/// Our headers have these members and no others.
#[derive(Serialize, Deserialize)]
struct Header {
    typ: Option<String>,
    alg: String,
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<Vec<String>>,
}

fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    BASE64URL.decode(part).map_err(|_| JwsError::Malformed)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1), without the
/// zero that DER puts before a number whose first bit is set.
fn rsa_public_parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let (content, rest) = der_element(SEQUENCE, der)?;
    let (modulus, content) = der_element(INTEGER, content)?;
    let (exponent, content) = der_element(INTEGER, content)?;
    let without_sign = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    (rest.is_empty() && content.is_empty())
        .then(|| (&modulus[without_sign(modulus)..], &exponent[without_sign(exponent)..]))
}

/// The content of the element at the front, and what follows it.
fn der_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], der) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if length < 0x80 {
        return der.split_at_checked(usize::from(length));
    }
    // The long form; a key needs one or two bytes of length.
    let (length, der) = der
        .split_at_checked(usize::from(length & 0x7f))
        .filter(|(length, _)| (1..=2).contains(&length.len()))?;
    let length = length.iter().fold(0, |length, byte| length * 256 + usize::from(*byte));
    der.split_at_checked(length)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use std::collections::HashSet;
    use std::sync::OnceLock;

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
}
