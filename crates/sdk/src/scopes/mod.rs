//! Scopes as they are requested: a name, the scopes that the service behind it needs, and
//! whether the person may decline one of those.
//!
//! A request is text such as `a[b *c] d`: "`a`, whose service may obtain `b`, and `c` if the
//! person agrees, and `d`". [`parse`] reads it as the Python SDK does, [`merge`] joins two
//! requests, and [`join`] writes one. The trees of a request are one graph: what is said
//! once about the dependencies of a scope holds wherever that scope stands.

mod collections;
mod parser;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

pub use collections::{
    AuthScopes, ComputeScopes, FlowsScopes, GcsCollectionScopes, GcsEndpointScopes, GroupsScopes, NexusScopes,
    SearchScopes, SpecificFlowScopes, TimersScopes, TransferScopes,
};
pub use parser::{merge, parse};

/// Why a text is no scope.
///
/// ```
/// use portolan_sdk::scopes::{self, ScopeError};
///
/// assert!(matches!(scopes::parse("a[b"), Err(ScopeError::Syntax(_))));
/// assert_eq!(scopes::parse("a[b[a]]"), Err(ScopeError::Cycle("a".to_owned())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A bracket or an asterisk stands where it cannot.
    #[error("malformed scope: {0}")]
    Syntax(&'static str),
    /// A scope depends on itself.
    #[error("the scope {0} depends on itself")]
    Cycle(String),
    /// The name of one scope has characters that separate.
    #[error("a scope's name cannot have brackets, asterisks or spaces: {0:?}; parse it instead")]
    Name(String),
    /// One scope was expected.
    #[error("{0} scopes where one was expected")]
    NotOne(usize),
    /// A few names can stand for billions of paths.
    #[error("the dependencies of the scopes are too many or too deep")]
    TooLarge,
}

/// One requested scope with its dependencies. It cannot be changed; the `with_` functions
/// return another one.
///
/// ```
/// use portolan_sdk::Scope;
///
/// let data_access = Scope::new("https://auth.globus.org/scopes/41f0c5de/data_access")?.with_optional(true);
/// let transfer = Scope::new("urn:globus:auth:scope:transfer.api.globus.org:all")?.with_dependency(data_access);
/// assert_eq!(
///     transfer.to_string(),
///     "urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/41f0c5de/data_access]"
/// );
/// assert_eq!("a[b]".parse::<Scope>()?, Scope::new("a")?.with_dependency(Scope::new("b")?));
/// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    name: String,
    optional: bool,
    dependencies: Vec<Scope>,
}

impl Scope {
    /// A scope without dependencies. The name is one name; `a[b]` has to be parsed.
    pub fn new(name: impl Into<String>) -> Result<Self, ScopeError> {
        let name = name.into();
        if name.contains(['[', ']', '*', ' ']) {
            return Err(ScopeError::Name(name));
        }
        Ok(Self::of(name, false, Vec::new()))
    }

    pub(crate) fn of(name: String, optional: bool, dependencies: Vec<Scope>) -> Self {
        Self {
            name,
            optional,
            dependencies,
        }
    }

    /// Reads a text that is exactly one scope.
    ///
    /// ```
    /// use portolan_sdk::{Scope, scopes::ScopeError};
    ///
    /// assert_eq!(Scope::parse("a[b c]")?.dependencies().len(), 2);
    /// assert_eq!(Scope::parse("a b"), Err(ScopeError::NotOne(2)));
    /// # Ok::<(), ScopeError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut scopes = parse(text)?;
        match scopes.len() {
            1 => Ok(scopes.remove(0)),
            number => Err(ScopeError::NotOne(number)),
        }
    }

    /// The name, without asterisk and dependencies.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the person may decline it alone.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// What the service behind it may obtain.
    pub fn dependencies(&self) -> &[Scope] {
        &self.dependencies
    }

    /// The same with one more dependency.
    #[must_use]
    pub fn with_dependency(&self, dependency: Scope) -> Self {
        self.with_dependencies([dependency])
    }

    /// The same with more dependencies, at the end and without merging.
    ///
    /// ```
    /// use portolan_sdk::Scope;
    ///
    /// let scope = Scope::new("a")?.with_dependencies([Scope::new("b")?, Scope::new("b")?]);
    /// assert_eq!(scope.to_string(), "a[b b]");
    /// # Ok::<(), portolan_sdk::scopes::ScopeError>(())
    /// ```
    #[must_use]
    pub fn with_dependencies(&self, dependencies: impl IntoIterator<Item = Scope>) -> Self {
        let mut scope = self.clone();
        scope.dependencies.extend(dependencies);
        scope
    }

    /// The same, optional or not.
    #[must_use]
    pub fn with_optional(&self, optional: bool) -> Self {
        Self {
            optional,
            ..self.clone()
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.optional { "*" } else { "" }, self.name)?;
        for (index, dependency) in self.dependencies.iter().enumerate() {
            f.write_str(if index == 0 { "[" } else { " " })?;
            dependency.fmt(f)?;
        }
        if !self.dependencies.is_empty() {
            f.write_str("]")?;
        }
        Ok(())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

/// What names scopes: a text, a [`Scope`], or several of either.
///
/// ```
/// use portolan_sdk::Scope;
/// use portolan_sdk::scopes::{self, AuthScopes};
///
/// assert_eq!(scopes::join("openid email")?, "openid email");
/// assert_eq!(scopes::join([AuthScopes::OPENID, AuthScopes::EMAIL])?, "openid email");
/// assert_eq!(scopes::join(vec![Scope::parse("a[b]")?])?, "a[b]");
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
pub trait ScopeList {
    /// Each of them as text.
    fn scope_texts(&self) -> Vec<String>;
}

impl ScopeList for str {
    fn scope_texts(&self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl ScopeList for String {
    fn scope_texts(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl ScopeList for Scope {
    fn scope_texts(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

impl<T: ScopeList> ScopeList for [T] {
    fn scope_texts(&self) -> Vec<String> {
        self.iter().flat_map(ScopeList::scope_texts).collect()
    }
}

impl<T: ScopeList, const N: usize> ScopeList for [T; N] {
    fn scope_texts(&self) -> Vec<String> {
        self.as_slice().scope_texts()
    }
}

impl<T: ScopeList> ScopeList for Vec<T> {
    fn scope_texts(&self) -> Vec<String> {
        self.as_slice().scope_texts()
    }
}

impl<T: ScopeList + ?Sized> ScopeList for &T {
    fn scope_texts(&self) -> Vec<String> {
        (**self).scope_texts()
    }
}

/// One text of them all, without reading them. Nothing at all is refused, because no
/// request for tokens may ask for nothing.
///
/// ```
/// use portolan_sdk::scopes;
///
/// assert_eq!(scopes::join(["b", "a", "b"])?, "b a b");
/// assert!(scopes::join("").is_err());
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
pub fn join(scopes: impl ScopeList) -> Result<String> {
    let joined = join_or_empty(scopes);
    if joined.is_empty() {
        return Err(Error::usage("no scope was named"));
    }
    Ok(joined)
}

/// The same, for where nothing at all is fine.
///
/// ```
/// assert_eq!(portolan_sdk::scopes::join_or_empty(""), "");
/// ```
pub fn join_or_empty(scopes: impl ScopeList) -> String {
    scopes.scope_texts().join(" ")
}

/// The scopes of the list, each text of it parsed on its own.
pub(crate) fn read(scopes: impl ScopeList) -> Result<Vec<Scope>, ScopeError> {
    let mut read = Vec::new();
    for text in scopes.scope_texts() {
        read.extend(parse(&text)?);
    }
    Ok(read)
}
