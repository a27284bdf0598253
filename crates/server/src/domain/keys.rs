//! The keys that sign ID tokens: how they rest, which one signs, what `/jwk.json` shows.
//!
//! Keys are parsed once and kept (parsing costs more than signing), private parts rest
//! sealed with the master key. One RSA key serves RS256 and RS512 under two key ids, so
//! that a client finds an entry whose `alg` is the one in the header.
//!
//! The order of the key list matters: the Python SDK takes `keys[0]` whatever the
//! header says (wire.md 2.4.3), so the first entry is the one that signs now.

mod der;
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

use self::der::rsa_public_parts;
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests;
