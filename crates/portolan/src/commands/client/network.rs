//! `portolan client` at a running server, as whoever is logged in.

use anyhow::{Result, anyhow, bail};
use portolan_sdk::documents::{Client as Document, Credential};
use portolan_sdk::{ClientId, CredentialId, Request, ScopeLookup};
use portolan_types::api::{Change, ClientChanges};
use serde_json::json;

use super::view::{
    View, print_deleted, print_deleted_secret, print_list, print_new_secret, print_secrets, what_ends_with_secret,
};
use super::{Client, Create, List, NOTHING, SecretCommand, Update};
use crate::exit::Exit;
use crate::look_up;
use crate::options::Options;
use crate::output::Confirmation;
use crate::place::Session;

pub fn run(command: Client, options: &Options, session: &Session) -> Result<()> {
    match command {
        Client::Create(command) => create(&command, options, session),
        Client::List(command) => list(&command, options, session),
        Client::Show { client } => {
            let view = view(session, look_up::client(session, &client)?)?;
            let children: Vec<ClientId> = view.children.iter().map(|(id, _)| *id).collect();
            view.print(options, &json!({ "client": view.document, "children": children }))
        }
        Client::Update(command) => update(&command, options, session),
        Client::Disable { .. } | Client::Enable { .. } => Err(Exit::Usage.because(
            "only the operator of a server switches clients off and on: name its store with --data-dir or --database",
        )),
        Client::Delete { client, confirmation } => delete(options, session, &client, &confirmation),
        Client::Secret(SecretCommand::Create { client, name }) => {
            let id = look_up::client(session, &client)?.id;
            session.announce();
            let made = session.run(session.client.create_client_credential(id, &name))?;
            print_new_secret(options, &made)
        }
        Client::Secret(SecretCommand::List { client }) => {
            let id = look_up::client(session, &client)?.id;
            let found = session.run(session.client.get_client_credentials(id))?;
            print_secrets(options, &found)
        }
        Client::Secret(SecretCommand::Delete {
            client,
            id,
            confirmation,
        }) => delete_secret(options, session, &client, id, &confirmation),
    }
}

fn create(command: &Create, options: &Options, session: &Session) -> Result<()> {
    for (given, option) in [
        (command.id_token_algorithm.is_some(), "--id-token-algorithm"),
        (command.resource_server_name.is_some(), "--resource-server-name"),
    ] {
        if given {
            return Err(Exit::Usage.because(format!(
                "{option} is for the operator of a server: name its store with --data-dir or --database"
            )));
        }
    }
    let Some(project) = &command.project else {
        return Err(Exit::Usage.because(
            "which project is it for? Give --project: portolan project list shows yours, portolan project create \
             makes one",
        ));
    };
    let changes = ClientChanges {
        project: Change::Set(look_up::project(session, project)?.id),
        ..command.changes(|text| look_up::provider(session, text))?
    };
    session.announce();
    let request = Request::post("v2/api/clients").json(json!({ "client": changes }));
    let view = view(session, look_up::call(session, request, "client")?)?;
    view.print(options, &json!({ "client": view.document }))
}

fn list(command: &List, options: &Options, session: &Session) -> Result<()> {
    if command.instances {
        return Err(Exit::Usage
            .because("--instances is for the operator of a server: name its store with --data-dir or --database"));
    }
    let all = session.run(session.client.get_clients())?.into_inner();
    let projects = session.run(session.client.get_projects())?.into_inner();
    let names: Vec<(ClientId, String)> = all.iter().map(|client| (client.id, client.name.clone())).collect();
    let mut found = all;
    if let Some(project) = &command.project {
        let id = look_up::project(session, project)?.id;
        found.retain(|client| client.project == Some(id));
    }
    if let Some(parent) = &command.parent {
        let id = look_up::client(session, parent)?.id;
        found.retain(|client| client.parent_client == Some(id));
    }
    if let Some(wanted) = command.client_type {
        found.retain(|client| client.client_type == wanted);
    }
    let projects: Vec<_> = projects
        .into_iter()
        .map(|project| (project.id, project.display_name))
        .collect();
    print_list(options, &found, &projects, &names, 0)
}

fn update(command: &Update, options: &Options, session: &Session) -> Result<()> {
    let changes = command.changes(|text| look_up::provider(session, text))?;
    if changes == ClientChanges::default() {
        bail!(NOTHING);
    }
    let id = look_up::client(session, &command.client)?.id;
    session.announce();
    let request = Request::put(format!("v2/api/clients/{id}")).json(json!({ "client": changes }));
    let view = view(session, look_up::call(session, request, "client")?)?;
    view.print(options, &json!({ "client": view.document }))
}

fn delete(options: &Options, session: &Session, text: &str, confirmation: &Confirmation) -> Result<()> {
    let view = view(session, look_up::client(session, text)?)?;
    session.announce();
    confirmation.ask(&view.what_ends())?;
    let client = session.run(session.client.delete_client(view.document.id))?;
    print_deleted(options, &client)
}

fn delete_secret(
    options: &Options,
    session: &Session,
    text: &str,
    id: CredentialId,
    confirmation: &Confirmation,
) -> Result<()> {
    let client = look_up::client(session, text)?;
    let known = session.run(session.client.get_client_credentials(client.id))?;
    if !known.iter().any(|credential: &Credential| credential.id == id) {
        return Err(anyhow!(
            "client {} has no secret {id}; portolan client secret list {} shows them",
            client.id,
            client.id
        ));
    }
    session.announce();
    confirmation.ask(&what_ends_with_secret(&client.name, client.id))?;
    let deleted = session.run(session.client.delete_client_credential(client.id, id))?;
    print_deleted_secret(options, &deleted)
}

/// What is not for whoever is logged in is left out.
fn view(session: &Session, document: Document) -> Result<View> {
    let named = |name: &str, id: String| format!("{name} ({id})");
    let project = match document.project {
        Some(id) => match look_up::if_visible(session, session.client.get_project(id))? {
            Some(project) => Some(named(&project.display_name, id.to_string())),
            None => Some(id.to_string()),
        },
        None => None,
    };
    let all = session.run(session.client.get_clients())?;
    let parent = document
        .parent_client
        .map(|id| match all.iter().find(|client| client.id == id) {
            Some(parent) => named(&parent.name, id.to_string()),
            None => id.to_string(),
        });
    let children = all
        .iter()
        .filter(|client| client.parent_client == Some(document.id))
        .map(|client| (client.id, client.name.clone()));
    let scopes = if document.scopes.is_empty() {
        Vec::new()
    } else {
        // It also lists the scopes of others that it asks for.
        let lookup = ScopeLookup::ids(document.scopes.iter().take(100));
        let mut found = session.run(session.client.get_scopes(lookup))?.into_inner();
        found.retain(|scope| scope.client == document.id);
        found.into_iter().map(|scope| scope.scope_string).collect()
    };
    let secrets = if document.public_client {
        Some(Vec::new())
    } else {
        let found = look_up::if_visible(session, session.client.get_client_credentials(document.id))?;
        found.map(|found| found.iter().map(|secret| (secret.id, secret.name.clone())).collect())
    };
    Ok(View {
        project,
        parent,
        children: children.collect(),
        scopes,
        secrets,
        resource_server: None,
        id_token_algorithm: None,
        state: "",
        document,
    })
}
