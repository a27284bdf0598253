//! Statements as values: what is asked, with which parameters, and what its rows are read into.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::{Error, FromRow, Row, Value};

/// A `SELECT` with its parameters; each row is read into a `T`.
///
/// It can be run in a transaction ([`ReadTx::fetch`](crate::ReadTx::fetch)), or together with others outside of
/// one ([`Db::find`](crate::Db::find)).
///
/// ```
/// use portolan_db::{params, Query};
/// fn names_of(owner: i64) -> Query<String> {
///     Query::new("SELECT name FROM things WHERE owner = $1", params![owner])
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Query<T> {
    statement: Statement,
    row: PhantomData<fn() -> T>,
}

impl<T: FromRow> Query<T> {
    pub fn new(sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Value>>) -> Query<T> {
        Query {
            statement: Statement {
                sql: sql.into(),
                params: params.into(),
            },
            row: PhantomData,
        }
    }

    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// The text of a statement and its values, `$1` first.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) params: Vec<Value>,
}

/// What [`Db::find`](crate::Db::find) takes: one [`Query`], or a tuple of up to five.
pub trait Queries: sealed::Sealed + Send + 'static {
    /// The rows of each query.
    type Answers: Default + Send + 'static;

    #[doc(hidden)]
    fn into_statements(self) -> Vec<Statement>;

    #[doc(hidden)]
    fn read(answers: &mut Self::Answers, statement: usize, row: Row<'_>) -> Result<(), Error>;
}

mod sealed {
    pub trait Sealed {}
}

impl<T> sealed::Sealed for Query<T> {}

impl<T: FromRow + Send + 'static> Queries for Query<T> {
    type Answers = Vec<T>;

    fn into_statements(self) -> Vec<Statement> {
        vec![self.statement]
    }

    fn read(answers: &mut Vec<T>, _: usize, row: Row<'_>) -> Result<(), Error> {
        let row = row.read(answers.last())?;
        answers.push(row);
        Ok(())
    }
}

macro_rules! tuple {
    ($($row:ident $number:tt),*) => {
        impl<$($row),*> sealed::Sealed for ($(Query<$row>,)*) {}

        impl<$($row: FromRow + Send + 'static),*> Queries for ($(Query<$row>,)*) {
            type Answers = ($(Vec<$row>,)*);

            fn into_statements(self) -> Vec<Statement> {
                vec![$(self.$number.statement),*]
            }

            fn read(answers: &mut Self::Answers, statement: usize, row: Row<'_>) -> Result<(), Error> {
                match statement {
                    $($number => {
                        let row = row.read(answers.$number.last())?;
                        answers.$number.push(row);
                    })*
                    _ => return Err(Error::internal("there is no such statement in the look-up")),
                }
                Ok(())
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
