//! `POST /v2/oauth2/token` with `grant_type=authorization_code`.

use std::time::Duration;

use portolan_db::params;
use serde_json::json;

use crate::support::{Answer, Browser, Params, TestClient, TestServer, TestUser, VERIFIER, challenge, each_engine};

const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";
const GROUPS: &str = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships";

fn alice(server: &TestServer) -> (TestUser, Browser) {
    let user = server.user("alice").create();
    let browser = server.browser_of(&user);
    (user, browser)
}

#[test]
fn a_code_is_exchanged_for_one_token_per_resource_server() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();

    let tokens = client.tokens(&browser, &format!("{TRANSFER} openid email {GROUPS}"));

    // The token of the first requested scope stands on top (wire.md 2.2.1).
    assert_eq!(tokens.0["resource_server"], "transfer.api.globus.org");
    assert_eq!(tokens.0["scope"], TRANSFER);
    let auth = tokens.of("auth.globus.org");
    assert_eq!(auth.0["scope"], "openid email");
    assert_eq!(tokens.of("groups.api.globus.org").0["scope"], GROUPS);
    assert_eq!(tokens.0["other_tokens"].as_array().unwrap().len(), 2);
    assert_eq!(auth.id_token(), tokens.id_token());
    for document in [&tokens, &auth, &tokens.of("groups.api.globus.org")] {
        assert_eq!(document.0["token_type"], "Bearer");
        assert_eq!(document.0["expires_in"], 172_800);
        assert_eq!(document.0["state"], "the-state");
        assert!(document.0.get("refresh_token").is_none());
        assert!(client.is_active(document.access_token()));
    }
}

/// A12. Clients read `other_tokens` without asking, so it is there when it is empty.
#[test]
fn a_token_answer_is_json_that_nobody_stores() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();

    let answer = client.try_exchange(&client.code(&browser, "openid")).ok();

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let document = answer.json();
    assert_eq!(document["token_type"], "Bearer");
    assert!(document["expires_in"].is_u64());
    assert_eq!(document["scope"], "openid");
    assert_eq!(document["other_tokens"], json!([]));
}

/// A7. 32 random bytes in base62, with a checksum.
#[test]
fn a_code_holds_256_bits_that_do_not_repeat() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();

    let codes: Vec<String> = (0..20).map(|_| client.code(&browser, "openid")).collect();

    for code in &codes {
        assert_eq!(code.len(), 4 + 43 + 6, "{code}");
        assert!(
            code.starts_with("AgPC") && code.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{code}"
        );
        assert_eq!(codes.iter().filter(|other| *other == code).count(), 1);
    }
}

/// A7, A19. Nothing in the store is a code or a token as it was given out.
#[test]
fn codes_and_tokens_are_stored_only_as_hashes() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let code = client.code_with(&browser, &client.params("openid").set("access_type", "offline"));
    let tokens = client.exchange(&code);
    let secret = client.secret.clone().unwrap();

    let path = server.store().url().strip_prefix("sqlite:").unwrap().to_owned();
    let mut stored = std::fs::read(&path).unwrap();
    stored.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());

    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&client.id.to_string()), "the scan finds what is there");
    for given_out in [
        &code,
        tokens.access_token(),
        tokens.refresh_token(),
        tokens.id_token(),
        &secret,
    ] {
        assert!(!holds(given_out), "{given_out}");
        assert!(!holds(&given_out[4..]), "{given_out}");
    }
}

/// A7, decisions section 3: 60 seconds, and 600 for a code that a person copies.
#[test]
fn a_code_lives_60_seconds_and_600_on_the_display_page() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let confidential = server.client().confidential().create();
    let mut display = server.client().public_installed().create();
    display.redirect_uri = server.display_page();
    for (client, lifetime) in [(&confidential, 60), (&display, 600)] {
        let early = client.code(&browser, "openid");
        server.advance_seconds(lifetime - 1);
        client.exchange(&early);

        let late = client.code(&browser, "openid");
        server.advance_seconds(lifetime);
        let refused = client.try_exchange(&late);
        assert_eq!(refused.outcome(), "400 invalid_grant", "{lifetime}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Uri {
    Same,
    Other,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verifier {
    Right,
    Wrong,
    Absent,
}

/// A10, D4, D5: the whole table of client, expiry, use, redirect URI, challenge and verifier.
#[test]
fn a_code_is_good_only_for_its_client_uri_and_verifier_in_time_and_once() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let confidential = server.client().confidential().create();
    let public = server.client().public_installed().create();
    let mut stranger = server.client().confidential().create();
    let mut public_stranger = server.client().public_installed().create();
    stranger.redirect_uri = confidential.redirect_uri.clone();
    public_stranger.redirect_uri = public.redirect_uri.clone();
    let kinds = [
        (&confidential, &stranger, false),
        (&confidential, &stranger, true),
        (&public, &public_stranger, true),
    ];
    let mut cases = 0;
    for (owner, other, has_challenge) in kinds {
        for foreign in [false, true] {
            for expired in [false, true] {
                for used in [false, true] {
                    for uri in [Uri::Same, Uri::Other, Uri::Missing] {
                        for verifier in [Verifier::Right, Verifier::Wrong, Verifier::Absent] {
                            let case = Case {
                                browser: &browser,
                                owner,
                                presenter: if foreign { other } else { owner },
                                has_challenge,
                                expired,
                                used,
                                uri,
                                verifier,
                            };
                            case.check(&server);
                            cases += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cases, 3 * 2 * 2 * 2 * 3 * 3);
}

struct Case<'a> {
    browser: &'a Browser,
    owner: &'a TestClient,
    presenter: &'a TestClient,
    has_challenge: bool,
    expired: bool,
    used: bool,
    uri: Uri,
    verifier: Verifier,
}

impl Case<'_> {
    fn check(&self, server: &TestServer) {
        let mut request = self.owner.params("openid");
        if self.has_challenge {
            request = request
                .set("code_challenge", &challenge(VERIFIER))
                .set("code_challenge_method", "S256");
        }
        let code = self.owner.code_with(self.browser, &request);
        let mut right = self.owner.exchange_params(&code).without("code_verifier");
        if self.has_challenge {
            right = right.set("code_verifier", VERIFIER);
        }
        let first = self.used.then(|| self.owner.token(&right).ok().json());
        if self.expired {
            server.advance(Duration::from_secs(61));
        }
        let mut params = right.without("code_verifier");
        params = match self.uri {
            Uri::Same => params,
            Uri::Other => params.set("redirect_uri", &format!("{}/", self.owner.redirect_uri)),
            Uri::Missing => params.without("redirect_uri"),
        };
        params = match self.verifier {
            Verifier::Right => params.set("code_verifier", VERIFIER),
            Verifier::Wrong => params.set("code_verifier", &VERIFIER.replace("tests", "tesst")),
            Verifier::Absent => params,
        };

        let answer = self.presenter.token(&params);

        let own = self.presenter.id == self.owner.id;
        let proven = match self.verifier {
            Verifier::Right => self.has_challenge,
            Verifier::Wrong => false,
            Verifier::Absent => !self.has_challenge,
        };
        let good = own && !self.expired && !self.used && self.uri == Uri::Same && proven;
        let about = format!(
            "challenge {} own {own} expired {} used {} {:?} {:?}",
            self.has_challenge, self.expired, self.used, self.uri, self.verifier
        );
        let expected = match self.uri {
            _ if good => "200",
            Uri::Missing => "400 invalid_request",
            _ => "400 invalid_grant",
        };
        assert_eq!(answer.outcome(), expected, "{about}");
        // A8: whatever else is wrong, a second use by the client itself ends what the
        // first gave; a stranger ends nothing.
        if let Some(first) = first {
            let replayed = own && self.uri != Uri::Missing;
            let active = self.owner.is_active(first["access_token"].as_str().unwrap());
            assert_eq!(active, !replayed, "{about}");
        }
    }
}

/// A8. What the first use gave ends with everything that came from it, refreshed or not.
#[test]
fn a_replayed_code_ends_all_that_came_from_it() {
    each_engine(|server| {
        let (_, browser) = alice(server);
        let client = server.client().confidential().create();
        let request = client
            .params(&format!("openid {TRANSFER}"))
            .set("access_type", "offline");
        let code = client.code_with(&browser, &request);
        let tokens = client.exchange(&code);
        let transfer = tokens.of("transfer.api.globus.org");
        let refreshed = client.refresh(transfer.refresh_token());
        let unrelated = client.tokens(&browser, "openid");

        let replay = client.try_exchange(&code);

        assert_eq!(replay.outcome(), "400 invalid_grant");
        assert_eq!(
            replay.json()["error_description"],
            "authorization code was already used"
        );
        for ended in [tokens.access_token(), transfer.access_token(), refreshed.access_token()] {
            assert!(!client.is_active(ended));
        }
        for ended in [tokens.refresh_token(), transfer.refresh_token()] {
            assert_eq!(client.try_refresh(ended).outcome(), "400 invalid_grant");
            assert!(!client.is_valid(ended));
        }
        assert!(client.is_active(unrelated.access_token()));
    });
}

/// The end must outlast the lifetime of the code: a replay may come days later.
#[test]
fn a_code_that_comes_back_after_its_end_still_ends_its_tokens() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let code = client.code(&browser, "openid");
    let tokens = client.exchange(&code);
    server.advance_seconds(3600);

    let replay = client.try_exchange(&code);

    assert_eq!(replay.outcome(), "400 invalid_grant");
    assert!(!client.is_active(tokens.access_token()));
}

/// A stranger who saw a code cannot end what its owner got, nor spoil it beforehand.
#[test]
fn only_the_owner_with_its_secret_uses_up_or_replays_a_code() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let stranger = server.client().confidential().create();
    let code = client.code(&browser, "openid");
    let params = client.exchange_params(&code);
    let without_secret = params.clone().set("client_id", &client.id.to_string());
    let wrong_secret = without_secret.clone().set("client_secret", "a guess");
    let attempts = |expected: [&str; 3]| {
        let answers = [
            stranger.token(&params),
            server.post_form("/v2/oauth2/token", &crate::support::Auth::None, &without_secret.pairs()),
            server.post_form("/v2/oauth2/token", &crate::support::Auth::None, &wrong_secret.pairs()),
        ];
        assert_eq!(answers.each_ref().map(Answer::outcome), expected);
    };
    let refused = ["400 invalid_grant", "401 invalid_client", "401 invalid_client"];

    attempts(refused);
    let tokens = client.exchange(&code);
    attempts(refused);

    assert!(client.is_active(tokens.access_token()));
}

/// A9: of 64 simultaneous redemptions exactly one succeeds; since the others
/// are replays, its tokens are inactive afterwards.
#[test]
fn of_64_simultaneous_redemptions_one_succeeds_and_its_tokens_end() {
    each_engine(|server| {
        let (_, browser) = alice(server);
        let client = server.client().confidential().create();
        let request = client
            .params(&format!("openid {TRANSFER}"))
            .set("access_type", "offline");
        for _ in 0..3 {
            let params = client.exchange_params(&client.code_with(&browser, &request));

            let answers = server.at_once((0..64).map(|_| client.token_request(&params)).collect());

            let (good, bad): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
            assert_eq!(good.len(), 1, "on {:?}", server.engine());
            assert!(bad.iter().all(|answer| answer.outcome() == "400 invalid_grant"));
            let winner = good[0].json();
            for document in [&winner, &winner["other_tokens"][0]] {
                assert!(!client.is_active(document["access_token"].as_str().unwrap()));
                let refresh_token = document["refresh_token"].as_str().unwrap();
                assert_eq!(client.try_refresh(refresh_token).outcome(), "400 invalid_grant");
            }
            let issued = server.count(
                "SELECT count(*) FROM access_tokens WHERE client_id = $1",
                params![client.id],
            );
            assert_eq!(issued % 2, 0, "one issuance of two tokens each time");
        }
        let issued = server.count(
            "SELECT count(*) FROM access_tokens WHERE client_id = $1",
            params![client.id],
        );
        assert_eq!(issued, 6);
    });
}

/// D1. `SHA256` is how old guides spell `S256` (wire.md 2.1.1).
#[test]
fn both_spellings_of_s256_work() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().public_installed().create();
    for method in ["S256", "SHA256"] {
        let request = client.params("openid").set("code_challenge_method", method);
        let code = client.code_with(&browser, &request);
        assert!(!client.exchange(&code).access_token().is_empty(), "{method}");
    }
}

/// D2. A verifier that RFC 7636 does not allow never fits, whatever its hash.
#[test]
fn a_verifier_outside_the_alphabet_or_the_length_is_refused() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let long_enough = "x".repeat(43);
    let verifiers = [
        ("x".repeat(42), false),
        (long_enough.clone(), true),
        ("x".repeat(128), true),
        ("x".repeat(129), false),
        (format!("{}-._~", &long_enough[4..]), true),
        (format!("{} ", &long_enough[1..]), false),
        (format!("{}é", &long_enough[2..]), false),
    ];
    for (verifier, fits) in verifiers {
        let request = client
            .params("openid")
            .set("code_challenge", &challenge(&verifier))
            .set("code_challenge_method", "S256");
        let code = client.code_with(&browser, &request);
        let answer = client.token(&client.exchange_params(&code).set("code_verifier", &verifier));
        let expected = if fits { "200" } else { "400 invalid_grant" };
        assert_eq!(answer.outcome(), expected, "{verifier}");
    }
}

/// A12: `scope` tells what was granted. Duplicates and `offline_access` are not scopes.
#[test]
fn the_answer_names_the_granted_scopes_once_each() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();

    let tokens = client.tokens(&browser, "email openid email offline_access openid");

    assert_eq!(tokens.0["scope"], "email openid");
    assert!(!tokens.refresh_token().is_empty());
}

/// A consent that was revoked between code and redemption takes its scope away.
#[test]
fn a_revoked_consent_takes_its_scope_out_of_a_waiting_code() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let code = client.code(&browser, &format!("openid {TRANSFER}"));
    let only = client.code(&browser, TRANSFER);
    server.sql(
        "DELETE FROM consents WHERE scope_id = (SELECT scope_id FROM scope_strings WHERE scope_string = $1)",
        params![TRANSFER],
    );

    let tokens = client.exchange(&code);

    assert_eq!(tokens.0["scope"], "openid");
    assert_eq!(tokens.0["other_tokens"], json!([]));
    assert_eq!(client.try_exchange(&only).outcome(), "400 invalid_grant");
}

/// wire.md 2.2.2: with `include_consented_scopes` also what was allowed earlier.
#[test]
fn include_consented_scopes_adds_what_was_allowed_before() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    client.tokens(&browser, &format!("openid {TRANSFER}"));

    let plain = client.tokens(&browser, "openid");
    let code = client.code(&browser, "openid");
    let all = client.token(&client.exchange_params(&code).set("include_consented_scopes", "true"));

    assert_eq!(plain.0["other_tokens"], json!([]));
    assert_eq!(
        all.json()["other_tokens"][0]["resource_server"],
        "transfer.api.globus.org"
    );
}

#[test]
fn a_disabled_person_or_client_cannot_redeem() {
    let server = TestServer::new();
    let (user, browser) = alice(&server);
    let client = server.client().confidential().create();
    let first = client.code(&browser, "openid");
    let second = client.code(&browser, "openid");

    server.sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![client.id]);
    assert_eq!(client.try_exchange(&first).outcome(), "401 invalid_client");
    server.sql("UPDATE clients SET enabled = 1 WHERE id = $1", params![client.id]);
    server.sql(
        "UPDATE identities SET enabled = 0, generation = generation + 1 WHERE id = $1",
        params![user.id],
    );
    // Refused, and not answered with tokens that are dead already.
    assert_eq!(client.try_exchange(&second).outcome(), "400 invalid_grant");
    server.sql("UPDATE identities SET enabled = 1 WHERE id = $1", params![user.id]);
    assert_eq!(
        client.try_exchange(&second).outcome(),
        "400 invalid_grant",
        "it is from before"
    );
}

/// B4, threats: nothing but a code is a code.
#[test]
fn nothing_else_is_accepted_as_a_code() {
    let server = TestServer::new();
    let (_, browser) = alice(&server);
    let client = server.client().confidential().create();
    let tokens = client.offline_tokens(&browser, "openid");
    let wrong = [
        tokens.access_token(),
        tokens.refresh_token(),
        tokens.id_token(),
        "AgPC",
        "x",
        "AgPC0000000000000000000000000000000000000000000000000",
    ];
    for code in wrong {
        assert_eq!(client.try_exchange(code).outcome(), "400 invalid_grant", "{code}");
    }
    let without = Params::default()
        .set("grant_type", "authorization_code")
        .set("redirect_uri", &client.redirect_uri);
    assert_eq!(client.token(&without).outcome(), "400 invalid_request");
}
