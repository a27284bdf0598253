//! The requested-scope grammar (wire.md 1.11), and the other direction: the flat
//! list that answers carry.
//!
//! ```text
//! request = [ tree *( sep tree ) ]        sep: spaces; at top level commas too
//! tree    = [ "*" ] name [ "[" tree *( 1*SP tree ) "]" ]
//! ```
//!
//! `a[b *c]` asks for `a`, and that the owner of `a` may obtain `b` and, if the person
//! agrees to it separately, `c`. The text shows trees, the meaning is one graph keyed by
//! scope name: what is said once about the dependencies of `t` holds wherever `t` occurs.
//!
//! The text comes from strangers (threats.md 19). It is read once from left to right
//! with a stack of at most [`MAX_DEPTH`] names, and a graph is refused before anybody
//! can walk it if its trees would be large: twenty names are enough for billions of paths.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Longest request that is read, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// Longest scope name, in bytes.
pub const MAX_NAME: usize = 512;
/// Most names on one path from a top-level scope to its deepest dependency.
pub const MAX_DEPTH: usize = 10;
/// Most scopes in all trees of one request together, and so most distinct names.
pub const MAX_SCOPES: usize = 500;

/// Asks for refresh tokens where a scope is expected; never a scope itself (wire.md 1.10).
const OFFLINE_ACCESS: &str = "offline_access";

const COMMA_INSIDE_BRACKETS: &str = "inside brackets only spaces separate scopes";

/// One requested scope with its dynamic dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedScope {
    pub name: String,
    /// The person may decline or revoke this dependency alone.
    pub optional: bool,
    pub dependencies: Vec<RequestedScope>,
}

impl fmt::Display for RequestedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.name, self.optional)?;
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

/// A parsed request: a graph keyed by scope name.
///
/// Names at top level keep the order in which they came, because the first one decides
/// which token stands on top of the answer (wire.md 2.2.1). Everything else is sorted, so
/// two requests that differ only in the order of their dependencies are equal.
///
/// ```
/// use portolan_types::ScopeRequest;
///
/// let request = ScopeRequest::parse("t[*d] x[t] offline_access")?;
/// assert_eq!(request.top_level().collect::<Vec<_>>(), ["t", "x"]);
/// assert_eq!(request.dependencies("t"), [("d".to_owned(), true)]);
/// assert_eq!(request.trees()[1].to_string(), "x[t[*d]]");
/// assert!(request.offline());
/// # Ok::<(), portolan_types::scope::ScopeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeRequest {
    /// Each (name, optional) once. `a *a` keeps both forms, as the public SDKs do.
    top_level: Vec<(String, bool)>,
    /// Every name of the request with its dependencies, sorted by name.
    graph: BTreeMap<String, Vec<(String, bool)>>,
    offline: bool,
}

/// Why a requested scope cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// `at` counts bytes from the beginning of the text.
    #[error("malformed scope at position {at}: {reason}")]
    Syntax { at: usize, reason: &'static str },
    #[error("the scope {0} depends on itself")]
    Cycle(String),
    #[error("scope request too large: {0}")]
    TooLarge(&'static str),
}

impl ScopeRequest {
    /// Reads a request. Whether the names exist is for the caller to find out.
    ///
    /// A `*` that does not begin a name is part of it: `a*b` is one name, which no scope
    /// can have, so the answer to it is the one for unknown scopes.
    pub fn parse(text: &str) -> Result<ScopeRequest, ScopeError> {
        let mut builder = Builder::default();
        read(text, &mut builder)?;
        builder.finish()
    }

    /// The distinct names at top level in order of first appearance, without `offline_access`.
    pub fn top_level(&self) -> impl Iterator<Item = &str> {
        let mut seen = BTreeSet::new();
        self.top_level
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(move |name| seen.insert(*name))
    }

    /// The top level as (name, optional) in order of first appearance. A name may stand
    /// here in both forms.
    pub fn top_level_forms(&self) -> &[(String, bool)] {
        &self.top_level
    }

    /// Whether `offline_access` was among the top-level names.
    pub fn offline(&self) -> bool {
        self.offline
    }

    /// What the owner of `name` is to obtain, as (name, optional) sorted by name. Required
    /// wins where the request says both. Empty for a name that is not in the request.
    pub fn dependencies(&self, name: &str) -> &[(String, bool)] {
        self.graph.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every distinct name at any depth, sorted, without `offline_access`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.graph.keys().map(String::as_str)
    }

    /// Whether no scope is requested; `offline_access` alone requests none.
    pub fn is_empty(&self) -> bool {
        self.top_level.is_empty()
    }

    /// The graph as trees, one for each of [`top_level_forms`](Self::top_level_forms): at
    /// most [`MAX_SCOPES`] scopes, at most [`MAX_DEPTH`] deep.
    pub fn trees(&self) -> Vec<RequestedScope> {
        self.expand(&self.top_level)
    }

    fn expand(&self, scopes: &[(String, bool)]) -> Vec<RequestedScope> {
        let expand_one = |(name, optional): &(String, bool)| RequestedScope {
            name: name.clone(),
            optional: *optional,
            dependencies: self.expand(self.dependencies(name)),
        };
        scopes.iter().map(expand_one).collect()
    }

    /// Prints each scope of `scopes`; the dependencies of a name only where it comes first.
    fn write_scopes<'a>(
        &'a self,
        f: &mut fmt::Formatter<'_>,
        scopes: &'a [(String, bool)],
        printed: &mut BTreeSet<&'a str>,
    ) -> fmt::Result {
        for (index, (name, optional)) in scopes.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write_name(f, name, *optional)?;
            let dependencies = self.dependencies(name);
            if !dependencies.is_empty() && printed.insert(name) {
                f.write_str("[")?;
                self.write_scopes(f, dependencies, printed)?;
                f.write_str("]")?;
            }
        }
        Ok(())
    }
}

/// Canonical text: equal requests print alike, and what is printed parses to an equal
/// request. It says every edge once, so it is never longer than the text that was parsed
/// and stays within the limits, which whole trees would not.
impl fmt::Display for ScopeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_scopes(f, &self.top_level, &mut BTreeSet::new())?;
        if self.offline {
            if !self.top_level.is_empty() {
                f.write_str(" ")?;
            }
            f.write_str(OFFLINE_ACCESS)?;
        }
        Ok(())
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str, optional: bool) -> fmt::Result {
    write!(f, "{}{name}", if optional { "*" } else { "" })
}

/// Space separated, as `scope` in answers: no brackets, no `*`, each name once. The order
/// is kept and the CLI compares the names as they are.
pub fn flat(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    for name in names {
        add_flat(&mut text, name.as_ref());
    }
    text
}

/// Adds a name to a flat list unless it is there. A token may rest on two consents for one
/// scope, which is still one scope.
pub fn add_flat(list: &mut String, name: &str) {
    if list.split(' ').any(|known| known == name) {
        return;
    }
    if !list.is_empty() {
        list.push(' ');
    }
    list.push_str(name);
}

/// Whether a text can be the last segment of a scope string: `^[a-z0-9_]+$` (wire.md 1.10).
pub fn is_valid_suffix(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Reads the text once and hands every name to `builder` together with the name whose
/// bracket it stands in.
fn read<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<(), ScopeError> {
    if text.len() > MAX_TEXT {
        return Err(ScopeError::TooLarge("more than 16384 bytes"));
    }
    if let Some((at, _)) = text.char_indices().find(|(_, character)| character.is_control()) {
        return Err(syntax(at, "control character"));
    }
    // Every character with a meaning is ASCII, so bytes can be compared and each index
    // below is a character boundary.
    let bytes = text.as_bytes();
    let mut open: Vec<&str> = Vec::new();
    let mut at = skip_separators(bytes, 0, &open);
    while at < bytes.len() {
        let optional = bytes[at] == b'*';
        let start = at + usize::from(optional);
        let name = name_at(text, start, &open)?;
        at = start + name.len();
        let has_dependencies = bytes.get(at) == Some(&b'[');
        if name == OFFLINE_ACCESS {
            if has_dependencies || !open.is_empty() {
                return Err(syntax(start, "offline_access has no part in dependencies"));
            }
            builder.offline();
        } else {
            builder.add(open.last().copied(), name, optional)?;
        }
        if has_dependencies {
            // Longer paths of the graph are found later; this bounds the stack.
            if open.len() + 1 == MAX_DEPTH {
                return Err(too_deep());
            }
            open.push(name);
            at = skip_separators(bytes, at + 1, &open);
            continue;
        }
        at = close(bytes, at, &mut open)?;
    }
    if !open.is_empty() {
        return Err(syntax(at, "a bracket is not closed"));
    }
    Ok(())
}

/// Goes from the end of a name over the brackets that close there to the next tree.
fn close(bytes: &[u8], mut at: usize, open: &mut Vec<&str>) -> Result<usize, ScopeError> {
    loop {
        let next = skip_separators(bytes, at, open);
        match bytes.get(next) {
            None => return Ok(next),
            Some(b']') if open.pop().is_some() => at = next + 1,
            Some(b']') => return Err(syntax(next, "this bracket was never opened")),
            Some(b',') => return Err(syntax(next, COMMA_INSIDE_BRACKETS)),
            Some(_) if next > at => return Ok(next),
            Some(_) => return Err(syntax(next, "a space is missing after a bracket")),
        }
    }
}

fn name_at<'a>(text: &'a str, start: usize, open: &[&str]) -> Result<&'a str, ScopeError> {
    let bytes = text.as_bytes();
    let length = bytes[start..].iter().take_while(|byte| !b" [],".contains(byte)).count();
    if length > MAX_NAME {
        return Err(ScopeError::TooLarge("a name of more than 512 bytes"));
    }
    let reason = match bytes.get(start) {
        Some(b'*') => "a second asterisk before a name",
        Some(b'[') => "a bracket must follow a name without a space",
        Some(b']') => "a scope is missing before this bracket",
        Some(b',') if !open.is_empty() => COMMA_INSIDE_BRACKETS,
        Some(b' ' | b',') | None => "an asterisk must stand directly before a name",
        Some(_) => return Ok(&text[start..start + length]),
    };
    Err(syntax(start, reason))
}

/// Runs of separators count as one, also at the ends: people and SDKs join lists with care
/// for neither.
fn skip_separators(bytes: &[u8], at: usize, open: &[&str]) -> usize {
    let is_separator = |byte: &&u8| **byte == b' ' || (**byte == b',' && open.is_empty());
    at + bytes[at..].iter().take_while(is_separator).count()
}

/// The graph while it is read: edges are merged as they come.
#[derive(Default)]
struct Builder<'a> {
    top_level: Vec<(&'a str, bool)>,
    top_level_seen: BTreeSet<(&'a str, bool)>,
    graph: BTreeMap<&'a str, BTreeMap<&'a str, bool>>,
    offline: bool,
}

impl<'a> Builder<'a> {
    fn offline(&mut self) {
        self.offline = true;
    }

    fn add(&mut self, parent: Option<&'a str>, name: &'a str, optional: bool) -> Result<(), ScopeError> {
        self.graph.entry(name).or_default();
        if self.graph.len() > MAX_SCOPES {
            return Err(too_many_scopes());
        }
        match parent {
            Some(parent) => {
                let dependencies = self.graph.entry(parent).or_default();
                dependencies
                    .entry(name)
                    .and_modify(|known| *known &= optional)
                    .or_insert(optional);
            }
            None => {
                if self.top_level_seen.insert((name, optional)) {
                    self.top_level.push((name, optional));
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<ScopeRequest, ScopeError> {
        self.check_size()?;
        let owned = |(name, optional): (&str, bool)| (name.to_owned(), optional);
        Ok(ScopeRequest {
            top_level: self.top_level.into_iter().map(owned).collect(),
            graph: self
                .graph
                .into_iter()
                .map(|(name, dependencies)| (name.to_owned(), dependencies.into_iter().map(owned).collect()))
                .collect(),
            offline: self.offline,
        })
    }

    fn check_size(&self) -> Result<(), ScopeError> {
        let mut known = HashMap::with_capacity(self.graph.len());
        let mut scopes = 0;
        for (name, _) in &self.top_level {
            scopes += self
                .measure(name, &mut Vec::with_capacity(MAX_DEPTH), &mut known)?
                .scopes;
            if scopes > MAX_SCOPES {
                return Err(too_many_scopes());
            }
        }
        Ok(())
    }

    /// Size of the tree below `name`. Each name is measured once and the recursion ends
    /// at `MAX_DEPTH`, however the graph looks.
    fn measure(
        &self,
        name: &'a str,
        path: &mut Vec<&'a str>,
        known: &mut HashMap<&'a str, Size>,
    ) -> Result<Size, ScopeError> {
        if let Some(size) = known.get(name) {
            return Ok(*size);
        }
        if path.contains(&name) {
            return Err(ScopeError::Cycle(name.to_owned()));
        }
        if path.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        path.push(name);
        let mut size = Size { depth: 1, scopes: 1 };
        for dependency in self.graph[name].keys() {
            let below = self.measure(dependency, path, known)?;
            size.depth = size.depth.max(below.depth + 1);
            size.scopes += below.scopes;
            if size.scopes > MAX_SCOPES {
                return Err(too_many_scopes());
            }
        }
        path.pop();
        // The path alone does not tell: a part that was measured before is not walked again.
        if size.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        known.insert(name, size);
        Ok(size)
    }
}

#[derive(Clone, Copy)]
struct Size {
    depth: usize,
    scopes: usize,
}

fn syntax(at: usize, reason: &'static str) -> ScopeError {
    ScopeError::Syntax { at, reason }
}

fn too_many_scopes() -> ScopeError {
    ScopeError::TooLarge("more than 500 scopes")
}

fn too_deep() -> ScopeError {
    ScopeError::TooLarge("dependencies more than 10 deep")
}
