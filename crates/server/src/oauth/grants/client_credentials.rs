//! The client credentials grant, RFC 6749 section 4.4: a client acts as itself.
//!
//! The consents it rests on are made the first time, without asking anybody; afterwards a
//! call only inserts a token. There is no refresh token and no session.

use std::collections::HashSet;

use portolan_types::ScopeRequest;
use portolan_types::id::IssuanceId;
use portolan_types::oauth::TokenResponse;

use super::{IdTokenFacts, attach_id_token, authenticate, respond, sign_id_token};
use crate::app::{App, Ctx, new_uuid};
use crate::domain::client;
use crate::domain::consent::{self, Approval, Decision};
use crate::domain::profile::{self, Described};
use crate::domain::scope;
use crate::domain::tokens::{self, GrantedScope, Lifetimes, Subject};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::Profile;
use crate::store::clients::Client;
use crate::store::identities;

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

struct Grantable {
    client: Client,
    identity_generation: i64,
    granted: Option<Vec<GrantedScope>>,
    trees: Vec<scope::Node>,
    person: Option<Described>,
}

pub async fn exchange(app: &App, ctx: &Ctx, presented: PresentedClient, request: Request) -> Result<TokenResponse> {
    let Grantable {
        client,
        identity_generation,
        granted,
        trees,
        person,
    } = app
        .db
        .read(move |tx| {
            let client = authenticate(tx, &presented, client::CLIENT_CREDENTIALS)?;
            let identity = identities::find(tx, client.id.identity())?.filter(identities::Identity::is_live);
            let identity =
                identity.ok_or_else(|| Error::unauthorized_client("the identity of this client is disabled"))?;
            let trees = scope::expand(tx, &request.scopes, &client)?;
            let granted = consent::find_granted(tx, identity.id, client.id, &trees, false)?;
            let openid = request.scopes.top_level().any(|name| name == "openid");
            let person = if openid {
                Some(profile::describe(tx, identity.id, None)?)
            } else {
                None
            };
            Ok::<_, Error>(Grantable {
                client,
                identity_generation: identity.generation,
                granted,
                trees,
                person,
            })
        })
        .await?;
    let granted = match granted {
        Some(granted) => granted,
        None => approve(app, ctx, &client, trees).await?,
    };
    let profile = tokens::profile_of(&granted, &app.config.resource_server_name);
    let subject = Subject {
        client_id: client.id,
        identity_id: client.id.identity(),
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
    let mut response = respond(prepared, None)?;
    if let Some(person) = person.filter(|_| profile.has(Profile::OPENID)) {
        let facts = IdTokenFacts {
            profile,
            nonce: None,
            auth_time: None,
            access_token: &response.token.access_token,
        };
        let id_token = sign_id_token(app, ctx, &client, &person, &facts)?;
        attach_id_token(&mut response, &id_token, &app.config.resource_server_name);
    }
    app.metrics
        .tokens_issued("client_credentials", 1 + response.other_tokens.len());
    Ok(response)
}

/// Approves for the client itself what it asks for; once per scope.
async fn approve(app: &App, ctx: &Ctx, client: &Client, trees: Vec<scope::Node>) -> Result<Vec<GrantedScope>> {
    let (client_id, ctx) = (client.id, ctx.clone());
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
