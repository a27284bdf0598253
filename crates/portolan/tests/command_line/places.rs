//! Which server a command is on, and as whom.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Answer, Home, link, on_each};
use crate::support::Place;

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
    let mut new = home.command(&["login", "--profile", "new", "--client-id", unknown]);
    new.env("PORTOLAN_SERVER", &url);
    Answer::of(new).fails(2, &[unknown, &format!("{url}/v2/web/auth-code")]);
    home.run(&["login", "--server", &format!("{url}/elsewhere")])
        .fails(1, &["does not answer as an authorization server"]);
    home.run(&["login", "--server", &url, "--scope", "urn:no:such:scope"])
        .fails(2, &["does not know all of what is asked for", "urn:no:such:scope"]);
    assert!(!home.profiles().exists(), "nothing is remembered of what did not work");
}

#[test]
fn a_login_saves_its_profile_first_and_undoes_nothing_of_others() {
    on_each(|land| {
        let home = Home::new();
        let url = land.url();
        let read = || -> Value { serde_json::from_slice(&fs::read(home.profiles()).unwrap()).unwrap() };
        let mut terminal = home.terminal(&["login", "--server", &url, "--profile", "lab", "--no-browser"]);
        let link = link(terminal.wait_for("Paste the code that it shows: "));
        // Whenever it ends from here on, it is known which server the tokens are of.
        let saved = read();
        assert_eq!(saved["profiles"]["lab"]["server"], json!(url));
        assert_eq!(saved["current"], Value::Null);

        // What other commands do while the person is in the browser.
        let other = json!({"server": "http://localhost:1", "client_id": "x"});
        let both = json!({"profiles": {"lab": saved["profiles"]["lab"], "other": other}});
        fs::write(home.profiles(), both.to_string()).unwrap();
        terminal.type_line(&land.code(&link));
        let (status, shown) = terminal.end();
        assert_eq!(status, 0, "{shown}");

        let saved = read();
        assert_eq!(saved["current"], "lab");
        assert_eq!(saved["profiles"]["lab"]["username"], "alice@portolan.local");
        assert_eq!(saved["profiles"]["other"], other);
    });
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
