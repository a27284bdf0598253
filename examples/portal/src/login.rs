//! Signing in and out.
//!
//! A login is bound to the browser that began it: what it is about is remembered under a
//! cookie, and only the browser with that cookie can end it. The SDK checks `state`, `iss`
//! (RFC 9207) and the scopes, and proves with PKCE that who redeems the code began the login;
//! the ID token must carry the nonce of this login.

use std::sync::{Arc, PoisonError};

use axum::extract::{Form, RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use portolan_sdk::{AuthorizationParameters, Error, Flow, FlowError, FlowOptions, IdTokenDecoder, IdentityId, Secret};
use url::Url;

use crate::Portal;
use crate::browser::{cookie, now, random, set_cookie};
use crate::pages::{self, Call, Carried, Marked};

const LOGIN: &str = "portal-login";
const SESSION: &str = "portal-session";
/// How long people may take at Auth.
const LOGIN_SECONDS: i64 = 15 * 60;

/// A login that has begun.
pub struct Login {
    flow: Flow,
    nonce: String,
    /// Who was about to do what. It is remembered here and never travels through the browser,
    /// so that no address can send people anywhere.
    then: Option<(IdentityId, Call)>,
}

/// Somebody who is signed in.
pub struct Session {
    pub person: IdentityId,
    pub name: String,
    pub username: String,
    /// For the service.
    pub token: Secret,
    /// Forms carry it: other sites can make a browser send a form, but do not know this.
    pub form_token: Secret,
    pub results: Vec<String>,
    /// Said once, on the next page.
    pub message: Option<String>,
}

/// `GET /login`
pub async fn begin(State(portal): State<Arc<Portal>>) -> Response {
    send_to_auth(&portal, AuthorizationParameters::default(), None)
}

/// Sends the browser to Auth, with whatever a service has demanded.
pub fn send_to_auth(portal: &Portal, demands: AuthorizationParameters, then: Option<(IdentityId, Call)>) -> Response {
    let mut scopes = portal.scopes.clone();
    for scope in demands.required_scopes.iter().flatten() {
        scopes = format!("{scopes} {scope}");
    }
    let flow =
        FlowOptions::new(scopes.as_str()).and_then(|options| portal.app.start_flow(portal.redirect_uri(), options));
    let flow = match flow {
        Ok(flow) => flow,
        Err(error) => return pages::failed(portal, StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    let nonce = random();
    let url = flow.authorize_url_with(&demands, &[("nonce", &nonce)]);
    let login = Login { flow, nonce, then };
    let mut logins = portal.logins.lock().unwrap_or_else(PoisonError::into_inner);
    let key = logins.put(now() + LOGIN_SECONDS, login);
    let cookie = set_cookie(LOGIN, &key, LOGIN_SECONDS, portal.uses_https());
    (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response()
}

/// `GET /callback`: the browser comes back from Auth.
pub async fn end(State(portal): State<Arc<Portal>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let key = cookie(&headers, LOGIN, portal.uses_https()).unwrap_or_default();
    let login = portal.logins.lock().unwrap_or_else(PoisonError::into_inner).take(key);
    let Some(login) = login else {
        let text = "This sign-in was not begun in this browser, or took too long.";
        return pages::failed(&portal, StatusCode::BAD_REQUEST, text);
    };
    let mut then = login.then.clone();
    let (mut session, seconds) = match complete(&portal, login, &query.unwrap_or_default()).await {
        Ok(signed_in) => signed_in,
        Err(error) => return refused(&portal, &headers, &error),
    };
    let old = end_session(&portal, &headers);
    if let Some(old) = old.filter(|old| old.person == session.person) {
        session.results = old.results;
    }
    // At Auth people can sign in as somebody else, who has not asked for anything.
    if then.take_if(|(person, _)| *person != session.person).is_some() {
        session.message = Some("Somebody else wanted it done, so nothing was done.".to_owned());
    }
    // A new key: one that somebody planted in this browser before the login opens nothing.
    let key = portal
        .sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .put(now() + seconds, session);
    let answer = match then {
        Some((_, call)) => pages::carry_out(&portal, &key, call, Carried::AfterLogin).await,
        None => Redirect::to("/").into_response(),
    };
    let https = portal.uses_https();
    let cookies = [
        set_cookie(SESSION, &key, seconds, https),
        set_cookie(LOGIN, "", 0, https),
    ];
    (AppendHeaders(cookies.map(|cookie| (SET_COOKIE, cookie))), answer).into_response()
}

/// The session, and for how many seconds its token is good.
async fn complete(portal: &Portal, login: Login, query: &str) -> Result<(Session, i64), Error> {
    let tokens = login.flow.complete(query).await?;
    let claims = tokens
        .decode_id_token(&IdTokenDecoder::new(&portal.app).check_issuer())
        .await?;
    if claims.nonce.as_deref() != Some(login.nonce.as_str()) {
        return Err(FlowError::State.into());
    }
    let token = tokens.by_scopes().get(portal.service_scope.as_str())?;
    let username = claims.preferred_username.unwrap_or_default();
    let session = Session {
        person: claims.sub,
        name: claims.name.unwrap_or_else(|| username.clone()),
        username,
        token: token.access_token.clone(),
        form_token: Secret::new(random()),
        results: Vec::new(),
        message: None,
    };
    Ok((session, token.expires_at_seconds - now()))
}

/// Whoever is signed in stays so, and is told at the page where they were.
fn refused(portal: &Portal, headers: &HeaderMap, error: &Error) -> Response {
    let (status, text) = match error {
        Error::Flow(FlowError::Denied { .. }) => (StatusCode::FORBIDDEN, "You did not allow it, so nothing was done."),
        Error::Flow(FlowError::MissingScopes { .. }) => (
            StatusCode::FORBIDDEN,
            "The portal needs all that it asked for, so nothing was done.",
        ),
        Error::Flow(_) => (
            StatusCode::BAD_REQUEST,
            "This is not the end of a sign-in that was begun here.",
        ),
        error => {
            eprintln!("login: {error}");
            (
                StatusCode::BAD_GATEWAY,
                "Signing in did not work. Please try again later.",
            )
        }
    };
    if let Some(key) = session_key(portal, headers)
        && let Some(session) = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
    {
        session.message = Some(text.to_owned());
        return Redirect::to("/").into_response();
    }
    pages::failed(portal, status, text)
}

/// The key of the session of this browser, if it has one that has not ended.
pub fn session_key(portal: &Portal, headers: &HeaderMap) -> Option<String> {
    let key = cookie(headers, SESSION, portal.uses_https())?;
    let mut sessions = portal.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.get(key).map(|_| key.to_owned())
}

fn end_session(portal: &Portal, headers: &HeaderMap) -> Option<Session> {
    let key = cookie(headers, SESSION, portal.uses_https())?;
    portal.sessions.lock().unwrap_or_else(PoisonError::into_inner).take(key)
}

/// `POST /logout`: the portal forgets the person and gives the token back. Then it offers to
/// end the login at Auth, too: else whoever clicks "Sign in" next is let in without a question.
pub async fn log_out(State(portal): State<Arc<Portal>>, headers: HeaderMap, Form(form): Form<Marked>) -> Response {
    let Some(key) = session_key(&portal, &headers) else {
        return Redirect::to("/").into_response();
    };
    if !form.is_of(&portal, &key) {
        return pages::failed(&portal, StatusCode::FORBIDDEN, "This form is not of your session.");
    }
    let session = portal
        .sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(&key);
    if let Some(session) = session
        && let Err(error) = portal.app.revoke_token(session.token.expose()).await
    {
        eprintln!("logout: {error}");
    }
    let cookie = set_cookie(SESSION, "", 0, portal.uses_https());
    let Ok(mut url) = Url::parse(portal.app.base_url()).and_then(|url| url.join("v2/web/logout")) else {
        return (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to("/")).into_response();
    };
    url.query_pairs_mut()
        .append_pair("client_id", portal.app.client_id())
        .append_pair("redirect_uri", &portal.url)
        .append_pair("redirect_name", "Data Portal");
    (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(url.as_str())).into_response()
}
