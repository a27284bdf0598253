//! The command line of people and developers, against real servers and in a real terminal: on
//! SQLite always, on PostgreSQL where one is named by `PORTOLAN_TEST_POSTGRES_URL`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};
use support::{Browser, Connection, PATIENCE, People, Place, Server, Terminal};
use tempfile::TempDir;

/// A person with a home folder, and nothing else in their surroundings.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn profiles(&self) -> PathBuf {
        self.path(".config/portolan/profiles.json")
    }

    fn tokens(&self, profile: &str) -> PathBuf {
        self.path(&format!(".local/share/portolan/tokens/{profile}.json"))
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        let path = std::env::var_os("PATH").unwrap();
        command.env_clear().env("PATH", path).env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).args(line).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &[&str]) -> Answer {
        Answer::of(self.command(line))
    }

    /// Must succeed.
    fn json(&self, line: &[&str]) -> Value {
        self.run(&[line, &["--format", "json"]].concat()).json()
    }

    fn terminal(&self, line: &[&str]) -> Terminal {
        Terminal::run(self.command(line))
    }
}

struct Answer {
    status: i32,
    output: String,
    errors: String,
}

impl Answer {
    fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Self {
            status: status.code().unwrap(),
            output: String::from_utf8(stdout).unwrap(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }

    fn text(self) -> String {
        assert_eq!(self.status, 0, "{}", self.errors);
        self.output
    }

    fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Must fail so, and say this.
    #[track_caller]
    fn fails(self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{}{}", self.output, self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word:?} is not in {}", self.errors);
        }
    }
}

struct Land {
    place: Place,
    people: People,
    _server: Server,
}

fn on_each(work: impl Fn(&Land)) {
    for place in [Some(Place::on_sqlite()), Place::on_postgres()].into_iter().flatten() {
        let server = place.start();
        work(&Land {
            people: place.populate(),
            place,
            _server: server,
        });
    }
}

impl Land {
    fn url(&self) -> String {
        format!("http://localhost:{}", self.place.port)
    }

    fn connection(&self) -> Connection {
        Connection::open(self.place.port).unwrap()
    }

    /// Alice follows a link in her browser, to where it leaves the server.
    fn follow(&self, link: &str, to: &str) -> String {
        let path = link.strip_prefix(&self.url()).unwrap();
        let (mut browser, mut connection) = (Browser::new(), self.connection());
        let answer = browser.send(&mut connection, path, None);
        browser.come_back(&mut connection, answer, to)
    }

    fn code(&self, link: &str) -> String {
        let came_back = self.follow(link, &format!("{}/v2/web/auth-code", self.url()));
        parameter(&came_back, "code")
    }

    /// A login in a terminal; returns all that was shown.
    fn log_in(&self, home: &Home, more: &[&str]) -> String {
        let url = self.url();
        let mut terminal = home.terminal(&[&["login", "--server", &url, "--no-browser"], more].concat());
        let link = link(terminal.wait_for("Paste the code that it shows: "));
        terminal.type_line(&self.code(&link));
        let (status, shown) = terminal.end();
        assert_eq!(status, 0, "{shown}");
        shown
    }

    fn is_active(&self, token: &str) -> bool {
        self.connection().is_active(&self.people, token)
    }
}

fn link(shown: &str) -> String {
    let mut lines = shown.lines().map(str::trim);
    lines.find(|line| line.starts_with("http")).unwrap().to_owned()
}

fn parameter(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_person_works_in_a_terminal_from_login_to_logout() {
    on_each(|land| {
        let home = Home::new();
        let url = land.url();
        let login = format!("type: portolan login --server {url}");
        home.run(&["whoami", "--server", &url])
            .fails(3, &["nobody is logged in", &login]);

        let shown = land.log_in(&home, &["--profile", "lab"]);

        let done = format!("alice@portolan.local is logged in at {url} (profile lab).");
        assert!(shown.contains(&done), "{shown}");
        assert_eq!(mode(&home.tokens("lab")), 0o600);
        assert_eq!(mode(home.tokens("lab").parent().unwrap()), 0o700);
        assert_eq!(mode(&home.profiles()), 0o600);

        let (status, shown) = home.terminal(&["whoami"]).end();
        assert_eq!((status, shown.as_str()), (0, "alice@portolan.local\r\n"));
        let me = home.json(&["whoami"]);
        assert_eq!(me["name"], "Alice");
        let (_, shown) = home.terminal(&["whoami", "--linked-identities"]).end();
        assert!(
            shown.contains("alice@example.org") && shown.contains(me["sub"].as_str().unwrap()),
            "{shown}"
        );
        let found = home.json(&["identities", "alice@portolan.local", land.people.service.as_str()]);
        let names: Vec<&Value> = found["identities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["id"])
            .collect();
        assert_eq!(names, [&json!(land.people.service), &me["sub"]]);
        home.run(&["identities", "nobody@portolan.local"])
            .fails(1, &["nobody@portolan.local"]);

        let (status, shown) = home.terminal(&["session", "show"]).end();
        assert!(status == 0 && shown.contains("alice@portolan.local"), "{shown}");
        assert!(home.json(&["session", "show"])["authentications"][0]["last_authentication"].is_i64());

        let token = home.run(&["token", "get"]).text();
        let token = token.trim();
        assert!(land.is_active(token));
        assert_eq!(home.json(&["token", "get"])["access_token"], token);
        home.run(&["token", "get", "transfer.api.globus.org"])
            .fails(4, &["portolan login --scope SCOPE --profile lab"]);
        let mut revoke = home.command(&["token", "revoke", "-"]);
        let mut process = revoke.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        assert!(process.wait().unwrap().success());
        assert!(!land.is_active(token));
        // The refresh token is still there.
        let renewed = home.run(&["whoami"]).text();
        assert_eq!(renewed, "alice@portolan.local\n");
        let renewed = home.json(&["token", "get"])["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(renewed != token && land.is_active(&renewed));
        assert_eq!(mode(&home.tokens("lab")), 0o600);

        let shown = home.run(&["logout"]).text();

        assert!(shown.contains(&format!("Logged out of {url}")), "{shown}");
        assert!(!land.is_active(&renewed));
        home.run(&["whoami"]).fails(3, &["type: portolan login --profile lab"]);
    });
}

#[test]
fn consents_are_seen_as_trees_and_taken_back() {
    on_each(|land| {
        let home = Home::new();
        land.log_in(&home, &[]);
        let (mut browser, mut connection) = (Browser::new(), land.connection());
        let code = browser.code(&mut connection, &land.people, "openid email");
        let app = connection.redeem(&land.people, &code).unwrap().text("access_token");

        let (status, shown) = home.terminal(&["consents", "tree"]).end();

        assert_eq!(status, 0, "{shown}");
        assert!(
            shown.contains("Portolan Command Line (a16a7e29-8ad6-424b-ac7e-dad37a6ad120)"),
            "{shown}"
        );
        assert!(
            shown.contains("└─ ") && shown.contains("Know your e-mail address at Portolan Auth"),
            "{shown}"
        );
        let listed = home.json(&["consent", "list", "--client", &land.people.program]);
        let listed = listed["consents"].as_array().unwrap();
        assert_eq!(listed.len(), 2);
        let email = listed.iter().find(|consent| consent["scope_name"] == "email").unwrap();
        let id = email["id"].to_string();
        assert_eq!(home.json(&["consent", "show", &id])["ends"], json!([email]));

        let mut terminal = home.terminal(&["consents", "revoke", &id]);
        terminal.wait_for(&format!("On {} as alice@portolan.local.", land.url()));
        terminal.wait_for("Go on?");
        terminal.type_line("n");
        assert_eq!(terminal.end().0, 1);
        assert!(land.is_active(&app));
        let mut terminal = home.terminal(&["consents", "revoke", &id]);
        terminal.wait_for("Go on?");
        terminal.type_line("y");
        let (status, shown) = terminal.end();

        assert!(status == 0 && shown.contains("are inactive from now on"), "{shown}");
        assert!(!land.is_active(&app));
        home.run(&["consent", "show", &id])
            .fails(1, &["you have no consent", "portolan consent list"]);

        // The command line is an app as any other: without its consents its login has ended.
        let own = home.json(&["consent", "list", "--client", "Portolan Command Line"]);
        let own = own["consents"].as_array().unwrap().iter();
        let openid = own.clone().find(|consent| consent["scope_name"] == "openid").unwrap();
        let ended = home.json(&["consent", "revoke", &openid["id"].to_string(), "--yes"]);
        assert_eq!(ended["consent"]["scope_name"], "openid");
        let again = format!("type: portolan login --profile localhost-{}", land.place.port);
        home.run(&["whoami"])
            .fails(3, &["alice@portolan.local", "has ended", &again]);
        land.log_in(&home, &[]);
        assert_eq!(home.run(&["whoami"]).text(), "alice@portolan.local\n");
    });
}

#[test]
fn any_call_can_be_made_and_what_it_needs_is_said() {
    on_each(|land| {
        let home = Home::new();
        land.log_in(&home, &[]);
        let me = home.json(&["whoami"])["sub"].clone();
        let project = json!({"project": {
            "display_name": "Beamline", "contact_email": "b@example.org", "admin_ids": [me],
        }});

        let made = home.run(&["api", "post", "/v2/api/projects", "--body", &project.to_string()]);

        assert!(made.errors.contains("as alice@portolan.local"), "{}", made.errors);
        let made = made.json();
        let path = format!("/v2/api/projects/{}", made["project"]["id"].as_str().unwrap());
        let all = home.json(&["api", "GET", "/v2/api/projects"]);
        assert_eq!(all["projects"][0]["display_name"], "Beamline");
        fs::write(
            home.path("change.json"),
            r#"{"project": {"display_name": "Beamline 7"}}"#,
        )
        .unwrap();
        let changed = home.json(&["api", "PUT", &path, "--body", "@change.json"]);
        assert_eq!(changed["project"]["display_name"], "Beamline 7");
        for query in ["usernames=alice@portolan.local", "usernames=alice%40portolan.local"] {
            let found = home.json(&["api", "GET", &format!("/v2/api/identities?{query}")]);
            assert_eq!(found["identities"][0]["id"], me, "{query}");
        }
        let found = home.json(&[
            "api",
            "GET",
            "v2/api/identities",
            "--query",
            "usernames=alice@portolan.local",
        ]);
        assert_eq!(found["identities"][0]["id"], me);
        home.json(&["api", "DELETE", &path]);

        let gone = home.run(&["api", "GET", &path]);

        let document: Value = serde_json::from_str(&gone.output).unwrap();
        assert_eq!(document["errors"][0]["status"], "404");
        gone.fails(1, &["404 ", "request "]);
        home.run(&["api", "GET", "https://example.org/"])
            .fails(2, &["its own server only"]);
        home.run(&["api", "POST", "/x", "--body", "{"])
            .fails(2, &["--body is no JSON"]);
    });
}

#[test]
fn a_service_looks_at_tokens_and_gets_those_behind_it() {
    on_each(|land| {
        let home = Home::new();
        let made = land.place.run(
            &["client", "create", "--name", "Cluster", "--type", "resource_server"],
            "",
        );
        let id = made["client"]["id"].as_str().unwrap();
        let made = land
            .place
            .run(&["client", "secret", "create", id, "--name", "test"], "");
        let secret = made["credential"]["secret"].as_str().unwrap();
        let scope = [
            "scope",
            "create",
            "--client",
            id,
            "--suffix",
            "run",
            "--name",
            "Run",
            "--description",
            "Runs it.",
            "--depends-on",
            "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f",
            "--advertised",
        ];
        let made = land.place.run(&scope, "");
        let run = made["scope"]["scope_string"].as_str().unwrap();
        home.run(&["token", "get", "--scope", run, "--server", &land.url()])
            .fails(3, &[]);
        land.log_in(&home, &["--scope", run]);
        let token = home.json(&["token", "get", "--scope", run])["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        let as_service = |line: &[&str]| {
            let mut command = home.command(line);
            command
                .env("PORTOLAN_CLIENT_ID", id)
                .env("PORTOLAN_CLIENT_SECRET", secret);
            Answer::of(command)
        };
        let json_of = |line: &[&str]| as_service(&[line, &["--format", "json"]].concat()).json();

        let seen = json_of(&["token", "introspect", &token, "--include", "session_info"]);
        assert_eq!(
            (&seen["active"], &seen["username"]),
            (&json!(true), &json!("alice@portolan.local"))
        );
        assert!(seen["session_info"]["session_id"].is_string());
        let text = as_service(&["token", "introspect", &token]).text();
        assert!(text.contains("alice@portolan.local") && text.contains(run), "{text}");
        let behind = json_of(&["token", "dependent", &token]);
        assert_eq!(behind[0]["resource_server"], "groups.api.globus.org");
        let text = as_service(&["token", "dependent", &token]).text();
        assert!(text.contains("groups.api.globus.org"), "{text}");
        assert_eq!(as_service(&["token", "introspect", "nonsense"]).text(), "inactive\n");
        as_service(&["session", "show"]).fails(2, &["acts without a login"]);

        // Its own token, by the names that the SDKs read.
        let mut own = home.command(&["token", "get", "--scope", "openid"]);
        let robot = (&land.people.service, &land.people.service_secret);
        own.env("GLOBUS_SDK_CLIENT_ID", robot.0)
            .env("GLOBUS_SDK_CLIENT_SECRET", robot.1);
        assert!(land.is_active(Answer::of(own).text().trim()));
        let mut who = home.command(&["whoami", "--format", "json"]);
        who.env("PORTOLAN_CLIENT_ID", robot.0)
            .env("PORTOLAN_CLIENT_SECRET", robot.1);
        assert_eq!(Answer::of(who).json()["sub"], json!(robot.0));
        home.run(&["token", "introspect", &token])
            .fails(2, &["PORTOLAN_CLIENT_SECRET"]);
        let mut wrong = home.command(&["whoami"]);
        wrong
            .env("PORTOLAN_CLIENT_ID", id)
            .env("PORTOLAN_CLIENT_SECRET", "wrong");
        Answer::of(wrong).fails(3, &["does not accept this service account"]);
    });
}

#[test]
fn a_browser_comes_back_by_itself() {
    on_each(|land| {
        let home = Home::new();
        let tools = home.path("bin");
        fs::create_dir(&tools).unwrap();
        let opener = tools.join("xdg-open");
        fs::write(
            &opener,
            "#!/bin/sh\nprintf '%s' \"$1\" > \"$HOME/opened.part\"\nmv \"$HOME/opened.part\" \"$HOME/opened\"\n",
        )
        .unwrap();
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = home.command(&["login", "--server", &land.url()]);
        let path = std::env::var("PATH").unwrap();
        command
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("DISPLAY", ":0");
        let mut terminal = Terminal::run(command);

        terminal.wait_for("A browser opens.");
        let link = fs::read_to_string(home.path("opened")).unwrap();
        let came_back = land.follow(&link, "http://127.0.0.1:");
        let address = url::Url::parse(&came_back).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", address.port().unwrap())).unwrap();
        let target = &address[url::Position::BeforePath..];
        stream
            .write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let (status, shown) = terminal.end();

        assert!(page.contains("Login successful"), "{page}");
        assert_eq!(status, 0, "{shown}");
        assert!(shown.contains("alice@portolan.local is logged in"), "{shown}");
    });
}

#[test]
fn a_fresh_login_keeps_to_the_person() {
    on_each(|land| {
        let home = Home::new();
        land.log_in(&home, &[]);
        let shown = home.run(&["login", "--server", &land.url()]);
        assert!(
            shown.errors.contains("You are logged in at") && shown.errors.contains("--force"),
            "{}",
            shown.errors
        );
        let before = home.json(&["token", "get"])["access_token"].clone();

        let mut terminal = home.terminal(&["session", "update", "--no-browser"]);
        let link = link(terminal.wait_for("Paste the code that it shows: "));
        assert!(link.contains("prompt=login"), "{link}");
        terminal.type_line(&land.code(&link));
        let (status, shown) = terminal.end();

        assert!(status == 0 && shown.contains("has a fresh login"), "{shown}");
        assert_ne!(home.json(&["token", "get"])["access_token"], before);
        let mut terminal = home.terminal(&["session", "update", "--no-browser", "--domain", "example.edu", "--mfa"]);
        let shown = terminal.wait_for("Paste the code that it shows: ");
        assert!(
            shown.contains("session_required_single_domain=example.edu&session_required_mfa=true"),
            "{shown}"
        );
        terminal.type_line("AgPCnonsense");
        let (status, shown) = terminal.end();
        assert!(status == 1 && shown.contains("the code was not accepted"), "{shown}");
        assert_eq!(home.run(&["whoami"]).text(), "alice@portolan.local\n");
    });
}

#[test]
fn profiles_are_chosen_by_name_by_server_and_by_variable() {
    on_each(|land| {
        let home = Home::new();
        land.log_in(&home, &["--profile", "one"]);
        land.log_in(&home, &["--profile", "two"]);
        let url = land.url();
        let names = |listed: &Value| {
            let profiles = listed["profiles"].as_array().unwrap().iter();
            profiles
                .map(|one| (one["name"].as_str().unwrap().to_owned(), one["current"] == true))
                .collect::<Vec<_>>()
        };
        let listed = home.json(&["profile", "list"]);
        assert_eq!(names(&listed), [("one".to_owned(), false), ("two".to_owned(), true)]);
        assert_eq!(listed["profiles"][0]["server"], json!(url));
        assert_eq!(listed["profiles"][0]["username"], "alice@portolan.local");

        home.run(&["profile", "use", "one"]).text();
        assert_eq!(home.json(&["profile", "show"])["name"], "one");
        let session = |line: &[&str], variables: &[(&str, &str)]| {
            let mut command = home.command(&[&["session", "show", "--format", "json"], line].concat());
            Answer::of({
                command.envs(variables.iter().copied());
                command
            })
            .json()["profile"]
                .clone()
        };
        assert_eq!(session(&[], &[]), "one");
        assert_eq!(session(&["--profile", "two"], &[]), "two");
        assert_eq!(session(&["--server", &url], &[]), "one");
        assert_eq!(session(&[], &[("PORTOLAN_PROFILE", "two")]), "two");
        assert_eq!(session(&["--profile", "one"], &[("PORTOLAN_PROFILE", "two")]), "one");
        home.run(&["whoami", "--profile", "three"])
            .fails(3, &["portolan login --profile three --server URL"]);
        home.run(&["whoami", "--profile", "one", "--server", "http://localhost:1"])
            .fails(2, &["is of"]);
        home.run(&["login", "--profile", "../x", "--server", &url])
            .fails(2, &["cannot be the name"]);

        home.run(&["profile", "remove", "one"]).text();

        assert!(!home.tokens("one").exists());
        assert_eq!(names(&home.json(&["profile", "list"])), [("two".to_owned(), false)]);
        // Nothing is current any more, so a command is on the store again.
        home.run(&["consent", "list"]).fails(2, &["whose consents?"]);
    });
}

#[test]
fn a_command_is_on_the_store_or_on_the_server_and_never_on_both() {
    on_each(|land| {
        let home = Home::new();
        let on_store = || land.place.run(&["consent", "list", "alice"], "");
        land.log_in(&home, &[]);
        let all = on_store()["consents"].as_array().unwrap().len();

        let over_the_network = home.json(&["consent", "list"]);

        assert_eq!(over_the_network["consents"].as_array().unwrap().len(), all);
        let nowhere = home.path("nowhere");
        let nowhere = nowhere.to_str().unwrap();
        home.run(&["consent", "list", "--data-dir", nowhere, "--server", &land.url()])
            .fails(2, &["--data-dir", "--server", "which is meant?"]);
        let mut variables = home.command(&["consent", "list"]);
        variables
            .env("PORTOLAN_DATA_DIR", nowhere)
            .env("PORTOLAN_SERVER", land.url());
        Answer::of(variables).fails(2, &["PORTOLAN_DATA_DIR", "PORTOLAN_SERVER"]);
        let mut flag = home.command(&["consent", "list", "--server", &land.url()]);
        flag.env("PORTOLAN_DATA_DIR", nowhere);
        assert_eq!(Answer::of(flag).status, 0);
        home.run(&["consent", "list", "alice", "--data-dir", nowhere])
            .fails(1, &[]);
        home.run(&["whoami", "--data-dir", nowhere])
            .fails(2, &["leave --data-dir away"]);
        home.run(&["user", "list", "--server", &land.url()])
            .fails(2, &["leave --server away"]);
        home.run(&["session", "list", "--user", "alice", "--server", &land.url()])
            .fails(2, &["leave --server away"]);
    });
}

#[test]
fn a_server_that_does_not_know_the_client_says_what_to_register() {
    let place = Place::on_sqlite();
    let _server = place.start();
    let home = Home::new();
    let url = format!("http://localhost:{}", place.port);
    let unknown = "2fbd0a1e-8d8e-4a8b-9c11-5f0f8a0f1d20";

    home.run(&["login", "--server", &url, "--client-id", unknown]).fails(
        2,
        &[
            unknown,
            &format!("{url}/v2/web/auth-code"),
            "http://127.0.0.1",
            "--client-id ITS_ID",
        ],
    );
    home.run(&["login", "--server", "https://auth.globus.org"])
        .fails(2, &["does not know this command line", "--client-id ITS_ID"]);
    home.run(&["login", "--server", "localhost:8080"])
        .fails(2, &["https://auth.example.org"]);
    home.run(&["login"]).fails(2, &["which server?"]);
    home.run(&["login", "--server", &format!("{url}/elsewhere")])
        .fails(1, &["does not answer as an authorization server"]);
    assert!(!home.profiles().exists(), "nothing is remembered of what did not work");
}

/// Says the same to each request, whatever it asks.
fn parrot(status: &str, document: &Value) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = document.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut read = Vec::new();
            let mut bytes = [0; 4096];
            while !read.windows(4).any(|window| window == b"\r\n\r\n") {
                let length = stream.read(&mut bytes).unwrap();
                read.extend_from_slice(&bytes[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

/// Somebody who is logged in there, as the files say.
fn logged_in_at(port: u16) -> Home {
    let home = Home::new();
    let profile = json!({"current": "lab", "profiles": {"lab": {
        "server": format!("http://127.0.0.1:{port}"), "client_id": "a16a7e29-8ad6-424b-ac7e-dad37a6ad120",
        "username": "alice@portolan.local",
    }}});
    let urn = |name: &str| format!("urn:globus:auth:scope:auth.globus.org:{name}");
    let names = [
        "view_identity_set",
        "view_identities",
        "view_consents",
        "manage_projects",
        "manage_consents",
    ];
    let scopes = ["openid", "profile", "email"]
        .map(str::to_owned)
        .into_iter()
        .chain(names.map(urn));
    let tokens = json!({"format_version": "2.0", "globus-sdk.version": "4.0.0", "data": {"DEFAULT": {"auth.globus.org": {
        "resource_server": "auth.globus.org", "identity_id": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d",
        "scope": scopes.collect::<Vec<_>>().join(" "), "access_token": "AgPAx", "refresh_token": "AgPRx",
        "expires_at_seconds": 4_000_000_000_i64, "token_type": "Bearer",
    }}}});
    for (path, document) in [(home.profiles(), profile), (home.tokens("lab"), tokens)] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, document.to_string()).unwrap();
    }
    home
}

#[test]
fn what_a_server_demands_is_a_command_to_type() {
    let demand = json!({"errors": [{"status": "403", "code": "FORBIDDEN", "title": "x", "detail": "not like this"}],
    "code": "AuthorizationRequired", "authorization_parameters": {
        "session_message": "Only with a fresh login\u{1b}[2J", "session_required_policies": ["7a1f"],
        "session_required_mfa": true,
    }});
    let home = logged_in_at(parrot("403 Forbidden", &demand));

    let refused = home.run(&["api", "GET", "/v2/api/projects"]);

    assert!(refused.output.contains("AuthorizationRequired"), "{}", refused.output);
    assert!(
        !refused.output.contains('\u{1b}') && !refused.errors.contains('\u{1b}'),
        "{}",
        refused.errors
    );
    refused.fails(
        4,
        &[
            "Only with a fresh login",
            "type: portolan session update --policy 7a1f --mfa --profile lab",
        ],
    );

    let consent = json!({"code": "ConsentRequired", "required_scope": "urn:x[*y]"});
    let home = logged_in_at(parrot("403 Forbidden", &consent));
    home.run(&["whoami"]).fails(
        4,
        &[
            "a consent first",
            "portolan session update --scope 'urn:x[*y]' --profile lab",
        ],
    );
}

#[test]
fn a_login_that_has_ended_and_a_server_that_is_away_are_told_apart() {
    let refusal = json!({"error": "invalid_grant", "error_description": "refresh token has ended"});
    let home = logged_in_at(parrot("401 Unauthorized", &refusal));
    home.run(&["whoami"])
        .fails(3, &["has ended", "type: portolan login --profile lab"]);

    let port = support::free_port();
    let home = logged_in_at(port);
    home.run(&["whoami"])
        .fails(5, &["no connection", "is the server running"]);
    home.run(&["logout"])
        .fails(5, &["portolan logout --profile lab --forget"]);
    assert!(home.tokens("lab").exists());
    let forgotten = home.run(&["logout", "--forget"]);
    assert!(
        forgotten.errors.contains("The server was not told"),
        "{}",
        forgotten.errors
    );
    forgotten.text();
    home.run(&["whoami"]).fails(3, &["nobody is logged in"]);
}

/// Names come from anybody: escape sequences, a carriage return, right-to-left.
#[test]
fn what_others_call_themselves_does_not_steer_the_terminal() {
    let hostile = "al\u{1b}]0;owned\u{7}\u{9b}2J\rice\u{202e}x\u{2066}\n@example.org";
    let person = json!({"sub": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d", "preferred_username": hostile, "name": hostile,
    "email": hostile, "identity_provider_display_name": hostile, "identity_set": [{
        "sub": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d", "username": hostile, "name": hostile, "email": hostile,
        "last_authentication": null, "identity_provider_display_name": hostile,
    }]});
    let home = logged_in_at(parrot("200 OK", &person));
    let steers = |text: &str| {
        let lines = text.replace("\r\n", "\n");
        lines
            .chars()
            .any(|character| (character != '\n' && character.is_control()) || "\u{202e}\u{2066}".contains(character))
    };

    for line in [
        &["whoami"] as &[&str],
        &["whoami", "--verbose"],
        &["whoami", "--linked-identities"],
        &["whoami", "--format", "json"],
        &["session", "show"],
        &["session", "show", "--format", "json"],
        &["api", "GET", "/v2/oauth2/userinfo"],
        &["api", "POST", "/v2/api/projects"],
    ] {
        let (status, shown) = home.terminal(line).end();
        assert_eq!(status, 0, "{line:?}: {shown}");
        assert!(shown.contains("owned") && !steers(&shown), "{line:?}: {shown:?}");
    }
    // Programs still read what it was.
    assert_eq!(home.json(&["whoami"])["name"], hostile);
    let refusal = json!({"errors": [{"status": "400", "code": "BAD", "title": hostile, "detail": hostile}]});
    let home = logged_in_at(parrot("400 Bad Request", &refusal));
    let (status, shown) = home.terminal(&["whoami"]).end();
    assert!(status == 1 && !steers(&shown), "{shown:?}");
}

#[test]
fn shells_complete_and_man_explains() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = home.run(&["completions", shell]).text();
        assert!(script.contains("whoami") && script.contains("no-browser"), "{shell}");
    }
    let bash = home.run(&["completions", "bash"]).text();
    fs::write(home.path("portolan.bash"), bash).unwrap();
    let script = "source ./portolan.bash; COMP_WORDS=(portolan consent rev); COMP_CWORD=2; \
                  _portolan portolan rev consent; printf '%s ' \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash")
        .args(["-c", script])
        .current_dir(home.folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(completed.stdout).unwrap(), "revoke ");

    let written = home.json(&["man", "--dir", "man1"]);

    let pages = written["pages"].as_array().unwrap();
    for page in ["portolan.1", "portolan-login.1", "portolan-consent-revoke.1"] {
        assert!(pages.contains(&json!(page)), "{page}");
        let text = fs::read_to_string(home.path("man1").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let help = home.run(&["--help"]).text();
    for line in ["Exit status:", "3  nobody is logged in", "5  the server gave no answer"] {
        assert!(help.contains(line), "{line}: {help}");
    }
}
