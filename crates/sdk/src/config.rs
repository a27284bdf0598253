//! Which service is meant, and what the environment variables `GLOBUS_SDK_*` say. They are
//! the ones of the Python SDK, so that a machine is set up once for both.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `GLOBUS_SDK_ENVIRONMENT` | `production` (default), `preview`, `sandbox`, `integration`, `test`, `staging` |
//! | `GLOBUS_SDK_SERVICE_URL_AUTH` | the address of Auth, for example of a Portolan; wins over the environment |
//! | `GLOBUS_SDK_HTTP_TIMEOUT` | seconds for one attempt; `-1` for no limit, 60 by default |
//! | `GLOBUS_SDK_VERIFY_SSL` | `true`, `false`, or a file with the certificates to trust |

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::Error;

/// One of the installations of Globus.
///
/// ```
/// use portolan_sdk::Environment;
///
/// assert_eq!(Environment::default(), Environment::Production);
/// assert_eq!(Environment::Production.service_url("auth"), "https://auth.globus.org/");
/// assert_eq!("preview".parse::<Environment>()?.service_url("groups"), "https://groups.api.preview.globus.org/");
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Environment {
    /// What everybody uses.
    #[default]
    Production,
    /// The next release, for those who want to try it.
    Preview,
    /// For developers of Globus.
    Sandbox,
    /// For developers of Globus.
    Integration,
    /// For developers of Globus.
    Test,
    /// For developers of Globus.
    Staging,
}

impl Environment {
    /// The name, as `GLOBUS_SDK_ENVIRONMENT` has it.
    ///
    /// ```
    /// use portolan_sdk::Environment;
    ///
    /// assert_eq!(Environment::Preview.as_str(), "preview");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "preview",
            Self::Sandbox => "sandbox",
            Self::Integration => "integration",
            Self::Test => "test",
            Self::Staging => "staging",
        }
    }

    fn domain(self) -> String {
        match self {
            Self::Production => "globus.org".to_owned(),
            Self::Preview => "preview.globus.org".to_owned(),
            _ => format!("{self}.globuscs.info"),
        }
    }

    /// The address of a service of this environment: `auth`, `groups`, `transfer` and so on.
    pub fn service_url(self, service: &str) -> String {
        match (self, service) {
            (Self::Production, "nexus") => "https://nexus.api.globusonline.org/".to_owned(),
            (Self::Production, "timer" | "flows" | "actions") => format!("https://{service}.automate.globus.org/"),
            (_, "timer" | "flows" | "actions") => format!("https://{self}.{service}.automate.globus.org/"),
            (_, "app" | "auth") => format!("https://{service}.{}/", self.domain()),
            _ => format!("https://{service}.api.{}/", self.domain()),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "production" => Ok(Self::Production),
            "preview" => Ok(Self::Preview),
            "sandbox" => Ok(Self::Sandbox),
            "integration" => Ok(Self::Integration),
            "test" => Ok(Self::Test),
            "staging" => Ok(Self::Staging),
            _ => Err(Error::usage(format!("there is no Globus environment {text:?}"))),
        }
    }
}

/// Whose certificates are trusted.
///
/// ```
/// use portolan_sdk::VerifyTls;
///
/// assert_eq!(VerifyTls::default(), VerifyTls::System);
/// let laboratory = VerifyTls::Only("/etc/lab/ca.pem".into());
/// # let _ = laboratory;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VerifyTls {
    /// Those that the machine trusts.
    #[default]
    System,
    /// Those in this PEM file and no other.
    Only(PathBuf),
    /// All. Whoever sits on the line reads every token: for a test machine at most.
    Nobody,
}

/// What the environment variables say.
///
/// ```
/// use std::time::Duration;
/// use portolan_sdk::{Environment, EnvironmentVariables};
///
/// let variables = EnvironmentVariables::read_with(|name| match name {
///     "GLOBUS_SDK_SERVICE_URL_AUTH" => Some("http://localhost:8080/".to_owned()),
///     "GLOBUS_SDK_HTTP_TIMEOUT" => Some("5".to_owned()),
///     _ => None,
/// })?;
/// assert_eq!(variables.environment, Environment::Production);
/// assert_eq!(variables.auth_url.as_deref(), Some("http://localhost:8080/"));
/// assert_eq!(variables.timeout, Some(Duration::from_secs(5)));
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentVariables {
    /// `GLOBUS_SDK_ENVIRONMENT`
    pub environment: Environment,
    /// `GLOBUS_SDK_SERVICE_URL_AUTH`
    pub auth_url: Option<String>,
    /// `GLOBUS_SDK_HTTP_TIMEOUT`; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// `GLOBUS_SDK_VERIFY_SSL`
    pub verify_tls: VerifyTls,
}

impl Default for EnvironmentVariables {
    fn default() -> Self {
        Self {
            environment: Environment::Production,
            auth_url: None,
            timeout: Some(Duration::from_secs(60)),
            verify_tls: VerifyTls::System,
        }
    }
}

impl EnvironmentVariables {
    /// Reads the variables of this process.
    ///
    /// ```
    /// let variables = portolan_sdk::EnvironmentVariables::read()?;
    /// # let _ = variables;
    /// # Ok::<(), portolan_sdk::Error>(())
    /// ```
    pub fn read() -> Result<Self, Error> {
        Self::read_with(|name| std::env::var(name).ok())
    }

    /// Reads them from somewhere else. An empty variable is as good as none.
    pub fn read_with(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let value = |name: &str| look_up(name).filter(|value| !value.is_empty());
        let mut variables = Self {
            auth_url: value("GLOBUS_SDK_SERVICE_URL_AUTH"),
            ..Self::default()
        };
        if let Some(name) = value("GLOBUS_SDK_ENVIRONMENT") {
            variables.environment = name.parse()?;
        }
        if let Some(seconds) = value("GLOBUS_SDK_HTTP_TIMEOUT") {
            variables.timeout = timeout(&seconds)?;
        }
        if let Some(text) = value("GLOBUS_SDK_VERIFY_SSL") {
            variables.verify_tls = verify_tls(&text)?;
        }
        Ok(variables)
    }
}

fn timeout(text: &str) -> Result<Option<Duration>, Error> {
    let seconds: f64 = text
        .trim()
        .parse()
        .map_err(|_| Error::usage(format!("GLOBUS_SDK_HTTP_TIMEOUT is no number of seconds: {text:?}")))?;
    if seconds == -1.0 {
        return Ok(None);
    }
    Duration::try_from_secs_f64(seconds)
        .map(Some)
        .map_err(|_| Error::usage(format!("GLOBUS_SDK_HTTP_TIMEOUT is no number of seconds: {text:?}")))
}

fn verify_tls(text: &str) -> Result<VerifyTls, Error> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Ok(VerifyTls::System),
        "n" | "no" | "f" | "false" | "off" | "0" => Ok(VerifyTls::Nobody),
        _ if std::path::Path::new(text).is_file() => Ok(VerifyTls::Only(text.into())),
        _ => Err(Error::usage(format!(
            "GLOBUS_SDK_VERIFY_SSL must be true, false or the name of a file that exists, not {text:?}"
        ))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EnvironmentVariables, Error> {
        EnvironmentVariables::read_with(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_it_is_globus_itself() {
        let nothing = read(&[]).unwrap();
        assert_eq!(nothing, EnvironmentVariables::default());
        assert_eq!(read(&[("GLOBUS_SDK_HTTP_TIMEOUT", "")]).unwrap(), nothing);
    }

    #[test]
    fn time_outs_are_seconds_and_minus_one_is_none() {
        for (text, expected) in [
            ("5", Some(Duration::from_secs(5))),
            ("0.5", Some(Duration::from_millis(500))),
            ("-1", None),
            ("-1.0", None),
        ] {
            let variables = read(&[("GLOBUS_SDK_HTTP_TIMEOUT", text)]).unwrap();
            assert_eq!(variables.timeout, expected, "{text}");
        }
        for text in ["soon", "-2", "nan"] {
            assert!(read(&[("GLOBUS_SDK_HTTP_TIMEOUT", text)]).is_err(), "{text}");
        }
    }

    #[test]
    fn certificates_are_those_of_the_system_of_a_file_or_of_anybody() {
        for (text, expected) in [
            ("1", VerifyTls::System),
            ("On", VerifyTls::System),
            ("FALSE", VerifyTls::Nobody),
        ] {
            assert_eq!(read(&[("GLOBUS_SDK_VERIFY_SSL", text)]).unwrap().verify_tls, expected);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let variables = read(&[("GLOBUS_SDK_VERIFY_SSL", path)]).unwrap();
        assert_eq!(variables.verify_tls, VerifyTls::Only(path.into()));
        assert!(read(&[("GLOBUS_SDK_VERIFY_SSL", "/no/such/file")]).is_err());
    }

    #[test]
    fn addresses_follow_the_environment() {
        for (environment, service, url) in [
            ("production", "auth", "https://auth.globus.org/"),
            ("production", "transfer", "https://transfer.api.globus.org/"),
            ("production", "flows", "https://flows.automate.globus.org/"),
            ("preview", "flows", "https://preview.flows.automate.globus.org/"),
            ("staging", "auth", "https://auth.staging.globuscs.info/"),
            ("test", "groups", "https://groups.api.test.globuscs.info/"),
        ] {
            assert_eq!(environment.parse::<Environment>().unwrap().service_url(service), url);
        }
        assert!("moon".parse::<Environment>().is_err());
    }
}
