//! Documents of the protocol endpoints that differ between Globus and Portolan in what they
//! leave out. They are read leniently: what is missing is `None`, what is unknown is kept.

use std::collections::BTreeMap;

use portolan_types::api::{Client, Credential, Scope};
use portolan_types::{ClientId, IdentityId};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// What the service says about itself (OpenID Connect Discovery 1.0).
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// let configuration = client.get_openid_configuration().await?;
/// println!("{} {}", configuration.issuer, configuration.jwks_uri);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct OpenIdConfiguration {
    /// Who signs ID tokens.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// How ID tokens may be signed.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Where people log in.
    #[serde(default)]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are fetched.
    #[serde(default)]
    pub token_endpoint: Option<String>,
    /// Who the person is.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// Where tokens are revoked.
    #[serde(default)]
    pub revocation_endpoint: Option<String>,
    /// Where tokens are looked at.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
    /// Whether redirects name the issuer (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The public keys of the service.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient) -> portolan_sdk::Result<()> {
/// let keys = client.get_jwk().await?;
/// println!("{} keys, the first: {}", keys.keys.len(), keys.keys[0]["alg"]);
/// println!("{}", keys.first_as_pem().unwrap_or_default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Jwks {
    /// Each key; the first one signs.
    pub keys: Vec<Value>,
}

impl Jwks {
    /// The first key as PEM, if it is an RSA key.
    pub fn first_as_pem(&self) -> Option<String> {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let key = self.keys.first()?;
        let number = |name: &str| URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
        let integers = [der_integer(&number("n")?), der_integer(&number("e")?)].concat();
        // AlgorithmIdentifier { rsaEncryption, NULL } (RFC 8017 appendix C, RFC 3279 section 2.3.1).
        let algorithm = [
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        ];
        let bits = [&[0], der(0x30, &integers).as_slice()].concat();
        let info = der(0x30, &[&algorithm, der(0x03, &bits).as_slice()].concat());
        let text = STANDARD.encode(info);
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Some(pem)
    }
}

/// One element of DER: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length
        .iter()
        .take_while(|byte| **byte == 0)
        .count()
        .min(length.len() - 1)..];
    let mut element = vec![tag];
    if content.len() < 0x80 {
        element.extend(significant);
    } else {
        element.push(0x80 | significant.len() as u8);
        element.extend(significant);
    }
    element.extend(content);
    element
}

/// A number that is not negative: a zero in front where its first bit is set.
fn der_integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut content = bytes[start..].to_vec();
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    der(0x02, &content)
}

/// What a service learns about a token (RFC 7662, wire.md 2.3.1).
///
/// ```no_run
/// # async fn run(service: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::IntrospectionRequest;
///
/// let request = IntrospectionRequest::new("Ag8mQ").include_identity_set().include_session_info();
/// let token = service.introspect(request).await?;
/// if token.active && token.has_scope("https://auth.globus.org/scopes/5e0c/action_all") {
///     println!("{:?} with {:?}", token.username, token.identity_set);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Introspection {
    /// Whether the token may be used; everything else is there only if so.
    pub active: bool,
    /// Names separated by spaces.
    #[serde(default)]
    pub scope: Option<String>,
    /// The client that it was issued to.
    #[serde(default)]
    pub client_id: Option<ClientId>,
    /// Whose it is.
    #[serde(default)]
    pub sub: Option<IdentityId>,
    /// Their name at their provider.
    #[serde(default)]
    pub username: Option<String>,
    /// Their name.
    #[serde(default)]
    pub name: Option<String>,
    /// Their e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// For whom it is.
    #[serde(default)]
    pub aud: Vec<String>,
    /// Who issued it.
    #[serde(default)]
    pub iss: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(default)]
    pub exp: Option<i64>,
    /// When it was issued.
    #[serde(default)]
    pub iat: Option<i64>,
    /// When it begins.
    #[serde(default)]
    pub nbf: Option<i64>,
    /// Usually `Bearer`.
    #[serde(default)]
    pub token_type: Option<String>,
    /// Changes when other dependent tokens can be obtained: a key for a cache of them.
    #[serde(default)]
    pub dependent_tokens_cache_id: Option<String>,
    /// Every identity of the person, if asked for.
    #[serde(default)]
    pub identity_set: Option<Vec<IdentityId>>,
    /// The same with names, if asked for.
    #[serde(default)]
    pub identity_set_detail: Option<Vec<Map<String, Value>>>,
    /// Who logged in when, if asked for.
    #[serde(default)]
    pub session_info: Option<Session>,
    /// Which policies are met, if asked for.
    #[serde(default)]
    pub policy_evaluations: Option<BTreeMap<Uuid, PolicyEvaluation>>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Introspection {
    /// The scopes of the token.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.as_deref().unwrap_or_default().split_whitespace()
    }

    /// Whether it is active and has this scope.
    pub fn has_scope(&self, name: &str) -> bool {
        self.active && self.scopes().any(|scope| scope == name)
    }
}

/// The logins behind a token.
///
/// ```
/// use portolan_sdk::Session;
///
/// let session: Session = serde_json::from_value(serde_json::json!({
///     "session_id": null,
///     "authentications": {"9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d": {"idp": "x", "auth_time": 1790000000}}
/// }))?;
/// assert_eq!(session.authentications.len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Session {
    /// The same for all tokens of a login; `None` for service accounts.
    #[serde(default)]
    pub session_id: Option<String>,
    /// By identity.
    #[serde(default)]
    pub authentications: BTreeMap<IdentityId, SessionAuthentication>,
}

/// One login of a session.
///
/// ```
/// let login = portolan_sdk::SessionAuthentication::default();
/// assert_eq!(login.auth_time, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SessionAuthentication {
    /// The identity provider.
    #[serde(default)]
    pub idp: Option<String>,
    /// In seconds since 1970.
    #[serde(default)]
    pub auth_time: Option<f64>,
    /// How sure the provider is.
    #[serde(default)]
    pub acr: Option<String>,
    /// By what means.
    #[serde(default)]
    pub amr: Option<Value>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Whether a policy is met.
///
/// ```
/// let evaluation = portolan_sdk::PolicyEvaluation::default();
/// assert!(!evaluation.evaluation);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PolicyEvaluation {
    /// Whether it is.
    pub evaluation: bool,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A new client, with its secret where one came along.
///
/// ```no_run
/// # async fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
/// let template = "95fdeba8-fac2-42bd-a357-e068d82ff78e".parse().expect("a uuid");
/// let made = app.create_native_app_instance(template, "Robin's laptop").await?;
/// if let Some(credential) = &made.credential {
///     println!("{} has a secret that is shown once: {:?}", made.client.id, credential.secret);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewClient {
    /// The client.
    pub client: Client,
    /// Its first secret; instances of a template have one.
    pub credential: Option<Credential>,
}

/// A new scope. A client with domain names has one spelling of it for each.
///
/// ```no_run
/// # async fn run(client: portolan_sdk::AuthClient, id: portolan_sdk::ClientId) -> portolan_sdk::Result<()> {
/// use portolan_sdk::ScopeRequest;
///
/// let made = client.create_scope(id, ScopeRequest::new("Run", "Runs actions", "action_all")).await?;
/// println!("{}", made.scope.scope_string);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewScope {
    /// The first spelling.
    pub scope: Scope,
    /// All spellings.
    pub scopes: Vec<Scope>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_written_as_der_wants_them() {
        assert_eq!(der_integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(der_integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(der_integer(&[]), [2, 1, 0]);
        assert_eq!(der(4, &[7; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(der(4, &[7; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(der(4, &[7; 0x1234])[..4], [4, 0x82, 0x12, 0x34]);
        assert_eq!(der(5, &[]), [5, 0]);
    }
}
