//! `portolan tour`, as a newcomer and as a program runs it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::Terminal;

const STEPS: [&str; 9] = [
    "1. The stage",
    "2. Alice signs in and allows",
    "3. What Alice allowed is a tree",
    "4. The portal calls Beamline",
    "5. Beamline calls on",
    "6. Alice takes one branch back",
    "7. The token is dead",
    "8. Nor does it come back",
    "9. Alice takes everything back",
];

/// Temporary folders go below `folder`. What the surroundings say about a real server is not
/// for the tour.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
    command
        .arg("tour")
        .args(arguments)
        .env("TMPDIR", folder)
        .env("PORTOLAN_DATA_DIR", "/nowhere")
        .env("PORTOLAN_PUBLIC_URL", "https://auth.example.org")
        .env("GLOBUS_SDK_SERVICE_URL_AUTH", "https://auth.example.org/")
        .env_remove("PORTOLAN_FORMAT")
        .env_remove("NO_COLOR")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn tour(folder: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut process = command(folder, arguments).spawn().unwrap();
    process.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[test]
fn the_tour_shows_each_step_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();

    let output = tour(folder.path(), &[], "");

    let shown = text(&output);
    let mut rest = shown.as_str();
    for step in STEPS {
        let at = rest.find(step).unwrap_or_else(|| panic!("no step {step} in\n{shown}"));
        rest = &rest[at..];
    }
    for sentence in [
        "✓ there are tokens for Auth, Groups and Beamline, found by `by_resource_server`",
        "✓ Archive and Index hang below Beamline",
        "✓ Index hears that the token is dead, and nothing more",
        "✓ the other branch lives on",
        "✓ the refresh token for Index is dead, too",
        "✓ the refresh token for Archive lives",
    ] {
        assert!(shown.contains(sentence), "{sentence} is missing in\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "no colours where there is no terminal");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(is_empty(folder.path()));
}

#[test]
fn the_record_for_programs_has_every_request_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();

    let shown = text(&tour(folder.path(), &["--format", "json"], ""));

    let record: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(record["error"], Value::Null);
    let steps = record["steps"].as_array().unwrap();
    let titles: Vec<String> = steps
        .iter()
        .map(|step| format!("{}. {}", step["step"], step["title"].as_str().unwrap()))
        .collect();
    assert_eq!(titles, STEPS);
    let events: Vec<&Value> = steps
        .iter()
        .flat_map(|step| step["events"].as_array().unwrap())
        .collect();
    assert!(
        events
            .iter()
            .filter(|event| event["check"].is_string())
            .all(|event| event["holds"] == true)
    );
    let paths: Vec<&str> = events
        .iter()
        .filter_map(|event| event["exchange"]["path"].as_str())
        .collect();
    for (path, at_least) in [
        ("/v2/oauth2/authorize", 1),
        ("/p/login", 2),
        ("/v2/oauth2/token", 6),
        ("/v2/oauth2/token/introspect", 9),
    ] {
        let times = paths.iter().filter(|known| **known == path).count();
        assert!(times >= at_least, "{path} {times} times");
    }
    assert!(
        events
            .iter()
            .all(|event| event["exchange"].is_null() || event["why"].is_string())
    );
    // Nothing of the form of a token or of a client's secret is whole.
    let longest = shown
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("AgP"))
        .map(str::len)
        .max();
    assert_eq!(longest, Some(9));
    assert!(is_empty(folder.path()));
}

#[test]
fn at_a_terminal_enter_goes_on_and_there_are_colours_unless_nobody_wants_them() {
    let folder = tempfile::tempdir().unwrap();
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut command = command(folder.path(), &["--pause"]);
        command.env("NO_COLOR", no_color);
        let mut terminal = Terminal::run(command);
        for (at, step) in STEPS.iter().enumerate().skip(1) {
            let shown = terminal.wait_for("Enter goes on.").to_owned();
            assert!(!shown.contains(step), "step {at} waits");
            terminal.type_line("");
            terminal.wait_for(step);
        }

        let (status, shown) = terminal.end();

        assert_eq!(status, 0, "{shown}");
        assert_eq!(shown.contains("\x1b[32m✓"), coloured);
        assert_eq!(shown.contains('\x1b'), coloured);
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn an_interrupted_tour_leaves_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = command(folder.path(), &["--pause"]).spawn().unwrap();
    // Nobody presses Enter.
    let keyboard = process.stdin.take();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Enter goes on.")));
    assert!(!is_empty(folder.path()));

    let interrupt = Command::new("kill").args(["-INT", &process.id().to_string()]).status();

    assert!(interrupt.unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert!(is_empty(folder.path()));
    drop(keyboard);
}
