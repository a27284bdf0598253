//! The start page, the display page for codes, and the files that pages load.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::account_sessions::SESSIONS;
use super::destination::{ADDRESS, CONSENTS, CONSOLE, DEVELOPERS, IDENTITIES, SECURITY};
use super::pages::sign_in::{AuthCodeOutcome, AuthCodePage};
use super::pages::{HomePage, HomeState, Href, Link};
use super::{assets, find_session, layout, render};
use crate::app::{App, Ctx};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy};
use crate::http::extract::Query;
use crate::store::identities;

/// `GET /`
pub async fn home(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Result<Response> {
    let hash = Cookie::read(&headers, &app.config).map(|cookie| cookie.hash);
    let (shared, unit_ctx) = (app.clone(), ctx.clone());
    let (is_set_up, signed_in) = app
        .db
        .read(move |tx| {
            let session = match &hash {
                Some(hash) => find_session(tx, &shared, &unit_ctx, hash)?,
                None => None,
            };
            let person = session.and_then(|(_, person)| person);
            Ok::<_, Error>((identities::has_administrator(tx)?, person))
        })
        .await?;
    let administers = signed_in.as_ref().is_some_and(|person| person.administers);
    let console = administers.then(|| Link {
        text: ctx.text("console-title").into(),
        href: Href::path(CONSOLE),
    });
    let console: Vec<Link> = console.into_iter().collect();
    let state = match &signed_in {
        Some(_) => HomeState::SignedIn {
            links: [
                vec![
                    Link {
                        text: ctx.text("consents-title").into(),
                        href: Href::path(CONSENTS),
                    },
                    Link {
                        text: ctx.text("home-security").into(),
                        href: Href::path(SECURITY),
                    },
                    Link {
                        text: ctx.text("sessions-title").into(),
                        href: Href::path(SESSIONS),
                    },
                    Link {
                        text: ctx.text("account-address").into(),
                        href: Href::path(ADDRESS),
                    },
                    Link {
                        text: ctx.text("identities-title").into(),
                        href: Href::path(IDENTITIES),
                    },
                    Link {
                        text: ctx.text("home-projects").into(),
                        href: Href::path(DEVELOPERS),
                    },
                ],
                console,
            ]
            .concat(),
            sign_out: Href::path("/v2/web/logout"),
        },
        None if is_set_up => HomeState::SignedOut {
            sign_in: Some(Href::path("/p/login")),
        },
        None => HomeState::NotSetUp,
    };
    let page = HomePage {
        layout: layout(&app, &ctx, "Portolan", signed_in.as_ref()),
        issuer: app.config.issuer(),
        state,
    };
    render(&page, &PagePolicy::default())
}

/// `GET /v2/web/auth-code`: shows a code for copy and paste (wire.md 2.1.5).
pub async fn auth_code(State(app): State<App>, ctx: Ctx, query: Result<Query>) -> Result<Response> {
    let Query(params) = query?;
    let outcome = match (params.get("code"), params.get("error")) {
        (Some(code), None) => AuthCodeOutcome::Code(code.to_owned()),
        (_, Some(error)) => AuthCodeOutcome::Refused {
            error: error.to_owned(),
            description: params.get("error_description").map(str::to_owned),
        },
        (None, None) => AuthCodeOutcome::Nothing,
    };
    let page = AuthCodePage {
        layout: layout(&app, &ctx, ctx.text("code-title"), None),
        outcome,
    };
    render(
        &page,
        &PagePolicy {
            form_target: None,
            no_referrer: true,
        },
    )
}

/// `GET /static/{*path}`
pub async fn asset(Path(path): Path<String>) -> Result<Response> {
    let asset = assets::serve(&path).ok_or_else(|| Error::not_found("file"))?;
    Ok(file(asset, assets::CACHE_CONTROL))
}

/// `GET /favicon.ico`
pub async fn favicon() -> Result<Response> {
    let asset = assets::find("favicon.svg").ok_or_else(|| Error::not_found("file"))?;
    Ok(file(asset, "public, max-age=86400"))
}

fn file(asset: assets::Asset, cache_control: &'static str) -> Response {
    let mut response = asset.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", asset.hash)) {
        headers.insert(ETAG, etag);
    }
    response
}
