//! `portolan session`: the own login (my_session.rs), and where somebody is signed in, seen and
//! ended by the operator.

use anyhow::{Result, anyhow};
use clap::Subcommand;
use portolan_db::ReadTx;
use portolan_server::domain::session::{self, Place};
use portolan_server::store::audit::Actor;
use portolan_server::store::clients;
use portolan_server::store::identities::{self, Identity};
use portolan_server::texts::Language;
use portolan_server::web::user_agent;
use portolan_server::{Config, Error};
use portolan_types::BrowserSessionId;
use serde_json::{Value, json};

use super::my_session;
use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};

#[derive(Subcommand)]
pub enum Session {
    /// Show with which accounts you logged in, and when
    Show,
    /// Log in again, in the way that a server demands
    #[command(after_help = "\
Some things need a fresh login, a certain account or a second factor. The command that was
refused says what to type.

Examples:
  portolan session update
  portolan session update --policy 7a1fcb0d-38d5-4f4b-a1c9-4e7f5f0d2d11
  portolan session update --domain example.edu --mfa")]
    Update(my_session::Update),
    /// On the store: show in which browsers somebody is signed in, and what apps got there
    List {
        /// Username or id
        #[arg(long)]
        user: String,
    },
    /// On the store: sign somebody out, and end what apps got through those sessions
    #[command(after_help = "\
Without the id of a session all of them end. Access and refresh tokens that came from them
are inactive from the next request on, on every node; consents stay.

Examples:
  portolan session list --user alice
  portolan session end --user alice 5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f
  portolan session end --user alice --yes    all of them, without a question")]
    End {
        /// Username or id
        #[arg(long)]
        user: String,
        /// The id that `portolan session list` shows
        session: Option<BrowserSessionId>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Session {
    pub fn run(self, options: &Options) -> Result<()> {
        if matches!(self, Session::List { .. } | Session::End { .. }) {
            options.refuse_server()?;
        }
        match self {
            Session::Show => my_session::show(options),
            Session::Update(update) => update.run(options),
            Session::List { user } => list(options, user),
            Session::End {
                user,
                session,
                confirmation,
            } => end(options, user, session, &confirmation),
        }
    }
}

fn find_places(tx: &mut ReadTx, config: &Config, user: &str) -> Result<(Identity, Vec<Place>), Error> {
    let identity = find::identity(tx, &config.local_domain, user)?;
    let ids = identities::list_set_ids(tx, identity.set_id)?;
    let idle = std::time::Duration::from_secs(config.session_idle_lifetime_seconds);
    let places = session::places(tx, &ids, context().now, idle)?;
    Ok((identity, places))
}

fn list(options: &Options, user: String) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, documents) = db
        .read_blocking(move |tx| {
            let (identity, places) = find_places(tx, &config, &user)?;
            let documents = places
                .iter()
                .map(|place| document(tx, place))
                .collect::<Result<Vec<_>, Error>>()?;
            Ok::<_, Error>((identity, documents))
        })
        .map_err(output::explain)?;
    output::print(options.format, &json!({ "sessions": documents }), || {
        if documents.is_empty() {
            return format!("{} is signed in nowhere.", identity.username);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = documents.iter().map(|document| {
            let apps = document["apps"].as_array().into_iter().flatten();
            vec![
                text(&document["id"]),
                text(&document["browser"]),
                text(&document["address"]),
                text(&document["last_seen"])
                    .chars()
                    .take(19)
                    .collect::<String>()
                    .replace('T', " "),
                if document["signed_in"] == true {
                    "signed in"
                } else {
                    "apps only"
                }
                .to_owned(),
                apps.map(text).collect::<Vec<_>>().join(", "),
            ]
        });
        output::list(&["session", "browser", "address", "last seen", "state", "apps"], rows)
    })
}

fn document(tx: &mut ReadTx, place: &Place) -> Result<Value, Error> {
    let browser = place.browser.as_ref();
    let mut apps = Vec::new();
    for app in &place.apps {
        let name = clients::find(tx, app.client_id)?.map(|client| client.name);
        apps.push(name.unwrap_or_else(|| app.client_id.to_string()));
    }
    let logins = place
        .authentications
        .iter()
        .map(|authentication| json!({ "identity": authentication.identity_id, "at": authentication.authenticated_at }));
    Ok(json!({
        "id": place.id,
        "signed_in": place.is_live,
        "browser": user_agent::describe(Language::En, browser.and_then(|browser| browser.user_agent.as_deref())),
        "address": browser.and_then(|browser| browser.address.as_ref()),
        "last_seen": browser.map(|browser| browser.last_seen_at),
        "authentications": logins.collect::<Vec<_>>(),
        "apps": apps,
    }))
}

fn end(options: &Options, user: String, session: Option<BrowserSessionId>, confirmation: &Confirmation) -> Result<()> {
    let (config, db) = options.store()?;
    let whole = match session {
        Some(id) => format!("Session {id} of {user} ends, with what apps got through it."),
        None => format!("{user} is signed out everywhere, and what apps got ends."),
    };
    confirmation.ask(&whole)?;
    let ctx = context();
    let (identity, ended) = db
        .write_blocking(move |tx| {
            let (identity, mut places) = find_places(tx, &config, &user)?;
            places.retain(|place| session.is_none_or(|id| place.id == id));
            for place in &places {
                session::end_place(tx, &ctx, Actor::Operator, place)?;
            }
            let ended: Vec<BrowserSessionId> = places.iter().map(|place| place.id).collect();
            Ok::<_, Error>((identity, ended))
        })
        .map_err(output::explain)?;
    if let (Some(id), true) = (session, ended.is_empty()) {
        return Err(anyhow!(
            "{} has no session {id}; portolan session list shows them",
            identity.username
        ));
    }
    output::print(options.format, &json!({ "ended": ended }), || {
        format!(
            "Ended {} of {}.",
            output::count(ended.len(), "session"),
            identity.username
        )
    })
}
