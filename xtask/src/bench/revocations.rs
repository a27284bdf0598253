//! Revoking consents: a number of revocations instead of a time, because each takes a
//! consent of its own that was filled in before, with all the tokens below it.

use std::{collections::HashMap, iter};

use anyhow::{Context, Result};

use super::{
    fixture::{self, Programs, Store},
    load::{self, Count, Counted, Sample},
    report,
    servers::Server,
    workloads::{Branch, Once},
};

/// How many branches are revoked by the number of tokens below each: with one connection
/// and with sixteen.
type Plan = [(u64, [usize; 2]); 3];
const USUAL: Plan = [
    (report::REVOKED[0], [1_000, 1_000]),
    (report::REVOKED[1], [300, 300]),
    (report::REVOKED[2], [10, 16]),
];
/// As many as are filled in within a second or two.
const QUICK: Plan = [
    (report::REVOKED[0], [300, 300]),
    (report::REVOKED[1], [40, 40]),
    (report::REVOKED[2], [0, 0]),
];

/// How the lines with one number of connections are measured.
struct Turns {
    connections: usize,
    /// The lines take turns, so that what else happens on the machine does not hit one of
    /// them alone: ten revocations in a row are over in a hundredth of a second. With
    /// sixteen connections the few branches with most tokens are needed at once.
    turns: usize,
    /// Revocations with few tokens below before those that count, in each turn.
    practice: usize,
}

const TURNS: [Turns; 2] = [
    Turns {
        connections: 1,
        turns: 5,
        practice: 60,
    },
    Turns {
        connections: 16,
        turns: 1,
        practice: 300,
    },
];

/// What was found for one line of the table.
pub struct Line {
    pub operation: String,
    pub connections: usize,
    /// Tokens in the store.
    pub tokens: u64,
    pub sample: Sample,
}

/// Adds the branches to the store, whose server must be stopped, and revokes them.
pub fn measure(programs: &Programs, store: &Store, quick: bool) -> Result<Vec<Line>> {
    let plan = if quick { QUICK } else { USUAL };
    let kinds = plan.map(|(tokens, counts)| {
        let practice: usize = TURNS
            .iter()
            .map(|turns| turns.practice * turns.turns * plan.len())
            .sum();
        let practice = if tokens == report::REVOKED[0] { practice } else { 0 };
        (counts.iter().sum::<usize>() + practice, tokens)
    });
    let mut branches = Branches::of(store.add_branches(programs, &kinds)?);
    let tokens = store.tokens + kinds.iter().map(|(count, tokens)| *count as u64 * tokens).sum::<u64>();

    let server = store.start(programs)?;
    let mut lines = Vec::new();
    for (column, turns) in TURNS.iter().enumerate() {
        let mut found: Vec<(u64, usize, Counted)> = plan
            .iter()
            .filter(|(_, counts)| counts[column] > 0)
            .map(|(tokens, counts)| (*tokens, counts[column] / turns.turns, Counted::default()))
            .collect();
        for _ in 0..turns.turns {
            for (tokens, count, counted) in &mut found {
                let practice = branches.take(report::REVOKED[0], turns.practice)?;
                let measured = branches.take(*tokens, *count)?;
                let sample = revoke(store, &server, turns.connections, &practice, &measured)
                    .with_context(|| format!("{} with {} connections", report::revocation(*tokens), turns.connections));
                counted.join(sample?);
            }
        }
        for (below, _, counted) in found {
            lines.push(Line {
                operation: report::revocation(below),
                connections: turns.connections,
                tokens,
                sample: counted.sample()?,
            });
        }
    }
    Ok(lines)
}

/// Branches that were not revoked yet, by the number of tokens below each.
struct Branches(HashMap<u64, Vec<Branch>>);

impl Branches {
    fn of(all: Vec<Branch>) -> Branches {
        let mut kinds: HashMap<u64, Vec<Branch>> = HashMap::new();
        for branch in all {
            kinds.entry(branch.tokens).or_default().push(branch);
        }
        Branches(kinds)
    }

    fn take(&mut self, tokens: u64, count: usize) -> Result<Vec<Branch>> {
        let left = self.0.entry(tokens).or_default();
        let rest = left.len().checked_sub(count);
        Ok(left.split_off(rest.with_context(|| format!("too few branches with {tokens} tokens"))?))
    }
}

/// Revokes the branches. Before and after, outside of what is measured, the services below
/// look at their tokens: a revocation that ends nothing would be no revocation.
fn revoke(
    store: &Store,
    server: &Server,
    connections: usize,
    practice: &[Branch],
    measured: &[Branch],
) -> Result<Counted> {
    let endpoints = fixture::endpoints();
    let [upper, lower, ..] = &store.registered.back;
    let look = |active| {
        let mut workload = Once::look_below(&endpoints, [upper, lower], measured, active);
        let count = Count {
            warm_up: 0,
            measured: workload.count(),
        };
        load::run_counted(server.address, 1, count, &mut workload, &|| server.threads())
    };
    look(true).context("before the revocation")?;
    let all: Vec<Branch> = iter::chain(practice, measured).cloned().collect();
    let count = Count {
        warm_up: practice.len(),
        measured: measured.len(),
    };
    let mut workload = Once::revoke(&endpoints, &all);
    let counted = load::run_counted(server.address, connections, count, &mut workload, &|| server.threads())?;
    look(false).context("after the revocation")?;
    Ok(counted)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_planned_branch_is_revoked() {
        for (tokens, counts) in [USUAL, QUICK].concat() {
            for (turns, count) in iter::zip(&TURNS, counts) {
                assert_eq!(count % turns.turns, 0, "{count} of {tokens} tokens");
            }
        }
    }

    #[test]
    fn a_branch_is_taken_once() {
        let path = std::env::temp_dir().join(format!("portolan-bench-taken-{}", std::process::id()));
        std::fs::write(&path, "10 a 1 m u l\n100 b 2 m u l\n10 c 3 m u l\n").unwrap();
        let read = Branch::read(&path);
        std::fs::remove_file(&path).unwrap();
        let mut branches = Branches::of(read.unwrap());

        assert_eq!(branches.take(10, 2).unwrap().len(), 2);
        assert!(branches.take(10, 1).is_err());
        assert_eq!(branches.take(100, 1).unwrap()[0].tokens, 100);
        assert!(branches.take(7, 0).unwrap().is_empty());
    }
}
