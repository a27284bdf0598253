//! Two servers on one PostgreSQL database behind a proxy that gives each connection to the
//! next of them: real programs, real sockets, no sticky sessions. What one acknowledged
//! holds on the other at once, what is for one time only is so among both, and the death of
//! one of them under load loses nothing that was acknowledged.
//!
//! Needs `PORTOLAN_TEST_POSTGRES_URL`. `PORTOLAN_PREVIOUS_BIN` names the program of an
//! earlier commit, which then has to serve beside today's on today's schema.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_db::{MigrateMode, Migration};
use portolan_server::store::MIGRATIONS;
use serde_json::{Value, json};
use support::{
    Answer, Browser, Connection, FAMILIES_EACH, Line, PATIENCE, People, Place, Proxy, REFRESHERS, Server,
    judge_families, judge_tokens, load,
};

const MANAGE: &str = "openid urn:globus:auth:scope:auth.globus.org:manage_consents \
                      urn:globus:auth:scope:auth.globus.org:view_consents";

/// Two servers and the proxy before them.
struct Nodes {
    place: Place,
    people: People,
    servers: [Server; 2],
    _proxy: Proxy,
}

impl Nodes {
    /// `None` when no PostgreSQL is named.
    fn start() -> Option<Self> {
        let place = Place::on_postgres()?;
        let servers = [place.start_node(), place.start_node()];
        Some(Self::of(place, servers))
    }

    fn of(place: Place, servers: [Server; 2]) -> Self {
        let people = place.populate();
        let ports = [servers[0].port, servers[1].port];
        Self {
            _proxy: Proxy::start(place.port, &ports),
            place,
            people,
            servers,
        }
    }

    /// Through the proxy: the next request meets the other server.
    fn proxied(&self) -> Connection {
        Connection::hopping(self.place.port).unwrap()
    }

    /// Straight to one of the two.
    fn straight(&self, index: usize) -> Connection {
        Connection::behind(self.place.port, self.servers[index].port).unwrap()
    }

    fn both(&self) -> [Connection; 2] {
        [self.straight(0), self.straight(1)]
    }
}

/// Whether the token is active, which both servers have to say alike.
#[track_caller]
fn is_active(both: &mut [Connection; 2], service: &Service, token: &str) -> bool {
    let form = [
        ("client_id", service.id.as_str()),
        ("client_secret", service.secret.as_str()),
        ("token", token),
    ];
    let says = both.each_mut().map(|connection| {
        let answer = connection.post("/v2/oauth2/token/introspect", &form, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    });
    assert_eq!(says[0], says[1], "the servers disagree");
    says[0]
}

/// A resource server.
struct Service {
    id: String,
    secret: String,
}

impl Service {
    fn new(place: &Place, name: &str) -> Self {
        let made = place.run(&["client", "create", "--name", name, "--type", "resource_server"], "");
        let id = made["client"]["id"].as_str().unwrap().to_owned();
        let made = place.run(&["client", "secret", "create", &id, "--name", "test"], "");
        let secret = made["credential"]["secret"].as_str().unwrap().to_owned();
        Self { id, secret }
    }

    /// A scope that needs others, by their ids: its own id and its string.
    fn scope(&self, connection: &mut Connection, suffix: &str, needs: &[(&str, bool)]) -> (String, String) {
        let needs: Vec<Value> = needs
            .iter()
            .map(|(scope, optional)| json!({ "scope": scope, "optional": optional, "requires_refresh_token": false }))
            .collect();
        let body = json!({ "scope": {
            "name": suffix, "description": "Of a test.", "scope_suffix": suffix, "advertised": true,
            "dependent_scopes": needs
        } });
        let path = format!("/v2/api/clients/{}/scopes", self.id);
        let answer = call(connection, "POST", &path, &self.basic(), &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        let scope = &answer.json()["scope"];
        let text = |member: &str| scope[member].as_str().unwrap().to_owned();
        (text("id"), text("scope_string"))
    }

    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }

    /// The dependent grant; the token of its only document, if there is one.
    fn exchange(&self, connection: &mut Connection, token: &str) -> Option<String> {
        let form = [
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
            ("grant_type", "urn:globus:auth:grant_type:dependent_token"),
            ("token", token),
        ];
        let answer = connection.post("/v2/oauth2/token", &form, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let documents = answer.json();
        assert!(documents.as_array().unwrap().len() < 2, "{documents}");
        documents[0]["access_token"].as_str().map(str::to_owned)
    }
}

/// A call with a document; `null` is none.
fn call(
    connection: &mut Connection,
    method: &str,
    path: &str,
    authorization: &str,
    body: &Value,
) -> io::Result<Answer> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = body.len();
    let headers =
        format!("Authorization: {authorization}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    connection.send(method, path, &headers, &body)
}

/// The access tokens of an answer by their scopes.
fn by_scope(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let top = answer.json();
    let others = top["other_tokens"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let documents = std::iter::once(top).chain(others);
    documents
        .map(|document| (text(&document["scope"]), text(&document["access_token"])))
        .collect()
}

/// The consents of the person, as the interface lists them.
fn consents(connection: &mut Connection, person: &str, bearer: &str) -> Vec<Value> {
    let path = format!("/v2/api/identities/{person}/consents?all=true");
    let answer = call(connection, "GET", &path, bearer, &Value::Null).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["consents"].as_array().unwrap().clone()
}

// ---- A chain of services ----

/// a → b → c → d, each scope of a service of its own, and every request to the other server
/// than the one before.
fn a_chain_ends_at(middle_is_optional: bool) {
    let Some(nodes) = Nodes::start() else { return };
    let mut proxied = nodes.proxied();
    let mut both = nodes.both();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| Service::new(&nodes.place, name));
    let (d_id, _) = d.scope(&mut proxied, "read", &[]);
    let (c_id, c_scope) = c.scope(&mut proxied, "keep", &[(&d_id, false)]);
    let (b_id, b_scope) = b.scope(&mut proxied, "use", &[(&c_id, middle_is_optional)]);
    let (_, a_scope) = a.scope(&mut proxied, "all", &[(&b_id, false)]);

    let mut browser = Browser::new();
    let wanted = format!("{a_scope} {b_scope} {MANAGE}");
    let code = browser.code(&mut proxied, &nodes.people, &wanted);
    let tokens = by_scope(&proxied.redeem(&nodes.people, &code).unwrap());
    let manager = tokens.iter().find(|(scope, _)| scope.contains("openid")).unwrap().1;
    let bearer = format!("Bearer {manager}");
    let checker = Service {
        id: support::AUTH_RESOURCE_SERVER.into(),
        secret: nodes.people.checker_secret.clone(),
    };
    let form = [
        ("client_id", checker.id.as_str()),
        ("client_secret", checker.secret.as_str()),
        ("token", manager.as_str()),
    ];
    let person = proxied
        .post("/v2/oauth2/token/introspect", &form, "")
        .unwrap()
        .text("sub");
    let for_a = &tokens[&a_scope];
    let chain = |connection: &mut Connection| {
        let for_b = a.exchange(connection, for_a).unwrap();
        let for_c = b.exchange(connection, &for_b);
        let for_d = for_c.as_ref().map(|token| c.exchange(connection, token).unwrap());
        (for_b, for_c, for_d)
    };
    let (for_b, for_c, for_d) = chain(&mut proxied);
    let (for_c, for_d) = (for_c.unwrap(), for_d.unwrap());
    // The same services in a tree of their own.
    let sibling_b = &tokens[&b_scope];
    let sibling_c = b.exchange(&mut proxied, sibling_b).unwrap();
    for (service, token) in [
        (&a, for_a),
        (&b, &for_b),
        (&c, &for_c),
        (&d, &for_d),
        (&b, sibling_b),
        (&c, &sibling_c),
    ] {
        assert!(is_active(&mut both, service, token));
    }

    // The edge from b to c below a is withdrawn.
    let listed = consents(&mut proxied, &person, &bearer);
    let edge = listed.iter().find(|consent| {
        consent["scope_name"] == c_scope.as_str() && consent["dependency_path"].as_array().unwrap().len() == 3
    });
    let path = format!("/v2/api/identities/{person}/consents/{}", edge.unwrap()["id"]);
    let answer = call(&mut proxied, "DELETE", &path, &bearer, &Value::Null).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);

    for (service, token) in [(&c, &for_c), (&d, &for_d)] {
        assert!(!is_active(&mut both, service, token), "what came over the edge");
    }
    for (service, token) in [(&a, for_a), (&b, &for_b)] {
        assert_eq!(
            is_active(&mut both, service, token),
            middle_is_optional,
            "what lies above it"
        );
    }
    for (service, token) in [(&b, sibling_b), (&c, &sibling_c)] {
        assert!(is_active(&mut both, service, token), "another tree");
    }
    if middle_is_optional {
        let (for_b, for_c, _) = chain(&mut proxied);
        assert!(is_active(&mut both, &b, &for_b) && for_c.is_none());
    }

    // Allowed again: everything can be had again, and what ended stays ended.
    let code = browser.code(&mut proxied, &nodes.people, &wanted);
    let again = by_scope(&proxied.redeem(&nodes.people, &code).unwrap());
    let for_b = a.exchange(&mut proxied, &again[&a_scope]).unwrap();
    let new_c = b.exchange(&mut proxied, &for_b).unwrap();
    let new_d = c.exchange(&mut proxied, &new_c).unwrap();
    assert!(is_active(&mut both, &d, &new_d));
    assert!(!is_active(&mut both, &c, &for_c) && !is_active(&mut both, &d, &for_d));
    assert_eq!(browser.logins, 1, "one session on both");
}

#[test]
fn an_optional_edge_of_a_chain_takes_what_is_below_it_on_both_servers() {
    a_chain_ends_at(true);
}

#[test]
fn a_required_edge_of_a_chain_takes_the_whole_tree_on_both_servers() {
    a_chain_ends_at(false);
}

// ---- One time only, and at once ----

#[test]
fn what_one_server_ends_the_other_refuses_at_the_next_request() {
    let Some(nodes) = Nodes::start() else { return };
    let people = &nodes.people;
    let mut proxied = nodes.proxied();
    let mut both = nodes.both();
    let mut browser = Browser::new();
    for round in 0..20 {
        let (here, there) = (round % 2, 1 - round % 2);
        let family = browser.family(&mut proxied, people);
        let access = &family.access[0].text;
        assert!(both[there].is_active(people, access));
        let refreshed = both[there].refresh(people, &family.chain[0]).unwrap();
        assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        let (access_of_refresh, successor) = (refreshed.text("access_token"), refreshed.text("refresh_token"));

        let program = [("client_id", people.program.as_str())];
        both[here].revoke(&program, access).unwrap();
        assert!(!both[there].is_active(people, access));
        assert!(both[here].is_active(people, &access_of_refresh));
        both[there].revoke(&program, &successor).unwrap();
        assert!(!both[here].is_active(people, &access_of_refresh));
        assert_eq!(both[here].refresh(people, &successor).unwrap().status, 400);
    }
}

#[test]
fn a_code_is_redeemed_once_and_a_refresh_token_has_one_successor() {
    let Some(nodes) = Nodes::start() else { return };
    let people = &nodes.people;
    let mut both = nodes.both();
    let mut browser = Browser::new();
    let at_once = |ask: &(dyn Fn(&mut Connection) -> io::Result<Answer> + Sync)| -> Vec<Answer> {
        let barrier = Barrier::new(16);
        thread::scope(|scope| {
            let racers: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = nodes.proxied();
                        barrier.wait();
                        ask(&mut connection).unwrap()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        })
    };
    for _ in 0..3 {
        let code = browser.code(&mut nodes.proxied(), people, "openid");
        let answers = at_once(&|connection| connection.redeem(people, &code));
        let good: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(good.len(), 1, "one redeems the code");
        assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 15);
        for connection in &mut both {
            assert!(
                !connection.is_active(people, &good[0].text("access_token")),
                "the others were replays"
            );
        }

        let family = browser.family(&mut nodes.proxied(), people);
        let answers = at_once(&|connection| connection.refresh(people, &family.chain[0]));
        let successor = answers[0].text("refresh_token");
        for answer in &answers {
            assert_eq!(answer.text("refresh_token"), successor);
            for connection in &mut both {
                assert!(connection.is_active(people, &answer.text("access_token")));
            }
        }
        for (connection, status) in both.iter_mut().zip([200, 400]) {
            let presented = if status == 200 { &successor } else { &family.chain[0] };
            assert_eq!(connection.refresh(people, presented).unwrap().status, status);
        }
    }
}

#[test]
fn a_logout_at_one_server_is_one_at_the_other() {
    let Some(nodes) = Nodes::start() else { return };
    let people = &nodes.people;
    let mut both = nodes.both();
    for (here, there) in [(0, 1), (1, 0)] {
        let mut browser = Browser::new();
        let family = browser.family(&mut nodes.proxied(), people);
        let silent = browser.authorize(&mut both[there], people, "openid", "none");
        assert!(
            !silent.header("location").unwrap().contains("error="),
            "signed in there too"
        );

        // The session ends, and not only the browser's cookie.
        let mut copy = browser.clone();
        let answer = browser.send_with(
            &mut both[here],
            "/v2/web/logout",
            None,
            "Sec-Fetch-Site: same-origin\r\n",
        );
        assert_eq!(answer.status, 200, "{}", answer.body);

        for browser in [&mut browser, &mut copy] {
            let silent = browser.authorize(&mut both[there], people, "openid", "none");
            assert!(silent.header("location").unwrap().contains("error=login_required"));
        }
        assert!(both[there].is_active(people, &family.access[0].text), "tokens live on");
    }
}

// ---- The death of one ----

#[test]
fn the_death_of_one_server_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut nodes) = Nodes::start() else { return };
    let mut browser = Browser::new();
    let mut proxied = nodes.proxied();
    let families = (0..REFRESHERS * FAMILIES_EACH)
        .map(|_| browser.family(&mut proxied, &nodes.people))
        .collect();
    let (survivor, port) = (nodes.servers[1].port, nodes.place.port);
    let mut killed_at = None;

    let people = &nodes.people;
    let dying = &mut nodes.servers[0];
    let log = load(Line::Proxied(port), people, families, |answers| {
        let wait_for = |count: usize| (0..count).for_each(|_| answers.recv_timeout(PATIENCE).expect("answers go on"));
        wait_for(400);
        dying.kill();
        killed_at = Some(Instant::now());
        wait_for(400);
    });

    let killed_at = killed_at.unwrap();
    let count = |after: bool| {
        log.tokens
            .iter()
            .filter(|token| (token.acknowledged_at > killed_at) == after)
            .count()
    };
    let revoked = log.tokens.iter().filter(|token| token.revocation.is_some()).count();
    eprintln!(
        "{} tokens before the death, {} after it, {revoked} revoked",
        count(false),
        count(true)
    );
    assert!(count(false) > 10 && count(true) > 10 && revoked > 3, "hardly any load");
    judge_tokens(survivor, people, &log.tokens.iter().collect::<Vec<_>>(), Instant::now());
    judge_families(survivor, people, &log.families);
}

// ---- Two versions at once ----

/// A program that only knows today's schema, on one to which the next release has added.
#[test]
fn a_program_serves_on_a_schema_to_which_a_newer_one_has_added() {
    const NEXT: Migration = Migration {
        version: 9_999,
        name: "next",
        sql: "CREATE TABLE next_things (id UUID NOT NULL PRIMARY KEY, note TEXT);
              ALTER TABLE access_tokens ADD COLUMN next_note TEXT;
              ALTER TABLE refresh_tokens ADD COLUMN next_note TEXT;
              ALTER TABLE consents ADD COLUMN next_count BIGINT NOT NULL DEFAULT 0;
              ALTER TABLE clients ADD COLUMN next_note TEXT;
              ALTER TABLE identities ADD COLUMN next_note TEXT;
              CREATE INDEX next_index ON consents (next_count);",
        sqlite: None,
    };
    let Some(place) = Place::on_postgres() else { return };
    let running = place.start_node();
    let migrations = [MIGRATIONS, &[NEXT]].concat();
    let report = place
        .database
        .as_ref()
        .unwrap()
        .migrate(&migrations, MigrateMode::Auto)
        .unwrap();
    assert_eq!(report.applied, [NEXT.version]);
    let started_afterwards = place.start_node();

    serve_together(&Nodes::of(place, [running, started_afterwards]));
}

/// `cargo xtask soak --previous` builds that program.
#[test]
fn the_previous_program_serves_beside_this_one_on_its_schema() {
    let Some(previous) = std::env::var_os("PORTOLAN_PREVIOUS_BIN") else {
        eprintln!("PORTOLAN_PREVIOUS_BIN is not set: two versions at once not tested");
        return;
    };
    let Some(place) = Place::on_postgres() else { return };
    let new = place.start_node();
    let old = place.start_node_of(OsStr::new(&previous));

    serve_together(&Nodes::of(place, [new, old]));
}

/// A login that both have a part in, and tokens that one issues and the other ends.
fn serve_together(nodes: &Nodes) {
    let people = &nodes.people;
    let mut proxied = nodes.proxied();
    let mut both = nodes.both();
    let program = [("client_id", people.program.as_str())];
    let mut browser = Browser::new();
    for (here, there) in [(0, 1), (1, 0)] {
        let first = browser.family(&mut proxied, people);
        let code = browser.code(&mut both[here], people, "openid email");
        let answer = both[there].redeem(people, &code).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let (access, refresh) = (answer.text("access_token"), answer.text("refresh_token"));
        assert!(both[here].is_active(people, &access) && both[there].is_active(people, &access));
        let refreshed = both[here].refresh(people, &refresh).unwrap();
        assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        let repeated = both[there].refresh(people, &refresh).unwrap();
        assert_eq!(
            repeated.text("refresh_token"),
            refreshed.text("refresh_token"),
            "no fork"
        );
        let newest = refreshed.text("access_token");
        assert!(both[there].is_active(people, &newest));

        both[here].revoke(&program, &access).unwrap();
        assert!(!both[there].is_active(people, &access));
        both[there].revoke(&program, &refreshed.text("refresh_token")).unwrap();
        assert!(!both[here].is_active(people, &newest));
        assert!(both[here].is_active(people, &first.access[0].text), "another family");
    }
    assert_eq!(browser.logins, 1, "one session on both");
}
