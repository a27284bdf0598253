//! The configuration: one documented struct, defaults in one place, validated once.
//! Flags override `PORTOLAN_*` variables, which override the TOML file (`Config::load`).
//! The sample file in the documentation is printed from the same struct (`sample`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::domain::password;

/// Declares a struct of settings: its documentation, types and defaults stand together,
/// and the sample file is made from them.
macro_rules! settings {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty = $default:expr $(; example $example:literal)?,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
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

    /// Every finding names its setting and says what to do.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut findings = Vec::new();
        self.check_urls(&mut findings);
        self.check_files(&mut findings);
        self.check_names(&mut findings);
        self.check_ranges(&mut findings);
        self.check_mail(&mut findings);
        if findings.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(findings.join("\n")))
        }
    }

    fn check_urls(&self, findings: &mut Vec<String>) {
        if !self.public_url.is_empty()
            && let Err(reason) = check_public_url(&self.public_url, self.insecure_http)
        {
            findings.push(format!("public_url = \"{}\": {reason}", self.public_url));
        }
        for url in &self.additional_public_urls {
            if let Err(reason) = check_public_url(url, self.insecure_http) {
                findings.push(format!("additional_public_urls: \"{url}\": {reason}"));
            }
        }
        if self.public_url.is_empty() && !self.listen.ip().is_loopback() {
            findings.push(format!(
                "listen = \"{}\": other machines can reach this server, so it must know its public address: \
                 set public_url (or listen on 127.0.0.1)",
                self.listen
            ));
        }
        if self
            .metrics_listen
            .is_some_and(|metrics| metrics == self.listen && metrics.port() != 0)
        {
            findings.push("metrics_listen: the same address as listen; choose another port".into());
        }
        if !(self.database.is_empty() || self.is_postgres() || self.database.starts_with("sqlite:")) {
            findings.push("database: write sqlite:PATH or postgres://USER@HOST/DATABASE".into());
        } else if self.is_postgres() && Url::parse(&self.database).is_err() {
            findings.push("database: not an address of the form postgres://USER@HOST/DATABASE".into());
        }
        if self.database_password_file.is_some() && !self.is_postgres() {
            findings.push("database_password_file: only for PostgreSQL; remove it or set database".into());
        }
    }

    fn check_files(&self, findings: &mut Vec<String>) {
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), None) => findings.push("tls_certificate_file: set tls_key_file too, or neither".into()),
            (None, Some(_)) => findings.push("tls_key_file: set tls_certificate_file too, or neither".into()),
            _ => {}
        }
        if self.data_dir.as_os_str().is_empty() {
            findings.push("data_dir: is empty; name a folder".into());
        }
    }

    fn check_names(&self, findings: &mut Vec<String>) {
        if !is_domain(&self.local_domain) {
            findings.push(format!(
                "local_domain = \"{}\": write a domain in lower case such as portolan.local",
                self.local_domain
            ));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if self.resource_server_name.is_empty() || !self.resource_server_name.bytes().all(is_name) {
            findings.push(format!(
                "resource_server_name = \"{}\": letters, digits, dots, dashes and underscores only",
                self.resource_server_name
            ));
        }
        let prefix = &self.scope_url_prefix;
        let is_url = Url::parse(prefix).is_ok_and(|url| url.query().is_none() && url.fragment().is_none());
        if !is_url || !prefix.ends_with('/') || prefix.contains([' ', '[', ']', ',', '*']) {
            findings.push(format!(
                "scope_url_prefix = \"{prefix}\": write an https address that ends with /"
            ));
        }
        if !["RS256", "RS512", "ES256"].contains(&self.id_token_algorithm.as_str()) {
            findings.push(format!(
                "id_token_algorithm = \"{}\": choose RS256, RS512 or ES256",
                self.id_token_algorithm
            ));
        }
        if let Err(error) = self.log_level.parse::<tracing_subscriber::EnvFilter>() {
            findings.push(format!(
                "log_level = \"{}\": {error}; write for example info",
                self.log_level
            ));
        }
    }

    fn check_mail(&self, findings: &mut Vec<String>) {
        let server = self.smtp_server().unwrap_or_else(|reason| {
            findings.push(reason);
            None
        });
        if self.smtp_url.is_some() && self.mail_from.is_none() {
            findings.push("mail_from: set it too: messages need a sender".into());
        }
        if self.smtp_url.is_none() && (self.smtp_username.is_some() || self.smtp_password_file.is_some()) {
            findings.push("smtp_username, smtp_password_file: only with smtp_url".into());
        }
        if self.smtp_username.is_some() != self.smtp_password_file.is_some() {
            findings.push("smtp_username, smtp_password_file: set both or neither".into());
        }
        if self.smtp_username.is_some()
            && server.is_some_and(|server| server.tls == SmtpTls::None && !is_this_machine(&server.host))
        {
            findings.push("smtp_url: without TLS the password would cross the network in the clear".into());
        }
        if let Some(from) = &self.mail_from
            && !is_sender(from)
        {
            findings.push(format!(
                "mail_from = \"{from}\": write an address such as Portolan <portolan@example.org>"
            ));
        }
        if self.sign_up == SignUp::Open && self.smtp_url.is_none() {
            findings
                .push("sign_up: opening accounts needs mail: set smtp_url and mail_from, or sign_up = \"off\"".into());
        }
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

    fn check_ranges(&self, findings: &mut Vec<String>) {
        let mut check = |name: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                findings.push(format!("{name} = {value}: choose a value from {least} to {most}"));
            }
        };
        let longest = MAX_TOKEN_LIFETIME.as_secs();
        check(
            "access_token_lifetime_seconds",
            self.access_token_lifetime_seconds,
            60,
            longest,
        );
        check(
            "authorization_code_lifetime_seconds",
            self.authorization_code_lifetime_seconds,
            10,
            600,
        );
        check(
            "display_code_lifetime_seconds",
            self.display_code_lifetime_seconds,
            30,
            3_600,
        );
        check("refresh_grace_seconds", self.refresh_grace_seconds, 0, 3_600);
        check(
            "refresh_idle_lifetime_seconds",
            self.refresh_idle_lifetime_seconds,
            60,
            longest,
        );
        if let Some(seconds) = self.refresh_absolute_lifetime_seconds {
            check("refresh_absolute_lifetime_seconds", seconds, 60, 100 * longest);
        }
        check(
            "session_idle_lifetime_seconds",
            self.session_idle_lifetime_seconds,
            60,
            90 * 86_400,
        );
        check(
            "session_absolute_lifetime_seconds",
            self.session_absolute_lifetime_seconds,
            60,
            366 * 86_400,
        );
        if let Some(days) = self.signing_key_rotation_days {
            check("signing_key_rotation_days", days, 1, 3_660);
        }
        check("audit_retention_days", self.audit_retention_days, 1, 36_600);
        check("database_connections", self.database_connections as u64, 0, 256);
        let limits = &self.limits;
        check(
            "limits.logins_per_minute",
            limits.logins_per_minute.into(),
            1,
            1_000_000,
        );
        check(
            "limits.failed_logins_per_minute",
            limits.failed_logins_per_minute.into(),
            1,
            1_000_000,
        );
        let failures = limits.failed_client_authentications_per_minute;
        check(
            "limits.failed_client_authentications_per_minute",
            failures.into(),
            1,
            1_000_000,
        );
        check(
            "limits.template_registrations_per_hour",
            limits.template_registrations_per_hour.into(),
            1,
            1_000_000,
        );
        check(
            "limits.mail_requests_per_hour",
            limits.mail_requests_per_hour.into(),
            1,
            1_000_000,
        );
        check(
            "limits.mail_requests_in_all_per_hour",
            limits.mail_requests_in_all_per_hour.into(),
            1,
            1_000_000,
        );
        check(
            "limits.body_bytes",
            limits.body_bytes as u64,
            16 * 1024,
            16 * 1024 * 1024,
        );
        check("limits.header_seconds", limits.header_seconds, 1, 300);
        check("limits.request_seconds", limits.request_seconds, 1, 300);
        check("limits.connections", limits.connections as u64, 16, 1_000_000);
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

    /// The documented sample file: every setting with its default, commented out.
    pub fn sample() -> String {
        let mut text = String::from(
            "# Portolan's settings with their defaults. Remove the # in front of what you change.\n\
             # Each setting can also be given as a variable (PORTOLAN_LISTEN, PORTOLAN_LIMITS_CONNECTIONS)\n\
             # and some as a flag (--listen): flags override variables, which override this file.\n\
             # Show this text: portolan config sample\n",
        );
        let defaults = toml::Table::try_from(Config::default()).expect("the defaults are TOML");
        let limits = defaults["limits"].as_table().expect("limits are a table");
        let is_plain = |setting: &&Setting| setting.name != "limits";
        write_sample(&mut text, Config::SETTINGS.iter().filter(is_plain), &defaults);
        text.push_str("\n[limits]\n");
        write_sample(&mut text, LimitsConfig::SETTINGS.iter(), limits);
        text
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

fn write_sample<'a>(text: &mut String, settings: impl Iterator<Item = &'a Setting>, defaults: &toml::Table) {
    for setting in settings {
        text.push('\n');
        for line in setting.doc {
            text.push_str(&format!("#{line}\n"));
        }
        match (setting.example, defaults.get(setting.name)) {
            (Some(example), _) => text.push_str(&format!("#{} = {example}\n", setting.name)),
            (None, Some(value)) => text.push_str(&format!("#{} = {value}\n", setting.name)),
            (None, None) => unreachable!("a setting without a default has an example"),
        }
    }
}

fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let named = |reason: String| ConfigError(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    // Read as the struct first: only then an error knows its line.
    toml::from_str::<Config>(&text).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| named(error.to_string()))
}

/// `limits_connections` is the setting `connections` in the table `limits`.
fn setting_path(name: &str) -> Option<Vec<&'static str>> {
    let find = |settings: &'static [Setting], name: &str| {
        settings
            .iter()
            .map(|setting| setting.name)
            .find(|setting| *setting == name)
    };
    if let Some(limit) = name.strip_prefix("limits_") {
        return Some(vec!["limits", find(LimitsConfig::SETTINGS, limit)?]);
    }
    find(Config::SETTINGS, name)
        .filter(|name| *name != "limits")
        .map(|name| vec![name])
}

/// Puts a value given as text into the table, in the form that the setting takes: text,
/// else a TOML value (a number, `true`, a list), else a list separated by commas.
fn set(table: &mut toml::Table, path: &[&'static str], value: &str) -> Result<(), String> {
    let list = value
        .split(',')
        .map(|part| toml::Value::String(part.trim().to_owned()))
        .collect();
    let mut forms = vec![toml::Value::String(value.to_owned())];
    forms.extend(value.parse::<toml::Value>());
    forms.push(toml::Value::Array(list));
    let mut error = None;
    for form in forms {
        let mut candidate = toml::Table::new();
        insert(&mut candidate, path, form.clone());
        match candidate.try_into::<Config>() {
            Ok(_) => {
                insert(table, path, form);
                return Ok(());
            }
            // The first form that a person can have meant tells best what is wrong.
            Err(reason) if error.is_none() => error = Some(reason.message().to_owned()),
            Err(_) => {}
        }
    }
    Err(error.unwrap_or_default())
}

fn insert(table: &mut toml::Table, path: &[&'static str], value: toml::Value) {
    match path {
        [outer, inner] => {
            let outer = table.entry(*outer).or_insert_with(|| toml::Table::new().into());
            if let Some(outer) = outer.as_table_mut() {
                outer.insert((*inner).to_owned(), value);
            }
        }
        [name] => {
            table.insert((*name).to_owned(), value);
        }
        _ => unreachable!("settings are at most one table deep"),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `a@b` or `Name <a@b>`, on one line.
fn is_sender(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => match rest.strip_suffix('>') {
            Some(address) => address,
            None => return false,
        },
        None => text,
    };
    let well_formed = address
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    well_formed
        && !text.contains(char::is_control)
        && !address.contains(|c: char| c.is_whitespace() || "<>,;".contains(c))
}

fn check_public_url(text: &str, insecure_http: bool) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; write for example https://auth.example.org"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("begin it with https://".into());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || text.contains(['?', '#']) {
        return Err("leave out everything after the host and port: the issuer has no path".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out user name and password".into());
    }
    // Compared as text by every client: only one spelling is right.
    let origin = url.origin().ascii_serialization();
    if text.trim_end_matches('/') != origin {
        return Err(format!("write it as {origin}"));
    }
    if url.scheme() == "http" && !is_loopback(&url) && !insecure_http {
        return Err(
            "use https, or accept that passwords and tokens cross the network in the clear: insecure_http".into(),
        );
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(is_valid)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn flags(flags: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Config::load(&Sources {
            flags,
            ..Sources::default()
        })
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn defaults_are_valid() {
        let config = Config::load(&Sources::default()).unwrap();
        assert_eq!(config.public_url(), "http://localhost:8080");
        assert_eq!(config.issuer(), "http://localhost:8080");
        assert_eq!(config.database_url().unwrap(), "sqlite:./portolan-data/portolan.db");
        assert!(config.is_loopback() && !config.cookie_secure());
    }

    #[test]
    fn flags_override_variables_which_override_the_file() {
        let file = file("listen = \"127.0.0.1:1111\"\nlocal_domain = \"file.example\"\n[limits]\nconnections = 100\n");
        let variables = [
            ("PORTOLAN_LISTEN", "127.0.0.1:2222"),
            ("PORTOLAN_LIMITS_BODY_BYTES", "20000"),
            ("LISTEN", "x"),
        ];
        let config = Config::load(&Sources {
            file: Some(file.path().into()),
            environment: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            flags: vec![("listen", "127.0.0.1:3333".into())],
        })
        .unwrap();
        assert_eq!(config.listen.port(), 3333);
        assert_eq!(config.local_domain, "file.example");
        assert_eq!((config.limits.connections, config.limits.body_bytes), (100, 20_000));
    }

    #[test]
    fn every_form_of_value_can_be_given_as_text() {
        let config = flags(&[
            ("insecure_http", "true"),
            ("access_token_lifetime_seconds", "3600"),
            ("trusted_proxies", "10.0.0.0/8, 192.168.1.1/32"),
            ("additional_public_urls", "[\"https://a.example\"]"),
            ("metrics_listen", "127.0.0.1:9464"),
            ("migrate", "check"),
            ("operator_contact", "42"),
        ])
        .unwrap();
        assert!(config.insecure_http);
        assert_eq!(config.access_token_lifetime_seconds, 3600);
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!(config.additional_public_urls, ["https://a.example"]);
        assert_eq!(config.metrics_listen.unwrap().port(), 9464);
        assert_eq!(config.migrate, Migrate::Check);
        assert_eq!(config.operator_contact.as_deref(), Some("42"));
    }

    #[test]
    fn errors_name_the_setting_and_say_what_to_do() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "public_url",
                "auth.example.org",
                "write for example https://auth.example.org",
            ),
            (
                "public_url",
                "https://auth.example.org/base",
                "leave out everything after the host",
            ),
            (
                "public_url",
                "https://auth.example.org/?x=1",
                "leave out everything after the host",
            ),
            (
                "public_url",
                "https://auth.example.org?",
                "leave out everything after the host",
            ),
            ("public_url", "http://auth.example.org", "use https"),
            ("public_url", "https://user:pw@auth.example.org", "leave out user name"),
            (
                "public_url",
                "https://AUTH.example.org",
                "write it as https://auth.example.org",
            ),
            (
                "public_url",
                "https://auth.example.org:443",
                "write it as https://auth.example.org",
            ),
            ("public_url", "ftp://auth.example.org", "begin it with https://"),
            ("listen", "0.0.0.0:8080", "set public_url"),
            ("listen", "8080", "--listen 8080"),
            ("tls_key_file", "k.pem", "set tls_certificate_file too"),
            ("tls_certificate_file", "c.pem", "set tls_key_file too"),
            ("database", "mysql://x", "write sqlite:PATH or postgres://"),
            ("database_password_file", "p", "only for PostgreSQL"),
            ("local_domain", "Not A Domain", "local_domain"),
            ("local_domain", "a..b", "local_domain"),
            ("resource_server_name", "a b", "resource_server_name"),
            ("scope_url_prefix", "https://x.example/scopes", "ends with /"),
            ("id_token_algorithm", "none", "choose RS256, RS512 or ES256"),
            ("access_token_lifetime_seconds", "5", "choose a value from 60"),
            (
                "access_token_lifetime_seconds",
                "-5",
                "--access-token-lifetime-seconds -5",
            ),
            ("refresh_idle_lifetime_seconds", "99999999999", "to 31622400"),
            ("metrics_listen", "127.0.0.1:8080", "choose another port"),
            ("log_level", "info,=", "log_level"),
            ("trusted_proxies", "10.0.0.0/99", "--trusted-proxies"),
        ];
        for (name, value, words) in cases {
            let error = flags(&[(name, value)])
                .expect_err(&format!("{name} = {value} is refused"))
                .to_string();
            assert!(error.contains(words), "{name} = {value}: {error}");
            assert!(
                error.contains(&name.replace('_', "-")) || error.contains(name),
                "{name} = {value}: {error}"
            );
        }
    }

    #[test]
    fn every_finding_is_told_at_once() {
        let error = flags(&[("local_domain", "X"), ("id_token_algorithm", "none")])
            .unwrap_err()
            .to_string();
        assert_eq!(error.lines().count(), 2, "{error}");
    }

    #[test]
    fn a_key_that_is_not_known_is_refused_with_its_line() {
        let file = file("local_domain = \"a.example\"\nlisten_adress = \"127.0.0.1:80\"\n");
        let error = Config::load(&Sources {
            file: Some(file.path().into()),
            ..Sources::default()
        })
        .unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("line 2") && error.contains("unknown field `listen_adress`"),
            "{error}"
        );
    }

    #[test]
    fn unknown_variables_are_found_but_those_of_tests_are_left_alone() {
        let names = [
            "PORTOLAN_LISTN",
            "PORTOLAN_LISTEN",
            "PORTOLAN_TEST_POSTGRES_URL",
            "PORTOLAN_CONFIG",
            "HOME",
        ];
        let environment = names.map(|name| (name.to_owned(), "x".to_owned())).into();
        let sources = Sources {
            environment,
            ..Sources::default()
        };
        assert_eq!(Config::unknown_variables(&sources), ["PORTOLAN_LISTN"]);
    }

    #[test]
    fn loopback_and_insecure_addresses() {
        for url in [
            "http://localhost:1",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://a.localhost:9",
        ] {
            assert!(flags(&[("public_url", url)]).unwrap().is_loopback(), "{url}");
        }
        let config = flags(&[
            ("public_url", "http://auth.lab.example:8080"),
            ("insecure_http", "true"),
        ])
        .unwrap();
        assert!(!config.is_loopback() && !config.cookie_secure());
        let config = flags(&[("public_url", "https://auth.example.org/")]).unwrap();
        assert_eq!(config.issuer(), "https://auth.example.org");
        assert!(config.cookie_secure());
    }

    #[test]
    fn the_password_of_the_database_comes_from_its_file() {
        let password = file("p@ss word\n");
        let path = password.path().to_str().unwrap();
        let config = flags(&[
            ("database", "postgres://portolan@db.example/portolan"),
            ("database_password_file", path),
        ])
        .unwrap();
        assert_eq!(
            config.database_url().unwrap(),
            "postgres://portolan:p%40ss%20word@db.example/portolan"
        );
        assert!(!format!("{config:?}").contains("db.example"));
    }

    #[test]
    fn the_sample_in_the_documentation_is_up_to_date_and_valid() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/portolan.sample.toml");
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            written,
            Config::sample(),
            "run: portolan config sample > docs/portolan.sample.toml"
        );
        // As it is, and with every setting uncommented.
        toml::from_str::<Config>(&written).unwrap();
        let uncommented: String = written
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config: Config = toml::from_str(&uncommented).unwrap();
        config.validate().unwrap_err();
        assert_eq!(config.limits.connections, LimitsConfig::default().connections);
        assert_eq!(config.signing_key_rotation_days, Some(90));
    }

    #[test]
    fn a_mail_server_is_named_with_a_sender_and_never_gets_a_password_in_the_clear() {
        let config = |url: &str| Config {
            smtp_url: Some(url.into()),
            mail_from: Some("Portolan <p@example.org>".into()),
            ..Config::default()
        };
        let server = |url: &str| {
            config(url)
                .smtp_server()
                .map(|server| server.map(|server| (server.host, server.port, server.tls)))
        };
        let named = |host: &str, port, tls| Ok(Some((host.to_owned(), port, tls)));
        assert_eq!(
            server("smtp://mail.example.org"),
            named("mail.example.org", 587, SmtpTls::StartTls)
        );
        assert_eq!(server("smtp://[::1]:2525?tls=none"), named("::1", 2525, SmtpTls::None));
        assert_eq!(
            server("smtps://mail.example.org"),
            named("mail.example.org", 465, SmtpTls::FromTheStart)
        );
        for wrong in [
            "mail.example.org",
            "smtp://",
            "http://x",
            "smtp://x?tls=maybe",
            "smtp://me:secret@x",
            "smtps://x?tls=none",
        ] {
            assert!(config(wrong).validate().is_err(), "{wrong}");
        }
        let with_password = |url: &str| Config {
            smtp_username: Some("me".into()),
            smtp_password_file: Some("/nowhere".into()),
            ..config(url)
        };
        assert!(with_password("smtp://mail.example.org").validate().is_ok());
        assert!(with_password("smtp://localhost?tls=none").validate().is_ok());
        assert!(with_password("smtp://mail.example.org?tls=none").validate().is_err());
        for from in [None, Some("nobody"), Some("a@b\r\nBcc: c@d"), Some("A <a@b")] {
            let from = from.map(str::to_owned);
            assert!(
                Config {
                    mail_from: from,
                    ..config("smtps://x")
                }
                .validate()
                .is_err()
            );
        }
        assert!(
            Config {
                sign_up: SignUp::Open,
                ..Config::default()
            }
            .validate()
            .is_err()
        );
    }
}
