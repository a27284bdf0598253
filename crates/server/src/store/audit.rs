//! The audit trail: who did what to which thing, written in the transaction of the change
//! itself. Append-only, without foreign keys, so that it outlives what it tells of. No
//! entry holds a secret.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, IdentityId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::app::{Ctx, new_uuid};
use crate::error::Result;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Identity(IdentityId),
    Client(ClientId),
    /// Somebody at a terminal of the server.
    Operator,
    /// The server itself.
    System,
}

impl Actor {
    fn kind(self) -> &'static str {
        match self {
            Actor::Identity(_) => "identity",
            Actor::Client(_) => "client",
            Actor::Operator => "operator",
            Actor::System => "system",
        }
    }

    fn id(self) -> Option<Uuid> {
        match self {
            Actor::Identity(id) => Some(id.0),
            Actor::Client(id) => Some(id.0),
            Actor::Operator | Actor::System => None,
        }
    }
}

/// What is recorded. `action` is the noun and the verb of the change: `client.create`.
#[derive(Clone, Debug)]
pub struct Event {
    pub action: &'static str,
    pub actor: Actor,
    pub resource_kind: &'static str,
    pub resource_id: String,
    /// Further facts as a JSON object, never a secret.
    pub detail: Value,
}

pub fn insert(tx: &mut WriteTx, ctx: &Ctx, event: &Event) -> Result<()> {
    tx.execute(
        "INSERT INTO audit_events (id, happened_at, action, actor_kind, actor_id, resource_kind, resource_id,
                                   address, request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            new_uuid(),
            ctx.now,
            event.action,
            event.actor.kind(),
            event.actor.id(),
            event.resource_kind,
            &event.resource_id,
            ctx.address.map(|address| address.to_string()),
            ctx.request_id.to_string(),
            event.detail.to_string(),
        ],
    )?;
    Ok(())
}

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Uuid,
    pub happened_at: Timestamp,
    pub action: String,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub resource_kind: String,
    pub resource_id: String,
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// JSON.
    pub detail: String,
}

impl FromRow for Entry {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            happened_at: row.take()?,
            action: row.take()?,
            actor_kind: row.take()?,
            actor_id: row.take()?,
            resource_kind: row.take()?,
            resource_id: row.take()?,
            address: row.take()?,
            request_id: row.take()?,
            detail: row.take()?,
        })
    }
}

/// How often somebody did this since then.
pub fn count_since(tx: &mut ReadTx, actor: Actor, action: &str, since: Timestamp) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM audit_events WHERE actor_id = $1 AND happened_at > $2 AND action = $3",
        params![actor.id(), since, action],
    )?)
}

/// The entries before a given one, newest first.
pub fn list_before(tx: &mut ReadTx, before: (Timestamp, Uuid), limit: i64) -> Result<Vec<Entry>> {
    Ok(tx.fetch_all(
        "SELECT id, happened_at, action, actor_kind, actor_id, resource_kind, resource_id, address, request_id, detail
           FROM audit_events
          WHERE (happened_at, id) < ($1, $2)
          ORDER BY happened_at DESC, id DESC
          LIMIT $3",
        params![before.0, before.1, limit],
    )?)
}

/// The entries about one thing before a given one, newest first.
pub fn list_by_resource_before(
    tx: &mut ReadTx,
    kind: &str,
    id: &str,
    before: (Timestamp, Uuid),
    limit: i64,
) -> Result<Vec<Entry>> {
    Ok(tx.fetch_all(
        "SELECT id, happened_at, action, actor_kind, actor_id, resource_kind, resource_id, address, request_id, detail
           FROM audit_events
          WHERE resource_kind = $1 AND resource_id = $2 AND (happened_at, id) < ($3, $4)
          ORDER BY happened_at DESC, id DESC
          LIMIT $5",
        params![kind, id, before.0, before.1, limit],
    )?)
}

/// What one identity or client did before a given entry, newest first.
pub fn list_by_actor_before(
    tx: &mut ReadTx,
    actor_id: Uuid,
    before: (Timestamp, Uuid),
    limit: i64,
) -> Result<Vec<Entry>> {
    Ok(tx.fetch_all(
        "SELECT id, happened_at, action, actor_kind, actor_id, resource_kind, resource_id, address, request_id, detail
           FROM audit_events
          WHERE actor_id = $1 AND (happened_at, id) < ($2, $3)
          ORDER BY happened_at DESC, id DESC
          LIMIT $4",
        params![actor_id, before.0, before.1, limit],
    )?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;
    use serde_json::json;

    use super::*;
    use crate::store::MIGRATIONS;

    db_test!(entries_come_back_newest_first_a_page_at_a_time, MIGRATIONS, |db| {
        for second in 1..=3 {
            let ctx = Ctx {
                address: Some("192.0.2.1".parse().unwrap()),
                ..Ctx::at(Timestamp::from_seconds(second))
            };
            let event = Event {
                action: "client.create",
                actor: Actor::Identity(IdentityId::from_u128(7)),
                resource_kind: "client",
                resource_id: second.to_string(),
                detail: json!({"name": "n"}),
            };
            db.write_blocking(move |tx| insert(tx, &ctx, &event)).unwrap();
        }
        let list = |before| db.read_blocking(move |tx| list_before(tx, before, 2)).unwrap();

        let page = list((Timestamp::from_seconds(99), Uuid::max()));
        let resources: Vec<&str> = page.iter().map(|entry| entry.resource_id.as_str()).collect();
        assert_eq!(resources, ["3", "2"]);
        assert_eq!(page[0].actor_kind, "identity");
        assert_eq!(page[0].actor_id, Some(Uuid::from_u128(7)));
        assert_eq!(page[0].address.as_deref(), Some("192.0.2.1"));
        assert_eq!(page[0].detail, "{\"name\":\"n\"}");

        let rest = list((page[1].happened_at, page[1].id));
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].resource_id, "1");
    });
}
