//! Every function of `store`, executed on both engines. One file per table family; the
//! rows that most tests need stand here, under fixed ids.

mod addresses;
mod clients;
mod codes;
mod consents;
mod console;
mod developers;
mod factors;
mod identities;
mod linking;
mod logout;
mod scope_search;
mod sessions;
mod tokens;

use std::time::Duration;

use portolan_db::{Db, Error as DbError, ReadTx, Value, WriteTx};
use portolan_types::{
    BrowserSessionId, ClientId, ConsentId, IdentityId, IdentityProviderId, IdentitySetId, ScopeId, Timestamp, TokenHash,
};

use super::clients::Client;
use super::consents::Consent;
use super::identities::Identity;
use super::identity_providers::{self, IdentityProvider, LOCAL};
use super::scopes::NewScope;
use crate::error::{Error, Result};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A person of the local provider, alone in her set.
const ALICE: IdentityId = IdentityId::from_u128(0xa11ce);
const ALICES_SET: IdentitySetId = IdentitySetId::from_u128(0xa11ce5);
/// Asks for access.
const APP: ClientId = ClientId::from_u128(0xa99);
/// Owns [`READ`] and [`WRITE`].
const SERVICE: ClientId = ClientId::from_u128(0x5e7);
const READ: ScopeId = ScopeId::from_u128(0x4ead);
const WRITE: ScopeId = ScopeId::from_u128(0x371e);
/// Alice's approval of [`READ`] and [`WRITE`] for the app.
const READ_CONSENT: ConsentId = ConsentId(101);
const WRITE_CONSENT: ConsentId = ConsentId(102);

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn hash(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

fn read<T: Send + 'static>(db: &Db, work: impl Fn(&mut ReadTx) -> Result<T> + Send + 'static) -> T {
    db.read_blocking(work).expect("the store answers")
}

fn write<T: Send + 'static>(db: &Db, work: impl Fn(&mut WriteTx) -> Result<T> + Send + 'static) -> T {
    db.write_blocking(work).expect("the store accepts")
}

/// A statement that no function of the store makes, for states that other parts bring about.
fn execute(db: &Db, sql: &'static str, values: impl Into<Vec<Value>>) -> u64 {
    let values: Vec<Value> = values.into();
    write(db, move |tx| Ok(tx.execute(sql, &values)?))
}

/// What a unit finds that then leaves no trace: many cases can start from the same rows.
fn in_vain<T: Send + 'static>(db: &Db, work: impl Fn(&mut WriteTx) -> Result<T> + Send + 'static) -> T {
    /// Travels as the error, so that the unit is rolled back.
    enum Found<T> {
        Answer(T),
        Failed(Error),
    }
    impl<T> From<DbError> for Found<T> {
        fn from(error: DbError) -> Self {
            Found::Failed(error.into())
        }
    }
    let result: Result<(), Found<T>> = db.write_blocking(move |tx| match work(tx) {
        Ok(answer) => Err(Found::Answer(answer)),
        Err(error) => Err(Found::Failed(error)),
    });
    match result {
        Err(Found::Answer(answer)) => answer,
        Err(Found::Failed(error)) => panic!("the store refused: {error}"),
        Ok(()) => unreachable!("the unit always fails"),
    }
}

fn provider(id: IdentityProviderId, short_name: &str) -> IdentityProvider {
    IdentityProvider {
        id,
        name: format!("Provider {short_name}"),
        short_name: short_name.to_owned(),
        kind: "local".into(),
        alternative_names: r#"["Other name"]"#.into(),
        enabled: true,
    }
}

fn identity(id: IdentityId, username: &str) -> Identity {
    Identity {
        id,
        set_id: IdentitySetId(id.0),
        provider_id: LOCAL,
        provider_name: "Provider local".into(),
        provider_enabled: true,
        subject: Some(id.to_string()),
        username: username.to_owned(),
        name: Some("Name".into()),
        email: Some("mail@example.org".into()),
        organization: Some("Organization".into()),
        status: "used".into(),
        identity_type: Some("login".into()),
        enabled: true,
        generation: 0,
        created_at: NOW,
        last_authentication_at: None,
    }
}

fn scope<'a>(id: ScopeId, scope_string: &'a str) -> NewScope<'a> {
    NewScope {
        id,
        client_id: SERVICE,
        scope_string,
        suffix: None,
        name: "Name",
        description: "Description",
        advertised: true,
        allows_refresh_token: true,
        required_domains: &[],
    }
}

fn root(id: ConsentId, scope_id: ScopeId) -> Consent {
    Consent::new(id, None, ALICE, APP, scope_id, NOW)
}

/// The provider, Alice, the app, the service with two scopes, and Alice's two consents.
fn populate(db: &Db) {
    write(db, |tx| {
        identity_providers::upsert(tx, &provider(LOCAL, "local"), &["portolan.local"], NOW)?;
        let alice = Identity {
            set_id: ALICES_SET,
            ..identity(ALICE, "alice@portolan.local")
        };
        assert!(super::identities::insert(tx, &alice)?);
        super::clients::insert(tx, &Client::new(APP, "App", "confidential_client", NOW))?;
        super::clients::insert(tx, &Client::new(SERVICE, "Service", "resource_server", NOW))?;
        super::scopes::upsert(tx, &scope(READ, "urn:read"), NOW)?;
        super::scopes::upsert(tx, &scope(WRITE, "urn:write"), NOW)?;
        super::consents::insert(tx, &root(READ_CONSENT, READ))?;
        super::consents::insert(tx, &root(WRITE_CONSENT, WRITE))
    });
}

/// A browser session of its own for each number.
fn browser(db: &Db, number: u8) -> BrowserSessionId {
    let id = BrowserSessionId::from_u128(number.into());
    write(db, move |tx| {
        super::sessions::insert(tx, id, &hash(number), NOW, after(1000), None, None)
    });
    id
}
