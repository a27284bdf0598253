//! What the callers of the measured servers ask for, and which answers are right.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{
    http::{self, Answer},
    load::{Progress, Workload},
};

/// Where a server expects what.
#[derive(Clone, Debug)]
pub struct Endpoints {
    pub host: String,
    pub authorize: &'static str,
    pub token: &'static str,
    pub introspect: &'static str,
}

/// A client and its secret.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
}

impl Credentials {
    fn header(&self) -> String {
        http::basic(&self.id, &self.secret)
    }
}

pub const REDIRECT_URI: &str = "https://app.example.org/callback";

/// Tokens from a file, one per line, all of one length, each perhaps followed by ` 1` or ` 0`.
#[derive(Clone, Debug)]
pub struct Tokens {
    text: std::sync::Arc<str>,
    line: usize,
    width: usize,
}

impl Tokens {
    pub fn read(path: &Path) -> Result<Tokens> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let first = text.lines().next().context("no tokens")?;
        let width = first.find(' ').unwrap_or(first.len());
        let line = first.len() + 1;
        ensure!(text.len() % line == 0, "{}: lines of different lengths", path.display());
        Ok(Tokens {
            text: text.into(),
            line,
            width,
        })
    }

    pub fn count(&self) -> usize {
        self.text.len() / self.line
    }

    fn get(&self, number: usize) -> (&str, bool) {
        let line = &self.text[number * self.line..][..self.line];
        (&line[..self.width], !line.ends_with(" 0\n"))
    }
}

/// xorshift64*: which token comes next need not be a secret.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % limit
    }
}

/// A request with a hole for a token.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    hole: usize,
}

impl Template {
    fn new(width: usize, render: impl Fn(&str) -> Vec<u8>) -> Template {
        // No host, path or secret contains a run of this character.
        let filler = "~".repeat(width);
        let bytes = render(&filler);
        let hole = bytes.windows(width).position(|window| window == filler.as_bytes());
        Template {
            hole: hole.expect("the filler was rendered"),
            bytes,
        }
    }

    fn fill(&self, token: &str, request: &mut Vec<u8>) {
        let start = request.len() + self.hole;
        request.extend_from_slice(&self.bytes);
        request[start..start + token.len()].copy_from_slice(token.as_bytes());
    }
}

fn check(answer: &Answer<'_>, status: u16, markers: &[&str]) -> Result<()> {
    if answer.status != status {
        bail!("expected status {status}, got {}", answer.describe());
    }
    if let Some(missing) = markers.iter().find(|marker| !answer.contains(marker)) {
        bail!("expected {missing} in {}", answer.describe());
    }
    Ok(())
}

/// The same request again and again.
pub struct Fixed {
    request: Vec<u8>,
    markers: Vec<&'static str>,
}

impl Fixed {
    /// A form that looks like an introspection, for the bare handler.
    pub fn bare() -> Fixed {
        let client = Credentials {
            id: "0".repeat(36),
            secret: "0".repeat(43),
        };
        let token = "0".repeat(53);
        let form = http::form(&[("token", &token), ("token_type_hint", "access_token")]);
        let request = http::request(
            "/",
            "localhost:8080",
            &[("Authorization", &client.header())],
            Some(&form),
        );
        Fixed {
            request,
            markers: vec!["\"active\":true"],
        }
    }

    pub fn client_credentials(endpoints: &Endpoints, client: &Credentials, scope: &str) -> Fixed {
        let form = http::form(&[("grant_type", "client_credentials"), ("scope", scope)]);
        let headers = [("Authorization", &*client.header())];
        let request = http::request(endpoints.token, &endpoints.host, &headers, Some(&form));
        Fixed {
            request,
            markers: vec!["\"access_token\":\"", "\"expires_in\":172800"],
        }
    }

    /// A browser that was never here before, as most are.
    pub fn login_page(endpoints: &Endpoints) -> Fixed {
        Fixed {
            request: http::request("/p/login", &endpoints.host, &[], None),
            markers: vec!["name=\"username\"", "name=\"idp_search\"", "</html>"],
        }
    }

    /// A search that finds more than a page shows.
    pub fn common_search(endpoints: &Endpoints) -> Fixed {
        Fixed {
            request: http::request("/p/login?idp_search=university", &endpoints.host, &[], None),
            markers: vec!["The first 25 are shown", "</html>"],
        }
    }

    pub fn discovery(endpoints: &Endpoints) -> Fixed {
        let request = http::request("/.well-known/openid-configuration", &endpoints.host, &[], None);
        Fixed {
            request,
            markers: vec!["\"issuer\":", "\"jwks_uri\":"],
        }
    }
}

impl Workload for Fixed {
    fn begin(&mut self, _: usize, request: &mut Vec<u8>) {
        request.extend_from_slice(&self.request);
    }

    fn answer(&mut self, _: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        check(answer, 200, &self.markers)?;
        Ok(Progress::Done)
    }
}

/// Introspection of tokens chosen at random.
pub struct Introspect {
    template: Template,
    tokens: Tokens,
    random: Random,
    /// For each connection: whether the token under way is active.
    active: Vec<bool>,
    markers: &'static [&'static str],
}

impl Introspect {
    pub fn new(endpoints: &Endpoints, client: &Credentials, tokens: &Tokens, include: Option<&str>) -> Introspect {
        let template = Template::new(tokens.width, |token| {
            // The hint costs us nothing and spares the peer two look-ups.
            let mut fields = vec![("token", token), ("token_type_hint", "access_token")];
            fields.extend(include.map(|include| ("include", include)));
            let headers = [("Authorization", &*client.header())];
            http::request(
                endpoints.introspect,
                &endpoints.host,
                &headers,
                Some(&http::form(&fields)),
            )
        });
        let markers: &[&str] = match include {
            Some(_) => &[
                "\"active\":true",
                "\"identity_set\":[\"",
                "\"session_info\":{",
                "\"auth_time\":",
            ],
            None => &["\"active\":true"],
        };
        Introspect {
            template,
            tokens: tokens.clone(),
            random: Random(0x9E37_79B9),
            active: Vec::new(),
            markers,
        }
    }
}

impl Workload for Introspect {
    fn begin(&mut self, connection: usize, request: &mut Vec<u8>) {
        let (token, active) = self.tokens.get(self.random.below(self.tokens.count()));
        self.template.fill(token, request);
        if self.active.len() <= connection {
            self.active.resize(connection + 1, false);
        }
        self.active[connection] = active;
    }

    fn answer(&mut self, connection: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        if self.active[connection] {
            check(answer, 200, self.markers)?;
        } else {
            check(answer, 200, &["\"active\":false"])?;
        }
        Ok(Progress::Done)
    }
}

/// Identity providers among which people search.
pub const PROVIDERS: u64 = 10_000;

/// A person writes the name of their institution, which is one of many.
pub struct ProviderSearch {
    template: Template,
    random: Random,
}

impl ProviderSearch {
    pub fn new(endpoints: &Endpoints) -> ProviderSearch {
        let render = |number: &str| {
            let target = format!("/p/login?idp_search=university+{number}");
            http::request(&target, &endpoints.host, &[], None)
        };
        ProviderSearch {
            template: Template::new(4, render),
            random: Random(0xB529_7A4D),
        }
    }
}

impl Workload for ProviderSearch {
    fn begin(&mut self, _: usize, request: &mut Vec<u8>) {
        // No other number begins with four digits.
        let number = 1_000 + self.random.below(PROVIDERS as usize - 1_000);
        self.template.fill(&number.to_string(), request);
    }

    fn answer(&mut self, _: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        check(answer, 200, &["Found: 1", "</html>"])?;
        Ok(Progress::Done)
    }
}

/// Refreshing, over many families.
pub struct Refresh {
    template: Template,
    tokens: Tokens,
    random: Random,
}

impl Refresh {
    pub fn new(endpoints: &Endpoints, client: &Credentials, tokens: &Tokens) -> Refresh {
        let template = Template::new(tokens.width, |token| {
            let form = http::form(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
            let headers = [("Authorization", &*client.header())];
            http::request(endpoints.token, &endpoints.host, &headers, Some(&form))
        });
        Refresh {
            template,
            tokens: tokens.clone(),
            random: Random(0x51_7CC1_B727),
        }
    }
}

impl Workload for Refresh {
    fn begin(&mut self, _: usize, request: &mut Vec<u8>) {
        let (token, _) = self.tokens.get(self.random.below(self.tokens.count()));
        self.template.fill(token, request);
    }

    fn answer(&mut self, _: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        check(answer, 200, &["\"access_token\":\"", "\"refresh_token\":\""])?;
        Ok(Progress::Done)
    }
}

/// How many services the service of [`DependentTokens`] calls in turn.
pub const FAN_OUT: usize = 3;

/// A service exchanges tokens that people's apps sent it for tokens to the services it
/// calls, [`FAN_OUT`] at a time.
pub struct DependentTokens {
    template: Template,
    tokens: Tokens,
    random: Random,
}

impl DependentTokens {
    pub fn new(endpoints: &Endpoints, service: &Credentials, tokens: &Tokens) -> DependentTokens {
        let template = Template::new(tokens.width, |token| {
            let grant_type = "urn:globus:auth:grant_type:dependent_token";
            let form = http::form(&[("grant_type", grant_type), ("token", token)]);
            let headers = [("Authorization", &*service.header())];
            http::request(endpoints.token, &endpoints.host, &headers, Some(&form))
        });
        DependentTokens {
            template,
            tokens: tokens.clone(),
            random: Random(0x2545_F491),
        }
    }
}

impl Workload for DependentTokens {
    fn begin(&mut self, _: usize, request: &mut Vec<u8>) {
        let (token, _) = self.tokens.get(self.random.below(self.tokens.count()));
        self.template.fill(token, request);
    }

    fn answer(&mut self, _: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        check(answer, 200, &[])?;
        let tokens = answer.text().matches("\"access_token\":\"").count();
        if !answer.body.starts_with(b"[") || tokens != FAN_OUT {
            bail!("expected an array with {FAN_OUT} tokens, got {}", answer.describe());
        }
        Ok(Progress::Done)
    }
}

/// A branch of consents that can be revoked, as the seed wrote it down.
#[derive(Clone, Debug)]
pub struct Branch {
    /// How many access tokens rest on it.
    pub tokens: u64,
    identity: String,
    consent: String,
    /// A token of the person with which consents are managed. It rests on another consent.
    manager: String,
    /// One of the tokens on the upper consent of the branch, and one on the consent below it.
    below: [String; 2],
}

impl Branch {
    pub fn read(path: &Path) -> Result<Vec<Branch>> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let branches = text.lines().map(|line| {
            let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let [tokens, identity, consent, manager, upper, lower] =
                fields.try_into().ok().context("a branch has six fields")?;
            Ok(Branch {
                tokens: tokens.parse()?,
                identity,
                consent,
                manager,
                below: [upper, lower],
            })
        });
        branches.collect()
    }
}

/// Each request once, in their order; more than there are must not be asked for.
pub struct Once {
    requests: std::vec::IntoIter<(Vec<u8>, String)>,
    /// For each connection: what the answer under way must contain.
    expected: Vec<String>,
}

impl Once {
    fn new(requests: Vec<(Vec<u8>, String)>) -> Once {
        Once {
            requests: requests.into_iter(),
            expected: Vec::new(),
        }
    }

    /// People revoke these branches.
    pub fn revoke(endpoints: &Endpoints, branches: &[Branch]) -> Once {
        let requests = branches.iter().map(|branch| {
            let target = format!("/v2/api/identities/{}/consents/{}", branch.identity, branch.consent);
            let authorization = format!("Bearer {}", branch.manager);
            let request = http::delete(&target, &endpoints.host, &[("Authorization", &authorization)]);
            (request, format!("{{\"consent\":{{\"id\":{},", branch.consent))
        });
        Once::new(requests.collect())
    }

    /// The services at both levels of these branches look at a token each.
    pub fn look_below(endpoints: &Endpoints, services: [&Credentials; 2], branches: &[Branch], active: bool) -> Once {
        let requests = branches.iter().flat_map(|branch| {
            std::iter::zip(services, &branch.below).map(|(service, token)| {
                let form = http::form(&[("token", token)]);
                let headers = [("Authorization", &*service.header())];
                let request = http::request(endpoints.introspect, &endpoints.host, &headers, Some(&form));
                (request, format!("\"active\":{active}"))
            })
        });
        Once::new(requests.collect())
    }

    pub fn count(&self) -> usize {
        self.requests.len()
    }
}

impl Workload for Once {
    fn begin(&mut self, connection: usize, request: &mut Vec<u8>) {
        let (bytes, expected) = self.requests.next().expect("no more are begun than there are");
        request.extend(bytes);
        if self.expected.len() <= connection {
            self.expected.resize(connection + 1, String::new());
        }
        self.expected[connection] = expected;
    }

    fn answer(&mut self, connection: usize, answer: &Answer<'_>, _: &mut Vec<u8>) -> Result<Progress> {
        check(answer, 200, &[&self.expected[connection]])?;
        Ok(Progress::Done)
    }
}

/// The code flow of signed-in people who have consented: authorize, then the token
/// request that brings an access token and an ID token. One operation is both requests.
pub struct CodeFlow {
    /// One person for each connection, in turn: in life, too, the same person is rarely
    /// sent through two log-ins at once.
    authorize: Vec<Vec<u8>>,
    token: &'static str,
    host: String,
    authorization: String,
    signature: Signature,
}

/// How an ID token is signed; the length of the signature tells it.
#[derive(Clone, Copy, Debug)]
pub enum Signature {
    Rs256,
    Es256,
}

impl Signature {
    fn base64_length(self) -> usize {
        match self {
            Signature::Rs256 => 342,
            Signature::Es256 => 86,
        }
    }
}

/// What the authorization request of [`CodeFlow`] asks for.
pub fn authorize_target(endpoints: &Endpoints, client_id: &str) -> String {
    let query = http::form(&[
        ("client_id", client_id),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "bench-0123456789"),
        ("nonce", "bench-9876543210"),
    ]);
    format!("{}?{query}", endpoints.authorize)
}

impl CodeFlow {
    /// `sessions` are the cookies of people who have consented to this client.
    pub fn new(endpoints: &Endpoints, client: &Credentials, sessions: &[String], signature: Signature) -> CodeFlow {
        let target = authorize_target(endpoints, &client.id);
        let authorize = |cookies: &String| http::request(&target, &endpoints.host, &[("Cookie", cookies)], None);
        CodeFlow {
            authorize: sessions.iter().map(authorize).collect(),
            token: endpoints.token,
            host: endpoints.host.clone(),
            authorization: client.header(),
            signature,
        }
    }
}

impl Workload for CodeFlow {
    fn begin(&mut self, connection: usize, request: &mut Vec<u8>) {
        request.extend_from_slice(&self.authorize[connection % self.authorize.len()]);
    }

    fn answer(&mut self, _: usize, answer: &Answer<'_>, request: &mut Vec<u8>) -> Result<Progress> {
        let Some(location) = answer.header("location") else {
            check(answer, 200, &["\"access_token\":\""])?;
            let signature = answer.member("id_token").and_then(|token| token.rsplit('.').next());
            if signature.is_none_or(|signature| signature.len() != self.signature.base64_length()) {
                bail!(
                    "expected an ID token signed by {:?} in {}",
                    self.signature,
                    answer.describe()
                );
            }
            return Ok(Progress::Done);
        };
        let Some(code) = location.strip_prefix(REDIRECT_URI).and_then(code) else {
            bail!("expected a redirect with a code, got {}", answer.describe());
        };
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}",
            "https%3A%2F%2Fapp.example.org%2Fcallback"
        );
        request.extend(http::request(
            self.token,
            &self.host,
            &[("Authorization", &self.authorization)],
            Some(&form),
        ));
        Ok(Progress::Continues)
    }
}

/// The code in the query of a redirect, still encoded.
fn code(query: &str) -> Option<&str> {
    query
        .strip_prefix('?')?
        .split('&')
        .find_map(|pair| pair.strip_prefix("code="))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ENDPOINTS: fn() -> Endpoints = || Endpoints {
        host: "h".to_owned(),
        authorize: "/a",
        token: "/t",
        introspect: "/i",
    };

    fn client() -> Credentials {
        Credentials {
            id: "id".to_owned(),
            secret: "secret".to_owned(),
        }
    }

    fn answer(bytes: &str) -> Answer<'_> {
        http::parse(bytes.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn tokens_are_read_with_their_condition() {
        let path = std::env::temp_dir().join(format!("portolan-bench-tokens-{}", std::process::id()));
        std::fs::write(&path, "abc 1\ndef 0\n").unwrap();
        let tokens = Tokens::read(&path).unwrap();
        std::fs::write(&path, "abc 1\nde 0\n").unwrap();
        let uneven = Tokens::read(&path);
        std::fs::remove_file(&path).unwrap();

        assert_eq!(
            (tokens.count(), tokens.get(0), tokens.get(1)),
            (2, ("abc", true), ("def", false))
        );
        assert!(uneven.is_err());

        let mut workload = Introspect::new(&ENDPOINTS(), &client(), &tokens, None);
        let mut request = Vec::new();
        workload.begin(2, &mut request);
        let text = String::from_utf8(request).unwrap();
        let active = text.contains("token=abc&");
        assert!(active || text.contains("token=def&"), "{text}");
        let (yes, no) = (
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"active\":true}",
            "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"active\":false}",
        );
        let (right, wrong) = if active { (yes, no) } else { (no, yes) };
        assert!(workload.answer(2, &answer(right), &mut Vec::new()).is_ok());
        assert!(workload.answer(2, &answer(wrong), &mut Vec::new()).is_err());
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn a_dependent_grant_brings_a_token_for_each_service() {
        let tokens = Tokens {
            text: "abc\n".into(),
            line: 4,
            width: 3,
        };
        let mut workload = DependentTokens::new(&ENDPOINTS(), &client(), &tokens);
        let mut request = Vec::new();
        workload.begin(0, &mut request);
        let text = String::from_utf8(request).unwrap();
        assert!(
            text.ends_with("dependent_token&token=abc") && text.contains("grant_type=urn%3Aglobus%3Aauth"),
            "{text}"
        );

        let element = "{\"access_token\":\"a\"}";
        for (body, right) in [
            (format!("[{element},{element},{element}]"), true),
            (format!("[{element},{element}]"), false),
            (
                element.replace('}', ",\"other_tokens\":[") + &format!("{element},{element}]}}"),
                false,
            ),
            ("[]".to_owned(), false),
        ] {
            let found = workload.answer(0, &answer(&ok(&body)), &mut Vec::new());
            assert_eq!(found.is_ok(), right, "{body}");
        }
    }

    #[test]
    fn each_branch_is_revoked_once_and_looked_at_on_both_levels() {
        let path = std::env::temp_dir().join(format!("portolan-bench-branches-{}", std::process::id()));
        std::fs::write(&path, "10 person 77 manager upper lower\n").unwrap();
        let branches = Branch::read(&path);
        std::fs::write(&path, "10 person 77\n").unwrap();
        let short = Branch::read(&path);
        std::fs::remove_file(&path).unwrap();
        let branches = branches.unwrap();
        assert_eq!((branches.len(), branches[0].tokens), (1, 10));
        assert!(short.is_err());

        let mut revoke = Once::revoke(&ENDPOINTS(), &branches);
        let mut request = Vec::new();
        assert_eq!(revoke.count(), 1);
        revoke.begin(5, &mut request);
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "DELETE /v2/api/identities/person/consents/77 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\
             Authorization: Bearer manager\r\n\r\n"
        );
        let (right, wrong) = (ok("{\"consent\":{\"id\":77,"), ok("{\"consent\":{\"id\":7,"));
        assert!(revoke.answer(5, &answer(&right), &mut Vec::new()).is_ok());
        assert!(revoke.answer(5, &answer(&wrong), &mut Vec::new()).is_err());

        let (first, client) = (client(), client());
        let second = Credentials {
            id: "other".to_owned(),
            ..client
        };
        let mut look = Once::look_below(&ENDPOINTS(), [&first, &second], &branches, false);
        assert_eq!(look.count(), 2);
        for (service, token) in [(&first, "upper"), (&second, "lower")] {
            let mut request = Vec::new();
            look.begin(0, &mut request);
            let text = String::from_utf8(request).unwrap();
            assert!(
                text.contains(&service.header()) && text.ends_with(&format!("token={token}")),
                "{text}"
            );
        }
        assert!(
            look.answer(0, &answer(&ok("{\"active\":false}")), &mut Vec::new())
                .is_ok()
        );
        assert!(
            look.answer(0, &answer(&ok("{\"active\":true}")), &mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn the_code_flow_redeems_the_code_of_the_redirect() {
        let mut workload = CodeFlow::new(&ENDPOINTS(), &client(), &["a=b".to_owned()], Signature::Es256);
        let mut request = Vec::new();

        let redirect = "HTTP/1.1 302 Found\r\nLocation: https://app.example.org/callback?state=s&code=c0de&iss=x\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            workload.answer(0, &answer(redirect), &mut request).unwrap(),
            Progress::Continues
        );
        let text = String::from_utf8(request.clone()).unwrap();
        assert!(
            text.starts_with("POST /t HTTP/1.1") && text.contains("&code=c0de&"),
            "{text}"
        );

        for wrong in [
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: https://app.example.org/callback?error=x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            assert!(workload.answer(0, &answer(wrong), &mut request).is_err(), "{wrong}");
        }
        let tokens = |signature: usize| {
            let document = format!(
                "{{\"access_token\":\"a\",\"id_token\":\"eyJ.x.{}\"}}",
                "s".repeat(signature)
            );
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}",
                document.len()
            )
        };
        assert_eq!(
            workload.answer(0, &answer(&tokens(86)), &mut request).unwrap(),
            Progress::Done
        );
        assert!(
            workload.answer(0, &answer(&tokens(342)), &mut request).is_err(),
            "signed by the wrong key"
        );
    }

    #[test]
    fn random_choice_reaches_every_place() {
        let mut random = Random(1);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[random.below(10)] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
