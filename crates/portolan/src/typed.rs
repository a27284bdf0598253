//! How times, durations and yes or no are typed.

use std::time::Duration;

use portolan_types::Timestamp;
use portolan_types::api::Change;

/// A time of its own, or one that counts back from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(time) => time,
            Moment::Ago(duration) => now - duration,
        }
    }
}

/// `2026-02-03T09:15:00Z`, `2026-02-03` (its beginning, UTC), or `2h` for two hours ago.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(duration) = duration(text) {
        return Ok(Moment::Ago(duration));
    }
    let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    time.map(Moment::At).map_err(|_| {
        "not a time such as 2026-02-03, 2026-02-03T09:15:00Z or 2h (two hours ago; also s, m, d, w)".to_owned()
    })
}

/// `90`, `90s`, `30m`, `12h`, `7d`, `2w`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        Some('w') => 7 * 86_400,
        _ => 0,
    };
    let (digits, unit) = if unit == 0 {
        (text, 1)
    } else {
        (&text[..text.len() - 1], unit)
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u32>().ok().filter(|_| is_number);
    let seconds = number.map(|number| u64::from(number) * unit);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "not a duration such as 90, 30m, 12h or 7d".to_owned())
}

/// A duration in whole seconds, or `none`.
pub fn seconds_or_none(text: &str) -> Result<Change<i64>, String> {
    if text == "none" {
        return Ok(Change::Clear);
    }
    let seconds = duration(text).map_err(|_| "not a duration such as 1800, 30m or none".to_owned())?;
    i64::try_from(seconds.as_secs())
        .map(Change::Set)
        .map_err(|_| "too long".to_owned())
}

pub fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

/// What was not given stays as it is.
pub fn set<T>(value: Option<T>) -> Change<T> {
    value.map_or(Change::Keep, Change::Set)
}

/// A list that replaces the old one, or is emptied; without either the old one stays.
pub fn replace<T>(items: Vec<T>, clear: bool) -> Change<Vec<T>> {
    match (clear, items.is_empty()) {
        (true, _) => Change::Set(Vec::new()),
        (false, true) => Change::Keep,
        (false, false) => Change::Set(items),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_are_typed_in_three_ways() {
        let at = |seconds| Moment::At(Timestamp::from_seconds(seconds));
        for (text, expected) in [
            ("1970-01-02", at(86_400)),
            ("1970-01-01T01:00:00+01:00", at(0)),
            ("90", Moment::Ago(Duration::from_secs(90))),
            ("30m", Moment::Ago(Duration::from_secs(1800))),
            ("2w", Moment::Ago(Duration::from_secs(1_209_600))),
        ] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for bad in ["", "m", "-1h", "+1h", "1.5h", "2026-13-01", "yesterday", "12 h", "ä"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
        assert_eq!(
            moment("1h").unwrap().resolve(Timestamp::from_seconds(7200)),
            Timestamp::from_seconds(3600)
        );
    }

    #[test]
    fn a_timeout_is_a_duration_or_none() {
        assert_eq!(seconds_or_none("30m"), Ok(Change::Set(1800)));
        assert_eq!(seconds_or_none("none"), Ok(Change::Clear));
        assert!(seconds_or_none("soon").is_err());
    }

    #[test]
    fn lists_are_kept_replaced_or_emptied() {
        assert_eq!(replace::<u8>(vec![], false), Change::Keep);
        assert_eq!(replace(vec![1], false), Change::Set(vec![1]));
        assert_eq!(replace::<u8>(vec![], true), Change::Set(vec![]));
    }
}
