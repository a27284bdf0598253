//! Documents of the protocol endpoints: tokens, introspection, userinfo, discovery.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::Secret;

/// One token of a token answer (wire.md 2.2.1). Every element of an answer has this shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenDocument {
    pub access_token: Secret,
    /// Seconds until the access token ends.
    pub expires_in: u64,
    /// The granted top-level scopes of this resource server, separated by single spaces.
    pub scope: String,
    pub resource_server: String,
    /// Always `Bearer`.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::bearer))]
    pub token_type: String,
    /// Echoed in answers to the code grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub refresh_token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub id_token: Option<Secret>,
}

/// The answer of the token endpoint: the token of the first requested scope on top, the
/// other resource servers' in `other_tokens`, which is there even when empty because the
/// Python SDK reads it without asking (wire.md 2.2.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenResponse {
    #[serde(flatten)]
    pub token: TokenDocument,
    pub other_tokens: Vec<TokenDocument>,
}

/// An identity inside `identity_set` of userinfo and ID tokens (wire.md 2.2.7, 2.4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkedIdentity {
    pub sub: Uuid,
    pub username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_provider: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_provider_display_name: Option<String>,
    /// Unix seconds; null if never.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_authentication: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub status: Option<String>,
}

/// The answer of the userinfo endpoint (wire.md 2.4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserInfo {
    pub sub: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub preferred_username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub email: Option<String>,
    /// Whether the person has shown that they read mail at that address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_provider: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_provider_display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub last_authentication: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_set: Option<Vec<LinkedIdentity>>,
}

/// The answer of the introspection endpoint (RFC 7662, wire.md 2.3.1). An inactive token
/// is `{"active": false}` and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Introspection {
    Active(Box<ActiveIntrospection>),
    Inactive(Activity),
}

/// `{"active": …}` alone: what `validate` and `revoke` answer (wire.md 2.3.2, 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Activity {
    pub active: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActiveIntrospection {
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::always_true))]
    pub active: bool,
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::bearer))]
    pub token_type: String,
    pub scope: String,
    pub client_id: Uuid,
    pub sub: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub username: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub name: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub email: Option<String>,
    pub aud: Vec<String>,
    pub iss: String,
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    /// When the person last authenticated in the session of the token (RFC 9470 section 6.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub auth_time: Option<i64>,
    /// How they did, if that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub acr: Option<String>,
    pub dependent_tokens_cache_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_set: Option<Vec<Uuid>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identities_set: Option<Vec<Uuid>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub identity_set_detail: Option<Vec<IdentityDetail>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_info: Option<SessionInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub policy_evaluations: Option<std::collections::BTreeMap<Uuid, PolicyEvaluation>>,
}

/// An element of `identity_set_detail`; consumers read `sub` and some `id`, so both are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentityDetail {
    pub sub: Uuid,
    pub id: Uuid,
    pub username: String,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub name: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub email: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub organization: Option<String>,
    pub identity_provider: Uuid,
    pub identity_provider_display_name: String,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub identity_type: Option<String>,
    pub status: String,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_authentication: Option<i64>,
}

/// Never null: the CLI calls `.get` on it (wire.md 2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    #[cfg_attr(feature = "openapi", schema(required))]
    pub session_id: Option<Uuid>,
    pub authentications: std::collections::BTreeMap<Uuid, SessionAuthentication>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionAuthentication {
    pub idp: Uuid,
    /// Unix seconds; 0 if the identity provider does not tell when it was.
    pub auth_time: i64,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub acr: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required))]
    pub amr: Option<Vec<String>>,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub custom_claims: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyEvaluation {
    pub evaluation: bool,
}

/// The discovery document (OpenID Connect Discovery 1.0, RFC 8414, wire.md 2.4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Discovery {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub userinfo_endpoint: String,
    pub token_endpoint: String,
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    pub end_session_endpoint: String,
    pub jwks_uri: String,
    pub response_types_supported: Vec<String>,
    pub response_modes_supported: Vec<String>,
    pub grant_types_supported: Vec<String>,
    pub subject_types_supported: Vec<String>,
    pub id_token_signing_alg_values_supported: Vec<String>,
    pub scopes_supported: Vec<String>,
    pub token_endpoint_auth_methods_supported: Vec<String>,
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    pub claims_supported: Vec<String>,
    pub acr_values_supported: Vec<String>,
    pub code_challenge_methods_supported: Vec<String>,
    pub prompt_values_supported: Vec<String>,
    pub authorization_response_iss_parameter_supported: bool,
    pub claims_parameter_supported: bool,
    pub request_parameter_supported: bool,
    pub request_uri_parameter_supported: bool,
    /// OpenID Connect Back-Channel Logout 1.0.
    pub backchannel_logout_supported: bool,
    pub backchannel_logout_session_supported: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tokens_is_there_even_when_empty() {
        let response = TokenResponse {
            token: TokenDocument {
                access_token: Secret::new("a"),
                expires_in: 172_800,
                scope: "openid".into(),
                resource_server: "auth.globus.org".into(),
                token_type: "Bearer".into(),
                state: None,
                refresh_token: None,
                id_token: None,
            },
            other_tokens: Vec::new(),
        };
        let json = serde_json::to_string(&response).unwrap_or_default();
        assert_eq!(
            json,
            r#"{"access_token":"a","expires_in":172800,"scope":"openid","resource_server":"auth.globus.org","token_type":"Bearer","other_tokens":[]}"#
        );
    }
}
