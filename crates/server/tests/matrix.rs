//! Who may call what: every route of the router times every kind of caller, with the status
//! that each gets. `matrix.txt` is the table, to be read as the policy of the server; this
//! program makes each call and compares. A route of `router.rs` without a row fails.
//!
//! All rows are about what belongs to Alice, or to her project. A `!` behind a status says
//! that the answer tells how to sign in for it (wire.md 3.6.4): the session gate. A `+`
//! says that the answer shows something of hers: her address, or a name from her project.

mod routes;
mod support;

use std::fmt::Write as _;

use http::Method;
use routes::{AUTH_SCOPES, Call, World, calls, send};
use support::{Answer, Auth, Browser, Form};

/// The columns of the table. Whoever is refused changes nothing, so the ones with fewer
/// rights come first and share a world; the time of the stale ones passes once for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nobody: no credentials, no cookie.
    Anonymous,
    /// Another client with its own right secret. At pages: the secret in place of a cookie.
    WrongClient,
    /// A person who administers a project of their own, with a fresh session.
    ForeignAdmin,
    /// A service account of the project, made by its admin and not named as one itself.
    ServiceAccount,
    /// The owner, who signed in more than half an hour ago.
    StaleAdmin,
    /// A service account that is named as an admin of the project, as long ago.
    ServiceAdmin,
    /// The owner, who just signed in.
    Admin,
}

const ROLES: [Role; 7] = [
    Role::Anonymous,
    Role::WrongClient,
    Role::ForeignAdmin,
    Role::ServiceAccount,
    Role::StaleAdmin,
    Role::ServiceAdmin,
    Role::Admin,
];

const NAMES: &str = "anonymous wrong-client foreign-admin service-account stale-admin service-admin admin";

/// The session gate lets half an hour pass.
const STALE_SECONDS: u64 = 1801;

impl Role {
    fn is_stale(self) -> bool {
        matches!(self, Role::StaleAdmin | Role::ServiceAdmin)
    }

    /// What a program of this role presents.
    fn credentials(self, world: &World) -> Auth {
        let of_itself =
            |robot: &support::TestClient| Auth::Bearer(robot.credentials(AUTH_SCOPES).access_token().into());
        match self {
            Role::Anonymous => Auth::None,
            Role::WrongClient => world.other_app.auth(),
            Role::ForeignAdmin => Auth::Bearer(world.others_token.clone()),
            Role::ServiceAccount => of_itself(&world.robot),
            Role::ServiceAdmin => of_itself(&world.admin_robot),
            Role::StaleAdmin | Role::Admin => Auth::Bearer(world.auth_token.clone()),
        }
    }

    /// The browser that this role sits at; none for programs.
    fn browser(self, world: &World) -> Option<&Browser> {
        match self {
            Role::ForeignAdmin => Some(&world.others_browser),
            Role::StaleAdmin | Role::Admin => Some(&world.browser),
            _ => None,
        }
    }
}

fn new_world(route: &str, call: &Call) -> (World, Prepared) {
    let world = World::new();
    let project = serde_json::json!({ "project": {
        "display_name": "Project of Bob", "contact_email": "b@example.org", "admin_ids": [world.bob.id]
    } });
    let others = Auth::Bearer(world.others_token.clone());
    world.server.post_json("/v2/api/projects", &others, &project).ok();
    let method = route.split(' ').next().and_then(|word| word.parse().ok());
    let prepared = Prepared {
        method: method.expect("a row begins with a method"),
        call: match call {
            Call::Program(make) => PreparedCall::Program(make(&world)),
            Call::Page(make) => PreparedCall::Page(make(&world)),
        },
    };
    (world, prepared)
}

struct Prepared {
    method: Method,
    call: PreparedCall,
}

enum PreparedCall {
    Program(routes::ProgramCall),
    Page(routes::PageCall),
}

impl Prepared {
    fn send_as(&self, world: &World, role: Role) -> Answer {
        match &self.call {
            PreparedCall::Program(call) => send(world, &self.method, call, &role.credentials(world), None),
            PreparedCall::Page(call) => match role.browser(world) {
                Some(browser) => {
                    let form = call.form.clone().map(|form| with_own_token(form, browser, role));
                    let fields = form.as_ref().map(|form| form.fields.as_slice());
                    browser.send(self.method.clone(), &call.path, fields)
                }
                None => {
                    let request = world.server.request(self.method.clone(), &call.path);
                    let request = request.authorization(&role.credentials(world));
                    match &call.form {
                        Some(form) => {
                            let fields = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                            request.form(&fields.collect::<Vec<_>>()).send()
                        }
                        None => request.send(),
                    }
                }
            },
        }
    }
}

/// Somebody else fills the form in with the token of their own browser: it has to be the
/// owner of the thing that is missed, not the token.
fn with_own_token(form: Form, browser: &Browser, role: Role) -> Form {
    if role != Role::ForeignAdmin || form.get("form_token").is_none() {
        return form;
    }
    browser.get("/v2/web/logout");
    let own = browser.form();
    form.set("form_token", own.get("form_token").expect("the page has a form"))
}

fn cell(world: &World, answer: &Answer) -> String {
    let explains = serde_json::from_slice::<serde_json::Value>(&answer.body)
        .is_ok_and(|document| document.get("authorization_parameters").is_some());
    let text = String::from_utf8_lossy(&answer.body);
    let shows = world.secrets().iter().any(|secret| text.contains(secret));
    let marks = [(explains, "!"), (shows, "+")];
    let marks: String = marks
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, mark)| *mark)
        .collect();
    format!("{}{marks}", answer.status.as_u16())
}

/// The row of a route: each role calls, in a world that nobody changed before.
fn row(route: &str, call: &Call) -> String {
    let mut row = route.to_owned();
    let mut world: Option<(World, Prepared)> = None;
    let mut stale = false;
    for role in ROLES {
        if role.is_stale() != stale && !role.is_stale() {
            world = None;
        }
        let (current, prepared) = world.get_or_insert_with(|| {
            stale = false;
            new_world(route, call)
        });
        if role.is_stale() && !stale {
            current.server.advance_seconds(STALE_SECONDS);
            stale = true;
        }
        let answer = prepared.send_as(current, role);
        write!(row, " {}", cell(current, &answer)).expect("a text grows");
        if !answer.status.is_client_error() {
            world = None;
        }
    }
    row
}

/// What the server does today, as lines of the table.
fn actual() -> Vec<String> {
    let calls = calls();
    let halves = calls.chunks(calls.len().div_ceil(2));
    std::thread::scope(|scope| {
        let workers: Vec<_> = halves
            .map(|half| scope.spawn(|| half.iter().map(|(route, call)| row(route, call)).collect::<Vec<_>>()))
            .collect();
        let rows = workers.into_iter().map(|worker| worker.join().expect("no call panics"));
        rows.flatten().collect()
    })
}

/// The rows of `matrix.txt`: route and cells.
fn table() -> Vec<(String, Vec<&'static str>)> {
    let lines = include_str!("matrix.txt").lines();
    let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words.len(),
            2 + ROLES.len(),
            "method, path, and one status for each role: {line}"
        );
        (format!("{} {}", words[0], words[1]), words[2..].to_vec())
    })
    .collect()
}

#[test]
fn every_route_has_a_row() {
    assert!(
        include_str!("matrix.txt").contains(NAMES),
        "the table names its columns"
    );
    routes::assert_complete(table().iter().map(|(route, _)| route.as_str()));
    let calls: Vec<&str> = calls().iter().map(|(route, _)| *route).collect();
    let table = table();
    let rows: Vec<&str> = table.iter().map(|(route, _)| route.as_str()).collect();
    assert_eq!(rows, calls, "a row for each call, in the same order");
}

#[test]
fn every_caller_gets_what_the_table_says() {
    let expected: Vec<String> = table()
        .into_iter()
        .map(|(route, cells)| format!("{route} {}", cells.join(" ")))
        .collect();
    let actual = actual();
    let wrong: Vec<String> = actual
        .iter()
        .filter(|row| !expected.contains(row))
        .map(|row| {
            let route = row.split(' ').take(2).collect::<Vec<_>>().join(" ") + " ";
            let said = expected.iter().find(|line| line.starts_with(&route));
            format!("is     {row}\nwanted {}", said.map_or("no row", String::as_str))
        })
        .collect();
    assert!(wrong.is_empty(), "{NAMES}\n{}", wrong.join("\n"));
}

/// The gate stands before each change in a project and nowhere else: a person who changes
/// something signs in again, and is told how; who only looks does not, nor do programs.
#[test]
fn the_session_gate_stands_exactly_before_the_changes_of_a_project() {
    // Changes of what is the person's own, not of a project.
    const OWN: &[&str] = &[
        "POST /v2/api/projects",
        "DELETE /v2/api/identities/{identity_id}/consents/{consent_id}",
    ];
    // They last ten minutes, or ask for a sign-in that is not older than that.
    const SHORT: &[&str] = &[
        "GET /p/reset/{token}",
        "POST /p/reset/{token}",
        "GET /p/address",
        "POST /p/address",
    ];
    // Changes of the person's accounts: pages that lead to the login first, then come back.
    let of_accounts = |route: &str| route.contains(" /v2/web/identities/{") || route.contains(" /p/link");
    // Of the developer area what only looks, or makes something of the person's own. All other
    // pages there lead to the login first, then come back.
    const LOOKING: &[&str] = &[
        "GET /p/developers",
        "GET /p/developers/projects/new",
        "POST /p/developers/projects/new",
        "GET /p/developers/projects/{project_id}",
        "GET /p/developers/apps/{client_id}",
        "GET /p/developers/apps/{client_id}/scopes",
        "GET /p/developers/apps/{client_id}/domains",
        "GET /p/developers/projects/{project_id}/policies",
        "GET /p/developers/projects/{project_id}/policies/{policy_id}/try",
    ];
    let of_projects = |route: &str| route.contains(" /p/developers") && !LOOKING.contains(&route);
    // How a person signs in changes only within ten minutes after they did.
    const SIGN_IN: &[&str] = &["/p/account/security", "/p/login/factor", "/p/login/passkey"];
    let gated = |cells: &[&str]| -> Vec<usize> {
        let marked = cells.iter().enumerate().filter(|(_, cell)| cell.contains('!'));
        marked.map(|(column, _)| column).collect()
    };
    let of = |role: Role| ROLES.iter().position(|known| *known == role).expect("it is a column");
    let mut gates = 0;
    for (route, cells) in table() {
        let changes = !route.starts_with("GET ") && route.contains(" /v2/api/");
        let allowed = cells[of(Role::Admin)].starts_with('2');
        if changes && allowed && !OWN.contains(&route.as_str()) {
            assert_eq!(gated(&cells), [of(Role::StaleAdmin)], "{route}");
            assert_eq!(cells[of(Role::StaleAdmin)], "403!", "{route}");
            assert!(
                cells[of(Role::ServiceAdmin)].starts_with('2'),
                "{route}: programs have no session"
            );
            gates += 1;
        } else {
            assert!(gated(&cells).is_empty(), "{route}");
            if SHORT.contains(&route.as_str()) || SIGN_IN.iter().any(|path| route.contains(path)) {
                continue;
            }
            // What an administrator of the server does; changes need a sign-in of ten minutes.
            if route.contains(" /p/console") {
                continue;
            }
            if of_projects(&route) {
                assert_eq!(cells[of(Role::StaleAdmin)], "303", "{route}: to the login");
                gates += 1;
                continue;
            }
            if of_accounts(&route) {
                let stale = cells[of(Role::StaleAdmin)];
                assert!(["303", "400"].contains(&stale), "{route}: {stale}, not changed");
                continue;
            }
            assert_eq!(
                cells[of(Role::StaleAdmin)],
                cells[of(Role::Admin)],
                "{route}: as when just signed in"
            );
        }
    }
    assert!(gates >= 32, "only {gates} gates");
}
