//! `portolan scope` at a running server, as whoever is logged in.

use std::collections::HashMap;

use anyhow::{Result, bail};
use portolan_sdk::documents::{Client, Scope as Document};
use portolan_sdk::{ClientId, Request, ScopeId, ScopeLookup};
use portolan_types::api::ScopeChanges;
use serde_json::json;

use super::view::{View, further_down};
use super::{Create, NOTHING, Scope, Update, print_deleted, print_list, what_ends};
use crate::look_up;
use crate::options::Options;
use crate::output::{self, Confirmation};
use crate::place::Session;

/// As many as one request may ask for.
const AT_ONCE: usize = 100;

pub fn run(command: Scope, options: &Options, session: &Session) -> Result<()> {
    match command {
        Scope::Create(command) => create(&command, options, session),
        Scope::List { client, project } => list(options, session, client.as_deref(), project.as_deref()),
        Scope::Show { scope } => {
            let view = view(session, look_up::scope(session, &scope)?)?;
            let json = json!({ "scope": view.document, "scope_strings": view.spellings });
            view.print(options, &json)
        }
        Scope::Update(command) => update(&command, options, session),
        Scope::Delete { scope, confirmation } => delete(options, session, &scope, &confirmation),
    }
}

fn create(command: &Create, options: &Options, session: &Session) -> Result<()> {
    let client = look_up::client(session, &command.client)?;
    let changes = command
        .changes(|text| look_up::find_scope(session, text))
        .map_err(plain)?;
    session.announce();
    let request = Request::post(format!("v2/api/clients/{}/scopes", client.id)).json(json!({ "scope": changes }));
    let made: Vec<Document> = look_up::call(session, request, "scopes")?;
    let spellings = made.iter().map(|scope| scope.scope_string.clone()).collect();
    let Some(scope) = made.into_iter().next() else {
        bail!("{} answered without a scope", session.server);
    };
    let view = View {
        spellings,
        ..view(session, scope)?
    };
    view.print_created(options)
}

fn list(options: &Options, session: &Session, client: Option<&str>, project: Option<&str>) -> Result<()> {
    let owners: Vec<Client> = match (client, project) {
        (Some(client), _) => vec![look_up::client(session, client)?],
        (None, project) => {
            let mut found = session.run(session.client.get_clients())?.into_inner();
            if let Some(project) = project {
                let id = look_up::project(session, project)?.id;
                found.retain(|client| client.project == Some(id));
            }
            found
        }
    };
    let names: HashMap<ClientId, &str> = owners.iter().map(|owner| (owner.id, owner.name.as_str())).collect();
    // A client also lists the scopes of others that it asks for.
    let mut ids: Vec<ScopeId> = owners.iter().flat_map(|owner| owner.scopes.clone()).collect();
    ids.sort();
    ids.dedup();
    let mut scopes = fetch(session, &ids)?;
    scopes.retain(|scope| names.contains_key(&scope.client));
    scopes.sort_by(|one, other| one.scope_string.cmp(&other.scope_string));
    let owners: Vec<String> = scopes.iter().map(|scope| names[&scope.client].to_owned()).collect();
    print_list(options, &scopes, &owners)
}

fn update(command: &Update, options: &Options, session: &Session) -> Result<()> {
    let changes = command
        .changes(|text| look_up::find_scope(session, text))
        .map_err(plain)?;
    if changes == ScopeChanges::default() {
        bail!(NOTHING);
    }
    let id = look_up::scope(session, &command.scope)?.id;
    session.announce();
    let request = Request::put(format!("v2/api/scopes/{id}")).json(json!({ "scope": changes }));
    let view = view(session, look_up::call(session, request, "scope")?)?;
    view.print(options, &json!({ "scope": view.document }))
}

fn delete(options: &Options, session: &Session, text: &str, confirmation: &Confirmation) -> Result<()> {
    let view = view(session, look_up::scope(session, text)?)?;
    let found = &view.document;
    session.announce();
    confirmation.ask(&what_ends(&found.name, &found.scope_string, &view.owner))?;
    let scope = session.run(session.client.delete_scope(found.id))?;
    print_deleted(options, &scope)
}

/// The words of a refusal that the command line shares with the store.
fn plain(error: anyhow::Error) -> anyhow::Error {
    error.downcast().map_or_else(|other| other, output::explain)
}

fn view(session: &Session, document: Document) -> Result<View> {
    let known = further_down(&document, |ids| fetch(session, ids))?;
    // Everybody may see an advertised scope, but not the client behind it.
    let (owner, fqdns) = match look_up::if_visible(session, session.client.get_client(document.client))? {
        Some(owner) => (format!("{} ({})", owner.name, owner.id), owner.fqdns.clone()),
        None => (document.client.to_string(), Vec::new()),
    };
    Ok(View {
        owner,
        spellings: spellings(&document, fqdns),
        known,
        document,
    })
}

/// The interface tells one spelling; the others have a domain name in the place of the id.
fn spellings(scope: &Document, mut fqdns: Vec<String>) -> Vec<String> {
    let id = scope.client.to_string();
    fqdns.retain(|_| scope.scope_string.contains(&id));
    fqdns.sort();
    let others = fqdns.iter().map(|fqdn| scope.scope_string.replacen(&id, fqdn, 1));
    std::iter::once(scope.scope_string.clone()).chain(others).collect()
}

fn fetch(session: &Session, ids: &[ScopeId]) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        found.extend(
            session
                .run(session.client.get_scopes(ScopeLookup::ids(ids)))?
                .into_inner(),
        );
    }
    Ok(found)
}
