//! What developers make and change: projects, policies, scopes, clients and their names.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::{PolicyId, ProjectId};
use uuid::Uuid;

use super::*;
use crate::app::Ctx;
use crate::error::Kind;
use crate::store::audit::{self, Actor, Event};
use crate::store::identity_providers::CLIENTS;
use crate::store::policies::{self, Policy};
use crate::store::projects::{self, BUILT_IN};
use crate::store::scopes::{self, Dependency};
use crate::store::{MIGRATIONS, access_tokens, clients, identities};

const FIRST: ProjectId = ProjectId::from_u128(1);
const SECOND: ProjectId = ProjectId::from_u128(2);
const BOB: IdentityId = IdentityId::from_u128(0xb0b);

/// Two projects, and Bob beside Alice.
fn populate_projects(db: &Db) {
    populate(db);
    write(db, |tx| {
        assert!(identities::insert(tx, &identity(BOB, "bob@portolan.local"))?);
        projects::insert(tx, FIRST, "First", "f@example.org", NOW)?;
        projects::insert(tx, SECOND, "Second", "s@example.org", NOW)
    });
}

db_test!(a_project_comes_back_as_it_was_changed, MIGRATIONS, |db| {
    populate_projects(db);
    let mut project = read(db, |tx| projects::get(tx, FIRST));
    assert!(project.admin_policy_id.is_some());
    assert!(project.admin_group_ids().is_empty());
    project.display_name = "Zoo".into();
    project.contact_email = "z@example.org".into();
    project.set_admin_group_ids(&[Uuid::from_u128(7)]);
    let changed = project.clone();
    write(db, move |tx| projects::update(tx, &changed));

    let found = read(db, |tx| projects::find(tx, FIRST)).unwrap();
    assert_eq!(format!("{found:?}"), format!("{project:?}"));
    assert_eq!(found.admin_group_ids(), [Uuid::from_u128(7)]);
    let names: Vec<String> = read(db, projects::list)
        .into_iter()
        .map(|found| found.display_name)
        .collect();
    assert_eq!(names, ["Second", "Zoo"]);
    let missing = db.read_blocking(|tx| projects::get(tx, ProjectId::from_u128(9)));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound("project"));
});

db_test!(clients_are_counted_for_many_projects_at_once, MIGRATIONS, |db| {
    populate_projects(db);
    write(db, |tx| {
        for (id, project) in [(0xc1, FIRST), (0xc2, FIRST), (0xc3, SECOND)] {
            let mut client = clients::Client::new(ClientId::from_u128(id), "c", "client_identity", NOW);
            client.project_id = Some(project);
            clients::insert(tx, &client)?;
        }
        Ok(())
    });
    let count = |ids: &'static [ProjectId]| {
        let mut counts = read(db, move |tx| projects::count_clients_by_projects(tx, ids));
        counts.sort();
        counts
    };
    assert_eq!(count(&[FIRST, SECOND, BUILT_IN]), [(FIRST, 2), (SECOND, 1)]);
    assert_eq!(count(&[SECOND]), [(SECOND, 1)]);
    assert!(count(&[]).is_empty());
});

db_test!(projects_are_listed_for_their_admins, MIGRATIONS, |db| {
    populate_projects(db);
    write(db, |tx| {
        projects::insert(tx, BUILT_IN, "Built-in", "o@example.org", NOW)?;
        projects::replace_admins(tx, FIRST, &[ALICE])?;
        projects::replace_admins(tx, SECOND, &[ALICE, BOB])?;
        projects::replace_admins(tx, SECOND, &[BOB])
    });
    let listed = |ids: &'static [IdentityId]| -> Vec<String> {
        let found = read(db, move |tx| projects::list_by_admins(tx, ids));
        found.into_iter().map(|project| project.display_name).collect()
    };
    assert_eq!(listed(&[ALICE]), ["First"]);
    assert_eq!(listed(&[ALICE, BOB]), ["First", "Second"]);
    assert!(listed(&[]).is_empty());
    assert_eq!(read(db, |tx| projects::list_admins(tx, SECOND)), [BOB]);

    // The administrators of the server stand in for the admins of the built-in project.
    assert!(read(db, |tx| projects::list_admins(tx, BUILT_IN)).is_empty());
    write(db, |tx| identities::insert_administrator(tx, ALICE, NOW));
    assert_eq!(read(db, |tx| projects::list_admins(tx, BUILT_IN)), [ALICE]);
    assert_eq!(listed(&[ALICE]), ["Built-in", "First"]);

    write(db, |tx| projects::replace_admins(tx, SECOND, &[]));
    assert!(listed(&[BOB]).is_empty());
});

db_test!(
    a_project_goes_with_its_admins_and_the_policy_of_its_gate,
    MIGRATIONS,
    |db| {
        populate_projects(db);
        assert_eq!(
            read(db, |tx| projects::count_contents(tx, FIRST)),
            (0, 0),
            "the unlisted one does not count"
        );
        write(db, |tx| {
            projects::insert_admin(tx, FIRST, ALICE)?;
            let mut client = Client::new(ClientId::from_u128(5), "C", "confidential_client", NOW);
            client.project_id = Some(FIRST);
            clients::insert(tx, &client)?;
            policies::insert(tx, &policy(1, FIRST), NOW)
        });
        assert_eq!(read(db, |tx| projects::count_contents(tx, FIRST)), (1, 1));

        write(db, |tx| {
            clients::delete(tx, ClientId::from_u128(5))?;
            policies::delete(tx, PolicyId::from_u128(1))?;
            projects::delete(tx, FIRST)
        });

        assert!(read(db, |tx| projects::find(tx, FIRST)).is_none());
        assert_eq!(execute(db, "DELETE FROM project_admins", params![]), 0);
        assert_eq!(
            execute(db, "DELETE FROM policies", params![]),
            1,
            "that of the other project"
        );
    }
);

fn policy(id: u128, project_id: ProjectId) -> Policy {
    Policy {
        id: PolicyId::from_u128(id),
        project_id,
        display_name: format!("Policy {id}"),
        description: "What for".into(),
        high_assurance: true,
        authentication_assurance_timeout: Some(60),
        required_mfa: true,
        domain_constraints_include: Some(vec!["example.org".into()]),
        domain_constraints_exclude: None,
        unlisted: false,
        only_identities: None,
    }
}

db_test!(a_policy_comes_back_as_it_was_changed, MIGRATIONS, |db| {
    populate_projects(db);
    write(db, |tx| {
        policies::insert(tx, &policy(2, SECOND), NOW)?;
        policies::insert(tx, &policy(1, FIRST), NOW)
    });
    let stored = read(db, |tx| policies::get(tx, PolicyId::from_u128(1)));
    assert_eq!(format!("{stored:?}"), format!("{:?}", policy(1, FIRST)));
    let mut changed = policy(1, SECOND);
    changed.display_name = "A new name".into();
    changed.description = "New".into();
    changed.authentication_assurance_timeout = None;
    changed.required_mfa = false;
    changed.domain_constraints_include = None;
    changed.domain_constraints_exclude = Some(Vec::new());
    let written = changed.clone();
    write(db, move |tx| policies::update(tx, &written));

    let found = read(db, |tx| policies::find(tx, PolicyId::from_u128(1))).unwrap();
    assert_eq!(format!("{found:?}"), format!("{changed:?}"));
    let listed = read(db, |tx| policies::list_by_projects(tx, [FIRST, SECOND]));
    let names: Vec<&str> = listed.iter().map(|policy| policy.display_name.as_str()).collect();
    assert_eq!(names, ["A new name", "Policy 2"]);
    assert!(read(db, |tx| policies::list_by_projects(tx, [])).is_empty());
    write(db, |tx| policies::delete(tx, PolicyId::from_u128(1)));
    let missing = db.read_blocking(|tx| policies::get(tx, PolicyId::from_u128(1)));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound("policy"));
});

db_test!(
    the_policy_of_a_gate_is_not_listed_and_names_the_admins_of_the_moment,
    MIGRATIONS,
    |db| {
        populate_projects(db);
        let id = PolicyId::from_u128(3);
        write(db, move |tx| policies::insert_admin_policy(tx, id, FIRST, NOW));
        assert!(read(db, move |tx| policies::find(tx, id)).is_none());
        assert!(read(db, |tx| policies::list_by_projects(tx, [FIRST])).is_empty());
        let admins = |db| {
            read(db, move |tx| policies::list_by_ids(tx, &[id]))[0]
                .only_identities
                .clone()
        };
        assert_eq!(admins(db), Some(Vec::new()));
        write(db, |tx| projects::insert_admin(tx, FIRST, ALICE));
        assert_eq!(admins(db), Some(vec![ALICE]));
    }
);

db_test!(clients_are_listed_by_project_and_by_parent, MIGRATIONS, |db| {
    populate_projects(db);
    for (number, project, parent) in [
        (5, Some(FIRST), None),
        (6, Some(SECOND), Some(APP)),
        (7, None, Some(APP)),
    ] {
        write(db, move |tx| {
            let name = format!("Client {number}");
            let mut client = Client::new(ClientId::from_u128(number), name, "confidential_client", NOW);
            client.project_id = project;
            client.parent_client_id = parent;
            clients::insert(tx, &client)
        });
    }
    let names = |found: Vec<Client>| found.into_iter().map(|client| client.name).collect::<Vec<_>>();
    assert_eq!(
        names(read(db, |tx| clients::list_by_projects(tx, [FIRST]))),
        ["Client 5"]
    );
    assert_eq!(
        names(read(db, |tx| clients::list_by_projects(tx, [SECOND, FIRST]))),
        ["Client 5", "Client 6"]
    );
    assert!(names(read(db, |tx| clients::list_by_projects(tx, []))).is_empty());
    assert_eq!(
        names(read(db, |tx| clients::list_children(tx, APP))),
        ["Client 6", "Client 7"]
    );
});

db_test!(a_client_comes_back_as_it_was_changed, MIGRATIONS, |db| {
    populate(db);
    let mut client = read(db, |tx| clients::get(tx, APP));
    client.name = "Changed".into();
    client.visibility = "public".into();
    client.set_redirect_uris(&["https://a.example/".into()]);
    client.terms_and_conditions = Some("https://a.example/t".into());
    client.privacy_policy = Some("https://a.example/p".into());
    client.required_idp = Some(LOCAL);
    client.preselect_idp = Some(LOCAL);
    client.set_requested_scopes(&[READ]);
    client.resource_server = Some("app.example".into());
    client.enabled = false;
    let changed = client.clone();
    write(db, move |tx| clients::update(tx, &changed));

    let found = read(db, |tx| clients::get(tx, APP));
    assert_eq!(format!("{found:?}"), format!("{client:?}"));
    assert_eq!(found.requested_scopes(), [READ.to_string()]);
    assert!(read(db, |tx| clients::is_resource_server_name_taken(
        tx,
        "app.example",
        SERVICE
    )));
    assert!(!read(db, |tx| clients::is_resource_server_name_taken(
        tx,
        "app.example",
        APP
    )));
    assert!(!read(db, |tx| clients::is_resource_server_name_taken(
        tx,
        "other.example",
        SERVICE
    )));
});

db_test!(a_domain_name_belongs_to_one_client, MIGRATIONS, |db| {
    populate(db);
    let add = |client| write(db, move |tx| clients::insert_fqdn(tx, client, "svc.example", NOW));
    assert!(add(SERVICE));
    assert!(!add(APP));
    let owner = |fqdn| read(db, move |tx| clients::find_by_fqdn(tx, fqdn)).map(|client| client.id);
    assert_eq!(owner("svc.example"), Some(SERVICE));
    assert_eq!(owner("app.example"), None);
});

db_test!(a_scope_has_several_spellings, MIGRATIONS, |db| {
    populate(db);
    let add = |id, string, fqdn| write(db, move |tx| scopes::insert_string(tx, id, string, fqdn));
    assert!(add(READ, "b:read", Some("b.example")));
    assert!(add(READ, "a:read", Some("a.example")));
    assert!(!add(READ, "urn:write", None), "of another scope");
    let strings = || read(db, |tx| scopes::list_strings(tx, READ));
    assert_eq!(strings(), ["urn:read", "a:read", "b:read"]);
    let found = read(db, |tx| scopes::list_by_strings(tx, ["b:read"]));
    assert_eq!((found[0].scope.id, found[0].requested.as_str()), (READ, "b:read"));
    write(db, |tx| scopes::delete_strings(tx, READ));
    assert!(strings().is_empty());
});

db_test!(a_scope_comes_back_as_it_was_changed, MIGRATIONS, |db| {
    populate(db);
    let mut scope = read(db, |tx| scopes::get(tx, READ));
    scope.scope_string = "urn:look".into();
    scope.suffix = Some("look".into());
    scope.name = "Look".into();
    scope.description = "Only look".into();
    scope.advertised = false;
    scope.allows_refresh_token = false;
    scope.set_required_domains(&["example.org".into()]);
    let changed = scope.clone();
    write(db, move |tx| scopes::update(tx, &changed));

    let found = read(db, |tx| scopes::find(tx, READ)).unwrap();
    assert_eq!(format!("{found:?}"), format!("{scope:?}"));
    let strings: Vec<String> = read(db, |tx| scopes::list_by_clients(tx, [SERVICE]))
        .into_iter()
        .map(|scope| scope.scope_string)
        .collect();
    assert_eq!(strings, ["urn:look", "urn:write"]);
    assert!(read(db, |tx| scopes::list_by_clients(tx, [APP])).is_empty());
    let missing = db.read_blocking(|tx| scopes::get(tx, ScopeId::from_u128(9)));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound("scope"));
});

db_test!(
    a_deleted_scope_takes_its_consents_and_leaves_tokens_the_rest,
    MIGRATIONS,
    |db| {
        populate(db);
        write(db, |tx| {
            let dependency = Dependency {
                scope_id: WRITE,
                dependent_scope_id: READ,
                optional: true,
                requires_refresh_token: false,
            };
            scopes::insert_dependency(tx, &dependency)?;
            let below = Consent::new(
                ConsentId(103),
                Some(&root(READ_CONSENT, READ)),
                ALICE,
                SERVICE,
                WRITE,
                NOW,
            );
            crate::store::consents::insert(tx, &below)?;
            let both = [
                (READ_CONSENT, "urn:read".to_owned()),
                (WRITE_CONSENT, "urn:write".to_owned()),
            ];
            access_tokens::insert_consents(tx, &hash(1), &both)?;
            access_tokens::insert_consents(tx, &hash(2), &both[..1])?;
            access_tokens::insert_consents(tx, &hash(3), &[(ConsentId(103), "urn:write".to_owned())])
        });
        assert_eq!(read(db, |tx| scopes::list_dependencies(tx, [WRITE])).len(), 1);

        write(db, |tx| scopes::delete(tx, READ));

        assert!(read(db, |tx| scopes::find(tx, READ)).is_none());
        assert!(read(db, |tx| scopes::list_dependencies(tx, [WRITE])).is_empty());
        let scopes_of = |number| {
            let found = read(db, move |tx| access_tokens::live_scopes(tx, &hash(number)));
            found.map(|scopes| scopes.into_iter().map(|scope| scope.requested).collect::<Vec<_>>())
        };
        assert_eq!(scopes_of(1), Some(vec!["urn:write".to_owned()]));
        assert_eq!(scopes_of(2), None, "it rested on nothing else");
        assert_eq!(scopes_of(3), None, "its consent lay below one that went");
    }
);

db_test!(
    a_deleted_scope_that_stood_alone_ends_its_tokens_without_a_search,
    MIGRATIONS,
    |db| {
        populate(db);
        write(db, |tx| {
            tx.execute("DELETE FROM scopes WHERE id = $1", params![WRITE])?;
            access_tokens::insert_consents(tx, &hash(1), &[(READ_CONSENT, "urn:read".to_owned())])
        });

        write(db, |tx| scopes::delete(tx, READ));

        assert!(read(db, |tx| access_tokens::live_scopes(tx, &hash(1))).is_none());
        let rows = read(db, |tx| {
            Ok(tx.fetch_one::<i64>("SELECT count(*) FROM token_consents", params![])?)
        });
        assert_eq!(rows, 1, "the cleanup takes it later");
    }
);

db_test!(dependencies_are_taken_away_together, MIGRATIONS, |db| {
    populate(db);
    write(db, |tx| {
        let dependency = Dependency {
            scope_id: READ,
            dependent_scope_id: WRITE,
            optional: false,
            requires_refresh_token: true,
        };
        scopes::insert_dependency(tx, &dependency)
    });
    write(db, |tx| scopes::delete_dependencies(tx, READ));
    assert!(read(db, |tx| scopes::list_dependencies(tx, [READ])).is_empty());
});

db_test!(an_unused_identity_is_claimed_once, MIGRATIONS, |db| {
    populate(db);
    let mut waiting = identity(BOB, "bob@portolan.local");
    waiting.status = "unused".into();
    waiting.subject = None;
    waiting.name = None;
    write(db, move |tx| identities::insert(tx, &waiting));
    let claimant = identity(IdentityId::from_u128(9), "bob@portolan.local");
    let claim = || {
        let claimant = claimant.clone();
        write(db, move |tx| identities::claim(tx, &claimant))
    };

    assert_eq!(claim(), Some(BOB));
    assert_eq!(claim(), None);
    let found = read(db, |tx| identities::get(tx, BOB));
    assert_eq!((found.status.as_str(), found.name.as_deref()), ("used", Some("Name")));
    assert_eq!(found.subject, claimant.subject);
    write(db, |tx| identities::set_name(tx, BOB, "Robert"));
    assert_eq!(read(db, |tx| identities::get(tx, BOB)).name.as_deref(), Some("Robert"));
});

db_test!(providers_are_listed_by_id_and_by_domain, MIGRATIONS, |db| {
    populate(db);
    write(db, |tx| {
        let domains = ["clients.example", "more.example"];
        identity_providers::upsert(tx, &provider(CLIENTS, "clients"), &domains, NOW)
    });
    let names = |found: Vec<IdentityProvider>| found.into_iter().map(|one| one.short_name).collect::<Vec<_>>();
    assert_eq!(
        names(read(db, |tx| identity_providers::list_by_ids(tx, &[LOCAL, CLIENTS]))),
        ["clients", "local"]
    );
    let by_domain = |domains: &'static [&'static str]| {
        let domains: Vec<String> = domains.iter().map(|domain| (*domain).to_owned()).collect();
        names(read(db, move |tx| identity_providers::list_by_domains(tx, &domains)))
    };
    assert_eq!(
        by_domain(&["clients.example", "more.example", "no.example"]),
        ["clients"]
    );
    assert!(by_domain(&[]).is_empty());
    assert!(read(db, |tx| identity_providers::exists(tx, LOCAL)));
    assert!(!read(db, |tx| identity_providers::exists(
        tx,
        IdentityProviderId::from_u128(9)
    )));
});

db_test!(deeds_of_one_actor_are_counted_since_a_time, MIGRATIONS, |db| {
    for (second, actor, action) in [
        (1, Actor::Identity(ALICE), "identity.provision"),
        (2, Actor::Identity(ALICE), "identity.provision"),
        (3, Actor::Identity(ALICE), "client.create"),
        (3, Actor::Identity(BOB), "identity.provision"),
        (4, Actor::Identity(ALICE), "identity.provision"),
    ] {
        let ctx = Ctx::at(after(second));
        let event = Event {
            action,
            actor,
            resource_kind: "identity",
            resource_id: String::new(),
            detail: serde_json::json!({}),
        };
        write(db, move |tx| audit::insert(tx, &ctx, &event));
    }
    let count = |since| {
        read(db, move |tx| {
            audit::count_since(tx, Actor::Identity(ALICE), "identity.provision", after(since))
        })
    };
    assert_eq!([count(0), count(1), count(4)], [3, 2, 0]);
});

db_test!(
    the_trail_is_read_by_actor_and_by_thing_a_page_at_a_time,
    MIGRATIONS,
    |db| {
        for (second, actor, kind, id) in [
            (1, Actor::Identity(ALICE), "client", "1"),
            (2, Actor::Identity(BOB), "client", "1"),
            (3, Actor::Operator, "scope", "1"),
            (4, Actor::Identity(ALICE), "client", "2"),
            (5, Actor::Identity(ALICE), "client", "1"),
        ] {
            let ctx = Ctx::at(after(second));
            let event = Event {
                action: "thing.change",
                actor,
                resource_kind: kind,
                resource_id: id.to_owned(),
                detail: serde_json::json!({}),
            };
            write(db, move |tx| audit::insert(tx, &ctx, &event));
        }
        let seconds = |found: &[audit::Entry]| -> Vec<i64> {
            found
                .iter()
                .map(|entry| entry.happened_at.seconds() - NOW.seconds())
                .collect()
        };
        let by_thing = |before, limit| {
            read(db, move |tx| {
                audit::list_by_resource_before(tx, "client", "1", before, limit)
            })
        };
        let by_alice = |before, limit| read(db, move |tx| audit::list_by_actor_before(tx, ALICE.0, before, limit));

        let end = (after(99), Uuid::max());
        let page = by_thing(end, 2);
        assert_eq!(seconds(&page), [5, 2]);
        assert_eq!(seconds(&by_thing((page[1].happened_at, page[1].id), 2)), [1]);
        let page = by_alice(end, 2);
        assert_eq!(seconds(&page), [5, 4]);
        assert_eq!(seconds(&by_alice((page[1].happened_at, page[1].id), 2)), [1]);
    }
);

db_test!(operators_list_everything, MIGRATIONS, |db| {
    populate_projects(db);
    write(db, |tx| {
        policies::insert(tx, &policy(2, SECOND), NOW)?;
        policies::insert(tx, &policy(1, FIRST), NOW)?;
        let below = Consent::new(
            ConsentId(103),
            Some(&root(READ_CONSENT, READ)),
            ALICE,
            SERVICE,
            WRITE,
            NOW,
        );
        crate::store::consents::insert(tx, &below)
    });

    let names: Vec<String> = read(db, policies::list)
        .into_iter()
        .map(|policy| policy.display_name)
        .collect();
    assert_eq!(names, ["Policy 1", "Policy 2"], "without those of the gates");
    let strings: Vec<String> = read(db, scopes::list)
        .into_iter()
        .map(|scope| scope.scope_string)
        .collect();
    assert_eq!(strings, ["urn:read", "urn:write"]);
    let providers = read(db, identity_providers::list);
    assert_eq!(providers.iter().map(|one| one.id).collect::<Vec<_>>(), [LOCAL]);
    let tree = read(db, |tx| crate::store::consents::list_tree(tx, READ_CONSENT));
    assert_eq!(
        tree.iter().map(|consent| consent.id).collect::<Vec<_>>(),
        [READ_CONSENT, ConsentId(103)]
    );
});
