//! Identity providers and the username domains they assert. A domain belongs to one provider.

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row, WriteTx, params};
use portolan_types::{IdentityProviderId, Timestamp};

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
