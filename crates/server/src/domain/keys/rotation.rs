//! When signing keys change. Pure planning: the caller makes the key and writes it all.
//!
//! A new key is in the key list for one cache period before its first signature, and
//! the old one stays until the last token it signed has expired, so that no client that
//! caches the list ever meets a signature it cannot check.

use std::time::Duration;

use portolan_types::Timestamp;
use uuid::Uuid;

use super::{KeyKind, StoredKey};

/// How long clients may cache the key list, and so how long a new key is published
/// before it signs.
pub const PUBLISH_LEAD: Duration = Duration::from_secs(3600);

/// On top of the life of the last token: nodes take up to half a minute to see a new
/// key, and clients accept tokens some minutes after their end (the Python SDK five).
const RETIRE_ALLOWANCE: Duration = Duration::from_secs(600);

/// Retired keys still verify ID tokens that come back as hints; after this time the
/// rows can go.
const KEEP_RETIRED: Duration = Duration::from_secs(30 * 86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Published first, signs after the lead.
    Published { lead: Duration },
    /// Signs at once; clients that cache the key list fail until they fetch it again.
    Now,
    /// Signs at once and removes all others of its kind: they are in the wrong hands.
    Compromised,
}

/// A key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub kind: KeyKind,
    pub publish_at: Timestamp,
    pub sign_from: Timestamp,
}

/// New times of a key in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    pub id: Uuid,
    pub publish_at: Timestamp,
    pub sign_from: Timestamp,
    pub retire_at: Option<Timestamp>,
}

/// What a key does at this moment; of those whose time has come the newest signs.
pub fn state(all: &[StoredKey], key: &StoredKey, now: Timestamp) -> State {
    if key.retire_at.is_some_and(|at| at <= now) {
        return State::Retired;
    }
    if key.sign_from > now {
        return State::Next;
    }
    let newest = all
        .iter()
        .filter(|other| other.kind == key.kind && other.sign_from <= now)
        .max_by_key(|other| (other.sign_from, other.created_at, other.id));
    if newest.is_some_and(|newest| newest.id == key.id) {
        State::Signing
    } else {
        State::Retiring
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Published, and waits for its turn.
    Next,
    Signing,
    /// Still in the list for what it signed.
    Retiring,
    Retired,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Next => "next",
            State::Signing => "signing",
            State::Retiring => "retiring",
            State::Retired => "retired",
        }
    }
}

/// What to write, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub insert: Option<NewKey>,
    pub update: Vec<KeyTimes>,
    pub delete: Vec<Uuid>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        *self == Plan::default()
    }
}

/// The change of keys of one kind. Planned twice it changes nothing the second time
/// while the new key waits for its turn; `Now` then brings that key forward.
pub fn plan(
    keys: &[StoredKey],
    kind: KeyKind,
    now: Timestamp,
    schedule: Schedule,
    id_token_lifetime: Duration,
) -> Plan {
    let of_kind = || keys.iter().filter(|key| key.kind == kind);
    if schedule == Schedule::Compromised {
        return Plan {
            insert: Some(NewKey {
                kind,
                publish_at: now,
                sign_from: now,
            }),
            delete: of_kind().map(|key| key.id).collect(),
            ..Plan::default()
        };
    }
    let live = || of_kind().filter(|key| key.retire_at.is_none_or(|retire_at| retire_at > now));
    let next = live().filter(|key| key.sign_from > now).max_by_key(|key| key.sign_from);
    let something_signs = live().any(|key| key.sign_from <= now);
    let sign_from = match schedule {
        Schedule::Published { .. } if next.is_some() && something_signs => return Plan::default(),
        Schedule::Published { lead } if something_signs => now + lead,
        _ => now,
    };
    let retire_at = sign_from + id_token_lifetime + RETIRE_ALLOWANCE;

    let mut plan = Plan::default();
    match next {
        Some(next) => plan.update.push(KeyTimes {
            id: next.id,
            publish_at: next.publish_at.min(now),
            sign_from,
            retire_at: None,
        }),
        None => {
            plan.insert = Some(NewKey {
                kind,
                publish_at: now,
                sign_from,
            })
        }
    }
    let old = live().filter(|key| next.is_none_or(|next| next.id != key.id));
    plan.update.extend(old.filter_map(|key| match key.retire_at {
        // An earlier end stays: that key has not signed for a while. A later one comes
        // from a rotation that this one overtakes.
        Some(earlier) if earlier <= retire_at => None,
        _ => Some(KeyTimes {
            id: key.id,
            publish_at: key.publish_at,
            sign_from: key.sign_from.min(sign_from),
            retire_at: Some(retire_at),
        }),
    }));
    plan
}

/// Kinds that no key signs for: at the first start both.
pub fn missing(keys: &[StoredKey], now: Timestamp) -> Vec<KeyKind> {
    let signs = |kind| {
        keys.iter().any(|key| {
            key.kind == kind && key.sign_from <= now && key.retire_at.is_none_or(|retire_at| retire_at > now)
        })
    };
    KeyKind::ALL.into_iter().filter(|kind| !signs(*kind)).collect()
}

/// Whether it is time to publish a successor, for keys that sign for `period` each.
pub fn is_due(keys: &[StoredKey], kind: KeyKind, now: Timestamp, period: Duration, lead: Duration) -> bool {
    let newest = keys
        .iter()
        .filter(|key| key.kind == kind)
        .map(|key| key.sign_from)
        .max();
    newest.is_none_or(|sign_from| sign_from + period <= now + lead)
}

/// Keys that nobody needs any more.
pub fn removable(keys: &[StoredKey], now: Timestamp) -> Vec<Uuid> {
    let long_retired = |key: &&StoredKey| key.retire_at.is_some_and(|retire_at| retire_at + KEEP_RETIRED <= now);
    keys.iter().filter(long_retired).map(|key| key.id).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::SigningAlgorithm;
    use super::super::tests::{at, ec, key_set, rsa};
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(1000);
    const PUBLISHED: Schedule = Schedule::Published {
        lead: Duration::from_secs(100),
    };
    /// `LIFETIME` and the allowance.
    const KEPT: i64 = 1600;

    fn plan_rsa(keys: &[StoredKey], now: i64, schedule: Schedule) -> Plan {
        plan(keys, KeyKind::Rsa, at(now), schedule, LIFETIME)
    }

    fn new_rsa(publish_at: i64, sign_from: i64) -> Option<NewKey> {
        Some(NewKey {
            kind: KeyKind::Rsa,
            publish_at: at(publish_at),
            sign_from: at(sign_from),
        })
    }

    fn times(key: &StoredKey, publish_at: i64, sign_from: i64, retire_at: Option<i64>) -> KeyTimes {
        KeyTimes {
            id: key.id,
            publish_at: at(publish_at),
            sign_from: at(sign_from),
            retire_at: retire_at.map(at),
        }
    }

    /// The store after a plan; the second key of the pool takes the place of a new one.
    fn apply(keys: &[StoredKey], plan: &Plan) -> Vec<StoredKey> {
        let mut keys: Vec<_> = keys
            .iter()
            .filter(|key| !plan.delete.contains(&key.id))
            .cloned()
            .collect();
        for times in &plan.update {
            let key = keys.iter_mut().find(|key| key.id == times.id).unwrap();
            (key.publish_at, key.sign_from, key.retire_at) = (times.publish_at, times.sign_from, times.retire_at);
        }
        if let Some(new) = plan.insert {
            keys.push(rsa(1, new.publish_at.seconds(), new.sign_from.seconds(), None));
        }
        keys
    }

    #[test]
    fn the_first_key_signs_at_once() {
        for schedule in [PUBLISHED, Schedule::Now, Schedule::Compromised] {
            assert_eq!(
                plan_rsa(&[], 50, schedule),
                Plan {
                    insert: new_rsa(50, 50),
                    ..Plan::default()
                }
            );
            assert_eq!(plan_rsa(&[ec(0, 0, 0, None)], 50, schedule).insert, new_rsa(50, 50));
        }
    }

    #[test]
    fn a_new_key_waits_and_the_old_one_outlives_its_last_signature() {
        let old = rsa(0, 0, 0, None);
        let plan = plan_rsa(std::slice::from_ref(&old), 500, PUBLISHED);
        assert_eq!(plan.insert, new_rsa(500, 600));
        assert_eq!(plan.update, [times(&old, 0, 0, Some(600 + KEPT))]);
        assert!(plan.delete.is_empty());
    }

    #[test]
    fn a_key_waits_signs_outlives_its_signatures_and_retires() {
        let keys = [rsa(0, 0, 0, Some(1000)), rsa(1, 100, 200, None), ec(0, 0, 0, None)];
        let names = |now| keys.each_ref().map(|key| state(&keys, key, at(now)).name());
        assert_eq!(names(199), ["signing", "next", "signing"]);
        assert_eq!(names(200), ["retiring", "signing", "signing"]);
        assert_eq!(names(999), ["retiring", "signing", "signing"]);
        assert_eq!(names(1000), ["retired", "signing", "signing"]);
    }

    #[test]
    fn a_key_at_its_end_signs_no_more() {
        let keys = [rsa(0, 0, 0, Some(500))];
        let plan = plan_rsa(&keys, 500, PUBLISHED);
        assert_eq!(plan.insert.unwrap().sign_from, at(500), "nothing else signs");
    }

    #[test]
    fn while_a_key_waits_nothing_more_is_planned() {
        let keys = [rsa(0, 0, 0, None)];
        let after = apply(&keys, &plan_rsa(&keys, 500, PUBLISHED));
        assert!(plan_rsa(&after, 501, PUBLISHED).is_empty());
        assert!(plan_rsa(&after, 599, PUBLISHED).is_empty());
        assert!(!plan_rsa(&after, 600, PUBLISHED).is_empty());
    }

    #[test]
    fn now_brings_a_waiting_key_forward() {
        let keys = [rsa(0, 0, 0, Some(600 + KEPT)), rsa(1, 500, 600, None)];
        let plan = plan_rsa(&keys, 550, Schedule::Now);
        assert_eq!(plan.insert, None);
        assert_eq!(
            plan.update,
            [times(&keys[1], 500, 550, None), times(&keys[0], 0, 0, Some(550 + KEPT))]
        );
    }

    #[test]
    fn an_earlier_end_is_not_put_off() {
        let keys = [rsa(0, 0, 0, Some(700)), rsa(1, 100, 200, None)];
        assert_eq!(
            plan_rsa(&keys, 500, Schedule::Now).update,
            [times(&keys[1], 100, 200, Some(500 + KEPT))]
        );
    }

    #[test]
    fn compromised_keys_are_gone_at_once() {
        let keys = [rsa(0, 0, 0, None), ec(0, 0, 0, None)];
        let plan = plan_rsa(&keys, 500, Schedule::Compromised);
        assert_eq!(
            plan,
            Plan {
                insert: new_rsa(500, 500),
                update: vec![],
                delete: vec![keys[0].id]
            }
        );
    }

    #[test]
    fn each_signature_verifies_with_any_key_list_cached_up_to_the_lead() {
        let before = [rsa(0, 0, 0, None)];
        let rotated = apply(&before, &plan_rsa(&before, 500, PUBLISHED));
        let store = |now: i64| key_set(if now < 500 { &before } else { &rotated });
        let kids = |now: i64| {
            let jwks = store(now).jwks(at(now), SigningAlgorithm::Rs256);
            let keys = jwks["keys"].as_array().unwrap();
            keys.iter()
                .map(|jwk| jwk["kid"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        for now in (400..800).step_by(50) {
            let keys = store(now);
            let kid = keys.signer(SigningAlgorithm::Rs256, at(now)).unwrap().kid();
            // A list fetched a whole cache period ago, or at the end of the token's life.
            for fetched in [now - 100, now, now + LIFETIME.as_secs() as i64] {
                assert!(
                    kids(fetched).iter().any(|known| known == kid),
                    "signed at {now}, list of {fetched}"
                );
            }
        }
    }

    #[test]
    fn what_is_missing_due_and_removable() {
        let day = Duration::from_secs(86_400);
        let lead = Duration::from_secs(100);
        assert_eq!(missing(&[], at(0)), [KeyKind::Rsa, KeyKind::Ec]);
        assert_eq!(
            missing(&[rsa(0, 0, 10, None), ec(0, 0, 0, Some(5))], at(9)),
            [KeyKind::Rsa, KeyKind::Ec]
        );
        assert!(missing(&[rsa(0, 0, 9, None), ec(0, 0, 0, Some(10))], at(9)).is_empty());
        assert_eq!(
            missing(&[rsa(0, 0, 9, None), ec(0, 0, 0, Some(9))], at(9)),
            [KeyKind::Ec]
        );

        let due = |keys: &[StoredKey], now| is_due(keys, KeyKind::Rsa, at(now), day, lead);
        assert!(due(&[ec(0, 0, 0, None)], 0));
        assert!(!due(&[rsa(0, 0, 0, None)], 86_299));
        assert!(due(&[rsa(0, 0, 0, None)], 86_300));
        assert!(!due(&[rsa(0, 0, 0, None), rsa(1, 86_300, 86_400, None)], 86_350));

        let retired = rsa(0, 0, 0, Some(1000));
        assert!(removable(std::slice::from_ref(&retired), at(1000 + 30 * 86_400 - 1)).is_empty());
        assert_eq!(
            removable(&[retired.clone(), rsa(1, 0, 0, None)], at(1000 + 30 * 86_400)),
            [retired.id]
        );
    }
}
