//! The same calls without async, for scripts and tools. Each client here wraps one of the
//! crate's and waits for its answers; whatever is not listed can be waited for with
//! [`wait`](AuthClient::wait).
//!
//! They must not be used from async code: a thread that drives futures cannot wait for one.
//! Nor should a client be used here and on a runtime of the program's own, because the
//! connections that clones share belong to the runtime that made them.
//!
//! ```no_run
//! # fn main() -> portolan_sdk::Result<()> {
//! use portolan_sdk::blocking::ConfidentialAppAuthClient;
//!
//! let app = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
//! for token in app.client_credentials_tokens("openid profile")?.tokens() {
//!     println!("{} until {}", token.resource_server, token.expires_at_seconds);
//! }
//! println!("{} keys", app.wait(app.inner().get_jwk())?.keys.len());
//! # Ok(())
//! # }
//! ```

use std::sync::{Arc, OnceLock};

use portolan_types::api::{
    Client, Credential, IdentitiesAnswer, Identity, IdentityProvider, Policy, Project, Scope as ScopeRecord,
};
use portolan_types::oauth::{Activity, UserInfo};
use portolan_types::{ClientId, CredentialId, IdentityId, PolicyId, ProjectId, ScopeId};
use tokio::runtime::{Builder, Runtime};

use crate::auth::{
    ClientRequest, ClientSelector, Consents, DependentTokenRequest, IdentityLookup, IdentityProviderLookup,
    Introspection, IntrospectionRequest, Jwks, NewClient, NewScope, OpenIdConfiguration, PolicyRequest, ProjectRequest,
    ScopeLookup, ScopeRequest,
};
use crate::error::{Error, Result};
use crate::gare::AuthorizationParameters;
use crate::response::{Response, TokenResponse};
use crate::scopes::ScopeList;
use crate::transport::Request;
use crate::{Authorizer, FlowOptions};

/// The runtime of this module: one for all, because a connection works only on the runtime
/// that made it, and clones of a client share theirs.
fn runtime() -> Result<Arc<Runtime>> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::usage(format!("no runtime can be made: {error}")))?;
    Ok(RUNTIME.get_or_init(|| Arc::new(runtime)).clone())
}

macro_rules! blocking {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$method_doc:meta])* fn $method:ident($($argument:ident: $type:ty),*) -> $output:ty;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            inner: crate::$name,
            runtime: Arc<Runtime>,
        }

        impl $name {
            /// Waits for the answers of this client.
            pub fn of(inner: crate::$name) -> Result<Self> {
                Ok(Self { inner, runtime: runtime()? })
            }

            /// The client inside.
            pub fn inner(&self) -> &crate::$name {
                &self.inner
            }

            /// Waits for any future.
            pub fn wait<F: Future>(&self, future: F) -> F::Output {
                self.runtime.block_on(future)
            }

            $(
                $(#[$method_doc])*
                pub fn $method(&self, $($argument: $type),*) -> Result<$output> {
                    self.runtime.block_on(self.inner.$method($($argument),*))
                }
            )*
        }
    };
}

blocking! {
    /// [`AuthClient`](crate::AuthClient), waiting.
    ///
    /// ```no_run
    /// # fn main() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::AccessTokenAuthorizer;
    /// use portolan_sdk::blocking::AuthClient;
    ///
    /// let client = AuthClient::new(AccessTokenAuthorizer::new("Ag8mQ"))?;
    /// println!("{}", client.userinfo()?.sub);
    /// # Ok(())
    /// # }
    /// ```
    AuthClient {
        /// Waits for [`AuthClient::send`](crate::AuthClient::send).
        fn send(request: Request) -> Response;
        /// Waits for [`AuthClient::get_openid_configuration`](crate::AuthClient::get_openid_configuration).
        fn get_openid_configuration() -> Response<OpenIdConfiguration>;
        /// Waits for [`AuthClient::get_jwk`](crate::AuthClient::get_jwk).
        fn get_jwk() -> Response<Jwks>;
        /// Waits for [`AuthClient::userinfo`](crate::AuthClient::userinfo).
        fn userinfo() -> Response<UserInfo>;
        /// Waits for [`AuthClient::get_identities`](crate::AuthClient::get_identities).
        fn get_identities(lookup: IdentityLookup) -> Response<IdentitiesAnswer>;
        /// Waits for [`AuthClient::get_identity_providers`](crate::AuthClient::get_identity_providers).
        fn get_identity_providers(lookup: IdentityProviderLookup) -> Response<Vec<IdentityProvider>>;
        /// Waits for [`AuthClient::get_project`](crate::AuthClient::get_project).
        fn get_project(id: ProjectId) -> Response<Project>;
        /// Waits for [`AuthClient::get_projects`](crate::AuthClient::get_projects).
        fn get_projects() -> Response<Vec<Project>>;
        /// Waits for [`AuthClient::create_project`](crate::AuthClient::create_project).
        fn create_project(project: ProjectRequest) -> Response<Project>;
        /// Waits for [`AuthClient::update_project`](crate::AuthClient::update_project).
        fn update_project(id: ProjectId, changes: ProjectRequest) -> Response<Project>;
        /// Waits for [`AuthClient::delete_project`](crate::AuthClient::delete_project).
        fn delete_project(id: ProjectId) -> Response<Project>;
        /// Waits for [`AuthClient::get_policy`](crate::AuthClient::get_policy).
        fn get_policy(id: PolicyId) -> Response<Policy>;
        /// Waits for [`AuthClient::get_policies`](crate::AuthClient::get_policies).
        fn get_policies() -> Response<Vec<Policy>>;
        /// Waits for [`AuthClient::create_policy`](crate::AuthClient::create_policy).
        fn create_policy(policy: PolicyRequest) -> Response<Policy>;
        /// Waits for [`AuthClient::update_policy`](crate::AuthClient::update_policy).
        fn update_policy(id: PolicyId, changes: PolicyRequest) -> Response<Policy>;
        /// Waits for [`AuthClient::delete_policy`](crate::AuthClient::delete_policy).
        fn delete_policy(id: PolicyId) -> Response<Policy>;
        /// Waits for [`AuthClient::get_client`](crate::AuthClient::get_client).
        fn get_client(selector: impl Into<ClientSelector>) -> Response<Client>;
        /// Waits for [`AuthClient::get_clients`](crate::AuthClient::get_clients).
        fn get_clients() -> Response<Vec<Client>>;
        /// Waits for [`AuthClient::create_client`](crate::AuthClient::create_client).
        fn create_client(client: ClientRequest) -> Response<Client>;
        /// Waits for [`AuthClient::update_client`](crate::AuthClient::update_client).
        fn update_client(id: ClientId, changes: ClientRequest) -> Response<Client>;
        /// Waits for [`AuthClient::delete_client`](crate::AuthClient::delete_client).
        fn delete_client(id: ClientId) -> Response<Client>;
        /// Waits for [`AuthClient::get_client_credentials`](crate::AuthClient::get_client_credentials).
        fn get_client_credentials(client: ClientId) -> Response<Vec<Credential>>;
        /// Waits for [`AuthClient::create_client_credential`](crate::AuthClient::create_client_credential).
        fn create_client_credential(client: ClientId, name: &str) -> Response<Credential>;
        /// Waits for [`AuthClient::delete_client_credential`](crate::AuthClient::delete_client_credential).
        fn delete_client_credential(client: ClientId, credential: CredentialId) -> Response<Credential>;
        /// Waits for [`AuthClient::get_scope`](crate::AuthClient::get_scope).
        fn get_scope(id: ScopeId) -> Response<ScopeRecord>;
        /// Waits for [`AuthClient::get_scopes`](crate::AuthClient::get_scopes).
        fn get_scopes(lookup: ScopeLookup) -> Response<Vec<ScopeRecord>>;
        /// Waits for [`AuthClient::create_scope`](crate::AuthClient::create_scope).
        fn create_scope(client: ClientId, scope: ScopeRequest) -> Response<NewScope>;
        /// Waits for [`AuthClient::update_scope`](crate::AuthClient::update_scope).
        fn update_scope(id: ScopeId, changes: ScopeRequest) -> Response<ScopeRecord>;
        /// Waits for [`AuthClient::delete_scope`](crate::AuthClient::delete_scope).
        fn delete_scope(id: ScopeId) -> Response<ScopeRecord>;
        /// Waits for [`AuthClient::get_consents`](crate::AuthClient::get_consents).
        fn get_consents(identity: Option<IdentityId>, all: bool) -> Response<Consents>;
    }
}

impl AuthClient {
    /// As [`AuthClient::new`](crate::AuthClient::new).
    pub fn new(authorizer: impl Authorizer + 'static) -> Result<Self> {
        Self::of(crate::AuthClient::new(authorizer)?)
    }
}

blocking! {
    /// [`NativeAppAuthClient`](crate::NativeAppAuthClient), waiting.
    ///
    /// ```no_run
    /// # fn main() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::FlowOptions;
    /// use portolan_sdk::blocking::NativeAppAuthClient;
    ///
    /// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
    /// let flow = app.start_flow(FlowOptions::new("openid")?)?;
    /// println!("{}", flow.inner().authorize_url());
    /// println!("{:?}", flow.exchange_code("AgPC")?.by_resource_server().keys());
    /// # Ok(())
    /// # }
    /// ```
    NativeAppAuthClient {
        /// Waits for [`refresh_token`](crate::AuthLoginClient::refresh_token).
        fn refresh_token(refresh_token: &str) -> TokenResponse;
        /// Waits for [`revoke_token`](crate::AuthLoginClient::revoke_token).
        fn revoke_token(token: &str) -> Response<Activity>;
        /// Waits for [`validate_token`](crate::AuthLoginClient::validate_token).
        fn validate_token(token: &str) -> Response<Activity>;
        /// Waits for [`token`](crate::AuthLoginClient::token).
        fn token(form: &[(&str, &str)]) -> TokenResponse;
        /// Waits for [`create_native_app_instance`](crate::NativeAppAuthClient::create_native_app_instance).
        fn create_native_app_instance(template: ClientId, name: &str) -> Response<NewClient>;
    }
}

impl NativeAppAuthClient {
    /// As [`NativeAppAuthClient::new`](crate::NativeAppAuthClient::new).
    pub fn new(client_id: &str) -> Result<Self> {
        Self::of(crate::NativeAppAuthClient::new(client_id)?)
    }

    /// As [`NativeAppAuthClient::start_flow`](crate::NativeAppAuthClient::start_flow).
    pub fn start_flow(&self, options: FlowOptions) -> Result<Flow> {
        Flow::of(self.inner.start_flow(options)?)
    }
}

blocking! {
    /// [`ConfidentialAppAuthClient`](crate::ConfidentialAppAuthClient), waiting.
    ///
    /// ```no_run
    /// # fn main() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::blocking::ConfidentialAppAuthClient;
    ///
    /// let app = ConfidentialAppAuthClient::new("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", "secret")?;
    /// println!("{}", app.introspect("Ag8mQ")?.active);
    /// # Ok(())
    /// # }
    /// ```
    ConfidentialAppAuthClient {
        /// Waits for [`refresh_token`](crate::AuthLoginClient::refresh_token).
        fn refresh_token(refresh_token: &str) -> TokenResponse;
        /// Waits for [`revoke_token`](crate::AuthLoginClient::revoke_token).
        fn revoke_token(token: &str) -> Response<Activity>;
        /// Waits for [`validate_token`](crate::AuthLoginClient::validate_token).
        fn validate_token(token: &str) -> Response<Activity>;
        /// Waits for [`token`](crate::AuthLoginClient::token).
        fn token(form: &[(&str, &str)]) -> TokenResponse;
        /// Waits for [`client_credentials_tokens`](crate::ConfidentialAppAuthClient::client_credentials_tokens).
        fn client_credentials_tokens(scopes: impl ScopeList) -> TokenResponse;
        /// Waits for [`dependent_tokens`](crate::ConfidentialAppAuthClient::dependent_tokens).
        fn dependent_tokens(request: DependentTokenRequest) -> TokenResponse;
        /// Waits for [`introspect`](crate::ConfidentialAppAuthClient::introspect).
        fn introspect(request: impl Into<IntrospectionRequest>) -> Response<Introspection>;
        /// Waits for [`get_identities`](crate::ConfidentialAppAuthClient::get_identities).
        fn get_identities(lookup: IdentityLookup) -> Response<IdentitiesAnswer>;
        /// Waits for [`create_child_client`](crate::ConfidentialAppAuthClient::create_child_client).
        fn create_child_client(client: ClientRequest) -> Response<NewClient>;
    }
}

impl ConfidentialAppAuthClient {
    /// As [`ConfidentialAppAuthClient::new`](crate::ConfidentialAppAuthClient::new).
    pub fn new(client_id: &str, client_secret: &str) -> Result<Self> {
        Self::of(crate::ConfidentialAppAuthClient::new(client_id, client_secret)?)
    }

    /// As [`ConfidentialAppAuthClient::start_flow`](crate::ConfidentialAppAuthClient::start_flow).
    pub fn start_flow(&self, redirect_uri: &str, options: FlowOptions) -> Result<Flow> {
        Flow::of(self.inner.start_flow(redirect_uri, options)?)
    }
}

blocking! {
    /// [`Flow`](crate::Flow), waiting.
    ///
    /// ```no_run
    /// # fn run(flow: portolan_sdk::blocking::Flow) -> portolan_sdk::Result<()> {
    /// println!("{}", flow.inner().authorize_url());
    /// flow.complete("https://portal.example.org/callback?code=AgPC&state=x")?;
    /// # Ok(())
    /// # }
    /// ```
    Flow {
        /// Waits for [`complete`](crate::Flow::complete).
        fn complete(came_back: &str) -> TokenResponse;
        /// Waits for [`exchange_code`](crate::Flow::exchange_code).
        fn exchange_code(code: &str) -> TokenResponse;
    }
}

blocking! {
    /// [`GlobusApp`](crate::GlobusApp), waiting: made from a [`UserApp`](crate::UserApp) or a
    /// [`ClientApp`](crate::ClientApp).
    ///
    /// ```no_run
    /// # fn main() -> portolan_sdk::Result<()> {
    /// use portolan_sdk::blocking::{AuthClient, GlobusApp};
    /// use portolan_sdk::{AppConfig, UserApp};
    ///
    /// let app = UserApp::new("tour", "95fdeba8-fac2-42bd-a357-e068d82ff78e", AppConfig::new()?)?;
    /// let client = AuthClient::of(app.auth_client("")?)?;
    /// GlobusApp::of((*app).clone())?.login(None, false)?;
    /// println!("{}", client.userinfo()?.sub);
    /// # Ok(())
    /// # }
    /// ```
    GlobusApp {
        /// Waits for [`login`](crate::GlobusApp::login).
        fn login(parameters: Option<AuthorizationParameters>, force: bool) -> ();
        /// Waits for [`login_required`](crate::GlobusApp::login_required).
        fn login_required() -> bool;
        /// Waits for [`logout`](crate::GlobusApp::logout).
        fn logout(sweep: bool) -> ();
        /// Waits for [`get_authorizer`](crate::GlobusApp::get_authorizer).
        fn get_authorizer(resource_server: &str) -> Arc<dyn Authorizer>;
    }
}

/// [`IdentityMap`](crate::IdentityMap), waiting.
///
/// ```no_run
/// # fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::blocking::IdentityMap;
///
/// let mut people = IdentityMap::of(portolan_sdk::IdentityMap::new(client))?;
/// people.inner().add("rdoe@example.edu");
/// println!("{:?}", people.get("rdoe@example.edu")?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IdentityMap {
    inner: crate::IdentityMap,
    runtime: Arc<Runtime>,
}

impl IdentityMap {
    /// Waits for the answers of this map.
    pub fn of(inner: crate::IdentityMap) -> Result<Self> {
        Ok(Self {
            inner,
            runtime: runtime()?,
        })
    }

    /// The map inside.
    pub fn inner(&mut self) -> &mut crate::IdentityMap {
        &mut self.inner
    }

    /// Waits for [`get`](crate::IdentityMap::get).
    pub fn get(&mut self, key: &str) -> Result<Option<Identity>> {
        self.runtime.block_on(self.inner.get(key))
    }
}
