//! Several nodes on one PostgreSQL database: what one does, all others see at once (C4),
//! and what is for one time only is so among all of them (A9).

use portolan_db::Engine;
use portolan_server::domain::keys::KeyKind;
use portolan_server::domain::keys::rotation::Schedule;
use portolan_server::jobs;

use crate::id_token::verify;
use crate::support::TestServer;

/// Two nodes, if there is a server of PostgreSQL to test on.
fn two_nodes(test: impl Fn(&TestServer, &TestServer)) {
    if let Some(first) = TestServer::on(Engine::Postgres, |_| {}) {
        let second = first.second_node();
        test(&first, &second);
    }
}

#[test]
fn an_end_on_one_node_shows_on_the_other_at_once() {
    two_nodes(|first, second| {
        let alice = first.user("alice").create();
        let browser = first.browser_of(&alice);
        let here = first.client().confidential().create();
        let there = here.at(second);
        for _ in 0..5 {
            let tokens = here.offline_tokens(&browser, "openid");
            assert!(there.is_active(tokens.access_token()));
            let refreshed = there.refresh(tokens.refresh_token());
            assert!(here.is_active(refreshed.access_token()));

            here.revoke(tokens.access_token());
            assert!(!there.is_active(tokens.access_token()));
            there.revoke(tokens.refresh_token());
            assert!(!here.is_active(refreshed.access_token()));
            assert_eq!(here.try_refresh(tokens.refresh_token()).outcome(), "400 invalid_grant");
        }
    });
}

#[test]
fn a_code_is_redeemed_once_among_all_nodes() {
    two_nodes(|first, second| {
        let alice = first.user("alice").create();
        let browser = first.browser_of(&alice);
        let here = first.client().confidential().create();
        let there = here.at(second);
        for _ in 0..3 {
            let params = here.exchange_params(&here.code(&browser, "openid"));
            let requests = (0..32).flat_map(|_| [here.token_request(&params), there.token_request(&params)]);

            let answers = first.at_once(requests.collect());

            let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(good.len(), 1);
            let token = good[0].json()["access_token"].as_str().unwrap().to_owned();
            assert!(
                !here.is_active(&token) && !there.is_active(&token),
                "the others were replays"
            );
            let refused = answers.iter().filter(|answer| answer.outcome() == "400 invalid_grant");
            assert_eq!(refused.count(), 63);
        }
    });
}

#[test]
fn a_refresh_token_has_one_successor_among_all_nodes() {
    two_nodes(|first, second| {
        let alice = first.user("alice").create();
        let here = first.client().public_installed().create();
        let there = here.at(second);
        let tokens = here.offline_tokens(&first.browser_of(&alice), "openid");
        let params = here.refresh_params(tokens.refresh_token());
        let requests = (0..16).flat_map(|_| [here.token_request(&params), there.token_request(&params)]);

        let answers = first.at_once(requests.collect());

        let successor = answers[0].json()["refresh_token"].clone();
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", answer.summary());
            assert_eq!(answer.json()["refresh_token"], successor);
        }
        there.refresh(successor.as_str().unwrap());
        assert_eq!(here.try_refresh(tokens.refresh_token()).outcome(), "400 invalid_grant");
    });
}

/// A page that one node showed may be sent to another: form tokens and sessions are shared.
#[test]
fn a_login_that_began_on_one_node_ends_on_the_other() {
    two_nodes(|first, second| {
        let alice = first.user("alice").create();
        let here = first.client().confidential().create();
        let there = here.at(second);
        let params = here.params("openid");
        let (a, b) = (first.browser(), second.browser());

        a.authorize(&here, &params);
        let form = a
            .form()
            .set("username", &alice.username)
            .set("password", &alice.password);
        for (name, value) in a.cookies().iter() {
            b.set_cookie(name, value);
        }
        b.submit(&form);
        let outcome = b.allow();

        assert!(there.is_active(here.exchange(&outcome.code()).access_token()));
    });
}

/// Every node reads the keys again each half minute: what one node signs, all publish.
#[test]
fn a_rotation_on_one_node_reaches_the_other() {
    two_nodes(|first, second| {
        let now = first.now();
        let spare = jobs::keys::generate(&first.app().master_key, KeyKind::Rsa, now).unwrap();
        first.write(move |tx| jobs::keys::rotate(tx, now, Schedule::Now, &spare));
        first.reload_keys();
        second.reload_keys();
        let token = first.client().confidential().create().credentials("openid");

        let keys = second.get("/jwk.json").ok().json();

        assert_eq!(verify(token.id_token(), &keys), Some(0));
        assert_eq!(keys, first.get("/jwk.json").ok().json());
    });
}
