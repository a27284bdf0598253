//! What the pages share that are opened by a link, and those that send one. The link is the
//! credential: a page finds what it is for, shows a form, and shows it again if something is
//! wrong. Nobody is signed in there, so the browser may have no cookie yet.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{Secret, TokenHash};

use super::device::Device;
use super::pages::{FormErrors, Href, Link, MessagePage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::domain::address;
use crate::domain::password::{self, Factors};
use crate::domain::token_format;
use crate::error::Result;
use crate::http::browser::{Cookie, PagePolicy};
use crate::http::extract::Params;

/// Keeps what was typed into a form that is answered by mail.
pub async fn ask(app: &App, ctx: &Ctx, headers: &HeaderMap, kind: &'static str, typed: String) -> Result<()> {
    let known = Device::read(app, headers).map(|device| device.identity);
    app.limits.mail_request(ctx.address, known)?;
    let ctx = ctx.clone();
    app.db.write(move |tx| address::ask(tx, &ctx, kind, &typed)).await
}

/// What a live link is for. Guesses at links are limited like those at passwords.
pub async fn open<T: Send + 'static>(
    app: &App,
    ctx: &Ctx,
    token: &str,
    find: fn(&mut ReadTx, &Ctx, &TokenHash) -> Result<Option<T>>,
) -> Result<T> {
    app.limits.login(ctx.address)?;
    let (ctx, hash) = (ctx.clone(), token_format::hash(token));
    let found = app.db.read(move |tx| find(tx, &ctx, &hash)).await?;
    found.ok_or_else(address::dead_link)
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
