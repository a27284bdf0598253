//! Tokens that outlive the program.

use crate::scopes::Scope;
use std::collections::BTreeMap;

/// Stored tokens do not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenValidationError {
    /// x
    #[error("there is no token for {0}")]
    Missing(String),
    /// x
    #[error("scopes")]
    Unmet(BTreeMap<String, Vec<Scope>>),
}
