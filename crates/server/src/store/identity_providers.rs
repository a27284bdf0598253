//! Identity providers and the username domains they assert. A domain belongs to one provider.

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityId, IdentityProviderId, Timestamp};

use crate::error::Result;

/// The provider of local accounts; fixed, so that every node and backup agrees.
pub const LOCAL: IdentityProviderId = IdentityProviderId::from_u128(0x8f1b_5a3c_2d46_4e0b_9c57_0a2f_6d81_3e94);
/// The provider of client identities (wire.md 1.1).
pub const CLIENTS: IdentityProviderId = IdentityProviderId::from_u128(0x3a74_877b_e2a3_44b1_8958_ede1_031b_1827);
/// The domain of client identities.
pub const CLIENTS_DOMAIN: &str = "clients.auth.globus.org";

#[derive(Clone, Debug)]
pub struct IdentityProvider {
    pub id: IdentityProviderId,
    pub name: String,
    pub short_name: String,
    pub kind: String,
    pub alternative_names: String,
    pub enabled: bool,
}

impl FromRow for IdentityProvider {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.take()?,
            name: row.take()?,
            short_name: row.take()?,
            kind: row.take()?,
            alternative_names: row.take()?,
            enabled: row.take()?,
        })
    }
}

impl IdentityProvider {
    pub fn alternative_names(&self) -> Vec<String> {
        super::json_list(&self.alternative_names)
    }
}

const SELECT: &str = "SELECT id, name, short_name, kind, alternative_names, enabled FROM identity_providers";

pub fn find(tx: &mut ReadTx, id: IdentityProviderId) -> Result<Option<IdentityProvider>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE id = $1"), params![id])?)
}

/// Every provider, by name. For operators.
pub fn list(tx: &mut ReadTx) -> Result<Vec<IdentityProvider>> {
    Ok(tx.fetch_all(&format!("{SELECT} ORDER BY name, id"), params![])?)
}

pub fn find_by_domain(tx: &mut ReadTx, domain: &str) -> Result<Option<IdentityProvider>> {
    Ok(tx.fetch_optional(
        &format!("{SELECT} WHERE id = (SELECT identity_provider_id FROM idp_domains WHERE domain = $1)"),
        params![domain],
    )?)
}

pub fn list_domains(tx: &mut ReadTx, id: IdentityProviderId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = tx.fetch_all(
        "SELECT domain FROM idp_domains WHERE identity_provider_id = $1 ORDER BY domain",
        params![id],
    )?;
    Ok(rows.into_iter().map(|(domain,)| domain).collect())
}

pub fn exists(tx: &mut ReadTx, id: IdentityProviderId) -> Result<bool> {
    Ok(find(tx, id)?.is_some())
}

/// Several at once by name; the unknown are left out.
pub fn list_by_ids(tx: &mut ReadTx, ids: &[IdentityProviderId]) -> Result<Vec<IdentityProvider>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(&format!("{SELECT} WHERE id IN ({list}) ORDER BY name, id"), values)?)
}

/// The providers of these domains, given in lower case, each once.
pub fn list_by_domains(tx: &mut ReadTx, domains: &[String]) -> Result<Vec<IdentityProvider>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, domains.iter().map(IntoValue::into_value));
    Ok(tx.fetch_all(
        &format!(
            "{SELECT}
              WHERE id IN (SELECT identity_provider_id FROM idp_domains WHERE domain IN ({list})) ORDER BY name, id"
        ),
        values,
    )?)
}

/// Writes a built-in provider; its name follows the catalogue, its state stays.
pub fn upsert(tx: &mut WriteTx, provider: &IdentityProvider, domains: &[&str], now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO identity_providers (id, name, short_name, kind, alternative_names, configuration, enabled, created_at)
         VALUES ($1, $2, $3, $4, $5, '{}', $6, $7)
             ON CONFLICT (id) DO UPDATE SET name = $2, short_name = $3, alternative_names = $5",
        params![
            provider.id,
            &provider.name,
            &provider.short_name,
            &provider.kind,
            &provider.alternative_names,
            provider.enabled,
            now
        ],
    )?;
    for domain in domains {
        tx.execute(
            "INSERT INTO idp_domains (domain, identity_provider_id) VALUES ($1, $2) ON CONFLICT (domain) DO NOTHING",
            params![*domain, provider.id],
        )?;
    }
    Ok(())
}

/// What it takes to sign in through a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub issuer: Option<String>,
    /// JSON of `upstream::provider::Configuration`.
    pub configuration: String,
    /// Our secret there, sealed.
    pub sealed_secret: Option<Vec<u8>>,
}

impl FromRow for Setup {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            issuer: row.take()?,
            configuration: row.take()?,
            sealed_secret: row.take()?,
        })
    }
}

pub fn find_setup(tx: &mut ReadTx, id: IdentityProviderId) -> Result<Option<Setup>> {
    Ok(tx.fetch_optional(
        "SELECT issuer, configuration, sealed_secret FROM identity_providers WHERE id = $1",
        params![id],
    )?)
}

pub fn find_by_short_name(tx: &mut ReadTx, short_name: &str) -> Result<Option<IdentityProvider>> {
    Ok(tx.fetch_optional(&format!("{SELECT} WHERE short_name = $1"), params![short_name])?)
}

/// A provider of the operator's; false if the short name is taken.
pub fn insert(tx: &mut WriteTx, provider: &IdentityProvider, setup: &Setup, now: Timestamp) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO identity_providers (id, name, short_name, kind, alternative_names, issuer, configuration,
                                         sealed_secret, enabled, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING",
        params![
            provider.id,
            &provider.name,
            &provider.short_name,
            &provider.kind,
            &provider.alternative_names,
            setup.issuer.clone(),
            &setup.configuration,
            setup.sealed_secret.clone(),
            provider.enabled,
            now
        ],
    )?;
    Ok(inserted == 1)
}

/// Everything but its kind and whether it is enabled.
pub fn update(tx: &mut WriteTx, provider: &IdentityProvider, setup: &Setup) -> Result<()> {
    tx.execute(
        "UPDATE identity_providers
            SET name = $2, short_name = $3, alternative_names = $4, issuer = $5, configuration = $6, sealed_secret = $7
          WHERE id = $1",
        params![
            provider.id,
            &provider.name,
            &provider.short_name,
            &provider.alternative_names,
            setup.issuer.clone(),
            &setup.configuration,
            setup.sealed_secret.clone()
        ],
    )?;
    Ok(())
}

pub fn set_enabled(tx: &mut WriteTx, id: IdentityProviderId, enabled: bool) -> Result<()> {
    tx.execute(
        "UPDATE identity_providers SET enabled = $2 WHERE id = $1",
        params![id, enabled],
    )?;
    Ok(())
}

/// Only where no identity names it.
pub fn delete(tx: &mut WriteTx, id: IdentityProviderId) -> Result<()> {
    tx.execute("DELETE FROM identity_providers WHERE id = $1", params![id])?;
    Ok(())
}

pub fn has_identities(tx: &mut ReadTx, id: IdentityProviderId) -> Result<bool> {
    let row: Option<(IdentityId,)> = tx.fetch_optional(
        "SELECT id FROM identities WHERE identity_provider_id = $1 LIMIT 1",
        params![id],
    )?;
    Ok(row.is_some())
}

/// Gives the provider a domain that is nobody's; false if it is somebody's.
pub fn insert_domain(tx: &mut WriteTx, id: IdentityProviderId, domain: &str) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO idp_domains (domain, identity_provider_id) VALUES ($1, $2) ON CONFLICT (domain) DO NOTHING",
        params![domain, id],
    )?;
    Ok(inserted == 1)
}

pub fn delete_domain(tx: &mut WriteTx, domain: &str) -> Result<()> {
    tx.execute("DELETE FROM idp_domains WHERE domain = $1", params![domain])?;
    Ok(())
}

/// The domains of several providers.
pub fn list_domains_of(tx: &mut ReadTx, ids: &[IdentityProviderId]) -> Result<Vec<(IdentityProviderId, String)>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "SELECT identity_provider_id, domain FROM idp_domains
              WHERE identity_provider_id IN ({list}) ORDER BY domain"
        ),
        values,
    )?)
}

/// A provider as people choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub id: IdentityProviderId,
    pub name: String,
    pub domains: Vec<String>,
}

/// Of these, by name, those that people can sign in through.
pub fn list_offered(tx: &mut ReadTx, ids: &[IdentityProviderId]) -> Result<Vec<Offered>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    let rows: Vec<(IdentityProviderId, String, Option<String>)> = tx.fetch_all(
        &format!(
            "SELECT p.id, p.name, d.domain
               FROM identity_providers p LEFT JOIN idp_domains d ON d.identity_provider_id = p.id
              WHERE p.id IN ({list}) AND p.enabled = 1 AND p.kind IN ('oidc', 'oauth2')
              ORDER BY p.name, p.id, d.domain"
        ),
        values,
    )?;
    let mut offered: Vec<Offered> = Vec::new();
    for (id, name, domain) in rows {
        match offered.last_mut().filter(|last| last.id == id) {
            Some(last) => last.domains.extend(domain),
            None => offered.push(Offered {
                id,
                name,
                domains: domain.into_iter().collect(),
            }),
        }
    }
    Ok(offered)
}

/// Replaces the words that a provider is found by.
pub fn replace_words(tx: &mut WriteTx, id: IdentityProviderId, words: &[String]) -> Result<()> {
    tx.execute("DELETE FROM idp_words WHERE identity_provider_id = $1", params![id])?;
    for word in words {
        tx.execute(
            "INSERT INTO idp_words (word, identity_provider_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![word, id],
        )?;
    }
    Ok(())
}

/// Those that people can sign in through, by name.
pub fn list_choices(tx: &mut ReadTx, limit: i64) -> Result<Vec<IdentityProvider>> {
    Ok(tx.fetch_all(
        &format!("{SELECT} WHERE enabled = 1 AND kind IN ('oidc', 'oauth2') ORDER BY name, id LIMIT $1"),
        params![limit],
    )?)
}

/// How many of these there are, counted up to a limit.
pub fn count_choices(tx: &mut ReadTx, limit: i64) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM (SELECT 1 FROM identity_providers
                                WHERE enabled = 1 AND kind IN ('oidc', 'oauth2') LIMIT $1) AS found",
        params![limit],
    )?)
}

/// The last character there is: no word that begins like this one is greater.
fn end(word: &str) -> String {
    format!("{word}\u{10FFFF}")
}

/// How many words begin like this, counted up to a limit.
pub fn count_words(tx: &mut ReadTx, word: &str, limit: i64) -> Result<i64> {
    Ok(tx.fetch_one(
        "SELECT count(*) FROM (SELECT 1 FROM idp_words WHERE word >= $1 AND word < $2 LIMIT $3) AS found",
        params![word, end(word), limit],
    )?)
}

/// The providers that have a word which begins like this, in the order of their words; one
/// may come twice. Also those that are switched off.
pub fn search_word(tx: &mut ReadTx, word: &str, limit: i64) -> Result<Vec<IdentityProviderId>> {
    let rows: Vec<(IdentityProviderId,)> = tx.fetch_all(
        "SELECT identity_provider_id FROM idp_words
          WHERE word >= $1 AND word < $2 ORDER BY word, identity_provider_id LIMIT $3",
        params![word, end(word), limit],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The same for those that have a word for each of these. The first one should be the
/// rarest: its part of the index is what is read.
pub fn search(tx: &mut ReadTx, words: [&str; 3], limit: i64) -> Result<Vec<IdentityProviderId>> {
    let rows: Vec<(IdentityProviderId,)> = tx.fetch_all(
        "SELECT w.identity_provider_id FROM idp_words w
          WHERE w.word >= $1 AND w.word < $2
            AND EXISTS (SELECT 1 FROM idp_words a
                         WHERE a.identity_provider_id = w.identity_provider_id AND a.word >= $3 AND a.word < $4)
            AND EXISTS (SELECT 1 FROM idp_words b
                         WHERE b.identity_provider_id = w.identity_provider_id AND b.word >= $5 AND b.word < $6)
          ORDER BY w.word, w.identity_provider_id LIMIT $7",
        params![
            words[0],
            end(words[0]),
            words[1],
            end(words[1]),
            words[2],
            end(words[2]),
            limit
        ],
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
