//! ID tokens: who logged in, signed by the service (OpenID Connect Core 1.0 section 2).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portolan_types::oauth::LinkedIdentity;
use portolan_types::{IdentityId, IdentityProviderId};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::auth::{AuthLoginClient, Jwks, OpenIdConfiguration};
use crate::error::Result;

/// Why an ID token is not to be believed.
///
/// ```
/// assert_eq!(portolan_sdk::IdTokenError::Signature.to_string(), "the ID token's signature is wrong");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// It is no token of that kind.
    #[error("the ID token cannot be read: {0}")]
    Malformed(String),
    /// It is signed in a way that the service does not announce.
    #[error("the ID token is signed with {0}, which the service does not announce")]
    Algorithm(String),
    /// No key of the service fits.
    #[error("the service has no key for the ID token")]
    NoKey,
    /// Another key signed it, or nobody did.
    #[error("the ID token's signature is wrong")]
    Signature,
    /// It is for another client.
    #[error("the ID token is for another client")]
    Audience,
    /// Another service issued it.
    #[error("the ID token comes from {0}")]
    Issuer(String),
    /// It has ended.
    #[error("the ID token has ended")]
    Expired,
    /// It does not hold yet: a clock is wrong.
    #[error("the ID token does not hold yet")]
    NotYet,
}

/// What an ID token says.
///
/// ```no_run
/// # async fn run(decoder: portolan_sdk::IdTokenDecoder) -> portolan_sdk::Result<()> {
/// let claims = decoder.decode("eyJ0eXAi").await?;
/// println!("{} {:?} {:?}", claims.sub, claims.preferred_username, claims.email);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IdTokenClaims {
    /// Who logged in.
    pub sub: IdentityId,
    /// Who says so.
    #[serde(default)]
    pub iss: Option<String>,
    /// To which clients.
    #[serde(default, deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// Until when it holds, in seconds since 1970.
    pub exp: f64,
    /// When it was issued.
    #[serde(default)]
    pub iat: Option<f64>,
    /// From when it holds.
    #[serde(default)]
    pub nbf: Option<f64>,
    /// The person's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Their name at their provider.
    #[serde(default)]
    pub preferred_username: Option<String>,
    /// Their e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Their organization.
    #[serde(default)]
    pub organization: Option<String>,
    /// Their identity provider.
    #[serde(default)]
    pub identity_provider: Option<IdentityProviderId>,
    /// Its name.
    #[serde(default)]
    pub identity_provider_display_name: Option<String>,
    /// When they logged in last.
    #[serde(default)]
    pub last_authentication: Option<i64>,
    /// The identities linked to it.
    #[serde(default)]
    pub identity_set: Option<Vec<LinkedIdentity>>,
    /// Binds the token to a request.
    #[serde(default)]
    pub nonce: Option<String>,
    /// Binds the token to the access token.
    #[serde(default)]
    pub at_hash: Option<String>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

/// Checks ID tokens: signature, audience, and times with some leeway. The configuration and
/// the keys of the service are fetched once, and the keys again when a token is signed with
/// one that is not among them.
///
/// ```no_run
/// # async fn run() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{IdTokenDecoder, NativeAppAuthClient};
///
/// let app = NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?;
/// let decoder = IdTokenDecoder::new(&app).check_issuer();
/// println!("{}", decoder.decode("eyJ0eXAi").await?.sub);
/// # Ok(())
/// # }
/// ```
pub struct IdTokenDecoder {
    client: AuthLoginClient,
    leeway: Duration,
    audience: Option<String>,
    checks_issuer: bool,
    checks_times: bool,
    configuration: Mutex<Option<OpenIdConfiguration>>,
    keys: Mutex<Option<Jwks>>,
}

impl fmt::Debug for IdTokenDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenDecoder")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl IdTokenDecoder {
    /// Checks tokens for this client, with five minutes of leeway.
    pub fn new(client: impl Into<AuthLoginClient>) -> Self {
        let client = client.into();
        Self {
            audience: Some(client.client_id().to_owned()),
            client,
            leeway: Duration::from_secs(300),
            checks_issuer: false,
            checks_times: true,
            configuration: Mutex::new(None),
            keys: Mutex::new(None),
        }
    }

    /// How wrong the clocks may be.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # fn with(decoder: portolan_sdk::IdTokenDecoder) {
    /// let strict = decoder.leeway(Duration::from_secs(10));
    /// # }
    /// ```
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Expects another audience than the client; `None` takes tokens for anybody.
    ///
    /// ```no_run
    /// # fn with(decoder: portolan_sdk::IdTokenDecoder) {
    /// let other = decoder.audience(Some("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f".to_owned()));
    /// assert_eq!(other.get_jwt_audience(), Some("5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f"));
    /// # }
    /// ```
    pub fn audience(mut self, audience: Option<String>) -> Self {
        self.audience = audience;
        self
    }

    /// Expects the issuer that the configuration names. The Python SDK does not, so neither
    /// does this unless asked.
    pub fn check_issuer(mut self) -> Self {
        self.checks_issuer = true;
        self
    }

    /// Takes tokens that have ended: to read one that was stored.
    ///
    /// ```no_run
    /// # fn with(decoder: portolan_sdk::IdTokenDecoder) {
    /// let archivist = decoder.ignore_times();
    /// # }
    /// ```
    pub fn ignore_times(mut self) -> Self {
        self.checks_times = false;
        self
    }

    /// The client that tokens are expected to be for.
    pub fn get_jwt_audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// Uses this configuration instead of fetching one.
    ///
    /// ```no_run
    /// # async fn run(decoder: portolan_sdk::IdTokenDecoder) {
    /// use portolan_sdk::OpenIdConfiguration;
    ///
    /// let configuration = OpenIdConfiguration {
    ///     issuer: "https://auth.globus.org".to_owned(),
    ///     jwks_uri: "https://auth.globus.org/jwk.json".to_owned(),
    ///     id_token_signing_alg_values_supported: vec!["RS512".to_owned()],
    ///     ..OpenIdConfiguration::default()
    /// };
    /// decoder.store_openid_configuration(configuration).await;
    /// # }
    /// ```
    pub async fn store_openid_configuration(&self, configuration: OpenIdConfiguration) {
        *self.configuration.lock().await = Some(configuration);
    }

    /// Uses these keys instead of fetching some.
    ///
    /// ```no_run
    /// # async fn run(decoder: portolan_sdk::IdTokenDecoder, app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// decoder.store_jwk(app.get_jwk().await?.into_inner()).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn store_jwk(&self, keys: Jwks) {
        *self.keys.lock().await = Some(keys);
    }

    /// The configuration, fetched the first time.
    pub async fn get_openid_configuration(&self) -> Result<OpenIdConfiguration> {
        let mut known = self.configuration.lock().await;
        if let Some(configuration) = &*known {
            return Ok(configuration.clone());
        }
        let fetched = self.client.get_openid_configuration().await?.into_inner();
        *known = Some(fetched.clone());
        Ok(fetched)
    }

    /// The keys, fetched the first time.
    pub async fn get_jwk(&self) -> Result<Jwks> {
        let uri = self.get_openid_configuration().await?.jwks_uri;
        let mut known = self.keys.lock().await;
        if let Some(keys) = &*known {
            return Ok(keys.clone());
        }
        let fetched = self.fetch_keys(&uri).await?;
        *known = Some(fetched.clone());
        Ok(fetched)
    }

    async fn fetch_keys(&self, uri: &str) -> Result<Jwks> {
        let response = crate::auth::get_jwk_at(&self.client.service, uri).await?;
        Ok(response.into_inner())
    }

    /// Checks a token and returns what it says.
    pub async fn decode(&self, id_token: &str) -> Result<IdTokenClaims> {
        let configuration = self.get_openid_configuration().await?;
        let header =
            jsonwebtoken::decode_header(id_token).map_err(|error| IdTokenError::Malformed(error.to_string()))?;
        let algorithm = format!("{:?}", header.alg);
        if !configuration.id_token_signing_alg_values_supported.contains(&algorithm) || is_symmetric(header.alg) {
            return Err(IdTokenError::Algorithm(algorithm).into());
        }
        let keys = self.get_jwk().await?;
        let claims = match self.verify(id_token, header.alg, header.kid.as_deref(), &keys) {
            // The service may have another key by now.
            Err(IdTokenError::NoKey | IdTokenError::Signature) => {
                let fresh = self.fetch_keys(&configuration.jwks_uri).await?;
                let claims = self.verify(id_token, header.alg, header.kid.as_deref(), &fresh)?;
                *self.keys.lock().await = Some(fresh);
                claims
            }
            other => other?,
        };
        let claims: IdTokenClaims = serde_json::from_value(Value::Object(claims))
            .map_err(|error| IdTokenError::Malformed(error.to_string()))?;
        if self.checks_times {
            self.check_times(&claims)?;
        }
        if self.checks_issuer && claims.iss.as_deref() != Some(&configuration.issuer) {
            return Err(IdTokenError::Issuer(claims.iss.unwrap_or_default()).into());
        }
        Ok(claims)
    }

    fn verify(
        &self,
        id_token: &str,
        algorithm: Algorithm,
        kid: Option<&str>,
        keys: &Jwks,
    ) -> Result<Map<String, Value>, IdTokenError> {
        let mut validation = Validation::new(algorithm);
        // The times are compared with the clock of this crate.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp"]);
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["exp", "aud"]);
            }
            None => validation.validate_aud = false,
        }
        let mut error = IdTokenError::NoKey;
        for key in decoding_keys(keys, kid) {
            use jsonwebtoken::errors::ErrorKind;
            match jsonwebtoken::decode::<Map<String, Value>>(id_token, &key, &validation) {
                Ok(token) => return Ok(token.claims),
                Err(failure) => {
                    error = match failure.kind() {
                        ErrorKind::InvalidSignature => IdTokenError::Signature,
                        ErrorKind::InvalidAudience => return Err(IdTokenError::Audience),
                        // A key of another kind.
                        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => continue,
                        _ => return Err(IdTokenError::Malformed(failure.to_string())),
                    }
                }
            }
        }
        Err(error)
    }

    fn check_times(&self, claims: &IdTokenClaims) -> Result<(), IdTokenError> {
        let now = self.client.now() as f64;
        let leeway = self.leeway.as_secs_f64();
        if claims.exp <= now - leeway {
            return Err(IdTokenError::Expired);
        }
        let begins = [claims.iat, claims.nbf].into_iter().flatten();
        if begins.into_iter().any(|begin| begin > now + leeway) {
            return Err(IdTokenError::NotYet);
        }
        Ok(())
    }

    /// What a token says, without any check. Whoever wrote the token chose every word of it:
    /// good for a log, never for a decision.
    ///
    /// ```
    /// use portolan_sdk::IdTokenDecoder;
    ///
    /// let claims = IdTokenDecoder::claims_without_check("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")?;
    /// assert_eq!(claims["sub"], "x");
    /// # Ok::<(), portolan_sdk::Error>(())
    /// ```
    pub fn claims_without_check(id_token: &str) -> Result<Map<String, Value>> {
        let payload = id_token.split('.').nth(1).unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|error| IdTokenError::Malformed(error.to_string()))?;
        let claims = serde_json::from_slice(&bytes).map_err(|error| IdTokenError::Malformed(error.to_string()))?;
        Ok(claims)
    }
}

fn is_symmetric(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// The keys that may have signed, the best first: those with the same id, or all if the
/// token names none.
fn decoding_keys(keys: &Jwks, kid: Option<&str>) -> Vec<DecodingKey> {
    let keys = keys
        .keys
        .iter()
        .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let signs = |key: &Jwk| !matches!(&key.common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature);
    let named = |key: &Jwk| kid.is_none() || key.common.key_id.is_none() || key.common.key_id.as_deref() == kid;
    keys.filter(|key| signs(key) && named(key))
        .filter_map(|key| DecodingKey::from_jwk(&key).ok())
        .collect()
}
