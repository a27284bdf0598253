//! Where a client finds its service and how it sends.

use std::sync::Arc;

use url::Url;

use crate::authorizer::Authorizer;
use crate::config::{Environment, EnvironmentVariables};
use crate::error::{Error, Result};
use crate::transport::{Service, Transport, TransportConfig};

/// Where a client finds its service and how it sends.
///
/// ```
/// use portolan_sdk::{ClientOptions, NativeAppAuthClient};
///
/// # fn main() -> portolan_sdk::Result<()> {
/// let options = ClientOptions::new()?.base_url("http://localhost:8080").app_name("tour");
/// let app = NativeAppAuthClient::with_options("95fdeba8-fac2-42bd-a357-e068d82ff78e", options)?;
/// assert_eq!(app.base_url(), "http://localhost:8080/");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(crate) environment: Environment,
    pub(crate) base_url: Option<String>,
    pub(crate) app_name: Option<String>,
    pub(crate) transport: TransportConfig,
    variables: EnvironmentVariables,
}

impl ClientOptions {
    /// What the environment variables say: without any, Globus itself.
    pub fn new() -> Result<Self> {
        Ok(Self::from_variables(EnvironmentVariables::read()?))
    }

    /// The same with variables from elsewhere.
    ///
    /// ```
    /// use portolan_sdk::{ClientOptions, EnvironmentVariables};
    ///
    /// let options = ClientOptions::from_variables(EnvironmentVariables::default());
    /// # let _ = options;
    /// ```
    pub fn from_variables(variables: EnvironmentVariables) -> Self {
        Self {
            environment: variables.environment,
            base_url: None,
            app_name: None,
            transport: TransportConfig::of(&variables),
            variables,
        }
    }

    /// Another installation of Globus than the variables say.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// The address of Auth, for example of a Portolan. Wins over everything else.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The name of the program, for `User-Agent`.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// Other settings for sending.
    pub fn transport(mut self, config: TransportConfig) -> Self {
        self.transport = config;
        self
    }

    /// The address of Auth, with one slash at the end.
    pub(crate) fn auth_url(&self) -> Result<Url> {
        let text = match (&self.base_url, &self.variables.auth_url) {
            (Some(url), _) | (None, Some(url)) => url.clone(),
            (None, None) => self.environment.service_url("auth"),
        };
        let url = Url::parse(&format!("{}/", text.trim_end_matches('/')))
            .map_err(|error| Error::usage(format!("the address of Auth cannot be read: {text:?}: {error}")))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(Error::usage(format!(
                "the address of Auth must begin with http: {text:?}"
            )));
        }
        Ok(url)
    }

    pub(crate) fn service(self, authorizer: Arc<dyn Authorizer>) -> Result<Service> {
        Ok(Service {
            base_url: self.auth_url()?,
            authorizer,
            redrive: None,
            transport: Transport::new(self.transport, self.app_name.as_deref())?,
        })
    }
}
