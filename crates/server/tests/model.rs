//! Random histories against a model: over random graphs of scopes, people log in, untick,
//! withdraw; apps and services redeem, refresh, exchange and revoke; scopes, services, apps
//! and identities go. After each step the server and a model that shares no code with it
//! have to agree on which tokens are active, what they stand for, and what can be had for
//! them further down.
//!
//! `PORTOLAN_MODEL_CASES` (200) is the number of histories for each engine and set of
//! nodes, `PORTOLAN_MODEL_SEED` (0) another choice of them. A failure prints the smallest
//! history that shows it, in words.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "model/driver.rs"]
mod driver;
#[path = "model/history.rs"]
mod history;
#[path = "model/model.rs"]
mod model;
#[path = "model/pages.rs"]
mod pages;

use std::cell::RefCell;

use portolan_db::Engine;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use driver::{Figures, Laboratory};
use support::TestServer;

fn number(variable: &str, default: u32) -> u32 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().expect("the variable holds a number"))
}

/// Histories on one store after the other: a store that grows for ever grows slow.
const HISTORIES_PER_STORE: u32 = 100;

/// Plays histories with servers made by `start`; none: the engine is not there.
fn agree(name: &str, start: impl Fn() -> Option<Vec<TestServer>>) {
    let (cases, seed) = (number("PORTOLAN_MODEL_CASES", 200), number("PORTOLAN_MODEL_SEED", 0));
    let mut figures = Figures::default();
    for first in (0..cases).step_by(HISTORIES_PER_STORE as usize) {
        let Some(nodes) = start() else { return };
        let laboratory = RefCell::new(Laboratory::new(nodes));
        let config = Config {
            cases: HISTORIES_PER_STORE.min(cases - first),
            failure_persistence: None,
            max_shrink_iters: 500,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_le_bytes());
        bytes[4..8].copy_from_slice(&first.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let outcome = TestRunner::new_with_rng(config, rng).run(&history::history(), |history| {
            laboratory.borrow_mut().play(&history).map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(()) => figures.add(&laboratory.borrow().figures),
            Err(TestError::Fail(difference, _)) => panic!("the server and the model differ: {difference}"),
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }
    eprintln!("{name}:\n{figures}");
}

#[test]
fn the_server_agrees_with_the_model_on_sqlite() {
    agree("SQLite", || Some(vec![TestServer::new()]));
}

#[test]
fn the_server_agrees_with_the_model_on_postgresql() {
    agree("PostgreSQL", || Some(vec![TestServer::on(Engine::Postgres, |_| {})?]));
}

/// Each request goes to the other node than the one before.
#[test]
fn two_nodes_agree_with_the_model() {
    agree("Two nodes on PostgreSQL", || {
        let first = TestServer::on(Engine::Postgres, |_| {})?;
        let second = first.second_node();
        Some(vec![first, second])
    });
}
