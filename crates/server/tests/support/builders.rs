//! People, clients and resource servers for tests, and what clients do.

use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::{self, NewClient};
use portolan_server::domain::identity::{self, NewLocalIdentity};
use portolan_server::domain::linking;
use portolan_server::store::audit::Actor;
use portolan_server::store::clients::Client;
use portolan_server::store::scopes::{self, Dependency, NewScope};
use portolan_server::store::{clients, projects};
use portolan_types::{ClientId, IdentityId, IdentitySetId, ProjectId, ScopeId, Secret};
use serde_json::Value;

use super::http::{Answer, Auth, Request};
use super::{Browser, TestServer, runtime};

/// Where confidential clients get their answers.
pub const REDIRECT_URI: &str = "https://app.example/callback";
/// The PKCE verifier of every test client.
pub const VERIFIER: &str = "a-verifier-of-tests-that-is-long-enough-0123456789";

/// The S256 challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// Parameters of a request, in their order.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    pub fn set(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Sets it unless it is there.
    pub fn or(self, name: &str, value: &str) -> Self {
        if self.0.iter().any(|(known, _)| known == name) {
            self
        } else {
            self.set(name, value)
        }
    }

    /// Adds it again, whether or not it is there.
    pub fn twice(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }
}

/// A person with a local account.
#[derive(Clone, Debug)]
pub struct TestUser {
    pub id: IdentityId,
    pub username: String,
    pub password: String,
}

pub struct UserBuilder {
    server: TestServer,
    new: NewLocalIdentity,
    password: String,
}

impl TestServer {
    /// A person; `alice` becomes `alice@portolan.local`.
    pub fn user(&self, username: &str) -> UserBuilder {
        UserBuilder {
            server: self.clone(),
            new: NewLocalIdentity {
                username: username.to_owned(),
                name: format!("{username} of the tests"),
                email: format!("{username}@example.org"),
                organization: Some("Example University".into()),
                password_hash: None,
                administrator: false,
            },
            password: format!("the long password of {username}"),
        }
    }
}

impl TestServer {
    /// Links two people as an operator does: the other one joins.
    pub fn link(&self, user: &TestUser, other: &TestUser) {
        let (ctx, mine, other) = (self.ctx(), user.id, other.id);
        let linked = self.write(move |tx| linking::link(tx, &ctx, Actor::Operator, mine, other));
        linked.expect("they can be linked");
    }

    pub fn unlink(&self, user: &TestUser) {
        let (ctx, id, own) = (self.ctx(), user.id, IdentitySetId(new_uuid()));
        self.write(move |tx| linking::unlink(tx, &ctx, Actor::Operator, id, own));
    }

    pub fn make_primary(&self, user: &TestUser) {
        let (ctx, id) = (self.ctx(), user.id);
        self.write(move |tx| linking::set_primary(tx, &ctx, Actor::Operator, id));
    }
}

impl UserBuilder {
    pub fn password(mut self, password: &str) -> Self {
        self.password = password.to_owned();
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        self.new.name = name.to_owned();
        self
    }

    pub fn without_organization(mut self) -> Self {
        self.new.organization = None;
        self
    }

    pub fn administrator(mut self) -> Self {
        self.new.administrator = true;
        self
    }

    pub fn create(self) -> TestUser {
        let (server, mut new) = (self.server, self.new);
        let hash = server.app().hasher.hash(Secret::new(self.password.as_str()));
        new.password_hash = Some(runtime().block_on(hash).expect("a password can be hashed"));
        let (ctx, domain) = (server.ctx(), server.config().local_domain.clone());
        let identity = server.write(move |tx| identity::create_local(tx, &ctx, &domain, &new));
        TestUser {
            id: identity.id,
            username: identity.username,
            password: self.password,
        }
    }
}

/// A registered client and its secret.
#[derive(Clone)]
pub struct TestClient {
    pub server: TestServer,
    pub id: ClientId,
    pub secret: Option<String>,
    pub redirect_uri: String,
    public: bool,
}

pub struct ClientBuilder {
    server: TestServer,
    new: NewClient,
    secret: bool,
}

impl TestServer {
    /// A confidential client with a secret and one redirect URI, unless told otherwise.
    pub fn client(&self) -> ClientBuilder {
        ClientBuilder {
            server: self.clone(),
            new: NewClient {
                name: "Test App".into(),
                client_type: client::CONFIDENTIAL.into(),
                ..NewClient::default()
            },
            secret: true,
        }
    }

    /// A client that exists already, built in or made by the server.
    pub fn known_client(&self, id: ClientId, secret: Option<&str>, redirect_uri: &str) -> TestClient {
        let record = self.read(move |tx| clients::get(tx, id));
        TestClient {
            server: self.clone(),
            id,
            secret: secret.map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            public: record.is_public(),
        }
    }

    /// Registers an instance of a template, as the CLI does at its first login.
    pub fn instance_of(&self, template: ClientId, name: &str) -> TestClient {
        let body = serde_json::json!({ "client": { "template_id": template, "name": name } });
        let document = self.post_json("/v2/api/clients", &Auth::None, &body).ok().json();
        let credential = &document["included"]["client_credential"];
        let id = credential["client"].as_str().and_then(|id| id.parse().ok());
        self.known_client(
            id.expect("the answer names the client"),
            credential["secret"].as_str(),
            &self.display_page(),
        )
    }
}

impl ClientBuilder {
    pub fn confidential(self) -> Self {
        self.of_type(client::CONFIDENTIAL)
    }

    pub fn public_installed(self) -> Self {
        self.of_type(client::PUBLIC_INSTALLED)
    }

    pub fn public_webapp(self) -> Self {
        self.of_type(client::PUBLIC_WEBAPP)
    }

    /// A client that is a resource server as well.
    pub fn hybrid(self) -> Self {
        self.of_type(client::HYBRID)
    }

    pub fn of_type(mut self, client_type: &str) -> Self {
        self.new.client_type = client_type.to_owned();
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        self.new.name = name.to_owned();
        self
    }

    /// Registers a redirect URI; the first one is what the client uses.
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.new.redirect_uris.push(uri.to_owned());
        self
    }

    pub fn id_token_algorithm(mut self, algorithm: &str) -> Self {
        self.new.id_token_algorithm = Some(algorithm.to_owned());
        self
    }

    pub fn in_project(mut self, project: ProjectId) -> Self {
        self.new.project_id = Some(project);
        self
    }

    pub fn visible_to_all(mut self) -> Self {
        self.new.visibility = Some("public".into());
        self
    }

    pub fn links(mut self, terms: &str, privacy: &str) -> Self {
        self.new.terms_and_conditions = Some(terms.to_owned());
        self.new.privacy_policy = Some(privacy.to_owned());
        self
    }

    pub fn template(mut self) -> Self {
        self.new.is_template = true;
        self.public_installed()
    }

    pub fn create(self) -> TestClient {
        let Self { server, mut new, .. } = self;
        let installed = new.client_type == client::PUBLIC_INSTALLED;
        let redirect_uri = match new.redirect_uris.first() {
            Some(uri) => uri.clone(),
            // Installed programs open a port of their own choice.
            None if installed => "http://127.0.0.1:18411".to_owned(),
            None => REDIRECT_URI.to_owned(),
        };
        if new.redirect_uris.is_empty() && !installed {
            new.redirect_uris.push(redirect_uri.clone());
        }
        let (ctx, public) = (server.ctx(), new.client_type.starts_with("public_"));
        let (record, secret) = server.write(move |tx| {
            let record = client::register(tx, &ctx, &new)?;
            let secret = if record.is_public() {
                None
            } else {
                Some(client::create_credential(tx, &ctx, record.id, "tests")?.1)
            };
            Ok((record, secret))
        });
        TestClient {
            server,
            id: record.id,
            secret: secret.map(|secret| secret.expose().to_owned()),
            redirect_uri,
            public,
        }
    }
}

impl TestClient {
    /// How the client usually says who it is: Basic with a secret, its id without.
    pub fn auth(&self) -> Auth {
        match &self.secret {
            Some(secret) => Auth::Basic(self.id.to_string(), secret.clone()),
            None => Auth::Id(self.id.to_string()),
        }
    }

    pub fn is_public(&self) -> bool {
        self.public
    }

    /// The same client, calling another node.
    pub fn at(&self, node: &TestServer) -> Self {
        Self {
            server: node.clone(),
            ..self.clone()
        }
    }

    pub fn record(&self) -> Client {
        let id = self.id;
        self.server.read(move |tx| clients::get(tx, id))
    }

    /// A request for a code: everything a well-behaved client sends. Public ones use PKCE.
    pub fn params(&self, scope: &str) -> Params {
        let params = Params::default()
            .set("client_id", &self.id.to_string())
            .set("redirect_uri", &self.redirect_uri)
            .set("response_type", "code")
            .set("scope", scope)
            .set("state", "the-state");
        if self.public {
            params
                .set("code_challenge", &challenge(VERIFIER))
                .set("code_challenge_method", "S256")
        } else {
            params
        }
    }

    /// A code for the person in this browser, who allows whatever is asked.
    #[track_caller]
    pub fn code(&self, browser: &Browser, scope: &str) -> String {
        self.code_with(browser, &self.params(scope))
    }

    #[track_caller]
    pub fn code_with(&self, browser: &Browser, params: &Params) -> String {
        let redirected = browser.authorize_and_allow(self, params);
        redirected
            .get("code")
            .unwrap_or_else(|| panic!("no code: {}", redirected.location))
    }

    /// Tokens for the person in this browser.
    #[track_caller]
    pub fn tokens(&self, browser: &Browser, scope: &str) -> Tokens {
        self.exchange(&self.code(browser, scope))
    }

    /// The same with refresh tokens.
    #[track_caller]
    pub fn offline_tokens(&self, browser: &Browser, scope: &str) -> Tokens {
        let params = self.params(scope).set("access_type", "offline");
        self.exchange(&self.code_with(browser, &params))
    }

    /// What the client sends to redeem a code.
    pub fn exchange_params(&self, code: &str) -> Params {
        let params = Params::default()
            .set("grant_type", "authorization_code")
            .set("code", code)
            .set("redirect_uri", &self.redirect_uri);
        if self.public {
            params.set("code_verifier", VERIFIER)
        } else {
            params
        }
    }

    /// A request to the token endpoint, not yet sent.
    pub fn token_request(&self, params: &Params) -> Request {
        self.server
            .request(http::Method::POST, "/v2/oauth2/token")
            .auth(&self.auth(), &params.pairs())
    }

    pub fn token(&self, params: &Params) -> Answer {
        self.token_request(params).send()
    }

    #[track_caller]
    pub fn exchange(&self, code: &str) -> Tokens {
        Tokens(self.try_exchange(code).ok().json())
    }

    pub fn try_exchange(&self, code: &str) -> Answer {
        self.token(&self.exchange_params(code))
    }

    #[track_caller]
    pub fn refresh(&self, refresh_token: &str) -> Tokens {
        Tokens(self.try_refresh(refresh_token).ok().json())
    }

    pub fn refresh_params(&self, refresh_token: &str) -> Params {
        Params::default()
            .set("grant_type", "refresh_token")
            .set("refresh_token", refresh_token)
    }

    pub fn try_refresh(&self, refresh_token: &str) -> Answer {
        self.token(&self.refresh_params(refresh_token))
    }

    /// Tokens for the client itself.
    #[track_caller]
    pub fn credentials(&self, scope: &str) -> Tokens {
        Tokens(self.try_credentials(scope).ok().json())
    }

    pub fn try_credentials(&self, scope: &str) -> Answer {
        let params = Params::default()
            .set("grant_type", "client_credentials")
            .set("scope", scope);
        self.token(&params)
    }

    pub fn post(&self, path: &str, params: &[(&str, &str)]) -> Answer {
        self.server.post_form(path, &self.auth(), params)
    }

    #[track_caller]
    pub fn introspect(&self, token: &str) -> Value {
        self.introspect_with(token, "")
    }

    /// With a list for `include`; empty: none.
    #[track_caller]
    pub fn introspect_with(&self, token: &str, include: &str) -> Value {
        let mut params = vec![("token", token)];
        if !include.is_empty() {
            params.push(("include", include));
        }
        self.post("/v2/oauth2/token/introspect", &params).ok().json()
    }

    /// By introspection; a public client may not introspect and asks `validate`.
    #[track_caller]
    pub fn is_active(&self, token: &str) -> bool {
        if self.public {
            return self.is_valid(token);
        }
        let document = self.introspect(token);
        document["active"].as_bool().expect("introspection says whether")
    }

    /// Whether `validate` finds the token usable, access or refresh.
    #[track_caller]
    pub fn is_valid(&self, token: &str) -> bool {
        let answer = self.post("/v2/oauth2/token/validate", &[("token", token)]).ok();
        answer.json()["active"].as_bool().expect("validate says whether")
    }

    #[track_caller]
    pub fn revoke(&self, token: &str) {
        self.post("/v2/oauth2/token/revoke", &[("token", token)]).ok();
    }
}

/// The answer of the token endpoint.
#[derive(Clone, Debug)]
pub struct Tokens(pub Value);

impl Tokens {
    #[track_caller]
    pub fn access_token(&self) -> &str {
        self.0["access_token"].as_str().expect("an access token")
    }

    #[track_caller]
    pub fn refresh_token(&self) -> &str {
        self.0["refresh_token"]
            .as_str()
            .unwrap_or_else(|| panic!("no refresh token: {}", self.0))
    }

    #[track_caller]
    pub fn id_token(&self) -> &str {
        self.0["id_token"]
            .as_str()
            .unwrap_or_else(|| panic!("no ID token: {}", self.0))
    }

    /// The claims of the ID token; the signature is not looked at.
    #[track_caller]
    pub fn claims(&self) -> Value {
        decode_part(self.id_token(), 1)
    }

    /// The header of the ID token.
    #[track_caller]
    pub fn id_token_header(&self) -> Value {
        decode_part(self.id_token(), 0)
    }

    /// The token of a resource server, wherever it is in the answer.
    #[track_caller]
    pub fn of(&self, resource_server: &str) -> Tokens {
        let others = self.0["other_tokens"].as_array().expect("other_tokens is a list");
        let found = std::iter::once(&self.0)
            .chain(others)
            .find(|document| document["resource_server"] == resource_server);
        Tokens(
            found
                .unwrap_or_else(|| panic!("no token of {resource_server}: {}", self.0))
                .clone(),
        )
    }
}

#[track_caller]
fn decode_part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWS has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// A resource server with its scopes. It is a client as well.
#[derive(Clone)]
pub struct TestResourceServer {
    pub client: TestClient,
    /// Its name in token answers.
    pub name: String,
    scopes: Vec<(String, ScopeId, String)>,
}

impl Deref for TestResourceServer {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

impl TestResourceServer {
    /// The scope string of a suffix.
    #[track_caller]
    pub fn scope(&self, suffix: &str) -> &str {
        let found = self.scopes.iter().find(|(known, ..)| known == suffix);
        &found.expect("the scope was made").2
    }

    #[track_caller]
    pub fn scope_id(&self, suffix: &str) -> ScopeId {
        let found = self.scopes.iter().find(|(known, ..)| known == suffix);
        found.expect("the scope was made").1
    }
}

struct ScopePlan {
    suffix: String,
    advertised: bool,
    allows_refresh_token: bool,
    required_domains: Vec<String>,
    /// Scope string, optional, requires a refresh token.
    dependencies: Vec<(String, bool, bool)>,
}

pub struct ResourceServerBuilder {
    client: ClientBuilder,
    name: String,
    scopes: Vec<ScopePlan>,
}

impl TestServer {
    /// A resource server under this name. Scopes are added with `scope`; what follows a
    /// scope is about it.
    pub fn resource_server(&self, name: &str) -> ResourceServerBuilder {
        let mut client = self
            .client()
            .of_type(client::RESOURCE_SERVER)
            .named(&format!("The service {name}"));
        client.new.resource_server = Some(name.to_owned());
        ResourceServerBuilder {
            client,
            name: name.to_owned(),
            scopes: Vec::new(),
        }
    }
}

impl ResourceServerBuilder {
    /// Also a client that people log in to.
    pub fn hybrid(mut self) -> Self {
        self.client = self.client.hybrid();
        self
    }

    pub fn in_project(mut self, project: ProjectId) -> Self {
        self.client = self.client.in_project(project);
        self
    }

    /// A scope for everybody, with refresh tokens.
    pub fn scope(mut self, suffix: &str) -> Self {
        self.scopes.push(ScopePlan {
            suffix: suffix.to_owned(),
            advertised: true,
            allows_refresh_token: true,
            required_domains: Vec::new(),
            dependencies: Vec::new(),
        });
        self
    }

    fn last(&mut self) -> &mut ScopePlan {
        self.scopes.last_mut().expect("a scope comes first")
    }

    /// The last scope is only for clients of the same project.
    pub fn unadvertised(mut self) -> Self {
        self.last().advertised = false;
        self
    }

    pub fn without_refresh_tokens(mut self) -> Self {
        self.last().allows_refresh_token = false;
        self
    }

    pub fn for_domains(mut self, domains: &[&str]) -> Self {
        self.last().required_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        self
    }

    /// The last scope needs another one downstream.
    pub fn depends_on(mut self, scope: &str) -> Self {
        self.last().dependencies.push((scope.to_owned(), false, false));
        self
    }

    pub fn depends_optionally_on(mut self, scope: &str) -> Self {
        self.last().dependencies.push((scope.to_owned(), true, false));
        self
    }

    /// Downstream with a refresh token.
    pub fn depends_offline_on(mut self, scope: &str) -> Self {
        self.last().dependencies.push((scope.to_owned(), false, true));
        self
    }

    pub fn create(self) -> TestResourceServer {
        let client = self.client.create();
        let (id, now) = (client.id, client.server.now());
        let prefix = client.server.config().scope_url_prefix.clone();
        let mut made = Vec::new();
        for plan in self.scopes {
            let (scope_id, scope_string) = (ScopeId(new_uuid()), format!("{prefix}{id}/{}", plan.suffix));
            made.push((plan.suffix.clone(), scope_id, scope_string.clone()));
            client.server.write(move |tx| {
                let scope = NewScope {
                    id: scope_id,
                    client_id: id,
                    scope_string: &scope_string,
                    suffix: Some(&plan.suffix),
                    name: &format!("Scope {}", plan.suffix),
                    description: &format!("What {} is for.", plan.suffix),
                    advertised: plan.advertised,
                    allows_refresh_token: plan.allows_refresh_token,
                    required_domains: &plan.required_domains,
                };
                scopes::upsert(tx, &scope, now)?;
                for (name, optional, requires_refresh_token) in &plan.dependencies {
                    let found = scopes::list_by_strings(tx, [name.as_str()])?;
                    let found = found.first().expect("a dependency exists before it is named");
                    let dependency = Dependency {
                        scope_id,
                        dependent_scope_id: found.scope.id,
                        optional: *optional,
                        requires_refresh_token: *requires_refresh_token,
                    };
                    scopes::insert_dependency(tx, &dependency)?;
                }
                Ok(())
            });
        }
        TestResourceServer {
            client,
            name: self.name,
            scopes: made,
        }
    }
}

impl TestServer {
    /// A project that clients can belong to.
    pub fn project(&self, name: &str) -> ProjectId {
        let (id, name, now) = (ProjectId(new_uuid()), name.to_owned(), self.now());
        self.write(move |tx| projects::insert(tx, id, &name, "project@example.org", now));
        id
    }
}
