//! The e-mail address of a local account: confirming it and changing it. Both need a fresh
//! sign-in; a new address counts only when its owner has opened the link (standards.md AA7).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;

use super::by_link::{message, no_mail, open, refused, with_cookie};
use super::destination::Destination;
use super::pages::FormErrors;
use super::pages::mail::{AddressPage, ConfirmAddressPage};
use super::{SignedIn, find_session, layout, render};
use crate::app::{App, Ctx};
use crate::domain::address::{self, Site};
use crate::domain::{session, token_format};
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::Form;
use crate::store::addresses;
use crate::store::identity_providers::LOCAL;

struct Person {
    person: SignedIn,
    is_verified: bool,
}

/// The person of this browser, if they have signed in recently enough.
async fn find_person(app: &App, ctx: &Ctx, cookie: &Cookie) -> Result<Option<Person>> {
    let (shared, ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    app.db
        .read(move |tx| {
            let Some((_, Some(person))) = find_session(tx, &shared, &ctx, &hash)? else {
                return Ok(None);
            };
            if !session::is_fresh(&person.authentication, ctx.now) {
                return Ok(None);
            }
            let is_verified = addresses::is_verified(tx, person.identity.id)?;
            Ok::<_, Error>(Some(Person { person, is_verified }))
        })
        .await
}

fn to_login() -> Response {
    Redirect::to(&Destination::Address.login_path()).into_response()
}

/// `GET /p/address`
pub async fn address_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return Ok(to_login());
    };
    let Some(state) = find_person(&app, &ctx, &cookie).await? else {
        return Ok(to_login());
    };
    if state.person.identity.provider_id != LOCAL {
        return of_provider(&app, &ctx, &state.person);
    }
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    let email = state.person.identity.email.clone().filter(|_| !state.is_verified);
    show(
        &app,
        &ctx,
        &cookie,
        &state,
        email.unwrap_or_default(),
        FormErrors::none(),
    )
}

fn of_provider(app: &App, ctx: &Ctx, person: &SignedIn) -> Result<Response> {
    let text = ctx
        .say("account-address-elsewhere")
        .arg("username", &person.identity.username)
        .arg("provider", &person.identity.provider_name);
    let back = (ctx.text("account-address-back"), "/");
    message(app, ctx, ctx.text("account-address"), &[&text.to_string()], Some(back))
}

fn show(app: &App, ctx: &Ctx, cookie: &Cookie, state: &Person, email: String, errors: FormErrors) -> Result<Response> {
    let identity = &state.person.identity;
    let page = AddressPage {
        layout: layout(app, ctx, ctx.text("account-address"), Some(&state.person)),
        form_token: cookie.form_token(app),
        username: identity.username.clone(),
        address: identity.email.clone(),
        is_verified: state.is_verified,
        email,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// `POST /p/address`
pub async fn ask_address(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let Some(state) = find_person(&app, &ctx, &cookie).await? else {
        return Ok(to_login());
    };
    if state.person.identity.provider_id != LOCAL {
        return of_provider(&app, &ctx, &state.person);
    }
    if !app.config.sends_mail() {
        return no_mail(&app, &ctx);
    }
    app.limits.mail_request(ctx.address, Some(state.person.identity.id))?;
    let email = form.get("email").unwrap_or("").trim().to_owned();
    let (shared, unit_ctx, account, address) = (app.clone(), ctx.clone(), state.person.identity.clone(), email.clone());
    let asked = app
        .db
        .write(move |tx| {
            let site = Site {
                public_url: shared.config.public_url(),
                local_domain: shared.config.local_domain.clone(),
            };
            address::send_verification(tx, &unit_ctx, &shared.master_key, &site, &account, &address)
        })
        .await;
    match asked {
        Ok(()) => {
            let text = ctx.say("account-address-sent").arg("address", &email).to_string();
            let back = (ctx.text("account-address-back"), "/");
            message(&app, &ctx, ctx.text("account-look"), &[&text], Some(back))
        }
        Err(error) if error.kind() == Kind::InvalidParameters => {
            let errors = FormErrors::at(ctx.language, &error, &["email"]);
            refused(show(&app, &ctx, &cookie, &state, email, errors)?)
        }
        Err(error) => Err(error),
    }
}

/// `GET /p/address/{token}`
pub async fn confirm_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response> {
    let (account, address) = open(&app, &ctx, &token, address::find_verification).await?;
    with_cookie(&app, &headers, |cookie| {
        let page = ConfirmAddressPage {
            layout: layout(&app, &ctx, ctx.text("account-address-confirm"), None),
            action: format!("/p/address/{token}"),
            form_token: cookie.form_token(&app),
            username: account.username.clone(),
            address: address.clone(),
        };
        render(&page, &PagePolicy::default())
    })
}

/// `POST /p/address/{token}`
pub async fn confirm_address(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    checked_form(&app, &headers, form)?;
    app.limits.login(ctx.address)?;
    let (unit_ctx, hash) = (ctx.clone(), token_format::hash(&token));
    let address = app.db.write(move |tx| address::confirm(tx, &unit_ctx, &hash)).await?;
    let text = ctx.say("account-address-done-text").arg("address", address).to_string();
    message(
        &app,
        &ctx,
        ctx.text("account-address-done"),
        &[&text],
        Some((ctx.text("account-start-page"), "/")),
    )
}
