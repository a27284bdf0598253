//! Logout between this server and its clients: where people may be sent to afterwards
//! (OpenID Connect RP-Initiated Logout 1.0) and the tokens that tell clients that a session
//! has ended (Back-Channel Logout 1.0).
//!
//! What ends is announced in the transaction that ends it; the token is signed and sent
//! later by a job, so that no browser waits for somebody else's server.

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::api::{Change, ClientChanges};
use portolan_types::{AppSessionId, BrowserSessionId, ClientId, IdentityId, Timestamp};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{client, identity};
use crate::app::{Ctx, new_uuid};
use crate::error::{Error, Result};
use crate::store::client_logout::{self, ClientLogout};
use crate::store::clients::{self, Client};
use crate::store::logout_deliveries::{self, Delivery, Listener};
use crate::store::{identities, sessions};

/// The `typ` of logout tokens: none passes for an ID token.
pub const TYPE: &str = "logout+jwt";
/// Back-Channel Logout section 2.4: two minutes at most.
pub const LIFETIME: Duration = Duration::from_secs(120);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const MAXIMUM_URIS: usize = 100;

/// The payload of a logout token. There is no `nonce`, by which it could pass for an ID token.
#[derive(Clone, Debug, Serialize)]
pub struct Claims<'a> {
    iss: &'a str,
    aud: ClientId,
    iat: i64,
    exp: i64,
    jti: Uuid,
    events: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<IdentityId>,
    sid: AppSessionId,
}

impl<'a> Claims<'a> {
    pub fn new(issuer: &'a str, delivery: &Delivery, now: Timestamp) -> Self {
        Self {
            iss: issuer,
            aud: delivery.client_id,
            iat: now.seconds(),
            exp: (now + LIFETIME).seconds(),
            jti: delivery.id,
            events: json!({ EVENT: {} }),
            sub: delivery.subject,
            sid: delivery.app_session_id,
        }
    }
}

/// A browser session ends: its clients are told.
pub fn announce_browser(tx: &mut WriteTx, ctx: &Ctx, session: BrowserSessionId) -> Result<()> {
    for listener in logout_deliveries::list_listeners(tx, session)? {
        announce(tx, ctx, &listener)?;
    }
    Ok(())
}

/// An identity is signed out of every browser.
pub fn announce_identity(tx: &mut WriteTx, ctx: &Ctx, identity: IdentityId) -> Result<()> {
    for session in logout_deliveries::list_browsers(tx, identity)? {
        announce_browser(tx, ctx, session)?;
    }
    Ok(())
}

fn announce(tx: &mut WriteTx, ctx: &Ctx, listener: &Listener) -> Result<()> {
    let delivery = Delivery {
        id: new_uuid(),
        client_id: listener.client_id,
        subject: subject(tx, listener)?,
        app_session_id: listener.app_session_id,
    };
    logout_deliveries::insert(tx, &delivery, ctx.now)
}

/// Whom the ID tokens of the session are about.
fn subject(tx: &mut ReadTx, listener: &Listener) -> Result<Option<IdentityId>> {
    let authentications = sessions::list_session_authentications(tx, listener.app_session_id)?;
    let newest = authentications
        .into_iter()
        .max_by_key(|authentication| authentication.authenticated_at);
    let Some(person) = newest.map(|newest| newest.identity_id) else {
        return Ok(None);
    };
    let required = clients::find(tx, listener.client_id)?.and_then(|client| client.required_idp);
    let set = tx.fetch(&identities::set_of(person))?;
    let effective = identity::choose(&set, required);
    Ok(Some(effective.map_or(person, |identity| identity.id)))
}

/// Where a person may be sent to after a logout: an address that the client has registered,
/// as it is written, with the `state` of the request.
pub fn return_address(tx: &mut ReadTx, client: ClientId, uri: &str, state: Option<&str>) -> Result<Option<String>> {
    let registered = client_logout::find(tx, client)?.post_logout_redirect_uris;
    if !registered.iter().any(|known| known == uri) {
        return Ok(None);
    }
    Ok(Some(match state {
        None => uri.to_owned(),
        Some(state) => {
            let separator = if uri.contains('?') { '&' } else { '?' };
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("state", state);
            format!("{uri}{separator}{}", query.finish())
        }
    }))
}

/// Stores what a creating or changing call says about logout.
pub fn register(tx: &mut WriteTx, client: &Client, changes: &ClientChanges) -> Result<()> {
    let untouched = changes.post_logout_redirect_uris.is_keep()
        && changes.backchannel_logout_uri.is_keep()
        && changes.backchannel_logout_session_required.is_keep();
    if untouched {
        return Ok(());
    }
    let mut logout = client_logout::find(tx, client.id)?;
    match &changes.post_logout_redirect_uris {
        Change::Keep => {}
        Change::Clear => logout.post_logout_redirect_uris.clear(),
        Change::Set(uris) => {
            if uris.len() > MAXIMUM_URIS {
                let detail = format!("post_logout_redirect_uris: at most {MAXIMUM_URIS}");
                return Err(Error::invalid_parameters(detail));
            }
            for uri in uris {
                check(&client.client_type, "post_logout_redirect_uris", uri)?;
            }
            logout.post_logout_redirect_uris = uris.clone();
        }
    }
    if let Change::Set(uri) = &changes.backchannel_logout_uri {
        // Only a server can be told.
        check(client::CONFIDENTIAL, "backchannel_logout_uri", uri)?;
    }
    logout.backchannel_logout_uri = changes
        .backchannel_logout_uri
        .apply(logout.backchannel_logout_uri.take());
    match changes.backchannel_logout_session_required {
        Change::Keep => {}
        Change::Clear => logout.backchannel_logout_session_required = false,
        Change::Set(required) => logout.backchannel_logout_session_required = required,
    }
    client_logout::upsert(tx, client.id, &logout)
}

/// The rules of redirect URIs under another name.
fn check(client_type: &str, field: &str, uri: &str) -> Result<()> {
    client::check_redirect_uri(client_type, uri).map_err(|error| {
        let detail = error.detail().trim_start_matches("redirect_uris: ").to_owned();
        Error::invalid_parameters(format!("{field}: {detail}"))
    })
}

/// What the record of a client shows.
pub fn registered(tx: &mut ReadTx, client: ClientId) -> Result<ClientLogout> {
    client_logout::find(tx, client)
}
