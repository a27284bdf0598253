//! What is created, changed and deleted, and how it is shown.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::source::shown;
use crate::output;

/// As much of a value as fits beside others; programs get all of it.
const SHOWN: usize = 200;

#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub entries: Vec<Entry>,
    /// What is as the file says.
    pub unchanged: usize,
    /// Files of secrets that are written, or were left in another place by a run that was
    /// killed.
    pub secret_files: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Change,
    Delete,
}

#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub action: Action,
    pub kind: &'static str,
    /// With the names of what it belongs to: `Beamline / Portal`.
    pub name: String,
    pub id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// One member, in the words of the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    pub name: String,
    pub old: Value,
    pub new: Value,
}

/// Whether a plan is one only, or was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    WouldBe,
    Is,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.secret_files.is_empty()
    }

    /// By kind and id.
    pub fn deletions(&self) -> BTreeSet<(&'static str, String)> {
        let deleted = self.entries.iter().filter(|entry| entry.action == Action::Delete);
        deleted.map(|entry| (entry.kind, entry.id.clone())).collect()
    }

    pub fn json(&self, tense: Tense) -> Value {
        let entries = self.entries.iter().map(|entry| {
            let mut document = json!(entry);
            if tense == Tense::WouldBe && entry.action == Action::Create {
                // It will have another one.
                document["id"] = Value::Null;
            }
            document
        });
        json!({
            "applied": tense == Tense::Is,
            "changes": entries.collect::<Vec<_>>(),
            "unchanged": self.unchanged,
            "secret_files": self.secret_files,
        })
    }

    pub fn text(&self, tense: Tense) -> String {
        if self.is_empty() {
            return format!("Nothing to change: {}.", self.as_described());
        }
        let mut text = String::new();
        for entry in &self.entries {
            text.push_str(&entry.text());
        }
        for file in &self.secret_files {
            let verb = if tense == Tense::Is {
                "is in"
            } else {
                "would be written to"
            };
            text.push_str(&format!("a secret {verb} {}\n", shown(file, SHOWN)));
        }
        let count = |action| self.entries.iter().filter(|entry| entry.action == action).count();
        let counts = format!(
            "{} created, {} changed, {} deleted; {}",
            count(Action::Create),
            count(Action::Change),
            count(Action::Delete),
            self.as_described()
        );
        text.push_str(&match tense {
            Tense::Is => format!("\n{counts}."),
            Tense::WouldBe => format!("\nThis would be: {counts}. Nothing was changed."),
        });
        text
    }

    fn as_described(&self) -> String {
        match self.unchanged {
            1 => "1 thing is as described".to_owned(),
            number => format!("{} are as described", output::count(number, "thing")),
        }
    }
}

impl Entry {
    /// `~ client Beamline / Portal`, and below it what changes.
    fn text(&self) -> String {
        let sign = match self.action {
            Action::Create => '+',
            Action::Change => '~',
            Action::Delete => '-',
        };
        let mut text = format!("{sign} {}\n", self.title());
        for field in &self.fields {
            let name = shown(&field.name, SHOWN);
            let new = short(&field.new);
            text.push_str(&match self.action {
                Action::Change => format!("    {name}: {} → {new}\n", short(&field.old)),
                _ => format!("    {name}: {new}\n"),
            });
        }
        text
    }

    pub fn title(&self) -> String {
        format!("{} {}", self.kind, shown(&self.name, SHOWN))
    }
}

/// A value on one line.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    };
    shown(&text, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_line_by_line() {
        let field = |name: &str, old: Value, new: Value| Field {
            name: name.to_owned(),
            old,
            new,
        };
        let entry = |action, name: &str, fields| Entry {
            action,
            kind: "client",
            name: name.to_owned(),
            id: "1".to_owned(),
            fields,
        };
        let mut plan = Plan {
            unchanged: 1,
            ..Plan::default()
        };
        assert_eq!(plan.text(Tense::Is), "Nothing to change: 1 thing is as described.");

        plan.entries = vec![
            entry(
                Action::Create,
                "A / b",
                vec![field("visibility", Value::Null, json!("public"))],
            ),
            entry(
                Action::Change,
                "A / c",
                vec![field("redirect_uris", json!([]), json!(["https://a", "https://b"]))],
            ),
            entry(Action::Delete, "A / \u{1b}d", vec![]),
        ];
        let expected = "\
+ client A / b
    visibility: public
~ client A / c
    redirect_uris: none → https://a, https://b
- client A / \u{fffd}d

This would be: 1 created, 1 changed, 1 deleted; 1 thing is as described. Nothing was changed.";
        assert_eq!(plan.text(Tense::WouldBe), expected);
        assert_eq!(plan.json(Tense::WouldBe)["changes"][0]["id"], Value::Null);
        assert_eq!(plan.json(Tense::Is)["changes"][0]["id"], "1");
    }
}
