//! What was acknowledged stays: `kill -9` under load, and backups under load.
//!
//! A client issues, refreshes and revokes against the real server and notes what it got an
//! answer for. After the server was killed and started again on the same store, that log
//! is the judge: no acknowledged token may be lost, no acknowledged revocation undone, no
//! family of refresh tokens forked. Whatever had no answer yet may have happened or not.
//!
//! `PORTOLAN_CRASH_ROUNDS` (5) is how often each engine is killed, `PORTOLAN_CRASH_SECONDS`
//! (1) how long the load runs before. `PORTOLAN_TEST_POSTGRES_URL` adds PostgreSQL, and
//! `PORTOLAN_BIN` names another server program than the one built for tests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use support::{
    Browser, Connection, FAMILIES_EACH, Family, Line, Place, REFRESHERS, Token, Verdict, judge_continuation,
    judge_families, judge_tokens, load, verdict,
};

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().expect("the variable holds a number"))
}

/// Kills, starts again and judges, round after round on one store.
fn survive(place: &Place, engine: &str) {
    let seconds = Duration::from_secs(number("PORTOLAN_CRASH_SECONDS", 1));
    let mut server = place.start();
    let people = place.populate();
    let mut browser = Browser::new();
    let mut earlier: Vec<Token> = Vec::new();
    for round in 1..=number("PORTOLAN_CRASH_ROUNDS", 5) {
        let mut connection = Connection::open(server.port).unwrap();
        let families = (0..REFRESHERS * FAMILIES_EACH)
            .map(|_| browser.family(&mut connection, &people))
            .collect();
        assert_eq!(browser.logins, 1, "the person stays signed in");
        let moment = seconds + Duration::from_micros(RandomState::new().hash_one(round) % 400_000);

        let log = load(Line::Straight(server.port), &people, families, |_| {
            thread::sleep(moment);
            server.kill();
        });
        server = place.start();

        let refreshes: usize = log.families.iter().map(|family| family.access.len() - 1).sum();
        let revoked = log.tokens.iter().filter(|token| token.revocation.is_some()).count();
        eprintln!(
            "{engine}, round {round}: killed after {moment:?}, {} tokens, {revoked} of them revoked, {refreshes} refreshes",
            log.tokens.len()
        );
        assert!(
            log.tokens.len() > 10 && revoked > 3 && refreshes > 10,
            "hardly any load"
        );
        let now = Instant::now();
        judge_tokens(server.port, &people, &log.tokens.iter().collect::<Vec<_>>(), now);
        judge_families(server.port, &people, &log.families);
        // Of the rounds before, a sample: a store that forgets does not forget one alone.
        judge_tokens(
            server.port,
            &people,
            &earlier.iter().step_by(17).collect::<Vec<_>>(),
            now,
        );
        earlier.extend(log.tokens);
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_sqlite() {
    survive(&Place::on_sqlite(), "SQLite");
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_postgresql() {
    if let Some(place) = Place::on_postgres() {
        survive(&place, "PostgreSQL");
    }
}

/// Saves `place` while clients work, restores it to `restored` and judges what is there.
fn save_under_load(place: &Place, restored: &Place) {
    let server = place.start();
    let people = place.populate();
    let mut browser = Browser::new();
    let mut connection = Connection::open(server.port).unwrap();
    let mut family = || browser.family(&mut connection, &people);
    // These rest during the backup, so the log is sure of them.
    let (quiet, mut ended) = (family(), family());
    let families = (0..REFRESHERS * FAMILIES_EACH).map(|_| family()).collect();
    ended.revoke(&mut connection, &people).unwrap();
    let file = place.folder.path().join("saved.db");
    let mut began_at = None;

    let log = load(Line::Straight(server.port), &people, families, |_| {
        thread::sleep(Duration::from_secs(1));
        began_at = Some(Instant::now());
        place.run(&["backup", file.to_str().unwrap()], "");
        // What comes after the backup must not be in the restored server's way.
        thread::sleep(Duration::from_millis(300));
    });
    drop(server);
    fs::create_dir_all(restored.data()).unwrap();
    fs::copy(place.master_key(), restored.master_key()).unwrap();
    restored.run(&["restore", file.to_str().unwrap()], "");
    let server = restored.start();

    let began_at = began_at.unwrap();
    let before = log
        .tokens
        .iter()
        .filter(|token| token.acknowledged_at <= began_at)
        .count();
    assert!(
        before > 10 && before < log.tokens.len(),
        "the load ran before and after the backup began"
    );
    // Tokens that were revoked while the backup was made may be found in either state.
    let settled = |token: &&Token| {
        token.revocation.as_ref().is_none_or(|revocation| {
            revocation
                .acknowledged_at
                .is_some_and(|acknowledged_at| acknowledged_at <= began_at)
        })
    };
    let tokens: Vec<&Token> = log.tokens.iter().filter(settled).collect();
    judge_tokens(server.port, &people, &tokens, began_at);
    let mut connection = Connection::open(server.port).unwrap();
    let was_ended = |family: &&Family| verdict(family.revocation.as_ref(), began_at) == Verdict::Inactive;
    let revoked: Vec<&Family> = log.families.iter().filter(was_ended).chain([&ended]).collect();
    assert!(revoked.len() > 1, "families were revoked under load");
    for family in revoked {
        let answer = connection.refresh(&people, &family.chain[0]).unwrap();
        assert_eq!(answer.status, 400, "a revoked family lives again");
        for token in &family.access {
            assert!(
                !connection.is_active(&people, &token.text),
                "a revoked family lives again"
            );
        }
    }
    assert!(connection.is_active(&people, &quiet.access[0].text));
    judge_continuation(&mut connection, &people, &quiet);
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began_on_sqlite() {
    save_under_load(&Place::on_sqlite(), &Place::on_sqlite());
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began_on_postgresql() {
    if let (Some(place), Some(restored)) = (Place::on_postgres(), Place::on_postgres()) {
        save_under_load(&place, &restored);
    }
}
