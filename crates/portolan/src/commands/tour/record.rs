//! What goes over the line, as it goes: a layer around the server's routes keeps each request
//! with its answer. Secrets and tokens are shortened before they are kept.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use url::form_urlencoded;

/// Far more than anything in the tour.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Members and parameters that would open something, or are there to be guessed by nobody.
const SECRETS: [&str; 11] = [
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "code",
    "code_verifier",
    "state",
    "nonce",
    "request",
    "form_token",
    "dependent_tokens_cache_id",
];

#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Exchange>>>);

/// One request and its answer.
#[derive(Debug)]
pub struct Exchange {
    pub who: String,
    pub method: String,
    pub path: String,
    /// Of the query and of the form.
    pub parameters: Vec<(String, String)>,
    /// How the caller proved who it is, without the proof.
    pub proof: Option<String>,
    pub status: u16,
    pub answer: Answer,
}

#[derive(Debug)]
pub enum Answer {
    Nothing,
    /// The browser is sent there.
    Redirect(String),
    /// The heading of a page for people.
    Page(String),
    Document(Value),
}

impl Recorder {
    /// What came since the last call.
    pub fn take(&self) -> Vec<Exchange> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The layer.
pub async fn record(State(recorder): State<Recorder>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(sent) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut parameters = pairs(parts.uri.query().unwrap_or_default().as_bytes());
    if header(&parts.headers, CONTENT_TYPE).starts_with("application/x-www-form-urlencoded") {
        parameters.extend(pairs(&sent));
    }
    let agent = header(&parts.headers, USER_AGENT);
    let mut exchange = Exchange {
        who: agent.rsplit('/').next().unwrap_or(agent).to_owned(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        parameters,
        proof: proof(header(&parts.headers, AUTHORIZATION)),
        status: 0,
        answer: Answer::Nothing,
    };
    let (answer, body) = next
        .run(Request::from_parts(parts, Body::from(sent)))
        .await
        .into_parts();
    let Ok(received) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    exchange.status = answer.status.as_u16();
    exchange.answer = read(&answer.headers, &received);
    recorder.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    Response::from_parts(answer, Body::from(received))
}

fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .map(|(name, value)| (name.to_string(), shown(&name, &value)))
        .collect()
}

fn proof(authorization: &str) -> Option<String> {
    match authorization.split_once(' ')? {
        ("Basic", _) => Some("its id and its secret".to_owned()),
        (scheme, token) => Some(format!("{scheme} {}", shorten(token))),
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Answer {
    let location = header(headers, LOCATION);
    if !location.is_empty() {
        return Answer::Redirect(redirect(location));
    }
    let kind = header(headers, CONTENT_TYPE);
    if kind.starts_with("application/json")
        && let Ok(mut document) = serde_json::from_slice(body)
    {
        hide(&mut document);
        return Answer::Document(document);
    }
    if kind.starts_with("text/html") {
        return Answer::Page(heading(&String::from_utf8_lossy(body)));
    }
    Answer::Nothing
}

/// An address, with what its parameters hide.
fn redirect(location: &str) -> String {
    let Some((before, query)) = location.split_once('?') else {
        return location.to_owned();
    };
    let shown: Vec<String> = pairs(query.as_bytes())
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{before}?{}", shown.join("&"))
}

/// The words of the first heading.
fn heading(page: &str) -> String {
    let inside = page.split_once("<h1").and_then(|(_, rest)| rest.split_once('>'));
    let inside = inside.and_then(|(_, rest)| rest.split_once("</h1>"));
    let mut words = String::new();
    for piece in inside.map_or("", |(inside, _)| inside).split('<') {
        words.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hide(document: &mut Value) {
    match document {
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    // In a document this is a word that says what went wrong.
                    Value::String(_) if name == "code" => {}
                    Value::String(text) => *text = shown(name, text),
                    other => hide(other),
                }
            }
        }
        _ => {}
    }
}

fn shown(name: &str, value: &str) -> String {
    if name == "password" {
        return "…".to_owned();
    }
    if SECRETS.contains(&name) {
        return shorten(value);
    }
    value.to_owned()
}

/// Enough to know it again, far too little to use it.
fn shorten(secret: &str) -> String {
    let begin: String = secret.chars().take(9).collect();
    if begin.len() < secret.len() {
        format!("{begin}…")
    } else {
        begin
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_opens_something_is_shortened_wherever_it_stands() {
        let token = "AgPA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL";
        let mut document = json!({
            "access_token": token, "scope": "openid", "active": true,
            "other_tokens": [{"refresh_token": token, "resource_server": "Index"}],
            "errors": [{"code": "DEPENDENT_CONSENT_REQUIRED"}],
        });
        hide(&mut document);
        let location = redirect(&format!(
            "https://p.example/cb?code={token}&state={token}&iss=http://localhost:1"
        ));
        let form = pairs(format!("grant_type=x&token={token}&password=hunter2").as_bytes());

        let everything = format!("{document} {location} {form:?} {:?}", proof(&format!("Bearer {token}")));

        assert!(
            !everything.contains(&token[..12]) && !everything.contains("hunter2"),
            "{everything}"
        );
        assert_eq!(everything.matches("AgPA01234…").count(), 6, "{everything}");
        assert_eq!(document["other_tokens"][0]["resource_server"], "Index");
        assert_eq!(document["errors"][0]["code"], "DEPENDENT_CONSENT_REQUIRED");
        assert_eq!(proof("Basic YWxhZGRpbjpvcGVu").unwrap(), "its id and its secret");
    }

    #[test]
    fn a_page_is_known_by_its_heading() {
        let page = "<html><h1 class=\"x\">\n  <strong>Data Portal</strong> asks\n for access</h1><h1>no</h1></html>";

        assert_eq!(heading(page), "Data Portal asks for access");
        assert_eq!(heading("<p>none</p>"), "");
    }
}
