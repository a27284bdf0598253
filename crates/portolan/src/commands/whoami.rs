//! `portolan whoami`, `portolan identities`: who is logged in, and who others are.

use anyhow::Result;
use clap::Args;
use portolan_sdk::documents::{Identity, UserInfo};
use portolan_sdk::{IdentityId, IdentityLookup};
use serde_json::{Value, json};

use crate::options::Options;
use crate::output;
use crate::place::Session;

/// Say who is logged in.
#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan whoami
  portolan whoami --linked-identities
  portolan whoami --verbose
  portolan whoami --format json | jq -r .sub")]
pub struct Whoami {
    /// All identities that are linked to this one
    #[arg(long)]
    linked_identities: bool,
    /// Name, address, id and server as well
    #[arg(long, short)]
    verbose: bool,
}

/// Look people and service accounts up, by username or id.
#[derive(Args)]
#[command(after_help = "\
A name that nobody has is said on standard error, and the command ends with 1. Who has not
logged in yet can be unused or unknown, depending on their identity provider.

Examples:
  portolan identities rdoe@example.edu
  portolan identities 9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d rdoe@example.edu
  portolan identities rdoe@example.edu --format json | jq -r '.identities[0].id'")]
pub struct Identities {
    /// Usernames with their domain, or ids
    #[arg(required = true, value_name = "NAME_OR_ID")]
    names: Vec<String>,
}

impl Whoami {
    pub fn run(self, options: &Options) -> Result<()> {
        let session = options.session()?;
        let person = session.run(session.client.userinfo())?;
        let json = person.json().cloned().unwrap_or(Value::Null);
        output::print(options.format, &json, || {
            if self.linked_identities {
                linked(&person)
            } else if self.verbose {
                facts(&session, &person)
            } else {
                username(&person)
            }
        })
    }
}

fn username(person: &UserInfo) -> String {
    person
        .preferred_username
        .clone()
        .unwrap_or_else(|| person.sub.to_string())
}

fn facts(session: &Session, person: &UserInfo) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let facts = [
        ("username", username(person)),
        ("name", text(&person.name)),
        ("e-mail", text(&person.email)),
        ("organization", text(&person.organization)),
        ("signs in at", text(&person.identity_provider_display_name)),
        ("id", person.sub.to_string()),
        ("server", session.server.clone()),
        ("profile", text(&session.profile)),
    ];
    output::facts(facts.into_iter().filter(|(_, value)| !value.is_empty()))
}

fn linked(person: &UserInfo) -> String {
    let set = person.identity_set.as_deref().unwrap_or_default();
    if set.is_empty() {
        return username(person);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let rows = set.iter().map(|identity| {
        vec![
            identity.username.clone(),
            text(&identity.name.clone().flatten()),
            text(&identity.email),
            text(&identity.identity_provider_display_name),
            identity.sub.to_string(),
        ]
    });
    output::list(&["username", "name", "e-mail", "signs in at", "id"], rows)
}

impl Identities {
    pub fn run(self, options: &Options) -> Result<()> {
        let session = options.session()?;
        let found = look_up(&session, &self.names)?;
        let rows = found.iter().map(|identity| {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            vec![
                identity.username.clone(),
                text(&identity.name),
                text(&identity.email),
                text(&identity.organization),
                identity.status.to_string(),
                identity.id.to_string(),
            ]
        });
        let header = ["username", "name", "e-mail", "organization", "status", "id"];
        output::print(options.format, &json!({ "identities": found }), || {
            output::list(&header, rows)
        })?;
        let missing: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| !found.iter().any(|identity| is_meant(identity, name)))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!(
            "nobody at {} has the name {}",
            session.server,
            missing.join(", ")
        ))
    }
}

fn is_meant(identity: &Identity, name: &str) -> bool {
    identity.id.to_string() == name.to_lowercase() || identity.username.to_lowercase() == name.to_lowercase()
}

/// By name and by id; a request takes one kind.
fn look_up(session: &Session, names: &[String]) -> Result<Vec<Identity>> {
    let (ids, usernames): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.parse::<IdentityId>().is_ok());
    let mut found: Vec<Identity> = Vec::new();
    // The server takes a hundred at once.
    let by_id = ids.chunks(100).map(IdentityLookup::ids);
    let by_username = usernames.chunks(100).map(IdentityLookup::usernames);
    for lookup in by_id.chain(by_username) {
        let answer = session.run(session.client.get_identities(lookup))?;
        found.extend(answer.into_inner().identities);
    }
    Ok(found)
}
