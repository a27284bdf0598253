//! The heart of the authorization endpoint: what a request asks for, and the next step
//! towards its answer. `next_step` is pure; the surfaces load what it needs and do what it says.

use std::time::Duration;

use portolan_types::{ClientId, IdentityId, PolicyId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::policy;
use crate::store::identities::Identity;
use crate::store::policies::Policy;
use crate::store::sessions::Authentication;
use crate::texts::{Words, words};

/// A validated authorization request, as it is parked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client_id: ClientId,
    /// Byte for byte as it came: the token request must repeat it.
    pub redirect_uri: String,
    pub scope: String,
    pub state: Option<String>,
    pub code_challenge: Option<String>,
    pub nonce: Option<String>,
    pub prompt: Prompt,
    /// Seconds.
    pub max_age: Option<u64>,
    pub login_hint: Option<String>,
    /// Whom the `id_token_hint` names.
    pub hinted_identity: Option<IdentityId>,
    /// Refresh tokens are asked for.
    pub offline: bool,
    /// Prefills the name of the consent.
    pub label: Option<String>,
    pub session_message: Option<String>,
    pub required_identities: Vec<IdentityId>,
    pub required_domains: Vec<String>,
    pub required_policies: Vec<PolicyId>,
    pub required_mfa: bool,
    /// From `acr_values`: which kinds of login the app would like, of those we know.
    #[serde(default)]
    pub wished_acr: Vec<String>,
    /// From `claims`: one of these kinds of login, or an error (OpenID Connect Core 5.5.1.1).
    #[serde(default)]
    pub essential_acr: Vec<String>,
    /// Languages that the app asks for, the best first.
    #[serde(default)]
    pub ui_locales: Option<String>,
}

/// The `prompt` parameter (OpenID Connect Core 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
}

impl Prompt {
    /// Space-separated values; `none` stands alone. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut prompt = Self::default();
        let mut values = 0;
        for value in text.split(' ').filter(|value| !value.is_empty()) {
            values += 1;
            match value {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return Err("prompt must be none, login, consent or select_account"),
            }
        }
        if prompt.none && values > 1 {
            return Err("prompt=none cannot be combined with another value");
        }
        Ok(prompt)
    }
}

/// What is known when the next step is to be found.
pub struct Situation<'a> {
    pub request: &'a AuthorizationRequest,
    pub now: Timestamp,
    /// Authentications in this browser of identities that may log in, the newest first.
    pub authentications: &'a [Authentication],
    /// The identity set of the person signed in; empty if nobody is.
    pub set: &'a [Identity],
    /// The policies that the request names.
    pub policies: &'a [Policy],
    /// Domains one of which each scope wants; a list per scope that wants any.
    pub scope_domains: &'a [Vec<String>],
    /// When the person authenticated for this very request.
    pub authenticated_at: Option<Timestamp>,
    /// Who logged in for this very request, in this order.
    pub logins: &'a [IdentityId],
    /// The set has the identity that the client's tokens speak for.
    pub has_effective_identity: bool,
    pub consents_complete: bool,
    /// The person has answered the consent page of this request.
    pub decided: bool,
    /// The person has seen a page of this request.
    pub page_shown: bool,
    /// The answer goes to a program on the person's machine, which others can pose as.
    pub confirm_native: bool,
}

/// What must happen before the request can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Login(Reason),
    /// The person cannot meet what is demanded, whatever they do now.
    Unmet(Unmet),
    Consent,
    /// "Continue as …?": consents are there, but no page was shown.
    Confirm,
    Done,
}

/// Why a login is asked for; the page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NotSignedIn,
    /// `prompt=login` or a session that is too old.
    Again,
    /// `prompt=select_account`, or another account than the one hinted at.
    OtherAccount,
    /// A requirement on the session.
    StepUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No identity of the provider that the client requires, or one that cannot be used; for
    /// clients that require none it is the primary that cannot be used.
    RequiredProvider,
    /// The login was for another account than the app asked for.
    OtherAccount,
    Identities,
    /// Several identities are demanded that are not one person's.
    NotLinked,
    Domains,
    Policies,
    Mfa,
    /// An essential `acr`; the app is told, not the person.
    Context,
    /// A scope is only for people of certain domains.
    ScopeDomains,
}

/// Finds the next step. Requirements are checked in the order of wire.md 2.1.2.
pub fn next_step(s: &Situation<'_>) -> Step {
    if s.authentications.is_empty() {
        return Step::Login(Reason::NotSignedIn);
    }
    if let Some(reason) = wants_new_login(s) {
        return Step::Login(reason);
    }
    if let Some(unmet) = unmet_requirement(s) {
        let reason = if unmet == Unmet::OtherAccount {
            Reason::OtherAccount
        } else {
            Reason::StepUp
        };
        return if login_may_help(s, unmet) {
            Step::Login(reason)
        } else {
            Step::Unmet(unmet)
        };
    }
    if wishes_another_login(s) {
        return Step::Login(Reason::StepUp);
    }
    if !s.consents_complete || (s.request.prompt.consent && !s.decided) {
        return Step::Consent;
    }
    if s.confirm_native && !s.page_shown {
        return Step::Confirm;
    }
    Step::Done
}

/// One login may help, and another one after each that brought something that was
/// demanded. Nobody is asked twice for the same account, so this ends.
fn login_may_help(s: &Situation<'_>, unmet: Unmet) -> bool {
    if matches!(unmet, Unmet::RequiredProvider | Unmet::ScopeDomains | Unmet::NotLinked) {
        return false;
    }
    match s.logins.split_last() {
        None => s.authenticated_at.is_none(),
        Some((last, before)) => unmet != Unmet::OtherAccount && !before.contains(last) && brought_something(s, *last),
    }
}

/// Whether more would be missing without the authentication of this identity.
fn brought_something(s: &Situation<'_>, id: IdentityId) -> bool {
    let mut others = s.authentications.to_vec();
    others.retain(|authentication| authentication.identity_id != id);
    let session = s.session();
    let without = Session {
        authentications: &others,
        ..session
    };
    without.unmet().len() > session.unmet().len()
}

/// What is only wished for is asked for once, and never without pages (standards.md H9).
fn wishes_another_login(s: &Situation<'_>) -> bool {
    let request = s.request;
    let asked = s.authenticated_at.is_some() || request.prompt.none;
    !asked && !s.session().shows_context(&request.wished_acr)
}

fn wants_new_login(s: &Situation<'_>) -> Option<Reason> {
    if s.authenticated_at.is_some() {
        return None;
    }
    if s.request.prompt.login {
        return Some(Reason::Again);
    }
    if s.request.prompt.select_account {
        return Some(Reason::OtherAccount);
    }
    let newest = s.authentications.first()?;
    let too_old = s
        .request
        .max_age
        .is_some_and(|seconds| seconds == 0 || !newest.is_within(Duration::from_secs(seconds), s.now));
    too_old.then_some(Reason::Again)
}

/// A demand on the session that a login can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Identity(IdentityId),
    Domains,
    Policy(PolicyId),
    Mfa,
    /// An essential `acr`.
    Context,
}

/// A session as the demands of a request see it.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    pub request: &'a AuthorizationRequest,
    pub now: Timestamp,
    /// The newest first.
    pub authentications: &'a [Authentication],
    pub set: &'a [Identity],
    pub policies: &'a [Policy],
    pub logins: &'a [IdentityId],
}

impl<'a> Situation<'a> {
    fn session(&self) -> Session<'a> {
        Session {
            request: self.request,
            now: self.now,
            authentications: self.authentications,
            set: self.set,
            policies: self.policies,
            logins: self.logins,
        }
    }
}

impl Session<'_> {
    /// What is demanded and not there, in the order of wire.md 2.1.2.
    pub fn unmet(&self) -> Vec<Demand> {
        let request = self.request;
        let identities = request.required_identities.iter().filter(|id| !self.has_recent(**id));
        let mut unmet: Vec<Demand> = identities.map(|id| Demand::Identity(*id)).collect();
        let domains = &request.required_domains;
        let in_domains = |identity: &Identity| self.has_recent(identity.id) && is_in_domains(identity, domains);
        if !domains.is_empty() && !self.set.iter().any(in_domains) {
            unmet.push(Demand::Domains);
        }
        // A policy says itself how recent a login must be; an unknown one is never satisfied.
        let satisfied = |id: &PolicyId| {
            let policy = self.policies.iter().find(|policy| policy.id == *id);
            policy.is_some_and(|policy| policy::evaluate(policy, self.set, self.authentications, self.now))
        };
        let policies = request.required_policies.iter().filter(|id| !satisfied(id));
        unmet.extend(policies.map(|id| Demand::Policy(*id)));
        if request.required_mfa && !self.recent().any(policy::shows_mfa) {
            unmet.push(Demand::Mfa);
        }
        if !self.shows_context(&request.essential_acr) {
            unmet.push(Demand::Context);
        }
        unmet
    }

    /// The authentications that count. One from before the request counts unless the app
    /// wants a new one (`prompt=login`) or it is older than `max_age`.
    fn recent(&self) -> impl Iterator<Item = &Authentication> {
        self.authentications.iter().filter(|authentication| {
            let young_enough =
                |seconds: u64| seconds > 0 && authentication.is_within(Duration::from_secs(seconds), self.now);
            self.logins.contains(&authentication.identity_id)
                || (!self.request.prompt.login && self.request.max_age.is_none_or(young_enough))
        })
    }

    fn has_recent(&self, id: IdentityId) -> bool {
        self.recent().any(|authentication| authentication.identity_id == id)
    }

    /// Whether the login that ID token and introspection tell of, the newest, was of one of
    /// these kinds; of any if there are none.
    pub fn shows_context(&self, wanted: &[String]) -> bool {
        let newest = self.authentications.first();
        let acr = newest.and_then(|authentication| authentication.acr.as_ref());
        wanted.is_empty() || acr.is_some_and(|acr| wanted.contains(acr))
    }
}

fn is_in_domains(identity: &Identity, domains: &[String]) -> bool {
    domains
        .iter()
        .any(|domain| policy::domain_matches(domain, identity.domain()))
}

fn unmet_requirement(s: &Situation<'_>) -> Option<Unmet> {
    let hinted = s.request.hinted_identity;
    if hinted.is_some_and(|hinted| !s.set.iter().any(|identity| identity.id == hinted)) {
        return Some(Unmet::OtherAccount);
    }
    if !s.has_effective_identity {
        return Some(Unmet::RequiredProvider);
    }
    if let Some(demand) = s.session().unmet().first() {
        return Some(match demand {
            Demand::Identity(id) if is_out_of_reach(s, *id) => Unmet::NotLinked,
            Demand::Identity(_) => Unmet::Identities,
            Demand::Domains => Unmet::Domains,
            Demand::Policy(_) => Unmet::Policies,
            Demand::Mfa => Unmet::Mfa,
            Demand::Context => Unmet::Context,
        });
    }
    let is_for_them = |domains: &Vec<String>| s.set.iter().any(|identity| is_in_domains(identity, domains));
    (!s.scope_domains.iter().all(is_for_them)).then_some(Unmet::ScopeDomains)
}

/// A session is one person's: somebody who came with one of the demanded identities cannot
/// add one that is not linked with it.
fn is_out_of_reach(s: &Situation<'_>, id: IdentityId) -> bool {
    let demanded = &s.request.required_identities;
    s.logins.last().is_some_and(|last| demanded.contains(last)) && !s.set.iter().any(|identity| identity.id == id)
}

impl Unmet {
    /// For the page, which is where this ends (wire.md 2.1.2 step 5).
    pub fn text(self) -> &'static str {
        match self {
            Unmet::RequiredProvider => {
                "the account that this app would know you by is switched off; make another one of your accounts the primary"
            }
            Unmet::OtherAccount => "this app asked for another account than the one you signed in with",
            Unmet::Identities => "this app needs you to sign in with a particular identity",
            Unmet::NotLinked => {
                "this app needs you to sign in with several identities, but they are not linked with each other; \
                 link them first"
            }
            Unmet::Domains => "this app needs an identity from a particular organisation",
            Unmet::Policies => "your sign-in does not satisfy the policy that this app demands",
            Unmet::Mfa => {
                "this app needs a sign-in with two factors, and your account has no second one: \
                 set one up, then start again in the app"
            }
            Unmet::Context => "this app needs another kind of sign-in than yours",
            Unmet::ScopeDomains => "what this app asks for is only for people of certain organisations",
        }
    }

    /// The same in the language of the page.
    pub fn words(self) -> Words {
        words(match self {
            Unmet::RequiredProvider => "error-unmet-provider",
            Unmet::OtherAccount => "error-unmet-other",
            Unmet::Identities => "error-unmet-identities",
            Unmet::NotLinked => "error-unmet-not-linked",
            Unmet::Domains => "error-unmet-domains",
            Unmet::Policies => "error-unmet-policies",
            Unmet::Mfa => "error-unmet-mfa",
            Unmet::Context => "error-unmet-context",
            Unmet::ScopeDomains => "error-unmet-scope-domains",
        })
    }

    /// The page where the person can do something about it: its path, and the message that
    /// names it.
    pub fn way_on(self) -> Option<(&'static str, &'static str)> {
        match self {
            Unmet::Mfa => Some(("/p/account/security", "error-way-second-factor")),
            Unmet::Policies => Some(("/p/account/security", "error-way-sign-in")),
            Unmet::NotLinked => Some(("/p/link", "link-title")),
            _ => None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
