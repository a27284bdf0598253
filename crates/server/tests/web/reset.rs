//! A new password by mail, and the address that it goes to. The messages really travel: the
//! server hands them to a mail server of the tests.

use std::time::Duration;

use http::StatusCode;
use portolan_db::params;
use portolan_server::app::App;
use portolan_server::domain::mail;
use portolan_server::jobs::mail::Mailer;
use portolan_server::metrics::Metrics;
use portolan_server::store::identities;

use crate::support::{Auth, Browser, Mailbox, Message, Outcome, TestServer, TestUser, Tokens, runtime};

const NEW: &str = "seven unlikely words of somebody else";

fn ask(server: &TestServer, typed: &str) -> Outcome {
    let browser = server.browser();
    browser.get("/p/reset");
    browser.submit(&browser.form().set("username", typed))
}

/// Asks for this account and returns the message.
#[track_caller]
fn asked(server: &TestServer, mailbox: &Mailbox, typed: &str) -> Message {
    assert_eq!(ask(server, typed).title(), "Look into your mail");
    server.send_mail();
    let mut messages = mailbox.take();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

fn choose(server: &TestServer, link: &str, password: &str) -> Outcome {
    let browser = server.browser();
    let outcome = browser.get(link);
    if outcome.page().status != StatusCode::OK {
        return outcome;
    }
    let form = browser.form().set("password", password).set("password_again", password);
    browser.submit(&form)
}

pub fn userinfo(server: &TestServer, tokens: &Tokens) -> serde_json::Value {
    let token = Auth::Bearer(tokens.access_token().to_owned());
    server.get_as("/v2/oauth2/userinfo", &token).ok().json()
}

fn world() -> (Mailbox, TestServer, TestUser) {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let alice = server.user("alice").create();
    (mailbox, server, alice)
}

/// The message is written by a job, long after the page was answered.
#[test]
fn messages_speak_the_language_of_the_page_that_caused_them() {
    let (mailbox, server, _alice) = world();
    let browser = server.browser();
    browser.prefer("de");
    browser.get("/p/reset");
    browser.submit(&browser.form().set("username", "alice"));
    server.send_mail();
    let message = mailbox.take().remove(0);
    assert!(
        message.text.contains("Das Passwort bleibt, wie es ist."),
        "{}",
        message.text
    );

    browser.get(&message.link());
    browser.submit(&browser.form().set("password", NEW).set("password_again", NEW));
    server.send_mail();
    let told = mailbox.take().remove(0);
    assert!(told.text.contains("Guten Tag"), "{}", told.text);

    assert_eq!(
        asked(&server, &mailbox, "alice").subject(),
        "Choose a new password",
        "nothing is kept of it"
    );
}

/// AA7: the link changes the password and signs nobody in; whatever else is asked for at a
/// login is still asked for.
#[test]
fn a_lost_password_is_replaced_by_mail_and_everything_signed_in_with_the_old_one_ends() {
    let (mailbox, server, alice) = world();
    let elsewhere = server.browser_of(&alice);
    let client = server.client().create();
    let tokens = client.tokens(&elsewhere, "openid email");

    let message = asked(&server, &mailbox, "alice");
    assert_eq!(message.recipient, "alice@example.org");
    assert_eq!(message.subject(), "Choose a new password");
    let said = format!("Somebody asked for a new password for the account {}", alice.username);
    assert!(message.text.contains(&said), "{}", message.text);
    let asked_from = "SELECT count(*) FROM audit_events WHERE action = 'password_reset.ask' AND address = $1";
    assert_eq!(server.count(asked_from, params!["192.0.2.1"]), 1, "not from the job");
    let browser = server.browser();
    browser.get(&message.link());
    let form = browser.form().set("password", NEW).set("password_again", NEW);
    let done = browser.submit(&form);

    assert_eq!(done.title(), "Password changed");
    assert_eq!(
        browser.get("/v2/web/consents").title(),
        "Sign in",
        "nobody is signed in by the link"
    );
    assert_eq!(
        elsewhere.get("/v2/web/consents").title(),
        "Sign in",
        "the other session has ended"
    );
    assert!(!client.is_active(tokens.access_token()));
    let old = server.browser().try_login("alice", &alice.password);
    assert_eq!(old.page().status, StatusCode::UNAUTHORIZED);
    let new = TestUser {
        password: NEW.into(),
        ..alice.clone()
    };
    server.browser().login(&new);
    // The owner is told.
    server.send_mail();
    let notices = mailbox.take();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].subject(), "Your password was changed");
    // Whoever opens links of messages has shown that they read them.
    let token = client.tokens(&server.browser_of(&new), "openid email");
    let userinfo = userinfo(&server, &token);
    assert_eq!(userinfo["email_verified"], true);
}

/// AA6, threats.md 21: nothing is looked up before the answer is given, so that neither text
/// nor status nor time can tell whether there is such an account. What is done is the same:
/// one row, whatever was typed.
#[test]
fn the_answer_is_the_same_and_the_same_work_for_every_name_and_for_none() {
    let (mailbox, server, _) = world();
    let disabled = server.user("gone").create();
    server.write(move |tx| identities::set_enabled(tx, disabled.id, false));
    let mut answers = Vec::new();
    for typed in [
        "alice",
        "alice@example.org",
        "nobody",
        "nobody@example.org",
        "gone",
        "*'\"<>",
    ] {
        let outcome = ask(&server, typed);
        let page = outcome.page();
        let id = page.header("x-request-id").unwrap_or_default().to_owned();
        answers.push((page.status, page.text().replace(&id, "ID")));
        let kept = server.count("SELECT count(*) FROM mail_requests WHERE typed = $1", params![typed]);
        assert_eq!(kept, 1, "{typed}: one row and nothing else");
        assert_eq!(server.count("SELECT count(*) FROM outbox", params![]), 0);
        assert_eq!(
            server.count(
                "SELECT count(*) FROM one_time_links WHERE purpose = 'password_reset'",
                params![]
            ),
            0
        );
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);

    server.send_mail();

    let recipients: Vec<String> = mailbox.take().into_iter().map(|message| message.recipient).collect();
    assert_eq!(
        recipients,
        ["alice@example.org", "alice@example.org"],
        "strangers get nothing"
    );
    assert_eq!(server.count("SELECT count(*) FROM mail_requests", params![]), 0);
}

#[test]
fn a_link_works_once_for_ten_minutes_and_opening_it_uses_nothing_up() {
    let (mailbox, server, _) = world();
    let first = asked(&server, &mailbox, "alice").link();
    for _ in 0..3 {
        assert_eq!(server.browser().get(&first).page().status, StatusCode::OK);
    }
    let (one, other) = (server.browser(), server.browser());
    for browser in [&one, &other] {
        browser.get(&first);
    }
    let fill = |browser: &crate::support::Browser| browser.form().set("password", NEW).set("password_again", NEW);

    assert_eq!(one.submit(&fill(&one)).page().status, StatusCode::OK);
    assert_eq!(other.submit(&fill(&other)).page().status, StatusCode::FORBIDDEN);
    assert_eq!(choose(&server, &first, NEW).page().status, StatusCode::FORBIDDEN);

    let (late, second) = (asked_again(&server, &mailbox), asked_again(&server, &mailbox));
    server.advance_seconds(599);
    assert_eq!(choose(&server, &second, NEW).page().status, StatusCode::OK);
    assert_eq!(
        choose(&server, &late, NEW).page().status,
        StatusCode::FORBIDDEN,
        "with one link the others end"
    );
    mailbox.take();
    let expired = asked_again(&server, &mailbox);
    server.advance_seconds(600);
    assert_eq!(choose(&server, &expired, NEW).page().status, StatusCode::FORBIDDEN);
    for nonsense in ["/p/reset/x", "/p/sign-up/x", "/p/address/x"] {
        assert_eq!(server.browser().get(nonsense).page().status, StatusCode::FORBIDDEN);
    }
}

fn asked_again(server: &TestServer, mailbox: &Mailbox) -> String {
    ask(server, "alice");
    server.send_mail();
    let messages = mailbox.take();
    let link = messages.iter().find(|message| message.text.contains("/p/reset/"));
    link.expect("a message with the link").link()
}

#[test]
fn a_weak_password_is_explained_at_its_field_and_the_link_stays() {
    let (mailbox, server, _) = world();
    let link = asked(&server, &mailbox, "alice").link();
    let refused = choose(&server, &link, "short");
    assert_eq!(refused.page().status, StatusCode::BAD_REQUEST);
    assert!(refused.page().text().contains("id=\"password-error\""));
    assert_eq!(choose(&server, &link, NEW).page().status, StatusCode::OK);
}

/// Nobody can be flooded, and whoever is attacked so still gets in: by one of those links.
#[test]
fn a_recipient_gets_five_links_in_an_hour_and_the_last_one_works() {
    let (mailbox, server, _) = world();
    for _ in 0..20 {
        ask(&server, "alice");
    }
    server.send_mail();
    let messages = mailbox.take();
    assert_eq!(messages.len(), 5);
    assert_eq!(choose(&server, &messages[4].link(), NEW).title(), "Password changed");
    mailbox.take();

    server.advance_seconds(3600);
    ask(&server, "alice");
    server.send_mail();
    let subjects: Vec<String> = mailbox
        .take()
        .iter()
        .map(|message| message.subject().to_owned())
        .collect();
    assert!(subjects.contains(&"Choose a new password".to_owned()), "{subjects:?}");
}

/// A stranger who asks for an hour's worth of links locks nobody out: when these have
/// expired, the owner gets another one, and there is never more than one at a time.
#[test]
fn strangers_cannot_use_up_the_links_of_an_owner() {
    let (mailbox, server, _) = world();
    for _ in 0..20 {
        ask(&server, "alice");
    }
    server.send_mail();
    assert_eq!(mailbox.take().len(), 5);

    server.advance_seconds(601);
    for _ in 0..20 {
        ask(&server, "alice");
    }
    server.send_mail();
    let messages = mailbox.take();
    assert_eq!(messages.len(), 1, "none of the five works any more, so one is sent");
    assert_eq!(choose(&server, &messages[0].link(), NEW).title(), "Password changed");
}

/// What is asked for with the address of somebody else does not use up their resets.
#[test]
fn links_count_by_what_they_are_for() {
    let (mailbox, server, _) = world();
    let bob = server.browser_of(&server.user("bob").create());
    for _ in 0..6 {
        let stranger = server.browser();
        stranger.get("/p/sign-up");
        stranger.submit(&stranger.form().set("email", "alice@example.org"));
        bob.get("/p/address");
        bob.submit(&bob.form().set("email", "alice@example.org"));
    }
    server.send_mail();
    assert_eq!(mailbox.take().len(), 10, "five of each kind");
    for _ in 0..2 {
        asked(&server, &mailbox, "alice");
    }
}

/// Whoever waits for a link does not wait for everybody's notices.
#[test]
fn a_link_goes_before_the_notices_that_wait() {
    let (mailbox, server, _) = world();
    for number in 0..30 {
        let ctx = server.ctx();
        server.write(move |tx| mail::queue(tx, &ctx, &format!("a{number}@example.org"), "A notice", "b"));
    }
    server.advance_seconds(1);
    ask(&server, "alice");
    assert_eq!(server.send_mail(), 31);
    assert_eq!(mailbox.take()[0].subject(), "Choose a new password");
}

/// A node that dies while it sends holds up the message under way, for two minutes, and none
/// of the others.
#[test]
fn a_node_that_stops_holds_up_one_message_for_two_minutes() {
    let (mailbox, server, _) = world();
    for number in 0..5 {
        let ctx = server.ctx();
        server.write(move |tx| mail::queue(tx, &ctx, &format!("a{number}@example.org"), "A notice", "b"));
    }
    let stuck = mailbox.hang();
    let app = server.app().clone();
    let node = runtime().spawn(async move {
        let mailer = Mailer::new(&app).unwrap().unwrap();
        mailer.run_once(&app).await
    });
    stuck.recv().unwrap();
    node.abort();

    assert_eq!(server.send_mail(), 4);
    server.advance_seconds(119);
    assert_eq!(server.send_mail(), 0);
    server.advance_seconds(1);
    assert_eq!(server.send_mail(), 1);
}

/// One request that cannot be answered stays, and stops none of the others.
#[test]
fn a_request_that_fails_stops_none_of_the_others() {
    let (mailbox, server, _) = world();
    server.user("bob").create();
    server.sql(
        "CREATE TRIGGER fault BEFORE INSERT ON outbox WHEN NEW.recipient = 'bob@example.org'
         BEGIN SELECT RAISE(ABORT, 'a fault of the test'); END",
        params![],
    );
    for _ in 0..12 {
        ask(&server, "bob");
    }
    server.advance_seconds(1);
    assert_eq!(asked(&server, &mailbox, "alice").recipient, "alice@example.org");

    server.sql("DROP TRIGGER fault", params![]);
    assert_eq!(server.send_mail(), 5, "as many links as Bob gets in an hour");
    assert_eq!(server.count("SELECT count(*) FROM mail_requests", params![]), 0);
    let dropped = "SELECT count(*) FROM audit_events WHERE action = 'mail.drop'";
    assert_eq!(server.count(dropped, params![]), 7, "the operator learns of the others");
}

/// The bound for everybody together stops strangers; where somebody was signed in before,
/// it does not count.
#[test]
fn strangers_who_use_up_all_mail_lock_out_strangers_only() {
    let mailbox = Mailbox::open();
    let server = TestServer::with(|config| {
        mailbox.configure(config);
        config.limits.mail_requests_in_all_per_hour = 1;
    });
    let alice = server.user("alice").create();
    let home = server.browser_of(&alice);
    assert_eq!(ask(&server, "bob").page().status, StatusCode::OK);
    assert_eq!(ask(&server, "alice").page().status, StatusCode::TOO_MANY_REQUESTS);

    home.get("/p/address");
    assert_eq!(home.submit(&home.form()).title(), "Look into your mail");
    home.get("/v2/web/logout");
    home.submit(&home.form());
    home.get("/p/reset");
    let outcome = home.submit(&home.form().set("username", "alice"));
    assert_eq!(outcome.title(), "Look into your mail");
}

#[test]
fn one_address_can_ask_so_often_and_all_together_so_often() {
    let mailbox = Mailbox::open();
    let server = TestServer::with(|config| {
        mailbox.configure(config);
        config.limits.mail_requests_per_hour = 3;
    });
    for _ in 0..3 {
        assert_eq!(ask(&server, "alice").page().status, StatusCode::OK);
    }
    let refused = ask(&server, "alice");
    assert_eq!(refused.page().status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.page().header("retry-after").is_some());

    let server = TestServer::with(|config| {
        mailbox.configure(config);
        config.limits.mail_requests_in_all_per_hour = 1;
    });
    assert_eq!(ask(&server, "alice").page().status, StatusCode::OK);
    assert_eq!(ask(&server, "bob").page().status, StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn without_a_mail_server_the_login_page_offers_nothing_and_the_page_says_why() {
    let server = TestServer::new();
    assert!(!server.browser().get("/p/login").page().text().contains("/p/reset"));
    let page = server.browser().get("/p/reset");
    assert_eq!(
        (page.title().as_str(), page.page().status),
        ("No mail is sent here", StatusCode::NOT_FOUND)
    );
    assert_eq!(server.browser().get("/p/sign-up").page().status, StatusCode::NOT_FOUND);

    let (_, server, _) = world();
    let login = server.browser().get("/p/login").page().text();
    assert!(login.contains("href=\"/p/reset\"") && login.contains("href=\"/p/sign-up\""));
}

#[test]
fn what_fails_is_tried_again_later_and_given_up_when_nobody_needs_it_any_more() {
    let (mailbox, server, alice) = world();
    let ctx = server.ctx();
    let id = alice.id;
    server.write(move |tx| {
        let identity = identities::get(tx, id)?;
        mail::notify(tx, &ctx, &identity, "A notice", "Something happened.")
    });
    mailbox.refuse("451 4.3.0 later");
    mailbox.refuse("451 4.3.0 later");

    assert_eq!(server.send_mail(), 0);
    assert_eq!(server.send_mail(), 0, "not before its time");
    server.advance_seconds(60);
    assert_eq!(server.send_mail(), 0);
    server.advance_seconds(60);
    assert_eq!(server.send_mail(), 0, "delays grow");
    server.advance_seconds(60);
    assert_eq!(server.send_mail(), 1);
    let message = mailbox.take().remove(0);
    assert_eq!(message.header("auto-submitted"), Some("auto-generated"));
    assert!(metrics(server.app()).contains("portolan_mail_total{outcome=\"Failed\"} 2"));

    // Refused for good: no further attempt. The audit trail knows.
    let ctx = server.ctx();
    server.write(move |tx| mail::queue(tx, &ctx, "alice@example.org", "Another", "b"));
    mailbox.refuse("550 5.1.1 no such user");
    assert_eq!(server.send_mail(), 0);
    let given_up = "SELECT count(*) FROM audit_events WHERE action = 'mail.give_up'";
    assert_eq!(server.count(given_up, params![]), 1);
    server.advance(Duration::from_secs(86_400));
    assert_eq!(server.send_mail(), 0);

    // After two days of failures the same.
    let ctx = server.ctx();
    server.write(move |tx| mail::queue(tx, &ctx, "alice@example.org", "A third", "b"));
    let waiting = || server.count("SELECT count(*) FROM outbox WHERE finished_at IS NULL", params![]);
    for (hours, waits) in [(40, 1), (16, 0)] {
        for _ in 0..hours / 4 {
            mailbox.refuse("451 later");
            server.send_mail();
            server.advance(Duration::from_secs(4 * 3600));
        }
        assert_eq!(waiting(), waits, "after {hours} hours more");
    }
    assert_eq!(server.count(given_up, params![]), 2);
}

fn metrics(app: &App) -> String {
    Metrics::render(&app.metrics, &app.db)
}

/// A name or a subject with line breaks begins no header of its own (threats.md 19).
#[test]
fn no_header_can_be_smuggled_into_a_message() {
    let (mailbox, server, _) = world();
    let ctx = server.ctx();
    server.write(move |tx| {
        mail::queue(
            tx,
            &ctx,
            "alice@example.org",
            "Hello\r\nBcc: victim@example.org\r\n\r\nbody",
            "x\r\n.\r\nMAIL FROM:<a@example.org>",
        )?;
        mail::queue(tx, &ctx, "a@example.org>\r\nRCPT TO:<victim@example.org", "s", "b")
    });
    server.send_mail();
    let messages = mailbox.take();
    assert_eq!(messages.len(), 1, "the second has no recipient: {messages:?}");
    assert_eq!(messages[0].header("bcc"), None);
    assert_eq!(messages[0].recipient, "alice@example.org");
    assert!(messages[0].text.contains("MAIL FROM:<a@example.org>"));
}

/// Whoever reads the table cannot follow the link.
#[test]
fn a_link_waits_sealed_and_is_forgotten_when_it_is_sent() {
    let (mailbox, server, _) = world();
    mailbox.refuse("451 later");
    ask(&server, "alice");
    server.send_mail();
    let open = "SELECT count(*) FROM outbox WHERE sealed_link IS NOT NULL AND body = $1";
    assert_eq!(server.count(open, params![""]), 0);
    let text: (String,) = server.read(|tx| Ok(tx.fetch_one("SELECT body FROM outbox", params![])?));
    assert!(text.0.contains("{link}") && !text.0.contains("/p/reset/"));

    server.advance_seconds(60);
    assert_eq!(server.send_mail(), 1);
    assert_eq!(
        server.count(
            "SELECT count(*) FROM outbox WHERE body <> '' OR sealed_link IS NOT NULL",
            params![]
        ),
        0
    );
}

#[test]
fn two_nodes_send_each_message_once() {
    let (mailbox, server, _) = world();
    let other = server.second_node();
    for _ in 0..5 {
        ask(&server, "alice");
    }
    std::thread::scope(|scope| {
        scope.spawn(|| server.send_mail());
        scope.spawn(|| other.send_mail());
    });
    server.send_mail();
    assert_eq!(mailbox.take().len(), 5);
}

/// AA7: a change of address needs a fresh sign-in, counts when the new address has answered,
/// and both are told.
#[test]
fn an_address_is_changed_after_a_fresh_sign_in_by_the_link_to_the_new_one() {
    let (mailbox, server, alice) = world();
    let browser = server.browser_of(&alice);
    let address = |server: &TestServer| {
        let id = alice.id;
        server.read(move |tx| Ok(identities::get(tx, id)?.email)).unwrap()
    };
    server.advance_seconds(601);
    assert_eq!(browser.get("/p/address").title(), "Sign in", "ten minutes are over");
    browser.login(&alice);
    assert_eq!(browser.title(), "E-mail address");
    assert!(browser.text().contains("not confirmed"));
    let refused = browser.submit(&browser.form().set("email", "no address"));
    assert_eq!(refused.page().status, StatusCode::BAD_REQUEST);
    let reset = asked(&server, &mailbox, "alice").link();

    browser.get("/p/address");
    browser.submit(&browser.form().set("email", "new@example.net"));
    server.send_mail();
    let message = mailbox.take().remove(0);
    assert_eq!(message.recipient, "new@example.net");
    assert_eq!(address(&server), "alice@example.org", "not before the link");
    let anywhere = server.browser();
    anywhere.get(&message.link());
    assert_eq!(address(&server), "alice@example.org", "opening it is not enough");
    let form = anywhere.form();
    assert_eq!(anywhere.submit(&form).title(), "Address confirmed");
    assert_eq!(anywhere.submit(&form).page().status, StatusCode::FORBIDDEN, "once");

    assert_eq!(address(&server), "new@example.net");
    server.send_mail();
    let mut told: Vec<String> = mailbox.take().into_iter().map(|message| message.recipient).collect();
    told.sort();
    assert_eq!(told, ["alice@example.org", "new@example.net"]);
    assert_eq!(
        choose(&server, &reset, NEW).page().status,
        StatusCode::FORBIDDEN,
        "a link that went to the old address is dead"
    );
    browser.get("/p/address");
    assert!(
        browser.text().contains("new@example.net (confirmed)"),
        "{}",
        browser.text()
    );
}

/// Whoever was signed in with a stolen password cannot take the account back by a link that
/// they asked for before its owner recovered it.
#[test]
fn a_new_password_ends_every_link_that_was_asked_for_before() {
    let (mailbox, server, alice) = world();
    let intruder = server.browser_of(&alice);
    intruder.get("/p/address");
    intruder.submit(&intruder.form().set("email", "intruder@example.net"));
    server.send_mail();
    let planted = mailbox.take().remove(0).link();
    let reset = asked(&server, &mailbox, "alice").link();
    assert_eq!(choose(&server, &reset, NEW).title(), "Password changed");

    let anywhere = server.browser();
    assert_eq!(anywhere.get(&planted).page().status, StatusCode::FORBIDDEN);
    let id = alice.id;
    let address = server.read(move |tx| Ok(identities::get(tx, id)?.email)).unwrap();
    assert_eq!(address, "alice@example.org");
}

/// The message that a form for a new address sends.
#[track_caller]
fn link_to(server: &TestServer, mailbox: &Mailbox, browser: &Browser, address: &str) -> String {
    browser.get("/p/address");
    let outcome = browser.submit(&browser.form().set("email", address));
    assert_eq!(outcome.title(), "Look into your mail");
    server.send_mail();
    let message = mailbox.take().remove(0);
    assert_eq!(message.recipient, address);
    message.link()
}

#[track_caller]
fn confirm(server: &TestServer, link: &str) {
    let anywhere = server.browser();
    anywhere.get(link);
    assert_eq!(anywhere.submit(&anywhere.form()).title(), "Address confirmed");
}

/// Whoever entered a wrong address at first has not given the account away.
#[test]
fn the_link_to_the_last_address_that_was_entered_counts_and_no_earlier_one() {
    let (mailbox, server, alice) = world();
    let browser = server.browser_of(&alice);
    let wrong = link_to(&server, &mailbox, &browser, "alcie@example.net");
    let right = link_to(&server, &mailbox, &browser, "alice@example.net");

    assert_eq!(
        server.browser().get(&wrong).page().status,
        StatusCode::FORBIDDEN,
        "the first link is dead"
    );
    confirm(&server, &right);
    let id = alice.id;
    let address = server.read(move |tx| Ok(identities::get(tx, id)?.email)).unwrap();
    assert_eq!(address, "alice@example.net");
}

#[test]
fn an_account_that_is_switched_off_confirms_no_address() {
    let (mailbox, server, alice) = world();
    let link = link_to(&server, &mailbox, &server.browser_of(&alice), "new@example.net");
    let opened = server.browser();
    opened.get(&link);
    let form = opened.form();
    // As it stands in the store; the operator's command ends the links as well.
    server.sql("UPDATE identities SET enabled = 0 WHERE id = $1", params![alice.id]);

    assert_eq!(server.browser().get(&link).page().status, StatusCode::FORBIDDEN);
    assert_eq!(opened.submit(&form).page().status, StatusCode::FORBIDDEN);
    let id = alice.id;
    let address = server.read(move |tx| Ok(identities::get(tx, id)?.email)).unwrap();
    assert_eq!(address, "alice@example.org");
}

/// The link went to somebody who may read that address no longer, or only seemed to.
#[test]
fn a_link_for_a_new_password_is_not_revived_when_its_address_comes_back() {
    let (mailbox, server, alice) = world();
    let browser = server.browser_of(&alice);
    let reset = asked(&server, &mailbox, "alice").link();
    for address in ["new@example.net", "alice@example.org"] {
        let link = link_to(&server, &mailbox, &browser, address);
        confirm(&server, &link);
        server.send_mail();
        mailbox.take();
    }

    assert_eq!(choose(&server, &reset, NEW).page().status, StatusCode::FORBIDDEN);
}

#[test]
fn a_link_for_a_new_password_ends_with_the_address_that_it_went_to() {
    let (mailbox, server, alice) = world();
    let reset = asked(&server, &mailbox, "alice").link();
    // Past every page that would have ended the link.
    server.sql(
        "UPDATE identities SET email = 'other@example.org' WHERE id = $1",
        params![alice.id],
    );

    assert_eq!(choose(&server, &reset, NEW).page().status, StatusCode::FORBIDDEN);
}

#[test]
fn the_address_of_an_account_is_confirmed_only_by_its_link_and_only_while_it_stays() {
    let (mailbox, server, alice) = world();
    let client = server.client().create();
    let browser = server.browser_of(&alice);
    let verified = || {
        let tokens = client.tokens(&browser, "openid email");
        userinfo(&server, &tokens)["email_verified"].clone()
    };
    assert_eq!(verified(), false, "an operator has typed it");
    browser.get("/p/address");
    browser.submit(&browser.form());
    server.send_mail();
    let link = mailbox.take().remove(0).link();
    let other = server.browser();
    other.get(&link);
    other.submit(&other.form());
    assert_eq!(verified(), true);
    server.sql(
        "UPDATE identities SET email = 'other@example.org' WHERE id = $1",
        params![alice.id],
    );
    assert_eq!(verified(), false);
    let tokens = client.tokens(&browser, "openid");
    assert!(userinfo(&server, &tokens).get("email_verified").is_none());
}

#[test]
fn an_account_that_is_switched_off_is_told_to_its_owner() {
    let (mailbox, server, alice) = world();
    let ctx = server.ctx();
    server.write(move |tx| portolan_server::domain::identity::switch_off(tx, &ctx, alice.id));
    server.send_mail();
    assert_eq!(mailbox.take()[0].subject(), "Your account was switched off");
}

/// Others can make the server write to an address: that uses nothing up of what its owner must
/// hear.
#[test]
fn mail_that_others_cause_does_not_crowd_out_what_an_owner_must_hear() {
    let (_, server, alice) = world();
    let project = server.project("Of a stranger");
    let (ctx, id) = (server.ctx(), alice.id);
    server.write(move |tx| {
        let mut project = portolan_server::store::projects::get(tx, project)?;
        project.contact_email = "Alice@example.org".into();
        for _ in 0..100 {
            mail::notify_contact(tx, &ctx, &project, "An app was deleted", "text")?;
        }
        portolan_server::domain::identity::set_password(tx, &ctx, id, "a hash")
    });
    let queued = |subject: &str| server.count("SELECT count(*) FROM outbox WHERE subject = $1", params![subject]);
    assert_eq!(queued("An app was deleted"), 20);
    assert_eq!(queued("Your password was changed"), 1);
}
