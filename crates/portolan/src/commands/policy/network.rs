//! `portolan policy` at a running server, as whoever is logged in.

use anyhow::Result;
use portolan_sdk::documents::Policy as Document;
use portolan_sdk::{PolicyId, ProjectId, Request};
use portolan_types::api::Change;
use serde_json::json;

use super::{Create, Policy, Update, print_deleted, print_list, print_policy};
use crate::look_up;
use crate::options::Options;
use crate::output::Confirmation;
use crate::place::Session;

pub fn run(command: Policy, options: &Options, session: &Session) -> Result<()> {
    match command {
        Policy::Create(command) => create(&command, options, session),
        Policy::List { project } => list(options, session, project.as_deref()),
        Policy::Show { policy } => {
            let policy = look_up::policy(session, &policy)?;
            print(options, session, policy)
        }
        Policy::Update(command) => update(&command, options, session),
        Policy::Delete { policy, confirmation } => delete(options, session, &policy, &confirmation),
    }
}

fn create(command: &Create, options: &Options, session: &Session) -> Result<()> {
    let project = look_up::project(session, &command.project)?;
    session.announce();
    let body = json!({ "policy": command.changes(project.id) });
    let made: Document = look_up::call(session, Request::post("v2/api/policies").json(body), "policy")?;
    print_policy(options, &(made, project.display_name))
}

fn list(options: &Options, session: &Session, project: Option<&str>) -> Result<()> {
    let only = match project {
        Some(project) => Some(look_up::project(session, project)?.id),
        None => None,
    };
    let names = session.run(session.client.get_projects())?;
    let mut found = session.run(session.client.get_policies())?.into_inner();
    found.retain(|policy| only.is_none_or(|project| policy.project_id == project));
    found.sort_by(|one, other| (&one.display_name, one.id).cmp(&(&other.display_name, other.id)));
    let named = found.into_iter().map(|policy| {
        let project = names.iter().find(|project| project.id == policy.project_id);
        let project = project.map_or(String::new(), |project| project.display_name.clone());
        (policy, project)
    });
    print_list(options, &named.collect::<Vec<_>>())
}

fn update(command: &Update, options: &Options, session: &Session) -> Result<()> {
    let mut changes = command.changes()?;
    if let Some(project) = &command.project {
        changes.project_id = Change::Set(look_up::project(session, project)?.id);
    }
    let id: PolicyId = look_up::policy(session, &command.policy)?.id;
    session.announce();
    let request = Request::put(format!("v2/api/policies/{id}")).json(json!({ "policy": changes }));
    let policy = look_up::call(session, request, "policy")?;
    print(options, session, policy)
}

fn delete(options: &Options, session: &Session, text: &str, confirmation: &Confirmation) -> Result<()> {
    let found = look_up::policy(session, text)?;
    session.announce();
    confirmation.ask(&format!(
        "The policy {} ({}) is about to be deleted. Apps that demand it by its id will be refused.",
        found.display_name, found.id
    ))?;
    let policy = session.run(session.client.delete_policy(found.id))?;
    print_deleted(options, &policy)
}

fn print(options: &Options, session: &Session, policy: Document) -> Result<()> {
    let project: ProjectId = policy.project_id;
    let project = session.run(session.client.get_project(project))?;
    print_policy(options, &(policy, project.display_name.clone()))
}
