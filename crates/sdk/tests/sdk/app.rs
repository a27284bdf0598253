//! Apps: when they log in, what they ask for, and what they keep.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portolan_sdk::storage::{MemoryTokenStorage, TokenStorage, TokenValidationError};
use portolan_sdk::{
    AppConfig, AuthorizationParameters, BoxFuture, ClientApp, CommandLineLogin, Error, LocalServerLogin, Login,
    LoginFlow, OnInvalidTokens, Request, Result, StorageKind, Terminal, TokenResponse, UserApp,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::id_token::{Signer, claims};
use crate::support::{Answer, CLIENT, PERSON, Server, token};

const GROUPS: &str = "groups.api.globus.org";

/// Notes what was asked for, and redeems a code.
#[derive(Clone, Default)]
struct Logins(Arc<Mutex<Vec<Login>>>);

impl LoginFlow for Logins {
    fn run(&self, login: Login) -> BoxFuture<'_, Result<TokenResponse>> {
        self.0.lock().unwrap().push(login.clone());
        Box::pin(async move { login.start("http://localhost:1")?.0.exchange_code("C").await })
    }
}

impl Logins {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn last_scopes(&self) -> Vec<String> {
        let logins = self.0.lock().unwrap();
        let mut scopes: Vec<String> = logins.last().unwrap().scopes.iter().map(ToString::to_string).collect();
        scopes.sort();
        scopes
    }
}

/// A server whose tokens are for Alice, and allow what was asked for.
async fn server() -> Server {
    let server = Server::start().await;
    let signer = Signer::new("1");
    server.discovery().answer("/jwk.json", json!({"keys": [signer.jwk]}));
    let mut document = token("auth.globus.org", "openid profile email", "A");
    document["id_token"] = json!(signer.sign(&claims(&server), None));
    document["refresh_token"] = json!("Ra");
    let mut groups = token(GROUPS, "g extra", "G");
    groups["refresh_token"] = json!("Rg");
    document["other_tokens"] = json!([groups]);
    server.answer("/v2/oauth2/token", document);
    server.answer("/v2/oauth2/token/revoke", json!({"active": false}));
    server.answer("/v2/oauth2/userinfo", json!({"sub": PERSON}));
    server
}

fn config(server: &Server) -> AppConfig {
    AppConfig::with_options(server.options()).token_storage(StorageKind::Memory)
}

fn app(server: &Server, logins: &Logins) -> UserApp {
    UserApp::new("test", CLIENT, config(server).login_flow(logins.clone())).unwrap()
}

#[tokio::test]
async fn an_app_logs_in_once_and_for_all_that_it_needs() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    assert_eq!(app.scope_requirements().len(), 1, "openid says who logged in");
    app.add_scope_requirements(GROUPS, "g").unwrap();
    let client = app.auth_client("").unwrap();

    assert!(app.login_required().await.unwrap());
    client.userinfo().await.unwrap();
    client.userinfo().await.unwrap();
    app.login(None, false).await.unwrap();

    assert_eq!(logins.count(), 1);
    assert_eq!(logins.last_scopes(), ["email", "g", "openid", "profile"]);
    assert_eq!(server.last().authorization(), Some("Bearer A"));
    assert!(!app.login_required().await.unwrap());
    let header = app
        .get_authorizer(GROUPS)
        .await
        .unwrap()
        .authorization()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(header, "Bearer G");
    assert_eq!(app.token_storage().identity_id().as_deref(), Some(PERSON));
    assert!(logins.0.lock().unwrap()[0].label.starts_with("test"));
}

#[tokio::test]
async fn new_needs_force_and_demands_log_in_again() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    app.login(None, false).await.unwrap();
    app.login(None, true).await.unwrap();
    assert_eq!(logins.count(), 2);

    let parameters = AuthorizationParameters {
        required_scopes: Some(vec!["extra".to_owned()]),
        session_required_mfa: Some(true),
        ..AuthorizationParameters::default()
    };
    app.login(Some(parameters), false).await.unwrap();
    assert_eq!(logins.last_scopes(), ["extra", "openid"]);
    assert_eq!(logins.0.lock().unwrap()[2].parameters.session_required_mfa, Some(true));

    app.add_scope_requirements(GROUPS, "g unknown").unwrap();
    assert!(app.login_required().await.unwrap());
    let error = app.get_authorizer(GROUPS).await.unwrap_err();
    assert!(
        error.to_string().contains("these scopes did not arrive: unknown"),
        "{error}"
    );
}

#[tokio::test]
async fn tokens_that_end_are_renewed_or_fetched_by_a_login() {
    let server = server().await;
    let logins = Logins::default();
    let short = app(&server, &logins);
    let client = short.auth_client("").unwrap();
    client.userinfo().await.unwrap();
    server.clock.advance(200_000);
    // The ID token of the test would have ended, too.
    let decoder = portolan_sdk::IdTokenDecoder::new(server.native()).ignore_times();
    assert!(short.login_required().await.unwrap());

    let long = config(&server)
        .login_flow(logins.clone())
        .request_refresh_tokens(true)
        .id_token_decoder(decoder);
    let long = UserApp::new("test", CLIENT, long).unwrap();
    let client = long.auth_client("").unwrap();
    client.userinfo().await.unwrap();
    assert_eq!(logins.count(), 2);
    let mut renewed = token("auth.globus.org", "openid profile email", "A2");
    renewed["refresh_token"] = json!("Ra2");
    server.answer("/v2/oauth2/token", renewed);
    server.clock.advance(200_000);
    client.userinfo().await.unwrap();

    assert_eq!((logins.count(), server.last().authorization()), (2, Some("Bearer A2")));
    let stored = long.token_storage().inner().get("auth.globus.org").unwrap().unwrap();
    assert_eq!(stored.refresh_token.unwrap().expose(), "Ra2");
    assert_eq!(stored.identity_id.as_deref(), Some(PERSON));
}

#[tokio::test]
async fn callers_at_once_share_one_login() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    let client = app.auth_client("").unwrap();

    let callers: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.userinfo().await.map(|person| person.sub) })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }

    assert_eq!(logins.count(), 1);
}

#[tokio::test]
async fn dependencies_are_compared_with_consents() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    app.add_scope_requirements(GROUPS, "g[data]").unwrap();
    let path = format!("/v2/api/identities/{PERSON}/consents");
    let time = "2026-02-03T09:15:27.104882+00:00";
    let consent = |path: &[i64], name: &str| {
        json!({"id": path.last(), "client": CLIENT, "scope": CLIENT, "scope_name": name, "effective_identity": PERSON,
            "dependency_path": path, "status": "approved", "allows_refresh": true, "auto_approved": false,
            "atomically_revocable": false, "created": time, "updated": time, "last_used": time})
    };
    server.answer(&path, json!({"consents": [consent(&[1], "g")]}));

    let error = app.get_authorizer(GROUPS).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TokenValidation(TokenValidationError::UnmetScopeRequirements { .. })
        ),
        "{error}"
    );
    assert_eq!(
        (logins.count(), logins.last_scopes()),
        (1, vec!["g[data]".to_owned(), "openid".to_owned()])
    );

    server.answer(
        &path,
        json!({"consents": [consent(&[1], "g"), consent(&[1, 2], "data")]}),
    );
    app.get_authorizer(GROUPS).await.unwrap();
    let asked = server.requests(&path).len();
    app.get_authorizer(GROUPS).await.unwrap();
    assert_eq!((logins.count(), server.requests(&path).len()), (1, asked));
    assert_eq!(server.requests(&path)[0].authorization(), Some("Bearer A"));
}

#[tokio::test]
async fn somebody_else_is_not_taken_for_the_person_before() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    app.login(None, false).await.unwrap();
    let signer = Signer::new("2");
    server.answer("/jwk.json", json!({"keys": [signer.jwk]}));
    let mut other = claims(&server);
    other["sub"] = json!(CLIENT);
    let mut document = token("auth.globus.org", "openid", "B");
    document["id_token"] = json!(signer.sign(&other, Some("2")));
    server.answer("/v2/oauth2/token", document);

    let error = app.login(None, true).await.unwrap_err();

    assert!(
        matches!(
            error,
            Error::TokenValidation(TokenValidationError::IdentityMismatch { .. })
        ),
        "{error}"
    );
    let stored = app.token_storage().inner().get("auth.globus.org").unwrap().unwrap();
    assert_eq!(stored.access_token.expose(), "A");
    app.logout(true).await.unwrap();
    app.login(None, true).await.unwrap();
    assert_eq!(app.token_storage().identity_id().as_deref(), Some(CLIENT));
}

#[tokio::test]
async fn a_logout_revokes_and_forgets() {
    let server = server().await;
    let logins = Logins::default();
    let app = app(&server, &logins);
    app.login(None, false).await.unwrap();

    app.logout(false).await.unwrap();
    let revoked = |server: &Server| -> Vec<String> {
        let requests = server.requests("/v2/oauth2/token/revoke");
        requests.iter().map(|request| request.field("token").unwrap()).collect()
    };
    assert_eq!(revoked(&server), ["A", "Ra"]);
    assert_eq!(
        app.token_storage().inner().all().unwrap().len(),
        1,
        "Groups is not needed and stays"
    );
    app.logout(true).await.unwrap();
    assert_eq!(revoked(&server), ["A", "Ra", "G", "Rg"]);
    assert!(app.login_required().await.unwrap());
}

#[tokio::test]
async fn invalid_tokens_can_be_handled_otherwise() {
    let server = server().await;
    let logins = Logins::default();
    let strict = config(&server)
        .login_flow(logins.clone())
        .on_invalid_tokens(OnInvalidTokens::Fail);
    let strict = UserApp::new("test", CLIENT, strict).unwrap();
    assert!(matches!(
        strict.get_authorizer(GROUPS).await,
        Err(Error::TokenValidation(_))
    ));

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let custom = OnInvalidTokens::Custom(Arc::new(move |error| {
        counter.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Err(error.into()) })
    }));
    let custom = config(&server).login_flow(logins.clone()).on_invalid_tokens(custom);
    let custom = UserApp::new("test", CLIENT, custom).unwrap();
    assert!(custom.get_authorizer(GROUPS).await.is_err());
    assert_eq!((asked.load(Ordering::SeqCst), logins.count()), (1, 0));
}

#[tokio::test]
async fn a_demand_of_a_service_is_met_once_when_that_is_wanted() {
    let server = server().await;
    let demand = json!({"code": "ConsentRequired", "authorization_parameters": {"required_scopes": ["extra"]}});
    for wanted in [true, false] {
        let logins = Logins::default();
        let config = config(&server).login_flow(logins.clone()).auto_redrive_gares(wanted);
        let app = UserApp::new("test", CLIENT, config).unwrap();
        let client = app.auth_client("").unwrap();
        app.login(None, false).await.unwrap();
        server.answers("/x", [Answer::json(403, demand.clone()), Answer::ok(json!({}))]);

        let result = client.send(Request::get("x")).await;

        assert_eq!(result.is_ok(), wanted);
        assert_eq!(logins.count(), 1 + usize::from(wanted));
        if wanted {
            assert_eq!(logins.last_scopes(), ["email", "extra", "openid", "profile"]);
            server.answers("/x", [Answer::json(403, demand.clone())]);
            assert!(client.send(Request::get("x")).await.is_err());
            assert_eq!(logins.count(), 3, "a second refusal is final");
        }
    }
}

#[tokio::test]
async fn a_service_account_gets_its_tokens_itself() {
    let server = Server::start().await;
    let signer = Signer::new("1");
    server.discovery().answer("/jwk.json", json!({"keys": [signer.jwk]}));
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = issued.clone();
    server.handle(move |incoming| {
        (incoming.path == "/v2/oauth2/token").then(|| {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let scope = incoming.field("scope").unwrap();
            let resource_server = if scope.contains('g') { GROUPS } else { "auth.globus.org" };
            Answer::ok(token(resource_server, &scope, &format!("S{number}")))
        })
    });
    let app = ClientApp::new("job", CLIENT, "se+cret=", config(&server)).unwrap();
    app.add_scope_requirements(GROUPS, "g").unwrap();

    let authorizer = app.get_authorizer(GROUPS).await.unwrap();
    assert_eq!(authorizer.authorization().await.unwrap().unwrap(), "Bearer S1");
    assert_eq!(server.requests("/v2/oauth2/token")[0].field("scope").unwrap(), "g");
    let stored = app.token_storage().inner().get(GROUPS).unwrap().unwrap();
    assert_eq!(stored.access_token.expose(), "S1");
    server.clock.advance(200_000);
    assert_eq!(authorizer.authorization().await.unwrap().unwrap(), "Bearer S2");
    assert!(matches!(app.get_authorizer("unknown").await, Err(Error::Usage(_))));
}

/// What is on the screen, and what is typed.
struct Typed(Arc<Mutex<Vec<String>>>, Option<&'static str>);

impl Terminal for Typed {
    fn print(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn ask(&self, prompt: &str) -> io::Result<Option<String>> {
        self.print(prompt);
        Ok(self.1.map(str::to_owned))
    }
}

#[tokio::test]
async fn a_code_is_copied_in_the_terminal() {
    let server = server().await;
    let screen = Arc::default();
    let login = |typed| CommandLineLogin::with_terminal(Typed(Arc::clone(&screen), typed));
    let app = UserApp::new("test", CLIENT, config(&server).login_flow(login(Some(" AgPC \n")))).unwrap();
    app.login(None, false).await.unwrap();
    let request = &server.requests("/v2/oauth2/token")[0];
    assert_eq!(request.field("code").unwrap(), "AgPC");
    assert_eq!(
        request.field("redirect_uri").unwrap(),
        format!("{}v2/web/auth-code", server.url)
    );

    let app = UserApp::new("test", CLIENT, config(&server).login_flow(login(None))).unwrap();
    assert!(matches!(app.login(None, false).await, Err(Error::Login(_))));
    let words = login(Some(" \n")).words("Open this:", "Code: ");
    let app = UserApp::new("test", CLIENT, config(&server).login_flow(words)).unwrap();
    let error = app.login(None, false).await.unwrap_err();
    assert_eq!(error.to_string(), "no code was typed");
    let shown = screen.lock().unwrap().clone();
    assert!(shown[shown.len() - 2].starts_with("\nOpen this:\n---"), "{shown:?}");
    assert_eq!(shown[shown.len() - 1], "Code: ");
    let secret = UserApp::with_secret("test", CLIENT, "s", config(&server).command_line_login());
    assert!(
        matches!(secret, Err(Error::Usage(_))),
        "a client with a secret says where codes are shown"
    );
    let config = config(&server)
        .login_flow(login(Some("C")))
        .login_redirect_uri("https://a.org/code");
    UserApp::with_secret("test", CLIENT, "s", config)
        .unwrap()
        .login(None, false)
        .await
        .unwrap();
    let redeemed = server.requests("/v2/oauth2/token");
    assert_eq!(
        redeemed.last().unwrap().field("redirect_uri").unwrap(),
        "https://a.org/code"
    );
}

/// Sends a GET of the browser and returns the answer.
async fn browse(redirect_uri: &str, path: &str) -> String {
    let address = redirect_uri.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn parameter(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn a_browser_comes_back_to_a_server_of_the_login() {
    let server = server().await;
    for (end, good) in [("code=AgPC", true), ("error=access_denied", false)] {
        let (opened, mut addresses) = tokio::sync::mpsc::unbounded_channel::<String>();
        let (told, mut announced) = tokio::sync::mpsc::unbounded_channel::<String>();
        let login = LocalServerLogin::default()
            .open_with(move |address| opened.send(address.to_owned()).map_err(io::Error::other))
            .announce(move |address| told.send(address.to_owned()).unwrap());
        let app = UserApp::new("test", CLIENT, config(&server).login_flow(login)).unwrap();
        let running = tokio::spawn(async move { app.login(None, false).await });

        let address = addresses.recv().await.unwrap();
        assert_eq!(announced.recv().await.unwrap(), address);
        let redirect_uri = parameter(&address, "redirect_uri");
        assert!(redirect_uri.starts_with("http://127.0.0.1:"));
        assert!(browse(&redirect_uri, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
        assert!(
            browse(&redirect_uri, "/?code=evil&state=guess")
                .await
                .starts_with("HTTP/1.1 404")
        );
        let issuer: String =
            url::form_urlencoded::byte_serialize(server.url.trim_end_matches('/').as_bytes()).collect();
        let path = format!("/?{end}&state={}&iss={issuer}", parameter(&address, "state"));
        let page = browse(&redirect_uri, &path).await;

        assert_eq!(running.await.unwrap().is_ok(), good);
        assert!(
            page.contains(if good { "Login successful" } else { "Login failed" }),
            "{page}"
        );
        assert!(page.contains("cache-control: no-store"));
    }
    let codes = server.requests("/v2/oauth2/token");
    assert_eq!(
        codes
            .iter()
            .map(|request| request.field("code").unwrap())
            .collect::<Vec<_>>(),
        ["AgPC"]
    );
}

#[tokio::test]
async fn a_login_in_a_browser_that_cannot_work_says_so() {
    let server = server().await;
    let refused = |config: AppConfig| UserApp::new("test", CLIENT, config).is_err();
    assert!(refused(
        config(&server).local_server_login().login_redirect_uri("https://a.org")
    ));
    assert!(UserApp::with_secret("test", CLIENT, "s", config(&server).local_server_login()).is_err());
    let broken = LocalServerLogin::default().open_with(|_| Err(io::Error::other("no browser")));
    let app = UserApp::new("test", CLIENT, config(&server).login_flow(broken)).unwrap();
    assert!(matches!(app.login(None, false).await, Err(Error::Login(_))));
    let slow = LocalServerLogin::default()
        .open_with(|_| Ok(()))
        .patience(std::time::Duration::ZERO);
    let app = UserApp::new("test", CLIENT, config(&server).login_flow(slow)).unwrap();
    assert!(matches!(app.login(None, false).await, Err(Error::Login(_))));
}

#[tokio::test]
async fn tokens_of_an_earlier_run_are_used() {
    let server = server().await;
    let storage = Arc::new(MemoryTokenStorage::new());
    let logins = Logins::default();
    for _ in 0..2 {
        let config = config(&server)
            .login_flow(logins.clone())
            .token_storage(StorageKind::Custom(storage.clone()));
        let app = UserApp::new("test", CLIENT, config).unwrap();
        app.auth_client("").unwrap().userinfo().await.unwrap();
    }
    assert_eq!(logins.count(), 1);
    let ids: Vec<Value> = storage
        .all()
        .unwrap()
        .values()
        .map(|data| json!(data.identity_id))
        .collect();
    assert_eq!(ids, [json!(PERSON), json!(PERSON)]);
}
