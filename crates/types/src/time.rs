//! Points in time as integer microseconds since 1970-01-01 UTC, the form the store
//! keeps. The wire shows either unix seconds (tokens) or ISO 8601 (JSON API, wire.md 3.11).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole unix seconds, rounded down: the form of `exp`, `iat` and `auth_time`.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time from `earlier` until now; zero if `earlier` lies in the future.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(micros))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_sub(micros))
    }
}

/// `2026-02-03T09:15:27.104882+00:00`: always six digits and a numeric offset, because
/// Python before 3.11 reads nothing else (wire.md 1.12).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{}+00:00", time.strftime("%Y-%m-%dT%H:%M:%S.%6f")),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a time with an offset, or lies outside the years that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time in the form 2026-02-03T09:15:27.104882+00:00")]
pub struct InvalidTimestamp;

/// Reads any ISO 8601 time with an offset; what is finer than a microsecond is cut off.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let time: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Ok(Self(time.as_microsecond()))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "sql")]
impl portolan_db::IntoValue for Timestamp {
    fn into_value(self) -> portolan_db::Value {
        portolan_db::Value::Int(self.0)
    }
}

#[cfg(feature = "sql")]
impl portolan_db::FromValue for Timestamp {
    fn from_value(value: portolan_db::Value) -> Result<Self, portolan_db::Error> {
        <i64 as portolan_db::FromValue>::from_value(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_form_that_every_python_reads() {
        assert_eq!(
            Timestamp::from_micros(1_770_110_127_104_882).to_string(),
            "2026-02-03T09:15:27.104882+00:00"
        );
        assert_eq!(
            Timestamp::from_seconds(0).to_string(),
            "1970-01-01T00:00:00.000000+00:00"
        );
    }

    #[test]
    fn reads_what_it_prints_and_other_offsets() {
        for micros in [0, -1, 1_770_110_127_104_882] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Timestamp::from_seconds(0)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Timestamp::from_seconds(1)));
        for text in ["", "0", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn seconds_round_down_also_before_1970() {
        assert_eq!(Timestamp::from_micros(-1).seconds(), -1);
        assert_eq!(Timestamp::from_micros(1_999_999).seconds(), 1);
    }
}
