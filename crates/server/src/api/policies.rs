//! Authentication policies, wire.md 2.6.3. The policy of a project's session gate is not
//! among them: it has no name and cannot be changed.

use axum::extract::Path;
use axum::response::Response;
use portolan_types::PolicyId;
use portolan_types::api::{self, PolicyChanges};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Call, created, ok};
use crate::domain::policy::registration;
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::openapi::{CallRefused, Forbidden, NotFound, TooLarge, request_body};
use crate::store::policies::{self, Policy};

#[derive(Deserialize)]
pub struct PolicyBody {
    policy: PolicyChanges,
}

request_body! {
    /// Makes a policy.
    NewPolicy { "policy": PolicyChanges }
    required: ["project_id", "display_name", "description"],
    optional: ["required_mfa"],
    nullable: ["high_assurance", "authentication_assurance_timeout", "domain_constraints_include", "domain_constraints_exclude"],
    example: {
        "project_id": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "display_name": "Campus only",
        "description": "Only campus identities",
        "domain_constraints_include": ["example.edu"]
    }
}

request_body! {
    /// Changes a policy. `high_assurance` can only be repeated.
    PolicyUpdate { "policy": PolicyChanges }
    required: [],
    optional: ["project_id", "display_name", "description", "high_assurance", "required_mfa"],
    nullable: ["authentication_assurance_timeout", "domain_constraints_include", "domain_constraints_exclude"],
    example: { "display_name": "Campus" }
}

#[derive(Serialize, ToSchema)]
struct PolicyAnswer {
    policy: api::Policy,
}

#[derive(Serialize, ToSchema)]
struct PoliciesAnswer {
    policies: Vec<api::Policy>,
}

/// `GET /v2/api/policies`: those of the projects that the caller administers.
#[utoipa::path(
    get,
    path = "/v2/api/policies",
    tag = "Policies",
    summary = "List the policies of the caller's projects",
    responses((status = 200, description = "The policies.", body = PoliciesAnswer), CallRefused, Forbidden),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn list_policies(call: Call) -> Result<Response> {
    let answer = call
        .read(|tx, known| {
            let projects = known.manager(tx)?.list_projects(tx)?;
            let found = policies::list_by_projects(tx, projects.iter().map(|project| project.id))?;
            Ok(PoliciesAnswer {
                policies: found.into_iter().map(document).collect(),
            })
        })
        .await?;
    Ok(ok(answer))
}

/// `GET /v2/api/policies/{policy_id}`
#[utoipa::path(
    get,
    path = "/v2/api/policies/{policy_id}",
    tag = "Policies",
    summary = "Read a policy",
    params(("policy_id" = portolan_types::PolicyId, Path)),
    responses((status = 200, description = "The policy.", body = PolicyAnswer), CallRefused, Forbidden, NotFound),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn get_policy(call: Call, Path(id): Path<String>) -> Result<Response> {
    let policy = call
        .read(move |tx, known| {
            let manager = known.manager(tx)?;
            let policy = policies::get(tx, parse(&id)?)?;
            if !manager.administers(tx, policy.project_id)? {
                return Err(Error::forbidden("you do not administer the project of this policy"));
            }
            Ok(policy)
        })
        .await?;
    Ok(ok(answer(policy)))
}

/// `POST /v2/api/policies`
#[utoipa::path(
    post,
    path = "/v2/api/policies",
    tag = "Policies",
    summary = "Make a policy",
    request_body = NewPolicy,
    responses((status = 201, description = "The new policy.", body = PolicyAnswer), CallRefused, Forbidden, TooLarge),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn create_policy(call: Call, Json(body): Json<PolicyBody>) -> Result<Response> {
    let policy = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            registration::create(tx, &known.ctx, &manager, &body.policy)
        })
        .await?;
    Ok(created(answer(policy)))
}

/// `PUT /v2/api/policies/{policy_id}`
#[utoipa::path(
    put,
    path = "/v2/api/policies/{policy_id}",
    tag = "Policies",
    summary = "Change a policy",
    description = "Only what is named changes; lists are replaced.",
    params(("policy_id" = portolan_types::PolicyId, Path)),
    request_body = PolicyUpdate,
    responses(
        (status = 200, description = "The policy as it is now.", body = PolicyAnswer),
        CallRefused, Forbidden, NotFound, TooLarge,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn update_policy(call: Call, Path(id): Path<String>, Json(body): Json<PolicyBody>) -> Result<Response> {
    let policy = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            registration::update(tx, &known.ctx, &manager, parse(&id)?, &body.policy)
        })
        .await?;
    Ok(ok(answer(policy)))
}

/// `DELETE /v2/api/policies/{policy_id}`
#[utoipa::path(
    delete,
    path = "/v2/api/policies/{policy_id}",
    tag = "Policies",
    summary = "Delete a policy",
    params(("policy_id" = portolan_types::PolicyId, Path)),
    responses(
        (status = 200, description = "The policy as it was.", body = PolicyAnswer),
        CallRefused, Forbidden, NotFound,
    ),
    security(("token" = ["urn:globus:auth:scope:auth.globus.org:manage_projects"]), ("client_secret" = [])),
)]
pub async fn delete_policy(call: Call, Path(id): Path<String>) -> Result<Response> {
    let policy = call
        .write(move |tx, known| {
            let manager = known.manager(tx)?;
            registration::delete(tx, &known.ctx, &manager, parse(&id)?)
        })
        .await?;
    Ok(ok(answer(policy)))
}

fn parse(id: &str) -> Result<PolicyId> {
    id.parse().map_err(|_| Error::not_found("policy"))
}

fn answer(policy: Policy) -> PolicyAnswer {
    PolicyAnswer {
        policy: document(policy),
    }
}

/// The document of wire.md 1.13.
pub fn document(policy: Policy) -> api::Policy {
    api::Policy {
        id: policy.id,
        project_id: policy.project_id,
        display_name: policy.display_name,
        description: policy.description,
        high_assurance: policy.high_assurance,
        authentication_assurance_timeout: policy
            .authentication_assurance_timeout
            .and_then(|seconds| u32::try_from(seconds).ok()),
        required_mfa: policy.required_mfa,
        domain_constraints_include: policy.domain_constraints_include,
        domain_constraints_exclude: policy.domain_constraints_exclude,
    }
}
