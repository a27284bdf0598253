//! Does what the Python SDK does, so that both can be compared: reads scopes, and keeps and
//! renews tokens in files. `e2e/python/test_rust_sdk.py` drives it.
//!
//! ```sh
//! side_by_side scopes < lines-of-json-strings
//! side_by_side load json|sqlite FILE NAMESPACE
//! side_by_side store json|sqlite FILE NAMESPACE < json
//! side_by_side renew json|sqlite FILE NAMESPACE CLIENT_ID RESOURCE_SERVER
//! ```

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Read as _, Write as _};

use portolan_sdk::scopes::{self, ScopeError};
use portolan_sdk::storage::{JsonTokenStorage, SqliteTokenStorage, TokenData, TokenStorage};
use portolan_sdk::{NativeAppAuthClient, Scope};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["scopes"] => read_scopes(),
        ["load", kind, file, namespace] => {
            let tokens = open(kind, file, namespace)?.all()?;
            println!("{}", serde_json::to_string(&tokens)?);
            Ok(())
        }
        ["store", kind, file, namespace] => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            let tokens: BTreeMap<String, TokenData> = serde_json::from_str(&text)?;
            Ok(open(kind, file, namespace)?.store(&tokens)?)
        }
        ["renew", kind, file, namespace, client_id, resource_server] => {
            let storage = open(kind, file, namespace)?;
            let stored = storage.get(resource_server)?.ok_or("no such token")?;
            let refresh_token = stored.refresh_token.ok_or("no refresh token")?;
            let client = NativeAppAuthClient::new(*client_id)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let response = runtime.block_on(client.refresh_token(refresh_token.expose()))?;
            Ok(storage.store_response(&response, stored.identity_id.as_deref())?)
        }
        _ => Err("usage: side_by_side scopes|load|store|renew ..".into()),
    }
}

fn open(kind: &str, file: &str, namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    Ok(match kind {
        "json" => Box::new(JsonTokenStorage::new(file)?.in_namespace(namespace)),
        "sqlite" => Box::new(SqliteTokenStorage::new(file)?.in_namespace(namespace)),
        _ => return Err("json or sqlite".into()),
    })
}

fn read_scopes() -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let answer = match scopes::parse(&text) {
            Ok(scopes) => sorted(&scopes),
            Err(ScopeError::Syntax(_)) => json!("ScopeParseError"),
            Err(ScopeError::Cycle(_)) => json!("ScopeCycleError"),
            Err(other) => json!(other.to_string()),
        };
        writeln!(output, "{answer}")?;
    }
    Ok(())
}

/// Trees in an order that does not depend on who read them.
fn sorted(scopes: &[Scope]) -> Value {
    let mut trees: Vec<Value> = scopes
        .iter()
        .map(|scope| json!([scope.name(), scope.is_optional(), sorted(scope.dependencies())]))
        .collect();
    trees.sort_by_key(Value::to_string);
    Value::Array(trees)
}
