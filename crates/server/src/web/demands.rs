//! What a request still demands of the person at the login page, in words.
//!
//! An app can name any identity. Its username is told only where it is known already: to a
//! person whom it belongs to, and in a browser that it was used in. To others it is "a
//! particular account", so that nobody turns ids into names without signing in.

use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, IdentityId};

use super::Waiting;
use crate::app::Ctx;
use crate::domain::authorization::{Demand, Session};
use crate::domain::policy::REFEDS_MFA;
use crate::domain::session::Presence;
use crate::error::Result;
use crate::store::identities;
use crate::store::policies::{self, Policy};

#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Sentence fragments: "an account at example.edu".
    pub words: Vec<String>,
    /// The account that is asked for next, if it may be told.
    pub username: Option<String>,
}

impl Demands {
    /// `used_here` was signed in in this browser before.
    pub fn of(
        tx: &mut ReadTx,
        ctx: &Ctx,
        waiting: &Waiting,
        session: BrowserSessionId,
        used_here: Option<IdentityId>,
    ) -> Result<Self> {
        let request = &waiting.request;
        let presence = Presence::of(tx, session)?;
        let policies = policies::list_by_ids(tx, &request.required_policies)?;
        let session = Session {
            request,
            now: ctx.now,
            authentications: &presence.authentications,
            set: &presence.set,
            policies: &policies,
            logins: &waiting.parked.logins,
        };
        let mut demands = Self::default();
        for demand in session.unmet() {
            match demand {
                Demand::Identity(id) => {
                    let own = presence.set.iter().find(|identity| identity.id == id);
                    let known = match own {
                        Some(identity) => Some(identity.username.clone()),
                        None if used_here == Some(id) => identities::find(tx, id)?.map(|identity| identity.username),
                        None => None,
                    };
                    demands.add(
                        known
                            .as_ref()
                            .map_or_else(|| "a particular account".into(), |name| format!("the account {name}")),
                    );
                    if demands.username.is_none() {
                        demands.username = known;
                    }
                }
                Demand::Domains => demands.add(account_at(&request.required_domains)),
                Demand::Policy(id) => {
                    let policy = policies.iter().find(|policy| policy.id == id);
                    match policy {
                        Some(policy) => policy_words(policy).into_iter().for_each(|words| demands.add(words)),
                        None => demands.add("a sign-in that satisfies the app's policy".into()),
                    }
                }
                Demand::Mfa => demands.add(TWO_FACTORS.into()),
                Demand::Context if request.essential_acr.iter().any(|acr| acr == REFEDS_MFA) => {
                    demands.add(TWO_FACTORS.into());
                }
                Demand::Context => demands.add("a sign-in of a particular kind".into()),
            }
        }
        if !session.shows_context(&request.wished_acr) {
            demands.add(TWO_FACTORS.into());
        }
        Ok(demands)
    }

    pub fn add_two_factors(&mut self) {
        self.add(TWO_FACTORS.into());
    }

    /// Each once.
    fn add(&mut self, words: String) {
        if !self.words.contains(&words) {
            self.words.push(words);
        }
    }
}

const TWO_FACTORS: &str = "a sign-in with two factors";

fn account_at(domains: &[String]) -> String {
    format!("an account at {}", domains.join(" or "))
}

/// What a policy wants of the person, each in words.
fn policy_words(policy: &Policy) -> Vec<String> {
    let mut words = Vec::new();
    let listed = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    if policy.only_identities.is_some() {
        words.push("an account that administers the project".into());
    }
    if let Some(domains) = listed(&policy.domain_constraints_include) {
        words.push(account_at(&domains));
    }
    if let Some(domains) = listed(&policy.domain_constraints_exclude) {
        words.push(format!("an account that is not at {}", domains.join(" or ")));
    }
    if let Some(seconds) = policy.authentication_assurance_timeout {
        words.push(format!("a sign-in {}", within(seconds)));
    }
    if policy.required_mfa {
        words.push(TWO_FACTORS.into());
    }
    if words.is_empty() {
        words.push("a new sign-in".into());
    }
    words
}

fn within(seconds: i64) -> String {
    let (count, unit) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "day"),
        s if s % 3600 == 0 => (s / 3600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    match count {
        1 => format!("within the last {unit}"),
        _ => format!("within the last {count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let table = [
            (1, "within the last second"),
            (59, "within the last 59 seconds"),
            (60, "within the last minute"),
            (1800, "within the last 30 minutes"),
            (7200, "within the last 2 hours"),
            (86_400, "within the last day"),
            (90, "within the last 90 seconds"),
        ];
        for (seconds, words) in table {
            assert_eq!(within(seconds), words);
        }
    }
}
