//! Logout, wire.md 2.9 and decisions section 5: ends the browser session, not the tokens.
//!
//! A link on a foreign site cannot log anybody out: a GET ends the session only if the
//! browser says that the person came from here or typed the address, or if a genuine ID
//! token comes along; otherwise the page asks.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use portolan_types::TokenHash;

use super::destination::CameFrom;
use super::pages::{LoggedOutPage, LogoutPage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::domain::id_token::Expiry;
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, clear_cookie, session_lifetimes, stale_form};
use crate::http::extract::{Form, Params, Query};
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::Client;
use crate::store::{identities, sessions};

/// `GET /v2/web/logout`
pub async fn logout_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let cookie = Cookie::read(&headers, &app.config);
    let came_from = CameFrom::read(&params);
    let client = find_client(&app, &came_from).await?;
    let Some(cookie) = cookie else {
        return done(&app, &ctx, client.as_ref(), &came_from);
    };
    let fetched_by = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let by_person = matches!(fetched_by, Some("none" | "same-origin"));
    if by_person || is_hinted(&app, &ctx, cookie.hash, &params).await? {
        end_session(&app, &ctx, cookie.hash).await?;
        return done(&app, &ctx, client.as_ref(), &came_from);
    }
    let page = LogoutPage {
        layout: layout(&app, &ctx, "Sign out", None),
        action: "/v2/web/logout".into(),
        form_token: cookie.form_token(&app),
        client_name: client.as_ref().map(|client| client.name.clone()),
        carried: came_from.fields(),
    };
    render(&page, &PagePolicy::default())
}

/// Whether the request brings an ID token of the person who is signed in here. Somebody
/// else's would let its owner sign strangers out by a link.
async fn is_hinted(app: &App, ctx: &Ctx, cookie: TokenHash, params: &Params) -> Result<bool> {
    let Some(hint) = params.get("id_token_hint") else {
        return Ok(false);
    };
    let Ok(hint) = app.keys().verify_id_token(hint, &app.config.issuer(), Expiry::Ignored) else {
        return Ok(false);
    };
    let (shared, ctx) = (app.clone(), ctx.clone());
    app.db
        .read(move |tx| {
            let Some((_, Some(person))) = super::find_session(tx, &shared, &ctx, &cookie)? else {
                return Ok(false);
            };
            let set = identities::list_set_ids(tx, person.identity.set_id)?;
            Ok::<_, Error>(set.contains(&hint.identity_id))
        })
        .await
}

/// `POST /v2/web/logout`
pub async fn logout(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let Form(form) = form?;
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(stale_form)?;
    cookie.check_form(&app, &form)?;
    let came_from = CameFrom::read(&form);
    let client = find_client(&app, &came_from).await?;
    end_session(&app, &ctx, cookie.hash).await?;
    done(&app, &ctx, client.as_ref(), &came_from)
}

async fn find_client(app: &App, came_from: &CameFrom) -> Result<Option<Client>> {
    let came_from = came_from.clone();
    app.db.read(move |tx| came_from.find_client(tx)).await
}

async fn end_session(app: &App, ctx: &Ctx, cookie: TokenHash) -> Result<()> {
    let (idle, _) = session_lifetimes(&app.config);
    let ctx = ctx.clone();
    app.db
        .write(move |tx| {
            let Some(session) = sessions::find(tx, &cookie, ctx.now, idle)? else {
                return Ok::<_, Error>(());
            };
            let newest = sessions::list_authentications(tx, session.id)?.into_iter().next();
            sessions::end(tx, session.id, ctx.now)?;
            let Some(authentication) = newest else { return Ok(()) };
            let event = Event {
                action: "logout",
                actor: Actor::Identity(authentication.identity_id),
                resource_kind: "identity",
                resource_id: authentication.identity_id.to_string(),
                detail: serde_json::json!({}),
            };
            audit::insert(tx, &ctx, &event)
        })
        .await
}

/// Signed out. The link onward appears only for an origin that the client has registered.
fn done(app: &App, ctx: &Ctx, client: Option<&Client>, came_from: &CameFrom) -> Result<Response> {
    let page = LoggedOutPage {
        layout: layout(app, ctx, "Signed out", None),
        client_name: client.map(|client| client.name.clone()),
        continue_to: came_from.way_back(client),
    };
    let mut response = render(
        &page,
        &PagePolicy {
            form_target: None,
            no_referrer: true,
        },
    )?;
    let (name, value) = clear_cookie(&app.config);
    response.headers_mut().append(name, value);
    Ok(response)
}
