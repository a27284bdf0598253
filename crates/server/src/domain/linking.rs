//! Linked identities: which may be linked, and what changes when one joins a set, leaves it,
//! or speaks for it (decisions, section 6).
//!
//! Nothing but the person's two proofs links identities: no e-mail address, no name
//! (standards.md J5). Linking moves one identity into a set. What it was allowed and the
//! tokens that speak for it stay its own; from the next login on, apps see the primary.

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{BrowserSessionId, IdentityId, IdentitySetId, Timestamp};
use uuid::Uuid;

use crate::app::{Ctx, new_uuid};
use crate::domain::session::{self, Presence, Proof};
use crate::domain::{factors, logout, mail, policy};
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::grants;
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::CLIENTS;
use crate::store::pending_links::{self, PendingLink};
use crate::store::sessions::{self, Authentication};
use crate::texts::words;

/// Why two identities are not linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is the very identity that is signed in.
    Same,
    /// They are in one set already.
    Together,
    /// The other one is linked with others, and an identity belongs to one set.
    Elsewhere,
    /// One of them cannot sign in: it is closed or switched off.
    NotLive,
    /// Nobody has signed in with it so far, so nobody has proven to own it.
    Unused,
    /// It is that of a client: those are never linked to people (wire.md 1.3).
    Client,
    /// One of the two sign-ins is too long ago.
    Stale,
    /// One of the linked accounts has a second factor, which was not shown.
    SecondFactor,
}

impl Refusal {
    /// As a fragment, for errors.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Same => "these are one and the same account",
            Refusal::Together => "these accounts are linked already",
            Refusal::Elsewhere => "the second account is linked with others already; unlink it there first",
            Refusal::NotLive => "one of the accounts is closed or switched off",
            Refusal::Unused => "nobody has signed in with one of the accounts yet",
            Refusal::Client => "accounts of apps cannot be linked",
            Refusal::Stale => "one of the two sign-ins is too long ago",
            Refusal::SecondFactor => "one of your accounts has a second factor; sign in with it first",
        }
    }
}

/// Whether `other` may join the set of `mine`.
pub fn check(tx: &mut ReadTx, mine: &Identity, other: &Identity) -> Result<Option<Refusal>> {
    let both = [mine, other];
    if mine.id == other.id {
        return Ok(Some(Refusal::Same));
    }
    if both.iter().any(|identity| identity.provider_id == CLIENTS) {
        return Ok(Some(Refusal::Client));
    }
    if !both.iter().all(|identity| identity.is_live()) {
        return Ok(Some(Refusal::NotLive));
    }
    if both.iter().any(|identity| identity.status == "unused") {
        return Ok(Some(Refusal::Unused));
    }
    if mine.set_id == other.set_id {
        return Ok(Some(Refusal::Together));
    }
    let with_others = identities::list_set_ids(tx, other.set_id)?.len() > 1;
    Ok(with_others.then_some(Refusal::Elsewhere))
}

/// Whether a second factor is missing for a change to which accounts belong together. If one
/// of them has any, a recent sign-in must have shown two factors: else whoever has the
/// password of another one takes them all.
pub fn lacks_second_factor(tx: &mut ReadTx, now: Timestamp, set: &[Identity], here: &[Authentication]) -> Result<bool> {
    let live: Vec<&Identity> = set.iter().filter(|identity| identity.is_live()).collect();
    let shown = here.iter().any(|authentication| {
        session::is_fresh(authentication, now)
            && policy::shows_mfa(authentication)
            && live.iter().any(|identity| identity.id == authentication.identity_id)
    });
    if shown {
        return Ok(false);
    }
    for identity in live {
        if factors::has_second_factor(tx, identity.id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same for whoever is signed in to a browser.
pub fn lacks_second_factor_here(tx: &mut ReadTx, now: Timestamp, session: BrowserSessionId) -> Result<bool> {
    let present = Presence::of(tx, session)?;
    lacks_second_factor(tx, now, &present.set, &present.authentications)
}

/// Brings `other` into the set of `mine`. Whoever calls has made sure that both belong to
/// one person.
pub fn link(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    mine: IdentityId,
    other: IdentityId,
) -> Result<Result<(), Refusal>> {
    let (mine, other) = (identities::get(tx, mine)?, identities::get(tx, other)?);
    if let Some(refusal) = check(tx, &mine, &other)? {
        return Ok(Err(refusal));
    }
    identities::join_set(tx, other.id, mine.set_id)?;
    record(tx, ctx, "identity.link", actor, &other, &mine)?;
    let what = ctx
        .say("mail-linked")
        .arg("other", &other.username)
        .arg("other_provider", &other.provider_name)
        .arg("mine", &mine.username)
        .arg("mine_provider", &mine.provider_name)
        .to_string();
    let set = identities::list_set(tx, mine.set_id)?;
    tell(tx, ctx, &set, ctx.text("mail-linked-subject"), &what)?;
    Ok(Ok(()))
}

/// Takes an identity out of its set: it stands alone again. Tokens that speak for it end,
/// and it is out of every browser and every session. What the others of the set got while
/// it alone had signed in ends as well: who signed in may have been somebody else, which
/// is a reason to unlink. What it allowed stays its own (decisions, section 6).
pub fn unlink(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, id: IdentityId, own_set: IdentitySetId) -> Result<()> {
    let identity = identities::get(tx, id)?;
    let others: Vec<Identity> = identities::list_set(tx, identity.set_id)?
        .into_iter()
        .filter(|other| other.id != id)
        .collect();
    let Some(primary) = others.first() else {
        return Err(Error::conflict("this account is not linked with another one").said(words("error-not-linked")));
    };
    logout::announce_identity(tx, ctx, id)?;
    if !identities::leave_set(tx, id, own_set)? {
        return Err(
            Error::conflict("the primary account cannot be unlinked; make another one the primary first")
                .said(words("error-primary-stays")),
        );
    }
    identities::raise_generation(tx, id)?;
    forget_sign_ins(tx, ctx, id)?;
    record(tx, ctx, "identity.unlink", actor, &identity, primary)?;
    let what = ctx
        .say("mail-unlinked")
        .arg("account", &identity.username)
        .arg("account_provider", &identity.provider_name)
        .arg("primary", &primary.username)
        .arg("primary_provider", &primary.provider_name)
        .to_string();
    let everybody: Vec<Identity> = others.into_iter().chain([identity]).collect();
    tell(tx, ctx, &everybody, ctx.text("mail-unlinked-subject"), &what)
}

/// Undoes every sign-in of an identity: it is out of all browsers, and what rests on its
/// sign-in alone ends, whichever identity of its set it speaks for.
pub fn forget_sign_ins(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId) -> Result<()> {
    sessions::delete_authentications_of(tx, id)?;
    for session in sessions::list_app_sessions_of_alone(tx, id)? {
        grants::end(tx, session.0, ctx.now)?;
        sessions::delete_app_session(tx, session)?;
    }
    sessions::delete_session_authentications_of(tx, id)
}

/// Makes an identity the primary of its set: new logins use it. Tokens keep their `sub`.
pub fn set_primary(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, id: IdentityId) -> Result<()> {
    let identity = identities::get(tx, id)?;
    let set = identities::list_set(tx, identity.set_id)?;
    let Some(former) = set.first().filter(|former| former.id != id) else {
        return Ok(());
    };
    if !identity.is_live() {
        return Err(
            Error::conflict("an account that is closed or switched off cannot be the primary")
                .said(words("error-primary-closed")),
        );
    }
    identities::set_primary(tx, identity.set_id, id)?;
    record(tx, ctx, "identity.set_primary", actor, &identity, former)?;
    let what = ctx
        .say("mail-primary")
        .arg("account", &identity.username)
        .arg("account_provider", &identity.provider_name)
        .arg("former", &former.username)
        .arg("former_provider", &former.provider_name)
        .to_string();
    tell(tx, ctx, &set, ctx.text("mail-primary-subject"), &what)
}

fn record(
    tx: &mut WriteTx,
    ctx: &Ctx,
    action: &'static str,
    actor: Actor,
    identity: &Identity,
    other: &Identity,
) -> Result<()> {
    let event = Event {
        action,
        actor,
        resource_kind: "identity",
        resource_id: identity.id.to_string(),
        detail: serde_json::json!({ "username": identity.username, "other": other.id, "set": other.set_id }),
    };
    audit::insert(tx, ctx, &event)
}

/// Every address of the people concerned once: somebody who took over one account must not
/// be the only one who hears of it.
fn tell(tx: &mut WriteTx, ctx: &Ctx, identities: &[Identity], subject: &str, what: &str) -> Result<()> {
    let mut told: Vec<String> = Vec::new();
    for identity in identities.iter().filter(|identity| identity.status != "closed") {
        let address = identity.email.as_deref().unwrap_or("").to_lowercase();
        if !told.contains(&address) {
            mail::notify(tx, ctx, identity, subject, what)?;
            told.push(address);
        }
    }
    Ok(())
}

/// Begins a link in a browser: `mine` is signed in there, and the next proof is for another
/// identity of the same person.
pub fn begin(
    tx: &mut WriteTx,
    ctx: &Ctx,
    browser: BrowserSessionId,
    mine: IdentityId,
    request_id: Option<Uuid>,
    came_from: &str,
) -> Result<Uuid> {
    let link = PendingLink {
        id: new_uuid(),
        identity_id: mine,
        request_id,
        came_from: came_from.to_owned(),
        expires_at: ctx.now + session::FRESH,
    };
    pending_links::insert(tx, &link, browser)?;
    Ok(link.id)
}

/// Keeps the second proof beside the session, which stays whose it is until the person has
/// agreed. False if the link does not wait in this browser.
pub fn keep_proof(
    tx: &mut WriteTx,
    ctx: &Ctx,
    browser: BrowserSessionId,
    link: Uuid,
    other: &Identity,
    proof: &Proof,
) -> Result<bool> {
    // A provider whose clock is ahead does not make a proof that stays fresh for longer.
    let at = proof.at.min(ctx.now);
    if !pending_links::prove(tx, link, browser, &authentication(other, proof, at), ctx.now)? {
        return Ok(false);
    }
    let event = Event {
        action: "identity.prove",
        actor: Actor::Identity(other.id),
        resource_kind: "identity",
        resource_id: other.id.to_string(),
        detail: serde_json::json!({}),
    };
    audit::insert(tx, ctx, &event)?;
    Ok(true)
}

fn authentication(identity: &Identity, proof: &Proof, at: Timestamp) -> Authentication {
    let amr: Vec<&str> = proof.amr.iter().map(String::as_str).collect();
    let mut authentication =
        Authentication::new(identity.id, identity.provider_id, at, &amr).with_acr(proof.acr.clone());
    authentication.undated = proof.undated;
    authentication
}

/// Both sides of a link that waits for the person's last word.
#[derive(Clone, Debug)]
pub struct Proven {
    pub mine: Identity,
    pub other: Identity,
    /// How `other` was proven.
    pub authentication: Authentication,
    pub refusal: Option<Refusal>,
}

/// What the link would do now; none while the second proof is missing.
pub fn find_proven(
    tx: &mut ReadTx,
    ctx: &Ctx,
    browser: BrowserSessionId,
    link: &PendingLink,
) -> Result<Option<Proven>> {
    let Some(authentication) = pending_links::find_proven(tx, link.id)? else {
        return Ok(None);
    };
    let (mine, other) = (
        identities::get(tx, link.identity_id)?,
        identities::get(tx, authentication.identity_id)?,
    );
    let signed_in = sessions::list_authentications(tx, browser)?;
    // That the second account is the person's own is proven by the way to its provider and
    // back just now, also where the provider does not say when it saw them. Whose set it
    // joins is what a stranger at this browser must not decide: there a time is wanted.
    let fresh = ctx.now.since(authentication.authenticated_at) <= session::FRESH
        && signed_in
            .iter()
            .any(|known| known.identity_id == mine.id && session::is_fresh(known, ctx.now));
    let set = identities::list_set(tx, mine.set_id)?;
    let refusal = match check(tx, &mine, &other)? {
        None if !fresh => Some(Refusal::Stale),
        None if lacks_second_factor(tx, ctx.now, &set, &signed_in)? => Some(Refusal::SecondFactor),
        refusal => refusal,
    };
    Ok(Some(Proven {
        mine,
        other,
        authentication,
        refusal,
    }))
}

/// The person has seen both and agrees. Both authentications are in the session then. The
/// second factor of the other one counts from its next sign-in on: whoever knows a password
/// would else link an account of their own to show the factor that this one lacks.
pub fn confirm(
    tx: &mut WriteTx,
    ctx: &Ctx,
    browser: BrowserSessionId,
    link: &PendingLink,
    proven: &Proven,
) -> Result<Result<(), Refusal>> {
    if let Some(refusal) = proven.refusal {
        return Ok(Err(refusal));
    }
    // Whoever comes second finds nothing to finish.
    if !pending_links::consume(tx, link.id, browser)? {
        return Err(gone());
    }
    let (mine, other) = (proven.mine.id, proven.other.id);
    if let Err(refusal) = self::link(tx, ctx, Actor::Identity(mine), mine, other)? {
        return Ok(Err(refusal));
    }
    sessions::upsert_authentication(tx, browser, &proven.authentication.clone().without_mfa())?;
    identities::mark_authenticated(tx, other, proven.authentication.authenticated_at)?;
    Ok(Ok(()))
}

/// The link is not there, or not in this browser.
pub fn gone() -> Error {
    Error::invalid_request("this link of two accounts has expired or was finished already; begin again")
        .said(words("error-link-gone"))
}
