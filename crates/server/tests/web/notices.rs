//! What people and the contact of a project are told by mail, and how often.

use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::registration::{self, Notice};
use portolan_server::domain::mail;
use portolan_server::domain::project::{self, Manager};
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::projects::{self, BUILT_IN};
use portolan_server::store::{keys, settings};
use portolan_types::IdentityProviderId;
use portolan_types::api::{Change, ProjectChanges};

use crate::support::{Mailbox, TestServer};

fn told(server: &TestServer, mailbox: &Mailbox) -> Vec<(String, String, String)> {
    server.send_mail();
    let messages = mailbox.take().into_iter();
    messages
        .map(|message| (message.recipient.clone(), message.subject().to_owned(), message.text))
        .collect()
}

#[test]
fn the_contact_of_a_project_is_told_of_its_admins_its_clients_and_new_keys() {
    let mailbox = Mailbox::open();
    let server = TestServer::with(|config| {
        mailbox.configure(config);
        config.signing_key_rotation_days = Some(30);
    });
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let (ctx, ids) = (server.ctx(), (alice.id, bob.id));
    let beamline = server.write(move |tx| {
        let changes = ProjectChanges {
            display_name: Change::Set("Beamline".into()),
            contact_email: Change::Set("Contact@example.org".into()),
            admin_ids: Change::Set(vec![ids.0.to_string()]),
            ..ProjectChanges::default()
        };
        project::create(tx, &ctx, &Manager::operator(), &changes)
    });
    assert!(told(&server, &mailbox).is_empty(), "nothing has changed yet");

    let (ctx, id) = (server.ctx(), beamline.id);
    server.write(move |tx| project::add_admin(tx, &ctx, &Manager::operator(), id, ids.1));
    let messages = told(&server, &mailbox);
    assert_eq!(messages.len(), 1);
    let (recipient, subject, text) = &messages[0];
    assert_eq!(recipient, "Contact@example.org");
    assert_eq!(subject, "The admins of your project have changed");
    assert!(text.contains(&format!("Project: {}", beamline.id)), "{text}");

    let client = server.client().named("Portal").in_project(beamline.id).create();
    let (ctx, id) = (server.ctx(), client.id);
    server.write(move |tx| registration::delete(tx, &ctx, &Manager::operator(), id, Notice::Send));
    let messages = told(&server, &mailbox);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].1, "An app was deleted");
    assert!(messages[0].2.contains(&client.id.to_string()));

    // Another project with the same contact: one message.
    let (ctx, ids) = (server.ctx(), alice.id);
    server.write(move |tx| {
        let changes = ProjectChanges {
            display_name: Change::Set("Second".into()),
            contact_email: Change::Set("contact@example.org".into()),
            admin_ids: Change::Set(vec![ids.to_string()]),
            ..ProjectChanges::default()
        };
        project::create(tx, &ctx, &Manager::operator(), &changes)
    });
    // Both kinds of keys have signed long enough.
    server.advance_seconds(30 * 86_400);
    server.reload_keys();
    assert_eq!(server.read(keys::list).len(), 4);
    let messages = told(&server, &mailbox);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0].1, "A new signing key");
}

/// The contact of the built-in project is an address that nobody reads.
#[test]
fn nobody_is_told_of_the_built_in_project() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let ctx = server.ctx();
    server.write(move |tx| {
        assert!(projects::find(tx, BUILT_IN)?.is_some());
        mail::notify_project(tx, &ctx, BUILT_IN, "A subject", "A text")
    });
    assert_eq!(server.count("SELECT count(*) FROM outbox", params![]), 0);
}

/// Anybody can make a project, name any address as its contact, and choose the names.
#[test]
fn names_that_strangers_chose_are_in_no_notice_of_a_project() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let (mallory, other) = (
        server.user("you-won").create(),
        server.user("visit-evil.example").create(),
    );
    let (ctx, ids) = (server.ctx(), (mallory.id, other.id));
    let project = server.write(move |tx| {
        let changes = ProjectChanges {
            display_name: Change::Set("Collect your prize at evil.example".into()),
            contact_email: Change::Set("victim@example.org".into()),
            admin_ids: Change::Set(vec![ids.0.to_string()]),
            ..ProjectChanges::default()
        };
        project::create(tx, &ctx, &Manager::operator(), &changes)
    });
    let url = server.config().public_url();
    server.write(move |tx| settings::upsert(tx, settings::ISSUER, &url));
    let client = server.client().named("Call 555 now").in_project(project.id).create();
    let (ctx, id) = (server.ctx(), project.id);
    server.write(move |tx| project::add_admin(tx, &ctx, &Manager::operator(), id, ids.1));
    let (ctx, client_id) = (server.ctx(), client.id);
    server.write(move |tx| registration::delete(tx, &ctx, &Manager::operator(), client_id, Notice::Send));
    let ctx = server.ctx();
    server.write(move |tx| {
        let changes = ProjectChanges {
            contact_email: Change::Set("see-evil.example@example.com".into()),
            ..ProjectChanges::default()
        };
        project::update(tx, &ctx, &Manager::operator(), id, &changes)
    });

    let messages = told(&server, &mailbox);

    assert!(messages.len() >= 2, "{messages:?}");
    for (recipient, subject, text) in messages {
        assert_eq!(recipient, "victim@example.org");
        for name in ["prize", "555", "you-won", "evil.example"] {
            assert!(!text.contains(name) && !subject.contains(name), "{subject}: {text}");
        }
        assert!(text.contains(&project.id.to_string()), "{text}");
        assert!(text.contains(&server.config().public_url()), "{text}");
    }
}

/// Whoever takes a project over would else be the only one who hears of it.
#[test]
fn the_old_contact_of_a_project_is_told_of_a_new_one() {
    let mailbox = Mailbox::open();
    let server = TestServer::with_mail(&mailbox);
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let (ctx, id) = (server.ctx(), alice.id);
    let project = server.write(move |tx| {
        let changes = ProjectChanges {
            display_name: Change::Set("Beamline".into()),
            contact_email: Change::Set("old@example.org".into()),
            admin_ids: Change::Set(vec![id.to_string()]),
            ..ProjectChanges::default()
        };
        project::create(tx, &ctx, &Manager::operator(), &changes)
    });
    let update = |contact: &str, admins: Option<String>| {
        let changes = ProjectChanges {
            contact_email: Change::Set(contact.into()),
            admin_ids: admins.map_or(Change::Keep, |id| Change::Set(vec![id])),
            ..ProjectChanges::default()
        };
        let (ctx, id) = (server.ctx(), project.id);
        server.write(move |tx| project::update(tx, &ctx, &Manager::operator(), id, &changes));
        told(&server, &mailbox)
    };

    let messages = update("new@example.org", None);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0].0, "old@example.org");
    assert_eq!(messages[0].1, "The contact of your project has changed");
    assert!(update("NEW@example.org", None).is_empty(), "the same address");

    // With other admins at the same time: who was the contact so far hears of both.
    let messages = update("third@example.org", Some(bob.id.to_string()));
    let mut subjects: Vec<(&str, &str)> = messages
        .iter()
        .map(|(to, what, _)| (to.as_str(), what.as_str()))
        .collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            ("NEW@example.org", "The admins of your project have changed"),
            ("NEW@example.org", "The contact of your project has changed"),
        ]
    );
}

/// The pages of developers are as free as the interface: their changes count too.
#[test]
fn the_pages_of_developers_cause_so_many_notices_in_an_hour() {
    let server = TestServer::with(|config| config.limits.mail_requests_per_hour = 2);
    let (alice, bob) = (server.user("alice").create(), server.user("bob").create());
    let (ctx, id) = (server.ctx(), alice.id);
    let project = server.write(move |tx| {
        let changes = ProjectChanges {
            display_name: Change::Set("Beamline".into()),
            contact_email: Change::Set("contact@example.org".into()),
            admin_ids: Change::Set(vec![id.to_string()]),
            ..ProjectChanges::default()
        };
        project::create(tx, &ctx, &Manager::operator(), &changes)
    });
    let browser = server.browser_of(&alice);
    let at = |rest: &str| format!("/p/developers/projects/{}/{rest}", project.id);
    let notices = || server.count("SELECT count(*) FROM outbox", params![]);
    let edit = |name: &str, contact: &str| {
        browser.get(&at("edit"));
        let form = browser.form_with(&at("edit"), "contact_email");
        browser.submit(&form.set("display_name", name).set("contact_email", contact));
        browser.path().contains("notice=changed")
    };
    for name in ["Beamline 1", "Beamline 2", "Beamline 3"] {
        assert!(
            edit(name, "contact@example.org"),
            "what tells nobody counts for nothing"
        );
    }
    assert!(edit("Beamline", "victim@example.org"));
    browser.get(&at("admins"));
    let form = browser.form_with(&at("admins"), "who");
    browser.submit(&form.set("who", &bob.username));
    assert_eq!(notices(), 2);

    assert!(!edit("Beamline", "another-victim@example.org"));
    assert!(
        browser.text().contains("Too many requests for mail"),
        "{}",
        browser.text()
    );
    let removal = at(&format!("admins/{}", bob.id));
    browser.get(&removal);
    browser.submit(&browser.form_with(&removal, "form_token"));
    assert!(browser.text().contains("Too many requests for mail"));
    let client = server.client().in_project(project.id).create();
    let removal = format!("/p/developers/apps/{}/delete", client.id);
    browser.get(&removal);
    browser.submit(&browser.form_with(&removal, "form_token"));
    assert!(browser.path().contains("notice=app-deleted"), "{}", browser.path());
    assert_eq!(notices(), 2);
}

/// Anybody can have any address at another provider. What is sent there takes nothing from what
/// the owner of a local account with that address is told.
#[test]
fn notices_to_addresses_that_other_providers_tell_are_counted_apart() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let local = server.read(move |tx| identities::get(tx, alice.id));
    let outside = Identity {
        provider_id: IdentityProviderId(new_uuid()),
        ..local.clone()
    };
    let notify = |identity: &Identity, subject: &'static str| {
        let (ctx, identity) = (server.ctx(), identity.clone());
        server.write(move |tx| mail::notify(tx, &ctx, &identity, subject, "Something happened."));
        server.count("SELECT count(*) FROM outbox WHERE subject = $1", params![subject])
    };
    for sent in 1..=20 {
        assert_eq!(notify(&outside, "To anybody"), sent);
    }
    assert_eq!(notify(&outside, "To anybody"), 20, "no more in this hour");
    let address = local.email.clone().unwrap();
    for _ in 0..19 {
        let (ctx, address) = (server.ctx(), address.clone());
        server.write(move |tx| mail::queue(tx, &ctx, &address, "To the owner", "b"));
    }
    assert_eq!(notify(&local, "To the owner"), 20);
    assert_eq!(notify(&local, "To the owner"), 20, "no more in this hour");
}
