//! `POST /v2/oauth2/token` with `grant_type=refresh_token`.

use portolan_db::params;
use portolan_server::config::RefreshRotation;
use portolan_server::domain::token_format;
use portolan_server::store::refresh_tokens;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, Browser, TestServer, each_engine, each_engine_with};

const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

fn signed_in(server: &TestServer) -> Browser {
    let alice = server.user("alice").create();
    server.browser_of(&alice)
}

/// How many tokens of the family of this one have no successor.
fn live_rows(server: &TestServer, refresh_token: &str) -> i64 {
    let hash = token_format::hash(refresh_token);
    server.read(move |tx| {
        let token = refresh_tokens::find(tx, &hash)?.expect("the token is in the store");
        refresh_tokens::count_unrotated(tx, token.family_id)
    })
}

/// The order of scopes has no meaning (A2), so it is not compared.
fn scopes(document: &Value) -> Vec<&str> {
    let mut scopes: Vec<&str> = document["scope"].as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    scopes
}

/// wire.md 2.2.3: clients overwrite what they keep, so the token is always in the answer.
#[test]
fn a_confidential_client_keeps_its_refresh_token() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid email");

    let first = client.refresh(tokens.refresh_token());
    let second = client.refresh(tokens.refresh_token());

    for answer in [&first, &second] {
        assert_eq!(answer.refresh_token(), tokens.refresh_token());
        assert_eq!(answer.0["other_tokens"], json!([]));
        assert_eq!(scopes(&answer.0), ["email", "openid"]);
        assert_eq!(answer.0["resource_server"], "auth.globus.org");
        assert_eq!(answer.0["expires_in"], 172_800);
        assert!(client.is_active(answer.access_token()));
    }
    assert_ne!(first.access_token(), second.access_token());
    assert!(client.is_active(tokens.access_token()), "earlier access tokens live on");
}

/// A12 and decisions section 2: no ID token on refresh (H14 has nothing to say then).
#[test]
fn a_refresh_answer_is_not_stored_and_has_no_id_token() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid");

    let answer = client.try_refresh(tokens.refresh_token()).ok();

    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert!(answer.json().get("id_token").is_none());
    assert!(answer.json().get("state").is_none());
}

/// wire.md 2.2.3: one refresh token speaks for one resource server.
#[test]
fn a_refresh_gives_the_token_of_one_resource_server() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), &format!("openid {TRANSFER}"));

    let transfer = client.refresh(tokens.of("transfer.api.globus.org").refresh_token());

    assert_ne!(
        tokens.refresh_token(),
        tokens.of("transfer.api.globus.org").refresh_token()
    );
    assert_eq!(transfer.0["resource_server"], "transfer.api.globus.org");
    assert_eq!(transfer.0["scope"], TRANSFER);
    assert_eq!(transfer.0["other_tokens"], json!([]));
}

/// A18.
#[test]
fn a_refresh_token_is_bound_to_its_client() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let public = server.client().public_installed().create();
    let stranger = server.client().confidential().create();
    let public_stranger = server.client().public_installed().create();
    let tokens = client.offline_tokens(&browser, "openid");
    let public_tokens = public.offline_tokens(&browser, "openid");

    for other in [&stranger, &public_stranger] {
        for token in [tokens.refresh_token(), public_tokens.refresh_token()] {
            assert_eq!(other.try_refresh(token).outcome(), "400 invalid_grant");
        }
    }

    client.refresh(tokens.refresh_token());
    public.refresh(public_tokens.refresh_token());
}

/// A16.
#[test]
fn a_confidential_client_cannot_skip_authentication_on_refresh() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid");

    let params = client.refresh_params(tokens.refresh_token());
    let answer = server.post_form("/v2/oauth2/token", &Auth::Id(client.id.to_string()), &params.pairs());

    assert_eq!(answer.outcome(), "401 invalid_client");
    client.refresh(tokens.refresh_token());
}

/// A18: a subset is allowed, more is not, and later refreshes are not narrowed by it.
#[test]
fn scopes_can_be_narrowed_for_one_answer_but_never_widened() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid email profile");
    let refresh_token = tokens.refresh_token();
    let with = |scope: &str| client.token(&client.refresh_params(refresh_token).set("scope", scope));

    let narrowed = with("email").ok().json();
    assert_eq!(narrowed["scope"], "email");
    let token = client.introspect(narrowed["access_token"].as_str().unwrap());
    assert_eq!(token["scope"], "email");
    for wider in [
        "openid urn:globus:auth:scope:auth.globus.org:manage_projects",
        TRANSFER,
        "no-such-scope",
    ] {
        assert_eq!(with(wider).outcome(), "400 invalid_scope", "{wider}");
    }
    let all = client.refresh(refresh_token);
    assert_eq!(scopes(&all.0), ["email", "openid", "profile"]);
}

/// The answer keeps the spelling of the request that was approved.
#[test]
fn a_scope_is_narrowed_to_by_either_spelling() {
    let server = TestServer::new();
    let data = server.resource_server("data.example.org").scope("read").create();
    let client = server.client().confidential().create();
    let spelling = "https://auth.globus.org/scopes/data.example.org/read";
    server.sql(
        "INSERT INTO scope_strings (scope_string, scope_id) VALUES ($1, $2)",
        params![spelling, data.scope_id("read")],
    );
    let tokens = client.offline_tokens(&signed_in(&server), spelling);

    for name in [spelling, data.scope("read")] {
        let params = client.refresh_params(tokens.refresh_token()).set("scope", name);
        assert_eq!(client.token(&params).ok().json()["scope"], spelling, "{name}");
    }
}

#[test]
fn offline_access_in_the_scope_of_a_refresh_is_no_scope() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid email");

    for scope in ["openid email offline_access", "offline_access", " "] {
        let params = client.refresh_params(tokens.refresh_token()).set("scope", scope);
        let answer = client.token(&params).ok().json();
        assert_eq!(scopes(&answer), ["email", "openid"], "{scope:?}");
        assert!(client.is_active(answer["access_token"].as_str().unwrap()));
    }
}

/// Without `access_type=offline` or `offline_access` there is nothing to refresh with.
#[test]
fn refresh_tokens_come_only_when_asked_for_and_allowed() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let data = server
        .resource_server("data.example.org")
        .scope("read")
        .scope("once")
        .without_refresh_tokens()
        .create();
    let refreshable = |scope: &str, name: &str, value: &str| {
        let params = client.params(scope).set(name, value);
        let tokens = client.exchange(&client.code_with(&browser, &params));
        tokens.0.get("refresh_token").is_some()
    };

    assert!(!refreshable("openid", "access_type", "online"));
    assert!(!refreshable("openid", "x", "y"));
    assert!(refreshable("openid", "access_type", "offline"));
    assert!(refreshable("openid offline_access", "x", "y"));
    assert!(refreshable(data.scope("read"), "access_type", "offline"));
    assert!(!refreshable(data.scope("once"), "access_type", "offline"));
    // One token covers the whole resource server, so all of its scopes must allow it.
    let both = format!("{} {}", data.scope("read"), data.scope("once"));
    assert!(!refreshable(&both, "access_type", "offline"));
}

/// G3 with decisions section 2: a public client's token is replaced at each use.
#[test]
fn a_public_client_gets_a_successor_each_time() {
    let server = TestServer::new();
    let client = server.client().public_installed().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid");

    let first = client.refresh(tokens.refresh_token());
    let second = client.refresh(first.refresh_token());

    assert_ne!(first.refresh_token(), tokens.refresh_token());
    assert_ne!(second.refresh_token(), first.refresh_token());
    assert_eq!(live_rows(&server, second.refresh_token()), 1);
}

/// A lost answer can be asked for again: the same successor, a fresh access token.
#[test]
fn within_the_grace_a_predecessor_gives_the_same_successor_again() {
    let server = TestServer::new();
    let client = server.client().public_installed().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid");

    let first = client.refresh(tokens.refresh_token());
    server.advance_seconds(59);
    let again = client.refresh(tokens.refresh_token());

    assert_eq!(again.refresh_token(), first.refresh_token());
    assert_ne!(again.access_token(), first.access_token());
    assert!(client.is_active(first.access_token()) && client.is_active(again.access_token()));
    assert_eq!(live_rows(&server, first.refresh_token()), 1);
}

/// G3: after the grace, or once the successor was used, a predecessor is a copy.
#[test]
fn a_predecessor_that_comes_back_too_late_ends_the_family() {
    for successor_used in [false, true] {
        let server = TestServer::new();
        let browser = signed_in(&server);
        let client = server.client().public_installed().create();
        let tokens = client.offline_tokens(&browser, &format!("openid {TRANSFER}"));
        let others = tokens.of("transfer.api.globus.org");
        let first = client.refresh(tokens.refresh_token());
        let newest = if successor_used {
            client.refresh(first.refresh_token())
        } else {
            server.advance_seconds(60);
            first.clone()
        };

        let replay = client.try_refresh(tokens.refresh_token());

        assert_eq!(replay.outcome(), "400 invalid_grant", "{successor_used}");
        assert_eq!(replay.json()["error_description"], "refresh token was already used");
        assert_eq!(
            client.try_refresh(newest.refresh_token()).outcome(),
            "400 invalid_grant"
        );
        for ended in [tokens.access_token(), first.access_token(), newest.access_token()] {
            assert!(!client.is_active(ended));
        }
        // Another resource server's chain is another family.
        client.refresh(others.refresh_token());
    }
}

/// Decisions section 2: the client is checked before the replay, so a stranger ends nothing.
#[test]
fn a_stranger_cannot_end_a_family_with_an_old_token() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().public_installed().create();
    let stranger = server.client().public_installed().create();
    let tokens = client.offline_tokens(&browser, "openid");
    let first = client.refresh(tokens.refresh_token());
    let second = client.refresh(first.refresh_token());

    assert_eq!(
        stranger.try_refresh(tokens.refresh_token()).outcome(),
        "400 invalid_grant"
    );

    client.refresh(second.refresh_token());
}

#[test]
fn the_switch_decides_who_rotates() {
    let table = [
        (RefreshRotation::Never, false, false),
        (RefreshRotation::Public, true, false),
        (RefreshRotation::Always, true, true),
    ];
    for (rotation, public_rotates, confidential_rotates) in table {
        let server = TestServer::with(|config| config.refresh_rotation = rotation);
        let browser = signed_in(&server);
        let public = server.client().public_installed().create();
        let confidential = server.client().confidential().create();
        for (client, rotates) in [(public, public_rotates), (confidential, confidential_rotates)] {
            let tokens = client.offline_tokens(&browser, "openid");
            let answer = client.refresh(tokens.refresh_token());
            assert_eq!(
                answer.refresh_token() != tokens.refresh_token(),
                rotates,
                "{rotation:?}"
            );
        }
    }
}

/// Decisions section 2: template instances are confidential and keep theirs, as the CLI expects.
#[test]
fn a_template_instance_keeps_its_refresh_token() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let template = server.client().template().create();
    let instance = server.instance_of(template.id, "laptop");
    let tokens = instance.offline_tokens(&browser, "openid");

    assert_eq!(
        instance.refresh(tokens.refresh_token()).refresh_token(),
        tokens.refresh_token()
    );
}

/// Parallel refreshes all carry one successor, and one row is left.
#[test]
fn parallel_refreshes_of_a_public_client_get_one_successor() {
    each_engine(|server| {
        let client = server.client().public_installed().create();
        let tokens = client.offline_tokens(&signed_in(server), "openid");
        let mut refresh_token = tokens.refresh_token().to_owned();
        for _ in 0..3 {
            let params = client.refresh_params(&refresh_token);

            let answers = server.at_once((0..32).map(|_| client.token_request(&params)).collect());

            let successors: Vec<String> = answers
                .iter()
                .filter(|answer| answer.status == 200)
                .map(|answer| answer.json()["refresh_token"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(
                successors.len(),
                32,
                "on {:?}: {}",
                server.engine(),
                summaries(&answers)
            );
            assert!(successors.iter().all(|successor| *successor == successors[0]));
            assert_ne!(successors[0], refresh_token);
            assert_eq!(live_rows(server, &refresh_token), 1);
            refresh_token = successors[0].clone();
        }
    });
}

fn summaries(answers: &[Answer]) -> String {
    answers.iter().map(|answer| answer.outcome() + " ").collect()
}

/// Without grace exactly one succeeds.
#[test]
fn with_no_grace_exactly_one_of_parallel_refreshes_succeeds() {
    each_engine_with(
        |config| config.refresh_grace_seconds = 0,
        |server| {
            let browser = signed_in(server);
            let client = server.client().public_installed().create();
            for _ in 0..3 {
                let tokens = client.offline_tokens(&browser, "openid");
                let params = client.refresh_params(tokens.refresh_token());

                let answers = server.at_once((0..32).map(|_| client.token_request(&params)).collect());

                let good = answers.iter().filter(|answer| answer.status == 200).count();
                assert_eq!(good, 1, "on {:?}: {}", server.engine(), summaries(&answers));
                let refused = answers
                    .iter()
                    .filter(|answer| answer.outcome() == "400 invalid_grant")
                    .count();
                assert_eq!(refused, 31, "on {:?}: {}", server.engine(), summaries(&answers));
                // The others were replays of it: the family has ended.
                let winner = answers.iter().find(|answer| answer.status == 200).unwrap().json();
                let successor = winner["refresh_token"].as_str().unwrap();
                assert_eq!(client.try_refresh(successor).outcome(), "400 invalid_grant");
            }
        },
    );
}

/// Confidential clients do not rotate: all of many at once succeed.
#[test]
fn parallel_refreshes_of_a_confidential_client_all_succeed() {
    each_engine(|server| {
        let client = server.client().confidential().create();
        let tokens = client.offline_tokens(&signed_in(server), "openid");
        let params = client.refresh_params(tokens.refresh_token());

        let answers = server.at_once((0..32).map(|_| client.token_request(&params)).collect());

        for answer in &answers {
            assert_eq!(answer.status, 200, "on {:?}: {}", server.engine(), answer.summary());
            assert_eq!(answer.json()["refresh_token"], tokens.refresh_token());
        }
    });
}

/// G4: six months without use end it, and each use starts them anew.
#[test]
fn a_refresh_token_ends_after_six_months_without_use() {
    let day = 86_400;
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for client in [
        server.client().confidential().create(),
        server.client().public_installed().create(),
    ] {
        let tokens = client.offline_tokens(&server.browser_of(&alice), "openid");
        let mut refresh_token = tokens.refresh_token().to_owned();
        for _ in 0..3 {
            server.advance_seconds(181 * day);
            refresh_token = client.refresh(&refresh_token).refresh_token().to_owned();
        }
        server.advance_seconds(182 * day);
        assert_eq!(client.try_refresh(&refresh_token).outcome(), "400 invalid_grant");
    }
}

/// The idle time of a successor begins with it, whoever uses it later.
#[test]
fn a_successor_is_idle_from_its_beginning() {
    let server = TestServer::new();
    let client = server.client().public_installed().create();
    let tokens = client.offline_tokens(&signed_in(&server), "openid");
    server.advance_seconds(1000);
    let hash = token_format::hash(client.refresh(tokens.refresh_token()).refresh_token());

    let successor = server
        .read(move |tx| refresh_tokens::find(tx, &hash))
        .expect("it is kept");

    assert_eq!(successor.idle_since, server.now());
    assert_eq!((successor.generation, successor.rotated_at), (1, None));
}

/// G4: an absolute end, when the operator wants one.
#[test]
fn the_absolute_end_comes_although_the_token_is_used() {
    let server = TestServer::with(|config| config.refresh_absolute_lifetime_seconds = Some(1000));
    let browser = signed_in(&server);
    for client in [
        server.client().confidential().create(),
        server.client().public_installed().create(),
    ] {
        let tokens = client.offline_tokens(&browser, "openid");
        server.advance_seconds(600);
        let second = client.refresh(tokens.refresh_token());
        server.advance_seconds(399);
        let third = client.refresh(second.refresh_token());
        server.advance_seconds(1);
        assert_eq!(client.try_refresh(third.refresh_token()).outcome(), "400 invalid_grant");
    }
}

/// What ends a refresh token beside time: person, password, client, consent, scope.
#[test]
fn a_refresh_token_ends_with_what_it_stands_on() {
    type End = fn(&TestServer, &str, &str);
    let ends: [(&str, End); 6] = [
        ("disabled person", |server, person, _| {
            server.sql("UPDATE identities SET enabled = 0 WHERE username = $1", params![person]);
        }),
        ("new password", |server, person, _| {
            let (ctx, person) = (server.ctx(), person.to_owned());
            server.write(move |tx| {
                let identity = portolan_server::store::identities::find_by_username(tx, &person)?.unwrap();
                portolan_server::domain::identity::set_password(tx, &ctx, identity.id, "$argon2id$")
            });
        }),
        ("disabled provider", |server, _, _| {
            server.sql("UPDATE identity_providers SET enabled = 0", params![]);
        }),
        ("revoked consent", |server, _, _| {
            server.sql("DELETE FROM consents", params![]);
        }),
        ("scope without refresh tokens", |server, _, scope| {
            server.sql(
                "UPDATE scopes SET allows_refresh_token = 0 WHERE scope_string = $1",
                params![scope],
            );
        }),
        ("scope for other domains", |server, _, scope| {
            server.sql(
                "UPDATE scopes SET required_domains = '[\"elsewhere.org\"]' WHERE scope_string = $1",
                params![scope],
            );
        }),
    ];
    for (what, end) in ends {
        let server = TestServer::new();
        let client = server.client().confidential().create();
        let tokens = client.offline_tokens(&signed_in(&server), TRANSFER);
        client.refresh(tokens.refresh_token());

        end(&server, "alice@portolan.local", TRANSFER);

        let answer = client.try_refresh(tokens.refresh_token());
        assert_eq!(answer.outcome(), "400 invalid_grant", "{what}");
    }
}

/// B4: a refresh token is nothing else, and nothing else is a refresh token.
#[test]
fn nothing_else_is_accepted_as_a_refresh_token() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&browser, "openid");
    let code = client.code(&browser, "openid");
    for wrong in [tokens.access_token(), tokens.id_token(), &code, "AgPR", "x"] {
        assert_eq!(client.try_refresh(wrong).outcome(), "400 invalid_grant", "{wrong}");
    }
    let bare = crate::support::Params::default().set("grant_type", "refresh_token");
    assert_eq!(client.token(&bare).outcome(), "400 invalid_request");
}

/// wire.md 3.5: an earlier grant of the same person and client goes on beside a new one.
#[test]
fn a_new_login_leaves_earlier_tokens_alone() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let earlier = client.offline_tokens(&browser, "openid");
    let later = client.offline_tokens(&browser, "openid");

    client.revoke(later.refresh_token());

    assert!(client.is_active(earlier.access_token()));
    client.refresh(earlier.refresh_token());
}
