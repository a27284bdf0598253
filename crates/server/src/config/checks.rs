//! What a configuration must be before a server starts with it.

use std::net::IpAddr;

use url::Url;

use super::{Config, ConfigError, MAX_TOKEN_LIFETIME, SignUp, SmtpTls, is_loopback};

impl Config {
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
