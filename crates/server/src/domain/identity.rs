//! Identities of people: local accounts, and which identity of a linked set a token speaks for.

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{BrowserSessionId, IdentityId, IdentityProviderId, IdentitySetId};

use super::{logout, mail, session};
use crate::app::{Ctx, new_uuid};
use crate::domain::linking;
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::{self, CLIENTS, LOCAL};
use crate::store::{factors, links, passwords, pending_links};
use crate::texts::words;

/// A local account to be made. The hash comes ready: hashing takes its time outside transactions.
#[derive(Clone, Debug)]
pub struct NewLocalIdentity {
    /// `alice` or `alice@portolan.local`, any case.
    pub username: String,
    pub name: String,
    pub email: String,
    pub organization: Option<String>,
    pub password_hash: Option<String>,
    pub administrator: bool,
}

/// Makes a local account. `local_domain` completes a username without one.
pub fn create_local(tx: &mut WriteTx, ctx: &Ctx, local_domain: &str, new: &NewLocalIdentity) -> Result<Identity> {
    let username = local_username(&new.username, local_domain)?;
    check_text("name", &new.name)?;
    check_email(&new.email)?;
    let mut id = IdentityId(new_uuid());
    let mut identity = Identity {
        id,
        set_id: IdentitySetId(new_uuid()),
        provider_id: LOCAL,
        provider_name: String::new(),
        provider_enabled: true,
        subject: Some(id.to_string()),
        username,
        name: Some(new.name.trim().to_owned()),
        email: Some(new.email.trim().to_owned()),
        organization: new.organization.clone(),
        status: "used".into(),
        identity_type: Some("login".into()),
        enabled: true,
        generation: 0,
        created_at: ctx.now,
        last_authentication_at: None,
    };
    // Somebody may have prepared permissions for this name: they are for this account.
    if let Some(claimed) = identities::claim(tx, &identity)? {
        id = claimed;
        identity = identities::get(tx, id)?;
    } else if !identities::insert(tx, &identity)? {
        return Err(Error::conflict(format!("the username {} is taken", identity.username))
            .said(words("account-username-taken").arg("username", &identity.username)));
    }
    if let Some(hash) = &new.password_hash {
        passwords::upsert(tx, id, hash, ctx.now)?;
    }
    if new.administrator {
        identities::insert_administrator(tx, id, ctx.now)?;
    }
    Ok(identity)
}

/// How many identities one caller may provision in an hour.
const PROVISIONED_PER_HOUR: i64 = 100;

/// Makes identities that nobody owns yet for those usernames that are unknown and whose
/// domain a provider asserts; others are passed over. The audit trail counts for the limit,
/// so it holds on all nodes together.
pub fn provision(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, local_domain: &str, usernames: &[String]) -> Result<()> {
    const ACTION: &str = "identity.provision";
    let known = identities::list_by_usernames(tx, usernames)?;
    let hour = std::time::Duration::from_secs(3600);
    let mut left = PROVISIONED_PER_HOUR - audit::count_since(tx, actor, ACTION, ctx.now - hour)?;
    for username in usernames {
        if known.iter().any(|identity| identity.username == *username) {
            continue;
        }
        let Some(provider) = provider_of(tx, username, local_domain)? else {
            continue;
        };
        if left <= 0 {
            let detail = format!("at most {PROVISIONED_PER_HOUR} new identities in an hour");
            return Err(Error::too_many_requests(detail).retry_after(hour));
        }
        let identity = Identity {
            id: IdentityId(new_uuid()),
            set_id: IdentitySetId(new_uuid()),
            provider_id: provider,
            provider_name: String::new(),
            provider_enabled: true,
            subject: None,
            username: username.clone(),
            name: None,
            email: None,
            organization: None,
            status: "unused".into(),
            identity_type: Some("login".into()),
            enabled: true,
            generation: 0,
            created_at: ctx.now,
            last_authentication_at: None,
        };
        // The same name twice in one call is one identity.
        if !identities::insert(tx, &identity)? {
            continue;
        }
        left -= 1;
        let event = Event {
            action: ACTION,
            actor,
            resource_kind: "identity",
            resource_id: identity.id.to_string(),
            detail: serde_json::json!({ "username": identity.username }),
        };
        audit::insert(tx, ctx, &event)?;
    }
    Ok(())
}

/// The provider that may assert a username; none if the name is impossible, or the domain
/// is nobody's, or is that of clients, whose identities come and go with them.
fn provider_of(tx: &mut ReadTx, username: &str, local_domain: &str) -> Result<Option<IdentityProviderId>> {
    let Some((local, domain)) = username.rsplit_once('@') else {
        return Ok(None);
    };
    let possible =
        !local.is_empty() && !local.contains(char::is_whitespace) && check_text("username", username).is_ok();
    if !possible || (domain == local_domain && local_username(username, local_domain).is_err()) {
        return Ok(None);
    }
    let provider = identity_providers::find_by_domain(tx, domain)?;
    Ok(provider
        .filter(|provider| provider.enabled && provider.id != CLIENTS)
        .map(|provider| provider.id))
}

/// Completes and checks a username of the local domain: lower case, one `@`.
pub fn local_username(username: &str, local_domain: &str) -> Result<String> {
    let username = username.trim().to_lowercase();
    let local = match username.split_once('@') {
        None => username.as_str(),
        Some((local, domain)) if domain == local_domain => local,
        Some(_) => {
            return Err(
                Error::invalid_parameters(format!("username: local accounts end in @{local_domain}"))
                    .said(words("account-username-domain").arg("domain", local_domain))
                    .about("username"),
            );
        }
    };
    let characters = local.chars().count();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    if characters == 0 || characters > 64 || !local.chars().all(allowed) {
        return Err(
            Error::invalid_parameters("username: must have 1 to 64 letters, digits or the characters . _ - +")
                .said(words("account-username-characters"))
                .about("username"),
        );
    }
    Ok(format!("{local}@{local_domain}"))
}

/// What a person typed as username: completed with the local domain if there is none.
/// Never an error: an impossible name is simply unknown.
pub fn typed_username(typed: &str, local_domain: &str) -> String {
    let typed = typed.trim().to_lowercase();
    if typed.contains('@') {
        typed
    } else {
        format!("{typed}@{local_domain}")
    }
}

pub fn check_text(field: &'static str, text: &str) -> Result<()> {
    let length = text.trim().chars().count();
    if length == 0 || length > 255 || text.chars().any(char::is_control) {
        return Err(
            Error::invalid_parameters(format!("{field}: must have 1 to 255 characters on one line"))
                .said(words("account-text-length"))
                .about(field),
        );
    }
    Ok(())
}

pub fn check_email(email: &str) -> Result<()> {
    check_text("email", email)?;
    let well_formed = email.trim().split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !email.trim().contains(char::is_whitespace)
    });
    if well_formed {
        Ok(())
    } else {
        Err(
            Error::invalid_parameters("email: must be an address such as a@example.org")
                .said(words("account-email-form"))
                .about("email"),
        )
    }
}

/// Lets an account sign in again. What it had before it was switched off does not come back.
pub fn switch_on(tx: &mut WriteTx, id: IdentityId) -> Result<()> {
    identities::set_enabled(tx, id, true)
}

/// Switches an account off for whatever reason an operator has, and tells its owner: besides
/// its tokens, what its sign-ins alone gave to the identities linked with it ends.
pub fn switch_off(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId) -> Result<()> {
    identities::set_enabled(tx, id, false)?;
    forget(tx, ctx, id)?;
    let identity = identities::get(tx, id)?;
    let subject = ctx.text("mail-switched-off-subject");
    mail::notify(tx, ctx, &identity, subject, ctx.text("mail-switched-off"))
}

/// Switches an account off or on for somebody who administers the server, and writes it down.
pub fn switch(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, id: IdentityId, enabled: bool) -> Result<()> {
    if actor == Actor::Identity(id) && !enabled {
        return Err(Error::conflict(
            "this is the account you are signed in with; another administrator can switch it off",
        )
        .said(words("refusal-own-account")));
    }
    let action = if enabled {
        switch_on(tx, id)?;
        "identity.enable"
    } else {
        switch_off(tx, ctx, id)?;
        "identity.disable"
    };
    let event = Event {
        action,
        actor,
        resource_kind: "identity",
        resource_id: id.to_string(),
        detail: serde_json::json!({}),
    };
    audit::insert(tx, ctx, &event)
}

/// A new password, set by the person or an operator: other browsers are signed out and
/// tokens from before end, since whoever knew the old one may hold them; also those that speak
/// for an identity linked with it, where this one alone had signed in.
pub fn set_password(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId, hash: &str) -> Result<()> {
    passwords::upsert(tx, id, hash, ctx.now)?;
    identities::raise_generation(tx, id)?;
    forget(tx, ctx, id)?;
    let identity = identities::get(tx, id)?;
    let mut what = ctx.text("mail-password").to_owned();
    let added = super::factors::added_lately(tx, ctx, id)?;
    if !added.is_empty() {
        let list = format!("- {}", added.join("\n- "));
        what.push_str(&format!("\n\n{}", ctx.say("mail-password-added").arg("list", list)));
    }
    mail::notify(tx, ctx, &identity, ctx.text("mail-password-subject"), &what)
}

/// An identity is out of every browser, its clients hear of it, what rests on its sign-ins
/// alone ends, and so does what it has begun.
pub fn forget(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId) -> Result<()> {
    logout::announce_identity(tx, ctx, id)?;
    linking::forget_sign_ins(tx, ctx, id)?;
    forget_beginnings(tx, id)
}

/// The same by the person in this browser, which stays signed in. `verified` is the hash that
/// the present password was checked against: one that was set meanwhile stays.
pub fn change_password(
    tx: &mut WriteTx,
    ctx: &Ctx,
    account: &Identity,
    verified: &str,
    hash: &str,
    here: BrowserSessionId,
    idle: Duration,
) -> Result<()> {
    if !passwords::replace(tx, account.id, verified, hash, ctx.now)? {
        return Err(
            Error::conflict("the password was changed elsewhere meanwhile; sign in again")
                .said(words("refusal-password-elsewhere")),
        );
    }
    identities::raise_generation(tx, account.id)?;
    session::end_others(tx, ctx, account, here, idle)?;
    forget_beginnings(tx, account.id)
}

/// Signs the person out in every other browser, ends what apps got there, and tells them.
pub fn end_other_sessions(
    tx: &mut WriteTx,
    ctx: &Ctx,
    account: &Identity,
    here: BrowserSessionId,
    idle: Duration,
) -> Result<()> {
    session::end_others(tx, ctx, account, here, idle)?;
    for id in identities::list_set_ids(tx, account.set_id)? {
        forget_beginnings(tx, id)?;
    }
    super::factors::announce(
        tx,
        ctx,
        account,
        "session.end_others",
        serde_json::json!({}),
        ctx.text("mail-signed-out-subject"),
        ctx.text("mail-signed-out"),
    )
}

/// What somebody may have begun who was signed in: a sign-in that waits for its second
/// factor, a link, a new address, a new password. Finished later, it would undo a recovery.
pub fn forget_beginnings(tx: &mut WriteTx, id: IdentityId) -> Result<()> {
    factors::delete_pending_logins(tx, id)?;
    pending_links::delete_of(tx, id)?;
    for purpose in [links::ADDRESS, links::PASSWORD_RESET] {
        links::delete_of(tx, id, purpose)?;
    }
    Ok(())
}

/// Which identity of the set a client's tokens speak for: the one of the provider it
/// requires, or the primary (wire.md 1.3). `None`: the set has no such identity.
pub fn effective(
    tx: &mut ReadTx,
    logged_in: &Identity,
    required_idp: Option<IdentityProviderId>,
) -> Result<Option<Identity>> {
    let set = identities::list_set(tx, logged_in.set_id)?;
    Ok(choose(&set, required_idp).filter(|chosen| chosen.is_live()).cloned())
}

/// The same among the identities of a set, the primary first.
pub fn choose(set: &[Identity], required_idp: Option<IdentityProviderId>) -> Option<&Identity> {
    match required_idp {
        None => set.first(),
        // One that was closed may stand before the one that took its place.
        Some(provider) => set
            .iter()
            .find(|identity| identity.provider_id == provider && identity.is_live()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_lower_case_and_of_the_local_domain() {
        assert_eq!(
            local_username(" Alice ", "portolan.local").unwrap(),
            "alice@portolan.local"
        );
        assert_eq!(
            local_username("alice@portolan.local", "portolan.local").unwrap(),
            "alice@portolan.local"
        );
        for bad in ["", "a b", "a@elsewhere.org", "a@b@portolan.local", "<script>"] {
            assert!(local_username(bad, "portolan.local").is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        for (length, fits) in [(1, true), (64, true), (65, false), (66, false)] {
            let name = local_username(&"é".repeat(length), "portolan.local");
            assert_eq!(name.is_ok(), fits, "{length}");
        }
        for (length, fits) in [(0, false), (1, true), (255, true), (256, false)] {
            assert_eq!(check_text("name", &"é".repeat(length)).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn an_email_has_one_at_sign_and_no_spaces() {
        assert!(check_email("a@example.org").is_ok());
        for bad in ["", "a", "@x", "a@", "a@b@c", "a b@c"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }
}
