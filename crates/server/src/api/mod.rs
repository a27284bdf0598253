//! The JSON interface, one file per resource (wire.md 2.5 to 2.8).

pub mod clients;
pub mod consents;
pub mod credentials;
pub mod fqdns;
pub mod identities;
pub mod identity_providers;
pub mod policies;
pub mod projects;
pub mod scopes;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use portolan_db::{ReadTx, WriteTx};
use portolan_types::{Timestamp, TokenHash};
use serde::Serialize;

use crate::app::{App, Ctx};
use crate::domain::client::{self, Claim};
use crate::domain::project::{Gate, Manager};
use crate::error::{Error, Kind, Result};
use crate::http::client_auth::{PresentedClient, Proof};
use crate::http::extract::{Params, Query};
use crate::http::{bearer, no_store};
use crate::store::access_tokens::{self, ActiveToken};
use crate::store::clients::Client;

/// What a caller of the interface presented.
#[derive(Clone)]
enum Presented {
    Bearer(TokenHash),
    Client(PresentedClient),
}

/// Who calls, proven over the store.
pub enum Caller {
    /// A token of this server's own resources.
    Token(Box<ActiveToken>),
    Client(Box<Client>),
}

impl Presented {
    /// By the scheme of the header; nobody who calls without one is let in.
    fn read(headers: &HeaderMap, query: &Params) -> Result<Self> {
        let header = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if header
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "))
        {
            return PresentedClient::read(headers, &Params::default()).map(Presented::Client);
        }
        bearer::read(headers, query, None).map(Presented::Bearer)
    }

    fn authenticate(&self, tx: &mut ReadTx, now: Timestamp, resource_server: &str) -> Result<Caller> {
        match self {
            Presented::Bearer(hash) => {
                let token = access_tokens::find_active(tx, hash, now)?;
                let token = token.filter(|token| token.resource_server == resource_server);
                let token = token.ok_or_else(|| Error::invalid_token("Call must be authenticated"))?;
                Ok(Caller::Token(Box::new(token)))
            }
            Presented::Client(presented) => {
                let Proof::Basic(hashes) = &presented.proof else {
                    return Err(Error::invalid_client());
                };
                Ok(Caller::Client(Box::new(client::authenticate(
                    tx,
                    presented.id,
                    Claim::Secrets(hashes),
                )?)))
            }
        }
    }
}

/// A call of somebody who presents something: what a handler of the developer interface
/// works with. Nobody gets as far as the body of a request without a token or a secret.
pub struct Call {
    app: App,
    ctx: Ctx,
    params: Params,
    presented: Presented,
}

impl FromRequestParts<App> for Call {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Query(params) = Query::from_request_parts(parts, app).await?;
        let presented = Presented::read(&parts.headers, &params)?;
        let Ok(ctx) = Ctx::from_request_parts(parts, app).await;
        Ok(Self {
            app: app.clone(),
            ctx,
            params,
            presented,
        })
    }
}

/// What a unit of work knows of the call: who it is, and what the server is set to.
struct Known {
    caller: Caller,
    ctx: Ctx,
    resource_server: String,
    gate: Gate,
}

impl Call {
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut ReadTx, &Known) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let prove = self.prover();
        let result = self
            .app
            .db
            .read(move |tx| {
                let known = prove(tx)?;
                work(tx, &known)
            })
            .await;
        self.count_failure(result)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut WriteTx, &Known) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let prove = self.prover();
        let result = self
            .app
            .db
            .write(move |tx| {
                let known = prove(tx)?;
                work(tx, &known)
            })
            .await;
        self.count_failure(result)
    }

    /// Counts a call that makes the server write to an address which the caller has chosen.
    fn mail_request(&self) -> Result<()> {
        self.app.limits.notice(self.ctx.address)
    }

    /// Proves the caller in the unit of the work itself: what is revoked in between counts.
    fn prover(&self) -> impl Fn(&mut ReadTx) -> Result<Known> + Send + 'static {
        let (presented, ctx) = (self.presented.clone(), self.ctx.clone());
        let resource_server = self.app.config.resource_server_name.clone();
        let gate = Gate::of(&self.app.config);
        move |tx| {
            Ok(Known {
                caller: presented.authenticate(tx, ctx.now, &resource_server)?,
                ctx: ctx.clone(),
                resource_server: resource_server.clone(),
                gate,
            })
        }
    }

    /// Guessing at a secret is slowed down here as at the token endpoint.
    fn count_failure<T>(&self, result: Result<T>) -> Result<T> {
        if let (Err(error), Presented::Client(presented)) = (&result, &self.presented)
            && error.kind() == Kind::InvalidClient
        {
            self.app
                .limits
                .failed_client_authentication(self.ctx.address, &presented.id.to_string())?;
        }
        result
    }
}

impl Known {
    /// The caller with the rights of an admin: a client with its secret, or a token with
    /// the scope `manage_projects`.
    fn manager(&self, tx: &mut ReadTx) -> Result<Manager> {
        self.manager_by(tx, &["manage_projects"])
    }

    /// The same with one of these scopes of this server. The first is what a refusal names.
    fn manager_by(&self, tx: &mut ReadTx, scopes: &[&str]) -> Result<Manager> {
        match &self.caller {
            Caller::Client(client) if client.is_instance => Err(Error::forbidden(
                "a device registration may only see and delete itself; use a token of the person",
            )),
            Caller::Client(client) => Ok(Manager::of_client(client)),
            Caller::Token(token) if scopes.iter().any(|scope| token.has_scope(&self.scope(scope))) => {
                Manager::of_token(tx, token, self.gate)
            }
            Caller::Token(_) => Err(Error::insufficient_scope(self.scope(scopes[0]))),
        }
    }

    /// The caller as a reader: with the rights of an admin if it has one of these scopes,
    /// else with those of anybody who is authenticated.
    fn reader(&self, tx: &mut ReadTx, scopes: &[&str]) -> Result<Manager> {
        match &self.caller {
            Caller::Client(client) => Ok(Manager::of_client(client)),
            Caller::Token(token) => {
                let manager = Manager::of_token(tx, token, self.gate)?;
                let may = scopes.iter().any(|scope| token.has_scope(&self.scope(scope)));
                Ok(if may { manager } else { manager.as_reader() })
            }
        }
    }

    fn scope(&self, name: &str) -> String {
        format!("urn:globus:auth:scope:{}:{name}", self.resource_server)
    }
}

/// A document that nobody keeps: most are about what only some may see.
fn ok(document: impl Serialize) -> Response {
    (no_store(), axum::Json(document)).into_response()
}

fn created(document: impl Serialize) -> Response {
    (StatusCode::CREATED, no_store(), axum::Json(document)).into_response()
}
