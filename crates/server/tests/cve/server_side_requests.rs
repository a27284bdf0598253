//! Class 13: Requests that an attacker makes through the server.
//!
//! Keycloak CVE-2020-10770, CVE-2026-1180; MITREid CVE-2021-26715. What calls out is the
//! question for the TXT record of a domain name, and the guarded client, which judges the
//! addresses that are connected to (its own tests: `upstream/fetch.rs`); `architecture.rs`
//! shows that nothing outside of `upstream` could. Here: what that question can be made to
//! do, and that no address a caller writes anywhere is ever visited.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::json;

use super::support::{Auth, FakeProvider, TestServer, Zone};

const MANAGE: &str = "openid urn:globus:auth:scope:auth.globus.org:manage_projects";
const TXT: u16 = 16;

/// A server that counts its visitors.
struct Trap {
    address: String,
    visitors: Arc<AtomicUsize>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visitors: Arc<AtomicUsize> = Arc::default();
        let count = visitors.clone();
        std::thread::spawn(move || {
            while listener.accept().is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, visitors }
    }

    /// How many came; our own visit comes last, so whoever was there before it is counted.
    fn visitors(&self) -> usize {
        let before_ours = std::net::TcpStream::connect(&self.address);
        assert!(before_ours.is_ok());
        // The listener takes visitors in their order: once ours is counted, so are theirs.
        while self.visitors.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        self.visitors.swap(0, Ordering::SeqCst) - 1
    }
}

#[test]
fn no_address_that_a_caller_writes_is_visited() {
    let trap = Trap::set();
    let url = format!("http://{}/", trap.address);
    let https = format!("https://{}/", trap.address);
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let browser = server.browser_of(&alice);
    let token = Auth::Bearer(
        server
            .client()
            .create()
            .tokens(&browser, MANAGE)
            .access_token()
            .to_owned(),
    );
    let project =
        json!({ "project": { "display_name": "P", "contact_email": "p@example.org", "admin_ids": [alice.id] } });
    let project = server.post_json("/v2/api/projects", &token, &project).ok().json()["project"]["id"].clone();
    // Wherever a client can be given an address, also under names that we do not know.
    for member in [
        "redirect_uris",
        "links",
        "logo_uri",
        "jwks_uri",
        "sector_identifier_uri",
        "request_uris",
        "initiate_login_uri",
        "backchannel_logout_uri",
        "frontchannel_logout_uri",
        "client_uri",
        "policy_uri",
        "tos_uri",
    ] {
        for url in [&url, &https] {
            let mut client = json!({ "name": "a", "project": project, "public_client": false });
            client[member] = match member {
                "redirect_uris" | "request_uris" => json!([url]),
                "links" => json!({ "terms_and_conditions": url, "privacy_policy": url }),
                _ => json!(url),
            };
            let answer = server.post_json("/v2/api/clients", &token, &json!({ "client": client }));
            assert!(answer.status.as_u16() < 500, "{member}: {}", answer.summary());
        }
    }
    let client = server
        .client()
        .links(&https, &https)
        .redirect_uri(&format!("{https}cb"))
        .create();
    for name in [
        "request_uri",
        "request",
        "redirect_uri",
        "client_id",
        "registration",
        "claims",
        "id_token_hint",
        "login_hint",
        "iss",
        "logo_uri",
        "jwks_uri",
        "sector_identifier_uri",
    ] {
        let answer = super::authorize(&server, &client.params("openid").set(name, &url).pairs());
        assert!(answer.status.as_u16() < 500, "{name}: {}", answer.summary());
    }
    // By reference is refused in so many words (OpenID Connect Core 6.2).
    let outcome = browser.authorize(&client, &client.params("openid").set("request_uri", &url));
    assert_eq!(outcome.error().as_deref(), Some("request_uri_not_supported"));
    // The pages that show or follow such an address leave the visit to the person.
    browser.authorize(&client, &client.params("openid").set("prompt", "consent"));
    browser.allow();
    browser.get(&format!(
        "/v2/web/logout?client_id={}&redirect_uri={https}&redirect_name=x",
        client.id
    ));
    for name in [
        "client_assertion",
        "assertion",
        "subject_token",
        "redirect_uri",
        "resource",
    ] {
        client.token(&client.exchange_params("x").set(name, &url));
    }
    assert_eq!(trap.visitors(), 0);
}

#[test]
fn the_proof_of_a_name_asks_one_question_of_the_configured_server() {
    let zone = Zone::start();
    let address = zone.address;
    let server = TestServer::with(move |config| config.dns_resolver = Some(address));
    let client = server.client().hybrid().create();
    let path = format!("/v2/api/clients/{}/fqdns", client.id);
    let prove = |name: &str| server.post_json(&path, &client.auth(), &json!({ "fqdn": name }));

    // What is no domain name is refused before anybody is asked.
    for name in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "::1",
        "fe80::1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "localhost",
        "metadata",
        "http://svc.example.org",
        "svc.example.org:53",
        "svc.example.org/x",
        "svc.example.org?x",
        "svc.example.org#x",
        "user@svc.example.org",
        "svc..example.org",
        ".svc.example.org",
        "*.example.org",
        "svc example.org",
        "svc.example.org\r\nHost: x",
        "svc.example.org\u{0}.evil.example",
        "s\u{fc}c.example.org",
        "-svc.example.org",
        "",
        ".",
    ] {
        let answer = prove(name);
        assert_eq!(answer.status, 400, "{name}: {}", answer.summary());
        assert_eq!(zone.take_questions(), [], "{name}");
    }
    let long = format!("{}.example.org", "a".repeat(64));
    assert_eq!(prove(&long).status, 400);
    assert_eq!(prove(&"a.".repeat(150)).status, 400);
    assert_eq!(zone.take_questions(), []);

    // A name leads to the one question for texts, of that server, and no second look at
    // what the record says: neither its words nor an address in it are followed or repeated.
    let trap = Trap::set();
    let words = format!("http://{}/ include:evil.example ptr:other.example", trap.address);
    zone.set("svc.example.org", &words);
    let answer = prove("svc.example.org");
    assert_eq!(answer.status, 400);
    for word in ["include", "evil.example", &trap.address] {
        assert!(
            !answer.text().contains(word),
            "the answer repeats {word}: {}",
            answer.text()
        );
    }
    assert_eq!(zone.take_questions(), [("svc.example.org".to_owned(), TXT)]);
    assert_eq!(trap.visitors(), 0);
}

/// Nobody asks the DNS in the name of the server who could not register the name.
#[test]
fn strangers_cannot_make_the_server_ask() {
    let zone = Zone::start();
    let address = zone.address;
    let server = TestServer::with(move |config| config.dns_resolver = Some(address));
    let (client, other) = (server.client().hybrid().create(), server.client().create());
    let path = format!("/v2/api/clients/{}/fqdns", client.id);
    let browser = server.browser_of(&server.user("bob").create());
    let bob = Auth::Bearer(other.tokens(&browser, MANAGE).access_token().to_owned());
    for auth in [
        Auth::None,
        other.auth(),
        bob,
        Auth::Basic(client.id.to_string(), "guessed".into()),
    ] {
        let request = server.request(Method::POST, &path).authorization(&auth);
        let answer = request
            .header("content-type", "application/json")
            .body(r#"{"fqdn":"svc.example.org"}"#)
            .send();
        assert!(matches!(answer.status.as_u16(), 401 | 403), "{}", answer.summary());
    }
    assert_eq!(zone.take_questions(), []);
}

/// Keycloak CVE-2026-1180: an identity provider is somebody else's server, and so is whatever
/// its document names.
#[test]
fn a_provider_or_its_document_cannot_name_a_machine_inside() {
    let trap = Trap::set();
    let server = TestServer::new();
    let provider = FakeProvider::start(&server);
    for (number, issuer) in ["http", "https"].into_iter().enumerate() {
        provider.script(|script| script.issuer = format!("{issuer}://{}", trap.address));
        let name = format!("inside{number}");
        let id = provider.register(&server, &name, &[&format!("{name}.example")]);
        let page = server.browser().get(&format!("/p/login/with/{id}")).page().text();
        assert!(page.contains("discovery_address_refused"), "{page}");
    }
    assert_eq!(trap.visitors(), 0);

    // The provider may be called; what it names next to itself may not.
    let server = TestServer::with(|config| config.outgoing_allow = vec!["127.0.0.1/32".parse().unwrap()]);
    let provider = FakeProvider::start(&server);
    let id = provider.register(&server, "honest", &["honest.example"]);
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
    ] {
        provider.script(|script| script.document[name] = json!("https://127.0.0.2/"));
        let page = server.browser().get(&format!("/p/login/with/{id}")).page().text();
        assert!(page.contains("discovery_address_refused"), "{name}: {page}");
        let url = provider.url.clone();
        provider.script(|script| script.document[name] = json!(format!("{url}/x")));
    }
}
