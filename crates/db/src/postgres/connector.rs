//! How a connection to PostgreSQL is made: address, encryption, settings.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::convert::explain;
use crate::{Durability, Error, Options};

#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    durability: Durability,
    pub(super) statement_timeout: Duration,
}

impl Connector {
    pub(super) fn new(options: &Options) -> Result<Connector, Error> {
        // With a file of authorities every mode but `disable` checks the name as well, so the
        // strictest one of PostgreSQL's own clients is what it always is.
        let url = options.url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = url.parse().map_err(|error| {
            Error::unavailable(format!("the database URL is not understood: {error}")).because(error)
        })?;
        config
            .application_name("portolan")
            .keepalives_idle(Duration::from_secs(30));
        let tls = match (&options.tls_ca_file, config.get_ssl_mode()) {
            (_, SslMode::Disable) => None,
            (None, SslMode::Require) => {
                return Err(Error::unavailable(
                    "sslmode=require and verify-full need the certificate file of PostgreSQL's certification authority, \
                     because an unchecked certificate protects from nobody",
                ));
            }
            (None, _) => None,
            (Some(file), _) => {
                config.ssl_mode(SslMode::Require);
                Some(tls_from(file)?)
            }
        };
        Ok(Connector {
            config,
            tls,
            durability: options.durability,
            statement_timeout: options.statement_timeout,
        })
    }

    pub(super) async fn connect(&self) -> Result<(Client, tokio::task::JoinHandle<()>), Error> {
        let refused = |error| self.explain_refusal(&error);
        let (client, task) = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(refused)?;
            (client, tokio::spawn(drive(connection)))
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(refused)?;
            (client, tokio::spawn(drive(connection)))
        };
        let durability = match self.durability {
            // A server may be set to wait for its replicas as well; that is not weakened.
            Durability::Full => {
                "SELECT set_config('synchronous_commit', 'on', false)
                  WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            }
            Durability::Off => "SET synchronous_commit = off",
        };
        // One plan for each statement, made once and by indexes alone, as the plans are that the
        // tests look at: planning anew costs more than most statements, and a server that knows
        // nothing of its tables yet would read them whole.
        let settings = format!(
            "SET statement_timeout = {};
             SET idle_in_transaction_session_timeout = 60000;
             SET default_transaction_read_only = on;
             SET plan_cache_mode = force_generic_plan;
             SET enable_seqscan = off;
             SET enable_mergejoin = off;
             SET enable_hashjoin = off;
             SET enable_material = off;
             SET jit = off;
             {durability}",
            self.statement_timeout.as_millis().max(1)
        );
        client.batch_execute(&settings).await.map_err(refused)?;
        Ok((client, task))
    }

    /// Where the server is, without user and password.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let ports = self.config.get_ports().iter().map(u16::to_string).collect::<Vec<_>>();
        let port = if ports.is_empty() {
            "5432".to_owned()
        } else {
            ports.join(",")
        };
        format!("PostgreSQL at {} port {port}", hosts.collect::<Vec<_>>().join(","))
    }

    fn explain_refusal(&self, error: &tokio_postgres::Error) -> Error {
        let source = std::error::Error::source(error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        let (text, remedy) = match error.as_db_error() {
            Some(db) => {
                let remedy = match db.code().code() {
                    "28P01" | "28000" => "check user and password in the database URL, and pg_hba.conf",
                    "3D000" => "create the database first: createdb",
                    "53300" => "raise max_connections there, or use fewer connections here",
                    "57P03" => "it is starting or stopping, try again",
                    _ => "see its log",
                };
                (db.message().to_owned(), remedy)
            }
            None => (
                format!("{error}{source}"),
                "does it run, does it listen there, do its TLS settings agree?",
            ),
        };
        Error::unavailable(format!("{} refuses the connection ({text}): {remedy}", self.place()))
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(error = %explain(&error), "a PostgreSQL connection ended");
    }
}

/// Only the given authority is trusted, and the name of the server must match its certificate.
fn tls_from(file: &std::path::Path) -> Result<MakeRustlsConnect, Error> {
    let unreadable = |reason: String| {
        Error::unavailable(format!(
            "the certificate file {} cannot be used: {reason}",
            file.display()
        ))
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("it holds no certificate in PEM form".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
