//! Class 25: Secrets where nobody looks for them: in logs and in the store.
//!
//! Kanidm #3742 (whole tokens in the log); INDIGO and Keto (default secrets, see `injection`).

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::support::{Auth, TestServer};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// Everything that was issued or typed on a walk through the whole server, the refused
/// requests with secrets in the wrong places among them.
fn walk(server: &TestServer) -> Vec<(&'static str, String)> {
    let setup = server.setup_path().unwrap();
    let browser = server.browser();
    browser.get(&setup);
    let password = "seven unlikely words of a setup page";
    let form = browser
        .form()
        .set("username", "root")
        .set("name", "Root")
        .set("email", "root@example.org");
    browser.submit(&form.set("password", password).set("password_again", password));
    let alice = server.user("alice").create();
    let cookie_name = portolan_server::http::browser::cookie_name(server.config());
    let browser = server.browser();
    browser.get("/p/login");
    let first_cookie = browser.cookie(&cookie_name).unwrap();
    let form_token = browser.form().get("form_token").unwrap().to_owned();
    browser.try_login("alice", "a wrong guess that is a secret elsewhere");
    browser.login(&alice);
    let client = server.client().create();
    let public = server.client().public_installed().create();
    let service = server.resource_server("service.example").scope("all").create();
    let code = client.code_with(
        &browser,
        &client
            .params(&format!("openid email {}", service.scope("all")))
            .set("access_type", "offline"),
    );
    let tokens = client.exchange(&code);
    let public_tokens = public.offline_tokens(&browser, "openid");
    let rotated = public.refresh(public_tokens.refresh_token());
    let template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let access = tokens.access_token().to_owned();
    let refresh = tokens.of("service.example").refresh_token().to_owned();
    service.introspect(tokens.of("service.example").access_token());
    client.refresh(&refresh);
    client.try_exchange(&code);
    // In the wrong places.
    let secret = client.secret.clone().unwrap();
    server.get(&format!("/v2/oauth2/userinfo?access_token={access}"));
    server.get(&format!(
        "/v2/oauth2/token?refresh_token={refresh}&client_secret={secret}"
    ));
    server.post_form(
        &format!("/v2/oauth2/token?client_secret={secret}&code={code}"),
        &Auth::None,
        &[("refresh_token", &refresh)],
    );
    server.get(&format!("/{access}"));
    server.get(&format!("/p/setup/{secret}"));
    server.get(&format!("/v2/web/auth-code?code={code}"));
    server.get(&format!("/v2/web/logout?id_token_hint={}", tokens.id_token()));
    server.get_as("/v2/oauth2/userinfo", &Auth::Bearer(refresh.clone()));
    server.get_as(&format!("/v2/api/identities/{access}"), &Auth::Bearer(access.clone()));
    server.post_form(
        "/v2/oauth2/token",
        &Auth::Basic(secret.clone(), access.clone()),
        &[("grant_type", &refresh)],
    );
    server.browser().try_login(&alice.password, &alice.password);
    vec![
        ("the link of the set-up", setup.rsplit('/').next().unwrap().to_owned()),
        ("a password", password.to_owned()),
        ("a password", alice.password.clone()),
        ("a wrong password", "a wrong guess that is a secret elsewhere".into()),
        ("a cookie", first_cookie),
        ("a cookie", browser.cookie(&cookie_name).unwrap()),
        ("a form token", form_token),
        ("a code", code),
        ("a client secret", secret),
        ("the secret of an instance", instance.secret.clone().unwrap()),
        ("an access token", access),
        (
            "an access token",
            tokens.of("service.example").access_token().to_owned(),
        ),
        ("a refresh token", refresh),
        ("a refresh token", public_tokens.refresh_token().to_owned()),
        ("a successor", rotated.refresh_token().to_owned()),
        ("an ID token", tokens.id_token().to_owned()),
        ("the verifier", super::support::VERIFIER.to_owned()),
    ]
}

/// Finds what it looks for as it is and as forms write it.
fn assert_absent(text: &str, secrets: &[(&str, String)], place: &str) {
    for (kind, secret) in secrets {
        let encoded = super::encode(&[("v", secret)]).replacen("v=", "", 1);
        for spelling in [secret, &encoded, &encoded.replace('+', "%20")] {
            if let Some(at) = text.find(spelling.as_str()) {
                let around: String = text[..at]
                    .chars()
                    .rev()
                    .take(200)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect();
                panic!("{kind} stands in {place} after: {around}");
            }
        }
    }
}

#[test]
fn the_log_holds_no_secret_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // For the whole process: the requests run on threads of the runtime. Whatever other
    // tests log meanwhile may as well be looked through.
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    tracing::callsite::rebuild_interest_cache();
    let server = TestServer::new();
    let secrets = walk(&server);
    tracing::info!("the walk is over");
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    // The log was really written: of requests, refusals, and what is above.
    for sign in ["the walk is over", "request refused", "/v2/oauth2/token"] {
        assert!(
            text.contains(sign),
            "{sign} is missing in\n{}",
            text.chars().take(2_000).collect::<String>()
        );
    }
    assert_absent(&text, &secrets, "the log");
}

#[test]
fn the_store_holds_no_secret_in_the_clear() {
    let server = TestServer::new();
    let secrets = walk(&server);
    let path = server.store().url().trim_start_matches("sqlite:").to_owned();
    // The file, and the journal that was not written back yet.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    assert!(text.contains("alice@portolan.local"), "the store is readable as it is");
    assert!(text.contains("$argon2id$"));
    assert_absent(&text, &secrets, "the store");
}
