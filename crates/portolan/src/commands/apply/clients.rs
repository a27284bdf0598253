//! Clients of a file, with their domain names and secrets.

use portolan_db::ReadTx;
use portolan_server::domain::client::{NewClient, registration as rules};
use portolan_server::domain::logout;
use portolan_server::store::clients::{self, Client as Record};
use portolan_server::store::identity_providers;
use portolan_server::{Error, api};
use portolan_types::api::{Change, ClientChanges};
use portolan_types::{ClientId, IdentityProviderId, ProjectId};
use serde_json::{Value, json};

use super::change::differing;
use super::file::{Client, Project};
use super::plan::{Action, Field};
use super::work::{Found, Work};
use crate::find;

/// Decided once, when a client is made.
const FIXED: &[&str] = &["type", "userinfo_from_effective_identity", "prompt_for_named_grant"];

impl Work<'_> {
    pub fn clients_of(&mut self, project: &Project) -> Result<(), Error> {
        let Some(project_id) = self.projects.get(&project.head.name).copied() else {
            return Ok(());
        };
        let known = own_clients(self.tx, project_id)?;
        let known: Vec<(ClientId, String)> = known.into_iter().map(|client| (client.id, client.name)).collect();
        let claimed: Vec<ClientId> = project.clients.iter().filter_map(|client| client.id).collect();
        let found: Vec<_> = project
            .clients
            .iter()
            .map(|client| self.resolve(&client.head, "client", client.id, &known, &claimed))
            .collect();
        for (client, found) in project.clients.iter().zip(found) {
            let name = format!("{} / {}", project.head.name, client.head.name);
            let made = match found {
                Found::Unclear => None,
                Found::New => self.create_client(project_id, client, &name)?,
                Found::Known(id) => self.change_client(id, client, &name)?,
            };
            let Some(id) = made else { continue };
            self.clients
                .insert((project.head.name.clone(), client.head.name.clone()), id);
            for secret in &client.secrets {
                self.secret(id, &name, secret)?;
            }
        }
        Ok(())
    }

    fn create_client(&mut self, project: ProjectId, client: &Client, name: &str) -> Result<Option<ClientId>, Error> {
        let head = &client.head;
        if client.changes.client_type.is_keep() {
            let text = "there is no such client in this project yet: it needs type = \"…\", such as \
                        confidential_client or public_installed_client; portolan client create --help explains them";
            // A type that cannot be read was told before.
            self.findings.push(head.finding("type", text));
            return Ok(None);
        }
        let Some(wanted) = self.client_changes(client)? else {
            return Ok(None);
        };
        let changes = ClientChanges {
            project: Change::Set(project),
            ..wanted.clone()
        };
        let created = rules::prepare(self.tx, self.ctx, &self.manager, &changes).and_then(|prepared| {
            let new = NewClient {
                id_token_algorithm: client.id_token_algorithm.clone(),
                resource_server: client.resource_server_name.clone(),
                ..prepared
            };
            let created = rules::create_prepared(self.tx, self.ctx, &self.manager, &new)?;
            logout::register(self.tx, &created, &changes)?;
            Ok(created)
        });
        let Some(created) = self.judge(head, created)? else {
            return Ok(None);
        };
        let mut fields = self.new_fields(&wanted)?;
        for (name, value) in [
            ("id_token_algorithm", &client.id_token_algorithm),
            ("resource_server_name", &client.resource_server_name),
        ] {
            if let Some(value) = value {
                fields.push(field(name, Value::Null, json!(value)));
            }
        }
        if !self.add_names(&created, client, &mut fields)? || !self.switch(&created, client, &mut fields)? {
            return Ok(None);
        }
        self.enter(Action::Create, "client", name, created.id, fields);
        Ok(Some(created.id))
    }

    fn change_client(&mut self, id: ClientId, client: &Client, name: &str) -> Result<Option<ClientId>, Error> {
        let head = &client.head;
        let stored = clients::get(self.tx, id)?;
        let Some(wanted) = self.client_changes(client)? else {
            return Ok(None);
        };
        let current = api::clients::document(self.tx, &stored)?;
        let current = serde_json::to_value(current).map_err(Error::internal)?;
        let (changes, mut fields) = differing(&wanted, &current)?;
        let mut is_fixed: Vec<(&str, Value)> = fields
            .iter()
            .filter_map(|field| {
                FIXED
                    .iter()
                    .find(|name| **name == field.name)
                    .map(|name| (*name, field.old.clone()))
            })
            .collect();
        let given = |wanted: &Option<String>, stored: &Option<String>| wanted.is_some() && wanted != stored;
        if given(&client.id_token_algorithm, &stored.id_token_algorithm) {
            is_fixed.push(("id_token_algorithm", json!(stored.id_token_algorithm)));
        }
        if given(&client.resource_server_name, &stored.resource_server) {
            is_fixed.push(("resource_server_name", json!(stored.resource_server_name())));
        }
        if !is_fixed.is_empty() {
            for (member, old) in is_fixed {
                let old = old.as_str().map_or_else(|| old.to_string(), str::to_owned);
                let old = if old == "null" { "the server's".to_owned() } else { old };
                let text =
                    format!("never changes, and is {old} here; to have another, describe a client of another name");
                self.findings.push(head.finding(member, text));
            }
            return Ok(None);
        }
        if !fields.is_empty() {
            let changed = rules::update(self.tx, self.ctx, &self.manager, id, &changes);
            if self.judge(head, changed)?.is_none() {
                return Ok(None);
            }
            self.write_out(&mut fields)?;
        }
        if !self.add_names(&stored, client, &mut fields)? || !self.switch(&stored, client, &mut fields)? {
            return Ok(None);
        }
        self.enter_change("client", name, id, fields);
        Ok(Some(id))
    }

    /// What the file says, with its providers by id.
    fn client_changes(&mut self, client: &Client) -> Result<Option<ClientChanges>, Error> {
        let required = self.provider_of(client, "required_idp", client.required_idp.as_deref())?;
        let preselected = self.provider_of(client, "preselect_idp", client.preselect_idp.as_deref())?;
        Ok(match (required, preselected) {
            (Some(required_idp), Some(preselect_idp)) => Some(ClientChanges {
                required_idp,
                preselect_idp,
                ..client.changes.clone()
            }),
            _ => None,
        })
    }

    fn provider_of(
        &mut self,
        client: &Client,
        member: &'static str,
        text: Option<&str>,
    ) -> Result<Option<Change<IdentityProviderId>>, Error> {
        Ok(match text {
            None => Some(Change::Keep),
            Some("none") => Some(Change::Clear),
            Some(text) => {
                let found = find::provider(self.tx, text);
                let found = found.map_err(|error| Error::new(error.kind(), format!("{member}: {}", error.detail())));
                self.judge(&client.head, found)?.map(|provider| {
                    self.named_providers.insert(provider.id, client.head.at(member));
                    Change::Set(provider.id)
                })
            }
        })
    }

    /// Domain names need no proof here: it is this server that others prove them to, and who
    /// runs it writes the file.
    fn add_names(&mut self, stored: &Record, client: &Client, fields: &mut Vec<Field>) -> Result<bool, Error> {
        let old = clients::list_fqdns(self.tx, stored.id)?;
        let prefix = find::scope_prefix(self.tx, self.config)?;
        let mut new = old.clone();
        for name in client.domain_names.iter().filter(|name| !old.contains(name)) {
            let added = rules::add_fqdn(self.tx, self.ctx, &self.manager, &prefix, stored.id, name);
            if self.judge(&client.head, added)?.is_none() {
                return Ok(false);
            }
            new.push(name.clone());
        }
        if new != old {
            fields.push(field("domain_names", json!(old), json!(new)));
        }
        Ok(true)
    }

    fn switch(&mut self, stored: &Record, client: &Client, fields: &mut Vec<Field>) -> Result<bool, Error> {
        let Some(enabled) = client.enabled.filter(|enabled| *enabled != stored.enabled) else {
            return Ok(true);
        };
        let switched = rules::set_enabled(self.tx, self.ctx, &self.manager, stored.id, enabled);
        fields.push(field("enabled", json!(stored.enabled), json!(enabled)));
        Ok(self.judge(&client.head, switched)?.is_some())
    }

    pub fn provider_name(&mut self, id: &Value) -> Result<Value, Error> {
        let Ok(id) = serde_json::from_value(id.clone()) else {
            return Ok(Value::Null);
        };
        let found = identity_providers::find(self.tx, id)?;
        Ok(json!(found.map(|provider| provider.short_name)))
    }
}

/// The clients that admins made in a project: what devices registered and what clients made
/// for themselves is not for a file.
pub fn own_clients(tx: &mut ReadTx, project: ProjectId) -> Result<Vec<Record>, Error> {
    let mut found = clients::list_by_projects(tx, [project])?;
    found.retain(|client| !client.is_instance && client.parent_client_id.is_none());
    Ok(found)
}

fn field(name: &str, old: Value, new: Value) -> Field {
    Field {
        name: name.to_owned(),
        old,
        new,
    }
}
