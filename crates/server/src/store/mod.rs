//! SQL, one file per table family. Free functions over a transaction; the module name is
//! the noun, so call sites read `authorization_codes::consume(..)`. Statements keep to the
//! subset that both engines share (design.md section 5).

pub mod access_tokens;
pub mod addresses;
pub mod audit;
pub mod authorization_codes;
pub mod authorization_requests;
pub mod cleanup;
pub mod client_logout;
pub mod clients;
pub mod consents;
pub mod factors;
pub mod grants;
pub mod identities;
pub mod identity_providers;
pub mod keys;
pub mod leases;
pub mod links;
pub mod logout_deliveries;
pub mod mail_requests;
pub mod outbox;
pub mod passwords;
pub mod pending_links;
pub mod policies;
pub mod projects;
pub mod refresh_tokens;
pub mod scopes;
pub mod sessions;
pub mod settings;
pub mod skins;
pub mod upstream_logins;

#[cfg(test)]
mod tests;

use portolan_db::{Migration, Value};

/// Every migration, in order. Never edited after a release; only appended to.
pub const MIGRATIONS: &[Migration] = &[
    migration(1, "server", include_str!("../../migrations/0001_server.sql")),
    migration(2, "identities", include_str!("../../migrations/0002_identities.sql")),
    migration(3, "clients", include_str!("../../migrations/0003_clients.sql")),
    migration(4, "sessions", include_str!("../../migrations/0004_sessions.sql")),
    migration(
        5,
        "consents_and_tokens",
        include_str!("../../migrations/0005_consents_and_tokens.sql"),
    ),
    migration(6, "mail", include_str!("../../migrations/0006_mail.sql")),
    migration(
        7,
        "sessions_of_people",
        include_str!("../../migrations/0007_sessions_of_people.sql"),
    ),
    migration(8, "upstream", include_str!("../../migrations/0008_upstream.sql")),
    migration(9, "linking", include_str!("../../migrations/0009_linking.sql")),
    migration(10, "factors", include_str!("../../migrations/0010_factors.sql")),
    migration(11, "logout", include_str!("../../migrations/0011_logout.sql")),
    migration(12, "undated", include_str!("../../migrations/0012_undated.sql")),
    migration(
        13,
        "mail_and_search",
        include_str!("../../migrations/0013_mail_and_search.sql"),
    ),
    migration(
        15,
        "scope_search",
        include_str!("../../migrations/0015_scope_search.sql"),
    ),
    migration(
        16,
        "console_and_skins",
        include_str!("../../migrations/0016_console_and_skins.sql"),
    ),
    migration(
        17,
        "switched_clients",
        include_str!("../../migrations/0017_switched_clients.sql"),
    ),
    migration(
        18,
        "mail_language",
        include_str!("../../migrations/0018_mail_language.sql"),
    ),
];

const fn migration(version: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration {
        version,
        name,
        sql,
        sqlite: None,
    }
}

/// `$first, $first+1, ..` for an IN list, padded to a power of two so that few distinct
/// statements are prepared; the padding repeats the last value.
fn in_list(values: &mut Vec<Value>, items: impl IntoIterator<Item = Value>) -> String {
    let first = values.len() + 1;
    values.extend(items);
    let count = values.len() + 1 - first;
    if count == 0 {
        values.push(Value::Null);
    }
    let last = values.last().cloned().unwrap_or(Value::Null);
    for _ in count.max(1)..count.max(1).next_power_of_two() {
        values.push(last.clone());
    }
    (first..=values.len())
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Behind every text that begins so: no character is greater than its last one.
fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// Lists of text in a column are JSON; the column was written by us.
fn json_list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}
