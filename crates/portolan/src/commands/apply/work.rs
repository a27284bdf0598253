//! The one transaction: everything that a file says, through the rules that the commands
//! and the JSON interface go through. Whether it is only tried is decided at its end.
//!
//! What the file caused is noted, and the rest is looked at all the same; what else goes
//! wrong ends the work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use portolan_db::WriteTx;
use portolan_server::domain::policy::registration as policy_rules;
use portolan_server::domain::project::{self as rules, Manager};
use portolan_server::store::identities;
use portolan_server::store::policies;
use portolan_server::store::projects::{self, BUILT_IN};
use portolan_server::{App, Config, Ctx, Error, Kind, api};
use portolan_types::api::{Change, PolicyChanges, ProjectChanges};
use portolan_types::{ClientId, IdentityId, IdentityProviderId, PolicyId, ProjectId, ScopeId};
use serde_json::{Value, json};

use super::change::{differing, name_in_file};
use super::file::{File, Policy, Project};
use super::plan::{Action, Entry, Field, Plan};
use super::secrets::Files;
use super::source::{Finding, Head, Place};
use crate::find;

pub struct Work<'a> {
    pub tx: &'a mut WriteTx,
    pub ctx: &'a Ctx,
    pub config: &'a Config,
    pub manager: Manager,
    pub plan: Plan,
    pub findings: Vec<Finding>,
    pub files: Files,
    /// What is in the file.
    pub providers: BTreeSet<IdentityProviderId>,
    pub projects: BTreeMap<String, ProjectId>,
    /// By the names of project and client.
    pub clients: BTreeMap<(String, String), ClientId>,
    pub scopes: BTreeSet<ScopeId>,
    pub policies: BTreeSet<PolicyId>,
    /// What the file relies on, and where it says so.
    pub named_providers: BTreeMap<IdentityProviderId, Place>,
    pub named_scopes: BTreeMap<ScopeId, Place>,
    pub named_identities: BTreeMap<IdentityId, Place>,
}

/// What an entry stands for.
pub enum Found<T> {
    New,
    Known(T),
    /// It was said why not.
    Unclear,
}

/// Whether something else in the file would have prevented it.
pub fn is_theirs(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::InvalidParameters
            | Kind::InvalidRequest
            | Kind::InvalidScope
            | Kind::UnknownScope
            | Kind::Conflict
            | Kind::Forbidden
            | Kind::NotFound(_)
    )
}

impl<'a> Work<'a> {
    pub fn new(tx: &'a mut WriteTx, ctx: &'a Ctx, config: &'a Config) -> Self {
        Self {
            tx,
            ctx,
            config,
            manager: Manager::operator(),
            plan: Plan::default(),
            findings: Vec::new(),
            files: Files::default(),
            providers: BTreeSet::new(),
            projects: BTreeMap::new(),
            clients: BTreeMap::new(),
            scopes: BTreeSet::new(),
            policies: BTreeSet::new(),
            named_providers: BTreeMap::new(),
            named_scopes: BTreeMap::new(),
            named_identities: BTreeMap::new(),
        }
    }

    /// Those that others refer to come first.
    pub fn all(&mut self, file: &File, app: Option<&App>) -> Result<(), Error> {
        if let Some(app) = app {
            for provider in &file.providers {
                self.provider(app, provider)?;
            }
        }
        self.all_projects(&file.projects)?;
        for project in &file.projects {
            self.clients_of(project)?;
        }
        self.all_scopes(&file.projects)?;
        for project in &file.projects {
            self.policies_of(project)?;
        }
        Ok(())
    }

    /// Notes what the file caused, at the place that caused it.
    pub fn judge<T>(&mut self, head: &Head, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_theirs(&error) => {
                // Most refusals begin with the member that they are about.
                let detail = error.detail();
                let (member, text) = match detail.split_once(": ") {
                    Some((member, text)) if !member.contains(' ') => (name_in_file(member), text),
                    _ => ("", detail),
                };
                let finding = if head.says(member) {
                    head.finding(member, text)
                } else if member.is_empty() || member == "name" || member == "suffix" {
                    head.finding("", text)
                } else {
                    head.finding("", format!("{member} {text}"))
                };
                self.findings.push(finding);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub fn enter(
        &mut self,
        action: Action,
        kind: &'static str,
        name: impl Into<String>,
        id: impl Display,
        fields: Vec<Field>,
    ) {
        self.plan.entries.push(Entry {
            action,
            kind,
            name: name.into(),
            id: id.to_string(),
            fields,
        });
    }

    /// A change, unless there is none.
    pub fn enter_change(&mut self, kind: &'static str, name: impl Into<String>, id: impl Display, fields: Vec<Field>) {
        if fields.is_empty() {
            self.plan.unchanged += 1;
        } else {
            self.enter(Action::Change, kind, name, id, fields);
        }
    }

    /// Which of those that are there an entry means. Entries with ids have been asked before:
    /// what they mean is no longer known by its name.
    pub fn resolve<T: Copy + PartialEq + Display>(
        &mut self,
        head: &Head,
        noun: &str,
        id: Option<T>,
        known: &[(T, String)],
        claimed: &[T],
    ) -> Found<T> {
        if let Some(id) = id {
            if known.iter().any(|(known, _)| *known == id) {
                return Found::Known(id);
            }
            let text = format!("there is no such {noun} here; leave the id out to make one");
            self.findings.push(head.finding("id", text));
            return Found::Unclear;
        }
        let mut named = known
            .iter()
            .filter(|(id, name)| *name == head.name && !claimed.contains(id));
        match (named.next(), named.next()) {
            (None, _) => Found::New,
            (Some((id, _)), None) => Found::Known(*id),
            (Some((one, _)), Some((other, _))) => {
                let text = format!("more than one {noun} has this name; say which: id = \"{one}\" or id = \"{other}\"");
                self.findings.push(head.finding("", text));
                Found::Unclear
            }
        }
    }

    fn all_projects(&mut self, all: &[Project]) -> Result<(), Error> {
        let known: Vec<(ProjectId, String)> = projects::list(self.tx)?
            .into_iter()
            .filter(|project| project.id != BUILT_IN)
            .map(|project| (project.id, project.display_name))
            .collect();
        let claimed: Vec<ProjectId> = all.iter().filter_map(|project| project.id).collect();
        let found: Vec<_> = all
            .iter()
            .map(|project| self.resolve(&project.head, "project", project.id, &known, &claimed))
            .collect();
        for (project, found) in all.iter().zip(found) {
            if let Some(id) = self.project(project, found)? {
                self.projects.insert(project.head.name.clone(), id);
            }
        }
        Ok(())
    }

    fn project(&mut self, project: &Project, found: Found<ProjectId>) -> Result<Option<ProjectId>, Error> {
        let head = &project.head;
        let Some(admins) = self.admins(project)? else {
            return Ok(None);
        };
        let changes = ProjectChanges {
            display_name: Change::Set(head.name.clone()),
            contact_email: project.contact.clone().into(),
            admin_ids: admins.into(),
            ..ProjectChanges::default()
        };
        let id = match found {
            Found::Unclear => return Ok(None),
            Found::Known(id) => id,
            Found::New => return self.create_project(project, &changes),
        };
        let stored = projects::get(self.tx, id)?;
        let current = json!({
            "display_name": stored.display_name,
            "contact_email": stored.contact_email,
            "admin_ids": projects::list_admins(self.tx, id)?,
        });
        let (changes, mut fields) = differing(&changes, &current)?;
        if !fields.is_empty() {
            let changed = rules::update(self.tx, self.ctx, &self.manager, id, &changes);
            if self.judge(head, changed)?.is_none() {
                return Ok(None);
            }
            self.write_out(&mut fields)?;
        }
        self.enter_change("project", &head.name, id, fields);
        Ok(Some(id))
    }

    fn create_project(&mut self, project: &Project, changes: &ProjectChanges) -> Result<Option<ProjectId>, Error> {
        let head = &project.head;
        let missing = [
            (
                project.contact.is_none(),
                "there is no such project yet: it needs contact = \"…\", the address that important notices go to",
            ),
            (
                project.admins.is_none(),
                "there is no such project yet: it needs admins = [\"…\"], one at least, by username or id",
            ),
        ];
        let missing: Vec<Finding> = missing
            .iter()
            .filter(|(is_missing, _)| *is_missing)
            .map(|(_, text)| head.finding("", *text))
            .collect();
        if !missing.is_empty() {
            self.findings.extend(missing);
            return Ok(None);
        }
        let created = rules::create(self.tx, self.ctx, &self.manager, changes);
        let Some(created) = self.judge(head, created)? else {
            return Ok(None);
        };
        let fields = self.new_fields(changes)?;
        self.enter(Action::Create, "project", &head.name, created.id, fields);
        Ok(Some(created.id))
    }

    /// What a new thing brings beside its name.
    pub fn new_fields<C>(&mut self, changes: &C) -> Result<Vec<Field>, Error>
    where
        C: serde::Serialize + serde::de::DeserializeOwned,
    {
        let (_, mut fields) = differing(changes, &Value::Null)?;
        fields.retain(|field| field.name != "name" && field.name != "suffix");
        self.write_out(&mut fields)?;
        Ok(fields)
    }

    /// The admins that the file names, as ids. None if one is unknown.
    fn admins(&mut self, project: &Project) -> Result<Option<Option<Vec<String>>>, Error> {
        let Some(admins) = &project.admins else {
            return Ok(Some(None));
        };
        let (mut ids, mut all_known) = (Vec::new(), true);
        for admin in admins {
            let found = find::identity(self.tx, &self.config.local_domain, admin);
            let found = found.map_err(|error| Error::new(error.kind(), format!("admins: {}", error.detail())));
            match self.judge(&project.head, found)? {
                Some(identity) => {
                    self.named_identities.insert(identity.id, project.head.at("admins"));
                    // Named twice, by username and by id, it is one admin all the same.
                    let id = identity.id.to_string();
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                None => all_known = false,
            }
        }
        Ok(all_known.then_some(Some(ids)))
    }

    fn policies_of(&mut self, project: &Project) -> Result<(), Error> {
        let Some(project_id) = self.projects.get(&project.head.name).copied() else {
            return Ok(());
        };
        let mut known: Vec<(PolicyId, String)> = policies::list_by_projects(self.tx, [project_id])?
            .into_iter()
            .map(|policy| (policy.id, policy.display_name))
            .collect();
        let claimed: Vec<PolicyId> = project.policies.iter().filter_map(|policy| policy.id).collect();
        // A policy may come from another project.
        for id in &claimed {
            if let Some(policy) = policies::find(self.tx, *id)?.filter(|policy| !policy.unlisted) {
                known.push((policy.id, policy.display_name));
            }
        }
        for policy in &project.policies {
            let found = self.resolve(&policy.head, "policy", policy.id, &known, &claimed);
            self.policy(project, project_id, policy, found)?;
        }
        Ok(())
    }

    fn policy(
        &mut self,
        project: &Project,
        project_id: ProjectId,
        policy: &Policy,
        found: Found<PolicyId>,
    ) -> Result<(), Error> {
        let name = format!("{} / {}", project.head.name, policy.head.name);
        let changes = PolicyChanges {
            project_id: Change::Set(project_id),
            ..policy.changes.clone()
        };
        let id = match found {
            Found::Unclear => return Ok(()),
            Found::Known(id) => id,
            Found::New => {
                let created = policy_rules::create(self.tx, self.ctx, &self.manager, &changes);
                if let Some(created) = self.judge(&policy.head, created)? {
                    self.policies.insert(created.id);
                    let fields = self.new_fields(&policy.changes)?;
                    self.enter(Action::Create, "policy", name, created.id, fields);
                }
                return Ok(());
            }
        };
        self.policies.insert(id);
        let stored = policies::get(self.tx, id)?;
        let current = serde_json::to_value(api::policies::document(stored)).map_err(Error::internal)?;
        let (changes, mut fields) = differing(&changes, &current)?;
        if !fields.is_empty() {
            let changed = policy_rules::update(self.tx, self.ctx, &self.manager, id, &changes);
            if self.judge(&policy.head, changed)?.is_none() {
                return Ok(());
            }
            self.write_out(&mut fields)?;
        }
        self.enter_change("policy", name, id, fields);
        Ok(())
    }

    /// Puts names in place of ids.
    pub fn write_out(&mut self, fields: &mut [Field]) -> Result<(), Error> {
        for field in fields {
            for value in [&mut field.old, &mut field.new] {
                *value = match field.name.as_str() {
                    "admins" => self.usernames(value)?,
                    "depends_on" => self.dependency_texts(value)?,
                    "required_idp" | "preselect_idp" => self.provider_name(value)?,
                    "project" => self.project_name(value)?,
                    _ => continue,
                };
            }
        }
        Ok(())
    }

    fn usernames(&mut self, ids: &Value) -> Result<Value, Error> {
        let ids: Vec<IdentityId> = serde_json::from_value(ids.clone()).unwrap_or_default();
        let found = identities::list_by_ids(self.tx, &ids)?;
        let mut names: Vec<String> = found.into_iter().map(|identity| identity.username).collect();
        names.sort();
        Ok(json!(names))
    }

    fn project_name(&mut self, id: &Value) -> Result<Value, Error> {
        let Ok(id) = serde_json::from_value(id.clone()) else {
            return Ok(Value::Null);
        };
        let found = projects::find(self.tx, id)?;
        Ok(json!(found.map(|project| project.display_name)))
    }
}
