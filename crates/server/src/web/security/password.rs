//! Changing the password.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use portolan_types::Secret;

use super::{Access, Person, Wants, access, done, refused};
use crate::app::{App, Ctx};
use crate::domain::attempts::Judged;
use crate::domain::factors;
use crate::domain::password::{self, Factors};
use crate::domain::{attempts, identity};
use crate::error::{Error, Result};
use crate::http::browser::{PagePolicy, checked_form, session_lifetimes};
use crate::http::extract::Form;
use crate::store::identities::Identity;
use crate::store::passwords;
use crate::web::pages::FormErrors;
use crate::web::pages::security::PasswordPage;
use crate::web::render;

const PASSWORD: &str = "/p/account/security/password";

/// `GET /p/account/security/password`
pub async fn password_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSWORD);
    show_password(&app, &ctx, &person, FormErrors::none()).await
}

async fn rule(app: &App, person: &Person) -> Result<Factors> {
    let id = person.identity().id;
    app.db.read(move |tx| factors::password_rule(tx, id)).await
}

async fn show_password(app: &App, ctx: &Ctx, person: &Person, errors: FormErrors) -> Result<Response> {
    let page = PasswordPage {
        layout: person.layout(app, ctx, ctx.text("security-password-change")),
        form_token: person.cookie.form_token(app),
        username: person.identity().username.clone(),
        password_min_length: rule(app, person).await?.minimum(),
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// Whether a password is the present one, and the hash that it was checked against. Wrong ones
/// count like those of the login page: whoever sits at an open browser does not get more
/// attempts.
pub(super) async fn check_password(
    app: &App,
    ctx: &Ctx,
    person: &Person,
    password: Secret,
) -> Result<Result<String, &'static str>> {
    app.limits.login(ctx.address)?;
    let id = person.identity().id;
    let counter = attempts::counter(Some(&person.session.to_string()), &person.identity().username);
    let (unit_ctx, name) = (ctx.clone(), counter.clone());
    let (wait, hash) = app
        .db
        .read(move |tx| Ok::<_, Error>((attempts::wait(tx, &unit_ctx, &name)?, passwords::find(tx, id)?)))
        .await?;
    if wait.is_some() {
        return Ok(Err(ctx.text("security-password-later")));
    }
    let mut verified = None;
    if let Some(hash) = hash
        && app.hasher.verify(&hash, password).await?.ok
    {
        verified = Some(hash);
    }
    let (unit_ctx, is_right) = (ctx.clone(), verified.is_some());
    if !is_right {
        app.limits.failed_login();
    }
    let judged = app
        .db
        .write(move |tx| {
            let judged = attempts::judge(tx, &unit_ctx, &counter, Some(id), "pwd", is_right)?;
            if judged == Judged::Right {
                attempts::clear(tx, &counter)?;
            }
            Ok::<_, Error>(judged)
        })
        .await?;
    Ok(match (judged, verified) {
        (Judged::Right, Some(hash)) => Ok(hash),
        (Judged::Later(_), _) => Err(ctx.text("security-password-later")),
        _ => Err(ctx.text("security-password-wrong")),
    })
}

/// `POST /p/account/security/password`
pub async fn change_password(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (_, form) = checked_form(&app, &headers, form)?;
    let person = enter!(&app, &ctx, &headers, Wants::Change, PASSWORD);
    let field = |name| Secret::new(form.get(name).unwrap_or(""));
    let refuse = async |errors| Ok(refused(show_password(&app, &ctx, &person, errors).await?));
    let new = field("password");
    if new != field("password_again") {
        return refuse(FormErrors::field("password_again", ctx.text("password-differ"))).await;
    }
    if let Err(weakness) = check_strength(&ctx, person.identity(), &new, rule(&app, &person).await?) {
        return refuse(FormErrors::field("password", weakness)).await;
    }
    let verified = match check_password(&app, &ctx, &person, field("password_now")).await? {
        Ok(verified) => verified,
        Err(text) => return refuse(FormErrors::field("password_now", text)).await,
    };
    let hash = app.hasher.hash(new).await?;
    let (unit_ctx, identity, here) = (ctx.clone(), person.identity().clone(), person.session);
    let (idle, _) = session_lifetimes(&app.config);
    app.db
        .write(move |tx| {
            identity::change_password(tx, &unit_ctx, &identity, &verified, &hash, here, idle)?;
            factors::announce(
                tx,
                &unit_ctx,
                &identity,
                "identity.change_password",
                serde_json::json!({}),
                "Your password was changed",
                "Your password was changed. Other browsers were signed out.",
            )
        })
        .await?;
    Ok(done("password"))
}

pub(super) fn check_strength(ctx: &Ctx, identity: &Identity, password: &Secret, rule: Factors) -> Result<(), String> {
    let known = [
        Some(identity.username.as_str()),
        identity.name.as_deref(),
        identity.email.as_deref(),
        Some("portolan"),
    ];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    password::check_strength(password, rule, &known).map_err(|weakness| ctx.language.words(&weakness.words()))
}
