//! Alice's browser: cookies, and the forms of pages. It goes one step at a time, so that the
//! tour can say what each is for.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT};
use url::{Url, form_urlencoded};

pub const NAME: &str = "Alice's browser";

pub struct Browser {
    http: reqwest::Client,
    address: Url,
    cookies: BTreeMap<String, String>,
}

/// Where a step led.
pub enum Place {
    /// The browser is sent on.
    SentTo(Url),
    Page(Page),
}

pub struct Page(String);

impl Browser {
    pub fn new(address: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            address: Url::parse(address)?,
            cookies: BTreeMap::new(),
        })
    }

    pub async fn open(&mut self, address: &str) -> Result<Place> {
        let url = self.address.join(address)?;
        let request = self.http.get(url).header("Sec-Fetch-Site", "none");
        self.send(request).await
    }

    /// Sends the form of a page with what Alice types and the button that she presses.
    pub async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Result<Place> {
        let form = page.form().context("the page has no form")?;
        let mut fields = hidden_and_ticked(form);
        fields.extend(
            typed
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&fields)
            .finish();
        let url = self.address.join(&attribute(form, "action").unwrap_or_default())?;
        let request = self
            .http
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Sec-Fetch-Site", "same-origin")
            .header(ORIGIN, self.address.origin().ascii_serialization())
            .body(body);
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Result<Place> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(COOKIE, cookies.join("; ")).header(USER_AGENT, NAME);
        let answer = request.send().await?;
        for value in answer.headers().get_all(SET_COOKIE) {
            let pair = value.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(location) = answer.headers().get(LOCATION) {
            return Ok(Place::SentTo(self.address.join(location.to_str()?)?));
        }
        Ok(Place::Page(Page(answer.error_for_status()?.text().await?)))
    }
}

impl Place {
    pub fn page(self) -> Result<Page> {
        match self {
            Self::Page(page) => Ok(page),
            Self::SentTo(url) => bail!("the browser was sent to {} where a page was expected", url.path()),
        }
    }

    pub fn sent_to(self) -> Result<Url> {
        match self {
            Self::SentTo(url) => Ok(url),
            Self::Page(_) => bail!("the browser was shown a page where it should have been sent on"),
        }
    }
}

impl Page {
    pub fn says(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// The form in the content of the page.
    fn form(&self) -> Option<&str> {
        let content = self
            .0
            .split_once("<main")
            .map_or(self.0.as_str(), |(_, content)| content);
        let form = content.split_once("<form")?.1;
        Some(form.split_once("</form>").map_or(form, |(form, _)| form))
    }
}

/// What is sent without anybody typing or pressing anything.
fn hidden_and_ticked(form: &str) -> Vec<(String, String)> {
    let tags = form
        .split("<input ")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or_default());
    tags.filter(|tag| tag.contains("type=\"hidden\"") || tag.contains(" checked"))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let after = tag.split_once(&format!("{name}=\""))?.1;
    let value = after.split_once('"')?.0;
    Some(value.replace("&amp;", "&").replace("&#38;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_sends_what_is_hidden_and_what_is_ticked() {
        let page = Page(
            "<form action=\"/language\"></form><main><form action=\"/p/x?a=1&amp;b=2\">\
             <input type=\"hidden\" name=\"form_token\" value=\"t\"><input name=\"username\" value=\"\">\
             <input type=\"checkbox\" name=\"scope\" value=\"1\" checked>\
             <input type=\"checkbox\" name=\"scope\" value=\"2\"></form></main>"
                .to_owned(),
        );

        let form = page.form().unwrap_or_default();

        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(hidden_and_ticked(form), [pair("form_token", "t"), pair("scope", "1")]);
        assert_eq!(attribute(form, "action").as_deref(), Some("/p/x?a=1&b=2"));
    }
}
