//! An identity provider on this machine that says what a test tells it to say: the truth,
//! until the test changes its script.
//!
//! ```text
//! let server = TestServer::with(|config| config.outgoing_allow = vec!["127.0.0.0/8".parse().unwrap()]);
//! let provider = FakeProvider::start(&server);
//! let id = provider.register(&server, "uni", &["uni.example"]);
//! provider.script(|script| script.claims["preferred_username"] = json!("alice"));
//! provider.login(&server.browser(), id);
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use http_body_util::BodyExt as _;
use jsonwebtoken::{Algorithm, EncodingKey};
use portolan_server::app::new_uuid;
use portolan_server::domain::provider::{self, Wanted};
use portolan_server::jobs::keys::provider_secret_place;
use portolan_server::store::audit::Actor;
use portolan_server::store::identity_providers::IdentityProvider;
use portolan_server::upstream::provider::{Configuration, OIDC};
use portolan_types::IdentityProviderId;
use serde_json::{Value, json};

use super::{Browser, Outcome, Redirected, TestServer, runtime};

/// Who we are at the provider.
pub const CLIENT_ID: &str = "portolan-at-the-provider";
pub const CLIENT_SECRET: &str = "a secret of ours at the provider";

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    Rs256,
    Rs512,
    Es256,
    /// With a key that is not published, under the id of the one that is.
    Stranger,
    /// With the published key taken for a shared secret.
    Hs256,
    /// Not at all.
    None,
    /// With bytes that are no signature.
    Garbage,
}

/// What the provider says. An `answer` replaces a whole document by a status and a body.
#[derive(Clone)]
pub struct Script {
    pub issuer: String,
    /// Seconds; the clock of the test server.
    pub now: i64,
    pub document: Value,
    pub document_answer: Option<(u16, String)>,
    pub keys: Value,
    pub keys_answer: Option<(u16, String)>,
    pub signer: Signer,
    pub header: Value,
    /// Of the ID token; what the protocol needs is added unless it is here.
    pub claims: Value,
    /// Claims that the ID token does not have.
    pub without: Vec<&'static str>,
    /// Replaces the ID token.
    pub id_token: Option<Value>,
    /// Members that the token answer has beside or instead of the usual ones.
    pub tokens: Value,
    pub token_answer: Option<(u16, String)>,
    pub userinfo: Value,
    pub userinfo_answer: Option<(u16, String)>,
    /// What plain OAuth 2.0 tells about addresses.
    pub emails: Value,
}

struct Code {
    nonce: String,
    /// Somebody asked how old the sign-in may be, so it is told when it was.
    dated: bool,
    challenge: String,
    redirect_uri: String,
}

struct Shared {
    script: Script,
    codes: HashMap<String, Code>,
    /// Paths that were asked for.
    seen: Vec<String>,
}

#[derive(Clone)]
pub struct FakeProvider {
    /// Without a path.
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

impl FakeProvider {
    pub fn start(server: &TestServer) -> Self {
        Self::at(server, "")
    }

    /// With an issuer that has a path, as tenants have.
    pub fn at(server: &TestServer, path: &str) -> Self {
        let listener = runtime()
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let shared = Arc::new(Mutex::new(Shared {
            script: honest(&url, &format!("{url}{path}"), server.now().seconds()),
            codes: HashMap::new(),
            seen: Vec::new(),
        }));
        let app = axum::Router::new().fallback(answer).with_state(shared.clone());
        runtime().spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    pub fn issuer(&self) -> String {
        self.shared.lock().unwrap().script.issuer.clone()
    }

    /// Changes what it says from now on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.shared.lock().unwrap().script);
    }

    /// How often something at this path was asked for.
    pub fn visits(&self, path: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared.seen.iter().filter(|seen| seen.ends_with(path)).count()
    }

    /// Makes it known to the server as a generic provider.
    pub fn register(&self, server: &TestServer, short_name: &str, domains: &[&str]) -> IdentityProviderId {
        self.register_with(server, short_name, domains, OIDC, |_| {})
    }

    pub fn register_with(
        &self,
        server: &TestServer,
        short_name: &str,
        domains: &[&str],
        kind: &str,
        change: impl FnOnce(&mut Configuration),
    ) -> IdentityProviderId {
        let id = IdentityProviderId(new_uuid());
        let mut configuration = Configuration {
            client_id: CLIENT_ID.into(),
            default_domain: domains.first().map_or(String::new(), |domain| (*domain).to_owned()),
            ..Configuration::default()
        };
        change(&mut configuration);
        let place = provider_secret_place(id.0);
        let wanted = Wanted {
            provider: IdentityProvider {
                id,
                name: format!("The provider {short_name}"),
                short_name: short_name.into(),
                kind: kind.into(),
                alternative_names: "[]".into(),
                enabled: true,
            },
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            issuer: self.issuer(),
            configuration,
            sealed_secret: Some(server.app().master_key.seal(&place, CLIENT_SECRET.as_bytes())),
        };
        let (ctx, local_domain) = (server.ctx(), server.config().local_domain.clone());
        server.write(move |tx| provider::create(tx, &ctx, Actor::Operator, &local_domain, &wanted));
        id
    }

    /// What the provider does when a person arrives with this address and signs in: the
    /// parameters of the way back.
    pub fn authorize(&self, location: &Redirected) -> Vec<(String, String)> {
        let get = |name: &str| location.get(name).unwrap_or_default();
        let mut shared = self.shared.lock().unwrap();
        let code = format!("code-{}", shared.codes.len());
        shared.codes.insert(
            code.clone(),
            Code {
                nonce: get("nonce"),
                dated: location.get("max_age").is_some(),
                challenge: get("code_challenge"),
                redirect_uri: get("redirect_uri"),
            },
        );
        vec![("code".into(), code), ("state".into(), get("state"))]
    }

    /// The whole way: out by the link of the login page, and back.
    pub fn login(&self, browser: &Browser, id: IdentityProviderId) -> Outcome {
        self.login_by(browser, &format!("/p/login/with/{id}"))
    }

    /// The same by a link that the login page shows.
    pub fn login_by(&self, browser: &Browser, link: &str) -> Outcome {
        let outcome = browser.get(link);
        let Outcome::Left(left) = &outcome else { return outcome };
        let back = self.authorize(left);
        self.come_back(browser, left, &back)
    }

    /// Back to the redirect URI of this way out, with these parameters.
    pub fn come_back(&self, browser: &Browser, left: &Redirected, params: &[(String, String)]) -> Outcome {
        let redirect_uri = left.get("redirect_uri").expect("the request has one");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        browser.get(&format!("{redirect_uri}?{query}"))
    }
}

/// A provider that does everything right, about a person named alice.
fn honest(url: &str, issuer: &str, now: i64) -> Script {
    let keys = keys();
    Script {
        issuer: issuer.into(),
        now,
        document: json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        }),
        document_answer: None,
        keys: json!({ "keys": [keys.rsa_jwk, keys.ec_jwk] }),
        keys_answer: None,
        signer: Signer::Rs256,
        header: json!({ "typ": "JWT" }),
        claims: json!({ "sub": "subject-of-alice", "preferred_username": "alice" }),
        without: Vec::new(),
        id_token: None,
        tokens: json!({}),
        token_answer: None,
        userinfo: json!({ "sub": "subject-of-alice", "name": "Alice at the provider", "email": "alice@mail.example" }),
        userinfo_answer: None,
        emails: json!([]),
    }
}

/// Keys that were made once for all providers of the process.
struct Keys {
    rsa: EncodingKey,
    rsa_jwk: Value,
    ec: EncodingKey,
    ec_jwk: Value,
    stranger: EncodingKey,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let rsa = || {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
            let der: Pkcs8V1Der = pair.as_der().expect("it can be written");
            // jsonwebtoken reads the key inside of the envelope, which is its end.
            let inner = rsa_inside(der.as_ref());
            let public = pair.public_key();
            let (n, e) = (public.modulus(), public.exponent());
            let jwk = json!({
                "kty": "RSA", "kid": "rsa-1", "use": "sig",
                "n": encode(n.big_endian_without_leading_zero()), "e": encode(e.big_endian_without_leading_zero())
            });
            (EncodingKey::from_rsa_der(&inner), jwk)
        };
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate(algorithm).expect("a key can be made");
        let der = ec.to_pkcs8v1().expect("it can be written");
        let point = ec.public_key().as_ref();
        let ec_jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": "ec-1", "alg": "ES256",
            "x": encode(&point[1..33]), "y": encode(&point[33..])
        });
        let ((rsa, rsa_jwk), (stranger, _)) = (rsa(), rsa());
        Keys {
            rsa,
            rsa_jwk,
            ec: EncodingKey::from_ec_der(der.as_ref()),
            ec_jwk,
            stranger,
        }
    })
}

/// The RSAPrivateKey in a PKCS #8 envelope: the content of its OCTET STRING.
fn rsa_inside(envelope: &[u8]) -> Vec<u8> {
    let at = envelope
        .windows(2)
        .enumerate()
        .position(|(at, window)| window == [0x04, 0x82] && envelope.get(at + 4) == Some(&0x30))
        .expect("the envelope holds a key");
    envelope[at + 4..].to_vec()
}

type SharedState = Arc<Mutex<Shared>>;

async fn answer(State(shared): State<SharedState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let mut shared = shared.lock().unwrap();
    shared.seen.push(path.clone());
    let script = shared.script.clone();
    let (replaced, document) = match path.as_str() {
        _ if path.ends_with("/.well-known/openid-configuration") => (script.document_answer, script.document),
        "/keys" => (script.keys_answer, script.keys),
        "/userinfo" | "/user" => (script.userinfo_answer, script.userinfo),
        "/user/emails" => (None, script.emails),
        "/token" => {
            let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
            let basic = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
            match redeem(&mut shared, &form, basic) {
                Ok(document) => (script.token_answer, document),
                Err(error) => (Some((400, json!({ "error": error }).to_string())), Value::Null),
            }
        }
        _ => (Some((404, String::new())), Value::Null),
    };
    let (status, text) = replaced.unwrap_or_else(|| (200, document.to_string()));
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_redirection() {
        return (status, [(LOCATION, text)]).into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

/// Checks what a provider checks: the code once, who redeems it, and PKCE.
fn redeem(shared: &mut Shared, form: &HashMap<String, String>, basic: Option<&str>) -> Result<Value, &'static str> {
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    let code = shared.codes.remove(get("code")).ok_or("invalid_grant")?;
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{CLIENT_ID}:{}", encoded(CLIENT_SECRET));
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let by_form = get("client_id") == CLIENT_ID && get("client_secret") == CLIENT_SECRET;
    if basic != Some(expected.as_str()) && !by_form {
        return Err("invalid_client");
    }
    if super::challenge(get("code_verifier")) != code.challenge || get("redirect_uri") != code.redirect_uri {
        return Err("invalid_grant");
    }
    let script = &shared.script;
    let mut answer = json!({ "access_token": "an access token", "token_type": "Bearer" });
    if script.document != Value::Null {
        answer["id_token"] = script
            .id_token
            .clone()
            .unwrap_or_else(|| id_token(script, &code).into());
    }
    merge(&mut answer, &script.tokens);
    Ok(answer)
}

/// Members that are null go.
fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            into[name] = value.clone();
        }
    }
}

fn id_token(script: &Script, code: &Code) -> String {
    let mut claims = json!({
        "iss": script.issuer,
        "aud": CLIENT_ID,
        "nonce": code.nonce,
        "iat": script.now,
        "exp": script.now + 300,
    });
    if code.dated {
        claims["auth_time"] = json!(script.now);
    }
    merge(&mut claims, &script.claims);
    for name in &script.without {
        claims.as_object_mut().unwrap().remove(*name);
    }
    let keys = keys();
    let (name, id, algorithm, key) = match script.signer {
        Signer::Rs256 | Signer::Garbage => ("RS256", "rsa-1", Algorithm::RS256, Some(&keys.rsa)),
        Signer::Rs512 => ("RS512", "rsa-1", Algorithm::RS512, Some(&keys.rsa)),
        Signer::Es256 => ("ES256", "ec-1", Algorithm::ES256, Some(&keys.ec)),
        Signer::Stranger => ("RS256", "rsa-1", Algorithm::RS256, Some(&keys.stranger)),
        Signer::Hs256 => ("HS256", "rsa-1", Algorithm::HS256, None),
        Signer::None => ("none", "rsa-1", Algorithm::HS256, None),
    };
    let mut header = json!({ "alg": name, "kid": id });
    merge(&mut header, &script.header);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let secret = EncodingKey::from_secret(keys.rsa_jwk["n"].as_str().unwrap().as_bytes());
    let signature = match script.signer {
        Signer::None => String::new(),
        Signer::Garbage => URL_SAFE_NO_PAD.encode([7; 256]),
        _ => jsonwebtoken::crypto::sign(message.as_bytes(), key.unwrap_or(&secret), algorithm).unwrap(),
    };
    format!("{message}.{signature}")
}
