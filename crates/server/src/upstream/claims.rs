//! From what a provider says about a person to what we know of people. Which claim holds
//! what is set for each provider; nothing here decides who somebody is.

use portolan_types::Timestamp;
use serde_json::{Map, Value};

use super::fault::{self, Fault};
use super::provider::Configuration;

/// The longest text that is taken over.
const LONGEST: usize = 255;
/// Methods of one authentication that are taken over.
const METHODS: usize = 20;

/// A person as a provider describes them, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Together with the provider: who it is, for ever.
    pub subject: String,
    /// As the provider tells it, perhaps without a domain.
    pub username: String,
    pub name: Option<String>,
    /// Only if the provider does not say that it is unverified.
    pub email: Option<String>,
    pub organization: Option<String>,
    /// When the person authenticated, if the provider tells.
    pub authenticated_at: Option<Timestamp>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
}

/// Reads the mapped claims. `authenticated_at`, `acr` and `amr` come from claims that the
/// provider has signed, or from nowhere.
pub fn profile(
    configuration: &Configuration,
    subject: String,
    claims: &Map<String, Value>,
    signed: &Map<String, Value>,
) -> Result<Profile, Fault> {
    for (name, wanted) in &configuration.required_claims {
        if text(claims, name).as_deref() != Some(wanted) {
            return Err(fault::REQUIRED_CLAIM);
        }
    }
    let mapping = &configuration.claims;
    let unverified = is_false(claims.get("email_verified"));
    let (source, username) = mapping
        .username
        .iter()
        .find_map(|name| Some((name, text(claims, name)?)))
        .ok_or(fault::NO_USERNAME)?;
    // Whoever can write any address into their account there could otherwise take any name.
    if source == "email" && unverified {
        return Err(fault::EMAIL_UNVERIFIED);
    }
    let first = |names: &[String]| names.iter().find_map(|name| text(claims, name));
    Ok(Profile {
        subject,
        username,
        name: first(&mapping.name).or_else(|| joined_name(claims)),
        email: first(&mapping.email).filter(|email| !unverified && email.contains('@')),
        organization: first(&mapping.organization),
        authenticated_at: authentication_time(signed)?,
        acr: text(signed, "acr"),
        amr: methods(signed.get("amr")),
    })
}

/// A text or a number on one line, without what surrounds it; an empty one counts as absent.
pub fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match claims.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    let cut: String = text.chars().take(LONGEST).collect();
    (!cut.is_empty()).then_some(cut)
}

/// Some providers write truth values as texts.
fn is_false(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(value)) => !value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn joined_name(claims: &Map<String, Value>) -> Option<String> {
    let parts = [text(claims, "given_name"), text(claims, "family_name")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A list (RFC 8176), or a single text as ORCID writes it.
fn methods(value: Option<&Value>) -> Vec<String> {
    let plain = |text: &str| {
        let well_formed = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
        well_formed.then(|| text.to_owned())
    };
    match value {
        Some(Value::String(text)) => text.split_whitespace().filter_map(plain).take(METHODS).collect(),
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(Value::as_str);
            texts.filter_map(plain).take(METHODS).collect()
        }
        _ => Vec::new(),
    }
}

fn authentication_time(claims: &Map<String, Value>) -> Result<Option<Timestamp>, Fault> {
    match claims.get("auth_time") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(fault::ID_TOKEN_TIME),
    }
}

/// A NumericDate (RFC 7519 section 2) in a range that can be counted with.
pub fn seconds(value: &Value) -> Option<Timestamp> {
    let whole = value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        (number.is_finite() && number.abs() < 1e11).then_some(number as i64)
    })?;
    (0..100_000_000_000)
        .contains(&whole)
        .then(|| Timestamp::from_seconds(whole))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::provider::{Claims, preset};

    fn read(configuration: &Configuration, claims: Value) -> Result<Profile, Fault> {
        let claims = claims.as_object().unwrap().clone();
        profile(configuration, "s".into(), &claims, &claims)
    }

    #[test]
    fn claims_are_tried_in_turn_and_cleaned() {
        let configuration = Configuration {
            claims: Claims {
                username: vec!["eppn".into(), "preferred_username".into()],
                ..Claims::default()
            },
            ..Configuration::default()
        };
        let read = |claims| read(&configuration, claims);
        let profile = read(json!({
            "preferred_username": " alice ", "eppn": "", "name": "A\u{0}B\nC", "email": "a@x.org", "organization": 7
        }))
        .unwrap();
        assert_eq!(profile.username, "alice");
        assert_eq!(profile.name.as_deref(), Some("A B C"));
        assert_eq!(profile.email.as_deref(), Some("a@x.org"));
        assert_eq!(profile.organization.as_deref(), Some("7"));
        let profile = read(json!({"eppn": "a@x.org", "given_name": "A", "family_name": "B"})).unwrap();
        assert_eq!(
            (profile.username.as_str(), profile.name.as_deref()),
            ("a@x.org", Some("A B"))
        );
        assert_eq!(read(json!({"email": "a@x.org"})), Err(fault::NO_USERNAME));
        assert_eq!(read(json!({"eppn": ["a@x.org"]})), Err(fault::NO_USERNAME));
    }

    #[test]
    fn an_address_that_is_not_verified_is_neither_a_name_nor_kept() {
        let google = preset("google").unwrap().configuration;
        for (verified, expected) in [
            (json!(true), Ok(Some("a@gmail.com"))),
            (json!("true"), Ok(Some("a@gmail.com"))),
            (json!(false), Err(fault::EMAIL_UNVERIFIED)),
            (json!("False"), Err(fault::EMAIL_UNVERIFIED)),
        ] {
            let found = read(&google, json!({"email": "a@gmail.com", "email_verified": verified}));
            assert_eq!(
                found.map(|profile| profile.email),
                expected.map(|email| email.map(str::to_owned))
            );
        }
        let other = Configuration::default();
        let found = read(
            &other,
            json!({"preferred_username": "a", "email": "a@x.org", "email_verified": false}),
        );
        assert_eq!(found.unwrap().email, None);
    }

    #[test]
    fn methods_come_as_a_list_or_as_a_text() {
        let table = [
            (json!("mfa"), vec!["mfa"]),
            (json!("pwd otp"), vec!["pwd", "otp"]),
            (json!(["pwd", "otp"]), vec!["pwd", "otp"]),
            (json!(["pwd", 7, "", "a b", "\u{e4}"]), vec!["pwd"]),
            (json!({"mfa": true}), vec![]),
            (json!(null), vec![]),
        ];
        for (amr, expected) in table {
            let profile = read(
                &Configuration::default(),
                json!({"preferred_username": "a", "amr": amr}),
            )
            .unwrap();
            assert_eq!(profile.amr, expected, "{amr}");
        }
    }

    #[test]
    fn times_are_numbers_of_seconds() {
        let at = |value: Value| {
            read(
                &Configuration::default(),
                json!({"preferred_username": "a", "auth_time": value}),
            )
        };
        let ok = |value| at(value).unwrap().authenticated_at;
        assert_eq!(ok(json!(7)), Some(Timestamp::from_seconds(7)));
        assert_eq!(ok(json!(7.9)), Some(Timestamp::from_seconds(7)));
        assert_eq!(ok(json!(null)), None);
        for bad in [json!("7"), json!(-1), json!(1e300), json!(true), json!([7])] {
            assert_eq!(at(bad.clone()), Err(fault::ID_TOKEN_TIME), "{bad}");
        }
    }

    #[test]
    fn a_required_claim_has_exactly_its_value() {
        let configuration = Configuration {
            required_claims: [("idp".to_owned(), "https://idp.x.org".to_owned())].into(),
            ..Configuration::default()
        };
        for (idp, good) in [("https://idp.x.org", true), ("https://idp.x.org/", false), ("", false)] {
            let found = read(&configuration, json!({"preferred_username": "a", "idp": idp}));
            assert_eq!(found.is_ok(), good, "{idp}");
        }
    }
}
