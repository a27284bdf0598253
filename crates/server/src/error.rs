//! One error for the whole server. The kind decides the status and both wire codes; the
//! surface decides the document (`http/render.rs`). A handler returns it and does not
//! know how it will look.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use portolan_types::error::AuthorizationParameters;

use crate::texts::{Words, words};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub struct Error {
    kind: Kind,
    /// Shown to the caller. A sentence fragment without secrets.
    detail: Cow<'static, str>,
    /// Logged, never shown.
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    extra: Option<Box<Extra>>,
}

/// What few errors carry beside their detail.
#[derive(Debug, Default)]
struct Extra {
    retry_after: Option<Duration>,
    authorization_parameters: Option<AuthorizationParameters>,
    unapproved_scopes: Option<Vec<String>>,
    /// The scope that a bearer token lacks (RFC 6750 section 3).
    required_scope: Option<String>,
    /// The methods of a 405 answer.
    allow: Option<String>,
    /// The detail for a page, in whose language it is told there.
    words: Option<Words>,
    /// The input of a form that it is about.
    field: Option<&'static str>,
    /// Path of the page where a person can mend it, and the message that names it.
    way_on: Option<(&'static str, &'static str)>,
    /// A login must not be older than this (RFC 9470 section 3).
    maximum_age: Option<Duration>,
}

/// What went wrong, as the caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidRequest,
    /// Malformed or impossible values in the JSON interface.
    InvalidParameters,
    /// The DNS does not say that a domain name belongs to the client.
    FqdnVerificationFailed,
    /// Client authentication failed although the client tried by HTTP Basic.
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    UnknownScope,
    AccessDenied,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    /// OpenID Connect Core Unmet Authentication Requirements 1.0.
    UnmetAuthenticationRequirements,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    DependentConsentRequired,
    /// No credentials at a resource.
    Unauthorized,
    /// A bearer token that is not active here.
    InvalidToken,
    InsufficientScope,
    Forbidden,
    /// The resource named is not there; the word becomes `<RESOURCE>_NOT_FOUND`.
    NotFound(&'static str),
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    Timeout,
    TooManyRequests,
    Internal,
    Unavailable,
}

impl Kind {
    pub fn status(self) -> StatusCode {
        match self {
            Kind::InvalidClient | Kind::Unauthorized | Kind::InvalidToken => StatusCode::UNAUTHORIZED,
            Kind::DependentConsentRequired | Kind::InsufficientScope | Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound(_) => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
            Kind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The `error` of an OAuth document (RFC 6749 section 5.2, OpenID Connect Core 3.1.2.6).
    pub fn oauth_code(self) -> &'static str {
        match self {
            Kind::InvalidRequest | Kind::InvalidParameters | Kind::FqdnVerificationFailed => "invalid_request",
            Kind::InvalidClient => "invalid_client",
            Kind::InvalidGrant => "invalid_grant",
            Kind::UnauthorizedClient => "unauthorized_client",
            Kind::UnsupportedGrantType => "unsupported_grant_type",
            Kind::UnsupportedResponseType => "unsupported_response_type",
            Kind::InvalidScope | Kind::UnknownScope => "invalid_scope",
            Kind::AccessDenied => "access_denied",
            Kind::LoginRequired => "login_required",
            Kind::ConsentRequired => "consent_required",
            Kind::InteractionRequired => "interaction_required",
            Kind::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Kind::RequestNotSupported => "request_not_supported",
            Kind::RequestUriNotSupported => "request_uri_not_supported",
            Kind::RegistrationNotSupported => "registration_not_supported",
            Kind::DependentConsentRequired => "dependent_consent_required",
            Kind::Unauthorized => "unauthorized",
            Kind::InvalidToken => "invalid_token",
            Kind::InsufficientScope => "insufficient_scope",
            Kind::Forbidden => "forbidden",
            Kind::NotFound(_) => "not_found",
            Kind::MethodNotAllowed => "method_not_allowed",
            Kind::Conflict => "conflict",
            Kind::PayloadTooLarge => "payload_too_large",
            Kind::UnsupportedMediaType => "unsupported_media_type",
            Kind::Timeout => "request_timeout",
            Kind::TooManyRequests => "too_many_requests",
            Kind::Internal => "server_error",
            Kind::Unavailable => "temporarily_unavailable",
        }
    }

    /// The `code` of an element of `errors` (wire.md 3.6.5).
    pub fn api_code(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Kind::InvalidRequest => "INVALID_REQUEST",
            Kind::InvalidParameters => "INVALID_PARAMETERS",
            Kind::FqdnVerificationFailed => "FQDN_VERIFICATION_FAILED",
            // One code for every failed authentication: clients test for it (wire.md 3.6.5).
            Kind::InvalidClient | Kind::Unauthorized | Kind::InvalidToken => "UNAUTHORIZED",
            Kind::InvalidGrant => "INVALID_GRANT",
            Kind::UnauthorizedClient => "UNAUTHORIZED_CLIENT",
            Kind::UnsupportedGrantType => "UNSUPPORTED_GRANT_TYPE",
            Kind::UnsupportedResponseType => "UNSUPPORTED_RESPONSE_TYPE",
            Kind::InvalidScope => "INVALID_SCOPE",
            Kind::UnknownScope => "UNKNOWN_SCOPE_ERROR",
            Kind::AccessDenied => "ACCESS_DENIED",
            Kind::LoginRequired => "LOGIN_REQUIRED",
            Kind::ConsentRequired => "CONSENT_REQUIRED",
            Kind::InteractionRequired => "INTERACTION_REQUIRED",
            Kind::UnmetAuthenticationRequirements => "UNMET_AUTHENTICATION_REQUIREMENTS",
            Kind::RequestNotSupported => "REQUEST_NOT_SUPPORTED",
            Kind::RequestUriNotSupported => "REQUEST_URI_NOT_SUPPORTED",
            Kind::RegistrationNotSupported => "REGISTRATION_NOT_SUPPORTED",
            Kind::DependentConsentRequired => "DEPENDENT_CONSENT_REQUIRED",
            Kind::InsufficientScope | Kind::Forbidden => "FORBIDDEN",
            Kind::NotFound("") => "NOT_FOUND",
            Kind::NotFound(noun) => {
                return Cow::Owned(format!("{}_NOT_FOUND", noun.to_ascii_uppercase().replace(' ', "_")));
            }
            Kind::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Kind::Conflict => "CONFLICT",
            Kind::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Kind::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Kind::Timeout => "REQUEST_TIMEOUT",
            Kind::TooManyRequests => "TOO_MANY_REQUESTS",
            Kind::Internal => "INTERNAL_ERROR",
            Kind::Unavailable => "SERVICE_UNAVAILABLE",
        })
    }

    /// The `title` beside the code: the code in words a person reads.
    pub fn title(self) -> &'static str {
        match self {
            Kind::InvalidClient | Kind::Unauthorized | Kind::InvalidToken => "Unauthorized",
            Kind::InsufficientScope | Kind::Forbidden => "Forbidden",
            Kind::NotFound(_) => "Not found",
            Kind::UnknownScope => "Unknown scope(s)",
            Kind::DependentConsentRequired => "User must approve your client using scopes. See 'unapproved_scopes'.",
            Kind::MethodNotAllowed => "Method not allowed",
            Kind::Conflict => "Conflict",
            Kind::TooManyRequests => "Too many requests",
            Kind::Internal => "Internal error",
            Kind::Unavailable => "Service unavailable",
            Kind::AccessDenied => "Access denied",
            _ => "Bad request",
        }
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $($(#[$doc])* pub fn $name(detail: impl Into<Cow<'static, str>>) -> Self {
            Self::new(Kind::$kind, detail)
        })*
    };
}

impl Error {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            source: None,
            extra: None,
        }
    }

    constructors! {
        invalid_request => InvalidRequest;
        invalid_parameters => InvalidParameters;
        invalid_grant => InvalidGrant;
        unauthorized_client => UnauthorizedClient;
        invalid_scope => InvalidScope;
        unknown_scope => UnknownScope;
        unauthorized => Unauthorized;
        invalid_token => InvalidToken;
        forbidden => Forbidden;
        conflict => Conflict;
        too_many_requests => TooManyRequests;
        unavailable => Unavailable;
    }

    /// Failed client authentication; always the same words, so that nothing tells an
    /// unknown client from a wrong secret.
    pub fn invalid_client() -> Self {
        Self::new(Kind::InvalidClient, "Basic auth failed")
    }

    pub fn not_found(noun: &'static str) -> Self {
        Self::new(
            Kind::NotFound(noun),
            if noun.is_empty() {
                Cow::Borrowed("no such page")
            } else {
                Cow::Owned(format!("{noun} not found"))
            },
        )
    }

    /// A fault of ours: the cause is logged, the caller sees only the request id.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(
                Kind::Internal,
                "an internal error; the log tells more under this request id",
            )
        }
        .said(words("error-internal-text"))
    }

    pub fn insufficient_scope(scope: impl Into<String>) -> Self {
        let scope = scope.into();
        Self::new(Kind::InsufficientScope, format!("the token lacks the scope {scope}"))
            .with(|extra| extra.required_scope = Some(scope))
    }

    pub fn dependent_consent_required(scopes: Vec<String>) -> Self {
        let detail = format!("User hasn't approved the following scopes: {}", scopes.join(" "));
        Self::new(Kind::DependentConsentRequired, detail).with(|extra| extra.unapproved_scopes = Some(scopes))
    }

    pub fn method_not_allowed(allow: impl Into<String>) -> Self {
        Self::new(Kind::MethodNotAllowed, "this path does not take that method")
            .with(|extra| extra.allow = Some(allow.into()))
            .said(words("error-method-text"))
    }

    pub fn retry_after(self, delay: Duration) -> Self {
        self.with(|extra| extra.retry_after = Some(delay))
    }

    /// What a better session would need (wire.md 3.6.4).
    pub fn requiring(self, parameters: AuthorizationParameters) -> Self {
        self.with(|extra| extra.authorization_parameters = Some(parameters))
    }

    /// The same in the words of RFC 9470, for clients that know nothing of wire.md.
    pub fn requiring_login_within(self, age: Duration) -> Self {
        self.with(|extra| extra.maximum_age = Some(age))
    }

    /// What a page says instead of the detail.
    pub fn said(self, words: Words) -> Self {
        self.with(|extra| extra.words = Some(words))
    }

    /// The input of a form that it is about: the page shows the refusal beside it.
    pub fn about(self, field: &'static str) -> Self {
        self.with(|extra| extra.field = Some(field))
    }

    /// Where a person can do something about it: a path of this server, and the message that
    /// names it.
    pub fn leading_to(self, way_on: Option<(&'static str, &'static str)>) -> Self {
        self.with(|extra| extra.way_on = way_on)
    }

    fn with(mut self, change: impl FnOnce(&mut Extra)) -> Self {
        change(self.extra.get_or_insert_default());
        self
    }

    /// The same refusal once more: what was wrong with a request is found before its unit
    /// of work, which may run again.
    pub fn repeat(&self) -> Self {
        Self::new(self.kind, self.detail.clone())
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    pub fn retry_after_seconds(&self) -> Option<u64> {
        let delay = self.extra.as_ref()?.retry_after?;
        Some(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
    }

    pub fn authorization_parameters(&self) -> Option<&AuthorizationParameters> {
        self.extra.as_ref()?.authorization_parameters.as_ref()
    }

    pub fn unapproved_scopes(&self) -> Option<&[String]> {
        self.extra.as_ref()?.unapproved_scopes.as_deref()
    }

    pub fn required_scope(&self) -> Option<&str> {
        self.extra.as_ref()?.required_scope.as_deref()
    }

    pub fn maximum_age(&self) -> Option<Duration> {
        self.extra.as_ref()?.maximum_age
    }

    pub fn words(&self) -> Option<&Words> {
        self.extra.as_ref()?.words.as_ref()
    }

    pub fn field(&self) -> Option<&'static str> {
        self.extra.as_ref()?.field
    }

    pub fn way_on(&self) -> Option<(&'static str, &'static str)> {
        self.extra.as_ref()?.way_on
    }

    pub fn allow(&self) -> Option<&str> {
        self.extra.as_ref()?.allow.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.oauth_code(), self.detail)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<portolan_db::Error> for Error {
    fn from(error: portolan_db::Error) -> Self {
        use portolan_db::ErrorKind;
        let unavailable = |detail: &'static str, id| {
            let unavailable = Self::unavailable(detail).said(words(id));
            unavailable.retry_after(Duration::from_secs(1))
        };
        let answer = match error.kind() {
            ErrorKind::Busy => unavailable("the server is busy; try again", "error-busy"),
            ErrorKind::Timeout => unavailable("the store did not answer in time; try again", "error-store-slow"),
            ErrorKind::Unavailable => unavailable("the store cannot be reached; try again", "error-store-away"),
            ErrorKind::OutcomeUnknown => unavailable(
                "whether the change was made is unknown; look before trying again",
                "error-store-unknown",
            ),
            _ => return Self::internal(error),
        };
        Self {
            source: Some(Box::new(error)),
            ..answer
        }
    }
}

/// Carries the error to the layer that renders it (`http/render.rs`).
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}
