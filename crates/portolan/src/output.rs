//! How commands speak: JSON for programs, tables for people, errors that say what to do.

use std::io::{self, Write as _};

use anyhow::Result;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table, TableComponent};
use serde_json::Value;

use crate::options::Format;

/// Prints a result in the form that was asked for. The table is made only if needed.
pub fn print(format: Format, json: &Value, table: impl FnOnce() -> String) -> Result<()> {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(json)?,
        Format::Table => table(),
    };
    line(&text)
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
    let _ = writeln!(io::stderr().lock(), "{text}");
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
    table.add_rows(rows);
    table.to_string()
}

/// One row for each fact about one thing.
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = new_table();
    table.add_rows(facts.into_iter().map(|(name, value)| [name.to_owned(), value]));
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

/// The words of an error of the server: its detail for what the person caused, with the
/// cause for faults of ours.
pub fn explain(error: portolan_server::Error) -> anyhow::Error {
    match error.cause() {
        Some(cause) => anyhow::anyhow!("{}: {cause}", error.detail()),
        None => anyhow::anyhow!("{}", error.detail()),
    }
}
