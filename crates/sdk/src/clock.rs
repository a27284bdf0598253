//! Where time and randomness come from. Both can be replaced, so that a test decides what
//! time it is and how long a pause was.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use portolan_types::Timestamp;

/// A future in a box, as the traits of this crate return it.
///
/// ```
/// use portolan_sdk::BoxFuture;
///
/// fn soon() -> BoxFuture<'static, u8> {
///     Box::pin(async { 7 })
/// }
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The time, and waiting.
///
/// ```
/// use std::time::Duration;
/// use portolan_sdk::{BoxFuture, Clock, Timestamp};
///
/// /// It is always noon, and pauses are over at once.
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_seconds(43_200)
///     }
///
///     fn sleep(&self, _duration: Duration) -> BoxFuture<'_, ()> {
///         Box::pin(async {})
///     }
/// }
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// The clock of the machine. Its pauses need a running tokio.
///
/// ```
/// use portolan_sdk::{Clock, SystemClock};
///
/// assert!(SystemClock.now().seconds() > 1_700_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_seconds(0) + since.unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Random bytes: for `state`, for PKCE, and to spread retries.
///
/// ```
/// use portolan_sdk::Random;
///
/// /// Good for a test and for nothing else.
/// struct Sevens;
///
/// impl Random for Sevens {
///     fn fill(&self, bytes: &mut [u8]) {
///         bytes.fill(7);
///     }
/// }
/// ```
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` with what nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// The random source of the cryptographic library.
///
/// ```
/// use portolan_sdk::{Random, SystemRandom};
///
/// let mut bytes = [0; 32];
/// SystemRandom.fill(&mut bytes);
/// assert_ne!(bytes, [0; 32]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the random source of the system works");
    }
}

/// A number from 0 up to, not including, 1.
pub(crate) fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// 32 random bytes as text without padding: 43 characters.
pub(crate) fn random_text(random: &dyn Random) -> String {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
