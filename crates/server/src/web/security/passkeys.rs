//! Passkeys: added, renamed.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use uuid::Uuid;

use super::{Access, Person, Wants, access, done, passkey_path, refused};
use crate::app::{App, Ctx, new_uuid, random_bytes};
use crate::domain::factors::{self, Available, Channel};
use crate::domain::webauthn::{self, Refusal};
use crate::domain::{identity, session};
use crate::error::{Error, Result};
use crate::http::browser::{PagePolicy, checked_form, session_lifetimes};
use crate::http::extract::{Form, Params};
use crate::store::factors::{self as stored, Passkey};
use crate::texts::words;
use crate::web::destination::SECURITY;
use crate::web::factor::relying_party;
use crate::web::pages::security::{NewPasskeyPage, PasskeyPage};
use crate::web::pages::{FormErrors, Href};
use crate::web::render;

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
pub(super) async fn find_passkey(app: &App, person: &Person, id: &str) -> Result<(Passkey, Available)> {
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
