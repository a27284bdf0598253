//! What the specification says, in memory: consents as places, tokens as what they rest on.
//!
//! Written from the texts about scopes, consents, the dependent grant and the cascades, and
//! shares no code with the server. It is built the other way round on purpose: the server
//! asks of a token, each time, whether all it stands on still holds; here every event ends
//! the tokens that it ends, for good. What is refused is refused with the same error as
//! the specification names.

use std::collections::{BTreeMap, BTreeSet};

/// The most scopes in the trees of one request, and on one path.
const MOST_NODES: usize = 500;
const DEEPEST: usize = 10;

/// Speaks for the identity of one provider.
pub const OF_PROVIDER: usize = 1;
/// Public: its refresh tokens rotate.
pub const PUBLIC: usize = 2;

/// Two people with two identities each, one of which signs in and one of the other
/// provider. Alice's primary is the one that signs in, Bob's the other.
pub const ALICE: usize = 0;
pub const BOB: usize = 1;

pub struct Identity {
    pub name: &'static str,
    pub person: usize,
    pub signs_in: bool,
    pub enabled: bool,
    /// Ended by being switched off or unlinked: what was issued before is of an earlier life.
    life: u32,
}

pub const IDENTITIES: usize = 4;

pub struct App {
    pub name: &'static str,
    pub exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub optional: bool,
    /// The owner needs a refresh token for it.
    pub offline: bool,
}

#[derive(Debug)]
pub struct Scope {
    pub service: usize,
    pub exists: bool,
    pub allows_refresh: bool,
    pub below: BTreeMap<usize, Edge>,
}

/// A node of the trees that a request expands to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub scope: usize,
    pub edge: Edge,
    pub below: Vec<Node>,
}

/// A tree as it is asked for.
#[derive(Clone, Debug)]
pub struct Wished {
    pub scope: usize,
    pub optional: bool,
    pub below: Vec<Wished>,
}

/// Where a consent stands: whose, for which app, and the scopes from the root to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub identity: usize,
    pub app: usize,
    pub path: Vec<usize>,
}

impl Place {
    pub fn scope(&self) -> usize {
        *self.path.last().expect("a path has a root")
    }

    fn is_within(&self, root: &Place) -> bool {
        self.identity == root.identity && self.app == root.app && self.path.starts_with(&root.path)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// A consent that went and came back is another one.
    birth: u64,
    pub approved: bool,
    pub allows_refresh: bool,
    /// Can be withdrawn alone.
    pub alone: bool,
}

#[derive(Clone, Debug)]
struct Ground {
    place: Place,
    birth: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    App(usize),
    Service(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

#[derive(Debug)]
pub struct Token {
    pub kind: Kind,
    pub holder: Holder,
    pub service: usize,
    pub identity: usize,
    life: u32,
    issuance: usize,
    family: Option<usize>,
    grounds: Vec<Ground>,
    /// Of a refresh token that was rotated.
    pub successor: Option<usize>,
    successor_used: bool,
    /// How far down its path it stands, for the record.
    pub issued_depth: usize,
    /// Why it ended. Nothing comes back to life.
    pub ended: Option<String>,
}

impl Token {
    pub fn scopes(&self) -> BTreeSet<usize> {
        self.grounds.iter().map(|ground| ground.place.scope()).collect()
    }

    pub fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    /// What introspection and `validate` say: a rotated token is only good for repeating.
    pub fn is_active(&self) -> bool {
        self.is_live() && self.successor.is_none()
    }
}

struct Code {
    app: usize,
    identity: usize,
    life: u32,
    issuance: usize,
    grounds: Vec<Ground>,
    offline: bool,
    used: bool,
    session_ended: bool,
}

/// A document of a token answer: the tokens by number.
#[derive(Clone, Debug)]
pub struct Issued {
    pub service: usize,
    pub scopes: BTreeSet<usize>,
    pub access: usize,
    pub refresh: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    /// What the person has to approve first.
    DependentConsentRequired(BTreeSet<usize>),
}

/// What an authorization request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A page of refusal with this status.
    Refused(u16),
    /// Sent back with this error.
    Error(&'static str),
    /// The consent page with these trees.
    Asks(Vec<Node>),
    /// A page that offers to link an account of the provider that the app requires.
    OffersToLink,
    Code,
}

pub struct Model {
    pub services: Vec<bool>,
    pub scopes: Vec<Scope>,
    pub apps: [App; 3],
    pub identities: [Identity; IDENTITIES],
    linked: [bool; 2],
    consents: BTreeMap<Place, Consent>,
    codes: Vec<Code>,
    pub tokens: Vec<Token>,
    births: u64,
    /// Issuances and families so far.
    grants: usize,
}

impl Model {
    pub fn new(services: usize, scopes: Vec<Scope>) -> Self {
        let identity = |name, person, signs_in| Identity {
            name,
            person,
            signs_in,
            enabled: true,
            life: 0,
        };
        let app = |name| App { name, exists: true };
        Self {
            services: vec![true; services],
            scopes,
            apps: [app("app"), app("app of a provider"), app("public app")],
            identities: [
                identity("alice", ALICE, true),
                identity("alice elsewhere", ALICE, false),
                identity("bob elsewhere", BOB, false),
                identity("bob", BOB, true),
            ],
            linked: [true; 2],
            consents: BTreeMap::new(),
            codes: Vec::new(),
            tokens: Vec::new(),
            births: 0,
            grants: 0,
        }
    }

    // ---- Scopes ----

    /// Whether declaring these dependencies is accepted: nothing may lead back to the scope
    /// itself, and its tree may not be too large.
    pub fn declare(&mut self, scope: usize, below: BTreeMap<usize, Edge>) -> bool {
        let before = std::mem::replace(&mut self.scopes[scope].below, below);
        let accepted = !self.leads_to(scope, scope) && self.expand(&[scope], &BTreeMap::new()).is_some();
        if !accepted {
            self.scopes[scope].below = before;
        }
        accepted
    }

    pub fn plant(&mut self, from: usize, to: usize, edge: Edge) {
        self.scopes[from].below.insert(to, edge);
    }

    fn leads_to(&self, from: usize, to: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<usize> = self.scopes[from].below.keys().copied().collect();
        while let Some(scope) = waiting.pop() {
            if scope == to {
                return true;
            }
            if seen.insert(scope) {
                waiting.extend(self.scopes[scope].below.keys());
            }
        }
        false
    }

    /// The trees below these scopes with the dependencies of the request; none if they are
    /// too large. A scope is not expanded again below itself.
    fn expand(&self, roots: &[usize], asked: &BTreeMap<usize, BTreeMap<usize, bool>>) -> Option<Vec<Node>> {
        let mut count = 0;
        let root = Edge {
            optional: false,
            offline: false,
        };
        roots
            .iter()
            .map(|scope| self.grow(*scope, root, asked, &mut Vec::new(), &mut count))
            .collect()
    }

    fn grow(
        &self,
        scope: usize,
        edge: Edge,
        asked: &BTreeMap<usize, BTreeMap<usize, bool>>,
        above: &mut Vec<usize>,
        count: &mut usize,
    ) -> Option<Node> {
        *count += 1;
        above.push(scope);
        if *count > MOST_NODES || above.len() > DEEPEST {
            return None;
        }
        let mut edges = self.scopes[scope].below.clone();
        for (to, optional) in asked.get(&scope).into_iter().flatten() {
            let edge = edges.entry(*to).or_insert(Edge {
                optional: true,
                offline: false,
            });
            // Required wins where anybody says so.
            edge.optional &= optional;
        }
        let mut below = Vec::new();
        for (to, edge) in edges {
            if !above.contains(&to) {
                below.push(self.grow(to, edge, asked, above, count)?);
            }
        }
        above.pop();
        let offline = edge.offline && self.scopes[scope].allows_refresh;
        Some(Node {
            scope,
            edge: Edge { offline, ..edge },
            below,
        })
    }

    // ---- People ----

    /// The identity that signs a person in.
    fn signing_in(&self, person: usize) -> usize {
        if person == ALICE { 0 } else { 3 }
    }

    /// Whom tokens of the app speak for.
    fn effective(&self, person: usize, app: usize) -> Option<usize> {
        let (alice_elsewhere, bob_elsewhere) = (1, 2);
        let elsewhere = if person == ALICE {
            alice_elsewhere
        } else {
            bob_elsewhere
        };
        let primary = if person == BOB && self.linked[BOB] {
            bob_elsewhere
        } else {
            self.signing_in(person)
        };
        let chosen = match app {
            OF_PROVIDER => self.linked[person].then_some(elsewhere),
            _ => Some(primary),
        };
        chosen.filter(|identity| self.identities[*identity].enabled)
    }

    pub fn may_sign_in(&self, person: usize) -> bool {
        self.identities[self.signing_in(person)].enabled
    }

    pub fn is_linked(&self, person: usize) -> bool {
        self.linked[person]
    }

    pub fn disable(&mut self, identity: usize) {
        self.identities[identity].enabled = false;
        self.end_life(identity, "was disabled");
        // What was got by signing in with it ends as well, whoever it speaks for.
        if self.identities[identity].signs_in {
            self.end_life(self.beside(identity), "was signed in to by a disabled one");
        }
    }

    pub fn enable(&mut self, identity: usize) {
        self.identities[identity].enabled = true;
    }

    /// Takes the identity that is not the primary out of the set, and says which one it is.
    pub fn unlink(&mut self, person: usize) -> usize {
        self.linked[person] = false;
        let unlinked = if person == ALICE { 1 } else { 3 };
        self.end_life(unlinked, "was unlinked");
        // What was got by signing in with it ends as well, whoever it speaks for.
        if self.identities[unlinked].signs_in {
            self.end_life(self.beside(unlinked), "was signed in to by an unlinked one");
        }
        unlinked
    }

    /// Tokens of a person come from sessions, with all that services got for them.
    pub fn end_sessions(&mut self, person: usize) {
        let of_person: Vec<usize> = (0..IDENTITIES)
            .filter(|identity| self.identities[*identity].person == person)
            .collect();
        for code in self.codes.iter_mut().filter(|code| of_person.contains(&code.identity)) {
            code.session_ended = true;
        }
        self.end(|token| of_person.contains(&token.identity), "its session was ended");
    }

    /// Links a person's identities again: which one joins which, and whether it may.
    pub fn link(&mut self, person: usize) -> (usize, usize, bool) {
        let (mine, other) = if person == ALICE { (0, 1) } else { (2, 3) };
        let live = self.identities[mine].enabled && self.identities[other].enabled;
        self.linked[person] |= live;
        (mine, other, live)
    }

    /// The other identity of the same person.
    fn beside(&self, identity: usize) -> usize {
        identity ^ 1
    }

    fn end_life(&mut self, identity: usize, how: &str) {
        self.identities[identity].life += 1;
        let why = format!("{} {how}", self.identities[identity].name);
        self.end(|token| token.identity == identity, &why);
    }

    // ---- Consents ----

    pub fn consents(&self) -> impl Iterator<Item = (&Place, &Consent)> {
        self.consents.iter().filter(|(_, consent)| consent.approved)
    }

    fn approved(&self, place: &Place) -> Option<&Consent> {
        self.consents.get(place).filter(|consent| consent.approved)
    }

    /// What the request leads to, if it comes from a browser that may have to sign in first.
    pub fn authorize(&self, person: usize, app: usize, wished: &[Wished], offline: bool, ask_again: bool) -> Answer {
        if !self.apps[app].exists {
            return Answer::Refused(400);
        }
        let Some(asked) = read(wished) else {
            return Answer::Error("invalid_scope");
        };
        if asked.keys().any(|scope| !self.scopes[*scope].exists) {
            return Answer::Refused(400);
        }
        let Some(trees) = self.expand(&roots(wished), &asked) else {
            return Answer::Error("invalid_scope");
        };
        if !self.may_sign_in(person) {
            return Answer::Refused(401);
        }
        let Some(identity) = self.effective(person, app) else {
            return if app == OF_PROVIDER {
                Answer::OffersToLink
            } else {
                Answer::Refused(403)
            };
        };
        let complete = trees.iter().all(|root| {
            let place = Place {
                identity,
                app,
                path: vec![root.scope],
            };
            let wants_refresh = offline && self.scopes[root.scope].allows_refresh;
            let consent = self.approved(&place);
            consent.is_some_and(|consent| consent.allows_refresh || !wants_refresh) && self.is_answered(&place, root)
        });
        if complete && !ask_again {
            Answer::Code
        } else {
            Answer::Asks(trees)
        }
    }

    /// Whether the person has said yes or no to all that is below.
    fn is_answered(&self, place: &Place, node: &Node) -> bool {
        node.below.iter().all(|child| {
            let mut below = place.clone();
            below.path.push(child.scope);
            match self.consents.get(&below) {
                None => false,
                Some(consent) if consent.approved => {
                    (consent.allows_refresh || !child.edge.offline) && self.is_answered(&below, child)
                }
                Some(_) => child.edge.optional,
            }
        })
    }

    /// The person allows these trees but for the places that were unticked.
    pub fn approve(
        &mut self,
        person: usize,
        app: usize,
        trees: &[Node],
        unticked: &BTreeSet<Vec<usize>>,
        offline: bool,
    ) {
        let identity = self.effective(person, app).expect("whoever is asked is somebody");
        for root in trees {
            let place = Place {
                identity,
                app,
                path: vec![root.scope],
            };
            let refresh = offline && self.scopes[root.scope].allows_refresh;
            self.approve_below(place, root, refresh, unticked);
        }
    }

    fn approve_below(&mut self, place: Place, node: &Node, refresh: bool, unticked: &BTreeSet<Vec<usize>>) {
        let declined = unticked.contains(&place.path);
        if declined && self.approved(&place).is_some() {
            self.remove(|other| other.is_within(&place), "its branch was unticked");
        }
        let births = &mut self.births;
        let consent = self.consents.entry(place.clone()).or_insert_with(|| {
            *births += 1;
            Consent {
                birth: *births,
                approved: false,
                allows_refresh: false,
                alone: false,
            }
        });
        consent.approved = !declined;
        consent.allows_refresh |= refresh && !declined;
        consent.alone = node.edge.optional;
        if declined {
            return;
        }
        for child in &node.below {
            let mut below = place.clone();
            below.path.push(child.scope);
            self.approve_below(below, child, child.edge.offline, unticked);
        }
    }

    /// One that can be withdrawn alone goes with what is below it, any other with its tree.
    pub fn withdraw(&mut self, place: &Place) {
        let alone = self.consents.get(place).expect("it was seen").alone;
        let mut cut = place.clone();
        if !alone {
            cut.path.truncate(1);
        }
        self.remove(|other| other.is_within(&cut), "its consent was withdrawn");
    }

    /// Consents go, and with them all tokens that rest on one of them.
    fn remove(&mut self, goes: impl Fn(&Place) -> bool, why: &str) {
        let mut gone = BTreeSet::new();
        self.consents.retain(|place, consent| {
            let goes = goes(place);
            if goes {
                gone.insert(consent.birth);
            }
            !goes
        });
        self.end(
            |token| token.grounds.iter().any(|ground| gone.contains(&ground.birth)),
            why,
        );
    }

    /// How many consents there ever were.
    pub fn consents_given(&self) -> usize {
        usize::try_from(self.births).expect("few")
    }

    // ---- Codes and tokens ----

    /// A code for the person's own trees: what it stands for is what is approved now.
    pub fn code(&mut self, person: usize, app: usize, wished: &[Wished], offline: bool) -> usize {
        let identity = self.effective(person, app).expect("whoever allows is somebody");
        let grounds = roots(wished).into_iter().map(|scope| {
            let place = Place {
                identity,
                app,
                path: vec![scope],
            };
            self.ground(place)
        });
        let grounds = grounds.collect();
        self.grants += 1;
        self.codes.push(Code {
            app,
            identity,
            life: self.identities[identity].life,
            issuance: self.grants,
            grounds,
            offline,
            used: false,
            session_ended: false,
        });
        self.codes.len() - 1
    }

    fn ground(&self, place: Place) -> Ground {
        let birth = self.approved(&place).expect("what is granted is approved").birth;
        Ground { place, birth }
    }

    pub fn app_of_code(&self, code: usize) -> usize {
        self.codes[code].app
    }

    pub fn is_used(&self, code: usize) -> bool {
        self.codes[code].used
    }

    /// The token for the first scope that was asked for comes first.
    pub fn redeem(&mut self, code: usize) -> Result<Vec<Issued>, Refusal> {
        let Code {
            app,
            identity,
            life,
            issuance,
            ref grounds,
            offline,
            used,
            session_ended,
        } = self.codes[code];
        if !self.apps[app].exists {
            return Err(Refusal::InvalidClient);
        }
        if used {
            self.end(|token| token.issuance == issuance, "its code was used again");
            return Err(Refusal::InvalidGrant);
        }
        let stands = |ground: &&Ground| {
            self.approved(&ground.place)
                .is_some_and(|consent| consent.birth == ground.birth)
        };
        let grounds: Vec<Ground> = grounds.iter().filter(stands).cloned().collect();
        if grounds.is_empty() || self.identities[identity].life != life || session_ended {
            return Err(Refusal::InvalidGrant);
        }
        self.codes[code].used = true;
        let on_top = self.scopes[grounds[0].place.scope()].service;
        let mut issued = self.issue(Holder::App(app), identity, issuance, grounds, offline);
        issued.sort_by_key(|issued| issued.service != on_top);
        Ok(issued)
    }

    /// One access token for each service, and a refresh token where all scopes allow it.
    fn issue(
        &mut self,
        holder: Holder,
        identity: usize,
        issuance: usize,
        grounds: Vec<Ground>,
        offline: bool,
    ) -> Vec<Issued> {
        let mut services: BTreeMap<usize, Vec<Ground>> = BTreeMap::new();
        for ground in grounds {
            let service = self.scopes[ground.place.scope()].service;
            services.entry(service).or_default().push(ground);
        }
        let mut issued = Vec::new();
        for (service, grounds) in services {
            let refreshes = offline && self.allow_refresh(&grounds);
            let family = refreshes.then(|| {
                self.grants += 1;
                self.grants
            });
            let mut mint = |kind| {
                self.tokens.push(Token {
                    kind,
                    holder,
                    service,
                    identity,
                    life: self.identities[identity].life,
                    issuance,
                    family,
                    issued_depth: deepest(&grounds),
                    grounds: grounds.clone(),
                    successor: None,
                    successor_used: false,
                    ended: None,
                });
                self.tokens.len() - 1
            };
            issued.push(Issued {
                service,
                scopes: grounds.iter().map(|ground| ground.place.scope()).collect(),
                access: mint(Kind::Access),
                refresh: family.map(|_| mint(Kind::Refresh)),
            });
        }
        issued
    }

    fn allow_refresh(&self, grounds: &[Ground]) -> bool {
        grounds.iter().all(|ground| {
            let consent = self.approved(&ground.place);
            self.scopes[ground.place.scope()].allows_refresh && consent.is_some_and(|consent| consent.allows_refresh)
        })
    }

    fn holder_exists(&self, holder: Holder) -> bool {
        match holder {
            Holder::App(app) => self.apps[app].exists,
            Holder::Service(service) => self.services[service],
        }
    }

    /// Whether whoever holds the token can still say so.
    pub fn can_ask(&self, token: usize) -> bool {
        self.holder_exists(self.tokens[token].holder)
    }

    /// A refresh by the token's holder, for these scopes or all. Gives the access token and
    /// the refresh token of the answer, which is the presented one unless it rotates.
    pub fn refresh(&mut self, token: usize, kept: Option<&BTreeSet<usize>>) -> Result<(usize, usize), Refusal> {
        let presented = &self.tokens[token];
        let (holder, identity, service) = (presented.holder, presented.identity, presented.service);
        let (issuance, family, life) = (presented.issuance, presented.family, presented.life);
        let grounds = presented.grounds.clone();
        if !self.holder_exists(holder) {
            return Err(Refusal::InvalidClient);
        }
        if !presented.is_live() || !self.allow_refresh(&grounds) {
            return Err(Refusal::InvalidGrant);
        }
        let keeps = |ground: &&Ground| kept.is_none_or(|kept| kept.contains(&ground.place.scope()));
        let resting: Vec<Ground> = grounds.iter().filter(keeps).cloned().collect();
        if kept.is_some_and(|kept| !kept.is_subset(&presented.scopes())) {
            return Err(Refusal::InvalidScope);
        }
        if presented.successor.is_some() && presented.successor_used {
            self.end(|other| other.family == family, "a copy of its refresh token was used");
            return Err(Refusal::InvalidGrant);
        }
        let refreshed = if holder == Holder::App(PUBLIC) {
            for other in &mut self.tokens {
                if other.successor == Some(token) {
                    other.successor_used = true;
                }
            }
            match self.tokens[token].successor {
                Some(successor) => successor,
                None => {
                    let successor = self.tokens.len();
                    self.tokens[token].successor = Some(successor);
                    self.tokens.push(Token {
                        kind: Kind::Refresh,
                        holder,
                        service,
                        identity,
                        life,
                        issuance,
                        family,
                        issued_depth: deepest(&grounds),
                        grounds,
                        successor: None,
                        successor_used: false,
                        ended: None,
                    });
                    successor
                }
            }
        } else {
            token
        };
        self.tokens.push(Token {
            kind: Kind::Access,
            holder,
            service,
            identity,
            life,
            issuance,
            family,
            issued_depth: deepest(&resting),
            grounds: resting,
            successor: None,
            successor_used: false,
            ended: None,
        });
        Ok((self.tokens.len() - 1, refreshed))
    }

    /// The consents right below those that a token rests on.
    pub fn obtainable(&self, token: usize) -> BTreeSet<Place> {
        let grounds = &self.tokens[token].grounds;
        let is_below = |place: &Place| {
            let mut parent = place.clone();
            parent.path.pop();
            grounds.iter().any(|ground| ground.place == parent)
        };
        let approved = self.consents().map(|(place, _)| place);
        approved.filter(|place| is_below(place)).cloned().collect()
    }

    /// Dependencies that are required today and were not approved on the way of the token.
    fn missing(&self, token: usize) -> BTreeSet<usize> {
        let mut missing = BTreeSet::new();
        for ground in &self.tokens[token].grounds {
            for (to, edge) in &self.scopes[ground.place.scope()].below {
                let mut below = ground.place.clone();
                below.path.push(*to);
                let on_the_way = ground.place.path.contains(to);
                if !edge.optional && !on_the_way && self.approved(&below).is_none() {
                    missing.insert(*to);
                }
            }
        }
        missing
    }

    /// What the dependent grant would give for this token, by service; nothing changes.
    pub fn dependents(&self, token: usize) -> Result<BTreeMap<usize, BTreeSet<usize>>, Refusal> {
        let missing = self.missing(token);
        if !missing.is_empty() {
            return Err(Refusal::DependentConsentRequired(missing));
        }
        let mut services: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for place in self.obtainable(token) {
            let scope = place.scope();
            services.entry(self.scopes[scope].service).or_default().insert(scope);
        }
        Ok(services)
    }

    /// The dependent grant by this service.
    pub fn exchange(
        &mut self,
        token: usize,
        service: usize,
        offline: bool,
        wanted: Option<&BTreeSet<usize>>,
    ) -> Result<Vec<Issued>, Refusal> {
        if !self.services[service] {
            return Err(Refusal::InvalidClient);
        }
        let presented = &self.tokens[token];
        if presented.kind != Kind::Access || !presented.is_live() || presented.service != service {
            return Err(Refusal::InvalidGrant);
        }
        let mut places = self.obtainable(token);
        match wanted {
            None => {
                let missing = self.missing(token);
                if !missing.is_empty() {
                    return Err(Refusal::DependentConsentRequired(missing));
                }
            }
            Some(wanted) => {
                if wanted.iter().any(|scope| !self.scopes[*scope].exists) {
                    return Err(Refusal::InvalidScope);
                }
                let there: BTreeSet<usize> = places.iter().map(Place::scope).collect();
                let unapproved: BTreeSet<usize> = wanted.difference(&there).copied().collect();
                if !unapproved.is_empty() {
                    return Err(Refusal::DependentConsentRequired(unapproved));
                }
                places.retain(|place| wanted.contains(&place.scope()));
            }
        }
        let (identity, issuance) = (presented.identity, presented.issuance);
        let grounds = places.into_iter().map(|place| self.ground(place)).collect();
        Ok(self.issue(Holder::Service(service), identity, issuance, grounds, offline))
    }

    /// By the holder: an access token alone, a refresh token with its family.
    pub fn revoke(&mut self, token: usize) {
        let revoked = &self.tokens[token];
        match (revoked.kind, revoked.family) {
            (Kind::Refresh, family) => self.end(|other| other.family == family, "its refresh token was revoked"),
            (Kind::Access, _) => {
                self.tokens[token].ended.get_or_insert_with(|| "it was revoked".into());
            }
        }
    }

    fn end(&mut self, ends: impl Fn(&Token) -> bool, why: &str) {
        for token in &mut self.tokens {
            if token.is_live() && ends(token) {
                token.ended = Some(why.to_owned());
            }
        }
    }

    // ---- Deletions ----

    /// Tokens lose the scope, and end if it was their last. What was approved below it goes.
    pub fn delete_scope(&mut self, scope: usize) {
        self.scopes[scope].exists = false;
        self.scopes[scope].below.clear();
        for other in &mut self.scopes {
            other.below.remove(&scope);
        }
        for token in self.tokens.iter_mut().filter(|token| token.is_live()) {
            token.grounds.retain(|ground| ground.place.scope() != scope);
            if token.grounds.is_empty() {
                token.ended = Some("its last scope was deleted".into());
            }
        }
        self.remove(|place| place.path.contains(&scope), "a scope above it was deleted");
    }

    pub fn delete_service(&mut self, service: usize) {
        self.services[service] = false;
        for scope in 0..self.scopes.len() {
            if self.scopes[scope].service == service && self.scopes[scope].exists {
                self.delete_scope(scope);
            }
        }
        self.end(
            |token| token.holder == Holder::Service(service) || token.service == service,
            "a service was deleted",
        );
    }

    pub fn delete_app(&mut self, app: usize) {
        self.apps[app].exists = false;
        self.remove(|place| place.app == app, "the app was deleted");
        self.end(|token| token.holder == Holder::App(app), "the app was deleted");
    }
}

fn deepest(grounds: &[Ground]) -> usize {
    grounds.iter().map(|ground| ground.place.path.len()).max().unwrap_or(0)
}

/// The request as a graph: what each name asks for below itself, and whether all who say so
/// call it optional. `None` for one that asks for itself below itself.
fn read(wished: &[Wished]) -> Option<BTreeMap<usize, BTreeMap<usize, bool>>> {
    fn add(wish: &Wished, graph: &mut BTreeMap<usize, BTreeMap<usize, bool>>) {
        graph.entry(wish.scope).or_default();
        for child in &wish.below {
            let edges = graph.entry(wish.scope).or_default();
            let optional = edges.entry(child.scope).or_insert(true);
            *optional &= child.optional;
            add(child, graph);
        }
    }
    fn is_sound(scope: usize, graph: &BTreeMap<usize, BTreeMap<usize, bool>>, above: &mut Vec<usize>) -> bool {
        if above.contains(&scope) || above.len() == DEEPEST {
            return false;
        }
        above.push(scope);
        let sound = graph[&scope].keys().all(|below| is_sound(*below, graph, above));
        above.pop();
        sound
    }
    let mut graph = BTreeMap::new();
    wished.iter().for_each(|wish| add(wish, &mut graph));
    let sound = graph.keys().all(|scope| is_sound(*scope, &graph, &mut Vec::new()));
    sound.then_some(graph)
}

/// The names at top level, each once.
fn roots(wished: &[Wished]) -> Vec<usize> {
    let mut roots = Vec::new();
    for wish in wished {
        if !roots.contains(&wish.scope) {
            roots.push(wish.scope);
        }
    }
    roots
}
