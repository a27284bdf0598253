//! `portolan scope`: what services offer, and what they need further down, on the store as
//! its operator, or over the network (scope/network.rs).

mod network;
mod view;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use portolan_db::ReadTx;
use portolan_server::Error;
use portolan_server::api::scopes::documents;
use portolan_server::domain::project::Manager;
use portolan_server::domain::scope::registration as rules;
use portolan_server::store::clients;
use portolan_server::store::scopes;
use portolan_types::ScopeId;
use portolan_types::api::{self, Change, DependentScope, ScopeChanges};
use serde_json::json;

use self::view::{View, one_document};

use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};
use crate::place::Place;
use crate::typed::{replace, set, yes_or_no};

#[derive(Subcommand)]
pub enum Scope {
    /// Make a scope of a service
    #[command(after_help = "\
The scope string is made of the client's id and the suffix, and once more of each of its
verified domain names. Apps ask for it, and people allow it, under that string.

--depends-on names a scope that the service itself needs on the person's behalf, by id or
by scope string. People allow it together with this one. Behind it may stand
  :optional   people may leave it out, and revoke it alone
  :refresh    the service needs a refresh token for it: it works on while the person is away

Examples:
  portolan scope create --client CLIENT --suffix run --name 'Run jobs' \\
      --description 'Start and stop jobs on the cluster' --advertised
  portolan scope create --client CLIENT --suffix archive --name Archive \\
      --description 'Run jobs and keep their results' \\
      --depends-on urn:globus:auth:scope:transfer.api.globus.org:all:refresh \\
      --depends-on 73320ffe-4cb4-4b25-a0a3-83d53d59ce4f:optional")]
    Create(Create),
    /// List scopes
    List {
        /// Only of this client: id, domain name or name
        #[arg(long)]
        client: Option<String>,
        /// Only of the clients of this project: id or name
        #[arg(long, conflicts_with = "client")]
        project: Option<String>,
    },
    /// Show one scope with all that it depends on
    #[command(after_help = "\
Example:
  portolan scope show urn:globus:auth:scope:transfer.api.globus.org:all")]
    Show {
        /// Id or scope string
        scope: String,
    },
    /// Change a scope; what is not named stays
    #[command(after_help = "\
Another suffix is another scope string, also in what apps have to ask for. Consents stay.
People are asked again when a scope has come to depend on more.

Examples:
  portolan scope update SCOPE --advertised
  portolan scope update SCOPE --advertised=no --allows-refresh=no
  portolan scope update SCOPE --depends-on urn:globus:auth:scope:groups.api.globus.org:all")]
    Update(Update),
    /// Delete a scope: its consents and what rests on them end at once
    Delete {
        /// Id or scope string
        scope: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Args)]
pub struct Create {
    /// The service that owns it: id, domain name or name of its client
    #[arg(long)]
    client: String,
    /// The last part of the scope string: lower-case letters, digits and underscores
    #[arg(long)]
    suffix: String,
    /// Shown to people on the consent page
    #[arg(long)]
    name: String,
    /// What it allows, for people
    #[arg(long)]
    description: String,
    #[command(flatten)]
    members: Members,
}

#[derive(Args)]
pub struct Update {
    /// Id or scope string
    scope: String,
    #[arg(long)]
    suffix: Option<String>,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    members: Members,
    /// Ask for no domain any more
    #[arg(long, conflicts_with = "required_domains")]
    any_domain: bool,
    /// Depend on nothing any more
    #[arg(long, conflicts_with = "depends_on")]
    depends_on_nothing: bool,
}

/// What both calls may set.
#[derive(Args)]
struct Members {
    /// Everybody may see and ask for it, however visible its client is [default: no]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no)]
    advertised: Option<bool>,
    /// Apps may get refresh tokens for it [default: yes]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no)]
    allows_refresh: Option<bool>,
    /// People need an identity of this domain, or of one of several
    #[arg(long = "required-domain", value_name = "DOMAIN")]
    required_domains: Vec<String>,
    /// What the service needs further down (see below); several replace those of before
    #[arg(long, value_name = "SCOPE[:optional][:refresh]")]
    depends_on: Vec<String>,
}

impl Members {
    /// `find` knows scopes by id and by string.
    fn changes<E: From<Error>>(
        &self,
        mut find: impl FnMut(&str) -> Result<Option<ScopeId>, E>,
    ) -> Result<ScopeChanges, E> {
        let mut dependencies = Vec::new();
        for text in &self.depends_on {
            dependencies.push(dependency(text, &mut find)?);
        }
        Ok(ScopeChanges {
            advertised: set(self.advertised),
            allows_refresh_token: set(self.allows_refresh),
            required_domains: replace(self.required_domains.clone(), false),
            dependent_scopes: replace(dependencies, false),
            ..ScopeChanges::default()
        })
    }
}

/// Scope strings have colons and may end in one of the two words themselves, so a whole
/// text that is a scope is meant as it stands.
fn dependency<E: From<Error>>(
    text: &str,
    find: &mut impl FnMut(&str) -> Result<Option<ScopeId>, E>,
) -> Result<DependentScope, E> {
    let (mut name, mut optional, mut requires_refresh_token) = (text, false, false);
    loop {
        if let Some(scope) = find(name)? {
            return Ok(DependentScope {
                scope,
                optional,
                requires_refresh_token,
            });
        }
        name = match (name.strip_suffix(":optional"), name.strip_suffix(":refresh")) {
            (Some(rest), _) => {
                optional = true;
                rest
            }
            (_, Some(rest)) => {
                requires_refresh_token = true;
                rest
            }
            (None, None) => {
                return Err(E::from(Error::invalid_parameters(format!(
                    "--depends-on: there is no scope {name}; portolan scope list shows them all"
                ))));
            }
        };
    }
}

impl Scope {
    pub fn run(self, options: &Options) -> Result<()> {
        match options.place()? {
            Place::Server(session) => network::run(self, options, &session),
            Place::Store => self.on_the_store(options),
        }
    }

    fn on_the_store(self, options: &Options) -> Result<()> {
        match self {
            Scope::Create(create) => create.run(options),
            Scope::List { client, project } => list(options, client, project),
            Scope::Show { scope } => show(options, scope),
            Scope::Update(update) => update.run(options),
            Scope::Delete { scope, confirmation } => delete(options, scope, &confirmation),
        }
    }
}

impl Create {
    fn changes<E: From<Error>>(&self, find: impl FnMut(&str) -> Result<Option<ScopeId>, E>) -> Result<ScopeChanges, E> {
        Ok(ScopeChanges {
            name: Change::Set(self.name.clone()),
            description: Change::Set(self.description.clone()),
            scope_suffix: Change::Set(self.suffix.clone()),
            ..self.members.changes(find)?
        })
    }

    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let client = find::client(tx, &self.client)?;
                let changes = self.changes(|text| in_store(tx, text))?;
                let prefix = find::scope_prefix(tx, &config)?;
                let scope = rules::create(tx, &ctx, &Manager::operator(), &prefix, &client, &changes)?;
                View::of(tx, scope)
            })
            .map_err(output::explain)?;
        view.print_created(options)
    }
}

fn in_store(tx: &mut ReadTx, text: &str) -> Result<Option<ScopeId>, Error> {
    Ok(find::find_scope(tx, text)?.map(|scope| scope.id))
}

/// Nothing to change is an error of the command line.
const NOTHING: &str = "nothing to change: portolan scope update --help shows what can be given";

impl Update {
    fn changes<E: From<Error>>(&self, find: impl FnMut(&str) -> Result<Option<ScopeId>, E>) -> Result<ScopeChanges, E> {
        let mut changes = ScopeChanges {
            name: set(self.name.clone()),
            description: set(self.description.clone()),
            scope_suffix: set(self.suffix.clone()),
            ..self.members.changes(find)?
        };
        if self.any_domain {
            changes.required_domains = Change::Clear;
        }
        if self.depends_on_nothing {
            changes.dependent_scopes = Change::Clear;
        }
        Ok(changes)
    }

    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let changes = self.changes(|text| in_store(tx, text))?;
                if changes == ScopeChanges::default() {
                    return Ok(None);
                }
                let id = find::scope(tx, &self.scope)?.id;
                let prefix = find::scope_prefix(tx, &config)?;
                let scope = rules::update(tx, &ctx, &Manager::operator(), &prefix, id, &changes)?;
                View::of(tx, scope).map(Some)
            })
            .map_err(output::explain)?;
        let Some(view) = view else {
            bail!(NOTHING);
        };
        view.print(options, &json!({ "scope": view.document }))
    }
}

fn list(options: &Options, client: Option<String>, project: Option<String>) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let found = match (&client, &project) {
                (Some(client), _) => {
                    let id = find::client(tx, client)?.id;
                    scopes::list_by_clients(tx, [id])?
                }
                (None, Some(project)) => {
                    let id = find::project(tx, project)?.id;
                    let owners = clients::list_by_projects(tx, [id])?;
                    scopes::list_by_clients(tx, owners.iter().map(|client| client.id))?
                }
                (None, None) => scopes::list(tx)?,
            };
            let owners: Vec<String> = found.iter().map(|scope| scope.owner_name.clone()).collect();
            Ok::<_, Error>((documents(tx, found)?, owners))
        })
        .map_err(output::explain)?;
    print_list(options, &found.0, &found.1)
}

/// Scopes, with the names of their owners.
fn print_list(options: &Options, scopes: &[api::Scope], owners: &[String]) -> Result<()> {
    output::print(options.format, &json!({ "scopes": scopes }), || {
        let rows = scopes.iter().zip(owners).map(|(scope, owner)| {
            vec![
                scope.scope_string.clone(),
                scope.name.clone(),
                owner.clone(),
                output::yes_no(scope.advertised),
                scope.dependent_scopes.len().to_string(),
                scope.id.to_string(),
            ]
        });
        output::list(&["scope", "name", "client", "advertised", "depends on", "id"], rows)
    })
}

fn show(options: &Options, scope: String) -> Result<()> {
    let (_, db) = options.store()?;
    let view = db
        .read_blocking(move |tx| {
            let scope = find::scope(tx, &scope)?;
            View::of(tx, scope)
        })
        .map_err(output::explain)?;
    view.print(
        options,
        &json!({ "scope": view.document, "scope_strings": view.spellings }),
    )
}

fn delete(options: &Options, scope: String, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| find::scope(tx, &scope))
        .map_err(output::explain)?;
    confirmation.ask(&what_ends(&found.name, &found.scope_string, &found.owner_name))?;
    let (ctx, id) = (context(), found.id);
    let document = db
        .write_blocking(move |tx| {
            let before = scopes::get(tx, id)?;
            let document = one_document(tx, before)?;
            rules::delete(tx, &ctx, &Manager::operator(), id)?;
            Ok(document)
        })
        .map_err(output::explain)?;
    print_deleted(options, &document)
}

/// What somebody is asked before a scope goes.
fn what_ends(name: &str, scope_string: &str, owner: &str) -> String {
    format!(
        "The scope {name} ({scope_string}) of {owner} is about to be deleted.\n\
         Everybody's consents to it, all consents below them, and every token that rests on nothing else \
         end at once. Scopes that depend on it no longer do."
    )
}

fn print_deleted(options: &Options, scope: &api::Scope) -> Result<()> {
    output::print(options.format, &json!({ "scope": scope }), || {
        format!(
            "{} ({}) is deleted; its consents, and what rested on nothing else, have ended.",
            scope.name, scope.scope_string
        )
    })
}
