//! What a person consented to, as trees: below each consent of an app stand those of the
//! services that it led to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portolan_types::ConsentId;
use portolan_types::api::Consent;

use crate::error::Result;
use crate::scopes::{self, Scope, ScopeError, ScopeList};

/// A list of consents is no forest: one of them names a parent that is not there.
///
/// ```
/// use portolan_sdk::ConsentForest;
///
/// assert!(ConsentForest::new(Vec::new()).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the consent {consent} lies below {parent}, which is not in the list")]
pub struct MissingParent {
    /// The consent.
    pub consent: ConsentId,
    /// The one that it lies below.
    pub parent: ConsentId,
}

/// All trees of an answer.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// let consents = client.get_consents(None, false).await?;
/// let forest = consents.to_forest()?;
/// for tree in forest.trees() {
///     println!("{tree}");
/// }
/// if !forest.meets_scope_requirements("transfer[data_access]")? {
///     println!("ask for a consent");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConsentForest {
    nodes: Vec<Consent>,
    positions: BTreeMap<ConsentId, usize>,
    edges: BTreeMap<ConsentId, BTreeSet<ConsentId>>,
}

impl ConsentForest {
    /// Of these consents, in any order.
    pub fn new(consents: Vec<Consent>) -> Result<Self, MissingParent> {
        let positions: BTreeMap<ConsentId, usize> =
            consents.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
        let mut edges: BTreeMap<ConsentId, BTreeSet<ConsentId>> =
            positions.keys().map(|id| (*id, BTreeSet::new())).collect();
        for consent in &consents {
            let [.., parent, _] = consent.dependency_path.as_slice() else {
                continue;
            };
            let children = edges.get_mut(parent).ok_or(MissingParent {
                consent: consent.id,
                parent: *parent,
            })?;
            children.insert(consent.id);
        }
        Ok(Self {
            nodes: consents,
            positions,
            edges,
        })
    }

    /// Every consent.
    pub fn nodes(&self) -> &[Consent] {
        &self.nodes
    }

    /// The consent with this id.
    pub fn get(&self, id: ConsentId) -> Option<&Consent> {
        self.positions.get(&id).map(|at| &self.nodes[*at])
    }

    /// The ids of those directly below it.
    ///
    /// ```no_run
    /// # fn show(forest: portolan_sdk::ConsentForest) {
    /// for tree in forest.trees() {
    ///     println!("{} services directly below {}", forest.children(tree.root().id).count(), tree.root().scope_name);
    /// }
    /// # }
    /// ```
    pub fn children(&self, id: ConsentId) -> impl Iterator<Item = ConsentId> {
        self.edges.get(&id).into_iter().flatten().copied()
    }

    /// One tree for each consent of an app itself.
    pub fn trees(&self) -> Vec<ConsentTree<'_>> {
        let roots = self.nodes.iter().filter(|node| node.dependency_path.len() == 1);
        roots.map(|root| ConsentTree { forest: self, root }).collect()
    }

    /// Whether for each of these scopes some tree has it, with all of its dependencies.
    /// Whether a consent is optional makes no difference.
    pub fn meets_scope_requirements(&self, scopes: impl ScopeList) -> Result<bool, ScopeError> {
        let trees = self.trees();
        let required = scopes::read(scopes)?;
        Ok(required
            .iter()
            .all(|scope| trees.iter().any(|tree| tree.meets_scope_requirements(scope))))
    }
}

/// One consent of an app with all below it.
///
/// ```no_run
/// # fn show(forest: portolan_sdk::ConsentForest) {
/// for tree in forest.trees() {
///     println!("{} and below: {} consents, {} deep", tree.root().scope_name, tree.nodes().len(), tree.max_depth());
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConsentTree<'a> {
    forest: &'a ConsentForest,
    root: &'a Consent,
}

impl<'a> ConsentTree<'a> {
    /// The consent of the app itself.
    pub fn root(&self) -> &'a Consent {
        self.root
    }

    /// All consents of the tree, parents before children.
    pub fn nodes(&self) -> Vec<&'a Consent> {
        let mut nodes = vec![self.root];
        let mut seen = BTreeSet::from([self.root.id]);
        let mut at = 0;
        while at < nodes.len() {
            for child in self.children(nodes[at]) {
                if seen.insert(child.id) {
                    nodes.push(child);
                }
            }
            at += 1;
        }
        nodes
    }

    /// The consent of the tree with this id.
    pub fn get(&self, id: ConsentId) -> Option<&'a Consent> {
        self.nodes().into_iter().find(|node| node.id == id)
    }

    fn children(&self, node: &Consent) -> impl Iterator<Item = &'a Consent> + use<'a> {
        let forest = self.forest;
        forest.children(node.id).filter_map(|id| forest.get(id))
    }

    /// Whether the root is this scope, and all dependencies of it stand below it.
    pub fn meets_scope_requirements(&self, scope: &Scope) -> bool {
        self.meets(self.root, scope)
    }

    fn meets(&self, node: &Consent, scope: &Scope) -> bool {
        node.scope_name == scope.name()
            && scope
                .dependencies()
                .iter()
                .all(|dependency| self.children(node).any(|child| self.meets(child, dependency)))
    }

    /// How many consents the longest path has.
    pub fn max_depth(&self) -> usize {
        let deepest = self.nodes().into_iter().map(|node| node.dependency_path.len()).max();
        deepest.unwrap_or(1)
    }
}

/// The tree with two spaces for each level.
impl fmt::Display for ConsentTree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn write(tree: &ConsentTree<'_>, node: &Consent, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let indent = 2 * node.dependency_path.len().saturating_sub(1);
            write!(
                f,
                "{:indent$}- Consent [{}]: Client [{}] -> Scope [{}]",
                "", node.id, node.client, node.scope_name
            )?;
            for child in tree.children(node) {
                // A path that does not grow would never end.
                if child.dependency_path.len() > node.dependency_path.len() {
                    f.write_str("\n")?;
                    write(tree, child, f)?;
                }
            }
            Ok(())
        }
        write(self, self.root, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn consent(path: &[i64], scope: &str) -> Consent {
        let time = "2026-02-03T09:15:27.104882+00:00";
        serde_json::from_value(json!({
            "id": path.last().unwrap(), "client": "2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20",
            "scope": "fe0a3f6c-2f0b-4a34-8c6e-7d1a1d2b3c44", "scope_name": scope,
            "effective_identity": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d", "dependency_path": path,
            "status": "approved", "allows_refresh": true, "auto_approved": false, "atomically_revocable": false,
            "created": time, "updated": time, "last_used": time
        }))
        .unwrap()
    }

    fn forest() -> ConsentForest {
        ConsentForest::new(vec![
            consent(&[1, 3, 4], "c"),
            consent(&[1], "a"),
            consent(&[1, 2], "b"),
            consent(&[1, 3], "b2"),
            consent(&[9], "z"),
        ])
        .unwrap()
    }

    #[test]
    fn trees_grow_from_the_consents_of_apps() {
        let forest = forest();
        let trees = forest.trees();
        assert_eq!(trees.len(), 2);
        assert_eq!((trees[0].nodes().len(), trees[0].max_depth()), (4, 3));
        assert_eq!((trees[1].nodes().len(), trees[1].max_depth()), (1, 1));
        assert!(trees[0].get(ConsentId(4)).is_some() && trees[1].get(ConsentId(4)).is_none());
        assert_eq!(
            forest.children(ConsentId(1)).collect::<Vec<_>>(),
            [ConsentId(2), ConsentId(3)]
        );
        assert!(
            trees[0]
                .to_string()
                .ends_with("\n    - Consent [4]: Client [2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20] -> Scope [c]")
        );
    }

    #[test]
    fn a_missing_parent_is_an_error() {
        let error = ConsentForest::new(vec![consent(&[1, 2], "b")]).unwrap_err();
        assert_eq!(
            error,
            MissingParent {
                consent: ConsentId(2),
                parent: ConsentId(1)
            }
        );
    }

    #[test]
    fn requirements_are_met_along_one_path() {
        let forest = forest();
        for (scopes, met) in [
            ("a", true),
            ("a z", true),
            ("a[b b2[c]]", true),
            ("a[*b]", true),
            ("b", false),
            ("a[c]", false),
            ("a[b[c]]", false),
            ("a y", false),
            ("", true),
        ] {
            assert_eq!(forest.meets_scope_requirements(scopes), Ok(met), "{scopes}");
        }
        assert!(forest.meets_scope_requirements("a[").is_err());
    }
}
