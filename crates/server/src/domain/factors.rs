//! Second factors of local accounts: what an account has, how each is checked, and what
//! changes when one comes or goes (standards.md AA7, AA8, AB1 to AB3, AD1).
//!
//! An authenticator app or a passkey makes an account one with a second factor; recovery
//! codes stand in for a lost one and go when the last one goes. A passkey that has checked
//! who is using it proves two factors by itself, so it can sign in alone.

mod passkeys;
mod recovery_codes;

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{IdentityId, Secret};
use serde_json::{Value, json};
use uuid::Uuid;

use super::password::Factors;
use super::policy::REFEDS_MFA;
use super::sealing::MasterKey;
use super::session::Proof;
use super::webauthn::{Assertion, Credential, Purpose};
use super::{identity, mail, totp};
use crate::app::Ctx;
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::factors::{self, Passkey, PendingLogin};
use crate::store::identities::{self, Identity};
use crate::texts::words;
pub use passkeys::{
    Channel, MAX_PASSKEYS, Presence, Refused, check_passkey, proof_of_passkey, register_passkey, rename_passkey,
};
pub use recovery_codes::{RECOVERY_CODES, generate_recovery_codes, replace_recovery_codes};
use recovery_codes::{recovery_hash, tell_of_recovery};

/// How long the second step of a sign-in may take.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(600);
/// How long an app that was begun to be set up waits for its first code.
pub const SET_UP_LIFETIME: Duration = Duration::from_secs(600);

/// For so long a factor is named to whoever gets an account back.
const LATELY: Duration = Duration::from_secs(7 * 86_400);

/// What an account can prove itself with.
#[derive(Clone, Debug)]
pub struct Available {
    pub totp: Option<factors::TotpSecret>,
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

impl Available {
    /// How many second factors there are; recovery codes are none.
    pub fn count(&self) -> usize {
        self.passkeys.len() + usize::from(self.totp.is_some())
    }
}

pub fn available(tx: &mut ReadTx, id: IdentityId) -> Result<Available> {
    Ok(Available {
        totp: factors::find_totp(tx, id)?,
        passkeys: factors::list_passkeys(tx, id)?,
        recovery_codes: factors::count_recovery_codes(tx, id)?,
    })
}

/// What was added in the last week, each in words with its day.
pub fn added_lately(tx: &mut ReadTx, ctx: &Ctx, id: IdentityId) -> Result<Vec<String>> {
    let Available { totp, passkeys, .. } = available(tx, id)?;
    let app = totp.and_then(|totp| Some((ctx.text("mail-added-app").to_owned(), totp.confirmed_at?)));
    let keys = passkeys.into_iter().map(|passkey| {
        (
            ctx.say("mail-added-passkey").arg("name", &passkey.name).to_string(),
            passkey.created_at,
        )
    });
    Ok(app
        .into_iter()
        .chain(keys)
        .filter(|(_, at)| *at > ctx.now - LATELY)
        .map(|(what, at)| format!("{what} ({})", at.to_string().split('T').next().unwrap_or_default()))
        .collect())
}

/// Whether a password alone is not enough for this account. Recovery of an account asks
/// this too: a new password does not replace the second factor (AA7).
pub fn has_second_factor(tx: &mut ReadTx, id: IdentityId) -> Result<bool> {
    Ok(available(tx, id)?.count() > 0)
}

/// The rule that a new password has to meet.
pub fn password_rule(tx: &mut ReadTx, id: IdentityId) -> Result<Factors> {
    Ok(if has_second_factor(tx, id)? {
        Factors::WithSecondFactor
    } else {
        Factors::PasswordAlone
    })
}

/// The second thing that somebody shows after their password.
#[derive(Debug)]
pub enum Presented {
    Otp(Secret),
    RecoveryCode(Secret),
    Passkey(Box<Credential<Assertion>>),
}

impl Presented {
    pub fn name(&self) -> &'static str {
        match self {
            Presented::Otp(_) => "otp",
            Presented::RecoveryCode(_) => "recovery_code",
            Presented::Passkey(_) => "passkey",
        }
    }
}

/// Checks a second factor. The methods of the proof name what was really used. A recovery
/// code is a one-time code that its owner has on paper, so it counts as `otp`.
pub fn check_second_factor(
    tx: &mut WriteTx,
    ctx: &Ctx,
    master_key: &MasterKey,
    channel: Option<&Channel<'_>>,
    pending: &PendingLogin,
    presented: &Presented,
) -> Result<Option<Proof>> {
    let identity_id = pending.identity_id;
    let method = match presented {
        Presented::Otp(code) => use_otp(tx, ctx, master_key, identity_id, code)?.then_some("otp"),
        Presented::RecoveryCode(code) => {
            let used =
                factors::use_recovery_code(tx, identity_id, &recovery_hash(identity_id, code.expose()), ctx.now)?;
            if used {
                tell_of_recovery(tx, ctx, identity_id)?;
            }
            used.then_some("otp")
        }
        Presented::Passkey(credential) => match channel {
            None => None,
            Some(channel) => match check_passkey(tx, ctx, channel, Purpose::SecondFactor(identity_id), credential)? {
                Ok(presence) => Some(presence.method()),
                Err(refused) => {
                    tracing::info!(refusal = %refused.refusal, "passkey refused");
                    None
                }
            },
        },
    };
    let Some(method) = method else { return Ok(None) };
    let mut amr = pending.amr.clone();
    amr.extend([method.to_owned(), "mfa".to_owned()]);
    Ok(Some(Proof {
        at: ctx.now,
        acr: Some(REFEDS_MFA.into()),
        amr,
        undated: false,
    }))
}

fn use_otp(tx: &mut WriteTx, ctx: &Ctx, master_key: &MasterKey, id: IdentityId, code: &Secret) -> Result<bool> {
    let Some(secret) = factors::find_totp(tx, id)? else {
        return Ok(false);
    };
    let seed = open_seed(master_key, secret.id, &secret.sealed_seed)?;
    match totp::check(&seed, code.expose(), seconds(ctx))? {
        Some(step) => factors::use_totp_step(tx, secret.id, step, ctx.now),
        None => Ok(false),
    }
}

fn seconds(ctx: &Ctx) -> i64 {
    ctx.now.micros() / 1_000_000
}

pub fn open_seed(master_key: &MasterKey, id: Uuid, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    master_key.open(&totp::seed_place(id), sealed).map_err(Error::internal)
}

/// Begins to set up an authenticator app; it counts from its first code on.
pub fn begin_totp(
    tx: &mut WriteTx,
    ctx: &Ctx,
    master_key: &MasterKey,
    identity_id: IdentityId,
    id: Uuid,
    seed: &[u8; totp::SEED_LENGTH],
) -> Result<()> {
    let sealed = master_key.seal(&totp::seed_place(id), seed);
    factors::replace_unconfirmed_totp(tx, id, identity_id, &sealed, ctx.now)
}

/// True if the code was right: the app counts.
pub fn confirm_totp(
    tx: &mut WriteTx,
    ctx: &Ctx,
    master_key: &MasterKey,
    identity: &Identity,
    code: &Secret,
) -> Result<bool> {
    let after = ctx.now - SET_UP_LIFETIME;
    let Some(secret) = factors::find_unconfirmed_totp(tx, identity.id, after)? else {
        return Err(Error::invalid_request(
            "setting up the authenticator app took too long; begin again on the security page",
        )
        .said(words("refusal-late-app")));
    };
    let seed = open_seed(master_key, secret.id, &secret.sealed_seed)?;
    let Some(step) = totp::check(&seed, code.expose(), seconds(ctx))? else {
        return Ok(false);
    };
    if !factors::confirm_totp(tx, secret.id, identity.id, step, ctx.now)? {
        return Ok(false);
    }
    announce(
        tx,
        ctx,
        identity,
        "totp.create",
        json!({}),
        ctx.text("mail-app-subject"),
        ctx.text("mail-app"),
    )?;
    Ok(true)
}

/// What is to be taken away from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Totp,
    Passkey(Uuid),
    /// By an operator, for a person who has lost them. Every sign-in ends: whoever is still
    /// signed in has stolen a session, or signs in again.
    All,
}

/// Removes a factor; false if there is no such. With the last one go the recovery codes.
pub fn remove(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, identity: &Identity, removal: Removal) -> Result<bool> {
    let id = identity.id;
    let (removed, action, what) = match removal {
        Removal::Totp => (
            factors::delete_totp(tx, id)? > 0,
            "totp.delete",
            ctx.text("mail-removed-app").to_owned(),
        ),
        Removal::Passkey(passkey) => {
            let name = factors::list_passkeys(tx, id)?
                .into_iter()
                .find(|known| known.id == passkey)
                .map(|known| known.name);
            let removed = factors::delete_passkey(tx, passkey, id)?;
            let what = ctx.say("mail-removed-passkey").arg("name", name.unwrap_or_default());
            let what = what.to_string();
            (removed, "passkey.delete", what)
        }
        Removal::All => {
            let removed = factors::delete_totp(tx, id)? + factors::delete_passkeys(tx, id)?;
            (removed > 0, "factors.delete", ctx.text("mail-removed-all").to_owned())
        }
    };
    if !removed {
        return Ok(false);
    }
    let alone = !has_second_factor(tx, id)?;
    if alone {
        factors::delete_recovery_codes(tx, id)?;
    }
    if removal == Removal::All {
        identities::raise_generation(tx, id)?;
        identity::forget(tx, ctx, id)?;
    }
    let rest = if alone {
        ctx.text("mail-removed-last")
    } else {
        ctx.text("mail-removed-not-last")
    };
    let detail = match removal {
        Removal::Passkey(passkey) => json!({ "passkey": passkey, "last": alone }),
        _ => json!({ "last": alone }),
    };
    record(tx, ctx, actor, id, action, detail)?;
    mail::notify(
        tx,
        ctx,
        identity,
        ctx.text("mail-removed-subject"),
        &format!("{what} {rest}"),
    )?;
    Ok(true)
}

fn record(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    id: IdentityId,
    action: &'static str,
    detail: Value,
) -> Result<()> {
    let event = Event {
        action,
        actor,
        resource_kind: "identity",
        resource_id: id.to_string(),
        detail,
    };
    audit::insert(tx, ctx, &event)
}

/// Writes a change that a person made down, and tells them of it.
pub fn announce(
    tx: &mut WriteTx,
    ctx: &Ctx,
    identity: &Identity,
    action: &'static str,
    detail: Value,
    subject: &str,
    what: &str,
) -> Result<()> {
    record(tx, ctx, Actor::Identity(identity.id), identity.id, action, detail)?;
    mail::notify(tx, ctx, identity, subject, what)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
