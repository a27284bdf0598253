//! The heart of the authorization endpoint: what a request asks for, and the next step
//! towards its answer. `next_step` is pure; the surfaces load what it needs and do what it says.

use std::time::Duration;

use portolan_types::{ClientId, IdentityId, PolicyId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::policy;
use crate::store::identities::Identity;
use crate::store::policies::Policy;
use crate::store::sessions::Authentication;

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
    /// No identity of the provider that the client requires.
    RequiredProvider,
    /// The login was for another account than the app asked for.
    OtherAccount,
    Identities,
    Domains,
    Policies,
    Mfa,
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
        // A login may still help, once.
        let reason = if unmet == Unmet::OtherAccount {
            Reason::OtherAccount
        } else {
            Reason::StepUp
        };
        let helps = s.authenticated_at.is_none() && !matches!(unmet, Unmet::RequiredProvider | Unmet::ScopeDomains);
        return if helps { Step::Login(reason) } else { Step::Unmet(unmet) };
    }
    if !s.consents_complete || (s.request.prompt.consent && !s.decided) {
        return Step::Consent;
    }
    if s.confirm_native && !s.page_shown {
        return Step::Confirm;
    }
    Step::Done
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
    let newest = s.authentications.first()?.authenticated_at;
    let too_old = s
        .request
        .max_age
        .is_some_and(|seconds| seconds == 0 || s.now.since(newest) > Duration::from_secs(seconds));
    too_old.then_some(Reason::Again)
}

fn unmet_requirement(s: &Situation<'_>) -> Option<Unmet> {
    let request = s.request;
    if request
        .hinted_identity
        .is_some_and(|hinted| !s.set.iter().any(|identity| identity.id == hinted))
    {
        return Some(Unmet::OtherAccount);
    }
    if !s.has_effective_identity {
        return Some(Unmet::RequiredProvider);
    }
    let authenticated = |id: IdentityId| {
        s.authentications
            .iter()
            .any(|authentication| authentication.identity_id == id)
    };
    if !request.required_identities.iter().all(|id| authenticated(*id)) {
        return Some(Unmet::Identities);
    }
    let in_domains = |identity: &Identity, domains: &[String]| {
        domains
            .iter()
            .any(|domain| policy::domain_matches(domain, identity.domain()))
    };
    let required = &request.required_domains;
    if !required.is_empty()
        && !s
            .set
            .iter()
            .any(|identity| authenticated(identity.id) && in_domains(identity, required))
    {
        return Some(Unmet::Domains);
    }
    let known = |id: &PolicyId| s.policies.iter().find(|policy| policy.id == *id);
    let satisfied = |policy: &Policy| policy::evaluate(policy, s.set, s.authentications, s.now);
    if !request
        .required_policies
        .iter()
        .all(|id| known(id).is_some_and(satisfied))
    {
        return Some(Unmet::Policies);
    }
    if request.required_mfa && !s.authentications.iter().any(policy::shows_mfa) {
        return Some(Unmet::Mfa);
    }
    if !s
        .scope_domains
        .iter()
        .all(|domains| s.set.iter().any(|identity| in_domains(identity, domains)))
    {
        return Some(Unmet::ScopeDomains);
    }
    None
}

impl Unmet {
    /// For the page, which is where this ends (wire.md 2.1.2 step 5).
    pub fn text(self) -> &'static str {
        match self {
            Unmet::RequiredProvider => {
                "this app needs an identity from a particular provider, and you have none linked"
            }
            Unmet::OtherAccount => "this app asked for another account than the one you signed in with",
            Unmet::Identities => "this app needs you to sign in with a particular identity",
            Unmet::Domains => "this app needs an identity from a particular organisation",
            Unmet::Policies => "your sign-in does not satisfy the policy that this app demands",
            Unmet::Mfa => {
                "this app needs a sign-in with two factors, and your account has no second one: \
                 set one up, then start again in the app"
            }
            Unmet::ScopeDomains => "what this app asks for is only for people of certain organisations",
        }
    }

    /// The page where the person can do something about it: path and name.
    pub fn way_on(self) -> Option<(&'static str, &'static str)> {
        match self {
            Unmet::Mfa => Some(("/p/account/security", "Set up a second factor")),
            Unmet::Policies => Some(("/p/account/security", "Look at how you sign in")),
            _ => None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portolan_types::{IdentityProviderId, IdentitySetId};

    fn request() -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: ClientId::from_u128(1),
            redirect_uri: "https://a.example/cb".into(),
            scope: "openid".into(),
            state: None,
            code_challenge: None,
            nonce: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            hinted_identity: None,
            offline: false,
            label: None,
            session_message: None,
            required_identities: vec![],
            required_domains: vec![],
            required_policies: vec![],
            required_mfa: false,
        }
    }

    fn identity() -> Identity {
        Identity {
            id: IdentityId::from_u128(1),
            set_id: IdentitySetId::from_u128(1),
            provider_id: IdentityProviderId::from_u128(1),
            provider_name: "P".into(),
            provider_enabled: true,
            subject: None,
            username: "a@x.org".into(),
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

    /// The step when everything is there, after `change`.
    fn step(change: impl FnOnce(&mut AuthorizationRequest, &mut Situation<'_>)) -> Step {
        let now = Timestamp::from_seconds(1000);
        let authentication = Authentication::new(
            IdentityId::from_u128(1),
            IdentityProviderId::from_u128(1),
            Timestamp::from_seconds(900),
            &["pwd"],
        );
        let (set, authentications, base) = ([identity()], [authentication], request());
        let mut request = request();
        let mut situation = Situation {
            request: &base,
            now,
            authentications: &authentications,
            set: &set,
            policies: &[],
            scope_domains: &[],
            authenticated_at: None,
            has_effective_identity: true,
            consents_complete: true,
            decided: false,
            page_shown: false,
            confirm_native: false,
        };
        change(&mut request, &mut situation);
        next_step(&Situation {
            request: &request,
            ..situation
        })
    }

    #[test]
    fn a_session_with_all_consents_is_done() {
        assert_eq!(step(|_, _| ()), Step::Done);
    }

    #[test]
    fn nobody_signed_in_means_login() {
        assert_eq!(step(|_, s| s.authentications = &[]), Step::Login(Reason::NotSignedIn));
    }

    #[test]
    fn prompt_login_asks_once() {
        assert_eq!(step(|r, _| r.prompt.login = true), Step::Login(Reason::Again));
        assert_eq!(
            step(|r, _| r.prompt.select_account = true),
            Step::Login(Reason::OtherAccount)
        );
        let again = step(|r, s| {
            r.prompt.login = true;
            s.authenticated_at = Some(s.now);
        });
        assert_eq!(again, Step::Done);
    }

    #[test]
    fn max_age_counts_from_the_newest_authentication() {
        assert_eq!(step(|r, _| r.max_age = Some(100)), Step::Done);
        assert_eq!(step(|r, _| r.max_age = Some(99)), Step::Login(Reason::Again));
        assert_eq!(step(|r, _| r.max_age = Some(0)), Step::Login(Reason::Again));
        let after_login = step(|r, s| {
            r.max_age = Some(0);
            s.authenticated_at = Some(s.now);
        });
        assert_eq!(after_login, Step::Done);
    }

    #[test]
    fn missing_consents_are_asked_for_and_prompt_consent_asks_again() {
        assert_eq!(step(|_, s| s.consents_complete = false), Step::Consent);
        assert_eq!(step(|r, _| r.prompt.consent = true), Step::Consent);
        let decided = step(|r, s| {
            r.prompt.consent = true;
            s.decided = true;
        });
        assert_eq!(decided, Step::Done);
    }

    #[test]
    fn a_native_app_needs_one_page() {
        assert_eq!(step(|_, s| s.confirm_native = true), Step::Confirm);
        let shown = step(|_, s| {
            s.confirm_native = true;
            s.page_shown = true;
        });
        assert_eq!(shown, Step::Done);
    }

    #[test]
    fn a_requirement_asks_for_one_login_and_then_ends() {
        type Change = fn(&mut AuthorizationRequest);
        let table: [(Change, Unmet); 5] = [
            (
                |r| r.required_identities = vec![IdentityId::from_u128(2)],
                Unmet::Identities,
            ),
            (|r| r.required_domains = vec!["y.org".into()], Unmet::Domains),
            (|r| r.required_policies = vec![PolicyId::from_u128(1)], Unmet::Policies),
            (|r| r.required_mfa = true, Unmet::Mfa),
            (
                |r| r.hinted_identity = Some(IdentityId::from_u128(2)),
                Unmet::OtherAccount,
            ),
        ];
        for (change, unmet) in table {
            assert!(
                matches!(
                    step(|r, _| change(r)),
                    Step::Login(Reason::StepUp | Reason::OtherAccount)
                ),
                "{unmet:?}"
            );
            let after_login = step(|r, s| {
                change(r);
                s.authenticated_at = Some(s.now);
            });
            assert_eq!(after_login, Step::Unmet(unmet));
        }
        assert_eq!(
            step(|r, _| r.required_domains = vec!["*.org".into(), "z".into()]),
            Step::Done
        );
        assert_eq!(
            step(|r, _| r.required_identities = vec![IdentityId::from_u128(1)]),
            Step::Done
        );
        assert_eq!(
            step(|r, _| r.hinted_identity = Some(IdentityId::from_u128(1))),
            Step::Done
        );
    }

    #[test]
    fn what_no_login_can_mend_ends_at_once() {
        assert_eq!(
            step(|_, s| s.has_effective_identity = false),
            Step::Unmet(Unmet::RequiredProvider)
        );
        let domains = [vec!["y.org".to_owned()]];
        let now = Timestamp::from_seconds(1000);
        let (set, request) = ([identity()], request());
        let authentications = [Authentication::new(
            IdentityId::from_u128(1),
            IdentityProviderId::from_u128(1),
            Timestamp::from_seconds(900),
            &[],
        )];
        let situation = Situation {
            request: &request,
            now,
            authentications: &authentications,
            set: &set,
            policies: &[],
            scope_domains: &domains,
            authenticated_at: None,
            has_effective_identity: true,
            consents_complete: true,
            decided: false,
            page_shown: true,
            confirm_native: false,
        };
        assert_eq!(next_step(&situation), Step::Unmet(Unmet::ScopeDomains));
    }

    #[test]
    fn prompt_none_stands_alone() {
        assert!(Prompt::parse("none").unwrap().none);
        assert!(Prompt::parse("none login").is_err());
        assert!(Prompt::parse("other").is_err());
        let both = Prompt::parse("login consent").unwrap();
        assert!(both.login && both.consent);
    }
}
