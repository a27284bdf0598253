//! The listener with a certificate (G10): which versions and key exchanges it speaks, and
//! that it says nothing to whoever does not speak them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that speaks TLS with a certificate of an authority made for it.
struct Serving {
    process: Child,
    address: SocketAddr,
    authority: CertificateDer<'static>,
    _folder: TempDir,
}

impl Serving {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "an authority of the tests");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, &authority).unwrap();
        let (certificate_file, key_file) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();

        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTOLAN_") {
                command.env_remove(name);
            }
        }
        let mut process = command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--data-dir"])
            .arg(folder.path().join("data"))
            .env("PORTOLAN_TLS_CERTIFICATE_FILE", &certificate_file)
            .env("PORTOLAN_TLS_KEY_FILE", &key_file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines
            .map(Result::unwrap)
            .find(|line| line.starts_with("portolan ready at "))
            .expect("the server becomes ready");
        assert!(ready.contains("https://"), "{ready}");
        let port = ready.rsplit(':').next().unwrap().parse().unwrap();
        Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            authority: authority.der().clone(),
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What the server says to these bytes until it closes the connection.
    fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A connection that is reset after the answer was sent still has answered.
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// One request over TLS of this version; what was agreed on, and the answer.
    fn ask(&self, version: &'static SupportedProtocolVersion) -> (ProtocolVersion, String, String) {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, self.connect());
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let suite = stream.conn.negotiated_cipher_suite().unwrap().suite();
        (
            stream.conn.protocol_version().unwrap(),
            format!("{suite:?}"),
            String::from_utf8_lossy(&answer).into_owned(),
        )
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first message of a client that knows no version above this one.
fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let number = |value: usize| u16::try_from(value).unwrap().to_be_bytes();
    let mut extensions = Vec::new();
    // Curves, and the signatures of that time: what is refused is refused for the version.
    for (kind, data) in [
        (10_u16, [0, 4, 0, 29, 0, 23].as_slice()),
        (11, &[1, 0]),
        (13, &[0, 6, 4, 1, 4, 3, 2, 1]),
    ] {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(number(data.len()));
        extensions.extend(data);
    }
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(number(suites.len() * 2));
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    body.extend(number(extensions.len()));
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(number(body.len()));
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(number(message.len()));
    record.extend(message);
    record
}

const ALERT: u8 = 21;
const FATAL: u8 = 2;
const PROTOCOL_VERSION: u8 = 70;
const HANDSHAKE_FAILURE: u8 = 40;

#[test]
fn the_listener_speaks_tls_1_2_and_1_3_and_nothing_older() {
    let server = Serving::start();
    for (version, expected, exchange) in [
        (&TLS12, ProtocolVersion::TLSv1_2, "TLS_ECDHE_"),
        // Every suite of 1.3 has forward secrecy.
        (&TLS13, ProtocolVersion::TLSv1_3, "TLS13_"),
    ] {
        let (agreed, suite, answer) = server.ask(version);
        assert_eq!(agreed, expected);
        assert!(suite.starts_with(exchange), "{suite}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.to_lowercase().contains("strict-transport-security: max-age="),
            "{answer}"
        );
    }

    // ECDHE with CBC, and RSA with CBC: what clients of old offer.
    let old = [0xc013, 0xc014, 0x002f, 0x0035];
    for version in [0x0300, 0x0301, 0x0302] {
        let answer = server.say(&hello(version, &old));
        assert_eq!(answer.first(), Some(&ALERT), "{version:x}: {answer:?}");
        assert_eq!(&answer[5..], [FATAL, PROTOCOL_VERSION], "{version:x}: {answer:?}");
    }
    // Of 1.2 nothing without forward secrecy: RSA key exchange, also with GCM; no CBC.
    for suites in [
        [0x009c, 0x009d, 0x002f],
        [0xc013, 0xc014, 0xc009],
        [0x0005, 0x000a, 0x0000],
    ] {
        let answer = server.say(&hello(0x0303, &suites));
        assert_eq!(answer.first(), Some(&ALERT), "{suites:x?}: {answer:?}");
        assert_eq!(&answer[5..], [FATAL, HANDSHAKE_FAILURE], "{suites:x?}: {answer:?}");
    }
    // The same hello with a suite of today gets an answer: it is a well-formed one.
    let mut stream = server.connect();
    stream.write_all(&hello(0x0303, &[0xc02b, 0xc02f])).unwrap();
    let mut kind = [0];
    stream.read_exact(&mut kind).unwrap();
    assert_eq!(kind, [22], "a handshake goes on");
}

#[test]
fn plain_http_is_not_served_where_tls_is() {
    let server = Serving::start();
    let answer = server.say(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(answer.is_empty() || answer[0] == ALERT, "{answer:?}");
}
