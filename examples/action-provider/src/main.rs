//! An action provider: a service that runs actions for flows, or for whoever calls it.
//!
//! Its one action waits for some seconds, which is enough to see all of the interface: look
//! the provider up, run, look, cancel, read the log, release. `actions.rs` keeps the actions,
//! `principals.rs` knows who may do what, `answers.rs` has the errors of the interface.

mod actions;
mod answers;
mod principals;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use portolan_sdk::ConfidentialAppAuthClient;
use portolan_sdk::resource_server::ResourceServer;
use serde_json::{Value, json};

use actions::{Actions, RunRequest};
use answers::Failure;
use principals::{Groups, Principals};

struct Provider {
    scope: String,
    server: ResourceServer,
    groups: Groups,
    /// Who may see the provider, and who may run it: `public`, `all_authenticated_users`, or
    /// names of identities and groups.
    visible_to: BTreeSet<String>,
    runnable_by: BTreeSet<String>,
    contact: String,
    actions: Mutex<Actions>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let scope = setting("SCOPE")?;
    let client = ConfidentialAppAuthClient::new(setting("CLIENT_ID")?, secret()?)?;
    let provider = Provider {
        server: ResourceServer::new(client).require_scope(&scope).include_identity_set(),
        scope,
        groups: Groups::new(setting("GLOBUS_SDK_SERVICE_URL_GROUPS").ok())?,
        visible_to: names(&setting("VISIBLE_TO")?),
        runnable_by: names(&setting("RUNNABLE_BY")?),
        contact: setting("CONTACT")?,
        actions: Mutex::default(),
    };
    // The interface has had two spellings of its paths; callers use either.
    let routes = Router::new()
        .route("/", get(introspect))
        .route("/run", post(run))
        .route("/actions", post(run))
        .route("/{id}/status", get(status))
        .route("/actions/{id}", get(status).delete(release))
        .route("/{id}/cancel", post(cancel))
        .route("/actions/{id}/cancel", post(cancel))
        .route("/{id}/release", post(release))
        .route("/{id}/log", get(log))
        .route("/actions/{id}/log", get(log))
        .fallback(async || Failure::not_found());

    let listener = tokio::net::TcpListener::bind(setting("LISTEN")?).await?;
    println!("ready at http://{}", listener.local_addr()?);
    axum::serve(listener, routes.with_state(Arc::new(provider))).await?;
    Ok(())
}

type Shared = State<Arc<Provider>>;
type Answer = Result<(StatusCode, Json<Value>), Failure>;

/// `GET /`: what this provider does, for those who may see it.
async fn introspect(State(provider): Shared, headers: HeaderMap) -> Answer {
    if !provider.visible_to.contains("public") {
        let caller = provider.caller(&headers).await?;
        if !caller.is_among(&provider.visible_to) {
            return Err(Failure::unauthorized());
        }
    }
    let description = json!({
        "api_version": "1.0",
        "types": ["ACTION"],
        "globus_auth_scope": provider.scope,
        "title": "Wait",
        "subtitle": "Waits for some seconds",
        "admin_contact": provider.contact,
        "synchronous": false,
        "log_supported": true,
        // No action waits for longer, so a later deadline is kept as well.
        "maximum_deadline": "P1D",
        "input_schema": actions::input_schema(),
        "visible_to": provider.visible_to,
        "runnable_by": provider.runnable_by,
    });
    Ok((StatusCode::OK, Json(description)))
}

/// `POST /run`: begins an action. The same request again is answered with the same action.
async fn run(State(provider): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = provider.caller(&headers).await?;
    if !caller.is_among(&provider.runnable_by) {
        return Err(Failure::unauthorized());
    }
    let document = serde_json::from_slice(&body).map_err(|_| Failure::invalid("the body is no JSON"))?;
    let request = RunRequest::read(document)?;
    let status = provider.actions().run(&caller, request)?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

/// `GET /ID/status`
async fn status(State(provider): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = provider.caller(&headers).await?;
    let mut actions = provider.actions();
    Ok((StatusCode::OK, Json(actions.monitored(&caller, &id)?.status())))
}

/// `GET /ID/log`
async fn log(State(provider): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = provider.caller(&headers).await?;
    let mut actions = provider.actions();
    Ok((StatusCode::OK, Json(actions.monitored(&caller, &id)?.log())))
}

/// `POST /ID/cancel`
async fn cancel(State(provider): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = provider.caller(&headers).await?;
    let mut actions = provider.actions();
    Ok((StatusCode::OK, Json(actions.managed(&caller, &id)?.cancel())))
}

/// `POST /ID/release`: forgets an action that has ended.
async fn release(State(provider): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = provider.caller(&headers).await?;
    Ok((StatusCode::OK, Json(provider.actions().release(&caller, &id)?)))
}

impl Provider {
    /// Who calls: all their identities and, if there are groups, those that they are in.
    async fn caller(&self, headers: &HeaderMap) -> Result<Principals, Failure> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let caller = self.server.authenticate(authorization).await?;
        self.groups.principals(&caller).await
    }

    fn actions(&self) -> std::sync::MutexGuard<'_, Actions> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn names(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
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

/// No call may hang on another service.
const PATIENCE: Duration = Duration::from_secs(10);
