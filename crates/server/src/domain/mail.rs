//! What people are told by mail. Messages are plain text, never hold a secret but a link
//! that was asked for, and are queued in the transaction of the change they tell of.

use portolan_db::WriteTx;

use crate::app::{Ctx, new_uuid};
use crate::error::Result;
use crate::store::identities::Identity;
use crate::store::outbox::{self, Message};

/// Queues a message to an address.
pub fn queue(tx: &mut WriteTx, ctx: &Ctx, recipient: &str, subject: &str, body: &str) -> Result<()> {
    let message = Message {
        id: new_uuid(),
        recipient: recipient.to_owned(),
        subject: subject.to_owned(),
        body: body.to_owned(),
    };
    outbox::insert(tx, &message, ctx.now)
}

/// Tells a person that something about their account has changed. Without an address
/// there is nobody to tell; the audit trail has it all the same.
pub fn notify(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, subject: &str, what: &str) -> Result<()> {
    let Some(address) = &identity.email else {
        return Ok(());
    };
    let body = format!(
        "Hello {},\n\n{what}\n\nAccount: {}\n\nIf this was not you, sign in, end all other sessions and change your \
         password, and tell the operators.\n",
        identity.name.as_deref().unwrap_or(&identity.username),
        identity.username
    );
    queue(tx, ctx, address, subject, &body)
}
