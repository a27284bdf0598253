//! The refresh token grant, RFC 6749 section 6.
//!
//! Confidential clients keep their refresh token. Public clients rotate: a successor is
//! derived from the presented token, so a lost answer can be repeated without forking the
//! family (decisions, section 2). A predecessor that comes back after its grace was copied:
//! the family ends. That end must survive although the request fails, so it is an outcome.

use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::Secret;
use portolan_types::oauth::TokenResponse;

use super::{authenticate, respond};
use crate::app::{App, Ctx};
use crate::config::RefreshRotation;
use crate::domain::token_format::{self, TokenKind};
use crate::domain::tokens::{self, Lifetimes, Prepared, Subject};
use crate::domain::{client, policy};
use crate::error::{Error, Result};
use crate::http::client_auth::PresentedClient;
use crate::http::extract::Params;
use crate::store::access_tokens::{self, TokenScope};
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::refresh_tokens::{self, RefreshToken};
use crate::store::scopes::{self, Scope};
use crate::store::{grants, identities};

/// How often the trail tells of one client that presents what is not its own.
const STRANGER_ENTRIES_PER_HOUR: i64 = 100;

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
    let (found, tokens, live, rows, scopes) = app
        .db
        .find((
            clients::with_secrets(presented.id),
            refresh_tokens::by_hash(&hash),
            refresh_tokens::live(&hash, ctx.now),
            access_tokens::scopes(&hash),
            scopes::of_token(&hash),
        ))
        .await?;
    // The client comes first, so a stranger cannot end somebody else's family.
    let client = authenticate(found, &presented, client::REFRESH_TOKEN)?.client;
    let token = tokens.into_iter().next().ok_or_else(unknown)?;
    if token.client_id != client.id {
        record_stranger(app, ctx, &client, &token).await?;
        return Err(Error::invalid_grant("refresh token belongs to another client"));
    }
    if live.is_empty() {
        return Err(Error::invalid_grant("refresh token has expired or was revoked"));
    }
    let covered = TokenScope::from_rows(rows)
        .ok_or_else(|| Error::invalid_grant("the consent behind this refresh token was revoked"))?;
    check_scopes(app, &token, &covered, &scopes).await?;
    let kept = narrow(&covered, scope.as_deref())?;
    let rotates = match app.config.refresh_rotation {
        RefreshRotation::Never => false,
        RefreshRotation::Public => client.is_public(),
        RefreshRotation::Always => true,
    };
    // A chain that was begun is gone on with, whatever the setting says today.
    let rotates = rotates || token.rotated_at.is_some();
    let lifetimes = Lifetimes::of(&app.config);
    let subject = Subject {
        client_id: token.client_id,
        identity_id: token.identity_id,
        identity_generation: token.identity_generation,
        issuance_id: token.issuance_id,
        app_session_id: token.app_session_id,
        profile: token.profile,
    };
    let mut prepared = tokens::prepare_access(
        ctx,
        &subject,
        token.resource_server_id,
        &token.resource_server,
        Some(token.family_id),
        kept.iter()
            .map(|scope| (scope.consent_id, scope.requested.clone()))
            .collect(),
        &lifetimes,
    );
    prepared.note_use(ctx, kept.iter().map(|scope| (scope.consent_id, scope.last_used_at)));
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

/// A client that presents somebody else's refresh token has a copy of it. The trail tells,
/// although the request fails; but one stolen token must not fill it.
async fn record_stranger(app: &App, ctx: &Ctx, client: &Client, token: &RefreshToken) -> Result<()> {
    const ACTION: &str = "refresh_token.refused";
    let (actor, an_hour_ago) = (Actor::Client(client.id), ctx.now - Duration::from_secs(3600));
    let recorded = app
        .db
        .read(move |tx| audit::count_since(tx, actor, ACTION, an_hour_ago))
        .await?;
    if recorded >= STRANGER_ENTRIES_PER_HOUR {
        return Ok(());
    }
    let event = Event {
        action: ACTION,
        actor,
        resource_kind: "client",
        resource_id: token.client_id.to_string(),
        detail: serde_json::json!({
            "reason": "belongs to another client",
            "identity": token.identity_id,
            "resource_server": token.resource_server,
            // A public client only says who it is.
            "caller_proven": !client.is_public(),
        }),
    };
    let unit_ctx = ctx.clone();
    app.db.write(move |tx| audit::insert(tx, &unit_ctx, &event)).await
}

/// The scopes to go on with: all, or those of the names that were asked for.
fn narrow<'a>(covered: &'a [TokenScope], wanted: Option<&[String]>) -> Result<Vec<&'a TokenScope>> {
    let goes_by = |scope: &TokenScope, name: &String| scope.requested == *name || scope.canonical == *name;
    if let Some(unknown) = wanted
        .into_iter()
        .flatten()
        .find(|name| !covered.iter().any(|scope| goes_by(scope, name)))
    {
        return Err(Error::invalid_scope(format!(
            "the refresh token does not cover {unknown}"
        )));
    }
    Ok(covered
        .iter()
        .filter(|scope| wanted.is_none_or(|names| names.iter().any(|name| goes_by(scope, name))))
        .collect())
}

/// What scopes demand today: refresh tokens still allowed, and the person still of one of
/// the required domains.
async fn check_scopes(app: &App, token: &RefreshToken, covered: &[TokenScope], scopes: &[Scope]) -> Result<()> {
    if !covered.iter().all(|scope| scope.allows_refresh) {
        return Err(Error::invalid_grant("the consent no longer allows refresh tokens"));
    }
    if !scopes.iter().all(|scope| scope.allows_refresh_token) {
        return Err(Error::invalid_grant(
            "a scope of this refresh token no longer allows refresh tokens",
        ));
    }
    let demanding: Vec<Vec<String>> = scopes
        .iter()
        .map(Scope::required_domains)
        .filter(|domains| !domains.is_empty())
        .collect();
    if demanding.is_empty() {
        return Ok(());
    }
    let identity_id = token.identity_id;
    let set = app
        .db
        .read(move |tx| {
            let identity = identities::get(tx, identity_id)?;
            identities::list_set(tx, identity.set_id)
        })
        .await?;
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
            // Not rotated and not revoked: neither was the presented one until this moment.
            ..self.token.clone()
        };
        refresh_tokens::insert(tx, &row)?;
        access_tokens::copy_consents(tx, &self.token.hash, &row.hash)
    }
}

fn unknown() -> Error {
    Error::invalid_grant("unknown refresh token")
}
