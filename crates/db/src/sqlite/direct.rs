//! Look-ups on the thread of their caller.
//!
//! A look-up by key takes less time than waking another thread and being woken by it. So it is
//! run where it is asked for, on one of a few connections kept for that. Where that would hold up
//! the caller's thread, which has others to serve, it goes to the readers: while every connection
//! is in use, while one of them waits for the disk, and for a while after that.

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
    places: Vec<Place>,
    epoch: Instant,
    /// Microseconds since `epoch` until which the disk counts as slow.
    slow_until: AtomicU64,
}

struct Place {
    /// Empty once the store is closed.
    tx: Mutex<Option<WriteTx>>,
    /// Microseconds since `epoch` at which the look-up began that runs here; `FREE` without one.
    since: AtomicU64,
}

const FREE: u64 = u64::MAX;

impl Direct {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Direct, Error> {
        let places = (0..options.connections.max(1))
            .map(|_| {
                open(path, options, Role::Reader).map(|tx| Place {
                    tx: Mutex::new(Some(tx)),
                    since: AtomicU64::new(FREE),
                })
            })
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
        if micros(started) < self.slow_until.load(Ordering::Relaxed) || self.is_stuck(started) {
            return None;
        }
        let (first, count) = (preferred(), self.places.len());
        let (place, mut tx) = (first..first + count).find_map(|number| {
            let place = &self.places[number % count];
            Some((place, place.tx.try_lock().ok()?))
        })?;
        place.since.store(micros(started), Ordering::Relaxed);
        let found = tx.as_mut().map(work);
        place.since.store(FREE, Ordering::Relaxed);
        let ended = self.epoch.elapsed();
        if ended - started > SLOW {
            self.slow_until.store(micros(ended + REST), Ordering::Relaxed);
        }
        found
    }

    /// Whether a look-up waits for the disk right now: no other thread shall wait beside it.
    fn is_stuck(&self, now: Duration) -> bool {
        let limit = micros(now.saturating_sub(SLOW));
        self.places
            .iter()
            .any(|place| place.since.load(Ordering::Relaxed) < limit)
    }

    /// Closes the connections.
    pub(crate) fn close(&self) {
        for place in &self.places {
            place.tx.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

/// The place that this thread looks at first: one of its own, whose pages its processor knows.
fn preferred() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % 1024;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_beside_a_look_up_that_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        super::super::create_private(&path).unwrap();
        let options = Options {
            connections: 3,
            ..Options::new("sqlite:unused")
        };
        let direct = Direct::open(&path, &options).unwrap();
        assert_eq!(direct.with(|_| 1), Some(1));
        let beside = direct.with(|_| {
            std::thread::sleep(SLOW * 2);
            direct.with(|_| 2)
        });
        assert_eq!(
            beside,
            Some(None),
            "two places are free, and yet it goes to the readers"
        );
        assert_eq!(direct.with(|_| 3), None, "for a while afterwards, too");
    }
}
