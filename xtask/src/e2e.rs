//! Foreign programs against the real server: `cargo xtask e2e`.
//!
//! A suite is a set of scripts under `e2e/`. Each script is started once for each storage
//! engine (and each pinned client version), with a fresh folder and, on PostgreSQL, a
//! fresh database; it starts and stops the server itself and tells by its exit status how
//! it went. What it finds in its environment:
//!
//! | variable | value |
//! | --- | --- |
//! | `PORTOLAN_BIN` | the server program |
//! | `PORTOLAN_E2E_ENGINE` | `sqlite` or `postgres` |
//! | `PORTOLAN_E2E_DATABASE` | URL of an empty database, on PostgreSQL only |
//! | `PORTOLAN_E2E_DIR` | an empty folder; it is kept until the next run, for looking at |
//! | `DEBUG_PROGRAMS` | the folder of the samples and the SDK's examples, where a suite needs them |
//! | `CHROMIUM`, `HEADLESS_SHELL`, `GLOBUS`, `APACHE` | the browser, whole and without windows, the Globus command line and the web server, where a suite needs them |

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{
    debian,
    package::{self, Compression},
    postgres::Cluster,
    process::{cargo, lock, remove_variables, run, run_beside_others},
    setup::{self, Versions},
    workshop::Workshop,
};

const SCRIPT_LIMIT: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// globus-sdk 3 and 4, Authlib
    Python,
    /// globus-cli
    Cli,
    /// globus-action-provider-tools, also with an app that was made in the developer portal
    ActionProvider,
    /// The commands of docs/guides, as printed
    Guides,
    /// The samples of examples/, by the commands of their READMEs, and the portals in a browser
    Samples,
    /// openid-client, @globus/sdk
    Node,
    /// From an empty folder to a token, with a browser
    FirstRun,
    /// Every page in a browser: accessibility, keyboard, no script, narrow screen
    Pages,
    /// Signing in through oidc-provider and a second Portolan, in a browser
    Providers,
    /// Logout with Apache's mod_auth_openidc, in a browser
    Logout,
    /// A whole run, then a search for its secrets in logs, metrics and database
    Secrets,
    /// Every operation of the server's own description, called with generated data
    Schemathesis,
    /// The Debian package, the operators' guides and the reference set-up, on Debian systems of their own
    Packages,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EngineChoice {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Debug, Args)]
pub struct E2eArgs {
    /// The suite to run; all when none is named
    suite: Option<Suite>,
    /// The storage engine; by default both, but for `pages` and `samples` SQLite only
    #[arg(long)]
    engine: Option<EngineChoice>,
    /// Use the newest foreign clients that install, not the pinned ones (python, cli, action-provider, node)
    #[arg(long)]
    newest: bool,
}

pub fn main(args: &E2eArgs) -> Result<()> {
    let workshop = Workshop::new();
    let versions = if args.newest {
        Versions::Newest
    } else {
        Versions::Pinned
    };
    let suites: Vec<Suite> = match args.suite {
        Some(suite) if args.newest && !suite.has_versions() => {
            bail!("{} uses no foreign client whose version could be newer", suite.name())
        }
        Some(suite) => vec![suite],
        None => {
            let all = Suite::value_variants().iter().copied();
            all.filter(|suite| !args.newest || suite.has_versions()).collect()
        }
    };
    let mut failed = 0;
    for suite in &suites {
        if let Err(error) = run_suite(&workshop, *suite, args.engine, versions) {
            failed += 1;
            println!("FAILED {}: {error:#}", suite.name());
        }
    }
    println!("\n{} passed, {failed} failed", suites.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} suites failed", suites.len());
    }
    Ok(())
}

/// Runs all scripts of a suite, also after one failed, as many at once as the machine has
/// processors: a script mostly waits, for a browser, an interpreter or the server. Tells what ran.
pub fn run_suite(
    workshop: &Workshop,
    suite: Suite,
    engine: Option<EngineChoice>,
    versions: Versions,
) -> Result<String> {
    let log = setup::log(&format!("e2e-{}", suite.name()));
    let _ = fs::remove_file(&log);
    let scripts = suite.scripts(versions)?;
    let mut runs = Vec::new();
    for engine in suite.engines(engine) {
        let cluster = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(workshop.quick_postgres()?),
        };
        for script in &scripts {
            runs.push(Run::new(script, engine.name(), cluster, workshop.server_binary()?)?);
        }
    }
    let workers = thread::available_parallelism()?.get().min(runs.len());
    let waiting = Mutex::new(runs.iter_mut());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    // A statement of its own, so that the list is not locked while the run goes on.
                    let next = lock(&waiting).next();
                    let Some(run) = next else { break };
                    run.execute();
                }
            });
        }
    });

    let mut whole = File::create(&log).with_context(|| log.display().to_string())?;
    let (mut ran, mut failures) = (Vec::new(), Vec::new());
    for run in &runs {
        // One that could not begin has printed nothing.
        whole.write_all(&fs::read(&run.log).unwrap_or_default())?;
        match run.seconds {
            Some(seconds) => ran.push(format!("{} {seconds:.0} s", run.name)),
            None => failures.push(run.name.as_str()),
        }
    }
    if !failures.is_empty() {
        bail!(
            "{} of {} runs failed: {}",
            failures.len(),
            failures.len() + ran.len(),
            failures.join(", ")
        );
    }
    Ok(ran.join(", "))
}

/// One program to start.
struct Script {
    /// The client and its version, for a reader.
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Suite {
    pub fn name(self) -> &'static str {
        match self {
            Suite::Python => "python",
            Suite::Cli => "cli",
            Suite::ActionProvider => "action-provider",
            Suite::Guides => "guides",
            Suite::Samples => "samples",
            Suite::Node => "node",
            Suite::FirstRun => "first-run",
            Suite::Pages => "pages",
            Suite::Providers => "providers",
            Suite::Logout => "logout",
            Suite::Secrets => "secrets",
            Suite::Schemathesis => "schemathesis",
            Suite::Packages => "packages",
        }
    }

    /// Whether the suite is about clients of which newer versions may exist.
    fn has_versions(self) -> bool {
        matches!(self, Suite::Python | Suite::Cli | Suite::ActionProvider | Suite::Node)
    }

    fn engines(self, choice: Option<EngineChoice>) -> &'static [Engine] {
        match (choice, self) {
            (Some(EngineChoice::Sqlite), _) => &[Engine::Sqlite],
            (Some(EngineChoice::Postgres), _) => &[Engine::Postgres],
            (Some(EngineChoice::Both), _) => &[Engine::Sqlite, Engine::Postgres],
            // What a page looks like does not depend on where its data comes from.
            (None, Suite::Pages) => &[Engine::Sqlite],
            // They talk to the server over HTTP, whatever it keeps its data in.
            (None, Suite::Samples) => &[Engine::Sqlite],
            // They set up their own databases, of both kinds.
            (None, Suite::Packages) => &[Engine::Sqlite],
            (None, _) => &[Engine::Sqlite, Engine::Postgres],
        }
    }

    fn scripts(self, versions: Versions) -> Result<Vec<Script>> {
        match self {
            Suite::Python => {
                let sets: &[(&str, &str)] = match versions {
                    Versions::Pinned => &[SDK3, SDK4],
                    Versions::Newest => &[SDK4],
                };
                let programs = setup::debug_programs()?;
                sets.iter()
                    .map(|(name, file)| {
                        let mut script = pytest(name, file, "e2e/python", versions)?;
                        script.environment.push(("DEBUG_PROGRAMS", programs.clone()));
                        Ok(script)
                    })
                    .collect()
            }
            Suite::Cli => Ok(vec![pytest(CLI.0, CLI.1, "e2e/cli", versions)?]),
            Suite::ActionProvider => {
                let mut script = pytest(ACTION_PROVIDER.0, ACTION_PROVIDER.1, "e2e/action-provider", versions)?;
                // The steps of the guide are also done in the developer portal, by a browser.
                setup::node_packages(&setup::root().join("e2e/browser"))?;
                script.environment.extend(browsers()?);
                Ok(vec![script])
            }
            Suite::Guides => {
                // The toolkit of action providers cannot live in one environment with globus-sdk 4.
                let toolkit = setup::python(ACTION_PROVIDER.0, ACTION_PROVIDER.1, Versions::Pinned)?;
                let mut script = pytest(SDK4.0, SDK4.1, "e2e/guides", Versions::Pinned)?;
                script.name = "guides".to_owned();
                script.environment.push(("ACTION_PROVIDER_PYTHON", toolkit));
                Ok(vec![script])
            }
            Suite::Samples => {
                let toolkit = setup::python(ACTION_PROVIDER.0, ACTION_PROVIDER.1, Versions::Pinned)?;
                let flask = setup::python("samples", "examples/portal-python/requirements.txt", Versions::Pinned)?;
                let mut script = pytest(SDK4.0, SDK4.1, "e2e/samples", Versions::Pinned)?;
                setup::node_packages(&setup::root().join("e2e/browser"))?;
                script.name = "samples".to_owned();
                script.environment.extend([
                    ("ACTION_PROVIDER_PYTHON", toolkit),
                    ("SAMPLES_PYTHON", flask),
                    ("DEBUG_PROGRAMS", setup::debug_programs()?),
                ]);
                script.environment.extend(browsers()?);
                Ok(vec![script])
            }
            Suite::Node => {
                let folder = match versions {
                    Versions::Pinned => {
                        let folder = setup::root().join("e2e/node");
                        setup::node_packages(&folder)?;
                        folder
                    }
                    Versions::Newest => setup::newest_node_packages("node")?,
                };
                let mut arguments = vec!["--test".to_owned()];
                // Node 20 takes a folder for a module; it is given the files.
                arguments.extend(test_files(&folder)?);
                Ok(vec![Script {
                    name: "node".to_owned(),
                    program: "node".into(),
                    arguments,
                    environment: Vec::new(),
                }])
            }
            Suite::FirstRun => {
                let python = setup::python(CLI.0, CLI.1, Versions::Pinned)?;
                let mut script = browser("first-run")?;
                script.environment.push(("GLOBUS", python.with_file_name("globus")));
                Ok(vec![script])
            }
            Suite::Pages => Ok(vec![browser("pages")?, browser("german")?, catalogue()?]),
            Suite::Providers => Ok(vec![browser("providers")?]),
            Suite::Logout => {
                let mut script = browser("logout")?;
                script.environment.push(("APACHE", setup::apache()?));
                Ok(vec![script])
            }
            Suite::Schemathesis => {
                let python = setup::python("schemathesis", "e2e/schemathesis/requirements.txt", Versions::Pinned)?;
                Ok(vec![Script {
                    name: "schemathesis".to_owned(),
                    program: python,
                    arguments: vec!["e2e/schemathesis/run.py".to_owned()],
                    environment: vec![("DNSMASQ", setup::program("dnsmasq", "dnsmasq-base")?)],
                }])
            }
            Suite::Packages => {
                // Without root nothing of it goes, so this is asked first.
                let (clean, services) = (debian::clean()?, debian::with_services()?);
                let binary = setup::server_binary()?;
                let version = env!("CARGO_PKG_VERSION");
                let next = format!("{version}+next");
                let mut script = pytest(SDK4.0, SDK4.1, "e2e/packages", Versions::Pinned)?;
                script.name = "packages".to_owned();
                script.environment.extend([
                    ("DEBIAN_CLEAN", clean),
                    ("DEBIAN_SERVICES", services),
                    ("PORTOLAN_DEB", package::debian(&binary, version, Compression::Quick)?),
                    (
                        "PORTOLAN_DEB_NEXT",
                        package::debian(&binary, &next, Compression::Quick)?,
                    ),
                    ("LINTIAN", setup::program("lintian", "lintian")?),
                ]);
                Ok(vec![script])
            }
            Suite::Secrets => {
                let python = setup::python(SDK4.0, SDK4.1, Versions::Pinned)?;
                let arguments = vec!["e2e/secrets/scan.py".to_owned()];
                Ok(vec![Script {
                    name: "secrets".to_owned(),
                    program: python,
                    arguments,
                    environment: Vec::new(),
                }])
            }
        }
    }
}

const SDK3: (&str, &str) = ("sdk3", "e2e/python/requirements-sdk3.txt");
const SDK4: (&str, &str) = ("sdk4", "e2e/python/requirements-sdk4.txt");
const CLI: (&str, &str) = ("cli", "e2e/cli/requirements.txt");
const ACTION_PROVIDER: (&str, &str) = ("action-provider", "e2e/action-provider/requirements.txt");

fn pytest(name: &str, requirements: &str, tests: &str, versions: Versions) -> Result<Script> {
    let python = setup::python(name, requirements, versions)?;
    // Those that passed are named too: the table of docs/security.md is compared with them.
    let mut arguments: Vec<String> = ["-m", "pytest", "-q", "-rfEp", "-p", "no:cacheprovider"]
        .map(String::from)
        .into();
    arguments.push(tests.to_owned());
    let environment = if name == CLI.0 {
        vec![("GLOBUS", python.with_file_name("globus"))]
    } else {
        // The guides' commands use these two, and domain names are proven by a DNS server.
        setup::program("curl", "curl")?;
        setup::program("jq", "jq")?;
        vec![("DNSMASQ", setup::program("dnsmasq", "dnsmasq-base")?)]
    };
    Ok(Script {
        name: name.to_owned(),
        program: python,
        arguments,
        environment,
    })
}

fn browser(name: &str) -> Result<Script> {
    setup::node_packages(&setup::root().join("e2e/browser"))?;
    Ok(Script {
        name: name.to_owned(),
        program: "node".into(),
        arguments: vec![format!("e2e/browser/{name}.mjs")],
        environment: browsers()?.into(),
    })
}

fn browsers() -> Result<[(&'static str, PathBuf); 2]> {
    Ok([
        ("CHROMIUM", setup::chromium()?),
        ("HEADLESS_SHELL", setup::headless_shell()?),
    ])
}

/// Looks at the catalogue of pages, after the server's unit tests have written it.
fn catalogue() -> Result<Script> {
    let mut script = browser("catalogue")?;
    let folder = setup::state().join("catalogue");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut write = cargo();
    write.current_dir(setup::root()).env("PORTOLAN_PAGES", &folder).args([
        "test",
        "--locked",
        "--workspace",
        "--lib",
        "the_catalogue_can_be_looked_at_in_a_browser",
    ]);
    run(&mut write, &setup::log("catalogue"), SCRIPT_LIMIT)?;
    script.environment.push(("PORTOLAN_PAGES", folder));
    Ok(script)
}

/// Takes the pictures of `docs/screens`: each page of the catalogue narrow and wide, light and dark.
pub fn screens() -> Result<()> {
    let folder = setup::root().join("docs/screens");
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry?.path();
        // Of pages that are no more.
        if path.extension().is_some_and(|extension| extension == "webp") {
            fs::remove_file(path)?;
        }
    }
    let mut script = catalogue()?;
    script
        .arguments
        .extend(["--screens".to_owned(), "docs/screens".to_owned()]);
    let mut command = Command::new(&script.program);
    command
        .current_dir(setup::root())
        .args(&script.arguments)
        .envs(script.environment.iter().map(|(name, value)| (name, value)));
    run(&mut command, &setup::log("screens"), SCRIPT_LIMIT)
}

/// The files that `node --test` takes for tests, by its own rules for names.
fn test_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let text = path.to_str().context("the path of the repository is not UTF-8")?;
        if is_test_file(&path) {
            files.push(text.to_owned());
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{} holds no test", folder.display());
    }
    Ok(files)
}

fn is_test_file(path: &Path) -> bool {
    let part = |part: Option<&OsStr>| part.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let named_test = stem == "test"
        || stem.starts_with("test-")
        || [".test", "-test", "_test"].iter().any(|ending| stem.ends_with(ending));
    named_test && ["js", "mjs", "cjs"].contains(&extension.as_str())
}

/// A script on one engine.
struct Run<'a> {
    /// For a reader.
    name: String,
    log: PathBuf,
    command: Command,
    /// Where its database is made; none for SQLite.
    cluster: Option<&'a Cluster>,
    database: String,
    /// How long it took, once it has passed.
    seconds: Option<f64>,
}

impl<'a> Run<'a> {
    fn new(script: &Script, engine: &str, cluster: Option<&'a Cluster>, binary: &Path) -> Result<Run<'a>> {
        let name = format!("{}-{engine}", script.name);
        let folder = setup::state().join("run").join(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let log = setup::log(&format!("run-{name}"));
        let _ = fs::remove_file(&log);

        let mut command = Command::new(&script.program);
        command.current_dir(setup::root()).args(&script.arguments);
        // A developer's own settings would change what the server and the clients do.
        remove_variables(&mut command, &["PORTOLAN_", "GLOBUS_"]);
        command
            .env("PORTOLAN_BIN", binary)
            .env("PORTOLAN_E2E_ENGINE", engine)
            .env("PORTOLAN_E2E_DIR", &folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(script.environment.iter().map(|(name, value)| (name, value)));
        Ok(Run {
            name: format!("{} on {engine}", script.name),
            log,
            command,
            cluster,
            database: format!("e2e_{}", script.name.replace('-', "_")),
            seconds: None,
        })
    }

    fn execute(&mut self) {
        println!("-- {}", self.name);
        let start = Instant::now();
        match self.run() {
            Ok(()) => self.seconds = Some(start.elapsed().as_secs_f64()),
            Err(error) => println!("-- {} failed: {error:#}", self.name),
        }
    }

    fn run(&mut self) -> Result<()> {
        let Some(cluster) = self.cluster else {
            return self.run_command();
        };
        cluster.drop_database(&self.database)?;
        let url = cluster.create_database(&self.database)?;
        self.command.env("PORTOLAN_E2E_DATABASE", url);
        // For pg_dump of the server's own version.
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(cluster.binaries().to_owned()).chain(env::split_paths(&path));
        self.command.env("PATH", env::join_paths(folders)?);
        let outcome = self.run_command();
        cluster.drop_database(&self.database)?;
        outcome
    }

    fn run_command(&mut self) -> Result<()> {
        let label = format!("{}: ", self.name);
        run_beside_others(&mut self.command, &label, &self.log, SCRIPT_LIMIT)
    }
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_beside_node_tests_are_no_tests() {
        for name in ["openid.test.mjs", "test.js", "test-code.cjs", "code_test.mjs"] {
            assert!(is_test_file(Path::new(name)), "{name}");
        }
        for name in [
            "browser.mjs",
            "package.json",
            "latest.mjs",
            "openid.test.mjs.snap",
            "test.md",
        ] {
            assert!(!is_test_file(Path::new(name)), "{name}");
        }
    }
}
