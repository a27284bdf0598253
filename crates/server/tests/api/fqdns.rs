//! `POST /v2/api/clients/{client_id}/fqdns`, against a DNS server on this machine.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use http::Method;
use portolan_db::params;
use serde_json::{Value, json};

use crate::developer::{GROUPS, text};
use crate::support::{Auth, TestServer};

/// A DNS server that holds TXT records and nothing else.
struct Zone {
    address: SocketAddr,
    records: Arc<Mutex<Vec<(String, String)>>>,
}

impl Zone {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let known = records.clone();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut question) {
                if let Some(answer) = answer(&question[..length], &known.lock().unwrap()) {
                    socket.send_to(&answer, peer).unwrap();
                }
            }
        });
        Self { address, records }
    }

    fn set(&self, name: &str, text: &str) {
        let mut records = self.records.lock().unwrap();
        records.retain(|(known, _)| known != name);
        records.push((name.to_owned(), text.to_owned()));
    }
}

/// RFC 1035 section 4: the header and the question come back, with one record for each
/// text, or the code for a name that does not exist, or a failure for `broken.`.
fn answer(question: &[u8], records: &[(String, String)]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while *question.get(at)? > 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(question.get(at + 1..at + 1 + length)?).to_lowercase());
        at += length + 1;
    }
    let name = labels.join(".");
    let question_end = at + 5;
    let texts: Vec<&str> = records
        .iter()
        .filter(|(known, _)| *known == name)
        .map(|(_, text)| text.as_str())
        .collect();
    let code = match texts.is_empty() {
        _ if name.starts_with("broken.") => 2,
        true => 3,
        false => 0,
    };
    let mut answer = question.get(..question_end)?.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    answer[6..8].copy_from_slice(&u16::try_from(texts.len()).unwrap().to_be_bytes());
    answer[8..12].fill(0);
    for text in texts {
        // The name by reference, TXT, IN, no time to live, then texts of at most 255 bytes.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0]);
        let mut data = Vec::new();
        for piece in text.as_bytes().chunks(20) {
            data.push(u8::try_from(piece.len()).unwrap());
            data.extend(piece);
        }
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

fn start() -> (Zone, TestServer) {
    let zone = Zone::start();
    let address = zone.address;
    (
        zone,
        TestServer::with(move |config| config.dns_resolver = Some(address)),
    )
}

#[test]
fn a_proven_name_spells_every_scope_once_more_and_names_the_resource_server() {
    let (zone, server) = start();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let before = alice.scope(&service, "read", json!({ "advertised": true }));
    let path = format!("/v2/api/clients/{}/fqdns", service.id);
    zone.set(
        "svc.example.org",
        &format!("\"{}\"", service.id.to_string().to_uppercase()),
    );

    let answer = server.call(
        &service.auth(),
        Method::POST,
        &path,
        json!({ "fqdn": "Svc.Example.org." }),
    );

    assert_eq!(answer.status, 201, "{}", answer.summary());
    assert_eq!(answer.json()["client"]["fqdns"], json!(["svc.example.org"]));
    let found = alice.get("/v2/api/clients?fqdn=svc.EXAMPLE.org").ok().json();
    assert_eq!(found["client"]["id"], service.id.to_string());

    // Both spellings name the one scope, and each token answer repeats what was asked for.
    let by_name = "https://auth.globus.org/scopes/svc.example.org/read";
    let looked_up = alice
        .get(&format!("/v2/api/scopes?scope_strings={by_name}"))
        .ok()
        .json();
    assert_eq!(looked_up["scopes"][0]["id"], before["id"]);
    assert_eq!(looked_up["scopes"][0]["scope_string"], by_name);
    let bob = server.user("bob").create();
    let tokens = alice.console.tokens(&server.browser_of(&bob), by_name);
    assert_eq!(tokens.0["resource_server"], "svc.example.org");
    assert_eq!(tokens.0["scope"], by_name);
    let introspected = service.introspect(tokens.access_token());
    assert_eq!(introspected["active"], json!(true));
    let scopes = text(&introspected["scope"]);
    assert!(
        scopes.split(' ').any(|scope| scope == before["scope_string"]),
        "{scopes}"
    );

    // A new scope is answered in both spellings, the one with the id first.
    let document = json!({ "scope": {
        "name": "n", "description": "d", "scope_suffix": "write",
        "dependent_scopes": [{ "scope": GROUPS, "optional": false, "requires_refresh_token": true }]
    } });
    let created = alice
        .post(&format!("/v2/api/clients/{}/scopes", service.id), document)
        .ok()
        .json();
    let strings: Vec<String> = created["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scope| text(&scope["scope_string"]))
        .collect();
    let prefix = "https://auth.globus.org/scopes";
    assert_eq!(
        strings,
        [
            format!("{prefix}/{}/write", service.id),
            format!("{prefix}/svc.example.org/write")
        ]
    );
    assert_eq!(created["scope"], created["scopes"][0]);
    assert_eq!(created["scopes"][0]["id"], created["scopes"][1]["id"]);

    server.advance_seconds(1);
    // A second name is another spelling; the resource server keeps its name.
    zone.set("other.example.org", &service.id.to_string());
    let nested = json!({ "client": { "fqdn": "other.example.org" } });
    let answer = alice.post(&path, nested).ok().json();
    assert_eq!(
        answer["client"]["fqdns"],
        json!(["svc.example.org", "other.example.org"])
    );
    assert_eq!(service.record().resource_server.as_deref(), Some("svc.example.org"));
    let again = alice
        .post(&path, json!({ "fqdn": { "fqdn": "other.example.org" } }))
        .ok()
        .json();
    assert_eq!(again, answer, "again is no error and changes nothing");
    // Another suffix changes every spelling.
    let scope = format!("/v2/api/scopes/{}", text(&before["id"]));
    alice.put(&scope, json!({ "scope": { "scope_suffix": "look" } })).ok();
    let old = alice
        .get(&format!("/v2/api/scopes?scope_strings={by_name}"))
        .ok()
        .json();
    assert_eq!(old, json!({ "scopes": [] }));
    let new = alice
        .get(&format!("/v2/api/scopes?scope_strings={prefix}/other.example.org/look"))
        .ok()
        .json();
    assert_eq!(new["scopes"][0]["id"], before["id"]);
}

#[test]
fn an_unproven_name_is_refused_and_says_why() {
    let (zone, server) = start();
    let alice = server.developer("alice");
    let service = alice.client(&alice.project("P"), "resource_server");
    let path = format!("/v2/api/clients/{}/fqdns", service.id);
    zone.set("wrong.example.org", "v=spf1 -all");
    zone.set("longer.example.org", &format!("{}0", service.id));
    for (fqdn, why) in [
        ("wrong.example.org", "say something else"),
        ("longer.example.org", "say something else"),
        ("missing.example.org", "no TXT record"),
        ("broken.example.org", "no answer"),
    ] {
        let refused = server.call(&service.auth(), Method::POST, &path, json!({ "fqdn": fqdn }));
        assert_eq!(refused.refusal(), "400 FQDN_VERIFICATION_FAILED", "{fqdn}");
        let detail = refused.detail();
        assert!(
            detail.contains(why) && detail.contains(&service.id.to_string()),
            "{detail}"
        );
    }
    for fqdn in ["localhost", "*.example.org", "192.0.2.1", "a b.example.org", ""] {
        alice.post(&path, json!({ "fqdn": fqdn })).names("fqdn");
    }
    alice.post(&path, json!({})).names("fqdn");
    assert_eq!(
        server.count(
            "SELECT count(*) FROM client_fqdns WHERE client_id = $1",
            params![service.id]
        ),
        0
    );
    // The proof is looked for anew each time.
    zone.set("missing.example.org", &service.id.to_string());
    assert_eq!(alice.post(&path, json!({ "fqdn": "missing.example.org" })).status, 201);
}

#[test]
fn a_name_belongs_to_one_client() {
    let (zone, server) = start();
    let (alice, bob) = (server.developer("alice"), server.developer("bob"));
    let first = alice.client(&alice.project("P"), "resource_server");
    let second = bob.client(&bob.project("Q"), "resource_server");
    let path = |id| format!("/v2/api/clients/{id}/fqdns");
    zone.set("svc.example.org", &first.id.to_string());
    let document = json!({ "fqdn": "svc.example.org" });
    for (auth, refusal) in [
        (&Auth::None, "401 UNAUTHORIZED"),
        (&bob.auth, "403 FORBIDDEN"),
        (&second.auth(), "403 FORBIDDEN"),
    ] {
        assert_eq!(
            server
                .call(auth, Method::POST, &path(first.id), document.clone())
                .refusal(),
            refusal
        );
    }
    alice.post(&path(first.id), document.clone()).ok();

    // Not even with the proof, nor the name of a well-known service or of this server itself.
    zone.set("svc.example.org", &second.id.to_string());
    assert_eq!(bob.post(&path(second.id), document).refusal(), "409 CONFLICT");
    let named = server.resource_server("named.example.org").scope("read").create();
    assert_eq!(named.name, "named.example.org");
    for fqdn in ["groups.api.globus.org", "auth.globus.org", "named.example.org"] {
        zone.set(fqdn, &second.id.to_string());
        assert_eq!(
            bob.post(&path(second.id), json!({ "fqdn": fqdn })).refusal(),
            "409 CONFLICT",
            "{fqdn}"
        );
    }
    assert_eq!(
        server
            .call(&bob.auth, Method::POST, &path(first.id), Value::Null)
            .refusal(),
        "400 INVALID_PARAMETERS"
    );
}
