//! SQLite: one writer thread with group commit, a few reader threads.
//!
//! A durable commit costs an fsync whatever it holds, so the writer runs all units that
//! wait, commits them together, and answers after that. Other processes
//! (operator commands) may write the same file; `BEGIN IMMEDIATE` waits for them.

mod direct;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags};
use uuid::Uuid;

use crate::queue::Queue;
use crate::unit::{Job, Lookup, Mode, Ran, Unit};
use crate::value::Source;
use crate::{Counters, Durability, Error, ErrorKind, Guard, Options, Row, Value, WriteTx};

pub(crate) use direct::Direct;

/// How long a writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A group is closed by either bound. Longer groups would save little of an fsync's cost
/// and let the first of them wait.
const GROUP_UNITS: usize = 64;
const GROUP_TIME: Duration = Duration::from_millis(10);
/// Virtual machine steps between two looks at the clock, about a tenth of a millisecond.
const STEPS_PER_CLOCK: i32 = 10_000;

pub(crate) struct Session {
    connection: Connection,
    /// Microseconds since `epoch` at which the running statement was first seen, 0 if not yet.
    statement_seen: Arc<AtomicU64>,
}

pub(crate) fn start(
    path: &Path,
    options: &Options,
    reads: &Arc<Queue<Job>>,
    writes: &Arc<Queue<Job>>,
    counters: &Arc<Counters>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    create_private(path)?;
    // The writer comes first: it switches a new file to WAL.
    let writer = Writer {
        tx: open(path, options, Role::Writer)?,
        counters: Arc::clone(counters),
    };
    let readers = (0..options.connections.max(1))
        .map(|_| open(path, options, Role::Reader))
        .collect::<Result<Vec<_>, _>>()?;
    let queue = Arc::clone(writes);
    let mut threads = vec![spawn("sqlite-writer", move || writer.serve(&queue))?];
    for tx in readers {
        let (queue, counters) = (Arc::clone(reads), Arc::clone(counters));
        threads.push(spawn("sqlite-reader", move || serve_reads(tx, &queue, &counters))?);
    }
    Ok(threads)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| Error::unavailable(format!("cannot start a database thread: {error}")))
}

/// Token hashes and sealed keys are nobody else's business. SQLite gives `-wal` and `-shm` the mode of the file.
fn create_private(path: &Path) -> Result<(), Error> {
    let mut file = std::fs::OpenOptions::new();
    file.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop).map_err(|error| {
        let path = path.display();
        Error::unavailable(format!(
            "cannot open the database file {path}: {error}; check the folder and its owner"
        ))
        .because(error)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
}

fn open(path: &Path, options: &Options, role: Role) -> Result<WriteTx, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |error| explain(error).within(path.display());
    let mut connection = Connection::open_with_flags(path, flags).map_err(at)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    connection.set_prepared_statement_cache_capacity(512);
    // Plans that do not depend on the bound values. Otherwise a cached statement, whose
    // values are cleared after each use, is planned anew whenever they are bound again.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(at)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(at)?;
    if mode != "wal" {
        return Err(Error::unavailable(format!(
            "{} cannot use a write-ahead log (mode {mode}): put it on a local file system",
            path.display()
        )));
    }
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    // A mapped file is read without a system call per page. So the cache holds little but what is
    // still in the log; a larger one costs more than it saves, because SQLite may look through all
    // of it at a commit. Rare checkpoints and a log that shrinks again keep both the writer and the
    // disk in measure.
    let settings = format!(
        "PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 2147418112;
         PRAGMA cache_size = -8192;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA query_only = {};",
        if role == Role::Reader { "ON" } else { "OFF" }
    );
    connection.execute_batch(&settings).map_err(at)?;
    let statement_seen = Arc::new(AtomicU64::new(0));
    limit_time(&mut connection, options.statement_timeout, &statement_seen).map_err(at)?;
    Ok(WriteTx::new(crate::Session::Sqlite(Session {
        connection,
        statement_seen,
    })))
}

/// Interrupts long statements. The clock is read only by those that take many steps, so short ones pay nothing.
fn limit_time(connection: &mut Connection, limit: Duration, seen: &Arc<AtomicU64>) -> rusqlite::Result<()> {
    let seen = Arc::clone(seen);
    let epoch = Instant::now();
    let limit = limit.as_micros() as u64;
    let is_late = move || {
        let now = epoch.elapsed().as_micros() as u64 + 1;
        match seen.load(Ordering::Relaxed) {
            NO_LIMIT => false,
            0 => {
                seen.store(now, Ordering::Relaxed);
                false
            }
            first => now - first > limit,
        }
    };
    connection.progress_handler(STEPS_PER_CLOCK, Some(is_late))
}

/// In place of a time: the statement may take as long as it likes.
const NO_LIMIT: u64 = u64::MAX;

impl Session {
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Source<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        // All rows are visited even if one is enough: a foreign key is checked when the statement ends.
        while let Some(row) = rows.next().map_err(explain)? {
            each(Source::Sqlite(row))?;
        }
        Ok(())
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        let changed = self.prepare(sql, params)?.raw_execute().map_err(explain)?;
        Ok(changed as u64)
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.statement_seen.store(NO_LIMIT, Ordering::Relaxed);
        self.connection.execute_batch(sql).map_err(explain)
    }

    /// Several statements see one snapshot; a single one needs no transaction for that.
    fn look_up(&mut self, lookup: &mut dyn Lookup) -> Result<(), Error> {
        // What could not be ended shows an old moment: a token revoked since would seem active.
        if self.is_in_transaction() {
            roll_back(self);
            if self.is_in_transaction() {
                return Err(Error::unavailable(
                    "a connection to the store is in an old transaction: restart the server",
                ));
            }
        }
        let statements = lookup.take_statements();
        if let [only] = statements.as_slice() {
            return self.query(&only.sql, &only.params, &mut |row| lookup.row(0, Row::new(row)));
        }
        self.control("BEGIN")?;
        let outcome = statements.iter().enumerate().try_for_each(|(number, one)| {
            self.query(&one.sql, &one.params, &mut |row| lookup.row(number, Row::new(row)))
        });
        if let Err(error) = self.control("COMMIT") {
            tracing::warn!(%error, "a reader could not end its snapshot");
            roll_back(self);
        }
        outcome
    }

    /// To SQLite `$2` is a name, numbered by first appearance. The name says which value is meant.
    fn prepare(&mut self, sql: &str, params: &[Value]) -> Result<CachedStatement<'_>, Error> {
        self.statement_seen.store(0, Ordering::Relaxed);
        let mut statement = self.connection.prepare_cached(sql).map_err(explain)?;
        let mut highest = 0;
        for index in 1..=statement.parameter_count() {
            let name = statement.parameter_name(index).and_then(|name| name.strip_prefix('$'));
            let number = name.and_then(|name| name.parse::<usize>().ok()).unwrap_or(0);
            let value = number
                .checked_sub(1)
                .and_then(|position| params.get(position))
                .ok_or_else(wrong_count)?;
            highest = highest.max(number);
            statement.raw_bind_parameter(index, value).map_err(explain)?;
        }
        if highest == params.len() {
            Ok(statement)
        } else {
            Err(wrong_count())
        }
    }

    /// A statement of our own: transactions and savepoints.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.prepare(sql, &[])?.raw_execute().map_err(explain)?;
        Ok(())
    }

    fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}

fn wrong_count() -> Error {
    Error::internal("the parameters do not match the statement: $1 .. $n must all be used")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Uuid(uuid) => ValueRef::Blob(uuid.as_bytes()),
        }))
    }
}

pub(crate) fn column(row: &rusqlite::Row<'_>, index: usize) -> Result<Value, Error> {
    let value = row
        .get_ref(index)
        .map_err(|_| Error::decode("the statement has no such column"))?;
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| Error::decode("the text is not UTF-8"))?;
            Value::Text(text.to_owned())
        }
        // The bytes of a UUID, most often, which then need no place of their own.
        ValueRef::Blob(bytes) => match Uuid::from_slice(bytes) {
            Ok(uuid) => Value::Uuid(uuid),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
        ValueRef::Real(_) => return Err(Error::decode("the column is a floating-point number")),
    })
}

fn session(tx: &mut WriteTx) -> &mut Session {
    match &mut tx.session {
        crate::Session::Sqlite(session) => session,
        crate::Session::Postgres(_) => unreachable!("a SQLite thread holds a SQLite connection"),
    }
}

fn serve_reads(mut tx: WriteTx, queue: &Queue<Job>, counters: &Counters) {
    while let Some(job) = queue.pop() {
        match job {
            Job::Find(mut lookup) => {
                Counters::add(&counters.finds, 1);
                if !lookup.is_abandoned() {
                    let outcome = session(&mut tx).look_up(lookup.as_mut());
                    lookup.answer(outcome);
                }
            }
            Job::Unit(_, unit) => {
                Counters::add(&counters.units, 1);
                if !unit.is_abandoned() {
                    read(&mut tx, unit);
                }
            }
        }
    }
}

fn read(tx: &mut WriteTx, mut unit: Box<dyn Unit>) {
    if let Err(error) = session(tx).control("BEGIN") {
        return unit.fail(error);
    }
    unit.run(tx);
    if let Err(error) = session(tx).control("COMMIT") {
        tracing::warn!(%error, "a reader could not end its snapshot");
        roll_back(session(tx));
    }
    unit.answer();
}

/// Ends whatever transaction there is. Whether it worked, `is_in_transaction` tells.
fn roll_back(session: &mut Session) {
    if session.is_in_transaction()
        && let Err(error) = session.control("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

struct Writer {
    tx: WriteTx,
    counters: Arc<Counters>,
}

/// A unit and what became of it.
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
}

enum Commit {
    Saved,
    /// The engine took everything back.
    RolledBack(Error),
    Unknown(Error),
}

impl Writer {
    fn serve(mut self, queue: &Queue<Job>) {
        while let Some(job) = queue.pop() {
            self.serve_group(job, queue);
        }
        // The next start finds a short log; if somebody still reads, it finds a longer one.
        let _ = session(&mut self.tx)
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Runs the units that wait, and those that come meanwhile, up to one common commit.
    fn serve_group(&mut self, first: Job, queue: &Queue<Job>) {
        if let Err(error) = session(&mut self.tx).control("BEGIN IMMEDIATE") {
            // Who waits has waited for the same lock, and would wait for it again.
            let mut group = vec![first];
            queue.gather(&mut group, GROUP_UNITS, |_| true);
            return group
                .into_iter()
                .map(expect_unit)
                .for_each(|(_, unit)| unit.fail(error.clone()));
        }
        let started = Instant::now();
        let mut next = Some(first);
        let mut done: Vec<Done> = Vec::new();
        while let Some((mode, mut unit)) = next.take().map(expect_unit) {
            Counters::add(&self.counters.units, 1);
            match self.run_guarded(unit.as_mut()) {
                Ok(wish) => done.push(Done { unit, wish }),
                Err(error) => {
                    roll_back(session(&mut self.tx));
                    unit.fail(error);
                    return self.run_one_by_one(done);
                }
            }
            if !session(&mut self.tx).is_in_transaction() {
                // The whole transaction ended, that of innocent units too: a full disk, an interruption, an
                // insert that could not be taken back alone.
                return self.run_one_by_one(done);
            }
            if mode != Mode::Migrate && done.len() < GROUP_UNITS && started.elapsed() < GROUP_TIME {
                next = queue.try_pop();
            }
        }
        self.finish(done);
    }

    /// What the unit wants. An error is one of the savepoint, not of the unit.
    fn run_guarded(&mut self, unit: &mut dyn Unit) -> Result<Wish, Error> {
        self.tx.guard = Guard::Untouched;
        let ran = unit.run(&mut self.tx);
        let guard = std::mem::replace(&mut self.tx.guard, Guard::Alone);
        let session = session(&mut self.tx);
        let wish = match ran {
            Ran::Ok => Wish::Keep,
            Ran::Failed(None) => Wish::Refuse,
            Ran::Failed(Some(_)) => Wish::Fail,
        };
        if !session.is_in_transaction() {
            let by_error = wish == Wish::Fail;
            return if by_error {
                Ok(wish)
            } else {
                Err(Error::internal("a database unit ended its own transaction"))
            };
        }
        match (guard, wish) {
            (Guard::Savepoint, Wish::Keep) => session.control("RELEASE unit")?,
            (Guard::Savepoint, _) => {
                session.control("ROLLBACK TO unit")?;
                session.control("RELEASE unit")?;
            }
            (_, Wish::Keep) | (Guard::Untouched, Wish::Refuse) => {}
            // It cannot be taken back alone, so the others go with it and are run again.
            _ => roll_back(session),
        }
        Ok(wish)
    }

    fn finish(&mut self, done: Vec<Done>) {
        match self.commit() {
            Commit::Saved => {
                self.counters
                    .group(done.iter().filter(|done| done.wish == Wish::Keep).count());
                done.into_iter().for_each(|done| done.unit.answer());
            }
            // What one unit cannot commit (a deferred constraint, a full disk) must not fail the others.
            Commit::RolledBack(error) if done.len() > 1 => {
                tracing::debug!(%error, "a common commit was rolled back, its units are run one by one");
                self.run_one_by_one(done);
            }
            Commit::RolledBack(error) => fail_all(done, &error),
            Commit::Unknown(error) => {
                Counters::add(&self.counters.unknown_outcomes, done.len());
                fail_all(done, &Error::outcome_unknown(&error));
            }
        }
    }

    /// Runs units again after the engine has rolled their group back. Nothing was saved, so
    /// even refusals may have been misled by a neighbour; errors stand, they may have been the cause.
    fn run_one_by_one(&mut self, done: Vec<Done>) {
        for Done { mut unit, wish } in done {
            if wish == Wish::Fail {
                unit.answer();
                continue;
            }
            Counters::add(&self.counters.retries, 1);
            if let Err(error) = session(&mut self.tx).control("BEGIN IMMEDIATE") {
                unit.fail(error);
            } else if matches!(unit.run(&mut self.tx), Ran::Ok) {
                self.finish(vec![Done { unit, wish: Wish::Keep }]);
            } else {
                roll_back(session(&mut self.tx));
                unit.answer();
            }
        }
    }

    fn commit(&mut self) -> Commit {
        let session = session(&mut self.tx);
        let result = session
            .connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.raw_execute());
        let Err(error) = result else { return Commit::Saved };
        roll_back(session);
        // A full disk or a deferred constraint ends the transaction for certain. After a failed
        // write or fsync of the log nobody knows what a restart would find in it.
        let code = error.sqlite_error_code();
        let certain = matches!(
            code,
            Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseBusy | ErrorCode::DiskFull)
        );
        let error = explain(error);
        if certain && !session.is_in_transaction() {
            Commit::RolledBack(error)
        } else {
            Commit::Unknown(error)
        }
    }
}

fn expect_unit(job: Job) -> (Mode, Box<dyn Unit>) {
    match job {
        Job::Unit(mode, unit) => (mode, unit),
        Job::Find(_) => unreachable!("look-ups go to the readers"),
    }
}

/// Units whose statement had failed keep that error.
fn fail_all(done: Vec<Done>, error: &Error) {
    for Done { unit, wish } in done {
        if wish == Wish::Fail {
            unit.answer()
        } else {
            unit.fail(error.clone())
        }
    }
}

/// Copies the store page by page from one snapshot. The copy gets its name when it is complete and on disk.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<(), Error> {
    let partial = to.with_added_extension("partial");
    let at_target = |error: std::io::Error| {
        Error::unavailable(format!("cannot write the backup {}: {error}", to.display())).because(error)
    };
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at_target(error)),
        _ => create_private(&partial)?,
    }
    copy(from, &partial).map_err(|error| explain(error).within(to.display()))?;
    std::fs::File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(at_target)?;
    std::fs::rename(&partial, to).map_err(at_target)?;
    let folder = to
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at_target)
}

fn copy(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    // Without this snapshot every commit of another connection would start the copy anew.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    let mut target = Connection::open(to)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let backup = rusqlite::backup::Backup::new(&source, &mut target)?;
    // Small steps with short rests leave the disk and the processor to the server.
    backup.run_to_completion(512, Duration::from_millis(1), None)
}

fn explain(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    let found = match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => {
            let name = constraint_name(&error, &text);
            Error::new(ErrorKind::Constraint { name }, &text)
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            ErrorKind::Busy,
            "another process holds the database file's write lock: try again, or end the long-running command",
        ),
        Some(ErrorCode::OperationInterrupted) => Error::new(
            ErrorKind::Timeout,
            "a statement took longer than the statement time-out",
        ),
        Some(ErrorCode::DiskFull) => {
            Error::unavailable("the disk of the database file is full: free some space, nothing was changed")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Error::unavailable(format!(
            "the database file cannot be opened for writing ({text}): check the owner and mode of file and folder"
        )),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::internal(format!(
            "the database file is damaged or no database ({text}): restore it from a backup"
        )),
        Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed) => {
            Error::unavailable(format!("the disk of the database file reports an error: {text}"))
        }
        _ => Error::internal(&text),
    };
    found.because(error)
}

/// The name that PostgreSQL would have given: `UNIQUE constraint failed: clients.project_id, clients.name`
/// is `clients_project_id_name_key` there. Checks say their own name.
fn constraint_name(error: &rusqlite::Error, text: &str) -> Option<String> {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    let (_, what) = text.split_once(" constraint failed: ")?;
    let suffix = match error.sqlite_error()?.extended_code {
        SQLITE_CONSTRAINT_CHECK => return Some(what.to_owned()),
        SQLITE_CONSTRAINT_PRIMARYKEY => "pkey",
        SQLITE_CONSTRAINT_UNIQUE => "key",
        _ => return None,
    };
    let mut columns = what.split(", ").filter_map(|column| column.split_once('.'));
    let (table, first) = columns.next()?;
    if suffix == "pkey" {
        return Some(format!("{table}_pkey"));
    }
    let rest: String = columns.map(|(_, column)| format!("_{column}")).collect();
    Some(format!("{table}_{first}{rest}_{suffix}"))
}
