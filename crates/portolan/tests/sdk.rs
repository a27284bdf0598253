//! The Rust SDK against the real program: on SQLite always, on PostgreSQL where one is named
//! by `PORTOLAN_TEST_POSTGRES_URL`. Whether the SDK does what it says is for its own tests; here
//! the server and it understand each other.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use portolan_sdk::documents::ClientType;
use portolan_sdk::resource_server::{Refusal, ResourceServer};
use portolan_sdk::scopes::{AuthScopes, GroupsScopes};
use portolan_sdk::storage::TokenStorage as _;
use portolan_sdk::{
    AccessTokenAuthorizer, AppConfig, AuthClient, ClientApp, ClientOptions, ClientRequest, ConfidentialAppAuthClient,
    DependentScope, EnvironmentVariables, Error, FlowError, FlowOptions, IdTokenDecoder, IdentityLookup, IdentityMap,
    NativeAppAuthClient, PolicyRequest, ProjectRequest, RefreshTokenAuthorizer, ScopeLookup, ScopeRequest, StorageKind,
    TokenResponse,
};
use support::{Browser, Connection, People, Place, Server};

const CALLBACK: &str = "http://127.0.0.1:18411";

struct Land {
    place: Place,
    people: People,
    _server: Server,
}

/// On each engine that there is. Places are made and removed outside of the runtime: they have
/// one of their own for that.
fn on_each(work: impl AsyncFn(&Land)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for land in lands() {
        runtime.block_on(work(&land));
    }
}

fn lands() -> Vec<Land> {
    let places = [Some(Place::on_sqlite()), Place::on_postgres()];
    let land = |place: Place| {
        let server = place.start();
        Land {
            people: place.populate(),
            place,
            _server: server,
        }
    };
    places.into_iter().flatten().map(land).collect()
}

impl Land {
    fn options(&self) -> ClientOptions {
        let address = format!("http://localhost:{}", self.place.port);
        ClientOptions::from_variables(EnvironmentVariables::default()).base_url(address)
    }

    fn program(&self) -> NativeAppAuthClient {
        NativeAppAuthClient::with_options(&self.people.program, self.options()).unwrap()
    }

    fn service(&self) -> ConfidentialAppAuthClient {
        let (id, secret) = (&self.people.service, &self.people.service_secret);
        ConfidentialAppAuthClient::with_options(id, secret, self.options()).unwrap()
    }

    fn client(&self, token: &str) -> AuthClient {
        AuthClient::with_options(AccessTokenAuthorizer::new(token), self.options()).unwrap()
    }

    /// Alice logs in to the program, in a browser that comes back to it.
    async fn log_in(&self, scopes: &str) -> TokenResponse {
        let options = FlowOptions::new(scopes)
            .unwrap()
            .redirect_uri(CALLBACK)
            .refresh_tokens(true);
        let flow = self.program().start_flow(options).unwrap();
        let address = flow.authorize_url();
        let mut connection = Connection::open(self.place.port).unwrap();
        let mut browser = Browser::new();
        let path = address
            .strip_prefix(&format!("http://localhost:{}", self.place.port))
            .unwrap();
        let answer = browser.send(&mut connection, path, None);
        let came_back = browser.come_back(&mut connection, answer, CALLBACK);
        let foreign = came_back.replace("state=", "state=x");
        let error = flow.complete(&foreign).await.unwrap_err();
        assert!(matches!(error, Error::Flow(FlowError::State)), "{error}");
        flow.complete(&came_back).await.unwrap()
    }
}

fn access(response: &TokenResponse, resource_server: &str) -> String {
    response.by_resource_server()[resource_server]
        .access_token
        .expose()
        .to_owned()
}

#[test]
fn a_service_account_works() {
    on_each(async |land| {
        let service = land.service();
        let response = service
            .client_credentials_tokens(["openid", "profile", "email"])
            .await
            .unwrap();
        let claims = response
            .decode_id_token(&IdTokenDecoder::new(&service).check_issuer())
            .await
            .unwrap();
        assert_eq!(claims.sub.to_string(), land.people.service);
        let token = access(&response, AuthClient::RESOURCE_SERVER);
        assert_eq!(
            land.client(&token).userinfo().await.unwrap().sub.to_string(),
            land.people.service
        );
        assert!(service.introspect(token.as_str()).await.unwrap().has_scope("openid"));

        service.revoke_token(&token).await.unwrap();
        assert!(!service.introspect(token.as_str()).await.unwrap().active);
        let error = land.client(&token).userinfo().await.unwrap_err();
        assert_eq!(
            (error.api().unwrap().status(), error.api().unwrap().code()),
            (401, Some("UNAUTHORIZED"))
        );
        assert!(error.api().unwrap().request_id().is_some());

        let config = AppConfig::with_options(land.options()).token_storage(StorageKind::Memory);
        let app = ClientApp::new("job", &land.people.service, &land.people.service_secret, config).unwrap();
        let client = app.auth_client("").unwrap();
        assert_eq!(client.userinfo().await.unwrap().sub.to_string(), land.people.service);
        app.logout(true).await.unwrap();
        assert!(app.token_storage().inner().all().unwrap().is_empty());
    });
}

#[test]
fn a_person_logs_in_and_is_looked_up() {
    on_each(async |land| {
        let response = land
            .log_in(&format!("openid profile email {}", GroupsScopes::ALL))
            .await;
        let claims = response
            .decode_id_token(&IdTokenDecoder::new(land.program()).check_issuer())
            .await
            .unwrap();
        let client = land.client(&access(&response, AuthClient::RESOURCE_SERVER));
        let person = client.userinfo().await.unwrap();
        assert_eq!(claims.sub.to_string(), person.sub.to_string());
        assert!(response.by_scopes().contains(GroupsScopes::ALL));

        let username = person.preferred_username.clone().unwrap();
        let found = client
            .get_identities(IdentityLookup::usernames([&username]))
            .await
            .unwrap();
        assert_eq!(found.identities[0].id, claims.sub);
        let mut people = IdentityMap::new(client.clone());
        people.extend([land.people.service.as_str()]);
        assert_eq!(people.get(&username).await.unwrap().unwrap().id, claims.sub);
        assert!(people.get(&land.people.service).await.unwrap().is_some());
        assert!(people.get("nobody@nowhere.example").await.unwrap().is_none());

        let forest = client.get_consents(None, false).await.unwrap().to_forest().unwrap();
        assert!(forest.meets_scope_requirements(["openid", GroupsScopes::ALL]).unwrap());
        assert!(!forest.meets_scope_requirements(AuthScopes::MANAGE_PROJECTS).unwrap());
        let error = client.get_consents(None, true).await.unwrap_err();
        assert_eq!(error.api().unwrap().status(), 403);
    });
}

#[test]
fn refresh_tokens_rotate_and_end() {
    on_each(async |land| {
        let response = land.log_in("openid").await;
        let program = land.program();
        let first = response.tokens().next().unwrap().refresh_token.clone().unwrap();
        assert!(program.validate_token(first.expose()).await.unwrap().active);
        let authorizer = RefreshTokenAuthorizer::new(first.expose(), &program);
        let token = authorizer.ensure_valid_token().await.unwrap();
        assert!(land.client(token.expose()).userinfo().await.is_ok());
        let second = authorizer.refresh_token().await.unwrap();
        assert_ne!(first.expose(), second.expose(), "those of public clients rotate");

        program.revoke_token(second.expose()).await.unwrap();
        let error = program.refresh_token(second.expose()).await.unwrap_err();
        assert_eq!(error.api().unwrap().oauth_error(), Some("invalid_grant"));
        assert!(!program.validate_token(second.expose()).await.unwrap().active);
    });
}

#[test]
fn a_developer_makes_a_service_and_the_service_lets_people_in() {
    on_each(async |land| {
        let response = land.log_in(&format!("openid {}", AuthScopes::MANAGE_PROJECTS)).await;
        let developer = land.client(&access(&response, AuthClient::RESOURCE_SERVER));
        let me = developer.userinfo().await.unwrap().sub.into();

        let project = developer
            .create_project(ProjectRequest::new("Lab", "lab@example.org").admin_ids([me]))
            .await
            .unwrap();
        let changes = ProjectRequest::changes().display_name("Laboratory");
        assert_eq!(
            developer
                .update_project(project.id, changes)
                .await
                .unwrap()
                .display_name,
            "Laboratory"
        );
        assert!(
            developer
                .get_projects()
                .await
                .unwrap()
                .iter()
                .any(|known| known.id == project.id)
        );
        let policy =
            PolicyRequest::new(project.id, "Campus", "Campus only").domain_constraints_include(Some(["example.edu"]));
        let policy = developer.create_policy(policy).await.unwrap();
        let lifted = PolicyRequest::changes().domain_constraints_include(None::<[&str; 0]>);
        assert_eq!(
            developer
                .update_policy(policy.id, lifted)
                .await
                .unwrap()
                .domain_constraints_include,
            None
        );
        assert_eq!(developer.get_policies().await.unwrap().len(), 1);

        let request = ClientRequest::new("Beamline", ClientType::ResourceServer).project(project.id);
        let service = developer.create_client(request).await.unwrap();
        let credential = developer.create_client_credential(service.id, "test").await.unwrap();
        let secret = credential.secret.as_ref().unwrap().expose();
        assert_eq!(
            developer.get_client_credentials(service.id).await.unwrap()[0].secret,
            None
        );
        let groups = [GroupsScopes::VIEW_MY_GROUPS_AND_MEMBERSHIPS];
        let groups = developer.get_scopes(ScopeLookup::scope_strings(groups)).await.unwrap()[0].id;
        let request = ScopeRequest::new("Run", "Runs it", "run")
            .dependent_scopes([DependentScope::new(groups)])
            .advertised(true);
        let scope = developer
            .create_scope(service.id, request)
            .await
            .unwrap()
            .scope
            .scope_string
            .clone();

        let response = land.log_in(&format!("openid {scope}")).await;
        let token = response.by_scopes().get(&scope).unwrap().access_token.clone();
        let client = ConfidentialAppAuthClient::with_options(service.id.to_string(), secret, land.options()).unwrap();
        let guard = ResourceServer::new(client).require_scope(&scope).include_identity_set();
        let caller = guard.check(token.expose()).await.unwrap();
        assert_eq!(caller.identity(), Some(me));
        let tokens = caller.dependent_tokens().await.unwrap();
        assert!(tokens.by_resource_server().contains_key(GroupsScopes::RESOURCE_SERVER));
        let other = access(&response, AuthClient::RESOURCE_SERVER);
        assert!(
            matches!(guard.check(&other).await, Err(Refusal::Inactive)),
            "it is for another service"
        );
        land.program().revoke_token(token.expose()).await.unwrap();
        assert!(matches!(guard.check(token.expose()).await, Err(Refusal::Inactive)));

        developer.delete_client(service.id).await.unwrap();
        developer.delete_policy(policy.id).await.unwrap();
        developer.delete_project(project.id).await.unwrap();
        let error = developer.get_project(project.id).await.unwrap_err();
        assert_eq!(error.api().unwrap().code(), Some("PROJECT_NOT_FOUND"));
    });
}
