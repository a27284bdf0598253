//! Every function of the store is executed by a test on both engines: there is no
//! compiler that checks the SQL, so a function that no `db_test!` calls fails here.

mod sources;

use sources::{Source, find_word, macro_calls, read};

const STORE: &str = "crates/server/src/store";

#[test]
fn every_function_of_the_store_is_called_by_a_test_on_both_engines() {
    let (shared, modules): (Vec<Source>, Vec<Source>) = read(STORE)
        .into_iter()
        .partition(|source| source.path.contains("/tests/"));
    let shared = executed(&shared.iter().map(|source| source.tests.as_str()).collect::<Vec<_>>());
    let mut missing = Vec::new();
    let mut functions = 0;
    for source in &modules {
        let module = source.module();
        let module = module.rsplit("::").next().unwrap_or_default();
        let own = executed(&[source.tests.as_str()]);
        for function in source.public_functions() {
            functions += 1;
            let qualified = format!("{module}::{function}");
            if find_word(&own, &function).is_none() && find_word(&shared, &qualified).is_none() {
                missing.push(format!("store::{qualified}"));
            }
        }
    }
    assert!(functions > 100, "only {functions} functions were found");
    assert!(missing.is_empty(), "no db_test! calls\n{}", missing.join("\n"));
}

/// The bodies of the `db_test!` of these files, with the helpers that they call.
fn executed(files: &[&str]) -> String {
    let mut text: String = files.iter().flat_map(|file| macro_calls(file, "db_test")).collect();
    let mut helpers: Vec<&str> = files.iter().flat_map(|file| file.split("fn ").skip(1)).collect();
    loop {
        let (called, rest): (Vec<&str>, Vec<&str>) = helpers.iter().partition(|helper| {
            let name = helper.split(['(', '<']).next().unwrap_or_default();
            find_word(&text, name).is_some()
        });
        if called.is_empty() {
            return text;
        }
        // What follows a helper up to the next function is at most a test, which counts anyway.
        called.iter().for_each(|helper| text.push_str(helper));
        helpers = rest;
    }
}
