//! What a request still demands of the person at the login page, in words.
//!
//! An app can name any identity. Its username is told only where it is known already: to a
//! person whom it belongs to, and in a browser that it was used in. To others it is "a
//! particular account", so that nobody turns ids into names without signing in.

use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, IdentityId};

use super::{Waiting, speaking};
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
    /// An account of particular domains is still wanted.
    pub domains: bool,
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
        let said = &speaking(ctx, Some(waiting));
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
                    demands.add(match &known {
                        Some(name) => said.say("login-demand-account").arg("username", name).to_string(),
                        None => said.text("login-demand-some-account").to_owned(),
                    });
                    if demands.username.is_none() {
                        demands.username = known;
                    }
                }
                Demand::Domains => {
                    demands.domains = true;
                    demands.add(account_at(said, &request.required_domains));
                }
                Demand::Policy(id) => {
                    let policy = policies.iter().find(|policy| policy.id == id);
                    match policy {
                        Some(policy) => policy_words(said, policy)
                            .into_iter()
                            .for_each(|words| demands.add(words)),
                        None => demands.add(said.text("login-demand-policy").to_owned()),
                    }
                }
                Demand::Mfa => demands.add(said.text("login-demand-two-factors").to_owned()),
                Demand::Context if request.essential_acr.iter().any(|acr| acr == REFEDS_MFA) => {
                    demands.add(said.text("login-demand-two-factors").to_owned());
                }
                Demand::Context => demands.add(said.text("login-demand-kind").to_owned()),
            }
        }
        if !session.shows_context(&request.wished_acr) {
            demands.add(said.text("login-demand-two-factors").to_owned());
        }
        Ok(demands)
    }

    pub fn add_two_factors(&mut self, ctx: &Ctx) {
        self.add(ctx.text("login-demand-two-factors").to_owned());
    }

    /// Each once.
    fn add(&mut self, words: String) {
        if !self.words.contains(&words) {
            self.words.push(words);
        }
    }
}

fn account_at(ctx: &Ctx, domains: &[String]) -> String {
    let domains = either(ctx, domains);
    ctx.say("login-demand-domains").arg("domains", domains).to_string()
}

fn either(ctx: &Ctx, domains: &[String]) -> String {
    domains.join(&format!(" {} ", ctx.text("login-or")))
}

/// What a policy wants of the person, each in words.
fn policy_words(ctx: &Ctx, policy: &Policy) -> Vec<String> {
    let mut words = Vec::new();
    let listed = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    if policy.only_identities.is_some() {
        words.push(ctx.text("login-demand-administrator").to_owned());
    }
    if let Some(domains) = listed(&policy.domain_constraints_include) {
        words.push(account_at(ctx, &domains));
    }
    if let Some(domains) = listed(&policy.domain_constraints_exclude) {
        let domains = either(ctx, &domains);
        words.push(
            ctx.say("login-demand-other-domains")
                .arg("domains", domains)
                .to_string(),
        );
    }
    if let Some(seconds) = policy.authentication_assurance_timeout {
        words.push(within(ctx, seconds));
    }
    if policy.required_mfa {
        words.push(ctx.text("login-demand-two-factors").to_owned());
    }
    if words.is_empty() {
        words.push(ctx.text("login-demand-new").to_owned());
    }
    words
}

fn within(ctx: &Ctx, seconds: i64) -> String {
    let (count, id) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "login-demand-days"),
        s if s % 3600 == 0 => (s / 3600, "login-demand-hours"),
        s if s % 60 == 0 => (s / 60, "login-demand-minutes"),
        s => (s, "login-demand-seconds"),
    };
    ctx.say(id).count("count", count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let table = [
            (1, "a sign-in within the last second"),
            (59, "a sign-in within the last 59 seconds"),
            (60, "a sign-in within the last minute"),
            (1800, "a sign-in within the last 30 minutes"),
            (7200, "a sign-in within the last 2 hours"),
            (86_400, "a sign-in within the last day"),
            (90, "a sign-in within the last 90 seconds"),
        ];
        let ctx = Ctx::at(portolan_types::Timestamp::from_seconds(0));
        for (seconds, words) in table {
            assert_eq!(within(&ctx, seconds), words);
        }
    }
}
