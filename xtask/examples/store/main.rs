//! What `cargo xtask bench` does to a store directly, with the drivers and nothing else:
//!
//!   store seed DATABASE TOKENS RESOURCE_SERVER APP FOLDER FRONT BACK BACK BACK
//!   store branches DATABASE APP FOLDER FRONT BACK BACK BACK COUNTxTOKENS..
//!   store providers DATABASE COUNT
//!   store raw DATABASE SECONDS [CONNECTIONS]
//!
//! `seed` fills the store of a stopped server with people, clients, consents, sessions and
//! tokens; `branches` adds consents to be revoked, with many tokens below them; `providers`
//! adds identity providers; `raw` inserts tokens as fast as the driver can, the ceiling for issuance,
//! or with so many connections that each commit their own, as an ordinary client of the engine would.
//! DATABASE is `sqlite:PATH` or `postgres://..`.

mod delegation;
mod postgres;
mod providers;
mod seed;
mod sqlite;

use std::{error::Error, path::Path, time::Duration};

use serde_json::json;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many tokens share a commit in the raw loop: as many as the server's largest group.
pub const GROUP: usize = 64;

#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Hash([u8; 32]),
    Id([u8; 16]),
}

/// A store that is filled table by table.
pub trait Store {
    /// The first column of the first row, an id.
    fn find_id(&mut self, sql: &str) -> Result<[u8; 16]>;

    fn load(&mut self, table: &str, columns: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<()>;

    /// Makes everything durable and gives the planner what a running system would know.
    fn finish(&mut self) -> Result<()>;
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["seed", database, tokens, resource_server, app, folder, chain @ ..] => {
            let plan = seed::Plan {
                tokens: tokens.parse()?,
                resource_server: parse_id(resource_server)?,
                app: parse_id(app)?,
                chain: parse_chain(chain)?,
                folder: Path::new(folder),
            };
            let mut store = open(database)?;
            seed::run(&mut *store, &plan)?;
            store.finish()
        }
        [
            "branches",
            database,
            app,
            folder,
            front,
            first,
            second,
            third,
            kinds @ ..,
        ] => {
            let chain = parse_chain(&[front, first, second, third])?;
            let kinds: Vec<delegation::Branches> = kinds.iter().map(|kind| kind.parse()).collect::<Result<_>>()?;
            let mut store = open(database)?;
            let (now, app) = (seed::now()?, parse_id(app)?);
            delegation::branches(&mut *store, now, app, &chain, &kinds, Path::new(folder))?;
            store.finish()
        }
        ["providers", database, count] => {
            let mut store = open(database)?;
            providers::fill(&mut *store, count.parse()?, seed::now()?)?;
            store.finish()
        }
        ["raw", database, seconds, connections @ ..] => {
            let span = Duration::from_secs_f64(seconds.parse()?);
            let connections: Option<usize> = connections.first().map(|count| count.parse()).transpose()?;
            let (units, elapsed) = match (database.strip_prefix("sqlite:"), connections) {
                // Those of others would only wait for the one that writes.
                (Some(path), Some(_)) => sqlite::raw(Path::new(path), 1, span)?,
                (Some(path), None) => sqlite::raw(Path::new(path), GROUP, span)?,
                (None, Some(connections)) => postgres::raw_alone(database, connections, span)?,
                (None, None) => postgres::raw(database, span)?,
            };
            println!(
                "{}",
                json!({"units": units, "seconds": elapsed.as_secs_f64(), "cpu_seconds": cpu_seconds()?})
            );
            Ok(())
        }
        _ => Err("usage: store seed|branches|providers|raw DATABASE .., see its source".into()),
    }
}

fn open(database: &str) -> Result<Box<dyn Store>> {
    Ok(match database.strip_prefix("sqlite:") {
        Some(path) => Box::new(sqlite::Filler::open(Path::new(path))?),
        None => Box::new(postgres::Filler::connect(database)?),
    })
}

fn parse_chain(ids: &[&str]) -> Result<delegation::Chain> {
    let [front, back @ ..] = ids else {
        return Err("no service in front".into());
    };
    Ok(delegation::Chain {
        front: parse_id(front)?,
        back: back.iter().map(|id| parse_id(id)).collect::<Result<_>>()?,
    })
}

fn parse_id(text: &str) -> Result<[u8; 16]> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    if digits.len() != 32 {
        return Err(format!("{text} is no id").into());
    }
    Ok(u128::from_str_radix(&digits, 16)?.to_be_bytes())
}

/// CPU time of this process so far. The kernel counts in hundredths of a second.
fn cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// The rows of one token as issuance writes them: the token itself and the consent it rests on.
pub fn issued_token(random: &mut seed::Random, now: i64) -> ([Value; 12], [Value; 3]) {
    let hash = random.hash();
    let server = random.id();
    let token = [
        Value::Hash(hash),
        Value::Id(random.id()),
        Value::Id(random.id()),
        Value::Int(0),
        Value::Id(server),
        Value::Text("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".into()),
        Value::Id(random.id()),
        Value::Null,
        Value::Null,
        Value::Int(0),
        Value::Int(now),
        Value::Int(now + 172_800_000_000),
    ];
    let consent = [
        Value::Hash(hash),
        Value::Int(random.consent_id()),
        Value::Text("https://auth.globus.org/scopes/5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f/data_read".into()),
    ];
    (token, consent)
}

pub const INSERT_TOKEN: &str = "INSERT INTO access_tokens (hash, client_id, identity_id, identity_generation,
        resource_server_id, resource_server, issuance_id, family_id, app_session_id, profile, issued_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
pub const INSERT_TOKEN_CONSENT: &str =
    "INSERT INTO token_consents (token_hash, consent_id, scope_string) VALUES ($1, $2, $3)";
