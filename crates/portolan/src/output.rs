//! How commands speak: JSON for programs, tables for people, errors that say what to do.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table, TableComponent};
use serde_json::Value;

use crate::options::Format;

/// Prints a result in the form that was asked for. The table is made only if needed.
pub fn print(format: Format, json: &Value, table: impl FnOnce() -> String) -> Result<()> {
    let text = match format {
        Format::Json => escaped(&serde_json::to_string_pretty(json)?),
        Format::Text => shown(&table()),
    };
    line(&text)
}

/// What steers a terminal instead of being shown, or turns the reading direction of what
/// follows. Names come from anybody, and a terminal obeys them.
fn is_hostile(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let breaks = matches!(character, '\u{2028}' | '\u{2029}');
    character.is_control() || turns || breaks
}

/// A text of several lines as it may reach a terminal.
pub fn shown(text: &str) -> String {
    text.replace(|character| character != '\n' && is_hostile(character), "\u{fffd}")
}

/// The same JSON with escapes: what JSON lets stand may still steer a terminal.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && is_hostile(character) {
            // All of these are in the basic plane, so that one escape is enough.
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
    text
}

/// A reader that has gone away, as `head` does, is no error.
pub fn line(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Hints for people; not part of the result.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown(text));
}

pub fn error(error: &anyhow::Error) {
    let mut text = format!("portolan: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors repeat their cause in their own words.
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    note(&text);
}

/// One row for each thing.
pub fn list(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = new_table();
    table.set_header(header.iter().copied());
    // Before the widths are measured.
    table.add_rows(
        rows.into_iter()
            .map(|row| row.iter().map(|cell| shown(cell)).collect::<Vec<_>>()),
    );
    table.to_string()
}

/// One row for each fact about one thing.
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = new_table();
    table.add_rows(facts.into_iter().map(|(name, value)| [name.to_owned(), shown(&value)]));
    table.to_string()
}

fn new_table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A thing with what hangs below it.
pub struct Branch {
    pub lines: Vec<String>,
    pub children: Vec<Branch>,
}

/// Trees below one another, drawn with lines.
pub fn tree(branches: &[Branch]) -> String {
    let mut text = String::new();
    grow(branches, "", &mut text);
    text
}

fn grow(branches: &[Branch], before: &str, text: &mut String) {
    for (index, branch) in branches.iter().enumerate() {
        let is_last = index + 1 == branches.len();
        let (fork, below) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let inner = format!("{before}{below}");
        // The second line of a thing keeps the line down to its children.
        let more = if branch.children.is_empty() { "" } else { "│  " };
        for (number, line) in branch.lines.iter().enumerate() {
            let begin = if number == 0 {
                format!("{before}{fork}")
            } else {
                format!("{inner}{more}")
            };
            text.push_str(&format!("{begin}{}\n", one_line(line)));
        }
        grow(&branch.children, &inner, text);
    }
}

/// A name that keeps its place in a line.
pub fn one_line(text: &str) -> String {
    shown(text).replace('\n', "\u{fffd}")
}

/// `no secrets`, `1 secret`, `2 secrets`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

pub fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// `2026-02-03 09:15:27`, in UTC: a column of times need not repeat its offset.
pub fn time(time: portolan_types::Timestamp) -> String {
    time.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

/// The same of seconds since 1970, as documents of OAuth tell times.
pub fn time_of_seconds(seconds: i64) -> String {
    time(portolan_types::Timestamp::from_micros(
        seconds.saturating_mul(1_000_000),
    ))
}

/// What destroys something asks first, where somebody can be asked.
#[derive(Args)]
pub struct Confirmation {
    /// Do not ask whether it is meant
    #[arg(long, short)]
    yes: bool,
}

impl Confirmation {
    /// Whether nobody needs to be asked.
    pub fn is_given(&self) -> bool {
        self.yes
    }

    /// A script decided when it was written, so only a person at a terminal is asked.
    pub fn ask(&self, what_ends: &str) -> Result<()> {
        if self.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(());
        }
        note(what_ends);
        let prompt = dialoguer::Confirm::new().with_prompt("Go on?").default(false);
        if prompt.interact()? {
            return Ok(());
        }
        bail!("nothing was changed")
    }
}

/// The words of an error of the server: its detail for what the person caused, with the
/// cause for faults of ours.
pub fn explain(error: portolan_server::Error) -> anyhow::Error {
    match error.cause() {
        Some(cause) => anyhow::anyhow!("{}: {cause}", error.detail()),
        None => anyhow::anyhow!("{}", error.detail()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_drawn_with_lines_that_join() {
        let leaf = |name: &str| Branch {
            lines: vec![name.to_owned(), format!("{name}, more")],
            children: Vec::new(),
        };
        let with = |name: &str, children| Branch { children, ..leaf(name) };
        let drawn = tree(&[with("a", vec![with("b", vec![leaf("c")]), leaf("d")]), leaf("e")]);

        let expected = "\
├─ a
│  │  a, more
│  ├─ b
│  │  │  b, more
│  │  └─ c
│  │     c, more
│  └─ d
│     d, more
└─ e
   e, more
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn what_steers_a_terminal_is_not_printed() {
        let hostile = "a\u{1b}[2Jb\u{9b}2Jc\u{202e}d\u{2066}e\rf\u{7f}g\u{2028}h";
        assert_eq!(
            shown(hostile),
            "a\u{fffd}[2Jb\u{fffd}2Jc\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}g\u{fffd}h"
        );
        assert_eq!(
            shown("two\nlines, große Wörter, العربية"),
            "two\nlines, große Wörter, العربية"
        );
        assert_eq!(one_line("a\nb"), "a\u{fffd}b");

        let json = escaped(&serde_json::to_string_pretty(&serde_json::json!({ "name": hostile })).expect("a value"));

        assert!(
            !json.chars().any(|character| character != '\n' && is_hostile(character)),
            "{json}"
        );
        let read: Value = serde_json::from_str(&json).expect("JSON as before");
        assert_eq!(read["name"], hostile);
    }

    #[test]
    fn times_are_short_and_in_utc() {
        assert_eq!(
            time(portolan_types::Timestamp::from_micros(1_770_110_127_104_882)),
            "2026-02-03 09:15:27"
        );
    }
}
