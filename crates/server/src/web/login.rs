//! Signing in with a local account.
//!
//! What is wrong is never told apart: an unknown name and a wrong password take the same
//! time and give the same words (standards.md AA6). Failures slow down further attempts
//! for the account; a browser that the account was used in before is counted apart, so
//! that a stranger's guesses cannot keep the owner out (AA5, threats.md 20).

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{IdentityId, Secret, Timestamp};
use uuid::Uuid;

use super::choice::{self, Asked, Choice};
use super::demands::Demands;
use super::destination::Destination;
use super::device::Device;
use super::linking::Linking;
use super::pages::sign_in::{LoginPage, LoginReason};
use super::pages::{FormErrors, Href, Link};
use super::{
    SignedIn, Waiting, factor, find_session, find_waiting, layout, render, request_id, resume, sign_in, speaking,
};
use crate::app::{App, Ctx};
use crate::config::SignUp;
use crate::domain::attempts::Judged;
use crate::domain::session::Proof;
use crate::domain::{attempts, factors, identity, linking};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy};
use crate::http::extract::{Form, Params, Query};
use crate::metrics::Login;
use crate::store::identities::Identity;
use crate::store::{authorization_requests, identities, passwords};

/// `GET /p/login`
pub async fn login_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let id = request_id(&params)?;
    let known = Cookie::read(&headers, &app.config);
    let destination = Destination::read(&params);
    let asked = Asked::new(&app, &headers, params.get(choice::SEARCH));
    let used_here = Device::read(&app, &headers).map(|device| device.identity);
    let state = load(&app, &ctx, known.as_ref(), id, destination, used_here, asked).await?;
    if state.has_nothing_to_do(&ctx) {
        return Ok(Redirect::to(&state.destination.path()).into_response());
    }
    let cookie = known.clone().unwrap_or_else(Cookie::generate);
    let username = state.suggested_username();
    let mut response = show(&app, &ctx, &cookie, &state, username, FormErrors::none())?;
    if known.is_none() {
        let (name, value) = cookie.set(&app.config);
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

pub(super) struct LoginState {
    pub(super) waiting: Option<Waiting>,
    signed_in: Option<SignedIn>,
    /// What the request, or the destination, demands and the session does not have yet.
    demands: Demands,
    /// Where to go without a request that waits.
    pub(super) destination: Destination,
    /// Other ways to sign in.
    choice: Choice,
    /// The link that the sign-in is for.
    linking: Option<Linking>,
    /// An account of the person that the destination needs.
    needed: Option<String>,
}

impl LoginState {
    /// The account that the app asks for or hints at.
    fn suggested_username(&self) -> String {
        let hint = || self.waiting.as_ref()?.request.login_hint.clone();
        let demanded = self.demands.username.clone().or_else(|| self.needed.clone());
        demanded.or_else(hint).unwrap_or_default()
    }

    /// The request that gives the pages their language.
    pub(super) fn speaker(&self) -> Option<&Waiting> {
        let for_link = self.linking.as_ref().and_then(|linking| linking.waiting.as_ref());
        self.waiting.as_ref().or(for_link)
    }

    /// Without a request or a link to wait for, a person who has signed in, and recently
    /// enough, has nothing to do here.
    fn has_nothing_to_do(&self, ctx: &Ctx) -> bool {
        let Some(person) = &self.signed_in else { return false };
        let enough = !self.destination.needs_new_login(person, ctx.now);
        self.waiting.is_none() && self.linking.is_none() && enough && self.demands.words.is_empty()
    }
}

pub(super) async fn load(
    app: &App,
    ctx: &Ctx,
    cookie: Option<&Cookie>,
    id: Option<Uuid>,
    destination: Destination,
    used_here: Option<IdentityId>,
    asked: Asked,
) -> Result<LoginState> {
    let hash = cookie.map(|cookie| cookie.hash);
    let (shared, ctx) = (app.clone(), ctx.clone());
    // A search reads as many rows as its words have.
    let searches = asked.search.is_some();
    let work = move |tx: &mut ReadTx| {
        let session = match &hash {
            Some(hash) => find_session(tx, &shared, &ctx, hash)?,
            None => None,
        };
        let (session, signed_in) = session.map_or((None, None), |(id, person)| (Some(id), person));
        let mut demands = Demands::default();
        let waiting = match (id, session) {
            (None, _) => None,
            (Some(_), None) => return Err(super::expired()),
            (Some(id), Some(session)) => {
                let waiting = find_waiting(tx, &ctx, session, id)?;
                demands = Demands::of(tx, &ctx, &waiting, session, used_here)?;
                Some(waiting)
            }
        };
        if let (Some(session), true) = (session, destination.changes_links())
            && linking::lacks_second_factor_here(tx, ctx.now, session)?
        {
            demands.add_two_factors(&ctx);
        }
        let linking = match (&destination, session) {
            (Destination::Link(id), Some(session)) => Some(Linking::find(tx, &ctx, session, *id)?),
            (Destination::Link(_), None) => return Err(linking::gone()),
            _ => None,
        };
        let for_link = linking.as_ref().and_then(|linking| linking.waiting.as_ref());
        let wants_domain = demands.domains || waiting.is_none();
        let choice = choice::load(tx, waiting.as_ref().or(for_link), wants_domain, &asked)?;
        // Only of their own: the address of this page is anybody's words.
        let needed = match (&destination, &signed_in) {
            (Destination::Administer(_, Some(id)), Some(person)) => {
                identities::find(tx, *id)?.filter(|needed| needed.set_id == person.identity.set_id)
            }
            _ => None,
        };
        Ok(LoginState {
            needed: needed.map(|identity| identity.username),
            choice,
            waiting,
            signed_in,
            demands,
            destination: destination.clone(),
            linking,
        })
    };
    if searches {
        app.db.read(work).await
    } else {
        app.db.read_briefly(work).await
    }
}

pub(super) fn show(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    state: &LoginState,
    username: String,
    errors: FormErrors,
) -> Result<Response> {
    let waiting = state.waiting.as_ref();
    let ctx = &speaking(ctx, state.speaker());
    let title = match state.linking {
        Some(_) => ctx.text("login-title-linking"),
        None => ctx.text("login-title"),
    };
    let page = LoginPage {
        layout: match waiting {
            Some(waiting) => waiting.layout(app, ctx, title, state.signed_in.as_ref()),
            None => layout(app, ctx, title, state.signed_in.as_ref()),
        },
        action: "/p/login".into(),
        form_token: cookie.form_token(app),
        request: waiting.map(|waiting| waiting.parked.id.to_string()),
        client: waiting.map(Waiting::client_view),
        username,
        reason: match (&state.linking, waiting) {
            (Some(linking), _) => linking.reason(),
            (None, Some(waiting)) => reason(waiting, state.signed_in.as_ref(), &state.demands, ctx.now),
            (None, None) if !state.demands.words.is_empty() => LoginReason::StepUp(state.demands.words.clone()),
            (None, None) if state.signed_in.is_some() => LoginReason::TooLongAgo,
            (None, None) => LoginReason::NotSignedIn,
        },
        session_message: waiting.and_then(|waiting| waiting.request.session_message.clone()),
        errors,
        ways: ways(app, ctx),
        carried: state.destination.fields(),
        passkey: factor::sign_in_options(app, ctx, cookie),
        choice: {
            let request = waiting.map(|waiting| waiting.parked.id.to_string());
            state.choice.view(request.as_deref(), &state.destination)
        },
        can_cancel: waiting.is_some() || state.linking.is_some(),
        time_limit: waiting.and_then(|waiting| waiting.time_left(ctx)),
    };
    render(&page, &waiting.map_or_else(PagePolicy::default, Waiting::policy))
}

/// Only where messages reach people.
fn ways(app: &App, ctx: &Ctx) -> Vec<Link> {
    let link = |text: &str, path: &str| Link {
        text: text.to_owned(),
        href: Href::path(path),
    };
    let mut ways = Vec::new();
    if app.config.sends_mail() {
        ways.push(link(ctx.text("login-forgot"), "/p/reset"));
        if app.config.sign_up == SignUp::Open {
            ways.push(link(ctx.text("login-create-account"), "/p/sign-up"));
        }
    }
    ways
}

/// Why a person who may be signed in is asked to sign in.
fn reason(waiting: &Waiting, signed_in: Option<&SignedIn>, demands: &Demands, now: Timestamp) -> LoginReason {
    let request = &waiting.request;
    let words = &demands.words;
    let Some(signed_in) = signed_in else {
        return if words.is_empty() {
            LoginReason::NotSignedIn
        } else {
            LoginReason::Demanded(words.clone())
        };
    };
    let is_within = |seconds| signed_in.authentication.is_within(Duration::from_secs(seconds), now);
    match request.max_age {
        _ if !words.is_empty() => LoginReason::StepUp(words.clone()),
        _ if request.prompt.login || request.prompt.select_account => LoginReason::AskedAgain,
        Some(seconds) if !is_within(seconds) => LoginReason::TooLongAgo,
        _ => LoginReason::AskedAgain,
    }
}

/// `POST /p/login`
pub async fn login(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let Form(form) = form?;
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(crate::http::browser::stale_form)?;
    let asked = Asked::new(&app, &headers, None);
    if let Err(stale) = cookie.check_form(&app, &form) {
        return form_again(&app, &ctx, &cookie, &form, asked, stale).await;
    }
    let id = request_id(&form)?;
    let used_here = Device::read(&app, &headers).map(|device| device.identity);
    let state = load(
        &app,
        &ctx,
        Some(&cookie),
        id,
        Destination::read(&form),
        used_here,
        asked,
    )
    .await?;
    if let (Some(id), Some("deny")) = (id, form.get("decision")) {
        app.db
            .write(move |tx| authorization_requests::decide(tx, id, "deny"))
            .await?;
        return Ok(resume(id));
    }
    if let (Some(linking), Some("deny")) = (&state.linking, form.get("decision")) {
        return linking.cancel(&app).await;
    }
    let username = form.get("username").unwrap_or("").to_owned();
    let speaking = speaking(&ctx, state.speaker());
    let refuse = |errors: FormErrors, status: StatusCode| {
        let mut response = show(&app, &ctx, &cookie, &state, username.clone(), errors)?;
        *response.status_mut() = status;
        Ok(response)
    };
    let attempt = Attempt::new(&app, &headers, &form);
    match attempt.run(&app, &ctx).await {
        Ok(Proven { identity, alone }) => {
            let request = state.waiting.as_ref().map(|waiting| waiting.parked.id);
            if !alone {
                return factor::begin(&app, &ctx, &cookie, request, &state.destination, &identity, &["pwd"]).await;
            }
            let proof = Proof::now(&ctx, &["pwd"]);
            sign_in::complete(&app, &ctx, &cookie, request, &state.destination, identity, proof).await
        }
        Err(Refused::Wrong) => {
            app.metrics.login(Login::Failure);
            let text = speaking.text("login-wrong");
            refuse(FormErrors::whole(text), StatusCode::UNAUTHORIZED)
        }
        Err(Refused::Later(delay)) => {
            app.metrics.login(Login::Limited);
            let response = refuse(too_many(&speaking, delay), StatusCode::TOO_MANY_REQUESTS)?;
            Ok(retry_after(response, delay))
        }
        Err(Refused::Error(error)) => Err(error),
    }
}

/// A form with another browser's token counts for nothing. Mostly it is of this very browser,
/// in a tab that was open before the person signed in in another one, which changes the
/// cookie. They get the form of today; what was filled in is not taken over, because another
/// site may have filled it in.
async fn form_again(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    form: &Params,
    asked: Asked,
    stale: Error,
) -> Result<Response> {
    let Ok(id) = request_id(form) else { return Err(stale) };
    let Ok(state) = load(app, ctx, Some(cookie), id, Destination::read(form), None, asked).await else {
        return Err(stale);
    };
    if state.has_nothing_to_do(ctx) {
        return Ok(Redirect::to(&state.destination.path()).into_response());
    }
    let speaking = speaking(ctx, state.speaker());
    let text = speaking.text("login-out-of-date");
    let mut response = show(
        app,
        ctx,
        cookie,
        &state,
        state.suggested_username(),
        FormErrors::whole(text),
    )?;
    *response.status_mut() = StatusCode::FORBIDDEN;
    Ok(response)
}

pub(super) fn too_many(ctx: &Ctx, delay: Duration) -> FormErrors {
    let text = match delay.as_secs().max(1) {
        seconds @ 1..=90 => ctx.say("login-too-many-seconds").count("count", seconds),
        seconds => ctx.say("login-too-many-minutes").count("count", seconds.div_ceil(60)),
    };
    FormErrors::whole(text.to_string())
}

pub(super) fn retry_after(mut response: Response, delay: Duration) -> Response {
    let seconds = delay.as_secs().max(1);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What the person typed, and whether this browser was used for that account before.
struct Attempt {
    username: String,
    password: Secret,
    device: Option<Device>,
}

/// The password is right.
struct Proven {
    identity: Identity,
    /// Whether it is enough, or the account has a second factor.
    alone: bool,
}

enum Refused {
    Wrong,
    Later(Duration),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Refused::Error(error.into())
    }
}

impl Attempt {
    fn new(app: &App, headers: &HeaderMap, form: &Params) -> Self {
        Self {
            username: identity::typed_username(form.get("username").unwrap_or(""), &app.config.local_domain),
            password: Secret::new(form.get("password").unwrap_or("")),
            device: Device::read(app, headers),
        }
    }

    async fn run(&self, app: &App, ctx: &Ctx) -> Result<Proven, Refused> {
        app.limits.login(ctx.address)?;
        let username = self.username.clone();
        let found = app
            .db
            .read(move |tx| {
                let Some(identity) = identities::find_by_username(tx, &username)? else {
                    return Ok::<_, Error>(None);
                };
                let hash = passwords::find(tx, identity.id)?;
                Ok(Some((identity, hash)))
            })
            .await?;
        let known = self.device.as_ref().filter(|device| {
            found
                .as_ref()
                .is_some_and(|(identity, _)| identity.id == device.identity)
        });
        let counter = attempts::counter(known.map(|device| device.nonce.as_str()), &self.username);
        if known.is_none() {
            app.limits.unknown_browser()?;
        }
        let (name, unit_ctx) = (counter.clone(), ctx.clone());
        if let Some(delay) = app.db.read(move |tx| attempts::wait(tx, &unit_ctx, &name)).await? {
            return Err(Refused::Later(delay));
        }
        let usable = found
            .and_then(|(identity, hash)| Some((identity, hash?)))
            .filter(|(identity, _)| identity.is_live());
        let (is_right, needs_rehash) = match &usable {
            Some((_, hash)) => {
                let verified = app.hasher.verify(hash, self.password.clone()).await?;
                (verified.ok, verified.needs_rehash)
            }
            None => {
                app.hasher.verify_nobody(self.password.clone()).await?;
                (false, false)
            }
        };
        // Others may have failed while this one waited for its hash.
        if known.is_none() {
            app.limits.unknown_browser()?;
        }
        if !is_right {
            app.limits.failed_login();
        }
        let stronger = if is_right && needs_rehash {
            Some(app.hasher.hash(self.password.clone()).await?)
        } else {
            None
        };
        let (id, hash) = usable
            .as_ref()
            .map(|(identity, hash)| (identity.id, hash.clone()))
            .unzip();
        let unit_ctx = ctx.clone();
        let (judged, alone) = app
            .db
            .write(move |tx| {
                let judged = attempts::judge(tx, &unit_ctx, &counter, id, "pwd", is_right)?;
                let (Judged::Right, Some(id), Some(hash)) = (judged, id, &hash) else {
                    return Ok((judged, false));
                };
                // With a second step to come the failures stay: else the right password
                // would give new attempts to guess codes.
                let alone = !factors::has_second_factor(tx, id)?;
                if alone {
                    attempts::clear(tx, &counter)?;
                }
                if let Some(stronger) = &stronger {
                    passwords::update_hash(tx, id, hash, stronger)?;
                }
                Ok::<_, Error>((judged, alone))
            })
            .await?;
        match (judged, usable) {
            (Judged::Right, Some((identity, _))) => Ok(Proven { identity, alone }),
            (Judged::Later(delay), _) => Err(Refused::Later(delay)),
            _ => Err(Refused::Wrong),
        }
    }
}
