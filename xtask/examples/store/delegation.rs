//! What delegation needs: tokens that a service exchanges for tokens to the services it
//! calls, and branches of consents that people revoke, with many tokens below them.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use crate::{
    Result, Store, Value,
    seed::{
        APP_SESSION, HOUR, IDENTITY, ISSUANCE, PEOPLE, Plan, Random, SCOPES, YEAR, app_pair, dashed, id, int, null, of,
        sha256, text, words,
    },
};

/// So many people sent a token to the service in front; the others revoke.
const PRESENTED: u64 = 2_000;
const MANAGE_CONSENTS: &str = "urn:globus:auth:scope:auth.globus.org:manage_consents";

// Kinds of things, beyond those of the seed.
const PRESENTED_TOKEN: u64 = 20 << 56;
const TREE: u64 = 21 << 56;
const MANAGER: u64 = 22 << 56;
const MANAGER_TOKEN: u64 = 23 << 56;
const BELOW: u64 = 24 << 56;

/// A service that people's apps call, and the services that it calls in turn. Each owns
/// one scope; that of the first depends on those of the others.
pub struct Chain {
    pub front: [u8; 16],
    pub back: Vec<[u8; 16]>,
}

/// Who owns a scope, under which name, and the scope.
struct Owned {
    client: [u8; 16],
    name: String,
    scope: [u8; 16],
    string: String,
}

impl Owned {
    fn by(store: &mut dyn Store, client: [u8; 16]) -> Result<Owned> {
        let name = dashed(&client);
        let string = format!("https://auth.globus.org/scopes/{name}/{}", SCOPES[0]);
        Ok(Owned {
            client,
            name,
            scope: find_scope(store, "id", &string)?,
            string,
        })
    }

    fn manage_consents(store: &mut dyn Store) -> Result<Owned> {
        Ok(Owned {
            client: find_scope(store, "client_id", MANAGE_CONSENTS)?,
            name: "auth.globus.org".to_owned(),
            scope: find_scope(store, "id", MANAGE_CONSENTS)?,
            string: MANAGE_CONSENTS.to_owned(),
        })
    }
}

fn find_scope(store: &mut dyn Store, column: &str, string: &str) -> Result<[u8; 16]> {
    store.find_id(&format!("SELECT {column} FROM scopes WHERE scope_string = '{string}'"))
}

const CONSENT_COLUMNS: &str = "id, parent_id, root_id, path, identity_id, client_id, scope_id, status, allows_refresh, \
    auto_approved, atomically_revocable, created_at, updated_at";

/// The row of an approved consent. `path` leads to it from its root.
fn consent(path: &[i64], person: u64, client: [u8; 16], scope: [u8; 16], optional: bool, now: i64) -> Vec<Value> {
    let [.., last] = path else {
        unreachable!("a path has an end")
    };
    let parent = path.len().checked_sub(2).map_or_else(null, |above| int(path[above]));
    let shown: Vec<String> = path.iter().map(i64::to_string).collect();
    vec![
        int(*last),
        parent,
        int(path[0]),
        words(shown.join(",")),
        of(IDENTITY, person),
        Value::Id(client),
        Value::Id(scope),
        words("approved"),
        int(0),
        int(0),
        int(optional.into()),
        int(now),
        int(now),
    ]
}

/// An access token of a person that rests on one consent.
struct Token<'a> {
    seed: u64,
    person: u64,
    /// Whose token it is.
    client: [u8; 16],
    /// Where it is good for what.
    owned: &'a Owned,
    consent: i64,
}

const TOKEN_COLUMNS: &str = "hash, client_id, identity_id, identity_generation, resource_server_id, resource_server, \
    issuance_id, app_session_id, profile, issued_at, expires_at";

impl Token<'_> {
    fn text(&self) -> String {
        text("AgPA", self.seed)
    }

    fn hash(&self) -> Value {
        Value::Hash(sha256(&self.text()).expect("SHA-256 has 32 bytes"))
    }

    fn row(&self, now: i64) -> Vec<Value> {
        vec![
            self.hash(),
            Value::Id(self.client),
            of(IDENTITY, self.person),
            int(0),
            Value::Id(self.owned.client),
            words(&*self.owned.name),
            of(ISSUANCE, self.seed),
            // The person's session with the app, made with its refresh token.
            of(APP_SESSION, app_pair(self.person)),
            int(0),
            int(now - HOUR),
            int(now + 10 * YEAR),
        ]
    }

    fn rests_on(&self) -> Vec<Value> {
        vec![self.hash(), int(self.consent), words(&*self.owned.string)]
    }
}

fn load_tokens<'a, I: Iterator<Item = Token<'a>>>(store: &mut dyn Store, now: i64, all: impl Fn() -> I) -> Result<()> {
    store.load("access_tokens", TOKEN_COLUMNS, &mut all().map(|token| token.row(now)))?;
    store.load(
        "token_consents",
        "token_hash, consent_id, scope_string",
        &mut all().map(|token| token.rests_on()),
    )
}

/// The ids of a tree of consents, all of which follow from its number.
fn tree(number: u64) -> [i64; 4] {
    [0, 1, 2, 3].map(|place| Random::new(TREE | (number * 4 + place)).consent_id())
}

/// People's tokens for the service in front, written down in `presented_tokens.txt`. Each
/// rests on a root; below the root the person has approved what the service needs.
pub fn presented_tokens(store: &mut dyn Store, now: i64, plan: &Plan<'_>) -> Result<()> {
    let front = Owned::by(store, plan.chain.front)?;
    let back: Vec<Owned> = plan
        .chain
        .back
        .iter()
        .map(|client| Owned::by(store, *client))
        .collect::<Result<_>>()?;

    let mut consents = (0..PRESENTED).flat_map(|person| {
        let [root, below @ ..] = tree(person);
        let children = std::iter::zip(&back, below)
            .map(|(owned, id)| consent(&[root, id], person, front.client, owned.scope, false, now));
        let mut rows = vec![consent(&[root], person, plan.app, front.scope, false, now)];
        rows.extend(children);
        rows
    });
    store.load("consents", CONSENT_COLUMNS, &mut consents)?;

    let all = || {
        (0..PRESENTED).map(|person| Token {
            seed: PRESENTED_TOKEN | person,
            person,
            client: plan.app,
            owned: &front,
            consent: tree(person)[0],
        })
    };
    load_tokens(store, now, all)?;
    let mut file = BufWriter::new(File::create(plan.folder.join("presented_tokens.txt"))?);
    for token in all() {
        writeln!(file, "{}", token.text())?;
    }
    Ok(file.flush()?)
}

/// So many branches with so many tokens below each.
pub struct Branches {
    pub count: u64,
    pub tokens: u64,
}

impl std::str::FromStr for Branches {
    type Err = Box<dyn std::error::Error>;

    fn from_str(text: &str) -> Result<Branches> {
        let (count, tokens) = text.split_once('x').ok_or("branches are given as COUNTxTOKENS")?;
        Ok(Branches {
            count: count.parse()?,
            tokens: tokens.parse()?,
        })
    }
}

/// A tree of consents of one person: the app uses the service in front, which may use a
/// second one, which may use a third. The second can be revoked alone, with the third
/// below it; of the tokens below half rest on either.
struct Tree {
    person: u64,
    tokens: u64,
    /// The number of its first token.
    first: u64,
}

impl Tree {
    fn token<'a>(&self, place: u64, middle: &'a Owned, last: &'a Owned, front: &Owned) -> Token<'a> {
        let [_, upper, lower, _] = tree(self.person);
        let (client, owned, consent) = if place.is_multiple_of(2) {
            (front.client, middle, upper)
        } else {
            (middle.client, last, lower)
        };
        Token {
            seed: BELOW | (self.first + place),
            person: self.person,
            client,
            owned,
            consent,
        }
    }
}

/// Fills in branches to be revoked and writes them down in `branches.txt`: the number of
/// tokens below, the person, the consent, a token with which the person manages consents,
/// and two of the tokens below.
pub fn branches(
    store: &mut dyn Store,
    now: i64,
    app: [u8; 16],
    chain: &Chain,
    kinds: &[Branches],
    folder: &Path,
) -> Result<()> {
    let front = Owned::by(store, chain.front)?;
    let (middle, last) = (Owned::by(store, chain.back[0])?, Owned::by(store, chain.back[1])?);
    let manage = Owned::manage_consents(store)?;

    let mut trees = Vec::new();
    let mut first = 0;
    for tokens in kinds.iter().flat_map(|kind| (0..kind.count).map(|_| kind.tokens)) {
        let person = PRESENTED + trees.len() as u64;
        trees.push(Tree { person, tokens, first });
        first += tokens;
    }
    if PRESENTED + trees.len() as u64 > PEOPLE {
        return Err("each branch takes a person, and there are not so many".into());
    }

    // This one is no part of the tree: it would end with it.
    let managing = |person: u64| Random::new(MANAGER | person).consent_id();
    let mut consents = trees.iter().flat_map(|one| {
        let [root, upper, lower, _] = tree(one.person);
        [
            consent(&[root], one.person, app, front.scope, false, now),
            consent(&[root, upper], one.person, front.client, middle.scope, true, now),
            consent(&[root, upper, lower], one.person, middle.client, last.scope, false, now),
            consent(&[managing(one.person)], one.person, app, manage.scope, false, now),
        ]
    });
    store.load("consents", CONSENT_COLUMNS, &mut consents)?;

    let manager = |one: &Tree| Token {
        seed: MANAGER_TOKEN | one.person,
        person: one.person,
        client: app,
        owned: &manage,
        consent: managing(one.person),
    };
    load_tokens(store, now, || trees.iter().map(manager))?;
    let (front, middle, last) = (&front, &middle, &last);
    load_tokens(store, now, || {
        trees
            .iter()
            .flat_map(|one| (0..one.tokens).map(|place| one.token(place, middle, last, front)))
    })?;

    let mut file = BufWriter::new(File::create(folder.join("branches.txt"))?);
    for one in &trees {
        writeln!(
            file,
            "{} {} {} {} {} {}",
            one.tokens,
            dashed(&id(IDENTITY, one.person)),
            tree(one.person)[1],
            manager(one).text(),
            one.token(0, middle, last, front).text(),
            one.token(1, middle, last, front).text(),
        )?;
    }
    Ok(file.flush()?)
}
