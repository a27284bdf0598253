//! Signing in and out: what changes in the browser session when a person authenticates.

use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::{BrowserSessionId, TokenHash};

use crate::app::{Ctx, new_uuid};
use crate::error::Result;
use crate::store::identities::{self, Identity};
use crate::store::sessions::{self, Authentication};

/// The session behind this cookie, or a new one for it that nobody is signed in to.
pub fn find_or_create(
    tx: &mut WriteTx,
    ctx: &Ctx,
    cookie: &TokenHash,
    lifetimes: (Duration, Duration),
) -> Result<BrowserSessionId> {
    let (idle, absolute) = lifetimes;
    if let Some(session) = sessions::find(tx, cookie, ctx.now, idle)? {
        sessions::touch(tx, session.id, ctx.now)?;
        return Ok(session.id);
    }
    let id = BrowserSessionId(new_uuid());
    sessions::insert(
        tx,
        id,
        cookie,
        ctx.now,
        ctx.now + absolute,
        ctx.address.map(|address| address.to_string()),
    )?;
    Ok(id)
}

/// The person proved to be `identity`. The cookie changes (fixation), identities of other
/// people leave the session, and the identity remembers when it was last here.
pub fn sign_in(
    tx: &mut WriteTx,
    ctx: &Ctx,
    session: BrowserSessionId,
    identity: &Identity,
    amr: &[&str],
    new_cookie: &TokenHash,
    absolute: Duration,
) -> Result<()> {
    sessions::delete_authentications_outside_set(tx, session, identity.id)?;
    let authentication = Authentication::new(identity.id, identity.provider_id, ctx.now, amr);
    sessions::upsert_authentication(tx, session, &authentication)?;
    sessions::rotate(tx, session, new_cookie, ctx.now, ctx.now + absolute)?;
    identities::mark_authenticated(tx, identity.id, ctx.now)
}
