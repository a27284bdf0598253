//! Reads requests as the Python SDK does, down to its peculiarities: a comma is part of a
//! name, `a*b` is `a` and `*b`, and spaces just inside brackets do no harm. The server's
//! reader (`portolan_types::scope`) is stricter, because it reads what strangers wrote.

use std::collections::BTreeMap;

use super::{Scope, ScopeError};

/// Most scopes in all trees of a request together. A requirement of a service is read here
/// too, and twenty names are enough for billions of paths.
const MAX_SCOPES: usize = 10_000;
/// Most names on one path: trees are walked by recursion.
const MAX_DEPTH: usize = 500;

/// Reads a request.
///
/// Equal names are one scope: their dependencies are put together wherever they stand, and
/// required wins over optional. At the top, `a` and `*a` are two entries.
///
/// ```
/// use portolan_sdk::scopes;
///
/// let texts = |request: &str| -> Result<Vec<String>, scopes::ScopeError> {
///     Ok(scopes::parse(request)?.iter().map(ToString::to_string).collect())
/// };
/// assert_eq!(texts("a[b] a[c]  d")?, ["a[b c]", "d"]);
/// assert_eq!(texts("a[*b] a[b]")?, ["a[b]"]);
/// assert_eq!(texts("t[*d] x[t]")?, ["t[*d]", "x[t[*d]]"]);
/// assert!(texts("a[]").is_err());
/// # Ok::<(), scopes::ScopeError>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Scope>, ScopeError> {
    let tokens = tokens(text)?;
    let graph = Graph::read(&tokens)?;
    graph.check()?;
    let scope = |(name, optional): &(&str, bool)| graph.tree(name, *optional);
    Ok(graph.top_level.iter().map(scope).collect())
}

/// Puts two requests together.
///
/// ```
/// use portolan_sdk::scopes;
///
/// let merged = scopes::merge(&scopes::parse("a[*b]")?, &scopes::parse("a[b] c")?)?;
/// assert_eq!(scopes::join(merged)?, "a[b] c");
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
pub fn merge(first: &[Scope], second: &[Scope]) -> Result<Vec<Scope>, ScopeError> {
    let texts: Vec<String> = first.iter().chain(second).map(Scope::to_string).collect();
    parse(&texts.join(" "))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Asterisk,
    Open,
    Close,
    Name(&'a str),
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, ScopeError> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let token = match character {
            '*' => Some(Token::Asterisk),
            '[' => Some(Token::Open),
            ']' => Some(Token::Close),
            ' ' => None,
            _ => continue,
        };
        if let Some((_, next)) = characters.peek() {
            check_neighbours(character, *next)?;
        }
        if start != at {
            tokens.push(Token::Name(&text[start..at]));
        }
        start = at + 1;
        tokens.extend(token);
    }
    // Python takes these four control characters for space as well.
    let is_space = |character: char| character.is_whitespace() || ('\x1c'..='\x1f').contains(&character);
    let rest = text[start..].trim_matches(is_space);
    if !rest.is_empty() {
        tokens.push(Token::Name(rest));
    }
    Ok(tokens)
}

fn check_neighbours(character: char, next: char) -> Result<(), ScopeError> {
    match (character, next) {
        ('*', ' ') => Err(ScopeError::Syntax("an asterisk must stand directly before a name")),
        (']', ' ' | ']') => Ok(()),
        (']', _) => Err(ScopeError::Syntax("a space is missing after a bracket")),
        (' ', '[') => Err(ScopeError::Syntax("a bracket must follow a name without a space")),
        _ => Ok(()),
    }
}

/// The request as a graph: each name with its dependencies, in order of appearance.
#[derive(Default)]
struct Graph<'a> {
    top_level: Vec<(&'a str, bool)>,
    edges: BTreeMap<&'a str, Vec<(&'a str, bool)>>,
}

impl<'a> Graph<'a> {
    fn read(tokens: &[Token<'a>]) -> Result<Self, ScopeError> {
        let mut graph = Self::default();
        let mut open: Vec<&str> = Vec::new();
        let mut last: Option<&str> = None;
        let mut optional = false;
        for (index, token) in tokens.iter().enumerate() {
            let next = tokens.get(index + 1);
            match token {
                Token::Asterisk => match next {
                    Some(Token::Name(_)) => optional = true,
                    _ => return Err(ScopeError::Syntax("a name must follow an asterisk")),
                },
                Token::Open => {
                    if matches!(next, None | Some(Token::Open | Token::Close)) {
                        return Err(ScopeError::Syntax("a scope is missing after a bracket"));
                    }
                    open.push(last.ok_or(ScopeError::Syntax("a bracket must follow a name"))?);
                }
                Token::Close => {
                    open.pop().ok_or(ScopeError::Syntax("a bracket was never opened"))?;
                }
                Token::Name(name) => {
                    graph.add(open.last().copied(), name, optional);
                    last = Some(name);
                    optional = false;
                }
            }
        }
        if !open.is_empty() {
            return Err(ScopeError::Syntax("a bracket is not closed"));
        }
        Ok(graph)
    }

    fn add(&mut self, parent: Option<&'a str>, name: &'a str, optional: bool) {
        self.edges.entry(name).or_default();
        let Some(parent) = parent else {
            if !self.top_level.contains(&(name, optional)) {
                self.top_level.push((name, optional));
            }
            return;
        };
        let dependencies = self.edges.entry(parent).or_default();
        match dependencies.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known_optional)) => *known_optional &= optional,
            None => dependencies.push((name, optional)),
        }
    }

    /// Refuses cycles and trees that would be too large, without walking any path twice.
    fn check(&self) -> Result<(), ScopeError> {
        let mut parents: BTreeMap<&str, usize> = self.edges.keys().map(|name| (*name, 0)).collect();
        for (name, _) in self.edges.values().flatten() {
            *parents.entry(name).or_default() += 1;
        }
        let mut free: Vec<&str> = Vec::new();
        free.extend(
            parents
                .iter()
                .filter(|(_, number)| **number == 0)
                .map(|(name, _)| *name),
        );
        // Parents before children.
        let mut order = Vec::new();
        while let Some(name) = free.pop() {
            order.push(name);
            for (dependency, _) in &self.edges[name] {
                let number = parents.entry(dependency).or_default();
                *number -= 1;
                if *number == 0 {
                    free.push(dependency);
                }
            }
        }
        if order.len() < self.edges.len() {
            let stuck = parents.iter().find(|(_, number)| **number > 0);
            return Err(ScopeError::Cycle(stuck.map_or("", |(name, _)| *name).to_owned()));
        }
        let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for name in order.into_iter().rev() {
            let below = self.edges[name].iter().map(|(dependency, _)| sizes[dependency]);
            let (scopes, depth) = below.fold((0_usize, 0), |(scopes, depth), (more, deeper)| {
                (scopes.saturating_add(more), depth.max(deeper))
            });
            sizes.insert(name, (scopes.saturating_add(1), depth + 1));
        }
        let all = self.top_level.iter().map(|(name, _)| sizes[name]);
        let (scopes, depth) = all.fold((0_usize, 0), |(scopes, depth), (more, deeper)| {
            (scopes.saturating_add(more), depth.max(deeper))
        });
        if scopes > MAX_SCOPES || depth > MAX_DEPTH {
            return Err(ScopeError::TooLarge);
        }
        Ok(())
    }

    fn tree(&self, name: &str, optional: bool) -> Scope {
        let dependencies = self.edges[name].iter();
        let dependencies = dependencies.map(|(dependency, optional)| self.tree(dependency, *optional));
        Scope::of(name.to_owned(), optional, dependencies.collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        let scopes = parse(text).unwrap();
        let texts: Vec<String> = scopes.iter().map(Scope::to_string).collect();
        texts.join(" ")
    }

    /// The table of wire.md 1.11, and what else the Python SDK was seen to read.
    #[test]
    fn requests_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("", ""),
            ("a  b", "a b"),
            (" a ", "a"),
            ("a\t\n", "a"),
            ("a\x1f", "a"),
            ("a\tb", "a\tb"),
            ("a[ b ]", "a[b]"),
            ("a[b] a[c]", "a[b c]"),
            ("a[*b] a[b]", "a[b]"),
            ("a *a", "a *a"),
            ("a*b", "a *b"),
            ("a,b", "a,b"),
            ("a a a", "a"),
            ("t[*d] x[t]", "t[*d] x[t[*d]]"),
            ("a[b[c] d[c[e]]]", "a[b[c[e]] d[c[e]]]"),
            ("offline_access[a]", "offline_access[a]"),
        ] {
            assert_eq!(printed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn malformed_requests_are_refused() {
        for text in [
            "a [b]", "* a", "a[]", "a[b", "a]", "[a]", "a[b][c]", "a[b]c", "*", "a[*]", "a[[b]]", "**a", "a[ [b]]",
            "a[", "]", "a[b]]", "a[b]*c", "*[a]", "a*", "a[ ]",
        ] {
            assert!(matches!(parse(text), Err(ScopeError::Syntax(_))), "{text:?}");
        }
    }

    #[test]
    fn cycles_are_refused_also_across_trees() {
        for text in ["a[a]", "a[b[a]]", "a[b] b[a]", "x a[b[c]] c[a]"] {
            assert!(matches!(parse(text), Err(ScopeError::Cycle(_))), "{text:?}");
        }
    }

    #[test]
    fn a_few_names_with_billions_of_paths_are_refused() {
        let layers: Vec<String> = (0..30)
            .map(|n| format!("a{n}[a{m} b{m}] b{n}[a{m} b{m}]", m = n + 1))
            .collect();
        assert_eq!(parse(&layers.join(" ")), Err(ScopeError::TooLarge));
        let names: Vec<String> = (0..600).map(|n| format!("s{n}[")).collect();
        assert_eq!(
            parse(&format!("{}z{}", names.concat(), "]".repeat(600))),
            Err(ScopeError::TooLarge)
        );
    }
}
