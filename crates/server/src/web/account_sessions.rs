//! Where a person is signed in, and ending it (standards.md AC1, decisions.md section 5).
//!
//! Ending a session here ends the tokens that apps got through it as well, which a logout
//! does not: somebody who does this has lost a device, or does not know it. So sessions
//! that were left already stay in the list as long as tokens of them may be alive.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, TokenHash};

use super::destination::Destination;
use super::pages::Moment;
use super::pages::account::{PlaceView, SessionsPage, SignIn};
use super::{SignedIn, find_session, layout, render, user_agent};
use crate::app::{App, Ctx};
use crate::domain::identity;
use crate::domain::session::{self, Place};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form, clear_cookie, session_lifetimes};
use crate::http::extract::{Form, Query};
use crate::store::audit::Actor;
use crate::store::{clients, identities};
use crate::texts::Language;

pub const SESSIONS: &str = "/p/account/sessions";

/// `GET /p/account/sessions`
pub async fn sessions_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return Ok(sign_in_first());
    };
    let (shared, unit_ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    let found = app
        .db
        .read(move |tx| {
            let Some(own) = Own::find(tx, &shared, &unit_ctx, &hash)? else {
                return Ok::<_, Error>(None);
            };
            let views = own.views(tx, unit_ctx.language)?;
            Ok(Some((own, views)))
        })
        .await?;
    let Some((own, places)) = found else {
        return Ok(sign_in_first());
    };
    let page = SessionsPage {
        layout: layout(&app, &ctx, ctx.text("sessions-title"), Some(&own.person)),
        action: SESSIONS.into(),
        form_token: cookie.form_token(&app),
        has_others: places.iter().any(|place| !place.here),
        places,
        ended: params.get("notice") == Some("ended"),
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/account/sessions` with `session`, an id of the page, or `others`.
pub async fn end_sessions(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let wanted = form.require("session")?.to_owned();
    let (shared, unit_ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    let left_here = app
        .db
        .write(move |tx| {
            let Some(own) = Own::find(tx, &shared, &unit_ctx, &hash)? else {
                return Ok::<_, Error>(true);
            };
            let person = &own.person.identity;
            if wanted == "others" {
                let (idle, _) = session_lifetimes(&shared.config);
                identity::end_other_sessions(tx, &unit_ctx, person, own.session, idle)?;
                return Ok(false);
            }
            // One that is gone was ended meanwhile: nothing is left to do.
            let Some(place) = own.places.iter().find(|place| place.id.to_string() == wanted) else {
                return Ok(false);
            };
            session::end_place(tx, &unit_ctx, Actor::Identity(person.id), place)?;
            Ok(place.id == own.session)
        })
        .await?;
    if !left_here {
        return Ok(Redirect::to(&format!("{SESSIONS}?notice=ended")).into_response());
    }
    let mut response = sign_in_first();
    let (name, value) = clear_cookie(&app.config);
    response.headers_mut().append(name, value);
    Ok(response)
}

fn sign_in_first() -> Response {
    Redirect::to(&Destination::Sessions.login_path()).into_response()
}

/// The person, and all places where they are signed in.
struct Own {
    session: BrowserSessionId,
    person: SignedIn,
    places: Vec<Place>,
}

impl Own {
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &TokenHash) -> Result<Option<Self>> {
        let Some((session, Some(person))) = find_session(tx, app, ctx, cookie)? else {
            return Ok(None);
        };
        let ids = identities::list_set_ids(tx, person.identity.set_id)?;
        let (idle, _) = session_lifetimes(&app.config);
        let places = session::places(tx, &ids, ctx.now, idle)?;
        Ok(Some(Self {
            session,
            person,
            places,
        }))
    }

    /// This browser first.
    fn views(&self, tx: &mut ReadTx, language: Language) -> Result<Vec<PlaceView>> {
        let names = identities::list_set(tx, self.person.identity.set_id)?;
        let mut views = Vec::new();
        for place in &self.places {
            let logins = place.authentications.iter().filter_map(|authentication| {
                let identity = names
                    .iter()
                    .find(|identity| identity.id == authentication.identity_id)?;
                Some(SignIn {
                    username: identity.username.clone(),
                    at: Moment::minute(authentication.authenticated_at),
                })
            });
            let details = place.browser.as_ref();
            views.push(PlaceView {
                id: place.id.to_string(),
                here: place.id == self.session,
                signed_in: place.is_live,
                browser: user_agent::describe(language, details.and_then(|browser| browser.user_agent.as_deref())),
                address: details.and_then(|browser| browser.address.clone()),
                last_seen: details.map(|browser| Moment::minute(browser.last_seen_at)),
                logins: logins.collect(),
                apps: app_names(tx, place)?,
            });
        }
        views.sort_by_key(|view| !view.here);
        Ok(views)
    }
}

/// An instance appears under the name of its template.
pub fn app_names(tx: &mut ReadTx, place: &Place) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for app in &place.apps {
        let Some(client) = clients::find(tx, app.client_id)? else {
            continue;
        };
        let template = match client.parent_client_id.filter(|_| client.is_instance) {
            Some(template) => clients::find(tx, template)?,
            None => None,
        };
        let name = template.map_or(client.name, |template| template.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
