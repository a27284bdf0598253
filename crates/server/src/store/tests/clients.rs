//! Clients, their credentials, and projects.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::{CredentialId, ProjectId};

use super::*;
use crate::error::Kind;
use crate::store::clients::{Credential, Provable};
use crate::store::{MIGRATIONS, clients, projects};

db_test!(a_client_comes_back_as_it_was_stored, MIGRATIONS, |db| {
    populate(db);
    let mut client = Client::new(
        ClientId::from_u128(5),
        "Full",
        "hybrid_confidential_client_resource_server",
        after(3),
    );
    let project = ProjectId::from_u128(1);
    write(db, move |tx| {
        projects::insert(tx, project, "Project", "p@example.org", NOW)
    });
    client.project_id = Some(project);
    client.parent_client_id = Some(APP);
    client.device_name = Some("laptop".into());
    client.grant_types = "authorization_code refresh_token".into();
    client.visibility = "public".into();
    client.set_redirect_uris(&["https://a.example/cb".into(), "https://a.example/\"quoted\"".into()]);
    client.terms_and_conditions = Some("https://a.example/terms".into());
    client.privacy_policy = Some("https://a.example/privacy".into());
    client.required_idp = Some(LOCAL);
    client.preselect_idp = Some(LOCAL);
    client.userinfo_from_effective_identity = false;
    client.prompt_for_named_grant = true;
    client.id_token_algorithm = Some("ES256".into());
    client.resource_server = Some("full.example".into());
    client.is_template = true;
    let stored = client.clone();
    write(db, move |tx| clients::insert(tx, &stored));

    let found = read(db, |tx| clients::find(tx, ClientId::from_u128(5))).unwrap();
    assert_eq!(format!("{found:?}"), format!("{client:?}"));
    assert_eq!(found.redirect_uris()[1], "https://a.example/\"quoted\"");
    assert_eq!(found.resource_server_name(), "full.example");
    assert_eq!(
        read(db, |tx| clients::get(tx, APP)).resource_server_name(),
        APP.to_string()
    );
    assert!(read(db, |tx| clients::find(tx, ClientId::from_u128(6))).is_none());
    let missing = db.read_blocking(|tx| clients::get(tx, ClientId::from_u128(6)));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound("client"));

    let names: Vec<String> = read(db, clients::list).into_iter().map(|client| client.name).collect();
    assert_eq!(names, ["App", "Full", "Service"]);
});

db_test!(
    a_deleted_client_leaves_its_children_without_a_parent,
    MIGRATIONS,
    |db| {
        populate(db);
        write(db, |tx| {
            let mut child = Client::new(ClientId::from_u128(5), "Child", "confidential_client", NOW);
            child.parent_client_id = Some(APP);
            clients::insert(tx, &child)
        });
        assert_eq!(read(db, |tx| clients::count_children(tx, APP)), 1);
        write(db, |tx| clients::delete(tx, APP));
        assert!(read(db, |tx| clients::find(tx, APP)).is_none());
        assert_eq!(
            read(db, |tx| clients::get(tx, ClientId::from_u128(5))).parent_client_id,
            None
        );
        assert_eq!(read(db, |tx| clients::count_children(tx, APP)), 0);
    }
);

db_test!(an_instance_counts_as_unused_until_its_first_use, MIGRATIONS, |db| {
    populate(db);
    for number in [5, 6] {
        write(db, move |tx| {
            let mut instance = Client::new(ClientId::from_u128(number), "Instance", "confidential_client", NOW);
            instance.is_instance = true;
            clients::insert(tx, &instance)
        });
    }
    assert_eq!(read(db, clients::count_unused_instances), 2);
    for seconds in [1, 2] {
        write(db, move |tx| {
            clients::mark_used(tx, ClientId::from_u128(5), after(seconds))
        });
    }
    assert_eq!(read(db, clients::count_unused_instances), 1);
    let first_used_at = read(db, |tx| clients::get(tx, ClientId::from_u128(5))).first_used_at;
    assert_eq!(first_used_at, Some(after(1)), "the first use stays");
});

db_test!(
    credentials_are_listed_without_and_compared_by_their_hashes,
    MIGRATIONS,
    |db| {
        populate(db);
        let credential = |number: u8, client_id| Credential {
            id: CredentialId::from_u128(number.into()),
            client_id,
            name: format!("Credential {number}"),
            created_at: after(100 - u64::from(number)),
        };
        for (number, client_id) in [(1, APP), (2, APP), (3, SERVICE)] {
            let new = credential(number, client_id);
            write(db, move |tx| clients::insert_credential(tx, &new, &hash(number)));
        }
        let listed = read(db, |tx| clients::list_credentials(tx, APP));
        assert_eq!(
            format!("{listed:?}"),
            format!("{:?}", [credential(2, APP), credential(1, APP)]),
            "the oldest first"
        );
        let secrets = |db: &Db| {
            let rows = read(db, |tx| Ok(tx.fetch(&clients::with_secrets(APP))?));
            Provable::from_rows(rows).expect("the client is there").hashes
        };
        let mut hashes = secrets(db);
        hashes.sort_by_key(|hash| hash.0);
        assert_eq!(hashes, [hash(1), hash(2)]);
        let rows = read(db, |tx| Ok(tx.fetch(&clients::hashes(APP))?));
        assert!(rows.iter().all(|row| row.enabled && !row.is_public()));
        let mut hashes: Vec<TokenHash> = rows.into_iter().filter_map(|row| row.hash).collect();
        hashes.sort_by_key(|hash| hash.0);
        assert_eq!(hashes, [hash(1), hash(2)]);

        let delete = |client_id, number| {
            write(db, move |tx| {
                clients::delete_credential(tx, client_id, CredentialId::from_u128(number))
            })
        };
        assert!(delete(SERVICE, 1).is_none(), "of another client");
        assert_eq!(delete(APP, 1).unwrap().name, "Credential 1");
        assert!(delete(APP, 1).is_none());
        assert_eq!(secrets(db), [hash(2)]);
        write(db, |tx| clients::delete_credential(tx, APP, CredentialId::from_u128(2)));
        assert!(secrets(db).is_empty(), "a client without secrets is found all the same");
        write(db, |tx| clients::delete(tx, APP));
        let rows = read(db, |tx| Ok(tx.fetch(&clients::with_secrets(APP))?));
        assert!(Provable::from_rows(rows).is_none());
        assert!(read(db, |tx| Ok(tx.fetch(&clients::hashes(APP))?)).is_empty());
    }
);

db_test!(domain_names_are_listed_from_the_oldest, MIGRATIONS, |db| {
    populate(db);
    for (fqdn, added_at) in [("b.example", 1_i64), ("a.example", 2), ("c.example", 0)] {
        execute(
            db,
            "INSERT INTO client_fqdns (fqdn, client_id, added_at) VALUES ($1, $2, $3)",
            params![fqdn, APP, added_at],
        );
    }
    assert_eq!(
        read(db, |tx| clients::list_fqdns(tx, APP)),
        ["c.example", "b.example", "a.example"]
    );
    assert!(read(db, |tx| clients::list_fqdns(tx, SERVICE)).is_empty());
});

db_test!(projects_are_found_by_name_and_have_administrators, MIGRATIONS, |db| {
    populate(db);
    let (first, second) = (ProjectId::from_u128(1), ProjectId::from_u128(2));
    write(db, move |tx| {
        projects::insert(tx, second, "Same", "p@example.org", after(1))?;
        projects::insert(tx, first, "Same", "p@example.org", NOW)?;
        projects::insert(tx, first, "Changed", "p@example.org", NOW)
    });
    assert_eq!(
        read(db, |tx| projects::find_by_name(tx, "Same")),
        Some(first),
        "the older"
    );
    assert_eq!(read(db, |tx| projects::find_by_name(tx, "Changed")), None);
    assert!(read(db, move |tx| projects::exists(tx, second)));
    assert!(!read(db, |tx| projects::exists(tx, ProjectId::from_u128(3))));
    for _ in 0..2 {
        write(db, move |tx| projects::insert_admin(tx, first, ALICE));
    }
    assert_eq!(execute(db, "DELETE FROM project_admins", params![]), 1);
});

db_test!(clients_are_listed_by_id_and_the_unknown_left_out, MIGRATIONS, |db| {
    populate(db);
    let list = |ids: Vec<ClientId>| {
        let found = read(db, move |tx| clients::list_by_ids(tx, ids.iter().copied()));
        let mut names: Vec<String> = found.into_iter().map(|client| client.name).collect();
        names.sort();
        names
    };
    assert_eq!(list(vec![APP, SERVICE, ClientId::from_u128(9)]), ["App", "Service"]);
    assert_eq!(list(vec![SERVICE]), ["Service"]);
    assert!(list(vec![]).is_empty());
});

db_test!(
    operators_name_clients_but_not_what_devices_registered,
    MIGRATIONS,
    |db| {
        populate(db);
        for (number, name, is_instance) in [(21, "Twin", false), (20, "Twin", false), (22, "App", true)] {
            write(db, move |tx| {
                let mut client = Client::new(ClientId::from_u128(number), name, "confidential_client", NOW);
                client.is_instance = is_instance;
                clients::insert(tx, &client)
            });
        }
        let named = |name: &'static str| -> Vec<ClientId> {
            let found = read(db, move |tx| clients::list_by_name(tx, name));
            found.into_iter().map(|client| client.id).collect()
        };
        assert_eq!(named("Twin"), [ClientId::from_u128(20), ClientId::from_u128(21)]);
        assert_eq!(named("App"), [APP]);
        assert!(named("app").is_empty());
    }
);
