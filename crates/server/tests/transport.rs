//! What the server says about how it may be reached.

mod support;

use support::TestServer;

/// G10: a browser that came over https once does not come without it for a year.
#[test]
fn https_is_asked_for_a_year_on_every_answer_and_never_over_http() {
    let paths = ["/", "/jwk.json", "/v2/oauth2/authorize", "/nowhere", "/healthz"];
    let header = |server: &TestServer, path: &str| {
        let answer = server.get(path);
        answer.header("strict-transport-security").map(str::to_owned)
    };

    let https = TestServer::new();
    let http = TestServer::with(|config| config.public_url = "http://localhost:8765".into());

    for path in paths {
        assert_eq!(header(&https, path).as_deref(), Some("max-age=31536000"), "{path}");
        assert_eq!(header(&http, path), None, "{path}");
    }
}
