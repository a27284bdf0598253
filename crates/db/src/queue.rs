//! The bounded queue between callers and database threads.
//!
//! A mutex and a condition variable. A caller wakes a thread only when one sleeps: the
//! wake-up is a system call, and busy threads find the job by themselves.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    filled: Condvar,
    capacity: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// Sleeping threads that nobody has woken yet.
    idle: usize,
    closed: bool,
}

pub(crate) enum Refused {
    Full,
    Closed,
}

impl<J> Queue<J> {
    pub(crate) fn new(capacity: usize) -> Queue<J> {
        let state = State {
            jobs: VecDeque::with_capacity(capacity.min(1024)),
            idle: 0,
            closed: false,
        };
        Queue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            capacity,
        }
    }

    pub(crate) fn push(&self, job: J) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.jobs.len() >= self.capacity {
            return Err(Refused::Full);
        }
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        if wake {
            state.idle -= 1;
        }
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for a job. `None` when the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn try_pop(&self) -> Option<J> {
        self.lock().jobs.pop_front()
    }

    /// Moves up to `limit` jobs that belong together into `group`, wherever they stand.
    pub(crate) fn gather(&self, group: &mut Vec<J>, limit: usize, belongs: impl Fn(&J) -> bool) {
        let mut state = self.lock();
        let mut index = 0;
        while group.len() < limit && index < state.jobs.len() {
            if belongs(&state.jobs[index]) {
                group.extend(state.jobs.remove(index));
            } else {
                index += 1;
            }
        }
    }

    /// No more jobs come in; those that wait are still served.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Nothing panics while the lock is held, and the state is valid between any two lines.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
