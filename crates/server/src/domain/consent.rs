//! Consents: whether a request has all it needs, and what a person approves.

use std::collections::HashSet;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::{ClientId, ConsentId, IdentityId, ScopeId};

use crate::app::{Ctx, random_bytes};
use crate::domain::scope::Node;
use crate::domain::tokens::GrantedScope;
use crate::error::{Error, Result};
use crate::store::consents::{self, Consent};

/// What a grant for these trees rests on, if every consent they need is there: approved,
/// and good for refresh tokens where they are wanted. An optional branch that was declined
/// counts as answered.
pub fn find_granted(
    tx: &mut ReadTx,
    identity_id: IdentityId,
    client_id: ClientId,
    trees: &[Node],
    offline: bool,
) -> Result<Option<Vec<GrantedScope>>> {
    let existing = consents::list_trees(tx, identity_id, client_id)?;
    let granted = trees.iter().map(|root| {
        let consent = find(&existing, None, root.scope.id)?;
        let wants_refresh = offline && root.scope.allows_refresh_token;
        let complete = consent.is_approved()
            && (consent.allows_refresh || !wants_refresh)
            && below_is_complete(&existing, consent, root);
        complete.then(|| GrantedScope {
            consent_id: consent.id,
            requested: root.requested.clone(),
            scope: root.scope.clone(),
            // Complete means that the consent allows what is wanted.
            allows_refresh: wants_refresh,
            last_used_at: consent.last_used_at,
        })
    });
    Ok(granted.collect())
}

fn below_is_complete(existing: &[Consent], parent: &Consent, node: &Node) -> bool {
    node.children
        .iter()
        .all(|child| match find(existing, Some(parent.id), child.scope.id) {
            None => false,
            Some(consent) if consent.is_approved() => {
                (consent.allows_refresh || !child.requires_refresh_token) && below_is_complete(existing, consent, child)
            }
            Some(_) => child.optional,
        })
}

fn find(existing: &[Consent], parent: Option<ConsentId>, scope_id: ScopeId) -> Option<&Consent> {
    existing
        .iter()
        .find(|consent| consent.parent_id == parent && consent.scope_id == scope_id)
}

/// How an approval came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The person saw the page and said yes.
    ByPerson,
    /// A client acts as itself; nobody is asked.
    Automatic,
}

/// An approval of trees for one client by one identity.
pub struct Decision<'a> {
    pub identity_id: IdentityId,
    pub client_id: ClientId,
    pub trees: &'a [Node],
    /// Places in the tree (see [`path_id`]) of optional branches that the person left out.
    pub declined: &'a HashSet<String>,
    pub offline: bool,
    /// The name the person gave to the consent, for every root.
    pub label: Option<&'a str>,
    pub approval: Approval,
}

/// The name of a place in the tree, as the consent page posts it: indexes from the root.
pub fn path_id(indexes: &[usize]) -> String {
    indexes.iter().map(usize::to_string).collect::<Vec<_>>().join(".")
}

/// Writes the approval. Rows that exist keep their id; `allows_refresh` only rises; the
/// last label that is not empty wins.
pub fn approve(tx: &mut WriteTx, ctx: &Ctx, decision: &Decision<'_>) -> Result<()> {
    let mut approving = Approving {
        ctx,
        decision,
        existing: consents::list_trees(tx, decision.identity_id, decision.client_id)?,
        ids: ConsentIds::new(),
    };
    for (index, root) in decision.trees.iter().enumerate() {
        approving.write(tx, None, root, &mut vec![index])?;
    }
    Ok(())
}

/// An approval while it is written.
struct Approving<'a> {
    ctx: &'a Ctx,
    decision: &'a Decision<'a>,
    existing: Vec<Consent>,
    ids: ConsentIds,
}

impl Approving<'_> {
    fn write(
        &mut self,
        tx: &mut WriteTx,
        parent: Option<(&Consent, &Node)>,
        node: &Node,
        indexes: &mut Vec<usize>,
    ) -> Result<()> {
        let (ctx, decision) = (self.ctx, self.decision);
        let declined = node.optional && decision.declined.contains(&path_id(indexes));
        // A child is used by the resource server that owns its parent's scope.
        let client_id = parent.map_or(decision.client_id, |(_, above)| above.scope.client_id);
        let wants_refresh = match parent {
            None => decision.offline && node.scope.allows_refresh_token,
            Some(_) => node.requires_refresh_token && node.scope.allows_refresh_token,
        };
        let parent_consent = parent.map(|(consent, _)| consent);
        let known = match find(&self.existing, parent_consent.map(|consent| consent.id), node.scope.id) {
            // A branch that is declined now ends with all below it; tokens rest on its id.
            Some(consent) if declined && consent.is_approved() => {
                consents::delete(tx, consent.id)?;
                None
            }
            known => known,
        };
        let mut consent = known.cloned().unwrap_or_else(|| {
            Consent::new(
                self.ids.next(),
                parent_consent,
                decision.identity_id,
                client_id,
                node.scope.id,
                ctx.now,
            )
        });
        consent.status = if declined { "denied".into() } else { "approved".into() };
        consent.allows_refresh |= wants_refresh && !declined;
        consent.atomically_revocable = node.optional;
        consent.updated_at = ctx.now;
        if parent.is_none() {
            let label = decision.label.map(str::trim).filter(|label| !label.is_empty());
            consent.label = label.map(str::to_owned).or(consent.label);
        }
        match known {
            Some(_) => consents::update(tx, &consent)?,
            None => {
                consent.auto_approved = decision.approval == Approval::Automatic;
                consents::insert(tx, &consent)?;
            }
        }
        if declined {
            return Ok(());
        }
        for (index, child) in node.children.iter().enumerate() {
            indexes.push(index);
            self.write(tx, Some((&consent, node)), child, indexes)?;
            indexes.pop();
        }
        Ok(())
    }
}

/// What a revocation took away, for the record and for telling beforehand.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The consent that was named.
    pub named: Consent,
    /// Where the cut was made: the consent itself, or the root of its tree.
    pub cut: ConsentId,
}

/// Takes a consent of one of these identities back. One that can be declined alone falls
/// alone, with what lies beneath it; any other takes its whole tree (wire.md 1.12). Only
/// consents change: every token that rests on one of them is inactive from this commit on.
pub fn revoke(tx: &mut WriteTx, identities: &[IdentityId], id: ConsentId) -> Result<Revoked> {
    let named = consents::find(tx, id)?.filter(|consent| identities.contains(&consent.identity_id));
    let named = named.ok_or_else(|| Error::not_found("consent"))?;
    let cut = cut_of(&named);
    consents::delete(tx, cut)?;
    Ok(Revoked { named, cut })
}

/// Where revoking this consent cuts its tree.
pub fn cut_of(consent: &Consent) -> ConsentId {
    if consent.atomically_revocable {
        consent.id
    } else {
        consent.root_id
    }
}

/// The ids of one approval: they follow each other from a random one, so that what a token
/// rests on lies together in the store. Each is as unlikely to have been used before as if
/// it were random alone.
struct ConsentIds {
    next: u64,
}

impl ConsentIds {
    fn new() -> Self {
        Self {
            next: u64::from_le_bytes(random_bytes()),
        }
    }

    fn next(&mut self) -> ConsentId {
        let id = consent_id(self.next);
        self.next = self.next.wrapping_add(1 << UNUSED_BITS);
        id
    }
}

/// Of 64.
const UNUSED_BITS: u32 = 11;

/// Below 2^53, so that every JSON reader keeps it exact.
fn consent_id(random: u64) -> ConsentId {
    ConsentId((random >> UNUSED_BITS) as i64)
}

#[cfg(test)]
mod tests {
    use portolan_types::Timestamp;

    use super::*;
    use crate::store::scopes::Scope;

    fn node(scope_id: u128, optional: bool, requires_refresh_token: bool, children: Vec<Node>) -> Node {
        let scope = Scope::sample(ScopeId::from_u128(scope_id), "urn:x");
        Node {
            requested: scope.scope_string.clone(),
            scope,
            optional,
            requires_refresh_token,
            children,
        }
    }

    fn consent(id: i64, parent: Option<&Consent>, scope_id: u128, status: &str, allows_refresh: bool) -> Consent {
        let (identity, client) = (IdentityId::from_u128(1), ClientId::from_u128(1));
        let mut consent = Consent::new(
            ConsentId(id),
            parent,
            identity,
            client,
            ScopeId::from_u128(scope_id),
            Timestamp::from_seconds(0),
        );
        consent.status = status.to_owned();
        consent.allows_refresh = allows_refresh;
        consent
    }

    #[test]
    fn every_branch_needs_an_answer_that_still_fits() {
        let root = consent(1, None, 1, "approved", false);
        // Whether the branch is optional and needs a refresh token, what was answered,
        // whether that allows refresh tokens, and whether the answer will do.
        let table = [
            (false, false, "approved", false, true),
            (false, false, "approved", true, true),
            (false, true, "approved", true, true),
            (false, true, "approved", false, false),
            (true, true, "approved", false, false),
            (true, false, "denied", false, true),
            (true, true, "denied", false, true),
            // It could be declined once, and cannot any more.
            (false, false, "denied", false, false),
        ];
        for (optional, needs_refresh, status, allows_refresh, complete) in table {
            let tree = node(1, false, false, vec![node(2, optional, needs_refresh, vec![])]);
            let branch = consent(2, Some(&root), 2, status, allows_refresh);
            assert_eq!(
                below_is_complete(&[root.clone(), branch], &root, &tree),
                complete,
                "{optional} {needs_refresh} {status} {allows_refresh}"
            );
            assert!(!below_is_complete(&[], &root, &tree), "not asked yet");
        }
    }

    #[test]
    fn what_is_below_a_branch_needs_an_answer_too() {
        let root = consent(1, None, 1, "approved", false);
        let branch = consent(2, Some(&root), 2, "approved", true);
        let twig = consent(3, Some(&branch), 3, "approved", false);
        let tree = node(
            1,
            false,
            false,
            vec![node(2, true, true, vec![node(3, false, false, vec![])])],
        );
        assert!(below_is_complete(&[root.clone(), branch.clone(), twig], &root, &tree));
        assert!(!below_is_complete(&[root.clone(), branch], &root, &tree));
    }

    #[test]
    fn ids_fit_into_a_double() {
        assert_eq!(consent_id(u64::MAX).0, (1 << 53) - 1);
        assert_eq!(consent_id(1 << 11).0, 1);
    }

    #[test]
    fn ids_of_an_approval_follow_each_other_from_a_random_one() {
        let mut ids = ConsentIds::new();
        let first = ids.next();
        assert_eq!(ids.next().0, (first.0 + 1) % (1 << 53));
        assert_ne!(ConsentIds::new().next(), first);
        let mut last = ConsentIds { next: u64::MAX };
        assert_eq!([last.next().0, last.next().0], [(1 << 53) - 1, 0]);
    }
}
