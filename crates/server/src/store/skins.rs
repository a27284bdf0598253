//! How apps look on the pages that people see on their way to them.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::{ClientId, ProjectId, Timestamp};

use crate::app::new_uuid;
use crate::domain::skin::{Colour, Colours, Logo};
use crate::error::Result;

/// Whose look it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Client(ClientId),
    /// That of all its apps which have none of their own.
    Project(ProjectId),
}

/// A look, with what is known of its logo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skin {
    pub header_text: Option<String>,
    pub colours: Colours,
    pub logo: Option<KnownLogo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLogo {
    pub hash: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl FromRow for Skin {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let header_text = row.take()?;
        let colour = |number: i64| Colour::of_number(number).ok_or_else(|| DbError::decode("a colour"));
        let colours = Colours {
            band: colour(row.take()?)?,
            text: colour(row.take()?)?,
            background: row.take::<Option<i64>>()?.map(colour).transpose()?,
        };
        let hash: Option<Vec<u8>> = row.take()?;
        let (width, height): (Option<i64>, Option<i64>) = (row.take()?, row.take()?);
        let side = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok()).unwrap_or_default();
        Ok(Self {
            header_text,
            colours,
            logo: hash.map(|hash| KnownLogo {
                hash,
                width: side(width),
                height: side(height),
            }),
        })
    }
}

pub fn find(tx: &mut ReadTx, owner: Owner) -> Result<Option<Skin>> {
    Ok(match owner {
        Owner::Client(id) => tx.fetch_optional(
            "SELECT header_text, band, band_text, background, logo_hash, logo_width, logo_height
               FROM skins WHERE client_id = $1",
            params![id],
        )?,
        Owner::Project(id) => tx.fetch_optional(
            "SELECT header_text, band, band_text, background, logo_hash, logo_width, logo_height
               FROM skins WHERE project_id = $1",
            params![id],
        )?,
    })
}

/// The picture with this hash. Several looks may have the same.
pub fn find_logo(tx: &mut ReadTx, hash: &[u8]) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = tx.fetch_optional(
        "SELECT logo FROM skins WHERE logo_hash = $1 AND logo_hash IS NOT NULL LIMIT 1",
        params![hash],
    )?;
    Ok(row.map(|(logo,)| logo))
}

/// The look from now on, in place of what was there.
pub fn replace(
    tx: &mut WriteTx,
    owner: Owner,
    colours: Colours,
    header_text: Option<&str>,
    logo: Option<&Logo>,
    now: Timestamp,
) -> Result<()> {
    delete(tx, owner)?;
    let (client_id, project_id) = match owner {
        Owner::Client(id) => (Some(id), None),
        Owner::Project(id) => (None, Some(id)),
    };
    tx.execute(
        "INSERT INTO skins (id, client_id, project_id, header_text, band, band_text, background,
                            logo, logo_hash, logo_width, logo_height, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            new_uuid(),
            client_id,
            project_id,
            header_text.map(str::to_owned),
            colours.band.number(),
            colours.text.number(),
            colours.background.map(Colour::number),
            logo.map(|logo| logo.png.clone()),
            logo.map(Logo::hash),
            logo.map(|logo| i64::from(logo.width)),
            logo.map(|logo| i64::from(logo.height)),
            now
        ],
    )?;
    Ok(())
}

/// False if there was none.
pub fn delete(tx: &mut WriteTx, owner: Owner) -> Result<bool> {
    let deleted = match owner {
        Owner::Client(id) => tx.execute("DELETE FROM skins WHERE client_id = $1", params![id])?,
        Owner::Project(id) => tx.execute("DELETE FROM skins WHERE project_id = $1", params![id])?,
    };
    Ok(deleted == 1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_db::db_test;

    use super::*;
    use crate::store::clients::{self, Client};
    use crate::store::{MIGRATIONS, projects};

    db_test!(
        a_look_belongs_to_an_app_or_a_project_and_goes_with_it,
        MIGRATIONS,
        |db| {
            let (client, project) = (ClientId::from_u128(1), ProjectId::from_u128(2));
            let now = Timestamp::from_seconds(100);
            let logo = Logo {
                png: vec![1, 2, 3],
                width: 30,
                height: 20,
            };
            let hash = logo.hash();
            let colours = Colours {
                background: Colour::parse("#eef2f1"),
                ..Colours::default()
            };
            let given = logo.clone();
            db.write_blocking(move |tx| {
                clients::insert(tx, &Client::new(client, "App", "confidential_client", now))?;
                projects::insert(tx, project, "Project", "p@example.org", now)?;
                replace(tx, Owner::Client(client), colours, Some("first"), None, now)?;
                replace(tx, Owner::Client(client), colours, Some("Welcome"), Some(&given), now)?;
                replace(tx, Owner::Project(project), Colours::default(), None, None, now)
            })
            .unwrap();
            let find = |owner| db.read_blocking(move |tx| find(tx, owner)).unwrap();
            let skin = find(Owner::Client(client)).unwrap();
            assert_eq!((skin.header_text.as_deref(), skin.colours), (Some("Welcome"), colours));
            let known = KnownLogo {
                hash: hash.clone(),
                width: 30,
                height: 20,
            };
            assert_eq!(skin.logo, Some(known));
            let wanted = hash.clone();
            assert_eq!(
                db.read_blocking(move |tx| find_logo(tx, &wanted)).unwrap(),
                Some(logo.png)
            );
            assert_eq!(db.read_blocking(|tx| find_logo(tx, &[9; 32])).unwrap(), None);
            let plain = find(Owner::Project(project)).unwrap();
            assert_eq!((plain.header_text, plain.logo), (None, None));

            db.write_blocking(move |tx| clients::delete(tx, client)).unwrap();
            assert_eq!(find(Owner::Client(client)), None);
            let delete = || {
                db.write_blocking(move |tx| delete(tx, Owner::Project(project)))
                    .unwrap()
            };
            assert!(delete());
            assert!(!delete());
        }
    );
}
