//! How an [`Error`] looks to the caller. A handler returns it without knowing; these
//! layers, one for each surface, make the document: OAuth, JSON interface, or page. They
//! also bound the time of a request and turn a panic into an internal error, because only
//! here it is known in which form to say so. Errors are logged here and nowhere else.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{self, HeaderValue};
use pin_project_lite::pin_project;
use portolan_types::Timestamp;
use portolan_types::error::{ErrorDocument, ErrorElement};
use tower::{Layer, Service};

use crate::app::{App, Ctx, RequestId};
use crate::error::{Error, Kind};
use crate::http::browser;
use crate::texts::{Language, words};
use crate::web::pages::{ErrorPage, Href, Layout, Link};

/// Token, introspection, revocation: errors of RFC 6749 section 5.2 together with the list
/// of the JSON interface, so that both families of clients find theirs (wire.md 2.2.6).
pub fn render_oauth(app: &App) -> RenderLayer {
    RenderLayer {
        app: app.clone(),
        surface: Some(Surface::OAuth),
    }
}

/// The JSON interface and userinfo (wire.md 3.6.1, RFC 6750 section 3).
pub fn render_api(app: &App) -> RenderLayer {
    RenderLayer {
        app: app.clone(),
        surface: Some(Surface::Api),
    }
}

/// Pages, the authorize endpoint included while it has no redirect URI to answer to.
pub fn render_web(app: &App) -> RenderLayer {
    RenderLayer {
        app: app.clone(),
        surface: Some(Surface::Web),
    }
}

/// Paths that are of no surface: a page for browsers, the document of the JSON interface
/// for programs.
pub fn render_unknown(app: &App) -> RenderLayer {
    RenderLayer {
        app: app.clone(),
        surface: None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    OAuth,
    Api,
    Web,
}

impl Surface {
    /// Browsers name HTML when a person follows a link; programs do not.
    fn wanted(headers: &HeaderMap) -> Surface {
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        match accepted {
            Some(types) if types.contains("text/html") => Surface::Web,
            _ => Surface::Api,
        }
    }
}

#[derive(Clone)]
pub struct RenderLayer {
    app: App,
    /// None if the request decides.
    surface: Option<Surface>,
}

impl<S> Layer<S> for RenderLayer {
    type Service = RenderService<S>;

    fn layer(&self, inner: S) -> RenderService<S> {
        RenderService {
            app: self.app.clone(),
            surface: self.surface,
            inner,
        }
    }
}

#[derive(Clone)]
pub struct RenderService<S> {
    app: App,
    surface: Option<Surface>,
    inner: S,
}

impl<S> Service<Request> for RenderService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RenderFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let ctx = request
            .extensions()
            .get::<Ctx>()
            .expect("the context layer surrounds every route");
        RenderFuture {
            occasion: Occasion {
                surface: self.surface.unwrap_or_else(|| Surface::wanted(request.headers())),
                request_id: ctx.request_id,
                now: ctx.now,
                language: ctx.language,
            },
            app: self.app.clone(),
            timer: None,
            inner: self.inner.call(request),
        }
    }
}

/// Where and when an error happened.
#[derive(Clone, Copy)]
struct Occasion {
    surface: Surface,
    request_id: RequestId,
    now: Timestamp,
    language: Language,
}

pin_project! {
    pub struct RenderFuture<F> {
        #[pin]
        inner: F,
        // Most handlers wait for the store once; those that never wait need no timer.
        #[pin]
        timer: Option<tokio::time::Sleep>,
        app: App,
        occasion: Occasion,
    }
}

impl<F> Future for RenderFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner;
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(cx)));
        let response = match polled {
            Ok(Poll::Ready(Ok(response))) => response,
            Ok(Poll::Pending) => {
                if this.timer.is_none() {
                    let limit = Duration::from_secs(this.app.config.limits.request_seconds);
                    this.timer.set(Some(tokio::time::sleep(limit)));
                }
                let timer = this.timer.as_mut().as_pin_mut().expect("it was just set");
                if timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                Error::new(Kind::Timeout, "the request took too long")
                    .said(words("error-slow"))
                    .into_response()
            }
            Err(panic) => internal_error(panic.as_ref()).into_response(),
        };
        Poll::Ready(Ok(render(this.app, *this.occasion, response)))
    }
}

fn render(app: &App, occasion: Occasion, mut response: Response) -> Response {
    let Some(error) = response.extensions_mut().remove::<Arc<Error>>() else {
        return response;
    };
    log(&error, occasion.request_id);
    let mut rendered = match occasion.surface {
        Surface::OAuth => document(&error, occasion),
        Surface::Api => document(&error, occasion),
        Surface::Web => page(app, &error, occasion),
    };
    *rendered.status_mut() = error.kind().status();
    // Headers that the handler set beside the error stay, such as cookies to be removed.
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    let headers = rendered.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if occasion.surface == Surface::OAuth {
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    }
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(allow) = error.allow().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        headers.insert(header::ALLOW, allow);
    }
    if occasion.surface != Surface::Web
        && let Some(challenge) = challenge(&error, occasion.surface)
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    rendered
}

/// The JSON document of both programming surfaces. On the OAuth surface `error` and
/// `error_description` speak the words of RFC 6749, in the JSON interface they repeat
/// code and title of the list.
fn document(error: &Error, occasion: Occasion) -> Response {
    Json(error_document(error, occasion.surface, occasion.request_id.to_string())).into_response()
}

pub(super) fn error_document(error: &Error, surface: Surface, id: String) -> ErrorDocument {
    let kind = error.kind();
    let element = ErrorElement {
        status: kind.status().as_str().to_owned(),
        id,
        code: kind.api_code().into_owned(),
        title: kind.title().to_owned(),
        detail: error.detail().to_owned(),
        unapproved_scopes: error.unapproved_scopes().map(<[String]>::to_vec),
    };
    let mut document = ErrorDocument::from(element);
    // The title of a missing consent tells the program where to look; it stays.
    if surface == Surface::OAuth && kind != Kind::DependentConsentRequired {
        document.error = kind.oauth_code().to_owned();
        document.error_description = error.detail().to_owned();
    }
    document.authorization_parameters = error.authorization_parameters().cloned();
    document
}

/// RFC 9470 section 3 for a session that is too old. RFC 6750 section 3: without credentials no error code, so that a client that never
/// tried learns nothing; RFC 6749 section 5.2: Basic where clients authenticate.
fn challenge(error: &Error, surface: Surface) -> Option<HeaderValue> {
    // Beside the document for Globus clients, which need the status 403.
    if let Some(age) = error.maximum_age() {
        let text = format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"{}\", max_age=\"{}\"",
            quotable(error.detail()),
            age.as_secs()
        );
        return HeaderValue::try_from(text).ok();
    }
    let text = match (error.kind(), surface) {
        (Kind::InvalidClient, _) | (Kind::Unauthorized, Surface::OAuth) => "Basic realm=\"portolan\"".to_owned(),
        (Kind::Unauthorized, _) => "Bearer".to_owned(),
        (Kind::InvalidToken, _) => {
            format!(
                "Bearer error=\"invalid_token\", error_description=\"{}\"",
                quotable(error.detail())
            )
        }
        (Kind::InsufficientScope, _) => format!(
            "Bearer error=\"insufficient_scope\", error_description=\"{}\", scope=\"{}\"",
            quotable(error.detail()),
            quotable(error.required_scope().unwrap_or_default())
        ),
        _ => return None,
    };
    HeaderValue::try_from(text).ok()
}

/// The characters that RFC 6750 section 3 allows inside the quotes.
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect()
}

fn page(app: &App, error: &Error, occasion: Occasion) -> Response {
    let kind = error.kind();
    let language = occasion.language;
    let (text, is_foreign) = told(error, language);
    let page = ErrorPage {
        layout: Layout {
            language: occasion.language,
            title: language.text(title(kind)).to_owned(),
            request_id: occasion.request_id.to_string(),
            operator_contact: app.config.operator_contact.clone(),
            signed_in_as: None,
            administers: false,
            skin: None,
            offers_languages: false,
        },
        text,
        text_is_foreign: is_foreign,
        advice: vec![language.text(advice(kind)).to_owned()],
        link: error.way_on().map(|(path, name)| Link {
            text: language.text(name).to_owned(),
            href: Href::path(path),
        }),
        occurred_at: occasion.now.to_string(),
        error_id: occasion.request_id.to_string(),
        error_code: kind.api_code().into_owned(),
    };
    let Ok(html) = page.render() else {
        return "The error page could not be shown.".into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, ERROR_PAGE_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    let mut response = (headers, html).into_response();
    browser::speaks(response.headers_mut(), occasion.language);
    response
}

/// An error page has no form.
const ERROR_PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                                 form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound(_) => "error-not-found-title",
        Kind::Timeout => "error-slow-title",
        Kind::Internal => "error-internal",
        Kind::InvalidClient | Kind::Unauthorized | Kind::InvalidToken => "error-unauthorized",
        Kind::InsufficientScope | Kind::Forbidden => "error-forbidden",
        Kind::UnknownScope => "error-unknown-scopes",
        Kind::MethodNotAllowed => "error-method",
        Kind::Conflict => "error-conflict",
        Kind::TooManyRequests => "error-too-many",
        Kind::Unavailable => "error-unavailable",
        Kind::AccessDenied => "error-access-denied",
        _ => "error-bad-request",
    }
}

/// What went wrong, and whether it is told in another language than the page: details for
/// the people who make apps are in English alone.
fn told(error: &Error, language: Language) -> (String, bool) {
    match (error.words(), error.kind()) {
        (Some(words), _) => (language.words(words), false),
        (None, Kind::NotFound(noun)) if language != Language::En => {
            let noun = noun.replace(' ', "-");
            (language.say("error-not-found").arg("noun", noun).to_string(), false)
        }
        _ => (sentence(error.detail()), language != Language::En),
    }
}

/// What the person can do next.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::TooManyRequests | Kind::Unavailable | Kind::Timeout => "error-advice-wait",
        Kind::Internal => "error-advice-again",
        Kind::NotFound(_) | Kind::MethodNotAllowed => "error-advice-address",
        _ => "error-advice-app",
    }
}

/// Details are fragments; a page speaks in sentences.
pub fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    let Some(first) = characters.next() else {
        return String::new();
    };
    let end = if detail.ends_with(['.', '!', '?', ':']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}

/// For panics outside of every surface; called by the context layer.
pub fn panicked(panic: &(dyn Any + Send), request_id: RequestId) -> Response {
    let error = internal_error(panic);
    log(&error, request_id);
    let occasion = Occasion {
        surface: Surface::Api,
        request_id,
        now: Timestamp::from_micros(0),
        language: Language::En,
    };
    let mut response = document(&error, occasion);
    *response.status_mut() = error.kind().status();
    response
}

fn internal_error(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panic: {}", text.unwrap_or("without words")))
}

/// Faults of ours with their causes at error level, all others at info. The detail may
/// quote the caller, so it is written with its control characters escaped.
fn log(error: &Error, request_id: RequestId) {
    let code = error.kind().oauth_code();
    match error.kind() {
        Kind::Internal | Kind::Unavailable => {
            tracing::error!(%request_id, code, detail = error.detail(), cause = chain(error), "request failed");
        }
        _ => tracing::info!(%request_id, code, detail = ?error.detail(), "request refused"),
    }
}

fn chain(error: &Error) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http_body_util::BodyExt;
    use portolan_types::error::AuthorizationParameters;
    use serde_json::{Value, json};

    use super::*;

    const REQUEST_ID: &str = "request id";

    fn occasion(surface: Surface) -> Occasion {
        Occasion {
            surface,
            request_id: RequestId::new(),
            now: Timestamp::from_seconds(0),
            language: Language::En,
        }
    }

    /// The document without its id, and its challenge.
    fn rendered(surface: Surface, error: &Error) -> (Value, Option<String>) {
        let response = document(error, occasion(surface));
        let body = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(response.into_body().collect())
            .unwrap()
            .to_bytes();
        let mut document: Value = serde_json::from_slice(&body).unwrap();
        let id = document["errors"][0]["id"].take();
        assert_eq!(id.as_str().unwrap().len(), 32);
        document["errors"][0]["id"] = REQUEST_ID.into();
        (
            document,
            challenge(error, surface).map(|value| value.to_str().unwrap().to_owned()),
        )
    }

    #[test]
    fn failed_client_authentication_speaks_to_both_families_of_clients() {
        let (document, challenge) = rendered(Surface::OAuth, &Error::invalid_client());
        assert_eq!(
            document,
            json!({
                "error": "invalid_client",
                "error_description": "Basic auth failed",
                "errors": [{"status": "401", "id": REQUEST_ID, "code": "UNAUTHORIZED", "title": "Unauthorized",
                            "detail": "Basic auth failed"}],
            })
        );
        assert_eq!(challenge.unwrap(), "Basic realm=\"portolan\"");
    }

    #[test]
    fn the_json_interface_repeats_code_and_title() {
        let (document, challenge) = rendered(Surface::Api, &Error::unauthorized("Call must be authenticated"));
        assert_eq!(
            document,
            json!({
                "error": "unauthorized",
                "error_description": "Unauthorized",
                "errors": [{"status": "401", "id": REQUEST_ID, "code": "UNAUTHORIZED", "title": "Unauthorized",
                            "detail": "Call must be authenticated"}],
            })
        );
        assert_eq!(challenge.unwrap(), "Bearer");
    }

    #[test]
    fn a_missing_dependent_consent_is_the_recorded_document() {
        let error = Error::dependent_consent_required(vec!["urn:a".into(), "urn:b".into()]);
        let title = "User must approve your client using scopes. See 'unapproved_scopes'.";
        let (document, challenge) = rendered(Surface::OAuth, &error);
        assert_eq!(
            document,
            json!({
                "error": "dependent_consent_required",
                "error_description": title,
                "errors": [{"code": "DEPENDENT_CONSENT_REQUIRED", "id": REQUEST_ID, "status": "403", "title": title,
                            "detail": "User hasn't approved the following scopes: urn:a urn:b",
                            "unapproved_scopes": ["urn:a", "urn:b"]}],
            })
        );
        assert_eq!(challenge, None);
    }

    #[test]
    fn a_demand_for_a_better_session_is_carried_along() {
        let parameters = AuthorizationParameters {
            session_message: Some("log in".into()),
            ..Default::default()
        };
        let (document, _) = rendered(Surface::Api, &Error::forbidden("log in").requiring(parameters));
        assert_eq!(
            document["authorization_parameters"],
            json!({"session_message": "log in"})
        );
        assert_eq!(document["errors"][0]["code"], "FORBIDDEN");
    }

    #[test]
    fn challenges_by_kind() {
        let cases = [
            (
                Error::unauthorized("x"),
                Surface::OAuth,
                Some("Basic realm=\"portolan\""),
            ),
            (Error::unauthorized("x"), Surface::Api, Some("Bearer")),
            (Error::invalid_client(), Surface::Api, Some("Basic realm=\"portolan\"")),
            (
                Error::invalid_token("a \"quoted\\\r\nx: y"),
                Surface::Api,
                Some("Bearer error=\"invalid_token\", error_description=\"a quotedx: y\""),
            ),
            (
                Error::insufficient_scope("openid"),
                Surface::Api,
                Some(
                    "Bearer error=\"insufficient_scope\", error_description=\"the token lacks the scope openid\", \
                     scope=\"openid\"",
                ),
            ),
            (Error::forbidden("x"), Surface::Api, None),
            (Error::not_found("client"), Surface::Api, None),
            (Error::invalid_grant("x"), Surface::OAuth, None),
        ];
        for (error, surface, expected) in cases {
            let challenge = challenge(&error, surface);
            assert_eq!(
                challenge.as_ref().map(|value| value.to_str().unwrap()),
                expected,
                "{error}"
            );
        }
    }

    #[test]
    fn details_become_sentences() {
        assert_eq!(sentence("the request took too long"), "The request took too long.");
        assert_eq!(sentence("Already one."), "Already one.");
        assert_eq!(sentence(""), "");
    }
}
