//! What the operator console asks the store: people and clients by how they are called, and
//! a client that is switched off.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::db_test;
use portolan_types::AppSessionId;

use super::*;
use crate::store::identities::SearchBy;
use crate::store::identity_providers::CLIENTS;
use crate::store::{MIGRATIONS, clients, grants, identities, sessions};

const FIRST: IdentityId = IdentityId::from_u128(0);

fn people(db: &Db) {
    populate(db);
    write(db, |tx| {
        identity_providers::upsert(tx, &provider(CLIENTS, "clients"), &[], NOW)?;
        let person = |id: u128, username: &str, name: &str, email: Option<&str>| Identity {
            name: Some(name.into()),
            email: email.map(str::to_owned),
            ..identity(IdentityId::from_u128(id), username)
        };
        identities::insert(
            tx,
            &person(1, "bob@portolan.local", "Bob Baker", Some("Baker@example.org")),
        )?;
        identities::insert(tx, &person(2, "bobby@portolan.local", "Zoë", None))?;
        identities::insert(
            tx,
            &person(3, "carol@portolan.local", "bob's sister", Some("c@example.org")),
        )?;
        let client = Identity {
            provider_id: CLIENTS,
            ..person(
                4,
                "bobs-client@clients.example",
                "Bob's client",
                Some("bob@example.org"),
            )
        };
        identities::insert(tx, &client)?;
        identities::insert(tx, &person(5, "bobo@portolan.local", "Bobo", None))?;
        identities::close(tx, IdentityId::from_u128(5))
    });
}

fn found(db: &Db, by: SearchBy, prefix: &'static str, after: (&'static str, IdentityId), limit: i64) -> Vec<String> {
    let found = read(db, move |tx| identities::search(tx, by, prefix, after, limit));
    found.into_iter().map(|identity| identity.username).collect()
}

db_test!(people_are_found_by_how_they_are_called, MIGRATIONS, |db| {
    people(db);
    let start = ("", FIRST);
    let (bob, bobby, carol) = ("bob@portolan.local", "bobby@portolan.local", "carol@portolan.local");
    assert_eq!(
        found(db, SearchBy::Username, "BOB", start, 9),
        [bob, bobby],
        "neither clients nor the closed"
    );
    assert_eq!(
        found(db, SearchBy::Name, "bob", start, 9),
        [bob, carol],
        "in the order of the names"
    );
    assert_eq!(found(db, SearchBy::Name, "Zoë", start, 9), [bobby]);
    assert_eq!(found(db, SearchBy::Email, "baker@", start, 9), [bob]);
    assert!(found(db, SearchBy::Email, "%", start, 9).is_empty());
    assert_eq!(found(db, SearchBy::Username, "", start, 2).len(), 2);
    assert_eq!(
        found(db, SearchBy::Username, "b", (bob, IdentityId::from_u128(1)), 9),
        [bobby]
    );
    assert_eq!(
        found(db, SearchBy::Name, "bob", ("bob baker", IdentityId::from_u128(1)), 9),
        [carol]
    );
    assert!(
        found(
            db,
            SearchBy::Email,
            "b",
            ("Baker@example.org", IdentityId::from_u128(1)),
            9
        )
        .is_empty(),
        "case does not matter in a key either"
    );
});

db_test!(
    clients_are_found_by_name_but_not_what_devices_registered,
    MIGRATIONS,
    |db| {
        populate(db);
        write(db, |tx| {
            let mut instance = Client::new(ClientId::from_u128(7), "Application", "confidential_client", NOW);
            instance.is_instance = true;
            instance.parent_client_id = Some(APP);
            clients::insert(tx, &instance)?;
            clients::insert(
                tx,
                &Client::new(ClientId::from_u128(8), "app", "confidential_client", NOW),
            )
        });
        let names = |prefix: &'static str, after: (&'static str, ClientId), limit| -> Vec<u128> {
            let found = read(db, move |tx| clients::search(tx, prefix, after, limit));
            found.into_iter().map(|client| client.id.0.as_u128()).collect()
        };
        let start = ("", ClientId::from_u128(0));
        assert_eq!(names("AP", start, 9), [8, APP.0.as_u128()]);
        assert_eq!(names("ap", start, 1), [8]);
        assert_eq!(names("ap", ("app", ClientId::from_u128(8)), 9), [APP.0.as_u128()]);
        assert!(names("_", start, 9).is_empty());
        assert_eq!(names("", start, 9).len(), 3);
        assert_eq!(read(db, |tx| clients::count_people(tx, APP, 9)), 1);
        assert_eq!(read(db, |tx| clients::count_people(tx, SERVICE, 9)), 0);
    }
);

db_test!(
    a_client_is_switched_off_with_its_instances_and_all_their_sessions,
    MIGRATIONS,
    |db| {
        people(db);
        let instance = ClientId::from_u128(7);
        write(db, move |tx| {
            let mut client = Client::new(instance, "Laptop", "confidential_client", NOW);
            client.is_instance = true;
            client.parent_client_id = Some(APP);
            clients::insert(tx, &client)?;
            let mut child = Client::new(ClientId::from_u128(8), "Child", "confidential_client", NOW);
            child.parent_client_id = Some(APP);
            clients::insert(tx, &child)?;
            for (id, name) in [(APP.0, "app@clients.example"), (instance.0, "laptop@clients.example")] {
                let own = Identity {
                    provider_id: CLIENTS,
                    ..identity(IdentityId(id), name)
                };
                identities::insert(tx, &own)?;
            }
            Ok(())
        });
        let browser = browser(db, 1);
        for (number, client) in [(21, APP), (22, instance), (23, SERVICE)] {
            write(db, move |tx| {
                sessions::upsert_app_session(tx, AppSessionId::from_u128(number), browser, client, NOW, after(100))
            });
        }

        write(db, |tx| {
            clients::set_enabled(tx, APP, false, NOW)?;
            sessions::end_all_of_client(tx, APP, NOW)?;
            identities::raise_generations_of_client(tx, APP)
        });

        let enabled = |id| read(db, move |tx| clients::get(tx, id)).enabled;
        assert!(!enabled(APP) && !enabled(instance));
        assert!(enabled(ClientId::from_u128(8)), "a child is a client of its own");
        for (number, ended) in [(21, true), (22, true), (23, false)] {
            let id = AppSessionId::from_u128(number).0;
            assert_eq!(read(db, move |tx| grants::is_ended(tx, id)), ended, "{number}");
        }
        let left = read(db, move |tx| sessions::list_app_sessions(tx, browser));
        assert_eq!(
            left.iter().map(|session| session.client_id).collect::<Vec<_>>(),
            [SERVICE]
        );
        for id in [APP.0, instance.0] {
            assert_eq!(read(db, move |tx| identities::get(tx, IdentityId(id))).generation, 1);
        }
        assert_eq!(read(db, |tx| identities::find(tx, ALICE)).unwrap().generation, 0);

        write(db, |tx| clients::set_enabled(tx, APP, true, NOW));
        assert!(enabled(APP) && enabled(instance));
    }
);
