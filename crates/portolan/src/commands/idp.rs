//! `portolan idp`: where people authenticate, for the operator.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use portolan_db::ReadTx;
use portolan_server::api::identity_providers::document;
use portolan_server::app::new_uuid;
use portolan_server::domain::provider::{self as rules, Wanted};
use portolan_server::jobs::keys::provider_secret_place;
use portolan_server::store::audit::Actor;
use portolan_server::store::identity_providers::{self, IdentityProvider, Setup};
use portolan_server::upstream::provider::{Configuration, Endpoints, OAUTH2, PRESETS, is_upstream};
use portolan_server::web::provider_login::redirect_uri;
use portolan_server::{App, Error};
use portolan_types::{IdentityProviderId, api};
use serde_json::{Value, json};

use crate::options::{Options, context};
use crate::output::Confirmation;
use crate::typed::yes_or_no;
use crate::{find, output};

#[derive(Subcommand)]
pub enum Idp {
    /// Let people sign in through another identity provider
    #[command(after_help = "\
Register this server at the provider first, with the redirect URI that this command prints
(its id can be chosen with --id, so that it is known beforehand).

Presets know the issuer, the scopes and which claim is the username:
  cilogon, github, google, orcid     --domain may be left out for all but cilogon
  microsoft                          needs --tenant: each tenant is an issuer of its own
  keycloak, generic                  need --issuer

People are known by the provider's subject. Their username must be in one of the domains;
one that comes without a domain gets the first that is named.

Examples:
  portolan idp add --preset orcid --client-id APP-1 --client-secret-file orcid.secret
  portolan idp add --preset microsoft --tenant 9188040d-6c67-4c5b-b112-36a304b66dad \\
      --name 'Example University' --short-name example --domain example.edu \\
      --client-id ID --client-secret-file microsoft.secret --trust-mfa
  portolan idp add --issuer https://login.example.org --name Laboratory --short-name lab \\
      --domain example.org --client-id portolan --client-secret-file lab.secret")]
    Add(Box<Add>),
    /// List the identity providers
    List,
    /// Show one identity provider
    #[command(after_help = "\
Examples:
  portolan idp show globusid
  portolan idp show example.edu")]
    Show {
        /// Id, short name, or a domain of its usernames
        provider: String,
    },
    /// Change an identity provider; what is not named stays
    #[command(after_help = "\
Lists replace those of before. A running server follows within an hour where the provider's
own document is concerned, and at once in everything else.

Examples:
  portolan idp update orcid --client-secret-file new.secret
  portolan idp update lab --domain example.org --domain example.net --trust-mfa=no")]
    Update(Box<Update>),
    /// Let people sign in through it again
    Enable {
        /// Id, short name, or a domain of its usernames
        provider: String,
    },
    /// Let nobody sign in through it; tokens of its people are inactive at once
    Disable {
        /// Id, short name, or a domain of its usernames
        provider: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete an identity provider that nobody has ever signed in through
    Delete {
        /// Id, short name, or a domain of its usernames
        provider: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Args)]
pub struct Add {
    /// What is known about the provider beforehand
    #[arg(long, default_value = "generic", value_parser = clap::builder::PossibleValuesParser::new(PRESETS))]
    preset: String,
    /// Its id here [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<IdentityProviderId>,
    /// The tenant, for Microsoft
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    members: Members,
}

#[derive(Args)]
pub struct Update {
    /// Id, short name, or a domain of its usernames
    provider: String,
    /// Who this server is there has no secret any more
    #[arg(long, conflicts_with = "client_secret_file")]
    no_client_secret: bool,
    #[command(flatten)]
    members: Members,
}

/// What both calls may set.
#[derive(Args)]
struct Members {
    /// Shown to people
    #[arg(long)]
    name: Option<String>,
    /// One word; unique
    #[arg(long)]
    short_name: Option<String>,
    /// People find it by this name, too
    #[arg(long = "alternative-name", value_name = "NAME")]
    alternative_names: Vec<String>,
    /// The domains that its usernames may be in
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// As the provider writes it, byte for byte
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Who this server is there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A file whose first line is the secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// client_secret_basic, client_secret_post or none [default: what the provider offers]
    #[arg(long, value_name = "METHOD")]
    client_authentication: Option<String>,
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Signature algorithms that count [default: those that the provider announces]
    #[arg(long = "algorithm", value_name = "NAME")]
    algorithms: Vec<String>,
    /// The claim of the username; several are tried in turn
    #[arg(long = "username-claim", value_name = "CLAIM", help_heading = "Claims")]
    username_claims: Vec<String>,
    #[arg(long = "name-claim", value_name = "CLAIM", help_heading = "Claims")]
    name_claims: Vec<String>,
    #[arg(long = "email-claim", value_name = "CLAIM", help_heading = "Claims")]
    email_claims: Vec<String>,
    #[arg(long = "organization-claim", value_name = "CLAIM", help_heading = "Claims")]
    organization_claims: Vec<String>,
    /// A claim that must have this value, such as the institution behind a hub
    #[arg(long = "required-claim", value_name = "CLAIM=VALUE", value_parser = pair, help_heading = "Claims")]
    required_claims: Vec<(String, String)>,
    /// Believe the provider when it says that two factors were used [default: no]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no, help_heading = "Claims")]
    trust_mfa: Option<bool>,
    /// A further parameter of the address that people are sent to
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Where people are sent; for plain OAuth 2.0
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    authorization_endpoint: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    token_endpoint: Option<String>,
    /// Tells who a token is of
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    user_endpoint: Option<String>,
    /// Tells which addresses are verified
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Addresses of plain OAuth 2.0, instead of those of the preset"
    )]
    emails_endpoint: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Members {
    /// Puts what was given in place of what is there.
    fn apply(&self, app: &App, wanted: &mut Wanted) -> Result<()> {
        fn text(into: &mut String, given: &Option<String>) {
            if let Some(given) = given {
                given.trim().clone_into(into);
            }
        }
        fn list(into: &mut Vec<String>, given: &[String]) {
            if !given.is_empty() {
                *into = given.to_vec();
            }
        }
        text(&mut wanted.provider.name, &self.name);
        text(&mut wanted.provider.short_name, &self.short_name);
        if !self.alternative_names.is_empty() {
            wanted.provider.alternative_names = json!(self.alternative_names).to_string();
        }
        if !self.domains.is_empty() {
            wanted.domains = self.domains.iter().map(|domain| domain.trim().to_lowercase()).collect();
            wanted.configuration.default_domain = wanted.domains[0].clone();
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
        if !self.required_claims.is_empty() {
            configuration.required_claims = self.required_claims.iter().cloned().collect();
        }
        if !self.parameters.is_empty() {
            configuration.parameters = self.parameters.iter().cloned().collect();
        }
        if let Some(trust) = self.trust_mfa {
            configuration.trust_mfa = trust;
        }
        self.apply_endpoints(configuration)?;
        if let Some(file) = &self.client_secret_file {
            let place = provider_secret_place(wanted.provider.id.0);
            wanted.sealed_secret = Some(app.master_key.seal(&place, read_secret(file)?.as_bytes()));
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
fn read_secret(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("--client-secret-file {}", file.display()))?;
    let line = text.lines().next().unwrap_or("").trim();
    if line.is_empty() {
        bail!("--client-secret-file {}: its first line is empty", file.display());
    }
    Ok(line.to_owned())
}

impl Idp {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Idp::Add(add) => add.run(options),
            Idp::List => list(options),
            Idp::Show { provider } => show(options, provider),
            Idp::Update(update) => update.run(options),
            Idp::Enable { provider } => set_enabled(options, provider, true),
            Idp::Disable { provider, confirmation } => {
                confirmation.ask("Nobody can sign in through it, and tokens of its people are inactive at once.")?;
                set_enabled(options, provider, false)
            }
            Idp::Delete { provider, confirmation } => delete(options, provider, &confirmation),
        }
    }
}

impl Add {
    fn run(self, options: &Options) -> Result<()> {
        let app = options.app()?;
        let id = self.id.unwrap_or_else(|| IdentityProviderId(new_uuid()));
        let mut wanted = Wanted::of_preset(id, &self.preset, self.tenant.as_deref()).map_err(output::explain)?;
        self.members.apply(&app, &mut wanted)?;
        let (ctx, local_domain, id) = (context(), app.config.local_domain.clone(), wanted.provider.id);
        let view = app
            .db
            .write_blocking(move |tx| {
                rules::create(tx, &ctx, Actor::Operator, &local_domain, &wanted)?;
                View::of(tx, &wanted.provider)
            })
            .map_err(output::explain)?;
        view.print(options)?;
        output::note(&format!(
            "Register this redirect URI at the provider:\n  {}",
            redirect_uri(&app.config.public_url(), id)
        ));
        Ok(())
    }
}

impl Update {
    fn run(self, options: &Options) -> Result<()> {
        let app = options.app()?;
        let name = self.provider.clone();
        let mut wanted = app
            .db
            .read_blocking(move |tx| {
                let provider = find::provider(tx, &name)?;
                Wanted::of_stored(tx, provider)
            })
            .map_err(output::explain)?;
        if self.no_client_secret {
            wanted.sealed_secret = None;
        }
        self.members.apply(&app, &mut wanted)?;
        let (ctx, local_domain) = (context(), app.config.local_domain.clone());
        let view = app
            .db
            .write_blocking(move |tx| {
                rules::update(tx, &ctx, Actor::Operator, &local_domain, &wanted)?;
                View::of(tx, &wanted.provider)
            })
            .map_err(output::explain)?;
        view.print(options)
    }
}

fn set_enabled(options: &Options, provider: String, enabled: bool) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let view = db
        .write_blocking(move |tx| {
            let mut provider = find::provider(tx, &provider)?;
            rules::set_enabled(tx, &ctx, Actor::Operator, &provider, enabled)?;
            provider.enabled = enabled;
            View::of(tx, &provider)
        })
        .map_err(output::explain)?;
    view.print(options)
}

fn delete(options: &Options, provider: String, confirmation: &Confirmation) -> Result<()> {
    confirmation.ask("People do not find it any more.")?;
    let (_, db) = options.store()?;
    let ctx = context();
    let view = db
        .write_blocking(move |tx| {
            let provider = find::provider(tx, &provider)?;
            let view = View::of(tx, &provider)?;
            rules::delete(tx, &ctx, Actor::Operator, &provider)?;
            Ok::<_, Error>(view)
        })
        .map_err(output::explain)?;
    view.print(options)
}

/// A provider with what the JSON interface does not tell.
struct View {
    document: api::IdentityProvider,
    kind: String,
    enabled: bool,
    setup: Setup,
}

impl View {
    fn of(tx: &mut ReadTx, provider: &IdentityProvider) -> Result<Self, Error> {
        Ok(Self {
            document: document(tx, provider)?,
            kind: provider.kind.clone(),
            enabled: provider.enabled,
            setup: identity_providers::find_setup(tx, provider.id)?.unwrap_or_default(),
        })
    }

    /// How people sign in through it; none for those that are built in. Never the secret.
    fn settings(&self) -> Option<Value> {
        if !is_upstream(&self.kind) {
            return None;
        }
        Some(json!({
            "kind": self.kind,
            "enabled": self.enabled,
            "issuer": self.setup.issuer,
            "has_client_secret": self.setup.sealed_secret.is_some(),
            "configuration": serde_json::from_str::<Value>(&self.setup.configuration).unwrap_or(Value::Null),
        }))
    }

    fn print(&self, options: &Options) -> Result<()> {
        let mut answer = json!({ "identity_provider": self.document });
        if let Some(settings) = self.settings() {
            answer["settings"] = settings;
        }
        output::print(options.format, &answer, || {
            let mut facts = vec![
                ("name", self.document.name.clone()),
                ("id", self.document.id.to_string()),
                ("short name", self.document.short_name.clone()),
                ("kind", self.kind.clone()),
                ("enabled", output::yes_no(self.enabled)),
                ("domains", self.document.domains.join("\n")),
                ("also named", self.document.alternative_names.join("\n")),
            ];
            if is_upstream(&self.kind)
                && let Ok(configuration) = serde_json::from_str::<Configuration>(&self.setup.configuration)
            {
                facts.extend([
                    ("issuer", self.setup.issuer.clone().unwrap_or_default()),
                    ("client id", configuration.client_id),
                    ("client secret", output::yes_no(self.setup.sealed_secret.is_some())),
                    ("scopes", configuration.scopes.join(" ")),
                    ("username claim", configuration.claims.username.join(", ")),
                    ("two factors believed", output::yes_no(configuration.trust_mfa)),
                ]);
            }
            output::facts(facts)
        })
    }
}

fn list(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(|tx| {
            identity_providers::list(tx)?
                .iter()
                .map(|provider| View::of(tx, provider))
                .collect::<Result<Vec<_>, Error>>()
        })
        .map_err(output::explain)?;
    let documents: Vec<&api::IdentityProvider> = found.iter().map(|view| &view.document).collect();
    output::print(options.format, &json!({ "identity_providers": documents }), || {
        let rows = found.iter().map(|view| {
            vec![
                view.document.name.clone(),
                view.document.short_name.clone(),
                view.kind.clone(),
                view.document.domains.join("\n"),
                output::yes_no(view.enabled),
                view.document.id.to_string(),
            ]
        });
        output::list(&["name", "short name", "kind", "domains", "enabled", "id"], rows)
    })
}

fn show(options: &Options, provider: String) -> Result<()> {
    let (_, db) = options.store()?;
    let view = db
        .read_blocking(move |tx| {
            let provider = find::provider(tx, &provider)?;
            View::of(tx, &provider)
        })
        .map_err(output::explain)?;
    view.print(options)
}
