//! What can be done to a person, a client or an identity provider. Each action is asked about
//! on a page of its own, and the form of that page does it.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use portolan_db::{ReadTx, WriteTx};

use super::{Administrator, Visit, Wants, go_on, inside};
use crate::app::{App, Ctx};
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::web::pages::console::ConfirmPage;
use crate::web::pages::{FormErrors, Href};
use crate::web::render;
use crate::web::visit::Page;

/// An action, as addresses name it: `AREA/{id}/{name}`.
pub trait Action: Copy + PartialEq + Send + Sync + 'static {
    /// What it is done to.
    type Thing: Send + 'static;

    /// The list of such things, beneath the console.
    const AREA: &'static str;
    const NAMES: &'static [(&'static str, Self)];
    /// After which there is no page of the thing any more.
    const LAST: Option<Self>;

    fn find(tx: &mut ReadTx, id: &str) -> Result<Self::Thing>;

    fn question(self, ctx: &Ctx, thing: &Self::Thing) -> Question;

    /// Does it. What it refuses is told on the page that asked.
    fn run(
        self,
        tx: &mut WriteTx,
        app: &App,
        ctx: &Ctx,
        administrator: &Administrator,
        thing: &Self::Thing,
    ) -> Result<()>;
}

/// What is asked before something is done.
pub struct Question {
    pub title: String,
    pub text: Vec<String>,
    pub button: &'static str,
    pub is_dangerous: bool,
}

fn named<A: Action>(name: &str) -> Result<A> {
    let found = A::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, action)| *action).ok_or_else(|| Error::not_found(""))
}

/// Those of the actions that are possible, with the pages that ask.
pub fn offer<A: Action>(id: &str, is_possible: impl Fn(A) -> bool) -> Vec<(A, Href)> {
    A::NAMES
        .iter()
        .filter(|(_, action)| is_possible(*action))
        .map(|(name, action)| (*action, inside(&format!("{}/{id}/{name}", A::AREA))))
        .collect()
}

/// The page that asks.
pub async fn ask<A: Action>(app: App, ctx: Ctx, headers: &HeaderMap, id: &str, name: &str) -> Page {
    let action: A = named(name)?;
    let visit = Visit::new(app, ctx, headers, format!("{}/{id}/{name}", A::AREA));
    show(&visit, action, id, name, FormErrors::none()).await
}

async fn show<A: Action>(visit: &Visit, action: A, id: &str, name: &str, errors: FormErrors) -> Page {
    let wanted = id.to_owned();
    let (administrator, thing) = visit.read(Wants::Prepare, move |tx, _| A::find(tx, &wanted)).await?;
    let question = action.question(&visit.ctx, &thing);
    let page = ConfirmPage {
        layout: visit.layout(&question.title, &administrator),
        form_token: visit.form_token(),
        action: inside(&format!("{}/{id}/{name}", A::AREA)),
        text: question.text,
        button: question.button.to_owned(),
        is_dangerous: question.is_dangerous,
        keep: inside(&format!("{}/{id}", A::AREA)),
        errors,
    };
    let mut response: Response = render(&page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

/// Does it and goes on, or asks once more with what was refused.
pub async fn act<A: Action>(visit: &Visit, id: &str, name: &str) -> Page {
    let action: A = named(name)?;
    let (app, ctx, wanted) = (visit.app.clone(), visit.ctx.clone(), id.to_owned());
    let done = visit
        .change(move |tx, administrator| {
            let thing = A::find(tx, &wanted)?;
            action.run(tx, &app, &ctx, administrator, &thing)
        })
        .await?;
    match done {
        Ok(()) if A::LAST == Some(action) => Ok(go_on(A::AREA)),
        Ok(()) => Ok(go_on(&format!("{}/{id}?notice={name}", A::AREA))),
        Err(refusal) => {
            let errors = FormErrors::refusal(visit.ctx.language, &refusal);
            show(visit, action, id, name, errors).await
        }
    }
}
