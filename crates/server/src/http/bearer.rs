//! The bearer token of a caller of our own resources (RFC 6750): from the header only, or
//! from the form of a POST to userinfo; never from the query.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portolan_db::ReadTx;
use portolan_types::{Timestamp, TokenHash};

use super::extract::Params;
use crate::domain::token_format::{self, TokenKind};
use crate::error::{Error, Result};
use crate::store::access_tokens::{self, ActiveToken};

/// The hash of the presented access token.
pub fn read(headers: &HeaderMap, query: &Params, form: Option<&Params>) -> Result<TokenHash> {
    if query.get("access_token").is_some() {
        return Err(Error::invalid_request(
            "tokens in the query are refused; use the Authorization header",
        ));
    }
    let in_form = form.and_then(|form| form.get("access_token"));
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let header = values.next();
    if values.next().is_some() || (header.is_some() && in_form.is_some()) {
        return Err(Error::invalid_request("more than one access token"));
    }
    let token = match (header, in_form) {
        (None, None) => return Err(Error::unauthorized("Call must be authenticated")),
        (_, Some(token)) => token,
        (Some(header), None) => {
            let text = header.to_str().map_err(|_| invalid_token())?;
            let (scheme, token) = text
                .split_once(' ')
                .ok_or_else(|| Error::unauthorized("Call must be authenticated"))?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(Error::unauthorized("Call must be authenticated"));
            }
            token.trim()
        }
    };
    if token_format::parse(token) != Some(TokenKind::Access) {
        return Err(invalid_token());
    }
    Ok(token_format::hash(token))
}

/// The active token of this server's own resources, with one of the scopes.
pub fn authenticate(
    tx: &mut ReadTx,
    hash: &TokenHash,
    now: Timestamp,
    resource_server: &str,
    scope: &str,
) -> Result<ActiveToken> {
    let token = access_tokens::find_active(tx, hash, now)?.ok_or_else(invalid_token)?;
    if token.resource_server != resource_server {
        return Err(invalid_token());
    }
    if !token.has_scope(scope) {
        return Err(Error::insufficient_scope(scope));
    }
    Ok(token)
}

fn invalid_token() -> Error {
    Error::invalid_token("Call must be authenticated")
}
