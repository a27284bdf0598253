//! `portolan settings`: the names that a store was started with.

use anyhow::{Result, bail};
use clap::Subcommand;
use portolan_server::Config;
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::settings;
use serde_json::{Map, Value, json};

use crate::options::{Options, context};
use crate::output;

#[derive(Subcommand)]
pub enum Settings {
    /// Show what the store remembers
    Show,
    /// Change a name for good: issuer, scope_url_prefix or resource_server_name
    #[command(after_help = "\
A new issuer means that ID tokens from before are no longer accepted by clients, and the
other two that apps with the old literal find neither scopes nor tokens. Restart the
server afterwards, with the same value in its configuration.

Example:
  portolan settings set issuer https://auth.example.org")]
    Set { name: String, value: String },
}

impl Settings {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Settings::Show => show(options),
            Settings::Set { name, value } => set(options, &name, value),
        }
    }
}

fn show(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let mut stored = db.read_blocking(settings::list).map_err(output::explain)?;
    stored.retain(|(name, _)| settings::CHANGEABLE.contains(&name.as_str()));
    let members: Map<String, Value> = stored
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    output::print(options.format, &json!({ "settings": members }), || {
        output::facts(stored.iter().map(|(name, value)| (name.as_str(), value.clone())))
    })
}

fn set(options: &Options, name: &str, value: String) -> Result<()> {
    let Some(name) = settings::CHANGEABLE.iter().copied().find(|known| *known == name) else {
        bail!(
            "{name} cannot be set; choose one of {}",
            settings::CHANGEABLE.join(", ")
        );
    };
    check(name, &value)?;
    let (_, db) = options.store()?;
    let stored = value.clone();
    db.write_blocking(move |tx| {
        let event = Event {
            action: "setting.update",
            actor: Actor::Operator,
            resource_kind: "setting",
            resource_id: name.to_owned(),
            detail: json!({ "from": settings::find(tx, name)?, "to": stored }),
        };
        settings::upsert(tx, name, &stored)?;
        audit::insert(tx, &context(), &event)
    })
    .map_err(output::explain)?;
    output::print(options.format, &json!({ "name": name, "value": value }), || {
        format!("{name} is now {value}. Restart the server with the same value in its configuration.")
    })
}

/// The rules of the configuration, under the name it has there.
fn check(name: &str, value: &str) -> Result<()> {
    let mut config = Config {
        insecure_http: true,
        ..Config::default()
    };
    let value = value.to_owned();
    match name {
        settings::ISSUER => config.public_url = value,
        settings::SCOPE_URL_PREFIX => config.scope_url_prefix = value,
        _ => config.resource_server_name = value,
    }
    Ok(config.validate()?)
}
