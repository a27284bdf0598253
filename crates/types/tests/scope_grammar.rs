//! The requested-scope grammar as a whole: the table of wire.md 1.11, the meaning of the
//! graph, and properties that hold for every text.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use portolan_types::scope::{
    self, MAX_DEPTH, MAX_NAME, MAX_SCOPES, MAX_TEXT, RequestedScope, ScopeError, ScopeRequest,
};
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    ScopeRequest::parse(text)
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
        .to_string()
}

fn trees(text: &str) -> String {
    scope::flat(
        ScopeRequest::parse(text)
            .unwrap()
            .trees()
            .iter()
            .map(ToString::to_string),
    )
}

fn syntax(text: &str) -> (usize, &'static str) {
    match ScopeRequest::parse(text) {
        Err(ScopeError::Syntax { at, reason }) => (at, reason),
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn well_formed_requests_have_a_canonical_text() {
    let table = [
        ("", ""),
        ("   ", ""),
        (" , ,", ""),
        ("a", "a"),
        (" a ", "a"),
        ("a  b", "a b"),
        ("b a", "b a"),
        ("a,b", "a b"),
        ("a, b ,c", "a b c"),
        ("a[b],c", "a[b] c"),
        ("openid openid profile email", "openid profile email"),
        ("*a", "*a"),
        ("a *a", "a *a"),
        ("*a a *a", "*a a"),
        ("a[b]", "a[b]"),
        ("a[ b ]", "a[b]"),
        ("a[  c   b  ]", "a[b c]"),
        ("a[b] a[c]", "a[b c]"),
        ("a[b] a", "a[b]"),
        ("a[*b]", "a[*b]"),
        ("a[*b] a[b]", "a[b]"),
        ("a[b] a[*b]", "a[b]"),
        ("a[*b *b]", "a[*b]"),
        ("a[b] *a[c]", "a[b c] *a"),
        ("a[b[c]]", "a[b[c]]"),
        ("a[b[c] d[c]]", "a[b[c] d[c]]"),
        ("t[*d] x[t]", "t[*d] x[t]"),
        ("x[t] t[*d]", "x[t[*d]] t"),
        ("x[t[e]] t[*d]", "x[t[*d e]] t"),
        ("a*b", "a*b"),
        ("a* b", "a* b"),
        ("offline_access openid", "openid offline_access"),
        ("openid,offline_access offline_access", "openid offline_access"),
        ("*offline_access", "offline_access"),
        ("offline_access2[b]", "offline_access2[b]"),
        (
            "urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/41f0c5de/data_access]",
            "urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/41f0c5de/data_access]",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(canonical(text), expected, "{text:?}");
    }
}

#[test]
fn malformed_requests_are_refused_with_place_and_reason() {
    let table = [
        ("a [b]", 2, "a bracket must follow a name without a space"),
        ("a[b [c]]", 4, "a bracket must follow a name without a space"),
        ("[a]", 0, "a bracket must follow a name without a space"),
        ("a,[b]", 2, "a bracket must follow a name without a space"),
        ("a[[b]]", 2, "a bracket must follow a name without a space"),
        ("* a", 1, "an asterisk must stand directly before a name"),
        ("*", 1, "an asterisk must stand directly before a name"),
        ("*,a", 1, "an asterisk must stand directly before a name"),
        ("a[* b]", 3, "an asterisk must stand directly before a name"),
        ("*[a]", 1, "a bracket must follow a name without a space"),
        ("a[*]", 3, "a scope is missing before this bracket"),
        ("**a", 1, "a second asterisk before a name"),
        ("a[]", 2, "a scope is missing before this bracket"),
        ("a[ ]", 3, "a scope is missing before this bracket"),
        ("a[b[]]", 4, "a scope is missing before this bracket"),
        ("a[", 2, "a bracket is not closed"),
        ("a[b", 3, "a bracket is not closed"),
        ("a[b[c]", 6, "a bracket is not closed"),
        ("a]", 1, "this bracket was never opened"),
        ("]", 0, "a scope is missing before this bracket"),
        ("a[b]]", 4, "this bracket was never opened"),
        ("a ]", 2, "this bracket was never opened"),
        ("a[b][c]", 4, "a space is missing after a bracket"),
        ("a[b]c", 4, "a space is missing after a bracket"),
        ("a[b]*c", 4, "a space is missing after a bracket"),
        ("a[b[c]d]", 6, "a space is missing after a bracket"),
        ("a[b,c]", 3, "inside brackets only spaces separate scopes"),
        ("a[b ,c]", 4, "inside brackets only spaces separate scopes"),
        ("a[,b]", 2, "inside brackets only spaces separate scopes"),
        ("a[*,b]", 3, "inside brackets only spaces separate scopes"),
        ("a[b[c],d]", 6, "inside brackets only spaces separate scopes"),
        ("a\tb", 1, "control character"),
        ("a\n", 1, "control character"),
        ("\0", 0, "control character"),
        ("é\u{7f}", 2, "control character"),
        ("a\u{85}", 1, "control character"),
        ("a[offline_access]", 2, "offline_access has no part in dependencies"),
        ("a offline_access[b]", 2, "offline_access has no part in dependencies"),
    ];
    for (text, at, reason) in table {
        assert_eq!(syntax(text), (at, reason), "{text:?}");
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let message = |text| ScopeRequest::parse(text).unwrap_err().to_string();

    assert_eq!(
        message("a[]"),
        "malformed scope at position 2: a scope is missing before this bracket"
    );
    assert_eq!(message("a[b[a]]"), "the scope a depends on itself");
    assert_eq!(
        message(&"a".repeat(513)),
        "scope request too large: a name of more than 512 bytes"
    );
}

#[test]
fn dependencies_said_once_hold_wherever_the_name_occurs() {
    assert_eq!(trees("t[*d] x[t]"), "t[*d] x[t[*d]]");
    assert_eq!(trees("x[t] t[*d]"), "x[t[*d]] t[*d]");
    assert_eq!(trees("a[t[d]] b[*t[e]] *t"), "a[t[d e]] b[*t[d e]] *t[d e]");
}

#[test]
fn a_request_shows_its_graph() {
    let request = ScopeRequest::parse("x[t] *x t[*d c] offline_access t[c]").unwrap();

    assert_eq!(request.top_level().collect::<Vec<_>>(), ["x", "t"]);
    let forms = [("x".to_owned(), false), ("x".to_owned(), true), ("t".to_owned(), false)];
    assert_eq!(request.top_level_forms(), forms);
    assert_eq!(request.names().collect::<Vec<_>>(), ["c", "d", "t", "x"]);
    assert_eq!(
        request.dependencies("t"),
        [("c".to_owned(), false), ("d".to_owned(), true)]
    );
    assert_eq!(request.dependencies("d"), []);
    assert_eq!(request.dependencies("nobody"), []);
    assert!(request.offline());
    assert!(!request.is_empty());
}

#[test]
fn offline_access_alone_requests_no_scope() {
    let request = ScopeRequest::parse("offline_access").unwrap();

    assert!(request.offline());
    assert!(request.is_empty());
    assert_eq!(request.top_level().count() + request.names().count(), 0);
    assert!(!ScopeRequest::parse("a").unwrap().offline());
}

#[test]
fn cycles_are_found_also_across_trees() {
    for text in [
        "a[a]",
        "a[b[a]]",
        "a[b] b[a]",
        "a[*b] b[*a]",
        "x a[b] b[c] c[a]",
        "x[y] y[b] b[c[d]] d[b]",
    ] {
        let error = ScopeRequest::parse(text).unwrap_err();
        assert!(matches!(error, ScopeError::Cycle(_)), "{text:?}: {error:?}");
    }
    assert_eq!(
        ScopeRequest::parse("x[a] a[b] b[a]"),
        Err(ScopeError::Cycle("a".to_owned()))
    );
    assert!(
        ScopeRequest::parse("a[b[c] c] b[d] c[d]").is_ok(),
        "two ways to one scope are no cycle"
    );
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let too_large = |text: &str| matches!(ScopeRequest::parse(text), Err(ScopeError::TooLarge(_)));
    let nested = |depth: usize| {
        let names: Vec<_> = (0..depth).map(|index| format!("n{index}")).collect();
        names.join("[") + &"]".repeat(depth - 1)
    };
    let chained = |depth: usize| {
        let trees: Vec<_> = (1..depth).map(|index| format!("n{}[n{index}]", index - 1)).collect();
        trees.join(" ")
    };
    let reversed = |depth: usize| {
        let trees: Vec<_> = (1..depth)
            .rev()
            .map(|index| format!("n{}[n{index}]", index - 1))
            .collect();
        trees.join(" ")
    };
    let flat = |count: usize| (0..count).map(|index| format!("n{index} ")).collect::<String>();
    let wide = |count: usize| format!("a[{}]", flat(count - 1));
    // One scope with 49 below it, wanted by ten others: 50 + 10 * 51 scopes, of only 60 names.
    let shared = |parents: usize| {
        let parents: String = (0..parents).map(|index| format!(" p{index}[t]")).collect();
        format!("t[{}]{parents}", flat(49))
    };
    let cases: [(&str, String, String); 7] = [
        ("text", " ".repeat(MAX_TEXT), " ".repeat(MAX_TEXT + 1)),
        ("name", "a".repeat(MAX_NAME), "a".repeat(MAX_NAME + 1)),
        ("nesting", nested(MAX_DEPTH), nested(MAX_DEPTH + 1)),
        ("chain", chained(MAX_DEPTH), chained(MAX_DEPTH + 1)),
        ("chain from its end", reversed(MAX_DEPTH), reversed(MAX_DEPTH + 1)),
        ("names", flat(MAX_SCOPES), flat(MAX_SCOPES + 1)),
        ("dependencies", wide(MAX_SCOPES), wide(MAX_SCOPES + 1)),
    ];
    for (name, largest, larger) in cases {
        assert!(ScopeRequest::parse(&largest).is_ok(), "{name}");
        assert!(too_large(&larger), "{name}");
    }
    assert!(ScopeRequest::parse(&shared(8)).is_ok());
    assert!(too_large(&shared(10)), "few names, many places");
}

#[test]
fn few_names_with_billions_of_paths_are_refused() {
    // Ten layers of two names, each joined with both of the next: 2^10 paths for a start.
    let layers = |width: usize| {
        let mut text = String::new();
        for layer in 0..MAX_DEPTH - 1 {
            for from in 0..width {
                let below: Vec<_> = (0..width).map(|to| format!("n{}_{to}", layer + 1)).collect();
                text += &format!("n{layer}_{from}[{}] ", below.join(" "));
            }
        }
        text
    };
    for width in [2, 12] {
        assert!(
            matches!(ScopeRequest::parse(&layers(width)), Err(ScopeError::TooLarge(_))),
            "{width}"
        );
    }
}

#[test]
fn hostile_texts_of_full_length_are_refused() {
    for piece in [
        "[",
        "]",
        "a[",
        "a]",
        "*",
        "a[b",
        "*a[",
        "a[b]",
        "[a]",
        "a[b] ]",
        "a[ b ",
        "\u{10ffff}[",
    ] {
        let text = piece.repeat(MAX_TEXT / piece.len());
        assert!(ScopeRequest::parse(&text).is_err(), "{piece:?}");
    }
    for piece in ["a ", "*a ", "a[b] ", "a[*b[c]],", ",", "offline_access "] {
        let text = piece.repeat(MAX_TEXT / piece.len());
        assert!(ScopeRequest::parse(&text).is_ok(), "{piece:?}");
    }
}

#[test]
fn flat_text_has_each_name_once_in_order_with_single_spaces() {
    assert_eq!(scope::flat(["b", "a"]), "b a");
    assert_eq!(scope::flat(["ab", "b", "a", "b", "ab"]), "ab b a");
    assert_eq!(scope::flat(ScopeRequest::parse("b[c] *a").unwrap().top_level()), "b a");
    assert_eq!(scope::flat(Vec::<String>::new()), "");
}

#[test]
fn suffixes_are_lower_case_letters_digits_and_underscores() {
    for text in ["a", "action_all", "0", "_", "flow_1f2e_user"] {
        assert!(scope::is_valid_suffix(text), "{text:?}");
    }
    for text in ["", "A", "a b", "a-b", "a/b", "a[", "é", "a\n", "²"] {
        assert!(!scope::is_valid_suffix(text), "{text:?}");
    }
}

/// Any tree of up to four levels over six names: cycles are common.
fn any_tree() -> impl Strategy<Value = RequestedScope> {
    let leaf = ("[a-f]", any::<bool>()).prop_map(|(name, optional)| requested(name, optional, Vec::new()));
    leaf.prop_recursive(3, 12, 3, |inner| {
        ("[a-f]", any::<bool>(), prop::collection::vec(inner, 0..3))
            .prop_map(|(name, optional, dependencies)| requested(name, optional, dependencies))
    })
}

/// Trees whose names rise from parent to child, so that no cycle can arise.
fn acyclic_trees() -> impl Strategy<Value = Vec<RequestedScope>> {
    fn rising(tree: &RequestedScope, level: usize) -> RequestedScope {
        let dependencies = tree
            .dependencies
            .iter()
            .map(|dependency| rising(dependency, level + 1))
            .collect();
        requested(format!("{level}{}", tree.name), tree.optional, dependencies)
    }
    prop::collection::vec(any_tree(), 0..6).prop_map(|trees| trees.iter().map(|tree| rising(tree, 0)).collect())
}

fn requested(name: String, optional: bool, dependencies: Vec<RequestedScope>) -> RequestedScope {
    RequestedScope {
        name,
        optional,
        dependencies,
    }
}

type Graph = BTreeMap<String, BTreeMap<String, bool>>;

/// The graph by definition, from the trees that were printed.
fn graph_of(trees: &[RequestedScope]) -> Graph {
    fn collect(tree: &RequestedScope, graph: &mut Graph) {
        graph.entry(tree.name.clone()).or_default();
        for dependency in &tree.dependencies {
            let edges = graph.entry(tree.name.clone()).or_default();
            *edges.entry(dependency.name.clone()).or_insert(true) &= dependency.optional;
            collect(dependency, graph);
        }
    }
    let mut graph = Graph::new();
    for tree in trees {
        collect(tree, &mut graph);
    }
    graph
}

fn graph_of_request(request: &ScopeRequest) -> Graph {
    request
        .names()
        .map(|name| (name.to_owned(), request.dependencies(name).iter().cloned().collect()))
        .collect()
}

fn has_cycle(graph: &Graph) -> bool {
    graph.keys().any(|start| {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(name) = next.pop() {
            for dependency in graph[name].keys() {
                if reached.insert(dependency) {
                    next.push(dependency);
                }
            }
        }
        reached.contains(start)
    })
}

fn count(trees: &[RequestedScope]) -> usize {
    trees.iter().map(|tree| 1 + count(&tree.dependencies)).sum()
}

fn depth(trees: &[RequestedScope]) -> usize {
    trees
        .iter()
        .map(|tree| 1 + depth(&tree.dependencies))
        .max()
        .unwrap_or(0)
}

fn text_of(trees: &[RequestedScope]) -> String {
    scope::flat(trees.iter().map(ToString::to_string))
}

/// What must hold for every text whatsoever.
fn check_any_text(text: &str) {
    let Ok(request) = ScopeRequest::parse(text) else { return };
    let printed = request.to_string();
    assert_eq!(
        ScopeRequest::parse(&printed).as_ref(),
        Ok(&request),
        "{text:?} printed as {printed:?}"
    );
    assert!(printed.len() <= text.len(), "{text:?} printed as {printed:?}");
    let trees = request.trees();
    assert!(count(&trees) <= MAX_SCOPES && depth(&trees) <= MAX_DEPTH, "{text:?}");
    let names: BTreeSet<_> = request.names().collect();
    assert!(request.top_level().all(|name| names.contains(name)), "{text:?}");
    assert_eq!(graph_of(&trees), graph_of_request(&request), "{text:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_mixture_of_the_special_characters_makes_the_parser_panic(text in r"[ab\[\]*, ]{0,40}") {
        check_any_text(&text);
    }

    #[test]
    fn mostly_well_formed_texts_keep_the_invariants(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b", "c", "*", "[", "]", "] ", " ", ",", "a[b", "c[*d", "offline_access", "é"
        ]), 0..30),
    ) {
        check_any_text(&pieces.concat());
    }

    #[test]
    fn a_request_is_the_graph_of_its_trees(trees in acyclic_trees()) {
        let request = ScopeRequest::parse(&text_of(&trees)).unwrap();

        prop_assert_eq!(graph_of_request(&request), graph_of(&trees));
        let forms: BTreeSet<_> = trees.iter().map(|tree| (tree.name.clone(), tree.optional)).collect();
        prop_assert_eq!(request.top_level_forms().len(), forms.len());
        prop_assert_eq!(request.top_level_forms().iter().cloned().collect::<BTreeSet<_>>(), forms);
        check_any_text(&text_of(&trees));
    }

    #[test]
    fn rebuilt_trees_print_a_text_with_the_same_meaning(trees in acyclic_trees()) {
        let request = ScopeRequest::parse(&text_of(&trees)).unwrap();

        prop_assert_eq!(ScopeRequest::parse(&text_of(&request.trees())), Ok(request));
    }

    #[test]
    fn order_has_no_meaning_but_for_the_top_level(
        (trees, shuffled) in acyclic_trees().prop_flat_map(|trees| (Just(trees.clone()), Just(trees).prop_shuffle())),
    ) {
        fn reversed(trees: &[RequestedScope]) -> Vec<RequestedScope> {
            trees
                .iter()
                .rev()
                .map(|tree| requested(tree.name.clone(), tree.optional, reversed(&tree.dependencies)))
                .collect()
        }
        let request = ScopeRequest::parse(&text_of(&trees)).unwrap();

        let other = ScopeRequest::parse(&text_of(&shuffled)).unwrap();
        prop_assert_eq!(graph_of_request(&request), graph_of_request(&other));
        prop_assert_eq!(
            request.top_level().collect::<BTreeSet<_>>(),
            other.top_level().collect::<BTreeSet<_>>()
        );

        let mut mirrored = reversed(&trees);
        mirrored.reverse();
        prop_assert_eq!(ScopeRequest::parse(&text_of(&mirrored)), Ok(request));
    }

    #[test]
    fn exactly_the_requests_without_a_cycle_are_read(trees in prop::collection::vec(any_tree(), 0..5)) {
        let result = ScopeRequest::parse(&text_of(&trees));

        if has_cycle(&graph_of(&trees)) {
            prop_assert!(matches!(result, Err(ScopeError::Cycle(_))), "{:?}", result);
        } else {
            prop_assert!(result.is_ok(), "{:?}", result);
        }
    }

    #[test]
    fn spaces_beside_brackets_and_between_scopes_have_no_meaning(trees in acyclic_trees()) {
        let text = text_of(&trees);

        let spaced = format!("  {} ", text.replace(' ', "   ").replace('[', "[ ").replace(']', " ]"));
        prop_assert_eq!(ScopeRequest::parse(&spaced), ScopeRequest::parse(&text));
    }
}
