//! What clients want to know of logouts, and what waits to be delivered to them.
#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{Db, db_test, params};
use portolan_types::{AppSessionId, BrowserSessionId, ClientId, IdentityId};
use uuid::Uuid;

use super::{NOW, after, execute, read, write};
use crate::store::client_logout::{self, ClientLogout};
use crate::store::logout_deliveries::{self, Delivery, Listener};
use crate::store::{MIGRATIONS, sessions};

const APP: ClientId = ClientId::from_u128(7);
const SESSION: AppSessionId = AppSessionId::from_u128(8);

fn setup(db: &Db) {
    execute(
        db,
        "INSERT INTO clients (id, name, client_type, is_template, is_instance, grant_types, visibility, redirect_uris,
                              requested_scopes, userinfo_from_effective_identity, prompt_for_named_grant, enabled, created_at)
         VALUES ($1, 'c', 'confidential_client', 0, 0, '', 'private', '[]', '[]', 1, 0, 1, 0)",
        params![APP],
    );
}

fn delivery(number: u128) -> Delivery {
    Delivery {
        id: Uuid::from_u128(number),
        client_id: APP,
        subject: (number > 1).then(|| IdentityId::from_u128(9)),
        app_session_id: SESSION,
    }
}

db_test!(a_client_says_where_it_wants_to_be_told, MIGRATIONS, |db| {
    setup(db);
    assert_eq!(read(db, |tx| client_logout::find(tx, APP)), ClientLogout::default());
    for uri in [None, Some("https://app.example/logout".to_owned())] {
        let logout = ClientLogout {
            post_logout_redirect_uris: vec!["https://app.example/bye".into()],
            backchannel_logout_uri: uri,
            backchannel_logout_session_required: true,
        };
        let copy = logout.clone();
        write(db, move |tx| client_logout::upsert(tx, APP, &copy));
        assert_eq!(read(db, |tx| client_logout::find(tx, APP)), logout);
    }
});

db_test!(only_clients_that_want_to_be_told_listen, MIGRATIONS, |db| {
    setup(db);
    let browser = BrowserSessionId::from_u128(5);
    write(db, move |tx| {
        sessions::upsert_app_session(tx, SESSION, browser, APP, NOW, after(10))?;
        Ok(())
    });
    let listeners = |db: &Db| read(db, move |tx| logout_deliveries::list_listeners(tx, browser));
    assert_eq!(listeners(db), []);
    write(db, |tx| {
        let logout = ClientLogout {
            backchannel_logout_uri: Some("https://app.example/logout".into()),
            ..ClientLogout::default()
        };
        client_logout::upsert(tx, APP, &logout)
    });
    let expected = Listener {
        app_session_id: SESSION,
        client_id: APP,
    };
    assert_eq!(listeners(db), [expected]);
    assert_eq!(
        read(db, |tx| logout_deliveries::list_browsers(tx, IdentityId::from_u128(1))),
        []
    );
});

db_test!(
    a_delivery_is_claimed_by_one_node_and_holds_back_its_client,
    MIGRATIONS,
    |db| {
        setup(db);
        for number in [1, 2, 3] {
            write(db, move |tx| logout_deliveries::insert(tx, &delivery(number), NOW));
        }
        let claim = |seconds, limit| {
            write(db, move |tx| {
                logout_deliveries::claim(tx, after(seconds), after(seconds + 60), limit)
            })
        };
        let is_due = |seconds| read(db, move |tx| logout_deliveries::is_due(tx, after(seconds)));
        let first = claim(0, 1).pop().unwrap();
        assert_eq!(
            (first.attempts, first.delivery == delivery(first.delivery.id.as_u128())),
            (1, true)
        );

        let failed = first.delivery.clone();
        let wait = std::time::Duration::from_secs(5);
        write(db, move |tx| logout_deliveries::postpone(tx, &failed, NOW, wait));

        assert!(!is_due(4), "the others wait too");
        assert_eq!(claim(4, 10).len(), 0);
        assert!(is_due(5));
        let again = claim(5, 10);
        assert_eq!(again.len(), 3);
        for claimed in again {
            write(db, move |tx| logout_deliveries::delete(tx, claimed.delivery.id));
        }
        assert!(!is_due(1000));
    }
);
