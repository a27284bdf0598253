//! Somebody at a page of an area for people who are signed in, or with a form of it: the
//! developer area and the operator console. Whom an area is for, and what it asks of their
//! sign-in, the area says itself; how a page finds them, how a form changes something and
//! how they come back after signing in is the same for all.

use std::marker::PhantomData;

use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::BrowserSessionId;

use super::destination::{Destination, Inside};
use super::pages::Layout;
use super::{SignedIn, layout};
use crate::app::{App, Ctx};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, checked_form, stale_form};
use crate::http::extract::{Form, Params};
use crate::http::upload::Upload;
use crate::store::sessions;

/// Why a page is not shown.
pub enum Stop {
    Error(Error),
    /// The person has to sign in first, and comes back.
    SignIn(Destination),
}

pub type Page = Result<Response, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Stop::Error(error) => error.into_response(),
            Stop::SignIn(destination) => Redirect::to(&destination.login_path()).into_response(),
        }
    }
}

/// Whom an area is for.
pub trait Visitor: Sized + Send + 'static {
    /// None if nobody is signed in.
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &Cookie) -> Result<Option<Self>>;

    fn session(&self) -> BrowserSessionId;

    fn person(&self) -> &SignedIn;

    /// Whether the sign-in is good enough for a change, whatever is changed.
    fn may_change(&self) -> bool;

    /// The page at this path of the area, for somebody who has to sign in first.
    fn way_back(here: Inside) -> Destination;

    /// Whether an error is about what was asked, and not about who asked it.
    fn is_refusal(error: &Error) -> bool;

    /// What becomes of an error that is no refusal.
    fn stop(_here: &Inside, error: Error) -> Stop {
        Stop::Error(error)
    }
}

pub struct Visit<V> {
    pub app: App,
    pub ctx: Ctx,
    cookie: Option<Cookie>,
    /// Where they come back to if they have to sign in first.
    here: Inside,
    visitor: PhantomData<fn() -> V>,
}

impl<V: Visitor> Visit<V> {
    fn at(app: App, ctx: Ctx, cookie: Option<Cookie>, here: impl Into<String>) -> Self {
        Self {
            app,
            ctx,
            cookie,
            here: Inside::new(here),
            visitor: PhantomData,
        }
    }

    /// Of the page at this path beneath the area.
    pub fn new(app: App, ctx: Ctx, headers: &HeaderMap, here: impl Into<String>) -> Self {
        let cookie = Cookie::read(headers, &app.config);
        Self::at(app, ctx, cookie, here)
    }

    /// With a form; whoever has to sign in first comes back to the page at this path.
    pub fn with_form(
        app: App,
        ctx: Ctx,
        headers: &HeaderMap,
        form: Result<Form>,
        here: impl Into<String>,
    ) -> Result<(Self, Params)> {
        let (cookie, form) = checked_form(&app, headers, form)?;
        Ok((Self::at(app, ctx, Some(cookie), here), form))
    }

    /// With a form that may hold a file, of the page at this path.
    pub fn with_upload(
        app: App,
        ctx: Ctx,
        headers: &HeaderMap,
        form: &Upload,
        here: impl Into<String>,
    ) -> Result<Self> {
        let cookie = Cookie::read(headers, &app.config).ok_or_else(stale_form)?;
        cookie.check_form(&app, &form.params)?;
        Ok(Self::at(app, ctx, Some(cookie), here))
    }

    fn sign_in_first(&self) -> Stop {
        Stop::SignIn(V::way_back(self.here.clone()))
    }

    /// The visitor, if the area lets them in, with what this finds for them.
    pub(super) async fn find<T, F>(&self, admits: fn(&V) -> bool, find: F) -> Result<(V, T), Stop>
    where
        T: Send + 'static,
        F: Fn(&mut ReadTx, &V) -> Result<T> + Send + 'static,
    {
        let Some(cookie) = self.cookie.clone() else {
            return Err(self.sign_in_first());
        };
        let (app, ctx) = (self.app.clone(), self.ctx.clone());
        let found = self.app.db.read(move |tx| {
            let Some(visitor) = V::find(tx, &app, &ctx, &cookie)?.filter(admits) else {
                return Ok(None);
            };
            let found = find(tx, &visitor)?;
            Ok::<_, Error>(Some((visitor, found)))
        });
        match found.await {
            Ok(found) => found.ok_or_else(|| self.sign_in_first()),
            Err(error) => Err(V::stop(&self.here, error)),
        }
    }

    /// Changes something. The inner error is a refusal of what was asked, to be shown where
    /// it was asked.
    pub async fn change<T, F>(&self, change: F) -> Result<Result<T>, Stop>
    where
        T: Send + 'static,
        F: Fn(&mut WriteTx, &V) -> Result<T> + Send + 'static,
    {
        let Some(cookie) = self.cookie.clone() else {
            return Err(self.sign_in_first());
        };
        let (app, ctx) = (self.app.clone(), self.ctx.clone());
        let changed = self.app.db.write(move |tx| {
            let Some(visitor) = V::find(tx, &app, &ctx, &cookie)?.filter(V::may_change) else {
                return Ok(None);
            };
            sessions::touch(tx, visitor.session(), ctx.now)?;
            let changed = change(tx, &visitor)?;
            Ok::<_, Error>(Some(changed))
        });
        match changed.await {
            Ok(Some(changed)) => Ok(Ok(changed)),
            Ok(None) => Err(self.sign_in_first()),
            Err(error) if V::is_refusal(&error) => Ok(Err(error)),
            Err(error) => Err(V::stop(&self.here, error)),
        }
    }

    /// For the forms of the page.
    pub fn form_token(&self) -> String {
        self.cookie
            .as_ref()
            .map_or_else(String::new, |cookie| cookie.form_token(&self.app))
    }

    pub fn layout(&self, title: &str, visitor: &V) -> Layout {
        layout(&self.app, &self.ctx, title, Some(visitor.person()))
    }
}
