//! The refresh token grant, RFC 6749 section 6.
//!
//! Confidential clients keep their refresh token. Public clients rotate: a successor is
//! derived from the presented token, so a lost answer can be repeated without forking the
//! family (decisions, section 2). A predecessor that comes back after its grace was copied:
//! the family ends. That end must survive although the request fails, so it is an outcome.

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::oauth::TokenResponse;
use portolan_types::{ConsentId, Secret, Timestamp};

use super::{authenticate, respond};
use crate::app::{App, Ctx};
use crate::config::RefreshRotation;
use crate::domain::token_format::{self, TokenKind};
use crate::domain::tokens::{self, Lifetimes, Prepared, Subject};
use crate::domain::{client, policy};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::clients::Client;
use crate::store::refresh_tokens::{self, RefreshToken};
use crate::store::{access_tokens, grants, identities, scopes};

pub struct Request {
    token: Secret,
    /// Names to narrow the answer to; none keeps all.
    scope: Option<Vec<String>>,
}

impl Request {
    pub fn read(params: &Params) -> Result<Self> {
        let token = params.require("refresh_token")?;
        if token_format::parse(token) != Some(TokenKind::Refresh) {
            return Err(unknown());
        }
        let scope = params.get("scope").map(|text| {
            let names = text
                .split(' ')
                .filter(|name| !name.is_empty() && *name != "offline_access");
            names.map(str::to_owned).collect::<Vec<String>>()
        });
        // Nothing but `offline_access` narrows nothing: a token needs a scope.
        let scope = scope.filter(|names| !names.is_empty());
        Ok(Self {
            token: Secret::new(token),
            scope,
        })
    }
}

/// A presented token that its client may use.
struct Usable {
    token: RefreshToken,
    rotates: bool,
    consents: Vec<(ConsentId, String)>,
}

/// How the transaction ended.
enum Exchange {
    /// The refresh token to answer with.
    Issued(Secret),
    /// Presented again after its successor was used or its grace was over: a copy.
    Replayed,
}

pub async fn exchange(app: &App, ctx: &Ctx, presented: PresentedClient, request: Request) -> Result<TokenResponse> {
    let Request { token: secret, scope } = request;
    let hash = token_format::hash(secret.expose());
    let (now, rotation) = (ctx.now, app.config.refresh_rotation);
    let Usable {
        token,
        rotates,
        consents,
    } = app
        .db
        .read(move |tx| {
            let client = authenticate(tx, &presented, client::REFRESH_TOKEN)?;
            find(tx, now, &client, &hash, scope.as_deref(), rotation)
        })
        .await?;
    let lifetimes = Lifetimes::of(&app.config);
    let subject = Subject {
        client_id: token.client_id,
        identity_id: token.identity_id,
        identity_generation: token.identity_generation,
        issuance_id: token.issuance_id,
        app_session_id: token.app_session_id,
        profile: token.profile,
    };
    let prepared = tokens::prepare_access(
        ctx,
        &subject,
        token.resource_server_id,
        &token.resource_server,
        Some(token.family_id),
        consents,
        &lifetimes,
    );
    let unit = Unit {
        successor: rotates
            .then(|| tokens::successor(&app.server_keys.rotation, token.family_id, token.generation, &secret)),
        presented: secret,
        token,
        access: prepared.clone(),
        lifetimes,
        grace: Duration::from_secs(app.config.refresh_grace_seconds),
        ctx: ctx.clone(),
    };
    let exchange = app.db.write_batched(move |tx| unit.run(tx)).await?;
    let Exchange::Issued(refresh_token) = exchange else {
        tracing::warn!(request_id = %ctx.request_id, "a refresh token came back after its successor was used; its family was ended");
        return Err(Error::invalid_grant("refresh token was already used"));
    };
    let mut response = respond(vec![prepared], None)?;
    response.token.refresh_token = Some(refresh_token);
    app.metrics.tokens_issued("refresh_token", 1);
    Ok(response)
}

/// Everything that can refuse before anything changes. The client is checked first, so a
/// stranger cannot end somebody else's family.
fn find(
    tx: &mut ReadTx,
    now: Timestamp,
    client: &Client,
    hash: &portolan_types::TokenHash,
    wanted: Option<&[String]>,
    rotation: RefreshRotation,
) -> Result<Usable> {
    let token = refresh_tokens::find(tx, hash)?.ok_or_else(unknown)?;
    if token.client_id != client.id {
        return Err(Error::invalid_grant("refresh token belongs to another client"));
    }
    if !refresh_tokens::is_live(tx, hash, now)? {
        return Err(Error::invalid_grant("refresh token has expired or was revoked"));
    }
    let live = access_tokens::live_scopes(tx, hash)?;
    let live = live.ok_or_else(|| Error::invalid_grant("the consent behind this refresh token was revoked"))?;
    check_scopes(tx, &token, &live)?;
    let mut consents: Vec<(ConsentId, String)> = live
        .iter()
        .map(|scope| (scope.consent_id, scope.requested.clone()))
        .collect();
    if let Some(wanted) = wanted {
        let granted = |name: &String| {
            live.iter()
                .any(|scope| scope.requested == *name || scope.canonical == *name)
        };
        if let Some(name) = wanted.iter().find(|name| !granted(name)) {
            return Err(Error::invalid_scope(format!("the refresh token does not cover {name}")));
        }
        let keeps = |id: ConsentId| {
            live.iter().any(|scope| {
                scope.consent_id == id && (wanted.contains(&scope.requested) || wanted.contains(&scope.canonical))
            })
        };
        consents.retain(|(id, _)| keeps(*id));
    }
    let rotates = match rotation {
        RefreshRotation::Never => false,
        RefreshRotation::Public => client.is_public(),
        RefreshRotation::Always => true,
    };
    // A chain that was begun is gone on with, whatever the setting says today.
    Ok(Usable {
        rotates: rotates || token.rotated_at.is_some(),
        token,
        consents,
    })
}

/// What scopes demand today: refresh tokens still allowed, and the person still of one of
/// the required domains.
fn check_scopes(tx: &mut ReadTx, token: &RefreshToken, live: &[access_tokens::TokenScope]) -> Result<()> {
    if !live.iter().all(|scope| scope.allows_refresh) {
        return Err(Error::invalid_grant("the consent no longer allows refresh tokens"));
    }
    let named = scopes::list_by_strings(tx, live.iter().map(|scope| scope.canonical.as_str()))?;
    if !named.iter().all(|named| named.scope.allows_refresh_token) {
        return Err(Error::invalid_grant(
            "a scope of this refresh token no longer allows refresh tokens",
        ));
    }
    let demanding: Vec<Vec<String>> = named
        .iter()
        .map(|named| named.scope.required_domains())
        .filter(|domains| !domains.is_empty())
        .collect();
    if demanding.is_empty() {
        return Ok(());
    }
    let identity = identities::get(tx, token.identity_id)?;
    let set = identities::list_set(tx, identity.set_id)?;
    let in_one = |domains: &Vec<String>| {
        set.iter().any(|identity| {
            domains
                .iter()
                .any(|domain| policy::domain_matches(domain, identity.domain()))
        })
    };
    if demanding.iter().all(in_one) {
        Ok(())
    } else {
        Err(Error::invalid_grant("a scope is no longer for people of this domain"))
    }
}

/// What happens in the transaction; it may run twice.
struct Unit {
    presented: Secret,
    token: RefreshToken,
    /// Derived; none for clients that keep their token.
    successor: Option<Secret>,
    access: Prepared,
    lifetimes: Lifetimes,
    grace: Duration,
    ctx: Ctx,
}

impl Unit {
    fn run(&self, tx: &mut WriteTx) -> Result<Exchange> {
        let Some(successor) = &self.successor else {
            let end = self.lifetimes.refresh_end(self.token.issued_at, self.ctx.now);
            refresh_tokens::touch(tx, &self.token.hash, self.ctx.now, end)?;
            tokens::insert(tx, &self.ctx, &self.access)?;
            return Ok(Exchange::Issued(self.presented.clone()));
        };
        let now = self.ctx.now;
        if refresh_tokens::rotate(tx, &self.token.hash, now)? {
            self.insert_successor(tx, successor)?;
        } else if !self.may_be_repeated(tx)? {
            grants::end(tx, self.token.family_id.0, now)?;
            return Ok(Exchange::Replayed);
        }
        if self.token.generation > 0 {
            refresh_tokens::mark_successor_used(tx, self.token.family_id, self.token.generation - 1, now)?;
        }
        tokens::insert(tx, &self.ctx, &self.access)?;
        Ok(Exchange::Issued(successor.clone()))
    }

    /// Within the grace, and until the successor was used, the same answer is given again.
    fn may_be_repeated(&self, tx: &mut WriteTx) -> Result<bool> {
        let today = refresh_tokens::find(tx, &self.token.hash)?.ok_or_else(unknown)?;
        let in_grace = today
            .rotated_at
            .is_some_and(|rotated_at| self.ctx.now.since(rotated_at) < self.grace);
        Ok(in_grace && today.successor_used_at.is_none())
    }

    fn insert_successor(&self, tx: &mut WriteTx, successor: &Secret) -> Result<()> {
        let row = RefreshToken {
            hash: token_format::hash(successor.expose()),
            generation: self.token.generation + 1,
            idle_since: self.ctx.now,
            expires_at: self.lifetimes.refresh_end(self.token.issued_at, self.ctx.now),
            rotated_at: None,
            successor_used_at: None,
            ..self.token.clone()
        };
        refresh_tokens::insert(tx, &row)?;
        access_tokens::copy_consents(tx, &self.token.hash, &row.hash)
    }
}

fn unknown() -> Error {
    Error::invalid_grant("unknown refresh token")
}
