//! Deleting what belongs to the file's projects and is not in it. What the file relies on
//! is not deleted behind its back.
//!
//! Secrets and domain names stay: the first may be in use somewhere, whatever the file
//! knows of it, and the second cannot be given up.

use portolan_server::Error;
use portolan_server::domain::client::registration::{self as client_rules, Notice};
use portolan_server::domain::policy::registration as policy_rules;
use portolan_server::domain::scope::registration as scope_rules;
use portolan_server::store::{identity_providers, policies, scopes};
use portolan_types::ClientId;

use super::clients::own_clients;
use super::file::File;
use super::plan::Action;
use super::source::Finding;
use super::work::Work;

impl Work<'_> {
    pub fn prune(&mut self, file: &File) -> Result<(), Error> {
        let in_file: Vec<ClientId> = self.clients.values().copied().collect();
        for project in &file.projects {
            let Some(id) = self.projects.get(&project.head.name).copied() else {
                continue;
            };
            for client in own_clients(self.tx, id)? {
                let name = format!("{} / {}", project.head.name, client.name);
                let is_stray = !in_file.contains(&client.id);
                let mut relied_on = false;
                for scope in scopes::list_by_clients(self.tx, [client.id])? {
                    if self.scopes.contains(&scope.id) {
                        continue;
                    }
                    if let Some(place) = self.named_scopes.get(&scope.id).cloned() {
                        self.rely(place, format!("the scope {}", scope.scope_string));
                        relied_on = true;
                    } else if !is_stray {
                        let deleted = scope_rules::delete(self.tx, self.ctx, &self.manager, scope.id);
                        if self.judge(&project.head, deleted)?.is_some() {
                            let suffix = scope.suffix.unwrap_or(scope.scope_string);
                            self.enter(
                                Action::Delete,
                                "scope",
                                format!("{name} / {suffix}"),
                                scope.id,
                                Vec::new(),
                            );
                        }
                    }
                }
                if !is_stray || relied_on {
                    continue;
                }
                if let Some(place) = self.named_identities.get(&client.id.identity()).cloned() {
                    self.rely(place, format!("the client {}", client.name));
                    continue;
                }
                let deleted = client_rules::delete(self.tx, self.ctx, &self.manager, client.id, Notice::Send);
                if self.judge(&project.head, deleted)?.is_some() {
                    self.enter(Action::Delete, "client", name, client.id, Vec::new());
                }
            }
            for policy in policies::list_by_projects(self.tx, [id])? {
                if self.policies.contains(&policy.id) {
                    continue;
                }
                let deleted = policy_rules::delete(self.tx, self.ctx, &self.manager, policy.id);
                if self.judge(&project.head, deleted)?.is_some() {
                    let name = format!("{} / {}", project.head.name, policy.display_name);
                    self.enter(Action::Delete, "policy", name, policy.id, Vec::new());
                }
            }
        }
        let Some(place) = &file.manages_providers else {
            return Ok(());
        };
        let named: Vec<_> = self
            .named_providers
            .iter()
            .filter(|(id, _)| !self.providers.contains(id))
            .map(|(id, place)| (*id, place.clone()))
            .collect();
        for (id, place) in named {
            let Some(provider) = identity_providers::find(self.tx, id)? else {
                continue;
            };
            if portolan_server::upstream::provider::is_upstream(&provider.kind) {
                self.rely(place, format!("the identity provider {}", provider.short_name));
            }
        }
        self.prune_providers(&Finding {
            place: place.clone(),
            text: String::new(),
        })
    }

    fn rely(&mut self, place: super::source::Place, what: String) {
        self.findings.push(Finding {
            place,
            text: format!("names {what}, which is not in the file, so that --prune would delete it: describe it, too"),
        });
    }
}
