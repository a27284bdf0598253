//! `portolan client`: clients and their secrets, for the operator.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use portolan_db::{ReadTx, WriteTx};
use portolan_server::api::clients::document;
use portolan_server::api::credentials;
use portolan_server::app::new_uuid;
use portolan_server::domain::client::registration::Notice;
use portolan_server::domain::client::{NewClient, registration as rules};
use portolan_server::domain::logout;
use portolan_server::domain::project::Manager;
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::clients::{self, Client as Record, Credential};
use portolan_server::store::identity_providers::LOCAL;
use portolan_server::store::{identities, projects, scopes};
use portolan_server::{Ctx, Error, Kind};
use portolan_types::api::{self, Change, ClientChanges, ClientType, LinkChanges, Visibility};
use portolan_types::{ClientId, CredentialId, IdentityProviderId, ProjectId};
use serde_json::{Value, json};

use crate::find;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};
use crate::typed::{replace, set, yes_or_no};

/// Where clients go that name no project.
const OPERATORS: &str = "Operators";

#[derive(Subcommand)]
pub enum Client {
    /// Register a client
    #[command(after_help = "\
Types:
  public_installed_client   command line, desktop, mobile: no secret, PKCE
  public_webapp_client      runs in the browser alone: no secret, PKCE
  confidential_client       portal, gateway: signs people in, keeps a secret
  client_identity           service account: acts as itself, never for people
  resource_server           API: checks tokens, owns scopes
  globus_connect_server     endpoint of Globus Connect Server
  hybrid_confidential_client_resource_server   portal with an API: everything

Examples:
  portolan client create --name 'My CLI' --type public_installed_client
  portolan client create --name Portal --type confidential_client --project Beamline \\
      --redirect-uri https://portal.example.org/callback
  portolan client secret create CLIENT --name deploy")]
    Create(Create),
    /// List clients; those that devices registered are left out
    #[command(after_help = "\
Examples:
  portolan client list --project Beamline
  portolan client list --type client_identity --format json")]
    List(List),
    /// Show one client: its project, parent, children, scopes and secrets
    Show {
        /// Id, domain name, or a name that no other client has
        client: String,
    },
    /// Change a client; what is not named stays
    #[command(after_help = "\
The type never changes, and a client stays in its project.

Examples:
  portolan client update CLIENT --name 'New name' --visibility public
  portolan client update CLIENT --redirect-uri https://portal.example.org/callback
  portolan client update CLIENT --terms https://example.org/terms --privacy https://example.org/privacy")]
    Update(Update),
    /// Switch a client off: nobody signs in to it, and its tokens end at once
    #[command(after_help = "\
So it goes for what devices registered from it, if it is a template. Consents stay; what
people had there has to be signed in to again when the client is switched on.

Example:
  portolan client disable Portal")]
    Disable {
        /// Id, domain name, or a name that no other client has
        client: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Switch a client on again
    Enable {
        /// Id, domain name, or a name that no other client has
        client: String,
    },
    /// Delete a client with its scopes, consents and tokens
    Delete {
        /// Id, domain name, or a name that no other client has
        client: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Secrets of a client
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Args)]
pub struct Create {
    /// Shown to people who sign in
    #[arg(long)]
    name: String,
    /// What kind of client it is (see below)
    #[arg(long = "type", value_name = "TYPE")]
    client_type: ClientType,
    /// The project it belongs to: id or name [default: "Operators"]
    #[arg(long)]
    project: Option<String>,
    #[command(flatten)]
    members: Members,
    /// Whether ID token and userinfo describe the effective identity [default: yes]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no)]
    userinfo_from_effective_identity: Option<bool>,
    /// Let people label their consent, such as with the name of a machine [default: by type]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no)]
    prompt_for_named_grant: Option<bool>,
    /// RS256, RS512 or ES256 [default: the server's]
    #[arg(long, value_name = "ALG")]
    id_token_algorithm: Option<String>,
    /// Its name as a resource server in token answers [default: its id]
    #[arg(long, value_name = "NAME")]
    resource_server_name: Option<String>,
}

/// What both calls may set.
#[derive(Args)]
struct Members {
    /// Where logins may return to; can be given several times, and replaces those of before
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Who may read its record: public (everybody who is signed in) or private
    #[arg(long)]
    visibility: Option<Visibility>,
    /// Terms and conditions, shown on the consent page (together with --privacy)
    #[arg(long, value_name = "URL")]
    terms: Option<String>,
    /// Privacy policy, shown on the consent page
    #[arg(long, value_name = "URL")]
    privacy: Option<String>,
    /// People need an identity of this provider (id, short name or domain), or none
    #[arg(long, value_name = "PROVIDER")]
    required_idp: Option<String>,
    /// The provider that the login page preselects, or none
    #[arg(long, value_name = "PROVIDER")]
    preselect_idp: Option<String>,
    /// Where people may be sent to after a logout; can be given several times, and replaces those of before
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Where its server is told that a session has ended (back-channel logout), or none
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// Whether it needs the session id in logout tokens, which always have it
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_parser = yes_or_no)]
    backchannel_logout_session_required: Option<bool>,
}

impl Members {
    fn changes(&self, tx: &mut ReadTx) -> Result<ClientChanges, Error> {
        let links = LinkChanges {
            terms_and_conditions: set(self.terms.clone()),
            privacy_policy: set(self.privacy.clone()),
        };
        Ok(ClientChanges {
            visibility: set(self.visibility),
            redirect_uris: replace(self.redirect_uris.clone(), false),
            links: if links == LinkChanges::default() {
                Change::Keep
            } else {
                Change::Set(links)
            },
            required_idp: provider(tx, self.required_idp.as_deref())?,
            preselect_idp: provider(tx, self.preselect_idp.as_deref())?,
            post_logout_redirect_uris: replace(self.post_logout_redirect_uris.clone(), false),
            backchannel_logout_uri: match self.backchannel_logout_uri.as_deref() {
                Some("none") => Change::Clear,
                given => set(given.map(str::to_owned)),
            },
            backchannel_logout_session_required: set(self.backchannel_logout_session_required),
            ..ClientChanges::default()
        })
    }
}

fn provider(tx: &mut ReadTx, text: Option<&str>) -> Result<Change<IdentityProviderId>, Error> {
    Ok(match text {
        None => Change::Keep,
        Some("none") => Change::Clear,
        Some(text) => Change::Set(find::provider(tx, text)?.id),
    })
}

#[derive(Args)]
pub struct List {
    /// Only of this project: id or name
    #[arg(long)]
    project: Option<String>,
    /// Only the children of this client, or the instances of this template
    #[arg(long, value_name = "CLIENT", conflicts_with = "project")]
    parent: Option<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    client_type: Option<ClientType>,
    /// Also those that devices registered from a template, as the command line does
    #[arg(long)]
    instances: bool,
}

#[derive(Args)]
pub struct Update {
    /// Id, domain name, or a name that no other client has
    client: String,
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    members: Members,
    /// Take all redirect URIs away
    #[arg(long, conflicts_with = "redirect_uris")]
    no_redirect_uris: bool,
    /// Take all addresses away that people may be sent to after a logout
    #[arg(long, conflicts_with = "post_logout_redirect_uris")]
    no_post_logout_redirect_uris: bool,
    /// Take terms and privacy policy away
    #[arg(long, conflicts_with_all = ["terms", "privacy"])]
    no_links: bool,
}

#[derive(Subcommand)]
pub enum SecretCommand {
    /// Make a secret; it is shown this once
    #[command(after_help = "\
A client may have several: make a new one, bring it to where it is used, delete the old one.

Example:
  portolan client secret create CLIENT --name deploy-2026")]
    Create {
        /// Id, domain name, or a name that no other client has
        client: String,
        /// What it is for
        #[arg(long)]
        name: String,
    },
    /// List the secrets of a client, without their values
    List {
        /// Id, domain name, or a name that no other client has
        client: String,
    },
    /// Delete a secret; tokens that it got live on
    Delete {
        /// Id, domain name, or a name that no other client has
        client: String,
        /// The id that `portolan client secret list` shows
        id: CredentialId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Client {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            Client::Create(create) => create.run(options),
            Client::List(list) => list.run(options),
            Client::Show { client } => show(options, client),
            Client::Update(update) => update.run(options),
            Client::Disable { client, confirmation } => {
                confirmation.ask(&format!(
                    "Nobody can sign in to {client} any more, and its tokens are inactive at once."
                ))?;
                set_enabled(options, client, false)
            }
            Client::Enable { client } => set_enabled(options, client, true),
            Client::Delete { client, confirmation } => delete(options, client, &confirmation),
            Client::Secret(SecretCommand::Create { client, name }) => create_secret(options, client, name),
            Client::Secret(SecretCommand::List { client }) => list_secrets(options, client),
            Client::Secret(SecretCommand::Delete {
                client,
                id,
                confirmation,
            }) => delete_secret(options, client, id, &confirmation),
        }
    }
}

impl Create {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let ctx = context();
        let contact = config
            .operator_contact
            .clone()
            .filter(|contact| contact.contains('@'))
            .unwrap_or_default();
        let view = db
            .write_blocking(move |tx| {
                let project = match &self.project {
                    Some(project) => find::project(tx, project)?.id,
                    None => operators(tx, &ctx, &contact)?,
                };
                let changes = ClientChanges {
                    name: Change::Set(self.name.clone()),
                    client_type: Change::Set(self.client_type),
                    project: Change::Set(project),
                    userinfo_from_effective_identity: set(self.userinfo_from_effective_identity),
                    prompt_for_named_grant: set(self.prompt_for_named_grant),
                    ..self.members.changes(tx)?
                };
                let manager = Manager::operator();
                let new = NewClient {
                    id_token_algorithm: self.id_token_algorithm.clone(),
                    resource_server: self.resource_server_name.clone(),
                    ..rules::prepare(tx, &ctx, &manager, &changes)?
                };
                let client = rules::create_prepared(tx, &ctx, &manager, &new)?;
                logout::register(tx, &client, &changes)?;
                View::of(tx, client)
            })
            .map_err(output::explain)?;
        view.print(options, &json!({ "client": view.document }))
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
    let event = Event {
        action: "project.create",
        actor: Actor::Operator,
        resource_kind: "project",
        resource_id: id.to_string(),
        detail: json!({ "display_name": OPERATORS, "admin_ids": projects::list_admins(tx, id)? }),
    };
    audit::insert(tx, ctx, &event)?;
    Ok(id)
}

impl List {
    fn run(self, options: &Options) -> Result<()> {
        let (_, db) = options.store()?;
        let (clients, projects, parents, left_out) = db
            .read_blocking(move |tx| {
                let mut found = match (&self.project, &self.parent) {
                    (Some(project), _) => {
                        let id = find::project(tx, project)?.id;
                        clients::list_by_projects(tx, [id])?
                    }
                    (None, Some(parent)) => {
                        let id = find::client(tx, parent)?.id;
                        clients::list_children(tx, id)?
                    }
                    (None, None) => clients::list(tx)?,
                };
                if let Some(wanted) = self.client_type {
                    found.retain(|client| client.client_type == wanted.as_str());
                }
                let all = found.len();
                if !self.instances && self.parent.is_none() {
                    found.retain(|client| !client.is_instance);
                }
                let left_out = all - found.len();
                let documents = found
                    .iter()
                    .map(|client| document(tx, client))
                    .collect::<Result<Vec<_>, Error>>()?;
                let parents: BTreeSet<ClientId> = found.iter().filter_map(|client| client.parent_client_id).collect();
                let parents = clients::list_by_ids(tx, parents)?;
                Ok((documents, projects::list(tx)?, parents, left_out))
            })
            .map_err(output::explain)?;
        if left_out > 0 {
            output::note(&format!(
                "{left_out} clients that devices registered are left out; --instances shows them, too."
            ));
        }
        output::print(options.format, &json!({ "clients": clients }), || {
            let rows = clients.iter().map(|client| {
                let project = projects.iter().find(|project| Some(project.id) == client.project);
                let parent = parents.iter().find(|parent| Some(parent.id) == client.parent_client);
                vec![
                    client.name.clone(),
                    client.client_type.to_string(),
                    project.map_or(String::new(), |project| project.display_name.clone()),
                    parent.map_or(String::new(), |parent| parent.name.clone()),
                    client.redirect_uris.join("\n"),
                    client.id.to_string(),
                ]
            });
            output::list(&["name", "type", "project", "child of", "redirect URIs", "id"], rows)
        })
    }
}

fn show(options: &Options, client: String) -> Result<()> {
    let (_, db) = options.store()?;
    let view = db
        .read_blocking(move |tx| {
            let client = find::client(tx, &client)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let children: Vec<ClientId> = view.children.iter().map(|child| child.id).collect();
    view.print(options, &json!({ "client": view.document, "children": children }))
}

impl Update {
    fn run(self, options: &Options) -> Result<()> {
        let (_, db) = options.store()?;
        let ctx = context();
        let view = db
            .write_blocking(move |tx| {
                let mut changes = ClientChanges {
                    name: set(self.name.clone()),
                    ..self.members.changes(tx)?
                };
                if self.no_redirect_uris {
                    changes.redirect_uris = Change::Clear;
                }
                if self.no_post_logout_redirect_uris {
                    changes.post_logout_redirect_uris = Change::Clear;
                }
                if self.no_links {
                    changes.links = Change::Clear;
                }
                if changes == ClientChanges::default() {
                    return Ok(None);
                }
                let id = find::client(tx, &self.client)?.id;
                let client = rules::update(tx, &ctx, &Manager::operator(), id, &changes)?;
                View::of(tx, client).map(Some)
            })
            .map_err(output::explain)?;
        let Some(view) = view else {
            bail!("nothing to change: portolan client update --help shows what can be given");
        };
        view.print(options, &json!({ "client": view.document }))
    }
}

fn set_enabled(options: &Options, client: String, enabled: bool) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let view = db
        .write_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            let client = rules::set_enabled(tx, &ctx, &Manager::operator(), id, enabled)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let json = json!({ "client": view.document, "enabled": enabled });
    output::print(options.format, &json, || {
        let state = if enabled { "on" } else { "off; its tokens have ended" };
        format!("{} ({}) is switched {state}.", view.document.name, view.document.id)
    })
}

fn delete(options: &Options, client: String, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let client = find::client(tx, &client)?;
            View::of(tx, client)
        })
        .map_err(output::explain)?;
    let id = found.document.id;
    let mut what_ends = format!(
        "The client {} ({id}) is about to be deleted. It has {} and {}.\n\
         They end at once with it, as do everybody's consents to it and to its scopes, and all tokens of both.",
        found.document.name,
        output::count(found.secrets.len(), "secret"),
        output::count(found.scopes.len(), "scope"),
    );
    if !found.children.is_empty() {
        what_ends.push_str(&format!(
            " What it is the parent of ({}) stays.",
            output::count(found.children.len(), "client")
        ));
    }
    confirmation.ask(&what_ends)?;
    let ctx = context();
    let client = db
        .write_blocking(move |tx| {
            let client = clients::get(tx, id)?;
            let client = document(tx, &client)?;
            rules::delete(tx, &ctx, &Manager::operator(), id, Notice::Send)?;
            Ok(client)
        })
        .map_err(output::explain)?;
    output::print(options.format, &json!({ "client": client }), || {
        format!(
            "{} ({id}) is deleted; its scopes, consents and tokens have ended.",
            client.name
        )
    })
}

fn create_secret(options: &Options, client: String, name: String) -> Result<()> {
    let (_, db) = options.store()?;
    let ctx = context();
    let (credential, secret) = db
        .write_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            rules::add_credential(tx, &ctx, &Manager::operator(), id, &name)
        })
        .map_err(output::explain)?;
    let document = credentials::document(credential.clone(), Some(secret.clone()));
    output::print(options.format, &json!({ "credential": document }), || {
        let facts = [
            ("client", credential.client_id.to_string()),
            ("name", credential.name.clone()),
            ("id", credential.id.to_string()),
            ("secret", secret.expose().to_owned()),
        ];
        format!("{}\nKeep the secret now: it is not shown again.", output::facts(facts))
    })
}

fn list_secrets(options: &Options, client: String) -> Result<()> {
    let (_, db) = options.store()?;
    let found = db
        .read_blocking(move |tx| {
            let id = find::client(tx, &client)?.id;
            clients::list_credentials(tx, id)
        })
        .map_err(output::explain)?;
    let documents: Vec<api::Credential> = found
        .into_iter()
        .map(|credential| credentials::document(credential, None))
        .collect();
    output::print(options.format, &json!({ "credentials": documents }), || {
        let rows = documents.iter().map(|credential| {
            vec![
                credential.name.clone(),
                output::time(credential.created),
                credential.id.to_string(),
            ]
        });
        output::list(&["name", "created (UTC)", "id"], rows)
    })
}

fn delete_secret(options: &Options, client: String, id: CredentialId, confirmation: &Confirmation) -> Result<()> {
    let (_, db) = options.store()?;
    let client = db
        .read_blocking(move |tx| find::client(tx, &client))
        .map_err(output::explain)?;
    let client_id = client.id;
    confirmation.ask(&format!(
        "A secret of {} ({client_id}) is about to be deleted. Whoever uses it cannot authenticate any more.",
        client.name
    ))?;
    let ctx = context();
    let credential = db
        .write_blocking(move |tx| rules::remove_credential(tx, &ctx, &Manager::operator(), client_id, id))
        .map_err(|error: Error| match error.kind() {
            Kind::NotFound("credential") => {
                anyhow!("client {client_id} has no secret {id}; portolan client secret list {client_id} shows them")
            }
            _ => output::explain(error),
        })?;
    let document = credentials::document(credential, None);
    output::print(options.format, &json!({ "credential": document }), || {
        format!(
            "The secret {} is deleted. Tokens that it got live on until they end.",
            document.name
        )
    })
}

/// A client with what is worth to be known beside its document.
struct View {
    document: api::Client,
    project: Option<String>,
    parent: Option<String>,
    children: Vec<Record>,
    /// Its own scopes, as strings.
    scopes: Vec<String>,
    secrets: Vec<Credential>,
    resource_server: Option<String>,
    id_token_algorithm: Option<String>,
    state: &'static str,
}

impl View {
    fn of(tx: &mut ReadTx, client: Record) -> Result<Self, Error> {
        let project = match client.project_id {
            Some(id) => projects::find(tx, id)?.map(|project| format!("{} ({id})", project.display_name)),
            None => None,
        };
        let parent = match client.parent_client_id {
            Some(id) => clients::find(tx, id)?.map(|parent| format!("{} ({id})", parent.name)),
            None => None,
        };
        let own = scopes::list_by_clients(tx, [client.id])?;
        Ok(Self {
            project,
            parent,
            children: clients::list_children(tx, client.id)?,
            scopes: own.into_iter().map(|scope| scope.scope_string).collect(),
            secrets: clients::list_credentials(tx, client.id)?,
            state: match (client.enabled, client.is_template, client.is_instance) {
                (false, ..) => "disabled",
                (_, true, _) => "enabled, a template that devices register from",
                (_, _, true) => "enabled, registered by a device from its parent",
                _ => "enabled",
            },
            document: document(tx, &client)?,
            resource_server: client.resource_server,
            id_token_algorithm: client.id_token_algorithm,
        })
    }

    fn print(&self, options: &Options, json: &Value) -> Result<()> {
        let client = &self.document;
        output::print(options.format, json, || {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let id = |value: Option<IdentityProviderId>| value.map_or(String::new(), |id| id.to_string());
            let children: Vec<String> = self
                .children
                .iter()
                .take(SHOWN_CHILDREN)
                .map(|child| format!("{} ({})", child.name, child.id))
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
                .map(|secret| format!("{} ({})", secret.name, secret.id))
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

/// A template may have thousands of instances.
const SHOWN_CHILDREN: usize = 20;
