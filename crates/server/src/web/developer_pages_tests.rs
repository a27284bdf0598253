//! The pages of the developer area in their states, for the catalogue.

use askama::DynTemplate;
use portolan_types::api::ClientType;

use super::super::developers::{
    AccountChoice, AdminRow, AppFormPage, AppKind, AppList, AppNotice, AppPage, AppRow, EventRow, NewAdminPage,
    NewSecretPage, ProjectFormPage, ProjectNotice, ProjectPage, ProjectRow, ProjectsNotice, ProjectsPage,
    ProviderOption, Recipe, Removal, RemovalPage, SecretPage, SecretRow, Tool, Trail,
};
use super::*;

const PROJECT: &str = "/p/developers/projects/0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11";
const APP: &str = "/p/developers/apps/5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";
const APP_ID: &str = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";
const RIGHT_TO_LEFT: &str = "מצפן הים";

fn form_token() -> String {
    "kq3vT0nP".to_owned()
}

fn day() -> Moment {
    Moment::day(Timestamp::from_seconds(1_770_000_000))
}

fn minute() -> Moment {
    Moment::minute(Timestamp::from_seconds(1_770_110_127))
}

/// What a stranger can choose passes through `say`.
pub(super) fn samples(language: Language, say: fn(&str) -> String) -> Vec<(&'static str, String)> {
    let layout = |title: &str| Layout {
        language,
        title: language.text(title).to_owned(),
        offers_languages: true,
        request_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        operator_contact: Some("help@lab.example.org".to_owned()),
        signed_in_as: Some(say("alice@portolan.local")),
        ..Layout::default()
    };
    let long = || say(&"Very long name of a project ".repeat(9));
    let up = |text: String, href: &str| Link {
        text,
        href: Href::path(href),
    };
    let top = || Trail {
        above: vec![up("Projects".to_owned(), "/p/developers")],
    };
    let in_project = || Trail {
        above: [top().above, vec![up(say("Beamline 7"), PROJECT)]].concat(),
    };
    let in_app = || Trail {
        above: [in_project().above, vec![up(say("Beamline Portal"), APP)]].concat(),
    };
    let project_row = |name: String, apps| ProjectRow {
        name,
        contact_email: say("beamline@example.org"),
        apps,
        href: Href::path(PROJECT),
    };
    let projects = || ProjectsPage {
        layout: layout("developers-projects-title"),
        projects: vec![
            project_row(say("Beamline 7"), 3),
            project_row(long(), 1),
            project_row(say(RIGHT_TO_LEFT), 0),
        ],
        notice: None,
    };
    let project_form = || ProjectFormPage {
        layout: layout("developers-new-project"),
        trail: top(),
        action: Href::path("/p/developers/projects/new"),
        form_token: form_token(),
        exists: false,
        display_name: String::new(),
        contact_email: "alice@example.org".to_owned(),
        accounts: Vec::new(),
        cancel: Href::path("/p/developers"),
        errors: FormErrors::none(),
    };
    let account = |id: &str, username: &str, chosen| AccountChoice {
        id: id.to_owned(),
        username: say(username),
        chosen,
    };
    let admin = |username: &str, is_self| AdminRow {
        username: say(username),
        name: Some(say("Alice Cartographer")),
        is_self,
        is_client: false,
        is_live: true,
        remove: Some(Href::path(format!("{PROJECT}/admins/{APP_ID}"))),
    };
    let app_row = |name: String, kind: ClientType| AppRow {
        id: APP_ID.to_owned(),
        name,
        kind: kind.into(),
        href: Href::path(APP),
    };
    let no_apps = || AppList {
        rows: Vec::new(),
        total: 0,
        search: None,
        more: false,
    };
    let project = || ProjectPage {
        layout: layout("Beamline 7"),
        trail: top(),
        id: "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11".to_owned(),
        name: say("Beamline 7"),
        contact_email: say("beamline@example.org"),
        created: day(),
        is_built_in: false,
        admins: vec![
            admin("alice@portolan.local", true),
            AdminRow {
                name: None,
                is_client: true,
                is_live: false,
                ..admin("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f@clients.auth.globus.org", false)
            },
        ],
        groups: vec!["7d3d4b0e-0000-4000-8000-000000000002".to_owned()],
        apps: AppList {
            rows: vec![
                app_row(say("Beamline Portal"), ClientType::Confidential),
                app_row(say("Night Watch"), ClientType::ClientIdentity),
                app_row(say(RIGHT_TO_LEFT), ClientType::PublicInstalled),
                app_row(long(), ClientType::Hybrid),
            ],
            total: 4,
            search: None,
            more: false,
        },
        policies: 1,
        notice: None,
    };
    let new_admin = || NewAdminPage {
        layout: layout("developers-add-admin"),
        trail: in_project(),
        action: Href::path(format!("{PROJECT}/admins")),
        form_token: form_token(),
        project: say("Beamline 7"),
        who: String::new(),
        mine: vec![say("alice@example.edu")],
        cancel: Href::path(PROJECT),
        errors: FormErrors::none(),
    };
    let removal = |title: &str, removal| RemovalPage {
        layout: layout(title),
        trail: in_project(),
        action: Href::path(format!("{PROJECT}/delete")),
        form_token: form_token(),
        removal,
        keep: Href::path(PROJECT),
        errors: FormErrors::none(),
    };
    let app_form = || AppFormPage {
        layout: layout("developers-new-app"),
        trail: in_project(),
        action: Href::path(format!("{PROJECT}/apps/new")),
        form_token: form_token(),
        exists: false,
        kind: None,
        name: String::new(),
        redirect_uris: String::new(),
        terms_and_conditions: String::new(),
        privacy_policy: String::new(),
        is_public: false,
        required_idp: String::new(),
        preselect_idp: String::new(),
        named_grant: String::new(),
        effective_identity: true,
        post_logout_redirect_uris: String::new(),
        backchannel_logout_uri: String::new(),
        backchannel_logout_session_required: false,
        providers: vec![
            ProviderOption {
                value: "portolan.local".to_owned(),
                name: say("Portolan accounts"),
            },
            ProviderOption {
                value: "orcid.org".to_owned(),
                name: say("ORCID"),
            },
        ],
        cancel: Href::path(PROJECT),
        errors: FormErrors::none(),
    };
    let secret_row = |name: String| SecretRow {
        id: "1c2d3e4f-0000-4000-8000-000000000009".to_owned(),
        name,
        created: minute(),
        remove: Href::path(format!("{APP}/secrets/1c2d3e4f-0000-4000-8000-000000000009/delete")),
    };
    let event = |what: &str, who: Option<String>| EventRow {
        at: minute(),
        what: what.to_owned(),
        who,
    };
    let recipe = |tool, text: &str| Recipe {
        tool,
        text: text.to_owned(),
    };
    let app = || AppPage {
        layout: layout("Beamline Portal"),
        trail: in_project(),
        id: APP_ID.to_owned(),
        name: say("Beamline Portal"),
        kind: ClientType::Hybrid.into(),
        is_enabled: true,
        is_public: false,
        redirect_uris: vec![
            say("https://portal.example.org/callback"),
            "http://127.0.0.1/cb".to_owned(),
        ],
        post_logout_redirect_uris: vec![say("https://portal.example.org/")],
        backchannel_logout_uri: Some(say("https://portal.example.org/logout")),
        terms: Href::web("https://portal.example.org/terms?a=1&b=\"2\""),
        privacy: Href::web("https://portal.example.org/privacy"),
        required_idp: Some(say("Example University")),
        preselect_idp: Some(say("ORCID")),
        prompt_for_named_grant: false,
        userinfo_from_effective_identity: true,
        resource_server: Some(say("portal.example.org")),
        created: day(),
        secrets: Some(vec![secret_row(say("portal server")), secret_row(long())]),
        own_identity: Some(format!("{APP_ID}@clients.auth.globus.org")),
        make_admin: Href::path(format!("{PROJECT}/admins?who={APP_ID}")),
        recipes: vec![
            recipe(
                Tool::Curl,
                "curl -u \"5e0c3f0a:$CLIENT_SECRET\" \\\n  -d scope=openid \\\n  http://localhost:8080/v2/oauth2/token",
            ),
            recipe(Tool::Python, "import globus_sdk"),
            recipe(Tool::Introspection, "curl -d token=\"$TOKEN\""),
            recipe(Tool::CommandLine, "globus whoami"),
        ],
        events: vec![
            event(language.text("developers-event-allowed"), None),
            event(
                language.text("developers-event-create"),
                Some(say("alice@portolan.local")),
            ),
        ],
        notice: None,
    };
    let new_secret = || NewSecretPage {
        layout: layout("developers-new-secret"),
        trail: in_app(),
        action: Href::path(format!("{APP}/secrets")),
        form_token: form_token(),
        known: "0-".to_owned(),
        name: String::new(),
        cancel: Href::path(APP),
        errors: FormErrors::none(),
    };

    fn page(name: &'static str, template: &dyn DynTemplate) -> (&'static str, String) {
        (name, template.dyn_render().unwrap())
    }
    vec![
        page("developers", &projects()),
        page(
            "developers_empty",
            &ProjectsPage {
                projects: Vec::new(),
                notice: Some(ProjectsNotice::Deleted),
                ..projects()
            },
        ),
        page(
            "developers_left",
            &ProjectsPage {
                notice: Some(ProjectsNotice::Left),
                ..projects()
            },
        ),
        page("project_new", &project_form()),
        page(
            "project_new_refused",
            &ProjectFormPage {
                display_name: say("Beamline\n7"),
                contact_email: say("nobody"),
                accounts: vec![
                    account("a1", "alice@portolan.local", false),
                    account("a2", "alice@example.edu", false),
                ],
                errors: FormErrors::field("display_name", language.text("developers-error-name"))
                    .and("contact_email", language.text("developers-error-email"))
                    .and("ids", language.text("developers-error-no-account")),
                ..project_form()
            },
        ),
        page(
            "project_edit",
            &ProjectFormPage {
                layout: layout("developers-edit-project"),
                trail: in_project(),
                action: Href::path(format!("{PROJECT}/edit")),
                exists: true,
                display_name: say("Beamline 7"),
                accounts: Vec::new(),
                ..project_form()
            },
        ),
        page("project", &project()),
        page(
            "project_empty",
            &ProjectPage {
                admins: vec![admin("alice@portolan.local", true)],
                groups: Vec::new(),
                apps: no_apps(),
                policies: 0,
                notice: Some(ProjectNotice::Created),
                ..project()
            },
        ),
        page(
            "project_built_in",
            &ProjectPage {
                is_built_in: true,
                groups: Vec::new(),
                notice: Some(ProjectNotice::AppDeleted),
                ..project()
            },
        ),
        page(
            "project_many_apps",
            &ProjectPage {
                apps: AppList {
                    rows: (1..=200)
                        .map(|n| app_row(say(&format!("App number {n}")), ClientType::PublicWebapp))
                        .collect(),
                    total: 230,
                    search: Some(String::new()),
                    more: true,
                },
                notice: Some(ProjectNotice::Changed),
                ..project()
            },
        ),
        page(
            "project_app_not_found",
            &ProjectPage {
                apps: AppList {
                    search: Some(say("compass")),
                    total: 230,
                    ..no_apps()
                },
                notice: Some(ProjectNotice::AdminAdded),
                ..project()
            },
        ),
        page(
            "project_admin_removed",
            &ProjectPage {
                notice: Some(ProjectNotice::AdminRemoved),
                ..project()
            },
        ),
        page("project_admin_new", &new_admin()),
        page(
            "project_admin_new_refused",
            &NewAdminPage {
                who: say("nobody"),
                mine: Vec::new(),
                errors: FormErrors::field("who", "There is no account of this name or ID here."),
                ..new_admin()
            },
        ),
        page(
            "project_delete",
            &removal(
                "developers-delete-project",
                Removal::Project {
                    name: say("Beamline 7"),
                },
            ),
        ),
        page(
            "project_delete_full",
            &removal(
                "developers-delete-project",
                Removal::FullProject {
                    name: say("Beamline 7"),
                    apps: 3,
                    policies: 1,
                },
            ),
        ),
        page(
            "project_admin_remove",
            &removal(
                "developers-remove-admin",
                Removal::Admin {
                    username: say("alice@portolan.local"),
                    project: say("Beamline 7"),
                    ends_for_self: true,
                },
            ),
        ),
        page(
            "project_admin_remove_last",
            &removal(
                "developers-remove-admin",
                Removal::LastAdmin {
                    username: say("alice@portolan.local"),
                    project: say("Beamline 7"),
                },
            ),
        ),
        page("app_new", &app_form()),
        page(
            "app_new_refused",
            &AppFormPage {
                kind: None,
                name: say("Beamline Portal"),
                redirect_uris: say("http://portal.example.org/callback\nhttps://*.example.org/"),
                terms_and_conditions: say("nowhere"),
                required_idp: say("university"),
                preselect_idp: say("nobody"),
                named_grant: "yes".to_owned(),
                post_logout_redirect_uris: say("x"),
                backchannel_logout_uri: say("y"),
                backchannel_logout_session_required: true,
                is_public: true,
                errors: FormErrors::field("client_type", language.text("developers-error-type"))
                    .and("name", language.text("developers-error-name"))
                    .and(
                        "redirect_uris",
                        say("Line 1, http://portal.example.org/callback: It has to begin with https://."),
                    )
                    .and("redirect_uris", "Line 2: Wildcards do not work.")
                    .and("terms_and_conditions", language.text("developers-error-link"))
                    .and("privacy_policy", language.text("developers-error-both-links"))
                    .and("required_idp", say("Several fit: Example University (example.edu)"))
                    .and("preselect_idp", language.text("developers-error-provider"))
                    .and("post_logout_redirect_uris", "Line 1: It is not a whole address.")
                    .and("backchannel_logout_uri", "It is not a whole address."),
                ..app_form()
            },
        ),
        page(
            "app_edit",
            &AppFormPage {
                layout: layout("developers-edit-app"),
                trail: in_app(),
                action: Href::path(format!("{APP}/edit")),
                exists: true,
                kind: Some(ClientType::PublicInstalled.into()),
                name: say("Beamline Portal"),
                redirect_uris: say("https://portal.example.org/callback"),
                preselect_idp: "orcid.org".to_owned(),
                ..app_form()
            },
        ),
        page("app", &app()),
        page(
            "app_new_with_secret",
            &AppPage {
                kind: ClientType::Confidential.into(),
                redirect_uris: Vec::new(),
                post_logout_redirect_uris: Vec::new(),
                backchannel_logout_uri: None,
                terms: None,
                privacy: None,
                required_idp: None,
                preselect_idp: None,
                resource_server: None,
                secrets: Some(Vec::new()),
                events: Vec::new(),
                notice: Some(AppNotice::Created),
                ..app()
            },
        ),
        page(
            "app_public",
            &AppPage {
                name: say(RIGHT_TO_LEFT),
                kind: ClientType::PublicInstalled.into(),
                is_public: true,
                prompt_for_named_grant: true,
                secrets: None,
                own_identity: None,
                resource_server: None,
                notice: Some(AppNotice::Created),
                ..app()
            },
        ),
        page(
            "app_service_account",
            &AppPage {
                name: long(),
                kind: ClientType::ClientIdentity.into(),
                is_enabled: false,
                terms: None,
                privacy: None,
                notice: Some(AppNotice::SecretMade),
                ..app()
            },
        ),
        page(
            "app_changed",
            &AppPage {
                kind: ClientType::ResourceServer.into(),
                notice: Some(AppNotice::Changed),
                ..app()
            },
        ),
        page(
            "app_secret_deleted",
            &AppPage {
                notice: Some(AppNotice::SecretDeleted),
                ..app()
            },
        ),
        page(
            "app_delete",
            &RemovalPage {
                trail: in_app(),
                ..removal(
                    "developers-delete-app",
                    Removal::App {
                        name: say("Beamline Portal"),
                        consents: 12,
                        people: 1,
                        scopes: 2,
                        of_others: 1,
                    },
                )
            },
        ),
        page(
            "app_delete_refused",
            &RemovalPage {
                trail: in_app(),
                errors: FormErrors::whole(language.text("refusal-instances")),
                ..removal(
                    language.text("developers-delete-app"),
                    Removal::App {
                        name: say("Beamline Portal"),
                        consents: 0,
                        people: 0,
                        scopes: 0,
                        of_others: 0,
                    },
                )
            },
        ),
        page("secret_new", &new_secret()),
        page(
            "secret_new_refused",
            &NewSecretPage {
                name: say("portal\nserver"),
                errors: FormErrors::field("name", language.text("developers-error-name")),
                ..new_secret()
            },
        ),
        page(
            "secret_shown",
            &SecretPage {
                layout: layout("developers-secret-title"),
                trail: in_app(),
                client_id: APP_ID.to_owned(),
                name: say("portal server"),
                secret: "q2hFbm5lbCBtYXJrZXIgYW5kIGEgc291bmRpbmcgbGluZQ=".to_owned(),
                done: Href::path(APP),
            },
        ),
        page(
            "secret_delete",
            &RemovalPage {
                trail: in_app(),
                ..removal(
                    "developers-delete-secret",
                    Removal::Secret {
                        name: say("portal server"),
                        app: say("Beamline Portal"),
                        is_last: true,
                    },
                )
            },
        ),
    ]
}

/// Those of the above that show what a stranger can choose.
pub(super) const SHOW_STRANGERS_WORDS: &[&str] = &[
    "developers",
    "project_new_refused",
    "project_edit",
    "project",
    "project_many_apps",
    "project_app_not_found",
    "project_admin_new",
    "project_admin_new_refused",
    "project_delete",
    "project_delete_full",
    "project_admin_remove",
    "project_admin_remove_last",
    "app_new",
    "app_new_refused",
    "app_edit",
    "app",
    "app_new_with_secret",
    "app_public",
    "app_service_account",
    "app_delete",
    "secret_new",
    "secret_new_refused",
    "secret_shown",
    "secret_delete",
];

#[test]
fn every_type_of_app_is_explained_in_the_form_that_registers_one() {
    let (_, html) = samples(Language::En, str::to_owned)
        .into_iter()
        .find(|(name, _)| *name == "app_new")
        .unwrap();
    for client_type in ClientType::ALL {
        assert!(html.contains(&format!("value=\"{client_type}\"")), "{client_type}");
    }
    assert_eq!(AppKind::ALL.len(), ClientType::ALL.len());
    assert_eq!(html.matches("class=\"choice-text\"").count(), ClientType::ALL.len());
}
