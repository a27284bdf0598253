//! What an operator may say about an identity provider, on the command line or in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use portolan_server::App;
use portolan_server::domain::provider::Wanted;
use portolan_server::jobs::keys::provider_secret_place;
use portolan_server::upstream::provider::{Configuration, Endpoints, OAUTH2};
use serde_json::json;

use crate::typed::yes_or_no;

/// What both calls may set.
#[derive(Args, Clone, Debug, Default)]
pub struct Members {
    /// Shown to people
    #[arg(long)]
    pub name: Option<String>,
    /// One word; unique
    #[arg(long)]
    pub short_name: Option<String>,
    /// People find it by this name, too
    #[arg(long = "alternative-name", value_name = "NAME")]
    pub alternative_names: Option<Vec<String>>,
    /// The domains that its usernames may be in
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Option<Vec<String>>,
    /// As the provider writes it, byte for byte
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Who this server is there
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// A file whose first line is the secret
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// client_secret_basic, client_secret_post or none [default: what the provider offers]
    #[arg(long, value_name = "METHOD")]
    pub client_authentication: Option<String>,
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Option<Vec<String>>,
    /// Signature algorithms that count [default: those that the provider announces]
    #[arg(long = "algorithm", value_name = "NAME")]
    pub algorithms: Option<Vec<String>>,
    /// The claim of the username; several are tried in turn
    #[arg(long = "username-claim", value_name = "CLAIM", help_heading = "Claims")]
    pub username_claims: Option<Vec<String>>,
    #[arg(long = "name-claim", value_name = "CLAIM", help_heading = "Claims")]
    pub name_claims: Option<Vec<String>>,
    #[arg(long = "email-claim", value_name = "CLAIM", help_heading = "Claims")]
    pub email_claims: Option<Vec<String>>,
    #[arg(long = "organization-claim", value_name = "CLAIM", help_heading = "Claims")]
    pub organization_claims: Option<Vec<String>>,
    /// A claim that must have this value, such as the institution behind a hub
    #[arg(long = "required-claim", value_name = "CLAIM=VALUE", value_parser = pair, help_heading = "Claims")]
    pub required_claims: Option<Vec<(String, String)>>,
    /// Believe the provider when it says that two factors were used [default: no]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no, help_heading = "Claims")]
    pub trust_mfa: Option<bool>,
    /// A further parameter of the address that people are sent to
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Option<Vec<(String, String)>>,
    /// Where people are sent; for plain OAuth 2.0
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    pub authorization_endpoint: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    pub token_endpoint: Option<String>,
    /// Tells who a token is of
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    pub user_endpoint: Option<String>,
    /// Tells which addresses are verified
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    pub emails_endpoint: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Members {
    /// Puts what was given in place of what is there.
    pub fn apply(&self, app: &App, wanted: &mut Wanted) -> Result<()> {
        fn text(into: &mut String, given: &Option<String>) {
            if let Some(given) = given {
                given.trim().clone_into(into);
            }
        }
        fn list(into: &mut Vec<String>, given: &Option<Vec<String>>) {
            if let Some(given) = given {
                given.clone_into(into);
            }
        }
        text(&mut wanted.provider.name, &self.name);
        text(&mut wanted.provider.short_name, &self.short_name);
        if let Some(names) = &self.alternative_names {
            wanted.provider.alternative_names = json!(names).to_string();
        }
        if let Some(domains) = &self.domains {
            wanted.domains = domains.iter().map(|domain| domain.trim().to_lowercase()).collect();
            wanted.configuration.default_domain = wanted.domains.first().cloned().unwrap_or_default();
        }
        text(&mut wanted.issuer, &self.issuer);
        let configuration = &mut wanted.configuration;
        text(&mut configuration.client_id, &self.client_id);
        text(&mut configuration.client_authentication, &self.client_authentication);
        list(&mut configuration.scopes, &self.scopes);
        list(&mut configuration.algorithms, &self.algorithms);
        list(&mut configuration.claims.username, &self.username_claims);
        list(&mut configuration.claims.name, &self.name_claims);
        list(&mut configuration.claims.email, &self.email_claims);
        list(&mut configuration.claims.organization, &self.organization_claims);
        if let Some(claims) = &self.required_claims {
            configuration.required_claims = claims.iter().cloned().collect();
        }
        if let Some(parameters) = &self.parameters {
            configuration.parameters = parameters.iter().cloned().collect();
        }
        if let Some(trust) = self.trust_mfa {
            configuration.trust_mfa = trust;
        }
        self.apply_endpoints(configuration)?;
        if let Some(file) = &self.client_secret_file {
            let secret = read_secret(file).with_context(|| format!("--client-secret-file {}", file.display()))?;
            let place = provider_secret_place(wanted.provider.id.0);
            wanted.sealed_secret = Some(app.master_key.seal(&place, secret.as_bytes()));
        }
        for (option, address) in self.addresses(wanted) {
            if let Err(error) = app.fetcher.check(address) {
                bail!("{option} {address}: {error}; networks of your own are named in outgoing_allow");
            }
        }
        Ok(())
    }

    fn apply_endpoints(&self, configuration: &mut Configuration) -> Result<()> {
        let given = [&self.authorization_endpoint, &self.token_endpoint, &self.user_endpoint];
        if given.iter().all(|address| address.is_none()) && self.emails_endpoint.is_none() {
            return Ok(());
        }
        let Some(known) = &configuration.endpoints else {
            bail!("addresses are for plain OAuth 2.0 (--preset github); OpenID Connect tells them itself");
        };
        let or = |given: &Option<String>, known: &String| given.clone().unwrap_or_else(|| known.clone());
        configuration.endpoints = Some(Endpoints {
            authorization: or(&self.authorization_endpoint, &known.authorization),
            token: or(&self.token_endpoint, &known.token),
            user: or(&self.user_endpoint, &known.user),
            emails: self.emails_endpoint.clone().or_else(|| known.emails.clone()),
        });
        Ok(())
    }

    /// Those that this server will call.
    fn addresses<'a>(&self, wanted: &'a Wanted) -> Vec<(&'static str, &'a str)> {
        match &wanted.configuration.endpoints {
            Some(endpoints) if wanted.provider.kind == OAUTH2 => {
                let mut list = vec![
                    ("--authorization-endpoint", endpoints.authorization.as_str()),
                    ("--token-endpoint", endpoints.token.as_str()),
                    ("--user-endpoint", endpoints.user.as_str()),
                ];
                list.extend(
                    endpoints
                        .emails
                        .as_deref()
                        .map(|address| ("--emails-endpoint", address)),
                );
                list
            }
            _ if wanted.issuer.is_empty() => Vec::new(),
            _ => vec![("--issuer", wanted.issuer.as_str())],
        }
    }
}

/// The first line of a file, so that the secret stands in no list of processes and no
/// history of a shell.
pub fn read_secret(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().next().unwrap_or("").trim();
    if line.is_empty() {
        bail!("its first line is empty");
    }
    Ok(line.to_owned())
}
