//! What a client says about itself in `X-Globus-Client-Info`.

use std::fmt;

use crate::error::Error;

/// The products that make a request: this crate, and the program that uses it.
///
/// ```
/// use portolan_sdk::ClientInfo;
///
/// let info = ClientInfo::new().product("data-portal", "2.1")?;
/// assert!(info.to_string().ends_with(";product=data-portal,version=2.1"));
/// assert!(ClientInfo::new().product("a;b", "1").is_err());
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    entries: Vec<String>,
}

impl Default for ClientInfo {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientInfo {
    /// This crate alone.
    pub fn new() -> Self {
        Self {
            entries: vec![format!("product=portolan-sdk,version={}", env!("CARGO_PKG_VERSION"))],
        }
    }

    /// Nobody at all; the header is left out.
    pub fn empty() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds a product.
    pub fn product(self, name: &str, version: &str) -> Result<Self, Error> {
        self.entry(&[("product", name), ("version", version)])
    }

    /// Adds an entry of several items. `;`, `,` and `=` separate and are not allowed in them.
    ///
    /// ```
    /// use portolan_sdk::ClientInfo;
    ///
    /// let info = ClientInfo::empty().entry(&[("product", "x"), ("build", "7")])?;
    /// assert_eq!(info.to_string(), "product=x,build=7");
    /// # Ok::<(), portolan_sdk::Error>(())
    /// ```
    pub fn entry(mut self, items: &[(&str, &str)]) -> Result<Self, Error> {
        let mut texts = Vec::with_capacity(items.len());
        for (key, value) in items {
            for part in [key, value] {
                let bad = |character: char| ";,=".contains(character) || !(' '..='~').contains(&character);
                if part.contains(bad) {
                    return Err(Error::usage(format!(
                        "client information may not contain ; , = or what is no printable ASCII: {part:?}"
                    )));
                }
            }
            texts.push(format!("{key}={value}"));
        }
        self.entries.push(texts.join(","));
        Ok(self)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for ClientInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.entries.join(";"))
    }
}
