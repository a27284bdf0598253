//! A data portal: it signs people in, and calls a service with their tokens.
//!
//! `login.rs` is the part to copy: a login that is bound to the browser, and its end.
//! `pages.rs` shows what people see and calls the service; when the service wants more of the
//! person, they are sent to sign in again, and the call is made once more. `browser.rs` has
//! cookies. Tokens stay in the memory of this program: none is in a page, an address or a log.

mod browser;
mod login;
mod pages;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::routing::{get, post};
use portolan_sdk::ConfidentialAppAuthClient;
use url::Url;

use browser::Kept;
use login::{Login, Session};

pub struct Portal {
    pub app: ConfidentialAppAuthClient,
    /// Where people reach this portal, without a slash at the end.
    pub url: String,
    /// What every login asks for.
    pub scopes: String,
    /// The scope of the service, which finds its token.
    pub service_scope: String,
    pub service_url: String,
    pub http: reqwest::Client,
    /// Logins that have begun, by the cookie of the browser that began them.
    pub logins: Mutex<Kept<Login>>,
    /// Who is signed in, by cookie.
    pub sessions: Mutex<Kept<Session>>,
}

impl Portal {
    /// The only address that a login may come back to.
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.url)
    }

    /// Where Auth is, for the pages' content security policy.
    pub fn auth_origin(&self) -> String {
        Url::parse(self.app.base_url()).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }

    pub fn uses_https(&self) -> bool {
        self.url.starts_with("https://")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let service_scope = setting("SERVICE_SCOPE")?;
    let portal = Portal {
        app: ConfidentialAppAuthClient::new(setting("CLIENT_ID")?, secret()?)?,
        url: setting("PORTAL_URL")?.trim_end_matches('/').to_owned(),
        scopes: format!("openid profile email {service_scope}"),
        service_scope,
        service_url: setting("SERVICE_URL")?,
        // Tokens go where they are for and nowhere else: no redirect is followed.
        http: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()?,
        logins: Mutex::default(),
        sessions: Mutex::default(),
    };
    let routes = Router::new()
        .route("/", get(pages::home))
        .route("/portal.css", get(pages::style))
        .route("/login", get(login::begin))
        .route("/callback", get(login::end))
        .route("/scans", post(pages::scan))
        .route("/calibrations", post(pages::calibrate))
        .route("/logout", post(login::log_out));

    let listener = tokio::net::TcpListener::bind(setting("LISTEN")?).await?;
    println!("ready at {}", portal.url);
    axum::serve(listener, routes.with_state(Arc::new(portal))).await?;
    Ok(())
}

fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("the variable {name} is not set"))
}

/// From a file that only this program can read: arguments and variables are seen by others.
fn secret() -> Result<String> {
    let path = setting("CLIENT_SECRET_FILE")?;
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    Ok(text.trim().to_owned())
}
