//! Removes rows that nothing can need any more, a bounded number at a time. Each function
//! returns how many it removed: fewer than `limit` means that nothing is left.
//!
//! A token whose consent is gone is inactive because one of its `token_consents` rows
//! finds no consent. So such a row is only ever removed together with its token: alone
//! it would bring the token back to life.

use portolan_db::{IntoValue, Value, WriteTx, params};
use portolan_types::{ClientId, Timestamp, TokenHash};

use super::in_list;
use crate::error::Result;

pub fn authorization_codes(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM authorization_codes
          WHERE hash IN (SELECT hash FROM authorization_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

pub fn access_tokens(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    let dead: Vec<(TokenHash,)> = tx.fetch_all(
        "SELECT hash FROM access_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
        params![expired_before, limit],
    )?;
    tokens(tx, dead)
}

/// Rotated predecessors go with their own end, so that their re-use is noticed until then.
pub fn refresh_tokens(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    let dead: Vec<(TokenHash,)> = tx.fetch_all(
        "SELECT hash FROM refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
        params![expired_before, limit],
    )?;
    tokens(tx, dead)
}

/// What one step of the sweep over all tokens has done.
pub struct Swept {
    pub removed: u64,
    /// Where the next step goes on; none at the end of the table.
    pub next: Option<TokenHash>,
}

/// Looks at the next `limit` rows of `token_consents` and removes the tokens that rest on a
/// consent which is gone, and rows whose token is gone.
pub fn sweep_tokens(tx: &mut WriteTx, after: TokenHash, limit: i64) -> Result<Swept> {
    let page: Vec<(TokenHash,)> = tx.fetch_all(
        "SELECT token_hash FROM token_consents WHERE token_hash > $1 ORDER BY token_hash LIMIT $2",
        params![after, limit],
    )?;
    let Some(&(last,)) = page.last() else {
        return Ok(Swept { removed: 0, next: None });
    };
    let dead: Vec<(TokenHash,)> = tx.fetch_all(
        "SELECT DISTINCT tc.token_hash
           FROM token_consents tc
          WHERE tc.token_hash > $1 AND tc.token_hash <= $2
            AND (NOT EXISTS (SELECT 1 FROM consents c WHERE c.id = tc.consent_id)
                 OR (NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.hash = tc.token_hash)
                     AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.hash = tc.token_hash)))",
        params![after, last],
    )?;
    Ok(Swept {
        removed: tokens(tx, dead)?,
        next: Some(last),
    })
}

fn tokens(tx: &mut WriteTx, dead: Vec<(TokenHash,)>) -> Result<u64> {
    if dead.is_empty() {
        return Ok(0);
    }
    let mut hashes: Vec<Value> = Vec::new();
    let list = in_list(&mut hashes, dead.iter().map(|(hash,)| hash.into_value()));
    tx.execute(
        &format!("DELETE FROM token_consents WHERE token_hash IN ({list})"),
        &hashes,
    )?;
    tx.execute(&format!("DELETE FROM access_tokens WHERE hash IN ({list})"), &hashes)?;
    tx.execute(&format!("DELETE FROM refresh_tokens WHERE hash IN ({list})"), &hashes)?;
    Ok(dead.len() as u64)
}

pub fn ended_grants(tx: &mut WriteTx, ended_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM ended_grants
          WHERE id IN (SELECT id FROM ended_grants WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
        params![ended_before, limit],
    )?)
}

pub fn authorization_requests(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM authorization_requests
          WHERE id IN (SELECT id FROM authorization_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

/// Messages that were handed over, given up, or that nobody needs any more.
pub fn outbox(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM outbox
          WHERE id IN (SELECT id FROM outbox WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

pub fn upstream_logins(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM upstream_logins
          WHERE state_hash IN (SELECT state_hash FROM upstream_logins WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

/// Logout tokens that are not delivered for so long tell nobody anything new.
pub fn logout_deliveries(tx: &mut WriteTx, created_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM logout_deliveries
          WHERE id IN (SELECT id FROM logout_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        params![created_before, limit],
    )?)
}

/// Requests that no node has answered: none sends mail.
pub fn mail_requests(tx: &mut WriteTx, created_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM mail_requests
          WHERE id IN (SELECT id FROM mail_requests WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        params![created_before, limit],
    )?)
}

pub fn used_challenges(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM used_challenges
          WHERE hash IN (SELECT hash FROM used_challenges WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

pub fn pending_logins(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM pending_logins
          WHERE hash IN (SELECT hash FROM pending_logins WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

/// Authenticator apps that were begun to be set up and never confirmed.
pub fn unconfirmed_totp(tx: &mut WriteTx, begun_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM totp_secrets
          WHERE id IN (SELECT id FROM totp_secrets WHERE confirmed_at IS NULL AND created_at < $1
                        ORDER BY created_at LIMIT $2)",
        params![begun_before, limit],
    )?)
}

/// A session that was ended or has reached its absolute end is not seen any more either,
/// so one condition finds all three kinds.
pub fn browser_sessions(tx: &mut WriteTx, seen_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM browser_sessions
          WHERE id IN (SELECT id FROM browser_sessions WHERE last_seen_at < $1 ORDER BY last_seen_at LIMIT $2)",
        params![seen_before, limit],
    )?)
}

pub fn app_sessions(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM app_sessions
          WHERE id IN (SELECT id FROM app_sessions WHERE token_expires_at < $1 ORDER BY token_expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

/// Counters that neither block anybody nor have counted for a while.
pub fn failure_counters(tx: &mut WriteTx, failed_before: Timestamp, now: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM failure_counters
          WHERE name IN (SELECT name FROM failure_counters
                          WHERE last_failed_at < $1 AND blocked_until < $2 ORDER BY last_failed_at LIMIT $3)",
        params![failed_before, now, limit],
    )?)
}

pub fn one_time_links(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM one_time_links
          WHERE hash IN (SELECT hash FROM one_time_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

pub fn pending_links(tx: &mut WriteTx, expired_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM pending_links
          WHERE id IN (SELECT id FROM pending_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![expired_before, limit],
    )?)
}

pub fn audit_events(tx: &mut WriteTx, happened_before: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(
        "DELETE FROM audit_events
          WHERE id IN (SELECT id FROM audit_events WHERE happened_at < $1 ORDER BY happened_at, id LIMIT $2)",
        params![happened_before, limit],
    )?)
}

/// Instances of templates that nobody has logged in with. Their identities never spoke to
/// anybody, so they go too: anybody can make such rows.
pub fn unused_instances(tx: &mut WriteTx, created_before: Timestamp, limit: i64) -> Result<u64> {
    let unused: Vec<(ClientId,)> = tx.fetch_all(
        "SELECT id FROM clients
          WHERE is_instance = 1 AND first_used_at IS NULL AND created_at < $1
          ORDER BY created_at LIMIT $2",
        params![created_before, limit],
    )?;
    for (id,) in &unused {
        tx.execute("DELETE FROM clients WHERE id = $1", params![*id])?;
        let identity = id.identity();
        let set: Option<(uuid::Uuid,)> = tx.fetch_optional(
            "DELETE FROM identities WHERE id = $1 RETURNING set_id",
            params![identity],
        )?;
        if let Some((set_id,)) = set {
            tx.execute(
                "DELETE FROM identity_sets
                  WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM identities WHERE set_id = $1)",
                params![set_id],
            )?;
        }
    }
    Ok(unused.len() as u64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::{Db, db_test};

    use super::*;
    use crate::store::MIGRATIONS;

    const OLD: Timestamp = Timestamp::from_seconds(100);
    const LIMIT: Timestamp = Timestamp::from_seconds(200);
    const YOUNG: Timestamp = Timestamp::from_seconds(300);

    fn hash(number: u8) -> TokenHash {
        TokenHash([number; 32])
    }

    /// Runs statements that all tests share: one provider, person, client, scope, consent 1.
    fn setup(db: &Db) {
        db.write_blocking(|tx| {
            for sql in [
                "INSERT INTO identity_providers (id, name, short_name, kind, alternative_names, configuration, enabled, created_at)
                 VALUES ($1, 'p', 'p', 'local', '[]', '{}', 1, 0)",
                "INSERT INTO identity_sets (id, primary_id) VALUES ($1, $1)",
                "INSERT INTO identities (id, set_id, identity_provider_id, username, status, enabled, generation, created_at)
                 VALUES ($1, $1, $1, 'u', 'used', 1, 0, 0)",
                "INSERT INTO clients (id, name, client_type, is_template, is_instance, grant_types, visibility, redirect_uris,
                                      requested_scopes, userinfo_from_effective_identity, prompt_for_named_grant, enabled, created_at)
                 VALUES ($1, 'c', 'confidential_client', 0, 0, '', 'private', '[]', '[]', 1, 0, 1, 0)",
                "INSERT INTO scopes (id, client_id, scope_string, name, description, advertised, allows_refresh_token,
                                     required_domains, created_at)
                 VALUES ($1, $1, 's', 's', 's', 1, 1, '[]', 0)",
                "INSERT INTO consents (id, root_id, path, identity_id, client_id, scope_id, status, allows_refresh,
                                       auto_approved, atomically_revocable, created_at, updated_at)
                 VALUES (1, 1, '1', $1, $1, $1, 'approved', 1, 0, 1, 0, 0)",
                "INSERT INTO browser_sessions (id, cookie_hash, created_at, last_seen_at, expires_at)
                 VALUES ($1, $1, 0, 300000000, 0)",
            ] {
                // The cookie's hash is the only column of another type.
                let sql = sql.replace("VALUES ($1, $1, 0, 300000000, 0)", "VALUES ($1, $2, 0, 300000000, 0)");
                let mut values = vec![uuid::Uuid::from_u128(1).into_value()];
                if sql.contains("$2") {
                    values.push(hash(1).into_value());
                }
                tx.execute(&sql, values)?;
            }
            Ok::<_, crate::Error>(())
        })
        .unwrap();
    }

    fn insert_token(db: &Db, table: &'static str, number: u8, expires_at: Timestamp, consents: &'static [i64]) {
        db.write_blocking(move |tx| {
            let columns = if table == "refresh_tokens" { "family_id, generation, idle_since, " } else { "" };
            let values = if table == "refresh_tokens" { "$2, 0, 0, " } else { "" };
            tx.execute(
                &format!(
                    "INSERT INTO {table} (hash, {columns}client_id, identity_id, identity_generation, resource_server_id,
                                          resource_server, issuance_id, profile, issued_at, expires_at)
                     VALUES ($1, {values}$2, $2, 0, $2, 'r', $2, 0, 0, $3)"
                ),
                params![hash(number), uuid::Uuid::from_u128(1), expires_at],
            )?;
            for consent in consents {
                let row = params![hash(number), *consent];
                tx.execute("INSERT INTO token_consents (token_hash, consent_id, scope_string) VALUES ($1, $2, 's')", row)?;
            }
            Ok::<_, crate::Error>(())
        })
        .unwrap();
    }

    fn execute(db: &Db, sql: &'static str, values: Vec<Value>) {
        db.write_blocking(move |tx| Ok::<_, crate::Error>(tx.execute(sql, values.clone())?))
            .unwrap();
    }

    fn count(db: &Db, table: &'static str) -> i64 {
        db.read_blocking(move |tx| {
            Ok::<_, crate::Error>(tx.fetch_one(&format!("SELECT count(*) FROM {table}"), params![])?)
        })
        .unwrap()
    }

    fn remove(db: &Db, work: impl Fn(&mut WriteTx) -> Result<u64> + Send + 'static) -> u64 {
        db.write_blocking(work).unwrap()
    }

    db_test!(expired_tokens_go_with_their_consent_rows, MIGRATIONS, |db| {
        setup(db);
        insert_token(db, "access_tokens", 1, OLD, &[1]);
        insert_token(db, "access_tokens", 2, OLD, &[1]);
        insert_token(db, "access_tokens", 3, YOUNG, &[1]);
        insert_token(db, "refresh_tokens", 4, OLD, &[1]);
        insert_token(db, "refresh_tokens", 5, YOUNG, &[1]);

        assert_eq!(remove(db, |tx| access_tokens(tx, LIMIT, 1)), 1);
        assert_eq!(count(db, "access_tokens"), 2);
        assert_eq!(remove(db, |tx| access_tokens(tx, LIMIT, 10)), 1);
        assert_eq!(remove(db, |tx| access_tokens(tx, LIMIT, 10)), 0);
        assert_eq!(remove(db, |tx| refresh_tokens(tx, LIMIT, 10)), 1);

        assert_eq!(
            (
                count(db, "access_tokens"),
                count(db, "refresh_tokens"),
                count(db, "token_consents")
            ),
            (1, 1, 2)
        );
    });

    db_test!(
        the_sweep_removes_tokens_whose_consent_is_gone_and_rows_without_a_token,
        MIGRATIONS,
        |db| {
            setup(db);
            insert_token(db, "access_tokens", 1, YOUNG, &[1]);
            // One of two consents is gone: the token must go, not only the row.
            insert_token(db, "access_tokens", 2, YOUNG, &[1, 99]);
            insert_token(db, "refresh_tokens", 3, YOUNG, &[99]);
            insert_token(db, "access_tokens", 4, YOUNG, &[1]);
            let orphan = params![hash(5)].into();
            execute(
                db,
                "INSERT INTO token_consents (token_hash, consent_id, scope_string) VALUES ($1, 1, 's')",
                orphan,
            );

            let mut removed = 0;
            let mut after = TokenHash([0; 32]);
            loop {
                let swept = db.write_blocking(move |tx| sweep_tokens(tx, after, 2)).unwrap();
                removed += swept.removed;
                let Some(next) = swept.next else { break };
                after = next;
            }

            assert_eq!(removed, 3);
            assert_eq!(
                (
                    count(db, "access_tokens"),
                    count(db, "refresh_tokens"),
                    count(db, "token_consents")
                ),
                (2, 0, 2)
            );
        }
    );

    db_test!(what_has_expired_goes_and_the_rest_stays, MIGRATIONS, |db| {
        setup(db);
        let one = uuid::Uuid::from_u128(1);
        for (number, at) in [(10, OLD), (11, YOUNG)] {
            let id = uuid::Uuid::from_u128(number);
            let hash = hash(number as u8);
            execute(
                db,
                "INSERT INTO authorization_codes (hash, client_id, identity_id, identity_generation, issuance_id, app_session_id,
                                                  redirect_uri, scope, granted, offline, auth_time, auth_time_requested,
                                                  issued_at, expires_at)
                 VALUES ($1, $2, $2, 0, $2, $2, 'u', 's', '[]', 0, 0, 0, 0, $3)",
                params![hash, one, at].into(),
            );
            execute(
                db,
                "INSERT INTO ended_grants (id, ended_at) VALUES ($1, $2)",
                params![id, at].into(),
            );
            execute(
                db,
                "INSERT INTO authorization_requests (id, browser_session_id, client_id, parameters, parked_at, page_shown, expires_at)
                 VALUES ($1, $2, $2, '{}', 0, 0, $3)",
                params![id, one, at].into(),
            );
            execute(
                db,
                "INSERT INTO browser_sessions (id, cookie_hash, created_at, last_seen_at, expires_at) VALUES ($1, $2, 0, $3, 0)",
                params![id, hash, at].into(),
            );
            execute(
                db,
                "INSERT INTO app_sessions (id, browser_session_id, client_id, created_at, token_expires_at) VALUES ($1, $1, $1, 0, $2)",
                params![id, at].into(),
            );
            execute(
                db,
                "INSERT INTO failure_counters (name, failures, blocked_until, last_failed_at) VALUES ($1, 1, 0, $2)",
                params![number.to_string(), at].into(),
            );
            execute(
                db,
                "INSERT INTO one_time_links (hash, purpose, created_at, expires_at) VALUES ($1, 'p', 0, $2)",
                params![hash, at].into(),
            );
            execute(
                db,
                "INSERT INTO outbox (id, kind, recipient, recipient_key, subject, body, created_at, expires_at, attempts,
                                     next_attempt_at, claimed_until)
                 VALUES ($1, 'notice', 'r', 'r', 's', 'b', 0, $2, 0, 0, 0)",
                params![id, at].into(),
            );
            execute(
                db,
                "INSERT INTO logout_deliveries (id, client_id, app_session_id, created_at, attempts, next_attempt_at, claimed_until)
                 VALUES ($1, $2, $2, $3, 0, 0, 0)",
                params![id, one, at].into(),
            );
            execute(
                db,
                "INSERT INTO mail_requests (id, kind, typed, created_at) VALUES ($1, 'k', 't', $2)",
                params![id, at].into(),
            );
            execute(
                db,
                "INSERT INTO audit_events (id, happened_at, action, actor_kind, resource_kind, resource_id, detail)
                 VALUES ($1, $2, 'a', 'system', 'r', 'r', '{}')",
                params![id, at].into(),
            );
        }
        type Remove = fn(&mut WriteTx) -> Result<u64>;
        let cases: [(&str, Remove, i64); 11] = [
            ("authorization_codes", |tx| authorization_codes(tx, LIMIT, 10), 1),
            ("ended_grants", |tx| ended_grants(tx, LIMIT, 10), 1),
            ("authorization_requests", |tx| authorization_requests(tx, LIMIT, 10), 1),
            ("browser_sessions", |tx| browser_sessions(tx, LIMIT, 10), 2),
            ("app_sessions", |tx| app_sessions(tx, LIMIT, 10), 1),
            ("failure_counters", |tx| failure_counters(tx, LIMIT, YOUNG, 10), 1),
            ("one_time_links", |tx| one_time_links(tx, LIMIT, 10), 1),
            ("outbox", |tx| outbox(tx, LIMIT, 10), 1),
            ("logout_deliveries", |tx| logout_deliveries(tx, LIMIT, 10), 1),
            ("mail_requests", |tx| mail_requests(tx, LIMIT, 10), 1),
            ("audit_events", |tx| audit_events(tx, LIMIT, 10), 1),
        ];
        for (table, work, left) in cases {
            assert_eq!(remove(db, work), 1, "{table}");
            assert_eq!(remove(db, work), 0, "{table}: a second time nothing is left");
            assert_eq!(count(db, table), left, "{table}");
        }
    });

    db_test!(
        people_who_do_not_come_back_from_a_provider_are_forgotten,
        MIGRATIONS,
        |db| {
            setup(db);
            let one = uuid::Uuid::from_u128(1);
            for (number, at) in [(10, OLD), (11, YOUNG)] {
                execute(
                    db,
                    "INSERT INTO upstream_logins (state_hash, identity_provider_id, browser_session_id, destination,
                                              started_at, expires_at)
                 VALUES ($1, $2, $2, '', 0, $3)",
                    params![hash(number), one, at].into(),
                );
            }
            assert_eq!(remove(db, |tx| upstream_logins(tx, LIMIT, 10)), 1);
            assert_eq!(remove(db, |tx| upstream_logins(tx, LIMIT, 10)), 0);
            assert_eq!(count(db, "upstream_logins"), 1);
        }
    );

    db_test!(a_counter_that_still_blocks_stays, MIGRATIONS, |db| {
        let blocked = params![YOUNG, OLD].into();
        execute(
            db,
            "INSERT INTO failure_counters (name, failures, blocked_until, last_failed_at) VALUES ('n', 1, $1, $2)",
            blocked,
        );
        assert_eq!(remove(db, |tx| failure_counters(tx, LIMIT, LIMIT, 10)), 0);
    });

    db_test!(unused_instances_go_with_their_identities, MIGRATIONS, |db| {
        setup(db);
        for (number, created_at, first_used_at) in [(20, OLD, None), (21, OLD, Some(OLD)), (22, YOUNG, None)] {
            let id = uuid::Uuid::from_u128(number);
            execute(
                db,
                "INSERT INTO clients (id, name, client_type, is_template, is_instance, grant_types, visibility, redirect_uris,
                                      requested_scopes, userinfo_from_effective_identity, prompt_for_named_grant, enabled,
                                      created_at, first_used_at)
                 VALUES ($1, 'c', 'confidential_client', 0, 1, '', 'private', '[]', '[]', 1, 0, 1, $2, $3)",
                params![id, created_at, first_used_at].into(),
            );
            execute(
                db,
                "INSERT INTO identity_sets (id, primary_id) VALUES ($1, $1)",
                params![id].into(),
            );
            execute(
                db,
                "INSERT INTO identities (id, set_id, identity_provider_id, username, status, enabled, generation, created_at)
                 VALUES ($1, $1, $2, $3, 'used', 1, 0, 0)",
                params![id, uuid::Uuid::from_u128(1), number.to_string()].into(),
            );
        }

        assert_eq!(remove(db, |tx| unused_instances(tx, LIMIT, 10)), 1);

        assert_eq!(
            (
                count(db, "clients"),
                count(db, "identities"),
                count(db, "identity_sets")
            ),
            (3, 3, 3)
        );
    });
}
