//! Beamline, a service that calls two more for whoever calls it.
//!
//! `POST /scans` keeps the files of a scan in the Archive and, if that is asked for, makes it
//! findable in the Index. Beamline never passes on the token that it was given: it exchanges
//! it for one to each service, which work for the same person. `POST /calibrations` wants the
//! person to have signed in a short while ago.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use portolan_sdk::resource_server::{Caller, ResourceServer};
use portolan_sdk::{Clock as _, ConfidentialAppAuthClient, Error, Secret, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

/// For how long a login is good enough to calibrate.
const FRESH: Duration = Duration::from_secs(15 * 60);

struct Beamline {
    /// Its own scope, and those that it needs further down.
    scope: String,
    archive_scope: String,
    index_scope: String,
    archive_url: String,
    index_url: String,
    http: reqwest::Client,
}

#[tokio::main]
async fn main() -> Result<()> {
    let beamline = Beamline {
        scope: setting("SCOPE")?,
        archive_scope: setting("ARCHIVE_SCOPE")?,
        index_scope: setting("INDEX_SCOPE")?,
        archive_url: setting("ARCHIVE_URL")?,
        index_url: setting("INDEX_URL")?,
        // Tokens go where they are for and nowhere else: no redirect is followed.
        http: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()?,
    };
    let routes = Router::new()
        .route("/scans", post(scan))
        .route("/calibrations", post(calibrate));

    // These three lines protect both routes.
    let client = ConfidentialAppAuthClient::new(setting("CLIENT_ID")?, secret()?)?;
    let server = ResourceServer::new(client)
        .require_scope(&beamline.scope)
        .include_session_info();
    let app = routes.layer(server.layer());

    let listener = tokio::net::TcpListener::bind(setting("LISTEN")?).await?;
    println!("ready at http://{}", listener.local_addr()?);
    axum::serve(listener, app.with_state(Arc::new(beamline))).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Scan {
    sample: String,
    #[serde(default)]
    findable: bool,
}

async fn scan(
    State(beamline): State<Arc<Beamline>>,
    Extension(caller): Extension<Caller>,
    Json(scan): Json<Scan>,
) -> Result<Json<Value>, Refused> {
    // What is needed is named, so that the answer says what is missing.
    let mut scopes = vec![beamline.archive_scope.as_str()];
    if scan.findable {
        scopes.push(&beamline.index_scope);
    }
    let tokens = caller
        .dependent_tokens_with(|request| request.scopes(scopes))
        .await
        .map_err(|error| beamline.missing(&error))?;
    let token = |scope: &str| {
        Ok::<_, Refused>(
            &tokens
                .by_scopes()
                .get(scope)
                .map_err(|_| Refused::Unavailable)?
                .access_token,
        )
    };

    beamline
        .keep(&beamline.archive_url, token(&beamline.archive_scope)?, &scan.sample)
        .await?;
    if scan.findable {
        beamline
            .keep(&beamline.index_url, token(&beamline.index_scope)?, &scan.sample)
            .await?;
    }
    Ok(Json(json!({
        "sample": scan.sample,
        "scanned_for": caller.username(),
        "archived": true,
        "findable": scan.findable,
    })))
}

/// A step that wants to be sure who sits at the keyboard.
async fn calibrate(Extension(caller): Extension<Caller>) -> Result<Json<Value>, Refused> {
    let about = caller.introspection();
    let session = about.session_info.as_ref().zip(about.sub);
    let login = session.and_then(|(session, person)| session.authentications.get(&person)?.auth_time);
    let now = SystemClock.now().seconds() as f64;
    if login.is_none_or(|login| now - login > FRESH.as_secs_f64()) {
        return Err(Refused::Demand(json!({
            "code": "AuthorizationRequired",
            "message": "This needs a login that is at most 15 minutes old.",
            "authorization_parameters": {
                "session_message": "Calibrating moves the machine. Please show that it is you.",
                "prompt": "login",
            },
        })));
    }
    Ok(Json(json!({ "calibrated_for": caller.username() })))
}

impl Beamline {
    async fn keep(&self, url: &str, token: &Secret, name: &str) -> Result<(), Refused> {
        let request = self.http.post(format!("{url}/things")).bearer_auth(token.expose());
        let answer = request.json(&json!({ "name": name })).send().await;
        match answer.and_then(reqwest::Response::error_for_status) {
            Ok(_) => Ok(()),
            Err(error) => {
                // The error names address and status, never the token.
                eprintln!("{error}");
                Err(Refused::Unavailable)
            }
        }
    }

    /// The app is told what to ask the person for: this scope, and below it the one that is
    /// missing.
    fn missing(&self, error: &Error) -> Refused {
        let gare = error.gare();
        let Some(missing) = gare.and_then(|gare| gare.authorization_parameters.required_scopes) else {
            eprintln!("{error}");
            return Refused::Unavailable;
        };
        Refused::Demand(json!({
            "code": "ConsentRequired",
            "message": "This uses another service, which has not been allowed.",
            "authorization_parameters": {
                "required_scopes": [format!("{}[{}]", self.scope, missing.join(" "))],
            },
        }))
    }
}

/// Why a request is not carried out.
enum Refused {
    /// The person can do something about it. SDKs know the form of the document.
    Demand(Value),
    Unavailable,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Demand(document) => (StatusCode::FORBIDDEN, Json(document)).into_response(),
            Self::Unavailable => {
                let document = json!({ "code": "ServiceUnavailable", "message": "a service behind this one failed" });
                (StatusCode::BAD_GATEWAY, Json(document)).into_response()
            }
        }
    }
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
