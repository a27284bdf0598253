//! When a request is sent again, and after how long (wire.md 5.8).

use std::time::Duration;

use crate::clock::{self, Random};
use crate::error::Error;

/// When a request is sent again.
///
/// After a network failure, and after 429, 500, 502, 503 and 504. The pause doubles from
/// half a second, spread by half of it to both sides, so that many clients that failed
/// together do not come back together. `Retry-After` of 429 and 503 wins, up to the longest
/// pause. Any other 4xx is final.
///
/// ```
/// use std::time::Duration;
/// use portolan_sdk::RetryPolicy;
///
/// let policy = RetryPolicy::default();
/// assert_eq!((policy.max_retries, policy.max_pause), (5, Duration::from_secs(10)));
/// let never = RetryPolicy { max_retries: 0, ..policy };
/// # let _ = never;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent again, after the first time.
    pub max_retries: u32,
    /// The longest pause, also where the service asks for a longer one.
    pub max_pause: Duration,
    /// Whether a request is sent again when no answer came.
    pub network_failures: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 5,
            max_pause: Duration::from_secs(10),
            network_failures: true,
        }
    }
}

impl RetryPolicy {
    /// No request is sent again.
    pub fn never() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// How long to wait before the next attempt; `None` if this failure is final.
    pub(crate) fn pause(&self, attempt: u32, failure: &Error, random: &dyn Random) -> Option<Duration> {
        if attempt >= self.max_retries {
            return None;
        }
        let asked = match failure {
            Error::Network(_) if self.network_failures => None,
            Error::Api(error) if super::is_transient(error.status()) => {
                let header = error.headers().get("retry-after");
                let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
                // A date is not understood, and zero seconds are no wish.
                seconds.filter(|seconds| *seconds > 0 && [429, 503].contains(&error.status()))
            }
            _ => return None,
        };
        let pause = match asked {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                let factor = 2_f64.powi(i32::try_from(attempt.min(30)).unwrap_or(30));
                Duration::from_secs_f64((0.25 + 0.5 * clock::fraction(random)) * factor)
            }
        };
        Some(pause.min(self.max_pause))
    }
}
