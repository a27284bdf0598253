//! Each method sends what wire.md section 2 says and reads what is recorded there.

use portolan_sdk::documents::{ClientType, Visibility};
use portolan_sdk::{
    AccessTokenAuthorizer, AuthClient, ClientRequest, ClientSelector, DependentScope, DependentTokenRequest, Error,
    GrantKind, IdentityLookup, IdentityProviderLookup, IntrospectionRequest, PolicyRequest, ProjectRequest,
    ScopeLookup, ScopeRequest, Token,
};
use serde_json::{Value, json};

use crate::support::{Answer, CLIENT, NOW, PERSON, Server, token};

const ID: &str = "0f7b2c51-30f2-4a0e-8a3e-6f2f9d1f7c11";

fn client(server: &Server) -> AuthClient {
    AuthClient::with_options(AccessTokenAuthorizer::new("Ag"), server.options()).unwrap()
}

fn identity() -> Value {
    json!({"id": PERSON, "username": "rdoe@example.edu", "name": "Robin Doe", "organization": null,
        "email": null, "status": "used", "identity_provider": ID, "identity_type": "login"})
}

fn project() -> Value {
    json!({"id": ID, "display_name": "P", "project_name": "P", "contact_email": "p@example.org", "admin_ids": [PERSON],
        "admin_group_ids": null, "admins": {"identities": [identity()], "groups": []}})
}

fn policy() -> Value {
    json!({"id": ID, "project_id": ID, "display_name": "Campus", "description": "d", "high_assurance": true,
        "authentication_assurance_timeout": 1800, "required_mfa": false, "domain_constraints_include": ["example.edu"],
        "domain_constraints_exclude": null})
}

fn client_record() -> Value {
    json!({"id": CLIENT, "name": "Portal", "project": ID, "parent_client": null, "public_client": false,
        "client_type": "confidential_client", "grant_types": ["authorization_code"], "visibility": "private",
        "redirect_uris": [], "links": {"privacy_policy": null, "terms_and_conditions": null}, "required_idp": null,
        "preselect_idp": null, "scopes": [], "fqdns": []})
}

fn credential(secret: Value) -> Value {
    json!({"id": ID, "client": CLIENT, "name": "deploy", "created": "2026-02-03T09:15:27.104882+00:00", "secret": secret})
}

fn scope() -> Value {
    json!({"id": ID, "client": CLIENT, "scope_string": "https://auth.globus.org/scopes/x/run", "name": "Run",
        "description": "d", "advertised": false, "allows_refresh_token": true, "required_domains": [],
        "dependent_scopes": [{"scope": ID, "optional": false, "requires_refresh_token": true}]})
}

fn sent(server: &Server) -> (String, String, Value) {
    let last = server.last();
    let body = if last.body.is_empty() { Value::Null } else { last.json() };
    (last.method, last.path, body)
}

#[tokio::test]
async fn projects_are_listed_made_changed_and_deleted() {
    let server = Server::start().await;
    let path = format!("/v2/api/projects/{ID}");
    server.answer(
        "/v2/api/projects",
        json!({"projects": [project()], "project": project()}),
    );
    server.answer(&path, json!({"project": project()}));
    let client = client(&server);
    let id = ID.parse().unwrap();

    let projects = client.get_projects().await.unwrap();
    assert_eq!((projects.len(), projects[0].display_name.as_str()), (1, "P"));
    assert_eq!((&projects).into_iter().count() + projects.into_iter().count(), 2);
    client.get_project(id).await.unwrap();
    assert_eq!(sent(&server), ("GET".into(), path.clone(), Value::Null));

    let request = ProjectRequest::new("P", "p@example.org").admin_ids([PERSON.parse().unwrap()]);
    client.create_project(request).await.unwrap();
    let body = json!({"project": {"display_name": "P", "contact_email": "p@example.org", "admin_ids": [PERSON]}});
    assert_eq!(sent(&server), ("POST".into(), "/v2/api/projects".into(), body));

    let changes = ProjectRequest::changes().admin_group_ids([ID.parse().unwrap()]);
    client.update_project(id, changes).await.unwrap();
    assert_eq!(
        sent(&server),
        (
            "PUT".into(),
            path.clone(),
            json!({"project": {"admin_group_ids": [ID]}})
        )
    );

    client.delete_project(id).await.unwrap();
    assert_eq!(sent(&server), ("DELETE".into(), path, Value::Null));
}

#[tokio::test]
async fn policies_tell_null_from_what_is_not_said() {
    let server = Server::start().await;
    let path = format!("/v2/api/policies/{ID}");
    server.answer("/v2/api/policies", json!({"policies": [policy()], "policy": policy()}));
    server.answer(&path, json!({"policy": policy()}));
    let client = client(&server);
    let id = ID.parse().unwrap();

    assert_eq!(
        client.get_policies().await.unwrap()[0].authentication_assurance_timeout,
        Some(1800)
    );
    assert!(client.get_policy(id).await.unwrap().high_assurance);

    let request = PolicyRequest::new(ID.parse().unwrap(), "Campus", "d")
        .high_assurance(true)
        .authentication_assurance_timeout(1800)
        .required_mfa(false)
        .domain_constraints_include(Some(["example.edu"]))
        .domain_constraints_exclude(None::<[&str; 0]>);
    client.create_policy(request).await.unwrap();
    let body = json!({"policy": {"project_id": ID, "display_name": "Campus", "description": "d", "high_assurance": true,
        "authentication_assurance_timeout": 1800, "required_mfa": false,
        "domain_constraints_include": ["example.edu"], "domain_constraints_exclude": null}});
    assert_eq!(sent(&server), ("POST".into(), "/v2/api/policies".into(), body));

    let changes = PolicyRequest::changes().domain_constraints_include(None::<[&str; 0]>);
    client.update_policy(id, changes).await.unwrap();
    let body = json!({"policy": {"domain_constraints_include": null}});
    assert_eq!(sent(&server), ("PUT".into(), path.clone(), body));
    client.delete_policy(id).await.unwrap();
    assert_eq!(sent(&server), ("DELETE".into(), path, Value::Null));
}

#[tokio::test]
async fn clients_are_found_made_changed_and_deleted() {
    let server = Server::start().await;
    let path = format!("/v2/api/clients/{CLIENT}");
    server.answer(
        "/v2/api/clients",
        json!({"clients": [client_record()], "client": client_record()}),
    );
    server.answer(&path, json!({"client": client_record()}));
    let client = client(&server);
    let id = CLIENT.parse::<portolan_sdk::ClientId>().unwrap();

    assert_eq!(
        client.get_clients().await.unwrap()[0].client_type,
        ClientType::Confidential
    );
    assert_eq!(client.get_client(id).await.unwrap().visibility, Visibility::Private);
    client.get_client(ClientSelector::Fqdn("a.org".into())).await.unwrap();
    assert_eq!(server.last().query, [("fqdn".to_owned(), "a.org".to_owned())]);

    let request = ClientRequest::new("Portal", ClientType::Confidential)
        .project(ID.parse().unwrap())
        .visibility(Visibility::Public)
        .redirect_uris(["https://a.org/cb"])
        .links("https://a.org/t", "https://a.org/p")
        .required_idp(Some(ID.parse().unwrap()))
        .preselect_idp(None)
        .additional_field("note", "x");
    client.create_client(request).await.unwrap();
    let body = json!({"client": {"name": "Portal", "project": ID, "client_type": "confidential_client",
        "visibility": "public", "redirect_uris": ["https://a.org/cb"], "required_idp": ID, "preselect_idp": null,
        "links": {"terms_and_conditions": "https://a.org/t", "privacy_policy": "https://a.org/p"}, "note": "x"}});
    assert_eq!(sent(&server), ("POST".into(), "/v2/api/clients".into(), body));
    let error = client.create_client(ClientRequest::with_public_client("x", true)).await;
    assert!(matches!(error, Err(Error::Usage(_))));

    client
        .update_client(id, ClientRequest::changes().name("z").without_links())
        .await
        .unwrap();
    let body = json!({"client": {"name": "z", "links": {"terms_and_conditions": null, "privacy_policy": null}}});
    assert_eq!(sent(&server), ("PUT".into(), path.clone(), body));
    client.delete_client(id).await.unwrap();
    assert_eq!(sent(&server), ("DELETE".into(), path, Value::Null));
}

#[tokio::test]
async fn credentials_show_their_secret_once() {
    let server = Server::start().await;
    let path = format!("/v2/api/clients/{CLIENT}/credentials");
    server.answer(
        &path,
        json!({"credentials": [credential(Value::Null)], "credential": credential(json!("s3cret"))}),
    );
    server.answer(&format!("{path}/{ID}"), json!({"credential": credential(Value::Null)}));
    let client = client(&server);
    let id = CLIENT.parse().unwrap();

    assert_eq!(client.get_client_credentials(id).await.unwrap()[0].secret, None);
    let made = client.create_client_credential(id, "deploy").await.unwrap();
    assert_eq!(made.secret.as_ref().unwrap().expose(), "s3cret");
    assert!(!format!("{made:?}").contains("s3cret"));
    assert_eq!(
        sent(&server),
        ("POST".into(), path.clone(), json!({"credential": {"name": "deploy"}}))
    );
    client.delete_client_credential(id, ID.parse().unwrap()).await.unwrap();
    assert_eq!(sent(&server), ("DELETE".into(), format!("{path}/{ID}"), Value::Null));
}

#[tokio::test]
async fn scopes_are_looked_up_made_changed_and_deleted() {
    let server = Server::start().await;
    let path = format!("/v2/api/scopes/{ID}");
    server.answer("/v2/api/scopes", json!({"scopes": [scope()]}));
    server.answer(&path, json!({"scope": scope()}));
    let client = client(&server);
    let id = ID.parse().unwrap();

    for (lookup, query) in [
        (ScopeLookup::all(), vec![]),
        (
            ScopeLookup::ids([ID, ID]),
            vec![("ids".to_owned(), format!("{ID},{ID}"))],
        ),
        (
            ScopeLookup::scope_strings(["a", "b"]).param("x", 1),
            vec![
                ("scope_strings".to_owned(), "a,b".to_owned()),
                ("x".to_owned(), "1".to_owned()),
            ],
        ),
    ] {
        assert_eq!(client.get_scopes(lookup).await.unwrap().len(), 1);
        assert_eq!(server.last().query, query);
    }
    assert_eq!(client.get_scope(id).await.unwrap().name, "Run");

    let made = format!("/v2/api/clients/{CLIENT}/scopes");
    let request = ScopeRequest::new("Run", "d", "run")
        .advertised(true)
        .allows_refresh_token(false)
        .required_domains(["a.org"])
        .dependent_scopes([DependentScope::new(ID.parse().unwrap())
            .optional(true)
            .requires_refresh_token(true)]);
    for answer in [
        json!({"scopes": [scope()]}),
        json!({"scope": scope()}),
        json!({"scopes": [scope()], "scope": scope()}),
    ] {
        server.answer(&made, answer);
        let answer = client
            .create_scope(CLIENT.parse().unwrap(), request.clone())
            .await
            .unwrap();
        assert_eq!((answer.scopes.len(), answer.scope.name.as_str()), (1, "Run"));
    }
    let body = json!({"scope": {"name": "Run", "description": "d", "scope_suffix": "run", "advertised": true,
        "allows_refresh_token": false, "required_domains": ["a.org"],
        "dependent_scopes": [{"scope": ID, "optional": true, "requires_refresh_token": true}]}});
    assert_eq!(sent(&server), ("POST".into(), made, body));

    client
        .update_scope(id, ScopeRequest::changes().scope_suffix("go"))
        .await
        .unwrap();
    assert_eq!(
        sent(&server),
        ("PUT".into(), path.clone(), json!({"scope": {"scope_suffix": "go"}}))
    );
    client.delete_scope(id).await.unwrap();
    assert_eq!(sent(&server), ("DELETE".into(), path, Value::Null));
}

#[tokio::test]
async fn people_and_providers_are_looked_up() {
    let server = Server::start().await;
    server.answer("/v2/api/identities", json!({"identities": [identity()]}));
    let provider = json!({"id": ID, "name": "E", "short_name": "e", "domains": ["example.edu"]});
    server.answer("/v2/api/identity_providers", json!({"identity_providers": [provider]}));
    server.answer(
        "/v2/oauth2/userinfo",
        json!({"sub": PERSON, "preferred_username": "rdoe@example.edu",
        "identity_set": [{"sub": PERSON, "username": "rdoe@example.edu", "last_authentication": null}]}),
    );
    let client = client(&server);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());

    for (lookup, query) in [
        (IdentityLookup::ids([PERSON]).provision(true), vec![pair("ids", PERSON)]),
        (
            IdentityLookup::usernames(["a@x.org", "b+c@x.org"]).include_identity_provider(),
            vec![
                pair("usernames", "a@x.org,b+c@x.org"),
                pair("provision", "false"),
                pair("include", "identity_provider"),
            ],
        ),
        (
            IdentityLookup::usernames(["a@x.org"]).provision(true),
            vec![pair("usernames", "a@x.org"), pair("provision", "true")],
        ),
    ] {
        let found = client.get_identities(lookup).await.unwrap();
        assert_eq!(found.identities[0].username, "rdoe@example.edu");
        assert_eq!(server.last().query, query);
    }
    for (lookup, query) in [
        (IdentityProviderLookup::domains(["a", "b"]), pair("domains", "a,b")),
        (IdentityProviderLookup::ids([ID]), pair("ids", ID)),
    ] {
        assert_eq!(client.get_identity_providers(lookup).await.unwrap()[0].name, "E");
        assert_eq!(server.last().query, [query]);
    }
    let person = client.userinfo().await.unwrap();
    assert_eq!(person.identity_set.as_ref().unwrap()[0].sub, person.sub);
}

#[tokio::test]
async fn consents_are_those_of_the_token_unless_somebody_is_named() {
    let server = Server::start().await;
    let time = "2026-02-03T09:15:27.104882+00:00";
    let consent = json!({"id": 7, "client": CLIENT, "scope": ID, "scope_name": "a", "effective_identity": PERSON,
        "dependency_path": [7], "status": "approved", "allows_refresh": true, "auto_approved": false,
        "atomically_revocable": false, "created": time, "updated": time, "last_used": time});
    server.answer("/v2/oauth2/userinfo", json!({"sub": PERSON}));
    let path = format!("/v2/api/identities/{PERSON}/consents");
    server.answer(&path, json!({"consents": [&consent]}));
    let client = client(&server);

    let own = client.get_consents(None, true).await.unwrap();
    assert_eq!((own.len(), own.to_forest().unwrap().trees().len()), (1, 1));
    assert_eq!(server.last().query, [("all".to_owned(), "true".to_owned())]);
    assert_eq!(server.requests("/v2/oauth2/userinfo").len(), 1);
    client
        .get_consents(PERSON.parse::<portolan_sdk::IdentityId>().unwrap(), false)
        .await
        .unwrap();
    assert_eq!(server.requests("/v2/oauth2/userinfo").len(), 1);

    server.answer(&format!("{path}/7"), json!({"consent": consent}));
    let person = PERSON.parse::<portolan_sdk::IdentityId>().unwrap();
    let gone = client.revoke_consent(person, portolan_sdk::ConsentId(7)).await.unwrap();
    assert_eq!(
        (gone.scope_name.as_str(), server.last().method.as_str()),
        ("a", "DELETE")
    );

    server.answer(&path, json!({"consents": [{"id": 7}]}));
    let error = client.get_consents(None, false).await.unwrap_err();
    assert!(
        matches!(&error, Error::Decode { reason, .. } if reason.contains("client")),
        "{error}"
    );
}

#[tokio::test]
async fn discovery_and_keys_are_fetched_without_a_token() {
    let server = Server::start().await;
    server.discovery();
    server.answer("/jwk.json", json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}));
    let client = client(&server);

    let configuration = client.get_openid_configuration().await.unwrap();
    assert_eq!(configuration.extra["scopes_supported"], json!(["openid"]));
    assert_eq!(server.last().authorization(), None);
    let keys = client.get_jwk().await.unwrap();
    assert!(keys.first_as_pem().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert_eq!(server.last().authorization(), None);
    assert_eq!(server.confidential().get_jwk().await.unwrap().keys.len(), 1);
    assert!(server.native().get_openid_configuration().await.is_ok());
}

#[tokio::test]
async fn tokens_are_found_by_resource_server_and_by_scope() {
    let server = Server::start().await;
    let mut document = token("auth.globus.org", "openid email", "A");
    document["id_token"] = json!("x.y.z");
    let mut groups = token("groups.api.globus.org", "g:all g:view", "G");
    groups["refresh_token"] = json!("R");
    groups.as_object_mut().unwrap().remove("expires_in");
    document["other_tokens"] = json!([groups]);
    server.answer("/v2/oauth2/token", document);

    let response = server
        .confidential()
        .client_credentials_tokens(["openid", "g:all"])
        .await
        .unwrap();

    assert_eq!(response.kind(), GrantKind::ClientCredentials);
    let groups = &response.by_resource_server()["groups.api.globus.org"];
    assert_eq!((groups.access_token.expose(), groups.expires_at_seconds), ("G", NOW));
    assert_eq!(groups.refresh_token.as_ref().unwrap().expose(), "R");
    assert_eq!(response.tokens().next().unwrap().expires_at_seconds, NOW + 172_800);
    let by_scopes = response.by_scopes();
    let found: &Token = by_scopes.get("email openid").unwrap();
    assert_eq!(found.access_token.expose(), "A");
    assert!(by_scopes.contains("g:view") && !by_scopes.contains("openid g:all") && !by_scopes.contains("z"));
    assert!(by_scopes.get("").is_err());
    assert_eq!(by_scopes.matching("openid g:all z").unwrap().len(), 2);
    assert_eq!(
        by_scopes.iter().collect::<Vec<_>>(),
        ["openid", "email", "g:all", "g:view"]
    );
    assert_eq!(response.id_token().unwrap().expose(), "x.y.z");
    assert!(!format!("{response:?} {:?}", response.response().status()).contains("x.y.z"));
    assert_eq!(server.last().field("scope").unwrap(), "openid g:all");
}

#[tokio::test]
async fn token_documents_that_lack_something_are_refused() {
    let server = Server::start().await;
    for document in [
        json!([]),
        json!("x"),
        json!({"access_token": "a", "scope": "s"}),
        json!({"other_tokens": []}),
    ] {
        server.answer("/v2/oauth2/token", document.clone());
        let error = server.native().refresh_token("R").await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{document}");
    }
}

#[tokio::test]
async fn dependent_tokens_come_as_a_list() {
    let server = Server::start().await;
    server.answer("/v2/oauth2/token", json!([token("groups.api.globus.org", "g", "G")]));
    let app = server.confidential();

    let request = DependentTokenRequest::new("T")
        .refresh_tokens(true)
        .scopes(["a", "b"])
        .unwrap()
        .param("x", 1);
    let response = app.dependent_tokens(request).await.unwrap();

    assert_eq!(
        (response.kind(), response.tokens().count()),
        (GrantKind::DependentToken, 1)
    );
    let fields = [
        ("grant_type", "urn:globus:auth:grant_type:dependent_token"),
        ("token", "T"),
        ("access_type", "offline"),
        ("scope", "a b"),
        ("x", "1"),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(server.last().form(), fields);
    let decoder = portolan_sdk::IdTokenDecoder::new(&app);
    assert!(matches!(response.decode_id_token(&decoder).await, Err(Error::Usage(_))));
    server.answer("/v2/oauth2/token", json!([]));
    let response = app.dependent_tokens(DependentTokenRequest::new("T")).await.unwrap();
    assert_eq!(response.tokens().count(), 0);
    assert_eq!(
        app.token(&[("grant_type", "x")]).await.unwrap().kind(),
        GrantKind::DependentToken
    );
}

#[tokio::test]
async fn introspection_reads_all_that_is_recorded_and_little_as_well() {
    let server = Server::start().await;
    server.answer("/v2/oauth2/token/introspect", json!({
        "active": true, "token_type": "Bearer", "scope": "a b", "client_id": CLIENT, "sub": PERSON,
        "username": "rdoe@example.edu", "name": null, "email": null, "aud": ["auth.globus.org", CLIENT],
        "iss": "https://auth.example.org", "exp": NOW + 10, "iat": NOW, "nbf": NOW, "dependent_tokens_cache_id": "af",
        "identity_set": [PERSON], "identity_set_detail": [{"sub": PERSON}],
        "session_info": {"session_id": "s", "authentications": {PERSON: {"idp": ID, "auth_time": NOW, "acr": null, "amr": null,
            "custom_claims": {}}}},
        "policy_evaluations": {ID: {"evaluation": true}}, "more": 1
    }));
    let app = server.confidential();

    let request = IntrospectionRequest::new("T")
        .include_identity_set()
        .include_identity_set_detail()
        .include_session_info()
        .authentication_policies([ID.parse().unwrap()]);
    let token = app.introspect(request).await.unwrap();

    assert!(token.active && token.has_scope("b") && !token.has_scope("c"));
    assert_eq!(token.identity_set.as_ref().unwrap()[0].to_string(), PERSON);
    assert_eq!(token.session_info.as_ref().unwrap().authentications.len(), 1);
    assert!(
        token
            .policy_evaluations
            .as_ref()
            .unwrap()
            .values()
            .all(|policy| policy.evaluation)
    );
    assert_eq!(token.extra["more"], 1);
    let last = server.last();
    assert_eq!(
        last.field("include").unwrap(),
        "identity_set,identity_set_detail,session_info"
    );
    assert_eq!(last.field("authentication_policies").unwrap(), ID);
    assert!(last.authorization().unwrap().starts_with("Basic "));

    server.answer("/v2/oauth2/token/introspect", json!({"active": false}));
    assert!(!app.introspect("T").await.unwrap().has_scope("a"));
}

#[tokio::test]
async fn tokens_are_validated_and_revoked() {
    let server = Server::start().await;
    server.answer("/v2/oauth2/token/validate", json!({"active": true}));
    server.answer("/v2/oauth2/token/revoke", json!({"active": false}));

    assert!(server.native().validate_token("T").await.unwrap().active);
    assert_eq!(
        server.last().form(),
        [("client_id".into(), CLIENT.into()), ("token".into(), "T".into())]
    );
    assert!(!server.confidential().revoke_token("T").await.unwrap().active);
    assert_eq!(server.last().form(), [("token".into(), "T".into())]);
}

#[tokio::test]
async fn instances_and_children_come_with_their_secret() {
    let server = Server::start().await;
    server.answer(
        "/v2/api/clients",
        json!({"client": client_record(),
        "included": {"client_credential": credential(json!("s3cret"))}}),
    );

    let made = server
        .native()
        .create_native_app_instance(CLIENT.parse().unwrap(), "mine")
        .await
        .unwrap();
    assert_eq!(
        made.credential.as_ref().unwrap().secret.as_ref().unwrap().expose(),
        "s3cret"
    );
    assert_eq!(server.last().authorization(), None);
    assert_eq!(
        server.last().json(),
        json!({"client": {"template_id": CLIENT, "name": "mine"}})
    );

    server.answer("/v2/api/clients", json!({"client": client_record()}));
    let app = server.confidential();
    let child = ClientRequest::new("kid", ClientType::PublicInstalled);
    assert_eq!(app.create_child_client(child.clone()).await.unwrap().credential, None);
    assert!(server.last().authorization().unwrap().starts_with("Basic "));
    let error = app
        .create_child_client(child.project(ID.parse().unwrap()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Usage(_)));
    server.answer("/v2/api/identities", json!({"identities": [identity()]}));
    assert_eq!(
        app.get_identities(IdentityLookup::ids([PERSON]))
            .await
            .unwrap()
            .identities
            .len(),
        1
    );
}

#[tokio::test]
async fn refusals_are_errors_with_all_that_was_said() {
    let server = Server::start().await;
    let document = json!({
        "errors": [{"status": "403", "id": "6f1c", "code": "FORBIDDEN", "title": "Forbidden", "detail": "Log in again"}],
        "error": "forbidden", "error_description": "Forbidden",
        "authorization_parameters": {"session_message": "Log in again", "session_required_policies": [ID]}
    });
    server.answers("/v2/api/projects", [Answer::json(403, document)]);

    let error = client(&server).get_projects().await.unwrap_err();

    let gare = error.gare().unwrap();
    assert_eq!(gare.code, "AuthorizationRequired");
    assert_eq!(gare.authorization_parameters.session_required_policies.unwrap(), [ID]);
    let api = error.api().unwrap();
    assert_eq!((api.code(), api.request_id()), (Some("FORBIDDEN"), Some("6f1c")));
    assert_eq!(
        api.authorization_parameters().unwrap()["session_message"],
        "Log in again"
    );
    assert!(
        error
            .to_string()
            .contains("/v2/api/projects: 403 (with Bearer) FORBIDDEN: Log in again"),
        "{error}"
    );
    server.answer("/v2/api/projects", json!({"other": []}));
    assert!(matches!(
        client(&server).get_projects().await,
        Err(Error::Decode { .. })
    ));
}
