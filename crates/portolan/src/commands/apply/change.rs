//! What of the wanted is not so yet. The documents of changes and those of things have the
//! same members, so one function compares them all.

use portolan_server::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::plan::Field;

/// Members whose order says nothing.
const SETS: &[&str] = &["admin_ids", "dependent_scopes", "domains", "alternative_names"];

/// The names of members in the file.
const NAMES: &[(&str, &str)] = &[
    ("admin_ids", "admins"),
    ("allows_refresh_token", "allows_refresh"),
    ("authentication_assurance_timeout", "timeout"),
    ("client_type", "type"),
    ("contact_email", "contact"),
    ("dependent_scopes", "depends_on"),
    ("display_name", "name"),
    ("domain_constraints_exclude", "exclude_domains"),
    ("domain_constraints_include", "include_domains"),
    ("fqdn", "domain_names"),
    ("privacy_policy", "privacy"),
    ("project_id", "project"),
    ("resource_server", "resource_server_name"),
    ("scope_suffix", "suffix"),
    ("terms_and_conditions", "terms"),
];

pub fn name_in_file(member: &str) -> &str {
    let found = NAMES.iter().find(|(name, _)| *name == member);
    found.map_or(member, |(_, name)| name)
}

/// Leaves of the wanted only what differs from how a thing is, and tells what does.
pub fn differing<C: Serialize + DeserializeOwned>(wanted: &C, current: &Value) -> Result<(C, Vec<Field>), Error> {
    let mut fields = Vec::new();
    let wanted = serde_json::to_value(wanted).map_err(Error::internal)?;
    let left = match wanted {
        Value::Object(members) => Value::Object(reduce(members, current, &mut fields)),
        other => other,
    };
    let left = serde_json::from_value(left).map_err(Error::internal)?;
    Ok((left, fields))
}

fn reduce(wanted: Map<String, Value>, current: &Value, fields: &mut Vec<Field>) -> Map<String, Value> {
    let mut left = Map::new();
    for (name, new) in wanted {
        let old = current.get(&name).cloned().unwrap_or(Value::Null);
        match new {
            Value::Object(members) => {
                let members = reduce(members, &old, fields);
                if !members.is_empty() {
                    left.insert(name, Value::Object(members));
                }
            }
            new if is_same(&name, &old, &new) => {}
            new => {
                fields.push(Field {
                    name: name_in_file(&name).to_owned(),
                    old,
                    new: new.clone(),
                });
                left.insert(name, new);
            }
        }
    }
    left
}

/// Answers leave out what is not set: that is no list, no text and not true.
pub fn is_same(name: &str, old: &Value, new: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if is_nothing(old) && is_nothing(new) {
        return true;
    }
    if !SETS.contains(&name) {
        return old == new;
    }
    let sorted = |value: &Value| {
        let mut items: Vec<String> = value
            .as_array()
            .map_or(Vec::new(), |items| items.iter().map(Value::to_string).collect());
        items.sort();
        items
    };
    sorted(old) == sorted(new)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_types::api::{Change, ClientChanges, LinkChanges};
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_left() {
        let wanted = ClientChanges {
            name: Change::Set("Portal".into()),
            redirect_uris: Change::Set(vec!["https://a".into()]),
            post_logout_redirect_uris: Change::Set(Vec::new()),
            backchannel_logout_uri: Change::Clear,
            links: Change::Set(LinkChanges {
                terms_and_conditions: Change::Set("https://t".into()),
                privacy_policy: Change::Set("https://p".into()),
            }),
            ..ClientChanges::default()
        };
        let current = json!({
            "name": "Portal", "redirect_uris": [], "visibility": "public",
            "links": { "terms_and_conditions": "https://t", "privacy_policy": null }
        });
        let (left, fields) = differing(&wanted, &current).unwrap();
        let expected = ClientChanges {
            redirect_uris: Change::Set(vec!["https://a".into()]),
            links: Change::Set(LinkChanges {
                terms_and_conditions: Change::Keep,
                privacy_policy: Change::Set("https://p".into()),
            }),
            ..ClientChanges::default()
        };
        assert_eq!(left, expected);
        let named: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(named, ["privacy", "redirect_uris"]);
    }

    #[test]
    fn the_order_counts_where_it_says_something() {
        let (one, other) = (json!(["a", "b"]), json!(["b", "a"]));
        assert!(is_same("admin_ids", &one, &other));
        assert!(!is_same("redirect_uris", &one, &other));
        assert!(!is_same("admin_ids", &one, &json!(["a"])));
        assert!(is_same("required_mfa", &Value::Null, &json!(false)));
    }
}
