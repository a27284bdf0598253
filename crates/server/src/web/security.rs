//! The page on which people change how they sign in: password, passkeys, authenticator
//! app, recovery codes. What else is signed in is on the page of sessions.
//!
//! Looking needs a sign-in; a change needs one of the last ten minutes, with the second
//! factor if there is one, because it is the same sign-in as any other (standards.md AA7).
//! Browsers that came in with the password alone are signed out when the first second
//! factor comes: else whoever knows the password could take it away again from there.
//! Each change is written down and told to the person by mail.

macro_rules! enter {
    ($app:expr, $ctx:expr, $headers:expr, $wants:expr, $path:expr) => {
        match access($app, $ctx, $headers, $wants, $path).await? {
            Access::Granted(person) => *person,
            Access::SignIn(response) => return Ok(response),
        }
    };
}

pub mod passkeys;
pub mod password;
pub mod recovery_codes;
pub mod removal;
pub mod totp;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::BrowserSessionId;
use uuid::Uuid;

use super::destination::{Destination, SECURITY};
use super::factor::relying_party;
use super::pages::security::{PasskeyRow, SecurityPage};
use super::pages::{Href, Layout, Moment};
use super::{SignedIn, layout, render};
use crate::app::{App, Ctx};
use crate::domain::factors::{self, Available};
use crate::domain::session;
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, session_lifetimes};
use crate::http::extract::Query;
use crate::store::factors::Passkey;
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::LOCAL;
use crate::store::sessions;
use crate::texts::words;

/// Who is signed in here with a local account.
struct Person {
    cookie: Cookie,
    session: BrowserSessionId,
    signed_in: SignedIn,
}

enum Access {
    Granted(Box<Person>),
    /// To the login page and back.
    SignIn(Response),
}

/// What somebody wants to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Look,
    Change,
}

async fn access(app: &App, ctx: &Ctx, headers: &HeaderMap, wants: Wants, path: &str) -> Result<Access> {
    let sign_in = || Redirect::to(&Destination::security(path).login_path()).into_response();
    let Some(cookie) = Cookie::read(headers, &app.config) else {
        return Ok(Access::SignIn(sign_in()));
    };
    let (shared, now, hash) = (app.clone(), ctx.now, cookie.hash);
    let found = app
        .db
        .read(move |tx| {
            let (idle, _) = session_lifetimes(&shared.config);
            match sessions::find(tx, &hash, now, idle)? {
                Some(session) => Ok::<_, Error>(Some((session.id, find_local(tx, session.id)?))),
                None => Ok(None),
            }
        })
        .await?;
    let Some((session, Found { local, somebody })) = found else {
        return Ok(Access::SignIn(sign_in()));
    };
    let Some(signed_in) = local else {
        if somebody {
            return Err(Error::forbidden(
                "you signed in with an account of another organisation; its password and second factors are managed there",
            ).said(words("error-elsewhere")));
        }
        return Ok(Access::SignIn(sign_in()));
    };
    if wants == Wants::Change && !session::is_fresh(&signed_in.authentication, now) {
        return Ok(Access::SignIn(sign_in()));
    }
    Ok(Access::Granted(Box::new(Person {
        cookie,
        session,
        signed_in,
    })))
}

struct Found {
    local: Option<SignedIn>,
    /// Whether anybody is signed in at all.
    somebody: bool,
}

/// The newest sign-in with a local account in this browser.
fn find_local(tx: &mut ReadTx, session: BrowserSessionId) -> Result<Found> {
    let mut found = Found {
        local: None,
        somebody: false,
    };
    for authentication in sessions::list_authentications(tx, session)? {
        let identity = identities::find(tx, authentication.identity_id)?.filter(Identity::is_live);
        let Some(identity) = identity else { continue };
        found.somebody = true;
        if identity.provider_id == LOCAL {
            found.local = Some(SignedIn {
                administers: identities::is_administrator(tx, identity.id)?,
                identity,
                authentication,
            });
            break;
        }
    }
    Ok(found)
}

impl Person {
    fn identity(&self) -> &Identity {
        &self.signed_in.identity
    }

    fn layout(&self, app: &App, ctx: &Ctx, title: &str) -> Layout {
        layout(app, ctx, title, Some(&self.signed_in))
    }

    async fn available(&self, app: &App) -> Result<Available> {
        let id = self.identity().id;
        app.db.read(move |tx| factors::available(tx, id)).await
    }
}

fn refused(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Back to the list, which says what was done.
fn done(notice: &str) -> Response {
    Redirect::to(&format!("{SECURITY}?notice={notice}")).into_response()
}

/// Notices are chosen from here; the address says which.
fn notice_text(ctx: &Ctx, notice: &str) -> Option<&'static str> {
    Some(match notice {
        "password" => ctx.text("security-notice-password"),
        "totp" => ctx.text("security-notice-totp"),
        "passkey" => ctx.text("security-notice-passkey"),
        "renamed" => ctx.text("security-notice-renamed"),
        "removed" => ctx.text("security-notice-removed"),
        _ => return None,
    })
}

/// `GET /p/account/security`
pub async fn security_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let person = enter!(&app, &ctx, &headers, Wants::Look, SECURITY);
    let available = person.available(&app).await?;
    let page = SecurityPage {
        layout: person.layout(&app, &ctx, ctx.text("security-title")),
        form_token: person.cookie.form_token(&app),
        username: person.identity().username.clone(),
        notice: params
            .get("notice")
            .and_then(|notice| notice_text(&ctx, notice))
            .map(str::to_owned),
        totp: available.totp.and_then(|totp| totp.confirmed_at).map(Moment::day),
        passkeys: available.passkeys.iter().map(row).collect(),
        passkeys_possible: relying_party(&app).is_some(),
        recovery_codes: available.recovery_codes,
    };
    render(&page, &PagePolicy::default())
}

fn row(passkey: &Passkey) -> PasskeyRow {
    PasskeyRow {
        name: passkey.name.clone(),
        added: Moment::day(passkey.created_at),
        last_used: passkey.last_used_at.map(Moment::day),
        alone: passkey.discoverable && passkey.user_verifying,
        synced: passkey.backup_eligible,
        change: Href::path(passkey_path(passkey.id)),
        remove: Href::path(format!("{}/remove", passkey_path(passkey.id))),
    }
}

fn passkey_path(id: Uuid) -> String {
    format!("{SECURITY}/passkeys/{id}")
}
