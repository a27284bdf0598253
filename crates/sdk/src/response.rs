//! Answers. A [`Response`] is the document as a Rust value with the HTTP answer around it;
//! a [`TokenResponse`] finds its tokens by resource server and by scope.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use portolan_types::Secret;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::id_token::{IdTokenClaims, IdTokenDecoder};
use crate::scopes::{self, ScopeList};

/// An answer. It dereferences to its document; without one of its own type that is the JSON
/// value, and `null` for a body that is no JSON.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::Request;
///
/// let projects = client.get_projects().await?;
/// for project in &projects {
///     println!("{} {}", project.id, project.display_name);
/// }
/// println!("{} {:?}", projects.status(), projects.header("x-request-id"));
///
/// let raw = client.send(Request::get("v2/api/projects")).await?;
/// println!("{}", raw["projects"][0]["display_name"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Response<T = Value> {
    http: Box<Http>,
    document: T,
}

#[derive(Clone)]
struct Http {
    call: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Read when it is first asked for.
    json: OnceLock<Option<Value>>,
}

/// A body that nobody has looked into yet.
pub(crate) struct Unread;

impl Response<Unread> {
    pub(crate) fn new(call: String, status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self {
            document: Unread,
            http: Box::new(Http {
                call,
                status,
                headers,
                body,
                json: OnceLock::new(),
            }),
        }
    }

    pub(crate) fn into_value(self) -> Response<Value> {
        Response {
            document: serde_json::from_slice(&self.http.body).unwrap_or_default(),
            http: self.http,
        }
    }

    /// The whole document as a type. Most are read from the text at once; what that refuses
    /// may be right as a value, of whose members that come twice the last counts.
    pub(crate) fn into_document<T: DeserializeOwned>(self) -> Result<Response<T>> {
        let document = match serde_json::from_slice(&self.http.body) {
            Ok(document) => document,
            Err(_) => read(
                &self.http.call,
                serde_json::from_slice(&self.http.body).unwrap_or_default(),
            )?,
        };
        Ok(Response {
            http: self.http,
            document,
        })
    }
}

impl Response<Value> {
    /// One member of the document as a type.
    pub(crate) fn into_member<T: DeserializeOwned>(mut self, name: &str) -> Result<Response<T>> {
        let member = self.document.get_mut(name).map(Value::take);
        let member = member.ok_or_else(|| Error::Decode {
            call: self.http.call.clone(),
            reason: format!("it has no member {name:?}"),
        })?;
        let document = read(&self.http.call, member)?;
        Ok(Response {
            http: self.http,
            document,
        })
    }

    /// The document read by `read`, whose words say what is wrong.
    pub(crate) fn try_map<T>(self, read: impl FnOnce(&Value) -> Result<T, String>) -> Result<Response<T>> {
        let document = read(&self.document).map_err(|reason| Error::Decode {
            call: self.http.call.clone(),
            reason,
        })?;
        Ok(Response {
            http: self.http,
            document,
        })
    }
}

fn read<T: DeserializeOwned>(call: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Decode {
        call: call.to_owned(),
        reason: error.to_string(),
    })
}

impl<T> Response<T> {
    pub(crate) fn call(&self) -> &str {
        &self.http.call
    }

    /// The document alone.
    pub fn into_inner(self) -> T {
        self.document
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.http.status.as_u16()
    }

    /// The words that belong to the status.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// let answer = client.get_projects().await?;
    /// println!("{} {:?}", answer.status(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reason(&self) -> Option<&'static str> {
        self.http.status.canonical_reason()
    }

    /// The headers; names are found in any spelling.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// let answer = client.get_projects().await?;
    /// println!("{:?} {:?}", answer.content_type(), answer.headers().get("date"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn headers(&self) -> &HeaderMap {
        &self.http.headers
    }

    /// One header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http.headers.get(name)?.to_str().ok()
    }

    /// What kind of document it says that it is.
    pub fn content_type(&self) -> Option<&str> {
        self.http.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.http.body)
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.http.body
    }

    /// The whole body as JSON, with what this crate has no type for.
    pub fn json(&self) -> Option<&Value> {
        let json = &self.http.json;
        json.get_or_init(|| serde_json::from_slice(&self.http.body).ok())
            .as_ref()
    }

    /// A member of the body.
    ///
    /// ```no_run
    /// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
    /// let answer = client.send(portolan_sdk::Request::get("v2/oauth2/userinfo")).await?;
    /// println!("{:?}", answer.get_member("organization"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_member(&self, name: &str) -> Option<&Value> {
        self.json()?.get(name)
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.document
    }
}

impl<T> IntoIterator for Response<Vec<T>> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.document.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Response<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.document.iter()
    }
}

/// Bodies may hold tokens, so only the document prints, whose secrets do not.
impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("call", &self.http.call)
            .field("status", &self.http.status)
            .field("document", &self.document)
            .finish_non_exhaustive()
    }
}

/// One token of an answer.
///
/// ```no_run
/// # fn show(response: portolan_sdk::TokenResponse) {
/// let token = &response.by_resource_server()["groups.api.globus.org"];
/// println!("{} until {}", token.scope, token.expires_at_seconds);
/// let header = format!("Bearer {}", token.access_token.expose());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The service that it is for.
    pub resource_server: String,
    /// What it allows: names separated by spaces.
    pub scope: String,
    /// The token itself.
    pub access_token: Secret,
    /// What renews it, if that was asked for and allowed.
    pub refresh_token: Option<Secret>,
    /// Usually `Bearer`.
    pub token_type: Option<String>,
    /// When the access token ends, in seconds since 1970.
    pub expires_at_seconds: i64,
}

/// How tokens were obtained.
///
/// ```
/// use portolan_sdk::GrantKind;
///
/// assert_ne!(GrantKind::RefreshToken, GrantKind::DependentToken);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantKind {
    /// A person logged in.
    AuthorizationCode,
    /// An earlier login was renewed.
    RefreshToken,
    /// A client acts as itself.
    ClientCredentials,
    /// A service acts for the person whose token it was given.
    DependentToken,
    /// A form of the caller's own.
    Other,
}

/// Tokens, one for each resource server.
///
/// ```no_run
/// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
/// let response = app.client_credentials_tokens("openid profile").await?;
/// for (resource_server, token) in response.by_resource_server() {
///     println!("{resource_server}: {}", token.scope);
/// }
/// let token = response.by_scopes().get("openid profile")?;
/// println!("ends at {}", token.expires_at_seconds);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenResponse {
    kind: GrantKind,
    tokens: BTreeMap<String, Token>,
    /// The resource servers in the order of the answer.
    order: Vec<String>,
    id_token: Option<Secret>,
    response: Response<Value>,
}

impl TokenResponse {
    /// Reads a token document, or for dependent tokens a list of them. `now` makes times of
    /// durations.
    pub(crate) fn read(kind: GrantKind, response: Response<Value>, now: i64) -> Result<Self> {
        let wrong = |reason: String| Error::Decode {
            call: response.call().to_owned(),
            reason,
        };
        let elements: Vec<&Value> = match (&*response, kind) {
            (Value::Array(elements), GrantKind::DependentToken) => elements.iter().collect(),
            (Value::Object(document), _) if kind != GrantKind::DependentToken => {
                let others = document.get("other_tokens").and_then(Value::as_array);
                std::iter::once(&*response)
                    .chain(others.into_iter().flatten())
                    .collect()
            }
            _ => return Err(wrong("it is no token document".to_owned())),
        };
        let mut tokens = BTreeMap::new();
        let mut order = Vec::new();
        for element in elements {
            let token = token(element, now).map_err(wrong)?;
            if !tokens.contains_key(&token.resource_server) {
                order.push(token.resource_server.clone());
            }
            tokens.insert(token.resource_server.clone(), token);
        }
        let id_token = response.get("id_token").and_then(Value::as_str).map(Secret::new);
        Ok(Self {
            kind,
            tokens,
            order,
            id_token,
            response,
        })
    }

    /// How the tokens were obtained.
    pub fn kind(&self) -> GrantKind {
        self.kind
    }

    /// The tokens by resource server.
    pub fn by_resource_server(&self) -> &BTreeMap<String, Token> {
        &self.tokens
    }

    /// The tokens in the order of the answer.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.order.iter().map(|name| &self.tokens[name])
    }

    /// The tokens by scope.
    pub fn by_scopes(&self) -> ByScopes<'_> {
        ByScopes { response: self }
    }

    /// The ID token, if the person's identity was asked for.
    ///
    /// ```no_run
    /// # fn show(response: portolan_sdk::TokenResponse) {
    /// if response.id_token().is_none() {
    ///     println!("the login did not ask for openid");
    /// }
    /// # }
    /// ```
    pub fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    /// The `state` of the login, as the answer repeats it.
    pub fn state(&self) -> Option<&str> {
        self.response.get("state")?.as_str()
    }

    /// Checks the ID token and returns what it says.
    ///
    /// ```no_run
    /// # async fn run(app: portolan_sdk::NativeAppAuthClient, response: portolan_sdk::TokenResponse)
    /// # -> portolan_sdk::Result<()> {
    /// let decoder = portolan_sdk::IdTokenDecoder::new(&app);
    /// println!("{}", response.decode_id_token(&decoder).await?.sub);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn decode_id_token(&self, decoder: &IdTokenDecoder) -> Result<IdTokenClaims> {
        if self.kind == GrantKind::DependentToken {
            return Err(Error::usage("dependent tokens come without an ID token"));
        }
        let id_token = self
            .id_token
            .as_ref()
            .ok_or_else(|| Error::usage("the answer has no ID token: ask for the scope openid"))?;
        decoder.decode(id_token.expose()).await
    }

    /// The HTTP answer.
    pub fn response(&self) -> &Response<Value> {
        &self.response
    }

    /// The only token; renewals expect just one.
    pub(crate) fn single(&self) -> Result<&Token> {
        match self.order.as_slice() {
            [only] => Ok(&self.tokens[only]),
            _ => Err(Error::Decode {
                call: self.response.call().to_owned(),
                reason: format!("it has tokens for {} resource servers instead of one", self.order.len()),
            }),
        }
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("kind", &self.kind)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

fn token(element: &Value, now: i64) -> Result<Token, String> {
    let text = |name: &str| element.get(name).and_then(Value::as_str).map(str::to_owned);
    let required = |name: &str| text(name).ok_or_else(|| format!("a token has no {name}"));
    // Without a duration it counts as ended, so that it is renewed rather than trusted.
    let seconds = element.get("expires_in").and_then(Value::as_f64).unwrap_or(0.0);
    Ok(Token {
        resource_server: required("resource_server")?,
        scope: required("scope")?,
        access_token: Secret::new(required("access_token")?),
        refresh_token: text("refresh_token").map(Secret::new),
        token_type: text("token_type"),
        expires_at_seconds: now.saturating_add(seconds as i64),
    })
}

/// Tokens by scope: see [`TokenResponse::by_scopes`].
///
/// ```no_run
/// # fn show(response: portolan_sdk::TokenResponse) -> portolan_sdk::Result<()> {
/// let by_scopes = response.by_scopes();
/// if by_scopes.contains("email") {
///     println!("{}", by_scopes.get("openid email")?.resource_server);
/// }
/// for scope in by_scopes.iter() {
///     println!("{scope}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ByScopes<'a> {
    response: &'a TokenResponse,
}

impl<'a> ByScopes<'a> {
    /// The token that allows all of these, which must belong to one resource server.
    pub fn get(&self, scopes: impl ScopeList) -> Result<&'a Token> {
        let mut found: Option<&Token> = None;
        for name in self.names(scopes)? {
            let token = self
                .token_of(&name)
                .ok_or_else(|| Error::usage(format!("no token allows the scope {name}")))?;
            if found.is_some_and(|known| known.resource_server != token.resource_server) {
                return Err(Error::usage("these scopes belong to several resource servers"));
            }
            found = Some(token);
        }
        found.ok_or_else(|| Error::usage("no scope was named"))
    }

    /// Whether [`get`](Self::get) finds one.
    pub fn contains(&self, scopes: impl ScopeList) -> bool {
        self.get(scopes).is_ok()
    }

    /// The tokens that allow any of these, by resource server.
    ///
    /// ```no_run
    /// # fn show(response: portolan_sdk::TokenResponse) -> portolan_sdk::Result<()> {
    /// for (scope, token) in response.by_scopes().matching("openid email")? {
    ///     println!("{scope}: {}", token.resource_server);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn matching(&self, scopes: impl ScopeList) -> Result<BTreeMap<&'a str, &'a Token>> {
        let tokens = self.names(scopes)?.into_iter().filter_map(|name| self.token_of(&name));
        Ok(tokens.map(|token| (token.resource_server.as_str(), token)).collect())
    }

    /// Every scope that some token allows.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.response.tokens().flat_map(|token| token.scope.split_whitespace())
    }

    fn names(&self, scopes: impl ScopeList) -> Result<BTreeSet<String>> {
        let joined = scopes::join(scopes)?;
        Ok(joined.split_whitespace().map(str::to_owned).collect())
    }

    fn token_of(&self, name: &str) -> Option<&'a Token> {
        self.response
            .tokens()
            .find(|token| token.scope.split_whitespace().any(|scope| scope == name))
    }
}
