//! Parameters of queries and forms. A name that comes twice is refused everywhere
//! (RFC 6749 section 3.1); an empty value counts as absent.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::strict_json::StrictJson;
use crate::error::{Error, Kind, Result};

/// Lists, read with [`Params::list`]: boxes of our own pages, which browsers send once for each
/// that is ticked, and look-ups of the JSON interface (wire.md 3.2).
const REPEATABLE: &[&str] = &[
    "scope_optional",
    "dependency",
    "dependency_optional",
    "dependency_refresh",
    "ids",
    "usernames",
    "scope_strings",
    "domains",
    "include",
];

/// Parameters in the order they came, each name once.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=1&b=2` as forms encode it.
    pub fn parse(encoded: &[u8]) -> Result<Self> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if value.contains('\0') || name.contains('\0') {
                return Err(Error::invalid_request(
                    "parameters must not contain the character U+0000",
                ));
            }
            if params.len() >= 100 {
                return Err(Error::invalid_request("more than 100 parameters"));
            }
            if let Some((_, list)) = params
                .iter_mut()
                .find(|(known, _)| *known == name && REPEATABLE.contains(&known.as_str()))
            {
                list.push(',');
                list.push_str(&value);
                continue;
            }
            if params.iter().any(|(known, _)| *known == name) {
                return Err(Error::invalid_request("a parameter is given twice"));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// The value; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The value, or an error that names the parameter.
    pub fn require(&self, name: &'static str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| Error::invalid_request(format!("the parameter {name} is missing")))
    }

    /// `true`, `True`, `1` and their opposites (wire.md 3.2).
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text {
            "1" => Ok(Some(true)),
            "0" => Ok(Some(false)),
            _ if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            _ if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(Error::invalid_request(format!(
                "the parameter {name} must be true or false"
            ))),
        }
    }

    /// Comma-separated values; an empty list counts as absent.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.get(name).map_or_else(Vec::new, |text| {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
        })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }
}

/// The query of a request.
pub struct Query(pub Params);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Params::parse(parts.uri.query().unwrap_or("").as_bytes()).map(Query)
    }
}

/// The form in the body of a POST. Nothing but a form: JSON bodies are refused.
pub struct Form(pub Params);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_form = content_type.is_some_and(|text| {
            let mime = text.split(';').next().unwrap_or("").trim();
            mime.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        let body = body(request, state).await?;
        if body.is_empty() {
            return Ok(Form(Params::default()));
        }
        if !is_form {
            return Err(Error::invalid_request(
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        Params::parse(&body).map(Form)
    }
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let body = body(request, state).await?;
        let text = std::str::from_utf8(&body).map_err(|_| Error::invalid_parameters("the body is not UTF-8"))?;
        parse_json(text).map(Json)
    }
}

/// Read twice: the first time refuses a member that comes twice, of which a `Value` would
/// keep the last; the second an array in place of an object.
fn parse_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    if text.contains("\\u0000") {
        return Err(Error::invalid_parameters("texts must not contain the character U+0000"));
    }
    let not_expected = |error| Error::invalid_parameters(format!("the body is not the JSON expected: {error}"));
    let mut reader = serde_json::Deserializer::from_str(text);
    let _: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| invalid_json(&error))?;
    reader.end().map_err(not_expected)?;
    let value = serde_json::from_str(text).map_err(not_expected)?;
    serde_path_to_error::deserialize(StrictJson(value)).map_err(|error| invalid_json(&error))
}

/// Names the member that is wrong, from the inside of its envelope: `redirect_uris[1]: ..`.
fn invalid_json(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let reason = error.inner().to_string();
    // Where it stands in the text is of no use to whoever sees the member's name.
    let reason = reason
        .split_once(" at line ")
        .map_or(reason.as_str(), |(reason, _)| reason);
    match path.split_once('.') {
        Some((_, member)) if !member.is_empty() && !path.starts_with('.') => {
            Error::invalid_parameters(format!("{member}: {reason}"))
        }
        _ => Error::invalid_parameters(format!("the body is not the JSON expected: {reason}")),
    }
}

pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::new(Kind::PayloadTooLarge, "the body is too large")
            } else {
                Error::invalid_request("the body could not be read")
            }
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_types::api::{Change, ClientChanges};

    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        assert!(Params::parse(b"a=1&a=1").is_err());
        assert!(Params::parse(b"scope=a&x=1&sc%6Fpe=b").is_err());
    }

    #[test]
    fn an_empty_value_counts_as_absent() {
        let params = Params::parse(b"a=&b=2").unwrap();
        assert_eq!((params.get("a"), params.get("b")), (None, Some("2")));
        assert!(params.require("a").is_err());
    }

    #[test]
    fn pluses_and_percents_are_decoded_once() {
        let params = Params::parse(b"scope=a+b%2520%5B").unwrap();
        assert_eq!(params.get("scope"), Some("a b%20["));
    }

    #[test]
    fn python_and_javascript_booleans_are_read() {
        let params = Params::parse(b"a=True&b=false&c=1&d=0&e=yes").unwrap();
        let read = |name| params.flag(name);
        assert_eq!(read("a").unwrap(), Some(true));
        assert_eq!(read("b").unwrap(), Some(false));
        assert_eq!(read("c").unwrap(), Some(true));
        assert_eq!(read("d").unwrap(), Some(false));
        assert!(read("e").is_err());
        assert_eq!(read("f").unwrap(), None);
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Body {
            client: ClientChanges,
        }
        let read = |text: &str| parse_json::<Body>(text).map_err(|error| error.detail().to_owned());

        let links = read(r#"{"client": {"links": {"privacy_policy": null}, "scopes": [], "public_client": true}}"#);
        assert_eq!(links.unwrap().client.public_client, Change::Set(true));
        for (text, told) in [
            (
                r#"{"client": {"links": [null, null]}}"#,
                "links: invalid type: sequence",
            ),
            (r#"{"client": []}"#, "invalid type: sequence"),
            (r#"[{"name": "x"}]"#, "invalid type: sequence"),
            (r#"{"client": {"name": "x", "name": "y"}}"#, "duplicate field"),
            (r#"{"client": {}} {}"#, "trailing characters"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(told), "{text}: {refusal}");
        }
    }

    #[test]
    fn the_null_character_is_refused() {
        assert!(Params::parse(b"a=%00").is_err());
    }
}
