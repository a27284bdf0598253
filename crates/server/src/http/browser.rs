//! The browser session: its cookie, the form tokens bound to it, and the headers of pages.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, COOKIE, REFERRER_POLICY, SET_COOKIE, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use portolan_types::{Secret, TokenHash};

use super::extract::{Form, Params};
use crate::app::{App, random_bytes};
use crate::config::Config;
use crate::domain::token_format;
use crate::error::{Error, Result};
use crate::texts::{Language, words};

/// The cookie that a browser sent, if its form is right.
#[derive(Clone, Debug)]
pub struct Cookie {
    secret: Secret,
    pub hash: TokenHash,
}

impl Cookie {
    /// A new secret of 256 bits.
    pub fn generate() -> Self {
        Self::from_secret(Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>())))
    }

    fn from_secret(secret: Secret) -> Self {
        Self {
            hash: token_format::hash(secret.expose()),
            secret,
        }
    }

    /// Reads our cookie among those sent. Two of our name: none counts, somebody planted one.
    pub fn read(headers: &HeaderMap, config: &Config) -> Option<Self> {
        let name = cookie_name(config);
        let mut found = None;
        for header in headers.get_all(COOKIE) {
            for pair in header.to_str().ok()?.split(';') {
                let Some((key, value)) = pair.trim().split_once('=') else {
                    continue;
                };
                if key != name {
                    continue;
                }
                if found.is_some() {
                    return None;
                }
                found = Some(value);
            }
        }
        let value = found?;
        let well_formed = value.len() == 43
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        well_formed.then(|| Self::from_secret(Secret::new(value)))
    }

    /// The header that sets it.
    pub fn set(&self, config: &Config) -> (HeaderName, HeaderValue) {
        set_cookie(config, self.secret.expose(), config.session_absolute_lifetime_seconds)
    }

    /// The token in every form of a page: bound to this cookie, so that another site, which
    /// cannot read it, cannot make a form that counts.
    pub fn form_token(&self, app: &App) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&app.server_keys.form, &self.hash.0))
    }

    /// Refuses a form that does not come from a page of this browser session.
    pub fn check_form(&self, app: &App, form: &Params) -> Result<()> {
        let token = form
            .get("form_token")
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let genuine = token.is_some_and(|token| hmac::verify(&app.server_keys.form, &self.hash.0, &token).is_ok());
        if genuine {
            return Ok(());
        }
        Err(stale_form())
    }
}

/// The value of another cookie of ours, which must not matter more than a convenience.
pub fn find_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|header| header.to_str().ok());
    texts.flat_map(|text| text.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// The language that the person has chosen in this browser.
pub fn chosen_language(headers: &HeaderMap, config: &Config) -> Option<Language> {
    // Programs send no cookies, and for them nothing is made here.
    headers.get(COOKIE)?;
    find_cookie(headers, &language_cookie_name(config)).and_then(Language::of_tag)
}

fn language_cookie_name(config: &Config) -> String {
    format!("{}-language", cookie_name(config))
}

/// The cookie that remembers the choice for a year. It is a convenience and gives nothing.
pub fn language_cookie(config: &Config, language: Language) -> HeaderValue {
    let secure = if config.cookie_secure() { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}",
        language_cookie_name(config),
        language.tag()
    );
    HeaderValue::from_str(&text).expect("names and tags are ASCII")
}

/// A form of a page of this browser session, and the session's cookie: whose it is comes
/// before what it says.
pub fn checked_form(app: &App, headers: &HeaderMap, form: Result<Form>) -> Result<(Cookie, Params)> {
    let Form(form) = form?;
    let cookie = Cookie::read(headers, &app.config).ok_or_else(stale_form)?;
    cookie.check_form(app, &form)?;
    Ok((cookie, form))
}

pub fn stale_form() -> Error {
    Error::forbidden("this form is out of date or comes from another site; go back, reload the page and try again")
        .said(words("error-stale-form"))
}

/// The header that makes the browser forget the cookie.
pub fn clear_cookie(config: &Config) -> (HeaderName, HeaderValue) {
    set_cookie(config, "", 0)
}

fn set_cookie(config: &Config, value: &str, max_age_seconds: u64) -> (HeaderName, HeaderValue) {
    let secure = if config.cookie_secure() { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}",
        cookie_name(config)
    );
    (
        SET_COOKIE,
        HeaderValue::from_str(&text).expect("name and secret are ASCII"),
    )
}

/// Cookies ignore ports, so without https the name carries it: two servers on one machine
/// do not sign each other out.
pub fn cookie_name(config: &Config) -> String {
    if config.cookie_secure() {
        "__Host-portolan".into()
    } else {
        format!("portolan-{}", public_port(config))
    }
}

/// Of an http address that was checked at the start; each request needs it a few times.
fn public_port(config: &Config) -> u16 {
    let url = config.public_url();
    let host = url.split('/').nth(2).unwrap_or_default();
    let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(80)
}

/// Whether a request was made neither by a page of ours nor by the person themselves. Where a
/// browser does not say so (an old one, and each over plain http), the page before decides;
/// without a word about that either it was none of ours, which always tell.
pub fn comes_from_elsewhere(headers: &HeaderMap, config: &Config) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let origin = |address: &str| url::Url::parse(address).ok().map(|url| url.origin());
    let before = text("origin").or_else(|| text("referer")).and_then(origin);
    before.is_none() || before != origin(&config.public_url())
}

/// How a page may be left: where its forms may lead, and what the next site learns.
#[derive(Clone, Debug, Default)]
pub struct PagePolicy {
    /// Origin or scheme of the redirect URI that a form of this page ends at.
    pub form_target: Option<String>,
    /// The page holds something to be kept (a code) or echoes a request: tell nobody about it.
    pub no_referrer: bool,
}

/// A page with the headers every page has (standards.md G6).
pub fn page(html: String, policy: &PagePolicy) -> Response {
    let form_action = form_action(policy.form_target.as_deref());
    let csp = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action {form_action}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let language = language_of(&html);
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    speaks(headers, language);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The target is checked when it is made (`form_target`), so this always holds.
    if let Ok(csp) = HeaderValue::from_str(&csp) {
        headers.insert(CONTENT_SECURITY_POLICY, csp);
    }
    // `no-referrer` would make Chromium post forms with `Origin: null`.
    let referrer = if policy.no_referrer {
        "no-referrer"
    } else {
        "same-origin"
    };
    headers.insert(REFERRER_POLICY, HeaderValue::from_static(referrer));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// In which language an answer is, and that it depends on what was asked for.
pub fn speaks(headers: &mut HeaderMap, language: Language) {
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.append(VARY, HeaderValue::from_static("Accept-Language"));
}

/// What a document says about itself in its first lines.
fn language_of(html: &str) -> Language {
    let tag = html.get(..64).and_then(|start| start.split('"').nth(1));
    tag.and_then(Language::of_tag).unwrap_or_default()
}

/// Where a form may lead, redirects included: Chromium judges each redirect that follows a
/// form by this list, and stops without a word. The app may send the browser on from its
/// redirect URI, and we cannot know where to: a broker of logins goes on to the app that it
/// serves, an interface to its pages. So behind https all of https is open, and behind a
/// loopback address, which stands for a program on this machine, other ports of it as well.
fn form_action(target: Option<&str>) -> String {
    match target {
        None => "'self'".to_owned(),
        Some(target) if target.starts_with("https:") => "'self' https:".to_owned(),
        Some(target) if target.starts_with("http:") => {
            format!("'self' {target} http://localhost:* http://127.0.0.1:* https:")
        }
        Some(scheme) => format!("'self' {scheme}"),
    }
}

/// Where the redirect after a form leads first: the origin of a web address, the scheme of
/// any other.
pub fn form_target(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    let target = match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    };
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'.' | b'-' | b'+' | b'[' | b']');
    target.bytes().all(harmless).then_some(target)
}

/// Idle and absolute end of browser sessions.
pub fn session_lifetimes(config: &Config) -> (Duration, Duration) {
    (
        Duration::from_secs(config.session_idle_lifetime_seconds),
        Duration::from_secs(config.session_absolute_lifetime_seconds),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_target_is_an_origin_or_a_scheme() {
        let table = [
            (
                "https://portal.example.org/callback?x=1",
                Some("https://portal.example.org"),
            ),
            ("http://127.0.0.1:18411/cb", Some("http://127.0.0.1:18411")),
            ("http://[::1]:9000", Some("http://[::1]:9000")),
            ("org.example.app:/cb", Some("org.example.app:")),
            ("not a uri", None),
        ];
        for (uri, expected) in table {
            assert_eq!(form_target(uri).as_deref(), expected, "{uri}");
        }
    }
}
