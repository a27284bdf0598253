use std::collections::HashSet;

use portolan_db::testing::TestDb;
use portolan_db::{db_test, params};
use portolan_types::Timestamp;

use super::*;
use crate::store::MIGRATIONS;

/// Everything that a catalogue can leave in the store, in a fixed order.
const SNAPSHOT: &[&str] = &[
    "SELECT name || short_name || kind || created_at FROM identity_providers ORDER BY id",
    "SELECT domain FROM idp_domains ORDER BY domain",
    "SELECT name || client_type || created_at FROM clients ORDER BY id",
    "SELECT username || created_at FROM identities ORDER BY id",
    "SELECT scope_string || name || description || created_at FROM scopes ORDER BY id",
    "SELECT scope_string FROM scope_strings ORDER BY scope_string",
    "SELECT display_name || created_at FROM projects ORDER BY id",
];

fn snapshot(db: &TestDb) -> Vec<String> {
    let all = |sql: &'static str| {
        let rows: Vec<(String,)> = db
            .read_blocking(move |tx| Ok::<_, Error>(tx.fetch_all(sql, params![])?))
            .unwrap();
        rows.into_iter().map(|(text,)| text)
    };
    SNAPSHOT.iter().flat_map(|sql| all(sql)).collect()
}

fn context(seconds: i64) -> Ctx {
    Ctx::at(Timestamp::from_micros(seconds * 1_000_000))
}

fn install_at(db: &TestDb, seconds: i64, config: &Config) -> Result<()> {
    let (ctx, config) = (context(seconds), config.clone());
    db.write_blocking(move |tx| install(tx, &ctx, &config))
}

fn scope(db: &TestDb, name: &'static str) -> Option<scopes::Scope> {
    let found = db.read_blocking(move |tx| scopes::list_by_strings(tx, [name])).unwrap();
    found.into_iter().next().map(|named| named.scope)
}

fn client(db: &TestDb, id: &str) -> Option<clients::Client> {
    let id = id.parse().unwrap();
    db.read_blocking(move |tx| clients::find(tx, id)).unwrap()
}

#[test]
fn ids_and_scopes_of_the_file_are_distinct_and_texts_are_for_people() {
    let catalogue = entries();
    let scopes: Vec<&ScopeEntry> = catalogue
        .resource_servers
        .iter()
        .flat_map(|server| &server.scopes)
        .collect();
    let ids = (catalogue.resource_servers.iter().map(|server| server.id))
        .chain(catalogue.templates.iter().map(|template| template.id))
        .chain(catalogue.apps.iter().map(|app| app.id))
        .chain(scopes.iter().map(|scope| scope.id))
        .chain(catalogue.identity_providers.iter().map(|provider| provider.id))
        .chain([catalogue.project.id, LOCAL.0, CLIENTS.0]);
    let mut seen = HashSet::new();
    for id in ids {
        assert!(seen.insert(id), "{id} is given twice");
    }
    let mut seen = HashSet::new();
    for scope in scopes {
        assert!(seen.insert(&scope.scope), "{} is given twice", scope.scope);
        assert!(
            !scope.name.is_empty() && !scope.name.ends_with('.'),
            "{}: {}",
            scope.scope,
            scope.name
        );
        assert!(
            scope.description.ends_with('.') && scope.description.len() > 20,
            "{}",
            scope.scope
        );
    }
}

db_test!(clients_find_their_literals, MIGRATIONS, |db| {
    install_at(db, 1, &Config::default()).unwrap();
    let resource_servers = [
        ("openid", "auth.globus.org"),
        ("email", "auth.globus.org"),
        ("profile", "auth.globus.org"),
        (
            "urn:globus:auth:scope:auth.globus.org:manage_projects",
            "auth.globus.org",
        ),
        (
            "urn:globus:auth:scope:auth.globus.org:view_authentications",
            "auth.globus.org",
        ),
        ("urn:globus:auth:scope:auth.globus.org:view_clients", "auth.globus.org"),
        (
            "urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes",
            "auth.globus.org",
        ),
        ("urn:globus:auth:scope:auth.globus.org:view_consents", "auth.globus.org"),
        (
            "urn:globus:auth:scope:auth.globus.org:manage_consents",
            "auth.globus.org",
        ),
        (
            "urn:globus:auth:scope:auth.globus.org:view_identities",
            "auth.globus.org",
        ),
        (
            "urn:globus:auth:scope:auth.globus.org:view_identity_set",
            "auth.globus.org",
        ),
        (
            "urn:globus:auth:scope:transfer.api.globus.org:all",
            "transfer.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:transfer.api.globus.org:gcp_install",
            "transfer.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:groups.api.globus.org:all",
            "groups.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
            "groups.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:search.api.globus.org:all",
            "search.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:search.api.globus.org:search",
            "search.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:search.api.globus.org:ingest",
            "search.api.globus.org",
        ),
        (
            "urn:globus:auth:scope:search.api.globus.org:globus_connect_server",
            "search.api.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer",
            "524230d7-ea86-4a52-8312-86065a9e0417",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/all",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/manage_flows",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/view_flows",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/run",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/run_status",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/run_manage",
            "flows.globus.org",
        ),
        (
            "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all",
            "funcx_service",
        ),
        (
            "urn:globus:auth:scope:nexus.api.globus.org:groups",
            "nexus.api.globus.org",
        ),
    ];
    for (name, resource_server) in resource_servers {
        let scope = scope(db, name).unwrap_or_else(|| panic!("{name} is there"));
        assert_eq!(scope.resource_server, resource_server, "{name}");
        assert!(
            scope.advertised && scope.allows_refresh_token && scope.required_domains().is_empty(),
            "{name}"
        );
    }
    let id_of = |name| scope(db, name).unwrap().id.to_string();
    assert_eq!(
        id_of("urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"),
        "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f"
    );
    assert_eq!(
        id_of("urn:globus:auth:scope:transfer.api.globus.org:all"),
        "89ecabba-4acf-4e2e-a98d-ce592ccc2818"
    );
    let app = client(db, "a16a7e29-8ad6-424b-ac7e-dad37a6ad120").unwrap();
    assert!(app.is_public() && !app.is_template && app.name == "Portolan Command Line");
    let templates = [
        "95fdeba8-fac2-42bd-a357-e068d82ff78e",
        "33b6a241-bce4-4359-9c6d-09f88b3c9eef",
        "e0c31fd1-663b-44e1-840f-f4304bb9ee7a",
        "0ebfd058-452f-40c3-babf-5a6b16a7b337",
        "3029c3cb-c8d9-4f2b-979c-c53330aa7327",
        "b2867dbb-0846-4579-8486-dc70763d700b",
    ];
    for id in templates {
        let template = client(db, id).unwrap();
        assert!(
            template.is_template && template.is_public() && !template.is_instance,
            "{id}"
        );
        assert_eq!(template.visibility, "public");
    }
    let domains = [
        ("clients.auth.globus.org", CLIENTS, "client"),
        ("portolan.local", LOCAL, "local"),
        (
            "globusid.org",
            "41143743-f3c8-4d60-bbdb-eeecaba85bd9".parse().unwrap(),
            "placeholder",
        ),
        (
            "globus.org",
            "927d7238-f917-4eb2-9ace-c523fa9ba34e".parse().unwrap(),
            "placeholder",
        ),
    ];
    for (domain, id, kind) in domains {
        let provider = db
            .read_blocking(move |tx| identity_providers::find_by_domain(tx, domain))
            .unwrap()
            .unwrap();
        assert_eq!((provider.id, provider.kind.as_str()), (id, kind), "{domain}");
    }
});

db_test!(a_second_start_changes_nothing, MIGRATIONS, |db| {
    install_at(db, 1, &Config::default()).unwrap();
    let first = snapshot(db);

    install_at(db, 2, &Config::default()).unwrap();

    assert!(first.len() > 80, "{}", first.len());
    assert_eq!(snapshot(db), first);
});

db_test!(
    a_start_improves_texts_and_keeps_what_the_operator_chose,
    MIGRATIONS,
    |db| {
        install_at(db, 1, &Config::default()).unwrap();
        let groups = scope(db, "urn:globus:auth:scope:groups.api.globus.org:all").unwrap();
        let (id, owner) = (groups.id, groups.client_id);
        db.write_blocking(move |tx| {
        let changes = [
            "UPDATE scopes SET name = 'old', description = 'old', advertised = 0, allows_refresh_token = 0 WHERE id = $1",
            "UPDATE clients SET name = 'Our groups', enabled = 0 WHERE id = $1",
            "UPDATE identity_providers SET name = 'old', enabled = 0 WHERE id = $1",
        ];
        tx.execute(changes[0], params![id])?;
        tx.execute(changes[1], params![owner])?;
        tx.execute(changes[2], params![LOCAL])?;
        Ok::<_, Error>(())
    })
    .unwrap();

        install_at(db, 2, &Config::default()).unwrap();

        let scope = db
            .read_blocking(move |tx| scopes::list_by_ids(tx, [id]))
            .unwrap()
            .remove(0);
        assert_eq!((scope.name, scope.description), (groups.name, groups.description));
        assert!(!scope.advertised && !scope.allows_refresh_token);
        let client = db.read_blocking(move |tx| clients::get(tx, owner)).unwrap();
        assert!(client.name == "Our groups" && !client.enabled);
        let local = db
            .read_blocking(|tx| identity_providers::find(tx, LOCAL))
            .unwrap()
            .unwrap();
        assert!(local.name == "Local accounts" && !local.enabled);
    }
);

db_test!(a_deleted_resource_server_stays_deleted, MIGRATIONS, |db| {
    install_at(db, 1, &Config::default()).unwrap();
    let nexus = scope(db, "urn:globus:auth:scope:nexus.api.globus.org:groups")
        .unwrap()
        .client_id;
    db.write_blocking(move |tx| {
        identities::close(tx, nexus.identity())?;
        clients::delete(tx, nexus)
    })
    .unwrap();

    install_at(db, 2, &Config::default()).unwrap();

    assert!(scope(db, "urn:globus:auth:scope:nexus.api.globus.org:groups").is_none());
    assert!(scope(db, "urn:globus:auth:scope:search.api.globus.org:all").is_some());
});

db_test!(a_deleted_template_stays_deleted, MIGRATIONS, |db| {
    const CLI: &str = "95fdeba8-fac2-42bd-a357-e068d82ff78e";
    install_at(db, 1, &Config::default()).unwrap();
    let id: ClientId = CLI.parse().unwrap();
    db.write_blocking(move |tx| client::delete(tx, id).map(drop)).unwrap();

    install_at(db, 2, &Config::default()).unwrap();

    assert!(client(db, CLI).is_none());
    assert!(client(db, "33b6a241-bce4-4359-9c6d-09f88b3c9eef").is_some());
});

db_test!(a_changed_setting_respells_what_was_installed, MIGRATIONS, |db| {
    install_at(db, 1, &Config::default()).unwrap();
    let owner: ClientId = "524230d7-ea86-4a52-8312-86065a9e0417".parse().unwrap();
    let id = ScopeId::from_u128(77);
    db.write_blocking(move |tx| {
        let new = NewScope {
            id,
            client_id: owner,
            scope_string: &format!("{SCOPE_URL_PREFIX}{owner}/made_here"),
            suffix: Some("made_here"),
            name: "n",
            description: "d",
            advertised: true,
            allows_refresh_token: true,
            required_domains: &[],
        };
        scopes::upsert(tx, &new, Timestamp::from_seconds(1))?;
        let spelled = format!("{SCOPE_URL_PREFIX}svc.example.org/made_here");
        assert!(scopes::insert_string(tx, id, &spelled, Some("svc.example.org"))?);
        Ok::<_, Error>(())
    })
    .unwrap();
    let before = scope(db, "urn:globus:auth:scope:auth.globus.org:view_consents").unwrap();
    let changed = Config {
        resource_server_name: "auth.lab.example".into(),
        scope_url_prefix: "https://auth.lab.example/scopes/".into(),
        ..Config::default()
    };

    install_at(db, 2, &changed).unwrap();

    assert_eq!(scope(db, "openid").unwrap().resource_server, "auth.lab.example");
    let after = scope(db, "urn:globus:auth:scope:auth.lab.example:view_consents").unwrap();
    assert_eq!(after.id, before.id);
    assert_eq!(
        after.scope_string,
        "urn:globus:auth:scope:auth.lab.example:view_consents"
    );
    assert_eq!(after.resource_server, "auth.lab.example");
    assert!(scope(db, "urn:globus:auth:scope:auth.globus.org:view_consents").is_none());
    for name in [
        "https://auth.lab.example/scopes/524230d7-ea86-4a52-8312-86065a9e0417/made_here",
        "https://auth.lab.example/scopes/svc.example.org/made_here",
    ] {
        let made_here = scope(db, name).unwrap();
        assert_eq!(made_here.id, id, "{name}");
        assert!(made_here.scope_string.ends_with("86065a9e0417/made_here"));
        assert!(made_here.scope_string.starts_with("https://auth.lab.example/"));
    }
    assert!(scope(db, "https://auth.globus.org/scopes/svc.example.org/made_here").is_none());
    assert!(scope(db, "urn:globus:auth:scope:transfer.api.globus.org:all").is_some());
    let fresh_snapshot = snapshot(db);
    install_at(db, 3, &changed).unwrap();
    assert_eq!(snapshot(db), fresh_snapshot, "and then nothing changes any more");
});

db_test!(without_the_catalogue_only_this_server_is_known, MIGRATIONS, |db| {
    install_at(
        db,
        1,
        &Config {
            catalogue: false,
            ..Config::default()
        },
    )
    .unwrap();

    assert!(scope(db, "openid").is_some());
    assert!(scope(db, "urn:globus:auth:scope:auth.globus.org:manage_consents").is_some());
    assert!(scope(db, "urn:globus:auth:scope:transfer.api.globus.org:all").is_none());
    assert!(client(db, "95fdeba8-fac2-42bd-a357-e068d82ff78e").is_none());
    let domains: Vec<(String,)> = db
        .read_blocking(|tx| Ok::<_, Error>(tx.fetch_all("SELECT domain FROM idp_domains ORDER BY domain", params![])?))
        .unwrap();
    assert_eq!(
        domains,
        [("clients.auth.globus.org".to_owned(),), ("portolan.local".to_owned(),)]
    );
});

db_test!(settings_take_the_place_of_the_literals, MIGRATIONS, |db| {
    let config = Config {
        resource_server_name: "auth.lab.example".into(),
        scope_url_prefix: "https://auth.lab.example/scopes/".into(),
        local_domain: "globus.org".into(),
        ..Config::default()
    };
    install_at(db, 1, &config).unwrap();

    assert_eq!(scope(db, "openid").unwrap().resource_server, "auth.lab.example");
    assert!(scope(db, "urn:globus:auth:scope:auth.lab.example:view_consents").is_some());
    assert!(scope(db, "urn:globus:auth:scope:auth.globus.org:view_consents").is_none());
    assert!(
        scope(
            db,
            "https://auth.lab.example/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/run"
        )
        .is_some()
    );
    assert!(scope(db, "urn:globus:auth:scope:transfer.api.globus.org:all").is_some());
    let provider = db
        .read_blocking(|tx| identity_providers::find_by_domain(tx, "globus.org"))
        .unwrap()
        .unwrap();
    assert_eq!(provider.id, LOCAL);
});

db_test!(
    a_local_domain_that_belongs_to_another_provider_is_refused,
    MIGRATIONS,
    |db| {
        let of_clients = Config {
            local_domain: CLIENTS_DOMAIN.into(),
            ..Config::default()
        };
        assert!(
            install_at(db, 1, &of_clients)
                .unwrap_err()
                .detail()
                .contains("choose another")
        );

        install_at(db, 1, &Config::default()).unwrap();
        let of_a_placeholder = Config {
            local_domain: "globusid.org".into(),
            ..Config::default()
        };
        let error = install_at(db, 2, &of_a_placeholder).unwrap_err();
        assert!(error.detail().contains("Globus ID"), "{error}");
    }
);

db_test!(secrets_can_be_made_for_built_in_resource_servers, MIGRATIONS, |db| {
    install_at(db, 1, &Config::default()).unwrap();
    let id = scope(db, "urn:globus:auth:scope:groups.api.globus.org:all")
        .unwrap()
        .client_id;
    let identity = db.read_blocking(move |tx| identities::get(tx, id.identity())).unwrap();
    assert_eq!(identity.username, format!("{id}@clients.auth.globus.org"));
    let ctx = context(2);
    db.write_blocking(move |tx| client::create_credential(tx, &ctx, id, "laboratory").map(|_| ()))
        .unwrap();
    let credentials = db.read_blocking(move |tx| clients::list_credentials(tx, id)).unwrap();
    assert_eq!(credentials.len(), 1);
});
