//! `portolan consent` over the network: what somebody allowed, seen and taken back by
//! themselves. The operator's side is consent.rs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use portolan_sdk::documents::{Consent, Scope};
use portolan_sdk::{ClientId, ConsentId, ScopeId, ScopeLookup};
use serde_json::{Value, json};

use crate::look_up;
use crate::options::Options;
use crate::output::{self, Branch, Confirmation};
use crate::place::Session;

pub fn list(options: &Options, session: &Session, identity: Option<&str>, client: Option<&str>) -> Result<()> {
    let mut forest = Forest::of(session, identity)?;
    if let Some(client) = client {
        forest.keep(client)?;
    }
    output::print(options.format, &json!({ "consents": forest.consents }), || {
        if forest.consents.is_empty() {
            return "Nothing is allowed.".to_owned();
        }
        let apps = forest.apps();
        let drawn = apps
            .iter()
            .map(|(app, trees)| format!("{}\n{}", output::one_line(app), output::tree(trees)));
        drawn.collect::<Vec<_>>().join("\n")
    })
}

pub fn show(options: &Options, session: &Session, id: ConsentId) -> Result<()> {
    let forest = Forest::of(session, None)?;
    let named = forest.get(id)?;
    let falling = forest.falling(named);
    output::print(options.format, &fall(named, &falling), || {
        let facts = [
            ("consent", named.id.to_string()),
            ("for", forest.client(forest.root(named).client)),
            ("scope", named.scope_name.clone()),
            ("used by", forest.client(named.client)),
            ("allowed", output::time(named.created)),
            ("last used", output::time(named.last_used)),
            ("refresh tokens", output::yes_no(named.allows_refresh)),
            ("without asking", output::yes_no(named.auto_approved)),
        ];
        let would = "would be inactive from the next request on";
        format!(
            "{}\n\nRevoking it ends\n\n{}\nTokens that rest on this {would}.",
            output::facts(facts),
            output::tree(&forest.tops(&falling))
        )
    })
}

pub fn revoke(options: &Options, session: &Session, id: ConsentId, confirmation: &Confirmation) -> Result<()> {
    let forest = Forest::of(session, None)?;
    let named = forest.get(id)?;
    let falling = forest.falling(named);
    session.announce();
    let drawn = output::tree(&forest.tops(&falling));
    confirmation.ask(&format!("Revoking consent {id} ends\n\n{drawn}"))?;
    session.run(session.client.revoke_consent(named.effective_identity, id))?;
    output::print(options.format, &fall(named, &falling), || {
        format!("Ended\n\n{drawn}\nTokens that rest on this are inactive from now on. The app may ask you again.")
    })
}

/// The same document as on the store.
fn fall(named: &Consent, falling: &[&Consent]) -> Value {
    json!({ "consent": named, "cut": cut_of(named), "ends": falling })
}

/// A branch that can go alone does; anything else takes its whole tree (wire.md 1.12).
fn cut_of(consent: &Consent) -> ConsentId {
    if consent.atomically_revocable {
        return consent.id;
    }
    consent.dependency_path.first().copied().unwrap_or(consent.id)
}

/// All consents with what people call them.
struct Forest {
    consents: Vec<Consent>,
    scopes: BTreeMap<ScopeId, Scope>,
    clients: BTreeMap<ClientId, String>,
}

impl Forest {
    fn of(session: &Session, identity: Option<&str>) -> Result<Self> {
        let identity = identity.map(|text| look_up::identity(session, text)).transpose()?;
        let answer = session.run(session.client.get_consents(identity, true))?;
        let mut consents = answer.to_vec();
        let scope_ids: BTreeSet<ScopeId> = consents.iter().map(|consent| consent.scope).collect();
        let mut scopes = BTreeMap::new();
        for ids in scope_ids.into_iter().collect::<Vec<_>>().chunks(100) {
            let found = session.run(session.client.get_scopes(ScopeLookup::ids(ids)))?;
            scopes.extend(found.into_inner().into_iter().map(|scope| (scope.id, scope)));
        }
        let owners = scopes.values().map(|scope: &Scope| scope.client);
        let client_ids: BTreeSet<ClientId> = consents.iter().map(|consent| consent.client).chain(owners).collect();
        let mut clients = BTreeMap::new();
        for id in client_ids {
            // A client that is not public keeps its name to itself; its id is known anyhow.
            if let Some(client) = look_up::if_visible(session, session.client.get_client(id))? {
                clients.insert(id, client.name.clone());
            }
        }
        consents.sort_by_key(|consent| (consent.dependency_path.len(), consent.scope_name.clone(), consent.id));
        Ok(Self {
            consents,
            scopes,
            clients,
        })
    }

    /// Only the trees of this app.
    fn keep(&mut self, client: &str) -> Result<()> {
        let is_meant = |id: ClientId| {
            id.to_string() == client.to_lowercase() || self.clients.get(&id).is_some_and(|name| name == client)
        };
        let roots: BTreeSet<ConsentId> = self
            .consents
            .iter()
            .filter(|consent| consent.dependency_path.len() == 1 && is_meant(consent.client))
            .map(|consent| consent.id)
            .collect();
        if roots.is_empty() {
            bail!("no app {client:?} has a consent; portolan consent list shows all");
        }
        self.consents
            .retain(|consent| consent.dependency_path.first().is_some_and(|root| roots.contains(root)));
        Ok(())
    }

    fn get(&self, id: ConsentId) -> Result<&Consent> {
        let found = self.consents.iter().find(|consent| consent.id == id);
        found.ok_or_else(|| anyhow::anyhow!("you have no consent {id}; portolan consent list shows yours"))
    }

    fn root<'a>(&'a self, consent: &'a Consent) -> &'a Consent {
        let root = consent.dependency_path.first();
        let found = self.consents.iter().find(|other| Some(&other.id) == root);
        found.unwrap_or(consent)
    }

    /// What ends with this one.
    fn falling(&self, named: &Consent) -> Vec<&Consent> {
        let cut = cut_of(named);
        let ends = |consent: &&Consent| consent.dependency_path.contains(&cut);
        self.consents.iter().filter(ends).collect()
    }

    fn client(&self, id: ClientId) -> String {
        match self.clients.get(&id) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        }
    }

    /// The apps by name, each with its trees.
    fn apps(&self) -> Vec<(String, Vec<Branch>)> {
        let mut apps: BTreeMap<(String, ClientId), Vec<Branch>> = BTreeMap::new();
        for root in self
            .consents
            .iter()
            .filter(|consent| consent.dependency_path.len() == 1)
        {
            let app = (self.client(root.client), root.client);
            apps.entry(app).or_default().push(self.branch(root, &self.all()));
        }
        apps.into_iter().map(|((name, _), trees)| (name, trees)).collect()
    }

    fn all(&self) -> Vec<&Consent> {
        self.consents.iter().collect()
    }

    /// Those of these whose parent is not among them, with what is below.
    fn tops(&self, these: &[&Consent]) -> Vec<Branch> {
        let is_here = |id: &ConsentId| these.iter().any(|consent| consent.id == *id);
        these
            .iter()
            .filter(|consent| parent(consent).is_none_or(|id| !is_here(&id)))
            .map(|consent| self.branch(consent, these))
            .collect()
    }

    fn branch(&self, consent: &Consent, these: &[&Consent]) -> Branch {
        let mut facts = vec![format!("since {}", output::time(consent.created))];
        if consent.last_used > consent.created {
            facts.push(format!("used {}", output::time(consent.last_used)));
        }
        if consent.allows_refresh {
            facts.push("also while away".to_owned());
        }
        if consent.atomically_revocable {
            facts.push("can go alone".to_owned());
        }
        let title = match self.scopes.get(&consent.scope) {
            Some(scope) => {
                let owner = self.clients.get(&scope.client).map(|name| format!(" at {name}"));
                format!("{}{}: consent {}", scope.name, owner.unwrap_or_default(), consent.id)
            }
            None => format!("consent {}", consent.id),
        };
        // A path that does not grow would never end.
        let below = |child: &&&Consent| {
            parent(child) == Some(consent.id) && child.dependency_path.len() > consent.dependency_path.len()
        };
        Branch {
            lines: vec![title, consent.scope_name.clone(), facts.join(", ")],
            children: these
                .iter()
                .filter(below)
                .map(|child| self.branch(child, these))
                .collect(),
        }
    }
}

fn parent(consent: &Consent) -> Option<ConsentId> {
    match consent.dependency_path.as_slice() {
        [.., parent, _] => Some(*parent),
        _ => None,
    }
}
