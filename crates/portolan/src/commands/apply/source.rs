//! The text of a file, read into tables that know their places. What is wrong is noted and
//! reading goes on, so that everything is told at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use uuid::Uuid;

use crate::output;

/// The most that is read of a file: some ten thousand clients.
pub const MAXIMUM_BYTES: u64 = 4 << 20;
/// Parts that a key may have; more than that nobody can mean.
const MAXIMUM_DEPTH: usize = 32;
/// As much of a text as is repeated to whoever wrote it.
const SHOWN: usize = 120;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub source: Arc<str>,
    pub line: usize,
    /// As it would be written in TOML: `project.Beamline.client.Portal.redirect_uris`.
    pub path: String,
}

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub place: Place,
    pub text: String,
}

impl Finding {
    /// On one line, however hostile the file is.
    pub fn line(&self) -> String {
        let place = &self.place;
        let at = format!("{}:{}", shown(&place.source, SHOWN), place.line);
        let text = shown(&self.text, 4 * SHOWN);
        if place.path.is_empty() {
            format!("{at}: {text}")
        } else {
            format!("{at}: {}: {text}", shown(&place.path, SHOWN))
        }
    }
}

/// On one line of a terminal, and not endless.
pub fn shown(text: &str, length: usize) -> String {
    let begin: String = text.chars().take(length).collect();
    let more = if begin.len() < text.len() { "…" } else { "" };
    format!("{}{more}", output::one_line(&begin))
}

/// One file.
pub struct Source {
    pub name: Arc<str>,
    pub text: String,
    /// What paths in the file begin at.
    pub folder: PathBuf,
    /// Where each line begins.
    starts: Vec<usize>,
}

pub type Findings = RefCell<Vec<Finding>>;

impl Source {
    pub fn new(name: &str, text: String, folder: PathBuf) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self {
            name: name.into(),
            starts: starts.collect(),
            folder,
            text,
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    fn place(&self, offset: usize, path: impl Into<String>) -> Place {
        Place {
            source: Arc::clone(&self.name),
            line: self.line(offset),
            path: path.into(),
        }
    }

    /// The whole file, unless it is no TOML.
    pub fn read<'a>(&'a self, findings: &'a Findings) -> Option<Table<'a>> {
        if let Some(line) = self.text.lines().position(is_too_deep) {
            findings.borrow_mut().push(Finding {
                place: Place {
                    source: Arc::clone(&self.name),
                    line: line + 1,
                    path: String::new(),
                },
                text: format!("has a key of more than {MAXIMUM_DEPTH} parts; nothing here is so deep"),
            });
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Some(Table::new(self, findings, String::new(), table));
        }
        // One slip may upset all that follows it.
        for error in errors.iter().take(5) {
            let offset = error.span().map_or(0, |span| span.start);
            findings.borrow_mut().push(Finding {
                place: self.place(offset, ""),
                text: error.message().trim().to_owned(),
            });
        }
        None
    }
}

/// Keys with thousands of parts would be taken apart by a program that calls itself as
/// often: refused before that, by looks. Texts may have as many dots as they like.
fn is_too_deep(line: &str) -> bool {
    let (mut dots, mut quote) = (0, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => break,
            (None, '.') => dots += 1,
            (None, ',') => dots = 0,
            (Some('"'), '\\') => drop(characters.next()),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        if dots > MAXIMUM_DEPTH {
            return true;
        }
    }
    false
}

/// A table whose members are taken one after the other; what is left at the end is unknown.
pub struct Table<'a> {
    source: &'a Source,
    findings: &'a Findings,
    place: Place,
    members: Vec<(Cow<'a, str>, usize, Spanned<DeValue<'a>>)>,
    known: Vec<&'static str>,
    lines: BTreeMap<&'static str, usize>,
}

/// What a thing is called in the file and where its members stand.
#[derive(Clone, Debug)]
pub struct Head {
    pub name: String,
    pub place: Place,
    lines: BTreeMap<&'static str, usize>,
}

impl Head {
    pub fn says(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Where a member stands, or the thing if it does not say it.
    pub fn at(&self, key: &str) -> Place {
        at(&self.place, &self.lines, key)
    }

    pub fn finding(&self, key: &str, text: impl Into<String>) -> Finding {
        Finding {
            place: self.at(key),
            text: text.into(),
        }
    }
}

fn at(place: &Place, lines: &BTreeMap<&'static str, usize>, key: &str) -> Place {
    match lines.get(key) {
        Some(line) => Place {
            line: *line,
            path: join(&place.path, key),
            ..place.clone()
        },
        None => place.clone(),
    }
}

impl<'a> Table<'a> {
    fn new(source: &'a Source, findings: &'a Findings, path: String, table: Spanned<DeTable<'a>>) -> Self {
        let place = source.place(table.span().start, path);
        let mut members: Vec<_> = table
            .into_inner()
            .into_iter()
            .map(|(key, value)| {
                let offset = key.span().start;
                (key.into_inner(), offset, value)
            })
            .collect();
        members.sort_by_key(|(_, offset, _)| *offset);
        Self {
            source,
            findings,
            place,
            members,
            known: Vec::new(),
            lines: BTreeMap::new(),
        }
    }

    pub fn folder(&self) -> &'a PathBuf {
        &self.source.folder
    }

    pub fn note(&self, place: Place, text: impl Into<String>) {
        self.findings.borrow_mut().push(Finding {
            place,
            text: text.into(),
        });
    }

    /// As [`Head::at`], while the table is read.
    pub fn at(&self, key: &str) -> Place {
        at(&self.place, &self.lines, key)
    }

    pub fn says(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        self.known.push(key);
        let at = self.members.iter().position(|(name, ..)| name == key)?;
        let (_, offset, value) = self.members.remove(at);
        self.lines.insert(key, self.source.line(offset));
        Some(value)
    }

    /// A text without what stands around it: nothing here begins or ends in spaces.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        self.text_of(self.at(key), value).map(|text| text.trim().to_owned())
    }

    fn text_of(&self, place: Place, value: Spanned<DeValue<'a>>) -> Option<String> {
        let DeValue::String(text) = value.into_inner() else {
            self.note(place, "must be a text in quotation marks");
            return None;
        };
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.note(place, "has control characters, which no text here may have");
            return None;
        }
        Some(text.into_owned())
    }

    /// A text that something makes of.
    pub fn parsed<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.note(self.at(key), reason);
                None
            }
        }
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.note(self.at(key), "must be true or false, without quotation marks");
        }
        flag
    }

    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let items = self.items(key)?;
        let texts = items
            .into_iter()
            .filter_map(|(place, value)| self.text_of(place, value));
        Some(texts.collect())
    }

    fn items(&mut self, key: &'static str) -> Option<Vec<(Place, Spanned<DeValue<'a>>)>> {
        let value = self.take(key)?;
        let DeValue::Array(items) = value.into_inner() else {
            self.note(self.at(key), "must be a list: [\"…\", \"…\"]");
            return None;
        };
        let path = join(&self.place.path, key);
        let items = items.into_iter().enumerate().map(|(index, value)| {
            let place = self.source.place(value.span().start, format!("{path}[{index}]"));
            (place, value)
        });
        Some(items.collect())
    }

    /// A list whose items are texts or tables.
    pub fn texts_or_tables(&mut self, key: &'static str) -> Option<Vec<TextOrTable<'a>>> {
        let items = self.items(key)?;
        let mut found = Vec::new();
        for (place, value) in items {
            let span = value.span();
            found.extend(match value.into_inner() {
                DeValue::Table(table) => {
                    let table = Spanned::new(span, table);
                    Some(TextOrTable::Table(Table::new(
                        self.source,
                        self.findings,
                        place.path,
                        table,
                    )))
                }
                other => self
                    .text_of(place.clone(), Spanned::new(span, other))
                    .map(|text| TextOrTable::Text(place, text)),
            });
        }
        Some(found)
    }

    /// Names with texts.
    pub fn pairs(&mut self, key: &'static str) -> Option<Vec<(String, String)>> {
        let value = self.take(key)?;
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.note(self.at(key), "must be a table: { name = \"value\" }");
            return None;
        };
        let path = join(&self.place.path, key);
        let table = Table::new(self.source, self.findings, path, Spanned::new(span, table));
        let members = table.members.iter().map(|(name, offset, value)| {
            let place = self.source.place(*offset, join(&table.place.path, name));
            let text = self.text_of(place, value.clone())?;
            Some((name.clone().into_owned(), text))
        });
        Some(members.flatten().collect())
    }

    /// Things under their names, in the order of the file.
    pub fn things(&mut self, key: &'static str) -> Vec<(String, Table<'a>)> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        // What hangs below a thing is not said by it.
        let place = self.at(key);
        self.lines.remove(key);
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.note(
                place,
                format!("must be a table: [{}.NAME]", join(&self.place.path, key)),
            );
            return Vec::new();
        };
        let path = join(&self.place.path, key);
        let outer = Table::new(self.source, self.findings, path, Spanned::new(span.clone(), table));
        let mut things = Vec::new();
        for (name, offset, value) in outer.members {
            let path = join(&outer.place.path, &name);
            let place = self.source.place(offset, path.clone());
            if name.chars().any(char::is_control) {
                self.note(place, "the name has control characters");
                continue;
            }
            let DeValue::Table(table) = value.into_inner() else {
                self.note(place, format!("must be a table: [{path}]"));
                continue;
            };
            let mut table = Table::new(self.source, self.findings, path, Spanned::new(span.clone(), table));
            table.place = place;
            things.push((name.into_owned(), table));
        }
        things
    }

    /// An id, as the commands show it.
    pub fn id<T: From<Uuid>>(&mut self) -> Option<T> {
        self.parsed("id", |text| {
            text.parse::<Uuid>().map(T::from).map_err(|_| {
                "must be the id that the commands show, such as 0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11".into()
            })
        })
    }

    /// Tells what nobody asked for.
    pub fn end(self, name: &str) -> Head {
        let known = self.known.join(", ");
        for (key, offset, _) in &self.members {
            let place = self.source.place(*offset, join(&self.place.path, key));
            self.note(place, format!("is not known; what can stand here: {known}"));
        }
        Head {
            name: name.to_owned(),
            place: self.place,
            lines: self.lines,
        }
    }
}

pub enum TextOrTable<'a> {
    Text(Place, String),
    Table(Table<'a>),
}

/// A path as TOML has it: names that are more than letters stand in quotation marks.
fn join(path: &str, key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(is_bare) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(format!("{key:?}"))
    };
    if path.is_empty() {
        key.into_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_line_and_key() {
        let findings = Findings::default();
        let text = "a = 1\n\n[project.\"Data Archive\"]\ncontact = true\nadmins = ['x', 2]\ncolour = 'red'\n";
        let source = Source::new("f.toml", text.to_owned(), PathBuf::new());
        let Some(mut table) = source.read(&findings) else {
            panic!("the text is TOML");
        };
        for (name, mut thing) in table.things("project") {
            thing.text("contact");
            thing.texts("admins");
            thing.end(&name);
        }
        table.end("");
        let mut lines: Vec<String> = findings.borrow().iter().map(Finding::line).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "f.toml:1: a: is not known; what can stand here: project",
                "f.toml:4: project.\"Data Archive\".contact: must be a text in quotation marks",
                "f.toml:5: project.\"Data Archive\".admins[1]: must be a text in quotation marks",
                "f.toml:6: project.\"Data Archive\".colour: is not known; what can stand here: contact, admins",
            ]
        );
    }

    #[test]
    fn what_is_shown_moves_no_cursor_and_has_an_end() {
        assert_eq!(shown("a\u{1b}[2Jb\n\u{202e}", 80), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(shown("abcdef", 3), "abc…");
    }

    #[test]
    fn depth_is_told_from_dots_in_texts() {
        let deep = format!("[{}a]", "a.".repeat(40));
        for text in [deep.as_str(), &format!("a{} = 1", ".b".repeat(33))] {
            assert!(is_too_deep(text), "{text}");
        }
        let dots = ".".repeat(100);
        let list = "'a.b', ".repeat(100);
        let fine = [
            format!("a = \"{dots}\""),
            format!("a = '{dots}' # {dots}"),
            format!("a = \"\\\"{dots}\""),
            format!("a = [{list}]"),
        ];
        for text in fine {
            assert!(!is_too_deep(&text), "{text}");
        }
    }
}
