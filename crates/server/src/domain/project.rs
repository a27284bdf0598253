//! Projects, and who may do what to them and to what they hold (wire.md 1.5, 2.5, 3.7;
//! decisions, section 6).
//!
//! Admins are identities: a person administers with every identity linked to theirs, a
//! client with its own. A client also administers itself and its children. What a person
//! changes has to pass the session gate; programs that act as themselves have no session
//! and are not gated.

mod document;

use std::time::Duration;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::api::{Change, ProjectChanges};
use portolan_types::error::AuthorizationParameters;
use portolan_types::{ClientId, IdentityId, PolicyId, ProjectId, Timestamp};
use uuid::Uuid;

pub use self::document::document;
use crate::app::{Ctx, new_uuid};
use crate::config::Config;
use crate::domain::identity::{check_email, check_text};
use crate::domain::mail;
use crate::error::{Error, Result};
use crate::store::access_tokens::ActiveToken;
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::identities::{self, Identity};
use crate::store::identity_providers::CLIENTS;
use crate::store::policies::ADMIN_SESSION_SECONDS;
use crate::store::projects::{self, BUILT_IN, Project};
use crate::store::scopes::Scope;
use crate::store::sessions::{self, Authentication};
use crate::texts::words;

/// What the session gate says, as clients know it.
const SESSION_MESSAGE: &str = "To access this project you must have an identity with admin privileges in session \
                               within the last 30 minutes.";

/// The most admins or groups a project can have.
const MAXIMUM_ADMINS: usize = 500;

/// Whoever looks at or changes projects and what they hold.
#[derive(Clone, Debug)]
pub struct Manager {
    pub actor: Actor,
    /// What it acts as; empty for a caller whose token does not speak for its projects.
    identities: Vec<IdentityId>,
    /// The client that the caller is; it administers itself.
    client: Option<ClientId>,
    /// The project of that client, whose private records it may read.
    member_of: Option<ProjectId>,
    /// The client proved its secret in this very call: it may make children.
    proved_secret: bool,
    presence: Presence,
}

/// Whether the session gate concerns the caller.
#[derive(Clone, Debug)]
enum Presence {
    /// A client, or the gate is switched off.
    NotAsked,
    /// A person, with what happened in the session of the token.
    Session(Vec<Authentication>),
    /// Somebody at a terminal of the server, who may do everything.
    Operator,
}

/// The session gate as the operator set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    On,
    Off,
}

impl Gate {
    pub fn of(config: &Config) -> Self {
        if config.session_gate { Gate::On } else { Gate::Off }
    }
}

impl Manager {
    /// The person or the client that a token speaks for.
    pub fn of_token(tx: &mut ReadTx, token: &ActiveToken, gate: Gate) -> Result<Self> {
        let identities = identities::list_set(tx, token.set_id)?;
        let own_token = token.client_id.identity() == token.identity_id;
        let mut manager = Self {
            actor: Actor::Identity(token.identity_id),
            identities: live(&identities),
            client: None,
            member_of: None,
            proved_secret: false,
            presence: Presence::NotAsked,
        };
        if own_token {
            let client = clients::get(tx, token.client_id)?;
            manager.actor = Actor::Client(client.id);
            manager.client = Some(client.id);
            manager.member_of = client.project_id;
        } else if gate == Gate::On && token.provider_id != CLIENTS {
            let session = match token.app_session_id {
                Some(id) => sessions::list_session_authentications(tx, id)?,
                None => Vec::new(),
            };
            manager.presence = Presence::Session(session);
        }
        Ok(manager)
    }

    /// A person who is signed in in a browser, with what happened in that session. The same
    /// rules as for a token of theirs.
    pub fn of_person(tx: &mut ReadTx, person: &Identity, session: Vec<Authentication>, gate: Gate) -> Result<Self> {
        let identities = identities::list_set(tx, person.set_id)?;
        Ok(Self {
            actor: Actor::Identity(person.id),
            identities: live(&identities),
            client: None,
            member_of: None,
            proved_secret: false,
            presence: match gate {
                Gate::On => Presence::Session(session),
                Gate::Off => Presence::NotAsked,
            },
        })
    }

    /// A client that proved its secret: it speaks for its identity.
    pub fn of_client(client: &Client) -> Self {
        Self {
            actor: Actor::Client(client.id),
            identities: vec![client.id.identity()],
            client: Some(client.id),
            member_of: client.project_id,
            proved_secret: true,
            presence: Presence::NotAsked,
        }
    }

    /// Somebody at a terminal of the server.
    pub fn operator() -> Self {
        Self {
            actor: Actor::Operator,
            identities: Vec::new(),
            client: None,
            member_of: None,
            proved_secret: false,
            presence: Presence::Operator,
        }
    }

    /// An administrator of the server, on the pages for them: may do what somebody at a
    /// terminal may, under their own name.
    pub fn administrator(id: IdentityId) -> Self {
        Self {
            actor: Actor::Identity(id),
            ..Self::operator()
        }
    }

    /// The same caller without the rights of an admin: what every caller may see is left.
    pub fn as_reader(mut self) -> Self {
        self.identities.clear();
        self
    }

    fn is_operator(&self) -> bool {
        matches!(self.presence, Presence::Operator)
    }

    pub fn client(&self) -> Option<ClientId> {
        self.client
    }

    /// The client that new ones can be children of.
    pub fn parent(&self) -> Option<ClientId> {
        self.client.filter(|_| self.proved_secret)
    }

    /// The projects it administers, by name.
    pub fn list_projects(&self, tx: &mut ReadTx) -> Result<Vec<Project>> {
        if self.is_operator() {
            return projects::list(tx);
        }
        projects::list_by_admins(tx, &self.identities)
    }

    pub fn administers(&self, tx: &mut ReadTx, project: ProjectId) -> Result<bool> {
        if self.is_operator() {
            return Ok(true);
        }
        let admins = projects::list_admins(tx, project)?;
        Ok(self.identities.iter().any(|id| admins.contains(id)))
    }

    fn is_same_or_parent(&self, client: &Client) -> bool {
        self.client
            .is_some_and(|own| own == client.id || client.parent_client_id == Some(own))
    }

    /// May look at everything of the client and change it; a change by a person still has
    /// to pass the gate.
    pub fn administers_client(&self, tx: &mut ReadTx, client: &Client) -> Result<bool> {
        if self.is_operator() || self.is_same_or_parent(client) {
            return Ok(true);
        }
        match client.project_id {
            Some(project) => self.administers(tx, project),
            None => Ok(false),
        }
    }

    /// Public records are for every caller, private ones for the members of the project:
    /// its admins and its clients.
    pub fn may_read_client(&self, tx: &mut ReadTx, client: &Client) -> Result<bool> {
        let member = self.member_of.is_some() && self.member_of == client.project_id;
        Ok(client.visibility == "public" || member || self.administers_client(tx, client)?)
    }

    /// Advertised scopes are for every caller, others as visible as their client.
    pub fn may_read_scope(&self, tx: &mut ReadTx, scope: &Scope) -> Result<bool> {
        if scope.advertised || scope.owner_visibility == "public" || self.client == Some(scope.client_id) {
            return Ok(true);
        }
        let client = clients::get(tx, scope.client_id)?;
        self.may_read_client(tx, &client)
    }

    /// Lets an admin of the project pass who satisfies the session gate.
    pub fn authorize_project(&self, tx: &mut ReadTx, now: Timestamp, project: &Project) -> Result<()> {
        if !self.administers(tx, project.id)? {
            return Err(Error::forbidden("you do not administer this project"));
        }
        let Presence::Session(session) = &self.presence else {
            return Ok(());
        };
        let admins = projects::list_admins(tx, project.id)?;
        let limit = Duration::from_secs(ADMIN_SESSION_SECONDS.unsigned_abs());
        let present = session.iter().any(|authentication| {
            self.identities.contains(&authentication.identity_id)
                && admins.contains(&authentication.identity_id)
                && authentication.is_within(limit, now)
        });
        if present {
            Ok(())
        } else {
            Err(gate_closed(project.admin_policy_id))
        }
    }

    /// Lets whoever administers the client pass, through the gate of its project.
    pub fn authorize_client(&self, tx: &mut ReadTx, now: Timestamp, client: &Client) -> Result<()> {
        if self.is_operator() || self.is_same_or_parent(client) {
            return Ok(());
        }
        let Some(project) = client.project_id else {
            return Err(Error::forbidden("you do not administer this client"));
        };
        if !self.administers(tx, project)? {
            return Err(Error::forbidden("you do not administer the project of this client"));
        }
        let project = projects::get(tx, project)?;
        self.authorize_project(tx, now, &project)
    }
}

fn live(identities: &[Identity]) -> Vec<IdentityId> {
    identities
        .iter()
        .filter(|identity| identity.is_live())
        .map(|identity| identity.id)
        .collect()
}

/// Wire.md 3.6.4: what to authorize with, so that the same call succeeds afterwards.
fn gate_closed(policy: Option<PolicyId>) -> Error {
    let parameters = AuthorizationParameters {
        session_message: Some(SESSION_MESSAGE.into()),
        session_required_policies: policy.map(|id| vec![id]),
        // A project without a policy is opened by any fresh login of an admin.
        prompt: policy.is_none().then(|| "login".into()),
        ..AuthorizationParameters::default()
    };
    Error::forbidden(SESSION_MESSAGE)
        .requiring(parameters)
        .requiring_login_within(Duration::from_secs(ADMIN_SESSION_SECONDS.unsigned_abs()))
}

/// Makes a project. Whoever makes it is not among its admins unless named.
pub fn create(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, changes: &ProjectChanges) -> Result<Project> {
    let display_name = required("display_name", &changes.display_name)?;
    let contact_email = required("contact_email", &changes.contact_email)?;
    check_text("display_name", display_name)?;
    check_contact(contact_email)?;
    let admins = parse_admins(&changes.admin_ids)?.unwrap_or_default();
    let groups = parse_groups(&changes.admin_group_ids)?.unwrap_or_default();
    check_admins(tx, &admins, &groups)?;

    let id = ProjectId(new_uuid());
    projects::insert(tx, id, display_name.trim(), contact_email.trim(), ctx.now)?;
    projects::replace_admins(tx, id, &admins)?;
    let mut project = projects::get(tx, id)?;
    project.set_admin_group_ids(&groups);
    projects::update(tx, &project)?;
    record(
        tx,
        ctx,
        manager,
        "project.create",
        &project,
        serde_json::json!({ "admin_ids": admins }),
    )?;
    Ok(project)
}

/// Whether a change makes the server write to the contact of the project. Only for callers
/// who may make it: others learn nothing.
pub fn tells_contact(
    tx: &mut ReadTx,
    ctx: &Ctx,
    manager: &Manager,
    id: ProjectId,
    changes: &ProjectChanges,
) -> Result<bool> {
    let project = projects::get(tx, id)?;
    manager.authorize_project(tx, ctx.now, &project)?;
    let contact = changes.contact_email.value();
    let admins = parse_admins(&changes.admin_ids)?;
    Ok(
        contact.is_some_and(|contact| !is_same_contact(contact, &project.contact_email))
            || match admins {
                Some(admins) => !are_same(&projects::list_admins(tx, id)?, &admins),
                None => false,
            },
    )
}

fn is_same_contact(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn are_same(before: &[IdentityId], after: &[IdentityId]) -> bool {
    before.len() == after.len() && before.iter().all(|admin| after.contains(admin))
}

/// Changes what is named. Lists of admins replace those that are there.
pub fn update(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    id: ProjectId,
    changes: &ProjectChanges,
) -> Result<Project> {
    let mut project = projects::get(tx, id)?;
    manager.authorize_project(tx, ctx.now, &project)?;
    // Whoever was the contact so far is told: a new one may be the stranger who took it over.
    let told = project.clone();
    if let Some(name) = changed("display_name", &changes.display_name)? {
        check_text("display_name", name)?;
        project.display_name = name.trim().to_owned();
    }
    if let Some(email) = changed("contact_email", &changes.contact_email)? {
        check_contact(email)?;
        project.contact_email = email.trim().to_owned();
    }
    let before = projects::list_admins(tx, id)?;
    let admins = parse_admins(&changes.admin_ids)?;
    let groups = parse_groups(&changes.admin_group_ids)?;
    if let Some(groups) = &groups {
        project.set_admin_group_ids(groups);
    }
    if admins.is_some() || groups.is_some() {
        if id == BUILT_IN {
            return Err(Error::invalid_parameters(
                "admin_ids: the administrators of the server are the admins of this project",
            ));
        }
        let admins = match admins {
            Some(admins) => admins,
            None => projects::list_admins(tx, id)?,
        };
        check_admins(tx, &admins, &project.admin_group_ids())?;
        projects::replace_admins(tx, id, &admins)?;
    }
    projects::update(tx, &project)?;
    let admins = projects::list_admins(tx, id)?;
    if !are_same(&before, &admins) {
        let subject = ctx.text("mail-admins-subject");
        mail::notify_contact(tx, ctx, &told, subject, ctx.text("mail-admins"))?;
    }
    if !is_same_contact(&told.contact_email, &project.contact_email) {
        let subject = ctx.text("mail-new-contact-subject");
        mail::notify_contact(tx, ctx, &told, subject, ctx.text("mail-new-contact"))?;
    }
    record(
        tx,
        ctx,
        manager,
        "project.update",
        &project,
        serde_json::json!({ "admin_ids": admins }),
    )?;
    Ok(project)
}

/// Deletes a project that holds nothing any more.
pub fn delete(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ProjectId) -> Result<Project> {
    let project = projects::get(tx, id)?;
    manager.authorize_project(tx, ctx.now, &project)?;
    let (clients, policies) = projects::count_contents(tx, id)?;
    if clients > 0 || policies > 0 {
        return Err(Error::conflict(format!(
            "the project still holds {clients} clients and {policies} policies; delete them first"
        ))
        .said(words("refusal-project-full")));
    }
    if id == BUILT_IN {
        return Err(Error::conflict("the built-in project stays").said(words("refusal-project-stays")));
    }
    record(tx, ctx, manager, "project.delete", &project, serde_json::json!({}))?;
    projects::delete(tx, id)?;
    Ok(project)
}

/// Adds an admin, also to a project that nobody administers any more.
pub fn add_admin(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ProjectId, admin: IdentityId) -> Result<Project> {
    let mut admins = projects::list_admins(tx, id)?;
    admins.push(admin);
    set_admins(tx, ctx, manager, id, &admins)
}

/// Removes an admin; one that is live has to stay.
pub fn remove_admin(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    id: ProjectId,
    admin: IdentityId,
) -> Result<Project> {
    let mut admins = projects::list_admins(tx, id)?;
    admins.retain(|known| *known != admin);
    set_admins(tx, ctx, manager, id, &admins)
}

fn set_admins(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: ProjectId, admins: &[IdentityId]) -> Result<Project> {
    let changes = ProjectChanges {
        admin_ids: Change::Set(admins.iter().map(IdentityId::to_string).collect()),
        ..ProjectChanges::default()
    };
    update(tx, ctx, manager, id, &changes)
}

/// Refuses to take an identity away from projects that nobody else administers.
pub fn check_not_last_admin(tx: &mut ReadTx, identity: IdentityId) -> Result<()> {
    for project in projects::list_by_admins(tx, &[identity])? {
        let mut others = projects::list_admins(tx, project.id)?;
        others.retain(|id| *id != identity);
        if live(&identities::list_by_ids(tx, &others)?).is_empty() {
            return Err(Error::invalid_parameters(format!(
                "the project {} would have no admin left; name another one first",
                project.id
            ))
            .said(words("refusal-last-admin").arg("project", &project.display_name)));
        }
    }
    Ok(())
}

/// A member that a creating call needs.
pub fn required<'a, T>(field: &'static str, change: &'a Change<T>) -> Result<&'a T> {
    change
        .value()
        .ok_or_else(|| Error::invalid_parameters(format!("{field}: is missing")))
}

/// A member that can be changed but not cleared.
pub fn changed<'a, T>(field: &'static str, change: &'a Change<T>) -> Result<Option<&'a T>> {
    match change {
        Change::Keep => Ok(None),
        Change::Set(value) => Ok(Some(value)),
        Change::Clear => Err(Error::invalid_parameters(format!("{field}: must not be null"))),
    }
}

fn check_contact(email: &str) -> Result<()> {
    check_email(email).map_err(|error| {
        Error::invalid_parameters(error.detail().replacen("email", "contact_email", 1))
            .said(words("account-email-form"))
            .about("contact_email")
    })
}

fn parse_admins(change: &Change<Vec<String>>) -> Result<Option<Vec<IdentityId>>> {
    parse_ids("admin_ids", change)
}

fn parse_groups(change: &Change<Vec<String>>) -> Result<Option<Vec<Uuid>>> {
    let groups: Option<Vec<IdentityId>> = parse_ids("admin_group_ids", change)?;
    Ok(groups.map(|ids| ids.into_iter().map(|id| id.0).collect()))
}

/// The whole list is refused if one element is bad, in the words of the service that
/// clients know. `null` is the empty list.
fn parse_ids(field: &'static str, change: &Change<Vec<String>>) -> Result<Option<Vec<IdentityId>>> {
    let texts = match change {
        Change::Keep => return Ok(None),
        Change::Clear => return Ok(Some(Vec::new())),
        Change::Set(texts) => texts,
    };
    if texts.len() > MAXIMUM_ADMINS {
        return Err(Error::invalid_parameters(format!("{field}: at most {MAXIMUM_ADMINS}")));
    }
    let mut ids: Vec<IdentityId> = Vec::new();
    for text in texts {
        let id = text.parse().map_err(|_| {
            let list = texts
                .iter()
                .map(|text| format!("'{text}'"))
                .collect::<Vec<_>>()
                .join(", ");
            Error::invalid_parameters(format!(
                "Invalid value for '{field}' parameter: [{list}]. '{field}' must be a list of UUIDs"
            ))
        })?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Some(ids))
}

/// Groups give no rights while there is no Groups service, so a live identity is needed.
fn check_admins(tx: &mut ReadTx, admins: &[IdentityId], groups: &[Uuid]) -> Result<()> {
    if admins.is_empty() && groups.is_empty() {
        return Err(Error::invalid_parameters(
            "Either admin_ids or admin_group_ids has to be defined",
        ));
    }
    let known = identities::list_by_ids(tx, admins)?;
    if let Some(unknown) = admins.iter().find(|id| !known.iter().any(|known| known.id == **id)) {
        return Err(Error::invalid_parameters(format!(
            "admin_ids: there is no identity {unknown}"
        )));
    }
    if live(&known).is_empty() {
        return Err(Error::invalid_parameters(
            "admin_ids: at least one enabled identity has to be an admin",
        ));
    }
    Ok(())
}

fn record(
    tx: &mut WriteTx,
    ctx: &Ctx,
    manager: &Manager,
    action: &'static str,
    project: &Project,
    mut detail: serde_json::Value,
) -> Result<()> {
    detail["display_name"] = project.display_name.clone().into();
    let event = Event {
        action,
        actor: manager.actor,
        resource_kind: "project",
        resource_id: project.id.to_string(),
        detail,
    };
    audit::insert(tx, ctx, &event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_500_admins_at_most() {
        let parsed = |count: u128| {
            let ids = (0..count).map(|n| IdentityId::from_u128(n).to_string()).collect();
            parse_ids("admin_ids", &Change::Set(ids))
        };
        assert_eq!(parsed(500).ok().flatten().map(|ids| ids.len()), Some(500));
        for count in [501, 502] {
            let refused = parsed(count).err().map(|error| error.detail().to_owned());
            assert_eq!(refused.as_deref(), Some("admin_ids: at most 500"), "{count}");
        }
    }
}
