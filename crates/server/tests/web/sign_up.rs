//! Opening an account by oneself, where the operator allows it.

use http::{Method, StatusCode};
use portolan_db::params;
use portolan_server::config::SignUp;
use portolan_server::domain::identity;
use portolan_server::store::audit::Actor;
use portolan_server::store::identities;

use crate::reset::userinfo;
use crate::support::{Mailbox, Outcome, TestServer, TestUser};

const PASSWORD: &str = "seven unlikely words of somebody new";

fn ask(server: &TestServer, email: &str) -> Outcome {
    let browser = server.browser();
    browser.get("/p/sign-up");
    browser.submit(&browser.form().set("email", email))
}

fn link(server: &TestServer, mailbox: &Mailbox, email: &str) -> String {
    ask(server, email);
    server.send_mail();
    let mut messages = mailbox.take();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].recipient, email);
    messages.remove(0).link()
}

fn open(server: &TestServer, link: &str, username: &str, password: &str) -> Outcome {
    let browser = server.browser();
    browser.get(link);
    let form = browser
        .form()
        .set("username", username)
        .set("name", "New Person")
        .set("password", password)
        .set("password_again", password);
    browser.submit(&form)
}

#[test]
fn an_account_is_opened_behind_the_link_and_not_before() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let accounts = || server.count("SELECT count(*) FROM identities WHERE email IS NOT NULL", params![]);
    assert_eq!(ask(&server, "new@example.org").title(), "Look into your mail");
    server.send_mail();
    let link = mailbox.take().remove(0).link();
    assert_eq!(accounts(), 0);

    let done = open(&server, &link, "newcomer", PASSWORD);

    assert_eq!(done.title(), "Your account is ready");
    assert_eq!(accounts(), 1);
    let again = server.browser().get(&link);
    assert_eq!(again.page().status, StatusCode::FORBIDDEN, "once");
    let user = TestUser {
        id: server.read(|tx| {
            Ok(identities::find_by_username(tx, "newcomer@portolan.local")?
                .expect("it exists")
                .id)
        }),
        username: "newcomer@portolan.local".into(),
        password: PASSWORD.into(),
    };
    let browser = server.browser_of(&user);
    let tokens = server.client().create().tokens(&browser, "openid email");
    let userinfo = userinfo(&server, &tokens);
    assert_eq!(
        (&userinfo["email"], &userinfo["email_verified"]),
        (&"new@example.org".into(), &true.into())
    );
}

#[test]
fn it_is_off_unless_the_operator_says_otherwise() {
    let mailbox = Mailbox::open();
    let server = TestServer::with(|config| {
        mailbox.configure(config);
        config.sign_up = SignUp::Off;
    });
    assert_eq!(server.browser().get("/p/sign-up").page().status, StatusCode::NOT_FOUND);
    assert!(!server.browser().get("/p/login").page().text().contains("/p/sign-up"));
    // Nor does a form that was open before lead anywhere.
    let browser = server.browser();
    browser.get("/p/reset");
    let mut form = browser.form().set("email", "new@example.org");
    form.action = "/p/sign-up".into();
    assert_eq!(browser.submit(&form).page().status, StatusCode::NOT_FOUND);
}

/// AA6: only whoever reads the mail of an address learns whether it has an account.
#[test]
fn an_address_with_an_account_gets_another_message_and_the_page_says_the_same() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    server.user("alice").create();
    let mut pages = Vec::new();
    for email in ["alice@example.org", "ALICE@example.org", "new@example.org"] {
        let outcome = ask(&server, email);
        let page = outcome.page();
        let id = page.header("x-request-id").unwrap_or_default().to_owned();
        pages.push((page.status, page.text().replace(&id, "ID")));
        assert_eq!(
            server.count("SELECT count(*) FROM outbox", params![]),
            0,
            "nothing was looked up"
        );
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    server.send_mail();
    let mut subjects: Vec<String> = mailbox
        .take()
        .iter()
        .map(|message| format!("{}: {}", message.recipient, message.subject()))
        .collect();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "ALICE@example.org: You have an account",
            "alice@example.org: You have an account",
            "new@example.org: Open your account"
        ]
    );
}

#[test]
fn a_name_that_is_taken_or_prepared_or_only_looks_like_letters_is_refused_at_its_field() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    server.user("alice").create();
    // Somebody has prepared permissions for this name: a stranger must not get them.
    let ctx = server.ctx();
    server.write(move |tx| {
        let names = ["prepared@portolan.local".to_owned()];
        identity::provision(tx, &ctx, Actor::System, "portolan.local", &names)
    });
    let link = link(&server, &mailbox, "new@example.org");
    for name in ["alice", "ALICE", "prepared", "аlice", "a b", "alice@example.org"] {
        let refused = open(&server, &link, name, PASSWORD);
        assert_eq!(refused.page().status, StatusCode::BAD_REQUEST, "{name}");
        assert!(
            refused.page().text().contains("id=\"username-error\""),
            "{name}: {}",
            refused.page().text()
        );
    }
    let weak = open(&server, &link, "newcomer", "short");
    assert!(weak.page().text().contains("id=\"password-error\""));
    assert_eq!(
        open(&server, &link, "newcomer", PASSWORD).page().status,
        StatusCode::OK,
        "the link is still good"
    );
}

#[test]
fn the_link_works_for_a_day_and_addresses_that_are_none_are_refused() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    for email in ["", "nobody", "a b@example.org"] {
        assert_eq!(ask(&server, email).page().status, StatusCode::BAD_REQUEST, "{email}");
    }
    let link = link(&server, &mailbox, "new@example.org");
    server.advance_seconds(86_399);
    assert_eq!(server.browser().get(&link).page().status, StatusCode::OK);
    server.advance_seconds(1);
    assert_eq!(server.browser().get(&link).page().status, StatusCode::FORBIDDEN);
}

/// Threats, row 20: strangers with a few addresses use up what is usual in an hour, and
/// keep nobody out but themselves.
#[test]
fn when_many_ask_for_accounts_each_address_gets_one_link_an_hour() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let now = server.now();
    ask(&server, "first@example.org");
    ask(&server, "second@example.org");
    assert_eq!(server.send_mail(), 2, "usually an address may ask more often");
    for number in 0..200_u8 {
        let sql = "INSERT INTO one_time_links (hash, purpose, address, created_at, expires_at) VALUES ($1, 'sign_up', 'x', $2, $2)";
        server.sql(sql, params![vec![number; 32], now]);
    }

    assert_eq!(ask(&server, "third@example.org").title(), "Look into your mail");
    assert_eq!(server.send_mail(), 1);
    let refused = ask(&server, "fourth@example.org");
    assert_eq!(refused.page().status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.page().header("retry-after").is_some());
    assert_eq!(server.send_mail(), 0);

    let browser = server.browser();
    browser.get("/p/sign-up");
    let form = browser.form().set("email", "elsewhere@example.org");
    let fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let cookies: Vec<String> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let answer = server
        .request(Method::POST, &form.action)
        .header("cookie", &cookies.join("; "))
        .from("203.0.113.7".parse().unwrap())
        .form(&fields)
        .send();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.summary());
    assert_eq!(server.send_mail(), 1, "whoever comes from elsewhere is not kept out");
}
