//! Signing in and out: what changes in the browser session when a person authenticates.

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{BrowserSessionId, IdentityId, IdentityProviderId, Timestamp, TokenHash};

use super::{identity, logout};
use crate::app::{Ctx, new_uuid};
use crate::error::Result;
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::{self, Identity};
use crate::store::sessions::{self, AppSession, Authentication, Browser};
use crate::store::{authorization_requests, grants};

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
    /// Nobody said when it was; `at` is when it came here.
    pub undated: bool,
}

impl Proof {
    /// By these methods, just now.
    pub fn now(ctx: &Ctx, amr: &[&str]) -> Self {
        Self {
            at: ctx.now,
            acr: None,
            amr: amr.iter().map(|method| (*method).to_owned()).collect(),
            undated: false,
        }
    }
}

/// Whether an authentication is recent enough for a change to the account.
pub fn is_fresh(authentication: &Authentication, now: Timestamp) -> bool {
    authentication.is_within(FRESH, now)
}

/// Who is signed in to a session.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    /// Of identities that may log in, the newest first; empty if nobody is signed in.
    pub authentications: Vec<Authentication>,
    /// All identities of the person.
    pub set: Vec<Identity>,
}

impl Presence {
    pub fn of(tx: &mut ReadTx, session: BrowserSessionId) -> Result<Self> {
        let mut authentications = sessions::list_authentications(tx, session)?;
        let Some(newest) = authentications.first() else {
            return Ok(Self::default());
        };
        let set = tx.fetch(&identities::set_of(newest.identity_id))?;
        let may_log_in = |id| set.iter().any(|identity| identity.id == id && identity.is_live());
        authentications.retain(|authentication| may_log_in(authentication.identity_id));
        if authentications.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { authentications, set })
    }

    /// The identity that a client's tokens speak for, as [`identity::effective`] says.
    pub fn effective(&self, required_idp: Option<IdentityProviderId>) -> Option<&Identity> {
        identity::choose(&self.set, required_idp).filter(|chosen| chosen.is_live())
    }
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
        sessions::touch_found(tx, &session, ctx.now)?;
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
        ctx.user_agent(),
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
        logout::announce_browser(tx, ctx, session)?;
        sessions::end(tx, session, ctx.now)?;
        own
    } else {
        sessions::rotate(tx, session, new_cookie, ctx.now, ctx.now + absolute)?;
        session
    };
    // A provider whose clock is ahead does not make a login that never grows old.
    let amr: Vec<&str> = proof.amr.iter().map(String::as_str).collect();
    let mut authentication =
        Authentication::new(identity.id, identity.provider_id, proof.at.min(ctx.now), &amr).with_acr(proof.acr.clone());
    authentication.undated = proof.undated;
    sessions::upsert_authentication(tx, session, &authentication)?;
    identities::mark_authenticated(tx, identity.id, ctx.now)
}

/// A browser in which a person is or was signed in.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: BrowserSessionId,
    /// Gone some time after the session has ended.
    pub browser: Option<Browser>,
    /// Somebody is signed in; or else only tokens of apps are left.
    pub is_live: bool,
    pub authentications: Vec<Authentication>,
    pub apps: Vec<AppSession>,
}

/// Where the person with these identities is signed in, or tokens of apps may still be
/// alive. What was seen last comes first.
pub fn places(tx: &mut ReadTx, identities: &[IdentityId], now: Timestamp, idle: Duration) -> Result<Vec<Place>> {
    let apps = sessions::list_app_sessions_by_identities(tx, now, identities)?;
    let mut ids = sessions::list_ids_by_identities(tx, identities)?;
    ids.extend(apps.iter().map(|app| app.browser_session_id));
    ids.sort_unstable();
    ids.dedup();
    let browsers = sessions::list_browsers(tx, &ids)?;
    let mut places = Vec::new();
    for id in ids {
        let browser = browsers.iter().find(|browser| browser.id == id).cloned();
        let is_live = browser.as_ref().is_some_and(|browser| is_live(browser, now, idle));
        let apps: Vec<AppSession> = apps
            .iter()
            .filter(|app| app.browser_session_id == id)
            .cloned()
            .collect();
        if !is_live && apps.is_empty() {
            continue;
        }
        let authentications = if is_live {
            sessions::list_authentications(tx, id)?
        } else {
            Vec::new()
        };
        places.push(Place {
            id,
            browser,
            is_live: is_live && !authentications.is_empty(),
            authentications,
            apps,
        });
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.browser.as_ref().map(|browser| browser.last_seen_at)));
    Ok(places)
}

/// Neither ended, nor at its end, nor unseen for too long.
fn is_live(browser: &Browser, now: Timestamp, idle: Duration) -> bool {
    browser.ended_at.is_none() && browser.expires_at > now && browser.last_seen_at > now - idle
}

/// Ends the session of a browser, and by one mark for each client every token that names
/// its session there (decisions, section 5).
pub fn end_place(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, place: &Place) -> Result<()> {
    logout::announce_browser(tx, ctx, place.id)?;
    sessions::end(tx, place.id, ctx.now)?;
    let apps = sessions::list_app_sessions(tx, place.id)?;
    for app in &apps {
        grants::end(tx, app.id.0, ctx.now)?;
    }
    let event = Event {
        action: "session.end",
        actor,
        resource_kind: "session",
        resource_id: place.id.to_string(),
        detail: serde_json::json!({ "clients": apps.iter().map(|app| app.client_id).collect::<Vec<_>>() }),
    };
    audit::insert(tx, ctx, &event)
}

/// Ends every other session of a person, with all that apps got in them: those of all linked
/// identities, since each acts for the others.
pub fn end_others(
    tx: &mut WriteTx,
    ctx: &Ctx,
    person: &Identity,
    here: BrowserSessionId,
    idle: Duration,
) -> Result<()> {
    let identities = identities::list_set_ids(tx, person.set_id)?;
    for place in places(tx, &identities, ctx.now, idle)? {
        if place.id != here {
            end_place(tx, ctx, Actor::Identity(person.id), &place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use portolan_types::{IdentityId, IdentityProviderId};

    use super::*;

    #[test]
    fn a_session_lives_until_it_is_ended_or_over_or_forgotten() {
        let second = Timestamp::from_seconds;
        let live = |ended: Option<i64>, expires, seen| {
            let browser = Browser {
                id: BrowserSessionId::from_u128(1),
                last_seen_at: second(seen),
                expires_at: second(expires),
                ended_at: ended.map(second),
                address: None,
                user_agent: None,
            };
            is_live(&browser, second(1000), Duration::from_secs(100))
        };
        assert!(live(None, 1001, 901));
        assert!(!live(Some(950), 1001, 901));
        assert!(!live(None, 1000, 901), "at its end");
        assert!(!live(None, 1001, 900), "unseen for too long");
    }

    #[test]
    fn a_sign_in_is_fresh_for_ten_minutes() {
        let now = Timestamp::from_seconds(1000);
        for (age, fresh) in [(0, true), (600, true), (601, false)] {
            let at = Timestamp::from_seconds(1000 - age);
            let (identity, provider) = (IdentityId::from_u128(1), IdentityProviderId::from_u128(1));
            let mut authentication = Authentication::new(identity, provider, at, &["pwd"]);
            assert_eq!(is_fresh(&authentication, now), fresh, "{age}");
            authentication.undated = true;
            assert!(!is_fresh(&authentication, now), "nobody knows when it was");
        }
    }
}
