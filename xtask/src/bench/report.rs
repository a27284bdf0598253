//! The table: as text, as JSON, and inside `docs/performance.md`.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{load::Sample, workloads::FAN_OUT};

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub operation: String,
    pub engine: String,
    /// Live tokens in the store.
    pub tokens: Option<u64>,
    pub connections: Option<usize>,
    pub per_second: f64,
    pub p50_microseconds: Option<f64>,
    pub p99_microseconds: Option<f64>,
    pub cpu_microseconds: f64,
    /// Rate and CPU time as a multiple of the bare handler's with as many connections.
    pub rate_ratio: Option<f64>,
    pub cpu_ratio: Option<f64>,
}

impl Row {
    pub fn measured(operation: &str, engine: &str, tokens: Option<u64>, connections: usize, sample: &Sample) -> Row {
        Row {
            operation: operation.to_owned(),
            engine: engine.to_owned(),
            tokens,
            connections: Some(connections),
            per_second: sample.rate(),
            p50_microseconds: Some(sample.p50.as_secs_f64() * 1e6),
            p99_microseconds: Some(sample.p99.as_secs_f64() * 1e6),
            cpu_microseconds: sample.cpu_microseconds(),
            rate_ratio: None,
            cpu_ratio: None,
        }
    }

    /// The number of connections of the bare handler that it is compared with.
    fn compared_at(&self) -> Option<usize> {
        // The target compares it with callers on so many.
        self.connections.or((self.operation == RAW).then_some(64))
    }

    /// With its ratios to the mean of these.
    fn related_to(&self, units: &[&Row]) -> Row {
        let unit = mean(units);
        Row {
            rate_ratio: unit.as_ref().map(|unit| self.per_second / unit.per_second),
            cpu_ratio: unit.as_ref().map(|unit| self.cpu_microseconds / unit.cpu_microseconds),
            ..self.clone()
        }
    }
}

/// The figures of several measurements of one operation as one.
fn mean(rows: &[&Row]) -> Option<Row> {
    let first = *rows.first()?;
    let mean = |value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / rows.len() as f64;
    Some(Row {
        per_second: mean(|row| row.per_second),
        cpu_microseconds: mean(|row| row.cpu_microseconds),
        p50_microseconds: Some(mean(|row| row.p50_microseconds.unwrap_or_default())),
        p99_microseconds: Some(mean(|row| row.p99_microseconds.unwrap_or_default())),
        ..first.clone()
    })
}

/// One figure by another.
fn quotient(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

/// What is measured once per engine instead of per request.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    pub engine: String,
    pub cold_start_seconds: f64,
    pub idle_memory_megabytes: f64,
    pub memory_after_load_megabytes: Option<f64>,
    /// The part of it that the process itself allocated; the rest is mapped from files.
    pub own_memory_after_load_megabytes: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub date: String,
    pub machine: String,
    pub seconds_per_cell: f64,
    pub rows: Vec<Row>,
    pub processes: Vec<Process>,
    pub targets: Vec<Target>,
}

/// A promise and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    pub what: String,
    pub wanted: String,
    pub found: String,
    pub met: bool,
}

pub const BARE: &str = "bare handler";
pub const INTROSPECT: &str = "introspect";
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
pub const DEPENDENT: &str = "dependent grant (fan-out 3)";
pub const CODE_RS256: &str = "code flow, RS256";
pub const LOGIN_PAGE: &str = "login page";
pub const SEARCH_ONE: &str = "search for a provider (1 found)";
pub const SEARCH_MANY: &str = "search for a provider (25 shown)";
pub const RAW: &str = "raw insert";
pub const RAW_ALONE: &str = "raw insert, a commit for each";
pub const SDK: &str = "introspect: CPU of the caller, SDK";
pub const REQWEST: &str = "introspect: CPU of the caller, reqwest";
pub const PEER: &str = "oidc-provider";
pub const SQLITE: &str = "sqlite";

/// How many tokens rest on the branches that are revoked, fewest first.
pub const REVOKED: [u64; 3] = [10, 1_000, 100_000];

/// The name of revoking a consent with so many tokens below.
pub fn revocation(tokens: u64) -> String {
    let grouped = if tokens < 1_000 {
        tokens.to_string()
    } else {
        format!("{},{:03}", tokens / 1_000, tokens % 1_000)
    };
    format!("revoke a consent ({grouped} tokens)")
}

impl Report {
    /// Relates every row to the bare handler, which was measured in turns with everything
    /// else: the mean of what it did just before and just after is the unit. So it has the
    /// same neighbours on the machine. The table shows the mean of them all.
    pub fn relate(&mut self) {
        let measured = std::mem::take(&mut self.rows);
        let mut connections: Vec<Option<usize>> = Vec::new();
        for (place, row) in measured.iter().enumerate() {
            if row.operation != BARE {
                let (before, after) = measured.split_at(place);
                let is_unit = |other: &&Row| other.operation == BARE && other.connections == row.compared_at();
                let units = [before.iter().rev().find(is_unit), after.iter().find(is_unit)];
                self.rows
                    .push(row.related_to(&units.into_iter().flatten().collect::<Vec<_>>()));
            } else if !connections.contains(&row.connections) {
                connections.push(row.connections);
            }
        }
        let bare = connections.iter().filter_map(|count| {
            let same = |row: &&Row| row.operation == BARE && row.connections == *count;
            let mean = mean(&measured.iter().filter(same).collect::<Vec<_>>())?;
            Some(mean.related_to(&[&mean]))
        });
        self.rows.splice(0..0, bare);
        self.targets = self.judge();
    }

    fn find(&self, operation: &str, engine: &str, tokens: Option<u64>, connections: Option<usize>) -> Option<&Row> {
        self.rows.iter().find(|row| {
            row.operation == operation
                && row.engine == engine
                && (tokens.is_none() || row.tokens == tokens)
                && (connections.is_none() || row.connections == connections)
        })
    }

    /// The targets for which this run has figures.
    fn judge(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut judge = |what: String, wanted: &str, found: String, met: bool| {
            targets.push(Target {
                what,
                wanted: wanted.to_owned(),
                found,
                met,
            });
        };
        let most = |tokens| self.find(INTROSPECT, SQLITE, Some(tokens), Some(16));
        if let Some(ratio) = most(1_000_000).and_then(|row| row.cpu_ratio) {
            let what = "CPU of an introspection on SQLite at 1 M tokens, against the bare handler".to_owned();
            judge(what, "at most 5× (goal 3×)", format!("{ratio:.1}×"), ratio <= 5.0);
        }
        for engine in [SQLITE, "postgres"] {
            let at = |tokens| self.find(INTROSPECT, engine, Some(tokens), Some(16));
            if let (Some(few), Some(many)) = (at(10_000), at(1_000_000))
                && let Some(left) = quotient(many.rate_ratio, few.rate_ratio)
            {
                let fall = (1.0 - left) * 100.0;
                let what = format!("fall of introspections/s from 10 k to 1 M tokens on {engine}");
                judge(what, "less than 15 %", format!("{fall:.0} %"), fall < 15.0);
            }
            let issued = self.find(CLIENT_CREDENTIALS, engine, None, Some(64));
            if let (Some(issued), Some(raw)) = (issued, self.find(RAW, engine, None, None))
                && let Some(ratio) = quotient(issued.rate_ratio, raw.rate_ratio)
            {
                let what = format!("client_credentials at 64 connections against raw inserts on {engine}");
                judge(what, "at least 0.5×", format!("{ratio:.2}×"), ratio >= 0.5);
            }
            let caller = |operation| self.find(operation, engine, None, None);
            if let (Some(sdk), Some(reqwest)) = (caller(SDK), caller(REQWEST)) {
                let ratio = sdk.cpu_microseconds / reqwest.cpu_microseconds;
                let what = format!("CPU that an introspection on {engine} costs the SDK's caller, against reqwest");
                judge(what, "at most 1.3×", format!("{ratio:.2}×"), ratio <= 1.3);
            }
            let at_16 = |operation| self.find(operation, engine, None, Some(16));
            if let (Some(dependent), Some(issued)) = (at_16(DEPENDENT), at_16(CLIENT_CREDENTIALS)) {
                let ratio = dependent.cpu_microseconds / FAN_OUT as f64 / issued.cpu_microseconds;
                let what = format!("CPU of a dependent token against one of client_credentials on {engine}");
                judge(what, "at most 1.5×", format!("{ratio:.2}×"), ratio <= 1.5);
            }
            for (operation, most) in [(LOGIN_PAGE, 4.0), (SEARCH_ONE, 10.0), (SEARCH_MANY, 10.0)] {
                if let Some(ratio) = at_16(operation).and_then(|row| row.cpu_ratio) {
                    let what =
                        format!("CPU of {operation} among 10,000 providers on {engine}, against the bare handler");
                    judge(what, &format!("at most {most}×"), format!("{ratio:.1}×"), ratio <= most);
                }
            }
            // One at a time: with more under way it is the waiting for each other that is measured.
            let revoked = |tokens| self.find(&revocation(tokens), engine, None, Some(1));
            let [fewest, larger @ ..] = REVOKED;
            let most = larger.into_iter().rev().find(|tokens| revoked(*tokens).is_some());
            if let (Some(few), Some(tokens)) = (revoked(fewest), most)
                && let Some(many) = revoked(tokens)
            {
                let cpu = many.cpu_microseconds / few.cpu_microseconds;
                let p50 = many.p50_microseconds.unwrap_or_default() / few.p50_microseconds.unwrap_or_default();
                for (figure, ratio) in [("CPU", cpu), ("p50", p50)] {
                    let what = format!(
                        "{figure} of revoking a consent with {tokens} tokens below against {fewest} on {engine}"
                    );
                    judge(what, "at most 1.5×", format!("{ratio:.2}×"), ratio <= 1.5);
                }
            }
        }
        for process in &self.processes {
            let (start, memory) = (process.cold_start_seconds, process.idle_memory_megabytes);
            let engine = &process.engine;
            judge(
                format!("cold start to ready on {engine}"),
                "under 0.3 s",
                format!("{start:.2} s"),
                start < 0.3,
            );
            judge(
                format!("idle memory on {engine}"),
                "under 40 MB",
                format!("{memory:.0} MB"),
                memory < 40.0,
            );
        }
        for (operation, least) in [(INTROSPECT, 8.0), (CLIENT_CREDENTIALS, 8.0), (CODE_RS256, 4.0)] {
            let ours = self.find(operation, SQLITE, Some(10_000), Some(16));
            if let (Some(ours), Some(theirs)) = (ours, self.find(operation, PEER, None, Some(16)))
                && let Some(ratio) = quotient(theirs.cpu_ratio, ours.cpu_ratio)
            {
                let what = format!("{operation}: CPU of {PEER} against ours on SQLite");
                judge(
                    what,
                    &format!("at least {least}×"),
                    format!("{ratio:.1}×"),
                    ratio >= least,
                );
            }
        }
        targets
    }

    fn cells(&self) -> Vec<[String; 10]> {
        let head = [
            "operation",
            "engine",
            "tokens",
            "conn.",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "CPU µs",
            "rate ÷ bare",
            "CPU ÷ bare",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        for row in &self.rows {
            lines.push([
                row.operation.clone(),
                row.engine.clone(),
                or_dash(row.tokens.map(thousands)),
                or_dash(row.connections.map(|count| count.to_string())),
                format!("{:.0}", row.per_second),
                or_dash(row.p50_microseconds.map(|value| format!("{value:.0}"))),
                or_dash(row.p99_microseconds.map(|value| format!("{value:.0}"))),
                format!("{:.1}", row.cpu_microseconds),
                or_dash(row.rate_ratio.map(|value| format!("{value:.2}"))),
                or_dash(row.cpu_ratio.map(|value| format!("{value:.1}"))),
            ]);
        }
        lines
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "{}; {}; {} s per line\n\n",
            self.date, self.machine, self.seconds_per_cell
        );
        aligned(&self.cells(), 2, &mut text);
        if !self.processes.is_empty() {
            text.push('\n');
        }
        for process in &self.processes {
            let _ = writeln!(text, "{}", sentence(process));
        }
        if !self.targets.is_empty() {
            text.push('\n');
        }
        for target in &self.targets {
            let verdict = if target.met { "met   " } else { "MISSED" };
            let _ = writeln!(
                text,
                "{verdict}  {}: {}, wanted {}",
                target.what, target.found, target.wanted
            );
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "Measured on {}: {}; {} s per line.\n\n",
            self.date, self.machine, self.seconds_per_cell
        );
        for (number, line) in self.cells().iter().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if number == 0 {
                text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
            }
        }
        if !self.processes.is_empty() {
            text.push('\n');
        }
        for process in &self.processes {
            let _ = writeln!(text, "- {}", sentence(process));
        }
        if !self.targets.is_empty() {
            text.push_str("\n| Target | wanted | found | |\n|---|---|---|---|\n");
            for target in &self.targets {
                let verdict = if target.met { "met" } else { "**missed**" };
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {verdict} |",
                    target.what, target.wanted, target.found
                );
            }
        }
        text
    }

    /// Puts the table between the two markers of a document.
    pub fn write(&self, path: &Path) -> Result<()> {
        let document = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let changed = between_markers(&document, &self.markdown())
            .with_context(|| format!("{} lacks the lines {BEGIN} and {END}", path.display()))?;
        std::fs::write(path, changed).with_context(|| path.display().to_string())
    }
}

const BEGIN: &str = "<!-- cargo xtask bench: begin -->";
const END: &str = "<!-- cargo xtask bench: end -->";

fn between_markers(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim_end()))
}

fn sentence(process: &Process) -> String {
    let after = match (
        process.memory_after_load_megabytes,
        process.own_memory_after_load_megabytes,
    ) {
        (Some(all), Some(own)) => format!(", {all:.0} MB after load, of which it allocated {own:.0} MB"),
        _ => String::new(),
    };
    format!(
        "{}: ready {:.3} s after the start on an existing store; {:.1} MB resident when idle{after}",
        process.engine, process.cold_start_seconds, process.idle_memory_megabytes,
    )
}

fn thousands(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{} k", count / 1_000),
        _ => format!("{} M", count / 1_000_000),
    }
}

/// Columns under each other; the first `left` are text, the others numbers.
fn aligned<const N: usize>(lines: &[[String; N]], left: usize, text: &mut String) {
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for line in lines {
        let mut padded = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = if column < left {
                write!(padded, "{cell:<width$}  ")
            } else {
                write!(padded, "{cell:>width$}  ")
            };
        }
        let _ = writeln!(text, "{}", padded.trim_end());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row(operation: &str, engine: &str, tokens: Option<u64>, connections: usize, rate: f64, cpu: f64) -> Row {
        Row {
            operation: operation.to_owned(),
            engine: engine.to_owned(),
            tokens,
            connections: Some(connections),
            per_second: rate,
            p50_microseconds: Some(1.0),
            p99_microseconds: Some(2.0),
            cpu_microseconds: cpu,
            rate_ratio: None,
            cpu_ratio: None,
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        let (date, machine) = ("2026-01-01".to_owned(), "a machine".to_owned());
        let mut report = Report {
            date,
            machine,
            seconds_per_cell: 5.0,
            rows,
            processes: Vec::new(),
            targets: Vec::new(),
        };
        report.relate();
        report
    }

    #[test]
    fn the_unit_is_what_the_bare_handler_did_just_before_and_after() {
        let report = report(vec![
            row(BARE, "none", None, 1, 900.0, 8.0),
            row(BARE, "none", None, 16, 500.0, 100.0),
            row(CLIENT_CREDENTIALS, "postgres", None, 1, 90.0, 80.0),
            row(BARE, "none", None, 16, 4000.0, 4.0),
            row(INTROSPECT, SQLITE, Some(1_000_000), 16, 1500.0, 15.0),
            row(BARE, "none", None, 16, 6000.0, 6.0),
            row(CLIENT_CREDENTIALS, SQLITE, None, 16, 1200.0, 12.0),
        ]);

        let ratios = |operation, engine| {
            let found = report.find(operation, engine, None, None).unwrap();
            (found.rate_ratio, found.cpu_ratio)
        };
        assert_eq!(ratios(INTROSPECT, SQLITE), (Some(0.3), Some(3.0)));
        assert_eq!(
            ratios(CLIENT_CREDENTIALS, SQLITE),
            (Some(0.2), Some(2.0)),
            "none after it"
        );
        assert_eq!(ratios(CLIENT_CREDENTIALS, "postgres"), (Some(0.1), Some(10.0)));
        let bare: Vec<(f64, Option<f64>)> = report
            .rows
            .iter()
            .filter(|row| row.operation == BARE)
            .map(|row| (row.per_second, row.cpu_ratio))
            .collect();
        assert_eq!(bare, [(900.0, Some(1.0)), (3500.0, Some(1.0))]);
        assert_eq!(report.targets.len(), 1);
        assert!(
            report.targets[0].met && report.targets[0].found == "3.0×",
            "{:?}",
            report.targets
        );
    }

    #[test]
    fn a_missed_target_is_said() {
        let mut raw = row(RAW, SQLITE, None, 1, 10_000.0, 30.0);
        raw.connections = None;
        let report = report(vec![
            row(BARE, "none", None, 16, 4000.0, 4.0),
            row(BARE, "none", None, 64, 5000.0, 4.0),
            row(INTROSPECT, SQLITE, Some(10_000), 16, 1000.0, 10.0),
            row(INTROSPECT, SQLITE, Some(1_000_000), 16, 800.0, 21.0),
            row(CLIENT_CREDENTIALS, SQLITE, Some(10_000), 64, 4_900.0, 10.0),
            raw,
            row(INTROSPECT, PEER, None, 16, 80.0, 100.0),
        ]);

        let verdicts: Vec<(&str, bool)> = report
            .targets
            .iter()
            .map(|target| (target.found.as_str(), target.met))
            .collect();
        assert_eq!(
            verdicts,
            [("5.2×", false), ("20 %", false), ("0.49×", false), ("10.0×", true)]
        );
        assert!(report.text().contains("MISSED  client_credentials at 64"));
        assert!(
            report
                .markdown()
                .contains("| introspect | sqlite | 1 M | 16 | 800 | 1 | 2 | 21.0 | 0.20 | 5.2 |")
        );
    }

    #[test]
    fn a_dependent_token_is_compared_with_one_of_client_credentials() {
        let report = |cpu| {
            report(vec![
                row(CLIENT_CREDENTIALS, SQLITE, Some(10_000), 1, 900.0, 1.0),
                row(CLIENT_CREDENTIALS, SQLITE, Some(10_000), 16, 900.0, 100.0),
                row(DEPENDENT, SQLITE, Some(10_000), 16, 300.0, cpu),
            ])
        };

        for (cpu, found, met) in [(450.0, "1.50×", true), (456.0, "1.52×", false)] {
            let targets = report(cpu).targets;
            assert_eq!(targets.len(), 1);
            assert_eq!((&*targets[0].found, targets[0].met), (found, met));
        }
    }

    #[test]
    fn pages_are_compared_with_the_bare_handler() {
        let report = report(vec![
            row(BARE, "none", None, 16, 4000.0, 10.0),
            row(LOGIN_PAGE, SQLITE, Some(10_000), 16, 900.0, 41.0),
            row(SEARCH_ONE, SQLITE, Some(10_000), 16, 900.0, 99.0),
            row(SEARCH_MANY, "postgres", Some(10_000), 16, 900.0, 101.0),
        ]);

        let targets: Vec<(&str, bool)> = report
            .targets
            .iter()
            .map(|target| (&*target.found, target.met))
            .collect();
        assert_eq!(targets, [("4.1×", false), ("9.9×", true), ("10.1×", false)]);
    }

    #[test]
    fn revoking_is_compared_between_the_fewest_and_the_most_tokens_that_were_measured() {
        let revoked = |tokens, engine, p50, cpu| Row {
            p50_microseconds: Some(p50),
            ..row(&revocation(tokens), engine, Some(2_000_000), 1, 900.0, cpu)
        };
        let report = report(vec![
            revoked(10, SQLITE, 100.0, 100.0),
            revoked(1_000, SQLITE, 900.0, 900.0),
            revoked(100_000, SQLITE, 160.0, 140.0),
            revoked(10, "postgres", 100.0, 100.0),
            revoked(1_000, "postgres", 50.0, 200.0),
        ]);

        let targets: Vec<(&str, &str, bool)> = report
            .targets
            .iter()
            .map(|target| (&*target.what, &*target.found, target.met))
            .collect();
        let names = |figure, tokens, engine| {
            format!("{figure} of revoking a consent with {tokens} tokens below against 10 on {engine}")
        };
        assert_eq!(
            targets,
            [
                (&*names("CPU", 100_000, SQLITE), "1.40×", true),
                (&*names("p50", 100_000, SQLITE), "1.60×", false),
                (&*names("CPU", 1_000, "postgres"), "2.00×", false),
                (&*names("p50", 1_000, "postgres"), "0.50×", true),
            ]
        );
        assert_eq!(report.rows[2].operation, "revoke a consent (100,000 tokens)");
    }

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");

        let changed = between_markers(&document, "new\n").unwrap();

        assert_eq!(changed, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert!(between_markers("no markers", "new").is_none());
    }
}
