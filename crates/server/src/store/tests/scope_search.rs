//! What the developer area asks of scopes and of those who allowed them.

use portolan_db::{db_test, params};
use portolan_types::{ConsentId, IdentityId};

use super::*;
use crate::store::scopes::Dependency;
use crate::store::{MIGRATIONS, consents, identities, scopes};

db_test!(
    everybodys_scopes_are_those_that_are_advertised_or_of_public_clients,
    MIGRATIONS,
    |db| {
        populate(db);
        let named = |id: u128, string: &'static str, name: &'static str, advertised: bool| {
            write(db, move |tx| {
                let new = NewScope {
                    name,
                    advertised,
                    ..scope(ScopeId::from_u128(id), string)
                };
                scopes::upsert(tx, &new, NOW)
            });
        };
        named(3, "urn:hidden", "Hidden", false);
        named(4, "urn:first", "A first", true);
        let listed = |limit| {
            let found = read(db, move |tx| scopes::list_public(tx, limit));
            found.into_iter().map(|scope| scope.scope_string).collect::<Vec<_>>()
        };
        assert_eq!(
            listed(10),
            ["urn:first", "urn:write", "urn:read"],
            "by name, then by id"
        );
        assert_eq!(listed(1), ["urn:first"]);

        execute(
            db,
            "UPDATE clients SET visibility = 'public' WHERE id = $1",
            params![SERVICE],
        );
        assert_eq!(listed(10), ["urn:first", "urn:hidden", "urn:write", "urn:read"]);
        execute(db, "UPDATE clients SET enabled = 0 WHERE id = $1", params![SERVICE]);
        assert!(listed(10).is_empty());
    }
);

db_test!(the_spellings_of_a_client_come_canonical_first, MIGRATIONS, |db| {
    populate(db);
    write(db, |tx| {
        assert!(scopes::insert_string(tx, WRITE, "urn:b:write", Some("b.example"))?);
        assert!(scopes::insert_string(tx, WRITE, "urn:a:write", Some("a.example"))?);
        Ok(())
    });
    let listed = read(db, |tx| scopes::list_strings_by_client(tx, SERVICE));
    let listed: Vec<(ScopeId, &str)> = listed.iter().map(|(id, string)| (*id, string.as_str())).collect();
    assert_eq!(
        listed,
        [
            (WRITE, "urn:write"),
            (WRITE, "urn:a:write"),
            (WRITE, "urn:b:write"),
            (READ, "urn:read"),
        ]
    );
    assert!(read(db, |tx| scopes::list_strings_by_client(tx, APP)).is_empty());
});

db_test!(it_is_known_what_would_miss_a_scope, MIGRATIONS, |db| {
    populate(db);
    let counts = || {
        read(db, |tx| {
            Ok((scopes::count_dependents(tx, READ)?, consents::count_people(tx, READ)?))
        })
    };
    assert_eq!(counts(), (0, 1));
    let bob = IdentityId::from_u128(0xb0b);
    write(db, move |tx| {
        scopes::insert_dependency(
            tx,
            &Dependency {
                scope_id: WRITE,
                dependent_scope_id: READ,
                optional: true,
                requires_refresh_token: false,
            },
        )?;
        assert!(identities::insert(tx, &identity(bob, "bob@portolan.local"))?);
        let bobs = Consent::new(ConsentId(103), None, bob, APP, WRITE, NOW);
        consents::insert(tx, &bobs)?;
        // Beneath another scope, and once more for another app: still one person.
        let beneath = Consent::new(ConsentId(104), Some(&bobs), bob, SERVICE, READ, NOW);
        consents::insert(tx, &beneath)?;
        let elsewhere = Consent::new(ConsentId(105), None, bob, SERVICE, READ, NOW);
        consents::insert(tx, &elsewhere)
    });
    assert_eq!(counts(), (1, 2));

    execute(
        db,
        "UPDATE consents SET status = 'denied' WHERE identity_id = $1",
        params![bob],
    );
    assert_eq!(counts(), (1, 1), "what was declined ends nothing");
});
