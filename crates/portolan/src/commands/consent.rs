//! `portolan consent`: what people allowed, seen as trees, and taken back by the operator. Over
//! the network it is about oneself: my_consents.rs.
//!
//! Revoking says what ends: the consent with all below it, or the whole tree where a part
//! cannot go alone (wire.md 1.12). What was shown is what ends: if it has changed in
//! between, nothing is done.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use clap::Subcommand;
use portolan_db::ReadTx;
use portolan_server::api::consents::documents;
use portolan_server::domain::consent as rules;
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::clients;
use portolan_server::store::consents::{self, Consent as Record};
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::identity_providers::CLIENTS;
use portolan_server::store::scopes::{self, Scope};
use portolan_server::{Error, Kind};
use portolan_types::{ClientId, ConsentId, ScopeId};
use serde_json::{Value, json};

use super::my_consents;
use crate::exit::Exit;
use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Branch, Confirmation};
use crate::place::{Place, Session};

#[derive(Subcommand)]
pub enum Consent {
    /// Show what somebody allowed, as a tree for each app
    #[command(
        visible_alias = "tree",
        after_help = "\
At the top stands what an app may use, below each what the service behind it may use on.
Over the network it is what you allowed yourself. On the store somebody is named; a service
account, which has consents of its own, by id or name of its client.

Examples:
  portolan consent tree
  portolan consent list alice
  portolan consent list alice --client Portal
  portolan consent list alice --format json"
    )]
    List {
        /// Username or id; for a service account also its name [default: you]
        identity: Option<String>,
        /// Only what this app was allowed: id or name; on the store also domain name
        #[arg(long)]
        client: Option<String>,
    },
    /// Show one consent, and what would end with it
    Show {
        /// The number that `portolan consent list` shows
        id: ConsentId,
    },
    /// Take a consent back: what rests on it ends at once, on every node
    #[command(after_help = "\
An optional branch goes alone, with what lies below it. Any other consent takes its whole
tree. Access and refresh tokens that rest on what went are inactive from the next request
on. The app may ask the person again.

Examples:
  portolan consent show 70311            what would end
  portolan consent revoke 70311
  portolan consent revoke 70311 --yes    without a question")]
    Revoke {
        /// The number that `portolan consent list` shows
        id: ConsentId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Consent {
    pub fn run(self, options: &Options) -> Result<()> {
        match options.place()? {
            Place::Server(session) => self.over_the_network(options, &session),
            Place::Store => self.on_the_store(options),
        }
    }

    fn over_the_network(self, options: &Options, session: &Session) -> Result<()> {
        match self {
            Consent::List { identity, client } => {
                my_consents::list(options, session, identity.as_deref(), client.as_deref())
            }
            Consent::Show { id } => my_consents::show(options, session, id),
            Consent::Revoke { id, confirmation } => my_consents::revoke(options, session, id, &confirmation),
        }
    }

    fn on_the_store(self, options: &Options) -> Result<()> {
        match self {
            Consent::List { identity, client } => {
                let identity = identity.ok_or_else(|| {
                    Exit::Usage.because(
                        "whose consents? On the store, name somebody: portolan consent list USERNAME; your own at a \
                         server: portolan login --server URL",
                    )
                })?;
                list(options, identity, client)
            }
            Consent::Show { id } => show(options, id),
            Consent::Revoke { id, confirmation } => revoke(options, id, &confirmation),
        }
    }
}

fn list(options: &Options, identity: String, client: Option<String>) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, forest, documents) = db
        .read_blocking(move |tx| {
            let identity = find::holder(tx, &config.local_domain, &identity)?;
            let found = match &client {
                Some(client) => {
                    let id = find::client(tx, client)?.id;
                    consents::list_trees(tx, identity.id, id)?
                }
                None => consents::list_by_identity(tx, identity.id)?,
            };
            let forest = Forest::of(tx, found)?;
            let documents = documents(tx, forest.consents.clone())?;
            Ok::<_, Error>((identity, forest, documents))
        })
        .map_err(output::explain)?;
    output::print(options.format, &json!({ "consents": documents }), || {
        if forest.consents.is_empty() {
            return format!("{} has allowed nothing.", called(&identity));
        }
        let mut text = format!("{} ({}) allowed\n", called(&identity), identity.id);
        for (app, trees) in forest.apps() {
            text.push_str(&format!("\n{app}\n{}", output::tree(&trees)));
        }
        text
    })
}

fn show(options: &Options, id: ConsentId) -> Result<()> {
    let (_, db) = options.store()?;
    let fall = db.read_blocking(move |tx| Fall::of(tx, id)).map_err(output::explain)?;
    output::print(options.format, &fall.json(), || {
        let scope = fall.forest.scope(&fall.named);
        let path: Vec<String> = fall
            .named
            .path()
            .iter()
            .filter_map(|id| fall.tree.consents.iter().find(|consent| consent.id == *id))
            .map(|consent| fall.tree.scope(consent).name.clone())
            .collect();
        let facts = [
            ("consent", id.to_string()),
            ("of", format!("{} ({})", called(&fall.identity), fall.identity.id)),
            ("for", fall.tree.client(fall.app)),
            ("scope", scope.scope_string.clone()),
            ("path", path.join(" > ")),
            ("used by", fall.tree.client(fall.named.client_id)),
            ("allowed", output::time(fall.named.created_at)),
            ("last used", fall.named.last_used_at.map_or(String::new(), output::time)),
            ("refresh tokens", output::yes_no(fall.named.allows_refresh)),
            ("without asking", output::yes_no(fall.named.auto_approved)),
        ];
        let facts = output::facts(facts.into_iter().filter(|(_, value)| !value.is_empty()));
        format!("{facts}\n\n{}", fall.words(Tense::Would))
    })
}

fn revoke(options: &Options, id: ConsentId, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let shown = db.read_blocking(move |tx| Fall::of(tx, id)).map_err(output::explain)?;
    confirmation.ask(&shown.words(Tense::Would))?;
    let (ctx, expected) = (context(), shown.ids());
    let fall = db
        .write_blocking(move |tx| {
            let fall = Fall::of(tx, id)?;
            if fall.ids() != expected {
                return Err(Error::conflict(format!(
                    "what ends with consent {id} has changed in this moment; nothing was done. \
                     Look again with portolan consent show {id}"
                )));
            }
            let revoked = rules::revoke(tx, &[fall.named.identity_id], id)?;
            let event = Event {
                action: "consent.revoke",
                actor: Actor::Operator,
                resource_kind: "consent",
                resource_id: id.to_string(),
                detail: json!({
                    "identity": fall.named.identity_id,
                    "scope": fall.forest.scope(&fall.named).scope_string,
                    "client": fall.named.client_id,
                    "cut": revoked.cut,
                    "ended": fall.ids(),
                }),
            };
            audit::insert(tx, &ctx, &event)?;
            Ok(fall)
        })
        .map_err(output::explain)?;
    output::print(options.format, &fall.json(), || fall.words(Tense::Did))
}

/// Approved consents with what people call them; parents before their children, and
/// neighbours by name.
struct Forest {
    consents: Vec<Record>,
    scopes: HashMap<ScopeId, Scope>,
    clients: HashMap<ClientId, String>,
}

impl Forest {
    fn of(tx: &mut ReadTx, mut found: Vec<Record>) -> Result<Self, Error> {
        found.retain(Record::is_approved);
        let scope_ids: BTreeSet<ScopeId> = found.iter().map(|consent| consent.scope_id).collect();
        let client_ids: BTreeSet<ClientId> = found.iter().map(|consent| consent.client_id).collect();
        let scopes: HashMap<ScopeId, Scope> = scopes::list_by_ids(tx, scope_ids)?
            .into_iter()
            .map(|scope| (scope.id, scope))
            .collect();
        let clients = clients::list_by_ids(tx, client_ids)?
            .into_iter()
            .map(|client| (client.id, client.name))
            .collect();
        found.sort_by_cached_key(|consent| {
            let name = scopes.get(&consent.scope_id).map(|scope| scope.name.to_lowercase());
            (consent.path().len(), name, consent.id)
        });
        Ok(Self {
            consents: found,
            scopes,
            clients,
        })
    }

    fn scope(&self, consent: &Record) -> &Scope {
        self.scopes
            .get(&consent.scope_id)
            .expect("a foreign key keeps the scope of a consent, read in the same transaction")
    }

    fn client(&self, id: ClientId) -> String {
        match self.clients.get(&id) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        }
    }

    /// The apps by name, each with its trees.
    fn apps(&self) -> Vec<(String, Vec<Branch>)> {
        let roots = self.consents.iter().filter(|consent| consent.parent_id.is_none());
        let apps: BTreeSet<(String, ClientId)> = roots
            .map(|root| (self.client(root.client_id), root.client_id))
            .collect();
        apps.into_iter()
            .map(|(name, id)| {
                let own = |consent: &&Record| consent.parent_id.is_none() && consent.client_id == id;
                let trees = self.consents.iter().filter(own).map(|root| self.branch(root)).collect();
                (name, trees)
            })
            .collect()
    }

    /// Consents whose parent is not among these stand at the top.
    fn tops(&self) -> Vec<Branch> {
        let is_here = |id: ConsentId| self.consents.iter().any(|consent| consent.id == id);
        self.consents
            .iter()
            .filter(|consent| !consent.parent_id.is_some_and(is_here))
            .map(|consent| self.branch(consent))
            .collect()
    }

    fn branch(&self, consent: &Record) -> Branch {
        let scope = self.scope(consent);
        let mut facts = vec![format!("since {}", output::time(consent.created_at))];
        if let Some(used) = consent.last_used_at {
            facts.push(format!("used {}", output::time(used)));
        }
        if consent.allows_refresh {
            facts.push("also while away".to_owned());
        }
        if consent.atomically_revocable {
            facts.push("can go alone".to_owned());
        }
        if let Some(label) = &consent.label {
            facts.push(format!("labelled {label}"));
        }
        Branch {
            lines: vec![
                format!("{} at {}: consent {}", scope.name, scope.owner_name, consent.id),
                scope.scope_string.clone(),
                facts.join(", "),
            ],
            children: self
                .consents
                .iter()
                .filter(|child| child.parent_id == Some(consent.id))
                .map(|child| self.branch(child))
                .collect(),
        }
    }
}

/// A consent, and what ends with it.
struct Fall {
    named: Record,
    identity: Identity,
    /// The app whose tree it stands in.
    app: ClientId,
    cut: ConsentId,
    /// The whole tree.
    tree: Forest,
    /// What ends.
    forest: Forest,
    documents: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tense {
    Would,
    Did,
}

impl Fall {
    fn of(tx: &mut ReadTx, id: ConsentId) -> Result<Self, Error> {
        let named = consents::find(tx, id)?.filter(Record::is_approved).ok_or_else(|| {
            Error::new(
                Kind::NotFound("consent"),
                format!("there is no consent {id}; portolan consent list USERNAME shows those of a person"),
            )
        })?;
        let identity = identities::get(tx, named.identity_id)?;
        let cut = rules::cut_of(&named);
        let all = consents::list_tree(tx, named.root_id)?;
        let falling: Vec<Record> = all
            .iter()
            .filter(|consent| consent.path().contains(&cut))
            .cloned()
            .collect();
        let forest = Forest::of(tx, falling)?;
        let documents = documents(tx, forest.consents.clone())?
            .into_iter()
            .map(|document| serde_json::to_value(document).map_err(Error::internal))
            .collect::<Result<_, _>>()?;
        let root = all.iter().find(|consent| consent.id == named.root_id);
        Ok(Self {
            app: root.map_or(named.client_id, |root| root.client_id),
            tree: Forest::of(tx, all)?,
            named,
            identity,
            cut,
            forest,
            documents,
        })
    }

    fn ids(&self) -> BTreeSet<ConsentId> {
        self.forest.consents.iter().map(|consent| consent.id).collect()
    }

    fn json(&self) -> Value {
        let named = self
            .documents
            .iter()
            .find(|document| document["id"] == json!(self.named.id));
        json!({ "consent": named, "cut": self.cut, "ends": self.documents })
    }

    fn words(&self, tense: Tense) -> String {
        let scope = &self.forest.scope(&self.named).name;
        let who = called(&self.identity);
        let app = self.tree.client(self.app);
        let whom = if self.app.identity() == self.identity.id {
            "itself"
        } else {
            &app
        };
        let (ends, tokens) = match tense {
            Tense::Would => ("Revoking it ends", "would be inactive from the next request on"),
            Tense::Did => ("Ended", "are inactive from now on"),
        };
        let extent = if self.cut != self.named.id {
            format!("all of the tree, since {scope} cannot go alone")
        } else if self.named.parent_id.is_none() {
            format!("{scope}, with all below it")
        } else {
            format!("{scope} alone, with what lies below it; the rest of the tree stays")
        };
        let these = match self.forest.consents.len() {
            1 => "it".to_owned(),
            count => format!("these {count} consents"),
        };
        let again = if self.identity.provider_id == CLIENTS {
            format!(
                "{who} is a service account, which allows itself what it asks for: it has this again with its \
                 next token. To stop it, delete its secrets or the client."
            )
        } else {
            format!("{app} may ask {who} again.")
        };
        format!(
            "{ends}, of what {who} allowed {whom}:\n{extent}.\n\n{}\n\
             Access and refresh tokens that rest on {these} {tokens}, also those that services got through \
             them. {again}",
            output::tree(&self.forest.tops()),
        )
    }
}

/// The username of a service account is its id with a domain, which tells nobody anything.
fn called(identity: &Identity) -> &str {
    match &identity.name {
        Some(name) if identity.provider_id == CLIENTS => name,
        _ => &identity.username,
    }
}
