//! The real binary on a real folder: what an operator types, and what scripts rely on.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "seven quiet lanterns drift north";
/// Far more than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a store, and perhaps a server on it.
struct Place {
    folder: TempDir,
    server: Option<Server>,
}

struct Server {
    process: Child,
    url: String,
    setup_link: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Place {
    /// A place whose server is running.
    fn serving() -> Place {
        let mut place = Place {
            folder: tempfile::tempdir().unwrap(),
            server: None,
        };
        place.start(&[]);
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        // Settings of the surroundings must not reach the tests.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTOLAN_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).arg("--data-dir").arg(self.data());
        command
    }

    fn start(&mut self, arguments: &[&str]) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"]);
        let mut process = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let mut setup_link = None;
        let url = loop {
            let line = lines.recv_timeout(PATIENCE).expect("the server becomes ready");
            if let Some(link) = line.strip_prefix("Create the first administrator at ") {
                setup_link = Some(link.to_owned());
            } else if let Some(url) = line.strip_prefix("portolan ready at ") {
                break url.to_owned();
            }
        };
        self.server = Some(Server {
            process,
            url,
            setup_link,
        });
    }

    /// Stops the server as an init system does; true if it ended in order.
    fn stop(&mut self) -> bool {
        let mut server = self.server.take().unwrap();
        let terminate = ["-TERM".to_owned(), server.process.id().to_string()];
        assert!(Command::new("kill").args(terminate).status().unwrap().success());
        server.process.wait().unwrap().success()
    }

    fn url(&self) -> &str {
        &self.server.as_ref().unwrap().url
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses before it reads is no fault of the test.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        process.wait_with_output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        parsed(&self.run(&[arguments, &["--format", "json"]].concat()))
    }

    fn add_user(&self, name: &str, more: &[&str]) -> Output {
        let email = format!("{name}@example.org");
        let arguments = [
            "user",
            "add",
            name,
            "--name",
            "N N",
            "--email",
            &email,
            "--password-stdin",
            "--format",
            "json",
        ];
        self.run_with_input(&[&arguments, more].concat(), &format!("{PASSWORD}\n"))
    }
}

fn lines(output: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn parsed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command failed with this code and these words.
fn assert_refused(output: &Output, code: i32, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(
        stderr(output).contains(words),
        "{words:?} is missing in: {}",
        stderr(output)
    );
}

fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_everything_and_the_next_ones_find_it() {
    let mut place = Place::serving();
    let first_link = place.server.as_ref().unwrap().setup_link.clone().unwrap();
    assert!(
        first_link.starts_with(&format!("{}/p/setup/", place.url())),
        "{first_link}"
    );
    assert!(get(place.url(), "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(place.url(), "/readyz").starts_with("HTTP/1.1 200"));
    assert_eq!(mode(&place.data()), 0o700);
    assert_eq!(mode(&place.data().join("master.key")), 0o600);
    assert_eq!(mode(&place.data().join("portolan.db")), 0o600);
    let keys = place.json(&["keys", "list"]);
    assert!(place.stop(), "SIGTERM ends it in order");

    place.start(&[]);
    let second_link = place.server.as_ref().unwrap().setup_link.clone();
    assert!(
        second_link.is_some_and(|link| link != first_link),
        "a fresh link while nobody has used one"
    );
    assert_eq!(place.json(&["keys", "list"]), keys);
    place.add_user("root", &["--admin"]);
    place.stop();

    place.start(&[]);
    assert_eq!(
        place.server.as_ref().unwrap().setup_link,
        None,
        "there is an administrator now"
    );
}

#[test]
fn local_accounts_are_kept_while_the_server_runs() {
    let place = Place::serving();
    let alice = parsed(&place.add_user("Alice", &["--admin"]));
    assert_eq!(
        alice,
        json!({"id": alice["id"], "username": "alice@portolan.local", "name": "N N", "email": "Alice@example.org",
               "admin": true})
    );
    let bob = parsed(&place.add_user("bob", &[]));
    assert_eq!(bob["admin"], false);

    assert_refused(&place.add_user("alice", &[]), 1, "alice@portolan.local is taken");
    let users = place.json(&["user", "list"]);
    let usernames: Vec<&str> = users["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["username"].as_str().unwrap())
        .collect();
    assert_eq!(usernames, ["alice@portolan.local", "bob@portolan.local"]);

    assert_eq!(place.json(&["user", "disable", "bob"])["enabled"], false);
    assert_eq!(
        place.json(&["user", "show", bob["id"].as_str().unwrap()])["enabled"],
        false
    );
    assert_eq!(place.json(&["user", "enable", "bob@portolan.local"])["enabled"], true);
    let set = ["user", "set-password", "bob", "--password-stdin"];
    assert!(
        place
            .run_with_input(&set, "another sixteen words of silence\n")
            .status
            .success()
    );
    assert_refused(&place.run(&["user", "show", "nobody"]), 1, "there is no account nobody");
    assert_eq!(
        place.json(&["user", "factors", "list", "bob"]),
        json!({"username": "bob@portolan.local", "factors": [], "recovery_codes": 0})
    );
    assert_eq!(
        place.json(&["user", "factors", "remove", "bob"]),
        json!({"username": "bob@portolan.local", "removed": false})
    );
}

#[test]
fn accounts_are_linked_and_unlinked() {
    let place = Place::serving();
    let id = |name: &str| parsed(&place.add_user(name, &[]))["id"].clone();
    let (alice, work, bob) = (id("alice"), id("alice-at-work"), id("bob"));
    let linked = |answer: &Value| -> Vec<Value> {
        let linked = answer["linked"].as_array().expect("a list").iter();
        linked.map(|one| json!([one["id"], one["primary"]])).collect()
    };

    let answer = place.json(&["user", "link", "alice", "alice-at-work@portolan.local"]);
    assert_eq!(linked(&answer), [json!([alice, true]), json!([work, false])]);
    assert_refused(
        &place.run(&["user", "link", "alice", "alice"]),
        1,
        "one and the same account",
    );
    assert_refused(
        &place.run(&["user", "link", "alice", "alice-at-work"]),
        1,
        "linked already",
    );
    assert_refused(
        &place.run(&["user", "link", "bob", "alice"]),
        1,
        "unlink it there first",
    );
    assert_refused(&place.run(&["user", "unlink", "alice", "bob"]), 1, "is not linked with");
    assert_refused(
        &place.run(&["user", "unlink", "alice-at-work", "alice"]),
        1,
        "make another one the primary first",
    );

    let answer = place.json(&["user", "primary", "alice", "alice-at-work"]);
    assert_eq!(linked(&answer), [json!([work, true]), json!([alice, false])]);
    let answer = place.json(&["user", "unlink", "alice-at-work", "alice"]);
    assert_eq!(linked(&answer), [json!([work, true])]);
    let answer = place.json(&["user", "link", "bob", "alice"]);
    assert_eq!(linked(&answer), [json!([bob, true]), json!([alice, false])]);
    let audit = place.json(&["audit", "--action", "identity", "--actor", "operator"]);
    let events = audit["events"].as_array().unwrap().iter().take(4);
    let actions: Vec<&str> = events.filter_map(|event| event["action"].as_str()).collect();
    assert_eq!(
        actions,
        [
            "identity.link",
            "identity.unlink",
            "identity.set_primary",
            "identity.link"
        ]
    );
}

#[test]
fn passwords_that_can_be_guessed_are_refused_with_a_reason() {
    let place = Place::serving();
    let add = [
        "user",
        "add",
        "carol",
        "--name",
        "Carol",
        "--email",
        "c@example.org",
        "--password-stdin",
    ];
    for (password, words) in [
        ("short", "at least 15 characters"),
        ("passwordpassword", "this password cannot be used"),
        ("carolcarolcarolcarol", "this password cannot be used"),
        ("", "standard input holds no password"),
    ] {
        assert_refused(&place.run_with_input(&add, &format!("{password}\n")), 1, words);
    }
    let without_flag = &add[..add.len() - 1];
    assert_refused(&place.run(without_flag), 1, "--password-stdin");
    assert_eq!(place.json(&["user", "list"]), json!({"users": []}));
}

#[test]
fn clients_and_their_secrets() {
    let place = Place::serving();
    let create = [
        "client",
        "create",
        "--name",
        "Portal",
        "--type",
        "confidential_client",
        "--redirect-uri",
        "https://portal.example.org/cb",
        "--redirect-uri",
        "http://127.0.0.1/cb",
    ];
    let client = place.json(&create)["client"].take();
    assert_eq!(client["client_type"], "confidential_client");
    assert_eq!(client["public_client"], false);
    assert_eq!(
        client["redirect_uris"],
        json!(["https://portal.example.org/cb", "http://127.0.0.1/cb"])
    );
    assert!(client["project"].is_string());
    let id = client["id"].as_str().unwrap();
    assert_eq!(place.json(&["client", "show", id])["client"], client);

    let credential = place.json(&["client", "secret", "create", id, "--name", "deploy"])["credential"].take();
    assert_eq!(credential["secret"].as_str().unwrap().len(), 44);
    assert_eq!(credential["client"], client["id"]);
    let listed = place.json(&["client", "secret", "list", id]);
    assert_eq!(listed["credentials"][0]["id"], credential["id"]);
    assert_eq!(listed["credentials"][0]["secret"], Value::Null);
    let credential_id = credential["id"].as_str().unwrap();
    assert!(
        place
            .run(&["client", "secret", "delete", id, credential_id])
            .status
            .success()
    );
    assert_refused(
        &place.run(&["client", "secret", "delete", id, credential_id]),
        1,
        "has no secret",
    );

    // Both clients are in the one project of the operators.
    let other =
        place.json(&["client", "create", "--name", "CLI", "--type", "public_installed_client"])["client"].take();
    assert_eq!(other["project"], client["project"]);
    let other_id = other["id"].as_str().unwrap();
    assert_refused(
        &place.run(&["client", "secret", "create", other_id, "--name", "x"]),
        1,
        "public client",
    );

    assert!(place.run(&["client", "delete", id]).status.success());
    assert_refused(&place.run(&["client", "show", id]), 1, "there is no client");
    let listed = place.json(&["client", "list"]);
    let ids: Vec<&Value> = listed["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| &client["id"])
        .collect();
    assert!(ids.contains(&&other["id"]) && !ids.contains(&&client["id"]));
}

#[test]
fn wrong_command_lines_and_settings_are_told_apart_from_failures() {
    let place = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    assert_refused(&place.run(&["user", "ad"]), 2, "unrecognized subcommand");
    assert_refused(
        &place.run(&["client", "create", "--name", "x", "--type", "nonsense"]),
        2,
        "client type",
    );
    assert_refused(
        &place.run(&["serve", "--public-url", "https://x.example/path"]),
        2,
        "the issuer has no path",
    );
    let file = place.folder.path().join("portolan.toml");
    fs::write(&file, "listen = \"127.0.0.1:0\"\nlog_levle = \"info\"\n").unwrap();
    assert_refused(&place.run(&["serve", "--config", file.to_str().unwrap()]), 2, "line 2");
    assert_refused(&place.run(&["user", "list"]), 1, "there is no store");
    assert!(!place.data().exists(), "commands that only look make nothing");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let place = Place::serving();
    assert_refused(
        &place.run(&["serve", "--listen", "127.0.0.1:0"]),
        1,
        "a server is running on",
    );
}

#[test]
fn a_port_in_use_is_told_with_a_remedy() {
    let place = Place::serving();
    let other = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    let address = place.url().replace("http://localhost", "127.0.0.1");
    assert_refused(
        &other.run(&["serve", "--listen", &address]),
        1,
        "choose another one with --listen",
    );
}

#[test]
fn the_public_address_is_fixed_once_it_is_chosen() {
    let mut place = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    place.start(&["--public-url", "https://auth.example.org"]);
    assert_eq!(place.url(), "https://auth.example.org");
    place.stop();

    let serve = ["serve", "--listen", "127.0.0.1:0", "--public-url"];
    let other = [&serve[..], &["https://other.example.org"]].concat();
    assert_refused(
        &place.run(&other),
        1,
        "portolan settings set issuer https://other.example.org",
    );
    assert_refused(&place.run(&serve[..3]), 1, "--public-url https://auth.example.org");
    let set = place.run(&["settings", "set", "issuer", "https://other.example.org/path"]);
    assert_refused(&set, 2, "the issuer has no path");
    assert_refused(
        &place.run(&["settings", "set", "master_key_check", "x"]),
        1,
        "cannot be set",
    );

    place.json(&["settings", "set", "issuer", "https://other.example.org"]);
    assert_eq!(
        place.json(&["settings", "show"])["settings"]["issuer"],
        "https://other.example.org"
    );
    place.start(&["--public-url", "https://other.example.org"]);
}

#[test]
fn signing_keys_rotate_and_master_keys_are_exchanged() {
    let mut place = Place::serving();
    let states = |keys: &Value| -> Vec<String> {
        let list = keys["keys"].as_array().unwrap();
        // Keys of the same moment come in the order of their random ids.
        let mut states: Vec<String> = list
            .iter()
            .map(|key| format!("{} {}", key["kind"].as_str().unwrap(), key["state"].as_str().unwrap()))
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(&place.json(&["keys", "list"])), ["EC signing", "RSA signing"]);
    assert_eq!(
        states(&place.json(&["keys", "rotate", "--kind", "ec"])),
        ["EC next", "EC signing", "RSA signing"]
    );
    assert_eq!(
        states(&place.json(&["keys", "rotate", "--kind", "ec"])).len(),
        3,
        "one successor at a time"
    );
    assert_eq!(
        states(&place.json(&["keys", "rotate", "--now", "--kind", "ec"])),
        ["EC retiring", "EC signing", "RSA signing"]
    );
    assert_eq!(
        states(&place.json(&["keys", "rotate", "--compromised"])),
        ["EC signing", "RSA signing"]
    );

    let new_key = place.folder.path().join("new.key");
    let new_key = new_key.to_str().unwrap();
    assert_eq!(
        place.json(&["keys", "master-key", new_key])["key_id"]
            .as_str()
            .unwrap()
            .len(),
        16
    );
    assert_refused(&place.run(&["keys", "master-key", new_key]), 1, "is left as it is");
    assert_refused(&place.run(&["keys", "rewrap", new_key]), 1, "a server is running");
    place.stop();

    assert_eq!(place.json(&["keys", "rewrap", new_key])["values"], 4);

    assert_refused(
        &place.run(&["serve", "--listen", "127.0.0.1:0"]),
        1,
        "is not the one that this store was sealed with",
    );
    place.start(&["--master-key-file", new_key]);
    assert!(get(place.url(), "/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_lost_master_key_is_not_replaced_by_a_new_one() {
    let mut place = Place::serving();
    place.stop();
    let path = place.data().join("master.key");
    fs::remove_file(&path).unwrap();
    assert_refused(&place.run(&["serve", "--listen", "127.0.0.1:0"]), 1, "does not exist");
    assert!(!path.exists());
    fs::write(&path, "portolan-master-key-v1 x").unwrap();
    assert_refused(&place.run(&["serve", "--listen", "127.0.0.1:0"]), 1, "chmod 600");
}

#[test]
fn a_backup_of_a_running_server_restores_its_state() {
    let mut place = Place::serving();
    let alice = parsed(&place.add_user("alice", &["--admin"]));
    let backup = place.folder.path().join("saved.db");
    let backup = backup.to_str().unwrap();

    assert!(place.json(&["backup", backup])["bytes"].as_u64().unwrap() > 10_000);
    assert_eq!(mode(Path::new(backup)), 0o600);
    assert_refused(&place.run(&["backup", backup]), 1, "exists; choose another name");
    parsed(&place.add_user("after", &[]));
    assert_refused(&place.run(&["restore", backup]), 1, "a server is running");
    place.stop();

    let restored = place.json(&["restore", backup]);

    let users = place.json(&["user", "list"]);
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    assert_eq!(users["users"][0]["id"], alice["id"]);
    assert!(
        Path::new(restored["previous"].as_str().unwrap()).is_file(),
        "the store that was there is kept"
    );
    place.start(&[]);
    assert!(get(place.url(), "/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let mut place = Place::serving();
    parsed(&place.add_user("alice", &[]));
    let backup = place.folder.path().join("saved.db");
    assert!(place.run(&["backup", backup.to_str().unwrap()]).status.success());
    place.stop();
    let mut bytes = fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    fs::write(&backup, &bytes).unwrap();
    let other = place.folder.path().join("other");
    fs::write(&other, "not a store").unwrap();

    for file in [&backup, &other] {
        assert_refused(
            &place.run(&["restore", file.to_str().unwrap()]),
            1,
            "cannot be restored",
        );
    }

    assert_eq!(place.json(&["user", "list"])["users"].as_array().unwrap().len(), 1);
    let left: Vec<_> = fs::read_dir(place.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("restoring") || name.contains("before"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let mut place = Place::serving();
    let findings = |place: &Place| -> (i32, Value) {
        let output = place.run(&["doctor", "--format", "json"]);
        (
            output.status.code().unwrap(),
            serde_json::from_slice(&output.stdout).unwrap(),
        )
    };
    let problems = |report: &Value| -> Vec<String> {
        let list = report["findings"].as_array().unwrap().iter();
        list.filter(|finding| finding["verdict"] == "problem")
            .map(|finding| {
                assert!(finding["remedy"].is_string(), "{finding}");
                finding["check"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    let (code, report) = findings(&place);
    assert_eq!((code, problems(&report)), (0, vec![]), "{report:#}");

    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.data().join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, report) = findings(&place);
    assert_eq!(
        (code, problems(&report)),
        (1, vec!["data folder".to_owned(), "master key".to_owned()])
    );
    fs::set_permissions(place.data().join("master.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();

    place.stop();
    let (code, report) = findings(&place);
    assert_eq!(
        (code, problems(&report)),
        (0, vec![]),
        "a server that does not run is only noted"
    );
    fs::remove_file(place.data().join("portolan.db")).unwrap();
    let (code, report) = findings(&place);
    assert_eq!((code, problems(&report)), (1, vec!["store".to_owned()]));
}

#[test]
fn a_half_sent_header_is_not_waited_for() {
    let mut place = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    let file = place.folder.path().join("portolan.toml");
    fs::write(&file, "[limits]\nheader_seconds = 1\n").unwrap();
    place.start(&["--config", file.to_str().unwrap()]);
    let address = place.url().strip_prefix("http://").unwrap().to_owned();
    for sent in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Half: "] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let started = Instant::now();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(
            started.elapsed() >= Duration::from_millis(900),
            "{sent:?}: closed at once"
        );
    }
}

#[test]
fn requests_are_logged_without_query_and_setup_links_without_their_secret() {
    let mut place = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    let log = place.folder.path().join("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let lines = lines(process.stdout.take().unwrap());
    let setup_link = lines.recv_timeout(PATIENCE).unwrap();
    let secret = setup_link.rsplit_once('/').unwrap().1.to_owned();
    let url = lines
        .recv_timeout(PATIENCE)
        .unwrap()
        .strip_prefix("portolan ready at ")
        .unwrap()
        .to_owned();
    place.server = Some(Server {
        process,
        url,
        setup_link: None,
    });

    get(place.url(), "/healthz?code=planted");
    get(place.url(), &format!("/p/setup/{secret}"));
    get(place.url(), &format!("/p/setup/{secret}/slip"));
    get(place.url(), &format!("/p/setup//{secret}"));
    place.stop();

    let log = fs::read_to_string(log).unwrap();
    let logged: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        logged
            .iter()
            .any(|line| line["path"] == "/healthz" && line["status"] == 200),
        "{log}"
    );
    assert!(!log.contains("planted") && !log.contains(&secret), "{log}");
}

#[test]
fn the_metrics_have_a_listener_of_their_own() {
    let mut place = Place {
        folder: tempfile::tempdir().unwrap(),
        server: None,
    };
    // Port 0 would only be known from the log, so a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    place.start(&["--metrics-listen", &format!("127.0.0.1:{port}")]);
    get(place.url(), "/healthz");

    let page = get(&format!("http://127.0.0.1:{port}"), "/metrics");

    assert!(
        page.contains("portolan_http_requests_total{route=\"/healthz\",status=\"2xx\"} 1"),
        "{page}"
    );
    assert!(
        get(place.url(), "/metrics").starts_with("HTTP/1.1 404"),
        "not on the public listener"
    );
}
