//! Work in the background. Each job runs on every node; what only one may do at a time
//! takes a lease in the store. A job that fails says so in the log and tries again at its
//! next turn; one that panics is started again.

pub mod cleanup;
pub mod keys;
pub mod logout;
pub mod mail;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::App;

/// How soon after a rotation every node signs with the new key, at the latest.
const KEY_RELOAD_INTERVAL: Duration = Duration::from_secs(30);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// A person waits for the message with the link.
const MAIL_INTERVAL: Duration = Duration::from_secs(2);
const LOGOUT_INTERVAL: Duration = Duration::from_secs(2);

/// How long a job that has panicked rests: longer each time, up to the second.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(300);

/// Starts the jobs; they end when the set is dropped.
pub fn start(app: &App) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(keep_going(app.clone(), "keys", reload_keys));
    jobs.spawn(keep_going(app.clone(), "cleanup", clean_up));
    jobs.spawn(keep_going(app.clone(), "mail", send_mail));
    jobs.spawn(keep_going(app.clone(), "logout", deliver_logouts));
    jobs
}

/// Runs a job until it ends by itself. A panic is a fault of ours in what one turn has met;
/// nobody would miss the job until much later, so it begins again after a rest.
async fn keep_going<F>(app: App, name: &'static str, job: impl Fn(App) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut rest = REST;
    loop {
        let started = Instant::now();
        // A set of its own, so that the job ends with us.
        let mut running = JoinSet::new();
        running.spawn(job(app.clone()));
        match running.join_next().await {
            Some(Err(error)) if error.is_panic() => {}
            _ => return,
        }
        app.metrics.job_panicked(name);
        if started.elapsed() > LONGEST_REST {
            rest = REST;
        }
        tracing::error!(
            job = name,
            rest = rest.as_secs(),
            "a job has panicked; it starts again after a rest"
        );
        tokio::time::sleep(rest).await;
        rest = (2 * rest).min(LONGEST_REST);
    }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::start::tests::app;

    #[test]
    fn a_job_that_panics_is_counted_and_starts_again_after_growing_rests() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = starts.clone();
        let job = move |_: App| {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(turn >= 12, "a fault of ours");
            }
        };

        let took = runtime.block_on(async {
            let begun = Instant::now();
            keep_going(app.clone(), "mail", job).await;
            begun.elapsed()
        });

        assert_eq!(starts.load(Ordering::SeqCst), 13, "it ended by itself at last");
        // 1 + 2 + 4 + .. + 256, then 300 each time; time stands still but for the rests.
        assert_eq!(took.as_secs(), 511 + 3 * 300);
        let page = app.metrics.render(&app.db);
        assert!(page.contains("portolan_job_panics_total{job=\"mail\"} 12"), "{page}");
    }
}
