//! What people name on the command line, found in the store: by id, or by whatever else
//! says unmistakably what is meant. Each refusal says where to look.

use portolan_db::ReadTx;
use portolan_server::domain::identity::typed_username;
use portolan_server::store::clients::{self, Client};
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_server::store::policies::{self, Policy};
use portolan_server::store::projects::{self, Project};
use portolan_server::store::scopes::{self, Scope};
use portolan_server::store::settings;
use portolan_server::{Config, Error, Kind, Result};

/// By id, or by a name that only one project has.
pub fn project(tx: &mut ReadTx, text: &str) -> Result<Project> {
    if let Ok(id) = text.parse() {
        return projects::find(tx, id)?.ok_or_else(|| missing("project", text, "project list"));
    }
    let mut found = projects::list(tx)?;
    found.retain(|project| project.display_name == text);
    only(found, "project", text, "project list", |project| project.id.to_string())
}

/// By id, by a verified domain name, or by a name that only one client has.
pub fn client(tx: &mut ReadTx, text: &str) -> Result<Client> {
    if let Ok(id) = text.parse() {
        return clients::find(tx, id)?.ok_or_else(|| missing("client", text, "client list"));
    }
    if let Some(client) = clients::find_by_fqdn(tx, &text.to_lowercase())? {
        return Ok(client);
    }
    // What a device calls itself is up to whoever registers it, so such names do not count.
    let found = clients::list_by_name(tx, text)?;
    only(found, "client", text, "client list", |client| client.id.to_string())
}

/// By id, or by any spelling of its scope string.
pub fn scope(tx: &mut ReadTx, text: &str) -> Result<Scope> {
    find_scope(tx, text)?.ok_or_else(|| missing("scope", text, "scope list"))
}

pub fn find_scope(tx: &mut ReadTx, text: &str) -> Result<Option<Scope>> {
    match text.parse() {
        Ok(id) => scopes::find(tx, id),
        Err(_) => Ok(scopes::list_by_strings(tx, [text])?.pop().map(|named| named.scope)),
    }
}

/// What scope strings begin with: the prefix that the store was started with wins over the
/// configuration.
pub fn scope_prefix(tx: &mut ReadTx, config: &Config) -> Result<String> {
    let stored = settings::find(tx, settings::SCOPE_URL_PREFIX)?;
    Ok(stored.unwrap_or_else(|| config.scope_url_prefix.clone()))
}

/// By id, by its whole username, or by the part before the local domain. A client is an
/// identity, too, under the same id.
pub fn identity(tx: &mut ReadTx, local_domain: &str, text: &str) -> Result<Identity> {
    let found = match text.parse() {
        Ok(id) => identities::find(tx, id)?,
        Err(_) => identities::find_by_username(tx, &typed_username(text, local_domain))?,
    };
    found.ok_or_else(|| missing("identity", text, "user list"))
}

/// As [`identity`], and a service account by its name, too: to look at what it did or
/// allowed, not to give it rights.
pub fn holder(tx: &mut ReadTx, local_domain: &str, text: &str) -> Result<Identity> {
    let refusal = match identity(tx, local_domain, text) {
        Err(refusal) if refusal.kind() == Kind::NotFound("identity") => refusal,
        other => return other,
    };
    match client(tx, text) {
        Ok(client) => identities::find(tx, client.id.identity())?.ok_or(refusal),
        Err(error) if error.kind() == Kind::NotFound("client") => Err(refusal),
        Err(error) => Err(error),
    }
}

/// By id, or by a name that only one policy has.
pub fn policy(tx: &mut ReadTx, text: &str) -> Result<Policy> {
    if let Ok(id) = text.parse() {
        return policies::find(tx, id)?.ok_or_else(|| missing("policy", text, "policy list"));
    }
    let mut found = policies::list(tx)?;
    found.retain(|policy| policy.display_name == text);
    only(found, "policy", text, "policy list", |policy| policy.id.to_string())
}

/// By id, by its short name, or by a domain that it asserts.
pub fn provider(tx: &mut ReadTx, text: &str) -> Result<IdentityProvider> {
    let found = match text.parse() {
        Ok(id) => identity_providers::find(tx, id)?,
        Err(_) => {
            let mut all = identity_providers::list(tx)?;
            all.retain(|provider| provider.short_name == text);
            match all.pop() {
                Some(provider) => Some(provider),
                None => identity_providers::find_by_domain(tx, &text.to_lowercase())?,
            }
        }
    };
    found.ok_or_else(|| missing("identity provider", text, "idp list"))
}

fn missing(noun: &'static str, text: &str, list: &str) -> Error {
    Error::new(
        Kind::NotFound(noun),
        format!("there is no {noun} {text}; portolan {list} shows them all"),
    )
}

/// Names are not unique: one that several have is refused, never guessed at.
fn only<T>(found: Vec<T>, noun: &'static str, name: &str, list: &str, id: impl Fn(&T) -> String) -> Result<T> {
    let ids: Vec<String> = found.iter().map(id).collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(missing(noun, name, list)),
        _ => Err(Error::conflict(format!(
            "more than one {noun} is named {name}; give its id: {}",
            ids.join(", ")
        ))),
    }
}
