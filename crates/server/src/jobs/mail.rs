//! Answers what is answered by mail, and hands waiting messages to the mail server. Every
//! node does; of several, each message is claimed by one. What fails is tried again after
//! growing delays, until nobody needs it any more: two days, or the life of its link.
//!
//! Messages are claimed one by one, a link always before notices: whoever waits for a link
//! waits at most for the message that is under way. A node that stops in between holds up
//! one message for two minutes.

use std::time::Duration;

use portolan_types::Timestamp;
use uuid::Uuid;

use crate::app::App;
use crate::domain::address::{self, Site};
use crate::domain::mail::{LINK_MARK, link_place};
use crate::error::{Error, Result};
use crate::metrics::Mail;
use crate::store::audit::{self, Actor, Event};
use crate::store::mail_requests;
use crate::store::outbox::{self, Claimed};
use crate::upstream::smtp::{Failure, Letter, Smtp};

/// Requests looked at together.
const PAGE: i64 = 10;
/// What one turn answers and sends at most.
const MAX_PAGES: usize = 100;
const MAX_MESSAGES: usize = 1000;
/// Longer than an attempt that runs into its time-out.
const CLAIM: Duration = Duration::from_secs(120);

/// After so many minutes the next attempt follows; the last delay repeats.
const DELAYS: [u64; 7] = [1, 2, 5, 15, 60, 120, 240];

pub struct Mailer {
    smtp: Smtp,
}

impl Mailer {
    /// None if no mail server is configured.
    pub fn new(app: &App) -> std::result::Result<Option<Self>, String> {
        Ok(Smtp::new(&app.config)?.map(|smtp| Self { smtp }))
    }

    /// One turn; returns how many messages were handed over.
    pub async fn run_once(&self, app: &App) -> Result<usize> {
        answer_requests(app).await?;
        let mut sent = 0;
        for _ in 0..MAX_MESSAGES {
            let now = app.clock.now();
            if !app.db.read(move |tx| outbox::is_due(tx, now)).await? {
                break;
            }
            let claimed = app.db.write(move |tx| outbox::claim(tx, now, now + CLAIM)).await?;
            let Some(message) = claimed else { continue };
            let id = message.id;
            match self.send(app, message).await {
                Ok(is_sent) => sent += usize::from(is_sent),
                Err(error) => {
                    tracing::error!(message = %id, %error, "what became of a message could not be stored; it may come twice");
                }
            }
        }
        let waiting = app.db.read(outbox::count_waiting).await?;
        app.metrics.mail_waiting(waiting);
        Ok(sent)
    }

    async fn send(&self, app: &App, message: Claimed) -> Result<bool> {
        let (id, now) = (message.id, app.clock.now());
        let outcome = match letter(app, &message) {
            Ok(_) if message.expires_at <= now => Err(Failure::ForGood("nobody needs it any more".into())),
            Ok(letter) => self.smtp.send(&letter).await,
            Err(error) => Err(Failure::ForGood(error)),
        };
        let now = app.clock.now();
        let (reason, retry) = match outcome {
            Ok(()) => {
                app.db.write(move |tx| outbox::finish(tx, id, now)).await?;
                app.metrics.mail(Mail::Sent);
                return Ok(true);
            }
            Err(Failure::Now(reason)) => (
                reason,
                retry_after(&message).filter(|delay| now + *delay < message.expires_at),
            ),
            Err(Failure::ForGood(reason)) => (reason, None),
        };
        if let Some(delay) = retry {
            tracing::warn!(message = %id, attempt = message.attempts, %reason, "a message could not be sent; trying again later");
            app.metrics.mail(Mail::Failed);
            app.db.write(move |tx| outbox::postpone(tx, id, now, delay)).await?;
            return Ok(false);
        }
        tracing::error!(message = %id, attempts = message.attempts, %reason, "a message is given up");
        app.metrics.mail(Mail::GivenUp);
        let ctx = app.background();
        app.db
            .write(move |tx| {
                outbox::finish(tx, id, now)?;
                let event = Event {
                    action: "mail.give_up",
                    actor: Actor::System,
                    resource_kind: "mail",
                    resource_id: id.to_string(),
                    detail: serde_json::json!({ "subject": message.subject, "attempts": message.attempts }),
                };
                audit::insert(tx, &ctx, &event)
            })
            .await?;
        Ok(false)
    }
}

/// Looks up what was asked for. The form that asked has answered long ago. One that fails
/// stays for the next turn, until the cleanup takes it, and stops none of the others.
async fn answer_requests(app: &App) -> Result<()> {
    let site = Site {
        public_url: app.config.public_url(),
        local_domain: app.config.local_domain.clone(),
    };
    let mut after = (Timestamp::from_seconds(0), Uuid::nil());
    for _ in 0..MAX_PAGES {
        let waiting = app
            .db
            .read(move |tx| mail_requests::list_after(tx, after, PAGE))
            .await?;
        let Some(last) = waiting.last() else { break };
        after = (last.created_at, last.id);
        for request in waiting {
            let (shared, ctx, site, id) = (app.clone(), app.background(), site.clone(), request.id);
            let answered = app
                .db
                .write(move |tx| address::answer(tx, &ctx, &shared.master_key, &site, &request))
                .await;
            if let Err(error) = answered {
                tracing::error!(request = %id, %error, "a request for mail could not be answered; trying again later");
            }
        }
    }
    Ok(())
}

fn letter(app: &App, message: &Claimed) -> std::result::Result<Letter, String> {
    let body = match &message.sealed_link {
        None => message.body.clone(),
        Some(sealed) => {
            let link = app
                .master_key
                .open(&link_place(message.id), sealed)
                .map_err(|error| format!("the link of a message cannot be opened: {error}"))?;
            let link = std::str::from_utf8(&link).map_err(|error| Error::internal(error).to_string())?;
            message.body.replace(LINK_MARK, link)
        }
    };
    Ok(Letter {
        id: message.id,
        recipient: message.recipient.clone(),
        subject: message.subject.clone(),
        body,
        written_at: message.created_at,
    })
}

fn retry_after(message: &Claimed) -> Option<Duration> {
    let index = usize::try_from(message.attempts - 1).ok()?;
    let minutes = DELAYS.get(index).or(DELAYS.last())?;
    Some(Duration::from_secs(60 * minutes))
}
