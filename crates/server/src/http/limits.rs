//! Limits on attempts, per address. Each node counts for itself; what must hold for all
//! nodes together (failures of one account) is counted in the store.
//!
//! An IPv6 address counts as its /64: a single machine has that many addresses. For mail also
//! its /48 counts, which is what one customer gets. Success is never limited: clients share
//! addresses behind a proxy of their site.
//!
//! What counts for everybody together must not be a way to lock everybody out: it counts
//! strangers. A browser in which somebody has signed in before has a bound of its own.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use portolan_types::IdentityId;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::texts::words;

/// More keys than this are not kept apart: memory is bounded whoever floods us.
const MAX_KEYS: usize = 50_000;
/// When there are too many, new keys share so many counters.
const SHARED_KEYS: u64 = 1024;
const TOO_MUCH_MAIL: &str = "too many requests for mail from your address; wait a little";
/// A site may ask for mail as often as so many of its networks.
const NETWORKS_PER_SITE: u32 = 4;
/// Forgetting looks at every key, so under a flood it runs only so often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

pub struct Limits {
    logins: Limiter,
    failed_client_authentications: Limiter,
    template_registrations: Limiter,
    failed_logins: Limiter,
    mail_requests: Limiter,
    mail_requests_of_sites: Limiter,
    mail_requests_of_accounts: Limiter,
    mail_requests_of_strangers: Limiter,
    sign_ups_among_many: Limiter,
    /// Until when only browsers that are known may try to log in.
    strained_until: Mutex<Option<Instant>>,
}

impl Limits {
    pub fn new(config: &Config) -> Self {
        let limits = &config.limits;
        let minute = Duration::from_secs(60);
        let hour = Duration::from_secs(3600);
        let limiter = |most, period| Limiter::new(most, period, MonotonicClock);
        Self {
            logins: limiter(limits.logins_per_minute, minute),
            failed_client_authentications: limiter(limits.failed_client_authentications_per_minute, minute),
            template_registrations: limiter(limits.template_registrations_per_hour, hour),
            failed_logins: limiter(limits.failed_logins_per_minute, minute),
            mail_requests: limiter(limits.mail_requests_per_hour, hour),
            mail_requests_of_sites: limiter(limits.mail_requests_per_hour.saturating_mul(NETWORKS_PER_SITE), hour),
            mail_requests_of_accounts: limiter(limits.mail_requests_per_hour, hour),
            mail_requests_of_strangers: limiter(limits.mail_requests_in_all_per_hour, hour),
            sign_ups_among_many: limiter(1, hour),
            strained_until: Mutex::new(None),
        }
    }

    /// Counts an attempt to log in; to be asked before the password is looked at.
    pub fn login(&self, address: Option<IpAddr>) -> Result<()> {
        let counted = self.logins.count(
            &network(address),
            "too many attempts to log in from your address; wait a little",
        );
        counted.map_err(|error| error.said(words("error-many-logins")))
    }

    /// Counts a failed attempt to log in, wherever it came from. Too many of them mean that
    /// somebody tries passwords on many accounts from many addresses.
    pub fn failed_login(&self) {
        if let Err(error) = self.failed_logins.count(&(), "") {
            let pause = Duration::from_secs(error.retry_after_seconds().unwrap_or(1));
            *self.strained_until.lock().expect("nobody panics while holding it") = Some(Instant::now() + pause);
        }
    }

    /// Refuses attempts from unknown browsers while too many fail everywhere.
    pub fn unknown_browser(&self) -> Result<()> {
        let until = *self.strained_until.lock().expect("nobody panics while holding it");
        let left = until.and_then(|until| until.checked_duration_since(Instant::now()));
        left.map_or(Ok(()), |left| {
            Err(
                Error::too_many_requests("too many attempts to log in fail at this moment; wait a little")
                    .said(words("error-many-failures"))
                    .retry_after(left),
            )
        })
    }

    /// Counts a failed client authentication; to be asked after the failure, so that the
    /// right secret always gets through.
    pub fn failed_client_authentication(&self, address: Option<IpAddr>, client_id: &str) -> Result<()> {
        let detail = "too many failed authentications of this client from your address";
        self.failed_client_authentications
            .count(&(network(address), client_id), detail)
    }

    pub fn template_registration(&self, address: Option<IpAddr>) -> Result<()> {
        self.template_registrations
            .count(&network(address), "too many registrations from your address")
    }

    /// Counts a form that makes the server send mail. `account` was signed in to in this
    /// browser before: it counts for itself and not with the strangers.
    pub fn mail_request(&self, address: Option<IpAddr>, account: Option<IdentityId>) -> Result<()> {
        self.notice(address)?;
        match account {
            Some(account) => of_address(self.mail_requests_of_accounts.count(&account, TOO_MUCH_MAIL)),
            None => {
                let counted = self
                    .mail_requests_of_strangers
                    .count(&(), "too many requests for mail at this moment; wait a little");
                counted.map_err(|error| error.said(words("error-many-mails-in-all")))
            }
        }
    }

    /// Counts a request for an account when there are more than usual: one from each address.
    pub fn sign_up_among_many(&self, address: Option<IpAddr>) -> Result<()> {
        of_address(self.sign_ups_among_many.count(&network(address), TOO_MUCH_MAIL))
    }

    /// Counts a change that makes the server write to the contact of a project. Whoever makes
    /// it is known, so strangers do not use this up.
    pub fn notice(&self, address: Option<IpAddr>) -> Result<()> {
        of_address(self.mail_requests.count(&network(address), TOO_MUCH_MAIL))?;
        match site(address) {
            Some(site) => of_address(self.mail_requests_of_sites.count(&site, TOO_MUCH_MAIL)),
            None => Ok(()),
        }
    }

    /// Forgets who has been quiet; called by a job.
    pub fn forget_old(&self) {
        for limiter in [
            &self.logins,
            &self.failed_client_authentications,
            &self.template_registrations,
            &self.mail_requests,
            &self.mail_requests_of_sites,
            &self.mail_requests_of_accounts,
            &self.sign_ups_among_many,
        ] {
            limiter.states.retain_recent();
        }
    }
}

fn of_address(counted: Result<()>) -> Result<()> {
    counted.map_err(|error| error.said(words("error-many-mails")))
}

/// What counts as one peer.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6(prefix(address, 64)),
        Some(address) => address,
        // Only in tests nobody knows the peer.
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// What one customer of a provider has. None for IPv4, where an address is as much.
fn site(address: Option<IpAddr>) -> Option<Ipv6Addr> {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => Some(prefix(address, 48)),
        _ => None,
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(address) & !(u128::MAX >> bits))
}

/// One quota over many keys. Only the keyed hash of a key is kept: a chosen key cannot
/// grow it nor find another with the same hash.
struct Limiter<C: Clock = MonotonicClock> {
    states: RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    hasher: RandomState,
    clock: C,
    max_keys: usize,
    swept_at: Mutex<C::Instant>,
}

impl<C: Clock + Clone> Limiter<C> {
    /// `most` at once, and as many again over each `period`.
    fn new(most: u32, period: Duration, clock: C) -> Self {
        let most = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period / most.get())
            .unwrap_or(Quota::per_second(most))
            .allow_burst(most);
        Self {
            states: RateLimiter::dashmap_with_clock(quota, clock.clone()),
            hasher: RandomState::new(),
            swept_at: Mutex::new(clock.now()),
            clock,
            max_keys: MAX_KEYS,
        }
    }

    fn count(&self, key: &impl Hash, detail: &'static str) -> Result<()> {
        let mut key = self.hasher.hash_one(key);
        if self.states.len() >= self.max_keys {
            self.sweep();
            if self.states.len() >= self.max_keys {
                key %= SHARED_KEYS;
            }
        }
        self.states
            .check_key(&key)
            .map_err(|refusal| Error::too_many_requests(detail).retry_after(refusal.wait_time_from(self.clock.now())))
    }

    fn sweep(&self) {
        let now = self.clock.now();
        let mut swept_at = self.swept_at.lock().expect("nobody panics while holding it");
        if Duration::from(now.duration_since(*swept_at)) >= SWEEP_INTERVAL {
            *swept_at = now;
            self.states.retain_recent();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;
    use crate::error::Kind;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_quota_refills_with_time_and_says_when() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::new(3, Duration::from_secs(60), clock.clone());
        for _ in 0..3 {
            limiter.count(&"a", "too many").unwrap();
        }

        let refused = limiter.count(&"a", "too many").unwrap_err();

        assert_eq!(refused.kind(), Kind::TooManyRequests);
        assert_eq!(refused.retry_after_seconds(), Some(20));
        limiter.count(&"b", "another key is not concerned").unwrap();
        clock.advance(Duration::from_secs(20));
        limiter.count(&"a", "one more after 20 s").unwrap();
        limiter.count(&"a", "too many").unwrap_err();
    }

    #[test]
    fn many_failures_everywhere_leave_only_known_browsers() {
        let mut config = Config::default();
        config.limits.failed_logins_per_minute = 3;
        let limits = Limits::new(&config);
        (0..3).for_each(|_| limits.failed_login());
        limits.unknown_browser().unwrap();

        limits.failed_login();

        let refused = limits.unknown_browser().unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyRequests);
        assert!(refused.retry_after_seconds() >= Some(1));
    }

    #[test]
    fn memory_is_bounded_and_quiet_keys_are_forgotten_first() {
        let clock = FakeRelativeClock::default();
        let mut limiter = Limiter::new(1, Duration::from_secs(1), clock.clone());
        limiter.max_keys = 100;
        for key in 0..10_000 {
            let _ = limiter.count(&key, "too many");
        }
        assert!(
            limiter.states.len() <= 100 + SHARED_KEYS as usize,
            "{}",
            limiter.states.len()
        );
        clock.advance(Duration::from_secs(10));
        limiter.count(&"fresh", "room again").unwrap();
        assert_eq!(limiter.states.len(), 1);
    }

    #[test]
    fn an_address_counts_as_its_network() {
        assert_eq!(
            network(address("2001:db8:1:2:3::4")),
            network(address("2001:db8:1:2:ffff::1"))
        );
        assert_ne!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:3::1")));
        assert_eq!(network(address("::ffff:192.0.2.1")), network(address("192.0.2.1")));
        assert_ne!(network(address("192.0.2.1")), network(address("192.0.2.2")));
        assert_eq!(site(address("2001:db8:1:2::1")), site(address("2001:db8:1:ffff::9")));
        assert_ne!(site(address("2001:db8:1::1")), site(address("2001:db8:2::1")));
        assert_eq!(site(address("::ffff:192.0.2.1")), None);
    }

    #[test]
    fn the_networks_of_a_site_do_not_use_up_what_strangers_may_ask_for() {
        let mut config = Config::default();
        config.limits.mail_requests_per_hour = 2;
        config.limits.mail_requests_in_all_per_hour = 20;
        let limits = Limits::new(&config);
        let asked = (0..1000).filter(|number| {
            limits
                .mail_request(address(&format!("2001:db8:1:{number:x}::1")), None)
                .is_ok()
        });
        assert_eq!(asked.count(), 8, "as many as four of its networks");
        limits.mail_request(address("2001:db8:2::1"), None).unwrap();
        limits.mail_request(address("192.0.2.1"), None).unwrap();
    }

    #[test]
    fn strangers_who_ask_for_mail_do_not_keep_known_browsers_from_it() {
        let mut config = Config::default();
        config.limits.mail_requests_per_hour = 2;
        config.limits.mail_requests_in_all_per_hour = 20;
        let limits = Limits::new(&config);
        let asked = (0..100).filter(|number| limits.mail_request(address(&format!("192.0.2.{number}")), None).is_ok());
        assert_eq!(asked.count(), 20);

        let (alice, here) = (Some(IdentityId::from_u128(1)), |number| {
            address(&format!("198.51.100.{number}"))
        });
        limits.mail_request(here(1), alice).unwrap();
        limits.mail_request(here(2), alice).unwrap();
        limits.mail_request(here(3), alice).unwrap_err();
        limits.mail_request(here(4), Some(IdentityId::from_u128(2))).unwrap();
    }

    #[test]
    fn each_limit_counts_for_itself() {
        let mut config = Config::default();
        config.limits.logins_per_minute = 1;
        config.limits.failed_client_authentications_per_minute = 1;
        config.limits.template_registrations_per_hour = 1;
        let limits = Limits::new(&config);
        let here = address("192.0.2.1");

        limits.login(here).unwrap();
        limits.failed_client_authentication(here, "first").unwrap();
        limits.failed_client_authentication(here, "second").unwrap();
        limits.template_registration(here).unwrap();

        assert_eq!(limits.login(here).unwrap_err().kind(), Kind::TooManyRequests);
        assert_eq!(
            limits.failed_client_authentication(here, "first").unwrap_err().kind(),
            Kind::TooManyRequests
        );
        assert_eq!(
            limits.template_registration(here).unwrap_err().kind(),
            Kind::TooManyRequests
        );
        limits.login(address("192.0.2.2")).unwrap();
    }
}
