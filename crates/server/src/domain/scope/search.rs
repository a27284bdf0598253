//! Looking for a scope that another one shall depend on: what the developer portal offers.
//!
//! Names are compared as a person would, part of a word included, in the scopes themselves.
//! An index of words would have to be kept with every scope, client and domain name, for a
//! search that developers make a few times a year; so a search by name looks through the
//! first few thousand that everybody may see, and says so where there are more. A scope
//! string, an id, and the domain name or id of a service are found whatever there is.

use portolan_db::ReadTx;
use portolan_types::{ClientId, ScopeId};

use super::is_visible;
use crate::domain::client::registration::parse_fqdn;
use crate::domain::project::Manager;
use crate::error::Result;
use crate::store::clients::{self, Client};
use crate::store::scopes::{self, Scope};

/// How many scopes a search by name looks through.
const LOOKED_THROUGH: i64 = 5000;
/// The longest text that is looked for, in characters.
pub const MAXIMUM_TEXT: usize = 600;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub scopes: Vec<Scope>,
    /// There are more than are told.
    pub more: bool,
    /// There are scopes whose names were not looked at.
    pub partial: bool,
}

/// The scopes that this client may depend on and that fit the text, its own aside: at most
/// `limit`, exact ones first, then by name.
pub fn search(tx: &mut ReadTx, manager: &Manager, client: &Client, text: &str, limit: usize) -> Result<Found> {
    let text: String = text.trim().chars().take(MAXIMUM_TEXT).collect();
    let words = words(&text);
    if words.is_empty() {
        return Ok(Found::default());
    }
    let exact = list_exact(tx, &text)?;
    let everybodys = scopes::list_public(tx, LOOKED_THROUGH)?;
    let partial = i64::try_from(everybodys.len()).unwrap_or(i64::MAX) >= LOOKED_THROUGH;
    let mut named = list_of_projects(tx, manager, client)?;
    named.extend(everybodys);
    named.retain(|scope| fits(scope, &words));
    named.sort_by_cached_key(|scope| (scope.name.to_lowercase(), scope.scope_string.clone()));

    let mut found: Vec<Scope> = Vec::new();
    for scope in exact.into_iter().chain(named) {
        let is_known = found.iter().any(|known| known.id == scope.id);
        let is_own = scope.client_id == client.id;
        if is_known || is_own || !(is_visible(&scope, client) || manager.may_read_scope(tx, &scope)?) {
            continue;
        }
        if found.len() == limit {
            return Ok(Found {
                scopes: found,
                more: true,
                partial,
            });
        }
        found.push(scope);
    }
    Ok(Found {
        scopes: found,
        more: false,
        partial,
    })
}

/// What the text is in one piece: a scope string or an id, or a service by domain name or id.
fn list_exact(tx: &mut ReadTx, text: &str) -> Result<Vec<Scope>> {
    let mut found: Vec<Scope> = scopes::list_by_strings(tx, [text])?
        .into_iter()
        .map(|named| named.scope)
        .collect();
    if let Ok(id) = text.parse::<ScopeId>() {
        found.extend(scopes::find(tx, id)?);
    }
    let mut owner = text.parse::<ClientId>().ok();
    if let Ok(fqdn) = parse_fqdn(text) {
        owner = clients::find_by_fqdn(tx, &fqdn)?.map(|client| client.id);
    }
    if let Some(owner) = owner {
        found.extend(scopes::list_by_clients(tx, [owner])?);
    }
    Ok(found)
}

/// Those of the client's project and of all that the developer administers.
fn list_of_projects(tx: &mut ReadTx, manager: &Manager, client: &Client) -> Result<Vec<Scope>> {
    let mut projects: Vec<_> = manager.list_projects(tx)?.iter().map(|project| project.id).collect();
    projects.extend(client.project_id);
    let owners = clients::list_by_projects(tx, projects)?;
    scopes::list_by_clients(tx, owners.iter().map(|owner| owner.id))
}

/// The words of a text as they are compared.
pub fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// Each word stands somewhere in its name, its string, or the name of its service.
pub fn fits(scope: &Scope, words: &[String]) -> bool {
    let text = format!(
        "{} {} {} {}",
        scope.name, scope.scope_string, scope.owner_name, scope.resource_server
    )
    .to_lowercase();
    words.iter().all(|word| text.contains(word))
}
