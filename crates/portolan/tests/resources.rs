//! What operators make, look at and take back from the command line, beside a server that
//! runs on the same store: on SQLite, and on PostgreSQL when `PORTOLAN_TEST_POSTGRES_URL`
//! names one.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use portolan_db::testing::TestDb;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded;

const PASSWORD: &str = "seven quiet lanterns drift north";
/// Far more than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pair of RFC 7636, appendix B. Nobody attacks this test.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// A built-in scope, by its id and by its name.
const GROUPS_VIEW: &str = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f";
const TRANSFER_ALL: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

/// A folder, a store, and a server on it.
struct Place {
    folder: TempDir,
    /// Of PostgreSQL; without one it is a SQLite file in the folder.
    database: Option<TestDb>,
    server: Option<Server>,
}

struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn on_each_engine(test: impl Fn(&Place)) {
    test(&Place::serving(None));
    if let Some(database) = TestDb::postgres(&[]) {
        test(&Place::serving(Some(database)));
    }
}

impl Place {
    /// A place whose server is running.
    fn serving(database: Option<TestDb>) -> Self {
        let mut place = Self {
            folder: tempfile::tempdir().unwrap(),
            database,
            server: None,
        };
        if place.database.is_some() {
            let key = place.master_key();
            place.json(&["keys", "master-key", key.to_str().unwrap()]);
        }
        place.start();
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn master_key(&self) -> PathBuf {
        match self.database {
            Some(_) => self.folder.path().join("master.key"),
            None => self.data().join("master.key"),
        }
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
        if let Some(database) = &self.database {
            command.arg("--database").arg(database.url());
            command.arg("--master-key-file").arg(self.master_key());
        }
        command
    }

    fn start(&mut self) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--log-level", "error"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let url = loop {
            let line = lines.recv_timeout(PATIENCE).expect("the server becomes ready");
            if let Some(url) = line.strip_prefix("portolan ready at ") {
                break url.to_owned();
            }
        };
        self.server = Some(Server { process, url });
    }

    fn url(&self) -> &str {
        &self.server.as_ref().unwrap().url
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command that must succeed prints for programs.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a command that must succeed prints for people.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn assert_refused(&self, arguments: &[&str], code: i32, words: &str) {
        let output = self.run(arguments);
        let errors = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{words:?} is missing in: {errors}");
    }

    fn add_user(&self, name: &str) -> String {
        let email = format!("{name}@example.org");
        let add = ["user", "add", name, "--name", name, "--email", &email];
        let mut command = self.command(&[&add[..], &["--password-stdin", "--format", "json"]].concat());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = format!("{PASSWORD}\n");
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        id(&serde_json::from_slice(&output.stdout).unwrap())
    }

    fn project(&self, name: &str, admin: &str) -> String {
        let create = ["project", "create", "--name", name, "--contact", "c@example.org"];
        let made = self.json(&[&create[..], &["--admin", admin]].concat());
        id(&made["project"])
    }

    fn client(&self, name: &str, client_type: &str, project: &str) -> String {
        let create = ["client", "create", "--name", name, "--type", client_type];
        let made = self.json(&[&create[..], &["--project", project]].concat());
        id(&made["client"])
    }

    fn secret(&self, client: &str) -> String {
        let made = self.json(&["client", "secret", "create", client, "--name", "test"]);
        text(&made["credential"]["secret"])
    }

    fn scope(&self, client: &str, suffix: &str, more: &[&str]) -> Value {
        let create = ["scope", "create", "--client", client, "--suffix", suffix];
        let words = ["--name", suffix, "--description", "What it allows"];
        self.json(&[&create[..], &words, more].concat())["scope"].take()
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let host = self.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn post(&self, path: &str, form: &[(&str, &str)], headers: &str) -> Answer {
        let body = encode(form);
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        self.send("POST", path, &headers, &body)
    }

    fn token(&self, form: &[(&str, &str)]) -> Value {
        let answer = self.post("/v2/oauth2/token", form, "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn is_active(&self, client: &(String, String), token: &str) -> bool {
        let form = [
            ("client_id", &*client.0),
            ("client_secret", &*client.1),
            ("token", token),
        ];
        let answer = self.post("/v2/oauth2/token/introspect", &form, "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn location(&self) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| name == "location");
        found.map(|(_, value)| value.as_str())
    }
}

/// As much of a browser as it takes to sign in and to allow.
struct Browser<'a> {
    place: &'a Place,
    cookies: HashMap<String, String>,
}

impl Browser<'_> {
    fn send(&mut self, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let headers = format!("Cookie: {}\r\n", pairs.join("; "));
        let answer = match form {
            Some(form) => self.place.post(path, form, &headers),
            None => self.place.send("GET", path, &headers, ""),
        };
        for (name, value) in &answer.headers {
            if let ("set-cookie", Some((name, rest))) = (name.as_str(), value.split_once('=')) {
                let value = rest.split(';').next().unwrap_or("");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Signs Alice in, allows all that is asked, and gives the token to the installed app.
    fn log_in(&mut self, app: &str, scope: &str) -> Value {
        let display_page = format!("{}/v2/web/auth-code", self.place.url());
        let query = encode(&[
            ("client_id", app),
            ("redirect_uri", &display_page),
            ("response_type", "code"),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let mut answer = self.send(&format!("/v2/oauth2/authorize?{query}"), None);
        let code = loop {
            match answer.location().map(str::to_owned) {
                Some(location) if location.starts_with(&display_page) => {
                    let url = url::Url::parse(&location).unwrap();
                    let code = url.query_pairs().find(|(name, _)| name == "code").unwrap().1;
                    break code.into_owned();
                }
                Some(location) => answer = self.send(&location, None),
                None => {
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    answer = self.fill_in(&answer.body);
                }
            }
        };
        self.place.token(&[
            ("grant_type", "authorization_code"),
            ("client_id", app),
            ("redirect_uri", &display_page),
            ("code_verifier", VERIFIER),
            ("code", &code),
        ])
    }

    /// Posts a form as it stands, with what a person adds.
    fn fill_in(&mut self, page: &str) -> Answer {
        let form = page.split_once("<form").expect("a page with a form").1;
        let form = form.split_once("</form>").expect("the form ends").0;
        let action = attribute(form, "action");
        let inputs = form
            .split("<input")
            .skip(1)
            .map(|input| input.split('>').next().unwrap());
        let mut fields: Vec<(&str, &str)> = inputs
            .filter(|input| input.contains("type=\"hidden\"") || input.contains("checked"))
            .map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect();
        if form.contains("name=\"password\"") {
            fields.extend([("username", "alice"), ("password", PASSWORD)]);
        } else {
            fields.push(("decision", "allow"));
        }
        self.send(action, Some(&fields))
    }
}

/// The value of the next attribute of that name. Ids and tokens have nothing to unescape.
fn attribute<'a>(html: &'a str, name: &str) -> &'a str {
    let after = html
        .split_once(&format!("{name}=\""))
        .expect("the attribute is there")
        .1;
    after.split('"').next().unwrap()
}

fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn id(document: &Value) -> String {
    text(&document["id"])
}

fn number(document: &Value) -> String {
    document["id"].as_i64().unwrap().to_string()
}

/// One member of each element.
fn each(list: &Value, member: &str) -> Vec<Value> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|element| element[member].clone()).collect()
}

#[test]
fn projects_have_admins_and_are_deleted_when_they_are_empty() {
    on_each_engine(|place| {
        place.add_user("alice");
        let bob = place.add_user("bob");
        let project = place.project("Beamline", "alice");

        place.json(&["project", "admin", "add", "Beamline", &bob]);
        let shown = place.json(&["project", "show", &project]);
        let admins = each(&shown["project"]["admins"]["identities"], "username");
        assert_eq!(admins, [json!("alice@portolan.local"), json!("bob@portolan.local")]);
        assert_eq!(
            shown["project"]["admins"]["identities"][0]["email"],
            "alice@example.org"
        );
        place.json(&["project", "admin", "remove", "Beamline", "alice@portolan.local"]);
        let listed = each(&place.json(&["project", "list"])["projects"], "display_name");
        assert!(listed.contains(&json!("Beamline")));
        assert_eq!(
            place.json(&["project", "show", "Beamline"])["project"]["admin_ids"],
            json!([bob])
        );

        place.assert_refused(
            &["project", "admin", "remove", "Beamline", "alice"],
            1,
            "alice@portolan.local is no admin of Beamline",
        );
        place.assert_refused(
            &["project", "admin", "remove", "Beamline", "bob"],
            1,
            "bob@portolan.local is the last admin of Beamline; name another one first",
        );
        place.assert_refused(&["project", "update", "Beamline"], 1, "give --name or --contact");
        place.assert_refused(
            &["project", "update", "Beamline", "--contact", "nobody"],
            1,
            "contact_email: must be an address",
        );
        let changed = place.json(&["project", "update", "Beamline", "--name", "Beamline 7"]);
        assert_eq!(changed["project"]["display_name"], "Beamline 7");
        assert_eq!(changed["project"]["contact_email"], "c@example.org");

        let client = place.client("Portal", "confidential_client", "Beamline 7");
        assert_eq!(place.json(&["project", "show", &project])["clients"], json!([client]));
        place.assert_refused(
            &["project", "delete", &project],
            1,
            &format!("portolan project show {project} names what it holds"),
        );
        place.json(&["client", "delete", &client]);
        assert_eq!(
            place.json(&["project", "delete", &project, "--yes"])["project"]["id"],
            json!(project)
        );
        place.assert_refused(
            &["project", "show", &project],
            1,
            "portolan project list shows them all",
        );
        let table = place.text(&["project", "list"]);
        assert!(table.contains("admins") && !table.contains("Beamline"), "{table}");
    });
}

#[test]
fn clients_of_every_type_are_made_and_changed() {
    on_each_engine(|place| {
        place.add_user("alice");
        let project = place.project("Beamline", "alice");
        for client_type in [
            "public_installed_client",
            "public_webapp_client",
            "confidential_client",
            "client_identity",
            "resource_server",
            "globus_connect_server",
            "hybrid_confidential_client_resource_server",
        ] {
            let client = place.client(client_type, client_type, "Beamline");
            let shown = place.json(&["client", "show", &client]);
            assert_eq!(shown["client"]["client_type"], client_type);
            assert_eq!(shown["client"]["project"], json!(project));
            if !client_type.starts_with("public_") {
                assert_eq!(place.secret(&client).len(), 44);
            }
        }
        let listed = place.json(&["client", "list", "--project", "Beamline"]);
        assert_eq!(listed["clients"].as_array().unwrap().len(), 7);
        let listed = place.json(&["client", "list", "--project", &project, "--type", "client_identity"]);
        assert_eq!(each(&listed["clients"], "name"), [json!("client_identity")]);

        let update = ["client", "update", "confidential_client", "--name", "Portal"];
        let more = [
            "--visibility",
            "public",
            "--redirect-uri",
            "https://portal.example.org/cb",
            "--terms",
            "https://example.org/t",
            "--privacy",
            "https://example.org/p",
            "--required-idp",
            "portolan.local",
        ];
        let portal = place.json(&[&update[..], &more].concat())["client"].take();
        assert_eq!(portal["name"], "Portal");
        assert_eq!(portal["visibility"], "public");
        assert_eq!(portal["redirect_uris"], json!(["https://portal.example.org/cb"]));
        assert_eq!(portal["links"]["privacy_policy"], "https://example.org/p");
        assert!(portal["required_idp"].is_string());
        let back = [
            "client",
            "update",
            "Portal",
            "--no-redirect-uris",
            "--no-links",
            "--required-idp",
            "none",
        ];
        let portal = place.json(&back)["client"].take();
        assert_eq!(portal["redirect_uris"], json!([]));
        assert_eq!(portal["links"]["privacy_policy"], Value::Null);
        assert_eq!(portal["required_idp"], Value::Null);
        place.assert_refused(
            &["client", "update", "Portal", "--terms", "https://example.org/t"],
            1,
            "give both terms_and_conditions and privacy_policy",
        );
        place.assert_refused(
            &[
                "client",
                "update",
                "Portal",
                "--redirect-uri",
                "http://portal.example.org/",
            ],
            1,
            "uses plain http; only loopback addresses may",
        );
        place.assert_refused(&["client", "update", "Portal"], 1, "nothing to change");

        // Two services of one name in token answers could not be told apart.
        let named = [
            "client",
            "create",
            "--type",
            "resource_server",
            "--resource-server-name",
        ];
        place.json(&[&named[..], &["svc.example.org", "--name", "First"]].concat());
        place.assert_refused(
            &[&named[..], &["svc.example.org", "--name", "Second"]].concat(),
            1,
            "svc.example.org is the name of another client",
        );
        place.json(&["client", "create", "--name", "First", "--type", "client_identity"]);
        place.assert_refused(&["client", "show", "First"], 1, "more than one client is named First");
    });
}

#[test]
fn parents_and_children_are_shown_with_each_other() {
    on_each_engine(|place| {
        place.add_user("alice");
        place.project("Beamline", "alice");
        let parent = place.client("Parent", "confidential_client", "Beamline");
        let basic = base64(&format!("{parent}:{}", place.secret(&parent)));
        let headers = format!("Authorization: Basic {basic}\r\nContent-Type: application/json\r\n");
        let body = json!({ "client": { "name": "Child", "client_type": "client_identity" } }).to_string();
        let made = place.send("POST", "/v2/api/clients", &headers, &body);
        assert_eq!(made.status, 201, "{}", made.body);
        let child = id(&made.json()["client"]);

        let shown = place.json(&["client", "show", "Parent"]);
        assert_eq!(shown["children"], json!([child]));
        let table = place.text(&["client", "list", "--project", "Beamline"]);
        assert!(table.contains("child of"), "{table}");
        let table = place.text(&["client", "show", "Child"]);
        assert!(table.contains(&format!("Parent ({parent})")), "{table}");
        let listed = place.json(&["client", "list", "--parent", "Parent"]);
        assert_eq!(each(&listed["clients"], "id"), [json!(child)]);

        place.json(&["client", "delete", &parent]);

        let shown = place.json(&["client", "show", &child]);
        assert_eq!(shown["client"]["parent_client"], Value::Null);
    });
}

#[test]
fn scopes_name_what_they_depend_on_by_id_or_by_string() {
    on_each_engine(|place| {
        place.add_user("alice");
        place.project("Beamline", "alice");
        let service = place.client("Cluster", "resource_server", "Beamline");
        // A name that ends in one of the words that may stand behind it.
        let tricky = place.scope("Cluster", "refresh", &["--advertised"]);
        assert_eq!(tricky["advertised"], true);
        assert_eq!(tricky["allows_refresh_token"], true);
        let tricky_string = text(&tricky["scope_string"]);
        assert!(
            tricky_string.ends_with(&format!("/{service}/refresh")),
            "{tricky_string}"
        );

        let more = [
            "--allows-refresh=no",
            "--required-domain",
            "portolan.local",
            "--depends-on",
            &format!("{TRANSFER_ALL}:refresh:optional"),
            "--depends-on",
            GROUPS_VIEW,
            "--depends-on",
            &tricky_string,
        ];
        let scope = place.scope(&service, "run", &more);
        assert_eq!(scope["advertised"], false);
        assert_eq!(scope["allows_refresh_token"], false);
        assert_eq!(scope["required_domains"], json!(["portolan.local"]));
        let transfer = id(&place.json(&["scope", "show", TRANSFER_ALL])["scope"]);
        let find = |scope: &Value, wanted: &str| {
            let found = scope["dependent_scopes"].as_array().unwrap().iter();
            found
                .clone()
                .find(|one| one["scope"] == json!(wanted))
                .cloned()
                .unwrap()
        };
        assert_eq!(
            find(&scope, &transfer),
            json!({"scope": transfer, "optional": true, "requires_refresh_token": true})
        );
        for plain in [GROUPS_VIEW, &id(&tricky)] {
            assert_eq!(
                find(&scope, plain),
                json!({"scope": plain, "optional": false, "requires_refresh_token": false})
            );
        }
        let string = text(&scope["scope_string"]);
        let shown = place.json(&["scope", "show", &string]);
        assert_eq!(shown["scope"], scope);
        assert_eq!(shown["scope_strings"], json!([string]));
        let table = place.text(&["scope", "show", &string]);
        assert!(
            table.contains(&format!("{TRANSFER_ALL} (optional, with refresh token)")),
            "{table}"
        );
        let listed = place.json(&["scope", "list", "--client", "Cluster"]);
        assert_eq!(listed, place.json(&["scope", "list", "--project", "Beamline"]));
        assert_eq!(listed["scopes"].as_array().unwrap().len(), 2);
        assert!(place.json(&["scope", "list"])["scopes"].as_array().unwrap().len() > 10);

        let changed = place.json(&[
            "scope",
            "update",
            &string,
            "--advertised",
            "--any-domain",
            "--suffix",
            "jobs",
        ]);
        let changed = &changed["scope"];
        assert_eq!(
            (&changed["advertised"], &changed["required_domains"]),
            (&json!(true), &json!([]))
        );
        assert_eq!(changed["dependent_scopes"], scope["dependent_scopes"]);
        let string = text(&changed["scope_string"]);
        assert!(string.ends_with("/jobs"));
        place.assert_refused(
            &["scope", "update", &tricky_string, "--depends-on", &string],
            1,
            "dependent_scopes: they lead back to this scope",
        );
        place.assert_refused(
            &["scope", "update", &string, "--depends-on", "urn:unknown:optional"],
            1,
            "--depends-on: there is no scope urn:unknown;",
        );
        place.assert_refused(
            &["scope", "update", &string, "--suffix", "Not This"],
            1,
            "scope_suffix: only lower-case letters",
        );
        place.assert_refused(&["scope", "update", &string], 1, "nothing to change");
        let emptied = place.json(&["scope", "update", &string, "--depends-on-nothing"]);
        assert_eq!(emptied["scope"]["dependent_scopes"], json!([]));

        place.json(&["scope", "delete", &string]);
        place.assert_refused(&["scope", "show", &string], 1, "portolan scope list shows them all");
    });
}

#[test]
fn policies_are_made_changed_and_deleted() {
    on_each_engine(|place| {
        place.add_user("alice");
        let project = place.project("Beamline", "alice");
        let other = place.project("Other", "alice");
        let create = [
            "policy",
            "create",
            "--project",
            "Beamline",
            "--name",
            "Fresh",
            "--description",
            "Lately",
            "--high-assurance",
            "--timeout",
            "30m",
            "--include-domain",
            "Example.EDU",
        ];
        let policy = place.json(&create)["policy"].take();
        assert_eq!(policy["authentication_assurance_timeout"], 1800);
        assert_eq!(policy["domain_constraints_include"], json!(["example.edu"]));
        assert_eq!(policy["project_id"], json!(project));
        assert_eq!(place.json(&["policy", "show", "Fresh"])["policy"], policy);
        assert_eq!(
            place.json(&["project", "show", "Beamline"])["policies"],
            json!([id(&policy)])
        );

        let update = [
            "policy",
            "update",
            "Fresh",
            "--timeout",
            "none",
            "--required-mfa",
            "--any-domain",
            "--exclude-domain",
            "evil.example",
            "--project",
            &other,
        ];
        let changed = place.json(&update)["policy"].take();
        assert_eq!(changed["authentication_assurance_timeout"], Value::Null);
        assert_eq!(changed["required_mfa"], true);
        assert_eq!(changed["domain_constraints_include"], Value::Null);
        assert_eq!(changed["domain_constraints_exclude"], json!(["evil.example"]));
        assert_eq!(changed["project_id"], json!(other));
        assert_eq!(
            place.json(&["policy", "list", "--project", "Beamline"])["policies"],
            json!([])
        );
        assert_eq!(
            each(&place.json(&["policy", "list"])["policies"], "display_name"),
            [json!("Fresh")],
            "the policies of the session gate are not listed"
        );
        let lax = ["policy", "create", "--project", "Other", "--name", "Lax"];
        place.assert_refused(
            &[&lax[..], &["--description", "d", "--required-mfa"]].concat(),
            1,
            "required_mfa: only a policy with high_assurance",
        );
        place.assert_refused(&["policy", "update", "Fresh", "--timeout", "soon"], 2, "30m or none");
        place.assert_refused(&["policy", "update", "Fresh"], 1, "nothing to change");

        place.json(&["policy", "delete", "Fresh"]);
        place.assert_refused(&["policy", "show", "Fresh"], 1, "portolan policy list shows them all");
    });
}

/// Three services in a project: runs jobs, keeps files, and finds them.
struct Chain {
    app: String,
    run: String,
    cluster: (String, String),
    archive: (String, String),
    index: (String, String),
}

fn chain(place: &Place) -> Chain {
    place.add_user("alice");
    place.project("Beamline", "alice");
    let service = |name: &str| {
        let client = place.client(name, "resource_server", "Beamline");
        let secret = place.secret(&client);
        (client, secret)
    };
    let (cluster, archive, index) = (service("Cluster"), service("Archive"), service("Index"));
    let keep = text(&place.scope("Archive", "keep", &[])["scope_string"]);
    let find = text(&place.scope("Index", "find", &[])["scope_string"]);
    let optional = format!("{find}:optional");
    let run = place.scope("Cluster", "run", &["--depends-on", &keep, "--depends-on", &optional]);
    Chain {
        app: place.client("Laptop tool", "public_installed_client", "Beamline"),
        run: text(&run["scope_string"]),
        cluster,
        archive,
        index,
    }
}

#[test]
fn a_person_s_consents_are_seen_as_a_tree_and_a_branch_is_taken_back() {
    on_each_engine(|place| {
        let chain = chain(place);
        let mut browser = Browser {
            place,
            cookies: HashMap::new(),
        };
        let token = text(&browser.log_in(&chain.app, &chain.run)["access_token"]);
        let dependent = place.token(&[
            ("grant_type", "urn:globus:auth:grant_type:dependent_token"),
            ("client_id", &chain.cluster.0),
            ("client_secret", &chain.cluster.1),
            ("token", &token),
        ]);
        let of = |service: &(String, String)| {
            let found = dependent.as_array().unwrap().iter();
            let found = found.clone().find(|one| one["resource_server"] == json!(service.0));
            text(&found.unwrap()["access_token"])
        };
        let (keep, find) = (of(&chain.archive), of(&chain.index));
        let active = || {
            [
                place.is_active(&chain.cluster, &token),
                place.is_active(&chain.archive, &keep),
                place.is_active(&chain.index, &find),
            ]
        };
        assert_eq!(active(), [true, true, true]);

        let listed = place.json(&["consent", "list", "alice"])["consents"].take();
        let consent = |suffix: &str| {
            let found = listed.as_array().unwrap().iter();
            let is_it = |one: &&Value| text(&one["scope_name"]).ends_with(suffix);
            found.clone().find(is_it).cloned().unwrap()
        };
        let (run, keeping, finding) = (consent("/run"), consent("/keep"), consent("/find"));
        assert_eq!(listed.as_array().unwrap().len(), 3);
        assert_eq!(finding["dependency_path"], json!([run["id"], finding["id"]]));
        let tree = place.text(&["consent", "list", "alice", "--client", "Laptop tool"]);
        let numbers = [&run, &finding, &keeping].map(number);
        let lines: Vec<&str> = tree.lines().filter(|line| line.contains(": consent ")).collect();
        assert_eq!(
            lines,
            [
                format!("└─ run at Cluster: consent {}", numbers[0]),
                format!("   ├─ find at Index: consent {}", numbers[1]),
                format!("   └─ keep at Archive: consent {}", numbers[2]),
            ],
            "{tree}"
        );
        assert!(tree.contains("can go alone"), "{tree}");

        let shown = place.json(&["consent", "show", &numbers[1]]);
        assert_eq!(shown["consent"], finding);
        assert_eq!(
            (&shown["cut"], each(&shown["ends"], "id")),
            (&finding["id"], vec![finding["id"].clone()])
        );
        let words = place.text(&["consent", "show", &numbers[1]]);
        assert!(
            words.contains("run > find") && words.contains("the rest of the tree stays"),
            "{words}"
        );
        let shown = place.json(&["consent", "show", &numbers[2]]);
        assert_eq!(shown["cut"], run["id"], "a part that is needed takes its tree with it");
        assert_eq!(shown["ends"].as_array().unwrap().len(), 3);
        let words = place.text(&["consent", "show", &numbers[2]]);
        assert!(words.contains("all of the tree, since keep cannot go alone"), "{words}");
        assert_eq!(active(), [true, true, true], "looking ends nothing");

        let ended = place.text(&["consent", "revoke", &numbers[1]]);
        assert!(ended.contains("find alone, with what lies below it"), "{ended}");
        assert!(ended.contains("may ask alice@portolan.local again"), "{ended}");
        assert_eq!(active(), [true, true, false]);
        let left = place.json(&["consent", "list", "alice"]);
        assert_eq!(left["consents"].as_array().unwrap().len(), 2);
        place.assert_refused(
            &["consent", "revoke", &numbers[1]],
            1,
            &format!("there is no consent {}", numbers[1]),
        );

        place.json(&["consent", "revoke", &numbers[2], "--yes"]);
        assert_eq!(active(), [false, false, false]);
        assert!(
            place
                .text(&["consent", "list", "alice"])
                .contains("has allowed nothing")
        );

        let trail = place.json(&["audit", "--action", "consent"])["events"].take();
        assert_eq!(
            each(&trail, "action"),
            ["consent.revoke", "consent.revoke", "consent.approve"].map(|action| json!(action))
        );
        assert_eq!(
            trail[0]["actor"],
            json!({"kind": "operator", "id": null, "name": "operator on this machine"})
        );
        assert_eq!(trail[0]["resource"], json!({"kind": "consent", "id": numbers[2]}));
        assert_eq!(trail[0]["detail"]["cut"], run["id"]);
        let mut both = vec![run["id"].clone(), keeping["id"].clone()];
        both.sort_by_key(Value::as_i64);
        assert_eq!(trail[0]["detail"]["ended"], json!(both));
        assert_eq!(trail[2]["actor"]["name"], "alice@portolan.local");
        assert_eq!(trail[2]["address"], "127.0.0.1");
    });
}

#[test]
fn a_service_account_has_consents_of_its_own() {
    on_each_engine(|place| {
        let chain = chain(place);
        let account = place.client("Robot", "client_identity", "Beamline");
        let secret = place.secret(&account);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*account),
            ("client_secret", &secret),
            ("scope", &chain.run),
        ];
        let token = text(&place.token(&form)["access_token"]);
        assert!(place.is_active(&chain.cluster, &token));

        let consents = place.json(&["consent", "list", &account])["consents"].take();
        let root = consents
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["client"] == json!(account));
        let root = number(root.unwrap());
        assert_eq!(
            each(&consents, "auto_approved"),
            [json!(true), json!(true), json!(true)]
        );
        assert_eq!(place.json(&["consent", "list", "Robot"])["consents"], consents);
        let ended = place.text(&["consent", "revoke", &root]);

        assert!(!place.is_active(&chain.cluster, &token));
        assert!(ended.contains("Robot is a service account"), "{ended}");
        place.assert_refused(&["consent", "list", "Nobody"], 1, "there is no identity Nobody");
        // Rights are not given by a name that anybody may choose.
        place.assert_refused(
            &["project", "admin", "add", "Beamline", "Robot"],
            1,
            "there is no identity Robot",
        );
        place.json(&["project", "admin", "add", "Beamline", &account]);
    });
}

#[test]
fn deleting_what_tokens_rest_on_ends_them_and_deleting_a_secret_does_not() {
    on_each_engine(|place| {
        let chain = chain(place);
        let account = place.client("Robot", "client_identity", "Beamline");
        let secret = place.secret(&account);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*account),
            ("client_secret", &secret),
            ("scope", &chain.run),
        ];
        let token = text(&place.token(&form)["access_token"]);

        let credential = id(&place.json(&["client", "secret", "list", "Robot"])["credentials"][0]);
        place.json(&["client", "secret", "delete", "Robot", &credential]);
        assert_eq!(place.post("/v2/oauth2/token", &form, "").status, 401);
        assert!(place.is_active(&chain.cluster, &token), "it lives on");

        place.json(&["scope", "delete", &chain.run]);
        assert!(!place.is_active(&chain.cluster, &token));
    });
}

#[test]
fn the_audit_trail_is_read_by_who_what_when_and_where() {
    on_each_engine(|place| {
        let alice = place.add_user("alice");
        let project = place.project("Beamline", "alice");
        let client = place.client("Robot", "client_identity", "Beamline");
        let secret = place.secret(&client);
        place.json(&["client", "update", "Robot", "--name", "Robot 2"]);
        // What a program does over the network stands beside it.
        let basic = base64(&format!("{client}:{secret}"));
        let headers = format!("Authorization: Basic {basic}\r\nContent-Type: application/json\r\n");
        let body = json!({ "client": { "name": "Robot 3" } }).to_string();
        let answer = place.send("PUT", &format!("/v2/api/clients/{client}"), &headers, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let request = answer.headers.iter().find(|(name, _)| name == "x-request-id");
        let request = request.unwrap().1.clone();

        let actions = |arguments: &[&str]| -> Vec<String> {
            let found = place.json(&[&["audit"], arguments].concat());
            each(&found["events"], "action").iter().map(text).collect()
        };
        let everything = actions(&[]);
        assert_eq!(
            everything[..5],
            [
                "client.update",
                "client.update",
                "client.create_credential",
                "client.create",
                "project.create"
            ]
        );
        assert_eq!(actions(&["--limit", "2"]), everything[..2]);
        assert_eq!(actions(&["--actor", &client]), ["client.update"]);
        assert_eq!(actions(&["--actor", "Robot 3"]), ["client.update"]);
        assert_eq!(
            actions(&["--actor", "operator", "--action", "client.update"]),
            ["client.update"]
        );
        assert!(
            actions(&["--actor", "alice"]).is_empty(),
            "she has done nothing herself"
        );
        assert_eq!(actions(&["--action", "client"]), everything[..4]);
        assert_eq!(actions(&["--kind", "project"]), ["project.create"]);
        assert_eq!(
            actions(&["--kind", "client", "--id", &client.to_uppercase()]),
            everything[..4]
        );
        assert_eq!(actions(&["--id", &project]), ["project.create"]);
        assert_eq!(actions(&["--kind", "identity", "--id", &alice]), ["identity.create"]);
        assert_eq!(actions(&["--request", &request]), ["client.update"]);
        assert_eq!(actions(&["--address", "127.0.0.1"]), ["client.update"]);
        assert_eq!(actions(&["--since", "1h"]), everything);
        assert!(actions(&["--until", "1h"]).is_empty());
        let first = place.json(&["audit", "--action", "project.create", "--limit", "1"]);
        let made_at = text(&first["events"][0]["happened_at"]);
        let since = actions(&["--since", &made_at]);
        assert_eq!(since, everything[..5], "the moment itself counts");
        assert_eq!(actions(&["--until", &made_at]), everything[5..]);

        let table = place.text(&["audit", "--limit", "3"]);
        assert!(table.contains("operator on this machine"), "{table}");
        assert!(table.contains(&format!("request {request}")), "{table}");
        assert!(table.contains("There is more"), "{table}");
        assert!(!place.text(&["audit"]).contains(&secret));
        assert!(
            place
                .text(&["audit", "--actor", "system", "--kind", "nothing"])
                .contains("Nothing in the trail")
        );
        place.assert_refused(&["audit", "--actor", "nobody"], 1, "there is no identity nobody");
        place.assert_refused(&["audit", "--since", "yesterday"], 2, "two hours ago");
        place.assert_refused(&["audit", "--since", "1h", "--until", "2h"], 1, "earlier than --until");
    });
}

#[test]
fn identity_providers_come_and_go() {
    on_each_engine(|place| {
        let secret = place.folder.path().join("orcid.secret");
        std::fs::write(&secret, "very secret at the provider\nsecond line\n").unwrap();
        let secret = secret.to_str().unwrap();
        let orcid = place.json(&[
            "idp",
            "add",
            "--preset",
            "orcid",
            "--client-id",
            "APP-1",
            "--client-secret-file",
            secret,
        ]);
        assert_eq!(orcid["identity_provider"]["short_name"], "orcid");
        assert_eq!(orcid["identity_provider"]["domains"], json!(["orcid.org"]));
        assert_eq!(orcid["settings"]["issuer"], "https://orcid.org");
        assert_eq!(orcid["settings"]["has_client_secret"], true);
        assert!(!orcid.to_string().contains("very secret"), "the secret is not told");
        let add = [
            "idp",
            "add",
            "--client-id",
            "portolan",
            "--name",
            "Laboratory",
            "--short-name",
            "lab",
        ];
        let lab = [
            &add[..],
            &["--issuer", "https://login.lab.example", "--domain", "Lab.example"],
        ]
        .concat();
        let lab = [
            &lab[..],
            &["--domain", "b.lab.example", "--username-claim", "uid", "--trust-mfa"],
        ]
        .concat();
        let made = place.json(&lab);
        assert_eq!(
            made["identity_provider"]["domains"],
            json!(["b.lab.example", "lab.example"])
        );
        let settings = &made["settings"]["configuration"];
        assert_eq!(settings["claims"]["username"], json!(["uid"]));
        assert_eq!(
            (&settings["trust_mfa"], &settings["default_domain"]),
            (&json!(true), &json!("lab.example"))
        );

        place.assert_refused(&lab, 1, "short name lab");
        let other = |more: &[&'static str]| -> Vec<&'static str> {
            let base = ["idp", "add", "--client-id", "c", "--name", "N", "--short-name", "n"];
            [&base[..], more].concat()
        };
        let issuer = ["--issuer", "https://n.example"];
        place.assert_refused(&other(&[]), 1, "name at least one");
        place.assert_refused(&other(&["--domain", "n.example"]), 1, "issuer: is missing");
        place.assert_refused(
            &other(&[&issuer[..], &["--domain", "lab.example"]].concat()),
            1,
            "belongs to Laboratory",
        );
        place.assert_refused(
            &other(&[&issuer[..], &["--domain", "portolan.local"]].concat()),
            1,
            "this server's own",
        );
        place.assert_refused(
            &other(&["--issuer", "http://n.example", "--domain", "n.example"]),
            1,
            "outgoing_allow",
        );
        place.assert_refused(
            &other(&["--issuer", "https://10.0.0.1", "--domain", "n.example"]),
            1,
            "outgoing_allow",
        );
        let state = other(&[&issuer[..], &["--domain", "n.example", "--parameter", "state=x"]].concat());
        place.assert_refused(&state, 1, "this server sets itself");
        place.assert_refused(&other(&["--client-secret-file", "/nowhere"]), 1, "/nowhere");
        place.assert_refused(&other(&["--preset", "facebook"]), 2, "orcid");
        place.assert_refused(&other(&["--tenant", "t"]), 1, "is for the preset microsoft");
        let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
        let microsoft = [
            "--preset",
            "microsoft",
            "--tenant",
            tenant,
            "--domain",
            "contoso.example",
        ];
        let microsoft = place.json(&other(&microsoft));
        assert_eq!(
            microsoft["settings"]["issuer"],
            format!("https://login.microsoftonline.com/{tenant}/v2.0")
        );
        assert_eq!(microsoft["settings"]["configuration"]["required_claims"]["tid"], tenant);

        let updated = place.json(&[
            "idp",
            "update",
            "lab",
            "--name",
            "Lab",
            "--trust-mfa=no",
            "--domain",
            "lab.example",
        ]);
        assert_eq!(updated["identity_provider"]["name"], "Lab");
        assert_eq!(updated["identity_provider"]["domains"], json!(["lab.example"]));
        assert_eq!(updated["settings"]["configuration"]["trust_mfa"], false);
        assert_eq!(
            updated["settings"]["configuration"]["claims"]["username"],
            json!(["uid"])
        );
        place.assert_refused(
            &["idp", "update", "lab", "--short-name", "orcid"],
            1,
            "short name orcid",
        );
        assert_eq!(place.json(&["idp", "disable", "lab"])["settings"]["enabled"], false);
        assert_eq!(
            place.json(&["idp", "enable", "lab.example"])["settings"]["enabled"],
            true
        );
        let cleared = place.json(&["idp", "update", "orcid", "--no-client-secret"]);
        assert_eq!(cleared["settings"]["has_client_secret"], false);
        for command in ["disable", "delete", "update"] {
            place.assert_refused(&["idp", command, "portolan.local"], 1, "built in");
        }
        place.json(&["idp", "delete", "lab"]);
        place.assert_refused(&["idp", "show", "lab"], 1, "there is no identity provider lab");
        let trail = place.text(&["audit", "--kind", "identity_provider"]);
        for action in ["create", "update", "enable", "disable", "delete"] {
            assert!(trail.contains(&format!("identity_provider.{action}")), "{trail}");
        }
    });
}

#[test]
fn identity_providers_are_listed() {
    on_each_engine(|place| {
        let listed = place.json(&["idp", "list"])["identity_providers"].take();
        let found = listed.as_array().unwrap().iter();
        let clients = found
            .clone()
            .find(|one| one["domains"] == json!(["clients.auth.globus.org"]));
        let clients = clients.unwrap();
        for name in [&id(clients), &text(&clients["short_name"]), "clients.auth.globus.org"] {
            assert_eq!(place.json(&["idp", "show", name])["identity_provider"], *clients);
        }
        place.assert_refused(
            &["idp", "show", "nowhere.example"],
            1,
            "portolan idp list shows them all",
        );
    });
}

#[test]
fn a_name_that_several_have_is_not_guessed_at() {
    on_each_engine(|place| {
        place.add_user("alice");
        let first = place.project("Twin", "alice");
        let second = place.project("Twin", "alice");
        let output = place.run(&["project", "show", "Twin"]);
        let errors = stderr(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(errors.contains(&first) && errors.contains(&second), "{errors}");
        place.json(&["project", "show", &first]);
        place.assert_refused(
            &[
                "project",
                "create",
                "--name",
                "x",
                "--contact",
                "x@example.org",
                "--admin",
                "nobody",
            ],
            1,
            "there is no identity nobody; portolan user list shows them all",
        );
        place.assert_refused(
            &["project", "create", "--name", "x", "--contact", "x@example.org"],
            2,
            "--admin",
        );
        place.assert_refused(&["consent", "show", "1"], 1, "portolan consent list USERNAME");
    });
}

/// The commands work on the store alone: neither a session nor a key is asked for, and a
/// server that runs notices nothing.
#[test]
fn commands_need_no_key_and_no_server() {
    let mut place = Place::serving(None);
    place.server = None;
    std::fs::remove_file(place.master_key()).unwrap();

    place.add_user("alice");
    place.project("Beamline", "alice");
    let client = place.client("Cluster", "resource_server", "Beamline");
    let scope = place.scope(&client, "run", &[]);

    assert_eq!(
        text(&scope["scope_string"]),
        format!("https://auth.globus.org/scopes/{client}/run")
    );
}

#[test]
fn every_command_teaches_with_its_help() {
    let place = Place {
        folder: tempfile::tempdir().unwrap(),
        database: None,
        server: None,
    };
    for command in [
        &["project", "create"][..],
        &["project", "update"],
        &["project", "admin", "add"],
        &["client", "create"],
        &["client", "update"],
        &["client", "secret", "create"],
        &["scope", "create"],
        &["scope", "update"],
        &["policy", "create"],
        &["policy", "update"],
        &["consent", "list"],
        &["consent", "revoke"],
        &["audit"],
        &["idp", "add"],
        &["idp", "show"],
        &["idp", "update"],
    ] {
        let help = place.text(&[command, &["--help"]].concat());
        let example = format!("  portolan {}", command.join(" "));
        assert!(help.contains("Example") && help.contains(&example), "{help}");
    }
}

/// RFC 4648 section 4.
fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(group.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            let letter = LETTERS[bits >> (18 - 6 * at) & 63];
            encoded.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}

#[test]
fn sessions_are_listed_and_ended_with_what_apps_got() {
    on_each_engine(|place| {
        let chain = chain(place);
        let mut browser = Browser {
            place,
            cookies: HashMap::new(),
        };
        let token = text(&browser.log_in(&chain.app, &chain.run)["access_token"]);
        assert!(place.is_active(&chain.cluster, &token));
        let sessions = place.json(&["session", "list", "--user", "alice"])["sessions"].take();
        let session = &sessions[0];
        assert_eq!(
            (sessions.as_array().unwrap().len(), &session["signed_in"]),
            (1, &json!(true))
        );
        assert_eq!(session["apps"], json!(["Laptop tool"]));
        assert!(
            place
                .text(&["session", "list", "--user", "alice"])
                .contains("Laptop tool")
        );
        place.assert_refused(
            &[
                "session",
                "end",
                "--user",
                "alice",
                "00000000-0000-4000-8000-000000000000",
            ],
            1,
            "alice@portolan.local has no session",
        );
        assert!(place.is_active(&chain.cluster, &token));

        let ended = place.json(&["session", "end", "--user", "alice", &text(&session["id"])]);

        assert_eq!(ended["ended"], json!([session["id"]]));
        assert!(!place.is_active(&chain.cluster, &token));
        let nowhere = place.text(&["session", "list", "--user", "alice"]);
        assert!(
            nowhere.contains("alice@portolan.local is signed in nowhere"),
            "{nowhere}"
        );
        let none = place.text(&["session", "end", "--user", "alice"]);
        assert!(none.contains("Ended no sessions"), "{none}");
    });
}

#[test]
fn the_contacts_of_projects_are_written_to() {
    on_each_engine(|place| {
        place.add_user("alice");
        place.project("Beamline", "alice");
        let letter = place.folder.path().join("letter.txt");
        std::fs::write(&letter, "The address changes on Friday.\n").unwrap();
        let notify = |more: &[&str]| {
            let letter = letter.to_str().unwrap();
            let fixed = [
                "project",
                "notify",
                "--subject",
                "News",
                "--message-file",
                letter,
                "--format",
                "json",
            ];
            place.command(&[&fixed[..], more].concat())
        };
        let refused = notify(&["Beamline"]).output().unwrap();
        assert!(
            stderr(&refused).contains("set smtp_url and mail_from"),
            "{}",
            stderr(&refused)
        );
        for whom in [&["Beamline"][..], &["--all"]] {
            let mut command = notify(whom);
            command.env("PORTOLAN_SMTP_URL", "smtp://127.0.0.1:9?tls=none");
            command.env("PORTOLAN_MAIL_FROM", "portolan@example.org");
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(told["recipients"], json!(["c@example.org"]));
        }
    });
}

#[test]
fn a_client_says_where_people_go_after_a_logout() {
    on_each_engine(|place| {
        place.add_user("alice");
        let project = place.project("Beamline", "alice");
        let client = place.client("Portal", "confidential_client", &project);
        let changed = place.json(&[
            "client",
            "update",
            &client,
            "--post-logout-redirect-uri",
            "https://portal.example.org/bye",
            "--backchannel-logout-uri",
            "https://portal.example.org/logout",
        ]);
        assert_eq!(
            changed["client"]["post_logout_redirect_uris"],
            json!(["https://portal.example.org/bye"])
        );
        assert_eq!(changed["client"]["backchannel_logout_session_required"], json!(false));
        let cleared = place.json(&[
            "client",
            "update",
            &client,
            "--no-post-logout-redirect-uris",
            "--backchannel-logout-uri",
            "none",
        ]);
        assert!(cleared["client"].get("backchannel_logout_uri").is_none());
    });
}

#[test]
fn a_client_is_switched_off_and_on_beside_the_server() {
    on_each_engine(|place| {
        place.add_user("alice");
        let project = place.project("Beamline", "alice");
        let id = place.client("Robot", "client_identity", &project);
        let client = (id.clone(), place.secret(&id));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*client.0),
            ("client_secret", &*client.1),
            ("scope", "openid"),
        ];
        let token = text(&place.token(&form)["access_token"]);
        assert!(place.is_active(&client, &token));

        let off = place.json(&["client", "disable", &id, "--yes"]);
        assert_eq!(off["enabled"], json!(false));
        let answer = place.post("/v2/oauth2/token", &form, "");
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(place.text(&["client", "show", &id]).contains("disabled"));

        place.json(&["client", "enable", &id]);
        assert!(!place.is_active(&client, &token), "what ended stays ended");
        let token = text(&place.token(&form)["access_token"]);
        assert!(place.is_active(&client, &token));
        let trail = place.text(&["audit", "--kind", "client", "--id", &id]);
        assert!(
            trail.contains("client.disable") && trail.contains("client.enable"),
            "{trail}"
        );
        place.assert_refused(&["user", "send-reset", "alice"], 1, "sends no mail");
    });
}
