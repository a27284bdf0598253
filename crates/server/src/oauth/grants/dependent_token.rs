//! The dependent token grant, wire.md 2.2.5: a resource server exchanges a token that it
//! received for tokens to the services it calls on the person's behalf.
//!
//! What can be had are the consents right below those behind the presented token, so a
//! service sees its own branch and nothing beside or above it, and never more than the
//! person approved on this very path. Person, session and issuance stay those of the
//! presented token: what ends them ends the dependents too.

use portolan_db::ReadTx;
use portolan_types::oauth::TokenDocument;
use portolan_types::{ConsentId, ScopeId, Timestamp, TokenHash};

use super::authenticate;
use crate::app::{App, Ctx};
use crate::domain::client;
use crate::domain::token_format::TokenKind;
use crate::domain::tokens::{self, GrantedScope, Lifetimes, Subject};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::{self, ActiveToken};
use crate::store::clients::Client;
use crate::store::consents::{self, Consent};
use crate::store::scopes::{self, Scope};

pub struct Request {
    token: TokenHash,
    offline: bool,
    /// Names to narrow the answer to; none asks for all there is.
    wanted: Option<Vec<String>>,
}

impl Request {
    pub fn read(params: &Params) -> Result<Self> {
        let token = tokens::presented(TokenKind::Access, params.require("token")?).ok_or_else(inactive)?;
        let offline = match params.get("access_type") {
            None | Some("online") => false,
            Some("offline") => true,
            Some(_) => return Err(Error::invalid_request("access_type must be online or offline")),
        };
        let names = params.get("scope").map(|text| {
            text.split(' ')
                .filter(|name| !name.is_empty() && *name != "offline_access")
        });
        let wanted: Option<Vec<String>> = names.map(|names| names.map(str::to_owned).collect());
        if wanted.as_ref().is_some_and(|names| names.len() > 100) {
            return Err(Error::invalid_scope("more than 100 scopes"));
        }
        Ok(Self {
            token,
            offline,
            wanted: wanted.filter(|names| !names.is_empty()),
        })
    }
}

/// A presented token with what may be had for it.
struct Obtainable {
    client: Client,
    token: ActiveToken,
    granted: Vec<GrantedScope>,
}

/// One document per resource server; an empty list if there are none.
pub async fn exchange(
    app: &App,
    ctx: &Ctx,
    presented: PresentedClient,
    request: Request,
) -> Result<Vec<TokenDocument>> {
    let (now, offline) = (ctx.now, request.offline);
    let Obtainable { client, token, granted } = app
        .db
        .read(move |tx| {
            let client = authenticate(tx, &presented, client::DEPENDENT_TOKEN)?;
            find(tx, now, client, &request)
        })
        .await?;
    let subject = Subject {
        client_id: client.id,
        identity_id: token.identity_id,
        identity_generation: token.identity_generation,
        issuance_id: token.issuance_id,
        app_session_id: token.app_session_id,
        profile: tokens::profile_of(&granted, &app.config.resource_server_name),
    };
    let prepared = tokens::prepare(ctx, &subject, &granted, &Lifetimes::of(&app.config), offline);
    let (stored, unit_ctx) = (prepared.clone(), ctx.clone());
    app.db
        .write_batched(move |tx| stored.iter().try_for_each(|token| tokens::insert(tx, &unit_ctx, token)))
        .await?;
    app.metrics.tokens_issued("dependent_token", prepared.len());
    Ok(prepared.into_iter().map(|prepared| prepared.document).collect())
}

fn find(tx: &mut ReadTx, now: Timestamp, client: Client, request: &Request) -> Result<Obtainable> {
    let token = access_tokens::find_active(tx, &request.token, now)?.ok_or_else(inactive)?;
    // The same words as for a token that never was: a stranger learns nothing.
    if token.resource_server_id != client.id {
        return Err(inactive());
    }
    let parents: Vec<ConsentId> = token.scopes.iter().map(|scope| scope.consent_id).collect();
    let children = consents::list_children(tx, &parents)?;
    let known = scopes::list_by_ids(tx, children.iter().map(|child| child.scope_id))?;
    let chosen = match &request.wanted {
        None => {
            check_required(tx, &parents, &children)?;
            children.iter().map(|child| (child, None)).collect()
        }
        Some(names) => choose(tx, names, &children)?,
    };
    let granted = chosen
        .into_iter()
        .filter_map(|(child, spelling)| granted_scope(child, spelling, &known))
        .collect();
    Ok(Obtainable { client, token, granted })
}

fn inactive() -> Error {
    Error::invalid_grant("the token is not active or was not issued for this resource server")
}

fn granted_scope(child: &Consent, spelling: Option<String>, known: &[Scope]) -> Option<GrantedScope> {
    let scope = known.iter().find(|scope| scope.id == child.scope_id)?;
    Some(GrantedScope {
        consent_id: child.id,
        requested: spelling.unwrap_or_else(|| scope.scope_string.clone()),
        scope: scope.clone(),
        allows_refresh: child.allows_refresh && scope.allows_refresh_token,
    })
}

/// The children with these names; a name that is no approved child needs the person.
fn choose<'a>(
    tx: &mut ReadTx,
    names: &[String],
    children: &'a [Consent],
) -> Result<Vec<(&'a Consent, Option<String>)>> {
    let named = scopes::list_by_strings(tx, names.iter().map(String::as_str))?;
    let mut chosen: Vec<(&Consent, Option<String>)> = Vec::new();
    let mut unapproved = Vec::new();
    for name in names {
        let Some(scope) = named.iter().find(|named| named.requested == *name) else {
            return Err(Error::unknown_scope(format!("unknown scope '{name}'")));
        };
        match children.iter().find(|child| child.scope_id == scope.scope.id) {
            // The same scope can hang below several consents of one token; one is enough.
            Some(child) if chosen.iter().any(|(known, _)| known.scope_id == child.scope_id) => {}
            Some(child) => chosen.push((child, Some(name.clone()))),
            None => unapproved.push(name.clone()),
        }
    }
    if unapproved.is_empty() {
        Ok(chosen)
    } else {
        Err(Error::dependent_consent_required(unapproved))
    }
}

/// A dependency that the service declared as required after the person had approved is
/// asked for at the next login; until then the service is told (decisions, section 8).
fn check_required(tx: &mut ReadTx, parents: &[ConsentId], children: &[Consent]) -> Result<()> {
    let parents = consents::list_approved(tx, parents)?;
    let required = scopes::list_dependencies(tx, parents.iter().map(|parent| parent.scope_id))?;
    let is_missing = |scope: ScopeId, dependent: ScopeId| {
        parents.iter().filter(|parent| parent.scope_id == scope).any(|parent| {
            let on_path = dependent == parent.scope_id;
            !on_path
                && !children
                    .iter()
                    .any(|child| child.parent_id == Some(parent.id) && child.scope_id == dependent)
        })
    };
    let missing: Vec<ScopeId> = required
        .iter()
        .filter(|dependency| !dependency.optional && is_missing(dependency.scope_id, dependency.dependent_scope_id))
        .map(|dependency| dependency.dependent_scope_id)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // A scope above on the same path is not expanded again, so it is not missing.
    let above = consents::list_path_scopes(tx, &parents)?;
    let named = scopes::list_by_ids(tx, missing.into_iter().filter(|id| !above.contains(id)))?;
    if named.is_empty() {
        return Ok(());
    }
    Err(Error::dependent_consent_required(
        named.into_iter().map(|scope| scope.scope_string).collect(),
    ))
}
