//! Reads our own source text, for tests that state what the code as a whole may not do.
//! A small lexer, no parser: comments go, the contents of literals are set apart, and
//! what is left is looked at as words.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One source file.
pub struct Source {
    /// From the root of the workspace: `crates/server/src/store/clients.rs`.
    pub path: String,
    /// Without comments and test modules; literals are empty: `tx.execute("", params![])`.
    pub code: String,
    /// The test module, in the same form.
    pub tests: String,
    /// The string literals outside of the test module.
    pub literals: Vec<Literal>,
}

pub struct Literal {
    /// The function it stands in, or the constant.
    pub owner: String,
    /// As the compiler reads it.
    pub text: String,
}

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace is there")
}

/// Every `.rs` file below a folder of the workspace, by path.
pub fn read(folder: &str) -> Vec<Source> {
    let root = workspace();
    let mut files = Vec::new();
    collect(&root.join(folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no source files below {folder}");
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).expect("a source file can be read");
            let path = file
                .strip_prefix(&root)
                .expect("it lies below the root")
                .display()
                .to_string();
            Source::parse(path, &text)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    fn parse(path: String, text: &str) -> Self {
        let lexed = lex(text);
        // Whole files of tests: declared under cfg(test) by their parent.
        let all_tests = path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs");
        let (start, end) = if all_tests {
            (0, lexed.code.len())
        } else {
            test_module(&lexed.code)
        };
        let mut code = lexed.code[..start].to_owned();
        code.push_str(&lexed.code[end..]);
        let literals = lexed
            .literals
            .iter()
            .filter(|(at, _)| !(start..end).contains(at))
            .map(|(at, text)| Literal {
                owner: owner(&lexed.code[..*at]),
                text: text.clone(),
            })
            .collect();
        Self {
            path,
            code,
            tests: lexed.code[start..end].to_owned(),
            literals,
        }
    }

    /// The module this file is: `crate::store::clients`.
    pub fn module(&self) -> String {
        let (_, inside) = self.path.split_once("/src/").unwrap_or(("", &self.path));
        let inside = inside
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        match inside.as_str() {
            "lib" | "main" | "mod" => "crate".to_owned(),
            inside => format!("crate::{inside}"),
        }
    }

    /// Every path that is named, in `use` trees or in place; those of this crate start with `crate::`.
    pub fn paths(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        let mut rest = self.code.as_str();
        while let Some(at) = find_word(rest, "use") {
            let statement = &rest[at + 3..];
            let end = statement.find(';').unwrap_or(statement.len());
            expand("", &statement[..end], &mut paths);
            rest = &statement[end..];
        }
        for word in self
            .code
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        {
            let path = word.trim_matches(':');
            if path.contains("::") {
                paths.insert(path.to_owned());
            }
        }
        let module = self.module();
        let parent = module.rsplit_once("::").map_or("crate", |(parent, _)| parent);
        paths
            .into_iter()
            .map(|path| match path.split_once("::") {
                Some(("super", rest)) => format!("{parent}::{rest}"),
                Some(("self", rest)) => format!("{module}::{rest}"),
                _ => path,
            })
            .collect()
    }

    pub fn names(&self, prefix: &str) -> bool {
        let below = format!("{prefix}::");
        self.paths()
            .iter()
            .any(|path| path == prefix || path.starts_with(&below))
    }

    /// The free functions that others may call.
    pub fn public_functions(&self) -> Vec<String> {
        let declared = self.code.lines().filter_map(|line| {
            let rest = line.strip_prefix("pub ")?;
            let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
        });
        declared.map(str::to_owned).collect()
    }
}

/// Splits `a::{b, c::{d, e as f}}` into its paths.
fn expand(prefix: &str, tree: &str, paths: &mut BTreeSet<String>) {
    let tree = tree.trim();
    match tree.split_once('{') {
        None => {
            let name = tree.split_whitespace().next().unwrap_or("");
            let path = format!("{prefix}{name}");
            paths.insert(path.trim_end_matches("::self").to_owned());
        }
        Some((head, group)) => {
            let prefix = format!("{prefix}{}", head.trim());
            let group = &group[..group.rfind('}').unwrap_or(group.len())];
            let (mut depth, mut start) = (0, 0);
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        expand(&prefix, &group[start..at], paths);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            if !group[start..].trim().is_empty() {
                expand(&prefix, &group[start..], paths);
            }
        }
    }
}

/// Where a word stands by itself.
pub fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|&at| !text[..at].ends_with(is_name) && !text[at + word.len()..].starts_with(is_name))
}

/// The insides of every call of a macro: `db_test!(..)`.
pub fn macro_calls<'a>(code: &'a str, name: &str) -> Vec<&'a str> {
    let mut calls = Vec::new();
    let mut rest = code;
    while let Some(at) = find_word(rest, name) {
        rest = &rest[at + name.len()..];
        let Some(inside) = rest.strip_prefix("!(") else {
            continue;
        };
        let mut depth = 1;
        let end = inside.char_indices().find_map(|(at, c)| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at)
        });
        let end = end.expect("brackets are closed");
        calls.push(&inside[..end]);
        rest = &inside[end..];
    }
    calls
}

/// The span of `#[cfg(test)] mod tests { .. }`; empty if there is none.
fn test_module(code: &str) -> (usize, usize) {
    let nothing = (code.len(), code.len());
    let Some(start) = code.find("#[cfg(test)]") else {
        return nothing;
    };
    let Some(open) = code[start..].find(['{', ';']).map(|at| start + at) else {
        return nothing;
    };
    if code.as_bytes()[open] == b';' {
        return nothing;
    }
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (start, open + at + 1);
        }
    }
    nothing
}

/// The function, or else the constant, that was declared last.
fn owner(code: &str) -> String {
    for line in code.lines().rev() {
        for keyword in ["fn ", "const "] {
            let declared = line
                .trim_start()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ");
            let declared = declared.trim_start_matches("async ");
            if let Some(rest) = declared.strip_prefix(keyword) {
                let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
                return name.unwrap_or("").to_owned();
            }
        }
    }
    String::new()
}

#[derive(Default)]
struct Lexed {
    code: String,
    /// Where in `code` they stood.
    literals: Vec<(usize, String)>,
}

fn lex(text: &str) -> Lexed {
    let mut lexed = Lexed::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").expect("a comment ends");
            rest = &rest[end + 2..];
        } else if let Some((contents, length)) = raw_string(rest, &lexed.code) {
            lexed.literals.push((lexed.code.len(), contents.to_owned()));
            lexed.code.push_str("\"\"");
            rest = &rest[length..];
        } else if c == '"' {
            let (contents, length) = string(rest);
            lexed.literals.push((lexed.code.len(), contents));
            lexed.code.push_str("\"\"");
            rest = &rest[length..];
        } else if let Some(length) = character(rest) {
            lexed.code.push_str("' '");
            rest = &rest[length..];
        } else {
            lexed.code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    lexed
}

/// `r#".."#`, with its whole length.
fn raw_string<'a>(text: &'a str, before: &str) -> Option<(&'a str, usize)> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let after_r = text.strip_prefix('r')?;
    let hashes = after_r.bytes().take_while(|b| *b == b'#').count();
    let contents = after_r[hashes..].strip_prefix('"')?;
    let end = contents.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some((&contents[..end], 1 + hashes + 1 + end + 1 + hashes))
}

fn string(text: &str) -> (String, usize) {
    let mut contents = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (contents, at + 1),
            '\\' => match characters.next() {
                // A line that goes on: its break and the indent of the next are no part of it.
                Some((_, '\n')) => while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, escaped)) => contents.push(escaped),
                None => break,
            },
            c => contents.push(c),
        }
    }
    panic!("a string ends");
}

/// A character literal, not a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map(|at| 1 + 2 + at + 1);
    }
    let c = inside.chars().next()?;
    inside[c.len_utf8()..].starts_with('\'').then(|| 1 + c.len_utf8() + 1)
}
