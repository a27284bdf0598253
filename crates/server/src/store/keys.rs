//! Signing keys and the server's symmetric keys, all sealed with the master key.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::domain::keys::rotation::KeyTimes;
use crate::domain::keys::{KeyKind, StoredKey};
use crate::error::Result;

impl FromRow for StoredKey {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let id = row.take()?;
        let kind: String = row.take()?;
        Ok(Self {
            id,
            kind: KeyKind::parse(&kind).ok_or_else(|| DbError::decode("a kind of signing key"))?,
            public_first: row.take()?,
            public_second: row.take()?,
            sealed_private: row.take()?,
            publish_at: row.take()?,
            sign_from: row.take()?,
            retire_at: row.take()?,
            created_at: row.take()?,
        })
    }
}

pub fn list(tx: &mut ReadTx) -> Result<Vec<StoredKey>> {
    Ok(tx.fetch_all(
        "SELECT id, kind, public_first, public_second, sealed_private, publish_at, sign_from, retire_at, created_at
           FROM signing_keys
          ORDER BY created_at, id",
        params![],
    )?)
}

pub fn insert(tx: &mut WriteTx, key: &StoredKey) -> Result<()> {
    tx.execute(
        "INSERT INTO signing_keys (id, kind, public_first, public_second, sealed_private,
                                   publish_at, sign_from, retire_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            key.id,
            key.kind.name(),
            &key.public_first,
            &key.public_second,
            &key.sealed_private,
            key.publish_at,
            key.sign_from,
            key.retire_at,
            key.created_at,
        ],
    )?;
    Ok(())
}

pub fn update_times(tx: &mut WriteTx, times: &KeyTimes) -> Result<()> {
    tx.execute(
        "UPDATE signing_keys SET publish_at = $2, sign_from = $3, retire_at = $4 WHERE id = $1",
        params![times.id, times.publish_at, times.sign_from, times.retire_at],
    )?;
    Ok(())
}

pub fn update_sealed(tx: &mut WriteTx, id: Uuid, sealed: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE signing_keys SET sealed_private = $2 WHERE id = $1",
        params![id, sealed],
    )?;
    Ok(())
}

pub fn delete(tx: &mut WriteTx, id: Uuid) -> Result<()> {
    tx.execute("DELETE FROM signing_keys WHERE id = $1", params![id])?;
    Ok(())
}

/// A symmetric key of the server, by name.
pub fn find_secret(tx: &mut ReadTx, name: &str) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = tx.fetch_optional("SELECT sealed FROM secret_keys WHERE name = $1", params![name])?;
    Ok(row.map(|(sealed,)| sealed))
}

pub fn list_secrets(tx: &mut ReadTx) -> Result<Vec<(String, Vec<u8>)>> {
    Ok(tx.fetch_all("SELECT name, sealed FROM secret_keys ORDER BY name", params![])?)
}

/// Does nothing if another node was first.
pub fn insert_secret(tx: &mut WriteTx, name: &str, sealed: &[u8], now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO secret_keys (name, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        params![name, sealed, now],
    )?;
    Ok(())
}

pub fn update_secret(tx: &mut WriteTx, name: &str, sealed: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE secret_keys SET sealed = $2 WHERE name = $1",
        params![name, sealed],
    )?;
    Ok(())
}

/// Secrets at other identity providers, as far as they are kept; for `portolan keys rewrap`.
pub fn list_provider_secrets(tx: &mut ReadTx) -> Result<Vec<(Uuid, Vec<u8>)>> {
    Ok(tx.fetch_all(
        "SELECT id, sealed_secret FROM identity_providers WHERE sealed_secret IS NOT NULL ORDER BY id",
        params![],
    )?)
}

pub fn update_provider_secret(tx: &mut WriteTx, id: Uuid, sealed: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE identity_providers SET sealed_secret = $2 WHERE id = $1",
        params![id, sealed],
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::MIGRATIONS;

    fn key(id: u128, created_at: i64) -> StoredKey {
        StoredKey {
            id: Uuid::from_u128(id),
            kind: KeyKind::Ec,
            public_first: "x".into(),
            public_second: "y".into(),
            sealed_private: vec![1, 2, 3],
            publish_at: Timestamp::from_seconds(1),
            sign_from: Timestamp::from_seconds(2),
            retire_at: None,
            created_at: Timestamp::from_seconds(created_at),
        }
    }

    db_test!(keys_are_kept_in_the_order_of_their_creation, MIGRATIONS, |db| {
        let (first, second) = (key(2, 10), key(1, 20));
        let times = KeyTimes {
            id: first.id,
            publish_at: Timestamp::from_seconds(3),
            sign_from: Timestamp::from_seconds(4),
            retire_at: Some(Timestamp::from_seconds(5)),
        };
        let (to_insert, to_delete) = ([second.clone(), first.clone()], second.id);
        db.write_blocking(move |tx| to_insert.iter().try_for_each(|key| insert(tx, key)))
            .unwrap();
        assert_eq!(db.read_blocking(list).unwrap(), [first.clone(), second]);

        db.write_blocking(move |tx| {
            update_times(tx, &times)?;
            update_sealed(tx, times.id, &[9])?;
            delete(tx, to_delete)
        })
        .unwrap();

        let expected = StoredKey {
            sealed_private: vec![9],
            publish_at: times.publish_at,
            sign_from: times.sign_from,
            retire_at: times.retire_at,
            ..first
        };
        assert_eq!(db.read_blocking(list).unwrap(), [expected]);
    });

    db_test!(of_two_nodes_the_first_sets_a_symmetric_key, MIGRATIONS, |db| {
        let insert = |sealed: &'static [u8]| {
            db.write_blocking(move |tx| insert_secret(tx, "form", sealed, Timestamp::from_seconds(1)))
                .unwrap();
        };
        insert(b"first");
        insert(b"second");
        assert_eq!(
            db.read_blocking(|tx| find_secret(tx, "form")).unwrap().as_deref(),
            Some(&b"first"[..])
        );
        db.write_blocking(|tx| update_secret(tx, "form", b"third")).unwrap();
        assert_eq!(
            db.read_blocking(list_secrets).unwrap(),
            [("form".to_owned(), b"third".to_vec())]
        );
    });

    db_test!(secrets_of_providers_can_be_sealed_again, MIGRATIONS, |db| {
        let id = Uuid::from_u128(1);
        db.write_blocking(move |tx| {
            tx.execute(
                "INSERT INTO identity_providers (id, name, short_name, kind, alternative_names, configuration,
                                                 sealed_secret, enabled, created_at)
                 VALUES ($1, 'p', 'p', 'oidc', '[]', '{}', $2, 1, 0)",
                params![id, b"old".as_slice()],
            )?;
            update_provider_secret(tx, id, b"new")
        })
        .unwrap();
        assert_eq!(
            db.read_blocking(list_provider_secrets).unwrap(),
            [(id, b"new".to_vec())]
        );
    });
}
