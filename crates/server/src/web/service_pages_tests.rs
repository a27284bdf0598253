//! Samples of the pages about scopes, domain names and policies, for the page catalogue.

use portolan_types::Timestamp;

use super::super::developers::Trail;
use super::super::policies::{
    Demands, ExistingPolicy, PoliciesNotice, PoliciesPage, PolicyDeletionPage, PolicyFields, PolicyPage, PolicyRow,
    PolicyTrialPage, ProjectChoice, TimeSpan, TimeUnit, Trial, TriedAccount, TriedDomain, TriedLogin,
};
use super::super::resource::{
    DependencyRow, DnsAnswer, DomainsPage, ExistingScope, FoundScopes, OtherScope, ScopeDeletionPage, ScopeFields,
    ScopePage, ScopeRow, ScopesNotice, ScopesPage,
};
use super::super::{FormErrors, Href, Layout, Link, Moment};
use crate::texts::Language;

const CLIENT: &str = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";
const SCOPE: &str = "c0de7a52-54f1-4f6a-8d1b-3a7f0e6d9b21";
const LONG: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft with a name that goes on and on \
                    for as long as anybody lets it, and then somewhat further, because nobody said that it should end here";
const RIGHT_TO_LEFT: &str = "تشغيل إجراءات خط الحزمة (RUN)";

type Say = fn(&str) -> String;

fn layout(language: Language, say: Say, title: &str) -> Layout {
    Layout {
        language,
        title: language.text(title).to_owned(),
        offers_languages: true,
        request_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        operator_contact: Some("help@lab.example.org".to_owned()),
        signed_in_as: Some(say("alice@portolan.local")),
        ..Layout::default()
    }
}

fn link(text: String, path: &str) -> Link {
    Link {
        text,
        href: Href::path(path),
    }
}

fn trail(say: Say, more: &[Link]) -> Trail {
    let mut above = vec![
        link("Projects".to_owned(), "/p/developers"),
        link(say("Beamline 7"), "/p/developers/projects/1"),
    ];
    above.extend_from_slice(more);
    Trail { above }
}

fn app_trail(say: Say) -> Trail {
    trail(say, &[link(say("Beamline service"), "/p/developers/apps/1")])
}

fn scope_string(suffix: &str) -> String {
    format!("https://auth.globus.org/scopes/{CLIENT}/{suffix}")
}

fn scope_row(name: String, description: String) -> ScopeRow {
    ScopeRow {
        name,
        description,
        scope_strings: vec![scope_string("action_all")],
        advertised: false,
        allows_refresh_token: true,
        required_domains: Vec::new(),
        dependencies: 0,
        change: Href::path("/p/developers/apps/1/scopes/2"),
        delete: Href::path("/p/developers/apps/1/scopes/2/delete"),
    }
}

fn other(say: Say, id: &str, name: &str, string: &str, service: &str) -> OtherScope {
    OtherScope {
        id: id.to_owned(),
        name: say(name),
        scope_string: say(string),
        service: say(service),
    }
}

fn groups(say: Say) -> OtherScope {
    other(
        say,
        "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f",
        "Know your groups",
        "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
        "Globus Groups",
    )
}

fn transfer(say: Say) -> OtherScope {
    other(
        say,
        "089f46b0-6f5b-11e8-96a6-0a4c8dd8a3f0",
        "Transfer files",
        "urn:globus:auth:scope:transfer.api.globus.org:all",
        "Globus Transfer",
    )
}

fn scope_pages(language: Language, say: Say) -> Vec<(&'static str, String)> {
    let scopes = || ScopesPage {
        layout: layout(language, say, "scopes-title"),
        trail: app_trail(say),
        app: say("Beamline service"),
        scopes: vec![
            ScopeRow {
                scope_strings: vec![
                    scope_string("action_all"),
                    "https://auth.globus.org/scopes/beamline.example.org/action_all".to_owned(),
                ],
                advertised: true,
                required_domains: vec!["example.edu".to_owned(), "*.lab.example.org".to_owned()],
                dependencies: 2,
                ..scope_row(
                    say("Run beamline actions"),
                    say("All operations of the beamline action provider.\nAlso those of the night."),
                )
            },
            ScopeRow {
                scope_strings: vec![scope_string("look")],
                allows_refresh_token: false,
                ..scope_row(say("Look at the beamline"), say("What is running right now."))
            },
        ],
        total: 2,
        search: None,
        here: Href::path("/p/developers/apps/1/scopes"),
        notice: None,
        new_scope: Href::path("/p/developers/apps/1/scopes/new"),
        domains: Href::path("/p/developers/apps/1/domains"),
    };
    let many = (1..=50).map(|number| ScopeRow {
        scope_strings: vec![scope_string(&format!("action_{number}"))],
        ..scope_row(say(&format!("Action {number}")), say("One of many."))
    });
    let scope = || ScopePage {
        layout: layout(language, say, "scopes-new-title"),
        trail: trail(
            say,
            &[
                link(say("Beamline service"), "/p/developers/apps/1"),
                link("Scopes".to_owned(), "/p/developers/apps/1/scopes"),
            ],
        ),
        app: say("Beamline service"),
        action: Href::path("/p/developers/apps/1/scopes/new"),
        form_token: "kq3vT0nP".to_owned(),
        existing: None,
        prefix: scope_string(""),
        spellings: Vec::new(),
        fields: ScopeFields {
            refresh: true,
            ..ScopeFields::default()
        },
        dependencies: Vec::new(),
        found: None,
        at_dependencies: false,
        list: Href::path("/p/developers/apps/1/scopes"),
        errors: FormErrors::none(),
    };
    let typed = || ScopeFields {
        suffix: "action_all".to_owned(),
        name: say("Run beamline actions"),
        description: say("All operations of the beamline action provider.\n\nAlso those of the night."),
        advertised: true,
        refresh: true,
        required_domains: "example.edu\n*.lab.example.org".to_owned(),
        search: say("globus"),
    };
    let chosen = || {
        vec![
            DependencyRow {
                scope: groups(say),
                optional: true,
                refresh: true,
                never_refreshes: false,
            },
            DependencyRow {
                scope: other(
                    say,
                    "2ca9b11c",
                    "Read once",
                    "https://auth.globus.org/scopes/x/once",
                    "Archive",
                ),
                optional: false,
                refresh: true,
                never_refreshes: true,
            },
        ]
    };
    let existing = || ExistingScope {
        name: say("Run beamline actions"),
        id: SCOPE.to_owned(),
        has_suffix: true,
        delete: Href::path("/p/developers/apps/1/scopes/2/delete"),
    };
    let deletion = || ScopeDeletionPage {
        layout: layout(language, say, "scopes-delete-title"),
        trail: app_trail(say),
        app: say("Beamline service"),
        action: Href::path("/p/developers/apps/1/scopes/2/delete"),
        form_token: "kq3vT0nP".to_owned(),
        name: say("Run beamline actions"),
        scope_string: scope_string("action_all"),
        people: 214,
        dependents: 1,
        keep: Href::path("/p/developers/apps/1/scopes"),
        errors: FormErrors::none(),
    };
    vec![
        page("scopes", &scopes()),
        page(
            "scopes_none",
            &ScopesPage {
                scopes: Vec::new(),
                total: 0,
                notice: Some(ScopesNotice::Deleted),
                ..scopes()
            },
        ),
        page(
            "scopes_not_found",
            &ScopesPage {
                scopes: Vec::new(),
                total: 200,
                search: Some(say("night")),
                ..scopes()
            },
        ),
        page(
            "scopes_many",
            &ScopesPage {
                scopes: many.collect(),
                total: 200,
                search: Some(String::new()),
                notice: Some(ScopesNotice::Made),
                ..scopes()
            },
        ),
        page(
            "scopes_long_names",
            &ScopesPage {
                app: say(LONG),
                scopes: vec![
                    ScopeRow {
                        scope_strings: vec![scope_string(&"a_long_suffix_".repeat(30))],
                        advertised: true,
                        ..scope_row(say(LONG), say(LONG))
                    },
                    scope_row(say(RIGHT_TO_LEFT), say(RIGHT_TO_LEFT)),
                ],
                notice: Some(ScopesNotice::Changed),
                ..scopes()
            },
        ),
        page("scope_new", &scope()),
        page(
            "scope_new_found",
            &ScopePage {
                spellings: vec![scope_string("action_all")],
                fields: typed(),
                dependencies: chosen(),
                found: Some(FoundScopes {
                    scopes: vec![transfer(say)],
                    more: true,
                    partial: true,
                }),
                at_dependencies: true,
                ..scope()
            },
        ),
        page(
            "scope_new_nothing_found",
            &ScopePage {
                fields: typed(),
                found: Some(FoundScopes {
                    scopes: Vec::new(),
                    more: false,
                    partial: false,
                }),
                at_dependencies: true,
                ..scope()
            },
        ),
        page(
            "scope_new_refused",
            &ScopePage {
                fields: typed(),
                dependencies: chosen(),
                errors: FormErrors::field("suffix", language.text("scopes-error-suffix-taken"))
                    .and("name", language.text("scopes-error-name"))
                    .and("description", language.text("scopes-error-description"))
                    .and("required_domains", say("Check the domains: \"a@b\" is no domain."))
                    .and("search", say("That would be a circle.")),
                ..scope()
            },
        ),
        page(
            "scope_change",
            &ScopePage {
                layout: layout(language, say, "scopes-change-title"),
                existing: Some(existing()),
                spellings: vec![
                    scope_string("action_all"),
                    "https://auth.globus.org/scopes/beamline.example.org/action_all".to_owned(),
                ],
                fields: typed(),
                dependencies: chosen(),
                ..scope()
            },
        ),
        page(
            "scope_change_built_in",
            &ScopePage {
                layout: layout(language, say, "scopes-change-title"),
                existing: Some(ExistingScope {
                    has_suffix: false,
                    name: say(RIGHT_TO_LEFT),
                    ..existing()
                }),
                fields: typed(),
                ..scope()
            },
        ),
        page("scope_delete", &deletion()),
        page(
            "scope_delete_unused",
            &ScopeDeletionPage {
                people: 0,
                dependents: 0,
                errors: FormErrors::whole(language.text("refusal-own-scopes")),
                ..deletion()
            },
        ),
    ]
}

fn domain_pages(language: Language, say: Say) -> Vec<(&'static str, String)> {
    let domains = || DomainsPage {
        layout: layout(language, say, "domains-title"),
        trail: app_trail(say),
        app: say("Beamline service"),
        action: Href::path("/p/developers/apps/1/domains"),
        form_token: "kq3vT0nP".to_owned(),
        client_id: CLIENT.to_owned(),
        domains: Vec::new(),
        resource_server: CLIENT.to_owned(),
        fqdn: String::new(),
        record_name: "service.example.org".to_owned(),
        answer: None,
        added: None,
        errors: FormErrors::none(),
    };
    let refused = |answer| DomainsPage {
        fqdn: say("beamline.example.org"),
        record_name: "beamline.example.org".to_owned(),
        answer: Some(answer),
        errors: FormErrors::field(
            "fqdn",
            language
                .say("domains-error-proof")
                .arg("name", say("beamline.example.org"))
                .to_string(),
        ),
        ..domains()
    };
    let long = format!(
        "{}.example.org",
        "a-very-long-label-of-a-name.".repeat(8).trim_end_matches('.')
    );
    vec![
        page("domains_none", &domains()),
        page(
            "domains",
            &DomainsPage {
                domains: vec!["beamline.example.org".to_owned(), long],
                resource_server: "beamline.example.org".to_owned(),
                added: Some("beamline.example.org".to_owned()),
                ..domains()
            },
        ),
        page("domains_no_record", &refused(DnsAnswer::Nothing)),
        page("domains_no_answer", &refused(DnsAnswer::Silence)),
        page(
            "domains_other_records",
            &refused(DnsAnswer::Others(vec![
                say("v=spf1 include:_spf.example.org -all"),
                say(&"x".repeat(200)),
            ])),
        ),
    ]
}

fn policy_pages(language: Language, say: Say) -> Vec<(&'static str, String)> {
    const ID: &str = "aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70";
    let demands = || Demands {
        high_assurance: true,
        timeout: Some(TimeSpan::new(1800)),
        two_factors: true,
        include: vec!["example.edu".to_owned(), "*.lab.example.org".to_owned()],
        exclude: vec!["guests.example.edu".to_owned()],
    };
    let row = |name: &str, description: &str, demands| PolicyRow {
        id: ID.to_owned(),
        name: say(name),
        description: say(description),
        demands,
        try_out: Href::path("/p/developers/projects/1/policies/2/try"),
        change: Href::path("/p/developers/projects/1/policies/2"),
        delete: Href::path("/p/developers/projects/1/policies/2/delete"),
    };
    let project = || trail(say, &[]);
    let list = || trail(say, &[link("Policies".to_owned(), "/p/developers/projects/1/policies")]);
    let policies = || PoliciesPage {
        layout: layout(language, say, "policies-title"),
        trail: project(),
        project: say("Beamline 7"),
        policies: vec![
            row("Campus only", "Only campus identities, recent login", demands()),
            row(RIGHT_TO_LEFT, LONG, Demands::default()),
        ],
        notice: None,
        new_policy: Href::path("/p/developers/projects/1/policies/new"),
    };
    let policy = || PolicyPage {
        layout: layout(language, say, "policies-new-title"),
        trail: list(),
        action: Href::path("/p/developers/projects/1/policies/new"),
        form_token: "kq3vT0nP".to_owned(),
        existing: None,
        fields: PolicyFields::default(),
        projects: Vec::new(),
        list: Href::path("/p/developers/projects/1/policies"),
        errors: FormErrors::none(),
    };
    let typed = || PolicyFields {
        name: say("Campus only"),
        description: say("Only campus identities,\nrecent login"),
        high_assurance: true,
        timeout: "30".to_owned(),
        timeout_unit: TimeUnit::Minutes,
        two_factors: true,
        include: "example.edu\n*.lab.example.org".to_owned(),
        exclude: say("guests.example.edu"),
    };
    let trial = |trial| PolicyTrialPage {
        layout: layout(language, say, "policies-trial-title"),
        trail: list(),
        action: Href::path("/p/developers/projects/1/policies/2/try"),
        name: say("Campus only"),
        id: ID.to_owned(),
        demands: demands(),
        who: say("alice@portolan.local"),
        trial,
        list: Href::path("/p/developers/projects/1/policies"),
    };
    let account = |username: &str, domain, login| TriedAccount {
        username: say(username),
        domain,
        login,
        passes: false,
    };
    let at = Some(Moment::minute(Timestamp::from_seconds(1_770_110_100)));
    let login = |in_time, two_factors| {
        Some(TriedLogin {
            at,
            undated: false,
            in_time: Some(in_time),
            two_factors: Some(two_factors),
        })
    };
    let open = Some(TriedLogin {
        at: None,
        undated: false,
        in_time: Some(false),
        two_factors: Some(false),
    });
    vec![
        page("policies", &policies()),
        page(
            "policies_none",
            &PoliciesPage {
                policies: Vec::new(),
                notice: Some(PoliciesNotice::Deleted),
                ..policies()
            },
        ),
        page(
            "policies_made",
            &PoliciesPage {
                notice: Some(PoliciesNotice::Made),
                ..policies()
            },
        ),
        page(
            "policies_changed",
            &PoliciesPage {
                notice: Some(PoliciesNotice::Changed),
                ..policies()
            },
        ),
        page("policy_new", &policy()),
        page(
            "policy_new_refused",
            &PolicyPage {
                fields: typed(),
                errors: FormErrors::field("name", language.text("policies-error-name"))
                    .and("description", language.text("policies-error-description"))
                    .and("timeout", language.text("policies-error-timeout"))
                    .and("two_factors", language.text("policies-error-two-factors"))
                    .and("include", say("Check the domains: \"*\" is no domain."))
                    .and("exclude", "Check the domains."),
                ..policy()
            },
        ),
        page(
            "policy_change",
            &PolicyPage {
                layout: layout(language, say, "policies-change-title"),
                existing: Some(ExistingPolicy {
                    name: say("Campus only"),
                    id: ID.to_owned(),
                    try_out: Href::path("/p/developers/projects/1/policies/2/try"),
                    delete: Href::path("/p/developers/projects/1/policies/2/delete"),
                }),
                fields: typed(),
                projects: vec![
                    ProjectChoice {
                        id: "1".to_owned(),
                        name: say("Beamline 7"),
                        chosen: true,
                    },
                    ProjectChoice {
                        id: "2".to_owned(),
                        name: say(LONG),
                        chosen: false,
                    },
                ],
                ..policy()
            },
        ),
        page(
            "policy_delete",
            &PolicyDeletionPage {
                layout: layout(language, say, "policies-delete-title"),
                trail: list(),
                action: Href::path("/p/developers/projects/1/policies/2/delete"),
                form_token: "kq3vT0nP".to_owned(),
                name: say("Campus only"),
                id: ID.to_owned(),
                keep: Href::path("/p/developers/projects/1/policies"),
                errors: FormErrors::none(),
            },
        ),
        page(
            "policy_trial_passed",
            &trial(Trial::Myself {
                passes: true,
                accounts: vec![
                    TriedAccount {
                        passes: true,
                        ..account("alice@example.edu", TriedDomain::Included, login(true, true))
                    },
                    account("alice@portolan.local", TriedDomain::NotIncluded, login(true, false)),
                    account(
                        "alice@undated.example.edu",
                        TriedDomain::Included,
                        login(false, true).map(|login| TriedLogin { undated: true, ..login }),
                    ),
                    account("alice@guests.example.edu", TriedDomain::Excluded, open.clone()),
                ],
            }),
        ),
        page(
            "policy_trial_failed",
            &trial(Trial::Myself {
                passes: false,
                accounts: vec![account("alice@example.edu", TriedDomain::Included, login(false, false))],
            }),
        ),
        page(
            "policy_trial_somebody",
            &trial(Trial::Somebody(account("bob@example.edu", TriedDomain::Included, open))),
        ),
        page(
            "policy_trial_somebody_failed",
            &PolicyTrialPage {
                demands: Demands {
                    exclude: vec!["example.org".to_owned()],
                    ..Demands::default()
                },
                ..trial(Trial::Somebody(account("bob@example.org", TriedDomain::Excluded, None)))
            },
        ),
        page(
            "policy_trial_somebody_passed",
            &PolicyTrialPage {
                demands: Demands::default(),
                ..trial(Trial::Somebody(account("bob@example.org", TriedDomain::Any, None)))
            },
        ),
    ]
}

fn page(name: &'static str, template: &dyn askama::DynTemplate) -> (&'static str, String) {
    (name, template.dyn_render().expect("the page renders"))
}

pub(crate) fn samples(language: Language, say: Say) -> Vec<(&'static str, String)> {
    let mut pages = scope_pages(language, say);
    pages.extend(domain_pages(language, say));
    pages.extend(policy_pages(language, say));
    pages
}

/// Of the samples above, those that show what strangers write: all of them.
pub(super) fn names() -> Vec<&'static str> {
    samples(Language::En, str::to_owned)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_time_is_shown_in_the_largest_unit_that_fits() {
    for (seconds, count, unit) in [
        (1, 1, TimeUnit::Seconds),
        (90, 90, TimeUnit::Seconds),
        (60, 1, TimeUnit::Minutes),
        (1800, 30, TimeUnit::Minutes),
        (3600, 1, TimeUnit::Hours),
        (86_400, 1, TimeUnit::Days),
        (90_000, 25, TimeUnit::Hours),
    ] {
        assert_eq!(TimeSpan::new(seconds), TimeSpan { count, unit }, "{seconds}");
    }
}
