//! Look-ups on the thread of their caller.
//!
//! A look-up by key takes less time than waking another thread and being woken by it. So it is
//! run where it is asked for, on one of a few connections kept for that. Where that would hold up
//! the caller's thread, which has others to serve, it goes to the readers: while every connection
//! is in use, and for a while after the disk had to be waited for.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Role, open, read, session};
use crate::unit::{Lookup, Unit};
use crate::{Error, Options, WriteTx};

/// A look-up that takes longer has waited for the disk.
const SLOW: Duration = Duration::from_millis(2);
/// How long those that follow go to the readers.
const REST: Duration = Duration::from_millis(100);

pub(crate) struct Direct {
    /// Empty once the store is closed.
    places: Vec<Mutex<Option<WriteTx>>>,
    epoch: Instant,
    /// Milliseconds since `epoch` until which the disk counts as slow.
    slow_until: AtomicU64,
}

impl Direct {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Direct, Error> {
        let places = (0..options.connections.max(1))
            .map(|_| open(path, options, Role::Reader).map(|tx| Mutex::new(Some(tx))))
            .collect::<Result<_, _>>()?;
        Ok(Direct {
            places,
            epoch: Instant::now(),
            slow_until: AtomicU64::new(0),
        })
    }

    /// Runs the look-up; `None` if it should go to the readers.
    pub(crate) fn look_up(&self, lookup: &mut dyn Lookup) -> Option<Result<(), Error>> {
        self.with(|tx| session(tx).look_up(lookup))
    }

    /// Runs the unit; gives it back if it should go to the readers.
    pub(crate) fn read(&self, unit: Box<dyn Unit>) -> Option<Box<dyn Unit>> {
        let mut unit = Some(unit);
        self.with(|tx| {
            if let Some(unit) = unit.take() {
                read(tx, unit);
            }
        });
        unit
    }

    fn with<T>(&self, work: impl FnOnce(&mut WriteTx) -> T) -> Option<T> {
        let started = self.epoch.elapsed();
        if millis(started) < self.slow_until.load(Ordering::Relaxed) {
            return None;
        }
        let (first, count) = (preferred(), self.places.len());
        let mut place = (first..first + count).find_map(|number| self.places[number % count].try_lock().ok())?;
        let found = work(place.as_mut()?);
        let ended = self.epoch.elapsed();
        if ended - started > SLOW {
            self.slow_until.store(millis(ended + REST), Ordering::Relaxed);
        }
        Some(found)
    }

    /// Closes the connections; the last one of all tidies up the log.
    pub(crate) fn close(&self) {
        for place in &self.places {
            place.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// The place that this thread looks at first: one of its own, whose pages its processor knows.
fn preferred() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % 1024;
    }
    OWN.with(|own| *own)
}
