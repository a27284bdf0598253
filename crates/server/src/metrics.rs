//! What the server counts, in the Prometheus text format on a listener of its own.
//! Labels come from fixed lists (routes, grants, outcomes): never an id, a name, an
//! address or anything else that a caller chooses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use portolan_db::Db;

use crate::app::system_now;

/// From half a millisecond to eight seconds: an introspection takes less than the first,
/// a password check about the middle.
const LATENCY_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 8.0];

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    tokens: Family<GrantLabels, Counter>,
    logins: Family<LoginLabels, Counter>,
    rows_removed: Counter,
    mail: Family<MailLabels, Counter>,
    mail_waiting: Gauge,
    backchannel_logouts: Family<MailLabels, Counter>,
    job_panics: Family<JobLabels, Counter>,
    store: StoreMetrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GrantLabels {
    grant: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    outcome: Login,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailLabels {
    outcome: Mail,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    job: &'static str,
}

/// What became of an attempt to send a message or a logout token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Mail {
    Sent,
    /// It is tried again.
    Failed,
    GivenUp,
}

/// How an attempt to log in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Login {
    Success,
    /// Unknown account or wrong password: the same to everybody outside.
    Failure,
    /// Refused unseen because of too many attempts.
    Limited,
}

/// The counters of one route, looked up once and then only incremented.
#[derive(Clone)]
pub struct RouteMetrics {
    /// 1xx to 5xx.
    by_status_class: [Counter; 5],
    latency: Histogram,
}

impl RouteMetrics {
    pub fn count(&self, status: http::StatusCode, duration: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_status_class[class].inc();
        self.latency.observe(duration.as_secs_f64());
    }
}

/// What the store counts itself; copied when somebody looks.
#[derive(Default)]
struct StoreMetrics {
    queued: Gauge,
    largest_group: Gauge,
    units: Counter,
    finds: Counter,
    groups: Counter,
    grouped_units: Counter,
    retries: Counter,
    refused: Counter,
    unknown_outcomes: Counter,
    reconnects: Counter,
}

impl StoreMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "store_queued",
            "Units of work that wait for the store",
            self.queued.clone(),
        );
        let largest = "The most units that one commit held";
        registry.register("store_largest_group", largest, self.largest_group.clone());
        for (name, help, counter) in [
            ("store_units", "Units of work run", &self.units),
            ("store_finds", "Single look-ups", &self.finds),
            ("store_groups", "Commits that several units could share", &self.groups),
            ("store_grouped_units", "Units in those commits", &self.grouped_units),
            ("store_retries", "Units run again after a conflict", &self.retries),
            (
                "store_refused",
                "Units refused because the queue was full",
                &self.refused,
            ),
            (
                "store_unknown_outcomes",
                "Commits whose outcome is unknown",
                &self.unknown_outcomes,
            ),
            ("store_reconnects", "Connections made anew", &self.reconnects),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    fn copy(&self, db: &Db) {
        let stats = db.stats();
        self.queued.set(i64::try_from(stats.queued).unwrap_or(i64::MAX));
        self.largest_group
            .set(i64::try_from(stats.largest_group).unwrap_or(i64::MAX));
        for (counter, value) in [
            (&self.units, stats.units),
            (&self.finds, stats.finds),
            (&self.groups, stats.groups),
            (&self.grouped_units, stats.grouped_units),
            (&self.retries, stats.retries),
            (&self.refused, stats.refused),
            (&self.unknown_outcomes, stats.unknown_outcomes),
            (&self.reconnects, stats.reconnects),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
    }
}

impl Metrics {
    #[expect(clippy::new_without_default, reason = "it reads the clock")]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("portolan");
        let requests = Family::default();
        let latency = Family::new_with_constructor(new_latency as fn() -> Histogram);
        let tokens = Family::default();
        let logins = Family::default();
        let rows_removed = Counter::default();
        let mail = Family::default();
        let mail_waiting = Gauge::default();
        registry.register("mail", "Attempts to send a message, by outcome", Family::clone(&mail));
        registry.register("mail_waiting", "Messages that wait to be sent", mail_waiting.clone());
        let backchannel_logouts = Family::default();
        registry.register(
            "backchannel_logouts",
            "Attempts to deliver a logout token, by outcome",
            Family::clone(&backchannel_logouts),
        );
        let job_panics = Family::default();
        registry.register(
            "job_panics",
            "Background jobs that panicked and were started again",
            Family::clone(&job_panics),
        );
        let store = StoreMetrics::default();
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(system_now().micros() as f64 / 1e6);

        registry.register(
            "http_requests",
            "Requests answered, by route and status class",
            Family::clone(&requests),
        );
        registry.register(
            "http_request_seconds",
            "Time to answer, by route",
            Family::clone(&latency),
        );
        registry.register(
            "tokens_issued",
            "Access tokens issued, by grant",
            Family::clone(&tokens),
        );
        registry.register("logins", "Attempts to log in, by outcome", Family::clone(&logins));
        registry.register("rows_removed", "Expired and dead rows removed", rows_removed.clone());
        store.register(&mut registry);
        registry.register("start_time_seconds", "When the server started, unix time", started);
        Self {
            registry,
            requests,
            latency,
            tokens,
            logins,
            rows_removed,
            mail,
            mail_waiting,
            backchannel_logouts,
            job_panics,
            store,
        }
    }

    /// The counters of a route; the text is the pattern in the router, not a path.
    pub fn route(&self, route: &str) -> RouteMetrics {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let counter = |status| {
            self.requests
                .get_or_create(&RequestLabels {
                    route: route.to_owned(),
                    status,
                })
                .clone()
        };
        RouteMetrics {
            by_status_class: classes.map(counter),
            latency: self
                .latency
                .get_or_create(&RouteLabels {
                    route: route.to_owned(),
                })
                .clone(),
        }
    }

    /// `grant` is a `grant_type` that the server knows.
    pub fn tokens_issued(&self, grant: &'static str, count: usize) {
        self.tokens.get_or_create(&GrantLabels { grant }).inc_by(count as u64);
    }

    pub fn login(&self, outcome: Login) {
        self.logins.get_or_create(&LoginLabels { outcome }).inc();
    }

    pub fn rows_removed(&self, count: u64) {
        self.rows_removed.inc_by(count);
    }

    pub fn mail(&self, outcome: Mail) {
        self.mail.get_or_create(&MailLabels { outcome }).inc();
    }

    pub fn backchannel_logout(&self, outcome: Mail) {
        self.backchannel_logouts.get_or_create(&MailLabels { outcome }).inc();
    }

    pub fn job_panicked(&self, job: &'static str) {
        self.job_panics.get_or_create(&JobLabels { job }).inc();
    }

    pub fn mail_waiting(&self, count: i64) {
        self.mail_waiting.set(count);
    }

    /// The whole page.
    pub fn render(&self, db: &Db) -> String {
        self.store.copy(db);
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("writing to a string does not fail");
        page
    }
}

fn new_latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_class() {
        let metrics = Metrics::new();
        let token = metrics.route("/v2/oauth2/token");
        token.count(http::StatusCode::OK, Duration::from_millis(3));
        token.count(http::StatusCode::CREATED, Duration::from_millis(3));
        metrics
            .route("/v2/oauth2/token")
            .count(http::StatusCode::BAD_REQUEST, Duration::from_secs(1));
        metrics.tokens_issued("refresh_token", 3);
        metrics.login(Login::Failure);

        let mut page = String::new();
        encode(&mut page, &metrics.registry).expect("a string");

        for line in [
            "portolan_http_requests_total{route=\"/v2/oauth2/token\",status=\"2xx\"} 2",
            "portolan_http_requests_total{route=\"/v2/oauth2/token\",status=\"4xx\"} 1",
            "portolan_http_request_seconds_bucket{le=\"0.005\",route=\"/v2/oauth2/token\"} 2",
            "portolan_http_request_seconds_count{route=\"/v2/oauth2/token\"} 3",
            "portolan_tokens_issued_total{grant=\"refresh_token\"} 3",
            "portolan_logins_total{outcome=\"Failure\"} 1",
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
    }
}
