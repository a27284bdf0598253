//! The smallest service: it keeps things for whoever is allowed to bring them.
//!
//! It is started twice, under two names: as Archive, and as Index. A token for the one is worth
//! nothing at the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use portolan_sdk::resource_server::{Caller, ResourceServer};
use portolan_sdk::{ConfidentialAppAuthClient, IdentityId};
use serde::{Deserialize, Serialize};

/// What one person may have here.
const MOST_THINGS: usize = 1000;

#[derive(Clone, Deserialize, Serialize)]
struct Thing {
    name: String,
}

/// By the identity that the token speaks for, which never changes. Usernames can.
type Things = Arc<Mutex<HashMap<IdentityId, Vec<Thing>>>>;

#[tokio::main]
async fn main() -> Result<()> {
    // These three lines protect everything: no handler runs for a caller who may not come in.
    let client = ConfidentialAppAuthClient::new(setting("CLIENT_ID")?, secret()?)?;
    let server = ResourceServer::new(client).require_scope(setting("SCOPE")?);
    let app = Router::new()
        .route("/things", get(list_things).post(keep))
        .layer(server.layer());

    let listener = tokio::net::TcpListener::bind(setting("LISTEN")?).await?;
    println!("ready at http://{}", listener.local_addr()?);
    axum::serve(listener, app.with_state(Things::default())).await?;
    Ok(())
}

async fn list_things(
    State(things): State<Things>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Thing>>, StatusCode> {
    let owner = caller.identity().ok_or(StatusCode::FORBIDDEN)?;
    let things = things.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(things.get(&owner).cloned().unwrap_or_default()))
}

async fn keep(
    State(things): State<Things>,
    Extension(caller): Extension<Caller>,
    Json(thing): Json<Thing>,
) -> Result<(StatusCode, Json<Thing>), StatusCode> {
    let owner = caller.identity().ok_or(StatusCode::FORBIDDEN)?;
    let mut things = things.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = things.entry(owner).or_default();
    if kept.len() >= MOST_THINGS {
        return Err(StatusCode::INSUFFICIENT_STORAGE);
    }
    kept.push(thing.clone());
    Ok((StatusCode::CREATED, Json(thing)))
}

fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("the variable {name} is not set"))
}

/// From a file that only this service can read: arguments and variables are seen by others.
fn secret() -> Result<String> {
    let path = setting("CLIENT_SECRET_FILE")?;
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    Ok(text.trim().to_owned())
}
