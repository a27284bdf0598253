//! Why a person passes a policy or does not, told for each of their identities. The verdict
//! is [`super::evaluate`]'s; the table of its tests holds the two together.

use portolan_types::Timestamp;

use super::{Standing, is_in_time, shows_mfa, standing};
use crate::store::identities::Identity;
use crate::store::policies::Policy;
use crate::store::sessions::Authentication;

/// What one identity is worth to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    pub username: String,
    pub standing: Standing,
    /// That it has signed in in this session; none where the policy does not ask.
    pub login: Option<Login>,
}

/// What a policy asks of a login, and what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub at: Option<Timestamp>,
    /// The provider did not say when it was, so it is never recent.
    pub undated: bool,
    /// Whether it is recent enough; none where the policy sets no time-out.
    pub in_time: Option<bool>,
    /// Whether it was with two factors; none where the policy asks for no more than one.
    pub two_factors: Option<bool>,
}

impl Examined {
    /// Whether this identity alone satisfies the policy.
    pub fn is_enough(&self) -> bool {
        let is_met =
            |login: &Login| login.at.is_some() && login.in_time != Some(false) && login.two_factors != Some(false);
        self.standing == Standing::Counts && self.login.as_ref().is_none_or(is_met)
    }
}

/// Each identity of a person, in the order of the set.
pub fn examine(policy: &Policy, set: &[Identity], session: &[Authentication], now: Timestamp) -> Vec<Examined> {
    let one = |identity: &Identity| Examined {
        username: identity.username.clone(),
        standing: standing(policy, identity.domain()),
        login: asks_for_login(policy).then(|| {
            let logins = session.iter().filter(|login| login.identity_id == identity.id);
            login(policy, logins, now)
        }),
    };
    set.iter().map(one).collect()
}

/// Somebody of whom no more is known than a username: the domain decides, and what there is
/// of logins is nobody's business.
pub fn examine_stranger(policy: &Policy, username: &str) -> Examined {
    let domain = username.rsplit_once('@').map_or("", |(_, domain)| domain);
    Examined {
        username: username.to_owned(),
        standing: standing(policy, domain),
        login: asks_for_login(policy).then(|| login(policy, std::iter::empty(), Timestamp::from_seconds(0))),
    }
}

/// High assurance, or a time-out, looks at the session.
fn asks_for_login(policy: &Policy) -> bool {
    policy.high_assurance || policy.authentication_assurance_timeout.is_some()
}

/// The best of these logins.
fn login<'a>(policy: &Policy, logins: impl Iterator<Item = &'a Authentication>, now: Timestamp) -> Login {
    let judge = |authentication: Option<&Authentication>| Login {
        at: authentication.map(|login| login.authenticated_at),
        undated: authentication.is_some_and(|login| login.undated),
        in_time: policy
            .authentication_assurance_timeout
            .map(|_| authentication.is_some_and(|login| is_in_time(policy, login, now))),
        two_factors: policy.required_mfa.then(|| authentication.is_some_and(shows_mfa)),
    };
    let worth = |login: &Login| (login.in_time != Some(false), login.two_factors != Some(false), login.at);
    logins
        .map(|login| judge(Some(login)))
        .max_by_key(worth)
        .unwrap_or_else(|| judge(None))
}

#[cfg(test)]
mod tests {
    use portolan_types::{IdentityId, IdentityProviderId, PolicyId, ProjectId};

    use super::*;

    #[test]
    fn the_best_login_is_the_one_that_meets_the_policy() {
        let policy = Policy {
            id: PolicyId::from_u128(1),
            project_id: ProjectId::from_u128(1),
            display_name: "p".into(),
            description: "d".into(),
            high_assurance: true,
            authentication_assurance_timeout: Some(600),
            required_mfa: true,
            domain_constraints_include: None,
            domain_constraints_exclude: None,
            unlisted: false,
            only_identities: None,
        };
        let at = |seconds, amr: &[&str]| {
            let (identity, provider) = (IdentityId::from_u128(1), IdentityProviderId::from_u128(1));
            Authentication::new(identity, provider, Timestamp::from_seconds(seconds), amr)
        };
        let best = |logins: &[Authentication]| login(&policy, logins.iter(), Timestamp::from_seconds(1000)).at;
        let mut undated = at(999, &["mfa"]);
        undated.undated = true;
        assert_eq!(best(&[at(500, &["mfa"]), undated]), Some(Timestamp::from_seconds(500)));
        assert_eq!(
            best(&[at(500, &["mfa"]), at(900, &["pwd"])]),
            Some(Timestamp::from_seconds(500))
        );
        assert_eq!(
            best(&[at(900, &["mfa"]), at(500, &["mfa"])]),
            Some(Timestamp::from_seconds(900))
        );
        assert_eq!(best(&[]), None);
    }
}
