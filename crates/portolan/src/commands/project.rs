//! `portolan project`: projects and their admins, on the store as its operator, or over the
//! network (project/network.rs).

mod network;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use portolan_db::ReadTx;
use portolan_server::domain::mail;
use portolan_server::domain::project::{self as rules, Manager};
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::identities::Identity;
use portolan_server::store::projects::{self, Project as Record};
use portolan_server::store::{clients, policies};
use portolan_server::{Error, Kind};
use portolan_types::api::{self, Change, ProjectChanges};
use portolan_types::{ClientId, PolicyId};
use serde_json::json;

use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};
use crate::place::Place;
use crate::typed::set;

#[derive(Subcommand)]
pub enum Project {
    /// Make a project, with at least one admin
    #[command(after_help = "\
Admins may do everything to what the project holds. They are named by username or id; a
service account is named by the id of its client.

Example:
  portolan project create --name Beamline --contact beamline@example.org --admin alice")]
    Create(Create),
    /// List all projects
    List,
    /// Show one project: its admins, clients and policies
    #[command(after_help = "\
Examples:
  portolan project show Beamline
  portolan project show 0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11 --format json")]
    Show {
        /// Id, or a name that no other project has
        project: String,
    },
    /// Change the name or the contact address
    #[command(after_help = "\
Example:
  portolan project update Beamline --name 'Beamline 7' --contact seven@example.org")]
    Update(Update),
    /// Delete a project that holds nothing any more
    Delete {
        /// Id, or a name that no other project has
        project: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Send a message to the contact address of a project, or of all
    #[command(after_help = "\
The message is queued; the running server sends it.

Examples:
  portolan project notify Beamline --subject 'New address' --message-file letter.txt
  portolan project notify --all --subject 'Maintenance on Friday' --message-file -")]
    Notify(Notify),
    /// Who administers a project
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Args)]
pub struct Create {
    /// Shown wherever the project is
    #[arg(long)]
    name: String,
    /// Where important notices go
    #[arg(long, value_name = "EMAIL")]
    contact: String,
    /// Username or id; can be given several times
    #[arg(long = "admin", value_name = "IDENTITY", required = true)]
    admins: Vec<String>,
}

#[derive(Args)]
pub struct Update {
    /// Id, or a name that no other project has
    project: String,
    #[arg(long)]
    name: Option<String>,
    /// Where important notices go
    #[arg(long, value_name = "EMAIL")]
    contact: Option<String>,
}

#[derive(Args)]
pub struct Notify {
    /// Id, or a name that no other project has
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    project: Option<String>,
    /// Every project; each address gets one message
    #[arg(long)]
    all: bool,
    #[arg(long)]
    subject: String,
    /// A text file; - is standard input
    #[arg(long, value_name = "FILE")]
    message_file: PathBuf,
}

#[derive(Subcommand)]
pub enum Admin {
    /// Make somebody an admin, also of a project that nobody administers any more
    #[command(after_help = "\
Over the network the whole list is read and written back: what somebody else changes at the
same moment may be undone. portolan project show names the admins.

Example:
  portolan project admin add Beamline bob")]
    Add(Member),
    /// Take the rights of an admin away; one has to stay
    #[command(after_help = "\
Over the network the whole list is read and written back: what somebody else changes at the
same moment may be undone. portolan project show names the admins.

Example:
  portolan project admin remove Beamline bob")]
    Remove(Member),
}

#[derive(Args)]
pub struct Member {
    /// Id, or a name that no other project has
    project: String,
    /// Username or id
    identity: String,
}

impl Project {
    pub fn run(self, options: &Options) -> Result<()> {
        match options.place()? {
            Place::Server(session) => network::run(self, options, &session),
            Place::Store => self.on_the_store(options),
        }
    }

    fn on_the_store(self, options: &Options) -> Result<()> {
        match self {
            Project::Create(create) => create.run(options),
            Project::List => list(options),
            Project::Show { project } => show(options, project),
            Project::Update(update) => update.run(options),
            Project::Delete { project, confirmation } => delete(options, &project, &confirmation),
            Project::Notify(notify) => notify.run(options),
            Project::Admin(Admin::Add(member)) => member.change(options, Verb::Add),
            Project::Admin(Admin::Remove(member)) => member.change(options, Verb::Remove),
        }
    }
}

impl Create {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let project = db
            .write_blocking(move |tx| {
                let mut admins = Vec::new();
                for text in &self.admins {
                    admins.push(find::identity(tx, &config.local_domain, text)?.id.to_string());
                }
                let changes = ProjectChanges {
                    display_name: Change::Set(self.name.clone()),
                    contact_email: Change::Set(self.contact.clone()),
                    admin_ids: Change::Set(admins),
                    ..ProjectChanges::default()
                };
                let project = rules::create(tx, &ctx, &Manager::operator(), &changes)?;
                document(tx, &project)
            })
            .map_err(output::explain)?;
        print_project(options, &project)
    }
}

impl Update {
    fn run(self, options: &Options) -> Result<()> {
        if self.name.is_none() && self.contact.is_none() {
            bail!("nothing to change: give --name or --contact");
        }
        let (_, db) = options.store()?;
        let ctx = context();
        let project = db
            .write_blocking(move |tx| {
                let id = find::project(tx, &self.project)?.id;
                let changes = ProjectChanges {
                    display_name: set(self.name.clone()),
                    contact_email: set(self.contact.clone()),
                    ..ProjectChanges::default()
                };
                let project = rules::update(tx, &ctx, &Manager::operator(), id, &changes)?;
                document(tx, &project)
            })
            .map_err(output::explain)?;
        print_project(options, &project)
    }
}

impl Notify {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        if !config.sends_mail() {
            bail!("this server sends no mail: set smtp_url and mail_from (portolan config sample explains them)");
        }
        let text = if self.message_file.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin()).context("standard input")?
        } else {
            std::fs::read_to_string(&self.message_file).with_context(|| self.message_file.display().to_string())?
        };
        if text.trim().is_empty() || self.subject.trim().is_empty() {
            bail!("nothing to say: the subject or the message is empty");
        }
        let ctx = context();
        let told = db
            .write_blocking(move |tx| {
                let all = match &self.project {
                    Some(project) => vec![find::project(tx, project)?],
                    // What is built in belongs to whoever sends this.
                    None => {
                        let mut all = projects::list(tx)?;
                        all.retain(|project| project.id != projects::BUILT_IN);
                        all
                    }
                };
                let mut told = BTreeSet::new();
                for project in all {
                    let address = project.contact_email.to_lowercase();
                    if !told.contains(&address)
                        && mail::notify_contact(tx, &ctx, &project, &self.subject, text.trim_end())?
                    {
                        told.insert(address);
                    }
                }
                let event = Event {
                    action: "project.notify",
                    actor: Actor::Operator,
                    resource_kind: "project",
                    resource_id: self.project.clone().unwrap_or_else(|| "all".into()),
                    detail: json!({ "subject": self.subject, "recipients": told.len() }),
                };
                audit::insert(tx, &ctx, &event)?;
                Ok::<_, Error>(told)
            })
            .map_err(output::explain)?;
        if told.is_empty() {
            bail!("nobody was told: there is no contact address");
        }
        output::print(options.format, &json!({ "recipients": told }), || {
            format!("{} will be sent.", output::count(told.len(), "message"))
        })
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Add,
    Remove,
}

impl Member {
    fn change(self, options: &Options, verb: Verb) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let (project, identity) = db
            .write_blocking(move |tx| {
                let project = find::project(tx, &self.project)?;
                let identity = find::identity(tx, &config.local_domain, &self.identity)?;
                let admins = projects::list_admins(tx, project.id)?;
                let is_admin = admins.contains(&identity.id);
                let manager = Manager::operator();
                let changed = match verb {
                    Verb::Add => rules::add_admin(tx, &ctx, &manager, project.id, identity.id)?,
                    Verb::Remove if !is_admin => {
                        return Err(Error::conflict(format!(
                            "{} is no admin of {}; portolan project show {} names them",
                            identity.username, project.display_name, project.id
                        )));
                    }
                    Verb::Remove => rules::remove_admin(tx, &ctx, &manager, project.id, identity.id)
                        .map_err(|error| last_admin(error, &project, &identity, admins.len()))?,
                };
                Ok((document(tx, &changed)?, identity.username))
            })
            .map_err(output::explain)?;
        output::print(options.format, &json!({ "project": project }), || match verb {
            Verb::Add => format!("{identity} is an admin of {}.", project.display_name),
            Verb::Remove => format!("{identity} is no longer an admin of {}.", project.display_name),
        })
    }
}

/// The refusal in the words of this command: there is no list of admins in it.
fn last_admin(error: Error, project: &Record, identity: &Identity, admins: usize) -> Error {
    if admins > 1 || error.kind() != Kind::InvalidParameters {
        return error;
    }
    Error::conflict(format!(
        "{} is the last admin of {}; name another one first: portolan project admin add {} IDENTITY",
        identity.username, project.display_name, project.id
    ))
}

fn list(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(|tx| {
            let mut found = Vec::new();
            for project in projects::list(tx)? {
                let (clients, policies) = projects::count_contents(tx, project.id)?;
                found.push((document(tx, &project)?, clients, policies));
            }
            Ok::<_, Error>(found)
        })
        .map_err(output::explain)?;
    print_list(options, &found)
}

/// Projects, with how many clients and policies each has.
fn print_list(options: &Options, found: &[(api::Project, i64, i64)]) -> Result<()> {
    let documents: Vec<&api::Project> = found.iter().map(|(project, ..)| project).collect();
    output::print(options.format, &json!({ "projects": documents }), || {
        let rows = found.iter().map(|(project, clients, policies)| {
            vec![
                project.display_name.clone(),
                admins(project),
                project.contact_email.clone(),
                clients.to_string(),
                policies.to_string(),
                project.id.to_string(),
            ]
        });
        output::list(&["name", "admins", "contact", "clients", "policies", "id"], rows)
    })
}

fn show(options: &Options, project: String) -> Result<()> {
    let (_, db) = options.store()?;
    let (project, clients, policies) = db
        .read_blocking(move |tx| {
            let project = find::project(tx, &project)?;
            let clients = clients::list_by_projects(tx, [project.id])?;
            let policies = policies::list_by_projects(tx, [project.id])?;
            Ok((document(tx, &project)?, clients, policies))
        })
        .map_err(output::explain)?;
    let clients: Vec<_> = clients.into_iter().map(|client| (client.id, client.name)).collect();
    let policies: Vec<_> = policies
        .into_iter()
        .map(|policy| (policy.id, policy.display_name))
        .collect();
    print_contents(options, &project, &clients, &policies)
}

/// A project with what it holds.
fn print_contents(
    options: &Options,
    project: &api::Project,
    clients: &[(ClientId, String)],
    policies: &[(PolicyId, String)],
) -> Result<()> {
    let json = json!({
        "project": project,
        "clients": clients.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        "policies": policies.iter().map(|(id, _)| id).collect::<Vec<_>>(),
    });
    output::print(options.format, &json, || {
        let clients: Vec<String> = clients.iter().map(|(id, name)| format!("{name} ({id})")).collect();
        let policies: Vec<String> = policies.iter().map(|(id, name)| format!("{name} ({id})")).collect();
        let mut facts = facts(project);
        facts.push(("clients", clients.join("\n")));
        facts.push(("policies", policies.join("\n")));
        output::facts(facts)
    })
}

fn delete(options: &Options, project: &str, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let text = project.to_owned();
    let found = db
        .read_blocking(move |tx| find::project(tx, &text))
        .map_err(output::explain)?;
    confirmation.ask(&format!(
        "The project {} ({}) is about to be deleted.",
        found.display_name, found.id
    ))?;
    let (ctx, id) = (context(), found.id);
    let project = db
        .write_blocking(move |tx| {
            let project = projects::get(tx, id)?;
            let project = document(tx, &project)?;
            rules::delete(tx, &ctx, &Manager::operator(), id)?;
            Ok(project)
        })
        .map_err(|error: Error| match error.kind() {
            Kind::Conflict => anyhow::anyhow!("{}; portolan project show {id} names what it holds", error.detail()),
            _ => output::explain(error),
        })?;
    output::print(options.format, &json!({ "project": project }), || {
        format!("{} ({id}) is deleted.", project.display_name)
    })
}

/// The document of the JSON interface (wire.md 1.5); operators see everything of an admin.
fn document(tx: &mut ReadTx, project: &Record) -> Result<api::Project, Error> {
    rules::document(tx, project, admin)
}

fn admin(identity: &Identity) -> Result<api::Identity, Error> {
    let identity_type = identity.identity_type.as_deref().map(str::parse).transpose();
    Ok(api::Identity {
        id: identity.id,
        username: identity.username.clone(),
        status: identity.status.parse().map_err(Error::internal)?,
        identity_type: identity_type.map_err(Error::internal)?,
        identity_provider: identity.provider_id,
        name: identity.name.clone(),
        organization: identity.organization.clone(),
        email: identity.email.clone(),
    })
}

fn admins(project: &api::Project) -> String {
    let usernames: Vec<&str> = project
        .admins
        .identities
        .iter()
        .map(|identity| identity.username.as_str())
        .collect();
    usernames.join("\n")
}

fn facts(project: &api::Project) -> Vec<(&'static str, String)> {
    let groups: Vec<String> = project
        .admins
        .groups
        .iter()
        .map(|group| format!("group {} (gives no rights: there is no Groups service)", group.id))
        .collect();
    let admins = [vec![admins(project)], groups].concat().join("\n");
    vec![
        ("name", project.display_name.clone()),
        ("id", project.id.to_string()),
        ("contact", project.contact_email.clone()),
        ("admins", admins),
    ]
}

fn print_project(options: &Options, project: &api::Project) -> Result<()> {
    output::print(options.format, &json!({ "project": project }), || {
        output::facts(facts(project))
    })
}
