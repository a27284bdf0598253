//! Addresses and the links that are sent to them.

use portolan_db::{WriteTx, db_test, params};
use portolan_types::{IdentityId, IdentityProviderId, Timestamp, TokenHash};
use uuid::Uuid;

use crate::error::Result;
use crate::store::links::{self, Sent};
use crate::store::{MIGRATIONS, addresses, identities};

const ALICE: IdentityId = IdentityId::from_u128(1);
const NOW: Timestamp = Timestamp::from_seconds(1000);
const LATER: Timestamp = Timestamp::from_seconds(2000);

fn insert_alice(tx: &mut WriteTx) -> Result<()> {
    let one = Uuid::from_u128(1);
    tx.execute(
        "INSERT INTO identity_providers (id, name, short_name, kind, alternative_names, configuration, enabled, created_at)
         VALUES ($1, 'p', 'p', 'local', '[]', '{}', 1, 0)",
        params![one],
    )?;
    tx.execute(
        "INSERT INTO identity_sets (id, primary_id) VALUES ($1, $1)",
        params![one],
    )?;
    tx.execute(
        "INSERT INTO identities (id, set_id, identity_provider_id, username, email, status, enabled, generation, created_at)
         VALUES ($1, $1, $1, 'alice', 'Alice@x.org', 'used', 1, 0, 0)",
        params![one],
    )?;
    Ok(())
}

db_test!(
    an_address_is_verified_while_it_is_that_of_the_identity,
    MIGRATIONS,
    |db| {
        db.write_blocking(insert_alice).expect("the store works");
        let is_verified = || {
            db.read_blocking(|tx| addresses::is_verified(tx, ALICE))
                .expect("the store works")
        };
        assert!(!is_verified());
        db.write_blocking(|tx| addresses::verify(tx, ALICE, "Alice@x.org", NOW))
            .expect("the store works");
        assert!(is_verified());
        db.write_blocking(|tx| identities::set_email(tx, ALICE, "b@x.org"))
            .expect("the store works");
        assert!(!is_verified());
        db.write_blocking(|tx| addresses::verify(tx, ALICE, "b@x.org", NOW))
            .expect("the store works");
        assert!(is_verified());
    }
);

db_test!(
    identities_are_found_by_address_in_any_case_of_letters,
    MIGRATIONS,
    |db| {
        db.write_blocking(insert_alice).expect("the store works");
        let find = |provider: u128, address: &'static str| {
            let provider = IdentityProviderId::from_u128(provider);
            db.read_blocking(move |tx| identities::list_by_email(tx, provider, address, 5))
                .expect("the store works")
                .len()
        };
        assert_eq!(
            (find(1, "aLICE@X.org"), find(1, "alice@x"), find(2, "alice@x.org")),
            (1, 0, 0)
        );
    }
);

db_test!(
    a_link_knows_what_it_was_sent_for_until_it_is_used_or_ends,
    MIGRATIONS,
    |db| {
        let sent = |number: u128| Sent {
            identity_id: (number < 9).then(|| IdentityId::from_u128(number)),
            address: "a@x.org".into(),
        };
        for number in [1, 2, 9] {
            let (sent, hash) = (sent(number), TokenHash([number as u8; 32]));
            db.write_blocking(move |tx| links::insert_sent(tx, &hash, links::ADDRESS, &sent, NOW, LATER))
                .expect("the store works");
        }
        let find = |number: u8, purpose: &'static str, now| {
            db.read_blocking(move |tx| links::find_sent(tx, &TokenHash([number; 32]), purpose, now))
                .expect("the store works")
        };
        assert_eq!(find(1, links::ADDRESS, NOW), Some(sent(1)));
        assert_eq!(find(9, links::ADDRESS, NOW), Some(sent(9)));
        assert_eq!(
            (find(1, links::SIGN_UP, NOW), find(1, links::ADDRESS, LATER)),
            (None, None)
        );

        let has_live = |purpose: &'static str, now| {
            db.read_blocking(move |tx| links::has_live(tx, ALICE, purpose, now))
                .expect("the store works")
        };
        assert!(has_live(links::ADDRESS, NOW));
        assert!(!has_live(links::ADDRESS, LATER) && !has_live(links::SIGN_UP, NOW));

        db.write_blocking(|tx| links::delete_of(tx, ALICE, links::ADDRESS))
            .expect("the store works");
        assert!(!has_live(links::ADDRESS, NOW));
        db.write_blocking(|tx| links::consume(tx, &TokenHash([9; 32]), links::ADDRESS, NOW))
            .expect("the store works");
        assert_eq!(
            (find(1, links::ADDRESS, NOW), find(9, links::ADDRESS, NOW)),
            (None, None)
        );
        assert!(find(2, links::ADDRESS, NOW).is_some());
        let count = |since| {
            db.read_blocking(move |tx| links::count_since(tx, links::ADDRESS, since))
                .expect("the store works")
        };
        assert_eq!((count(Timestamp::from_seconds(999)), count(NOW)), (2, 0));
    }
);
