//! The page on which people change how they sign in: password, passkeys, authenticator
//! app, recovery codes. What else is signed in is on the page of sessions.
//!
//! Looking needs a sign-in; a change needs one of the last ten minutes, with the second
//! factor if there is one, because it is the same sign-in as any other (standards.md AA7).
//! Browsers that came in with the password alone are signed out when the first second
//! factor comes: else whoever knows the password could take it away again from there.
//! Each change is written down and told to the person by mail.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, Secret};
use uuid::Uuid;

use super::destination::{Destination, SECURITY};
use super::factor::relying_party;
use super::pages::{
    FactorRemovalPage, FormErrors, Href, Layout, Moment, NewPasskeyPage, PasskeyPage, PasskeyRow, PasswordPage,
    RecoveryCodesPage, SecurityPage, TotpPage,
};
use super::{SignedIn, layout, render};
use crate::app::{App, Ctx, new_uuid, random_bytes};
use crate::domain::attempts::Judged;
use crate::domain::factors::{self, Available, Channel, Removal};
use crate::domain::password::{self, Factors};
use crate::domain::webauthn::{self, Refusal};
use crate::domain::{attempts, identity, session, totp};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form, session_lifetimes};
use crate::http::extract::{Form, Params, Query};
use crate::store::audit::Actor;
use crate::store::factors::{self as stored, Passkey};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::LOCAL;
use crate::store::{passwords, sessions};
use crate::texts::words;

/// Who is signed in here with a local account.
struct Person {
    cookie: Cookie,
    session: BrowserSessionId,
    signed_in: SignedIn,
}

enum Access {
    Granted(Box<Person>),
    /// To the login page and back.
    SignIn(Response),
}

/// What somebody wants to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Look,
    Change,
}

async fn access(app: &App, ctx: &Ctx, headers: &HeaderMap, wants: Wants, path: &str) -> Result<Access> {
    let sign_in = || Redirect::to(&Destination::security(path).login_path()).into_response();
    let Some(cookie) = Cookie::read(headers, &app.config) else {
        return Ok(Access::SignIn(sign_in()));
    };
    let (shared, now, hash) = (app.clone(), ctx.now, cookie.hash);
    let found = app
        .db
        .read(move |tx| {
            let (idle, _) = session_lifetimes(&shared.config);
            match sessions::find(tx, &hash, now, idle)? {
                Some(session) => Ok::<_, Error>(Some((session.id, find_local(tx, session.id)?))),
                None => Ok(None),
            }
        })
        .await?;
    let Some((session, Found { local, somebody })) = found else {
        return Ok(Access::SignIn(sign_in()));
    };
    let Some(signed_in) = local else {
        if somebody {
            return Err(Error::forbidden(
                "you signed in with an account of another organisation; its password and second factors are managed there",
            ).said(words("error-elsewhere")));
        }
        return Ok(Access::SignIn(sign_in()));
    };
    if wants == Wants::Change && !session::is_fresh(&signed_in.authentication, now) {
        return Ok(Access::SignIn(sign_in()));
    }
    Ok(Access::Granted(Box::new(Person {
        cookie,
        session,
        signed_in,
    })))
}

struct Found {
    local: Option<SignedIn>,
    /// Whether anybody is signed in at all.
    somebody: bool,
}

/// The newest sign-in with a local account in this browser.
fn find_local(tx: &mut ReadTx, session: BrowserSessionId) -> Result<Found> {
    let mut found = Found {
        local: None,
        somebody: false,
    };
    for authentication in sessions::list_authentications(tx, session)? {
        let identity = identities::find(tx, authentication.identity_id)?.filter(Identity::is_live);
        let Some(identity) = identity else { continue };
        found.somebody = true;
        if identity.provider_id == LOCAL {
            found.local = Some(SignedIn {
                administers: identities::is_administrator(tx, identity.id)?,
                identity,
                authentication,
            });
            break;
        }
    }
    Ok(found)
}

macro_rules! enter {
    ($app:expr, $ctx:expr, $headers:expr, $wants:expr, $path:expr) => {
        match access($app, $ctx, $headers, $wants, $path).await? {
            Access::Granted(person) => *person,
            Access::SignIn(response) => return Ok(response),
        }
    };
}

impl Person {
    fn identity(&self) -> &Identity {
        &self.signed_in.identity
    }

    fn layout(&self, app: &App, ctx: &Ctx, title: &str) -> Layout {
        layout(app, ctx, title, Some(&self.signed_in))
    }

    async fn available(&self, app: &App) -> Result<Available> {
        let id = self.identity().id;
        app.db.read(move |tx| factors::available(tx, id)).await
    }
}

fn refused(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Back to the list, which says what was done.
fn done(notice: &str) -> Response {
    Redirect::to(&format!("{SECURITY}?notice={notice}")).into_response()
}

/// Notices are chosen from here; the address says which.
fn notice_text(ctx: &Ctx, notice: &str) -> Option<&'static str> {
    Some(match notice {
        "password" => ctx.text("security-notice-password"),
        "totp" => ctx.text("security-notice-totp"),
        "passkey" => ctx.text("security-notice-passkey"),
        "renamed" => ctx.text("security-notice-renamed"),
        "removed" => ctx.text("security-notice-removed"),
        _ => return None,
    })
}

/// `GET /p/account/security`
pub async fn security_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let person = enter!(&app, &ctx, &headers, Wants::Look, SECURITY);
    let available = person.available(&app).await?;
    let page = SecurityPage {
        layout: person.layout(&app, &ctx, ctx.text("security-title")),
        form_token: person.cookie.form_token(&app),
        username: person.identity().username.clone(),
        notice: params
            .get("notice")
            .and_then(|notice| notice_text(&ctx, notice))
            .map(str::to_owned),
        totp: available.totp.and_then(|totp| totp.confirmed_at).map(Moment::day),
        passkeys: available.passkeys.iter().map(row).collect(),
        passkeys_possible: relying_party(&app).is_some(),
        recovery_codes: available.recovery_codes,
    };
    render(&page, &PagePolicy::default())
}

fn row(passkey: &Passkey) -> PasskeyRow {
    PasskeyRow {
        name: passkey.name.clone(),
        added: Moment::day(passkey.created_at),
        last_used: passkey.last_used_at.map(Moment::day),
        alone: passkey.discoverable && passkey.user_verifying,
        synced: passkey.backup_eligible,
        change: Href::path(passkey_path(passkey.id)),
        remove: Href::path(format!("{}/remove", passkey_path(passkey.id))),
    }
}

fn passkey_path(id: Uuid) -> String {
    format!("{SECURITY}/passkeys/{id}")
}

const PASSWORD: &str = "/p/account/security/password";

/// `GET /p/account/security/password`
pub async fn password_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSWORD);
    show_password(&app, &ctx, &person, FormErrors::none()).await
}

async fn rule(app: &App, person: &Person) -> Result<Factors> {
    let id = person.identity().id;
    app.db.read(move |tx| factors::password_rule(tx, id)).await
}

async fn show_password(app: &App, ctx: &Ctx, person: &Person, errors: FormErrors) -> Result<Response> {
    let page = PasswordPage {
        layout: person.layout(app, ctx, ctx.text("security-password-change")),
        form_token: person.cookie.form_token(app),
        username: person.identity().username.clone(),
        password_min_length: rule(app, person).await?.minimum(),
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// Whether a password is the present one, and the hash that it was checked against. Wrong ones
/// count like those of the login page: whoever sits at an open browser does not get more
/// attempts.
async fn check_password(
    app: &App,
    ctx: &Ctx,
    person: &Person,
    password: Secret,
) -> Result<Result<String, &'static str>> {
    app.limits.login(ctx.address)?;
    let id = person.identity().id;
    let counter = attempts::counter(Some(&person.session.to_string()), &person.identity().username);
    let (unit_ctx, name) = (ctx.clone(), counter.clone());
    let (wait, hash) = app
        .db
        .read(move |tx| Ok::<_, Error>((attempts::wait(tx, &unit_ctx, &name)?, passwords::find(tx, id)?)))
        .await?;
    if wait.is_some() {
        return Ok(Err(ctx.text("security-password-later")));
    }
    let mut verified = None;
    if let Some(hash) = hash
        && app.hasher.verify(&hash, password).await?.ok
    {
        verified = Some(hash);
    }
    let (unit_ctx, is_right) = (ctx.clone(), verified.is_some());
    if !is_right {
        app.limits.failed_login();
    }
    let judged = app
        .db
        .write(move |tx| {
            let judged = attempts::judge(tx, &unit_ctx, &counter, Some(id), "pwd", is_right)?;
            if judged == Judged::Right {
                attempts::clear(tx, &counter)?;
            }
            Ok::<_, Error>(judged)
        })
        .await?;
    Ok(match (judged, verified) {
        (Judged::Right, Some(hash)) => Ok(hash),
        (Judged::Later(_), _) => Err(ctx.text("security-password-later")),
        _ => Err(ctx.text("security-password-wrong")),
    })
}

/// `POST /p/account/security/password`
pub async fn change_password(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSWORD);
    let field = |name| Secret::new(form.get(name).unwrap_or(""));
    let refuse = async |errors| Ok(refused(show_password(&app, &ctx, &person, errors).await?));
    let new = field("password");
    if new != field("password_again") {
        return refuse(FormErrors::field("password_again", ctx.text("password-differ"))).await;
    }
    if let Err(weakness) = check_strength(&ctx, person.identity(), &new, rule(&app, &person).await?) {
        return refuse(FormErrors::field("password", weakness)).await;
    }
    let verified = match check_password(&app, &ctx, &person, field("password_now")).await? {
        Ok(verified) => verified,
        Err(text) => return refuse(FormErrors::field("password_now", text)).await,
    };
    let hash = app.hasher.hash(new).await?;
    let (unit_ctx, identity, here) = (ctx.clone(), person.identity().clone(), person.session);
    let (idle, _) = session_lifetimes(&app.config);
    app.db
        .write(move |tx| {
            identity::change_password(tx, &unit_ctx, &identity, &verified, &hash, here, idle)?;
            factors::announce(
                tx,
                &unit_ctx,
                &identity,
                "identity.change_password",
                serde_json::json!({}),
                "Your password was changed",
                "Your password was changed. Other browsers were signed out.",
            )
        })
        .await?;
    Ok(done("password"))
}

fn check_strength(ctx: &Ctx, identity: &Identity, password: &Secret, rule: Factors) -> Result<(), String> {
    let known = [
        Some(identity.username.as_str()),
        identity.name.as_deref(),
        identity.email.as_deref(),
        Some("portolan"),
    ];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    password::check_strength(password, rule, &known).map_err(|weakness| ctx.language.words(&weakness.words()))
}

const TOTP: &str = "/p/account/security/totp";

/// `POST /p/account/security/totp`: makes a seed and shows it.
pub async fn begin_totp(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let (shared, unit_ctx, identity_id) = (app.clone(), ctx.clone(), person.identity().id);
    let (id, seed) = (new_uuid(), zeroize::Zeroizing::new(random_bytes()));
    app.db
        .write(move |tx| factors::begin_totp(tx, &unit_ctx, &shared.master_key, identity_id, id, &seed))
        .await?;
    Ok(Redirect::to(TOTP).into_response())
}

/// `GET /p/account/security/totp`
pub async fn totp_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, TOTP);
    show_totp(&app, &ctx, &person, FormErrors::none()).await
}

async fn show_totp(app: &App, ctx: &Ctx, person: &Person, errors: FormErrors) -> Result<Response> {
    let (id, after) = (person.identity().id, ctx.now - factors::SET_UP_LIFETIME);
    let begun = app
        .db
        .read(move |tx| stored::find_unconfirmed_totp(tx, id, after))
        .await?;
    // Nothing is being set up, or it took too long.
    let Some(begun) = begun else {
        return Ok(Redirect::to(SECURITY).into_response());
    };
    let seed = factors::open_seed(&app.master_key, begun.id, &begun.sealed_seed)?;
    let issuer = relying_party(app).map_or_else(|| "Portolan".to_owned(), |rp| rp.id);
    let enrolment = totp::enrolment(&seed, &issuer, &person.identity().username)?;
    let (qr_path, qr_side) = totp::qr_path(&enrolment.uri)?;
    let page = TotpPage {
        layout: person.layout(app, ctx, ctx.text("security-totp-title")),
        form_token: person.cookie.form_token(app),
        secret: enrolment.secret,
        uri: enrolment.uri,
        qr_path,
        qr_side,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/account/security/totp/confirm`
pub async fn confirm_totp(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, TOTP);
    let code = Secret::new(form.get("otp").unwrap_or(""));
    let (shared, unit_ctx, identity) = (app.clone(), ctx.clone(), person.identity().clone());
    let here = person.session;
    let (idle, _) = session_lifetimes(&app.config);
    let confirmed = app
        .db
        .write(move |tx| {
            let alone = !factors::has_second_factor(tx, identity.id)?;
            let confirmed = factors::confirm_totp(tx, &unit_ctx, &shared.master_key, &identity, &code)?;
            if confirmed && alone {
                session::end_others(tx, &unit_ctx, &identity, here, idle)?;
                identity::forget_beginnings(tx, identity.id)?;
            }
            Ok::<_, Error>(confirmed)
        })
        .await?;
    if confirmed {
        return Ok(done("totp"));
    }
    let text = ctx.text("security-totp-refused");
    Ok(refused(
        show_totp(&app, &ctx, &person, FormErrors::field("otp", text)).await?,
    ))
}

const PASSKEYS: &str = "/p/account/security/passkeys";

/// `GET /p/account/security/passkeys`: adds one.
pub async fn new_passkey_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSKEYS);
    show_new_passkey(&app, &ctx, &person, String::new(), FormErrors::none()).await
}

async fn show_new_passkey(app: &App, ctx: &Ctx, person: &Person, name: String, errors: FormErrors) -> Result<Response> {
    let rp = relying_party(app).ok_or_else(no_passkeys)?;
    let (id, new_handle) = (person.identity().id, random_bytes::<32>());
    let handle = app
        .db
        .write(move |tx| stored::get_or_insert_user_handle(tx, id, &new_handle))
        .await?;
    let known = person.available(app).await?.passkeys;
    let channel = Channel {
        rp: &rp,
        key: &app.server_keys.form,
        browser: &person.cookie.hash,
    };
    let page = NewPasskeyPage {
        layout: person.layout(app, ctx, ctx.text("security-passkey-add")),
        form_token: person.cookie.form_token(app),
        options: channel
            .creation_options(ctx, person.identity(), &handle, &known)
            .to_string(),
        name,
        errors,
    };
    render(&page, &PagePolicy::default())
}

fn no_passkeys() -> Error {
    Error::invalid_request("browsers know no passkeys under the address of this service: it has no name")
        .said(words("error-no-passkeys"))
}

/// A name that a person gives: one line.
fn read_name(ctx: &Ctx, form: &Params) -> Result<String, FormErrors> {
    let name = form.get("name").unwrap_or("").trim().to_owned();
    match identity::check_text("name", &name) {
        Ok(()) if name.chars().count() <= 60 => Ok(name),
        _ => Err(FormErrors::field("name", ctx.text("security-passkey-name-wrong"))),
    }
}

/// `POST /p/account/security/passkeys`
pub async fn register_passkey(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSKEYS);
    let rp = relying_party(&app).ok_or_else(no_passkeys)?;
    let typed = form.get("name").unwrap_or("").to_owned();
    let refuse = async |errors| {
        Ok(refused(
            show_new_passkey(&app, &ctx, &person, typed.clone(), errors).await?,
        ))
    };
    let name = match read_name(&ctx, &form) {
        Ok(name) => name,
        Err(errors) => return refuse(errors).await,
    };
    let credential = match webauthn::parse(form.get("credential").unwrap_or("")) {
        Ok(credential) => credential,
        Err(refusal) => return refuse(FormErrors::whole(spoken(&ctx, &refusal))).await,
    };
    let (shared, unit_ctx, identity) = (app.clone(), ctx.clone(), person.identity().clone());
    let (browser, id, here) = (person.cookie.hash, new_uuid(), person.session);
    let (idle, _) = session_lifetimes(&app.config);
    let outcome = app
        .db
        .write(move |tx| {
            let channel = Channel {
                rp: &rp,
                key: &shared.server_keys.form,
                browser: &browser,
            };
            let alone = !factors::has_second_factor(tx, identity.id)?;
            let registered = factors::register_passkey(tx, &unit_ctx, &channel, &identity, id, &name, &credential)?;
            if registered.is_ok() && alone {
                session::end_others(tx, &unit_ctx, &identity, here, idle)?;
                identity::forget_beginnings(tx, identity.id)?;
            }
            Ok::<_, Error>(registered)
        })
        .await?;
    match outcome {
        Ok(_) => Ok(done("passkey")),
        Err(refusal) => {
            tracing::info!(%refusal, "passkey not registered");
            refuse(FormErrors::whole(spoken(&ctx, &refusal))).await
        }
    }
}

/// What a person can do about it; the log has the rest.
fn spoken(ctx: &Ctx, refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Challenge => ctx.text("security-passkey-too-late"),
        Refusal::Duplicate => ctx.text("security-passkey-known"),
        Refusal::Algorithm | Refusal::Key => ctx.text("security-passkey-unknown-kind"),
        _ => ctx.text("security-passkey-not-accepted"),
    }
}

/// The passkey of this person with the id in the address.
async fn find_passkey(app: &App, person: &Person, id: &str) -> Result<(Passkey, Available)> {
    let available = person.available(app).await?;
    let id: Option<Uuid> = id.parse().ok();
    let found = available.passkeys.iter().find(|passkey| Some(passkey.id) == id);
    let passkey = found.cloned().ok_or_else(|| Error::not_found("passkey"))?;
    Ok((passkey, available))
}

/// `GET /p/account/security/passkeys/{passkey_id}`
pub async fn passkey_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let (passkey, _) = find_passkey(&app, &person, &id).await?;
    show_passkey(&app, &ctx, &person, &passkey, passkey.name.clone(), FormErrors::none())
}

fn show_passkey(
    app: &App,
    ctx: &Ctx,
    person: &Person,
    passkey: &Passkey,
    name: String,
    errors: FormErrors,
) -> Result<Response> {
    let page = PasskeyPage {
        layout: person.layout(app, ctx, ctx.text("security-passkey-rename-title")),
        form_token: person.cookie.form_token(app),
        action: Href::path(passkey_path(passkey.id)),
        remove: Href::path(format!("{}/remove", passkey_path(passkey.id))),
        name,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/account/security/passkeys/{passkey_id}`
pub async fn rename_passkey(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let (passkey, _) = find_passkey(&app, &person, &id).await?;
    let name = match read_name(&ctx, &form) {
        Ok(name) => name,
        Err(errors) => {
            let typed = form.get("name").unwrap_or("").to_owned();
            return Ok(refused(show_passkey(&app, &ctx, &person, &passkey, typed, errors)?));
        }
    };
    let (unit_ctx, identity, id) = (ctx.clone(), person.identity().clone(), passkey.id);
    let renamed = app
        .db
        .write(move |tx| factors::rename_passkey(tx, &unit_ctx, &identity, id, &name))
        .await?;
    if renamed {
        Ok(done("renamed"))
    } else {
        Err(Error::not_found("passkey"))
    }
}

/// `GET /p/account/security/totp/remove`
pub async fn totp_removal_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let available = person.available(&app).await?;
    if available.totp.is_none() {
        return Err(Error::not_found("authenticator app"));
    }
    ask_removal(&app, &ctx, &person, Removed::app(&available), FormErrors::none())
}

/// `GET /p/account/security/passkeys/{passkey_id}/remove`
pub async fn passkey_removal_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let (passkey, available) = find_passkey(&app, &person, &id).await?;
    ask_removal(
        &app,
        &ctx,
        &person,
        Removed::passkey(&passkey, &available),
        FormErrors::none(),
    )
}

/// What a page of removal is about.
struct Removed {
    removal: Removal,
    action: String,
    passkey: Option<String>,
    last: bool,
}

impl Removed {
    fn app(available: &Available) -> Self {
        Self {
            removal: Removal::Totp,
            action: format!("{TOTP}/remove"),
            passkey: None,
            last: available.count() <= 1,
        }
    }

    fn passkey(passkey: &Passkey, available: &Available) -> Self {
        Self {
            removal: Removal::Passkey(passkey.id),
            action: format!("{}/remove", passkey_path(passkey.id)),
            passkey: Some(passkey.name.clone()),
            last: available.count() <= 1,
        }
    }
}

fn ask_removal(app: &App, ctx: &Ctx, person: &Person, removed: Removed, errors: FormErrors) -> Result<Response> {
    let page = FactorRemovalPage {
        layout: person.layout(app, ctx, ctx.text("security-remove-title")),
        form_token: person.cookie.form_token(app),
        action: Href::path(removed.action),
        passkey: removed.passkey,
        last: removed.last,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/account/security/totp/remove`
pub async fn remove_totp(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let available = person.available(&app).await?;
    remove(&app, &ctx, &person, &form, Removed::app(&available)).await
}

/// `POST /p/account/security/passkeys/{passkey_id}/remove`
pub async fn remove_passkey(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, SECURITY);
    let (passkey, available) = find_passkey(&app, &person, &id).await?;
    remove(&app, &ctx, &person, &form, Removed::passkey(&passkey, &available)).await
}

/// The last factor goes only with the password, typed once more, and only if that password
/// may protect the account alone: beside a second factor a shorter one was good enough.
async fn remove(app: &App, ctx: &Ctx, person: &Person, form: &Params, removed: Removed) -> Result<Response> {
    if removed.last {
        let password = Secret::new(form.get("password_now").unwrap_or(""));
        let wrong = if password.is_empty() {
            Some(ctx.text("security-remove-password-missing").to_owned())
        } else if let Err(text) = check_password(app, ctx, person, password.clone()).await? {
            Some(text.to_owned())
        } else {
            let strength = check_strength(ctx, person.identity(), &password, Factors::PasswordAlone);
            strength.err().map(|weakness| {
                ctx.say("security-remove-password-weak")
                    .arg("reason", weakness)
                    .to_string()
            })
        };
        if let Some(text) = wrong {
            let errors = FormErrors::field("password_now", text);
            return Ok(refused(ask_removal(app, ctx, person, removed, errors)?));
        }
    }
    let (unit_ctx, identity, removal, last) = (ctx.clone(), person.identity().clone(), removed.removal, removed.last);
    let gone = app
        .db
        .write(move |tx| {
            // Another one may have gone since the page was shown.
            if !last && factors::available(tx, identity.id)?.count() <= 1 {
                return Err(
                    Error::conflict("this has become the last second factor; reload the page and look again")
                        .said(words("error-last-factor")),
                );
            }
            factors::remove(tx, &unit_ctx, Actor::Identity(identity.id), &identity, removal)
        })
        .await?;
    if gone {
        Ok(done("removed"))
    } else {
        Err(Error::not_found("second factor"))
    }
}

const RECOVERY_CODES: &str = "/p/account/security/recovery-codes";

/// `GET /p/account/security/recovery-codes`
pub async fn recovery_codes_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, RECOVERY_CODES);
    let left = person.available(&app).await?.recovery_codes;
    show_recovery_codes(&app, &ctx, &person, left, Vec::new())
}

fn show_recovery_codes(app: &App, ctx: &Ctx, person: &Person, left: i64, codes: Vec<String>) -> Result<Response> {
    let page = RecoveryCodesPage {
        layout: person.layout(app, ctx, ctx.text("security-recovery")),
        form_token: person.cookie.form_token(app),
        left,
        codes,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/account/security/recovery-codes`: answers with the codes themselves, since
/// they are kept nowhere that a further page could read them from.
pub async fn make_recovery_codes(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, RECOVERY_CODES);
    let codes = factors::generate_recovery_codes();
    let shown = codes.iter().map(|code| code.expose().to_owned()).collect();
    let (unit_ctx, identity) = (ctx.clone(), person.identity().clone());
    app.db
        .write(move |tx| factors::replace_recovery_codes(tx, &unit_ctx, &identity, &codes))
        .await?;
    show_recovery_codes(&app, &ctx, &person, 0, shown)
}
