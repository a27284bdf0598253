//! `portolan project` at a running server, as whoever is logged in.

use anyhow::{Result, bail};
use portolan_sdk::documents::Project as Document;
use portolan_sdk::{IdentityId, ProjectRequest};
use serde_json::json;

use super::{Admin, Create, Member, Project, Update, Verb, print_contents, print_list, print_project};
use crate::exit::Exit;
use crate::look_up;
use crate::options::Options;
use crate::output::{self, Confirmation};
use crate::place::Session;

pub fn run(command: Project, options: &Options, session: &Session) -> Result<()> {
    match command {
        Project::Create(command) => create(&command, options, session),
        Project::List => list(options, session),
        Project::Show { project } => show(options, session, &project),
        Project::Update(command) => update(&command, options, session),
        Project::Delete { project, confirmation } => delete(options, session, &project, &confirmation),
        Project::Notify(_) => Err(Exit::Usage.because(
            "only the operator of a server writes to the contacts of projects: name its store with --data-dir or \
             --database",
        )),
        Project::Admin(Admin::Add(member)) => change_admins(&member, Verb::Add, options, session),
        Project::Admin(Admin::Remove(member)) => change_admins(&member, Verb::Remove, options, session),
    }
}

fn create(command: &Create, options: &Options, session: &Session) -> Result<()> {
    let mut admins = Vec::new();
    for text in &command.admins {
        admins.push(look_up::identity(session, text)?);
    }
    session.announce();
    let request = ProjectRequest::new(&command.name, &command.contact).admin_ids(admins);
    let project = session.run(session.client.create_project(request))?;
    print_project(options, &project)
}

fn list(options: &Options, session: &Session) -> Result<()> {
    let projects = session.run(session.client.get_projects())?.into_inner();
    let clients = session.run(session.client.get_clients())?;
    let policies = session.run(session.client.get_policies())?;
    let counted: Vec<(Document, i64, i64)> = projects
        .into_iter()
        .map(|project| {
            let id = project.id;
            let clients = clients.iter().filter(|client| client.project == Some(id)).count();
            let policies = policies.iter().filter(|policy| policy.project_id == id).count();
            (project, clients as i64, policies as i64)
        })
        .collect();
    print_list(options, &counted)
}

fn show(options: &Options, session: &Session, text: &str) -> Result<()> {
    let project = look_up::project(session, text)?;
    let clients = session.run(session.client.get_clients())?.into_inner();
    let clients: Vec<_> = clients
        .into_iter()
        .filter(|client| client.project == Some(project.id))
        .map(|client| (client.id, client.name))
        .collect();
    let policies = session.run(session.client.get_policies())?.into_inner();
    let policies: Vec<_> = policies
        .into_iter()
        .filter(|policy| policy.project_id == project.id)
        .map(|policy| (policy.id, policy.display_name))
        .collect();
    print_contents(options, &project, &clients, &policies)
}

fn update(command: &Update, options: &Options, session: &Session) -> Result<()> {
    let mut request = ProjectRequest::changes();
    if let Some(name) = &command.name {
        request = request.display_name(name);
    }
    if let Some(contact) = &command.contact {
        request = request.contact_email(contact);
    }
    if command.name.is_none() && command.contact.is_none() {
        bail!("nothing to change: give --name or --contact");
    }
    let id = look_up::project(session, &command.project)?.id;
    session.announce();
    let project = session.run(session.client.update_project(id, request))?;
    print_project(options, &project)
}

fn delete(options: &Options, session: &Session, text: &str, confirmation: &Confirmation) -> Result<()> {
    let found = look_up::project(session, text)?;
    session.announce();
    confirmation.ask(&format!(
        "The project {} ({}) is about to be deleted.",
        found.display_name, found.id
    ))?;
    let project = session.run(session.client.delete_project(found.id))?;
    output::print(options.format, &json!({ "project": *project }), || {
        format!("{} ({}) is deleted.", project.display_name, project.id)
    })
}

/// The interface takes the whole list of admins, so two changes at once can undo one another;
/// what it answers tells at least whether this one holds.
fn change_admins(member: &Member, verb: Verb, options: &Options, session: &Session) -> Result<()> {
    let project = look_up::project(session, &member.project)?;
    let identity = look_up::identity(session, &member.identity)?;
    let mut admins: Vec<IdentityId> = project.admin_ids.unwrap_or_default();
    let is_admin = admins.contains(&identity);
    match verb {
        Verb::Add if !is_admin => admins.push(identity),
        Verb::Add => {}
        Verb::Remove if !is_admin => bail!(
            "{} is no admin of {}; portolan project show {} names them",
            member.identity,
            project.display_name,
            project.id
        ),
        Verb::Remove if admins.len() == 1 => bail!(
            "{} is the last admin of {}; name another one first: portolan project admin add {} IDENTITY",
            member.identity,
            project.display_name,
            project.id
        ),
        Verb::Remove => admins.retain(|known| *known != identity),
    }
    session.announce();
    let request = ProjectRequest::changes().admin_ids(admins);
    let project = session.run(session.client.update_project(project.id, request))?;
    if let Some(admins) = &project.admin_ids
        && admins.contains(&identity) != matches!(verb, Verb::Add)
    {
        bail!(
            "the admins of {} were changed meanwhile; portolan project show {} names them",
            project.display_name,
            project.id
        );
    }
    output::print(options.format, &json!({ "project": *project }), || match verb {
        Verb::Add => format!("{} is an admin of {}.", member.identity, project.display_name),
        Verb::Remove => format!("{} is no longer an admin of {}.", member.identity, project.display_name),
    })
}
