//! `portolan apply`, beside a server that runs on the same store: on SQLite, and on
//! PostgreSQL when `PORTOLAN_TEST_POSTGRES_URL` names one.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use support::{Connection, PASSWORD, PATIENCE, Place, Server};

const SAMPLE: &str = include_str!("../../../docs/apply.sample.toml");

/// A project with a portal and a service.
const SMALL: &str = r#"
[project.Beamline]
contact = "beamline@example.org"
admins = ["alice"]

[project.Beamline.client.Portal]
type = "confidential_client"
redirect_uris = ["https://portal.example.org/callback"]
secret.deploy.secret_file = "portal.secret"

[project.Beamline.client.Archive]
type = "resource_server"

[project.Beamline.client.Archive.scope.store]
name = "Store files"
description = "Put files into your folder."

[project.Beamline.policy.Campus]
description = "Only people of the campus"
include_domains = ["example.edu"]
"#;

/// A place with a server and Alice.
struct Served {
    place: Place,
    server: Server,
}

fn on_each_engine(test: impl Fn(&Served)) {
    let serve = |place: Place| {
        let server = place.start();
        let add = [
            "user",
            "add",
            "alice",
            "--name",
            "Alice",
            "--email",
            "alice@example.org",
        ];
        place.run(&[&add[..], &["--admin", "--password-stdin"]].concat(), PASSWORD);
        Served { place, server }
    };
    test(&serve(Place::on_sqlite()));
    if let Some(place) = Place::on_postgres() {
        test(&serve(place));
    }
}

impl Served {
    fn path(&self, name: &str) -> PathBuf {
        self.place.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, text: &str, more: &[&str]) -> Output {
        let file = self.write("set-up.toml", text);
        let arguments = [&["apply", "-f", &file], more].concat();
        self.place.command(&arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a run that must end with this code tells programs.
    fn apply_with(&self, text: &str, more: &[&str], code: i32) -> Value {
        let output = self.command(text, &[more, &["--format", "json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn apply(&self, text: &str) -> Value {
        self.apply_with(text, &[], 0)
    }

    /// Every line that a run says which must be refused.
    fn refused(&self, text: &str, more: &[&str]) -> Vec<String> {
        let before = self.everything();
        let output = self.command(text, more);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(self.everything(), before, "something changed");
        let errors = String::from_utf8(output.stderr).unwrap();
        let folder = format!("{}/", self.place.folder.path().display());
        let lines = errors.lines().map(|line| line.replace(&folder, ""));
        let mut lines: Vec<String> = lines.collect();
        assert_eq!(lines.pop().unwrap(), "portolan: nothing was changed; correct the file");
        lines
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.place.run(arguments, "")
    }

    /// All that the store holds of what a file can say, and the whole trail.
    fn everything(&self) -> Value {
        let list = |noun: &str| self.json(&[noun, "list"]);
        let secrets: Vec<Value> = list("client")["clients"]
            .as_array()
            .unwrap()
            .iter()
            .map(|client| self.json(&["client", "secret", "list", client["id"].as_str().unwrap()]))
            .collect();
        json!([
            list("project"),
            list("client"),
            list("scope"),
            list("policy"),
            list("idp"),
            secrets,
            self.json(&["audit", "--limit", "1000"])
        ])
    }

    /// Whether the secret in the file is one of the client.
    fn proves(&self, client: &str, file: &str) -> bool {
        let secret = fs::read_to_string(self.path(file)).unwrap();
        let form = [
            ("client_id", client),
            ("client_secret", secret.trim_end()),
            ("token", "none"),
        ];
        let mut connection = Connection::open(self.server.port).unwrap();
        connection
            .post("/v2/oauth2/token/introspect", &form, "")
            .unwrap()
            .status
            == 200
    }

    fn client(&self, name: &str) -> Value {
        self.json(&["client", "show", name])["client"].take()
    }
}

/// `create client Beamline / Portal`, one for each change.
fn changes(answer: &Value) -> Vec<String> {
    let word = |entry: &Value, member: &str| entry[member].as_str().unwrap().to_owned();
    let entries = answer["changes"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let parts = ["action", "kind", "name"].map(|member| word(entry, member));
            parts.join(" ")
        })
        .collect()
}

#[test]
fn the_sample_makes_everything_once() {
    on_each_engine(|served| {
        served.write("laboratory.secret", "hush\n");

        let planned = served.apply_with(SAMPLE, &["--dry-run"], 6);
        let made = served.apply(SAMPLE);

        let expected = [
            "create identity provider laboratory",
            "create project Beamline",
            "create client Beamline / Portal",
            "create secret Beamline / Portal / deploy",
            "create client Beamline / Archive",
            "create secret Beamline / Archive / deploy",
            "create client Beamline / Reservations",
            "create client Beamline / Console",
            "create scope Beamline / Archive / store",
            "create scope Beamline / Reservations / reserve",
            "create policy Beamline / Campus only",
            "create policy Beamline / Fresh login",
        ];
        assert_eq!(changes(&made), expected);
        assert_eq!(changes(&planned), expected);
        assert_eq!((&made["applied"], &planned["applied"]), (&json!(true), &json!(false)));

        // It is as the file says.
        let portal = served.client("Portal");
        assert_eq!(portal["redirect_uris"], json!(["https://portal.example.org/callback"]));
        assert_eq!(
            portal["links"]["terms_and_conditions"],
            "https://portal.example.org/terms"
        );
        assert_eq!(portal["preselect_idp"], "5f5dd9f0-3c9e-4f4b-9a1d-0c7b8a9f1e20");
        assert_eq!(portal["backchannel_logout_uri"], "https://portal.example.org/logout");
        let store = "https://auth.globus.org/scopes/archive.example.org/store";
        let scope = served.json(&["scope", "show", store])["scope"].take();
        assert_eq!(scope["dependent_scopes"].as_array().unwrap().len(), 2);
        let reserve = served.json(&["scope", "list", "--client", "Reservations"])["scopes"][0].take();
        assert_eq!(
            reserve["dependent_scopes"],
            json!([{ "scope": scope["id"], "optional": true, "requires_refresh_token": true }])
        );
        let policy = served.json(&["policy", "show", "Fresh login"])["policy"].take();
        assert_eq!(policy["authentication_assurance_timeout"], 1800);
        let provider = served.json(&["idp", "show", "laboratory"]);
        assert_eq!(provider["settings"]["has_client_secret"], true);
        assert_eq!(
            provider["settings"]["configuration"]["required_claims"]["department"],
            "optics"
        );

        // The secrets are in their files and nowhere else.
        for (client, file) in [("Portal", "portal.secret"), ("Archive", "archive.secret")] {
            let id = served.client(client)["id"].as_str().unwrap().to_owned();
            assert!(served.proves(&id, file), "{client}");
            let mode = served.path(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let secret = fs::read_to_string(served.path(file)).unwrap();
            assert!(!made.to_string().contains(secret.trim_end()));
        }

        // Every change is in the trail, and a second run makes none.
        let actions = served.json(&["audit", "--limit", "1000"]).to_string();
        for action in [
            "project.create",
            "client.create_credential",
            "client.add_fqdn",
            "scope.create",
        ] {
            assert!(actions.contains(action), "{action}");
        }
        let before = served.everything();
        let again = served.apply(SAMPLE);
        assert_eq!(changes(&again), [""; 0]);
        assert_eq!(again["unchanged"], 12);
        assert_eq!(served.everything(), before);
        let output = served.command(SAMPLE, &["--dry-run"]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "Nothing to change: 12 things are as described.\n");
    });
}

#[test]
fn a_dry_run_changes_no_row() {
    on_each_engine(|served| {
        let before = served.everything();
        served.apply_with(SMALL, &["--dry-run"], 6);
        assert_eq!(served.everything(), before);
        assert!(!served.path("portal.secret").exists());

        served.apply(SMALL);
        let before = served.everything();
        let other = SMALL
            .replace("Put files", "Put all files")
            .replace("[project.Beamline.client.Portal]", "[project.Beamline.client.Gateway]")
            .replace("secret.deploy.secret_file", "# ");
        let planned = served.apply_with(&other, &["--dry-run", "--prune"], 6);
        assert_eq!(
            changes(&planned),
            [
                "create client Beamline / Gateway",
                "change scope Beamline / Archive / store",
                "delete client Beamline / Portal",
            ]
        );
        assert_eq!(planned["changes"][0]["id"], Value::Null, "it would have another one");
        assert_eq!(served.everything(), before);
    });
}

#[test]
fn what_differs_is_changed_and_nothing_else() {
    on_each_engine(|served| {
        served.apply(SMALL);
        let trail = |served: &Served| {
            served.json(&["audit", "--limit", "1000"])["events"]
                .as_array()
                .unwrap()
                .len()
        };
        let before = trail(served);
        let other = SMALL
            .replace("beamline@", "seven@")
            .replace("type = \"confidential_client\"", "type = \"confidential_client\"\nvisibility = \"public\"")
            .replace("[\"https://portal.example.org/callback\"]", "[]")
            .replace("\"example.edu\"", "\"*.Example.EDU\", \"example.edu\"")
            .replace(
                "your folder.\"",
                "your folder.\"\nadvertised = true\ndepends_on = [\"urn:globus:auth:scope:transfer.api.globus.org:all\"]",
            );
        let changed = served.apply(&other);

        let fields: Vec<(String, Value)> = changed["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry["fields"].clone()))
            .collect();
        let field = |name: &str, old: Value, new: Value| json!({ "name": name, "old": old, "new": new });
        let transfer = "urn:globus:auth:scope:transfer.api.globus.org:all";
        assert_eq!(
            fields,
            [
                (
                    "Beamline".to_owned(),
                    json!([field(
                        "contact",
                        json!("beamline@example.org"),
                        json!("seven@example.org")
                    )])
                ),
                (
                    "Beamline / Portal".to_owned(),
                    json!([
                        field(
                            "redirect_uris",
                            json!(["https://portal.example.org/callback"]),
                            json!([])
                        ),
                        field("visibility", json!("private"), json!("public")),
                    ])
                ),
                (
                    "Beamline / Archive / store".to_owned(),
                    json!([
                        field("advertised", json!(false), json!(true)),
                        field("depends_on", json!([]), json!([transfer])),
                    ])
                ),
                (
                    "Beamline / Campus".to_owned(),
                    json!([field(
                        "include_domains",
                        json!(["example.edu"]),
                        json!(["*.example.edu", "example.edu"])
                    )])
                ),
            ]
        );
        assert_eq!(changed["unchanged"], 2, "the archive and the secret");
        assert_eq!(trail(served), before + 4);
        assert_eq!(changes(&served.apply(&other)), [""; 0]);

        // What is no longer said stays; what is emptied goes.
        assert_eq!(
            changes(&served.apply(&other.replace("visibility = \"public\"", ""))),
            [""; 0]
        );
        let emptied = other.replace(&format!("[\"{transfer}\"]"), "[]");
        assert_eq!(
            changes(&served.apply(&emptied)),
            ["change scope Beamline / Archive / store"]
        );

        let text = String::from_utf8(served.command(&other, &[]).stdout).unwrap();
        let expected = format!(
            "~ scope Beamline / Archive / store\n    depends_on: none → {transfer}\n\n\
             0 created, 1 changed, 0 deleted; 5 things are as described.\n"
        );
        assert_eq!(text, expected);
    });
}

#[test]
fn prune_deletes_exactly_the_strays() {
    on_each_engine(|served| {
        served.apply(SMALL);
        let place = &served.place;
        // Strays of the project, and what is none of the file's business.
        let client = |name: &str, project: &str| {
            let create = ["client", "create", "--name", name, "--type", "resource_server"];
            place.run(&[&create[..], &["--project", project]].concat(), "")["client"]["id"].take()
        };
        let scope = |client: &str, suffix: &str| {
            let create = ["scope", "create", "--client", client, "--suffix", suffix];
            place.run(&[&create[..], &["--name", suffix, "--description", "x"]].concat(), "");
        };
        let create = ["project", "create", "--name", "Other", "--contact", "o@example.org"];
        place.run(&[&create[..], &["--admin", "alice"]].concat(), "");
        client("Stray", "Beamline");
        client("Kept", "Other");
        scope("Stray", "gone");
        scope("Archive", "stray");
        place.run(&["client", "secret", "create", "Portal", "--name", "by hand"], "");
        let create = [
            "policy",
            "create",
            "--project",
            "Beamline",
            "--name",
            "Old",
            "--description",
            "x",
        ];
        place.run(&create, "");

        let strays = [
            "delete scope Beamline / Archive / stray",
            "delete client Beamline / Stray",
            "delete policy Beamline / Old",
        ];
        assert_eq!(changes(&served.apply(SMALL)), [""; 0], "nothing goes unasked");
        let planned = served.apply_with(SMALL, &["--prune", "--dry-run"], 6);
        let mut listed = changes(&planned);
        listed.sort();
        let mut expected = strays;
        expected.sort();
        assert_eq!(listed, expected);

        let pruned = served.apply_with(SMALL, &["--prune", "--yes"], 0);
        assert_eq!(changes(&pruned), changes(&planned));
        assert_eq!(changes(&served.apply_with(SMALL, &["--prune", "--yes"], 0)), [""; 0]);
        let left = served.json(&["client", "list", "--project", "Beamline"]);
        assert_eq!(left["clients"].as_array().unwrap().len(), 2);
        assert_eq!(served.client("Kept")["name"], "Kept");
        let secrets = served.json(&["client", "secret", "list", "Portal"]);
        assert_eq!(secrets["credentials"].as_array().unwrap().len(), 2, "secrets stay");
        let trail = served.json(&["audit", "--limit", "1000"]).to_string();
        for action in ["client.delete", "scope.delete", "policy.delete"] {
            assert!(trail.contains(action), "{action}");
        }
    });
}

#[test]
fn prune_takes_nothing_that_the_file_relies_on() {
    on_each_engine(|served| {
        served.apply(SMALL);
        let less = SMALL.replace(
            "[project.Beamline.client.Archive.scope.store]",
            "[project.Beamline.client.Portal.scope.own]",
        );
        let id = served.client("Archive")["id"].as_str().unwrap().to_owned();
        let reliant = format!(
            "{less}\n[project.Beamline.client.Portal.scope.more]\nname = 'x'\ndescription = 'x'\n\
             depends_on = ['https://auth.globus.org/scopes/{id}/store']\n"
        )
        .replace("type = \"confidential_client\"", "");
        let refusal = served.refused(&reliant, &["--prune", "--yes"]);
        assert_eq!(refusal.len(), 1, "{refusal:?}");
        assert!(refusal[0].contains("depends_on[0]: names the scope"), "{refusal:?}");

        // Identity providers go only if the file says that it has them all.
        served.write("laboratory.secret", "hush\n");
        let provider = SAMPLE.split("# ---- A project").next().unwrap();
        served.apply(provider);
        assert_eq!(changes(&served.apply_with(SMALL, &["--prune", "--yes"], 0)), [""; 0]);
        let managing = format!("manage_identity_providers = true\n{SMALL}");
        let named = managing.replace("redirect_uris", "preselect_idp = \"laboratory\"\nredirect_uris");
        let refusal = served.refused(&named, &["--prune"]);
        assert!(
            refusal[0].contains("preselect_idp: names the identity provider laboratory"),
            "{refusal:?}"
        );
        assert_eq!(
            changes(&served.apply_with(&managing, &["--prune", "--yes"], 0)),
            ["delete identity provider laboratory"]
        );
    });
}

#[test]
fn a_thing_is_renamed_by_its_id() {
    on_each_engine(|served| {
        served.apply(SMALL);
        let id = served.client("Portal")["id"].as_str().unwrap().to_owned();
        let renamed = SMALL.replace(
            "[project.Beamline.client.Portal]",
            &format!("[project.Beamline.client.Gateway]\nid = \"{id}\""),
        );
        let changed = served.apply(&renamed);
        assert_eq!(changes(&changed), ["change client Beamline / Gateway"]);
        assert_eq!(
            changed["changes"][0]["fields"],
            json!([{ "name": "name", "old": "Portal", "new": "Gateway" }])
        );
        assert_eq!(served.client("Gateway")["id"], id.as_str());
        assert_eq!(changes(&served.apply(&renamed)), [""; 0]);

        // Its old name is free: an entry of that name is another client.
        let both = format!("{renamed}\n[project.Beamline.client.Portal]\ntype = 'public_installed_client'\n");
        assert_eq!(changes(&served.apply(&both)), ["create client Beamline / Portal"]);
        assert_eq!(changes(&served.apply(&both)), [""; 0]);

        // A scope is renamed in its string, and a project in its name.
        let scope = served.json(&["scope", "list", "--client", "Archive"])["scopes"][0]["id"].take();
        let project = served.client("Archive")["project"].take();
        let renamed = both
            .replace("scope.store]", &format!("scope.keep]\nid = {scope}"))
            .replace("contact =", &format!("id = {project}\ncontact ="))
            .replace("project.Beamline", "project.'Beamline 7'");
        let changed = served.apply(&renamed);
        assert_eq!(
            changes(&changed),
            ["change project Beamline 7", "change scope Beamline 7 / Archive / keep"]
        );
        assert_eq!(changes(&served.apply(&renamed)), [""; 0]);
    });
}

#[test]
fn every_mistake_is_told_with_its_place() {
    on_each_engine(|served| {
        let lines = served.refused(
            r#"
[project.Beamline]
contact = 7
admins = []
color = "red"
client.Portal.type = "portal"
client.Portal.redirect_uris = "https://portal.example.org"
client.Portal.secret.deploy = {}
policy.Campus.timeout = "soon"
policy.Campus.include_domains = ["a b"]
"#,
            &[],
        );
        let types = "public_installed_client, public_webapp_client, confidential_client, client_identity, \
                     resource_server, globus_connect_server, hybrid_confidential_client_resource_server";
        assert_eq!(
            lines,
            [
                "set-up.toml:3: project.Beamline.contact: must be a text in quotation marks".to_owned(),
                "set-up.toml:4: project.Beamline.admins: name at least one, by username or id".to_owned(),
                "set-up.toml:5: project.Beamline.color: is not known; what can stand here: id, contact, admins, client, \
                 policy"
                    .to_owned(),
                format!("set-up.toml:6: project.Beamline.client.Portal.type: must be one of {types}"),
                "set-up.toml:7: project.Beamline.client.Portal.redirect_uris: must be a list: [\"…\", \"…\"]".to_owned(),
                "set-up.toml:8: project.Beamline.client.Portal.secret.deploy: secret_file must name the file that the \
                 secret is written to when it is made"
                    .to_owned(),
                "set-up.toml:9: project.Beamline.policy.Campus.timeout: not a duration such as 1800, 30m or none".to_owned(),
                "set-up.toml:10: project.Beamline.policy.Campus.include_domains: \"a b\" is no domain such as example.org \
                 or *.example.org"
                    .to_owned(),
            ]
        );

        let lines = served.refused(
            r#"
[project.Beamline]
contact = "nobody"
admins = ["alice", "bob"]
[project.Other]
contact = "o@example.org"
admins = ["alice"]
[project.Other.client.New]
[project.Other.client.Portal]
type = "public_installed_client"
redirect_uris = ["http://portal.example.org/#fragment"]
preselect_idp = "nowhere"
secret.a.secret_file = "missing/a.secret"
[project.Other.client.App]
type = "public_installed_client"
secret.a.secret_file = "a.secret"
[project.Other.policy.Second]
description = "x"
required_mfa = true
"#,
            &[],
        );
        let starts = [
            "set-up.toml:4: project.Beamline.admins: there is no identity bob",
            "set-up.toml:8: project.Other.client.New: there is no such client in this project yet: it needs type",
            "set-up.toml:12: project.Other.client.Portal.preselect_idp: there is no identity provider nowhere",
            "set-up.toml:16: project.Other.client.App.secret.a: a public client cannot hold a secret",
            "set-up.toml:19: project.Other.policy.Second.required_mfa: only a policy with high_assurance",
        ];
        assert_eq!(lines.len(), starts.len(), "{lines:#?}");
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }

        // What never changes, and what is there already.
        served.apply(SMALL);
        let other = SMALL.replace("confidential_client", "resource_server").replace(
            "\"portal.secret\"",
            "\"portal.secret\"\nsecret.second.secret_file = \"set-up.toml\"",
        );
        let lines = served.refused(&other, &[]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(
            lines[0].contains("Portal.type: never changes, and is confidential_client here"),
            "{lines:?}"
        );
        let other = SMALL.replace(
            "\"portal.secret\"",
            "\"portal.secret\"\nsecret.second.secret_file = \"set-up.toml\"",
        );
        let lines = served.refused(&other, &[]);
        assert!(lines[0].contains("secret.second.secret_file: "), "{lines:?}");
        assert!(
            lines[0].contains("is there already and is never overwritten"),
            "{lines:?}"
        );
        // Whoever is named twice is one admin.
        let twice = SMALL.replace("[\"alice\"]", "[\"alice\", \"alice@portolan.local\"]");
        assert_eq!(changes(&served.apply(&twice)), [""; 0]);
        // Two spellings of one file.
        std::os::unix::fs::symlink(".", served.path("here")).unwrap();
        let other = SMALL.replace(
            "\"portal.secret\"",
            "\"portal.secret\"\nsecret.second.secret_file = \"here/portal.secret\"",
        );
        let lines = served.refused(&other, &[]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("each secret needs its own"), "{lines:?}");
    });
}

#[test]
fn references_lead_forward_and_never_round() {
    on_each_engine(|served| {
        let head = "[project.P]\ncontact = 'p@example.org'\nadmins = ['alice']\n\
                    [project.P.client.A]\ntype = 'resource_server'\ndomain_names = ['a.example.org']\n\
                    [project.P.client.B]\ntype = 'resource_server'\n";
        let scope = |client: &str, suffix: &str, depends_on: &str| {
            format!(
                "[project.P.client.{client}.scope.{suffix}]\nname = '{suffix}'\ndescription = 'x'\n\
                 depends_on = [{depends_on}]\n"
            )
        };
        // By the name of the client, and by a spelling that there is not yet.
        let forward = [
            head.to_owned(),
            scope("B", "first", "{ client = 'A', suffix = 'last' }"),
            scope("B", "second", "'https://auth.globus.org/scopes/a.example.org/last'"),
            scope("A", "last", ""),
        ]
        .concat();
        let made = served.apply(&forward);
        let scopes: Vec<String> = changes(&made)
            .into_iter()
            .filter(|line| line.contains("scope"))
            .collect();
        assert_eq!(
            scopes,
            [
                "create scope P / A / last",
                "create scope P / B / first",
                "create scope P / B / second"
            ]
        );
        assert_eq!(changes(&served.apply(&forward)), [""; 0]);

        // The other way round: what leads back only as it was does not lead back.
        let turned = [
            head.to_owned(),
            scope("A", "last", "{ client = 'B', suffix = 'first' }"),
            scope("B", "first", ""),
            scope("B", "second", ""),
        ]
        .concat();
        assert_eq!(changes(&served.apply(&turned)).len(), 3);
        assert_eq!(changes(&served.apply(&turned)), [""; 0]);

        let round = [
            head.to_owned(),
            scope("A", "last", "{ client = 'B', suffix = 'first' }"),
            scope("B", "first", "{ client = 'B', suffix = 'second' }"),
            scope("B", "second", "{ client = 'A', suffix = 'last', optional = true }"),
            scope("B", "third", "{ client = 'B', suffix = 'third' }, 'urn:nothing'"),
            scope(
                "B",
                "fourth",
                "{ client = 'A', suffix = 'unknown' }, { client = 'Z', suffix = 'z' }, { optional = true }",
            ),
        ]
        .concat();
        let lines = served.refused(&round, &[]);
        assert_eq!(
            lines,
            [
                "set-up.toml:28: project.P.client.B.scope.fourth.depends_on[2]: name a scope (id or scope string), or client \
              and suffix of one"
            ]
        );
        let lines = served.refused(&round.replace(", { optional = true }", ""), &[]);
        let found = [
            "leads back to the scope itself: P / A / last → P / B / first → P / B / second → P / A / last",
            "third.depends_on[0]: leads back to the scope itself: P / B / third → P / B / third",
            "third.depends_on[1]: there is no scope urn:nothing",
            "fourth.depends_on[0]: A has no scope unknown",
            "fourth.depends_on[1]: there is no client Z",
        ];
        assert_eq!(lines.len(), found.len(), "{lines:#?}");
        for (line, words) in lines.iter().zip(found) {
            assert!(line.contains(words), "{line}");
        }
    });
}

#[test]
fn several_files_are_one() {
    on_each_engine(|served| {
        let first = served.write("first.toml", SMALL);
        fs::create_dir(served.path("more")).unwrap();
        let second = served.write(
            "more/second.toml",
            "[project.Beamline.client.Console]\ntype = 'confidential_client'\nsecret.x.secret_file = 'x.secret'\n",
        );
        let made = served.place.run(&["apply", "-f", &first, "-f", &second], "");
        assert_eq!(made["changes"].as_array().unwrap().len(), 8);
        assert!(served.path("more/x.secret").exists(), "beside the file that names it");
        let text = fs::read_to_string(&second).unwrap();
        let again = served.place.run(
            &["apply", "-f", &first, "-f", "-"],
            &text.replace("'x.secret'", "'../x'"),
        );
        assert_eq!(again["changes"], json!([]));

        let twice = served.write("more/second.toml", "[project.Beamline.client.Portal]\n");
        let mut command = served.place.command(&["apply", "-f", &first, "-f", &twice]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains("second.toml:1: project.Beamline.client.Portal: is described already"),
            "{errors}"
        );
        assert!(errors.contains("first.toml, line 6"), "{errors}");
    });
}

#[test]
fn hostile_files_are_refused_in_words() {
    on_each_engine(|served| {
        let deep_key = format!("[{}a]", "a.".repeat(200_000));
        let deep_list = format!("a = {}", "[".repeat(200_000));
        let deep_table = format!("a = {}", "{a = ".repeat(200_000));
        for text in [&deep_key, &deep_list, &deep_table] {
            let lines = served.refused(text, &[]);
            assert!(lines[0].starts_with("set-up.toml:1: "), "{lines:?}");
            assert!(lines.iter().all(|line| line.len() < 2000), "no line repeats the file");
        }
        let long_key = format!("{} = 1\n", "k".repeat(1_000_000));
        let lines = served.refused(&long_key, &[]);
        assert!(lines[0].len() < 1000, "{}", lines[0].len());
        let many: String = (0..1000).map(|n| format!("k{n} = 1\n")).collect();
        let lines = served.refused(&many, &[]);
        assert_eq!(lines.last().unwrap(), "and 950 more");

        let control = "[project.\"a\\u001b[2J\"]\ncontact = \"\\u0000\"\n\"\\u001b]0;x\\u0007\" = 1\n";
        let lines = served.refused(control, &[]);
        assert!(
            lines.iter().all(|line| !line.contains(|c: char| c.is_control())),
            "{lines:?}"
        );
        assert!(lines[0].contains("control characters"), "{lines:?}");
        let long_name = format!(
            "[project.'{}']\ncontact = 'a@example.org'\nadmins = ['alice']\n",
            "n".repeat(100_000)
        );
        let lines = served.refused(&long_name, &[]);
        assert_eq!(lines.len(), 1);

        for (bytes, words) in [
            (vec![b'#'; (4 << 20) + 1], "larger than 4 MiB"),
            (vec![0xff, 0xfe, 0x00], "UTF-8"),
        ] {
            fs::write(served.path("raw.toml"), bytes).unwrap();
            let file = served.path("raw.toml");
            let output = served
                .place
                .command(&["apply", "-f", file.to_str().unwrap()])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1));
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.contains(words), "{errors}");
        }
        // A million clients do not fit; as many as do are made in one go.
        let crowd: String = (0..500)
            .map(|n| format!("[project.Crowd.client.c{n}]\ntype = 'public_installed_client'\n"))
            .collect();
        let crowd = format!("[project.Crowd]\ncontact = 'c@example.org'\nadmins = ['alice']\n{crowd}");
        assert_eq!(served.apply(&crowd)["changes"].as_array().unwrap().len(), 501);
        assert_eq!(served.apply(&crowd)["unchanged"], 501);
    });
}

/// Wherever the process is killed, a second run comes to the same end: each client has one
/// secret, and it is in its file.
#[test]
fn a_killed_run_loses_nothing() {
    const CLIENTS: usize = 60;
    on_each_engine(|served| {
        fs::create_dir(served.path("secrets")).unwrap();
        let clients: String = (0..CLIENTS)
            .map(|n| {
                format!(
                    "[project.Crowd.client.c{n}]\ntype = 'client_identity'\nsecret.one.secret_file = 'secrets/{n}'\n"
                )
            })
            .collect();
        let text = format!("[project.Crowd]\ncontact = 'c@example.org'\nadmins = ['alice']\n{clients}");
        let file = served.write("set-up.toml", &text);
        let mut process = served
            .place
            .command(&["apply", "-f", &file])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The first secret is on the disk: the transaction is about to commit, or has.
        let begun = std::time::Instant::now();
        while fs::read_dir(served.path("secrets")).unwrap().next().is_none() && process.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap();
        process.wait().unwrap();

        served.apply(&text);
        check_crowd(served, CLIENTS);

        // As if it was killed between the commit and the name of the file.
        let hidden = served.path("secrets/.7.portolan-apply");
        fs::rename(served.path("secrets/7"), &hidden).unwrap();
        // And what was left before a commit that never came is no secret of anybody's.
        fs::rename(served.path("secrets/8"), served.path("eight")).unwrap();
        fs::write(served.path("secrets/.8.portolan-apply"), "not the secret\n").unwrap();
        let named = served.apply(&text);
        assert_eq!(changes(&named), [""; 0]);
        let expected = served.path("secrets/7").display().to_string();
        assert_eq!(named["secret_files"], json!([expected]));
        assert!(!hidden.exists());
        assert!(!served.path("secrets/8").exists());
        // And one that had both names.
        fs::hard_link(served.path("secrets/7"), &hidden).unwrap();
        let named = served.apply(&text);
        assert_eq!(named["secret_files"], json!([expected]));
        assert!(served.path("secrets/7").exists() && !hidden.exists());
        fs::remove_file(served.path("secrets/.8.portolan-apply")).unwrap();
        fs::rename(served.path("eight"), served.path("secrets/8")).unwrap();
        check_crowd(served, CLIENTS);
    });
}

fn check_crowd(served: &Served, clients: usize) {
    for n in 0..clients {
        let id = served.client(&format!("c{n}"))["id"].as_str().unwrap().to_owned();
        let secrets = served.json(&["client", "secret", "list", &id]);
        assert_eq!(secrets["credentials"].as_array().unwrap().len(), 1, "c{n}");
        assert!(served.proves(&id, &format!("secrets/{n}")), "c{n}");
    }
    assert_eq!(fs::read_dir(served.path("secrets")).unwrap().count(), clients);
}

/// The secret cannot be written: nothing is in the store.
#[test]
fn a_secret_that_cannot_be_written_leaves_nothing() {
    on_each_engine(|served| {
        fs::create_dir(served.path("secrets")).unwrap();
        let text = SMALL.replace("portal.secret", "secrets/portal");
        // A folder stands where the secret is to wait for its name.
        fs::create_dir_all(served.path("secrets/.portal.portolan-apply")).unwrap();
        let before = served.everything();
        let output = served.command(&text, &[]);
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("nothing was changed"), "{errors}");
        assert!(
            errors.contains(".portal.portolan-apply: the secret cannot be written"),
            "{errors}"
        );
        assert_eq!(served.everything(), before);
        assert!(!served.path("secrets/portal").exists());
        assert!(served.path("secrets/.portal.portolan-apply").is_dir(), "it is not ours");

        fs::remove_dir(served.path("secrets/.portal.portolan-apply")).unwrap();
        served.apply(&text);
        assert!(served.path("secrets/portal").exists());
    });
}

/// Where the file is the standard input, nobody can answer there.
#[test]
fn what_standard_input_deletes_is_agreed_to_beforehand() {
    on_each_engine(|served| {
        served.apply(SMALL);
        let kept = "[project.Beamline]\ncontact = 'beamline@example.org'\nadmins = ['alice']\n";
        let run = |more: &[&str]| {
            let mut command = served
                .place
                .command(&[&["apply", "--file", "-", "--prune"], more].concat());
            let command = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut process = command.spawn().unwrap();
            process.stdin.take().unwrap().write_all(kept.as_bytes()).unwrap();
            let output = process.wait_with_output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            (output.status.code(), errors)
        };
        let before = served.everything();

        let (status, errors) = run(&[]);

        assert_eq!(status, Some(2), "{errors}");
        assert!(errors.contains("--yes"), "{errors}");
        assert_eq!(served.everything(), before);
        let (status, errors) = run(&["--yes"]);
        assert_eq!(status, Some(0), "{errors}");
        assert_ne!(served.everything(), before);
    });
}

#[test]
fn text_for_people_comes_from_standard_input() {
    on_each_engine(|served| {
        let mut command = served.place.command(&["apply", "--file", "-", "--dry-run"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = "[project.P]\ncontact = 'p@example.org'\nadmins = ['alice']\n";
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(6));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            printed,
            "+ project P\n    admins: alice@portolan.local\n    contact: p@example.org\n\n\
             This would be: 1 created, 0 changed, 0 deleted; no things are as described. Nothing was changed.\n"
        );
    });
}
