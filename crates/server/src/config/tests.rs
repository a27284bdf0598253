use std::io::Write as _;

use super::*;

fn flags(flags: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
    let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Config::load(&Sources {
        flags,
        ..Sources::default()
    })
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn defaults_are_valid() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.public_url(), "http://localhost:8080");
    assert_eq!(config.issuer(), "http://localhost:8080");
    assert_eq!(config.database_url().unwrap(), "sqlite:./portolan-data/portolan.db");
    assert!(config.is_loopback() && !config.cookie_secure());
}

#[test]
fn flags_override_variables_which_override_the_file() {
    let file = file("listen = \"127.0.0.1:1111\"\nlocal_domain = \"file.example\"\n[limits]\nconnections = 100\n");
    let variables = [
        ("PORTOLAN_LISTEN", "127.0.0.1:2222"),
        ("PORTOLAN_LIMITS_BODY_BYTES", "20000"),
        ("LISTEN", "x"),
    ];
    let config = Config::load(&Sources {
        file: Some(file.path().into()),
        environment: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        flags: vec![("listen", "127.0.0.1:3333".into())],
    })
    .unwrap();
    assert_eq!(config.listen.port(), 3333);
    assert_eq!(config.local_domain, "file.example");
    assert_eq!((config.limits.connections, config.limits.body_bytes), (100, 20_000));
}

#[test]
fn every_form_of_value_can_be_given_as_text() {
    let config = flags(&[
        ("insecure_http", "true"),
        ("access_token_lifetime_seconds", "3600"),
        ("trusted_proxies", "10.0.0.0/8, 192.168.1.1, ::1"),
        ("additional_public_urls", "[\"https://a.example\"]"),
        ("metrics_listen", "127.0.0.1:9464"),
        ("migrate", "check"),
        ("operator_contact", "42"),
    ])
    .unwrap();
    assert!(config.insecure_http);
    assert_eq!(config.access_token_lifetime_seconds, 3600);
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.168.1.1/32", "::1/128"]);
    assert_eq!(config.additional_public_urls, ["https://a.example"]);
    assert_eq!(config.metrics_listen.unwrap().port(), 9464);
    assert_eq!(config.migrate, Migrate::Check);
    assert_eq!(config.operator_contact.as_deref(), Some("42"));
}

#[test]
fn errors_name_the_setting_and_say_what_to_do() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "public_url",
            "auth.example.org",
            "write for example https://auth.example.org",
        ),
        (
            "public_url",
            "https://auth.example.org/base",
            "leave out everything after the host",
        ),
        (
            "public_url",
            "https://auth.example.org/?x=1",
            "leave out everything after the host",
        ),
        (
            "public_url",
            "https://auth.example.org?",
            "leave out everything after the host",
        ),
        ("public_url", "http://auth.example.org", "use https"),
        ("public_url", "https://user:pw@auth.example.org", "leave out user name"),
        (
            "public_url",
            "https://AUTH.example.org",
            "write it as https://auth.example.org",
        ),
        (
            "public_url",
            "https://auth.example.org:443",
            "write it as https://auth.example.org",
        ),
        ("public_url", "ftp://auth.example.org", "begin it with https://"),
        ("listen", "0.0.0.0:8080", "set public_url"),
        ("listen", "8080", "--listen 8080"),
        ("tls_key_file", "k.pem", "set tls_certificate_file too"),
        ("tls_certificate_file", "c.pem", "set tls_key_file too"),
        ("database", "mysql://x", "write sqlite:PATH or postgres://"),
        ("database_password_file", "p", "only for PostgreSQL"),
        ("local_domain", "Not A Domain", "local_domain"),
        ("local_domain", "a..b", "local_domain"),
        ("resource_server_name", "a b", "resource_server_name"),
        ("scope_url_prefix", "https://x.example/scopes", "ends with /"),
        ("id_token_algorithm", "none", "choose RS256, RS512 or ES256"),
        ("access_token_lifetime_seconds", "5", "choose a value from 60"),
        (
            "access_token_lifetime_seconds",
            "-5",
            "--access-token-lifetime-seconds -5",
        ),
        ("refresh_idle_lifetime_seconds", "99999999999", "to 31622400"),
        ("metrics_listen", "127.0.0.1:8080", "choose another port"),
        ("log_level", "info,=", "log_level"),
        ("trusted_proxies", "10.0.0.0/99", "--trusted-proxies"),
    ];
    for (name, value, words) in cases {
        let error = flags(&[(name, value)])
            .expect_err(&format!("{name} = {value} is refused"))
            .to_string();
        assert!(error.contains(words), "{name} = {value}: {error}");
        assert!(
            error.contains(&name.replace('_', "-")) || error.contains(name),
            "{name} = {value}: {error}"
        );
    }
}

#[test]
fn every_finding_is_told_at_once() {
    let error = flags(&[("local_domain", "X"), ("id_token_algorithm", "none")])
        .unwrap_err()
        .to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_key_that_is_not_known_is_refused_with_its_line() {
    let file = file("local_domain = \"a.example\"\nlisten_adress = \"127.0.0.1:80\"\n");
    let error = Config::load(&Sources {
        file: Some(file.path().into()),
        ..Sources::default()
    })
    .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("line 2") && error.contains("unknown field `listen_adress`"),
        "{error}"
    );
}

#[test]
fn unknown_variables_are_found_but_those_of_tests_are_left_alone() {
    let names = [
        "PORTOLAN_LISTN",
        "PORTOLAN_LISTEN",
        "PORTOLAN_TEST_POSTGRES_URL",
        "PORTOLAN_CONFIG",
        "HOME",
    ];
    let environment = names.map(|name| (name.to_owned(), "x".to_owned())).into();
    let sources = Sources {
        environment,
        ..Sources::default()
    };
    assert_eq!(Config::unknown_variables(&sources), ["PORTOLAN_LISTN"]);
}

#[test]
fn loopback_and_insecure_addresses() {
    for url in [
        "http://localhost:1",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://a.localhost:9",
    ] {
        assert!(flags(&[("public_url", url)]).unwrap().is_loopback(), "{url}");
    }
    let config = flags(&[
        ("public_url", "http://auth.lab.example:8080"),
        ("insecure_http", "true"),
    ])
    .unwrap();
    assert!(!config.is_loopback() && !config.cookie_secure());
    let config = flags(&[("public_url", "https://auth.example.org/")]).unwrap();
    assert_eq!(config.issuer(), "https://auth.example.org");
    assert!(config.cookie_secure());
}

#[test]
fn the_password_of_the_database_comes_from_its_file() {
    let password = file("p@ss word\n");
    let path = password.path().to_str().unwrap();
    let config = flags(&[
        ("database", "postgres://portolan@db.example/portolan"),
        ("database_password_file", path),
    ])
    .unwrap();
    assert_eq!(
        config.database_url().unwrap(),
        "postgres://portolan:p%40ss%20word@db.example/portolan"
    );
    assert!(!format!("{config:?}").contains("db.example"));
}

#[test]
fn the_sample_in_the_documentation_is_up_to_date_and_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/portolan.sample.toml");
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        written,
        Config::sample(),
        "run: portolan config sample > docs/portolan.sample.toml"
    );
    // As it is, and with every setting uncommented.
    toml::from_str::<Config>(&written).unwrap();
    let uncommented: String = written
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config: Config = toml::from_str(&uncommented).unwrap();
    config.validate().unwrap_err();
    assert_eq!(config.limits.connections, LimitsConfig::default().connections);
    assert_eq!(config.signing_key_rotation_days, Some(90));
}

#[test]
fn a_mail_server_is_named_with_a_sender_and_never_gets_a_password_in_the_clear() {
    let config = |url: &str| Config {
        smtp_url: Some(url.into()),
        mail_from: Some("Portolan <p@example.org>".into()),
        ..Config::default()
    };
    let server = |url: &str| {
        config(url)
            .smtp_server()
            .map(|server| server.map(|server| (server.host, server.port, server.tls)))
    };
    let named = |host: &str, port, tls| Ok(Some((host.to_owned(), port, tls)));
    assert_eq!(
        server("smtp://mail.example.org"),
        named("mail.example.org", 587, SmtpTls::StartTls)
    );
    assert_eq!(server("smtp://[::1]:2525?tls=none"), named("::1", 2525, SmtpTls::None));
    assert_eq!(
        server("smtps://mail.example.org"),
        named("mail.example.org", 465, SmtpTls::FromTheStart)
    );
    for wrong in [
        "mail.example.org",
        "smtp://",
        "http://x",
        "smtp://x?tls=maybe",
        "smtp://me:secret@x",
        "smtps://x?tls=none",
    ] {
        assert!(config(wrong).validate().is_err(), "{wrong}");
    }
    let with_password = |url: &str| Config {
        smtp_username: Some("me".into()),
        smtp_password_file: Some("/nowhere".into()),
        ..config(url)
    };
    assert!(with_password("smtp://mail.example.org").validate().is_ok());
    assert!(with_password("smtp://localhost?tls=none").validate().is_ok());
    assert!(with_password("smtp://mail.example.org?tls=none").validate().is_err());
    for from in [None, Some("nobody"), Some("a@b\r\nBcc: c@d"), Some("A <a@b")] {
        let from = from.map(str::to_owned);
        assert!(
            Config {
                mail_from: from,
                ..config("smtps://x")
            }
            .validate()
            .is_err()
        );
    }
    assert!(
        Config {
            sign_up: SignUp::Open,
            ..Config::default()
        }
        .validate()
        .is_err()
    );
}
