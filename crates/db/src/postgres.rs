//! PostgreSQL: a few threads that own one connection each.
//!
//! Units that may share a commit run in groups with a savepoint each, look-ups are
//! pipelined, the rest runs alone. A unit is run again only when the server has said that
//! it was rolled back: after a lost COMMIT nobody knows, and the callers are told so.

mod connector;
mod convert;
mod session;

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio_postgres::{Client, Statement};

use crate::queue::Queue;
use crate::unit::{Job, Lookup, Mode, Ran, Unit};
use crate::value::Source;
use crate::{Counters, Error, ErrorKind, Options, WriteTx};

use connector::Connector;
use convert::{explain, references};
use session::Settled;

pub(crate) use convert::column;
pub(crate) use session::Session;

/// Units in one commit, look-ups in one round trip.
const GROUP: usize = 64;
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
        Mode::Batched | Mode::Migrate => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
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
                    queue.gather(&mut group, GROUP, |job| matches!(job, Job::Find(_)));
                    self.look_up(group);
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

    /// Sends all look-ups, then collects the answers: one round trip for many callers.
    fn look_up(&mut self, group: Vec<Job>) {
        Counters::add(&self.counters.finds, group.len());
        let ready = self.wake();
        let session = self.session();
        let mut sent: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::with_capacity(group.len());
        for job in group {
            let Job::Find(lookup) = job else {
                unreachable!("only look-ups are gathered")
            };
            if lookup.is_abandoned() {
                continue;
            }
            let prepared = ready
                .clone()
                .and_then(|()| session.prepare(lookup.sql(), lookup.params().len()));
            match prepared {
                Err(error) => lookup.answer(Err(error)),
                Ok((client, statement)) => {
                    let mut sending: Pin<Box<dyn Future<Output = ()>>> = Box::pin(look_up(client, statement, lookup));
                    if sending
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_pending()
                    {
                        sent.push(sending);
                    }
                }
            }
        }
        // Each look-up has sent its own answer, so there is no result here.
        let _ = session.wait(async {
            for answer in sent {
                answer.await;
            }
            Ok(())
        });
        session.drop_closed_link();
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

    /// Gives each unit a savepoint and all of them one commit.
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
            match self.run_in_savepoint(unit.as_mut()) {
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

    fn run_in_savepoint(&mut self, unit: &mut dyn Unit) -> Step {
        if let Err(error) = self.session().control("SAVEPOINT unit") {
            return Step::Lost(error);
        }
        let ran = unit.run(&mut self.tx);
        let session = self.session();
        if session.unsettled_failed.take().is_some() {
            return Step::Broken;
        }
        let (wish, end) = match ran {
            Ran::Ok => (Wish::Keep, "RELEASE SAVEPOINT unit"),
            Ran::Failed(error) => {
                // A deferred statement that failed has to be found before the savepoint hides it.
                match session.settle() {
                    Settled::Done => {}
                    Settled::Failed(_) => return Step::Broken,
                    Settled::Lost(error) => return Step::Lost(error),
                }
                let wish = match error {
                    Some(error) if error.conflict => Wish::Again,
                    Some(_) => Wish::Fail,
                    None => Wish::Refuse,
                };
                (wish, "ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit")
            }
        };
        match session.control(end) {
            Ok(()) => Step::Ended(wish),
            Err(error) => Step::Lost(error),
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

    /// An error before it reports the loss of the connection, so nothing was saved.
    fn commit(&mut self) -> Settled {
        match self.session().control("COMMIT") {
            Ok(()) => self.session().settle(),
            Err(error) => Settled::Failed(error),
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

/// How a unit in a savepoint ended.
enum Step {
    Ended(Wish),
    /// A statement that nobody waited for had failed, in this unit or an earlier one.
    Broken,
    /// The connection is gone and the commit was not sent.
    Lost(Error),
}

async fn look_up(client: Arc<Client>, statement: Statement, lookup: Box<dyn Lookup>) {
    let rows = client.query(&statement, &references(lookup.params())).await;
    match rows {
        Ok(rows) => lookup.answer(Ok(rows.first().map(Source::Postgres))),
        Err(error) => lookup.answer(Err(explain(&error))),
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
