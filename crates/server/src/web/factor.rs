//! The second step of a sign-in, and passkeys instead of both steps.
//!
//! The second page comes only after the right password, as everywhere: it does tell whoever
//! has the password that it is right. Asking for a code of everybody would hide that, and
//! would make every sign-in harder. So a password that somebody else has is told to its
//! owner after five failures at the second factor (docs/design.md).
//!
//! Failures of every factor count for the account in one place (`domain::attempts`), and
//! together with all others in `app.limits`.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{Secret, TokenHash};
use uuid::Uuid;

use super::choice::Asked;
use super::destination::Destination;
use super::device::Device;
use super::pages::sign_in::LoginFactorPage;
use super::pages::{FormErrors, Href};
use super::{Waiting, find_session, find_waiting, layout, login, render, request_id, sign_in, speaking};
use crate::app::{App, Ctx, random_bytes};
use crate::domain::factors::{self, Available, Channel, PENDING_LIFETIME, Presented, Refused};
use crate::domain::session::Proof;
use crate::domain::webauthn::{self, Purpose, RelyingParty};
use crate::domain::{attempts, mail, token_format};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::{Form, Params, Query};
use crate::metrics::Login;
use crate::store::factors::{self as stored, PendingLogin};
use crate::store::identities::{self, Identity};

/// At this many failures after the right password its owner learns that somebody knows it.
const TELL_AFTER: i64 = 5;

/// Who we are to browsers; none under a bare network address.
pub(super) fn relying_party(app: &App) -> Option<RelyingParty> {
    RelyingParty::new(&app.config.public_url())
}

/// What the login page needs for passkeys.
pub(super) fn sign_in_options(app: &App, ctx: &Ctx, cookie: &Cookie) -> Option<String> {
    let rp = relying_party(app)?;
    let channel = Channel {
        rp: &rp,
        key: &app.server_keys.form,
        browser: &cookie.hash,
    };
    Some(channel.request_options(ctx, Purpose::SignIn, &[]).to_string())
}

/// The password was right, and the account has a second factor.
pub(super) async fn begin(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    request: Option<Uuid>,
    destination: &Destination,
    identity: &Identity,
    amr: &[&str],
) -> Result<Response> {
    let token = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let (hash, browser, now) = (token_format::hash(&token), cookie.hash, ctx.now);
    let pending = PendingLogin {
        identity_id: identity.id,
        amr: amr.iter().map(|method| (*method).to_owned()).collect(),
        created_at: now,
    };
    app.db
        .write(move |tx| stored::insert_pending_login(tx, &hash, &browser, &pending, now + PENDING_LIFETIME))
        .await?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("login", &token);
    if let Some(request) = request {
        query.append_pair("request", &request.to_string());
    }
    for field in destination.fields() {
        query.append_pair(field.name, &field.value);
    }
    Ok(Redirect::to(&format!("/p/login/factor?{}", query.finish())).into_response())
}

/// A sign-in between its two steps.
struct Step {
    token: String,
    identity: Identity,
    available: Available,
    waiting: Option<Waiting>,
    destination: Destination,
}

impl Step {
    async fn load(app: &App, ctx: &Ctx, cookie: &Cookie, params: &Params) -> Result<Self> {
        let token = params.get("login").ok_or_else(super::expired)?.to_owned();
        let id = request_id(params)?;
        let destination = Destination::read(params);
        let (shared, ctx, browser) = (app.clone(), ctx.clone(), cookie.hash);
        app.db
            .read(move |tx| {
                let hash = token_format::hash(&token);
                let (_, identity) = find_pending(tx, &ctx, &hash, &browser)?.ok_or_else(super::expired)?;
                let waiting = match id {
                    Some(id) => {
                        let (session, _) = find_session(tx, &shared, &ctx, &browser)?.ok_or_else(super::expired)?;
                        Some(find_waiting(tx, &ctx, session, id)?)
                    }
                    None => None,
                };
                Ok(Step {
                    token: token.clone(),
                    available: factors::available(tx, identity.id)?,
                    identity,
                    waiting,
                    destination: destination.clone(),
                })
            })
            .await
    }

    fn start_again(&self) -> Href {
        Href::path(match &self.waiting {
            Some(waiting) => format!("/p/login?request={}", waiting.parked.id),
            None => self.destination.login_path(),
        })
    }

    fn show(&self, app: &App, ctx: &Ctx, cookie: &Cookie, errors: FormErrors) -> Result<Response> {
        let waiting = self.waiting.as_ref();
        let ctx = &speaking(ctx, waiting);
        let passkeys = &self.available.passkeys;
        let passkey = relying_party(app).filter(|_| !passkeys.is_empty()).map(|rp| {
            let channel = Channel {
                rp: &rp,
                key: &app.server_keys.form,
                browser: &cookie.hash,
            };
            let purpose = Purpose::SecondFactor(self.identity.id);
            channel.request_options(ctx, purpose, passkeys).to_string()
        });
        let page = LoginFactorPage {
            layout: match waiting {
                Some(waiting) => waiting.layout(app, ctx, ctx.text("login-factor-title"), None),
                None => layout(app, ctx, ctx.text("login-factor-title"), None),
            },
            form_token: cookie.form_token(app),
            request: waiting.map(|waiting| waiting.parked.id.to_string()),
            login: self.token.clone(),
            client: waiting.map(Waiting::client_view),
            username: self.identity.username.clone(),
            otp: self.available.totp.is_some(),
            passkey,
            recovery: self.available.recovery_codes > 0,
            start_again: self.start_again(),
            carried: self.destination.fields(),
            errors,
        };
        render(&page, &waiting.map_or_else(PagePolicy::default, Waiting::policy))
    }
}

/// Only a live account in the browser that gave its password.
fn find_pending(
    tx: &mut ReadTx,
    ctx: &Ctx,
    hash: &TokenHash,
    browser: &TokenHash,
) -> Result<Option<(PendingLogin, Identity)>> {
    let Some(pending) = stored::find_pending_login(tx, hash, browser, ctx.now)? else {
        return Ok(None);
    };
    let identity = identities::find(tx, pending.identity_id)?.filter(Identity::is_live);
    Ok(identity.map(|identity| (pending, identity)))
}

/// `GET /p/login/factor`
pub async fn factor_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(super::expired)?;
    let step = Step::load(&app, &ctx, &cookie, &params).await?;
    step.show(&app, &ctx, &cookie, FormErrors::none())
}

enum Outcome {
    Proven(Proof),
    Wrong,
    Later(Duration),
    Expired,
}

/// `POST /p/login/factor`: `otp`, `recovery_code` or `credential`.
pub async fn present_factor(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let step = Step::load(&app, &ctx, &cookie, &form).await?;
    app.limits.login(ctx.address)?;
    let speaking = speaking(&ctx, step.waiting.as_ref());
    let (presented, field, text) = match read_factor(&speaking, &form) {
        Ok(read) => read,
        Err(errors) => {
            let mut response = step.show(&app, &ctx, &cookie, errors)?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
    };
    let device = Device::read(&app, &headers).filter(|device| device.identity == step.identity.id);
    if device.is_none() {
        app.limits.unknown_browser()?;
    }
    let counter = attempts::counter(
        device.as_ref().map(|device| device.nonce.as_str()),
        &step.identity.username,
    );
    let (shared, unit_ctx, browser) = (app.clone(), ctx.clone(), cookie.hash);
    let hash = token_format::hash(&step.token);
    let outcome = app
        .db
        .write(move |tx| {
            // Counted and checked in one unit: many guesses at the same time are one after
            // the other here.
            if let Some(delay) = attempts::wait(tx, &unit_ctx, &counter)? {
                return Ok(Outcome::Later(delay));
            }
            let Some((pending, identity)) = find_pending(tx, &unit_ctx, &hash, &browser)? else {
                return Ok(Outcome::Expired);
            };
            let rp = relying_party(&shared);
            let channel = rp.as_ref().map(|rp| Channel {
                rp,
                key: &shared.server_keys.form,
                browser: &browser,
            });
            let proof = factors::check_second_factor(
                tx,
                &unit_ctx,
                &shared.master_key,
                channel.as_ref(),
                &pending,
                &presented,
            )?;
            let Some(proof) = proof else {
                attempts::count_failure(tx, &unit_ctx, &counter, Some(identity.id), presented.name())?;
                if attempts::count_after_password(tx, &unit_ctx, &counter)? == TELL_AFTER {
                    tell_owner(tx, &unit_ctx, &identity)?;
                }
                return Ok(Outcome::Wrong);
            };
            if !stored::consume_pending_login(tx, &hash, unit_ctx.now)? {
                return Ok(Outcome::Expired);
            }
            attempts::clear(tx, &counter)?;
            Ok::<_, Error>(Outcome::Proven(proof))
        })
        .await?;
    match outcome {
        Outcome::Proven(proof) => {
            let request = step.waiting.as_ref().map(|waiting| waiting.parked.id);
            sign_in::complete(&app, &ctx, &cookie, request, &step.destination, step.identity, proof).await
        }
        Outcome::Wrong => {
            app.limits.failed_login();
            app.metrics.login(Login::Failure);
            let errors = match field {
                Some(field) => FormErrors::field(field, text),
                None => FormErrors::whole(text),
            };
            let mut response = step.show(&app, &ctx, &cookie, errors)?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
        Outcome::Later(delay) => {
            app.metrics.login(Login::Limited);
            let mut response = step.show(&app, &ctx, &cookie, login::too_many(&speaking, delay))?;
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            Ok(login::retry_after(response, delay))
        }
        Outcome::Expired => Err(super::expired()),
    }
}

/// What was presented, the field it stood in, and what to say if it is wrong.
type Read = (Presented, Option<&'static str>, &'static str);

fn read_factor(ctx: &Ctx, form: &Params) -> Result<Read, FormErrors> {
    let given = |name| form.get(name).map(str::trim).filter(|text| !text.is_empty());
    if let Some(credential) = given("credential") {
        let text = ctx.text("login-factor-passkey-refused");
        let credential = webauthn::parse(credential).map_err(|_| FormErrors::whole(text))?;
        return Ok((Presented::Passkey(Box::new(credential)), None, text));
    }
    if let Some(code) = given("recovery_code") {
        let text = ctx.text("login-factor-recovery-refused");
        return Ok((Presented::RecoveryCode(Secret::new(code)), Some("recovery_code"), text));
    }
    let text = ctx.text("login-factor-otp-refused");
    match given("otp") {
        Some(code) => Ok((Presented::Otp(Secret::new(code)), Some("otp"), text)),
        None => Err(FormErrors::whole(ctx.text("login-factor-nothing"))),
    }
}

fn tell_owner(tx: &mut portolan_db::WriteTx, ctx: &Ctx, identity: &Identity) -> Result<()> {
    mail::notify(
        tx,
        ctx,
        identity,
        ctx.text("mail-second-step-subject"),
        ctx.text("mail-second-step"),
    )
}

/// `POST /p/login/passkey`: a passkey that checks who is using it, instead of a password.
pub async fn login_with_passkey(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let device = Device::read(&app, &headers);
    let state = login::load(
        &app,
        &ctx,
        Some(&cookie),
        request_id(&form)?,
        Destination::read(&form),
        device.as_ref().map(|device| device.identity),
        Asked::new(&app, &headers, None),
    )
    .await?;
    app.limits.login(ctx.address)?;
    if device.is_none() {
        app.limits.unknown_browser()?;
    }
    let speaking = speaking(&ctx, state.speaker());
    let refuse = |text: &str| {
        let username = form.get("username").unwrap_or("").to_owned();
        let mut response = login::show(&app, &ctx, &cookie, &state, username, FormErrors::whole(text))?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        Ok(response)
    };
    let Some(rp) = relying_party(&app) else {
        return refuse(speaking.text("login-passkey-no-address"));
    };
    let Ok(credential) = webauthn::parse(form.get("credential").unwrap_or("")) else {
        return refuse(speaking.text("login-passkey-none"));
    };
    let (shared, unit_ctx, browser) = (app.clone(), ctx.clone(), cookie.hash);
    let outcome = app
        .db
        .write(move |tx| {
            let channel = Channel {
                rp: &rp,
                key: &shared.server_keys.form,
                browser: &browser,
            };
            let checked = factors::check_passkey(tx, &unit_ctx, &channel, Purpose::SignIn, &credential)?;
            let owner = match &checked {
                Ok(presence) => Some(presence.passkey.identity_id),
                Err(Refused { identity, .. }) => *identity,
            };
            let identity = match owner {
                Some(id) => identities::find(tx, id)?.filter(Identity::is_live),
                None => None,
            };
            let known = device
                .as_ref()
                .filter(|device| Some(device.identity) == identity.as_ref().map(|identity| identity.id));
            let counter = identity
                .as_ref()
                .map(|identity| attempts::counter(known.map(|device| device.nonce.as_str()), &identity.username));
            match (checked, identity, counter) {
                // A signature cannot be guessed, so nobody has to wait with a right one.
                (Ok(presence), Some(identity), Some(counter)) => {
                    attempts::clear(tx, &counter)?;
                    Ok(Some((identity, factors::proof_of_passkey(&unit_ctx, &presence))))
                }
                (Err(refused), Some(identity), Some(counter)) => {
                    tracing::info!(refusal = %refused.refusal, "passkey refused");
                    attempts::judge(tx, &unit_ctx, &counter, Some(identity.id), "passkey", false)?;
                    Ok(None)
                }
                (checked, ..) => {
                    if let Err(refused) = checked {
                        tracing::info!(refusal = %refused.refusal, "passkey refused");
                    }
                    Ok::<_, Error>(None)
                }
            }
        })
        .await?;
    let Some((identity, proof)) = outcome else {
        app.limits.failed_login();
        app.metrics.login(Login::Failure);
        return refuse(speaking.text("login-passkey-refused"));
    };
    let request = state.waiting.as_ref().map(|waiting| waiting.parked.id);
    sign_in::complete(&app, &ctx, &cookie, request, &state.destination, identity, proof).await
}
