use super::*;
use crate::config::Config;

fn config() -> Config {
    Config {
        public_url: "http://localhost:8080".into(),
        ..Config::default()
    }
}

fn client(client_type: &str, uris: &[&str]) -> Client {
    let mut client = Client::new(
        ClientId::from_u128(1),
        "c",
        client_type,
        portolan_types::Timestamp::from_seconds(0),
    );
    client.set_redirect_uris(&uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>());
    client
}

#[test]
fn native_apps_may_use_unregistered_loopback_addresses() {
    let native = client(PUBLIC_INSTALLED, &["http://localhost/callback"]);
    let with_path = client(PUBLIC_INSTALLED, &["http://localhost:9999/callback"]);
    let table = [
        ("http://localhost:5173", true),
        ("http://localhost:5173/", true),
        ("http://127.0.0.1:18411", true),
        ("http://[::1]:4000/", true),
        ("http://localhost:80", false),
        ("http://localhost:1023/", false),
        ("http://localhost", false),
        ("http://localhost:05173", false),
        ("http://localhost:70000", false),
        ("http://localhost:5173/other", false),
        ("http://localhost:5173?x=1", false),
        ("http://localhost:5173/?x=1", false),
        ("http://localhost:5173#f", false),
        ("http://localhost.evil.example:5173", false),
        ("http://localhost:5173@evil.example", false),
        ("http://user@localhost:5173", false),
        ("https://localhost:5173", false),
        ("HTTP://localhost:5173", false),
        ("http://127.0.0.2:5173", false),
    ];
    for (uri, allowed) in table {
        assert_eq!(allows_redirect(&native, &config(), uri), allowed, "{uri}");
    }
    assert!(allows_redirect(&with_path, &config(), "http://localhost:5173/callback"));
    assert!(!allows_redirect(
        &with_path,
        &config(),
        "http://localhost:5173/callback?x"
    ));
}

#[test]
fn other_clients_get_exact_matches_and_ports_on_the_two_addresses() {
    let web = client(
        CONFIDENTIAL,
        &[
            "https://a.example/cb",
            "http://127.0.0.1/cb",
            "http://localhost:3000/cb",
        ],
    );
    let table = [
        ("https://a.example/cb", true),
        ("https://a.example/cb/", false),
        ("https://a.example/cb?x=1", false),
        ("https://A.example/cb", false),
        ("http://127.0.0.1:5555/cb", true),
        ("http://127.0.0.1/cb", true),
        ("http://127.0.0.1:5555/cb/../x", false),
        ("http://127.0.0.1:5555", false),
        ("http://localhost:3000/cb", true),
        ("http://localhost:3001/cb", false),
        ("http://localhost:8080/v2/web/auth-code", false),
    ];
    for (uri, allowed) in table {
        assert_eq!(allows_redirect(&web, &config(), uri), allowed, "{uri}");
    }
}

#[test]
fn the_display_page_is_for_native_apps_under_each_public_address() {
    let mut config = config();
    config.additional_public_urls = vec!["https://auth.example.org/".into()];
    let native = client(PUBLIC_INSTALLED, &[]);
    assert!(allows_redirect(
        &native,
        &config,
        "http://localhost:8080/v2/web/auth-code"
    ));
    assert!(allows_redirect(
        &native,
        &config,
        "https://auth.example.org/v2/web/auth-code"
    ));
    assert!(!allows_redirect(
        &native,
        &config,
        "https://auth.example.org/v2/web/auth-code/"
    ));
    assert!(!allows_redirect(
        &native,
        &config,
        "https://auth.example.org.evil/v2/web/auth-code"
    ));
}

#[test]
fn only_sound_uris_can_be_registered() {
    let good = [
        (CONFIDENTIAL, "https://a.example/cb"),
        (CONFIDENTIAL, "https://localhost"),
        (CONFIDENTIAL, "http://localhost:3000/cb"),
        (CONFIDENTIAL, "https://a.example/cb?tenant=1"),
        (PUBLIC_INSTALLED, "org.example.app:/cb"),
    ];
    for (client_type, uri) in good {
        check_redirect_uri(client_type, uri).unwrap();
    }
    let long = format!("https://a.example/{}", "x".repeat(2048 - 18));
    check_redirect_uri(CONFIDENTIAL, &long).unwrap();
    let longer = format!("{long}x");
    let (plain, scheme) = ("uses plain http", "must use https");
    let (characters, user) = ("contains characters", "carries a user name");
    let bad = [
        (CONFIDENTIAL, longer.as_str(), "is longer than 2048"),
        (CONFIDENTIAL, "https://a.example/\u{fc}", characters),
        (CONFIDENTIAL, "https://a.example/\u{7f}", characters),
        (CONFIDENTIAL, "https://a.example/\n", characters),
        (CONFIDENTIAL, "https://a.example/ ", characters),
        (CONFIDENTIAL, "https://a.example/<b>", characters),
        (CONFIDENTIAL, "https://a.example\\@evil.example/", characters),
        (CONFIDENTIAL, "https://a.example/cb#x", "has a fragment"),
        (CONFIDENTIAL, "https://*.example/cb", "has a wildcard"),
        (CONFIDENTIAL, "/relative", "is not an absolute URI"),
        (CONFIDENTIAL, "", "is not an absolute URI"),
        (CONFIDENTIAL, "https://a.example/x/../cb", "has dot segments"),
        (CONFIDENTIAL, "https://a.example/x/%2E%2e/cb", "has dot segments"),
        (CONFIDENTIAL, "https://u:p@a.example/", user),
        (CONFIDENTIAL, "https://:p@a.example", user),
        (CONFIDENTIAL, "https://@a.example?x", user),
        (PUBLIC_INSTALLED, "org.example.app://u@host/cb", user),
        (CONFIDENTIAL, "https:a.example", "has no host"),
        (CONFIDENTIAL, "https:///a.example/cb", "has no host"),
        (CONFIDENTIAL, "http:localhost", "has no host"),
        (CONFIDENTIAL, "http://a.example/cb", plain),
        (CONFIDENTIAL, "http://localhost.evil.example/cb", plain),
        (CONFIDENTIAL, "org.example.app:/cb", scheme),
        (CONFIDENTIAL, "javascript:alert(1)", scheme),
        (PUBLIC_INSTALLED, "myapp:/cb", "uses a private scheme without a dot"),
    ];
    for (client_type, uri, reason) in bad {
        let refused = check_redirect_uri(client_type, uri).unwrap_err();
        assert!(refused.detail().contains(reason), "{uri}: {}", refused.detail());
    }
}

#[test]
fn names_and_links_have_bounds() {
    check_name(&"n".repeat(255)).unwrap();
    check_name(&format!(" {} ", "n".repeat(255))).unwrap();
    for bad in ["", " ", &"n".repeat(256), "two\nlines"] {
        assert!(check_name(bad).is_err(), "{bad:?}");
    }
    let good = format!("https://a.example/{}", "x".repeat(2048 - 18));
    let other = "http://b.example/terms";
    check_links(None, None).unwrap();
    check_links(Some(&good), Some(other)).unwrap();
    assert!(check_links(Some(other), None).is_err());
    assert!(check_links(None, Some(other)).is_err());
    let longer = format!("{good}x");
    for bad in [
        longer.as_str(),
        "ftp://a.example/",
        "mailto:a@b.example",
        "javascript:1",
        "terms",
    ] {
        let in_terms = check_links(Some(bad), Some(other)).unwrap_err();
        assert!(in_terms.detail().starts_with("links.terms_and_conditions"));
        let in_privacy = check_links(Some(other), Some(bad)).unwrap_err();
        assert!(in_privacy.detail().starts_with("links.privacy_policy"));
    }
}
