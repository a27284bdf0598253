//! Error documents on the wire (wire.md 3.6). One shape serves all: resource endpoints
//! list their errors and repeat them in the words of OAuth, protocol endpoints leave the
//! list out, and a demand for a better session comes as `authorization_parameters`.

use serde::{Deserialize, Serialize};

use crate::PolicyId;

/// The body of an unsuccessful answer.
///
/// ```
/// use portolan_types::error::{ErrorDocument, ErrorElement};
///
/// let document = ErrorDocument::from(ErrorElement {
///     status: "401".to_owned(),
///     id: "6f1c9c1e-0f42-11f1-9d5c-0242ac120002".to_owned(),
///     code: "UNAUTHORIZED".to_owned(),
///     title: "Unauthorized".to_owned(),
///     detail: "Call must be authenticated".to_owned(),
///     unapproved_scopes: None,
/// });
/// assert_eq!(document.error, "unauthorized");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDocument {
    /// Left out when empty: the plain OAuth document (wire.md 3.6.2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required, min_items = 1))]
    pub errors: Vec<ErrorElement>,
    /// An OAuth code, or the code of the first element in lower case.
    pub error: String,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error_description: String,
    /// What to send the person to the authorize endpoint with, before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub authorization_parameters: Option<AuthorizationParameters>,
}

/// One error of a standard document (wire.md 3.6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorElement {
    /// The HTTP status; clients expect a string here.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[1-5][0-9][0-9]$"))]
    pub status: String,
    /// Id of this very occurrence, the one that the log shows. SDKs call it `request_id`.
    pub id: String,
    /// In capitals, from the catalogue in wire.md 3.6.5.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z_]+$"))]
    pub code: String,
    pub title: String,
    /// What programs show to their user.
    pub detail: String,
    /// Only with `DEPENDENT_CONSENT_REQUIRED`, and there in the first element (wire.md 3.6.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub unapproved_scopes: Option<Vec<String>>,
}

/// What an authorize request must carry so that the refused call succeeds afterwards
/// (wire.md 3.6.4). Names and meaning are those of the query parameters there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorizationParameters {
    /// Shown to the person on the login page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_message: Option<String>,
    /// Identity ids; others may send the form `urn:globus:auth:identity:<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_required_identities: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_required_policies: Option<Vec<PolicyId>>,
    /// Domains, one of which the person must log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_required_single_domain: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_required_mfa: Option<bool>,
    /// Requested scopes, possibly with dependencies (wire.md 1.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub required_scopes: Option<Vec<String>>,
    /// `login` is the only value that clients know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub prompt: Option<String>,
}

/// The standard document of one error: the OAuth members say the same again.
impl From<ErrorElement> for ErrorDocument {
    fn from(element: ErrorElement) -> Self {
        Self {
            error: element.code.to_ascii_lowercase(),
            error_description: element.title.clone(),
            errors: vec![element],
            authorization_parameters: None,
        }
    }
}

impl ErrorDocument {
    /// The plain document of the protocol endpoints (wire.md 3.6.2).
    pub fn oauth(error: impl Into<String>, error_description: impl Into<String>) -> Self {
        Self {
            errors: Vec::new(),
            error: error.into(),
            error_description: error_description.into(),
            authorization_parameters: None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn element(status: &str, code: &str, title: &str, detail: &str) -> ErrorElement {
        ErrorElement {
            status: status.to_owned(),
            id: "6f1c9c1e-0f42-11f1-9d5c-0242ac120002".to_owned(),
            code: code.to_owned(),
            title: title.to_owned(),
            detail: detail.to_owned(),
            unapproved_scopes: None,
        }
    }

    /// The document prints as `expected`, no member more, and is read back as it was.
    fn assert_wire(document: &ErrorDocument, expected: Value) {
        assert_eq!(serde_json::to_value(document).unwrap(), expected);
        assert_eq!(serde_json::from_value::<ErrorDocument>(expected).unwrap(), *document);
    }

    #[test]
    fn standard_document_prints_as_recorded() {
        let document = ErrorDocument::from(element(
            "401",
            "UNAUTHORIZED",
            "Unauthorized",
            "Call must be authenticated",
        ));

        let text = concat!(
            r#"{"errors":[{"status":"401","id":"6f1c9c1e-0f42-11f1-9d5c-0242ac120002","code":"UNAUTHORIZED","#,
            r#""title":"Unauthorized","detail":"Call must be authenticated"}],"#,
            r#""error":"unauthorized","error_description":"Unauthorized"}"#,
        );
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
        assert_wire(&document, serde_json::from_str(text).unwrap());
    }

    #[test]
    fn oauth_document_has_no_list() {
        let document = ErrorDocument::oauth("invalid_grant", "authorization code was already used");

        assert_wire(
            &document,
            json!({"error": "invalid_grant", "error_description": "authorization code was already used"}),
        );
        let short: ErrorDocument = serde_json::from_value(json!({"error": "invalid_grant"})).unwrap();
        assert_eq!(short, ErrorDocument::oauth("invalid_grant", ""));
    }

    #[test]
    fn missing_dependent_consent_names_the_scopes_in_its_first_element() {
        let title = "User must approve your client using scopes. See 'unapproved_scopes'.";
        let scope = "urn:globus:auth:scope:transfer.api.globus.org:all";
        let detail = format!("User hasn't approved the following scopes: {scope}");
        let document = ErrorDocument::from(ErrorElement {
            unapproved_scopes: Some(vec![scope.to_owned()]),
            ..element("403", "DEPENDENT_CONSENT_REQUIRED", title, &detail)
        });

        assert_wire(
            &document,
            json!({
                "error": "dependent_consent_required",
                "error_description": title,
                "errors": [{
                    "code": "DEPENDENT_CONSENT_REQUIRED",
                    "id": "6f1c9c1e-0f42-11f1-9d5c-0242ac120002",
                    "status": "403",
                    "title": title,
                    "detail": detail,
                    "unapproved_scopes": [scope],
                }],
            }),
        );
    }

    #[test]
    fn session_requirement_adds_authorization_parameters() {
        let message = "To access this project you must have an identity with admin privileges in session \
                       within the last 30 minutes.";
        let document = ErrorDocument {
            authorization_parameters: Some(AuthorizationParameters {
                session_message: Some(message.to_owned()),
                session_required_policies: Some(vec!["aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70".parse().unwrap()]),
                ..AuthorizationParameters::default()
            }),
            ..ErrorDocument::from(element("403", "FORBIDDEN", "Forbidden", message))
        };

        assert_wire(
            &document,
            json!({
                "errors": [{
                    "status": "403",
                    "id": "6f1c9c1e-0f42-11f1-9d5c-0242ac120002",
                    "code": "FORBIDDEN",
                    "title": "Forbidden",
                    "detail": message,
                }],
                "error": "forbidden",
                "error_description": "Forbidden",
                "authorization_parameters": {
                    "session_message": message,
                    "session_required_policies": ["aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70"],
                },
            }),
        );
    }

    #[test]
    fn every_authorization_parameter_has_its_name() {
        let parameters = json!({
            "session_message": "m",
            "session_required_identities": ["urn:globus:auth:identity:9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"],
            "session_required_policies": ["aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70"],
            "session_required_single_domain": ["example.edu"],
            "session_required_mfa": true,
            "required_scopes": ["a[*b]"],
            "prompt": "login",
        });

        let read: AuthorizationParameters = serde_json::from_value(parameters.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), parameters);
        assert_eq!(
            serde_json::to_value(AuthorizationParameters::default()).unwrap(),
            json!({})
        );
    }
}
