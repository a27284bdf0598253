//! Evaluates an authentication policy for an identity set and a session (wire.md 2.6.3).

pub mod examination;
pub mod registration;

use std::time::Duration;

use portolan_types::Timestamp;

use crate::store::identities::Identity;
use crate::store::policies::Policy;
use crate::store::sessions::Authentication;

/// The context class of a login with two factors, as the REFEDS MFA profile names it.
pub const REFEDS_MFA: &str = "https://refeds.org/profile/mfa";

/// True if the person, as they authenticated, satisfies the policy.
pub fn evaluate(policy: &Policy, set: &[Identity], authentications: &[Authentication], now: Timestamp) -> bool {
    let candidates: Vec<&Identity> = set.iter().filter(|identity| is_candidate(policy, identity)).collect();
    let authenticated = candidates.iter().any(|identity| {
        authentications.iter().any(|authentication| {
            authentication.identity_id == identity.id
                && is_in_time(policy, authentication, now)
                && (!policy.required_mfa || shows_mfa(authentication))
        })
    });
    if policy.high_assurance {
        return authenticated;
    }
    !candidates.is_empty() && (policy.authentication_assurance_timeout.is_none() || authenticated)
}

fn is_in_time(policy: &Policy, authentication: &Authentication, now: Timestamp) -> bool {
    match policy.authentication_assurance_timeout {
        None => true,
        Some(seconds) => {
            let limit = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            authentication.is_within(limit, now)
        }
    }
}

fn is_candidate(policy: &Policy, identity: &Identity) -> bool {
    let named = policy
        .only_identities
        .as_deref()
        .is_none_or(|only| only.contains(&identity.id));
    named && standing(policy, identity.domain()) == Standing::Counts
}

/// What a domain is worth to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Counts,
    NotIncluded,
    Excluded,
}

/// Exclusion beats inclusion; no list means no restriction.
pub fn standing(policy: &Policy, domain: &str) -> Standing {
    let matches = |list: &[String]| list.iter().any(|pattern| domain_matches(pattern, domain));
    if policy.domain_constraints_exclude.as_deref().is_some_and(matches) {
        return Standing::Excluded;
    }
    let include = policy.domain_constraints_include.as_deref().unwrap_or_default();
    if include.is_empty() || matches(include) {
        Standing::Counts
    } else {
        Standing::NotIncluded
    }
}

/// Exact, or `*.rest` for any name that ends in `.rest`; without regard to case and to the
/// two ways of writing a name with letters beyond ASCII.
pub fn domain_matches(pattern: &str, domain: &str) -> bool {
    let (pattern, domain) = (in_ascii(pattern), in_ascii(domain));
    match pattern.strip_prefix('*') {
        Some(suffix) if suffix.starts_with('.') => domain.len() > suffix.len() && domain.ends_with(&suffix),
        _ => pattern == domain,
    }
}

/// A domain in lower case, and in the form of the DNS (`xn--…`) if it is international.
fn in_ascii(domain: &str) -> String {
    let (wildcard, name) = match domain.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", domain),
    };
    let ascii = match url::Host::parse(name) {
        Ok(url::Host::Domain(ascii)) if !name.is_ascii() => ascii,
        _ => name.to_lowercase(),
    };
    format!("{wildcard}{ascii}")
}

/// Two factors were really used: RFC 8176 `mfa`, or the REFEDS profile as context class.
pub fn shows_mfa(authentication: &Authentication) -> bool {
    authentication.acr.as_deref() == Some(REFEDS_MFA)
        || authentication
            .amr()
            .is_some_and(|amr| amr.iter().any(|method| method == "mfa"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
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

    /// From words: `high`, `within 1800`, `mfa`, `+domain` to include, `-domain` to exclude.
    /// `+` and `-` alone are lists without a member.
    fn policy_of(words: &str) -> Policy {
        let mut policy = policy();
        let mut words = words.split_whitespace();
        while let Some(word) = words.next() {
            let listed = |list: &mut Option<Vec<String>>, domain: &str| {
                let list = list.get_or_insert_default();
                list.extend((!domain.is_empty()).then(|| domain.to_owned()));
            };
            match word {
                "high" => policy.high_assurance = true,
                "within" => policy.authentication_assurance_timeout = words.next().unwrap().parse().ok(),
                "mfa" => policy.required_mfa = true,
                _ => match word.split_at(1) {
                    ("+", domain) => listed(&mut policy.domain_constraints_include, domain),
                    ("-", domain) => listed(&mut policy.domain_constraints_exclude, domain),
                    _ => panic!("unknown word {word}"),
                },
            }
        }
        policy
    }

    /// From words such as `a@x.org:1800:pwd+mfa`: who, how many seconds ago, how. A method
    /// that is an address is the `acr`.
    fn session_of(words: &str, set: &[Identity], now: Timestamp) -> Vec<Authentication> {
        words
            .split_whitespace()
            .map(|login| {
                let mut parts = login.splitn(3, ':');
                let (who, age, how) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                let id = set
                    .iter()
                    .find(|identity| identity.username == who)
                    .map_or(99, |i| i.id.0.as_u128());
                let age = Duration::from_secs_f64(age.parse().unwrap());
                let (acr, amr): (Vec<&str>, Vec<&str>) = how.split('+').partition(|method| method.contains("://"));
                let at = now - age;
                Authentication::new(IdentityId::from_u128(id), IdentityProviderId::from_u128(1), at, &amr)
                    .with_acr(acr.first().map(|acr| (*acr).to_owned()))
            })
            .collect()
    }

    /// Policy, the person's identities, the session, and whether that will do.
    #[rustfmt::skip]
    const TABLE: &[(&str, &str, &str, bool)] = &[
        // Without high assurance the identities decide, whoever of them signed in.
        ("", "a@x.org", "", true),
        ("", "", "", false),
        ("", "a@x.org b@lab.edu", "a@x.org:10:pwd", true),
        ("+lab.edu", "a@x.org", "a@x.org:10:pwd", false),
        ("+lab.edu", "a@x.org b@lab.edu", "", true),
        ("+lab.edu", "a@x.org b@lab.edu", "a@x.org:10:pwd", true),
        ("+lab.edu +x.org", "a@x.org", "", true),
        ("-x.org", "a@x.org", "", false),
        ("-x.org", "a@x.org b@lab.edu", "a@x.org:10:pwd", true),
        ("-x.org -lab.edu", "a@x.org b@lab.edu", "", false),
        // With a time-out one of them must have signed in within it.
        ("within 1800", "a@x.org", "", false),
        ("within 1800", "a@x.org", "a@x.org:1800:pwd", true),
        ("within 1800", "a@x.org", "a@x.org:1801:pwd", false),
        ("within 1800", "a@x.org", "a@x.org:1800.000001:pwd", false),
        ("within 1800 +lab.edu", "a@x.org b@lab.edu", "a@x.org:10:pwd", false),
        ("within 1800 +lab.edu", "a@x.org b@lab.edu", "b@lab.edu:10:pwd", true),
        ("within 1800 +lab.edu", "a@x.org b@lab.edu", "b@lab.edu:1801:pwd a@x.org:10:pwd", false),
        ("within 1800 -x.org", "a@x.org b@lab.edu", "a@x.org:10:pwd", false),
        // High assurance: only who signed in counts.
        ("high", "a@x.org", "", false),
        ("high", "a@x.org", "a@x.org:999999:pwd", true),
        ("high", "a@x.org b@lab.edu", "b@lab.edu:10:pwd", true),
        ("high", "a@x.org", "stranger@y.org:10:pwd", false),
        ("high +lab.edu", "a@x.org b@lab.edu", "a@x.org:10:pwd", false),
        ("high +lab.edu", "a@x.org b@lab.edu", "b@lab.edu:10:pwd", true),
        ("high +lab.edu", "a@x.org b@lab.edu", "a@x.org:10:pwd b@lab.edu:10:pwd", true),
        ("high -x.org", "a@x.org", "a@x.org:10:pwd", false),
        ("high -x.org", "a@x.org b@lab.edu", "b@lab.edu:10:pwd", true),
        // Time-outs, to the second.
        ("high within 1800", "a@x.org", "", false),
        ("high within 1800", "a@x.org", "a@x.org:0:pwd", true),
        ("high within 1800", "a@x.org", "a@x.org:1799:pwd", true),
        ("high within 1800", "a@x.org", "a@x.org:1800:pwd", true),
        ("high within 1800", "a@x.org", "a@x.org:1800.000001:pwd", false),
        ("high within 1800", "a@x.org", "a@x.org:1801:pwd", false),
        ("high within 1", "a@x.org", "a@x.org:1:pwd", true),
        ("high within 1", "a@x.org", "a@x.org:2:pwd", false),
        ("high within 1800", "a@x.org b@lab.edu", "a@x.org:1801:pwd b@lab.edu:10:pwd", true),
        ("high within 1800 +x.org", "a@x.org b@lab.edu", "a@x.org:1801:pwd b@lab.edu:10:pwd", false),
        // Two factors: the method, or the class of the REFEDS profile, and nothing alike.
        ("high mfa", "a@x.org", "a@x.org:10:pwd", false),
        ("high mfa", "a@x.org", "a@x.org:10:pwd+otp", false),
        ("high mfa", "a@x.org", "a@x.org:10:pwd+otp+mfa", true),
        ("high mfa", "a@x.org", "a@x.org:10:mfa", true),
        ("high mfa", "a@x.org", "a@x.org:10:MFA", false),
        ("high mfa", "a@x.org", "a@x.org:10:pwd+https://refeds.org/profile/mfa", true),
        ("high mfa", "a@x.org", "a@x.org:10:pwd+https://refeds.org/profile/sfa", false),
        ("high mfa", "a@x.org", "a@x.org:10:pwd+https://refeds.org/profile/mfa/", false),
        ("high mfa", "a@x.org b@lab.edu", "a@x.org:10:pwd b@lab.edu:10:mfa", true),
        // All of it by one and the same login.
        ("high mfa within 1800", "a@x.org", "a@x.org:1801:mfa", false),
        ("high mfa within 1800", "a@x.org b@lab.edu", "a@x.org:10:pwd b@lab.edu:1801:mfa", false),
        ("high mfa +lab.edu", "a@x.org b@lab.edu", "a@x.org:10:mfa b@lab.edu:10:pwd", false),
        ("high mfa within 1800 +lab.edu", "a@x.org b@lab.edu", "b@lab.edu:1800:pwd+mfa", true),
        // Exclusion beats inclusion.
        ("+*.edu -lab.edu", "b@lab.edu", "", false),
        ("+lab.edu -lab.edu", "b@lab.edu", "", false),
        ("+lab.edu -*.edu", "b@lab.edu", "", false),
        ("+*.edu -lab.edu", "b@lab.edu c@art.edu", "", true),
        ("high +*.edu -lab.edu", "b@lab.edu c@art.edu", "b@lab.edu:10:pwd", false),
        ("high +*.edu -lab.edu", "b@lab.edu c@art.edu", "c@art.edu:10:pwd", true),
        // Wildcards hold at the border of a label, and not for the domain itself.
        ("+*.edu", "b@lab.edu", "", true),
        ("+*.edu", "b@deep.lab.edu", "", true),
        ("+*.lab.edu", "b@lab.edu", "", false),
        ("+*.lab.edu", "b@deep.lab.edu", "", true),
        ("+*.lab.edu", "b@collab.edu", "", false),
        ("+*.edu", "b@edu", "", false),
        ("+*.edu", "b@lab.edu.evil.org", "", false),
        ("+lab.edu", "b@deep.lab.edu", "", false),
        ("+*", "b@lab.edu", "", false),
        ("+*edu", "b@lab.edu", "", false),
        ("+la*.edu", "b@lab.edu", "", false),
        // Case makes no difference.
        ("+LAB.edu", "b@lab.EDU", "", true),
        ("-*.EDU", "b@Lab.edu", "", false),
        // An empty list restricts nothing.
        ("+", "a@x.org", "", true),
        ("-", "a@x.org", "", true),
        ("+ - high", "a@x.org", "a@x.org:10:pwd", true),
        // The domain is what follows the last @.
        ("+x.org", "a@lab.edu@x.org", "", true),
        ("+lab.edu", "a@lab.edu@x.org", "", false),
        ("+x.org", "a", "", false),
        // International names in either form.
        ("+münchen.example", "a@münchen.example", "", true),
        ("+MÜNCHEN.example", "a@münchen.example", "", true),
        ("+münchen.example", "a@xn--mnchen-3ya.example", "", true),
        ("-xn--mnchen-3ya.example", "a@münchen.example", "", false),
        ("+*.münchen.example", "a@lab.xn--mnchen-3ya.example", "", true),
        // Nothing else that an address bar would make of it.
        ("+%61.example", "a@a.example", "", false),
        ("+munchen.example", "a@münchen.example", "", false),
    ];

    #[test]
    fn policies_are_evaluated_as_in_the_table() {
        const { assert!(TABLE.len() >= 60) };
        let now = Timestamp::from_seconds(10_000_000);
        let mut wrong = Vec::new();
        for (words, people, logins, satisfied) in TABLE {
            let set: Vec<Identity> = (1..)
                .zip(people.split_whitespace())
                .map(|(id, name)| identity(id, name))
                .collect();
            let session = session_of(logins, &set, now);
            let policy = policy_of(words);
            if evaluate(&policy, &set, &session, now) != *satisfied {
                wrong.push(format!(
                    "{words:?} for {people:?} with {logins:?} should be {satisfied}"
                ));
            }
            // What is said about each account has to add up to the verdict.
            let examined = examination::examine(&policy, &set, &session, now);
            if examined.iter().any(|one| one.is_enough()) != *satisfied {
                wrong.push(format!("{words:?} for {people:?} with {logins:?}: {examined:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
