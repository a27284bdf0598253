//! From a configuration to a running [`App`]: opens the store, brings its schema up to
//! date, finds or makes the keys, and refuses whatever does not belong together. Blocks;
//! not to be called from async code.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use portolan_db::{Db, Engine, MigrateMode, WriteTx};
use portolan_types::Timestamp;

use crate::app::{App, Clock, Ctx, ServerKeys, random_bytes};
use crate::config::{Config, ConfigError, Migrate};
use crate::domain::keys::rotation::{self, Schedule};
use crate::domain::keys::{KeySet, LoadError};
use crate::domain::password::Hasher;
use crate::domain::sealing::{MasterKey, MasterKeyError, OpenError};
use crate::domain::token_format;
use crate::error::Error;
use crate::store::{MIGRATIONS, identities, keys, links, settings};
use crate::upstream::smtp::Smtp;
use crate::{catalogue, jobs};

/// The names of the server's symmetric keys in the store.
const ROTATION_KEY: &str = "rotation";
const FORM_KEY: &str = "form";

const SETUP_LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What the start did that a person may want to know.
#[derive(Debug)]
pub struct Started {
    /// Where the first administrator is made; only while there is none.
    pub setup_link: Option<String>,
    /// Versions of the migrations that were applied.
    pub migrations: Vec<i64>,
}

/// Why the server does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Refused(String),
    #[error("the folder {path} cannot be used: {source}")]
    Folder { path: String, source: io::Error },
    #[error("the store: {0}")]
    Store(#[from] portolan_db::Error),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the keys in the store: {0}")]
    Sealed(#[from] OpenError),
    #[error("the keys in the store: {0}")]
    Keys(#[from] LoadError),
    #[error("{0}")]
    Server(#[from] Error),
}

/// Starts on a store that may still be empty.
pub fn start(config: Config, clock: Clock) -> Result<(App, Started), StartError> {
    create_folder(&config.data_dir)?;
    let db = Db::open(config.store_options()?)?;
    // A server that would send mail and cannot read how shall not start.
    Smtp::new(&config).map_err(StartError::Refused)?;
    let mode = match config.migrate {
        Migrate::Auto => MigrateMode::Auto,
        Migrate::Check => MigrateMode::Check,
    };
    let migrations = db.migrate(MIGRATIONS, mode)?.applied;
    let now = clock.now();
    check_settings(&db, &config)?;
    let master_key = master_key(&db, &config)?;
    let hasher = Hasher::new(&config.password_hashing());
    let app = assemble(config, db, clock, master_key, hasher)?;
    let setup_link = setup_link(&app.db, &app.config, now)?;
    Ok((app, Started { setup_link, migrations }))
}

/// The part of the start that needs neither files nor an operator's decision: keys and
/// catalogue on a migrated store. Tests begin here, with a throw-away store and cheap
/// password hashes.
pub fn assemble(
    config: Config,
    db: Db,
    clock: Clock,
    master_key: MasterKey,
    hasher: Hasher,
) -> Result<App, StartError> {
    let now = clock.now();
    let server_keys = server_keys(&db, &master_key, now)?;
    let signing_keys = signing_keys(&db, &master_key, now)?;
    let ctx = Ctx::at(now);
    let names = config.clone();
    db.write_blocking(move |tx| catalogue::install(tx, &ctx, &names))?;
    Ok(App::new(
        config,
        db,
        clock,
        master_key,
        server_keys,
        signing_keys,
        hasher,
    ))
}

/// Opens the store of a server that runs or has run, for commands in a second process.
/// Never migrates: a running server of another version must not have its schema changed
/// under it. The names that the store was started with win over the configuration.
pub fn open(mut config: Config, clock: Clock) -> Result<App, StartError> {
    let db = open_store(&config)?;
    let stored = db.read_blocking(settings::list)?;
    for (name, value) in stored {
        match name.as_str() {
            settings::ISSUER if !config.has_public_url() => config.public_url = value,
            settings::SCOPE_URL_PREFIX => config.scope_url_prefix = value,
            settings::RESOURCE_SERVER_NAME => config.resource_server_name = value,
            _ => {}
        }
    }
    let Some(check_value) = db.read_blocking(|tx| settings::find(tx, settings::MASTER_KEY_CHECK))? else {
        return Err(never_started(&config));
    };
    let master_key = load_master_key(&config, &check_value)?;
    let server_keys = server_keys(&db, &master_key, clock.now())?;
    let signing_keys = KeySet::load(&master_key, &db.read_blocking(keys::list)?)?;
    let hasher = Hasher::new(&config.password_hashing());
    Ok(App::new(
        config,
        db,
        clock,
        master_key,
        server_keys,
        signing_keys,
        hasher,
    ))
}

/// The store alone, as commands need it that touch no key.
pub fn open_store(config: &Config) -> Result<Db, StartError> {
    // SQLite would make an empty file where there is none.
    if config.sqlite_path().is_some_and(|path| !path.exists()) {
        return Err(never_started(config));
    }
    let db = Db::open(config.store_options()?)?;
    db.migrate(MIGRATIONS, MigrateMode::Check)?;
    Ok(db)
}

fn never_started(config: &Config) -> StartError {
    let place = match config.sqlite_path() {
        Some(path) => path.display().to_string(),
        None => "this database".to_owned(),
    };
    StartError::Refused(format!(
        "there is no store at {place} yet. Start the server once (portolan serve), or name the right folder \
         (--data-dir) or database (--database)"
    ))
}

/// Makes the data folder, readable for its owner only.
pub fn create_folder(path: &Path) -> Result<(), StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StartError::Folder {
            path: path.display().to_string(),
            source,
        })
}

/// What clients have written into their code and tokens cannot change by a slip in the
/// configuration. The address of a server on this machine follows its port, so it is
/// fixed only once the operator has chosen one.
fn check_settings(db: &Db, config: &Config) -> Result<(), StartError> {
    let mut names = vec![
        (
            settings::SCOPE_URL_PREFIX,
            config.scope_url_prefix.clone(),
            "scope_url_prefix",
        ),
        (
            settings::RESOURCE_SERVER_NAME,
            config.resource_server_name.clone(),
            "resource_server_name",
        ),
    ];
    if config.has_public_url() {
        names.push((settings::ISSUER, config.issuer(), "public_url"));
    }
    for (name, value, setting) in names {
        let wanted = value.clone();
        let stored = db.write_blocking(move |tx| settings::insert_or_get(tx, name, &value))?;
        if stored != wanted {
            return Err(StartError::Refused(format!(
                "{setting} is {wanted}, but this store was started with {stored}. Tokens and clients hold the old \
                 value. Set {setting} back to it, or change it for good: portolan settings set {name} {wanted}"
            )));
        }
    }
    if !config.has_public_url()
        && let Some(issuer) = db.read_blocking(|tx| settings::find(tx, settings::ISSUER))?
    {
        return Err(StartError::Refused(format!(
            "this store belongs to the public address {issuer}: give --public-url {issuer} (or another one after \
             portolan settings set issuer URL)"
        )));
    }
    Ok(())
}

/// On SQLite the key is made at the first start. Nodes that share a PostgreSQL database
/// share the key, so there the operator gives it: a key that one node made for itself
/// would lock out the others.
fn master_key(db: &Db, config: &Config) -> Result<MasterKey, StartError> {
    let path = config.master_key_path();
    if let Some(check_value) = db.read_blocking(|tx| settings::find(tx, settings::MASTER_KEY_CHECK))? {
        return load_master_key(config, &check_value);
    }
    let master_key = match MasterKey::load(&path) {
        Err(MasterKeyError::Missing(_)) if db.engine() == Engine::Sqlite => MasterKey::load_or_create(&path)?,
        Err(MasterKeyError::Missing(_)) => {
            return Err(StartError::Refused(format!(
                "there is no master key at {path}. Every server on this PostgreSQL database needs the same one. \
                 Make it with\n\n    portolan keys master-key {path}\n\nand keep a copy in a safe place: without it \
                 the keys in the database cannot be read. Give it to further servers as the same file \
                 (--master-key-file)",
                path = path.display()
            )));
        }
        loaded => loaded?,
    };
    let ours = master_key.check_value().to_owned();
    let stored = db.write_blocking(move |tx| settings::insert_or_get(tx, settings::MASTER_KEY_CHECK, &ours))?;
    // Another node may have been first.
    if master_key.matches(&stored) {
        Ok(master_key)
    } else {
        Err(wrong_master_key(config))
    }
}

fn load_master_key(config: &Config, check_value: &str) -> Result<MasterKey, StartError> {
    let master_key = MasterKey::load(&config.master_key_path())?;
    if master_key.matches(check_value) {
        Ok(master_key)
    } else {
        Err(wrong_master_key(config))
    }
}

fn wrong_master_key(config: &Config) -> StartError {
    StartError::Refused(format!(
        "the master key in {} is not the one that this store was sealed with. Put the right file there, or name it: \
         --master-key-file",
        config.master_key_path().display()
    ))
}

/// Where a symmetric key is sealed for.
pub fn secret_key_place(name: &str) -> String {
    format!("secret_keys/sealed/{name}")
}

fn server_keys(db: &Db, master_key: &MasterKey, now: Timestamp) -> Result<ServerKeys, StartError> {
    let key = |name: &'static str| -> Result<hmac::Key, StartError> {
        let place = secret_key_place(name);
        let sealed = match db.read_blocking(move |tx| keys::find_secret(tx, name))? {
            Some(sealed) => sealed,
            None => {
                let fresh = master_key.seal(&place, &random_bytes::<32>());
                // Of two nodes that start at once the first decides.
                db.write_blocking(move |tx| {
                    keys::insert_secret(tx, name, &fresh, now)?;
                    keys::find_secret(tx, name)?.ok_or_else(|| Error::internal("a key that was just stored is gone"))
                })?
            }
        };
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &master_key.open(&place, &sealed)?))
    };
    Ok(ServerKeys {
        rotation: key(ROTATION_KEY)?,
        form: key(FORM_KEY)?,
    })
}

/// Makes a key of each kind that nothing signs for; at the first start both.
fn signing_keys(db: &Db, master_key: &MasterKey, now: Timestamp) -> Result<KeySet, StartError> {
    let stored = db.read_blocking(keys::list)?;
    for kind in rotation::missing(&stored, now) {
        let spare = jobs::keys::generate(master_key, kind, now)?;
        db.write_blocking(move |tx| {
            // Another node may have been first.
            if rotation::missing(&keys::list(tx)?, now).contains(&kind) {
                jobs::keys::rotate(tx, now, Schedule::Now, &spare)?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(KeySet::load(master_key, &db.read_blocking(keys::list)?)?)
}

/// A fresh link at each start while there is no administrator; earlier ones end. Nobody
/// but who sees the server's output can use it, and no default password exists.
pub fn setup_link(db: &Db, config: &Config, now: Timestamp) -> Result<Option<String>, StartError> {
    let secret = format!(
        "{:032x}{:032x}",
        u128::from_ne_bytes(random_bytes()),
        u128::from_ne_bytes(random_bytes())
    );
    let hash = token_format::hash(&secret);
    let made = db.write_blocking(move |tx: &mut WriteTx| {
        links::delete_by_purpose(tx, links::FIRST_ADMINISTRATOR)?;
        if identities::has_administrator(tx)? {
            return Ok::<_, Error>(false);
        }
        links::insert(tx, &hash, links::FIRST_ADMINISTRATOR, now, now + SETUP_LINK_LIFETIME)?;
        Ok(true)
    })?;
    Ok(made.then(|| format!("{}/p/setup/{secret}", config.public_url())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use portolan_db::testing::TestDb;
    use tempfile::TempDir;

    use super::*;
    use crate::domain::keys::SigningAlgorithm;

    pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);

    pub(crate) fn config(folder: &TempDir) -> Config {
        Config {
            data_dir: folder.path().join("data"),
            ..Config::default()
        }
    }

    /// A server on a new SQLite store, with a clock that stands still.
    pub(crate) fn app(folder: &TempDir) -> App {
        start(config(folder), Clock::fixed(NOW)).unwrap().0
    }

    fn key_id(app: &App) -> String {
        app.keys()
            .signer(SigningAlgorithm::Rs256, NOW)
            .unwrap()
            .kid()
            .to_owned()
    }

    #[test]
    fn a_second_start_finds_the_keys_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (first, started) = start(config(&folder), Clock::fixed(NOW)).unwrap();
        assert!(started.setup_link.is_some());
        assert!(!started.migrations.is_empty());
        let (first_key, sign) = (key_id(&first), |app: &App| {
            hmac::sign(&app.server_keys.form, b"x").as_ref().to_vec()
        });
        let first_tag = sign(&first);
        first.db.clone().close();

        let (second, started) = start(config(&folder), Clock::fixed(NOW)).unwrap();

        assert!(started.migrations.is_empty());
        assert_eq!((key_id(&second), sign(&second)), (first_key, first_tag));
    }

    #[test]
    fn commands_take_the_names_that_the_store_was_started_with() {
        let folder = tempfile::tempdir().unwrap();
        let renamed = Config {
            public_url: "https://auth.example.org".into(),
            scope_url_prefix: "https://auth.example.org/scopes/".into(),
            resource_server_name: "auth.example.org".into(),
            ..config(&folder)
        };
        start(renamed, Clock::fixed(NOW)).unwrap();

        let app = open(config(&folder), Clock::fixed(NOW)).unwrap();

        assert_eq!(app.config.issuer(), "https://auth.example.org");
        assert_eq!(app.config.scope_url_prefix, "https://auth.example.org/scopes/");
        assert_eq!(app.config.resource_server_name, "auth.example.org");
        let Err(refused) = start(config(&folder), Clock::fixed(NOW)) else {
            panic!("other names are refused")
        };
        assert!(
            refused.to_string().contains("portolan settings set scope_url_prefix"),
            "{refused}"
        );
    }

    #[test]
    fn on_postgresql_the_operator_gives_the_master_key_and_all_nodes_share_it() {
        let Some(db) = TestDb::postgres(&[]) else { return };
        let on_postgres = |folder: &TempDir| Config {
            database: db.url().to_owned(),
            ..config(folder)
        };
        let (first, second, third) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );

        let Err(refused) = start(on_postgres(&first), Clock::fixed(NOW)) else {
            panic!("there is no master key")
        };
        assert!(refused.to_string().contains("portolan keys master-key"), "{refused}");

        MasterKey::load_or_create(&on_postgres(&first).master_key_path()).unwrap();
        let (node, _) = start(on_postgres(&first), Clock::fixed(NOW)).unwrap();
        create_folder(&on_postgres(&second).data_dir).unwrap();
        std::fs::copy(
            on_postgres(&first).master_key_path(),
            on_postgres(&second).master_key_path(),
        )
        .unwrap();
        let (other_node, _) = start(on_postgres(&second), Clock::fixed(NOW)).unwrap();
        assert_eq!(key_id(&node), key_id(&other_node));

        create_folder(&on_postgres(&third).data_dir).unwrap();
        MasterKey::load_or_create(&on_postgres(&third).master_key_path()).unwrap();
        let Err(refused) = start(on_postgres(&third), Clock::fixed(NOW)) else {
            panic!("another master key")
        };
        assert!(
            refused
                .to_string()
                .contains("is not the one that this store was sealed with"),
            "{refused}"
        );
    }
}
