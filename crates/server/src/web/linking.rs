//! Linking another account: the person who is signed in proves to be it as well, sees both,
//! and agrees (decisions, section 6; threats.md 10 and 16).
//!
//! It begins with a form of ours, because a link on a foreign site must not begin it. The
//! second proof is made at the login page, which knows that nobody is signed in by it
//! ([`Destination::Link`]): the session stays whose it is until the person has agreed on
//! [`confirm_link_page`]. Giving up at any point leaves everything as it was.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::BrowserSessionId;
use uuid::Uuid;

use super::destination::{CameFrom, Destination, IDENTITIES, LINK, LINK_CONFIRM};
use super::pages::account::{LinkConfirmPage, LinkPage};
use super::pages::sign_in::LoginReason;
use super::pages::{CarriedField, Href, Link, MessagePage};
use super::{
    SignedIn, Waiting, account_view, find_session, find_waiting, layout, render, request_id, resume, speaking,
};
use crate::app::{App, Ctx};
use crate::domain::linking::{self, Proven, Refusal};
use crate::domain::{identity, session};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::{Form, Params, Query};
use crate::store::identities::{self, Identity};
use crate::store::pending_links::{self, PendingLink};
use crate::store::{authorization_requests, identity_providers, sessions};

/// A link that waits for its second proof, as the login page sees it.
pub struct Linking {
    browser: BrowserSessionId,
    link: PendingLink,
    mine: Identity,
    /// The request that waits for the link; it may require a provider.
    pub waiting: Option<Waiting>,
    provider: Option<String>,
}

impl Linking {
    pub fn find(tx: &mut ReadTx, ctx: &Ctx, browser: BrowserSessionId, id: Uuid) -> Result<Self> {
        let link = pending_links::find(tx, id, browser, ctx.now)?.ok_or_else(linking::gone)?;
        let mine = identities::get(tx, link.identity_id)?;
        let waiting = match link.request_id {
            Some(request) => Some(find_waiting(tx, ctx, browser, request)?),
            None => None,
        };
        let provider = match &waiting {
            Some(waiting) => required_provider(tx, waiting)?,
            None => None,
        };
        Ok(Self {
            browser,
            link,
            mine,
            waiting,
            provider,
        })
    }

    pub fn reason(&self) -> LoginReason {
        LoginReason::Linking {
            username: self.mine.username.clone(),
            provider: self.provider.clone(),
        }
    }

    /// Gives the link up. The second proof was never more than a note beside the session.
    pub async fn cancel(&self, app: &App) -> Result<Response> {
        let (id, browser) = (self.link.id, self.browser);
        app.db
            .write(move |tx| pending_links::consume(tx, id, browser).map(drop))
            .await?;
        Ok(back(&self.link, None))
    }
}

/// Where the person goes after a link: to the request that waits for it, else to the list.
fn back(link: &PendingLink, notice: Option<&str>) -> Response {
    if let Some(request) = link.request_id {
        return resume(request);
    }
    let more: Vec<(&str, &str)> = notice.into_iter().map(|notice| ("notice", notice)).collect();
    let address = CameFrom::from_query(&link.came_from).address(IDENTITIES, &more);
    Redirect::to(&address).into_response()
}

fn required_provider(tx: &mut ReadTx, waiting: &Waiting) -> Result<Option<String>> {
    let Some(id) = waiting.client.required_idp else {
        return Ok(None);
    };
    Ok(identity_providers::find(tx, id)?.map(|provider| provider.name))
}

/// What the page knows on which linking begins.
enum Beginning {
    /// Nobody is signed in, or too long ago, or without the second factor that it takes.
    SignInFirst,
    /// The request that waits does not need a link any more.
    NotNeeded(Uuid),
    Ready(Box<Ready>),
}

struct Ready {
    browser: BrowserSessionId,
    person: SignedIn,
    waiting: Option<Waiting>,
    provider: Option<String>,
    back: Option<Link>,
}

/// `came_from` counts without a request alone: a request has its own way back.
fn find_beginning(
    tx: &mut ReadTx,
    app: &App,
    ctx: &Ctx,
    cookie: &Cookie,
    request: Option<Uuid>,
    came_from: &CameFrom,
) -> Result<Beginning> {
    let Some((browser, person)) = find_session(tx, app, ctx, &cookie.hash)? else {
        return match request {
            Some(_) => Err(super::expired()),
            None => Ok(Beginning::SignInFirst),
        };
    };
    let waiting = request.map(|id| find_waiting(tx, ctx, browser, id)).transpose()?;
    let Some(person) = person else {
        return Ok(request.map_or(Beginning::SignInFirst, Beginning::NotNeeded));
    };
    if let (Some(id), Some(waiting)) = (request, &waiting)
        && identity::effective(tx, &person.identity, waiting.client.required_idp)?.is_some()
    {
        return Ok(Beginning::NotNeeded(id));
    }
    let set = identities::list_set(tx, person.identity.set_id)?;
    let here = sessions::list_authentications(tx, browser)?;
    if !session::is_fresh(&person.authentication, ctx.now) || linking::lacks_second_factor(tx, ctx.now, &set, &here)? {
        return Ok(Beginning::SignInFirst);
    }
    let provider = match &waiting {
        Some(waiting) => required_provider(tx, waiting)?,
        None => None,
    };
    let client = came_from.find_client(tx)?;
    Ok(Beginning::Ready(Box::new(Ready {
        browser,
        person,
        waiting,
        provider,
        back: came_from.way_back(client.as_ref()),
    })))
}

/// `GET /p/link`: says what linking means. An app can send a person here, and a request of
/// an app that requires an account of one provider waits here.
pub async fn begin_link_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let (request, came_from) = (request_id(&params)?, CameFrom::read(&params));
    let sign_in_first = Destination::BeginLink(came_from.clone(), request).login_path();
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return match request {
            Some(_) => Err(super::expired()),
            None => Ok(Redirect::to(&sign_in_first).into_response()),
        };
    };
    let (shared, unit_ctx, known, link) = (app.clone(), ctx.clone(), cookie.clone(), came_from.clone());
    let found = app
        .db
        .read(move |tx| find_beginning(tx, &shared, &unit_ctx, &known, request, &link))
        .await?;
    let ready = match found {
        Beginning::SignInFirst => return Ok(Redirect::to(&sign_in_first).into_response()),
        Beginning::NotNeeded(id) => return Ok(resume(id)),
        Beginning::Ready(ready) => ready,
    };
    let ctx = speaking(&ctx, ready.waiting.as_ref());
    let page = LinkPage {
        layout: layout(&app, &ctx, ctx.text("link-title"), Some(&ready.person)),
        action: LINK.into(),
        form_token: cookie.form_token(&app),
        request: request.map(|id| id.to_string()),
        carried: came_from.fields(),
        client: ready.waiting.as_ref().map(Waiting::client_view),
        provider: ready.provider,
        account: account_view(&ready.person.identity),
        list: Href::path(came_from.address(IDENTITIES, &[])),
        back: ready.back,
        time_limit: ready.waiting.as_ref().and_then(|waiting| waiting.time_left(&ctx)),
    };
    render(
        &page,
        &ready.waiting.as_ref().map_or_else(PagePolicy::default, Waiting::policy),
    )
}

/// `POST /p/link`
pub async fn begin_link(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let (request, came_from) = (request_id(&form)?, CameFrom::read(&form));
    if let Some(id) = request {
        match form.get("decision") {
            Some("deny") => return deny(&app, &ctx, &cookie, id).await,
            Some("switch") => return Ok(Redirect::to(&format!("/p/login?request={id}")).into_response()),
            _ => {}
        }
    }
    let sign_in_first = Destination::BeginLink(came_from.clone(), request).login_path();
    let (shared, unit_ctx) = (app.clone(), ctx.clone());
    let next = app
        .db
        .write(move |tx| {
            let found = find_beginning(tx, &shared, &unit_ctx, &cookie, request, &came_from)?;
            Ok::<_, Error>(match found {
                Beginning::SignInFirst => Redirect::to(&sign_in_first).into_response(),
                Beginning::NotNeeded(id) => resume(id),
                Beginning::Ready(ready) => {
                    sessions::touch(tx, ready.browser, unit_ctx.now)?;
                    let mine = ready.person.identity.id;
                    let id = linking::begin(tx, &unit_ctx, ready.browser, mine, request, &came_from.query())?;
                    Redirect::to(&Destination::Link(id).login_path()).into_response()
                }
            })
        })
        .await?;
    Ok(next)
}

/// The person does not want to link anything for this request.
async fn deny(app: &App, ctx: &Ctx, cookie: &Cookie, id: Uuid) -> Result<Response> {
    let (shared, ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    app.db
        .write(move |tx| {
            let (browser, _) = find_session(tx, &shared, &ctx, &hash)?.ok_or_else(super::expired)?;
            find_waiting(tx, &ctx, browser, id)?;
            authorization_requests::decide(tx, id, "deny")
        })
        .await?;
    Ok(resume(id))
}

/// A link of this browser with its second proof.
struct Ending {
    browser: BrowserSessionId,
    person: SignedIn,
    link: PendingLink,
    proven: Proven,
    /// Others of the set that the new one joins.
    others: Vec<Identity>,
    /// The form may lead on to the app whose request waits for the link.
    policy: PagePolicy,
}

enum Found {
    /// The second proof is missing.
    NotProven,
    Ending(Box<Ending>),
}

fn find_ending(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &Cookie, id: Uuid) -> Result<Found> {
    let Some((browser, Some(person))) = find_session(tx, app, ctx, &cookie.hash)? else {
        return Err(linking::gone());
    };
    let link = pending_links::find(tx, id, browser, ctx.now)?.ok_or_else(linking::gone)?;
    let Some(proven) = linking::find_proven(tx, ctx, browser, &link)? else {
        return Ok(Found::NotProven);
    };
    let mut others = identities::list_set(tx, proven.mine.set_id)?;
    others.retain(|other| other.id != proven.mine.id && other.id != proven.other.id && other.status != "closed");
    let policy = match link.request_id {
        Some(request) => find_waiting(tx, ctx, browser, request)?.policy(),
        None => PagePolicy::default(),
    };
    Ok(Found::Ending(Box::new(Ending {
        browser,
        person,
        link,
        proven,
        others,
        policy,
    })))
}

fn link_id(params: &Params) -> Result<Uuid> {
    let id = params.get("link").and_then(|id| id.parse().ok());
    id.ok_or_else(linking::gone)
}

/// `GET /p/link/confirm`: both accounts, side by side.
pub async fn confirm_link_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let id = link_id(&params)?;
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(linking::gone)?;
    let (shared, unit_ctx, known) = (app.clone(), ctx.clone(), cookie.clone());
    let found = app
        .db
        .read(move |tx| find_ending(tx, &shared, &unit_ctx, &known, id))
        .await?;
    match found {
        Found::NotProven => Ok(Redirect::to(&Destination::Link(id).login_path()).into_response()),
        Found::Ending(ending) => match ending.proven.refusal {
            Some(refusal) => refused(&app, &ctx, &ending, refusal),
            None => ask(&app, &ctx, &cookie, &ending),
        },
    }
}

fn ask(app: &App, ctx: &Ctx, cookie: &Cookie, ending: &Ending) -> Result<Response> {
    let Proven { mine, other, .. } = &ending.proven;
    let field = |name, value: String| CarriedField { name, value };
    let page = LinkConfirmPage {
        layout: layout(app, ctx, ctx.text("link-confirm-title"), Some(&ending.person)),
        action: LINK_CONFIRM.into(),
        form_token: cookie.form_token(app),
        carried: vec![
            field("link", ending.link.id.to_string()),
            // What is agreed to is what was shown.
            field("shown", other.id.to_string()),
        ],
        mine: account_view(mine),
        other: account_view(other),
        others: ending.others.iter().map(|other| other.username.clone()).collect(),
    };
    render(&page, &ending.policy)
}

/// Says why not, and what to do.
fn refused(app: &App, ctx: &Ctx, ending: &Ending, refusal: Refusal) -> Result<Response> {
    let Proven { mine, other, .. } = &ending.proven;
    let named = |identity: &Identity| format!("{} ({})", identity.username, identity.provider_name);
    let came_from = CameFrom::from_query(&ending.link.came_from);
    let again = Link {
        text: ctx.text("link-refused-again").into(),
        href: Href::path(Destination::Link(ending.link.id).login_path()),
    };
    let list = Link {
        text: ctx.text("identities-title").into(),
        href: Href::path(came_from.address(IDENTITIES, &[])),
    };
    let begin_again = Link {
        text: ctx.text("link-refused-begin").into(),
        href: Href::path(begin_path(&ending.link)),
    };
    let (text, link) = match refusal {
        Refusal::Same => (
            vec![
                ctx.say("link-refused-same").arg("other", named(other)).to_string(),
                ctx.text("link-refused-same-next").into(),
            ],
            again,
        ),
        Refusal::Together => {
            let text = ctx
                .say("link-refused-together")
                .arg("mine", named(mine))
                .arg("other", named(other));
            (vec![text.to_string()], list)
        }
        Refusal::Elsewhere => {
            let next = ctx
                .say("link-refused-elsewhere-next")
                .arg("mine_name", &mine.username)
                .arg("other_name", &other.username);
            (
                vec![
                    ctx.say("link-refused-elsewhere").arg("other", named(other)).to_string(),
                    next.to_string(),
                ],
                again,
            )
        }
        Refusal::NotLive | Refusal::Unused => {
            let text = ctx
                .say("link-refused-closed")
                .arg("mine", named(mine))
                .arg("other", named(other));
            (vec![text.to_string()], list)
        }
        Refusal::Client => (vec![ctx.text("link-refused-client").into()], list),
        Refusal::Stale => (vec![ctx.text("link-refused-stale").into()], begin_again),
        Refusal::SecondFactor => (vec![ctx.text("link-refused-second-factor").into()], begin_again),
    };
    let page = MessagePage {
        layout: layout(app, ctx, ctx.text("link-refused-title"), Some(&ending.person)),
        text,
        link: Some(link),
    };
    let mut response = render(&page, &PagePolicy::default())?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(response)
}

fn begin_path(link: &PendingLink) -> String {
    Destination::BeginLink(CameFrom::from_query(&link.came_from), link.request_id).path()
}

/// `POST /p/link/confirm`
pub async fn confirm_link(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let id = link_id(&form)?;
    let shown = form.get("shown").unwrap_or("").to_owned();
    let agreed = form.get("decision") == Some("link");
    let (shared, unit_ctx) = (app.clone(), ctx.clone());
    let outcome = app
        .db
        .write(move |tx| {
            let ending = match find_ending(tx, &shared, &unit_ctx, &cookie, id)? {
                Found::NotProven => return Err(linking::gone()),
                Found::Ending(ending) => ending,
            };
            if !agreed {
                pending_links::consume(tx, id, ending.browser)?;
                return Ok(Outcome::GivenUp(ending));
            }
            // Another account was proven in another tab meanwhile: the page shows that one.
            if ending.proven.other.id.to_string() != shown {
                return Ok(Outcome::Changed);
            }
            Ok::<_, Error>(
                match linking::confirm(tx, &unit_ctx, ending.browser, &ending.link, &ending.proven)? {
                    Ok(()) => Outcome::Linked(ending),
                    Err(refusal) => Outcome::Refused(ending, refusal),
                },
            )
        })
        .await?;
    match outcome {
        Outcome::Linked(ending) => Ok(back(&ending.link, Some("linked"))),
        Outcome::GivenUp(ending) => Ok(back(&ending.link, None)),
        Outcome::Changed => Ok(Redirect::to(&Destination::Link(id).path()).into_response()),
        Outcome::Refused(ending, refusal) => refused(&app, &ctx, &ending, refusal),
    }
}

enum Outcome {
    Linked(Box<Ending>),
    GivenUp(Box<Ending>),
    Changed,
    Refused(Box<Ending>, Refusal),
}
