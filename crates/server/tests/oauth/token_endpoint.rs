//! What holds for every request to `POST /v2/oauth2/token`, and for its neighbours:
//! authentication of clients, where parameters may stand, and how errors look.

use http::Method;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use portolan_db::params;
use portolan_server::app::new_uuid;
use portolan_server::domain::token_format;
use portolan_server::store::clients::{self, Credential};
use portolan_types::CredentialId;
use serde_json::json;

use crate::support::{Answer, Auth, Browser, Params, TestClient, TestServer};

const TOKEN: &str = "/v2/oauth2/token";
const INTROSPECT: &str = "/v2/oauth2/token/introspect";
const VALIDATE: &str = "/v2/oauth2/token/validate";
const REVOKE: &str = "/v2/oauth2/token/revoke";
const ENDPOINTS: [&str; 4] = [TOKEN, INTROSPECT, VALIDATE, REVOKE];

fn signed_in(server: &TestServer) -> Browser {
    let alice = server.user("alice").create();
    server.browser_of(&alice)
}

fn basic(id: &str, secret: &str) -> Auth {
    Auth::Basic(id.to_owned(), secret.to_owned())
}

const CREDENTIALS: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "openid")];

/// A11.
#[test]
fn other_methods_get_405_with_allow() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    for path in ENDPOINTS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = server
                .request(method.clone(), path)
                .authorization(&client.auth())
                .send();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header(ALLOW.as_str()), Some("POST"), "{method} {path}");
            assert_eq!(answer.json()["errors"][0]["code"], "METHOD_NOT_ALLOWED");
        }
    }
}

/// A11: nothing but a form is read, also from a client that is who it says.
#[test]
fn json_and_multipart_bodies_are_refused() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let json = json!({ "grant_type": "client_credentials", "scope": "openid", "token": "x" }).to_string();
    let form = "grant_type=client_credentials&scope=openid&token=x";
    for path in ENDPOINTS {
        for (content_type, body) in [
            ("application/json", json.as_str()),
            ("application/json", form),
            ("text/plain", form),
            ("multipart/form-data; boundary=x", "--x--"),
        ] {
            let request = server.request(Method::POST, path).authorization(&client.auth());
            let answer = request.header(CONTENT_TYPE, content_type).body(body).send();
            assert_eq!(answer.outcome(), "400 invalid_request", "{path} {content_type} {body}");
        }
    }
}

/// A11, A12: the charset and the case of the media type do not matter.
#[test]
fn a_form_may_name_its_charset() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    for content_type in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        let request = server.request(Method::POST, TOKEN).authorization(&client.auth());
        let body = "grant_type=client_credentials&scope=openid";
        let answer = request.header(CONTENT_TYPE, content_type).body(body).send();
        assert_eq!(answer.outcome(), "200", "{content_type}");
    }
}

/// A3, for every parameter and every endpoint; also when the two agree.
#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let token = client.credentials("openid").access_token().to_owned();
    for path in [INTROSPECT, VALIDATE, REVOKE] {
        for second in [token.as_str(), "other"] {
            let answer = client.post(path, &[("token", &token), ("token", second)]);
            assert_eq!(answer.outcome(), "400 invalid_request", "{path}");
        }
    }
    assert!(client.is_active(&token), "the revocation was refused as a whole");
    for name in ["grant_type", "scope", "unknown"] {
        let mut params = CREDENTIALS.to_vec();
        params.extend([(name, "openid"), (name, "openid")]);
        assert_eq!(client.post(TOKEN, &params).outcome(), "400 invalid_request", "{name}");
    }
}

/// A2.
#[test]
fn unknown_parameters_are_ignored_and_empty_ones_absent() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let id = client.id.to_string();

    let with = |extra: &[(&str, &str)]| {
        let mut params = extra.to_vec();
        params.extend(CREDENTIALS.iter().rev());
        client.post(TOKEN, &params)
    };

    assert_eq!(
        with(&[("audience", "x"), ("resource", "y"), ("foo", "bar")]).outcome(),
        "200"
    );
    assert_eq!(
        with(&[("client_secret", ""), ("client_id", ""), ("state", "")]).outcome(),
        "200"
    );
    assert_eq!(with(&[("client_id", &id)]).outcome(), "200");
    let empty = client.post(TOKEN, &[("grant_type", ""), ("scope", "openid")]);
    assert_eq!(empty.outcome(), "400 invalid_request");
}

/// A13, A17 and wire.md 2.2.6: status, error and challenge of what goes wrong.
#[test]
fn errors_have_the_status_and_words_of_rfc_6749() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let service = server.resource_server("data.example.org").scope("read").create();
    let public = server.client().public_installed().create();
    let good = client.auth();
    type Params<'a> = &'a [(&'a str, &'a str)];
    let table: &[(&Auth, Params<'_>, &str)] = &[
        (&good, &[], "400 invalid_request"),
        (&good, &[("grant_type", "client_credentials")], "400 invalid_request"),
        (
            &good,
            &[("grant_type", "authorization_code"), ("code", "x")],
            "400 invalid_grant",
        ),
        (&good, &[("grant_type", "authorization_code")], "400 invalid_request"),
        (&good, &[("grant_type", "refresh_token")], "400 invalid_request"),
        (
            &good,
            &[("grant_type", "refresh_token"), ("refresh_token", "x")],
            "400 invalid_grant",
        ),
        (&good, &[("grant_type", "nonsense")], "400 unsupported_grant_type"),
        (
            &good,
            &[("grant_type", "CLIENT_CREDENTIALS")],
            "400 unsupported_grant_type",
        ),
        (
            &good,
            &[("grant_type", "client_credentials "), ("scope", "openid")],
            "400 unsupported_grant_type",
        ),
        (
            &service.auth(),
            &[
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("redirect_uri", "y"),
            ],
            "400 invalid_grant",
        ),
        (&public.auth(), &CREDENTIALS, "400 unauthorized_client"),
        (&Auth::None, &CREDENTIALS, "401 invalid_client"),
        (
            &basic(&client.id.to_string(), "wrong"),
            &CREDENTIALS,
            "401 invalid_client",
        ),
        (&basic("not-a-uuid", "x"), &CREDENTIALS, "401 invalid_client"),
    ];
    for (auth, params, expected) in table {
        let answer = server.post_form(TOKEN, auth, params);
        assert_eq!(answer.outcome(), *expected, "{params:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some(), answer.status == 401, "{params:?}");
        assert!(
            challenge.is_none_or(|challenge| challenge.starts_with("Basic realm=")),
            "{challenge:?}"
        );
    }
}

/// A17: a client may use what its type lists and nothing else.
#[test]
fn a_grant_that_the_client_does_not_have_is_unauthorized_client() {
    let server = TestServer::new();
    let service = server.resource_server("data.example.org").scope("read").create();
    let code = format!("AgPC{}", "0".repeat(49));
    let params = service.exchange_params(&code);
    // A well-formed code that nobody issued: the grant is looked at before the code.
    let well_formed =
        portolan_server::domain::token_format::mint(portolan_server::domain::token_format::TokenKind::Code, [5; 32]);
    let issued_by_nobody = params.set("code", well_formed.expose());

    assert_eq!(service.token(&issued_by_nobody).outcome(), "400 unauthorized_client");
    let portal = server.client().confidential().create();
    let dependent = Params::default()
        .set("grant_type", "urn:globus:auth:grant_type:dependent_token")
        .set("token", "AgPAnonsense");
    assert_eq!(
        portal.token(&dependent).outcome(),
        "400 invalid_grant",
        "what cannot be a token is refused unseen"
    );
    let token = portal.credentials("openid");
    let dependent = dependent.set("token", token.access_token());
    assert_eq!(portal.token(&dependent).outcome(), "400 unauthorized_client");
    let asked = server.browser().authorize(&service, &service.params("openid"));
    assert_eq!(asked.error().as_deref(), Some("unauthorized_client"));
}

/// A17, decisions section 3: these grants do not exist, whoever asks.
#[test]
fn implicit_password_device_and_assertion_grants_are_not_offered() {
    let server = TestServer::new();
    let alice = server.user("alice").create();
    for client in [
        server.client().confidential().create(),
        server.client().public_installed().create(),
    ] {
        for grant_type in [
            "password",
            "implicit",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:saml2-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ] {
            let params = [
                ("grant_type", grant_type),
                ("username", alice.username.as_str()),
                ("password", alice.password.as_str()),
                ("scope", "openid"),
                ("assertion", "x"),
                ("device_code", "x"),
            ];
            assert_eq!(
                client.post(TOKEN, &params).outcome(),
                "400 unsupported_grant_type",
                "{grant_type}"
            );
        }
    }
}

/// wire.md 2.2.6: both families of clients find their error in one document.
#[test]
fn an_error_document_speaks_to_both_families_of_clients() {
    let server = TestServer::new();
    let client = server.client().confidential().create();

    let answer = server.post_form(TOKEN, &basic(&client.id.to_string(), "wrong"), &CREDENTIALS);

    let document = answer.json();
    assert_eq!(document["error"], "invalid_client");
    let element = &document["errors"][0];
    assert_eq!(element["code"], "UNAUTHORIZED");
    assert_eq!(element["status"], "401");
    assert_eq!(element["detail"], "Basic auth failed");
    assert_eq!(element["id"].as_str(), answer.header("x-request-id"));
}

/// A14 as decisions section 3 settle it: raw first, percent-decoded second, `+` literal.
#[test]
fn a_nasty_secret_works_through_basic_and_through_the_form() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let id = client.id.to_string();
    for secret in ["a:b", "a%b", "a+b/c=", "a b", "%41", "pass:word%20+ ü", "a%2Bb"] {
        let (hash, now, client_id) = (token_format::hash(secret), server.now(), client.id);
        server.write(move |tx| {
            let credential = Credential {
                id: CredentialId(new_uuid()),
                client_id,
                name: "nasty".into(),
                created_at: now,
            };
            clients::insert_credential(tx, &credential, &hash)
        });
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let encoded_id = id.replace('-', "%2D");
        for auth in [
            basic(&id, secret),
            basic(&id, &encoded),
            basic(&encoded_id, &encoded),
            Auth::Body(id.clone(), secret.to_owned()),
        ] {
            let answer = server.post_form(TOKEN, &auth, &CREDENTIALS);
            assert_eq!(answer.outcome(), "200", "{secret} {auth:?}");
        }
    }
    // A plus is a plus: it does not become a space on the way.
    assert_eq!(
        server.post_form(TOKEN, &basic(&id, "a b+c"), &CREDENTIALS).outcome(),
        "401 invalid_client"
    );
    assert_eq!(
        server.post_form(TOKEN, &basic(&id, "a+b"), &CREDENTIALS).outcome(),
        "401 invalid_client"
    );
    assert_eq!(
        server
            .post_form(TOKEN, &Auth::Body(id, "%41B".into()), &CREDENTIALS)
            .outcome(),
        "401 invalid_client"
    );
}

/// A15.
#[test]
fn both_methods_work_but_not_together() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let other = server.client().confidential().create();
    let (id, secret) = (client.id.to_string(), client.secret.clone().unwrap());
    let upper = id.to_uppercase();
    let with = |auth: &Auth, extra: &[(&str, &str)]| {
        let mut params = CREDENTIALS.to_vec();
        params.extend(extra);
        server.post_form(TOKEN, auth, &params).outcome()
    };
    let header = client.auth();
    let form = Auth::Body(id.clone(), secret.clone());

    assert_eq!(with(&header, &[]), "200");
    assert_eq!(with(&form, &[]), "200");
    assert_eq!(with(&header, &[("client_id", &id)]), "200");
    assert_eq!(with(&header, &[("client_id", &upper)]), "200");
    assert_eq!(with(&header, &[("client_secret", &secret)]), "400 invalid_request");
    assert_eq!(with(&header, &[("client_secret", "x")]), "400 invalid_request");
    assert_eq!(
        with(&header, &[("client_id", &other.id.to_string())]),
        "400 invalid_request"
    );
    assert_eq!(with(&header, &[("client_id", "x")]), "400 invalid_request");
    // Two headers are two methods as well.
    let request = server
        .request(Method::POST, TOKEN)
        .authorization(&header)
        .authorization(&other.auth());
    assert_eq!(request.form(&CREDENTIALS).send().outcome(), "400 invalid_request");
}

/// A16: the id alone is enough for public clients only, and they cannot pretend more.
#[test]
fn a_public_client_is_never_authenticated() {
    let server = TestServer::new();
    let public = server.client().public_installed().create();
    let id = public.id.to_string();

    for auth in [basic(&id, ""), basic(&id, "x"), Auth::Body(id.clone(), "x".into())] {
        for path in ENDPOINTS {
            let params = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
            let answer = server.post_form(path, &auth, &params);
            assert_eq!(answer.outcome(), "401 invalid_client", "{path} {auth:?}");
        }
    }
    assert_eq!(
        public.post(INTROSPECT, &[("token", "x")]).outcome(),
        "401 invalid_client"
    );
    assert_eq!(public.try_credentials("openid").outcome(), "400 unauthorized_client");
}

/// A16: a confidential client authenticates everywhere.
#[test]
fn a_confidential_client_cannot_skip_authentication_anywhere() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let code = client.code(&signed_in(&server), "openid");
    let token = client.credentials("openid").access_token().to_owned();
    let id = Auth::Id(client.id.to_string());

    for (path, params) in [
        (TOKEN, client.exchange_params(&code)),
        (TOKEN, client.refresh_params("x")),
        (
            TOKEN,
            Params::default()
                .set("grant_type", "client_credentials")
                .set("scope", "openid"),
        ),
        (TOKEN, Params::default().set("grant_type", "nonsense")),
        (TOKEN, Params::default()),
        (INTROSPECT, Params::default().set("token", &token)),
        (VALIDATE, Params::default().set("token", &token)),
        (REVOKE, Params::default().set("token", &token)),
    ] {
        let answer = server.post_form(path, &id, &params.pairs());
        assert_eq!(answer.outcome(), "401 invalid_client", "{path} {params:?}");
    }
    assert!(client.is_active(&token));
    client.exchange(&code);
}

/// Nothing tells an unknown client, a wrong secret, a disabled client and a public one apart.
#[test]
fn failed_authentications_look_the_same() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let disabled = server.client().confidential().create();
    let public = server.client().public_installed().create();
    server.sql("UPDATE clients SET enabled = 0 WHERE id = $1", params![disabled.id]);
    let Auth::Basic(disabled_id, disabled_secret) = disabled.auth() else {
        panic!("confidential")
    };

    for path in ENDPOINTS {
        let look = |auth: Auth| {
            let params = [
                ("grant_type", "client_credentials"),
                ("token", "x"),
                ("scope", "openid"),
            ];
            let answer = server.post_form(path, &auth, &params);
            let mut document = answer.json();
            document["errors"][0]["id"] = "redacted".into();
            (
                answer.status,
                answer.header("www-authenticate").map(str::to_owned),
                document,
            )
        };
        let expected = look(basic(&client.id.to_string(), "wrong"));
        assert_eq!(expected.0, 401);
        assert_eq!(look(basic(&new_uuid().to_string(), "wrong")), expected, "{path}");
        assert_eq!(look(basic("no-uuid", "wrong")), expected, "{path}");
        assert_eq!(look(basic(&disabled_id, &disabled_secret)), expected, "{path}");
        assert_eq!(look(basic(&public.id.to_string(), "x")), expected, "{path}");
        assert_eq!(
            look(Auth::Body(client.id.to_string(), "wrong".into())),
            expected,
            "{path}"
        );
        assert_eq!(look(Auth::Bearer("x".into())), expected, "{path}");
        assert_eq!(look(Auth::None), expected, "{path}");
    }
}

/// What is wrong with a request is told only to a client that is who it says.
#[test]
fn authentication_comes_before_everything_else() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let wrong = basic(&client.id.to_string(), "wrong");
    let cases: [&[(&str, &str)]; 6] = [
        &[],
        &[("grant_type", "nonsense")],
        &[("grant_type", "client_credentials"), ("scope", "no-such-scope")],
        &[("grant_type", "authorization_code")],
        &[
            ("grant_type", "authorization_code"),
            ("code", "x"),
            ("redirect_uri", "y"),
        ],
        &[("grant_type", "refresh_token"), ("refresh_token", "x")],
    ];
    for params in cases {
        assert_eq!(
            server.post_form(TOKEN, &wrong, params).outcome(),
            "401 invalid_client",
            "{params:?}"
        );
    }
}

#[test]
fn the_scheme_of_the_header_is_matched_without_regard_to_case() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let Auth::Basic(id, secret) = client.auth() else {
        panic!("confidential")
    };
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    for scheme in ["basic", "BASIC", "bAsIc"] {
        let request = server
            .request(Method::POST, TOKEN)
            .header(AUTHORIZATION, &format!("{scheme} {encoded}"));
        assert_eq!(request.form(&CREDENTIALS).send().outcome(), "200", "{scheme}");
    }
}

#[test]
fn each_of_several_secrets_works() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let (ctx, id) = (server.ctx(), client.id);
    let second = server.write(move |tx| portolan_server::domain::client::create_credential(tx, &ctx, id, "second"));
    for secret in [client.secret.clone().unwrap(), second.1.expose().to_owned()] {
        let answer = server.post_form(TOKEN, &basic(&id.to_string(), &secret), &CREDENTIALS);
        assert_eq!(answer.outcome(), "200");
    }
}

fn post_to(client: &TestClient, query: &str, body: &[(&str, &str)]) -> Answer {
    client
        .server
        .post_form(&format!("{TOKEN}?{query}"), &client.auth(), body)
}

/// Decisions section 3: some old clients put the code grant into the query; only that,
/// and only with Basic.
#[test]
fn the_query_is_read_for_the_code_grant_with_basic_only() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let public = server.client().public_installed().create();
    let query = |client: &TestClient, code: &str| {
        let uri: String = form_urlencoded::byte_serialize(client.redirect_uri.as_bytes()).collect();
        format!("grant_type=authorization_code&code={code}&redirect_uri={uri}")
    };

    let code = client.code(&browser, "openid");
    assert_eq!(post_to(&client, &query(&client, &code), &[]).outcome(), "200");
    let code = client.code(&browser, "openid");
    let with_all = format!("{}&client_id={}&state=x&scope=openid", query(&client, &code), client.id);
    assert_eq!(post_to(&client, &with_all, &[]).outcome(), "200");

    let code = client.code(&browser, "openid");
    let by_form = Auth::Body(client.id.to_string(), client.secret.clone().unwrap());
    let answer = server.post_form(&format!("{TOKEN}?{}", query(&client, &code)), &by_form, &[]);
    assert_eq!(answer.outcome(), "400 invalid_request");
    let code = public.code(&browser, "openid");
    let verifier = [("code_verifier", crate::support::VERIFIER)];
    assert_eq!(
        post_to(&public, &query(&public, &code), &verifier).outcome(),
        "400 invalid_request"
    );
    for query in [
        "grant_type=client_credentials&scope=openid",
        "grant_type=client_credentials",
        "scope=openid",
    ] {
        assert_eq!(post_to(&client, query, &[]).outcome(), "400 invalid_request", "{query}");
    }
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(
        post_to(&client, "scope=openid", &refresh).outcome(),
        "400 invalid_request"
    );
}

#[test]
fn the_query_is_not_read_when_the_switch_is_off() {
    let server = TestServer::with(|config| config.token_query_parameters = false);
    let client = server.client().confidential().create();
    let code = client.code(&signed_in(&server), "openid");
    let uri: String = form_urlencoded::byte_serialize(client.redirect_uri.as_bytes()).collect();
    let query = format!("grant_type=authorization_code&code={code}&redirect_uri={uri}");

    assert_eq!(post_to(&client, &query, &[]).outcome(), "400 invalid_request");
    client.exchange(&code);
}

#[test]
fn a_name_in_query_and_body_is_refused() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let code = client.code(&signed_in(&server), "openid");
    let params = client.exchange_params(&code);
    let uri: String = form_urlencoded::byte_serialize(client.redirect_uri.as_bytes()).collect();
    for query in [
        format!("code={code}"),
        "grant_type=authorization_code".into(),
        format!("redirect_uri={uri}"),
    ] {
        let answer = post_to(&client, &query, &params.pairs());
        assert_eq!(answer.outcome(), "400 invalid_request", "{query}");
    }
    let twice = params.clone().set("include_consented_scopes", "true");
    let answer = post_to(&client, "include_consented_scopes=true", &twice.pairs());
    assert_eq!(answer.outcome(), "400 invalid_request");
    assert_eq!(
        post_to(&client, "include_consented_scopes=true", &params.pairs()).outcome(),
        "200"
    );
}

/// Decisions section 3: addresses are logged on the way, so a secret in one is refused and
/// the code that came with it is burnt.
#[test]
fn secrets_in_the_query_are_refused_and_burn_the_code() {
    let server = TestServer::new();
    let browser = signed_in(&server);
    let client = server.client().confidential().create();
    let public = server.client().public_installed().create();
    for name in [
        "client_secret",
        "client_assertion",
        "refresh_token",
        "token",
        "code_verifier",
    ] {
        let code = client.code(&browser, "openid");
        let params = client.exchange_params(&code);
        let answer = post_to(&client, &format!("{name}=x"), &params.pairs());
        assert_eq!(answer.outcome(), "400 invalid_request", "{name}");
        assert_eq!(client.try_exchange(&code).outcome(), "400 invalid_grant", "{name}");
    }
    let code = client.code(&browser, "openid");
    let answer = post_to(&client, &format!("client_secret=x&code={code}"), &[]);
    assert_eq!(answer.outcome(), "400 invalid_request");
    assert_eq!(client.try_exchange(&code).outcome(), "400 invalid_grant");
    let code = public.code(&browser, "openid");
    let params = public.exchange_params(&code).without("code_verifier");
    let query = format!("code_verifier={}", crate::support::VERIFIER);
    assert_eq!(
        post_to(&public, &query, &params.pairs()).outcome(),
        "400 invalid_request"
    );
    assert_eq!(public.try_exchange(&code).outcome(), "400 invalid_grant");
}

/// A11: the neighbours read no credentials and no token from the query.
#[test]
fn the_neighbours_read_neither_token_nor_credentials_from_the_query() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let token = client.credentials("openid").access_token().to_owned();
    let Auth::Basic(id, secret) = client.auth() else {
        panic!("confidential")
    };
    let secret: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();

    for path in [INTROSPECT, VALIDATE] {
        let answer = client.post(&format!("{path}?token={token}"), &[]);
        assert_eq!(answer.status, 400, "{path}");
        let by_query = format!("{path}?client_id={id}&client_secret={secret}");
        assert_eq!(
            server.post_form(&by_query, &Auth::None, &[("token", &token)]).status,
            401,
            "{path}"
        );
    }
    client.post(&format!("{REVOKE}?token={token}"), &[]);
    let by_query = format!("{REVOKE}?client_id={id}&client_secret={secret}");
    assert_eq!(
        server.post_form(&by_query, &Auth::None, &[("token", &token)]).status,
        401
    );
    assert!(client.is_active(&token));
}

/// Decisions section 6: only failures count, per address and client; success never.
#[test]
fn failed_authentications_are_limited_per_address_and_client() {
    let server = TestServer::with(|config| config.limits.failed_client_authentications_per_minute = 3);
    let client = server.client().confidential().create();
    let other = server.client().confidential().create();
    let attempt = |id: &TestClient, auth: &Auth, from: &str| {
        let request = id.server.request(Method::POST, TOKEN).auth(auth, &CREDENTIALS);
        request.from(from.parse().unwrap()).send()
    };
    let wrong = basic(&client.id.to_string(), "wrong");

    for _ in 0..3 {
        assert_eq!(attempt(&client, &wrong, "192.0.2.7").status, 401);
    }
    let limited = attempt(&client, &wrong, "192.0.2.7");
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    // The right secret gets through, as do other addresses and other clients.
    for _ in 0..10 {
        assert_eq!(attempt(&client, &client.auth(), "192.0.2.7").status, 200);
    }
    assert_eq!(attempt(&client, &wrong, "192.0.2.8").status, 401);
    assert_eq!(
        attempt(&other, &basic(&other.id.to_string(), "wrong"), "192.0.2.7").status,
        401
    );
    for path in [INTROSPECT, VALIDATE, REVOKE] {
        let request = server.request(Method::POST, path).auth(&wrong, &[("token", "x")]);
        assert_eq!(request.from("192.0.2.7".parse().unwrap()).send().status, 429, "{path}");
    }
}

/// wire.md 3.10: at least 64 KiB are taken, and there is an end.
#[test]
fn a_large_form_is_taken_and_a_huge_one_refused() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    let with = |size: usize| {
        let padding = "x".repeat(size);
        let mut params = CREDENTIALS.to_vec();
        params.push(("padding", &padding));
        client.post(TOKEN, &params).status
    };
    assert_eq!(with(70 * 1024), 200);
    assert_eq!(with(300 * 1024), 413);
}

/// A token that a form can hold but a database text cannot.
#[test]
fn the_null_character_and_bad_encodings_are_refused_not_an_error_of_the_server() {
    let server = TestServer::new();
    let client = server.client().confidential().create();
    for body in [
        "grant_type=%00",
        "scope=a%00b&grant_type=client_credentials",
        "grant_type=%FF%FE",
        "=&=&&&",
        "%",
    ] {
        let request = server.request(Method::POST, TOKEN).authorization(&client.auth());
        let answer = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send();
        assert!(answer.status.is_client_error(), "{body}: {}", answer.summary());
    }
}
