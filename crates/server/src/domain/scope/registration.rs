//! Scopes as the owner of a resource server makes and changes them (wire.md 1.10, 2.5.9,
//! 2.6.2). A scope made here is spelled with its client's id, and once more with each
//! verified domain name of the client.

use portolan_db::{ReadTx, WriteTx};
use portolan_types::ScopeId;
use portolan_types::api::{DependentScope, ScopeChanges};

use super::{Known, Tree};
use crate::app::{Ctx, new_uuid};
use crate::domain::identity::check_text;
use crate::domain::policy::registration::{check_description, check_domains};
use crate::domain::project::{Manager, changed, required};
use crate::error::{Error, Result};
use crate::store::audit::{self, Event};
use crate::store::clients::{self, Client};
use crate::store::scopes::{self, Dependency, NewScope, Scope};
use crate::texts::words;

/// The longest scope string, in bytes.
const MAXIMUM_LENGTH: usize = 512;
const MAXIMUM_DEPENDENCIES: usize = 100;
/// How a refusal of dependencies begins that a scope could never be without.
pub const LEADS_BACK: &str = "they lead back to this scope";
/// What follows if it is not the scope itself that was named.
pub const BY_WAY_OF: &str = ", by way of ";

/// Makes a scope of this client. `prefix` is the setting `scope_url_prefix`.
pub fn create(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    prefix: &str,
    client: &Client,
    changes: &ScopeChanges,
) -> Result<Scope> {
    manager.authorize_client(tx, ctx.now, client)?;
    let name = required("name", &changes.name)?;
    let description = required("description", &changes.description)?;
    let suffix = required("scope_suffix", &changes.scope_suffix)?;
    check_text("name", name)?;
    check_description(description)?;
    let spellings = spellings(tx, prefix, client, suffix)?;
    let required_domains = match changes.required_domains.value() {
        Some(domains) => check_domains("required_domains", domains)?,
        None => Vec::new(),
    };
    let id = ScopeId(new_uuid());
    let new = NewScope {
        id,
        client_id: client.id,
        scope_string: &spellings[0].1,
        suffix: Some(suffix),
        name: name.trim(),
        description: description.trim(),
        advertised: changes.advertised.value().copied().unwrap_or(false),
        allows_refresh_token: changes.allows_refresh_token.value().copied().unwrap_or(true),
        required_domains: &required_domains,
    };
    scopes::upsert(tx, &new, ctx.now)?;
    replace_strings(tx, id, &spellings)?;
    if let Some(dependencies) = changes.dependent_scopes.value() {
        replace_dependencies(tx, manager, client, id, dependencies)?;
    }
    let scope = scopes::get(tx, id)?;
    record(tx, ctx, manager, "scope.create", &scope)?;
    Ok(scope)
}

/// Changes what is named. Another suffix is another scope string; consents stay.
pub fn update(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    prefix: &str,
    id: ScopeId,
    changes: &ScopeChanges,
) -> Result<Scope> {
    let (mut scope, client) = get_authorized(tx, ctx, manager, id)?;
    if let Some(name) = changed("name", &changes.name)? {
        check_text("name", name)?;
        scope.name = name.trim().to_owned();
    }
    if let Some(description) = changed("description", &changes.description)? {
        check_description(description)?;
        scope.description = description.trim().to_owned();
    }
    if let Some(advertised) = changed("advertised", &changes.advertised)? {
        scope.advertised = *advertised;
    }
    if let Some(allows) = changed("allows_refresh_token", &changes.allows_refresh_token)? {
        scope.allows_refresh_token = *allows;
    }
    if !changes.required_domains.is_keep() {
        let domains = changes.required_domains.value().map_or(&[][..], Vec::as_slice);
        scope.set_required_domains(&check_domains("required_domains", domains)?);
    }
    if let Some(suffix) = changed("scope_suffix", &changes.scope_suffix)?
        && scope.suffix.as_ref() != Some(suffix)
    {
        if scope.suffix.is_none() {
            return Err(Error::invalid_parameters(
                "scope_suffix: this built-in scope has a name of its own, which stays",
            )
            .said(words("refusal-scope-stays")));
        }
        let spellings = spellings(tx, prefix, &client, suffix)?;
        replace_strings(tx, id, &spellings)?;
        scope.scope_string = spellings[0].1.clone();
        scope.suffix = Some(suffix.clone());
    }
    scopes::update(tx, &scope)?;
    if !changes.dependent_scopes.is_keep() {
        let dependencies = changes.dependent_scopes.value().map_or(&[][..], Vec::as_slice);
        replace_dependencies(tx, manager, &client, id, dependencies)?;
    }
    record(tx, ctx, manager, "scope.update", &scope)?;
    Ok(scope)
}

/// Deletes a scope: its consents go with it, with effect at the next look at any token.
/// The same suffix later is another scope, and nothing comes back to life.
pub fn delete(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ScopeId) -> Result<Scope> {
    let (scope, client) = get_authorized(tx, ctx, manager, id)?;
    if client.id == clients::AUTH {
        return Err(Error::conflict("this server needs its own scopes").said(words("refusal-own-scopes")));
    }
    scopes::delete(tx, id)?;
    record(tx, ctx, manager, "scope.delete", &scope)?;
    Ok(scope)
}

fn get_authorized(tx: &mut ReadTx, ctx: &Ctx, manager: &Manager, id: ScopeId) -> Result<(Scope, Client)> {
    let scope = scopes::get(tx, id)?;
    let client = clients::get(tx, scope.client_id)?;
    manager.authorize_client(tx, ctx.now, &client)?;
    Ok((scope, client))
}

/// Every spelling of a scope with this suffix: by client id, then by each domain name.
pub fn spellings(
    tx: &mut ReadTx,
    prefix: &str,
    client: &Client,
    suffix: &str,
) -> Result<Vec<(Option<String>, String)>> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if suffix.is_empty() || !suffix.bytes().all(is_allowed) {
        return Err(Error::invalid_parameters(
            "scope_suffix: only lower-case letters, digits and underscores",
        ));
    }
    let mut spellings = vec![(None, spell(prefix, &client.id.to_string(), suffix)?)];
    for fqdn in clients::list_fqdns(tx, client.id)? {
        let scope_string = spell(prefix, &fqdn, suffix)?;
        spellings.push((Some(fqdn), scope_string));
    }
    Ok(spellings)
}

/// The scope string of an owner (client id or domain name) and a suffix.
pub fn spell(prefix: &str, owner: &str, suffix: &str) -> Result<String> {
    let scope_string = format!("{prefix}{owner}/{suffix}");
    if scope_string.len() > MAXIMUM_LENGTH {
        return Err(Error::invalid_parameters(format!(
            "scope_suffix: the scope string would be longer than {MAXIMUM_LENGTH} bytes"
        )));
    }
    Ok(scope_string)
}

fn replace_strings(tx: &mut WriteTx, id: ScopeId, spellings: &[(Option<String>, String)]) -> Result<()> {
    scopes::delete_strings(tx, id)?;
    for (fqdn, scope_string) in spellings {
        if !scopes::insert_string(tx, id, scope_string, fqdn.as_deref())? {
            return Err(Error::conflict(format!(
                "scope_suffix: the scope {scope_string} exists already"
            )));
        }
    }
    Ok(())
}

/// Writes the dependencies and refuses what could never be expanded: a way back to the
/// scope itself, too many or too deep.
fn replace_dependencies(
    tx: &mut WriteTx,
    manager: &Manager,
    client: &Client,
    id: ScopeId,
    dependencies: &[DependentScope],
) -> Result<()> {
    let refuse = |reason: String| Err(Error::invalid_parameters(format!("dependent_scopes: {reason}")));
    if dependencies.len() > MAXIMUM_DEPENDENCIES {
        return refuse(format!("at most {MAXIMUM_DEPENDENCIES}"));
    }
    let known = scopes::list_by_ids(tx, dependencies.iter().map(|dependency| dependency.scope))?;
    scopes::delete_dependencies(tx, id)?;
    for (index, dependency) in dependencies.iter().enumerate() {
        let wanted = dependency.scope;
        if dependencies[..index].iter().any(|earlier| earlier.scope == wanted) {
            return refuse(format!("{wanted} is named twice"));
        }
        let scope = known.iter().find(|scope| scope.id == wanted);
        // A scope that neither the client nor who acts for it may see is as good as none.
        let visible = match scope {
            Some(scope) => super::is_visible(scope, client) || manager.may_read_scope(tx, scope)?,
            None => false,
        };
        if !visible {
            return refuse(format!("there is no scope {wanted}"));
        }
        scopes::insert_dependency(
            tx,
            &Dependency {
                scope_id: id,
                dependent_scope_id: wanted,
                optional: dependency.optional,
                requires_refresh_token: dependency.requires_refresh_token,
            },
        )?;
    }
    check_expansion(tx, id)
}

fn check_expansion(tx: &mut ReadTx, id: ScopeId) -> Result<()> {
    let refuse = |reason: &str| Error::invalid_parameters(format!("dependent_scopes: {reason}"));
    let scope = scopes::get(tx, id)?;
    let mut known = Known::default();
    known.scopes.insert(id, scope.clone());
    let expanded = known.load_static(tx);
    if let Some(way) = way_back(&known, id) {
        let by_way_of = known.scopes.get(&way).filter(|_| way != id);
        let by_way_of = by_way_of.map_or_else(String::new, |scope| format!("{BY_WAY_OF}{}", scope.scope_string));
        return Err(refuse(&format!("{LEADS_BACK}{by_way_of}")));
    }
    expanded.map_err(|error| refuse(error.detail()))?;
    let mut tree = Tree {
        known: &known,
        nodes: 0,
    };
    tree.grow(id, &scope.scope_string, false, false, &mut Vec::new())
        .map_err(|error| refuse(error.detail()))?;
    Ok(())
}

/// The dependency of this scope through which it would need itself.
fn way_back(known: &Known, id: ScopeId) -> Option<ScopeId> {
    let below = |scope: &ScopeId| {
        let fixed = known.fixed.get(scope).map_or(&[][..], Vec::as_slice);
        fixed.iter().map(|dependency| dependency.dependent_scope_id)
    };
    below(&id).find(|first| {
        let mut seen = vec![*first];
        let mut next = 0;
        while let Some(scope) = seen.get(next).copied() {
            if scope == id {
                return true;
            }
            next += 1;
            for further in below(&scope) {
                if !seen.contains(&further) {
                    seen.push(further);
                }
            }
        }
        false
    })
}

fn record(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, action: &'static str, scope: &Scope) -> Result<()> {
    let event = Event {
        action,
        actor: manager.actor,
        resource_kind: "scope",
        resource_id: scope.id.to_string(),
        detail: serde_json::json!({ "client": scope.client_id, "scope_string": scope.scope_string }),
    };
    audit::insert(tx, ctx, &event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_string_has_512_bytes_at_most() {
        let suffix = |length: usize| spell("https://a/", "b", &"s".repeat(length));
        assert_eq!(suffix(1).ok().as_deref(), Some("https://a/b/s"));
        assert!(suffix(500).is_ok());
        assert!(suffix(501).is_err());
    }
}
