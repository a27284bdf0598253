//! A new password for somebody who has lost theirs, by a link to the address of the account.
//!
//! The form that asks answers the same to everybody and looks nothing up (`domain::address`).
//! The link changes the password and nothing else: nobody is signed in by it, so a second
//! factor is asked for as ever (standards.md AA7).

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::by_link::{ask, message, new_password, no_mail, open, refused, with_cookie};
use super::pages::FormErrors;
use super::pages::mail::{NewPasswordPage, ResetPage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::domain::address;
use crate::domain::password::Factors;
use crate::domain::token_format;
use crate::error::Result;
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::Form;
use crate::store::identities::Identity;
use crate::store::mail_requests::PASSWORD_RESET;

/// `GET /p/reset`
pub async fn reset_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    with_cookie(&app, &headers, |cookie| show(&app, &ctx, cookie, FormErrors::none()))
}

fn show(app: &App, ctx: &Ctx, cookie: &Cookie, errors: FormErrors) -> Result<Response> {
    let page = ResetPage {
        layout: layout(app, ctx, ctx.text("account-reset-title"), None),
        form_token: cookie.form_token(app),
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/reset`
pub async fn ask_reset(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    let typed = form.get("username").unwrap_or("").trim().to_owned();
    if typed.is_empty() {
        let errors = FormErrors::field("username", ctx.text("account-reset-nobody"));
        return refused(show(&app, &ctx, &cookie, errors)?);
    }
    ask(&app, &ctx, &headers, PASSWORD_RESET, typed).await?;
    let text = [ctx.text("account-reset-sent"), ctx.text("account-reset-sent-hint")];
    message(
        &app,
        &ctx,
        ctx.text("account-look"),
        &text,
        Some((ctx.text("account-to-sign-in"), "/p/login")),
    )
}

/// `GET /p/reset/{token}`
pub async fn new_password_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response> {
    let account = open(&app, &ctx, &token, address::find_reset).await?;
    with_cookie(&app, &headers, |cookie| {
        show_new(&app, &ctx, cookie, &token, &account, FormErrors::none())
    })
}

fn show_new(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    token: &str,
    account: &Identity,
    errors: FormErrors,
) -> Result<Response> {
    let page = NewPasswordPage {
        layout: layout(app, ctx, ctx.text("account-reset-title"), None),
        action: format!("/p/reset/{token}"),
        form_token: cookie.form_token(app),
        username: account.username.clone(),
        errors,
        password_min_length: Factors::PasswordAlone.minimum(),
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/reset/{token}`
pub async fn reset(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let account = open(&app, &ctx, &token, address::find_reset).await?;
    let words = [
        account.username.as_str(),
        account.name.as_deref().unwrap_or(""),
        account.email.as_deref().unwrap_or(""),
    ];
    let password = match new_password(&ctx, &form, &words) {
        Ok(password) => password,
        Err(errors) => return refused(show_new(&app, &ctx, &cookie, &token, &account, errors)?),
    };
    let password_hash = app.hasher.hash(password).await?;
    let (unit_ctx, hash) = (ctx.clone(), token_format::hash(&token));
    app.db
        .write(move |tx| address::reset_password(tx, &unit_ctx, &hash, &password_hash))
        .await?;
    let text = [ctx.text("account-reset-done-text")];
    let sign_in = (ctx.text("login-submit"), "/p/login");
    message(&app, &ctx, ctx.text("account-reset-done"), &text, Some(sign_in))
}
