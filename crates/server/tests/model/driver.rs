//! Does what a history says on a real server through its router, and asks the model what
//! has to come of it. The first difference ends the history.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use http::header::CONTENT_TYPE;
use portolan_server::app::new_uuid;
use portolan_server::domain::linking::Refusal;
use portolan_server::domain::{client, consent, identity, linking, session};
use portolan_server::store::audit::Actor;
use portolan_server::store::scopes::{self, Dependency};
use portolan_server::store::{consents, identities};
use portolan_types::{ConsentId, IdentityId, IdentitySetId, ScopeId};
use serde_json::{Value, json};

use self::compare::compare_trees;
use self::words::{name_edge, name_path, name_set, name_wished};
pub use self::world::{Figures, Laboratory};
use super::history::{EdgePlan, History, Login, Step, Wanted, Which, Wish};
use super::model::{Answer as Foreseen, Edge, Holder, IDENTITIES, Kind, Model, Place, Wished};
use super::pages;
use crate::support::{Answer, Auth, Browser, Params, REDIRECT_URI, TestClient, TestServer, TestUser, forms};

const GRANT: &str = "urn:globus:auth:grant_type:dependent_token";
const CONSENTS: &str = "urn:globus:auth:scope:auth.globus.org:";

/// A difference between the server and the model, in words.
pub type Check<T = ()> = Result<T, String>;

macro_rules! differ {
    ($($text:tt)*) => { return Err(format!($($text)*)) };
}

mod compare;
mod words;
mod world;

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
    /// The page that offers to link an account.
    OffersToLink,
    Refused(u16),
}

impl<'a> Driver<'a> {
    fn node(&self) -> &'a TestServer {
        self.turn.set(self.turn.get() + 1);
        let nodes = &self.laboratory.nodes;
        &nodes[self.turn.get() % nodes.len()]
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
                let (node, ctx) = (self.node(), self.node().ctx());
                node.write(move |tx| linking::unlink(tx, &ctx, Actor::Operator, id, IdentitySetId(new_uuid())));
                Ok(())
            }
            Step::EndSessions(pick) => {
                let person = pick.of(2);
                self.note(format!("{} ends all sessions", self.people[person].username));
                self.model.end_sessions(person);
                self.end_sessions(person);
                Ok(())
            }
            Step::Link(pick) => {
                let person = pick.of(2);
                if self.model.is_linked(person) {
                    return Ok(());
                }
                let (mine, other, foreseen) = self.model.link(person);
                let name = self.model.identities[other].name;
                self.note(format!(
                    "{name} is linked again{}",
                    if foreseen { "" } else { ", in vain" }
                ));
                let (mine, other) = (self.identities[mine], self.identities[other]);
                let (node, ctx) = (self.node(), self.node().ctx());
                match node.write(move |tx| linking::link(tx, &ctx, Actor::Operator, mine, other)) {
                    Ok(()) if foreseen => Ok(()),
                    Err(Refusal::NotLive) if !foreseen => Ok(()),
                    outcome => differ!("linking {name} ends with {outcome:?}"),
                }
            }
        }
    }

    /// As the account page does it.
    fn end_sessions(&mut self, person: usize) {
        let (id, node) = (self.people[person].id, self.node());
        let ctx = node.ctx();
        node.write(move |tx| {
            let set = identities::get(tx, id)?.set_id;
            let ids = identities::list_set_ids(tx, set)?;
            for place in session::places(tx, &ids, ctx.now, Duration::from_secs(3600))? {
                session::end_place(tx, &ctx, Actor::Identity(id), &place)?;
            }
            Ok(())
        });
    }

    fn set_enabled(&mut self, which: usize, enabled: bool) {
        let (id, node) = (self.identities[which], self.node());
        let ctx = node.ctx();
        node.write(move |tx| {
            if enabled {
                identity::switch_on(tx, id)
            } else {
                identity::switch_off(tx, &ctx, id)
            }
        });
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
        let end = self.walk(person, &params);
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
            (End::OffersToLink, Foreseen::OffersToLink) => {
                self.refusals.push("by an offer to link");
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
    fn walk(&mut self, person: usize, params: &Params) -> End {
        let path = format!("/v2/oauth2/authorize?{}", crate::support::encode(&params.pairs()));
        let answer = self.send(person, Method::GET, &path, None);
        self.follow(person, path, answer)
    }

    fn follow(&mut self, person: usize, mut path: String, mut answer: Answer) -> End {
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
                answer = self.send(person, Method::GET, &path, None);
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
                answer = self.send(person, Method::POST, &form.action, Some(&form.fields));
            } else if path.starts_with("/p/link?") {
                return End::OffersToLink;
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
        let answer = self.send(person, Method::POST, &form.action, Some(&form.fields));
        self.follow(person, form.action, answer)
    }

    /// A request of a person's browser to the next node.
    fn send(&mut self, person: usize, method: Method, path: &str, fields: Option<&[(String, String)]>) -> Answer {
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
        let mut end = self.walk(person, &params);
        if let End::Asks(page) = &end {
            let page = page.clone();
            end = self.decide(person, &page, &[], "allow");
        }
        let End::Code(code) = end else { return None };
        let token = console.exchange(&code).access_token().to_owned();
        self.managers[person] = Some(token.clone());
        Some(call(self, &token))
    }
}

impl End {
    fn name(&self) -> String {
        match self {
            End::Code(_) => "a code".into(),
            End::Error(error) => format!("the error {error}"),
            End::Asks(page) => format!("the consent page {:?}", pages::shown(page)),
            End::OffersToLink => "an offer to link".into(),
            End::Refused(status) => format!("a page of refusal {status}"),
        }
    }
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
