//! The consent page and the shorter "Continue as …" page.
//!
//! What is approved is what was shown: the form names the tree it was made from, and if
//! that has changed meanwhile the person sees the new one.

use std::collections::HashSet;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, ScopeRequest, TokenHash};
use uuid::Uuid;

use super::destination::CONSENTS;
use super::pages::consent::{AccessDuration, ConsentPage, ScopeNode};
use super::pages::sign_in::ContinueAsPage;
use super::pages::{FormErrors, Href};
use super::{SignedIn, Waiting, account_view, find_session, find_waiting, render, request_id, resume, speaking};
use crate::app::{App, Ctx};
use crate::domain::consent::{self, Approval, Decision, path_id};
use crate::domain::scope::{self, Node};
use crate::domain::{identity, token_format};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, checked_form, form_target, stale_form};
use crate::http::extract::{Form, Params, Query};
use crate::store::audit::{self, Actor, Event};
use crate::store::authorization_requests;
use crate::store::identities::Identity;
use crate::texts::Language;

/// All that the pages of this file need.
struct Asked {
    waiting: Waiting,
    person: SignedIn,
    effective: Identity,
    trees: Vec<Node>,
}

enum Found {
    Asked(Box<Asked>),
    /// Something else has to happen first: look again.
    Elsewhere,
}

fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &TokenHash, id: Uuid) -> Result<(BrowserSessionId, Found)> {
    let (session, person) = find_session(tx, app, ctx, cookie)?.ok_or_else(super::expired)?;
    let waiting = find_waiting(tx, ctx, session, id)?;
    let Some(person) = person else {
        return Ok((session, Found::Elsewhere));
    };
    let Some(effective) = identity::effective(tx, &person.identity, waiting.client.required_idp)? else {
        return Ok((session, Found::Elsewhere));
    };
    let scopes = ScopeRequest::parse(&waiting.request.scope).map_err(Error::internal)?;
    let trees = scope::expand(tx, &scopes, &waiting.client)?;
    Ok((
        session,
        Found::Asked(Box::new(Asked {
            waiting,
            person,
            effective,
            trees,
        })),
    ))
}

/// `GET /p/consent`
pub async fn consent_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let (cookie, id) = read(&app, &headers, &params)?;
    match load(&app, &ctx, &cookie, id).await? {
        Found::Elsewhere => Ok(resume(id)),
        Found::Asked(asked) => show(&app, &ctx, &cookie, &asked, FormErrors::none()),
    }
}

fn read(app: &App, headers: &HeaderMap, params: &Params) -> Result<(Cookie, Uuid)> {
    let cookie = Cookie::read(headers, &app.config).ok_or_else(super::expired)?;
    let id = request_id(params)?.ok_or_else(super::expired)?;
    Ok((cookie, id))
}

async fn load(app: &App, ctx: &Ctx, cookie: &Cookie, id: Uuid) -> Result<Found> {
    let (shared, ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    app.db
        .read(move |tx| find(tx, &shared, &ctx, &hash, id).map(|(_, found)| found))
        .await
}

fn show(app: &App, ctx: &Ctx, cookie: &Cookie, asked: &Asked, errors: FormErrors) -> Result<Response> {
    let Asked {
        waiting,
        person,
        effective,
        trees,
    } = asked;
    let request = &waiting.request;
    let ctx = &speaking(ctx, Some(waiting));
    let duration = if request.offline && trees.iter().any(|tree| tree.scope.allows_refresh_token) {
        AccessDuration::WhileAway {
            idle_end: Some(Duration::from_secs(app.config.refresh_idle_lifetime_seconds)),
        }
    } else {
        AccessDuration::WhilePresent {
            lifetime: Duration::from_secs(app.config.access_token_lifetime_seconds),
        }
    };
    let wants_label = waiting.client.prompt_for_named_grant || request.label.is_some();
    let page = ConsentPage {
        layout: waiting.layout(app, ctx, ctx.text("consent-title"), Some(person)),
        action: format!("/p/consent?shown={}", fingerprint(trees)),
        form_token: cookie.form_token(app),
        request: Some(waiting.parked.id.to_string()),
        client: waiting.client_view(),
        account: account_view(effective),
        scopes: view(ctx.language, trees, &mut Vec::new()),
        duration,
        label: wants_label.then(|| request.label.clone().unwrap_or_default()),
        destination: form_target(&request.redirect_uri),
        consents_page: Some(Href::path(CONSENTS)),
        can_switch_account: false,
        errors,
        time_limit: waiting.time_left(ctx),
    };
    render(&page, &waiting.policy())
}

fn view(language: Language, nodes: &[Node], indexes: &mut Vec<usize>) -> Vec<ScopeNode> {
    let mut shown = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        indexes.push(index);
        shown.push(ScopeNode {
            language,
            path_id: path_id(indexes),
            name: node.scope.name.clone(),
            description: node.scope.description.clone(),
            scope_string: node.requested.clone(),
            resource: node.scope.owner_name.clone(),
            // A root is what the app asks for; only what lies beneath can be left out alone.
            optional: node.optional && indexes.len() > 1,
            checked: true,
            children: view(language, &node.children, indexes),
        });
        indexes.pop();
    }
    shown
}

/// Names the tree that a page shows.
fn fingerprint(trees: &[Node]) -> String {
    fn write(nodes: &[Node], text: &mut String) {
        for node in nodes {
            text.push_str(&node.scope.id.to_string());
            text.push(if node.optional { '?' } else { '!' });
            text.push('(');
            write(&node.children, text);
            text.push(')');
        }
    }
    let mut text = String::new();
    write(trees, &mut text);
    URL_SAFE_NO_PAD.encode(&token_format::hash(&text).0[..16])
}

/// The optional places of the trees; what was not ticked of them is declined.
fn optional_places(nodes: &[Node], indexes: &mut Vec<usize>, places: &mut HashSet<String>) {
    for (index, node) in nodes.iter().enumerate() {
        indexes.push(index);
        if node.optional && indexes.len() > 1 {
            places.insert(path_id(indexes));
        }
        optional_places(&node.children, indexes, places);
        indexes.pop();
    }
}

/// `POST /p/consent`
pub async fn decide_consent(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Result<Response> {
    let (Query(query), Form(form)) = (query?, form?);
    let cookie = Cookie::read(&headers, &app.config).ok_or_else(stale_form)?;
    cookie.check_form(&app, &form)?;
    let id = request_id(&form)?.ok_or_else(super::expired)?;
    let asked = match load(&app, &ctx, &cookie, id).await? {
        Found::Elsewhere => return Ok(resume(id)),
        Found::Asked(asked) => asked,
    };
    let ctx = speaking(&ctx, Some(&asked.waiting));
    match form.get("decision") {
        Some("allow") => {}
        Some("deny") => {
            app.db
                .write(move |tx| authorization_requests::decide(tx, id, "deny"))
                .await?;
            return Ok(resume(id));
        }
        _ => {
            return show(
                &app,
                &ctx,
                &cookie,
                &asked,
                FormErrors::whole(ctx.text("consent-choose")),
            );
        }
    }
    let shown = query.get("shown").unwrap_or("").to_owned();
    let ticked: HashSet<String> = form.list("scope_optional").into_iter().map(str::to_owned).collect();
    let label: Option<String> = form
        .get("label")
        .map(|label| label.chars().filter(|c| !c.is_control()).take(100).collect());
    let (shared, unit_ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    let approved = app
        .db
        .write(move |tx| {
            let (_, found) = find(tx, &shared, &unit_ctx, &hash, id)?;
            let Found::Asked(asked) = found else { return Ok::<_, Error>(true) };
            if fingerprint(&asked.trees) != shown {
                return Ok(false);
            }
            let mut declined = HashSet::new();
            optional_places(&asked.trees, &mut Vec::new(), &mut declined);
            declined.retain(|place| !ticked.contains(place));
            let decision = Decision {
                identity_id: asked.effective.id,
                client_id: asked.waiting.client.id,
                trees: &asked.trees,
                declined: &declined,
                offline: asked.waiting.request.offline,
                label: label.as_deref(),
                approval: Approval::ByPerson,
            };
            consent::approve(tx, &unit_ctx, &decision)?;
            authorization_requests::decide(tx, id, "allow")?;
            let event = Event {
                action: "consent.approve",
                actor: Actor::Identity(asked.person.identity.id),
                resource_kind: "client",
                resource_id: asked.waiting.client.id.to_string(),
                detail: serde_json::json!({ "scope": asked.waiting.request.scope, "offline": asked.waiting.request.offline }),
            };
            audit::insert(tx, &unit_ctx, &event)?;
            Ok(true)
        })
        .await?;
    if approved {
        return Ok(resume(id));
    }
    let errors = FormErrors::whole(ctx.text("consent-changed"));
    match load(&app, &ctx, &cookie, id).await? {
        Found::Elsewhere => Ok(resume(id)),
        Found::Asked(asked) => show(&app, &ctx, &cookie, &asked, errors),
    }
}

/// `GET /p/continue`: everything was approved before, but a program on a person's machine
/// gets no code without the person seeing it (decisions, section 3).
pub async fn continue_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let (cookie, id) = read(&app, &headers, &params)?;
    let asked = match load(&app, &ctx, &cookie, id).await? {
        Found::Elsewhere => return Ok(resume(id)),
        Found::Asked(asked) => asked,
    };
    let ctx = speaking(&ctx, Some(&asked.waiting));
    let page = ContinueAsPage {
        layout: asked
            .waiting
            .layout(&app, &ctx, ctx.text("consent-continue-title"), Some(&asked.person)),
        action: "/p/continue".into(),
        form_token: cookie.form_token(&app),
        request: Some(id.to_string()),
        client: asked.waiting.client_view(),
        account: account_view(&asked.effective),
        destination: form_target(&asked.waiting.request.redirect_uri),
        can_switch_account: false,
        time_limit: asked.waiting.time_left(&ctx),
    };
    render(&page, &asked.waiting.policy())
}

/// `POST /p/continue`
pub async fn decide_continue(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let id = request_id(&form)?.ok_or_else(super::expired)?;
    let decision = match form.get("decision") {
        Some("allow") => "continue",
        _ => "deny",
    };
    let (shared, hash) = (app.clone(), cookie.hash);
    app.db
        .write(move |tx| {
            let (_, found) = find(tx, &shared, &ctx, &hash, id)?;
            match found {
                Found::Asked(_) => authorization_requests::decide(tx, id, decision),
                Found::Elsewhere => Ok(()),
            }
        })
        .await?;
    Ok(resume(id))
}
