//! The relying party: sends people to another identity provider and believes what comes
//! back only after everything about it was checked (OpenID Connect Core 3.1.2 and 3.1.3,
//! RFC 9207, RFC 8725). Providers of plain OAuth 2.0 tell by their interface who a token
//! is of.
//!
//! Everything here is about one login; who the person is among ours is decided in
//! `domain::upstream`.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jsonwebtoken::{Algorithm, Validation};
use portolan_types::{IdentityProviderId, Secret, Timestamp};
use serde_json::{Map, Value};
use url::Url;

use super::claims::{self, Profile, seconds};
use super::discovery::{Discovery, Document, asymmetric};
use super::fault::{self, Fault};
use super::fetch::{Fetcher, Outgoing};
use super::provider::{Configuration, Endpoints, OAUTH2};

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// An ID token is made when the code is redeemed, so an old one was kept from before.
const OLDEST: Duration = Duration::from_secs(600);

/// A provider that people can sign in through.
#[derive(Clone)]
pub struct Provider {
    pub id: IdentityProviderId,
    pub name: String,
    pub kind: String,
    pub issuer: String,
    pub configuration: Configuration,
    /// Ours there.
    pub secret: Option<Secret>,
}

/// What makes the way out and back one login.
#[derive(Clone)]
pub struct Ticket {
    pub state: Secret,
    pub nonce: String,
    /// Of PKCE (RFC 7636), of which only the hash leaves us before the code comes.
    pub verifier: Secret,
    pub redirect_uri: String,
}

/// What the login has to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The `prompt` to hand on.
    pub prompt: Option<&'static str>,
    /// How old the authentication may be, in seconds.
    pub max_age: Option<u64>,
    pub login_hint: Option<String>,
    /// The context class to ask for.
    pub acr: Option<&'static str>,
}

/// Asks providers.
#[derive(Clone, Copy)]
pub struct RelyingParty<'a> {
    pub fetcher: &'a Fetcher,
    pub discovery: &'a Discovery,
    pub now: Timestamp,
}

impl RelyingParty<'_> {
    /// Where to send the person.
    pub async fn authorization_url(
        &self,
        provider: &Provider,
        ticket: &Ticket,
        demands: &Demands,
    ) -> Result<String, Fault> {
        let configuration = &provider.configuration;
        let endpoint = match self.endpoints(provider)? {
            Some(endpoints) => endpoints.authorization.clone(),
            None => self.document(provider).await?.authorization_endpoint.clone(),
        };
        let mut url = Url::parse(&endpoint).map_err(|_| fault::DOCUMENT_ADDRESS)?;
        {
            let mut query = url.query_pairs_mut();
            // What the operator adds comes first and cannot take the place of ours.
            for (name, value) in &configuration.parameters {
                query.append_pair(name, value);
            }
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &configuration.client_id)
                .append_pair("redirect_uri", &ticket.redirect_uri)
                .append_pair("scope", &configuration.scopes.join(" "))
                .append_pair("state", ticket.state.expose())
                .append_pair("code_challenge", &challenge(ticket.verifier.expose()))
                .append_pair("code_challenge_method", "S256");
            if provider.kind == OAUTH2 {
                if let Some(hint) = &demands.login_hint {
                    query.append_pair("login", hint);
                }
            } else {
                query.append_pair("nonce", &ticket.nonce);
                if let Some(prompt) = demands.prompt {
                    query.append_pair("prompt", prompt);
                }
                if let Some(max_age) = demands.max_age {
                    query.append_pair("max_age", &max_age.to_string());
                }
                if let Some(acr) = demands.acr {
                    query.append_pair("acr_values", acr);
                }
                if let Some(hint) = &demands.login_hint {
                    query.append_pair("login_hint", hint);
                }
            }
        }
        Ok(url.into())
    }

    /// Whether an answer comes from the provider that was asked (RFC 9207): decided before
    /// anything else in it is looked at, so that no code goes to the wrong one.
    pub async fn check_issuer(&self, provider: &Provider, iss: Option<&str>) -> Result<(), Fault> {
        if self.endpoints(provider)?.is_some() {
            return match iss {
                Some(iss) if iss != provider.issuer => Err(fault::ISSUER_OF_ANSWER),
                _ => Ok(()),
            };
        }
        match iss {
            Some(iss) if iss == provider.issuer => Ok(()),
            Some(_) => Err(fault::ISSUER_OF_ANSWER),
            None if self.document(provider).await?.sends_issuer => Err(fault::ISSUER_OF_ANSWER_MISSING),
            None => Ok(()),
        }
    }

    /// Redeems the code and verifies who it is of.
    pub async fn exchange(&self, provider: &Provider, ticket: &Ticket, code: &str) -> Result<Profile, Fault> {
        match self.endpoints(provider)? {
            Some(endpoints) => self.exchange_plain(provider, endpoints, ticket, code).await,
            None => self.exchange_oidc(provider, ticket, code).await,
        }
    }

    fn endpoints<'a>(&self, provider: &'a Provider) -> Result<Option<&'a Endpoints>, Fault> {
        match (&provider.configuration.endpoints, provider.kind == OAUTH2) {
            (Some(endpoints), true) => Ok(Some(endpoints)),
            (None, true) => Err(fault::NOT_CONFIGURED),
            (_, false) => Ok(None),
        }
    }

    async fn document(&self, provider: &Provider) -> Result<std::sync::Arc<Document>, Fault> {
        self.discovery.document(self.fetcher, &provider.issuer, self.now).await
    }

    async fn exchange_oidc(&self, provider: &Provider, ticket: &Ticket, code: &str) -> Result<Profile, Fault> {
        let document = self.document(provider).await?;
        let offered = document.client_authentications.as_deref();
        let tokens = self
            .redeem(provider, &document.token_endpoint, offered, ticket, code)
            .await?;
        let id_token = match tokens.get("id_token") {
            Some(Value::String(token)) if !token.is_empty() => token,
            _ => return Err(fault::NO_ID_TOKEN),
        };
        let signed = self.verify(provider, &document, id_token).await?;
        let access_token = access_token(&tokens)?;
        check_claims(provider, &ticket.nonce, &signed.claims, self.now)?;
        check_hash(&signed, "at_hash", access_token.expose(), fault::ID_TOKEN_ACCESS_HASH)?;
        check_hash(&signed, "c_hash", code, fault::ID_TOKEN_CODE_HASH)?;
        let subject = subject(&signed.claims)?;
        let mut claims = match &document.userinfo_endpoint {
            Some(endpoint) => self.userinfo(endpoint, &access_token, &subject).await?,
            None => Map::new(),
        };
        // What is signed wins over what is not.
        claims.extend(signed.claims.clone());
        claims::profile(&provider.configuration, subject, &claims, &signed.claims)
    }

    async fn exchange_plain(
        &self,
        provider: &Provider,
        endpoints: &Endpoints,
        ticket: &Ticket,
        code: &str,
    ) -> Result<Profile, Fault> {
        let tokens = self.redeem(provider, &endpoints.token, None, ticket, code).await?;
        let access_token = access_token(&tokens)?;
        let mut claims = self.user_document(&endpoints.user, &access_token).await?;
        let subject = claims::text(&claims, &provider.configuration.claims.subject).ok_or(fault::ID_TOKEN_SUBJECT)?;
        if let Some(address) = &endpoints.emails {
            let verified = self.verified_email(address, &access_token).await?;
            match verified {
                Some(email) => claims.insert("email".into(), Value::String(email)),
                None => claims.remove("email"),
            };
        }
        claims::profile(&provider.configuration, subject, &claims, &Map::new())
    }

    /// RFC 6749 section 4.1.3. What comes back is an object without an error in it.
    async fn redeem(
        &self,
        provider: &Provider,
        endpoint: &str,
        offered: Option<&[String]>,
        ticket: &Ticket,
        code: &str,
    ) -> Result<Map<String, Value>, Fault> {
        let client_id = provider.configuration.client_id.as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", ticket.redirect_uri.as_str()),
            ("code_verifier", ticket.verifier.expose()),
        ];
        let outgoing = match (
            client_authentication(&provider.configuration, offered),
            &provider.secret,
        ) {
            ("none", _) | (_, None) => {
                fields.push(("client_id", client_id));
                Outgoing::form(endpoint, &fields)
            }
            ("client_secret_post", Some(secret)) => {
                fields.push(("client_id", client_id));
                fields.push(("client_secret", secret.expose()));
                Outgoing::form(endpoint, &fields)
            }
            (_, Some(secret)) => Outgoing::form(endpoint, &fields).basic(client_id, secret),
        };
        let fetched = self
            .fetcher
            .send(outgoing.accept("application/json"))
            .await
            .map_err(|error| Fault::of_fetch(error, fault::TOKEN_UNREACHABLE, fault::TOKEN_MALFORMED))?;
        if fetched.status.is_server_error() {
            return Err(fault::TOKEN_UNREACHABLE);
        }
        let members: Option<Map<String, Value>> = serde_json::from_slice(&fetched.body).ok();
        let error = members.as_ref().and_then(|members| members.get("error"));
        match (error.and_then(Value::as_str), fetched.status) {
            // GitHub says it with a 200.
            (Some("invalid_client" | "unauthorized_client" | "incorrect_client_credentials"), _) => {
                Err(fault::TOKEN_CLIENT_REFUSED)
            }
            (_, StatusCode::UNAUTHORIZED) => Err(fault::TOKEN_CLIENT_REFUSED),
            (None, StatusCode::OK) => members.ok_or(fault::TOKEN_MALFORMED),
            _ => Err(fault::TOKEN_REFUSED),
        }
    }

    /// The claims of an ID token whose signature is right.
    async fn verify(&self, provider: &Provider, document: &Document, token: &str) -> Result<Signed, Fault> {
        let header = read_header(token)?;
        let name = header
            .get("alg")
            .and_then(Value::as_str)
            .ok_or(fault::ID_TOKEN_MALFORMED)?;
        if header.get("typ").is_some_and(|kind| !is_jwt(kind)) {
            return Err(fault::ID_TOKEN_TYPE);
        }
        // Nothing that would have to be understood is (RFC 7515 section 4.1.11).
        if header.contains_key("crit") {
            return Err(fault::ID_TOKEN_CRITICAL);
        }
        let configured = &provider.configuration.algorithms;
        let accepted = if configured.is_empty() {
            &document.algorithms
        } else {
            configured
        };
        let algorithm = asymmetric(name)
            .filter(|_| accepted.iter().any(|accepted| accepted == name))
            .ok_or(fault::ID_TOKEN_ALGORITHM)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => return Err(fault::ID_TOKEN_MALFORMED),
        };
        // Keys come from the provider's set alone: what the token carries or names (`jwk`,
        // `jku`, `x5u`) was chosen by whoever made it.
        let keys = self
            .discovery
            .keys(self.fetcher, document, key_id, algorithm, name, self.now)
            .await?;
        if keys.is_empty() {
            return Err(fault::ID_TOKEN_KEY);
        }
        // Times, audience and issuer are checked by us: with our clock, and each with its reason.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let mut refusal = fault::ID_TOKEN_SIGNATURE;
        for key in keys {
            match jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation) {
                Ok(decoded) => {
                    return Ok(Signed {
                        claims: decoded.claims,
                        algorithm,
                    });
                }
                Err(error) => {
                    if !matches!(error.kind(), jsonwebtoken::errors::ErrorKind::InvalidSignature) {
                        refusal = match error.kind() {
                            jsonwebtoken::errors::ErrorKind::Json(_)
                            | jsonwebtoken::errors::ErrorKind::Utf8(_)
                            | jsonwebtoken::errors::ErrorKind::Base64(_) => fault::ID_TOKEN_MALFORMED,
                            _ => refusal,
                        };
                    }
                }
            }
        }
        Err(refusal)
    }

    /// What userinfo tells; it must be about the person whom the ID token names
    /// (OpenID Connect Core 5.3.2).
    async fn userinfo(&self, endpoint: &str, token: &Secret, subject: &str) -> Result<Map<String, Value>, Fault> {
        let claims = self.user_document(endpoint, token).await?;
        match claims.get("sub") {
            Some(Value::String(own)) if own == subject => Ok(claims),
            _ => Err(fault::USERINFO_SUBJECT),
        }
    }

    async fn user_document(&self, endpoint: &str, token: &Secret) -> Result<Map<String, Value>, Fault> {
        let body = self.ask_with_token(endpoint, token).await?;
        serde_json::from_slice(&body).map_err(|_| fault::USERINFO_MALFORMED)
    }

    async fn verified_email(&self, endpoint: &str, token: &Secret) -> Result<Option<String>, Fault> {
        let body = self.ask_with_token(endpoint, token).await?;
        let list: Vec<Map<String, Value>> = serde_json::from_slice(&body).map_err(|_| fault::USERINFO_MALFORMED)?;
        let says = |entry: &&Map<String, Value>, name: &str| entry.get(name) == Some(&Value::Bool(true));
        let primary = list
            .iter()
            .find(|entry| says(entry, "primary") && says(entry, "verified"));
        Ok(primary.and_then(|entry| claims::text(entry, "email")))
    }

    async fn ask_with_token(&self, endpoint: &str, token: &Secret) -> Result<bytes::Bytes, Fault> {
        let outgoing = Outgoing::get(endpoint).bearer(token).accept("application/json");
        let fetched = self
            .fetcher
            .send(outgoing)
            .await
            .map_err(|error| Fault::of_fetch(error, fault::USERINFO_UNREACHABLE, fault::USERINFO_MALFORMED))?;
        match fetched.status {
            StatusCode::OK => Ok(fetched.body),
            status if status.is_server_error() => Err(fault::USERINFO_UNREACHABLE),
            _ => Err(fault::USERINFO_REFUSED),
        }
    }
}

/// Claims with a right signature, and how it was made.
struct Signed {
    claims: Map<String, Value>,
    algorithm: Algorithm,
}

/// The S256 challenge (RFC 7636 section 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// How we authenticate at the token endpoint: as configured, else as the provider offers,
/// else the way that every provider must know (RFC 6749 section 2.3.1).
fn client_authentication<'a>(configuration: &'a Configuration, offered: Option<&[String]>) -> &'a str {
    if !configuration.client_authentication.is_empty() {
        return &configuration.client_authentication;
    }
    let offers = |name: &str| offered.is_none_or(|list| list.iter().any(|way| way == name));
    if !offers("client_secret_basic") && offers("client_secret_post") {
        "client_secret_post"
    } else {
        "client_secret_basic"
    }
}

fn access_token(tokens: &Map<String, Value>) -> Result<Secret, Fault> {
    let token = match tokens.get("access_token") {
        Some(Value::String(token)) if !token.is_empty() => Secret::new(token.as_str()),
        _ => return Err(fault::NO_ACCESS_TOKEN),
    };
    match tokens.get("token_type") {
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(fault::TOKEN_TYPE),
    }
}

fn read_header(token: &str) -> Result<Map<String, Value>, Fault> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(fault::ID_TOKEN_MALFORMED);
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| fault::ID_TOKEN_MALFORMED)?;
    serde_json::from_slice(&bytes).map_err(|_| fault::ID_TOKEN_MALFORMED)
}

/// An access token or a logout token is signed with the same key, and says here what it is
/// (RFC 8725 section 3.11).
fn is_jwt(kind: &Value) -> bool {
    kind.as_str()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("application/jwt"))
}

/// OpenID Connect Core 3.1.3.7, without the signature.
fn check_claims(provider: &Provider, nonce: &str, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Fault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let client_id = provider.configuration.client_id.as_str();
    if text("iss") != Some(&provider.issuer) {
        return Err(fault::ID_TOKEN_ISSUER);
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&client_id) {
        return Err(fault::ID_TOKEN_AUDIENCE);
    }
    // Among several audiences it must say that it was made for us.
    match claims.get("azp") {
        Some(party) if party.as_str() != Some(client_id) => return Err(fault::ID_TOKEN_PARTY),
        None if audiences.len() > 1 => return Err(fault::ID_TOKEN_PARTY),
        _ => {}
    }
    if text("nonce") != Some(nonce) {
        return Err(fault::ID_TOKEN_NONCE);
    }
    let time = |name: &str| {
        claims
            .get(name)
            .map(|value| seconds(value).ok_or(fault::ID_TOKEN_MALFORMED))
    };
    let expires_at = time("exp").ok_or(fault::ID_TOKEN_EXPIRY_MISSING)??;
    if expires_at + LEEWAY <= now {
        return Err(fault::ID_TOKEN_EXPIRED);
    }
    let issued_at = time("iat").ok_or(fault::ID_TOKEN_ISSUED_MISSING)??;
    if issued_at > now + LEEWAY {
        return Err(fault::ID_TOKEN_FUTURE);
    }
    if issued_at + OLDEST + LEEWAY < now {
        return Err(fault::ID_TOKEN_OLD);
    }
    if time("nbf")
        .transpose()?
        .is_some_and(|not_before| not_before > now + LEEWAY)
    {
        return Err(fault::ID_TOKEN_NOT_YET);
    }
    if let Some(at) = claims.get("auth_time").filter(|at| !at.is_null())
        && seconds(at).is_none_or(|at| at > now + LEEWAY)
    {
        return Err(fault::ID_TOKEN_TIME);
    }
    subject(claims).map(|_| ())
}

/// OpenID Connect Core 2: at most 255 ASCII characters.
fn subject(claims: &Map<String, Value>) -> Result<String, Fault> {
    match claims.get("sub") {
        Some(Value::String(subject))
            if !subject.is_empty() && subject.len() <= 255 && subject.bytes().all(|b| (b' '..=b'~').contains(&b)) =>
        {
            Ok(subject.clone())
        }
        _ => Err(fault::ID_TOKEN_SUBJECT),
    }
}

/// `at_hash` and `c_hash`: the left half of the hash that goes with the algorithm
/// (OpenID Connect Core 3.1.3.6). Absent is allowed with this flow, wrong is not.
fn check_hash(signed: &Signed, claim: &str, value: &str, refusal: Fault) -> Result<(), Fault> {
    let Some(found) = signed.claims.get(claim) else {
        return Ok(());
    };
    let algorithm = match signed.algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let hash = digest::digest(algorithm, value.as_bytes());
    let half = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]);
    if found.as_str() == Some(half.as_str()) {
        Ok(())
    } else {
        Err(refusal)
    }
}
