//! What a server may answer that a real one seldom does, played by a parrot.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::home::Home;
use crate::support::{self, PATIENCE};

/// Says the same to each request, whatever it asks. The status may have headers below it.
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
        "session_message": "Only with a fresh login\u{1b}[2J\nportolan: type: reboot", "session_required_policies": ["7a1f"],
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
    assert!(
        !refused.errors.contains("\nportolan: type: reboot"),
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

#[test]
fn tokens_that_no_profile_knows_are_sent_to_nobody() {
    let person = json!({"sub": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d", "preferred_username": "eve"});
    let port = parrot("200 OK", &person);
    let home = logged_in_at(port);
    fs::remove_file(home.profiles()).unwrap();
    let url = format!("http://127.0.0.1:{port}");

    // Were they sent, the answer would say that somebody is logged in already.
    home.run(&["login", "--server", &url, "--profile", "lab", "--no-browser"])
        .fails(1, &["does not answer as an authorization server"]);

    assert!(!home.tokens("lab").exists());
}

#[test]
fn whatever_sends_elsewhere_is_no_authorization_server() {
    let elsewhere = "302 Found\r\nlocation: https://network.example.org/welcome?error=login_required";
    let port = parrot(elsewhere, &Value::Null);
    let home = Home::new();
    home.run(&["login", "--server", &format!("http://127.0.0.1:{port}")])
        .fails(
            1,
            &[
                "does not answer as an authorization server",
                "https://network.example.org/welcome",
            ],
        );
    assert!(!home.profiles().exists());
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
