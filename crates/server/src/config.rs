//! The configuration: one documented struct, defaults in one place, validated once.
//! Flags override `PORTOLAN_*` variables, which override the TOML file (`Config::load`).
//! The sample file in the documentation is printed from the same struct (`sample`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::domain::password;

/// Declares a struct of settings: its documentation, types and defaults stand together,
/// and the sample file is made from them.
macro_rules! settings {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[doc = $doc:literal])+ $(#[serde($serde:meta)])? pub $field:ident: $type:ty = $default:expr $(; example $example:literal)?,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ $(#[serde($serde)])? pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            const SETTINGS: &[Setting] = &[
                $(Setting { name: stringify!($field), doc: &[$($doc),+], example: settings!(@example $($example)?) },)+
            ];
        }
    };
    (@example $example:literal) => { Some($example) };
    (@example) => { None };
}

/// What the sample says about one setting.
struct Setting {
    name: &'static str,
    doc: &'static [&'static str],
    /// For settings without a default, as TOML.
    example: Option<&'static str>,
}

settings! {
    pub struct Config {
        /// Where the store, the master key and locks live.
        pub data_dir: PathBuf = PathBuf::from("./portolan-data"),
        /// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`; empty: `portolan.db` inside the data folder.
        pub database: String = String::new(),
        /// A file whose first line is the password for PostgreSQL, so that the address above holds no secret.
        pub database_password_file: Option<PathBuf> = None; example "\"/etc/portolan/database-password\"",
        /// Certificates that PostgreSQL's certificate must chain to.
        pub database_ca_file: Option<PathBuf> = None; example "\"/etc/portolan/database-ca.pem\"",
        /// Connection threads; 0: chosen by engine. Across a network to PostgreSQL, 16 is a good number.
        pub database_connections: usize = 0,
        /// `auto` applies pending migrations at start, `check` refuses to start instead.
        pub migrate: Migrate = Migrate::Auto,
        /// The address and port to listen on; port 0 picks a free one.
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// The address that people and programs use, without a path; empty: `http://localhost:PORT`.
        /// It is the issuer of every token: once set, a store keeps it (`portolan settings set`).
        pub public_url: String = String::new(); example "\"https://auth.example.org\"",
        /// Further addresses of this server; they only widen which display page a client may name.
        pub additional_public_urls: Vec<String> = Vec::new(),
        /// Allows plain http under a public address that is not this machine. Passwords and tokens
        /// then cross the network in the clear.
        pub insecure_http: bool = false,
        /// Metrics and health on a listener of their own; none by default.
        pub metrics_listen: Option<SocketAddr> = None; example "\"127.0.0.1:9464\"",
        /// The certificate chain (PEM) if this server itself speaks TLS; read again on SIGHUP.
        pub tls_certificate_file: Option<PathBuf> = None; example "\"/etc/portolan/tls/fullchain.pem\"",
        /// The private key (PEM) of that certificate.
        pub tls_key_file: Option<PathBuf> = None; example "\"/etc/portolan/tls/privkey.pem\"",
        /// Peers (addresses or networks) whose `X-Forwarded-For` is believed; none by default.
        #[serde(deserialize_with = "text::networks")]
        pub trusted_proxies: Vec<IpNet> = Vec::new(); example "[\"10.0.0.0/8\"]",
        /// The key that seals all other keys; empty: `master.key` in the data folder. Made at the first
        /// start on SQLite; on PostgreSQL every node gets the same file (`portolan keys master-key`).
        pub master_key_file: Option<PathBuf> = None; example "\"/etc/portolan/master.key\"",
        /// Shown on login and error pages: an address or a sentence.
        pub operator_contact: Option<String> = None; example "\"help@example.org\"",
        /// The domain of local accounts.
        pub local_domain: String = "portolan.local".into(),
        /// Auth's own resource server name; clients look for their tokens under this literal.
        pub resource_server_name: String = "auth.globus.org".into(),
        /// The prefix of scopes made through the API; a literal in the clients' code.
        pub scope_url_prefix: String = "https://auth.globus.org/scopes/".into(),
        /// Whether the built-in catalogue of well-known services and scopes is offered.
        pub catalogue: bool = true,
        /// How long an access token lives.
        pub access_token_lifetime_seconds: u64 = 172_800,
        /// How long an authorization code lives.
        pub authorization_code_lifetime_seconds: u64 = 60,
        /// The same for codes that a person copies from the display page.
        pub display_code_lifetime_seconds: u64 = 600,
        /// For which clients a refresh token is replaced at each use: `never`, `public` or `always`.
        pub refresh_rotation: RefreshRotation = RefreshRotation::Public,
        /// How long a lost answer to a refresh can be repeated.
        pub refresh_grace_seconds: u64 = 60,
        /// A refresh token that is not used for so long ends.
        pub refresh_idle_lifetime_seconds: u64 = 182 * 86_400,
        /// A refresh token ends after this time also when it is used; none by default.
        pub refresh_absolute_lifetime_seconds: Option<u64> = None; example "31536000",
        /// A browser session that is not used for so long ends.
        pub session_idle_lifetime_seconds: u64 = 12 * 3_600,
        /// A browser session ends after this time in any case.
        pub session_absolute_lifetime_seconds: u64 = 7 * 86_400,
        /// How ID tokens are signed: `RS256`, `RS512` or `ES256`; a client can have its own.
        pub id_token_algorithm: String = "RS256".into(),
        /// New signing keys are made when the current ones are so old; none by default
        /// (`portolan keys rotate`).
        pub signing_key_rotation_days: Option<u64> = None; example "90",
        /// Accepts parameters of the authorization code grant in the query of the token endpoint.
        pub token_query_parameters: bool = true,
        /// Asks "Continue as …?" before a native app gets a code without any other page.
        pub confirm_native_sso: bool = true,
        /// A person who changes a project must have signed in as one of its admins within half an hour.
        pub session_gate: bool = true,
        /// The DNS server that is asked for the proof of a domain name; none: those of the system.
        pub dns_resolver: Option<SocketAddr> = None; example "\"127.0.0.1:53\"",
        /// The mail server that messages are given to: `smtp://HOST:PORT` demands STARTTLS (`?tls=none` leaves
        /// it out, for a server on this machine), `smtps://HOST:PORT` speaks TLS from the start. None: no mail
        /// is sent, and nobody can reset a password by mail. Needs `mail_from`. What cannot be sent waits in the
        /// store and is tried again for two days, a link as long as it works (`portolan_mail_waiting` counts it).
        pub smtp_url: Option<String> = None; example "\"smtp://mail.example.org:587\"",
        /// The name to log in with at the mail server.
        pub smtp_username: Option<String> = None; example "\"portolan\"",
        /// A file whose first line is the password for the mail server.
        pub smtp_password_file: Option<PathBuf> = None; example "\"/etc/portolan/smtp-password\"",
        /// A certificate (PEM) that the mail server's certificate may chain to, beside the public ones.
        pub smtp_ca_file: Option<PathBuf> = None; example "\"/etc/portolan/smtp-ca.pem\"",
        /// The sender of messages; the mail server has to accept it from this machine.
        pub mail_from: Option<String> = None; example "\"Portolan <portolan@example.org>\"",
        /// `open` lets everybody open a local account with an e-mail address that they can read; `off`: only
        /// operators make accounts.
        pub sign_up: SignUp = SignUp::Off,
        /// Networks that this server may call although they are not public: identity providers and apps inside
        /// your own network. Only these may be called without https. None by default.
        #[serde(deserialize_with = "text::networks")]
        pub outgoing_allow: Vec<IpNet> = Vec::new(); example "[\"10.20.0.0/16\"]",
        /// How long the audit trail is kept.
        pub audit_retention_days: u64 = 400,
        /// `human` or `json`, to standard error.
        pub log_format: LogFormat = LogFormat::Human,
        /// `error`, `warn`, `info`, `debug` or a filter such as `info,portolan::request=warn`
        /// (which leaves out the line that each request writes).
        pub log_level: String = "info".into(),
        /// How many attempts are allowed, and how big a request may be.
        pub limits: LimitsConfig = LimitsConfig::default(),
    }
}

settings! {
    /// How many attempts are allowed, and how big a request may be.
    pub struct LimitsConfig {
        /// Log-in attempts per address and minute.
        pub logins_per_minute: u32 = 30,
        /// Failed log-ins from all addresses per minute. Beyond it only browsers in which the account was used
        /// before may try.
        pub failed_logins_per_minute: u32 = 600,
        /// Failed client authentications per address and client and minute. Success is never limited.
        pub failed_client_authentications_per_minute: u32 = 30,
        /// Template registrations per address and hour.
        pub template_registrations_per_hour: u32 = 60,
        /// Requests for mail (new passwords, new accounts, notices to the contact of a project) per address and hour;
        /// an IPv6 network of 64 bits counts as one address, and one of 48 bits as four.
        pub mail_requests_per_hour: u32 = 20,
        /// Requests for mail per hour from all browsers in which nobody has signed in before.
        pub mail_requests_in_all_per_hour: u32 = 2000,
        /// The largest body of a request.
        pub body_bytes: usize = 256 * 1024,
        /// The same for a form with a picture in it.
        pub upload_bytes: usize = 1280 * 1024,
        /// How long a client may take to send the header of a request.
        pub header_seconds: u64 = 10,
        /// How long a request may take in all.
        pub request_seconds: u64 = 30,
        /// Open connections; further ones are closed at once.
        pub connections: usize = 8192,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Migrate {
    Auto,
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshRotation {
    Never,
    Public,
    Always,
}

/// Who may open a local account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    Off,
    Open,
}

/// The mail server, as `smtp_url` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    None,
    StartTls,
    FromTheStart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
}

mod checks;
mod sample;
mod text;

use text::{read_file, set, setting_path};

/// No token can outlive this: what marks ended grants is kept longer (`jobs::cleanup`).
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(366 * 86_400);

/// Says what is wrong with the configuration and what to do, a line for each finding.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Where settings come from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Names and values; only those that begin with `PORTOLAN_` count.
    pub environment: Vec<(String, String)>,
    /// Setting names and values as typed.
    pub flags: Vec<(&'static str, String)>,
}

/// Variables of ours that are no settings.
const OTHER_VARIABLES: &[&str] = &[
    "PORTOLAN_CONFIG",
    "PORTOLAN_FORMAT",
    "PORTOLAN_PROFILE",
    "PORTOLAN_SERVER",
    "PORTOLAN_CLIENT_ID",
    "PORTOLAN_CLIENT_SECRET",
    "PORTOLAN_BIN",
];
const OTHER_PREFIXES: &[&str] = &["PORTOLAN_TEST_", "PORTOLAN_E2E_", "PORTOLAN_CRASH_", "PORTOLAN_BENCH_"];

impl Config {
    /// Reads and validates. What cannot be understood is an error; a variable that names no
    /// setting is only reported by `unknown_variables`, since others may share our prefix.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut table = match &sources.file {
            Some(path) => read_file(path)?,
            None => toml::Table::new(),
        };
        for (variable, value) in &sources.environment {
            let Some(setting) = variable.strip_prefix("PORTOLAN_") else {
                continue;
            };
            // An empty variable is the usual way to say "not set".
            if let (Some(path), false) = (setting_path(&setting.to_ascii_lowercase()), value.is_empty()) {
                set(&mut table, &path, value).map_err(|error| ConfigError(format!("{variable}={value}: {error}")))?;
            }
        }
        for (name, value) in &sources.flags {
            let path = setting_path(name).expect("flags are named after settings");
            set(&mut table, &path, value)
                .map_err(|error| ConfigError(format!("--{} {value}: {error}", name.replace('_', "-"))))?;
        }
        let config: Config = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Variables that look like settings but are none: usually a slip of the keyboard.
    pub fn unknown_variables(sources: &Sources) -> Vec<String> {
        let is_unknown = |variable: &&String| {
            variable
                .strip_prefix("PORTOLAN_")
                .is_some_and(|name| setting_path(&name.to_ascii_lowercase()).is_none())
                && !OTHER_VARIABLES.contains(&variable.as_str())
                && !OTHER_PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
        };
        sources
            .environment
            .iter()
            .map(|(variable, _)| variable)
            .filter(is_unknown)
            .cloned()
            .collect()
    }

    /// The mail server; none if no mail is sent.
    pub fn smtp_server(&self) -> Result<Option<SmtpServer>, String> {
        let Some(text) = &self.smtp_url else { return Ok(None) };
        let wrong = || format!("smtp_url = \"{text}\": write for example smtp://mail.example.org:587");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("smtp_url: name and password belong in smtp_username and smtp_password_file".into());
        }
        let (tls, port) = match (url.scheme(), url.query()) {
            ("smtp", None) => (SmtpTls::StartTls, 587),
            ("smtp", Some("tls=none")) => (SmtpTls::None, 25),
            ("smtps", None) => (SmtpTls::FromTheStart, 465),
            _ => return Err(wrong()),
        };
        Ok(Some(SmtpServer {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            tls,
        }))
    }

    /// Whether messages reach anybody.
    pub fn sends_mail(&self) -> bool {
        self.smtp_url.is_some()
    }

    /// The address that people and programs use, without a slash at the end.
    pub fn public_url(&self) -> String {
        if self.public_url.is_empty() {
            let scheme = if self.uses_tls() { "https" } else { "http" };
            return format!("{scheme}://localhost:{}", self.listen.port());
        }
        self.public_url.trim_end_matches('/').to_owned()
    }

    /// `iss` of every token and answer: the public address itself, so that discovery is
    /// found below it.
    pub fn issuer(&self) -> String {
        self.public_url()
    }

    /// Whether the operator chose the public address; otherwise it follows the port and
    /// is not held to what the store remembers.
    pub fn has_public_url(&self) -> bool {
        !self.public_url.is_empty()
    }

    /// Whether only this machine can be meant by the public address.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.public_url()).is_ok_and(|url| is_loopback(&url))
    }

    /// Cookies are marked secure exactly when browsers come over https.
    pub fn cookie_secure(&self) -> bool {
        self.public_url().starts_with("https://")
    }

    pub fn uses_tls(&self) -> bool {
        self.tls_certificate_file.is_some()
    }

    pub fn is_postgres(&self) -> bool {
        self.database.starts_with("postgres://") || self.database.starts_with("postgresql://")
    }

    /// The address of the store, with the password from its file.
    pub fn database_url(&self) -> Result<String, ConfigError> {
        if self.database.is_empty() {
            return Ok(format!("sqlite:{}", self.data_dir.join("portolan.db").display()));
        }
        let Some(path) = &self.database_password_file else {
            return Ok(self.database.clone());
        };
        let failed = |reason: String| ConfigError(format!("database_password_file: {}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut url = Url::parse(&self.database).map_err(|error| ConfigError(format!("database: {error}")))?;
        url.set_password(text.lines().next())
            .map_err(|()| ConfigError("database: an address without a host cannot take a password".into()))?;
        Ok(url.into())
    }

    /// How passwords are hashed: by cost of today, as many at a time as there are cores.
    pub fn password_hashing(&self) -> password::Settings {
        password::Settings::default()
    }

    /// How the store is opened.
    pub fn store_options(&self) -> Result<portolan_db::Options, ConfigError> {
        let mut options = portolan_db::Options::new(self.database_url()?);
        if self.database_connections > 0 {
            options.connections = self.database_connections;
        }
        options.tls_ca_file = self.database_ca_file.clone();
        Ok(options)
    }

    /// The file of the store on SQLite.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        match self.database.strip_prefix("sqlite:") {
            Some(path) => Some(PathBuf::from(path)),
            None if self.database.is_empty() => Some(self.data_dir.join("portolan.db")),
            None => None,
        }
    }

    pub fn master_key_path(&self) -> PathBuf {
        self.master_key_file
            .clone()
            .unwrap_or_else(|| self.data_dir.join("master.key"))
    }

    /// Whether a peer's `X-Forwarded-For` is believed.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// Shows no values: an address of the database may hold a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
