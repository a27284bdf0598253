//! The catalogue: every page with ordinary and with hostile words, looked at as a browser would.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::account::*;
use super::consent::*;
use super::security::*;
use super::sign_in::*;
use super::*;
use crate::http::browser::{self, PagePolicy};

#[path = "console_pages_tests.rs"]
mod console;
#[path = "service_pages_tests.rs"]
mod services;
#[path = "skin_pages_tests.rs"]
mod skins;

/// What an attacker would choose as the name of an app, an account or a scope.
const HOSTILE: &str = r#"<script>alert(1)</script>"'& onclick=alert(1) x="#;

#[path = "developer_pages_tests.rs"]
mod developer_pages;

const MINUTES: Duration = Duration::from_secs(60);
const DAYS: Duration = Duration::from_secs(86_400);

/// How what strangers choose is said.
type Say = fn(&str) -> String;

fn ordinary(words: &str) -> String {
    words.to_owned()
}

fn hostile(_: &str) -> String {
    HOSTILE.to_owned()
}

/// Every page in its states and in one language. What a stranger can choose passes through `say`.
pub(crate) fn samples(language: Language, say: fn(&str) -> String) -> Vec<(&'static str, String)> {
    let mut pages = samples_for_everybody(language, say);
    pages.extend(services::samples(language, say));
    pages.extend(console::samples(language, say));
    pages.extend(skins::samples(language, say));
    pages
}

fn samples_for_everybody(language: Language, say: fn(&str) -> String) -> Vec<(&'static str, String)> {
    // Titles are ids of messages.
    let layout = |title: &str| Layout {
        language,
        title: language.text(title).to_owned(),
        request_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        operator_contact: Some("help@lab.example.org".to_owned()),
        signed_in_as: None,
        administers: false,
        skin: None,
        offers_languages: true,
    };
    let signed_in = |title: &str| Layout {
        signed_in_as: Some(say("alice@portolan.local")),
        ..layout(title)
    };
    let form_token = || "kq3vT0nP".to_owned();
    let request = || Some("7f1c9a52".to_owned());
    let client = || {
        ClientView::new(
            say("Beamline Portal"),
            Some("https://beamline.example.org/terms?a=1&b=\"2\""),
            Some("https://beamline.example.org/privacy"),
        )
    };
    let command_line = || ClientView::new(say("Globus CLI"), None, Some("javascript:alert(1)"));
    let account = || AccountView {
        username: say("alice@portolan.local"),
        name: Some(say("Alice Cartographer")),
        provider: Some(say("Portolan accounts")),
    };
    let scope = |path_id: &str, name: &str, description: &str, scope_string: &str, resource: &str| ScopeNode {
        language,
        path_id: path_id.to_owned(),
        name: say(name),
        description: say(description),
        scope_string: say(scope_string),
        resource: say(resource),
        optional: false,
        checked: false,
        children: Vec::new(),
    };
    let run_actions = || ScopeNode {
        children: vec![
            ScopeNode {
                children: vec![ScopeNode {
                    optional: true,
                    checked: true,
                    ..scope(
                        "1.0.0",
                        "Read and write the collection Detector data",
                        "Only this collection, with the rights your account has there",
                        "https://auth.globus.org/scopes/41f0c5de-0000-4000-8000-000000000001/data_access",
                        "Detector data",
                    )
                }],
                ..scope(
                    "1.0",
                    "Transfer files",
                    "Move and share files between your collections",
                    "urn:globus:auth:scope:transfer.api.globus.org:all",
                    "Globus Transfer",
                )
            },
            ScopeNode {
                optional: true,
                ..scope(
                    "1.1",
                    "Know your groups",
                    "See which groups you belong to",
                    "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
                    "Globus Groups",
                )
            },
        ],
        ..scope(
            "1",
            "Run beamline actions",
            "All operations of the beamline action provider",
            "https://auth.globus.org/scopes/5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f/action_all",
            "Beamline service",
        )
    };
    let sign_you_in = || {
        scope(
            "0",
            "Know who you are",
            "Your account name and identifier",
            "openid",
            "Portolan",
        )
    };

    let login = || LoginPage {
        layout: layout("login-title"),
        action: "/v2/web/login".to_owned(),
        form_token: form_token(),
        request: request(),
        client: Some(client()),
        username: String::new(),
        reason: LoginReason::NotSignedIn,
        session_message: None,
        errors: FormErrors::none(),
        ways: vec![Link {
            text: language.text("login-forgot").to_owned(),
            href: Href::path("/p/reset"),
        }],
        carried: Vec::new(),
        choice: ProviderChoice::default(),
        passkey: None,
        can_cancel: true,
        time_limit: Some(60 * MINUTES),
    };
    let passkey_options = || format!(r#"{{"challenge":"AAEC","rpId":"{}"}}"#, say("localhost"));
    let second_step = || LoginFactorPage {
        layout: layout("login-factor-title"),
        form_token: form_token(),
        request: request(),
        login: "c2VjcmV0".to_owned(),
        client: Some(client()),
        username: say("alice@portolan.local"),
        otp: true,
        passkey: Some(passkey_options()),
        recovery: true,
        start_again: Href::path("/p/login?request=7f1c9a52"),
        carried: Vec::new(),
        errors: FormErrors::none(),
    };
    let passkey_row = |name: &str, last_used| PasskeyRow {
        name: say(name),
        added: Moment::day(Timestamp::from_seconds(1_770_000_000)),
        last_used,
        alone: true,
        synced: true,
        change: Href::path("/p/account/security/passkeys/7f1c9a52"),
        remove: Href::path("/p/account/security/passkeys/7f1c9a52/remove"),
    };
    let security = || SecurityPage {
        layout: signed_in("security-title"),
        form_token: form_token(),
        username: say("alice@portolan.local"),
        notice: None,
        totp: Some(Moment::day(Timestamp::from_seconds(1_770_000_000))),
        passkeys: vec![
            passkey_row("Laptop", Some(Moment::day(Timestamp::from_seconds(1_771_000_000)))),
            PasskeyRow {
                alone: false,
                synced: false,
                ..passkey_row("Blue key", None)
            },
        ],
        passkeys_possible: true,
        recovery_codes: 10,
    };
    let new_password = || PasswordPage {
        layout: signed_in("security-password-change"),
        form_token: form_token(),
        username: say("alice@portolan.local"),
        password_min_length: 15,
        errors: FormErrors::none(),
    };
    let (qr_path, qr_side) =
        crate::domain::totp::qr_path("otpauth://totp/localhost:alice?secret=GEZDGNBVGY3TQOJQ").unwrap();
    let app_set_up = || TotpPage {
        layout: signed_in("security-totp-title"),
        form_token: form_token(),
        secret: "GEZD GNBV GY3T QOJQ".to_owned(),
        uri: format!("otpauth://totp/localhost:{}?secret=GEZDGNBVGY3TQOJQ", say("alice")),
        qr_path: qr_path.clone(),
        qr_side,
        errors: FormErrors::none(),
    };
    let removal = || FactorRemovalPage {
        layout: signed_in("security-remove-title"),
        form_token: form_token(),
        action: Href::path("/p/account/security/passkeys/7f1c9a52/remove"),
        passkey: Some(say("Laptop")),
        last: false,
        errors: FormErrors::none(),
    };
    let provider = |name: &str, domains: &str, id: &str| ProviderLink {
        name: say(name),
        domains: domains.to_owned(),
        href: Href::path(format!("/p/login/with/{id}?request=7f1c9a52")),
    };
    let consent = || ConsentPage {
        layout: signed_in("consent-title"),
        action: "/v2/web/consent".to_owned(),
        form_token: form_token(),
        request: request(),
        client: client(),
        account: account(),
        scopes: vec![sign_you_in(), run_actions()],
        duration: AccessDuration::WhilePresent { lifetime: 2 * DAYS },
        label: None,
        destination: Some(say("https://beamline.example.org")),
        consents_page: Some(Href::path("/v2/web/consents")),
        can_switch_account: true,
        errors: FormErrors::none(),
        time_limit: Some(55 * MINUTES),
    };
    let error = |title: &str, text: &str, error_code: &str| ErrorPage {
        layout: layout(title),
        text: text.to_owned(),
        text_is_foreign: false,
        advice: Vec::new(),
        link: None,
        occurred_at: "2026-02-03 09:15:27 UTC".to_owned(),
        error_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        error_code: error_code.to_owned(),
    };
    let setup = || SetupPage {
        layout: layout("setup-title"),
        action: "/setup".to_owned(),
        form_token: form_token(),
        setup_token: "one-time-secret".to_owned(),
        username: String::new(),
        name: String::new(),
        email: String::new(),
        errors: FormErrors::none(),
        local_domain: "portolan.local".to_owned(),
        password_min_length: 15,
    };
    let home = |layout: Layout, state: HomeState| HomePage {
        layout,
        issuer: "http://localhost:8080".to_owned(),
        state,
    };

    let moment = || Moment::minute(Timestamp::from_seconds(1_770_110_127));
    let allowed = |name: &str, description: &str, resource: &str| ConsentNode {
        language,
        name: say(name),
        description: say(description),
        resource: say(resource),
        app: say("Beamline Portal"),
        allowed_by: None,
        since: Moment::day(Timestamp::from_seconds(1_770_023_727)),
        last_used: Some(moment()),
        while_away: false,
        withdraw: None,
        children: Vec::new(),
    };
    let link = |path: &str| Href::path(format!("/v2/web/consents/{path}"));
    let allowed_actions = || ConsentNode {
        while_away: true,
        withdraw: Some(Withdraw::Tree(link("70310"))),
        children: vec![ConsentNode {
            children: vec![ConsentNode {
                withdraw: Some(Withdraw::Branch(link("70312"))),
                last_used: None,
                ..allowed(
                    "Read and write the collection Detector data",
                    "Only this collection, with the rights your account has there",
                    "Detector data",
                )
            }],
            ..allowed(
                "Transfer files",
                "Move and share files between your collections",
                "Globus Transfer",
            )
        }],
        ..allowed(
            "Run beamline actions",
            "All operations of the beamline action provider",
            "Beamline service",
        )
    };
    let consents = || ConsentsPage {
        layout: signed_in("consents-title"),
        apps: vec![
            AppConsents {
                client: client(),
                allowed_by: vec![say("alice@portolan.local"), say("alice@example.edu")],
                labels: Vec::new(),
                last_used: Some(moment()),
                while_away: true,
                consents: vec![
                    ConsentNode {
                        allowed_by: Some(say("alice@example.edu")),
                        withdraw: Some(Withdraw::Tree(link("70309"))),
                        ..allowed("Know who you are", "Your account name and identifier", "Portolan")
                    },
                    allowed_actions(),
                ],
                withdraw_all: Some(link("70309?extent=app")),
            },
            AppConsents {
                client: command_line().registered_as(say("Globus CLI on laptop-7")),
                allowed_by: vec![say("alice@portolan.local")],
                labels: vec![say("Globus CLI on laptop-7")],
                last_used: None,
                while_away: false,
                consents: vec![ConsentNode {
                    app: say("Globus CLI, Globus CLI on laptop-7"),
                    last_used: None,
                    withdraw: Some(Withdraw::Tree(link("81021"))),
                    ..allowed("Know who you are", "", "Portolan")
                }],
                withdraw_all: None,
            },
        ],
        withdraw_all: Some(link("all")),
        withdrawn: false,
        back: None,
    };
    let loss = |who: &str, is_app: bool, scopes: &[(&str, &str, &str)]| Loss {
        who: say(who),
        is_app,
        scopes: scopes
            .iter()
            .map(|(name, description, resource)| LostScope {
                name: say(name),
                description: say(description),
                resource: say(resource),
            })
            .collect(),
    };
    let detector_data = (
        "Read and write the collection Detector data",
        "Only this collection, with the rights your account has there",
        "Detector data",
    );
    let revocation = || RevocationPage {
        layout: signed_in("consents-revoke-title"),
        action: "/v2/web/consents/70310".to_owned(),
        form_token: form_token(),
        carried: vec![CarriedField {
            name: "shown",
            value: "c2hvd24".to_owned(),
        }],
        client: client(),
        extent: RevocationExtent::Tree {
            name: say("Run beamline actions"),
        },
        allowed_by: vec![say("alice@portolan.local")],
        last_used: Some(moment()),
        while_away: true,
        losses: vec![
            loss(
                "Beamline Portal",
                true,
                &[(
                    "Run beamline actions",
                    "All operations of the beamline action provider",
                    "Beamline service",
                )],
            ),
            loss(
                "Beamline service",
                false,
                &[(
                    "Transfer files",
                    "Move and share files between your collections",
                    "Globus Transfer",
                )],
            ),
            loss("Globus Transfer", false, &[detector_data]),
        ],
        kept: vec![say("Know who you are")],
        keep: Href::path("/v2/web/consents"),
        errors: FormErrors::none(),
    };

    let sessions = || SessionsPage {
        layout: signed_in("sessions-title"),
        action: "/p/account/sessions".to_owned(),
        form_token: form_token(),
        places: vec![
            PlaceView {
                id: "7f1c9a52".to_owned(),
                here: true,
                signed_in: true,
                browser: say(&super::super::user_agent::describe(
                    language,
                    Some("Firefox/128.0 (Linux)"),
                )),
                address: Some("192.0.2.7".to_owned()),
                last_seen: Some(moment()),
                logins: vec![
                    SignIn {
                        username: say("alice@portolan.local"),
                        at: moment(),
                    },
                    SignIn {
                        username: say("alice@example.edu"),
                        at: moment(),
                    },
                ],
                apps: vec![say("Beamline Portal"), say("Globus CLI")],
            },
            PlaceView {
                id: "81021".to_owned(),
                here: false,
                signed_in: false,
                browser: language.text("sessions-unknown-browser").to_owned(),
                address: None,
                last_seen: None,
                logins: Vec::new(),
                apps: Vec::new(),
            },
        ],
        has_others: true,
        ended: false,
    };
    let linked = |username: &str, provider: &str| AccountView {
        username: say(username),
        name: Some(say("Alice Cartographer")),
        provider: Some(say(provider)),
    };
    let change = |path: &str| Href::path(format!("/v2/web/identities/9d3c1a52/{path}"));
    let primary = || IdentityRow {
        account: account(),
        email: Some(say("alice@example.org")),
        organization: None,
        is_primary: true,
        is_usable: true,
        is_here: true,
        last_authentication: Some(moment()),
        make_primary: None,
        unlink: None,
    };
    let identities = || IdentitiesPage {
        layout: signed_in("identities-title"),
        identities: vec![
            primary(),
            IdentityRow {
                account: linked("alice@example.edu", "Example University"),
                organization: Some(say("Example University")),
                is_primary: false,
                is_here: false,
                make_primary: Some(change("primary")),
                unlink: Some(change("unlink")),
                ..primary()
            },
            IdentityRow {
                account: linked("acartographer@example.com", "Example Mail"),
                is_primary: false,
                is_usable: false,
                is_here: false,
                last_authentication: None,
                unlink: Some(Href::path("/v2/web/identities/2c8f/unlink")),
                ..primary()
            },
        ],
        notice: None,
        link_another: Href::path("/p/link"),
        back: None,
    };
    let identity_change = |change: IdentityChange| IdentityChangePage {
        layout: signed_in(change.title(language)),
        action: format!("/v2/web/identities/9d3c1a52/{}", change.path()),
        form_token: form_token(),
        carried: Vec::new(),
        account: linked("alice@example.edu", "Example University"),
        change,
        keep: Href::path("/v2/web/identities"),
    };
    let link_page = || LinkPage {
        layout: signed_in("link-title"),
        action: "/p/link".to_owned(),
        form_token: form_token(),
        request: None,
        carried: vec![CarriedField {
            name: "redirect_name",
            value: say("the portal"),
        }],
        client: None,
        provider: None,
        account: account(),
        list: Href::path("/v2/web/identities"),
        back: Href::web("https://beamline.example.org/account").map(|href| Link {
            text: say("the portal"),
            href,
        }),
        time_limit: None,
    };
    let link_confirm = || LinkConfirmPage {
        layout: signed_in("link-confirm-title"),
        action: "/p/link/confirm".to_owned(),
        form_token: form_token(),
        carried: vec![CarriedField {
            name: "shown",
            value: "2c8f".to_owned(),
        }],
        mine: account(),
        other: linked("alice@example.edu", "Example University"),
        others: Vec::new(),
    };

    fn page(name: &'static str, template: &dyn askama::DynTemplate) -> (&'static str, String) {
        (name, template.dyn_render().unwrap())
    }
    let mut all = vec![
        page("login", &login()),
        page(
            "login_without_request",
            &LoginPage {
                client: None,
                request: None,
                carried: vec![
                    CarriedField {
                        name: "next",
                        value: "consents".to_owned(),
                    },
                    CarriedField {
                        name: "redirect_name",
                        value: say("the portal"),
                    },
                ],
                can_cancel: false,
                time_limit: None,
                ..login()
            },
        ),
        page(
            "login_with_providers",
            &LoginPage {
                choice: ProviderChoice {
                    suggested: vec![provider("ORCID", "orcid.org", "b1")],
                    others: vec![
                        provider("University of Example", "example.edu", "b2"),
                        provider("Université d\u{2019}Exemple", "exemple.fr, etu.exemple.fr", "b3"),
                    ],
                    search: Some(ProviderSearch {
                        text: say("exampl"),
                        more: true,
                        carried: vec![CarriedField {
                            name: "request",
                            value: "7f1c9a52".to_owned(),
                        }],
                    }),
                },
                ..login()
            },
        ),
        page(
            "login_with_few_providers",
            &LoginPage {
                choice: ProviderChoice {
                    others: vec![provider("ORCID", "orcid.org", "b1"), provider("GitHub", "", "b2")],
                    ..ProviderChoice::default()
                },
                ..login()
            },
        ),
        page(
            "login_refused",
            &LoginPage {
                username: say("alice"),
                errors: FormErrors::field("password", language.text("login-wrong")),
                ..login()
            },
        ),
        page(
            "login_too_many",
            &LoginPage {
                errors: FormErrors::whole(language.say("login-too-many-minutes").count("count", 5).to_string()),
                ..login()
            },
        ),
        page(
            "login_asked_again",
            &LoginPage {
                username: say("alice@portolan.local"),
                reason: LoginReason::AskedAgain,
                session_message: Some(say("Authenticate to update your CLI session.")),
                client: Some(command_line().registered_as(say("Globus CLI on laptop-7"))),
                ..login()
            },
        ),
        page(
            "login_too_long_ago",
            &LoginPage {
                reason: LoginReason::TooLongAgo,
                ..login()
            },
        ),
        page(
            "login_step_up",
            &LoginPage {
                reason: LoginReason::StepUp(vec![
                    language
                        .say("login-demand-domains")
                        .arg("domains", say("example.edu"))
                        .to_string(),
                    language.text("login-demand-two-factors").to_owned(),
                ]),
                ..login()
            },
        ),
        page(
            "login_passkey",
            &LoginPage {
                passkey: Some(passkey_options()),
                ..login()
            },
        ),
        page("login_factor", &second_step()),
        page(
            "login_factor_passkey_only",
            &LoginFactorPage {
                client: None,
                request: None,
                otp: false,
                recovery: false,
                carried: vec![CarriedField {
                    name: "next",
                    value: "security".to_owned(),
                }],
                ..second_step()
            },
        ),
        page(
            "login_factor_refused",
            &LoginFactorPage {
                passkey: None,
                errors: FormErrors::field("recovery_code", language.text("login-factor-recovery-refused")),
                ..second_step()
            },
        ),
        page("security", &security()),
        page(
            "security_without_second_factor",
            &SecurityPage {
                notice: Some(language.text("security-notice-removed").to_owned()),
                totp: None,
                passkeys: Vec::new(),
                passkeys_possible: false,
                recovery_codes: 0,
                ..security()
            },
        ),
        page(
            "security_without_recovery_codes",
            &SecurityPage {
                passkeys: Vec::new(),
                recovery_codes: 0,
                ..security()
            },
        ),
        page("security_password", &new_password()),
        page(
            "security_password_refused",
            &PasswordPage {
                errors: FormErrors::field("password_now", language.text("security-password-wrong")),
                ..new_password()
            },
        ),
        page("security_totp", &app_set_up()),
        page(
            "security_totp_refused",
            &TotpPage {
                errors: FormErrors::field("otp", language.text("security-totp-refused")),
                ..app_set_up()
            },
        ),
        page(
            "security_passkey_new",
            &NewPasskeyPage {
                layout: signed_in("security-passkey-add"),
                form_token: form_token(),
                options: passkey_options(),
                name: say("Laptop"),
                errors: FormErrors::none(),
            },
        ),
        page(
            "security_passkey",
            &PasskeyPage {
                layout: signed_in("security-passkey-rename-title"),
                form_token: form_token(),
                action: Href::path("/p/account/security/passkeys/7f1c9a52"),
                remove: Href::path("/p/account/security/passkeys/7f1c9a52/remove"),
                name: say("Laptop"),
                errors: FormErrors::field("name", language.text("security-passkey-name-wrong")),
            },
        ),
        page("security_remove", &removal()),
        page(
            "security_remove_last",
            &FactorRemovalPage {
                last: true,
                errors: FormErrors::field("password_now", language.text("security-password-wrong")),
                ..removal()
            },
        ),
        page(
            "security_recovery_codes",
            &RecoveryCodesPage {
                layout: signed_in("security-recovery"),
                form_token: form_token(),
                left: 3,
                codes: Vec::new(),
            },
        ),
        page(
            "security_recovery_codes_shown",
            &RecoveryCodesPage {
                layout: signed_in("security-recovery"),
                form_token: form_token(),
                left: 0,
                codes: vec![
                    "0123-4567-89ab-cdef-ghjk-mnpq".to_owned(),
                    say("2222-2222-2222-2222-2222-2222"),
                ],
            },
        ),
        page(
            "login_demanded",
            &LoginPage {
                reason: LoginReason::Demanded(vec![
                    language
                        .say("login-demand-account")
                        .arg("username", say("alice@portolan.local"))
                        .to_string(),
                    language
                        .say("login-demand-domains")
                        .arg("domains", say("example.edu"))
                        .to_string(),
                ]),
                ..login()
            },
        ),
        page("consent", &consent()),
        page(
            "consent_many",
            &ConsentPage {
                scopes: (1..=200)
                    .map(|number| ScopeNode {
                        optional: number % 4 == 0,
                        // Endless names for all of them would weigh more than a page may.
                        name: match number {
                            ..3 => say("Read the tide"),
                            _ => format!("Read the tide at gauge {number}"),
                        },
                        description: "How high the water is".to_owned(),
                        scope_string: format!(
                            "https://auth.globus.org/scopes/5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f/{number}"
                        ),
                        resource: "Tide gauges".to_owned(),
                        ..scope(&number.to_string(), "", "", "", "")
                    })
                    .collect(),
                ..consent()
            },
        ),
        page(
            "consent_while_away",
            &ConsentPage {
                client: command_line().registered_as(say("Globus CLI on laptop-7")),
                scopes: vec![sign_you_in()],
                duration: AccessDuration::WhileAway {
                    idle_end: Some(182 * DAYS),
                },
                label: Some(say("Globus CLI on laptop-7")),
                destination: None,
                consents_page: None,
                can_switch_account: false,
                time_limit: None,
                ..consent()
            },
        ),
        page(
            "consent_refused",
            &ConsentPage {
                label: Some(say("very long")),
                duration: AccessDuration::WhileAway { idle_end: None },
                errors: FormErrors::field("label", language.text("account-text-length")),
                ..consent()
            },
        ),
        page(
            "continue_as",
            &ContinueAsPage {
                layout: signed_in("consent-continue-title"),
                action: "/v2/web/continue".to_owned(),
                form_token: form_token(),
                request: request(),
                client: client().registered_as(say("Portal on laptop-7")),
                account: account(),
                destination: Some("http://127.0.0.1:18411".to_owned()),
                can_switch_account: true,
                time_limit: Some(60 * MINUTES),
            },
        ),
        page(
            "auth_code",
            &AuthCodePage {
                layout: layout("code-title"),
                outcome: AuthCodeOutcome::Code(say("pc_4VqYw2hJr9Zt0LmXb7NnKd3Fs8Ga1Ce")),
            },
        ),
        page(
            "auth_code_refused",
            &AuthCodePage {
                layout: layout("code-title"),
                outcome: AuthCodeOutcome::Refused {
                    error: say("access_denied"),
                    description: Some(say("the person declined")),
                },
            },
        ),
        page(
            "auth_code_nothing",
            &AuthCodePage {
                layout: layout("code-title"),
                outcome: AuthCodeOutcome::Nothing,
            },
        ),
        page(
            "logout",
            &LogoutPage {
                layout: signed_in("logout-title"),
                action: "/v2/web/logout".to_owned(),
                form_token: form_token(),
                client_name: Some(say("Beamline Portal")),
                carried: vec![
                    CarriedField {
                        name: "client_id",
                        value: say("2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20"),
                    },
                    CarriedField {
                        name: "redirect_uri",
                        value: say("https://beamline.example.org/bye"),
                    },
                ],
            },
        ),
        page(
            "logged_out",
            &LoggedOutPage {
                layout: layout("logout-done-title"),
                client_name: None,
                continue_to: None,
            },
        ),
        page(
            "logged_out_of_client",
            &LoggedOutPage {
                layout: layout("logout-done-title"),
                client_name: Some(say("Beamline Portal")),
                continue_to: Href::web("https://beamline.example.org/?from=\"logout\"&x='1'").map(|href| Link {
                    text: say("the portal"),
                    href,
                }),
            },
        ),
        page("consents", &consents()),
        page(
            "consents_after_withdrawal",
            &ConsentsPage {
                withdrawn: true,
                back: Href::web("https://beamline.example.org/?from=\"consents\"").map(|href| Link {
                    text: say("the portal"),
                    href,
                }),
                ..consents()
            },
        ),
        page(
            "consents_none",
            &ConsentsPage {
                apps: Vec::new(),
                withdraw_all: None,
                ..consents()
            },
        ),
        page("sessions", &sessions()),
        page(
            "sessions_this_one_alone",
            &SessionsPage {
                places: sessions().places[..1].to_vec(),
                has_others: false,
                ended: true,
                ..sessions()
            },
        ),
        page("consents_revoke", &revocation()),
        page(
            "consents_revoke_branch",
            &RevocationPage {
                extent: RevocationExtent::Branch {
                    name: say("Read and write the collection Detector data"),
                },
                losses: vec![loss("Globus Transfer", false, &[detector_data])],
                kept: vec![say("Know who you are"), say("Run beamline actions")],
                last_used: None,
                while_away: false,
                ..revocation()
            },
        ),
        page(
            "consents_revoke_whole_tree",
            &RevocationPage {
                extent: RevocationExtent::WholeTree {
                    name: say("Transfer files"),
                    root: say("Run beamline actions"),
                },
                errors: FormErrors::whole(language.text("consents-changed")),
                ..revocation()
            },
        ),
        page(
            "consents_revoke_app",
            &RevocationPage {
                extent: RevocationExtent::App,
                client: command_line().registered_as(say("Globus CLI on laptop-7")),
                losses: vec![loss("Globus CLI", true, &[("Know who you are", "", "Portolan")])],
                kept: Vec::new(),
                ..revocation()
            },
        ),
        page(
            "consents_revoke_all",
            &RevokeAllPage {
                layout: signed_in("withdrawal-title"),
                action: "/v2/web/consents/all".to_owned(),
                form_token: form_token(),
                carried: revocation().carried,
                apps: vec![
                    AppLosses {
                        client: client(),
                        losses: revocation().losses,
                    },
                    AppLosses {
                        client: command_line().registered_as(say("Globus CLI on laptop-7")),
                        losses: vec![loss("Globus CLI", true, &[("Know who you are", "", "Portolan")])],
                    },
                ],
                while_away: true,
                keep: Href::path("/v2/web/consents"),
                errors: FormErrors::none(),
            },
        ),
        page(
            "consents_revoke_all_none",
            &RevokeAllPage {
                layout: signed_in("withdrawal-title"),
                action: "/v2/web/consents/all".to_owned(),
                form_token: form_token(),
                carried: revocation().carried,
                apps: Vec::new(),
                while_away: false,
                keep: Href::path("/v2/web/consents"),
                errors: FormErrors::whole(language.text("consents-changed")),
            },
        ),
        page("identities", &identities()),
        page(
            "identities_alone",
            &IdentitiesPage {
                identities: vec![primary()],
                notice: Some(IdentitiesNotice::Unlinked),
                back: Href::web("https://beamline.example.org/account").map(|href| Link {
                    text: say("the portal"),
                    href,
                }),
                ..identities()
            },
        ),
        page(
            "identities_linked",
            &IdentitiesPage {
                notice: Some(IdentitiesNotice::Linked),
                ..identities()
            },
        ),
        page(
            "identities_new_primary",
            &IdentitiesPage {
                notice: Some(IdentitiesNotice::PrimaryChanged),
                ..identities()
            },
        ),
        page(
            "identity_unlink",
            &identity_change(IdentityChange::Unlink {
                rest: vec![say("alice@portolan.local"), say("acartographer@example.com")],
                signs_out: true,
            }),
        ),
        page(
            "identity_make_primary",
            &identity_change(IdentityChange::MakePrimary {
                former: say("alice@portolan.local"),
            }),
        ),
        page("link", &link_page()),
        page(
            "link_for_an_app",
            &LinkPage {
                request: request(),
                carried: Vec::new(),
                client: Some(client()),
                provider: Some(say("Example University")),
                back: None,
                time_limit: Some(55 * MINUTES),
                ..link_page()
            },
        ),
        page(
            "login_linking",
            &LoginPage {
                layout: signed_in("login-title-linking"),
                client: None,
                request: None,
                reason: LoginReason::Linking {
                    username: say("alice@portolan.local"),
                    provider: Some(say("Example University")),
                },
                carried: vec![CarriedField {
                    name: "link",
                    value: "7f1c9a52".to_owned(),
                }],
                time_limit: None,
                ..login()
            },
        ),
        page("link_confirm", &link_confirm()),
        page(
            "link_confirm_third",
            &LinkConfirmPage {
                others: vec![say("acartographer@example.com")],
                ..link_confirm()
            },
        ),
        page(
            "error_unknown_scopes",
            &ErrorPage {
                text_is_foreign: language != Language::En,
                advice: vec![language.text("error-advice-app").to_owned()],
                ..error(
                    "error-unknown-scopes",
                    &format!(
                        "client_id=2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20 requested unknown scopes: ['{}']",
                        say("urn:globus:auth:scope:transfer.api.globus.org:everything")
                    ),
                    "UNKNOWN_SCOPE_ERROR",
                )
            },
        ),
        page(
            "error_internal",
            &ErrorPage {
                link: Some(Link {
                    text: language.text("account-start-page").to_owned(),
                    href: Href::path("/"),
                }),
                layout: Layout {
                    operator_contact: None,
                    ..layout("error-internal")
                },
                ..error("", language.text("error-internal-text"), "INTERNAL_ERROR")
            },
        ),
        page(
            "reset",
            &mail::ResetPage {
                layout: layout("account-reset-title"),
                form_token: form_token(),
                errors: FormErrors::none(),
            },
        ),
        page(
            "reset_password",
            &mail::NewPasswordPage {
                layout: layout("account-reset-title"),
                action: "/p/reset/one-time-secret".to_owned(),
                form_token: form_token(),
                username: say("alice@portolan.local"),
                errors: FormErrors::field(
                    "password",
                    language.words(&crate::texts::words("password-too-short").arg("minimum", 15)),
                ),
                password_min_length: 15,
            },
        ),
        page(
            "sign_up",
            &mail::SignUpPage {
                layout: layout("account-create"),
                form_token: form_token(),
                email: say("alice@example.org"),
                errors: FormErrors::field("email", language.text("account-email-form")),
            },
        ),
        page(
            "sign_up_account",
            &mail::OpenAccountPage {
                layout: layout("account-create"),
                action: "/p/sign-up/one-time-secret".to_owned(),
                form_token: form_token(),
                address: say("alice@example.org"),
                username: say("alice"),
                name: say("Alice Cartographer"),
                errors: FormErrors::field("username", language.text("account-name-taken")),
                local_domain: "portolan.local".to_owned(),
                password_min_length: 15,
            },
        ),
        page(
            "address",
            &mail::AddressPage {
                layout: signed_in("account-address"),
                form_token: form_token(),
                username: say("alice@portolan.local"),
                address: Some(say("alice@example.org")),
                is_verified: false,
                email: say("alice@example.org"),
                errors: FormErrors::none(),
            },
        ),
        page(
            "address_confirm",
            &mail::ConfirmAddressPage {
                layout: layout("account-address-confirm"),
                action: "/p/address/one-time-secret".to_owned(),
                form_token: form_token(),
                username: say("alice@portolan.local"),
                address: say("alice@example.org"),
            },
        ),
        page("setup", &setup()),
        page(
            "setup_refused",
            &SetupPage {
                username: say("admin"),
                name: say("Ada Min"),
                email: say("ada@lab.example.org"),
                errors: FormErrors::field("password", language.text("password-common"))
                    .and("password_again", language.text("password-differ")),
                ..setup()
            },
        ),
        page(
            "setup_done",
            &SetupDonePage {
                layout: layout("setup-title"),
                username: say("ada@portolan.local"),
                public_url: "http://localhost:8080".to_owned(),
            },
        ),
        page(
            "message",
            &MessagePage {
                layout: layout("account-created"),
                text: vec![
                    language
                        .say("account-created-text")
                        .arg("username", say("alice@portolan.local"))
                        .to_string(),
                ],
                link: Some(Link {
                    text: language.text("account-start-page").to_owned(),
                    href: Href::path("/"),
                }),
            },
        ),
        page("home_not_set_up", &home(layout("home-title"), HomeState::NotSetUp)),
        page(
            "home_signed_out",
            &home(
                layout("home-title"),
                HomeState::SignedOut {
                    sign_in: Some(Href::path("/v2/web/login")),
                },
            ),
        ),
        page(
            "home_signed_in",
            &home(
                signed_in("home-title"),
                HomeState::SignedIn {
                    links: account_links(language),
                    sign_out: Href::path("/v2/web/logout"),
                },
            ),
        ),
        page(
            "home_of_an_administrator",
            &home(
                Layout {
                    administers: true,
                    ..signed_in("home-title")
                },
                HomeState::SignedIn {
                    links: [account_links(language), vec![console_link(language)]].concat(),
                    sign_out: Href::path("/v2/web/logout"),
                },
            ),
        ),
    ];
    all.extend(developer_pages::samples(language, say));
    all
}

fn console_link(language: Language) -> Link {
    Link {
        text: language.text("console-title").to_owned(),
        href: Href::path("/p/console"),
    }
}

fn account_links(language: Language) -> Vec<Link> {
    let links = [
        ("consents-title", "/v2/web/consents"),
        ("home-security", "/p/account/security"),
        ("sessions-title", "/p/account/sessions"),
        ("account-address", "/p/account/address"),
        ("identities-title", "/v2/web/identities"),
        ("home-projects", "/p/developers"),
    ];
    let link = |(title, path)| Link {
        text: language.text(title).to_owned(),
        href: Href::path(path),
    };
    links.map(link).into()
}

struct Element {
    name: String,
    attributes: HashMap<String, String>,
    /// Text directly inside, still escaped.
    text: String,
    /// Position in the list of elements of the one around it.
    parent: Option<usize>,
}

impl Element {
    fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }
}

/// Reads markup strictly: quoted attributes, every element closed in order. What
/// escaped from its place would show up as an element or an attribute of its own.
fn elements(page: &str, html: &str) -> Vec<Element> {
    const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];
    let mut all: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = html
        .strip_prefix("<!doctype html>")
        .expect("a doctype, for standards mode");
    while let Some(start) = rest.find('<') {
        if let Some(&inside) = open.last() {
            all[inside].text.push_str(&rest[..start]);
        }
        let tag_and_rest = &rest[start + 1..];
        if let Some(closing) = tag_and_rest.strip_prefix('/') {
            let (name, after) = closing.split_once('>').unwrap();
            let opened = open.pop().unwrap_or_else(|| panic!("{page}: </{name}> closes nothing"));
            assert_eq!(all[opened].name, name, "{page}: elements overlap");
            rest = after;
            continue;
        }
        let name_end = tag_and_rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
        let name = tag_and_rest[..name_end].to_owned();
        let mut attributes = HashMap::new();
        let mut inside = &tag_and_rest[name_end..];
        let closed_itself = loop {
            inside = inside.trim_start();
            if let Some(after) = inside.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = inside.strip_prefix('>') {
                rest = after;
                break false;
            }
            let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap();
            assert!(end > 0, "{page}: no attribute name at {:.60}", inside);
            let attribute = inside[..end].to_owned();
            inside = &inside[end..];
            let value = match inside.strip_prefix("=\"") {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"').unwrap();
                    inside = after;
                    value.to_owned()
                }
                None => String::new(),
            };
            assert!(
                attributes.insert(attribute.clone(), value).is_none(),
                "{page}: {name} has two {attribute}"
            );
        };
        let is_void = closed_itself || VOID.contains(&name.as_str());
        all.push(Element {
            name,
            attributes,
            text: String::new(),
            parent: open.last().copied(),
        });
        if !is_void {
            open.push(all.len() - 1);
        }
    }
    assert!(
        open.is_empty(),
        "{page}: {} is not closed",
        all[*open.last().unwrap()].name
    );
    all
}

/// A name without an end and without a place to break it.
fn endless(words: &str) -> String {
    format!("{words} {}", "unbrokenwords".repeat(20))
}

fn right_to_left(words: &str) -> String {
    format!("خريطة موانئ البحر الأبيض المتوسط · מפת הנמלים · {words}")
}

/// Writes the catalogue where a browser can look at it: `cargo xtask e2e pages` and `cargo xtask screens`
/// say where. Otherwise into a folder that is thrown away.
#[test]
fn the_catalogue_can_be_looked_at_in_a_browser() {
    let thrown_away = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("PORTOLAN_PAGES").map_or(thrown_away.path().to_owned(), Into::into);
    let kinds: [(&str, Language, Say); 5] = [
        ("en", Language::En, ordinary),
        ("de", Language::De, ordinary),
        ("hostile", Language::En, hostile),
        ("long", Language::En, endless),
        ("rtl", Language::En, right_to_left),
    ];
    for (kind, language, say) in kinds {
        let pages = samples(language, say);
        let folder = folder.join(kind);
        fs::create_dir_all(&folder).unwrap();
        for (name, html) in &pages {
            fs::write(folder.join(format!("{name}.html")), html).unwrap();
        }
        let written = fs::read_dir(&folder).unwrap().count();
        assert_eq!(written, pages.len(), "two pages of the catalogue have one name");
    }
    fs::create_dir_all(folder.join("skin")).unwrap();
    for (name, bytes) in skins::files() {
        fs::write(folder.join("skin").join(name), bytes).unwrap();
    }
    let response = browser::page(String::new(), &PagePolicy::default());
    let policy = &response.headers()[http::header::CONTENT_SECURITY_POLICY];
    fs::write(folder.join("policy.txt"), policy.as_bytes()).unwrap();
}

/// All pages in all languages with both kinds of words.
fn catalogue() -> Vec<(&'static str, String, Vec<Element>)> {
    let mut pages = Vec::new();
    for language in Language::ALL {
        pages.extend(samples(language, ordinary));
        pages.extend(samples(language, hostile));
    }
    pages
        .into_iter()
        .map(|(name, html)| (name, html.clone(), elements(name, &html)))
        .collect()
}

/// Snapshots say what a page adds to the layout; the layout is seen once, in full.
#[test]
fn pages_look_as_recorded() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for language in Language::ALL {
            // `login.snap` is English, `login.de.snap` German.
            let recorded = |name: &str| match language {
                Language::En => name.to_owned(),
                _ => format!("{name}.{}", language.tag()),
            };
            for (name, mut html) in samples(language, ordinary) {
                // The hash of a file's content changes with each touch of the style sheet.
                for file in ["portolan.css", "app.js", "passkeys.js", "favicon.svg"] {
                    html = html.replace(&*assets::asset_url(file), &format!("/static/HASH/{file}"));
                }
                let main = html.find("<main").unwrap()..html.find("</main>").unwrap();
                insta::assert_snapshot!(recorded(name), without_empty_lines(&html[main.clone()]));
                if name == "message" {
                    html.replace_range(main, "<main>");
                    insta::assert_snapshot!(recorded("layout"), without_empty_lines(&html));
                }
            }
        }
    });
}

/// Lines that held only template tags come out empty.
fn without_empty_lines(html: &str) -> String {
    let lines: Vec<&str> = html
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("\n")
}

/// What was recorded or photographed of the catalogue, by the names of its files, without what follows the page's name.
fn recorded(folder: &Path, ending: &str) -> HashSet<String> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files
        .filter_map(|file| file.strip_suffix(ending).map(str::to_owned))
        .collect()
}

/// A page that leaves the catalogue leaves its record behind, which this finds.
#[test]
fn every_recorded_page_is_in_the_catalogue() {
    let pages: HashSet<&str> = samples(Language::En, ordinary)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/snapshots");
    let found = recorded(&folder, ".snap");
    assert!(found.len() > pages.len());
    for name in found {
        let page = name.split('.').next().unwrap();
        assert!(
            page == "layout" || pages.contains(page),
            "{page} is no longer in the catalogue"
        );
    }
}

/// A page is a struct beside a template, and each struct has samples.
#[test]
fn every_template_of_a_page_is_in_the_catalogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let (mut pages, mut tests) = (Vec::new(), String::new());
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if path.to_str().unwrap().ends_with("_tests.rs") {
            tests.push_str(&text);
            continue;
        }
        for definition in text.split("path = \"pages/").skip(1) {
            let after = definition.split("pub struct ").nth(1).unwrap();
            pages.push(after.split([' ', '<', '{']).next().unwrap().to_owned());
        }
    }
    let templates = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pages")).unwrap();
    assert_eq!(pages.len(), templates.count(), "{pages:?}");
    for page in pages {
        assert!(tests.contains(&format!("{page} {{")), "{page} has no sample");
    }
}

/// `cargo xtask screens` takes them. Only names are compared: pictures differ with the fonts of a machine.
#[test]
fn every_page_has_its_pictures() {
    let mut wanted = HashSet::new();
    for (name, _) in samples(Language::En, ordinary) {
        for look in ["narrow-light", "narrow-dark", "wide-light", "wide-dark"] {
            wanted.insert(format!("{name}-{look}"));
        }
    }
    let found = recorded(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screens"),
        ".webp",
    );
    let mut differences: Vec<_> = wanted.symmetric_difference(&found).collect();
    differences.sort();
    assert!(
        differences.is_empty(),
        "take them anew with `cargo xtask screens`: {differences:?}"
    );
}

#[test]
fn hostile_words_stay_words() {
    const ATTRIBUTES: &str = "accept action alt aria-controls aria-current aria-describedby aria-hidden aria-invalid aria-label autocapitalize autocomplete autofocus \
        charset checked class content cx cy d data-conditional data-copy data-copy-status data-once data-options data-passkey \
        data-passkey-status data-reveal data-without-script data-word-copied data-word-failed data-word-hide data-word-none data-word-registered data-word-select data-word-wrong-address datetime defer enctype fill \
        focusable for formnovalidate height hidden href hreflang id inputmode lang list method minlength name opacity open r referrerpolicy rel required \
        role rows selected spellcheck src stroke stroke-linejoin stroke-width tabindex target type value viewBox width";
    let known: HashSet<&str> = ATTRIBUTES.split(' ').collect();
    let mut shown = HashSet::new();
    for (page, html, elements) in catalogue() {
        assert!(!html.contains(HOSTILE), "{page}");
        assert!(!html.contains("<script>"), "{page}");
        assert!(!html.contains("javascript:"), "{page}");
        for element in &elements {
            for attribute in element.attributes.keys() {
                assert!(
                    known.contains(attribute.as_str()),
                    "{page}: {} has {attribute}",
                    element.name
                );
            }
        }
        if html.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38; onclick=alert(1) x=") {
            shown.insert(page);
        }
    }
    // Otherwise the hostile words would have been lost on the way and this test would see nothing.
    for page in [
        "login",
        "login_step_up",
        "consent",
        "continue_as",
        "auth_code",
        "auth_code_refused",
        "logout",
        "logged_out_of_client",
        "error_unknown_scopes",
        "setup_refused",
        "setup_done",
        "reset_password",
        "sign_up",
        "sign_up_account",
        "address",
        "address_confirm",
        "message",
        "home_signed_in",
        "login_without_request",
        "login_passkey",
        "login_factor",
        "security",
        "security_password",
        "security_totp",
        "security_passkey_new",
        "security_passkey",
        "security_remove",
        "security_recovery_codes_shown",
        "consents",
        "consents_after_withdrawal",
        "consents_revoke",
        "consents_revoke_branch",
        "consents_revoke_whole_tree",
        "consents_revoke_app",
        "consents_revoke_all",
        "identities",
        "identities_alone",
        "identities_linked",
        "identities_new_primary",
        "identity_unlink",
        "identity_make_primary",
        "link",
        "link_for_an_app",
        "login_linking",
        "link_confirm",
        "link_confirm_third",
        "appearance_app",
        "appearance_refused",
        "login_with_skin",
        "consent_with_skin",
        "logged_out_with_skin",
        "first_address_differs",
        "first_app_refused",
        "first_token",
        "console",
        "console_people",
        "console_person",
        "console_confirm_refused",
        "console_providers",
        "console_provider",
        "console_provider_edit",
        "console_provider_refused",
        "console_clients",
        "console_client",
        "console_client_disabled",
        "console_audit",
        "console_audit_unread",
        "console_server",
    ]
    .iter()
    .chain(developer_pages::SHOW_STRANGERS_WORDS)
    {
        assert!(shown.contains(page), "{page} shows nothing hostile");
    }
    for page in services::names() {
        assert!(shown.contains(page), "{page} shows nothing hostile");
    }
}

#[test]
fn templates_never_switch_escaping_off() {
    fn visit(folder: &Path, seen: &mut usize) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, seen);
                continue;
            }
            let markup = fs::read_to_string(&path).unwrap();
            let squeezed: String = markup.chars().filter(|c| !c.is_whitespace()).collect();
            for way in ["|safe", "|escape(", "|e(", "{%filter", "{%autoescape"] {
                assert!(!squeezed.contains(way), "{} uses {way}", path.display());
            }
            *seen += 1;
        }
    }
    let mut seen = 0;
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut seen);
    assert!(seen > 10);
}

#[test]
fn every_form_carries_its_token() {
    let mut forms = 0;
    for (page, _, elements) in catalogue() {
        for (index, form) in elements
            .iter()
            .enumerate()
            .filter(|(_, element)| element.name == "form")
        {
            // A search changes nothing, and its fields stand in the address.
            if form.get("role") == Some("search") {
                assert_eq!(form.get("method"), Some("get"), "{page}");
                assert!(
                    !elements.iter().any(
                        |element| element.get("name") == Some("form_token") && is_inside(&elements, element, index)
                    ),
                    "{page}"
                );
                continue;
            }
            let token = elements
                .iter()
                .find(|element| element.get("name") == Some("form_token") && is_inside(&elements, element, index));
            let token = token.unwrap_or_else(|| panic!("{page}: a form without token"));
            assert_eq!(
                (token.get("type"), token.get("value")),
                (Some("hidden"), Some("kq3vT0nP")),
                "{page}"
            );
            assert_eq!(
                form.get("method"),
                Some("post"),
                "{page}: a token must not stand in an address"
            );
            assert!(form.get("action").unwrap().starts_with('/'), "{page}");
            forms += 1;
        }
    }
    assert!(forms >= 20);
}

fn is_inside(elements: &[Element], element: &Element, ancestor: usize) -> bool {
    let mut parent = element.parent;
    while let Some(index) = parent {
        if index == ancestor {
            return true;
        }
        parent = elements[index].parent;
    }
    false
}

#[test]
fn pages_obey_the_content_security_policy() {
    for (page, _, elements) in catalogue() {
        for element in &elements {
            assert!(
                !["style", "iframe", "object", "base"].contains(&element.name.as_str()),
                "{page}"
            );
            assert_eq!(element.get("style"), None, "{page}");
            assert!(element.attributes.keys().all(|name| !name.starts_with("on")), "{page}");
            if element.name == "script" {
                assert!(element.text.is_empty(), "{page}: a script of its own");
            }
            let loads = match element.name.as_str() {
                "script" => element.get("src"),
                "link" => element.get("href"),
                _ => None,
            };
            // Logos are files of this server, or stand in the page while they are tried.
            if element.name == "img" {
                let src = element.get("src").unwrap();
                let here = src.starts_with("/p/skin/") || src.starts_with("data:image/png;base64,");
                assert!(here && element.get("alt").is_some(), "{page}: {src}");
            }
            if let Some(url) = loads {
                if let Some(file) = url.strip_prefix("/p/skin/") {
                    assert!(crate::domain::skin::Colours::of_file(file).is_some(), "{page}: {url}");
                    continue;
                }
                let path = url
                    .strip_prefix("/static/")
                    .unwrap_or_else(|| panic!("{page} loads {url}"));
                assert!(assets::serve(path).is_some(), "{page}: {url} leads nowhere");
            }
        }
    }
}

#[test]
fn links_lead_to_the_web_or_stay_here() {
    for (page, _, elements) in catalogue() {
        for link in elements.iter().filter(|element| element.name == "a") {
            let href = link.get("href").unwrap();
            assert!(
                ["/", "#", "https://", "mailto:"]
                    .iter()
                    .any(|start| href.starts_with(start))
                    && !href.starts_with("//"),
                "{page}: {href}"
            );
            if link.get("target") == Some("_blank") {
                assert!(link.get("rel").unwrap().contains("noopener"), "{page}: {href}");
            }
        }
    }
}

#[test]
fn pages_can_be_used_with_a_screen_reader() {
    for (page, _, elements) in catalogue() {
        let count = |name: &str| elements.iter().filter(|element| element.name == name).count();
        for landmark in ["h1", "main", "header", "footer", "title"] {
            assert_eq!(count(landmark), 1, "{page}: {landmark}");
        }
        let tags = Language::ALL.map(|language| Some(language.tag()));
        assert!(tags.contains(&elements[0].get("lang")), "{page}");

        let mut ids = HashSet::new();
        for id in elements.iter().filter_map(|element| element.get("id")) {
            assert!(ids.insert(id), "{page}: two elements are {id}");
        }
        for element in &elements {
            let references = [
                "for",
                "aria-describedby",
                "aria-controls",
                "data-copy",
                "data-reveal",
                "list",
            ];
            for id in references
                .iter()
                .filter_map(|name| element.get(name))
                .flat_map(str::split_whitespace)
            {
                assert!(ids.contains(id), "{page}: nothing is {id}");
            }
            if let Some(id) = element.get("href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(id), "{page}: nothing is {id}");
            }
            if element.name == "input" && element.get("type") != Some("hidden") {
                let labelled = elements
                    .iter()
                    .any(|label| label.name == "label" && label.get("for") == element.get("id"));
                assert!(labelled, "{page}: {:?} has no label", element.get("name"));
                assert_eq!(
                    element.get("aria-invalid").is_some(),
                    element_has_error(&elements, element),
                    "{page}"
                );
            }
        }
        let mut deepest = 1;
        for heading in elements
            .iter()
            .filter(|element| ["h1", "h2", "h3"].contains(&element.name.as_str()))
        {
            let level: i32 = heading.name[1..].parse().unwrap();
            assert!(level <= deepest + 1, "{page}: a heading level is skipped");
            deepest = level;
        }
    }
}

fn element_has_error(elements: &[Element], input: &Element) -> bool {
    let id = format!("{}-error", input.get("id").unwrap());
    elements.iter().any(|element| element.get("id") == Some(&id))
}

fn page(name: &str) -> Vec<Element> {
    let (_, html) = samples(Language::En, ordinary)
        .into_iter()
        .find(|(page, _)| *page == name)
        .unwrap();
    elements(name, &html)
}

/// Names and values of what a browser would send without a click on anything but a button.
fn fields(elements: &[Element]) -> Vec<(&str, &str)> {
    let inputs = elements.iter().filter(|element| element.name == "input");
    let sent = inputs.filter(|input| input.get("type") != Some("checkbox") || input.get("checked").is_some());
    sent.map(|input| (input.get("name").unwrap(), input.get("value").unwrap_or_default()))
        .collect()
}

fn buttons(elements: &[Element]) -> Vec<Option<&str>> {
    let buttons = elements
        .iter()
        .filter(|element| element.name == "button" && element.get("type") == Some("submit"));
    buttons
        .map(|button| button.get("name").and(button.get("value")))
        .collect()
}

#[test]
fn login_posts_what_a_password_manager_fills() {
    let login = page("login");

    assert_eq!(
        fields(&login),
        [
            ("form_token", "kq3vT0nP"),
            ("request", "7f1c9a52"),
            ("username", ""),
            ("password", "")
        ]
    );
    // The first button is what the Enter key presses.
    assert_eq!(buttons(&login), [None, Some("deny")]);
    let by_name = |name: &str| login.iter().find(|element| element.get("name") == Some(name)).unwrap();
    assert_eq!(by_name("username").get("autocomplete"), Some("username webauthn"));
    assert_eq!(by_name("password").get("autocomplete"), Some("current-password"));
    assert_eq!(by_name("password").get("type"), Some("password"));
}

#[test]
fn refused_login_keeps_the_username_and_forgets_the_password() {
    let refused = page("login_refused");

    assert!(fields(&refused).contains(&("username", "alice")));
    assert!(fields(&refused).contains(&("password", "")));
    let alert = refused.iter().find(|element| element.get("role") == Some("alert"));
    assert_eq!(alert.unwrap().get("id"), Some("errors"));
    let title = refused.iter().find(|element| element.name == "title").unwrap();
    assert!(title.text.starts_with("Error: "), "{}", title.text);
}

#[test]
fn consent_posts_the_decision_and_the_optional_scopes() {
    let consent = page("consent");

    assert_eq!(
        fields(&consent),
        [
            ("form_token", "kq3vT0nP"),
            ("request", "7f1c9a52"),
            ("scope_optional", "1.0.0")
        ]
    );
    assert_eq!(buttons(&consent), [Some("allow"), Some("deny"), Some("switch")]);
    let boxes = consent.iter().filter(|element| element.get("type") == Some("checkbox"));
    let paths: Vec<&str> = boxes.map(|element| element.get("value").unwrap()).collect();
    assert_eq!(paths, ["1.0.0", "1.1"]);
}

#[test]
fn dependent_scopes_stand_beneath_the_scope_that_needs_them() {
    let consent = page("consent");
    let depth = |id: &str| {
        let start = consent
            .iter()
            .position(|element| element.get("id") == Some(id))
            .unwrap();
        let mut lists = 0;
        let mut parent = consent[start].parent;
        while let Some(index) = parent {
            lists += usize::from(consent[index].name == "ul");
            parent = consent[index].parent;
        }
        lists
    };

    assert_eq!(
        [
            depth("scope-0-text"),
            depth("scope-1-text"),
            depth("scope-1.0-text"),
            depth("scope-1.0.0-text")
        ],
        [1, 1, 2, 3]
    );
}

#[test]
fn every_permission_that_can_end_alone_has_its_link_with_a_name_of_its_own() {
    let list = page("consents");
    let links: Vec<(&str, String)> = list
        .iter()
        .enumerate()
        .filter(|(_, element)| {
            element
                .get("href")
                .is_some_and(|href| href.starts_with("/v2/web/consents/"))
        })
        .map(|(index, link)| {
            let hidden = list.iter().find(|element| element.parent == Some(index));
            let hidden = hidden.map_or("", |element| element.text.as_str());
            (link.get("href").unwrap(), format!("{}{hidden}", link.text))
        })
        .collect();

    let paths: Vec<&str> = links.iter().map(|(href, _)| *href).collect();
    let here = "/v2/web/consents";
    assert_eq!(
        paths,
        ["70309", "70310", "70312", "70309?extent=app", "81021", "all"].map(|id| format!("{here}/{id}"))
    );
    let names: HashSet<&String> = links.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), links.len(), "{names:?}");
}

#[test]
fn a_withdrawal_posts_what_was_shown() {
    let asked = page("consents_revoke");

    assert_eq!(fields(&asked), [("form_token", "kq3vT0nP"), ("shown", "c2hvd24")]);
    assert_eq!(buttons(&asked), [None]);
    let form = asked.iter().find(|element| element.name == "form").unwrap();
    assert_eq!(form.get("action"), Some("/v2/web/consents/70310"));
}

#[test]
fn label_is_asked_only_for_clients_that_want_one() {
    assert!(fields(&page("consent_while_away")).contains(&("label", "Globus CLI on laptop-7")));
    assert!(fields(&page("consent")).iter().all(|(name, _)| *name != "label"));
}

#[test]
fn web_links_are_http_with_a_host() {
    for accepted in [
        "https://a.example/terms",
        "http://localhost:3000/",
        "HTTPS://A.EXAMPLE/",
    ] {
        assert!(Href::web(accepted).is_some(), "{accepted}");
    }
    for refused in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "/x",
        "//x",
        "",
        "https://",
        "ftp://a/",
    ] {
        assert_eq!(Href::web(refused), None, "{refused}");
    }
}

#[test]
fn paths_stay_on_this_server() {
    assert_eq!(
        Href::path("/v2/web/login?request=1").to_string(),
        "/v2/web/login?request=1"
    );
    for elsewhere in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "",
        "x",
        "/\t/evil.example",
        "/\n/evil",
    ] {
        assert_eq!(Href::path(elsewhere).to_string(), "/", "{elsewhere:?}");
    }
}

#[test]
fn contact_becomes_a_link_only_if_it_is_an_address() {
    let link = |contact: &str| {
        let layout = Layout {
            operator_contact: Some(contact.to_owned()),
            ..Layout::default()
        };
        layout.contact_link().map(|href| href.to_string())
    };

    assert_eq!(
        link("help@lab.example.org").as_deref(),
        Some("mailto:help@lab.example.org")
    );
    assert_eq!(
        link("https://help.example.org/").as_deref(),
        Some("https://help.example.org/")
    );
    assert_eq!(link("room 12, ask for Ada"), None);
    assert_eq!(link("a@b?cc=everybody@example.org"), None);
}

#[test]
fn refused_setup_keeps_what_was_typed_but_the_passwords() {
    assert_eq!(
        fields(&page("setup_refused"))[2..],
        [
            ("username", "admin"),
            ("name", "Ada Min"),
            ("email", "ada@lab.example.org"),
            ("password", ""),
            ("password_again", "")
        ]
    );
}
