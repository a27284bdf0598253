//! The client credentials grant, RFC 6749 section 4.4: a client acts as itself.
//!
//! The consents it rests on are made the first time, without asking anybody; afterwards a
//! call only inserts a token. There is no refresh token and no session.

use std::collections::HashSet;
use std::sync::Arc;

use portolan_types::ScopeRequest;
use portolan_types::id::IssuanceId;
use portolan_types::oauth::TokenResponse;

use super::{IdTokenFacts, attach_id_token, authenticate, respond, sign_id_token};
use crate::app::{App, Ctx, new_uuid};
use crate::domain::client;
use crate::domain::consent::{self, Approval, Decision};
use crate::domain::profile;
use crate::domain::scope;
use crate::domain::tokens::{self, GrantedScope, Lifetimes, Subject};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::Profile;
use crate::store::clients::{self, Client};
use crate::store::scopes::{self, WithRoot};

pub struct Request {
    scopes: ScopeRequest,
}

impl Request {
    pub fn read(params: &Params) -> Result<Self> {
        let scopes =
            ScopeRequest::parse(params.require("scope")?).map_err(|error| Error::invalid_scope(error.to_string()))?;
        if scopes.is_empty() {
            return Err(Error::invalid_scope("no scope is requested"));
        }
        Ok(Self { scopes })
    }
}

/// So many names are looked up only after the client has authenticated.
const MANY: usize = 17;

pub async fn exchange(app: &App, ctx: &Ctx, presented: PresentedClient, request: Request) -> Result<TokenResponse> {
    let identity = presented.id.identity();
    // Anybody may call, so a caller that is not known yet is not given much work.
    let mut names: Vec<&str> = request.scopes.names().take(MANY).collect();
    if names.len() == MANY {
        names.clear();
    }
    let (found, scopes) = app
        .db
        .find((
            clients::with_secrets(presented.id),
            scopes::by_strings_with_root(identity, presented.id, names),
        ))
        .await?;
    let proven = authenticate(found, &presented, client::CLIENT_CREDENTIALS)?;
    let client = Arc::new(proven.client);
    let identity_generation = proven
        .generation
        .ok_or_else(|| Error::unauthorized_client("the identity of this client is disabled"))?;
    let granted = match granted_before(&request.scopes, &client, scopes) {
        Some(granted) => granted,
        None => grant(app, ctx, &client, request.scopes).await?,
    };
    let profile = tokens::profile_of(&granted, &app.config.resource_server_name);
    let person = if profile.has(Profile::OPENID) {
        Some(app.db.read(move |tx| profile::describe(tx, identity, None)).await?)
    } else {
        None
    };
    let subject = Subject {
        client_id: client.id,
        identity_id: identity,
        identity_generation,
        issuance_id: IssuanceId(new_uuid()),
        app_session_id: None,
        profile,
    };
    let prepared = tokens::prepare(ctx, &subject, &granted, &Lifetimes::of(&app.config), false);
    let (stored, unit_ctx) = (prepared.clone(), ctx.clone());
    app.db
        .write_batched(move |tx| stored.iter().try_for_each(|token| tokens::insert(tx, &unit_ctx, token)))
        .await?;
    let issued = prepared.len();
    let mut response = respond(prepared, None)?;
    if let Some(person) = person {
        let facts = IdTokenFacts {
            profile,
            nonce: None,
            session: None,
            auth_time: None,
            access_token: &response.token.access_token,
        };
        let id_token = sign_id_token(app, ctx, &client, &person, &facts)?;
        attach_id_token(&mut response, &id_token, &app.config.resource_server_name);
    }
    app.metrics.tokens_issued("client_credentials", issued);
    Ok(response)
}

/// What most calls ask for: scopes that depend on nothing, each approved by an earlier call.
/// Anything else is looked at as a tree.
fn granted_before(request: &ScopeRequest, client: &Client, scopes: Vec<WithRoot>) -> Option<Vec<GrantedScope>> {
    let mut granted: Vec<GrantedScope> = Vec::new();
    for name in request.top_level() {
        let found = scopes.iter().find(|found| found.named.requested == name)?;
        let scope = &found.named.scope;
        let depends = found.has_dependencies || !request.dependencies(name).is_empty();
        if depends || !scope::is_visible(scope, client) {
            return None;
        }
        // Two spellings of one scope are one scope.
        if !granted.iter().any(|known| known.scope.id == scope.id) {
            granted.push(GrantedScope {
                consent_id: found.root?,
                requested: name.to_owned(),
                scope: scope.clone(),
                allows_refresh: false,
                last_used_at: None,
            });
        }
    }
    Some(granted)
}

/// Approves for the client itself what it asks for, unless that was done before.
async fn grant(app: &App, ctx: &Ctx, client: &Arc<Client>, request: ScopeRequest) -> Result<Vec<GrantedScope>> {
    let asking = Arc::clone(client);
    let client_id = client.id;
    let (trees, granted) = app
        .db
        .read(move |tx| {
            let trees = scope::expand(tx, &request, &asking)?;
            let granted = consent::find_granted(tx, client_id.identity(), client_id, &trees, false)?;
            Ok::<_, Error>((trees, granted))
        })
        .await?;
    if let Some(granted) = granted {
        return Ok(granted);
    }
    let ctx = ctx.clone();
    app.db
        .write(move |tx| {
            let decision = Decision {
                identity_id: client_id.identity(),
                client_id,
                trees: &trees,
                declined: &HashSet::new(),
                offline: false,
                label: None,
                approval: Approval::Automatic,
            };
            consent::approve(tx, &ctx, &decision)?;
            consent::find_granted(tx, client_id.identity(), client_id, &trees, false)?
                .ok_or_else(|| Error::internal("consents are missing right after they were approved"))
        })
        .await
}
