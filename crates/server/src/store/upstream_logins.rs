//! Logins that are under way at another identity provider. Only the hash of the state is
//! stored; what else must not be guessed is derived from the state when it comes back.

use portolan_db::{Error as DbError, FromRow, Row, WriteTx, params};
use portolan_types::{BrowserSessionId, IdentityProviderId, Timestamp, TokenHash};
use uuid::Uuid;

use crate::error::Result;

/// The most that may be under way in one browser; the oldest give way.
pub const PER_BROWSER: i64 = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamLogin {
    pub provider_id: IdentityProviderId,
    pub browser_session_id: BrowserSessionId,
    /// The authorization request that waits for it.
    pub request_id: Option<Uuid>,
    /// Where else signing in leads, encoded as the login page carries it.
    pub destination: String,
    /// How old the authentication may be, in seconds.
    pub max_age: Option<i64>,
    pub started_at: Timestamp,
}

impl FromRow for UpstreamLogin {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            provider_id: row.take()?,
            browser_session_id: row.take()?,
            request_id: row.take()?,
            destination: row.take()?,
            max_age: row.take()?,
            started_at: row.take()?,
        })
    }
}

pub fn insert(tx: &mut WriteTx, state: &TokenHash, login: &UpstreamLogin, expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM upstream_logins
          WHERE browser_session_id = $1
            AND state_hash NOT IN (SELECT state_hash FROM upstream_logins WHERE browser_session_id = $1
                                    ORDER BY started_at DESC, state_hash LIMIT $2)",
        params![login.browser_session_id, PER_BROWSER - 1],
    )?;
    tx.execute(
        "INSERT INTO upstream_logins (state_hash, identity_provider_id, browser_session_id, request_id, destination,
                                      max_age, started_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            *state,
            login.provider_id,
            login.browser_session_id,
            login.request_id,
            &login.destination,
            login.max_age,
            login.started_at,
            expires_at
        ],
    )?;
    Ok(())
}

/// Single use, and only where it belongs: the browser that began it, the provider that it
/// went to. Anybody else neither gets it nor ends it.
pub fn consume(
    tx: &mut WriteTx,
    state: &TokenHash,
    provider: IdentityProviderId,
    browser: BrowserSessionId,
    now: Timestamp,
) -> Result<Option<UpstreamLogin>> {
    Ok(tx.fetch_optional(
        "DELETE FROM upstream_logins
          WHERE state_hash = $1 AND identity_provider_id = $2 AND browser_session_id = $3 AND expires_at > $4
      RETURNING identity_provider_id, browser_session_id, request_id, destination, max_age, started_at",
        params![*state, provider, browser, now],
    )?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use portolan_db::{Db, db_test};

    use super::*;
    use crate::store::{MIGRATIONS, cleanup, identity_providers, sessions};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const PROVIDER: IdentityProviderId = IdentityProviderId::from_u128(1);
    const BROWSER: BrowserSessionId = BrowserSessionId(Uuid::from_u128(2));

    fn state(number: u8) -> TokenHash {
        TokenHash([number; 32])
    }

    fn login(started_at: Timestamp) -> UpstreamLogin {
        UpstreamLogin {
            provider_id: PROVIDER,
            browser_session_id: BROWSER,
            request_id: Some(Uuid::from_u128(3)),
            destination: "next=consents".into(),
            max_age: Some(0),
            started_at,
        }
    }

    fn begin(db: &Db, number: u8, started_at: Timestamp) {
        db.write_blocking(move |tx| insert(tx, &state(number), &login(started_at), NOW + Duration::from_secs(600)))
            .unwrap();
    }

    fn populate(db: &Db) {
        db.write_blocking(|tx| {
            let provider = identity_providers::IdentityProvider {
                id: PROVIDER,
                name: "P".into(),
                short_name: "p".into(),
                kind: "oidc".into(),
                alternative_names: "[]".into(),
                enabled: true,
            };
            identity_providers::upsert(tx, &provider, &[], NOW)?;
            sessions::insert(tx, BROWSER, &state(99), NOW, NOW + Duration::from_secs(600), None, None)
        })
        .unwrap();
    }

    fn take(db: &Db, provider: IdentityProviderId, browser: BrowserSessionId, now: Timestamp) -> Option<UpstreamLogin> {
        db.write_blocking(move |tx| consume(tx, &state(1), provider, browser, now))
            .unwrap()
    }

    db_test!(a_login_ends_once_where_it_was_begun, MIGRATIONS, |db| {
        populate(db);
        begin(db, 1, NOW);
        let late = NOW + Duration::from_secs(600);
        assert_eq!(take(db, IdentityProviderId::from_u128(9), BROWSER, NOW), None);
        assert_eq!(take(db, PROVIDER, BrowserSessionId(Uuid::from_u128(9)), NOW), None);
        assert_eq!(take(db, PROVIDER, BROWSER, late), None);

        assert_eq!(take(db, PROVIDER, BROWSER, NOW), Some(login(NOW)));
        assert_eq!(take(db, PROVIDER, BROWSER, NOW), None);
    });

    db_test!(
        the_oldest_of_a_browser_give_way_and_expired_ones_are_removed,
        MIGRATIONS,
        |db| {
            populate(db);
            let count = || {
                let count = db.read_blocking(|tx| {
                    Ok::<_, crate::Error>(
                        tx.fetch_one::<(i64,)>("SELECT count(*) FROM upstream_logins", params![])?
                            .0,
                    )
                });
                count.unwrap()
            };
            for number in 1..=30 {
                begin(db, number, NOW + Duration::from_secs(number.into()));
            }
            assert_eq!(count(), PER_BROWSER);
            assert_eq!(take(db, PROVIDER, BROWSER, NOW), None, "the first is gone");
            let clean = |before: u64| {
                let before = NOW + Duration::from_secs(before);
                db.write_blocking(move |tx| cleanup::upstream_logins(tx, before, 15))
                    .unwrap()
            };
            assert_eq!(clean(600), 0);
            assert_eq!((clean(601), clean(601), count()), (15, 5, 0));
        }
    );
}
