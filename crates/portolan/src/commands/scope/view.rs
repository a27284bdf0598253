//! A scope with what is worth to be known beside its document.

use std::collections::HashMap;

use anyhow::Result;
use portolan_db::ReadTx;
use portolan_server::Error;
use portolan_server::api::scopes::documents;
use portolan_server::store::scopes::{self, Scope as Record};
use portolan_types::ScopeId;
use portolan_types::api::{self, CreatedScopeAnswer};
use serde_json::Value;

use crate::options::Options;
use crate::output;

pub struct View {
    pub document: api::Scope,
    pub owner: String,
    pub spellings: Vec<String>,
    /// What it needs further down, as far as that is declared, by id.
    pub known: HashMap<ScopeId, api::Scope>,
}

impl View {
    pub fn of(tx: &mut ReadTx, scope: Record) -> Result<Self, Error> {
        let owner = format!("{} ({})", scope.owner_name, scope.client_id);
        let spellings = scopes::list_strings(tx, scope.id)?;
        let document = one_document(tx, scope)?;
        let known = further_down(&document, |ids| {
            let found = scopes::list_by_ids(tx, ids.iter().copied())?;
            documents(tx, found)
        })?;
        Ok(Self {
            document,
            owner,
            spellings,
            known,
        })
    }

    pub fn print(&self, options: &Options, json: &Value) -> Result<()> {
        let scope = &self.document;
        output::print(options.format, json, || {
            let dependencies = self.branches(scope, &mut vec![scope.id]);
            let all = [
                ("name", scope.name.clone()),
                ("id", scope.id.to_string()),
                ("scope string", self.spellings.join("\n")),
                ("client", self.owner.clone()),
                ("description", scope.description.clone()),
                ("advertised", output::yes_no(scope.advertised)),
                ("allows refresh", output::yes_no(scope.allows_refresh_token)),
                ("required domains", scope.required_domains.join("\n")),
                ("depends on", output::tree(&dependencies).trim_end().to_owned()),
            ];
            output::facts(all.into_iter().filter(|(_, value)| !value.is_empty()))
        })
    }

    /// Guides read the list, as in the answer of the JSON interface.
    pub fn print_created(&self, options: &Options) -> Result<()> {
        let records = self.spellings.iter().map(|scope_string| api::Scope {
            scope_string: scope_string.clone(),
            ..self.document.clone()
        });
        let answer = CreatedScopeAnswer {
            scopes: records.collect(),
            scope: self.document.clone(),
        };
        self.print(options, &serde_json::to_value(answer)?)
    }

    /// A scope is not shown again below itself.
    fn branches(&self, scope: &api::Scope, above: &mut Vec<ScopeId>) -> Vec<output::Branch> {
        let mut branches = Vec::new();
        for dependency in &scope.dependent_scopes {
            let Some(target) = self.known.get(&dependency.scope) else {
                continue;
            };
            let mut line = target.scope_string.clone();
            line.push_str(match (dependency.optional, dependency.requires_refresh_token) {
                (false, false) => "",
                (true, false) => " (optional)",
                (false, true) => " (with refresh token)",
                (true, true) => " (optional, with refresh token)",
            });
            let children = if above.contains(&target.id) {
                Vec::new()
            } else {
                above.push(target.id);
                let children = self.branches(target, above);
                above.pop();
                children
            };
            branches.push(output::Branch {
                lines: vec![line],
                children,
            });
        }
        branches
    }
}

/// Fetches what a scope depends on, level by level.
pub fn further_down<E>(
    scope: &api::Scope,
    mut fetch: impl FnMut(&[ScopeId]) -> Result<Vec<api::Scope>, E>,
) -> Result<HashMap<ScopeId, api::Scope>, E> {
    let mut known = HashMap::from([(scope.id, scope.clone())]);
    let mut level = vec![scope.clone()];
    while !level.is_empty() {
        let mut missing: Vec<ScopeId> = level
            .iter()
            .flat_map(|scope| &scope.dependent_scopes)
            .map(|dependency| dependency.scope)
            .filter(|id| !known.contains_key(id))
            .collect();
        missing.sort();
        missing.dedup();
        level = if missing.is_empty() {
            Vec::new()
        } else {
            fetch(&missing)?
        };
        known.extend(level.iter().map(|scope| (scope.id, scope.clone())));
    }
    Ok(known)
}

pub fn one_document(tx: &mut ReadTx, scope: Record) -> Result<api::Scope, Error> {
    let mut found = documents(tx, vec![scope])?;
    found.pop().ok_or_else(|| Error::internal("a scope has a document"))
}
