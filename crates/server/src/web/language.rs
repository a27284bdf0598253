//! Choosing a language by hand, for those whose browser or app asks for another one.
//!
//! A link, because it changes nothing but words. The page to come back to is the one that the
//! browser names as the link's own, and only its path counts: nobody is led elsewhere.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use http::header::{REFERER, SET_COOKIE};
use url::{Position, Url};

use super::pages::Href;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::browser;
use crate::texts::Language;

/// `GET /p/language/{language}`
pub async fn choose_language(
    State(app): State<App>,
    Path(language): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let language = Language::of_tag(&language)
        .filter(|known| known.tag() == language)
        .ok_or_else(|| Error::not_found("page"))?;
    let back = came_from(&headers, &app.config.public_url());
    let mut response = Redirect::to(&back.unwrap_or(Href::path("/")).to_string()).into_response();
    let cookie = browser::language_cookie(&app.config, language);
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// The page of ours with the link.
fn came_from(headers: &HeaderMap, public_url: &str) -> Option<Href> {
    let page = Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    let is_ours = page.origin() == Url::parse(public_url).ok()?.origin();
    is_ours.then(|| Href::path(&page[Position::BeforePath..Position::AfterQuery]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (referer, back) in [
            (
                "https://auth.example/p/login?request=1#main",
                Some("/p/login?request=1"),
            ),
            ("https://auth.example", Some("/")),
            ("https://auth.example//evil.example/", Some("/")),
            ("https://auth.example:444/p/login", None),
            ("http://auth.example/p/login", None),
            ("https://auth.example.evil.example/", None),
            ("https://auth.example@evil.example/", None),
            ("about:blank", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(REFERER, referer.parse().unwrap())]);
            let found = came_from(&headers, "https://auth.example").map(|href| href.to_string());
            assert_eq!(found.as_deref(), back, "{referer}");
        }
        assert_eq!(came_from(&HeaderMap::new(), "https://auth.example"), None);
    }
}
