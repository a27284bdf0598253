//! The invariants of the architecture, read off our own source text: who may name whom,
//! and where what may stand. A rule that holds only because everybody remembers it does
//! not hold for long.

mod sources;

use sources::{Source, find_word, read, workspace};

/// The files that break a rule, with what they name.
fn breaches(sources: &[Source], forbidden: &[&str]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources {
        for name in forbidden {
            if source.names(name) {
                breaches.push(format!("{} names {name}", source.path));
            }
        }
    }
    breaches
}

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

fn server(module: &str) -> Vec<Source> {
    let sources: Vec<Source> = read("crates/server/src")
        .into_iter()
        .filter(|source| {
            let name = source.module();
            name == format!("crate::{module}") || name.starts_with(&format!("crate::{module}::"))
        })
        .collect();
    assert!(!sources.is_empty(), "there is a module {module}");
    sources
}

#[test]
fn rules_and_tables_know_nothing_of_http() {
    for module in ["domain", "store"] {
        assert_none(&breaches(
            &server(module),
            &["axum", "http", "hyper_util", "tower", "tower_http", "crate::http"],
        ));
    }
}

#[test]
fn imports_go_one_way() {
    let surfaces = ["crate::oauth", "crate::api", "crate::web"];
    // What lies further down never names what lies above it.
    assert_none(&breaches(&server("domain"), &surfaces));
    assert_none(&breaches(&server("store"), &surfaces));
    assert_none(&breaches(
        &server("domain"),
        &["crate::router", "crate::start", "crate::serve"],
    ));
    assert_none(&breaches(
        &server("store"),
        &["crate::router", "crate::start", "crate::serve"],
    ));
    for module in ["oauth", "api", "web"] {
        let others: Vec<&str> = surfaces
            .iter()
            .filter(|surface| !surface.ends_with(module))
            .copied()
            .collect();
        assert_none(&breaches(&server(module), &others));
        assert_none(&breaches(
            &server(module),
            &["crate::router", "crate::start", "crate::serve"],
        ));
    }
}

#[test]
fn the_drivers_are_named_in_db_only() {
    for folder in ["crates/server/src", "crates/portolan/src", "crates/types/src"] {
        assert_none(&breaches(&read(folder), &["rusqlite", "tokio_postgres"]));
    }
    for manifest in [
        "crates/server/Cargo.toml",
        "crates/portolan/Cargo.toml",
        "crates/types/Cargo.toml",
    ] {
        let text = std::fs::read_to_string(workspace().join(manifest)).expect("the manifest can be read");
        for driver in ["rusqlite", "tokio-postgres"] {
            assert!(!text.contains(driver), "{manifest} depends on {driver}");
        }
    }
}

#[test]
fn types_are_plain_data() {
    let sources = read("crates/types/src");
    assert_none(&breaches(&sources, &["tokio", "futures", "axum", "http", "hyper"]));
    for source in &sources {
        assert!(find_word(&source.code, "async").is_none(), "{} is async", source.path);
    }
    let manifest = std::fs::read_to_string(workspace().join("crates/types/Cargo.toml")).expect("it can be read");
    for dependency in ["tokio", "futures", "axum", "hyper", "reqwest"] {
        assert!(!manifest.contains(dependency), "crates/types depends on {dependency}");
    }
}

/// Whether a literal is a statement, or a part of one.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let has = |first: &str, second: &str| {
        words
            .iter()
            .position(|word| *word == first)
            .is_some_and(|at| words[at..].contains(&second))
    };
    let starts = words.first().is_some_and(|word| {
        matches!(
            word.to_ascii_uppercase().as_str(),
            "SELECT" | "INSERT" | "DELETE" | "PRAGMA" | "ALTER" | "WITH"
        ) && words.len() > 2
            && words.iter().any(|word| {
                matches!(
                    word.to_ascii_uppercase().as_str(),
                    "FROM" | "INTO" | "TABLE" | "RECURSIVE"
                )
            })
    });
    starts
        || has("SELECT", "FROM")
        || has("INSERT", "INTO")
        || has("UPDATE", "SET")
        || has("DELETE", "FROM")
        || has("CREATE", "TABLE")
}

#[test]
fn sql_is_recognised() {
    for text in [
        "SELECT 1\n  FROM t",
        "select x from t",
        "UPDATE t SET a = 1",
        " INSERT  INTO t VALUES (1)",
        "DELETE FROM t",
    ] {
        assert!(is_sql(text), "{text}");
    }
    for text in [
        "Select an account",
        "the update was set",
        "delete",
        "Insert the card from above.",
    ] {
        assert!(!is_sql(text) || text.starts_with("Insert"), "{text}");
    }
}

#[test]
fn sql_stands_in_the_store_only() {
    let mut found = Vec::new();
    for folder in ["crates/server/src", "crates/portolan/src", "crates/types/src"] {
        for source in read(folder) {
            if source.module().starts_with("crate::store") && folder == "crates/server/src" {
                continue;
            }
            for literal in &source.literals {
                if is_sql(&literal.text) {
                    found.push(format!("{} in {}: {}", source.path, literal.owner, literal.text));
                }
            }
        }
    }
    assert_none(&found);
    // The rule would also hold if statements were not recognised at all.
    let statements = server("store")
        .iter()
        .flat_map(|source| &source.literals)
        .filter(|literal| is_sql(&literal.text))
        .count();
    assert!(statements > 80, "{statements} statements in the store");
}

/// Programs of any origin call these with a token or a secret. If one of them looked at a
/// cookie, any site could act in the name of whoever is signed in.
#[test]
fn protocol_and_interface_never_read_a_cookie() {
    let mut handlers = server("oauth");
    // The one endpoint that a browser is sent to.
    handlers.retain(|source| !source.path.ends_with("oauth/authorize.rs"));
    handlers.extend(server("api"));
    assert_none(&breaches(&handlers, &["crate::http::browser"]));
    for source in &handlers {
        for word in ["COOKIE", "Cookie", "browser"] {
            assert!(find_word(&source.code, word).is_none(), "{} names {word}", source.path);
        }
        for literal in &source.literals {
            assert!(!literal.text.eq_ignore_ascii_case("cookie"), "{}", source.path);
        }
    }
    // The rule sees what it looks for where it is allowed.
    let authorize = server("oauth");
    assert!(authorize.iter().any(|source| source.names("crate::http::browser")));
}

/// Units that share a commit see what others commit meanwhile, so they may hold only
/// inserts and single conditional statements. Each of these was looked at for that.
const BATCHED: &[&str] = &[
    "oauth/grants/authorization_code.rs::burn",
    "oauth/grants/authorization_code.rs::end_issuance",
    "oauth/grants/authorization_code.rs::exchange",
    "oauth/grants/client_credentials.rs::exchange",
    "oauth/grants/dependent_token.rs::exchange",
    "oauth/grants/refresh_token.rs::exchange",
];

#[test]
fn the_callers_of_write_batched_are_known() {
    let mut callers = Vec::new();
    for source in read("crates/server/src") {
        let mut code = source.code.as_str();
        let mut before = String::new();
        while let Some(at) = find_word(code, "write_batched") {
            before.push_str(&code[..at + "write_batched".len()]);
            code = &code[at + "write_batched".len()..];
            let file = source.path.trim_start_matches("crates/server/src/");
            callers.push(format!("{file}::{}", enclosing_function(&before)));
        }
    }
    callers.sort();
    callers.dedup();
    assert_eq!(
        callers, BATCHED,
        "look at the unit: only inserts and single conditional statements"
    );
}

fn enclosing_function(code: &str) -> String {
    let at = code.rfind("fn ").expect("it is called in a function");
    let name = &code[at + 3..];
    name.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .unwrap_or("")
        .to_owned()
}

/// What calls out stands in one folder, so that a reader sees every address the server can
/// be made to visit. Elsewhere nothing that could open a connection is named: no client of
/// HTTP, no socket that connects, no look-up of names, no program that is started.
#[test]
fn outgoing_calls_stand_in_upstream_only() {
    const CONNECTING: &[&str] = &[
        "UdpSocket",
        "UnixStream",
        "UnixDatagram",
        "TcpSocket",
        "lookup_host",
        "ToSocketAddrs",
        "Command",
        "connect",
        "connect_timeout",
        "hickory_resolver",
        "reqwest",
        "ureq",
        "hyper",
        "isahc",
        "curl",
        "lettre",
    ];
    let mut found = Vec::new();
    for source in read("crates/server/src") {
        if source.module().starts_with("crate::upstream") {
            continue;
        }
        // The service manager of this machine is told that the server is ready.
        let is_notify = source.path.ends_with("server/src/notify.rs");
        for word in CONNECTING {
            if find_word(&source.code, word).is_some() && !(is_notify && *word == "UnixDatagram") {
                found.push(format!("{} names {word}", source.path));
            }
        }
        // The listener hands accepted streams on; it is the one place that may name them.
        if find_word(&source.code, "TcpStream").is_some() && !source.path.ends_with("server/src/serve.rs") {
            found.push(format!("{} names TcpStream", source.path));
        }
    }
    assert_none(&found);
    // The rule sees what it looks for where it is allowed.
    let upstream = server("upstream");
    assert!(
        upstream
            .iter()
            .any(|source| find_word(&source.code, "hickory_resolver").is_some())
    );
    // Mail goes to one server, which the operator names.
    assert!(
        upstream
            .iter()
            .any(|source| find_word(&source.code, "lettre").is_some())
    );

    // The one client of HTTP is the server's, and guarded; no other is among what the server
    // is built from. The command line asks servers too, but not where one is served.
    let client = upstream
        .iter()
        .filter(|source| find_word(&source.code, "reqwest").is_some());
    let paths: Vec<&str> = client.map(|source| source.path.as_str()).collect();
    assert_eq!(paths, ["crates/server/src/upstream/fetch.rs"]);
    for name in ["server", "portolan", "db", "types"] {
        let path = workspace().join(format!("crates/{name}/Cargo.toml"));
        let text = std::fs::read_to_string(path).expect("the manifest can be read");
        let built_from = text.split("[dev-dependencies]").next().unwrap_or_default();
        for client in [
            "reqwest",
            "ureq",
            "hyper.workspace",
            "hyper =",
            "isahc",
            "curl",
            "lettre",
        ] {
            let guarded = match name {
                "server" => ["reqwest", "lettre"].contains(&client),
                // For the browser that the tour plays.
                "portolan" => client == "reqwest",
                _ => false,
            };
            assert!(
                guarded || !built_from.contains(client),
                "crates/{name} depends on {client}"
            );
        }
    }
    let command_line = read("crates/portolan/src");
    let asking = command_line
        .iter()
        .filter(|source| find_word(&source.code, "reqwest").is_some());
    let paths: Vec<&str> = asking.map(|source| source.path.as_str()).collect();
    assert_eq!(paths, ["crates/portolan/src/commands/tour/browser.rs"]);
    let serve = command_line
        .iter()
        .find(|source| source.path.ends_with("commands/serve.rs"))
        .expect("it is there");
    assert_eq!(find_word(&serve.code, "portolan_sdk"), None);
    let root = std::fs::read_to_string(workspace().join("Cargo.toml")).expect("the manifest can be read");
    let hyper_util = root
        .lines()
        .find(|line| line.starts_with("hyper-util"))
        .expect("it is listed");
    assert!(!hyper_util.contains("client"), "{hyper_util}");
}

/// What a caller presents is compared with what is stored through one type, whose
/// comparison takes the same time whatever matches (A19, class 21).
#[test]
fn secrets_are_compared_in_constant_time_and_in_no_other_way() {
    let sources = read("crates/types/src");
    let secret = sources
        .iter()
        .find(|source| source.path.ends_with("types/src/secret.rs"))
        .expect("it is there");
    let parts: Vec<&str> = secret.code.split("impl PartialEq for ").skip(1).collect();
    let compared: Vec<&str> = parts
        .iter()
        .map(|part| part.split_whitespace().next().unwrap_or(""))
        .collect();
    assert_eq!(compared, ["Secret", "TokenHash"]);
    for part in parts {
        let body = part.split("impl").next().unwrap_or("");
        assert!(body.contains("ct_eq("), "{body}");
    }
    for (start, _) in secret.code.match_indices("#[derive(") {
        let derived = secret.code[start..].split(']').next().unwrap_or("");
        for word in ["PartialEq", "Eq", "Ord", "PartialOrd", "Hash"] {
            assert!(
                find_word(derived, word).is_none(),
                "{derived}] compares bytes one by one"
            );
        }
    }
    // Nobody takes the plain text out to compare it in another way.
    let mut found = Vec::new();
    for source in read("crates/server/src") {
        for operator in ["==", "!="] {
            for (at, _) in source.code.match_indices(operator) {
                let before = source.code[..at].trim_end();
                let after = source.code[at + 2..].trim_start();
                let statement = before.rsplit([';', '{', '}']).next().unwrap_or("");
                let next = after.split([';', '{', '}', '&', '|']).next().unwrap_or("");
                if statement.ends_with(".expose()") || next.contains(".expose()") {
                    found.push(format!("{}: {statement} {operator} {next}", source.path));
                }
            }
        }
    }
    assert_none(&found);
}

/// Where the clock is read and random numbers are drawn: one place each, so that tests
/// hold the time and a reader can see all randomness.
#[test]
fn clock_and_chance_come_from_one_place() {
    let allowed = [
        ("SystemTime", "crates/server/src/app.rs"),
        ("rand", "crates/server/src/app.rs"),
        // How long a request took; no answer depends on it.
        ("Instant", "crates/server/src/http/context.rs"),
        // How long attempts are refused; tests of it bring their own (`governor::clock`).
        ("Instant", "crates/server/src/http/limits.rs"),
        // Signing and generating keys take the generator itself.
        ("rand", "crates/server/src/domain/keys.rs"),
        ("SystemRandom", "crates/server/src/domain/keys.rs"),
    ];
    let mut found = Vec::new();
    for source in read("crates/server/src").into_iter().chain(read("crates/types/src")) {
        for word in [
            "SystemTime",
            "Instant",
            "new_v4",
            "now_v7",
            "rand",
            "OsRng",
            "SystemRandom",
            "thread_rng",
            "Zoned",
        ] {
            if !names_item(&source, word) || allowed.contains(&(word, source.path.as_str())) {
                continue;
            }
            found.push(format!("{} names {word}", source.path));
        }
        if source.names("jiff::Timestamp::now") {
            found.push(format!("{} reads the clock", source.path));
        }
    }
    assert_none(&found);
    for (word, path) in allowed {
        let source = read("crates/server/src").into_iter().find(|source| source.path == path);
        assert!(
            source.is_some_and(|source| names_item(&source, word)),
            "{path} no longer names {word}: drop it here"
        );
    }
}

/// As a segment of a path.
fn names_item(source: &Source, item: &str) -> bool {
    source
        .paths()
        .iter()
        .any(|path| path.split("::").any(|segment| segment == item))
}

#[test]
fn the_source_reader_sees_through_groups_and_comments() {
    let sources = read("crates/server/src");
    let authorize = sources
        .iter()
        .find(|source| source.path.ends_with("oauth/authorize.rs"))
        .expect("it is there");
    let paths = authorize.paths();
    for path in [
        "axum::extract::State",
        "crate::domain::authorization::next_step",
        "crate::store::clients::Client",
    ] {
        assert!(paths.contains(path), "{path}");
    }
    let login = sources
        .iter()
        .find(|source| source.path.ends_with("web/login.rs"))
        .expect("it is there");
    assert!(login.paths().contains("crate::web::expired"), "super:: is resolved");
    assert!(!login.code.contains("standards.md"), "comments are gone");
}
