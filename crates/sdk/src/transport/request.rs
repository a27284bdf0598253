//! A request before it is sent.

use std::fmt;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::client_info::ClientInfo;
use crate::error::{Error, Result};

/// A request, for what has no method of its own.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::Request;
/// use serde_json::json;
///
/// let request = Request::post("v2/api/projects")
///     .query("verbose", true)
///     .json(json!({"project": {"display_name": "Beamlines", "contact_email": "b@example.org"}}));
/// let answer = client.send(request).await?;
/// println!("{}", answer["project"]["id"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Body,
    automatic_authorization: bool,
    follow_redirects: bool,
}

/// What a request carries.
///
/// ```
/// use portolan_sdk::{Body, Request};
///
/// let request = Request::put("v2/x").body(Body::Text("plain".to_owned()));
/// # let _ = request;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// `application/json`
    Json(Value),
    /// `application/x-www-form-urlencoded`
    Form(Vec<(String, String)>),
    /// `text/plain`
    Text(String),
    /// As it is; the content type is up to the caller.
    Bytes(Vec<u8>),
}

impl Request {
    /// Any method. `path` is joined to the address of the service; one that begins with
    /// `http://` or `https://` is an address of its own, and is sent without a token unless
    /// it is on the same server.
    ///
    /// ```
    /// use portolan_sdk::Request;
    /// use reqwest::Method;
    ///
    /// let request = Request::new(Method::OPTIONS, "v2/api/projects");
    /// # let _ = request;
    /// ```
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            automatic_authorization: true,
            follow_redirects: false,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// A PATCH.
    ///
    /// ```
    /// use portolan_sdk::Request;
    /// use serde_json::json;
    ///
    /// let request = Request::patch("v2/x").json(json!({"a": 1}));
    /// # let _ = request;
    /// ```
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a parameter to the query.
    ///
    /// ```
    /// use portolan_sdk::Request;
    ///
    /// let request = Request::get("v2/api/identities").query("ids", "a,b").query("provision", false);
    /// # let _ = request;
    /// ```
    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Carries a JSON document.
    pub fn json(self, document: Value) -> Self {
        self.body(Body::Json(document))
    }

    /// Carries a form.
    ///
    /// ```
    /// use portolan_sdk::Request;
    ///
    /// let request = Request::post("v2/oauth2/token/validate").form([("token", "Ag2yX")]);
    /// # let _ = request;
    /// ```
    pub fn form(self, fields: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.body(Body::Form(fields.collect()))
    }

    /// Carries text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body(Body::Text(text.into()))
    }

    /// Carries anything.
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Does not say who makes it.
    ///
    /// ```
    /// use portolan_sdk::Request;
    ///
    /// let request = Request::get("jwk.json").without_authorization();
    /// # let _ = request;
    /// ```
    pub fn without_authorization(mut self) -> Self {
        self.automatic_authorization = false;
        self
    }

    /// Follows redirects. The token stays behind where one leads to another server.
    ///
    /// ```
    /// use portolan_sdk::Request;
    ///
    /// let request = Request::get("v2/x").follow_redirects();
    /// # let _ = request;
    /// ```
    pub fn follow_redirects(mut self) -> Self {
        self.follow_redirects = true;
        self
    }

    pub(crate) fn queries(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// The same request to another path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn is_automatically_authorized(&self) -> bool {
        self.automatic_authorization
    }

    pub(crate) fn follows_redirects(&self) -> bool {
        self.follow_redirects
    }

    /// Where it goes.
    pub(crate) fn url(&self, base_url: &Url) -> Result<Url> {
        let is_address = ["http://", "https://"]
            .iter()
            .any(|scheme| self.path.starts_with(scheme));
        let mut url = if is_address {
            Url::parse(&self.path).map_err(|_| Error::usage(format!("not an address: {}", self.path)))?
        } else {
            let mut url = base_url.clone();
            let base = base_url.path().trim_end_matches('/');
            url.set_path(&format!("{base}/{}", quoted(self.path.trim_start_matches('/'))));
            url
        };
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    /// Puts headers and body into what is sent.
    pub(crate) fn fill(&self, builder: reqwest::RequestBuilder, info: &ClientInfo) -> reqwest::RequestBuilder {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(value) = HeaderValue::try_from(info.to_string())
            && !info.is_empty()
        {
            headers.insert("x-globus-client-info", value);
        }
        let (content_type, body) = match &self.body {
            Body::Empty => (None, Vec::new()),
            Body::Json(document) => (Some("application/json"), document.to_string().into_bytes()),
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields);
                (Some("application/x-www-form-urlencoded"), form.finish().into_bytes())
            }
            Body::Text(text) => (Some("text/plain; charset=utf-8"), text.clone().into_bytes()),
            Body::Bytes(bytes) => (None, bytes.clone()),
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.extend(self.headers.clone());
        builder.headers(headers).body(body)
    }
}

/// A form may hold a secret, so bodies do not print.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The path with everything percent-encoded that is neither a slash nor unreserved
/// (RFC 3986 section 2.3).
fn quoted(path: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn url(base: &str, path: &str) -> String {
        Request::get(path).url(&Url::parse(base).unwrap()).unwrap().to_string()
    }

    #[test]
    fn paths_are_quoted_and_joined_with_one_slash() {
        for (base, path, expected) in [
            ("https://a.org/", "v2/x", "https://a.org/v2/x"),
            ("https://a.org", "/v2/x", "https://a.org/v2/x"),
            ("https://a.org/auth/", "//v2/x", "https://a.org/auth/v2/x"),
            (
                "https://a.org/",
                "v2/ä b?c#d%",
                "https://a.org/v2/%C3%A4%20b%3Fc%23d%25",
            ),
            ("https://a.org/", "https://b.org/x?y=1", "https://b.org/x?y=1"),
        ] {
            assert_eq!(url(base, path), expected);
        }
    }

    #[test]
    fn parameters_are_added_to_those_of_an_address() {
        let request = Request::get("https://b.org/x?y=1")
            .query("scope", "a b")
            .query("plus", "+");
        let base = Url::parse("https://a.org/").unwrap();
        assert_eq!(
            request.url(&base).unwrap().as_str(),
            "https://b.org/x?y=1&scope=a+b&plus=%2B"
        );
    }

    #[test]
    fn bodies_do_not_print() {
        let request = Request::post("v2/oauth2/token").form([("refresh_token", "hunter2")]);
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
