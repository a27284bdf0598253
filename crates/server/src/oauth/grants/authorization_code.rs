//! The authorization code grant, RFC 6749 section 4.1.3 with PKCE (RFC 7636).
//!
//! A code works once: one conditional update decides, also between nodes. Whoever comes
//! second ends what the first got (RFC 6749 section 4.1.2); that end must survive although
//! the request fails, so it is an outcome of the transaction, not an error.

use portolan_types::oauth::TokenResponse;
use portolan_types::{ConsentId, Timestamp};

use super::{IdTokenFacts, attach_id_token, authenticate, respond, sign_id_token};
use crate::app::{App, Ctx};
use crate::domain::client;
use crate::domain::pkce::Challenge;
use crate::domain::profile::Described;
use crate::domain::token_format::TokenKind;
use crate::domain::tokens::{self, Lifetimes, Subject};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::Profile;
use crate::store::authorization_codes::{self, AuthorizationCode};
use crate::store::{clients, consents, grants, identities, scopes, sessions};

pub struct Request {
    code: portolan_types::TokenHash,
    redirect_uri: String,
    verifier: Option<portolan_types::Secret>,
    include_consented_scopes: bool,
}

impl Request {
    pub fn read(params: &Params) -> Result<Self> {
        let code = params.require("code")?;
        let code = tokens::presented(TokenKind::Code, code).ok_or_else(unknown)?;
        Ok(Self {
            code,
            redirect_uri: params.require("redirect_uri")?.to_owned(),
            verifier: params.get("code_verifier").map(portolan_types::Secret::new),
            include_consented_scopes: params.flag("include_consented_scopes")?.unwrap_or(false),
        })
    }
}

pub async fn exchange(app: &App, ctx: &Ctx, presented: PresentedClient, request: Request) -> Result<TokenResponse> {
    let (found, codes) = app
        .db
        .find((
            clients::with_secrets(presented.id),
            authorization_codes::by_hash(&request.code),
        ))
        .await?;
    // The client comes first: a stranger learns nothing about a code and cannot end what it gave.
    let client = authenticate(found, &presented, client::AUTHORIZATION_CODE)?.client;
    let code = codes.into_iter().next().ok_or_else(unknown)?;
    if code.client_id != client.id {
        return Err(Error::invalid_grant(
            "the authorization code was issued to another client",
        ));
    }
    if code.consumed_at.is_some() {
        return end_issuance(app, ctx, &code).await;
    }
    check(ctx.now, &code, &request)?;
    let mut pairs = code.granted();
    if request.include_consented_scopes {
        pairs = add_consented(app, &code, pairs).await?;
    }
    let ids: Vec<ConsentId> = pairs.iter().map(|(id, _)| *id).collect();
    let (consents, set, authentications) = app
        .db
        .find((
            consents::approved(&ids),
            identities::set_of(code.identity_id),
            sessions::session_authentications(Some(code.app_session_id)),
        ))
        .await?;
    let granted = tokens::granted_today(&pairs, &consents);
    // A consent that the person revoked meanwhile takes its scope away.
    if granted.is_empty() {
        return Err(Error::invalid_grant("the person has revoked what the code was for"));
    }
    let profile = tokens::profile_of(&granted, &app.config.resource_server_name);
    let person = if profile.has(Profile::OPENID) {
        Some(Described::new(code.identity_id, set, authentications)?)
    } else {
        None
    };
    let subject = Subject {
        client_id: client.id,
        identity_id: code.identity_id,
        identity_generation: code.identity_generation,
        issuance_id: code.issuance_id,
        app_session_id: Some(code.app_session_id),
        profile,
    };
    let prepared = tokens::prepare(ctx, &subject, &granted, &Lifetimes::of(&app.config), code.offline);
    let (stored, consumed_by, unit_ctx) = (prepared.clone(), code.hash, ctx.clone());
    let consumed = app
        .db
        .write_batched(move |tx| {
            if !authorization_codes::consume(tx, &consumed_by, unit_ctx.now)? {
                return Ok::<bool, Error>(false);
            }
            for token in &stored {
                tokens::insert(tx, &unit_ctx, token)?;
            }
            Ok(true)
        })
        .await?;
    if !consumed {
        return end_issuance(app, ctx, &code).await;
    }
    let issued = prepared.len();
    let mut response = respond(prepared, code.state.as_deref())?;
    if let Some(person) = person {
        let facts = IdTokenFacts {
            profile,
            nonce: code.nonce.as_deref(),
            session: Some(code.app_session_id),
            auth_time: Some(code.auth_time),
            access_token: &response.token.access_token,
        };
        let id_token = sign_id_token(app, ctx, &client, &person, &facts)?;
        attach_id_token(&mut response, &id_token, &app.config.resource_server_name);
    }
    app.metrics.tokens_issued("authorization_code", issued);
    Ok(response)
}

/// Checks all that binds the code.
fn check(now: Timestamp, code: &AuthorizationCode, request: &Request) -> Result<()> {
    if code.expires_at <= now {
        return Err(Error::invalid_grant("the authorization code has expired"));
    }
    if code.redirect_uri != request.redirect_uri {
        return Err(Error::invalid_grant(
            "redirect_uri differs from the one of the authorization request",
        ));
    }
    check_verifier(code, request)?;
    // What it would give were dead already.
    if !code.person_stands {
        return Err(Error::invalid_grant(
            "the account was disabled or changed, or its session ended, after the code was issued",
        ));
    }
    Ok(())
}

/// Both ways: a challenge needs its verifier, and a verifier needs a challenge, so that
/// nobody strips the challenge from a request on its way (RFC 9700 section 4.8.2).
fn check_verifier(code: &AuthorizationCode, request: &Request) -> Result<()> {
    match (&code.code_challenge, &request.verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Error::invalid_grant(
            "code_verifier was sent, but the authorization request had no code_challenge",
        )),
        (Some(_), None) => Err(Error::invalid_grant("code_verifier is missing")),
        (Some(challenge), Some(verifier)) => {
            let challenge = Challenge::from_stored(challenge)
                .ok_or_else(|| Error::internal("a stored code challenge is malformed"))?;
            if challenge.verify(verifier.expose()) {
                Ok(())
            } else {
                Err(Error::invalid_grant("code_verifier does not fit the code_challenge"))
            }
        }
    }
}

/// Adds everything the person has approved for this client before (wire.md 2.2.2).
async fn add_consented(
    app: &App,
    code: &AuthorizationCode,
    mut pairs: Vec<(ConsentId, String)>,
) -> Result<Vec<(ConsentId, String)>> {
    let (identity_id, client_id) = (code.identity_id, code.client_id);
    let (mut roots, names) = app
        .db
        .read(move |tx| {
            let mut roots = consents::list_trees(tx, identity_id, client_id)?;
            roots.retain(|consent| consent.parent_id.is_none() && consent.is_approved());
            let names = scopes::list_by_ids(tx, roots.iter().map(|consent| consent.scope_id))?;
            Ok::<_, Error>((roots, names))
        })
        .await?;
    roots.retain(|consent| !pairs.iter().any(|(id, _)| *id == consent.id));
    for consent in roots {
        if let Some(scope) = names.iter().find(|scope| scope.id == consent.scope_id) {
            pairs.push((consent.id, scope.scope_string.clone()));
        }
    }
    Ok(pairs)
}

async fn end_issuance(app: &App, ctx: &Ctx, code: &AuthorizationCode) -> Result<TokenResponse> {
    let (issuance, now) = (code.issuance_id.0, ctx.now);
    app.db.write_batched(move |tx| grants::end(tx, issuance, now)).await?;
    tracing::warn!(request_id = %ctx.request_id, client_id = %code.client_id, "an authorization code came back; the tokens it gave were ended");
    Err(Error::invalid_grant("authorization code was already used"))
}

fn unknown() -> Error {
    Error::invalid_grant("unknown authorization code")
}

/// Uses up a code that was sent where it may have been logged (decisions, section 3).
pub async fn burn(app: &App, ctx: &Ctx, code: &str) -> Result<()> {
    let Some(hash) = tokens::presented(TokenKind::Code, code) else {
        return Ok(());
    };
    let now = ctx.now;
    app.db
        .write_batched(move |tx| authorization_codes::consume(tx, &hash, now).map(|_| ()))
        .await
}
