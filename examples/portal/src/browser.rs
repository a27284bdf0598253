//! Cookies, and what is remembered under them.

use std::collections::HashMap;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use portolan_sdk::{Clock as _, Random as _, SystemClock, SystemRandom};

/// As many things as are remembered at once; whoever wants to fill the memory drops only the
/// oldest of them.
const MOST: usize = 10_000;

/// Things with an end, by a key that only one browser has.
pub struct Kept<T>(HashMap<String, (i64, T)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Kept<T> {
    /// Remembers something until `end` and returns its key.
    pub fn put(&mut self, end: i64, thing: T) -> String {
        let now = now();
        self.0.retain(|_, (end, _)| now < *end);
        if self.0.len() >= MOST
            && let Some(oldest) = self
                .0
                .iter()
                .min_by_key(|(_, (end, _))| *end)
                .map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        let key = random();
        self.0.insert(key.clone(), (end, thing));
        key
    }

    pub fn get(&mut self, key: &str) -> Option<&mut T> {
        let (end, thing) = self.0.get_mut(key)?;
        (now() < *end).then_some(thing)
    }

    /// What is taken cannot be taken again.
    pub fn take(&mut self, key: &str) -> Option<T> {
        let (end, thing) = self.0.remove(key)?;
        (now() < end).then_some(thing)
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemClock.now().seconds()
}

/// 32 bytes that nobody can guess.
pub fn random() -> String {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The full name of a cookie. Under https the prefix has browsers refuse it from anywhere but
/// this very host.
fn full_name(name: &str, https: bool) -> String {
    if https {
        format!("__Host-{name}")
    } else {
        name.to_owned()
    }
}

pub fn cookie<'a>(headers: &'a HeaderMap, name: &str, https: bool) -> Option<&'a str> {
    let wanted = full_name(name, https);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == wanted).map(|(_, value)| value)
}

/// No script reads it, and other sites' forms do not carry it. `Lax` and not `Strict`: the
/// browser comes back from Auth, which is another site, with a GET.
pub fn set_cookie(name: &str, value: &str, seconds: i64, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    let name = full_name(name, https);
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_or_over_is_gone() {
        let mut kept = Kept::default();
        let key = kept.put(now() + 60, "login");
        let over = kept.put(now() - 1, "old");

        assert_eq!(kept.get(&over), None);
        assert_eq!(kept.take(&key), Some("login"));
        assert_eq!(kept.take(&key), None);
        assert_eq!(kept.take("guessed"), None);
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "xportal=1; portal=2; __Host-portal=3".parse().unwrap());

        assert_eq!(cookie(&headers, "portal", false), Some("2"));
        assert_eq!(cookie(&headers, "portal", true), Some("3"));
        assert_eq!(cookie(&headers, "other", false), None);
        let set = set_cookie("portal", "v", 60, true);
        assert_eq!(
            set,
            "__Host-portal=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
