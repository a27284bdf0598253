use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn networks(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|network| network.parse().unwrap()).collect()
}

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "64:ff9b::8.8.8.8",
        "3fff:1000::1",
    ];
    let special = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        // The old form of an old address in a new one.
        "::127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ];
    for (list, expected) in [(&public[..], true), (&special[..], false)] {
        for text in list {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }
}

#[test]
fn an_address_is_judged_by_what_it_means_however_it_is_written() {
    use FetchError::{Forbidden, NoAddress, NotHttps};
    let fetcher = Fetcher::new(&networks(&["192.168.7.0/24", "fd00:7::/64"]));
    let table = [
        ("https://idp.example.org/x", Ok(())),
        ("https://8.8.8.8/", Ok(())),
        ("https://127.0.0.1/", Err(Forbidden)),
        ("https://127.1/", Err(Forbidden)),
        ("https://2130706433/", Err(Forbidden)),
        ("https://0x7f000001/", Err(Forbidden)),
        ("https://0177.0.0.1/", Err(Forbidden)),
        ("https://127.0.0.1./", Err(Forbidden)),
        ("https://%31%32%37.0.0.1/", Err(Forbidden)),
        ("https://１２７.0.0.1/", Err(Forbidden)),
        ("https://0/", Err(Forbidden)),
        ("https://[::1]/", Err(Forbidden)),
        ("https://[::ffff:127.0.0.1]/", Err(Forbidden)),
        ("https://[::ffff:7f00:1]/", Err(Forbidden)),
        ("https://[fe80::1]/", Err(Forbidden)),
        ("https://169.254.169.254/latest/meta-data", Err(Forbidden)),
        ("https://10.0.0.1:8443/", Err(Forbidden)),
        ("https://192.168.6.1/", Err(Forbidden)),
        // The list opens exactly what is on it.
        ("https://192.168.7.1/", Ok(())),
        ("https://[::ffff:192.168.7.1]/", Ok(())),
        ("https://[fd00:7::1]/", Ok(())),
        ("https://[fd00:8::1]/", Err(Forbidden)),
        ("http://192.168.7.1/", Ok(())),
        // Plain http to nobody else.
        ("http://8.8.8.8/", Err(NotHttps)),
        ("http://127.0.0.1/", Err(NotHttps)),
        ("ftp://8.8.8.8/", Err(NoAddress)),
        ("file:///etc/passwd", Err(NoAddress)),
        ("gopher://8.8.8.8/", Err(NoAddress)),
        ("https://user:secret@idp.example.org/", Err(NoAddress)),
        ("https://user@idp.example.org/", Err(NoAddress)),
        ("idp.example.org", Err(NoAddress)),
        ("", Err(NoAddress)),
        ("https://", Err(NoAddress)),
    ];
    for (url, expected) in table {
        assert_eq!(fetcher.check(url), expected, "{url}");
    }
    assert_eq!(Fetcher::new(&[]).check("http://idp.example.org/"), Err(NotHttps));
}

/// A name server that gives the next of these answers at each question, and counts.
fn names(answers: &[&[&str]]) -> (Lookup, Arc<Mutex<usize>>) {
    let answers: Vec<Vec<IpAddr>> = answers
        .iter()
        .map(|list| list.iter().map(|address| address.parse().unwrap()).collect())
        .collect();
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let mut count = count.lock().unwrap();
        let answer = answers[(*count).min(answers.len() - 1)].clone();
        *count += 1;
        Box::pin(async move { Ok(answer) })
    });
    (lookup, asked)
}

/// A server on this machine that gives this answer to everybody and tells how many came.
async fn server(answer: Vec<u8>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, requests) = (answer.clone(), requests.clone());
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                requests.lock().unwrap().push(text);
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, seen)
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

#[test]
fn a_name_is_judged_by_the_addresses_that_are_connected_to() {
    run(async {
        let (port, seen) = server(answer("200 OK", "hello")).await;
        let url = format!("http://name.example:{port}/");
        let loopback = networks(&["127.0.0.0/8"]);

        let (lookup, _) = names(&[&["127.0.0.1"]]);
        let fetched = Fetcher::with_lookup(&loopback, lookup.clone())
            .send(Outgoing::get(&url))
            .await;
        assert_eq!(fetched.unwrap().body, "hello");

        // The same name, but the list does not hold the address.
        let other = networks(&["10.0.0.0/8"]);
        let refused = Fetcher::with_lookup(&other, lookup.clone())
            .send(Outgoing::get(&url))
            .await;
        assert_eq!(refused.unwrap_err(), FetchError::NotHttps);
        let https = format!("https://name.example:{port}/");
        let refused = Fetcher::with_lookup(&[], lookup).send(Outgoing::get(https)).await;
        assert_eq!(refused.unwrap_err(), FetchError::Forbidden);
        assert_eq!(seen.lock().unwrap().len(), 1, "nobody came who was refused");
    });
}

#[test]
fn a_name_that_changes_its_meaning_is_looked_up_once_per_connection() {
    run(async {
        let (port, seen) = server(answer("200 OK", "inside")).await;
        // A public address first, then one of this machine: what a rebinding server does.
        let (lookup, asked) = names(&[&["127.0.0.1"], &["10.9.9.9"]]);
        let fetcher = Fetcher::with_lookup(&networks(&["10.0.0.0/8"]), lookup);
        let refused = fetcher
            .send(Outgoing::get(format!("http://rebind.example:{port}/")))
            .await;
        assert_eq!(refused.unwrap_err(), FetchError::NotHttps);
        assert_eq!(*asked.lock().unwrap(), 1, "judged and connected to is one answer");
        assert!(seen.lock().unwrap().is_empty());

        // Among several addresses only the good ones are tried.
        let (lookup, _) = names(&[&["127.0.0.1", "::1", "169.254.169.254"]]);
        let mixed = Guard {
            scope: Scope::PublicOrAllowed,
            allowed: networks(&["127.0.0.0/8"]).into(),
            lookup,
        };
        let found: Vec<SocketAddr> = mixed.resolve("mixed.example".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, ["127.0.0.1:0".parse().unwrap()]);
    });
}

#[test]
fn redirects_are_shown_and_not_followed() {
    run(async {
        let (inside, visited) = server(answer("200 OK", "secret")).await;
        let to = format!("302 Found\r\nlocation: http://127.0.0.1:{inside}/");
        let (port, _) = server(answer(&to, "")).await;
        let fetcher = Fetcher::new(&networks(&["127.0.0.0/8"]));
        let fetched = fetcher
            .send(Outgoing::get(format!("http://127.0.0.1:{port}/")))
            .await
            .unwrap();
        assert_eq!(fetched.status, StatusCode::FOUND);
        assert!(fetched.body.is_empty());
        assert!(visited.lock().unwrap().is_empty());
    });
}

#[test]
fn an_answer_has_a_limit_whether_it_says_its_length_or_not() {
    run(async {
        let fetcher = Fetcher::new(&networks(&["127.0.0.0/8"]));
        let ask = async |answer: Vec<u8>, limit: usize| {
            let (port, _) = server(answer).await;
            let outgoing = Outgoing::get(format!("http://127.0.0.1:{port}/")).limit(limit);
            fetcher.send(outgoing).await.map(|fetched| fetched.body.len())
        };
        let body = "x".repeat(1000);
        let endless = || format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}").into_bytes();
        assert_eq!(ask(answer("200 OK", &body), 1000).await, Ok(1000));
        assert_eq!(ask(answer("200 OK", &body), 999).await, Err(FetchError::TooLarge));
        assert_eq!(ask(endless(), 1000).await, Ok(1000));
        assert_eq!(ask(endless(), 999).await, Err(FetchError::TooLarge));
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort".to_vec();
        assert_eq!(ask(cut, 1000).await, Err(FetchError::Unreachable));
    });
}

#[test]
fn what_is_sent_is_what_was_asked_for() {
    run(async {
        let (port, seen) = server(answer("200 OK", "{}")).await;
        let fetcher = Fetcher::new(&networks(&["127.0.0.0/8"]));
        let secret = Secret::new("s:/ cret");
        let outgoing = Outgoing::form(
            format!("http://127.0.0.1:{port}/token?x=1"),
            &[("a", "b c"), ("d", "&")],
        )
        .basic("an id", &secret)
        .accept("application/json");
        fetcher.send(outgoing).await.unwrap();
        let request = seen.lock().unwrap().pop().unwrap().to_lowercase();
        for part in [
            "post /token?x=1 http/1.1",
            "content-type: application/x-www-form-urlencoded",
            "accept: application/json",
            // an+id:s%3A%2F+cret
            &format!("authorization: basic {}", "YW4raWQ6cyUzQSUyRitjcmV0".to_lowercase()),
            "user-agent: portolan/",
            "a=b+c&d=%26",
        ] {
            assert!(request.contains(part), "{part}\n{request}");
        }
        assert!(!request.contains("cookie") && !request.contains("referer"));
    });
}

#[test]
fn nobody_there_is_an_error_of_its_own() {
    run(async {
        let fetcher = Fetcher::new(&networks(&["127.0.0.0/8"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let nobody = fetcher.send(Outgoing::get(format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(nobody.unwrap_err(), FetchError::Unreachable);
        // A plain server is not taken for one with a certificate.
        let (port, _) = server(answer("200 OK", "hello")).await;
        let plain = fetcher.send(Outgoing::get(format!("https://127.0.0.1:{port}/"))).await;
        assert_eq!(plain.unwrap_err(), FetchError::Unreachable);
    });
}
