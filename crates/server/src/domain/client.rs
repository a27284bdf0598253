//! Rules about clients: who they prove to be, where their answers may go, which grants
//! they may use, and how new ones are made.

mod redirect_uri;
pub mod registration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{ClientId, CredentialId, IdentityId, IdentityProviderId, ProjectId, Secret, Timestamp, TokenHash};

use crate::app::{Ctx, new_uuid, random_bytes};
use crate::domain::token_format;
use crate::error::{Error, Result};
use crate::store::clients::{self, Client, Credential, Provable, WithHash};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::{CLIENTS, CLIENTS_DOMAIN};
use crate::texts::words;
pub use redirect_uri::{
    UriFault, allows_redirect, check_redirect_uri, find_uri_fault, is_display_page, is_registered_origin,
};

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
    let found = found.ok_or_else(Error::invalid_client)?;
    let client = &found.client;
    if client.enabled && holds(claim, client.is_public(), &found.hashes) {
        Ok(found)
    } else {
        Err(Error::invalid_client())
    }
}

/// The same for a client of which nothing but its secrets is needed. One without is refused.
pub fn prove_confidential(found: Vec<WithHash>, claim: Claim<'_>) -> Result<()> {
    let usable = found.iter().all(|row| row.enabled && !row.is_public());
    let hashes: Vec<TokenHash> = found.into_iter().filter_map(|row| row.hash).collect();
    if usable && holds(claim, false, &hashes) {
        Ok(())
    } else {
        Err(Error::invalid_client())
    }
}

fn holds(claim: Claim<'_>, is_public: bool, hashes: &[TokenHash]) -> bool {
    match claim {
        Claim::IdOnly => is_public,
        // `TokenHash` compares in constant time: the presented one is chosen by the caller.
        Claim::Secrets(presented) => !is_public && hashes.iter().any(|hash| presented.contains(hash)),
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
        return Err(Error::invalid_parameters("name: must have 1 to 255 characters")
            .said(words("account-text-length"))
            .about("name"));
    }
    if name.chars().any(char::is_control) {
        return Err(
            Error::invalid_parameters("name: must not contain line breaks or control characters")
                .said(words("account-text-length"))
                .about("name"),
        );
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
        return Err(
            Error::invalid_parameters("a public client cannot hold a secret").said(words("refusal-public-secret"))
        );
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
        return Err(Error::conflict("this template has instances; delete them first").said(words("refusal-instances")));
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
mod tests;
