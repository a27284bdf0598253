//! The built-in catalogue: what a server knows from its first start (wire.md 1.1, 1.4,
//! 1.10). The entries are data (`catalogue.toml`); this file installs them.
//!
//! Installing runs at every start and is idempotent. Names and descriptions of scopes and
//! providers follow the file, so that a release can improve them; everything else that
//! was installed once belongs to the operator. A client that he deleted left a closed
//! identity behind and does not come back: an id is never used again.

mod respelling;

use portolan_db::WriteTx;
use portolan_types::{ClientId, IdentityProviderId, ProjectId, ScopeId};
use serde::Deserialize;
use uuid::Uuid;

use crate::app::Ctx;
use crate::config::Config;
use crate::domain::client::{self, NewClient, PUBLIC_INSTALLED, RESOURCE_SERVER};
use crate::error::{Error, Result};
use crate::store::identity_providers::{self, CLIENTS, CLIENTS_DOMAIN, IdentityProvider, LOCAL};
use crate::store::scopes::NewScope;
use crate::store::{clients, identities, projects, scopes};
use respelling::{localize_name, localize_scope, rename, respell_addresses};

/// Auth's own name in the file; the setting `resource_server_name` takes its place.
const OWN_NAME: &str = "auth.globus.org";
const OWN_URN_PREFIX: &str = "urn:globus:auth:scope:auth.globus.org:";
/// The setting `scope_url_prefix` takes its place.
const SCOPE_URL_PREFIX: &str = "https://auth.globus.org/scopes/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    project: ProjectEntry,
    identity_providers: Vec<ProviderEntry>,
    resource_servers: Vec<ResourceServerEntry>,
    apps: Vec<AppEntry>,
    templates: Vec<AppEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectEntry {
    id: Uuid,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderEntry {
    id: Uuid,
    name: String,
    short_name: String,
    domains: Vec<String>,
    alternative_names: Vec<String>,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceServerEntry {
    id: Uuid,
    name: String,
    /// The name in token answers; none: the id.
    resource_server: Option<String>,
    #[serde(default)]
    optional: bool,
    scopes: Vec<ScopeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeEntry {
    id: Uuid,
    scope: String,
    name: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppEntry {
    id: Uuid,
    name: String,
    #[serde(default)]
    optional: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AppKind {
    App,
    Template,
}

fn entries() -> Catalogue {
    toml::from_str(include_str!("../catalogue.toml")).expect("the file is part of the program and a test reads it")
}

/// Brings the store up to the catalogue.
pub fn install(tx: &mut WriteTx, ctx: &Ctx, config: &Config) -> Result<()> {
    let catalogue = entries();
    install_own_providers(tx, ctx, config)?;
    for provider in catalogue
        .identity_providers
        .iter()
        .filter(|entry| config.catalogue || !entry.optional)
    {
        install_placeholder(tx, ctx, provider)?;
    }
    let project_id = ProjectId(catalogue.project.id);
    debug_assert_eq!(project_id, projects::BUILT_IN);
    let contact = format!("operator@{}", config.local_domain);
    projects::insert(tx, project_id, &catalogue.project.name, &contact, ctx.now)?;
    for server in catalogue
        .resource_servers
        .iter()
        .filter(|entry| config.catalogue || !entry.optional)
    {
        install_resource_server(tx, ctx, config, project_id, server)?;
    }
    let apps = catalogue.apps.iter().map(|app| (app, AppKind::App));
    let templates = catalogue.templates.iter().map(|app| (app, AppKind::Template));
    for (app, kind) in apps.chain(templates) {
        if config.catalogue || !app.optional {
            install_app(tx, ctx, project_id, app, kind)?;
        }
    }
    respell_addresses(tx, config)
}

/// The providers that this server itself stands for: clients, and people with a local account.
fn install_own_providers(tx: &mut WriteTx, ctx: &Ctx, config: &Config) -> Result<()> {
    let own = [
        (CLIENTS, "Clients", "clients", "client", CLIENTS_DOMAIN),
        (LOCAL, "Local accounts", "local", "local", config.local_domain.as_str()),
    ];
    for (id, name, short_name, kind, domain) in own {
        // A second provider of a domain could assert the usernames of the first.
        let owner = identity_providers::find_by_domain(tx, domain)?;
        if let Some(owner) = owner.filter(|owner| owner.id != id) {
            return Err(Error::conflict(format!(
                "local_domain = \"{domain}\": usernames of this domain belong to the identity provider \"{}\"; choose another",
                owner.name
            )));
        }
        let provider = IdentityProvider {
            id,
            name: name.into(),
            short_name: short_name.into(),
            kind: kind.into(),
            alternative_names: "[]".into(),
            enabled: true,
        };
        identity_providers::upsert(tx, &provider, &[domain], ctx.now)?;
    }
    Ok(())
}

/// A provider that cannot authenticate anybody here, but whose usernames can be looked up.
/// A domain that is already somebody's stays with them.
fn install_placeholder(tx: &mut WriteTx, ctx: &Ctx, entry: &ProviderEntry) -> Result<()> {
    let provider = IdentityProvider {
        id: IdentityProviderId(entry.id),
        name: entry.name.clone(),
        short_name: entry.short_name.clone(),
        kind: "placeholder".into(),
        alternative_names: serde_json::json!(entry.alternative_names).to_string(),
        enabled: true,
    };
    let domains: Vec<&str> = entry.domains.iter().map(String::as_str).collect();
    identity_providers::upsert(tx, &provider, &domains, ctx.now)
}

fn install_resource_server(
    tx: &mut WriteTx,
    ctx: &Ctx,
    config: &Config,
    project_id: ProjectId,
    entry: &ResourceServerEntry,
) -> Result<()> {
    let id = ClientId(entry.id);
    if clients::find(tx, id)?.is_none() {
        if identities::find(tx, id.identity())?.is_some() {
            return Ok(());
        }
        let new = NewClient {
            id: Some(id),
            name: entry.name.clone(),
            client_type: RESOURCE_SERVER.into(),
            project_id: Some(project_id),
            visibility: Some("public".into()),
            resource_server: entry.resource_server.as_deref().map(|name| localize_name(config, name)),
            ..NewClient::default()
        };
        client::register(tx, ctx, &new)?;
    }
    let name = entry.resource_server.as_deref().map(|name| localize_name(config, name));
    if entry.resource_server.as_deref() == Some(OWN_NAME) {
        let mut client = clients::get(tx, id)?;
        if client.resource_server != name {
            client.resource_server.clone_from(&name);
            clients::update(tx, &client)?;
        }
    }
    // Well-known services are found by their domain names, as those that registered one.
    if let Some(fqdn) = name.filter(|name| name.contains('.')) {
        clients::insert_fqdn(tx, id, &fqdn.to_ascii_lowercase(), ctx.now)?;
    }
    for scope in &entry.scopes {
        let scope_string = localize_scope(config, &scope.scope);
        // Only scopes made of prefix, owner and suffix have one; the others are names of their own.
        let suffix = scope
            .scope
            .strip_prefix(SCOPE_URL_PREFIX)
            .and_then(|rest| rest.rsplit_once('/'));
        let new = NewScope {
            id: ScopeId(scope.id),
            client_id: id,
            scope_string: &scope_string,
            suffix: suffix.map(|(_, suffix)| suffix),
            name: &scope.name,
            description: &scope.description,
            advertised: true,
            // Also openid and its kin: the command line keeps a refresh token of this server.
            allows_refresh_token: true,
            required_domains: &[],
        };
        scopes::upsert(tx, &new, ctx.now)?;
        if scope.scope.starts_with(OWN_URN_PREFIX) {
            rename(tx, new.id, &scope_string)?;
        }
    }
    Ok(())
}

/// A program on people's own machines; of a template each of them registers its own instance.
fn install_app(tx: &mut WriteTx, ctx: &Ctx, project_id: ProjectId, entry: &AppEntry, kind: AppKind) -> Result<()> {
    let id = ClientId(entry.id);
    if clients::find(tx, id)?.is_some() || identities::find(tx, id.identity())?.is_some() {
        return Ok(());
    }
    let new = NewClient {
        id: Some(id),
        name: entry.name.clone(),
        client_type: PUBLIC_INSTALLED.into(),
        project_id: Some(project_id),
        visibility: Some("public".into()),
        is_template: kind == AppKind::Template,
        ..NewClient::default()
    };
    client::register(tx, ctx, &new)?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
