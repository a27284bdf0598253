//! Who somebody is here whom another provider has signed in.
//!
//! A person is known by provider and subject alone, never by an e-mail address or a name:
//! both can be given to somebody else (standards.md J5, threats.md 10). A username decides
//! once, when it claims an identity that nobody has used yet and that was prepared for it
//! at this very provider (decisions, section 6).

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{IdentityId, IdentityProviderId, IdentitySetId};
use serde_json::json;

use crate::app::Ctx;
use crate::domain::identity::check_text;
use crate::domain::policy::REFEDS_MFA;
use crate::domain::session::Proof;
use crate::domain::{identity, linking, logout};
use crate::error::Result;
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers;
use crate::upstream::claims::Profile;
use crate::upstream::fault::{self, Fault};
use crate::upstream::oidc::Provider;

/// Ids for what may have to be made; drawn before the transaction, which may run twice.
#[derive(Clone, Copy, Debug)]
pub struct NewIds {
    pub identity: IdentityId,
    pub set: IdentitySetId,
}

/// The identity of a verified profile: known, claimed or new. A refusal changes nothing.
pub fn recognise(
    tx: &mut WriteTx,
    ctx: &Ctx,
    provider: &Provider,
    profile: &Profile,
    new: NewIds,
) -> Result<Result<Identity, Fault>> {
    let provider_id = provider.id;
    // Looked at again: it may have been switched off while the person was away.
    let enabled = identity_providers::find(tx, provider_id)?.is_some_and(|provider| provider.enabled);
    if !enabled {
        return Ok(Err(fault::DISABLED));
    }
    let mut domains = identity_providers::list_domains(tx, provider_id)?;
    domains.sort_by_key(|domain| *domain != provider.configuration.default_domain);
    let username = match username(&profile.username, &domains) {
        Ok(username) => username,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(known) = identities::find_by_subject(tx, provider_id, &profile.subject)? {
        if !known.is_live() {
            return Ok(Err(fault::ACCOUNT_DISABLED));
        }
        return update(tx, ctx, &known, &username, profile);
    }
    create(tx, ctx, provider_id, &username, profile, new)
}

/// Somebody who was here before: name and addresses follow the provider.
fn update(
    tx: &mut WriteTx,
    ctx: &Ctx,
    known: &Identity,
    username: &str,
    profile: &Profile,
) -> Result<Result<Identity, Fault>> {
    let mut shown = known.username.as_str();
    if username != known.username {
        let owner = identities::find_by_username(tx, username)?;
        match owner {
            None => shown = username,
            // The provider gave the name of one person to another.
            Some(owner) if owner.provider_id == known.provider_id && owner.subject.is_some() => {
                close(tx, ctx, &owner)?;
                shown = username;
            }
            // Prepared for whoever comes under this name first, which this person did not:
            // the old name stays, nothing is merged.
            Some(owner) if owner.provider_id == known.provider_id => {}
            Some(_) => return Ok(Err(fault::USERNAME_TAKEN)),
        }
    }
    if shown != known.username {
        let detail = json!({ "from": known.username, "to": shown });
        record(tx, ctx, "identity.rename", known.id, detail)?;
    }
    identities::update_profile(
        tx,
        known.id,
        shown,
        profile.name.as_deref().or(known.name.as_deref()),
        profile.email.as_deref().or(known.email.as_deref()),
        profile.organization.as_deref().or(known.organization.as_deref()),
    )?;
    Ok(Ok(identities::get(tx, known.id)?))
}

fn create(
    tx: &mut WriteTx,
    ctx: &Ctx,
    provider_id: IdentityProviderId,
    username: &str,
    profile: &Profile,
    new: NewIds,
) -> Result<Result<Identity, Fault>> {
    let identity = Identity {
        id: new.identity,
        set_id: new.set,
        provider_id,
        provider_name: String::new(),
        provider_enabled: true,
        subject: Some(profile.subject.clone()),
        username: username.to_owned(),
        name: profile.name.clone(),
        email: profile.email.clone(),
        organization: profile.organization.clone(),
        status: "used".into(),
        identity_type: Some("login".into()),
        enabled: true,
        generation: 0,
        created_at: ctx.now,
        last_authentication_at: None,
    };
    if let Some(owner) = identities::find_by_username(tx, username)? {
        if owner.provider_id != provider_id {
            return Ok(Err(fault::USERNAME_TAKEN));
        }
        if owner.status == "unused" && owner.subject.is_none() {
            if !owner.is_live() {
                return Ok(Err(fault::ACCOUNT_DISABLED));
            }
            if let Some(id) = identities::claim(tx, &identity)? {
                record(tx, ctx, "identity.claim", id, json!({ "username": username }))?;
                return Ok(Ok(identities::get(tx, id)?));
            }
        }
        close(tx, ctx, &owner)?;
    }
    if !identities::insert(tx, &identity)? {
        return Ok(Err(fault::USERNAME_TAKEN));
    }
    let detail = json!({ "username": username, "identity_provider": provider_id });
    record(tx, ctx, "identity.create", identity.id, detail)?;
    Ok(Ok(identities::get(tx, identity.id)?))
}

/// The name is somebody else's now: whoever had it before is not let in by it any more, and
/// nothing that was given to them goes to the other one.
fn close(tx: &mut WriteTx, ctx: &Ctx, owner: &Identity) -> Result<()> {
    logout::announce_identity(tx, ctx, owner.id)?;
    identities::close(tx, owner.id)?;
    identities::replace_closed_primary(tx, owner.set_id)?;
    linking::forget_sign_ins(tx, ctx, owner.id)?;
    identity::forget_beginnings(tx, owner.id)?;
    let detail = json!({ "username": owner.username, "reason": "username given to another subject" });
    record(tx, ctx, "identity.close", owner.id, detail)
}

fn record(tx: &mut WriteTx, ctx: &Ctx, action: &'static str, id: IdentityId, detail: serde_json::Value) -> Result<()> {
    let event = Event {
        action,
        actor: Actor::System,
        resource_kind: "identity",
        resource_id: id.to_string(),
        detail,
    };
    audit::insert(tx, ctx, &event)
}

/// A refusal that is remembered: operators see which provider failed, and why.
pub fn record_refusal(tx: &mut WriteTx, ctx: &Ctx, provider: IdentityProviderId, refusal: Fault) -> Result<()> {
    let event = Event {
        action: "login.refused",
        actor: Actor::System,
        resource_kind: "identity_provider",
        resource_id: provider.to_string(),
        detail: json!({ "reason": refusal.code }),
    };
    audit::insert(tx, ctx, &event)
}

/// The username here: in lower case, with the provider's first domain if it has none, and
/// in no domain but the provider's own.
fn username(told: &str, domains: &[String]) -> Result<String, Fault> {
    let told = told.trim().to_lowercase();
    let Some((local, domain)) = told.rsplit_once('@') else {
        let domain = domains.first().ok_or(fault::FOREIGN_DOMAIN)?;
        return check_username(&told, domain);
    };
    if !domains.iter().any(|own| own == domain) {
        return Err(fault::FOREIGN_DOMAIN);
    }
    check_username(local, domain)
}

fn check_username(local: &str, domain: &str) -> Result<String, Fault> {
    let username = format!("{local}@{domain}");
    let possible = !local.is_empty()
        && !local.contains('@')
        && !username.contains(char::is_whitespace)
        && check_text("username", &username).is_ok();
    if possible {
        Ok(username)
    } else {
        Err(fault::USERNAME_MALFORMED)
    }
}

/// What the login proves. That two factors were used counts only where the operator has
/// decided to believe it of this provider (standards.md H10). Without a time of its own the
/// login has that of the answer, and counts as old wherever it matters.
pub fn proof(ctx: &Ctx, trust_mfa: bool, profile: &Profile) -> Proof {
    let mut amr = profile.amr.clone();
    let mut acr = profile.acr.clone();
    if !trust_mfa {
        amr.retain(|method| method != "mfa");
        acr = acr.filter(|class| class != REFEDS_MFA);
    }
    Proof {
        at: profile.authenticated_at.unwrap_or(ctx.now).min(ctx.now),
        acr,
        amr,
        undated: profile.authenticated_at.is_none(),
    }
}

/// The providers of usernames such as a hint names.
pub fn provider_of_hint(tx: &mut ReadTx, hint: &str) -> Result<Option<identity_providers::IdentityProvider>> {
    match hint.trim().rsplit_once('@') {
        Some((_, domain)) => identity_providers::find_by_domain(tx, &domain.to_lowercase()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use portolan_types::Timestamp;

    use super::*;

    #[test]
    fn a_username_is_in_a_domain_of_its_provider_or_it_is_refused() {
        let domains = ["x.org".to_owned(), "y.org".to_owned()];
        let table = [
            ("alice", Ok("alice@x.org")),
            (" Alice@Y.org ", Ok("alice@y.org")),
            ("0000-0002-1825-0097", Ok("0000-0002-1825-0097@x.org")),
            ("alice@evil.org", Err(fault::FOREIGN_DOMAIN)),
            ("alice@sub.x.org", Err(fault::FOREIGN_DOMAIN)),
            ("alice@x.org.evil.org", Err(fault::FOREIGN_DOMAIN)),
            ("alice@", Err(fault::FOREIGN_DOMAIN)),
            ("a@b@x.org", Err(fault::USERNAME_MALFORMED)),
            ("@x.org", Err(fault::USERNAME_MALFORMED)),
            ("a b", Err(fault::USERNAME_MALFORMED)),
            ("", Err(fault::USERNAME_MALFORMED)),
        ];
        for (told, expected) in table {
            assert_eq!(username(told, &domains), expected.map(str::to_owned), "{told}");
        }
        assert_eq!(username("alice", &[]), Err(fault::FOREIGN_DOMAIN));
        assert_eq!(username(&"x".repeat(300), &domains), Err(fault::USERNAME_MALFORMED));
    }

    #[test]
    fn two_factors_count_only_where_the_provider_is_trusted_for_them() {
        let ctx = Ctx::at(Timestamp::from_seconds(1000));
        let profile = Profile {
            subject: "s".into(),
            username: "a".into(),
            name: None,
            email: None,
            organization: None,
            authenticated_at: Some(Timestamp::from_seconds(900)),
            acr: Some(REFEDS_MFA.into()),
            amr: vec!["pwd".into(), "mfa".into()],
        };
        let trusted = proof(&ctx, true, &profile);
        assert_eq!(trusted.acr.as_deref(), Some(REFEDS_MFA));
        assert_eq!(trusted.amr, ["pwd", "mfa"]);
        let untrusted = proof(&ctx, false, &profile);
        assert_eq!((untrusted.acr, untrusted.amr), (None, vec!["pwd".to_owned()]));
        assert_eq!(untrusted.at, Timestamp::from_seconds(900));
        // Clocks are not quite the same: nobody signs in after now.
        let early = Profile {
            authenticated_at: Some(Timestamp::from_seconds(1030)),
            ..profile.clone()
        };
        assert_eq!(proof(&ctx, false, &early).at, ctx.now);
        let silent = Profile {
            authenticated_at: None,
            ..profile
        };
        let silent = proof(&ctx, false, &silent);
        assert_eq!((silent.at, silent.undated), (ctx.now, true));
    }
}
