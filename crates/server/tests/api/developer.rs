//! People who develop: a person with a browser and a token that speaks for their projects.

use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, Browser, REDIRECT_URI, TestClient, TestServer, TestUser};

pub const MANAGE: &str = "urn:globus:auth:scope:auth.globus.org:manage_projects";
/// View my groups and memberships: the scope that guides name by its id.
pub const GROUPS: &str = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f";

/// Somebody who calls the developer interface.
pub struct Developer {
    pub server: TestServer,
    pub user: TestUser,
    pub browser: Browser,
    pub console: TestClient,
    pub auth: Auth,
}

impl TestServer {
    /// A person who just signed in and lets a console manage their projects.
    pub fn developer(&self, name: &str) -> Developer {
        let user = self.user(name).create();
        let browser = self.browser_of(&user);
        let console = self.client().named("Console").create();
        let tokens = console.tokens(&browser, &format!("openid {MANAGE}"));
        Developer {
            server: self.clone(),
            auth: Auth::Bearer(tokens.access_token().to_owned()),
            user,
            browser,
            console,
        }
    }

    /// A call of anybody; `null` as a document is none.
    pub fn call(&self, auth: &Auth, method: Method, path: &str, document: Value) -> Answer {
        let request = self.request(method, path).authorization(auth);
        if document.is_null() {
            return request.send();
        }
        request
            .header(CONTENT_TYPE, "application/json")
            .body(document.to_string())
            .send()
    }
}

impl Developer {
    pub fn get(&self, path: &str) -> Answer {
        self.server.call(&self.auth, Method::GET, path, Value::Null)
    }

    pub fn post(&self, path: &str, document: Value) -> Answer {
        self.server.call(&self.auth, Method::POST, path, document)
    }

    pub fn put(&self, path: &str, document: Value) -> Answer {
        self.server.call(&self.auth, Method::PUT, path, document)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.server.call(&self.auth, Method::DELETE, path, Value::Null)
    }

    /// A project of this person alone; its id.
    #[track_caller]
    pub fn project(&self, name: &str) -> String {
        let document = json!({ "project": {
            "display_name": name, "contact_email": "project@example.org", "admin_ids": [self.user.id]
        } });
        let answer = self.post("/v2/api/projects", document).ok().json();
        text(&answer["project"]["id"])
    }

    /// A client of a project, with a secret if it can hold one.
    #[track_caller]
    pub fn client(&self, project: &str, client_type: &str) -> TestClient {
        let document = json!({ "client": {
            "name": "A Client", "project": project, "client_type": client_type, "redirect_uris": [REDIRECT_URI]
        } });
        let client = self.post("/v2/api/clients", document).ok().json()["client"].clone();
        let id = text(&client["id"]);
        let secret = if client["public_client"] == json!(true) {
            None
        } else {
            let document = json!({ "credential": { "name": "tests" } });
            let answer = self.post(&format!("/v2/api/clients/{id}/credentials"), document).ok();
            Some(text(&answer.json()["credential"]["secret"]))
        };
        self.server
            .known_client(id.parse().unwrap(), secret.as_deref(), REDIRECT_URI)
    }

    /// A scope of a client; the document of the answer.
    #[track_caller]
    pub fn scope(&self, client: &TestClient, suffix: &str, more: Value) -> Value {
        let mut scope =
            json!({ "name": format!("Scope {suffix}"), "description": "What it is for.", "scope_suffix": suffix });
        for (member, value) in more.as_object().unwrap() {
            scope[member] = value.clone();
        }
        let path = format!("/v2/api/clients/{}/scopes", client.id);
        self.post(&path, json!({ "scope": scope })).ok().json()["scope"].clone()
    }

    /// Signs in again, as after a page that asked for it, and takes a fresh token.
    pub fn sign_in_again(&mut self) {
        let params = self.console.params(&format!("openid {MANAGE}")).set("prompt", "login");
        self.browser.authorize(&self.console, &params);
        let outcome = self.browser.login(&self.user);
        let code = if outcome.is_page() {
            self.browser.allow().code()
        } else {
            outcome.code()
        };
        self.auth = Auth::Bearer(self.console.exchange(&code).access_token().to_owned());
    }
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Answer {
    /// Status and code of a refusal in one: `403 FORBIDDEN`. A success has no code.
    #[track_caller]
    pub fn refusal(&self) -> String {
        let document = self.json();
        let element = &document["errors"][0];
        assert_eq!(
            element["status"],
            self.status.as_u16().to_string(),
            "{}",
            self.summary()
        );
        format!("{} {}", self.status.as_u16(), text(&element["code"]))
    }

    /// What is said about the refusal.
    #[track_caller]
    pub fn detail(&self) -> String {
        text(&self.json()["errors"][0]["detail"])
    }

    /// Refused as a bad value of this member, which the answer names.
    #[track_caller]
    pub fn names(&self, member: &str) {
        assert_eq!(self.refusal(), "400 INVALID_PARAMETERS", "{}", self.summary());
        assert!(self.detail().starts_with(&format!("{member}: ")), "{}", self.summary());
    }
}
