//! `portolan doctor`: looks at everything that goes wrong in practice and says what to do.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use portolan_db::Db;
use portolan_server::app::system_now;
use portolan_server::domain::keys::KeySet;
use portolan_server::domain::sealing::MasterKey;
use portolan_server::health::{Report, Verdict};
use portolan_server::store::{identities, keys, settings};
use portolan_server::{Config, serve, start};
use serde_json::{Value, json};
use url::Url;

use crate::options::Options;
use crate::output;

const MEBIBYTE: u64 = 1024 * 1024;
/// A store that takes longer to answer is noted.
const SLOW: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Look for what is wrong with a server and its surroundings, and say what to do.
///
/// Ends with exit code 1 if there is a problem. Changes nothing.
#[derive(Args)]
#[command(after_help = "Example:\n  portolan doctor --data-dir /var/lib/portolan --config /etc/portolan/portolan.toml")]
pub struct Doctor {}

impl Doctor {
    pub fn run(self, options: &Options) -> Result<()> {
        let sources = options.sources();
        let mut config = options.config()?;
        let mut report = Report::default();
        report.ok("configuration", "read and valid");
        for variable in Config::unknown_variables(&sources) {
            report.note(
                "configuration",
                format!("{variable} names no setting"),
                "Correct its name or remove it.",
            );
        }
        report.folder(&config);
        let running = serve::running_server(&config.data_dir);
        if let Some(db) = check_store(&mut report, &config) {
            check_clock(&mut report, &config, &db);
            check_keys(&mut report, &config, &db);
            check_people(&mut report, &db);
            if !config.has_public_url() {
                let issuer = db
                    .read_blocking(|tx| settings::find(tx, settings::ISSUER))
                    .ok()
                    .flatten();
                config.public_url = issuer.or_else(|| running.clone()).unwrap_or_default();
            }
        }
        check_public_url(&mut report, &config, running.is_some());
        print(options, &report)
    }
}

fn print(options: &Options, report: &Report) -> Result<()> {
    let problems = report.count(Verdict::Problem);
    let findings: Vec<Value> = report
        .0
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "verdict": finding.verdict.name(),
                "detail": finding.detail,
                "remedy": finding.remedy,
            })
        })
        .collect();
    output::print(
        options.format,
        &json!({ "findings": findings, "problems": problems }),
        || {
            let rows = report.0.iter().map(|finding| {
                let mut text = finding.detail.clone();
                if let Some(remedy) = &finding.remedy {
                    text.push_str(&format!("\n→ {remedy}"));
                }
                vec![finding.verdict.name().to_owned(), finding.check.to_owned(), text]
            });
            output::list(&["", "check", "finding"], rows)
        },
    )?;
    match problems {
        0 => Ok(()),
        1 => bail!("1 problem was found"),
        _ => bail!("{problems} problems were found"),
    }
}

fn check_store(report: &mut Report, config: &Config) -> Option<Db> {
    let started = Instant::now();
    let db = match start::open_store(config) {
        Ok(db) => db,
        Err(error) => {
            report.problem("store", error.to_string(), "Correct what it says, then run this again.");
            return None;
        }
    };
    let opened = started.elapsed();
    let started = Instant::now();
    if let Err(error) = settings::is_reachable_blocking(&db) {
        report.problem(
            "store",
            error.to_string(),
            "Look at the database, its log and its disk.",
        );
        return None;
    }
    let answered = started.elapsed();
    let engine = if config.is_postgres() { "PostgreSQL" } else { "SQLite" };
    let detail = format!(
        "{engine} opens in {} ms and answers in {:.1} ms; the schema is up to date",
        opened.as_millis(),
        answered.as_secs_f64() * 1000.0
    );
    if answered > SLOW {
        report.note(
            "store",
            detail,
            "Each login and token waits for it: bring it nearer, or find what slows it down.",
        );
    } else {
        report.ok("store", detail);
    }
    Some(db)
}

fn check_clock(report: &mut Report, config: &Config, db: &Db) {
    let stored = db.read_blocking(keys::list).unwrap_or_default();
    report.clock(config, db, system_now(), &stored);
}

fn check_keys(report: &mut Report, config: &Config, db: &Db) {
    let path = config.master_key_path();
    let master_key = match MasterKey::load(&path) {
        Ok(key) => key,
        Err(error) => {
            let remedy = "Without this file the server does not start: put it back with mode 0600.";
            report.problem("master key", error.to_string(), remedy);
            return;
        }
    };
    let check_value = db.read_blocking(|tx| settings::find(tx, settings::MASTER_KEY_CHECK));
    match check_value {
        Ok(Some(check_value)) if master_key.matches(&check_value) => {
            let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
            report.ok(
                "master key",
                format!("{} (mode {mode:04o}) belongs to this store", path.display()),
            );
        }
        Ok(None) => report.note("master key", "the store was not sealed yet", "Start the server once."),
        Ok(Some(_)) => {
            let remedy = "Put the right file there, or name it with --master-key-file.";
            report.problem(
                "master key",
                format!("{} belongs to another store", path.display()),
                remedy,
            );
            return;
        }
        Err(error) => {
            report.problem("master key", error.to_string(), "Look at the store.");
            return;
        }
    }
    let stored = match db.read_blocking(keys::list) {
        Ok(stored) => stored,
        Err(error) => {
            report.problem("signing keys", error.to_string(), "Look at the store.");
            return;
        }
    };
    if let Err(error) = KeySet::load(&master_key, &stored) {
        let remedy = "Restore a backup of the store, or make new keys: portolan keys rotate --compromised";
        report.problem("signing keys", error.to_string(), remedy);
        return;
    }
    report.signing_keys(&stored, system_now());
}

fn check_people(report: &mut Report, db: &Db) {
    match db.read_blocking(identities::has_administrator) {
        Ok(true) => report.ok("administrators", "there is at least one"),
        Ok(false) => report.note(
            "administrators",
            "there is none yet",
            "Open the link that the server prints at its start, or: portolan user add NAME --admin ...",
        ),
        Err(error) => report.problem("administrators", error.to_string(), "Look at the store."),
    }
}

/// Goes the way a browser goes: through name service, proxy and certificate.
fn check_public_url(report: &mut Report, config: &Config, running: bool) {
    let url = config.public_url();
    match fetch(&url, "/healthz") {
        Ok(answer) if answer.status == 200 && answer.body.trim() == "ok" => check_issuer(report, &url),
        Ok(answer) => report.problem(
            "public address",
            format!(
                "{url}/healthz answers with status {}, but not as this server does",
                answer.status
            ),
            "Something else answers there: correct public_url or the proxy in front of the server.",
        ),
        Err(error) if !running => report.note(
            "public address",
            format!("{url} does not answer ({error:#}); no server runs on this data folder"),
            "Start it: portolan serve",
        ),
        Err(error) => report.problem(
            "public address",
            format!("a server runs, but {url} does not answer: {error:#}"),
            "Check the name, the firewall, the proxy and the certificate; people and apps use this address.",
        ),
    }
}

fn check_issuer(report: &mut Report, url: &str) {
    let issuer = fetch(url, "/.well-known/openid-configuration").and_then(|answer| {
        let document: Value = serde_json::from_str(&answer.body).context("discovery is not JSON")?;
        Ok(document["issuer"].as_str().unwrap_or_default().to_owned())
    });
    match issuer {
        Ok(issuer) if issuer == url => report.ok("public address", format!("{url} answers and names itself so")),
        Ok(issuer) => report.problem(
            "public address",
            format!("{url} answers, but its issuer is {issuer:?}"),
            "Start the server with the address that people use: --public-url",
        ),
        Err(error) => report.problem(
            "public address",
            format!("{url}: {error:#}"),
            "Look at the server's log.",
        ),
    }
}

struct Answer {
    status: u16,
    body: String,
}

/// One plain GET. No redirects: who is sent elsewhere is not at the server.
fn fetch(base: &str, path: &str) -> Result<Answer> {
    let url = Url::parse(base)?;
    let host = url.host_str().context("an address without a host")?;
    let port = url.port_or_known_default().context("an address without a port")?;
    // As in a URL, an IPv6 address stands in brackets; the resolver takes it without.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (name, port)
        .to_socket_addrs()
        .with_context(|| format!("the name {name} is not known"))?;
    let mut last = anyhow::anyhow!("the name {name} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: portolan-doctor\r\nConnection: close\r\n\r\n",
                    &url[url::Position::BeforeHost..url::Position::AfterPort]
                );
                return match url.scheme() {
                    "https" => exchange(tls(stream, name)?, &request),
                    _ => exchange(stream, &request),
                };
            }
            Err(error) => last = anyhow::Error::new(error).context(format!("no connection to {address}")),
        }
    }
    Err(last)
}

fn tls(stream: TcpStream, name: &str) -> Result<impl Read + Write> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let settings = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned())?;
    Ok(rustls::StreamOwned::new(
        rustls::ClientConnection::new(Arc::new(settings), name)?,
        stream,
    ))
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Result<Answer> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    // A peer may close without the end that TLS wants; what came is what counts.
    let ended = stream.take(MEBIBYTE).read_to_end(&mut bytes);
    if bytes.is_empty() {
        ended?;
    }
    parse(&bytes).context("it does not answer in HTTP")
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { dechunk(body)? } else { body.to_owned() };
    Some(Answer { status, body })
}

/// Proxies like to send in chunks.
fn dechunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_in_chunks() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", Some((200, "ok\n"))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x=y\r\n!\r\n0\r\n\r\n",
                Some((200, "ok!")),
            ),
            ("HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", Some((502, "<html>"))),
            ("SSH-2.0-OpenSSH_9.2\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort", None),
        ] {
            let answer = parse(bytes.as_bytes()).map(|answer| (answer.status, answer.body));
            assert_eq!(
                answer.as_ref().map(|(status, body)| (*status, body.as_str())),
                expected,
                "{bytes}"
            );
        }
    }
}
