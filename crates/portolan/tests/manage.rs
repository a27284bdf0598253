//! `portolan project|client|scope|policy` at a running server, as a service account, beside
//! the same commands on its store: on SQLite, and on PostgreSQL when
//! `PORTOLAN_TEST_POSTGRES_URL` names one.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{People, Place, Server};
use tempfile::TempDir;

const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

struct Land {
    place: Place,
    people: People,
    home: TempDir,
    _server: Server,
}

fn on_each(work: impl Fn(&Land)) {
    for place in [Some(Place::on_sqlite()), Place::on_postgres()].into_iter().flatten() {
        let server = place.start();
        work(&Land {
            people: place.populate(),
            place,
            home: tempfile::tempdir().unwrap(),
            _server: server,
        });
    }
}

impl Land {
    /// At the server, as the service account.
    fn ask(&self, line: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        let url = format!("http://localhost:{}", self.place.port);
        command.env_clear().env("HOME", self.home.path());
        command.env("PORTOLAN_CLIENT_ID", &self.people.service);
        command.env("PORTOLAN_CLIENT_SECRET", &self.people.service_secret);
        command.args(line).args(["--server", &url]).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn json(&self, line: &[&str]) -> Value {
        let output = self.ask(&[line, &["--format", "json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn text(&self, line: &[&str]) -> String {
        let output = self.ask(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, line: &[&str], code: i32, words: &str) {
        let output = self.ask(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line:?}: {errors}");
        assert!(errors.contains(words), "{words:?} is not in {errors}");
    }

    /// On both sides the same, for programs and for people.
    fn same(&self, line: &[&str]) {
        assert_eq!(self.json(line), self.place.run(line, ""), "{line:?}");
        let output = self.place.command(line).output().unwrap();
        assert_eq!(self.text(line), String::from_utf8(output.stdout).unwrap(), "{line:?}");
    }

    fn set_up(&self) -> (String, String) {
        let create = ["project", "create", "--name", "Tides", "--contact", "t@example.org"];
        self.json(&[&create[..], &["--admin", &self.people.service]].concat());
        let create = ["client", "create", "--name", "Gauge", "--type", "resource_server"];
        let made = self.json(&[&create[..], &["--project", "Tides"]].concat());
        let client = made["client"]["id"].as_str().unwrap().to_owned();
        let create = [
            "scope", "create", "--client", "Gauge", "--suffix", "read", "--name", "Read",
        ];
        let dependency = format!("{TRANSFER}:optional");
        let more = ["--description", "Read the gauges", "--depends-on", &dependency];
        let made = self.json(&[&create[..], &more].concat());
        assert_eq!(made["scopes"].as_array().unwrap().len(), 1);
        let scope = made["scope"]["scope_string"].as_str().unwrap().to_owned();
        (client, scope)
    }
}

#[test]
fn what_is_made_over_the_network_looks_the_same_on_the_store() {
    on_each(|land| {
        let (client, scope) = land.set_up();
        let create = [
            "policy",
            "create",
            "--project",
            "Tides",
            "--name",
            "Fresh",
            "--description",
            "x",
        ];
        let made = land.json(&[&create[..], &["--high-assurance", "--timeout", "30m"]].concat());
        assert_eq!(made["policy"]["authentication_assurance_timeout"], 1800);

        land.same(&["project", "show", "Tides"]);
        land.same(&["policy", "show", "Fresh"]);
        land.same(&["policy", "list", "--project", "Tides"]);
        land.same(&["scope", "show", &scope]);
        land.same(&["scope", "list", "--client", "Gauge"]);
        land.same(&["client", "list", "--project", "Tides"]);
        land.same(&["client", "secret", "list", "Gauge"]);
        let show = ["client", "show", client.as_str()];
        assert_eq!(land.json(&show), land.place.run(&show, ""));
        land.refused(&["client", "list", "--instances"], 2, "--data-dir");
        let listed = land.json(&["project", "list"]);
        assert_eq!(listed["projects"][0]["display_name"], "Tides");
        assert!(land.text(&["project", "list"]).contains("Tides"));
        let tree = land.text(&["scope", "show", &scope]);
        assert!(tree.contains(&format!("{TRANSFER} (optional)")), "{tree}");
    });
}

#[test]
fn things_are_changed_and_deleted_over_the_network() {
    on_each(|land| {
        let (client, scope) = land.set_up();
        let changed = land.json(&["client", "update", "Gauge", "--visibility", "public"]);
        assert_eq!(changed["client"]["visibility"], "public");
        let changed = land.json(&["scope", "update", &scope, "--advertised", "--depends-on-nothing"]);
        assert_eq!(changed["scope"]["advertised"], true);
        assert_eq!(changed["scope"]["dependent_scopes"], json!([]));
        let changed = land.json(&["project", "update", "Tides", "--contact", "other@example.org"]);
        assert_eq!(changed["project"]["contact_email"], "other@example.org");
        let added = land.json(&["project", "admin", "add", "Tides", "alice@portolan.local"]);
        assert_eq!(added["project"]["admin_ids"].as_array().unwrap().len(), 2);
        land.json(&["project", "admin", "remove", "Tides", "alice@portolan.local"]);
        land.refused(
            &["project", "admin", "remove", "Tides", &land.people.service],
            1,
            "is the last admin of Tides",
        );

        let made = land.json(&["client", "secret", "create", "Gauge", "--name", "one"]);
        assert!(made["credential"]["secret"].as_str().unwrap().len() > 20);
        let id = made["credential"]["id"].as_str().unwrap();
        land.json(&["client", "secret", "delete", "Gauge", id]);
        land.refused(&["client", "secret", "delete", "Gauge", id], 1, "has no secret");

        land.refused(&["project", "delete", "Tides"], 1, "still holds 1 clients");
        land.json(&["scope", "delete", &scope]);
        assert_eq!(land.json(&["scope", "list", "--client", "Gauge"])["scopes"], json!([]));
        let gone = land.text(&["client", "delete", &client]);
        assert!(gone.contains("is deleted"), "{gone}");
        land.json(&["project", "delete", "Tides"]);
        land.refused(
            &["project", "show", "Tides"],
            1,
            "there is no project Tides that you administer",
        );
    });
}

#[test]
fn what_only_operators_may_do_is_refused_with_the_way_to_it() {
    on_each(|land| {
        land.set_up();
        for line in [
            &["client", "disable", "Gauge"][..],
            &["client", "enable", "Gauge"],
            &["project", "notify", "Tides", "--subject", "x", "--message-file", "-"],
            &[
                "client",
                "create",
                "--name",
                "x",
                "--type",
                "client_identity",
                "--id-token-algorithm",
                "ES256",
            ],
            &["apply", "-f", "-"],
        ] {
            land.refused(line, 2, "--data-dir");
        }
        land.refused(
            &["client", "create", "--name", "x", "--type", "client_identity"],
            2,
            "--project",
        );
        land.refused(&["client", "update", "Gauge"], 1, "nothing to change");
        land.refused(&["scope", "show", "urn:nothing"], 1, "there is no scope urn:nothing");
        let more = ["scope", "update", TRANSFER, "--depends-on", "urn:nothing"];
        land.refused(&more, 1, "--depends-on: there is no scope urn:nothing");
        land.refused(&["scope", "delete", TRANSFER], 1, "administer");
    });
}
