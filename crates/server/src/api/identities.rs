//! Identity look-up, wire.md 2.7.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::api::{self, IdentitiesAnswer, IdentityAnswer, IncludedIdentityProviders};
use portolan_types::{IdentityId, IdentitySetId};

use super::{Caller, Presented};
use crate::app::{App, Ctx};
use crate::error::{Error, Kind, Result};
use crate::http::extract::Query;
use crate::http::no_store;
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::{self, CLIENTS};

/// The most that one call may ask for.
const MAXIMUM: usize = 500;

enum Wanted {
    Ids(Vec<IdentityId>),
    Usernames(Vec<String>),
}

/// `GET /v2/api/identities`
pub async fn list_identities(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let presented = Presented::read(&headers, &params)?;
    let wanted = match (params.list("ids").as_slice(), params.list("usernames").as_slice()) {
        ([], []) => Err(Error::invalid_parameters("give ids or usernames")),
        (ids, []) => ids
            .iter()
            .map(|id| id.parse())
            .collect::<Result<_, _>>()
            .map(Wanted::Ids)
            .map_err(|_| Error::invalid_parameters("ids: must be uuids separated by commas")),
        ([], names) if names.iter().all(|name| name.contains('@')) => Ok(Wanted::Usernames(
            names.iter().map(|name| name.to_lowercase()).collect(),
        )),
        ([], _) => Err(Error::invalid_parameters(
            "usernames: each must have the form name@domain",
        )),
        _ => Err(Error::invalid_parameters("give ids or usernames, not both")),
    };
    params.flag("provision")?;
    let include = params.list("include").contains(&"identity_provider");
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let answer = app
        .db
        .read(move |tx| {
            let caller = presented.authenticate(tx, now, &resource_server)?;
            let reader = Reader::of(tx, &caller)?;
            let found = match &wanted {
                Err(error) => return Err(Error::new(error.kind(), error.detail().to_owned())),
                Ok(Wanted::Ids(ids)) if ids.len() <= MAXIMUM => identities::list_by_ids(tx, ids)?,
                Ok(Wanted::Usernames(names)) if names.len() <= MAXIMUM => identities::list_by_usernames(tx, names)?,
                Ok(_) => {
                    return Err(Error::new(
                        Kind::InvalidParameters,
                        format!("at most {MAXIMUM} at once"),
                    ));
                }
            };
            let included = if include { Some(providers(tx, &found)?) } else { None };
            let identities = found
                .iter()
                .map(|identity| reader.document(identity))
                .collect::<Result<_>>()?;
            Ok(IdentitiesAnswer { identities, included })
        })
        .await?;
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// `GET /v2/api/identities/{identity_id}`
pub async fn get_identity(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    let Query(params) = query?;
    let presented = Presented::read(&headers, &params)?;
    let include = params.list("include").contains(&"identity_provider");
    let (now, resource_server) = (ctx.now, app.config.resource_server_name.clone());
    let answer = app
        .db
        .read(move |tx| {
            let caller = presented.authenticate(tx, now, &resource_server)?;
            let reader = Reader::of(tx, &caller)?;
            let id: IdentityId = id.parse().map_err(|_| Error::not_found("identity"))?;
            let identity = identities::get(tx, id)?;
            let included = if include {
                Some(providers(tx, std::slice::from_ref(&identity))?)
            } else {
                None
            };
            Ok::<_, Error>(IdentityAnswer {
                identity: reader.document(&identity)?,
                included,
            })
        })
        .await?;
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// Who looks: e-mail and organization are for people, and for whoever shares the identity
/// set; not for machines that collect addresses (decisions, section 6).
pub(super) struct Reader {
    is_person: bool,
    set: Option<IdentitySetId>,
}

impl Reader {
    pub(super) fn of(tx: &mut ReadTx, caller: &Caller) -> Result<Self> {
        match caller {
            Caller::Token(token) => Ok(Self {
                is_person: token.provider_id != CLIENTS,
                set: Some(token.set_id),
            }),
            Caller::Client(client) if client.is_instance => Err(Error::forbidden(
                "a device registration may not look up identities; use a token of the person",
            )),
            Caller::Client(client) => {
                let own = identities::find(tx, client.id.identity())?;
                Ok(Self {
                    is_person: false,
                    set: own.map(|identity| identity.set_id),
                })
            }
        }
    }

    pub(super) fn document(&self, identity: &Identity) -> Result<api::Identity> {
        let own = self.set == Some(identity.set_id);
        let open = own || (self.is_person && !matches!(identity.status.as_str(), "private" | "closed"));
        let unknown = || Error::internal("a stored identity has an unknown status or type");
        Ok(api::Identity {
            id: identity.id,
            username: identity.username.clone(),
            status: identity.status.parse().map_err(|_| unknown())?,
            identity_type: identity
                .identity_type
                .as_deref()
                .map(|text| text.parse().map_err(|_| unknown()))
                .transpose()?,
            identity_provider: identity.provider_id,
            name: identity.name.clone(),
            organization: identity.organization.clone().filter(|_| open),
            email: identity.email.clone().filter(|_| open),
        })
    }
}

fn providers(tx: &mut ReadTx, identities: &[Identity]) -> Result<IncludedIdentityProviders> {
    let mut documents: Vec<api::IdentityProvider> = Vec::new();
    for identity in identities {
        if documents.iter().any(|known| known.id == identity.provider_id) {
            continue;
        }
        let Some(provider) = identity_providers::find(tx, identity.provider_id)? else {
            continue;
        };
        documents.push(super::identity_providers::document(tx, &provider)?);
    }
    Ok(IncludedIdentityProviders {
        identity_providers: documents,
    })
}
