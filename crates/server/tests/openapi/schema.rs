//! A judge for the part of JSON Schema that the description uses. A keyword that it does not
//! know is an error, so nothing is passed over; and a member that no schema names is one
//! too, which JSON Schema would let pass: answers may gain members, but then the description
//! gains them as well.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

/// What a schema may say without demanding anything.
const NOTES: &[&str] = &[
    "description",
    "title",
    "example",
    "examples",
    "default",
    "deprecated",
    "format",
];

type Outcome<T> = Result<T, String>;

/// Follows a reference inside the document.
pub fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("references are local");
            let found = root
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{reference} leads nowhere"));
            resolve(root, found)
        }
        None => value,
    }
}

/// Whether the value is what the schema says, and has no member that the schema does not name.
pub fn check(root: &Value, schema: &Value, value: &Value) -> Outcome<()> {
    let named = judge(root, schema, value)?;
    if let (Some(object), Some(named)) = (value.as_object(), named)
        && let Some(unknown) = object.keys().find(|name| !named.contains(*name))
    {
        return Err(format!("/{unknown} is not described"));
    }
    Ok(())
}

/// The members that the schema names; none if it lets all pass.
fn judge(root: &Value, schema: &Value, value: &Value) -> Outcome<Option<BTreeSet<String>>> {
    let schema = resolve(root, schema);
    let mut named: Option<BTreeSet<String>> = None;
    let mut name = |more: BTreeSet<String>| named.get_or_insert_with(BTreeSet::new).extend(more);
    for (keyword, demand) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "type" => demand_type(demand, value)?,
            "enum" => {
                let values = demand.as_array().expect("a list of values");
                require(values.contains(value), || format!(" is {value}, not one of {demand}"))?;
            }
            "allOf" => {
                for part in demand.as_array().expect("a list of schemas") {
                    judge(root, part, value)?.map(&mut name);
                }
            }
            "anyOf" | "oneOf" => {
                let results: Vec<_> = demand
                    .as_array()
                    .expect("a list of schemas")
                    .iter()
                    .map(|part| judge(root, part, value))
                    .collect();
                let fitting = results.iter().filter(|result| result.is_ok()).count();
                require(fitting > 0 && (keyword == "anyOf" || fitting == 1), || {
                    format!(" fits {fitting} of the alternatives: {results:?}")
                })?;
                for found in results.into_iter().flatten().flatten() {
                    name(found);
                }
            }
            "properties" => {
                let properties = demand.as_object().expect("schemas by name");
                for (member, schema) in properties {
                    if let Some(value) = value.get(member) {
                        check(root, schema, value).map_err(|wrong| format!("/{member}{wrong}"))?;
                    }
                }
                name(properties.keys().cloned().collect());
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                let others = value.as_object().into_iter().flatten();
                for (member, value) in others.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
                    check(root, demand, value).map_err(|wrong| format!("/{member}{wrong}"))?;
                    name([member.clone()].into());
                }
                name(BTreeSet::new());
            }
            "propertyNames" => {
                for member in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    check(root, demand, &Value::from(member.as_str())).map_err(|wrong| format!("/{member}{wrong}"))?;
                }
            }
            "required" => {
                for member in demand.as_array().expect("a list of names") {
                    let member = member.as_str().expect("a name");
                    require(!value.is_object() || value.get(member).is_some(), || {
                        format!("/{member} is missing")
                    })?;
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, demand, item).map_err(|wrong| format!("/{index}{wrong}"))?;
                }
            }
            "minItems" | "maxItems" => bound(keyword, demand, value.as_array().map(|list| list.len() as f64))?,
            "minLength" | "maxLength" => {
                bound(keyword, demand, value.as_str().map(|text| text.chars().count() as f64))?
            }
            "minimum" | "maximum" => bound(keyword, demand, value.as_f64())?,
            "pattern" => {
                let pattern = Regex::new(demand.as_str().expect("a pattern")).expect("the pattern is one");
                let fits = value.as_str().is_none_or(|text| pattern.is_match(text));
                require(fits, || format!(" is {value}, which does not fit {demand}"))?;
            }
            note if NOTES.contains(&note) => {}
            unknown => panic!("the keyword {unknown} is new here"),
        }
    }
    if schema["format"] == "uuid" {
        let fits = value
            .as_str()
            .is_none_or(|text| text.len() == 36 && text.parse::<uuid::Uuid>().is_ok());
        require(fits, || format!(" is {value}, no uuid"))?;
    }
    Ok(named)
}

fn demand_type(demand: &Value, value: &Value) -> Outcome<()> {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        unknown => panic!("the type {unknown} does not exist"),
    };
    let fits = match demand {
        Value::String(name) => is(name),
        names => names
            .as_array()
            .expect("names of types")
            .iter()
            .any(|name| is(name.as_str().expect("a name"))),
    };
    require(fits, || format!(" is {value}, but must be of type {demand}"))
}

fn bound(keyword: &str, demand: &Value, measured: Option<f64>) -> Outcome<()> {
    let bound = demand.as_f64().expect("a number");
    let fits = measured.is_none_or(|measured| {
        if keyword.starts_with("min") {
            measured >= bound
        } else {
            measured <= bound
        }
    });
    require(fits, || format!(" is beyond {keyword} {demand}"))
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[test]
fn the_judge_sees_what_is_wrong() {
    use serde_json::json;

    let root = json!({ "s": {
        "type": "object", "required": ["a"],
        "properties": {
            "a": { "type": ["string", "null"], "pattern": "^[a-z]+$", "maxLength": 3 },
            "b": { "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 1 }] },
            "c": { "type": "array", "items": { "enum": ["x"] } },
            "d": { "type": "object" },
            "e": { "type": "string", "format": "uuid" },
        },
    } });
    let schema = json!({ "allOf": [{ "$ref": "#/s" }, { "properties": { "f": { "type": "boolean" } } }] });
    let good = json!({ "a": "abc", "b": null, "c": ["x"], "d": { "any": 1 }, "f": true });
    assert_eq!(check(&root, &schema, &good), Ok(()));
    for (bad, told) in [
        (json!([]), "must be of type"),
        (json!({}), "/a is missing"),
        (json!({ "a": 1 }), "/a is 1"),
        (json!({ "a": "A" }), "does not fit"),
        (json!({ "a": "abcd" }), "beyond maxLength"),
        (json!({ "a": null, "b": 0 }), "/b fits 0"),
        (json!({ "a": null, "c": ["y"] }), "/c/0 is"),
        (json!({ "a": null, "e": "1" }), "no uuid"),
        (json!({ "a": null, "g": 1 }), "/g is not described"),
    ] {
        let wrong = check(&root, &schema, &bad).unwrap_err();
        assert!(wrong.contains(told), "{bad}: {wrong}");
    }
}
