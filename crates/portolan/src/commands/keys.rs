//! `portolan keys`: signing keys and the master key that seals them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use portolan_server::domain::keys::rotation::{PUBLISH_LEAD, Schedule, state};
use portolan_server::domain::keys::{KeyKind, StoredKey};
use portolan_server::domain::sealing::MasterKey;
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::keys;
use portolan_server::{jobs, serve};
use serde_json::{Value, json};

use crate::options::{Options, context};
use crate::output;

#[derive(Subcommand)]
pub enum Keys {
    /// List the signing keys and what each does now
    List,
    /// Publish new signing keys, which sign once clients have had time to read them
    #[command(after_help = "\
Servers read the keys every half minute; no restart is needed. A key that waits for its
turn is not doubled by a second call.

Examples:
  portolan keys rotate                  new keys, which sign after an hour
  portolan keys rotate --now            they sign at once: clients that cached the list fail for a while
  portolan keys rotate --compromised    and all others are removed: tokens they signed are no longer accepted")]
    Rotate(Rotate),
    /// Make a master key file, for servers on PostgreSQL
    #[command(after_help = "\
Keep a copy in a safe place, apart from backups of the store: without it the keys in the
store cannot be read.

Example:
  portolan keys master-key /etc/portolan/master.key")]
    MasterKey {
        /// [default: where the configuration looks for it]
        file: Option<PathBuf>,
    },
    /// Seal everything in the store with another master key
    #[command(after_help = "\
Stop all servers of this store first; start them afterwards with the new file.

Example:
  portolan keys master-key new.key
  portolan keys rewrap new.key")]
    Rewrap {
        /// The file of the new master key
        new_file: PathBuf,
    },
}

#[derive(Args)]
pub struct Rotate {
    /// Which kind of key
    #[arg(long, value_enum, default_value_t)]
    kind: Kinds,
    /// Sign with the new key at once
    #[arg(long)]
    now: bool,
    /// The old keys are in the wrong hands: remove them
    #[arg(long)]
    compromised: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Kinds {
    #[default]
    All,
    Rsa,
    Ec,
}

impl Keys {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Keys::List => list(options),
            Keys::Rotate(rotate) => rotate.run(options),
            Keys::MasterKey { file } => make_master_key(options, file),
            Keys::Rewrap { new_file } => rewrap(options, &new_file),
        }
    }
}

fn list(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let stored = db.read_blocking(keys::list).map_err(output::explain)?;
    print_keys(options, &stored)
}

impl Rotate {
    fn run(self, options: &Options) -> Result<()> {
        let app = options.app()?;
        let schedule = match (self.compromised, self.now) {
            (true, _) => Schedule::Compromised,
            (false, true) => Schedule::Now,
            (false, false) => Schedule::Published { lead: PUBLISH_LEAD },
        };
        let mut has_successor = false;
        for kind in KeyKind::ALL {
            let wanted = match self.kind {
                Kinds::All => true,
                Kinds::Rsa => kind == KeyKind::Rsa,
                Kinds::Ec => kind == KeyKind::Ec,
            };
            if !wanted {
                continue;
            }
            let ctx = context();
            let spare = jobs::keys::generate(&app.master_key, kind, ctx.now).map_err(output::explain)?;
            let rotated = app
                .db
                .write_blocking(move |tx| jobs::keys::rotate_for(tx, &ctx, Actor::Operator, schedule, &spare))
                .map_err(output::explain)?;
            has_successor |= rotated.has_successor;
            if !rotated.is_changed {
                output::note(&format!(
                    "{}: a new key is published already and waits for its turn",
                    kind.name()
                ));
            }
        }
        if has_successor {
            let ctx = context();
            app.db
                .write_blocking(move |tx| jobs::keys::tell_projects(tx, &ctx))
                .map_err(output::explain)?;
        }
        let stored = app.db.read_blocking(keys::list).map_err(output::explain)?;
        print_keys(options, &stored)
    }
}

fn make_master_key(options: &Options, file: Option<PathBuf>) -> Result<()> {
    let path = match file {
        Some(file) => file,
        None => options.config()?.master_key_path(),
    };
    if path.exists() {
        bail!(
            "{} exists and is left as it is: a store may be sealed with it",
            path.display()
        );
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        portolan_server::start::create_folder(folder)?;
    }
    let key = MasterKey::load_or_create(&path)?;
    let document = json!({ "file": path, "key_id": key.key_id() });
    output::print(options.format, &document, || {
        format!(
            "A master key is in {} (key id {}).\nKeep a copy in a safe place, apart from backups of the store.",
            path.display(),
            key.key_id()
        )
    })
}

fn rewrap(options: &Options, new_file: &std::path::Path) -> Result<()> {
    let app = options.app()?;
    // A running server would go on sealing with the old key.
    let _lock = serve::lock_data_folder(&app.config.data_dir)?;
    let new = Arc::new(MasterKey::load(new_file)?);
    let old = Arc::new(MasterKey::load(&app.config.master_key_path())?);
    let (ctx, key_id) = (context(), new.key_id());
    let count = app
        .db
        .write_blocking(move |tx| {
            let count = jobs::keys::rewrap(tx, &old, &new)?;
            audit::insert(tx, &ctx, &event("master_key.rewrap", json!({ "key_id": new.key_id() })))?;
            Ok::<_, portolan_server::Error>(count)
        })
        .map_err(output::explain)?;
    let document = json!({ "values": count, "key_id": key_id, "master_key_file": new_file });
    output::print(options.format, &document, || {
        format!(
            "{count} values are sealed with the new key {key_id}. Now put it in its place:\n\n    mv {} {}\n\nor start \
             servers with --master-key-file {}. Keep the old file as long as you keep old backups.",
            new_file.display(),
            app.config.master_key_path().display(),
            new_file.display()
        )
    })
}

fn event(action: &'static str, detail: Value) -> Event {
    Event {
        action,
        actor: Actor::Operator,
        resource_kind: "server",
        resource_id: "keys".into(),
        detail,
    }
}

fn print_keys(options: &Options, stored: &[StoredKey]) -> Result<()> {
    let now = context().now;
    let documents: Vec<Value> = stored
        .iter()
        .map(|key| {
            json!({
                "id": key.id,
                "kind": key.kind.name(),
                "state": state(stored, key, now).name(),
                "publish_at": key.publish_at,
                "sign_from": key.sign_from,
                "retire_at": key.retire_at,
                "created_at": key.created_at,
            })
        })
        .collect();
    output::print(options.format, &json!({ "keys": documents }), || {
        let rows = stored.iter().map(|key| {
            vec![
                key.kind.name().to_owned(),
                state(stored, key, now).name().to_owned(),
                key.sign_from.to_string(),
                key.retire_at.map(|at| at.to_string()).unwrap_or_default(),
                key.id.to_string(),
            ]
        });
        output::list(&["kind", "state", "signs from", "retires", "id"], rows)
    })
}
