//! Recovery codes.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::{Access, Person, Wants, access};
use crate::app::{App, Ctx};
use crate::domain::factors;
use crate::error::Result;
use crate::http::browser::{PagePolicy, checked_form};
use crate::http::extract::Form;
use crate::web::pages::security::RecoveryCodesPage;
use crate::web::render;

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
