//! `portolan serve`: the listeners, their limits, health, and an orderly end.

use std::fs::{File, TryLockError};
use std::future::{Ready, ready};
use std::io::{self, IsTerminal, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use http::{StatusCode, header};
use hyper_util::rt::TokioTimer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;
use tracing_subscriber::EnvFilter;

use crate::app::{App, Clock};
use crate::config::{Config, ConfigError, LogFormat};
use crate::start::{self, StartError, Started};
use crate::store::settings;
use crate::{jobs, notify, router};

/// How long requests may go on after the signal to stop.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// The largest header of a request.
const HEADER_BYTES: usize = 64 * 1024;
/// Hashing is bounded by itself; what else blocks is short.
const BLOCKING_THREADS: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot listen on {address}: {source}. {}", listen_remedy(.source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0}: {1}")]
    Tls(String, String),
    #[error("{0}")]
    Locked(String),
    #[error("the server ended: {0}")]
    Io(#[from] io::Error),
}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self::Start(error.into())
    }
}

fn listen_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "Another program uses this port: choose another one with --listen, or port 0",
        io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: choose a higher one with --listen",
        io::ErrorKind::AddrNotAvailable => "This machine has no such address: correct --listen",
        _ => "Correct --listen",
    }
}

/// Runs until a signal ends it.
pub fn serve(mut config: Config) -> Result<(), ServeError> {
    start_logging(&config);
    start::create_folder(&config.data_dir)?;
    let mut lock = lock_data_folder(&config.data_dir)?;
    let tls = tls_settings(&config)?;
    let listener = bind(&mut config.listen)?;
    let metrics_listener = config.metrics_listen.as_mut().map(bind).transpose()?;
    let (app, started) = start::start(config, Clock::System)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(5))
        .enable_all()
        .build()?;
    // For whoever looks after this server and does not know its port.
    lock.set_len(0)?;
    writeln!(lock, "{}", app.config.public_url())?;
    let result = runtime.block_on(run(app.clone(), started, listener, metrics_listener, tls));
    // Tasks hold clones of the app; the store closes with the last one.
    runtime.shutdown_timeout(Duration::from_secs(1));
    app.db.clone().close();
    tracing::info!("stopped");
    result
}

async fn run(
    app: App,
    started: Started,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    tls: Option<RustlsConfig>,
) -> Result<(), ServeError> {
    let signals = Signals::new()?;
    let handle = Handle::new();
    let mut servers = tokio::task::JoinSet::new();
    let routes = router::router(app.clone());
    servers.spawn(listen(
        app.config.clone(),
        listener,
        routes,
        tls.clone(),
        handle.clone(),
    ));
    if let Some(listener) = metrics_listener {
        tracing::info!(address = %listener.local_addr()?, "metrics");
        servers.spawn(listen(
            app.config.clone(),
            listener,
            operator_routes(app.clone()),
            None,
            handle.clone(),
        ));
    }
    let jobs = jobs::start(&app);
    if handle.listening().await.is_some() {
        announce(&app, &started)?;
        notify::manager("READY=1");
    }
    tokio::select! {
        reason = signals.stop(&app, tls) => tracing::info!(reason, "stopping"),
        Some(ended) = servers.join_next() => return ended.map_err(io::Error::other)?.map_err(ServeError::from),
    }
    notify::manager("STOPPING=1");
    drop(jobs);
    handle.graceful_shutdown(Some(SHUTDOWN));
    while let Some(ended) = servers.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// The two lines that people and scripts wait for.
fn announce(app: &App, started: &Started) -> io::Result<()> {
    if !started.migrations.is_empty() {
        tracing::info!(versions = ?started.migrations, "migrations applied");
    }
    let allowed = &app.config.outgoing_allow;
    if !allowed.is_empty() {
        let networks = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            networks,
            "outgoing_allow: this server may call machines in these networks"
        );
    }
    let mut out = io::stdout().lock();
    if let Some(link) = &started.setup_link {
        writeln!(out, "Create the first administrator at {link}")?;
    }
    writeln!(out, "portolan ready at {}", app.config.public_url())?;
    out.flush()
}

fn bind(address: &mut SocketAddr) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Listen {
        address: *address,
        source,
    };
    let listener = TcpListener::bind(*address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    *address = listener.local_addr().map_err(failed)?;
    Ok(listener)
}

/// HTTP/1.1 only, with or without TLS: what looks for HTTP/2 waits for a first byte
/// without any limit of time, and proxies speak HTTP/1.1 to us. Said last, because a new
/// acceptor forgets it.
async fn listen(
    config: Config,
    listener: TcpListener,
    routes: Router,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.limits.header_seconds))
        .max_buf_size(HEADER_BYTES);
    let connections = Arc::new(Semaphore::new(config.limits.connections));
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        None => {
            server
                .acceptor(Bounded { connections })
                .http1_only()
                .serve(service)
                .await
        }
        Some(tls) => {
            let handshake = Duration::from_secs(config.limits.header_seconds);
            let acceptor = RustlsAcceptor::new(tls)
                .handshake_timeout(handshake)
                .acceptor(Bounded { connections });
            server.acceptor(acceptor).http1_only().serve(service).await
        }
    }
}

/// Closes connections beyond the limit at once: those that are open go on.
#[derive(Clone)]
struct Bounded {
    connections: Arc<Semaphore>,
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = TcpStream;
    type Service = Counted<S>;
    type Future = Ready<io::Result<(TcpStream, Counted<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = self.connections.clone().try_acquire_owned() else {
            tracing::warn!("the limit of connections is reached; a connection was closed");
            return ready(Err(io::Error::other("too many connections")));
        };
        // Answers are small: waiting to fill a packet only delays them.
        ready(stream.set_nodelay(true).map(|()| {
            (
                stream,
                Counted {
                    service,
                    _permit: Arc::new(permit),
                },
            )
        }))
    }
}

/// The service of one connection; its place is free again when the last clone is gone.
#[derive(Clone)]
struct Counted<S> {
    service: S,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}

fn tls_settings(config: &Config) -> Result<Option<RustlsConfig>, ServeError> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate_file, &config.tls_key_file) else {
        return Ok(None);
    };
    Ok(Some(RustlsConfig::from_config(load_tls(certificate, key)?)))
}

fn load_tls(certificate: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let failed = |path: &Path, reason: &dyn std::fmt::Display| {
        ServeError::Tls(path.display().to_string(), format!("not usable for TLS: {reason}"))
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|reason| failed(certificate, &reason))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"it holds no certificate (PEM)"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|reason| failed(key, &reason))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|reason| failed(certificate, &reason))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|reason| failed(certificate, &reason))?;
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(settings))
}

/// The signals that the server listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal to stop; on SIGHUP reads the certificate again.
    async fn stop(mut self, app: &App, tls: Option<RustlsConfig>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload_tls(app, tls.as_ref()),
            }
        }
    }
}

fn reload_tls(app: &App, tls: Option<&RustlsConfig>) {
    let files = (&app.config.tls_certificate_file, &app.config.tls_key_file);
    let (Some(tls), (Some(certificate), Some(key))) = (tls, files) else {
        return;
    };
    match load_tls(certificate, key) {
        Ok(settings) => {
            tls.reload_from_config(settings);
            tracing::info!("the certificate was read again");
        }
        Err(error) => tracing::error!(%error, "the certificate could not be read again; the old one stays in use"),
    }
}

/// Whoever starts a second server on the same folder by mistake is told so. The lock ends
/// with the process, however it ends.
pub fn lock_data_folder(folder: &Path) -> Result<File, ServeError> {
    let path = folder.join("serve.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| ServeError::Locked(format!("{} cannot be opened: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::Locked(format!(
            "a server is running on {} (its lock {} is held). Stop it first, or use another --data-dir",
            folder.display(),
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(ServeError::Locked(format!(
            "{} cannot be locked: {error}",
            path.display()
        ))),
    }
}

/// The public address of the server that runs on a data folder, if one does.
pub fn running_server(folder: &Path) -> Option<String> {
    let path = folder.join("serve.lock");
    // Looking must not make a folder nor a lock.
    if !path.exists() || lock_data_folder(folder).is_ok() {
        return None;
    }
    Some(std::fs::read_to_string(path).unwrap_or_default().trim().to_owned())
}

/// `GET /healthz`: the process answers.
pub async fn healthz() -> Response {
    plain(StatusCode::OK, "ok\n")
}

/// `GET /readyz`: the store answers too.
pub async fn readyz(State(app): State<App>) -> Response {
    let check = tokio::time::timeout(Duration::from_secs(2), settings::is_reachable(&app.db));
    match check.await {
        Ok(Ok(())) => plain(StatusCode::OK, "ready\n"),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let page = app.metrics.render(&app.db);
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        page,
    )
        .into_response()
}

fn operator_routes(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(app)
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// Logs go to standard error, so that standard output stays for the two lines above.
fn start_logging(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).expect("the configuration was validated");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A second start in one process, as in tests, keeps the first one's logging.
    let _ = match config.log_format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("without words");
        tracing::error!(place, "panic: {text}");
    }));
}
