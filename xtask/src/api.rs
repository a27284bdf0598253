//! The SDK's public items against those written down in `crates/sdk/public-api.txt`.
//!
//! The file is one line per item, the version in front. Whoever changes what other programs
//! call sees it in the change, and what would break them asks for a new version.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    process::{capture, cargo},
    setup::root,
};

const RECORD: &str = "crates/sdk/public-api.txt";

#[derive(Debug, Args)]
pub struct ApiArgs {
    /// Write down the public items as they are now
    #[arg(long)]
    write: bool,
    /// The version written down was never published: nobody depends on what goes
    #[arg(long, requires = "write")]
    unreleased: bool,
}

pub fn main(args: &ApiArgs) -> Result<()> {
    if !args.write {
        return check().map(|said| println!("{said}"));
    }
    let now = current()?;
    let recorded = fs::read_to_string(root().join(RECORD)).unwrap_or_default();
    let changes = changes(&recorded, &now);
    print!("{changes}");
    if changes.breaks_callers() && !args.unreleased {
        bail!("{}", changes.demand());
    }
    fs::write(root().join(RECORD), &now).with_context(|| format!("writing {RECORD}"))?;
    println!("{RECORD}: {} public items", items(&now).len());
    Ok(())
}

/// That the file tells the truth.
pub fn check() -> Result<String> {
    let now = current()?;
    let recorded = fs::read_to_string(root().join(RECORD)).with_context(|| format!("reading {RECORD}"))?;
    if recorded == now {
        return Ok(format!("{} public items of the SDK", items(&now).len()));
    }
    let changes = changes(&recorded, &now);
    if changes.breaks_callers() {
        bail!("{changes}{}", changes.demand());
    }
    bail!("{changes}{RECORD} does not say so yet: `cargo xtask api --write`, and commit it with the change")
}

/// The file's text for the SDK as it is.
fn current() -> Result<String> {
    let mut command = cargo();
    command
        .current_dir(root())
        .env("RUSTDOC", root().join("xtask/src/rustdoc.sh"))
        .args([
            "rustdoc",
            "--quiet",
            "--locked",
            "-p",
            "portolan-sdk",
            "--lib",
            "--all-features",
        ])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    capture(&mut command)?;
    let metadata = capture(
        cargo()
            .current_dir(root())
            .args(["metadata", "--format-version=1", "--no-deps"]),
    )?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target")?;
    let version = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|package| package["name"] == "portolan-sdk"))
        .and_then(|package| package["version"].as_str())
        .context("cargo metadata does not know portolan-sdk")?;
    let api = public_api::Builder::from_rustdoc_json(Path::new(folder).join("doc/portolan_sdk.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .context("reading what rustdoc wrote; `public-api` in xtask/Cargo.toml follows the version of Rust")?;
    let mut text = format!("portolan-sdk {version}\n");
    for item in api.items() {
        text.push_str(&format!("{item}\n"));
    }
    Ok(text)
}

fn items(text: &str) -> BTreeSet<&str> {
    text.lines().skip(1).collect()
}

fn version(text: &str) -> &str {
    text.lines()
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default()
}

struct Changes<'a> {
    from: &'a str,
    to: &'a str,
    gone: Vec<&'a str>,
    new: Vec<&'a str>,
}

fn changes<'a>(recorded: &'a str, now: &'a str) -> Changes<'a> {
    let (before, after) = (items(recorded), items(now));
    Changes {
        from: version(recorded),
        to: version(now),
        gone: before.difference(&after).copied().collect(),
        new: after.difference(&before).copied().collect(),
    }
}

impl Changes<'_> {
    /// Something went or changed, and the version says that nothing did (semver.org, 4 and 8).
    fn breaks_callers(&self) -> bool {
        !self.gone.is_empty() && compatible(self.from) == compatible(self.to)
    }

    fn demand(&self) -> String {
        format!(
            "programs written for portolan-sdk {} would not compile any more: keep what goes, or raise the version \
             so that it is not compatible (`--unreleased` if {} was never published)",
            self.from, self.from
        )
    }
}

/// The part of a version that stays as long as callers need not care.
fn compatible(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    match version.match_indices('.').nth(parts - 1) {
        Some((end, _)) => &version[..end],
        None => version,
    }
}

impl std::fmt::Display for Changes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.gone {
            writeln!(f, "- {line}")?;
        }
        for line in &self.new {
            writeln!(f, "+ {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{changes, compatible};

    #[test]
    fn versions_are_compatible_as_cargo_has_it() {
        for (version, part) in [("0.1.0", "0.1"), ("0.1.7", "0.1"), ("1.4.2", "1"), ("12.0.0", "12")] {
            assert_eq!(compatible(version), part);
        }
    }

    #[test]
    fn what_goes_asks_for_a_version_and_what_comes_does_not() {
        let recorded = "portolan-sdk 0.1.0\npub fn a()\npub fn b()\n";
        let more = changes(recorded, "portolan-sdk 0.1.0\npub fn a()\npub fn b()\npub fn c()\n");
        assert!(!more.breaks_callers());
        assert_eq!(more.to_string(), "+ pub fn c()\n");
        let other = changes(recorded, "portolan-sdk 0.1.1\npub fn a(u8)\npub fn b()\n");
        assert!(other.breaks_callers());
        assert_eq!(other.to_string(), "- pub fn a()\n+ pub fn a(u8)\n");
        let raised = changes(recorded, "portolan-sdk 0.2.0\npub fn b()\n");
        assert!(!raised.breaks_callers());
    }
}
