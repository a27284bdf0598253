//! Who a caller is, in the names that lists of permissions use.

use std::collections::BTreeSet;

use anyhow::Result;
use portolan_sdk::IdentityId;
use portolan_sdk::resource_server::Caller;
use portolan_sdk::scopes::GroupsScopes;
use serde::Deserialize;

use crate::PATIENCE;
use crate::answers::Failure;

/// A caller under all of their names.
pub struct Principals {
    /// The identity that the token speaks for; it creates actions.
    pub effective: String,
    names: BTreeSet<String>,
}

impl Principals {
    #[cfg(test)]
    pub fn named(name: &str) -> Self {
        Self {
            effective: name.to_owned(),
            names: BTreeSet::from([name.to_owned()]),
        }
    }

    /// Whether one of their names is on the list.
    pub fn is_among(&self, list: &BTreeSet<String>) -> bool {
        list.contains("public") || list.contains("all_authenticated_users") || !self.names.is_disjoint(list)
    }
}

/// The groups of callers, as Globus Groups knows them.
pub struct Groups {
    url: Option<String>,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Group {
    id: String,
}

impl Groups {
    /// Without an address nobody is in a group.
    pub fn new(url: Option<String>) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { url, http })
    }

    pub async fn principals(&self, caller: &Caller) -> Result<Principals, Failure> {
        let effective = caller.identity().map(identity_name).ok_or_else(Failure::unauthorized)?;
        let mut names: BTreeSet<String> = caller.identities().into_iter().map(identity_name).collect();
        names.insert(effective.clone());
        names.extend(self.groups(caller).await.map_err(|error| {
            eprintln!("groups: {error}");
            Failure::unavailable()
        })?);
        Ok(Principals { effective, names })
    }

    /// Asked with a token of the caller's own: Groups shows people their groups, and this
    /// provider is nobody there. Whoever has taken that branch back is in no group here.
    async fn groups(&self, caller: &Caller) -> Result<Vec<String>> {
        let Some(url) = &self.url else {
            return Ok(Vec::new());
        };
        let tokens = caller.dependent_tokens().await?;
        let Some(token) = tokens.by_resource_server().get(GroupsScopes::RESOURCE_SERVER) else {
            return Ok(Vec::new());
        };
        let url = format!("{}/v2/groups/my_groups", url.trim_end_matches('/'));
        let request = self.http.get(url).bearer_auth(token.access_token.expose());
        let groups: Vec<Group> = request.send().await?.error_for_status()?.json().await?;
        Ok(groups
            .into_iter()
            .map(|group| format!("urn:globus:groups:id:{}", group.id))
            .collect())
    }
}

fn identity_name(id: IdentityId) -> String {
    format!("urn:globus:auth:identity:{id}")
}
