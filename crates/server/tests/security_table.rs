//! The table of `docs/security.md` against the tests that exist: every point is there, and
//! every test that it names is a test of the workspace or a check of `e2e`. No test may be
//! ignored, so one that exists is one that runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The points that need a row: of the standards by letter, of the attack classes by number.
const POINTS: &[(&str, usize)] = &[
    ("A", 20),
    ("B", 4),
    ("C", 8),
    ("D", 6),
    ("E", 6),
    ("F", 4),
    ("G", 12),
    ("H", 15),
    ("AA", 8),
    ("AC", 2),
    ("AF", 2),
    ("", 25),
];

const LATER: &str = "*needs a later feature*";

struct Row {
    point: String,
    /// What stands for tests, one entry each.
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [point, _, _, tests] = cells.as_slice() else {
            return None;
        };
        let tests = tests.split("<br>").map(|test| test.trim().to_owned()).collect();
        Some(Row {
            point: (*point).to_owned(),
            tests,
        })
    });
    cells.filter(|row| !row.point.is_empty()).collect()
}

fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "node_modules" && name != "target" {
                files(&path, extensions, found);
            }
        } else if extensions.iter().any(|extension| name.ends_with(extension)) {
            found.push(path);
        }
    }
}

/// Path and name of every Rust test of the workspace.
fn rust_tests() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    files(&root().join("crates"), &[".rs"], &mut sources);
    let mut tests = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let place = path.display().to_string();
        let after = |marker: &'static str| text.split(marker).skip(1);
        // Attributes may stand between the mark and the function.
        let functions = after("#[test]")
            .chain(after("#[tokio::test"))
            .filter_map(|rest| rest.split_once("fn "))
            .map(|(_, rest)| rest);
        for rest in functions.chain(after("db_test!(")) {
            let name: String = rest
                .trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            tests.push((place.clone(), name));
        }
    }
    tests
}

/// `domain::pkce::tests::name` is the test `name` in a file whose path has the other words.
fn is_rust_test(tests: &[(String, String)], printed: &str) -> bool {
    let mut words: Vec<&str> = printed.split("::").filter(|word| *word != "tests").collect();
    if matches!(words.last(), Some(&("sqlite" | "postgres"))) {
        words.pop();
    }
    let Some(name) = words.pop() else { return false };
    tests
        .iter()
        .any(|(place, found)| found == name && words.iter().all(|word| place.contains(word)))
}

/// Whether a file of a suite has the check, by its name or a part of the sentence it prints.
fn is_check(folder: &str, words: &str) -> bool {
    let mut sources = Vec::new();
    files(&root().join(folder), &[".py", ".mjs"], &mut sources);
    sources
        .iter()
        .any(|path| fs::read_to_string(path).unwrap().contains(words))
}

/// What an entry of the last column names, and whether that exists.
fn exists(tests: &[(String, String)], entry: &str) -> bool {
    if entry.starts_with(LATER) {
        return true;
    }
    let quoted: Vec<&str> = entry.split('`').skip(1).step_by(2).collect();
    let words = entry.split('*').nth(1);
    match (quoted.as_slice(), words) {
        (["cargo xtask e2e pages"], Some(words)) => is_check("e2e/browser", words),
        (["cargo xtask e2e secrets"], None) => root().join("e2e/secrets/scan.py").exists(),
        ([suite], Some(words)) => suite.starts_with("e2e/") && is_check(suite, words),
        ([suite, name], None) => suite.starts_with("e2e/") && is_check(suite, &format!("def {name}(")),
        ([printed], None) => is_rust_test(tests, printed),
        _ => false,
    }
}

#[test]
fn every_point_has_a_row_with_a_test_or_says_what_it_waits_for() {
    let rows = rows();
    let listed: BTreeSet<&str> = rows.iter().map(|row| row.point.as_str()).collect();
    let wanted = POINTS
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}")));

    let missing: Vec<String> = wanted.filter(|point| !listed.contains(point.as_str())).collect();

    assert!(
        missing.is_empty(),
        "docs/security.md has no row for {}",
        missing.join(", ")
    );
}

#[test]
fn every_test_that_the_table_names_exists() {
    let tests = rust_tests();
    assert!(tests.len() > 300, "only {} tests were found", tests.len());

    let rows = rows();
    let entries = rows
        .iter()
        .flat_map(|row| row.tests.iter().map(move |entry| (&row.point, entry)));
    let unknown: Vec<String> = entries
        .filter(|(_, entry)| !exists(&tests, entry))
        .map(|(point, entry)| format!("{point}: {entry}"))
        .collect();

    assert!(
        unknown.is_empty(),
        "docs/security.md names what is no test:\n{}",
        unknown.join("\n")
    );
}
