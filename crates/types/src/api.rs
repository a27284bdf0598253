//! The JSON resources of the API (wire.md 1.2 to 1.13). Every member is always present in
//! answers; `null` stands for what is not known or not set. Readers skip members they do
//! not know, because answers may gain some (wire.md 1.1).
//!
//! An answer is one resource under its own name, `{"client": {..}}`, or all under the
//! plural. Only answers that carry more have a type here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

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

/// What a document of a creating or updating call says about one member. An update changes
/// only what it names: a member that is missing stays as it is, `null` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The member is missing.
    #[default]
    Keep,
    /// The member is `null`.
    Clear,
    Set(T),
}

impl<T> Change<T> {
    pub fn is_keep(&self) -> bool {
        matches!(self, Change::Keep)
    }

    /// The value, if there is one; a creating call tells a missing member not from `null`.
    pub fn value(&self) -> Option<&T> {
        match self {
            Change::Set(value) => Some(value),
            Change::Keep | Change::Clear => None,
        }
    }

    /// What a member that may be absent becomes.
    pub fn apply(&self, current: Option<T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Change::Keep => current,
            Change::Clear => None,
            Change::Set(value) => Some(value.clone()),
        }
    }
}

impl<T> From<Option<T>> for Change<T> {
    /// `None` keeps: for callers that never clear.
    fn from(value: Option<T>) -> Self {
        value.map_or(Change::Keep, Change::Set)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Change::Clear, Change::Set))
    }
}

/// What creates or updates a project (wire.md 2.6.1). The ids of admins are texts: one that
/// is no uuid is refused in words that name the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ProjectChanges {
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))]
    pub display_name: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 3, max_length = 255, pattern = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$"))]
    pub contact_email: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<IdentityId>>, min_items = 1, max_items = 500))]
    pub admin_ids: Change<Vec<String>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Uuid>>, max_items = 500))]
    pub admin_group_ids: Change<Vec<String>>,
}

/// What creates or updates a client (wire.md 2.5.4, 2.5.5); which members count depends on
/// the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ClientChanges {
    /// Registers an instance of this template.
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ClientId>))]
    pub template_id: Change<ClientId>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))]
    pub name: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ProjectId>))]
    pub project: Change<ProjectId>,
    /// Exactly one of this and `client_type` is given.
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub public_client: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ClientType>))]
    pub client_type: Change<ClientType>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Visibility>))]
    pub visibility: Change<Visibility>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::openapi::RedirectUri>>, max_items = 100))]
    pub redirect_uris: Change<Vec<String>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<LinkChanges>))]
    pub links: Change<LinkChanges>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<IdentityProviderId>))]
    pub required_idp: Change<IdentityProviderId>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<IdentityProviderId>))]
    pub preselect_idp: Change<IdentityProviderId>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<ScopeId>>, max_items = 500))]
    pub scopes: Change<Vec<ScopeId>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub userinfo_from_effective_identity: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub prompt_for_named_grant: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::openapi::RedirectUri>>, max_items = 100))]
    pub post_logout_redirect_uris: Change<Vec<String>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::RedirectUri>))]
    pub backchannel_logout_uri: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub backchannel_logout_session_required: Change<bool>,
}

/// The links of a client in a creating or updating call; afterwards both are set or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct LinkChanges {
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 2048, format = "uri", pattern = "^[hH][tT][tT][pP][sS]?://"))]
    pub terms_and_conditions: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 2048, format = "uri", pattern = "^[hH][tT][tT][pP][sS]?://"))]
    pub privacy_policy: Change<String>,
}

/// What creates a credential (wire.md 2.5.7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct CredentialChanges {
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))]
    pub name: Change<String>,
}

/// What creates or updates a scope (wire.md 2.5.9, 2.6.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ScopeChanges {
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))]
    pub name: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 4000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"))]
    pub description: Change<String>,
    /// The last segment of the scope string.
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 400, pattern = "^[a-z0-9_]+$"))]
    pub scope_suffix: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub advertised: Change<bool>,
    /// Guides and programs spell it in three ways.
    #[serde(alias = "allow_refresh_tokens", alias = "allows_refresh_tokens")]
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub allows_refresh_token: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::openapi::Domain>>, max_items = 200))]
    pub required_domains: Change<Vec<String>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<DependentScope>>, max_items = 100))]
    pub dependent_scopes: Change<Vec<DependentScope>>,
}

/// What creates or updates an authentication policy (wire.md 2.6.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PolicyChanges {
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ProjectId>))]
    pub project_id: Change<ProjectId>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))]
    pub display_name: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 4000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"))]
    pub description: Change<String>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub high_assurance: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>, minimum = 1, maximum = 31622400))]
    pub authentication_assurance_timeout: Change<i64>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub required_mfa: Change<bool>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::openapi::Domain>>, max_items = 200))]
    pub domain_constraints_include: Change<Vec<String>>,
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::openapi::Domain>>, max_items = 200))]
    pub domain_constraints_exclude: Change<Vec<String>>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    /// The document is read, and printed again as it was: no member lost or added.
    fn assert_wire<T: Serialize + DeserializeOwned>(document: Value) -> T {
        let read: T = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), document);
        read
    }

    fn identity() -> Value {
        json!({
            "id": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d", "username": "rdoe@example.edu", "name": "Robin Doe",
            "organization": "Example University", "email": "robin.doe@example.edu", "status": "used",
            "identity_provider": "b2f6d6b0-0000-4000-8000-000000000001", "identity_type": "login"
        })
    }

    fn client() -> Value {
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
            "links": {"privacy_policy": null, "terms_and_conditions": null},
            "required_idp": null,
            "preselect_idp": null,
            "scopes": [],
            "fqdns": [],
            "userinfo_from_effective_identity": true,
            "prompt_for_named_grant": false
        })
    }

    fn credential(secret: Value) -> Value {
        json!({
            "id": "0c4d3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "client": "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f",
            "name": "Auto-created at client creation", "created": "2026-02-03T09:15:27.104882+00:00",
            "secret": secret
        })
    }

    fn scope() -> Value {
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
                {"scope": "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f", "optional": false, "requires_refresh_token": true}
            ]
        })
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
            "included": {"client_credential": credential(json!(secret))}
        }));
        assert_eq!(answer.included.client_credential.secret, Some(Secret::new(secret)));
    }

    #[test]
    fn a_credential_has_a_null_secret_later() {
        assert_wire::<Credential>(credential(Value::Null));
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
        assert_wire::<Consent>(json!({
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
        }));
    }

    #[test]
    fn policies_have_every_member() {
        let policy = |timeout: Value, include: Value| {
            json!({
                "id": "aa0d0d50-9e2c-4a86-8a0a-5d3a8e1f6b70",
                "project_id": "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11",
                "display_name": "Campus only",
                "description": "Only campus identities, recent login",
                "high_assurance": true,
                "authentication_assurance_timeout": timeout,
                "required_mfa": false,
                "domain_constraints_include": include,
                "domain_constraints_exclude": null
            })
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
}
