//! The one client of HTTP. It asks addresses that other people have written (a provider's
//! documents, an app's logout address), so it is guarded: a guest must not be able to make
//! this server talk to the machines around it (standards.md G12, threats.md 13).
//!
//! What is judged are the addresses that are really connected to: a look-up of our own
//! feeds the connections, so a name that means something else a moment later (DNS
//! rebinding) changes nothing, and addresses written as such are judged before. Redirects
//! are not followed, no proxy is taken from the environment, and the answer has a limit
//! of size and time.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ipnet::IpNet;
use portolan_types::Secret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the look-up of the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, unless a request says otherwise.
pub const LIMIT: usize = 64 * 1024;
const USER_AGENT: &str = concat!("portolan/", env!("CARGO_PKG_VERSION"));

/// A request to somebody else's server. It may hold secrets, so it does not print.
#[derive(Clone)]
pub struct Outgoing {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
    limit: usize,
}

impl Outgoing {
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            limit: LIMIT,
        }
    }

    /// A POST of these fields, `application/x-www-form-urlencoded`.
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            method: Method::POST,
            body: form.finish().into_bytes(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form_type)]),
            ..Self::get(url)
        }
    }

    pub fn accept(self, media_type: &'static str) -> Self {
        self.header(ACCEPT, HeaderValue::from_static(media_type))
    }

    /// `Authorization: Bearer ..`; a token that is no header value is not sent, and the
    /// other side will say that it is missing.
    pub fn bearer(self, token: &Secret) -> Self {
        self.authorization(&format!("Bearer {}", token.expose()))
    }

    /// HTTP Basic with both parts encoded (RFC 6749 section 2.3.1).
    pub fn basic(self, id: &str, secret: &Secret) -> Self {
        use base64::Engine;
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(id), encode(secret.expose()));
        self.authorization(&format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        ))
    }

    fn authorization(self, text: &str) -> Self {
        match HeaderValue::try_from(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.header(AUTHORIZATION, value)
            }
            Err(_) => self,
        }
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The largest answer that is read.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

/// What came back; any status, also a redirect.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why nothing came back. The words fit after "the provider's server".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The address is none, or not one of http and https.
    NoAddress,
    /// It names a machine that this server does not call (`outgoing_allow`).
    Forbidden,
    /// Plain http, which is for machines of `outgoing_allow` only.
    NotHttps,
    /// Nobody there, or not with a certificate that is trusted.
    Unreachable,
    TimedOut,
    TooLarge,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FetchError::NoAddress => "has no usable address",
            FetchError::Forbidden => "is at an address that this server does not call",
            FetchError::NotHttps => "is not behind https",
            FetchError::Unreachable => "cannot be reached",
            FetchError::TimedOut => "did not answer in time",
            FetchError::TooLarge => "sent more than it should",
        })
    }
}

impl std::error::Error for FetchError {}

/// The client. Made once; connections are kept for a moment.
pub struct Fetcher {
    allowed: Arc<[IpNet]>,
    lookup: Lookup,
    /// For https, to any public address.
    https: OnceLock<Option<reqwest::Client>>,
    /// For http, to addresses of the list only.
    http: OnceLock<Option<reqwest::Client>>,
}

impl Fetcher {
    /// `allowed` are networks that may be called although they are not public.
    pub fn new(allowed: &[IpNet]) -> Self {
        Self::with_lookup(allowed, Arc::new(|name| Box::pin(ask_system(name))))
    }

    fn with_lookup(allowed: &[IpNet], lookup: Lookup) -> Self {
        Self {
            allowed: allowed.into(),
            lookup,
            https: OnceLock::new(),
            http: OnceLock::new(),
        }
    }

    pub async fn send(&self, outgoing: Outgoing) -> Result<Fetched, FetchError> {
        let url = Url::parse(&outgoing.url).map_err(|_| FetchError::NoAddress)?;
        let client = self.client_for(&url)?;
        let request = client
            .request(outgoing.method, url)
            .headers(outgoing.headers)
            .body(outgoing.body);
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            if body.len() + chunk.len() > outgoing.limit {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched {
            status,
            headers,
            body: body.into(),
        })
    }

    /// Whether an address may be asked as far as its text tells, for checks before it is
    /// stored. A name is judged when it is looked up.
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::NoAddress)?;
        self.scope_of(&url).map(|_| ())
    }

    fn scope_of(&self, url: &Url) -> Result<Scope, FetchError> {
        let scope = match url.scheme() {
            "https" => Scope::PublicOrAllowed,
            "http" => Scope::Allowed,
            _ => return Err(FetchError::NoAddress),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::NoAddress);
        }
        // Names are judged by the look-up; addresses never come to it.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::NoAddress),
        };
        match literal {
            Some(address) if !scope.contains(address, &self.allowed) => Err(scope.refusal()),
            // Without a network on the list no name can be one of a machine on it.
            None if scope == Scope::Allowed && self.allowed.is_empty() => Err(scope.refusal()),
            _ => Ok(scope),
        }
    }

    fn client_for(&self, url: &Url) -> Result<reqwest::Client, FetchError> {
        let scope = self.scope_of(url)?;
        let slot = match scope {
            Scope::PublicOrAllowed => &self.https,
            Scope::Allowed => &self.http,
        };
        // The certificates of the system are read with the first request, not at each start.
        slot.get_or_init(|| self.build(scope))
            .clone()
            .ok_or(FetchError::Unreachable)
    }

    fn build(&self, scope: Scope) -> Option<reqwest::Client> {
        let guard = Guard {
            scope,
            allowed: self.allowed.clone(),
            lookup: self.lookup.clone(),
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(2)
            .pool_idle_timeout(Duration::from_secs(15))
            .dns_resolver(guard);
        if scope == Scope::PublicOrAllowed {
            builder = builder.https_only(true);
        } else {
            builder = builder.tls_certs_only([]);
        }
        builder
            .build()
            .inspect_err(|error| tracing::error!(error = %causes(error), "no outgoing request can be made"))
            .ok()
    }
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    PublicOrAllowed,
    Allowed,
}

impl Scope {
    fn contains(self, address: IpAddr, allowed: &[IpNet]) -> bool {
        // `::ffff:127.0.0.1` is 127.0.0.1 on the wire.
        let address = address.to_canonical();
        allowed.iter().any(|network| network.contains(&address))
            || (self == Scope::PublicOrAllowed && is_public(address))
    }

    fn refusal(self) -> FetchError {
        match self {
            Scope::PublicOrAllowed => FetchError::Forbidden,
            Scope::Allowed => FetchError::NotHttps,
        }
    }
}

/// Whether an address is one of the public internet: everything else is somebody's own
/// network or means something special (RFC 6890 and the registries it made).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,
        // Carrier-grade NAT, RFC 6598.
        [100, 64..=127, ..] => true,
        [169, 254, ..] => true,
        [172, 16..=31, ..] => true,
        [192, 0, 0 | 2, _] => true,
        // Relays of 6to4, which are gone.
        [192, 88, 99, _] => true,
        [192, 168, ..] => true,
        // Benchmarks, and addresses of examples.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // What a translator reaches in the old protocol counts as what it is there (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // Special purposes such as Teredo, which carries an old address inside.
        [0x2001, 0..=0x01ff, ..] => false,
        // Addresses of examples.
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // 6to4, which carries an old address inside.
        [0x2002, ..] => false,
        // Global unicast; loopback, link-local, unique local and multicast are not in it.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

type Lookup = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

async fn ask_system(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Looks names up and lets through only addresses that may be connected to.
struct Guard {
    scope: Scope,
    allowed: Arc<[IpNet]>,
    lookup: Lookup,
}

/// No address of a name may be connected to.
#[derive(Debug)]
struct Refused(FetchError);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (scope, allowed) = (self.scope, self.allowed.clone());
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let mut addresses = found.await?;
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            addresses.retain(|address| scope.contains(*address, &allowed));
            if addresses.is_empty() {
                return Err(Refused(scope.refusal()).into());
            }
            // The port comes from the address that was asked for.
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

/// The cause, as far as it matters to whoever asked; the log has the rest.
fn explain(error: &reqwest::Error) -> FetchError {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(Refused(refusal)) = cause.downcast_ref() {
            return *refusal;
        }
        source = cause.source();
    }
    tracing::warn!(error = %causes(error), "an outgoing request failed");
    if error.is_timeout() {
        FetchError::TimedOut
    } else {
        FetchError::Unreachable
    }
}

/// An error with what lies behind it, without the address, whose query may hold a secret.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
