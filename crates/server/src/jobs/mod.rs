//! Work in the background. Each job runs on every node; what only one may do at a time
//! takes a lease in the store. A job that fails says so in the log and tries again at its
//! next turn.

pub mod cleanup;
pub mod keys;
pub mod logout;
pub mod mail;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::App;

/// How soon after a rotation every node signs with the new key, at the latest.
const KEY_RELOAD_INTERVAL: Duration = Duration::from_secs(30);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// A person waits for the message with the link.
const MAIL_INTERVAL: Duration = Duration::from_secs(2);
const LOGOUT_INTERVAL: Duration = Duration::from_secs(2);

/// Starts the jobs; they end when the set is dropped.
pub fn start(app: &App) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(reload_keys(app.clone()));
    jobs.spawn(clean_up(app.clone()));
    jobs.spawn(send_mail(app.clone()));
    jobs.spawn(deliver_logouts(app.clone()));
    jobs
}

async fn reload_keys(app: App) {
    let mut reload = keys::Reload::default();
    loop {
        tokio::time::sleep(KEY_RELOAD_INTERVAL).await;
        if let Err(error) = reload.run_once(&app).await {
            tracing::error!(%error, "the signing keys could not be read again; the old ones stay in use");
        }
    }
}

async fn clean_up(app: App) {
    let mut cleanup = cleanup::Cleanup::new();
    loop {
        tokio::time::sleep(CLEANUP_INTERVAL).await;
        app.limits.forget_old();
        match cleanup.run_once(&app).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "expired and dead rows were removed"),
            Err(error) => tracing::warn!(%error, "removing expired rows failed; trying again later"),
        }
    }
}

async fn send_mail(app: App) {
    let mailer = match mail::Mailer::new(&app) {
        Ok(Some(mailer)) => mailer,
        Ok(None) => return,
        // The start has looked at the same settings; the files must have changed since.
        Err(reason) => return tracing::error!(%reason, "no mail can be sent"),
    };
    loop {
        tokio::time::sleep(MAIL_INTERVAL).await;
        if let Err(error) = mailer.run_once(&app).await {
            tracing::warn!(%error, "the waiting mail could not be looked at; trying again later");
        }
    }
}

async fn deliver_logouts(app: App) {
    loop {
        tokio::time::sleep(LOGOUT_INTERVAL).await;
        if let Err(error) = logout::run_once(&app).await {
            tracing::warn!(%error, "logout tokens could not be delivered; trying again later");
        }
    }
}
