//! Tokens that outlive the program, in the files of the Python SDK.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "sqlite")]
use portolan_sdk::storage::SqliteTokenStorage;
use portolan_sdk::storage::{
    HasRefreshTokensValidator, JsonTokenStorage, MemoryTokenStorage, NotExpiredValidator, TokenData, TokenStorage,
    TokenValidationError, UnchangingIdentityValidator, ValidatingTokenStorage,
};
use portolan_sdk::{Error, IdTokenDecoder, Secret, StorageError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{NOW, PERSON, Server, token};

fn data(resource_server: &str, refresh_token: Option<&str>) -> TokenData {
    TokenData {
        resource_server: resource_server.to_owned(),
        identity_id: Some(PERSON.to_owned()),
        scope: "openid email".to_owned(),
        access_token: Secret::new("Ag\"ä"),
        refresh_token: refresh_token.map(Secret::new),
        expires_at_seconds: NOW,
        token_type: Some("Bearer".to_owned()),
    }
}

fn one(resource_server: &str) -> BTreeMap<String, TokenData> {
    BTreeMap::from([(resource_server.to_owned(), data(resource_server, Some("Rt")))])
}

fn check_storage(storage: &dyn TokenStorage) {
    assert!(storage.all().unwrap().is_empty());
    assert!(!storage.remove("a").unwrap());
    storage.store(&one("a")).unwrap();
    storage
        .store(&BTreeMap::from([("b".to_owned(), data("b", None))]))
        .unwrap();
    assert_eq!(storage.get("a").unwrap().unwrap(), data("a", Some("Rt")));
    assert_eq!(storage.get("b").unwrap().unwrap().refresh_token, None);
    storage
        .store(&BTreeMap::from([("a".to_owned(), data("a", Some("Rt2")))]))
        .unwrap();
    assert_eq!(storage.all().unwrap()["a"], data("a", Some("Rt2")));
    assert!(storage.remove("a").unwrap() && !storage.remove("a").unwrap());
    assert_eq!(storage.all().unwrap().keys().collect::<Vec<_>>(), ["b"]);
}

fn assert_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn memory_keeps_tokens() {
    check_storage(&MemoryTokenStorage::new());
}

#[test]
fn a_json_file_keeps_tokens_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/tokens.json");
    let storage = JsonTokenStorage::new(&path).unwrap();
    check_storage(&storage);
    assert_private(&path);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "the file and its lock: {names:?}");
}

/// As globus-sdk 4 writes it: members that are None are left out.
#[test]
fn json_files_are_those_of_python() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens.json");
    let record = json!({"resource_server": "b", "identity_id": PERSON, "scope": "openid email", "access_token": "Ag\"ä",
        "expires_at_seconds": NOW, "token_type": "Bearer"});
    let other = json!({"a": {"resource_server": "a", "anything": [1]}});
    let python = json!({"data": {"DEFAULT": {"b": record}, "other": other}, "format_version": "2.0", "globus-sdk.version": "4.1.0"});
    fs::write(&path, python.to_string()).unwrap();
    let storage = JsonTokenStorage::new(&path).unwrap();
    assert_eq!(
        storage.all().unwrap(),
        BTreeMap::from([("b".to_owned(), data("b", None))])
    );

    storage
        .store(&BTreeMap::from([("b".to_owned(), data("b", None))]))
        .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let mut written: Value = serde_json::from_str(&text).unwrap();
    let version = written["globus-sdk.version"].take();
    assert_eq!(version, format!("portolan-sdk {}", env!("CARGO_PKG_VERSION")));
    let mut expected = python;
    expected["globus-sdk.version"] = Value::Null;
    assert_eq!(written, expected, "what belongs to others stays as it is");
    assert!(text.starts_with("{\"data\": {\"DEFAULT\": {\"b\": {\""), "{text}");

    let namespace = JsonTokenStorage::new(&path).unwrap().in_namespace("mine");
    assert!(namespace.all().unwrap().is_empty());
    namespace.store(&one("a")).unwrap();
    assert_eq!((namespace.namespace(), storage.all().unwrap().len()), ("mine", 1));
}

#[test]
fn json_files_of_version_one_are_read_and_become_version_two() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens.json");
    let record = json!({"scope": "openid", "refresh_token": null, "access_token": "Ag", "token_type": "Bearer",
        "expires_at_seconds": NOW, "resource_server": "a"});
    fs::write(
        &path,
        json!({"by_rs": {"a": record}, "format_version": "1.0", "globus-sdk.version": "3.0"}).to_string(),
    )
    .unwrap();
    let storage = JsonTokenStorage::new(&path).unwrap();

    assert_eq!(storage.get("a").unwrap().unwrap().refresh_token, None);
    storage.store(&one("b")).unwrap();

    let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["format_version"], "2.0");
    assert_eq!(written["data"]["DEFAULT"].as_object().unwrap().len(), 2);
}

#[test]
fn json_files_that_are_something_else_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens.json");
    for text in [
        "",
        "[]",
        "{}",
        r#"{"format_version": "3.0", "data": {}}"#,
        r#"{"format_version": "2.0"}"#,
        r#"{"format_version": "1.0"}"#,
        r#"{"format_version": "2.0", "data": {"DEFAULT": []}}"#,
    ] {
        fs::write(&path, text).unwrap();
        let storage = JsonTokenStorage::new(&path).unwrap();
        for error in [storage.all().unwrap_err(), storage.store(&one("a")).unwrap_err()] {
            let Error::Storage(error) = error else { panic!("{text}") };
            assert!(matches!(*error, StorageError::Format { .. }), "{text}: {error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn many_writers_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens.json");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let storage = JsonTokenStorage::new(path).unwrap();
                for number in 0..5 {
                    storage.store(&one(&format!("{writer}-{number}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(JsonTokenStorage::new(&path).unwrap().all().unwrap().len(), 40);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = TempDir::new().unwrap();
    let (real, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
    JsonTokenStorage::new(&real).unwrap().store(&one("a")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();

    JsonTokenStorage::new(&link).unwrap().store(&one("b")).unwrap();

    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(JsonTokenStorage::new(&real).unwrap().all().unwrap().len(), 2);
}

#[cfg(feature = "sqlite")]
#[test]
fn an_sqlite_file_keeps_tokens_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/tokens.db");
    let storage = SqliteTokenStorage::new(&path).unwrap();
    check_storage(&storage);
    assert_private(&path);
    assert_eq!(storage.path(), path);
    let mine = SqliteTokenStorage::new(&path).unwrap().in_namespace("mine");
    assert!(mine.all().unwrap().is_empty());
    mine.store(&one("a")).unwrap();
    assert_eq!(storage.namespaces().unwrap(), ["DEFAULT", "mine"]);
    assert!(matches!(SqliteTokenStorage::new(":memory:"), Err(Error::Usage(_))));
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_files_that_are_something_else_are_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.db");
    fs::write(
        &text,
        "no database, and longer than a header of one hundred bytes would be".repeat(3),
    )
    .unwrap();
    assert!(matches!(SqliteTokenStorage::new(&text), Err(Error::Storage(_))));

    let newer = folder.path().join("newer.db");
    drop(SqliteTokenStorage::new(&newer).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    let statement =
        "UPDATE sdk_storage_adapter_internal SET value = '3' WHERE attribute = 'globus-sdk.database_schema_version'";
    connection.execute(statement, []).unwrap();
    let error = SqliteTokenStorage::new(&newer).unwrap_err();
    assert!(error.to_string().contains("schema is unknown"), "{error}");
}

fn unwrap_validation(result: portolan_sdk::Result<impl std::fmt::Debug>) -> TokenValidationError {
    match result {
        Err(Error::TokenValidation(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn validators_look_at_what_goes_in_and_out() {
    let server = Server::start().await;
    let memory = Arc::new(MemoryTokenStorage::new());
    let storage = ValidatingTokenStorage::new(memory.clone())
        .unwrap()
        .validator(HasRefreshTokensValidator)
        .validator(NotExpiredValidator::new(server.clock.clone()))
        .validator(UnchangingIdentityValidator);

    let missing = TokenValidationError::MissingToken {
        resource_server: "a".to_owned(),
    };
    assert_eq!(unwrap_validation(storage.get("a").await), missing);
    let mut nobody = one("a");
    nobody.get_mut("a").unwrap().identity_id = None;
    assert_eq!(
        unwrap_validation(storage.store(&nobody).await),
        TokenValidationError::MissingIdentity
    );
    assert!(memory.all().unwrap().is_empty());

    storage.store(&one("a")).await.unwrap();
    assert_eq!(storage.identity_id().as_deref(), Some(PERSON));
    storage.get("a").await.unwrap();
    storage.all().await.unwrap();
    let mut other = one("a");
    other.get_mut("a").unwrap().identity_id = Some("other".to_owned());
    let error = unwrap_validation(storage.store(&other).await);
    assert_eq!(
        error,
        TokenValidationError::IdentityMismatch {
            stored: PERSON.to_owned(),
            new: "other".to_owned()
        }
    );

    server.clock.advance(1);
    let expired = TokenValidationError::Expired {
        resource_server: "a".to_owned(),
        expired_at_seconds: NOW,
    };
    assert_eq!(unwrap_validation(storage.get("a").await), expired);
    memory
        .store(&BTreeMap::from([("a".to_owned(), data("a", None))]))
        .unwrap();
    assert_eq!(unwrap_validation(storage.all().await), missing);

    assert!(storage.remove("a").unwrap());
    assert_eq!(
        storage.identity_id(),
        None,
        "with the last token it is forgotten whose they were"
    );
    memory.store(&one("a")).unwrap();
    memory
        .store(&BTreeMap::from([("b".to_owned(), other.remove("a").unwrap())]))
        .unwrap();
    assert!(ValidatingTokenStorage::new(memory).is_err(), "tokens of two people");
}

#[tokio::test]
async fn a_renewal_belongs_to_whom_the_login_belonged() {
    let server = Server::start().await;
    server.answer("/v2/oauth2/token", token("a", "openid", "A2"));
    let memory = Arc::new(MemoryTokenStorage::new());
    memory.store(&one("a")).unwrap();
    let storage = ValidatingTokenStorage::new(memory.clone())
        .unwrap()
        .validator(UnchangingIdentityValidator);
    let app = server.native();

    let response = app.refresh_token("Rt").await.unwrap();
    storage
        .store_response(&response, &IdTokenDecoder::new(&app))
        .await
        .unwrap();

    let stored = memory.get("a").unwrap().unwrap();
    assert_eq!(
        (stored.access_token.expose(), stored.identity_id.as_deref()),
        ("A2", Some(PERSON))
    );
    memory.store_response(&response, None).unwrap();
    assert_eq!(memory.get("a").unwrap().unwrap().identity_id, None);
}
