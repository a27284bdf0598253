//! A person's browser, as far as the server can tell: cookies, forms, redirects.

use std::cell::{Ref, RefCell};

use http::header::{ACCEPT_LANGUAGE, COOKIE, REFERER, SET_COOKIE};
use http::{Method, StatusCode};

use super::http::{Answer, encode};
use super::{Params, TestClient, TestServer, TestUser};

/// Keeps cookies and the page it shows. Clones are browsers with the same cookies that go
/// their own ways afterwards.
#[derive(Clone)]
pub struct Browser {
    server: TestServer,
    cookies: RefCell<Vec<(String, String)>>,
    page: RefCell<Option<Answer>>,
    path: RefCell<String>,
    /// What it asks for by `Accept-Language`.
    languages: RefCell<Option<String>>,
}

/// Where a walk through the server ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Left(Redirected),
    /// A page that waits for the person, or an error page. The browser shows it.
    Page(Answer),
}

/// A redirect out of the server.
#[derive(Clone, Debug)]
pub struct Redirected {
    pub location: String,
    pub status: StatusCode,
}

impl Redirected {
    /// The address before the query.
    pub fn address(&self) -> &str {
        self.location
            .split_once('?')
            .map_or(self.location.as_str(), |(address, _)| address)
    }

    /// The parameters of the answer, decoded, in their order.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.location.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// A parameter that must not come twice.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<String> {
        let values: Vec<String> = self
            .query()
            .into_iter()
            .filter_map(|(known, value)| (known == name).then_some(value))
            .collect();
        assert!(values.len() <= 1, "{name} comes twice: {}", self.location);
        values.into_iter().next()
    }
}

impl Outcome {
    #[track_caller]
    pub fn left(&self) -> &Redirected {
        match self {
            Outcome::Left(redirected) => redirected,
            Outcome::Page(page) => panic!("still on a page: {}", page.summary()),
        }
    }

    #[track_caller]
    pub fn page(&self) -> &Answer {
        match self {
            Outcome::Page(page) => page,
            Outcome::Left(redirected) => panic!("left the server: {}", redirected.location),
        }
    }

    pub fn is_page(&self) -> bool {
        matches!(self, Outcome::Page(_))
    }

    #[track_caller]
    pub fn code(&self) -> String {
        let left = self.left();
        left.get("code").unwrap_or_else(|| panic!("no code: {}", left.location))
    }

    #[track_caller]
    pub fn error(&self) -> Option<String> {
        self.left().get("error")
    }

    #[track_caller]
    pub fn state(&self) -> Option<String> {
        self.left().get("state")
    }

    #[track_caller]
    pub fn iss(&self) -> Option<String> {
        self.left().get("iss")
    }

    /// The heading of the page.
    #[track_caller]
    pub fn title(&self) -> String {
        title(&self.page().text())
    }
}

/// A form of a page, as a browser would send it.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    /// Names and values of what is filled in or ticked; buttons are left out.
    pub fields: Vec<(String, String)>,
    /// Names and values of the buttons.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Fills a field in; adds it if it is not there.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a field or a tick out.
    pub fn without(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, other)| known != name || other != value);
        self
    }
}

impl TestServer {
    /// A new browser, signed in to nothing.
    pub fn browser(&self) -> Browser {
        Browser {
            server: self.clone(),
            cookies: RefCell::new(Vec::new()),
            page: RefCell::new(None),
            path: RefCell::new(String::new()),
            languages: RefCell::new(None),
        }
    }

    /// A browser in which this person is signed in.
    pub fn browser_of(&self, user: &TestUser) -> Browser {
        let browser = self.browser();
        browser.login(user);
        browser
    }
}

impl Browser {
    pub fn server(&self) -> &TestServer {
        &self.server
    }

    pub fn cookies(&self) -> Ref<'_, Vec<(String, String)>> {
        self.cookies.borrow()
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.borrow();
        cookies
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.borrow_mut();
        cookies.retain(|(known, _)| known != name);
        cookies.push((name.to_owned(), value.to_owned()));
    }

    /// Asks for languages from now on.
    pub fn prefer(&self, languages: &str) {
        *self.languages.borrow_mut() = Some(languages.to_owned());
    }

    pub fn clear_cookies(&self) {
        self.cookies.borrow_mut().clear();
    }

    /// The text of the page it shows.
    #[track_caller]
    pub fn text(&self) -> String {
        self.page.borrow().as_ref().expect("a page is open").text()
    }

    /// The path of the page it shows, with its query.
    pub fn path(&self) -> String {
        self.path.borrow().clone()
    }

    /// The heading of the page it shows.
    #[track_caller]
    pub fn title(&self) -> String {
        title(&self.text())
    }

    /// One request with the cookies; a redirect is not followed.
    pub fn send(&self, method: Method, uri: &str, fields: Option<&[(String, String)]>) -> Answer {
        let mut request = self.server.request(method, uri);
        let cookies: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, &cookies.join("; "));
        }
        if let Some(languages) = self.languages.borrow().as_deref() {
            request = request.header(ACCEPT_LANGUAGE, languages);
        }
        // As the policy of our pages lets it.
        if !self.path.borrow().is_empty() {
            let page = format!("{}{}", self.server.config().public_url(), self.path.borrow());
            request = request.header(REFERER, &page);
        }
        if uri.starts_with("/p/login/with/") {
            // A link of our own pages.
            request = request.header("sec-fetch-site", "same-origin");
        }
        if let Some(fields) = fields {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            request = request
                .form(&fields)
                .header("origin", &self.server.config().public_url())
                .header("sec-fetch-site", "same-origin");
        }
        let answer = request.send();
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&self, answer: &Answer) {
        for header in answer.headers.get_all(SET_COOKIE) {
            let text = header.to_str().expect("a cookie is ASCII");
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
            self.set_cookie(name.trim(), value.trim());
            if attributes.contains("Max-Age=0") {
                self.cookies.borrow_mut().retain(|(known, _)| known != name.trim());
            }
        }
    }

    /// Opens an address and follows redirects inside of the server.
    pub fn get(&self, uri: &str) -> Outcome {
        let path = self.inside(uri).expect("an address of the server");
        let answer = self.send(Method::GET, &path, None);
        self.follow(path, answer)
    }

    /// The path of an address of the server. The display page is left to the person: the
    /// answer to the request is in its address.
    fn inside(&self, location: &str) -> Option<String> {
        let public_url = self.server.config().public_url();
        let path = if location.starts_with('/') {
            location
        } else {
            location
                .strip_prefix(&public_url)
                .filter(|rest| rest.starts_with('/'))?
        };
        Some(path.to_owned())
    }

    fn follow(&self, mut path: String, mut answer: Answer) -> Outcome {
        for _ in 0..10 {
            if !answer.status.is_redirection() {
                *self.path.borrow_mut() = path;
                *self.page.borrow_mut() = Some(answer.clone());
                return Outcome::Page(answer);
            }
            let location = answer.location().to_owned();
            let next = self
                .inside(&location)
                .filter(|path| !path.starts_with("/v2/web/auth-code?"));
            let Some(next) = next else {
                *self.page.borrow_mut() = None;
                let status = answer.status;
                return Outcome::Left(Redirected { location, status });
            };
            answer = self.send(Method::GET, &next, None);
            path = next;
        }
        panic!("more than ten redirects, the last to {path}");
    }

    /// The first form of the page it shows.
    #[track_caller]
    pub fn form(&self) -> Form {
        forms(&self.text())
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("a page without a form: {}", self.text()))
    }

    /// Sends a form and follows the redirects after it.
    #[track_caller]
    pub fn submit(&self, form: &Form) -> Outcome {
        let path = self.inside(&form.action).expect("forms stay on the server");
        let answer = self.send(Method::POST, &path, Some(&form.fields));
        self.follow(path, answer)
    }

    /// Signs in: on the login page it shows, else on one of its own.
    #[track_caller]
    pub fn login(&self, user: &TestUser) -> Outcome {
        let outcome = self.try_login(&user.username, &user.password);
        if let Outcome::Page(page) = &outcome {
            assert!(page.status.is_success(), "{}", page.summary());
        }
        outcome
    }

    #[track_caller]
    pub fn try_login(&self, username: &str, password: &str) -> Outcome {
        let on_login_page = self.path.borrow().starts_with("/p/login") && self.page.borrow().is_some();
        if !on_login_page {
            let outcome = self.get("/p/login");
            assert_eq!(outcome.page().status, StatusCode::OK);
        }
        let form = self.form().set("username", username).set("password", password);
        self.submit(&form)
    }

    /// Opens the authorization endpoint with these parameters.
    #[track_caller]
    pub fn authorize(&self, client: &TestClient, params: &Params) -> Outcome {
        let params = params.clone().or("client_id", &client.id.to_string());
        self.get(&format!("/v2/oauth2/authorize?{}", encode(&params.pairs())))
    }

    /// Presses the button that allows: on the consent page and on "Continue as".
    #[track_caller]
    pub fn allow(&self) -> Outcome {
        self.decide("allow")
    }

    #[track_caller]
    pub fn deny(&self) -> Outcome {
        self.decide("deny")
    }

    #[track_caller]
    fn decide(&self, decision: &str) -> Outcome {
        let form = self.form();
        let button = ("decision".to_owned(), decision.to_owned());
        assert!(form.buttons.contains(&button), "no button {decision}: {}", self.text());
        self.submit(&form.set("decision", decision))
    }

    /// Authorizes and allows whatever is asked until the answer leaves the server.
    #[track_caller]
    pub fn authorize_and_allow(&self, client: &TestClient, params: &Params) -> Redirected {
        let mut outcome = self.authorize(client, params);
        for _ in 0..3 {
            match outcome {
                Outcome::Left(redirected) => return redirected,
                Outcome::Page(_) => outcome = self.allow(),
            }
        }
        panic!("the server goes on asking: {}", self.text());
    }
}

fn title(html: &str) -> String {
    let heading = html
        .split_once("<h1")
        .and_then(|(_, rest)| rest.split_once('>'))
        .and_then(|(_, rest)| rest.split_once("</h1>"))
        .map_or("", |(heading, _)| heading);
    let mut text = String::new();
    let mut in_tag = false;
    for c in heading.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    unescape(text.trim())
}

/// The forms of a page. Our templates quote every attribute, so a scanner is enough.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    let mut select: Option<String> = None;
    for piece in html.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split([' ', '\n']).next().unwrap_or("");
        match name {
            "form" => {
                inside = true;
                forms.push(Form {
                    action: attribute(tag, "action").unwrap_or_default(),
                    fields: Vec::new(),
                    buttons: Vec::new(),
                });
            }
            "/form" => inside = false,
            "select" if inside => select = attribute(tag, "name"),
            "/select" => select = None,
            "option" if inside => {
                let (Some(form), Some(field)) = (forms.last_mut(), &select) else {
                    continue;
                };
                // Without a word about it the first one is chosen.
                let known = form.fields.iter().position(|(known, _)| known == field);
                let value = attribute(tag, "value").unwrap_or_default();
                match known {
                    None => form.fields.push((field.clone(), value)),
                    Some(at) if tag.contains(" selected") => form.fields[at].1 = value,
                    Some(_) => {}
                }
            }
            "input" | "button" if inside => {
                let Some(form) = forms.last_mut() else { continue };
                let Some(field) = attribute(tag, "name") else { continue };
                let value = attribute(tag, "value").unwrap_or_default();
                let kind = attribute(tag, "type").unwrap_or_default();
                let is_choice = ["checkbox", "radio"].contains(&kind.as_str());
                if name == "button" {
                    form.buttons.push((field, value));
                } else if !is_choice || tag.contains(" checked") {
                    form.fields.push((field, value));
                }
            }
            "textarea" if inside => {
                let Some(form) = forms.last_mut() else { continue };
                let Some(field) = attribute(tag, "name") else { continue };
                // The line break after the tag is not part of the text.
                let text = content.strip_prefix('\n').unwrap_or(content);
                form.fields.push((field, unescape(text)));
            }
            _ => {}
        }
    }
    forms
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

pub fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
