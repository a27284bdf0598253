//! PostgreSQL: a few threads that own one connection each.
//!
//! A thread drives tokio-postgres on a runtime of its own, which turns only while the
//! thread waits for an answer. What needs no answer (BEGIN, SAVEPOINT, RELEASE, deferred
//! statements) is sent and settled later, so a unit costs one round trip per question.
//! The session is read-only by default: should a BEGIN fail, nothing after it can write.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::Runtime;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::queue::Queue;
use crate::unit::{Job, Lookup, Mode, Ran, Unit};
use crate::value::Source;
use crate::{Counters, Durability, Error, ErrorKind, Options, Value, WriteTx};

/// Units in one commit, look-ups in one round trip.
const GROUP: usize = 64;
/// How often a unit is run again after losing against a concurrent one.
const RERUNS: u32 = 10;
/// What a server that ends statements after their time-out is given on top, before the connection counts as lost.
const GRACE: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection. A program has fewer; this only bounds a mistake.
const STATEMENTS: usize = 1024;

type Driver = Result<(), tokio_postgres::Error>;

pub(crate) struct Session {
    runtime: Runtime,
    connector: Connector,
    link: Option<Link>,
    /// Sent, not yet known to have worked; in the order of sending.
    unsettled: Vec<Pin<Box<dyn Future<Output = Driver> + Send>>>,
    /// An error among them, found when a later statement failed because of it.
    unsettled_failed: Option<Error>,
    patience: Duration,
    used_at: Instant,
    reconnect_at: Instant,
    back_off: Duration,
}

/// A connection and what was prepared on it.
struct Link {
    client: Arc<Client>,
    task: tokio::task::JoinHandle<()>,
    statements: HashMap<Box<str>, Statement>,
}

enum Settled {
    Done,
    /// The server reported an error: the transaction is rolled back.
    Failed(Error),
    /// The connection ended before the answer.
    Lost(Error),
}

impl Session {
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Source<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (client, statement) = self.prepare(sql, params.len())?;
        let rows = self.ask(async { client.query(&statement, &references(params)).await })?;
        rows.iter().try_for_each(|row| each(Source::Postgres(row)))
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        let (client, statement) = self.prepare(sql, params.len())?;
        self.ask(async { client.execute(&statement, &references(params)).await })
    }

    pub(crate) fn defer(&mut self, sql: &str, params: &[Value]) -> Result<(), Error> {
        let (client, statement) = self.prepare(sql, params.len())?;
        let params = params.to_vec();
        self.send(async move { client.execute(&statement, &references(&params)).await.map(drop) })
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        let client = self.client()?;
        self.patience = Duration::MAX;
        self.ask(async { client.batch_execute(sql).await })
    }

    fn client(&self) -> Result<Arc<Client>, Error> {
        self.link.as_ref().map(|link| Arc::clone(&link.client)).ok_or_else(lost)
    }

    fn prepare(&mut self, sql: &str, params: usize) -> Result<(Arc<Client>, Statement), Error> {
        let client = self.client()?;
        let known = self.link.as_ref().and_then(|link| link.statements.get(sql)).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let statement = self.ask(async { client.prepare(sql).await })?;
                let statements = &mut self.link.as_mut().ok_or_else(lost)?.statements;
                if statements.len() >= STATEMENTS {
                    statements.clear();
                }
                statements.insert(sql.into(), statement.clone());
                statement
            }
        };
        if statement.params().len() != params {
            return Err(Error::internal(
                "the parameters do not match the statement: $1 .. $n must all be used",
            ));
        }
        Ok((client, statement))
    }

    /// Waits for an answer. When it is an error, an unsettled statement before it may be the cause.
    fn ask<T>(&mut self, question: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        let error = match self.wait(question) {
            Ok(answer) => return Ok(answer),
            Err(error) => explain(&error),
        };
        match self.settle() {
            Settled::Done => Err(error),
            Settled::Failed(cause) => {
                self.unsettled_failed = Some(cause.clone());
                Err(cause)
            }
            Settled::Lost(cause) => Err(cause),
        }
    }

    /// Sends without waiting for the answer.
    fn send(&mut self, statement: impl Future<Output = Driver> + Send + 'static) -> Result<(), Error> {
        let mut statement: Pin<Box<dyn Future<Output = Driver> + Send>> = Box::pin(statement);
        // The driver hands the message to its connection in the first poll. An error at that
        // point means that nothing was sent, so the server would not know of it.
        match statement.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.unsettled.push(statement),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                self.drop_closed_link();
                return Err(explain(&error));
            }
        }
        Ok(())
    }

    /// Sends a statement of our own: transactions and savepoints.
    fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        let client = self.client()?;
        self.send(async move { client.batch_execute(sql).await })
    }

    /// Waits for everything that was sent. The first error counts; the server skips what follows it.
    fn settle(&mut self) -> Settled {
        let unsettled = std::mem::take(&mut self.unsettled);
        if unsettled.is_empty() {
            return if self.link.is_some() {
                Settled::Done
            } else {
                Settled::Lost(lost())
            };
        }
        let settled = self.wait(async {
            for statement in unsettled {
                statement.await?;
            }
            Ok(())
        });
        match settled {
            Ok(()) => Settled::Done,
            Err(error) if is_reported(&error) => Settled::Failed(explain(&error)),
            Err(error) => {
                self.link = None;
                Settled::Lost(explain(&error))
            }
        }
    }

    /// Turns the runtime until the answer is there. A server that stays silent has lost its connection.
    fn wait<T>(
        &mut self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let task = self.link.as_ref().map(|link| link.task.abort_handle());
        let patience = self.patience;
        let answer = self.runtime.block_on(async {
            let mut answer = pin!(answer);
            match tokio::time::timeout(patience, &mut answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    // Without its connection the driver ends the wait with an error.
                    task.inspect(|task| task.abort());
                    answer.await
                }
            }
        });
        if answer.is_err() {
            self.drop_closed_link();
        }
        if let Err(error) = &answer
            && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
            && let Some(link) = &mut self.link
        {
            // "cached plan must not change result type": a migration elsewhere changed a table.
            link.statements.clear();
        }
        answer
    }

    fn drop_closed_link(&mut self) {
        if self.link.as_ref().is_some_and(|link| link.client.is_closed()) {
            self.link = None;
        }
    }

    /// Makes sure of a connection before work is begun on it.
    fn wake(&mut self, counters: &Counters) -> Result<(), Error> {
        self.patience = self.connector.statement_timeout.saturating_add(GRACE);
        self.unsettled_failed = None;
        if self.used_at.elapsed() > Duration::from_secs(1) && self.link.is_some() {
            // The runtime stood still and may not have noticed that the server went away.
            self.runtime.block_on(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            });
            self.drop_closed_link();
        }
        self.used_at = Instant::now();
        if self.link.is_some() {
            return Ok(());
        }
        if self.used_at < self.reconnect_at {
            return Err(lost());
        }
        match self.connect() {
            Ok(()) => {
                Counters::add(&counters.reconnects, 1);
                tracing::info!("connected to PostgreSQL again");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "PostgreSQL cannot be reached");
                self.reconnect_at = Instant::now() + self.back_off;
                self.back_off = (self.back_off * 2).min(LONGEST_BACK_OFF);
                Err(error)
            }
        }
    }

    fn connect(&mut self) -> Result<(), Error> {
        self.unsettled.clear();
        let connector = &self.connector;
        let (client, task) = self.runtime.block_on(async {
            match tokio::time::timeout(CONNECT_TIMEOUT, connector.connect()).await {
                Ok(connected) => connected,
                Err(_) => Err(Error::unavailable(format!("{} does not answer", connector.place()))),
            }
        })?;
        self.link = Some(Link {
            client: Arc::new(client),
            task,
            statements: HashMap::new(),
        });
        self.back_off = Duration::from_millis(100);
        Ok(())
    }
}

fn references(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Integers, texts and bytes go into whatever column type holds them, so that the server may infer the types.
impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(int), &Type::INT8) => int.to_sql(ty, out),
            (Value::Int(int), &Type::INT4) => i32::try_from(*int)?.to_sql(ty, out),
            (Value::Int(int), &Type::INT2) => i16::try_from(*int)?.to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::UNKNOWN) => text.to_sql(ty, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (Value::Blob(bytes), &Type::UUID) if bytes.len() == 16 => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            (Value::Uuid(uuid), &Type::UUID | &Type::BYTEA) => {
                out.extend_from_slice(uuid.as_bytes());
                Ok(IsNull::No)
            }
            (value, ty) => Err(format!("{value:?} does not fit a parameter of type {ty}: use cast($1 AS ..)").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Value, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(ty, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Value::Text(String::from_sql(ty, raw)?)
            }
            Type::BYTEA => Value::Blob(raw.to_vec()),
            Type::UUID => Value::Uuid(uuid::Uuid::from_slice(raw)?),
            // `SELECT pg_advisory_xact_lock(..)`.
            Type::VOID => Value::Null,
            _ => return Err(format!("columns of type {ty} are not read: use cast(.. AS BIGINT) or AS TEXT").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Value, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(crate) fn column(row: &tokio_postgres::Row, index: usize) -> Result<Value, Error> {
    if index >= row.len() {
        return Err(Error::decode("the statement has no such column"));
    }
    row.try_get(index).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::decode(reason)
    })
}

/// Whether the server itself said that the statement, and with it the transaction, failed.
fn is_reported(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        let ends_connection = matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        !ends_connection
            && !db.code().code().starts_with("08")
            && *db.code() != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    })
}

fn lost() -> Error {
    Error::unavailable("PostgreSQL cannot be reached at the moment: check that it runs; it is tried again by itself")
}

/// The detail of a server's error holds the values that collided, so only its message is passed on.
fn explain(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let text = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if error.is_closed() || text.contains("communicating") {
            return Error::unavailable(format!("the connection to PostgreSQL was lost ({text})"));
        }
        return Error::internal(text);
    };
    let text = format!("{} ({})", db.message(), db.code().code());
    let code = db.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Error::conflict(text);
    }
    if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE {
        return Error::new(
            ErrorKind::Timeout,
            format!("a statement took longer than the statement time-out: {text}"),
        );
    }
    match &code.code()[..2] {
        "23" => Error::new(
            ErrorKind::Constraint {
                name: db.constraint().map(str::to_owned),
            },
            text,
        ),
        "53" => Error::unavailable(format!("PostgreSQL is short of disk, memory or connections: {text}")),
        "08" | "57" | "58" => Error::unavailable(format!("PostgreSQL ended the work: {text}")),
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Error::internal(format!(
            "{text}: a read cannot write, and a standby server cannot either"
        )),
        _ => Error::internal(text),
    }
}

#[derive(Clone)]
struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    durability: Durability,
    statement_timeout: Duration,
}

impl Connector {
    fn new(options: &Options) -> Result<Connector, Error> {
        let mut config: Config = options.url.parse().map_err(|error| {
            Error::unavailable(format!("the database URL is not understood: {error}")).because(error)
        })?;
        config
            .application_name("portolan")
            .keepalives_idle(Duration::from_secs(30));
        let tls = match (&options.tls_ca_file, config.get_ssl_mode()) {
            (_, SslMode::Disable) => None,
            (None, SslMode::Require) => {
                return Err(Error::unavailable(
                    "sslmode=require needs the certificate file of PostgreSQL's certification authority, \
                     because an unchecked certificate protects from nobody",
                ));
            }
            (None, _) => None,
            (Some(file), _) => {
                config.ssl_mode(SslMode::Require);
                Some(tls_from(file)?)
            }
        };
        Ok(Connector {
            config,
            tls,
            durability: options.durability,
            statement_timeout: options.statement_timeout,
        })
    }

    async fn connect(&self) -> Result<(Client, tokio::task::JoinHandle<()>), Error> {
        let refused = |error| self.explain_refusal(&error);
        let (client, task) = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(refused)?;
            (client, tokio::spawn(drive(connection)))
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(refused)?;
            (client, tokio::spawn(drive(connection)))
        };
        let durability = match self.durability {
            // A server may be set to wait for its replicas as well; that is not weakened.
            Durability::Full => {
                "SELECT set_config('synchronous_commit', 'on', false)
                  WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            }
            Durability::Off => "SET synchronous_commit = off",
        };
        let settings = format!(
            "SET statement_timeout = {};
             SET idle_in_transaction_session_timeout = 60000;
             SET default_transaction_read_only = on;
             {durability}",
            self.statement_timeout.as_millis().max(1)
        );
        client.batch_execute(&settings).await.map_err(refused)?;
        Ok((client, task))
    }

    /// Where the server is, without user and password.
    fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let ports = self.config.get_ports().iter().map(u16::to_string).collect::<Vec<_>>();
        let port = if ports.is_empty() {
            "5432".to_owned()
        } else {
            ports.join(",")
        };
        format!("PostgreSQL at {} port {port}", hosts.collect::<Vec<_>>().join(","))
    }

    fn explain_refusal(&self, error: &tokio_postgres::Error) -> Error {
        let source = std::error::Error::source(error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        let (text, remedy) = match error.as_db_error() {
            Some(db) => {
                let remedy = match db.code().code() {
                    "28P01" | "28000" => "check user and password in the database URL, and pg_hba.conf",
                    "3D000" => "create the database first: createdb",
                    "53300" => "raise max_connections there, or use fewer connections here",
                    "57P03" => "it is starting or stopping, try again",
                    _ => "see its log",
                };
                (db.message().to_owned(), remedy)
            }
            None => (
                format!("{error}{source}"),
                "does it run, does it listen there, do its TLS settings agree?",
            ),
        };
        Error::unavailable(format!("{} refuses the connection ({text}): {remedy}", self.place()))
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(error = %explain(&error), "a PostgreSQL connection ended");
    }
}

/// Only the given authority is trusted, and the name of the server must match its certificate.
fn tls_from(file: &std::path::Path) -> Result<MakeRustlsConnect, Error> {
    let unreadable = |reason: String| {
        Error::unavailable(format!(
            "the certificate file {} cannot be used: {reason}",
            file.display()
        ))
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("it holds no certificate in PEM form".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

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
        let body = move || match open(connector) {
            Ok(session) => {
                let _ = report.send(Ok(()));
                drop(report);
                Worker {
                    tx: WriteTx::new(crate::Session::Postgres(session)),
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

fn open(connector: Connector) -> Result<Session, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::unavailable(format!("cannot start a database thread: {error}")))?;
    let now = Instant::now();
    let mut session = Session {
        runtime,
        patience: connector.statement_timeout.saturating_add(GRACE),
        connector,
        link: None,
        unsettled: Vec::new(),
        unsettled_failed: None,
        used_at: now,
        reconnect_at: now,
        back_off: Duration::from_millis(100),
    };
    session.connect()?;
    Ok(session)
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
