//! Evaluates an authentication policy for an identity set and a session (wire.md 2.6.3).

pub mod registration;

use portolan_types::Timestamp;

use crate::store::identities::Identity;
use crate::store::policies::Policy;
use crate::store::sessions::Authentication;

/// True if the person, as they authenticated, satisfies the policy.
pub fn evaluate(policy: &Policy, set: &[Identity], authentications: &[Authentication], now: Timestamp) -> bool {
    let candidates: Vec<&Identity> = set.iter().filter(|identity| is_candidate(policy, identity)).collect();
    let in_time = |authentication: &Authentication| match policy.authentication_assurance_timeout {
        None => true,
        Some(seconds) => now.since(authentication.authenticated_at).as_secs() <= u64::try_from(seconds).unwrap_or(0),
    };
    let authenticated = candidates.iter().any(|identity| {
        authentications.iter().any(|authentication| {
            authentication.identity_id == identity.id
                && in_time(authentication)
                && (!policy.required_mfa || shows_mfa(authentication))
        })
    });
    if policy.high_assurance {
        return authenticated;
    }
    !candidates.is_empty() && (policy.authentication_assurance_timeout.is_none() || authenticated)
}

/// Exclusion beats inclusion; no list means no restriction.
fn is_candidate(policy: &Policy, identity: &Identity) -> bool {
    let domain = identity.domain();
    let named = policy
        .only_identities
        .as_deref()
        .is_none_or(|only| only.contains(&identity.id));
    let matches = |list: &[String]| list.iter().any(|pattern| domain_matches(pattern, domain));
    let included = policy
        .domain_constraints_include
        .as_deref()
        .is_none_or(|list| list.is_empty() || matches(list));
    let excluded = policy.domain_constraints_exclude.as_deref().is_some_and(matches);
    named && included && !excluded
}

/// Exact, or `*.rest` for any name that ends in `.rest`; without regard to case.
pub fn domain_matches(pattern: &str, domain: &str) -> bool {
    let (pattern, domain) = (pattern.to_lowercase(), domain.to_lowercase());
    match pattern.strip_prefix('*') {
        Some(suffix) if suffix.starts_with('.') => domain.len() > suffix.len() && domain.ends_with(&suffix),
        _ => pattern == domain,
    }
}

/// Two factors were really used: RFC 8176 `mfa`, or the REFEDS profile as context class.
pub fn shows_mfa(authentication: &Authentication) -> bool {
    authentication.acr.as_deref() == Some("https://refeds.org/profile/mfa")
        || authentication
            .amr()
            .is_some_and(|amr| amr.iter().any(|method| method == "mfa"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_types::{IdentityId, IdentityProviderId, IdentitySetId, PolicyId, ProjectId};

    fn identity(id: u128, username: &str) -> Identity {
        Identity {
            id: IdentityId::from_u128(id),
            set_id: IdentitySetId::from_u128(1),
            provider_id: IdentityProviderId::from_u128(1),
            provider_name: "P".into(),
            provider_enabled: true,
            subject: None,
            username: username.into(),
            name: None,
            email: None,
            organization: None,
            status: "used".into(),
            identity_type: None,
            enabled: true,
            generation: 0,
            created_at: Timestamp::from_seconds(0),
            last_authentication_at: None,
        }
    }

    fn policy() -> Policy {
        Policy {
            id: PolicyId::from_u128(1),
            project_id: ProjectId::from_u128(1),
            display_name: "p".into(),
            description: "d".into(),
            high_assurance: false,
            authentication_assurance_timeout: None,
            required_mfa: false,
            domain_constraints_include: None,
            domain_constraints_exclude: None,
            unlisted: false,
            only_identities: None,
        }
    }

    fn authenticated(id: u128, at: i64, amr: &[&str]) -> Authentication {
        Authentication::new(
            IdentityId::from_u128(id),
            IdentityProviderId::from_u128(1),
            Timestamp::from_seconds(at),
            amr,
        )
    }

    #[test]
    fn without_high_assurance_the_identity_set_decides() {
        let set = [identity(1, "a@x.org"), identity(2, "b@lab.edu")];
        let now = Timestamp::from_seconds(1000);
        let include = |domain: &str| Policy {
            domain_constraints_include: Some(vec![domain.into()]),
            ..policy()
        };
        assert!(evaluate(&policy(), &set, &[], now));
        assert!(evaluate(&include("lab.edu"), &set, &[], now));
        assert!(evaluate(&include("*.edu"), &set, &[], now));
        assert!(!evaluate(&include("*.lab.edu"), &set, &[], now));
        let excluded = Policy {
            domain_constraints_exclude: Some(vec!["LAB.edu".into()]),
            ..include("*.edu")
        };
        assert!(!evaluate(&excluded, &set, &[], now));
    }

    #[test]
    fn a_policy_can_be_for_certain_identities() {
        let set = [identity(1, "a@x.org"), identity(2, "b@x.org")];
        let now = Timestamp::from_seconds(1000);
        let admins = Policy {
            high_assurance: true,
            only_identities: Some(vec![IdentityId::from_u128(2)]),
            ..policy()
        };
        assert!(!evaluate(&admins, &set, &[authenticated(1, 1000, &["pwd"])], now));
        assert!(evaluate(&admins, &set, &[authenticated(2, 1000, &["pwd"])], now));
        let nobody = Policy {
            only_identities: Some(Vec::new()),
            ..admins
        };
        assert!(!evaluate(&nobody, &set, &[authenticated(2, 1000, &["pwd"])], now));
    }

    #[test]
    fn high_assurance_wants_the_authentication_in_time_and_with_two_factors() {
        let set = [identity(1, "a@x.org")];
        let now = Timestamp::from_seconds(1000);
        let strict = Policy {
            high_assurance: true,
            authentication_assurance_timeout: Some(100),
            ..policy()
        };
        let mfa = Policy {
            required_mfa: true,
            ..strict.clone()
        };
        assert!(!evaluate(&strict, &set, &[], now));
        assert!(evaluate(&strict, &set, &[authenticated(1, 900, &["pwd"])], now));
        assert!(!evaluate(&strict, &set, &[authenticated(1, 899, &["pwd"])], now));
        assert!(!evaluate(&strict, &set, &[authenticated(2, 950, &["pwd"])], now));
        assert!(!evaluate(&mfa, &set, &[authenticated(1, 950, &["pwd"])], now));
        assert!(evaluate(&mfa, &set, &[authenticated(1, 950, &["pwd", "mfa"])], now));
    }

    #[test]
    fn a_timeout_alone_wants_the_authentication_in_time() {
        let set = [identity(1, "a@x.org")];
        let now = Timestamp::from_seconds(1000);
        let timeout = Policy {
            authentication_assurance_timeout: Some(100),
            ..policy()
        };
        assert!(!evaluate(&timeout, &set, &[], now));
        assert!(evaluate(&timeout, &set, &[authenticated(1, 900, &["pwd"])], now));
        assert!(!evaluate(&timeout, &set, &[authenticated(1, 899, &["pwd"])], now));
        assert!(!evaluate(&timeout, &[], &[authenticated(1, 900, &["pwd"])], now));
        assert!(!evaluate(&policy(), &[], &[], now));
    }

    #[test]
    fn an_empty_list_of_domains_restricts_nothing() {
        let set = [identity(1, "a@x.org")];
        let empty = Policy {
            domain_constraints_include: Some(Vec::new()),
            domain_constraints_exclude: Some(Vec::new()),
            ..policy()
        };
        assert!(evaluate(&empty, &set, &[], Timestamp::from_seconds(0)));
    }

    #[test]
    fn a_wildcard_stands_for_one_label_or_more() {
        for (pattern, domain, matches) in [
            ("x.org", "x.org", true),
            ("X.org", "x.ORG", true),
            ("x.org", "a.x.org", false),
            ("*.x.org", "a.x.org", true),
            ("*.x.org", "b.a.x.org", true),
            ("*.X.org", "a.x.ORG", true),
            ("*.x.org", "x.org", false),
            ("*.x.org", ".x.org", false),
            ("*.x.org", "ax.org", false),
            ("*.x.org", "org", false),
            ("*.x.org", "a.y.org", false),
            ("*x.org", "ax.org", false),
            ("*", "x.org", false),
        ] {
            assert_eq!(domain_matches(pattern, domain), matches, "{pattern} {domain}");
        }
    }

    #[test]
    fn two_factors_are_shown_by_method_or_by_class() {
        let refeds = "https://refeds.org/profile/mfa";
        for (amr, acr, shown) in [
            (&["pwd"][..], None, false),
            (&["pwd", "mfa"], None, true),
            (&["pwd"], Some(refeds), true),
            (&["pwd"], Some("https://refeds.org/profile/sfa"), false),
            (&[], None, false),
        ] {
            let authentication = authenticated(1, 0, amr).with_acr(acr.map(str::to_owned));
            assert_eq!(shows_mfa(&authentication), shown, "{amr:?} {acr:?}");
        }
    }
}
