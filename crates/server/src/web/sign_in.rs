//! Where every way to sign in ends, whatever proved the identity: the session knows it, the
//! cookie changes, and the browser goes on to what waits.

use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use uuid::Uuid;

use super::destination::Destination;
use super::device::Device;
use super::resume;
use crate::app::{App, Ctx};
use crate::domain::session::{self, Proof};
use crate::error::Result;
use crate::http::browser::{Cookie, session_lifetimes};
use crate::metrics::Login;
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::Identity;
use crate::store::{authorization_requests, sessions};

/// `request` is the parked request that the person signs in for; without one they go to
/// `destination`.
pub async fn complete(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    request: Option<Uuid>,
    destination: &Destination,
    identity: Identity,
    proof: Proof,
) -> Result<Response> {
    let fresh = Cookie::generate();
    let (old_hash, new_hash) = (cookie.hash, fresh.hash);
    let lifetimes = session_lifetimes(&app.config);
    let (unit_ctx, id) = (ctx.clone(), identity.id);
    app.db
        .write(move |tx| {
            // The cookie of a session that has ended may still be in the store; nobody gets
            // a new session under it.
            let live = sessions::find(tx, &old_hash, unit_ctx.now, lifetimes.0)?;
            let browser = match live {
                Some(session) => session.id,
                None => session::find_or_create(tx, &unit_ctx, &new_hash, lifetimes)?,
            };
            session::sign_in(tx, &unit_ctx, browser, &identity, &proof, &new_hash, lifetimes.1)?;
            if let Some(request) = request {
                authorization_requests::mark_authenticated(tx, request, identity.id, unit_ctx.now)?;
            }
            let event = Event {
                action: "login.succeeded",
                actor: Actor::Identity(identity.id),
                resource_kind: "identity",
                resource_id: identity.id.to_string(),
                detail: serde_json::json!({}),
            };
            audit::insert(tx, &unit_ctx, &event)
        })
        .await?;
    app.metrics.login(Login::Success);
    let mut response = request.map_or_else(|| Redirect::to(&destination.path()).into_response(), resume);
    let (name, value) = fresh.set(&app.config);
    response.headers_mut().append(name, value);
    response.headers_mut().append(SET_COOKIE, Device::new(id).set(app));
    Ok(response)
}
