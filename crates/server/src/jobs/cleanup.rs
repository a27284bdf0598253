//! Removes what has expired and what is dead. Small units with pauses between them, so
//! that issuing tokens never waits for a broom; one node at a time.

use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::{Timestamp, TokenHash};
use uuid::Uuid;

use crate::app::{App, new_uuid, random_bytes};
use crate::config::{Config, MAX_TOKEN_LIFETIME};
use crate::error::Result;
use crate::store::{cleanup, leases};

/// Rows per unit of work.
const BATCH: i64 = 500;
/// Units per table and run: the rest waits for the next run.
const MAX_BATCHES: usize = 1000;
/// Pages of the sweep over all tokens per run.
const SWEEP_PAGES: usize = 40;
const PAUSE: Duration = Duration::from_millis(20);
const LEASE: Duration = Duration::from_secs(120);

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// An instance of a template that nobody has logged in with after this time goes.
const UNUSED_INSTANCE: Duration = DAY;

/// What marks ended grants must outlive every token that it ends: no setting allows a
/// token to live longer than this, whatever the setting was when the token was made.
const ENDED_GRANTS: Duration = MAX_TOKEN_LIFETIME.saturating_add(WEEK);

type Remove = fn(&mut WriteTx, Times, i64) -> Result<u64>;

/// Every table with expired rows. Sessions, tokens and codes stay a while after their end,
/// for whoever asks what happened; a replayed code is noticed as long as its tokens live.
const TABLES: &[(&str, Remove)] = &[
    ("authorization_codes", |tx, times, limit| {
        cleanup::authorization_codes(tx, times.codes_ended_before, limit)
    }),
    ("access_tokens", |tx, times, limit| {
        cleanup::access_tokens(tx, times.now - WEEK, limit)
    }),
    ("refresh_tokens", |tx, times, limit| {
        cleanup::refresh_tokens(tx, times.now - WEEK, limit)
    }),
    ("ended_grants", |tx, times, limit| {
        cleanup::ended_grants(tx, times.now - ENDED_GRANTS, limit)
    }),
    ("authorization_requests", |tx, times, limit| {
        cleanup::authorization_requests(tx, times.now, limit)
    }),
    ("upstream_logins", |tx, times, limit| {
        cleanup::upstream_logins(tx, times.now, limit)
    }),
    ("browser_sessions", |tx, times, limit| {
        cleanup::browser_sessions(tx, times.sessions_seen_before, limit)
    }),
    ("app_sessions", |tx, times, limit| {
        cleanup::app_sessions(tx, times.now - WEEK, limit)
    }),
    ("failure_counters", |tx, times, limit| {
        cleanup::failure_counters(tx, times.now - DAY, times.now, limit)
    }),
    ("one_time_links", |tx, times, limit| {
        cleanup::one_time_links(tx, times.now - HOUR, limit)
    }),
    ("outbox", |tx, times, limit| cleanup::outbox(tx, times.now - DAY, limit)),
    ("logout_deliveries", |tx, times, limit| {
        cleanup::logout_deliveries(tx, times.now - DAY, limit)
    }),
    ("mail_requests", |tx, times, limit| {
        cleanup::mail_requests(tx, times.now - HOUR, limit)
    }),
    ("pending_links", |tx, times, limit| {
        cleanup::pending_links(tx, times.now, limit)
    }),
    ("used_challenges", |tx, times, limit| {
        cleanup::used_challenges(tx, times.now - HOUR, limit)
    }),
    ("pending_logins", |tx, times, limit| {
        cleanup::pending_logins(tx, times.now - HOUR, limit)
    }),
    ("totp_secrets", |tx, times, limit| {
        cleanup::unconfirmed_totp(tx, times.now - DAY, limit)
    }),
    ("audit_events", |tx, times, limit| {
        cleanup::audit_events(tx, times.audit_before, limit)
    }),
    ("clients", |tx, times, limit| {
        cleanup::unused_instances(tx, times.now - UNUSED_INSTANCE, limit)
    }),
];

/// What the configuration makes of this moment.
#[derive(Clone, Copy)]
struct Times {
    now: Timestamp,
    codes_ended_before: Timestamp,
    sessions_seen_before: Timestamp,
    audit_before: Timestamp,
}

impl Times {
    fn new(now: Timestamp, config: &Config) -> Self {
        Self {
            now,
            codes_ended_before: now - Duration::from_secs(config.access_token_lifetime_seconds).max(DAY),
            sessions_seen_before: now - Duration::from_secs(config.session_idle_lifetime_seconds) - DAY,
            audit_before: now - DAY * u32::try_from(config.audit_retention_days).unwrap_or(u32::MAX),
        }
    }
}

pub struct Cleanup {
    holder: Uuid,
    /// How far the sweep over all tokens has come. It begins anywhere, so that servers
    /// that are started often reach every part.
    swept_to: TokenHash,
    pause: Duration,
}

impl Cleanup {
    #[expect(clippy::new_without_default, reason = "it draws random numbers")]
    pub fn new() -> Self {
        Self {
            holder: new_uuid(),
            swept_to: TokenHash(random_bytes()),
            pause: PAUSE,
        }
    }

    /// Removes what is due and returns how many rows; nothing if another node is at it.
    pub async fn run_once(&mut self, app: &App) -> Result<u64> {
        if !self.take_lease(app).await? {
            return Ok(0);
        }
        let times = Times::new(app.clock.now(), &app.config);
        let mut removed = 0;
        for (table, remove) in TABLES {
            removed += self.empty(app, table, *remove, times).await?;
        }
        removed += self.sweep(app).await?;
        app.metrics.rows_removed(removed);
        Ok(removed)
    }

    async fn take_lease(&self, app: &App) -> Result<bool> {
        let (holder, now) = (self.holder, app.clock.now());
        app.db
            .write(move |tx| leases::take(tx, "cleanup", holder, now, now + LEASE))
            .await
    }

    async fn empty(&self, app: &App, table: &str, remove: Remove, times: Times) -> Result<u64> {
        let mut removed = 0;
        for batch in 0..MAX_BATCHES {
            // A long run keeps its lease alive.
            if batch % 100 == 99 && !self.take_lease(app).await? {
                break;
            }
            let rows = app.db.write(move |tx| remove(tx, times, BATCH)).await?;
            removed += rows;
            if rows < BATCH as u64 {
                break;
            }
            tokio::time::sleep(self.pause).await;
        }
        if removed > 0 {
            tracing::debug!(table, removed, "rows removed");
        }
        Ok(removed)
    }

    async fn sweep(&mut self, app: &App) -> Result<u64> {
        let mut removed = 0;
        for _ in 0..SWEEP_PAGES {
            let after = self.swept_to;
            let swept = app.db.write(move |tx| cleanup::sweep_tokens(tx, after, BATCH)).await?;
            removed += swept.removed;
            self.swept_to = swept.next.unwrap_or(TokenHash([0; 32]));
            if swept.next.is_none() {
                break;
            }
            tokio::time::sleep(self.pause).await;
        }
        Ok(removed)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::start::tests::{NOW, app};
    use crate::store::links;

    fn run(cleanup: &mut Cleanup, app: &App) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(cleanup.run_once(app)).unwrap()
    }

    fn cleanup() -> Cleanup {
        Cleanup {
            pause: Duration::ZERO,
            ..Cleanup::new()
        }
    }

    #[test]
    fn rows_go_when_their_time_has_come_and_in_as_many_batches_as_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        // The first administrator's link is one such row.
        let links = 2 * BATCH as u64 + 1;
        app.db
            .write_blocking(move |tx| {
                for number in 1..links {
                    let mut hash = [0; 32];
                    hash[..8].copy_from_slice(&number.to_be_bytes());
                    links::insert(tx, &TokenHash(hash), "test", NOW, NOW + DAY)?;
                }
                Ok::<_, crate::Error>(())
            })
            .unwrap();
        let mut cleanup = cleanup();
        assert_eq!(run(&mut cleanup, &app), 0);

        app.clock.advance(DAY + HOUR);
        assert_eq!(run(&mut cleanup, &app), 0, "not before the hour is over");
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(run(&mut cleanup, &app), links);
        assert_eq!(run(&mut cleanup, &app), 0);
    }

    #[test]
    fn of_two_nodes_one_cleans() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        let (mut first, mut second) = (cleanup(), cleanup());
        run(&mut first, &app);
        app.clock.advance(2 * DAY);
        run(&mut first, &app);
        app.clock.advance(LEASE - Duration::from_secs(1));
        let expired = |tx: &mut WriteTx| links::insert(tx, &TokenHash([9; 32]), "test", NOW, NOW);
        app.db.write_blocking(expired).unwrap();

        assert_eq!(run(&mut second, &app), 0, "the first holds the lease");
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(run(&mut second, &app), 1, "it has run out");
    }

    #[test]
    fn marks_of_ended_grants_outlive_every_token() {
        assert!(ENDED_GRANTS > MAX_TOKEN_LIFETIME);
        let config = Config {
            refresh_idle_lifetime_seconds: ENDED_GRANTS.as_secs(),
            ..Config::default()
        };
        assert!(config.validate().is_err(), "no setting reaches as far");
    }
}
