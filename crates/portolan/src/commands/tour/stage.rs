//! What the tour plays on: a store in a temporary folder, a server on a free port of this
//! machine, a person, a project, an app and three services that need each other.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use axum::middleware::from_fn_with_state;
use portolan_db::WriteTx;
use portolan_sdk::{ClientOptions, ConfidentialAppAuthClient, EnvironmentVariables, RetryPolicy, TransportConfig};
use portolan_server::app::{Clock, new_uuid};
use portolan_server::domain::client::registration as clients;
use portolan_server::domain::identity::{self, NewLocalIdentity};
use portolan_server::domain::project::{self, Manager};
use portolan_server::domain::scope::registration as scopes;
use portolan_server::{App, Config, Ctx, Error, router, start};
use portolan_types::api::{Change, ClientChanges, ClientType, DependentScope, ProjectChanges, ScopeChanges};
use portolan_types::{ClientId, IdentityId, ScopeId, Secret};
use tempfile::TempDir;

use super::record::{self, Recorder};
use crate::options::context;
use crate::output;

/// Where the portal's logins end. Nothing listens there: the browser of the tour stops before it.
pub const CALLBACK: &str = "https://portal.example.org/callback";

pub struct Stage {
    /// Removed when the tour ends, however it ends.
    pub folder: TempDir,
    pub app: App,
    pub listener: TcpListener,
    pub address: String,
    pub alice: Alice,
    pub portal: Client,
    pub beamline: Service,
    pub archive: Service,
    pub index: Service,
}

pub struct Alice {
    pub id: IdentityId,
    pub username: String,
    pub password: Secret,
}

/// An app with its secret.
#[derive(Clone)]
pub struct Client {
    pub name: &'static str,
    pub id: ClientId,
    pub secret: Secret,
}

/// A service with its scope.
#[derive(Clone)]
pub struct Service {
    pub client: Client,
    pub scope: String,
}

/// What the store holds before the first request.
struct Cast {
    alice: IdentityId,
    username: String,
    portal: Client,
    services: [Service; 3],
}

impl Stage {
    /// Blocks; not to be called from async code.
    pub fn build() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("portolan-tour-")
            .tempdir()
            .context("a temporary folder")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("a free port of this machine")?;
        listener.set_nonblocking(true)?;
        // Nothing of the surroundings counts: no file, no variable, no folder of a real server.
        let config = Config {
            data_dir: folder.path().join("data"),
            listen: listener.local_addr()?,
            ..Config::default()
        };
        let (app, _) = start::start(config, Clock::System)?;
        let password = Secret::new(format!("tour {}", new_uuid()));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let hash = runtime.block_on(app.hasher.hash(password.clone()))?;
        let (ctx, config) = (context(), app.config.clone());
        let cast = app
            .db
            .write_blocking(move |tx| cast(tx, &ctx, &config, &hash))
            .map_err(output::explain)?;
        let [archive, index, beamline] = cast.services;
        Ok(Self {
            address: app.config.public_url(),
            alice: Alice {
                id: cast.alice,
                username: cast.username,
                password,
            },
            portal: cast.portal,
            folder,
            app,
            listener,
            beamline,
            archive,
            index,
        })
    }

    /// Serves until the runtime ends. The listener of `portolan serve` has limits for
    /// strangers, which never come here.
    pub async fn serve(&self, recorder: Recorder) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        let routes = router::router(self.app.clone()).layer(from_fn_with_state(recorder, record::record));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await
    }

    pub fn client(&self, client: &Client) -> portolan_sdk::Result<ConfidentialAppAuthClient> {
        ConfidentialAppAuthClient::with_options(
            client.id.to_string(),
            client.secret.expose(),
            self.options(client.name),
        )
    }

    /// The name of a program travels in its `User-Agent`, so that the record can say who asks.
    /// Requests are sent once: what fails shall be seen.
    pub fn options(&self, name: &str) -> ClientOptions {
        let options = ClientOptions::from_variables(EnvironmentVariables::default());
        let transport = TransportConfig {
            retry: RetryPolicy::never(),
            ..TransportConfig::default()
        };
        options.base_url(&self.address).app_name(name).transport(transport)
    }

    /// Whose id it is.
    pub fn names(&self) -> BTreeMap<String, &'static str> {
        let services = [&self.beamline, &self.archive, &self.index].map(|service| &service.client);
        let clients = services.into_iter().chain([&self.portal]);
        let mut names: BTreeMap<_, _> = clients.map(|client| (client.id.to_string(), client.name)).collect();
        names.insert(self.alice.id.to_string(), "Alice");
        names
    }
}

/// What an operator would do with `portolan user add`, `project create`, `client create`,
/// `client secret create` and `scope create`.
fn cast(tx: &mut WriteTx, ctx: &Ctx, config: &Config, password_hash: &str) -> Result<Cast, Error> {
    let alice = identity::create_local(
        tx,
        ctx,
        &config.local_domain,
        &NewLocalIdentity {
            username: "alice".to_owned(),
            name: "Alice Rivera".to_owned(),
            email: "alice@example.org".to_owned(),
            organization: None,
            password_hash: Some(password_hash.to_owned()),
            administrator: false,
        },
    )?;
    let project = ProjectChanges {
        display_name: Change::Set("Light Source".to_owned()),
        contact_email: Change::Set("controls@example.org".to_owned()),
        admin_ids: Change::Set(vec![alice.id.to_string()]),
        ..ProjectChanges::default()
    };
    let project = project::create(tx, ctx, &Manager::operator(), &project)?.id;
    let client = |tx: &mut WriteTx, name, client_type, redirect_uris: &[&str]| {
        let changes = ClientChanges {
            name: Change::Set(String::from(name)),
            project: Change::Set(project),
            client_type: Change::Set(client_type),
            redirect_uris: Change::Set(redirect_uris.iter().map(|uri| (*uri).to_owned()).collect()),
            ..ClientChanges::default()
        };
        let record = clients::create(tx, ctx, &Manager::operator(), &changes)?;
        let (_, secret) = clients::add_credential(tx, ctx, &Manager::operator(), record.id, "tour")?;
        let id = record.id;
        Ok::<_, Error>((record, Client { name, id, secret }))
    };
    let (_, portal) = client(tx, "Data Portal", ClientType::Confidential, &[CALLBACK])?;
    let service = |tx: &mut WriteTx, name, [suffix, title, description]: [&str; 3], needs: &[DependentScope]| {
        let (record, client) = client(tx, name, ClientType::ResourceServer, &[])?;
        let changes = ScopeChanges {
            name: Change::Set(title.to_owned()),
            description: Change::Set(description.to_owned()),
            scope_suffix: Change::Set(suffix.to_owned()),
            advertised: Change::Set(true),
            dependent_scopes: Change::Set(needs.to_vec()),
            ..ScopeChanges::default()
        };
        let prefix = &config.scope_url_prefix;
        let scope = scopes::create(tx, ctx, &Manager::operator(), prefix, &record, &changes)?;
        let string = scopes::spell(prefix, &client.id.to_string(), suffix)?;
        Ok::<_, Error>((scope.id, Service { client, scope: string }))
    };
    let (keep, archive) = service(tx, "Archive", ["keep", "Keep files", "Stores the files of a scan"], &[])?;
    let (add, index) = service(tx, "Index", ["add", "Make findable", "Adds scans to the search"], &[])?;
    let needs = [need(keep, false), need(add, true)];
    let (_, beamline) = service(
        tx,
        "Beamline",
        ["scan", "Run scans", "Runs scans at the beamline"],
        &needs,
    )?;
    Ok(Cast {
        alice: alice.id,
        username: alice.username,
        portal,
        services: [archive, index, beamline],
    })
}

/// The beamline goes on while Alice is away, so it needs refresh tokens.
fn need(scope: ScopeId, optional: bool) -> DependentScope {
    DependentScope {
        scope,
        optional,
        requires_refresh_token: true,
    }
}
