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
        wished_acr: vec![],
        essential_acr: vec![],
        ui_locales: None,
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
        logins: &[],
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
    let table: [(Change, Reason, Unmet); 5] = [
        (
            |r| r.required_identities = vec![IdentityId::from_u128(2)],
            Reason::StepUp,
            Unmet::Identities,
        ),
        (
            |r| r.required_domains = vec!["y.org".into()],
            Reason::StepUp,
            Unmet::Domains,
        ),
        (
            |r| r.required_policies = vec![PolicyId::from_u128(1)],
            Reason::StepUp,
            Unmet::Policies,
        ),
        (|r| r.required_mfa = true, Reason::StepUp, Unmet::Mfa),
        (
            |r| r.hinted_identity = Some(IdentityId::from_u128(2)),
            Reason::OtherAccount,
            Unmet::OtherAccount,
        ),
    ];
    for (change, reason, unmet) in table {
        assert_eq!(step(|r, _| change(r)), Step::Login(reason), "{unmet:?}");
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

/// A person with the identities 1 (`a@x.org`), 2 (`b@y.org`) and 3 (`c@z.org`).
struct Linked {
    request: AuthorizationRequest,
    /// Who signed in in this session, and how many seconds ago.
    session: Vec<(u128, u64)>,
    logins: Vec<u128>,
}

impl Linked {
    fn new(change: impl FnOnce(&mut AuthorizationRequest), session: &[(u128, u64)]) -> Self {
        let mut request = request();
        change(&mut request);
        Self {
            request,
            session: session.to_vec(),
            logins: Vec::new(),
        }
    }

    fn login(&mut self, id: u128) -> Step {
        self.session.retain(|(known, _)| *known != id);
        self.session.insert(0, (id, 0));
        self.logins.push(id);
        self.step()
    }

    fn step(&self) -> Step {
        let now = Timestamp::from_seconds(100_000);
        let set = [(1, "a@x.org"), (2, "b@y.org"), (3, "c@z.org")].map(|(id, username)| Identity {
            id: IdentityId::from_u128(id),
            username: username.into(),
            ..identity()
        });
        let authentications: Vec<Authentication> = self
            .session
            .iter()
            .map(|(id, age)| {
                let at = now - Duration::from_secs(*age);
                Authentication::new(
                    IdentityId::from_u128(*id),
                    IdentityProviderId::from_u128(1),
                    at,
                    &["pwd"],
                )
            })
            .collect();
        let logins: Vec<IdentityId> = self.logins.iter().map(|id| IdentityId::from_u128(*id)).collect();
        next_step(&Situation {
            request: &self.request,
            now,
            authentications: &authentications,
            set: &set,
            policies: &[],
            scope_domains: &[],
            authenticated_at: (!logins.is_empty()).then_some(now),
            logins: &logins,
            has_effective_identity: true,
            consents_complete: true,
            decided: false,
            page_shown: true,
            confirm_native: false,
        })
    }
}

fn ids(ids: &[u128]) -> Vec<IdentityId> {
    ids.iter().map(|id| IdentityId::from_u128(*id)).collect()
}

const STEP_UP: Step = Step::Login(Reason::StepUp);

#[test]
fn demanded_identities_are_asked_for_one_after_the_other() {
    let mut person = Linked::new(|r| r.required_identities = ids(&[1, 2, 3]), &[(1, 50_000)]);
    assert_eq!(person.step(), STEP_UP);
    assert_eq!(person.login(3), STEP_UP, "in any order");
    assert_eq!(person.login(2), Step::Done, "the first was there");
}

#[test]
fn prompt_login_wants_each_demanded_identity_anew() {
    let all = |r: &mut AuthorizationRequest| {
        r.prompt.login = true;
        r.required_identities = ids(&[1, 2]);
    };
    let mut person = Linked::new(all, &[(1, 10), (2, 10)]);
    assert_eq!(person.step(), Step::Login(Reason::Again));
    assert_eq!(person.login(1), STEP_UP);
    assert_eq!(person.login(2), Step::Done);
    let one = |r: &mut AuthorizationRequest| {
        r.prompt.login = true;
        r.required_domains = vec!["y.org".into()];
    };
    let mut person = Linked::new(one, &[(2, 10), (1, 20)]);
    assert_eq!(person.step(), Step::Login(Reason::Again));
    assert_eq!(
        person.login(1),
        Step::Unmet(Unmet::Domains),
        "the old login does not count"
    );
}

#[test]
fn max_age_holds_for_each_demanded_identity() {
    let both = |r: &mut AuthorizationRequest| {
        r.max_age = Some(100);
        r.required_identities = ids(&[1, 2]);
    };
    assert_eq!(Linked::new(both, &[(1, 99), (2, 100)]).step(), Step::Done);
    let mut person = Linked::new(both, &[(1, 99), (2, 101)]);
    assert_eq!(person.step(), STEP_UP);
    assert_eq!(person.login(2), Step::Done);
    // Nothing is as young as that, not even what happened in this second.
    let both_anew = |r: &mut AuthorizationRequest| {
        r.max_age = Some(0);
        r.required_identities = ids(&[1, 2]);
    };
    let mut person = Linked::new(both_anew, &[(1, 0), (2, 0)]);
    assert_eq!(person.login(1), STEP_UP);
    assert_eq!(person.login(2), Step::Done);
}

#[test]
fn a_login_that_brings_nothing_ends_it() {
    let both = |r: &mut AuthorizationRequest| r.required_identities = ids(&[1, 2]);
    let mut person = Linked::new(both, &[(3, 10)]);
    assert_eq!(person.login(3), Step::Unmet(Unmet::Identities), "nobody asked for it");
    let mut person = Linked::new(both, &[(3, 10)]);
    assert_eq!(person.login(1), STEP_UP);
    assert_eq!(person.login(1), Step::Unmet(Unmet::Identities), "it was there already");
}

#[test]
fn however_they_log_in_it_ends() {
    let demands: [fn(&mut AuthorizationRequest); 3] = [
        |r| r.required_identities = ids(&[1, 2, 3]),
        |r| r.required_identities = ids(&[1, 2, 3, 4]),
        |r| {
            r.required_identities = ids(&[1]);
            r.required_domains = vec!["y.org".into()];
            r.required_mfa = true;
        },
    ];
    for demand in demands {
        for walk in 0..81 {
            let mut person = Linked::new(demand, &[(1, 10)]);
            let steps = (0..4).map(|place| person.login(1 + walk / 3_u128.pow(place) % 3));
            let asked = steps.take_while(|step| matches!(step, Step::Login(_))).count();
            assert!(asked <= 3, "walk {walk}");
        }
    }
}

#[test]
fn identities_of_somebody_else_cannot_be_added() {
    let stranger = |r: &mut AuthorizationRequest| r.required_identities = ids(&[1, 9]);
    let mut person = Linked::new(stranger, &[(1, 10)]);
    assert_eq!(person.step(), STEP_UP, "the other person may sign in");
    assert_eq!(person.login(1), Step::Unmet(Unmet::NotLinked));
}

#[test]
fn a_wish_is_asked_for_once_and_a_demand_kept() {
    let wish = |r: &mut AuthorizationRequest| r.wished_acr = vec![policy::REFEDS_MFA.into()];
    let mut person = Linked::new(wish, &[(1, 10)]);
    assert_eq!(person.step(), STEP_UP);
    assert_eq!(person.login(1), Step::Done);
    let silent = |r: &mut AuthorizationRequest| {
        r.wished_acr = vec![policy::REFEDS_MFA.into()];
        r.prompt.none = true;
    };
    assert_eq!(Linked::new(silent, &[(1, 10)]).step(), Step::Done);
    let demand = |r: &mut AuthorizationRequest| r.essential_acr = vec!["urn:strong".into()];
    let mut person = Linked::new(demand, &[(1, 10)]);
    assert_eq!(person.step(), STEP_UP);
    assert_eq!(person.login(1), Step::Unmet(Unmet::Context));
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
        logins: &[],
        has_effective_identity: true,
        consents_complete: true,
        decided: false,
        page_shown: true,
        confirm_native: false,
    };
    assert_eq!(next_step(&situation), Step::Unmet(Unmet::ScopeDomains));
}

#[test]
fn the_page_says_what_could_not_be_met() {
    for (unmet, word) in [
        (Unmet::RequiredProvider, "switched off"),
        (Unmet::OtherAccount, "another account"),
        (Unmet::Identities, "particular identity"),
        (Unmet::NotLinked, "link them"),
        (Unmet::Domains, "particular organisation"),
        (Unmet::Policies, "the policy"),
        (Unmet::Mfa, "two factors"),
        (Unmet::Context, "another kind of sign-in"),
        (Unmet::ScopeDomains, "certain organisations"),
    ] {
        assert!(unmet.text().contains(word), "{unmet:?}: {}", unmet.text());
    }
}

#[test]
fn the_page_leads_to_where_it_can_be_mended() {
    for (unmet, path) in [
        (Unmet::Mfa, Some("/p/account/security")),
        (Unmet::Policies, Some("/p/account/security")),
        (Unmet::NotLinked, Some("/p/link")),
        (Unmet::Domains, None),
    ] {
        assert_eq!(unmet.way_on().map(|(path, _)| path), path, "{unmet:?}");
    }
}

#[test]
fn prompt_none_stands_alone() {
    assert!(Prompt::parse("none").unwrap().none);
    assert!(Prompt::parse("none login").is_err());
    assert!(Prompt::parse("other").is_err());
    let both = Prompt::parse("login consent").unwrap();
    assert!(both.login && both.consent);
}
