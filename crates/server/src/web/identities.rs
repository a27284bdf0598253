//! The accounts of a person (wire.md 2.9): which are linked, which one apps know, and how to
//! change that. Every change needs a recent sign-in and a form of ours, and says before it
//! happens what will stop working.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, IdentityId, IdentitySetId, Timestamp};

use super::destination::{CameFrom, Destination, IDENTITIES, LINK};
use super::pages::account::{IdentitiesNotice, IdentitiesPage, IdentityChange, IdentityChangePage, IdentityRow};
use super::pages::{Href, Link, MessagePage, Moment};
use super::{SignedIn, account_view, find_session, layout, render};
use crate::app::{App, Ctx, new_uuid};
use crate::domain::{linking, session};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, stale_form};
use crate::http::extract::{Form, Query};
use crate::store::audit::Actor;
use crate::store::identities::{self, Identity};
use crate::store::sessions::{self, Authentication};

/// A person with all their accounts.
struct Accounts {
    browser: BrowserSessionId,
    person: SignedIn,
    /// Which of them apps know. It may be closed, and then not among those of the set.
    primary: Identity,
    /// Those that are not closed, the primary first.
    set: Vec<Identity>,
    /// Who has signed in in this browser.
    here: Vec<Authentication>,
}

impl Accounts {
    /// None if nobody is signed in.
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &Cookie) -> Result<Option<Self>> {
        let Some((browser, Some(person))) = find_session(tx, app, ctx, &cookie.hash)? else {
            return Ok(None);
        };
        let mut set = identities::list_set(tx, person.identity.set_id)?;
        let primary = set.first().unwrap_or(&person.identity).clone();
        set.retain(|identity| identity.status != "closed");
        Ok(Some(Self {
            browser,
            person,
            primary,
            set,
            here: sessions::list_authentications(tx, browser)?,
        }))
    }

    /// Whether this sign-in is good enough to change which of them belong together.
    fn may_change(&self, tx: &mut ReadTx, now: Timestamp) -> Result<bool> {
        Ok(session::is_fresh(&self.person.authentication, now)
            && !linking::lacks_second_factor(tx, now, &self.set, &self.here)?)
    }

    /// One of the person's own: any other is not there.
    fn get(&self, id: IdentityId) -> Result<&Identity> {
        let found = self.set.iter().find(|identity| identity.id == id);
        found.ok_or_else(|| Error::not_found("identity"))
    }

    fn is_primary(&self, identity: &Identity) -> bool {
        self.primary.id == identity.id
    }

    fn rows(&self, came_from: &CameFrom) -> Vec<IdentityRow> {
        let change = |identity: &Identity, what: &str| {
            Href::path(came_from.address(&format!("{IDENTITIES}/{}/{what}", identity.id), &[]))
        };
        self.set
            .iter()
            .map(|identity| {
                let is_primary = self.is_primary(identity);
                IdentityRow {
                    account: account_view(identity),
                    email: identity.email.clone(),
                    organization: identity.organization.clone(),
                    is_primary,
                    is_usable: identity.is_live(),
                    is_here: self.here.iter().any(|known| known.identity_id == identity.id),
                    last_authentication: identity.last_authentication_at.map(Moment::minute),
                    make_primary: (!is_primary && identity.is_live()).then(|| change(identity, "primary")),
                    unlink: (!is_primary).then(|| change(identity, "unlink")),
                }
            })
            .collect()
    }
}

/// `GET /v2/web/identities`
pub async fn identities_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let came_from = CameFrom::read(&params);
    let sign_in_first = Redirect::to(&Destination::Identities(came_from.clone()).login_path());
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return Ok(sign_in_first.into_response());
    };
    let (shared, unit_ctx, link) = (app.clone(), ctx.clone(), came_from.clone());
    let (accounts, client) = app
        .db
        .read(move |tx| {
            let accounts = Accounts::find(tx, &shared, &unit_ctx, &cookie)?;
            Ok::<_, Error>((accounts, link.find_client(tx)?))
        })
        .await?;
    let Some(accounts) = accounts else {
        return Ok(sign_in_first.into_response());
    };
    let page = IdentitiesPage {
        layout: layout(&app, &ctx, ctx.text("identities-title"), Some(&accounts.person)),
        identities: accounts.rows(&came_from),
        notice: match params.get("notice") {
            Some("linked") => Some(IdentitiesNotice::Linked),
            Some("unlinked") => Some(IdentitiesNotice::Unlinked),
            Some("primary") => Some(IdentitiesNotice::PrimaryChanged),
            _ => None,
        },
        link_another: Href::path(came_from.address(LINK, &[])),
        back: came_from.way_back(client.as_ref()),
    };
    render(&page, &PagePolicy::default())
}

/// What is about to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Unlink,
    MakePrimary,
}

impl Change {
    fn destination(self, id: IdentityId, came_from: CameFrom) -> Destination {
        match self {
            Change::Unlink => Destination::Unlink(id, came_from),
            Change::MakePrimary => Destination::MakePrimary(id, came_from),
        }
    }

    fn notice(self) -> &'static str {
        match self {
            Change::Unlink => "unlinked",
            Change::MakePrimary => "primary",
        }
    }
}

/// `GET /v2/web/identities/{identity_id}/unlink`
pub async fn unlink_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    ask(&app, &ctx, &headers, &CameFrom::read(&query?.0), &id, Change::Unlink).await
}

/// `GET /v2/web/identities/{identity_id}/primary`
pub async fn primary_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    ask(
        &app,
        &ctx,
        &headers,
        &CameFrom::read(&query?.0),
        &id,
        Change::MakePrimary,
    )
    .await
}

/// `POST /v2/web/identities/{identity_id}/unlink`
pub async fn unlink_identity(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    make(&app, &ctx, &headers, form?, &id, Change::Unlink).await
}

/// `POST /v2/web/identities/{identity_id}/primary`
pub async fn make_primary(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    make(&app, &ctx, &headers, form?, &id, Change::MakePrimary).await
}

fn identity_id(text: &str) -> Result<IdentityId> {
    text.parse().map_err(|_| Error::not_found("identity"))
}

/// Asks first, and says what will be different.
async fn ask(
    app: &App,
    ctx: &Ctx,
    headers: &HeaderMap,
    came_from: &CameFrom,
    id: &str,
    change: Change,
) -> Result<Response> {
    let id = identity_id(id)?;
    let sign_in_first = Redirect::to(&change.destination(id, came_from.clone()).login_path());
    let Some(cookie) = Cookie::read(headers, &app.config) else {
        return Ok(sign_in_first.into_response());
    };
    let (shared, unit_ctx, known) = (app.clone(), ctx.clone(), cookie.clone());
    let found = app
        .db
        .read(move |tx| {
            let Some(accounts) = Accounts::find(tx, &shared, &unit_ctx, &known)? else {
                return Ok(None);
            };
            let may_change = accounts.may_change(tx, unit_ctx.now)?;
            Ok::<_, Error>(Some((accounts, may_change)))
        })
        .await?;
    let Some((accounts, may_change)) = found else {
        return Ok(sign_in_first.into_response());
    };
    let identity = accounts.get(id)?;
    if !may_change {
        return Ok(sign_in_first.into_response());
    }
    let list = Href::path(came_from.address(IDENTITIES, &[]));
    let change = match change {
        _ if accounts.is_primary(identity) => return is_primary(app, ctx, &accounts, change, list),
        Change::Unlink => IdentityChange::Unlink {
            rest: accounts
                .set
                .iter()
                .filter(|other| other.id != id)
                .map(|other| other.username.clone())
                .collect(),
            signs_out: accounts.here.iter().all(|known| known.identity_id == id),
        },
        Change::MakePrimary => IdentityChange::MakePrimary {
            former: accounts.primary.username.clone(),
        },
    };
    let page = IdentityChangePage {
        layout: layout(app, ctx, change.title(ctx.language), Some(&accounts.person)),
        action: format!("{IDENTITIES}/{id}/{}", change.path()),
        form_token: cookie.form_token(app),
        carried: came_from.fields(),
        account: account_view(identity),
        change,
        keep: list,
    };
    render(&page, &PagePolicy::default())
}

/// There is nothing to change: the primary stays until another one takes its place.
fn is_primary(app: &App, ctx: &Ctx, accounts: &Accounts, change: Change, list: Href) -> Result<Response> {
    let text = match change {
        Change::Unlink => ctx.text("identities-is-primary-unlink"),
        Change::MakePrimary => ctx.text("identities-is-primary"),
    };
    let page = MessagePage {
        layout: layout(
            app,
            ctx,
            ctx.text("identities-is-primary-title"),
            Some(&accounts.person),
        ),
        text: vec![text.into()],
        link: Some(Link {
            text: ctx.text("identities-title").into(),
            href: list,
        }),
    };
    let mut response = render(&page, &PagePolicy::default())?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(response)
}

async fn make(app: &App, ctx: &Ctx, headers: &HeaderMap, form: Form, id: &str, change: Change) -> Result<Response> {
    let Form(form) = form;
    let cookie = Cookie::read(headers, &app.config).ok_or_else(stale_form)?;
    cookie.check_form(app, &form)?;
    let (id, came_from) = (identity_id(id)?, CameFrom::read(&form));
    let own_set = IdentitySetId(new_uuid());
    let (shared, unit_ctx) = (app.clone(), ctx.clone());
    let made = app
        .db
        .write(move |tx| {
            let Some(accounts) = Accounts::find(tx, &shared, &unit_ctx, &cookie)? else {
                return Ok(false);
            };
            if !accounts.may_change(tx, unit_ctx.now)? {
                return Ok(false);
            }
            accounts.get(id)?;
            sessions::touch(tx, accounts.browser, unit_ctx.now)?;
            let actor = Actor::Identity(accounts.person.identity.id);
            match change {
                Change::Unlink => linking::unlink(tx, &unit_ctx, actor, id, own_set)?,
                Change::MakePrimary => linking::set_primary(tx, &unit_ctx, actor, id)?,
            }
            Ok::<_, Error>(true)
        })
        .await?;
    let next = if made {
        came_from.address(IDENTITIES, &[("notice", change.notice())])
    } else {
        change.destination(id, came_from).login_path()
    };
    Ok(Redirect::to(&next).into_response())
}
