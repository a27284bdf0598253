//! Where every way to sign in ends, whatever proved the identity: the session knows it, the
//! cookie changes, and the browser goes on to what waits.

use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use portolan_db::ReadTx;
use uuid::Uuid;

use super::destination::Destination;
use super::device::Device;
use super::resume;
use crate::app::{App, Ctx};
use crate::domain::session::{self, Proof};
use crate::domain::{factors, linking};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, session_lifetimes};
use crate::metrics::Login;
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::LOCAL;
use crate::store::{authorization_requests, sessions};
use crate::texts::words;

/// What a proof is for.
enum Purpose<'a> {
    /// The person is signed in, and goes on to the parked request or to the destination.
    SignIn(Option<Uuid>, &'a Destination),
    /// The person stays signed in as before; the proof waits beside it for this link.
    Link(Uuid),
}

impl<'a> Purpose<'a> {
    fn of(request: Option<Uuid>, destination: &'a Destination) -> Self {
        match destination {
            Destination::Link(id) => Purpose::Link(*id),
            _ => Purpose::SignIn(request, destination),
        }
    }
}

/// `request` is the parked request that the person signs in for; without one they go to
/// `destination`. Where that is a pending link, nobody is signed in: whatever way in brings
/// its `Destination` along works for linking too.
pub async fn complete(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    request: Option<Uuid>,
    destination: &Destination,
    identity: Identity,
    proof: Proof,
) -> Result<Response> {
    match Purpose::of(request, destination) {
        Purpose::SignIn(request, destination) => sign_in(app, ctx, cookie, request, destination, identity, proof).await,
        Purpose::Link(id) => link(app, ctx, cookie, id, identity, proof).await,
    }
}

/// The second proof of a link. The cookie changes, as at each authentication; the session
/// lasts no longer for it.
async fn link(app: &App, ctx: &Ctx, cookie: &Cookie, id: Uuid, identity: Identity, proof: Proof) -> Result<Response> {
    let fresh = Cookie::generate();
    let (old_hash, new_hash) = (cookie.hash, fresh.hash);
    let (idle, _) = session_lifetimes(&app.config);
    let unit_ctx = ctx.clone();
    app.db
        .write(move |tx| {
            check_unchanged(tx, &identity, &proof)?;
            let session = sessions::find(tx, &old_hash, unit_ctx.now, idle)?.ok_or_else(linking::gone)?;
            if !linking::keep_proof(tx, &unit_ctx, session.id, id, &identity, &proof)? {
                return Err(linking::gone());
            }
            sessions::rotate(tx, session.id, &new_hash, unit_ctx.now, session.expires_at)
        })
        .await?;
    app.metrics.login(Login::Success);
    let mut response = Redirect::to(&Destination::Link(id).path()).into_response();
    let (name, value) = fresh.set(&app.config);
    response.headers_mut().append(name, value);
    Ok(response)
}

/// What was proven may have lost its worth while it was looked at: the password was changed,
/// the account switched off, a second factor set up.
fn check_unchanged(tx: &mut ReadTx, identity: &Identity, proof: &Proof) -> Result<()> {
    let today = identities::find(tx, identity.id)?;
    let same = today.is_some_and(|today| today.is_live() && today.generation == identity.generation);
    let complete = proof.amr.iter().any(|method| method == "mfa")
        || identity.provider_id != LOCAL
        || !factors::has_second_factor(tx, identity.id)?;
    if same && complete {
        return Ok(());
    }
    Err(
        Error::forbidden("this account was changed while you signed in; go back and sign in again")
            .said(words("error-account-changed")),
    )
}

async fn sign_in(
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
            check_unchanged(tx, &identity, &proof)?;
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
