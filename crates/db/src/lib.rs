//! One small database interface over SQLite and PostgreSQL.
//!
//! A connection is a thread. Callers hand a closure to [`Db::read`] or [`Db::write`]; it
//! runs on a database thread over a transaction: `Ok` commits, `Err` rolls back, and the
//! caller hears of it only when the commit is durable. Closures hold nothing but SQL,
//! because a unit that loses against a concurrent one is run again.
//!
//! | | SQLite | PostgreSQL |
//! |---|---|---|
//! | [`Db::read`] | a reader thread, one snapshot | `REPEATABLE READ READ ONLY` |
//! | [`Db::read_briefly`] | the caller's thread or a reader, one snapshot | the same |
//! | [`Db::write`] | the writer thread, many units per commit | alone, `SERIALIZABLE`, run again up to ten times |
//! | [`Db::write_batched`] | the same | `READ COMMITTED`, many units per commit |
//! | [`Db::find`] | the caller's thread or a reader, one snapshot | pipelined with other look-ups, a snapshot for each statement |
//!
//! On both engines an error of a statement ends its unit: later statements repeat the
//! error and `Ok` does not commit. Expected conflicts use `ON CONFLICT DO NOTHING RETURNING`.
//! Only this crate knows the drivers.

mod error;
mod migrate;
mod postgres;
mod query;
mod queue;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod unit;
mod value;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use queue::{Queue, Refused};
use unit::{Job, LookupCell, Mode, Unit, UnitCell};

pub use error::{Error, ErrorKind};
pub use migrate::{MigrateMode, MigrateReport, Migration};
pub use query::{Queries, Query};
pub use value::{FromRow, FromValue, IntoValue, Row, Value};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`.
    pub url: String,
    /// Reader threads on SQLite, connections on PostgreSQL.
    pub connections: usize,
    pub durability: Durability,
    /// Units that may wait in a queue before [`ErrorKind::Busy`].
    pub queue: usize,
    pub statement_timeout: Duration,
    /// Certificates that PostgreSQL's own must come from. Given, the connection is encrypted and the name checked.
    pub tls_ca_file: Option<PathBuf>,
}

impl Options {
    /// The defaults for a store: durable, and as many threads as the engine makes use of.
    pub fn new(url: impl Into<String>) -> Options {
        let url = url.into();
        let cores = thread::available_parallelism().map_or(2, usize::from);
        // More PostgreSQL connections make smaller groups, see the measurements in the design notes.
        let connections = if url.starts_with("sqlite:") {
            cores.min(4)
        } else {
            cores.clamp(2, 4)
        };
        Options {
            url,
            connections,
            durability: Durability::Full,
            queue: 1024,
            statement_timeout: Duration::from_secs(5),
            tls_ca_file: None,
        }
    }
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Full,
    /// For tests: a commit may be lost when the machine stops, not when the process does.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// An open store. Clones share its threads; the last one closes it.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    /// On PostgreSQL both queues are the same one.
    reads: Arc<Queue<Job>>,
    writes: Arc<Queue<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    counters: Arc<Counters>,
    sqlite_file: Option<PathBuf>,
    /// What look-ups on SQLite use first.
    direct: Option<sqlite::Direct>,
}

impl Db {
    /// Opens a store and its threads. Blocks; fails when the store cannot be reached.
    pub fn open(options: Options) -> Result<Db, Error> {
        let counters = Arc::new(Counters::default());
        let reads = Arc::new(Queue::new(options.queue));
        if let Some(path) = options.url.strip_prefix("sqlite:") {
            let path = PathBuf::from(path);
            let writes = Arc::new(Queue::new(options.queue));
            let threads = sqlite::start(&path, &options, &reads, &writes, &counters)?;
            let mut db = Inner::new(Engine::Sqlite, reads, writes, threads, counters);
            db.direct = Some(sqlite::Direct::open(&path, &options)?);
            db.sqlite_file = Some(path);
            return Ok(Db { inner: Arc::new(db) });
        }
        if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://") {
            let writes = Arc::clone(&reads);
            let threads = postgres::start(&options, &reads, &counters)?;
            let db = Inner::new(Engine::Postgres, reads, writes, threads, counters);
            return Ok(Db { inner: Arc::new(db) });
        }
        Err(Error::unavailable(
            "the database URL must start with sqlite: or postgres://",
        ))
    }

    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Runs a read-only unit; all its statements see one snapshot.
    pub async fn read<T, E>(&self, work: impl Fn(&mut ReadTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run(Mode::Read, move |tx: &mut WriteTx| work(tx)).await
    }

    /// [`Db::read`] for a few look-ups by key: on SQLite the caller's own thread does them, as in [`Db::find`].
    pub async fn read_briefly<T, E>(&self, work: impl Fn(&mut ReadTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit: Box<dyn Unit> = Box::new(UnitCell {
            work: move |tx: &mut WriteTx| work(tx),
            kept: None,
            reply,
        });
        let left = match &self.inner.direct {
            Some(direct) => direct.read(unit),
            None => Some(unit),
        };
        match left {
            Some(unit) => self.push(Job::Unit(Mode::Read, unit))?,
            None => Counters::add(&self.inner.counters.units, 1),
        }
        answer.await.unwrap_or_else(|_| Err(thread_ended(Mode::Read).into()))
    }

    /// Runs a unit that happens as if it were alone.
    pub async fn write<T, E>(&self, work: impl Fn(&mut WriteTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run(Mode::Write, work).await
    }

    /// Runs a unit of inserts and single conditional statements, committed together with others.
    ///
    /// On PostgreSQL it sees what others commit while it runs: it must not read, decide and write.
    pub async fn write_batched<T, E>(
        &self,
        work: impl Fn(&mut WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run(Mode::Batched, work).await
    }

    /// Looks up what several statements find that do not depend on each other: the cheapest way to read.
    ///
    /// On PostgreSQL they are one round trip, together with the look-ups of others, and each sees a snapshot of
    /// its own. So what must hold together belongs into one statement.
    ///
    /// On SQLite the caller's own thread does it, unless that would hold it up. So these are look-ups by key.
    pub async fn find<Q: Queries>(&self, queries: Q) -> Result<Q::Answers, Error> {
        let mut cell: LookupCell<Q> = LookupCell {
            statements: queries.into_statements(),
            answers: Q::Answers::default(),
            reply: None,
        };
        if let Some(outcome) = self.inner.direct.as_ref().and_then(|direct| direct.look_up(&mut cell)) {
            Counters::add(&self.inner.counters.finds, 1);
            return outcome.map(|()| cell.answers);
        }
        let (reply, answer) = oneshot::channel();
        cell.reply = Some(reply);
        self.push(Job::Find(Box::new(cell)))?;
        answer.await.unwrap_or_else(|_| Err(thread_ended(Mode::Read)))
    }

    /// [`Db::read`] for commands and tests. Must not be called from async code.
    pub fn read_blocking<T, E>(&self, work: impl Fn(&mut ReadTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run_blocking(Mode::Read, move |tx: &mut WriteTx| work(tx))
    }

    /// [`Db::write`] for commands and tests. Must not be called from async code.
    pub fn write_blocking<T, E>(&self, work: impl Fn(&mut WriteTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run_blocking(Mode::Write, work)
    }

    /// Brings the schema to the state of `migrations`, or checks that it is there. Blocks.
    pub fn migrate(&self, migrations: &[Migration], mode: MigrateMode) -> Result<MigrateReport, Error> {
        migrate::run(self, migrations, mode)
    }

    /// Copies a SQLite store as it is at this moment, while others go on writing. Blocks.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        match &self.inner.sqlite_file {
            Some(file) => sqlite::backup(file, to),
            None => Err(Error::unavailable(
                "PostgreSQL is backed up with its own tool: pg_dump --format=custom URL",
            )),
        }
    }

    /// Serves what waits, refuses what comes, and joins the threads. Blocks.
    pub fn close(self) {
        self.inner.shut_down();
    }

    /// Figures since the store was opened.
    pub fn stats(&self) -> Stats {
        let Inner {
            engine,
            reads,
            writes,
            counters,
            ..
        } = &*self.inner;
        let queued_writes = if *engine == Engine::Sqlite { writes.len() } else { 0 };
        Stats {
            queued: reads.len() + queued_writes,
            units: counters.units.load(Ordering::Relaxed),
            finds: counters.finds.load(Ordering::Relaxed),
            groups: counters.groups.load(Ordering::Relaxed),
            grouped_units: counters.grouped_units.load(Ordering::Relaxed),
            largest_group: counters.largest_group.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            unknown_outcomes: counters.unknown_outcomes.load(Ordering::Relaxed),
            reconnects: counters.reconnects.load(Ordering::Relaxed),
        }
    }

    fn migrate_blocking<T: Send + 'static>(
        &self,
        work: impl Fn(&mut WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.run_blocking(Mode::Migrate, work)
    }

    async fn run<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        let answer = self.submit(mode, work)?;
        answer.await.unwrap_or_else(|_| Err(thread_ended(mode).into()))
    }

    fn run_blocking<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        let answer = self.submit(mode, work)?;
        answer
            .blocking_recv()
            .unwrap_or_else(|_| Err(thread_ended(mode).into()))
    }

    fn submit<T, E, F>(&self, mode: Mode, work: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.push(Job::Unit(
            mode,
            Box::new(UnitCell {
                work,
                kept: None,
                reply,
            }),
        ))?;
        Ok(answer)
    }

    fn push(&self, job: Job) -> Result<(), Error> {
        let queue = match job {
            Job::Find(_) | Job::Unit(Mode::Read, _) => &self.inner.reads,
            Job::Unit(..) => &self.inner.writes,
        };
        queue.push(job).map_err(|refused| match refused {
            Refused::Full => {
                Counters::add(&self.inner.counters.refused, 1);
                Error::new(ErrorKind::Busy, "the database queue is full: try again in a second")
            }
            Refused::Closed => Error::unavailable("the store is closed: the server is shutting down"),
        })
    }
}

/// A database thread ended before it answered. That is a fault of this crate; a write may have been saved.
fn thread_ended(mode: Mode) -> Error {
    let error = Error::internal("a database thread ended unexpectedly");
    if mode == Mode::Read {
        error
    } else {
        Error::outcome_unknown(&error)
    }
}

impl Inner {
    fn new(
        engine: Engine,
        reads: Arc<Queue<Job>>,
        writes: Arc<Queue<Job>>,
        threads: Vec<JoinHandle<()>>,
        counters: Arc<Counters>,
    ) -> Inner {
        Inner {
            engine,
            reads,
            writes,
            threads: Mutex::new(threads),
            counters,
            sqlite_file: None,
            direct: None,
        }
    }

    fn shut_down(&self) {
        self.reads.close();
        self.writes.close();
        if let Some(direct) = &self.direct {
            direct.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in threads {
            // The last clone may have been owned by a unit: a thread cannot wait for itself.
            if handle.thread().id() != thread::current().id() && handle.join().is_err() {
                tracing::error!("a database thread had panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// What [`Db::stats`] tells: one moment for `queued`, sums since opening for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub queued: usize,
    /// Units run, re-runs not counted.
    pub units: u64,
    pub finds: u64,
    /// Commits that several units could share, and the units in them.
    pub groups: u64,
    pub grouped_units: u64,
    pub largest_group: u64,
    pub retries: u64,
    pub refused: u64,
    pub unknown_outcomes: u64,
    pub reconnects: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) units: AtomicU64,
    pub(crate) finds: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) grouped_units: AtomicU64,
    pub(crate) largest_group: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unknown_outcomes: AtomicU64,
    pub(crate) reconnects: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn group(&self, size: usize) {
        Counters::add(&self.groups, 1);
        Counters::add(&self.grouped_units, size);
        self.largest_group.fetch_max(size as u64, Ordering::Relaxed);
    }
}

/// A transaction that reads.
pub struct ReadTx {
    session: Session,
    /// The first error of a statement. The unit cannot commit any more.
    poison: Option<Error>,
    guard: Guard,
}

/// How a unit that shares its transaction with others can be taken back alone.
///
/// A savepoint costs as much as a statement. A unit that begins with one whose answer it does not wait for goes
/// without: most of these insert and nothing else, and fail so rarely that their whole group is run again then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The transaction is its own.
    Alone,
    /// It has sent nothing yet.
    Untouched,
    /// By its savepoint.
    Savepoint,
    /// Not at all.
    Shared,
}

/// A transaction that writes. What reads also works here.
pub struct WriteTx {
    read: ReadTx,
}

/// One connection of either engine.
enum Session {
    Sqlite(sqlite::Session),
    Postgres(Box<postgres::Session>),
}

impl ReadTx {
    /// The rows of a query.
    pub fn fetch<T: FromRow>(&mut self, query: &Query<T>) -> Result<Vec<T>, Error> {
        let statement = query.statement();
        self.fetch_all(&statement.sql, &statement.params)
    }

    /// The first row, if there is any.
    pub fn fetch_optional<T: FromRow>(&mut self, sql: &str, params: impl AsRef<[Value]>) -> Result<Option<T>, Error> {
        let mut first = None;
        self.each(sql, params.as_ref(), &mut |source| {
            if first.is_none() {
                first = Some(Row::new(source).read(None)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// The first row; [`ErrorKind::NotFound`] if there is none.
    pub fn fetch_one<T: FromRow>(&mut self, sql: &str, params: impl AsRef<[Value]>) -> Result<T, Error> {
        self.fetch_optional(sql, params)?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such row"))
    }

    pub fn fetch_all<T: FromRow>(&mut self, sql: &str, params: impl AsRef<[Value]>) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        self.each(sql, params.as_ref(), &mut |source| {
            let row = Row::new(source).read(rows.last())?;
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    fn each(
        &mut self,
        sql: &str,
        params: &[Value],
        row: &mut dyn FnMut(value::Source<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.protect()?;
        self.statement(|session| match session {
            Session::Sqlite(session) => session.query(sql, params, row),
            Session::Postgres(session) => session.query(sql, params, row),
        })
    }

    /// Gives a unit that shares its transaction a savepoint, before its first statement.
    fn protect(&mut self) -> Result<(), Error> {
        if self.guard == Guard::Untouched {
            self.statement(|session| match session {
                Session::Sqlite(session) => session.control("SAVEPOINT unit"),
                Session::Postgres(session) => session.control("SAVEPOINT unit"),
            })?;
            self.guard = Guard::Savepoint;
        }
        Ok(())
    }

    /// Runs a statement unless an earlier one failed, and remembers if this one does.
    fn statement<T>(&mut self, run: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(poison) = &self.poison {
            return Err(poison.clone());
        }
        let result = run(&mut self.session);
        if let Err(error) = &result
            && error.poisons()
        {
            self.poison = Some(error.clone());
        }
        result
    }
}

impl WriteTx {
    fn new(session: Session) -> WriteTx {
        WriteTx {
            read: ReadTx {
                session,
                poison: None,
                guard: Guard::Alone,
            },
        }
    }

    /// Changes rows and tells how many.
    pub fn execute(&mut self, sql: &str, params: impl AsRef<[Value]>) -> Result<u64, Error> {
        let params = params.as_ref();
        self.protect()?;
        self.statement(|session| match session {
            Session::Sqlite(session) => session.execute(sql, params),
            Session::Postgres(session) => session.execute(sql, params),
        })
    }

    /// Changes rows when nobody needs to know how many.
    ///
    /// PostgreSQL is not waited for. An error of the statement shows in a later statement or at the commit.
    pub fn defer(&mut self, sql: &str, params: impl AsRef<[Value]>) -> Result<(), Error> {
        let params = params.as_ref();
        self.touch();
        self.statement(|session| match session {
            Session::Sqlite(session) => session.execute(sql, params).map(drop),
            Session::Postgres(session) => session.defer(sql, params),
        })
    }

    /// Inserts a row by `INSERT INTO .. VALUES ($1, .. $n)` when nobody needs to know about it.
    ///
    /// As [`defer`](WriteTx::defer); on PostgreSQL the rows of units that share a commit travel in one statement.
    pub fn insert(&mut self, sql: &'static str, params: impl AsRef<[Value]>) -> Result<(), Error> {
        let params = params.as_ref();
        self.touch();
        self.statement(|session| match session {
            Session::Sqlite(session) => session.execute(sql, params).map(drop),
            Session::Postgres(session) => session.insert(sql, params),
        })
    }

    /// Notes that a unit has begun with a statement whose answer it does not wait for.
    fn touch(&mut self) {
        if self.guard == Guard::Untouched {
            self.guard = Guard::Shared;
        }
    }

    /// Statements without parameters and without a time limit, for migrations.
    fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.statement(|session| match session {
            Session::Sqlite(session) => session.batch(sql),
            Session::Postgres(session) => session.batch(sql),
        })
    }
}

impl Deref for WriteTx {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.read
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut ReadTx {
        &mut self.read
    }
}
