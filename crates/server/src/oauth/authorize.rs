//! The authorization endpoint, RFC 6749 section 3.1 and OpenID Connect Core 3.1.2.
//!
//! A request is validated, then either answered at once (the person is signed in and has
//! approved everything) or parked while the person is sent to a page. Pages know no
//! protocol: they come back to [`resume`], which looks again. Before client and redirect
//! URI are known to be good an error is a page, afterwards it is a redirect; that is a
//! type here, `Rejected`.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use portolan_db::{ReadTx, WriteTx};
use portolan_types::id::IssuanceId;
use portolan_types::{AppSessionId, BrowserSessionId, ScopeRequest, Secret};
use uuid::Uuid;

use crate::app::{App, Ctx, new_uuid, random_bytes};
use crate::config::Config;
use crate::domain::authorization::{AuthorizationRequest, Prompt, Situation, Step, Unmet, next_step};
use crate::domain::session::Presence;
use crate::domain::token_format::{self, TokenKind};
use crate::domain::tokens::GrantedScope;
use crate::domain::{client, consent, id_token, pkce, policy, scope, session};
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, session_lifetimes};
use crate::http::extract::{Form, Params, Query};
use crate::store::authorization_codes::{self, NewCode};
use crate::store::authorization_requests::{self, Parked};
use crate::store::clients::{self, Client};
use crate::store::identities::Identity;
use crate::store::policies;
use crate::store::sessions::{self, Authentication};

/// How long a parked request waits for the person.
const PARKED_LIFETIME: Duration = Duration::from_secs(3600);

/// Why a request is not answered with a code.
enum Rejected {
    /// Nothing is known to be good: tell the person, send nothing anywhere.
    Page(Error),
    Redirect(RedirectTarget, Error),
}

/// A checked redirect URI and the state that goes with it.
#[derive(Clone, Debug)]
struct RedirectTarget {
    uri: String,
    state: Option<String>,
}

impl RedirectTarget {
    fn of(request: &AuthorizationRequest) -> Self {
        Self {
            uri: request.redirect_uri.clone(),
            state: request.state.clone(),
        }
    }
}

/// What a pass over the request came to.
enum Outcome {
    Code(RedirectTarget, Secret),
    /// The person has to see a page; the request waits under this id.
    Page(&'static str, Uuid),
    Rejected(Rejected),
}

/// `GET /v2/oauth2/authorize`
pub async fn authorize(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Result<Response> {
    let Query(params) = query?;
    let cookie = Cookie::read(&headers, &app.config);
    // Made before the transaction, which may run twice; used only if a page is needed.
    let fresh = Cookie::generate();
    let (known, new) = (cookie.as_ref().map(|cookie| cookie.hash), fresh.hash);
    let shared = app.clone();
    let secrets = CodeSecrets::generate();
    let (outcome, created) = app
        .db
        .write(move |tx| {
            let (client, request, scopes) = match validate(tx, &shared, &params)? {
                Ok(valid) => valid,
                Err(rejected) => return Ok((Outcome::Rejected(rejected), false)),
            };
            let lifetimes = session_lifetimes(&shared.config);
            let session = match known {
                Some(hash) => sessions::find(tx, &hash, ctx.now, lifetimes.0)?,
                None => None,
            };
            if let Some(session) = &session {
                sessions::touch_found(tx, session, ctx.now)?;
            }
            let session = session.map(|session| session.id);
            let parked = Parked {
                id: secrets.request_id,
                client_id: client.id,
                parameters: serde_json::to_string(&request).map_err(Error::internal)?,
                parked_at: ctx.now,
                authenticated_at: None,
                page_shown: false,
                decision: None,
                logins: Vec::new(),
            };
            let pass = Pass {
                app: &shared,
                ctx: &ctx,
                client: &client,
                request: &request,
                scopes: &scopes,
                parked: &parked,
                session,
            };
            let outcome = pass.run(tx, &secrets)?;
            let Outcome::Page(..) = outcome else {
                return Ok((outcome, false));
            };
            // The browser's cookie is kept if it still names a session; otherwise it gets a new one.
            let cookie = if session.is_some() { known.unwrap_or(new) } else { new };
            let browser = session::find_or_create(tx, &ctx, &cookie, lifetimes)?;
            if !authorization_requests::insert(tx, &parked, browser, ctx.now + PARKED_LIFETIME)? {
                return Err(Error::unavailable("too many people are signing in").retry_after(Duration::from_secs(30)));
            }
            Ok((outcome, session.is_none()))
        })
        .await?;
    let set_cookie = created.then(|| fresh.set(&app.config));
    Ok(answer(&app.config, outcome, set_cookie))
}

/// `POST /v2/oauth2/authorize`: the same with the parameters in a form. The browser does
/// not send its cookie along with a form from another site (SameSite), so the parameters
/// become a GET, which it does accompany. The address is relative: the browser stays where it is.
pub async fn authorize_by_form(form: Result<Form>) -> Result<Response> {
    let Form(params) = form?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in params.names() {
        query.append_pair(name, params.get(name).unwrap_or(""));
    }
    Ok(see_other(&format!("/v2/oauth2/authorize?{}", query.finish()), None))
}

/// `GET /p/authorize?request=…`: where the pages come back to.
pub async fn resume(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Result<Response> {
    let Query(params) = query?;
    let expired = || {
        Error::invalid_request("this sign-in has expired or was finished already; go back to the app and start again")
    };
    let id: Uuid = params
        .get("request")
        .and_then(|id| id.parse().ok())
        .ok_or_else(expired)?;
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(expired)?;
    let shared = app.clone();
    let secrets = CodeSecrets::generate();
    let outcome = app
        .db
        .write(move |tx| {
            let (idle, _) = session_lifetimes(&shared.config);
            let session = sessions::find(tx, &cookie.hash, ctx.now, idle)?.ok_or_else(expired)?;
            sessions::touch_found(tx, &session, ctx.now)?;
            let parked = authorization_requests::find(tx, id, session.id, ctx.now)?.ok_or_else(expired)?;
            let request: AuthorizationRequest = serde_json::from_str(&parked.parameters).map_err(Error::internal)?;
            let client = clients::find(tx, parked.client_id)?
                .filter(|client| client.enabled)
                .ok_or_else(expired)?;
            let outcome = if parked.decision.as_deref() == Some("deny") {
                refuse(&request, Error::new(Kind::AccessDenied, "the person did not allow it"))
            } else {
                let asked = ScopeRequest::parse(&request.scope).map_err(Error::internal)?;
                match scope::expand(tx, &asked, &client) {
                    Ok(scopes) => {
                        let pass = Pass {
                            app: &shared,
                            ctx: &ctx,
                            client: &client,
                            request: &request,
                            scopes: &scopes,
                            parked: &parked,
                            session: Some(session.id),
                        };
                        pass.run(tx, &secrets)?
                    }
                    // A scope went away while the person was on a page.
                    Err(error) if matches!(error.kind(), Kind::UnknownScope | Kind::InvalidScope) => {
                        Outcome::Rejected(Rejected::Page(error))
                    }
                    Err(error) => return Err(error),
                }
            };
            if !matches!(outcome, Outcome::Page(..)) && !authorization_requests::consume(tx, id)? {
                return Err(expired());
            }
            Ok(outcome)
        })
        .await?;
    Ok(answer(&app.config, outcome, None))
}

/// What was asked, and the scopes with all below them.
type Valid = (Client, AuthorizationRequest, Vec<scope::Node>);

/// Reads and checks everything that does not depend on the person (wire.md 2.1.2, 1 to 3).
fn validate(tx: &mut ReadTx, app: &App, params: &Params) -> Result<Result<Valid, Rejected>> {
    let (client, target) = match validate_client(tx, &app.config, params) {
        Ok(good) => good,
        Err(error) if error.kind() == Kind::Internal || error.kind() == Kind::Unavailable => return Err(error),
        Err(error) => return Ok(Err(Rejected::Page(error))),
    };
    match validate_request(tx, app, params, &client, &target) {
        Ok((request, scopes)) => Ok(Ok((client, request, scopes))),
        Err(error) if error.kind() == Kind::Internal || error.kind() == Kind::Unavailable => Err(error),
        // Unknown scopes are shown to the person, as clients expect (decisions, section 8).
        Err(error) if error.kind() == Kind::UnknownScope && params.get("prompt") != Some("none") => {
            Ok(Err(Rejected::Page(error)))
        }
        Err(error) => Ok(Err(Rejected::Redirect(target, error))),
    }
}

fn validate_client(tx: &mut ReadTx, config: &Config, params: &Params) -> Result<(Client, RedirectTarget)> {
    let id = params.require("client_id")?;
    let unknown = || Error::invalid_request("client_id names no app that is registered here");
    let client = clients::find(tx, id.parse().map_err(|_| unknown())?)?
        .filter(|client| client.enabled)
        .ok_or_else(unknown)?;
    let uri = params.require("redirect_uri")?;
    if uri.len() > 2048 || !client::allows_redirect(&client, config, uri) {
        return Err(Error::invalid_request("redirect_uri is not registered for this app"));
    }
    let state = params.get("state").map(str::to_owned);
    Ok((
        client,
        RedirectTarget {
            uri: uri.to_owned(),
            state,
        },
    ))
}

fn validate_request(
    tx: &mut ReadTx,
    app: &App,
    params: &Params,
    client: &Client,
    target: &RedirectTarget,
) -> Result<(AuthorizationRequest, Vec<scope::Node>)> {
    for (name, kind) in [
        ("request", Kind::RequestNotSupported),
        ("request_uri", Kind::RequestUriNotSupported),
        ("registration", Kind::RegistrationNotSupported),
    ] {
        if params.get(name).is_some() {
            return Err(Error::new(kind, format!("the parameter {name} is not supported")));
        }
    }
    if params.require("response_type")? != "code" {
        return Err(Error::new(Kind::UnsupportedResponseType, "response_type must be code"));
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Error::invalid_request("response_mode must be query"));
    }
    for (name, longest) in [
        ("state", 8192),
        ("nonce", 4096),
        ("login_hint", 512),
        ("session_message", 1024),
    ] {
        if params.get(name).is_some_and(|value| value.len() > longest) {
            return Err(Error::invalid_request(format!(
                "the parameter {name} is longer than {longest} bytes"
            )));
        }
    }
    if !client::may_use(client, client::AUTHORIZATION_CODE) {
        return Err(Error::unauthorized_client("this app may not ask people for access"));
    }
    let challenge = pkce::Challenge::from_parameters(params.get("code_challenge"), params.get("code_challenge_method"))
        .map_err(|invalid| Error::invalid_request(invalid.to_string()))?;
    if challenge.is_none() && client::requires_pkce(client) {
        return Err(Error::invalid_request(
            "a public client must send code_challenge (PKCE)",
        ));
    }
    let prompt = Prompt::parse(params.get("prompt").unwrap_or("")).map_err(Error::invalid_request)?;
    let scope = params.require("scope")?;
    let scopes = ScopeRequest::parse(scope).map_err(|error| Error::invalid_scope(error.to_string()))?;
    if scopes.is_empty() {
        return Err(Error::invalid_scope("no scope is requested"));
    }
    let trees = scope::expand(tx, &scopes, client)?;
    let access_type = params.get("access_type").unwrap_or("online");
    if !matches!(access_type, "online" | "offline") {
        return Err(Error::invalid_request("access_type must be online or offline"));
    }
    let max_age = params
        .get("max_age")
        .map(|text| {
            text.parse()
                .map_err(|_| Error::invalid_request("max_age must be a number of seconds"))
        })
        .transpose()?;
    let request = AuthorizationRequest {
        client_id: client.id,
        redirect_uri: target.uri.clone(),
        scope: scope.to_owned(),
        state: target.state.clone(),
        code_challenge: challenge.map(|challenge| challenge.to_string()),
        nonce: params.get("nonce").map(str::to_owned),
        prompt,
        max_age,
        login_hint: params.get("login_hint").map(str::to_owned),
        hinted_identity: hinted_identity(app, client, params)?,
        offline: access_type == "offline" || scopes.offline(),
        label: params
            .get("prefill_named_grant")
            .map(|label| label.chars().take(100).collect()),
        session_message: params.get("session_message").map(str::to_owned),
        required_identities: ids(params, "session_required_identities")?,
        required_domains: params
            .list("session_required_single_domain")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        required_policies: ids(params, "session_required_policies")?,
        required_mfa: params.flag("session_required_mfa")?.unwrap_or(false),
        wished_acr: wished_acr(params),
        essential_acr: essential_acr(params),
        // A wish, never an error (OpenID Connect Core 3.1.2.1): what is too long is no list.
        ui_locales: params
            .get("ui_locales")
            .filter(|list| list.len() <= 512)
            .map(str::to_owned),
    };
    Ok((request, trees))
}

/// What `acr_values` wishes for, as far as anybody here can meet it: other values are the
/// same as none, since a wish is never an error (OpenID Connect Core 3.1.2.1).
fn wished_acr(params: &Params) -> Vec<String> {
    let values = params.get("acr_values").unwrap_or("").split(' ');
    let known = values.filter(|value| *value == policy::REFEDS_MFA);
    known.map(str::to_owned).collect()
}

/// The one demand in `claims` that may not be passed over: an essential `acr` of certain
/// values (OpenID Connect Core 5.5.1.1). All else in it is ignored, as discovery says.
fn essential_acr(params: &Params) -> Vec<String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Claims {
        id_token: Option<IdToken>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct IdToken {
        acr: Option<Acr>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Acr {
        essential: bool,
        value: Option<String>,
        values: Vec<String>,
    }
    let claims = params.get("claims").and_then(|text| serde_json::from_str(text).ok());
    let acr = claims.and_then(|claims: Claims| claims.id_token?.acr);
    acr.filter(|acr| acr.essential)
        .map(|acr| acr.values.into_iter().chain(acr.value).collect())
        .unwrap_or_default()
}

/// Whom `id_token_hint` names; an expired one is good enough (standards.md H8).
fn hinted_identity(app: &App, client: &Client, params: &Params) -> Result<Option<portolan_types::IdentityId>> {
    let Some(hint) = params.get("id_token_hint") else {
        return Ok(None);
    };
    let verified = app
        .keys()
        .verify_id_token(hint, &app.config.issuer(), id_token::Expiry::Ignored)
        .map_err(|error| Error::invalid_request(format!("id_token_hint: {error}")))?;
    if verified.client_id != client.id {
        return Err(Error::invalid_request("id_token_hint was issued to another app"));
    }
    Ok(Some(verified.identity_id))
}

/// Ids in a comma-separated parameter; some clients send them as urns (wire.md 2.1.1).
fn ids<T: std::str::FromStr>(params: &Params, name: &'static str) -> Result<Vec<T>> {
    let list = params.list(name);
    if list.len() > 50 {
        return Err(Error::invalid_request(format!(
            "the parameter {name} names more than 50 ids"
        )));
    }
    list.into_iter()
        .map(|text| {
            let text = text.strip_prefix("urn:globus:auth:identity:").unwrap_or(text);
            text.parse()
                .map_err(|_| Error::invalid_request(format!("the parameter {name} must list ids")))
        })
        .collect()
}

/// The random values of an answer, drawn outside the transaction.
struct CodeSecrets {
    code: Secret,
    request_id: Uuid,
    app_session_id: AppSessionId,
    issuance_id: IssuanceId,
}

impl CodeSecrets {
    fn generate() -> Self {
        Self {
            code: token_format::mint(TokenKind::Code, random_bytes()),
            request_id: new_uuid(),
            app_session_id: AppSessionId(new_uuid()),
            issuance_id: IssuanceId(new_uuid()),
        }
    }
}

/// One look at a request with the browser session as it is now.
struct Pass<'a> {
    app: &'a App,
    ctx: &'a Ctx,
    client: &'a Client,
    request: &'a AuthorizationRequest,
    scopes: &'a [scope::Node],
    parked: &'a Parked,
    session: Option<BrowserSessionId>,
}

/// The person signed in, as far as there is one.
struct Person {
    authentications: Vec<Authentication>,
    set: Vec<Identity>,
    effective: Option<Identity>,
}

impl Pass<'_> {
    fn run(&self, tx: &mut WriteTx, secrets: &CodeSecrets) -> Result<Outcome> {
        let person = self.person(tx)?;
        let granted = match &person.effective {
            Some(identity) => {
                consent::find_granted(tx, identity.id, self.client.id, self.scopes, self.request.offline)?
            }
            None => None,
        };
        let policies = policies::list_by_ids(tx, &self.request.required_policies)?;
        let scope_domains: Vec<Vec<String>> = self
            .scopes
            .iter()
            .map(|node| node.scope.required_domains())
            .filter(|domains| !domains.is_empty())
            .collect();
        let step = next_step(&Situation {
            request: self.request,
            now: self.ctx.now,
            authentications: &person.authentications,
            set: &person.set,
            policies: &policies,
            scope_domains: &scope_domains,
            authenticated_at: self.parked.authenticated_at,
            logins: &self.parked.logins,
            has_effective_identity: person.effective.is_some(),
            consents_complete: granted.is_some(),
            decided: self.parked.decision.as_deref() == Some("allow"),
            page_shown: self.parked.page_shown,
            confirm_native: self.app.config.confirm_native_sso && self.goes_to_a_program(),
        });
        match step {
            Step::Done => self.issue(tx, secrets, &person, &granted.unwrap_or_default()),
            step if self.request.prompt.none => Ok(refuse(self.request, silent_error(&step))),
            Step::Login(_) => Ok(Outcome::Page("/p/login", self.parked.id)),
            Step::Consent => Ok(Outcome::Page("/p/consent", self.parked.id)),
            Step::Confirm => Ok(Outcome::Page("/p/continue", self.parked.id)),
            Step::Unmet(Unmet::Context) => Ok(refuse(
                self.request,
                Error::new(
                    Kind::UnmetAuthenticationRequirements,
                    "the person cannot sign in in a way that the essential acr allows",
                ),
            )),
            // The person may have such an account, and link it.
            Step::Unmet(Unmet::RequiredProvider) if self.client.required_idp.is_some() => {
                Ok(Outcome::Page("/p/link", self.parked.id))
            }
            Step::Unmet(unmet) => {
                let error = Error::forbidden(unmet.text())
                    .said(unmet.words())
                    .leading_to(unmet.way_on());
                Ok(Outcome::Rejected(Rejected::Page(error)))
            }
        }
    }

    /// A loopback address or a private scheme of a program that anybody could pose as. The
    /// display page is not one: there the person carries the code over.
    fn goes_to_a_program(&self) -> bool {
        let uri = &self.request.redirect_uri;
        (client::is_native(self.client) || self.client.is_public())
            && !uri.starts_with("https://")
            && !client::is_display_page(&self.app.config, uri)
    }

    fn person(&self, tx: &mut WriteTx) -> Result<Person> {
        let presence = match self.session {
            Some(session) => Presence::of(tx, session)?,
            None => Presence::default(),
        };
        let effective = presence.effective(self.client.required_idp).cloned();
        Ok(Person {
            authentications: presence.authentications,
            set: presence.set,
            effective,
        })
    }

    /// Issues the code: bound to client, redirect URI, challenge, identity, session and consents.
    fn issue(
        &self,
        tx: &mut WriteTx,
        secrets: &CodeSecrets,
        person: &Person,
        granted: &[GrantedScope],
    ) -> Result<Outcome> {
        let (Some(identity), Some(newest)) = (&person.effective, person.authentications.first()) else {
            return Err(Error::internal("a request is done without a person"));
        };
        let browser = self
            .session
            .ok_or_else(|| Error::internal("a request is done without a session"))?;
        let config = &self.app.config;
        let now = self.ctx.now;
        let lifetime = if client::is_display_page(config, &self.request.redirect_uri) {
            config.display_code_lifetime_seconds
        } else {
            config.authorization_code_lifetime_seconds
        };
        let expires_at = now + Duration::from_secs(lifetime);
        let longest_token = expires_at + Duration::from_secs(config.access_token_lifetime_seconds);
        let app_session =
            sessions::upsert_app_session(tx, secrets.app_session_id, browser, self.client.id, now, longest_token)?;
        sessions::copy_authentications(tx, app_session, &person.authentications)?;
        let pairs: Vec<_> = granted
            .iter()
            .map(|scope| (scope.consent_id, scope.requested.clone()))
            .collect();
        let scope = portolan_types::scope::flat(granted.iter().map(|scope| &scope.requested));
        authorization_codes::insert(
            tx,
            &NewCode {
                hash: token_format::hash(secrets.code.expose()),
                client_id: self.client.id,
                identity_id: identity.id,
                identity_generation: identity.generation,
                issuance_id: secrets.issuance_id,
                app_session_id: app_session,
                redirect_uri: &self.request.redirect_uri,
                code_challenge: self.request.code_challenge.as_deref(),
                scope: &scope,
                granted: &pairs,
                offline: self.request.offline && client::may_use(self.client, client::REFRESH_TOKEN),
                nonce: self.request.nonce.as_deref(),
                state: self.request.state.as_deref(),
                // Of the person, whichever of their identities they signed in with.
                auth_time: newest.authenticated_at,
                auth_time_requested: self.request.max_age.is_some(),
                issued_at: now,
                expires_at,
            },
        )?;
        if self.client.is_instance && self.client.first_used_at.is_none() {
            clients::mark_used(tx, self.client.id, now)?;
        }
        Ok(Outcome::Code(RedirectTarget::of(self.request), secrets.code.clone()))
    }
}

fn refuse(request: &AuthorizationRequest, error: Error) -> Outcome {
    Outcome::Rejected(Rejected::Redirect(RedirectTarget::of(request), error))
}

/// What a request without pages is told instead of being shown one (OpenID Connect Core 3.1.2.6).
fn silent_error(step: &Step) -> Error {
    match step {
        Step::Login(_) => Error::new(
            Kind::LoginRequired,
            "the person is not signed in as the request demands",
        ),
        Step::Consent => Error::new(Kind::ConsentRequired, "the person has not approved this yet"),
        _ => Error::new(Kind::InteractionRequired, "the person has to see a page"),
    }
}

fn answer(config: &Config, outcome: Outcome, set_cookie: Option<(HeaderName, HeaderValue)>) -> Response {
    match outcome {
        Outcome::Code(target, code) => redirect(config, &target, &[("code", code.expose())]),
        Outcome::Page(page, id) => see_other(&format!("{page}?request={id}"), set_cookie),
        Outcome::Rejected(Rejected::Page(error)) => error.into_response(),
        Outcome::Rejected(Rejected::Redirect(target, error)) => redirect(
            config,
            &target,
            &[
                ("error", error.kind().oauth_code()),
                ("error_description", error.detail()),
            ],
        ),
    }
}

/// Adds the answer to the redirect URI, whose own query stays; `iss` is in every answer
/// (RFC 9207), `state` in every answer to a request that had one.
fn redirect(config: &Config, target: &RedirectTarget, members: &[(&str, &str)]) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        query.append_pair(name, value);
    }
    if let Some(state) = &target.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", &config.issuer());
    let separator = if target.uri.contains('?') { '&' } else { '?' };
    see_other(&format!("{}{separator}{}", target.uri, query.finish()), None)
}

/// 303, never 307: a form that was posted on the way is not posted on (standards.md G2).
fn see_other(location: &str, set_cookie: Option<(HeaderName, HeaderValue)>) -> Response {
    let Ok(value) = HeaderValue::from_str(location) else {
        return Error::invalid_request("the redirect URI cannot be sent in a header").into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, value)]).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some((name, value)) = set_cookie {
        headers.append(name, value);
    }
    response
}
