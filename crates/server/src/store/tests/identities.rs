//! Identities and their sets, providers, passwords and failed attempts.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};

use super::*;
use crate::error::Kind;
use crate::store::{MIGRATIONS, identities, identity_providers, passwords};

const BOB: IdentityId = IdentityId::from_u128(0xb0b);

fn add(db: &Db, new: Identity) -> bool {
    write(db, move |tx| identities::insert(tx, &new))
}

fn usernames(identities: &[Identity]) -> Vec<&str> {
    identities.iter().map(|identity| identity.username.as_str()).collect()
}

db_test!(an_identity_comes_back_as_it_was_stored, MIGRATIONS, |db| {
    populate(db);
    let stored = Identity {
        organization: None,
        status: "private".into(),
        ..identity(BOB, "bob@portolan.local")
    };
    assert!(add(db, stored.clone()));
    let found = read(db, |tx| identities::find(tx, BOB)).unwrap();
    assert_eq!(format!("{found:?}"), format!("{stored:?}"));
    assert_eq!(found.domain(), "portolan.local");
    assert!(read(db, |tx| identities::find(tx, IdentityId::from_u128(9))).is_none());
    let missing = db.read_blocking(|tx| identities::get(tx, IdentityId::from_u128(9)));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound("identity"));
});

db_test!(
    a_username_belongs_to_one_identity_until_that_is_closed,
    MIGRATIONS,
    |db| {
        populate(db);
        assert!(!add(db, identity(BOB, "alice@portolan.local")), "the name is taken");
        let same_subject = Identity {
            subject: Some(ALICE.to_string()),
            ..identity(BOB, "bob@portolan.local")
        };
        assert!(!add(db, same_subject), "the subject is taken");
        assert!(read(db, |tx| identities::find(tx, BOB)).is_none());
        let sets: i64 = read(db, |tx| {
            Ok(tx.fetch_one("SELECT count(*) FROM identity_sets", params![])?)
        });
        assert_eq!(sets, 1, "no empty set is left behind");

        write(db, |tx| identities::close(tx, ALICE));
        assert!(read(db, |tx| identities::find_by_username(tx, "alice@portolan.local")).is_none());
        assert!(
            read(db, |tx| identities::list_by_usernames(
                tx,
                &["alice@portolan.local".into()]
            ))
            .is_empty()
        );
        let closed = read(db, |tx| identities::get(tx, ALICE));
        assert_eq!(
            (closed.status.as_str(), closed.generation, closed.is_live()),
            ("closed", 1, false)
        );
        assert!(add(db, identity(BOB, "alice@portolan.local")));
        let found = read(db, |tx| identities::find_by_username(tx, "alice@portolan.local"));
        assert_eq!(found.unwrap().id, BOB);
    }
);

db_test!(identities_are_listed_by_id_name_and_provider, MIGRATIONS, |db| {
    populate(db);
    add(db, identity(BOB, "bob@portolan.local"));
    let everybody = ["alice@portolan.local", "bob@portolan.local"];
    let by_ids = read(db, |tx| {
        identities::list_by_ids(tx, &[BOB, ALICE, IdentityId::from_u128(9)])
    });
    assert_eq!(usernames(&by_ids), everybody);
    let by_names = read(db, |tx| {
        identities::list_by_usernames(tx, &["bob@portolan.local".into(), "nobody@x.org".into()])
    });
    assert_eq!(usernames(&by_names), ["bob@portolan.local"]);
    assert_eq!(
        usernames(&read(db, |tx| identities::list_by_provider(tx, LOCAL))),
        everybody
    );
    let elsewhere = IdentityProviderId::from_u128(1);
    assert!(read(db, move |tx| identities::list_by_provider(tx, elsewhere)).is_empty());
    assert!(read(db, |tx| identities::list_by_ids(tx, &[])).is_empty());
});

db_test!(a_set_is_listed_with_its_primary_first, MIGRATIONS, |db| {
    populate(db);
    add(
        db,
        Identity {
            created_at: after(1),
            ..identity(BOB, "bob@portolan.local")
        },
    );
    execute(
        db,
        "UPDATE identities SET set_id = $1 WHERE id = $2",
        params![ALICES_SET, BOB],
    );
    let set = |db: &Db| read(db, |tx| identities::list_set(tx, ALICES_SET));
    assert_eq!(usernames(&set(db)), ["alice@portolan.local", "bob@portolan.local"]);
    execute(
        db,
        "UPDATE identity_sets SET primary_id = $1 WHERE id = $2",
        params![BOB, ALICES_SET],
    );
    assert_eq!(usernames(&set(db)), ["bob@portolan.local", "alice@portolan.local"]);
    let around_alice = read(db, |tx| Ok(tx.fetch(&identities::set_of(ALICE))?));
    assert_eq!(usernames(&around_alice), ["bob@portolan.local", "alice@portolan.local"]);
    assert_eq!(read(db, |tx| identities::list_set_ids(tx, ALICES_SET)), [ALICE, BOB]);
    let asked = read(db, |tx| Ok(tx.fetch(&identities::set_ids(ALICES_SET))?));
    assert_eq!(asked, [(ALICE,), (BOB,)]);
    write(db, |tx| identities::close(tx, BOB));
    assert_eq!(read(db, |tx| identities::list_set_ids(tx, ALICES_SET)), [ALICE]);
});

db_test!(
    switching_off_raises_the_generation_and_switching_on_does_not_lower_it,
    MIGRATIONS,
    |db| {
        populate(db);
        let state = || {
            let alice = read(db, |tx| identities::get(tx, ALICE));
            (alice.enabled, alice.generation, alice.is_live())
        };
        write(db, |tx| identities::set_enabled(tx, ALICE, false));
        assert_eq!(state(), (false, 1, false));
        write(db, |tx| identities::set_enabled(tx, ALICE, true));
        assert_eq!(state(), (true, 1, true));
        write(db, |tx| identities::raise_generation(tx, ALICE));
        assert_eq!(state(), (true, 2, true));
        write(db, |tx| identities::mark_authenticated(tx, ALICE, after(7)));
        let alice = read(db, |tx| identities::get(tx, ALICE));
        assert_eq!(alice.last_authentication_at, Some(after(7)));
    }
);

db_test!(administrators_are_a_list, MIGRATIONS, |db| {
    populate(db);
    assert!(!read(db, identities::has_administrator));
    for _ in 0..2 {
        write(db, |tx| identities::insert_administrator(tx, ALICE, NOW));
    }
    assert!(read(db, identities::has_administrator));
    assert!(read(db, |tx| identities::is_administrator(tx, ALICE)));
    assert!(!read(db, |tx| identities::is_administrator(tx, BOB)));
});

db_test!(a_domain_stays_with_its_first_provider, MIGRATIONS, |db| {
    populate(db);
    let other = IdentityProviderId::from_u128(1);
    write(db, move |tx| {
        let new = provider(other, "other");
        identity_providers::upsert(tx, &new, &["portolan.local", "b.example", "a.example"], NOW)
    });
    let owner = |domain: &'static str| read(db, move |tx| identity_providers::find_by_domain(tx, domain));
    assert_eq!(owner("portolan.local").unwrap().id, LOCAL);
    assert_eq!(owner("a.example").unwrap().id, other);
    assert!(owner("unknown.example").is_none());
    assert_eq!(
        read(db, move |tx| identity_providers::list_domains(tx, other)),
        ["a.example", "b.example"]
    );
});

db_test!(
    a_provider_follows_the_catalogue_but_stays_switched_off,
    MIGRATIONS,
    |db| {
        populate(db);
        execute(db, "UPDATE identity_providers SET enabled = 0", params![]);
        write(db, |tx| {
            let renamed = IdentityProvider {
                name: "Renamed".into(),
                alternative_names: "[]".into(),
                ..provider(LOCAL, "local")
            };
            identity_providers::upsert(tx, &renamed, &[], after(1))
        });
        let found = read(db, |tx| identity_providers::find(tx, LOCAL)).unwrap();
        assert_eq!((found.name.as_str(), found.enabled), ("Renamed", false));
        assert!(found.alternative_names().is_empty());
        assert!(read(db, |tx| identity_providers::find(tx, IdentityProviderId::from_u128(9))).is_none());
    }
);

db_test!(a_password_is_replaced_and_its_hash_strengthened, MIGRATIONS, |db| {
    populate(db);
    let find = || read(db, |tx| passwords::find(tx, ALICE));
    let changed_at = || -> i64 {
        read(
            db,
            |tx| Ok(tx.fetch_one("SELECT changed_at FROM passwords", params![])?),
        )
    };
    assert_eq!(find(), None);
    for (hash, seconds) in [("first", 1), ("second", 2)] {
        write(db, move |tx| passwords::upsert(tx, ALICE, hash, after(seconds)));
        assert_eq!(find().as_deref(), Some(hash));
        assert_eq!(changed_at(), after(seconds).micros());
    }
    write(db, |tx| passwords::update_hash(tx, ALICE, "first", "forged"));
    assert_eq!(find().as_deref(), Some("second"), "another password by now");
    write(db, |tx| passwords::update_hash(tx, ALICE, "second", "stronger"));
    assert_eq!(find().as_deref(), Some("stronger"));
    assert_eq!(changed_at(), after(2).micros(), "the password is still the same");
    assert!(!write(db, |tx| passwords::replace(
        tx,
        ALICE,
        "second",
        "forged",
        after(3)
    )));
    assert_eq!(find().as_deref(), Some("stronger"), "another password by now");
    assert!(write(db, |tx| passwords::replace(
        tx,
        ALICE,
        "stronger",
        "third",
        after(3)
    )));
    assert_eq!((find().as_deref(), changed_at()), (Some("third"), after(3).micros()));
});

db_test!(failures_are_counted_block_and_are_forgotten, MIGRATIONS, |db| {
    let find = |name: &'static str| read(db, move |tx| passwords::find_failures(tx, name));
    let count = |name: &'static str| write(db, move |tx| passwords::count_failure(tx, name, NOW));
    assert_eq!(find("a"), None);
    assert_eq!((count("a"), count("a"), count("b")), (1, 2, 1));
    assert_eq!(find("a"), Some((2, Timestamp::from_micros(0))));
    write(db, |tx| passwords::block(tx, "a", NOW, Duration::from_secs(30)));
    assert_eq!(find("a"), Some((2, after(30))));
    assert_eq!(count("a"), 3, "blocked ones count on");
    assert_eq!(find("a"), Some((3, after(30))), "and stay blocked");
    write(db, |tx| passwords::clear_failures(tx, "a"));
    assert_eq!(find("a"), None);
    assert_eq!(find("b"), Some((1, Timestamp::from_micros(0))));
});

db_test!(an_identity_leaves_its_set_unless_the_others_need_it, MIGRATIONS, |db| {
    populate(db);
    let (set, own) = (ALICES_SET, IdentitySetId::from_u128(77));
    add(db, identity(BOB, "bob@portolan.local"));
    write(db, move |tx| {
        tx.execute("UPDATE identities SET set_id = $2 WHERE id = $1", params![BOB, set])?;
        Ok(())
    });

    let left = write(db, move |tx| identities::leave_set(tx, ALICE, own));
    assert!(!left, "the primary stays");
    assert!(write(db, move |tx| identities::leave_set(tx, BOB, own)));

    let names = |set| {
        let found = read(db, move |tx| identities::list_set(tx, set));
        usernames(&found).join(" ")
    };
    assert_eq!(names(set), "alice@portolan.local");
    assert_eq!(names(own), "bob@portolan.local");
    let again = write(db, move |tx| identities::leave_set(tx, BOB, own));
    assert!(!again, "it is alone already");
});

/// A provider that people can sign in through.
fn upstream(id: u128, name: &str) -> IdentityProvider {
    IdentityProvider {
        id: IdentityProviderId::from_u128(id),
        name: name.into(),
        short_name: name.to_lowercase(),
        kind: "oidc".into(),
        alternative_names: "[]".into(),
        enabled: true,
    }
}

fn names(found: Vec<IdentityProvider>) -> Vec<String> {
    found.into_iter().map(|one| one.name).collect()
}

db_test!(a_provider_of_the_operator_comes_and_goes, MIGRATIONS, |db| {
    populate(db);
    let id = IdentityProviderId::from_u128(7);
    let setup = identity_providers::Setup {
        issuer: Some("https://x.example".into()),
        configuration: "{}".into(),
        sealed_secret: Some(vec![1, 2]),
    };
    let (one, first) = (upstream(7, "Uni"), setup.clone());
    let insert = move |db: &Db| {
        let (one, first) = (one.clone(), first.clone());
        write(db, move |tx| identity_providers::insert(tx, &one, &first, NOW))
    };
    assert!(insert(db));
    assert!(!insert(db), "the id and the short name are taken");
    assert_eq!(read(db, move |tx| identity_providers::find_setup(tx, id)), Some(setup));
    let found = read(db, |tx| identity_providers::find_by_short_name(tx, "uni"));
    assert_eq!(found.unwrap().id, id);

    let changed = identity_providers::Setup {
        issuer: Some("https://y.example".into()),
        configuration: "{\"a\":1}".into(),
        sealed_secret: None,
    };
    let other = changed.clone();
    write(db, move |tx| {
        identity_providers::update(tx, &upstream(7, "Other"), &other)
    });
    assert_eq!(
        read(db, move |tx| identity_providers::find_setup(tx, id)),
        Some(changed)
    );

    assert!(write(db, move |tx| identity_providers::insert_domain(
        tx,
        id,
        "x.example"
    )));
    assert!(!write(db, move |tx| identity_providers::insert_domain(
        tx,
        LOCAL,
        "x.example"
    )));
    let domains = read(db, move |tx| identity_providers::list_domains_of(tx, &[id, LOCAL]));
    assert!(domains.contains(&(id, "x.example".to_owned())));
    write(db, move |tx| identity_providers::insert_domain(tx, id, "w.example"));
    let offered = |db: &Db| read(db, move |tx| identity_providers::list_offered(tx, &[LOCAL, id]));
    let other = identity_providers::Offered {
        id,
        name: "Other".into(),
        domains: vec!["w.example".into(), "x.example".into()],
    };
    assert_eq!(offered(db), [other], "nobody chooses the local accounts");
    write(db, |tx| identity_providers::delete_domain(tx, "w.example"));
    write(db, |tx| identity_providers::delete_domain(tx, "x.example"));
    assert!(read(db, move |tx| identity_providers::list_domains(tx, id)).is_empty());

    assert!(offered(db)[0].domains.is_empty());
    write(db, move |tx| identity_providers::set_enabled(tx, id, false));
    assert!(!read(db, move |tx| identity_providers::find(tx, id)).unwrap().enabled);
    assert!(offered(db).is_empty());
    assert!(!read(db, move |tx| identity_providers::has_identities(tx, id)));
    assert!(read(db, |tx| identity_providers::has_identities(tx, LOCAL)));
    write(db, move |tx| identity_providers::delete(tx, id));
    assert!(read(db, move |tx| identity_providers::find(tx, id)).is_none());
});

db_test!(providers_are_found_by_the_beginnings_of_their_words, MIGRATIONS, |db| {
    populate(db);
    for (id, name, words) in [
        (1, "Chicago", vec!["university", "chicago", "edu", "zürich"]),
        (2, "Chile", vec!["university", "chile", "cl"]),
        (3, "Off", vec!["university", "chad"]),
    ] {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        write(db, move |tx| {
            let provider = upstream(id, name);
            identity_providers::insert(tx, &provider, &identity_providers::Setup::default(), NOW)?;
            identity_providers::replace_words(tx, provider.id, &["old".to_owned()])?;
            identity_providers::replace_words(tx, provider.id, &words)
        });
    }
    write(db, |tx| {
        identity_providers::set_enabled(tx, IdentityProviderId::from_u128(3), false)
    });
    let search = |words: [&'static str; 3], limit| {
        let mut found = names(read(db, move |tx| {
            let ids = if words[1..] == [words[0]; 2] {
                identity_providers::search_word(tx, words[0], limit)?
            } else {
                identity_providers::search(tx, words, limit)?
            };
            identity_providers::list_by_ids(tx, &ids)
        }));
        found.sort();
        found
    };
    assert_eq!(search(["chi", "chi", "chi"], 9), ["Chicago", "Chile"]);
    assert_eq!(search(["chil", "univ", "chil"], 9), ["Chile"]);
    assert_eq!(search(["chi", "edu", "uni"], 9), ["Chicago"]);
    assert_eq!(search(["zür", "zür", "zür"], 9), ["Chicago"]);
    assert_eq!(search(["university", "university", "university"], 1).len(), 1);
    for nothing in ["old", "hicago", "chicagoo", "%", "_"] {
        assert!(search([nothing, nothing, nothing], 9).is_empty(), "{nothing}");
        assert!(search(["chi", nothing, nothing], 9).is_empty(), "{nothing}");
    }
    assert_eq!(
        search(["chad", "chad", "chad"], 9),
        ["Off"],
        "whoever asks leaves it out"
    );
    let count = |word: &'static str, limit| read(db, move |tx| identity_providers::count_words(tx, word, limit));
    assert_eq!((count("chi", 9), count("chi", 1), count("che", 9)), (2, 1, 0));
    let choices = |limit| read(db, move |tx| identity_providers::count_choices(tx, limit));
    assert_eq!((choices(9), choices(1)), (2, 1));
    assert_eq!(
        names(read(db, |tx| identity_providers::list_choices(tx, 9))),
        ["Chicago", "Chile"]
    );
    assert_eq!(
        names(read(db, |tx| identity_providers::list_choices(tx, 1))),
        ["Chicago"]
    );
});

db_test!(a_subject_is_one_identity_of_its_provider, MIGRATIONS, |db| {
    populate(db);
    let bob = Identity {
        subject: Some("s".into()),
        ..identity(BOB, "bob@portolan.local")
    };
    assert!(add(db, bob));
    let found = |subject: &'static str| read(db, move |tx| identities::find_by_subject(tx, LOCAL, subject));
    assert_eq!(found("s").unwrap().id, BOB);
    assert!(found("S").is_none());
    let elsewhere = read(db, |tx| {
        identities::find_by_subject(tx, IdentityProviderId::from_u128(9), "s")
    });
    assert!(elsewhere.is_none());

    write(db, |tx| {
        identities::update_profile(tx, BOB, "rob@portolan.local", Some("Rob"), None, Some("Org"))
    });
    let bob = found("s").unwrap();
    assert_eq!(
        (
            bob.username.as_str(),
            bob.name.as_deref(),
            bob.email,
            bob.organization.as_deref()
        ),
        ("rob@portolan.local", Some("Rob"), None, Some("Org"))
    );

    write(db, |tx| identities::close(tx, BOB));
    assert!(found("s").is_none());
});

db_test!(a_closed_primary_gives_way_to_the_oldest_of_its_set, MIGRATIONS, |db| {
    populate(db);
    assert!(add(db, identity(BOB, "bob@portolan.local")));
    execute(
        db,
        "UPDATE identities SET set_id = $2 WHERE id = $1",
        params![BOB, ALICES_SET],
    );
    let first = || read(db, |tx| identities::list_set(tx, ALICES_SET))[0].id;
    write(db, |tx| identities::replace_closed_primary(tx, ALICES_SET));
    assert_eq!(first(), ALICE, "it is not closed");
    write(db, |tx| {
        identities::close(tx, ALICE)?;
        identities::replace_closed_primary(tx, ALICES_SET)
    });
    assert_eq!(first(), BOB);
});
