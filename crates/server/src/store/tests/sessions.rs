//! Browser sessions, their authentications, and the sessions of clients in them.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::AppSessionId;
use uuid::Uuid;

use super::*;
use crate::store::authorization_requests::Parked;
use crate::store::identity_providers::CLIENTS;
use crate::store::sessions::Authentication;
use crate::store::{MIGRATIONS, authorization_requests, grants, identities, sessions};

const IDLE: Duration = Duration::from_secs(100);
const BOB: IdentityId = IdentityId::from_u128(0xb0b);

fn is_found(db: &Db, cookie: u8, seconds: u64) -> bool {
    read(db, move |tx| sessions::find(tx, &hash(cookie), after(seconds), IDLE)).is_some()
}

fn authenticate(db: &Db, session: BrowserSessionId, identity: IdentityId, seconds: u64) {
    write(db, move |tx| {
        let authentication = Authentication::new(identity, LOCAL, after(seconds), &["pwd", "otp"]);
        sessions::upsert_authentication(tx, session, &authentication)
    });
}

fn authenticated(db: &Db, session: BrowserSessionId) -> Vec<IdentityId> {
    let list = read(db, move |tx| sessions::list_authentications(tx, session));
    list.into_iter()
        .map(|authentication| authentication.identity_id)
        .collect()
}

/// Alice and Bob, each in a set of their own.
fn two_people(db: &Db) {
    populate(db);
    write(db, |tx| identities::insert(tx, &identity(BOB, "bob@portolan.local")));
}

db_test!(a_session_ends_idle_absolutely_or_on_request, MIGRATIONS, |db| {
    populate(db);
    let id = browser(db, 1);
    let found = read(db, |tx| sessions::find(tx, &hash(1), NOW, IDLE)).unwrap();
    assert_eq!((found.id, found.last_seen_at, found.expires_at), (id, NOW, after(1000)));
    assert!(!is_found(db, 2, 0), "another cookie");
    assert!(is_found(db, 1, 99));
    assert!(!is_found(db, 1, 100), "idle too long");

    for seconds in [60, 61, 100] {
        write(db, move |tx| sessions::touch(tx, id, after(seconds)));
    }
    let seen_at = read(db, |tx| sessions::find(tx, &hash(1), NOW, IDLE))
        .unwrap()
        .last_seen_at;
    assert_eq!(seen_at, after(61), "at most once a minute");
    for (seconds, expected) in [(121, 61), (122, 122)] {
        let seen = write(db, move |tx| {
            let known = sessions::find(tx, &hash(1), after(seconds), IDLE)?.expect("a session");
            sessions::touch_found(tx, &known, after(seconds))?;
            Ok(sessions::find(tx, &hash(1), after(seconds), IDLE)?.map(|found| found.last_seen_at))
        });
        assert_eq!(seen, Some(after(expected)), "one that was looked up, after {seconds} s");
    }
    for seconds in (190..1000).step_by(90) {
        write(db, move |tx| sessions::touch(tx, id, after(seconds)));
    }
    assert!(is_found(db, 1, 999));
    assert!(!is_found(db, 1, 1000), "the absolute end");

    write(db, move |tx| sessions::end(tx, id, after(5)));
    assert!(!is_found(db, 1, 5));
});

db_test!(a_rotated_session_answers_to_its_new_cookie_alone, MIGRATIONS, |db| {
    populate(db);
    let id = browser(db, 1);
    write(db, move |tx| sessions::rotate(tx, id, &hash(2), after(10), after(5000)));
    assert!(!is_found(db, 1, 10));
    let found = read(db, |tx| sessions::find(tx, &hash(2), after(10), IDLE)).unwrap();
    assert_eq!(
        (found.id, found.last_seen_at, found.expires_at),
        (id, after(10), after(5000))
    );
});

db_test!(ending_a_session_forgets_its_people_and_requests, MIGRATIONS, |db| {
    populate(db);
    let (id, other) = (browser(db, 1), browser(db, 2));
    for session in [id, other] {
        authenticate(db, session, ALICE, 0);
        let parked = Parked {
            id: Uuid::from_u128(session.0.as_u128()),
            client_id: APP,
            parameters: "{}".into(),
            parked_at: NOW,
            authenticated_at: None,
            page_shown: false,
            decision: None,
            logins: Vec::new(),
        };
        write(db, move |tx| {
            authorization_requests::insert(tx, &parked, session, after(60))
        });
    }
    write(db, move |tx| sessions::end(tx, id, NOW));
    assert!(authenticated(db, id).is_empty());
    assert_eq!(authenticated(db, other), [ALICE]);
    let waits = |session: BrowserSessionId| {
        read(db, move |tx| authorization_requests::find(tx, session.0, session, NOW)).is_some()
    };
    assert!(!waits(id));
    assert!(waits(other));
});

db_test!(
    authentications_are_listed_from_the_newest_and_renewed,
    MIGRATIONS,
    |db| {
        two_people(db);
        let session = browser(db, 1);
        authenticate(db, session, ALICE, 1);
        authenticate(db, session, BOB, 2);
        assert_eq!(authenticated(db, session), [BOB, ALICE]);
        authenticate(db, session, ALICE, 3);
        let list = read(db, move |tx| sessions::list_authentications(tx, session));
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].identity_id, list[0].authenticated_at), (ALICE, after(3)));
        assert_eq!(list[0].provider_id, LOCAL);
        assert_eq!(list[0].amr().unwrap(), ["pwd", "otp"]);
        assert_eq!(list[0].acr, None);
    }
);

db_test!(a_disabled_person_is_signed_out_everywhere, MIGRATIONS, |db| {
    two_people(db);
    let (first, second) = (browser(db, 1), browser(db, 2));
    for session in [first, second] {
        authenticate(db, session, ALICE, 0);
        authenticate(db, session, BOB, 0);
    }
    write(db, |tx| sessions::delete_authentications_of(tx, ALICE));
    assert_eq!(authenticated(db, first), [BOB]);
    assert_eq!(authenticated(db, second), [BOB]);
});

db_test!(
    a_session_that_others_used_is_known_by_people_and_by_apps,
    MIGRATIONS,
    |db| {
        two_people(db);
        let linked = IdentityId::from_u128(0xa2);
        write(db, move |tx| {
            identities::insert(tx, &identity(linked, "alice@work.example"))
        });
        execute(
            db,
            "UPDATE identities SET set_id = $1 WHERE id = $2",
            params![ALICES_SET, linked],
        );
        let (session, other) = (browser(db, 1), browser(db, 2));
        authenticate(db, other, BOB, 0);
        let used = |by: IdentityId| read(db, move |tx| sessions::was_used_by_others(tx, session, by));
        assert!(!used(ALICE), "by nobody yet");
        for identity in [ALICE, linked] {
            authenticate(db, session, identity, 0);
        }
        assert!(!used(ALICE) && !used(linked), "linked identities are one person");
        assert!(used(BOB));

        // Signed out by the operator, but the session of an app still names her.
        let authentications = read(db, move |tx| sessions::list_authentications(tx, session));
        write(db, move |tx| {
            let app = AppSessionId::from_u128(1);
            sessions::upsert_app_session(tx, app, session, APP, NOW, after(10))?;
            sessions::copy_authentications(tx, app, &authentications)?;
            sessions::delete_authentications_of(tx, ALICE)?;
            sessions::delete_authentications_of(tx, linked)
        });
        assert!(used(BOB) && !used(ALICE));
    }
);

db_test!(an_app_is_told_whatever_changed_of_a_sign_in, MIGRATIONS, |db| {
    populate(db);
    let session = browser(db, 1);
    let app = write(db, move |tx| {
        sessions::upsert_app_session(tx, AppSessionId::from_u128(1), session, APP, NOW, after(10))
    });
    let first = Authentication::new(ALICE, LOCAL, NOW, &["pwd"]);
    let mut later = first.clone();
    later.authenticated_at = after(1);
    let mut stronger = later.clone();
    stronger.acr = Some("https://refeds.org/profile/mfa".into());
    let mut otherwise = Authentication::new(ALICE, LOCAL, after(1), &["pwd", "otp"]);
    otherwise.acr.clone_from(&stronger.acr);
    let mut undated = otherwise.clone();
    undated.undated = true;
    for step in [first.clone(), later, stronger, otherwise, undated, first] {
        let copied = step.clone();
        write(db, move |tx| {
            sessions::copy_authentications(tx, app, std::slice::from_ref(&copied))
        });
        let known = read(db, move |tx| sessions::list_session_authentications(tx, app));
        assert_eq!(known, [step]);
    }
});

db_test!(a_sign_in_without_a_time_is_known_as_one, MIGRATIONS, |db| {
    populate(db);
    let session = browser(db, 1);
    let mut undated = Authentication::new(ALICE, LOCAL, NOW, &["pwd"]);
    undated.undated = true;
    let copy = AppSessionId::from_u128(1);
    for authentication in [undated, Authentication::new(ALICE, LOCAL, NOW, &["pwd"])] {
        let expected = authentication.clone();
        let (here, there) = write(db, move |tx| {
            sessions::upsert_authentication(tx, session, &authentication)?;
            sessions::upsert_app_session(tx, copy, session, APP, NOW, after(10))?;
            sessions::copy_authentications(tx, copy, std::slice::from_ref(&authentication))?;
            let here = sessions::list_authentications(tx, session)?;
            Ok((here, sessions::list_session_authentications(tx, copy)?))
        });
        assert_eq!((here, there), (vec![expected.clone()], vec![expected.clone()]));
        let minute = Duration::from_secs(60);
        assert_eq!(expected.is_within(minute, after(60)), !expected.undated);
        assert!(!expected.is_within(minute, after(61)));
    }
});

db_test!(requests_move_from_one_session_to_another, MIGRATIONS, |db| {
    populate(db);
    let (from, to, other) = (browser(db, 1), browser(db, 2), browser(db, 3));
    for session in [from, other] {
        let parked = Parked {
            id: Uuid::from_u128(session.0.as_u128()),
            client_id: APP,
            parameters: "{}".into(),
            parked_at: NOW,
            authenticated_at: None,
            page_shown: false,
            decision: None,
            logins: Vec::new(),
        };
        write(db, move |tx| {
            authorization_requests::insert(tx, &parked, session, after(60))
        });
    }
    write(db, move |tx| authorization_requests::move_all(tx, from, to));
    let waits = |id: BrowserSessionId, session: BrowserSessionId| {
        read(db, move |tx| authorization_requests::find(tx, id.0, session, NOW)).is_some()
    };
    assert!(waits(from, to) && !waits(from, from));
    assert!(waits(other, other));
});

db_test!(a_client_has_one_session_in_a_browser, MIGRATIONS, |db| {
    populate(db);
    let session = browser(db, 1);
    let upsert = |new: u128, client_id, expires: u64| {
        write(db, move |tx| {
            let new = AppSessionId::from_u128(new);
            sessions::upsert_app_session(tx, new, session, client_id, NOW, after(expires))
        })
    };
    let first = upsert(1, APP, 10);
    assert_eq!(first, AppSessionId::from_u128(1));
    assert_eq!(upsert(2, APP, 20), first, "the id is stable");
    assert_eq!(upsert(3, SERVICE, 20), AppSessionId::from_u128(3));

    let ends_at = || -> i64 {
        read(db, move |tx| {
            Ok(tx.fetch_one(
                "SELECT token_expires_at FROM app_sessions WHERE id = $1",
                params![first],
            )?)
        })
    };
    assert_eq!(ends_at(), after(20).micros());
    for (seconds, expected) in [(30, 30), (25, 30)] {
        write(db, move |tx| sessions::extend_app_session(tx, first, after(seconds)));
        assert_eq!(ends_at(), after(expected).micros(), "never shortened");
    }
});

db_test!(
    a_clients_session_keeps_copies_of_the_authentications,
    MIGRATIONS,
    |db| {
        two_people(db);
        let session = browser(db, 1);
        let id = write(db, move |tx| {
            sessions::upsert_app_session(tx, AppSessionId::from_u128(1), session, APP, NOW, after(10))
        });
        for seconds in [1, 2] {
            authenticate(db, session, ALICE, seconds);
            write(db, move |tx| {
                let authentications = sessions::list_authentications(tx, session)?;
                sessions::copy_authentications(tx, id, &authentications)
            });
        }
        // Logging out of the browser leaves the copies: tokens go on naming the session.
        write(db, move |tx| sessions::end(tx, session, NOW));
        let copies = read(db, move |tx| sessions::list_session_authentications(tx, id));
        assert_eq!(copies, [Authentication::new(ALICE, LOCAL, after(2), &["pwd", "otp"])]);
        let nothing = read(db, |tx| {
            sessions::list_session_authentications(tx, AppSessionId::from_u128(2))
        });
        assert!(nothing.is_empty());
        let without = read(db, |tx| Ok(tx.fetch(&sessions::session_authentications(None))?));
        assert!(without.is_empty());
    }
);

db_test!(the_sessions_of_a_person_are_found_with_their_apps, MIGRATIONS, |db| {
    two_people(db);
    let (first, second, bobs) = (browser(db, 1), browser(db, 2), browser(db, 3));
    let described = BrowserSessionId::from_u128(4);
    write(db, move |tx| {
        let (address, program) = (Some("192.0.2.1".into()), Some("curl/8".into()));
        sessions::insert(tx, described, &hash(4), after(50), after(1000), address, program)
    });
    for (session, identity) in [(first, ALICE), (described, ALICE), (bobs, BOB)] {
        authenticate(db, session, identity, 0);
    }
    let open = |number: u128, session, client_id, identity, expires| {
        write(db, move |tx| {
            let id = AppSessionId::from_u128(number);
            let id = sessions::upsert_app_session(tx, id, session, client_id, NOW, after(expires))?;
            let authentication = Authentication::new(identity, LOCAL, NOW, &["pwd"]);
            sessions::copy_authentications(tx, id, std::slice::from_ref(&authentication))
        });
    };
    open(1, first, APP, ALICE, 10);
    open(2, first, SERVICE, ALICE, 20);
    // She has left this one; its tokens live on.
    open(3, second, APP, ALICE, 20);
    open(4, bobs, APP, BOB, 20);

    let mut theirs = read(db, |tx| sessions::list_identities_of_provider(tx, LOCAL));
    theirs.sort_unstable();
    assert_eq!(theirs, [BOB, ALICE]);
    let others = read(db, |tx| sessions::list_identities_of_provider(tx, CLIENTS));
    assert!(others.is_empty());
    let mut browsers = read(db, |tx| sessions::list_ids_by_identities(tx, &[ALICE]));
    browsers.sort_unstable();
    assert_eq!(browsers, [first, described]);
    let apps = |seconds| {
        let list = read(db, move |tx| {
            sessions::list_app_sessions_by_identities(tx, after(seconds), &[ALICE])
        });
        let mut ids: Vec<u128> = list.iter().map(|app| app.id.0.as_u128()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(apps(0), [1, 2, 3]);
    assert_eq!(apps(10), [2, 3], "no token can name the first any more");
    write(db, |tx| grants::end(tx, Uuid::from_u128(3), NOW));
    assert_eq!(apps(0), [1, 2], "one was ended");

    let all = read(db, move |tx| sessions::list_app_sessions(tx, first));
    assert_eq!(all.iter().map(|app| app.client_id).collect::<Vec<_>>(), [APP, SERVICE]);
    write(db, move |tx| sessions::end(tx, first, after(60)));
    let list = read(db, move |tx| sessions::list_browsers(tx, &[first, described]));
    let expected = sessions::Browser {
        id: described,
        last_seen_at: after(50),
        expires_at: after(1000),
        ended_at: None,
        address: Some("192.0.2.1".into()),
        user_agent: Some("curl/8".into()),
    };
    assert_eq!(list[0], expected, "the last seen first");
    assert_eq!((list[1].id, list[1].ended_at), (first, Some(after(60))));
    let nobody = read(db, |tx| sessions::list_app_sessions_by_identities(tx, NOW, &[]));
    assert!(nobody.is_empty());
});
