//! What the tests need on the machine, installed through the ordinary package managers.
//!
//! Everything here is quick when the thing is already there. Folders made from a list of
//! requirements keep that list beside them and are made again when it changes. Without
//! root, system packages are not installed: the error says the command that does it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::process::{capture, cargo, run};

const CARGO_DENY_VERSION: &str = "0.20.2";
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate xtask is in a folder of the workspace")
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Where the tests keep all their state.
pub fn state() -> PathBuf {
    target().join("e2e")
}

/// The file that keeps what a part printed.
pub fn log(name: &str) -> PathBuf {
    let folder = state().join("log");
    // An impossible folder is reported by whoever opens the file.
    let _ = fs::create_dir_all(&folder);
    folder.join(format!("{name}.log"))
}

pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The folder of the PostgreSQL server's programs.
pub fn postgres_binaries() -> Result<PathBuf> {
    if let Some(folder) = find_postgres() {
        return Ok(folder);
    }
    install_packages(&["postgresql"])?;
    find_postgres().context("PostgreSQL is installed, but initdb is in none of the usual folders")
}

/// Debian keeps the server's programs out of the PATH, one folder for each major version.
fn find_postgres() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().filter_map(|entry| {
        let version = entry.file_name().to_str()?.parse::<u32>().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let newest = versions
        .filter(|(_, folder)| complete(folder))
        .max()
        .map(|(_, folder)| folder);
    newest.or_else(|| {
        let real = find_program("initdb")?.canonicalize().ok()?;
        Some(real.parent()?.to_owned()).filter(|folder| complete(folder))
    })
}

/// The Chromium browser: `$CHROMIUM`, or the system's, or freshly installed.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = named("CHROMIUM") {
        return Ok(path);
    }
    let find = || {
        ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find_map(find_program)
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    install_packages(&["chromium"])?;
    find().context("Chromium is installed, but not in the PATH")
}

/// Chromium without windows of its own: `$HEADLESS_SHELL` or `$CHROMIUM`, or the system's, or
/// freshly installed. Where there is no such package, Chromium does its work.
pub fn headless_shell() -> Result<PathBuf> {
    if let Some(path) = named("HEADLESS_SHELL").or_else(|| named("CHROMIUM")) {
        return Ok(path);
    }
    let shell = program("chromium-headless-shell", "chromium-headless-shell");
    shell.or_else(|_| chromium())
}

/// The program that a variable of the environment names.
fn named(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable)?;
    (!path.is_empty()).then(|| path.into())
}

/// A program of the system, freshly installed from this package if it is missing.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    let find = || {
        // Programs for administrators are not in everybody's PATH.
        let administrators = Path::new("/usr/sbin").join(name);
        find_program(name).or(Some(administrators).filter(|path| path.is_file()))
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    install_packages(&[package])?;
    find().with_context(|| format!("{package} is installed, but {name} is not to be found"))
}

/// Apache with mod_auth_openidc: its program. The package brings no server that starts by itself.
pub fn apache() -> Result<PathBuf> {
    if !Path::new("/usr/lib/apache2/modules/mod_auth_openidc.so").is_file() {
        install_packages(&["libapache2-mod-auth-openidc"])?;
    }
    program("apache2", "apache2-bin")
}

fn install_packages(names: &[&str]) -> Result<()> {
    let wanted = names.join(" ");
    if !geteuid().is_root() || find_program("apt-get").is_none() {
        bail!(
            "{wanted} is missing. Install it, on Debian with: \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {wanted}"
        );
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    static LISTS_ARE_FRESH: OnceLock<()> = OnceLock::new();
    if LISTS_ARE_FRESH.get().is_none() {
        run(apt().arg("update"), &log("setup"), INSTALL_LIMIT)?;
        let _ = LISTS_ARE_FRESH.set(());
    }
    run(
        apt().args(["install", "-y", "--no-install-recommends"]).args(names),
        &log("setup"),
        INSTALL_LIMIT,
    )
}

/// Which versions of the foreign clients to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Those that `e2e/` names.
    Pinned,
    /// The newest that install, whatever they are.
    Newest,
}

/// A Python with the packages of a requirements file (relative to the root).
pub fn python(name: &str, requirements: &str, versions: Versions) -> Result<PathBuf> {
    let file = root().join(requirements);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let python = find_program("python3").context("python3 is missing; on Debian: apt-get install python3-venv")?;
    match versions {
        Versions::Pinned => {
            let folder = state().join("python").join(name);
            // An environment does not survive being moved, so its place is part of the stamp.
            let version = capture(Command::new(&python).arg("--version"))?;
            let stamp = format!("{}\n{version}{text}", folder.display());
            if is_fresh(&folder, &stamp) && folder.join("bin/python").exists() {
                return Ok(folder.join("bin/python"));
            }
            create_environment(&python, &folder)?;
            run(
                pip(&folder).arg("--requirement").arg(&file),
                &log("setup"),
                INSTALL_LIMIT,
            )?;
            write_stamp(&folder, &stamp)?;
            Ok(folder.join("bin/python"))
        }
        Versions::Newest => {
            let folder = state().join("python").join(format!("{name}-newest"));
            create_environment(&python, &folder)?;
            run(pip(&folder).args(without_versions(&text)), &log("setup"), INSTALL_LIMIT)?;
            let python = folder.join("bin/python");
            let installed = capture(Command::new(&python).args(["-m", "pip", "freeze"]))?;
            println!(
                "newest that install for {name}: {}",
                installed.split_whitespace().collect::<Vec<_>>().join(" ")
            );
            Ok(python)
        }
    }
}

fn create_environment(python: &Path, folder: &Path) -> Result<()> {
    let create = || {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        run(
            Command::new(python).args(["-m", "venv"]).arg(folder),
            &log("setup"),
            INSTALL_LIMIT,
        )
    };
    create().or_else(|error| {
        // Debian ships Python without the part of venv that brings pip.
        install_packages(&["python3-venv"]).with_context(|| format!("{error:#}"))?;
        create()
    })
}

fn pip(environment: &Path) -> Command {
    let mut command = Command::new(environment.join("bin/python"));
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    command
}

/// The names in a requirements file without what pins them.
fn without_versions(requirements: &str) -> Vec<String> {
    let lines = requirements
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let names = lines.map(|line| {
        let end = line
            .find(|c: char| c.is_whitespace() || "=<>!~;@".contains(c))
            .unwrap_or(line.len());
        line[..end].to_owned()
    });
    names
        .filter(|name| !name.is_empty() && !name.starts_with('-'))
        .collect()
}

/// Installs the locked Node packages of a folder of `e2e/` into it.
pub fn node_packages(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let text = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = format!("{}{text}", node_version()?);
    let modules = folder.join("node_modules");
    if is_fresh(&modules, &stamp) {
        return Ok(());
    }
    run(
        npm(folder).args(["ci", "--no-audit", "--no-fund"]),
        &log("setup"),
        INSTALL_LIMIT,
    )?;
    write_stamp(&modules, &stamp)
}

/// A copy of `e2e/` in which a folder's Node packages are the newest; returns that folder.
pub fn newest_node_packages(name: &str) -> Result<PathBuf> {
    node_version()?;
    let copy = state().join("node-newest").join("e2e");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_sources(&root().join("e2e"), &copy)?;
    let folder = copy.join(name);
    let manifest = folder.join("package.json");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)?;
    let names = ["dependencies", "devDependencies"]
        .into_iter()
        .filter_map(|kind| manifest[kind].as_object());
    let newest: Vec<String> = names
        .flat_map(|packages| packages.keys())
        .map(|name| format!("{name}@latest"))
        .collect();
    if newest.is_empty() {
        bail!("e2e/{name}/package.json names no dependency");
    }
    let install = ["install", "--no-audit", "--no-fund", "--no-package-lock"];
    run(npm(&folder).args(install).args(&newest), &log("setup"), INSTALL_LIMIT)?;
    let installed = capture(npm(&folder).args(["ls", "--depth=0", "--parseable", "--long"]))?;
    let versions = installed.lines().skip(1).filter_map(|line| line.split(':').nth(1));
    println!(
        "newest that install for {name}: {}",
        versions.collect::<Vec<_>>().join(" ")
    );
    Ok(folder)
}

fn node_version() -> Result<String> {
    capture(Command::new("node").arg("--version")).context("Node 20 or newer is needed, with npm")
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    // The browser is the system's; a download of another one would fail without a network.
    command.current_dir(folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}

fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "node_modules" || name == "__pycache__" {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy_sources(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The `cargo-deny` program.
pub fn cargo_deny() -> Result<PathBuf> {
    let ours = target().join("tools/bin/cargo-deny");
    let expected = format!("cargo-deny {CARGO_DENY_VERSION}");
    let fits =
        |file: &Path| capture(Command::new(file).arg("--version")).is_ok_and(|version| version.trim() == expected);
    if let Some(found) = [Some(ours.clone()), find_program("cargo-deny")]
        .into_iter()
        .flatten()
        .find(|file| fits(file))
    {
        return Ok(found);
    }
    let mut install = cargo();
    install.args([
        "install",
        "cargo-deny",
        "--locked",
        "--version",
        CARGO_DENY_VERSION,
        "--root",
    ]);
    install.arg(target().join("tools"));
    // Its release profile optimises for a program that is used all day; ours runs two seconds.
    install.env("CARGO_PROFILE_RELEASE_LTO", "off");
    install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    run(&mut install, &log("setup"), BUILD_LIMIT)?;
    Ok(ours)
}

/// The server, built as `cargo run --release` builds it.
pub fn server_binary() -> Result<PathBuf> {
    build_server("release")
}

/// The server, built with a profile of cargo's.
pub fn build_server(profile: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build
        .current_dir(root())
        .args(["build", "--profile", profile, "--locked", "--package", "portolan"]);
    run(&mut build, &log("setup"), BUILD_LIMIT)?;
    // Cargo's oldest profile has a folder of another name.
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target().join(folder).join("portolan"))
}

/// The folder of the programs of `examples/` and, in `examples` in it, of the SDK's. Unlike the
/// server they have nothing to do that would be slow without optimisation.
pub fn debug_programs() -> Result<PathBuf> {
    let mut build = cargo();
    // Of the whole workspace, with what only tests depend on, as `cargo test` has built them.
    build
        .current_dir(root())
        .args(["build", "--workspace", "--bins", "--examples", "--locked"]);
    run(&mut build, &log("setup"), BUILD_LIMIT)?;
    Ok(target().join("debug"))
}

pub fn is_fresh(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join(".portolan-stamp")).is_ok_and(|found| found == stamp)
}

pub fn write_stamp(folder: &Path, stamp: &str) -> Result<()> {
    let file = folder.join(".portolan-stamp");
    fs::write(&file, stamp).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_off_requirements() {
        let text = "# the SDK\nglobus-sdk==4.9.1\nrequests[socks] >= 2 # why\n\nAuthlib\n-r other.txt\npytest~=9.0; python_version > '3'\n";
        assert_eq!(
            without_versions(text),
            ["globus-sdk", "requests[socks]", "Authlib", "pytest"]
        );
    }

    #[test]
    fn a_changed_list_of_requirements_is_noticed() {
        let folder = env::temp_dir().join(format!("portolan-xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        assert!(!is_fresh(&folder, "a==1"));
        write_stamp(&folder, "a==1").expect("the folder exists");

        let (same, changed) = (is_fresh(&folder, "a==1"), is_fresh(&folder, "a==2"));

        fs::remove_dir_all(&folder).expect("the folder exists");
        assert!(same && !changed);
    }
}
