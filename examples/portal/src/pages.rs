//! What people see, and the calls to the service that they make here.

use std::sync::{Arc, PoisonError};

use askama::Template;
use axum::extract::{Form, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use portolan_sdk::{AuthorizationParameters, Secret, gare};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Portal;
use crate::login::{send_to_auth, session_key};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    message: Option<String>,
    person: Option<Person>,
}

struct Person {
    name: String,
    username: String,
    form_token: String,
    results: Vec<String>,
}

/// A call to the service.
#[derive(Clone)]
pub enum Call {
    Scan { sample: String, findable: bool },
    Calibrate,
}

/// Whether a call is made the first time. After a login it is not asked for another one: else
/// a service that is never content would keep the browser going in circles.
#[derive(Clone, Copy, PartialEq)]
pub enum Carried {
    First,
    AfterLogin,
}

/// The mark that every form of a session carries.
#[derive(Deserialize)]
pub struct Marked {
    form_token: String,
}

#[derive(Deserialize)]
pub struct ScanForm {
    form_token: String,
    sample: String,
    findable: Option<String>,
}

impl Marked {
    /// Secrets are compared in constant time.
    pub fn is_of(&self, portal: &Portal, key: &str) -> bool {
        let mut sessions = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(key);
        session.is_some_and(|session| session.form_token == Secret::new(&self.form_token))
    }
}

/// `GET /`
pub async fn home(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    let Some(key) = session_key(&portal, &headers) else {
        return page(&portal, StatusCode::OK, None, None);
    };
    let mut sessions = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(session) = sessions.get(&key) else {
        return page(&portal, StatusCode::OK, None, None);
    };
    let message = session.message.take();
    let person = Person {
        name: session.name.clone(),
        username: session.username.clone(),
        form_token: session.form_token.expose().to_owned(),
        results: session.results.clone(),
    };
    page(&portal, StatusCode::OK, message, Some(person))
}

/// `POST /scans`
pub async fn scan(State(portal): State<Arc<Portal>>, headers: HeaderMap, Form(form): Form<ScanForm>) -> Response {
    let mark = Marked {
        form_token: form.form_token,
    };
    let call = Call::Scan {
        sample: form.sample,
        findable: form.findable.is_some(),
    };
    called(&portal, &headers, &mark, call).await
}

/// `POST /calibrations`
pub async fn calibrate(State(portal): State<Arc<Portal>>, headers: HeaderMap, Form(mark): Form<Marked>) -> Response {
    called(&portal, &headers, &mark, Call::Calibrate).await
}

async fn called(portal: &Portal, headers: &HeaderMap, mark: &Marked, call: Call) -> Response {
    let Some(key) = session_key(portal, headers) else {
        return Redirect::to("/").into_response();
    };
    if !mark.is_of(portal, &key) {
        return failed(portal, StatusCode::FORBIDDEN, "This form is not of your session.");
    }
    carry_out(portal, &key, call, Carried::First).await
}

/// Calls the service with the person's token. What the service wants of the person beforehand
/// is met by another login, after which the call is made again.
pub async fn carry_out(portal: &Portal, key: &str, call: Call, carried: Carried) -> Response {
    let token = {
        let mut sessions = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(key).map(|session| session.token.clone())
    };
    let Some(token) = token else {
        return Redirect::to("/").into_response();
    };
    let (path, document) = match &call {
        Call::Scan { sample, findable } => ("scans", json!({ "sample": sample, "findable": findable })),
        Call::Calibrate => ("calibrations", json!({})),
    };
    let request = portal.http.post(format!("{}/{path}", portal.service_url));
    let (status, answer) = match request.bearer_auth(token.expose()).json(&document).send().await {
        Ok(answer) => (answer.status(), answer.json::<Value>().await.unwrap_or_default()),
        Err(error) => {
            eprintln!("{path}: {error}");
            (StatusCode::BAD_GATEWAY, Value::Null)
        }
    };
    let mut sessions = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(session) = sessions.get(key) else {
        return Redirect::to("/").into_response();
    };
    if status.is_success() {
        session.results.push(result(&call, &answer));
        return Redirect::to("/").into_response();
    }
    let demands = match status {
        // The token has ended, or the permission was withdrawn.
        StatusCode::UNAUTHORIZED => Some(AuthorizationParameters::default()),
        StatusCode::FORBIDDEN => gare::to_gare(&answer).map(|gare| gare.authorization_parameters),
        _ => None,
    };
    if let Some(demands) = demands.filter(|_| carried == Carried::First) {
        let person = session.person;
        drop(sessions);
        return send_to_auth(portal, demands, Some((person, call)));
    }
    session.message = Some(format!("Beamline did not do it: {}", words(&answer)));
    Redirect::to("/").into_response()
}

fn result(call: &Call, answer: &Value) -> String {
    match call {
        Call::Scan { sample, .. } if answer["findable"] == true => format!("{sample}: scanned, archived and findable"),
        Call::Scan { sample, .. } => format!("{sample}: scanned and archived"),
        Call::Calibrate => "Calibrated".to_owned(),
    }
}

fn words(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or("no answer that can be read")
}

/// A page that says what went wrong.
pub fn failed(portal: &Portal, status: StatusCode, message: &str) -> Response {
    page(portal, status, Some(message.to_owned()), None)
}

fn page(portal: &Portal, status: StatusCode, message: Option<String>, person: Option<Person>) -> Response {
    let Ok(html) = (HomePage { message, person }).render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // Forms of this page may lead to Auth, because a call may need another login.
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        portal.auth_origin()
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(html)).into_response()
}

/// `GET /portal.css`
pub async fn style() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../templates/portal.css"),
    )
}
