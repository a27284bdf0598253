//! Signing keys over time: every node reads them again each half minute, and one of them
//! makes successors if the operator wants that done by the server.

use std::collections::HashSet;
use std::time::Duration;

use portolan_db::WriteTx;
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::app::{App, Ctx, new_uuid};
use crate::domain::id_token;
use crate::domain::keys::rotation::{self, NewKey, PUBLISH_LEAD, Schedule};
use crate::domain::keys::{self as signing, KeyKind, KeySet, StoredKey};
use crate::domain::mail;
use crate::domain::sealing::MasterKey;
use crate::domain::totp;
use crate::error::{Error, Result};
use crate::start::secret_key_place;
use crate::store::audit::{self, Actor, Event};
use crate::store::{factors, keys, outbox, projects, settings};

/// Reads the keys again when they have changed.
#[derive(Default)]
pub struct Reload {
    loaded: Vec<StoredKey>,
}

impl Reload {
    pub async fn run_once(&mut self, app: &App) -> Result<()> {
        rotate_if_due(app).await?;
        let stored = app.db.read(keys::list).await?;
        if stored != self.loaded {
            app.set_keys(KeySet::load(&app.master_key, &stored).map_err(Error::internal)?);
            self.loaded = stored;
        }
        Ok(())
    }
}

/// Makes successors of keys that have signed for as long as the operator wants, and
/// removes keys that nothing refers to any more. Without a lease: two nodes that do it at
/// once make one successor, because planning twice changes nothing the second time.
async fn rotate_if_due(app: &App) -> Result<()> {
    let now = app.clock.now();
    let stored = app.db.read(keys::list).await?;
    let removable = rotation::removable(&stored, now);
    if !removable.is_empty() {
        app.db
            .write(move |tx| removable.iter().try_for_each(|id| keys::delete(tx, *id)))
            .await?;
    }
    let Some(days) = app.config.signing_key_rotation_days else {
        return Ok(());
    };
    let period = Duration::from_secs(days * 86_400);
    let mut has_successor = false;
    for kind in KeyKind::ALL {
        if !rotation::is_due(&stored, kind, now, period, PUBLISH_LEAD) {
            continue;
        }
        let server = app.clone();
        let spare = tokio::task::spawn_blocking(move || generate(&server.master_key, kind, now))
            .await
            .map_err(Error::internal)??;
        let schedule = Schedule::Published { lead: PUBLISH_LEAD };
        let rotated = app.db.write(move |tx| rotate(tx, now, schedule, &spare)).await?;
        if rotated.is_changed {
            tracing::info!(kind = kind.name(), "a new signing key is published");
        }
        has_successor |= rotated.has_successor;
    }
    if has_successor {
        let ctx = app.background();
        app.db.write(move |tx| tell_projects(tx, &ctx)).await?;
    }
    Ok(())
}

/// A key whose times are set when it is inserted.
pub fn generate(master_key: &MasterKey, kind: KeyKind, now: Timestamp) -> Result<StoredKey> {
    signing::generate(
        master_key,
        new_uuid(),
        &NewKey {
            kind,
            publish_at: now,
            sign_from: now,
        },
        now,
    )
}

/// What a rotation of one kind has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    pub is_changed: bool,
    /// There is a new key beside others: to be told by `tell_projects`.
    pub has_successor: bool,
}

/// Carries out the change of keys of one kind. `spare` is made before the transaction,
/// because that takes long, and used if a new key is needed.
pub fn rotate(tx: &mut WriteTx, now: Timestamp, schedule: Schedule, spare: &StoredKey) -> Result<Rotated> {
    let stored = keys::list(tx)?;
    let plan = rotation::plan(&stored, spare.kind, now, schedule, id_token::LIFETIME);
    for id in &plan.delete {
        keys::delete(tx, *id)?;
    }
    for times in &plan.update {
        keys::update_times(tx, times)?;
    }
    if let Some(new) = &plan.insert {
        keys::insert(
            tx,
            &StoredKey {
                publish_at: new.publish_at,
                sign_from: new.sign_from,
                ..spare.clone()
            },
        )?;
    }
    Ok(Rotated {
        is_changed: !plan.is_empty(),
        has_successor: plan.insert.is_some() && stored.iter().any(|key| key.kind == spare.kind),
    })
}

/// The same for somebody who asked for it, written down under their name.
pub fn rotate_for(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, schedule: Schedule, spare: &StoredKey) -> Result<Rotated> {
    let rotated = rotate(tx, ctx.now, schedule, spare)?;
    if rotated.is_changed {
        let event = Event {
            action: "signing_key.rotate",
            actor,
            resource_kind: "server",
            resource_id: "keys".into(),
            detail: serde_json::json!({ "kind": spare.kind.name() }),
        };
        audit::insert(tx, ctx, &event)?;
    }
    Ok(rotated)
}

/// Programs that keep keys for ever learn in time that there are others: once for all
/// kinds that were rotated together, and in a unit of its own, because there may be many
/// projects and every signature waits for the new keys.
pub fn tell_projects(tx: &mut WriteTx, ctx: &Ctx) -> Result<()> {
    let (subject, text) = (ctx.text("mail-key-subject"), ctx.text("mail-key"));
    let mut told: HashSet<String> = HashSet::new();
    for project in projects::list(tx)? {
        let contact = project.contact_email.to_lowercase();
        if !told.contains(&contact) && mail::notify_contact(tx, ctx, &project, subject, text)? {
            told.insert(contact);
        }
    }
    Ok(())
}

/// Where the secret of this server at another identity provider is sealed for.
pub fn provider_secret_place(id: Uuid) -> String {
    format!("identity_providers/sealed_secret/{id}")
}

/// Seals everything in the store with another master key and returns how many values.
/// All or nothing: one transaction, and the check value changes with it.
pub fn rewrap(tx: &mut WriteTx, old: &MasterKey, new: &MasterKey) -> Result<usize> {
    let reseal = |place: &str, sealed: &[u8]| {
        // A value that another run has sealed already is not opened with the old key.
        let opened = if new.has_sealed(sealed) {
            new.open(place, sealed)
        } else {
            old.open(place, sealed)
        };
        opened.map(|plain| new.seal(place, &plain)).map_err(Error::internal)
    };
    let mut count = 0;
    for key in keys::list(tx)? {
        keys::update_sealed(tx, key.id, &reseal(&signing::place(key.id), &key.sealed_private)?)?;
        count += 1;
    }
    for (name, sealed) in keys::list_secrets(tx)? {
        keys::update_secret(tx, &name, &reseal(&secret_key_place(&name), &sealed)?)?;
        count += 1;
    }
    for (id, sealed) in keys::list_provider_secrets(tx)? {
        keys::update_provider_secret(tx, id, &reseal(&provider_secret_place(id), &sealed)?)?;
        count += 1;
    }
    for (id, sealed) in outbox::list_sealed(tx)? {
        outbox::update_sealed(tx, id, &reseal(&mail::link_place(id), &sealed)?)?;
        count += 1;
    }
    for (id, sealed) in factors::list_sealed_seeds(tx)? {
        factors::update_sealed_seed(tx, id, &reseal(&totp::seed_place(id), &sealed)?)?;
        count += 1;
    }
    settings::upsert(tx, settings::MASTER_KEY_CHECK, new.check_value())?;
    Ok(count)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::Clock;
    use crate::config::Config;
    use crate::domain::keys::SigningAlgorithm;
    use crate::start;
    use crate::start::tests::{NOW, app, config};

    fn run(reload: &mut Reload, app: &App) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(reload.run_once(app)).unwrap();
    }

    fn signer(app: &App) -> String {
        app.keys()
            .signer(SigningAlgorithm::Es256, app.clock.now())
            .unwrap()
            .kid()
            .to_owned()
    }

    #[test]
    fn a_rotation_by_another_process_reaches_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        let before = signer(&app);
        app.clock.advance(Duration::from_secs(1));
        let now = app.clock.now();
        let spare = generate(&app.master_key, KeyKind::Ec, now).unwrap();
        app.db
            .write_blocking(move |tx| rotate(tx, now, Schedule::Now, &spare))
            .unwrap();
        assert_eq!(signer(&app), before, "not known yet");

        run(&mut Reload::default(), &app);

        assert_ne!(signer(&app), before);
    }

    #[test]
    fn keys_follow_each_other_on_schedule_and_old_ones_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let scheduled = Config {
            signing_key_rotation_days: Some(30),
            ..config(&folder)
        };
        let (app, _) = start::start(scheduled, Clock::fixed(NOW)).unwrap();
        let mut reload = Reload::default();
        let first = signer(&app);
        let count = |app: &App| app.db.read_blocking(keys::list).unwrap().len();

        app.clock.advance(Duration::from_secs(29 * 86_400));
        run(&mut reload, &app);
        assert_eq!(count(&app), 2, "not due");
        app.clock.advance(Duration::from_secs(86_400) - PUBLISH_LEAD);
        run(&mut reload, &app);
        run(&mut reload, &app);
        assert_eq!(
            count(&app),
            4,
            "one successor of each kind, however often it is looked at"
        );
        assert_eq!(signer(&app), first, "published, but not signing yet");
        app.clock.advance(PUBLISH_LEAD);
        assert_ne!(signer(&app), first);

        app.clock.advance(Duration::from_secs(10 * 86_400));
        run(&mut reload, &app);
        assert_eq!(count(&app), 4, "the old ones still tell whose hints come back");
        app.clock.advance(Duration::from_secs(25 * 86_400));
        run(&mut reload, &app);
        run(&mut reload, &app);
        assert_eq!(count(&app), 4, "the first pair is gone, the third has come");
    }

    #[test]
    fn everything_sealed_opens_with_the_new_master_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        let old = Arc::new(MasterKey::load(&app.config.master_key_path()).unwrap());
        let new = Arc::new(MasterKey::from_bytes(&[42; 32]));
        let provider = crate::store::identity_providers::LOCAL.0;
        let sealed = old.seal(&provider_secret_place(provider), b"client secret");
        app.db
            .write_blocking(move |tx| keys::update_provider_secret(tx, provider, &sealed))
            .unwrap();

        let seed_id = Uuid::from_u128(5);
        let sealed = old.seal(&totp::seed_place(seed_id), b"a seed");
        let ctx = app.background();
        app.db
            .write_blocking(move |tx| {
                let alice = crate::domain::identity::NewLocalIdentity {
                    username: "alice".into(),
                    name: "Alice".into(),
                    email: "alice@example.org".into(),
                    organization: None,
                    password_hash: None,
                    administrator: false,
                };
                let alice = crate::domain::identity::create_local(tx, &ctx, "portolan.local", &alice)?;
                factors::replace_unconfirmed_totp(tx, seed_id, alice.id, &sealed, ctx.now)
            })
            .unwrap();

        let (from, to) = (old.clone(), new.clone());
        let count = app.db.write_blocking(move |tx| rewrap(tx, &from, &to)).unwrap();

        assert_eq!(count, 6, "two signing keys, two symmetric keys, one secret, one seed");
        let stored = app.db.read_blocking(keys::list).unwrap();
        assert!(KeySet::load(&new, &stored).is_ok());
        assert!(KeySet::load(&old, &stored).is_err());
        for (name, sealed) in app.db.read_blocking(keys::list_secrets).unwrap() {
            assert!(new.open(&secret_key_place(&name), &sealed).is_ok());
        }
        let secrets = app.db.read_blocking(keys::list_provider_secrets).unwrap();
        assert_eq!(
            *new.open(&provider_secret_place(secrets[0].0), &secrets[0].1).unwrap(),
            b"client secret"
        );
        let seeds = app.db.read_blocking(factors::list_sealed_seeds).unwrap();
        assert_eq!(*new.open(&totp::seed_place(seed_id), &seeds[0].1).unwrap(), b"a seed");
        let check = app
            .db
            .read_blocking(|tx| settings::find(tx, settings::MASTER_KEY_CHECK))
            .unwrap()
            .unwrap();
        assert!(new.matches(&check) && !old.matches(&check));
    }
}
