//! What is told of a person and the identities linked with them: in ID tokens, at
//! userinfo and in introspection, each as far as the granted scopes open it.

use portolan_db::ReadTx;
use portolan_types::oauth::{IdentityDetail, LinkedIdentity, UserInfo};
use portolan_types::{AppSessionId, IdentityId, Timestamp};

use crate::domain::id_token;
use crate::error::{Error, Result};
use crate::store::access_tokens::Profile;
use crate::store::clients::Client;
use crate::store::identities::{self, Identity};
use crate::store::sessions::{self, Authentication};

/// An identity set as seen from one session.
#[derive(Clone, Debug)]
pub struct Described {
    /// The effective identity first.
    pub set: Vec<Identity>,
    pub authentications: Vec<Authentication>,
}

/// Loads the set of an identity with the authentications of the session, if there is one.
pub fn describe(tx: &mut ReadTx, id: IdentityId, session: Option<AppSessionId>) -> Result<Described> {
    let set = tx.fetch(&identities::set_of(id))?;
    let authentications = tx.fetch(&sessions::session_authentications(session))?;
    Described::new(id, set, authentications)
}

/// Whom a client wants to have described; `sub` is the effective identity in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Effective,
    SignedIn,
}

impl Shown {
    pub fn to(client: &Client) -> Self {
        if client.userinfo_from_effective_identity {
            Shown::Effective
        } else {
            Shown::SignedIn
        }
    }
}

impl Described {
    /// From what was found of the set and of the session.
    pub fn new(id: IdentityId, mut set: Vec<Identity>, authentications: Vec<Authentication>) -> Result<Self> {
        set.retain(|identity| identity.status != "closed");
        set.sort_by_key(|identity| identity.id != id);
        if set.first().is_none_or(|first| first.id != id) {
            return Err(Error::internal("an identity is missing from its own set"));
        }
        Ok(Self { set, authentications })
    }

    pub fn identity(&self) -> &Identity {
        &self.set[0]
    }

    /// The authentication that the session rests on: the newest, whichever identity it is of.
    pub fn newest_authentication(&self) -> Option<&Authentication> {
        self.authentications.iter().max_by_key(|known| known.authenticated_at)
    }

    /// Whom ID token and userinfo describe (wire.md 1.3): the effective identity, or the one
    /// that the person signed in with, if the client wants that.
    pub fn shown(&self, whom: Shown) -> &Identity {
        let signed_in = match whom {
            Shown::Effective => None,
            Shown::SignedIn => self.newest_authentication(),
        };
        signed_in
            .and_then(|known| self.set.iter().find(|identity| identity.id == known.identity_id))
            .unwrap_or_else(|| self.identity())
    }

    /// In this session, else the last known.
    fn last_authentication(&self, identity: &Identity) -> Option<Timestamp> {
        let here = self
            .authentications
            .iter()
            .find(|authentication| authentication.identity_id == identity.id);
        here.map(|authentication| authentication.authenticated_at)
            .or(identity.last_authentication_at)
    }

    /// For the ID token; the claims are chosen there.
    pub fn people(&self) -> Vec<id_token::IdentityDetails<'_>> {
        self.set.iter().map(|identity| self.person(identity)).collect()
    }

    /// One of them.
    pub fn person<'a>(&self, identity: &'a Identity) -> id_token::IdentityDetails<'a> {
        id_token::IdentityDetails {
            id: identity.id,
            username: &identity.username,
            name: identity.name.as_deref(),
            organization: identity.organization.as_deref(),
            email: identity.email.as_deref(),
            identity_provider: identity.provider_id,
            identity_provider_display_name: &identity.provider_name,
            last_authentication: self.last_authentication(identity),
        }
    }

    /// Absent claims are left out rather than null (standards.md H12).
    pub fn userinfo(&self, profile: Profile, whom: Shown) -> UserInfo {
        let identity = self.shown(whom);
        let opened = profile.has(Profile::PROFILE);
        UserInfo {
            sub: self.identity().id.0,
            preferred_username: opened.then(|| identity.username.clone()),
            name: identity.name.clone().filter(|_| opened),
            email: identity.email.clone().filter(|_| profile.has(Profile::EMAIL)),
            email_verified: None,
            organization: identity.organization.clone().filter(|_| opened),
            identity_provider: opened.then_some(identity.provider_id.0),
            identity_provider_display_name: opened.then(|| identity.provider_name.clone()),
            last_authentication: self
                .last_authentication(identity)
                .map(Timestamp::seconds)
                .filter(|_| opened),
            identity_set: Some(self.set.iter().map(|identity| self.linked(identity, profile)).collect()),
        }
    }

    fn linked(&self, identity: &Identity, profile: Profile) -> LinkedIdentity {
        let opened = profile.has(Profile::PROFILE);
        LinkedIdentity {
            sub: identity.id.0,
            username: identity.username.clone(),
            name: opened.then(|| identity.name.clone()),
            email: identity.email.clone().filter(|_| profile.has(Profile::EMAIL)),
            organization: identity.organization.clone().filter(|_| opened),
            identity_provider: opened.then_some(identity.provider_id.0),
            identity_provider_display_name: opened.then(|| identity.provider_name.clone()),
            last_authentication: self.last_authentication(identity).map(Timestamp::seconds),
            status: opened.then(|| identity.status.clone()),
        }
    }

    /// For `identity_set_detail`. A private identity keeps e-mail and organization to itself.
    pub fn details(&self) -> Vec<IdentityDetail> {
        self.set
            .iter()
            .map(|identity| {
                let open = identity.status == "used";
                IdentityDetail {
                    sub: identity.id.0,
                    id: identity.id.0,
                    username: identity.username.clone(),
                    name: identity.name.clone(),
                    email: identity.email.clone().filter(|_| open),
                    organization: identity.organization.clone().filter(|_| open),
                    identity_provider: identity.provider_id.0,
                    identity_provider_display_name: identity.provider_name.clone(),
                    identity_type: identity.identity_type.clone(),
                    status: identity.status.clone(),
                    last_authentication: self.last_authentication(identity).map(Timestamp::seconds),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use portolan_types::{IdentityProviderId, IdentitySetId};

    use super::*;

    fn identity(id: u128, status: &str) -> Identity {
        Identity {
            id: IdentityId::from_u128(id),
            set_id: IdentitySetId::from_u128(1),
            provider_id: IdentityProviderId::from_u128(1),
            provider_name: "P".into(),
            provider_enabled: true,
            subject: None,
            username: format!("{id}@x.org"),
            name: None,
            email: Some(format!("{id}@mail.example")),
            organization: Some("X".into()),
            status: status.into(),
            identity_type: None,
            enabled: true,
            generation: 0,
            created_at: Timestamp::from_seconds(0),
            last_authentication_at: None,
        }
    }

    #[test]
    fn a_private_identity_keeps_address_and_organization_to_itself() {
        let set = vec![identity(1, "used"), identity(2, "private"), identity(3, "closed")];
        let described = Described::new(IdentityId::from_u128(2), set, Vec::new()).expect("it is in its set");
        let details = described.details();
        let seen: Vec<_> = details
            .iter()
            .map(|detail| {
                (
                    detail.username.as_str(),
                    detail.email.as_deref(),
                    detail.organization.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [("2@x.org", None, None), ("1@x.org", Some("1@mail.example"), Some("X"))]
        );
    }
}
