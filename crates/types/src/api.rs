//! The JSON resources of the API (wire.md 1.2 to 1.13). Every member is always present in
//! answers; `null` stands for what is not known or not set. Readers skip members they do
//! not know, because answers may gain some (wire.md 1.1).
//!
//! An answer is one resource under its own name, `{"client": {..}}`, or all under the
//! plural. Only answers that carry more have a type here.

mod changes;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

pub use self::changes::{
    Change, ClientChanges, CredentialChanges, LinkChanges, PolicyChanges, ProjectChanges, ScopeChanges,
};
use crate::{
    ClientId, ConsentId, CredentialId, IdentityId, IdentityProviderId, PolicyId, ProjectId, ScopeId, Secret, Timestamp,
};

/// The text is none of the names that the wire knows for a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct UnknownName(pub &'static str);

/// An enumeration with one spelling, on the wire and in the table.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident ($what:literal) { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(UnknownName($what)),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::openapi::names(Self::ALL.iter().map(|name| name.as_str()))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

        #[cfg(feature = "sql")]
        impl portolan_db::IntoValue for $name {
            fn into_value(self) -> portolan_db::Value {
                portolan_db::IntoValue::into_value(self.as_str().to_owned())
            }
        }

        #[cfg(feature = "sql")]
        impl portolan_db::FromValue for $name {
            fn from_value(value: portolan_db::Value) -> Result<Self, portolan_db::Error> {
                let text = <String as portolan_db::FromValue>::from_value(value)?;
                text.parse().map_err(|_| portolan_db::Error::decode(concat!("a known ", $what)))
            }
        }
    };
}

/// A principal at one identity provider (wire.md 1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::identity))]
pub struct Identity {
    pub id: IdentityId,
    /// `local@domain`, in lower case; not necessarily an e-mail address.
    pub username: String,
    pub status: IdentityStatus,
    /// `null` for client identities.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub identity_type: Option<IdentityType>,
    pub identity_provider: IdentityProviderId,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub name: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub organization: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub email: Option<String>,
}

named! {
    /// Who has proven to own an identity, and who may see it (wire.md 1.2).
    IdentityStatus ("identity status") {
        /// Nobody logged in with it yet; it can already receive permissions.
        Unused = "unused",
        Used = "used",
        /// The owner restricts who sees name and e-mail.
        Private = "private",
        /// No longer valid at its provider, perhaps reissued to somebody else.
        Closed = "closed",
    }
}

named! {
    /// What an identity can be used for (wire.md 1.2).
    IdentityType ("identity type") {
        Login = "login",
        /// Can be linked to others, but nobody logs in with it.
        Link = "link",
    }
}

/// Where identities authenticate (wire.md 1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::identity_provider))]
pub struct IdentityProvider {
    pub id: IdentityProviderId,
    pub name: String,
    pub short_name: String,
    /// The domains of usernames that it may assert; each belongs to one provider only.
    pub domains: Vec<String>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub alternative_names: Vec<String>,
}

/// `{"identities": [..]}`, with the providers beside it if the caller asked for them
/// (wire.md 2.7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentitiesAnswer {
    pub identities: Vec<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub included: Option<IncludedIdentityProviders>,
}

/// `{"identity": {..}}`, with its provider beside it if the caller asked for it
/// (wire.md 2.7.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentityAnswer {
    pub identity: Identity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub included: Option<IncludedIdentityProviders>,
}

/// What `include=identity_provider` adds; each provider once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncludedIdentityProviders {
    pub identity_providers: Vec<IdentityProvider>,
}

/// Container of clients and policies with its administrators (wire.md 1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::project))]
pub struct Project {
    pub id: ProjectId,
    pub display_name: String,
    /// The same as `display_name`; read only.
    pub project_name: String,
    pub contact_email: String,
    /// `null` when no identity is admin.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub admin_ids: Option<Vec<IdentityId>>,
    /// `null` when no group is admin.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub admin_group_ids: Option<Vec<Uuid>>,
    /// The same admins written out.
    pub admins: ProjectAdmins,
}

/// The admins of a project in full (wire.md 1.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectAdmins {
    pub identities: Vec<Identity>,
    pub groups: Vec<Group>,
}

/// A group of the neighbouring Groups service. Without one only the id is known, and then
/// the other members are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    pub id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub organization: Option<String>,
}

/// An application, service account or service (wire.md 1.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::client))]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    /// `null` for template instances.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub project: Option<ProjectId>,
    /// The parent of a child client, the template of a template instance.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub parent_client: Option<ClientId>,
    /// Holds no secret and must use PKCE.
    pub public_client: bool,
    pub client_type: ClientType,
    pub grant_types: Vec<String>,
    pub visibility: Visibility,
    /// Compared as strings, so they are not parsed and printed again (wire.md 3.4).
    pub redirect_uris: Vec<String>,
    pub links: ClientLinks,
    /// Who logs in must have an identity of this provider, which becomes the effective one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub required_idp: Option<IdentityProviderId>,
    /// Preselected on the login page.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub preselect_idp: Option<IdentityProviderId>,
    /// The scopes that the client owns, and those that it said it may request.
    pub scopes: Vec<ScopeId>,
    /// Verified domain names (wire.md 1.9).
    pub fqdns: Vec<String>,
    /// Whether ID token and userinfo describe the effective identity. Older records lack it.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub userinfo_from_effective_identity: bool,
    /// Whether the person may label the consent, for example with the name of a machine.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub prompt_for_named_grant: bool,
    /// Where people may be sent to after a logout; compared as strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where the client is told that a session has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub backchannel_logout_uri: Option<String>,
    /// Whether the client needs `sid` in logout tokens; they always have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub backchannel_logout_session_required: Option<bool>,
}

fn yes() -> bool {
    true
}

/// Both set or both `null`; shown on the consent page (wire.md 1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientLinks {
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub privacy_policy: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub terms_and_conditions: Option<String>,
}

named! {
    /// What a client was registered as; decides its grants (table in wire.md 1.6).
    ClientType ("client type") {
        /// Thick client: command line, desktop, mobile.
        PublicInstalled = "public_installed_client",
        /// Runs in the browser alone.
        PublicWebapp = "public_webapp_client",
        /// Portal or science gateway.
        Confidential = "confidential_client",
        /// Service account: acts as itself, never for persons.
        ClientIdentity = "client_identity",
        /// API: introspects tokens and owns scopes.
        ResourceServer = "resource_server",
        GlobusConnectServer = "globus_connect_server",
        /// Everything; what `"public_client": false` creates.
        Hybrid = "hybrid_confidential_client_resource_server",
    }
}

impl ClientType {
    /// The type that a creating call means which says only `public_client`.
    pub const fn from_public(public_client: bool) -> Self {
        if public_client {
            Self::PublicInstalled
        } else {
            Self::Hybrid
        }
    }

    /// Value of `public_client`.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::PublicInstalled | Self::PublicWebapp)
    }

    /// Value of `grant_types`, in the order that is recorded. What a client may really do
    /// can be less: a service account is refused at the authorize endpoint.
    pub const fn grant_types(self) -> &'static [&'static str] {
        match self {
            Self::PublicInstalled | Self::PublicWebapp => &["authorization_code", "refresh_token"],
            Self::Confidential | Self::ClientIdentity => &["authorization_code", "client_credentials", "refresh_token"],
            Self::ResourceServer => &["client_credentials", "urn:globus:auth:grant_type:dependent_token"],
            Self::GlobusConnectServer | Self::Hybrid => &[
                "authorization_code",
                "client_credentials",
                "refresh_token",
                "urn:globus:auth:grant_type:dependent_token",
            ],
        }
    }
}

named! {
    /// Who may read a client's record (wire.md 1.6).
    Visibility ("visibility") {
        /// Any authenticated caller.
        Public = "public",
        /// Members of its project.
        Private = "private",
    }
}

/// A client secret (wire.md 1.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::credential))]
pub struct Credential {
    pub id: CredentialId,
    pub client: ClientId,
    pub name: String,
    pub created: Timestamp,
    /// Shown once, in the answer to the creating call; `null` ever after.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub secret: Option<Secret>,
}

/// Answer to the registration of a template instance: the command line reads its id and
/// secret from `included.client_credential` (wire.md 2.5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateInstanceAnswer {
    pub client: Client,
    pub included: IncludedCredential,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncludedCredential {
    pub client_credential: Credential,
}

/// A registered permission of a resource server (wire.md 1.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::scope))]
pub struct Scope {
    pub id: ScopeId,
    /// The owner.
    pub client: ClientId,
    pub scope_string: String,
    pub name: String,
    pub description: String,
    /// Visible to every authenticated caller, however visible the client is.
    pub advertised: bool,
    pub allows_refresh_token: bool,
    /// The person must have an identity of one of these domains.
    pub required_domains: Vec<String>,
    pub dependent_scopes: Vec<DependentScope>,
}

/// A scope of another resource server that the owner will use on the person's behalf
/// (wire.md 1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependentScope {
    pub scope: ScopeId,
    /// The person may decline it alone.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub optional: bool,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub requires_refresh_token: bool,
}

/// Answer to the creation of a scope. Guides read the list, with one record for each
/// spelling of the scope string; SDK users read `scope`, the first of them (wire.md 2.5.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedScopeAnswer {
    pub scopes: Vec<Scope>,
    pub scope: Scope,
}

/// An identity's permission for a client and a scope, on one path (wire.md 1.12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::consent))]
pub struct Consent {
    pub id: ConsentId,
    /// Who may use it: the application, or for a dependent consent the resource server
    /// that owns the scope above.
    pub client: ClientId,
    pub scope: ScopeId,
    pub scope_name: String,
    pub effective_identity: IdentityId,
    /// From the root consent to this one, which is the last element.
    pub dependency_path: Vec<ConsentId>,
    pub status: ConsentStatus,
    /// Refresh tokens may be issued under it.
    pub allows_refresh: bool,
    /// Made without asking.
    pub auto_approved: bool,
    /// May be revoked without the consents above it.
    pub atomically_revocable: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Never `null`, which ends the Python SDK; `created` while it is unused.
    pub last_used: Timestamp,
}

named! {
    /// Whether a consent holds (wire.md 1.12). Only approved ones are listed.
    ConsentStatus ("consent status") {
        Approved = "approved",
        Denied = "denied",
    }
}

/// An authentication policy (wire.md 1.13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = crate::openapi::policy))]
pub struct Policy {
    pub id: PolicyId,
    pub project_id: ProjectId,
    pub display_name: String,
    pub description: String,
    /// Judged by the session instead of the identity set; never changes.
    pub high_assurance: bool,
    /// Seconds since the authentication, at most.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub authentication_assurance_timeout: Option<u32>,
    pub required_mfa: bool,
    /// Domains, `*.` in front for all below; `null` or empty restricts nothing.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub domain_constraints_include: Option<Vec<String>>,
    /// Identities of these domains do not count, even if included.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub domain_constraints_exclude: Option<Vec<String>>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
