//! The classes of attack that other authorization servers fell to, and that ours does not.
//! One module for each class, named after it; the security documentation lists them with
//! the published cases. Classes of features that are not offered have no module.
#![expect(clippy::unwrap_used, reason = "tests")]

mod routes;
mod support;

#[path = "cve/authority.rs"]
mod authority;
#[path = "cve/browser_state.rs"]
mod browser_state;
#[path = "cve/code_replay.rs"]
mod code_replay;
#[path = "cve/delegation.rs"]
mod delegation;
#[path = "cve/denial_of_service.rs"]
mod denial_of_service;
#[path = "cve/enumeration.rs"]
mod enumeration;
#[path = "cve/hash_exhaustion.rs"]
mod hash_exhaustion;
#[path = "cve/injection.rs"]
mod injection;
#[path = "cve/introspection_by_strangers.rs"]
mod introspection_by_strangers;
#[path = "cve/jwt_confusion.rs"]
mod jwt_confusion;
#[path = "cve/parameter_pollution.rs"]
mod parameter_pollution;
#[path = "cve/pkce_downgrade.rs"]
mod pkce_downgrade;
#[path = "cve/proxy_headers.rs"]
mod proxy_headers;
#[path = "cve/redirect_uri.rs"]
mod redirect_uri;
#[path = "cve/refresh_races.rs"]
mod refresh_races;
#[path = "cve/revocation.rs"]
mod revocation;
#[path = "cve/secrets.rs"]
mod secrets;
#[path = "cve/server_side_requests.rs"]
mod server_side_requests;
#[path = "cve/session_fixation.rs"]
mod session_fixation;
#[path = "cve/wrong_client.rs"]
mod wrong_client;

use support::{Answer, TestServer};

/// A request for an authorization with exactly these parameters.
fn authorize(server: &TestServer, params: &[(&str, &str)]) -> Answer {
    server.get(&format!("/v2/oauth2/authorize?{}", encode(params)))
}

fn encode(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

/// A page that says no and sends nobody anywhere.
#[track_caller]
fn assert_stays(answer: &Answer, case: &str) {
    assert!(answer.status.is_client_error(), "{case}: {}", answer.summary());
    assert!(
        answer.header("location").is_none(),
        "{case}: sent to {:?}",
        answer.header("location")
    );
    assert!(answer.header("set-cookie").is_none(), "{case}: a session was begun");
}
