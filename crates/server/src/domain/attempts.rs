//! Failed attempts to prove an account, counted in the store, so on all nodes together,
//! and the waits that follow from them (standards.md AA5, threats.md 20).
//!
//! All factors of an account share one counter: a stranger who has the password gains
//! nothing by going over to guess codes, and a right password alone does not wipe it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::IdentityId;

use super::token_format;
use crate::app::Ctx;
use crate::error::Result;
use crate::store::audit::{self, Actor, Event};
use crate::store::passwords;

/// The name under which failures are counted: hashed, so that the table keeps no list of
/// what people typed. Unknown accounts are counted like known ones. A browser in which the
/// account was used before is counted apart, by the nonce in its cookie, so that a
/// stranger's guesses cannot keep the owner out.
pub fn counter(known_browser: Option<&str>, username: &str) -> String {
    let who = known_browser.map_or_else(|| "login".to_owned(), |nonce| format!("device:{nonce}"));
    let hash = token_format::hash(&format!("{who}:{username}"));
    format!("login:{}", URL_SAFE_NO_PAD.encode(hash.0))
}

/// How long attempts are still refused unseen.
pub fn wait(tx: &mut ReadTx, ctx: &Ctx, counter: &str) -> Result<Option<Duration>> {
    let failures = passwords::find_failures(tx, counter)?;
    Ok(failures
        .filter(|(_, blocked_until)| *blocked_until > ctx.now)
        .map(|(_, blocked_until)| blocked_until.since(ctx.now)))
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    Right,
    Wrong,
    Later(Duration),
}

/// Judges an attempt that was checked outside of this unit, because checking a password
/// takes long. Of many at the same time each was let in by [`wait`], so that is asked once
/// more: a burst gets no more tries than as many guesses one after the other, and a right
/// one among the rest is refused like the wrong ones.
pub fn judge(
    tx: &mut WriteTx,
    ctx: &Ctx,
    counter: &str,
    identity: Option<IdentityId>,
    factor: &'static str,
    is_right: bool,
) -> Result<Judged> {
    if let Some(delay) = wait(tx, ctx, counter)? {
        return Ok(Judged::Later(delay));
    }
    if is_right {
        return Ok(Judged::Right);
    }
    count_failure(tx, ctx, counter, identity, factor)?;
    Ok(Judged::Wrong)
}

/// Counts a failure and decides how long the next attempt has to wait. Only accounts that
/// exist have a trail; what was typed may be a password.
pub fn count_failure(
    tx: &mut WriteTx,
    ctx: &Ctx,
    counter: &str,
    identity: Option<IdentityId>,
    factor: &'static str,
) -> Result<()> {
    let failures = passwords::count_failure(tx, counter, ctx.now)?;
    if let Some(delay) = delay_after(failures) {
        passwords::block(tx, counter, ctx.now, delay)?;
    }
    if let Some(id) = identity {
        let event = Event {
            action: "login.refused",
            actor: Actor::System,
            resource_kind: "identity",
            resource_id: id.to_string(),
            detail: serde_json::json!({ "factor": factor }),
        };
        audit::insert(tx, ctx, &event)?;
    }
    Ok(())
}

/// The failures that came after the right password, counted beside the others: those of
/// before tell nothing of whether somebody knows it.
fn after_password(counter: &str) -> String {
    format!("{counter}:after_password")
}

/// Counts a failure at the second step once more, and returns how many there are of these.
pub fn count_after_password(tx: &mut WriteTx, ctx: &Ctx, counter: &str) -> Result<i64> {
    passwords::count_failure(tx, &after_password(counter), ctx.now)
}

/// After a sign-in that is complete.
pub fn clear(tx: &mut WriteTx, counter: &str) -> Result<()> {
    passwords::clear_failures(tx, counter)?;
    passwords::clear_failures(tx, &after_password(counter))
}

/// Five free attempts, then waits that double up to a minute, and a quarter of an hour
/// once a hundred have failed. An owner who signed in here before is counted apart.
fn delay_after(failures: i64) -> Option<Duration> {
    match failures {
        ..5 => None,
        5..100 => Some(Duration::from_secs(1 << (failures - 5).min(6)).min(Duration::from_secs(60))),
        _ => Some(Duration::from_secs(900)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let seconds = |failures| delay_after(failures).map(|delay| delay.as_secs());
        assert_eq!(seconds(4), None);
        assert_eq!(
            (seconds(5), seconds(6), seconds(10), seconds(11), seconds(99)),
            (Some(1), Some(2), Some(32), Some(60), Some(60))
        );
        assert_eq!((seconds(100), seconds(100_000)), (Some(900), Some(900)));
    }

    #[test]
    fn known_browsers_are_counted_apart() {
        let stranger = counter(None, "alice@portolan.local");
        assert_ne!(stranger, counter(Some("nonce"), "alice@portolan.local"));
        assert_ne!(stranger, counter(None, "bob@portolan.local"));
        assert_ne!(after_password("a"), after_password("b"));
        assert_ne!(after_password(&stranger), stranger);
        assert!(!stranger.contains("alice"));
    }
}
