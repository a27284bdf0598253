//! HTML pages, one file per area. They know no protocol: a page that belongs to an
//! authorization request ends with a redirect to `/p/authorize`, which looks again. Their words
//! are Fluent messages; `texts` tells how to write them.

pub mod account_sessions;
pub mod address;
pub mod assets;
mod by_link;
mod choice;
pub mod consent;
pub mod consents;
pub mod console;
mod demands;
pub mod destination;
pub mod developers;
mod device;
pub mod domains;
pub mod factor;
pub mod home;
pub mod identities;
pub mod language;
pub mod linking;
pub mod login;
pub mod logout;
pub mod pages;
pub mod policies;
pub mod provider_login;
pub mod reset;
pub mod scopes;
pub mod security;
pub mod setup;
mod sign_in;
pub mod sign_up;
pub mod skin;
pub mod texts;
pub mod user_agent;
mod visit;

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, TokenHash};
use uuid::Uuid;

use crate::app::{App, Ctx};
use crate::domain::authorization::AuthorizationRequest;
use crate::error::{Error, Result};
use crate::http::browser::{self, PagePolicy};
use crate::http::extract::Params;
use crate::store::authorization_requests::{self, Parked};
use crate::store::clients::{self, Client};
use crate::store::identities::{Identity, find as find_identity, is_administrator};
use crate::store::sessions::{self, Authentication};
use crate::texts::{Language, words};
use pages::skin::SkinView;
use pages::{AccountView, ClientView, Layout};

/// A parked request with what its pages show.
pub struct Waiting {
    pub parked: Parked,
    pub request: AuthorizationRequest,
    pub client: Client,
    /// Of an instance: the template, under whose name it appears.
    pub template: Option<Client>,
    /// How the app looks.
    pub skin: Option<SkinView>,
}

/// Who is signed in in a browser.
pub struct SignedIn {
    pub identity: Identity,
    pub authentication: Authentication,
    /// Whether the console is for this person.
    pub administers: bool,
}

/// The session behind the cookie with the person signed in to it, if there is one.
fn find_session(
    tx: &mut ReadTx,
    app: &App,
    ctx: &Ctx,
    cookie: &TokenHash,
) -> Result<Option<(BrowserSessionId, Option<SignedIn>)>> {
    let (idle, _) = browser::session_lifetimes(&app.config);
    let Some(session) = sessions::find(tx, cookie, ctx.now, idle)? else {
        return Ok(None);
    };
    // The newest of an identity that may sign in: an operator may have switched off the provider
    // of one of them, and the authorization endpoint sees the others too.
    for authentication in sessions::list_authentications(tx, session.id)? {
        let identity = find_identity(tx, authentication.identity_id)?;
        if let Some(identity) = identity.filter(Identity::is_live) {
            let person = SignedIn {
                administers: is_administrator(tx, identity.id)?,
                identity,
                authentication,
            };
            return Ok(Some((session.id, Some(person))));
        }
    }
    Ok(Some((session.id, None)))
}

/// The request that a page belongs to; only the browser that made it gets it.
fn find_waiting(tx: &mut ReadTx, ctx: &Ctx, session: BrowserSessionId, id: Uuid) -> Result<Waiting> {
    let parked = authorization_requests::find(tx, id, session, ctx.now)?.ok_or_else(expired)?;
    let request: AuthorizationRequest = serde_json::from_str(&parked.parameters).map_err(Error::internal)?;
    let client = clients::find(tx, parked.client_id)?
        .filter(|client| client.enabled)
        .ok_or_else(expired)?;
    let template = match client.parent_client_id.filter(|_| client.is_instance) {
        Some(template) => clients::find(tx, template)?,
        None => None,
    };
    let skin = skin::of_client(tx, template.as_ref().unwrap_or(&client))?;
    Ok(Waiting {
        parked,
        request,
        client,
        template,
        skin,
    })
}

impl Waiting {
    fn client_view(&self) -> ClientView {
        client_view(&self.client, self.template.as_ref())
    }

    /// The layout of one of its pages, which looks like the app.
    fn layout(&self, app: &App, ctx: &Ctx, title: &str, signed_in: Option<&SignedIn>) -> Layout {
        Layout {
            skin: self.skin.clone(),
            ..layout(app, ctx, title, signed_in)
        }
    }

    /// Where its forms may end: the redirect after the last one goes to the app.
    fn policy(&self) -> PagePolicy {
        PagePolicy {
            form_target: browser::form_target(&self.request.redirect_uri),
            no_referrer: false,
        }
    }

    fn time_left(&self, ctx: &Ctx) -> Option<std::time::Duration> {
        let waited = ctx.now.since(self.parked.parked_at);
        std::time::Duration::from_secs(3600).checked_sub(waited)
    }
}

/// The pages of a request speak what its app asks for, unless the person has chosen here.
fn speaking(ctx: &Ctx, waiting: Option<&Waiting>) -> Ctx {
    wished_by(ctx, waiting.and_then(|waiting| waiting.request.ui_locales.as_deref()))
}

fn wished_by(ctx: &Ctx, ui_locales: Option<&str>) -> Ctx {
    let wished = ui_locales
        .filter(|_| !ctx.language_is_chosen)
        .and_then(Language::of_locales);
    Ctx {
        language: wished.unwrap_or(ctx.language),
        ..ctx.clone()
    }
}

fn account_view(identity: &Identity) -> AccountView {
    AccountView {
        username: identity.username.clone(),
        name: identity.name.clone(),
        provider: Some(identity.provider_name.clone()),
    }
}

/// Anybody can register an instance under any name, so the template's name is shown.
fn client_view(client: &Client, template: Option<&Client>) -> ClientView {
    let shown = template.unwrap_or(client);
    let view = ClientView::new(
        &shown.name,
        shown.terms_and_conditions.as_deref(),
        shown.privacy_policy.as_deref(),
    );
    match (template, &client.device_name) {
        (Some(_), Some(device)) => view.registered_as(device),
        _ => view,
    }
}

fn expired() -> Error {
    Error::invalid_request("this sign-in has expired or was finished already; go back to the app and start again")
        .said(words("error-expired"))
}

/// The id of the request that a page belongs to.
fn request_id(params: &Params) -> Result<Option<Uuid>> {
    params
        .get("request")
        .map(|id| id.parse().map_err(|_| expired()))
        .transpose()
}

fn layout(app: &App, ctx: &Ctx, title: &str, signed_in: Option<&SignedIn>) -> Layout {
    Layout {
        language: ctx.language,
        title: title.to_owned(),
        request_id: ctx.request_id.to_string(),
        operator_contact: app.config.operator_contact.clone(),
        signed_in_as: signed_in.map(|person| person.identity.username.clone()),
        administers: signed_in.is_some_and(|person| person.administers),
        skin: None,
        offers_languages: ctx.can_be_reloaded,
    }
}

fn render(page: &impl Template, policy: &PagePolicy) -> Result<Response> {
    Ok(browser::page(page.render().map_err(Error::internal)?, policy))
}

/// Back to the endpoint that parked the request.
fn resume(id: Uuid) -> Response {
    Redirect::to(&format!("/p/authorize?request={id}")).into_response()
}
