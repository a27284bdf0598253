//! The grants of the token endpoint, one file each.

pub mod authorization_code;
pub mod client_credentials;
pub mod dependent_token;
pub mod refresh_token;

use portolan_db::ReadTx;
use portolan_types::oauth::{TokenDocument, TokenResponse};
use portolan_types::{AppSessionId, ClientId, Secret};

use crate::app::{App, Ctx};
use crate::domain::client::{self, Claim};
use crate::domain::id_token;
use crate::domain::keys::SigningAlgorithm;
use crate::domain::profile::{Described, Shown};
use crate::domain::tokens::Prepared;
use crate::error::{Error, Kind, Result};
use crate::http::client_auth::{PresentedClient, Proof};
use crate::store::access_tokens::Profile;
use crate::store::clients::{self, Client, Provable, WithSecret};

/// The client that calls, if it is who it says and may use this grant.
fn authenticate(found: Vec<WithSecret>, presented: &PresentedClient, grant_type: &str) -> Result<Provable> {
    let proven = prove(found, presented)?;
    if !client::may_use(&proven.client, grant_type) {
        return Err(Error::unauthorized_client(format!(
            "this client may not use the grant {grant_type}"
        )));
    }
    Ok(proven)
}

/// The client that calls, whatever it presented.
pub fn authenticate_client(tx: &mut ReadTx, presented: &PresentedClient) -> Result<Client> {
    let found = tx.fetch(&clients::with_secrets(presented.id))?;
    prove(found, presented).map(|proven| proven.client)
}

/// The same over what was found of it already.
pub fn prove(found: Vec<WithSecret>, presented: &PresentedClient) -> Result<Provable> {
    client::prove(Provable::from_rows(found), claim(presented))
}

pub fn claim(presented: &PresentedClient) -> Claim<'_> {
    match &presented.proof {
        Proof::Basic(hashes) => Claim::Secrets(hashes),
        Proof::Post(hash) => Claim::Secrets(std::slice::from_ref(hash)),
        Proof::None => Claim::IdOnly,
    }
}

/// Counts a failed client authentication; too many of them are answered with 429. The
/// right secret always gets through (decisions, section 6).
pub fn count_failure<T>(app: &App, ctx: &Ctx, client_id: ClientId, result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && error.kind() == Kind::InvalidClient
    {
        app.limits
            .failed_client_authentication(ctx.address, &client_id.to_string())?;
    }
    result
}

/// The answer: the token of the first requested scope on top (wire.md 2.2.1).
fn respond(prepared: Vec<Prepared>, state: Option<&str>) -> Result<TokenResponse> {
    let mut documents = prepared.into_iter().map(|prepared| {
        let mut document = prepared.document;
        document.state = state.map(str::to_owned);
        document
    });
    let token = documents
        .next()
        .ok_or_else(|| Error::invalid_grant("nothing that was granted is left"))?;
    Ok(TokenResponse {
        token,
        other_tokens: documents.collect(),
    })
}

/// Puts the ID token on top, and into the element of Auth itself, where some clients look
/// for it (wire.md 2.2.1).
fn attach_id_token(response: &mut TokenResponse, id_token: &Secret, resource_server: &str) {
    response.token.id_token = Some(id_token.clone());
    let is_auth = |document: &&mut TokenDocument| document.resource_server == resource_server;
    if let Some(document) = response.other_tokens.iter_mut().find(is_auth) {
        document.id_token = Some(id_token.clone());
    }
}

/// What an ID token says beside the person.
struct IdTokenFacts<'a> {
    profile: Profile,
    nonce: Option<&'a str>,
    session: Option<AppSessionId>,
    auth_time: Option<portolan_types::Timestamp>,
    access_token: &'a Secret,
}

fn sign_id_token(
    app: &App,
    ctx: &Ctx,
    client: &Client,
    person: &Described,
    facts: &IdTokenFacts<'_>,
) -> Result<Secret> {
    let name = client
        .id_token_algorithm
        .as_deref()
        .unwrap_or(&app.config.id_token_algorithm);
    let algorithm =
        SigningAlgorithm::parse(name).ok_or_else(|| Error::internal("an unknown ID token algorithm is configured"))?;
    let issuer = app.config.issuer();
    let people = person.people();
    // The login that `auth_time` tells of. One that was renewed meanwhile is another one.
    let authentication = person
        .authentications
        .iter()
        .find(|authentication| Some(authentication.authenticated_at) == facts.auth_time);
    let amr = authentication
        .and_then(|authentication| authentication.amr())
        .unwrap_or_default();
    let amr: Vec<&str> = amr.iter().map(String::as_str).collect();
    let claims = id_token::Claims::new(&id_token::Request {
        issuer: &issuer,
        client_id: client.id,
        sub: person.identity().id,
        identity: person.person(person.shown(Shown::to(client))),
        identity_set: Some(&people),
        granted: id_token::Granted {
            profile: facts.profile.has(Profile::PROFILE),
            email: facts.profile.has(Profile::EMAIL),
        },
        nonce: facts.nonce,
        auth_time: facts
            .auth_time
            .filter(|_| authentication.is_none_or(|login| login.known_at().is_some())),
        session_id: facts.session,
        acr: authentication.and_then(|authentication| authentication.acr.as_deref()),
        amr: &amr,
        access_token: Some(facts.access_token.expose()),
        algorithm,
        now: ctx.now,
        lifetime: id_token::LIFETIME,
    });
    Ok(Secret::new(app.keys().sign_jws(
        algorithm,
        ctx.now,
        id_token::TYPE,
        &claims,
    )?))
}
