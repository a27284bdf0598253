//! How clients and their secrets are shown, wherever they were found.

use anyhow::Result;
use portolan_types::api;
use portolan_types::{ClientId, CredentialId, IdentityProviderId, ProjectId};
use serde_json::{Value, json};

use crate::options::Options;
use crate::output;

/// A client with what is worth to be known beside its document.
pub struct View {
    pub document: api::Client,
    pub project: Option<String>,
    pub parent: Option<String>,
    pub children: Vec<(ClientId, String)>,
    /// Its own scopes, as strings.
    pub scopes: Vec<String>,
    /// `None` where whoever looks may not see them.
    pub secrets: Option<Vec<(CredentialId, String)>>,
    /// These three are known on the store only.
    pub resource_server: Option<String>,
    pub id_token_algorithm: Option<String>,
    pub state: &'static str,
}

impl View {
    pub fn print(&self, options: &Options, json: &Value) -> Result<()> {
        let client = &self.document;
        output::print(options.format, json, || {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let id = |value: Option<IdentityProviderId>| value.map_or(String::new(), |id| id.to_string());
            let children: Vec<String> = self
                .children
                .iter()
                .take(SHOWN_CHILDREN)
                .map(|(id, name)| format!("{name} ({id})"))
                .collect();
            let mut children = children.join("\n");
            if self.children.len() > SHOWN_CHILDREN {
                let more = self.children.len() - SHOWN_CHILDREN;
                children.push_str(&format!(
                    "\nand {more} more: portolan client list --parent {}",
                    client.id
                ));
            }
            let secrets: Vec<String> = self
                .secrets
                .iter()
                .flatten()
                .map(|(id, name)| format!("{name} ({id})"))
                .collect();
            let secrets = if client.public_client {
                "none: a public client holds no secret".to_owned()
            } else {
                secrets.join("\n")
            };
            let all = [
                ("name", client.name.clone()),
                ("id", client.id.to_string()),
                ("type", client.client_type.to_string()),
                ("state", self.state.to_owned()),
                ("project", text(&self.project)),
                ("parent", text(&self.parent)),
                ("children", children),
                ("grants", client.grant_types.join("\n")),
                ("visibility", client.visibility.to_string()),
                ("redirect URIs", client.redirect_uris.join("\n")),
                ("secrets", secrets),
                ("scopes", self.scopes.join("\n")),
                ("domain names", client.fqdns.join("\n")),
                ("resource server", text(&self.resource_server)),
                ("ID token algorithm", text(&self.id_token_algorithm)),
                ("required provider", id(client.required_idp)),
                ("preselected provider", id(client.preselect_idp)),
                ("terms", text(&client.links.terms_and_conditions)),
                ("privacy", text(&client.links.privacy_policy)),
            ];
            // Most clients have few of these.
            output::facts(all.into_iter().filter(|(_, value)| !value.is_empty()))
        })
    }
}

impl View {
    /// What somebody is asked before it goes.
    pub fn what_ends(&self) -> String {
        let secrets = self
            .secrets
            .as_ref()
            .map(|secrets| output::count(secrets.len(), "secret"));
        let mut text = format!(
            "The client {} ({}) is about to be deleted. It has {}{}.\n\
             They end at once with it, as do everybody's consents to it and to its scopes, and all tokens of both.",
            self.document.name,
            self.document.id,
            secrets.map_or(String::new(), |secrets| format!("{secrets} and ")),
            output::count(self.scopes.len(), "scope"),
        );
        if !self.children.is_empty() {
            text.push_str(&format!(
                " What it is the parent of ({}) stays.",
                output::count(self.children.len(), "client")
            ));
        }
        text
    }
}

pub fn what_ends_with_secret(name: &str, id: ClientId) -> String {
    format!("A secret of {name} ({id}) is about to be deleted. Whoever uses it cannot authenticate any more.")
}

/// Clients, with the names of their projects and parents.
pub fn print_list(
    options: &Options,
    clients: &[api::Client],
    projects: &[(ProjectId, String)],
    parents: &[(ClientId, String)],
    left_out: usize,
) -> Result<()> {
    if left_out > 0 {
        output::note(&format!(
            "{left_out} clients that devices registered are left out; --instances shows them, too."
        ));
    }
    output::print(options.format, &json!({ "clients": clients }), || {
        let rows = clients.iter().map(|client| {
            let project = projects.iter().find(|(id, _)| Some(*id) == client.project);
            let parent = parents.iter().find(|(id, _)| Some(*id) == client.parent_client);
            vec![
                client.name.clone(),
                client.client_type.to_string(),
                project.map_or(String::new(), |(_, name)| name.clone()),
                parent.map_or(String::new(), |(_, name)| name.clone()),
                client.redirect_uris.join("\n"),
                client.id.to_string(),
            ]
        });
        output::list(&["name", "type", "project", "child of", "redirect URIs", "id"], rows)
    })
}

pub fn print_deleted(options: &Options, client: &api::Client) -> Result<()> {
    output::print(options.format, &json!({ "client": client }), || {
        format!(
            "{} ({}) is deleted; its scopes, consents and tokens have ended.",
            client.name, client.id
        )
    })
}

/// The one time that it is shown.
pub fn print_new_secret(options: &Options, credential: &api::Credential) -> Result<()> {
    output::print(options.format, &json!({ "credential": credential }), || {
        let secret = credential.secret.as_ref().map_or("", |secret| secret.expose());
        let facts = [
            ("client", credential.client.to_string()),
            ("name", credential.name.clone()),
            ("id", credential.id.to_string()),
            ("secret", secret.to_owned()),
        ];
        format!("{}\nKeep the secret now: it is not shown again.", output::facts(facts))
    })
}

pub fn print_secrets(options: &Options, credentials: &[api::Credential]) -> Result<()> {
    output::print(options.format, &json!({ "credentials": credentials }), || {
        let rows = credentials.iter().map(|credential| {
            vec![
                credential.name.clone(),
                output::time(credential.created),
                credential.id.to_string(),
            ]
        });
        output::list(&["name", "created (UTC)", "id"], rows)
    })
}

pub fn print_deleted_secret(options: &Options, credential: &api::Credential) -> Result<()> {
    output::print(options.format, &json!({ "credential": credential }), || {
        format!(
            "The secret {} is deleted. Tokens that it got live on until they end.",
            credential.name
        )
    })
}

/// A template may have thousands of instances.
const SHOWN_CHILDREN: usize = 20;
