//! The table of `docs/security.md`, point → test. Two questions are asked of it: does each
//! test that it names exist (a test below, so that a wrong name is noticed at once), and did
//! it run and pass in this very run (the last part of `cargo xtask test`, which reads what
//! the other parts have printed).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};

const LATER: &str = "*needs a later feature*";
/// Those of `e2e/browser` that print a sentence for each check.
const BROWSER_SUITES: &[&str] = &[
    "cargo xtask e2e pages",
    "cargo xtask e2e providers",
    "cargo xtask e2e logout",
];

/// A line of the table.
#[derive(Debug)]
struct Row {
    point: String,
    tests: Vec<Entry>,
}

/// What the last column names.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Later,
    /// As `cargo test` prints it.
    Rust(String),
    /// A function of a suite of pytest: `e2e/python`, its name.
    Python(String, String),
    /// The beginning, or a part, of the sentence that a suite of JavaScript prints for a check;
    /// the suite is a folder, or of those in the browser the command.
    Sentence(String, String),
    /// A suite that is one check.
    Whole(String),
    Unreadable(String),
}

impl Entry {
    fn read(text: &str) -> Entry {
        if text.starts_with(LATER) {
            return Entry::Later;
        }
        let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let words = text.split('*').nth(1);
        match (quoted.as_slice(), words) {
            (["cargo xtask e2e secrets"], None) => Entry::Whole("secrets".to_owned()),
            ([suite], Some(words)) if BROWSER_SUITES.contains(suite) || suite.starts_with("e2e/") => {
                Entry::Sentence((*suite).to_owned(), words.to_owned())
            }
            ([suite, name], None) if suite.starts_with("e2e/") => {
                Entry::Python((*suite).to_owned(), (*name).to_owned())
            }
            ([name], None) if !name.contains([' ', '/']) => Entry::Rust((*name).to_owned()),
            _ => Entry::Unreadable(text.to_owned()),
        }
    }

    /// The part of `cargo xtask test` that runs it.
    fn part(&self) -> Option<&'static str> {
        let part = match self {
            Entry::Rust(_) => "unit",
            Entry::Whole(_) => "secrets",
            Entry::Python(suite, _) | Entry::Sentence(suite, _) => match suite.as_str() {
                "e2e/python" => "e2e-python",
                "e2e/cli" => "e2e-cli",
                "e2e/action-provider" => "e2e-action-provider",
                "e2e/guides" => "guides",
                "e2e/node" => "e2e-node",
                "cargo xtask e2e pages" => "pages",
                "cargo xtask e2e providers" => "e2e-providers",
                "cargo xtask e2e logout" => "e2e-logout",
                _ => return None,
            },
            Entry::Later | Entry::Unreadable(_) => return None,
        };
        Some(part)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entry::Later => write!(f, "{LATER}"),
            Entry::Rust(text) | Entry::Whole(text) | Entry::Unreadable(text) => write!(f, "{text}"),
            Entry::Python(suite, name) => write!(f, "{suite} {name}"),
            Entry::Sentence(suite, words) => write!(f, "{suite} *{words}*"),
        }
    }
}

fn parse(text: &str) -> Vec<Row> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [point, _, _, tests] = cells.as_slice() else {
            return None;
        };
        Some(Row {
            point: (*point).to_owned(),
            tests: tests.split("<br>").map(|test| Entry::read(test.trim())).collect(),
        })
    });
    rows.filter(|row| !row.point.is_empty()).collect()
}

fn rows(root: &Path) -> Result<Vec<Row>> {
    let path = root.join("docs/security.md");
    Ok(parse(
        &fs::read_to_string(&path).with_context(|| path.display().to_string())?,
    ))
}

/// What one part has printed: the names that passed, and the sentences.
#[derive(Debug, Default)]
struct Passed {
    names: BTreeSet<String>,
    sentences: Vec<String>,
}

impl Passed {
    /// From the output of `cargo test`, pytest with `-rp`, `node --test` and our own pages.
    fn read(log: &str) -> Passed {
        let mut passed = Passed::default();
        for line in log.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok")) {
                // A test that should panic says so after its name.
                let name = name.split(" - should panic").next().unwrap_or(name);
                passed.names.insert(name.to_owned());
            } else if let Some(id) = line.strip_prefix("PASSED ") {
                // e2e/python/test_errors.py::test_wrong_secret[with-a-parameter]
                let name = id.rsplit("::").next().unwrap_or(id);
                passed.names.insert(name.split('[').next().unwrap_or(name).to_owned());
            } else if let Some(sentence) = sentence(line) {
                passed.sentences.push(sentence.to_owned());
            }
        }
        passed
    }

    fn holds(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Rust(name) => {
                // Both engines, or it is not what the table says.
                let twin = name.strip_suffix("::sqlite").map(|base| format!("{base}::postgres"));
                self.names.contains(name) && twin.is_none_or(|twin| self.names.contains(&twin))
            }
            Entry::Python(_, name) => self.names.contains(name),
            Entry::Sentence(_, words) => self.sentences.iter().any(|sentence| sentence.contains(words)),
            Entry::Later | Entry::Whole(_) => true,
            Entry::Unreadable(_) => false,
        }
    }
}

/// `ok 3 - a sentence` (TAP), `✔ a sentence (1.2ms)` (node), `ok    a sentence` (our pages).
fn sentence(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("✔ ") {
        return Some(rest);
    }
    let rest = line.strip_prefix("ok ")?;
    match rest.split_once(" - ") {
        Some((number, words)) if number.trim().parse::<u32>().is_ok() => {
            // TAP marks what it left out behind the sentence.
            (!words.contains("# SKIP") && !words.contains("# TODO")).then_some(words)
        }
        _ => Some(rest.trim_start()),
    }
}

/// How a part of this run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Passed,
    Failed,
}

/// Compares the table with what the parts of this run have printed. Fails for a point with
/// a test that did not pass in it; says what could not be checked because its part was not
/// asked for.
pub fn compare(root: &Path, parts: &BTreeMap<String, Ended>, log: impl Fn(&str) -> Result<String>) -> Result<String> {
    compare_rows(&rows(root)?, parts, log)
}

fn compare_rows(rows: &[Row], parts: &BTreeMap<String, Ended>, log: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut printed = BTreeMap::new();
    for part in parts.keys() {
        printed.insert(part.as_str(), Passed::read(&log(part)?));
    }
    let (mut seen, mut missing) = (0, Vec::new());
    let mut unchecked: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        for entry in &row.tests {
            let Some(part) = entry.part() else {
                if matches!(entry, Entry::Unreadable(_)) {
                    missing.push(format!("{}: {entry} names no test", row.point));
                }
                continue;
            };
            let passed = match (parts.get(part), printed.get(part)) {
                (Some(Ended::Passed), Some(passed)) => passed.holds(entry),
                // A suite that is one check has failed with its part; others have a line each.
                (Some(Ended::Failed), Some(passed)) => !matches!(entry, Entry::Whole(_)) && passed.holds(entry),
                _ => {
                    *unchecked.entry(part).or_default() += 1;
                    continue;
                }
            };
            if passed {
                seen += 1;
            } else {
                missing.push(format!("{}: {entry} did not pass in this run ({part})", row.point));
            }
        }
    }
    if !missing.is_empty() {
        println!("{}", missing.join("\n"));
        bail!(
            "{} tests of docs/security.md did not pass in this run, the first: {}",
            missing.len(),
            missing[0]
        );
    }
    let mut remark = format!("{seen} tests of {} points passed in this run", rows.len());
    if !unchecked.is_empty() {
        let parts: Vec<String> = unchecked
            .iter()
            .map(|(part, count)| format!("{count} of {part}"))
            .collect();
        remark.push_str(&format!("; NOT CHECKED, their parts did not run: {}", parts.join(", ")));
    }
    Ok(remark)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::setup;

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
        files(&setup::root().join("crates"), &[".rs"], &mut sources);
        files(&setup::root().join("xtask"), &[".rs"], &mut sources);
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
        let folder = if BROWSER_SUITES.contains(&folder) {
            "e2e/browser"
        } else {
            folder
        };
        files(&setup::root().join(folder), &[".py", ".mjs"], &mut sources);
        sources
            .iter()
            .any(|path| fs::read_to_string(path).unwrap().contains(words))
    }

    fn exists(tests: &[(String, String)], entry: &Entry) -> bool {
        match entry {
            Entry::Later => true,
            Entry::Rust(name) => is_rust_test(tests, name),
            Entry::Python(suite, name) => is_check(suite, &format!("def {name}(")),
            Entry::Sentence(suite, words) => is_check(suite, words),
            Entry::Whole(_) => setup::root().join("e2e/secrets/scan.py").exists(),
            Entry::Unreadable(_) => false,
        }
    }

    #[test]
    fn every_point_has_a_row_with_a_test_or_says_what_it_waits_for() {
        let rows = rows(setup::root()).unwrap();
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

        let rows = rows(setup::root()).unwrap();
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

    const TABLE: &str = "\
| | Point | What we hold | Test |
|---|---|---|---|
| A1 | p | w | `token::works`<br>`db::both::sqlite` |
| A2 | p | w | `e2e/python` `test_one`<br>`e2e/node` *a secret with + / =* |
| A3 | p | w | `cargo xtask e2e pages`: *keyboard*<br>`cargo xtask e2e secrets` |
| A4 | p | w | *needs a later feature* (passkeys) |
";

    const UNIT: &str = "running 3 tests\ntest token::works ... ok\ntest db::both::sqlite ... ok\n\
                        test db::both::postgres ... ok\n";

    fn passed(parts: &[(&str, Ended)]) -> BTreeMap<String, Ended> {
        parts.iter().map(|(part, ended)| ((*part).to_owned(), *ended)).collect()
    }

    fn everything() -> BTreeMap<String, Ended> {
        let parts = ["unit", "e2e-python", "e2e-node", "pages", "secrets"];
        passed(&parts.map(|part| (part, Ended::Passed)))
    }

    fn log(part: &str) -> Result<String> {
        Ok(match part {
            "unit" => UNIT,
            "e2e-python" => "PASSED e2e/python/test_x.py::test_one[sdk]\n",
            "e2e-node" => "TAP version 13\nok 1 - a secret with + / = passes both ways\n",
            "pages" => "ok    keyboard: login and consent\n",
            _ => "",
        }
        .to_owned())
    }

    #[test]
    fn a_table_whose_tests_all_passed_is_fine() {
        let remark = compare_rows(&parse(TABLE), &everything(), log).unwrap();
        assert_eq!(remark, "6 tests of 4 points passed in this run");
    }

    #[test]
    fn a_test_that_did_not_run_or_did_not_pass_fails_its_point() {
        for (part, text, complaint) in [
            ("unit", UNIT.replace("test token::works ... ok", ""), "A1: token::works"),
            (
                "unit",
                UNIT.replace("works ... ok", "works ... FAILED"),
                "A1: token::works",
            ),
            (
                "unit",
                UNIT.replace("works ... ok", "works ... ignored"),
                "A1: token::works",
            ),
            (
                "unit",
                UNIT.replace("test db::both::postgres ... ok", ""),
                "A1: db::both::sqlite",
            ),
            (
                "e2e-python",
                "FAILED e2e/python/test_x.py::test_one".into(),
                "A2: e2e/python test_one",
            ),
            (
                "e2e-node",
                "not ok 1 - a secret with + / = passes".into(),
                "A2: e2e/node *a secret",
            ),
            (
                "e2e-node",
                "ok 1 - a secret with + / = passes # SKIP".into(),
                "A2: e2e/node *a secret",
            ),
            (
                "pages",
                "FAIL  keyboard: login".into(),
                "A3: cargo xtask e2e pages *keyboard*",
            ),
        ] {
            let with = |asked: &str| if asked == part { Ok(text.clone()) } else { log(asked) };
            let error = compare_rows(&parse(TABLE), &everything(), with)
                .unwrap_err()
                .to_string();
            assert!(error.contains(complaint), "{error}");
        }
        let mut parts = everything();
        parts.insert("secrets".into(), Ended::Failed);
        let error = compare_rows(&parse(TABLE), &parts, log).unwrap_err().to_string();
        assert!(error.contains("A3: secrets"), "{error}");
    }

    #[test]
    fn what_was_not_asked_for_is_said_and_not_passed_over() {
        let remark = compare_rows(&parse(TABLE), &passed(&[("unit", Ended::Passed)]), log).unwrap();
        assert_eq!(
            remark,
            "2 tests of 4 points passed in this run; \
             NOT CHECKED, their parts did not run: 1 of e2e-node, 1 of e2e-python, 1 of pages, 1 of secrets"
        );
    }

    #[test]
    fn an_entry_that_names_nothing_fails() {
        let table = "| A1 | p | w | see above |\n";
        let error = compare_rows(&parse(table), &everything(), log).unwrap_err().to_string();
        assert!(error.contains("names no test"), "{error}");
    }
}
