//! `portolan scope`: what services offer, and what they need further down, for the operator.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use portolan_db::ReadTx;
use portolan_server::Error;
use portolan_server::api::scopes::documents;
use portolan_server::domain::project::Manager;
use portolan_server::domain::scope::registration as rules;
use portolan_server::store::clients;
use portolan_server::store::scopes::{self, Scope as Record};
use portolan_types::api::{self, Change, CreatedScopeAnswer, DependentScope, ScopeChanges};
use serde_json::{Value, json};

use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};
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
    fn changes(&self, tx: &mut ReadTx) -> Result<ScopeChanges, Error> {
        let mut dependencies = Vec::new();
        for text in &self.depends_on {
            dependencies.push(dependency(tx, text)?);
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
fn dependency(tx: &mut ReadTx, text: &str) -> Result<DependentScope, Error> {
    let (mut name, mut optional, mut requires_refresh_token) = (text, false, false);
    loop {
        if let Some(scope) = find::find_scope(tx, name)? {
            return Ok(DependentScope {
                scope: scope.id,
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
                return Err(Error::invalid_parameters(format!(
                    "--depends-on: there is no scope {name}; portolan scope list shows them all"
                )));
            }
        };
    }
}

impl Scope {
    pub fn run(self, options: &Options) -> Result<()> {
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
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let client = find::client(tx, &self.client)?;
                let changes = ScopeChanges {
                    name: Change::Set(self.name.clone()),
                    description: Change::Set(self.description.clone()),
                    scope_suffix: Change::Set(self.suffix.clone()),
                    ..self.members.changes(tx)?
                };
                let prefix = find::scope_prefix(tx, &config)?;
                let scope = rules::create(tx, &ctx, &Manager::operator(), &prefix, &client, &changes)?;
                View::of(tx, scope)
            })
            .map_err(output::explain)?;
        // Guides read the list, as in the answer of the JSON interface.
        let records = view.spellings.iter().map(|scope_string| api::Scope {
            scope_string: scope_string.clone(),
            ..view.document.clone()
        });
        let answer = CreatedScopeAnswer {
            scopes: records.collect(),
            scope: view.document.clone(),
        };
        view.print(options, &serde_json::to_value(answer)?)
    }
}

impl Update {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let mut changes = ScopeChanges {
                    name: set(self.name.clone()),
                    description: set(self.description.clone()),
                    scope_suffix: set(self.suffix.clone()),
                    ..self.members.changes(tx)?
                };
                if self.any_domain {
                    changes.required_domains = Change::Clear;
                }
                if self.depends_on_nothing {
                    changes.dependent_scopes = Change::Clear;
                }
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
            bail!("nothing to change: portolan scope update --help shows what can be given");
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
    let (scopes, owners) = found;
    output::print(options.format, &json!({ "scopes": scopes }), || {
        let rows = scopes.iter().zip(&owners).map(|(scope, owner)| {
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
    confirmation.ask(&format!(
        "The scope {} ({}) of {} is about to be deleted.\n\
         Everybody's consents to it, all consents below them, and every token that rests on nothing else \
         end at once. Scopes that depend on it no longer do.",
        found.name, found.scope_string, found.owner_name
    ))?;
    let (ctx, id) = (context(), found.id);
    let document = db
        .write_blocking(move |tx| {
            let before = scopes::get(tx, id)?;
            let document = one_document(tx, before)?;
            rules::delete(tx, &ctx, &Manager::operator(), id)?;
            Ok(document)
        })
        .map_err(output::explain)?;
    output::print(options.format, &json!({ "scope": document }), || {
        format!(
            "{} ({}) is deleted; its consents, and what rested on nothing else, have ended.",
            document.name, document.scope_string
        )
    })
}

fn one_document(tx: &mut ReadTx, scope: Record) -> Result<api::Scope, Error> {
    let mut found = documents(tx, vec![scope])?;
    found.pop().ok_or_else(|| Error::internal("a scope has a document"))
}

/// A scope with what is worth to be known beside its document.
struct View {
    document: api::Scope,
    owner: String,
    spellings: Vec<String>,
    dependencies: Vec<output::Branch>,
}

impl View {
    fn of(tx: &mut ReadTx, scope: Record) -> Result<Self, Error> {
        let owner = format!("{} ({})", scope.owner_name, scope.client_id);
        let spellings = scopes::list_strings(tx, scope.id)?;
        let dependencies = dependencies(tx, &scope, &mut vec![scope.id])?;
        Ok(Self {
            document: one_document(tx, scope)?,
            owner,
            spellings,
            dependencies,
        })
    }

    fn print(&self, options: &Options, json: &Value) -> Result<()> {
        let scope = &self.document;
        output::print(options.format, json, || {
            let all = [
                ("name", scope.name.clone()),
                ("id", scope.id.to_string()),
                ("scope string", self.spellings.join("\n")),
                ("client", self.owner.clone()),
                ("description", scope.description.clone()),
                ("advertised", output::yes_no(scope.advertised)),
                ("allows refresh", output::yes_no(scope.allows_refresh_token)),
                ("required domains", scope.required_domains.join("\n")),
                ("depends on", output::tree(&self.dependencies).trim_end().to_owned()),
            ];
            output::facts(all.into_iter().filter(|(_, value)| !value.is_empty()))
        })
    }
}

/// What a scope needs further down, as far as it is declared; a scope is not shown again
/// below itself.
fn dependencies(
    tx: &mut ReadTx,
    scope: &Record,
    above: &mut Vec<portolan_types::ScopeId>,
) -> Result<Vec<output::Branch>, Error> {
    let edges = scopes::list_dependencies(tx, [scope.id])?;
    let targets = scopes::list_by_ids(tx, edges.iter().map(|edge| edge.dependent_scope_id))?;
    let mut branches = Vec::new();
    for edge in edges {
        let Some(target) = targets.iter().find(|target| target.id == edge.dependent_scope_id) else {
            continue;
        };
        let mut line = target.scope_string.clone();
        line.push_str(match (edge.optional, edge.requires_refresh_token) {
            (false, false) => "",
            (true, false) => " (optional)",
            (false, true) => " (with refresh token)",
            (true, true) => " (optional, with refresh token)",
        });
        let children = if above.contains(&target.id) {
            Vec::new()
        } else {
            above.push(target.id);
            let children = dependencies(tx, target, above)?;
            above.pop();
            children
        };
        branches.push(output::Branch {
            lines: vec![line],
            children,
        });
    }
    Ok(branches)
}
