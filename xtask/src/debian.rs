//! Debian systems for the tests of the package: made once by debootstrap, kept under the
//! target folder, and copied for each test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::{process::run, setup};

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A system needs these to boot; a container would do without.
const SYSTEM: &str = "systemd,systemd-sysv,dbus";

/// What the guides for operators use beside the package, and what a reference set-up is made of.
const SERVICES: &[&str] = &["ca-certificates", "curl", "jq", "nginx", "openssl", "postgresql"];

/// A minimal system that boots, with nothing else in it.
pub fn clean() -> Result<PathBuf> {
    if !geteuid().is_root() {
        bail!(
            "packages are tested on Debian systems that root alone can make and boot. Run it as root: \
             sudo -E env PATH=\"$PATH\" cargo xtask test --only packages"
        );
    }
    let suite = suite()?;
    let debootstrap = setup::program("debootstrap", "debootstrap")?;
    made("clean", &format!("{suite} {SYSTEM}"), |root| {
        let mut command = Command::new(&debootstrap);
        command.args(["--variant=minbase", &format!("--include={SYSTEM}"), &suite]);
        run(command.arg(root), &setup::log("debian"), LIMIT)?;
        in_system(root, &["apt-get", "clean"])
    })
}

/// The same with a web server, a database and the tools of the guides.
pub fn with_services() -> Result<PathBuf> {
    let clean = clean()?;
    let wanted = SERVICES.join(" ");
    made("services", &format!("{} {SYSTEM} {wanted}", suite()?), |root| {
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]).args([&clean, root]);
        run(&mut copy, &setup::log("debian"), LIMIT)?;
        in_system(root, &["apt-get", "update"])?;
        let install = ["apt-get", "install", "--yes", "--no-install-recommends"];
        in_system(root, &[&install, SERVICES].concat())?;
        in_system(root, &["apt-get", "clean"])
    })
}

/// A system under this name, made again when what it is made of has changed.
fn made(name: &str, stamp: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let root = setup::state().join("debian").join(name);
    if setup::is_fresh(&root, stamp) {
        return Ok(root);
    }
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
    }
    let folder = root.parent().context("the folder of the systems")?;
    fs::create_dir_all(folder)?;
    make(&root)?;
    setup::write_stamp(&root, stamp)?;
    Ok(root)
}

/// Runs a command inside of a system that is not booted.
fn in_system(root: &Path, command: &[&str]) -> Result<()> {
    let mut inside = Command::new("unshare");
    inside
        .args(["--mount", "--pid", "--fork", "--kill-child"])
        .arg(format!("--mount-proc={}", root.join("proc").display()))
        .arg("chroot")
        .arg(root)
        .args(command)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    run(&mut inside, &setup::log("debian"), LIMIT)
}

/// The release of this machine: the program is linked with its libraries.
fn suite() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("this is no Debian")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release names no VERSION_CODENAME")?.to_owned())
}
