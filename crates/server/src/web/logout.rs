//! Logout: wire.md 2.9, decisions section 5, and OpenID Connect RP-Initiated Logout 1.0 at
//! the same path. It ends the browser session, not the tokens.
//!
//! A link on a foreign site cannot log anybody out: a GET ends the session only if the
//! browser says that the person came from here or typed the address, or if a genuine ID
//! token of that person comes along; otherwise the page asks. The browser is sent to another
//! site only with a genuine ID token of the client that has registered the very address.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_types::TokenHash;

use super::destination::CameFrom;
use super::pages::sign_in::{LoggedOutPage, LogoutPage};
use super::pages::skin::SkinView;
use super::pages::{CarriedField, Layout};
use super::{layout, render, skin, wished_by};
use crate::app::{App, Ctx};
use crate::domain::id_token::{Expiry, VerifiedIdToken};
use crate::domain::logout as rules;
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, clear_cookie, form_target, session_lifetimes, stale_form};
use crate::http::extract::{Form, Params, Query};
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::{identities, sessions};

/// What an app may send; the rest is ignored. `logout_hint` is taken and
/// changes nothing: there is one session in a browser.
const FROM_APPS: &[&str] = &[
    "id_token_hint",
    "post_logout_redirect_uri",
    "state",
    "client_id",
    "logout_hint",
    "ui_locales",
];

/// A request to log out, read and judged.
struct Asked {
    came_from: CameFrom,
    /// Genuine, and of the client that is named, if one is.
    hint: Option<VerifiedIdToken>,
    client: Option<Client>,
    /// How its pages look.
    skin: Option<SkinView>,
    /// Where the browser goes afterwards, with `state`.
    target: Option<String>,
    /// An address was given that the browser is not sent to.
    refused_target: bool,
    carried: Vec<CarriedField>,
}

impl Asked {
    async fn read(app: &App, params: &Params) -> Result<Self> {
        let came_from = CameFrom::read(params);
        let hint = params
            .get("id_token_hint")
            .and_then(|hint| {
                app.keys()
                    .verify_id_token(hint, &app.config.issuer(), Expiry::Ignored)
                    .ok()
            })
            .filter(|hint| {
                let named = params.get("client_id");
                named.is_none_or(|named| named.parse().ok() == Some(hint.client_id))
            });
        let uri = params.get("post_logout_redirect_uri").map(str::to_owned);
        let state = params.get("state").map(str::to_owned);
        let (wanted, given) = (uri.clone(), came_from.clone());
        let hinted = hint.as_ref().map(|hint| hint.client_id);
        let (client, skin, target) = app
            .db
            .read(move |tx| {
                let client = match hinted {
                    Some(id) => clients::find(tx, id)?,
                    None => given.find_client(tx)?,
                };
                let may_return = hinted.is_some() && client.as_ref().is_some_and(|client| client.enabled);
                let target = match (&client, &wanted) {
                    (Some(client), Some(uri)) if may_return => {
                        rules::return_address(tx, client.id, uri, state.as_deref())?
                    }
                    _ => None,
                };
                let skin = match &client {
                    Some(client) => skin::of_client(tx, client)?,
                    None => None,
                };
                Ok::<_, Error>((client, skin, target))
            })
            .await?;
        let mut carried = came_from.fields();
        for name in ["id_token_hint", "post_logout_redirect_uri", "state", "ui_locales"] {
            carried.extend(params.get(name).map(|value| CarriedField {
                name,
                value: value.to_owned(),
            }));
        }
        Ok(Self {
            refused_target: uri.is_some() && target.is_none(),
            came_from,
            hint,
            client,
            skin,
            target,
            carried,
        })
    }

    fn layout(&self, app: &App, ctx: &Ctx, title: &str) -> Layout {
        Layout {
            skin: self.skin.clone(),
            ..layout(app, ctx, title, None)
        }
    }

    fn client_name(&self) -> Option<String> {
        self.client.as_ref().map(|client| client.name.clone())
    }
}

/// `GET /v2/web/logout`
pub async fn logout_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let ctx = wished_by(&ctx, params.get("ui_locales"));
    let cookie = Cookie::read(&headers, &app.config);
    let asked = Asked::read(&app, &params).await?;
    let Some(cookie) = cookie else {
        return done(&app, &ctx, &asked);
    };
    let fetched_by = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let by_person = matches!(fetched_by, Some("none" | "same-origin"));
    let hinted = match &asked.hint {
        Some(hint) => is_about(&app, &ctx, cookie.hash, hint).await?,
        None => false,
    };
    if (by_person || hinted) && !asked.refused_target {
        end_session(&app, &ctx, cookie.hash).await?;
        return done(&app, &ctx, &asked);
    }
    let page = LogoutPage {
        layout: asked.layout(&app, &ctx, ctx.text("logout-title")),
        action: "/v2/web/logout".into(),
        form_token: cookie.form_token(&app),
        client_name: asked.client_name(),
        carried: asked.carried.clone(),
    };
    let policy = PagePolicy {
        form_target: asked.target.as_deref().and_then(form_target),
        no_referrer: false,
    };
    render(&page, &policy)
}

/// Whether the ID token is of the person who is signed in here, or nobody is. Somebody
/// else's would let its owner sign strangers out by a link.
async fn is_about(app: &App, ctx: &Ctx, cookie: TokenHash, hint: &VerifiedIdToken) -> Result<bool> {
    let (shared, ctx, subject) = (app.clone(), ctx.clone(), hint.identity_id);
    app.db
        .read(move |tx| {
            let Some((_, Some(person))) = super::find_session(tx, &shared, &ctx, &cookie)? else {
                return Ok(true);
            };
            let set = identities::list_set_ids(tx, person.identity.set_id)?;
            Ok::<_, Error>(set.contains(&subject))
        })
        .await
}

/// `POST /v2/web/logout`: the answer of our page, or a request of an app in the form of a
/// form. The latter comes without the cookie, so it becomes a GET, which the browser sends
/// with it.
pub async fn logout(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let Form(form) = form?;
    if form.get("form_token").is_none() {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(FROM_APPS.iter().filter_map(|name| Some((name, form.get(name)?))));
        let query = query.finish();
        if !query.is_empty() {
            return Ok(Redirect::to(&format!("/v2/web/logout?{query}")).into_response());
        }
    }
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(stale_form)?;
    cookie.check_form(&app, &form)?;
    let ctx = wished_by(&ctx, form.get("ui_locales"));
    let asked = Asked::read(&app, &form).await?;
    end_session(&app, &ctx, cookie.hash).await?;
    done(&app, &ctx, &asked)
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
            rules::announce_browser(tx, &ctx, session.id)?;
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

/// Signed out: back to the app, or a page. The link onward on that page appears only for an
/// origin that the client has registered.
fn done(app: &App, ctx: &Ctx, asked: &Asked) -> Result<Response> {
    let mut response = match &asked.target {
        Some(target) => Redirect::to(target).into_response(),
        None => {
            let page = LoggedOutPage {
                layout: asked.layout(app, ctx, ctx.text("logout-done-title")),
                client_name: asked.client_name(),
                continue_to: asked.came_from.way_back(asked.client.as_ref()),
            };
            let policy = PagePolicy {
                form_target: None,
                no_referrer: true,
            };
            render(&page, &policy)?
        }
    };
    let (name, value) = clear_cookie(&app.config);
    response.headers_mut().append(name, value);
    Ok(response)
}
