//! `portolan idp`: where people authenticate, for the operator.

pub mod members;

use anyhow::Result;
use clap::{Args, Subcommand};
use portolan_db::ReadTx;
use portolan_server::Error;
use portolan_server::api::identity_providers::document;
use portolan_server::app::new_uuid;
use portolan_server::domain::provider::{self as rules, Wanted};
use portolan_server::store::audit::Actor;
use portolan_server::store::identity_providers::{self, IdentityProvider, Setup};
use portolan_server::upstream::provider::{Configuration, PRESETS, is_upstream};
use portolan_server::web::provider_login::redirect_uri;
use portolan_types::{IdentityProviderId, api};
use serde_json::{Value, json};

use crate::options::{Options, context};
use crate::output::Confirmation;
use crate::{find, output};

use self::members::Members;

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
