//! What the store remembers about the server: names fixed at the first start and the
//! check value of the master key.

use portolan_db::{Db, Engine, ReadTx, WriteTx, params};
use portolan_types::Timestamp;

use crate::error::{Error, Result};

/// The public address; `iss` of every token.
pub const ISSUER: &str = "issuer";
pub const SCOPE_URL_PREFIX: &str = "scope_url_prefix";
pub const RESOURCE_SERVER_NAME: &str = "resource_server_name";
pub const MASTER_KEY_CHECK: &str = "master_key_check";

/// Those that `portolan settings set` may change.
pub const CHANGEABLE: &[&str] = &[ISSUER, SCOPE_URL_PREFIX, RESOURCE_SERVER_NAME];

pub fn find(tx: &mut ReadTx, name: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = tx.fetch_optional("SELECT value FROM settings WHERE name = $1", params![name])?;
    Ok(row.map(|(value,)| value))
}

pub fn list(tx: &mut ReadTx) -> Result<Vec<(String, String)>> {
    Ok(tx.fetch_all("SELECT name, value FROM settings ORDER BY name", params![])?)
}

/// The value that is stored, which is the given one only if there was none.
pub fn insert_or_get(tx: &mut WriteTx, name: &str, value: &str) -> Result<String> {
    tx.execute(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        params![name, value],
    )?;
    find(tx, name)?.ok_or_else(|| Error::internal("a setting that was just stored is gone"))
}

pub fn upsert(tx: &mut WriteTx, name: &str, value: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
        params![name, value],
    )?;
    Ok(())
}

/// Whether the store answers: through its queue, and from a page of its own.
pub async fn is_reachable(db: &Db) -> Result<()> {
    db.read(|tx| Ok::<_, Error>(tx.fetch_one::<i64>("SELECT count(*) FROM settings", params![])?))
        .await?;
    Ok(())
}

/// The same for commands, which are not async.
pub fn is_reachable_blocking(db: &Db) -> Result<()> {
    db.read_blocking(|tx| Ok::<_, Error>(tx.fetch_one::<i64>("SELECT count(*) FROM settings", params![])?))?;
    Ok(())
}

/// What SQLite finds wrong with the file as a whole; nothing on PostgreSQL, which checks
/// its pages itself.
pub fn check_integrity(db: &Db) -> Result<Vec<String>> {
    if db.engine() != Engine::Sqlite {
        return Ok(Vec::new());
    }
    let report: Vec<(String,)> =
        db.read_blocking(|tx| Ok::<_, Error>(tx.fetch_all("PRAGMA integrity_check(10)", params![])?))?;
    Ok(report
        .into_iter()
        .map(|(line,)| line)
        .filter(|line| line != "ok")
        .collect())
}

/// The clock of the database server; SQLite has none of its own.
pub fn store_time(db: &Db) -> Result<Option<Timestamp>> {
    if db.engine() != Engine::Postgres {
        return Ok(None);
    }
    let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
    Ok(Some(
        db.read_blocking(move |tx| Ok::<_, Error>(tx.fetch_one::<(Timestamp,)>(sql, params![])?))?
            .0,
    ))
}

/// The version of the schema, and the oldest program that may work with it.
pub fn schema_version(tx: &mut ReadTx) -> Result<(i64, i64)> {
    Ok(tx.fetch_one(
        "SELECT version, oldest_compatible FROM schema_meta WHERE id = 1",
        params![],
    )?)
}

/// How many bytes the store takes, without what waits to be written into it.
pub fn store_size(tx: &mut ReadTx, engine: Engine) -> Result<i64> {
    if engine == Engine::Postgres {
        return Ok(tx.fetch_one("SELECT pg_database_size(current_database())", params![])?);
    }
    let pages: i64 = tx.fetch_one("PRAGMA page_count", params![])?;
    let page_size: i64 = tx.fetch_one("PRAGMA page_size", params![])?;
    Ok(pages * page_size)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::MIGRATIONS;

    db_test!(the_first_value_stays_until_it_is_changed, MIGRATIONS, |db| {
        let insert = |value: &'static str| db.write_blocking(move |tx| insert_or_get(tx, ISSUER, value)).unwrap();
        assert_eq!(insert("https://a.example"), "https://a.example");
        assert_eq!(insert("https://b.example"), "https://a.example");
        db.write_blocking(|tx| upsert(tx, ISSUER, "https://c.example")).unwrap();
        assert_eq!(
            db.read_blocking(|tx| find(tx, ISSUER)).unwrap().as_deref(),
            Some("https://c.example")
        );
        assert_eq!(db.read_blocking(|tx| find(tx, SCOPE_URL_PREFIX)).unwrap(), None);
        assert_eq!(
            db.read_blocking(list).unwrap(),
            [(ISSUER.to_owned(), "https://c.example".to_owned())]
        );
    });

    db_test!(a_store_that_answers_is_reachable, MIGRATIONS, |db| {
        is_reachable_blocking(db).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(is_reachable(db)).unwrap();
        assert_eq!(check_integrity(db).unwrap(), Vec::<String>::new());
    });

    db_test!(a_store_knows_its_version_and_its_size, MIGRATIONS, |db| {
        let (version, oldest) = db.read_blocking(schema_version).unwrap();
        assert_eq!(Some(version), MIGRATIONS.last().map(|migration| migration.version));
        assert!(oldest <= version);
        let engine = db.engine();
        let size = db.read_blocking(move |tx| store_size(tx, engine)).unwrap();
        assert!(size > 100_000, "{size}");
    });

    db_test!(only_a_database_server_has_a_clock_of_its_own, MIGRATIONS, |db| {
        match store_time(db).unwrap() {
            None => assert_eq!(db.engine(), Engine::Sqlite),
            Some(time) => assert!(time > Timestamp::from_seconds(1_700_000_000)),
        }
    });
}
