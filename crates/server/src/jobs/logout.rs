//! Delivers logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.5) through the
//! guarded client for outgoing calls. Several at a time, so that slow servers wait for each
//! other only a little; a client that fails is left alone for a while, and given up after
//! some hours.

use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;

use crate::app::App;
use crate::domain::keys::SigningAlgorithm;
use crate::domain::logout::{self, Claims};
use crate::error::{Error, Result};
use crate::metrics::Mail;
use crate::store::audit::{self, Actor, Event};
use crate::store::logout_deliveries::{self, Claimed};
use crate::store::{client_logout, clients};
use crate::upstream::fetch::Outgoing;

const BATCH: i64 = 16;
const MAX_BATCHES: usize = 50;
/// Longer than a batch takes at its worst.
const CLAIM: Duration = Duration::from_secs(60);
/// Seconds before the next attempt; after the last one it is given up.
const DELAYS: [u64; 6] = [5, 30, 120, 600, 3600, 4 * 3600];

/// One turn; returns how many tokens were taken.
pub async fn run_once(app: &App) -> Result<usize> {
    let mut delivered = 0;
    for _ in 0..MAX_BATCHES {
        let now = app.clock.now();
        if !app.db.read(move |tx| logout_deliveries::is_due(tx, now)).await? {
            break;
        }
        let claimed = app
            .db
            .write(move |tx| logout_deliveries::claim(tx, now, now + CLAIM, BATCH))
            .await?;
        let mut attempts = JoinSet::new();
        for claimed in claimed {
            let app = app.clone();
            attempts.spawn(async move { deliver(&app, claimed).await });
        }
        while let Some(attempt) = attempts.join_next().await {
            delivered += usize::from(attempt.map_err(Error::internal)??);
        }
    }
    Ok(delivered)
}

async fn deliver(app: &App, claimed: Claimed) -> Result<bool> {
    let (id, now) = (claimed.delivery.id, app.clock.now());
    let outcome = send(app, &claimed).await?;
    let Err(reason) = outcome else {
        app.db.write(move |tx| logout_deliveries::delete(tx, id)).await?;
        app.metrics.backchannel_logout(Mail::Sent);
        return Ok(true);
    };
    let client = claimed.delivery.client_id;
    let index = usize::try_from(claimed.attempts - 1).unwrap_or_default();
    if let Some(seconds) = DELAYS.get(index) {
        tracing::warn!(%client, attempt = claimed.attempts, %reason, "a logout token was not taken; trying again later");
        app.metrics.backchannel_logout(Mail::Failed);
        let delay = Duration::from_secs(*seconds);
        app.db
            .write(move |tx| logout_deliveries::postpone(tx, &claimed.delivery, now, delay))
            .await?;
        return Ok(false);
    }
    tracing::error!(%client, attempts = claimed.attempts, %reason, "a logout token is given up");
    app.metrics.backchannel_logout(Mail::GivenUp);
    let ctx = app.background();
    app.db
        .write(move |tx| {
            logout_deliveries::delete(tx, id)?;
            let event = Event {
                action: "logout.give_up",
                actor: Actor::System,
                resource_kind: "client",
                resource_id: client.to_string(),
                detail: serde_json::json!({ "reason": reason, "attempts": claimed.attempts }),
            };
            audit::insert(tx, &ctx, &event)
        })
        .await?;
    Ok(false)
}

/// The inner error says why the client has not taken the token.
async fn send(app: &App, claimed: &Claimed) -> Result<std::result::Result<(), String>> {
    let id = claimed.delivery.client_id;
    let (client, registered) = app
        .db
        .read(move |tx| Ok::<_, Error>((clients::find(tx, id)?, client_logout::find(tx, id)?)))
        .await?;
    let (Some(client), Some(uri)) = (client, registered.backchannel_logout_uri) else {
        // Nobody wants to know any more.
        return Ok(Ok(()));
    };
    let name = client
        .id_token_algorithm
        .as_deref()
        .unwrap_or(&app.config.id_token_algorithm);
    let algorithm =
        SigningAlgorithm::parse(name).ok_or_else(|| Error::internal("an unknown ID token algorithm is configured"))?;
    let (issuer, now) = (app.config.issuer(), app.clock.now());
    let claims = Claims::new(&issuer, &claimed.delivery, now);
    let token = app.keys().sign_jws(algorithm, now, logout::TYPE, &claims)?;
    let answer = app.fetcher.send(Outgoing::form(uri, &[("logout_token", &token)])).await;
    Ok(match answer {
        Ok(answer) if matches!(answer.status, StatusCode::OK | StatusCode::NO_CONTENT) => Ok(()),
        Ok(answer) => Err(format!("the app's server answered {}", answer.status.as_u16())),
        Err(error) => Err(format!("the app's server {error}")),
    })
}
