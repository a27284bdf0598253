//! Errors, in the form of the interface: a code, and a description for people.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use portolan_sdk::resource_server::Refusal;
use serde_json::json;

#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: &'static str,
    description: String,
    /// For callers who may try again with another token.
    challenge: Option<String>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            code,
            description: description.into(),
            challenge: None,
        }
    }

    /// The same for an action that is not there and for one that is not for this caller.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "ActionNotFound",
            "there is no such action for you",
        )
    }

    pub fn invalid(description: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "RequestValidationError", description)
    }

    pub fn conflict(description: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ActionConflict", description)
    }

    pub fn too_many() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyActions",
            "you have too many actions; release those that have ended",
        )
    }

    /// Whoever it is, they are not on the list.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "UnauthorizedRequest",
            "you are not among those who may do this",
        )
    }

    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ActionProviderError",
            "a service behind this one failed",
        )
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let code = match refusal {
            Refusal::Unavailable(_) => "ActionProviderError",
            _ => "UnauthorizedRequest",
        };
        Self {
            challenge: refusal.www_authenticate(),
            ..Self::new(status, code, refusal.to_string())
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let document = Json(json!({ "code": self.code, "description": self.description }));
        match self.challenge {
            Some(challenge) => (self.status, [(WWW_AUTHENTICATE, challenge)], document).into_response(),
            None => (self.status, document).into_response(),
        }
    }
}
