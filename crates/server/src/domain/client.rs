//! Rules about clients: who they prove to be, where their answers may go, which grants
//! they may use, and how new ones are made.

pub mod registration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{ClientId, CredentialId, IdentityId, IdentityProviderId, ProjectId, Secret, Timestamp, TokenHash};

use crate::app::{Ctx, new_uuid, random_bytes};
use crate::config::Config;
use crate::domain::token_format;
use crate::error::{Error, Result};
use crate::store::clients::{self, Client, Credential, Provable};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::{CLIENTS, CLIENTS_DOMAIN};

pub const AUTHORIZATION_CODE: &str = "authorization_code";
pub const REFRESH_TOKEN: &str = "refresh_token";
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
pub const DEPENDENT_TOKEN: &str = "urn:globus:auth:grant_type:dependent_token";

pub const PUBLIC_INSTALLED: &str = "public_installed_client";
pub const PUBLIC_WEBAPP: &str = "public_webapp_client";
pub const CONFIDENTIAL: &str = "confidential_client";
pub const CLIENT_IDENTITY: &str = "client_identity";
pub const RESOURCE_SERVER: &str = "resource_server";
pub const CONNECT_SERVER: &str = "globus_connect_server";
pub const HYBRID: &str = "hybrid_confidential_client_resource_server";

/// Every client type (wire.md 1.6).
pub const CLIENT_TYPES: &[&str] = &[
    PUBLIC_INSTALLED,
    PUBLIC_WEBAPP,
    CONFIDENTIAL,
    CLIENT_IDENTITY,
    RESOURCE_SERVER,
    CONNECT_SERVER,
    HYBRID,
];

/// How a caller proves to be a client: hashes of what it presented.
pub enum Claim<'a> {
    /// Any of these may match.
    Secrets(&'a [TokenHash]),
    /// Only its id: enough for a public client.
    IdOnly,
}

/// The client, if the claim holds.
pub fn authenticate(tx: &mut ReadTx, id: ClientId, claim: Claim<'_>) -> Result<Client> {
    let rows = tx.fetch(&clients::with_secrets(id))?;
    prove(Provable::from_rows(rows), claim).map(|proven| proven.client)
}

/// Hands the client back if the claim holds. Every refusal is the same: nothing tells an
/// unknown client from a wrong secret.
pub fn prove(found: Option<Provable>, claim: Claim<'_>) -> Result<Provable> {
    let found = found.filter(|found| found.client.enabled);
    let found = found.ok_or_else(Error::invalid_client)?;
    // `TokenHash` compares in constant time: the presented one is chosen by the caller.
    let proven = match claim {
        Claim::IdOnly => found.client.is_public(),
        Claim::Secrets(presented) => {
            !found.client.is_public() && found.hashes.iter().any(|hash| presented.contains(hash))
        }
    };
    if proven {
        Ok(found)
    } else {
        Err(Error::invalid_client())
    }
}

/// Whether the client may use this grant. An instance of a template reports
/// `client_credentials` as the recorded service does, yet may not use it.
pub fn may_use(client: &Client, grant_type: &str) -> bool {
    let lists = |name: &str| client.grant_types.split(' ').any(|listed| listed == name);
    // A service that may hold dependent refresh tokens may use them.
    let listed = lists(grant_type) || (grant_type == REFRESH_TOKEN && lists(DEPENDENT_TOKEN));
    let instance_excluded = client.is_instance && grant_type == CLIENT_CREDENTIALS;
    let person_excluded = client.client_type == CLIENT_IDENTITY && grant_type == AUTHORIZATION_CODE;
    listed && !instance_excluded && !person_excluded
}

/// The grants of a type (wire.md 1.6).
pub fn grant_types(client_type: &str) -> Option<&'static str> {
    Some(match client_type {
        PUBLIC_INSTALLED | PUBLIC_WEBAPP => "authorization_code refresh_token",
        CONFIDENTIAL | CLIENT_IDENTITY => "authorization_code client_credentials refresh_token",
        RESOURCE_SERVER => "client_credentials urn:globus:auth:grant_type:dependent_token",
        CONNECT_SERVER | HYBRID => {
            "authorization_code client_credentials refresh_token urn:globus:auth:grant_type:dependent_token"
        }
        _ => return None,
    })
}

/// A public client must prove with PKCE that it is the one who asked.
pub fn requires_pkce(client: &Client) -> bool {
    client.is_public()
}

/// Installed programs: anybody on the machine can pose as them, so an answer is never
/// given without the person seeing a page (decisions, section 3).
pub fn is_native(client: &Client) -> bool {
    client.client_type == PUBLIC_INSTALLED || client.is_instance
}

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

/// What a new client brings; the rest follows from its type.
#[derive(Clone, Debug, Default)]
pub struct NewClient {
    /// Given for built-in clients, otherwise random.
    pub id: Option<ClientId>,
    pub name: String,
    pub client_type: String,
    pub project_id: Option<ProjectId>,
    pub parent_client_id: Option<ClientId>,
    pub redirect_uris: Vec<String>,
    pub visibility: Option<String>,
    pub terms_and_conditions: Option<String>,
    pub privacy_policy: Option<String>,
    pub id_token_algorithm: Option<String>,
    pub resource_server: Option<String>,
    pub is_template: bool,
    pub required_idp: Option<IdentityProviderId>,
    pub preselect_idp: Option<IdentityProviderId>,
    /// True unless given.
    pub userinfo_from_effective_identity: Option<bool>,
    /// True for installed clients unless given.
    pub prompt_for_named_grant: Option<bool>,
}

/// Registers a client, with the identity that a client with a secret acts as.
pub fn register(tx: &mut WriteTx, ctx: &Ctx, new: &NewClient) -> Result<Client> {
    let grant_types = grant_types(&new.client_type).ok_or_else(|| {
        Error::invalid_parameters(format!(
            "client_type: {:?} is none of {}",
            new.client_type,
            CLIENT_TYPES.join(", ")
        ))
    })?;
    check_name(&new.name)?;
    for uri in &new.redirect_uris {
        check_redirect_uri(&new.client_type, uri)?;
    }
    check_links(new.terms_and_conditions.as_deref(), new.privacy_policy.as_deref())?;
    let mut client = Client::new(
        new.id.unwrap_or_else(|| ClientId(new_uuid())),
        new.name.trim(),
        &new.client_type,
        ctx.now,
    );
    client.project_id = new.project_id;
    client.parent_client_id = new.parent_client_id;
    client.grant_types = grant_types.into();
    client.set_redirect_uris(&new.redirect_uris);
    client.terms_and_conditions = new.terms_and_conditions.clone();
    client.privacy_policy = new.privacy_policy.clone();
    client.id_token_algorithm = check_algorithm(new.id_token_algorithm.as_deref())?;
    client.resource_server = new.resource_server.clone();
    client.is_template = new.is_template;
    client.required_idp = new.required_idp;
    client.preselect_idp = new.preselect_idp;
    client.userinfo_from_effective_identity = new.userinfo_from_effective_identity.unwrap_or(true);
    client.prompt_for_named_grant = new
        .prompt_for_named_grant
        .unwrap_or(new.client_type == PUBLIC_INSTALLED);
    if let Some(visibility) = &new.visibility {
        if visibility != "public" && visibility != "private" {
            return Err(Error::invalid_parameters("visibility: must be public or private"));
        }
        client.visibility = visibility.clone();
    }
    clients::insert(tx, &client)?;
    if !client.is_public() {
        insert_identity(tx, ctx.now, &client)?;
    }
    Ok(client)
}

fn check_algorithm(algorithm: Option<&str>) -> Result<Option<String>> {
    match algorithm {
        None => Ok(None),
        Some(known @ ("RS256" | "RS512" | "ES256")) => Ok(Some(known.to_owned())),
        Some(_) => Err(Error::invalid_parameters(
            "id_token_algorithm: must be RS256, RS512 or ES256",
        )),
    }
}

/// A name as pages show it: something, not too long, on one line.
pub fn check_name(name: &str) -> Result<()> {
    let length = name.trim().chars().count();
    if length == 0 || length > 255 {
        return Err(Error::invalid_parameters("name: must have 1 to 255 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid_parameters(
            "name: must not contain line breaks or control characters",
        ));
    }
    Ok(())
}

pub fn check_links(terms: Option<&str>, privacy: Option<&str>) -> Result<()> {
    if terms.is_some() != privacy.is_some() {
        return Err(Error::invalid_parameters(
            "links: give both terms_and_conditions and privacy_policy, or neither",
        ));
    }
    for (field, link) in [("terms_and_conditions", terms), ("privacy_policy", privacy)] {
        let Some(link) = link else { continue };
        let is_web = url::Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_web || link.len() > 2048 {
            return Err(Error::invalid_parameters(format!(
                "links.{field}: must be an http or https address"
            )));
        }
    }
    Ok(())
}

/// The identity of a client that can hold a secret (wire.md 1.7): the same id.
fn insert_identity(tx: &mut WriteTx, created_at: Timestamp, client: &Client) -> Result<()> {
    let identity = Identity {
        id: client.id.identity(),
        set_id: portolan_types::IdentitySetId(client.id.0),
        provider_id: CLIENTS,
        provider_name: String::new(),
        provider_enabled: true,
        subject: Some(client.id.to_string()),
        username: format!("{}@{CLIENTS_DOMAIN}", client.id),
        name: Some(client.name.clone()),
        email: None,
        organization: None,
        status: "used".into(),
        identity_type: None,
        enabled: true,
        generation: 0,
        created_at,
        last_authentication_at: None,
    };
    if identities::insert(tx, &identity)? {
        return Ok(());
    }
    Err(Error::conflict("an identity of this client exists already"))
}

/// An instance of a template (wire.md 2.5.4): a confidential client with one secret,
/// registered by nobody in particular, so its rights are few (decisions, section 6).
pub fn register_instance(
    tx: &mut WriteTx,
    ctx: &Ctx,
    template_id: ClientId,
    name: &str,
) -> Result<(Client, Credential, Secret)> {
    let template = clients::find(tx, template_id)?
        .filter(|client| client.enabled)
        .ok_or_else(|| Error::not_found("client"))?;
    if !template.is_template {
        return Err(Error::forbidden("this client is not a template"));
    }
    check_name(name)?;
    if clients::count_unused_instances(tx)? >= MAXIMUM_UNUSED_INSTANCES {
        return Err(
            Error::too_many_requests("too many registered apps wait for their first login")
                .retry_after(std::time::Duration::from_secs(3600)),
        );
    }
    let mut client = Client::new(ClientId(new_uuid()), name.trim(), CONFIDENTIAL, ctx.now);
    client.grant_types = "authorization_code client_credentials refresh_token".into();
    client.parent_client_id = Some(template.id);
    client.is_instance = true;
    client.device_name = Some(name.trim().to_owned());
    client.terms_and_conditions = template.terms_and_conditions.clone();
    client.privacy_policy = template.privacy_policy.clone();
    client.required_idp = template.required_idp;
    client.preselect_idp = template.preselect_idp;
    clients::insert(tx, &client)?;
    insert_identity(tx, ctx.now, &client)?;
    let (credential, secret) = create_credential(tx, ctx, client.id, "Auto-created at client creation")?;
    Ok((client, credential, secret))
}

/// Instances that wait for their first login; anybody may register one.
const MAXIMUM_UNUSED_INSTANCES: i64 = 10_000;

/// A new secret: 32 random bytes in standard base64, the form that clients know (wire.md 1.8).
pub fn create_credential(tx: &mut WriteTx, ctx: &Ctx, client_id: ClientId, name: &str) -> Result<(Credential, Secret)> {
    use base64::Engine;
    let client = clients::get(tx, client_id)?;
    if client.is_public() {
        return Err(Error::invalid_parameters("a public client cannot hold a secret"));
    }
    check_name(name)?;
    let secret = Secret::new(base64::engine::general_purpose::STANDARD.encode(random_bytes::<32>()));
    let credential = Credential {
        id: CredentialId(new_uuid()),
        client_id,
        name: name.trim().to_owned(),
        created_at: ctx.now,
    };
    clients::insert_credential(tx, &credential, &token_format::hash(secret.expose()))?;
    Ok((credential, secret))
}

/// Deletes a client; its identity is closed and its id never used again.
pub fn delete(tx: &mut WriteTx, id: ClientId) -> Result<Client> {
    let client = clients::get(tx, id)?;
    if client.is_template && clients::count_children(tx, id)? > 0 {
        return Err(Error::conflict("this template has instances; delete them first"));
    }
    if client.is_template {
        // A public client has no identity, and built-in ones have ids of their own: without
        // a closed one to remember it, the template would be back at the next start.
        insert_identity(tx, client.created_at, &client)?;
    }
    if client.is_template || !client.is_public() {
        identities::close(tx, IdentityId(id.0))?;
    }
    clients::delete(tx, id)?;
    Ok(client)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            public_url: "http://localhost:8080".into(),
            ..Config::default()
        }
    }

    fn client(client_type: &str, uris: &[&str]) -> Client {
        let mut client = Client::new(
            ClientId::from_u128(1),
            "c",
            client_type,
            portolan_types::Timestamp::from_seconds(0),
        );
        client.set_redirect_uris(&uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>());
        client
    }

    #[test]
    fn native_apps_may_use_unregistered_loopback_addresses() {
        let native = client(PUBLIC_INSTALLED, &["http://localhost/callback"]);
        let with_path = client(PUBLIC_INSTALLED, &["http://localhost:9999/callback"]);
        let table = [
            ("http://localhost:5173", true),
            ("http://localhost:5173/", true),
            ("http://127.0.0.1:18411", true),
            ("http://[::1]:4000/", true),
            ("http://localhost:80", false),
            ("http://localhost:1023/", false),
            ("http://localhost", false),
            ("http://localhost:05173", false),
            ("http://localhost:70000", false),
            ("http://localhost:5173/other", false),
            ("http://localhost:5173?x=1", false),
            ("http://localhost:5173/?x=1", false),
            ("http://localhost:5173#f", false),
            ("http://localhost.evil.example:5173", false),
            ("http://localhost:5173@evil.example", false),
            ("http://user@localhost:5173", false),
            ("https://localhost:5173", false),
            ("HTTP://localhost:5173", false),
            ("http://127.0.0.2:5173", false),
        ];
        for (uri, allowed) in table {
            assert_eq!(allows_redirect(&native, &config(), uri), allowed, "{uri}");
        }
        assert!(allows_redirect(&with_path, &config(), "http://localhost:5173/callback"));
        assert!(!allows_redirect(
            &with_path,
            &config(),
            "http://localhost:5173/callback?x"
        ));
    }

    #[test]
    fn other_clients_get_exact_matches_and_ports_on_the_two_addresses() {
        let web = client(
            CONFIDENTIAL,
            &[
                "https://a.example/cb",
                "http://127.0.0.1/cb",
                "http://localhost:3000/cb",
            ],
        );
        let table = [
            ("https://a.example/cb", true),
            ("https://a.example/cb/", false),
            ("https://a.example/cb?x=1", false),
            ("https://A.example/cb", false),
            ("http://127.0.0.1:5555/cb", true),
            ("http://127.0.0.1/cb", true),
            ("http://127.0.0.1:5555/cb/../x", false),
            ("http://127.0.0.1:5555", false),
            ("http://localhost:3000/cb", true),
            ("http://localhost:3001/cb", false),
            ("http://localhost:8080/v2/web/auth-code", false),
        ];
        for (uri, allowed) in table {
            assert_eq!(allows_redirect(&web, &config(), uri), allowed, "{uri}");
        }
    }

    #[test]
    fn the_display_page_is_for_native_apps_under_each_public_address() {
        let mut config = config();
        config.additional_public_urls = vec!["https://auth.example.org/".into()];
        let native = client(PUBLIC_INSTALLED, &[]);
        assert!(allows_redirect(
            &native,
            &config,
            "http://localhost:8080/v2/web/auth-code"
        ));
        assert!(allows_redirect(
            &native,
            &config,
            "https://auth.example.org/v2/web/auth-code"
        ));
        assert!(!allows_redirect(
            &native,
            &config,
            "https://auth.example.org/v2/web/auth-code/"
        ));
        assert!(!allows_redirect(
            &native,
            &config,
            "https://auth.example.org.evil/v2/web/auth-code"
        ));
    }

    #[test]
    fn only_sound_uris_can_be_registered() {
        let good = [
            (CONFIDENTIAL, "https://a.example/cb"),
            (CONFIDENTIAL, "https://localhost"),
            (CONFIDENTIAL, "http://localhost:3000/cb"),
            (CONFIDENTIAL, "https://a.example/cb?tenant=1"),
            (PUBLIC_INSTALLED, "org.example.app:/cb"),
        ];
        for (client_type, uri) in good {
            check_redirect_uri(client_type, uri).unwrap();
        }
        let long = format!("https://a.example/{}", "x".repeat(2048 - 18));
        check_redirect_uri(CONFIDENTIAL, &long).unwrap();
        let longer = format!("{long}x");
        let (plain, scheme) = ("uses plain http", "must use https");
        let (characters, user) = ("contains characters", "carries a user name");
        let bad = [
            (CONFIDENTIAL, longer.as_str(), "is longer than 2048"),
            (CONFIDENTIAL, "https://a.example/\u{fc}", characters),
            (CONFIDENTIAL, "https://a.example/\u{7f}", characters),
            (CONFIDENTIAL, "https://a.example/\n", characters),
            (CONFIDENTIAL, "https://a.example/ ", characters),
            (CONFIDENTIAL, "https://a.example/<b>", characters),
            (CONFIDENTIAL, "https://a.example\\@evil.example/", characters),
            (CONFIDENTIAL, "https://a.example/cb#x", "has a fragment"),
            (CONFIDENTIAL, "https://*.example/cb", "has a wildcard"),
            (CONFIDENTIAL, "/relative", "is not an absolute URI"),
            (CONFIDENTIAL, "", "is not an absolute URI"),
            (CONFIDENTIAL, "https://a.example/x/../cb", "has dot segments"),
            (CONFIDENTIAL, "https://a.example/x/%2E%2e/cb", "has dot segments"),
            (CONFIDENTIAL, "https://u:p@a.example/", user),
            (CONFIDENTIAL, "https://:p@a.example", user),
            (CONFIDENTIAL, "https://@a.example?x", user),
            (PUBLIC_INSTALLED, "org.example.app://u@host/cb", user),
            (CONFIDENTIAL, "https:a.example", "has no host"),
            (CONFIDENTIAL, "https:///a.example/cb", "has no host"),
            (CONFIDENTIAL, "http:localhost", "has no host"),
            (CONFIDENTIAL, "http://a.example/cb", plain),
            (CONFIDENTIAL, "http://localhost.evil.example/cb", plain),
            (CONFIDENTIAL, "org.example.app:/cb", scheme),
            (CONFIDENTIAL, "javascript:alert(1)", scheme),
            (PUBLIC_INSTALLED, "myapp:/cb", "uses a private scheme without a dot"),
        ];
        for (client_type, uri, reason) in bad {
            let refused = check_redirect_uri(client_type, uri).unwrap_err();
            assert!(refused.detail().contains(reason), "{uri}: {}", refused.detail());
        }
    }

    #[test]
    fn names_and_links_have_bounds() {
        check_name(&"n".repeat(255)).unwrap();
        check_name(&format!(" {} ", "n".repeat(255))).unwrap();
        for bad in ["", " ", &"n".repeat(256), "two\nlines"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        let good = format!("https://a.example/{}", "x".repeat(2048 - 18));
        let other = "http://b.example/terms";
        check_links(None, None).unwrap();
        check_links(Some(&good), Some(other)).unwrap();
        assert!(check_links(Some(other), None).is_err());
        assert!(check_links(None, Some(other)).is_err());
        let longer = format!("{good}x");
        for bad in [
            longer.as_str(),
            "ftp://a.example/",
            "mailto:a@b.example",
            "javascript:1",
            "terms",
        ] {
            let in_terms = check_links(Some(bad), Some(other)).unwrap_err();
            assert!(in_terms.detail().starts_with("links.terms_and_conditions"));
            let in_privacy = check_links(Some(other), Some(bad)).unwrap_err();
            assert!(in_privacy.detail().starts_with("links.privacy_policy"));
        }
    }
}
