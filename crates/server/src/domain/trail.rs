//! Searching the audit trail: for `portolan audit`, and for the operator console.
//!
//! The trail is long and has few indexes, so it is read a page at a time over the one that
//! leaves least to look through, and each caller says how much it wants to read at once.

use std::collections::{BTreeSet, HashMap};

use portolan_db::ReadTx;
use portolan_types::{ClientId, IdentityId, Timestamp};
use uuid::Uuid;

use crate::error::Result;
use crate::store::audit::{self, Entry};
use crate::store::{clients, identities};

/// How many entries are read at a time.
pub const PAGE: i64 = 1000;

/// Who did it, as far as the trail tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Operator,
    System,
    /// An identity or a client; the identity of a client has the same id.
    Id(Uuid),
}

/// What an entry has to be like. What is not given may be anything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Nothing older.
    pub since: Option<Timestamp>,
    pub actor: Option<Who>,
    /// `client.create`, or `client` for all that is done to clients.
    pub action: Option<String>,
    pub kind: Option<String>,
    pub id: Option<String>,
    pub address: Option<String>,
    pub request: Option<String>,
}

impl Filter {
    pub fn matches(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| value.is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
        };
        let actor = self.actor.as_ref().is_none_or(|actor| match actor {
            Who::Operator => entry.actor_kind == "operator",
            Who::System => entry.actor_kind == "system",
            Who::Id(id) => entry.actor_id == Some(*id),
        });
        let action = self.action.as_deref().is_none_or(|wanted| {
            let rest = entry.action.strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        actor
            && action
            && is(&self.kind, Some(&entry.resource_kind))
            && is(&self.id, Some(&entry.resource_id))
            && is(&self.address, entry.address.as_deref())
            && is(&self.request, entry.request_id.as_deref())
    }

    /// A page over the index that leaves least to look through.
    fn page(&self, tx: &mut ReadTx, before: Place) -> Result<Vec<Entry>> {
        match (&self.kind, &self.id, &self.actor) {
            (Some(kind), Some(id), _) => {
                let (kind, id) = (kind.to_lowercase(), id.to_lowercase());
                audit::list_by_resource_before(tx, &kind, &id, before, PAGE)
            }
            (_, _, Some(Who::Id(id))) => audit::list_by_actor_before(tx, *id, before, PAGE),
            _ => audit::list_before(tx, before, PAGE),
        }
    }
}

/// What a person or a client did and what was done to them, the newest first.
pub fn recent(tx: &mut ReadTx, kind: &str, id: Uuid, most: usize) -> Result<Vec<Entry>> {
    let end = place_before(None);
    let mut entries = audit::list_by_resource_before(tx, kind, &id.to_string(), end, most as i64)?;
    for entry in audit::list_by_actor_before(tx, id, end, most as i64)? {
        if !entries.iter().any(|known| known.id == entry.id) {
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.happened_at, entry.id)));
    entries.truncate(most);
    Ok(entries)
}

/// A place in the trail: before the entry of this time and id.
pub type Place = (Timestamp, Uuid);

/// Before whatever happened at this moment or later; without one, the end of all times.
pub fn place_before(until: Option<Timestamp>) -> Place {
    match until {
        // No id is smaller.
        Some(until) => (until, Uuid::nil()),
        None => (Timestamp::from_micros(i64::MAX), Uuid::max()),
    }
}

/// Some of the entries that match, newest first.
#[derive(Clone, Debug)]
pub struct Found {
    pub entries: Vec<Entry>,
    pub rest: Rest,
}

/// What is behind the entries that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Nothing,
    /// At least one more that matches.
    More(Place),
    /// Nobody knows: as many pages were read as were allowed.
    Unread(Place),
}

/// The newest entries before this place that match, at most `limit` of them, found in at
/// most so many pages.
pub fn search(tx: &mut ReadTx, filter: &Filter, mut before: Place, limit: usize, pages: usize) -> Result<Found> {
    let mut entries: Vec<Entry> = Vec::new();
    let start = before;
    for _ in 0..pages {
        let page = filter.page(tx, before)?;
        for entry in &page {
            if filter.since.is_some_and(|since| entry.happened_at < since) {
                return Ok(Found {
                    entries,
                    rest: Rest::Nothing,
                });
            }
            if filter.matches(entry) {
                if entries.len() == limit {
                    let last = entries.last().map_or(start, |last| (last.happened_at, last.id));
                    return Ok(Found {
                        entries,
                        rest: Rest::More(last),
                    });
                }
                entries.push(entry.clone());
            }
        }
        match page.last() {
            Some(last) if page.len() as i64 == PAGE => before = (last.happened_at, last.id),
            _ => {
                return Ok(Found {
                    entries,
                    rest: Rest::Nothing,
                });
            }
        }
    }
    Ok(Found {
        entries,
        rest: Rest::Unread(before),
    })
}

/// What people call those who acted, as far as they still exist.
pub fn names(tx: &mut ReadTx, entries: &[Entry]) -> Result<HashMap<Uuid, String>> {
    let ids: BTreeSet<Uuid> = entries.iter().filter_map(|entry| entry.actor_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut names = HashMap::new();
    for some in ids.chunks(500) {
        let (people, of_clients): (Vec<IdentityId>, Vec<ClientId>) =
            some.iter().map(|id| (IdentityId(*id), ClientId(*id))).unzip();
        // The name of a client says more than the username of its identity.
        let people = identities::list_by_ids(tx, &people)?;
        names.extend(people.into_iter().map(|identity| (identity.id.0, identity.username)));
        let clients = clients::list_by_ids(tx, of_clients)?;
        names.extend(clients.into_iter().map(|client| (client.id.0, client.name)));
    }
    Ok(names)
}

/// What else an entry tells: names and values, without what is empty.
pub fn details(detail: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(members)) = serde_json::from_str(detail) else {
        return Vec::new();
    };
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect()
}
