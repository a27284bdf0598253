//! Signing keys: which there are, what each does now, and their rotation.

use axum::extract::State;
use http::HeaderMap;

use super::{Visit, Wants, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::keys::rotation::{PUBLISH_LEAD, Schedule, state};
use crate::domain::keys::{KeyKind, KeySet, StoredKey};
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::jobs;
use crate::store::keys;
use crate::web::pages::Moment;
use crate::web::pages::console::{KeyRow, KeysNotice, KeysPage, RotationPage};
use crate::web::render;
use crate::web::visit::Page;

/// `GET /p/console/keys`
pub async fn keys_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "keys");
    let (administrator, mut stored) = visit.read(Wants::Look, |tx, _| keys::list(tx)).await?;
    stored.sort_by_key(|key| std::cmp::Reverse((key.sign_from, key.created_at, key.id)));
    let row = |key: &StoredKey| KeyRow {
        id: key.id.to_string(),
        kind: key.kind.name().to_owned(),
        state: state(&stored, key, visit.ctx.now),
        signs_from: Moment::minute(key.sign_from),
        retires: key.retire_at.map(Moment::minute),
    };
    let page = KeysPage {
        layout: visit.layout(visit.ctx.text("console-keys-title"), &administrator),
        notice: match params.get("notice") {
            Some("rotated") => Some(KeysNotice::Rotated),
            Some("waiting") => Some(KeysNotice::Waiting),
            _ => None,
        },
        keys: stored.iter().map(row).collect(),
        rotation_days: visit.app.config.signing_key_rotation_days,
        rotate: inside("keys/rotate"),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// `GET /p/console/keys/rotate`
pub async fn rotation_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "keys/rotate");
    let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let page = RotationPage {
        layout: visit.layout(visit.ctx.text("console-rotate-title"), &administrator),
        form_token: visit.form_token(),
        action: inside("keys/rotate"),
        keep: inside("keys"),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/console/keys/rotate`
pub async fn rotate_keys(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, "keys/rotate")?;
    let schedule = match form.get("schedule") {
        Some("published") => Schedule::Published { lead: PUBLISH_LEAD },
        Some("now") => Schedule::Now,
        Some("compromised") => Schedule::Compromised,
        _ => return Err(Error::invalid_request("schedule: choose when the new keys sign").into()),
    };
    // Before keys are made, which takes its time.
    visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let now = visit.ctx.now;
    let shared = visit.app.clone();
    let spares = tokio::task::spawn_blocking(move || {
        let make = |kind| jobs::keys::generate(&shared.master_key, kind, now);
        KeyKind::ALL.into_iter().map(make).collect::<Result<Vec<StoredKey>>>()
    })
    .await
    .map_err(Error::internal)??;
    let unit_ctx = visit.ctx.clone();
    let rotated = visit
        .change(move |tx, administrator| {
            let mut all = jobs::keys::Rotated::default();
            for spare in &spares {
                let rotated = jobs::keys::rotate_for(tx, &unit_ctx, administrator.actor(), schedule, spare)?;
                all.is_changed |= rotated.is_changed;
                all.has_successor |= rotated.has_successor;
            }
            Ok(all)
        })
        .await??;
    if rotated.has_successor {
        let unit_ctx = visit.ctx.clone();
        visit
            .app
            .db
            .write(move |tx| jobs::keys::tell_projects(tx, &unit_ctx))
            .await?;
    }
    // Here at once; other nodes read the keys every half minute.
    let stored = visit.app.db.read(keys::list).await?;
    visit
        .app
        .set_keys(KeySet::load(&visit.app.master_key, &stored).map_err(Error::internal)?);
    Ok(go_on(if rotated.is_changed {
        "keys?notice=rotated"
    } else {
        "keys?notice=waiting"
    }))
}
