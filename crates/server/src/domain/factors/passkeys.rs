//! Passkeys: what a browser is asked, how the answer of an authenticator is checked, and how a
//! new one is registered.

use std::time::Duration;

use aws_lc_rs::hmac;
use portolan_db::WriteTx;
use portolan_types::{IdentityId, TokenHash};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{announce, record};
use crate::app::{Ctx, random_bytes};
use crate::domain::policy::REFEDS_MFA;
use crate::domain::session::Proof;
use crate::domain::webauthn::{
    self, Assertion, Attestation, Ceremony, Credential, Purpose, Refusal, RelyingParty, check_challenge,
};
use crate::error::{Error, Result};
use crate::store::audit::Actor;
use crate::store::factors::{self, Passkey};
use crate::store::identities::{self, Identity};
use crate::texts::words;

/// How long a browser waits for an authenticator.
const AUTHENTICATOR_TIMEOUT: Duration = Duration::from_secs(300);
/// More than anybody has keys.
pub const MAX_PASSKEYS: usize = 20;

/// Between browser and server: who we are, what authenticates challenges, which browser it is.
pub struct Channel<'a> {
    pub rp: &'a RelyingParty,
    pub key: &'a hmac::Key,
    /// Hash of its cookie.
    pub browser: &'a TokenHash,
}

impl Channel<'_> {
    pub fn challenge(&self, ctx: &Ctx, purpose: Purpose) -> String {
        webauthn::challenge(self.key, purpose, self.browser, random_bytes(), ctx.now)
    }

    /// Options for `navigator.credentials.get`. Without passkeys to choose from, the
    /// authenticator looks for itself.
    pub fn request_options(&self, ctx: &Ctx, purpose: Purpose, passkeys: &[Passkey]) -> Value {
        let verification = match purpose {
            Purpose::SignIn => "required",
            _ => "preferred",
        };
        json!({
            "challenge": self.challenge(ctx, purpose),
            "rpId": self.rp.id,
            "timeout": AUTHENTICATOR_TIMEOUT.as_millis() as u64,
            "userVerification": verification,
            "allowCredentials": descriptors(passkeys),
        })
    }

    /// Options for `navigator.credentials.create`.
    pub fn creation_options(&self, ctx: &Ctx, identity: &Identity, handle: &[u8], known: &[Passkey]) -> Value {
        let algorithms: Vec<Value> = webauthn::ALGORITHMS
            .iter()
            .map(|algorithm| json!({ "type": "public-key", "alg": algorithm }))
            .collect();
        json!({
            "challenge": self.challenge(ctx, Purpose::Register(identity.id)),
            "rp": { "id": self.rp.id, "name": self.rp.id },
            "user": {
                "id": webauthn::encode(handle),
                "name": identity.username,
                "displayName": identity.name.as_deref().unwrap_or(&identity.username),
            },
            "pubKeyCredParams": algorithms,
            "timeout": AUTHENTICATOR_TIMEOUT.as_millis() as u64,
            "excludeCredentials": descriptors(known),
            "authenticatorSelection": { "residentKey": "preferred", "userVerification": "preferred" },
            "attestation": "none",
            "extensions": { "credProps": true },
        })
    }
}

fn descriptors(passkeys: &[Passkey]) -> Vec<Value> {
    passkeys
        .iter()
        .map(|passkey| {
            json!({
                "type": "public-key",
                "id": webauthn::encode(&passkey.credential_id),
                "transports": passkey.transports,
            })
        })
        .collect()
}

/// A refused factor, with the account if it is known whose it was to be. An outcome and
/// not an error: a challenge stays used, a failure stays counted.
#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    pub identity: Option<IdentityId>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            identity: None,
        }
    }
}

/// What a passkey has proven.
#[derive(Debug)]
pub struct Presence {
    pub passkey: Passkey,
    pub user_verified: bool,
}

impl Presence {
    /// Without attestation nobody can tell where a key is kept. One that may be copied to
    /// other devices is software to us, one that cannot is hardware.
    pub(super) fn method(&self) -> &'static str {
        if self.passkey.backup_eligible { "swk" } else { "hwk" }
    }
}

/// Marks the challenge of an answer as used, if it is one of ours that was not yet.
fn take_challenge(
    tx: &mut WriteTx,
    ctx: &Ctx,
    channel: &Channel<'_>,
    purpose: Purpose,
    ceremony: Ceremony,
    client_data: &[u8],
) -> Result<Result<(), Refusal>> {
    let answered = webauthn::check_client_data(channel.rp, ceremony, client_data)
        .and_then(|challenge| check_challenge(channel.key, purpose, channel.browser, &challenge, ctx.now));
    let answered = match answered {
        Ok(answered) => answered,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let fresh = factors::use_challenge(tx, &answered.hash, answered.expires_at)?;
    Ok(if fresh { Ok(()) } else { Err(Refusal::Challenge) })
}

macro_rules! accept {
    ($checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal.into())),
        }
    };
}

/// Checks the answer of an authenticator for a sign-in or its second step.
pub fn check_passkey(
    tx: &mut WriteTx,
    ctx: &Ctx,
    channel: &Channel<'_>,
    purpose: Purpose,
    credential: &Credential<Assertion>,
) -> Result<Result<Presence, Refused>> {
    let response = &credential.response;
    let client_data = accept!(webauthn::decode(&response.client_data));
    accept!(take_challenge(tx, ctx, channel, purpose, Ceremony::Get, &client_data)?);
    let credential_id = accept!(webauthn::decode(&credential.id));
    let Some(passkey) = factors::find_passkey(tx, &credential_id)? else {
        return Ok(Err(Refusal::Unknown.into()));
    };
    let owner = passkey.identity_id;
    let refuse = |refusal| {
        Ok(Err(Refused {
            refusal,
            identity: Some(owner),
        }))
    };
    let handle = match response.user_handle.as_deref().map(webauthn::decode).transpose() {
        Ok(handle) => handle.filter(|handle| !handle.is_empty()),
        Err(refusal) => return refuse(refusal),
    };
    let named = match &handle {
        Some(handle) => factors::find_by_user_handle(tx, handle)?,
        None => None,
    };
    let belongs = match purpose {
        // Nobody has said yet who they are: the authenticator must.
        Purpose::SignIn => named == Some(owner),
        Purpose::SecondFactor(id) => owner == id && (handle.is_none() || named == Some(owner)),
        Purpose::Register(_) => false,
    };
    if !belongs {
        return refuse(Refusal::Unknown);
    }
    let checked = webauthn::decode(&response.authenticator_data).and_then(|data| {
        let signature = webauthn::decode(&response.signature)?;
        webauthn::check_assertion(
            channel.rp,
            &passkey.public_key,
            passkey.backup_eligible,
            &client_data,
            &data,
            &signature,
        )
    });
    let asserted = match checked {
        Ok(asserted) => asserted,
        Err(refusal) => return refuse(refusal),
    };
    if purpose == Purpose::SignIn && !asserted.user_verified {
        return refuse(Refusal::UserVerification);
    }
    let count = i64::from(asserted.sign_count);
    // Passkeys that live on several devices stay at zero. Another one that does not rise
    // may have been copied, or has lost its memory: a sign to look, no proof (AB2).
    if passkey.sign_count > 0 && count <= passkey.sign_count {
        let identity = identities::get(tx, owner)?;
        warn_of_copy(tx, ctx, &identity, &passkey, count)?;
    }
    factors::mark_passkey_used(
        tx,
        passkey.id,
        count.max(passkey.sign_count),
        asserted.user_verified,
        asserted.backed_up,
        ctx.now,
    )?;
    Ok(Ok(Presence {
        passkey,
        user_verified: asserted.user_verified,
    }))
}

fn warn_of_copy(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, passkey: &Passkey, count: i64) -> Result<()> {
    let detail = json!({ "passkey": passkey.id, "known": passkey.sign_count, "said": count });
    announce(
        tx,
        ctx,
        identity,
        "passkey.counter_went_back",
        detail,
        ctx.text("mail-copied-subject"),
        &ctx.say("mail-copied").arg("name", &passkey.name).to_string(),
    )
}

/// A passkey as the only thing that was asked for: who is using it was checked, so it
/// stands for two factors.
pub fn proof_of_passkey(ctx: &Ctx, presence: &Presence) -> Proof {
    Proof {
        acr: Some(REFEDS_MFA.into()),
        ..Proof::now(ctx, &[presence.method(), "user", "mfa"])
    }
}

/// Checks a new credential and keeps it.
pub fn register_passkey(
    tx: &mut WriteTx,
    ctx: &Ctx,
    channel: &Channel<'_>,
    identity: &Identity,
    id: Uuid,
    name: &str,
    credential: &Credential<Attestation>,
) -> Result<Result<Passkey, Refusal>> {
    let response = &credential.response;
    let client_data = accept!(webauthn::decode(&response.client_data));
    let purpose = Purpose::Register(identity.id);
    accept!(take_challenge(
        tx,
        ctx,
        channel,
        purpose,
        Ceremony::Create,
        &client_data
    )?);
    let credential_id = accept!(webauthn::decode(&credential.id));
    let object = accept!(webauthn::decode(&response.object));
    let registered = accept!(webauthn::check_attestation(channel.rp, &credential_id, &object));
    if factors::list_passkeys(tx, identity.id)?.len() >= MAX_PASSKEYS {
        return Err(Error::invalid_request(format!(
            "an account has at most {MAX_PASSKEYS} passkeys; remove one that you do not use"
        ))
        .said(words("refusal-many-passkeys").arg("most", MAX_PASSKEYS)));
    }
    let transports = response.transports.iter();
    let passkey = Passkey {
        id,
        credential_id: registered.credential_id,
        identity_id: identity.id,
        name: name.to_owned(),
        public_key: registered.public_key,
        sign_count: registered.sign_count.into(),
        discoverable: credential.extensions.properties.rk.unwrap_or(false),
        user_verifying: registered.user_verified,
        backup_eligible: registered.backup_eligible,
        backed_up: registered.backed_up,
        transports: transports
            .filter(|transport| {
                transport.len() <= 20 && transport.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            })
            .take(8)
            .cloned()
            .collect(),
        created_at: ctx.now,
        last_used_at: None,
    };
    if !factors::insert_passkey(tx, &passkey)? {
        return Ok(Err(Refusal::Duplicate));
    }
    announce(
        tx,
        ctx,
        identity,
        "passkey.create",
        json!({ "passkey": passkey.id, "name": passkey.name }),
        ctx.text("mail-passkey-subject"),
        &ctx.say("mail-passkey").arg("name", &passkey.name).to_string(),
    )?;
    Ok(Ok(passkey))
}

pub fn rename_passkey(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, passkey: Uuid, name: &str) -> Result<bool> {
    let renamed = factors::rename_passkey(tx, passkey, identity.id, name)?;
    if renamed {
        let detail = json!({ "passkey": passkey, "name": name });
        record(
            tx,
            ctx,
            Actor::Identity(identity.id),
            identity.id,
            "passkey.update",
            detail,
        )?;
    }
    Ok(renamed)
}
