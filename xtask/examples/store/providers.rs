//! Identity providers as a federation has them: thousands, most of them universities.

use crate::{Result, Store, Value};

const PLACES: [&str; 8] = [
    "springfield",
    "shelbyville",
    "ogdenville",
    "brockway",
    "haverbrook",
    "cypress",
    "waverly",
    "guadalupe",
];

/// The ids are those of nobody else: they begin with this.
const MARK: u64 = 0x1d9_0000_0000_0000;

pub fn fill(store: &mut dyn Store, count: u64, now: i64) -> Result<()> {
    let id = |number: u64| Value::Id((u128::from(MARK | number) << 64 | u128::from(number)).to_be_bytes());
    let text = |text: String| Value::Text(text);
    let place = |number: u64| PLACES[number as usize % PLACES.len()];
    let domain = |number: u64| format!("u{number}.{}.edu", place(number));
    let mut providers = (0..count).map(|number| {
        vec![
            id(number),
            text(format!("University of {} {number}", place(number))),
            text(format!("bench-u{number}")),
            text("oidc".into()),
            text("[]".into()),
            text(format!("https://{}", domain(number))),
            text("{}".into()),
            Value::Int(1),
            Value::Int(now),
        ]
    });
    store.load(
        "identity_providers",
        "id, name, short_name, kind, alternative_names, issuer, configuration, enabled, created_at",
        &mut providers,
    )?;
    let mut domains = (0..count).map(|number| vec![text(domain(number)), id(number)]);
    store.load("idp_domains", "domain, identity_provider_id", &mut domains)?;
    let words = |number: u64| {
        [
            "university".to_owned(),
            "of".to_owned(),
            place(number).to_owned(),
            number.to_string(),
            format!("u{number}"),
            "edu".to_owned(),
        ]
    };
    let mut words = (0..count).flat_map(|number| words(number).map(|word| vec![text(word), id(number)]));
    store.load("idp_words", "word, identity_provider_id", &mut words)
}
