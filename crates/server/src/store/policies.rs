//! Authentication policies (wire.md 1.13).

use portolan_db::{Error as DbError, FromRow, IntoValue, ReadTx, Row};
use portolan_types::PolicyId;

use crate::error::Result;

#[derive(Clone, Debug)]
pub struct Policy {
    pub id: PolicyId,
    pub display_name: String,
    pub high_assurance: bool,
    /// Seconds.
    pub authentication_assurance_timeout: Option<i64>,
    pub required_mfa: bool,
    pub domain_constraints_include: Option<Vec<String>>,
    pub domain_constraints_exclude: Option<Vec<String>>,
}

impl FromRow for Policy {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let list = |row: &mut Row| {
            row.take::<Option<String>>()
                .map(|text| text.map(|text| super::json_list(&text)))
        };
        Ok(Self {
            id: row.take()?,
            display_name: row.take()?,
            high_assurance: row.take()?,
            authentication_assurance_timeout: row.take()?,
            required_mfa: row.take()?,
            domain_constraints_include: list(row)?,
            domain_constraints_exclude: list(row)?,
        })
    }
}

/// Several at once; the unknown are left out.
pub fn list_by_ids(tx: &mut ReadTx, ids: &[PolicyId]) -> Result<Vec<Policy>> {
    let mut values = Vec::new();
    let list = super::in_list(&mut values, ids.iter().map(|id| id.into_value()));
    Ok(tx.fetch_all(
        &format!(
            "SELECT id, display_name, high_assurance, authentication_assurance_timeout, required_mfa,
                    domain_constraints_include, domain_constraints_exclude
               FROM policies WHERE id IN ({list})"
        ),
        values,
    )?)
}
