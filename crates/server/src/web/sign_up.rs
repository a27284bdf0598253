//! Opening an account, where the operator allows it: first the address, then, behind the
//! link that is sent to it, the rest. Before that there is no account.
//!
//! Whether an address has an account is told only to whoever reads its mail. That a name is
//! taken cannot be hidden from somebody who chooses one; only who has a link can ask, a
//! limited number of times (docs/design.md).

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::by_link::{ask, message, new_password, no_mail, open, refused, with_cookie};
use super::pages::FormErrors;
use super::pages::mail::{OpenAccountPage, SignUpPage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::config::SignUp;
use crate::domain::address::{self, Chosen};
use crate::domain::identity;
use crate::domain::password::Factors;
use crate::domain::token_format;
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::{Form, Params};
use crate::store::mail_requests::SIGN_UP;

fn check_open(app: &App) -> Result<()> {
    if app.config.sign_up == SignUp::Open {
        Ok(())
    } else {
        Err(Error::not_found("page"))
    }
}

/// `GET /p/sign-up`
pub async fn sign_up_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    check_open(&app)?;
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    with_cookie(&app, &headers, |cookie| {
        show(&app, &ctx, cookie, String::new(), FormErrors::none())
    })
}

fn show(app: &App, ctx: &Ctx, cookie: &Cookie, email: String, errors: FormErrors) -> Result<Response> {
    let page = SignUpPage {
        layout: layout(app, ctx, ctx.text("account-create"), None),
        form_token: cookie.form_token(app),
        email,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/sign-up`
pub async fn ask_sign_up(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    check_open(&app)?;
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    let email = form.get("email").unwrap_or("").trim().to_owned();
    if let Err(error) = identity::check_email(&email) {
        let errors = FormErrors::at(ctx.language, &error, &["email"]);
        return refused(show(&app, &ctx, &cookie, email, errors)?);
    }
    let unit_ctx = ctx.clone();
    if app.db.read(move |tx| address::many_sign_up(tx, &unit_ctx)).await? {
        app.limits.sign_up_among_many(ctx.address)?;
    }
    ask(&app, &ctx, &headers, SIGN_UP, email).await?;
    let text = [ctx.text("account-create-sent"), ctx.text("account-create-sent-hint")];
    message(&app, &ctx, ctx.text("account-look"), &text, None)
}

/// `GET /p/sign-up/{token}`
pub async fn open_account_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response> {
    check_open(&app)?;
    let address = open(&app, &ctx, &token, address::find_sign_up).await?;
    with_cookie(&app, &headers, |cookie| {
        show_account(
            &app,
            &ctx,
            cookie,
            &token,
            address,
            &Params::default(),
            FormErrors::none(),
        )
    })
}

fn show_account(
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    token: &str,
    address: String,
    form: &Params,
    errors: FormErrors,
) -> Result<Response> {
    let text = |name| form.get(name).unwrap_or("").to_owned();
    let page = OpenAccountPage {
        layout: layout(app, ctx, ctx.text("account-create"), None),
        action: format!("/p/sign-up/{token}"),
        form_token: cookie.form_token(app),
        address,
        username: text("username"),
        name: text("name"),
        errors,
        local_domain: app.config.local_domain.clone(),
        password_min_length: Factors::PasswordAlone.minimum(),
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/sign-up/{token}`
pub async fn open_account(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    check_open(&app)?;
    // Each attempt can tell whether a name is taken; opening the link counts it.
    let address = open(&app, &ctx, &token, address::find_sign_up).await?;
    let again = |errors| {
        refused(show_account(
            &app,
            &ctx,
            &cookie,
            &token,
            address.clone(),
            &form,
            errors,
        )?)
    };
    let field = |name| form.get(name).unwrap_or("").to_owned();
    let (username, name) = (field("username"), field("name"));
    let password = match new_password(&ctx, &form, &[&username, &name, &address]) {
        Ok(password) => password,
        Err(errors) => return again(errors),
    };
    let chosen = Chosen {
        username,
        name,
        password_hash: app.hasher.hash(password).await?,
    };
    let (unit_ctx, domain, hash) = (ctx.clone(), app.config.local_domain.clone(), token_format::hash(&token));
    let opened = app
        .db
        .write(move |tx| address::sign_up(tx, &unit_ctx, &domain, &hash, &chosen))
        .await;
    match opened {
        Ok(account) => {
            let text = ctx
                .say("account-created-text")
                .arg("username", account.username)
                .to_string();
            message(
                &app,
                &ctx,
                ctx.text("account-created"),
                &[&text],
                Some((ctx.text("login-submit"), "/p/login")),
            )
        }
        Err(error) if matches!(error.kind(), Kind::InvalidParameters | Kind::Conflict) => {
            again(FormErrors::at(ctx.language, &error, &["username", "name"]))
        }
        Err(error) => Err(error),
    }
}
