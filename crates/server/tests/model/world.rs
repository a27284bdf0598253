//! The stores and servers of many histories, and the world of each: its people with their
//! identities, its apps, services and scopes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::{self, NewClient};
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_server::store::scopes::{self, NewScope};
use portolan_types::{ClientId, IdentityId, IdentityProviderId, IdentitySetId, ScopeId};

use super::super::history::History;
use super::super::model::{ALICE, BOB, Holder, Kind, Model, OF_PROVIDER, PUBLIC, Scope};
use super::{Check, Driver};
use crate::support::{REDIRECT_URI, TestClient, TestServer};

/// A store with its servers, used by one history after the other. Each brings its own
/// people, apps and services, so they do not meet.
pub struct Laboratory {
    /// Requests go to them in turn.
    pub(super) nodes: Vec<TestServer>,
    provider: IdentityProviderId,
    /// With which people withdraw their consents.
    pub(super) console: TestClient,
    histories: usize,
    pub figures: Figures,
}

/// What happened in all histories together.
#[derive(Default)]
pub struct Figures(BTreeMap<String, usize>);

impl Figures {
    fn count(&mut self, what: impl Into<String>, number: usize) {
        *self.0.entry(what.into()).or_default() += number;
    }

    pub fn add(&mut self, other: &Figures) {
        for (what, number) in &other.0 {
            self.count(what, *number);
        }
    }
}

impl Figures {
    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(what, number)| writeln!(f, "{number:>8} {what}"))
    }
}

impl Laboratory {
    pub fn new(nodes: Vec<TestServer>) -> Self {
        let provider = IdentityProviderId(new_uuid());
        let now = nodes[0].now();
        nodes[0].write(move |tx| {
            let record = IdentityProvider {
                id: provider,
                name: "Elsewhere".into(),
                short_name: "elsewhere".into(),
                kind: "oidc".into(),
                alternative_names: "[]".into(),
                enabled: true,
            };
            identity_providers::upsert(tx, &record, &["elsewhere.example"], now)
        });
        let console = nodes[0].client().named("Console").create();
        Self {
            nodes,
            provider,
            console,
            histories: 0,
            figures: Figures::default(),
        }
    }

    /// Plays a history to its end, or to the first difference.
    pub fn play(&mut self, history: &History) -> Check {
        self.histories += 1;
        let mut driver = Driver::new(self, history);
        let outcome = driver.play(history);
        let figures = driver.figures();
        let trace = driver.trace;
        self.figures.add(&figures);
        outcome.map_err(|difference| format!("{difference}\n\nWhat was done:\n{}", trace.join("\n")))
    }
}

impl<'a> Driver<'a> {
    pub(super) fn new(laboratory: &'a Laboratory, history: &History) -> Self {
        let server = &laboratory.nodes[0];
        let number = laboratory.histories;
        let alice = server.user(&format!("alice{number}")).create();
        let bob = server.user(&format!("bob{number}")).create();
        let elsewhere = [IdentityId(new_uuid()), IdentityId(new_uuid())];
        let (provider, now) = (laboratory.provider, server.now());
        let local = [alice.id, bob.id];
        server.write(move |tx| {
            for (person, id) in ["alice", "bob"].into_iter().zip(elsewhere) {
                let record = Identity {
                    id,
                    set_id: IdentitySetId(new_uuid()),
                    provider_id: provider,
                    provider_name: String::new(),
                    provider_enabled: true,
                    subject: Some(id.to_string()),
                    username: format!("{person}{number}@elsewhere.example"),
                    name: None,
                    email: None,
                    organization: None,
                    status: "used".into(),
                    identity_type: Some("login".into()),
                    enabled: true,
                    generation: 0,
                    created_at: now,
                    last_authentication_at: None,
                };
                assert!(identities::insert(tx, &record)?);
            }
            // Alice's identity elsewhere joins her set, Bob's local one joins the other's.
            for (joins, set_of) in [(elsewhere[ALICE], local[ALICE]), (local[BOB], elsewhere[BOB])] {
                let set_id = identities::get(tx, set_of)?.set_id;
                tx.execute(
                    "UPDATE identities SET set_id = $2 WHERE id = $1",
                    params![joins, set_id],
                )?;
            }
            Ok(())
        });
        let ctx = server.ctx();
        let services = history.services;
        let made = server.write(move |tx| {
            let mut made: Vec<(ClientId, Option<String>)> = Vec::new();
            for index in 0..services + 3 {
                let app = index.checked_sub(services);
                let new = NewClient {
                    name: app.map_or_else(|| format!("Service {index}"), |app| format!("App {app}")),
                    client_type: match app {
                        None => client::RESOURCE_SERVER.into(),
                        Some(PUBLIC) => client::PUBLIC_WEBAPP.into(),
                        Some(_) => client::CONFIDENTIAL.into(),
                    },
                    redirect_uris: app.map(|_| REDIRECT_URI.to_owned()).into_iter().collect(),
                    resource_server: (app.is_none()).then(|| service_name(number, index)),
                    required_idp: (app == Some(OF_PROVIDER)).then_some(provider),
                    ..NewClient::default()
                };
                let record = client::register(tx, &ctx, &new)?;
                let secret = match record.is_public() {
                    true => None,
                    false => Some(
                        client::create_credential(tx, &ctx, record.id, "tests")?
                            .1
                            .expose()
                            .to_owned(),
                    ),
                };
                made.push((record.id, secret));
            }
            Ok(made)
        });
        let mut clients: Vec<TestClient> = made
            .iter()
            .map(|(id, secret)| server.known_client(*id, secret.as_deref(), REDIRECT_URI))
            .collect();
        let apps = clients.split_off(services).try_into().ok().expect("three apps");

        let mut model_scopes = Vec::new();
        let mut scopes = Vec::new();
        for (index, plan) in history.scopes.iter().enumerate() {
            let service = plan.service.of(services);
            let owner = clients[service].id;
            let prefix = &server.config().scope_url_prefix;
            scopes.push((
                owner,
                ScopeId(new_uuid()),
                format!("{prefix}{owner}/s{index}"),
                plan.allows_refresh,
            ));
            model_scopes.push(Scope {
                service,
                exists: true,
                allows_refresh: plan.allows_refresh,
                below: BTreeMap::new(),
            });
        }
        let records = scopes.clone();
        server.write(move |tx| {
            for (index, (owner, id, scope_string, allows_refresh)) in records.iter().enumerate() {
                let scope = NewScope {
                    id: *id,
                    client_id: *owner,
                    scope_string,
                    suffix: Some(&format!("s{index}")),
                    name: &format!("Scope {index}"),
                    description: "Of a history.",
                    advertised: true,
                    allows_refresh_token: *allows_refresh,
                    required_domains: &[],
                };
                scopes::upsert(tx, &scope, now)?;
            }
            Ok(())
        });
        let described = history.scopes.iter().enumerate().map(|(index, plan)| {
            let refresh = if plan.allows_refresh { "" } else { " without refresh" };
            format!("s{index} of service {}{refresh}", plan.service.of(services))
        });
        let trace = vec![format!("  scopes: {}", described.collect::<Vec<_>>().join(", "))];
        Self {
            laboratory,
            turn: Cell::new(0),
            model: Model::new(services, model_scopes),
            scopes: scopes.into_iter().map(|(_, id, string, _)| (id, string)).collect(),
            services: clients,
            service_names: (0..services).map(|index| service_name(number, index)).collect(),
            apps,
            identities: [alice.id, elsewhere[ALICE], elsewhere[BOB], bob.id],
            people: [alice, bob],
            cookies: [Vec::new(), Vec::new()],
            managers: [None, None],
            codes: Vec::new(),
            tokens: Vec::new(),
            caches: BTreeMap::new(),
            trace,
            comparisons: 0,
            refusals: Vec::new(),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        figures.count("histories", 1);
        figures.count("comparisons of a token", self.comparisons);
        figures.count("consents given", self.model.consents_given());
        for refusal in &self.refusals {
            figures.count(format!("refused: {refusal}"), 1);
        }
        for token in &self.model.tokens {
            figures.count("tokens", 1);
            match (token.kind, token.holder) {
                (Kind::Access, Holder::Service(_)) => figures.count("dependent access tokens", 1),
                (Kind::Refresh, Holder::Service(_)) => figures.count("dependent refresh tokens", 1),
                (Kind::Access, Holder::App(_)) => figures.count("access tokens of apps", 1),
                (Kind::Refresh, Holder::App(_)) => figures.count("refresh tokens of apps", 1),
            }
            figures.count(format!("tokens of {:2} deep", token.issued_depth), 1);
            if let Some(why) = &token.ended {
                figures.count(format!("ended: {why}"), 1);
            }
        }
        figures
    }
}

fn service_name(history: usize, service: usize) -> String {
    format!("s{service}.history{history}.example")
}
