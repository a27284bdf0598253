//! `portolan idp`: where people authenticate, for the operator to look at.

use anyhow::Result;
use clap::Subcommand;
use portolan_db::ReadTx;
use portolan_server::Error;
use portolan_server::api::identity_providers::document;
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_types::api;
use serde_json::json;

use crate::options::Options;
use crate::{find, output};

#[derive(Subcommand)]
pub enum Idp {
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
}

impl Idp {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Idp::List => list(options),
            Idp::Show { provider } => show(options, provider),
        }
    }
}

/// A provider with what the JSON interface does not tell.
struct View {
    document: api::IdentityProvider,
    kind: String,
    enabled: bool,
}

impl View {
    fn of(tx: &mut ReadTx, provider: &IdentityProvider) -> Result<Self, Error> {
        Ok(Self {
            document: document(tx, provider)?,
            kind: provider.kind.clone(),
            enabled: provider.enabled,
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
    output::print(options.format, &json!({ "identity_provider": view.document }), || {
        output::facts([
            ("name", view.document.name.clone()),
            ("id", view.document.id.to_string()),
            ("short name", view.document.short_name.clone()),
            ("kind", view.kind.clone()),
            ("enabled", output::yes_no(view.enabled)),
            ("domains", view.document.domains.join("\n")),
            ("also named", view.document.alternative_names.join("\n")),
        ])
    })
}
