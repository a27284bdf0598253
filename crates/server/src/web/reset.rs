//! A new password for somebody who has lost theirs, by a link to the address of the account.
//!
//! The form that asks answers the same to everybody and looks nothing up (`domain::address`).
//! The link changes the password and nothing else: nobody is signed in by it, so a second
//! factor is asked for as ever (standards.md AA7).

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use portolan_types::Secret;

use super::pages::mail::{NewPasswordPage, ResetPage};
use super::pages::{FormErrors, Href, Link, MessagePage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::domain::address;
use crate::domain::password::{self, Factors};
use crate::domain::token_format;
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::{Form, Params};
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
    app.limits.mail_request(ctx.address)?;
    let unit_ctx = ctx.clone();
    app.db
        .write(move |tx| address::ask(tx, &unit_ctx, PASSWORD_RESET, &typed))
        .await?;
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
    app.limits.login(ctx.address)?;
    let account = find(&app, &ctx, &token).await?;
    with_cookie(&app, &headers, |cookie| {
        show_new(&app, &ctx, cookie, &token, &account, FormErrors::none())
    })
}

async fn find(app: &App, ctx: &Ctx, token: &str) -> Result<Identity> {
    let (ctx, hash) = (ctx.clone(), token_format::hash(token));
    let found = app.db.read(move |tx| address::find_reset(tx, &ctx, &hash)).await?;
    found.ok_or_else(address::dead_link)
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
    app.limits.login(ctx.address)?;
    let account = find(&app, &ctx, &token).await?;
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

/// The two password fields of a form. `words` are what others know of the person.
pub fn new_password(ctx: &Ctx, form: &Params, words: &[&str]) -> Result<Secret, FormErrors> {
    let field = |name| Secret::new(form.get(name).unwrap_or(""));
    let password = field("password");
    if password != field("password_again") {
        return Err(FormErrors::field("password_again", ctx.text("password-differ")));
    }
    let context: Vec<&str> = words.iter().copied().chain(["portolan"]).collect();
    match password::check_strength(&password, Factors::PasswordAlone, &context) {
        Ok(()) => Ok(password),
        Err(weakness) => Err(FormErrors::field("password", ctx.language.words(&weakness.words()))),
    }
}

/// A page with a form for a browser that may have no cookie yet.
pub fn with_cookie(app: &App, headers: &HeaderMap, show: impl FnOnce(&Cookie) -> Result<Response>) -> Result<Response> {
    let known = Cookie::read(headers, &app.config);
    let cookie = known.clone().unwrap_or_else(Cookie::generate);
    let mut response = show(&cookie)?;
    if known.is_none() {
        let (name, value) = cookie.set(&app.config);
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

pub fn refused(mut response: Response) -> Result<Response> {
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(response)
}

pub fn message(app: &App, ctx: &Ctx, title: &str, text: &[&str], link: Option<(&str, &str)>) -> Result<Response> {
    let page = MessagePage {
        layout: layout(app, ctx, title, None),
        text: text.iter().map(|&paragraph| paragraph.to_owned()).collect(),
        link: link.map(|(text, path)| Link {
            text: text.to_owned(),
            href: Href::path(path),
        }),
    };
    render(&page, &PagePolicy::default())
}

/// Where nothing can be sent, the operator has to help.
pub fn no_mail(app: &App, ctx: &Ctx) -> Result<Response> {
    let text = [ctx.text("account-no-mail-text")];
    let mut response = message(
        app,
        ctx,
        ctx.text("account-no-mail"),
        &text,
        Some((ctx.text("account-to-sign-in"), "/p/login")),
    )?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// `username: must have …` becomes a text at that field.
pub fn field_error(ctx: &Ctx, error: &Error, fields: &[&'static str]) -> FormErrors {
    let names = |field: &&&str| {
        let rest = error.detail().strip_prefix(**field);
        rest.is_some_and(|rest| rest.starts_with(": "))
    };
    match (fields.iter().find(names), error.words()) {
        (Some(field), Some(words)) => FormErrors::field(field, ctx.language.words(words)),
        _ => FormErrors::refusal(ctx.language, error),
    }
}
