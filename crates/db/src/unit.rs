//! What crosses from callers to database threads: a closure with the way back for its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::query::{Queries, Statement};
use crate::{Error, Row, WriteTx};

pub(crate) enum Job {
    Unit(Mode, Box<dyn Unit>),
    Find(Box<dyn Lookup>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    /// As if alone.
    Write,
    /// May share a commit.
    Batched,
    /// Alone, after others' locks, with time.
    Migrate,
}

/// A transaction's worth of work whose answer is kept until the outcome is certain.
pub(crate) trait Unit: Send {
    /// Runs the closure, once more if need be, and keeps its answer.
    fn run(&mut self, tx: &mut WriteTx) -> Ran;
    /// Sends the kept answer.
    fn answer(self: Box<Self>);
    /// Sends this error in place of the kept answer.
    fn fail(self: Box<Self>, error: Error);
    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool;
}

pub(crate) enum Ran {
    /// The closure said `Ok` and every statement succeeded.
    Ok,
    /// Roll back. The error is that of the statement which failed, if one did.
    Failed(Option<Error>),
}

pub(crate) struct UnitCell<F, T, E> {
    pub(crate) work: F,
    pub(crate) kept: Option<Result<T, E>>,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Unit for UnitCell<F, T, E>
where
    F: Fn(&mut WriteTx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &mut WriteTx) -> Ran {
        tx.read.poison = None;
        // A panic leaves nothing half-done that outlives it: the transaction is rolled
        // back, and the closure owns all else it could have touched.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(Error::internal("a database unit panicked").into()));
        let poison = tx.read.poison.take();
        let ran = match (&result, &poison) {
            (Ok(_), None) => Ran::Ok,
            (_, poison) => Ran::Failed(poison.clone()),
        };
        self.kept = Some(match (result, poison) {
            (Ok(_), Some(error)) => Err(error.into()),
            (result, _) => result,
        });
        ran
    }

    fn answer(self: Box<Self>) {
        let kept = self
            .kept
            .unwrap_or_else(|| Err(Error::internal("a database unit was not run").into()));
        // The caller may have given up waiting.
        let _ = self.reply.send(kept);
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error.into()));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// Statements whose values are known beforehand: sent together, answered together.
pub(crate) trait Lookup: Send {
    /// Hands its statements over, in the order of their numbers.
    fn take_statements(&mut self) -> Vec<Statement>;
    /// Reads a row of the statement with this number.
    fn row(&mut self, statement: usize, row: Row<'_>) -> Result<(), Error>;
    /// Sends the rows that were read, or this error.
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool;
}

pub(crate) struct LookupCell<Q: Queries> {
    pub(crate) statements: Vec<Statement>,
    pub(crate) answers: Q::Answers,
    /// None while the caller itself runs it.
    pub(crate) reply: Option<oneshot::Sender<Result<Q::Answers, Error>>>,
}

impl<Q: Queries> Lookup for LookupCell<Q> {
    fn take_statements(&mut self) -> Vec<Statement> {
        std::mem::take(&mut self.statements)
    }

    fn row(&mut self, statement: usize, row: Row<'_>) -> Result<(), Error> {
        catch_unwind(AssertUnwindSafe(|| Q::read(&mut self.answers, statement, row)))
            .unwrap_or_else(|_| Err(Error::internal("reading a row panicked")))
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let LookupCell { answers, reply, .. } = *self;
        if let Some(reply) = reply {
            // The caller may have given up waiting.
            let _ = reply.send(outcome.map(|()| answers));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}
