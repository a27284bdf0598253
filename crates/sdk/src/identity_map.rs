//! Names for ids and ids for names, a hundred at a time.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_types::api::{IdentitiesAnswer, Identity};
use uuid::Uuid;

use crate::auth::{AuthClient, ConfidentialAppAuthClient, IdentityLookup};
use crate::clock::BoxFuture;
use crate::error::Result;

/// Whoever can look identities up.
///
/// ```
/// use portolan_sdk::documents::IdentitiesAnswer;
/// use portolan_sdk::{BoxFuture, IdentityLookup, IdentitySource, Result};
///
/// /// Knows nobody.
/// struct Hermit;
///
/// impl IdentitySource for Hermit {
///     fn look_up(&self, _lookup: IdentityLookup) -> BoxFuture<'_, Result<IdentitiesAnswer>> {
///         Box::pin(async { Ok(IdentitiesAnswer { identities: Vec::new(), included: None }) })
///     }
/// }
/// ```
pub trait IdentitySource: Send + Sync {
    /// Looks identities up; unknown ones are left out.
    fn look_up(&self, lookup: IdentityLookup) -> BoxFuture<'_, Result<IdentitiesAnswer>>;
}

impl IdentitySource for AuthClient {
    fn look_up(&self, lookup: IdentityLookup) -> BoxFuture<'_, Result<IdentitiesAnswer>> {
        Box::pin(async { Ok(self.get_identities(lookup).await?.into_inner()) })
    }
}

impl IdentitySource for ConfidentialAppAuthClient {
    fn look_up(&self, lookup: IdentityLookup) -> BoxFuture<'_, Result<IdentitiesAnswer>> {
        Box::pin(async { Ok(self.get_identities(lookup).await?.into_inner()) })
    }
}

/// What was looked up, for several maps of one program.
///
/// ```no_run
/// # fn run(client: portolan_sdk::AuthClient) {
/// use portolan_sdk::{IdentityCache, IdentityMap};
///
/// let cache = IdentityCache::default();
/// let first = IdentityMap::new(client.clone()).cache(cache.clone());
/// let second = IdentityMap::new(client).cache(cache);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdentityCache(Arc<Mutex<HashMap<String, Identity>>>);

impl IdentityCache {
    fn with<T>(&self, run: impl FnOnce(&mut HashMap<String, Identity>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks identities up when they are asked for, together with up to 99 others that are
/// known to be needed.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::IdentityMap;
///
/// let mut people = IdentityMap::new(client);
/// people.extend(["rdoe@example.edu", "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d"]);
/// if let Some(robin) = people.get("rdoe@example.edu").await? {
///     println!("{:?}", robin.name);
/// }
/// # Ok(())
/// # }
/// ```
pub struct IdentityMap {
    source: Arc<dyn IdentitySource>,
    batch_size: usize,
    cache: IdentityCache,
    pending_ids: BTreeSet<String>,
    pending_usernames: BTreeSet<String>,
}

impl fmt::Debug for IdentityMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityMap")
            .field("batch_size", &self.batch_size)
            .field("pending_ids", &self.pending_ids)
            .field("pending_usernames", &self.pending_usernames)
            .finish_non_exhaustive()
    }
}

/// Ids and usernames are the same in any case.
fn normal(key: &str) -> String {
    key.to_lowercase()
}

impl IdentityMap {
    /// Nobody is known yet.
    pub fn new(source: impl IdentitySource + 'static) -> Self {
        Self {
            source: Arc::new(source),
            batch_size: 100,
            cache: IdentityCache::default(),
            pending_ids: BTreeSet::new(),
            pending_usernames: BTreeSet::new(),
        }
    }

    /// How many are looked up at once; a service refuses too many.
    ///
    /// ```no_run
    /// # fn with(client: portolan_sdk::AuthClient) {
    /// let people = portolan_sdk::IdentityMap::new(client).batch_size(20);
    /// # }
    /// ```
    pub fn batch_size(mut self, size: usize) -> Self {
        self.batch_size = size.max(1);
        self
    }

    /// Shares what is known with other maps.
    pub fn cache(mut self, cache: IdentityCache) -> Self {
        self.cache = cache;
        self
    }

    /// Notes an id or username that will be needed; false if it is known or noted already.
    ///
    /// ```no_run
    /// # fn run(mut people: portolan_sdk::IdentityMap) {
    /// assert!(people.add("rdoe@example.edu"));
    /// assert!(!people.add("rdoe@example.edu"));
    /// # }
    /// ```
    pub fn add(&mut self, key: impl AsRef<str>) -> bool {
        let key = normal(key.as_ref());
        if self.cache.with(|cache| cache.contains_key(&key)) {
            return false;
        }
        self.pending(&key).insert(key)
    }

    /// Notes several.
    pub fn extend(&mut self, keys: impl IntoIterator<Item = impl AsRef<str>>) {
        for key in keys {
            self.add(key);
        }
    }

    /// Puts an identity in that is known from elsewhere.
    ///
    /// ```no_run
    /// # fn with(mut people: portolan_sdk::IdentityMap, robin: portolan_sdk::documents::Identity) {
    /// people.insert(robin);
    /// assert!(!people.add("rdoe@example.edu"));
    /// # }
    /// ```
    pub fn insert(&mut self, identity: Identity) {
        self.cache.with(|cache| {
            cache.insert(identity.id.to_string(), identity.clone());
            cache.insert(normal(&identity.username), identity);
        });
    }

    fn pending(&mut self, key: &str) -> &mut BTreeSet<String> {
        match Uuid::parse_str(key) {
            Ok(_) => &mut self.pending_ids,
            Err(_) => &mut self.pending_usernames,
        }
    }

    /// The identity with this id or username; `None` if there is none.
    ///
    /// ```no_run
    /// # async fn run(mut people: portolan_sdk::IdentityMap) -> portolan_sdk::Result<()> {
    /// let name = people.get("rdoe@example.edu").await?.and_then(|person| person.name);
    /// println!("{}", name.as_deref().unwrap_or("somebody"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&mut self, key: impl AsRef<str>) -> Result<Option<Identity>> {
        let key = normal(key.as_ref());
        if let Some(known) = self.cache.with(|cache| cache.get(&key).cloned()) {
            return Ok(Some(known));
        }
        let batch = self.batch(&key);
        let lookup = match Uuid::parse_str(&key) {
            Ok(_) => IdentityLookup::ids(&batch),
            Err(_) => IdentityLookup::usernames(&batch),
        };
        let found = self.source.look_up(lookup).await?;
        // Those that the service does not know are not asked for again with the next one.
        for asked in &batch {
            self.pending(asked).remove(asked);
        }
        for identity in found.identities {
            self.insert(identity);
        }
        Ok(self.cache.with(|cache| cache.get(&key).cloned()))
    }

    /// The key with pending ones of its kind.
    fn batch(&mut self, key: &str) -> Vec<String> {
        let limit = self.batch_size;
        let cache = self.cache.clone();
        let pending = self.pending(key);
        // Another map may have looked them up meanwhile.
        cache.with(|cache| pending.retain(|pending| !cache.contains_key(pending)));
        let others = pending.iter().filter(|other| *other != key).take(limit - 1);
        std::iter::once(key.to_owned()).chain(others.cloned()).collect()
    }

    /// Forgets an identity, under this key only. Whether it was known.
    pub fn remove(&mut self, key: impl AsRef<str>) -> bool {
        self.cache.with(|cache| cache.remove(&normal(key.as_ref()))).is_some()
    }
}
