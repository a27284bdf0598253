//! What the document of an error says, read as far as it can be.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};

/// One error of a document.
///
/// ```
/// use portolan_sdk::AuthApiError;
/// use serde_json::json;
///
/// let error = AuthApiError::from_document(400, json!({"errors": [
///     {"code": "INVALID_PARAMETERS", "title": "Bad", "detail": "'name' is missing", "field": "name"}
/// ]}));
/// let first = &error.errors()[0];
/// assert_eq!(first.code(), Some("INVALID_PARAMETERS"));
/// assert_eq!(first.message(), Some("'name' is missing"));
/// assert_eq!(first.get("field").unwrap(), "name");
/// ```
#[derive(Clone, Debug)]
pub struct ErrorSubdocument {
    raw: Map<String, Value>,
    fields: &'static [&'static str],
}

impl ErrorSubdocument {
    pub(super) const FIELDS: [&'static str; 3] = ["message", "detail", "title"];
    pub(super) const JSON_API_FIELDS: [&'static str; 2] = ["detail", "title"];

    pub(super) fn new(raw: Map<String, Value>, fields: &'static [&'static str]) -> Self {
        Self { raw, fields }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.raw.get(name)?.as_str()
    }

    /// The code of this error.
    pub fn code(&self) -> Option<&str> {
        self.text("code")
    }

    /// The message of this error.
    pub fn message(&self) -> Option<&str> {
        self.fields.iter().find_map(|field| self.text(field))
    }

    /// Any member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.raw.get(name)
    }

    /// The whole of it.
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }
}

/// What an error says beyond code and message.
///
/// ```
/// use portolan_sdk::AuthApiError;
/// use serde_json::json;
///
/// let error = AuthApiError::from_document(403, json!({"code": "ConsentRequired", "required_scope": "a[b]"}));
/// assert_eq!(error.info().consent_required.unwrap(), ["a[b]"]);
/// assert!(error.info().authorization_parameters.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorInfo {
    /// The parameters, as far as they have the type that they should have.
    pub authorization_parameters: Option<ParameterInfo>,
    /// The scopes that the person has to consent to.
    pub consent_required: Option<Vec<String>>,
}

/// Authorization parameters as far as they can be read. Policies stay texts here; a service
/// may send what is no id.
///
/// ```
/// let nothing = portolan_sdk::ParameterInfo::default();
/// assert!(nothing.session_message.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterInfo {
    /// Shown to the person.
    pub session_message: Option<String>,
    /// Who has to be logged in.
    pub session_required_identities: Option<Vec<String>>,
    /// Domains, one of which the person must log in with.
    pub session_required_single_domain: Option<Vec<String>>,
    /// Policies that have to be met.
    pub session_required_policies: Option<Vec<String>>,
    /// Whether a second factor is needed.
    pub session_required_mfa: Option<bool>,
}

pub(super) fn lenient_parameters(document: &Map<String, Value>) -> ParameterInfo {
    let policies = document.get("session_required_policies");
    let joined = policies
        .and_then(Value::as_str)
        .map(|text| text.split(',').map(str::to_owned).collect());
    ParameterInfo {
        session_message: document
            .get("session_message")
            .and_then(Value::as_str)
            .map(str::to_owned),
        session_required_identities: document.get("session_required_identities").and_then(text_list),
        session_required_single_domain: document.get("session_required_single_domain").and_then(text_list),
        session_required_policies: joined.or_else(|| policies.and_then(text_list)),
        session_required_mfa: document.get("session_required_mfa").and_then(Value::as_bool),
    }
}

/// The list, if it is one of texts only.
pub(crate) fn text_list(value: &Value) -> Option<Vec<String>> {
    let elements = value.as_array()?;
    elements
        .iter()
        .map(|element| element.as_str().map(str::to_owned))
        .collect()
}

pub(super) fn listed_errors(document: &Map<String, Value>) -> Option<Vec<Map<String, Value>>> {
    let elements = document.get("errors")?.as_array()?;
    elements.iter().map(|element| element.as_object().cloned()).collect()
}

pub(super) fn messages(errors: &[ErrorSubdocument]) -> Vec<String> {
    errors
        .iter()
        .filter_map(|error| error.message().map(str::to_owned))
        .collect()
}

pub(super) fn common_code(errors: &[ErrorSubdocument]) -> Option<String> {
    common(errors.iter().map(ErrorSubdocument::code))
}

/// The one text that all that have one agree on.
pub(super) fn common<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let mut found: Option<&str> = None;
    for text in texts.flatten() {
        if found.is_some_and(|known| known != text) {
            return None;
        }
        found = Some(text);
    }
    found.map(str::to_owned)
}

pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}
