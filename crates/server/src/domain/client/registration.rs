//! Clients as the admins of a project, and clients themselves, make and change them
//! (wire.md 2.5): checked documents in, records out, each change with its audit entry.

use portolan_db::{ReadTx, WriteTx};
use portolan_types::api::{Change, ClientChanges, ClientType};
use portolan_types::{ClientId, CredentialId, IdentityProviderId, ProjectId, ScopeId, Secret};
use serde_json::json;

use super::{NewClient, check_links, check_name, check_redirect_uri, create_credential, register};
use crate::app::Ctx;
use crate::domain::logout;
use crate::domain::mail;
use crate::domain::policy::registration::is_domain;
use crate::domain::project::{self, Manager, changed, required};
use crate::domain::scope::registration::spell;
use crate::error::{Error, Kind, Result};
use crate::store::audit::{self, Event};
use crate::store::clients::{self, Client, Credential};
use crate::store::{identities, identity_providers, projects, scopes, sessions};
use crate::texts::words;
use crate::upstream::dns::Found;

const MAXIMUM_REDIRECT_URIS: usize = 100;
const MAXIMUM_SCOPES: usize = 500;

/// Registers a client in a project that the caller administers, or without a project a
/// child of the client that the caller is.
pub fn create(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, changes: &ClientChanges) -> Result<Client> {
    let new = prepare(tx, ctx, manager, changes)?;
    let client = create_prepared(tx, ctx, manager, &new)?;
    logout::register(tx, &client, changes)?;
    Ok(client)
}

/// Reads and checks what a creating call says. Operators may set more before they go on
/// with [`create_prepared`]: members that the wire does not have.
pub fn prepare(tx: &mut ReadTx, ctx: &Ctx, manager: &Manager, changes: &ClientChanges) -> Result<NewClient> {
    let name = required("name", &changes.name)?;
    let client_type = client_type(changes)?;
    let (project_id, parent_client_id) = place(tx, ctx, manager, changes)?;
    let links = changes.links.value();
    let link = |pick: fn(&portolan_types::api::LinkChanges) -> &Change<String>| {
        links.and_then(|links| pick(links).value().cloned())
    };
    Ok(NewClient {
        name: name.clone(),
        client_type: client_type.as_str().to_owned(),
        project_id: Some(project_id),
        parent_client_id,
        redirect_uris: redirect_uris(client_type.as_str(), &changes.redirect_uris)?.unwrap_or_default(),
        visibility: changes
            .visibility
            .value()
            .map(|visibility| visibility.as_str().to_owned()),
        terms_and_conditions: link(|links| &links.terms_and_conditions),
        privacy_policy: link(|links| &links.privacy_policy),
        required_idp: provider(tx, "required_idp", &changes.required_idp)?.apply(None),
        preselect_idp: provider(tx, "preselect_idp", &changes.preselect_idp)?.apply(None),
        userinfo_from_effective_identity: changes.userinfo_from_effective_identity.value().copied(),
        prompt_for_named_grant: changes.prompt_for_named_grant.value().copied(),
        ..NewClient::default()
    })
}

/// Registers a client that [`prepare`] let pass.
pub fn create_prepared(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, new: &NewClient) -> Result<Client> {
    let client = register(tx, ctx, new)?;
    if let Some(name) = &client.resource_server
        && clients::is_resource_server_name_taken(tx, name, client.id)?
    {
        // Tokens are told apart by the name of the resource server.
        return Err(Error::conflict(format!(
            "resource_server: {name} is the name of another client"
        )));
    }
    let detail = json!({ "name": client.name, "client_type": client.client_type, "project": client.project_id });
    record(tx, ctx, manager, "client.create", &client, detail)?;
    Ok(client)
}

/// Where a new client belongs: to the project that is named, or beside its parent.
fn place(
    tx: &mut ReadTx,
    ctx: &Ctx,
    manager: &Manager,
    changes: &ClientChanges,
) -> Result<(ProjectId, Option<ClientId>)> {
    let parent = match manager.parent() {
        Some(id) => Some(clients::get(tx, id)?),
        None => None,
    };
    if let Some(id) = changes.project.value() {
        let project =
            projects::find(tx, *id)?.ok_or_else(|| Error::invalid_parameters("project: there is no such project"))?;
        // Old tooling names the project that its own client is in.
        if let Some(parent) = parent.filter(|parent| parent.project_id == Some(*id))
            && !manager.administers(tx, *id)?
        {
            return Ok((*id, Some(parent.id)));
        }
        manager.authorize_project(tx, ctx.now, &project)?;
        return Ok((*id, None));
    }
    let parent = parent.ok_or_else(|| Error::invalid_parameters("project: is missing"))?;
    match parent.project_id {
        Some(project) => Ok((project, Some(parent.id))),
        None => Err(Error::forbidden("a client without a project cannot have children")),
    }
}

/// Exactly one of the two members decides.
fn client_type(changes: &ClientChanges) -> Result<ClientType> {
    match (changes.public_client.value(), changes.client_type.value()) {
        (Some(public), None) => Ok(ClientType::from_public(*public)),
        (None, Some(client_type)) => Ok(*client_type),
        (None, None) => Err(Error::invalid_parameters(
            "client_type: is missing; give client_type or public_client",
        )),
        (Some(_), Some(_)) => Err(Error::invalid_parameters(
            "client_type: give client_type or public_client, not both",
        )),
    }
}

fn redirect_uris(client_type: &str, change: &Change<Vec<String>>) -> Result<Option<Vec<String>>> {
    let uris = match change {
        Change::Keep => return Ok(None),
        Change::Clear => return Ok(Some(Vec::new())),
        Change::Set(uris) => uris,
    };
    if uris.len() > MAXIMUM_REDIRECT_URIS {
        return Err(Error::invalid_parameters(format!(
            "redirect_uris: at most {MAXIMUM_REDIRECT_URIS}"
        )));
    }
    for uri in uris {
        check_redirect_uri(client_type, uri)?;
    }
    Ok(Some(uris.clone()))
}

fn provider(
    tx: &mut ReadTx,
    field: &'static str,
    change: &Change<IdentityProviderId>,
) -> Result<Change<IdentityProviderId>> {
    if let Change::Set(id) = change
        && !identity_providers::exists(tx, *id)?
    {
        return Err(Error::invalid_parameters(format!(
            "{field}: there is no such identity provider"
        )));
    }
    Ok(change.clone())
}

/// Changes what is named; what never changes is left alone.
pub fn update(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ClientId, changes: &ClientChanges) -> Result<Client> {
    let mut client = get_authorized(tx, ctx, manager, id)?;
    if let Some(name) = changed("name", &changes.name)? {
        check_name(name)?;
        client.name = name.trim().to_owned();
        if !client.is_public() {
            identities::set_name(tx, id.identity(), &client.name)?;
        }
    }
    if let Some(visibility) = changed("visibility", &changes.visibility)? {
        client.visibility = visibility.as_str().to_owned();
    }
    if let Some(uris) = redirect_uris(&client.client_type, &changes.redirect_uris)? {
        client.set_redirect_uris(&uris);
    }
    match &changes.links {
        Change::Keep => {}
        Change::Clear => {
            client.terms_and_conditions = None;
            client.privacy_policy = None;
        }
        Change::Set(links) => {
            client.terms_and_conditions = links.terms_and_conditions.apply(client.terms_and_conditions.take());
            client.privacy_policy = links.privacy_policy.apply(client.privacy_policy.take());
        }
    }
    check_links(client.terms_and_conditions.as_deref(), client.privacy_policy.as_deref())?;
    client.required_idp = provider(tx, "required_idp", &changes.required_idp)?.apply(client.required_idp);
    client.preselect_idp = provider(tx, "preselect_idp", &changes.preselect_idp)?.apply(client.preselect_idp);
    if !changes.scopes.is_keep() {
        let requested = changes.scopes.value().map_or(&[][..], Vec::as_slice);
        client.set_requested_scopes(&requested_scopes(tx, id, requested)?);
    }
    clients::update(tx, &client)?;
    logout::register(tx, &client, changes)?;
    record(
        tx,
        ctx,
        manager,
        "client.update",
        &client,
        json!({ "name": client.name }),
    )?;
    Ok(client)
}

/// What the client says it may request; its own scopes are listed anyway.
fn requested_scopes(tx: &mut ReadTx, id: ClientId, requested: &[ScopeId]) -> Result<Vec<ScopeId>> {
    if requested.len() > MAXIMUM_SCOPES {
        return Err(Error::invalid_parameters(format!("scopes: at most {MAXIMUM_SCOPES}")));
    }
    let owned = scopes::list_ids_by_client(tx, id)?;
    let others = requested.iter().copied().filter(|scope| !owned.contains(scope));
    Ok(others.collect())
}

/// Whether the contact of the project is told that a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Send,
    /// The caller has caused too much mail already. Deleting goes on all the same: programs
    /// that tidy up must not be held up by it.
    LeaveOut,
}

/// Deletes a client with all that hangs on it. What a person has to have an admin for is
/// not left without one.
pub fn delete(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ClientId, notice: Notice) -> Result<Client> {
    let client = get_authorized(tx, ctx, manager, id)?;
    if id == clients::AUTH {
        return Err(Error::conflict("this server cannot be without itself").said(words("refusal-itself")));
    }
    project::check_not_last_admin(tx, id.identity())?;
    if let Some(project) = client.project_id.filter(|_| notice == Notice::Send) {
        let text = ctx.say("mail-app-deleted").arg("id", id).to_string();
        mail::notify_project(tx, ctx, project, ctx.text("mail-app-deleted-subject"), &text)?;
    }
    super::delete(tx, id)?;
    record(
        tx,
        ctx,
        manager,
        "client.delete",
        &client,
        json!({ "name": client.name, "contact_told": notice == Notice::Send }),
    )?;
    Ok(client)
}

/// Switches a client off or on, for whoever administers the server. Off: nobody can sign in
/// to it, and its tokens are inactive at once, on every node; so it goes for the instances
/// that devices made of it. What people had there then does not come back with it: they sign
/// in again.
pub fn set_enabled(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ClientId, enabled: bool) -> Result<Client> {
    let client = get_authorized(tx, ctx, manager, id)?;
    if id == clients::AUTH {
        return Err(Error::conflict("this server cannot be without itself").said(words("refusal-itself")));
    }
    if client.enabled == enabled {
        return Ok(client);
    }
    clients::set_enabled(tx, id, enabled, ctx.now)?;
    let (action, text) = if enabled {
        ("client.enable", "mail-app-on")
    } else {
        sessions::end_all_of_client(tx, id, ctx.now)?;
        identities::raise_generations_of_client(tx, id)?;
        ("client.disable", "mail-app-off")
    };
    record(tx, ctx, manager, action, &client, json!({ "name": client.name }))?;
    if let Some(project) = client.project_id {
        let text = ctx.say(text).arg("name", &client.name).arg("id", id).to_string();
        mail::notify_project(tx, ctx, project, ctx.text("mail-app-switched-subject"), &text)?;
    }
    clients::get(tx, id)
}

/// A new secret; it is in no record but the answer.
pub fn add_credential(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    id: ClientId,
    name: &str,
) -> Result<(Credential, Secret)> {
    let client = get_authorized(tx, ctx, manager, id)?;
    let (credential, secret) = create_credential(tx, ctx, id, name)?;
    let detail = json!({ "credential": credential.id, "name": credential.name });
    record(tx, ctx, manager, "client.create_credential", &client, detail)?;
    Ok((credential, secret))
}

/// Ends log-ins with this secret at once; tokens that it got live on.
pub fn remove_credential(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    id: ClientId,
    credential: CredentialId,
) -> Result<Credential> {
    let client = get_authorized(tx, ctx, manager, id)?;
    let deleted = clients::delete_credential(tx, id, credential)?.ok_or_else(|| Error::not_found("credential"))?;
    let detail = json!({ "credential": deleted.id, "name": deleted.name });
    record(tx, ctx, manager, "client.delete_credential", &client, detail)?;
    Ok(deleted)
}

/// Whether a domain name is new to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fqdn {
    New,
    /// The client has it already.
    Known,
}

/// Reads a domain name: lower case, fully qualified, no address.
pub fn parse_fqdn(text: &str) -> Result<String> {
    let fqdn = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let top = fqdn.rsplit('.').next().unwrap_or("");
    let is_name = fqdn.is_ascii() && fqdn.contains('.') && !top.bytes().all(|byte| byte.is_ascii_digit());
    if is_name && is_domain(&fqdn) {
        Ok(fqdn)
    } else {
        Err(Error::invalid_parameters(
            "fqdn: must be a domain name such as service.example.org",
        ))
    }
}

/// Whether this caller may register the name for the client; the proof comes after it.
pub fn check_fqdn(tx: &mut ReadTx, ctx: &Ctx, manager: &Manager, id: ClientId, fqdn: &str) -> Result<Fqdn> {
    let client = get_authorized(tx, ctx, manager, id)?;
    let taken = || Error::conflict(format!("fqdn: {fqdn} belongs to another client"));
    match clients::find_by_fqdn(tx, fqdn)? {
        Some(owner) if owner.id == client.id => Ok(Fqdn::Known),
        Some(_) => Err(taken()),
        // Tokens are told apart by the name of the resource server.
        None if clients::is_resource_server_name_taken(tx, fqdn, client.id)? => Err(taken()),
        None => Ok(Fqdn::New),
    }
}

/// Registers a name that the client has proven to control: every scope gets another
/// spelling, and the first name becomes that of the resource server.
pub fn add_fqdn(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    prefix: &str,
    id: ClientId,
    fqdn: &str,
) -> Result<Client> {
    let known = check_fqdn(tx, ctx, manager, id, fqdn)?;
    let mut client = clients::get(tx, id)?;
    if known == Fqdn::Known || !clients::insert_fqdn(tx, id, fqdn, ctx.now)? {
        return Ok(client);
    }
    for scope in scopes::list_by_clients(tx, [id])? {
        let Some(suffix) = &scope.suffix else { continue };
        let scope_string = spell(prefix, fqdn, suffix)?;
        if !scopes::insert_string(tx, scope.id, &scope_string, Some(fqdn))? {
            return Err(Error::conflict(format!("the scope {scope_string} exists already")));
        }
    }
    if client.resource_server.is_none() {
        client.resource_server = Some(fqdn.to_owned());
        clients::update(tx, &client)?;
    }
    record(tx, ctx, manager, "client.add_fqdn", &client, json!({ "fqdn": fqdn }))?;
    Ok(client)
}

/// Whether what the DNS says proves that the client controls the name (wire.md 1.9).
pub fn check_fqdn_proof(found: &Found, fqdn: &str, id: ClientId) -> Result<()> {
    if found.says(&id.to_string()) {
        return Ok(());
    }
    let reason = match found {
        Found::Texts(_) => "its TXT records say something else",
        Found::Nothing => "it has no TXT record",
        Found::NoAnswer => "the DNS gave no answer; try again later",
    };
    Err(Error::new(
        Kind::FqdnVerificationFailed,
        format!("fqdn: {fqdn} needs a DNS TXT record with the client id {id}: {reason}"),
    ))
}

fn get_authorized(tx: &mut ReadTx, ctx: &Ctx, manager: &Manager, id: ClientId) -> Result<Client> {
    let client = clients::get(tx, id)?;
    manager.authorize_client(tx, ctx.now, &client)?;
    Ok(client)
}

fn record(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    action: &'static str,
    client: &Client,
    detail: serde_json::Value,
) -> Result<()> {
    let event = Event {
        action,
        actor: manager.actor,
        resource_kind: "client",
        resource_id: client.id.to_string(),
        detail,
    };
    audit::insert(tx, ctx, &event)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_100_redirect_uris_at_most() {
        for (count, fits) in [(0, true), (100, true), (101, false), (102, false)] {
            let uris = (0..count).map(|n| format!("https://a.example/{n}")).collect();
            let checked = redirect_uris("confidential_client", &Change::Set(uris));
            assert_eq!(checked.is_ok(), fits, "{count}");
        }
    }

    #[test]
    fn a_domain_name_is_fully_qualified_and_lower_case() {
        assert_eq!(parse_fqdn(" Svc.Example.ORG. ").unwrap(), "svc.example.org");
        for bad in [
            "",
            "localhost",
            "*.example.org",
            "a b.org",
            "192.0.2.1",
            "::1",
            "a_b.example.org",
            "-a.org",
        ] {
            assert!(parse_fqdn(bad).is_err(), "{bad}");
        }
    }
}
