//! What a look-up and a small durable write cost, with 1, 16 and 64 callers on each engine.
//!
//! `cargo bench -p portolan-db`; PostgreSQL when `PORTOLAN_TEST_POSTGRES_URL` names a server.
//! Processor time of this process counts (PostgreSQL's own is not in it), wall clock only on a quiet machine.
#![expect(clippy::unwrap_used, reason = "a bench stops at the first error")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use portolan_db::testing::TestDb;
use portolan_db::{Db, Durability, Error, Migration, Query, params};

const ROWS: i64 = 100_000;
const TIME: Duration = Duration::from_secs(2);
const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "tokens",
    sql:
        "CREATE TABLE tokens (hash BYTEA PRIMARY KEY, client_id UUID NOT NULL, scope TEXT NOT NULL, expires_at BIGINT);
          CREATE INDEX tokens_client_id_idx ON tokens (client_id);",
    sqlite: None,
}];

fn main() {
    println!(
        "{:<10} {:<8} {:>7} {:>10} {:>8} {:>10}",
        "engine", "work", "callers", "per second", "cpu µs", "per commit"
    );
    measure(&TestDb::sqlite(SCHEMA));
    if let Some(db) = TestDb::postgres(SCHEMA) {
        measure(&db);
    }
}

/// 32 bytes that differ early, as hashes do.
fn hash(number: i64) -> [u8; 32] {
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut hash = [0; 32];
    hash.chunks_mut(8)
        .for_each(|chunk| chunk.copy_from_slice(&mixed.to_be_bytes()));
    hash
}

fn measure(test: &TestDb) {
    let db = test
        .open_again(|options| options.durability = Durability::Full)
        .unwrap();
    for first in (0..ROWS).step_by(5000) {
        db.write_blocking(move |tx| (first..first + 5000).try_for_each(|number| insert(tx, number)))
            .unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let next = Arc::new(AtomicI64::new(ROWS));
    for callers in [1, 16, 64] {
        run(&runtime, &db, "find", callers, move |db, turn| async move {
            let key = hash(turn.wrapping_mul(7919) % ROWS);
            let sql = "SELECT client_id, scope, expires_at FROM tokens WHERE hash = $1";
            let found: Vec<(uuid::Uuid, String, i64)> = db.find(Query::new(sql, params![key])).await.unwrap();
            assert_eq!(found.len(), 1);
        });
    }
    for callers in [1, 16, 64] {
        let next = Arc::clone(&next);
        run(&runtime, &db, "insert", callers, move |db, _| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            async move { db.write_batched(move |tx| insert(tx, number)).await.unwrap() }
        });
    }
}

fn insert(tx: &mut portolan_db::WriteTx, number: i64) -> Result<(), Error> {
    tx.defer(
        "INSERT INTO tokens (hash, client_id, scope, expires_at) VALUES ($1, $2, $3, $4)",
        params![
            hash(number),
            uuid::Uuid::from_u128(number as u128 % 100),
            "openid profile email",
            number
        ],
    )
}

fn run<F, W>(runtime: &tokio::runtime::Runtime, db: &Db, work: &str, callers: i64, once: W)
where
    F: Future<Output = ()> + Send,
    W: Fn(Db, i64) -> F + Clone + Send + 'static,
{
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let (before, cpu, started) = (db.stats(), cpu_micros(), Instant::now());
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (db, stop, done, once) = (db.clone(), Arc::clone(&stop), Arc::clone(&done), once.clone());
            runtime.spawn(async move {
                let mut turn = caller * 1_000_003;
                while !stop.load(Ordering::Relaxed) {
                    once(db.clone(), turn).await;
                    turn += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    std::thread::sleep(TIME);
    stop.store(true, Ordering::Relaxed);
    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());

    let (after, done) = (db.stats(), done.load(Ordering::Relaxed) as f64);
    let commits = (after.groups - before.groups).max(1) as f64;
    println!(
        "{:<10} {work:<8} {callers:>7} {:>10.0} {:>8.1} {:>10.1}",
        format!("{:?}", db.engine()),
        done / started.elapsed().as_secs_f64(),
        (cpu_micros() - cpu) / done,
        (after.grouped_units - before.grouped_units) as f64 / commits,
    );
}

/// User and system time of this process so far.
fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in parentheses come the fields from the third on; times are in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
    (ticks(14) + ticks(15)) * 10_000.0
}
