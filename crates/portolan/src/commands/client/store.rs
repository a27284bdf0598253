//! `portolan client` on the store, for its operator.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail};
use portolan_db::{ReadTx, WriteTx};
use portolan_server::api::clients::document;
use portolan_server::api::credentials;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::registration::Notice;
use portolan_server::domain::client::{NewClient, registration as rules};
use portolan_server::domain::logout;
use portolan_server::domain::project::Manager;
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::clients::{self, Client as Record};
use portolan_server::store::identity_providers::LOCAL;
use portolan_server::store::{identities, projects, scopes};
use portolan_server::{Ctx, Error, Kind};
use portolan_types::api::{self, Change, ClientChanges};
use portolan_types::{ClientId, CredentialId, IdentityProviderId, ProjectId};
use serde_json::json;

use super::view::{
    View, print_deleted, print_deleted_secret, print_list, print_new_secret, print_secrets, what_ends_with_secret,
};
use super::{Client, Create, List, NOTHING, SecretCommand, Update};
use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};

/// Where clients go that name no project.
const OPERATORS: &str = "Operators";

pub fn run(command: Client, options: &Options) -> Result<()> {
    match command {
        Client::Create(create) => create.run(options),
        Client::List(list) => list.run(options),
        Client::Show { client } => show(options, client),
        Client::Update(update) => update.run(options),
        Client::Disable { client, confirmation } => {
            confirmation.ask(&format!(
                "Nobody can sign in to {client} any more, and its tokens are inactive at once."
            ))?;
            set_enabled(options, client, false)
        }
        Client::Enable { client } => set_enabled(options, client, true),
        Client::Delete { client, confirmation } => delete(options, client, &confirmation),
        Client::Secret(SecretCommand::Create { client, name }) => create_secret(options, client, name),
        Client::Secret(SecretCommand::List { client }) => list_secrets(options, client),
        Client::Secret(SecretCommand::Delete {
            client,
            id,
            confirmation,
        }) => delete_secret(options, client, id, &confirmation),
    }
}

impl Create {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let contact = config
            .operator_contact
            .clone()
            .filter(|contact| contact.contains('@'))
            .unwrap_or_default();
        let view = db
            .write_blocking(move |tx| {
                let project = match &self.project {
                    Some(project) => find::project(tx, project)?.id,
                    None => operators(tx, &ctx, &contact)?,
                };
                let changes = ClientChanges {
                    project: Change::Set(project),
                    ..self.changes(|text| provider(tx, text))?
                };
                let manager = Manager::operator();
                let new = NewClient {
                    id_token_algorithm: self.id_token_algorithm.clone(),
                    resource_server: self.resource_server_name.clone(),
                    ..rules::prepare(tx, &ctx, &manager, &changes)?
                };
                let client = rules::create_prepared(tx, &ctx, &manager, &new)?;
                logout::register(tx, &client, &changes)?;
                View::of(tx, client)
            })
            .map_err(output::explain)?;
        view.print(options, &json!({ "client": view.document }))
    }
}

/// The project of clients that operators register, administered by the administrators of
/// the server.
fn operators(tx: &mut WriteTx, ctx: &Ctx, contact: &str) -> Result<ProjectId, Error> {
    if let Some(id) = projects::find_by_name(tx, OPERATORS)? {
        return Ok(id);
    }
    let id = ProjectId(new_uuid());
    projects::insert(tx, id, OPERATORS, contact, ctx.now)?;
    for identity in identities::list_by_provider(tx, LOCAL)? {
        if identities::is_administrator(tx, identity.id)? {
            projects::insert_admin(tx, id, identity.id)?;
        }
    }
    let event = Event {
        action: "project.create",
        actor: Actor::Operator,
        resource_kind: "project",
        resource_id: id.to_string(),
        detail: json!({ "display_name": OPERATORS, "admin_ids": projects::list_admins(tx, id)? }),
    };
    audit::insert(tx, ctx, &event)?;
    Ok(id)
}

fn provider(tx: &mut ReadTx, text: &str) -> Result<IdentityProviderId, Error> {
    Ok(find::provider(tx, text)?.id)
}

impl List {
    fn run(self, options: &Options) -> Result<()> {
        let (_, db) = options.store()?;
        let (clients, projects, parents, left_out) = db
            .read_blocking(move |tx| {
                let mut found = match (&self.project, &self.parent) {
                    (Some(project), _) => {
                        let id = find::project(tx, project)?.id;
                        clients::list_by_projects(tx, [id])?
                    }
                    (None, Some(parent)) => {
                        let id = find::client(tx, parent)?.id;
                        clients::list_children(tx, id)?
                    }
                    (None, None) => clients::list(tx)?,
                };
                if let Some(wanted) = self.client_type {
                    found.retain(|client| client.client_type == wanted.as_str());
                }
                let all = found.len();
                if !self.instances && self.parent.is_none() {
                    found.retain(|client| !client.is_instance);
                }
                let left_out = all - found.len();
                let documents = found
                    .iter()
                    .map(|client| document(tx, client))
                    .collect::<Result<Vec<_>, Error>>()?;
                let parents: BTreeSet<ClientId> = found.iter().filter_map(|client| client.parent_client_id).collect();
                let parents = clients::list_by_ids(tx, parents)?;
                let parents: Vec<_> = parents.into_iter().map(|parent| (parent.id, parent.name)).collect();
                let projects = projects::list(tx)?;
                let projects: Vec<_> = projects
                    .into_iter()
                    .map(|project| (project.id, project.display_name))
                    .collect();
                Ok((documents, projects, parents, left_out))
            })
            .map_err(output::explain)?;
        print_list(options, &clients, &projects, &parents, left_out)
    }
}

fn show(options: &Options, client: String) -> Result<()> {
    let (_, db) = options.store()?;
    let view = db
        .read_blocking(move |tx| {
            let client = find::client(tx, &client)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let children: Vec<ClientId> = view.children.iter().map(|(id, _)| *id).collect();
    view.print(options, &json!({ "client": view.document, "children": children }))
}

impl Update {
    fn run(self, options: &Options) -> Result<()> {
        let (_, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let changes = self.changes(|text| provider(tx, text))?;
                if changes == ClientChanges::default() {
                    return Ok(None);
                }
                let id = find::client(tx, &self.client)?.id;
                let client = rules::update(tx, &ctx, &Manager::operator(), id, &changes)?;
                View::of(tx, client).map(Some)
            })
            .map_err(output::explain)?;
        let Some(view) = view else {
            bail!(NOTHING);
        };
        view.print(options, &json!({ "client": view.document }))
    }
}

fn set_enabled(options: &Options, client: String, enabled: bool) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let view = db
        .write_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            let client = rules::set_enabled(tx, &ctx, &Manager::operator(), id, enabled)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let json = json!({ "client": view.document, "enabled": enabled });
    output::print(options.format, &json, || {
        let state = if enabled { "on" } else { "off; its tokens have ended" };
        format!("{} ({}) is switched {state}.", view.document.name, view.document.id)
    })
}

fn delete(options: &Options, client: String, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let client = find::client(tx, &client)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let id = found.document.id;
    confirmation.ask(&found.what_ends())?;
    let ctx = context();
    let client = db
        .write_blocking(move |tx| {
            let client = clients::get(tx, id)?;
            let client = document(tx, &client)?;
            rules::delete(tx, &ctx, &Manager::operator(), id, Notice::Send)?;
            Ok(client)
        })
        .map_err(output::explain)?;
    print_deleted(options, &client)
}

fn create_secret(options: &Options, client: String, name: String) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let (credential, secret) = db
        .write_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            rules::add_credential(tx, &ctx, &Manager::operator(), id, &name)
        })
        .map_err(output::explain)?;
    print_new_secret(options, &credentials::document(credential, Some(secret)))
}

fn list_secrets(options: &Options, client: String) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            clients::list_credentials(tx, id)
        })
        .map_err(output::explain)?;
    let documents: Vec<api::Credential> = found
        .into_iter()
        .map(|credential| credentials::document(credential, None))
        .collect();
    print_secrets(options, &documents)
}

fn delete_secret(options: &Options, client: String, id: CredentialId, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let client = db
        .read_blocking(move |tx| find::client(tx, &client))
        .map_err(output::explain)?;
    let client_id = client.id;
    confirmation.ask(&what_ends_with_secret(&client.name, client_id))?;
    let ctx = context();
    let credential = db
        .write_blocking(move |tx| rules::remove_credential(tx, &ctx, &Manager::operator(), client_id, id))
        .map_err(|error: Error| match error.kind() {
            Kind::NotFound("credential") => {
                anyhow!("client {client_id} has no secret {id}; portolan client secret list {client_id} shows them")
            }
            _ => output::explain(error),
        })?;
    print_deleted_secret(options, &credentials::document(credential, None))
}

impl View {
    pub fn of(tx: &mut ReadTx, client: Record) -> Result<Self, Error> {
        let project = match client.project_id {
            Some(id) => projects::find(tx, id)?.map(|project| format!("{} ({id})", project.display_name)),
            None => None,
        };
        let parent = match client.parent_client_id {
            Some(id) => clients::find(tx, id)?.map(|parent| format!("{} ({id})", parent.name)),
            None => None,
        };
        let own = scopes::list_by_clients(tx, [client.id])?;
        Ok(Self {
            project,
            parent,
            children: clients::list_children(tx, client.id)?
                .into_iter()
                .map(|child| (child.id, child.name))
                .collect(),
            scopes: own.into_iter().map(|scope| scope.scope_string).collect(),
            secrets: Some(
                clients::list_credentials(tx, client.id)?
                    .into_iter()
                    .map(|secret| (secret.id, secret.name))
                    .collect(),
            ),
            state: match (client.enabled, client.is_template, client.is_instance) {
                (false, ..) => "disabled",
                (_, true, _) => "enabled, a template that devices register from",
                (_, _, true) => "enabled, registered by a device from its parent",
                _ => "enabled",
            },
            document: document(tx, &client)?,
            resource_server: client.resource_server,
            id_token_algorithm: client.id_token_algorithm,
        })
    }
}
