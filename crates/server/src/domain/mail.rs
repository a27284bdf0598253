//! What people are told by mail. Messages are plain text and are queued in the transaction
//! of the change they tell of. The one secret that a message may hold, a link that was
//! asked for, is sealed until it is sent.
//!
//! They speak the language of whoever caused them: that of the page on which it was done. What
//! commands and jobs do is told in English.
//!
//! Nobody is flooded: a recipient gets so many messages of a kind in an hour, the rest are
//! dropped. Kinds are apart, and links by what they are for, so that what strangers can cause
//! uses nothing up of what an owner must hear; and whoever has lost a password always has a
//! link that works (`domain::address`).

use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::{ProjectId, Timestamp};
use uuid::Uuid;

use super::identity::check_email;
use super::sealing::MasterKey;
use crate::app::{Ctx, new_uuid};
use crate::error::Result;
use crate::store::audit::{self, Actor, Event};
use crate::store::identities::Identity;
use crate::store::identity_providers::LOCAL;
use crate::store::outbox::{self, CONTACT, LINK, Message, NOTICE, OUTSIDE};
use crate::store::projects::{self, Project};
use crate::store::settings;

/// For so long sending is tried again.
pub const LIFETIME: Duration = Duration::from_secs(2 * 86_400);

const HOUR: Duration = Duration::from_secs(3600);
const NOTICES_PER_HOUR: i64 = 20;
const LINKS_PER_HOUR: i64 = 5;

/// Where the admins of a project look at it; its id comes after.
const PROJECT_PAGE: &str = "/p/developers/projects/";

/// Stands in a body where the sealed link comes.
pub const LINK_MARK: &str = "{link}";

/// Where the link of a message is sealed for.
pub fn link_place(id: Uuid) -> String {
    format!("outbox/sealed_link/{id}")
}

/// Queues a message to an address.
pub fn queue(tx: &mut WriteTx, ctx: &Ctx, recipient: &str, subject: &str, body: &str) -> Result<()> {
    queue_as(tx, ctx, NOTICE, recipient, subject, body)
}

fn queue_as(tx: &mut WriteTx, ctx: &Ctx, kind: &'static str, recipient: &str, subject: &str, body: &str) -> Result<()> {
    if outbox::count_since(tx, recipient, kind, "", ctx.now - HOUR)? >= NOTICES_PER_HOUR {
        return dropped(tx, ctx, subject);
    }
    let message = Message {
        id: new_uuid(),
        kind,
        purpose: "",
        recipient: recipient.to_owned(),
        subject: on_one_line(subject),
        body: body.to_owned(),
        sealed_link: None,
        expires_at: ctx.now + LIFETIME,
    };
    outbox::insert(tx, &message, ctx.now)
}

/// A link for the owner of an address, and until when it works.
pub struct Link<'a> {
    /// As `store::links` names it.
    pub purpose: &'static str,
    pub address: &'a str,
    pub expires_at: Timestamp,
    /// Sent however many were sent in this hour.
    pub is_needed: bool,
}

/// Queues a message with a secret link, which stands in the body as `{link}`. False if the
/// recipient has got too many for this purpose already.
pub fn queue_link(
    tx: &mut WriteTx,
    ctx: &Ctx,
    master_key: &MasterKey,
    recipient: &str,
    subject: &str,
    body: &str,
    link: &Link,
) -> Result<bool> {
    let sent = outbox::count_since(tx, recipient, LINK, link.purpose, ctx.now - HOUR)?;
    if sent >= LINKS_PER_HOUR && !link.is_needed {
        dropped(tx, ctx, subject)?;
        return Ok(false);
    }
    let id = new_uuid();
    let message = Message {
        id,
        kind: LINK,
        purpose: link.purpose,
        recipient: recipient.to_owned(),
        subject: on_one_line(subject),
        body: body.to_owned(),
        sealed_link: Some(master_key.seal(&link_place(id), link.address.as_bytes())),
        expires_at: link.expires_at,
    };
    outbox::insert(tx, &message, ctx.now)?;
    Ok(true)
}

/// No header can be smuggled in with a name that somebody chose.
fn on_one_line(subject: &str) -> String {
    let plain: String = subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    plain.trim().to_owned()
}

fn dropped(tx: &mut WriteTx, ctx: &Ctx, subject: &str) -> Result<()> {
    let event = Event {
        action: "mail.drop",
        actor: Actor::System,
        resource_kind: "mail",
        resource_id: String::new(),
        detail: serde_json::json!({ "subject": on_one_line(subject), "reason": "too many for one recipient in an hour" }),
    };
    audit::insert(tx, ctx, &event)
}

/// Tells a person that something about their account has changed. Without an address
/// there is nobody to tell; the audit trail has it all the same.
pub fn notify(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, subject: &str, what: &str) -> Result<()> {
    let Some(address) = &identity.email else {
        return Ok(());
    };
    notify_at(tx, ctx, identity, address, subject, what)
}

/// The same to an address that is no longer or not yet that of the account.
pub fn notify_at(
    tx: &mut WriteTx,
    ctx: &Ctx,
    identity: &Identity,
    address: &str,
    subject: &str,
    what: &str,
) -> Result<()> {
    let body = ctx
        .say("mail-notice")
        .arg(
            "name",
            on_one_line(identity.name.as_deref().unwrap_or(&identity.username)),
        )
        .arg("what", what)
        .arg("username", &identity.username);
    let body = format!("{body}\n");
    // Nobody here has proven that the address which another provider tells is the person's.
    let kind = if identity.provider_id == LOCAL { NOTICE } else { OUTSIDE };
    queue_as(tx, ctx, kind, address, subject, &body)
}

/// Tells the contact of a project.
pub fn notify_project(tx: &mut WriteTx, ctx: &Ctx, project: ProjectId, subject: &str, text: &str) -> Result<()> {
    match projects::find(tx, project)? {
        Some(project) => notify_contact(tx, ctx, &project, subject, text).map(|_| ()),
        None => Ok(()),
    }
}

/// False if the project has no contact that could be told; nobody reads that of the built-in
/// one. Anybody can make a project, name any address and choose the names: a message that
/// repeats them would let strangers write to anybody, so it says only the id and where to look.
pub fn notify_contact(tx: &mut WriteTx, ctx: &Ctx, project: &Project, subject: &str, text: &str) -> Result<bool> {
    if project.id == projects::BUILT_IN || check_email(&project.contact_email).is_err() {
        return Ok(false);
    }
    let site = settings::find(tx, settings::ISSUER)?.unwrap_or_default();
    let body = ctx
        .say("mail-contact")
        .arg("text", text)
        .arg("project", project.id)
        .arg("page", format!("{site}{PROJECT_PAGE}{}", project.id));
    let body = format!("{body}\n");
    queue_as(tx, ctx, CONTACT, &project.contact_email, subject, &body)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(on_one_line("Hello\r\nBcc: a@x.org\0"), "Hello  Bcc: a@x.org");
    }

    /// A link that was sealed for one message is not sent in another.
    #[test]
    fn each_link_has_a_place_of_its_own() {
        let id = new_uuid();
        assert_eq!(link_place(id), format!("outbox/sealed_link/{id}"));
    }
}
