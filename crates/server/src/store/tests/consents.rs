//! Scopes, their dependencies, and the trees of consents that rest on them.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::{PolicyId, ProjectId};

use super::*;
use crate::store::consents::WithScope;
use crate::store::scopes::{Dependency, WithRoot};
use crate::store::{MIGRATIONS, access_tokens, clients, consents, policies, projects, scopes};

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

db_test!(
    scopes_are_found_under_every_spelling_while_their_owner_is_enabled,
    MIGRATIONS,
    |db| {
        populate(db);
        let domains = ["example.org".to_owned()];
        write(db, move |tx| {
            scopes::upsert(
                tx,
                &NewScope {
                    required_domains: &domains,
                    advertised: false,
                    allows_refresh_token: false,
                    suffix: Some("special"),
                    ..scope(ScopeId::from_u128(3), "urn:special")
                },
                NOW,
            )
        });
        execute(
            db,
            "INSERT INTO scope_strings (scope_string, scope_id, fqdn) VALUES ('urn:alias', $1, 'alias.example')",
            params![READ],
        );
        let found = read(db, |tx| {
            scopes::list_by_strings(tx, ["urn:special", "urn:alias", "urn:read", "urn:unknown", "urn:READ"])
        });
        let spellings = sorted(
            found
                .iter()
                .map(|named| (named.requested.as_str(), named.scope.scope_string.as_str())),
        );
        assert_eq!(
            spellings,
            [
                ("urn:alias", "urn:read"),
                ("urn:read", "urn:read"),
                ("urn:special", "urn:special")
            ]
        );
        let special = &found
            .iter()
            .find(|named| named.requested == "urn:special")
            .unwrap()
            .scope;
        assert_eq!(special.required_domains(), ["example.org"]);
        assert_eq!(
            (special.advertised, special.allows_refresh_token, special.client_id),
            (false, false, SERVICE)
        );
        assert_eq!(
            (special.owner_name.as_str(), special.owner_visibility.as_str()),
            ("Service", "private")
        );
        assert_eq!(special.resource_server, SERVICE.to_string());

        execute(
            db,
            "UPDATE clients SET resource_server = 'service.example' WHERE id = $1",
            params![SERVICE],
        );
        let named = read(db, |tx| scopes::list_by_ids(tx, [READ, ScopeId::from_u128(99)]));
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].resource_server, "service.example");
        assert!(read(db, |tx| scopes::list_by_strings(tx, [])).is_empty());

        execute(db, "UPDATE clients SET enabled = 0 WHERE id = $1", params![SERVICE]);
        assert!(read(db, |tx| scopes::list_by_strings(tx, ["urn:read"])).is_empty());
    }
);

db_test!(
    a_built_in_scope_follows_the_catalogue_and_keeps_its_string,
    MIGRATIONS,
    |db| {
        populate(db);
        write(db, |tx| {
            let newer = NewScope {
                name: "Newer",
                ..scope(READ, "urn:changed")
            };
            scopes::upsert(tx, &newer, after(5))
        });
        let found = read(db, |tx| scopes::list_by_ids(tx, [READ]));
        assert_eq!(
            (found[0].name.as_str(), found[0].scope_string.as_str()),
            ("Newer", "urn:read")
        );
        assert_eq!(read(db, |tx| scopes::list_ids_by_client(tx, SERVICE)), [READ, WRITE]);
        assert!(read(db, |tx| scopes::list_ids_by_client(tx, APP)).is_empty());
    }
);

db_test!(a_dependency_is_written_once_and_brought_up_to_date, MIGRATIONS, |db| {
    populate(db);
    for optional in [true, false] {
        write(db, move |tx| {
            scopes::insert_dependency(
                tx,
                &Dependency {
                    scope_id: READ,
                    dependent_scope_id: WRITE,
                    optional,
                    requires_refresh_token: !optional,
                },
            )
        });
    }
    let found = read(db, |tx| scopes::list_dependencies(tx, [READ, WRITE]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].scope_id, found[0].dependent_scope_id), (READ, WRITE));
    assert_eq!((found[0].optional, found[0].requires_refresh_token), (false, true));
    assert!(read(db, |tx| scopes::list_dependencies(tx, [WRITE])).is_empty());
});

/// read ── below (of the service, for write) ── leaf; and the root of write.
fn grow(db: &Db) -> (ConsentId, ConsentId) {
    populate(db);
    let (below, leaf) = (ConsentId(201), ConsentId(202));
    write(db, move |tx| {
        let root = consents::find(tx, READ_CONSENT)?.unwrap();
        let child = Consent::new(below, Some(&root), ALICE, SERVICE, WRITE, after(1));
        consents::insert(tx, &child)?;
        consents::insert(tx, &Consent::new(leaf, Some(&child), ALICE, SERVICE, READ, after(2)))
    });
    (below, leaf)
}

db_test!(what_rests_on_a_client_is_counted, MIGRATIONS, |db| {
    populate(db);
    let count = |client| {
        let found = read(db, move |tx| consents::count_resting_on(tx, client));
        (found.consents, found.people, found.of_others)
    };
    assert_eq!(count(APP), (2, 1, 0));
    assert_eq!(count(SERVICE), (0, 0, 2));
    // A client's own are not a person's.
    execute(
        db,
        "UPDATE consents SET auto_approved = 1 WHERE id = $1",
        params![READ_CONSENT],
    );
    assert_eq!(count(APP), (1, 1, 0));
    execute(
        db,
        "UPDATE consents SET status = 'denied' WHERE id = $1",
        params![WRITE_CONSENT],
    );
    assert_eq!(count(APP), (0, 0, 0));
    assert_eq!(count(SERVICE), (0, 0, 1));
});

fn ids(consents: &[Consent]) -> Vec<ConsentId> {
    sorted(consents.iter().map(|consent| consent.id))
}

db_test!(trees_are_listed_with_all_that_is_below_their_roots, MIGRATIONS, |db| {
    let (below, leaf) = grow(db);
    let everything = [READ_CONSENT, WRITE_CONSENT, below, leaf];
    assert_eq!(ids(&read(db, |tx| consents::list_trees(tx, ALICE, APP))), everything);
    assert!(read(db, |tx| consents::list_trees(tx, ALICE, SERVICE)).is_empty());
    assert!(read(db, |tx| consents::list_trees(tx, IdentityId::from_u128(9), APP)).is_empty());
    assert_eq!(ids(&read(db, |tx| consents::list_by_identity(tx, ALICE))), everything);

    let found = read(db, move |tx| consents::find(tx, leaf)).unwrap();
    assert_eq!(found.path(), [READ_CONSENT, below, leaf]);
    assert_eq!(
        (found.parent_id, found.root_id, found.client_id, found.scope_id),
        (Some(below), READ_CONSENT, SERVICE, READ)
    );
    assert!(found.is_approved());
    assert!(read(db, |tx| consents::find(tx, ConsentId(9))).is_none());
});

db_test!(a_grant_rests_on_approved_consents_only, MIGRATIONS, |db| {
    let (below, _) = grow(db);
    write(db, |tx| {
        let mut consent = consents::find(tx, WRITE_CONSENT)?.unwrap();
        consent.status = "denied".into();
        consents::update(tx, &consent)
    });
    let approved = read(db, move |tx| {
        consents::list_approved(tx, &[READ_CONSENT, WRITE_CONSENT, below, ConsentId(9)])
    });
    assert_eq!(ids(&approved), [READ_CONSENT, below]);
});

db_test!(approving_again_keeps_the_row, MIGRATIONS, |db| {
    populate(db);
    write(db, |tx| {
        let mut consent = consents::find(tx, READ_CONSENT)?.unwrap();
        consent.allows_refresh = true;
        consent.atomically_revocable = true;
        consent.label = Some("Laptop".into());
        consent.updated_at = after(5);
        consents::update(tx, &consent)
    });
    let consent = read(db, |tx| consents::find(tx, READ_CONSENT)).unwrap();
    assert_eq!(
        (
            consent.allows_refresh,
            consent.atomically_revocable,
            consent.label.as_deref()
        ),
        (true, true, Some("Laptop"))
    );
    assert_eq!((consent.created_at, consent.updated_at), (NOW, after(5)));
    let other = read(db, |tx| consents::find(tx, WRITE_CONSENT)).unwrap();
    assert_eq!((other.allows_refresh, other.label), (false, None));
});

db_test!(a_person_has_one_root_for_a_client_and_scope, MIGRATIONS, |db| {
    populate(db);
    let second = db.write_blocking(|tx| consents::insert(tx, &root(ConsentId(300), READ)));
    assert!(second.is_err());
    assert!(read(db, |tx| consents::find(tx, ConsentId(300))).is_none());
});

db_test!(the_use_of_a_consent_is_noted_once_a_minute, MIGRATIONS, |db| {
    assert!(!consents::is_use_noted(None, NOW) && consents::is_use_noted(Some(NOW), after(60)));
    assert!(!consents::is_use_noted(Some(NOW), after(61)));
    populate(db);
    for (seconds, expected) in [(0, 0), (60, 0), (61, 61), (100, 61)] {
        write(db, move |tx| consents::mark_used(tx, READ_CONSENT, after(seconds)));
        let used_at = read(db, |tx| consents::find(tx, READ_CONSENT)).unwrap().last_used_at;
        assert_eq!(used_at, Some(after(expected)), "at {seconds} s");
    }
    assert_eq!(
        read(db, |tx| consents::find(tx, WRITE_CONSENT)).unwrap().last_used_at,
        None
    );
});

db_test!(a_subtree_goes_as_a_whole_and_nothing_beside_it, MIGRATIONS, |db| {
    let (below, leaf) = grow(db);
    write(db, move |tx| consents::delete(tx, below));
    assert!(read(db, move |tx| consents::find(tx, below)).is_none());
    assert!(read(db, move |tx| consents::find(tx, leaf)).is_none());
    assert_eq!(
        ids(&read(db, |tx| consents::list_by_identity(tx, ALICE))),
        [READ_CONSENT, WRITE_CONSENT]
    );
    for _ in 0..2 {
        write(db, |tx| consents::delete(tx, READ_CONSENT));
    }
    assert_eq!(
        ids(&read(db, |tx| consents::list_by_identity(tx, ALICE))),
        [WRITE_CONSENT]
    );
});

db_test!(what_is_below_a_token_is_listed_by_id, MIGRATIONS, |db| {
    let (below, leaf) = grow(db);
    let rests_on = |number, consents: Vec<ConsentId>| {
        let consents: Vec<_> = consents.into_iter().map(|id| (id, "name".to_owned())).collect();
        write(db, move |tx| {
            access_tokens::insert_consents(tx, &hash(number), &consents)
        });
    };
    rests_on(1, vec![READ_CONSENT, WRITE_CONSENT]);
    rests_on(2, vec![below]);
    let children = |number| {
        let children = read(db, move |tx| Ok(tx.fetch(&consents::below(&hash(number)))?));
        let shown = |child: WithScope| (child.id, child.scope.id, child.allows_refresh);
        sorted(children.into_iter().map(shown))
    };
    let scopes_of = |number| {
        let scopes = read(db, move |tx| Ok(tx.fetch(&scopes::of_token(&hash(number)))?));
        sorted(scopes.into_iter().map(|scope| scope.id))
    };
    assert_eq!(children(1), [(below, WRITE, false)]);
    assert_eq!(children(2), [(leaf, READ, false)]);
    assert_eq!(scopes_of(1), sorted([READ, WRITE]));
    assert_eq!(scopes_of(2), [WRITE]);
    let approved = || {
        let found = read(db, move |tx| {
            Ok(tx.fetch(&consents::approved(&[below, READ_CONSENT, ConsentId(9)]))?)
        });
        sorted(found.into_iter().map(|consent| (consent.id, consent.scope.id)))
    };
    assert_eq!(approved(), [(READ_CONSENT, READ), (below, WRITE)]);

    write(db, move |tx| {
        let mut consent = consents::find(tx, below)?.unwrap();
        consent.status = "denied".into();
        consents::update(tx, &consent)
    });
    assert!(children(1).is_empty());
    assert_eq!(approved(), [(READ_CONSENT, READ)]);
    assert_eq!(
        children(2),
        [(leaf, READ, false)],
        "what lies below a denied consent is not its business"
    );
});

db_test!(
    what_is_declared_as_required_and_not_approved_is_missing,
    MIGRATIONS,
    |db| {
        let (below, _) = grow(db);
        write(db, |tx| {
            access_tokens::insert_consents(tx, &hash(1), &[(READ_CONSENT, "read".to_owned())])
        });
        let missing = || read(db, |tx| Ok(tx.fetch(&consents::missing_below(&hash(1)))?));
        let declare = |optional| {
            write(db, move |tx| {
                let dependency = Dependency {
                    scope_id: READ,
                    dependent_scope_id: WRITE,
                    optional,
                    requires_refresh_token: false,
                };
                scopes::insert_dependency(tx, &dependency)
            });
        };
        assert!(missing().is_empty(), "nothing is declared");
        declare(false);
        assert!(missing().is_empty(), "it is approved below");
        write(db, move |tx| consents::delete(tx, below));
        assert_eq!(missing(), [(READ_CONSENT, WRITE)]);
        declare(true);
        assert!(missing().is_empty(), "it may be left out");
    }
);

db_test!(scopes_are_found_with_what_was_approved_of_them, MIGRATIONS, |db| {
    populate(db);
    let found = |names: &'static [&'static str]| {
        let found = read(db, move |tx| {
            Ok(tx.fetch(&scopes::by_strings_with_root(ALICE, APP, names.iter().copied()))?)
        });
        let shown = |found: WithRoot| (found.named.scope.id, found.root, found.has_dependencies);
        sorted(found.into_iter().map(shown))
    };
    let names = read(db, |tx| {
        Ok((
            scopes::get(tx, READ)?.scope_string,
            scopes::get(tx, WRITE)?.scope_string,
        ))
    });
    let names: &'static [&'static str] = vec![&*names.0.leak(), &*names.1.leak()].leak();
    let both = sorted([(READ, Some(READ_CONSENT), false), (WRITE, Some(WRITE_CONSENT), false)]);
    assert_eq!(found(names), both);
    let known = read(db, move |tx| Ok(tx.fetch(&scopes::by_strings(names.iter().copied()))?));
    assert_eq!(known.len(), 2);
    assert_eq!(found(&names[..1]), [(READ, Some(READ_CONSENT), false)]);
    assert!(found(&["unknown"]).is_empty());
    write(db, |tx| {
        let dependency = Dependency {
            scope_id: READ,
            dependent_scope_id: WRITE,
            optional: true,
            requires_refresh_token: false,
        };
        scopes::insert_dependency(tx, &dependency)?;
        consents::delete(tx, READ_CONSENT)
    });
    assert_eq!(found(&names[..1]), [(READ, None, true)]);
});

db_test!(
    the_scopes_on_the_way_to_a_consent_are_those_of_its_path,
    MIGRATIONS,
    |db| {
        let (below, leaf) = grow(db);
        let scopes = |id| {
            sorted(read(db, move |tx| {
                let consent = consents::find(tx, id)?.unwrap();
                consents::list_path_scopes(tx, &[consent])
            }))
        };
        assert_eq!(scopes(READ_CONSENT), [READ]);
        assert_eq!(scopes(below), sorted([READ, WRITE]));
        assert_eq!(scopes(leaf), sorted([READ, WRITE]));
        assert!(read(db, |tx| consents::list_path_scopes(tx, &[])).is_empty());
    }
);

db_test!(
    consents_and_scopes_go_with_the_client_that_owns_them,
    MIGRATIONS,
    |db| {
        grow(db);
        write(db, |tx| clients::delete(tx, SERVICE));
        assert!(read(db, |tx| consents::list_by_identity(tx, ALICE)).is_empty());
        assert!(read(db, |tx| scopes::list_by_strings(tx, ["urn:read"])).is_empty());
    }
);

db_test!(policies_are_listed_by_id, MIGRATIONS, |db| {
    populate(db);
    let project = ProjectId::from_u128(1);
    write(db, move |tx| {
        projects::insert(tx, project, "Project", "p@example.org", NOW)
    });
    for (number, include) in [(1_i64, Some(r#"["example.org"]"#)), (2, None)] {
        let id = PolicyId::from_u128(u128::try_from(number).unwrap());
        execute(
            db,
            "INSERT INTO policies (id, project_id, display_name, description, high_assurance,
                                   authentication_assurance_timeout, required_mfa, domain_constraints_include,
                                   unlisted, created_at)
             VALUES ($1, $2, 'Policy', '', 1, $3, 0, $4, 0, 0)",
            params![id, project, number * 60, include],
        );
    }
    let find = |number| {
        let id = PolicyId::from_u128(number);
        read(db, move |tx| policies::list_by_ids(tx, &[id]))
    };
    let first = find(1);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].authentication_assurance_timeout, Some(60));
    assert_eq!((first[0].high_assurance, first[0].required_mfa), (true, false));
    assert_eq!(
        first[0].domain_constraints_include.as_deref(),
        Some(&["example.org".to_owned()][..])
    );
    assert_eq!(find(2)[0].domain_constraints_include, None);
    assert!(find(3).is_empty());
});
