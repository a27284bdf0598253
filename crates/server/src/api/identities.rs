//! Identity look-up, wire.md 2.7.

use axum::extract::Path;
use axum::response::Response;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::api::{self, IdentitiesAnswer, IdentityAnswer, IncludedIdentityProviders};
use portolan_types::{ClientId, IdentityId, IdentitySetId};
use utoipa::ToSchema;

use super::{Call, Caller, Known, ok};
use crate::domain::identity;
use crate::error::{Error, Result};
use crate::http::openapi::{CallRefused, Forbidden, NotFound};
use crate::store::audit::Actor;
use crate::store::clients::{self, Client};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::{self, CLIENTS};

/// The most that one call may ask for.
const MAXIMUM: usize = 500;

/// What a look-up adds to its answer.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum IncludeProvider {
    IdentityProvider,
}

enum Wanted {
    Ids(Vec<IdentityId>),
    Usernames(Vec<String>),
}

/// `GET /v2/api/identities`: with `provision` unknown usernames become known, so that
/// permissions can be prepared for people who come later (wire.md 1.2).
#[utoipa::path(
    get,
    path = "/v2/api/identities",
    tag = "Identities",
    summary = "Find identities",
    params(
        (
            "ids" = Option<Vec<IdentityId>>,
            Query,
            description = "By id. Exactly one of `ids` and `usernames`.",
            nullable = false,
            max_items = 500
        ),
        (
            "usernames" = Option<Vec<String>>,
            Query,
            description = "By username, `name@domain`.",
            nullable = false,
            max_items = 500
        ),
        (
            "provision" = Option<bool>,
            Query,
            description = "Make unknown usernames of known domains known.",
            nullable = false
        ),
        (
            "include" = Option<Vec<IncludeProvider>>,
            Query,
            description = "Adds the identity providers.",
            nullable = false
        ),
    ),
    responses(
        (status = 200, description = "The known among those asked for.", body = IdentitiesAnswer),
        CallRefused, Forbidden,
    ),
    security(("token" = []), ("client_secret" = [])),
)]
pub async fn list_identities(call: Call) -> Result<Response> {
    let params = &call.params;
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
    let provision = call.params.flag("provision")?.unwrap_or(false);
    let include = call.params.list("include").contains(&"identity_provider");
    let answer = if provision && matches!(wanted, Ok(Wanted::Usernames(_))) {
        let local_domain = call.app.config.local_domain.clone();
        call.write(move |tx, known| {
            // Whether the caller may look is asked first: an instance of a template may not.
            Reader::of(tx, &known.caller)?;
            if let Ok(Wanted::Usernames(names)) = &wanted {
                check_size(names.len())?;
                provision_unknown(tx, known, &local_domain, names)?;
            }
            look_up(tx, &known.caller, &wanted, include)
        })
        .await?
    } else {
        call.read(move |tx, known| look_up(tx, &known.caller, &wanted, include))
            .await?
    };
    Ok(ok(answer))
}

fn look_up(tx: &mut ReadTx, caller: &Caller, wanted: &Result<Wanted>, include: bool) -> Result<IdentitiesAnswer> {
    let reader = Reader::of(tx, caller)?;
    let found = match wanted.as_ref().map_err(Error::repeat)? {
        Wanted::Ids(ids) => {
            check_size(ids.len())?;
            identities::list_by_ids(tx, ids)?
        }
        Wanted::Usernames(names) => {
            check_size(names.len())?;
            identities::list_by_usernames(tx, names)?
        }
    };
    let included = if include { Some(providers(tx, &found)?) } else { None };
    let identities = found
        .iter()
        .map(|identity| reader.document(identity))
        .collect::<Result<_>>()?;
    Ok(IdentitiesAnswer { identities, included })
}

fn check_size(asked: usize) -> Result<()> {
    if asked > MAXIMUM {
        return Err(Error::invalid_parameters(format!("at most {MAXIMUM} at once")));
    }
    Ok(())
}

/// Makes the unknown among these usernames known. Only a person, or a client that somebody
/// answers for, may do that, and only so often.
fn provision_unknown(tx: &mut WriteTx, known: &Known, local_domain: &str, names: &[String]) -> Result<()> {
    let actor = match &known.caller {
        Caller::Token(token) if token.provider_id != CLIENTS => Actor::Identity(token.identity_id),
        Caller::Token(token) => {
            let client = clients::find(tx, ClientId(token.identity_id.0))?;
            project_client(client.as_ref())?
        }
        Caller::Client(client) => project_client(Some(client))?,
    };
    identity::provision(tx, &known.ctx, actor, local_domain, names)
}

fn project_client(client: Option<&Client>) -> Result<Actor> {
    match client {
        Some(client) if client.project_id.is_some() => Ok(Actor::Client(client.id)),
        _ => Err(Error::forbidden(
            "provision needs the token of a person, or a client that belongs to a project",
        )),
    }
}

/// `GET /v2/api/identities/{identity_id}`
#[utoipa::path(
    get,
    path = "/v2/api/identities/{identity_id}",
    tag = "Identities",
    summary = "Read an identity",
    params(
        ("identity_id" = portolan_types::IdentityId, Path),
        (
            "include" = Option<Vec<IncludeProvider>>,
            Query,
            description = "Adds the identity providers.",
            nullable = false
        ),
    ),
    responses((status = 200, description = "The identity.", body = IdentityAnswer), CallRefused, Forbidden, NotFound),
    security(("token" = []), ("client_secret" = [])),
)]
pub async fn get_identity(call: Call, Path(id): Path<String>) -> Result<Response> {
    let include = call.params.list("include").contains(&"identity_provider");
    let answer = call
        .read(move |tx, known| {
            let reader = Reader::of(tx, &known.caller)?;
            let id: IdentityId = id.parse().map_err(|_| Error::not_found("identity"))?;
            let identity = identities::get(tx, id)?;
            let included = if include {
                Some(providers(tx, std::slice::from_ref(&identity))?)
            } else {
                None
            };
            Ok(IdentityAnswer {
                identity: reader.document(&identity)?,
                included,
            })
        })
        .await?;
    Ok(ok(answer))
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
