//! The look of apps: who may choose it, what is refused, and where it is seen (threat 17).

use std::io::Cursor;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use portolan_db::params;
use portolan_types::ProjectId;

use crate::support::{Answer, Browser, TestClient, TestServer, TestUser};

struct World {
    server: TestServer,
    browser: Browser,
    project: ProjectId,
    app: TestClient,
}

/// Alice, who administers a project with an app.
fn world() -> World {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let project = server.project("Beamline");
    administers(&server, project, &alice);
    let app = server.client().named("Portal").in_project(project).create();
    World {
        browser: server.browser_of(&alice),
        server,
        project,
        app,
    }
}

fn administers(server: &TestServer, project: ProjectId, user: &TestUser) {
    let id = user.id;
    server.write(move |tx| portolan_server::store::projects::insert_admin(tx, project, id));
}

fn picture(width: u32, height: u32) -> Vec<u8> {
    let points = RgbaImage::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, 90, 255]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgba8(points)
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// What a browser sends for a form with a file.
fn multipart(fields: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let file = file.map_or((b"".as_slice(), ""), |bytes| (bytes, "logo.png"));
    let head = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"{}\"\r\nContent-Type: image/png\r\n\r\n",
        file.1
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file.0);
    body.extend_from_slice(b"\r\n--xyz--\r\n");
    body
}

impl World {
    fn path(&self) -> String {
        format!("/p/developers/apps/{}/appearance", self.app.id)
    }

    fn send_to(&self, browser: &Browser, path: &str, fields: &[(&str, &str)], file: Option<&[u8]>) -> Answer {
        let cookies: Vec<String> = browser
            .cookies()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.server
            .request(Method::POST, path)
            .header("cookie", &cookies.join("; "))
            .header("origin", &self.server.config().public_url())
            .header(CONTENT_TYPE, "multipart/form-data; boundary=xyz")
            .body(multipart(fields, file))
            .send()
    }

    /// The form as it is on the page, with these changes.
    fn send(&self, path: &str, changes: &[(&str, &str)], file: Option<&[u8]>) -> Answer {
        assert!(
            self.browser.get(path).page().status.is_success(),
            "{}",
            self.browser.text()
        );
        let form = changes
            .iter()
            .fold(self.browser.form(), |form, (name, value)| form.set(name, value));
        let fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .filter(|(name, _)| name != "logo")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.send_to(&self.browser, path, &fields, file)
    }

    fn login_page(&self) -> String {
        let browser = self.server.browser();
        browser.authorize(&self.app, &self.app.params("openid"));
        browser.text()
    }
}

/// The address of the style sheet or picture of a look that a page loads.
fn loaded(text: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"/p/skin/")?;
    let all = std::iter::once(rest).chain(rest.split("\"/p/skin/").skip(1));
    all.filter_map(|rest| rest.split_once('"'))
        .map(|(file, _)| format!("/p/skin/{file}"))
        .find(|path| path.ends_with(end))
}

#[test]
fn a_look_is_seen_wherever_the_app_sends_people() {
    let w = world();
    assert_eq!(
        loaded(&w.login_page(), ".css"),
        None,
        "without a look pages are as ever"
    );
    let saved = w.send(
        &w.path(),
        &[
            ("decision", "save"),
            ("header_text", "Beamline 7"),
            ("band", "#7a1f2b"),
            ("band_text", "#ffffff"),
            ("has_background", "yes"),
            ("background", "#f6efe9"),
        ],
        Some(&picture(960, 240)),
    );
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.summary());

    let login = w.login_page();
    assert!(login.contains("Beamline 7"));
    let css = loaded(&login, ".css").expect("the page loads the style sheet");
    assert_eq!(css, "/p/skin/7a1f2b-ffffff-f6efe9.css");
    let sheet = w.server.get(&css).ok();
    assert_eq!(sheet.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(sheet.header("cache-control").unwrap().contains("immutable"));
    assert!(sheet.text().contains("background:#7a1f2b"));
    let png = loaded(&login, ".png").expect("and the logo");
    let logo = w.server.get(&png).ok();
    assert_eq!(logo.header("content-type"), Some("image/png"));
    assert_eq!(logo.header("x-content-type-options"), Some("nosniff"));
    let decoded = image::load_from_memory(&logo.body).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (480, 120));
    assert!(login.contains("width=\"240\" height=\"60\""));

    // On the way: the consent page. Afterwards: the page that asks before it signs out.
    let bob = w.server.user("bob").create();
    let browser = w.server.browser_of(&bob);
    browser.authorize(&w.app, &w.app.params("openid"));
    assert_eq!(loaded(&browser.text(), ".css"), Some(css.clone()), "consent");
    browser.get(&format!("/v2/web/logout?client_id={}", w.app.id));
    assert_eq!(loaded(&browser.text(), ".css"), Some(css), "logout");

    // No page of anybody else.
    let other = w.server.client().create();
    let browser = w.server.browser();
    browser.authorize(&other, &other.params("openid"));
    assert_eq!(loaded(&browser.text(), ".css"), None);
    browser.get("/p/login");
    assert_eq!(loaded(&browser.text(), ".css"), None);
}

#[test]
fn apps_look_like_their_project_unless_they_have_a_look_of_their_own() {
    let w = world();
    let project = format!("/p/developers/projects/{}/appearance", w.project);
    w.send(&project, &[("decision", "save"), ("band", "#004400")], None);
    assert_eq!(loaded(&w.login_page(), ".css").unwrap(), "/p/skin/004400-ffffff.css");
    assert!(
        w.login_page().contains("Portal"),
        "without a text of its own it is the name"
    );
    w.send(&w.path(), &[("decision", "save"), ("band", "#440044")], None);
    assert_eq!(loaded(&w.login_page(), ".css").unwrap(), "/p/skin/440044-ffffff.css");
    w.send(&w.path(), &[("decision", "remove")], None);
    assert_eq!(loaded(&w.login_page(), ".css").unwrap(), "/p/skin/004400-ffffff.css");
    assert_eq!(
        w.server.count(
            "SELECT count(*) FROM audit_events WHERE action = 'skin.update'",
            params![]
        ),
        2
    );
    assert_eq!(
        w.server.count(
            "SELECT count(*) FROM audit_events WHERE action = 'skin.delete'",
            params![]
        ),
        1
    );
}

#[test]
fn a_look_is_tried_on_the_page_itself_and_saved_with_its_logo_afterwards() {
    let w = world();
    let tried = w.send(
        &w.path(),
        &[("decision", "try"), ("band", "#123456")],
        Some(&picture(40, 20)),
    );
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.summary());
    let text = tried.text();
    assert_eq!(loaded(&text, ".css").unwrap(), "/p/skin/123456-ffffff.css");
    assert!(text.contains("src=\"data:image/png;base64,"));
    assert!(text.contains("Nobody else sees it until you save it."));
    assert_eq!(loaded(&w.login_page(), ".css"), None, "nobody else sees it");

    // The form of that page brings the logo along.
    let form = &crate::support::forms(&text)[0];
    let fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .filter(|(name, _)| name != "logo")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("decision", "save")])
        .collect();
    let saved = w.send_to(&w.browser, &w.path(), &fields, None);
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.summary());
    let first = loaded(&w.login_page(), ".png").expect("it has a logo");

    // Saved once more without a file, the logo stays; then it is taken away.
    w.send(&w.path(), &[("decision", "save"), ("header_text", "Welcome")], None);
    assert_eq!(loaded(&w.login_page(), ".png"), Some(first.clone()));
    w.send(&w.path(), &[("decision", "save"), ("remove_logo", "yes")], None);
    assert_eq!(loaded(&w.login_page(), ".png"), None);
    assert_eq!(w.server.get(&first).status, StatusCode::NOT_FOUND);
}

#[test]
fn colours_that_cannot_be_read_are_refused_with_their_ratio() {
    let w = world();
    let refused = |changes: &[(&str, &str)], said: &str| {
        let changes: Vec<(&str, &str)> = changes.iter().copied().chain([("decision", "save")]).collect();
        let answer = w.send(&w.path(), &changes, None);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes:?}");
        assert!(answer.text().contains(said), "{changes:?}: {}", answer.text());
    };
    refused(&[("band", "#777777")], "the contrast is 4.47, and 4.50 is needed");
    refused(&[("band", "#ffffff")], "the contrast is 1.00, and 4.50 is needed");
    refused(
        &[("has_background", "yes"), ("background", "#808080")],
        "cannot be read on this background",
    );
    for bad in [
        "red",
        "#12345",
        "#gggggg",
        "#123456;background:url(//evil)",
        "expression(1)",
        "",
    ] {
        refused(&[("band", bad)], "Write a colour such as #0f5069.");
    }
    refused(
        &[("header_text", &"x".repeat(81))],
        "One line of at most 80 characters.",
    );
    refused(&[("header_text", "a\u{7}b")], "One line of at most 80 characters.");
    // What was typed is still there.
    let answer = w.send(
        &w.path(),
        &[("decision", "try"), ("band", "#777777"), ("header_text", "Kept")],
        None,
    );
    assert!(answer.text().contains("value=\"Kept\"") && answer.text().contains("value=\"#777777\""));
    assert_eq!(loaded(&w.login_page(), ".css"), None, "nothing was saved");
}

#[test]
fn uploads_that_are_no_pictures_are_refused() {
    let w = world();
    let mut bomb = picture(8, 8);
    bomb[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let whole = picture(64, 64);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    for (name, bytes, said) in [
        ("svg", svg, "This is no PNG, JPEG or WebP."),
        (
            "gif",
            b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(),
            "This is no PNG, JPEG or WebP.",
        ),
        (
            "html",
            b"<!doctype html><script>alert(1)</script>".to_vec(),
            "This is no PNG, JPEG or WebP.",
        ),
        (
            "truncated",
            whole[..whole.len() / 2].to_vec(),
            "This picture cannot be read.",
        ),
        ("large", picture(2049, 2), "2049 by 2 points"),
        ("bomb", bomb, "cannot be read"),
    ] {
        let answer = w.send(&w.path(), &[("decision", "save")], Some(&bytes));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert!(answer.text().contains(said), "{name}: {}", answer.text());
        assert!(answer.text().contains("id=\"logo-error\""), "{name}");
    }
    let answer = w.send(&w.path(), &[("decision", "save"), ("tried_logo", "not base64!")], None);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(w.server.count("SELECT count(*) FROM skins", params![]), 0);

    // More than the route takes.
    let huge = vec![0; w.server.config().limits.upload_bytes + 1];
    let answer = w.send(&w.path(), &[("decision", "save")], Some(&huge));
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Other forms keep their own limit.
    let answer = w.send_to(&w.browser, "/p/account/sessions", &[], Some(&vec![0; 300 * 1024]));
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn nothing_of_an_upload_but_its_points_reaches_anybody() {
    let w = world();
    let mut polyglot = picture(60, 30);
    polyglot.extend_from_slice(b"<script>alert('still here')</script>PK\x03\x04");
    let saved = w.send(&w.path(), &[("decision", "save")], Some(&polyglot));
    assert_eq!(saved.status, StatusCode::SEE_OTHER);
    let logo = w.server.get(&loaded(&w.login_page(), ".png").unwrap()).ok();
    let is_in = |needle: &[u8]| logo.body.windows(needle.len()).any(|window| window == needle);
    assert!(!is_in(b"still here") && !is_in(b"PK\x03\x04"));
    assert!(image::load_from_memory(&logo.body).is_ok());
}

#[test]
fn only_admins_of_the_project_choose_after_a_recent_sign_in() {
    let w = world();
    let bob = w.server.user("bob").create();
    let bobs = w.server.browser_of(&bob);
    let project = format!("/p/developers/projects/{}/appearance", w.project);
    for path in [w.path(), project] {
        assert_eq!(bobs.get(&path).page().status, StatusCode::NOT_FOUND);
        let answer = w.server.browser().send(Method::GET, &path, None);
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        bobs.get("/v2/web/logout");
        let token = bobs.form().get("form_token").unwrap().to_owned();
        let fields = [
            ("form_token", token.as_str()),
            ("decision", "save"),
            ("band", "#000000"),
            ("band_text", "#ffffff"),
        ];
        assert_eq!(w.send_to(&bobs, &path, &fields, None).status, StatusCode::NOT_FOUND);
        let forged = [("form_token", "AAAA"), ("decision", "save")];
        assert_eq!(
            w.send_to(&w.browser, &path, &forged, None).status,
            StatusCode::FORBIDDEN
        );
    }
    w.server.advance_seconds(1801);
    assert_eq!(w.browser.get(&w.path()).title(), "Sign in");
}

#[test]
fn files_of_looks_that_never_were_are_not_there() {
    let server = TestServer::new();
    for file in [
        "x.css",
        "000000-ffffff-.css",
        "000000-ffffff.css.map",
        "%2e%2e.css",
        "00.png",
        "0000000000000000000000000000000000000000000000000000000000000000.png",
    ] {
        assert_eq!(
            server.get(&format!("/p/skin/{file}")).status,
            StatusCode::NOT_FOUND,
            "{file}"
        );
    }
}

/// Threat 17.
#[test]
fn hostile_words_in_a_look_stay_words() {
    let w = world();
    let hostile = "<script>alert(1)</script>\"'&";
    w.send(&w.path(), &[("decision", "save"), ("header_text", hostile)], None);
    let login = w.login_page();
    assert!(!login.contains("<script>alert"));
    assert!(login.contains("&#60;script&#62;alert(1)"));
}
