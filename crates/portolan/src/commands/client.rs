//! `portolan client`: clients and their secrets, on the store as its operator
//! (client/store.rs), or over the network (client/network.rs).

mod network;
mod store;
mod view;

use anyhow::Result;
use clap::{Args, Subcommand};
use portolan_types::api::{Change, ClientChanges, ClientType, LinkChanges, Visibility};
use portolan_types::{CredentialId, IdentityProviderId};

use crate::options::Options;
use crate::output::Confirmation;
use crate::place::Place;
use crate::typed::{replace, set, yes_or_no};

/// What a change is refused with that names none.
const NOTHING: &str = "nothing to change: portolan client update --help shows what can be given";

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
    /// The project it belongs to: id or name [default on the store: "Operators"]
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
    /// `find` knows identity providers.
    fn changes<E>(&self, mut find: impl FnMut(&str) -> Result<IdentityProviderId, E>) -> Result<ClientChanges, E> {
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
            required_idp: provider(self.required_idp.as_deref(), &mut find)?,
            preselect_idp: provider(self.preselect_idp.as_deref(), &mut find)?,
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

fn provider<E>(
    text: Option<&str>,
    find: &mut impl FnMut(&str) -> Result<IdentityProviderId, E>,
) -> Result<Change<IdentityProviderId>, E> {
    Ok(match text {
        None => Change::Keep,
        Some("none") => Change::Clear,
        Some(text) => Change::Set(find(text)?),
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
    /// On the store: also those that devices registered from a template, as the command line does
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
        match options.place()? {
            Place::Server(session) => network::run(self, options, &session),
            Place::Store => store::run(self, options),
        }
    }
}

impl Create {
    /// All but the project.
    fn changes<E>(&self, find: impl FnMut(&str) -> Result<IdentityProviderId, E>) -> Result<ClientChanges, E> {
        Ok(ClientChanges {
            name: Change::Set(self.name.clone()),
            client_type: Change::Set(self.client_type),
            userinfo_from_effective_identity: set(self.userinfo_from_effective_identity),
            prompt_for_named_grant: set(self.prompt_for_named_grant),
            ..self.members.changes(find)?
        })
    }
}

impl Update {
    fn changes<E>(&self, find: impl FnMut(&str) -> Result<IdentityProviderId, E>) -> Result<ClientChanges, E> {
        let mut changes = ClientChanges {
            name: set(self.name.clone()),
            ..self.members.changes(find)?
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
        Ok(changes)
    }
}
