//! Where answers may be sent: which addresses a client may register, and which of those that
//! a request names are its own.

use super::{PUBLIC_INSTALLED, is_native};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::clients::Client;

/// Where the answer of an authorization request goes, as the rules of wire.md 3.4 and
/// decisions section 3 allow. URIs are compared as strings; nothing is normalised.
pub fn allows_redirect(client: &Client, config: &Config, uri: &str) -> bool {
    let registered = client.redirect_uris();
    if registered.iter().any(|known| known == uri) {
        return true;
    }
    if registered.iter().any(|known| matches_with_any_port(known, uri)) {
        return true;
    }
    is_native(client) && (is_display_page(config, uri) || is_unregistered_loopback(&registered, uri))
}

/// The page that shows a code for copy and paste, under any public address of this server.
pub fn is_display_page(config: &Config, uri: &str) -> bool {
    std::iter::once(config.public_url())
        .chain(config.additional_public_urls.iter().cloned())
        .any(|base| uri.strip_prefix(base.trim_end_matches('/')) == Some("/v2/web/auth-code"))
}

/// RFC 8252 section 7.3: a registered loopback address matches with any port. Only the
/// two literal addresses: `localhost` may be resolved elsewhere.
fn matches_with_any_port(registered: &str, uri: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].iter().any(|origin| {
        let (Some(registered), Some(uri)) = (registered.strip_prefix(origin), uri.strip_prefix(origin)) else {
            return false;
        };
        let registered_path = split_port(registered).map_or(registered, |(_, path)| path);
        let is_path = registered_path.is_empty() || registered_path.starts_with(['/', '?']);
        is_path && split_port(uri).is_some_and(|(_, path)| path == registered_path)
    })
}

/// `http://localhost:PORT` and its kin for native apps, none of them registered.
fn is_unregistered_loopback(registered: &[String], uri: &str) -> bool {
    let Some((port, path)) = loopback(uri) else {
        return false;
    };
    let known_path = registered
        .iter()
        .filter_map(|known| loopback(known))
        .any(|(_, known)| known == path);
    port >= 1024 && (path.is_empty() || path == "/" || (known_path && !path.contains(['?', '#'])))
}

fn loopback(uri: &str) -> Option<(u16, &str)> {
    ["http://localhost", "http://127.0.0.1", "http://[::1]"]
        .iter()
        .find_map(|origin| split_port(uri.strip_prefix(origin)?))
}

/// `:8080/path` → (8080, "/path"). The port is explicit, decimal, without leading zeros.
fn split_port(rest: &str) -> Option<(u16, &str)> {
    let rest = rest.strip_prefix(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (port, path) = rest.split_at(digits);
    if port.starts_with('0') || !(path.is_empty() || path.starts_with('/')) {
        return None;
    }
    Some((port.parse().ok()?, path))
}

/// Whether an address lies at an origin that the client has registered: there a page may
/// offer a way back to it. Nothing secret is sent along, so the path is free.
pub fn is_registered_origin(client: &Client, uri: &str) -> bool {
    let origin = |text: &str| {
        url::Url::parse(text)
            .ok()
            .map(|url| url.origin())
            .filter(url::Origin::is_tuple)
    };
    let Some(wanted) = origin(uri) else { return false };
    client
        .redirect_uris()
        .iter()
        .any(|registered| origin(registered).as_ref() == Some(&wanted))
}

/// Why a URI cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriFault {
    TooLong,
    Characters,
    Fragment,
    Wildcard,
    NotAbsolute,
    DotSegments,
    UserInfo,
    NoHost,
    PlainHttp,
    SchemeWithoutDot,
    NotHttps,
}

impl UriFault {
    pub const ALL: [UriFault; 11] = [
        UriFault::TooLong,
        UriFault::Characters,
        UriFault::Fragment,
        UriFault::Wildcard,
        UriFault::NotAbsolute,
        UriFault::DotSegments,
        UriFault::UserInfo,
        UriFault::NoHost,
        UriFault::PlainHttp,
        UriFault::SchemeWithoutDot,
        UriFault::NotHttps,
    ];

    /// What the URI does wrong: the end of a sentence that begins with it.
    fn reason(self) -> &'static str {
        match self {
            UriFault::TooLong => "is longer than 2048 characters",
            UriFault::Characters => "contains characters that a URI must not contain",
            UriFault::Fragment => "has a fragment",
            UriFault::Wildcard => "has a wildcard; register each address",
            UriFault::NotAbsolute => "is not an absolute URI",
            UriFault::DotSegments => "has dot segments",
            UriFault::UserInfo => "carries a user name or password",
            UriFault::NoHost => "has no host",
            UriFault::PlainHttp => "uses plain http; only loopback addresses may",
            UriFault::SchemeWithoutDot => "uses a private scheme without a dot, such as org.example.app:/callback",
            UriFault::NotHttps => "must use https",
        }
    }
}

/// Whether a URI may be registered. The error says what is wrong with it.
pub fn check_redirect_uri(client_type: &str, uri: &str) -> Result<()> {
    find_uri_fault(client_type, uri).map_or(Ok(()), |fault| {
        Err(Error::invalid_parameters(format!(
            "redirect_uris: {uri:?} {}",
            fault.reason()
        )))
    })
}

/// A URI is absolute, https; plain http only on loopback; private-use schemes only for
/// installed clients and with a dot (RFC 8252 section 7.1).
pub fn find_uri_fault(client_type: &str, uri: &str) -> Option<UriFault> {
    if uri.len() > 2048 {
        return Some(UriFault::TooLong);
    }
    if !uri.is_ascii()
        || uri.bytes().any(|b| {
            b.is_ascii_control() || matches!(b, b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        })
    {
        return Some(UriFault::Characters);
    }
    if uri.contains('#') {
        return Some(UriFault::Fragment);
    }
    if uri.contains('*') {
        return Some(UriFault::Wildcard);
    }
    let Ok(url) = url::Url::parse(uri) else {
        return Some(UriFault::NotAbsolute);
    };
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let lower = path.to_ascii_lowercase();
    let has_dot_segment = lower
        .split('/')
        .any(|segment| matches!(segment.replace("%2e", ".").as_str(), "." | ".."));
    if has_dot_segment {
        return Some(UriFault::DotSegments);
    }
    if authority(uri).contains('@') {
        return Some(UriFault::UserInfo);
    }
    match url.scheme() {
        // The parser takes `https:a.example` and `https:///a.example` for whole addresses.
        "https" | "http" if authority(uri).is_empty() => Some(UriFault::NoHost),
        "https" => None,
        "http" if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) => None,
        "http" => Some(UriFault::PlainHttp),
        scheme if client_type == PUBLIC_INSTALLED && scheme.contains('.') => None,
        _ if client_type == PUBLIC_INSTALLED => Some(UriFault::SchemeWithoutDot),
        _ => Some(UriFault::NotHttps),
    }
}

fn authority(uri: &str) -> &str {
    uri.split_once("://")
        .map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""))
}
