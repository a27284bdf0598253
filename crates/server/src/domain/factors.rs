//! Second factors of local accounts: what an account has, how each is checked, and what
//! changes when one comes or goes (standards.md AA7, AA8, AB1 to AB3, AD1).
//!
//! An authenticator app or a passkey makes an account one with a second factor; recovery
//! codes stand in for a lost one and go when the last one goes. A passkey that has checked
//! who is using it proves two factors by itself, so it can sign in alone.

use std::time::Duration;

use aws_lc_rs::hmac;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::{IdentityId, Secret, TokenHash};
use serde_json::{Value, json};
use uuid::Uuid;

use super::password::Factors;
use super::policy::REFEDS_MFA;
use super::sealing::MasterKey;
use super::session::Proof;
use super::webauthn::{
    self, Assertion, Attestation, Ceremony, Credential, Purpose, Refusal, RelyingParty, check_challenge,
};
use super::{identity, mail, token_format, totp};
use crate::app::{Ctx, random_bytes};
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::factors::{self, Passkey, PendingLogin};
use crate::store::identities::{self, Identity};

/// How long the second step of a sign-in may take.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(600);
/// How long an app that was begun to be set up waits for its first code.
pub const SET_UP_LIFETIME: Duration = Duration::from_secs(600);
/// How long a browser waits for an authenticator.
const AUTHENTICATOR_TIMEOUT: Duration = Duration::from_secs(300);

/// For so long a factor is named to whoever gets an account back.
const LATELY: Duration = Duration::from_secs(7 * 86_400);

pub const RECOVERY_CODES: usize = 10;
/// More than anybody has keys.
pub const MAX_PASSKEYS: usize = 20;

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
    let app = totp.and_then(|totp| Some(("an authenticator app".to_owned(), totp.confirmed_at?)));
    let keys = passkeys
        .into_iter()
        .map(|passkey| (format!("the passkey “{}”", passkey.name), passkey.created_at));
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
    fn method(&self) -> &'static str {
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
    if (count > 0 || passkey.sign_count > 0) && count <= passkey.sign_count {
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
        "A passkey of yours may have been copied",
        &format!(
            "The passkey “{}” was used to sign in, and it counts its uses wrongly. That happens when it is damaged, \
             or when somebody has made a copy of it. If you are not sure, remove it on the security page of your \
             account and register another one.",
            passkey.name
        ),
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
        )));
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
        "A passkey was added to your account",
        &format!(
            "The passkey “{}” can be used to sign in to your account from now on.",
            passkey.name
        ),
    )?;
    Ok(Ok(passkey))
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

fn tell_of_recovery(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId) -> Result<()> {
    let identity = identities::get(tx, id)?;
    let left = factors::count_recovery_codes(tx, id)?;
    announce(
        tx,
        ctx,
        &identity,
        "recovery_code.use",
        json!({ "left": left }),
        "A recovery code was used",
        &format!("Somebody signed in to your account with a recovery code. {left} of them are left."),
    )
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
        ));
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
        "An authenticator app was set up for your account",
        "From now on a code of an authenticator app is asked for when you sign in.",
    )?;
    Ok(true)
}

/// Codes without the letters that look like digits: 120 bits each, so that a plain hash
/// protects them (NIST SP 800-63B, section 3.1.2.2).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CODE_LENGTH: usize = 24;

/// New codes, to be shown once.
pub fn generate_recovery_codes() -> Vec<Secret> {
    let code = || {
        let random: [u8; CODE_LENGTH] = random_bytes();
        let letters: Vec<char> = random
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
            .collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Secret::new(groups.join("-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// As it is kept. Read generously: case, spaces, and the letters that look like digits.
fn recovery_hash(id: IdentityId, code: &str) -> TokenHash {
    let normal: String = code
        .chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            'u' => 'v',
            c => c,
        })
        .collect();
    token_format::hash(&format!("recovery:{id}:{normal}"))
}

pub fn replace_recovery_codes(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, codes: &[Secret]) -> Result<()> {
    if !has_second_factor(tx, identity.id)? {
        return Err(Error::invalid_request(
            "recovery codes stand in for a second factor; set one up first",
        ));
    }
    let hashes: Vec<TokenHash> = codes
        .iter()
        .map(|code| recovery_hash(identity.id, code.expose()))
        .collect();
    factors::replace_recovery_codes(tx, identity.id, &hashes, ctx.now)?;
    announce(
        tx,
        ctx,
        identity,
        "recovery_codes.replace",
        json!({ "count": codes.len() }),
        "New recovery codes were made for your account",
        "Recovery codes from before are good for nothing any more.",
    )
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
            "The authenticator app of your account".to_owned(),
        ),
        Removal::Passkey(passkey) => {
            let name = factors::list_passkeys(tx, id)?
                .into_iter()
                .find(|known| known.id == passkey)
                .map(|known| known.name);
            let removed = factors::delete_passkey(tx, passkey, id)?;
            let what = format!("The passkey “{}” of your account", name.unwrap_or_default());
            (removed, "passkey.delete", what)
        }
        Removal::All => {
            let removed = factors::delete_totp(tx, id)? + factors::delete_passkeys(tx, id)?;
            (
                removed > 0,
                "factors.delete",
                "Every second factor of your account".to_owned(),
            )
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
        "It has no second factor any more: the password alone is enough to sign in."
    } else {
        "The others stay."
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
        "A second factor was removed from your account",
        &format!("{what} was removed. {rest}"),
    )?;
    Ok(true)
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
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_long_and_can_be_typed_badly() {
        let codes = generate_recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let first = codes[0].expose();
        assert_eq!((first.len(), first.matches('-').count()), (29, 5), "{first}");
        assert!(codes.iter().skip(1).all(|code| code != &codes[0]));

        let id = IdentityId::from_u128(1);
        let typed = format!(
            "  {} ",
            first
                .to_uppercase()
                .replace('-', " ")
                .replace('0', "O")
                .replace('1', "l")
        );
        assert_eq!(recovery_hash(id, first), recovery_hash(id, &typed));
        assert_ne!(recovery_hash(id, first), recovery_hash(IdentityId::from_u128(2), first));
    }

    #[test]
    fn passkeys_are_known_by_names_not_by_addresses() {
        let rp = RelyingParty::new("https://auth.example.org:8443/").unwrap();
        assert_eq!(
            (rp.id.as_str(), rp.origin.as_str()),
            ("auth.example.org", "https://auth.example.org:8443")
        );
        assert_eq!(RelyingParty::new("http://localhost:8080").unwrap().id, "localhost");
        assert_eq!(RelyingParty::new("http://127.0.0.1:8080"), None);
        assert_eq!(RelyingParty::new("http://[::1]:8080"), None);
    }
}
