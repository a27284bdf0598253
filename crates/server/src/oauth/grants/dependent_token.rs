//! The dependent token grant, wire.md 2.2.5: a resource server exchanges a token that it
//! received for tokens to the services it calls on the person's behalf.
//!
//! What can be had are the consents right below those behind the presented token, so a
//! service sees its own branch and nothing beside or above it, and never more than the
//! person approved on this very path. Person, session and issuance stay those of the
//! presented token: what ends them ends the dependents too.

use portolan_types::oauth::TokenDocument;
use portolan_types::{ConsentId, ScopeId, TokenHash};

use super::authenticate;
use crate::app::{App, Ctx};
use crate::domain::client;
use crate::domain::token_format::TokenKind;
use crate::domain::tokens::{self, GrantedScope, Lifetimes, Subject};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::{self, ActiveToken};
use crate::store::clients;
use crate::store::consents::{self, WithScope};
use crate::store::scopes::{self, NamedScope};

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

/// One document per resource server; an empty list if there are none.
pub async fn exchange(
    app: &App,
    ctx: &Ctx,
    presented: PresentedClient,
    request: Request,
) -> Result<Vec<TokenDocument>> {
    let (found, rows, mut below, missing) = app
        .db
        .find((
            clients::with_secrets(presented.id),
            access_tokens::active(&request.token, ctx.now),
            consents::below(&request.token),
            consents::missing_below(&request.token),
        ))
        .await?;
    let client = authenticate(found, &presented, client::DEPENDENT_TOKEN)?.client;
    // The same words as for a token that never was: a stranger learns nothing.
    let token = ActiveToken::from_rows(rows).filter(|token| token.resource_server_id == client.id);
    let token = token.ok_or_else(inactive)?;
    below.sort_unstable_by_key(|child| child.id);
    let granted = match request.wanted {
        None => {
            check_required(app, &token, missing).await?;
            below.into_iter().map(|child| granted_scope(child, None)).collect()
        }
        Some(names) => {
            let named = app
                .db
                .find(scopes::by_strings(names.iter().map(String::as_str)))
                .await?;
            choose(&names, &named, below)?
        }
    };
    let subject = Subject {
        client_id: client.id,
        identity_id: token.identity_id,
        identity_generation: token.identity_generation,
        issuance_id: token.issuance_id,
        app_session_id: token.app_session_id,
        profile: tokens::profile_of(&granted, &app.config.resource_server_name),
    };
    let prepared = tokens::prepare(ctx, &subject, &granted, &Lifetimes::of(&app.config), request.offline);
    let (stored, unit_ctx) = (prepared.clone(), ctx.clone());
    app.db
        .write_batched(move |tx| stored.iter().try_for_each(|token| tokens::insert(tx, &unit_ctx, token)))
        .await?;
    app.metrics.tokens_issued("dependent_token", prepared.len());
    Ok(prepared.into_iter().map(|prepared| prepared.document).collect())
}

fn inactive() -> Error {
    Error::invalid_grant("the token is not active or was not issued for this resource server")
}

fn granted_scope(child: WithScope, spelling: Option<String>) -> GrantedScope {
    let WithScope {
        id,
        allows_refresh,
        last_used_at,
        scope,
    } = child;
    GrantedScope {
        consent_id: id,
        requested: spelling.unwrap_or_else(|| scope.scope_string.clone()),
        allows_refresh: allows_refresh && scope.allows_refresh_token,
        last_used_at,
        scope,
    }
}

/// The children with these names; a name that is no approved child needs the person.
fn choose(names: &[String], named: &[NamedScope], mut below: Vec<WithScope>) -> Result<Vec<GrantedScope>> {
    let mut chosen: Vec<GrantedScope> = Vec::new();
    let mut unapproved = Vec::new();
    for name in names {
        let Some(scope) = named.iter().find(|named| named.requested == *name) else {
            return Err(Error::unknown_scope(format!("unknown scope '{name}'")));
        };
        // Another spelling of one that was named before.
        if chosen.iter().any(|known| known.scope.id == scope.scope.id) {
            continue;
        }
        // The same scope can hang below several consents of one token. What is issued rests
        // on all of them, as without names: taking any of them back ends it.
        let is_named = |child: &WithScope| child.scope.id == scope.scope.id;
        let (found, others): (Vec<WithScope>, Vec<WithScope>) = below.into_iter().partition(is_named);
        below = others;
        if found.is_empty() {
            unapproved.push(name.clone());
        }
        chosen.extend(found.into_iter().map(|child| granted_scope(child, Some(name.clone()))));
    }
    if unapproved.is_empty() {
        Ok(chosen)
    } else {
        Err(Error::dependent_consent_required(unapproved))
    }
}

/// A dependency that the service declared as required after the person had approved is
/// asked for at the next login; until then the service is told (decisions, section 8).
async fn check_required(app: &App, token: &ActiveToken, missing: Vec<(ConsentId, ScopeId)>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let parents: Vec<ConsentId> = token.scopes.iter().map(|scope| scope.consent_id).collect();
    let named = app
        .db
        .read(move |tx| {
            let mut required = Vec::new();
            for parent in consents::list_approved(tx, &parents)? {
                // A scope above on the same path is not expanded again, so it is not missing.
                let above = consents::list_path_scopes(tx, std::slice::from_ref(&parent))?;
                let of_parent = missing.iter().filter(|(id, _)| *id == parent.id);
                required.extend(
                    of_parent
                        .map(|(_, scope)| *scope)
                        .filter(|scope| !above.contains(scope)),
                );
            }
            scopes::list_by_ids(tx, required)
        })
        .await?;
    if named.is_empty() {
        return Ok(());
    }
    Err(Error::dependent_consent_required(
        named.into_iter().map(|scope| scope.scope_string).collect(),
    ))
}
