//! Scopes of a file. A scope comes after those that it depends on, wherever they stand, so
//! that the rules see each of them as it will be.

use std::collections::BTreeMap;

use portolan_server::domain::scope::registration as rules;
use portolan_server::store::clients::{self, Client as Record};
use portolan_server::store::scopes;
use portolan_server::{Error, Kind, api};
use portolan_types::api::{Change, DependentScope, ScopeChanges};
use portolan_types::{ClientId, ScopeId};
use serde_json::{Value, json};

use super::change::differing;
use super::file::{Dependency, Project, Scope, Target};
use super::plan::Action;
use super::source::Finding;
use super::work::{Found, Work};
use crate::find;

/// A scope of the file on its way into the store.
struct Pending<'f> {
    project: &'f str,
    client_name: &'f str,
    client: ClientId,
    scope: &'f Scope,
    /// The one that is there already.
    known: Option<ScopeId>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    Done(ScopeId),
    /// It was said why.
    Failed,
}

/// What a dependency leads to.
enum Lead {
    To(ScopeId),
    /// Another scope of the file, which is not so far.
    Behind(usize),
    /// Perhaps one that is still made.
    Nowhere(String),
    ToFailed,
}

impl Pending<'_> {
    fn title(&self) -> String {
        format!("{} / {} / {}", self.project, self.client_name, self.scope.head.name)
    }
}

impl Work<'_> {
    pub fn all_scopes(&mut self, projects: &[Project]) -> Result<(), Error> {
        let mut all = self.pending(projects)?;
        loop {
            let mut is_further = false;
            for index in 0..all.len() {
                if all[index].state == State::Waits
                    && let Some(state) = self.try_scope(&all, index)?
                {
                    all[index].state = state;
                    is_further = true;
                }
            }
            if !is_further {
                break;
            }
        }
        self.explain(&all)
    }

    fn pending<'f>(&mut self, projects: &'f [Project]) -> Result<Vec<Pending<'f>>, Error> {
        let mut all = Vec::new();
        for project in projects {
            for client in &project.clients {
                let key = (project.head.name.clone(), client.head.name.clone());
                let id = self.clients.get(&key).copied();
                let known: Vec<(ScopeId, String)> = match id {
                    Some(id) => scopes::list_by_clients(self.tx, [id])?
                        .into_iter()
                        .filter_map(|scope| Some((scope.id, scope.suffix?)))
                        .collect(),
                    None => Vec::new(),
                };
                let claimed: Vec<ScopeId> = client.scopes.iter().filter_map(|scope| scope.id).collect();
                for scope in &client.scopes {
                    let found = match id {
                        Some(_) => self.resolve(&scope.head, "scope", scope.id, &known, &claimed),
                        None => Found::Unclear,
                    };
                    all.push(Pending {
                        project: &project.head.name,
                        client_name: &client.head.name,
                        client: id.unwrap_or(ClientId::from_u128(0)),
                        scope,
                        known: match found {
                            Found::Known(id) => Some(id),
                            _ => None,
                        },
                        state: match found {
                            Found::Unclear => State::Failed,
                            _ => State::Waits,
                        },
                    });
                }
            }
        }
        Ok(all)
    }

    /// Makes or changes a scope, if all that it depends on is as it will be.
    fn try_scope(&mut self, all: &[Pending<'_>], index: usize) -> Result<Option<State>, Error> {
        let pending = &all[index];
        let mut dependencies = Vec::new();
        for dependency in pending.scope.depends_on.iter().flatten() {
            match self.lead(all, pending, dependency)? {
                Lead::To(id) => {
                    self.named_scopes.insert(id, dependency.place.clone());
                    dependencies.push(DependentScope {
                        scope: id,
                        optional: dependency.optional,
                        requires_refresh_token: dependency.refresh,
                    });
                }
                Lead::ToFailed => return Ok(Some(State::Failed)),
                Lead::Behind(_) | Lead::Nowhere(_) => return Ok(None),
            }
        }
        let changes = ScopeChanges {
            dependent_scopes: match &pending.scope.depends_on {
                Some(_) => Change::Set(dependencies),
                None => Change::Keep,
            },
            ..pending.scope.changes.clone()
        };
        let made = match pending.known {
            None => self.create_scope(pending, &changes)?,
            Some(id) => self.change_scope(pending, id, &changes)?,
        };
        Ok(Some(match made {
            Some(id) => {
                self.scopes.insert(id);
                State::Done(id)
            }
            None => State::Failed,
        }))
    }

    fn create_scope(&mut self, pending: &Pending<'_>, changes: &ScopeChanges) -> Result<Option<ScopeId>, Error> {
        let head = &pending.scope.head;
        let client = clients::get(self.tx, pending.client)?;
        let prefix = find::scope_prefix(self.tx, self.config)?;
        let created = rules::create(self.tx, self.ctx, &self.manager, &prefix, &client, changes);
        let Some(created) = self.judge(head, created)? else {
            return Ok(None);
        };
        let mut fields = self.new_fields(changes)?;
        // The key is the suffix, so what is called name here is another thing.
        if let Some(name) = changes.name.value() {
            fields.insert(
                0,
                super::plan::Field {
                    name: "name".to_owned(),
                    old: Value::Null,
                    new: json!(name),
                },
            );
        }
        self.enter(Action::Create, "scope", pending.title(), created.id, fields);
        Ok(Some(created.id))
    }

    fn change_scope(
        &mut self,
        pending: &Pending<'_>,
        id: ScopeId,
        changes: &ScopeChanges,
    ) -> Result<Option<ScopeId>, Error> {
        let stored = scopes::get(self.tx, id)?;
        let suffix = stored.suffix.clone();
        let document = api::scopes::documents(self.tx, vec![stored])?.pop();
        let mut current = serde_json::to_value(document).map_err(Error::internal)?;
        current["scope_suffix"] = json!(suffix);
        let (changes, mut fields) = differing(changes, &current)?;
        if !fields.is_empty() {
            let prefix = find::scope_prefix(self.tx, self.config)?;
            let changed = rules::update(self.tx, self.ctx, &self.manager, &prefix, id, &changes);
            if self.judge(&pending.scope.head, changed)?.is_none() {
                return Ok(None);
            }
            self.write_out(&mut fields)?;
        }
        self.enter_change("scope", pending.title(), id, fields);
        Ok(Some(id))
    }

    fn lead(&mut self, all: &[Pending<'_>], pending: &Pending<'_>, dependency: &Dependency) -> Result<Lead, Error> {
        let found = match &dependency.target {
            Target::Scope(text) => match find::find_scope(self.tx, text)? {
                Some(scope) => Ok(scope.id),
                None => Err(format!("there is no scope {text}; portolan scope list shows them all")),
            },
            Target::OfClient { client, suffix } => {
                let of_file = |other: &Pending<'_>| other.client_name == client && other.scope.head.name == *suffix;
                let here = |other: &Pending<'_>| of_file(other) && other.project == pending.project;
                let index = match all.iter().position(here) {
                    Some(index) => Some(index),
                    None => only(all.iter().enumerate().filter(|(_, other)| of_file(other))).map(|(index, _)| index),
                };
                if let Some(index) = index {
                    return Ok(lead_of(all, index));
                }
                match self.client_named(pending.project, client)? {
                    Ok(owner) => {
                        let own = scopes::list_by_clients(self.tx, [owner.id])?;
                        own.into_iter()
                            .find(|scope| scope.suffix.as_ref() == Some(suffix))
                            .map(|scope| scope.id)
                            .ok_or_else(|| {
                                format!(
                                    "{} has no scope {suffix}; portolan scope list --client {} shows those that it has",
                                    owner.name, owner.id
                                )
                            })
                    }
                    Err(text) => Err(text),
                }
            }
        };
        Ok(match found {
            Ok(id) => match all.iter().position(|other| other.known == Some(id)) {
                Some(index) => lead_of(all, index),
                None => Lead::To(id),
            },
            Err(text) => Lead::Nowhere(text),
        })
    }

    fn client_named(&mut self, project: &str, name: &str) -> Result<Result<Record, String>, Error> {
        if let Some(id) = self.clients.get(&(project.to_owned(), name.to_owned())).copied() {
            return Ok(Ok(clients::get(self.tx, id)?));
        }
        match find::client(self.tx, name) {
            Ok(client) => Ok(Ok(client)),
            Err(error) if matches!(error.kind(), Kind::NotFound(_) | Kind::Conflict) => {
                Ok(Err(error.detail().to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// Says of those that are left what they wait for in vain.
    fn explain(&mut self, all: &[Pending<'_>]) -> Result<(), Error> {
        // The first that each waits for.
        let mut behind: BTreeMap<usize, (usize, &Dependency)> = BTreeMap::new();
        for (index, pending) in all.iter().enumerate() {
            if pending.state != State::Waits {
                continue;
            }
            for dependency in pending.scope.depends_on.iter().flatten() {
                match self.lead(all, pending, dependency)? {
                    Lead::Nowhere(text) => self.findings.push(Finding {
                        place: dependency.place.clone(),
                        text,
                    }),
                    Lead::Behind(other) => {
                        behind.entry(index).or_insert((other, dependency));
                    }
                    Lead::To(_) | Lead::ToFailed => {}
                }
            }
        }
        let mut told = vec![false; all.len()];
        for start in behind.keys().copied() {
            let mut way = vec![start];
            while let Some((next, _)) = way.last().and_then(|last| behind.get(last)) {
                if told[*next] {
                    break;
                }
                if let Some(begin) = way.iter().position(|seen| seen == next) {
                    let mut titles: Vec<String> = way[begin..].iter().map(|index| all[*index].title()).collect();
                    titles.push(all[*next].title());
                    self.findings.extend(behind.get(next).map(|(_, dependency)| Finding {
                        place: dependency.place.clone(),
                        text: format!("leads back to the scope itself: {}", titles.join(" → ")),
                    }));
                    break;
                }
                way.push(*next);
            }
            for index in way {
                told[index] = true;
            }
        }
        Ok(())
    }

    pub fn dependency_texts(&mut self, value: &Value) -> Result<Value, Error> {
        let dependencies: Vec<DependentScope> = serde_json::from_value(value.clone()).unwrap_or_default();
        let known = scopes::list_by_ids(self.tx, dependencies.iter().map(|dependency| dependency.scope))?;
        let texts = dependencies.iter().map(|dependency| {
            let scope = known.iter().find(|scope| scope.id == dependency.scope);
            let name = scope.map_or(dependency.scope.to_string(), |scope| scope.scope_string.clone());
            match (dependency.optional, dependency.requires_refresh_token) {
                (false, false) => name,
                (true, false) => format!("{name} (optional)"),
                (false, true) => format!("{name} (refresh)"),
                (true, true) => format!("{name} (optional, refresh)"),
            }
        });
        Ok(json!(texts.collect::<Vec<_>>()))
    }
}

fn lead_of(all: &[Pending<'_>], index: usize) -> Lead {
    match all[index].state {
        State::Done(id) => Lead::To(id),
        State::Failed => Lead::ToFailed,
        State::Waits => Lead::Behind(index),
    }
}

/// The one, if there is only one.
fn only<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
