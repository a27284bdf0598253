//! The Debian package: `cargo xtask package`.
//!
//! What goes into it stands in `packaging/debian`; this puts the files in their places and
//! calls dpkg-deb. Debian's own build helpers would bring a second build of the program
//! and no less to write.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    process::{capture, run},
    setup,
};

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Where each file of `packaging/debian` goes, and its mode.
const FILES: &[(&str, &str, u32)] = &[
    ("portolan.toml", "etc/portolan/portolan.toml", 0o644),
    ("portolan.service", "lib/systemd/system/portolan.service", 0o644),
    ("portolan.sysusers", "usr/lib/sysusers.d/portolan.conf", 0o644),
    ("portolan.tmpfiles", "usr/lib/tmpfiles.d/portolan.conf", 0o644),
    ("portolan-admin", "usr/sbin/portolan-admin", 0o755),
    ("portolan-admin.8", "usr/share/man/man8/portolan-admin.8", 0o644),
    ("README.Debian", "usr/share/doc/portolan/README.Debian", 0o644),
    ("copyright", "usr/share/doc/portolan/copyright", 0o644),
    ("changelog", "usr/share/doc/portolan/changelog", 0o644),
    (
        "privileged-port.conf",
        "usr/share/doc/portolan/examples/privileged-port.conf",
        0o644,
    ),
    ("postinst", "DEBIAN/postinst", 0o755),
    ("prerm", "DEBIAN/prerm", 0o755),
    ("postrm", "DEBIAN/postrm", 0o755),
];

/// Where each shell looks for what completes the commands of a package.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/portolan"),
    ("fish", "usr/share/fish/vendor_completions.d/portolan.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_portolan"),
];

/// An operator's changes to these survive an upgrade.
const CONFFILES: &str = "/etc/portolan/portolan.toml\n";

#[derive(Debug, Args)]
pub struct PackageArgs {
    /// The cargo profile of the program inside
    #[arg(long, default_value = "dist")]
    profile: String,
}

pub fn main(args: &PackageArgs) -> Result<()> {
    let binary = setup::build_server(&args.profile)?;
    let package = debian(&binary, env!("CARGO_PKG_VERSION"), Compression::Best)?;
    println!("{}", package.display());
    Ok(())
}

#[derive(Clone, Copy, Debug)]
pub enum Compression {
    /// For shipping.
    Best,
    /// For tests, which unpack it a minute later.
    Quick,
}

/// Makes a package of this version around a program, and returns its file.
pub fn debian(binary: &Path, version: &str, compression: Compression) -> Result<PathBuf> {
    let folder = setup::target().join("debian");
    let tree = folder.join(format!("portolan-{version}"));
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(tree.join("DEBIAN"))?;
    install(binary, &tree.join("usr/bin/portolan"), 0o755)?;
    let source = setup::root().join("packaging/debian");
    for (name, place, mode) in FILES {
        install(&source.join(name), &tree.join(place), *mode)?;
    }
    install(
        &setup::root().join("docs/portolan.sample.toml"),
        &tree.join("usr/share/doc/portolan/portolan.sample.toml"),
        0o644,
    )?;
    for (shell, place) in COMPLETIONS {
        let place = tree.join(place);
        fs::create_dir_all(place.parent().context("a place has a folder")?)?;
        write(&place, &capture(Command::new(binary).args(["completions", shell]))?)?;
    }
    let manuals = tree.join("usr/share/man/man1");
    capture(Command::new(binary).arg("man").arg("--dir").arg(&manuals))?;
    compress(&tree)?;

    write(&tree.join("DEBIAN/conffiles"), CONFFILES)?;
    write(&tree.join("DEBIAN/md5sums"), &checksums(&tree)?)?;
    let architecture = capture(Command::new(tool("dpkg")?).arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let size = capture(Command::new("du").args(["--summarize", "--block-size=1024"]).arg(&tree))?;
    let size = size.split_whitespace().next().unwrap_or("0");
    let template = fs::read_to_string(source.join("control"))?;
    let control = template
        .replace("{version}", version)
        .replace("{architecture}", architecture)
        .replace("{size}", size)
        .replace("{libraries}", &libraries(binary, &folder)?);
    write(&tree.join("DEBIAN/control"), &control)?;

    let package = folder.join(format!("portolan_{version}_{architecture}.deb"));
    let level = match compression {
        Compression::Best => "-z9",
        Compression::Quick => "-z0",
    };
    run(
        Command::new(tool("dpkg-deb")?)
            .args([level, "--root-owner-group", "--build"])
            .args([&tree, &package]),
        &setup::log("package"),
        LIMIT,
    )?;
    fs::remove_dir_all(&tree)?;
    Ok(package)
}

fn tool(name: &str) -> Result<PathBuf> {
    setup::program(name, "dpkg-dev")
}

fn install(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folder = to.parent().context("a place has a folder")?;
    fs::create_dir_all(folder)?;
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| file.display().to_string())?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644))?;
    Ok(())
}

/// Manuals and the changelog, as the policy of Debian has them; folders readable for
/// everybody, whatever the umask of who builds.
fn compress(tree: &Path) -> Result<()> {
    for path in files(tree)? {
        let text = path.to_string_lossy();
        if text.contains("/man/man") || text.ends_with("/changelog") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
            capture(Command::new("gzip").args(["-9", "--no-name"]).arg(&path))?;
        }
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(tree)) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn checksums(tree: &Path) -> Result<String> {
    let names: Vec<PathBuf> = files(tree)?
        .iter()
        .filter_map(|path| path.strip_prefix(tree).ok().map(Path::to_owned))
        .filter(|name| !name.starts_with("DEBIAN"))
        .collect();
    capture(Command::new("md5sum").current_dir(tree).args(names))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The packages of the shared libraries that the program is linked with.
fn libraries(binary: &Path, folder: &Path) -> Result<String> {
    // dpkg-shlibdeps reads a source package's control file before it looks at the program.
    let source = folder.join("shlibs/debian");
    fs::create_dir_all(&source)?;
    fs::write(
        source.join("control"),
        "Source: portolan\n\nPackage: portolan\nArchitecture: any\n",
    )?;
    let said = capture(
        Command::new(tool("dpkg-shlibdeps")?)
            .current_dir(folder.join("shlibs"))
            .args(["-O", "-e"])
            .arg(binary),
    )?;
    match said.trim().strip_prefix("shlibs:Depends=") {
        Some(libraries) => Ok(libraries.to_owned()),
        None => bail!("dpkg-shlibdeps does not tell the libraries of the program, but {said:?}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_begins_with_this_version() {
        let changelog = fs::read_to_string(setup::root().join("packaging/debian/changelog")).unwrap();

        assert!(changelog.starts_with(&format!("portolan ({}) ", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn every_file_of_the_package_has_a_place() {
        let folder = setup::root().join("packaging/debian");
        let placed = |name: &str| name == "control" || FILES.iter().any(|(file, ..)| *file == name);

        for file in files(&folder).unwrap() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(placed(&name), "{name}");
        }
    }
}
