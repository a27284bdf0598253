//! What people name on the command line, found at a running server; find.rs does the same
//! in a store. What somebody may not see is as good as not there.

use anyhow::{Result, anyhow};
use portolan_sdk::documents::{Client, Policy, Project, Scope};
use portolan_sdk::{
    AuthApiError, ClientId, ClientSelector, IdentityId, IdentityLookup, IdentityProviderId, IdentityProviderLookup,
    Request, ScopeId, ScopeLookup,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::place::Session;

/// A call whose answer is one thing under its own name.
pub fn call<T: DeserializeOwned>(session: &Session, request: Request, member: &str) -> Result<T> {
    let answer = session.run(session.client.send(request))?;
    let document = answer.get_member(member).cloned().unwrap_or(Value::Null);
    serde_json::from_value(document).map_err(|error| anyhow!("{} answered without a {member}: {error}", session.server))
}

/// What somebody may not see is as good as not there; anything else that goes wrong is told.
pub fn if_visible<T>(session: &Session, work: impl Future<Output = portolan_sdk::Result<T>>) -> Result<Option<T>> {
    match session.attempt(work) {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.api().map(AuthApiError::status) {
            Some(403 | 404) => Ok(None),
            _ => Err(session.explain(error)),
        },
    }
}

/// By id, or by a name that only one project has.
pub fn project(session: &Session, text: &str) -> Result<Project> {
    if let Ok(id) = text.parse() {
        return Ok(session.run(session.client.get_project(id))?.into_inner());
    }
    let mut found = session.run(session.client.get_projects())?.into_inner();
    found.retain(|project| project.display_name == text);
    only(found, "project", text, |project| project.id.to_string())
}

/// By id, by a verified domain name, or by a name that only one of your clients has.
pub fn client(session: &Session, text: &str) -> Result<Client> {
    if let Ok(id) = text.parse::<ClientId>() {
        return Ok(session.run(session.client.get_client(id))?.into_inner());
    }
    let mut found = session.run(session.client.get_clients())?.into_inner();
    let by_domain = found
        .iter()
        .any(|client| client.fqdns.contains(&text.to_lowercase()))
        .then(|| ClientSelector::Fqdn(text.to_lowercase()));
    if let Some(selector) = by_domain {
        return Ok(session.run(session.client.get_client(selector))?.into_inner());
    }
    found.retain(|client| client.name == text);
    only(found, "client", text, |client| client.id.to_string())
}

/// By id, or by any spelling of its scope string.
pub fn scope(session: &Session, text: &str) -> Result<Scope> {
    if let Ok(id) = text.parse() {
        return Ok(session.run(session.client.get_scope(id))?.into_inner());
    }
    let found = session.run(session.client.get_scopes(ScopeLookup::scope_strings([text])))?;
    only(found.into_inner(), "scope", text, |scope| scope.id.to_string())
}

pub fn find_scope(session: &Session, text: &str) -> Result<Option<ScopeId>> {
    let lookup = match text.parse::<ScopeId>() {
        Ok(id) => ScopeLookup::ids([id]),
        Err(_) => ScopeLookup::scope_strings([text]),
    };
    let found = session.run(session.client.get_scopes(lookup))?.into_inner();
    Ok(found.first().map(|scope| scope.id))
}

/// By id, or by a name that only one policy has.
pub fn policy(session: &Session, text: &str) -> Result<Policy> {
    if let Ok(id) = text.parse() {
        return Ok(session.run(session.client.get_policy(id))?.into_inner());
    }
    let mut found = session.run(session.client.get_policies())?.into_inner();
    found.retain(|policy| policy.display_name == text);
    only(found, "policy", text, |policy| policy.id.to_string())
}

/// By id, or by the whole username.
pub fn identity(session: &Session, text: &str) -> Result<IdentityId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let lookup = IdentityLookup::usernames([text]);
    let found = session.run(session.client.get_identities(lookup))?.into_inner();
    let id = found.identities.first().map(|identity| identity.id);
    id.ok_or_else(|| {
        anyhow!(
            "there is nobody with the username {text} at {}; write all of it, such as alice@example.org, or an id",
            session.server
        )
    })
}

/// By id, or by a domain that it asserts.
pub fn provider(session: &Session, text: &str) -> Result<IdentityProviderId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let lookup = IdentityProviderLookup::domains([text]);
    let found = session.run(session.client.get_identity_providers(lookup))?.into_inner();
    found.first().map(|provider| provider.id).ok_or_else(|| {
        anyhow!(
            "no identity provider at {} has the domain {text}; over the network a provider is named by its id or by \
             a domain of its usernames",
            session.server
        )
    })
}

/// Names are not unique: one that several have is refused, never guessed at.
fn only<T>(found: Vec<T>, noun: &str, name: &str, id: impl Fn(&T) -> String) -> Result<T> {
    let ids: Vec<String> = found.iter().map(id).collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(anyhow!(
            "there is no {noun} {name} that you administer; portolan {noun} list shows yours"
        )),
        _ => Err(anyhow!(
            "more than one {noun} is named {name}; give its id: {}",
            ids.join(", ")
        )),
    }
}
