//! Setting up an authenticator app.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_types::Secret;

use super::{Access, Person, Wants, access, done, refused};
use crate::app::{App, Ctx, new_uuid, random_bytes};
use crate::domain::{factors, identity, session, totp};
use crate::error::{Error, Result};
use crate::http::browser::{PagePolicy, checked_form, session_lifetimes};
use crate::http::extract::Form;
use crate::store::factors as stored;
use crate::web::destination::SECURITY;
use crate::web::factor::relying_party;
use crate::web::pages::FormErrors;
use crate::web::pages::security::TotpPage;
use crate::web::render;

pub(super) const TOTP: &str = "/p/account/security/totp";

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
