//! The peer: npm's oidc-provider, see `bench/oidc-provider`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    browser::Browser,
    servers::Server,
    workloads::{self, Credentials, Endpoints, REDIRECT_URI, Tokens},
};
use crate::{process, setup};

const FILES: [&str; 4] = ["package.json", "package-lock.json", ".npmrc", "server.mjs"];
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);
const TOKENS: usize = 10_000;

/// The running peer and what belongs to it.
#[derive(Debug)]
pub struct Peer {
    pub server: Server,
    pub tokens: Tokens,
}

pub fn endpoints() -> Endpoints {
    Endpoints {
        host: "127.0.0.1:8080".to_owned(),
        authorize: "/auth",
        token: "/token",
        introspect: "/token/introspection",
    }
}

// The same as in server.mjs.
pub fn app() -> Credentials {
    Credentials {
        id: "app".to_owned(),
        secret: "bench-secret-of-the-app-0123456789abcdef".to_owned(),
    }
}

pub fn service() -> Credentials {
    Credentials {
        id: "service".to_owned(),
        secret: "bench-secret-of-the-service-0123456789abc".to_owned(),
    }
}

impl Peer {
    pub fn start(state: &Path) -> Result<Peer> {
        let folder = install(state)?;
        let store = state.join("oidc-provider-store");
        if store.exists() {
            fs::remove_dir_all(&store)?;
        }
        fs::create_dir_all(&store)?;
        let tokens = store.join("tokens.txt");
        let server = Server::peer(&folder, &store.join("store.db"), &tokens, TOKENS)?;
        Ok(Peer {
            server,
            tokens: Tokens::read(&tokens)?,
        })
    }

    /// Signs people in and consents; returns their cookies.
    pub fn sign_in(&self, people: usize) -> Result<Vec<String>> {
        let endpoints = endpoints();
        let mut sessions = Vec::new();
        for number in 0..people {
            let mut browser = Browser::new(self.server.address, &endpoints.host);
            let name = format!("person-{number}");
            let target = workloads::authorize_target(&endpoints, &app().id);
            let fields = [("login", &*name), ("password", "any")];
            browser
                .authorize(&target, REDIRECT_URI, &fields)
                .context("logging in at oidc-provider")?;
            sessions.push(browser.cookie_header());
        }
        Ok(sessions)
    }
}

/// Copies the peer's files out of the sources and installs its packages there.
fn install(state: &Path) -> Result<PathBuf> {
    let folder = state.join("oidc-provider");
    fs::create_dir_all(&folder)?;
    let sources = setup::root().join("bench/oidc-provider");
    let mut stamp = process::capture(Command::new("node").arg("--version")).context("Node 20 or newer is needed")?;
    for name in FILES {
        let text = fs::read_to_string(sources.join(name)).with_context(|| format!("bench/oidc-provider/{name}"))?;
        fs::write(folder.join(name), &text)?;
        if name != "server.mjs" {
            stamp.push_str(&text);
        }
    }
    let stamp_file = folder.join("node_modules/.stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        return Ok(folder);
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
    if Path::new("/usr/include/node/node.h").exists() {
        // The headers are here; better-sqlite3 is built with them instead of downloaded ones.
        npm.env("npm_config_nodedir", "/usr");
    }
    process::run(&mut npm, &setup::log("bench-setup"), INSTALL_LIMIT)?;
    fs::write(&stamp_file, stamp)?;
    Ok(folder)
}
