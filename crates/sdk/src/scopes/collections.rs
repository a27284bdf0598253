//! The scopes of the services of Globus, by name. They begin with the literal addresses of
//! Globus wherever the server runs, because clients have them built in.

use std::fmt;

use super::{Scope, ScopeError};

macro_rules! collection {
    ($(#[$doc:meta])* $name:ident, $resource_server:literal, { $($(#[$scope_doc:meta])* $scope:ident = $text:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $name {
            /// The name under which tokens for these scopes are found.
            pub const RESOURCE_SERVER: &'static str = $resource_server;
            $($(#[$scope_doc])* pub const $scope: &'static str = $text;)*
            /// All of them.
            pub const EVERY: &'static [&'static str] = &[$($text,)*];
        }
    };
}

macro_rules! urn {
    ($resource_server:literal, $name:literal) => {
        concat!("urn:globus:auth:scope:", $resource_server, ":", $name)
    };
}

macro_rules! url {
    ($client:literal, $name:literal) => {
        concat!("https://auth.globus.org/scopes/", $client, "/", $name)
    };
}

collection! {
    /// Auth itself.
    ///
    /// ```
    /// use portolan_sdk::scopes::AuthScopes;
    ///
    /// assert_eq!(AuthScopes::RESOURCE_SERVER, "auth.globus.org");
    /// assert_eq!(AuthScopes::VIEW_CONSENTS, "urn:globus:auth:scope:auth.globus.org:view_consents");
    /// ```
    AuthScopes, "auth.globus.org", {
        /// An ID token: who the person is.
        OPENID = "openid";
        /// The person's e-mail address.
        EMAIL = "email";
        /// The person's name, organization and identity provider.
        PROFILE = "profile";
        /// Projects, clients, scopes and policies.
        MANAGE_PROJECTS = urn!("auth.globus.org", "manage_projects");
        /// When the person logged in, and how.
        VIEW_AUTHENTICATIONS = urn!("auth.globus.org", "view_authentications");
        /// Clients.
        VIEW_CLIENTS = urn!("auth.globus.org", "view_clients");
        /// Clients and their scopes.
        VIEW_CLIENTS_AND_SCOPES = urn!("auth.globus.org", "view_clients_and_scopes");
        /// What the person consented to, for all clients.
        VIEW_CONSENTS = urn!("auth.globus.org", "view_consents");
        /// Identities by name or id.
        VIEW_IDENTITIES = urn!("auth.globus.org", "view_identities");
        /// The identities linked to the person's.
        VIEW_IDENTITY_SET = urn!("auth.globus.org", "view_identity_set");
    }
}

collection! {
    /// Compute, whose resource server and scopes have different names.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::ComputeScopes::RESOURCE_SERVER, "funcx_service");
    /// ```
    ComputeScopes, "funcx_service", {
        /// Everything.
        ALL = url!("facd7ccc-c5f4-42aa-916b-a0e270e2c2a9", "all");
    }
}

collection! {
    /// Flows.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::FlowsScopes::RESOURCE_SERVER, "flows.globus.org");
    /// ```
    FlowsScopes, "flows.globus.org", {
        /// Everything.
        ALL = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "all");
        /// Make and change flows.
        MANAGE_FLOWS = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "manage_flows");
        /// See flows.
        VIEW_FLOWS = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "view_flows");
        /// Run flows.
        RUN = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "run");
        /// See how runs are doing.
        RUN_STATUS = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "run_status");
        /// Change runs.
        RUN_MANAGE = url!("eec9b274-0c81-4334-bdc2-54e90e689b9a", "run_manage");
    }
}

collection! {
    /// Groups.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::GroupsScopes::EVERY.len(), 2);
    /// ```
    GroupsScopes, "groups.api.globus.org", {
        /// Everything.
        ALL = urn!("groups.api.globus.org", "all");
        /// The groups that the person is in.
        VIEW_MY_GROUPS_AND_MEMBERSHIPS = urn!("groups.api.globus.org", "view_my_groups_and_memberships");
    }
}

collection! {
    /// The predecessor of Groups.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::NexusScopes::GROUPS, "urn:globus:auth:scope:nexus.api.globus.org:groups");
    /// ```
    NexusScopes, "nexus.api.globus.org", {
        /// Groups.
        GROUPS = urn!("nexus.api.globus.org", "groups");
    }
}

collection! {
    /// Search.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::SearchScopes::SEARCH, "urn:globus:auth:scope:search.api.globus.org:search");
    /// ```
    SearchScopes, "search.api.globus.org", {
        /// Everything.
        ALL = urn!("search.api.globus.org", "all");
        /// For Globus Connect Server.
        GLOBUS_CONNECT_SERVER = urn!("search.api.globus.org", "globus_connect_server");
        /// Put data in.
        INGEST = urn!("search.api.globus.org", "ingest");
        /// Search.
        SEARCH = urn!("search.api.globus.org", "search");
    }
}

collection! {
    /// Timers.
    ///
    /// ```
    /// assert!(portolan_sdk::scopes::TimersScopes::TIMER.ends_with("/timer"));
    /// ```
    TimersScopes, "524230d7-ea86-4a52-8312-86065a9e0417", {
        /// Everything.
        TIMER = url!("524230d7-ea86-4a52-8312-86065a9e0417", "timer");
    }
}

collection! {
    /// Transfer.
    ///
    /// ```
    /// assert_eq!(portolan_sdk::scopes::TransferScopes::ALL, "urn:globus:auth:scope:transfer.api.globus.org:all");
    /// ```
    TransferScopes, "transfer.api.globus.org", {
        /// Everything.
        ALL = urn!("transfer.api.globus.org", "all");
        /// Install Globus Connect Personal.
        GCP_INSTALL = urn!("transfer.api.globus.org", "gcp_install");
    }
}

/// The scopes of one Globus Connect Server endpoint.
///
/// ```
/// use portolan_sdk::scopes::GcsEndpointScopes;
///
/// let scopes = GcsEndpointScopes::new("41f0c5de")?;
/// assert_eq!(scopes.manage_collections().to_string(), "urn:globus:auth:scope:41f0c5de:manage_collections");
/// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GcsEndpointScopes(Scope);

impl GcsEndpointScopes {
    /// Of the endpoint with this id.
    pub fn new(endpoint_id: impl fmt::Display) -> Result<Self, ScopeError> {
        Scope::new(endpoint_id.to_string()).map(Self)
    }

    /// The id of the endpoint.
    pub fn resource_server(&self) -> &str {
        self.0.name()
    }

    /// Manage its collections.
    pub fn manage_collections(&self) -> Scope {
        let name = format!("urn:globus:auth:scope:{}:manage_collections", self.resource_server());
        Scope::of(name, false, Vec::new())
    }
}

/// The scopes of one collection.
///
/// ```
/// use portolan_sdk::scopes::GcsCollectionScopes;
///
/// let scopes = GcsCollectionScopes::new("41f0c5de")?;
/// assert_eq!(scopes.data_access().to_string(), "https://auth.globus.org/scopes/41f0c5de/data_access");
/// assert_eq!(scopes.https().to_string(), "https://auth.globus.org/scopes/41f0c5de/https");
/// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GcsCollectionScopes(Scope);

impl GcsCollectionScopes {
    /// Of the collection with this id.
    pub fn new(collection_id: impl fmt::Display) -> Result<Self, ScopeError> {
        Scope::new(collection_id.to_string()).map(Self)
    }

    /// The id of the collection.
    pub fn resource_server(&self) -> &str {
        self.0.name()
    }

    /// Transfer its data.
    pub fn data_access(&self) -> Scope {
        url_scope(self.resource_server(), "data_access")
    }

    /// Read and write its data over HTTPS.
    pub fn https(&self) -> Scope {
        url_scope(self.resource_server(), "https")
    }
}

/// The scope of one flow.
///
/// ```
/// use portolan_sdk::scopes::SpecificFlowScopes;
///
/// let scopes = SpecificFlowScopes::new("41f0-c5de")?;
/// assert_eq!(scopes.user().to_string(), "https://auth.globus.org/scopes/41f0-c5de/flow_41f0_c5de_user");
/// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpecificFlowScopes(Scope);

impl SpecificFlowScopes {
    /// Of the flow with this id.
    pub fn new(flow_id: impl fmt::Display) -> Result<Self, ScopeError> {
        Scope::new(flow_id.to_string()).map(Self)
    }

    /// The id of the flow.
    pub fn resource_server(&self) -> &str {
        self.0.name()
    }

    /// Run it.
    pub fn user(&self) -> Scope {
        let id = self.resource_server();
        url_scope(id, &format!("flow_{}_user", id.replace('-', "_")))
    }
}

fn url_scope(client: &str, name: &str) -> Scope {
    Scope::of(
        format!("https://auth.globus.org/scopes/{client}/{name}"),
        false,
        Vec::new(),
    )
}
