//! `portolan client`: clients and their secrets, for the operator.

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use portolan_db::{ReadTx, WriteTx};
use portolan_server::app::new_uuid;
use portolan_server::domain::client::{self as rules, NewClient};
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::clients::{self, Credential};
use portolan_server::store::identity_providers::LOCAL;
use portolan_server::store::{identities, projects, scopes};
use portolan_server::{Ctx, Error};
use portolan_types::api::{self, ClientLinks, ClientType, Visibility};
use portolan_types::{ClientId, CredentialId, ProjectId, Secret};
use serde_json::{Value, json};

use crate::options::{Options, context};
use crate::output;

/// Where clients go that name no project.
const OPERATORS: &str = "Operators";

#[derive(Subcommand)]
pub enum Client {
    /// Register a client
    #[command(after_help = "\
Types: public_installed_client (command line, desktop, mobile), public_webapp_client (runs in
the browser alone), confidential_client (portal, gateway), client_identity (service account),
resource_server (API), hybrid_confidential_client_resource_server (portal with an API).

Examples:
  portolan client create --name 'My CLI' --type public_installed_client
  portolan client create --name Portal --type confidential_client \\
      --redirect-uri https://portal.example.org/callback
  portolan client secret create CLIENT_ID --name deploy")]
    Create(Create),
    /// List all clients
    List,
    /// Show one client
    Show { id: ClientId },
    /// Delete a client with its scopes, consents and tokens
    Delete { id: ClientId },
    /// Secrets of a client
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Args)]
pub struct Create {
    #[arg(long)]
    name: String,
    /// What kind of client it is (see below)
    #[arg(long = "type", value_name = "TYPE")]
    client_type: ClientType,
    /// Where logins may return to; can be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// The project it belongs to [default: "Operators"]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// public or private
    #[arg(long)]
    visibility: Option<Visibility>,
    /// Terms and conditions, shown on the consent page (together with --privacy)
    #[arg(long, value_name = "URL")]
    terms: Option<String>,
    /// Privacy policy, shown on the consent page
    #[arg(long, value_name = "URL")]
    privacy: Option<String>,
    /// RS256, RS512 or ES256 [default: the server's]
    #[arg(long, value_name = "ALG")]
    id_token_algorithm: Option<String>,
    /// Its name as a resource server in token answers [default: its id]
    #[arg(long, value_name = "NAME")]
    resource_server_name: Option<String>,
}

#[derive(Subcommand)]
pub enum SecretCommand {
    /// Make a secret; it is shown this once
    Create {
        client: ClientId,
        /// What it is for
        #[arg(long)]
        name: String,
    },
    /// List the secrets of a client, without their values
    List { client: ClientId },
    /// Delete a secret; tokens that it got live on
    Delete { client: ClientId, id: CredentialId },
}

impl Client {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Client::Create(create) => create.run(options),
            Client::List => list(options),
            Client::Show { id } => show(options, id),
            Client::Delete { id } => delete(options, id),
            Client::Secret(SecretCommand::Create { client, name }) => create_secret(options, client, name),
            Client::Secret(SecretCommand::List { client }) => list_secrets(options, client),
            Client::Secret(SecretCommand::Delete { client, id }) => delete_secret(options, client, id),
        }
    }
}

impl Create {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let project = self.project;
        let contact = config
            .operator_contact
            .clone()
            .filter(|contact| contact.contains('@'))
            .unwrap_or_default();
        let new = NewClient {
            name: self.name,
            client_type: self.client_type.as_str().to_owned(),
            redirect_uris: self.redirect_uris,
            visibility: self.visibility.map(|visibility| visibility.as_str().to_owned()),
            terms_and_conditions: self.terms,
            privacy_policy: self.privacy,
            id_token_algorithm: self.id_token_algorithm,
            resource_server: self.resource_server_name,
            ..NewClient::default()
        };
        let client = db
            .write_blocking(move |tx| {
                let project_id = match project {
                    Some(id) if projects::exists(tx, id)? => id,
                    Some(_) => return Err(Error::not_found("project")),
                    None => operators(tx, &ctx, &contact)?,
                };
                let client = rules::register(
                    tx,
                    &ctx,
                    &NewClient {
                        project_id: Some(project_id),
                        ..new.clone()
                    },
                )?;
                audit::insert(
                    tx,
                    &ctx,
                    &event("client.create", client.id, json!({ "name": client.name })),
                )?;
                document(tx, client)
            })
            .map_err(output::explain)?;
        print_client(options, &client)
    }
}

/// The project of clients that operators register, administered by the administrators of
/// the server.
fn operators(tx: &mut WriteTx, ctx: &Ctx, contact: &str) -> Result<ProjectId, Error> {
    if let Some(id) = projects::find_by_name(tx, OPERATORS)? {
        return Ok(id);
    }
    let id = ProjectId(new_uuid());
    projects::insert(tx, id, OPERATORS, contact, ctx.now)?;
    for identity in identities::list_by_provider(tx, LOCAL)? {
        if identities::is_administrator(tx, identity.id)? {
            projects::insert_admin(tx, id, identity.id)?;
        }
    }
    Ok(id)
}

fn list(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let clients = db
        .read_blocking(|tx| {
            clients::list(tx)?
                .into_iter()
                .map(|client| document(tx, client))
                .collect::<Result<Vec<_>, Error>>()
        })
        .map_err(output::explain)?;
    output::print(options.format, &json!({ "clients": clients }), || {
        let rows = clients.iter().map(|client| {
            vec![
                client.name.clone(),
                client.client_type.to_string(),
                client.redirect_uris.join("\n"),
                client.id.to_string(),
            ]
        });
        output::list(&["name", "type", "redirect URIs", "id"], rows)
    })
}

fn show(options: &Options, id: ClientId) -> Result<()> {
    let (_, db) = options.store()?;
    let client = db
        .read_blocking(move |tx| clients::get(tx, id).and_then(|client| document(tx, client)))
        .map_err(|error| named(error, id))?;
    print_client(options, &client)
}

fn delete(options: &Options, id: ClientId) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let client = db
        .write_blocking(move |tx| {
            let client = clients::get(tx, id).and_then(|client| document(tx, client))?;
            rules::delete(tx, id)?;
            audit::insert(tx, &ctx, &event("client.delete", id, json!({ "name": client.name })))?;
            Ok(client)
        })
        .map_err(|error| named(error, id))?;
    output::print(options.format, &json!({ "client": client }), || {
        format!(
            "{} ({id}) is deleted; its scopes, consents and tokens have ended.",
            client.name
        )
    })
}

fn create_secret(options: &Options, client_id: ClientId, name: String) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let (credential, secret) = db
        .write_blocking(move |tx| {
            let (credential, secret) = rules::create_credential(tx, &ctx, client_id, &name)?;
            let detail = json!({ "credential": credential.id, "name": name });
            audit::insert(tx, &ctx, &event("client_credential.create", client_id, detail))?;
            Ok((credential, secret))
        })
        .map_err(|error| named(error, client_id))?;
    let document = credential_document(&credential, Some(secret.clone()));
    output::print(options.format, &json!({ "credential": document }), || {
        let facts = [
            ("client", client_id.to_string()),
            ("name", credential.name.clone()),
            ("id", credential.id.to_string()),
            ("secret", secret.expose().to_owned()),
        ];
        format!("{}\nKeep the secret now: it is not shown again.", output::facts(facts))
    })
}

fn list_secrets(options: &Options, client_id: ClientId) -> Result<()> {
    let (_, db) = options.store()?;
    let credentials = db
        .read_blocking(move |tx| {
            clients::get(tx, client_id)?;
            clients::list_credentials(tx, client_id)
        })
        .map_err(|error| named(error, client_id))?;
    let documents: Vec<_> = credentials
        .iter()
        .map(|credential| credential_document(credential, None))
        .collect();
    output::print(options.format, &json!({ "credentials": documents }), || {
        let rows = credentials.iter().map(|credential| {
            vec![
                credential.name.clone(),
                credential.created_at.to_string(),
                credential.id.to_string(),
            ]
        });
        output::list(&["name", "created", "id"], rows)
    })
}

fn delete_secret(options: &Options, client_id: ClientId, id: CredentialId) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let deleted = db
        .write_blocking(move |tx| {
            let deleted = clients::delete_credential(tx, client_id, id)?;
            if deleted.is_some() {
                audit::insert(
                    tx,
                    &ctx,
                    &event("client_credential.delete", client_id, json!({ "credential": id })),
                )?;
            }
            Ok::<_, Error>(deleted)
        })
        .map_err(output::explain)?;
    let credential = deleted.with_context(|| {
        format!("client {client_id} has no secret {id}; portolan client secret list {client_id} shows them")
    })?;
    output::print(
        options.format,
        &json!({ "credential": credential_document(&credential, None) }),
        || {
            format!(
                "The secret {} is deleted. Tokens that it got live on until they end.",
                credential.name
            )
        },
    )
}

fn named(error: Error, id: ClientId) -> anyhow::Error {
    match error.kind() {
        portolan_server::Kind::NotFound("client") => {
            anyhow!("there is no client {id}; portolan client list shows them all")
        }
        _ => output::explain(error),
    }
}

fn event(action: &'static str, id: ClientId, detail: Value) -> Event {
    Event {
        action,
        actor: Actor::Operator,
        resource_kind: "client",
        resource_id: id.to_string(),
        detail,
    }
}

/// The document of the JSON interface (wire.md 1.6).
fn document(tx: &mut ReadTx, client: clients::Client) -> Result<api::Client, Error> {
    let scopes = scopes::list_ids_by_client(tx, client.id)?;
    Ok(api::Client {
        id: client.id,
        project: client.project_id,
        parent_client: client.parent_client_id,
        public_client: client.is_public(),
        client_type: client.client_type.parse().map_err(Error::internal)?,
        grant_types: client.grant_types.split_ascii_whitespace().map(str::to_owned).collect(),
        visibility: client.visibility.parse().map_err(Error::internal)?,
        redirect_uris: client.redirect_uris(),
        links: ClientLinks {
            privacy_policy: client.privacy_policy.clone(),
            terms_and_conditions: client.terms_and_conditions.clone(),
        },
        required_idp: client.required_idp,
        preselect_idp: client.preselect_idp,
        scopes,
        fqdns: Vec::new(),
        userinfo_from_effective_identity: client.userinfo_from_effective_identity,
        prompt_for_named_grant: client.prompt_for_named_grant,
        name: client.name,
    })
}

fn credential_document(credential: &Credential, secret: Option<Secret>) -> api::Credential {
    api::Credential {
        id: credential.id,
        client: credential.client_id,
        name: credential.name.clone(),
        created: credential.created_at,
        secret,
    }
}

fn print_client(options: &Options, client: &api::Client) -> Result<()> {
    output::print(options.format, &json!({ "client": client }), || {
        let text = |value: Option<String>| value.unwrap_or_default();
        output::facts([
            ("name", client.name.clone()),
            ("id", client.id.to_string()),
            ("type", client.client_type.to_string()),
            ("project", text(client.project.map(|id| id.to_string()))),
            ("grants", client.grant_types.join("\n")),
            ("visibility", client.visibility.to_string()),
            ("redirect URIs", client.redirect_uris.join("\n")),
            ("terms", text(client.links.terms_and_conditions.clone())),
            ("privacy", text(client.links.privacy_policy.clone())),
        ])
    })
}
