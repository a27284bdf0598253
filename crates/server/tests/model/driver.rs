//! Does what a history says on a real server through its router, and asks the model what
//! has to come of it. The first difference ends the history.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::Method;
use http::header::CONTENT_TYPE;
use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::{self, NewClient};
use portolan_server::domain::{consent, identity};
use portolan_server::store::consents;
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::identity_providers::{self, IdentityProvider};
use portolan_server::store::scopes::{self, Dependency, NewScope};
use portolan_types::{ClientId, ConsentId, IdentityId, IdentityProviderId, IdentitySetId, ScopeId};
use serde_json::{Value, json};

use super::history::{EdgePlan, History, Login, Step, Wanted, Which, Wish};
use super::model::{
    ALICE, Answer as Foreseen, BOB, Edge, Holder, IDENTITIES, Issued, Kind, Model, Node, OF_PROVIDER, PUBLIC, Place,
    Refusal, Scope, Token, Wished,
};
use super::pages::{self, Shown};
use crate::support::{Answer, Auth, Browser, Params, REDIRECT_URI, Request, TestClient, TestServer, TestUser, forms};

const GRANT: &str = "urn:globus:auth:grant_type:dependent_token";
const CONSENTS: &str = "urn:globus:auth:scope:auth.globus.org:";

/// The most tokens that are looked at after each step; at the end all are.
const SAMPLE: usize = 10;

/// A difference between the server and the model, in words.
pub type Check<T = ()> = Result<T, String>;

macro_rules! differ {
    ($($text:tt)*) => { return Err(format!($($text)*)) };
}

/// A store with its servers, used by one history after the other. Each brings its own
/// people, apps and services, so they do not meet.
pub struct Laboratory {
    /// Requests go to them in turn.
    nodes: Vec<TestServer>,
    provider: IdentityProviderId,
    /// With which people withdraw their consents.
    console: TestClient,
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

struct Driver<'a> {
    laboratory: &'a Laboratory,
    turn: Cell<usize>,
    model: Model,
    scopes: Vec<(ScopeId, String)>,
    services: Vec<TestClient>,
    service_names: Vec<String>,
    apps: [TestClient; 3],
    people: [TestUser; 2],
    identities: [IdentityId; IDENTITIES],
    /// Each person has a browser, which is its cookies.
    cookies: [Vec<(String, String)>; 2],
    /// A token of each person with which consents are managed.
    managers: [Option<String>; 2],
    codes: Vec<String>,
    tokens: Vec<String>,
    /// What was last seen of a token: its `dependent_tokens_cache_id` and what it stood for.
    caches: BTreeMap<usize, (String, BTreeSet<Place>)>,
    trace: Vec<String>,
    /// Looks at tokens.
    comparisons: usize,
    /// Of steps, as far as they were refused or meant nothing.
    refusals: Vec<&'static str>,
}

/// Where a walk through the pages ended.
enum End {
    Code(String),
    Error(String),
    /// The consent page.
    Asks(String),
    Refused(u16),
}

// ---- The world of a history ----

impl<'a> Driver<'a> {
    fn new(laboratory: &'a Laboratory, history: &History) -> Self {
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

    fn node(&self) -> &'a TestServer {
        self.turn.set(self.turn.get() + 1);
        let nodes = &self.laboratory.nodes;
        &nodes[self.turn.get() % nodes.len()]
    }

    fn figures(&self) -> Figures {
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

    fn note(&mut self, text: impl Into<String>) {
        self.trace.push(format!("  {}", text.into()));
    }

    fn play(&mut self, history: &History) -> Check {
        self.declare_all(history)?;
        for step in &history.steps {
            self.step(step)?;
            self.check_sample()?;
        }
        self.check_all()
    }

    fn step(&mut self, step: &Step) -> Check {
        match *step {
            Step::Login(ref login) => self.login(login),
            Step::Redeem { code, used } => {
                let codes: Vec<usize> = (0..self.codes.len())
                    .filter(|code| self.model.is_used(*code) == used)
                    .collect();
                code.among(&codes).map_or(Ok(()), |code| self.redeem(code))
            }
            Step::Refresh { token, live, kept } => {
                let found = self
                    .model
                    .tokens
                    .iter()
                    .enumerate()
                    .filter(|(_, token)| token.kind == Kind::Refresh);
                let found: Vec<usize> = found
                    .filter(|(_, token)| token.is_live() || !live)
                    .map(|(i, _)| i)
                    .collect();
                token.among(&found).map_or(Ok(()), |token| self.refresh(token, kept))
            }
            Step::Exchange {
                token,
                offline,
                wanted,
                stranger,
            } => match self.find(token, Kind::Access) {
                None => Ok(()),
                Some(token) => {
                    let service =
                        stranger.map_or(self.model.tokens[token].service, |pick| pick.of(self.services.len()));
                    self.exchange(token, service, offline, wanted)
                }
            },
            Step::Descend { token, offline } => {
                let mut next = self.find(Which::Live(token), Kind::Access);
                while let Some(token) = next {
                    let before = self.model.tokens.len();
                    let service = self.model.tokens[token].service;
                    self.exchange(token, service, offline, Wanted::Everything)?;
                    let issued = before..self.model.tokens.len();
                    let mut leads_on = issued.filter(|token| {
                        self.model.tokens[*token].kind == Kind::Access && !self.model.obtainable(*token).is_empty()
                    });
                    next = leads_on.next();
                }
                Ok(())
            }
            Step::Withdraw(pick) => {
                let places: Vec<Place> = self.model.consents().map(|(place, _)| place.clone()).collect();
                let numbers: Vec<usize> = (0..places.len()).collect();
                pick.among(&numbers)
                    .map_or(Ok(()), |number| self.withdraw(&places[number]))
            }
            Step::RevokeToken {
                token,
                refresh,
                stranger,
            } => {
                let kind = if refresh { Kind::Refresh } else { Kind::Access };
                self.find(token, kind)
                    .map_or(Ok(()), |token| self.revoke(token, stranger))
            }
            Step::Declare(ref plan) => {
                let (from, to) = (plan.from.of(self.scopes.len()), plan.to.of(self.scopes.len()));
                if !self.model.scopes[from].exists || !self.model.scopes[to].exists {
                    return Ok(());
                }
                let mut below = self.model.scopes[from].below.clone();
                below.insert(to, edge(plan));
                self.declare(from, &below).map(drop)
            }
            Step::AllowRefresh(pick, allows) => {
                let scope = pick.of(self.scopes.len());
                if !self.model.scopes[scope].exists {
                    return Ok(());
                }
                self.note(format!("s{scope} allows refresh tokens: {allows}"));
                self.model.scopes[scope].allows_refresh = allows;
                let body = json!({ "scope": { "allows_refresh_token": allows } });
                self.change_scope(scope, Method::PUT, &body).map(drop)
            }
            Step::DeleteScope(pick) => {
                let there: Vec<usize> = (0..self.scopes.len())
                    .filter(|scope| self.model.scopes[*scope].exists)
                    .collect();
                let Some(scope) = pick.among(&there) else { return Ok(()) };
                self.note(format!("s{scope} is deleted"));
                let answer = self.change_scope(scope, Method::DELETE, &Value::Null)?;
                self.model.delete_scope(scope);
                expect_status(&answer, 200)
            }
            Step::DeleteService(pick) => {
                let service = pick.of(self.services.len());
                if !self.model.services[service] {
                    return Ok(());
                }
                self.note(format!("service {service} is deleted"));
                self.model.delete_service(service);
                let client = self.services[service].clone();
                self.delete_client(&client)
            }
            Step::DeleteApp(pick) => {
                let app = pick.of(self.apps.len());
                if !self.model.apps[app].exists {
                    return Ok(());
                }
                self.note(format!("the {} is deleted", self.model.apps[app].name));
                self.model.delete_app(app);
                let client = self.apps[app].clone();
                self.delete_client(&client)
            }
            Step::Disable(pick) => {
                let which = pick.of(IDENTITIES);
                self.note(format!("{} is disabled", self.model.identities[which].name));
                self.model.disable(which);
                self.set_enabled(which, false);
                Ok(())
            }
            Step::Enable(pick) => {
                let off: Vec<usize> = (0..IDENTITIES)
                    .filter(|which| !self.model.identities[*which].enabled)
                    .collect();
                let Some(which) = pick.among(&off) else { return Ok(()) };
                self.note(format!("{} is enabled again", self.model.identities[which].name));
                self.model.enable(which);
                self.set_enabled(which, true);
                Ok(())
            }
            Step::Unlink(pick) => {
                let person = pick.of(2);
                if !self.model.is_linked(person) {
                    return Ok(());
                }
                let which = self.model.unlink(person);
                self.note(format!("{} is unlinked", self.model.identities[which].name));
                let id = self.identities[which];
                self.node()
                    .write(move |tx| identity::unlink(tx, id, IdentitySetId(new_uuid())));
                Ok(())
            }
        }
    }

    fn set_enabled(&mut self, which: usize, enabled: bool) {
        let id = self.identities[which];
        self.node().write(move |tx| identity::set_enabled(tx, id, enabled));
    }

    fn delete_client(&mut self, client: &TestClient) -> Check {
        let node = self.node();
        if client.is_public() {
            let id = client.id;
            node.write(move |tx| client::delete(tx, id).map(drop));
            return Ok(());
        }
        let request = node.request(Method::DELETE, &format!("/v2/api/clients/{}", client.id));
        expect_status(&request.authorization(&client.auth()).send(), 200)
    }

    // ---- Scopes ----

    fn declare_all(&mut self, history: &History) -> Check {
        let count = self.scopes.len();
        let mut below: Vec<BTreeMap<usize, Edge>> = vec![BTreeMap::new(); count];
        let mut planted: Vec<(usize, usize, Edge)> = Vec::new();
        for (index, plan) in history.scopes.iter().enumerate().take(history.chain.min(count - 1)) {
            let edge = Edge {
                optional: plan.optional,
                offline: plan.offline,
            };
            below[index].insert(index + 1, edge);
        }
        for plan in &history.edges {
            let (from, to) = (plan.from.of(count), plan.to.of(count));
            below[from].insert(to, edge(plan));
            if plan.planted && from != to {
                planted.push((from, to, edge(plan)));
            }
        }
        for (scope, below) in below.iter().enumerate() {
            if !below.is_empty() {
                self.declare(scope, below)?;
            }
        }
        for (from, to, edge) in planted {
            if !self.model.scopes[from].below.contains_key(&to) {
                self.note(format!("s{from} gets the dependency {}, unseen", name_edge(to, edge)));
                self.model.plant(from, to, edge);
                let dependency = Dependency {
                    scope_id: self.scopes[from].0,
                    dependent_scope_id: self.scopes[to].0,
                    optional: edge.optional,
                    requires_refresh_token: edge.offline,
                };
                self.node().write(move |tx| scopes::insert_dependency(tx, &dependency));
            }
        }
        Ok(())
    }

    fn declare(&mut self, scope: usize, below: &BTreeMap<usize, Edge>) -> Check {
        let documents: Vec<Value> = below
            .iter()
            .map(|(to, edge)| {
                json!({
                    "scope": self.scopes[*to].0, "optional": edge.optional, "requires_refresh_token": edge.offline
                })
            })
            .collect();
        let names: Vec<String> = below.iter().map(|(to, edge)| name_edge(*to, *edge)).collect();
        let accepted = self.model.declare(scope, below.clone());
        let refused = if accepted { "" } else { ": to be refused" };
        self.note(format!("s{scope} depends on {}{refused}", names.join(", ")));
        let answer = self.change_scope(
            scope,
            Method::PUT,
            &json!({ "scope": { "dependent_scopes": documents } }),
        )?;
        expect_status(&answer, if accepted { 200 } else { 400 })
    }

    fn change_scope(&mut self, scope: usize, method: Method, document: &Value) -> Check<Answer> {
        let client = self.services[self.model.scopes[scope].service].clone();
        let request = self
            .node()
            .request(method, &format!("/v2/api/scopes/{}", self.scopes[scope].0));
        let request = request.authorization(&client.auth());
        if document.is_null() {
            return Ok(request.send());
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        Ok(request.body(document.to_string()).send())
    }

    // ---- Logging in ----

    fn login(&mut self, login: &Login) -> Check {
        let (person, app) = (login.person.of(2), login.app.of(3));
        let wished = self.wished(&login.wishes, None);
        let foreseen = self
            .model
            .authorize(person, app, &wished, login.offline, login.ask_again);
        let scope = self.scope_text(&wished);
        let mut params = self.apps[app].params(&scope);
        if login.offline {
            params = params.set("access_type", "offline");
        }
        if login.ask_again {
            params = params.set("prompt", "consent");
        }
        self.note(format!(
            "{} logs in to the {} for {}{}{}",
            ["alice", "bob"][person],
            self.model.apps[app].name,
            name_wished(&wished),
            if login.offline { ", offline" } else { "" },
            if login.ask_again { ", asked again" } else { "" },
        ));
        let client = self.apps[app].clone();
        let end = self.walk(person, &client, &params);
        let end = match (end, &foreseen) {
            (End::Asks(page), Foreseen::Asks(trees)) => {
                let shown = pages::shown(&page).ok_or("the consent page cannot be read")?;
                compare_trees(&shown, trees)?;
                if login.deny {
                    self.note("  and denies");
                    match self.decide(person, &page, &[], "deny") {
                        End::Error(error) if error == "access_denied" => return Ok(()),
                        end => differ!("a denial ends with {}", end.name()),
                    }
                }
                let boxes = pages::boxes(&shown);
                let unticked: Vec<&(Vec<usize>, String)> = boxes
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| login.unticked >> (index % 8) & 1 == 1)
                    .map(|(_, place)| place)
                    .collect();
                let values: Vec<String> = unticked.iter().map(|(_, value)| value.clone()).collect();
                let paths: BTreeSet<Vec<usize>> = unticked.iter().map(|(path, _)| path.clone()).collect();
                for path in &paths {
                    self.note(format!("  and unticks {}", name_path(path)));
                }
                self.model.approve(person, app, trees, &paths, login.offline);
                self.decide(person, &page, &values, "allow")
            }
            (End::Code(code), Foreseen::Code) => End::Code(code),
            (End::Error(error), Foreseen::Error(foreseen)) if error == *foreseen => {
                self.refusals.push(foreseen);
                return Ok(());
            }
            (End::Refused(status), Foreseen::Refused(foreseen)) if status == *foreseen => {
                self.refusals.push("by a page");
                return Ok(());
            }
            (end, foreseen) => differ!("the request ends with {}, not with {foreseen:?}", end.name()),
        };
        let End::Code(code) = end else {
            differ!("no code but {}", end.name());
        };
        let number = self.model.code(person, app, &wished, login.offline);
        self.codes.push(code);
        if login.redeem { self.redeem(number) } else { Ok(()) }
    }

    fn wished(&self, wishes: &[Wish], above: Option<usize>) -> Vec<Wished> {
        let count = self.scopes.len();
        let wished = wishes.iter().map(|wish| {
            let scope = match above {
                Some(above) if !wish.anywhere && above + 1 < count => above + 1 + wish.scope.of(count - above - 1),
                _ => wish.scope.of(count),
            };
            Wished {
                scope,
                optional: wish.optional,
                below: self.wished(&wish.below, Some(scope)),
            }
        });
        wished.collect()
    }

    fn scope_text(&self, wished: &[Wished]) -> String {
        let trees = wished.iter().map(|wish| {
            let star = if wish.optional { "*" } else { "" };
            let below = match wish.below.is_empty() {
                true => String::new(),
                false => format!("[{}]", self.scope_text(&wish.below)),
            };
            format!("{star}{}{below}", self.scopes[wish.scope].1)
        });
        trees.collect::<Vec<_>>().join(" ")
    }

    /// From the authorization endpoint to where it ends, signing in where a page wants it.
    fn walk(&mut self, person: usize, client: &TestClient, params: &Params) -> End {
        let path = format!("/v2/oauth2/authorize?{}", crate::support::encode(&params.pairs()));
        let answer = self.send(person, client, Method::GET, &path, None);
        self.follow(person, client, path, answer)
    }

    fn follow(&mut self, person: usize, client: &TestClient, mut path: String, mut answer: Answer) -> End {
        for _ in 0..12 {
            if answer.status.is_redirection() {
                let location = answer.location().to_owned();
                if location.starts_with(REDIRECT_URI) {
                    let query = location.split_once('?').map_or("", |(_, query)| query);
                    let get = |name: &str| {
                        let mut pairs = form_urlencoded::parse(query.as_bytes());
                        pairs
                            .find(|(known, _)| known == name)
                            .map(|(_, value)| value.into_owned())
                    };
                    return match get("code") {
                        Some(code) => End::Code(code),
                        None => End::Error(get("error").unwrap_or_default()),
                    };
                }
                let public_url = self.laboratory.nodes[0].config().public_url();
                path = location.strip_prefix(&public_url).unwrap_or(&location).to_owned();
                answer = self.send(person, client, Method::GET, &path, None);
            } else if !answer.status.is_success() {
                if answer.status == 401 {
                    // Attempts with a disabled account count as guessing, which has tests of its own.
                    self.node().sql("DELETE FROM failure_counters", []);
                }
                return End::Refused(answer.status.as_u16());
            } else if path.starts_with("/p/login") {
                let form = forms(&answer.text())
                    .into_iter()
                    .next()
                    .expect("the login page has a form");
                let user = self.people[person].clone();
                let form = form.set("username", &user.username).set("password", &user.password);
                path = form.action.clone();
                answer = self.send(person, client, Method::POST, &form.action, Some(&form.fields));
            } else {
                return End::Asks(answer.text());
            }
        }
        End::Refused(0)
    }

    /// Sends the form of the consent page without these boxes.
    fn decide(&mut self, person: usize, page: &str, unticked: &[String], decision: &str) -> End {
        let mut form = forms(page).into_iter().next().expect("the consent page has a form");
        for place in unticked {
            form = form.without("scope_optional", place);
        }
        let form = form.set("decision", decision);
        let client = self.laboratory.console.clone();
        let answer = self.send(person, &client, Method::POST, &form.action, Some(&form.fields));
        self.follow(person, &client, form.action, answer)
    }

    /// A request of a person's browser to the next node.
    fn send(
        &mut self,
        person: usize,
        _client: &TestClient,
        method: Method,
        path: &str,
        fields: Option<&[(String, String)]>,
    ) -> Answer {
        let browser: Browser = self.node().browser();
        for (name, value) in &self.cookies[person] {
            browser.set_cookie(name, value);
        }
        let answer = browser.send(method, path, fields);
        self.cookies[person] = browser.cookies().clone();
        answer
    }

    // ---- Tokens ----

    fn find(&self, which: Which, kind: Kind) -> Option<usize> {
        let tokens = self
            .model
            .tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.kind == kind);
        match which {
            Which::Any(pick) => pick.among(&tokens.map(|(index, _)| index).collect::<Vec<_>>()),
            Which::Live(pick) => {
                let live = tokens.filter(|(_, token)| token.is_live());
                pick.among(&live.map(|(index, _)| index).collect::<Vec<_>>())
            }
            Which::Deepest => {
                let live = tokens.filter(|(_, token)| token.is_live());
                let useful =
                    live.filter(|(index, _)| kind == Kind::Refresh || !self.model.obtainable(*index).is_empty());
                useful
                    .max_by_key(|(_, token)| token.issued_depth)
                    .map(|(index, _)| index)
            }
        }
    }

    fn redeem(&mut self, code: usize) -> Check {
        let client = self.apps[self.model.app_of_code(code)].at(self.node());
        self.note(format!("code {code} is redeemed"));
        let answer = client.try_exchange(&self.codes[code]);
        let foreseen = self.model.redeem(code);
        let documents = |answer: &Answer| {
            let top = answer.json();
            let others = top["other_tokens"].as_array().cloned().unwrap_or_default();
            std::iter::once(top).chain(others).collect()
        };
        if let Ok(issued) = &foreseen
            && answer.status == 200
            && answer.json()["resource_server"] != self.service_names[issued[0].service].as_str()
        {
            differ!("the token of the first scope is not on top: {}", answer.summary());
        }
        self.compare_issued(&answer, documents, foreseen)
    }

    fn refresh(&mut self, token: usize, kept: Option<u8>) -> Check {
        let scopes: Vec<usize> = self.model.tokens[token].scopes().into_iter().collect();
        let kept: Option<BTreeSet<usize>> = kept.map(|bits| some_of(&scopes, bits));
        let kept = kept.filter(|kept| !kept.is_empty());
        let client = self.holder(token);
        let mut params = client.refresh_params(&self.tokens[token]);
        if let Some(kept) = &kept {
            params = params.set("scope", &self.flat(kept));
        }
        self.note(format!(
            "token {token} is refreshed{}",
            name_set(" for ", kept.as_ref())
        ));
        let answer = client.token(&params);
        match self.model.refresh(token, kept.as_ref()) {
            Err(refusal) => self.compare_refusal(&answer, &refusal),
            Ok((access, refreshed)) => {
                expect_status(&answer, 200)?;
                let document = answer.json();
                self.note(format!("  token {access} and refresh token {refreshed}"));
                self.tokens.resize(self.model.tokens.len(), String::new());
                let service = self.model.tokens[access].service;
                self.compare_document(&document, service, &self.model.tokens[access].scopes())?;
                self.tokens[access] = text(&document["access_token"])?;
                let given = text(&document["refresh_token"])?;
                let known = &mut self.tokens[refreshed];
                if known.is_empty() {
                    *known = given;
                } else if *known != given {
                    differ!("the refresh token of the answer is not token {refreshed}");
                }
                Ok(())
            }
        }
    }

    fn exchange(&mut self, token: usize, service: usize, offline: bool, wanted: Wanted) -> Check {
        let there: Vec<usize> = self.model.obtainable(token).iter().map(Place::scope).collect();
        let wanted = match wanted {
            Wanted::Everything => None,
            Wanted::Some(bits) => Some(some_of(&there, bits)),
            Wanted::More(bits, pick) => {
                let mut wanted = some_of(&there, bits);
                wanted.insert(pick.of(self.scopes.len()));
                Some(wanted)
            }
        };
        let wanted = wanted.filter(|wanted| !wanted.is_empty());
        let mut params = Params::default()
            .set("grant_type", GRANT)
            .set("token", &self.tokens[token]);
        if offline {
            params = params.set("access_type", "offline");
        }
        if let Some(wanted) = &wanted {
            params = params.set("scope", &self.flat(wanted));
        }
        self.note(format!(
            "service {service} exchanges token {token}{}{}",
            name_set(" for ", wanted.as_ref()),
            if offline { ", offline" } else { "" },
        ));
        let client = self.services[service].at(self.node());
        let answer = client.token(&params);
        let foreseen = self.model.exchange(token, service, offline, wanted.as_ref());
        let documents = |answer: &Answer| answer.json().as_array().cloned().unwrap_or_default();
        self.compare_issued(&answer, documents, foreseen)
    }

    fn compare_issued(
        &mut self,
        answer: &Answer,
        documents: impl Fn(&Answer) -> Vec<Value>,
        foreseen: Result<Vec<Issued>, Refusal>,
    ) -> Check {
        let issued = match foreseen {
            Err(refusal) => return self.compare_refusal(answer, &refusal),
            Ok(issued) => issued,
        };
        expect_status(answer, 200)?;
        let documents = documents(answer);
        if documents.len() != issued.len() {
            differ!("{} tokens, not {}: {}", documents.len(), issued.len(), answer.summary());
        }
        self.tokens.resize(self.model.tokens.len(), String::new());
        for issued in issued {
            let name = self.service_names[issued.service].as_str();
            let of_service = |document: &&Value| document["resource_server"] == name;
            let Some(document) = documents.iter().find(of_service) else {
                differ!("no token of service {}: {}", issued.service, answer.summary());
            };
            let Issued { access, refresh, .. } = issued;
            self.note(format!(
                "  token {access} of service {}{}{}",
                issued.service,
                name_set(" for ", Some(&issued.scopes)),
                refresh.map_or(String::new(), |refresh| format!(", with refresh token {refresh}")),
            ));
            self.compare_document(document, issued.service, &issued.scopes)?;
            self.tokens[access] = text(&document["access_token"])?;
            match (refresh, document["refresh_token"].as_str()) {
                (Some(refresh), Some(token)) => self.tokens[refresh] = token.to_owned(),
                (None, None) => {}
                (foreseen, _) => differ!("a refresh token was foreseen: {foreseen:?}, but: {document}"),
            }
        }
        Ok(())
    }

    fn compare_document(&self, document: &Value, service: usize, scopes: &BTreeSet<usize>) -> Check {
        if document["resource_server"] != self.service_names[service].as_str() {
            differ!("not for service {service}: {document}");
        }
        self.compare_scopes(&text(&document["scope"])?, scopes)
    }

    /// A flat list of the names, each once.
    fn compare_scopes(&self, listed: &str, scopes: &BTreeSet<usize>) -> Check {
        let mut listed: Vec<&str> = listed.split(' ').collect();
        let mut names: Vec<&str> = scopes.iter().map(|scope| self.scopes[*scope].1.as_str()).collect();
        listed.sort_unstable();
        names.sort_unstable();
        if listed != names {
            differ!("the scopes {listed:?}, not {names:?}");
        }
        Ok(())
    }

    fn compare_refusal(&mut self, answer: &Answer, refusal: &Refusal) -> Check {
        let outcome = answer.outcome();
        let foreseen: &'static str = match refusal {
            Refusal::InvalidClient => "401 invalid_client",
            Refusal::InvalidGrant => "400 invalid_grant",
            Refusal::InvalidScope => "400 invalid_scope",
            Refusal::DependentConsentRequired(_) => "403 dependent_consent_required",
        };
        if outcome != foreseen {
            differ!("{}, not {refusal:?}", answer.summary());
        }
        self.refusals.push(foreseen);
        if let Refusal::DependentConsentRequired(scopes) = refusal {
            let document = answer.json();
            let listed = document["errors"][0]["unapproved_scopes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
            return self.compare_scopes(&listed.join(" "), scopes);
        }
        Ok(())
    }

    fn holder(&mut self, token: usize) -> TestClient {
        let node = self.node();
        match self.model.tokens[token].holder {
            Holder::App(app) => self.apps[app].at(node),
            Holder::Service(service) => self.services[service].at(node),
        }
    }

    fn revoke(&mut self, token: usize, stranger: bool) -> Check {
        self.note(format!(
            "token {token} is revoked{}",
            if stranger { " by a stranger" } else { "" }
        ));
        let (client, status) = match stranger {
            true => (self.laboratory.console.at(self.node()), 200),
            false => (self.holder(token), if self.model.can_ask(token) { 200 } else { 401 }),
        };
        let answer = client.post("/v2/oauth2/token/revoke", &[("token", &self.tokens[token])]);
        if status == 200 && !stranger {
            self.model.revoke(token);
        }
        expect_status(&answer, status)
    }

    // ---- Consents ----

    fn withdraw(&mut self, place: &Place) -> Check {
        self.note(format!("{} is withdrawn", self.name_place(place)));
        let id = self.identities[place.identity];
        let rows = self.node().read(move |tx| consents::list_by_identity(tx, id));
        let wanted: Vec<ScopeId> = place.path.iter().map(|scope| self.scopes[*scope].0).collect();
        let app = self.apps[place.app].id;
        let scope_of = |id: &ConsentId| rows.iter().find(|row| row.id == *id).map(|row| row.scope_id);
        let found = rows.iter().find(|row| {
            let path: Option<Vec<ScopeId>> = row.path().iter().map(scope_of).collect();
            let root = rows.iter().find(|root| root.id == row.root_id);
            path.as_ref() == Some(&wanted) && root.is_some_and(|root| root.client_id == app)
        });
        let Some(consent) = found.map(|row| row.id) else {
            differ!("there is no consent {}", self.name_place(place));
        };
        self.model.withdraw(place);
        let person = self.model.identities[place.identity].person;
        let path = format!("/v2/api/identities/{id}/consents/{consent}");
        let mine = self.manager(person, |driver, token| {
            let request = driver.node().request(Method::DELETE, &path);
            request.authorization(&Auth::Bearer(token.to_owned())).send()
        });
        // What an identity allowed that nobody can speak for any more is for operators.
        let node = self.node();
        match mine {
            Some(answer) if answer.status != 403 => expect_status(&answer, 200),
            _ => {
                node.write(move |tx| consent::revoke(tx, &[id], consent).map(drop));
                Ok(())
            }
        }
    }

    /// A call with the person's token; a new one is fetched where the old one has ended.
    fn manager(&mut self, person: usize, call: impl Fn(&mut Self, &str) -> Answer) -> Option<Answer> {
        if let Some(token) = self.managers[person].clone() {
            let answer = call(self, &token);
            if answer.status != 401 {
                return Some(answer);
            }
        }
        let console = self.laboratory.console.clone();
        let params = console.params(&format!("openid {CONSENTS}manage_consents {CONSENTS}view_consents"));
        let mut end = self.walk(person, &console, &params);
        if let End::Asks(page) = &end {
            let page = page.clone();
            end = self.decide(person, &page, &[], "allow");
        }
        let End::Code(code) = end else { return None };
        let token = console.exchange(&code).access_token().to_owned();
        self.managers[person] = Some(token.clone());
        Some(call(self, &token))
    }

    // ---- Comparing ----

    /// The newest tokens, and some of the others in turn.
    fn check_sample(&mut self) -> Check {
        let count = self.model.tokens.len();
        let newest = count.saturating_sub(SAMPLE / 2)..count;
        let start = self.turn.get() * 7;
        let others = (0..SAMPLE / 2)
            .map(|step| (start + step) % count.max(1))
            .filter(|token| *token < count);
        let tokens: BTreeSet<usize> = newest.chain(others).collect();
        self.check_tokens(&tokens.into_iter().collect::<Vec<_>>())
    }

    fn check_tokens(&mut self, tokens: &[usize]) -> Check {
        let mut asked = Vec::new();
        let mut requests = Vec::new();
        for &token in tokens {
            if let Some((introspection, request)) = self.ask_about(token) {
                asked.push((token, introspection));
                requests.push(request);
            }
        }
        let answers = self.laboratory.nodes[0].at_once(requests);
        for ((token, introspection), answer) in asked.into_iter().zip(answers) {
            expect_status(&answer, 200)?;
            let document = answer.json();
            self.comparisons += 1;
            let known = &self.model.tokens[token];
            if document["active"] != known.is_active() {
                let why = known.ended.as_deref().unwrap_or("nothing ended it");
                differ!("token {token} is active: {}; but {why}", document["active"]);
            }
            if introspection && known.is_active() {
                self.check_introspection(token, &document)?;
            }
        }
        Ok(())
    }

    /// The service that a token is for introspects it; its holder validates it.
    fn ask_about(&mut self, token: usize) -> Option<(bool, Request)> {
        let Token { kind, service, .. } = self.model.tokens[token];
        let text = self.tokens[token].clone();
        let introspection = kind == Kind::Access && self.model.services[service] && self.turn.get() % 4 != 0;
        let (client, path) = if introspection {
            (self.services[service].at(self.node()), "/v2/oauth2/token/introspect")
        } else if self.model.can_ask(token) {
            (self.holder(token), "/v2/oauth2/token/validate")
        } else {
            return None;
        };
        let request = client.server.request(Method::POST, path);
        Some((introspection, request.auth(&client.auth(), &[("token", &text)])))
    }

    fn check_introspection(&mut self, token: usize, document: &Value) -> Check {
        let known = &self.model.tokens[token];
        self.compare_scopes(&text(&document["scope"])?, &known.scopes())?;
        if document["sub"] != self.identities[known.identity].to_string() {
            differ!("token {token} speaks for somebody else: {document}");
        }
        let holder = match known.holder {
            Holder::App(app) => self.apps[app].id,
            Holder::Service(service) => self.services[service].id,
        };
        if document["client_id"] != holder.to_string() {
            differ!("token {token} was issued to somebody else: {document}");
        }
        let cache_id = text(&document["dependent_tokens_cache_id"])?;
        let there = self.model.obtainable(token);
        if let Some((seen, stood_for)) = self.caches.get(&token)
            && *stood_for != there
            && *seen == cache_id
        {
            differ!("the cache id of token {token} stays although other tokens can be had for it");
        }
        self.caches.insert(token, (cache_id, there));
        Ok(())
    }

    /// Every token, every consent, and what can be had for each token.
    fn check_all(&mut self) -> Check {
        let tokens: Vec<usize> = (0..self.model.tokens.len()).collect();
        for part in tokens.chunks(40) {
            self.check_tokens(part)?;
        }
        self.check_consents()?;
        self.check_obtainable()?;
        self.check_refreshing()
    }

    fn check_consents(&mut self) -> Check {
        for person in [ALICE, BOB] {
            for which in 0..IDENTITIES {
                let linked = self.model.is_linked(person) || self.model.identities[which].signs_in;
                if self.model.identities[which].person != person || !linked {
                    continue;
                }
                let path = format!("/v2/api/identities/{}/consents?all=True", self.identities[which]);
                let answer = self.manager(person, |driver, token| {
                    let request = driver.node().request(Method::GET, &path);
                    request.authorization(&Auth::Bearer(token.to_owned())).send()
                });
                let Some(answer) = answer.filter(|answer| answer.status != 403) else {
                    continue;
                };
                expect_status(&answer, 200)?;
                self.compare_consents(which, &answer.json())?;
            }
        }
        Ok(())
    }

    fn compare_consents(&self, identity: usize, answer: &Value) -> Check {
        let documents = answer["consents"].as_array().cloned().unwrap_or_default();
        let find = |id: &Value| documents.iter().find(|document| document["id"] == *id);
        let scope_of = |id: &Value| {
            let scope = find(id)?["scope"].as_str()?;
            self.scopes.iter().position(|(known, _)| known.to_string() == scope)
        };
        let mut listed = BTreeMap::new();
        for document in &documents {
            let path = document["dependency_path"].as_array().cloned().unwrap_or_default();
            let root = path.first().and_then(find);
            let app = self
                .apps
                .iter()
                .position(|app| root.is_some_and(|root| root["client"] == app.id.to_string()));
            let Some(app) = app else { continue };
            let scopes: Option<Vec<usize>> = path.iter().map(scope_of).collect();
            let Some(path) = scopes else {
                differ!("a consent with a path that leads nowhere: {document}")
            };
            let user = match path.len().checked_sub(2) {
                None => self.apps[app].id,
                Some(above) => self.services[self.model.scopes[path[above]].service].id,
            };
            if document["client"] != user.to_string() {
                differ!("a consent for somebody else: {document}");
            }
            let place = Place { identity, app, path };
            listed.insert(
                place,
                (
                    document["allows_refresh"] == true,
                    document["atomically_revocable"] == true,
                ),
            );
        }
        let own = self.model.consents().filter(|(place, _)| place.identity == identity);
        let foreseen: BTreeMap<Place, (bool, bool)> = own
            .map(|(place, consent)| (place.clone(), (consent.allows_refresh, consent.alone)))
            .collect();
        if listed != foreseen {
            differ!("the consents are {listed:?}, not {foreseen:?}");
        }
        Ok(())
    }

    fn check_obtainable(&mut self) -> Check {
        let live = |(_, token): &(usize, &Token)| token.kind == Kind::Access && token.is_live();
        let tokens: Vec<usize> = self
            .model
            .tokens
            .iter()
            .enumerate()
            .filter(live)
            .map(|(index, _)| index)
            .collect();
        for part in tokens.chunks(40) {
            let mut requests = Vec::new();
            for &token in part {
                let client = self.services[self.model.tokens[token].service].at(self.node());
                let params = Params::default()
                    .set("grant_type", GRANT)
                    .set("token", &self.tokens[token]);
                requests.push(client.token_request(&params));
            }
            let answers = self.laboratory.nodes[0].at_once(requests);
            for (&token, answer) in part.iter().zip(answers) {
                self.compare_obtainable(token, &answer)
                    .map_err(|difference| format!("for token {token}: {difference}"))?;
            }
        }
        Ok(())
    }

    fn compare_obtainable(&mut self, token: usize, answer: &Answer) -> Check {
        let services = match self.model.dependents(token) {
            Err(refusal) => return self.compare_refusal(answer, &refusal),
            Ok(services) => services,
        };
        expect_status(answer, 200)?;
        let documents = answer.json().as_array().cloned().unwrap_or_default();
        if documents.len() != services.len() {
            differ!("{} dependent tokens, not {}", documents.len(), services.len());
        }
        for (service, scopes) in &services {
            let name = self.service_names[*service].as_str();
            let Some(document) = documents.iter().find(|document| document["resource_server"] == name) else {
                differ!("no dependent token of service {service}: {}", answer.summary());
            };
            self.compare_document(document, *service, scopes)?;
        }
        Ok(())
    }

    /// Every refresh token is used once more, but copies that would end their family.
    fn check_refreshing(&mut self) -> Check {
        for token in 0..self.model.tokens.len() {
            let known = &self.model.tokens[token];
            if known.kind == Kind::Refresh && known.successor.is_none() {
                self.refresh(token, None)?;
            }
        }
        Ok(())
    }

    // ---- Words ----

    fn flat(&self, scopes: &BTreeSet<usize>) -> String {
        let names: Vec<&str> = scopes.iter().map(|scope| self.scopes[*scope].1.as_str()).collect();
        names.join(" ")
    }

    fn name_place(&self, place: &Place) -> String {
        let identity = self.model.identities[place.identity].name;
        format!(
            "the consent of {identity} for the {} to {}",
            self.model.apps[place.app].name,
            name_path(&place.path)
        )
    }
}

impl End {
    fn name(&self) -> String {
        match self {
            End::Code(_) => "a code".into(),
            End::Error(error) => format!("the error {error}"),
            End::Asks(page) => format!("the consent page {:?}", pages::shown(page)),
            End::Refused(status) => format!("a page of refusal {status}"),
        }
    }
}

fn service_name(history: usize, service: usize) -> String {
    format!("s{service}.history{history}.example")
}

fn edge(plan: &EdgePlan) -> Edge {
    Edge {
        optional: plan.optional,
        offline: plan.offline,
    }
}

fn expect_status(answer: &Answer, status: u16) -> Check {
    if answer.status == status {
        return Ok(());
    }
    Err(format!("status {status} was foreseen, but: {}", answer.summary()))
}

fn text(value: &Value) -> Check<String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("no text but {value}"))
}

/// The scopes whose bit is set.
fn some_of(scopes: &[usize], bits: u8) -> BTreeSet<usize> {
    let chosen = scopes
        .iter()
        .enumerate()
        .filter(|(index, _)| bits >> (index % 8) & 1 == 1);
    chosen.map(|(_, scope)| *scope).collect()
}

/// What the page shows is what the model expands to, with a box where something is optional.
fn compare_trees(shown: &[Shown], foreseen: &[Node]) -> Check {
    type Plain = Vec<(Vec<usize>, bool)>;
    fn of_page(shown: &[Shown], path: &mut Vec<usize>, plain: &mut Plain) {
        for node in shown {
            path.push(node.scope);
            plain.push((path.clone(), node.place.is_some()));
            of_page(&node.below, path, plain);
            path.pop();
        }
    }
    fn of_model(nodes: &[Node], path: &mut Vec<usize>, plain: &mut Plain) {
        for node in nodes {
            path.push(node.scope);
            plain.push((path.clone(), node.edge.optional));
            of_model(&node.below, path, plain);
            path.pop();
        }
    }
    let (mut page, mut model) = (Plain::new(), Plain::new());
    of_page(shown, &mut Vec::new(), &mut page);
    of_model(foreseen, &mut Vec::new(), &mut model);
    page.sort();
    model.sort();
    if page != model {
        differ!("the page asks for {page:?}, not for {model:?}");
    }
    Ok(())
}

fn name_path(path: &[usize]) -> String {
    path.iter()
        .map(|scope| format!("s{scope}"))
        .collect::<Vec<_>>()
        .join("/")
}

fn name_edge(to: usize, edge: Edge) -> String {
    let star = if edge.optional { "*" } else { "" };
    let offline = if edge.offline { " offline" } else { "" };
    format!("{star}s{to}{offline}")
}

fn name_wished(wished: &[Wished]) -> String {
    let trees = wished.iter().map(|wish| {
        let star = if wish.optional { "*" } else { "" };
        let below = match wish.below.is_empty() {
            true => String::new(),
            false => format!("[{}]", name_wished(&wish.below)),
        };
        format!("{star}s{}{below}", wish.scope)
    });
    trees.collect::<Vec<_>>().join(" ")
}

fn name_set(before: &str, scopes: Option<&BTreeSet<usize>>) -> String {
    scopes.map_or(String::new(), |scopes| {
        let names: Vec<String> = scopes.iter().map(|scope| format!("s{scope}")).collect();
        format!("{before}{}", names.join(", "))
    })
}
