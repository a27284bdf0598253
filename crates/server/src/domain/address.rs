//! What an e-mail address is good for: proving that a person reads it, getting back into an
//! account whose password is lost, and opening an account.
//!
//! The form that asks stores what was typed and nothing else, whoever filled it in; a job
//! looks it up and sends mail or does not. So text, status and time of the answer are the
//! same for every account and for none, by construction (standards.md AA6).
//!
//! A link is good once, and only its hash is stored. Opening it changes nothing: programs
//! that look at mail open links too. What changes is sent by the form behind it.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::{IdentityId, TokenHash};

use super::identity::{self, NewLocalIdentity};
use super::mail::{self, LINK_MARK};
use super::sealing::MasterKey;
use super::token_format;
use crate::app::{Ctx, new_uuid, random_bytes};
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::LOCAL;
use crate::store::links::{self, Sent};
use crate::store::mail_requests::{self, MailRequest, PASSWORD_RESET};
use crate::store::{addresses, passwords};
use crate::texts::{Language, words};

/// AA7: at most ten minutes.
pub const RESET_LIFETIME: Duration = Duration::from_secs(600);
/// For proving an address and opening an account.
pub const LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

const HOUR: Duration = Duration::from_secs(3600);
/// Accounts with one address that a reset is sent for.
const ACCOUNTS_PER_ADDRESS: i64 = 5;
/// So many links to open an account go out in an hour, on all nodes together, before each
/// address that asks gets one alone.
const SIGN_UPS_PER_HOUR: i64 = 200;
/// Longer than any name or address; what is beyond is not kept.
const LONGEST_TYPED: usize = 255;

/// What messages say about this server.
#[derive(Clone, Debug)]
pub struct Site {
    /// Without a slash at the end.
    pub public_url: String,
    pub local_domain: String,
}

/// Keeps what was typed into a form that is answered by mail.
pub fn ask(tx: &mut WriteTx, ctx: &Ctx, kind: &'static str, typed: &str) -> Result<()> {
    let request = MailRequest {
        id: new_uuid(),
        kind: kind.to_owned(),
        typed: typed.trim().chars().take(LONGEST_TYPED).collect(),
        address: ctx.address.map(|address| address.to_string()),
        language: ctx.language.tag().to_owned(),
        created_at: ctx.now,
    };
    mail_requests::insert(tx, &request)
}

/// Answers one request, on the node that takes it.
pub fn answer(tx: &mut WriteTx, ctx: &Ctx, master_key: &MasterKey, site: &Site, request: &MailRequest) -> Result<()> {
    if !mail_requests::take(tx, request.id)? {
        return Ok(());
    }
    // The audit trail shall name who asked, not the job, and the answer speaks their language.
    let ctx = Ctx {
        language: Language::of_tag(&request.language).unwrap_or_default(),
        address: request.address.as_ref().and_then(|text| text.parse::<IpAddr>().ok()),
        ..ctx.clone()
    };
    if request.kind == PASSWORD_RESET {
        for account in find_accounts(tx, site, &request.typed)? {
            send_reset(tx, &ctx, Actor::System, master_key, site, &account)?;
        }
        Ok(())
    } else {
        answer_sign_up(tx, &ctx, master_key, site, &request.typed)
    }
}

/// Local accounts by name or address. Others have no password here.
fn find_accounts(tx: &mut ReadTx, site: &Site, typed: &str) -> Result<Vec<Identity>> {
    let by_name = identities::find_by_username(tx, &identity::typed_username(typed, &site.local_domain))?;
    let mut found = match by_name {
        Some(account) => vec![account],
        None if typed.contains('@') => identities::list_by_email(tx, LOCAL, typed, ACCOUNTS_PER_ADDRESS)?,
        None => Vec::new(),
    };
    found.retain(can_reset);
    Ok(found)
}

/// Whether a link for a new password can be sent to its owner.
pub fn can_reset(account: &Identity) -> bool {
    account.provider_id == LOCAL && account.is_live() && account.status != "unused" && account.email.is_some()
}

/// 256 bits that nobody can guess, and what is stored of them.
fn new_secret() -> (String, TokenHash) {
    let secret = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let hash = token_format::hash(&secret);
    (secret, hash)
}

fn event(action: &'static str, actor: Actor, id: IdentityId) -> Event {
    Event {
        action,
        actor,
        resource_kind: "identity",
        resource_id: id.to_string(),
        detail: serde_json::json!({}),
    }
}

/// Sends the link for a new password to the owner of an account, for somebody who
/// administers the server: they never learn it.
pub fn send_reset_for(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    master_key: &MasterKey,
    site: &Site,
    account: &Identity,
) -> Result<()> {
    if !can_reset(account) {
        return Err(Error::conflict(
            "only a local account that is switched on and has an e-mail address can be sent a link",
        )
        .said(words("refusal-no-link")));
    }
    if send_reset(tx, ctx, actor, master_key, site, account)? {
        return Ok(());
    }
    Err(
        Error::too_many_requests("this address was sent five links within the last hour")
            .said(words("refusal-many-links"))
            .retry_after(HOUR),
    )
}

/// False if the address has got too many already.
fn send_reset(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    master_key: &MasterKey,
    site: &Site,
    account: &Identity,
) -> Result<bool> {
    let Some(address) = &account.email else {
        return Ok(false);
    };
    // A stranger who asks for an hour's worth of links must not keep the owner out when
    // these have expired: with none that works, one more is sent.
    let is_needed = !links::has_live(tx, account.id, links::PASSWORD_RESET, ctx.now)?;
    let (secret, hash) = new_secret();
    let expires_at = ctx.now + RESET_LIFETIME;
    let body = match actor {
        Actor::System => "mail-reset",
        _ => "mail-reset-by-administrator",
    };
    let body = ctx.say(body).arg("username", &account.username);
    let body = format!("{}\n", body.arg("site", &site.public_url).arg("link", LINK_MARK));
    let subject = ctx.text("mail-reset-subject");
    let link = mail::Link {
        purpose: links::PASSWORD_RESET,
        address: &format!("{}/p/reset/{secret}", site.public_url),
        expires_at,
        is_needed,
    };
    let queued = mail::queue_link(tx, ctx, master_key, address, subject, &body, &link)?;
    if queued {
        let sent = Sent {
            identity_id: Some(account.id),
            address: address.clone(),
        };
        links::insert_sent(tx, &hash, links::PASSWORD_RESET, &sent, ctx.now, expires_at)?;
        audit::insert(tx, ctx, &event("password_reset.ask", actor, account.id))?;
    }
    Ok(queued)
}

/// The account that a live link is for. The link ends with the address it was sent to.
pub fn find_reset(tx: &mut ReadTx, ctx: &Ctx, hash: &TokenHash) -> Result<Option<Identity>> {
    let Some(sent) = links::find_sent(tx, hash, links::PASSWORD_RESET, ctx.now)? else {
        return Ok(None);
    };
    let Some(id) = sent.identity_id else { return Ok(None) };
    Ok(identities::find(tx, id)?.filter(|account| can_reset(account) && account.email == Some(sent.address)))
}

/// A new password by link: all sessions and tokens of before end, and nobody is signed in.
/// A second factor is asked for as ever when the person signs in.
pub fn reset_password(tx: &mut WriteTx, ctx: &Ctx, hash: &TokenHash, password_hash: &str) -> Result<Identity> {
    let account = find_reset(tx, ctx, hash)?.ok_or_else(dead_link)?;
    if !links::consume(tx, hash, links::PASSWORD_RESET, ctx.now)? {
        return Err(dead_link());
    }
    identity::set_password(tx, ctx, account.id, password_hash)?;
    if let Some(address) = &account.email {
        addresses::verify(tx, account.id, address, ctx.now)?;
    }
    audit::insert(
        tx,
        ctx,
        &event("password_reset.complete", Actor::Identity(account.id), account.id),
    )?;
    Ok(account)
}

pub fn dead_link() -> Error {
    Error::forbidden("this link was used already or has expired; ask for a new one").said(words("error-dead-link"))
}

/// Sends a link that proves an address: the present one of the account, or a new one.
pub fn send_verification(
    tx: &mut WriteTx,
    ctx: &Ctx,
    master_key: &MasterKey,
    site: &Site,
    account: &Identity,
    address: &str,
) -> Result<()> {
    identity::check_email(address)?;
    let address = address.trim();
    let (secret, hash) = new_secret();
    let expires_at = ctx.now + LINK_LIFETIME;
    let body = ctx
        .say("mail-confirm")
        .arg("username", &account.username)
        .arg("site", &site.public_url)
        .arg("link", LINK_MARK);
    let body = format!("{body}\n");
    let link = mail::Link {
        purpose: links::ADDRESS,
        address: &format!("{}/p/address/{secret}", site.public_url),
        expires_at,
        is_needed: false,
    };
    if !mail::queue_link(
        tx,
        ctx,
        master_key,
        address,
        ctx.text("mail-confirm-subject"),
        &body,
        &link,
    )? {
        // Said in the same words as if it had been sent: what others asked for at this address
        // is nobody's business.
        return Ok(());
    }
    let sent = Sent {
        identity_id: Some(account.id),
        address: address.to_owned(),
    };
    // The last one counts: whoever entered a wrong address at first has not given it away.
    links::delete_of(tx, account.id, links::ADDRESS)?;
    links::insert_sent(tx, &hash, links::ADDRESS, &sent, ctx.now, expires_at)?;
    audit::insert(
        tx,
        ctx,
        &event("identity.ask_address", Actor::Identity(account.id), account.id),
    )
}

/// The account and the address that a live link would confirm.
pub fn find_verification(tx: &mut ReadTx, ctx: &Ctx, hash: &TokenHash) -> Result<Option<(Identity, String)>> {
    let Some(sent) = links::find_sent(tx, hash, links::ADDRESS, ctx.now)? else {
        return Ok(None);
    };
    let Some(id) = sent.identity_id else { return Ok(None) };
    let account = identities::find(tx, id)?.filter(Identity::is_live);
    Ok(account.map(|account| (account, sent.address)))
}

/// The address is the account's and proven. If it is another than before, both are told.
pub fn confirm(tx: &mut WriteTx, ctx: &Ctx, hash: &TokenHash) -> Result<String> {
    let (account, address) = find_verification(tx, ctx, hash)?.ok_or_else(dead_link)?;
    if !links::consume(tx, hash, links::ADDRESS, ctx.now)? {
        return Err(dead_link());
    }
    if account.email.as_deref() != Some(&address) {
        identities::set_email(tx, account.id, &address)?;
        // Links on their way to the old address must not open the account any more.
        links::delete_of(tx, account.id, links::PASSWORD_RESET)?;
        let what = ctx.say("mail-address").arg("address", &address).to_string();
        let subject = ctx.text("mail-address-subject");
        if let Some(before) = &account.email {
            mail::notify_at(tx, ctx, &account, before, subject, &what)?;
        }
        mail::notify_at(tx, ctx, &account, &address, subject, &what)?;
    }
    addresses::verify(tx, account.id, &address, ctx.now)?;
    audit::insert(
        tx,
        ctx,
        &event("identity.verify_address", Actor::Identity(account.id), account.id),
    )?;
    Ok(address)
}

/// Whether so many accounts were asked for within the hour that whoever asks more than once
/// has to wait: strangers with a few addresses must not keep everybody else out.
pub fn many_sign_up(tx: &mut ReadTx, ctx: &Ctx) -> Result<bool> {
    Ok(links::count_since(tx, links::SIGN_UP, ctx.now - HOUR)? >= SIGN_UPS_PER_HOUR)
}

/// An address that has accounts already is told so, by mail: the page says the same to all.
fn answer_sign_up(tx: &mut WriteTx, ctx: &Ctx, master_key: &MasterKey, site: &Site, address: &str) -> Result<()> {
    if identity::check_email(address).is_err() {
        return Ok(());
    }
    let known = identities::list_by_email(tx, LOCAL, address, ACCOUNTS_PER_ADDRESS)?;
    if !known.is_empty() {
        let names: Vec<&str> = known.iter().map(|account| account.username.as_str()).collect();
        let body = ctx
            .say("mail-known")
            .arg("site", &site.public_url)
            .arg("accounts", names.join("\n"))
            .arg("link", LINK_MARK);
        let body = format!("{body}\n");
        let subject = ctx.text("mail-known-subject");
        let link = mail::Link {
            purpose: links::SIGN_UP,
            address: &format!("{}/p/login", site.public_url),
            expires_at: ctx.now + LINK_LIFETIME,
            is_needed: false,
        };
        return mail::queue_link(tx, ctx, master_key, address, subject, &body, &link).map(|_| ());
    }
    let (secret, hash) = new_secret();
    let expires_at = ctx.now + LINK_LIFETIME;
    let body = ctx
        .say("mail-open")
        .arg("site", &site.public_url)
        .arg("link", LINK_MARK);
    let body = format!("{body}\n");
    let subject = ctx.text("mail-open-subject");
    let link = mail::Link {
        purpose: links::SIGN_UP,
        address: &format!("{}/p/sign-up/{secret}", site.public_url),
        expires_at,
        is_needed: false,
    };
    if mail::queue_link(tx, ctx, master_key, address, subject, &body, &link)? {
        let sent = Sent {
            identity_id: None,
            address: address.to_owned(),
        };
        links::insert_sent(tx, &hash, links::SIGN_UP, &sent, ctx.now, expires_at)?;
    }
    Ok(())
}

/// The address that a live link was sent to.
pub fn find_sign_up(tx: &mut ReadTx, ctx: &Ctx, hash: &TokenHash) -> Result<Option<String>> {
    let sent = links::find_sent(tx, hash, links::SIGN_UP, ctx.now)?;
    Ok(sent.map(|sent| sent.address))
}

/// What a person chooses who opens an account.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub username: String,
    pub name: String,
    pub password_hash: String,
}

/// Opens the account, whose address is proven by the link.
pub fn sign_up(tx: &mut WriteTx, ctx: &Ctx, local_domain: &str, hash: &TokenHash, chosen: &Chosen) -> Result<Identity> {
    let address = find_sign_up(tx, ctx, hash)?.ok_or_else(dead_link)?;
    if !links::consume(tx, hash, links::SIGN_UP, ctx.now)? {
        return Err(dead_link());
    }
    let username = identity::local_username(&chosen.username, local_domain)?;
    // Names that only look alike would pass for somebody else.
    if !username.is_ascii() {
        return Err(
            Error::invalid_parameters("username: must have letters a to z, digits or the characters . _ - +")
                .said(words("account-username-ascii"))
                .about("username"),
        );
    }
    // Also a name that somebody has prepared permissions for: strangers do not get them.
    if identities::find_by_username(tx, &username)?.is_some() {
        return Err(Error::conflict("username: this name is taken; choose another one")
            .said(words("account-name-taken"))
            .about("username"));
    }
    let new = NewLocalIdentity {
        username,
        name: chosen.name.clone(),
        email: address.clone(),
        organization: None,
        password_hash: None,
        administrator: false,
    };
    let account = identity::create_local(tx, ctx, local_domain, &new)?;
    passwords::upsert(tx, account.id, &chosen.password_hash, ctx.now)?;
    addresses::verify(tx, account.id, &address, ctx.now)?;
    audit::insert(
        tx,
        ctx,
        &event("identity.sign_up", Actor::Identity(account.id), account.id),
    )?;
    Ok(account)
}
