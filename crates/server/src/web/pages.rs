//! What people see: one struct for each page, filled by a handler and rendered by
//! the template of the same name.
//!
//! The structs hold plain values; a decision that is more than "show or hide" is
//! made by whoever fills them. Their words come from the layout (`web/texts.rs`).
//! Askama escapes every value. Nothing is marked as safe in a template: the only
//! types whose output is inserted as markup are [`ScopeNode`](consent::ScopeNode) and [`ConsentNode`](consent::ConsentNode),
//! because they are themselves rendered by an escaping template, and
//! [`Markup`](super::texts::Markup), which escapes what it puts together.
//! Links that come from clients pass through [`Href`], which knows no `javascript:`.

use std::borrow::Cow;
use std::fmt;

use askama::Template;
use portolan_types::Timestamp;
use url::Url;

use crate::error::Error;
use crate::http::render::sentence;
use crate::texts::Language;
use crate::web::assets;

#[path = "account_pages.rs"]
pub mod account;
#[path = "consent_pages.rs"]
pub mod consent;
#[path = "mail_pages.rs"]
pub mod mail;
#[path = "policy_pages.rs"]
pub mod policies;
#[path = "resource_pages.rs"]
pub mod resource;

#[path = "console_pages.rs"]
pub mod console;
#[path = "developer_pages.rs"]
pub mod developers;

#[path = "security_pages.rs"]
pub mod security;
#[path = "sign_in_pages.rs"]
pub mod sign_in;

#[path = "skin_pages.rs"]
pub mod skin;

/// What every page shows around its content.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub language: Language,
    /// Name of the page in the browser's tab; error and message pages also show it as heading.
    pub title: String,
    pub request_id: String,
    /// E-mail address, web address or any other words of the operator.
    pub operator_contact: Option<String>,
    /// Username of the person who is signed in in this browser.
    pub signed_in_as: Option<String>,
    /// Whether the way to the console is shown.
    pub administers: bool,
    /// How the app looks that the page belongs to.
    pub skin: Option<skin::SkinView>,
    /// Whether the page leads back to itself in another language.
    pub offers_languages: bool,
}

impl Layout {
    fn asset(&self, name: &str) -> Cow<'static, str> {
        assets::asset_url(name)
    }

    fn other_languages(&self) -> Vec<Language> {
        let others = Language::ALL.into_iter().filter(|other| *other != self.language);
        others.filter(|_| self.offers_languages).collect()
    }

    /// The contact as a link, if it is an address; other words stay words.
    fn contact_link(&self) -> Option<Href> {
        let contact = self.operator_contact.as_deref()?;
        Href::web(contact).or_else(|| Href::mail(contact))
    }
}

/// An address that is safe to put into a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Href(String);

impl Href {
    /// An address on the web given by somebody else: `http` or `https` with a host.
    pub fn web(text: &str) -> Option<Href> {
        let url = Url::parse(text).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        is_web.then(|| Href(url.into()))
    }

    /// A path on this server. Anything else, such as `//host`, becomes the start page.
    pub fn path(path: impl Into<String>) -> Href {
        let path = path.into();
        // Browsers read a backslash as a slash, so `/\host` would leave this server too.
        let stays_here = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
        let printable = !path.contains(|c: char| c.is_control());
        Href(if stays_here && printable { path } else { "/".to_owned() })
    }

    fn mail(text: &str) -> Option<Href> {
        let (local, domain) = text.split_once('@')?;
        let plain = |part: &str, extra: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        (plain(local, "._+-") && plain(domain, ".-")).then(|| Href(format!("mailto:{text}")))
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A link that the page shows as a button or in a list.
#[derive(Clone, Debug)]
pub struct Link {
    pub text: String,
    pub href: Href,
}

/// A client as pages show it.
#[derive(Clone, Debug)]
pub struct ClientView {
    /// The client's name; for an instance of a template the template's name.
    pub name: String,
    /// The name that an instance gave itself when it registered without anybody's approval.
    pub registered_as: Option<String>,
    pub terms: Option<Href>,
    pub privacy: Option<Href>,
}

impl ClientView {
    /// Links that are not web addresses are left out.
    pub fn new(name: impl Into<String>, terms: Option<&str>, privacy: Option<&str>) -> ClientView {
        ClientView {
            name: name.into(),
            registered_as: None,
            terms: terms.and_then(Href::web),
            privacy: privacy.and_then(Href::web),
        }
    }

    pub fn registered_as(mut self, name: impl Into<String>) -> ClientView {
        self.registered_as = Some(name.into());
        self
    }

    fn has_links(&self) -> bool {
        self.terms.is_some() || self.privacy.is_some()
    }
}

/// An identity as pages show it.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub username: String,
    pub name: Option<String>,
    /// Display name of the identity provider.
    pub provider: Option<String>,
}

impl AccountView {
    fn initial(&self) -> String {
        let shown = self
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.username);
        shown
            .chars()
            .find(|c| c.is_alphanumeric())
            .map_or_else(|| "?".to_owned(), |c| c.to_uppercase().to_string())
    }
}

/// What was wrong with a form that came back, each with the field it concerns.
#[derive(Clone, Debug, Default)]
pub struct FormErrors(Vec<FieldError>);

#[derive(Clone, Debug)]
pub struct FieldError {
    /// Name of the input, or none if the refusal concerns no single one.
    pub field: Option<&'static str>,
    pub text: String,
    /// Whether the text is in English and the page is not.
    pub is_foreign: bool,
}

impl FormErrors {
    pub fn none() -> FormErrors {
        FormErrors::default()
    }

    /// A refusal of the form as a whole.
    pub fn whole(text: impl Into<String>) -> FormErrors {
        FormErrors(vec![FieldError {
            field: None,
            text: text.into(),
            is_foreign: false,
        }])
    }

    /// What the rules refused: in the language of the page, where they say it in words for
    /// people.
    pub fn refusal(language: Language, error: &Error) -> FormErrors {
        let (text, is_foreign) = match error.words() {
            Some(words) => (language.words(words), false),
            None => (error.detail().to_owned(), language != Language::En),
        };
        FormErrors(vec![FieldError {
            field: None,
            text,
            is_foreign,
        }])
    }

    /// The same, beside the input that the refusal is about, if the form has it.
    pub fn at(language: Language, error: &Error, fields: &[&'static str]) -> FormErrors {
        match (error.field().filter(|field| fields.contains(field)), error.words()) {
            (Some(field), Some(words)) => FormErrors::field(field, language.words(words)),
            (Some(field), None) => FormErrors::foreign(field, language, sentence(error.detail())),
            (None, _) => FormErrors::refusal(language, error),
        }
    }

    /// A sentence of the rules for which there are no words in other languages.
    pub fn foreign(field: &'static str, language: Language, text: String) -> FormErrors {
        FormErrors(vec![FieldError {
            field: Some(field),
            text,
            is_foreign: language != Language::En,
        }])
    }

    pub fn field(field: &'static str, text: impl Into<String>) -> FormErrors {
        FormErrors::none().and(field, text)
    }

    pub fn and(mut self, field: &'static str, text: impl Into<String>) -> FormErrors {
        self.0.push(FieldError {
            field: Some(field),
            text: text.into(),
            is_foreign: false,
        });
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a field to look at again.
    fn has_field(&self) -> bool {
        self.0.iter().any(|error| error.field.is_some())
    }

    fn all(&self) -> &[FieldError] {
        &self.0
    }

    /// Every refusal of a field, where one may be wrong in several ways.
    fn all_on(&self, field: &str) -> Vec<&str> {
        let errors = self.0.iter().filter(|error| error.field == Some(field));
        errors.map(|error| error.text.as_str()).collect()
    }

    fn on(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|error| error.field == Some(field))
            .map(|error| error.text.as_str())
    }
}

fn password_hint(layout: &Layout, minimum: usize) -> String {
    layout.say("password-hint").arg("minimum", minimum).to_string()
}

/// A hidden field that brings a parameter through a form.
#[derive(Clone, Debug)]
pub struct CarriedField {
    pub name: &'static str,
    pub value: String,
}

/// A moment as pages show it, in UTC: the server does not know the reader's time zone.
/// A template writes it with `layout.time(moment)`.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Timestamp,
    to_the_minute: bool,
}

impl Moment {
    /// "3 February 2026"
    pub fn day(at: Timestamp) -> Moment {
        Moment {
            at,
            to_the_minute: false,
        }
    }

    /// "3 February 2026, 09:15 UTC"
    pub fn minute(at: Timestamp) -> Moment {
        Moment {
            at,
            to_the_minute: true,
        }
    }

    /// For the `datetime` attribute.
    pub fn machine(&self) -> String {
        self.at.to_string()
    }

    pub fn words(&self, language: Language) -> String {
        if self.to_the_minute {
            language.moment(self.at)
        } else {
            language.date(self.at)
        }
    }
}

/// A refusal that cannot or must not be sent to the app. The heading is the layout's title.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    pub layout: Layout,
    pub text: String,
    /// Whether the text is in English and the page is not.
    pub text_is_foreign: bool,
    /// What the person can do next, a sentence each.
    pub advice: Vec<String>,
    pub link: Option<Link>,
    pub occurred_at: String,
    /// 32 hexadecimal digits: the request id without dashes.
    pub error_id: String,
    pub error_code: String,
}

/// Makes the first administrator. Posts `setup_token` and the five fields.
#[derive(Template)]
#[template(path = "pages/setup.html")]
pub struct SetupPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// The secret of the one-time link.
    pub setup_token: String,
    pub username: String,
    pub name: String,
    pub email: String,
    pub errors: FormErrors,
    /// What follows the `@` in usernames of local accounts.
    pub local_domain: String,
    pub password_min_length: usize,
}

impl SetupPage {
    fn username_hint(&self) -> String {
        self.layout
            .say("account-username-hint")
            .arg("domain", &self.local_domain)
            .to_string()
    }

    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

#[derive(Template)]
#[template(path = "pages/setup_done.html")]
pub struct SetupDonePage {
    pub layout: Layout,
    pub username: String,
    /// The public URL without a slash at its end.
    pub public_url: String,
}

/// A notice with at most one way onward. The heading is the layout's title.
#[derive(Template)]
#[template(path = "pages/message.html")]
pub struct MessagePage {
    pub layout: Layout,
    /// Paragraphs.
    pub text: Vec<String>,
    pub link: Option<Link>,
}

/// The start page at `/`.
#[derive(Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    pub layout: Layout,
    pub issuer: String,
    pub state: HomeState,
}

#[derive(Clone, Debug)]
pub enum HomeState {
    NotSetUp,
    SignedOut { sign_in: Option<Href> },
    SignedIn { links: Vec<Link>, sign_out: Href },
}

#[cfg(test)]
#[path = "pages_tests.rs"]
pub(crate) mod tests;
