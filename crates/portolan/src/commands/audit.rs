//! `portolan audit`: who did what to which thing.

use std::collections::HashMap;

use anyhow::{Result, bail};
use clap::Args;
use portolan_db::{Db, ReadTx};
use portolan_server::Error;
use portolan_server::domain::trail::{self, Filter, Rest, Who};
use portolan_server::store::audit::Entry;
use portolan_types::{IdentityId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::options::{Options, context};
use crate::typed::{Moment, moment};
use crate::{find, output};

/// What can be read on one line.
const LINE: usize = 90;

/// What the actor of a command is called: nobody signed in to give it.
const OPERATOR: &str = "operator on this machine";

#[derive(Args)]
#[command(after_help = "\
The trail tells of each change and each login: what was done, by whom, to which thing, from
which address, in which request. Nothing in it is ever changed, it holds no secret, and it
outlives what it tells of (setting audit_retention_days). The newest entry comes first;
times are UTC.

What commands like this one do is done by the `operator on this machine`.

Examples:
  portolan audit --since 1d
  portolan audit --actor alice --action client
  portolan audit --actor operator --since 2026-02-01 --until 2026-03-01
  portolan audit --kind client --id 5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f
  portolan audit --request 0123456789abcdef0123456789abcdef --format json")]
pub struct Audit {
    /// Nothing older: 2026-02-03, 2026-02-03T09:15:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only what was before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Who did it: username or id, id or name of a client, operator, or system
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// What was done: client.create, or client for all that is done to clients
    #[arg(long)]
    action: Option<String>,
    /// What kind of thing: project, client, scope, policy, consent, identity ..
    #[arg(long)]
    kind: Option<String>,
    /// Which thing
    #[arg(long)]
    id: Option<String>,
    /// From which address
    #[arg(long)]
    address: Option<String>,
    /// In which request: the id that answers, error pages and logs carry
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// At most so many entries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Audit {
    pub fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let now = context().now;
        let since = self.since.map(|moment| moment.resolve(now));
        let until = self.until.map(|moment| moment.resolve(now));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            bail!("--since has to be earlier than --until");
        }
        let actor = match self.actor {
            Some(text) => Some(
                db.read_blocking(move |tx| who(tx, &config.local_domain, &text))
                    .map_err(output::explain)?,
            ),
            None => None,
        };
        let filter = Filter {
            since,
            actor,
            action: self.action,
            kind: self.kind,
            id: self.id,
            address: self.address,
            request: self.request,
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let (found, is_all) = search(&db, &filter, until, limit).map_err(output::explain)?;
        let entries = found.clone();
        let names = db
            .read_blocking(move |tx| trail::names(tx, &entries))
            .map_err(output::explain)?;
        let documents: Vec<Value> = found.iter().map(|entry| document(entry, &names)).collect();
        output::print(options.format, &json!({ "events": documents }), || {
            paragraphs(&found, &names, is_all)
        })
    }
}

/// What `--actor` means.
fn who(tx: &mut ReadTx, local_domain: &str, text: &str) -> Result<Who, Error> {
    Ok(match text {
        "operator" | OPERATOR => Who::Operator,
        "system" => Who::System,
        // Whoever did it may be gone, so an id need not be known.
        text => match text.parse::<IdentityId>() {
            Ok(id) => Who::Id(id.0),
            Err(_) => Who::Id(find::holder(tx, local_domain, text)?.id.0),
        },
    })
}

/// The newest entries that match, and whether these are all. Each page is read in a unit of
/// its own, so that a long search never holds up the server.
fn search(db: &Db, filter: &Filter, until: Option<Timestamp>, limit: usize) -> Result<(Vec<Entry>, bool), Error> {
    let mut before = trail::place_before(until);
    let mut found = Vec::new();
    loop {
        let (wanted, left) = (filter.clone(), limit - found.len());
        let page = db.read_blocking(move |tx| trail::search(tx, &wanted, before, left, 1))?;
        found.extend(page.entries);
        match page.rest {
            Rest::Nothing => return Ok((found, true)),
            Rest::More(_) => return Ok((found, false)),
            Rest::Unread(place) => before = place,
        }
    }
}

fn actor(entry: &Entry, names: &HashMap<Uuid, String>) -> String {
    match (entry.actor_kind.as_str(), entry.actor_id) {
        ("operator", _) => OPERATOR.to_owned(),
        ("system", _) => "the server itself".to_owned(),
        (_, Some(id)) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
        (kind, None) => kind.to_owned(),
    }
}

fn document(entry: &Entry, names: &HashMap<Uuid, String>) -> Value {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or(Value::Null);
    json!({
        "id": entry.id,
        "happened_at": entry.happened_at,
        "action": entry.action,
        "actor": { "kind": entry.actor_kind, "id": entry.actor_id, "name": actor(entry, names) },
        "resource": { "kind": entry.resource_kind, "id": entry.resource_id },
        "address": entry.address,
        "request_id": entry.request_id,
        "detail": detail,
    })
}

/// An entry is wider than any terminal, so its facts stand below one another.
fn paragraphs(found: &[Entry], names: &HashMap<Uuid, String>, is_all: bool) -> String {
    if found.is_empty() {
        return "Nothing in the trail matches.".to_owned();
    }
    let width = found.iter().map(|entry| entry.action.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in found {
        text.push_str(&format!(
            "{}  {:width$}  {} {}\n",
            output::time(entry.happened_at),
            entry.action,
            entry.resource_kind,
            entry.resource_id,
        ));
        let mut by = format!("  by {}", actor(entry, names));
        if let Some(address) = &entry.address {
            by.push_str(&format!(" from {address}"));
        }
        if let Some(id) = &entry.request_id {
            by.push_str(&format!(", request {id}"));
        }
        text.push_str(&format!("{by}\n"));
        let details = details(&entry.detail);
        let line = details.join(", ");
        if line.len() > LINE {
            details
                .iter()
                .for_each(|detail| text.push_str(&format!("  {detail}\n")));
        } else if !line.is_empty() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if !is_all {
        text.push_str("\nThere is more: --limit shows more, --until what was earlier.\n");
    }
    text
}

/// What else an entry tells.
fn details(detail: &str) -> Vec<String> {
    let line = |(name, value): (String, String)| format!("{name} {value}");
    trail::details(detail).into_iter().map(line).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;
    use portolan_server::store::MIGRATIONS;
    use portolan_server::store::audit::{self, Actor, Event};

    use super::*;

    fn entry() -> Entry {
        Entry {
            id: Uuid::from_u128(1),
            happened_at: Timestamp::from_seconds(100),
            action: "client.create".into(),
            actor_kind: "identity".into(),
            actor_id: Some(Uuid::from_u128(7)),
            resource_kind: "client".into(),
            resource_id: "5e0c".into(),
            address: Some("2001:db8::1".into()),
            request_id: Some("abcd".into()),
            detail: "{}".into(),
        }
    }

    #[test]
    fn every_part_of_a_filter_counts() {
        let some = |text: &str| Some(text.to_owned());
        let none = Filter::default;
        let table = [
            (none(), true),
            (
                Filter {
                    actor: Some(Who::Id(Uuid::from_u128(7))),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    actor: Some(Who::Id(Uuid::from_u128(8))),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    actor: Some(Who::Operator),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    actor: Some(Who::System),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    action: some("client.create"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    action: some("client"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    action: some("client.cre"),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    action: some("scope"),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    kind: some("client"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    kind: some("scope"),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    id: some("5E0C"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    id: some("5e"),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    address: some("2001:DB8::1"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    address: some("::1"),
                    ..none()
                },
                false,
            ),
            (
                Filter {
                    request: some("abcd"),
                    ..none()
                },
                true,
            ),
            (
                Filter {
                    request: some("x"),
                    ..none()
                },
                false,
            ),
        ];
        for (filter, expected) in table {
            assert_eq!(filter.matches(&entry()), expected, "{filter:?}");
        }
        let by_command = Entry {
            actor_kind: "operator".into(),
            actor_id: None,
            address: None,
            ..entry()
        };
        assert!(
            Filter {
                actor: Some(Who::Operator),
                ..none()
            }
            .matches(&by_command)
        );
        assert!(
            !Filter {
                address: some("::1"),
                ..none()
            }
            .matches(&by_command)
        );
    }

    db_test!(a_long_trail_is_searched_page_by_page, MIGRATIONS, |db| {
        // Every hundredth is an operator's, the last of them the oldest of all.
        db.write_blocking(|tx| {
            for number in 0..2500_i64 {
                let ctx = portolan_server::Ctx {
                    now: Timestamp::from_seconds(10_000 - number),
                    ..context()
                };
                let event = Event {
                    action: "thing.change",
                    actor: if number % 100 == 99 {
                        Actor::Operator
                    } else {
                        Actor::System
                    },
                    resource_kind: "thing",
                    resource_id: number.to_string(),
                    detail: json!({}),
                };
                audit::insert(tx, &ctx, &event)?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
        let find = |filter: &Filter, until, limit| {
            let (found, is_all) = search(db, filter, until, limit).unwrap();
            let numbers: Vec<String> = found.into_iter().map(|entry| entry.resource_id).collect();
            (numbers, is_all)
        };

        let operator = Filter {
            actor: Some(Who::Operator),
            ..Filter::default()
        };
        let (numbers, is_all) = find(&operator, None, 50);
        assert_eq!((numbers.len(), is_all), (25, true));
        assert_eq!((numbers[0].as_str(), numbers[24].as_str()), ("99", "2499"));
        let (numbers, is_all) = find(&operator, None, 25);
        assert_eq!((numbers.len(), is_all), (25, true), "exactly as many as there are");
        let (numbers, is_all) = find(&operator, None, 24);
        assert_eq!((numbers.len(), is_all), (24, false));
        let (numbers, _) = find(&operator, Some(Timestamp::from_seconds(10_000 - 2399)), 50);
        assert_eq!(numbers, ["2499"], "that of the moment itself is not before it");
        let recent = Filter {
            since: Some(Timestamp::from_seconds(10_000 - 1099)),
            ..operator
        };
        assert_eq!(find(&recent, None, 50).0.len(), 11);
    });
}
