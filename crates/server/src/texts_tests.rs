//! The messages of all languages against each other and against their use: a word that is
//! missing is found here and not by a reader.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Expression, InlineExpression, Message as Parsed, Pattern, PatternElement};
use regex::Regex;

use super::*;

/// German messages that are rightly the same as in English.
const SAME: &[&str] = &[
    "appearance-logo",
    "console-administrator",
    "console-area-clients",
    "console-area-server",
    "console-field-issuer",
    "console-field-name",
    "console-field-scopes",
    "console-kind-oauth2",
    "console-kind-oidc",
    "console-name",
    "console-organization",
    "console-schema",
    "console-server-title",
    "console-session-of",
    "console-version",
    "domains-record-name",
    "identities-name",
    "identities-organization",
    "policies-name",
    "scopes-name",
    "scopes-title",
    "security-passkey-name",
    "sessions-apps",
    "time-alone",
];

/// What looks like an id and is something else.
const NO_IDS: &[&str] = &["security-recovery-codes"];

/// Id to the variables that its text names.
type Variables = BTreeMap<String, BTreeSet<String>>;

fn variables(language: Language) -> Variables {
    let parsed: Vec<FluentResource> = sources(language)
        .into_iter()
        .map(|(_, source)| FluentResource::try_new(source).unwrap())
        .collect();
    let messages: BTreeMap<&str, &Parsed<&str>> = parsed
        .iter()
        .flat_map(FluentResource::entries)
        .filter_map(|entry| match entry {
            Entry::Message(message) => Some((message.id.name, message)),
            _ => None,
        })
        .collect();
    let mut all = Variables::new();
    for (id, message) in &messages {
        let mut found = BTreeSet::new();
        collect(message.value.as_ref().unwrap(), &messages, &mut found);
        all.insert((*id).to_owned(), found);
    }
    all
}

fn collect(pattern: &Pattern<&str>, messages: &BTreeMap<&str, &Parsed<&str>>, found: &mut BTreeSet<String>) {
    let mut inline = |expression: &InlineExpression<&str>| match expression {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::MessageReference { id, .. } => {
            collect(messages[id.name].value.as_ref().unwrap(), messages, found);
        }
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        other => panic!("messages use variables and other messages, not {other:?}"),
    };
    let mut branches = Vec::new();
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { .. } => {}
            PatternElement::Placeable {
                expression: Expression::Inline(expression),
            } => inline(expression),
            PatternElement::Placeable {
                expression: Expression::Select { selector, variants },
            } => {
                inline(selector);
                branches.extend(variants.iter().map(|variant| &variant.value));
            }
        }
    }
    for branch in branches {
        collect(branch, messages, found);
    }
}

#[test]
fn the_files_of_all_languages_can_be_read() {
    for language in Language::ALL {
        assert_eq!(Catalogue::read(language).1, Vec::<String>::new());
        for (name, source) in sources(language) {
            let area = Path::new(&name).file_stem().unwrap().to_str().unwrap().to_owned();
            for entry in FluentResource::try_new(source).unwrap().entries() {
                if let Entry::Message(message) = entry {
                    let id = message.id.name;
                    assert!(id.starts_with(&format!("{area}-")), "{name}: {id}");
                    assert!(message.attributes.is_empty(), "{name}: {id} has attributes");
                }
            }
        }
    }
}

#[test]
fn all_languages_have_the_same_messages_with_the_same_variables() {
    let english = variables(Language::En);
    assert!(english.len() > 50);
    for language in Language::ALL {
        let translated = variables(language);
        for (id, names) in &english {
            let tag = language.tag();
            assert!(translated.contains_key(id), "{id} is missing in {tag}");
            assert_eq!(&translated[id], names, "{id} names other variables in {tag}");
        }
        for id in translated.keys() {
            assert!(english.contains_key(id), "{id} is missing in en");
        }
    }
}

#[test]
fn nothing_was_left_in_english() {
    let patterns = |language: Language| -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (_, source) in sources(language) {
            let resource = FluentResource::try_new(source).unwrap();
            for entry in resource.entries() {
                if let Entry::Message(message) = entry {
                    all.insert(message.id.name.to_owned(), format!("{:?}", message.value));
                }
            }
        }
        all
    };
    let (english, german) = (patterns(Language::En), patterns(Language::De));
    let same: Vec<&String> = english
        .iter()
        .filter(|(id, text)| german.get(*id) == Some(text))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(same, SAME);
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn visit(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, ending, found);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), ending, &mut found);
    assert!(!found.is_empty());
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).unwrap());
    found.into_iter().map(read).collect()
}

/// Everything that shows words, without its comments and tests.
fn users() -> Vec<(String, String)> {
    let mut all = files("templates", ".html");
    for (path, text) in files("src", ".rs") {
        if path.contains("tests") {
            continue;
        }
        let code = text.split("\n#[cfg(test)]\n").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        all.push((path, lines.collect::<Vec<_>>().join("\n")));
    }
    all
}

/// The names of the arguments that follow a call: `.arg("name", name).count("n", n)`.
fn given(mut rest: &str) -> BTreeSet<String> {
    let link = Regex::new(r#"^\s*\.(?:arg|count|strong|code|quote|quoted|time|link|link_in_new_tab)\(\s*"([a-z_]+)""#)
        .unwrap();
    let mut names = BTreeSet::new();
    while let Some(found) = link.captures(rest) {
        names.insert(found[1].to_owned());
        let open = found[0].find('(').unwrap();
        rest = &rest[open..];
        let mut depth = 0;
        let end = rest.char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        rest = &rest[end.unwrap().0 + 1..];
    }
    names
}

#[test]
fn every_message_is_used_and_every_used_one_is_there_with_its_arguments() {
    let known = variables(Language::En);
    let areas: BTreeSet<&str> = known.keys().map(|id| id.split('-').next().unwrap()).collect();
    let call = Regex::new(r#"(?:\.(text|say|markup)|\b(words))\(\s*"([^"]*)",?\s*\)"#).unwrap();
    let literal = Regex::new(r#""([a-z]+)(-[a-z0-9]+)+""#).unwrap();
    let mut used = BTreeSet::new();
    let mut faults = Vec::new();
    for (path, text) in users() {
        for found in call.captures_iter(&text) {
            let id = &found[3];
            let Some(variables) = known.get(id) else {
                faults.push(format!("{path}: there is no {id}"));
                continue;
            };
            let given = match found.get(1).map(|method| method.as_str()) {
                Some("text") => BTreeSet::new(),
                _ => given(&text[found.get(0).unwrap().end()..]),
            };
            // In a handler the arguments may be added further on.
            let is_begun = given.is_empty() && path.ends_with(".rs") && &found[0][..5] == ".say(";
            if given != *variables && !is_begun {
                faults.push(format!("{path}: {id} needs {variables:?} and gets {given:?}"));
            }
        }
        // In tables ids stand alone.
        for found in literal.captures_iter(&text) {
            let id = found[0].trim_matches('"');
            if known.contains_key(id) {
                used.insert(id.to_owned());
            } else if areas.contains(&found[1]) && !NO_IDS.contains(&id) && path.contains("/web/") {
                faults.push(format!("{path}: there is no {id}"));
            }
        }
    }
    // Some are parts of others.
    let reference = Regex::new(r"\{ ([a-z]+(?:-[a-z0-9]+)+) \}").unwrap();
    for (_, source) in sources(Language::En) {
        used.extend(reference.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    faults.extend(
        known
            .keys()
            .filter(|id| !used.contains(*id))
            .map(|id| format!("{id} is used nowhere")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_language_is_the_best_that_both_sides_speak() {
    for (ranges, expected) in [
        ("de", Some(Language::De)),
        ("de-CH, de;q=0.9, en;q=0.8", Some(Language::De)),
        ("DE-at", Some(Language::De)),
        ("en-US,en;q=0.5", Some(Language::En)),
        ("fr, en;q=0.2, de;q=0.7", Some(Language::De)),
        ("en;q=0.7, de; q=0.7", Some(Language::En)),
        ("de;q=0, en;q=0.1", Some(Language::En)),
        ("de;q=2", None),
        ("de;level=1", None),
        ("den, fr", None),
        ("*", None),
        ("", None),
    ] {
        assert_eq!(Language::of_ranges(ranges), expected, "{ranges:?}");
    }
    assert_eq!(Language::of_ranges(&format!("{}de", "fr,".repeat(400))), None);
}

#[test]
fn an_app_asks_for_languages_in_order() {
    for (list, expected) in [
        ("de-CH fr", Some(Language::De)),
        ("fr en de", Some(Language::En)),
        ("xx not-a-tag", None),
        ("", None),
        ("  de", Some(Language::De)),
    ] {
        assert_eq!(Language::of_locales(list), expected, "{list:?}");
    }
}

#[test]
fn what_is_missing_shows_its_name_and_ends_nothing() {
    assert_eq!(Language::De.text("no-such-text"), "no-such-text");
    assert_eq!(Language::De.say("no-such-text").arg("a", 1).to_string(), "no-such-text");
    assert_eq!(Language::En.say("login-found").to_string(), "Found: {$count}");
}

#[test]
fn lengths_of_time_read_as_people_say_them() {
    for (seconds, english, german) in [
        (0, "0 seconds", "0 Sekunden"),
        (1, "1 second", "1 Sekunde"),
        (90, "1 minute", "1 Minute"),
        (600, "10 minutes", "10 Minuten"),
        (3_600, "60 minutes", "60 Minuten"),
        (3_601, "1 hour", "1 Stunde"),
        (172_800, "48 hours", "48 Stunden"),
        (604_800, "7 days", "7 Tage"),
        (15_724_800, "6 months", "6 Monate"),
    ] {
        assert_eq!(Language::En.length(&Duration::from_secs(seconds)), english);
        assert_eq!(Language::De.length(&Duration::from_secs(seconds)), german);
    }
}

#[test]
fn moments_read_as_people_write_them() {
    let moment = Timestamp::from_seconds(1_770_110_127);

    assert_eq!(Language::En.date(moment), "3 February 2026");
    assert_eq!(Language::En.moment(moment), "3 February 2026, 09:15 UTC");
    assert_eq!(Language::De.date(moment), "3. Februar 2026");
    assert_eq!(Language::De.moment(moment), "3. Februar 2026, 09:15 Uhr UTC");
}
