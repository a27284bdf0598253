//! What providers tell about themselves: their addresses (OpenID Connect Discovery 1.0,
//! RFC 8414) and their keys.
//!
//! Both are kept in memory for a while. A signature by a key that is not known makes us
//! look again, so a provider can change its keys whenever it likes; but not more often
//! than every ten seconds, so that forged tokens cannot make us ask it again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use portolan_types::Timestamp;
use serde_json::{Map, Value};

use super::fault::{self, Fault};
use super::fetch::{Fetcher, Outgoing};

const DOCUMENT_LIFETIME: Duration = Duration::from_secs(3600);
const KEYS_LIFETIME: Duration = Duration::from_secs(900);
/// The shortest time between two questions for keys because of one that is not known.
const REFETCH: Duration = Duration::from_secs(10);
/// Providers that are remembered; beyond it all are asked again.
const REMEMBERED: usize = 2_000;
/// Keys of one provider that are looked at.
const KEYS: usize = 50;

/// How a provider is used, as far as it says so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    pub userinfo_endpoint: Option<String>,
    /// Ways to authenticate at the token endpoint, if it says which.
    pub client_authentications: Option<Vec<String>>,
    /// Asymmetric algorithms that its ID tokens may be signed with.
    pub algorithms: Vec<String>,
    /// It promises `iss` in every answer (RFC 9207).
    pub sends_issuer: bool,
}

/// The memory of what providers have told.
#[derive(Default)]
pub struct Discovery(Mutex<HashMap<String, Entry>>);

#[derive(Default)]
struct Entry {
    document: Option<(Arc<Document>, Timestamp)>,
    keys: Option<(Arc<Vec<Key>>, Timestamp)>,
}

/// A public key of a provider.
pub struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    family: AlgorithmFamily,
    pub key: DecodingKey,
}

impl Discovery {
    /// What the provider tells, not older than an hour.
    pub async fn document(&self, fetcher: &Fetcher, issuer: &str, now: Timestamp) -> Result<Arc<Document>, Fault> {
        if let Some(document) = self.with(issuer, |entry| fresh(&entry.document, now, DOCUMENT_LIFETIME)) {
            return Ok(document);
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let fetched = fetcher
            .send(Outgoing::get(url).accept("application/json"))
            .await
            .map_err(|error| Fault::of_fetch(error, fault::DOCUMENT_UNREACHABLE, fault::DOCUMENT_MALFORMED))?;
        if fetched.status != StatusCode::OK {
            return Err(fault::DOCUMENT_REFUSED);
        }
        let members: Map<String, Value> =
            serde_json::from_slice(&fetched.body).map_err(|_| fault::DOCUMENT_MALFORMED)?;
        let document = Arc::new(Document::read(fetcher, issuer, &members)?);
        self.with(issuer, |entry| entry.document = Some((document.clone(), now)));
        Ok(document)
    }

    /// The keys that a token with this header may be signed with; none if there is none,
    /// also not after a second look.
    pub async fn keys(
        &self,
        fetcher: &Fetcher,
        document: &Document,
        key_id: Option<&str>,
        algorithm: Algorithm,
        name: &str,
        now: Timestamp,
    ) -> Result<Vec<DecodingKey>, Fault> {
        let issuer = &document.issuer;
        let known = self.with(issuer, |entry| fresh(&entry.keys, now, KEYS_LIFETIME));
        if let Some(keys) = known {
            let candidates = candidates(&keys, key_id, algorithm, name);
            let asked_lately = self.with(issuer, |entry| fresh(&entry.keys, now, REFETCH)).is_some();
            if !candidates.is_empty() || asked_lately {
                return Ok(candidates);
            }
        }
        // The place of the keys may have changed with them.
        let address = match self.with(issuer, |entry| fresh(&entry.document, now, REFETCH)) {
            Some(_) => document.jwks_uri.clone(),
            None => {
                self.with(issuer, |entry| entry.document = None);
                self.document(fetcher, issuer, now).await?.jwks_uri.clone()
            }
        };
        let fetched = fetcher
            .send(Outgoing::get(address).accept("application/json"))
            .await
            .map_err(|error| Fault::of_fetch(error, fault::KEYS_UNREACHABLE, fault::KEYS_MALFORMED))?;
        if fetched.status != StatusCode::OK {
            return Err(fault::KEYS_REFUSED);
        }
        let keys = Arc::new(read_keys(&fetched.body).ok_or(fault::KEYS_MALFORMED)?);
        self.with(issuer, |entry| entry.keys = Some((keys.clone(), now)));
        Ok(candidates(&keys, key_id, algorithm, name))
    }

    /// Forgets what one provider has told: its operator has changed something.
    pub fn forget(&self, issuer: &str) {
        self.with(issuer, |entry| *entry = Entry::default());
    }

    fn with<T>(&self, issuer: &str, work: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.0.lock().expect("nobody panics while holding it");
        if entries.len() >= REMEMBERED && !entries.contains_key(issuer) {
            entries.clear();
        }
        work(entries.entry(issuer.to_owned()).or_default())
    }
}

fn fresh<T: Clone>(kept: &Option<(T, Timestamp)>, now: Timestamp, lifetime: Duration) -> Option<T> {
    let (value, at) = kept.as_ref()?;
    (now.since(*at) < lifetime).then(|| value.clone())
}

impl Document {
    fn read(fetcher: &Fetcher, issuer: &str, members: &Map<String, Value>) -> Result<Self, Fault> {
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(fault::DOCUMENT_MALFORMED),
        };
        // Byte for byte: who serves a document under our issuer's address may still not be
        // the issuer (Discovery 4.3; Camel CVE-2026-23552).
        if text("issuer")?.as_deref() != Some(issuer) {
            return Err(fault::DOCUMENT_ISSUER);
        }
        let address = |name: &str| -> Result<Option<String>, Fault> {
            let Some(address) = text(name)? else { return Ok(None) };
            let usable = fetcher.check(&address).is_ok() && !address.contains('#') && address.len() <= 2048;
            if usable {
                Ok(Some(address))
            } else {
                Err(fault::DOCUMENT_ADDRESS)
            }
        };
        let needed = |name| address(name)?.ok_or(fault::DOCUMENT_INCOMPLETE);
        let list = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let texts = items.iter().filter_map(Value::as_str).map(str::to_owned);
                Ok(Some(texts.collect::<Vec<String>>()))
            }
            Some(_) => Err(fault::DOCUMENT_MALFORMED),
        };
        if list("response_types_supported")?.is_some_and(|types| !types.iter().any(|kind| kind == "code")) {
            return Err(fault::DOCUMENT_NO_CODE);
        }
        // RS256 is what a provider that says nothing must support (Discovery 3).
        let mut algorithms = list("id_token_signing_alg_values_supported")?.unwrap_or_else(|| vec!["RS256".to_owned()]);
        algorithms.retain(|name| asymmetric(name).is_some());
        if algorithms.is_empty() {
            return Err(fault::DOCUMENT_ALGORITHMS);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: needed("authorization_endpoint")?,
            token_endpoint: needed("token_endpoint")?,
            jwks_uri: needed("jwks_uri")?,
            userinfo_endpoint: address("userinfo_endpoint")?,
            client_authentications: list("token_endpoint_auth_methods_supported")?,
            algorithms,
            sends_issuer: members.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        })
    }
}

/// An algorithm by its name. `none` is not one, and with a shared secret anybody who knows
/// it could sign, or whoever takes a public key for one (RFC 8725 section 2.1).
pub fn asymmetric(name: &str) -> Option<Algorithm> {
    let algorithm: Algorithm = name.parse().ok()?;
    (algorithm.family() != AlgorithmFamily::Hmac).then_some(algorithm)
}

/// Keys that cannot be used here are passed over: a provider may publish some for others.
fn read_keys(body: &[u8]) -> Option<Vec<Key>> {
    let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let list = members.get("keys")?.as_array()?;
    Some(list.iter().take(KEYS).filter_map(read_key).collect())
}

fn read_key(value: &Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let family = match text("kty")?.as_str() {
        "RSA" => AlgorithmFamily::Rsa,
        "EC" => AlgorithmFamily::Ec,
        "OKP" => AlgorithmFamily::Ed,
        // `oct` is a secret, which has no place in public.
        _ => return None,
    };
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    Some(Key {
        id: text("kid"),
        algorithm: text("alg"),
        family,
        key: DecodingKey::from_jwk(&jwk).ok()?,
    })
}

/// The keys that may have made a signature. Without an id in the token there must be no
/// doubt which one is meant (OpenID Connect Core 10.1).
fn candidates(keys: &[Key], id: Option<&str>, algorithm: Algorithm, name: &str) -> Vec<DecodingKey> {
    let fits = |key: &&Key| {
        key.family == algorithm.family()
            && key.algorithm.as_deref().is_none_or(|own| own == name)
            && id.is_none_or(|id| key.id.as_deref() == Some(id))
    };
    let found: Vec<DecodingKey> = keys.iter().filter(fits).map(|key| key.key.clone()).collect();
    if id.is_none() && found.len() > 1 {
        return Vec::new();
    }
    found
}
