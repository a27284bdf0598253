//! The JSON interface, one file per resource (wire.md 2.5 to 2.8).

pub mod clients;
pub mod consents;
pub mod identities;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portolan_db::ReadTx;
use portolan_types::{Timestamp, TokenHash};

use crate::domain::client::{self, Claim};
use crate::error::{Error, Result};
use crate::http::bearer;
use crate::http::client_auth::{PresentedClient, Proof};
use crate::http::extract::Params;
use crate::store::access_tokens::{self, ActiveToken};
use crate::store::clients::Client;

/// What a caller of the interface presented.
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
