//! One connection with its prepared statements.
//!
//! A thread drives tokio-postgres on a runtime of its own, which turns only while the
//! thread waits for an answer. What needs no answer (BEGIN, SAVEPOINT, RELEASE, deferred
//! statements) is sent and settled later, so a unit costs one round trip per question.
//! The session is read-only by default: should a BEGIN fail, nothing after it can write.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};

use super::arrays::{columns, for_several, names};
use super::connector::Connector;
use super::convert::{explain, is_reported, lost, references};
use crate::value::Source;
use crate::{Counters, Error, Value};

/// What a server that ends statements after their time-out is given on top, before the connection counts as lost.
const GRACE: Duration = Duration::from_secs(2);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection. A program has fewer; this only bounds a mistake.
const STATEMENTS: usize = 1024;
/// Rows in one INSERT.
const MOST_ROWS: usize = 512;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

type Driver = Result<(), tokio_postgres::Error>;

/// A statement that was sent, on its way to its rows.
pub(super) type Question =
    Pin<Box<dyn Future<Output = Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>> + Send>>;

pub(crate) struct Session {
    runtime: Runtime,
    connector: Connector,
    pub(super) link: Option<Link>,
    /// Sent, not yet known to have worked; in the order of sending.
    unsettled: Vec<Pin<Box<dyn Future<Output = Driver> + Send>>>,
    /// Rows to be inserted, not yet sent; those of one statement travel together.
    rows: Vec<Rows>,
    /// The server has reported an error since the transaction or its last savepoint was begun or
    /// taken back: it would commit nothing.
    pub(super) aborted: Option<Error>,
    /// An error among them, found when a later statement failed because of it.
    pub(super) unsettled_failed: Option<Error>,
    patience: Duration,
    used_at: Instant,
    reconnect_at: Instant,
    back_off: Duration,
}

/// Rows of one `INSERT .. VALUES (..)`.
struct Rows {
    sql: &'static str,
    rows: Vec<Vec<Value>>,
}

/// Head, row and tail of `INSERT .. VALUES ($1, .. $n) ..`.
fn split_insert(sql: &str) -> Result<(&str, &str, &str), Error> {
    let parts = sql.split_once("VALUES (").and_then(|(head, rest)| {
        let (row, tail) = rest.split_once(')')?;
        Some((head, row, tail))
    });
    parts.ok_or_else(|| Error::internal("a row is inserted by INSERT .. VALUES ($1, .. $n)"))
}

/// What is right for one row must be so for several: each value once, in order, and none elsewhere.
fn check_insert(sql: &str, params: usize) -> Result<(), Error> {
    let (head, row, tail) = split_insert(sql)?;
    let in_order = row
        .split(',')
        .map(str::trim)
        .eq((1..=params).map(|number| format!("${number}")));
    if params == 0 || !in_order || head.contains('$') || tail.contains('$') {
        return Err(Error::internal(
            "a row is inserted by INSERT .. VALUES ($1, .. $n), without other parameters",
        ));
    }
    Ok(())
}

/// `VALUES ($1, $2) ..` for many rows: `SELECT * FROM unnest($1::bigint[], $2::text[]) ..`.
fn for_rows(sql: &str, types: &[Type]) -> Result<String, Error> {
    let (head, _, tail) = split_insert(sql)?;
    let arrays = names(types).ok_or_else(|| Error::internal("there is no array of what is inserted"))?;
    Ok(format!("{head}SELECT * FROM unnest({}){tail}", arrays.join(", ")))
}

/// A connection and what was prepared on it.
pub(super) struct Link {
    client: Arc<Client>,
    task: tokio::task::JoinHandle<()>,
    statements: HashMap<Box<str>, Statement>,
    /// What several ask at once, by the statement for one.
    together: HashMap<Box<str>, Option<Statement>>,
}

/// The parameters of a statement, each way it is asked.
pub(super) type Params = Arc<Vec<Vec<Value>>>;

/// With which of the parameters a statement is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    One(usize),
    All,
}

/// A statement of a look-up that can be sent.
pub(super) struct Prepared {
    client: Arc<Client>,
    statement: Statement,
    params: Params,
    who: Who,
}

impl Prepared {
    /// Sends it; its rows are awaited later.
    pub(super) fn send(self) -> Question {
        let Prepared {
            client,
            statement,
            params,
            who,
        } = self;
        let asked = async move {
            let params = params.as_slice();
            match who {
                Who::One(values) => client.query(&statement, &references(&params[values])).await,
                Who::All => {
                    let columns = columns(params);
                    client.query(&statement, &references(&columns)).await
                }
            }
        };
        let mut question: Question = Box::pin(asked);
        // The driver hands the message to its connection in the first poll.
        match question.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => question,
            Poll::Ready(ended) => Box::pin(std::future::ready(ended)),
        }
    }
}

pub(super) enum Settled {
    Done,
    /// The server reported an error: the transaction is rolled back.
    Failed(Error),
    /// The connection ended before the answer.
    Lost(Error),
}

impl Session {
    pub(super) fn open(connector: Connector) -> Result<Session, Error> {
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
            rows: Vec::new(),
            aborted: None,
            unsettled_failed: None,
            used_at: now,
            reconnect_at: now,
            back_off: Duration::from_millis(100),
        };
        session.connect()?;
        Ok(session)
    }

    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Source<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.send_rows()?;
        let (client, statement) = self.prepare(sql, params.len())?;
        let rows = self.ask(async { client.query(&statement, &references(params)).await })?;
        rows.iter().try_for_each(|row| each(Source::Postgres(row, row.len())))
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        self.send_rows()?;
        let (client, statement) = self.prepare(sql, params.len())?;
        self.ask(async { client.execute(&statement, &references(params)).await })
    }

    pub(crate) fn defer(&mut self, sql: &str, params: &[Value]) -> Result<(), Error> {
        self.send_rows()?;
        self.send_later(sql, params.to_vec())
    }

    /// Keeps a row until something else is sent. The rows of a statement then go in one.
    pub(crate) fn insert(&mut self, sql: &'static str, params: &[Value]) -> Result<(), Error> {
        match self.rows.iter_mut().find(|rows| rows.sql == sql) {
            Some(rows) if rows.rows.iter().all(|row| row.len() == params.len()) => rows.rows.push(params.to_vec()),
            Some(_) => {
                return Err(Error::internal(
                    "the rows of an INSERT differ in the number of their parameters",
                ));
            }
            None => {
                check_insert(sql, params.len())?;
                self.rows.push(Rows {
                    sql,
                    rows: vec![params.to_vec()],
                });
            }
        }
        Ok(())
    }

    fn send_rows(&mut self) -> Result<(), Error> {
        for Rows { sql, mut rows } in std::mem::take(&mut self.rows) {
            if let [row] = &mut rows[..] {
                self.send_later(sql, std::mem::take(row))?;
                continue;
            }
            let width = rows.first().map_or(0, Vec::len);
            let (_, for_one) = self.prepare(sql, width)?;
            let (client, statement) = self.prepare(&for_rows(sql, for_one.params())?, width)?;
            while !rows.is_empty() {
                let rest = rows.split_off(rows.len().min(MOST_ROWS));
                let (client, statement) = (Arc::clone(&client), statement.clone());
                self.send(async move {
                    let columns = columns(&rows);
                    client.execute(&statement, &references(&columns)).await.map(drop)
                })?;
                rows = rest;
            }
        }
        Ok(())
    }

    fn send_later(&mut self, sql: &str, params: Vec<Value>) -> Result<(), Error> {
        let (client, statement) = self.prepare(sql, params.len())?;
        self.send(async move { client.execute(&statement, &references(&params)).await.map(drop) })
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.send_rows()?;
        let client = self.client()?;
        self.patience = Duration::MAX;
        self.ask(async { client.batch_execute(sql).await })
    }

    fn client(&self) -> Result<Arc<Client>, Error> {
        self.link.as_ref().map(|link| Arc::clone(&link.client)).ok_or_else(lost)
    }

    pub(super) fn prepare(&mut self, sql: &str, params: usize) -> Result<(Arc<Client>, Statement), Error> {
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
        self.aborted = Some(error.clone());
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

    /// Makes a statement of a look-up ready to be sent.
    pub(super) fn prepare_question(&mut self, sql: &str, params: &Params, values: usize) -> Result<Prepared, Error> {
        let (client, statement) = self.prepare(sql, params[values].len())?;
        Ok(Prepared {
            client,
            statement,
            params: Arc::clone(params),
            who: Who::One(values),
        })
    }

    /// The same for all who ask it; none if it cannot be asked together.
    pub(super) fn prepare_together(&mut self, sql: &str, params: &Params) -> Result<Option<Prepared>, Error> {
        let known = self.link.as_ref().and_then(|link| link.together.get(sql)).cloned();
        let found = match known {
            Some(found) => found,
            None => {
                let width = params.first().map_or(0, Vec::len);
                let (_, alone) = self.prepare(sql, width)?;
                let found = match for_several(sql, alone.params()) {
                    Some(text) => self.prepare(&text, width).ok().map(|(_, statement)| statement),
                    None => None,
                };
                let together = &mut self.link.as_mut().ok_or_else(lost)?.together;
                if together.len() >= STATEMENTS {
                    together.clear();
                }
                together.insert(sql.into(), found.clone());
                found
            }
        };
        let (Some(statement), client) = (found, self.client()?) else {
            return Ok(None);
        };
        let width = statement.params().len();
        if params.iter().any(|params| params.len() != width) {
            return Ok(None);
        }
        Ok(Some(Prepared {
            client,
            statement,
            params: Arc::clone(params),
            who: Who::All,
        }))
    }

    /// Sends a statement of our own: transactions and savepoints.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        if sql.starts_with("ROLLBACK") {
            self.rows.clear();
            self.aborted = None;
        }
        if sql.starts_with("BEGIN") {
            self.aborted = None;
        }
        self.send_rows()?;
        let client = self.client()?;
        self.send(async move { client.batch_execute(sql).await })
    }

    /// Waits for everything that was sent. The first error counts; the server skips what follows it.
    pub(super) fn settle(&mut self) -> Settled {
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
            Err(error) if is_reported(&error) => {
                let error = explain(&error);
                self.aborted = Some(error.clone());
                Settled::Failed(error)
            }
            Err(error) => {
                self.link = None;
                Settled::Lost(explain(&error))
            }
        }
    }

    /// Turns the runtime until the answer is there. A server that stays silent has lost its connection.
    pub(super) fn wait<T>(
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
            link.together.clear();
        }
        answer
    }

    pub(super) fn drop_closed_link(&mut self) {
        if self.link.as_ref().is_some_and(|link| link.client.is_closed()) {
            self.link = None;
        }
    }

    /// Makes sure of a connection before work is begun on it.
    pub(super) fn wake(&mut self, counters: &Counters) -> Result<(), Error> {
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
        self.rows.clear();
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
            together: HashMap::new(),
        });
        self.back_off = Duration::from_millis(100);
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Type, check_insert, for_rows};

    #[test]
    fn an_insert_is_repeated_for_each_row() {
        let sql = "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING";
        assert!(check_insert(sql, 2).is_ok());
        assert_eq!(
            for_rows(sql, &[Type::INT8, Type::TEXT]).unwrap(),
            "INSERT INTO t (a, b) SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT (a) DO NOTHING"
        );
        assert!(for_rows(sql, &[Type::BOOL]).is_err());
    }

    #[test]
    fn what_would_go_wrong_with_several_rows_is_refused_with_one() {
        for (sql, params) in [
            ("INSERT INTO t DEFAULT VALUES", 0),
            ("INSERT INTO t (a) VALUES ()", 0),
            ("INSERT INTO t (a, b) VALUES ($2, $1)", 2),
            ("INSERT INTO t (a, b) VALUES ($1, 0)", 1),
            ("INSERT INTO t (a, b) VALUES ($1, $2)", 3),
            ("INSERT INTO t (a) VALUES (lower($1))", 1),
            ("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1", 1),
            ("INSERT INTO t (a) SELECT $1", 1),
        ] {
            assert!(check_insert(sql, params).is_err(), "{sql}");
        }
    }
}
