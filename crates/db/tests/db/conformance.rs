//! The promises of the adapter, the same on each engine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use portolan_db::{Engine, Error, ErrorKind, Query, Value, WriteTx, db_test, params};
use uuid::Uuid;

use crate::{SCHEMA, count, insert, kind, runtime};

db_test!(values_round_trip, SCHEMA, |db| {
    let (bytes, uuid) = (vec![0_u8, 1, 255], Uuid::from_u128(7));
    let texts = ["", "Ünïcode 🜁", "it's \"quoted\""];
    let inserted = bytes.clone();
    db.write_blocking(move |tx| {
        for (id, text) in texts.iter().enumerate() {
            tx.execute(
                "INSERT INTO kinds VALUES ($1, $2, $3, $4)",
                params![id, *text, &inserted, uuid],
            )?;
        }
        tx.execute(
            "INSERT INTO kinds VALUES ($1, $2, $3, $4)",
            params![i64::MIN, None::<String>, Value::Null, None::<Uuid>],
        )
    })
    .unwrap();

    type Columns = (i64, Option<String>, Option<Vec<u8>>, Option<Uuid>);
    let rows = db
        .read_blocking(|tx| tx.fetch_all::<Columns>("SELECT * FROM kinds ORDER BY id", params![]))
        .unwrap();

    assert_eq!(rows[0], (i64::MIN, None, None, None));
    for (row, text) in rows[1..].iter().zip(texts) {
        assert_eq!(
            (row.1.as_deref(), row.2.as_ref(), row.3),
            (Some(text), Some(&bytes), Some(uuid))
        );
    }
    let (flag, array): (bool, [u8; 3]) = db
        .read_blocking(|tx| tx.fetch_one("SELECT id, bytes FROM kinds WHERE id = $1", params![true]))
        .unwrap();
    assert!(flag);
    assert_eq!(array, [0, 1, 255]);
});

db_test!(parameters_go_by_their_number, SCHEMA, |db| {
    let row: (String, String, String, i64) = db
        .read_blocking(|tx| {
            tx.fetch_one(
                "SELECT cast($2 AS TEXT), cast($1 AS TEXT), cast($2 AS TEXT), cast($3 AS BIGINT) + $3",
                params!["one", "two", 21],
            )
        })
        .unwrap();

    assert_eq!(row, ("two".into(), "one".into(), "two".into(), 42));
    let missing = db.read_blocking(|tx| tx.fetch_one::<i64>("SELECT cast($1 AS BIGINT)", params![]));
    assert_eq!(kind(missing), ErrorKind::Internal);
    let excess = db.read_blocking(|tx| tx.fetch_one::<i64>("SELECT cast($1 AS BIGINT)", params![1, 2]));
    assert_eq!(kind(excess), ErrorKind::Internal);
});

db_test!(wrong_types_are_decode_errors, SCHEMA, |db| {
    let wrong = |sql: &'static str| db.read_blocking(move |tx| tx.fetch_one::<i64>(sql, params![]));
    assert_eq!(kind(wrong("SELECT cast('7' AS TEXT)")), ErrorKind::Decode);
    assert_eq!(kind(wrong("SELECT cast(NULL AS BIGINT)")), ErrorKind::Decode);
    assert_eq!(kind(wrong("SELECT 1, 2")), ErrorKind::Decode);
    let short = db.read_blocking(|tx| tx.fetch_one::<(i64, i64)>("SELECT 1", params![]));
    assert_eq!(kind(short), ErrorKind::Decode);
});

db_test!(secrets_are_not_printed, SCHEMA, |db| {
    let printed = format!(
        "{:?}",
        params!["hunter2", b"hunter2", db.engine() == portolan_db::Engine::Sqlite]
    );
    assert!(!printed.contains("hunter2") && !printed.contains("104"), "{printed}");

    let twice = |tx: &mut WriteTx| {
        tx.execute(
            "INSERT INTO items (id, name) VALUES (1, $1), (2, $1)",
            params!["hunter2"],
        )?;
        Ok::<_, Error>(())
    };
    let error = db.write_blocking(twice).unwrap_err();
    let chain = format!(
        "{error} {error:?} {:?}",
        std::error::Error::source(&error).map(ToString::to_string)
    );
    assert!(!chain.contains("hunter2"), "{chain}");
});

db_test!(ok_commits_and_err_rolls_back, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let refused = db.write_blocking(|tx| {
        insert(tx, 2)?;
        Err::<(), _>(Error::decode("no"))
    });

    assert_eq!(kind(refused), ErrorKind::Decode);
    assert_eq!(count(db), 1);
});

db_test!(a_unit_reads_its_own_writes, SCHEMA, |db| {
    let (own, affected) = db
        .write_blocking(|tx| {
            insert(tx, 1)?;
            tx.defer("UPDATE items SET amount = amount + $1", params![5])?;
            let own = tx.fetch_one::<i64>("SELECT amount FROM items WHERE id = $1", params![1])?;
            let affected = tx.execute("UPDATE items SET amount = 0 WHERE id IN ($1, $2)", params![1, 2])?;
            Ok::<_, Error>((own, affected))
        })
        .unwrap();

    assert_eq!((own, affected), (5, 1));
});

db_test!(a_statement_error_ends_the_unit, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();

    let swallowed = db.write_blocking(|tx| {
        insert(tx, 2)?;
        assert!(insert(tx, 1).is_err());
        assert!(
            tx.fetch_one::<i64>("SELECT 1", params![]).is_err(),
            "later statements repeat the error"
        );
        Ok::<_, Error>(())
    });

    assert!(matches!(kind(swallowed), ErrorKind::Constraint { .. }));
    assert_eq!(count(db), 1);
    let missing = db.write_blocking(|tx| {
        insert(tx, 3)?;
        let missing = tx.fetch_one::<i64>("SELECT id FROM items WHERE id = 9", params![]);
        assert_eq!(kind(missing), ErrorKind::NotFound);
        Ok::<_, Error>(())
    });
    assert!(missing.is_ok(), "a missing row is an answer, not a failure");
});

db_test!(constraints_have_the_same_names, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let violate = |sql: &'static str| {
        let error = db.write_blocking(move |tx| tx.execute(sql, params![])).unwrap_err();
        error.constraint().map(str::to_owned)
    };

    assert_eq!(
        violate("INSERT INTO items (id, name) VALUES (1, 'x')").as_deref(),
        Some("items_pkey")
    );
    assert_eq!(
        violate("INSERT INTO items (id, name) VALUES (2, 'item 1')").as_deref(),
        Some("items_name_key")
    );
    assert_eq!(
        violate("UPDATE items SET amount = -1").as_deref(),
        Some("items_amount_check")
    );
    let skipped = db.write_blocking(|tx| {
        let sql = "INSERT INTO items (id, name) VALUES (1, 'x') ON CONFLICT DO NOTHING RETURNING id";
        tx.fetch_optional::<i64>(sql, params![])
    });
    assert_eq!(skipped.unwrap(), None);
});

db_test!(a_deferred_error_still_fails_the_unit, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let deferred = |tx: &mut WriteTx| {
        insert(tx, 2)?;
        tx.defer("INSERT INTO items (id, name) VALUES (1, 'again')", params![])
    };

    assert!(matches!(
        kind(db.write_blocking(deferred)),
        ErrorKind::Constraint { .. }
    ));
    assert!(matches!(
        kind(runtime().block_on(db.write_batched(deferred))),
        ErrorKind::Constraint { .. }
    ));
    assert_eq!(count(db), 1);
});

db_test!(what_fails_only_at_the_commit_fails_only_itself, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let runtime = runtime();
    let gate = Gate::close(&db, &runtime);
    let units: Vec<_> = (1..=20)
        .map(|id| {
            let db = db.clone();
            runtime.spawn(async move {
                db.write_batched(move |tx| {
                    // The owner of unit 7 does not exist, which is checked at the commit.
                    let owner = (id == 7).then_some(99);
                    let sql = "INSERT INTO items (id, name, owner_id) VALUES ($1, $2, $3)";
                    tx.execute(sql, params![id, format!("item {id}"), owner])
                })
                .await
            })
        })
        .collect();
    gate.open_when(&db, 20);

    for (index, unit) in units.into_iter().enumerate() {
        let result = runtime.block_on(unit).unwrap();
        assert_eq!(result.is_err(), index + 1 == 7, "{result:?}");
    }
    assert_eq!(count(&db), 19);
});

db_test!(a_panic_is_an_error_and_leaves_nothing, SCHEMA, |db| {
    let panicked = db.write_blocking(|tx| {
        insert(tx, 1)?;
        if tx.fetch_one::<i64>("SELECT count(*) FROM items", params![])? == 1 {
            panic!("on purpose");
        }
        Ok::<_, Error>(())
    });

    assert_eq!(kind(panicked), ErrorKind::Internal);
    assert_eq!(count(db), 0);
    db.write_blocking(|tx| insert(tx, 2)).unwrap();
});

db_test!(reads_cannot_write, SCHEMA, |db| {
    let sql = "INSERT INTO items (id, name) VALUES (1, 'x') RETURNING id";
    assert!(db.read_blocking(move |tx| tx.fetch_one::<i64>(sql, params![])).is_err());
    assert!(runtime().block_on(db.find(Query::<i64>::new(sql, params![]))).is_err());
    assert_eq!(count(db), 0);
});

db_test!(a_read_sees_one_moment, SCHEMA, |db| {
    let (inside, goes_on) = (mpsc::channel(), mpsc::channel());
    let goes_on_receiver = Mutex::new(goes_on.1);
    let reader = (**db).clone();
    let read = thread::spawn(move || {
        reader.read_blocking(move |tx| {
            let before: i64 = tx.fetch_one("SELECT count(*) FROM items", params![])?;
            inside.0.send(()).unwrap();
            goes_on_receiver.lock().unwrap().recv().unwrap();
            Ok::<_, Error>((before, tx.fetch_one::<i64>("SELECT count(*) FROM items", params![])?))
        })
    });
    inside.1.recv().unwrap();
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    goes_on.0.send(()).unwrap();

    assert_eq!(read.join().unwrap().unwrap(), (0, 0));
    assert_eq!(count(db), 1);
});

db_test!(find_sees_what_was_committed_before, SCHEMA, |db| {
    runtime().block_on(async {
        for id in 1..=50 {
            db.write_batched(move |tx| insert(tx, id)).await.unwrap();
            let found = db.find(by_id(id)).await;
            assert_eq!(found.unwrap(), [(id, format!("item {id}"))]);
        }
        assert_eq!(db.find(by_id(99)).await.unwrap(), []);
        let wrong = db
            .find(Query::<i64>::new("SELECT name FROM items WHERE id = $1", params![1]))
            .await;
        assert_eq!(kind(wrong), ErrorKind::Decode);
        let broken = db
            .find(Query::<i64>::new("SELECT nonsense FROM items", params![]))
            .await;
        assert_eq!(kind(broken), ErrorKind::Internal);
    });
});

fn by_id(id: i64) -> Query<(i64, String)> {
    Query::new("SELECT id, name FROM items WHERE id = $1", params![id])
}

db_test!(find_answers_several_questions_at_once, SCHEMA, |db| {
    db.write_blocking(|tx| (1..=3).try_for_each(|id| insert(tx, id)))
        .unwrap();
    let ids = || Query::<i64>::new("SELECT id FROM items WHERE id >= $1 ORDER BY id", params![2]);
    let count = || Query::<i64>::new("SELECT count(*) FROM items", params![]);
    runtime().block_on(async {
        let (one, ids_found, none, counted) = db.find((by_id(1), ids(), by_id(99), count())).await.unwrap();
        assert_eq!(one, [(1, "item 1".to_owned())]);
        assert_eq!((ids_found, none, counted), (vec![2, 3], vec![], vec![3]));

        // Whichever of them is wrong, the caller hears of it, and the connection goes on.
        for broken in [
            (ids(), Query::new("SELECT nonsense FROM items", params![])),
            (Query::new("SELECT name FROM items", params![]), ids()),
        ] {
            assert!(db.find(broken).await.is_err());
            assert_eq!(db.find(count()).await.unwrap(), [3]);
        }
    });
});

db_test!(rows_that_travel_together_arrive_one_by_one, SCHEMA, |db| {
    const INSERT: &str = "INSERT INTO items (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let name = |id: i64| format!("item {id}");
    let add = |ids: std::ops::Range<i64>| {
        db.write_batched(move |tx| {
            ids.clone()
                .try_for_each(|id| tx.insert(INSERT, params![id, format!("item {id}")]))?;
            Ok::<_, Error>(())
        })
    };
    runtime().block_on(async {
        // Several units in one commit, one of them with more rows than a statement takes.
        let (a, b, c) = tokio::join!(add(1..4), add(4..205), add(205..206));
        for added in [a, b, c] {
            added.unwrap();
        }
        // A row that is there already is passed over, among others that are not.
        add(200..210).await.unwrap();
        // What was inserted is seen by what comes after it in the unit.
        let seen = db.write_batched(move |tx| {
            tx.insert(INSERT, params![300, name(300)])?;
            tx.insert(INSERT, params![301, name(301)])?;
            tx.defer("UPDATE items SET name = 'changed' WHERE id = $1", params![301])?;
            tx.fetch_one::<String>("SELECT name FROM items WHERE id = $1", params![301])
        });
        assert_eq!(seen.await.unwrap(), "changed");
        // What a unit takes back is not inserted, whether it waited for something or not.
        for waits in [false, true] {
            let refused = db.write_batched(move |tx| {
                if waits {
                    tx.execute("UPDATE items SET name = name WHERE id = $1", params![1])?;
                }
                tx.insert(INSERT, params![400, "refused"])?;
                Err::<(), Error>(Error::decode("refused"))
            });
            let (refused, added) = tokio::join!(refused, add(500..501));
            assert_eq!(kind(refused), ErrorKind::Decode);
            added.unwrap();
        }
        let twice = db.write_batched(move |tx| tx.insert(INSERT, params![600, "item 1"]));
        assert!(matches!(kind(twice.await), ErrorKind::Constraint { .. }));
    });
    assert_eq!(count(&db), count_of(&[1..210, 300..302, 500..501]));
});

// A row that cannot even be sent is found when a neighbour sends something: that must neither pass for saved, nor take
// the neighbour along, nor leave its transaction open.
db_test!(a_row_that_cannot_be_sent_fails_its_own_unit, SCHEMA, |db| {
    const INSERT: &str = "INSERT INTO items (id, name) VALUES ($1, $2)";
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let good = |id: i64| db.write_batched(move |tx| tx.insert(INSERT, params![id, format!("item {id}")]));
    let unsendable = || db.write_batched(|tx| tx.insert(INSERT, params!["no number", "item"]));
    let waiting = |id: i64| {
        db.write_batched(move |tx| {
            let changed = tx.execute("UPDATE items SET name = name WHERE id = $1", params![0])?;
            tx.insert(INSERT, params![id, format!("item {id}")])?;
            Ok::<_, Error>(changed)
        })
    };
    let waiting_badly = || {
        db.write_batched(|tx| {
            tx.execute("UPDATE items SET name = name WHERE id = $1", params![0])?;
            tx.insert(INSERT, params!["no number", "item"])
        })
    };
    runtime().block_on(async {
        for round in 0..10 {
            let first = round * 10 + 1;
            let (a, bad, b, c) = tokio::join!(good(first), unsendable(), waiting(first + 1), good(first + 2));
            assert!(bad.is_err());
            a.unwrap();
            b.unwrap();
            c.unwrap();
            let (a, bad, b) = tokio::join!(good(first + 3), waiting_badly(), good(first + 4));
            assert!(bad.is_err());
            a.unwrap();
            b.unwrap();
            // The connection is at rest: nothing of what failed is committed later.
            let all = db.find(Query::<i64>::new("SELECT count(*) FROM items", params![]));
            assert_eq!(all.await.unwrap(), [round * 5 + 5]);
        }
    });
});

// What waits in the same words is asked once, on PostgreSQL: each caller gets its own rows, and its own error.
db_test!(callers_that_ask_the_same_get_their_own_answers, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    db.write_blocking(|tx| (1..=40).try_for_each(|id| insert(tx, id)))
        .unwrap();
    let runtime = runtime();
    let gate = Gate::close(&db, &runtime);
    let askers: Vec<_> = (1..=20)
        .map(|id| {
            let db = db.clone();
            let name = if id == 7 { "\0".to_owned() } else { format!("item {id}") };
            let named = Query::<i64>::new("SELECT id FROM items WHERE name = $1 AND $2 = 1", params![name, 1]);
            let from = "SELECT name, id FROM items WHERE id >= $1 AND owner_id IS NULL AND cast($2 AS BIGINT) IS NULL ORDER BY id DESC";
            let from = Query::<(String, i64)>::new(from, params![id, None::<i64>]);
            runtime.spawn(async move { db.find((named, from, by_id(id + 30))).await })
        })
        .collect();
    let queued = if db.engine() == Engine::Postgres { 20 } else { 0 };
    gate.open_when(&db, queued);

    for (id, asker) in (1..).zip(askers) {
        let found = runtime.block_on(asker).unwrap();
        if id == 7 {
            let refused = db.engine() == Engine::Postgres;
            assert_eq!(found.is_err(), refused, "PostgreSQL has no such text");
            continue;
        }
        let (named, from, by_id) = found.unwrap();
        assert_eq!(named, [id]);
        let all: Vec<_> = (id..=40).rev().map(|id| (format!("item {id}"), id)).collect();
        assert_eq!(from, all);
        assert_eq!(by_id.len(), usize::from(id <= 10));
    }
});

fn count_of(ranges: &[std::ops::Range<i64>]) -> i64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

// The first answer is larger than what the driver takes in before somebody reads it, and the second statement is new to
// the connection.
db_test!(a_large_answer_does_not_hold_up_a_new_statement, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    db.write_blocking(|tx| (1..=2000).try_for_each(|id| insert(tx, id)))
        .unwrap();
    let all = |number: i64| {
        let sql = format!("SELECT a.name, b.name FROM items a, items b WHERE b.id <= 20 AND a.id > {number}");
        Query::<(String, String)>::new(sql, params![])
    };
    runtime().block_on(async {
        for number in 0..3 {
            let few = Query::<i64>::new(format!("SELECT count(*) FROM items WHERE id > {number}"), params![]);
            let (many, few) = db.find((all(number), few)).await.unwrap();
            assert_eq!((many.len() as i64, few), ((2000 - number) * 20, vec![2000 - number]));
        }
    });
});

// What is written without waiting has no savepoint: a failure takes the neighbours along, and they are run again.
db_test!(an_insert_that_fails_leaves_its_neighbours_alone, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let deferred = |id: i64| {
        db.write_batched(move |tx| {
            let sql = "INSERT INTO items (id, name) VALUES ($1, $2)";
            tx.defer(sql, params![id, format!("item {id}")])
        })
    };
    let refusing = |id: i64| {
        db.write_batched(move |tx| {
            tx.defer("INSERT INTO items (id, name) VALUES ($1, 'refused')", params![id])?;
            Err::<(), Error>(Error::decode("refused"))
        })
    };
    let waiting = |id: i64| {
        db.write_batched(move |tx| {
            let changed = tx.execute("UPDATE items SET name = 'changed' WHERE id = $1", params![id])?;
            tx.defer(
                "INSERT INTO items (id, name) VALUES ($1, $2)",
                params![id + 1000, format!("after {id}")],
            )?;
            Ok::<_, Error>(changed)
        })
    };
    runtime().block_on(async {
        deferred(1).await.unwrap();
        for round in 0..20 {
            let first = 2 + round * 10;
            let (a, twice, b, refused, changed, c) = tokio::join!(
                deferred(first),
                deferred(1),
                deferred(first + 1),
                refusing(first + 2),
                waiting(first + 3),
                deferred(first + 4),
            );
            for good in [a, b, c] {
                good.unwrap();
            }
            assert!(matches!(kind(twice), ErrorKind::Constraint { .. }));
            assert_eq!(kind(refused), ErrorKind::Decode);
            assert_eq!(changed.unwrap(), 0);
        }
    });
    let names: Vec<String> = db
        .read_blocking(|tx| tx.fetch_all("SELECT name FROM items WHERE name = 'refused'", params![]))
        .unwrap();
    assert_eq!(names, [] as [String; 0]);
    assert_eq!(count(&db), 1 + 20 * 4);
});

db_test!(many_callers_share_commits, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let runtime = runtime();
    let before = db.stats();
    let gate = Gate::close(&db, &runtime);
    let units: Vec<_> = (1..=100)
        .map(|id| {
            let db = db.clone();
            runtime.spawn(async move {
                db.write_batched(move |tx| {
                    insert(tx, id)?;
                    if id % 10 == 0 {
                        Err(Error::decode("refused"))
                    } else {
                        Ok(())
                    }
                })
                .await
            })
        })
        .collect();
    gate.open_when(&db, 100);
    let refused = units
        .into_iter()
        .map(|unit| runtime.block_on(unit).unwrap())
        .filter(Result::is_err);

    assert_eq!(refused.count(), 10);
    assert_eq!(count(&db), 90);
    let stats = db.stats();
    assert!(stats.largest_group >= 40, "{stats:?}");
    assert!(stats.groups - before.groups <= 10, "{stats:?}");
    assert!(stats.grouped_units - before.grouped_units >= 90, "{stats:?}");
});

db_test!(a_full_queue_refuses_at_once, SCHEMA, |db| {
    let db = db
        .open_again(|options| (options.connections, options.queue) = (1, 3))
        .unwrap();
    let runtime = runtime();
    let gate = Gate::close(&db, &runtime);
    let write = |id| {
        let db = db.clone();
        runtime.spawn(async move { db.write(move |tx| insert(tx, id)).await })
    };
    let waiting: Vec<_> = (1..=3).map(write).collect();
    while db.stats().queued < 3 {
        thread::yield_now();
    }
    let refused = runtime.block_on(write(4)).unwrap();
    gate.open_when(&db, 3);

    assert_eq!(kind(refused), ErrorKind::Busy);
    assert_eq!(db.stats().refused, 1);
    assert!(waiting.into_iter().all(|unit| runtime.block_on(unit).unwrap().is_ok()));
    assert_eq!(count(&db), 3);
});

db_test!(a_statement_that_takes_too_long_is_ended, SCHEMA, |db| {
    const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT cast(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n)
                           SELECT count(*) FROM n";
    let db = db
        .open_again(|options| options.statement_timeout = Duration::from_millis(150))
        .unwrap();
    let started = Instant::now();

    assert_eq!(
        kind(db.read_blocking(|tx| tx.fetch_one::<i64>(ENDLESS, params![]))),
        ErrorKind::Timeout
    );
    assert_eq!(
        kind(runtime().block_on(db.find(Query::<i64>::new(ENDLESS, params![])))),
        ErrorKind::Timeout
    );
    let written = db.write_blocking(|tx| {
        insert(tx, 1)?;
        tx.fetch_one::<i64>(ENDLESS, params![])
    });
    assert_eq!(kind(written), ErrorKind::Timeout);
    let filling = "INSERT INTO items (id, name)
                   WITH RECURSIVE n (i) AS (SELECT cast(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n)
                   SELECT i, cast(i AS TEXT) FROM n";
    assert_eq!(
        kind(db.write_blocking(move |tx| tx.execute(filling, params![]))),
        ErrorKind::Timeout
    );

    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(count(&db), 0);
    db.write_blocking(|tx| insert(tx, 2)).unwrap();
});

db_test!(units_happen_as_if_alone, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let runs = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let runs = Arc::clone(&runs);
                    let increment = move |tx: &mut WriteTx| {
                        runs.fetch_add(1, Ordering::Relaxed);
                        let amount: i64 = tx.fetch_one("SELECT amount FROM items WHERE id = 1", params![])?;
                        tx.execute("UPDATE items SET amount = $1 WHERE id = 1", params![amount + 1])
                    };
                    db.write_blocking(increment).unwrap();
                }
            });
        }
    });

    let amount: i64 = db
        .read_blocking(|tx| tx.fetch_one("SELECT amount FROM items WHERE id = 1", params![]))
        .unwrap();
    assert_eq!(amount, 80);
    assert_eq!(runs.load(Ordering::Relaxed), 80 + db.stats().retries);
});

db_test!(exactly_one_of_many_consumes, SCHEMA, |db| {
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let runtime = runtime();
    let units: Vec<_> = (0..64)
        .map(|_| {
            let db = (**db).clone();
            runtime.spawn(async move {
                let sql = "UPDATE items SET amount = 1 WHERE id = 1 AND amount = 0 RETURNING id";
                db.write_batched(move |tx| tx.fetch_optional::<i64>(sql, params![]))
                    .await
            })
        })
        .collect();

    let consumed = units
        .into_iter()
        .filter_map(|unit| runtime.block_on(unit).unwrap().unwrap());
    assert_eq!(consumed.count(), 1);
});

db_test!(closing_serves_what_waits, SCHEMA, |db| {
    let db = db.open_again(|options| options.connections = 1).unwrap();
    let runtime = runtime();
    let gate = Gate::close(&db, &runtime);
    let write = |id| {
        let db = db.clone();
        runtime.spawn(async move { db.write_batched(move |tx| insert(tx, id)).await })
    };
    let waiting: Vec<_> = (1..=10).map(write).collect();
    gate.open_when(&db, 10);
    db.clone().close();

    assert!(waiting.into_iter().all(|unit| runtime.block_on(unit).unwrap().is_ok()));
    assert_eq!(kind(runtime.block_on(write(11)).unwrap()), ErrorKind::Unavailable);
});

/// A unit that occupies the only writing thread until it is told to go on.
pub struct Gate {
    open: mpsc::Sender<()>,
}

impl Gate {
    pub fn close(db: &portolan_db::Db, runtime: &tokio::runtime::Runtime) -> Gate {
        let (open, opened) = mpsc::channel();
        let (inside, entered) = mpsc::channel();
        let opened = Mutex::new(opened);
        let db = db.clone();
        runtime.spawn(async move {
            db.write(move |_| {
                inside.send(()).unwrap();
                let _ = opened.lock().unwrap().recv();
                Ok::<_, Error>(())
            })
            .await
        });
        entered.recv().unwrap();
        Gate { open }
    }

    /// Lets the unit end once so many others wait behind it.
    pub fn open_when(self, db: &portolan_db::Db, waiting: usize) {
        while db.stats().queued < waiting {
            thread::yield_now();
        }
        self.open.send(()).unwrap();
    }
}
