//! Sample data for the look of apps and for the first steps, in every state.

use std::time::Duration;

use super::super::consent::*;
use super::super::sign_in::*;
use super::super::*;
use crate::texts::Language;
use crate::web::pages::console::{AddressStepPage, AppStepPage, TokenStepPage};
use crate::web::pages::developers::{Recipe, Tool, Trail};
use crate::web::pages::skin::{AppearanceNotice, AppearancePage, LogoView, SkinView};

const STYLESHEET: &str = "/p/skin/7a1f2b-ffffff-f6efe9.css";
/// Four rings in a row, 240 by 60.
const RINGS: &str = "iVBORw0KGgoAAAANSUhEUgAAAPAAAAA8AQMAAABisaUeAAAABlBMVEUAAAD27+kUHgNSAAAAAXRSTlMAQObYZgAAAVdJREFUeNrV\
    1MFtpEAQBdA3NUieg6WZDEwIzsBkNjgznMGGQAistAcOmNpDX+yytVy9feIJUahL+p8ffe4zeNi/5UO2h3vO39BT5ohT5voN3TNn\
    PGT7rFBmLrhm5heGMx7xjElh6BAY0Kt0zTY129TPDDcYneCiMPQwCOgUxr8XGgZvg17nvRMqZbrm4pqLzMrg3R/wy0BhnGx2FzeT\
    2VgYrFK7zUJhhIWx0yer4QvNTNjZKAy8TOC8tbt+ZDAN/Yyti53CrmP8LQwuJ/rC4NVlwXpzp/Bw5//x67v1hsvilcLYGBe7yZrM\
    hcEwzT26bQ8KA28DeO/a/z4y6FtiogWo8JQLuXpKrjkWBpeWGGMLUGFuzrm45uQlv/AoBqPp2WL1eJYqvWRmTs6ZmVvl4c5nmOyw\
    qTwqjxWJEYvCsLXEmFqACo9qz8iCtQ2tPKrcg8I+qPufev4CqX9XTgbfV6sAAAAASUVORK5CYII=";

/// What these pages load, for a browser that looks at them: names and contents.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let name = STYLESHEET.trim_start_matches("/p/skin/");
    let colours = crate::domain::skin::Colours::of_file(name).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    // Four rings in a row.
    let picture = image::RgbaImage::from_fn(480, 120, |x, y| {
        let (across, down) = (x % 120, y);
        let distance = across.abs_diff(60).pow(2) + down.abs_diff(60).pow(2);
        let inked = distance < 15 * 15 || (28 * 28..50 * 50).contains(&distance);
        image::Rgba([246, 239, 233, if inked { 255 } else { 0 }])
    });
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    vec![
        (name.to_owned(), colours.stylesheet().into_bytes()),
        (format!("{}.png", "0a".repeat(32)), png.into_inner()),
    ]
}

pub(crate) fn samples(language: Language, say: fn(&str) -> String) -> Vec<(&'static str, String)> {
    let layout = |title: &str| Layout {
        language,
        title: say(language.text(title)),
        request_id: "0f8fad5bd9cb469fa16570867728950e".to_owned(),
        operator_contact: Some("help@lab.example.org".to_owned()),
        offers_languages: true,
        ..Layout::default()
    };
    let skin = |logo: bool| SkinView {
        stylesheet: STYLESHEET.to_owned(),
        logo: logo.then(|| LogoView {
            src: format!("/p/skin/{}.png", "0a".repeat(32)),
            width: 480,
            height: 120,
        }),
        header: say("Beamline 7 of the Example Laboratory"),
    };
    let worn = |title: &str| Layout {
        skin: Some(skin(true)),
        ..layout(title)
    };
    let signed_in = |title: &str| Layout {
        signed_in_as: Some(say("alice@portolan.local")),
        ..layout(title)
    };
    let form_token = || "kq3vT0nP".to_owned();
    let client = || ClientView::new(say("Beamline Portal"), None, None);
    let up = |text: String, path: &str| Link {
        text,
        href: Href::path(path),
    };
    let project_trail = || {
        vec![
            up(language.text("developers-projects").to_owned(), "/p/developers"),
            up(say("Beamline"), "/p/developers/projects/5e0c3f0a"),
        ]
    };
    let appearance = || AppearancePage {
        layout: Layout {
            skin: Some(skin(true)),
            ..signed_in("How Beamline Portal looks")
        },
        trail: Trail {
            above: [
                project_trail(),
                vec![up(say("Beamline Portal"), "/p/developers/apps/5e0c3f0a")],
            ]
            .concat(),
        },
        action: Href::path("/p/developers/apps/5e0c3f0a/appearance"),
        form_token: form_token(),
        is_project: false,
        header_text: say("Beamline 7 of the Example Laboratory"),
        band: "#7a1f2b".to_owned(),
        band_text: "#ffffff".to_owned(),
        has_background: true,
        background: "#f6efe9".to_owned(),
        has_logo: true,
        tried_logo: String::new(),
        is_saved: true,
        is_tried: false,
        cancel: Href::path("/p/developers/apps/5e0c3f0a"),
        notice: None,
        errors: FormErrors::none(),
    };
    let administrator = |title: &str| Layout {
        administers: true,
        ..signed_in(title)
    };
    let address = || AddressStepPage {
        layout: administrator("first-address-title"),
        seen: Some("https://auth.example.org".to_owned()),
        configured: "https://auth.example.org".to_owned(),
        agrees: true,
        is_plain: false,
        next: Href::path("/p/console/setup/app"),
    };
    let first_app = || AppStepPage {
        layout: administrator("first-app-title"),
        form_token: form_token(),
        action: Href::path("/p/console/setup/app"),
        display_name: say("First project"),
        contact_email: "ada@example.org".to_owned(),
        name: say(language.text("first-app-app-example")),
        skip: Href::path("/p/console"),
        errors: FormErrors::none(),
    };

    fn page(name: &'static str, template: &dyn askama::DynTemplate) -> (&'static str, String) {
        (name, template.dyn_render().unwrap())
    }
    vec![
        page("appearance_app", &appearance()),
        page(
            "appearance_none",
            &AppearancePage {
                layout: signed_in("How Beamline Portal looks"),
                header_text: String::new(),
                has_background: false,
                has_logo: false,
                is_saved: false,
                notice: Some(AppearanceNotice::Removed),
                ..appearance()
            },
        ),
        page(
            "appearance_tried",
            &AppearancePage {
                layout: Layout {
                    skin: Some(SkinView {
                        logo: Some(LogoView {
                            src: format!("data:image/png;base64,{RINGS}"),
                            width: 240,
                            height: 60,
                        }),
                        ..skin(false)
                    }),
                    ..signed_in("How Beamline Portal looks")
                },
                tried_logo: RINGS.to_owned(),
                is_tried: true,
                ..appearance()
            },
        ),
        page(
            "appearance_project_saved",
            &AppearancePage {
                layout: Layout {
                    skin: Some(skin(true)),
                    ..signed_in("How Beamline looks")
                },
                trail: Trail { above: project_trail() },
                is_project: true,
                notice: Some(AppearanceNotice::Saved),
                ..appearance()
            },
        ),
        page(
            "appearance_refused",
            &AppearancePage {
                band: "#777777".to_owned(),
                errors: FormErrors::field("band_text", "The contrast is 4.47, and 4.50 is needed.")
                    .and("background", "The contrast is 2.10, and 4.50 is needed.")
                    .and("header_text", language.text("appearance-bad-text"))
                    .and("logo", language.text("appearance-logo-format")),
                ..appearance()
            },
        ),
        page(
            "login_with_skin",
            &LoginPage {
                layout: worn("login-title"),
                action: "/p/login".to_owned(),
                form_token: form_token(),
                request: Some("7f1c9a52".to_owned()),
                client: Some(client()),
                username: String::new(),
                reason: LoginReason::NotSignedIn,
                session_message: None,
                errors: FormErrors::none(),
                ways: Vec::new(),
                carried: Vec::new(),
                choice: ProviderChoice::default(),
                passkey: None,
                can_cancel: true,
                time_limit: None,
            },
        ),
        page(
            "consent_with_skin",
            &ConsentPage {
                layout: Layout {
                    skin: Some(skin(false)),
                    ..signed_in("consent-title")
                },
                action: "/p/consent".to_owned(),
                form_token: form_token(),
                request: Some("7f1c9a52".to_owned()),
                client: client(),
                account: AccountView {
                    username: say("alice@portolan.local"),
                    name: None,
                    provider: None,
                },
                scopes: vec![ScopeNode {
                    language,
                    path_id: "0".to_owned(),
                    name: say("Know who you are"),
                    description: say("Your account name and identifier"),
                    scope_string: "openid".to_owned(),
                    resource: say("Portolan"),
                    optional: false,
                    checked: false,
                    children: Vec::new(),
                }],
                duration: AccessDuration::WhilePresent {
                    lifetime: Duration::from_secs(172_800),
                },
                label: None,
                destination: None,
                consents_page: None,
                can_switch_account: false,
                errors: FormErrors::none(),
                time_limit: None,
            },
        ),
        page(
            "logged_out_with_skin",
            &LoggedOutPage {
                layout: worn("logout-done-title"),
                client_name: Some(say("Beamline Portal")),
                continue_to: None,
            },
        ),
        page("first_address", &address()),
        page(
            "first_address_differs",
            &AddressStepPage {
                configured: "http://localhost:8080".to_owned(),
                agrees: false,
                is_plain: true,
                ..address()
            },
        ),
        page(
            "first_address_unknown",
            &AddressStepPage {
                seen: None,
                ..address()
            },
        ),
        page("first_app", &first_app()),
        page(
            "first_app_refused",
            &AppStepPage {
                errors: FormErrors::field("contact_email", language.text("account-email-form"))
                    .and("name", "Must have 1 to 255 characters."),
                ..first_app()
            },
        ),
        page(
            "first_token",
            &TokenStepPage {
                layout: administrator("first-token-title"),
                name: say(language.text("first-app-app-example")),
                recipes: vec![
                    Recipe {
                        tool: Tool::Curl,
                        text: say("curl -d grant_type=authorization_code https://auth.example.org/v2/oauth2/token"),
                    },
                    Recipe {
                        tool: Tool::Python,
                        text: "import globus_sdk".to_owned(),
                    },
                ],
                app: Href::path("/p/developers/apps/5e0c3f0a"),
                console: Href::path("/p/console"),
            },
        ),
    ]
}
