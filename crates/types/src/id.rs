//! Typed ids. Two adjacent `Uuid` parameters are a bug waiting to happen, so each
//! noun has its own type. Uuids are read in either case and printed in lower case
//! with dashes (wire.md 3.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id with these bytes; for literals in tests and catalogues.
            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts only the 36-character dashed form, in either case.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl From<Uuid> for $name {
            fn from(value: Uuid) -> Self {
                Self(value)
            }
        }

        #[cfg(feature = "sql")]
        impl portolan_db::IntoValue for $name {
            fn into_value(self) -> portolan_db::Value {
                portolan_db::IntoValue::into_value(self.0)
            }
        }

        #[cfg(feature = "sql")]
        impl portolan_db::FromValue for $name {
            fn from_value(value: portolan_db::Value) -> Result<Self, portolan_db::Error> {
                <Uuid as portolan_db::FromValue>::from_value(value).map(Self)
            }
        }
    };
}

/// The text is not a uuid in the dashed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a uuid in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
pub struct InvalidId;

id!(
    /// An identity (wire.md 1.2).
    IdentityId
);
id!(
    /// A linked identity set (wire.md 1.3); never on the wire.
    IdentitySetId
);
id!(
    /// An identity provider (wire.md 1.4).
    IdentityProviderId
);
id!(
    /// A project (wire.md 1.5).
    ProjectId
);
id!(
    /// A client (wire.md 1.6).
    ClientId
);
id!(
    /// A client credential (wire.md 1.8).
    CredentialId
);
id!(
    /// A scope (wire.md 1.10).
    ScopeId
);
id!(
    /// An authentication policy (wire.md 1.13).
    PolicyId
);
id!(
    /// A browser session: one cookie, its authentications; never on the wire.
    BrowserSessionId
);
id!(
    /// A session of one client in one browser, shown as `session_id` (wire.md 1.14).
    AppSessionId
);
id!(
    /// One code exchange or client-credentials call, inherited by refreshes and dependents.
    IssuanceId
);
id!(
    /// One chain of refresh tokens of one resource server.
    FamilyId
);

impl ClientId {
    /// The identity a non-public client acts as: the same uuid (wire.md 1.7).
    pub fn identity(self) -> IdentityId {
        IdentityId(self.0)
    }
}

/// A consent. The public interface shows integers, so this id is one: random, below
/// 2^53 so that every JSON reader keeps it exact, and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = i64, example = 70311))]
#[serde(transparent)]
pub struct ConsentId(pub i64);

impl fmt::Display for ConsentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ConsentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId)
    }
}

#[cfg(feature = "sql")]
impl portolan_db::IntoValue for ConsentId {
    fn into_value(self) -> portolan_db::Value {
        portolan_db::Value::Int(self.0)
    }
}

#[cfg(feature = "sql")]
impl portolan_db::FromValue for ConsentId {
    fn from_value(value: portolan_db::Value) -> Result<Self, portolan_db::Error> {
        <i64 as portolan_db::FromValue>::from_value(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_either_case_and_printed_in_lower_case() {
        let id: ClientId = "95FDEBA8-FAC2-42BD-A357-E068D82FF78E".parse().expect("a uuid");
        assert_eq!(id.to_string(), "95fdeba8-fac2-42bd-a357-e068d82ff78e");
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        for text in [
            "",
            "95fdeba8fac242bda357e068d82ff78e",
            "{95fdeba8-fac2-42bd-a357-e068d82ff78e}",
            "x",
        ] {
            assert_eq!(text.parse::<ClientId>(), Err(InvalidId), "{text}");
        }
    }
}
