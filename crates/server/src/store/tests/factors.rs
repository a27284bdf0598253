//! Second factors.

use portolan_db::db_test;
use uuid::Uuid;

use super::*;
use crate::store::factors::{self, Passkey, PendingLogin};
use crate::store::{MIGRATIONS, cleanup};

const BOB: IdentityId = IdentityId::from_u128(0xb0b);

fn passkey(number: u8, owner: IdentityId) -> Passkey {
    Passkey {
        id: Uuid::from_u128(number.into()),
        credential_id: vec![number; 16],
        identity_id: owner,
        name: format!("key {number}"),
        public_key: vec![1, 2, 3],
        sign_count: 7,
        discoverable: true,
        user_verifying: false,
        backup_eligible: true,
        backed_up: false,
        transports: vec!["usb".into(), "nfc".into()],
        created_at: after(u64::from(number)),
        last_used_at: None,
    }
}

db_test!(an_app_counts_once_confirmed_and_each_step_once, MIGRATIONS, |db| {
    populate(db);
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let begin = |id: Uuid| {
        write(db, move |tx| {
            factors::replace_unconfirmed_totp(tx, id, ALICE, b"sealed", NOW)
        });
    };
    let counts = || read(db, |tx| factors::find_totp(tx, ALICE)).map(|totp| (totp.id, totp.last_step));
    let begun = |age| read(db, move |tx| factors::find_unconfirmed_totp(tx, ALICE, age)).map(|totp| totp.id);
    let confirm = |id, owner, step| write(db, move |tx| factors::confirm_totp(tx, id, owner, step, after(5)));
    let use_step = |id, step| write(db, move |tx| factors::use_totp_step(tx, id, step, after(9)));

    begin(first);
    assert_eq!((counts(), begun(NOW - Duration::from_secs(1))), (None, Some(first)));
    assert_eq!(begun(NOW), None, "too old");
    assert!(!use_step(first, 50), "not confirmed");
    assert!(!confirm(first, BOB, 100), "of somebody else");
    assert!(confirm(first, ALICE, 100));
    assert!(!confirm(first, ALICE, 100), "once");
    assert_eq!(counts(), Some((first, 100)));
    assert!(!use_step(first, 100));
    assert!(!use_step(first, 99));
    assert!(use_step(first, 101));
    assert!(!use_step(first, 101), "a step counts once");

    begin(second);
    assert_eq!(
        counts(),
        Some((first, 101)),
        "the old one stays until the new one is confirmed"
    );
    assert!(confirm(second, ALICE, 200));
    assert_eq!(counts(), Some((second, 200)));

    let seeds = read(db, factors::list_sealed_seeds);
    assert_eq!(seeds, [(second, b"sealed".to_vec())]);
    write(db, move |tx| factors::update_sealed_seed(tx, second, b"again"));
    assert_eq!(read(db, factors::list_sealed_seeds), [(second, b"again".to_vec())]);
    assert_eq!(write(db, |tx| factors::delete_totp(tx, ALICE)), 1);
    assert_eq!(counts(), None);
});

db_test!(passkeys_are_kept_used_renamed_and_removed, MIGRATIONS, |db| {
    populate(db);
    let insert = |key: Passkey| write(db, move |tx| factors::insert_passkey(tx, &key));
    assert!(insert(passkey(2, ALICE)));
    assert!(insert(passkey(1, ALICE)));
    let twice = Passkey {
        id: Uuid::from_u128(9),
        ..passkey(1, ALICE)
    };
    assert!(!insert(twice), "a credential is registered once");
    let find = |number: u8| read(db, move |tx| factors::find_passkey(tx, &[number; 16]));
    assert_eq!(find(1), Some(passkey(1, ALICE)));
    assert_eq!(find(3), None);
    let list = |owner| read(db, move |tx| factors::list_passkeys(tx, owner));
    assert_eq!(list(ALICE), [passkey(1, ALICE), passkey(2, ALICE)]);
    assert_eq!(list(BOB), []);

    let id = Uuid::from_u128(1);
    let mark = |count, verified, at| {
        write(db, move |tx| {
            factors::mark_passkey_used(tx, id, count, verified, true, after(at))
        });
    };
    mark(8, true, 20);
    mark(9, false, 30);
    let used = find(1).expect("it is there");
    assert_eq!((used.sign_count, used.user_verifying, used.backed_up), (9, true, true));
    assert_eq!(used.last_used_at, Some(after(30)));

    let rename = |owner| write(db, move |tx| factors::rename_passkey(tx, id, owner, "laptop"));
    assert_eq!((rename(BOB), rename(ALICE)), (false, true));
    assert_eq!(find(1).expect("it is there").name, "laptop");
    let delete = |owner| write(db, move |tx| factors::delete_passkey(tx, id, owner));
    assert_eq!((delete(BOB), delete(ALICE), delete(ALICE)), (false, true, false));
    assert_eq!(write(db, |tx| factors::delete_passkeys(tx, ALICE)), 1);
    assert_eq!(list(ALICE), []);
});

db_test!(an_account_has_one_handle_for_authenticators, MIGRATIONS, |db| {
    populate(db);
    let handle = |new: [u8; 32]| write(db, move |tx| factors::get_or_insert_user_handle(tx, ALICE, &new));
    assert_eq!(handle([1; 32]), [1; 32]);
    assert_eq!(handle([2; 32]), [1; 32], "the first one stays");
    let find = |handle: [u8; 32]| read(db, move |tx| factors::find_by_user_handle(tx, &handle));
    assert_eq!((find([1; 32]), find([2; 32])), (Some(ALICE), None));
});

db_test!(challenges_count_once, MIGRATIONS, |db| {
    let used = |number| write(db, move |tx| factors::use_challenge(tx, &hash(number), after(60)));
    assert_eq!((used(1), used(1), used(2)), (true, false, true));
    let clean = |seconds| write(db, move |tx| cleanup::used_challenges(tx, after(seconds), 10));
    assert_eq!((clean(60), clean(61), clean(61)), (0, 2, 0));
});

db_test!(
    recovery_codes_count_once_each_and_are_replaced_together,
    MIGRATIONS,
    |db| {
        populate(db);
        let replace = |numbers: &'static [u8]| {
            write(db, move |tx| {
                let hashes: Vec<TokenHash> = numbers.iter().map(|number| hash(*number)).collect();
                factors::replace_recovery_codes(tx, ALICE, &hashes, NOW)
            });
        };
        let left = || read(db, |tx| factors::count_recovery_codes(tx, ALICE));
        let used = |owner, number| {
            write(db, move |tx| {
                factors::use_recovery_code(tx, owner, &hash(number), after(1))
            })
        };
        replace(&[1, 2, 3]);
        assert_eq!(left(), 3);
        assert!(!used(BOB, 1), "of somebody else");
        assert_eq!((used(ALICE, 1), used(ALICE, 1), left()), (true, false, 2));
        replace(&[4, 5]);
        assert_eq!((used(ALICE, 2), used(ALICE, 4), left()), (false, true, 1));
        write(db, |tx| factors::delete_recovery_codes(tx, ALICE));
        assert_eq!(left(), 0);
    }
);

db_test!(a_sign_in_waits_for_its_second_step_in_its_browser, MIGRATIONS, |db| {
    populate(db);
    let pending = PendingLogin {
        identity_id: ALICE,
        amr: vec!["pwd".into()],
        created_at: NOW,
    };
    let begin = |number: u8| {
        let pending = pending.clone();
        write(db, move |tx| {
            factors::insert_pending_login(tx, &hash(number), &hash(100), &pending, after(600))
        });
    };
    let find = |number: u8, cookie: u8, at: u64| {
        read(db, move |tx| {
            factors::find_pending_login(tx, &hash(number), &hash(cookie), after(at))
        })
    };
    let consume = |number: u8, at: u64| {
        write(db, move |tx| {
            factors::consume_pending_login(tx, &hash(number), after(at))
        })
    };
    begin(1);
    assert_eq!(find(1, 100, 1), Some(pending.clone()));
    assert_eq!(find(1, 101, 1), None, "another browser");
    assert_eq!(find(2, 100, 1), None);
    assert_eq!(find(1, 100, 600), None, "too late");
    assert_eq!(
        (consume(1, 600), consume(1, 599), consume(1, 599)),
        (false, true, false)
    );
    assert_eq!(find(1, 100, 1), None, "used");

    begin(2);
    write(db, |tx| factors::delete_pending_logins(tx, ALICE));
    assert_eq!(find(2, 100, 1), None);
    begin(3);
    let clean = |seconds| write(db, move |tx| cleanup::pending_logins(tx, after(seconds), 10));
    assert_eq!((clean(600), clean(601)), (0, 1));
});

db_test!(apps_that_were_never_confirmed_are_cleaned_up, MIGRATIONS, |db| {
    populate(db);
    write(db, |tx| {
        factors::replace_unconfirmed_totp(tx, Uuid::from_u128(1), ALICE, b"sealed", NOW)
    });
    let clean = |seconds| write(db, move |tx| cleanup::unconfirmed_totp(tx, after(seconds), 10));
    assert_eq!((clean(0), clean(1)), (0, 1));
    write(db, |tx| {
        factors::replace_unconfirmed_totp(tx, Uuid::from_u128(2), ALICE, b"sealed", NOW)?;
        factors::confirm_totp(tx, Uuid::from_u128(2), ALICE, 1, NOW)
    });
    assert_eq!(clean(1), 0, "what counts stays");
});
