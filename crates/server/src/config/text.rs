//! Settings that are given as text: in a file, a variable or a flag.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error as _};

use super::{Config, ConfigError, LimitsConfig, Setting};

pub(super) fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let named = |reason: String| ConfigError(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    // Read as the struct first: only then an error knows its line.
    toml::from_str::<Config>(&text).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| named(error.to_string()))
}

/// Networks, of which a single address is the smallest.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
            D::Error::custom(format!(
                "{text} is neither an address such as 10.0.0.5 nor a network such as 10.0.0.0/8"
            ))
        })
    };
    Vec::deserialize(deserializer)?.into_iter().map(network).collect()
}

/// `limits_connections` is the setting `connections` in the table `limits`.
pub(super) fn setting_path(name: &str) -> Option<Vec<&'static str>> {
    let find = |settings: &'static [Setting], name: &str| {
        settings
            .iter()
            .map(|setting| setting.name)
            .find(|setting| *setting == name)
    };
    if let Some(limit) = name.strip_prefix("limits_") {
        return Some(vec!["limits", find(LimitsConfig::SETTINGS, limit)?]);
    }
    find(Config::SETTINGS, name)
        .filter(|name| *name != "limits")
        .map(|name| vec![name])
}

/// Puts a value given as text into the table, in the form that the setting takes: text,
/// else a TOML value (a number, `true`, a list), else a list separated by commas.
pub(super) fn set(table: &mut toml::Table, path: &[&'static str], value: &str) -> Result<(), String> {
    let list = value
        .split(',')
        .map(|part| toml::Value::String(part.trim().to_owned()))
        .collect();
    let mut forms = vec![toml::Value::String(value.to_owned())];
    forms.extend(value.parse::<toml::Value>());
    forms.push(toml::Value::Array(list));
    let mut error = None;
    for form in forms {
        let mut candidate = toml::Table::new();
        insert(&mut candidate, path, form.clone());
        match candidate.try_into::<Config>() {
            Ok(_) => {
                insert(table, path, form);
                return Ok(());
            }
            // The first form that a person can have meant tells best what is wrong.
            Err(reason) if error.is_none() => error = Some(reason.message().to_owned()),
            Err(_) => {}
        }
    }
    Err(error.unwrap_or_default())
}

fn insert(table: &mut toml::Table, path: &[&'static str], value: toml::Value) {
    match path {
        [outer, inner] => {
            let outer = table.entry(*outer).or_insert_with(|| toml::Table::new().into());
            if let Some(outer) = outer.as_table_mut() {
                outer.insert((*inner).to_owned(), value);
            }
        }
        [name] => {
            table.insert((*name).to_owned(), value);
        }
        _ => unreachable!("settings are at most one table deep"),
    }
}
