//! What somebody does who is logged in.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Answer, Home, link, mode, on_each};
use crate::support::{Browser, Terminal};

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
        Answer::of(wrong).fails(2, &["does not accept this service account"]);
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
