//! Removing an authenticator app or a passkey.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use portolan_types::Secret;

use super::passkeys::find_passkey;
use super::password::{check_password, check_strength};
use super::totp::TOTP;
use super::{Access, Person, Wants, access, done, passkey_path, refused};
use crate::app::{App, Ctx};
use crate::domain::factors::{self, Available, Removal};
use crate::domain::password::Factors;
use crate::error::{Error, Result};
use crate::http::browser::{PagePolicy, checked_form};
use crate::http::extract::{Form, Params};
use crate::store::audit::Actor;
use crate::store::factors::Passkey;
use crate::texts::words;
use crate::web::destination::SECURITY;
use crate::web::pages::security::FactorRemovalPage;
use crate::web::pages::{FormErrors, Href};
use crate::web::render;

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
