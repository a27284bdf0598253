//! A person's browser, as far as logging in needs one: cookies, redirects, forms.
//!
//! The benchmark logs in through the pages like everybody else, before anything is
//! measured, and then uses the session; so it knows nothing of how sessions are stored.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::http;

/// Pages and redirects between the first request and the code.
const STEPS: usize = 20;

#[derive(Debug)]
pub struct Browser {
    address: SocketAddr,
    host: String,
    cookies: Vec<(String, String)>,
}

struct Page {
    status: u16,
    location: Option<String>,
    text: String,
}

impl Browser {
    pub fn new(address: SocketAddr, host: &str) -> Browser {
        Browser {
            address,
            host: host.to_owned(),
            cookies: Vec::new(),
        }
    }

    /// The `Cookie` header of the session.
    pub fn cookie_header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Follows an authorization request through every page until the browser is sent to
    /// `redirect_uri`; returns that address. `fields` are the answers to what forms ask.
    pub fn authorize(&mut self, target: &str, redirect_uri: &str, fields: &[(&str, &str)]) -> Result<String> {
        let mut target = target.to_owned();
        let mut form = None;
        for _ in 0..STEPS {
            let page = self.send(&target, form.take())?;
            if let Some(location) = page.location {
                if location.starts_with(redirect_uri) {
                    return Ok(location);
                }
                target = self.path_of(&location)?;
                continue;
            }
            if page.status != 200 {
                bail!("{target}: {} {}", page.status, words(&page.text));
            }
            let next = Form::find(&page.text, fields).with_context(|| format!("{target}: {}", words(&page.text)))?;
            target = if next.action.is_empty() {
                target
            } else {
                self.path_of(&next.action)?
            };
            form = Some(next.fields);
        }
        bail!("no end of pages at {target}")
    }

    fn path_of(&self, location: &str) -> Result<String> {
        if location.starts_with('/') {
            return Ok(location.to_owned());
        }
        let rest = location
            .strip_prefix("http://")
            .with_context(|| format!("sent to {location}"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host != self.host && host != self.address.to_string() {
            bail!("sent to {location}");
        }
        Ok(if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        })
    }

    fn send(&mut self, target: &str, fields: Option<Vec<(String, String)>>) -> Result<Page> {
        let cookies = self.cookie_header();
        let origin = format!("http://{}", self.host);
        let mut headers = vec![("Connection", "close"), ("Sec-Fetch-Site", "same-origin")];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let form = fields.map(|fields| {
            let pairs: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            http::form(&pairs)
        });
        if form.is_some() {
            headers.push(("Origin", &origin));
        }
        let request = http::request(target, &self.host, &headers, form.as_deref());
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(&request)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let answer = http::parse(&bytes)?.with_context(|| format!("{target}: half an answer"))?;
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(Page {
            status: answer.status,
            location: answer.header("location").map(str::to_owned),
            text: answer.text().into_owned(),
        })
    }
}

/// The first form of a page that posts, filled in.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn find(page: &str, answers: &[(&str, &str)]) -> Result<Form> {
        for part in page.split("<form").skip(1) {
            let part = part.split("</form>").next().unwrap_or_default();
            let (head, body) = part.split_once('>').context("a form without an end")?;
            if !attribute(head, "method").is_some_and(|method| method.eq_ignore_ascii_case("post")) {
                continue;
            }
            let mut fields = Vec::new();
            for tag in tags(body, "input").chain(tags(body, "button")) {
                let Some(name) = attribute(tag, "name") else { continue };
                let value = attribute(tag, "value").unwrap_or_default();
                let given = answers.iter().find(|(wanted, _)| *wanted == name);
                match attribute(tag, "type").as_deref() {
                    Some("hidden") => fields.push((name, value)),
                    // Of several buttons with one name the wanted one is pressed.
                    Some("submit") if given.is_some_and(|(_, wanted)| *wanted == value) => fields.push((name, value)),
                    Some("submit" | "checkbox" | "button") => {}
                    _ => {
                        let (_, answer) = given.with_context(|| format!("the form asks for {name}"))?;
                        fields.push((name, (*answer).to_owned()));
                    }
                }
            }
            // A form with nothing but a decision to deny is no way on; the next one may be.
            return Ok(Form {
                action: attribute(head, "action").unwrap_or_default(),
                fields,
            });
        }
        bail!("a page without a form")
    }
}

/// The attributes of each tag of this name.
fn tags<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!("<{name} ");
    let starts: Vec<usize> = html
        .match_indices(&opening)
        .map(|(place, found)| place + found.len())
        .collect();
    starts
        .into_iter()
        .filter_map(move |start| html[start..].split('>').next())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.replace('\n', " ");
    let place = tag
        .find(&format!(" {name}=\""))
        .map(|place| place + 1)
        .or_else(|| tag.starts_with(&format!("{name}=\"")).then_some(0))?;
    let value = tag[place + name.len() + 2..].split('"').next()?;
    Some(
        value
            .replace("&#34;", "\"")
            .replace("&quot;", "\"")
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}

/// The words of a page, for an error message.
fn words(page: &str) -> String {
    let body = page.split("<body").nth(1).unwrap_or(page);
    let text: String = body
        .split('<')
        .filter_map(|part| part.split_once('>'))
        .map(|(_, text)| text)
        .collect();
    text.split_whitespace().take(60).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in() {
        let page = r#"<form method="get"><input name="q"></form>
            <form id="f" method="post" action="/p/login?a=1&amp;b=2" data-once>
              <input type="hidden" name="form_token" value="t&#34;1"><input id="username" name="username" type="text" value="">
              <input type="checkbox" name="keep" value="1"><button class="b" type="submit" name="decision" value="deny">No</button>
              <button type="submit" name="decision" value="allow">Yes</button></form>"#;

        let form = Form::find(page, &[("username", "robin"), ("decision", "allow")]).unwrap();

        assert_eq!(form.action, "/p/login?a=1&b=2");
        let expected = [("form_token", "t\"1"), ("username", "robin"), ("decision", "allow")];
        assert_eq!(
            form.fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert!(
            Form::find(page, &[("decision", "allow")]).is_err(),
            "nobody said what the username is"
        );
        assert!(Form::find("<p>Done</p>", &[]).is_err());
    }

    #[test]
    fn only_our_own_addresses_are_followed() {
        let browser = Browser::new("127.0.0.1:9".parse().unwrap(), "localhost:8080");

        assert_eq!(browser.path_of("http://localhost:8080/a?b").unwrap(), "/a?b");
        assert_eq!(browser.path_of("http://127.0.0.1:9").unwrap(), "/");
        assert!(browser.path_of("https://localhost:8080/a").is_err());
        assert!(browser.path_of("http://elsewhere/a").is_err());
    }
}
