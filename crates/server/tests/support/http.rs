//! Requests through the router, and their answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{TestServer, runtime};

/// How a caller says who it is.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    Basic(String, String),
    /// `client_id` and `client_secret` in the form.
    Body(String, String),
    /// `client_id` alone in the form.
    Id(String),
    Bearer(String),
}

/// A request to be sent.
pub struct Request {
    server: TestServer,
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Vec<u8>,
    peer: IpAddr,
}

impl TestServer {
    pub fn request(&self, method: Method, uri: &str) -> Request {
        Request {
            server: self.clone(),
            method,
            uri: uri.to_owned(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        }
    }

    pub fn get(&self, uri: &str) -> Answer {
        self.request(Method::GET, uri).send()
    }

    pub fn get_as(&self, uri: &str, auth: &Auth) -> Answer {
        self.request(Method::GET, uri).auth(auth, &[]).send()
    }

    /// A form in the body of a POST.
    pub fn post_form(&self, uri: &str, auth: &Auth, params: &[(&str, &str)]) -> Answer {
        self.request(Method::POST, uri).auth(auth, params).send()
    }

    pub fn post_json(&self, uri: &str, auth: &Auth, document: &Value) -> Answer {
        self.request(Method::POST, uri)
            .header(CONTENT_TYPE, "application/json")
            .body(document.to_string())
            .authorization(auth)
            .send()
    }

    /// Sends all of them before any is answered; the answers are in the order of the requests.
    pub fn at_once(&self, requests: Vec<Request>) -> Vec<Answer> {
        runtime().block_on(async {
            let tasks: Vec<_> = requests
                .into_iter()
                .map(|request| tokio::spawn(request.answer()))
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("a request does not panic"));
            }
            answers
        })
    }
}

/// `a=1&b=2` as forms encode it.
pub fn encode(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

impl Request {
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: &str) -> Self {
        let name = name.try_into().ok().expect("the name of a header");
        self.headers
            .append(name, HeaderValue::from_str(value).expect("the value of a header"));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A form; whoever calls is named in the header or in the form.
    pub fn auth(self, auth: &Auth, params: &[(&str, &str)]) -> Self {
        let mut params = params.to_vec();
        match auth {
            Auth::Body(id, secret) => params.extend([("client_id", id.as_str()), ("client_secret", secret.as_str())]),
            Auth::Id(id) => params.push(("client_id", id)),
            Auth::None | Auth::Basic(..) | Auth::Bearer(_) => {}
        }
        let request = self.authorization(auth);
        if params.is_empty() && request.method != Method::POST {
            return request;
        }
        request.form(&params)
    }

    pub fn form(self, params: &[(&str, &str)]) -> Self {
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encode(params))
    }

    pub fn authorization(self, auth: &Auth) -> Self {
        match auth {
            Auth::Basic(id, secret) => {
                let encoded = STANDARD.encode(format!("{id}:{secret}"));
                self.header(AUTHORIZATION, &format!("Basic {encoded}"))
            }
            Auth::Bearer(token) => self.header(AUTHORIZATION, &format!("Bearer {token}")),
            Auth::None | Auth::Body(..) | Auth::Id(_) => self,
        }
    }

    /// The address that the request comes from.
    pub fn from(mut self, peer: IpAddr) -> Self {
        self.peer = peer;
        self
    }

    pub fn send(self) -> Answer {
        runtime().block_on(self.answer())
    }

    async fn answer(self) -> Answer {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(self.uri.as_str())
            .body(Body::from(self.body))
            .unwrap_or_else(|error| panic!("{}: {error}", self.uri));
        *request.headers_mut() = self.headers;
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(self.peer, 40_000)));
        let response = self.server.router().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body can be read").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("the body is text")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.summary()))
    }

    /// The value of a header that comes at most once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        let value = values.next().map(|value| value.to_str().expect("a header is text"));
        assert!(values.next().is_none(), "{name} comes twice");
        value
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no redirect: {}", self.summary()))
    }

    /// The answer, which has to be a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{}", self.summary());
        self
    }

    /// `error` of an OAuth document; empty if there is none.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and error in one, as tables compare them: `400 invalid_grant`, `200`.
    #[track_caller]
    pub fn outcome(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.error())
            .trim_end()
            .to_owned()
    }

    /// For messages of failed assertions.
    pub fn summary(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
