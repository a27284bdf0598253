//! A login with the authorization code grant: from the address that the person opens to the
//! tokens. PKCE (RFC 7636) and `state` are made for each login, the issuer is checked
//! (RFC 9207), and so is whether all scopes arrived that were asked for.

use portolan_types::Secret;
use url::{Url, form_urlencoded};

use crate::auth::AuthLoginClient;
use crate::clock::random_text;
use crate::error::{Error, Result};
use crate::gare::AuthorizationParameters;
use crate::response::{GrantKind, TokenResponse};
use crate::scopes::{self, ScopeList};

/// What a login asks for.
///
/// ```
/// use portolan_sdk::FlowOptions;
///
/// let options = FlowOptions::new(["openid", "email"])?
///     .refresh_tokens(true)
///     .prefill_named_grant("Robin's laptop");
/// # let _ = options;
/// # Ok::<(), portolan_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FlowOptions {
    scopes: String,
    redirect_uri: Option<String>,
    state: Option<String>,
    verifier: Option<Secret>,
    pkce: bool,
    refresh_tokens: bool,
    prefill_named_grant: Option<String>,
    fewer_scopes: bool,
}

impl FlowOptions {
    /// Asks for these scopes.
    pub fn new(scopes: impl ScopeList) -> Result<Self> {
        Ok(Self {
            scopes: scopes::join(scopes)?,
            redirect_uri: None,
            state: None,
            verifier: None,
            pkce: true,
            refresh_tokens: false,
            prefill_named_grant: None,
            fewer_scopes: false,
        })
    }

    /// Where the browser comes back to.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    pub(crate) fn or_redirect_uri(mut self, uri: String) -> Self {
        self.redirect_uri.get_or_insert(uri);
        self
    }

    /// A `state` of one's own. Without this it is random, which is what keeps others from
    /// handing their login to this app.
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// A code verifier of one's own: 43 to 128 characters of `A-Z a-z 0-9 - . _ ~`.
    ///
    /// ```
    /// # fn run(app: portolan_sdk::NativeAppAuthClient) -> portolan_sdk::Result<()> {
    /// use portolan_sdk::FlowOptions;
    ///
    /// assert!(app.start_flow(FlowOptions::new("openid")?.verifier("too short")).is_err());
    /// # Ok(())
    /// # }
    /// # run(portolan_sdk::NativeAppAuthClient::new("x").unwrap()).unwrap();
    /// ```
    pub fn verifier(mut self, verifier: impl Into<String>) -> Self {
        self.verifier = Some(Secret::new(verifier));
        self
    }

    /// Leaves PKCE out. Only clients with a secret may, and only where the server does not
    /// know it.
    ///
    /// ```
    /// use portolan_sdk::FlowOptions;
    ///
    /// let options = FlowOptions::new("openid")?.without_pkce();
    /// # let _ = options;
    /// # Ok::<(), portolan_sdk::Error>(())
    /// ```
    pub fn without_pkce(mut self) -> Self {
        self.pkce = false;
        self
    }

    pub(crate) fn with_pkce(mut self) -> Self {
        self.pkce = true;
        self
    }

    /// Whether to ask for refresh tokens.
    pub fn refresh_tokens(mut self, wanted: bool) -> Self {
        self.refresh_tokens = wanted;
        self
    }

    /// What the person's list of apps calls this login, unless they change it.
    pub fn prefill_named_grant(mut self, label: impl Into<String>) -> Self {
        self.prefill_named_grant = Some(label.into());
        self
    }

    /// Does with fewer scopes than were asked for.
    ///
    /// ```
    /// use portolan_sdk::FlowOptions;
    ///
    /// let options = FlowOptions::new("openid email")?.allow_fewer_scopes();
    /// # let _ = options;
    /// # Ok::<(), portolan_sdk::Error>(())
    /// ```
    pub fn allow_fewer_scopes(mut self) -> Self {
        self.fewer_scopes = true;
        self
    }
}

/// A login that has begun. Keep it until the browser comes back.
///
/// ```no_run
/// # async fn run(app: portolan_sdk::ConfidentialAppAuthClient) -> portolan_sdk::Result<()> {
/// use portolan_sdk::{Error, FlowError, FlowOptions};
///
/// let flow = app.start_flow("https://portal.example.org/callback", FlowOptions::new("openid email")?)?;
/// println!("{}", flow.authorize_url());
///
/// let came_back = "https://portal.example.org/callback?code=AgPC&state=x&iss=https%3A%2F%2Fauth.globus.org";
/// match flow.complete(came_back).await {
///     Ok(response) => println!("{:?}", response.by_resource_server().keys()),
///     Err(Error::Flow(FlowError::Denied { description, .. })) => println!("not today: {description:?}"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Flow {
    client: AuthLoginClient,
    options: FlowOptions,
    redirect_uri: String,
    state: String,
    verifier: Option<Secret>,
}

/// Why a login did not end well.
///
/// ```
/// let error = portolan_sdk::FlowError::State;
/// assert!(error.to_string().contains("state"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The address is not the end of a login.
    #[error("this is not the end of a login: {0}")]
    NotTheEnd(&'static str),
    /// The login was begun by somebody else, or long ago.
    #[error("the state does not match: this login was not begun here")]
    State,
    /// Another server answered than the one that was asked (RFC 9207).
    #[error("the answer came from {received:?}, not from {expected}")]
    Issuer {
        /// The one that was asked.
        expected: String,
        /// The one that the answer names.
        received: Option<String>,
    },
    /// The service or the person said no.
    #[error("{}", description.as_ref().unwrap_or(error))]
    Denied {
        /// A code of OAuth, such as `access_denied`.
        error: String,
        /// The same in words.
        description: Option<String>,
    },
    /// The person did not allow all that was asked for. The tokens that did come are here.
    #[error("these scopes did not arrive: {}", missing.join(" "))]
    MissingScopes {
        /// What is missing.
        missing: Vec<String>,
        /// What came.
        response: Box<TokenResponse>,
    },
}

impl Flow {
    pub(crate) fn new(client: AuthLoginClient, options: FlowOptions) -> Result<Self> {
        let random = &*client.service.transport.config.random;
        let redirect_uri = options.redirect_uri.clone();
        let redirect_uri = redirect_uri.ok_or_else(|| Error::usage("a login needs a redirect URI"))?;
        let verifier = match (&options.verifier, options.pkce) {
            (Some(verifier), true) => Some(checked(verifier)?),
            (None, true) => Some(Secret::new(random_text(random))),
            (_, false) => None,
        };
        let state = options.state.clone().unwrap_or_else(|| random_text(random));
        Ok(Self {
            redirect_uri,
            state,
            verifier,
            options,
            client,
        })
    }

    /// The address that the person opens.
    pub fn authorize_url(&self) -> String {
        self.authorize_url_with(&AuthorizationParameters::default(), &[])
    }

    /// The same with demands on the session, and any other parameter.
    ///
    /// ```no_run
    /// # fn run(flow: portolan_sdk::Flow) {
    /// use portolan_sdk::AuthorizationParameters;
    ///
    /// let parameters = AuthorizationParameters {
    ///     session_required_mfa: Some(true),
    ///     session_message: Some("This project needs a second factor".to_owned()),
    ///     ..AuthorizationParameters::default()
    /// };
    /// println!("{}", flow.authorize_url_with(&parameters, &[("login_hint", "rdoe@example.edu")]));
    /// # }
    /// ```
    pub fn authorize_url_with(&self, parameters: &AuthorizationParameters, more: &[(&str, &str)]) -> String {
        let mut url: Url = self.client.service.base_url.clone();
        url.set_path(&format!("{}v2/oauth2/authorize", url.path()));
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("client_id", self.client.client_id())
                .append_pair("redirect_uri", &self.redirect_uri)
                .append_pair("scope", &self.options.scopes)
                .append_pair("state", &self.state)
                .append_pair("response_type", "code");
            let access_type = if self.options.refresh_tokens {
                "offline"
            } else {
                "online"
            };
            query.append_pair("access_type", access_type);
            if let Some(verifier) = &self.verifier {
                query.append_pair("code_challenge", &challenge(verifier));
                query.append_pair("code_challenge_method", "S256");
            }
            if let Some(label) = &self.options.prefill_named_grant {
                query.append_pair("prefill_named_grant", label);
            }
            let lists = [
                ("session_required_identities", &parameters.session_required_identities),
                (
                    "session_required_single_domain",
                    &parameters.session_required_single_domain,
                ),
                ("session_required_policies", &parameters.session_required_policies),
            ];
            for (name, list) in lists {
                if let Some(list) = list {
                    query.append_pair(name, &list.join(","));
                }
            }
            if let Some(mfa) = parameters.session_required_mfa {
                query.append_pair("session_required_mfa", &mfa.to_string());
            }
            let texts = [
                ("session_message", &parameters.session_message),
                ("prompt", &parameters.prompt),
            ];
            for (name, text) in texts {
                if let Some(text) = text {
                    query.append_pair(name, text);
                }
            }
            query.extend_pairs(more);
        }
        url.into()
    }

    /// The `state` that has to come back.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Where the browser comes back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// What proves that whoever redeems the code began the login; an app on several machines
    /// stores it with the state.
    pub fn verifier(&self) -> Option<&Secret> {
        self.verifier.as_ref()
    }

    /// Ends the login with the address that the browser came back to, or its query.
    ///
    /// The state must be the one of this login, the issuer the one that was asked, and the
    /// tokens must allow all that was asked for.
    pub async fn complete(&self, came_back: &str) -> Result<TokenResponse> {
        let code = self.code_of(came_back).await?;
        self.exchange_code(&code).await
    }

    /// Whether an address belongs to this login at all, by its state.
    pub(crate) fn is_answered_by(&self, came_back: &str) -> bool {
        Answer::read(came_back).is_ok_and(|answer| self.check_state(&answer).is_ok())
    }

    async fn code_of(&self, came_back: &str) -> Result<String> {
        let answer = Answer::read(came_back)?;
        self.check_state(&answer)?;
        self.check_issuer(&answer).await?;
        match (answer.error, answer.code) {
            (Some(error), _) => Err(FlowError::Denied {
                error,
                description: answer.description,
            }
            .into()),
            (None, Some(code)) => Ok(code),
            (None, None) => Err(FlowError::NotTheEnd("it has neither a code nor an error").into()),
        }
    }

    /// Compared in constant time: whoever sends a browser here chooses the value.
    fn check_state(&self, answer: &Answer) -> Result<(), FlowError> {
        match &answer.state {
            Some(state) if Secret::new(state) == Secret::new(&self.state) => Ok(()),
            _ => Err(FlowError::State),
        }
    }

    async fn check_issuer(&self, answer: &Answer) -> Result<()> {
        let configuration = self.client.get_openid_configuration().await?;
        let announced = configuration.authorization_response_iss_parameter_supported;
        if answer.issuer.is_none() && !announced {
            return Ok(());
        }
        if answer.issuer.as_deref() != Some(&configuration.issuer) {
            return Err(FlowError::Issuer {
                expected: configuration.issuer.clone(),
                received: answer.issuer.clone(),
            }
            .into());
        }
        Ok(())
    }

    /// Ends the login with the code that the person copied. There is no state to check.
    ///
    /// ```no_run
    /// # async fn run(flow: portolan_sdk::Flow) -> portolan_sdk::Result<()> {
    /// let response = flow.exchange_code("AgPC").await?;
    /// println!("{:?}", response.by_resource_server().keys());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exchange_code(&self, code: &str) -> Result<TokenResponse> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
        ];
        if let Some(verifier) = &self.verifier {
            fields.push(("code_verifier", verifier.expose()));
        }
        let response = self.client.grant(GrantKind::AuthorizationCode, &fields).await?;
        self.check_scopes(response)
    }

    fn check_scopes(&self, response: TokenResponse) -> Result<TokenResponse> {
        if self.options.fewer_scopes {
            return Ok(response);
        }
        let expected = scopes::parse(&self.options.scopes)?;
        let by_scopes = response.by_scopes();
        let missing: Vec<String> = expected
            .iter()
            .map(|scope| scope.name().to_owned())
            // It asks for refresh tokens and is no scope.
            .filter(|name| name != "offline_access" && !by_scopes.iter().any(|arrived| arrived == name))
            .collect();
        if missing.is_empty() {
            return Ok(response);
        }
        Err(FlowError::MissingScopes {
            missing,
            response: Box::new(response),
        }
        .into())
    }
}

/// What the browser brought back.
#[derive(Default)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
    description: Option<String>,
}

impl Answer {
    fn read(came_back: &str) -> Result<Self, FlowError> {
        let query = came_back.split_once('?').map_or(came_back, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let member = match &*name {
                "code" => &mut answer.code,
                "state" => &mut answer.state,
                "iss" => &mut answer.issuer,
                "error" => &mut answer.error,
                "error_description" => &mut answer.description,
                _ => continue,
            };
            if member.replace(value.into_owned()).is_some() {
                return Err(FlowError::NotTheEnd("a parameter comes twice"));
            }
        }
        Ok(answer)
    }
}

/// BASE64URL(SHA256(verifier)) (RFC 7636 section 4.2).
fn challenge(verifier: &Secret) -> String {
    use base64::Engine as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.expose().as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}

fn checked(verifier: &Secret) -> Result<Secret> {
    let text = verifier.expose();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&text.len()) || !text.bytes().all(allowed) {
        return Err(Error::usage(
            "a code verifier has 43 to 128 characters, each a letter, a digit or one of - . _ ~",
        ));
    }
    Ok(verifier.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636 appendix B.
    #[test]
    fn challenges_are_those_of_the_standard() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifiers_are_checked() {
        for (text, good) in [
            ("a".repeat(43), true),
            ("-._~".repeat(32), true),
            ("a".repeat(42), false),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(50)), false),
        ] {
            assert_eq!(checked(&Secret::new(&text)).is_ok(), good, "{text}");
        }
    }
}
