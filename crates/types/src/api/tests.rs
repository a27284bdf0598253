use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::examples::{client, consent, credential, identity, policy, scope};

/// The document is read, and printed again as it was: no member lost or added.
fn assert_wire<T: Serialize + DeserializeOwned>(document: Value) -> T {
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), document);
    read
}

fn with_secret(secret: Value) -> Value {
    let mut credential = credential();
    credential["secret"] = secret;
    credential
}

#[test]
fn identities_keep_null_members() {
    assert_wire::<Identity>(identity());
    let service_account: Identity = assert_wire(json!({
        "id": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
        "username": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f@clients.auth.globus.org",
        "name": "Beamline Portal", "organization": null, "email": null, "status": "used",
        "identity_provider": "3a74877b-e2a3-44b1-8958-ede1031b1827", "identity_type": null
    }));
    assert_eq!(service_account.identity_type, None);
}

#[test]
fn identity_answers_carry_providers_only_when_asked() {
    let providers = json!({"identity_providers": [{
        "id": "b2f6d6b0-0000-4000-8000-000000000001", "name": "Example University", "short_name": "example",
        "domains": ["example.edu"], "alternative_names": []
    }]});

    assert_wire::<IdentitiesAnswer>(json!({"identities": [identity()], "included": providers}));
    assert_wire::<IdentitiesAnswer>(json!({"identities": []}));
    assert_wire::<IdentityAnswer>(json!({"identity": identity(), "included": providers}));
    assert_wire::<IdentityAnswer>(json!({"identity": identity()}));
}

#[test]
fn projects_show_admins_by_id_and_in_full() {
    let project: Project = assert_wire(json!({
        "id": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
        "display_name": "Beamline", "project_name": "Beamline", "contact_email": "beamline@example.org",
        "admin_ids": ["9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"],
        "admin_group_ids": null,
        "admins": {"identities": [identity()], "groups": [{"id": "b2f6d6b0-0000-4000-8000-000000000002"}]}
    }));
    assert_eq!(project.admin_ids.unwrap(), [project.admins.identities[0].id]);
}

#[test]
fn clients_have_every_member() {
    assert_wire::<Client>(client());
}

#[test]
fn client_records_without_the_newer_members_are_read() {
    let mut document = client();
    let members = document.as_object_mut().unwrap();
    members.remove("userinfo_from_effective_identity");
    members.remove("prompt_for_named_grant");
    members.insert("not_invented_yet".to_owned(), json!([1]));

    let client: Client = serde_json::from_value(document).unwrap();
    assert!(client.userinfo_from_effective_identity);
    assert!(!client.prompt_for_named_grant);
}

#[test]
fn a_template_instance_comes_with_its_secret() {
    let secret = "3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let answer: TemplateInstanceAnswer = assert_wire(json!({
        "client": client(),
        "included": {"client_credential": with_secret(json!(secret))}
    }));
    assert_eq!(answer.included.client_credential.secret, Some(Secret::new(secret)));
}

#[test]
fn a_credential_has_a_null_secret_later() {
    assert_wire::<Credential>(with_secret(Value::Null));
}

#[test]
fn scopes_have_every_member() {
    assert_wire::<Scope>(scope());
    assert_wire::<CreatedScopeAnswer>(json!({"scopes": [scope()], "scope": scope()}));
    let short = json!({"scope": "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f"});
    let dependent: DependentScope = serde_json::from_value(short).unwrap();
    assert!(!dependent.optional && !dependent.requires_refresh_token);
}

#[test]
fn consents_have_integer_ids_and_three_times() {
    assert_wire::<Consent>(consent());
}

#[test]
fn policies_have_every_member() {
    let policy = |timeout: Value, include: Value| {
        let mut policy = policy();
        policy["authentication_assurance_timeout"] = timeout;
        policy["domain_constraints_include"] = include;
        policy
    };
    assert_wire::<Policy>(policy(json!(1800), json!(["example.edu", "*.lab.example.org"])));
    assert_wire::<Policy>(policy(Value::Null, json!([])));
}

#[test]
fn an_update_tells_a_missing_member_from_null() {
    let changes: PolicyChanges = assert_wire(json!({
        "display_name": "New", "domain_constraints_include": null, "domain_constraints_exclude": []
    }));
    assert_eq!(changes.display_name, Change::Set("New".to_owned()));
    assert_eq!(changes.domain_constraints_include, Change::Clear);
    assert_eq!(changes.domain_constraints_exclude, Change::Set(Vec::new()));
    assert_eq!(changes.description, Change::Keep);

    let current = Some(7_i64);
    assert_eq!(Change::Keep.apply(current), current);
    assert_eq!(Change::Clear.apply(current), None);
    assert_eq!(Change::Set(8).apply(current), Some(8));
    assert_eq!(serde_json::to_value(ClientChanges::default()).unwrap(), json!({}));
}

#[test]
fn the_right_to_refresh_tokens_is_read_in_three_spellings() {
    for spelling in ["allows_refresh_token", "allows_refresh_tokens", "allow_refresh_tokens"] {
        let changes: ScopeChanges = serde_json::from_value(json!({ spelling: false })).unwrap();
        assert_eq!(changes.allows_refresh_token, Change::Set(false), "{spelling}");
        let written = serde_json::to_value(&changes).unwrap();
        assert_eq!(written, json!({"allows_refresh_token": false}));
    }
}

#[test]
fn names_are_read_as_they_are_printed() {
    for client_type in ClientType::ALL {
        assert_eq!(client_type.as_str().parse(), Ok(*client_type));
        assert_wire::<ClientType>(json!(client_type.as_str()));
    }
    for text in ["", "Public", "public "] {
        assert_eq!(text.parse::<Visibility>(), Err(UnknownName("visibility")), "{text:?}");
    }
    let error = serde_json::from_value::<ClientType>(json!("portal")).unwrap_err();
    assert_eq!(error.to_string(), "not a valid client type");
}

#[test]
fn client_types_have_the_grants_of_the_table() {
    let code = "authorization_code";
    let own = "client_credentials";
    let refresh = "refresh_token";
    let dependent = "urn:globus:auth:grant_type:dependent_token";
    let table: [(&str, bool, &[&str]); 7] = [
        ("public_installed_client", true, &[code, refresh]),
        ("public_webapp_client", true, &[code, refresh]),
        ("confidential_client", false, &[code, own, refresh]),
        ("client_identity", false, &[code, own, refresh]),
        ("resource_server", false, &[own, dependent]),
        ("globus_connect_server", false, &[code, own, refresh, dependent]),
        (
            "hybrid_confidential_client_resource_server",
            false,
            &[code, own, refresh, dependent],
        ),
    ];
    assert_eq!(table.len(), ClientType::ALL.len());
    for (name, public, grant_types) in table {
        let client_type: ClientType = name.parse().unwrap();
        assert_eq!(client_type.is_public(), public, "{name}");
        assert_eq!(client_type.grant_types(), grant_types, "{name}");
    }
    assert_eq!(ClientType::from_public(true), ClientType::PublicInstalled);
    assert_eq!(ClientType::from_public(false), ClientType::Hybrid);
}
