//! How the engines execute our statements. A look-up that reads a whole table works well
//! in every test and stops a server that has run for a year, so each statement of the
//! store is explained on both engines, and none may scan a table that grows.
//!
//! The texts are taken from the sources, so no copy can fall behind. PostgreSQL plans with
//! `enable_seqscan = off` and without the joins that read whole tables: on empty ones it
//! would take them whatever the indexes.

#![expect(clippy::unwrap_used, reason = "tests")]

mod sources;

use std::collections::BTreeMap;

use portolan_db::testing::each_engine;
use portolan_db::{Db, Engine, Error, Value, params};
use portolan_server::store::MIGRATIONS;
use sources::read;

/// One statement: `clients::find`, or `clients::find#2` for the second one of a function.
struct Statement {
    name: String,
    sql: String,
}

/// Statements that read a table as a whole, and why that is right.
const SCANS: &[(&str, &str)] = &[
    ("audit::list_before", "walks the index of time, a page at a time"),
    (
        "authorization_requests::insert",
        "counts at most 100,000 of a table that is bounded so",
    ),
    (
        "cleanup::sweep_tokens",
        "walks the table a page at a time, in the background",
    ),
    ("cleanup::one_time_links", "a handful of links"),
    (
        "clients::count_people",
        "counts at most a thousand people of one client",
    ),
    ("clients::list", "for operators"),
    ("clients::list_by_name", "for operators"),
    (
        "clients::count_unused_instances",
        "reads a partial index that is bounded to 10,000 rows",
    ),
    ("factors::list_sealed_seeds", "for operators who seal with another key"),
    ("identities::has_administrator", "takes the first row"),
    ("identities::list_by_provider", "for operators"),
    ("identity_providers::delete", "for operators; looks for what names it"),
    ("identity_providers::has_identities", "for operators"),
    ("identity_providers::list", "for operators; a handful of providers"),
    (
        "identity_providers::count_choices",
        "walks the index of choices until a page is full",
    ),
    ("identity_providers::count_words", "counts at most a hundred words"),
    (
        "identity_providers::list_choices",
        "walks the index of choices until a page is full",
    ),
    ("keys::list", "a handful of keys"),
    ("leases::list", "a handful of jobs"),
    ("keys::list_secrets", "a handful of keys"),
    ("keys::list_provider_secrets", "a handful of providers"),
    ("links::delete_by_purpose", "a handful of links"),
    ("outbox::count_waiting", "walks the partial index of what waits"),
    ("outbox::list_sealed", "walks the partial index of what waits"),
    (
        "mail_requests::list_after",
        "walks the index of time; a handful of rows",
    ),
    ("policies::list", "for operators"),
    ("projects::find_by_name", "for operators"),
    ("projects::list", "for server administrators"),
    ("projects::list_admins", "a handful of server administrators"),
    (
        "scopes::delete",
        "rare; an index for it would be paid for by every token that is issued",
    ),
    ("scopes::list", "for operators"),
    (
        "scopes::list_public",
        "walks the index of names until it has enough; for developers who search",
    ),
    (
        "sessions::list_identities_of_provider",
        "when an operator switches a provider off",
    ),
    ("settings::list", "a handful of settings"),
    ("settings::is_reachable", "a handful of settings"),
    ("settings::is_reachable_blocking", "a handful of settings"),
];

/// Every statement of the store, as the server sends it.
fn statements() -> Vec<Statement> {
    let mut statements = Vec::new();
    for source in read("crates/server/src/store") {
        let module = source.module();
        let module = module.rsplit("::").next().unwrap().to_owned();
        let constants: BTreeMap<&str, &str> = source
            .literals
            .iter()
            .filter(|literal| literal.owner.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .map(|literal| (literal.owner.as_str(), literal.text.as_str()))
            .collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for literal in &source.literals {
            let mut sql = literal.text.clone();
            for (name, text) in &constants {
                sql = sql.replace(&format!("{{{name}}}"), text);
            }
            let first = sql.split_whitespace().next().unwrap_or("");
            if !matches!(first, "SELECT" | "INSERT" | "UPDATE" | "DELETE")
                || constants.contains_key(literal.owner.as_str())
            {
                continue;
            }
            // A list of values is one more parameter.
            let next = format!("${}", parameters(&sql) + 1);
            let sql = sql.replace("{list}", &next);
            let left = sql.split('{').skip(1).any(|rest| rest.starts_with(char::is_alphabetic));
            assert!(!left, "{module}::{}: {sql}", literal.owner);
            let count = counts.entry(&literal.owner).or_default();
            *count += 1;
            let suffix = if *count == 1 {
                String::new()
            } else {
                format!("#{count}")
            };
            statements.push(Statement {
                name: format!("{module}::{}{suffix}", literal.owner),
                sql,
            });
        }
    }
    statements
}

/// The highest number of a parameter.
fn parameters(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .max()
        .unwrap_or(0)
}

/// The plan as lines, without costs.
fn plan(db: &Db, sql: &str) -> Vec<String> {
    let count = parameters(sql);
    match db.engine() {
        Engine::Sqlite => {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let rows: Result<Vec<SqlitePlan>, Error> =
                db.read_blocking(move |tx| tx.fetch_all(&sql, vec![Value::Null; count]));
            rows.unwrap().into_iter().map(|row| row.0).collect()
        }
        Engine::Postgres => {
            // Prepared, so that the plan is made for any value and not for one of a test.
            let prepare = format!("PREPARE explained AS {sql}");
            let nulls = vec!["NULL"; count].join(", ");
            let arguments = if count == 0 {
                String::new()
            } else {
                format!("({nulls})")
            };
            let explain = format!("EXPLAIN (COSTS OFF) EXECUTE explained{arguments}");
            let rows: Result<Vec<(String,)>, Error> = db.write_blocking(move |tx| {
                for whole_table in ["seqscan", "mergejoin", "hashjoin", "material"] {
                    tx.execute(&format!("SET LOCAL enable_{whole_table} = off"), params![])?;
                }
                tx.execute("SET LOCAL plan_cache_mode = force_generic_plan", params![])?;
                tx.execute(&prepare, params![])?;
                let rows = tx.fetch_all(&explain, params![])?;
                tx.execute("DEALLOCATE explained", params![])?;
                Ok(rows)
            });
            rows.unwrap().into_iter().map(|(line,)| line).collect()
        }
    }
}

/// The last of the four columns of SQLite's answer.
struct SqlitePlan(String);

impl portolan_db::FromRow for SqlitePlan {
    fn from_row(row: &mut portolan_db::Row<'_>) -> Result<Self, Error> {
        for _ in 0..3 {
            row.take::<Value>()?;
        }
        Ok(Self(row.take()?))
    }
}

/// The lines of a plan that read a whole table or a whole index.
fn scans(engine: Engine, plan: &[String]) -> Vec<String> {
    let mut scans = Vec::new();
    for (at, line) in plan.iter().enumerate() {
        let text = line.trim_start().trim_start_matches("->").trim_start();
        let is_scan = match engine {
            // What is scanned may also be a subquery that was made just before.
            Engine::Sqlite => text.starts_with("SCAN ") && !text.ends_with("CONSTANT ROW"),
            Engine::Postgres => {
                let by_index = text.starts_with("Index ") || text.starts_with("Bitmap Index ");
                let bounded = plan[at + 1..]
                    .iter()
                    .take_while(|next| !next.trim_start().starts_with("->"))
                    .any(|next| next.trim_start().starts_with("Index Cond:"));
                text.starts_with("Seq Scan ") || (by_index && text.contains("Scan") && !bounded)
            }
        };
        if is_scan {
            scans.push(text.to_owned());
        }
    }
    scans
}

#[test]
fn no_statement_scans_a_table_that_grows() {
    let statements = statements();
    assert!(
        statements.len() > 100,
        "only {} statements were found",
        statements.len()
    );
    each_engine(MIGRATIONS, |db| {
        let mut found = Vec::new();
        for statement in &statements {
            let name = statement.name.split('#').next().unwrap();
            if SCANS.iter().any(|(allowed, _)| *allowed == name) {
                continue;
            }
            // The clock and the size of a database server are asked for on PostgreSQL alone.
            if matches!(name, "settings::store_time" | "settings::store_size") && db.engine() == Engine::Sqlite {
                continue;
            }
            let plan = plan(db, &statement.sql);
            assert!(!plan.is_empty() || db.engine() == Engine::Sqlite, "{}", statement.name);
            for scan in scans(db.engine(), &plan) {
                found.push(format!("{:?} {}: {scan}", db.engine(), statement.name));
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    });
    for (name, _) in SCANS {
        assert!(
            statements.iter().any(|statement| statement.name == *name),
            "{name} is gone: drop it here"
        );
    }
}

#[test]
fn a_scan_is_recognised_on_both_engines() {
    each_engine(MIGRATIONS, |db| {
        for (sql, expected) in [
            ("SELECT id FROM clients WHERE name = $1", true),
            ("SELECT id FROM clients ORDER BY name", true),
            (
                "SELECT t.hash FROM access_tokens t JOIN clients c ON c.name = t.resource_server WHERE t.hash = $1",
                true,
            ),
            ("SELECT count(*) FROM clients", true),
            ("SELECT name FROM clients WHERE id = $1", false),
            ("UPDATE access_tokens SET revoked_at = $2 WHERE hash = $1", false),
            ("UPDATE access_tokens SET revoked_at = $2 WHERE client_id = $1", true),
        ] {
            let plan = plan(db, sql);
            assert_eq!(
                !scans(db.engine(), &plan).is_empty(),
                expected,
                "{:?} {sql}\n{}",
                db.engine(),
                plan.join("\n")
            );
        }
    });
}

/// The statements behind most requests, as SQLite executes them: a change shows here.
#[test]
fn the_plans_of_the_hot_statements() {
    let hot = [
        "access_tokens::active",
        "access_tokens::active_in_full",
        "access_tokens::scopes",
        "refresh_tokens::by_hash",
        "refresh_tokens::live",
        "clients::find",
        "clients::with_secrets",
        "clients::hashes",
        "scopes::by_strings",
        "scopes::by_strings_with_root",
        "consents::below",
        "consents::missing_below",
        "consents::list_trees",
        "consents::list_approved",
        "sessions::find",
    ];
    let statements = statements();
    let db = portolan_db::testing::TestDb::sqlite(MIGRATIONS);
    let mut text = String::new();
    for name in hot {
        let statement = statements.iter().find(|statement| statement.name == name).expect(name);
        text.push_str(&format!("{name}\n"));
        for line in plan(&db, &statement.sql) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    insta::assert_snapshot!(text);
}
