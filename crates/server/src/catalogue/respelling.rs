//! The names that settings take the place of, as this server spells them. They are respelled
//! when a setting was changed (`portolan settings set`): of this server's own scopes, and of
//! all that begin with the prefix of scope addresses.

use std::collections::BTreeSet;

use portolan_db::WriteTx;
use portolan_types::ScopeId;

use super::{OWN_NAME, OWN_URN_PREFIX, SCOPE_URL_PREFIX};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::scopes;

/// Scopes of developers under the prefix that is set today.
pub(super) fn respell_addresses(tx: &mut WriteTx, config: &Config) -> Result<()> {
    for mut scope in scopes::list(tx)? {
        let Some(suffix) = scope.suffix.as_deref() else {
            continue;
        };
        if scope.scope_string.starts_with(&config.scope_url_prefix) {
            continue;
        }
        // Prefix, owner, suffix: the owner is the client's id or one of its domain names.
        let ending = format!("/{suffix}");
        let owners: BTreeSet<String> = scopes::list_strings(tx, scope.id)?
            .iter()
            .filter_map(|string| string.strip_suffix(&ending)?.rsplit('/').next().map(str::to_owned))
            .collect();
        scopes::delete_strings(tx, scope.id)?;
        let id = scope.client_id.to_string();
        for owner in &owners {
            let string = format!("{}{owner}{ending}", config.scope_url_prefix);
            let fqdn = (*owner != id).then_some(owner.as_str());
            if !scopes::insert_string(tx, scope.id, &string, fqdn)? {
                return Err(Error::conflict(format!("the scope {string} exists already")));
            }
        }
        scope.scope_string = format!("{}{id}{ending}", config.scope_url_prefix);
        scopes::update(tx, &scope)?;
    }
    Ok(())
}

/// Gives a scope its one spelling of today; nothing goes by the old one any more.
pub(super) fn rename(tx: &mut WriteTx, id: ScopeId, scope_string: &str) -> Result<()> {
    let mut scope = scopes::get(tx, id)?;
    if scope.scope_string == scope_string {
        return Ok(());
    }
    scopes::delete_strings(tx, id)?;
    if !scopes::insert_string(tx, id, scope_string, None)? {
        return Err(Error::conflict(format!("the scope {scope_string} exists already")));
    }
    scope_string.clone_into(&mut scope.scope_string);
    scopes::update(tx, &scope)
}

pub(super) fn localize_name(config: &Config, name: &str) -> String {
    if name == OWN_NAME {
        config.resource_server_name.clone()
    } else {
        name.to_owned()
    }
}

/// The scope string as this server spells it.
pub(super) fn localize_scope(config: &Config, scope: &str) -> String {
    if let Some(rest) = scope.strip_prefix(SCOPE_URL_PREFIX) {
        format!("{}{rest}", config.scope_url_prefix)
    } else if let Some(rest) = scope.strip_prefix(OWN_URN_PREFIX) {
        format!("urn:globus:auth:scope:{}:{rest}", config.resource_server_name)
    } else {
        scope.to_owned()
    }
}
