//! Names for ids and ids for names, in few requests.

use portolan_sdk::{AccessTokenAuthorizer, AuthClient, IdentityCache, IdentityMap};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, PERSON, Server};

/// Knows everybody but those whose name begins with `no`.
async fn server() -> Server {
    let server = Server::start().await;
    server.handle(|incoming| {
        let (kind, list) = incoming.query.first()?;
        let known = list.split(',').filter(|key| !key.starts_with("no")).map(|key| {
            let (id, username) = match kind.as_str() {
                "ids" => (key.to_owned(), format!("u-{key}@x.org")),
                _ => (
                    Uuid::from_u128(key.bytes().map(u128::from).sum()).to_string(),
                    key.to_lowercase(),
                ),
            };
            json!({"id": id, "username": username, "status": "used", "identity_provider": PERSON, "name": null})
        });
        Some(Answer::ok(json!({"identities": known.collect::<Vec<_>>()})))
    });
    server
}

fn map(server: &Server) -> IdentityMap {
    let client = AuthClient::with_options(AccessTokenAuthorizer::new("Ag"), server.options()).unwrap();
    IdentityMap::new(client)
}

#[tokio::test]
async fn a_hundred_are_looked_up_at_once() {
    let server = server().await;
    let mut people = map(&server);
    let ids: Vec<String> = (0..250).map(|number| Uuid::from_u128(number).to_string()).collect();
    people.extend(&ids);

    for id in &ids {
        assert_eq!(people.get(id).await.unwrap().unwrap().id.to_string(), *id);
    }

    assert_eq!(server.count(), 3);
    let sizes: Vec<usize> = server
        .requests("/v2/api/identities")
        .iter()
        .map(|request| request.query[0].1.split(',').count())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert!(
        people.get(format!("u-{}@x.org", ids[7])).await.unwrap().is_some(),
        "by username, too"
    );
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn ids_and_usernames_are_asked_for_apart() {
    let server = server().await;
    let mut people = map(&server).batch_size(2);
    assert!(people.add("a@x.org") && people.add(PERSON) && people.add("b@x.org") && people.add("c@x.org"));
    assert!(!people.add("A@X.org"), "noted already");

    people.get("b@x.org").await.unwrap().unwrap();
    assert_eq!(server.last().query[0].1, "b@x.org,a@x.org");
    people.get(PERSON).await.unwrap().unwrap();
    assert_eq!(server.last().query, [("ids".to_owned(), PERSON.to_owned())]);
    assert!(!people.add("a@x.org"), "known already");
    assert!(people.get("A@x.org").await.unwrap().is_some());
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn whom_nobody_knows_is_asked_for_once_per_question() {
    let server = server().await;
    let mut people = map(&server);
    people.extend(["nobody@x.org", "a@x.org"]);

    assert!(people.get("a@x.org").await.unwrap().is_some());
    assert_eq!(server.last().query[0].1, "a@x.org,nobody@x.org");
    assert!(people.get("nobody@x.org").await.unwrap().is_none());
    assert_eq!(server.last().query[0].1, "nobody@x.org");
    people.get("b@x.org").await.unwrap();
    assert_eq!(server.last().query[0].1, "b@x.org");
}

#[tokio::test]
async fn what_is_known_is_shared_and_forgotten() {
    let server = server().await;
    let cache = IdentityCache::default();
    let mut first = map(&server).cache(cache.clone());
    let mut second = map(&server).cache(cache);
    second.add("a@x.org");
    let known = first.get("a@x.org").await.unwrap().unwrap();

    assert!(second.get("a@x.org").await.unwrap().is_some());
    second.get("b@x.org").await.unwrap();
    assert_eq!(
        server.last().query[0].1,
        "b@x.org",
        "the other map has looked a@x.org up"
    );
    assert!(first.remove("a@x.org") && !first.remove("a@x.org"));
    assert!(
        first.get(known.id.to_string()).await.unwrap().is_some(),
        "under its id it is still known"
    );
    assert_eq!(server.count(), 2);
    first.insert(known);
    assert!(first.get("a@x.org").await.unwrap().is_some());
    assert_eq!(server.count(), 2);
}
