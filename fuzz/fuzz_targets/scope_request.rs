//! The parser of requested scopes reads what strangers send to the authorize endpoint. It
//! must not panic, and what it accepts must stay within its limits and print a text that
//! means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portolan_types::scope::{self, MAX_DEPTH, MAX_SCOPES, MAX_TEXT, RequestedScope, ScopeRequest};

fuzz_target!(|text: &str| {
    let Ok(request) = ScopeRequest::parse(text) else {
        return;
    };
    let printed = request.to_string();
    assert!(printed.len() <= text.len(), "printed {printed:?}");
    assert_eq!(
        ScopeRequest::parse(&printed).as_ref(),
        Ok(&request),
        "printed {printed:?}"
    );
    assert!(!request.names().any(|name| name == "offline_access"));

    let trees = request.trees();
    let (scopes, depth) = measure(&trees);
    assert!(
        scopes <= MAX_SCOPES && depth <= MAX_DEPTH,
        "{scopes} scopes, {depth} deep"
    );
    assert!(request.names().count() <= scopes);

    // The trees say the same as the graph. They may be longer than a request may be.
    let trees = scope::flat(trees.iter().map(ToString::to_string));
    if let Ok(again) = ScopeRequest::parse(&trees) {
        assert_eq!(again.top_level_forms(), request.top_level_forms());
        assert!(again.names().eq(request.names()));
        assert!(
            again
                .names()
                .all(|name| again.dependencies(name) == request.dependencies(name))
        );
    } else {
        assert!(trees.len() > MAX_TEXT, "trees {trees:?}");
    }
});

/// Scopes in all trees together, and the depth of the deepest.
fn measure(trees: &[RequestedScope]) -> (usize, usize) {
    let mut scopes = 0;
    let mut depth = 0;
    for tree in trees {
        let (scopes_below, depth_below) = measure(&tree.dependencies);
        scopes += 1 + scopes_below;
        depth = depth.max(1 + depth_below);
    }
    (scopes, depth)
}
