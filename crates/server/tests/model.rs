//! Random histories against a model: over random graphs of scopes, people log in, untick,
//! withdraw; apps and services redeem, refresh, exchange and revoke; scopes, services, apps
//! and identities go. After each step the server and a model that shares no code with it
//! have to agree on which tokens are active, what they stand for, and what can be had for
//! them further down.
//!
//! `PORTOLAN_MODEL_CASES` (200) is the number of histories for each engine and set of
//! nodes, `PORTOLAN_MODEL_SEED` (0) another choice of them. A failure prints the smallest
//! history that shows it, in words.

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
use history::{History, Login, Pick, ScopePlan, Step, Wish};
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

/// People who were disabled try to sign in again and again, while the clock stands still.
fn start(engine: Engine) -> Option<TestServer> {
    TestServer::on(engine, |config| config.limits.failed_logins_per_minute = 1_000_000)
}

#[test]
fn the_server_agrees_with_the_model_on_sqlite() {
    agree("SQLite", || Some(vec![start(Engine::Sqlite)?]));
}

#[test]
fn the_server_agrees_with_the_model_on_postgresql() {
    agree("PostgreSQL", || Some(vec![start(Engine::Postgres)?]));
}

/// What random graphs seldom are: as deep as they may be, and one deeper.
#[test]
fn the_deepest_chain_agrees_with_the_model() {
    let Some(server) = start(Engine::Sqlite) else { return };
    let mut laboratory = Laboratory::new(vec![server]);
    for (length, cut) in [(10, 4), (10, 5), (10, 9), (11, 0)] {
        let scope = |number: u8| ScopePlan {
            service: Pick::number(number),
            allows_refresh: true,
            optional: number % 5 == 4,
            offline: true,
        };
        let login = Login {
            person: Pick::FIRST,
            app: Pick::FIRST,
            wishes: vec![Wish {
                scope: Pick::FIRST,
                anywhere: true,
                optional: false,
                below: Vec::new(),
            }],
            offline: true,
            ask_again: false,
            unticked: 0,
            deny: false,
            redeem: true,
        };
        let descend = Step::Descend {
            token: Pick::FIRST,
            offline: true,
        };
        let history = History {
            services: 5,
            scopes: (0..length).map(scope).collect(),
            chain: usize::from(length) - 1,
            edges: Vec::new(),
            steps: vec![
                Step::Login(login.clone()),
                descend.clone(),
                Step::Withdraw(Pick::number(cut)),
                Step::Login(login),
                descend,
            ],
        };
        if let Err(difference) = laboratory.play(&history) {
            panic!("the server and the model differ: {difference}");
        }
    }
    assert!(laboratory.figures.of("tokens of 10 deep") > 0, "{}", laboratory.figures);
}

/// Each request goes to the other node than the one before.
#[test]
fn two_nodes_agree_with_the_model() {
    agree("Two nodes on PostgreSQL", || {
        let first = start(Engine::Postgres)?;
        let second = first.second_node();
        Some(vec![first, second])
    });
}
