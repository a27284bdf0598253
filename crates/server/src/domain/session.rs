//! Signing in and out: what changes in the browser session when a person authenticates.

use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::{BrowserSessionId, Timestamp, TokenHash};

use crate::app::{Ctx, new_uuid};
use crate::error::Result;
use crate::store::authorization_requests;
use crate::store::identities::{self, Identity};
use crate::store::sessions::{self, Authentication};

/// How recent a sign-in must be before an account is changed: linking, factors, addresses
/// (decisions, section 6).
pub const FRESH: Duration = Duration::from_secs(600);

/// How somebody proved to be an identity, and when. Methods are those of RFC 8176; only
/// what was really used is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    pub at: Timestamp,
    pub acr: Option<String>,
    pub amr: Vec<String>,
}

impl Proof {
    /// By these methods, just now.
    pub fn now(ctx: &Ctx, amr: &[&str]) -> Self {
        Self {
            at: ctx.now,
            acr: None,
            amr: amr.iter().map(|method| (*method).to_owned()).collect(),
        }
    }
}

/// Whether an authentication is recent enough for a change to the account.
pub fn is_fresh(authentication: &Authentication, now: Timestamp) -> bool {
    now.since(authentication.authenticated_at) <= FRESH
}

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
    create(tx, ctx, cookie, absolute)
}

fn create(tx: &mut WriteTx, ctx: &Ctx, cookie: &TokenHash, absolute: Duration) -> Result<BrowserSessionId> {
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

/// The person proved to be `identity`. The cookie changes (fixation), and the identity
/// remembers when it was last here.
///
/// A session is one person's. Where another one was signed in before, it ends and a new one
/// takes over what waits in this browser: else the sessions of clients, which tokens name,
/// would show what the other one proved as if this one had.
pub fn sign_in(
    tx: &mut WriteTx,
    ctx: &Ctx,
    session: BrowserSessionId,
    identity: &Identity,
    proof: &Proof,
    new_cookie: &TokenHash,
    absolute: Duration,
) -> Result<()> {
    let session = if sessions::was_used_by_others(tx, session, identity.id)? {
        let own = create(tx, ctx, new_cookie, absolute)?;
        authorization_requests::move_all(tx, session, own)?;
        sessions::end(tx, session, ctx.now)?;
        own
    } else {
        sessions::rotate(tx, session, new_cookie, ctx.now, ctx.now + absolute)?;
        session
    };
    let amr: Vec<&str> = proof.amr.iter().map(String::as_str).collect();
    let authentication =
        Authentication::new(identity.id, identity.provider_id, proof.at, &amr).with_acr(proof.acr.clone());
    sessions::upsert_authentication(tx, session, &authentication)?;
    identities::mark_authenticated(tx, identity.id, ctx.now)
}

#[cfg(test)]
mod tests {
    use portolan_types::{IdentityId, IdentityProviderId};

    use super::*;

    #[test]
    fn a_sign_in_is_fresh_for_ten_minutes() {
        let now = Timestamp::from_seconds(1000);
        for (age, fresh) in [(0, true), (600, true), (601, false)] {
            let at = Timestamp::from_seconds(1000 - age);
            let (identity, provider) = (IdentityId::from_u128(1), IdentityProviderId::from_u128(1));
            let authentication = Authentication::new(identity, provider, at, &["pwd"]);
            assert_eq!(is_fresh(&authentication, now), fresh, "{age}");
        }
    }
}
