//! `portolan policy`: authentication policies, on the store as its operator, or over the
//! network (policy/network.rs).

mod network;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use portolan_server::Error;
use portolan_server::api::policies::document;
use portolan_server::domain::policy::registration as rules;
use portolan_server::domain::project::Manager;
use portolan_server::store::{policies, projects};
use portolan_types::ProjectId;
use portolan_types::api::{self, Change, PolicyChanges};
use serde_json::json;

use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};
use crate::place::Place;
use crate::typed::{replace, seconds_or_none, set};

#[derive(Subcommand)]
pub enum Policy {
    /// Make a policy: what somebody's identities or login must be like
    #[command(after_help = "\
Without --high-assurance the identities of a person count, however long ago they signed in.
With it, what happened in the session counts: who signed in, when, and with which factors.

Examples:
  portolan policy create --project Beamline --name 'Campus only' \\
      --description 'Only people of the campus' --include-domain example.edu
  portolan policy create --project Beamline --name 'Fresh login' \\
      --description 'Signed in within half an hour' --high-assurance --timeout 30m")]
    Create(Create),
    /// List the policies
    List {
        /// Only of this project: id or name
        #[arg(long)]
        project: Option<String>,
    },
    /// Show one policy
    Show {
        /// Id, or a name that no other policy has
        policy: String,
    },
    /// Change a policy; what is not named stays
    #[command(after_help = "\
Whether it is of high assurance never changes: make another policy for that.

Examples:
  portolan policy update 'Fresh login' --timeout 15m --required-mfa
  portolan policy update 'Campus only' --include-domain example.edu --include-domain '*.lab.example.org'")]
    Update(Update),
    /// Delete a policy
    Delete {
        /// Id, or a name that no other policy has
        policy: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Args)]
pub struct Create {
    /// The project it belongs to: id, or a name that no other project has
    #[arg(long)]
    project: String,
    /// Shown to people who have to meet it
    #[arg(long)]
    name: String,
    #[arg(long)]
    description: String,
    /// Judge the session, not the identities; never changes
    #[arg(long)]
    high_assurance: bool,
    #[command(flatten)]
    members: Members,
}

#[derive(Args)]
pub struct Update {
    /// Id, or a name that no other policy has
    policy: String,
    /// Move it to this project: id or name
    #[arg(long)]
    project: Option<String>,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    members: Members,
    /// Accept every domain again
    #[arg(long, conflicts_with = "include_domains")]
    any_domain: bool,
    /// Exclude no domain any more
    #[arg(long, conflicts_with = "exclude_domains")]
    exclude_nothing: bool,
}

/// What both calls may set.
#[derive(Args)]
struct Members {
    /// How long ago the login may be: 1800, 30m, 12h, or none
    #[arg(long, value_name = "DURATION", value_parser = seconds_or_none)]
    timeout: Option<Change<i64>>,
    /// Ask for a second factor; needs --high-assurance
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = crate::typed::yes_or_no)]
    required_mfa: Option<bool>,
    /// An identity of this domain is needed: example.edu, or *.example.edu for all below it;
    /// can be given several times, and replaces those of before
    #[arg(long = "include-domain", value_name = "DOMAIN")]
    include_domains: Vec<String>,
    /// Identities of this domain do not count, even if included
    #[arg(long = "exclude-domain", value_name = "DOMAIN")]
    exclude_domains: Vec<String>,
}

impl Members {
    fn changes(&self) -> PolicyChanges {
        PolicyChanges {
            authentication_assurance_timeout: self.timeout.clone().unwrap_or_default(),
            required_mfa: set(self.required_mfa),
            domain_constraints_include: replace(self.include_domains.clone(), false),
            domain_constraints_exclude: replace(self.exclude_domains.clone(), false),
            ..PolicyChanges::default()
        }
    }
}

impl Policy {
    pub fn run(self, options: &Options) -> Result<()> {
        match options.place()? {
            Place::Server(session) => network::run(self, options, &session),
            Place::Store => self.on_the_store(options),
        }
    }

    fn on_the_store(self, options: &Options) -> Result<()> {
        match self {
            Policy::Create(create) => create.run(options),
            Policy::List { project } => list(options, project),
            Policy::Show { policy } => show(options, policy),
            Policy::Update(update) => update.run(options),
            Policy::Delete { policy, confirmation } => delete(options, policy, &confirmation),
        }
    }
}

impl Create {
    fn changes(&self, project: ProjectId) -> PolicyChanges {
        PolicyChanges {
            project_id: Change::Set(project),
            display_name: Change::Set(self.name.clone()),
            description: Change::Set(self.description.clone()),
            high_assurance: Change::Set(self.high_assurance),
            ..self.members.changes()
        }
    }

    fn run(self, options: &Options) -> Result<()> {
        let (_, db) = options.store()?;
        let ctx = context();
        let shown = db
            .write_blocking(move |tx| {
                let project = find::project(tx, &self.project)?;
                let changes = self.changes(project.id);
                let policy = rules::create(tx, &ctx, &Manager::operator(), &changes)?;
                Ok((document(policy), project.display_name))
            })
            .map_err(output::explain)?;
        print_policy(options, &shown)
    }
}

impl Update {
    /// All that is given but the project.
    fn changes(&self) -> Result<PolicyChanges> {
        let mut changes = PolicyChanges {
            display_name: set(self.name.clone()),
            description: set(self.description.clone()),
            ..self.members.changes()
        };
        if self.any_domain {
            changes.domain_constraints_include = Change::Clear;
        }
        if self.exclude_nothing {
            changes.domain_constraints_exclude = Change::Clear;
        }
        if changes == PolicyChanges::default() && self.project.is_none() {
            bail!("nothing to change: portolan policy update --help shows what can be given");
        }
        Ok(changes)
    }

    fn run(self, options: &Options) -> Result<()> {
        let changes = self.changes()?;
        let (_, db) = options.store()?;
        let ctx = context();
        let (policy, project) = (self.policy, self.project);
        let shown = db
            .write_blocking(move |tx| {
                let mut changes = changes.clone();
                if let Some(project) = &project {
                    changes.project_id = Change::Set(find::project(tx, project)?.id);
                }
                let id = find::policy(tx, &policy)?.id;
                let policy = rules::update(tx, &ctx, &Manager::operator(), id, &changes)?;
                let project = projects::get(tx, policy.project_id)?;
                Ok((document(policy), project.display_name))
            })
            .map_err(output::explain)?;
        print_policy(options, &shown)
    }
}

fn list(options: &Options, project: Option<String>) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let found = match &project {
                Some(project) => {
                    let id = find::project(tx, project)?.id;
                    policies::list_by_projects(tx, [id])?
                }
                None => policies::list(tx)?,
            };
            let names = projects::list(tx)?;
            let named = found.into_iter().map(|policy| {
                let project = names.iter().find(|project| project.id == policy.project_id);
                let project = project.map_or(String::new(), |project| project.display_name.clone());
                (document(policy), project)
            });
            Ok::<_, Error>(named.collect::<Vec<_>>())
        })
        .map_err(output::explain)?;
    print_list(options, &found)
}

/// Policies, with the names of their projects.
fn print_list(options: &Options, found: &[(api::Policy, String)]) -> Result<()> {
    let documents: Vec<&api::Policy> = found.iter().map(|(policy, _)| policy).collect();
    output::print(options.format, &json!({ "policies": documents }), || {
        let rows = found.iter().map(|(policy, project)| {
            vec![
                policy.display_name.clone(),
                project.clone(),
                demands(policy).join("\n"),
                policy.id.to_string(),
            ]
        });
        output::list(&["name", "project", "demands", "id"], rows)
    })
}

fn show(options: &Options, policy: String) -> Result<()> {
    let (_, db) = options.store()?;
    let shown = db
        .read_blocking(move |tx| {
            let policy = find::policy(tx, &policy)?;
            let project = projects::get(tx, policy.project_id)?;
            Ok((document(policy), project.display_name))
        })
        .map_err(output::explain)?;
    print_policy(options, &shown)
}

fn delete(options: &Options, policy: String, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| find::policy(tx, &policy))
        .map_err(output::explain)?;
    confirmation.ask(&format!(
        "The policy {} ({}) is about to be deleted. Apps that demand it by its id will be refused.",
        found.display_name, found.id
    ))?;
    let (ctx, id) = (context(), found.id);
    let policy = db
        .write_blocking(move |tx| rules::delete(tx, &ctx, &Manager::operator(), id))
        .map_err(output::explain)?;
    print_deleted(options, &document(policy))
}

fn print_deleted(options: &Options, policy: &api::Policy) -> Result<()> {
    output::print(options.format, &json!({ "policy": policy }), || {
        format!("{} ({}) is deleted.", policy.display_name, policy.id)
    })
}

/// What a policy asks for, in words.
fn demands(policy: &api::Policy) -> Vec<String> {
    let mut demands = Vec::new();
    if let Some(domains) = policy
        .domain_constraints_include
        .as_ref()
        .filter(|list| !list.is_empty())
    {
        demands.push(format!("an identity of {}", domains.join(" or ")));
    }
    if let Some(domains) = policy
        .domain_constraints_exclude
        .as_ref()
        .filter(|list| !list.is_empty())
    {
        demands.push(format!("not of {}", domains.join(", ")));
    }
    if policy.high_assurance {
        demands.push("in this session".to_owned());
    }
    if let Some(seconds) = policy.authentication_assurance_timeout {
        demands.push(format!("signed in within {seconds} seconds"));
    }
    if policy.required_mfa {
        demands.push("with a second factor".to_owned());
    }
    demands
}

fn print_policy(options: &Options, (policy, project): &(api::Policy, String)) -> Result<()> {
    output::print(options.format, &json!({ "policy": policy }), || {
        let list = |domains: &Option<Vec<String>>| domains.as_ref().map_or(String::new(), |list| list.join("\n"));
        let timeout = policy.authentication_assurance_timeout;
        let all = [
            ("name", policy.display_name.clone()),
            ("id", policy.id.to_string()),
            ("project", format!("{project} ({})", policy.project_id)),
            ("description", policy.description.clone()),
            ("high assurance", output::yes_no(policy.high_assurance)),
            (
                "timeout",
                timeout.map_or("none".to_owned(), |seconds| format!("{seconds} seconds")),
            ),
            ("second factor", output::yes_no(policy.required_mfa)),
            ("domains", list(&policy.domain_constraints_include)),
            ("not of", list(&policy.domain_constraints_exclude)),
        ];
        output::facts(all.into_iter().filter(|(_, value)| !value.is_empty()))
    })
}
