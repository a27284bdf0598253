//! How a history reads.

use std::collections::BTreeSet;

use super::super::model::{Edge, Place, Wished};
use super::Driver;

impl Driver<'_> {
    pub(super) fn flat(&self, scopes: &BTreeSet<usize>) -> String {
        let names: Vec<&str> = scopes.iter().map(|scope| self.scopes[*scope].1.as_str()).collect();
        names.join(" ")
    }

    pub(super) fn name_place(&self, place: &Place) -> String {
        let identity = self.model.identities[place.identity].name;
        format!(
            "the consent of {identity} for the {} to {}",
            self.model.apps[place.app].name,
            name_path(&place.path)
        )
    }
}

pub(super) fn name_path(path: &[usize]) -> String {
    path.iter()
        .map(|scope| format!("s{scope}"))
        .collect::<Vec<_>>()
        .join("/")
}

pub(super) fn name_edge(to: usize, edge: Edge) -> String {
    let star = if edge.optional { "*" } else { "" };
    let offline = if edge.offline { " offline" } else { "" };
    format!("{star}s{to}{offline}")
}

pub(super) fn name_wished(wished: &[Wished]) -> String {
    let trees = wished.iter().map(|wish| {
        let star = if wish.optional { "*" } else { "" };
        let below = match wish.below.is_empty() {
            true => String::new(),
            false => format!("[{}]", name_wished(&wish.below)),
        };
        format!("{star}s{}{below}", wish.scope)
    });
    trees.collect::<Vec<_>>().join(" ")
}

pub(super) fn name_set(before: &str, scopes: Option<&BTreeSet<usize>>) -> String {
    scopes.map_or(String::new(), |scopes| {
        let names: Vec<String> = scopes.iter().map(|scope| format!("s{scope}")).collect();
        format!("{before}{}", names.join(", "))
    })
}
