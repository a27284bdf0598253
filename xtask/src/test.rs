//! `cargo xtask test`: everything that has to hold before a change goes in.
//!
//! The parts run one after the other, also after one failed, so that one run shows all
//! failures. A part that cannot run has failed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};

use crate::{
    api,
    e2e::{Suite, run_suite},
    postgres::Cluster,
    process::{capture, cargo, run},
    security_table::{self, Ended},
    setup::{self, Versions},
    workshop::Workshop,
};

const CARGO_LIMIT: Duration = Duration::from_secs(45 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// The code is formatted
    Fmt,
    /// No lint complains
    Clippy,
    /// Licences, banned crates, sources and known vulnerabilities of the dependencies
    Deny,
    /// The documentation builds without a warning, and the SDK has the public items written down
    Docs,
    /// The workspace's own tests, on SQLite and PostgreSQL
    Unit,
    /// globus-sdk 3 and 4 and Authlib against the server
    #[value(name = "e2e-python")]
    E2ePython,
    /// globus-cli against the server
    #[value(name = "e2e-cli")]
    E2eCli,
    /// globus-action-provider-tools against the server
    #[value(name = "e2e-action-provider")]
    E2eActionProvider,
    /// The commands of docs/guides, as printed
    Guides,
    /// The samples of examples/, by the commands of their READMEs, and the portals in a browser
    Samples,
    /// openid-client and @globus/sdk against the server
    #[value(name = "e2e-node")]
    E2eNode,
    /// Every operation of the server's own description, called with generated data
    #[value(name = "e2e-schemathesis")]
    E2eSchemathesis,
    /// From an empty folder to a token, with a browser
    FirstRun,
    /// Every page in a browser: accessibility, keyboard, no script, narrow screen
    Pages,
    /// Signing in, linking and unlinking through oidc-provider and a second Portolan, in a browser
    #[value(name = "e2e-providers")]
    E2eProviders,
    /// Logout tokens to Apache's mod_auth_openidc, and logout that begins there
    #[value(name = "e2e-logout")]
    E2eLogout,
    /// The Debian package, the operators' guides and the reference set-up, on Debian systems of their own
    Packages,
    /// kill -9 under load and restart
    Crash,
    /// No issued secret in logs, metrics or database
    Secrets,
    /// Each test that docs/security.md names passed in this very run
    SecurityTable,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Run only this part (may be repeated)
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Print the parts and what they show
    #[arg(long)]
    list: bool,
    /// Use the newest foreign clients that install in place of the pinned ones
    #[arg(long)]
    newest: bool,
}

#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How often the server is killed, for each engine
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// How long the load lasts before each kill
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many random histories are compared with the model, for each engine and for two servers
    #[arg(long, default_value_t = 2000)]
    histories: u32,
    /// Another choice of histories
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Only: build the previous commit, and have its program serve beside today's on today's schema
    #[arg(long)]
    previous: bool,
}

struct Outcome {
    part: Part,
    seconds: f64,
    /// What the part says about itself, or why it failed.
    result: Result<String>,
}

pub fn main(args: &TestArgs) -> Result<()> {
    if args.list {
        list();
        return Ok(());
    }
    let mut parts = Part::value_variants().to_vec();
    parts.retain(|part| args.only.is_empty() || args.only.contains(part));
    let versions = if args.newest {
        Versions::Newest
    } else {
        Versions::Pinned
    };

    let workshop = Workshop::new();
    let mut outcomes = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        println!(
            "\n== {} ({} of {}): {}",
            part.name(),
            index + 1,
            parts.len(),
            part.description()
        );
        let start = Instant::now();
        // What it printed in an older run is not to be taken for what it prints now.
        let _ = fs::remove_file(part.log());
        let result = match part {
            Part::SecurityTable => security_table(&outcomes),
            _ => part.run(&workshop, versions),
        };
        let seconds = start.elapsed().as_secs_f64();
        match &result {
            Ok(remark) => println!("== {} passed after {seconds:.1} s{}", part.name(), remark_text(remark)),
            Err(error) => println!("== {} FAILED after {seconds:.1} s: {error:#}", part.name()),
        }
        outcomes.push(Outcome {
            part: *part,
            seconds,
            result,
        });
    }
    drop(workshop);

    let failures = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.part, outcome.result.as_ref().err()?)));
    let failed = failures.clone().count();
    // Again: what they said is far above by now, and a machine may keep only the end.
    for (part, error) in failures {
        println!("\n== {} FAILED: {error:#}", part.name());
    }
    print!("\n{}", table(&outcomes));
    // Alone on its line: continuous integration reads it.
    println!("\n{} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} parts failed", outcomes.len());
    }
    Ok(())
}

/// `cargo xtask soak`: crashes and histories, more of them. With `--previous` two versions
/// at once instead.
pub fn soak(args: &SoakArgs) -> Result<()> {
    let workshop = Workshop::new();
    if args.previous {
        beside_the_previous(&workshop)?;
        println!("\n1 passed, 0 failed");
        return Ok(());
    }
    let seconds = args.seconds.to_string();
    let crashed = crash(&workshop, args.rounds, &[("PORTOLAN_CRASH_SECONDS", &seconds)]);
    let compared = histories(&workshop, args.histories, args.seed);
    let outcomes = [crashed, compared];
    for remark in outcomes.iter().flatten() {
        println!("-- {remark}");
    }
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    println!("\n{} passed, {failed} failed", outcomes.len() - failed);
    outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))
}

/// Random histories against the model. The figures are in what the tests print.
fn histories(workshop: &Workshop, histories: u32, seed: u32) -> Result<String> {
    let mut command = cargo();
    command.current_dir(setup::root()).args([
        "test",
        "--workspace",
        "--locked",
        "--test",
        "model",
        "--",
        "--nocapture",
    ]);
    command.envs(tests_environment(workshop.quick_postgres()?, 1));
    command
        .env("PORTOLAN_MODEL_CASES", histories.to_string())
        .env("PORTOLAN_MODEL_SEED", seed.to_string());
    let log = setup::log("histories");
    let _ = fs::remove_file(&log);
    run(&mut command, &log, CARGO_LIMIT + Duration::from_secs(1) * histories)?;
    Ok(format!(
        "{histories} histories for each engine and for two servers, seed {seed}"
    ))
}

/// Builds the program of the commit before this one, beside the tree and with a target
/// folder of its own, and runs it together with today's.
fn beside_the_previous(workshop: &Workshop) -> Result<()> {
    let source = setup::target().join("previous-source");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        capture(command.current_dir(setup::root()).args(arguments))
    };
    let path = source.display().to_string();
    // Of a run that was ended in the middle there is one left.
    let _ = git(&["worktree", "remove", "--force", &path]);
    git(&["worktree", "prune"])?;
    git(&["worktree", "add", "--detach", &path, "HEAD~1"])?;
    let built = build_previous(&source);
    let removed = git(&["worktree", "remove", "--force", &path]);
    let program = built?;
    removed?;

    let mut command = cargo();
    command
        .current_dir(setup::root())
        .args(["test", "--workspace", "--locked", "--test", "nodes"]);
    command.args([
        "--",
        "--nocapture",
        "--exact",
        "the_previous_program_serves_beside_this_one_on_its_schema",
    ]);
    command.envs(tests_environment(workshop.durable_postgres()?, 1));
    command
        .env("PORTOLAN_BIN", workshop.server_binary()?)
        .env("PORTOLAN_PREVIOUS_BIN", program);
    let log = setup::log("previous");
    let _ = fs::remove_file(&log);
    run(&mut command, &log, CARGO_LIMIT)
}

fn build_previous(source: &Path) -> Result<PathBuf> {
    let target = setup::target().join("previous");
    let mut build = cargo();
    build
        .current_dir(source)
        .args(["build", "--release", "--locked", "--package", "portolan"])
        .env("CARGO_TARGET_DIR", &target);
    run(&mut build, &setup::log("previous-build"), CARGO_LIMIT)?;
    Ok(target.join("release/portolan"))
}

/// The tests that failed, from the output of `cargo test`: their names, and what they said.
fn failed_tests(printed: &str) -> (Vec<&str>, String) {
    let (mut names, mut words) = (Vec::new(), String::new());
    let mut of_a_failure = false;
    for line in printed.lines() {
        let test = line.strip_prefix("test ");
        names.extend(test.and_then(|rest| rest.strip_suffix(" ... FAILED")));
        // After their words the names are listed under the same head.
        of_a_failure = line != "failures:" && (of_a_failure || line.starts_with("---- "));
        if of_a_failure {
            words.push_str(line);
            words.push('\n');
        }
    }
    (names, words)
}

fn list() {
    let parts = Part::value_variants();
    let width = name_width(parts.iter().copied());
    for part in parts {
        println!("{:<width$} {}", part.name(), part.description());
    }
}

fn name_width(parts: impl Iterator<Item = Part>) -> usize {
    parts.map(|part| part.name().len()).max().unwrap_or(0).max(12)
}

fn table(outcomes: &[Outcome]) -> String {
    let width = name_width(outcomes.iter().map(|outcome| outcome.part));
    let mut text = format!("{:<width$} {:<8} {:>8}  {}\n", "part", "result", "seconds", "remark");
    for Outcome { part, seconds, result } in outcomes {
        let (verdict, remark) = match result {
            Ok(remark) => ("passed", remark.clone()),
            Err(error) => (
                "FAILED",
                format!("{error:#}").lines().next().unwrap_or_default().to_owned(),
            ),
        };
        let line = format!("{:<width$} {verdict:<8} {seconds:>8.1}  {remark}", part.name());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn remark_text(remark: &str) -> String {
    if remark.is_empty() {
        String::new()
    } else {
        format!(": {remark}")
    }
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Where what it prints is kept.
    fn log(self) -> PathBuf {
        match self {
            // Written by the suites themselves.
            Part::Guides | Part::Samples | Part::FirstRun | Part::Pages | Part::Packages | Part::Secrets => {
                setup::log(&format!("e2e-{}", self.name()))
            }
            _ => setup::log(&self.name()),
        }
    }

    fn description(self) -> String {
        let value = self.to_possible_value();
        value
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn run(self, workshop: &Workshop, versions: Versions) -> Result<String> {
        match self {
            Part::Fmt => self.cargo(&["fmt", "--all", "--check"]),
            Part::Clippy => self.cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "--deny",
                "warnings",
            ]),
            Part::Deny => self.deny(),
            Part::Docs => self.docs(),
            Part::Unit => self.unit(workshop.quick_postgres()?),
            Part::E2ePython => run_suite(workshop, Suite::Python, None, versions),
            Part::E2eCli => run_suite(workshop, Suite::Cli, None, versions),
            Part::E2eActionProvider => run_suite(workshop, Suite::ActionProvider, None, versions),
            Part::Guides => run_suite(workshop, Suite::Guides, None, Versions::Pinned),
            Part::Samples => run_suite(workshop, Suite::Samples, None, Versions::Pinned),
            Part::E2eNode => run_suite(workshop, Suite::Node, None, versions),
            Part::E2eSchemathesis => run_suite(workshop, Suite::Schemathesis, None, Versions::Pinned),
            Part::FirstRun => run_suite(workshop, Suite::FirstRun, None, Versions::Pinned),
            Part::Pages => run_suite(workshop, Suite::Pages, None, Versions::Pinned),
            Part::E2eProviders => run_suite(workshop, Suite::Providers, None, Versions::Pinned),
            Part::E2eLogout => run_suite(workshop, Suite::Logout, None, Versions::Pinned),
            Part::Packages => run_suite(workshop, Suite::Packages, None, Versions::Pinned),
            Part::Crash => crash(workshop, 5, &[]),
            Part::Secrets => run_suite(workshop, Suite::Secrets, None, Versions::Pinned),
            Part::SecurityTable => security_table(&[]),
        }
    }

    fn cargo(self, arguments: &[&str]) -> Result<String> {
        self.run_logged(cargo().args(arguments))
    }

    /// Runs the part's only command, from the root, with the part's own log.
    fn run_logged(self, command: &mut Command) -> Result<String> {
        let log = setup::log(&self.name());
        let _ = fs::remove_file(&log);
        run(command.current_dir(setup::root()), &log, CARGO_LIMIT).map(|()| String::new())
    }

    fn deny(self) -> Result<String> {
        let program = setup::cargo_deny()?;
        let deny = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.current_dir(setup::root()).arg("--locked").args(arguments);
            command
        };
        self.run_logged(&mut deny(&["check", "bans", "licenses", "sources"]))?;

        // The database of vulnerabilities comes from a git host. Behind a closed network the
        // last copy is used, and where there is none this is said and not passed over.
        let fetched = capture(&mut deny(&["fetch", "db"]));
        let advisories = deny(&["check", "--disable-fetch", "advisories"]);
        let Err(problem) = fetched else {
            run(&mut { advisories }, &setup::log(&self.name()), CARGO_LIMIT)?;
            return Ok("advisories checked against today's database".to_owned());
        };
        println!("{problem:#}");
        if has_advisory_database() {
            run(&mut { advisories }, &setup::log(&self.name()), CARGO_LIMIT)?;
            return Ok(
                "advisories checked against an older copy of the database, today's cannot be fetched".to_owned(),
            );
        }
        Ok("bans, licences, sources; advisories NOT CHECKED: their database cannot be fetched".to_owned())
    }

    fn docs(self) -> Result<String> {
        let mut command = cargo();
        command
            .args(["doc", "--no-deps", "--workspace", "--locked"])
            .args([
                "--features",
                "portolan-sdk/blocking,portolan-sdk/sqlite,portolan-sdk/tower",
            ])
            .env("RUSTDOCFLAGS", "-D warnings");
        self.run_logged(&mut command)?;
        api::check()
    }

    fn unit(self, cluster: &Cluster) -> Result<String> {
        let mut command = cargo();
        command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        // One round here so that the part stays quick; the part `crash` does them all.
        let environment = tests_environment(cluster, 1);
        self.run_logged(command.envs(environment)).map_err(|error| {
            let printed = fs::read_to_string(self.log()).unwrap_or_default();
            let (names, words) = failed_tests(&printed);
            if names.is_empty() {
                error
            } else {
                // The names on the first line, which is what the table shows.
                anyhow!("{}: {error:#}\n{words}", names.join(", "))
            }
        })
    }
}

/// Reads what the parts before it have printed: of this run, never of an older one.
fn security_table(outcomes: &[Outcome]) -> Result<String> {
    let parts = outcomes.iter().map(|outcome| {
        let ended = if outcome.result.is_ok() {
            Ended::Passed
        } else {
            Ended::Failed
        };
        (outcome.part.name(), ended)
    });
    security_table::compare(setup::root(), &parts.collect(), |name| {
        let part = Part::from_str(name, false).map_err(anyhow::Error::msg)?;
        // A part that failed before it began has printed nothing.
        Ok(fs::read_to_string(part.log()).unwrap_or_default())
    })
}

fn crash(workshop: &Workshop, rounds: u32, more: &[(&'static str, &str)]) -> Result<String> {
    workshop.server_binary()?;
    let mut command = cargo();
    // The whole workspace is named so that the features, and with them what is built, are those of `unit`.
    command
        .current_dir(setup::root())
        .args(["test", "--workspace", "--locked", "--test", "crash"]);
    command.args(["--", "--nocapture", "--test-threads=1"]);
    command.envs(tests_environment(workshop.durable_postgres()?, rounds));
    command
        .env("PORTOLAN_BIN", workshop.server_binary()?)
        .envs(more.iter().copied());
    let log = setup::log("crash");
    let _ = fs::remove_file(&log);
    // A round is a start, its load, and a restart, on each engine.
    run(&mut command, &log, CARGO_LIMIT + Duration::from_secs(120) * rounds)?;
    Ok(format!("{rounds} rounds for each engine"))
}

fn tests_environment(cluster: &Cluster, crash_rounds: u32) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("PORTOLAN_TEST_POSTGRES_URL", cluster.url("postgres")),
        ("PORTOLAN_CRASH_ROUNDS", crash_rounds.to_string()),
        // A snapshot that differs fails; it is not written beside the old one.
        ("INSTA_UPDATE", "no".to_owned()),
    ])
}

fn has_advisory_database() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".cargo")));
    let databases = home.and_then(|home| fs::read_dir(home.join("advisory-dbs")).ok());
    databases.is_some_and(|entries| entries.flatten().any(|entry| entry.path().join("crates").is_dir()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_tells_failures_from_successes() {
        let outcomes = [
            Outcome {
                part: Part::Fmt,
                seconds: 0.84,
                result: Ok(String::new()),
            },
            Outcome {
                part: Part::E2ePython,
                seconds: 61.0,
                result: Err(anyhow::anyhow!("no python\nsecond line")),
            },
        ];

        let text = table(&outcomes);

        assert_eq!(
            text,
            "part         result    seconds  remark\n\
             fmt          passed        0.8\n\
             e2e-python   FAILED       61.0  no python\n"
        );
    }

    #[test]
    fn failed_tests_are_named_with_their_words() {
        let printed = "running 3 tests\n\
                       test scope::is_read ... ok\n\
                       test store::keeps::sqlite ... FAILED\n\
                       test slow - should panic ... FAILED\n\
                       \n\
                       failures:\n\
                       \n\
                       ---- store::keeps::sqlite stdout ----\n\
                       thread 'x' panicked at store.rs:1:1:\n\
                       nothing was kept\n\
                       \n\
                       ---- slow stdout ----\n\
                       note: test did not panic as expected\n\
                       \n\
                       failures:\n\
                       \u{20}   slow\n\
                       \u{20}   store::keeps::sqlite\n\
                       \n\
                       test result: FAILED. 1 passed; 2 failed\n\
                       running 1 test\n\
                       test token::is_read ... ok\n";

        let (names, words) = failed_tests(printed);

        assert_eq!(names, ["store::keeps::sqlite", "slow - should panic"]);
        assert_eq!(
            words,
            "---- store::keeps::sqlite stdout ----\n\
             thread 'x' panicked at store.rs:1:1:\n\
             nothing was kept\n\
             \n\
             ---- slow stdout ----\n\
             note: test did not panic as expected\n\n"
        );
    }

    #[test]
    fn every_part_has_a_name_and_says_what_it_shows() {
        for part in Part::value_variants() {
            assert!(!part.name().is_empty() && !part.description().is_empty(), "{part:?}");
        }
    }
}
