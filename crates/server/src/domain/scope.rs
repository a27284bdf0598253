//! From requested names to trees of scopes: look up, check who may see them, expand static
//! and dynamic dependencies (wire.md 1.10, 1.11; decisions, section 8 "Scope cycles").

pub mod registration;
pub mod search;

use std::collections::HashMap;

use portolan_db::ReadTx;
use portolan_types::{ScopeId, ScopeRequest};

use crate::error::{Error, Result};
use crate::store::clients::Client;
use crate::store::scopes::{self, Dependency, Scope};

/// A scope in the tree that a request asks for.
#[derive(Clone, Debug)]
pub struct Node {
    /// The spelling that was asked for; the canonical one for static dependencies.
    pub requested: String,
    pub scope: Scope,
    /// Can be declined or revoked alone.
    pub optional: bool,
    /// The owner of the parent needs a refresh token for it.
    pub requires_refresh_token: bool,
    pub children: Vec<Node>,
}

const MAXIMUM_NODES: usize = 500;
const MAXIMUM_DEPTH: usize = 10;

/// The requested top-level scopes in their order, each with everything below it. Unknown
/// names, and scopes that the client may not see, are one error that lists them.
pub fn expand(tx: &mut ReadTx, request: &ScopeRequest, client: &Client) -> Result<Vec<Node>> {
    let mut known = Known::default();
    for named in scopes::list_by_strings(tx, request.names())? {
        if is_visible(&named.scope, client) {
            known.by_name.insert(named.requested, named.scope.id);
            known.scopes.insert(named.scope.id, named.scope);
        }
    }
    let unknown: Vec<&str> = request
        .names()
        .filter(|name| !known.by_name.contains_key(*name))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown_scopes(client, &unknown));
    }
    for name in request.names() {
        let from = known.by_name[name];
        for (dependency, optional) in request.dependencies(name) {
            let dependency = (known.by_name[dependency.as_str()], dependency.clone(), *optional);
            known.dynamic.entry(from).or_default().push(dependency);
        }
    }
    known.load_static(tx)?;
    let mut tree = Tree {
        known: &known,
        nodes: 0,
    };
    let mut top_level: Vec<Node> = Vec::new();
    for name in request.top_level() {
        let id = known.by_name[name];
        // Two spellings of one scope are one scope.
        if !top_level.iter().any(|node| node.scope.id == id) {
            top_level.push(tree.grow(id, name, false, false, &mut Vec::new())?);
        }
    }
    Ok(top_level)
}

/// The text of wire.md 2.1.4; the names are shown, so the page escapes them.
fn unknown_scopes(client: &Client, names: &[&str]) -> Error {
    let list = names
        .iter()
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ");
    Error::unknown_scope(format!("client_id={} requested unknown scopes: [{list}]", client.id))
}

/// Advertised scopes and scopes of public resource servers are for everybody, others for
/// clients of the same project and for the owner itself.
pub fn is_visible(scope: &Scope, client: &Client) -> bool {
    let same_project = client.project_id.is_some() && scope.owner_project == client.project_id;
    scope.advertised || scope.owner_visibility == "public" || same_project || scope.client_id == client.id
}

#[derive(Default)]
struct Known {
    by_name: HashMap<String, ScopeId>,
    scopes: HashMap<ScopeId, Scope>,
    /// From the request: dependency, its requested spelling, whether it is optional.
    dynamic: HashMap<ScopeId, Vec<(ScopeId, String, bool)>>,
    fixed: HashMap<ScopeId, Vec<Dependency>>,
}

impl Known {
    /// Follows static dependencies level by level until no new scope turns up.
    fn load_static(&mut self, tx: &mut ReadTx) -> Result<()> {
        let mut level: Vec<ScopeId> = self.scopes.keys().copied().collect();
        for _ in 0..MAXIMUM_DEPTH {
            let mut next = Vec::new();
            for dependency in scopes::list_dependencies(tx, level.iter().copied())? {
                let target = dependency.dependent_scope_id;
                if !self.scopes.contains_key(&target) && !next.contains(&target) {
                    next.push(target);
                }
                self.fixed.entry(dependency.scope_id).or_default().push(dependency);
            }
            if self.scopes.len() + next.len() > MAXIMUM_NODES {
                return Err(too_large());
            }
            if next.is_empty() {
                return Ok(());
            }
            for scope in scopes::list_by_ids(tx, next.iter().copied())? {
                self.scopes.insert(scope.id, scope);
            }
            level = next;
        }
        Err(too_large())
    }
}

fn too_large() -> Error {
    Error::invalid_scope(format!(
        "the scopes expand to more than {MAXIMUM_NODES} dependencies or deeper than {MAXIMUM_DEPTH} levels"
    ))
}

struct Tree<'a> {
    known: &'a Known,
    nodes: usize,
}

impl Tree<'_> {
    /// `path` holds the scopes above; one of them is not expanded again below itself.
    fn grow(
        &mut self,
        id: ScopeId,
        requested: &str,
        optional: bool,
        requires_refresh_token: bool,
        path: &mut Vec<ScopeId>,
    ) -> Result<Node> {
        self.nodes += 1;
        if self.nodes > MAXIMUM_NODES || path.len() >= MAXIMUM_DEPTH {
            return Err(too_large());
        }
        path.push(id);
        let mut children = Vec::new();
        for edge in self.edges(id) {
            if !path.contains(&edge.id) {
                children.push(self.grow(
                    edge.id,
                    &edge.requested,
                    edge.optional,
                    edge.requires_refresh_token,
                    path,
                )?);
            }
        }
        path.pop();
        let scope = self.known.scopes[&id].clone();
        Ok(Node {
            requested: requested.to_owned(),
            // One that never gives refresh tokens cannot be waited for.
            requires_refresh_token: requires_refresh_token && scope.allows_refresh_token,
            scope,
            optional,
            children,
        })
    }

    /// Static and dynamic dependencies of a scope; on one edge required wins over optional.
    fn edges(&self, id: ScopeId) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        let fixed = self
            .known
            .fixed
            .get(&id)
            .into_iter()
            .flatten()
            .filter_map(|dependency| {
                let scope = self.known.scopes.get(&dependency.dependent_scope_id)?;
                Some(Edge {
                    id: scope.id,
                    requested: scope.scope_string.clone(),
                    optional: dependency.optional,
                    requires_refresh_token: dependency.requires_refresh_token,
                })
            });
        let dynamic = self
            .known
            .dynamic
            .get(&id)
            .into_iter()
            .flatten()
            .map(|(target, requested, optional)| Edge {
                id: *target,
                requested: requested.clone(),
                optional: *optional,
                requires_refresh_token: false,
            });
        for edge in fixed.chain(dynamic) {
            match edges.iter_mut().find(|known| known.id == edge.id) {
                Some(known) => {
                    known.optional &= edge.optional;
                    known.requires_refresh_token |= edge.requires_refresh_token;
                }
                None => edges.push(edge),
            }
        }
        edges
    }
}

struct Edge {
    id: ScopeId,
    requested: String,
    optional: bool,
    requires_refresh_token: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ScopeId {
        ScopeId::from_u128(number as u128)
    }

    fn needs(scope: usize, dependent: usize, optional: bool, requires_refresh_token: bool) -> Dependency {
        Dependency {
            scope_id: id(scope),
            dependent_scope_id: id(dependent),
            optional,
            requires_refresh_token,
        }
    }

    fn known(scopes: usize, dependencies: impl IntoIterator<Item = Dependency>) -> Known {
        let mut known = Known::default();
        for number in 0..scopes {
            known.scopes.insert(id(number), Scope::sample(id(number), "urn:x"));
        }
        for dependency in dependencies {
            known.fixed.entry(dependency.scope_id).or_default().push(dependency);
        }
        known
    }

    fn grow(known: &Known) -> Option<Node> {
        let mut tree = Tree { known, nodes: 0 };
        tree.grow(id(0), "urn:x", false, false, &mut Vec::new()).ok()
    }

    #[test]
    fn a_tree_has_500_nodes_and_ten_levels_at_most() {
        for (nodes, fits) in [(500, true), (501, false), (502, false)] {
            let wide = known(nodes, (1..nodes).map(|below| needs(0, below, false, false)));
            assert_eq!(grow(&wide).is_some(), fits, "{nodes} nodes");
        }
        for (levels, fits) in [(10, true), (11, false), (12, false)] {
            let deep = known(levels, (1..levels).map(|below| needs(below - 1, below, false, false)));
            assert_eq!(grow(&deep).is_some(), fits, "{levels} levels");
        }
    }

    #[test]
    fn required_wins_over_optional_and_refresh_tokens_need_a_scope_that_allows_them() {
        let mut known = known(4, [needs(0, 1, true, true), needs(0, 3, true, true)]);
        known.dynamic.insert(
            id(0),
            vec![(id(1), "urn:a".into(), false), (id(2), "urn:b".into(), true)],
        );
        let without = known.scopes.get_mut(&id(3)).expect("it was put there");
        without.allows_refresh_token = false;
        let tree = grow(&known).expect("a small tree");
        let below: Vec<_> = tree
            .children
            .iter()
            .map(|child| (child.scope.id, child.optional, child.requires_refresh_token))
            .collect();
        assert_eq!(
            below,
            [(id(1), false, true), (id(3), true, false), (id(2), true, false)]
        );
    }
}
