//! `cargo xtask bench`: how much the server does, and what it costs.
//!
//! Everything that is compared runs in one run on one machine, with the same load
//! generator: Portolan on both engines, a bare handler as the unit, the raw insert rate
//! of the driver as the ceiling for issuance, and npm's oidc-provider as the peer.
//! `bench/README.md` explains the columns.

mod browser;
mod fixture;
mod http;
mod load;
mod machine;
mod peer;
mod report;
mod revocations;
mod servers;
mod workloads;

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::process::Signal;

use self::{
    fixture::{Programs, SIGNED_IN, Store},
    load::{Span, Workload},
    peer::Peer,
    report::{Process, Report, Row},
    servers::Server,
    workloads::{CodeFlow, DependentTokens, Fixed, Introspect, PROVIDERS, ProviderSearch, Refresh, Signature},
};
use crate::{
    postgres::Cluster,
    process::{Running, capture, cargo, run as run_command},
    setup,
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
const STARTS: usize = 5;
/// How long a started server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// Node compiles a function once it has been called often: the peer gets this long for
/// each operation before anything of it is measured.
const PEER_PRACTICE: Duration = Duration::from_secs(3);
/// The length of an answer when no store is measured that could tell it.
const USUAL_ANSWER: usize = 600;

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// A short run: one second for each line, 10 k tokens
    #[arg(long)]
    quick: bool,
    /// Measure only these operations
    #[arg(long, value_enum)]
    only: Vec<Operation>,
    /// Measure only these
    #[arg(long, value_enum)]
    engine: Vec<Engine>,
    /// Live tokens in the store; 10000 and 1000000 when not given
    #[arg(long)]
    tokens: Vec<u64>,
    /// Seconds for each line of the table
    #[arg(long)]
    seconds: Option<f64>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Put the table into this document, between its two markers
    #[arg(long)]
    write: Option<PathBuf>,
    /// Fill the stores anew
    #[arg(long)]
    fresh: bool,
    /// Fail when a target is missed
    #[arg(long)]
    check: bool,
    /// Measure the programs as they were built before
    #[arg(long)]
    no_build: bool,
    /// The build profile; figures of any other than `dist` are good for trying out only
    #[arg(long, default_value = "dist")]
    profile: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Operation {
    Startup,
    Introspect,
    IntrospectInclude,
    Discovery,
    ClientCredentials,
    /// The dependent token grant
    Dependent,
    /// What an introspection costs its caller, by the SDK and by the HTTP client below it
    Sdk,
    Refresh,
    CodeRs256,
    CodeEs256,
    Raw,
    /// Revoking consents
    Revoke,
    LoginPage,
    /// Searching an identity provider on the login page
    ProviderSearch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
    /// The peer
    OidcProvider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl BenchArgs {
    fn measures(&self, engine: Engine) -> bool {
        self.engine.is_empty() || self.engine.contains(&engine)
    }
}

pub fn run(args: BenchArgs) -> Result<()> {
    if cfg!(debug_assertions) && args.profile != "dev" {
        return run_optimised(&args);
    }
    let state = setup::target().join("bench");
    fs::create_dir_all(&state)?;
    let mut bench = Bench::new(args, state)?;
    // The cluster ends with this function, after every server that uses it.
    let cluster = if bench.measures(Engine::Postgres) {
        Some(Cluster::start(true)?)
    } else {
        None
    };
    bench.run(cluster.as_ref())?;

    bench.report.relate();
    match bench.args.format {
        Format::Text => print!("{}", bench.report.text()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&bench.report)?),
    }
    if let Some(path) = &bench.args.write {
        bench.report.write(path)?;
    }
    let missed = bench.report.targets.iter().filter(|target| !target.met).count();
    if bench.args.check && missed > 0 {
        bail!("{missed} targets were missed");
    }
    Ok(())
}

/// The load generator takes its CPU time from the server's, so it has to be as quick:
/// builds this program with the profile of the server and lets that do the work.
fn run_optimised(args: &BenchArgs) -> Result<()> {
    let profile = &args.profile;
    let mut build = cargo();
    build
        .current_dir(setup::root())
        .args(["build", "--locked", "--profile", profile, "--package", "xtask"]);
    run_command(&mut build, &setup::log("bench-setup"), BUILD_LIMIT)?;
    let mut command = Command::new(setup::target().join(profile).join("xtask"));
    command.args(std::env::args_os().skip(1));
    let status = Running::spawn(&mut command, Signal::TERM)?.wait(RUN_LIMIT)?;
    if !status.success() {
        bail!("the benchmark failed");
    }
    Ok(())
}

struct Bench {
    args: BenchArgs,
    state: PathBuf,
    programs: Programs,
    /// Runs beside everything that is measured.
    bare: Option<Server>,
    span: Span,
    report: Report,
}

/// Drives a server until it is no longer getting quicker: what is looked up at random has to
/// come from the disk once, and that is not what is to be measured.
fn settle<W: Workload>(server: &Server, workload: impl Fn() -> W) -> Result<()> {
    let span = Span {
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(3),
    };
    let mut best = 0.0;
    for _ in 0..20 {
        let rate = load::run(server.address, 16, span, &mut workload(), &|| server.cpu())?.rate();
        if rate < best * 1.03 {
            break;
        }
        best = rate;
    }
    Ok(())
}

impl Bench {
    fn new(args: BenchArgs, state: PathBuf) -> Result<Bench> {
        let seconds = args.seconds.unwrap_or(if args.quick { 1.0 } else { 5.0 });
        if !(0.1..=3600.0).contains(&seconds) {
            bail!("--seconds must be between 0.1 and 3600");
        }
        let measured = Duration::from_secs_f64(seconds);
        let report = Report {
            date: capture(Command::new("date").args(["-u", "+%Y-%m-%d"]))?
                .trim()
                .to_owned(),
            machine: machine::description(&state),
            seconds_per_cell: seconds,
            rows: Vec::new(),
            processes: Vec::new(),
            targets: Vec::new(),
        };
        let programs = build(&args)?;
        Ok(Bench {
            args,
            state,
            programs,
            bare: None,
            span: Span {
                warm_up: measured / 5,
                measured,
            },
            report,
        })
    }

    fn measures(&self, engine: Engine) -> bool {
        self.args.measures(engine)
    }

    fn wants(&self, operation: Operation) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&operation)
    }

    fn wants_any(&self, operations: &[Operation]) -> bool {
        operations.iter().any(|operation| self.wants(*operation))
    }

    fn run(&mut self, cluster: Option<&Cluster>) -> Result<()> {
        let stores = self.stores(cluster)?;
        let answer = match stores.first().and_then(|(_, stores)| stores.first()) {
            Some(store) => introspection_length(&self.programs, store)?,
            None => USUAL_ANSWER,
        };
        self.bare = Some(Server::bare(&self.programs.bare, answer)?);
        self.bare()?;
        for (engine, stores) in &stores {
            self.engine(engine, stores, cluster)?;
        }
        if self.measures(Engine::OidcProvider) {
            self.peer()?;
        }
        Ok(())
    }

    /// The filled stores of each product engine, the smallest first.
    fn stores(&self, cluster: Option<&Cluster>) -> Result<Vec<(&'static str, Vec<Store>)>> {
        let mut sizes = self.args.tokens.clone();
        if sizes.is_empty() {
            sizes = if self.args.quick {
                vec![10_000]
            } else {
                vec![10_000, 1_000_000]
            };
        }
        sizes.sort_unstable();
        if !self.wants_any(&[Operation::Introspect, Operation::IntrospectInclude]) {
            sizes.truncate(1);
        }
        let mut stores = Vec::new();
        if self.measures(Engine::Sqlite) {
            let filled = sizes
                .iter()
                .map(|tokens| Store::sqlite(&self.programs, &self.state, *tokens, self.args.fresh));
            stores.push((report::SQLITE, filled.collect::<Result<_>>()?));
        }
        if let Some(cluster) = cluster {
            let filled = sizes
                .iter()
                .map(|tokens| Store::postgres(&self.programs, &self.state, *tokens, cluster));
            stores.push(("postgres", filled.collect::<Result<_>>()?));
        }
        Ok(stores)
    }

    /// The unit of the ratios, in turns with everything else.
    fn bare(&mut self) -> Result<()> {
        let bare = self.bare.take().context("the bare handler was not started")?;
        self.measure(report::BARE, "none", None, &bare, Fixed::bare)?;
        self.bare = Some(bare);
        Ok(())
    }

    fn engine(&mut self, engine: &str, stores: &[Store], cluster: Option<&Cluster>) -> Result<()> {
        let (smallest, larger) = stores.split_first().context("at least one size")?;
        if self.wants(Operation::Startup) {
            let process = startup(&self.programs, engine, smallest)?;
            self.report.processes.push(process);
        }
        let store = smallest.working_copy(&self.state)?;
        let server = store.start(&self.programs)?;
        self.introspection(engine, &store, &server)?;
        self.issuance(engine, &store, &server)?;
        if self.wants(Operation::Sdk) && engine == report::SQLITE {
            self.callers(engine, &store, &server)?;
        }
        let memory = server.memory()?;
        drop(server);
        if let Some(process) = self
            .report
            .processes
            .iter_mut()
            .find(|process| process.engine == engine)
        {
            process.memory_after_load_megabytes = Some(megabytes(memory.resident));
            process.own_memory_after_load_megabytes = Some(megabytes(memory.own));
        }
        if self.wants(Operation::Raw) {
            self.raw(report::RAW, engine, &store, cluster, None)?;
            self.raw(report::RAW_ALONE, engine, &store, cluster, Some(CONNECTIONS[2]))?;
        }
        if self.wants(Operation::Revoke) {
            self.revocation(engine, &store)?;
        }
        if self.wants_any(&[Operation::LoginPage, Operation::ProviderSearch]) {
            self.login_page(engine, &store)?;
        }
        for store in larger {
            let server = store.start(&self.programs)?;
            self.introspection(engine, store, &server)?;
        }
        Ok(())
    }

    fn introspection(&mut self, engine: &str, store: &Store, server: &Server) -> Result<()> {
        if !self.wants_any(&[Operation::Introspect, Operation::IntrospectInclude]) {
            return Ok(());
        }
        let (endpoints, service) = (fixture::endpoints(), &store.registered.service);
        let tokens = store.access_tokens()?;
        let size = Some(store.tokens);
        settle(server, || Introspect::new(&endpoints, service, &tokens, None))?;
        if self.wants(Operation::Introspect) {
            let workload = || Introspect::new(&endpoints, service, &tokens, None);
            self.lines(report::INTROSPECT, engine, size, server, workload)?;
        }
        if self.wants(Operation::IntrospectInclude) {
            let workload = || Introspect::new(&endpoints, service, &tokens, Some("identity_set,session_info"));
            self.lines("introspect with include", engine, size, server, workload)?;
        }
        Ok(())
    }

    fn issuance(&mut self, engine: &str, store: &Store, server: &Server) -> Result<()> {
        let endpoints = fixture::endpoints();
        let app = &store.registered.app;
        let size = Some(store.tokens);
        if self.wants(Operation::Discovery) {
            self.lines("discovery", engine, size, server, || Fixed::discovery(&endpoints))?;
        }
        if self.wants(Operation::ClientCredentials) {
            let scope = store.scope();
            let workload = || Fixed::client_credentials(&endpoints, app, &scope);
            self.lines(report::CLIENT_CREDENTIALS, engine, size, server, workload)?;
        }
        if self.wants(Operation::Dependent) {
            let (front, tokens) = (&store.registered.front, store.presented_tokens()?);
            let workload = || DependentTokens::new(&endpoints, front, &tokens);
            self.lines(report::DEPENDENT, engine, size, server, workload)?;
        }
        if self.wants(Operation::Refresh) {
            let tokens = store.refresh_tokens()?;
            self.lines("refresh", engine, size, server, || {
                Refresh::new(&endpoints, app, &tokens)
            })?;
        }
        if self.wants_any(&[Operation::CodeRs256, Operation::CodeEs256]) {
            let sessions = store.sign_in(server)?;
            if self.wants(Operation::CodeRs256) {
                let workload = || CodeFlow::new(&endpoints, app, &sessions, Signature::Rs256);
                self.lines(report::CODE_RS256, engine, size, server, workload)?;
            }
            if self.wants(Operation::CodeEs256) {
                let app = &store.registered.app_es256;
                let workload = || CodeFlow::new(&endpoints, app, &sessions, Signature::Es256);
                self.lines("code flow, ES256", engine, size, server, workload)?;
            }
        }
        Ok(())
    }

    /// The CPU time of the caller, which here is not the server's.
    fn callers(&mut self, engine: &str, store: &Store, server: &Server) -> Result<()> {
        let (service, seconds) = (&store.registered.service, self.span.measured.as_secs_f64() * 2.0);
        let mut command = Command::new(&self.programs.introspections);
        command.arg(format!("http://{}", server.address));
        command.args([&service.id, &service.secret]);
        command.arg(store.access_token_file()).arg(seconds.to_string());
        // Settings of the person's own programs are not ours.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GLOBUS_") {
                command.env_remove(name);
            }
        }
        let found: serde_json::Value = serde_json::from_str(&capture(&mut command)?)?;
        for (operation, name) in [(report::SDK, "sdk"), (report::REQWEST, "raw")] {
            let number = |member: &str| {
                found[name][member]
                    .as_f64()
                    .with_context(|| format!("no {member} in {found}"))
            };
            self.report.rows.push(Row {
                operation: operation.to_owned(),
                engine: engine.to_owned(),
                tokens: Some(store.tokens),
                connections: None,
                per_second: number("requests")? / (seconds / 2.0),
                p50_microseconds: None,
                p99_microseconds: None,
                cpu_microseconds: number("cpu_microseconds")?,
                rate_ratio: None,
                cpu_ratio: None,
            });
            self.tell();
        }
        Ok(())
    }

    /// The driver alone, with the server stopped: the ceiling for issuance. With `connections`
    /// each of these commits its own tokens.
    fn raw(
        &mut self,
        operation: &str,
        engine: &str,
        store: &Store,
        cluster: Option<&Cluster>,
        connections: Option<usize>,
    ) -> Result<()> {
        let postgres = if engine == report::SQLITE {
            None
        } else {
            cluster.map(Cluster::process_id)
        };
        let used = || {
            postgres
                .map(machine::cpu_with_children)
                .transpose()
                .map(Option::unwrap_or_default)
        };
        let before = used()?;
        let seconds = self.span.measured.as_secs_f64().to_string();
        let mut command = Command::new(&self.programs.store);
        command.args(["raw", &store.url(), &seconds]);
        command.args(connections.map(|count| count.to_string()));
        let printed = capture(&mut command)?;
        let found: serde_json::Value = serde_json::from_str(&printed)?;
        let number = |name: &str| found[name].as_f64().with_context(|| format!("no {name} in {found}"));
        let units = number("units")?;
        let cpu = number("cpu_seconds")? + (used()? - before).as_secs_f64();
        self.report.rows.push(Row {
            operation: operation.to_owned(),
            engine: engine.to_owned(),
            tokens: Some(store.tokens),
            connections: None,
            per_second: units / number("seconds")?,
            p50_microseconds: None,
            p99_microseconds: None,
            cpu_microseconds: cpu * 1e6 / units,
            rate_ratio: None,
            cpu_ratio: None,
        });
        self.tell();
        Ok(())
    }

    fn revocation(&mut self, engine: &str, store: &Store) -> Result<()> {
        let lines = revocations::measure(&self.programs, store, self.args.quick).with_context(|| engine.to_owned())?;
        for line in lines {
            let (operation, tokens) = (&line.operation, Some(line.tokens));
            self.report
                .rows
                .push(Row::measured(operation, engine, tokens, line.connections, &line.sample));
            self.tell();
        }
        self.bare()
    }

    fn login_page(&mut self, engine: &str, store: &Store) -> Result<()> {
        store.add_providers(&self.programs, PROVIDERS)?;
        let server = store.start(&self.programs)?;
        let (endpoints, size) = (fixture::endpoints(), Some(store.tokens));
        if self.wants(Operation::LoginPage) {
            let workload = || Fixed::login_page(&endpoints);
            self.lines(report::LOGIN_PAGE, engine, size, &server, workload)?;
        }
        if self.wants(Operation::ProviderSearch) {
            let workload = || ProviderSearch::new(&endpoints);
            self.lines(report::SEARCH_ONE, engine, size, &server, workload)?;
            let workload = || Fixed::common_search(&endpoints);
            self.lines(report::SEARCH_MANY, engine, size, &server, workload)?;
        }
        Ok(())
    }

    fn peer(&mut self) -> Result<()> {
        if !self.wants_any(&[
            Operation::Introspect,
            Operation::ClientCredentials,
            Operation::CodeRs256,
        ]) {
            return Ok(());
        }
        let peer = Peer::start(&self.state)?;
        let (endpoints, app) = (peer::endpoints(), peer::app());
        if self.wants(Operation::Introspect) {
            let workload = || Introspect::new(&endpoints, &peer::service(), &peer.tokens, None);
            self.peer_lines(report::INTROSPECT, &peer, workload)?;
        }
        if self.wants(Operation::ClientCredentials) {
            let workload = || Fixed::client_credentials(&endpoints, &app, "bench");
            self.peer_lines(report::CLIENT_CREDENTIALS, &peer, workload)?;
        }
        if self.wants(Operation::CodeRs256) {
            let sessions = peer.sign_in(SIGNED_IN)?;
            let workload = || CodeFlow::new(&endpoints, &app, &sessions, Signature::Rs256);
            self.peer_lines(report::CODE_RS256, &peer, workload)?;
        }
        Ok(())
    }

    fn peer_lines<W: Workload>(&mut self, operation: &str, peer: &Peer, workload: impl Fn() -> W) -> Result<()> {
        let practice = Span {
            warm_up: Duration::ZERO,
            measured: PEER_PRACTICE,
        };
        load::run(peer.server.address, 16, practice, &mut workload(), &|| {
            peer.server.cpu()
        })
        .with_context(|| format!("{operation} on {}", report::PEER))?;
        self.lines(
            operation,
            report::PEER,
            Some(peer.tokens.count() as u64),
            &peer.server,
            workload,
        )
    }

    /// One operation with each number of connections, and the bare handler after it.
    fn lines<W: Workload>(
        &mut self,
        operation: &str,
        engine: &str,
        tokens: Option<u64>,
        server: &Server,
        workload: impl Fn() -> W,
    ) -> Result<()> {
        self.measure(operation, engine, tokens, server, workload)?;
        self.bare()
    }

    fn measure<W: Workload>(
        &mut self,
        operation: &str,
        engine: &str,
        tokens: Option<u64>,
        server: &Server,
        workload: impl Fn() -> W,
    ) -> Result<()> {
        for connections in CONNECTIONS {
            let sample = load::run(server.address, connections, self.span, &mut workload(), &|| {
                server.cpu()
            })
            .with_context(|| format!("{operation} on {engine} with {connections} connections"))?;
            self.report
                .rows
                .push(Row::measured(operation, engine, tokens, connections, &sample));
            self.tell();
        }
        Ok(())
    }

    /// Says at once what was measured; the table comes at the end.
    fn tell(&self) {
        if let Some(row) = self.report.rows.last() {
            let connections = row.connections.map(|count| format!(" × {count}")).unwrap_or_default();
            eprintln!(
                "{} on {}{connections}: {:.0}/s, {:.1} µs CPU",
                row.operation, row.engine, row.per_second, row.cpu_microseconds
            );
        }
    }
}

/// Builds what is measured and what measures.
fn build(args: &BenchArgs) -> Result<Programs> {
    // Apart, so that the needs of the second do not change how the first is compiled.
    let mut packages: Vec<&[&str]> = Vec::new();
    if args.measures(Engine::Sqlite) || args.measures(Engine::Postgres) {
        packages.push(&["--package", "portolan"]);
    }
    packages.push(&["--package", "xtask", "--example", "bare", "--example", "store"]);
    packages.push(&["--package", "portolan-sdk", "--example", "introspections"]);
    if args.no_build {
        packages.clear();
    }
    for package in packages {
        let mut build = cargo();
        build
            .current_dir(setup::root())
            .args(["build", "--locked", "--profile", &args.profile])
            .args(package);
        run_command(&mut build, &setup::log("bench-setup"), BUILD_LIMIT)?;
    }
    let folder = setup::target().join(if args.profile == "dev" { "debug" } else { &args.profile });
    let example = |name: &str| folder.join("examples").join(name);
    Ok(Programs {
        portolan: folder.join("portolan"),
        bare: example("bare"),
        store: example("store"),
        introspections: example("introspections"),
    })
}

/// The length of an ordinary introspection answer, so that the bare handler's is equal.
fn introspection_length(programs: &Programs, store: &Store) -> Result<usize> {
    let server = store.start(programs)?;
    let tokens = store.access_tokens()?;
    let mut workload = Introspect::new(&fixture::endpoints(), &store.registered.service, &tokens, None);
    let span = Span {
        warm_up: Duration::ZERO,
        measured: Duration::from_millis(50),
    };
    let mut longest = Longest {
        inner: &mut workload,
        bytes: 0,
    };
    load::run(server.address, 1, span, &mut longest, &|| server.cpu())?;
    Ok(longest.bytes)
}

/// Passes everything on and remembers the longest body.
struct Longest<'a> {
    inner: &'a mut dyn Workload,
    bytes: usize,
}

impl Workload for Longest<'_> {
    fn begin(&mut self, connection: usize, request: &mut Vec<u8>) {
        self.inner.begin(connection, request);
    }

    fn answer(
        &mut self,
        connection: usize,
        answer: &http::Answer<'_>,
        request: &mut Vec<u8>,
    ) -> Result<load::Progress> {
        self.bytes = self.bytes.max(answer.body.len());
        self.inner.answer(connection, answer, request)
    }
}

/// Starts the server several times on a store that exists; the median counts.
fn startup(programs: &Programs, engine: &str, store: &Store) -> Result<Process> {
    let mut times = Vec::new();
    let mut memory = 0;
    for start in 0..STARTS {
        let server = store.start(programs)?;
        times.push(server.ready_after.as_secs_f64());
        if start + 1 == STARTS {
            thread::sleep(IDLE);
            memory = server.memory()?.resident;
        }
    }
    times.sort_unstable_by(f64::total_cmp);
    let process = Process {
        engine: engine.to_owned(),
        cold_start_seconds: times[STARTS / 2],
        idle_memory_megabytes: megabytes(memory),
        memory_after_load_megabytes: None,
        own_memory_after_load_megabytes: None,
    };
    eprintln!(
        "{engine}: ready after {:.3} s, {:.1} MB",
        process.cold_start_seconds, process.idle_memory_megabytes
    );
    Ok(process)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
