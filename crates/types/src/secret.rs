//! Values that must not be printed. `Secret` is what the wire carries, `TokenHash`
//! what the table holds; only the hash converts to a database value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret in plain form: token, code, client secret, password. Has no `Display`,
/// its `Debug` shows nothing, and it is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The plain text. Look at each call of this: it is where a secret can leak.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Constant time for values of equal length: the other side may choose the value.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The SHA-256 of a secret with at least 128 bits of randomness; passwords have argon2 instead.
#[derive(Clone, Copy)]
pub struct TokenHash(pub [u8; 32]);

/// Constant time: one side may be chosen by an attacker.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

#[cfg(feature = "sql")]
impl portolan_db::IntoValue for TokenHash {
    fn into_value(self) -> portolan_db::Value {
        portolan_db::Value::Blob(self.0.to_vec())
    }
}

#[cfg(feature = "sql")]
impl portolan_db::FromValue for TokenHash {
    fn from_value(value: portolan_db::Value) -> Result<Self, portolan_db::Error> {
        let bytes = <Vec<u8> as portolan_db::FromValue>::from_value(value)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| portolan_db::Error::decode("a hash of 32 bytes"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?} {:?}", Secret::new("hunter2"), TokenHash([7; 32])),
            "Secret(..) TokenHash(..)"
        );
    }
}
