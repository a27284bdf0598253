//! Sample data for the pages of the operator console, in every state.

use portolan_types::api::ClientType;

use super::super::*;
use crate::domain::keys::rotation::State;
use crate::health::{Finding, Verdict};
use crate::texts::Language;
use crate::web::pages::console::*;

/// A name that people really have, longer than any column.
const LONG: &str = "Wolfeschlegelsteinhausenbergerdorff Kalanikupuaʻikalaninui Featherstonehaugh-Cholmondeley";
/// A name that is read from right to left.
const RIGHT_TO_LEFT: &str = "مريم السعدي";

pub(crate) fn samples(language: Language, say: fn(&str) -> String) -> Vec<(&'static str, String)> {
    let layout = |title: &str| Layout {
        language,
        title: say(language.text(title)),
        request_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        operator_contact: Some("help@lab.example.org".to_owned()),
        signed_in_as: Some(say("admin@portolan.local")),
        offers_languages: true,
        administers: true,
        ..Layout::default()
    };
    let form_token = || "kq3vT0nP".to_owned();
    let moment = || Moment::minute(Timestamp::from_seconds(1_770_110_127));
    let day = || Moment::day(Timestamp::from_seconds(1_770_023_727));
    let href = |path: &str| Href::path(format!("/p/console/{path}"));
    let event = |action: &str, details: &[(&str, &str)]| EventRow {
        at: moment(),
        action: action.to_owned(),
        actor: say("admin@portolan.local"),
        actor_href: Some(href("people/7f1c9a52")),
        kind: "identity".to_owned(),
        id: "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".to_owned(),
        href: Some(href("people/5e0c3f0a")),
        address: Some("192.0.2.17".to_owned()),
        request_id: Some("0f8fad5bd9cb469fa16570867728950e".to_owned()),
        details: details
            .iter()
            .map(|(name, value)| ((*name).to_owned(), say(value)))
            .collect(),
    };
    let by_operator = || EventRow {
        actor: language.text("console-actor-operator").to_owned(),
        actor_href: None,
        href: None,
        address: None,
        request_id: None,
        ..event(
            "identity.create",
            &[("username", "alice@portolan.local"), ("administrator", "false")],
        )
    };
    let events = || {
        vec![
            event("identity.disable", &[("reason", "left the laboratory")]),
            by_operator(),
        ]
    };
    let person = |username: &str, name: Option<&str>, state: PersonState| PersonRow {
        username: say(username),
        name: name.map(say),
        email: Some(say("alice@example.org")),
        provider: say("Portolan accounts"),
        state,
        is_administrator: false,
        href: href("people/5e0c3f0a"),
    };
    let people = |rows: Vec<PersonRow>| PeoplePage {
        layout: layout("console-people-title"),
        search: String::new(),
        rows,
        narrow: Vec::new(),
        next: None,
    };
    let facts = |row: PersonRow, is_shown: bool| PersonFacts {
        row,
        id: "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".to_owned(),
        organization: Some(say("Example Laboratory")),
        is_shown,
        is_primary: is_shown,
        created: day(),
        last_authentication: is_shown.then(moment),
    };
    let session = |signed_in: bool| SessionRow {
        id: if signed_in { "11" } else { "12" }.to_owned(),
        browser: "Firefox on Linux".to_owned(),
        address: signed_in.then(|| "192.0.2.17".to_owned()),
        last_seen: signed_in.then(moment),
        signed_in,
        apps: vec![say("Beamline Portal"), say("Globus CLI")],
    };
    let whole_person = || PersonPage {
        layout: layout("alice@portolan.local"),
        form_token: form_token(),
        notice: None,
        id: "5e0c3f0a".to_owned(),
        is_local: true,
        identities: vec![
            facts(
                PersonRow {
                    is_administrator: true,
                    ..person("alice@portolan.local", Some("Alice Cartographer"), PersonState::Live)
                },
                true,
            ),
            facts(person("alice@example.edu", None, PersonState::ProviderDisabled), false),
        ],
        factors: vec![
            FactorRow {
                passkey: None,
                since: day(),
                last_used: Some(moment()),
            },
            FactorRow {
                passkey: Some(say("Blue key")),
                since: day(),
                last_used: None,
            },
        ],
        recovery_codes: 1,
        sessions: vec![session(true), session(false)],
        end_session: href("people/5e0c3f0a/end-session"),
        events: events(),
        trail: href("audit?kind=identity&id=5e0c3f0a"),
        actions: vec![
            (PersonAction::Disable, href("people/5e0c3f0a/disable")),
            (PersonAction::EndSessions, href("people/5e0c3f0a/end-sessions")),
            (PersonAction::SendReset, href("people/5e0c3f0a/send-reset")),
            (PersonAction::RemoveFactors, href("people/5e0c3f0a/remove-factors")),
        ],
    };
    let confirm = || ConfirmPage {
        layout: layout("Switch off alice@portolan.local?"),
        form_token: form_token(),
        action: href("people/5e0c3f0a/disable"),
        text: vec!["Nobody can sign in with the account any more.".to_owned()],
        button: language.text("console-disable").to_owned(),
        is_dangerous: true,
        keep: href("people/5e0c3f0a"),
        errors: FormErrors::none(),
    };
    let provider_row = |name: &str, enabled: bool, is_own: bool| ProviderRow {
        name: say(name),
        short_name: "example".to_owned(),
        kind: language.text("console-kind-oidc").to_owned(),
        domains: say("example.edu"),
        enabled,
        is_own,
        href: href("providers/8f1b5a3c"),
    };
    let presets = || {
        let link = |name: &str| Link {
            text: name.to_owned(),
            href: href(&format!("providers/new?preset={name}")),
        };
        vec![link("cilogon"), link("orcid"), link("generic")]
    };
    let fields = || ProviderFields {
        preset: "generic".to_owned(),
        name: say("Example University"),
        short_name: "example".to_owned(),
        alternative_names: say("EU, Uni"),
        domains: "example.edu".to_owned(),
        is_oidc: true,
        tenant: None,
        issuer: say("https://login.example.edu"),
        client_id: say("portolan"),
        has_secret: true,
        client_authentication: String::new(),
        scopes: "openid email profile".to_owned(),
        algorithms: String::new(),
        username_claims: "preferred_username".to_owned(),
        name_claims: "name".to_owned(),
        email_claims: "email".to_owned(),
        organization_claims: "organization".to_owned(),
        required_claims: say("idp=https://idp.example.edu"),
        parameters: String::new(),
        trust_mfa: true,
    };
    let provider = || ProviderPage {
        layout: layout("Example University"),
        notice: None,
        row: provider_row("Example University", true, true),
        id: "8f1b5a3c-2d46-4e0b-9c57-0a2f6d813e94".to_owned(),
        also_named: say("EU, Uni"),
        fields: Some(fields()),
        redirect_uri: "https://auth.example.org/p/callback/8f1b5a3c".to_owned(),
        edit: href("providers/8f1b5a3c/edit"),
        actions: vec![
            (ProviderAction::Disable, href("providers/8f1b5a3c/disable")),
            (ProviderAction::Delete, href("providers/8f1b5a3c/delete")),
        ],
        failures: vec![FailureRow {
            at: moment(),
            reason: "signature".to_owned(),
            address: Some("192.0.2.17".to_owned()),
            request_id: Some("0f8fad5bd9cb469fa16570867728950e".to_owned()),
        }],
        trail: href("audit?kind=identity_provider&id=8f1b5a3c"),
    };
    let provider_form = || ProviderFormPage {
        layout: layout("Change Example University"),
        form_token: form_token(),
        action: href("providers/8f1b5a3c/edit"),
        is_new: false,
        fields: fields(),
        cancel: href("providers/8f1b5a3c"),
        errors: FormErrors::none(),
    };
    let client_row = |name: &str, state: PersonState| ClientRow {
        name: say(name),
        kind: ClientType::Confidential.into(),
        id: "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".to_owned(),
        state,
        href: href("clients/5e0c3f0a"),
    };
    let client = || ClientPage {
        layout: layout("Beamline Portal"),
        notice: None,
        row: client_row("Beamline Portal", PersonState::Live),
        project: Some(say("Beamline")),
        parent: None,
        is_template: false,
        is_instance: false,
        is_public: false,
        is_visible: false,
        redirect_uris: vec![say("https://portal.example.org/callback")],
        fqdns: vec!["portal.example.org".to_owned()],
        created: day(),
        children: 0,
        scopes: 3,
        secrets: 1,
        people: 17,
        more_people: false,
        actions: vec![
            (ClientAction::Disable, href("clients/5e0c3f0a/disable")),
            (ClientAction::Delete, href("clients/5e0c3f0a/delete")),
        ],
        events: events(),
        trail: href("audit?kind=client&id=5e0c3f0a"),
    };
    let audit = || AuditPage {
        layout: layout("console-audit-title"),
        fields: AuditFields::default(),
        events: events(),
        rest: AuditRest::More(href("audit?before=1770110127000000&event=7f1c9a52")),
        errors: FormErrors::none(),
    };
    let key = |state: State, retires: bool| KeyRow {
        id: "7f1c9a52-0000-4000-8000-000000000001".to_owned(),
        kind: "RSA".to_owned(),
        state,
        signs_from: moment(),
        retires: retires.then(moment),
    };
    let keys = || KeysPage {
        layout: layout("console-keys-title"),
        notice: None,
        keys: vec![
            key(State::Next, false),
            key(State::Signing, true),
            key(State::Retiring, true),
            key(State::Retired, true),
        ],
        rotation_days: Some(90),
        rotate: href("keys/rotate"),
    };
    let finding = |verdict, detail: &str, remedy: Option<&str>| Finding {
        check: "disk space",
        verdict,
        detail: say(detail),
        remedy: remedy.map(str::to_owned),
    };

    fn page(name: &'static str, template: &dyn askama::DynTemplate) -> (&'static str, String) {
        (name, template.dyn_render().unwrap())
    }
    let with_notice = |notice| PersonPage {
        notice: Some(notice),
        ..whole_person()
    };
    vec![
        page(
            "console",
            &ConsolePage {
                layout: layout("console-title"),
                area: Area::Start,
            },
        ),
        page(
            "console_people",
            &people(vec![
                PersonRow {
                    is_administrator: true,
                    ..person("alice@portolan.local", Some("Alice Cartographer"), PersonState::Live)
                },
                person("bob@portolan.local", Some(RIGHT_TO_LEFT), PersonState::Disabled),
                person("carol@example.edu", Some(LONG), PersonState::Unused),
                PersonRow {
                    email: None,
                    ..person("dave@example.edu", None, PersonState::ProviderDisabled)
                },
            ]),
        ),
        page("console_people_none", &people(Vec::new())),
        page(
            "console_people_many",
            &PeoplePage {
                search: say("a"),
                narrow: vec![Link {
                    text: language.text("console-people-more-name").to_owned(),
                    href: href("people?q=a&by=name"),
                }],
                next: Some(href("people?q=a&by=name&after=alice")),
                ..people(
                    (0..25)
                        .map(|_| person("alice@portolan.local", Some(LONG), PersonState::Closed))
                        .collect(),
                )
            },
        ),
        page("console_person", &whole_person()),
        page(
            "console_person_bare",
            &PersonPage {
                notice: Some(PersonNotice::FactorsRemoved),
                identities: vec![facts(person("bob@portolan.local", None, PersonState::Unused), true)],
                factors: Vec::new(),
                sessions: Vec::new(),
                events: Vec::new(),
                actions: vec![(PersonAction::Enable, href("people/5e0c3f0a/enable"))],
                ..whole_person()
            },
        ),
        page("console_person_disabled", &with_notice(PersonNotice::Disabled)),
        page("console_person_enabled", &with_notice(PersonNotice::Enabled)),
        page("console_person_signed_out", &with_notice(PersonNotice::SignedOut)),
        page("console_person_link_sent", &with_notice(PersonNotice::LinkSent)),
        page("console_confirm", &confirm()),
        page(
            "console_confirm_refused",
            &ConfirmPage {
                errors: FormErrors::whole(language.text("refusal-own-account")),
                ..confirm()
            },
        ),
        page(
            "console_providers",
            &ProvidersPage {
                layout: layout("console-providers-title"),
                search: say("example"),
                state: "enabled".to_owned(),
                rows: vec![
                    provider_row("Example University", true, true),
                    provider_row(LONG, false, true),
                    provider_row("Portolan accounts", true, false),
                ],
                more: true,
                presets: presets(),
            },
        ),
        page(
            "console_providers_none",
            &ProvidersPage {
                layout: layout("console-providers-title"),
                search: String::new(),
                state: "disabled".to_owned(),
                rows: Vec::new(),
                more: false,
                presets: presets(),
            },
        ),
        page("console_provider", &provider()),
        page(
            "console_provider_added",
            &ProviderPage {
                notice: Some(ProviderNotice::Added),
                failures: Vec::new(),
                fields: Some(ProviderFields {
                    has_secret: false,
                    trust_mfa: false,
                    ..fields()
                }),
                ..provider()
            },
        ),
        page(
            "console_provider_changed",
            &ProviderPage {
                notice: Some(ProviderNotice::Changed),
                ..provider()
            },
        ),
        page(
            "console_provider_disabled",
            &ProviderPage {
                notice: Some(ProviderNotice::Disabled),
                row: provider_row("Example University", false, true),
                actions: vec![(ProviderAction::Enable, href("providers/8f1b5a3c/enable"))],
                ..provider()
            },
        ),
        page(
            "console_provider_built_in",
            &ProviderPage {
                notice: Some(ProviderNotice::Enabled),
                row: provider_row("Portolan accounts", true, false),
                fields: None,
                actions: Vec::new(),
                also_named: String::new(),
                failures: Vec::new(),
                ..provider()
            },
        ),
        page("console_provider_edit", &provider_form()),
        page(
            "console_provider_new",
            &ProviderFormPage {
                layout: layout("console-provider-new-title"),
                is_new: true,
                fields: ProviderFields {
                    has_secret: false,
                    tenant: Some(String::new()),
                    ..fields()
                },
                ..provider_form()
            },
        ),
        page(
            "console_provider_refused",
            &ProviderFormPage {
                errors: FormErrors::field("short_name", "Another identity provider has this short name.")
                    .and("issuer", "It is missing.")
                    .and("parameters", say("x: write NAME=VALUE, one on each line.")),
                ..provider_form()
            },
        ),
        page(
            "console_clients",
            &ClientsPage {
                layout: layout("console-clients-title"),
                search: say("beam"),
                rows: vec![
                    client_row("Beamline Portal", PersonState::Live),
                    client_row(LONG, PersonState::Disabled),
                    client_row(RIGHT_TO_LEFT, PersonState::Live),
                ],
                next: Some(href("clients?q=beam&after=x")),
            },
        ),
        page(
            "console_clients_none",
            &ClientsPage {
                layout: layout("console-clients-title"),
                search: String::new(),
                rows: Vec::new(),
                next: None,
            },
        ),
        page("console_client", &client()),
        page(
            "console_client_disabled",
            &ClientPage {
                notice: Some(ClientNotice::Disabled),
                row: client_row(LONG, PersonState::Disabled),
                project: None,
                parent: Some(Link {
                    text: say("Globus CLI"),
                    href: href("clients/81021"),
                }),
                is_instance: true,
                is_public: true,
                redirect_uris: Vec::new(),
                fqdns: Vec::new(),
                people: 1000,
                more_people: true,
                actions: vec![(ClientAction::Enable, href("clients/5e0c3f0a/enable"))],
                events: Vec::new(),
                ..client()
            },
        ),
        page(
            "console_client_built_in",
            &ClientPage {
                notice: Some(ClientNotice::Enabled),
                is_template: true,
                actions: Vec::new(),
                ..client()
            },
        ),
        page("console_audit", &audit()),
        page(
            "console_audit_none",
            &AuditPage {
                events: Vec::new(),
                rest: AuditRest::Nothing,
                ..audit()
            },
        ),
        page(
            "console_audit_unread",
            &AuditPage {
                fields: AuditFields {
                    actor: say("alice"),
                    action: "client".to_owned(),
                    kind: "client".to_owned(),
                    id: "5e0c3f0a".to_owned(),
                    since: "2026-02-03".to_owned(),
                    until: "2026-02-04T09:15:00Z".to_owned(),
                },
                events: Vec::new(),
                rest: AuditRest::Unread(href("audit?before=1&event=2")),
                ..audit()
            },
        ),
        page(
            "console_audit_refused",
            &AuditPage {
                events: Vec::new(),
                rest: AuditRest::Nothing,
                errors: FormErrors::field("since", "Write a day such as 2026-02-03.")
                    .and("actor", "Nobody is called so."),
                ..audit()
            },
        ),
        page("console_keys", &keys()),
        page(
            "console_keys_rotated",
            &KeysPage {
                notice: Some(KeysNotice::Rotated),
                rotation_days: None,
                ..keys()
            },
        ),
        page(
            "console_keys_waiting",
            &KeysPage {
                notice: Some(KeysNotice::Waiting),
                ..keys()
            },
        ),
        page(
            "console_rotate",
            &RotationPage {
                layout: layout("console-rotate-title"),
                form_token: form_token(),
                action: href("keys/rotate"),
                keep: href("keys"),
            },
        ),
        page(
            "console_server",
            &ServerPage {
                layout: layout("console-server-title"),
                facts: ServerFacts {
                    version: "0.1.0",
                    engine: "Sqlite".to_owned(),
                    schema: 16,
                    oldest_compatible: 1,
                    size: "12.3 MiB".to_owned(),
                    issuer: "https://auth.example.org".to_owned(),
                    queued: 0,
                    refused: 0,
                    retries: 2,
                    mail_waiting: 3,
                },
                leases: vec![
                    LeaseRow {
                        name: "cleanup".to_owned(),
                        holder: "7f1c9a52-0000-4000-8000-000000000001".to_owned(),
                        until: moment(),
                        is_held: true,
                    },
                    LeaseRow {
                        name: "mail".to_owned(),
                        holder: "7f1c9a52-0000-4000-8000-000000000002".to_owned(),
                        until: moment(),
                        is_held: false,
                    },
                ],
                findings: vec![
                    finding(Verdict::Ok, "3000 MiB free", None),
                    finding(Verdict::Note, "is not sent", Some("Set smtp_url and mail_from.")),
                    finding(Verdict::Problem, "17 MiB free", Some("Make room.")),
                ],
            },
        ),
        page(
            "console_server_new",
            &ServerPage {
                layout: layout("console-server-title"),
                facts: ServerFacts {
                    version: "0.1.0",
                    engine: "Postgres".to_owned(),
                    schema: 16,
                    oldest_compatible: 1,
                    size: "8.1 MiB".to_owned(),
                    issuer: "https://auth.example.org".to_owned(),
                    queued: 1,
                    refused: 0,
                    retries: 0,
                    mail_waiting: 0,
                },
                leases: Vec::new(),
                findings: vec![finding(Verdict::Ok, "3000 MiB free", None)],
            },
        ),
    ]
}
