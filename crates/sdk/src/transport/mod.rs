//! Sending requests: time-outs, retries, one renewal after a 401, and answers with a limit
//! of size.

mod request;
mod retry;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::authorizer::Authorizer;
use crate::client_info::ClientInfo;
use crate::clock::{BoxFuture, Clock, Random, SystemClock, SystemRandom};
use crate::config::{EnvironmentVariables, VerifyTls};
use crate::error::{AuthApiError, Error, NetworkError, Result, StorageError};
use crate::gare::{self, Gare};
use crate::response::{Response, Unread};

pub use request::{Body, Request};
pub use retry::RetryPolicy;

/// How often a redirect is followed where that was asked for.
const MAX_REDIRECTS: u32 = 5;

/// How requests are sent.
///
/// ```
/// use std::time::Duration;
/// use portolan_sdk::{AuthClient, ClientOptions, NullAuthorizer, RetryPolicy, TransportConfig};
///
/// # fn main() -> portolan_sdk::Result<()> {
/// let config = TransportConfig {
///     timeout: Some(Duration::from_secs(5)),
///     retry: RetryPolicy { max_retries: 2, ..RetryPolicy::default() },
///     ..TransportConfig::from_env()?
/// };
/// let client = AuthClient::with_options(NullAuthorizer, ClientOptions::new()?.transport(config))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TransportConfig {
    /// For one attempt, from the look-up of the name to the last byte. `None` waits for ever.
    pub timeout: Option<Duration>,
    /// Whose certificates are trusted.
    pub verify_tls: VerifyTls,
    /// When a request is sent again.
    pub retry: RetryPolicy,
    /// What `X-Globus-Client-Info` says.
    pub client_info: ClientInfo,
    /// The largest answer that is read.
    pub max_response_bytes: usize,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What cannot be guessed.
    pub random: Arc<dyn Random>,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self::of(&EnvironmentVariables::default())
    }
}

impl TransportConfig {
    /// With the time-out and the certificates that `GLOBUS_SDK_*` names.
    pub fn from_env() -> Result<Self> {
        Ok(Self::of(&EnvironmentVariables::read()?))
    }

    pub(crate) fn of(variables: &EnvironmentVariables) -> Self {
        Self {
            timeout: variables.timeout,
            verify_tls: variables.verify_tls.clone(),
            retry: RetryPolicy::default(),
            client_info: ClientInfo::new(),
            max_response_bytes: 16 * 1024 * 1024,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

impl fmt::Debug for TransportConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportConfig")
            .field("timeout", &self.timeout)
            .field("verify_tls", &self.verify_tls)
            .field("retry", &self.retry)
            .field("client_info", &self.client_info)
            .field("max_response_bytes", &self.max_response_bytes)
            .finish_non_exhaustive()
    }
}

/// Lets a person log in again when a service says what is missing, so that the request can
/// be sent once more.
pub(crate) trait Redrive: fmt::Debug + Send + Sync {
    fn redrive<'a>(&'a self, gare: &'a Gare) -> BoxFuture<'a, Result<()>>;
}

/// One service: where it is and who asks it.
#[derive(Clone)]
pub(crate) struct Service {
    pub base_url: Url,
    pub authorizer: Arc<dyn Authorizer>,
    pub redrive: Option<Arc<dyn Redrive>>,
    pub transport: Transport,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("base_url", &self.base_url.as_str())
            .field("authorizer", &self.authorizer)
            .finish_non_exhaustive()
    }
}

/// The connections, shared by all clones.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    pub config: Arc<TransportConfig>,
}

impl Transport {
    pub fn new(config: TransportConfig, app_name: Option<&str>) -> Result<Self> {
        let mut agent = concat!("portolan-sdk/", env!("CARGO_PKG_VERSION")).to_owned();
        if let Some(name) = app_name {
            agent = format!("{agent}/{name}");
        }
        let agent = HeaderValue::try_from(agent)
            .map_err(|_| Error::usage("the name of the app contains what a header cannot carry"))?;
        let mut builder = reqwest::Client::builder()
            .user_agent(agent)
            .redirect(reqwest::redirect::Policy::none());
        builder = match &config.verify_tls {
            VerifyTls::System => builder,
            VerifyTls::Nobody => builder.tls_danger_accept_invalid_certs(true),
            VerifyTls::Only(path) => {
                let pem = std::fs::read(path).map_err(|source| StorageError::Io {
                    path: path.display().to_string(),
                    source,
                })?;
                let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                    .map_err(|_| Error::usage(format!("{} holds no certificates", path.display())))?;
                builder.tls_certs_only(certificates)
            }
        };
        let http = builder
            .build()
            .map_err(|error| Error::usage(format!("TLS cannot be set up: {error}")))?;
        Ok(Self {
            http,
            config: Arc::new(config),
        })
    }

    /// The same connections with other settings; certificates stay as they were.
    pub fn tuned(&self, change: impl FnOnce(&mut TransportConfig)) -> Self {
        let mut config = (*self.config).clone();
        change(&mut config);
        Self {
            http: self.http.clone(),
            config: Arc::new(config),
        }
    }

    pub fn now(&self) -> i64 {
        self.config.clock.now().seconds()
    }
}

/// What came back from one attempt, not read yet.
struct Answer {
    response: reqwest::Response,
    method: Method,
    url: Url,
}

impl Service {
    /// Sends a request and reads the answer, whatever kind of document it is.
    pub async fn send(&self, request: Request) -> Result<Response<Value>> {
        Ok(self.fetch(request).await?.into_value())
    }

    /// Sends a request until its answer is final.
    pub(crate) async fn fetch(&self, request: Request) -> Result<Response<Unread>> {
        let mut redriven = false;
        let mut renewed = false;
        let mut attempt = 0;
        let policy = &self.transport.config.retry;
        let target = request.url(&self.base_url)?;
        loop {
            let header = self.authorization(&request, &target).await?;
            let answer = match self.attempt(&request, &target, header.as_ref()).await {
                Ok(answer) => self.read(answer, header.as_ref()).await,
                Err(error) => Err(error),
            };
            let refused = match answer {
                Ok(response) => return Ok(response),
                Err(refused) => refused,
            };
            if let Error::Api(error) = &refused {
                if error.status() == 401
                    && !renewed
                    && header.is_some()
                    && self.authorizer.renew_after(header.as_ref()).await
                {
                    renewed = true;
                    continue;
                }
                if error.status() == 403
                    && !redriven
                    && request.is_automatically_authorized()
                    && let Some(redrive) = &self.redrive
                    && let Some(gare) = error.raw_json().and_then(gare::from_value)
                {
                    redriven = true;
                    redrive.redrive(&gare).await?;
                    continue;
                }
            }
            let Some(pause) = policy.pause(attempt, &refused, &*self.transport.config.random) else {
                return Err(refused);
            };
            self.transport.config.clock.sleep(pause).await;
            attempt += 1;
        }
    }

    /// The header for a request. A token goes to its own service only, whatever the path says.
    async fn authorization(&self, request: &Request, target: &Url) -> Result<Option<HeaderValue>> {
        if !request.is_automatically_authorized() || target.origin() != self.base_url.origin() {
            return Ok(None);
        }
        self.authorizer.authorization().await
    }

    async fn attempt(&self, request: &Request, target: &Url, authorization: Option<&HeaderValue>) -> Result<Answer> {
        let mut url = target.clone();
        let mut redirects = 0;
        loop {
            let config = &self.transport.config;
            let mut builder = self.transport.http.request(request.method().clone(), url.clone());
            builder = request.fill(builder, &config.client_info);
            if let Some(timeout) = config.timeout {
                builder = builder.timeout(timeout);
            }
            if let Some(value) = authorization.filter(|_| url.origin() == target.origin()) {
                builder = builder.header(AUTHORIZATION, value.clone());
            }
            let call = call(request.method(), &url);
            let response = builder.send().await;
            let response = response.map_err(|error| NetworkError::new(call, error))?;
            let follows =
                request.follows_redirects() && response.status().is_redirection() && redirects < MAX_REDIRECTS;
            let location = response.headers().get(LOCATION).filter(|_| follows);
            match location.and_then(|location| url.join(location.to_str().ok()?).ok()) {
                Some(next) => {
                    url = next;
                    redirects += 1;
                }
                None => {
                    return Ok(Answer {
                        response,
                        method: request.method().clone(),
                        url,
                    });
                }
            }
        }
    }

    async fn read(&self, answer: Answer, authorization: Option<&HeaderValue>) -> Result<Response<Unread>> {
        let Answer {
            mut response,
            method,
            url,
        } = answer;
        let call = call(&method, &url);
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        let broken = |error| NetworkError::new(call.clone(), error);
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.transport.config.max_response_bytes {
                return Err(Error::Decode {
                    call,
                    reason: format!("it is larger than {} bytes", self.transport.config.max_response_bytes),
                });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_client_error() || status.is_server_error() {
            let scheme = authorization
                .and_then(|value| value.to_str().ok())
                .and_then(|text| text.split(' ').next())
                .map(str::to_owned);
            let error = AuthApiError::new(method, without_query(&url), scheme, status, headers, body);
            return Err(Error::Api(Box::new(error)));
        }
        Ok(Response::new(call, status, headers, body))
    }

    /// Sends a request and leaves the body to the caller, piece by piece.
    pub async fn stream(&self, request: Request) -> Result<Streamed> {
        let target = request.url(&self.base_url)?;
        let header = self.authorization(&request, &target).await?;
        let answer = self.attempt(&request, &target, header.as_ref()).await?;
        if answer.response.status().is_client_error() || answer.response.status().is_server_error() {
            return match self.read(answer, header.as_ref()).await {
                Err(error) => Err(error),
                Ok(response) => Err(Error::Decode {
                    call: response.call().to_owned(),
                    reason: "its status changed while it was read".to_owned(),
                }),
            };
        }
        Ok(Streamed {
            call: call(&answer.method, &answer.url),
            response: answer.response,
        })
    }
}

/// An answer whose body is read by the caller.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::Request;
///
/// let mut answer = client.stream(Request::get("v2/api/projects")).await?;
/// let mut bytes = 0;
/// while let Some(piece) = answer.chunk().await? {
///     bytes += piece.len();
/// }
/// println!("{bytes} bytes, status {}", answer.status());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Streamed {
    call: String,
    response: reqwest::Response,
}

impl Streamed {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The headers.
    pub fn headers(&self) -> &reqwest::header::HeaderMap {
        self.response.headers()
    }

    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let chunk = self.response.chunk().await;
        let chunk = chunk.map_err(|error| NetworkError::new(self.call.clone(), error))?;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

fn call(method: &Method, url: &Url) -> String {
    format!("{method} {}", without_query(url))
}

/// Whether an answer with this status may be different next time.
fn is_transient(status: u16) -> bool {
    [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .iter()
    .any(|transient| transient.as_u16() == status)
}
