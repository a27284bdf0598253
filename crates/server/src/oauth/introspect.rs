//! Introspection (RFC 7662) and the older validate, wire.md 2.3.1 and 2.3.2.
//!
//! One query decides whether a token is active (`store::access_tokens::active_in_full`). A
//! token that is not for the caller is as inactive as one that never was.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::oauth::{
    ActiveIntrospection, Activity, Introspection, PolicyEvaluation, SessionAuthentication, SessionInfo,
};
use portolan_types::{AppSessionId, ClientId, ConsentId, PolicyId, Timestamp, TokenHash};

use super::forms::{Included, IntrospectionForm, ValidationForm};
use super::grants::{authenticate_client, claim, count_failure};
use crate::app::{App, Ctx};
use crate::domain::profile::{self, Described};
use crate::domain::token_format::TokenKind;
use crate::domain::{client, policy, tokens};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::{Form, Params, Query};
use crate::http::no_store;
use crate::http::openapi::{FormRefused, RequestRefused};
use crate::store::access_tokens::{self, ActiveToken, FullToken, Profile};
use crate::store::sessions::Authentication;
use crate::store::{clients, identities, policies, refresh_tokens};

/// What the caller wants beside the token.
#[derive(Clone, Debug, Default)]
struct Include {
    identity_set: bool,
    /// The old name of the same list.
    identities_set: bool,
    identity_set_detail: bool,
    session_info: bool,
    policies: Vec<PolicyId>,
}

impl Include {
    fn read(query: &Params, form: &Params) -> Result<Self> {
        let mut include = Self::default();
        for name in query.list("include").into_iter().chain(form.list("include")) {
            match name {
                "identity_set" => include.identity_set = true,
                "identities_set" => include.identities_set = true,
                "identity_set_detail" => include.identity_set_detail = true,
                "session_info" => include.session_info = true,
                // Names of later versions are not an error (wire.md 2).
                _ => {}
            }
        }
        for id in form.list("authentication_policies") {
            let id = id
                .parse()
                .map_err(|_| Error::invalid_request("authentication_policies must list policy ids"))?;
            include.policies.push(id);
        }
        if include.policies.len() > 50 {
            return Err(Error::invalid_request(
                "authentication_policies names more than 50 policies",
            ));
        }
        Ok(include)
    }

    fn wants_people(&self) -> bool {
        self.identity_set_detail || !self.policies.is_empty()
    }
}

/// `POST /v2/oauth2/token/introspect`
#[utoipa::path(
    post,
    path = "/v2/oauth2/token/introspect",
    tag = "OAuth",
    summary = "Look at an access token",
    params(("include" = Option<Vec<Included>>, Query, description = "As in the form.", nullable = false)),
    request_body(content = IntrospectionForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = 200,
            description = "What the token is good for. For a stranger to the token it is inactive.",
            body = Introspection
        ),
        RequestRefused, FormRefused,
    ),
    security(("client_secret" = []), ()),
)]
pub async fn introspect(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Result<Response> {
    let (Query(query), Form(form)) = (query?, form?);
    let presented = PresentedClient::read(&headers, &form)?;
    let result = answer(&app, ctx.now, &presented, &query, &form).await;
    let document = count_failure(&app, &ctx, presented.id, result)?;
    Ok((no_store(), axum::Json(document)).into_response())
}

fn inactive() -> Introspection {
    Introspection::Inactive(Activity { active: false })
}

async fn answer(
    app: &App,
    now: Timestamp,
    presented: &PresentedClient,
    query: &Params,
    form: &Params,
) -> Result<Introspection> {
    let asked = form.require("token");
    let hash = asked
        .as_ref()
        .ok()
        .and_then(|token| tokens::presented(TokenKind::Access, token));
    let hashes = clients::hashes(presented.id);
    let (hashes, rows) = match hash {
        Some(hash) => app.db.find((hashes, access_tokens::active_in_full(&hash, now))).await?,
        // What cannot be a token of ours is not looked for.
        None => (app.db.find(hashes).await?, Vec::new()),
    };
    client::prove_confidential(hashes, claim(presented))?;
    let caller = presented.id;
    // Only now, so that a stranger never learns what is wrong with the request.
    asked?;
    let include = Include::read(query, form)?;
    let Some(found) = FullToken::from_rows(rows) else {
        return Ok(inactive());
    };
    let owns = found.token.resource_server_id == caller;
    if !owns && found.token.client_id != caller {
        return Ok(inactive());
    }
    describe(app, now, owns, found, &include).await
}

async fn describe(app: &App, now: Timestamp, owns: bool, found: FullToken, include: &Include) -> Result<Introspection> {
    let FullToken {
        token,
        below,
        authentications,
    } = found;
    // A client that only asked for the token sees of the person what the person showed it.
    let shows = |profile: Profile| owns || token.profile.has(profile);
    let shows_set = shows(Profile::OPENID.with(Profile::IDENTITY_SET));
    let wants_ids = shows_set && (include.identity_set || include.identities_set);
    let set_ids = if wants_ids {
        let ids = app.db.find(identities::set_ids(token.set_id)).await?;
        Some(ids.into_iter().map(|(id,)| id.0).collect::<Vec<_>>())
    } else {
        None
    };
    let newest = authentications
        .iter()
        .max_by_key(|authentication| authentication.authenticated_at);
    let auth_time = newest.and_then(Authentication::known_at).map(Timestamp::seconds);
    let acr = newest.and_then(|authentication| authentication.acr.clone());
    let (people, policy_evaluations) = if include.wants_people() {
        let (identity_id, session, policies) = (token.identity_id, token.app_session_id, include.policies.clone());
        app.db
            .read(move |tx| {
                let people = profile::describe(tx, identity_id, session)?;
                let evaluations = evaluate(tx, now, &people, &policies)?;
                Ok::<_, Error>((Some(people), evaluations))
            })
            .await?
    } else {
        (None, None)
    };
    Ok(Introspection::Active(Box::new(ActiveIntrospection {
        active: true,
        token_type: "Bearer".into(),
        scope: token.scope_string(),
        client_id: token.client_id.0,
        sub: token.identity_id.0,
        aud: audience(&token),
        iss: app.config.issuer(),
        exp: token.expires_at.seconds(),
        iat: token.issued_at.seconds(),
        nbf: token.issued_at.seconds(),
        auth_time,
        acr,
        dependent_tokens_cache_id: cache_id(&token, &below),
        identity_set: set_ids.clone().filter(|_| include.identity_set),
        identities_set: set_ids.filter(|_| include.identities_set),
        identity_set_detail: people
            .as_ref()
            .filter(|_| include.identity_set_detail && shows_set)
            .map(Described::details),
        session_info: include
            .session_info
            .then(|| session_info(token.app_session_id, authentications)),
        policy_evaluations,
        name: token.name.filter(|_| owns || token.profile.has(Profile::PROFILE)),
        email: token.email.filter(|_| owns || token.profile.has(Profile::EMAIL)),
        username: Some(token.username),
    })))
}

/// The resource server by id and name, and the client that asked for the token.
fn audience(token: &ActiveToken) -> Vec<String> {
    let id = token.resource_server_id.to_string();
    let mut audience = vec![token.client_id.to_string()];
    if !audience.contains(&id) {
        audience.insert(0, id);
    }
    if !audience.contains(&token.resource_server) {
        audience.insert(0, token.resource_server.clone());
    }
    audience
}

/// Changes whenever the dependent tokens to be had change: with the consents below.
fn cache_id(token: &ActiveToken, below: &[(ConsentId, Timestamp)]) -> String {
    let seed = below.iter().flat_map(|(id, updated)| [id.0, updated.micros()]);
    tokens::dependent_tokens_cache_id(seed, token.family_id, token.issuance_id)
}

/// An object even without a session: clients read into it (wire.md 2.3.1).
fn session_info(session: Option<AppSessionId>, authentications: Vec<Authentication>) -> SessionInfo {
    let authentications = authentications.into_iter().map(|authentication| {
        let shown = SessionAuthentication {
            idp: authentication.provider_id.0,
            // A number in any case (wire.md 2.3.1); of an unknown time one that is long ago, so
            // that whoever demands a recent sign-in does not take it for one.
            auth_time: authentication.known_at().map_or(0, Timestamp::seconds),
            amr: authentication.amr(),
            acr: authentication.acr,
            custom_claims: serde_json::Map::new(),
        };
        (authentication.identity_id.0, shown)
    });
    SessionInfo {
        session_id: session.map(|session| session.0),
        authentications: authentications.collect(),
    }
}

/// One entry per policy asked for; an unknown one is not satisfied.
fn evaluate(
    tx: &mut ReadTx,
    now: Timestamp,
    people: &Described,
    ids: &[PolicyId],
) -> Result<Option<BTreeMap<uuid::Uuid, PolicyEvaluation>>> {
    if ids.is_empty() {
        return Ok(None);
    }
    let known = policies::list_by_ids(tx, ids)?;
    let evaluations = ids
        .iter()
        .map(|id| {
            let policy = known.iter().find(|policy| policy.id == *id);
            let evaluation =
                policy.is_some_and(|policy| policy::evaluate(policy, &people.set, &people.authentications, now));
            (id.0, PolicyEvaluation { evaluation })
        })
        .collect();
    Ok(Some(evaluations))
}

/// `POST /v2/oauth2/token/validate`: whether a token of the calling client, access or
/// refresh, is active. Asking is not using.
#[utoipa::path(
    post,
    path = "/v2/oauth2/token/validate",
    tag = "OAuth",
    summary = "Ask whether a token is active",
    request_body(content = ValidationForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = 200,
            description = "Whether it is an active token of the calling client, access or refresh.",
            body = Activity
        ),
        RequestRefused, FormRefused,
    ),
    security(("client_secret" = []), ()),
)]
pub async fn validate(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let Form(form) = form?;
    let presented = PresentedClient::read(&headers, &form)?;
    let client_id = presented.id;
    let token = form.require("token").map(str::to_owned);
    let access = token
        .as_deref()
        .ok()
        .and_then(|token| tokens::presented(TokenKind::Access, token));
    let refresh = token
        .as_deref()
        .ok()
        .and_then(|token| tokens::presented(TokenKind::Refresh, token));
    let now = ctx.now;
    let missing = token.is_err();
    let result = app
        .db
        .read(move |tx| {
            let caller = authenticate_client(tx, &presented)?;
            if missing {
                return Err(Error::invalid_request("the parameter token is missing"));
            }
            if let Some(hash) = &access {
                let token = access_tokens::find_active(tx, hash, now)?;
                return Ok(token.is_some_and(|token| token.client_id == caller.id));
            }
            match &refresh {
                Some(hash) => is_usable(tx, hash, caller.id, now),
                None => Ok(false),
            }
        })
        .await;
    let active = count_failure(&app, &ctx, client_id, result)?;
    Ok((no_store(), axum::Json(Activity { active })).into_response())
}

/// Whether a refresh token of this client would be accepted, a copy that was replaced aside.
fn is_usable(tx: &mut ReadTx, hash: &TokenHash, caller: ClientId, now: Timestamp) -> Result<bool> {
    let Some(token) = refresh_tokens::find(tx, hash)? else {
        return Ok(false);
    };
    let own = token.client_id == caller && token.rotated_at.is_none();
    Ok(own && refresh_tokens::is_live(tx, hash, now)? && access_tokens::live_scopes(tx, hash)?.is_some())
}
