//! The two discovery documents. What they list is tried, entry by entry: a value that no
//! test here knows fails.

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::support::{Auth, TestServer};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

fn list(document: &Value, name: &str) -> Vec<String> {
    let values = document[name].as_array().unwrap_or_else(|| panic!("no {name}"));
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn discovery(server: &TestServer) -> Value {
    server.get(OPENID).ok().json()
}

/// E1, G7.
#[test]
fn both_documents_agree_and_are_cacheable_json() {
    let server = TestServer::new();
    let (openid, oauth) = (server.get(OPENID).ok(), server.get(OAUTH).ok());
    assert_eq!(openid.json(), oauth.json());
    for answer in [openid, oauth] {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("cache-control").unwrap().starts_with("public"));
        assert!(answer.header("set-cookie").is_none());
    }
}

/// E1: one string, everywhere.
#[test]
fn the_issuer_is_exactly_the_configured_address() {
    for configured in [
        "https://auth.example.org",
        "https://auth.example.org/",
        "http://localhost:8123",
    ] {
        let server = TestServer::with(|config| config.public_url = configured.into());
        let expected = configured.trim_end_matches('/');
        let alice = server.user("alice").create();
        let client = server.client().confidential().create();
        let browser = server.browser_of(&alice);
        assert_eq!(discovery(&server)["issuer"], expected);
        let answer = browser.authorize_and_allow(&client, &client.params("openid"));
        assert_eq!(answer.get("iss").as_deref(), Some(expected));
        let tokens = client.exchange(&answer.get("code").unwrap());
        assert_eq!(tokens.claims()["iss"], expected);
        assert_eq!(client.introspect(tokens.access_token())["iss"], expected);
        let refused = browser.authorize(&client, &client.params("openid").set("response_type", "x"));
        assert_eq!(refused.iss().as_deref(), Some(expected));
    }
}

/// E3 as decisions section 5 settle it: there is no issuer with a path.
#[test]
fn an_issuer_with_a_path_is_refused_by_the_configuration() {
    let mut config = crate::support::test_config();
    for bad in [
        "https://auth.example.org/tenant",
        "https://auth.example.org/?x",
        "https://auth.example.org/#x",
    ] {
        config.public_url = bad.into();
        assert!(config.validate().is_err(), "{bad}");
    }
}

/// E2.
#[test]
fn required_members_are_present() {
    let document = discovery(&TestServer::new());
    for member in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "introspection_endpoint",
        "end_session_endpoint",
    ] {
        assert!(document[member].is_string(), "{member}");
    }
    for member in [
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "scopes_supported",
        "token_endpoint_auth_methods_supported",
        "claims_supported",
        "acr_values_supported",
        "code_challenge_methods_supported",
        "grant_types_supported",
    ] {
        assert!(!list(&document, member).is_empty(), "{member}");
    }
}

/// E2: every address is a route.
#[test]
fn every_endpoint_is_there() {
    let server = TestServer::new();
    let document = discovery(&server);
    for (member, address) in document.as_object().unwrap() {
        let Some(address) = address
            .as_str()
            .filter(|_| member.ends_with("_endpoint") || member == "jwks_uri")
        else {
            continue;
        };
        let path = address.strip_prefix(&server.issuer()).expect(member);
        for method in [Method::GET, Method::POST] {
            assert_ne!(server.request(method, path).send().status, 404, "{member}");
        }
    }
}

/// F4, D6, H11, H15: flags that say what is not, and what always is.
#[test]
fn flags_tell_what_is_supported() {
    let document = discovery(&TestServer::new());
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["request_parameter_supported"], false);
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(document["claims_parameter_supported"], false);
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
}

/// E2: each listed value works.
#[test]
fn every_listed_value_works() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let client = server.client().confidential().create();
    let document = discovery(&server);
    let (id, secret) = (client.id.to_string(), client.secret.clone().unwrap());

    for response_type in list(&document, "response_types_supported") {
        for mode in list(&document, "response_modes_supported") {
            let params = client
                .params("openid")
                .set("response_type", &response_type)
                .set("response_mode", &mode);
            assert!(
                !client.code_with(&browser, &params).is_empty(),
                "{response_type} {mode}"
            );
        }
    }
    for grant_type in list(&document, "grant_types_supported") {
        match grant_type.as_str() {
            "authorization_code" => drop(client.tokens(&browser, "openid")),
            "refresh_token" => {
                drop(client.refresh(client.offline_tokens(&browser, "openid").refresh_token()));
            }
            "client_credentials" => drop(client.credentials("openid")),
            "urn:globus:auth:grant_type:dependent_token" => {
                let service = server.resource_server("data.example.org").scope("read").create();
                let token = client.credentials(service.scope("read"));
                let params = [("grant_type", grant_type.as_str()), ("token", token.access_token())];
                assert_eq!(service.post("/v2/oauth2/token", &params).ok().json(), json!([]));
            }
            other => panic!("no test for the grant {other}"),
        }
    }
    let token = client.credentials("openid").access_token().to_owned();
    let credentials = [
        ("grant_type", "client_credentials"),
        ("scope", "openid"),
        ("token", "x"),
    ];
    for (endpoint, member) in [
        ("token_endpoint", "token_endpoint_auth_methods_supported"),
        ("revocation_endpoint", "revocation_endpoint_auth_methods_supported"),
        (
            "introspection_endpoint",
            "introspection_endpoint_auth_methods_supported",
        ),
    ] {
        let path = document[endpoint].as_str().unwrap()[server.issuer().len()..].to_owned();
        for method in list(&document, member) {
            let answer = match method.as_str() {
                "client_secret_basic" => {
                    server.post_form(&path, &Auth::Basic(id.clone(), secret.clone()), &credentials)
                }
                "client_secret_post" => server.post_form(&path, &Auth::Body(id.clone(), secret.clone()), &credentials),
                "none" => {
                    let public = server.client().public_installed().create();
                    let refresh_token = public.offline_tokens(&browser, "openid").refresh_token().to_owned();
                    let params = [
                        ("grant_type", "refresh_token"),
                        ("refresh_token", &refresh_token),
                        ("token", &token),
                    ];
                    server.post_form(&path, &public.auth(), &params)
                }
                other => panic!("no test for the method {other}"),
            };
            assert_eq!(answer.status, 200, "{method} at {endpoint}: {}", answer.summary());
        }
    }
    for algorithm in list(&document, "id_token_signing_alg_values_supported") {
        let client = server.client().confidential().id_token_algorithm(&algorithm).create();
        assert_eq!(client.credentials("openid").id_token_header()["alg"], algorithm);
    }
    for scope in list(&document, "scopes_supported") {
        assert!(!client.code(&browser, &format!("openid {scope}")).is_empty(), "{scope}");
    }
    for prompt in list(&document, "prompt_values_supported") {
        let outcome = browser.authorize(&client, &client.params("openid").set("prompt", &prompt));
        let page = browser.path();
        match prompt.as_str() {
            "none" => assert!(!outcome.code().is_empty()),
            "login" | "select_account" => assert!(page.starts_with("/p/login?"), "{page}"),
            "consent" => assert!(page.starts_with("/p/consent?"), "{page}"),
            other => panic!("no test for prompt={other}"),
        }
    }
    for acr in list(&document, "acr_values_supported") {
        let params = client.params("openid").set("acr_values", &acr);
        browser.authorize(&client, &params);
        assert!(browser.text().contains("a sign-in with two factors"), "{acr}");
        server.sql("UPDATE browser_authentications SET acr = $1", params![acr.clone()]);
        let tokens = client.exchange(&client.code_with(&browser, &params));
        assert_eq!(tokens.claims()["acr"], acr);
    }
    for method in list(&document, "code_challenge_methods_supported") {
        let public = server.client().public_installed().create();
        let params = public.params("openid").set("code_challenge_method", &method);
        public.exchange(&public.code_with(&browser, &params));
    }
}

/// E2: each claim is in an ID token or in userinfo.
#[test]
fn every_listed_claim_is_told() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let client = server.client().confidential().create();
    let params = client
        .params("openid profile email")
        .set("nonce", "n")
        .set("max_age", "1000");
    let code = client.code_with(&server.browser_of(&alice), &params);
    // A password says nothing of a class; another provider may have.
    server.sql("UPDATE session_authentications SET acr = 'urn:example:class'", []);
    let tokens = client.exchange(&code);
    let claims = tokens.claims();
    let userinfo = server
        .get_as("/v2/oauth2/userinfo", &Auth::Bearer(tokens.access_token().to_owned()))
        .ok()
        .json();
    for claim in list(&discovery(&server), "claims_supported") {
        let told = claims.get(&claim).or(userinfo.get(&claim));
        assert!(told.is_some_and(|value| !value.is_null()), "{claim}");
    }
}
