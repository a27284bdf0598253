//! Sets that grow and shrink, links that wait, and sessions that an identity leaves.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::AppSessionId;
use uuid::Uuid;

use super::*;
use crate::store::pending_links::PendingLink;
use crate::store::sessions::Authentication;
use crate::store::{MIGRATIONS, cleanup, identities, pending_links, sessions};

const BOB: IdentityId = IdentityId::from_u128(0xb0b);
const CAROL: IdentityId = IdentityId::from_u128(0xca401);

fn people(db: &Db) {
    populate(db);
    write(db, |tx| {
        assert!(identities::insert(tx, &identity(BOB, "bob@portolan.local"))?);
        assert!(identities::insert(tx, &identity(CAROL, "carol@portolan.local"))?);
        Ok(())
    });
}

fn set_of(db: &Db, id: IdentityId) -> Vec<IdentityId> {
    let set = read(db, move |tx| Ok(tx.fetch(&identities::set_of(id))?));
    set.iter().map(|identity| identity.id).collect()
}

fn sets(db: &Db) -> i64 {
    read(db, |tx| {
        Ok(tx.fetch_one("SELECT count(*) FROM identity_sets", params![])?)
    })
}

db_test!(an_identity_joins_a_set_and_its_own_one_goes, MIGRATIONS, |db| {
    people(db);
    write(db, |tx| identities::join_set(tx, BOB, ALICES_SET));
    assert_eq!(set_of(db, BOB), [ALICE, BOB]);
    assert_eq!(sets(db), 2, "Bob's own set is gone");

    // The rest of a set finds another to speak for it.
    let bobs_new_set = read(db, |tx| identities::get(tx, CAROL)).set_id;
    write(db, move |tx| identities::join_set(tx, ALICE, bobs_new_set));
    assert_eq!(set_of(db, ALICE), [CAROL, ALICE]);
    assert_eq!(set_of(db, BOB), [BOB]);
    assert!(read(db, |tx| identities::is_primary(tx, BOB)));
    assert_eq!(sets(db), 2);
});

db_test!(the_primary_of_a_set_changes, MIGRATIONS, |db| {
    people(db);
    write(db, |tx| identities::join_set(tx, BOB, ALICES_SET));
    let is_primary = |id| read(db, move |tx| identities::is_primary(tx, id));
    assert!(is_primary(ALICE) && !is_primary(BOB) && is_primary(CAROL));
    write(db, |tx| identities::set_primary(tx, ALICES_SET, BOB));
    assert!(is_primary(BOB) && !is_primary(ALICE) && is_primary(CAROL));
    assert_eq!(set_of(db, ALICE), [BOB, ALICE]);
});

fn pending(number: u128, seconds: u64) -> PendingLink {
    PendingLink {
        id: Uuid::from_u128(number),
        identity_id: ALICE,
        request_id: Some(Uuid::from_u128(9)),
        came_from: "client_id=c".into(),
        expires_at: after(seconds),
    }
}

db_test!(a_link_waits_in_one_browser_for_a_while_and_once, MIGRATIONS, |db| {
    people(db);
    let (here, there) = (browser(db, 1), browser(db, 2));
    let id = Uuid::from_u128(7);
    write(db, move |tx| pending_links::insert(tx, &pending(6, 60), here));
    write(db, move |tx| pending_links::insert(tx, &pending(7, 60), here));
    write(db, move |tx| pending_links::insert(tx, &pending(8, 60), there));
    let find = |id, browser, seconds| read(db, move |tx| pending_links::find(tx, id, browser, after(seconds)));
    assert!(
        find(Uuid::from_u128(6), here, 0).is_none(),
        "the later one takes its place"
    );
    let found = find(id, here, 59).unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", pending(7, 60)));
    assert!(find(id, there, 0).is_none(), "another browser");
    assert!(find(id, here, 60).is_none(), "too late");

    let proven = |id| read(db, move |tx| pending_links::find_proven(tx, id));
    assert!(proven(id).is_none());
    let by_bob = Authentication::new(BOB, LOCAL, after(1), &["pwd"]).with_acr(Some("a".into()));
    let prove = |browser, seconds, by: &Authentication| {
        let by = by.clone();
        write(db, move |tx| pending_links::prove(tx, id, browser, &by, after(seconds)))
    };
    assert!(!prove(there, 0, &by_bob), "another browser");
    assert!(!prove(here, 60, &by_bob), "too late");
    assert!(prove(here, 1, &by_bob));
    assert_eq!(proven(id).unwrap(), by_bob);
    let by_carol = Authentication::new(CAROL, LOCAL, after(2), &[]);
    assert!(prove(here, 2, &by_carol), "the later proof counts");
    assert_eq!(proven(id).unwrap(), by_carol);

    let consume = |browser| write(db, move |tx| pending_links::consume(tx, id, browser));
    assert!(!consume(there));
    assert!(consume(here));
    assert!(!consume(here), "once");

    write(db, move |tx| pending_links::insert(tx, &pending(10, 30), here));
    let broom = |seconds| write(db, move |tx| cleanup::pending_links(tx, after(seconds), 10));
    assert_eq!((broom(31), broom(61), broom(61)), (1, 1, 0));
});

db_test!(an_identity_leaves_the_sessions_of_clients, MIGRATIONS, |db| {
    people(db);
    let browser = browser(db, 1);
    let (alone, both) = (AppSessionId::from_u128(1), AppSessionId::from_u128(2));
    let session = |id, client, who: &[IdentityId]| {
        let authentications: Vec<Authentication> = who
            .iter()
            .map(|who| Authentication::new(*who, LOCAL, NOW, &["pwd"]))
            .collect();
        write(db, move |tx| {
            sessions::upsert_app_session(tx, id, browser, client, NOW, after(10))?;
            sessions::copy_authentications(tx, id, &authentications)
        });
    };
    session(alone, APP, &[BOB]);
    session(both, SERVICE, &[ALICE, BOB]);
    let of_alone = |who| read(db, move |tx| sessions::list_app_sessions_of_alone(tx, who));
    assert_eq!(of_alone(BOB), [alone]);
    assert!(of_alone(ALICE).is_empty());

    write(db, move |tx| sessions::delete_app_session(tx, alone));
    write(db, |tx| sessions::delete_session_authentications_of(tx, BOB));
    let list = |id| read(db, move |tx| sessions::list_session_authentications(tx, id));
    assert!(list(alone).is_empty());
    assert_eq!(list(both), [Authentication::new(ALICE, LOCAL, NOW, &["pwd"])]);
    // The client gets a new session in the same browser.
    let next = AppSessionId::from_u128(3);
    let again = write(db, move |tx| {
        sessions::upsert_app_session(tx, next, browser, APP, NOW, after(10))
    });
    assert_eq!(again, next);
});

db_test!(what_an_identity_began_or_proved_is_forgotten, MIGRATIONS, |db| {
    people(db);
    let (one, two, three) = (browser(db, 1), browser(db, 2), browser(db, 3));
    let began_by = |number, by, browser| {
        let link = PendingLink {
            identity_id: by,
            ..pending(number, 60)
        };
        write(db, move |tx| pending_links::insert(tx, &link, browser));
    };
    began_by(1, BOB, one);
    began_by(2, ALICE, two);
    began_by(3, ALICE, three);
    let proof = Authentication::new(BOB, LOCAL, NOW, &["pwd"]);
    write(db, move |tx| {
        pending_links::prove(tx, Uuid::from_u128(2), two, &proof, NOW)
    });
    write(db, |tx| pending_links::delete_of(tx, BOB));
    let waits = |number, browser| {
        read(db, move |tx| {
            pending_links::find(tx, Uuid::from_u128(number), browser, NOW)
        })
        .is_some()
    };
    assert_eq!((waits(1, one), waits(2, two), waits(3, three)), (false, false, true));
});
