//! The description as a test reads it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::schema;
use crate::support::TestServer;

pub struct Document(pub Value);

/// One method of one path.
pub struct Operation<'a> {
    document: &'a Document,
    pub method: String,
    pub path: &'a str,
    value: &'a Value,
}

impl Document {
    pub fn of(server: &TestServer) -> Self {
        Self(server.get("/v2/openapi.json").ok().json())
    }

    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("there are paths");
        paths.iter().flat_map(move |(path, methods)| {
            let methods = methods.as_object().expect("methods of a path");
            methods.iter().map(move |(method, value)| Operation {
                document: self,
                method: method.to_uppercase(),
                path,
                value,
            })
        })
    }

    pub fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        self.operations()
            .find(|operation| operation.method == method && operation.path == path)
    }

    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        schema::resolve(&self.0, value)
    }

    /// What a reader would stumble over, beside schemas.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let schemes = self.0["components"]["securitySchemes"]
            .as_object()
            .expect("security schemes");
        let tags: Vec<&Value> = self.0["tags"]
            .as_array()
            .expect("tags")
            .iter()
            .map(|tag| &tag["name"])
            .collect();
        for operation in self.operations() {
            let id = operation.id();
            let mut fault = |text: String| faults.push(format!("{id}: {text}"));
            let in_path: BTreeSet<String> = operation.parameters("path").collect();
            let expected: BTreeSet<String> = placeholders(operation.path).collect();
            if in_path != expected {
                fault(format!("the path has {expected:?}, the parameters are {in_path:?}"));
            }
            for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] == "path" && parameter["required"] != true {
                    fault(format!("{} is in the path and not required", parameter["name"]));
                }
                if parameter["description"].is_null() && parameter["in"] != "path" {
                    fault(format!("{} is not explained", parameter["name"]));
                }
            }
            for tag in operation.value["tags"].as_array().expect("tags") {
                if !tags.contains(&tag) {
                    fault(format!("the tag {tag} is not explained"));
                }
            }
            if operation.value["summary"].as_str().is_none_or(str::is_empty) {
                fault("no summary".to_owned());
            }
            let body = &operation.value["requestBody"];
            if ["GET", "DELETE"].contains(&operation.method.as_str()) && !body.is_null() {
                fault("has a body".to_owned());
            }
            let requirements = operation.value["security"]
                .as_array()
                .expect("who may call is always said");
            for (scheme, scopes) in requirements
                .iter()
                .flat_map(|one| one.as_object().expect("a requirement"))
            {
                let Some(known) = schemes.get(scheme) else {
                    fault(format!("no security scheme {scheme}"));
                    continue;
                };
                for scope in scopes.as_array().expect("scopes") {
                    let flow = &known["flows"]["authorizationCode"]["scopes"];
                    if flow.get(scope.as_str().expect("a scope")).is_none() {
                        fault(format!("the scope {scope} is not explained"));
                    }
                }
            }
            for status in operation.responses().keys() {
                let response = operation
                    .response(status.parse().expect("a status"))
                    .expect("it is listed");
                if response["description"].as_str().is_none_or(str::is_empty) {
                    fault(format!("{status} is not explained"));
                }
            }
        }
        self.check_references(&mut faults);
        faults
    }

    /// Every reference leads somewhere, and no component is left over.
    fn check_references(&self, faults: &mut Vec<String>) {
        let mut used = BTreeSet::new();
        walk(&self.0, &mut |value| {
            if let Some(reference) = value["$ref"].as_str() {
                used.insert(reference.to_owned());
            }
        });
        for reference in &used {
            if self.0.pointer(&reference[1..]).is_none() {
                faults.push(format!("{reference} leads nowhere"));
            }
        }
        for kind in ["schemas", "responses", "headers"] {
            for name in self.0["components"][kind].as_object().expect("components").keys() {
                if !used.contains(&format!("#/components/{kind}/{name}")) {
                    faults.push(format!("the component {name} is used nowhere"));
                }
            }
        }
    }

    /// Holds every example against the schema that it stands in or beside; tells how many.
    pub fn check_examples(&self, wrong: &mut Vec<String>) -> usize {
        let mut looked_at = 0;
        let mut look = |schema: &Value, example: &Value| {
            looked_at += 1;
            if let Err(reason) = schema::check(&self.0, schema, example) {
                wrong.push(format!("{reason} in {example}"));
            }
        };
        walk(&self.0, &mut |value| {
            let beside = ["type", "allOf", "anyOf", "oneOf"]
                .iter()
                .any(|keyword| value.get(*keyword).is_some());
            let schema = if beside { value } else { &value["schema"] };
            if !schema.is_object() {
                return;
            }
            for example in value["examples"].as_array().into_iter().flatten() {
                look(schema, example);
            }
            if let Some(example) = value.get("example") {
                look(schema, example);
            }
        });
        looked_at
    }
}

impl<'a> Operation<'a> {
    pub fn id(&self) -> String {
        self.value["operationId"]
            .as_str()
            .expect("an operation has a name")
            .to_owned()
    }

    pub fn responses(&self) -> &'a Map<String, Value> {
        self.value["responses"].as_object().expect("an operation has answers")
    }

    pub fn response(&self, status: u16) -> Option<&'a Value> {
        let response = self.responses().get(&status.to_string())?;
        Some(self.document.resolve(response))
    }

    pub fn schema_of(&self, status: u16) -> Option<&'a Value> {
        self.response(status)?["content"]["application/json"].get("schema")
    }

    fn parameters(&self, place: &'static str) -> impl Iterator<Item = String> {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        parameters
            .filter(move |parameter| parameter["in"] == place)
            .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
    }
}

fn placeholders(path: &str) -> impl Iterator<Item = String> {
    path.split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().expect("it is closed").to_owned())
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !["example", "examples"].contains(&name.as_str()))
            .for_each(|(_, member)| walk(member, visit)),
        _ => {}
    }
}
