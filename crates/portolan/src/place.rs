//! Where a command works: on the store of a server, as its operator, or over the network
//! on a running server, as whoever is logged in.
//!
//! Whatever names a place decides, a flag before a variable: `--data-dir`, `--database`,
//! `--config` and `--master-key-file` the store, `--profile` and `--server` the network.
//! Where nothing is named it is the server that somebody is logged in to, or else the store
//! in `./portolan-data`. Both at once would be a guess, and a wrong guess changes the wrong
//! server, so that is an error.

use anyhow::Result;
use portolan_sdk::scopes::AuthScopes;
use portolan_sdk::{
    AppConfig, AuthClient, ClientApp, ClientOptions, ConfidentialAppAuthClient, GlobusApp, OnInvalidTokens,
    RetryPolicy, StorageKind, TransportConfig, UserApp,
};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Exit;
use crate::explain::explain;
use crate::options::{Format, Options, variable};
use crate::output;
use crate::profiles::{self, Profile, Profiles};

/// Where a command works that exists on both sides.
pub enum Place {
    /// Open it with [`Options::store`] or [`Options::app`].
    Store,
    Server(Box<Session>),
}

/// A running server, and who asks it.
pub struct Session {
    /// Acts with the tokens of the login, and renews them.
    pub client: AuthClient,
    /// The same as an app: its tokens for other services, its login.
    pub app: GlobusApp,
    /// Without a slash at the end.
    pub server: String,
    /// The client that the tokens belong to.
    pub client_id: String,
    /// `None` for a service account that variables name.
    pub profile: Option<String>,
    /// The secret of the service account, where one acts.
    pub secret: Option<String>,
    /// As people call it: a username, or `the service account ID`.
    pub who: String,
    format: Format,
    runtime: Runtime,
}

/// A service account, from the variables.
pub struct Credentials {
    pub client_id: String,
    pub secret: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    Store(String),
    Server(String),
}

impl Options {
    /// For a command that exists on both sides.
    pub fn place(&self) -> Result<Place> {
        match self.named(variable)? {
            Named::Store(_) => Ok(Place::Store),
            Named::Server(_) => Ok(Place::Server(Box::new(self.open_session()?))),
            Named::Nothing if self.is_logged_in()? => Ok(Place::Server(Box::new(self.open_session()?))),
            Named::Nothing => Ok(Place::Store),
        }
    }

    /// For a command that asks a running server and makes no sense elsewhere. Variables that
    /// name a store are those of an operator who is also a person.
    pub fn session(&self) -> Result<Session> {
        self.refuse_store("this command asks a running server")?;
        self.open_session()
    }

    /// For a command that asks a running server.
    pub fn refuse_store(&self, why: &str) -> Result<()> {
        match self.flag_of_store() {
            Some(flag) => Err(Exit::Usage.because(format!(
                "{why}: leave {flag} away, and name one with --server or --profile"
            ))),
            None => Ok(()),
        }
    }

    /// For a command of operators.
    pub fn refuse_server(&self) -> Result<()> {
        match self.flag_of_server() {
            Some(flag) => Err(Exit::Usage.because(format!(
                "this command works on the store of a server: leave {flag} away, and name it with --data-dir or \
                 --database"
            ))),
            None => Ok(()),
        }
    }

    fn flag_of_store(&self) -> Option<&'static str> {
        let flags = [
            (self.data_dir.is_some(), "--data-dir"),
            (self.database.is_some(), "--database"),
            (self.config.is_some(), "--config"),
            (self.master_key_file.is_some(), "--master-key-file"),
        ];
        flags.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    fn flag_of_server(&self) -> Option<&'static str> {
        let flags = [
            (self.profile.is_some(), "--profile"),
            (self.server.is_some(), "--server"),
        ];
        flags.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    fn named(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Named> {
        let of_store = [
            "PORTOLAN_DATA_DIR",
            "PORTOLAN_DATABASE",
            "PORTOLAN_CONFIG",
            "PORTOLAN_MASTER_KEY_FILE",
        ];
        let of_server = ["PORTOLAN_PROFILE", "PORTOLAN_SERVER"];
        let first = |names: &[&'static str]| names.iter().copied().find(|name| variable(name).is_some());
        let flags = (self.flag_of_store(), self.flag_of_server());
        let (store, server) = match flags {
            (None, None) => (first(&of_store), first(&of_server)),
            flags => flags,
        };
        match (store, server) {
            (Some(store), Some(server)) => Err(Exit::Usage.because(format!(
                "{store} names the store of a server and {server} a running one: which is meant? Leave one of them \
                 away"
            ))),
            (Some(store), None) => Ok(Named::Store(store.to_owned())),
            (None, Some(server)) => Ok(Named::Server(server.to_owned())),
            (None, None) => Ok(Named::Nothing),
        }
    }

    /// Whether there is somebody to act as, where no place is named.
    fn is_logged_in(&self) -> Result<bool> {
        if Credentials::from_variables()?.is_some() {
            return Ok(true);
        }
        match Profiles::load()?.current() {
            Some((name, _)) => profiles::has_tokens(name),
            None => Ok(false),
        }
    }

    /// `--profile`, or its variable.
    pub fn profile_name(&self) -> Option<String> {
        // A server on the command line beats a profile in a variable.
        let from_variable = || variable("PORTOLAN_PROFILE").filter(|_| self.server.is_none());
        self.profile.clone().or_else(from_variable)
    }

    /// `--server`, or its variable; without a slash at the end.
    pub fn server_address(&self) -> Result<Option<String>> {
        let from_variable = || variable("PORTOLAN_SERVER").filter(|_| self.profile.is_none());
        let given = self.server.clone().or_else(from_variable);
        let url = given.map(|text| profiles::server_url(&text)).transpose()?;
        Ok(url.map(|url| profiles::without_slash(&url)))
    }

    /// The profile that is meant: the named one, the one of the server, or the current one.
    pub fn find_profile(&self, all: &Profiles) -> Result<Option<(String, Profile)>> {
        let owned = |(name, profile): (&str, &Profile)| (name.to_owned(), profile.clone());
        let server = self.server_address()?;
        match (self.profile_name(), server) {
            (Some(name), server) => {
                let profile = all.get(&name)?.clone();
                if let Some(server) = server.filter(|server| *server != profile.server) {
                    return Err(Exit::Usage.because(format!(
                        "the profile {name} is of {}, not of {server}: leave one of them away",
                        profile.server
                    )));
                }
                Ok(Some((name, profile)))
            }
            (None, Some(server)) => Ok(all.of_server(&server)?.map(owned)),
            (None, None) => Ok(all.current().map(owned)),
        }
    }

    fn open_session(&self) -> Result<Session> {
        let all = Profiles::load()?;
        let found = match Credentials::from_variables()? {
            // A service account needs a server, but nobody's login.
            Some(credentials) => return self.open_service_account(credentials, &all),
            None => self.find_profile(&all)?,
        };
        let Some((name, profile)) = found else {
            let server = self.server_address()?;
            return Err(not_logged_in(server.as_deref(), None));
        };
        if !profiles::has_tokens(&name)? {
            return Err(not_logged_in(Some(&profile.server), Some(&name)));
        }
        let app = user_app(
            &name,
            &profile,
            AppConfig::with_options(client_options(&profile.server)?),
        )?;
        let who = profile
            .username
            .as_deref()
            .map_or_else(|| "whoever logged in".to_owned(), output::one_line);
        Ok(Session {
            client: app.auth_client(scopes_for(&profile.server)).map_err(explain)?,
            app,
            server: profile.server,
            client_id: profile.client_id,
            profile: Some(name),
            secret: None,
            who,
            format: self.format,
            runtime: runtime()?,
        })
    }

    fn open_service_account(&self, credentials: Credentials, all: &Profiles) -> Result<Session> {
        let profile = match self.server_address()? {
            Some(server) if self.profile_name().is_none() => Some(server),
            _ => self.find_profile(all)?.map(|(_, profile)| profile.server),
        };
        let of_sdk = || variable("GLOBUS_SDK_SERVICE_URL_AUTH");
        let server = profile.or_else(of_sdk).ok_or_else(|| {
            Exit::Usage.because(
                "which server is the service account of? Say --server URL, or set PORTOLAN_SERVER; or --data-dir or \
                 --database for what works on a store",
            )
        })?;
        let server = profiles::without_slash(&profiles::server_url(&server)?);
        let Credentials { client_id, secret } = credentials;
        let options = client_options(&server)?;
        let client = ConfidentialAppAuthClient::with_options(client_id.as_str(), secret.as_str(), options.clone());
        // A script has no login to keep: each command asks for what it needs.
        let config = AppConfig::with_options(options).token_storage(StorageKind::Memory);
        let app = ClientApp::with_client(APP_NAME, client.map_err(explain)?, config).map_err(explain)?;
        Ok(Session {
            client: app.auth_client(scopes_for(&server)).map_err(explain)?,
            app: GlobusApp::clone(&app),
            who: format!("the service account {client_id}"),
            server,
            client_id,
            profile: None,
            secret: Some(secret),
            format: self.format,
            runtime: runtime()?,
        })
    }
}

impl Session {
    /// Waits for an answer. What goes wrong is said with the next command to type.
    pub fn run<T>(&self, work: impl Future<Output = portolan_sdk::Result<T>>) -> Result<T> {
        self.attempt(work).map_err(|error| self.explain(error))
    }

    /// The same for a caller that looks at what went wrong first.
    pub fn attempt<T>(&self, work: impl Future<Output = portolan_sdk::Result<T>>) -> portolan_sdk::Result<T> {
        self.runtime.block_on(work)
    }

    /// Says which server and which person a change concerns; scripts know it.
    pub fn announce(&self) {
        if self.format == Format::Text {
            output::note(&format!("On {} as {}.", self.server, self.who));
        }
    }

    pub fn explain(&self, error: portolan_sdk::Error) -> anyhow::Error {
        crate::explain::for_session(self, error)
    }

    /// The end of a command line that names this place again.
    pub fn flag(&self) -> String {
        match &self.profile {
            Some(name) => format!(" --profile {name}"),
            None => format!(" --server {}", self.server),
        }
    }

    /// The client alone: what it does without a person.
    pub fn login_client(&self) -> &portolan_sdk::AuthLoginClient {
        self.app.login_client()
    }
}

impl Credentials {
    /// `PORTOLAN_CLIENT_ID` and `PORTOLAN_CLIENT_SECRET`, or those that the SDKs read.
    pub fn from_variables() -> Result<Option<Self>> {
        Self::read(variable)
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        for (id, secret) in [
            ("PORTOLAN_CLIENT_ID", "PORTOLAN_CLIENT_SECRET"),
            ("GLOBUS_SDK_CLIENT_ID", "GLOBUS_SDK_CLIENT_SECRET"),
        ] {
            match (variable(id), variable(secret)) {
                (Some(client_id), Some(secret)) => return Ok(Some(Self { client_id, secret })),
                (None, None) => {}
                (Some(_), None) => return Err(Exit::Usage.because(format!("{id} is set, but {secret} is not"))),
                (None, Some(_)) => return Err(Exit::Usage.because(format!("{secret} is set, but {id} is not"))),
            }
        }
        Ok(None)
    }
}

const APP_NAME: &str = "Portolan Command Line";

/// The built-in client of every Portolan (crates/server/catalogue.toml).
pub const CLIENT_ID: &str = "a16a7e29-8ad6-424b-ac7e-dad37a6ad120";

const MANAGE_CONSENTS: &str = "urn:globus:auth:scope:auth.globus.org:manage_consents";

/// What a login is asked for. Globus knows no scope for taking consents back.
pub fn scopes_for(server: &str) -> Vec<&'static str> {
    let mut scopes = vec![
        AuthScopes::OPENID,
        AuthScopes::PROFILE,
        AuthScopes::EMAIL,
        AuthScopes::VIEW_IDENTITY_SET,
        AuthScopes::VIEW_IDENTITIES,
        AuthScopes::VIEW_CONSENTS,
        AuthScopes::MANAGE_PROJECTS,
    ];
    if !is_globus(server) {
        scopes.push(MANAGE_CONSENTS);
    }
    scopes
}

/// Globus itself, which has no client for this command line.
pub fn is_globus(server: &str) -> bool {
    let host = server.split("://").nth(1).unwrap_or(server);
    host == "auth.globus.org" || host.ends_with(".globus.org") || host.ends_with(".globuscs.info")
}

pub fn client_options(server: &str) -> Result<ClientOptions> {
    let transport = TransportConfig {
        // Somebody waits for it.
        retry: RetryPolicy {
            max_retries: 2,
            ..RetryPolicy::default()
        },
        ..TransportConfig::from_env().map_err(explain)?
    };
    let options = ClientOptions::new().map_err(explain)?;
    Ok(options.base_url(server).app_name("portolan").transport(transport))
}

/// The app of a profile. It never begins a login by itself: a command says what to type.
pub fn user_app(name: &str, profile: &Profile, config: AppConfig) -> Result<GlobusApp> {
    let config = config
        .token_storage(StorageKind::Custom(Arc::new(profiles::tokens(name)?)))
        .request_refresh_tokens(true)
        .on_invalid_tokens(OnInvalidTokens::Fail);
    let app = UserApp::new(APP_NAME, &profile.client_id, config).map_err(explain)?;
    Ok(GlobusApp::clone(&app))
}

pub fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub fn not_logged_in(server: Option<&str>, profile: Option<&str>) -> anyhow::Error {
    let (at, server) = match server {
        Some(server) => (format!(" at {server}"), server),
        None => (String::new(), "URL"),
    };
    let command = match profile {
        Some(name) => format!("portolan login --profile {name}"),
        None => format!("portolan login --server {server}"),
    };
    Exit::LoginNeeded.because(format!("nobody is logged in{at}; type: {command}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn named(flags: &str, variables: &[&str]) -> Result<Named, String> {
        let line = Line::try_parse_from(["portolan"].into_iter().chain(flags.split_whitespace())).unwrap();
        let variable = |name: &str| variables.contains(&name).then(|| "x".to_owned());
        line.options.named(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_named_decides_and_a_flag_comes_before_a_variable() {
        let store = |by: &str| Ok(Named::Store(by.to_owned()));
        let server = |by: &str| Ok(Named::Server(by.to_owned()));
        for (flags, variables, expected) in [
            ("", &[] as &[&str], Ok(Named::Nothing)),
            ("--data-dir x", &[], store("--data-dir")),
            ("--database x", &[], store("--database")),
            ("--config x", &[], store("--config")),
            ("--master-key-file x", &[], store("--master-key-file")),
            ("", &["PORTOLAN_DATABASE"], store("PORTOLAN_DATABASE")),
            ("--profile x", &[], server("--profile")),
            ("--server x", &[], server("--server")),
            ("", &["PORTOLAN_SERVER"], server("PORTOLAN_SERVER")),
            ("--data-dir x", &["PORTOLAN_PROFILE"], store("--data-dir")),
            ("--server x", &["PORTOLAN_DATA_DIR"], server("--server")),
            ("", &["PORTOLAN_FORMAT"], Ok(Named::Nothing)),
        ] {
            assert_eq!(named(flags, variables), expected, "{flags} {variables:?}");
        }
    }

    #[test]
    fn both_sides_at_once_are_an_error_that_names_both() {
        for (flags, variables, store, server) in [
            ("--data-dir x --profile y", &[] as &[&str], "--data-dir", "--profile"),
            ("--config x --server y", &[], "--config", "--server"),
            (
                "",
                &["PORTOLAN_CONFIG", "PORTOLAN_SERVER"],
                "PORTOLAN_CONFIG",
                "PORTOLAN_SERVER",
            ),
        ] {
            let error = named(flags, variables).unwrap_err();
            assert!(error.contains(store) && error.contains(server), "{error}");
        }
    }

    #[test]
    fn half_of_a_service_account_is_an_error() {
        let read = |names: &[&str]| Credentials::read(|name| names.contains(&name).then(|| name.to_owned()));
        assert!(read(&[]).unwrap().is_none());
        let whole = read(&["GLOBUS_SDK_CLIENT_ID", "GLOBUS_SDK_CLIENT_SECRET"])
            .unwrap()
            .unwrap();
        assert_eq!(whole.client_id, "GLOBUS_SDK_CLIENT_ID");
        for half in ["PORTOLAN_CLIENT_ID", "PORTOLAN_CLIENT_SECRET", "GLOBUS_SDK_CLIENT_ID"] {
            assert_eq!(Exit::of(&read(&[half]).err().unwrap()), Exit::Usage);
        }
    }

    #[test]
    fn globus_is_not_asked_for_what_it_does_not_know() {
        assert!(is_globus("https://auth.globus.org") && is_globus("https://auth.preview.globus.org"));
        assert!(!is_globus("https://auth.globus.org.example.org") && !is_globus("http://localhost:8080"));
        assert!(!scopes_for("https://auth.globus.org").contains(&MANAGE_CONSENTS));
        assert!(scopes_for("https://auth.example.org").contains(&MANAGE_CONSENTS));
    }
}
