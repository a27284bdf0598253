//! The first administrator, by the one-time link that the first start prints.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::by_link::{new_password, refused, with_cookie};
use super::pages::{FormErrors, SetupDonePage, SetupPage};
use super::{layout, render};
use crate::app::{App, Ctx};
use crate::domain::identity::{self, NewLocalIdentity};
use crate::domain::password::Factors;
use crate::domain::session::{self, Proof};
use crate::domain::token_format;
use crate::error::{Error, Kind, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form, session_lifetimes};
use crate::http::extract::{Form, Params};
use crate::store::audit::{self, Actor, Event};
use crate::store::{identities, links};
use crate::texts::words;

/// The page shows a secret link: nothing of its address leaves it.
const POLICY: PagePolicy = PagePolicy {
    form_target: None,
    no_referrer: false,
};

/// `GET /p/setup/{token}`
pub async fn setup_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response> {
    check_link(&app, &ctx, &token).await?;
    with_cookie(&app, &headers, |cookie| {
        show(&app, &ctx, cookie, token, &Params::default(), FormErrors::none())
    })
}

async fn check_link(app: &App, ctx: &Ctx, token: &str) -> Result<()> {
    let (hash, now) = (token_format::hash(token), ctx.now);
    let live = app
        .db
        .read(move |tx| {
            Ok::<_, Error>(
                links::is_live(tx, &hash, links::FIRST_ADMINISTRATOR, now)? && !identities::has_administrator(tx)?,
            )
        })
        .await?;
    if live { Ok(()) } else { Err(dead_link()) }
}

fn dead_link() -> Error {
    Error::forbidden(
        "this set-up link was used already or has expired; restart the server to get a new one while there is no administrator",
    ).said(words("error-dead-setup"))
}

fn show(app: &App, ctx: &Ctx, cookie: &Cookie, token: String, form: &Params, errors: FormErrors) -> Result<Response> {
    let text = |name| form.get(name).unwrap_or("").to_owned();
    let page = SetupPage {
        layout: layout(app, ctx, ctx.text("setup-title"), None),
        action: format!("/p/setup/{token}"),
        form_token: cookie.form_token(app),
        setup_token: token,
        username: text("username"),
        name: text("name"),
        email: text("email"),
        errors,
        local_domain: app.config.local_domain.clone(),
        password_min_length: Factors::PasswordAlone.minimum(),
    };
    render(&page, &POLICY)
}

/// `POST /p/setup/{token}`
pub async fn setup(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(token): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    check_link(&app, &ctx, &token).await?;
    let field = |name| form.get(name).unwrap_or("").to_owned();
    let refuse = |errors| refused(show(&app, &ctx, &cookie, token.clone(), &form, errors)?);
    let (username, name, email) = (field("username"), field("name"), field("email"));
    let password = match new_password(&ctx, &form, &[&username, &name, &email]) {
        Ok(password) => password,
        Err(errors) => return refuse(errors),
    };
    let new = NewLocalIdentity {
        username,
        name,
        email,
        organization: None,
        password_hash: Some(app.hasher.hash(password).await?),
        administrator: true,
    };
    let (unit_ctx, domain, hash) = (ctx.clone(), app.config.local_domain.clone(), token_format::hash(&token));
    // They have just chosen the password, so they are signed in: the next steps need it. As at
    // each sign-in the browser gets another cookie.
    let fresh = Cookie::generate();
    let (new_hash, lifetimes) = (fresh.hash, session_lifetimes(&app.config));
    let created = app
        .db
        .write(move |tx| {
            // Only one of several who have the link becomes the first administrator.
            if identities::has_administrator(tx)?
                || !links::consume(tx, &hash, links::FIRST_ADMINISTRATOR, unit_ctx.now)?
            {
                return Err(dead_link());
            }
            let identity = identity::create_local(tx, &unit_ctx, &domain, &new)?;
            let event = Event {
                action: "administrator.create",
                actor: Actor::Operator,
                resource_kind: "identity",
                resource_id: identity.id.to_string(),
                detail: serde_json::json!({ "username": identity.username }),
            };
            audit::insert(tx, &unit_ctx, &event)?;
            let browser = session::find_or_create(tx, &unit_ctx, &new_hash, lifetimes)?;
            let proof = Proof::now(&unit_ctx, &["pwd"]);
            session::sign_in(tx, &unit_ctx, browser, &identity, &proof, &new_hash, lifetimes.1)?;
            Ok(identity)
        })
        .await;
    match created {
        Ok(identity) => {
            let page = SetupDonePage {
                layout: layout(&app, &ctx, ctx.text("setup-done-title"), None),
                username: identity.username,
                public_url: app.config.public_url(),
            };
            let mut response = render(&page, &POLICY)?;
            let (name, value) = fresh.set(&app.config);
            response.headers_mut().append(name, value);
            Ok(response)
        }
        Err(error) if matches!(error.kind(), Kind::InvalidParameters | Kind::Conflict) => {
            refuse(FormErrors::at(ctx.language, &error, &["username", "name", "email"]))
        }
        Err(error) => Err(error),
    }
}
