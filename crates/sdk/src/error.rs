//! What can go wrong, in one type. Whatever the service answered is an [`AuthApiError`];
//! everything else says what to do about it in its text.

mod document;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

pub(crate) use self::document::text_list;
pub use self::document::{ErrorInfo, ErrorSubdocument, ParameterInfo};
use self::document::{common, common_code, is_json, lenient_parameters, listed_errors, media_type, messages};
use crate::flow::FlowError;
use crate::gare::{self, Gare};
use crate::id_token::IdTokenError;
use crate::scopes::ScopeError;
use crate::storage::TokenValidationError;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. It can be cloned, because callers that waited for one renewal share
/// its failure.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::Error;
///
/// match client.userinfo().await {
///     Ok(person) => println!("{}", person.sub),
///     Err(Error::Api(error)) if error.status() == 401 => println!("log in again"),
///     Err(Error::Network(error)) if error.is_timeout() => println!("try again later"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused.
    #[error(transparent)]
    Api(#[from] Box<AuthApiError>),
    /// No answer came.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The call makes no sense as it is; nothing was sent.
    #[error("{0}")]
    Usage(Cow<'static, str>),
    /// The answer is not what it should be.
    #[error("the answer to {call} cannot be read: {reason}")]
    Decode {
        /// Method and path.
        call: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// A scope cannot be read.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A login did not end well.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// An ID token is not to be believed.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// Stored tokens do not do for what is asked.
    #[error(transparent)]
    TokenValidation(#[from] TokenValidationError),
    /// Tokens cannot be stored or read.
    #[error("token storage: {0}")]
    Storage(Arc<StorageError>),
    /// The login on this machine cannot be run.
    #[error("{0}")]
    Login(Cow<'static, str>),
}

impl Error {
    pub(crate) fn usage(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Usage(text.into())
    }

    /// The answer of the service, if it gave one.
    ///
    /// ```
    /// use portolan_sdk::Error;
    ///
    /// let error = Error::Usage("no".into());
    /// assert!(error.api().is_none());
    /// ```
    pub fn api(&self) -> Option<&AuthApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// What the person must do so that the call succeeds, if that is what the service said.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// if let Err(error) = client.get_projects().await
    ///     && let Some(gare) = error.gare()
    /// {
    ///     println!("log in again: {:?}", gare.authorization_parameters);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn gare(&self) -> Option<Gare> {
        self.api().and_then(gare::to_gare)
    }
}

/// What is wrong with a token storage.
///
/// ```
/// use portolan_sdk::StorageError;
///
/// let error = StorageError::Format { path: "tokens.json".to_owned(), reason: "it is empty".to_owned() };
/// assert_eq!(error.to_string(), "tokens.json: it is empty");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// SQLite refused.
    #[cfg(feature = "sqlite")]
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// No answer came, or only a part of one.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) {
/// use portolan_sdk::{Error, NetworkErrorKind};
///
/// if let Err(Error::Network(error)) = client.get_openid_configuration().await {
///     match error.kind() {
///         NetworkErrorKind::ConnectTimeout => println!("nobody there"),
///         kind => println!("{kind:?}: {error}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NetworkError {
    call: String,
    kind: NetworkErrorKind,
    source: Option<Arc<reqwest::Error>>,
}

/// How far it came.
///
/// ```
/// use portolan_sdk::NetworkErrorKind;
///
/// assert_ne!(NetworkErrorKind::Timeout, NetworkErrorKind::ConnectTimeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkErrorKind {
    /// Connected, and then the answer took too long.
    Timeout,
    /// No connection within the time.
    ConnectTimeout,
    /// No connection: the name, the port, the certificate.
    Connection,
    /// Anything else on the way, such as an answer that ended too early.
    Other,
}

impl NetworkError {
    pub(crate) fn new(call: String, error: reqwest::Error) -> Self {
        let kind = match (error.is_connect(), error.is_timeout()) {
            (true, true) => NetworkErrorKind::ConnectTimeout,
            (true, false) => NetworkErrorKind::Connection,
            (false, true) => NetworkErrorKind::Timeout,
            (false, false) => NetworkErrorKind::Other,
        };
        Self {
            call,
            kind,
            // The address may name people in its query.
            source: Some(Arc::new(error.without_url())),
        }
    }

    /// How far it came.
    pub fn kind(&self) -> NetworkErrorKind {
        self.kind
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, NetworkErrorKind::Timeout | NetworkErrorKind::ConnectTimeout)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            NetworkErrorKind::Timeout => "no answer in time",
            NetworkErrorKind::ConnectTimeout => "no connection in time",
            NetworkErrorKind::Connection => "no connection",
            NetworkErrorKind::Other => "no complete answer",
        };
        write!(f, "{what} to {}", self.call)
    }
}

impl std::error::Error for NetworkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

/// The answer of a service that refused.
///
/// ```
/// use portolan_sdk::AuthApiError;
/// use serde_json::json;
///
/// let error = AuthApiError::from_document(404, json!({
///     "errors": [{"id": "6f1c", "status": "404", "code": "PROJECT_NOT_FOUND", "title": "Not found",
///                 "detail": "No project with this id"}],
///     "error": "project_not_found",
/// }));
/// assert_eq!(error.status(), 404);
/// assert_eq!(error.code(), Some("PROJECT_NOT_FOUND"));
/// assert_eq!(error.message().as_deref(), Some("No project with this id"));
/// assert_eq!(error.request_id(), Some("6f1c"));
/// assert_eq!(error.oauth_error(), Some("project_not_found"));
/// assert_eq!(error.oauth_error_description(), None);
/// assert_eq!(error.messages(), ["No project with this id"]);
/// assert!(error.raw_json().is_some());
/// ```
#[derive(Clone)]
pub struct AuthApiError {
    method: Method,
    /// Without its query, which may name people.
    url: String,
    scheme: Option<String>,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    json: Option<Value>,
    code: Option<String>,
    messages: Vec<String>,
    errors: Vec<ErrorSubdocument>,
    request_id: Option<String>,
}

impl AuthApiError {
    /// Reads an answer. Bodies that are no JSON give an error without code and messages.
    pub(crate) fn new(
        method: Method,
        url: String,
        scheme: Option<String>,
        status: StatusCode,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Self {
        let json = match media_type(&headers) {
            Some(name) if is_json(&name) => serde_json::from_slice(&body).ok(),
            _ => None,
        };
        let mut error = Self {
            method,
            url,
            scheme,
            status,
            headers,
            body,
            json,
            code: None,
            messages: Vec::new(),
            errors: Vec::new(),
            request_id: None,
        };
        error.read_document();
        error
    }

    /// An error with this document as its body: for tests of programs that handle errors.
    pub fn from_document(status: u16, document: Value) -> Self {
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            reqwest::header::HeaderValue::from_static("application/json"),
        )]);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = document.to_string().into_bytes();
        Self::new(Method::GET, String::new(), None, status, headers, body)
    }

    fn read_document(&mut self) {
        let Some(Value::Object(document)) = &self.json else {
            return;
        };
        let document = document.clone();
        let listed = listed_errors(&document);
        let json_api = media_type(&self.headers).as_deref() == Some("application/vnd.api+json");
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let request_id_is_text = document.get("request_id").is_none_or(Value::is_string);
        if json_api && let Some(errors) = listed.clone().filter(|errors| !errors.is_empty()) {
            let subdocument = |raw| ErrorSubdocument::new(raw, &ErrorSubdocument::JSON_API_FIELDS);
            self.errors = errors.into_iter().map(subdocument).collect();
            self.code = common_code(&self.errors);
            self.messages = messages(&self.errors);
        } else {
            let raw = listed.unwrap_or_else(|| vec![document.clone()]);
            let subdocument = |raw| ErrorSubdocument::new(raw, &ErrorSubdocument::FIELDS);
            self.errors = raw.into_iter().map(subdocument).collect();
            match (text("code"), text("message")) {
                (Some(code), Some(message)) if !json_api && request_id_is_text => {
                    self.code = Some(code);
                    self.messages = vec![message];
                    self.request_id = text("request_id");
                }
                (code, _) => {
                    self.code = code.or_else(|| common_code(&self.errors));
                    self.messages = if self.errors.is_empty() {
                        messages(&[ErrorSubdocument::new(document, &ErrorSubdocument::FIELDS)])
                    } else {
                        messages(&self.errors)
                    };
                }
            }
        }
        if self.request_id.is_none() {
            self.request_id = common(self.errors.iter().map(|error| error.text("id")));
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The words that belong to the status.
    pub fn reason(&self) -> Option<&'static str> {
        self.status.canonical_reason()
    }

    /// The code, such as `FORBIDDEN`, if all errors of the document agree on one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The messages joined by `; `.
    pub fn message(&self) -> Option<String> {
        (!self.messages.is_empty()).then(|| self.messages.join("; "))
    }

    /// The message of each error.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// The errors of the document; one, if it is no list.
    pub fn errors(&self) -> &[ErrorSubdocument] {
        &self.errors
    }

    /// The id of this occurrence: what to tell the people who run the service.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref().or_else(|| {
            let header = self.headers.get("x-request-id")?;
            header.to_str().ok()
        })
    }

    /// The `error` of OAuth (RFC 6749 section 5.2), such as `invalid_grant`.
    pub fn oauth_error(&self) -> Option<&str> {
        self.raw_json()?.get("error")?.as_str()
    }

    /// The `error_description` of OAuth.
    pub fn oauth_error_description(&self) -> Option<&str> {
        self.raw_json()?.get("error_description")?.as_str()
    }

    /// The document as it is.
    pub fn raw_json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The headers of the answer.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What kind of document it says that it is.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// `authorization_parameters` as the service sent them.
    ///
    /// ```
    /// use portolan_sdk::AuthApiError;
    /// use serde_json::json;
    ///
    /// let error = AuthApiError::from_document(403, json!({
    ///     "authorization_parameters": {"session_message": "Please", "session_required_mfa": true},
    /// }));
    /// let parameters = error.authorization_parameters().expect("they are there");
    /// assert_eq!(parameters["session_message"], "Please");
    /// assert_eq!(error.info().authorization_parameters.unwrap().session_required_mfa, Some(true));
    /// ```
    pub fn authorization_parameters(&self) -> Option<&Map<String, Value>> {
        self.raw_json()?.get("authorization_parameters")?.as_object()
    }

    /// What the document says beyond code and message.
    pub fn info(&self) -> ErrorInfo {
        ErrorInfo {
            authorization_parameters: self.authorization_parameters().map(lenient_parameters),
            consent_required: self.consent_required(),
        }
    }

    fn consent_required(&self) -> Option<Vec<String>> {
        let document = self.raw_json()?;
        if document.get("code")?.as_str()? != "ConsentRequired" {
            return None;
        }
        let listed = document.get("required_scopes").and_then(text_list);
        let single = || Some(vec![document.get("required_scope")?.as_str()?.to_owned()]);
        listed.or_else(single).filter(|scopes| !scopes.is_empty())
    }
}

impl fmt::Display for AuthApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method, self.url, self.status.as_u16())?;
        if let Some(scheme) = &self.scheme {
            write!(f, " (with {scheme})")?;
        }
        if let Some(code) = self.code().or(self.oauth_error()) {
            write!(f, " {code}")?;
        }
        let message = self.message();
        let message = message.as_deref().or(self.oauth_error_description()).or(self.reason());
        if let Some(message) = message {
            write!(f, ": {message}")?;
        }
        if let Some(id) = self.request_id() {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for AuthApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthApiError")
            .field("call", &format_args!("{} {}", self.method, self.url))
            .field("status", &self.status)
            .field("code", &self.code)
            .field("messages", &self.messages)
            .field("request_id", &self.request_id())
            .field("document", &self.json)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for AuthApiError {}

#[cfg(test)]
mod tests;
