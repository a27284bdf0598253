//! Which client says it calls: HTTP Basic, secret in the form, or its id alone. Whether it
//! is true is decided over the store (`domain::client::authenticate`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use portolan_types::{ClientId, Secret, TokenHash};

use super::extract::Params;
use crate::domain::token_format;
use crate::error::{Error, Result};

/// What the caller presented; secrets only as hashes.
#[derive(Clone, Debug)]
pub struct PresentedClient {
    pub id: ClientId,
    pub proof: Proof,
}

#[derive(Clone, Debug)]
pub enum Proof {
    /// The hashes of the secret as it came, and percent-decoded if that differs: clients
    /// disagree whether RFC 6749 section 2.3.1 encodes it (wire.md 3.3).
    Basic(Vec<TokenHash>),
    Post(TokenHash),
    /// The id alone: enough for a public client.
    None,
}

impl PresentedClient {
    /// Reads the header and the form. Two methods at once, or two different ids, are refused.
    pub fn read(headers: &HeaderMap, form: &Params) -> Result<Self> {
        let mut headers = headers.get_all(AUTHORIZATION).into_iter();
        let header = headers.next();
        if headers.next().is_some() {
            return Err(Error::invalid_request("more than one Authorization header"));
        }
        let body_id = form.get("client_id");
        let body_secret = form.get("client_secret");
        if let Some(header) = header {
            if body_secret.is_some() {
                return Err(Error::invalid_request(
                    "the client authenticates by header and by form; choose one",
                ));
            }
            let (id, hashes) = header.to_str().ok().and_then(basic).ok_or_else(Error::invalid_client)?;
            if body_id.is_some_and(|named| named.parse() != Ok(id)) {
                return Err(Error::invalid_request(
                    "client_id differs from the client that authenticates",
                ));
            }
            return Ok(Self {
                id,
                proof: Proof::Basic(hashes),
            });
        }
        let id = body_id
            .ok_or_else(Error::invalid_client)?
            .parse()
            .map_err(|_| Error::invalid_client())?;
        let proof = body_secret.map_or(Proof::None, |secret| Proof::Post(token_format::hash(secret)));
        Ok(Self { id, proof })
    }

    pub fn uses_basic(&self) -> bool {
        matches!(self.proof, Proof::Basic(_))
    }
}

/// `Basic base64(id:secret)`. The raw text first, the percent-decoded second; `+` stays a
/// plus in both, because generated secrets contain it.
fn basic(header: &str) -> Option<(ClientId, Vec<TokenHash>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Secret::new(String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (id, secret) = decoded.expose().split_once(':')?;
    // Some clients encode the id too, dashes and all.
    let id = id.parse().ok().or_else(|| percent_decode(id)?.parse().ok())?;
    let mut hashes = vec![token_format::hash(secret)];
    if secret.contains('%') {
        let plain = Secret::new(percent_decode(secret)?);
        hashes.push(token_format::hash(plain.expose()));
    }
    Some((id, hashes))
}

fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                plain.push(byte);
                at += 3;
            }
            _ => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ID: &str = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";

    fn read(header: Option<String>, form: &str) -> Result<PresentedClient> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        PresentedClient::read(&headers, &Params::parse(form.as_bytes()).unwrap())
    }

    fn header(id: &str, secret: &str) -> Option<String> {
        Some(format!("bAsIc {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    #[test]
    fn a_secret_is_taken_raw_first_and_percent_decoded_second() {
        let Proof::Basic(hashes) = read(header(ID, "a%2Bb:+/="), "").unwrap().proof else {
            panic!("basic")
        };
        assert_eq!(
            hashes,
            vec![token_format::hash("a%2Bb:+/="), token_format::hash("a+b:+/=")]
        );
    }

    #[test]
    fn the_id_may_be_percent_encoded() {
        let encoded = ID.replace('-', "%2D");
        assert_eq!(read(header(&encoded, "s"), "").unwrap().id.to_string(), ID);
    }

    #[test]
    fn two_methods_or_two_ids_are_refused() {
        assert!(read(header(ID, "s"), "client_secret=s").is_err());
        assert!(read(header(ID, "s"), "client_id=00000000-0000-4000-8000-000000000000").is_err());
        assert!(read(header(ID, "s"), &format!("client_id={}", ID.to_uppercase())).is_ok());
    }

    #[test]
    fn anything_else_is_failed_authentication() {
        for value in ["Basic", "Basic !!!", "Bearer AgPA", "Basic bm9jb2xvbg==", "Basic eDp5"] {
            let error = read(Some(value.into()), "").unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidClient, "{value}");
        }
        assert_eq!(read(None, "").unwrap_err().kind(), crate::Kind::InvalidClient);
    }
}
