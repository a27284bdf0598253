//! TLS to PostgreSQL: with a file of authorities the connection is encrypted, and the
//! certificate has to come from one of them and carry the name that was asked for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portolan_db::testing::TestDb;
use portolan_db::{Db, Error, ErrorKind, Options, params};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::{SCHEMA, runtime};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The test server with a certificate; without one again at the end.
struct Server<'a> {
    url: &'a str,
}

impl Server<'_> {
    fn run(&self, sql: &str) -> Option<String> {
        let runtime = runtime();
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(self.url, tokio_postgres::NoTls))
            .unwrap();
        runtime.spawn(connection);
        let messages = runtime.block_on(client.simple_query(sql)).unwrap();
        messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    fn set(&self, settings: &[(&str, &str)]) {
        for (name, value) in settings {
            self.run(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        self.run("SELECT pg_reload_conf()");
    }

    /// Gives it a certificate of this authority for `localhost`.
    fn certify(&self, authority: &Authority) {
        let folder = PathBuf::from(self.run("SHOW data_directory").unwrap());
        assert!(
            folder.is_dir(),
            "the tests need a PostgreSQL of their own on this machine: cargo xtask postgres"
        );
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        write(&folder.join("tls-test.crt"), &certificate.pem());
        write(&folder.join("tls-test.key"), &key.serialize_pem());
        self.set(&[
            ("ssl_cert_file", "tls-test.crt"),
            ("ssl_key_file", "tls-test.key"),
            ("ssl", "on"),
        ]);
        self.wait_for(b'S');
    }

    fn no_tls(&self) {
        self.set(&[("ssl", "off")]);
        self.wait_for(b'N');
    }

    /// The server takes its new settings when it gets round to it; it says so itself.
    fn wait_for(&self, answer: u8) {
        let config: tokio_postgres::Config = self.url.parse().unwrap();
        let port = config.get_ports()[0];
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // SSLRequest: a length and a number in place of a version.
            stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap();
            let mut said = [0];
            stream.read_exact(&mut said).unwrap();
            if said == [answer] {
                return;
            }
            assert!(Instant::now() < deadline, "the server keeps its old settings");
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        for name in ["ssl", "ssl_cert_file", "ssl_key_file"] {
            self.run(&format!("ALTER SYSTEM RESET {name}"));
        }
        self.run("SELECT pg_reload_conf()");
    }
}

/// As a file of the server's own, which it demands of a key.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(path.parent().unwrap()).unwrap();
    if fs::metadata(path).unwrap().uid() != owner.uid() {
        chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

#[test]
fn postgresql_is_trusted_by_its_own_authority_and_name_alone() {
    let Some(db) = TestDb::postgres(SCHEMA) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ours, strangers) = (authority("ours"), authority("a stranger"));
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        fs::write(&path, authority.pem()).unwrap();
        path
    };
    let (our_file, strangers_file) = (file("ours.pem", &ours), file("strangers.pem", &strangers));
    let open = |host: &str, sslmode: &str, authorities: Option<&PathBuf>| -> Result<Db, Error> {
        db.open_again(|options| {
            options.url = options.url.replace("127.0.0.1", host) + sslmode;
            options.tls_ca_file = authorities.cloned();
        })
    };
    let refused = |opened: Result<Db, Error>, why: &str| {
        let error = opened.err().expect(why);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{why}");
        error.to_string()
    };
    let server = Server { url: db.url() };

    // A server without TLS is not talked to in the clear instead.
    server.no_tls();
    for sslmode in ["", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-full"] {
        let text = refused(open("localhost", sslmode, Some(&our_file)), "it has no TLS");
        assert!(text.contains("TLS"), "{text}");
    }

    server.certify(&ours);
    for sslmode in ["", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-full"] {
        let encrypted = open("localhost", sslmode, Some(&our_file)).unwrap();
        let version: (bool, String) = encrypted
            .read_blocking(|tx| {
                let row: (i64, String) = tx.fetch_one(
                    "SELECT cast(ssl AS INT)::BIGINT, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                    params![],
                )?;
                Ok::<_, Error>((row.0 == 1, row.1))
            })
            .unwrap();
        assert!(version.0, "{sslmode}: encrypted");
        assert!(["TLSv1.2", "TLSv1.3"].contains(&version.1.as_str()), "{}", version.1);
    }

    for sslmode in ["", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-full"] {
        refused(
            open("localhost", sslmode, Some(&strangers_file)),
            "the certificate is of an authority that is not ours",
        );
        refused(
            open("127.0.0.1", sslmode, Some(&our_file)),
            "the certificate is for another name",
        );
    }
    // A certificate that is not checked protects from nobody.
    for sslmode in ["?sslmode=require", "?sslmode=verify-full"] {
        let text = refused(open("localhost", sslmode, None), "nothing says whom to trust");
        assert!(text.contains("certificate file"), "{text}");
    }
    let garbage = folder.path().join("garbage.pem");
    fs::write(&garbage, "not a certificate").unwrap();
    refused(open("localhost", "", Some(&garbage)), "the file holds no certificate");
    assert!(Db::open(Options::new("postgres://localhost/x?sslmode=verify-everything")).is_err());
}
