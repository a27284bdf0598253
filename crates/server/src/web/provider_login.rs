//! Signing in through another identity provider: the way there and the way back.
//!
//! The way there is a link of the login page. It is bound to this browser: the state that
//! the provider sends back counts once, here, and for this provider alone, so that neither
//! a stranger's answer nor another provider's is taken for the one that was asked for
//! (standards.md J4). Nonce and verifier are derived from the state with a key of the
//! server, so nothing that must not be read is stored.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{IdentityId, IdentityProviderId, IdentitySetId, Secret};

use super::destination::Destination;
use super::pages::{ErrorPage, Href, Layout, Link};
use super::{Waiting, choice, find_session, find_waiting, layout, render, request_id, sign_in};
use crate::app::{App, Ctx, new_uuid, random_bytes};
use crate::domain::policy::REFEDS_MFA;
use crate::domain::upstream::{self, NewIds};
use crate::domain::{linking, session, token_format};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, comes_from_elsewhere, session_lifetimes};
use crate::http::extract::{Params, Query};
use crate::jobs::keys::provider_secret_place;
use crate::metrics::Login;
use crate::store::policies::{self, Policy};
use crate::store::upstream_logins::{self, UpstreamLogin};
use crate::store::{identity_providers, sessions};
use crate::upstream::claims::Profile;
use crate::upstream::fault::{self, Blame, Fault};
use crate::upstream::oidc::{Demands, Provider, RelyingParty, Ticket};
use crate::upstream::provider::{OAUTH2, is_upstream};

/// How long a person may be away.
const LIFETIME: Duration = Duration::from_secs(600);
/// How far a provider's clock may be behind.
const LEEWAY: Duration = Duration::from_secs(60);

/// `GET /p/login/with/{provider_id}`
pub async fn begin_provider_login(
    State(app): State<App>,
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let request = request_id(&params)?;
    let destination = Destination::read(&params);
    let back = match request {
        Some(request) => format!("/p/login?request={request}"),
        None => destination.login_path(),
    };
    // Whoever comes by a link of another site sees first where they are.
    if comes_from_elsewhere(&headers, &app.config) {
        return Ok(see_other(&back, None));
    }
    let id = provider_id(&id)?;
    app.limits.login(ctx.address)?;
    let known = Cookie::read(&headers, &app.config);
    let (found, waiting, policies, wants_mfa) = {
        let (shared, unit_ctx) = (app.clone(), ctx.clone());
        let changes_links = destination.changes_links();
        let hash = known.as_ref().map(|cookie| cookie.hash);
        app.db
            .read(move |tx| {
                let session = match &hash {
                    Some(hash) => find_session(tx, &shared, &unit_ctx, hash)?.map(|(id, _)| id),
                    None => None,
                };
                let waiting = match (request, session) {
                    (None, _) => None,
                    (Some(_), None) => return Err(super::expired()),
                    (Some(request), Some(session)) => Some(find_waiting(tx, &unit_ctx, session, request)?),
                };
                let policies = match &waiting {
                    Some(waiting) => policies::list_by_ids(tx, &waiting.request.required_policies)?,
                    None => Vec::new(),
                };
                let wants_mfa = match session.filter(|_| changes_links) {
                    Some(session) => linking::lacks_second_factor_here(tx, unit_ctx.now, session)?,
                    None => false,
                };
                Ok((find_provider(tx, &shared, id)?, waiting, policies, wants_mfa))
            })
            .await?
    };
    let Found { provider, domains, .. } = match found {
        Ok(found) => found,
        Err(unusable) => return refuse(&app, &ctx, id, &unusable.name, unusable.fault, &back).await,
    };
    let mut demands = match &waiting {
        Some(waiting) => demands(&provider, waiting, &policies, &domains),
        None => Demands::default(),
    };
    // A page of ours that wants a second factor says so to the provider, as an app does.
    if wants_mfa && provider.configuration.trust_mfa {
        demands.acr = Some(REFEDS_MFA);
    }
    if let Some(limit) = max_age_of(&destination) {
        demands.max_age = Some(demands.max_age.map_or(limit, |seconds| seconds.min(limit)));
    }
    // What the answer has to show.
    let max_age = demands.max_age;
    if destination.changes_something() {
        // A provider may take a session of a minute ago for a recent sign-in; whoever sits at
        // this browser now has to show who they are.
        demands.prompt = Some("login");
        demands.max_age = max_age.or(Some(session::FRESH.as_secs()));
    }
    if provider.kind == OAUTH2 && max_age.is_some() {
        return refuse(&app, &ctx, id, &provider.name, fault::NO_RECENT_SIGN_IN, &back).await;
    }
    let ticket = ticket(&app, id, Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>())));
    let url = match relying_party(&app, &ctx)
        .authorization_url(&provider, &ticket, &demands)
        .await
    {
        Ok(url) => url,
        Err(fault) => return refuse(&app, &ctx, id, &provider.name, fault, &back).await,
    };
    let fresh = Cookie::generate();
    let state = token_format::hash(ticket.state.expose());
    let destination = encode(&destination);
    let (known_hash, fresh_hash) = (known.map(|cookie| cookie.hash), fresh.hash);
    let lifetimes = session_lifetimes(&app.config);
    let is_new = app
        .db
        .write(move |tx| {
            // The cookie of a session that has ended gets no new one.
            let live = match &known_hash {
                Some(hash) => sessions::find(tx, hash, ctx.now, lifetimes.0)?.map(|session| session.id),
                None => None,
            };
            let (browser_session_id, is_new) = match live {
                Some(id) => (id, false),
                None => (session::find_or_create(tx, &ctx, &fresh_hash, lifetimes)?, true),
            };
            let login = UpstreamLogin {
                provider_id: id,
                browser_session_id,
                request_id: request,
                destination: destination.clone(),
                max_age: max_age.and_then(|seconds| i64::try_from(seconds).ok()),
                started_at: ctx.now,
            };
            upstream_logins::insert(tx, &state, &login, ctx.now + LIFETIME)?;
            Ok::<_, Error>(is_new)
        })
        .await?;
    Ok(see_other(&url, is_new.then(|| fresh.set(&app.config).1)))
}

/// `GET /p/callback/{provider_id}`: where a provider sends people back to.
pub async fn provider_callback(
    State(app): State<App>,
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let id = provider_id(&id)?;
    let shared = app.clone();
    let found = app.db.read(move |tx| find_provider(tx, &shared, id)).await?;
    let name = match &found {
        Ok(found) => found.provider.name.clone(),
        Err(unusable) => unusable.name.clone(),
    };
    let cookie = Cookie::read(&headers, &app.config);
    let state = params.get("state").map(Secret::new);
    let (Some(cookie), Some(state)) = (cookie, state) else {
        return refuse(&app, &ctx, id, &name, fault::UNKNOWN_STATE, "/p/login").await;
    };
    let (hash, state_hash) = (cookie.hash, token_format::hash(state.expose()));
    let (idle, _) = session_lifetimes(&app.config);
    let now = ctx.now;
    let login = app
        .db
        .write(move |tx| match sessions::find(tx, &hash, now, idle)? {
            Some(session) => upstream_logins::consume(tx, &state_hash, id, session.id, now),
            None => Ok(None),
        })
        .await?;
    let Some(login) = login else {
        return refuse(&app, &ctx, id, &name, fault::UNKNOWN_STATE, "/p/login").await;
    };
    let destination = decode(&login.destination);
    let back = match login.request_id {
        Some(request) => format!("/p/login?request={request}"),
        None => destination.login_path(),
    };
    let Found { provider, .. } = match found {
        Ok(found) => found,
        Err(unusable) => return refuse(&app, &ctx, id, &name, unusable.fault, &back).await,
    };
    let profile = match answer(&app, &ctx, &provider, &login, state, &params).await {
        Ok(profile) => profile,
        Err(fault) => return refuse(&app, &ctx, id, &name, fault, &back).await,
    };
    let proof = upstream::proof(&ctx, provider.configuration.trust_mfa, &profile);
    let new = NewIds {
        identity: IdentityId(new_uuid()),
        set: IdentitySetId(new_uuid()),
    };
    let unit_ctx = ctx.clone();
    let recognised = app
        .db
        .write(move |tx| upstream::recognise(tx, &unit_ctx, &provider, &profile, new))
        .await?;
    let identity = match recognised {
        Ok(identity) => identity,
        Err(fault) => return refuse(&app, &ctx, id, &name, fault, &back).await,
    };
    let mut response = sign_in::complete(&app, &ctx, &cookie, login.request_id, &destination, identity, proof).await?;
    response.headers_mut().append(SET_COOKIE, choice::remember(&app, id));
    Ok(response)
}

/// From the parameters that came back to a verified profile.
async fn answer(
    app: &App,
    ctx: &Ctx,
    provider: &Provider,
    login: &UpstreamLogin,
    state: Secret,
    params: &Params,
) -> Result<Profile, Fault> {
    let relying_party = relying_party(app, ctx);
    relying_party.check_issuer(provider, params.get("iss")).await?;
    if let Some(error) = params.get("error") {
        return Err(match error {
            "server_error" | "temporarily_unavailable" => fault::PROVIDER_ERROR,
            "invalid_request" | "invalid_scope" | "unauthorized_client" | "unsupported_response_type" => {
                fault::TOKEN_CLIENT_REFUSED
            }
            _ => fault::REFUSED,
        });
    }
    let code = params.get("code").ok_or(fault::NO_ANSWER)?;
    let ticket = ticket(app, provider.id, state);
    let profile = relying_party.exchange(provider, &ticket, code).await?;
    // Who asks for a new login must not be given the session that was there before. Whoever
    // is asked for `max_age` has to say when it was (OpenID Connect Core 3.1.2.1).
    if let Some(seconds) = login.max_age.and_then(|seconds| u64::try_from(seconds).ok()) {
        let at = profile.authenticated_at.ok_or(fault::AUTH_TIME_MISSING)?;
        if at + Duration::from_secs(seconds) + LEEWAY < login.started_at {
            return Err(fault::NOT_FRESH);
        }
    }
    Ok(profile)
}

fn provider_id(text: &str) -> Result<IdentityProviderId> {
    text.parse().map_err(|_| Error::not_found("identity provider"))
}

fn relying_party<'a>(app: &'a App, ctx: &Ctx) -> RelyingParty<'a> {
    RelyingParty {
        fetcher: &app.fetcher,
        discovery: &app.discovery,
        now: ctx.now,
    }
}

struct Found {
    provider: Provider,
    domains: Vec<String>,
}

/// There is such a provider, but nobody can sign in through it.
struct Unusable {
    name: String,
    fault: Fault,
}

fn find_provider(tx: &mut ReadTx, app: &App, id: IdentityProviderId) -> Result<Result<Found, Unusable>> {
    let row = identity_providers::find(tx, id)?
        .filter(|provider| is_upstream(&provider.kind))
        .ok_or_else(|| Error::not_found("identity provider"))?;
    let unusable = |fault| {
        Ok(Err(Unusable {
            name: row.name.clone(),
            fault,
        }))
    };
    if !row.enabled {
        return unusable(fault::DISABLED);
    }
    let setup = identity_providers::find_setup(tx, id)?.unwrap_or_default();
    let (Some(issuer), Ok(configuration)) = (setup.issuer, serde_json::from_str(&setup.configuration)) else {
        return unusable(fault::NOT_CONFIGURED);
    };
    let secret = match setup.sealed_secret {
        None => None,
        Some(sealed) => {
            let plain = app
                .master_key
                .open(&provider_secret_place(id.0), &sealed)
                .map_err(Error::internal)?;
            Some(Secret::new(String::from_utf8_lossy(&plain)))
        }
    };
    Ok(Ok(Found {
        provider: Provider {
            id,
            name: row.name,
            kind: row.kind,
            issuer,
            configuration,
            secret,
        },
        domains: identity_providers::list_domains(tx, id)?,
    }))
}

/// Pages that change an account want a recent login (decisions, section 6). Of the second
/// account of a link it is enough that the person has come from there.
fn max_age_of(destination: &Destination) -> Option<u64> {
    let wants_time = destination.changes_something() && !matches!(destination, Destination::Link(_));
    wants_time.then_some(session::FRESH.as_secs())
}

/// What the app asked of the login is asked of the provider.
fn demands(provider: &Provider, waiting: &Waiting, policies: &[Policy], domains: &[String]) -> Demands {
    let request = &waiting.request;
    let anew = request.prompt.login || request.max_age == Some(0);
    // A policy that wants a recent login would not be satisfied by an old session there.
    let timeouts = policies
        .iter()
        .filter_map(|policy| policy.authentication_assurance_timeout);
    let timeouts = timeouts.filter_map(|seconds| u64::try_from(seconds).ok());
    let mut contexts = request.essential_acr.iter().chain(&request.wished_acr);
    let wants_mfa = request.required_mfa
        || policies.iter().any(|policy| policy.required_mfa)
        || contexts.any(|context| context == REFEDS_MFA);
    // Other providers are not told about accounts that are none of theirs.
    let is_theirs = |hint: &&String| match hint.rsplit_once('@') {
        Some((_, domain)) => domains.iter().any(|own| own.eq_ignore_ascii_case(domain)),
        None => true,
    };
    Demands {
        prompt: match (anew, request.prompt.select_account) {
            (true, _) => Some("login"),
            (false, true) => Some("select_account"),
            (false, false) => None,
        },
        max_age: if anew {
            Some(0)
        } else {
            request.max_age.into_iter().chain(timeouts).min()
        },
        login_hint: request.login_hint.as_ref().filter(is_theirs).cloned(),
        acr: (wants_mfa && provider.configuration.trust_mfa).then_some(REFEDS_MFA),
    }
}

/// Nonce and verifier of a state. Each has a label of its own, so none tells another.
fn ticket(app: &App, id: IdentityProviderId, state: Secret) -> Ticket {
    let derive = |label: &str| {
        let text = format!("upstream {label}:{id}:{}", state.expose());
        URL_SAFE_NO_PAD.encode(hmac::sign(&app.server_keys.form, text.as_bytes()))
    };
    Ticket {
        nonce: derive("nonce"),
        verifier: Secret::new(derive("verifier")),
        redirect_uri: redirect_uri(&app.config.public_url(), id),
        state,
    }
}

/// One for each provider: an answer that comes to another one's is not taken (RFC 9207
/// section 4, the alternative for providers that send no `iss`).
pub fn redirect_uri(public_url: &str, id: IdentityProviderId) -> String {
    format!("{public_url}/p/callback/{id}")
}

fn encode(destination: &Destination) -> String {
    let fields = destination.fields();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().map(|field| (field.name, &field.value)));
    query.finish()
}

fn decode(text: &str) -> Destination {
    // Written by us; should it not be readable, the start page is never wrong.
    Params::parse(text.as_bytes()).map_or(Destination::Home, |params| Destination::read(&params))
}

/// The refusal is recorded and shown with the provider's name, what can be done, and a way
/// back to the choice.
async fn refuse(
    app: &App,
    ctx: &Ctx,
    id: IdentityProviderId,
    name: &str,
    fault: Fault,
    back: &str,
) -> Result<Response> {
    app.metrics.login(Login::Failure);
    tracing::info!(provider = %id, reason = fault.code, "a login through an identity provider was refused");
    let unit_ctx = ctx.clone();
    app.db
        .write(move |tx| upstream::record_refusal(tx, &unit_ctx, id, fault))
        .await?;
    let advice = match fault.blame {
        Blame::Person => "provider-advice-person",
        Blame::Outage => "provider-advice-outage",
        Blame::Provider => "provider-advice-provider",
        Blame::Setup => "provider-advice-setup",
    };
    let title = ctx.say("provider-failed").arg("provider", name).to_string();
    let page = ErrorPage {
        layout: Layout {
            // The answer of the provider is good once.
            offers_languages: false,
            ..layout(app, ctx, &title, None)
        },
        text: ctx.text(fault.text).to_owned(),
        text_is_foreign: false,
        advice: vec![ctx.text(advice).to_owned()],
        link: Some(Link {
            text: ctx.text("provider-choose").into(),
            href: Href::path(back),
        }),
        occurred_at: ctx.now.to_string(),
        error_id: ctx.request_id.to_string(),
        error_code: fault.code.to_owned(),
    };
    let policy = PagePolicy {
        form_target: None,
        no_referrer: true,
    };
    let mut response = render(&page, &policy)?;
    *response.status_mut() = match fault.blame {
        Blame::Person | Blame::Setup => StatusCode::FORBIDDEN,
        Blame::Outage => StatusCode::SERVICE_UNAVAILABLE,
        Blame::Provider => StatusCode::BAD_GATEWAY,
    };
    Ok(response)
}

fn see_other(location: &str, cookie: Option<HeaderValue>) -> Response {
    let Ok(value) = HeaderValue::from_str(location) else {
        return Error::internal("an address that cannot be sent in a header").into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, value)]).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(cookie) = cookie {
        headers.append(SET_COOKIE, cookie);
    }
    response
}
