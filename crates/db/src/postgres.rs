//! PostgreSQL: a few threads that own one connection each.
//!
//! Units that may share a commit run in groups, look-ups are pipelined, the rest runs
//! alone. A unit is run again only when the server has said that
//! it was rolled back: after a lost COMMIT nobody knows, and the callers are told so.

mod arrays;
mod connector;
mod convert;
mod lookups;
mod session;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::queue::Queue;
use crate::unit::{Job, Lookup, Mode, Ran, Unit};
use crate::{Counters, Error, ErrorKind, Guard, Options, WriteTx};

use connector::Connector;
use session::Settled;

pub(crate) use convert::column;
pub(crate) use session::Session;

/// Units in one commit.
const GROUP: usize = 64;
/// Look-ups in one round trip, each of up to five statements.
const LOOKUPS: usize = 32;
/// How often a unit is run again after losing against a concurrent one.
const RERUNS: u32 = 10;
/// Starts the threads and waits until each has its connection.
pub(crate) fn start(
    options: &Options,
    queue: &Arc<Queue<Job>>,
    counters: &Arc<Counters>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let connector = Connector::new(options)?;
    let (report, reports) = mpsc::channel();
    let mut threads = Vec::new();
    for _ in 0..options.connections.max(1) {
        let (connector, queue, counters, report) = (
            connector.clone(),
            Arc::clone(queue),
            Arc::clone(counters),
            report.clone(),
        );
        let body = move || match Session::open(connector) {
            Ok(session) => {
                let _ = report.send(Ok(()));
                drop(report);
                Worker {
                    tx: WriteTx::new(crate::Session::Postgres(Box::new(session))),
                    counters,
                }
                .serve(&queue);
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        };
        let handle = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(body)
            .map_err(|error| Error::unavailable(format!("cannot start a database thread: {error}")))?;
        threads.push(handle);
    }
    drop(report);
    let result = reports.into_iter().collect::<Result<Vec<()>, Error>>();
    match result {
        Ok(_) => Ok(threads),
        Err(error) => {
            queue.close();
            threads.into_iter().for_each(|handle| drop(handle.join()));
            Err(error)
        }
    }
}

fn begin(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Mode::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        Mode::Batched => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        // A migration may have to read whole tables.
        Mode::Migrate => {
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
             SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
             SET LOCAL enable_material = on; SET LOCAL plan_cache_mode = auto"
        }
    }
}

struct Worker {
    tx: WriteTx,
    counters: Arc<Counters>,
}

/// A unit of a group and what became of it.
struct Done {
    unit: Box<dyn Unit>,
    wish: Wish,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// To be committed.
    Keep,
    /// It refused by itself, perhaps because of what a neighbour did.
    Refuse,
    /// A statement failed.
    Fail,
    /// It lost against a concurrent unit and is to run alone.
    Again,
}

impl Worker {
    fn serve(mut self, queue: &Queue<Job>) {
        while let Some(job) = queue.pop() {
            match job {
                Job::Find(lookup) => {
                    let mut group = vec![Job::Find(lookup)];
                    queue.gather(&mut group, LOOKUPS, |job| matches!(job, Job::Find(_)));
                    Counters::add(&self.counters.finds, group.len());
                    let ready = self.wake();
                    lookups::run(
                        self.session(),
                        group.into_iter().filter_map(into_lookup).collect(),
                        &ready,
                    );
                }
                Job::Unit(Mode::Batched, unit) => {
                    let mut group = vec![Job::Unit(Mode::Batched, unit)];
                    queue.gather(&mut group, GROUP, |job| matches!(job, Job::Unit(Mode::Batched, _)));
                    self.run_group(group);
                }
                Job::Unit(mode, unit) => {
                    Counters::add(&self.counters.units, 1);
                    if mode != Mode::Read || !unit.is_abandoned() {
                        self.run_alone(mode, unit);
                    }
                }
            }
        }
    }

    fn session(&mut self) -> &mut Session {
        match &mut self.tx.session {
            crate::Session::Postgres(session) => session,
            crate::Session::Sqlite(_) => unreachable!("a PostgreSQL thread holds a PostgreSQL connection"),
        }
    }

    fn wake(&mut self) -> Result<(), Error> {
        let counters = Arc::clone(&self.counters);
        self.session().wake(&counters)
    }

    /// Runs a unit in a transaction of its own, again if it loses against a concurrent one.
    fn run_alone(&mut self, mode: Mode, mut unit: Box<dyn Unit>) {
        for attempt in 0..=RERUNS {
            if attempt > 0 {
                Counters::add(&self.counters.retries, 1);
                thread::sleep(jitter(attempt));
            }
            if let Err(error) = self.wake().and_then(|()| self.session().control(begin(mode))) {
                return unit.fail(error);
            }
            match unit.run(&mut self.tx) {
                Ran::Ok if mode == Mode::Read => {
                    // A read has nothing to lose: its caller need not wait for the end of the snapshot.
                    unit.answer();
                    let _ = self.session().control("COMMIT");
                    self.session().settle();
                    return;
                }
                Ran::Ok => match self.commit() {
                    Settled::Done => {
                        self.counters.group(1);
                        return unit.answer();
                    }
                    Settled::Failed(error) if error.conflict => {}
                    Settled::Failed(error) => return unit.fail(error),
                    Settled::Lost(error) => {
                        Counters::add(&self.counters.unknown_outcomes, 1);
                        return unit.fail(Error::outcome_unknown(&error));
                    }
                },
                Ran::Failed(error) => {
                    self.roll_back();
                    if !error.is_some_and(|error| error.conflict) {
                        return unit.answer();
                    }
                }
            }
        }
        unit.fail(Error::new(
            ErrorKind::Busy,
            "too many others change the same data: try again in a moment",
        ));
    }

    /// Gives all units one commit.
    fn run_group(&mut self, group: Vec<Job>) {
        Counters::add(&self.counters.units, group.len());
        let mut waiting: Vec<Box<dyn Unit>> = group.into_iter().filter_map(into_unit).collect();
        if waiting.len() == 1 {
            return waiting.into_iter().for_each(|unit| self.run_alone(Mode::Batched, unit));
        }
        if let Err(error) = self.wake().and_then(|()| self.session().control(begin(Mode::Batched))) {
            return waiting.into_iter().for_each(|unit| unit.fail(error.clone()));
        }
        let mut done: Vec<Done> = Vec::with_capacity(waiting.len());
        waiting.reverse();
        while let Some(mut unit) = waiting.pop() {
            match self.run_guarded(unit.as_mut()) {
                Step::Ended(wish) => done.push(Done { unit, wish }),
                Step::Broken => {
                    self.roll_back();
                    let units = done
                        .into_iter()
                        .map(|done| done.unit)
                        .chain([unit])
                        .chain(waiting.into_iter().rev());
                    return self.run_one_by_one(units);
                }
                Step::Lost(error) => {
                    let units = done.into_iter().map(|done| done.unit).chain([unit]).chain(waiting);
                    return units.for_each(|unit| unit.fail(error.clone()));
                }
            }
        }
        self.finish(done);
    }

    fn run_guarded(&mut self, unit: &mut dyn Unit) -> Step {
        self.tx.guard = Guard::Untouched;
        let ran = unit.run(&mut self.tx);
        let guard = std::mem::replace(&mut self.tx.guard, Guard::Alone);
        let session = self.session();
        if session.unsettled_failed.take().is_some() {
            return Step::Broken;
        }
        let error = match ran {
            Ran::Ok if guard == Guard::Savepoint => return session.end(Wish::Keep, "RELEASE SAVEPOINT unit"),
            Ran::Ok => return Step::Ended(Wish::Keep),
            Ran::Failed(error) => error,
        };
        let wish = match error {
            Some(error) if error.conflict => Wish::Again,
            Some(_) => Wish::Fail,
            None => Wish::Refuse,
        };
        match guard {
            Guard::Savepoint => {}
            // Nothing was sent for it.
            Guard::Untouched if wish == Wish::Refuse => return Step::Ended(wish),
            // It cannot be taken back alone, so the others go with it and are run again. What
            // failed before its first statement was perhaps theirs: rows that waited.
            Guard::Untouched | Guard::Shared | Guard::Alone => return Step::Broken,
        }
        // A deferred statement that failed has to be found before the savepoint hides it.
        match session.settle() {
            Settled::Done => session.end(wish, "ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit"),
            Settled::Failed(_) => Step::Broken,
            Settled::Lost(error) => Step::Lost(error),
        }
    }

    fn finish(&mut self, done: Vec<Done>) {
        match self.commit() {
            Settled::Done => {
                self.counters
                    .group(done.iter().filter(|done| done.wish == Wish::Keep).count());
                let (again, done): (Vec<_>, Vec<_>) = done.into_iter().partition(|done| done.wish == Wish::Again);
                done.into_iter().for_each(|done| done.unit.answer());
                self.run_one_by_one(again.into_iter().map(|done| done.unit));
            }
            // Nothing was saved, so even refusals may have been misled by a neighbour.
            Settled::Failed(error) => {
                tracing::debug!(%error, "a common commit was rolled back, its units are run one by one");
                self.run_one_by_one(done.into_iter().map(|done| done.unit));
            }
            Settled::Lost(error) => {
                let error = Error::outcome_unknown(&error);
                for Done { unit, wish } in done {
                    match wish {
                        Wish::Keep | Wish::Refuse => {
                            Counters::add(&self.counters.unknown_outcomes, 1);
                            unit.fail(error.clone());
                        }
                        Wish::Fail => unit.answer(),
                        // The server had rolled it back before the commit.
                        Wish::Again => self.run_alone(Mode::Batched, unit),
                    }
                }
            }
        }
    }

    fn run_one_by_one(&mut self, units: impl Iterator<Item = Box<dyn Unit>>) {
        for unit in units {
            Counters::add(&self.counters.retries, 1);
            self.run_alone(Mode::Batched, unit);
        }
    }

    /// An error before it says that COMMIT was not sent, so nothing was saved.
    fn commit(&mut self) -> Settled {
        if let Some(error) = self.session().aborted.take() {
            // To a COMMIT the server would say that it has rolled back, and the driver would not pass that on.
            self.roll_back();
            return Settled::Failed(error);
        }
        match self.session().control("COMMIT") {
            Ok(()) => self.session().settle(),
            Err(error) => {
                self.roll_back();
                Settled::Failed(error)
            }
        }
    }

    /// Nothing can go wrong here that matters: a connection that is lost is rolled back by the server.
    fn roll_back(&mut self) {
        let session = self.session();
        session.settle();
        if session.control("ROLLBACK").is_ok() {
            session.settle();
        }
    }
}

/// How a unit of a group ended.
enum Step {
    Ended(Wish),
    /// A statement that nobody waited for had failed, in this unit or an earlier one.
    Broken,
    /// The connection is gone and the commit was not sent.
    Lost(Error),
}

impl Session {
    /// Ends a savepoint. What cannot be sent was not committed, so it can be run again.
    fn end(&mut self, wish: Wish, sql: &'static str) -> Step {
        match self.control(sql) {
            Ok(()) => Step::Ended(wish),
            Err(_) => Step::Broken,
        }
    }
}

fn into_lookup(job: Job) -> Option<Box<dyn Lookup>> {
    match job {
        Job::Find(lookup) => Some(lookup),
        Job::Unit(..) => None,
    }
}

fn into_unit(job: Job) -> Option<Box<dyn Unit>> {
    match job {
        Job::Unit(_, unit) => Some(unit),
        Job::Find(_) => None,
    }
}

/// Units that collided must not meet again at the same moment.
fn jitter(attempt: u32) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros(random % (500 << attempt.min(6)))
}
