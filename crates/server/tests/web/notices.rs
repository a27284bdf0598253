//! What the contact of a project is told.

use portolan_db::params;
use portolan_server::domain::client::registration;
use portolan_server::domain::mail;
use portolan_server::domain::project::{self, Manager};
use portolan_server::store::keys;
use portolan_server::store::projects::{self, BUILT_IN};
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
    assert!(text.contains("alice@portolan.local\nbob@portolan.local"), "{text}");
    assert!(text.contains("Project: Beamline"));

    let client = server.client().named("Portal").in_project(beamline.id).create();
    let (ctx, id) = (server.ctx(), client.id);
    server.write(move |tx| registration::delete(tx, &ctx, &Manager::operator(), id));
    let messages = told(&server, &mailbox);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].1, "An app was deleted");
    assert!(messages[0].2.contains("Portal"));

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
