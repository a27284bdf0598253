//! An example of each resource (wire.md 1.2 to 1.13): for the description of the interface,
//! and for tests.

use serde_json::{Value, json};

pub fn identity() -> Value {
    json!({
        "id": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d",
        "username": "rdoe@example.edu",
        "status": "used",
        "identity_type": "login",
        "identity_provider": "b2f6d6b0-4c7e-4e2a-9f55-1f1e1d1c1b1a",
        "name": "Robin Doe",
        "organization": "Example University",
        "email": "robin.doe@example.edu"
    })
}

pub fn identity_provider() -> Value {
    json!({
        "id": "b2f6d6b0-4c7e-4e2a-9f55-1f1e1d1c1b1a",
        "name": "Example University",
        "short_name": "example",
        "domains": ["example.edu"],
        "alternative_names": []
    })
}

pub fn project() -> Value {
    json!({
        "id": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "display_name": "Beamline",
        "project_name": "Beamline",
        "contact_email": "beamline@example.edu",
        "admin_ids": ["9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"],
        "admin_group_ids": null,
        "admins": { "identities": [identity()], "groups": [] }
    })
}

pub fn client() -> Value {
    json!({
        "id": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
        "name": "Beamline Portal",
        "project": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "parent_client": null,
        "public_client": false,
        "client_type": "confidential_client",
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "visibility": "private",
        "redirect_uris": ["https://portal.example.org/callback"],
        "links": { "privacy_policy": null, "terms_and_conditions": null },
        "required_idp": null,
        "preselect_idp": null,
        "scopes": [],
        "fqdns": [],
        "userinfo_from_effective_identity": true,
        "prompt_for_named_grant": false
    })
}

pub fn credential() -> Value {
    json!({
        "id": "0c4d8b1e-52a7-4d0e-9b0d-3c1f5a7e9d21",
        "client": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
        "name": "deploy",
        "created": "2026-02-03T09:15:27.104882+00:00",
        "secret": null
    })
}

pub fn scope() -> Value {
    json!({
        "id": "c0de7a52-54f1-4f6a-8d1b-3a7f0e6d9b21",
        "client": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
        "scope_string": "https://auth.globus.org/scopes/5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f/action_all",
        "name": "Run beamline actions",
        "description": "All operations of the beamline action provider",
        "advertised": false,
        "allows_refresh_token": true,
        "required_domains": [],
        "dependent_scopes": [
            { "scope": "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f", "optional": false, "requires_refresh_token": true }
        ]
    })
}

pub fn consent() -> Value {
    json!({
        "id": 70311,
        "client": "2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20",
        "scope": "fe0a3f6c-2f0b-4a34-8c6e-7d1a1d2b3c44",
        "scope_name": "https://auth.globus.org/scopes/41f0c5de-0000-4000-8000-000000000001/data_access",
        "effective_identity": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d",
        "dependency_path": [70310, 70311],
        "status": "approved",
        "allows_refresh": true,
        "auto_approved": false,
        "atomically_revocable": true,
        "created": "2026-02-03T09:15:27.104882+00:00",
        "updated": "2026-02-03T09:15:27.104882+00:00",
        "last_used": "2026-02-03T09:15:28.000000+00:00"
    })
}

pub fn policy() -> Value {
    json!({
        "id": "aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70",
        "project_id": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "display_name": "Campus only",
        "description": "Only campus identities, recent login",
        "high_assurance": true,
        "authentication_assurance_timeout": 1800,
        "required_mfa": false,
        "domain_constraints_include": ["example.edu", "*.lab.example.org"],
        "domain_constraints_exclude": null
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::api;

    /// Every member is shown, and is what the type prints.
    fn assert_is_a<T: Serialize + DeserializeOwned>(example: Value) {
        let document: T = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&document).unwrap(), example);
    }

    #[test]
    fn examples_are_whole_documents_of_their_types() {
        assert_is_a::<api::Identity>(identity());
        assert_is_a::<api::IdentityProvider>(identity_provider());
        assert_is_a::<api::Project>(project());
        assert_is_a::<api::Client>(client());
        assert_is_a::<api::Credential>(credential());
        assert_is_a::<api::Scope>(scope());
        assert_is_a::<api::Consent>(consent());
        assert_is_a::<api::Policy>(policy());
    }
}
