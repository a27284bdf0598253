//! Look-ups of many callers in one round trip.
//!
//! Executing a statement costs PostgreSQL more than what it finds: a plan over six tables is set
//! up and taken down each time. So what several callers ask in the same words is asked once, with
//! their values as arrays: `SELECT .. FROM unnest(..) AS q, LATERAL (the statement over q)`. Each
//! caller's part of it is planned and run as it would be alone. Callers that ask about the same
//! values (which client a busy service is, before each of its calls) share one answer: it is
//! looked up after all of them have asked.

use std::borrow::Cow;
use std::sync::Arc;

use super::convert::explain;
use super::session::{Params, Question, Session, Who};
use crate::unit::Lookup;
use crate::value::Source;
use crate::{Error, Row, Value};

/// A caller's look-up, and how it goes.
struct Asking {
    lookup: Box<dyn Lookup>,
    outcome: Result<(), Error>,
}

/// A look-up, and the number of a statement within it.
type Caller = (usize, usize);

/// A statement with all who ask it.
struct Asked {
    sql: Cow<'static, str>,
    /// Those who ask with the same values, for each of `params`.
    callers: Vec<Vec<Caller>>,
    params: Params,
}

/// The same while it is collected.
type Together = (Cow<'static, str>, Vec<Vec<Caller>>, Vec<Vec<Value>>);

/// Sends all statements of all look-ups, then collects the answers.
pub(super) fn run(session: &mut Session, lookups: Vec<Box<dyn Lookup>>, ready: &Result<(), Error>) {
    let mut askings = Vec::with_capacity(lookups.len());
    let mut asked: Vec<Together> = Vec::new();
    for mut lookup in lookups {
        if lookup.is_abandoned() {
            continue;
        }
        for (number, statement) in lookup.take_statements().into_iter().enumerate() {
            let caller = (askings.len(), number);
            match asked.iter_mut().find(|(sql, ..)| *sql == statement.sql) {
                Some((_, callers, params)) => match params.iter().position(|known| *known == statement.params) {
                    Some(same) => callers[same].push(caller),
                    None => {
                        callers.push(vec![caller]);
                        params.push(statement.params);
                    }
                },
                None => asked.push((statement.sql, vec![vec![caller]], vec![statement.params])),
            }
        }
        askings.push(Asking {
            lookup,
            outcome: ready.clone(),
        });
    }
    if ready.is_ok() {
        let asked = asked.into_iter().map(|(sql, callers, params)| Asked {
            sql,
            callers,
            params: Arc::new(params),
        });
        let asked: Vec<Asked> = asked.collect();
        let failed = ask(session, &mut askings, &asked, true);
        // What is wrong with the question of one caller is no answer to the others.
        let again: Vec<Asked> = asked
            .into_iter()
            .enumerate()
            .filter_map(|(place, asked)| failed.contains(&place).then_some(asked))
            .collect();
        ask(session, &mut askings, &again, false);
    }
    for Asking { lookup, outcome } in askings {
        lookup.answer(outcome);
    }
    session.drop_closed_link();
}

/// Asks, and tells the places of those that failed because they were asked `together`.
fn ask(session: &mut Session, askings: &mut [Asking], all: &[Asked], together: bool) -> Vec<usize> {
    let mut prepared = Vec::with_capacity(all.len());
    for (place, asked) in all.iter().enumerate() {
        if together && asked.params.len() > 1 {
            match session.prepare_together(&asked.sql, &asked.params) {
                Ok(Some(question)) => {
                    prepared.push((place, Who::All, question));
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    fail(askings, asked, Who::All, &error);
                    continue;
                }
            }
        }
        for values in 0..asked.params.len() {
            match session.prepare_question(&asked.sql, &asked.params, values) {
                Ok(question) => prepared.push((place, Who::One(values), question)),
                Err(error) => fail(askings, asked, Who::One(values), &error),
            }
        }
    }
    // Only now is anything sent: the driver holds back what comes while nobody takes the rows
    // before it, so whoever waited for a statement to be prepared might wait for ever.
    let sent: Vec<(usize, Who, Question)> = prepared
        .into_iter()
        .map(|(place, who, question)| (place, who, question.send()))
        .collect();
    let mut again = Vec::new();
    // Each look-up has its own outcome; of the errors only the last is looked at here.
    let _ = session.wait(async {
        let mut outcome = Ok(());
        for (place, who, question) in sent {
            match question.await {
                Ok(rows) => rows.iter().for_each(|row| hand_out(askings, &all[place], who, row)),
                Err(error) if who == Who::All && !error.is_closed() => again.push(place),
                Err(error) => {
                    fail(askings, &all[place], who, &explain(&error));
                    outcome = Err(error);
                }
            }
        }
        outcome
    });
    again
}

fn fail(askings: &mut [Asking], asked: &Asked, who: Who, error: &Error) {
    let callers = match who {
        Who::All => &asked.callers[..],
        Who::One(values) => &asked.callers[values..=values],
    };
    for (asking, _) in callers.iter().flatten() {
        askings[*asking].outcome = Err(error.clone());
    }
}

/// Gives a row to whom it belongs; of several questions, its last column tells which.
fn hand_out(askings: &mut [Asking], asked: &Asked, who: Who, row: &tokio_postgres::Row) {
    let (values, width) = match who {
        Who::One(values) => (Some(values), row.len()),
        Who::All => {
            let last = row.len().saturating_sub(1);
            let number = row.try_get::<_, i64>(last).ok();
            (number.and_then(|number| usize::try_from(number - 1).ok()), last)
        }
    };
    let Some(callers) = values.and_then(|values| asked.callers.get(values)) else {
        let error = Error::internal("a row of several look-ups does not say whose it is");
        return fail(askings, asked, who, &error);
    };
    for (asking, number) in callers {
        let asking = &mut askings[*asking];
        if asking.outcome.is_ok() {
            asking.outcome = asking.lookup.row(*number, Row::new(Source::Postgres(row, width)));
        }
    }
}
