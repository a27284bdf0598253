//! Identity providers, wire.md 2.7.3.

use axum::response::Response;
use portolan_db::ReadTx;
use portolan_types::IdentityProviderId;
use portolan_types::api::{self, IncludedIdentityProviders};

use super::{Call, ok};
use crate::error::{Error, Result};
use crate::http::openapi::CallRefused;
use crate::store::identity_providers::{self, IdentityProvider};

/// The most that one call may ask for.
const MAXIMUM: usize = 500;

/// `GET /v2/api/identity_providers`: by domain or by id, the unknown left out. Everybody
/// who is authenticated may ask.
#[utoipa::path(
    get,
    path = "/v2/api/identity_providers",
    tag = "Identities",
    summary = "Find identity providers",
    params(
        (
            "domains" = Option<Vec<String>>,
            Query,
            description = "By domain. Exactly one of `domains` and `ids`.",
            nullable = false,
            max_items = 500
        ),
        ("ids" = Option<Vec<IdentityProviderId>>, Query, description = "By id.", nullable = false, max_items = 500),
    ),
    responses(
        (status = 200, description = "The known among those asked for.", body = IncludedIdentityProviders),
        CallRefused,
    ),
    security(("token" = []), ("client_secret" = [])),
)]
pub async fn list_identity_providers(call: Call) -> Result<Response> {
    let owned = |items: Vec<&str>| -> Vec<String> { items.into_iter().map(str::to_lowercase).collect() };
    let (domains, ids) = (owned(call.params.list("domains")), owned(call.params.list("ids")));
    let answer = call
        .read(move |tx, _| {
            if domains.len().max(ids.len()) > MAXIMUM {
                return Err(Error::invalid_parameters(format!("at most {MAXIMUM} at once")));
            }
            let found = match (domains.is_empty(), ids.is_empty()) {
                (true, true) => return Err(Error::invalid_parameters("give domains or ids")),
                (false, false) => return Err(Error::invalid_parameters("give domains or ids, not both")),
                (false, true) => identity_providers::list_by_domains(tx, &domains)?,
                (true, false) => {
                    let ids: Vec<IdentityProviderId> = ids
                        .iter()
                        .map(|id| id.parse())
                        .collect::<Result<_, _>>()
                        .map_err(|_| Error::invalid_parameters("ids: must be uuids separated by commas"))?;
                    identity_providers::list_by_ids(tx, &ids)?
                }
            };
            let identity_providers = found
                .iter()
                .map(|provider| document(tx, provider))
                .collect::<Result<_>>()?;
            // The same document as beside identities, here at the top.
            Ok(IncludedIdentityProviders { identity_providers })
        })
        .await?;
    Ok(ok(answer))
}

/// The document of wire.md 1.4.
pub fn document(tx: &mut ReadTx, provider: &IdentityProvider) -> Result<api::IdentityProvider> {
    Ok(api::IdentityProvider {
        id: provider.id,
        name: provider.name.clone(),
        short_name: provider.short_name.clone(),
        domains: identity_providers::list_domains(tx, provider.id)?,
        alternative_names: provider.alternative_names(),
    })
}
